"""A disc with a lump, and moments of images, for tests of mock images."""

import numpy as np
from simulated_galaxies import disc_positions, galaxy, gas_table, star_table

from astroclumps.mock.cameras import Camera
from astroclumps.simulation.elements import empty_elements

TOP = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
SIDE = Camera(name="side", direction=(1, 0, 0), up=(0, 0, 1))


def disc(*, stars=2000, gas=0, **options):
    """A disc of young stars at redshift 2, with a lump that breaks its symmetry."""
    rng = np.random.default_rng(5)
    lump = rng.normal([2.0, 1.0, 0.0], 0.1, (stars // 10, 3))
    places = np.vstack([disc_positions(stars, seed=1), lump])
    clouds = gas_table(disc_positions(gas, seed=2, height=0.3), mass=4e5, first=10**6) if gas else empty_elements("gas")
    return galaxy(star_table(places), clouds, scale_factor=1 / 3, **options)


def moments(image):
    """Centre (x, y) and second moments of an image."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    w = image / image.sum()
    cx, cy = (w * x).sum(), (w * y).sum()
    return cx, cy, (w * (x - cx) ** 2).sum(), (w * (y - cy) ** 2).sum()
