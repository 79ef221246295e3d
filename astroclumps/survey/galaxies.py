"""The list of galaxies of a survey, from FITS, CSV, ECSV or Parquet."""

import hashlib
import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import SurveyError

__all__ = ["ROLES", "Galaxy", "GalaxyList"]

ROLES = {
    "id": ("id", "galaxy", "name"),
    "ra": ("ra", "ra_deg", "raj2000", "alpha_j2000"),
    "dec": ("dec", "dec_deg", "dej2000", "decj2000", "delta_j2000"),
    "x": ("x",),
    "y": ("y",),
    "redshift": ("redshift", "z"),
}
"""What a column may be called, upper or lower case, where its name is not stated."""

_SUFFIXES = {
    **dict.fromkeys((".fits", ".fit", ".fits.gz"), "fits"),
    **{".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".vot": "votable"},
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}


class Galaxy(NamedTuple):
    """One galaxy of a list.

    Attributes
    ----------
    id : str
    redshift : float or None
    ra, dec : float or None
        ICRS, degrees.
    x, y : float or None
        Pixels; 0 is the centre of the first pixel.
    fields : dict
        The other columns of the list: str, int, float or bool.
    """

    id: str
    redshift: float | None
    ra: float | None
    dec: float | None
    x: float | None
    y: float | None
    fields: dict[str, Any]


class GalaxyList:
    """Galaxies in their order, each with an ``id`` of its own.

    Parameters
    ----------
    galaxies : path-like or `~astropy.table.Table`
        FITS, CSV, ECSV, VOTable or Parquet. Columns: ``id`` (or ``galaxy``, ``name``), ``ra`` and ``dec`` (degrees where no unit is
        stated; or a `~astropy.coordinates.SkyCoord`), or ``x`` and ``y`` (pixels, 0 is the centre of the first), ``redshift`` (or ``z``);
        all but ``id`` may be missing. Upper or lower case. All other columns of one value a row are kept.
    columns : mapping, optional
        Names of columns by what they are: ``{"id": "NUMBER", "redshift": "z_best"}``; see `ROLES`.

    Raises
    ------
    SurveyError
        The list cannot be read, has no column ``id``, an empty or repeated id, or values that cannot be meant.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astroclumps.survey.galaxies import GalaxyList
    >>> galaxies = GalaxyList(Table({"ID": [7, 8], "z": [1.5, 2.0], "mass": [1e10, 2e10]}))
    >>> galaxies[1]
    Galaxy(id='8', redshift=2.0, ra=None, dec=None, x=None, y=None, fields={'mass': 20000000000.0})
    """

    def __init__(self, galaxies, *, columns: Mapping[str, str] | None = None):
        table, self.source = _table(galaxies)
        names = _roles(table, columns or {}, self.source)
        taken = set(names.values())
        ids = _texts(table[names["id"]])
        _check_ids(ids, self.source)
        self._columns = {"id": ids}
        self._columns |= {role: _numbers(table[name], role, self.source) for role, name in names.items() if role != "id"}
        self._add_sky(table, taken)
        for role, low, high in (("ra", -360.0, 360.0), ("dec", -90.0, 90.0), ("redshift", 0.0, 1100.0)):
            values = self._columns.get(role, np.array([]))
            wrong = np.flatnonzero((values < low) | (values > high) | np.isinf(values))
            if len(wrong):
                i = wrong[0]
                raise SurveyError(
                    f"{self.source}: {role} of galaxy {ids[i]!r} is {values[i]:g}, allowed is {low:g} to {high:g}; leave out what is "
                    "not known (an empty cell or NaN)"
                )
        self._units = {}
        self._fields = {}
        for name in table.colnames:
            if name not in taken and getattr(table[name], "ndim", 0) == 1 and hasattr(table[name], "dtype"):
                self._fields[name], self._units[name] = _field(table[name])

    def __len__(self):
        return len(self._columns["id"])

    def __getitem__(self, i) -> Galaxy:
        def value(role):
            one = float(self._columns[role][i]) if role in self._columns else math.nan
            return None if math.isnan(one) else one

        fields = {name: values[i].item() if hasattr(values[i], "item") else values[i] for name, values in self._fields.items()}
        return Galaxy(self._columns["id"][i], *(value(role) for role in ("redshift", "ra", "dec", "x", "y")), fields)

    @property
    def has(self) -> tuple[str, ...]:
        """Which of `ROLES` the list holds."""
        return tuple(role for role in ROLES if role in self._columns)

    @property
    def fields(self) -> dict[str, tuple[np.dtype, str]]:
        """Type and unit of the other columns, by name."""
        return {name: (values.dtype, self._units[name]) for name, values in self._fields.items()}

    @property
    def digest(self) -> str:
        """Sha256 of all values, whatever file they came from."""
        total = hashlib.sha256()
        for name, values in (*self._columns.items(), *self._fields.items()):
            values = np.asarray(values)
            total.update(f"{name} {self._units.get(name, '')} {len(values)}\n".encode())
            if values.dtype.kind == "U":
                total.update("\0".join(values.tolist()).encode())
            else:
                total.update(f"{values.dtype.kind}{values.dtype.itemsize}".encode())
                total.update(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes())
        return total.hexdigest()

    def _add_sky(self, table, taken):
        from astropy.coordinates import SkyCoord

        for name in table.colnames:
            if isinstance(table[name], SkyCoord) and "ra" not in self._columns:
                self._columns["ra"], self._columns["dec"] = table[name].icrs.ra.deg, table[name].icrs.dec.deg
                taken.add(name)


def _table(galaxies):
    from astropy.table import QTable, Table

    if isinstance(galaxies, Table):
        return QTable(galaxies), "the table of galaxies"
    path = Path(galaxies)
    if not path.is_file():
        raise SurveyError(f"there is no list of galaxies {path}")
    kind = next((kind for suffix, kind in _SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if kind is None:
        raise SurveyError(f"{path}: a list of galaxies is a file {', '.join(_SUFFIXES)}, by its suffix")
    try:
        if kind == "parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path)
            return QTable({name: _arrow(table[name]) for name in table.column_names}), str(path)
        if kind == "fits":
            from ..fits_io import open_fits

            with open_fits(path):  # nothing is cut off
                pass
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"astropy\.")
            table = QTable.read(path, format=kind)
            table.convert_bytestring_to_unicode()
            return table, str(path)
    except ImportError:
        raise
    except Exception as exc:
        raise SurveyError(f"{path} is not a readable list of galaxies: {' '.join(str(exc).split())}") from exc


def _arrow(column):
    """Values of a column of Parquet; '' or NaN where there is none."""
    values = column.to_numpy()
    if values.dtype == object:
        return np.array(["" if one is None else str(one) for one in values.tolist()], dtype=str if len(values) else "U1")
    return values


def _roles(table, columns, source):
    """Column of each role; those that are stated must be there."""
    wrong = [role for role in columns if role not in ROLES]
    if wrong:
        raise SurveyError(f"columns names {wrong[0]!r}, which is none of {', '.join(ROLES)}")
    found = {}
    for role, allowed in ROLES.items():
        if role in columns:
            if columns[role] not in table.colnames:
                raise SurveyError(f"{source} has no column {columns[role]!r} for {role}; it has {', '.join(table.colnames)}")
            found[role] = columns[role]
            continue
        there = [name for name in table.colnames if name.lower() in allowed and name not in columns.values()]
        there = [name for name in there if getattr(table[name], "ndim", 1) == 1]
        if role == "id":  # the first of the names that may stand for it
            there = sorted(there, key=lambda name: allowed.index(name.lower()))[:1]
        if len(there) > 1:
            raise SurveyError(
                f"{source}: which column is {role}, {' or '.join(there)}? Say so with columns={{{role!r}: {there[0]!r}}}, on the "
                f"command line --column {role}={there[0]}"
            )
        if there:
            found[role] = there[0]
    if "id" not in found:
        raise SurveyError(
            f"{source} has no column id (nor galaxy, nor name), but {', '.join(table.colnames) or 'no columns at all'}; name it with "
            "columns={'id': ...}, on the command line --column id=..."
        )
    for one, other in (("ra", "dec"), ("dec", "ra"), ("x", "y"), ("y", "x")):
        if one in found and other not in found:
            raise SurveyError(f"{source} has a column {found[one]!r} for {one}, but none for {other}")
    return found


def _texts(column):
    values = np.ma.filled(column, "") if np.ma.isMaskedArray(column) and column.dtype.kind in "US" else column
    mask = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else np.zeros(len(column), dtype=bool)
    plain = np.asarray(getattr(values, "value", values))
    if plain.dtype.kind == "f":
        whole = np.isfinite(plain) & (plain == np.round(plain))
        if not whole[~mask].all():
            return ["" if hidden or np.isnan(one) else repr(float(one)) for one, hidden in zip(plain, mask, strict=True)]
        return ["" if hidden else str(int(one)) for one, hidden in zip(plain, mask, strict=True)]
    texts = [one.decode() if isinstance(one, bytes) else str(one) for one in plain.tolist()]
    return ["" if hidden else text.strip() for text, hidden in zip(texts, mask, strict=True)]


def _check_ids(ids, source):
    seen = {}
    for i, one in enumerate(ids):
        if not one:
            raise SurveyError(f"{source}: row {i + 1} has no id; each galaxy needs one")
        if one in seen:
            raise SurveyError(f"{source}: the id {one!r} stands in rows {seen[one] + 1} and {i + 1}; each galaxy needs its own")
        seen[one] = i


def _numbers(column, role, source):
    import astropy.units as u

    from ..arguments import bare

    unit = {"ra": u.deg, "dec": u.deg, "x": u.pix, "y": u.pix}.get(role, u.one)
    try:
        if role in ("ra", "dec") and getattr(column, "dtype", np.dtype(float)).kind in "US":
            return _angles(column, u.hourangle if role == "ra" else u.deg)
        return bare(column, unit if isinstance(column, u.Quantity) else None)
    except (TypeError, ValueError, u.UnitConversionError) as exc:
        wanted = {"ra": "degrees or 03:32:37.5", "dec": "degrees or -27:46:58"}.get(role, "numbers")
        text = re.sub(r"np\.str_\((.*?)\)", r"\1", " ".join(str(exc).split()))
        raise SurveyError(f"{source}: the column for {role} is to hold {wanted}, or nothing where it is not known: {text}") from exc


def _angles(column, unit):
    """Sexagesimal angles in degrees; NaN where there is no text."""
    from astropy.coordinates import Angle

    texts = _texts(column)
    plain = all(":" not in text and " " not in text and text[-1:] not in "smd" for text in texts if text)
    if plain:  # numbers that were written as text
        return np.array([float(text) if text else np.nan for text in texts])
    return np.array([Angle(text, unit=unit).deg if text else np.nan for text in texts])


def _field(column):
    """Plain values of a column and the name of its unit."""
    unit = getattr(column, "unit", None)
    mask = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else np.asarray(getattr(column, "mask", np.zeros(len(column), bool)))
    values = np.asarray(getattr(getattr(column, "value", column), "unmasked", getattr(column, "value", column)))
    if values.dtype.kind in "OSU":
        texts = [one.decode() if isinstance(one, bytes) else "" if one is None else str(one) for one in values.tolist()]
        values = np.array(["" if hidden else text for text, hidden in zip(texts, mask, strict=True)], dtype=str if texts else "U1")
    elif values.dtype.kind in "iu" and mask.any():
        values = values.astype(float)
    if values.dtype.kind == "f":
        values = np.where(mask, np.nan, values).astype(float)
    elif values.dtype.kind in "iu":
        values = values.astype(np.int64)
    return values, "" if unit is None else unit.to_string()
