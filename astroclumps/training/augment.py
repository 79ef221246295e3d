"""What is done to a noiseless image before a network sees it (paper sections 3.2.1 and 3.2.2)."""

import numpy as np

__all__ = ["add_sky", "dihedral", "hide_patch", "lose_bands"]


def dihedral(arrays, *, rng):
    """Turn and reflect arrays together.

    A rotation by a multiple of 90 degrees (none, 90, 180, 270, each 25%) is applied with 50% probability, then a reflection
    about the horizontal or the vertical axis with 50% probability.

    Parameters
    ----------
    arrays : sequence of ndarray
        The last two axes are (y, x), square.
    rng : `numpy.random.Generator`

    Returns
    -------
    arrays : list of ndarray
        Contiguous copies.
    """
    turns = int(rng.integers(0, 4)) if rng.random() < 0.5 else 0
    axis = int(rng.integers(-2, 0)) if rng.random() < 0.5 else None
    out = []
    for array in arrays:
        array = np.rot90(array, turns, axes=(-2, -1))
        out.append(np.array(array if axis is None else np.flip(array, axis), order="C"))
    return out


def hide_patch(image, *, rng, sides=(4, 24)):
    """Set a rectangle of random size and place to zero, in place.

    Parameters
    ----------
    image : ndarray, shape (band, y, x)
    rng : `numpy.random.Generator`
    sides : tuple of int, default (4, 24)
        Smallest and largest side in pixels (METHODS 3, ours).
    """
    height, width = np.minimum(rng.integers(sides[0], sides[1] + 1, 2), image.shape[-2:])
    y = rng.integers(0, image.shape[-2] - height + 1)
    x = rng.integers(0, image.shape[-1] - width + 1)
    image[..., y : y + height, x : x + width] = 0


def add_sky(image, sky, *, rng, background=0.15, depth=0.1):
    """Add sky noise, with a little uncertainty of depth and of the subtracted background.

    Parameters
    ----------
    image : ndarray of float32, shape (band, y, x)
        Noiseless image in uJy.
    sky : `~astroclumps.mock.sky.SkyModel`
    rng : `numpy.random.Generator`
    background : float, default 0.15
        Rms of a constant residual of each band, in units of its sky rms (ours).
    depth : float, default 0.1
        Scatter in dex of the rms, common to all bands (ours).

    Returns
    -------
    noisy : ndarray of float32, shape (band, y, x)
    """
    factor = 10 ** rng.normal(0, depth)
    noise = sky.sample(image.shape[-2:], rng=rng, source=image / factor**2) * factor
    residual = rng.normal(0, background, len(image)) * np.array(sky.rms) * factor
    return (image + noise + residual[:, None, None]).astype(np.float32)


def lose_bands(n_bands, *, rng, probability=0.25, keep=3):
    """Which bands are present.

    Parameters
    ----------
    n_bands : int
    rng : `numpy.random.Generator`
    probability : float, default 0.25
        Probability that any band is lost (ours).
    keep : int, default 3
        At least so many are kept.

    Returns
    -------
    present : ndarray of bool, shape (n_bands,)
    """
    present = np.ones(n_bands, dtype=bool)
    if rng.random() < probability and n_bands > keep:
        lost = rng.permutation(n_bands)[: rng.integers(1, min(3, n_bands - keep) + 1)]
        present[lost] = False
    return present
