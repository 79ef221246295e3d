"""What a table of stars, gas or dark matter must hold, and the check of it."""

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from astroclumps.exceptions import SnapshotError

__all__ = ["KINDS", "OPTIONAL", "REQUIRED", "UNITS", "checked_elements", "empty_elements"]

#: The types of elements of a snapshot.
KINDS = ("stars", "gas", "dark")

#: Unit of each known column; ``None`` for identifiers.
UNITS = {
    "particle_id": None,
    "position": u.kpc,
    "velocity": u.km / u.s,
    "mass": u.Msun,
    "age": u.Gyr,
    "metallicity": u.dimensionless_unscaled,
    "initial_mass": u.Msun,
    "temperature": u.K,
    "sfr": u.Msun / u.yr,
    "density": u.Msun / u.kpc**3,
    "cell_size": u.kpc,
    "softening": u.kpc,
}

_BASE = ("particle_id", "position", "velocity", "mass")
#: Columns that each type must have.
REQUIRED = {
    "stars": (*_BASE, "age", "metallicity"),
    "gas": (*_BASE, "temperature", "metallicity"),
    "dark": _BASE,
}
#: Columns whose unit is known where they are there.
OPTIONAL = {
    "stars": ("initial_mass", "softening"),
    "gas": ("sfr", "density", "cell_size", "softening"),
    "dark": ("softening",),
}
_VECTORS = ("position", "velocity")
_SIGNED = _VECTORS


def empty_elements(kind: str) -> QTable:
    """A table of a type without any rows.

    Parameters
    ----------
    kind : {'stars', 'gas', 'dark'}
        The type.

    Returns
    -------
    `~astropy.table.QTable`
        All required columns with their units, zero rows.

    Examples
    --------
    >>> from astroclumps.simulation.elements import empty_elements
    >>> empty_elements("gas").colnames
    ['particle_id', 'position', 'velocity', 'mass', 'temperature', 'metallicity']
    """
    table = QTable()
    for name in REQUIRED[_kind(kind)]:
        shape = (0, 3) if name in _VECTORS else 0
        table[name] = np.zeros(0, dtype=np.int64) if UNITS[name] is None else u.Quantity(np.zeros(shape), UNITS[name])
    return table


def checked_elements(table: Table, kind: str, who: str) -> QTable:
    """A table of elements in our units, with its values looked through.

    Columns that are in our units already are shared with ``table``, not copied; others are converted. Columns that are not known are
    left as they are.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The elements.
    kind : {'stars', 'gas', 'dark'}
        Their type.
    who : str
        Name of the snapshot, for messages.

    Returns
    -------
    `~astropy.table.QTable`
        positions in kpc, velocities in km/s, masses in Msun, ages in Gyr, temperatures in K; float32 stays float32.

    Raises
    ------
    TypeError
        ``table`` is no astropy table.
    `~astroclumps.exceptions.SnapshotError`
        A `ValueError`: a column is missing, has a wrong unit or shape, holds NaN, infinite or negative values, a metallicity above 1, or an
        identifier twice.
    """
    label = f"snapshot {who!r}, {_kind(kind)}"
    if not isinstance(table, Table):
        raise TypeError(
            f"{label}: must be an astropy QTable, got {type(table).__name__}; elements.empty_elements({kind!r}) makes one without rows"
        )
    missing = [name for name in REQUIRED[kind] if name not in table.colnames]
    if missing:
        message = f"{label}: column {', '.join(map(repr, missing))} is missing; needed are {', '.join(REQUIRED[kind])}"
        raise SnapshotError(message, column=missing[0])
    made = QTable(table, copy=False)
    for name in (*REQUIRED[kind], *OPTIONAL[kind]):
        if name in table.colnames:
            column = made[name]
            new = _identifiers(column, label) if UNITS[name] is None else _quantity(column, name, label)
            if new is not column:
                made[name] = new
    return made


def _kind(kind):
    if kind not in KINDS:
        raise ValueError(f"the types of elements are {', '.join(KINDS)}, got {kind!r}")
    return kind


def _error(label, column, message):
    return SnapshotError(f"{label}: column {column!r} {message}", column=column)


def _identifiers(column, label):
    if getattr(column, "mask", None) is not None and np.any(column.mask):
        raise _error(label, "particle_id", f"has {_count(np.sum(column.mask), 'masked row')}; identifiers cannot be missing")
    values = np.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        found = f"{values.dtype} of shape {values.shape}"
        raise _error(label, "particle_id", f"must hold one whole number a row (int64 or uint64), got {found}")
    if values.dtype.itemsize < 8 or not values.dtype.isnative or not values.flags.c_contiguous:
        values = np.ascontiguousarray(values, dtype=np.int64 if values.dtype.kind == "i" or values.dtype.itemsize < 8 else np.uint64)
        column = values
    _check_unique(values, label)
    return column


def _check_unique(values, label):
    if len(values) < 2 or bool(np.all(values[1:] > values[:-1])):
        return
    ordered = np.sort(values)
    again = ordered[1:] == ordered[:-1]
    if again.any():
        first = ordered[1:][again][0]
        rows = np.flatnonzero(values == first)[:2].tolist()
        raise _error(
            label,
            "particle_id",
            f"must be unique, but {int(again.sum())} of {len(values)} repeat one; {first} stands in rows {rows[0]} and {rows[1]}",
        )


def _quantity(column, name, label):
    unit = UNITS[name]
    if not isinstance(column, u.Quantity):
        if unit != u.dimensionless_unscaled or getattr(column, "unit", None) is not None:
            raise _error(label, name, f"must be a Quantity in a unit such as {unit}, got {type(column).__name__} without unit")
        column = u.Quantity(np.asarray(column), copy=False)
    if getattr(column, "mask", None) is not None and np.any(column.mask):
        raise _error(label, name, f"has {_count(np.sum(column.mask), 'masked row')}; give every row a value")
    if not column.unit.is_equivalent(unit):
        raise _error(label, name, f"has the unit {column.unit}; it must convert to {str(unit) or 'a plain number'}")
    wanted = (len(column), 3) if name in _VECTORS else (len(column),)
    if column.shape != wanted:
        raise _error(label, name, f"must have the shape {wanted}, got {column.shape}")
    values = column.value
    if values.dtype.kind not in "fiu":
        raise _error(label, name, f"must hold real numbers, got {values.dtype}")
    good_type = values.dtype in (np.float32, np.float64) and values.dtype.isnative and values.flags.c_contiguous
    if column.unit != unit or not good_type:
        kind = np.float32 if values.dtype.kind == "f" and values.dtype.itemsize <= 4 else np.float64
        values = np.ascontiguousarray(column.to_value(unit), dtype=kind)
        column = u.Quantity(values, unit, copy=False)
    _check_values(values, name, label)
    return column


def _check_values(values, name, label):
    if not values.size:
        return
    low, high = values.min(), values.max()  # NaN goes through both, without an array of flags
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = ~np.isfinite(values)
        rows = np.flatnonzero(bad.any(axis=1) if bad.ndim == 2 else bad)
        are = "is" if len(rows) == 1 else "are"
        raise _error(
            label,
            name,
            f"has {_count(len(rows), 'row')} of {len(values)} that {are} NaN or infinite, the first is {rows[0]}",
        )
    fraction = "; it is a mass fraction, 0 to 1, not in solar units (the Sun has 0.01 to 0.02)" if name == "metallicity" else ""
    if low < 0 and name not in _SIGNED:
        rows = np.flatnonzero(values < 0)
        first = f"row {rows[0]} with {values[rows[0]]:g} {UNITS[name]}".rstrip()
        raise _error(label, name, f"has {_count(len(rows), 'negative row')} of {len(values)}, the first is {first}{fraction}")
    if fraction and high > 1:
        rows = np.flatnonzero(values > 1)
        first = f"row {rows[0]} with {values[rows[0]]:g}"
        raise _error(label, name, f"has {_count(len(rows), 'row')} of {len(values)} above 1, the first is {first}{fraction}")


def _count(n, what):
    return f"{int(n)} {what}{'' if n == 1 else 's'}"
