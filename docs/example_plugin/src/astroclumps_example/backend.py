"""An SED backend: a small grid of models with constant star formation, weighed by chi squared."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astroclumps import bands, catalog

__all__ = ["ConstantGridSED"]

_AGES, _A_V = 30, np.linspace(0, 3, 16)  # number of ages; mag


@dataclass(frozen=True, kw_only=True)
class ConstantGridSED:
    """Mass, age, attenuation and star-formation rate from a grid of models that have formed stars at a constant rate.

    30 ages from 10 Myr to that of the Universe, in equal logarithmic steps, times 16 attenuations of 0 to 3 mag, at one
    metallicity. Each model is scaled to the fluxes by least squares and weighs exp(-chi2 / 2); percentiles are those of the
    weights. The scatter of the scale within a model is left out, so that errors of masses are lower limits; there is no
    evidence (NaN).

    Parameters
    ----------
    metallicity : float, default 0.5
        In solar units, 0.005 to 5.
    error_floor : float, default 0.05
        Fraction of each flux that is added to its error in quadrature.
    """

    metallicity: float = 0.5
    error_floor: float = 0.05

    def __post_init__(self):
        if not 0.005 <= self.metallicity <= 5:
            raise ValueError(f"metallicity must lie in 0.005-5 solar units, got {self.metallicity!r}")
        if not 0 <= self.error_floor < 1:
            raise ValueError(f"error_floor is a fraction of the flux, at least 0 and below 1, got {self.error_floor!r}")

    def fit(self, photometry, *, redshift):
        """Add the columns of the stage 'fitted' to a copy of ``photometry``, whose redshift is one number or one a row."""
        table = photometry.copy()
        redshifts = np.broadcast_to(np.asarray(redshift, dtype=float), len(table))
        if not np.all(np.isfinite(np.atleast_1d(redshift)) & (np.atleast_1d(redshift) > 0)):
            raise ValueError(f"redshift must be finite and above 0, got {redshift}")
        empty = catalog.make_table("fitted", len(table))  # NaN in all numbers
        for column in catalog.columns("fitted"):
            if column.stage == "fitted":
                table[column.name] = empty[column.name]
        table["redshift"] = redshifts
        table["sfh"] = np.array(["constant"] * len(table), dtype="U16")
        flags = np.array(table["flags"]) & ~int(catalog.Flag.SED_FAILED)
        names, flux, error = self._measured(table)
        for z in np.unique(redshifts):
            models = self._models(names, float(z))
            for i in np.flatnonzero(redshifts == z):
                found = _weigh(models, flux[i], error[i])
                if found is None:
                    flags[i] |= int(catalog.Flag.SED_FAILED)  # the row stays, with NaN
                    continue
                for name, value in (found | {f"metallicity{end}": self.metallicity for end in ("", "_lo", "_hi")}).items():
                    table[name][i] = value
                table["best_metallicity"][i] = self.metallicity
        table["flags"] = flags
        catalog.add_history(table, repr(self))
        return table

    def _measured(self, table):
        """Names of the bands, fluxes and errors (row, band) in uJy; NaN where not measured."""
        columns = [name.removeprefix("flux_err_") for name in table.colnames if name.startswith("flux_err_")]
        if not columns:
            raise ValueError("ConstantGridSED needs columns flux_<band> and flux_err_<band>, such as flux_f160w")
        flux = np.array([table[f"flux_{name}"].to_value(u.uJy) for name in columns]).T
        error = np.array([table[f"flux_err_{name}"].to_value(u.uJy) for name in columns]).T
        bad = ~(np.isfinite(flux) & np.isfinite(error) & (error > 0))
        error = np.hypot(error, self.error_floor * flux)
        return [bands.get(name).name for name in columns], np.where(bad, np.nan, flux), np.where(bad, np.nan, error)

    def _models(self, names, redshift):
        """Ages and attenuations of the grid, and what a solar mass formed looks like today."""
        from astroclumps import starlight  # loads the stellar grids, so not before they are needed

        ages = np.geomspace(0.01, starlight.age_of_universe(redshift), _AGES)
        age, a_v = (grid.ravel() for grid in np.meshgrid(ages, _A_V, indexing="ij"))
        return age, a_v, starlight.component_fluxes(names, redshift, age=age * u.Gyr, a_v=a_v, metallicity=self.metallicity)


def _weigh(models, flux, error):
    """Columns of one row; None where fewer than two bands are measured, or no model with a positive mass fits."""
    age, a_v, light = models
    use = np.isfinite(flux)
    if use.sum() < 2:
        return None
    flux, weight, model = flux[use], 1 / error[use] ** 2, light.flux.value[:, use]
    mass = (model * flux * weight).sum(axis=1) / (model**2 * weight).sum(axis=1)  # formed
    chi2 = np.where(mass > 0, ((flux - mass[:, None] * model) ** 2 * weight).sum(axis=1), np.inf)
    best = int(np.argmin(chi2))
    if not np.isfinite(chi2[best]):
        return None
    p = np.exp(-0.5 * (chi2 - chi2[best]))
    p /= p.sum()
    numbers = {
        "mass": mass * light.surviving * u.Msun,
        "sfr": mass * light.sfr.to_value(1 / u.yr) * u.Msun / u.yr,
        "age": light.age.to(u.Gyr),
        "a_v": a_v * u.mag,
    }
    found = {}
    for name, values in numbers.items():
        order = np.argsort(values.value, kind="stable")
        at = np.searchsorted(np.cumsum(p[order]), [0.16, 0.5, 0.84]).clip(max=len(p) - 1)
        for end, value in zip(("_lo", "", "_hi"), values[order[at]], strict=True):
            found[f"{name}{end}"] = value
    found |= {"chi2": chi2[best], "n_effective": 1 / (p**2).sum()}
    found |= {"best_mass_formed": mass[best] * u.Msun, "best_age": age[best] * u.Gyr, "best_a_v": a_v[best] * u.mag}
    return found
