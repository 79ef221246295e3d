"""Galaxies in an image: their footprints and centres."""

from typing import NamedTuple

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.noise import sky_correlation, sky_rms

from .sources import extract

__all__ = ["Galaxy", "box_mean", "galaxies"]

_ONE_GALAXY = 128  # pixels: images up to this side show one galaxy
_LEAST_AREA = 30  # pixels of the smallest footprint
_SMOOTH = 5  # pixels: boxcar under which footprints are looked for
_SIGMA = 3.0
_DEBLENDING = 0.05  # DEBLEND_MINCONT: parts neighbours from the galaxy
_MARGIN = 2  # pixels around a footprint


class Galaxy(NamedTuple):
    """One galaxy of an image.

    Attributes
    ----------
    window : tuple of slice
        Part (y, x) of the image that holds the footprint.
    footprint : ndarray of bool
        True on the galaxy, in the window.
    x, y : float
        Centre in pixels of the image.
    """

    window: tuple
    footprint: np.ndarray
    x: float
    y: float


def galaxies(image):
    """Find the galaxies of an image.

    The stack of all bands, each divided by its sky rms, is smoothed with a boxcar of 5 pixels; connected regions above 3 sigma, of at
    least 30 pixels, are galaxies. Neighbours that touch are parted with SExtractor's deblending (minimum contrast 0.05). Up to 128
    pixels a side an image shows one galaxy, the region nearest to its middle; in larger ones every region is a galaxy.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Sky-subtracted.

    Returns
    -------
    found : list of Galaxy
        Empty where nothing stands out of the sky. The centre is the light-weighted mean position in the reddest band.

    Examples
    --------
    >>> from astroclumps.detection.galaxy import galaxies
    >>> from astroclumps.testing import example_image
    >>> [galaxy] = galaxies(example_image())
    >>> round(galaxy.x), round(galaxy.y)
    (36, 35)
    """
    from scipy import ndimage

    good = ~image.mask
    scale = [_scale(*planes) for planes in zip(image.data, good, image.sky_rms, strict=True)]
    used = [i for i, value in enumerate(scale) if value > 0]
    if not used:
        return []
    depth = good[used].sum(axis=0)
    seen = depth > 0
    stack = sum(np.where(good[i], image.data[i] / scale[i], 0.0) for i in used) / np.sqrt(np.maximum(depth, 1))
    noise = sky_rms(stack[None], ~seen[None])[0] * _shrink(sky_correlation(stack[None], ~seen[None])[0])
    *_, labels = extract(
        box_mean(stack, seen, _SMOOTH),
        threshold=max(_SIGMA * noise, 1e-3),
        min_pixels=_LEAST_AREA,
        mask=~seen,
        deblend_contrast=_DEBLENDING,
    )
    parts = ndimage.find_objects(labels)
    chosen = range(1, len(parts) + 1)
    height, width = labels.shape
    if parts and max(height, width) <= _ONE_GALAXY:
        y, x = np.indices(labels.shape)
        distance = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)
        area = np.bincount(labels.ravel())[1:]
        chosen = [1 + int(np.lexsort((-area, ndimage.minimum(distance, labels, chosen)))[0])]
    red = max(used, key=lambda i: _bands.get(image.bands[i]).pivot.to_value(u.AA))
    light = np.where(good[red], np.clip(image.data[red], 0, None), 0.0)
    return [_galaxy(labels, label, parts[label - 1], light) for label in chosen]


def _galaxy(labels, label, part, light):
    """The galaxy of one label, with a window that reaches beyond it."""
    from scipy import ndimage

    window = tuple(slice(max(side.start - _MARGIN, 0), side.stop + _MARGIN) for side in part)
    own = labels[window] == label
    footprint = ndimage.binary_fill_holes(own) & (own | (labels[window] == 0))
    y, x = np.nonzero(footprint)
    weight = light[window][footprint]
    weight = weight if weight.sum() > 0 else np.ones(len(x))
    return Galaxy(
        window, footprint, window[1].start + float(np.average(x, weights=weight)), window[0].start + float(np.average(y, weights=weight))
    )


def _scale(plane, good, rms):
    """Sky rms of a band; of one without noise its scatter, of a missing one 0."""
    if rms > 0:
        return rms
    return plane[good].std() if good.any() else 0.0


def _shrink(correlation):
    """Rms of noise under the boxcar of the footprints, over its rms a pixel, where neighbours correlate."""
    r = float(np.clip(np.nan_to_num(correlation), 0, 0.95))
    lag = np.abs(np.subtract.outer(np.arange(_SMOOTH), np.arange(_SMOOTH)))
    return float((r**lag).mean())


def box_mean(data, good, box):
    """Boxcar mean of an image over its good pixels.

    Parameters
    ----------
    data : ndarray, shape (y, x)
        Any unit.
    good : ndarray of bool, shape (y, x)
        Pixels that count.
    box : int
        Side of the boxcar. Of an even side the outermost pixels, on both ends, count half.

    Returns
    -------
    mean : ndarray, shape (y, x)
        0 where no pixel of the boxcar is good.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.detection.galaxy import box_mean
    >>> box_mean(np.eye(3), np.ones((3, 3), dtype=bool), 3)[1, 1].round(3)
    np.float64(0.333)
    """
    from scipy.ndimage import convolve1d

    taps = np.ones(box) if box % 2 else np.array([0.5, *np.ones(box - 1), 0.5])
    total, number = np.where(good, data, 0.0), good.astype(float)
    for axis in (0, 1):
        total = convolve1d(total, taps, axis=axis, mode="constant")
        number = convolve1d(number, taps, axis=axis, mode="constant")
    return np.where(number > 0.1, total / np.maximum(number, 0.1), 0.0)
