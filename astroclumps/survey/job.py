"""The work of one process: a part of the list goes in, the bytes of its files come out."""

import hashlib
import io
import pickle
import re
import threading
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import AstroclumpsWarning, NoClumpsWarning
from ..pipeline import Pipeline, StageFailure
from .columns import FAILURES, THUMBNAILS, Field, arrow_schema, arrow_table, clump_rows
from .galaxies import Galaxy
from .sources import ImageSource

__all__ = ["Done", "Job", "Part", "failure_text", "prepared", "work"]

_LONGEST = 500  # characters of an error
_TURN = threading.Lock()  # threads of one process take turns: warnings and caches are the process's


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is the same for all parts of a survey.

    Attributes
    ----------
    pipeline : `~astroclumps.Pipeline`
    source : `~astroclumps.survey.sources.ImageSource`
    bands : tuple of str
        Bands that the tables have columns for.
    clumps, galaxies : tuple of Field
        Columns of the two tables.
    meta : dict
        Written into the schema of each file.
    batch : int
        Images that are in memory at once.
    """

    pipeline: Pipeline
    source: ImageSource
    bands: tuple[str, ...]
    clumps: tuple[Field, ...]
    galaxies: tuple[Field, ...]
    meta: dict[str, Any]
    batch: int


class Part(NamedTuple):
    """Galaxies that are worked on and written together; pictures are kept of those whose place is in ``pictured``."""

    number: int
    galaxies: tuple[Galaxy, ...]
    pictured: frozenset[int] = frozenset()


class Done(NamedTuple):
    """What became of a part.

    Attributes
    ----------
    number : int
    files : dict of str to bytes
        Parquet files by the name of their folder.
    rows : dict of str to int
    counts : dict of str to int
        ``long`` and ``short``: clumps of the classes LLC and SLC.
    seconds : dict of str to float
        By stage.
    warnings : dict of str to int
        How often each text was said.
    peak_memory : int
        Bytes, the largest of the process so far.
    """

    number: int
    files: dict[str, bytes]
    rows: dict[str, int]
    counts: dict[str, int]
    seconds: dict[str, float]
    warnings: dict[str, int]
    peak_memory: int


def prepared(image, bands, *, fitted):
    """The image with the bands of the survey only.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
    bands : sequence of str
    fitted : bool
        Whether stellar populations will be fitted.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Raises
    ------
    ValueError
        It has none of the bands, no pixel with light in any of them, or no redshift where one is needed.
    """
    kept = [band for band in bands if band in image.bands]
    if not kept:
        raise ValueError(f"the image has bands {', '.join(image.bands)}, none of the survey's {', '.join(bands)}")
    image = image if tuple(kept) == image.bands else image.select(kept)
    if not _seen(image).any():
        raise ValueError(f"no pixel of {', '.join(kept)} holds a value: all are masked, NaN or 0")
    if fitted and image.redshift is None:
        raise ValueError(
            "the list has no redshift for it and its file states none, which masses and ages need: add a column redshift to the list, or "
            "leave the fit out with Pipeline(sed=None), on the command line --no-sed"
        )
    return image


def _seen(image):
    """Which bands have a pixel that is not masked and not 0."""
    return (~image.mask & (image.data != 0)).any(axis=(1, 2))


def failure_text(error: BaseException) -> str:
    """Class and message in one line, without addresses in memory."""
    text = " ".join(str(error).split())
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


@lru_cache(maxsize=1)
def _unpacked(job: bytes) -> Job:
    """The job of this process; networks that it loaded stay with it."""
    return pickle.loads(job)


def work(job: bytes, part: Part) -> Done:
    """Do a part.

    Parameters
    ----------
    job : bytes
        A pickled `Job`; the same bytes are unpacked once a process.
    part : Part

    Returns
    -------
    Done
        Depends on the job and the galaxies' images only.
    """
    from ..config import conf

    with _TURN, conf.set_temp("n_jobs", 1):  # the number of threads changes how sums are rounded
        return _work(_unpacked(job), part)


def _work(job, part):
    clumps, galaxies, failures, pictures, said = [], [], [], [], {}
    seconds: dict[str, float] = {}
    counts = {"long": 0, "short": 0}
    for first in range(0, len(part.galaxies), job.batch):
        images, places = [], []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            begin = time.perf_counter()
            for place in range(first, min(first + job.batch, len(part.galaxies))):
                try:
                    images.append(prepared(job.source.read(part.galaxies[place]), job.bands, fitted=job.pipeline.sed is not None))
                    places.append(place)
                except Exception as exc:
                    failures.append((place, "read", failure_text(exc)))
            seconds["read"] = seconds.get("read", 0.0) + time.perf_counter() - begin
            results = job.pipeline.run_many(images, seconds=seconds)
        _count(caught, said, {repr(image.name) for image in images})
        for place, image, result in zip(places, images, results, strict=True):
            galaxy = part.galaxies[place]
            if isinstance(result, StageFailure):
                failures.append((place, result.stage, failure_text(result.error)))
                continue
            classes = np.asarray(result.clumps["longevity"]) if "longevity" in result.clumps.colnames else np.array([])
            n_long, n_short = int(np.sum(classes == "LLC")), int(np.sum(classes == "SLC"))
            clumps.append(clump_rows(result.clumps, job.clumps, galaxy.id))
            galaxies.append(_searched(galaxy, image, len(result.clumps), n_long, n_short, job.galaxies))
            counts["long"] += n_long
            counts["short"] += n_short
            if place in part.pictured:
                pictures.append(_picture(galaxy, image))
    begin = time.perf_counter()
    failures.sort()
    failed = [{"id": [part.galaxies[place].id], "stage": [stage], "error": [text]} for place, stage, text in failures]
    tables = {
        "clumps": arrow_table(clumps, job.clumps, arrow_schema(job.clumps, job.meta)),
        "galaxies": arrow_table(galaxies, job.galaxies, arrow_schema(job.galaxies, job.meta)),
        "failures": arrow_table(failed, FAILURES, arrow_schema(FAILURES)),
        "thumbnails": arrow_table(pictures, THUMBNAILS, arrow_schema(THUMBNAILS)),
    }
    files = {name: _parquet(table) for name, table in tables.items()}
    seconds["write"] = time.perf_counter() - begin
    rows = {name: table.num_rows for name, table in tables.items()}
    return Done(part.number, files, rows, counts, seconds, said, _peak_memory())


def lost(job: bytes, part: Part, error: str) -> Done:
    """A part whose galaxies all ended the process that worked on them."""
    found = _unpacked(job)
    failed = [{"id": [galaxy.id], "stage": ["worker"], "error": [error]} for galaxy in part.galaxies]
    tables = {
        "clumps": arrow_table([], found.clumps, arrow_schema(found.clumps, found.meta)),
        "galaxies": arrow_table([], found.galaxies, arrow_schema(found.galaxies, found.meta)),
        "failures": arrow_table(failed, FAILURES, arrow_schema(FAILURES)),
        "thumbnails": arrow_table([], THUMBNAILS, arrow_schema(THUMBNAILS)),
    }
    files = {name: _parquet(table) for name, table in tables.items()}
    rows = {name: table.num_rows for name, table in tables.items()}
    return Done(part.number, files, rows, {"long": 0, "short": 0}, {}, {}, 0)


def joined(number: int, pieces: list[Done]) -> Done:
    """One part of pieces that were worked on one after the other."""
    import pyarrow as pa
    import pyarrow.parquet

    files, rows = {}, {}
    for name in pieces[0].files:
        table = pa.concat_tables([pyarrow.parquet.read_table(io.BytesIO(piece.files[name])) for piece in pieces])
        files[name], rows[name] = _parquet(table), table.num_rows
    sums: list[dict[str, Any]] = [{}, {}, {}]
    for piece in pieces:
        for total, one in zip(sums, (piece.counts, piece.seconds, piece.warnings), strict=True):
            for key, value in one.items():
                total[key] = total.get(key, 0) + value
    return Done(number, files, rows, *sums, max(piece.peak_memory for piece in pieces))


def sha256(data: bytes) -> str:
    """Of the bytes of a file."""
    return hashlib.sha256(data).hexdigest()


def _searched(galaxy, image, n_clumps, n_long, n_short, fields):
    ra, dec = galaxy.ra, galaxy.dec
    if (ra is None or dec is None) and image.wcs is not None:
        sky = image.sky((image.data.shape[2] - 1) / 2, (image.data.shape[1] - 1) / 2)
        ra, dec = float(sky.ra.deg), float(sky.dec.deg)
    known = {
        "galaxy": galaxy.id,
        "ra": np.nan if ra is None else ra,
        "dec": np.nan if dec is None else dec,
        "redshift": np.nan if image.redshift is None else image.redshift,
        "n_clumps": n_clumps,
        "n_long": n_long,
        "n_short": n_short,
        "pixel_scale": round(float(image.pixel_scale.to_value("arcsec")), 9),
        "n_bands": int(_seen(image).sum()),
    }
    values = [*known.values(), *galaxy.fields.values()]
    return {field.name: [value] for field, value in zip(fields, values, strict=True)}


def _picture(galaxy, image):
    from .thumbnails import thinning, thumbnail

    rgb = thumbnail(image)
    sizes = {"height": [rgb.shape[0]], "width": [rgb.shape[1]], "step": [thinning(image)]}
    return {"galaxy": [galaxy.id], **sizes, "rgb": [rgb.tobytes()]}


def _count(caught, said, names):
    """Add texts of warnings, in which the name of an image does not count."""
    for one in caught:
        if issubclass(one.category, NoClumpsWarning):
            continue
        text = " ".join(str(one.message).split())
        text = re.sub("|".join(map(re.escape, sorted(names))), "an image", text)[:_LONGEST] if names else text[:_LONGEST]
        if not issubclass(one.category, AstroclumpsWarning):
            text = f"{one.category.__name__}: {text}"
        if text in said or len(said) < 50:
            said[text] = said.get(text, 0) + 1


def _parquet(table):
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _peak_memory():
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
