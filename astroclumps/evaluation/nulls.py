"""Detectors that know nothing of clumps: a score that they reach shows nothing (METHODS 3).

Both look at the noiseless light, so that noise does not weaken them.
"""

import numpy as np

from .truth import flatten

__all__ = ["LIT", "dots", "random_points", "stacked_light"]

LIT = 1.0
"""A square is lit where the mean light of its pixels is at least so many times the noise of one pixel, in the stack of all bands (ours)."""


def stacked_light(galaxy_set, i):
    """Light of image ``i`` in all bands over the noise of a pixel, (y, x).

    The noiseless bands are summed with the weights 1/rms^2, and divided by the noise of that sum; bands with rms 0 count as one with
    the least positive rms, or 1.
    """
    rms = np.asarray(galaxy_set.rms[i], dtype=float)
    least = rms[rms > 0].min() if (rms > 0).any() else 1.0
    weight = 1 / np.where(rms > 0, rms, least) ** 2
    return np.tensordot(weight, galaxy_set.data[i], axes=1) / np.sqrt(weight.sum())


def _pixels(light, lit):
    """Light of the pixels that a null may choose: those above the noise, else all that are positive."""
    bright = np.where(light >= lit, light, 0.0)
    return bright if bright.any() else np.clip(light, 0, None)


def random_points(galaxy_set, detections, *, seed, lit=LIT):
    """As many points as a detector found in each image, placed at random where the light is.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list of (x, y, score)
        Of the detector: only their numbers count.
    seed : int
    lit : float, default 1
        Pixels below so many times the noise (`stacked_light`) are not chosen.

    Returns
    -------
    points : list of (x, y, score)
        The chance of a pixel is its share of the image's light in the stack of all bands; within the pixel any place is as likely. Scores
        are random numbers, and those of an image are as many as the detector's.
    """
    flatten(detections, n_images=len(galaxy_set))
    points = []
    for i, found in enumerate(detections):
        rng = np.random.default_rng([int(seed), int(galaxy_set.galaxy[i]), int(galaxy_set.index[i])])
        n = len(np.atleast_1d(found[0]))
        light = _pixels(stacked_light(galaxy_set, i), lit)
        if n == 0 or light.sum() == 0:
            points.append((np.zeros(0), np.zeros(0), np.zeros(0)))
            continue
        row, column = np.divmod(rng.choice(light.size, n, p=light.ravel() / light.sum()), light.shape[1])
        points.append((column + rng.uniform(-0.5, 0.5, n), row + rng.uniform(-0.5, 0.5, n), rng.random(n)))
    return points


def dots(galaxy_set, *, size=10, lit=LIT):
    """One point in the middle of each lit square.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    size : int, default 10
        Side of the squares in pixels; they tile the image as those of `astroclumps.evaluation.squares`.
    lit : float, default 1
        A square is lit where the mean of `stacked_light` over its pixels is at least this: light above the noise of one pixel.

    Returns
    -------
    points : list of (x, y, score)
        The score is that mean, so that a cut on it leaves the brightest squares.
    """
    ny, nx = galaxy_set.data.shape[-2:]
    rows, columns = ny // size, nx // size
    points = []
    for i in range(len(galaxy_set)):
        light = stacked_light(galaxy_set, i)[: rows * size, : columns * size]
        mean = light.reshape(rows, size, columns, size).mean(axis=(1, 3))
        row, column = np.nonzero(mean >= lit)
        middle = (size - 1) / 2
        points.append((column * size + middle, row * size + middle, mean[row, column]))
    return points
