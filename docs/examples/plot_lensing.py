"""
Clumps behind a lens
====================

From a catalogue of clumps in an arc and a map of the magnification, both on disk, to mass functions as seen and as they are.
"""

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from tiny import FOLDER

from astroclumps import catalog, plotting
from astroclumps.population.lensing import demagnify, demagnify_draws
from astroclumps.population.mass_function import mass_function
from astroclumps.population.power_law import draw_power_law

# %%
# A lens whose magnification rises towards its critical curve, along the left edge of the map, and 400 clumps of twenty galaxies behind it.
rng = np.random.default_rng(3)
model = np.tile(2 + 18 / (1 + np.arange(200) / 20), (200, 1))
fits.writeto(FOLDER / "magnification.fits", model, overwrite=True)
arc = QTable({"galaxy": np.repeat(np.arange(20), 20), "x": rng.uniform(0, 199, 400) * u.pix, "y": rng.uniform(0, 199, 400) * u.pix})
true = draw_power_law(400, slope=-2.0, low=3e6 * u.Msun, high=1e9 * u.Msun, seed=rng)
arc["mass"] = true * model[arc["y"].value.round().astype(int), arc["x"].value.round().astype(int)]
catalog.write(arc, FOLDER / "arc.fits", overwrite=True)

# %%
# The model of the lens is good to 20%.
arc, model = catalog.read(FOLDER / "arc.fits"), fits.getdata(FOLDER / "magnification.fits")
source = demagnify(arc, model, error=0.2 * model)
print(f"{np.median(arc['mass']):.1e} as seen, {np.median(source['mass']):.1e} as they are, {np.median(true):.1e} put in")

# %%
# The draws of the masses carry the error of the magnification into the second panel.
draws = demagnify_draws(np.tile(arc["mass"][:, None], (1, 100)), source["magnification"], error=source["magnification_err"])
galaxies, bins = QTable({"galaxy": np.arange(20)}), np.geomspace(3e6, 3e9, 11) * u.Msun
tables = {
    "as seen": mass_function(arc, galaxies, bins=bins, populations=["all"]),
    "as they are": mass_function(source, galaxies, bins=bins, populations=["all"], draws=draws),
}
picture = plotting.plot_mass_function(tables, FOLDER / "lensing.png")
