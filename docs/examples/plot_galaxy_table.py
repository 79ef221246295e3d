"""
From a galaxy catalogue to a sample
===================================

A catalogue with names and units of its own becomes a table, positions of a second one are matched with it, and the cuts of the paper
choose the sample. The catalogues here are made up: 400 galaxies with masses, and the sizes of most of them 0.1 arcsec to the east.
"""

import astropy.units as u
import numpy as np
from astropy.table import Table
from tiny import FOLDER

from astroclumps.figures import figure_class, save
from astroclumps.population.crossmatch import cross_match
from astroclumps.population.galaxies import read_galaxies
from astroclumps.population.selection import GalaxyCuts

rng = np.random.default_rng(2)
n = 400
ra, dec = 53.1 + rng.uniform(0, 0.1, n), -27.8 + rng.uniform(0, 0.1, n)
masses = Table({"ID": np.arange(n), "RAdeg": ra, "DECdeg": dec, "zbest": rng.uniform(0.5, 3.5, n), "logM": rng.normal(10, 0.6, n)})
masses["logsSFR"] = rng.normal(-9.3, 0.5, n)
masses["logM"][::20] = -99.0
masses.write(FOLDER / "masses.fits", overwrite=True)
seen = rng.random(n) < 0.9
shift = (0.1 + rng.normal(0, 0.05, n)) / 3600 / np.cos(np.radians(dec))
sizes = Table({"NUMBER": np.arange(n), "RA": ra + shift, "DEC": dec + rng.normal(0, 0.05, n) / 3600, "f": np.zeros(n, dtype=int)})
sizes["re"], sizes["q"] = 10 ** rng.normal(-0.5, 0.2, n), rng.uniform(0.2, 1, n)
sizes[seen].write(FOLDER / "sizes.cat", format="ascii.commented_header", overwrite=True)

columns = {"galaxy": "ID", "ra": ("RAdeg", "deg"), "dec": ("DECdeg", "deg"), "redshift": "zbest"}
columns |= {"mass": ("logM", "log10 Msun"), "ssfr": ("logsSFR", "log10 1/yr")}
galaxies = read_galaxies(FOLDER / "masses.fits", columns=columns, missing=[-99])
match = cross_match(galaxies, read_galaxies(FOLDER / "sizes.cat", columns="3dhst-galfit"), remove_offset=True)
print(match.report)

# %%
# What each cut costs, and where the sample lies.
selection = GalaxyCuts(bands=None).apply(match.table)
print(selection.losses["cut", "limits", "n_before", "n_lost", "n_missing"])

figure = figure_class("this example")(figsize=(4.5, 3.5), layout="constrained")
axes = figure.add_subplot()
for table, colour, label in ((match.table, "0.75", "matched"), (selection.table, "C0", "sample")):
    axes.scatter(table["redshift"], table["mass"].to_value(u.Msun), s=8, color=colour, label=f"{label}: {len(table)}")
axes.set(xlabel="redshift", ylabel="stellar mass (solar masses)", yscale="log")
axes.legend()
picture = FOLDER / "galaxy_table.png"
save(figure, picture)
