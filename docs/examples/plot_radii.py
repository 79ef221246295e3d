"""
Where clumps are
================

From a catalogue on disk to the paper's Fig. 11: distances from the centre in R_e at P_0 = 0.5 and 0.7. A dict of tables makes a panel
for each.
"""

from tiny import FOLDER, catalogues

from astroclumps import catalog, plotting
from astroclumps.population.medians import median_difference
from astroclumps.population.radial import radial_distribution, radial_medians

clumps = catalog.read(catalogues() / "clumps.fits")

# %%
# By how many dex the median of the short-lived clumps lies above that of the long-lived ones, both of the same draws of galaxies.
for threshold in (0.5, 0.7):
    difference = median_difference(clumps, column="r_norm", threshold=threshold)
    print(f"P_0 = {threshold}: {difference.dex:.2f} +/- {difference.error:.2f} dex")

# %%
tables = {f"P$_0$ = {one}": radial_distribution(clumps, threshold=one) for one in (0.5, 0.7)}
medians = {f"P$_0$ = {one}": radial_medians(clumps, thresholds=[one]) for one in (0.5, 0.7)}
picture = plotting.plot_radii(tables, FOLDER / "radii.png", medians=medians)
