"""Where in their galaxies clumps are, in effective radii (G21 5.2.2, Fig. 11)."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from ..exceptions import NoClumpsWarning
from .medians import class_medians
from .sample import P_0, POPULATIONS, Sample, values_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["RADIAL_BINS", "THRESHOLDS", "radial_distribution", "radial_medians"]

THRESHOLDS = (0.5, 0.7)
"""P_0 of the two panels of Figure 11 (G21 5.2.2)."""

RADIAL_BINS = np.geomspace(0.5, 3.0, 9)
"""Edges in r / R_e: the paper's range (G21 5.2) in eight steps (ours)."""


def radial_distribution(
    clumps: QTable,
    *,
    bins: "ArrayLike" = RADIAL_BINS,
    populations: Sequence[str] = POPULATIONS,
    threshold: float | None = P_0,
    galaxies: QTable | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> QTable:
    """Probability density of log r, for each class.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, ``r_norm`` (distance from the centre over R_e) and ``p_long`` or ``longevity``.
    bins : array_like, default eight equal steps in log r from 0.5 to 3
        Edges in r / R_e.
    populations : sequence of str, default ('all', 'LLC', 'SLC')
    threshold : float or None, default 0.5
        P_0, as in `~astroclumps.population.sample.Sample`; None weighs by probability.
    galaxies : `~astropy.table.QTable`, optional
        With ``galaxy``, where galaxies without clumps are to be drawn too.
    n_bootstrap : int, default 200
        Draws of galaxies, and of classes where ``threshold`` is None.
    seed : int, default 0

    Returns
    -------
    `~astropy.table.QTable`
        A row for each population and bin: ``population``, ``low``, ``high``, ``r_norm`` (middle in the logarithm), ``n``, ``density``
        (1/dex; its integral over the bins is 1), ``error`` (bootstrap over galaxies). NaN where a population has no clumps inside the
        bins.

    Warns
    -----
    NoClumpsWarning
        There are no clumps: the table has no rows.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.radial import radial_distribution
    >>> clumps = QTable({"galaxy": [1, 2, 3, 4], "r_norm": [0.7, 0.9, 0.8, 2.0], "p_long": [0.9, 0.8, 0.3, 0.1]})
    >>> table = radial_distribution(clumps, bins=[0.1, 1.0, 10.0], populations=["LLC", "SLC"])
    >>> table["density"].value.tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    edges = np.asarray(bins, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (edges > 0).all() or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges of bins must be positive, increase, and be two at least, got {bins}")
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=n_bootstrap, seed=seed)
    r_norm, n_bins, dex = values_of(clumps, "r_norm"), len(edges) - 1, np.diff(np.log10(edges))
    bin_of = np.searchsorted(edges, r_norm, side="right") - 1  # NaN lies beyond the last edge
    bin_of = np.where((bin_of < 0) | (bin_of >= n_bins), n_bins, bin_of)
    populations = list(populations) if len(clumps) else []
    if not len(clumps):
        warnings.warn("no clumps: there is no radial distribution", NoClumpsWarning, stacklevel=2)

    def density(counts):
        total = counts.sum()
        return counts / total / dex if total > 0 else np.full(n_bins, np.nan)

    blocks = []
    for population in populations:
        counts = _counts(bin_of, sample.weights(population), n_bins)
        drawn = [density(_counts(bin_of[one.rows], one.weights(population), n_bins)) for one in sample.replicas()]
        errors = [sample.spread([one[i] for one in drawn]) for i in range(n_bins)]
        blocks.append((counts, density(counts), errors))
    table = QTable({"population": np.repeat(np.array(populations, dtype="U3"), n_bins)})
    for name, values in (("low", edges[:-1]), ("high", edges[1:]), ("r_norm", np.sqrt(edges[1:] * edges[:-1]))):
        table[name] = np.tile(values, len(populations))
    n, values, errors = (np.concatenate(parts) for parts in zip(*blocks, strict=True)) if blocks else [np.zeros(0)] * 3
    table["n"], table["density"], table["error"] = n, values / u.dex, errors / u.dex
    table.meta["threshold"] = "None" if threshold is None else str(threshold)
    table.meta["history"] = [*clumps.meta.get("history", []), f"radial distribution of {len(clumps)} clumps"]
    return table


def radial_medians(
    clumps: QTable,
    *,
    thresholds: "Sequence[float | None]" = THRESHOLDS,
    populations: Any = POPULATIONS,
    galaxies: QTable | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> QTable:
    """Median r / R_e, and the share of clumps inside R_e, of each class at each P_0.

    G21 finds about 50% (VELA) and 40% (CANDELS) of the long-lived clumps inside R_e at P_0 = 0.5. By how many dex the medians of the
    classes differ, with an error, is `~astroclumps.population.medians.median_difference` of ``column='r_norm'``.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, ``r_norm`` and ``p_long`` or ``longevity``.
    thresholds : sequence of float or None, default (0.5, 0.7)
        Values of P_0 (G21 Fig. 11).
    populations, galaxies, n_bootstrap, seed
        As in `radial_distribution`.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each threshold and population: ``threshold`` (NaN for None), ``population``, ``n``, ``median``, ``lower``, ``upper``,
        ``error`` (as in `~astroclumps.population.medians.class_medians`), ``inside`` (share with r < R_e) and ``inside_error``.

    Warns
    -----
    NoClumpsWarning
        There are no clumps: the table has no rows.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.radial import radial_medians
    >>> clumps = QTable({"galaxy": [1, 2, 3, 4], "r_norm": [0.5, 1.5, 0.8, 2.0], "p_long": [0.9, 0.6, 0.3, 0.1]})
    >>> print(radial_medians(clumps, populations=["LLC", "SLC"])["threshold", "population", "median", "inside"])
    threshold population median       inside
    --------- ---------- ------ ------------------
          0.5        LLC    1.0                0.5
          0.5        SLC    1.4                0.5
          0.7        LLC    0.5                1.0
          0.7        SLC    1.5 0.3333333333333333
    """
    r_norm = values_of(clumps, "r_norm")
    known = np.isfinite(r_norm)
    tables = []
    for threshold in thresholds:
        shared = {"threshold": threshold, "n_bootstrap": n_bootstrap, "seed": seed, "galaxies": galaxies}
        table = class_medians(clumps, column="r_norm", populations=populations, **shared)
        table.add_column(np.full(len(table), np.nan if threshold is None else threshold), name="threshold", index=0)
        sample = Sample(clumps, galaxies, threshold=threshold, n_draws=n_bootstrap, seed=seed)
        inside, errors = [], []
        for population in table["population"]:
            weights = sample.weights(population)
            inside.append(_share(known & (r_norm < 1), known, weights))
            drawn = [_share((known & (r_norm < 1))[one.rows], known[one.rows], one.weights(population)) for one in sample.replicas()]
            errors.append(sample.spread(drawn))
        table["inside"], table["inside_error"] = np.array(inside, dtype=float), np.array(errors, dtype=float)
        del table.meta["threshold"]
        tables.append(table)
    return vstack(tables, metadata_conflicts="silent")


def _counts(bin_of, weights, n_bins):
    return np.bincount(bin_of, weights=weights, minlength=n_bins + 1)[:n_bins]


def _share(over, under, weights):
    total = weights[under].sum()
    return float(weights[over].sum() / total) if total > 0 else float("nan")
