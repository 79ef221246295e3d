"""A small list of galaxies and their images, for tests of surveys."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from astroclumps import Pipeline
from astroclumps.testing import example_image

GUO = {"detector": "contrast", "classifier": None, "sed": None, "options": {"detector": {"min_uv_fraction": 0.03}}}


def guo():
    """The pipeline of the tests: no network, no fit."""
    return Pipeline(**GUO)


def make_galaxies(folder, n=7, *, missing=(), broken=()):
    """A list of galaxies g0, g1, ... with images in ``folder``; some without a file, or with one that is cut off."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        if i in missing:
            continue
        path = folder / f"g{i}.fits"
        example_image(bands=("F435W", "F606W", "F160W"), seed=i).write(path, overwrite=True)
        if i in broken:
            path.write_bytes(path.read_bytes()[:4000])
    table = Table({"id": [f"g{i}" for i in range(n)], "redshift": np.full(n, 1.5), "mass": np.linspace(9.5, 10.5, n)})
    table["field"] = ["north" if i % 2 else "south" for i in range(n)]
    return table


def part_bytes(out):
    """Contents of all parts and records of a survey, by name."""
    out = Path(out)
    files = [*out.glob("*/part-*.parquet"), *out.glob("manifest/part-*.json"), out / "survey.json"]
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(files)}
