"""What the extensions of a file of the release say, found by name; errors name file, extension and keyword."""

from math import log10
from typing import NamedTuple

import astropy.units as u

from astroclumps import bands as _bands
from astroclumps.calibration import header_number
from astroclumps.exceptions import ImageError
from astroclumps.fits_io import listing

__all__ = ["Facts", "check_band", "facts", "find", "number", "pixel_side", "pixel_unit"]

_UNITS = {
    "mujy/sqarcsec": u.uJy / u.arcsec**2,
    "ujy/arcsec2": u.uJy / u.arcsec**2,
    "nanojanskies": u.nJy,
}
_ABZP = 0.002  # mag by which it may differ: 0.1% of the pixel's side
_SIDES = ("PIXSCALE", "PIXSIZE")
_CAMERA = ("CAMDIRX", "CAMDIRY", "CAMDIRZ", "CAMUPX", "CAMUPY", "CAMUPZ")
_ORIGIN = ("TRANSLATE_ORIGINX", "TRANSLATE_ORIGINY", "TRANSLATE_ORIGINZ")
_KPC = 0.01  # by which scales that the file states twice may differ


class Facts(NamedTuple):
    """What is not in the pixels; None or empty where the file does not say."""

    redshift: float | None
    direction: tuple | None
    """CAMDIR."""
    up: tuple | None
    """CAMUP."""
    origin: tuple | None
    """translate_origin, kpc."""
    kpc_per_arcsec: float | None
    doubt: str
    """Why kpc_per_arcsec is left out although the file states it."""


def find(hdus, path, name):
    """The image extension of a name; `ImageError` that lists the extensions where there is none.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        An open file.
    path : path-like
        File, for messages.
    name : str
        EXTNAME, in any case; ``'PRIMARY'`` for a first extension without one.

    Returns
    -------
    HDU
        With pixels in two dimensions.
    """
    for hdu in hdus:
        if hdu.name.upper() == str(name).upper() and hdu.is_image:
            if len(hdu.shape) != 2 or 0 in hdu.shape:
                raise ImageError(f"{path} has the shape {hdu.shape} in HDU {hdu.name}; two dimensions are needed")
            return hdu
    raise ImageError(f"{path} has no image HDU {name}; its HDUs are {listing(hdus)}; choose one with hdu=")


def number(hdu, key, path):
    """A finite number of a header, None if it is not there; errors name file, HDU and keyword."""
    return header_number(hdu.header, key, f"{path} (HDU {hdu.name})")


def pixel_unit(hdu, path, unit):
    """What a pixel value of 1 means: ``unit`` where it is given, else IMUNIT."""
    if unit is not None:
        return u.Quantity(1 * unit)
    text = str(hdu.header.get("IMUNIT") or "").strip()
    known = _UNITS.get(text.lower().replace(" ", ""))
    if known is None:
        what = f"has IMUNIT = {text!r}, which is not known" if text else "has no IMUNIT, the unit of its pixels"
        raise ImageError(f"{path} (HDU {hdu.name}) {what}; give unit, such as u.uJy / u.arcsec**2 or u.nJy")
    return u.Quantity(1, known)


def pixel_side(hdu, path, given):
    """Side of a pixel in arcsec: ``given``, else PIXSCALE or PIXSIZE, which must agree with ABZP where that is there."""
    if given is not None:
        return float(given.to_value(u.arcsec))
    key, side = next(((key, value) for key in _SIDES if (value := number(hdu, key, path)) is not None), (None, None))
    if side is None or side <= 0:
        what = "has no PIXSCALE or PIXSIZE, the side of a pixel" if side is None else f"has {key} = {side}, which is not positive"
        raise ImageError(f"{path} (HDU {hdu.name}) {what}; give native_scale, such as 0.03 * u.arcsec")
    zeropoint = number(hdu, "ABZP", path)
    brightness = str(hdu.header.get("IMUNIT") or "").strip().lower() in ("mujy/sqarcsec", "")
    if zeropoint is not None and brightness:
        expected = 15 + 2.5 * log10(3631) - 5 * log10(side)  # AB magnitude of a sum of 1 uJy/arcsec2
        if abs(zeropoint - expected) > _ABZP:
            implied = 10 ** ((15 + 2.5 * log10(3631) - zeropoint) / 5)
            raise ImageError(
                f"{path} (HDU {hdu.name}) has ABZP = {zeropoint}, which means pixels of {implied:.5g} arcsec, but {key} = {side:.5g}; "
                "give native_scale, the one that is right"
            )
    return side


def facts(hdus, hdu, path) -> Facts:
    """Redshift, camera and scale, wherever in the file they are; the image's own extension comes first."""
    order = [hdu, *(one for one in hdus if one is not hdu)]
    direction_up = _triples(order, _CAMERA, path)
    origin = _triples(order, _ORIGIN, path)
    redshift = _first(order, "REDSHIFT", path)
    kpc, doubt = _scale(order, path)
    return Facts(
        redshift,
        None if direction_up is None else direction_up[:3],
        None if direction_up is None else direction_up[3:],
        origin,
        kpc,
        doubt,
    )


def check_band(hdu, path, band):
    """`ImageError` where FILTER of the header is a band other than that of the file's name."""
    text = str(hdu.header.get("FILTER") or "").strip()
    try:
        stated = _bands.get(text).name
    except (ValueError, TypeError):
        return  # a spelling of the filter that says nothing to us
    if stated != band:
        raise ImageError(f"{path} (HDU {hdu.name}) has FILTER = {text!r}, but its name or bands= says {band}")


def _first(order, key, path):
    return next((value for value in (number(one, key, path) for one in order) if value is not None), None)


def _triples(order, keys, path):
    for one in order:
        there = [key for key in keys if key in one.header]
        if there and len(there) < len(keys):
            missing = ", ".join(key for key in keys if key not in there)
            raise ImageError(f"{path} (HDU {one.name}) has {', '.join(there)}, but no {missing}")
        if there:
            values = tuple(number(one, key, path) for key in keys)
            if None in values:
                raise ImageError(f"{path} (HDU {one.name}) has an empty {keys[values.index(None)]}")
            return values
    return None


def _scale(order, path):
    """kpc per arcsec from the first extension that has both sides of a pixel, and PSCALE."""
    stated = {}
    for one in order:
        arcsec = next((value for key in _SIDES if (value := number(one, key, path)) is not None), None)
        kpc = number(one, "PIXKPC", path)
        if arcsec and kpc:
            stated.setdefault(f"PIXKPC of HDU {one.name}", kpc / arcsec)
    direct = _first(order, "PSCALE", path)
    if direct:
        stated["PSCALE"] = direct
    if not stated:
        return None, ""
    values = list(stated.values())
    if max(values) / min(values) - 1 > _KPC:
        said = ", ".join(f"{value:.5g} by {key}" for key, value in stated.items())
        return None, f"{path} contradicts itself on kpc per arcsec: {said}"
    return values[0], ""
