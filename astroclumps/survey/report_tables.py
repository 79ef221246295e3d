"""Tables of a report: clumps, galaxies and flags as text, with the number that a column is sorted by."""

import math

import astropy.units as u

from ..catalog import Flag, decode_flags

__all__ = ["FLAG_TEXTS", "clump_table", "flag_rows", "galaxy_table"]

FLAG_TEXTS = {
    "EDGE": "The aperture or its background ring leaves the image.",
    "OVERLAP": "Another clump's circle overlaps the aperture.",
    "MASKED": "Masked pixels lie in the aperture.",
    "NEGATIVE_FLUX": "The flux is negative in at least one band.",
    "MISSING_BAND": "At least one band could not be measured and is NaN.",
    "SED_FAILED": "The spectral fit failed; its columns are NaN.",
    "STAMP_EDGE": "The classifier's stamp leaves the image and was padded.",
    "LOW_EFFECTIVE": "The posterior rests on few effective samples.",
    "POOR_FIT": "No model fits, or the best one's mass is a limit of the prior.",
    "SIZE_FAILED": "No size could be fitted; its columns are NaN.",
    "UNKNOWN": "Bits that this version of astroclumps has no name for.",
}


def clump_table(data, units, factor) -> dict:
    """The highest clumps.

    Parameters
    ----------
    data : `~astroclumps.survey.report_data.ReportData`
    units : dict
        Units of the columns, as text.
    factor : callable
        How many of its second argument one of the first, a text, is.
    """
    rows = data.top_clumps
    there = set().union(*rows) if rows else set()
    msun, myr = factor(units.get("mass"), u.Msun), factor(units.get("age"), u.Myr)
    columns = [
        ("galaxy", "galaxy", "", True, lambda row: _text(row["galaxy"])),
        ("id", "id", "", False, lambda row: _number(row["id"], "d")),
        ("longevity", "class", "", True, lambda row: _text(row["longevity"] or "-")),
        ("p_long", "P(LLC)", "", False, lambda row: _number(row["p_long"], ".2f")),
        ("mass", "log mass", "Msun", False, lambda row: _number(_log(row["mass"], msun), ".2f")),
        ("mass", "16 to 84%", "", False, lambda row: _span(*(_log(row.get(f"mass_{end}"), msun) for end in ("lo", "hi")))),
        ("age", "age", "Myr", False, lambda row: _number(_times(row["age"], myr), ".0f")),
        ("score", "score", "", False, lambda row: _number(row["score"], ".2f")),
        ("x", "x", "pix", False, lambda row: _number(row["x"], ".1f")),
        ("y", "y", "pix", False, lambda row: _number(row["y"], ".1f")),
        ("ra", "ra", "deg", False, lambda row: _number(row["ra"], ".5f")),
        ("dec", "dec", "deg", False, lambda row: _number(row["dec"], ".5f")),
        ("flags", "flags", "", True, lambda row: _text(_flag_names(row["flags"]))),
    ]
    columns = [column for column in columns if column[0] in there and (column[3] or any(column[4](row)["value"] for row in rows))]
    sign = {"mass": "most massive", "score": "of the highest score"}[data.top_by]
    which = f"the {len(rows):,} {sign}"
    labels = [label for label in ("LLC", "SLC", "none") if any((row.get("longevity") or "none") == label for row in rows)]
    return {
        "id": "clumps",
        "caption": "Clumps",
        "columns": _heads(columns, data.top_by),
        "rows": [{"label": row.get("longevity") or "none", "cells": [column[4](row) for column in columns]} for row in rows],
        "labels": labels if "longevity" in there else [],
        "statement": _statement(which, len(rows), data.n_clumps, "clumps"),
    }


def galaxy_table(data) -> dict:
    """The galaxies with the most clumps."""
    rows = data.top_galaxies
    columns = [
        ("galaxy", "galaxy", "", True, lambda row: _text(row["galaxy"])),
        ("n_clumps", "clumps", "", False, lambda row: _number(row["n_clumps"], "d")),
        ("n_long", "LLC", "", False, lambda row: _number(row["n_long"], "d")),
        ("n_short", "SLC", "", False, lambda row: _number(row["n_short"], "d")),
        ("redshift", "redshift", "", False, lambda row: _number(row["redshift"], ".3f")),
        ("ra", "ra", "deg", False, lambda row: _number(row["ra"], ".5f")),
        ("dec", "dec", "deg", False, lambda row: _number(row["dec"], ".5f")),
    ]
    columns = [column for column in columns if column[3] or any(column[4](row)["value"] for row in rows)]
    if not data.classes:  # nothing was classified: zeros would say otherwise
        columns = [column for column in columns if column[0] not in ("n_long", "n_short")]
    return {
        "id": "galaxies",
        "caption": "Galaxies",
        "columns": _heads(columns, "n_clumps"),
        "rows": [{"label": "", "cells": [column[4](row) for column in columns]} for row in rows],
        "labels": [],
        "statement": _statement(f"the {len(rows):,} with the most clumps", len(rows), data.n_searched, "galaxies"),
    }


def flag_rows(data) -> list[dict]:
    """Flags in their order, with counts."""
    counts = data.flags or {}
    bits = {flag.name: int(flag) for flag in Flag} | {"UNKNOWN": "-"}
    return [
        {
            "name": name,
            "bit": bit,
            "n": f"{counts[name]:,}",
            "share": f"{counts[name] / data.n_clumps:.1%}",
            "text": FLAG_TEXTS.get(name, ""),
        }
        for name, bit in bits.items()
        if counts.get(name)
    ]


def _statement(which, shown, n, what):
    if not n:
        return f"There are no {what}."
    if shown == n:
        return f"All {n:,} {what}. All columns are in {what}/, as Parquet." if n > 1 else f"All columns are in {what}/, as Parquet."
    return f"{shown:,} of {n:,} {what}: {which}. The others, and all columns, are in {what}/, as Parquet."


def _heads(columns, by):
    return [
        {"title": title, "unit": unit, "text": text, "sorted": name == by and title != "16 to 84%"}
        for name, title, unit, text, _ in columns
    ]


def _text(text):
    return {"text": str(text), "value": None}


def _number(value, form):
    if value is None or not math.isfinite(value):
        return {"text": "-", "value": ""}
    return {"text": f"{value:{form}}", "value": repr(value)}


def _span(low, high):
    if low is None or high is None or not math.isfinite(low + high):
        return {"text": "-", "value": ""}
    return {"text": f"{low:.2f} to {high:.2f}", "value": repr(low)}


def _log(value, factor):
    value = _times(value, factor)
    return math.log10(value) if value is not None and value > 0 else None


def _times(value, factor):
    return None if value is None or not math.isfinite(value * factor) else value * factor


def _flag_names(value):
    known = sum(Flag)
    names = [name.lower() for name in decode_flags(int(value) & known)] if value else []
    return ", ".join(names + ["unknown"] * bool(int(value or 0) & ~known)) or "-"
