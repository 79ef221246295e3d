"""Calls as a user writes them; mypy must accept all of them (tests/test_types.py)."""

from pathlib import Path

import astroclumps
from astroclumps import ClumpPhotometry, ContrastDetector, LibrarySED, MultiBandImage, Pipeline, Snapshot, catalog
from astroclumps.population import hosts


def one_image(path: Path) -> float:
    image: MultiBandImage = MultiBandImage.read(path, format="cube")
    clumps = ContrastDetector().detect(image)
    ClumpPhotometry().measure(image, clumps)
    LibrarySED().fit(clumps, redshift=image.redshift or 2.0)
    image.cutout(10.0, 12.0, 64).write("small.fits", overwrite=True)
    return image.redshift or 0.0


def tables(path: str) -> str:
    table = catalog.read(path)
    hosts.with_hosts(table, table)
    return astroclumps.__version__


def snapshot(path: str) -> None:
    Snapshot.read(path).write(path)


PIPELINE: type[Pipeline] = Pipeline
