"""How colour, age and specific star-formation rate of clumps change with their distance from the centre."""

import re
import warnings
from collections.abc import Sequence

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .. import bands as _bands
from ..exceptions import NoClumpsWarning
from .sample import P_0, POPULATIONS, Sample, values_of

__all__ = ["gradient"]

_SSFR = 1 / u.yr


def gradient(
    clumps: QTable,
    *,
    of: str,
    radius: str = "log",
    within: bool = True,
    populations: Sequence[str] = POPULATIONS,
    threshold: float | None = P_0,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> QTable:
    """Slope of a property against r / R_e by least squares, with errors from draws of galaxies.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, ``r_norm``, what ``of`` needs, and ``p_long`` or ``longevity``. Clumps without r or without the property (NaN,
        zero or negative) do not count.
    of : str
        ``'age'``, ``'ssfr'`` (of ``sfr`` and ``mass``) or another column, whose log10 is taken; or a colour such as ``'F606W-F160W'``
        (AB magnitudes, of ``flux_f606w`` and ``flux_f160w``).
    radius : {'log', 'linear'}, default 'log'
        Slope against log10 r / R_e, or against r / R_e.
    within : bool, default True
        Compare clumps of the same galaxy only: each galaxy keeps a level of its own, and galaxies with one clump say nothing (ours).
        False: all clumps on one line, so that differences between galaxies enter.
    populations : sequence of str, default ('all', 'LLC', 'SLC')
    threshold : float or None, default 0.5
        As in `~astroclumps.population.sample.Sample`; None weighs by probability.
    n_bootstrap : int, default 200
        Draws of galaxies.
    seed : int, default 0

    Returns
    -------
    `~astropy.table.QTable`
        A row for each population: ``population``, ``of``, ``slope`` (dex or mag, by dex of radius or by R_e), ``lower`` and ``upper``
        (16th and 84th percentile over the draws), ``error``, ``level`` (mean value moved to R_e, in dex of the column's unit, of 1/yr
        for ``'ssfr'``, or in mag), ``n`` and ``n_galaxies`` (that bear on the slope).

    Warns
    -----
    NoClumpsWarning
        No clumps have the property: the table has no rows.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps.population.gradients import gradient
    >>> r_norm = np.array([0.5, 1.0, 2.0, 0.8, 2.4])
    >>> clumps = QTable({"galaxy": [1, 1, 1, 2, 2], "r_norm": r_norm, "age": [400, 200, 100, 50, 50 / 3] * u.Myr})
    >>> row = gradient(clumps, of="age", populations=["all"])[0]
    >>> round(float(row["slope"]), 3), float(row["n"]), int(row["n_galaxies"])
    (-1.0, 5.0, 2)
    """
    if radius not in ("log", "linear"):
        raise ValueError(f"radius is 'log' or 'linear', got {radius!r}")
    sample = Sample(clumps, threshold=threshold, n_draws=n_bootstrap, seed=seed)
    value, unit = _property(clumps, of)
    r_norm = values_of(clumps, "r_norm")
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.log10(r_norm) if radius == "log" else r_norm - 1  # 0 at R_e
    known = np.isfinite(x) & np.isfinite(value) & (r_norm > 0)
    if not known.any():
        warnings.warn(f"no clumps with r_norm and {of}: there is no gradient", NoClumpsWarning, stacklevel=2)
    rows = []
    populations = list(populations) if known.any() else []
    for population in populations:
        weights = np.where(known, sample.weights(population), 0.0)
        sums = _sums(sample.index, sample.n_galaxies, np.where(known, x, 0), np.where(known, value, 0), weights)
        slope, level = _line(sums[None].sum(axis=1), within)
        drawn, _ = _line(np.array([one.galaxies @ sums for one in sample.replicas()]).reshape(-1, sums.shape[1]), within)
        bear = sums[:, -2] > 0 if within else sums[:, 0] > 0
        n = float(weights[bear[sample.index]].sum())
        spread = (np.nan, np.nan, np.nan) if bear.sum() < 2 else (*sample.interval(drawn), sample.spread(drawn))
        rows.append((slope[0], *spread, level[0], n, int(bear.sum())))
    table = QTable({"population": np.array(populations, dtype="U3"), "of": np.full(len(populations), of)})
    per = unit / u.dex if radius == "log" else unit
    for i, name in enumerate(("slope", "lower", "upper", "error", "level", "n", "n_galaxies")):
        column = np.array([row[i] for row in rows], dtype=np.int64 if name == "n_galaxies" else float)
        table[name] = column if i > 4 else column * (unit if name == "level" else per)
    table.meta.update({"radius": radius, "within": str(within), "threshold": "None" if threshold is None else str(threshold)})
    table.meta["history"] = [*clumps.meta.get("history", []), f"gradient of {of}"]
    return table


def _property(clumps, of):
    """Values in dex or mag, and which."""
    colour = re.fullmatch(r"\s*(\w+)\s*-\s*(\w+)\s*", of)
    if colour:
        names = _bands.names(colour.groups())
        blue, red = (values_of(clumps, f"flux_{name.lower()}", u.uJy) for name in names)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((blue > 0) & (red > 0), -2.5 * np.log10(blue / red), np.nan), u.mag
    if of == "ssfr" and "ssfr" not in clumps.colnames:
        rate, mass = values_of(clumps, "sfr", u.Msun / u.yr), values_of(clumps, "mass", u.Msun)
        value = np.divide(rate, mass, out=np.full(len(rate), np.nan), where=mass > 0)
    elif of == "ssfr":
        value = values_of(clumps, "ssfr", _SSFR)
    else:
        value = values_of(clumps, of, getattr(clumps[of], "unit", None) if of in clumps.colnames else None)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(value > 0, np.log10(value), np.nan), u.dex


def _sums(index, n_galaxies, x, y, weights):
    """By galaxy: weight, sums of x, y, xx, xy, and those of squares about the galaxy's own mean."""
    total, sx, sy, sxx, sxy = (np.bincount(index, weights * part, n_galaxies) for part in (np.ones_like(x), x, y, x * x, x * y))
    safe = np.where(total > 0, total, 1.0)
    own_xx, own_xy = sxx - sx**2 / safe, sxy - sx * sy / safe
    several = own_xx > 1e-12 * np.maximum(sxx, 1e-300)  # one clump leaves rounding only
    return np.stack([total, sx, sy, sxx, sxy, np.where(several, own_xx, 0), np.where(several, own_xy, 0)], axis=1)


def _line(sums, within):
    """Slope, and value at x = 0 on the line through the means; x is 0 at R_e."""
    total, sx, sy, sxx, sxy, own_xx, own_xy = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = own_xy / own_xx if within else (sxy - sx * sy / total) / (sxx - sx**2 / total)
        return slope, (sy - slope * sx) / total
