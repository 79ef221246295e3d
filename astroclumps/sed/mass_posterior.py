"""The mass of a clump under each model of a library, worked out analytically.

For a model of flux ``m_b`` per solar mass formed, the likelihood is Gaussian in the mass M. Its product with the prior, uniform in
log10 M between two limits, is integrated here for every model, and summarised over all of them. Masses are written
``u = M sqrt(S_mm)``, in units of their own error, with ``s = S_fm / sqrt(S_mm)`` the signal-to-noise of the model's amplitude.
"""

import numpy as np

from ..jit import compiled

__all__ = ["N_BINS", "log_marginal", "spread"]

_GL_X, _GL_W = np.polynomial.legendre.leggauss(24)
_GL_X8, _GL_W8 = np.polynomial.legendre.leggauss(8)
_GH_X, _GH_W = np.polynomial.hermite_e.hermegauss(9)
_SERIES = 8.0  # signal-to-noise above which the series is good to 1e-6
_REACH = 6.5  # standard deviations of the amplitude that count
_SPLIT = 0.3
N_NODES = 32
N_BINS = 2048


@compiled
def _nodes(s, low, high, nodes, weights):
    """Nodes in u and weights of the integral of exp(-(u - s)^2 / 2 + excess) / u over low..high; returns how many, and the excess."""
    if s >= _SERIES and low < s - _REACH and high > s + _REACH:
        for k in range(_GH_X.shape[0]):
            nodes[k] = s + _GH_X[k]
            weights[k] = _GH_W[k] / nodes[k]
        return _GH_X.shape[0], 0.0
    peak = min(max(s, low), high)
    excess = 0.5 * (peak - s) ** 2
    reach = np.sqrt((peak - s) ** 2 + _REACH**2)
    start, stop = max(low, s - reach), min(high, s + reach)
    n = 0
    middle = min(max(start, _SPLIT), stop)
    if start < middle:  # in ln u: the prior's long tail to small masses
        centre, half = 0.5 * np.log(start * middle), 0.5 * np.log(middle / start)
        for k in range(8):
            x = np.exp(centre + half * _GL_X8[k])
            nodes[n] = x
            weights[n] = half * _GL_W8[k] * np.exp(excess - 0.5 * (x - s) ** 2)
            n += 1
    if middle < stop:
        centre, half = 0.5 * (middle + stop), 0.5 * (stop - middle)
        for k in range(_GL_X.shape[0]):
            x = centre + half * _GL_X[k]
            nodes[n] = x
            weights[n] = half * _GL_W[k] * np.exp(excess - 0.5 * (x - s) ** 2) / x
            n += 1
    return n, excess


def _tail_table():
    """For s in -6.5..8: ln of A, the integral of exp(us - u^2 / 2) / u over u > 1, and B, that of (exp(us - u^2 / 2) - 1) / u over 0..1."""
    s = np.linspace(-_REACH, _SERIES, 2901)
    x, w = np.polynomial.legendre.leggauss(60)
    near = (x + 1) / 2
    small = w / 2 @ (np.expm1(np.multiply.outer(near, s) - near[:, None] ** 2 / 2) / near[:, None])
    stop = np.maximum(s, 0.0) + 8.0
    far = 1 + np.multiply.outer((x + 1) / 2, stop - 1)
    large = np.einsum("i,ij->j", w / 2, np.exp(far * s - far**2 / 2) / far) * (stop - 1)
    return np.log(large), small


_LOG_A, _B = _tail_table()
_STEP = (_SERIES + _REACH) / 2900
_FAINT = 0.05  # the prior's lower limit in units of the amplitude's error below which its tail is a logarithm


@compiled
def _log_average(s, low, high, nodes, weights):
    """ln of the integral of exp(us - u^2 / 2) / u over low..high: half of s^2 plus the log of the Gaussian's share."""
    if low < s - _REACH and high > s + _REACH and s >= _SERIES:
        inverse = 1.0 / (s * s)
        series = 1.0 + inverse * (1.0 + inverse * (3.0 + inverse * (15.0 + inverse * 105.0)))
        return 0.5 * s * s + np.log(np.sqrt(2 * np.pi) / s * series)
    if low < _FAINT and high > max(s, 0.0) + _REACH and -_REACH < s < _SERIES:
        place = (s + _REACH) / _STEP
        k = min(int(place), _B.shape[0] - 2)
        part = place - k
        total = np.exp(_LOG_A[k] * (1 - part) + _LOG_A[k + 1] * part) + _B[k] * (1 - part) + _B[k + 1] * part
        return np.log(total - np.log(low) - low * (s + low * (s * s - 1.0) / 4))
    count, excess = _nodes(s, low, high, nodes, weights)
    total = 0.0
    for k in range(count):
        total += weights[k]
    return 0.5 * s * s - excess + np.log(total) if total > 0 else -np.inf


@compiled
def log_marginal(models, flux, weight, mass_low, mass_high, keep):
    """Log of the likelihood of each model, averaged over the prior of the mass, without the terms that all models share.

    Parameters
    ----------
    models : ndarray, shape (n_band, n)
        Flux per solar mass formed.
    flux, weight : ndarray, shape (n_band,)
        Measured flux and its inverse variance (0: no measurement).
    mass_low, mass_high : float
        Limits of the mass formed.
    keep : float
        Models that lie further than this below the best get -inf.

    Returns
    -------
    log_marginal : ndarray, shape (n,)
    log_peak : ndarray, shape (n,)
        The same at the best mass within the limits instead of the average.
    """
    n_band, n = models.shape
    average = np.full(n, -np.inf)
    peak = np.empty(n)
    ratio, root = np.zeros(n), np.zeros(n)  # first S_fm and S_mm
    for start in range(0, n, 1024):
        stop = min(start + 1024, n)
        for b in range(n_band):
            scaled = flux[b] * weight[b]
            for i in range(start, stop):
                value = np.float64(models[b, i])
                ratio[i] += value * scaled
                root[i] += value * value * weight[b]
        for i in range(start, stop):
            root[i] = np.sqrt(root[i])
            ratio[i] /= max(root[i], 1e-300)
            at = min(max(ratio[i], mass_low * root[i]), mass_high * root[i])
            peak[i] = at * ratio[i] - 0.5 * at * at
    best = -np.inf
    for i in range(n):
        if not root[i] > 0:  # a model without any light in these bands says nothing of the mass
            peak[i] = -np.inf
        best = max(best, peak[i])
    norm = np.log(np.log(mass_high / mass_low))
    nodes, weights = np.empty(N_NODES), np.empty(N_NODES)
    for i in range(n):
        if peak[i] > best - keep:
            average[i] = _log_average(ratio[i], mass_low * root[i], mass_high * root[i], nodes, weights) - norm
    return average, peak


@compiled
def spread(models, flux, weight, mass_low, mass_high, probability, surviving, rate, mass_bins, rate_bins):
    """Histograms of log10 surviving mass and log10 star-formation rate over models and their masses.

    Parameters
    ----------
    models, flux, weight, mass_low, mass_high
        As in `log_marginal`.
    probability : ndarray, shape (n,)
        Posterior weight of each model.
    surviving, rate : ndarray, shape (n,)
        log10 of the surviving fraction and of the star-formation rate per solar mass formed.
    mass_bins, rate_bins : tuple (lower edge, width)
        Of the histograms.

    Returns
    -------
    masses, rates : ndarray, shape (2048,)
    """
    masses, rates = np.zeros(N_BINS), np.zeros(N_BINS)
    nodes, weights = np.empty(N_NODES), np.empty(N_NODES)
    for i in range(models.shape[1]):
        fm = 0.0
        mm = 0.0
        for b in range(models.shape[0]):
            value = np.float64(models[b, i])
            fm += value * flux[b] * weight[b]
            mm += value * value * weight[b]
        root = np.sqrt(mm)
        count, _ = _nodes(fm / root, mass_low * root, mass_high * root, nodes, weights)
        total = 0.0
        for k in range(count):
            total += weights[k]
        for k in range(count):
            share = probability[i] * weights[k] / total
            log_mass = np.log10(nodes[k] / root)
            j = int((log_mass + surviving[i] - mass_bins[0]) / mass_bins[1])
            masses[min(max(j, 0), N_BINS - 1)] += share
            j = int((log_mass + rate[i] - rate_bins[0]) / rate_bins[1])
            rates[min(max(j, 0), N_BINS - 1)] += share
    return masses, rates
