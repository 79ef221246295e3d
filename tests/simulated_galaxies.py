"""Small galaxies made of particles, for tests of what looks at whole snapshots."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import Snapshot, catalog
from astroclumps.simulation.elements import empty_elements


def elements(position, *, first=0, mass=1e5, **columns):
    """A table of particles at rest."""
    position = np.asarray(position, dtype=float).reshape(-1, 3)
    table = {
        "particle_id": np.arange(first, first + len(position)),
        "position": position * u.kpc,
        "velocity": np.zeros(position.shape) * u.km / u.s,
        "mass": np.full(len(position), float(mass)) * u.Msun,
    }
    return QTable(table | {name: np.full(len(position), value.value) * value.unit for name, value in columns.items()})


def star_table(position, *, age=50 * u.Myr, **options):
    """Stars at rest."""
    table = elements(position, age=age, **options)
    table["metallicity"] = 0.02
    return table


def gas_table(position, *, temperature=1e4 * u.K, **options):
    """Gas at rest."""
    table = elements(position, temperature=temperature, **options)
    table["metallicity"] = 0.02
    return table


def disc_positions(n, *, radius=4.0, height=0.15, seed=0):
    """Places in a disc of even surface density."""
    rng = np.random.default_rng(seed)
    r, angle = radius * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle), rng.uniform(-height, height, n)])


def galaxy(stars=None, gas=None, **options):
    """A snapshot about the origin with the axis z."""
    given = {"name": "galaxy", "r_vir": 50 * u.kpc, "centre": np.zeros(3) * u.kpc, "axis": [0, 0, 1], "velocity": np.zeros(3) * u.km / u.s}
    stars = star_table(disc_positions(3000)) if stars is None else stars
    return Snapshot(stars=stars, gas=empty_elements("gas") if gas is None else gas, **(given | options))


def clump_table(places, *, stage=("found", "tracked"), **columns):
    """Clumps of 1e7 Msun and 0.2 kpc at these places."""
    clumps = catalog.make_table(stage, len(places))
    for axis, values in zip("xyz", np.reshape(places, (-1, 3)).T, strict=True):
        clumps[f"pos_{axis}"] = values * u.kpc
    given = {"mass": 1e7 * u.Msun, "radius": 0.2 * u.kpc, "origin": "in situ"}
    for name, value in (given | columns).items():
        clumps[name] = value
    return clumps
