"""
Galaxies out of mosaics
=======================

Two cameras saw the same field: ACS with pixels of 0.03", WFC3 with pixels of 0.06", and their mosaics begin at different places.
A catalogue has the positions. Each galaxy is cut out of all seven bands onto one grid and goes through the pipeline.

The field is made here: a dozen galaxies of `~astroclumps.mock.sersic.SersicMocks` on a sky as deep as GOODS-N.
"""

import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from tiny import FOLDER

from astroclumps import Pipeline, bands
from astroclumps.exceptions import NoClumpsWarning
from astroclumps.figures import figure_class, save
from astroclumps.mock.sersic import SersicMocks
from astroclumps.survey.galaxies import GalaxyList
from astroclumps.survey.mosaics import Mosaics
from astroclumps.survey.thumbnails import thumbnail

# %%
# Galaxies with at least two clumps and HST's own point-spread functions, drawn at 0.03".
mocks = SersicMocks(seed=5, shape=(128, 128), pixel_scale=0.03 * u.arcsec)
drawn = []
for index in range(200):
    mock = mocks.mock(index)
    if len(mock.clumps["x"]) >= 2 and mock.psf_fwhm[0] < 0.15:
        drawn.append(mock)
    if len(drawn) == 12:
        break

# %%
# The mosaics: 24" by 18", four columns and three rows of galaxies. The finer ones reach three of their pixels farther to the left and five
# farther down.
rng = np.random.default_rng(0)
corners = [(4 + 200 * (i % 4), 36 + 200 * (i // 4)) for i in range(12)]  # x, y in pixels of 0.03" from the corner that both have
centre = np.array([400, 300])


def write_mosaic(number, band):
    fine = band.instrument == "ACS"
    shift = (3, 5) if fine else (0, 0)
    sky = np.zeros((600 + shift[1], 800 + shift[0]))
    for mock, (x, y) in zip(drawn, corners, strict=True):
        sky[y + shift[1] : y + shift[1] + 128, x + shift[0] : x + shift[0] + 128] += mock.data[number]
    if not fine:
        sky = sky.reshape(300, 2, 400, 2).sum(axis=(1, 3))
    scale = 0.03 if fine else 0.06
    noise = 10 ** (-0.4 * (band.depth - 23.9)) / 5 / np.sqrt(np.pi * (0.25 / scale) ** 2)  # uJy a pixel
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [189.2, 62.2]
    wcs.wcs.crpix = (centre + shift) * 0.03 / scale + 0.5
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    header = wcs.to_header()
    header.update({"FILTER": band.name, "INSTRUME": band.instrument.split("/")[0], "BUNIT": "uJy"})
    fits.writeto(FOLDER / f"field_{band.column}_sci.fits", (sky + rng.normal(0, noise, sky.shape)).astype(np.float32), header)
    return wcs


for number, band in enumerate(bands.CANDELS):
    wcs = write_mosaic(number, band)

# %%
# The catalogue: names, positions, redshifts.
x, y = (np.array(corners).T + 63.5 + 0.5) / 2 - 0.5  # middles of the galaxies' images in pixels of 0.06"
place = wcs.pixel_to_world(x, y)
catalogue = Table({"id": [f"g{i:02d}" for i in range(12)], "ra": place.ra.deg, "dec": place.dec.deg})
catalogue["redshift"] = np.round([mock.redshift for mock in drawn], 3)
catalogue.write(FOLDER / "field.csv")

# %%
# From here on it is what one does with mosaics of one's own. Nothing but the cut-outs is read. The files state no point-spread function, so
# its widths are given, in the order of the bands.
mosaics = Mosaics(f"{FOLDER}/field_*_sci.fits", size=64, psf=u.Quantity([band.psf_fwhm for band in bands.CANDELS]))
pipeline = Pipeline(sed=None)
images, tables = [], []
for galaxy in GalaxyList(FOLDER / "field.csv"):
    image = mosaics.read(galaxy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoClumpsWarning)
        table = pipeline.run(image)
    images.append(image)
    tables.append(table)
print(images[0])
print(f"{sum(len(table) for table in tables)} clumps in {len(tables)} galaxies; {sum(len(mock.clumps['x']) for mock in drawn)} were put in")
table = max(tables, key=len)["id", "x", "y", "score", "longevity", "flux_f606w", "flux_f160w"]
for name in ("x", "y", "score", "flux_f606w", "flux_f160w"):
    table[name].info.format = ".2f"
table.pprint(max_lines=8)

# %%
# For many galaxies `~astroclumps.run_survey` does the loop, on all cores, and goes on where it was stopped (:doc:`/survey`):
# ``astroclumps run field.csv --images 'field_*_sci.fits' --size 64 -o out``.
figure = figure_class("this example")(figsize=(7, 5.4), layout="constrained")
for i, (image, table) in enumerate(zip(images, tables, strict=True)):
    axes = figure.add_subplot(3, 4, i + 1)
    axes.imshow(thumbnail(image), origin="lower")
    for label, colour in (("LLC", "tomato"), ("SLC", "deepskyblue")):
        rows = table[table["longevity"] == label]
        axes.scatter(rows["x"].value, rows["y"].value, s=60, facecolors="none", edgecolors=colour)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{image.name}, z = {image.redshift:.2f}", fontsize=8)
picture = FOLDER / "mosaics.png"
save(figure, picture)
