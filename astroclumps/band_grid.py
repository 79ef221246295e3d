"""From the pixels of one band's file to uJy on the common grid: scales, units, sums over blocks.

Shared by `astroclumps.io.read_bands` and the mosaics of surveys.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import astropy.units as u
import numpy as np

from . import bands as _bands
from .calibration import AB_UJY, header_number, header_unit, header_zeropoint, ujy_factors
from .exceptions import ImageError

__all__ = [
    "GRID_TOLERANCE",
    "Calibration",
    "block_size",
    "block_sum",
    "blocks_wcs",
    "check_angle",
    "native_scale",
    "per_band",
    "ujy_of_one",
]

GRID_TOLERANCE = 0.1
"""Pixels of the result that bands may be shifted against each other."""
_SCALE_TOLERANCE = 0.01  # of the ratio of two pixel scales to a whole number


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the caller states about the files, None or a value for each band.

    Attributes
    ----------
    unit : `~astropy.units.UnitBase`, `~astropy.units.Quantity` or None
    zeropoint, native : dict of str to float, `~astropy.units.Quantity` or None
        AB zeropoints and sides of pixels by band.
    pixel_scale : `~astropy.units.Quantity` ['angle']
        Side of a pixel of the result.
    """

    unit: Any = None
    zeropoint: Mapping = field(default_factory=dict)
    native: Mapping = field(default_factory=dict)
    pixel_scale: u.Quantity


def check_angle(name: Any, value: Any) -> None:
    """TypeError where a value is no angle, ValueError where it is not one positive number."""
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.arcsec):
        raise TypeError(f"{name} must be an angle such as 0.06 * u.arcsec, got {value!r}")
    if not (value.isscalar and np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be one positive angle, got {value}")


def per_band(value: Any, names: Any, what: Any) -> dict:
    """A value or None by band, from one for all, a mapping, or a sequence in the order of the bands."""
    if value is None:
        return dict.fromkeys(names)
    if isinstance(value, Mapping):
        given = {_bands.get(band).name: one for band, one in value.items()}
        return {band: given.get(band) for band in names}
    if np.ndim(value) == 0:
        return dict.fromkeys(names, value)
    if len(value) != len(names):
        raise ValueError(f"{what} must be one value or one for each of {', '.join(names)}, got {len(value)}")
    return dict(zip(names, value, strict=True))


def native_scale(file: Any, header: Any, wcs: Any, band: Any, stated: Calibration, assumed: list) -> Any:
    """Side of a pixel of a file: as stated, by its WCS or header, else that of the result, noted in ``assumed``."""
    given = stated.native.get(band)
    if given is not None:
        if not isinstance(given, u.Quantity) or not given.unit.is_equivalent(u.arcsec):
            raise TypeError(f"native_scale must be an angle such as 0.03 * u.arcsec, got {given!r}")
        return given
    if wcs is not None:
        from astropy.wcs.utils import proj_plane_pixel_area

        return np.sqrt(proj_plane_pixel_area(wcs)) * 3600 * u.arcsec
    for key in ("PIXSCALE", "D001SCAL"):
        value = header_number(header, key, file)
        if value is not None and value > 0:
            return value * u.arcsec
    assumed.append("pixel scale")
    return stated.pixel_scale


def block_size(file: Any, native: Any, pixel_scale: Any) -> int:
    """Pixels of the file on a side of a pixel of the result; `ImageError` if that is no whole number."""
    ratio = (pixel_scale / native).to_value(u.dimensionless_unscaled)
    factor = round(ratio)
    if factor < 1 or abs(ratio / factor - 1) > _SCALE_TOLERANCE:
        raise ImageError(
            f"{file} has pixels of {native.to(u.arcsec):.4g}, which do not fit a whole number of times into {pixel_scale}; "
            "choose another pixel_scale, or resample the file first"
        )
    return factor


def ujy_of_one(file: Any, header: Any, band: Any, native: Any, stated: Calibration, assumed: list) -> float:
    """uJy per pixel for a pixel value of 1; an assumed zeropoint is noted in ``assumed``."""
    unit: Any = stated.unit if stated.unit is not None else header_unit(header, path=file, default=u.electron / u.s)
    value = u.Quantity(1 * unit)
    rate = any(value.unit.is_equivalent(one) for one in (u.electron / u.s, u.ct / u.s, u.dimensionless_unscaled))
    zeropoint = stated.zeropoint.get(band)
    if not rate:
        try:
            return value.value * ujy_factors(value.unit, [band], None, native)[0]
        except ValueError as exc:
            raise ImageError(f"{file}: {exc}") from exc
    if zeropoint is None:
        zeropoint = header_zeropoint(header, path=file)
    if zeropoint is None:
        zeropoint = _bands.get(band).zeropoint
        assumed.append("zeropoint")
    if zeropoint is None:
        raise ImageError(f"{file} states no zeropoint (ABZP, PHOTFNU, PHOTFLAM with PHOTPLAM) and no flux unit; give zeropoint or unit")
    zeropoint = float(getattr(zeropoint, "value", zeropoint))
    return value.value * 10 ** (-0.4 * (zeropoint - AB_UJY))


def block_sum(array: Any, factor: Any) -> Any:
    """Sums over blocks of ``factor`` x ``factor`` pixels."""
    if factor == 1:
        return array
    ny, nx = array.shape
    with np.errstate(invalid="ignore"):
        return array.reshape(ny // factor, factor, nx // factor, factor).sum(axis=(1, 3))


def blocks_wcs(file: Any, wcs: Any, factor: Any, where: Any) -> Any:
    """WCS after the cut-out and the rebinning: the centre of the first new pixel is that of its block."""
    wcs = wcs[where]
    if factor == 1:
        return wcs
    if wcs.sip is not None or wcs.cpdis1 is not None or wcs.cpdis2 is not None:
        raise ImageError(f"{file} has a distorted WCS and cannot be rebinned; drizzle it onto a regular grid first")
    wcs.wcs.crpix = (wcs.wcs.crpix - 0.5) / factor + 0.5
    if wcs.wcs.has_cd():
        wcs.wcs.cd = wcs.wcs.cd * factor
    if wcs.wcs.has_pc():  # of a header with both, wcslib takes this one
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "cdelt will be ignored", RuntimeWarning)
            wcs.wcs.cdelt = wcs.wcs.cdelt * factor
    wcs.wcs.set()
    ny, nx = (side.stop - side.start for side in where)
    wcs.pixel_shape = (nx // factor, ny // factor)
    return wcs
