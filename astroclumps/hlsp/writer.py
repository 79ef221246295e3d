"""`write_vela`: images in the layout of the VELA-Sunrise release."""

from pathlib import Path

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.arguments import quantity
from astroclumps.fits_io import metadata_hdu
from astroclumps.image import MultiBandImage

from .names import VelaName
from .reader import OWN

__all__ = ["write_vela"]

_INSTRUMENTS = {"ACS": ("hst", "acs"), "WFC3/IR": ("hst", "wfc3"), "NIRCam": ("jwst", "nircam")}
_SKIPPED = ("files", "hdu", "field_shape", "galaxy", "camera", "scale_factor", "version", "dust", "pixel_kpc", "camera_direction",
            "camera_up", "translate_origin", "rebinned", "assumed", "field_corner")  # fmt: skip


def write_vela(
    image: MultiBandImage,
    folder,
    *,
    galaxy: int,
    camera,
    scale_factor: float | None = None,
    pristine: MultiBandImage | None = None,
    nonscatter: MultiBandImage | None = None,
    pixel_kpc: u.Quantity[u.kpc] | None = None,
    translate_origin: u.Quantity[u.kpc] | None = None,
    cosmology=None,
    overwrite: bool = False,
) -> list[Path]:
    """Write an image in the layout v3, one file a band, so that `read_vela` gives it back.

    The files have the names, HDUs, units and keywords of the release, as far as these are known from public code, and are not part
    of it: HLSPID, HLSPNAME, DOI and licence are not written, and ORIGIN is ``astroclumps``.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        Becomes IMAGE_PSF, in ``muJy/SqArcsec``. Bands of ACS with pixels of 0.03" and of WFC3 with 0.06" are written by two calls.
    folder : path-like
        Where the files go; made if it is not there.
    galaxy : int
        Number of the galaxy, 0 to 99.
    camera : `~astroclumps.mock.cameras.Camera`
        Its name ends in the camera's number, as in ``'cam17'``; direction and up become CAMDIRX, ..., CAMUPZ.
    scale_factor : float, optional
        Default: 1 / (1 + redshift); needed where the image states no redshift.
    pristine, nonscatter : `~astroclumps.MultiBandImage`, optional
        The same bands before the point-spread function, with and without scattering, on pixels of their own: become IMAGE_PRISTINE and
        IMAGE_PRISTINE_NONSCATTER, in ``nanoJanskies`` per pixel.
    pixel_kpc : `~astropy.units.Quantity` ['length'], optional
        Side of a pixel of ``image`` at the galaxy. Default: from redshift and cosmology.
    translate_origin : `~astropy.units.Quantity` ['length'], shape (3,), optional
        What lies in the middle of the field, along the axes of the box.
    cosmology : `~astropy.cosmology.FLRW`, optional
        Default: that of VELA, H0 = 70.4, Om = 0.2726 (METHODS 2).
    overwrite : bool, optional
        Replace existing files. Default False.

    Returns
    -------
    list of `~pathlib.Path`
        The files, in the order of the bands.

    Raises
    ------
    FileExistsError
        If a file is there already; nothing is written then.
    ValueError
        If bands of ``pristine`` are missing, or neither redshift nor scale factor is known.

    Notes
    -----
    Pixels are written as float64, so that float32 pixels come back to the last bit. What the layout has no place for lies in further
    HDUs whose names begin with ``ASTROCLUMPS``: uncertainties, mask, kernels of the point-spread function, ``image.name`` and
    ``image.meta``.

    Examples
    --------
    >>> import tempfile, numpy as np, astropy.units as u
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.hlsp import read_vela, write_vela
    >>> from astroclumps.mock.cameras import Camera
    >>> image = MultiBandImage(data=np.eye(8)[None] * u.uJy, bands=["F160W"], redshift=1.5)
    >>> camera = Camera(name="cam03", direction=(1, 0, 0), up=(0, 0, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_vela(image, folder, galaxy=7, camera=camera)
    ...     back = read_vela(files[0])
    >>> files[0].name
    'hlsp_vela_hst_wfc3_vela07-cam03-a0.400_f160w_v3_sim.fits'
    >>> bool((back.data == image.data).all()), back.meta["camera_direction"]
    (True, [1.0, 0.0, 0.0])
    """
    from astropy.io import fits

    folder = Path(folder)
    number = _camera_number(camera)
    if scale_factor is None:
        if image.redshift is None:
            raise ValueError(f"{image.name} has no redshift; give scale_factor, which is part of the name")
        scale_factor = 1 / (1 + image.redshift)
    origin = None if translate_origin is None else _origin(translate_origin)
    planes = {"IMAGE_PRISTINE": pristine, "IMAGE_PRISTINE_NONSCATTER": nonscatter}
    for what, plane in planes.items():
        missing = [] if plane is None else [band for band in image.bands if band not in plane.bands]
        if missing:
            raise ValueError(f"the image for {what} lacks the bands {', '.join(missing)}; it has {', '.join(plane.bands)}")
    distances = _distances(image, cosmology)
    if pixel_kpc is not None:
        kpc_per_arcsec = float(quantity("pixel_kpc", pixel_kpc, u.kpc, "0.5 * u.kpc", positive=True)) / image.pixel_scale.to_value(u.arcsec)
        distances["PSCALE"] = (kpc_per_arcsec, "[kpc/arcsec]")
    paths = []
    for band in image.bands:
        observatory, instrument = _INSTRUMENTS[_bands.get(band).instrument]
        parts = {"galaxy": galaxy, "camera": number, "scale_factor": scale_factor, "observatory": observatory, "instrument": instrument}
        paths.append(folder / VelaName(filter=band.lower(), **parts).filename)
    there = [str(path) for path in paths if path.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{', '.join(there)} exist; use overwrite=True to replace them")
    folder.mkdir(parents=True, exist_ok=True)
    for order, (band, path) in enumerate(zip(image.bands, paths, strict=True)):
        cards = _shared(band, number, distances)
        hdus = [fits.PrimaryHDU(*_convolved(image, band, camera, origin, cards))]
        hdus[0].header["EXTNAME"] = "IMAGE_PSF"
        hdus += [_pristine(plane, band, what, cards, distances) for what, plane in planes.items() if plane is not None]
        hdus += _own(image, band, order)
        fits.HDUList(hdus).writeto(path, overwrite=True)
    return paths


def _camera_number(camera):
    from astroclumps.mock.cameras import Camera

    if not isinstance(camera, Camera):
        raise TypeError(f"camera must be an astroclumps.mock.cameras.Camera, got {type(camera).__name__}")
    digits = camera.name[len(camera.name.rstrip("0123456789")) :]
    if not digits or int(digits) > 99:
        raise ValueError(f"the name of the camera must end in its number, 0 to 99, as in 'cam17', got {camera.name!r}")
    return int(digits)


def _origin(value):
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.kpc) or value.shape != (3,):
        raise TypeError(f"translate_origin must be a length of shape (3,) such as [0, 0, 0] * u.kpc, got {value!r}")
    if not np.isfinite(value).all():
        raise ValueError(f"translate_origin must be finite, got {value}")
    return value.to_value(u.kpc)


def _distances(image, cosmology):
    """Cards that depend on redshift and cosmology."""
    if image.redshift is None:
        return {}
    from astroclumps.simulation.snapshot import vela_cosmology

    cosmology = cosmology or vela_cosmology()
    z = image.redshift
    cards = {"REDSHIFT": (z, ""), "H0": (cosmology.H0.value, "[km/s/Mpc]"), "WM": (cosmology.Om0, ""), "WV": (cosmology.Ode0, "")}
    if z > 0:
        cards["LUMDIST"] = (cosmology.luminosity_distance(z).to_value(u.Mpc), "[Mpc]")
        cards["ANGDIST"] = (cosmology.angular_diameter_distance(z).to_value(u.Mpc), "[Mpc]")
        cards["DISTMOD"] = (cosmology.distmod(z).value, "[mag]")
        cards["PSCALE"] = (cosmology.kpc_proper_per_arcmin(z).to_value(u.kpc / u.arcsec), "[kpc/arcsec]")
    return cards


def _shared(band, number, distances):
    known = _bands.get(band)
    observatory, instrument = (word.upper() for word in _INSTRUMENTS[known.instrument])
    return {
        "ORIGIN": ("astroclumps", "not a file of the release at MAST"),
        "MISSION": (observatory, ""),
        "TELESCOP": (observatory, ""),
        "INSTR": (instrument, ""),
        "INSTRUME": (instrument, ""),
        "FILTER": (f"{observatory}/{instrument}_{band}".lower(), ""),
        "CAMERA": (number, "number of the camera"),
        **distances,
    }


def _convolved(image, band, camera, origin, cards):
    from astropy.io import fits

    side = image.pixel_scale.to_value(u.arcsec)
    flux = image.band(band).astype(float)
    header = fits.Header()
    if image.wcs is not None:
        header.update(image.wcs.to_header(relax=True))
    header["IMUNIT"] = ("muJy/SqArcsec", "unit of the pixels")
    header["ABZP"] = (15 + 2.5 * np.log10(3631) - 5 * np.log10(side), "AB magnitude of an image sum of 1")
    header["PIXSCALE"] = (side, "[arcsec] side of a pixel")
    header["TPIX"] = (side, "[arcsec] nominal side of a pixel")
    header["NPIX"] = (flux.shape[1], "pixels on a side")
    for key, card in cards.items():
        header[key] = card
    if "PSCALE" in cards:
        header["PIXKPC"] = (side * cards["PSCALE"][0], "[kpc] side of a pixel")
    header["FLABEL"] = f"{_INSTRUMENTS[_bands.get(band).instrument][1].upper()}-{band}"
    if flux.sum() > 0:
        header["MAG"] = (23.9 - 2.5 * np.log10(flux.sum()), "AB magnitude of the whole image")
    if image.psf_known:
        header["APROXPSF"] = (image.psf_fwhm[image.bands.index(band)].to_value(u.arcsec), "[arcsec] FWHM")
    for name, vector in (("CAMDIR", camera.direction), ("CAMUP", camera.up)):
        for axis, value in zip("XYZ", vector, strict=True):
            header[f"{name}{axis}"] = value
    if origin is not None:
        for axis, value in zip("XYZ", origin, strict=True):
            header[f"HIERARCH translate_origin{axis}"] = (float(value), "[kpc]")
    return flux / side**2, header


def _pristine(image, band, name, cards, distances):
    from astropy.io import fits

    side = image.pixel_scale.to_value(u.arcsec)
    flux = image.band(band).astype(float) * 1e3
    header = fits.Header()
    header["IMUNIT"] = ("nanoJanskies", "per pixel")
    header["PIXSIZE"] = (side, "[arcsec] side of a pixel")
    if "PSCALE" in distances:
        header["PIXKPC"] = (side * distances["PSCALE"][0], "[kpc] side of a pixel")
    for key in ("FILTER", "CAMERA", "REDSHIFT"):
        if key in cards:
            header[key] = cards[key]
    header["FLUX_NJY"] = (flux.sum(), "sum of the image")
    if flux.sum() > 0:
        header["ABMAG"] = (31.4 - 2.5 * np.log10(flux.sum()), "AB magnitude of the sum")
    return fits.ImageHDU(flux, header, name=name)


def _own(image, band, order):
    """HDUs for what the layout has no place for."""
    from astropy.io import fits

    index = image.bands.index(band)
    info = {"name": image.name, "redshift": image.redshift, "order": order}
    if image.psf is None and image.psf_known:
        info["psf_fwhm"] = float(image.psf_fwhm[index].to_value(u.arcsec))
    hdus = []
    if image.uncertainty is not None:
        area = image.pixel_scale.to_value(u.arcsec) ** 2
        hdus.append(fits.ImageHDU(image.uncertainty.array[index].astype(float) / area, name=f"{OWN}-ERR"))
        hdus[-1].header["IMUNIT"] = "muJy/SqArcsec"
    if image.mask is not None and image.mask[index].any():
        hdus.append(fits.ImageHDU(image.mask[index].astype(np.uint8), name=f"{OWN}-MASK"))
    if image.psf is not None:
        hdus.append(fits.ImageHDU(image.psf[index], name=f"{OWN}-PSF"))
    meta = {key: value for key, value in image.meta.items() if key not in _SKIPPED}
    return [*hdus, metadata_hdu(info, OWN), metadata_hdu(meta, f"{OWN}-META")]
