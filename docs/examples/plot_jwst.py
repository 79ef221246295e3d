"""
Bands of JWST
=============

Clumps in a synthetic galaxy as NIRCam would see it, detected by contrast, measured and fitted in NIRCam's bands. The networks know HST's
bands only; the page *JWST* shows on a real galaxy what can be made of that.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER

from astroclumps import (
    ClumpPhotometry,
    ContrastDetector,
    LibrarySED,
    MockImager,
    MultiBandImage,
    SyntheticSuite,
    bands,
    plotting,
    starlight,
)
from astroclumps.figures import figure_class, save
from astroclumps.mock.cameras import cameras
from astroclumps.mock.sky import SkyModel

wide = bands.NIRCAM[1:]  # F090W to F444W
print(*(f"{band.name}: {band.psf_fwhm}" for band in wide), sep="\n")

# %%
# A mock image with pixels of 0.03" and every band smoothed to the point-spread function of F444W, as catalogues of many bands want it;
# 29.5 mag at 5 sigma in a circle of 0.15". Five clumps of known mass and age are put into it, so that the truth stands beside the fit.
redshift, scale = 2.0, 0.03 * u.arcsec
*_, snapshot = SyntheticSuite(n_galaxies=2, n_snapshots=2, n_stars=100_000, seed=11).galaxy(1)
rms = 10 ** (-0.4 * (29.5 - 23.9)) / 5 / np.sqrt(np.pi * (0.15 / 0.03) ** 2)
sky = SkyModel(rms=[rms] * len(wide), correlation=[0.5] * len(wide))
imager = MockImager(bands=wide, shape=(96, 96), pixel_scale=scale, psf=0.145 * u.arcsec, sky=sky)
galaxy = imager.render(snapshot, cameras(snapshot, rng=1)[0], redshift=redshift, rng=1)
x, y = np.array([30, 62, 70, 44, 26]), np.array([58, 66, 36, 24, 38])
mass, age = np.array([3e8, 1e8, 3e8, 6e8, 1e9]), np.array([0.05, 0.05, 0.2, 0.5, 1.0]) * u.Gyr
light = starlight.component_fluxes(wide, redshift, age=age, a_v=0.3, metallicity=0.5)
data, reach = galaxy.data.astype(float), galaxy.psf.shape[-1] // 2
for i, flux in enumerate((light.flux.value.T * (mass / light.surviving)).T):
    data[:, y[i] - reach : y[i] + reach + 1, x[i] - reach : x[i] + reach + 1] += flux[:, None, None] * galaxy.psf
image = MultiBandImage(data=data * u.uJy, bands=wide, pixel_scale=scale, psf=galaxy.psf, redshift=redshift, name="mock")
print(image)

# %%
# The contrast detector's lengths are pixels, chosen for 0.06": here they are doubled. Photometry takes its aperture as an angle. No
# emission lines are in mock or model; in a real galaxy they are, and bands with strong lines are better left out.
clumps = ContrastDetector(box=20, min_pixels=20, min_uv_fraction=0.01, band="F115W").detect(image)
measured = ClumpPhotometry(radius=0.18 * u.arcsec).measure(image, clumps)
fitted = LibrarySED().fit(measured, redshift=image.redshift)
nearest = np.hypot(fitted["x"].value[:, None] - x, fitted["y"].value[:, None] - y)
fitted["true_mass"] = np.where(nearest.min(axis=1) < 4, mass[nearest.argmin(axis=1)], np.nan) * u.Msun
fitted["true_age"] = np.where(nearest.min(axis=1) < 4, light.age.to_value(u.Gyr)[nearest.argmin(axis=1)], np.nan) * u.Gyr
shown = fitted["id", "x", "y", "true_mass", "mass", "true_age", "age", "a_v"]
for name in ("true_mass", "mass"):
    shown[name].info.format = ".1e"
for name in ("x", "y", "true_age", "age", "a_v"):
    shown[name].info.format = ".2f"
shown.pprint(max_width=-1)

# %%
# Galaxy and clumps, and what was fitted to the first four.
figure = figure_class("this example")(figsize=(8, 3.6), layout="constrained")
left, right = figure.subplots(1, 2)
left.imshow(plotting.colour_image(image), origin="lower")
for row in fitted:
    left.text(row["x"].value + 3, row["y"].value, row["id"], color="white", fontsize=8)
left.scatter(fitted["x"], fitted["y"], s=60, facecolors="none", edgecolors="white")
left.set(title="F090W, F200W, F444W", xticks=[], yticks=[])
wavelength = [band.pivot.to_value(u.um) for band in wide]
for row in fitted[:4]:
    flux, error = ([row[f"{what}_{band.column}"].to_value(u.nJy) for band in wide] for what in ("flux", "flux_err"))
    label = f"{row['id']}: {np.log10(row['mass'].to_value(u.Msun)):.1f}, {row['age'].to_value(u.Myr):.0f} Myr"
    right.errorbar(wavelength, flux, error, fmt="o-", ms=4, lw=0.8, label=label)
right.set(xscale="log", yscale="log", xlabel="wavelength [um]", ylabel="flux density [nJy]")
right.legend(title="log mass, age", fontsize=8)
picture = FOLDER / "jwst.png"
save(figure, picture)
