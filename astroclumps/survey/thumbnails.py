"""Small colour pictures of a survey's galaxies."""

import numpy as np

__all__ = ["LARGEST", "thinning", "thumbnail"]

LARGEST = 256
"""Larger images are thinned out to at most so many pixels a side."""

_LOW, _HIGH = 1.0, 99.7  # per cent of the pixels' values that become dark and bright


def thinning(image) -> int:
    """Pixels of an image from one pixel of its picture to the next; pixel i of the picture is pixel ``i * thinning(image)``."""
    return max(1, -(-max(image.data.shape[1:]) // LARGEST))


def thumbnail(image):
    """Red, green and blue of an image: its bands in three groups by wavelength, each stretched by arcsinh.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        One band gives grey, two red and blue with their mean between.

    Returns
    -------
    rgb : ndarray of uint8, shape (y, x, 3)
        The first row is that of y = 0.

    Examples
    --------
    >>> from astroclumps.survey.thumbnails import thumbnail
    >>> from astroclumps.testing import example_image
    >>> thumbnail(example_image()).shape
    (64, 64, 3)
    """
    from .. import bands

    step = thinning(image)
    order = np.argsort([bands.get(name).pivot.to_value("Angstrom") for name in image.bands], kind="stable")
    data = image.data[order][:, ::step, ::step]
    mask = image.mask[order][:, ::step, ::step]
    planes = [_stretched(np.where(m, np.nan, d)) for d, m in zip(data, mask, strict=True)]
    n = len(planes)
    groups = {1: ([0], [0], [0]), 2: ([1], [0, 1], [0])}.get(n)
    if groups is None:
        blue, red = range(max(1, n // 3)), range(n - max(1, n // 3), n)
        groups = (red, range(len(blue), n - len(red)), blue)
    colours = [np.mean([planes[i] for i in group], axis=0) for group in groups]
    return np.round(255 * np.stack(colours, axis=-1)).astype(np.uint8)


def _stretched(plane):
    """Values between 0 and 1; 0 where there is no pixel."""
    good = np.isfinite(plane)
    if not good.any():
        return np.zeros(plane.shape)
    low, middle, high = np.percentile(plane[good].astype(float), [_LOW, 50.0, _HIGH])
    scale = max((high - low) / 10, np.finfo(float).tiny)
    value = np.arcsinh((np.where(good, plane, middle).astype(float) - middle) / scale)
    top = np.arcsinh((high - middle) / scale)
    return np.where(good, np.clip(0.08 + 0.92 * value / top if top > 0 else np.zeros(plane.shape), 0, 1), 0.0)
