"""
Mass functions of clumps
========================

From two catalogues on disk to the paper's Fig. 10: clumps per galaxy and dex of mass, the slope above 10^7.5 Msun, and the mass above
which most clumps are long-lived. Errors come from draws of whole galaxies.
"""

from tiny import FOLDER, catalogues

from astroclumps import catalog, plotting
from astroclumps.population.mass_function import mass_function
from astroclumps.population.power_law import fit_power_law
from astroclumps.population.selection import ClumpCuts, GalaxyCuts
from astroclumps.population.transition import transition_mass

folder = catalogues()  # clumps.fits and galaxies.fits
galaxies, clumps = catalog.read(folder / "galaxies.fits"), catalog.read(folder / "clumps.fits")

# %%
# The paper's cuts, with what each costs.
chosen = GalaxyCuts(bands=None).apply(galaxies)
print(chosen.losses)
galaxies = chosen.table
clumps = clumps[[name in set(galaxies["galaxy"]) for name in clumps["galaxy"]]]
clumps = ClumpCuts().apply(clumps, galaxies).table

# %%
# Two slopes go by that name: those of dN/dM and of dN/dlogM differ by one.
table = mass_function(clumps, galaxies)
fit = fit_power_law(clumps["mass"], groups=clumps["galaxy"])
print(fit.to_table()["of", "slope", "error"])

# %%
# One call makes the figure.
picture = plotting.plot_mass_function(table, FOLDER / "mass_function.png", fits=fit, transitions=transition_mass(clumps, galaxies=galaxies))
