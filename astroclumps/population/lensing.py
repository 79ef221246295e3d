"""Lensed galaxies: fluxes, masses and sizes as they would be without the lens.

Lensing makes a source larger and leaves its surface brightness. With a magnification mu, fluxes, masses and star-formation rates are
divided by mu, lengths by its square root. The shear is not undone: lengths are those of a circle of the same area.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..catalog import add_history
from ..exceptions import CatalogError
from .magnification import magnifications

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike

__all__ = ["SCALED", "demagnify", "demagnify_draws", "power_of"]

_PARTS = r"(_lo|_hi)?"
SCALED = (
    (rf"(host_)?mass(_corrected)?{_PARTS}|best_mass_formed", u.Msun, -1.0),
    (rf"(host_)?sfr{_PARTS}", u.Msun / u.yr, -1.0),
    (r"(size_)?flux(_err)?(_f\d{3,4}[a-z]{1,2}\d?)?", u.uJy, -1.0),
    (r"r_e|r_e_err|size(_err|_limit)?", u.arcsec, -0.5),
    (r"(r_e|size|size_err|size_limit)_kpc", u.kpc, -0.5),
)
"""What is scaled: pattern of the column's name, unit, power of the magnification.

All else stays. Backgrounds are surface brightness, which lensing keeps; ages, colours, attenuation, metallicity and specific rates
come from ratios of fluxes; scores, probabilities, chi squared, flags, pixels and positions are those of the image; r_norm is a ratio of
two lengths.
"""


_FORMS = ("one number", "a value for each row", "a map")


def power_of(name: str) -> Any:
    """Unit and power of the magnification that a column scales with.

    Parameters
    ----------
    name : str
        Name of a column.

    Returns
    -------
    (`~astropy.units.Unit`, float) or None
        None where the magnification does not enter.

    Examples
    --------
    >>> from astroclumps.population.lensing import power_of
    >>> power_of("flux_err_f160w"), power_of("background_f160w")
    ((Unit("uJy"), -1.0), None)
    """
    return next(((unit, power) for pattern, unit, power in SCALED if re.fullmatch(pattern, name)), None)


def demagnify(table: QTable, magnification: Any, *, error: Any = None, wcs: "WCS | None" = None, also: Any = None) -> QTable:
    """Divide the magnification of a gravitational lens out of a table of clumps or galaxies.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Clumps or galaxies, with any of the columns of `SCALED`.
    magnification : float, str, ndarray or path-like
        One number; the name of a column; an array of shape (n,), a value for each row; a map of shape (ny, nx) on the pixels of the image,
        in which ``x`` and ``y`` are looked up; or a FITS file that holds a map, with a celestial WCS (looked up at ``sky``, or ``ra`` and
        ``dec``) or without one (at ``x`` and ``y``). Maps are interpolated between four pixels. Positive: no parity.
    error : float, str, ndarray or path-like, optional
        1-sigma error of the magnification, in any of these forms. It is taken as an error of the logarithm, error / magnification, the
        same on both sides, and as independent of the other errors.
    wcs : `~astropy.wcs.WCS`, optional
        Celestial coordinates of a map that is given as an array; then it is looked up at ``sky``, or ``ra`` and ``dec``.
    also : mapping of str to float, optional
        Columns of your own with the power of the magnification they take, such as ``{"luminosity": -1, "radius": -0.5}``.

    Returns
    -------
    `~astropy.table.QTable`
        A copy with ``magnification`` (and ``magnification_err``) for each row. Columns of `SCALED` are divided by mu or its root. With an
        error the distances of ``*_lo`` and ``*_hi`` from the median grow in quadrature in the logarithm, and errors of sizes by that of
        their scale. ``flux_err_*`` is scaled alone, so that the S/N of each flux stays: the magnification moves all bands together, and as
        noise of each it would blur the colours. ``size_limit`` is scaled alone too. ``meta['lensing']`` says what was done.

    Raises
    ------
    ValueError
        A magnification is not positive and finite, or an error negative.
    CatalogError
        The table was demagnified already, has nothing to scale, or lacks a column or unit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.lensing import demagnify
    >>> clumps = QTable({"mass": [8e8] * u.Msun, "mass_lo": [4e8] * u.Msun, "mass_hi": [16e8] * u.Msun, "size": [0.2] * u.arcsec})
    >>> table = demagnify(clumps, 4.0)
    >>> table["mass"][0], table["size"][0]
    (<Quantity 2.e+08 solMass>, <Quantity 0.1 arcsec>)
    >>> demagnify(clumps, 4.0, error=2.0)["mass_lo"].round(-5)
    <Quantity [85100000.] solMass>
    """
    if "lensing" in table.meta:
        raise CatalogError(f"the table was demagnified already ({table.meta['lensing']}); start from the one as it was measured")
    powers = _powers(table, also)
    mu = magnifications(table, magnification, wcs=wcs)
    relative = None if error is None else magnifications(table, error, wcs=wcs, name="error") / mu
    result = table.copy()
    for name, power in powers.items():
        result[name] = table[name] * mu**power
        result[name].info.description = table[name].info.description
    if relative is not None:
        for name, power in powers.items():
            _widen(result, name, abs(power) * relative, powers)
        result["magnification_err"] = relative * mu
    result["magnification"] = mu
    source = Path(magnification).name if isinstance(magnification, str | Path) else _FORMS[np.ndim(magnification)]
    median = f", median {np.median(mu):.3g}" if len(mu) else ""
    result.meta["lensing"] = f"magnification from {source}{median}{'' if error is None else ', with errors'}"
    add_history(result, f"demagnify({result.meta['lensing']}): {', '.join(powers)}")
    return result


def demagnify_draws(
    draws: "u.Quantity | ArrayLike",
    magnification: "ArrayLike",
    *,
    error: "ArrayLike | None" = None,
    power: float = -1.0,
    seed: int | np.random.Generator = 0,
) -> Any:
    """Divide the magnification out of draws of each clump's posterior, with its error.

    Parameters
    ----------
    draws : `~astropy.units.Quantity` or ndarray, shape (n_clumps, n_draws)
        Such as masses, in the order of the table.
    magnification : float or array_like, shape (n_clumps,)
        Positive, such as the column ``magnification`` that `demagnify` adds.
    error : float or array_like, shape (n_clumps,), optional
        1-sigma error. Each draw is divided by a magnification of its own: log-normal, with the given median and the
        width error / magnification in the natural logarithm. Clumps are independent; that a lens model is off for a whole galaxy is not
        in it.
    power : float, default -1
        -1 for masses, rates and fluxes, -0.5 for lengths.
    seed : int or `~numpy.random.Generator`, default 0

    Returns
    -------
    `~astropy.units.Quantity` or ndarray, shape (n_clumps, n_draws)

    Raises
    ------
    ValueError
        Shapes that do not fit, a magnification that is not positive and finite, or a negative error.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astroclumps.population.lensing import demagnify_draws
    >>> draws = demagnify_draws(np.full((1, 10_000), 4e8) * u.Msun, 4.0, error=1.0)
    >>> float(np.log(draws.value).std().round(2)), float(np.log10(np.median(draws.value)).round(1))
    (0.25, 8.0)
    """
    if np.ndim(draws) != 2:
        raise ValueError(f"draws must have the shape (n_clumps, n_draws), got {np.shape(draws)}")
    if max(np.ndim(magnification), np.ndim(error if error is not None else 0)) > 1:
        raise ValueError("draws take one number, or one for each clump, as magnification and error; look maps up with demagnify")
    rows = QTable({"row": np.arange(len(draws))})
    mu = magnifications(rows, magnification)[:, None]
    factor = np.broadcast_to(mu, np.shape(draws))
    if error is not None:
        width = magnifications(rows, error, name="error")[:, None] / mu
        factor = factor * np.exp(width * np.random.default_rng(seed).standard_normal(np.shape(draws)))
    return draws * factor**power


def _powers(table, also):
    """Columns to scale with their powers; an error where a known name has no fitting unit."""
    powers = {}
    for name in table.colnames:
        known = power_of(name)
        if known is None or name in (also or {}):
            continue
        unit, power = known
        has = getattr(table[name], "unit", None)
        if has is None or not has.is_equivalent(unit):
            text = f"column {name!r} must be in units of {unit} to be demagnified, got {has}"
            raise CatalogError(f"{text}; give it its unit, rename it, or name its power in also={{{name!r}: {power:g}}}")
        powers[name] = power
    for name, power in (also or {}).items():
        if name not in table.colnames:
            raise CatalogError(f"also names a column {name!r}; the table has {', '.join(table.colnames)}")
        if not np.isfinite(power):
            raise ValueError(f"also gives a power of the magnification, such as -1; got {power!r} for {name!r}")
        powers[name] = float(power)
    if not powers:
        raise CatalogError(f"nothing to demagnify: the table has neither fluxes, masses, rates nor sizes, only {', '.join(table.colnames)}")
    return powers


def _widen(table, name, relative, powers):
    """Add the error of the magnification to the percentiles, or to the error, of one column."""
    median = np.asarray(getattr(table[name], "value", table[name]), dtype=float)
    for suffix, sign in (("_lo", -1.0), ("_hi", 1.0)):
        other = f"{name}{suffix}"
        if other in powers:
            limit = table[other].to_value(table[name].unit) if hasattr(table[name], "unit") else np.asarray(table[other])
            with np.errstate(divide="ignore", invalid="ignore"):
                distance = np.maximum(sign * np.log(limit / median), 0.0)
                wider = median * np.exp(sign * np.hypot(distance, relative))
            new = np.where((median > 0) & (limit > 0), wider, limit)
            description = table[other].info.description
            table[other] = new * table[name].unit if hasattr(table[name], "unit") else new
            table[other].info.description = description
    for other in _size_errors(name):
        if other in powers:
            unit, description = table[other].unit, table[other].info.description
            table[other] = np.hypot(table[other], relative * table[name].to(unit))
            table[other].info.description = description


def _size_errors(name):
    """Names of the errors of a length."""
    return {"size": ("size_err",), "size_kpc": ("size_err_kpc",), "r_e": ("r_e_err",)}.get(name, ())
