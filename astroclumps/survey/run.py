"""`run_survey`: a list of galaxies through the pipeline, by any executor, into parts on disk."""

import pickle
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
from astropy.table import QTable

from ..exceptions import SurveyError
from ..pipeline import Pipeline
from . import plan
from .dataset import Survey
from .folder import FORMAT, Folder
from .galaxies import GalaxyList
from .job import Part
from .progress import Progress
from .sources import make_source
from .workers import finished

__all__ = ["run_survey"]

__doctest_requires__ = {("run_survey",): ["pyarrow"]}


def run_survey(
    galaxies,
    pipeline: Pipeline,
    out,
    executor: Executor | int | None = None,
    *,
    images="{image}",
    options: Mapping[str, Any] | None = None,
    size: int | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    bands=None,
    part_size: int = 100,
    batch: int = 32,
    thumbnails: int = 100,
    look_ahead: int | None = None,
    resume: bool = True,
    overwrite: bool = False,
    retry_failures: bool = False,
    progress: bool = True,
) -> QTable:
    """Find, classify, measure and fit the clumps of many galaxies (all choices are ours; the paper's sample was 1,575 images).

    The list is cut into parts of ``part_size`` galaxies. Each part is worked on by one worker and becomes four Parquet files (clumps,
    galaxies, failures, thumbnails) and a record with their sha256, written last. A survey that was ended by anything goes on where it
    was when the same call is made again: what has a record is not done again, what has none is done from the start. The bytes of the
    parts do not depend on the executor, nor on how often the survey was interrupted.

    Parameters
    ----------
    galaxies : path-like or `~astropy.table.Table`
        FITS, CSV, ECSV, VOTable or Parquet with ``id``, ``ra`` and ``dec`` or ``x`` and ``y``, ``redshift``; see
        `~astroclumps.survey.galaxies.GalaxyList`. Other columns are kept in the table of galaxies.
    pipeline : `~astroclumps.Pipeline`
        What is done with each image.
    out : path-like
        Folder of the results; made where it is not there.
    executor : `~concurrent.futures.Executor`, int or None
        None: in this process. A number: so many processes of this machine, which are started anew when one dies. Any executor of
        processes or threads, or ``distributed.Client(...).get_executor()`` for a cluster; threads of one process take turns.
    images : str, path-like, mapping, sequence or `~astroclumps.survey.sources.ImageSource`
        A pattern with columns of the list in braces (``'images/{id}.fits'``) for files of one galaxy each; files of mosaics else; see
        `~astroclumps.survey.sources.make_source`. Default: the paths in the column ``image`` of the list.
    options : mapping, optional
        Passed to the reader of the images, such as ``{"psf": 0.3 * u.arcsec}``.
    size : int, optional
        Side of a cut-out in pixels. Default: whole files, and 64 pixels of mosaics.
    format : str, optional
        Image reader, for files of one galaxy each.
    columns : mapping, optional
        Names of columns of the list by what they are, such as ``{"id": "NUMBER"}``.
    bands : sequence of str, optional
        Bands that the tables have columns for. Default: those of the first image that can be used. Other bands of an image are left
        out; those that it lacks are NaN.
    part_size : int, default 100
        Galaxies a part.
    batch : int, default 32
        Images that a worker has in memory at once, and that go through a network together.
    thumbnails : int, default 100
        Galaxies, evenly over the list, of which a small picture is kept for the report.
    look_ahead : int, optional
        Parts that are given to the executor at once. Default: two for each of its workers.
    resume : bool, default True
        Go on with the survey in ``out``; False: it is an error if there is one.
    overwrite : bool, default False
        Remove the survey in ``out`` first, whatever its settings were.
    retry_failures : bool, default False
        Do parts again in which a galaxy failed.
    progress : bool, default True
        Show a bar with rate and time left on stderr (needs tqdm).

    Returns
    -------
    failures : `~astropy.table.QTable`
        ``id``, ``stage`` and ``error`` of each galaxy that failed; ``meta['summary']`` counts and times.

    Raises
    ------
    SurveyError
        The list is unfit, no image can be used, ``out`` holds a survey with other settings (the message names them) or is in use, the
        executor broke, or the disk is full. What was finished is kept.
    TypeError, ValueError
        A setting has a wrong value.
    ImportError
        pyarrow is not installed.

    Notes
    -----
    A galaxy that cannot be read, searched, measured or fitted is a row of ``failures`` and stops nothing. With a number as
    executor, a galaxy that ends its process (a crash, or memory) is found by doing its part one galaxy at a time, and becomes a failure
    of the stage ``worker``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from astroclumps import Pipeline, run_survey
    >>> from astroclumps.testing import example_image
    >>> guo = Pipeline(detector="contrast", classifier=None, sed=None)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a", "b"):
    ...         example_image(seed=ord(name)).write(Path(folder) / f"{name}.fits")
    ...     failures = run_survey(
    ...         Table({"id": ["a", "b", "c"]}), guo, Path(folder) / "out", images=f"{folder}/{{id}}.fits", progress=False
    ...     )
    >>> print(failures["id"][0], failures["stage"][0], failures.meta["summary"]["n_searched"])
    c read 2
    """
    _check(pipeline, executor, part_size, batch, thumbnails, look_ahead)
    _import_pyarrow()
    galaxies = galaxies if isinstance(galaxies, GalaxyList) else GalaxyList(galaxies, columns=columns)
    if not len(galaxies):
        raise SurveyError(f"{galaxies.source} holds no galaxies")
    source = make_source(images, options=options, size=size, format=format)
    folder = Folder(out)
    known = bands if bands is not None else source.bands
    if known is None and not overwrite and folder.settings is not None:
        known = folder.settings.get("settings", {}).get("bands")
    known, table = plan.first_image(galaxies, source, pipeline, None if known is None else _band_names(known))
    job = plan.make_job(galaxies, source, pipeline, known, table, batch=batch)
    settings = plan.settings(galaxies, source, pipeline, job, part_size=part_size, thumbnails=thumbnails)
    with folder.lock():
        if overwrite:
            folder.clear()
        before = folder.settings
        n_parts = -(-len(galaxies) // part_size)
        _begin(folder, before, settings, len(galaxies), n_parts, resume=resume)
        todo = _todo(folder, n_parts, retry_failures)
        parts = (_part(galaxies, number, part_size, thumbnails) for number in todo)
        sizes = {number: min(part_size, len(galaxies) - number * part_size) for number in todo}
        _work(folder, job, parts, sizes, len(galaxies), executor, look_ahead, progress)
        summary = _summary(folder, n_parts, len(galaxies))
        folder.finish(summary)
    failures = Survey(out).failures()
    failures.meta["summary"] = summary
    return failures


def _todo(folder, n_parts, retry_failures):
    """Numbers of the parts that are not there, or not whole, or are to be done again."""
    todo = []
    for number in range(n_parts):
        record = folder.record(number)
        if record is None or (retry_failures and record["rows"]["failures"]):
            folder.forget(number)
            todo.append(number)
    return todo


def _work(folder, job, parts, sizes, n_galaxies, executor, look_ahead, progress):
    """Do parts and commit them as they come."""
    begin = time.perf_counter()
    run = 1 + max((entry.get("run", 0) for entry in folder.entries()), default=0)
    done_before = n_galaxies - sum(sizes.values())
    packed = pickle.dumps(job)
    with Progress(n_galaxies, done_before, shown=progress) as bar:
        for done in finished(packed, parts, executor, look_ahead=look_ahead):
            folder.commit(done, sizes[done.number])
            bar.add(sizes[done.number], done.rows["clumps"], done.rows["failures"])
            folder.log(
                {
                    "run": run,
                    "part": done.number,
                    "galaxies": sizes[done.number],
                    "elapsed": round(time.perf_counter() - begin, 3),
                    "seconds": {name: round(value, 4) for name, value in done.seconds.items()},
                    "worker_memory": done.peak_memory,
                    "memory": _memory(),
                }
            )


def _begin(folder, before, settings, n_galaxies, n_parts, *, resume):
    digest = plan.digest(settings)
    if before is None:
        if any(folder.path.glob("manifest/part-*.json")):
            raise SurveyError(f"{folder.path} holds parts of a survey, but its survey.json is gone or damaged; take another folder")
    else:
        if not resume:
            raise FileExistsError(f"{folder.path} holds a survey; resume=True goes on with it, overwrite=True removes it")
        if before.get("digest") != digest:
            changed = plan.difference(before.get("settings"), settings)
            raise SurveyError(
                f"{folder.path} holds a survey with other settings ({'; '.join(changed[:5]) or 'its digest differs'}); take another "
                "folder, the settings as they were, or begin anew with overwrite=True, on the command line --overwrite"
            )
    folder.tidy()
    folder.begin({"format": FORMAT, "digest": digest, "settings": settings, "n_galaxies": n_galaxies, "n_parts": n_parts})


def _part(galaxies, number, part_size, thumbnails):
    n = len(galaxies)
    pictured = np.unique(np.linspace(0, n - 1, min(thumbnails, n)).round().astype(int)) if thumbnails else np.array([], dtype=int)
    first, last = number * part_size, min((number + 1) * part_size, n)
    shown = frozenset((pictured[(pictured >= first) & (pictured < last)] - first).tolist())
    return Part(number, tuple(galaxies[place] for place in range(first, last)), shown)


def _summary(folder, n_parts, n_galaxies):
    """Counts from the records, times from the log."""
    totals = dict.fromkeys(("galaxies", "failures", "clumps"), 0)
    classes = {"long": 0, "short": 0}
    said: dict[str, int] = {}
    for record in folder.records(n_parts):
        for name in totals:
            totals[name] += record["rows"][name]
        for name in classes:
            classes[name] += record["counts"][name]
        for text, count in record["warnings"].items():
            said[text] = said.get(text, 0) + count
    runs: dict[int, float] = {}
    stages: dict[str, float] = {}
    worked, memory, worker_memory = 0, 0, 0
    for entry in folder.entries():
        runs[entry["run"]] = max(runs.get(entry["run"], 0.0), entry["elapsed"])
        worked += entry["galaxies"]
        memory, worker_memory = max(memory, entry["memory"]), max(worker_memory, entry["worker_memory"])
        for name, value in entry["seconds"].items():
            stages[name] = stages.get(name, 0.0) + value
    seconds = sum(runs.values())
    return {
        "n_galaxies": n_galaxies,
        "n_searched": totals["galaxies"],
        "n_failed": totals["failures"],
        "n_clumps": totals["clumps"],
        "n_long": classes["long"],
        "n_short": classes["short"],
        "runs": len(runs),
        "seconds": round(seconds, 3),
        "galaxies_per_second": round(worked / seconds, 3) if seconds > 0 else None,
        "stage_seconds": {name: round(value, 3) for name, value in stages.items()},
        "peak_memory_mb": round(memory / 2**20, 1),
        "peak_worker_memory_mb": round(worker_memory / 2**20, 1),
        "warnings": dict(sorted(said.items(), key=lambda item: (-item[1], item[0]))[:50]),
    }


def _check(pipeline, executor, part_size, batch, thumbnails, look_ahead):
    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"pipeline must be a Pipeline, got {type(pipeline).__name__}; make one with Pipeline(detector='unet', ...)")
    if isinstance(executor, bool) or not (executor is None or isinstance(executor, int) or hasattr(executor, "submit")):
        raise TypeError(f"executor must be None, a number of processes or a concurrent.futures.Executor, got {executor!r}")
    for name, value, least in (("part_size", part_size, 1), ("batch", batch, 1), ("thumbnails", thumbnails, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    for name, value in (("look_ahead", look_ahead), ("executor", executor if isinstance(executor, int) else None)):
        if value is not None and (isinstance(value, bool) or value < 1):
            raise ValueError(f"{name} must be at least 1, got {value!r}")


def _band_names(names):
    from .. import bands

    return bands.names([names] if isinstance(names, str) else names)


def _import_pyarrow():
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as exc:
        raise ImportError('a survey needs pyarrow; install it with  pip install "astroclumps[survey]"') from exc


def _memory():
    from .job import _peak_memory

    return _peak_memory()
