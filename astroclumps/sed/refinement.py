"""Importance sampling around the peak, for clumps whose posterior holds few models of the library.

The library's models are draws from the prior. Half of them (the pilot) only shows where the posterior lies; a mixture of
Student-t distributions is put there, drawn from, moved and narrowed a few times. The last set of draws had no part in placing its own
mixture; it is weighed together with the other half of the library by the density of mixture and prior (the balance
heuristic), so that the evidence is unbiased and no tail that the mixture misses is lost.
"""

import numpy as np

from ..jit import compiled

__all__ = ["Mixture", "effective", "temper"]

_CENTRES = 64
_INFLATE = 1.0
_EDGE = 1e-12


def effective(log_weight):
    """Effective number of samples, ``(sum w)^2 / sum w^2``, of log weights of any offset."""
    top = np.max(log_weight, initial=-np.inf)
    if not np.isfinite(top):
        return 0.0
    weight = np.exp(log_weight - top)
    return float(weight.sum() ** 2 / np.sum(weight**2))


def temper(log_weight, target):
    """Raise weights to the largest power, at most 1, at which they hold `target` effective samples.

    Parameters
    ----------
    log_weight : ndarray, shape (n,)
        Log weights; -inf where there is none.
    target : float
        Effective samples.

    Returns
    -------
    log_tempered : ndarray, shape (n,)
    """
    if effective(log_weight) >= target:
        return log_weight
    low, high = 1e-6, 1.0
    for _ in range(12):
        middle = np.sqrt(low * high)
        if effective(middle * log_weight) >= target:
            low = middle
        else:
            high = middle
    return low * log_weight


class Mixture:
    """Equal Student-t distributions of one covariance around weighted points, where the prior is a unit Gaussian.

    Their heavy tails (8 - n_dim degrees of freedom, so that the density is a fourth power) keep weights bounded.

    Parameters
    ----------
    points : ndarray, shape (n, n_dim)
        Points of the unit cube, in which the prior is uniform.
    log_weight : ndarray, shape (n,)
        Log weights of the points.
    rng : `numpy.random.Generator`
        Chooses the centres.
    """

    def __init__(self, points, log_weight, rng):
        from scipy.special import gammaln, ndtri

        n_dim = points.shape[1]
        weight = np.exp(log_weight - log_weight.max())
        worth = weight > 1e-8
        weight = weight[worth] / weight[worth].sum()
        points = ndtri(np.clip(points[worth], _EDGE, 1 - _EDGE))
        n_eff = 1 / np.sum(weight**2)
        steps = (np.arange(_CENTRES) + rng.random()) / _CENTRES
        self.centres = points[np.minimum(np.searchsorted(np.cumsum(weight), steps), len(points) - 1)]
        offset = points - weight @ points
        covariance = (weight[:, None] * offset).T @ offset + 1e-8 * np.eye(n_dim)
        covariance *= (_INFLATE * (4 / ((n_dim + 2) * max(n_eff, 2.0))) ** (1 / (n_dim + 4))) ** 2
        self.root = np.linalg.cholesky(covariance)
        self.whiten = np.linalg.inv(self.root)
        self.freedom = 8 - n_dim
        # log of the kernels' norm over the unit Gaussian's, and of the number of kernels
        self.log_norm = np.sum(np.log(np.diag(self.whiten))) - np.log(_CENTRES)
        self.log_norm += gammaln(4) - gammaln(self.freedom / 2) - 0.5 * n_dim * np.log(self.freedom / 2)

    def draw(self, n, rng):
        """Draw n points of the unit cube, (n, n_dim)."""
        from scipy.special import ndtr

        chosen = rng.integers(_CENTRES, size=n)
        step = rng.standard_normal((n, self.centres.shape[1])) @ self.root.T
        return ndtr(self.centres[chosen] + step / np.sqrt(rng.chisquare(self.freedom, size=n) / self.freedom)[:, None])

    def log_density(self, points):
        """Log density at points (n, n_dim) of the unit cube, relative to the prior."""
        from scipy.special import ndtri

        points = ndtri(np.clip(points, _EDGE, 1 - _EDGE))
        kernels = _log_density(points @ self.whiten.T, self.centres @ self.whiten.T, float(self.freedom))
        return kernels + self.log_norm + 0.5 * np.sum(points**2, axis=1)


@compiled
def _log_density(points, centres, freedom):
    out = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        total = 0.0
        for k in range(centres.shape[0]):
            square = 0.0
            for d in range(points.shape[1]):
                square += (points[i, d] - centres[k, d]) ** 2
            inverse = 1.0 / (1.0 + square / freedom)
            inverse *= inverse
            total += inverse * inverse
        out[i] = np.log(total)
    return out
