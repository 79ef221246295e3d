"""The galaxies of clumps: how much of their light and mass is in clumps, how many are clumpy, and which host what (G21 5.2.3, Fig. 12)."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..evaluation.bootstrap import Bootstrap
from ..exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from .sample import P_0, POPULATIONS, Sample, parents_of, values_of
from .transition import Transition, transition_mass

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["HOST_BINS", "clump_fractions", "clumpy_fraction", "host_masses", "host_transition", "mean_fraction", "with_hosts"]

HOST_BINS = 10 ** np.arange(9.0, 12.01, 0.25) * u.Msun
"""Edges in the galaxy's stellar mass: the sample's range (G21 5.1) in steps of 0.25 dex (ours)."""


def with_hosts(clumps: QTable, galaxies: QTable, *, columns: Sequence[str] = ("mass", "redshift")) -> QTable:
    """Add properties of their galaxies to clumps.

    Parameters
    ----------
    clumps, galaxies : `~astropy.table.QTable`
        Both with ``galaxy``.
    columns : sequence of str, default ('mass', 'redshift')
        Columns of ``galaxies``; the new ones are named ``host_mass`` and so on.

    Returns
    -------
    `~astropy.table.QTable`
        A new table.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import with_hosts
    >>> galaxies = QTable({"galaxy": ["a", "b"], "mass": [1e10, 3e10] * u.Msun})
    >>> with_hosts(QTable({"galaxy": ["b", "a", "b"]}), galaxies, columns=["mass"])["host_mass"].to(1e10 * u.Msun)
    <Quantity [3., 1., 3.] 1e+10 solMass>
    """
    sample, result = Sample(clumps, galaxies, n_draws=0), clumps.copy()
    for name in columns:
        if name not in galaxies.colnames:
            raise CatalogError(f"galaxies need a column {name!r}; the table has {', '.join(galaxies.colnames)}")
        result[f"host_{name}"] = galaxies[name][sample.index]
    return result


def clump_fractions(
    clumps: QTable,
    galaxies: QTable,
    *,
    columns: Sequence[str] = ("mass",),
    populations: Sequence[str] = POPULATIONS,
    threshold: float | None = P_0,
) -> QTable:
    """Share of each galaxy's mass, light or star formation that is in its clumps.

    Parameters
    ----------
    clumps, galaxies : `~astropy.table.QTable`
        Both with ``galaxy`` and the columns, in units that convert.
    columns : sequence of str, default ('mass',)
        Such as ``'mass'``, ``'sfr'`` or ``'flux_f606w'``.
    populations : sequence of str, default ('all', 'LLC', 'SLC')
    threshold : float or None, default 0.5
        As in `~astroclumps.population.sample.Sample`; None weighs by probability.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each galaxy, in their order: ``galaxy``, ``parent`` if they have it, and for each population ``n_all`` and so on, the
        number of clumps, and ``mass_fraction_all`` and so on. Galaxies without clumps have 0; those without the quantity, or with a clump
        without it, NaN.

    Warns
    -----
    AstroclumpsWarning
        Clumps have more of something than their galaxy.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import clump_fractions
    >>> galaxies = QTable({"galaxy": [1, 2], "mass": [1e10, 2e10] * u.Msun})
    >>> clumps = QTable({"galaxy": [1, 1], "mass": [1e8, 4e8] * u.Msun})
    >>> clump_fractions(clumps, galaxies, populations=["all"])["mass_fraction_all"].tolist()
    [0.05, 0.0]
    """
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=0)
    table = QTable({name: galaxies[name] for name in ("galaxy", "parent") if name in galaxies.colnames})
    for population in populations:
        weights = sample.weights(population)
        table[f"n_{population}"] = np.bincount(sample.index, weights, sample.n_galaxies)
        for name in columns:
            unit = getattr(galaxies[name], "unit", None) if name in galaxies.colnames else None
            whole = values_of(galaxies, name, unit, of="galaxies")
            part = np.where(weights > 0, values_of(clumps, name, unit), 0.0) * weights
            within = np.bincount(sample.index, part, sample.n_galaxies)
            share = np.divide(within, whole, out=np.full(len(whole), np.nan), where=whole > 0)
            table[f"{name}_fraction_{population}"] = share
            if (share > 1).any():
                text = f"clumps of {(share > 1).sum()} galaxies hold more {name} than the galaxy; their sum may count light twice"
                warnings.warn(text, AstroclumpsWarning, stacklevel=2)
    table.meta["history"] = [*clumps.meta.get("history", []), f"shares in clumps of {len(galaxies)} galaxies"]
    return table


def mean_fraction(fractions: QTable, *, column: str, n_bootstrap: int = 200, seed: int = 0) -> tuple[float, float]:
    """Mean of a column of `clump_fractions` over galaxies, and its error.

    Parameters
    ----------
    fractions : `~astropy.table.QTable`
        From `clump_fractions`. Galaxies with NaN do not count. With a column ``parent`` whole parents are drawn.
    column : str
        Such as ``'mass_fraction_all'``.
    n_bootstrap : int, default 200
        Draws of galaxies.
    seed : int, default 0

    Returns
    -------
    mean, error : float
        NaN where no galaxy, or for the error fewer than two galaxies, have a value.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import mean_fraction
    >>> mean, error = mean_fraction(QTable({"mass_fraction_all": [0.0, 0.1, 0.05, 0.05]}), column="mass_fraction_all")
    >>> round(mean, 3), 0.01 < error < 0.03
    (0.05, True)
    """
    values = values_of(fractions, column, of="fractions")
    known = np.isfinite(values)
    boot = Bootstrap(parents_of(values, fractions), n_draws=n_bootstrap, seed=seed)
    return boot.ratio(np.where(known, values, 0.0), known)


def clumpy_fraction(
    clumps: QTable,
    galaxies: QTable,
    *,
    by: str = "mass",
    bins: "u.Quantity | ArrayLike" = HOST_BINS,
    min_clumps: int = 1,
    population: str = "all",
    threshold: float = P_0,
) -> QTable:
    """Share of galaxies that have clumps, in bins of a property of the galaxies.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, cut to the clumps that make a galaxy clumpy.
    galaxies : `~astropy.table.QTable`
        With ``galaxy`` and ``by``: all that were searched.
    by : str, default 'mass'
        Column of ``galaxies``, such as ``'mass'`` or ``'redshift'``.
    bins : array_like or `~astropy.units.Quantity`, default 0.25 dex from 1e9 to 1e12 Msun
        Edges, in the column's kind of unit.
    min_clumps : int, default 1
        From how many clumps on a galaxy is clumpy.
    population : {'all', 'LLC', 'SLC'}, default 'all'
        Which clumps count.
    threshold : float, default 0.5
        P_0, as in `~astroclumps.population.sample.Sample`.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each bin with galaxies: ``low``, ``high``, ``n_galaxies``, ``n_clumpy``, ``fraction``, ``lower`` and ``upper`` (68%
        Wilson interval; where galaxies have a column ``parent``, that of as many galaxies as there are parents in the bin).

    Warns
    -----
    NoClumpsWarning
        There are no galaxies inside the bins: the table has no rows.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import clumpy_fraction
    >>> galaxies = QTable({"galaxy": [1, 2, 3, 4], "redshift": [1.2, 1.4, 1.7, 2.5]})
    >>> clumps = QTable({"galaxy": [1, 1, 4]})
    >>> print(clumpy_fraction(clumps, galaxies, by="redshift", bins=[1, 2, 3])["low", "n_galaxies", "n_clumpy"])
    low n_galaxies n_clumpy
    --- ---------- --------
    1.0          3        1
    2.0          1        1
    """
    if threshold is None:
        raise ValueError("a galaxy is clumpy or not: threshold must be a number, not None")
    if min_clumps < 1:
        raise ValueError(f"min_clumps must be 1 or more, got {min_clumps}")
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=0)
    values, edges, unit = _binned(galaxies, by, bins)
    clumpy = np.bincount(sample.index, sample.weights(population), sample.n_galaxies) >= min_clumps
    n, hits = np.histogram(values, edges)[0], np.histogram(values[clumpy], edges)[0]
    full = n > 0
    if not full.any():
        warnings.warn(f"no galaxies with {by} inside the bins: there is no clumpy fraction", NoClumpsWarning, stacklevel=2)
    interval = np.zeros((2, 0))
    if full.any():
        alone = _independent(galaxies, values, edges)[full]  # views of one galaxy tell no more than one
        interval = _wilson(hits[full] / n[full], alone)
    table = QTable()
    for name, column in (("low", edges[:-1]), ("high", edges[1:])):
        table[name] = column[full] if unit is None else column[full] * unit
    table["n_galaxies"], table["n_clumpy"], table["fraction"] = n[full], hits[full], hits[full] / n[full]
    table["lower"], table["upper"] = interval
    table.meta.update({"by": by, "population": population, "min_clumps": str(min_clumps), "threshold": str(threshold)})
    table.meta["history"] = [*clumps.meta.get("history", []), f"clumpy fraction of {len(galaxies)} galaxies"]
    return table


def host_masses(
    clumps: QTable,
    galaxies: QTable,
    *,
    bins: u.Quantity = HOST_BINS,
    populations: Sequence[str] = POPULATIONS,
    threshold: float | None = P_0,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> QTable:
    """How clumps are distributed over the masses of their galaxies, each galaxy counted once for each clump (G21 Fig. 12).

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy`` and ``p_long`` or ``longevity``.
    galaxies : `~astropy.table.QTable`
        With ``galaxy`` and ``mass``: all that were searched.
    bins : `~astropy.units.Quantity` ['mass'], default 0.25 dex from 1e9 to 1e12 Msun
    populations : sequence of str, default ('all', 'LLC', 'SLC')
    threshold : float or None, default 0.5
        As in `~astroclumps.population.sample.Sample`; None weighs by probability.
    n_bootstrap : int, default 200
        Draws of galaxies, and of classes where ``threshold`` is None.
    seed : int, default 0

    Returns
    -------
    `~astropy.table.QTable`
        A row for each population and bin: ``population``, ``low``, ``high``, ``n_galaxies``, ``n`` (clumps), ``fraction`` (of the
        population's clumps inside the bins) and ``per_galaxy`` (clumps over galaxies in the bin), and their errors from draws of
        galaxies. NaN where there is nothing to divide by.

    Warns
    -----
    NoClumpsWarning
        There are no clumps: the table has no rows.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import host_masses
    >>> galaxies = QTable({"galaxy": [1, 2, 3], "mass": [2e9, 3e9, 4e10] * u.Msun})
    >>> clumps = QTable({"galaxy": [1, 3, 3, 3], "p_long": [0.1, 0.8, 0.9, 0.2]})
    >>> table = host_masses(clumps, galaxies, bins=[1e9, 1e10, 1e11] * u.Msun, populations=["LLC"])
    >>> table["fraction"].tolist(), table["per_galaxy"].tolist()
    ([0.0, 1.0], [0.0, 2.0])
    """
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=n_bootstrap, seed=seed)
    values, edges, unit = _binned(galaxies, "mass", bins)
    n_bins = len(edges) - 1
    bin_of = np.searchsorted(edges, values, side="right") - 1
    bin_of = np.where((bin_of < 0) | (bin_of >= n_bins), n_bins, bin_of)
    populations = list(populations) if len(clumps) else []
    if not len(clumps):
        warnings.warn(f"no clumps in {sample.n_galaxies} galaxies: there are no hosts", NoClumpsWarning, stacklevel=2)

    def count(places, weights):
        return np.bincount(places, weights, n_bins + 1)[:n_bins]

    def shares(n, hosts):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.array([n / n.sum(), n / hosts])

    hosts = count(bin_of, np.ones(len(bin_of)))
    blocks = []
    for population in populations:
        n = count(bin_of[sample.index], sample.weights(population))
        drawn = np.array(
            [shares(count(bin_of[sample.index[o.rows]], o.weights(population)), count(bin_of, o.galaxies)) for o in sample.replicas()]
        )
        errors = [[sample.spread(drawn[:, i, j]) if len(drawn) else np.nan for j in range(n_bins)] for i in range(2)]
        blocks.append((n, *shares(n, hosts), *errors))
    columns = [np.concatenate(parts) for parts in zip(*blocks, strict=True)] if blocks else [np.zeros(0)] * 5
    table = QTable({"population": np.repeat(np.array(populations, dtype="U3"), n_bins)})
    table["low"], table["high"] = (np.tile(part, len(populations)) * unit for part in (edges[:-1], edges[1:]))
    table["n_galaxies"] = np.tile(hosts, len(populations)).astype(np.int64)
    for name, column in zip(("n", "fraction", "per_galaxy", "fraction_error", "per_galaxy_error"), columns, strict=True):
        table[name] = np.asarray(column, dtype=float)
    table.meta["threshold"] = "None" if threshold is None else str(threshold)
    table.meta["history"] = [*clumps.meta.get("history", []), f"hosts of {len(clumps)} clumps"]
    return table


def host_transition(
    clumps: QTable, galaxies: QTable, *, threshold: Any = P_0, method: Any = "logistic", n_bootstrap: int = 200, seed: int = 0
) -> Transition:
    """Find the galaxy mass above which most clumps are long-lived.

    G21 reads 10^10.2 Msun (CANDELS) and 10^10.8 Msun (VELA) from its Figure 12.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy`` and ``p_long`` or ``longevity``.
    galaxies : `~astropy.table.QTable`
        With ``galaxy`` and ``mass``.
    threshold, method, n_bootstrap, seed
        As in `~astroclumps.population.transition.transition_mass`, which does the work.

    Returns
    -------
    `~astroclumps.population.transition.Transition`

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.hosts import host_transition
    >>> galaxies = QTable({"galaxy": [1, 2, 3, 4], "mass": [2e9, 5e9, 2e10, 5e10] * u.Msun})
    >>> clumps = QTable({"galaxy": [1, 2, 2, 3, 4, 4], "p_long": [0.1, 0.2, 0.3, 0.9, 0.6, 0.8]})
    >>> round(host_transition(clumps, galaxies, method="isotonic").log_mass, 2)
    10.0
    """
    hosted = with_hosts(clumps, galaxies, columns=["mass"])
    settings = {"threshold": threshold, "method": method, "galaxies": galaxies, "n_bootstrap": n_bootstrap, "seed": seed}
    return transition_mass(hosted, column="host_mass", **settings)


def _wilson(share, n):
    """68% interval of a share of n independent objects; `~astropy.stats.binom_conf_interval` takes whole numbers of successes only."""
    middle, half = (share + 0.5 / n) / (1 + 1 / n), np.sqrt(share * (1 - share) / n + 0.25 / n**2) / (1 + 1 / n)  # one sigma
    return np.array([middle - half, middle + half])


def _independent(galaxies, values, edges):
    """Number of different parents in each bin."""
    parents, place = parents_of(values, galaxies), np.searchsorted(edges, values, side="right") - 1
    place = np.where(values == edges[-1], len(edges) - 2, place)
    return np.array([len(np.unique(parents[place == k])) for k in range(len(edges) - 1)])


def _binned(galaxies, by, bins):
    """Values of the galaxies, edges in the same unit, and the unit."""
    unit = getattr(galaxies[by], "unit", None) if by in galaxies.colnames else None
    if unit is not None and not (isinstance(bins, u.Quantity) and bins.unit.is_equivalent(unit)):
        raise TypeError(f"bins of {by} must be edges in units of {unit}, got {bins!r}")
    if unit is None and isinstance(bins, u.Quantity):
        raise TypeError(f"bins of {by} must be numbers without unit, as in galaxies, got {bins!r}")
    edges = np.asarray(bins if unit is None else bins.to_value(unit), dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges of bins must increase, and be two at least, got {bins}")
    return values_of(galaxies, by, unit, of="galaxies"), edges, unit
