"""The simulated arm: images of a `~astroclumps.training.galaxy_set.GalaxySet`, judged by networks that never saw their galaxies."""

import hashlib
import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.evaluation.images import image_of, sample_of
from astroclumps.evaluation.stamp_truth import stamp_classes
from astroclumps.longevity.stamps import STAMP, stamp_origin
from astroclumps.pipeline import Pipeline

from .arm import Arm, join
from .measured import measure_image

__all__ = ["TRUTH", "suite_arm"]

_MIN_STARS = 10
_NEAR = 3.0  # pixels, METHODS 3

TRUTH = ("true_mass", "true_mass_total", "true_age", "true_class", "near_mass", "near_class")
"""Columns that a simulated arm has besides; see `suite_arm`."""


def suite_arm(data, *, out, predictions=None, images=None, region=6, pipeline=None, seed=0, n_jobs=1, progress=False) -> Arm:
    """Take the images of a set through the pipeline.

    Parameters
    ----------
    data : path-like
        Folder of the set. Without ``predictions`` the networks of the pipeline look at it: then its galaxies must not be those that the
        networks learned from.
    out : path-like
        Folder for the parts, one a galaxy; those that are there are not made again.
    predictions : `~astroclumps.training.predictions.Predictions`, optional
        Of the folds, with ``p_long``: each galaxy judged by networks that never saw it. Default: the pipeline's own.
    images : int, optional
        Take so many images, the same number of every galaxy as nearly as possible. Default: all.
    region : int, default 6
        Side in pixels of the square whose clumps make the true class of a detection, that of ``cnn-synthetic`` (ours; paper: 10).
    pipeline : `~astroclumps.Pipeline`, optional
        Default: ``Pipeline()``.
    seed : int, default 0
        Of the choice of images, and of the noise; with predictions the noise has their seed.
    n_jobs : int, default 1
        Processes, a galaxy each.
    progress : bool, default False

    Returns
    -------
    arm : Arm
        Clumps also have ``true_mass`` (surviving mass of the stars of the 3D clumps of at least 10 stars, bulge left out, that lie in the
        square of 10 pixels around the detection, Msun; 0 for none), ``true_mass_total`` (with gas), ``true_age`` (mean over those stars,
        Gyr), ``true_class`` ('LLC', 'SLC', 'ZLC' or '', of the square of ``region`` pixels, as
        `~astroclumps.evaluation.stamp_truth.stamp_classes` has it), ``near_mass`` and ``near_class`` (stars, and longevity, of the nearest
        such clump within 3 pixels). Galaxies have ``image``, ``snapshot``, ``camera``, ``disc_mass``. ``parent`` is the simulated galaxy.

    Raises
    ------
    ValueError
        The folder holds parts that were made with other settings, or the predictions lack classes or images.
    """
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import nullcontext
    from multiprocessing import get_context

    from astroclumps.training.galaxy_set import GalaxySet

    galaxies, out, pipeline = GalaxySet(data), Path(out), pipeline or Pipeline()
    chosen = sample_of(galaxies, images, seed=seed)
    rows = None if predictions is None else _rows(galaxies, chosen, predictions)
    seed = seed if predictions is None else predictions.seed
    _claim(out, _settings(galaxies, chosen, pipeline, predictions, region, seed))
    jobs = []
    for galaxy in np.unique(galaxies.galaxy[chosen]):
        mine = chosen[galaxies.galaxy[chosen] == galaxy]
        given = None if rows is None else [_given(predictions, rows[i]) for i in mine]
        first = np.flatnonzero(galaxies.galaxy == galaxy)[0]
        jobs.append((str(data), int(galaxy), mine - first, given, region, pipeline, seed, str(out / f"galaxy-{galaxy:03d}")))
    del galaxies
    n_jobs = min(n_jobs, len(jobs))
    pool = ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) if n_jobs > 1 else nullcontext()
    with pool:
        todo = (pool.submit(_part, *job).result for job in jobs) if n_jobs > 1 else (lambda job=job: _part(*job) for job in jobs)
        done = [one() for one in _bar(list(todo), progress)]
    return join("suite", [Arm.read(folder) for folder in done])


def _bar(jobs, progress):
    if not progress:
        return jobs
    from tqdm import tqdm

    return tqdm(jobs, desc="galaxies measured")


def _rows(galaxies, chosen, predictions):
    """Rows of the predictions of each image above their fold's threshold."""
    if predictions.p_long is None:
        raise ValueError("predictions have no classes; give those that 'astroclumps train cnn' writes")
    missing = np.setdiff1d(chosen, predictions.images)
    if len(missing):
        raise ValueError(f"predictions lack {len(missing)} of {len(chosen)} images; give those of all folds")
    return predictions.rows(len(galaxies))


def _given(predictions, rows):
    return {name: getattr(predictions, name)[rows] for name in ("x", "y", "score", "p_long", "p_long_err")}


def _settings(galaxies, chosen, pipeline, predictions, region, seed):
    """What makes the parts; the digest is of the images' names, depths and light, and of the predictions."""
    digest = hashlib.sha256()
    for values in (galaxies.galaxy[chosen], galaxies.index[chosen], galaxies.galaxy_flux[chosen], galaxies.rms[chosen]):
        digest.update(np.ascontiguousarray(values).tobytes())
    for name in () if predictions is None else ("x", "y", "score", "p_long"):
        digest.update(np.ascontiguousarray(getattr(predictions, name)).tobytes())
    return {
        "pipeline": repr(pipeline), "networks": _networks(pipeline) if predictions is None else "those of the folds",
        "images": len(chosen), "region": region, "seed": int(seed), "digest": digest.hexdigest(),
    }  # fmt: skip


def _networks(pipeline):
    from astroclumps import weights

    named = [getattr(stage, "weights", None) for stage in pipeline.stages.values()]
    kinds = {"detector": "unet", "classifier": "cnn"}
    return {
        kind: weights.sha256(weights.resolve(name, kind=kinds[kind]))
        for kind, name in zip(pipeline.stages, named, strict=True)
        if isinstance(name, str) and kind in kinds
    }


def _claim(out, settings):
    """Take a folder for one choice of settings."""
    file = out / "settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True)
    if file.exists() and file.read_text() != text:
        before = json.loads(file.read_text())
        other = [name for name in settings if settings[name] != before.get(name)]
        raise ValueError(f"{out} holds galaxies measured with another {', '.join(other)}; give another folder, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _part(data, galaxy, index, given, region, pipeline, seed, folder):
    """Measure some images of one galaxy, and keep them."""
    from astroclumps.training.galaxy_set import GalaxySet

    folder = Path(folder)
    try:
        Arm.read(folder)
        return folder
    except FileNotFoundError:
        pass
    images = GalaxySet(data, galaxies=[galaxy])
    parts = []
    for k, i in enumerate(index):
        i = int(i)
        image = image_of(images, i, seed=seed)
        name = f"{galaxy:03d}-{images.snapshot[i]:02d}-{images.camera[i]}"
        clumps, row = measure_image(image, pipeline, name=name, parent=f"{galaxy:03d}", detections=None if given is None else given[k])
        _add_truth(clumps, images.clumps(i), region)
        row |= {"image": i, "snapshot": int(images.snapshot[i]), "camera": str(images.camera[i]), "disc_mass": images.disc_mass[i] * u.Msun}
        parts.append(Arm("suite", clumps, QTable(rows=[row])))
    join("suite", parts).write(folder)
    return folder


def _add_truth(clumps, truth, region):
    x, y = clumps["x"].value, clumps["y"].value
    resolved = (truth["n_stars"] >= _MIN_STARS) & (truth["origin"] != "bulge")
    column, row = stamp_origin(x, y, size=STAMP)
    inside = resolved & (truth["x"] >= column[:, None] - 0.5) & (truth["x"] < column[:, None] + STAMP - 0.5)
    inside &= (truth["y"] >= row[:, None] - 0.5) & (truth["y"] < row[:, None] + STAMP - 0.5)
    stars, age = truth["mass_stars"].astype(float), np.where(truth["mass_stars"] > 0, truth["age"], 0.0)
    mass = inside @ stars
    clumps["true_mass"], clumps["true_mass_total"] = mass * u.Msun, inside @ truth["mass"].astype(float) * u.Msun
    clumps["true_age"] = np.divide(inside @ (stars * age), mass, out=np.full(len(x), np.nan), where=mass > 0) * u.Gyr
    clumps["true_class"] = stamp_classes(truth, x, y, size=region)["label"].astype("U3")
    distance = np.where(resolved, np.hypot(truth["x"] - x[:, None], truth["y"] - y[:, None]), np.inf)
    nearest = distance.argmin(axis=1) if distance.shape[1] else np.zeros(len(x), dtype=int)
    near = distance.min(axis=1, initial=np.inf) <= _NEAR
    clumps["near_mass"] = np.where(near, stars[nearest] if len(stars) else 0.0, 0.0) * u.Msun
    clumps["near_class"] = np.where(near, truth["longevity"][nearest] if len(stars) else "", "").astype("U3")
