"""Slope of the clump mass function: maximum likelihood for a truncated power law, without bins.

The law is ``dN/dM ~ M^slope`` between two limits. Per logarithmic bin the same clumps have ``dN/dlogM ~ M^(slope + 1)``: a slope of -2 in
dN/dM is -1 in dN/dlogM. Figure 10 of Ginzburg et al. (2021) counts clumps per logarithmic bin; `PowerLawFit` gives both, by name.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..arguments import bare
from ..arguments import quantity as _quantity
from ..exceptions import AstroclumpsWarning, NoClumpsWarning
from .completeness import completeness_function

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["SLOPE_MASS", "PowerLawFit", "draw_power_law", "fit_power_law"]

SLOPE_MASS = 10**7.5 * u.Msun
"""Lower limit of the masses that the paper's slopes were fitted to (G21 5.2.1, Fig. 10)."""

_STEEPEST = 50.0
_FEW_DRAWS = 10.0


@dataclass(frozen=True, kw_only=True)
class PowerLawFit:
    """Result of `fit_power_law`.

    Attributes
    ----------
    slope : float
        alpha of dN/dM ~ M^alpha; NaN where there are fewer than two clumps.
    lower, upper : float
        Ends of the interval of ``slope``.
    low, high : `~astropy.units.Quantity` ['mass']
        Limits of the law.
    n : float
        Clumps inside the limits: the sum of their weights, and of the part of each posterior that lies inside.
    level : float
        Confidence of the interval.
    method : str
        ``'profile likelihood'`` or ``'sandwich'``.
    """

    slope: float
    lower: float
    upper: float
    low: u.Quantity
    high: u.Quantity
    n: float
    level: float
    method: str

    @property
    def error(self) -> float:
        """Half of the interval."""
        return 0.5 * (self.upper - self.lower)

    @property
    def slope_log(self) -> float:
        """Slope of dN/dlogM ~ M^slope_log, which is ``slope + 1``; its errors are those of ``slope``."""
        return self.slope + 1.0

    def to_table(self) -> QTable:
        """Both slopes with their names: ``of``, ``slope``, ``lower``, ``upper``, ``error``, ``n``, ``low``, ``high``.

        Returns
        -------
        `~astropy.table.QTable`
            A row for ``dN/dM`` and one for ``dN/dlogM``.
        """
        table = QTable({"of": ["dN/dM", "dN/dlogM"]})
        for name in ("slope", "lower", "upper"):
            table[name] = getattr(self, name) + np.array([0.0, 1.0])
        table["error"], table["n"] = self.error, self.n
        table["low"], table["high"] = u.Quantity([self.low] * 2), u.Quantity([self.high] * 2)
        table.meta["history"] = [f"{self.method} at {self.level:.4g}"]
        return table


def draw_power_law(
    n: int, *, slope: float, low: u.Quantity, high: u.Quantity = np.inf * u.Msun, seed: int | np.random.Generator = 0
) -> u.Quantity:
    """Masses of a truncated power law dN/dM ~ M^slope, for tests of what is done with them.

    Parameters
    ----------
    n : int
        Number of clumps.
    slope : float
        Of dN/dM; below -1 where ``high`` is infinite.
    low, high : `~astropy.units.Quantity` ['mass']
        Limits. ``high`` may be infinite.
    seed : int or `~numpy.random.Generator`, default 0

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        Msun, shape (n,).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.population.power_law import draw_power_law
    >>> draw_power_law(3, slope=-2.0, low=1e7 * u.Msun, high=1e9 * u.Msun, seed=1).to(1e7 * u.Msun).round(2)
    <Quantity [ 2.03, 16.94,  1.17] 1e+07 solMass>
    """
    low, span = _limits(low, high)
    power = float(slope) + 1.0
    if np.isinf(span) and power >= 0:
        raise ValueError(f"without an upper limit the slope of dN/dM must lie below -1, got {slope}; give high")
    share = np.random.default_rng(seed).random(n)
    if abs(power) * min(span, 1e300) < 1e-12:
        return low * np.exp(share * span) * u.Msun
    return low * np.exp(np.log1p(share * np.expm1(power * span)) / power) * u.Msun


def fit_power_law(
    mass: u.Quantity,
    *,
    low: u.Quantity = SLOPE_MASS,
    high: u.Quantity = np.inf * u.Msun,
    weights: "ArrayLike | None" = None,
    groups: "ArrayLike | None" = None,
    completeness: Any = None,
    draw_prior: Any = -1.0,
    level: float = 0.6827,
) -> PowerLawFit:
    """Fit dN/dM ~ M^slope to the masses between two limits by maximum likelihood.

    The density of what is found is ``completeness(M) M^slope``, normalised between the limits. Where every clump counts once and has
    one mass, the interval is that of the profile likelihood. Where clumps have weights, draws or groups the likelihood's curvature is
    no measure of the error, and the interval is that of the sandwich estimator: the scatter of the scores of clumps or groups, over
    the curvature (Huber 1967). Weights are taken as known.

    With draws, each draw counts in proportion to the law over the prior that it was made with, as in hierarchical inference (Hogg,
    Myers & Bovy 2010), so that errors of the masses do not change the slope. Only what lies inside the limits is fitted; the law is
    assumed to go on outside them as far as the draws of clumps inside reach.

    Parameters
    ----------
    mass : `~astropy.units.Quantity` ['mass']
        Masses, shape (n_clumps,), or draws from the posterior of each, shape (n_clumps, n_draws). Clumps with NaN are left out with
        a warning.
    low, high : `~astropy.units.Quantity` ['mass']
        Limits; 10^7.5 Msun (G21 5.2.1) and infinity.
    weights : array_like, shape (n_clumps,), optional
        How much each clump counts, such as ``p_long``; default 1.
    groups : array_like, shape (n_clumps,), optional
        Galaxy of each clump, where those of one galaxy may hang together.
    completeness : callable or `~astropy.table.QTable`, optional
        As in `~astroclumps.population.completeness.completeness_function`. Without an upper limit, it stays what it is at ten times
        the largest mass.
    draw_prior : float or callable, default -1
        Prior of the draws: its slope in dN/dM (-1 is flat in log mass, as that of the SED fits) or a function of a Quantity of masses
        that is proportional to dN/dM.
    level : float, default 0.6827
        Confidence of the interval.

    Returns
    -------
    PowerLawFit

    Warns
    -----
    NoClumpsWarning
        Fewer than two clumps inside the limits: the slope is NaN.
    AstroclumpsWarning
        Clumps have no mass, or half of them have fewer than 10 effective draws.

    Raises
    ------
    TypeError, ValueError
        Masses or limits without unit, limits that do not increase, weights or groups of another length, negative weights, groups that
        are masked, a level outside 0 to 1.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.population.power_law import draw_power_law, fit_power_law
    >>> mass = draw_power_law(2000, slope=-2.0, low=10**7.5 * u.Msun, high=1e10 * u.Msun, seed=1)
    >>> fit = fit_power_law(mass, high=1e10 * u.Msun)
    >>> print(f"dN/dM {fit.slope:.2f}, dN/dlogM {fit.slope_log:.2f}, both +/- {fit.error:.2f}")
    dN/dM -2.00, dN/dlogM -1.00, both +/- 0.02
    """
    if not 0 < level < 1:
        raise ValueError(f"level is the share that the interval holds, between 0 and 1, such as 0.6827; got {level}")
    low_msun, span = _limits(low, high)
    x, weights, groups, prior, method = _arrays(mass, weights, groups, draw_prior, low_msun)
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x <= span)
    law = _Law(span, completeness_function(completeness), low_msun, x)
    keep = (inside.any(axis=1) if len(x) else np.zeros(0, dtype=bool)) & (weights > 0)
    x, inside, weights, groups, prior = x[keep], inside[keep], weights[keep], groups[keep], prior[keep]
    result = {"low": low, "high": high, "level": level, "method": method}
    if len(x) < 2 or np.ptp(x[inside]) == 0:
        text = f"{len(x)} clumps with a mass between {low:.3g} and {high:.3g}; a slope needs two, of different masses"
        warnings.warn(text, NoClumpsWarning, stacklevel=2)
        return PowerLawFit(slope=np.nan, lower=np.nan, upper=np.nan, n=float(weights.sum()), **result)
    scores = _Scores(law, x, inside, weights, prior)
    power = scores.root()
    from scipy.stats import norm

    sigmas = norm.isf(0.5 * (1 - level))
    if method == "sandwich":
        reach = sigmas * scores.sandwich(power, groups)
        lower, upper = power - reach, power + reach
    else:
        lower, upper = law.profile(power, x[:, 0], sigmas)
    n = float((weights[:, None] * scores.shares(power) * inside).sum())
    if x.shape[1] > 1 and np.median(1 / (scores.shares(power) ** 2).sum(axis=1)) < _FEW_DRAWS:
        text = f"half of the clumps have fewer than {_FEW_DRAWS:g} effective draws under the law; pass more draws or a prior closer to it"
        warnings.warn(text, AstroclumpsWarning, stacklevel=2)
    return PowerLawFit(slope=float(power - 1), lower=float(lower - 1), upper=float(upper - 1), n=n, **result)


def _limits(low, high):
    """Lower limit in Msun and the logarithm of upper over lower limit."""
    low = float(_quantity("low", low, u.Msun, "10**7.5 * u.Msun", positive=True))
    if not isinstance(high, u.Quantity) or not high.unit.is_equivalent(u.Msun):
        raise TypeError(f"high must be a Quantity such as 1e10 * u.Msun, got {high!r}")
    high = float(high.to_value(u.Msun))
    if not high > low:
        raise ValueError(f"high must lie above low, got {low:.4g} to {high:.4g} Msun")
    return low, np.log(high / low)


def _arrays(mass, weights, groups, draw_prior, low):
    """ln(M / low), shape (n, n_draws); weights, groups and log prior (in ln M) of the clumps with masses, and what errors come from."""
    if not isinstance(mass, u.Quantity) or not mass.unit.is_equivalent(u.Msun):
        raise TypeError(f"mass must be a Quantity such as [1e8] * u.Msun, got {mass!r}")
    if mass.ndim not in (1, 2):
        raise ValueError(f"mass has the shape (n_clumps,) or (n_clumps, n_draws), got {mass.shape}")
    values = bare(mass, u.Msun)
    values = values[:, None] if values.ndim == 1 else values
    plain = weights is None and groups is None and values.shape[1] == 1
    if np.any(getattr(groups, "mask", False)):
        raise ValueError("groups are masked for some clumps; name the galaxy of each")
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    for name, array in (("weights", weights), ("groups", groups)):
        if array.shape != (len(values),):
            raise ValueError(f"{name} has the shape {array.shape}, but there are {len(values)} clumps; pass one for each clump")
    if not (weights >= 0).all():
        raise ValueError("weights must not be negative or NaN; give clumps that do not count 0")
    good = np.isfinite(values).all(axis=1) & (values > 0).all(axis=1)
    if not good.all():
        warnings.warn(f"{(~good).sum()} of {len(good)} clumps have no mass and are left out", AstroclumpsWarning, stacklevel=3)
    values, weights, groups = values[good], weights[good], groups[good]
    x = np.log(values / low)
    if callable(draw_prior):
        density = draw_prior(values * u.Msun)
        density = np.asarray(getattr(density, "value", density), dtype=float)
        if not (density > 0).all():
            raise ValueError("draw_prior must be positive wherever there are draws; they cannot have come from it otherwise")
        prior = np.log(density) + x
    else:
        prior = (float(draw_prior) + 1.0) * x
    return x, weights, groups, prior, "profile likelihood" if plain else "sandwich"


class _Law:
    """Density c(x) exp(power x) of x = ln(M / low) between 0 and span: normalisation and mean."""

    def __init__(self, span, completeness, low, x):
        self.span, self.bare = span, completeness is np.ones_like
        if self.bare:
            return
        self.log_share = lambda values: np.log(np.maximum(completeness(low * np.exp(values)), 1e-300))
        self.end = span if np.isfinite(span) else max(x.max(initial=0.0) + np.log(10.0), np.log(1e3))
        nodes, lengths = np.polynomial.legendre.leggauss(8)
        edges = np.linspace(0, self.end, 129)
        half = 0.5 * (edges[1] - edges[0])
        self.nodes = ((edges[:-1] + half)[:, None] + half * nodes).ravel()
        self.log_nodes = self.log_share(self.nodes) + np.log(np.tile(half * lengths, 128))
        self.log_end = float(self.log_share(np.array([self.end]))[0])

    @property
    def bounds(self):
        return -_STEEPEST, (_STEEPEST if np.isfinite(self.span) else -1e-9)

    def weight(self, x):
        """Logarithm of the completeness."""
        return np.zeros_like(x) if self.bare else self.log_share(x)

    def moments(self, power):
        """Logarithm of the integral, and mean of x."""
        if not self.bare:
            terms = self.log_nodes + power * self.nodes
            top = terms.max()
            each = np.exp(terms - top)
            total, first = each.sum(), each @ self.nodes
            if np.isinf(self.span):
                tail = np.exp(self.log_end + power * self.end - top) / -power
                total, first = total + tail, first + tail * (self.end - 1 / power)
            return top + np.log(total), first / total
        if np.isinf(self.span):
            return -np.log(-power), -1 / power
        t = power * self.span
        if abs(t) < 1e-4:
            return np.log(self.span) + t / 2, self.span * (0.5 + t / 12)
        grown = t + np.log(-np.expm1(-t)) if t > 0 else np.log(-np.expm1(t))
        return grown - np.log(abs(power)), self.span * (-1 / np.expm1(-t) - 1 / t)

    def profile(self, best, x, sigmas):
        """Where the logarithm of the likelihood lies sigmas^2 / 2 below its best; NaN on a side without such a place."""
        from scipy.optimize import brentq

        total = x.sum()

        def below(power):
            return (best - power) * total - len(x) * (self.moments(best)[0] - self.moments(power)[0]) - 0.5 * sigmas**2

        low, high = self.bounds
        return tuple(brentq(below, *sorted((best, end))) if below(end) > 0 else np.nan for end in (low, high))


class _Scores:
    """Derivative of each clump's log-likelihood by the power."""

    def __init__(self, law, x, inside, weights, prior):
        self.law, self.x, self.inside, self.weights = law, x, inside, weights
        self.log_draw = (law.weight(x) - prior) if x.shape[1] > 1 else None

    def shares(self, power):
        """How much each draw counts; they sum to 1 over the draws of a clump."""
        if self.log_draw is None:
            return np.ones_like(self.x)
        logs = self.log_draw + power * self.x
        each = np.exp(logs - logs.max(axis=1, keepdims=True))
        return each / each.sum(axis=1, keepdims=True)

    def each(self, power):
        steps = np.where(self.inside, self.x - self.law.moments(power)[1], 0.0)
        return self.weights * (self.shares(power) * steps).sum(axis=1)

    def root(self):
        """Power at which the scores sum to zero; NaN where there is none."""
        from scipy.optimize import brentq

        low, high = self.law.bounds
        mean = np.average(self.x[self.inside], weights=np.broadcast_to(self.weights[:, None], self.x.shape)[self.inside])

        def away(power):
            return mean - self.law.moments(power)[1]

        start = brentq(away, low, high) if away(low) * away(high) < 0 else np.nan
        if self.log_draw is None or not np.isfinite(start):
            return start
        for step in np.geomspace(0.02, 8, 28):  # the nearest place where the sum falls through zero
            below, above = max(start - step, low), min(start + step, high)
            if self.each(below).sum() > 0 > self.each(above).sum():
                return brentq(lambda power: self.each(power).sum(), below, above)
        return np.nan

    def sandwich(self, power, groups):
        """Standard deviation of the power; NaN of fewer than two groups."""
        names, index = np.unique(groups, return_inverse=True)
        if len(names) < 2 or not np.isfinite(power):
            return np.nan
        step = 1e-4 * max(1.0, abs(power))
        curvature = (self.each(power - step).sum() - self.each(power + step).sum()) / (2 * step)
        sums = np.bincount(index, weights=self.each(power))
        return float(np.sqrt((sums**2).sum() * len(names) / (len(names) - 1)) / curvature)
