"""Draws from one sample of galaxies that match another in mass, redshift and size (G21 5.2)."""

import warnings
from typing import NamedTuple

import numpy as np
from astropy.table import QTable

from ..exceptions import AstroclumpsWarning, NoClumpsWarning
from .sample import values_of

__all__ = ["MATCH_COLUMNS", "MatchedDraw", "compare_samples", "matched_draw"]

MATCH_COLUMNS = ("mass", "redshift", "r_e")
"""Properties that the paper matches: CANDELS galaxies are drawn at random to roughly match the simulated ones (G21 5.2, METHODS 6)."""

_LOGARITHMIC = ("mass", "r_e", "sfr", "ssfr")


class MatchedDraw(NamedTuple):
    """Result of `matched_draw`.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Galaxies that were drawn; each once.
    rows : ndarray of int
        Their rows in the sample.
    partners : ndarray of int
        The row of the target that each stands for.
    test : `~astropy.table.QTable`
        As from `compare_samples`, of the draw against the target.
    """

    table: QTable
    rows: np.ndarray
    partners: np.ndarray
    test: QTable


def matched_draw(sample, target, *, columns=MATCH_COLUMNS, n=None, n_neighbours=5, max_distance=0.5, seed=0) -> MatchedDraw:
    """Draw galaxies at random so that they are distributed as those of another sample.

    For one galaxy of the target after another, in random order, one of the nearest galaxies of the sample that are still free is drawn at
    random. Distances are in units of the target's standard deviation in each column; masses, sizes and rates in log10. The paper says only
    "roughly match"; the way is ours.

    Parameters
    ----------
    sample, target : `~astropy.table.QTable`
        Galaxies to draw from, and those to match; both with the columns, in units that convert. Sizes in kpc and in arcsec do not.
    columns : sequence of str, default ('mass', 'redshift', 'r_e')
    n : int, optional
        How many to draw; default as many as the target has. More than that go through the target again.
    n_neighbours : int, default 5
        Of how many near galaxies one is drawn.
    max_distance : float, default 0.5
        Galaxies further away than this are no match: a galaxy of the target without any is left without a partner.
    seed : int, default 0

    Returns
    -------
    MatchedDraw

    Warns
    -----
    AstroclumpsWarning
        Galaxies of the target have no partner.
    NoClumpsWarning
        Nothing was drawn: the table has no rows.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.population.matching import matched_draw
    >>> rng = np.random.default_rng(0)
    >>> sample = QTable({"mass": 10 ** rng.uniform(9, 12, 3000) * u.Msun, "redshift": rng.uniform(1, 3, 3000)})
    >>> target = QTable({"mass": 10 ** rng.normal(10.5, 0.3, 200) * u.Msun, "redshift": rng.uniform(1, 2, 200)})
    >>> draw = matched_draw(sample, target, columns=["mass", "redshift"])
    >>> len(draw.table), bool((draw.test["p_value"] > 0.05).all())
    (200, True)
    """
    if n is not None and (isinstance(n, bool) or int(n) != n or n < 1):
        raise ValueError(f"n must be a whole number of galaxies, 1 or more, or None for as many as the target has, got {n!r}")
    if n_neighbours < 1 or not max_distance > 0:
        raise ValueError(f"n_neighbours must be 1 or more and max_distance positive, got {n_neighbours} and {max_distance}")
    points, wanted = _coordinates(sample, target, columns)
    usable, known = np.flatnonzero(np.isfinite(points).all(axis=1)), np.flatnonzero(np.isfinite(wanted).all(axis=1))
    rows, partners = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    n = len(known) if n is None else int(n)
    if len(usable) and len(known) and n:
        scale = wanted[known].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        rows, partners = _draw(points[usable] / scale, wanted[known] / scale, n, n_neighbours, max_distance, np.random.default_rng(seed))
        rows, partners = usable[rows], known[partners]
    if not len(rows):
        why = "no galaxies of the sample lie near those of the target"
        for name, good in (("target", known), ("sample", usable)):
            if not len(good):
                why = f"the {name} has no galaxy with {', '.join(columns)}"
        warnings.warn(f"{why}: nothing was drawn", NoClumpsWarning, stacklevel=2)
    elif len(rows) < n:
        text = f"{n - len(rows)} of {n} draws found no free galaxy within {max_distance:g} standard deviations"
        warnings.warn(f"{text}; the match lacks them", AstroclumpsWarning, stacklevel=2)
    table = sample[rows]
    table.meta["history"] = [*sample.meta.get("history", []), f"{len(rows)} drawn to match {', '.join(columns)}, seed {seed}"]
    return MatchedDraw(table, rows, partners, compare_samples(table, target, columns=columns))


def compare_samples(sample, target, *, columns=MATCH_COLUMNS) -> QTable:
    """Two-sample Kolmogorov-Smirnov test of each column (`scipy.stats.ks_2samp`).

    Parameters
    ----------
    sample, target : `~astropy.table.QTable`
        With the columns, in units that convert. Rows with NaN in any of them do not count.
    columns : sequence of str, default ('mass', 'redshift', 'r_e')

    Returns
    -------
    `~astropy.table.QTable`
        A row for each column: ``column``, ``statistic``, ``p_value``, ``median_sample`` and ``median_target`` (log10 in the target's unit
        for masses, sizes and rates), ``n_sample``, ``n_target``. NaN where a sample is empty. The test asks whether two samples that were
        drawn independently may have one parent; after `matched_draw` they were not, and its p-values lie high.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.population.matching import compare_samples
    >>> test = compare_samples(QTable({"redshift": [1, 1.1, 1.2]}), QTable({"redshift": [2, 2.1, 2.2]}), columns=["redshift"])
    >>> print(test["column", "statistic", "n_sample", "n_target"])
     column  statistic n_sample n_target
    -------- --------- -------- --------
    redshift       1.0        3        3
    """
    from scipy.stats import ks_2samp

    ours, theirs = (values[np.isfinite(values).all(axis=1)] for values in _coordinates(sample, target, columns))
    rows = []
    for i, name in enumerate(columns):
        result = (np.nan,) * 4
        if len(ours) and len(theirs):
            test = ks_2samp(ours[:, i], theirs[:, i])
            result = (float(test.statistic), float(test.pvalue), np.median(ours[:, i]), np.median(theirs[:, i]))
        rows.append((name, *result, len(ours), len(theirs)))
    return QTable(rows=rows, names=("column", "statistic", "p_value", "median_sample", "median_target", "n_sample", "n_target"))


def _coordinates(sample, target, columns):
    """Both tables as arrays (n, n_columns), in the target's units."""
    if not len(columns):
        raise ValueError("columns must name a property at least, such as 'mass'")
    parts = [[], []]
    for name in columns:
        unit = getattr(target[name], "unit", None) if name in target.colnames else None
        for part, table, of in zip(parts, (sample, target), ("sample", "target"), strict=True):
            values = values_of(table, name, unit, of=of)
            if name in _LOGARITHMIC:
                values = np.log10(values, out=np.full(len(values), np.nan), where=values > 0)
            part.append(values)
    return tuple(np.stack(part, axis=1) for part in parts)


def _draw(points, wanted, n, n_neighbours, max_distance, rng):
    """Rows of the points that were drawn, and of the wanted that they stand for."""
    from scipy.spatial import KDTree

    tree, free = KDTree(points), np.ones(len(points), dtype=bool)
    order = np.concatenate([rng.permutation(len(wanted)) for _ in range(-(-n // len(wanted)))])[:n]
    rows, partners = [], []
    for i in order:
        near = np.array(tree.query_ball_point(wanted[i], max_distance), dtype=int)
        near = near[free[near]]
        if len(near):
            far = np.linalg.norm(points[near] - wanted[i], axis=1)
            row = rng.choice(near[np.argsort(far, kind="stable")[:n_neighbours]])
            free[row] = False
            rows.append(row)
            partners.append(i)
    return np.array(rows, dtype=int), np.array(partners, dtype=int)
