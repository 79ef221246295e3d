"""Image cubes in FITS: the package's own, cut-outs like those of the XDF, and FOLKLORE's.

Everything here is also reached through `astroclumps.io`.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from . import bands as _bands
from .calibration import header_number, header_unit, header_zeropoint
from .exceptions import ImageError
from .fits_io import celestial_wcs, image_hdu, metadata_hdu, open_fits, pixels, read_metadata
from .image import MultiBandImage
from .whole_files import write_whole

if TYPE_CHECKING:
    from astroclumps.bands import Band

__all__ = ["read_cube", "read_folklore", "write_cube"]

_OWN = "ASTROCLUMPS CUBE 1"


def read_cube(
    path: str | os.PathLike,
    *,
    bands: "Sequence[str | Band] | None" = None,
    redshift: float | None = None,
    psf: Any = None,
    name: str | None = None,
) -> MultiBandImage:
    """Read a cube (band, y, x) with the bands in its header.

    Parameters
    ----------
    path : path-like
        A file that `write_cube` wrote, or a cut-out with the extensions ``SCI`` and, if there, ``WHT`` (inverse variance, 0 where a
        pixel is bad), ``ERR`` (standard deviation) and ``MASK`` (not 0: bad). The header of SCI states ``BANDi`` and ``ZPABi`` for
        i = 0, 1, ...; it or the primary header ``BUNIT`` (default electron/s), ``PIXSCALE`` in arcsec, ``X0``, ``Y0``, ``REDSHIFT``
        and a celestial WCS.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order. Default: all. If the header names none: the bands of the planes.
    redshift, psf, name : optional
        As in `~astroclumps.MultiBandImage`; replace what the file says. The name defaults to that of the file.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Raises
    ------
    ImageError
        If the file is damaged or is not such a cube; the message names it and the reason.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from astropy.io import fits
    >>> from astroclumps import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     header = fits.Header({"BAND0": "F160W", "ZPAB0": 25.946, "BUNIT": "electron/s"})
    ...     fits.ImageHDU(np.ones((1, 8, 8)), header, name="SCI").writeto(Path(folder) / "galaxy.fits")
    ...     io.read_cube(Path(folder) / "galaxy.fits", redshift=1.5)
    <MultiBandImage 'galaxy': F160W, 8 x 8 pixels of 0.06 arcsec, redshift 1.5>
    """
    path = Path(path)
    with open_fits(path) as hdus:
        science = image_hdu(hdus, path, ndim=3)
        header = _joined(hdus, science)
        own = hdus[0].header.get("FORMAT") == _OWN
        if own and len(hdus) - 1 != hdus[0].header.get("NEXTEND"):
            raise ImageError(
                f"{path} is truncated: it has {len(hdus) - 1} extensions, its header announces {hdus[0].header.get('NEXTEND')}"
            )
        planes = _planes(header, path, science.shape[0], bands)
        unit = header_unit(header, path=path, default=u.electron / u.s)
        rates = unit.unit.is_equivalent(u.electron / u.s)
        known = {i: header_number(header, f"ZPAB{i}", path) for i in range(len(planes))} if rates else {}
        if any(value is None for value in known.values()) and any(value is not None for value in known.values()):
            missing = [planes[i] for i, value in known.items() if value is None]
            raise ImageError(f"{path} has zeropoints for some bands only; ZPABi is missing for {', '.join(missing)}")
        info = read_metadata(hdus, "IMAGE")
        options = {
            "data": pixels(science, path) * unit,
            "bands": planes,
            "uncertainty": _uncertainty(hdus, path, science.shape, unit),
            "mask": _mask(hdus, path, science.shape),
            "wcs": celestial_wcs(header, path),
            "pixel_scale": _pixel_scale(header, info, path),
            "psf": psf if psf is not None else _psf(hdus, path, info),
            "redshift": redshift if redshift is not None else info.get("redshift", header_number(header, "REDSHIFT", path)),
            "zeropoint": list(known.values()) if known and None not in known.values() else None,
            "name": name or info.get("name") or path.name.split(".")[0],
            "meta": read_metadata(hdus) if own else _foreign_meta(header, path),
        }
    image = build(path, **options)
    if known and options["zeropoint"] is None:
        warn_assumed(path, f"zeropoints of {', '.join(image.bands)} are the bands' defaults")
    return image if bands is None else _selected(image, bands, path)


def read_folklore(
    path: str | os.PathLike,
    *,
    unit: Any = None,
    zeropoint: Any = None,
    bands: "Sequence[str | Band] | None" = None,
    pixel_scale: Any = None,
    redshift: float | None = None,
    psf: Any = None,
    name: str | None = None,
) -> MultiBandImage:
    """Read a cube (filter, y, x) whose header names the filter of plane n as ``FILTERn``, n = 1, 2, ..., as FOLKLORE and lightstack do.

    Parameters
    ----------
    path : path-like
        The file; the first image in it is the cube. Such cubes carry no weights.
    unit : `~astropy.units.UnitBase` or `~astropy.units.Quantity`, optional
        What a pixel value of 1 means, such as ``10 * u.nJy``; FOLKLORE asks for the same. Default: ``BUNIT`` of the header.
    zeropoint : float, sequence or mapping, optional
        AB zeropoints for count rates. Default: the bands' own.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order; needed if the cube holds filters that the package does not know. Default: all.
    pixel_scale, redshift, psf, name : optional
        As in `~astroclumps.MultiBandImage`.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Raises
    ------
    ImageError
        If the file is damaged or is not such a cube; the message names it and the reason.

    Examples
    --------
    >>> import tempfile, numpy as np, astropy.units as u
    >>> from pathlib import Path
    >>> from astropy.io import fits
    >>> from astroclumps import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     header = fits.Header({"FILTER1": "F606W", "FILTER2": "F160W"})
    ...     fits.writeto(Path(folder) / "cube.fits", np.ones((2, 8, 8)), header)
    ...     io.read_folklore(Path(folder) / "cube.fits", unit=10 * u.nJy, redshift=1.0)
    <MultiBandImage 'cube': F606W, F160W, 8 x 8 pixels of 0.06 arcsec, redshift 1>
    """
    path = Path(path)
    with open_fits(path) as hdus:
        cube = image_hdu(hdus, path, ndim=3)
        header = _joined(hdus, cube)
        filters = [header.get(f"FILTER{n}") for n in range(1, cube.shape[0] + 1)]
        if None in filters:
            raise ImageError(f"{path} has {len(filters)} planes but no FILTER{filters.index(None) + 1} in its header")
        keep = _kept(path, [str(text).strip() for text in filters], bands)
        if unit is None:
            unit = header_unit(header, path=path)
            if unit is None:
                raise ImageError(f"{path} has no BUNIT; give unit, what a pixel value of 1 means, such as unit=10 * u.nJy")
        if (
            zeropoint is None
            and header_zeropoint(header, path=path) is not None
            and u.Quantity(1 * unit).unit.is_equivalent(u.electron / u.s)
        ):
            zeropoint = [header_zeropoint(header, path=path)] * len(keep)
        options = {
            "data": pixels(cube, path)[list(keep.values())] * u.Quantity(1 * unit),
            "bands": list(keep),
            "wcs": celestial_wcs(header, path),
            "pixel_scale": pixel_scale if pixel_scale is not None else _pixel_scale(header, {}, path),
            "psf": psf,
            "redshift": redshift if redshift is not None else header_number(header, "REDSHIFT", path),
            "zeropoint": zeropoint,
            "name": name or path.name.split(".")[0],
            "meta": {"file": path.name},
        }
    return build(path, **options)


def write_cube(image: MultiBandImage, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write an image so that `read_cube` gives back the same numbers.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        The image.
    path : path-like
        File to write; ``.gz`` compresses.
    overwrite : bool, optional
        Replace an existing file once the new one is complete. Default False.

    Notes
    -----
    Extensions: ``SCI`` (uJy, float32, with bands and WCS in the header), ``ERR``, ``MASK``, ``PSF`` where known, ``IMAGE`` and
    ``META`` (keys and JSON values). Values of ``image.meta`` that JSON does not know become text.

    Examples
    --------
    >>> import tempfile, numpy as np, astropy.units as u
    >>> from pathlib import Path
    >>> from astroclumps import MultiBandImage
    >>> image = MultiBandImage(data=np.eye(8)[None] * u.uJy, bands=["F160W"], redshift=1.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image.write(Path(folder) / "galaxy.fits")
    ...     MultiBandImage.read(Path(folder) / "galaxy.fits")
    <MultiBandImage 'image': F160W, 8 x 8 pixels of 0.06 arcsec, redshift 1.5>
    """
    from astropy.io import fits

    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; use overwrite=True to replace it")
    header = fits.Header()
    if image.wcs is not None:
        header.update(image.wcs.to_header(relax=True))
    header["BUNIT"] = ("uJy", "flux density per pixel")
    header["PIXSCALE"] = (image.pixel_scale.to_value(u.arcsec), "[arcsec] side of a pixel")
    if image.redshift is not None:
        header["REDSHIFT"] = (image.redshift, "of the galaxy")
    for i, band in enumerate(image.bands):
        header[f"BAND{i}"] = band
    info = {"name": image.name, "redshift": image.redshift, "pixel_scale": image.pixel_scale.to_value(u.arcsec)}
    if image.psf is None and image.psf_known:
        info["psf_fwhm"] = image.psf_fwhm.to_value(u.arcsec).tolist()
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(image.data, header, name="SCI")]
    if image.uncertainty is not None:
        hdus.append(fits.ImageHDU(image.uncertainty.array, name="ERR"))
        hdus[-1].header["BUNIT"] = "uJy"
    hdus.append(fits.ImageHDU(image.mask.astype(np.uint8), name="MASK"))
    if image.psf is not None:
        hdus.append(fits.ImageHDU(image.psf, name="PSF"))
    hdus += [metadata_hdu(info, "IMAGE"), metadata_hdu(image.meta)]
    hdus[0].header["FORMAT"] = (_OWN, "layout of this file")
    hdus[0].header["NEXTEND"] = (len(hdus) - 1, "number of extensions")
    write_whole(path, lambda partial: fits.HDUList(hdus).writeto(partial, overwrite=True))


def build(path, **options) -> MultiBandImage:
    """A `~astroclumps.MultiBandImage` from what a file holds; what does not fit together is an `ImageError` that names the file."""
    try:
        with np.errstate(invalid="ignore", over="ignore"):  # pixels beyond float32
            return MultiBandImage(**options)
    except ImageError:
        raise
    except (ValueError, TypeError) as exc:
        raise ImageError(f"{path}: {exc}") from exc


def warn_assumed(path, what) -> None:
    """Warn about what a reader had to assume."""
    import warnings

    from .exceptions import AstroclumpsWarning

    warnings.warn(f"{path}: {what}, because the header states none", AstroclumpsWarning, stacklevel=3)


def _joined(hdus, hdu):
    """Header of the extension with what only the primary header states."""
    header = hdu.header.copy()
    if hdu is not hdus[0]:
        for key in ("BUNIT", "PIXSCALE", "REDSHIFT", "X0", "Y0", "SOURCE", "EXPTIME"):
            if key not in header and key in hdus[0].header:
                header[key] = hdus[0].header[key]
    return header


def _planes(header, path, n, bands):
    texts = [header.get(f"BAND{i}") for i in range(n)]
    if not any(texts) and bands is not None:
        bands = list(bands)
        if len(bands) != n:
            raise ImageError(f"{path} has {n} planes and names no bands; {len(bands)} bands were given")
        return list(_bands.names(bands))
    if None in texts:
        raise ImageError(f"{path} has {n} planes but no BAND{texts.index(None)} in its header; give bands, one for each plane")
    try:
        return list(_bands.names(str(text) for text in texts))
    except ValueError as exc:
        raise ImageError(f"{path}: {exc}") from exc


def _selected(image, bands, path):
    try:
        return image.select(bands)
    except ValueError as exc:
        raise ImageError(f"{path}: {exc}") from exc


def _kept(path, filters, bands: Iterable | None):
    """Band name to plane number."""
    known = {}
    for i, text in enumerate(filters):
        try:
            name = _bands.get(text).name
        except ValueError as exc:
            if bands is None:
                raise ImageError(f"{path}: {exc}; give bands, those to keep") from exc
            continue
        if name in known:
            raise ImageError(f"{path} has the band {name} twice, in planes {known[name] + 1} and {i + 1}")
        known[name] = i
    if bands is None:
        return known
    wanted = _bands.names(bands)
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        raise ImageError(f"{path} has no band {', '.join(missing)}; its filters are {', '.join(filters)}")
    return {name: known[name] for name in wanted}


def _same_shape(hdu, path, shape):
    if not hdu.is_image or hdu.shape != shape:
        got = hdu.shape if hdu.is_image else "a table"
        raise ImageError(f"{path} has {got} in extension {hdu.name}, but {shape} in SCI")
    return pixels(hdu, path)


def _uncertainty(hdus, path, shape, unit):
    if "ERR" in hdus:
        return _same_shape(hdus["ERR"], path, shape) * unit
    if "WHT" in hdus:
        weight = _same_shape(hdus["WHT"], path, shape)
        return sigma_of(weight) * unit
    return None


def sigma_of(weight) -> np.ndarray:
    """Standard deviation from inverse variance, infinite where the weight is not positive."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        weight = np.asarray(weight, dtype=float)
    good = np.isfinite(weight) & (weight > 0)
    return 1 / np.sqrt(np.where(good, weight, 1.0)) * np.where(good, 1.0, np.inf)


def _mask(hdus, path, shape):
    return _same_shape(hdus["MASK"], path, shape) != 0 if "MASK" in hdus else None


def _pixel_scale(header, info, path):
    value = info.get("pixel_scale", header_number(header, "PIXSCALE", path))
    return None if value is None else value * u.arcsec


def _psf(hdus, path, info):
    if "PSF" in hdus:
        return pixels(hdus["PSF"], path)
    return info["psf_fwhm"] * u.arcsec if info.get("psf_fwhm") else None


def _foreign_meta(header, path):
    meta = {"file": path.name}
    for key in ("SOURCE", "X0", "Y0"):
        if key in header:
            meta[key.lower()] = header[key]
    return meta
