"""
The galaxies of clumps
======================

From two catalogues on disk to the paper's Fig. 12: over which galaxies the clumps of each class are distributed, the mass above which most
clumps are long-lived, and, shaded, the stellar masses below which supernovae disrupt clumps at z = 3 and z = 1 (eqs. 4-8).
"""

import astropy.units as u
from tiny import FOLDER, catalogues

from astroclumps import catalog, plotting, survival
from astroclumps.population.hosts import host_masses, host_transition

folder = catalogues()
galaxies, clumps = catalog.read(folder / "galaxies.fits"), catalog.read(folder / "clumps.fits")

# %%
found = host_transition(clumps, galaxies)
print(f"10^{found.log_mass:.2f} +/- {found.error_dex:.2f} dex")

# %%
limits = u.Quantity([survival.stellar_mass_threshold(z) for z in (3, 1)])
picture = plotting.plot_hosts(host_masses(clumps, galaxies), FOLDER / "hosts.png", transitions=found, limits=limits)
