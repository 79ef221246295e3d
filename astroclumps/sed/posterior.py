"""From weighted samples to the columns of a fitted table."""

from dataclasses import dataclass, field

import numpy as np

from .. import catalog
from .priors import LOG_MASS

__all__ = ["Posterior", "best_parameters", "fitted_table", "history_line", "make_spectrum", "percentiles"]

LEVELS = (0.16, 0.5, 0.84)
_PARAMETERS = ("mass", "sfr", "age", "a_v", "metallicity")
_BEST = ("mass_formed", "age", "tau", "a_v", "metallicity")
_CHANCE = 1e-4  # of a chi squared above which a row is flagged POOR_FIT
_NEAR_LIMIT = 0.02  # dex from the prior's limits of the mass formed, likewise
_FEW = 100.0  # effective samples below which a row is flagged LOW_EFFECTIVE


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Posterior of one clump, summarised.

    Parameters
    ----------
    quantiles : dict of str to sequence of 3 floats
        16th, 50th and 84th percentile of mass (Msun, surviving), sfr (Msun/yr), age (Gyr, mass-weighted), a_v (mag), metallicity (Zsun).
    chi2 : float
        Chi squared of the best model, errors with their floor.
    log_evidence : float
        Natural logarithm of the evidence, fluxes in uJy.
    n_effective : float
        Effective number of samples, ``(sum w)^2 / sum w^2``.
    sfh : str
        ``'tau'`` or ``'constant'``.
    best : dict of str to float
        Parameters of the best model: mass_formed (Msun), age and tau (Gyr; tau NaN for a constant history), a_v, metallicity.
    """

    quantiles: dict
    chi2: float
    log_evidence: float
    n_effective: float
    sfh: str
    best: dict = field(default_factory=dict)


def percentiles(values, weights, levels=LEVELS):
    """Weighted percentiles, linear between the middles of the samples' steps.

    Parameters
    ----------
    values, weights : ndarray, shape (n,)
    levels : sequence of float
        In 0-1.

    Returns
    -------
    percentiles : ndarray, shape (len(levels),)

    Examples
    --------
    >>> from astroclumps.sed.posterior import percentiles
    >>> percentiles([3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.5])
    array([2.])
    """
    values, weights = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    middle = np.cumsum(weights) - weights / 2
    return np.interp(levels, middle / weights.sum(), values)


def _is_poor(posterior, n_bands):
    from scipy.stats import chi2

    near = [abs(np.log10(posterior.best["mass_formed"]) - limit) < _NEAR_LIMIT for limit in LOG_MASS]
    return any(near) or not posterior.chi2 <= chi2.isf(_CHANCE, n_bands)


def fitted_table(photometry, redshifts, posteriors, *, n_bands, who):
    """A copy of the photometry with the columns of the stage ``fitted``.

    Parameters
    ----------
    photometry : `~astropy.table.QTable`
        The table that was fitted.
    redshifts : ndarray, shape (n,)
    posteriors : sequence of `Posterior` or None
        None: the row could not be fitted; it becomes NaN and ``Flag.SED_FAILED``.
    n_bands : sequence of int, shape (n,)
        Measured bands of each row. A best model whose chi squared chance would give less than once in 10,000 times, or whose mass lies
        within 0.02 dex of the prior's limits, sets ``Flag.POOR_FIT``.
    who : str
        Line of the table's history.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    table = photometry.copy()
    n = len(table)
    flags = np.array(table["flags"], dtype=np.int64) if "flags" in table.colnames else np.zeros(n, dtype=np.int64)
    flags &= ~int(catalog.Flag.SED_FAILED | catalog.Flag.LOW_EFFECTIVE | catalog.Flag.POOR_FIT)
    flags[[one is not None and _is_poor(one, k) for one, k in zip(posteriors, n_bands, strict=True)]] |= int(catalog.Flag.POOR_FIT)
    flags[[one is None for one in posteriors]] |= int(catalog.Flag.SED_FAILED)
    flags[[one is not None and one.n_effective < _FEW for one in posteriors]] |= int(catalog.Flag.LOW_EFFECTIVE)
    values = {"redshift": np.array(redshifts, dtype=float)}
    for name in _PARAMETERS:
        for k, suffix in enumerate(("_lo", "", "_hi")):
            values[f"{name}{suffix}"] = _collect(posteriors, lambda one, name=name, k=k: one.quantiles[name][k])
    for name in ("chi2", "log_evidence", "n_effective"):
        values[name] = _collect(posteriors, lambda one, name=name: getattr(one, name))
    for name in _BEST:
        values[f"best_{name}"] = _collect(posteriors, lambda one, name=name: one.best[name])
    values["sfh"] = np.array(["" if one is None else one.sfh for one in posteriors], dtype="U16")
    for column in catalog.COLUMNS:
        if column.stage == "fitted":
            data = values[column.name]
            table[column.name] = data if column.unit is None else data * column.unit
            table[column.name].info.description = column.description
    table["flags"] = flags
    catalog.add_history(table, who)
    return table


def _collect(posteriors, get):
    return np.array([np.nan if one is None else float(get(one)) for one in posteriors], dtype=float)


def best_parameters(row, *, who):
    """Parameters of the best model from a row of a fitted table, as a dict of floats plus ``sfh``.

    Parameters
    ----------
    row : `~astropy.table.Row`
        Row of a table that `fit` returned.
    who : str
        Named in the error.
    """
    missing = [name for name in [*(f"best_{n}" for n in _BEST), "sfh"] if name not in row.colnames]
    if missing:
        raise ValueError(f"{who}.spectrum needs a row of the table that {who}.fit returned; column {missing[0]} is missing")
    found = {name: float(getattr(row[f"best_{name}"], "value", row[f"best_{name}"])) for name in _BEST}
    found["sfh"] = str(row["sfh"])
    if not np.isfinite(found["mass_formed"]):
        raise ValueError(f"the fit of clump {row['id'] if 'id' in row.colnames else row.index + 1} failed; it has no spectrum")
    if found["sfh"] == "constant":
        found["tau"] = np.inf
    return found


def history_line(settings):
    """Line of a table's history: the settings and the package's version."""
    from .. import __version__

    return f"{settings!r} of astroclumps {__version__}"


def make_spectrum(wavelength, flux):
    """A ``specutils.Spectrum`` from observed wavelengths (Angstrom) and flux densities (uJy)."""
    import astropy.units as u

    try:
        from specutils import Spectrum
    except ImportError as exc:
        raise ImportError('spectrum needs specutils; install it with  pip install "astroclumps[sed]"') from exc
    return Spectrum(spectral_axis=wavelength * u.AA, flux=flux * u.uJy)
