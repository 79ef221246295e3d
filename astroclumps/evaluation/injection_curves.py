"""From clumps that were put into images to completeness against flux, and the flux at which half of them are found."""

import warnings
from typing import NamedTuple

import numpy as np
from astropy.table import QTable

from astroclumps import catalog
from astroclumps.exceptions import AstroclumpsWarning

from .bootstrap import Bootstrap

__all__ = ["HalfFlux", "completeness_curve", "half_flux"]

_LEVEL = 0.6827  # of the binomial intervals
_LOGARITHMIC = ("flux", "ratio", "size")


def completeness_curve(clumps, *, by="flux", bins=8, n_bootstrap=200, seed=0) -> QTable:
    """Share of the clumps that were found, in bins.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        From `~astroclumps.evaluation.injection.Injection.run`.
    by : {'flux', 'ratio', 'size', 'r_norm'}, default 'flux'
        Column.
    bins : int or array_like, default 8
        Number of bins between the extremes of all clumps (equal steps in the logarithm, but for ``r_norm``), or their edges, in the
        column's unit; a Quantity for a column with a unit.
    n_bootstrap : int, default 200
        Draws of whole galaxies for ``error``.
    seed : int, default 0
        Of the draws.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each detector and bin with clumps: ``detector``, ``low``, ``high`` and ``middle`` (median of the clumps inside), ``n``,
        ``n_galaxies``, ``completeness``, ``lower`` and ``upper`` (68% Wilson interval: the binomial error), ``error`` (bootstrap over
        galaxies, which holds what differs from galaxy to galaxy, but at least half the Wilson interval; NaN of one galaxy).

    Examples
    --------
    >>> from astroclumps import ContrastDetector
    >>> from astroclumps.evaluation.injection import Injection
    >>> from astroclumps.evaluation.injection_curves import completeness_curve
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W", "F160W"])
    >>> clumps = Injection(ratio=(0.01, 0.5), repeats=6, seed=1).run([image], ContrastDetector())
    >>> curve = completeness_curve(clumps, by="ratio", bins=[0.01, 0.1, 0.5])
    >>> int(curve["n"].sum())
    6
    """
    values, unit = _column(clumps, by)
    edges = _edges(values, bins, unit, by)
    names = ("detector", "low", "high", "middle", "n", "n_galaxies", "completeness", "lower", "upper", "error")
    rows = []
    for detector in _detectors(clumps):
        mine = np.asarray(clumps["detector"]) == detector
        found, galaxy = np.asarray(clumps["found"])[mine], np.asarray(clumps["galaxy"])[mine]
        boot = Bootstrap(galaxy, n_draws=n_bootstrap, seed=seed)
        where = np.clip(np.searchsorted(edges, values[mine], side="right") - 1, 0, len(edges) - 2)
        inside = (values[mine] >= edges[0]) & (values[mine] <= edges[-1])
        for i in range(len(edges) - 1):
            here = inside & (where == i)
            if not here.any():
                continue
            share, error = boot.ratio(found & here, here)
            lower, upper = _binomial(int((found & here).sum()), int(here.sum()))
            error = np.maximum(error, (upper - lower) / 2)  # draws of five that were all missed have no scatter; NaN stays
            middle = float(np.median(values[mine][here]))
            rows.append((detector, edges[i], edges[i + 1], middle, here.sum(), len(set(galaxy[here])), share, lower, upper, error))
    table = QTable()
    types = {"detector": str, "n": np.int64, "n_galaxies": np.int64}
    for name, column in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True):
        plain = np.array(column, dtype=types.get(name, float))
        table[name] = plain * unit if unit is not None and name in ("low", "high", "middle") else plain
    table.meta.update({"by": by, "bands": clumps.meta.get("bands", "")})
    for line in clumps.meta.get("history", []):
        catalog.add_history(table, line)
    return table


class HalfFlux(NamedTuple):
    """Result of `half_flux`; fluxes in the unit of the column.

    Attributes
    ----------
    half : float
        Where half of the clumps are found; NaN where the curve does not reach it within the clumps that were put in.
    lower, upper : float
        The wider of two 68% intervals: the 16th and 84th percentile over draws of galaxies and of the clumps in each, and that of the
        likelihood of the clumps as they are (half a unit of its logarithm), which does not shrink to nothing where few clumps or
        galaxies leave the draws no choice. NaN where a fifth of the draws or more do not reach one half, or where the likelihood does
        not end within the fluxes that were put in: then the clumps are too few to tell.
    plateau : float
        Share at which the fit levels off; NaN where it rises beyond the brightest clump only, so that the clumps say nothing about it.
    width : float
        Of the logistic curve in the natural logarithm.
    n : int
        Clumps.
    """

    half: float
    lower: float
    upper: float
    plateau: float
    width: float
    n: int

    def curve(self, values):
        """Completeness of the fit at values of the column; NaN where there is no fit."""
        with np.errstate(divide="ignore", over="ignore"):
            return self.plateau / (1 + np.exp(-(np.log(np.asarray(values, dtype=float)) - self._middle) / self.width))

    @property
    def _middle(self):
        return np.log(self.half) - self.width * np.log(0.5 / (self.plateau - 0.5)) if self.plateau > 0.5 else np.nan


def half_flux(clumps, *, by="flux", detector=None, n_bootstrap=200, seed=0) -> HalfFlux:
    """Fit completeness against flux and read off where it is one half.

    The share that is found is ``plateau / (1 + (f0 / f)^(1 / width))``, fitted to the single clumps by maximum likelihood (ours).

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        From `~astroclumps.evaluation.injection.Injection.run`.
    by : {'flux', 'ratio'}, default 'flux'
        Column.
    detector : str, optional
        Which one; needed where there are several.
    n_bootstrap : int, default 200
        Draws of galaxies, and of as many clumps of each as it has; of single clumps where there is one galaxy.
    seed : int, default 0
        Of the draws.

    Returns
    -------
    HalfFlux

    Warns
    -----
    AstroclumpsWarning
        The curve does not cross one half within the clumps' fluxes.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.evaluation.injection_curves import half_flux
    >>> ratio = np.geomspace(0.01, 1, 200)
    >>> clumps = QTable({"detector": ["step"] * 200, "galaxy": ["one"] * 200, "ratio": ratio, "found": ratio > 0.1})
    >>> round(half_flux(clumps, by="ratio", n_bootstrap=20).half, 2)
    0.1
    """
    names = _detectors(clumps)
    if detector is None and len(names) > 1:
        raise ValueError(f"clumps hold the detectors {', '.join(names)}; choose one with detector=")
    if detector is not None and detector not in names:
        raise ValueError(f"no detector {detector!r} in clumps, which hold {', '.join(names) or 'none'}")
    values, _ = _column(clumps, by)
    mine = np.isfinite(values) & (values > 0) & (np.asarray(clumps["detector"]) == (detector or (names[0] if names else "")))
    logs, found = np.log(values[mine]), np.asarray(clumps["found"])[mine].astype(float)
    if not len(logs):
        raise ValueError("clumps is empty; put clumps into images that hold galaxies first")
    galaxy = np.asarray(clumps["galaxy"])[mine]
    groups = galaxy if len(set(galaxy)) > 1 else np.arange(len(logs))
    boot = Bootstrap(groups, n_draws=n_bootstrap, seed=seed)
    rng = np.random.default_rng([int(seed), 1])
    best = _fit(logs, found, np.ones(len(logs)))
    half, plateau, width = _half(best, logs)
    if best[0] > logs.max():
        plateau = np.nan
    drawn = np.array([_half(_fit(logs, found, _clumps_of(boot, i, rng), start=best), logs)[0] for i in range(n_bootstrap)])
    known = drawn[np.isfinite(drawn)]
    lower, upper = np.percentile(known, [16, 84]) if len(known) > 0.8 * max(n_bootstrap, 1) else (np.nan, np.nan)
    alone = _likely(logs, found) if np.isfinite(half) else (np.nan, np.nan)
    lower, upper = np.minimum(lower, alone[0]), np.maximum(upper, alone[1])  # NaN where either is
    if not np.isfinite(half):
        warnings.warn(
            f"the completeness of {detector or names[0]} does not cross one half between {np.exp(logs.min()):.3g} and "
            f"{np.exp(logs.max()):.3g} ({by}); put in clumps of other fluxes",
            AstroclumpsWarning,
            stacklevel=2,
        )
    return HalfFlux(half, float(lower), float(upper), plateau, width, len(logs))


def _likely(logs, found):
    """Where one half may lie by the likelihood alone, 68%: all places that some width and plateau explain nearly as well as the best."""
    span = max(logs.max() - logs.min(), 1e-3)
    width, plateau = np.geomspace(0.01 * span, span, 14)[:, None, None], np.array([0.52, 0.56, 0.62, 0.7, 0.8, 0.88, 0.95, 0.999])[:, None]

    def profile(places):
        out = []
        for place in places:
            with np.errstate(over="ignore"):
                share = plateau / (1 + (2 * plateau - 1) * np.exp(-(logs - place) / width))
            share = np.clip(share, 1e-12, 1 - 1e-12)
            out.append(np.where(found > 0, np.log(share), np.log1p(-share)).sum(axis=-1).max())
        return np.array(out)

    low, high = logs.min(), logs.max()
    for _ in range(2):  # once for all fluxes, once more finely
        places = np.linspace(low, high, 61)
        value = profile(places)
        good = np.flatnonzero(value >= value.max() - 0.5)
        low, high = places[max(good[0] - 1, 0)], places[min(good[-1] + 1, len(places) - 1)]
        if low == logs.min() or high == logs.max():
            return np.nan, np.nan
    return float(np.exp(low)), float(np.exp(high))


def _clumps_of(boot, draw, rng):
    """How often a draw holds each clump: hosts are drawn first, then as many clumps of each as it has."""
    times = boot.times[draw]
    weights = np.zeros(len(boot.index))
    for host in np.flatnonzero(times):
        members = np.flatnonzero(boot.index == host)
        picks = rng.integers(0, len(members), int(times[host]) * len(members))
        np.add.at(weights, members[picks], 1.0)
    return weights


def _fit(logs, found, weights, start=None):
    """Middle, logarithm of the width and logit of the plateau of the likeliest curve."""
    from scipy.optimize import minimize
    from scipy.special import expit

    low, high = logs.min(), logs.max()
    span = max(high - low, 1e-3)

    def badness(p):
        """Minus the logarithm of the likelihood, and its gradient."""
        width, plateau = np.exp(p[1]), expit(p[2])
        step = (logs - p[0]) / width
        rise = expit(step)
        share = np.clip(plateau * rise, 1e-12, 1 - 1e-12)
        value = -np.sum(weights * (found * np.log(share) + (1 - found) * np.log1p(-share)))
        slope = -weights * (found / share - (1 - found) / (1 - share))
        fall = plateau * rise * (1 - rise)
        return value, np.array(
            [-(slope * fall).sum() / width, -(slope * fall * step).sum(), (slope * plateau * (1 - plateau) * rise).sum()]
        )

    if start is None:
        rough = high - np.average(found, weights=weights) * span
        starts = [np.array([rough, np.log(0.1 * span), top]) for top in (0.0, 5.0)]
    else:
        starts = [start]
    limits = [(low - span, high + span), (np.log(1e-3 * span), np.log(span)), (-7.0, 7.0)]
    fits = [minimize(badness, one, jac=True, method="L-BFGS-B", bounds=limits) for one in starts]
    return min(fits, key=lambda fit: fit.fun).x


def _half(parameters, logs):
    """Where the curve is one half (NaN outside the range of the clumps), its plateau and its width."""
    from scipy.special import expit

    middle, width, plateau = float(parameters[0]), float(np.exp(parameters[1])), float(expit(parameters[2]))
    if plateau <= 0.5:
        return np.nan, plateau, width
    log_half = middle + width * np.log(0.5 / (plateau - 0.5))
    inside = logs.min() <= log_half <= logs.max()
    return (float(np.exp(log_half)) if inside else np.nan), plateau, width


def _binomial(hits, n):
    """68% Wilson interval of a share."""
    from astropy.stats import binom_conf_interval

    lower, upper = binom_conf_interval(hits, n, confidence_level=_LEVEL, interval="wilson")
    return float(lower), float(upper)


def _detectors(clumps):
    return list(dict.fromkeys(str(name) for name in clumps["detector"]))


def _column(clumps, by):
    """Plain values of a column, and its unit."""
    if by not in ("flux", "ratio", "size", "r_norm"):
        raise ValueError(f"by is 'flux', 'ratio', 'size' or 'r_norm', got {by!r}")
    column = clumps[by]
    unit = getattr(column, "unit", None)
    return np.asarray(column.value if unit is not None else column, dtype=float), unit


def _edges(values, bins, unit, by):
    if np.ndim(bins):
        edges = np.asarray(bins.to_value(unit) if hasattr(bins, "to_value") else bins, dtype=float)
        if unit is not None and not hasattr(bins, "to_value"):
            raise TypeError(f"bins of {by} must be a Quantity in {unit}, got {bins!r}")
        if len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise ValueError(f"edges of bins must increase, and be two at least, got {bins}")
        return edges
    if bins < 1:
        raise ValueError(f"bins is a number of bins, at least 1, or their edges; got {bins!r}")
    finite = values[np.isfinite(values) & ((values > 0) if by in _LOGARITHMIC else True)]
    if not len(finite):
        return np.array([1.0, 2.0])
    low, high = finite.min(), finite.max() * (1 + 1e-12) + (1e-12 if finite.min() == finite.max() else 0)
    return np.geomspace(low, high, bins + 1) if by in _LOGARITHMIC else np.linspace(low, high, bins + 1)
