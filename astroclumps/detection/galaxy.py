"""Galaxies in an image: their footprints and centres."""

from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.noise import sky_correlation, sky_rms

from .sources import extract

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["Galaxy", "box_mean", "galaxies"]

_ONE_GALAXY = 128  # pixels: images up to this side show one galaxy
_LEAST_AREA = 30  # pixels of the smallest footprint
_SMOOTH = 5  # pixels: boxcar under which footprints are looked for
_SIGMA = 3.0
_DEBLENDING = 0.01  # DEBLEND_MINCONT: parts neighbours from the galaxy
_REACH = 3.0  # standard deviations of a galaxy's light within which a part belongs to it
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


def galaxies(image: "MultiBandImage") -> Any:
    """Find the galaxies of an image.

    The stack of all bands, each divided by its sky rms, is smoothed with a boxcar of 5 pixels; connected regions above 3 sigma, of at
    least 30 pixels, are galaxies. A region is parted with SExtractor's deblending (minimum contrast 0.01); a part whose centre lies
    within 3 standard deviations of a brighter one's light, along that direction, is joined to it again, so that neighbours are cut
    off and bright clumps are not. Up to 128 pixels a side an image shows one galaxy, the one nearest to its middle; in larger ones
    every one counts.

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
    (33, 35)
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
    smooth = box_mean(stack, seen, _SMOOTH)
    threshold = max(_SIGMA * noise, 1e-3)
    *_, parts = extract(smooth, threshold=threshold, min_pixels=_LEAST_AREA, mask=~seen, deblend_contrast=_DEBLENDING)
    labels = _joined(smooth, parts)
    chosen = [label for label, window in enumerate(ndimage.find_objects(labels), start=1) if window]
    height, width = labels.shape
    if chosen and max(height, width) <= _ONE_GALAXY:
        y, x = np.indices(labels.shape)
        distance = ndimage.minimum(np.hypot(x - (width - 1) / 2, y - (height - 1) / 2), labels, chosen)
        area = np.bincount(labels.ravel())[chosen]
        chosen = [chosen[np.lexsort((-area, distance))[0]]]
    red = max(used, key=lambda i: _bands.get(image.bands[i]).pivot.to_value(u.AA))
    light = np.where(good[red], np.clip(image.data[red], 0, None), 0.0)
    windows = ndimage.find_objects(labels)
    return [_galaxy(labels, label, windows[label - 1], light) for label in chosen]


def _joined(smooth, parts):
    """Labels in which a part that lies within another's light belongs to it: its clump, not its neighbour."""
    from scipy import ndimage

    regions, _ = ndimage.label(parts > 0, structure=np.ones((3, 3)))
    n = parts.max() + 1
    y, x = np.nonzero(parts)
    own = parts[y, x]
    weight = np.clip(smooth[y, x], 0, None)

    def total(values):
        return np.bincount(own, weights=values, minlength=n)

    flux = np.maximum(total(weight), 1e-30)
    mean = np.stack([total(weight * x), total(weight * y)], axis=1) / flux[:, None]
    dx, dy = x - mean[own, 0], y - mean[own, 1]
    spread = np.stack([total(weight * dx * dx), total(weight * dx * dy), total(weight * dx * dy), total(weight * dy * dy)], axis=1)
    spread = (spread / flux[:, None]).reshape(-1, 2, 2) + np.eye(2) / 12
    region = np.zeros(n, dtype=int)
    region[own] = regions[y, x]
    new, hosts = np.arange(n), {}
    for part in 1 + np.argsort(-flux[1:], kind="stable"):
        for host in hosts.setdefault(region[part], []):
            step = mean[part] - mean[host]
            if step @ np.linalg.solve(spread[host], step) <= _REACH**2:
                new[part] = host
                break
        else:
            hosts[region[part]].append(part)
    return new[parts]


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


def box_mean(data: np.ndarray, good: np.ndarray, box: int) -> np.ndarray:
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
