"""What a survey is, before it begins: bands, columns and a digest of all that decides over its numbers."""

import hashlib
import json
import warnings
from dataclasses import fields, is_dataclass
from typing import Any

import astropy.units as u
import numpy as np

from .. import catalog, plugins
from ..exceptions import SurveyError
from ..image import MultiBandImage
from .columns import clump_fields, galaxy_fields
from .job import Job, failure_text, prepared
from .sources import _text

__all__ = ["difference", "digest", "first_image", "make_job", "settings"]

_TRIED = 100  # galaxies that are looked at for one with an image that the pipeline takes


def first_image(galaxies, source, pipeline, bands):
    """The first image of the list that the pipeline takes, and its catalogue once all light was taken out of it.

    Parameters
    ----------
    galaxies : `~astroclumps.survey.galaxies.GalaxyList`
    source : `~astroclumps.survey.sources.ImageSource`
    pipeline : `~astroclumps.Pipeline`
    bands : sequence of str or None
        None takes those of the image.

    Returns
    -------
    bands : tuple of str
    table : `~astropy.table.QTable`
        Without rows; its history tells versions and weights.

    Raises
    ------
    SurveyError
        None of the first 100 images can be read and is taken by the pipeline; the message says what the first ones lack.
    """
    reasons = []
    for i in range(min(len(galaxies), _TRIED)):
        galaxy = galaxies[i]
        try:
            image = source.read(galaxy)
            known = tuple(image.bands) if bands is None else tuple(bands)
            return known, _empty_catalogue(prepared(image, known, fitted=pipeline.sed is not None), pipeline)
        except ImportError:
            raise
        except Exception as exc:
            reasons.append(f"{galaxy.id}: {failure_text(exc)}")
    raise SurveyError(
        f"none of the first {len(reasons)} galaxies has an image that can be read and searched, so nothing was begun. "
        + "; ".join(reasons[:3])
    )


def _empty_catalogue(image, pipeline):
    """The catalogue of an image of the same kind in which there is nothing."""
    data = np.zeros((len(image.bands), 64, 64)) * u.uJy
    blank = MultiBandImage(
        data=data, bands=image.bands, pixel_scale=image.pixel_scale, psf=image.psf_fwhm, redshift=image.redshift or 1.0, name="blank"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline.run(blank)


def make_job(galaxies, source, pipeline, bands, table, *, batch) -> Job:
    """The job of the workers."""
    history = [_without_image(line) for line in table.meta.get("history", [])]
    return Job(
        pipeline=pipeline,
        source=source,
        bands=tuple(bands),
        clumps=clump_fields(table, catalog.known_columns(table)),
        galaxies=galaxy_fields(galaxies.fields),
        meta={"history": history, "bands": list(bands)},
        batch=batch,
    )


def settings(galaxies, source, pipeline, job, *, part_size, thumbnails) -> dict[str, Any]:
    """All that decides over the bytes of the parts, as JSON holds it."""
    from .. import __version__

    stages = {"detector": pipeline.detector, "classifier": pipeline.classifier, "sed": pipeline.sed}
    kinds = {"detector": "detectors", "classifier": "classifiers", "sed": "sed_backends"}
    found = {stage: {"plugin": name, "from": _distribution(kinds[stage], name)} for stage, name in stages.items() if name is not None}
    for stage, made in pipeline.stages.items():
        found.setdefault(stage, {})["settings"] = _settings_of(made, pipeline.options.get(stage, {}))
    return {
        "astroclumps": __version__,
        "pipeline": found,
        "history": job.meta["history"],
        "images": source.describe(),
        "galaxies": {"n": len(galaxies), "sha256": galaxies.digest},
        "bands": list(job.bands),
        "part_size": part_size,
        "batch": job.batch,
        "thumbnails": thumbnails,
    }


def digest(found: dict[str, Any]) -> str:
    """Sha256 of settings."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def difference(before, now, path="") -> list[str]:
    """Which settings differ, as ``name: before -> now``.

    Examples
    --------
    >>> from astroclumps.survey.plan import difference
    >>> difference({"sed": {"seed": 0}, "part_size": 100}, {"sed": {"seed": 1}, "part_size": 100})
    ['sed.seed: 0 -> 1']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        names = [*before, *(name for name in now if name not in before)]
        return [line for name in names for line in difference(before.get(name), now.get(name), f"{path}.{name}" if path else name)]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [line for i, (a, b) in enumerate(zip(before, now, strict=True)) for line in difference(a, b, f"{path}[{i}]")]
    return [] if before == now else [f"{path}: {_short(before)} -> {_short(now)}"]


def _short(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _settings_of(made, options):
    """Every setting of a stage with its value, the defaults as well; of other classes, those that were given."""
    if is_dataclass(made):
        return {one.name: _text(getattr(made, one.name)) for one in fields(made) if one.init}
    return {name: _text(options[name]) for name in sorted(options)}


def _distribution(kind, name):
    return next((one.distribution for one in plugins.table() if one.kind == kind and one.name == name), "")


def _without_image(line):
    """A line of the history without the name and redshift of the image that it speaks of."""
    head, mark, _ = str(line).partition("; image 'blank'")
    return head if mark else str(line)
