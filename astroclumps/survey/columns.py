"""Columns of a survey's parts: the same in all of them, whatever was found."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FAILURES", "THUMBNAILS", "Field", "arrow_schema", "arrow_table", "clump_fields", "clump_rows", "galaxy_fields"]

_TYPES = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "U": "str"}
_EMPTY = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}


@dataclass(frozen=True)
class Field:
    """A column: name, type (float64, int64, int32, bool, str or binary), unit, description and UCD."""

    name: str
    dtype: str
    unit: str = ""
    description: str = ""
    ucd: str = ""


_RA = Field("ra", "float64", "deg", "Right ascension (ICRS)", "pos.eq.ra;meta.main")
_DEC = Field("dec", "float64", "deg", "Declination (ICRS)", "pos.eq.dec;meta.main")
_GALAXY = Field("galaxy", "str", "", "Id of the galaxy in the list", "meta.id")

FAILURES = (
    Field("id", "str", "", "Id of the galaxy in the list", "meta.id;meta.main"),
    Field("stage", "str", "", "Where it failed: read, detector, classifier, photometry, sed or worker"),
    Field("error", "str", "", "Class and text of the error"),
)
THUMBNAILS = (
    _GALAXY,
    Field("height", "int32", "pix", "Rows"),
    Field("width", "int32", "pix", "Columns"),
    Field("step", "int32", "pix", "Pixels of the image from one pixel of the picture to the next"),
    Field("rgb", "binary", "", "Red, green and blue of each pixel, one byte each; the first row is that of y = 0"),
)
_SEARCHED = (
    _GALAXY,
    _RA,
    _DEC,
    Field("redshift", "float64", "", "Redshift that was used", "src.redshift"),
    Field("n_clumps", "int64", "", "Clumps found", "meta.number"),
    Field("n_long", "int64", "", "Clumps with the class LLC", "meta.number"),
    Field("n_short", "int64", "", "Clumps with the class SLC", "meta.number"),
    Field("pixel_scale", "float64", "arcsec", "Side of a pixel"),
    Field("n_bands", "int64", "", "Bands of the image with a pixel that is not masked and not 0"),
)


def clump_fields(table, known) -> tuple[Field, ...]:
    """Fields of the parts of clumps, from a catalogue without rows.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        What the pipeline returned where nothing was found.
    known : mapping of str to `~astroclumps.catalog.Column`
        Descriptions and UCDs.

    Returns
    -------
    tuple of Field
        Columns of several values a row are left out.
    """
    fields = [_GALAXY, _RA, _DEC]
    for name in table.colnames:
        column = table[name]
        if name in ("galaxy", "ra", "dec", "sky") or getattr(column, "ndim", 0) != 1 or not hasattr(column, "dtype"):
            continue
        kind = _TYPES.get(column.dtype.kind)
        if kind is None:
            continue
        unit = getattr(column, "unit", None)
        described = known.get(name)
        fields.append(
            Field(
                name,
                kind,
                "" if unit is None else unit.to_string(),
                str(column.info.description or (described.description if described else "")),
                described.ucd if described else "",
            )
        )
    return tuple(fields)


def galaxy_fields(fields) -> tuple[Field, ...]:
    """Fields of the parts of galaxies; a column of the list that has the name of one of ours gets ``input_`` before it.

    Parameters
    ----------
    fields : mapping of str to (dtype, unit)
        `~astroclumps.survey.galaxies.GalaxyList.fields`.

    Returns
    -------
    tuple of Field
    """
    ours = {field.name for field in _SEARCHED}
    extra = []
    for name, (dtype, unit) in fields.items():
        taken = f"input_{name}" if name.lower() in ours else name
        extra.append(Field(taken, _TYPES[dtype.kind], unit, f"Column {name} of the list of galaxies"))
    return (*_SEARCHED, *extra)


def clump_rows(table, fields, galaxy: str) -> dict[str, Any]:
    """Plain columns of one galaxy's catalogue; what it lacks is NaN, 0 or ''.

    Parameters
    ----------
    table : `~astropy.table.QTable`
    fields : sequence of Field
        From `clump_fields`.
    galaxy : str

    Returns
    -------
    dict of str to ndarray or list
    """
    n = len(table)
    rows = {"galaxy": [galaxy] * n}
    sky = table["sky"].icrs if "sky" in table.colnames else None
    for name in ("ra", "dec"):
        rows[name] = np.full(n, np.nan) if sky is None else np.asarray(getattr(sky, name).deg, dtype=float)
    for field in fields[3:]:
        if field.name not in table.colnames:
            rows[field.name] = np.full(n, _EMPTY[field.dtype])
            continue
        column = table[field.name]
        values = column.to_value(field.unit) if getattr(column, "unit", None) is not None else column
        rows[field.name] = _plain(values, field)
    return rows


def arrow_schema(fields, meta=None):
    """Arrow schema with unit, description and UCD of each column, and ``meta`` as JSON under ``astroclumps``.

    Parameters
    ----------
    fields : sequence of Field
    meta : dict, optional

    Returns
    -------
    pyarrow.Schema
    """
    import pyarrow as pa

    types = {"float64": pa.float64(), "int64": pa.int64(), "int32": pa.int32(), "bool": pa.bool_(), "str": pa.string()}
    types["binary"] = pa.binary()
    columns = []
    for field in fields:
        described = {key: getattr(field, key) for key in ("unit", "description", "ucd") if getattr(field, key)}
        columns.append(pa.field(field.name, types[field.dtype], metadata=described or None))
    return pa.schema(columns, metadata={"astroclumps": json.dumps(meta or {}, sort_keys=True)})


def arrow_table(columns, fields, schema):
    """Arrow table of plain columns.

    Parameters
    ----------
    columns : list of dict
        Columns of one galaxy each, joined in their order.
    fields : sequence of Field
    schema : pyarrow.Schema

    Returns
    -------
    pyarrow.Table
    """
    import pyarrow as pa

    joined = []
    for field, described in zip(fields, schema, strict=True):
        parts = [one[field.name] for one in columns]
        if field.dtype in ("str", "binary"):
            joined.append(pa.array([value for part in parts for value in part], type=described.type))
        else:
            values = np.concatenate([np.asarray(part) for part in parts]) if parts else np.array([])
            joined.append(pa.array(values.astype(field.dtype), type=described.type))
    return pa.Table.from_arrays(joined, schema=schema)


def _plain(values, field):
    mask = np.asarray(getattr(values, "mask", False))
    data = np.asarray(getattr(values, "unmasked", getattr(values, "data", values)))
    data = np.array(getattr(data, "value", data))
    if field.dtype == "str":
        data = np.array([str(one) for one in data.tolist()], dtype=object)
    if mask.any():
        data = np.where(mask, _EMPTY[field.dtype], data)
    return data.tolist() if field.dtype == "str" else data.astype(field.dtype)
