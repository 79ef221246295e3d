"""
Images of your own
==================

A galaxy as surveys hand it out: a FITS file a band, each with its weights, its unit or zeropoint, and a WCS; ACS on pixels of 0.03", WFC3
on pixels of 0.06". The files are made here from the galaxy of the demo. With yours, start at *Reading*.
"""

import astropy.units as u
import numpy as np
from astropy.io import fits
from tiny import FOLDER

from astroclumps import LibrarySED, MultiBandImage, Pipeline, bands, catalog, plotting
from astroclumps.demo import demo_image
from astroclumps.mock.psf import moffat

galaxy = demo_image()
folder = FOLDER / "my_galaxy"
folder.mkdir(exist_ok=True)
for i, band in enumerate(bands.CANDELS):
    finer = 2 if band.instrument == "ACS" else 1
    scale = 0.06 / finer
    flux = np.repeat(np.repeat(galaxy.data[i], finer, axis=0), finer, axis=1) / finer**2
    rms = np.full(flux.shape, galaxy.sky_rms[i] / finer)
    header = fits.Header({"FILTER": band.name, "INSTRUME": band.instrument.split("/")[0], "BUNIT": "electron/s", "ABZP": band.zeropoint})
    middle = (64 * finer + 1) / 2
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.16, "CRVAL2": -27.79, "CRPIX1": middle, "CRPIX2": middle})
    header.update({"CD1_1": -scale / 3600, "CD2_2": scale / 3600})
    counts = 10 ** (0.4 * (band.zeropoint - 23.9))  # electron/s of 1 uJy
    fits.writeto(folder / f"{band.column}_sci.fits", (flux * counts).astype("f4"), header, overwrite=True)
    fits.writeto(folder / f"{band.column}_wht.fits", (1 / (rms * counts) ** 2).astype("f4"), header, overwrite=True)

# %%
# Reading
# -------
# Bands, units, zeropoints and places come from the headers, weights from the files named ``wht``. What the headers do not say is yours to
# give: the redshift, and the point-spread functions as arrays on pixels of the result, or their FWHM. Pixels of ACS are summed two by
# two.
psf = np.stack([moffat(band.psf_fwhm.value, size=31, pixel_scale=0.06) for band in bands.CANDELS])
image = MultiBandImage.read(folder, redshift=1.54, psf=psf)
print(image)
print(f"{image.data.sum() / galaxy.data.sum():.6f} of the flux is there")

# %%
# A uJy of a well-known source is worth a look before anything else: a wrong zeropoint shifts all masses. Here is the light within 1" of
# the middle.
y, x = np.indices(image.data.shape[1:])
inside = np.hypot(x - 31.5, y - 31.5) * image.pixel_scale < 1 * u.arcsec
for band, plane in zip(image.bands, image.data, strict=True):
    print(f"{band:7s} {(plane[inside].sum() * u.uJy).to(u.ABmag):.2f}")

# %%
# From pixels to a catalogue
# --------------------------
# The table has places on the sky, because the files have a WCS.
result = Pipeline().run_with_maps(image)
clumps = result.clumps
shown = clumps["id", "x", "y", "p_long", "longevity", "flux_f160w", "mass"]
for name in shown.colnames:
    if shown[name].dtype.kind == "f":
        shown[name].info.format = ".1e" if name == "mass" else ".2f"
shown.pprint(max_width=-1)
print(clumps["sky"][0].to_string("hmsdms", precision=2))
catalog.write(clumps, folder / "clumps.ecsv", overwrite=True)
picture = plotting.quicklook(result, folder / "quicklook.png", sed=LibrarySED())

# %%
# The same on the command line: ``astroclumps run my_galaxy/ --redshift 1.54 -o out``.
