"""What clumps in three dimensions are like: masses, sizes, shapes, motions, energies and origins.

The finder hands over the cells of its regions and the elements inside; sums run over these alone. Formulae and sources of all columns
stand in the docs, "Properties of clumps".
"""

from typing import TYPE_CHECKING, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import catalog

from . import boundedness
from .members import gather, grouped, means
from .origin import BULGE_CELLS, classify, dark_contrast

if TYPE_CHECKING:
    from .grid import Grid
    from .snapshot import Snapshot

__all__ = ["SFR_TIME", "VIRIAL_FACTOR", "Measured", "Members", "Regions", "measure"]

SFR_TIME = 0.06
"""Gyr over which the star-formation rate is averaged in simulations."""

VIRIAL_FACTOR = 5 / 3
"""Ours: a of the virial parameter a sigma^2 r_c / (G M) (G21 3.1.3), for the dispersion in three dimensions; 5 sigma_1D^2 r / (G M)."""

_G_MYR = boundedness.G * (1.022712165e-3) ** 2  # kpc^3 / (Msun Myr^2): 1 km/s is 1.0227e-3 kpc/Myr
_SAME_MASS = 6  # decimals of log10 mass that the order of clumps looks at


class Regions(NamedTuple):
    """Cells of the regions that the finder labelled, in any order.

    Parameters
    ----------
    n : int
        Number of regions; labels run from 1 to n.
    label : int array, shape (m,)
        Region of each cell.
    cell : int array, shape (m,)
        Flat (C order) index of the cell in the grid.
    delta : float array, shape (m,)
        Overdensity, the larger of cold mass's and stars'.
    stellar : bool array, shape (m,)
        True where the stars' overdensity is the larger.
    density : float array, shape (m,)
        Density in any unit, the larger of cold mass's and stars'; only its order counts.
    """

    n: int
    label: np.ndarray
    cell: np.ndarray
    delta: np.ndarray
    stellar: np.ndarray
    density: np.ndarray


class Members(NamedTuple):
    """Elements of one type inside regions.

    Parameters
    ----------
    row : int array, shape (k,)
        Rows of the snapshot's table, ascending.
    label : int array, shape (k,)
        Region of each, from 1.
    """

    row: np.ndarray
    label: np.ndarray

    @classmethod
    def none(cls) -> "Members":
        """No elements."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int32))


class Measured(NamedTuple):
    """What `measure` gives back.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Clumps (stage ``found``) by decreasing mass.
    ids : int32 array, shape (n + 1,)
        Number in the table of each label of the regions; 0 for those left out, and for label 0.
    stars, gas, dark : `Members`
        Elements of the clumps, with the table's numbers.
    """

    table: QTable
    ids: np.ndarray
    stars: Members
    gas: Members
    dark: Members


def measure(
    snapshot: "Snapshot",
    regions: Regions,
    *,
    grid: "Grid",
    stars: Members,
    gas: Members,
    dark: Members,
    fwhm: float,
    cold_temperature: float = 1.5e4,
    young_age: float = 0.1,
    min_elements: int = 10,
    unbind: bool = False,
    ex_situ_overdensity: float = 0.5,
    virial_factor: float = VIRIAL_FACTOR,
) -> Measured:
    """Measure every column of stage ``found``.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy.
    regions : `Regions`
        Cells.
    grid : `~astroclumps.simulation.grid.Grid`
        The grid; its origin is relative to the snapshot's centre.
    stars, gas, dark : `Members`
        Elements in the cells; gas of any temperature.
    fwhm : float
        FWHM of the background's Gaussian, kpc.
    cold_temperature : float, default 1.5e4
        Gas below it is cold, K (G21 3.1.2).
    young_age : float, default 0.1
        Stars below it are young, Gyr (G21 3.1.2).
    min_elements : int, default 10
        Regions with fewer stars and fewer gas elements than this are left out (ours); 0 keeps all.
    unbind : bool, default False
        Take elements away that the clump's own gravity does not hold (ours; G21 3.1.2 has none of it). Cells and dark matter stay.
    ex_situ_overdensity : float, default 0.5
        See `astroclumps.simulation.origin.classify`.
    virial_factor : float, default `VIRIAL_FACTOR`
        The factor a of the virial parameter.

    Returns
    -------
    `Measured`

    Warns
    -----
    `~astroclumps.exceptions.AstroclumpsWarning`
        The unbinding did not come to rest.
    """
    kept = {"stars": stars, "gas": gas, "dark": dark}
    parts = {kind: gather(snapshot, kind, members.row, members.label - 1) for kind, members in kept.items()}
    both = parts["stars"].joined(parts["gas"])
    softening = _softening(both, regions.n)
    if unbind:
        arrays = (both.position, both.velocity, both.mass, both.thermal, both.group, regions.n)
        keep = boundedness.unbind(*arrays, softening=softening)
        cut = len(stars.row)
        for kind, mask in (("stars", keep[:cut]), ("gas", keep[cut:])):
            parts[kind] = parts[kind].where(mask)
            kept[kind] = Members(kept[kind].row[mask], kept[kind].label[mask])
        both = both.where(keep)
    counts = {kind: np.bincount(part.group, minlength=regions.n) for kind, part in parts.items()}
    mass = grouped(both, both.mass, regions.n)
    cells = _Cells(regions, grid)
    order = _order(mass, cells.peak, (counts["stars"] >= min_elements) | (counts["gas"] >= min_elements))
    ids = np.zeros(regions.n + 1, dtype=np.int32)
    ids[order + 1] = np.arange(1, len(order) + 1)
    columns = {f"n_{kind}": count for kind, count in counts.items()}
    columns |= {"n_cells": cells.number, "delta": cells.delta, "component": cells.component}
    columns |= _contents(parts, regions.n, cold_temperature, young_age)
    columns |= _body(parts, both, mass, cells, cold_temperature, virial_factor)
    columns |= _place(snapshot, columns, cells)
    columns |= _energy(both, softening, regions.n)
    contrast = _contrast(snapshot, kept["dark"], cells, fwhm)
    columns["delta_dark"] = np.full(regions.n, np.nan) if contrast is None else contrast.delta
    peak_distance = np.linalg.norm(cells.peak_position, axis=1)
    columns["origin"] = classify(
        columns["r_gal"], peak_distance, cells.nearest, contrast, cell=cells.side, ex_situ_overdensity=ex_situ_overdensity
    )
    columns["flags"] = _flags(parts["gas"], counts, columns, cells, fwhm, max(min_elements, 1) if min_elements else 10)
    table = catalog.make_table("found", len(order))
    for name, values in columns.items():
        table[name][:] = values[order] if table[name].unit is None else values[order] * table[name].unit
    if contrast is None:
        table.meta["origin"] = "no dark matter in the snapshot: galaxies that fell in cannot be told and count as in situ"
    final = {kind: _renamed(members, ids) for kind, members in kept.items()}
    return Measured(table, ids, **final)


class _Cells:
    """The regions' cells, summed up by region."""

    def __init__(self, regions, grid):
        self.n, self.side, self.group = regions.n, float(grid.cell), np.asarray(regions.label, dtype=np.int64) - 1
        index = np.stack(np.unravel_index(regions.cell, grid.shape), axis=1) if len(regions.cell) else np.zeros((0, 3), int)
        self.position = np.asarray(grid.origin, dtype=float) + (index + 0.5) * self.side
        self.number = np.bincount(self.group, minlength=self.n)
        self.volume = self.number * self.side**3
        edge = np.any((index <= grid.margin) | (index >= np.asarray(grid.shape) - 1 - grid.margin), axis=1)
        self.at_edge = np.bincount(self.group, edge, self.n) > 0
        self.nearest = np.full(self.n, np.inf)
        np.minimum.at(self.nearest, self.group, np.linalg.norm(self.position, axis=1))
        sums = np.stack([np.bincount(self.group, self.position[:, i], self.n) for i in range(3)], axis=1)
        self.centre = sums / np.maximum(self.number, 1)[:, None]
        densest = self._first(regions.cell, regions.density)
        self.peak, self.peak_position = np.asarray(regions.cell)[densest], self.position[densest]
        highest = self._first(regions.cell, regions.delta)
        self.delta = np.asarray(regions.delta, dtype=float)[highest]
        self.component = np.where(np.asarray(regions.stellar)[highest], "stars", "cold")

    def _first(self, cell, value):
        """Cell of the largest value in each region; of equal ones the first in the grid."""
        order = np.lexsort((cell, -np.asarray(value, dtype=float), self.group))
        return order[np.concatenate([[0], np.cumsum(self.number)[:-1]])] if self.n else order[:0]


def _order(mass, peak, enough):
    """Regions to keep, by decreasing mass; of equal masses the one whose densest cell comes first in the grid."""
    rounded = np.round(np.log10(np.maximum(mass, 1e-300)), _SAME_MASS)
    order = np.lexsort((peak, -rounded))
    return order[enough[order]]


def _renamed(members, ids):
    label = ids[members.label]
    return Members(members.row[label > 0], label[label > 0])


def _contents(parts, n, cold_temperature, young_age):
    """Masses, star formation, ages and metals."""
    stars, gas = parts["stars"], parts["gas"]
    cold, young = gas.temperature < cold_temperature, stars.age < young_age
    made = {
        "mass_gas": grouped(gas, gas.mass, n),
        "mass_cold": grouped(gas, gas.mass * cold, n),
        "mass_stars": grouped(stars, stars.mass, n),
        "mass_young": grouped(stars, stars.mass * young, n),
        "mass_dark": grouped(parts["dark"], parts["dark"].mass, n),
        "sfr": grouped(stars, stars.formed * (stars.age < SFR_TIME), n) / (SFR_TIME * 1e9),
        "age": means(stars, stars.age, n),
        "metallicity": means(stars, stars.metallicity, n),
        "metallicity_gas": means(gas, gas.metallicity, n),
    }
    made["mass"] = made["mass_gas"] + made["mass_stars"]
    made["age_scatter"] = np.sqrt(means(stars, (stars.age - made["age"][stars.group]) ** 2, n))
    return made


def _body(parts, both, mass, cells, cold_temperature, virial_factor):
    """Position, motion, size, density, shape and spin."""
    n = cells.n
    warm = np.concatenate([np.zeros(len(parts["stars"].mass), bool), parts["gas"].temperature >= cold_temperature])
    centre = means(both.where(~warm), both.position[~warm], n)
    middle, velocity = means(both, both.position, n), means(both, both.velocity, n)
    middle = np.where(np.isfinite(middle), middle, cells.centre)
    centre = np.where(np.isfinite(centre), centre, middle)
    place, motion = both.position - middle[both.group], both.velocity - velocity[both.group]
    radius = (3 / (4 * np.pi) * cells.volume) ** (1 / 3)
    sigma = np.sqrt(means(both, np.sum(motion**2, axis=1), n))
    spin = means(both, np.cross(place, motion), n)
    moments = _moments(both, place, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = mass / cells.volume
        made = {
            "radius": radius,
            "density": density,
            "t_ff": np.where(mass > 0, np.sqrt(3 * np.pi / (32 * _G_MYR * density)), np.nan),
            "shape": moments[:, 2] / moments[:, 0],
            "sigma": sigma,
            "alpha_vir": virial_factor * sigma**2 * radius / (boundedness.G * mass),
            "v_circ": np.sqrt(boundedness.G * mass / radius),
        }
    for i, axis in enumerate("xyz"):
        made |= {f"pos_{axis}": centre[:, i], f"vel_{axis}": velocity[:, i], f"peak_{axis}": cells.peak_position[:, i]}
        made |= {f"ang_mom_{axis}": spin[:, i], f"moment_{i + 1}": moments[:, i]}
    return made


def _moments(both, place, n):
    """Principal moments of inertia over mass, the largest first; NaN without mass."""
    square = np.sum(place**2, axis=1)
    tensor = np.empty((n, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            tensor[:, i, j] = tensor[:, j, i] = means(both, (square if i == j else 0) - place[:, i] * place[:, j], n)
    known = np.isfinite(tensor).all(axis=(1, 2))
    moments = np.full((n, 3), np.nan)
    moments[known] = np.maximum(np.linalg.eigvalsh(tensor[known])[:, ::-1], 0)
    return moments


def _place(snapshot, columns, cells):
    """Distances and angular momentum in the galaxy's frame."""
    disc = snapshot.disc
    offset = disc.centre.to_value(u.kpc) - snapshot.centre.to_value(u.kpc)
    drift = disc.velocity.to_value(u.km / u.s) - snapshot.velocity.to_value(u.km / u.s)
    position = np.stack([columns[f"pos_{axis}"] for axis in "xyz"], axis=1) - offset
    velocity = np.stack([columns[f"vel_{axis}"] for axis in "xyz"], axis=1) - drift
    height = position @ disc.axis
    r_cyl = np.linalg.norm(position - height[:, None] * disc.axis, axis=1)
    return {
        "r_gal": np.linalg.norm(position, axis=1),
        "r_cyl": r_cyl,
        "height": height,
        "r_norm": r_cyl / disc.r_d.to_value(u.kpc),
        "j_z": np.cross(position, velocity) @ disc.axis,
    }


def _energy(both, softening, n):
    row, mass = boundedness.sample(both.position, both.mass, both.group, n)
    arrays = (both.position[row], both.velocity[row], mass, both.thermal[row], both.group[row])
    found = boundedness.energies(*arrays, n, softening=softening)
    return {"energy_ratio": found.ratio, "bound": (found.ratio < 1).astype(int), "bound_fraction": found.bound_fraction}


def _softening(both, n):
    """Root mean square by mass of the softenings that are known, kpc."""
    known = both.where(np.isfinite(both.softening))
    return np.sqrt(np.nan_to_num(means(known, known.softening**2, n)))


def _contrast(snapshot, dark, cells, fwhm):
    if snapshot.dark is None or not len(snapshot.dark):
        return None
    position, mass = snapshot.dark["position"].value, snapshot.dark["mass"].value
    centre = snapshot.centre.to_value(u.kpc)
    return dark_contrast(
        position, mass, dark.row, dark.label - 1, cells.position, cells.group, cells.n, cell=cells.side, fwhm=fwhm, centre=centre
    )


def _flags(gas, counts, columns, cells, fwhm, few):
    flag = catalog.Flag3D
    elements = counts["stars"] + counts["gas"]
    blurred = means(gas, np.nan_to_num(gas.size), cells.n) > cells.side
    bits = {
        flag.FEW_STARS: counts["stars"] < few,
        flag.FEW_ELEMENTS: (counts["stars"] < few) & (counts["gas"] < few),
        flag.TOUCHES_CENTRE: cells.nearest <= BULGE_CELLS * cells.side * (1 + 1e-9),
        flag.LARGE: columns["radius"] > fwhm / 2,
        flag.GRID_EDGE: cells.at_edge,
        flag.NO_STARS: counts["stars"] == 0,
        flag.UNRESOLVED: (elements < cells.number) | blurred,
    }
    return sum(int(bit) * mask.astype(np.int64) for bit, mask in bits.items())
