"""What a report needs of a survey, read once and in pieces: counts, the rows of the tables, a fair part for the figures."""

import heapq
import re
from collections import Counter
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .. import catalog
from ..exceptions import SurveyError

__all__ = ["FailureGroup", "Parts", "ReportData", "read_report_data"]

_CLUMPS = (
    "galaxy", "id", "x", "y", "ra", "dec", "score", "p_long", "longevity", "flags", "mass", "mass_lo", "mass_hi", "age", "age_lo", "age_hi",
    "sfr", "r_norm",
)  # fmt: skip
_GALAXIES = ("galaxy", "ra", "dec", "redshift", "n_clumps", "n_long", "n_short", "mass", "r_e")
_PIECE = 50_000  # rows that are held at a time
_MAX_GROUPS = 1000  # kinds of failures that are told apart
_MAX_ERROR = 400  # characters


class FailureGroup(NamedTuple):
    """Failures that differ in numbers and names only.

    Attributes
    ----------
    stage, error : str
        The error is that of the first of them.
    n : int
    examples : list of str
        Ids of the first galaxies.
    """

    stage: str
    error: str
    n: int
    examples: list


class ReportData(NamedTuple):
    """Counts over the whole survey, and parts of its tables.

    Attributes
    ----------
    n_searched, n_clumps, n_failed : int
        Rows on disk.
    classes : dict
        Clumps by ``'LLC'``, ``'SLC'`` and ``''``; empty where there was no classifier.
    n_without : int
        Galaxies without clumps.
    flags : dict or None
        Clumps by name of a flag; None where nothing was measured. ``'UNKNOWN'`` counts clumps with bits that have no name.
    n_flagged : int
    failures : list of FailureGroup
        The most frequent first; `n_groups` is how many kinds there are, at most 1000 and one for all others.
    top_clumps, top_galaxies : list of dict
        Rows for the tables, the highest first.
    top_by : str
        Column that clumps were chosen by, ``'mass'`` or ``'score'``.
    clumps, galaxies : `~astropy.table.QTable`
        Every ``step``-th galaxy and its clumps.
    step : int
    marks : dict
        Rows of the clumps of ``pictured`` galaxies, by galaxy.
    hosts : dict
        Their rows in the table of galaxies.
    """

    n_searched: int
    n_clumps: int
    n_failed: int
    classes: dict
    n_without: int
    flags: "dict | None"
    n_flagged: int
    failures: list
    top_clumps: list
    top_galaxies: list
    top_by: str
    clumps: QTable
    galaxies: QTable
    step: int
    marks: dict
    hosts: dict


class Parts:
    """Rows of the parts of a survey that are complete, a piece at a time.

    Parameters
    ----------
    survey : `~astroclumps.survey.dataset.Survey`
    """

    def __init__(self, survey):
        self.survey = survey

    def count(self, kind) -> int:
        """Rows of a kind, from the ends of the files."""
        return sum(file.metadata.num_rows for file in self._files(kind))

    def units(self, kind) -> dict:
        """Units of the columns, as text."""
        for file in self._files(kind):
            return {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in file.schema_arrow}
        return {}

    def pieces(self, kind, columns=None, keep=None):
        """Tables of some 50,000 rows, in the order of the parts.

        Parameters
        ----------
        kind : str
        columns : collection of str, optional
            Those of them that there are. Default: all.
        keep : callable, optional
            From a record batch to a mask of its rows.

        Yields
        ------
        pyarrow.Table

        Raises
        ------
        SurveyError
            A file is missing or damaged.
        """
        import pyarrow as pa

        held, n = [], 0
        for file in self._files(kind):
            if not file.metadata.num_rows:
                continue
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            try:
                for batch in file.iter_batches(batch_size=_PIECE, columns=names, use_threads=False):
                    held.append(batch if keep is None else batch.filter(keep(batch)))
                    n += len(held[-1])
                    if n >= _PIECE:
                        yield pa.Table.from_batches(held)
                        held, n = [], 0
            except (pa.ArrowException, OSError) as exc:
                raise self._unreadable(kind, exc) from exc
        if n:
            yield pa.Table.from_batches(held)

    def _files(self, kind):
        import pyarrow as pa
        import pyarrow.parquet

        for path in self.survey.files(kind):
            try:
                with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
                    yield file
            except (pa.ArrowException, OSError) as exc:
                raise self._unreadable(kind, exc) from exc

    def _unreadable(self, kind, exc):
        text = " ".join(str(exc).split())
        return SurveyError(f"a part of {self.survey.path / kind} cannot be read: {text}; run the survey again, which mends it")


def read_report_data(parts: Parts, *, limit: int, max_clumps: int, pictured) -> ReportData:
    """Read a survey once.

    Parameters
    ----------
    parts : Parts
    limit : int
        Rows for each table.
    max_clumps : int
        About how many clumps the figures are made of: of every k-th galaxy where there are more.
    pictured : collection of str
        Galaxies whose clumps are wanted one by one.

    Returns
    -------
    ReportData
    """
    import pyarrow.compute as pc

    step = max(1, -(-parts.count("clumps") // max_clumps), -(-parts.count("galaxies") // (2 * max_clumps)))
    pictured = _strings(pictured)

    n_searched = n_without = 0
    top, kept, hosts = _Top("n_clumps", limit), [], {}
    for piece in parts.pieces("galaxies", _GALAXIES):
        n_without += pc.sum(pc.equal(piece["n_clumps"], 0)).as_py() or 0
        top.add(piece)
        kept.append(piece.take(np.arange(-n_searched % step, len(piece), step)))
        hosts |= {row["galaxy"]: row for row in piece.filter(pc.is_in(piece["galaxy"], pictured)).to_pylist()}
        n_searched += len(piece)
    galaxies = _qtable(kept, _GALAXIES)

    chosen = None if step == 1 else _strings(galaxies["galaxy"])
    flags, n_flagged, n_clumps, classes, marks, kept = None, 0, 0, Counter(), {}, []
    by = "score"
    for piece in parts.pieces("clumps", _CLUMPS):
        if not n_clumps:
            by = "mass" if "mass" in piece.column_names else "score"
            top_clumps = _Top(by, limit)
        n_clumps += len(piece)
        top_clumps.add(piece)
        if "longevity" in piece.column_names:
            classes.update({one["values"] or "": one["counts"] for one in pc.value_counts(piece["longevity"]).to_pylist()})
        if "flags" in piece.column_names:
            flags = Counter() if flags is None else flags
            n_flagged += _count_flags(piece["flags"].to_numpy(), flags)
        for row in piece.filter(pc.is_in(piece["galaxy"], pictured)).to_pylist() if len(pictured) else ():
            marks.setdefault(row["galaxy"], []).append(row)
        kept.append(piece if chosen is None else piece.filter(pc.is_in(piece["galaxy"], chosen)))
    failures, n_failed = _failures(parts)
    return ReportData(
        n_searched, n_clumps, n_failed, dict(classes), n_without, None if flags is None else dict(flags), n_flagged, failures,
        top_clumps.rows() if n_clumps else [], top.rows(), by, _qtable(kept, _CLUMPS), galaxies, step, marks, hosts,
    )  # fmt: skip


class _Top:
    """The rows with the highest values of a column; of equal ones those that came first."""

    def __init__(self, column, limit):
        self.column, self.limit, self._heap, self._seen = column, limit, [], 0

    def add(self, piece):
        values = piece[self.column].to_numpy().astype(float)
        values = np.where(np.isnan(values), -np.inf, values)
        order = np.argsort(-values, kind="stable")[: self.limit]
        if len(self._heap) == self.limit:
            order = order[values[order] > self._heap[0][0]] if self.limit else order[:0]
        for value, i, row in zip(values[order], order, piece.take(order).to_pylist(), strict=True):
            one = (float(value), -(self._seen + int(i)), row)
            if len(self._heap) < self.limit:
                heapq.heappush(self._heap, one)
            else:
                heapq.heappushpop(self._heap, one)
        self._seen += len(piece)

    def rows(self):
        return [one[2] for one in sorted(self._heap, key=lambda one: one[:2], reverse=True)]


def _count_flags(values, counts):
    known = 0
    for flag in catalog.Flag:
        known |= int(flag)
        if n := int(((values & int(flag)) != 0).sum()):
            counts[flag.name] += n
    if n := int(((values & ~known) != 0).sum()):
        counts["UNKNOWN"] += n
    return int((values != 0).sum())


def _failures(parts):
    """Kinds of failures, the most frequent first, and how many failures there are."""
    groups, n_failed = {}, 0
    for piece in parts.pieces("failures", ("id", "stage", "error")):
        n_failed += len(piece)
        for name, stage, error in zip(*(piece[column].to_pylist() for column in ("id", "stage", "error")), strict=True):
            name, stage, error = name or "", stage or "", " ".join((error or "").split())
            key = (stage, re.sub(r"\d+", "#", (error.replace(name, "\0") if name else error)[: 4 * _MAX_ERROR]))
            if key not in groups and len(groups) >= _MAX_GROUPS:
                key, error = ("any", ""), f"all others: more than {_MAX_GROUPS} kinds of errors"
            stage = key[0]
            one = groups.setdefault(key, [stage, error[:_MAX_ERROR] + "…" * (len(error) > _MAX_ERROR), 0, []])
            one[2] += 1
            if len(one[3]) < 5:
                one[3].append(name)
    return sorted((FailureGroup(*one) for one in groups.values()), key=lambda one: -one.n), n_failed


def _qtable(pieces, names):
    """Rows of pyarrow tables as a QTable; units are those of the fields."""
    import pyarrow as pa

    table = QTable()
    if not pieces:
        table["galaxy"] = np.array([], dtype="U1")
        return table
    whole = pa.concat_tables(pieces)
    for name in whole.column_names:
        field = whole.schema.field(name)
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_dictionary(field.type):
            table[name] = np.array(["" if one is None else one for one in whole[name].to_pylist()], dtype=str)
            continue
        values, unit = whole[name].to_numpy(), (field.metadata or {}).get(b"unit", b"").decode()
        table[name] = values * u.Unit(unit) if unit else values
    return table


def _strings(names):
    import pyarrow as pa

    return pa.array([str(one) for one in names], pa.string())


def _cut(schema, names):
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in names])
