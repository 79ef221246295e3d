"""Clumps of many galaxies as plain arrays, and draws of them for the errors.

Every function of this package reads its tables here. A table of clumps has the columns of `astroclumps.catalog`, and ``galaxy``, the
name or number of each clump's galaxy; a table of galaxies has ``galaxy``, a row for each galaxy that was searched, with clumps or without.
"""

from collections.abc import Iterator
from typing import NamedTuple

import astropy.units as u
import numpy as np

from ..arguments import bare
from ..evaluation.bootstrap import Bootstrap
from ..exceptions import CatalogError

__all__ = ["POPULATIONS", "P_0", "Replica", "Sample", "parents_of", "posterior", "values_of"]

P_0 = 0.5
"""Probability from which on a clump counts as long-lived (G21 4.2)."""

_LIGHTEST = 100.0  # Msun: draws that all lie below are logarithms

_NOT_NEGATIVE = ("r_norm", "age")

POPULATIONS = ("all", "LLC", "SLC")
"""All clumps, long-lived and short-lived ones."""


class Replica(NamedTuple):
    """One draw of the sample. A galaxy that is drawn twice brings its clumps twice, each time with a class and a mass of their own.

    Attributes
    ----------
    rows : ndarray of int, shape (n_drawn,)
        Rows of the clumps that were drawn.
    long : ndarray, shape (n_drawn,)
        1 for a long-lived clump, 0 for a short-lived one, NaN for one without class.
    pick : ndarray of int, shape (n_drawn,)
        Which draw of the clump's posterior counts.
    galaxies : ndarray, shape (n_galaxies,)
        How often each galaxy was drawn.
    """

    rows: np.ndarray
    long: np.ndarray
    pick: np.ndarray
    galaxies: np.ndarray

    def weights(self, population):
        """How much each of them counts in a population."""
        return _members(self.long, population)


class Sample:
    """Clumps with their classes and galaxies.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, and with ``p_long`` or, where there is none, ``longevity`` if classes are asked for.
    galaxies : `~astropy.table.QTable`, optional
        With ``galaxy``, and ``parent`` where several rows hang together, such as images of one simulated galaxy: the errors then draw
        whole parents. Default: the galaxies that have clumps, with the column ``parent`` of the clumps if there is one.
    threshold : float or None, default 0.5
        P_0: clumps of ``p_long`` at or above it are long-lived, those below short-lived (G21 4.2). None: each counts as long-lived by
        ``p_long`` and as short-lived by the rest; the draws then draw its class.
    n_draws : int, default 200
        Draws of whole galaxies, or of parents.
    seed : int, default 0

    Attributes
    ----------
    index : ndarray of int, shape (n_clumps,)
        Row of each clump's galaxy.
    n_galaxies : int
    n_parents : int
        Galaxies that are independent of each other; without ``parent`` all of them.
    long : ndarray, shape (n_clumps,)
        Probability of being long-lived, or 0 and 1 with a threshold; NaN without class.

    Raises
    ------
    CatalogError
        A column is missing, galaxies are listed twice, or a clump's galaxy is not listed.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.sample import Sample
    >>> clumps = QTable({"galaxy": ["a", "a", "b"], "p_long": [0.9, 0.2, 0.6]})
    >>> Sample(clumps).weights("LLC"), Sample(clumps, threshold=None).weights("SLC").round(1)
    (array([1., 0., 1.]), array([0.1, 0.8, 0.4]))
    """

    def __init__(self, clumps, galaxies=None, *, threshold=P_0, n_draws=200, seed=0):
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"threshold must lie in 0 to 1, or be None for weights by p_long; got {threshold}")
        for name, table in (("clumps", clumps), ("galaxies", galaxies)):
            if table is not None and "galaxy" not in table.colnames:
                raise CatalogError(f"{name} need a column 'galaxy' that names the galaxy; the table has {', '.join(table.colnames)}")
            if table is not None and np.any(getattr(table["galaxy"], "mask", False)):
                raise CatalogError(f"column 'galaxy' of {name} is masked in some rows; each needs the name of its galaxy")
        host = np.asarray(clumps["galaxy"])
        names = np.unique(host) if galaxies is None else np.asarray(galaxies["galaxy"])
        order = np.argsort(names, kind="stable")
        if len(np.unique(names)) != len(names):
            raise CatalogError("galaxies has a galaxy twice; give one row for each")
        if len(host) and len(names) and (host.dtype.kind in "US") != (names.dtype.kind in "US"):
            raise CatalogError(f"column 'galaxy' holds {host.dtype} in clumps but {names.dtype} in galaxies; name them alike in both")
        host = host if len(host) else np.zeros(0, dtype=names.dtype)
        place = np.searchsorted(names[order], host) if len(names) else np.zeros(len(host), dtype=int)
        known = (place < len(names)) & (names[order][np.minimum(place, max(len(names) - 1, 0))] == host) if len(names) else place < 0
        if not np.all(known):
            missing = host[~known]
            raise CatalogError(
                f"{len(missing)} clumps are in galaxies that are not listed, such as {str(missing[0])!r}; add them or cut the clumps"
            )
        self.index, self.n_galaxies = order[place], len(names)
        self._parents = parents_of(names, galaxies, clumps if galaxies is None else None)
        self.n_parents = len(np.unique(self._parents))
        self._drawn, self._seed, self._boot = threshold is None, seed, Bootstrap(self._parents, n_draws=n_draws, seed=seed)
        self.long = _long(clumps, threshold)

    def __len__(self):
        return len(self.index)

    def weights(self, population):
        """How much each clump counts in one of `POPULATIONS`."""
        if population != "all" and self.long is None:
            raise CatalogError("clumps have neither p_long nor longevity; classify them, or ask for the population 'all' only")
        return _members(np.zeros(len(self)) if self.long is None else self.long, population)

    def replicas(self, n_posterior=1) -> Iterator[Replica]:
        """Draws of galaxies, of classes where there is no threshold, and of each clump's posterior.

        Parameters
        ----------
        n_posterior : int, default 1
            Draws in each posterior.

        Yields
        ------
        Replica
        """
        rng = np.random.default_rng([self._seed, 1])
        long = np.full(len(self), np.nan) if self.long is None else self.long
        for parents in self._boot.times:
            galaxies = parents[self._boot.index]
            rows = np.repeat(np.arange(len(self)), galaxies[self.index].astype(int))
            chance, pick, drawn = rng.random(len(rows)), rng.integers(0, n_posterior, len(rows)), long[rows]
            if self._drawn:
                drawn = np.where(np.isnan(drawn), np.nan, chance < drawn)
            yield Replica(rows, drawn, pick, galaxies)

    def spread(self, drawn):
        """Standard deviation of draws; NaN with fewer than two parents, or where a fifth of the draws have no value."""
        lower, upper = self.interval(drawn)
        good = np.asarray(drawn)[np.isfinite(drawn)]
        return float(good.std()) if np.isfinite(lower + upper) else float("nan")

    def interval(self, drawn):
        """16th and 84th percentile of draws; NaN with fewer than two parents, or where a fifth of the draws have no value."""
        drawn = np.asarray(drawn, dtype=float)
        good = drawn[np.isfinite(drawn)]
        if self.n_parents < 2 or len(good) < 2 or len(good) < 0.8 * len(drawn):
            return float("nan"), float("nan")
        lower, upper = np.percentile(good, [15.865, 84.135])
        return float(lower), float(upper)


def parents_of(names, galaxies, clumps=None):
    """What hangs together among galaxies: their column ``parent``, else each galaxy by itself.

    Parameters
    ----------
    names : ndarray, shape (n,)
        Names of the galaxies, as in the table of galaxies or, without one, in rising order.
    galaxies : `~astropy.table.Table` or None
        With a row for each name.
    clumps : `~astropy.table.Table`, optional
        Looked at where there is no table of galaxies.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    CatalogError
        Clumps of one galaxy have different parents.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astroclumps.population.sample import parents_of
    >>> parents_of(["a1", "a2"], Table({"parent": ["a", "a"]})).tolist()
    ['a', 'a']
    """
    if galaxies is not None:
        return np.asarray(galaxies["parent"]) if "parent" in galaxies.colnames else np.arange(len(names))
    if clumps is None or "parent" not in clumps.colnames:
        return np.arange(len(names))
    host, parent = np.asarray(clumps["galaxy"]), np.asarray(clumps["parent"])
    _, first, index = np.unique(host, return_index=True, return_inverse=True)
    if (parent[first][index] != parent).any():
        raise CatalogError("clumps of one galaxy have different values of 'parent'; it names what the galaxy is a view of")
    return parent[first]


def values_of(table, name, unit=None, *, of="clumps"):
    """A column as bare floats; NaN where it is masked.

    Parameters
    ----------
    table : `~astropy.table.QTable`
    name : str
    unit : `~astropy.units.Unit`, optional
        None: the column must have none.
    of : str, default 'clumps'
        What the table holds, for messages.

    Returns
    -------
    ndarray of float

    Raises
    ------
    CatalogError
        The column is missing or has another unit, or a distance or an age is negative.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.sample import values_of
    >>> values_of(QTable({"mass": [1.0, 2.0] * u.kg}), "mass", u.g)
    array([1000., 2000.])
    """
    if name not in table.colnames:
        raise CatalogError(f"{of} need a column {name!r}; the table has {', '.join(table.colnames)}")
    column = table[name]
    has = getattr(column, "unit", None)
    if unit is None:
        if has not in (None, u.dimensionless_unscaled):
            raise CatalogError(f"column {name!r} of {of} must have no unit, got {has}")
        return _not_negative(bare(column), name, of)
    if not isinstance(column, u.Quantity) or not column.unit.is_equivalent(unit):
        raise CatalogError(f"column {name!r} of {of} must be in units of {unit}, got {has}; use a QTable with values * u.Unit('{unit}')")
    return _not_negative(bare(column, unit), name, of)


def _not_negative(values, name, of):
    if name in _NOT_NEGATIVE and (values < 0).any():
        text = f"column {name!r} of {of} is negative in {(values < 0).sum()} rows, such as {values[values < 0][0]:g}"
        raise CatalogError(f"{text}; what stands for no value must be NaN or masked")
    return values


def posterior(clumps, draws, *, name="mass", unit=u.Msun):
    """Draws of a column, or the column itself as one draw.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
    draws : `~astropy.units.Quantity` or None
        Shape (n_clumps, n_draws).
    name : str, default 'mass'
    unit : `~astropy.units.Unit`, default Msun

    Returns
    -------
    ndarray, shape (n_clumps, n_draws)

    Raises
    ------
    TypeError, ValueError
        Draws without unit, for another number of clumps, or of the logarithm.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.sample import posterior
    >>> posterior(QTable({"mass": [1.0, 2.0] * u.Msun}), None).shape
    (2, 1)
    """
    if draws is None:
        return values_of(clumps, name, unit)[:, None]
    if not isinstance(draws, u.Quantity) or not draws.unit.is_equivalent(unit):
        raise TypeError(f"draws of {name} must be a Quantity in {unit}, got {draws!r}")
    if draws.ndim != 2 or len(draws) != len(clumps) or draws.shape[1] < 1:
        raise ValueError(f"draws must have the shape ({len(clumps)}, n_draws), a row for each clump; got {draws.shape}")
    values = bare(draws, unit)
    if unit == u.Msun and values.size and np.nanmax(values, initial=-np.inf) < _LIGHTEST:
        top = np.nanmax(values, initial=-np.inf)
        raise ValueError(f"draws of {name} are at most {top:.3g} {unit}; give masses, not their logarithm")
    return values


def _long(clumps, threshold):
    if "p_long" in clumps.colnames:
        p = bare(clumps["p_long"])
        if ((p < 0) | (p > 1)).any():
            raise CatalogError(f"p_long must lie in 0 to 1, got {np.nanmin(p)} to {np.nanmax(p)}")
        return p if threshold is None else np.where(np.isnan(p), np.nan, (p >= threshold).astype(float))
    if "longevity" in clumps.colnames:
        name = np.where(np.asarray(getattr(clumps["longevity"], "mask", False)), "", np.asarray(clumps["longevity"]))
        return np.where(name == "LLC", 1.0, np.where(name == "SLC", 0.0, np.nan))
    return None


def _members(long, population):
    if population not in POPULATIONS:
        raise ValueError(f"population is one of {', '.join(POPULATIONS)}, got {population!r}")
    if population == "all":
        return np.ones(len(long))
    return np.nan_to_num(long if population == "LLC" else 1 - long)
