"""The samples of the figures: arms after the paper's cuts, with masses as fitted, corrected and true, and classes of network and truth."""

import warnings
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.population.selection import ClumpCuts, GalaxyCuts

__all__ = ["CORRECTED", "FEWEST", "FITTED", "TRUE", "Population", "populations", "selected", "with_true_classes"]

FITTED = "fitted"
"""Masses and ages as the fit of stellar populations gives them."""
TRUE = "true"
"""Those of the stars of the 3D clumps in the square of 10 pixels around a detection."""
CORRECTED = {"simulation": "corrected, prior of the simulation", "flat": "corrected, flat prior"}
"""Masses by `~astroclumps.sed.mass_correction.MassCorrection`, by its prior."""

FEWEST = 10
"""Clumps that the paper's cuts must leave, else an arm is shown without cuts and says so; and that a number must rest on (ours)."""

_N_DRAWS = 50


class Population(NamedTuple):
    """Clumps and galaxies of one arm that a figure shows.

    Attributes
    ----------
    arm : str
        'suite' or 'field', or what the arm is called.
    values : str
        What ``mass`` and ``age`` hold: `FITTED`, `TRUE` or one of `CORRECTED`.
    classes : str
        'network' or 'true'.
    clumps, galaxies : `~astropy.table.QTable`
        As ``astroclumps.population`` takes them.
    draws : `~astropy.units.Quantity` or None
        Of the masses; None where they have one value.
    cut : bool
        Whether the paper's cuts were made.
    high : `~astropy.units.Quantity` ['mass']
        Largest mass that there can be: that of the correction's likelihood, else infinity.
    """

    arm: str
    values: str
    classes: str
    clumps: QTable
    galaxies: QTable
    draws: u.Quantity | None = None
    cut: bool = True
    high: u.Quantity = np.inf * u.Msun

    @property
    def name(self) -> str:
        """Of the arm, and whether it is cut."""
        return self.arm if self.cut else f"{self.arm} without cuts"


def selected(arm):
    """The paper's cuts (5.1, 5.2) on an arm.

    Parameters
    ----------
    arm : `~astroclumps.reproduction.arm.Arm`

    Returns
    -------
    clumps, galaxies : `~astropy.table.QTable`
        Where fewer than `FEWEST` clumps pass, all galaxies, and all clumps but those known to lie outside 0.5 to 3 R_e.
    losses : `~astropy.table.QTable`
        What each cut costs, of ``galaxies`` and of ``clumps``.
    cut : bool
        Whether the cuts were made.
    """
    from astropy.table import vstack

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        chosen = GalaxyCuts(bands=None).apply(arm.galaxies)
        clumps = arm.clumps[np.isin(np.asarray(arm.clumps["galaxy"]), np.asarray(chosen.table["galaxy"]))]
        kept = ClumpCuts().apply(clumps, chosen.table)
    for of, table in (("galaxies", chosen.losses), ("clumps", kept.losses)):
        table.add_column(np.full(len(table), of), name="of", index=0)
        table.add_column(np.full(len(table), arm.name), name="arm", index=0)
    losses = vstack([chosen.losses, kept.losses])
    if len(kept.table) < FEWEST:
        radius, limits = np.asarray(arm.clumps["r_norm"]), ClumpCuts().r_norm
        return arm.clumps[~((radius <= limits[0]) | (radius >= limits[1]))], arm.galaxies, losses, False
    return kept.table, chosen.table, losses, True


def with_true_classes(clumps) -> QTable:
    """A copy whose classes are the true ones: ``longevity`` is ``true_class``, and ``p_long`` is left out.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astroclumps.reproduction.populations import with_true_classes
    >>> with_true_classes(QTable({"p_long": [0.2], "longevity": ["SLC"], "true_class": ["LLC"]}))["longevity"].tolist()
    ['LLC']
    """
    changed = clumps.copy()
    changed.remove_columns([name for name in ("p_long", "p_long_err") if name in changed.colnames])
    changed["longevity"] = np.asarray(changed["true_class"]).astype("U3")
    return changed


def populations(arm, *, seed=0, corrections=None) -> list[Population]:
    """All samples of an arm that figures and numbers are made of.

    Parameters
    ----------
    arm : `~astroclumps.reproduction.arm.Arm`
    seed : int, default 0
        Of the draws of corrected masses.
    corrections : dict, optional
        By a name of `CORRECTED` a `~astroclumps.sed.mass_correction.MassCorrection`; default: none.

    Returns
    -------
    list of Population
        Fitted values first, then corrected and, of a simulated arm, true ones; each with the network's classes and, of a simulated arm,
        with the true ones.
    """
    clumps, galaxies, _, cut = selected(arm)
    simulated = "true_class" in clumps.colnames
    made = [(FITTED, clumps, None, np.inf * u.Msun)]
    for name, correction in (corrections or {}).items():
        draws = correction.draws(clumps, n_draws=_N_DRAWS, seed=seed)
        kept = np.isfinite(draws.value).all(axis=1)
        top = correction.measured.log_mass[-1] + 0.5 * correction.measured.step
        made.append((CORRECTED[name], clumps[kept], draws[kept], 10**top * u.Msun))
    if simulated:
        known = clumps["true_mass"] > 0
        true = clumps[known]
        true["mass"], true["age"] = true["true_mass"], true["true_age"]
        made.append((TRUE, true, None, np.inf * u.Msun))
    out = []
    for values, table, draws, high in made:
        out.append(Population(arm.name, values, "network", table, galaxies, draws, cut, high))
        if simulated:
            out.append(Population(arm.name, values, "true", with_true_classes(table), galaxies, draws, cut, high))
    return out
