"""Checks of arguments at the door: quantities become bare numbers, or an error says what was meant."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["bare", "number", "one_number", "quantity"]


def quantity(name: str, value: u.Quantity, unit: Any, example: str, *, positive: bool = False) -> np.ndarray:
    """Bare numbers in a unit.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : `~astropy.units.Quantity`
        What was given.
    unit : `~astropy.units.Unit`
        Unit of the result.
    example : str
        What would have been right, such as ``"1e8 * u.Msun"``.
    positive : bool, default False
        Refuse zero too.

    Returns
    -------
    ndarray of float
        Finite and not negative.

    Raises
    ------
    TypeError
        No quantity, or one of another dimension.
    ValueError
        A value is negative or not finite.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.arguments import quantity
    >>> float(quantity("radius", 200 * u.pc, u.kpc, "200 * u.pc"))
    0.2
    """
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(f"{name} must be a Quantity such as {example}, got {value!r}")
    return number(name, value.to_value(unit), positive=positive)


def number(name: str, value: "ArrayLike", *, positive: bool = False) -> np.ndarray:
    """An array of finite numbers that are not negative.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : float or array_like
        What was given.
    positive : bool, default False
        Refuse zero too.

    Returns
    -------
    ndarray of float

    Raises
    ------
    ValueError
        A value is negative or not finite.

    Examples
    --------
    >>> from astroclumps.arguments import number
    >>> float(number("efficiency", 0.1))
    0.1
    """
    value = np.asarray(value, dtype=float)
    if not (np.isfinite(value) & (value > 0 if positive else value >= 0)).all():
        raise ValueError(f"{name} must be {'positive' if positive else 'zero or positive'} and finite, got {value}")
    return value


def one_number(name: str, value: float, allowed: str, accept: Callable = np.isfinite) -> float:
    """A single number of the plain kind.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : float
        What was given.
    allowed : str
        What would have been right, such as ``"a positive number"``.
    accept : callable, default numpy.isfinite
        Says of a float, which may be NaN, whether it is allowed.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        Something else than one number; text, True and False are none.
    ValueError
        A number that is not accepted.

    Examples
    --------
    >>> from astroclumps.arguments import one_number
    >>> one_number("overdensity", 10, "a positive number", lambda value: value > 0)
    10.0
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    if not accept(float(value)):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return float(value)


def bare(column: Any, unit: Any = None) -> np.ndarray:
    """A column's numbers without unit; NaN where it is masked.

    Parameters
    ----------
    column : `~astropy.units.Quantity`, `~astropy.table.Column`, masked or not, or array_like
        Numbers.
    unit : `~astropy.units.Unit`, optional
        To convert to; for quantities only. Default: the numbers as they are.

    Returns
    -------
    ndarray of float

    Examples
    --------
    >>> from astropy.table import MaskedColumn
    >>> from astroclumps.arguments import bare
    >>> bare(MaskedColumn([1, 2], mask=[False, True]))
    array([ 1., nan])
    """
    mask = np.asarray(getattr(column, "mask", False))
    plain = getattr(column, "unmasked", column)
    plain = plain if unit is None else plain.to_value(unit)
    values = np.array(
        getattr(plain, "data", plain) if isinstance(plain, np.ma.MaskedArray) else getattr(plain, "value", plain), dtype=float
    )
    values[np.broadcast_to(mask, values.shape)] = np.nan
    return values
