"""What `astroclumps.survival.predict` reads from a table of galaxies, and which of its rows lie outside the relations."""

import warnings
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .exceptions import AstroclumpsWarning, CatalogError
from .stellar_halo import MAX_REDSHIFT, log_halo_mass

__all__ = ["MAX_LOG_HALO", "MIN_REDSHIFT", "MIN_SLOPE", "GalaxyValues", "filled_table", "galaxy_values"]

MIN_REDSHIFT = 0.5
"""Least redshift of a prediction (ours). Eq. 7 of G21 is meant for redshifts of about 1 and more. From 0.5 on it is within 0.055 dex of the
virial mass after Bryan & Norman (1998) in the cosmology of Planck 2018; at redshift 0 it is 0.13 dex off."""

MAX_LOG_HALO, MIN_SLOPE = 14.0, 0.2
"""Largest log10 halo mass (Msun), and least slope of the relation at it, that a halo is taken from a stellar mass for (ours).

Massive galaxies lie on a branch so flat that their halos are not determined: at a redshift of 2, 10^10.84 Msun of stars give 10^12.9
Msun, and 10^11 Msun already 10^14.4.
"""


class GalaxyValues(NamedTuple):
    """Bare numbers of galaxies, all of shape (n,).

    Attributes
    ----------
    mass : ndarray
        Stellar mass, Msun.
    redshift : ndarray
    log_halo : ndarray
        log10 of the halo's mass, Msun; NaN where the relation gives none.
    v_rot, cold_fraction, gas_fraction : ndarray or None
        km/s and fractions, NaN where a galaxy has no value; None where the table has no such column.
    usable : ndarray of bool
        Rows that predictions can be made for.
    """

    mass: np.ndarray
    redshift: np.ndarray
    log_halo: np.ndarray
    v_rot: "np.ndarray | None"
    cold_fraction: "np.ndarray | None"
    gas_fraction: "np.ndarray | None"
    usable: np.ndarray


def galaxy_values(galaxies: QTable) -> GalaxyValues:
    """Read a table of galaxies.

    Parameters
    ----------
    galaxies : `~astropy.table.QTable`
        With ``mass`` and ``redshift``; ``v_rot``, ``cold_fraction`` and ``gas_fraction`` if there. Cells may be masked.

    Returns
    -------
    GalaxyValues

    Raises
    ------
    CatalogError
        A column is missing or has another unit.

    Warns
    -----
    AstroclumpsWarning
        Rows are not usable; the message counts the reasons.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.survival_table import galaxy_values
    >>> galaxy_values(QTable({"mass": [1e10, 3e10] * u.Msun, "redshift": [1.0, 2.0]})).log_halo.round(2)
    array([11.82, 12.29])
    """
    mass, redshift = _values(galaxies, "mass", u.Msun), _values(galaxies, "redshift")
    v_rot, cold, gas = (
        _values(galaxies, name, unit) if name in galaxies.colnames else None
        for name, unit in (("v_rot", u.km / u.s), ("cold_fraction", None), ("gas_fraction", None))
    )
    reasons, usable = [], np.ones(len(mass), dtype=bool)

    def leave_out(bad, reason):
        bad = bad & usable
        usable[bad] = False
        if bad.any():
            reasons.append(f"{bad.sum()} {reason}")

    leave_out(~(np.isfinite(mass) & (mass > 0) & np.isfinite(redshift)), "without a positive mass or a redshift")
    leave_out(~((redshift >= MIN_REDSHIFT) & (redshift <= MAX_REDSHIFT)), f"at redshifts outside {MIN_REDSHIFT:g} to {MAX_REDSHIFT:g}")
    log_halo = np.full(len(mass), np.nan)
    log_halo[usable] = log_halo_mass(np.log10(mass[usable]), redshift[usable], min_slope=MIN_SLOPE)[0]
    leave_out(~(log_halo <= MAX_LOG_HALO), "of a stellar mass that the relation of Behroozi et al. (2019) gives no halo for")
    for name, values in (("v_rot", v_rot), ("cold_fraction", cold)):
        if values is not None:
            leave_out(np.isinf(values) | (values <= 0), f"whose {name} is not positive and finite")
    for name, values in (("cold_fraction", cold), ("gas_fraction", gas)):
        if values is not None:
            leave_out((values < 0) | (values > 1), f"whose {name} is no share, 0 to 1")
    if reasons:
        text = f"no prediction for {(~usable).sum()} of {len(mass)} galaxies: {', '.join(reasons)}"
        warnings.warn(f"{text}; their numbers are NaN, their verdict is masked", AstroclumpsWarning, stacklevel=3)
    return GalaxyValues(mass, redshift, log_halo, v_rot, cold, gas, usable)


def filled_table(galaxies: QTable, read: Any, columns: Any) -> QTable:
    """Columns of the usable rows as a table of all galaxies, NaN in the other rows.

    Parameters
    ----------
    galaxies : `~astropy.table.QTable`
        Gives ``galaxy`` and ``parent``.
    read : GalaxyValues
        Gives ``mass`` and ``redshift``.
    columns : dict of str to `~astropy.units.Quantity` or ndarray
        Values of the usable rows.

    Returns
    -------
    `~astropy.table.QTable`
    """
    table = QTable({name: galaxies[name] for name in ("galaxy", "parent") if name in galaxies.colnames})
    table["mass"], table["redshift"] = read.mass * u.Msun, read.redshift
    for name, values in columns.items():
        filled = np.full(len(read.usable), np.nan)
        filled[read.usable] = getattr(values, "value", values)
        table[name] = filled * values.unit if isinstance(values, u.Quantity) else filled
    return table


def _values(table, name, unit=None):
    """A column as bare floats, masked cells as NaN."""
    if name not in table.colnames:
        raise CatalogError(f"galaxies need a column {name!r}; the table has {', '.join(table.colnames) or 'none'}")
    column = table[name]
    has = getattr(column, "unit", None)
    if unit is None and has not in (None, u.dimensionless_unscaled):
        raise CatalogError(f"column {name!r} of galaxies must have no unit, got {has}")
    if unit is not None and (has is None or not has.is_equivalent(unit)):
        raise CatalogError(
            f"column {name!r} of galaxies must be in units of {unit}, got {has}; use a QTable with values * u.Unit('{unit}')"
        )
    scale = 1.0 if unit is None else has.to(unit)
    masked = np.broadcast_to(getattr(column, "mask", False), len(column))
    values = np.asarray(np.ma.getdata(getattr(column, "unmasked", column)), dtype=float)
    return np.where(masked, np.nan, values * scale)
