"""Completeness as a function of a clump's mass, from a table or a callable."""

from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np

__all__ = ["completeness_function"]


def completeness_function(completeness: Any) -> Callable:
    """A function of mass in Msun that gives the share of clumps that is found.

    Parameters
    ----------
    completeness : None, callable or `~astropy.table.QTable`
        None: 1 everywhere. A callable takes a Quantity of masses and returns numbers in 0 to 1. A table has the columns ``mass`` (a
        Quantity, increasing) and ``completeness``; between its rows the share is linear in log mass, beyond them it stays that of the
        nearest row.

    Returns
    -------
    callable
        Of an ndarray of masses in Msun; checks that what comes out lies in 0 to 1.

    Raises
    ------
    TypeError
        Neither a callable nor a table with these columns.
    ValueError
        Masses do not increase, or a share lies outside 0 to 1.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.population.completeness import completeness_function
    >>> table = QTable({"mass": [1e7, 1e8] * u.Msun, "completeness": [0.2, 0.9]})
    >>> share = completeness_function(table)
    >>> share(np.array([1e6, 10**7.5, 1e9]))
    array([0.2 , 0.55, 0.9 ])
    """
    if completeness is None:
        return np.ones_like
    if callable(completeness):
        return _checked(lambda mass: completeness(mass * u.Msun))
    names = getattr(completeness, "colnames", ())
    if "mass" not in names or "completeness" not in names:
        raise TypeError(
            "completeness must be a function of mass or a table with the columns mass and completeness, "
            f"got {'a table with ' + ', '.join(names) if names else repr(completeness)}"
        )
    mass = completeness["mass"]
    if not isinstance(mass, u.Quantity) or not mass.unit.is_equivalent(u.Msun):
        raise TypeError("column mass of completeness must be a Quantity in Msun; use a QTable with mass * u.Msun")
    mass = mass.to_value(u.Msun)
    share = np.asarray(completeness["completeness"], dtype=float)
    if not len(mass) or not (mass > 0).all() or not (np.diff(mass) > 0).all():
        raise ValueError(f"masses of completeness must be positive and increase, got {mass}; sort the table by mass")
    log_mass = np.log10(mass)
    function = _checked(lambda masses: np.interp(np.log10(masses), log_mass, share))
    function(mass)
    return function


def _checked(function):
    def share(mass):
        value = function(mass)
        value = np.broadcast_to(np.asarray(getattr(value, "value", value), dtype=float), np.shape(mass))
        if not ((value >= 0) & (value <= 1)).all():
            raise ValueError(f"completeness must lie in 0 to 1, got {np.nanmin(value)} to {np.nanmax(value)}; pass shares, not per cent")
        return value

    return share
