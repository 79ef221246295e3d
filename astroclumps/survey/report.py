"""One page about a survey: what was found, how, at what cost, and what failed. A single HTML file that loads nothing."""

import base64
import hashlib
import json
import math
import os
import re
from pathlib import Path

import astropy.units as u
import numpy as np

from ..exceptions import SurveyError
from .dataset import Survey
from .folder import Folder
from .report_data import Parts, read_report_data
from .report_figures import population_blocks
from .report_pictures import choose, data_uri, pictures_of
from .report_tables import clump_table, flag_rows, galaxy_table

__all__ = ["write_report"]

__doctest_requires__ = {("write_report",): ["pyarrow", "jinja2", "matplotlib"]}

_DATA = Path(__file__).parents[1] / "data"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WEIGHTS = re.compile(r"weights (\S+) (\S+) sha256 ([0-9a-f]{64})")
_KEY = (("circle", "LLC", "long-lived (LLC)"), ("square", "SLC", "short-lived (SLC)"), ("diamond", "other", "without class"))
_STAGES = ("read", "detector", "classifier", "photometry", "sed", "write")
_MOST_GROUPS = 50
_MOST_SETTINGS = 100_000  # characters


def write_report(
    out, path=None, *, overwrite: bool = False, limit: int = 500, pictures: int = 24, max_clumps: int = 100_000, n_bootstrap: int = 200,
    title: str | None = None,
) -> Path:  # fmt: skip
    """Write a survey's report as one HTML page, of a finished survey or an unfinished one.

    The page holds counts and rate, times by stage, pictures with numbered clumps, what the clumps say together
    (``astroclumps.population``), tables to sort and search, flags, failures, settings and sha256 of weights. It loads nothing, from the
    network or elsewhere. The same survey gives the same bytes.

    Parameters
    ----------
    out : path-like
        Folder of the survey.
    path : path-like, optional
        File to write. Default: ``report.html`` in ``out``, which replaces an older one.
    overwrite : bool, default False
        Replace the file that ``path`` names if there is one.
    limit : int, default 500
        Rows in each of the tables of clumps and galaxies. The page says how many there are in all.
    pictures : int, default 24
        Galaxies that are shown, evenly over those that the survey kept thumbnails of.
    max_clumps : int, default 100,000
        About how many clumps the figures of the population are made of. Of a larger survey they take every k-th galaxy, and say so;
        all counts are of the whole survey.
    n_bootstrap : int, default 200
        Draws of galaxies for the errors of those figures.
    title : str, optional
        Default: 'Survey of n galaxies'.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    SurveyError
        There is no survey in ``out``, or a part of it cannot be read.
    FileExistsError
        The file that ``path`` names is there and ``overwrite`` is False.
    TypeError, ValueError
        A number is not whole or too small.
    ImportError
        jinja2 or pyarrow is not installed. Without matplotlib the page has no figures, and says so.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from astroclumps import Pipeline, run_survey
    >>> from astroclumps.survey.report import write_report
    >>> from astroclumps.testing import example_image
    >>> pipeline = Pipeline(detector="contrast", classifier=None, sed=None)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example_image().write(Path(folder) / "a.fits")
    ...     _ = run_survey(Table({"id": ["a"]}), pipeline, Path(folder) / "out", images=f"{folder}/{{id}}.fits", progress=False)
    ...     page = write_report(Path(folder) / "out")
    ...     page.name, "<title>Survey of 1 galaxy</title>" in page.read_text()
    ('report.html', True)
    """
    for name, value, least in (
        ("limit", limit, 0),
        ("pictures", pictures, 0),
        ("max_clumps", max_clumps, 1),
        ("n_bootstrap", n_bootstrap, 2),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    environment, markup = _jinja()
    survey = Survey(out)
    own = path is None
    path = Path(out) / "report.html" if own else Path(path)
    if path.exists() and not (overwrite or own):
        raise FileExistsError(f"{path} is there already; name another file, or have it overwritten")
    page = environment.get_template("report.html.j2").render(
        **_inline(markup), **_content(survey, limit, pictures, max_clumps, n_bootstrap, title)
    )
    _write(path, page.strip().encode("utf-8") + b"\n")
    return path


def _jinja():
    try:
        import jinja2
        import pyarrow  # noqa: F401
        from markupsafe import Markup
    except ImportError as exc:
        raise ImportError(f'a report needs {exc.name}; install it with  pip install "astroclumps[survey]"') from exc

    def clean(value):
        return _CONTROL.sub("\ufffd", value) if type(value) is str else value

    options = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "finalize": clean}
    return jinja2.Environment(loader=jinja2.FileSystemLoader(_DATA), **options), Markup


def _inline(markup):
    """Style and script, and their digests: the page allows no other."""
    found = {}
    for name, file in (("style", "report.css"), ("script", "report.js")):
        text = (_DATA / file).read_text(encoding="utf-8")
        found[name] = markup(text)
        found[f"{name}_hash"] = "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return found


def _content(survey, limit, pictures, max_clumps, n_bootstrap, title):
    from .. import __version__

    parts = Parts(survey)
    thumbnails, n_kept = choose(parts, pictures)
    data = read_report_data(parts, limit=limit, max_clumps=max_clumps, pictured=list(thumbnails))
    units = parts.units("clumps")
    written, summary = survey.settings, survey.summary or {"stage_seconds": _times_so_far(survey)}
    n = int(written["n_galaxies"])
    settings = written["settings"] if isinstance(written["settings"], dict) else {}
    history = [str(line) for line in settings.get("history", ())]
    stages = _stages(summary, data.n_searched + data.n_failed)
    said = summary.get("warnings")
    shown = pictures_of(thumbnails, data.marks, data.hosts, _factor(units.get("mass"), u.Msun))
    names = {mark.name if mark.name in ("LLC", "SLC") else "other" for one in shown for mark in one.marks}
    return {
        "version": __version__,
        "title": title or f"Survey of {_plural(n, 'galaxy', 'galaxies')}",
        "state": _state(survey, n),
        "warnings": _doubts(survey, data, summary),
        "cards": _cards(survey, data, summary, n),
        "stages": stages,
        "said": [(str(text), f"{count:,}") for text, count in said.items()] if isinstance(said, dict) else [],
        "pictures": shown,
        "key": [one for one in _KEY if one[1] in names],
        "pictures_statement": _pictures_statement(shown, n_kept, data),
        "population_statement": _population_statement(data),
        "blocks": [
            block._asdict() | {"uri": "" if block.figure is None else data_uri(block.figure)}
            for block in population_blocks(data.clumps, data.galaxies, n_bootstrap=n_bootstrap)
        ],
        "clumps": clump_table(data, units, _factor),
        "galaxies": galaxy_table(data),
        "flags": flag_rows(data),
        "flags_statement": _flags_statement(data),
        "failures": [one._asdict() | {"n": f"{one.n:,}"} for one in data.failures[:_MOST_GROUPS]],
        "failures_statement": _failures_statement(data),
        "digest": str(written["digest"]),
        "weights": _weights(history),
        "history": history,
        "settings": _shortened(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)),
        "footer": f"Made by astroclumps {__version__} from the folder's survey.json, summary.json and complete parts.",
    }


def _state(survey, n):
    if survey.complete:
        return f"Complete: {'the galaxy' if n == 1 else f'all {n:,} galaxies'} of the list {'is' if n == 1 else 'are'} dealt with."
    return f"Unfinished: {survey.n_done:,} of {n:,} galaxies are dealt with so far; this page is about them. Run the same again to go on."


def _doubts(survey, data, summary):
    """Where the files do not agree with each other."""
    doubts = []
    if survey.summary:
        counted = {"n_searched": data.n_searched, "n_failed": data.n_failed, "n_clumps": data.n_clumps}
        counted |= {"n_long": data.classes.get("LLC", 0), "n_short": data.classes.get("SLC", 0)}
        for name, value in counted.items():
            if name in summary and summary[name] != value:
                doubts.append(f"summary.json has {name} = {summary[name]}, but the parts hold {value}; this page goes by the parts.")
    if data.n_searched + data.n_failed != survey.n_done:
        rows = f"{data.n_searched:,} rows of galaxies and {data.n_failed:,} of failures"
        doubts.append(f"the parts are said to hold {survey.n_done:,} galaxies, but have {rows}.")
    return doubts


def _cards(survey, data, summary, n):
    def share(part, whole):
        return f"{part / whole:.1%}" if whole else ""

    cards = [("galaxies in the list", f"{n:,}", ""), ("searched", f"{data.n_searched:,}", share(data.n_searched, n))]
    cards.append(("failed", f"{data.n_failed:,}", share(data.n_failed, n)))
    if not survey.complete:
        cards.append(("still to do", f"{n - survey.n_done:,}", share(n - survey.n_done, n)))
    each = f"{data.n_clumps / data.n_searched:.2f} a galaxy" if data.n_searched else ""
    cards.append(("clumps", f"{data.n_clumps:,}", each))
    cards.append(("galaxies without clumps", f"{data.n_without:,}", share(data.n_without, data.n_searched)))
    if data.classes:
        for key, text in (("LLC", "long-lived (LLC)"), ("SLC", "short-lived (SLC)"), ("", "clumps without class")):
            count = data.classes.get(key, 0)
            if key or count:
                cards.append((text, f"{count:,}", share(count, data.n_clumps)))
    rate, seconds, memory = (_finite(summary.get(name)) for name in ("galaxies_per_second", "seconds", "peak_memory_mb"))
    if rate is not None:
        cards.append(("galaxies a second", f"{rate:.3g}", ""))
    if seconds is not None:
        cards.append(("time", _duration(seconds), ""))
    if memory is not None:
        cards.append(("peak memory", f"{memory:,.0f}", "MB"))
    if _finite(summary.get("peak_worker_memory_mb")):
        cards.append(("peak memory of a worker", f"{summary['peak_worker_memory_mb']:,.0f}", "MB"))
    return cards


def _stages(summary, n):
    found = summary.get("stage_seconds")
    values = {str(name): _finite(value) for name, value in found.items()} if isinstance(found, dict) else {}
    values = {name: value for name, value in values.items() if value is not None and value >= 0}
    total = sum(values.values())
    if not total:
        return []
    rows, start = [], 0.0
    for name in sorted(values, key=lambda name: _STAGES.index(name) if name in _STAGES else len(_STAGES)):
        width = 100 * values[name] / total
        each = 1000 * values[name] / n if n else math.nan
        each = "-" if math.isnan(each) else f"{each:,.0f}" if each >= 100 else f"{each:.2g}"
        rows.append(
            {
                "name": name, "seconds": f"{values[name]:,.1f}", "share": f"{width:.1f}%", "each": each, "start": round(start, 3),
                "width": round(width, 3),
            }
        )  # fmt: skip
        start += width
    return rows


def _times_so_far(survey):
    """Seconds by stage from the log of a survey that has no summary yet."""
    seconds = {}
    for entry in Folder(survey.path).entries():
        for name, value in entry.get("seconds", {}).items():
            seconds[name] = seconds.get(name, 0.0) + value
    return seconds


def _pictures_statement(shown, n_kept, data):
    if not n_kept:
        return "The survey kept no thumbnails."
    if not shown:
        return f"None of the {n_kept:,} galaxies with thumbnails are shown."
    which = "All" if len(shown) == n_kept else f"{len(shown):,} of the"
    return (
        f"{which} {_plural(n_kept, 'galaxy', 'galaxies')} that the survey kept thumbnails of, out of {data.n_searched:,} searched. "
        "Numbers are those of the column id; the row y = 0 is at the bottom. Point at a clump for its values."
    )


def _population_statement(data):
    if data.step == 1:
        return "Of all galaxies that were searched and all their clumps."
    clumps = f"{len(data.clumps):,} of {data.n_clumps:,} clumps"
    return f"Of one galaxy in {data.step}, evenly over the survey: {len(data.galaxies):,} of {data.n_searched:,}, with {clumps}."


def _flags_statement(data):
    if data.flags is None:
        return "There are no flags." if not data.n_clumps else "The clumps have no column flags."
    which = f"{data.n_flagged:,} of {_plural(data.n_clumps, 'clump', 'clumps')}"
    return f"{which} carry a flag: some of their numbers should be looked at before use."


def _failures_statement(data):
    if not data.n_failed:
        return "No galaxy failed."
    ways = _plural(len(data.failures), "way", "ways")
    text = f"{_plural(data.n_failed, 'galaxy', 'galaxies')} failed, in {ways}; the rows are in failures/, as Parquet."
    more = len(data.failures) - _MOST_GROUPS
    return text + (f" The {_MOST_GROUPS} most frequent are shown." if more > 0 else "")


def _weights(history):
    """Networks of the lines of history that name a sha256."""
    return [
        {"user": line.split("(")[0].split(";")[0].strip(), "name": name, "version": version, "sha256": sha256}
        for line in history
        for name, version, sha256 in _WEIGHTS.findall(line)
    ]


def _write(path, data):
    """A file that appears when it is complete."""
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as exc:
        raise SurveyError(f"cannot write {path}: {exc.strerror or exc}") from exc
    finally:
        partial.unlink(missing_ok=True)


def _factor(unit, target):
    """How many ``target`` one of a unit is; NaN where it is another kind."""
    try:
        return u.Unit(unit or "").to(target)
    except (ValueError, u.UnitConversionError):
        return math.nan


def _finite(value):
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None


def _plural(n, one, many):
    return f"{n:,} {one if n == 1 else many}"


def _duration(seconds):
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def _shortened(text):
    return text if len(text) <= _MOST_SETTINGS else f"{text[:_MOST_SETTINGS]}\n… cut; the rest is in survey.json"
