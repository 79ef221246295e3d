"""The schema of clump tables: one list of columns that makes them, checks them and documents them.

A catalogue is a plain `~astropy.table.QTable`. Each stage adds its columns: ``detected``, ``classified``, ``measured``, ``fitted``;
``id`` is the key and never changes. Clumps in three dimensions have stages of their own, ``found`` and ``tracked``.
`astroclumps.catalog.read` and `astroclumps.catalog.write` keep units, sky positions and history.

Examples
--------
>>> from astroclumps import catalog
>>> clumps = catalog.make_table("detected", 2)
>>> clumps["x"][:] = [3.5, 7.0] * clumps["x"].unit
>>> clumps["y"][:] = [4.0, 5.5] * clumps["y"].unit
>>> catalog.add_history(clumps, "placed by hand")
>>> clumps.colnames
['id', 'x', 'y', 'score', 'n_pixels']
>>> catalog.validate(clumps, "detected", who="this example")
"""

from collections.abc import Iterable

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .catalog_io import read, to_regions, write
from .exceptions import CatalogError
from .flags import Flag, Flag3D, decode_flags
from .schema import COLUMNS, COLUMNS_3D, STAGES, STAGES_3D, Column, band_columns, columns, describe, known_columns

__all__ = [
    "COLUMNS",
    "COLUMNS_3D",
    "STAGES",
    "STAGES_3D",
    "Column",
    "Flag",
    "Flag3D",
    "add_history",
    "band_columns",
    "columns",
    "decode_flags",
    "describe",
    "known_columns",
    "make_table",
    "read",
    "to_regions",
    "validate",
    "write",
]


def make_table(stage: "str | Iterable[str]", n: int = 0, *, bands: Iterable = ()) -> QTable:
    """Make a table with all columns of a stage.

    Parameters
    ----------
    stage : str or sequence of str
        As in `columns`.
    n : int, optional
        Number of rows. Default 0.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands of the columns ``flux_*``, ``flux_err_*`` and ``background_*``.

    Returns
    -------
    `~astropy.table.QTable`
        ``id`` and ``node`` run from 1 to n; other whole numbers are 0, floats NaN, strings empty.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> catalog.make_table("measured", bands=["F160W"]).colnames
    ['id', 'x', 'y', 'score', 'n_pixels', 'flux_f160w', 'flux_err_f160w', 'background_f160w', 'flags']
    """
    table = QTable()
    for column in columns(stage, bands=bands):
        if column.dtype == "str":
            values = np.full(n, "", dtype="U16")
        elif column.dtype == "int64":
            values = np.arange(1, n + 1) if column.name in ("id", "node") else np.zeros(n, dtype=np.int64)
        else:
            values = np.full(n, np.nan)
        table[column.name] = values if column.unit is None else values * column.unit
        table[column.name].info.description = column.description
    table.meta["history"] = []
    return table


def validate(table: QTable, stage: "str | Iterable[str]", *, who: str, bands: Iterable = ()) -> None:
    """Check a table against the schema; further columns are allowed.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table.
    stage : str or sequence of str
        Stages it must have reached, as in `columns`.
    who : str
        Who made the table; stands at the head of the error message.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands it must have columns for. Columns of other bands are checked if they are there.

    Raises
    ------
    CatalogError
        If a column is missing, has another unit or kind of data, is masked, if ids (in tracked tables: nodes) are not unique and
        positive, or if a position is not finite: x and y in images, pos_x, pos_y and pos_z in three dimensions.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> clumps = catalog.make_table("detected")
    >>> clumps.remove_column("score")
    >>> catalog.validate(clumps, "detected", who="MyDetector")
    Traceback (most recent call last):
        ...
    astroclumps.exceptions.CatalogError: MyDetector: column 'score' of stage detected is missing; the table has id, x, y, n_pixels
    """
    if not isinstance(table, QTable):
        raise CatalogError(f"{who}: a table must be an astropy QTable, got {type(table).__name__}")
    wanted = list(columns(stage, bands=bands))
    stages = {column.stage for column in wanted}
    if "measured" in stages:
        present = {column.name for column in wanted}
        wanted += [column for column in band_columns(table) if column.name not in present]
    for column in wanted:
        _check(table, column, who)
    key = "node" if "tracked" in stages else "id"  # ids begin anew in each snapshot
    ids = np.asarray(table[key])
    if (ids < 1).any() or len(np.unique(ids)) != len(ids):
        raise CatalogError(f"{who}: column {key!r} must hold unique positive numbers, got {_few(ids)}")
    for name in ("pos_x", "pos_y", "pos_z") if "found" in stages else ("x", "y"):
        bad = ~np.isfinite(table[name].value)
        if bad.any():
            raise CatalogError(f"{who}: column {name!r} must be finite; it is not for {key} {_few(ids[bad])}")


def add_history(table: QTable, line: str) -> None:
    """Append a line to the table's ``meta['history']``: what was done, by which version, with which settings.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table, changed in place; tables it was copied from keep their history.
    line : str
        One line, such as ``"UNetDetector(weights='default') of astroclumps 0.1"``.
    """
    if not isinstance(line, str):
        raise TypeError(f"a line of history must be a str, got {line!r}")
    table.meta["history"] = [*table.meta.get("history", []), " ".join(line.split())]


def _check(table, column, who):
    if column.name not in table.colnames:
        raise CatalogError(
            f"{who}: column {column.name!r} of stage {column.stage} is missing; the table has {', '.join(table.colnames) or 'no columns'}"
        )
    data = table[column.name]
    unit = getattr(data, "unit", None)
    if unit == u.dimensionless_unscaled:
        unit = None
    if unit != column.unit:
        raise CatalogError(f"{who}: column {column.name!r} must have {_unit(column.unit)}, got {_unit(unit)}")
    kind = getattr(data, "dtype", np.dtype(object)).kind
    allowed = {"int64": "iu", "float64": "f", "str": "U"}[column.dtype]
    if kind not in allowed or data.ndim != 1:
        raise CatalogError(
            f"{who}: column {column.name!r} must hold {column.dtype}, one value a row, got {data.dtype} of shape {data.shape}"
        )
    if np.any(getattr(data, "mask", False)):
        raise CatalogError(f"{who}: column {column.name!r} is masked; use NaN and a flag for what is missing")


def _unit(unit):
    return "no unit" if unit is None else f"the unit {unit}"


def _few(values):
    values = [str(value) for value in values[:5]]
    return ", ".join(values) + (", ..." if len(values) == 5 else "")
