"""Magnifications of the rows of a table, from a number, a column, an array or a map."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from ..exceptions import CatalogError, ImageError

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.wcs import WCS

__all__ = ["magnifications", "read_map"]


def magnifications(table: "QTable", given: Any, *, wcs: "WCS | None" = None, name: str = "magnification") -> np.ndarray:
    """Magnification, or its error, for each row.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Clumps or galaxies.
    given : float, str, ndarray or path-like
        As in `~astroclumps.population.lensing.demagnify`.
    wcs : `~astropy.wcs.WCS`, optional
        Of a map that is given as an array.
    name : {'magnification', 'error'}, default 'magnification'
        An error may be zero.

    Returns
    -------
    ndarray of float, shape (n,)

    Raises
    ------
    ValueError
        Values that are not positive and finite, or an array of the wrong shape.
    CatalogError
        No such column or file, or no positions to look up a map at.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.population.magnification import magnifications
    >>> clumps = QTable({"x": [0.0, 0.5] * u.pix, "y": [1.0, 1.0] * u.pix})
    >>> magnifications(clumps, np.array([[1.0, 1.0], [2.0, 4.0]]))
    array([2., 3.])
    """
    if isinstance(given, str | Path):
        if isinstance(given, str) and given in table.colnames:
            given = _column(table[given])
        elif not Path(given).is_file():
            raise CatalogError(f"{name} {str(given)!r} is neither a column nor a file; the table has {', '.join(table.colnames)}")
        else:
            given, wcs = read_map(given)
    if getattr(given, "unit", None) not in (None, u.dimensionless_unscaled):
        raise ValueError(f"{name} must have no unit, got {given.unit}")
    values = np.asarray(getattr(given, "value", given), dtype=float)
    if values.ndim == 2:
        values = _look_up(values, *_places(table, wcs, values.shape))
    elif values.shape not in ((), (len(table),)):
        raise ValueError(f"{name} must be one number, one for each of the {len(table)} rows, or a map; got the shape {values.shape}")
    values = np.array(np.broadcast_to(values, len(table)))
    good = np.isfinite(values) & (values >= 0 if name == "error" else values > 0)
    if not good.all():
        rows = ", ".join(f"{i} ({values[i]:g})" for i in np.flatnonzero(~good)[:5])
        rule = "zero or positive" if name == "error" else "positive"
        text = f"{name} must be {rule} and finite; it is not in {(~good).sum()} of {len(good)} rows, such as {rows}"
        raise ValueError(f"{text}. Take absolute values of maps with parity; cut rows that a map does not cover")
    return values


def read_map(path: str | os.PathLike) -> Any:
    """Read the first image of a FITS file that is a map.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    (ndarray of shape (ny, nx), `~astropy.wcs.WCS` or None)

    Raises
    ------
    ImageError
        The file cannot be read or has no image of two axes.
    """
    from ..fits_io import celestial_wcs, listing, open_fits, pixels

    with open_fits(path) as hdus:
        for hdu in hdus:
            if hdu.is_image and len(hdu.shape) == 2:
                return pixels(hdu, path).astype(float), celestial_wcs(hdu.header, path)
        raise ImageError(f"{path} holds no map, an image of two axes; it has {listing(hdus)}")


def _column(column):
    """Values of a column, masked cells as NaN, with its unit."""
    values = np.asarray(np.ma.getdata(getattr(column, "unmasked", column)), dtype=float)
    values = np.where(np.broadcast_to(getattr(column, "mask", False), values.shape), np.nan, values)
    unit = getattr(column, "unit", None)
    return values if unit is None else values * unit


def _places(table, wcs, shape):
    """Pixels (x, y) of the rows in the map."""
    if wcs is None:
        if not {"x", "y"} <= set(table.colnames):
            raise CatalogError("a map on the pixels of the image needs columns 'x' and 'y'; give one with WCS, or a value for each row")
        return tuple(np.asarray(getattr(table[axis], "value", table[axis]), dtype=float) for axis in "xy")
    if "sky" in table.colnames:
        return tuple(np.asarray(axis, dtype=float) for axis in wcs.world_to_pixel(table["sky"]))
    if {"ra", "dec"} <= set(table.colnames):
        from astropy.coordinates import SkyCoord

        return tuple(np.asarray(axis, dtype=float) for axis in wcs.world_to_pixel(SkyCoord(table["ra"], table["dec"], unit="deg")))
    raise CatalogError(f"a map with WCS needs a column 'sky', or 'ra' and 'dec'; the table has {', '.join(table.colnames)}. Map: {shape}")


def _look_up(values, x, y):
    """Bilinear interpolation; NaN outside the map, half a pixel beyond the outer centres included."""
    ny, nx = values.shape
    inside = (x >= -0.5) & (x <= nx - 0.5) & (y >= -0.5) & (y <= ny - 0.5)
    x, y = np.clip(np.where(inside, x, 0.0), 0, nx - 1), np.clip(np.where(inside, y, 0.0), 0, ny - 1)
    left, low = np.minimum(x.astype(int), max(nx - 2, 0)), np.minimum(y.astype(int), max(ny - 2, 0))
    right, high, u, v = np.minimum(left + 1, nx - 1), np.minimum(low + 1, ny - 1), x - left, y - low
    corners = ((low, left, (1 - u) * (1 - v)), (low, right, u * (1 - v)), (high, left, (1 - u) * v), (high, right, u * v))
    # a pixel of weight 0 does not count, be it NaN
    result = sum(np.where(weight > 0, weight * values[row, column], 0.0) for row, column, weight in corners)
    return np.where(inside, result, np.nan)
