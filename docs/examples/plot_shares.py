"""
How clumpy galaxies are
=======================

From two catalogues on disk to the share of galaxies that have massive clumps, and to the share of their mass that clumps hold.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER, catalogues

from astroclumps import catalog
from astroclumps.figures import figure_class, save
from astroclumps.population.hosts import clump_fractions, clumpy_fraction, mean_fraction
from astroclumps.population.selection import ClumpCuts

folder = catalogues()
galaxies, clumps = catalog.read(folder / "galaxies.fits"), catalog.read(folder / "clumps.fits")

# %%
# The paper's cut on clumps, a fifth of their galaxy's mass, leaves out those that are rather its bulge.
clumps = ClumpCuts(r_norm=None).apply(clumps, galaxies).table
fractions = clump_fractions(clumps, galaxies)
for population in ("all", "LLC", "SLC"):
    mean, error = mean_fraction(fractions, column=f"mass_fraction_{population}")
    print(f"{population}: {mean:.2%} +/- {error:.2%} of the mass of a galaxy")

# %%
# A galaxy is clumpy here if it has a clump above 10^8 Msun; the second curve asks for a long-lived one.
massive = clumps[clumps["mass"] > 1e8 * u.Msun]
bins = 10 ** np.arange(9.25, 11.5, 0.5) * u.Msun
figure = figure_class("this example")(figsize=(6.0, 4.0), layout="constrained")
axes = figure.add_subplot()
for population, mark in (("all", "o"), ("LLC", "s")):
    table = clumpy_fraction(massive, galaxies, bins=bins, population=population)
    middle = np.sqrt(table["low"] * table["high"]).to_value(u.Msun)
    share = np.asarray(table["fraction"])
    axes.errorbar(middle, share, [share - table["lower"], table["upper"] - share], fmt=mark, capsize=2, label=population)
axes.set(xscale="log", ylim=(0, 1), xlabel="stellar mass of the galaxy (solar masses)", ylabel="share of galaxies with a clump above 1e8")
axes.legend(frameon=False)
picture = FOLDER / "shares.png"
save(figure, picture)
