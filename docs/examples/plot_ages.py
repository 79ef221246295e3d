"""
Ages of clumps
==============

From a catalogue on disk to the paper's Fig. 13: the ages of long- and short-lived clumps, and how age runs with the distance from the
centre, among clumps of the same galaxy.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER, catalogues

from astroclumps import catalog, plotting
from astroclumps.population.distribution import AGE_BINS, distribution
from astroclumps.population.gradients import gradient
from astroclumps.population.medians import class_medians

clumps = catalog.read(catalogues() / "clumps.fits")

# %%
# The catalogue of this page has no ages: here are some, older for long-lived clumps and towards the centre.
rng = np.random.default_rng(4)
typical = np.where(clumps["p_long"] > 0.5, 800, 300) * u.Myr
clumps["age"] = typical * clumps["r_norm"] ** -0.5 * 10 ** rng.normal(0, 0.3, len(clumps))

# %%
medians = class_medians(clumps, column="age", populations=["LLC", "SLC"])
for row in medians:
    print(f"{row['population']}: {row['median'].to(u.Myr):.0f} +/- {row['error'].to(u.Myr):.0f}")

# %%
# The slope of log age against log radius that was put in is -0.5 for each class. That of all clumps is steeper, since the old ones lie
# further in.
for row in gradient(clumps, of="age", populations=["all", "LLC", "SLC"]):
    print(f"{row['population']}: {row['slope'].value:.2f} +/- {row['error'].value:.2f} dex per dex, {row['n_galaxies']} galaxies")

# %%
table = distribution(clumps, column="age", bins=AGE_BINS, populations=["LLC", "SLC"])
picture = plotting.plot_ages(table, FOLDER / "ages.png", medians=medians)
