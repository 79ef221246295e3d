"""Gaussian spheres of known mass, size and place in a smooth disc, as particles and as formulae."""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from astroclumps import Snapshot

SCALE_LENGTH = 1.6  # kpc, of the exponential disc
THICKNESS = 0.3  # kpc, standard deviation of the height
STAR_MASS, GAS_MASS = 6e9, 4e9  # Msun, of the disc
FWHM = 2.0  # kpc
SIGMA = FWHM / np.sqrt(8 * np.log(2))


class Spheres(NamedTuple):
    """Places (n, 3) in kpc relative to the centre, standard deviations in kpc, masses of gas and of young stars each in Msun."""

    place: np.ndarray
    size: np.ndarray
    mass: np.ndarray


def spheres(n, *, rng, mass=(7.3, 8.7), size=(0.05, 0.15), radius=(1.5, 4.0), apart=1.2):
    """Spheres at random, log-uniform in mass (of gas, and the same of stars)."""
    place = np.zeros((0, 3))
    while len(place) < n:
        r, angle = rng.uniform(*radius), rng.uniform(0, 2 * np.pi)
        new = np.array([r * np.cos(angle), r * np.sin(angle), rng.normal(0, 0.1)])
        if np.all(np.linalg.norm(place - new, axis=1) > apart):
            place = np.vstack([place, new])
    return Spheres(place, rng.uniform(*size, n), 10 ** rng.uniform(*mass, n))


def galaxy(planted, *, rng, n_disc=300_000, particle=1e4, **options):
    """Half of the disc's particles are old stars, half cold gas; the spheres' are gas and young stars. Masses scatter by 5%."""

    def disc(n):
        r, angle = rng.gamma(2, SCALE_LENGTH, n), rng.uniform(0, 2 * np.pi, n)
        return np.column_stack([r * np.cos(angle), r * np.sin(angle), rng.normal(0, THICKNESS, n)])

    def balls():
        number = np.rint(planted.mass / particle).astype(int)
        one = np.repeat(np.arange(len(number)), number)
        return planted.place[one] + planted.size[one, None] * rng.normal(size=(len(one), 3))

    tables = {}
    for kind, total in (("stars", STAR_MASS), ("gas", GAS_MASS)):
        own, added = disc(n_disc // 2), balls()
        position = np.concatenate([own, added])
        new = np.arange(len(position)) >= len(own)
        radius = np.hypot(*position[:, :2].T)[:, None]
        turning = np.column_stack([-position[:, 1], position[:, 0], np.zeros(len(position))]) / np.maximum(radius, 1e-9)
        tables[kind] = QTable(
            {
                "particle_id": np.arange(len(position)) + (10**8 if kind == "gas" else 0),
                "position": position * u.kpc,
                "velocity": 200 * turning * u.km / u.s,
                "mass": np.where(new, particle, total / max(len(own), 1)) * rng.uniform(0.95, 1.05, len(position)) * u.Msun,
                "metallicity": np.full(len(position), 0.01),
            }
        )
        if kind == "stars":
            tables[kind]["age"] = np.where(new, 0.05, 3.0) * u.Gyr
        else:
            tables[kind]["temperature"] = np.full(len(position), 5e3) * u.K
    given = {"name": "planted", "r_vir": 60 * u.kpc, "centre": np.zeros(3) * u.kpc, "axis": [0, 0, 1], "velocity": np.zeros(3) * u.km / u.s}
    return Snapshot(scale_factor=0.33, **tables, **(given | options))


def _cloud(x, sigma, cell):
    """Part of a Gaussian's mass in the cells around x after cloud-in-cell: its second integral, differenced twice."""

    def second(y):
        return y * 0.5 * (1 + erf(y / np.sqrt(2) / sigma)) + sigma / np.sqrt(2 * np.pi) * np.exp(-0.5 * (y / sigma) ** 2)

    return (second(x + cell) - 2 * second(x) + second(x - cell)) / cell


def _cells(x, sigma, cell):
    """Part of a Gaussian's mass inside the cells around x."""
    return 0.5 * (erf((x + cell / 2) / np.sqrt(2) / sigma) - erf((x - cell / 2) / np.sqrt(2) / sigma))


def _axes(grid):
    return [grid.origin[i] + (np.arange(grid.shape[i]) + 0.5) * grid.cell for i in range(3)]


def disc_mass(grid, sigma=0.0):
    """Part of the disc's mass in each cell, smoothed or not, float32."""
    x, y, z = _axes(grid)
    radius = np.hypot(x[:, None], y[None, :])
    plane = np.exp(-radius / SCALE_LENGTH) / (2 * np.pi * SCALE_LENGTH**2) * grid.cell**2
    if sigma:
        plane = gaussian_filter(plane, sigma / grid.cell, mode="constant", truncate=6)
    return (plane[:, :, None] * _cells(z, np.hypot(THICKNESS, sigma), grid.cell)).astype(np.float32)


def _product(x, y, z):
    return x[:, None, None] * y[None, :, None] * z[None, None, :]


def sphere_mass(planted, i, grid):
    """Part of sphere i's mass inside each cell."""
    return _product(*(_cells(axis - planted.place[i, j], planted.size[i], grid.cell) for j, axis in enumerate(_axes(grid))))


def expected_delta(planted, grid):
    """Overdensity of the formulae: the larger of cold mass's and stars', float32, with the cloud of a particle, without noise."""
    thin, smooth = disc_mass(grid), disc_mass(grid, SIGMA)
    delta = np.full(grid.shape, -1, dtype=np.float32)
    for disc, parts in ((GAS_MASS, 2), (STAR_MASS, 1)):  # cold: gas and young stars
        mass, background = disc * thin, disc * smooth
        for i in range(len(planted.mass)):
            offsets = [axis - planted.place[i, j] for j, axis in enumerate(_axes(grid))]
            mass += (parts * planted.mass[i] * _product(*(_cloud(x, planted.size[i], grid.cell) for x in offsets))).astype(np.float32)
            wide = np.hypot(planted.size[i], SIGMA)
            background += (parts * planted.mass[i] * _product(*(_cells(x, wide, grid.cell) for x in offsets))).astype(np.float32)
        delta = np.maximum(delta, mass / background - 1)
    return delta


class Recovery(NamedTuple):
    """For each sphere: whether it must be found, whether it was, mass over the formulae's in the same cells, distance in cells."""

    due: np.ndarray
    found: np.ndarray
    mass_ratio: np.ndarray
    offset: np.ndarray
    n_other: int  # clumps that are no sphere


def recover(planted, finding):
    """Compare what was found with the formulae. A sphere is due where more than 8 cells lie above 20, twice the threshold."""
    grid, clumps = finding.grid, finding.clumps
    delta = expected_delta(planted, grid)
    n = len(planted.mass)
    due, ratio, offset, label = np.zeros(n, bool), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, int)
    centre = np.column_stack([clumps[f"pos_{axis}"].value for axis in "xyz"])
    disc = None
    for i in range(n):
        middle = np.floor((planted.place[i] - grid.origin) / grid.cell).astype(int)
        box = tuple(slice(max(m - 8, 0), m + 9) for m in middle)
        due[i] = np.sum(delta[box] > 20) > 8
        here = finding.labels[box]
        label[i] = np.bincount(here[here > 0]).argmax() if here.any() else 0
        if label[i]:
            cells = finding.labels == label[i]
            disc = disc_mass(grid) if disc is None else disc
            mass = (STAR_MASS + GAS_MASS) * disc[cells].sum(dtype=float)
            mass += sum(2 * planted.mass[k] * sphere_mass(planted, k, grid)[cells].sum() for k in range(n))
            ratio[i] = clumps["mass"].value[label[i] - 1] / mass
            offset[i] = np.linalg.norm(centre[label[i] - 1] - planted.place[i]) / grid.cell
    return Recovery(due, label > 0, ratio, offset, len(clumps) - len(np.unique(label[label > 0])))
