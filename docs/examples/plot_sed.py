"""
From photometry to masses and ages
==================================

A catalogue of fluxes on disk is fitted, and the masses and ages of its clumps are drawn with their 68% intervals. The clumps are made up
from known histories, so that the truth can be drawn beside them; how far such fits are to be trusted is measured in *Fitting stellar
populations*.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER

from astroclumps import LibrarySED, bands, catalog, starlight
from astroclumps.figures import figure_class, save

n, redshift = 30, 1.5
rng = np.random.default_rng(3)
true_mass, age = 10 ** rng.uniform(7.5, 9.5, n), 10 ** rng.uniform(-1.5, 0, n)
truth = starlight.component_fluxes(bands.CANDELS, redshift, age=age * u.Gyr, a_v=rng.uniform(0, 1, n), metallicity=0.5)
clumps = catalog.make_table("measured", n, bands=bands.CANDELS)
clumps["id"], clumps["flags"] = np.arange(n) + 1, 0
for b, band in enumerate(bands.CANDELS):
    flux = truth.flux[:, b].value * true_mass / truth.surviving
    error = np.hypot(10 ** (-0.4 * (band.depth - 23.9)) / 5, 0.05 * flux)
    clumps[f"flux_{band.column}"], clumps[f"flux_err_{band.column}"] = rng.normal(flux, error) * u.uJy, error * u.uJy
    clumps[f"background_{band.column}"] = 0 * u.uJy
clumps["x"] = clumps["y"] = 0 * u.pix
catalog.write(clumps, FOLDER / "photometry.ecsv", overwrite=True)

# %%
# One library a redshift serves all clumps of a galaxy. The errors given here hold the 5% of calibration already.
fitted = LibrarySED(error_floor=0).fit(catalog.read(FOLDER / "photometry.ecsv"), redshift=redshift)
print(fitted["id", "mass_lo", "mass", "mass_hi", "age", "sfr"][:5])

figure = figure_class("this example")(figsize=(5, 3.8), layout="constrained")
axes = figure.add_subplot()
(age_lo, age_mid, age_hi), (mass_lo, mass, mass_hi) = (
    [fitted[f"{name}{end}"].to_value(unit) for end in ("_lo", "", "_hi")] for name, unit in (("age", u.Gyr), ("mass", u.Msun))
)
axes.errorbar(
    age_mid, mass, [mass - mass_lo, mass_hi - mass], [age_mid - age_lo, age_hi - age_mid], fmt="o", ms=4, lw=0.8, color="C0", label="fit"
)
axes.scatter(truth.age.to_value(u.Gyr), true_mass, marker="x", color="k", zorder=3, label="truth")
axes.plot([truth.age.to_value(u.Gyr), age_mid], [true_mass, mass], color="0.7", lw=0.6, zorder=0)
axes.set(xscale="log", yscale="log", xlabel="mass-weighted age [Gyr]", ylabel="stellar mass [Msun]")
axes.legend()
picture = FOLDER / "sed.png"
save(figure, picture)
