"""A detector: peaks of the Laplacian of a Gaussian on several scales."""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astroclumps import catalog
from astroclumps.exceptions import NoClumpsWarning

__all__ = ["LoGDetector"]


@dataclass(frozen=True, kw_only=True)
class LoGDetector:
    """Find peaks of a scale-normalised Laplacian of a Gaussian.

    Each band is divided by its noise and the bands are added; the sum is filtered on each scale and divided by the scatter
    of the filtered image, 1.4826 times the median absolute deviation. What stands out on any scale is a clump. Nothing tells a
    clump from the galaxy's own centre.

    Parameters
    ----------
    scales : tuple of float, default (1.5, 2.1, 3.0)
        Widths of the Gaussians in pixels; a round clump of that width gives the largest answer.
    n_sigma : float, default 8
        Least height of a peak, in units of the scatter.
    separation : int, default 3
        Peaks closer to a higher one than this many pixels are left out.
    """

    scales: tuple[float, ...] = (1.5, 2.1, 3.0)
    n_sigma: float = 8.0
    separation: int = 3

    def __post_init__(self):
        object.__setattr__(self, "scales", tuple(float(scale) for scale in self.scales))
        if not self.scales or not all(0.5 <= scale <= 50 for scale in self.scales):
            raise ValueError(f"scales must be one or more widths of 0.5 to 50 pixels, got {self.scales}")
        if not (np.isfinite(self.n_sigma) and self.n_sigma > 0):
            raise ValueError(f"n_sigma must be positive, got {self.n_sigma!r}")
        if self.separation != int(self.separation) or self.separation < 1:
            raise ValueError(f"separation must be a whole number of pixels, at least 1, got {self.separation!r}")

    def detect(self, image):
        """Find clumps in a `MultiBandImage`; a table of the stage 'detected'."""
        answer = self._answer(image)
        x, y, n_pixels = self._peaks(answer)
        table = catalog.make_table("detected", len(x))  # all columns with their units, ids from 1 to n
        table["x"], table["y"] = x * u.pix, y * u.pix
        table["score"] = answer[y.astype(int), x.astype(int)]
        table["n_pixels"] = n_pixels
        if image.wcs is not None:
            table["sky"] = image.sky(x, y)
        catalog.add_history(table, repr(self))
        if not len(table):
            warnings.warn(f"{self!r} found nothing", NoClumpsWarning, stacklevel=2)
        return table

    def _answer(self, image):
        """The largest answer of all scales, in units of its scatter; 0 where there are no data."""
        from scipy.ndimage import gaussian_laplace

        stack, bands = np.zeros(image.data.shape[1:]), np.zeros(image.data.shape[1:])
        for plane, mask in zip(image.data, image.mask, strict=True):
            noise = _scatter(np.diff(np.where(mask, np.nan, plane), axis=1)) / np.sqrt(2)
            if noise > 0:
                stack += np.where(mask, 0, plane / noise)
                bands += ~mask
        good = bands > 0
        if not good.any():
            return np.zeros(stack.shape)
        stack = _filled(np.divide(stack, bands, out=np.zeros(stack.shape), where=good), good)
        best = np.full(stack.shape, -np.inf)
        for scale in self.scales:
            one = -(scale**2) * gaussian_laplace(stack, scale, mode="nearest")
            scatter = _scatter(one[good])
            best = np.maximum(best, one / scatter if scatter > 0 else 0)
        return np.where(good, best, 0)

    def _peaks(self, answer):
        """Columns and rows of the peaks, the highest first, and the number of pixels above the threshold that belong to each."""
        from scipy.ndimage import label, maximum_filter

        high = answer > self.n_sigma
        y, x = np.nonzero(high & (answer == maximum_filter(answer, size=3)))
        kept = []
        for i in np.lexsort((x, y, -answer[y, x])):  # ties in a fixed order: the same image gives the same table
            if all(np.hypot(x[i] - x[j], y[i] - y[j]) >= self.separation for j in kept):
                kept.append(i)
        x, y = x[kept], y[kept]
        regions, _ = label(high)
        rows, columns = np.nonzero(high)
        counts = np.zeros(len(x), dtype=np.int64)
        for row, column in zip(rows, columns, strict=True):
            distance = np.where(regions[y, x] == regions[row, column], np.hypot(x - column, y - row), np.inf)
            if len(distance) and np.isfinite(distance).any():
                counts[np.argmin(distance)] += 1
        return x.astype(float), y.astype(float), counts


def _scatter(values):
    """1.4826 times the median absolute deviation of the finite values: the standard deviation of Gaussian noise."""
    values = values[np.isfinite(values)]
    return 1.4826 * np.median(np.abs(values - np.median(values))) if values.size else 0.0


def _filled(stack, good):
    """The stack with what is missing taken from around it, so that holes and edges make no peaks."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~good, return_distances=False, return_indices=True)
    return stack[tuple(nearest)]
