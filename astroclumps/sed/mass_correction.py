"""`MassCorrection`: the mass of a clump from its fitted mass, by what mocks say of the two (G21 5.1; Huertas-Company et al. 2020)."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..arguments import bare, quantity
from ..exceptions import AstroclumpsWarning, CatalogError
from .mass_likelihood import MassLikelihood, bins_of

__all__ = ["FLAT_ABOVE", "NOTES", "SYNTHETIC", "MassCorrection"]

FLAT_ABOVE = 1e8 * u.Msun
"""Mass above which the prior ``flat`` is constant (ours)."""

NOTES = ("", "no mass", "no radius", "radius", "mass too low", "mass too high", "not measured")
"""What ``mass_correction`` may hold; '' is a clump with a corrected mass."""

SYNTHETIC = Path(__file__).parents[1] / "data" / "mass_likelihood.npz"
"""File of the likelihood that comes with the package."""

_PERCENTILES = (0.16, 0.5, 0.84)
_PRIORS = ("simulation", "flat")


@dataclass(frozen=True, kw_only=True, eq=False)
class MassCorrection:
    """Posterior p(M | M_obs, d) ~ p(M_obs | M, d) p(M) of the true mass M of clumps with fitted mass M_obs at radius d = r/R_e.

    M is the mass of the stars in 3D clumps inside the square of 10 x 10 pixels around a detection. The likelihood is that of clumps
    that were detected, so p(M) must be the mass function of detected clumps too: that of all clumps times the chance to be detected,
    p(M) p(detected | M). The two priors of the package are: they come from the detected clumps of the mocks. A prior of your own is
    taken as that of all clumps and multiplied with ``completeness``.

    The errors of the fit are part of the likelihood, since the mocks had the same: only the median ``mass`` of a clump enters,
    ``mass_lo`` and ``mass_hi`` must not be added again. The posterior also takes for granted that there is a clump; see
    `MassLikelihood.empty_share` for how often there was none.

    On held-out galaxies the bias is gone and the intervals hold what they should, but the fit adds little to the prior: the rms is 0.58
    dex, and 0.61 dex if nothing had been fitted (:doc:`/mass_correction`).

    Parameters
    ----------
    prior : 'simulation', 'flat', callable or `~astropy.table.QTable`, default 'simulation'
        ``simulation``: the detected clumps of the mocks. ``flat``: the same up to ``flat_above`` and constant above,
        per dex (ours). A callable takes a Quantity of masses and returns numbers proportional to dN/dlogM of all
        clumps. A table has the columns ``mass`` (a Quantity, increasing) and ``dn_dlogm`` (no matter in which unit); it is linear in
        log mass, and zero outside.
    likelihood : 'synthetic', path-like or MassLikelihood, default 'synthetic'
        ``synthetic``: the file in the package, measured on images of the synthetic suite that went through ``Pipeline()``. It says
        nothing of masses that were measured in another way.
    completeness : callable or `~astropy.table.QTable`, optional
        Chance that a clump of this mass is detected, for a prior of your own: a function of a Quantity of masses, or a table with
        ``mass`` and ``completeness``, linear in log mass and constant beyond its ends. Default: 1.
    flat_above : `~astropy.units.Quantity` ['mass'], default 1e8 Msun
        Of the prior ``flat``.
    by_radius : bool, default True
        Take the priors of the package from the detected clumps of the mocks in the clump's own bin of radius, p(M) p(detected | M, d)
        (ours): light and crowding decide which clumps are detected where, and what else is in their square. False: from those at all
        radii, as the formula of the paper has it; see :doc:`/mass_correction` for what that costs. A prior of your own is the same
        at all radii.

    Raises
    ------
    TypeError, ValueError
        An unknown prior or likelihood, or ``completeness`` with a prior of the package, which has it already.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.sed.mass_correction import MassCorrection
    >>> from astroclumps.sed.mass_likelihood import MassLikelihood
    >>> rng = np.random.default_rng(1)
    >>> true = 10 ** rng.normal(7.5, 0.5, 3000)
    >>> fitted = true * 10 ** rng.normal(0.6, 0.3, 3000)
    >>> likelihood = MassLikelihood.measure(true * u.Msun, fitted * u.Msun, rng.uniform(0.5, 3, 3000))
    >>> clumps = QTable({"mass": [1e8, 3e8] * u.Msun, "r_norm": [1.5, 0.7]})
    >>> corrected = MassCorrection(likelihood=likelihood).correct(clumps)
    >>> np.log10(corrected["mass_corrected"].value).round(1)
    array([7.4, 7.8])
    """

    prior: str | Callable | QTable = "simulation"
    likelihood: str | os.PathLike | MassLikelihood = "synthetic"
    completeness: Callable | QTable | None = None
    flat_above: u.Quantity = FLAT_ABOVE
    by_radius: bool = True

    def __post_init__(self):
        own = callable(self.prior) or isinstance(self.prior, QTable)
        if not own and self.prior not in _PRIORS:
            raise ValueError(
                f"prior is one of {', '.join(_PRIORS)}, a function of mass, or a table with mass and dn_dlogm; got {self.prior!r}"
            )
        if not isinstance(self.likelihood, str | os.PathLike | MassLikelihood):
            raise TypeError(f"likelihood must be 'synthetic', a path or a MassLikelihood, got {self.likelihood!r}")
        if self.completeness is not None and not own:
            raise ValueError(
                f"prior {self.prior!r} is that of detected clumps and holds their completeness already; leave completeness out"
            )
        for name, given, column in (("prior", self.prior, "dn_dlogm"), ("completeness", self.completeness, "completeness")):
            if given is not None and not callable(given) and not isinstance(given, str):
                _tabulated(name, given, column)
        quantity("flat_above", self.flat_above, u.Msun, "1e8 * u.Msun", positive=True)

    @cached_property
    def measured(self) -> MassLikelihood:
        """The likelihood, read when it is first needed."""
        if isinstance(self.likelihood, MassLikelihood):
            return self.likelihood
        return MassLikelihood.read(SYNTHETIC if self.likelihood == "synthetic" else self.likelihood)

    @cached_property
    def _prior(self):
        """Prior of detected clumps in each bin of radius and cell of true mass, 1/dex, summing to one."""
        measured, n_r = self.measured, len(self.measured.n)
        if isinstance(self.prior, str):
            density = np.nan_to_num(measured.detected) if self.by_radius else np.tile(measured.mass_function, (n_r, 1))
            if self.prior == "flat":
                edge = np.log10(self.flat_above.to_value(u.Msun))
                level = [np.interp(edge, measured.log_mass, one) for one in density]
                density = np.where(measured.log_mass > edge, np.array(level)[:, None], density)
        else:
            density = _shares("prior", self.prior, "dn_dlogm", 10**measured.log_mass, outside=0.0)
            if self.completeness is not None:
                share = _shares("completeness", self.completeness, "completeness", 10**measured.log_mass)
                if (share > 1).any():
                    raise ValueError(f"completeness must lie in 0 to 1, got {share.max()}; pass shares, not per cent")
                density = density * share
            density = np.tile(density, (n_r, 1))
        sums = density.sum(axis=1, keepdims=True)
        if not sums.any():
            low, high = 10 ** measured.log_mass[[0, -1]]
            raise ValueError(f"the prior is zero from {low:.3g} to {high:.3g} Msun, where the likelihood was measured")
        return density / (np.where(sums > 0, sums, 1.0) * measured.step)

    def draw_prior(self, clumps: QTable) -> Callable:
        """Prior that `draws` of these clumps were made with, for `~astroclumps.population.power_law.fit_power_law`.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            Those that were given to `draws`, in their order.

        Returns
        -------
        callable
            Of a Quantity of masses, a row for each clump or for each that has a corrected mass: dN/dM of detected clumps, 1/Msun. It
            is constant per dex inside each cell of the likelihood's masses, and zero outside them.

        Examples
        --------
        With ``draws = correction.draws(clumps)``, the slope is
        ``fit_power_law(draws, low=1e7 * u.Msun, draw_prior=correction.draw_prior(clumps))``.
        """
        measured, prior = self.measured, self._prior
        place, note = self._places(clumps)[2:]
        bins = {len(place): np.maximum(place, 0), int((note == "").sum()): place[note == ""]}

        def density(mass):
            values = quantity("mass", mass, u.Msun, "[1e8] * u.Msun", positive=True)
            rows = bins.get(len(values))
            if rows is None:
                raise ValueError(f"{len(values)} rows of masses, but {len(place)} clumps were given; pass their draws, all of them")
            log_mass = np.log10(values)
            cell = np.floor((log_mass - measured.log_mass[0]) / measured.step + 0.5).astype(int)
            inside = np.abs(log_mass - measured.log_mass[[0, -1]].mean()) <= 0.5 * measured.step * len(measured.log_mass) * (1 + 1e-9)
            rows = rows.reshape(-1, *[1] * (values.ndim - 1))
            each = prior[rows, np.clip(cell, 0, len(measured.log_mass) - 1)]
            return np.where(inside, each, 0.0) / (values * np.log(10))

        return density

    def posterior(self, clumps: QTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Posterior probability of each cell of true mass.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            With ``mass`` (Msun) and ``r_norm``.

        Returns
        -------
        log_mass : ndarray, shape (n_mass,)
            Middles of the cells, log10 of Msun.
        probability : ndarray, shape (n_clumps, n_mass)
            Sums to one; NaN for clumps that cannot be corrected.
        note : ndarray of str, shape (n_clumps,)
            One of `NOTES`.
        """
        measured = self.measured
        seen, good, place, note = self._places(clumps)
        step = (seen[good] - measured.log_observed[0]) / (measured.log_observed[1] - measured.log_observed[0])
        row = np.clip(np.floor(step).astype(int), 0, len(measured.log_observed) - 2)
        part, bins = (step - row)[:, None], place[good]
        low, high = measured.density[bins, row], measured.density[bins, row + 1]
        product = (low * (1 - part) + high * part) * self._prior[bins]
        probability = np.full((len(note), len(measured.log_mass)), np.nan)
        probability[good] = product / product.sum(axis=1, keepdims=True)
        return measured.log_mass, probability, note

    def _places(self, clumps):
        """log10 of the fitted masses, rows that can be corrected, bin of radius of each row, and notes."""
        measured = self.measured
        mass, radius = _columns(clumps)
        place = bins_of(radius, measured.r_edges)
        note = np.full(len(mass), "", dtype=f"U{max(map(len, NOTES))}")
        note[place < 0] = "radius"
        note[~np.isfinite(radius)] = "no radius"
        note[(note == "") & ~measured.measured[place]] = "not measured"
        bad = ~(np.isfinite(mass) & (mass > 0))
        seen = np.log10(np.where(bad, 1.0, mass))
        there = note == ""
        note[there & (seen < measured.observed_limits[place, 0])] = "mass too low"
        note[there & (seen > measured.observed_limits[place, 1])] = "mass too high"
        note[bad] = "no mass"
        return seen, np.flatnonzero(note == ""), place, note

    def correct(self, clumps: QTable) -> QTable:
        """Add corrected masses.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            With ``mass`` (Msun), as the pipeline fitted it, and ``r_norm`` (r/R_e).

        Returns
        -------
        `~astropy.table.QTable`
            A copy with ``mass_corrected``, ``mass_corrected_lo``, ``mass_corrected_hi`` (Msun: 50th, 16th and 84th percentile; NaN
            where there is none) and ``mass_correction``: why there is none, one of `NOTES`.

        Warns
        -----
        AstroclumpsWarning
            Clumps cannot be corrected; it tells how many, and why.

        Raises
        ------
        CatalogError
            A column is missing or has the wrong unit.
        """
        _, probability, note = self.posterior(clumps)
        missing = {name: int((note == name).sum()) for name in NOTES[1:] if (note == name).any()}
        if missing:
            reasons = ", ".join(f"{name}: {n}" for name, n in missing.items())
            text = f"{sum(missing.values())} of {len(note)} clumps have no corrected mass: the likelihood does not reach there ({reasons})"
            warnings.warn(text, AstroclumpsWarning, stacklevel=2)
        values = self._invert(probability, np.tile(_PERCENTILES, (len(note), 1)))
        table = QTable(clumps, copy=True)
        for name, column in zip(("mass_corrected_lo", "mass_corrected", "mass_corrected_hi"), values.T, strict=True):
            table[name] = column * u.Msun
        table["mass_correction"] = note
        prior = self.prior if isinstance(self.prior, str) else "own"
        name = self.measured.meta.get("name", "unnamed")
        line = f"masses corrected: prior {prior}, likelihood {name}, {(note == '').sum()} of {len(note)} clumps"
        table.meta["history"] = [*clumps.meta.get("history", []), line]
        return table

    def draws(self, clumps: QTable, *, n_draws: int = 100, seed: int = 0) -> u.Quantity:
        """Draw from the posterior of each clump's true mass.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            With ``mass`` (Msun) and ``r_norm``.
        n_draws : int, default 100
        seed : int, default 0
            Same seed and number of clumps and draws, same draws.

        Returns
        -------
        `~astropy.units.Quantity` ['mass']
            Msun, shape (n_clumps, n_draws), as the functions of ``astroclumps.population`` take it; NaN in rows of clumps that cannot
            be corrected.
        """
        if not isinstance(n_draws, int | np.integer) or isinstance(n_draws, bool) or n_draws < 1:
            raise ValueError(f"n_draws must be a positive whole number, got {n_draws!r}")
        _, probability, note = self.posterior(clumps)
        return self._invert(probability, np.random.default_rng(seed).random((len(note), n_draws))) * u.Msun

    def _invert(self, probability, share):
        """Masses in Msun below which these shares of each row's probability lie, even inside a cell of log mass."""
        measured = self.measured
        edges = np.append(measured.log_mass - 0.5 * measured.step, measured.log_mass[-1] + 0.5 * measured.step)
        result = np.full(share.shape, np.nan)
        for i in np.flatnonzero(~np.isnan(probability[:, 0])):
            below = np.append(0.0, np.cumsum(probability[i]))
            result[i] = np.interp(share[i], below / below[-1], edges)
        return 10**result


def _columns(clumps):
    for name in ("mass", "r_norm"):
        if name not in getattr(clumps, "colnames", ()):
            raise CatalogError(f"clumps need a column {name!r}; the table has {', '.join(getattr(clumps, 'colnames', ()))}")
    mass, radius = clumps["mass"], clumps["r_norm"]
    if not isinstance(mass, u.Quantity) or not mass.unit.is_equivalent(u.Msun):
        raise CatalogError("column 'mass' of clumps must be in units of solMass; use a QTable with values * u.Msun")
    if getattr(radius, "unit", None) not in (None, u.dimensionless_unscaled):
        raise CatalogError(f"column 'r_norm' of clumps is the radius over R_e and has no unit, got {radius.unit}")
    return bare(mass, u.Msun), bare(radius)


def _tabulated(name, table, column):
    """log10 of the masses of a table, and its values."""
    if "mass" not in getattr(table, "colnames", ()) or column not in table.colnames:
        raise TypeError(f"{name} must be a function of mass or a table with the columns mass and {column}, got {table!r}")
    mass = quantity(f"column mass of {name}", table["mass"], u.Msun, "[1e7, 1e8] * u.Msun", positive=True)
    if not len(mass) or not (np.diff(mass) > 0).all():
        raise ValueError(f"masses of {name} must increase, and be one at least; sort the table by mass")
    return np.log10(mass), np.asarray(getattr(table[column], "value", table[column]), dtype=float)


def _shares(name, given, column, mass, outside=None):
    """Values of a function or a table at these masses in Msun."""
    if callable(given):
        values = given(mass * u.Msun)
    else:
        log_mass, values = _tabulated(name, given, column)
        values = np.interp(np.log10(mass), log_mass, values, left=outside, right=outside)
    values = np.broadcast_to(np.asarray(getattr(values, "value", values), dtype=float), np.shape(mass))
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"{name} must be finite and not negative at all masses, got {np.nanmin(values)} to {np.nanmax(values)}")
    return values
