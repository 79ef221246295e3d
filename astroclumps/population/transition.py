"""The mass above which most clumps are long-lived, and the galaxy mass above which most hosts' clumps are (G21 5.2.1, 5.2.3)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from ..exceptions import AstroclumpsWarning, NoClumpsWarning
from .sample import P_0, Sample, posterior

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["Transition", "transition_mass"]

_EDGE = 100.0  # steepest slope of the logit, in units of the masses' scatter


@dataclass(frozen=True, kw_only=True)
class Transition:
    """Result of `transition_mass`.

    Attributes
    ----------
    mass : `~astropy.units.Quantity` ['mass']
        Where long- and short-lived clumps are equally many; NaN where that lies outside the clumps' masses, or where the share of
        long-lived ones does not rise.
    lower, upper : `~astropy.units.Quantity` ['mass']
        16th and 84th percentile over the draws of galaxies; NaN where a fifth of them or more have no transition.
    error_dex : float
        Standard deviation of log10 of the mass over the draws.
    slope : float
        Rise of ln(n_LLC / n_SLC) by dex of mass; NaN for 'isotonic'.
    n : float
        Clumps with a class.
    crossed : float
        Share of the draws that have a transition.
    method : str
    """

    mass: u.Quantity
    lower: u.Quantity
    upper: u.Quantity
    error_dex: float
    slope: float
    n: float
    crossed: float
    method: str

    @property
    def log_mass(self) -> float:
        """log10 of the mass in Msun."""
        return float(np.log10(self.mass.to_value(u.Msun)))


def transition_mass(
    clumps: "QTable",
    *,
    column: str = "mass",
    threshold: float | None = P_0,
    draws: u.Quantity | None = None,
    method: str = "logistic",
    galaxies: "QTable | None" = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Transition:
    """Find the mass at which long- and short-lived clumps are equally many, without bins.

    G21 reads 10^7.6 Msun (CANDELS) and 10^7.9 Msun (VELA) from its Figure 10, and for the galaxies' masses 10^10.2 and 10^10.8 Msun
    from its Figure 12 (`astroclumps.population.hosts.host_transition`).

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, the column, and ``p_long`` or ``longevity``. Clumps without class or mass do not count.
    column : str, default 'mass'
        A mass.
    threshold : float or None, default 0.5
        As in `~astroclumps.population.sample.Sample`; None weighs by probability.
    draws : `~astropy.units.Quantity` ['mass'], shape (n_clumps, n_draws), optional
        Draws from the posterior of each mass, in place of the column. Their scatter flattens the rise.
    method : {'logistic', 'isotonic'}, default 'logistic'
        'logistic': ln(n_LLC / n_SLC) is linear in log mass, as for two power laws; by maximum likelihood. 'isotonic': the share of
        long-lived clumps only rises, by isotonic regression; no form is assumed, and the error is larger. Both are ours: the paper reads
        where two histograms cross.
    galaxies : `~astropy.table.QTable`, optional
        With ``galaxy``, where galaxies without clumps are to be drawn too.
    n_bootstrap : int, default 200
        Draws of galaxies, of masses where there are draws, and of classes where ``threshold`` is None.
    seed : int, default 0

    Returns
    -------
    Transition

    Warns
    -----
    NoClumpsWarning
        No clumps have a class and a mass.
    AstroclumpsWarning
        There is no transition within the clumps' masses.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.population.transition import transition_mass
    >>> rng = np.random.default_rng(1)
    >>> log_mass = rng.uniform(6, 9, 1000)
    >>> long = rng.random(1000) < 1 / (1 + np.exp(-4 * (log_mass - 7.6)))
    >>> clumps = QTable({"galaxy": np.arange(1000) // 5, "mass": 10**log_mass * u.Msun, "p_long": np.where(long, 0.9, 0.1)})
    >>> found = transition_mass(clumps)
    >>> print(f"10^{found.log_mass:.2f} +/- {found.error_dex:.2f} dex")
    10^7.62 +/- 0.03 dex
    """
    if method not in ("logistic", "isotonic"):
        raise ValueError(f"method is 'logistic' or 'isotonic', got {method!r}")
    find = _logistic if method == "logistic" else _isotonic
    sample = Sample(clumps, galaxies, threshold=threshold, n_draws=n_bootstrap, seed=seed)
    mass = posterior(clumps, draws, name=column)
    long = sample.weights("LLC")
    known = (np.isfinite(mass) & (mass > 0)).all(axis=1) & (long + sample.weights("SLC") > 0)
    n = float(known.sum())
    log_mass = np.log10(np.where(known[:, None], mass, 1.0))
    at, slope = find(log_mass[known].ravel(), np.repeat(long[known], mass.shape[1])) if n else (np.nan, np.nan)
    drawn = []
    for one in sample.replicas(mass.shape[1]) if np.isfinite(at) else ():
        kept = known[one.rows]
        start = (at, slope)
        drawn.append(find(log_mass[one.rows, one.pick][kept], one.weights("LLC")[kept], start)[0])
    if not n:
        warnings.warn(f"no clumps with a class and a {column}: there is no transition", NoClumpsWarning, stacklevel=2)
    elif not np.isfinite(at):
        shown = log_mass[known]
        span = f"10^{shown.min():.2f} and 10^{shown.max():.2f} Msun"
        text = f"there is no mass between {span} from which on long-lived clumps outnumber short-lived ones, and below which they do not"
        warnings.warn(f"{text} ({column}): the transition is NaN", AstroclumpsWarning, stacklevel=2)
    lower, upper = sample.interval(drawn)
    return Transition(
        mass=10**at * u.Msun,
        lower=10**lower * u.Msun,
        upper=10**upper * u.Msun,
        error_dex=sample.spread(drawn),
        slope=slope,
        n=n,
        crossed=float(np.isfinite(drawn).mean()) if drawn else 0.0,
        method=method,
    )


def _logistic(x, long, start=None):
    """Where the fitted logit is zero, and its slope; NaN where it does not rise through zero inside the data."""
    from scipy.optimize import minimize
    from scipy.special import expit

    if len(x) < 2 or not 0 < long.sum() < len(x) or np.ptp(x) == 0:
        return np.nan, np.nan
    middle, scale = x.mean(), x.std()
    z = (x - middle) / scale

    def badness(p):
        logit = p[0] + p[1] * z
        away = expit(logit) - long
        return (np.logaddexp(0, logit) - long * logit).mean(), np.array([away.mean(), (away * z).mean()])

    first = (0.0, 0.0) if start is None else (start[1] * (middle - start[0]), start[1] * scale)
    first = np.clip(first, -_EDGE, _EDGE)
    fit = minimize(badness, first, jac=True, method="L-BFGS-B", bounds=[(None, None), (-_EDGE, _EDGE)])
    slope = fit.x[1] / scale
    at = middle - fit.x[0] / slope if slope > 0 else np.nan
    return (float(at), float(slope)) if x.min() <= at <= x.max() else (np.nan, float(slope))


def _isotonic(x, long, start=None):
    """Middle of the step over one half of the rising share; the second number is NaN. ``start`` is not needed."""
    from scipy.optimize import isotonic_regression

    values, index = np.unique(x, return_inverse=True)
    if len(values) < 2:
        return np.nan, np.nan
    n = np.bincount(index)
    share = isotonic_regression(np.bincount(index, weights=long) / n, weights=n).x
    below, above = np.flatnonzero(share < 0.5), np.flatnonzero(share > 0.5)
    if not len(below) or not len(above):
        return np.nan, np.nan
    return float(0.5 * (values[below[-1]] + values[above[0]])), np.nan
