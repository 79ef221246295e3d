"""A survey's results, read back."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable

from ..exceptions import SurveyError
from .folder import TABLES, Folder

__all__ = ["Survey"]

__doctest_requires__ = {("Survey",): ["pyarrow"]}


class Survey:
    """The results of `~astroclumps.run_survey`, finished or not.

    Only parts that are complete are read. Each of the folders ``clumps``, ``galaxies`` and ``failures`` of a finished survey is also a
    dataset for others: ``pyarrow.dataset.dataset(out / "clumps")``, ``dask.dataframe.read_parquet``, ``pandas.read_parquet``.

    Parameters
    ----------
    out : path-like
        Folder of the survey.

    Attributes
    ----------
    settings : dict
        What ``survey.json`` holds: ``digest``, ``settings``, ``n_galaxies``, ``n_parts``.
    summary : dict or None
        Counts and times; None until the survey came to its end.
    n_done : int
        Galaxies in complete parts.
    complete : bool
        Whether that is all of them.

    Raises
    ------
    SurveyError
        There is no survey in the folder.

    Examples
    --------
    >>> from astroclumps.survey.dataset import Survey
    >>> Survey("nowhere")
    Traceback (most recent call last):
        ...
    astroclumps.exceptions.SurveyError: there is no survey in nowhere: it has no survey.json, or a damaged one
    """

    def __init__(self, out):
        self.path = Path(out)
        self._folder = Folder(out)
        settings = self._folder.settings
        counted = settings is not None and all(type(settings.get(name)) is int for name in ("n_galaxies", "n_parts"))
        if not counted or not {"settings", "digest"} <= set(settings):
            raise SurveyError(f"there is no survey in {out}: it has no survey.json, or a damaged one")
        self.settings: dict[str, Any] = settings
        self._records = list(self._folder.records(settings["n_parts"]))

    def __repr__(self):
        return f"<Survey {str(self.path)!r}: {self.n_done} of {self.settings['n_galaxies']} galaxies>"

    @property
    def summary(self) -> dict[str, Any] | None:
        return self._folder.summary

    @property
    def n_done(self) -> int:
        return sum(record["galaxies"] for record in self._records)

    @property
    def complete(self) -> bool:
        return self.n_done == self.settings["n_galaxies"]

    def files(self, name: str) -> list[Path]:
        """Files of the complete parts of one of the tables ``'clumps'``, ``'galaxies'``, ``'failures'`` and ``'thumbnails'``."""
        if name not in TABLES:
            raise ValueError(f"name must be one of {', '.join(TABLES)}, got {name!r}")
        return [self._folder.file(name, record["part"]) for record in self._records]

    def clumps(self, columns: Sequence[str] | None = None) -> QTable:
        """All clumps, with units.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to read. Default: all.

        Returns
        -------
        `~astropy.table.QTable`
            ``galaxy``, ``ra`` and ``dec`` (NaN where the image had no WCS), then the columns of `astroclumps.catalog`.
        """
        return self._table("clumps", columns)

    def galaxies(self, columns: Sequence[str] | None = None) -> QTable:
        """All galaxies that were searched, with clumps or without; see `clumps`."""
        return self._table("galaxies", columns)

    def failures(self) -> QTable:
        """``id``, ``stage`` and ``error`` of the galaxies that failed."""
        return self._table("failures", None)

    def thumbnails(self) -> dict[str, np.ndarray]:
        """Small pictures by galaxy: uint8 of the shape (y, x, 3), the first row that of y = 0."""
        table = self._arrow("thumbnails", None)
        found = {}
        for row in table.to_pylist():
            found[row["galaxy"]] = np.frombuffer(row["rgb"], dtype=np.uint8).reshape(row["height"], row["width"], 3)
        return found

    def _arrow(self, name, columns):
        import pyarrow as pa
        import pyarrow.parquet

        files = self.files(name)
        try:
            tables = [pyarrow.parquet.ParquetFile(file).read(columns=columns) for file in files]
        except (OSError, pa.ArrowException) as exc:
            raise SurveyError(f"a part of {self.path / name} cannot be read: {exc}; run the survey again, which mends it") from exc
        if not tables:
            raise SurveyError(f"no part of the survey in {self.path} is complete yet")
        if columns is not None:
            missing = [one for one in columns if one not in tables[0].column_names]
            if missing:
                known = pyarrow.parquet.read_schema(files[0]).names
                raise ValueError(f"{self.path / name} has no column {missing[0]!r}, but {', '.join(known)}")
        return pa.concat_tables(tables)

    def _table(self, name, columns):
        import astropy.units as u

        arrow = self._arrow(name, columns)
        table = QTable()
        for field in arrow.schema:
            values = arrow[field.name].to_numpy()
            described = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in (field.metadata or {}).items()}
            if values.dtype == object:
                values = np.array([str(one) for one in values.tolist()], dtype=str if len(values) else "U1")
            table[field.name] = values * u.Unit(described["unit"]) if described.get("unit") else values
            table[field.name].info.description = described.get("description")
        meta = json.loads((arrow.schema.metadata or {}).get(b"astroclumps", b"{}"))
        table.meta.update(meta)
        return table
