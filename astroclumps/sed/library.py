"""The fast fit: a library of models drawn from the prior, weighed by their likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import photometry_grid
from . import measurements
from .posterior import LEVELS, Posterior, best_parameters, fitted_table, history_line, make_spectrum, percentiles
from .priors import HISTORIES, LOG_MASS, Prior, check_settings

if TYPE_CHECKING:
    from astropy.table import QTable, Row
    from numpy.typing import ArrayLike

__all__ = ["Library", "LibrarySED"]

__doctest_requires__ = {("LibrarySED",): ["bagpipes"]}

_KEEP = 30.0  # models this far below the best in log likelihood count no more
_PILOT_DRAWS, _FINAL_DRAWS = 1000, (1000, 8000)
_PILOT_EFFECTIVE = 40.0
_PILOT_MODELS = 2000
_MAX_STAGES = 8
_MAX_SUMMARISED = 4096
_RATE_FLOOR = 1e-22  # 1/yr, star-formation rates per solar mass formed below this count as this


class Library(NamedTuple):
    """Models drawn from the prior at one redshift.

    Attributes
    ----------
    prior : `~astroclumps.sed.priors.Prior`
    grid : `~astroclumps.photometry_grid.PhotometryGrid`
    cube : ndarray, shape (n, n_dim)
        The draws in the unit cube.
    flux : ndarray of float32, shape (n_band, n)
        uJy per solar mass formed.
    """

    prior: Prior
    grid: photometry_grid.PhotometryGrid
    cube: np.ndarray
    flux: np.ndarray


def _fluxes(prior, grid, cube):
    """Fluxes (n_band, n) of the models at points of the cube, uJy per solar mass formed, as float32."""
    return np.ascontiguousarray(grid.fluxes(*prior.from_cube(cube)).T, dtype=np.float32)


@lru_cache(maxsize=4)
def _library(bands, redshift, sfh, n_models, seed):
    prior = Prior(sfh=sfh, redshift=redshift)
    grid = photometry_grid.photometry_grid(bands, redshift)
    cube = np.random.default_rng([seed, 0]).random((n_models, prior.n_dim))
    return Library(prior, grid, cube, _fluxes(prior, grid, cube))


@dataclass(frozen=True, kw_only=True)
class LibrarySED:
    """Fit stellar populations by weighing a library of models (paper section 5.1; METHODS 5).

    The library is drawn once a redshift from the priors that `BagpipesSED` samples, with the same model of starlight; the mass of each
    model is worked out analytically. Where the posterior of a clump holds fewer than `n_effective` models, new ones are drawn around
    its peak and weighed by importance. A clump takes milliseconds.

    Parameters
    ----------
    n_models : int, default 100_000
        Models in the library, at least 1000.
    sfh : {'tau', 'constant', 'both'}, default 'tau'
        Star-formation history; ``'both'`` fits each and keeps the one with the larger evidence.
    n_effective : int, default 300
        Effective samples below which the library is refined around the peak; 0 never refines.
    error_floor : float, default 0.05
        Fraction of each flux that is added to its error in quadrature: zeropoints, PSF and stellar models are not better than
        5% (our choice; G21 gives none). 0 takes the errors as they are.
    seed : int, default 0
        Seed of the draws. Each row's result depends on the seed and that row only.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps import LibrarySED, bands, starlight
    >>> clump = starlight.component_fluxes(bands.CANDELS, 1.5, age=0.2 * u.Gyr, a_v=0.5)
    >>> photometry = QTable()
    >>> for band, flux in zip(bands.CANDELS, clump.flux[0] * 1e8 * u.Msun):
    ...     photometry[f"flux_{band.column}"] = [flux.value] * u.uJy
    ...     photometry[f"flux_err_{band.column}"] = [flux.value / 20] * u.uJy
    >>> fitted = LibrarySED(sfh="constant").fit(photometry, redshift=1.5)
    >>> bool(abs(fitted["mass"][0] / (1e8 * u.Msun * clump.surviving[0]) - 1) < 0.3)
    True
    """

    n_models: int = 100_000
    sfh: str = "tau"
    n_effective: int = 300
    error_floor: float = 0.05
    seed: int = 0

    def __post_init__(self):
        check_settings(self)
        if self.n_models < 1000:
            raise ValueError(f"n_models must be at least 1000, got {self.n_models}")
        if self.n_effective < 0:
            raise ValueError(f"n_effective must not be negative, got {self.n_effective}")

    def library(self, bands: Sequence[str], redshift: float, *, sfh: str | None = None) -> Any:
        """The library at a redshift; the last four are kept.

        Parameters
        ----------
        bands : sequence of str
            The bands.
        redshift : float
            Above 0, at most 15.
        sfh : {'tau', 'constant'}, optional
            Default the object's own.

        Returns
        -------
        library : Library
        """
        return _library(tuple(bands), float(redshift), sfh or self.sfh, self.n_models, self.seed)

    def fit(self, photometry: "QTable", *, redshift: "ArrayLike") -> "QTable":
        """Fit every row of a table.

        Parameters
        ----------
        photometry : `~astropy.table.QTable`
            Columns ``flux_{band}`` and ``flux_err_{band}`` in uJy or any unit of flux density. A NaN flux, or a NaN or infinite
            error, is a missing band; a negative flux is used. The table is not changed.
        redshift : float or array_like
            Redshift of the galaxy, or one for each row; above 0, at most 15.

        Returns
        -------
        table : `~astropy.table.QTable`
            A copy with the columns of the stage ``fitted``. Rows with fewer than two bands are NaN and flagged ``SED_FAILED``;
            those with fewer than 100 effective samples are flagged ``LOW_EFFECTIVE``, those that no model fits ``POOR_FIT``.
        """
        data = measurements.read(photometry, redshift=redshift, error_floor=self.error_floor, who="LibrarySED")
        kinds = HISTORIES if self.sfh == "both" else (self.sfh,)
        found = [None] * len(photometry)
        for i in np.argsort(data.redshift, kind="stable"):
            if data.usable[i]:
                libraries = [self.library(data.bands, data.redshift[i], sfh=kind) for kind in kinds]
                results = [self._fit_one(library, data.flux[i], data.error[i]) for library in libraries]
                found[i] = max(results, key=lambda one: one.log_evidence)
        return fitted_table(photometry, data.redshift, found, n_bands=np.isfinite(data.error).sum(axis=1), who=history_line(self))

    def _fit_one(self, library, flux, error):
        from .mass_posterior import log_marginal

        weight = 1 / error**2
        limits = 10.0 ** LOG_MASS[0], 10.0 ** LOG_MASS[1]
        shared = -0.5 * np.sum(np.where(weight > 0, flux**2 * weight + np.log(2 * np.pi * np.where(weight > 0, error, 1.0) ** 2), 0.0))
        log_like, log_peak = log_marginal(library.flux, flux, weight, *limits, _KEEP)
        kept = np.flatnonzero(np.isfinite(log_like))
        samples = _Samples(library.cube, library.flux, kept, log_like[kept], log_peak[kept], np.zeros(len(kept)), len(log_like))
        if samples.n_effective < self.n_effective:
            samples = self._refine(library, kept, log_like, log_peak, flux, weight, limits)
        return samples.summarise(library, flux, weight, limits, shared, np.random.default_rng([self.seed, 2]))

    def _refine(self, library, kept, log_like, log_peak, flux, weight, limits):
        """Samples around the peak, drawn by importance, together with the second half of the library."""
        from .mass_posterior import log_marginal
        from .refinement import Mixture, effective, temper

        rng = np.random.default_rng([self.seed, 1])
        half = len(log_like) // 2

        def draw(mixture, n):
            cube = mixture.draw(n, rng)
            models = _fluxes(library.prior, library.grid, cube)
            return cube, models, *log_marginal(models, flux, weight, *limits, _KEEP), mixture.log_density(cube)

        nearest = np.argpartition(-log_peak[:half], min(_PILOT_MODELS, half - 1))[:_PILOT_MODELS]
        points, peak, density = library.cube[nearest], log_peak[nearest], np.zeros(len(nearest))
        for _ in range(_MAX_STAGES):
            mixture = Mixture(points, temper(peak - density, _PILOT_EFFECTIVE), rng)
            points, _, average, peak, density = draw(mixture, _PILOT_DRAWS)
            n_effective = effective(average - density)
            if n_effective >= 2 * _PILOT_EFFECTIVE:
                break
        kept = kept[kept >= half]
        wanted = int(1.2 * _PILOT_DRAWS * self.n_effective / max(n_effective, 1.0))
        for n_draws in (min(max(wanted, _FINAL_DRAWS[0]), _FINAL_DRAWS[1]), _FINAL_DRAWS[1]):
            mixture = Mixture(points, temper(peak - density, _PILOT_EFFECTIVE), rng)
            points, models, average, peak, density = draw(mixture, n_draws)
            both = np.concatenate([mixture.log_density(library.cube[kept]), density])
            samples = _Samples(
                np.concatenate([library.cube[kept], points]),
                np.concatenate([library.flux[:, kept], models], axis=1),
                np.arange(len(both)),
                np.concatenate([log_like[kept], average]),
                np.concatenate([log_peak[kept], peak]),
                np.logaddexp(np.log(len(log_like) - half), np.log(n_draws) + both),
                1,
            )
            if samples.n_effective >= self.n_effective:
                break
        return samples

    def spectrum(self, row: "Row", *, redshift: float) -> Any:
        """Spectrum of the best model of a row, at the full resolution of the stellar grid.

        Parameters
        ----------
        row : `~astropy.table.Row`
            Row of the table that `fit` returned; its columns ``best_*`` and ``sfh`` are used.
        redshift : float
            Redshift of the galaxy.

        Returns
        -------
        spectrum : ``specutils.Spectrum``
            Observed wavelength in Angstrom, flux density in uJy.
        """
        best = best_parameters(row, who="LibrarySED")
        redshift = photometry_grid.check_redshift(redshift)
        wavelength, flux = photometry_grid.observed_spectrum(redshift, best["age"], best["tau"], best["metallicity"], best["a_v"])
        return make_spectrum(wavelength, flux * best["mass_formed"])


class _Samples(NamedTuple):
    """Weighted models: the weight of each is ``exp(log_like - log_density)``; their sum over `n` is the evidence.

    The logarithms belong to the models `index` of cube (n, n_dim) and flux (n_band, n).
    """

    cube: np.ndarray
    flux: np.ndarray
    index: np.ndarray
    log_like: np.ndarray
    log_peak: np.ndarray
    log_density: np.ndarray
    n: int

    @property
    def n_effective(self):
        from .refinement import effective

        return effective(self.log_like - self.log_density)

    def summarise(self, library, flux, weight, limits, shared, rng):
        from .mass_posterior import N_BINS, spread

        log_weight = self.log_like - self.log_density
        top = log_weight.max()
        probability = np.exp(log_weight - top)
        total = probability.sum()
        worth = np.flatnonzero(probability > 1e-7)
        share = probability[worth] / total
        if len(worth) > _MAX_SUMMARISED:  # a systematic draw serves the percentiles as well
            steps = (np.arange(_MAX_SUMMARISED) + rng.random()) / _MAX_SUMMARISED
            worth = worth[np.minimum(np.searchsorted(np.cumsum(share), steps), len(worth) - 1)]
            share = np.full(_MAX_SUMMARISED, 1 / _MAX_SUMMARISED)
        worth = self.index[worth]
        models = self.flux[:, worth]
        age, tau, metallicity, a_v = library.prior.from_cube(self.cube[worth])
        derived = library.grid.derived(age, tau, metallicity)
        derived[:, 0] = np.log10(derived[:, 0])
        derived[:, 2] = np.log10(np.maximum(derived[:, 2], _RATE_FLOOR))
        edges = [(LOG_MASS[0] + d.min(), (LOG_MASS[1] - LOG_MASS[0] + np.ptp(d) + 1e-9) / N_BINS) for d in (derived[:, 0], derived[:, 2])]
        masses, rates = spread(models, flux, weight, *limits, share, derived[:, 0], derived[:, 2], *edges)
        best = self.index[np.argmax(self.log_peak)]
        model = self.flux[:, best].astype(float)
        mass = np.clip(np.sum(model * flux * weight) / np.sum(model**2 * weight), *limits)
        parameters = [float(p[0]) for p in library.prior.from_cube(self.cube[best : best + 1])]
        return Posterior(
            quantiles={
                "mass": 10 ** _histogram_percentiles(masses, edges[0]),
                "sfr": 10 ** _histogram_percentiles(rates, edges[1]),
                "age": percentiles(derived[:, 1], share),
                "a_v": percentiles(a_v, share),
                "metallicity": percentiles(metallicity, share),
            },
            chi2=float(np.sum((flux - mass * model) ** 2 * weight)),
            log_evidence=float(shared + top + np.log(total / self.n)),
            n_effective=self.n_effective,
            sfh=library.prior.sfh,
            best={
                "mass_formed": mass,
                "age": parameters[0],
                "tau": parameters[1] if library.prior.sfh == "tau" else np.nan,
                "metallicity": parameters[2],
                "a_v": parameters[3],
            },
        )


def _histogram_percentiles(counts, bins, levels=LEVELS):
    start, width = bins
    below = np.concatenate([[0.0], np.cumsum(counts)])
    rising = np.concatenate([[True], counts > 0])
    return start + width * np.interp(np.array(levels) * below[-1], below[rising], np.flatnonzero(rising))
