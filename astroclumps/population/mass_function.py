"""Clump mass function: clumps per galaxy per dex of mass, of all, of long-lived and of short-lived ones (G21 5.2.1, Fig. 10)."""

import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..exceptions import AstroclumpsWarning, NoClumpsWarning
from .completeness import completeness_function
from .sample import P_0, POPULATIONS, Sample, posterior

__all__ = ["MASS_BINS", "mass_function"]

MASS_BINS = 10 ** np.arange(6.0, 10.01, 0.25) * u.Msun
"""Edges of the bins, 0.25 dex wide (ours; the width is that of the mass correction, METHODS 5)."""


def mass_function(
    clumps,
    galaxies,
    *,
    bins=MASS_BINS,
    populations=POPULATIONS,
    threshold=P_0,
    draws=None,
    completeness=None,
    min_completeness=0.2,
    n_bootstrap=200,
    seed=0,
) -> QTable:
    """Count clumps per galaxy and per dex of mass.

    Galaxies without clumps count: the number of clumps is divided by the rows of ``galaxies``. With draws, a clump is spread over the
    bins that its posterior covers. The posterior's prior stays in the result: draws under a prior that is flat in log mass broaden the
    function, those under a prior that follows it do not.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, ``mass`` (where there are no draws) and ``p_long`` or ``longevity``.
    galaxies : `~astropy.table.QTable`
        With ``galaxy``: all that were searched.
    bins : `~astropy.units.Quantity` ['mass'], default 0.25 dex from 1e6 to 1e10 Msun
        Edges.
    populations : sequence of str, default ('all', 'LLC', 'SLC')
    threshold : float or None, default 0.5
        As in `~astroclumps.population.sample.Sample`; None counts by probability.
    draws : `~astropy.units.Quantity` ['mass'], shape (n_clumps, n_draws), optional
        Draws from the posterior of each clump's mass.
    completeness : callable or `~astropy.table.QTable`, optional
        As in `~astroclumps.population.completeness.completeness_function`. Each clump then counts as 1 / completeness(mass).
    min_completeness : float, default 0.2
        Bins that reach below it have no corrected value: NaN (ours).
    n_bootstrap : int, default 200
        Draws of whole galaxies, of masses where there are draws, and of classes where ``threshold`` is None.
    seed : int, default 0

    Returns
    -------
    `~astropy.table.QTable`
        A row for each population and bin: ``population``, ``low``, ``high``, ``mass`` (middle in the logarithm), ``n`` (clumps, not
        corrected), ``completeness`` (at the middle), ``phi`` (1/dex, per galaxy), ``lower`` and ``upper`` (its 68% Poisson interval; of
        weighted counts that of the effective number), ``error`` (bootstrap over galaxies; NaN of fewer than two).
        ``meta['n_galaxies']`` tells how many galaxies there were.

    Warns
    -----
    NoClumpsWarning
        There are no clumps: all values are 0, with upper limits.
    AstroclumpsWarning
        Clumps have no mass.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.mass_function import mass_function
    >>> clumps = QTable({"galaxy": [1, 1, 2], "mass": [2e7, 3e7, 4e8] * u.Msun, "p_long": [0.1, 0.3, 0.9]})
    >>> table = mass_function(clumps, QTable({"galaxy": [1, 2, 3, 4]}), bins=[1e7, 1e8, 1e9] * u.Msun)
    >>> table["population", "n", "phi"][2:].pprint()
    population  n   phi
                   1 / dex
    ---------- --- -------
           LLC 0.0     0.0
           LLC 1.0    0.25
           SLC 2.0     0.5
           SLC 0.0     0.0
    """
    edges = _edges(bins)
    if not 0 <= min_completeness <= 1:
        raise ValueError(f"min_completeness must lie in 0 to 1, got {min_completeness}")
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=n_bootstrap, seed=seed)
    mass, share = posterior(clumps, draws), completeness_function(completeness)
    middle, dex, n_bins = np.sqrt(edges[:-1] * edges[1:]), np.diff(np.log10(edges)), len(edges) - 1
    rows = QTable({"population": np.repeat(list(populations), n_bins)})
    n_rows = len(rows) // n_bins
    for name, values in (("low", edges[:-1]), ("high", edges[1:]), ("mass", middle)):
        rows[name] = np.tile(values, n_rows) * u.Msun
    if not len(clumps):
        text = f"no clumps in {sample.n_galaxies} galaxies: the mass function is 0, its upper limits are what galaxies without clumps allow"
        warnings.warn(text, NoClumpsWarning, stacklevel=2)
    bad = ~(np.isfinite(mass) & (mass > 0)).all(axis=1)
    if bad.any():
        warnings.warn(f"{bad.sum()} of {len(bad)} clumps have no mass and are not counted", AstroclumpsWarning, stacklevel=2)
    mass = np.where(bad[:, None], edges[0], mass)
    bin_of = np.searchsorted(edges, mass, side="right") - 1
    inside = (bin_of >= 0) & (bin_of < n_bins) & ~bad[:, None]
    bin_of = np.where(inside, bin_of, n_bins)
    at_edges = share(np.array([edges[:-1], middle, edges[1:]]))
    counted = np.append(at_edges.min(axis=0) >= min_completeness, False) if completeness is not None else np.ones(n_bins + 1, dtype=bool)
    gain = np.where(inside & counted[bin_of], 1 / np.maximum(share(mass), 1e-300), 0.0)
    per = 1 / (max(sample.n_galaxies, 1) * dex)
    blocks = [_block(sample, name, bin_of, inside, gain, n_bins) for name in populations]
    columns = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    n, total, low, high, error = columns
    rows["n"], rows["completeness"] = n, np.tile(at_edges[1], n_rows)
    typical = np.tile(1 / np.maximum(at_edges[1], 1e-300), n_rows)  # an empty bin's limit is that of clumps of its middle
    empty, per, counted = total == 0, np.tile(per, n_rows), np.tile(counted[:n_bins], n_rows)
    scale = np.where(empty, typical, 1.0)
    for name, values in (("phi", total), ("lower", low * scale), ("upper", high * scale), ("error", error)):
        rows[name] = np.where(counted, values * per, np.nan) / u.dex
    rows.meta.update({"n_galaxies": sample.n_galaxies, "threshold": "None" if threshold is None else str(threshold)})
    rows.meta["history"] = [*clumps.meta.get("history", []), f"mass function of {len(clumps)} clumps in {sample.n_galaxies} galaxies"]
    return rows


def _block(sample, population, bin_of, inside, gain, n_bins):
    """Clumps, corrected clumps, their Poisson interval and their scatter over draws, in each bin."""
    from astropy.stats import poisson_conf_interval

    n_draws = bin_of.shape[1]
    weights = sample.weights(population)
    rows = np.arange(len(weights))
    flat = (rows[:, None] * (n_bins + 1) + bin_of).ravel()

    def by_clump(values):
        total = np.bincount(flat, weights=values.ravel(), minlength=len(weights) * (n_bins + 1))
        return total.reshape(len(weights), n_bins + 1)[:, :n_bins] / n_draws

    n = by_clump(weights[:, None] * inside).sum(axis=0)
    each = by_clump(weights[:, None] * gain)
    total, squares = each.sum(axis=0), (each**2).sum(axis=0)
    scale = np.where(total > 0, squares / np.where(total > 0, total, 1.0), 1.0)
    low, high = poisson_conf_interval(total / scale, interval="frequentist-confidence", sigma=1)
    drawn = []
    for one in sample.replicas(n_draws):
        where = (one.rows, one.pick)
        counts = np.bincount(bin_of[where], weights=one.weights(population) * gain[where], minlength=n_bins + 1)
        drawn.append(counts[:n_bins] * sample.n_galaxies / max(one.galaxies.sum(), 1))  # parents bring different numbers of galaxies
    error = np.std(drawn, axis=0) if sample.n_parents > 1 and len(drawn) > 1 else np.full(n_bins, np.nan)
    return n, total, low * scale, high * scale, error


def _edges(bins):
    if not isinstance(bins, u.Quantity) or not bins.unit.is_equivalent(u.Msun):
        raise TypeError(f"bins must be edges with a unit, such as [1e7, 1e8] * u.Msun, got {bins!r}")
    edges = bins.to_value(u.Msun)
    if edges.ndim != 1 or len(edges) < 2 or not (edges > 0).all() or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges of bins must be positive, increase, and be two at least, got {bins}")
    return edges
