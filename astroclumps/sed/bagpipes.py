"""The reference fit: bagpipes' own model and priors, sampled by nautilus. The only file that imports bagpipes."""

import contextlib
import gc
import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import bands as _bands
from . import measurements
from .posterior import Posterior, best_parameters, fitted_table, history_line, make_spectrum, percentiles
from .priors import HISTORIES, Prior, check_settings

if TYPE_CHECKING:
    from astropy.table import QTable, Row
    from numpy.typing import ArrayLike

__all__ = ["BagpipesSED", "bagpipes_model"]

__doctest_requires__ = {("BagpipesSED",): ["bagpipes", "nautilus"]}

log = logging.getLogger(__name__)

_MISSING = 1e30  # uJy, the error that stands for a band without a measurement
_C = 2.9979e18  # Angstrom/s as in bagpipes
_Z_MAX = 10.0
_HISTORY = {"tau": "exponential", "constant": "constant"}
_WORTH = 1e-7  # samples of less weight than this, relative to the largest, are left out of the percentiles


@lru_cache(maxsize=1)
def _import():
    """bagpipes, imported without its messages; its first import on a machine writes a table beside its grids (10 s)."""
    try:
        with contextlib.redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # bagpipes leaves its grids open
            import bagpipes

            gc.collect()
    except ImportError as exc:
        raise ImportError('BagpipesSED needs bagpipes and nautilus; install them with  pip install "astroclumps[sed]"') from exc
    log.debug("bagpipes said: %s", said.getvalue())
    return bagpipes


@lru_cache(maxsize=64)
def _curve_lines(name):
    """A filter curve as the lines of a text file: numpy reads those as well as a path, so that no file is written."""
    wavelength, transmission = _bands.get(name).curve()
    return tuple(f"{w!r} {t!r}" for w, t in zip(wavelength.tolist(), transmission.tolist(), strict=True))


def bagpipes_model(
    bands: Sequence[str],
    redshift: float,
    *,
    age: float,
    tau: float,
    metallicity: float,
    a_v: float,
    mass_formed: float,
    model: object = None,
) -> Any:
    """bagpipes' model of one stellar component.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands.
    redshift : float
        At most 10.
    age, tau : float
        Time since the onset of star formation and e-folding time in Gyr; tau inf is a constant rate.
    metallicity, a_v, mass_formed : float
        Solar units, mag, Msun.
    model : object, optional
        A model of the same bands and history, to be brought up to date: much faster than a new one.

    Returns
    -------
    model : ``bagpipes.model_galaxy``
        Its ``photometry`` is in uJy.
    """
    history = {"massformed": float(np.log10(mass_formed)), "metallicity": float(metallicity)}
    if np.isinf(tau):
        components = {"constant": history | {"age_min": 0.0, "age_max": float(age)}}
    else:
        components = {"exponential": history | {"age": float(age), "tau": float(tau)}}
    components |= {"redshift": float(redshift), "dust": {"type": "Calzetti", "Av": float(a_v)}}
    if model is None:
        return _import().model_galaxy(components, filt_list=[_curve_lines(b) for b in bands], phot_units="mujy")
    model.update(components)
    return model


@dataclass(frozen=True, kw_only=True)
class BagpipesSED:
    """Fit stellar populations with bagpipes' model and nested sampling (paper section 5.1; METHODS 5).

    bagpipes' own ``fit`` class is not used: it writes into the working directory, reuses old files and takes no seed. Its model and
    its prior are given to ``nautilus.Sampler`` instead; nothing is written to disk, and the same seed gives the same result. One
    clump in seven bands takes one to four minutes.

    Parameters
    ----------
    sfh : {'tau', 'constant', 'both'}, default 'tau'
        Star-formation history; ``'both'`` fits each and keeps the one with the larger evidence.
    n_live : int, default 400
        Live points of the sampler.
    n_effective : int, default 2000
        The sampler goes on until the posterior holds this many effective samples.
    error_floor : float, default 0.05
        Fraction of each flux that is added to its error in quadrature: zeropoints, PSF and stellar models are not better than
        5% (our choice; G21 gives none). 0 takes the errors as they are.
    seed : int, default 0
        Seed of the sampler.

    Examples
    --------
    >>> from astroclumps import BagpipesSED
    >>> BagpipesSED(sfh="constant", n_live=200)
    BagpipesSED(sfh='constant', n_live=200, n_effective=2000, error_floor=0.05, seed=0)
    """

    sfh: str = "tau"
    n_live: int = 400
    n_effective: int = 2000
    error_floor: float = 0.05
    seed: int = 0

    def __post_init__(self):
        check_settings(self)
        if self.n_live < 20:
            raise ValueError(f"n_live must be at least 20, got {self.n_live}")
        if self.n_effective < 1:
            raise ValueError(f"n_effective must be positive, got {self.n_effective}")

    def fit(self, photometry: "QTable", *, redshift: "ArrayLike") -> "QTable":
        """Fit every row of a table.

        Parameters
        ----------
        photometry : `~astropy.table.QTable`
            Columns ``flux_{band}`` and ``flux_err_{band}`` in uJy or any unit of flux density. A NaN flux, or a NaN or infinite
            error, is a missing band. The table is not changed.
        redshift : float or array_like
            Redshift of the galaxy, or one for each row; above 0, at most 10.

        Returns
        -------
        table : `~astropy.table.QTable`
            A copy with the columns of the stage ``fitted``. Rows with fewer than two bands are NaN and flagged ``SED_FAILED``.
        """
        data = measurements.read(photometry, redshift=redshift, error_floor=self.error_floor, who="BagpipesSED")
        if np.any(data.redshift > _Z_MAX):
            raise ValueError(f"bagpipes reaches redshift {_Z_MAX:g}, got {data.redshift.max():g}; use LibrarySED beyond")
        kinds = HISTORIES if self.sfh == "both" else (self.sfh,)
        found = []
        for i in range(len(photometry)):
            if not data.usable[i]:
                found.append(None)
                continue
            results = [self._fit_one(data.bands, data.flux[i], data.error[i], Prior(sfh=k, redshift=data.redshift[i])) for k in kinds]
            found.append(max(results, key=lambda one: one.log_evidence))
        return fitted_table(photometry, data.redshift, found, n_bands=np.isfinite(data.error).sum(axis=1), who=history_line(self))

    def _fit_one(self, bands, flux, error, prior):
        pipes = _import()
        try:
            from nautilus import Sampler
        except ImportError as exc:
            raise ImportError('BagpipesSED needs nautilus; install it with  pip install "astroclumps[sed]"') from exc
        missing = np.isinf(error)
        error = np.where(missing, _MISSING, error)
        curves = [_curve_lines(b) for b in bands]
        galaxy = pipes.galaxy(
            "clump",
            lambda _: np.column_stack([flux, error]),
            spectrum_exists=False,
            filt_list=curves,
            phot_units="mujy",
            out_units="mujy",
        )
        fitted = pipes.fitting.fitted_model(galaxy, prior.bagpipes_instructions())
        # what the bands without a measurement add to every likelihood
        constant = -missing.sum() * (0.5 * np.log(2 * np.pi) + np.log(_MISSING))
        sampler = Sampler(
            lambda cube: fitted.prior.transform(np.array(cube)),
            lambda point: fitted.lnlike(point) - constant,
            n_dim=fitted.ndim,
            n_live=self.n_live,
            seed=self.seed,
        )
        with warnings.catch_warnings():
            # an age that bagpipes' table of the Universe's age finds a hair too old gets no likelihood, which is right
            warnings.filterwarnings("ignore", "The requested model includes stars", RuntimeWarning)
            sampler.run(n_eff=self.n_effective, verbose=False)
        points, log_weight, log_like = sampler.posterior()
        weight = np.exp(log_weight - log_weight.max())
        return self._summarise(prior, fitted, points, weight, log_like, sampler, np.sum(np.log(2 * np.pi * error[~missing] ** 2)))

    @staticmethod
    def _summarise(prior, fitted, points, weight, log_like, sampler, log_norm):
        column = {name.split(":")[1]: i for i, name in enumerate(fitted.params)}
        best = points[np.argmax(log_like)]
        worth = weight > _WORTH
        derived = []
        for point in points[worth]:
            fitted._update_model_components(point)
            history = fitted.model_galaxy.sfh
            history.update(fitted.model_components)
            derived.append((10**history.stellar_mass, history.sfr, history.mass_weighted_age))
        samples = dict(zip(("mass", "sfr", "age"), np.array(derived).T, strict=True))
        samples |= {"a_v": points[worth, column["Av"]], "metallicity": points[worth, column["metallicity"]]}
        return Posterior(
            quantiles={name: percentiles(values, weight[worth]) for name, values in samples.items()},
            chi2=float(-2 * log_like.max() - log_norm),
            log_evidence=float(sampler.log_z),
            n_effective=float(weight.sum() ** 2 / np.sum(weight**2)),
            sfh=prior.sfh,
            best={
                "mass_formed": 10 ** best[column["massformed"]],
                "age": best[column["age" if prior.sfh == "tau" else "age_max"]],
                "tau": best[column["tau"]] if prior.sfh == "tau" else np.nan,
                "a_v": best[column["Av"]],
                "metallicity": best[column["metallicity"]],
            },
        )

    def spectrum(self, row: "Row", *, redshift: float) -> Any:
        """Spectrum of the best model of a row, made by bagpipes.

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
        best = best_parameters(row, who="BagpipesSED")
        redshift = float(redshift)
        names = _bands.names(_bands.CANDELS)
        model = bagpipes_model(names, redshift, **{k: v for k, v in best.items() if k != "sfh"})
        wavelength = model.wavelengths * (1 + redshift)
        inside = (model.wavelengths > 91) & (model.wavelengths < 1e6)
        return make_spectrum(wavelength[inside], model.spectrum_full[inside] * wavelength[inside] ** 2 / _C * 1e29)
