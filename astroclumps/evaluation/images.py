"""The images of a set as a user has them, with noise, and what detectors and classifiers say of them."""

import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import astropy.units as u
import numpy as np

from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.image import MultiBandImage

from .truth import PIXEL

__all__ = ["classify_images", "detect_images", "image_of", "sample_of"]

_CHUNK = 16  # images that a process is given at once


def image_of(galaxy_set, i, *, seed):
    """Image ``i`` of a set with its noise, as a `~astroclumps.MultiBandImage`.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    i : int
    seed : int
        Of the noise: the same seed gives the same pixels to everyone.

    Returns
    -------
    image : `~astroclumps.MultiBandImage`
        With redshift and PSF, named after galaxy, snapshot and camera.
    """
    return _image(*_planes(galaxy_set, i, seed))


def _planes(galaxy_set, i, seed):
    name = f"galaxy {galaxy_set.galaxy[i]}, snapshot {galaxy_set.snapshot[i]}, {galaxy_set.camera[i]}"
    return galaxy_set.noisy(i, seed=seed), galaxy_set.bands, np.asarray(galaxy_set.psf_fwhm[i]), float(galaxy_set.redshift[i]), name


def _image(data, bands, psf_fwhm, redshift, name):
    return MultiBandImage(
        data=data * u.uJy, bands=bands, pixel_scale=PIXEL * u.arcsec, psf=psf_fwhm * u.arcsec, redshift=redshift, name=name
    )  # fmt: skip


def sample_of(galaxy_set, n, *, seed=0):
    """Numbers of ``n`` images drawn without replacement, in rising order; all of them where there are no more.

    Every galaxy gives as nearly as possible the same share of its images, so that errors over galaxies stay meaningful.
    """
    total = len(galaxy_set)
    if n is None or n >= total:
        return np.arange(total)
    if n < 1:
        raise ValueError(f"the number of images must be at least 1, got {n}")
    rng = np.random.default_rng(seed)
    place = np.empty(total)
    for galaxy in np.unique(galaxy_set.galaxy):
        mine = np.flatnonzero(galaxy_set.galaxy == galaxy)
        place[mine] = (rng.permutation(len(mine)) + rng.random()) / len(mine)
    return np.sort(np.argsort(place, kind="stable")[:n])


def _quietly(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        return function(*args)


def _find(find, images):
    out = []
    for one in images:
        found = _quietly(find, _image(*one))
        out.append(tuple(np.asarray(part, dtype=float) for part in found))
    return out


def _judge(classifier, images, places):
    out = []
    for one, (x, y) in zip(images, places, strict=True):
        image = _image(*one)
        from astroclumps.detection.sources import detection_table

        table = detection_table(image, x, y, np.ones(len(x)), np.ones(len(x)), history="detections to be judged")
        out.append(np.asarray(_quietly(classifier.classify, image, table)["p_long"], dtype=float) if len(x) else np.zeros(0))
    return out


def _mapped(function, first, chunks, n_jobs, progress, label):
    from contextlib import nullcontext

    def bar(iterable, total):
        if not progress:
            return iterable
        try:
            from tqdm import tqdm
        except ImportError:  # it comes with the extra ml; a detector may need none
            return iterable
        return tqdm(iterable, total=total, desc=label)

    n = len(chunks)
    pool = ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) if n_jobs > 1 and n > 1 else nullcontext()
    out = []
    with pool:
        if n_jobs <= 1 or n <= 1:
            for chunk in bar(chunks, n):
                out += function(first, *chunk())
            return out
        jobs = []
        for k in range(n):  # only a few chunks of pixels wait at a time
            jobs.append(pool.submit(function, first, *chunks[k]()))
            if k >= 2 * n_jobs:
                jobs[k - 2 * n_jobs].exception()
        for job in bar(jobs, n):
            out += job.result()
    return out


def detect_images(galaxy_set, find, *, seed, n_jobs=1, progress=False):
    """Detections of one finder in all images of a set, with noise.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    find : callable
        Takes a `~astroclumps.MultiBandImage`, gives x, y (pixels) and score: one of `astroclumps.evaluation.finders`. With more than one
        process it must be picklable.
    seed : int
        Of the noise.
    n_jobs : int, default 1
        Processes.
    progress : bool, default False

    Returns
    -------
    detections : list of (x, y, score)
    """
    numbers = np.arange(len(galaxy_set))
    chunks = [
        lambda part=part: ([_planes(galaxy_set, i, seed) for i in part],) for part in np.split(numbers, numbers[_CHUNK::_CHUNK])
    ]  # fmt: skip
    return _mapped(_find, find, chunks if len(numbers) else [], n_jobs, progress, "images searched")


def classify_images(galaxy_set, detections, classifier, *, seed, n_jobs=1, progress=False):
    """Probability of being long-lived of every detection.

    Parameters
    ----------
    galaxy_set, seed, n_jobs, progress
        As in `detect_images`; the same seed gives the pixels that the detections were found in.
    detections : list of (x, y, score)
    classifier : object
        Has ``classify(image, clumps)``, such as `~astroclumps.LongevityClassifier`.

    Returns
    -------
    p_long : list of ndarray
        One an image; NaN where the classifier gives none.
    """
    numbers = np.arange(len(galaxy_set))
    if len(detections) != len(numbers):
        raise ValueError(f"detections must list every image of the set, {len(numbers)}, got {len(detections)}")
    chunks = [
        lambda part=part: ([_planes(galaxy_set, i, seed) for i in part], [detections[i][:2] for i in part])
        for part in np.split(numbers, numbers[_CHUNK::_CHUNK])
    ]
    return _mapped(_judge, classifier, chunks if len(numbers) else [], n_jobs, progress, "images classified")
