"""One FITS file a band, with weights, brought onto one pixel grid.

`astroclumps.io.read_bands` is what users call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from . import band_grid
from .band_files import image_files, short, weight_files
from .band_grid import GRID_TOLERANCE, Calibration, block_size, block_sum, blocks_wcs, per_band, ujy_of_one
from .calibration import header_number
from .cube_io import build, sigma_of, warn_assumed
from .exceptions import ImageError
from .fits_io import celestial_wcs, image_hdu, open_fits, pixels
from .image import DEFAULT_PIXEL_SCALE, MultiBandImage, box

if TYPE_CHECKING:
    from astroclumps.bands import Band

__all__ = ["read_bands"]


@dataclass(frozen=True)
class _Plane:
    path: Path
    flux: np.ndarray  # uJy per pixel of the common grid
    sigma: np.ndarray | None
    wcs: object
    redshift: float | None
    assumed: tuple = ()


def read_bands(
    path: Any,
    *,
    weights: Any = None,
    bands: "Sequence[str | Band] | None" = None,
    unit: Any = None,
    zeropoint: Any = None,
    native_scale: Any = None,
    pixel_scale: u.Quantity[u.arcsec] = DEFAULT_PIXEL_SCALE,
    x: float | None = None,
    y: float | None = None,
    size: Any = None,
    redshift: float | None = None,
    psf: Any = None,
    name: str | None = None,
) -> MultiBandImage:
    """Read one FITS file a band, rebin finer pixels by summing flux, and stack them.

    Parameters
    ----------
    path : mapping, sequence, folder, glob pattern or path-like
        A mapping of band to file; files; a folder; a pattern such as ``'goods_*_sci.fits.gz'``; or one file. Where it is not stated,
        the band comes from ``FILTER``, ``FILTER1`` or ``FILTER2`` of the header, else from the file's name. Files of a
        folder or pattern are ordered by wavelength. The image is the extension ``SCI``, else the first one.
    weights : mapping, sequence or False, optional
        Files of inverse variance, by band or in the order of ``path``; False for none. Default: the extension ``WHT`` of the same
        file, else the file named ``wht`` where the image is named ``sci``, ``drz`` or ``drc``. A weight of 0 masks the pixel.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order; files of other filters are then ignored. Default: all.
    unit : `~astropy.units.UnitBase` or `~astropy.units.Quantity`, optional
        What a pixel value of 1 means. Default: ``BUNIT`` of each file, else electron/s.
    zeropoint : float, sequence or mapping, optional
        AB zeropoints of count rates; a sequence in the order of the bands. Default: ABZP, ZPAB or ZEROPT, else PHOTFNU, else PHOTFLAM
        and PHOTPLAM of the header, else the band's own with a warning.
    native_scale : `~astropy.units.Quantity` ['angle'] or mapping of band to that, optional
        Side of a pixel in the files. Default: WCS, else ``PIXSCALE`` or ``D001SCAL`` of the header, else ``pixel_scale`` with a warning.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Side of a pixel of the result. Default 0.06": ACS at 0.03" is rebinned 2x2 by summing flux (section 3.2.1; METHODS 2).
    x, y, size : optional
        Cut-out on the grid of the result, as in `MultiBandImage.cutout`; only that part is loaded from uncompressed files.
    redshift, psf, name : optional
        As in `~astroclumps.MultiBandImage`; a ``psf`` array is on the grid of the result.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Raises
    ------
    ImageError
        If a file is damaged, bands cannot be told, or grids do not fit together; the message names files and shapes.

    Warns
    -----
    AstroclumpsWarning
        Where a zeropoint or a pixel scale had to be assumed.

    Notes
    -----
    Variances add where pixels are rebinned; a rebinned pixel is masked if one of its parts is. ``1/sqrt(weight)`` says too little for
    drizzled images, whose pixels are correlated: it is kept as it is, and the photometry measures errors in empty apertures.
    The grids must coincide within 0.1 pixel by their WCS; nothing is resampled.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from astropy.io import fits
    >>> from astroclumps import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for band, side, scale in (("F606W", 16, 0.03), ("F160W", 8, 0.06)):
    ...         header = fits.Header({"FILTER": band, "BUNIT": "nJy", "PIXSCALE": scale})
    ...         fits.writeto(Path(folder) / f"{band}.fits", np.ones((side, side)), header)
    ...     image = io.read_bands(folder)
    >>> image
    <MultiBandImage 'image': F606W, F160W, 8 x 8 pixels of 0.06 arcsec, redshift unknown>
    >>> [float(plane[0, 0].round(4)) for plane in image.data]  # four pixels of 0.03" make one of 0.06"
    [0.004, 0.001]
    """
    _check_arguments(pixel_scale, x, y, size)
    files = image_files(path, bands=bands)
    names = list(files)
    weight_of = weight_files(weights, files)
    stated = Calibration(
        unit=unit,
        zeropoint=per_band(zeropoint, names, "zeropoint"),
        native=per_band(native_scale, names, "native_scale"),
        pixel_scale=pixel_scale,
    )
    part = None if x is None else box(x, y, size)
    planes = [_plane(files[band], weight_of[band], band, stated, part) for band in names]
    shapes = {plane.flux.shape for plane in planes}
    if len(shapes) > 1:
        listing = ", ".join(f"{plane.path} {plane.flux.shape}" for plane in planes)
        raise ImageError(f"the bands do not have one shape on pixels of {pixel_scale}: {listing}")
    wcs = _common_wcs(planes)
    for what in ("zeropoint", "pixel scale"):
        assumed = [band for band, plane in zip(names, planes, strict=True) if what in plane.assumed]
        if assumed:
            value = "the bands' own" if what == "zeropoint" else str(pixel_scale)
            warn_assumed(short(path), f"the {what} of {', '.join(assumed)} is taken to be {value}")
    sigma = None
    if any(plane.sigma is not None for plane in planes):
        blank = next(plane.sigma for plane in planes if plane.sigma is not None)
        missing = [str(plane.path) for plane in planes if plane.sigma is None]
        if missing:
            raise ImageError(f"no weights for {', '.join(missing)}, but for other bands ({blank.shape}); give weights, or weights=False")
        sigma = np.stack([plane.sigma for plane in planes]) * u.uJy
    meta = {"files": [plane.path.name for plane in planes]}
    if part is not None:
        meta |= {"x0": part[1], "y0": part[0]}
    return build(
        short(path),
        data=np.stack([plane.flux for plane in planes]) * u.uJy,
        bands=names,
        uncertainty=sigma,
        wcs=wcs,
        pixel_scale=None if wcs is not None else pixel_scale,
        psf=psf,
        redshift=redshift if redshift is not None else next((p.redshift for p in planes if p.redshift is not None), None),
        name=name or "image",
        meta=meta,
    )


def _check_arguments(pixel_scale, x, y, size):
    if not isinstance(pixel_scale, u.Quantity) or not pixel_scale.unit.is_equivalent(u.arcsec):
        raise TypeError(f"pixel_scale must be an angle such as 0.06 * u.arcsec, got {pixel_scale!r}")
    given = [what is not None for what in (x, y, size)]
    if any(given) and not all(given):
        raise ValueError(f"a cut-out needs x, y and size, got x={x}, y={y}, size={size}")


def _plane(file, weight_file, band, stated, part):
    with open_fits(file) as hdus:
        hdu = image_hdu(hdus, file, ndim=2)
        header = hdu.header.copy()
        if hdu is not hdus[0]:
            header.extend(hdus[0].header, unique=True, strip=True)
        assumed = []
        wcs = celestial_wcs(header, file)
        native = band_grid.native_scale(file, header, wcs, band, stated, assumed)
        factor = block_size(file, native, stated.pixel_scale)
        where = _slices(file, hdu.shape, factor, part, stated.pixel_scale)
        scale = ujy_of_one(file, header, band, native, stated, assumed)
        flux = block_sum(pixels(hdu, file, where).astype(float), factor) * scale
        weight = None
        if weight_file is None and "WHT" in hdus:
            weight = _weight(hdus["WHT"], file, file, hdu.shape, where)
        redshift = header_number(header, "REDSHIFT", file)
    if weight_file:
        with open_fits(weight_file) as hdus:
            weight = _weight(image_hdu(hdus, weight_file, ndim=2, names=("WHT", "SCI")), weight_file, file, hdu.shape, where)
    sigma = None
    if weight is not None:
        sigma = sigma_of(weight)
        sigma = (sigma if factor == 1 else np.sqrt(block_sum(sigma**2, factor))) * scale
    if wcs is not None:
        wcs = blocks_wcs(file, wcs, factor, where)
    return _Plane(file, flux, sigma, wcs, redshift, tuple(assumed))


def _weight(hdu, file, science, shape, where):
    if not hdu.is_image or hdu.shape != shape:
        raise ImageError(f"weights {file} have the shape {hdu.shape if hdu.is_image else 'of a table'}, the image {science} has {shape}")
    return pixels(hdu, file, where)


def _slices(file, shape, factor, part, pixel_scale):
    if part is None:
        if any(side % factor for side in shape):
            raise ImageError(
                f"{file} has the shape {shape}, which cannot be rebinned {factor} x {factor} without a rest; give x, y and size"
            )
        return (slice(0, shape[0]), slice(0, shape[1]))
    y0, x0, ny, nx = part
    height, width = shape[0] // factor, shape[1] // factor
    if x0 < 0 or y0 < 0 or x0 + nx > width or y0 + ny > height:
        raise ImageError(
            f"the cut-out x = {x0} to {x0 + nx - 1}, y = {y0} to {y0 + ny - 1} does not lie inside {file}, which has {width} x {height} "
            f"pixels of {pixel_scale}"
        )
    return (slice(y0 * factor, (y0 + ny) * factor), slice(x0 * factor, (x0 + nx) * factor))


def _common_wcs(planes):
    """The first WCS, once all are found to agree."""
    known = [plane for plane in planes if plane.wcs is not None]
    if not known:
        return None
    first = known[0]
    ny, nx = first.flux.shape
    x, y = np.array([0, nx - 1, 0, nx - 1, (nx - 1) / 2]), np.array([0, 0, ny - 1, ny - 1, (ny - 1) / 2])
    for plane in known[1:]:
        try:
            there = first.wcs.world_to_pixel(plane.wcs.pixel_to_world(x, y))
        except (ValueError, TypeError) as exc:
            raise ImageError(f"{plane.path} and {first.path} have WCS that cannot be compared: {' '.join(str(exc).split())}") from exc
        offset = np.hypot(there[0] - x, there[1] - y).max()
        if not offset <= GRID_TOLERANCE:
            dx, dy = there[0][-1] - x[-1], there[1][-1] - y[-1]
            raise ImageError(
                f"{plane.path} and {first.path} are not on a common grid: they are shifted by ({dx:.2f}, {dy:.2f}) pixels and differ by "
                f"up to {offset:.2f}; reproject one onto the other first"
            )
    return first.wcs
