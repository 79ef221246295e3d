"""Noise of an aperture sum whose pixels are correlated, with that of its background."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import kernels

__all__ = ["ApertureNoise", "aperture_noise"]


class ApertureNoise(NamedTuple):
    """Variance of an aperture sum in units of that of a pixel.

    Attributes
    ----------
    radius : float
        Of the aperture in pixels.
    ring_area : float
        Pixels of the whole ring.
    aperture : float
        Variance of the sum over the whole aperture.
    median : float
        Variance of the median of the whole ring.
    shared : float
        Covariance of the median and a pixel of the aperture, mean over the aperture.
    """

    radius: float
    ring_area: float
    aperture: float
    median: float
    shared: float

    def variance(self, area, n_background):
        """Variance of ``sum - area * background`` where only a part of aperture and ring could be used.

        Parameters
        ----------
        area, n_background : float or ndarray
            Area of the part of the aperture and number of pixels of the ring.

        Returns
        -------
        variance : float or ndarray
        """
        area = np.asarray(area, dtype=float)
        alone = self.aperture * area / (np.pi * self.radius**2)
        if not self.ring_area:
            return alone
        median = self.median * self.ring_area / np.maximum(n_background, 1)
        return np.maximum(alone + area**2 * (median - 2 * self.shared), 0.05 * alone)


@lru_cache(maxsize=256)
def aperture_noise(radius, inner, outer, correlation) -> ApertureNoise:
    """Noise of an aperture in a sky of Gaussian correlation.

    Pixels at a distance d are taken to be correlated by ``correlation ** (d ** 2)``, as after a Gaussian filter. The variance of
    the median of n normal values is the mean of ``arcsin`` of their correlations: pi / 2n where there are none.

    Parameters
    ----------
    radius : float
        Of the aperture in pixels.
    inner, outer : float
        Of the ring; ``outer`` 0 for none.
    correlation : float
        Of neighbouring pixels, 0 to below 1.

    Returns
    -------
    noise : ApertureNoise

    Examples
    --------
    >>> from astroclumps.photometry.covariance import aperture_noise
    >>> white = aperture_noise(3.0, 4.0, 6.0, 0.0)
    >>> round(white.aperture, 1), round(float(white.variance(28.3, 63)), 1)  # of the sum; with that of the median
    (25.2, 45.2)
    """
    phases = (0.0, 0.25, 0.5)
    parts = [_at_phase(radius, inner, outer, correlation, x, y) for x in phases for y in phases]
    aperture, median, shared = np.mean(parts, axis=0)
    return ApertureNoise(radius, np.pi * (outer**2 - inner**2) if outer > 0 else 0.0, float(aperture), float(median), float(shared))


def _at_phase(radius, inner, outer, correlation, x, y):
    half = int(np.ceil(max(radius, outer) + 0.5))
    side = 2 * half + 1
    weights = np.empty((side, side))
    kernels.circle_overlap(x, y, radius, -half, -half, weights, np.empty((side + 1, side + 1)))
    rows, columns = np.indices(weights.shape) - half
    used = weights > 0
    w = weights[used]
    variance = w @ _correlations(rows[used], columns[used], rows[used], columns[used], correlation) @ w
    if not outer > 0:
        return variance, 0.0, 0.0
    distance2 = (columns - x) ** 2 + (rows - y) ** 2
    ring = (distance2 > inner**2) & (distance2 < outer**2)
    median = np.arcsin(_correlations(rows[ring], columns[ring], rows[ring], columns[ring], correlation)).mean()
    # the whole ring stands for its exact area, see ApertureNoise.variance
    median *= ring.sum() / (np.pi * (outer**2 - inner**2))
    shared = (w @ _correlations(rows[used], columns[used], rows[ring], columns[ring], correlation)).mean() / w.sum()
    return variance, median, shared


def _correlations(rows, columns, other_rows, other_columns, correlation):
    distance2 = (rows[:, None] - other_rows) ** 2 + (columns[:, None] - other_columns) ** 2
    return np.power(correlation, distance2.astype(float))
