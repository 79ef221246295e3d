"""Galaxies of which it is known where their clumps are and how long they live, quick to find, follow and render."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import vstack
from simulated_galaxies import galaxy, gas_table, star_table

from astroclumps import ClumpFinder3D

FINDER = ClumpFinder3D(cell_size=150 * u.pc, background_fwhm=1.2 * u.kpc)
LASTING, LATE = (2.0, 1.0, 0.0), (-1.5, 2.0, 0.0)
"""Places in kpc of a clump that lives through all snapshots, and of one of old stars that is there in the last only."""
STEP = 0.1  # Gyr


@dataclass(frozen=True)
class PlantedGalaxies:
    """Discs about z with a ball of younger stars, three snapshots each; a source of `make_galaxy_set`."""

    n: int = 2

    def __len__(self):
        return self.n

    def name(self, i):
        return f"planted {i}"

    def n_snapshots(self, i):
        return 3

    def snapshots(self, i):
        for k in range(3):
            yield planted(i, k)


def _disc(rng, n):
    """Places in an exponential disc of scale length 1.5 kpc and height 0.15 kpc."""
    radius, angle = rng.gamma(2, 1.5, n), rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), rng.laplace(0, 0.15, n)])


def planted(i, k):
    """Snapshot k of galaxy i."""
    rng = np.random.default_rng(i)
    balls = rng.normal(0, 0.08, (2, 80, 3))
    old = star_table(_disc(rng, 3000), age=2 * u.Gyr, mass=2e6)
    young = star_table(balls[0] + LASTING, age=(0.2 + STEP * k) * u.Gyr, first=10_000, mass=2e6)
    late = star_table(balls[1] + LATE, age=1 * u.Gyr, first=20_000, mass=2e6)
    gas = gas_table(_disc(rng, 800), first=30_000, mass=1e6)
    stars = vstack([old, young, late] if k == 2 else [old, young])
    return galaxy(stars, gas, name=f"planted {i} {k}", scale_factor=0.3, time=(2 + STEP * k) * u.Gyr)
