"""
Masses set right
================

Fitted masses of clumps against those that mocks say they have, and what that does to the mass function. The catalogue is made up:
with one of your own, start at ``QTable.read``.
"""

import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from tiny import FOLDER

from astroclumps.population.mass_function import mass_function
from astroclumps.sed.mass_correction import MassCorrection

rng = np.random.default_rng(1)
QTable({"galaxy": rng.integers(0, 150, 500), "mass": 10 ** rng.normal(8, 0.6, 500) * u.Msun, "r_norm": rng.uniform(0.3, 3, 500)}).write(
    FOLDER / "clumps.ecsv", overwrite=True
)

# %%
# Clumps within 0.5 R_e have no mock clumps to go by: a warning counts them, and ``mass_correction`` says why.

clumps, galaxies = QTable.read(FOLDER / "clumps.ecsv"), QTable({"galaxy": np.arange(150)})
correction = MassCorrection(prior="flat")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    clumps = correction.correct(clumps)
print(said[0].message)
clumps = clumps[clumps["mass_correction"] == ""]

# %%
# The draws carry the posterior of each clump into the mass function.

draws = correction.draws(clumps, n_draws=50)
bins = 10 ** np.arange(6, 10.1, 0.5) * u.Msun
before = mass_function(clumps, galaxies, bins=bins, populations=["all"], threshold=None, n_bootstrap=50)
after = mass_function(clumps, galaxies, bins=bins, populations=["all"], threshold=None, n_bootstrap=50, draws=draws)

figure = Figure(figsize=(9, 4), layout="constrained")
left, right = figure.subplots(1, 2)
for low, high, symbol in ((0.5, 1, "o"), (1, 2, "s"), (2, 3, "^")):
    ring = clumps[(clumps["r_norm"] >= low) & (clumps["r_norm"] < high)]
    size = [ring["mass_corrected"] - ring["mass_corrected_lo"], ring["mass_corrected_hi"] - ring["mass_corrected"]]
    size = [one.value for one in size]
    left.errorbar(ring["mass"].value, ring["mass_corrected"].value, size, fmt=symbol, ms=3, lw=0.3, label=f"{low}-{high} R_e")
left.plot([1e6, 1e10], [1e6, 1e10], "k:")
left.set(xscale="log", yscale="log", xlabel="fitted mass [Msun]", ylabel="corrected mass [Msun]")
left.legend()
for table, label, symbol in ((before, "fitted", "s--"), (after, "corrected", "o-")):
    right.errorbar(table["mass"].value, table["phi"].value, table["error"].value, fmt=symbol, label=label)
right.set(xscale="log", yscale="log", xlabel="mass [Msun]", ylabel="clumps per galaxy and dex")
right.legend()
picture = FOLDER / "mass_correction.png"
figure.savefig(picture)
