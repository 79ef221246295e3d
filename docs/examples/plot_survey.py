"""
A survey on dask
================

Forty galaxies, a file each, go through the pipeline on a dask cluster of two workers in this process; on a real cluster only the address
changes. The parts on disk are then read back as one table. One galaxy has no file, to show what becomes of it.
"""

import numpy as np
from astropy.table import Table
from distributed import Client
from tiny import FOLDER

from astroclumps import Pipeline, run_survey
from astroclumps.figures import figure_class, save
from astroclumps.mock.sersic import SersicMocks
from astroclumps.survey.dataset import Survey

images = FOLDER / "images"
images.mkdir(exist_ok=True)
mocks = SersicMocks(seed=2)
rows = []
for i in range(40):
    image, _ = mocks.image(i)
    image.write(images / f"g{i:02d}.fits", overwrite=True)
    rows.append((f"g{i:02d}", image.redshift))
rows.append(("lost", 1.5))
Table(rows=rows, names=["id", "redshift"]).write(FOLDER / "galaxies.csv", overwrite=True)

# %%
# Running
# -------
# The list is cut into parts; a part is one worker's task and appears on disk when it is complete. What fails is a row of the table that
# comes back. ``sed="library"``, the default, is left out to keep this short.
with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as client:
    failures = run_survey(
        FOLDER / "galaxies.csv",
        Pipeline(sed=None),
        FOLDER / "survey",
        client.get_executor(),
        images=f"{images}/{{id}}.fits",
        part_size=10,
        progress=False,
    )
failures["id", "stage"].pprint()

# %%
# Resuming
# --------
# The same call again does only what is not there yet. Here all is there, on whatever executor: parts hold the same bytes.
again = run_survey(
    FOLDER / "galaxies.csv", Pipeline(sed=None), FOLDER / "survey", images=f"{images}/{{id}}.fits", part_size=10, progress=False
)
print(len(again), "failure, as before")

# %%
# Reading
# -------
# `~astroclumps.survey.dataset.Survey` reads the parts as one table with units; pyarrow, pandas and dask read the folder ``clumps`` alike.
survey = Survey(FOLDER / "survey")
print(survey.complete, {name: survey.summary[name] for name in ("n_galaxies", "n_searched", "n_failed", "n_clumps")})
clumps, galaxies = survey.clumps(["galaxy", "x", "y", "score", "longevity", "flux_f160w"]), survey.galaxies()
print(galaxies["galaxy", "redshift", "n_clumps", "n_long", "n_short"][:5])

figure = figure_class("this example")(figsize=(8, 3), layout="constrained")
pictures = survey.thumbnails()
for k, row in enumerate(galaxies[np.argsort(-np.asarray(galaxies["n_clumps"]))][:4]):
    axes = figure.add_subplot(1, 4, k + 1)
    axes.imshow(pictures[str(row["galaxy"])], origin="lower")
    mine = clumps[clumps["galaxy"] == row["galaxy"]]
    for label, colour in (("LLC", "tomato"), ("SLC", "deepskyblue")):
        of = mine[mine["longevity"] == label]
        axes.scatter(of["x"].value, of["y"].value, s=60, facecolors="none", edgecolors=colour)
    axes.set(title=f"{row['galaxy']}: {row['n_clumps']} clumps", xticks=[], yticks=[])
picture = FOLDER / "survey.png"
save(figure, picture)

# %%
# ``astroclumps run galaxies.csv --images 'images/{id}.fits' -o survey --jobs 2`` is the same on the command line, ``--dask ADDRESS``
# takes a cluster, and ``astroclumps report survey`` makes a page of the results that opens in any browser.
