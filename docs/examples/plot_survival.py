"""
Which galaxies keep their clumps
================================

Equation 8 of the paper gives the halo below which supernovae disrupt clumps; with the relation of Behroozi et al. (2019) it is a
stellar mass. Here a catalogue of galaxies is written to a file, read back and laid over that threshold, for the efficiency of star
formation that the paper takes (0.1 a free-fall time) and for that of the VELA simulations (0.035). The galaxies are made up; a
catalogue of your own needs the columns ``mass`` and ``redshift``.
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable
from tiny import FOLDER

from astroclumps import survival
from astroclumps.figures import CLASS_STYLES, figure_class, save

rng = np.random.default_rng(1)
made_up = QTable({"galaxy": np.arange(300), "mass": 10 ** rng.uniform(8.5, 10.7, 300) * u.Msun, "redshift": rng.uniform(0.8, 3.2, 300)})
made_up.write(FOLDER / "galaxies.ecsv", overwrite=True)

# %%
# ``predict`` keeps the order of the rows. ``long_lived`` is its verdict, ``halo_margin`` how far from the threshold the halo is, in dex.

table = survival.predict(QTable.read(FOLDER / "galaxies.ecsv"))
print(table["galaxy", "redshift", "mass", "halo_mass", "clump_velocity", "long_lived", "halo_margin"][:5])

# %%
# The threshold falls with redshift, for halos of the same mass turn faster at an earlier time.

figure = figure_class("this example")(figsize=(6.0, 4.2), layout="constrained")
axes = figure.add_subplot()
for verdict, kind in ((True, "LLC"), (False, "SLC")):
    name, _, colour, _, symbol = CLASS_STYLES[kind]
    rows = table[table["long_lived"] == verdict]
    axes.plot(rows["redshift"], rows["mass"].value, symbol, color=colour, markersize=3, label=f"clumps {name}")
redshift = np.linspace(0.8, 3.2, 80)
for efficiency, line in ((0.1, "-"), (0.035, "--")):
    limit = survival.stellar_mass_threshold(redshift, efficiency=efficiency)
    axes.plot(redshift, limit.value, line, color="black", label=f"threshold at an efficiency of {efficiency:g}")
axes.set(xlabel="redshift", ylabel="stellar mass of the galaxy (solar masses)", yscale="log", xlim=(0.75, 3.25))
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=8)
picture = FOLDER / "survival.png"
save(figure, picture)
