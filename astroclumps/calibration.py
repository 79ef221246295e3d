"""From what a pixel holds to uJy: units, AB zeropoints, and what FITS headers say about both."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.nddata import NDUncertainty, StdDevUncertainty

from . import bands as _bands
from .exceptions import ImageError

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["AB_UJY", "header_number", "header_unit", "header_zeropoint", "sigma", "ujy_factors", "zeropoints"]

_COUNT_RATES = (u.electron / u.s, u.ct / u.s, u.adu / u.s, u.dimensionless_unscaled)
AB_UJY = 23.9
"""AB magnitude of 1 uJy."""
_RATE_NAMES = {
    f"{what}{per}"
    for what in ("electrons", "electron", "e-", "e", "elec", "counts", "count", "ct", "dn", "adu", "data number")
    for per in ("/s", "/sec", "/second", " s-1", ".s-1", " s**-1", " s^-1", " /s", " / s")
} | {"cps"}
_TOTAL_NAMES = {"electrons", "electron", "e-", "e", "counts", "count", "ct", "dn", "adu"}
_FLUX_NAMES = {"ujy": u.uJy, "njy": u.nJy, "jy": u.Jy, "microjy": u.uJy, "microjansky": u.uJy, "nanojansky": u.nJy, "jansky": u.Jy}
_ZEROPOINT_KEYS = ("ABZP", "ZPAB", "ZEROPT", "ABMAGZP", "ZPT_AB", "MAGZERO", "MAGZPT", "ZP")


def ujy_factors(unit: Any, bands: Sequence[str], zeropoint: Any, pixel_scale: u.Quantity | None) -> np.ndarray:
    """Factors that turn pixel values into uJy per pixel.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        A flux density, a surface brightness, a count rate, or dimensionless with ``zeropoint``.
    bands : sequence of str
        Names of the bands.
    zeropoint : float, sequence or mapping, or None
        AB magnitude of one unit, for count rates only; None for the bands' own.
    pixel_scale : `~astropy.units.Quantity` ['angle'] or None
        Side of a pixel, needed for a surface brightness.

    Returns
    -------
    float array, shape (band,)

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.calibration import ujy_factors
    >>> float(ujy_factors(u.electron / u.s, ["F160W"], 23.9, None)[0])
    1.0
    """
    if any(unit == rate for rate in _COUNT_RATES):
        if zeropoint is None and unit == u.dimensionless_unscaled:
            raise ValueError("data without a unit needs zeropoint, the AB magnitude of 1; or give data in uJy or electron / s")
        return 10 ** (-0.4 * (zeropoints(zeropoint, bands) - AB_UJY))
    if zeropoint is not None:
        raise ValueError(f"zeropoint applies to count rates such as electron / s, but data is in {unit}; leave zeropoint out")
    linear = isinstance(unit, u.UnitBase)  # magnitudes are equivalent to flux densities, but not by a factor
    if linear and unit.is_equivalent(u.uJy):
        return np.full(len(bands), unit.to(u.uJy))
    if linear and unit.is_equivalent(u.uJy / u.sr):
        if pixel_scale is None:
            raise ValueError(f"data in {unit} needs pixel_scale or wcs to become flux per pixel")
        return np.full(len(bands), (1 * unit * pixel_scale**2).to_value(u.uJy))
    raise ValueError(
        f"data has the unit {unit}; it must be a flux density per pixel (such as uJy), a surface brightness (such as MJy/sr), "
        "or electron / s or ct / s with AB zeropoints"
    )


def zeropoints(zeropoint: Any, bands: Any) -> np.ndarray:
    """AB zeropoints of bands as an array, from a number, a sequence, a mapping by band, or None for the bands' own."""
    if zeropoint is None:
        own = {band: _bands.get(band).zeropoint for band in bands}
        missing = [band for band, value in own.items() if value is None]
        if missing:
            raise ValueError(f"no default zeropoint for {', '.join(missing)}; give zeropoint, the AB magnitude of 1 unit, or data in uJy")
        return np.array(list(own.values()))
    if isinstance(zeropoint, Mapping):
        given = {_bands.get(band).name: value for band, value in zeropoint.items()}
        missing = [band for band in bands if band not in given]
        if missing:
            raise ValueError(f"zeropoint lacks the bands {', '.join(missing)}; it has {', '.join(given)}")
        zeropoint = [given[band] for band in bands]
    if isinstance(zeropoint, u.Quantity):
        zeropoint = zeropoint.value
    values = np.atleast_1d(np.array([getattr(value, "value", value) for value in np.atleast_1d(zeropoint)], dtype=float))
    if values.shape != (len(bands),):
        raise ValueError(f"zeropoint must give one AB magnitude for each of the {len(bands)} bands {', '.join(bands)}, got {values.size}")
    if not np.isfinite(values).all():
        raise ValueError(f"zeropoint must be finite, got {values}")
    return values


def sigma(uncertainty: Any, data: u.Quantity, factor: np.ndarray) -> np.ndarray:
    """Standard deviations in uJy per pixel.

    Parameters
    ----------
    uncertainty : `~astropy.nddata.NDUncertainty` or `~astropy.units.Quantity`, shape (band, y, x)
        Of any kind that turns into a standard deviation; without a unit it has that of ``data``.
    data : `~astropy.units.Quantity`, shape (band, y, x)
        The pixels.
    factor : float array, shape (band,)
        What `ujy_factors` gave for the unit of ``data``.

    Returns
    -------
    float array, shape (band, y, x)
    """
    if isinstance(uncertainty, NDUncertainty):
        uncertainty = uncertainty.represent_as(StdDevUncertainty)
        uncertainty = u.Quantity(uncertainty.array, data.unit if uncertainty.unit is None else uncertainty.unit)
    if not isinstance(uncertainty, u.Quantity):
        raise TypeError(f"uncertainty must be a Quantity such as array * u.uJy, or an NDUncertainty, got {type(uncertainty).__name__}")
    if uncertainty.shape != data.shape:
        raise ValueError(f"uncertainty has the shape {uncertainty.shape}; data has {data.shape}")
    if uncertainty.unit == data.unit:
        return uncertainty.value.astype(float) * factor[:, None, None]
    if isinstance(uncertainty.unit, u.UnitBase) and uncertainty.unit.is_equivalent(u.uJy):
        return uncertainty.to_value(u.uJy)
    raise ValueError(f"uncertainty has the unit {uncertainty.unit}; it must be that of data, {data.unit}, or a flux density such as uJy")


def header_unit(header: "fits.Header", *, path: str | os.PathLike, default: Any = None) -> "u.Quantity | None":
    """What a pixel value of 1 means by ``BUNIT``.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Header of the image.
    path : path-like
        File, for messages.
    default : `~astropy.units.UnitBase`, optional
        Taken where there is no ``BUNIT``. Default None.

    Returns
    -------
    `~astropy.units.Quantity` or None
        A flux density or surface brightness, or a count rate as electron / s: totals (``'ELECTRONS'``) are divided by ``EXPTIME``.

    Examples
    --------
    >>> from astropy.io.fits import Header
    >>> from astroclumps.calibration import header_unit
    >>> print(header_unit(Header({"BUNIT": "ELECTRONS", "EXPTIME": 100.0}), path="a.fits"))
    0.01 electron / s
    """
    text = " ".join(str(header.get("BUNIT") or "").split())
    if not text:
        return None if default is None else u.Quantity(1, default)
    name = text.lower()
    if name in _RATE_NAMES:
        return 1 * u.electron / u.s
    if name in _TOTAL_NAMES:
        exposure = header_number(header, "EXPTIME", path)
        if exposure is None or exposure <= 0:
            raise ImageError(f"{path} has BUNIT {text!r}, a total, but no positive EXPTIME; give unit=u.electron / u.s or what it is")
        return u.electron / u.s / exposure
    if name in _FLUX_NAMES:
        return 1 * _FLUX_NAMES[name]
    try:
        scaled = u.Quantity(1, u.Unit(text))
    except (ValueError, TypeError):
        scaled = None
    if scaled is None or not any(scaled.unit.is_equivalent(known) for known in (u.uJy, u.uJy / u.sr)):
        raise ImageError(
            f"{path} has BUNIT {text!r}, which is neither a flux density, a surface brightness nor a count rate; "
            "give unit=u.uJy or what it is"
        )
    return scaled


def header_zeropoint(header: "fits.Header", *, path: str | os.PathLike) -> "float | None":
    """AB magnitude of a count rate of 1, from a header.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Header of the image.
    path : path-like
        File, for messages.

    Returns
    -------
    float or None
        From ABZP, ZPAB, ZEROPT or the like; else PHOTFNU (Jy s / electron); else PHOTFLAM and PHOTPLAM; else None.

    Examples
    --------
    >>> from astropy.io.fits import Header
    >>> from astroclumps.calibration import header_zeropoint
    >>> round(header_zeropoint(Header({"PHOTFLAM": 1.9275602e-20, "PHOTPLAM": 15369.176}), path="a.fits"), 3)
    25.946
    """
    for key in _ZEROPOINT_KEYS:
        value = header_number(header, key, path)
        if value is not None:
            return value
    per_fnu = header_number(header, "PHOTFNU", path)
    if per_fnu:
        return _magnitude(per_fnu * u.Jy, path, "PHOTFNU")
    flam, pivot = header_number(header, "PHOTFLAM", path), header_number(header, "PHOTPLAM", path)
    if flam and pivot:
        flux = (flam * u.erg / u.s / u.cm**2 / u.AA).to(u.Jy, u.spectral_density(pivot * u.AA))
        return _magnitude(flux, path, "PHOTFLAM")
    return None


def header_number(header: Any, key: Any, path: str | os.PathLike) -> Any:
    """A finite number from a header, also where it is written as text; None if the key is not there."""
    value = header.get(key)
    if value is None or not str(value).strip():
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise ImageError(f"{path} has {key} = {value!r}, which is not a number") from None
    if not np.isfinite(value):
        raise ImageError(f"{path} has {key} = {value}, which is not finite")
    return value


def _magnitude(flux, path, key):
    if not flux > 0:
        raise ImageError(f"{path} has a {key} that is not positive")
    return float(flux.to_value(u.ABmag))
