"""Star-formation histories and the compiled loops that turn them into light.

Two histories, both from the onset of star formation, `age` ago, until now: ``constant``, and ``tau``, in which the rate falls as
``exp(-t / tau)`` with the time t since the onset. A constant history is passed as ``tau = inf``.
"""

import numpy as np

from .jit import compiled

__all__ = ["derived", "fluxes", "mass_fractions"]

_LN_PER_MAG = 0.4 * np.log(10.0)
_SFR_TIME = 0.1  # Gyr


@compiled
def _constants(age, tau):
    """What `_formed` needs of a history: the unnormalised rate integral at its end, and one over that of all of it."""
    if np.isinf(tau):
        return 0.0, 1.0 / age
    return np.exp(-age / tau), -1.0 / np.expm1(-age / tau)


@compiled
def _formed(span, age, tau, old, inverse):
    """Fraction of the mass that formed within the last `span` Gyr; old and inverse are the history's constants."""
    if span >= age:
        return 1.0
    if np.isinf(tau):
        return span * inverse
    return (np.exp((span - age) / tau) - old) * inverse


@compiled
def _bracket(values, x):
    """Index of the lower neighbour of x in ascending values and the weight of the upper one; clamped at both ends."""
    last = values.shape[0] - 1
    if x <= values[0]:
        return 0, 0.0
    if x >= values[last]:
        return last - 1, 1.0
    low = 0
    while values[low + 1] < x:
        low += 1
    return low, (x - values[low]) / (values[low + 1] - values[low])


@compiled
def mass_fractions(edges, age, tau):
    """Fraction of the mass formed that lies in each bin of stellar age.

    Parameters
    ----------
    edges : ndarray, shape (n_age + 1,)
        Edges of the bins in Gyr.
    age, tau : ndarray, shape (n,)
        Time since the onset and e-folding time in Gyr (inf: constant rate).

    Returns
    -------
    fractions : ndarray, shape (n, n_age)
    """
    n_age = edges.shape[0] - 1
    out = np.zeros((age.shape[0], n_age))
    for i in range(age.shape[0]):
        old, inverse = _constants(age[i], tau[i])
        before = 0.0
        for k in range(n_age):
            after = _formed(edges[k + 1], age[i], tau[i], old, inverse)
            out[i, k] = after - before
            before = after
            if edges[k + 1] >= age[i]:
                break
    return out


@compiled
def derived(edges, surviving, metallicities, age, tau, metallicity):
    """Surviving mass fraction, mass-weighted age (Gyr) and mean star-formation rate of the last 100 Myr (1/yr, per solar mass formed).

    Parameters
    ----------
    edges : ndarray, shape (n_age + 1,)
        Edges of the bins of stellar age in Gyr.
    surviving : ndarray, shape (n_metallicity, n_age)
        Surviving fraction of each population.
    metallicities : ndarray, shape (n_metallicity,)
        Solar units, ascending.
    age, tau, metallicity : ndarray, shape (n,)
        Parameters of the histories (Gyr, Gyr, solar units).

    Returns
    -------
    derived : ndarray, shape (n, 3)
    """
    n_age = edges.shape[0] - 1
    out = np.zeros((age.shape[0], 3))
    for i in range(age.shape[0]):
        low, weight = _bracket(metallicities, metallicity[i])
        old, inverse = _constants(age[i], tau[i])
        before = 0.0
        for k in range(n_age):
            after = _formed(edges[k + 1], age[i], tau[i], old, inverse)
            out[i, 0] += (after - before) * ((1.0 - weight) * surviving[low, k] + weight * surviving[low + 1, k])
            before = after
            if edges[k + 1] >= age[i]:
                break
        if np.isinf(tau[i]):
            out[i, 1] = age[i] / 2
        else:
            out[i, 1] = age[i] / (-np.expm1(-age[i] / tau[i])) - tau[i]
        out[i, 2] = _formed(_SFR_TIME, age[i], tau[i], old, inverse) / (_SFR_TIME * 1e9)
    return out


@compiled
def fluxes(table, a_v_nodes, reddening, edges, metallicities, age, tau, metallicity, a_v):
    """Flux in each band per solar mass formed.

    Parameters
    ----------
    table : ndarray of float32, shape (n_metallicity, n_age, n_node * n_band)
        Fluxes of the simple populations at the nodes of A_V, each multiplied by ``10**(0.4 * reddening * A_V)``.
    a_v_nodes : ndarray, shape (n_node,)
        Nodes of the polynomial in A_V.
    reddening : ndarray, shape (n_band,)
        A(band) / A_V that was taken out of the table.
    edges, metallicities, age, tau, metallicity
        As in `derived`.
    a_v : ndarray, shape (n,)
        Attenuation in the V band, mag.

    Returns
    -------
    fluxes : ndarray, shape (n, n_band)
    """
    n_age = edges.shape[0] - 1
    n_node, n_band = a_v_nodes.shape[0], reddening.shape[0]
    width = n_node * n_band
    scale = np.ones(n_node)
    for j in range(n_node):
        for m in range(n_node):
            if m != j:
                scale[j] /= a_v_nodes[j] - a_v_nodes[m]
    total = np.empty(width, dtype=np.float32)
    out = np.empty((age.shape[0], n_band))
    for i in range(age.shape[0]):
        total[:] = 0.0
        low, weight = _bracket(metallicities, metallicity[i])
        old, inverse = _constants(age[i], tau[i])
        before = 0.0
        for k in range(n_age):
            after = _formed(edges[k + 1], age[i], tau[i], old, inverse)
            poor, rich = np.float32((after - before) * (1.0 - weight)), np.float32((after - before) * weight)
            for j in range(width):
                total[j] += poor * table[low, k, j] + rich * table[low + 1, k, j]
            before = after
            if edges[k + 1] >= age[i]:
                break
        out[i] = 0.0
        for j in range(n_node):
            lagrange = scale[j]
            for m in range(n_node):
                if m != j:
                    lagrange *= a_v[i] - a_v_nodes[m]
            for b in range(n_band):
                out[i, b] += lagrange * total[j * n_band + b]
        for b in range(n_band):
            out[i, b] *= np.exp(-_LN_PER_MAG * reddening[b] * a_v[i])
    return out
