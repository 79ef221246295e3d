"""
One table, several fits
=======================

Backends take the same photometry and return the same columns, so that they can be laid side by side: the library with two histories, and
a backend of our own, which leaves out bands with strong emission lines, because the model has none. ``BagpipesSED`` is called alike; it
takes a minute a clump, so that it is left out here.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER

from astroclumps import LibrarySED, bands, catalog, starlight
from astroclumps.figures import figure_class, save
from astroclumps.testing import check_sed_backend

redshift, n = 1.5, 40
rng = np.random.default_rng(5)
true_mass, age = 10 ** rng.uniform(7.5, 9.5, n), 10 ** rng.uniform(-1.5, 0.3, n)
light = starlight.component_fluxes(bands.CANDELS, redshift, age=age * u.Gyr, a_v=rng.uniform(0, 1, n), metallicity=0.5)
lines = {"F125W": 0.4, "F160W": 0.25}  # [O III] and H alpha at this redshift, in clumps younger than 100 Myr; made up
clumps = catalog.make_table("measured", n, bands=bands.CANDELS)
clumps["id"] = np.arange(n) + 1
for b, band in enumerate(bands.CANDELS):
    flux = light.flux[:, b].value * true_mass / light.surviving * (1 + lines.get(band.name, 0) * (age < 0.1))
    error = np.hypot(10 ** (-0.4 * (band.depth - 23.9)) / 5, 0.05 * flux)
    clumps[f"flux_{band.column}"], clumps[f"flux_err_{band.column}"] = rng.normal(flux, error) * u.uJy, error * u.uJy

# %%
# A backend of your own
# ---------------------
# The contract is one method, ``fit(photometry, *, redshift)``. This one stands before another backend and tells it which bands to pass
# over: an infinite error is a missing band.


class WithoutLines:
    """Fit with bands left out into which a strong line falls."""

    lines = np.array([4861, 4959, 5007, 6563])  # Angstrom

    def __init__(self, backend):
        self.backend = backend

    def fit(self, photometry, *, redshift):
        table = photometry.copy()
        measured = [name for name in table.colnames if name.startswith("flux_err_")]
        at = self.lines * (1 + np.broadcast_to(redshift, len(table)))[:, None]
        for name in measured:
            wavelength, transmission = bands.get(name.removeprefix("flux_err_")).curve()
            inside = wavelength[transmission > 0.1 * transmission.max()]
            lit = ((at > inside[0]) & (at < inside[-1])).any(axis=1)
            table[name] = np.where(lit, np.inf, table[name].value) * table[name].unit
        fitted = self.backend.fit(table, redshift=redshift)
        for name in measured:  # what was measured stays as it was
            fitted[name] = photometry[name]
        return fitted


# %%
# ``check_sed_backend`` does what the tests of the built-in ones do, and raises an error that says which part of the contract is not kept.
check_sed_backend(WithoutLines(LibrarySED()))

# %%
# Registered in the ``pyproject.toml`` of a package, a backend has a name that ``Pipeline(sed=...)`` and ``astroclumps run --sed`` know.
fits = {
    "falling": LibrarySED(error_floor=0),
    "constant": LibrarySED(sfh="constant", error_floor=0),
    "falling, without lines": WithoutLines(LibrarySED(error_floor=0)),
}
figure = figure_class("this example")(figsize=(6.5, 3.6), layout="constrained")
axes = figure.add_subplot()
young = age < 0.1
for colour, (name, backend) in enumerate(fits.items()):
    offset = np.log10(backend.fit(clumps, redshift=redshift)["mass"].to_value(u.Msun) / true_mass)
    axes.scatter(light.age.to_value(u.Gyr) * (0.97 + 0.03 * colour), offset, s=16, color=f"C{colour}", label=name)
    for who, rows in (("with lines", young), ("without", ~young)):
        print(f"{name:24s} clumps {who:10s} median {np.median(offset[rows]):+.2f} dex, scatter {np.std(offset[rows]):.2f} dex")
axes.axhline(0, color="0.6", lw=0.8)
axes.set(xscale="log", xlabel="mass-weighted age [Gyr]", ylabel="log fitted / true mass")
axes.legend(fontsize=8)
picture = FOLDER / "sed_backends.png"
save(figure, picture)
