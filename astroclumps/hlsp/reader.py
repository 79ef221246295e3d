"""`read_vela`: images of the VELA-Sunrise release, one file a band, as one image in all bands."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.band_files import short
from astroclumps.calibration import ujy_factors
from astroclumps.cube_io import build
from astroclumps.exceptions import AstroclumpsWarning, ImageError
from astroclumps.fits_io import celestial_wcs, open_fits, pixels, read_metadata
from astroclumps.image import DEFAULT_PIXEL_SCALE, MultiBandImage

from .files import band_files
from .headers import Facts, check_band, facts, find, number, pixel_side, pixel_unit
from .regrid import Grid, common_grid, onto

__all__ = ["read_vela"]

OWN = "ASTROCLUMPS"  # EXTNAME of what write_vela adds; -MASK, -ERR, -PSF and -META as well
_REDSHIFT = 1e-3  # by which bands of one image may differ
_SCALE = 1.5e-3  # by which 1/(1 + z) may differ from the scale factor in the name, which has three decimals
_WCS = 0.01  # of the pixel's side


@dataclass(frozen=True)
class _Plane:
    path: Path
    grid: Grid  # arcsec
    flux: np.ndarray  # uJy per pixel of the file
    sigma: np.ndarray | None
    mask: np.ndarray | None
    wcs: object
    facts: Facts
    fwhm: float | None
    kernel: np.ndarray | None
    own: dict
    meta: dict


def read_vela(
    path,
    *,
    bands=None,
    hdu: str = "IMAGE_PSF",
    galaxy: int | None = None,
    camera: int | None = None,
    scale_factor: float | None = None,
    version: str | None = None,
    dust: str | None = None,
    unit=None,
    native_scale=None,
    pixel_scale: u.Quantity[u.arcsec] | None = None,
    redshift: float | None = None,
    psf=None,
    name: str | None = None,
) -> MultiBandImage:
    """Read images of one galaxy from one camera, a file a band, onto one pixel grid.

    No file of the release was at hand. The layout follows the public code that writes and reads it (see the page on VELA in the
    documentation), and the tests read files that `write_vela` or the tests themselves made in that layout.

    Parameters
    ----------
    path : path-like, glob pattern, folder or sequence of paths
        A folder is searched with those below it. The names of files tell band, galaxy, camera and scale factor.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order; other filters are ignored. Default: all, blue to red.
    hdu : str, optional
        Name of the image: ``'IMAGE_PSF'`` (default), ``'IMAGE_PRISTINE'``, ``'IMAGE_PRISTINE_NONSCATTER'`` or any other EXTNAME;
        ``'PRIMARY'`` for one without.
    galaxy, camera : int, optional
        Numbers, where there are files of several. Also ``'vela07'`` and ``'cam17'``.
    scale_factor : float, optional
        As in the names, to three decimals.
    version, dust : str, optional
        ``'v3'``, ``'v3-2'``, ``'v6'``; ``'mw'``, ``'smc'``, ``'ns'``.
    unit : `~astropy.units.UnitBase` or `~astropy.units.Quantity`, optional
        What a pixel value of 1 means. Default: IMUNIT, which is ``muJy/SqArcsec`` or ``nanoJanskies`` (per pixel).
    native_scale : `~astropy.units.Quantity` ['angle'] or mapping of band to that, optional
        Side of a pixel in the files. Default: PIXSCALE, or PIXSIZE of pristine images; never TPIX, which is nominal. Where ABZP is
        stated it must agree with it to 0.1%.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Nominal side of a pixel of the result. Default: 0.06" (section 3.2.1) for IMAGE_PSF and images without a name, the pixels of the
        file for others.
    redshift, psf, name : optional
        As in `~astroclumps.MultiBandImage`. Default: REDSHIFT, else 1/a - 1 by the name, which ``meta['assumed']`` then says; APROXPSF, or
        the FWHM of the point-spread function in the HDU named after the filter; galaxy, camera and scale factor.

    Returns
    -------
    `~astroclumps.MultiBandImage`
        In uJy per pixel. ``meta`` holds ``files``, ``hdu``, ``galaxy``, ``camera``, ``scale_factor``, ``version``, ``dust``,
        ``field_shape``, and, where stated, ``pixel_kpc``, ``camera_direction``, ``camera_up`` and ``translate_origin`` (kpc) for
        `VelaView.from_image`; ``rebinned`` says what was done to which band, ``assumed`` what no header states.

    Raises
    ------
    ImageError
        If a file is damaged or not of this layout, keywords contradict each other or each other's files, or fields do not fit together;
        the message names file, HDU and keyword.

    Warns
    -----
    AstroclumpsWarning
        Where the redshift does not fit the name's scale factor, or a scale or WCS was left out because it contradicts another one.

    Notes
    -----
    Finer pixels are rebinned by summing flux: with twice as many pixels of half the side by 2 x 2. ACS images of the release may have
    an odd number of pixels (193 beside 96 in WFC3) and pixels that are not exactly half as large; then the middles of the fields are put on
    each other, and a pixel on the border of two others is shared by area. Flux is conserved, except in a rim of at most half a pixel
    where the field of the coarser bands is smaller.

    Images of the release are free of noise. IMAGE_PRISTINE has Monte-Carlo noise in each pixel: smooth it before it is taken for truth.

    Examples
    --------
    >>> import tempfile, numpy as np, astropy.units as u
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.hlsp import read_vela, write_vela
    >>> from astroclumps.mock.cameras import Camera
    >>> acs = MultiBandImage(data=np.ones((1, 16, 16)) * u.nJy, bands=["F606W"], pixel_scale=0.03 * u.arcsec, redshift=1.5)
    >>> wfc3 = MultiBandImage(data=np.ones((1, 8, 8)) * u.nJy, bands=["F160W"], pixel_scale=0.06 * u.arcsec, redshift=1.5)
    >>> camera = Camera(name="cam17", direction=(0, 0, 1), up=(0, 1, 0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for image in (acs, wfc3):
    ...         files = write_vela(image, folder, galaxy=7, camera=camera)
    ...     image = read_vela(folder, name="vela07")
    >>> image
    <MultiBandImage 'vela07': F606W, F160W, 8 x 8 pixels of 0.06 arcsec, redshift 1.5>
    >>> [float(plane[0, 0].round(4)) for plane in image.data]  # four pixels of 0.03" make one of 0.06"
    [0.004, 0.001]
    """
    _check(unit, native_scale, pixel_scale)
    files, first = band_files(path, bands=bands, galaxy=galaxy, camera=camera, scale_factor=scale_factor, version=version, dust=dust)
    native = _per_band(native_scale, files)
    planes = {band: _plane(file, band, hdu, unit, native[band]) for band, file in files.items()}
    if bands is None and len({plane.own.get("order") for plane in planes.values()}) == len(planes):  # all of one call of write_vela
        planes = dict(sorted(planes.items(), key=lambda item: item[1].own.get("order", 0)))
    grids = {plane.path: plane.grid for plane in planes.values()}
    if pixel_scale is None and "PRISTINE" in hdu.upper():
        nominal = max(grid.side for grid in grids.values())
    else:
        nominal = (DEFAULT_PIXEL_SCALE if pixel_scale is None else pixel_scale).to_value(u.arcsec)
    target = common_grid(grids, nominal)
    meta = {"files": [plane.path.name for plane in planes.values()], "hdu": hdu, "field_shape": list(target.shape)}
    if first is not None:
        meta |= {"galaxy": f"vela{first.galaxy:02d}", "camera": f"cam{first.camera:02d}", "scale_factor": first.scale_factor}
        if first.product == "sim":
            meta |= {"version": first.version, "dust": first.dust}
    meta |= _agreed(planes, target)
    assumed = []
    redshift = _redshift(planes, redshift, first, assumed)
    flux, sigma, mask, wcs = _stacked(planes, target, meta)
    if assumed:
        meta["assumed"] = assumed
    kept = next(iter(planes.values())).meta
    if kept.get("x0") or kept.get("y0"):  # the file is a cut-out: its own middle is that of the field
        meta["field_corner"] = [int(kept.get("y0", 0)), int(kept.get("x0", 0))]
    return build(
        short(path),
        data=flux * u.uJy,
        bands=list(planes),
        uncertainty=sigma,
        mask=mask,
        wcs=wcs,
        pixel_scale=target.side * u.arcsec,
        psf=psf if psf is not None else _psf(planes, target),
        redshift=redshift,
        name=name or _own_name(planes) or (first.label if first is not None else next(iter(files.values())).name.split(".fits")[0]),
        meta={key: value for key, value in kept.items() if key not in meta} | meta,
    )


def _check(unit, native_scale, pixel_scale):
    if unit is not None and not isinstance(unit, (u.UnitBase, u.Quantity)):
        raise TypeError(f"unit must be a unit such as u.uJy / u.arcsec**2, got {unit!r}")
    given = [*(native_scale.values() if isinstance(native_scale, Mapping) else [native_scale]), pixel_scale]
    for value in given:
        if value is None:
            continue
        if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.arcsec):
            raise TypeError(f"native_scale and pixel_scale must be angles such as 0.03 * u.arcsec, got {value!r}")
        if not (value.isscalar and np.isfinite(value) and value > 0):
            raise ValueError(f"native_scale and pixel_scale must be positive, got {value}")


def _per_band(value, files):
    if not isinstance(value, Mapping):
        return dict.fromkeys(files, value)
    given = {_bands.get(band).name: one for band, one in value.items()}
    return {band: given.get(band) for band in files}


def _plane(path, band, hdu_name, unit, native):
    with open_fits(path) as hdus:
        hdu = find(hdus, path, hdu_name)
        check_band(hdu, path, band)
        one = pixel_unit(hdu, path, unit)
        side = pixel_side(hdu, path, native)
        try:
            factor = one.value * ujy_factors(one.unit, [band], None, side * u.arcsec)[0]
        except ValueError as exc:
            raise ImageError(f"{path} (HDU {hdu.name}): {exc}") from exc
        own = read_metadata(hdus, OWN)
        stored = bool(own) and hdu.name == "IMAGE_PSF"  # what write_vela adds on pixels belongs to that image
        if not stored:
            own.pop("psf_fwhm", None)
        extra = {key: _extra(hdus, path, f"{OWN}-{key}", hdu.shape, stored) for key in ("ERR", "MASK")}
        kernel = pixels(hdus[f"{OWN}-PSF"], path) if stored and f"{OWN}-PSF" in hdus else None
        return _Plane(
            path=path,
            grid=Grid(tuple(hdu.shape), side),
            flux=pixels(hdu, path).astype(float) * factor,
            sigma=None if extra["ERR"] is None else extra["ERR"].astype(float) * factor,
            mask=None if extra["MASK"] is None else extra["MASK"] != 0,
            wcs=_wcs(hdu, path, side),
            facts=facts(hdus, hdu, path),
            fwhm=_fwhm(hdus, hdu, path, band) if hdu.name == "IMAGE_PSF" else None,
            kernel=kernel,
            own=own,
            meta=read_metadata(hdus, f"{OWN}-META"),
        )


def _extra(hdus, path, name, shape, stored):
    if not stored or name not in hdus:
        return None
    if hdus[name].shape != shape:
        raise ImageError(f"{path} has the shape {hdus[name].shape} in HDU {name}, but {shape} in IMAGE_PSF")
    return pixels(hdus[name], path)


def _wcs(hdu, path, side):
    wcs = celestial_wcs(hdu.header, path)
    if wcs is None:
        return None
    from astropy.wcs.utils import proj_plane_pixel_area

    stated = np.sqrt(proj_plane_pixel_area(wcs)) * 3600
    if abs(stated / side - 1) > _WCS:
        _warn(f"{path} (HDU {hdu.name}) has a WCS with pixels of {stated:.5g} arcsec, but {side:.5g} by PIXSCALE; the WCS is left out")
        return None
    return wcs


def _fwhm(hdus, hdu, path, band):
    """FWHM in arcsec: APROXPSF, else that of the point-spread function in the HDU named after the filter."""
    value = number(hdu, "APROXPSF", path)
    if value is not None:
        if value <= 0:
            raise ImageError(f"{path} (HDU {hdu.name}) has APROXPSF = {value}, which is not positive")
        return value
    if band in hdus and hdus[band].is_image and len(hdus[band].shape) == 2:
        from astroclumps.point_spread import fwhm

        scale = number(hdus[band], "PIXSCALE", path)
        return None if scale is None else fwhm(pixels(hdus[band], path)) * scale
    return None


def _agreed(planes, target):
    """Camera, origin and scale, once the files are found to agree."""
    found = {}
    keys = {"direction": "camera_direction", "up": "camera_up", "origin": "translate_origin"}
    for fact, key in keys.items():
        stated = [(plane, getattr(plane.facts, fact)) for plane in planes.values() if getattr(plane.facts, fact) is not None]
        for plane, value in stated[1:]:
            if not np.allclose(value, stated[0][1], rtol=1e-4, atol=1e-4):
                card = {"direction": "CAMDIR", "up": "CAMUP", "origin": "translate_origin"}[fact]
                raise ImageError(f"{stated[0][0].path} has {card} {stated[0][1]}, but {plane.path} has {value}: they are not one image")
        if stated:
            found[key] = list(stated[0][1])
    for plane in planes.values():
        if plane.facts.doubt:
            _warn(f"{plane.facts.doubt}; pixel_kpc is left out")
    scales = [plane.facts.kpc_per_arcsec for plane in planes.values()]
    if all(scale is not None for scale in scales):
        if max(scales) / min(scales) - 1 > 0.01:
            _warn(f"the files state from {min(scales):.5g} to {max(scales):.5g} kpc per arcsec; pixel_kpc is left out")
        else:
            found["pixel_kpc"] = scales[0] * target.side
    return found


def _redshift(planes, given, first, assumed):
    if given is not None:
        return given
    stated = [(plane.path, plane.facts.redshift) for plane in planes.values() if plane.facts.redshift is not None]
    for path, value in stated[1:]:
        if abs(value - stated[0][1]) > _REDSHIFT:
            raise ImageError(f"{stated[0][0]} has REDSHIFT = {stated[0][1]}, but {path} has {value}: they are not one image")
    own = next(iter(planes.values())).own
    if not stated:
        if first is None or own.get("redshift", 0) is None:
            return None
        value = 1 / first.scale_factor - 1
        assumed.append(f"redshift {value:.4f}, from the scale factor {first.scale_factor:.3f} in the name; no header states one")
        return value
    path, value = stated[0]
    if first is not None and abs(1 / (1 + value) - first.scale_factor) > _SCALE:
        _warn(f"{path} has REDSHIFT = {value}, a scale factor of {1 / (1 + value):.4f}, but its name says {first.scale_factor:.3f}")
    return own.get("redshift", value)


def _stacked(planes, target, meta):
    """Flux, standard deviation, mask and WCS on the common grid."""
    flux, sigma, mask, notes, wcs = [], [], [], [], None
    for band, plane in planes.items():
        same = plane.grid.shape == target.shape
        how = None if same else onto(plane.grid, target)
        flux.append(plane.flux if same else how.flux(plane.flux))
        empty = np.zeros(plane.grid.shape, dtype=bool)
        flags = empty if plane.mask is None else plane.mask
        mask.append(flags if same else how.touched(flags))
        if plane.sigma is not None:
            sigma.append(plane.sigma if same else np.sqrt(how.variance(plane.sigma**2)))
        if not same:
            fine = f"{plane.grid.shape[1]} x {plane.grid.shape[0]} pixels of {plane.grid.side:.5g} arcsec"
            kind = "summed" if how.whole else "summed, with pixels on borders shared by area,"
            notes.append(f"{band}: {fine} {kind} into {target.shape[1]} x {target.shape[0]} of {target.side:.5g} arcsec")
        if wcs is None and plane.wcs is not None:
            wcs = _moved(plane.wcs, plane.grid, target)
    if sigma and len(sigma) < len(flux):
        raise ImageError("some files hold uncertainties and others none: " + ", ".join(str(plane.path) for plane in planes.values()))
    if notes:
        meta["rebinned"] = notes
    return np.stack(flux), np.stack(sigma) * u.uJy if sigma else None, np.stack(mask) if np.any(mask) else None, wcs


def _moved(wcs, grid, target):
    """WCS of the coarser pixels around the same middle."""
    if grid.shape == target.shape:
        return wcs
    if wcs.sip is not None or wcs.cpdis1 is not None or wcs.cpdis2 is not None:
        raise ImageError("a distorted WCS cannot be rebinned")
    wcs = wcs.deepcopy()
    factor = target.side / grid.side
    middles = [(np.array(one.shape[::-1]) + 1) / 2 for one in (grid, target)]
    wcs.wcs.crpix = (wcs.wcs.crpix - middles[0]) / factor + middles[1]
    if wcs.wcs.has_cd():
        wcs.wcs.cd = wcs.wcs.cd * factor
    else:
        wcs.wcs.cdelt = wcs.wcs.cdelt * factor
    wcs.wcs.set()
    wcs.pixel_shape = target.shape[::-1]
    return wcs


def _psf(planes, target):
    kernels = [plane.kernel for plane in planes.values()]
    same = all(plane.grid.shape == target.shape for plane in planes.values())
    if same and all(kernel is not None for kernel in kernels) and len({kernel.shape for kernel in kernels}) == 1:
        return np.stack(kernels)
    widths = [plane.own.get("psf_fwhm", plane.fwhm) for plane in planes.values()]
    return None if None in widths else widths * u.arcsec


def _own_name(planes):
    names = {plane.own.get("name") for plane in planes.values()}
    return names.pop() if len(names) == 1 else None


def _warn(text):
    warnings.warn(text, AstroclumpsWarning, stacklevel=4)
