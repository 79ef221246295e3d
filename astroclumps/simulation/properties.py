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
from .members import Members, column, elements, group_means, moments
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
    snapshot : `~astroclumps.simulation.snapshot.Snapshot`
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
    n, kept = regions.n, {"stars": stars, "gas": gas, "dark": dark}
    if unbind:
        stay = boundedness.unbind(*elements(snapshot, stars, gas), n, softening=_softening(snapshot, kept, n))
        kept["stars"], kept["gas"] = stars.where(stay[: len(stars.row)]), gas.where(stay[len(stars.row) :])
    counts = {kind: np.bincount(members.label, minlength=n + 1)[1:] for kind, members in kept.items()}
    cells = _Cells(regions, grid)
    columns = {f"n_{kind}": count for kind, count in counts.items()}
    columns |= {"n_cells": cells.number, "delta": cells.delta, "component": cells.component}
    columns |= _contents(snapshot, kept, n, cold_temperature, young_age)
    columns |= _body(snapshot, kept, cells, cold_temperature, virial_factor)
    order = _order(columns["mass"], cells.peak, (counts["stars"] >= min_elements) | (counts["gas"] >= min_elements))
    ids = np.zeros(n + 1, dtype=np.int32)
    ids[order + 1] = np.arange(1, len(order) + 1)
    columns |= _place(snapshot, columns)
    columns |= _energy(snapshot, kept, n)
    contrast = _contrast(snapshot, kept["dark"], cells, fwhm)
    columns["delta_dark"] = np.full(n, np.nan) if contrast is None else contrast.delta
    peak_distance = np.linalg.norm(cells.peak_position, axis=1)
    columns["origin"] = classify(
        columns["r_gal"], peak_distance, cells.nearest, contrast, cell=cells.side, ex_situ_overdensity=ex_situ_overdensity
    )
    counts["sources"] = _sources(snapshot, kept, counts, cells, cold_temperature, young_age)
    columns["flags"] = _flags(snapshot, kept["gas"], counts, columns, cells, fwhm, min_elements or 10)
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


def _contents(snapshot, kept, n, cold_temperature, young_age):
    """Masses, star formation, ages and metals."""
    masses = {kind: column(snapshot, kind, "mass", members.row) for kind, members in kept.items()}

    def total(kind, values):
        return np.bincount(kept[kind].label - 1, values, n).astype(float)  # whole numbers where there are no elements

    def mean(kind, values):
        return group_means(kept[kind], values, masses[kind], n)

    stars, gas = kept["stars"], kept["gas"]
    age, formed = column(snapshot, "stars", "age", stars.row), column(snapshot, "stars", "initial_mass", stars.row)
    formed = masses["stars"] if formed is None else formed
    cold = column(snapshot, "gas", "temperature", gas.row) < cold_temperature
    made = {f"mass_{kind}": total(kind, mass) for kind, mass in masses.items()}
    made |= {
        "mass": made["mass_gas"] + made["mass_stars"],
        "mass_cold": total("gas", masses["gas"] * cold),
        "mass_young": total("stars", masses["stars"] * (age < young_age)),
        "sfr": total("stars", formed * (age < SFR_TIME)) / (SFR_TIME * 1e9),
        "age": mean("stars", age),
        "metallicity": mean("stars", column(snapshot, "stars", "metallicity", stars.row)),
        "metallicity_gas": mean("gas", column(snapshot, "gas", "metallicity", gas.row)),
    }
    made["age_scatter"] = np.sqrt(mean("stars", (age - made["age"][stars.label - 1]) ** 2))
    return made


def _body(snapshot, kept, cells, cold_temperature, virial_factor):
    """Position, motion, size, density, shape and spin."""
    stars, gas = kept["stars"], kept["gas"]
    cold = column(snapshot, "gas", "temperature", gas.row) < cold_temperature
    both = moments(snapshot, [("stars", stars), ("gas", gas)], cells.centre)
    calm = both if cold.all() else moments(snapshot, [("stars", stars), ("gas", gas.where(cold))], cells.centre)
    centre = np.where(np.isfinite(calm.centre), calm.centre, both.centre)
    centre = np.where(np.isfinite(centre), centre, cells.centre)
    radius = (3 / (4 * np.pi) * cells.volume) ** (1 / 3)
    inertia = _inertia(both.square)
    mass, sigma = both.mass, np.sqrt(both.sigma2)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = mass / cells.volume
        made = {
            "radius": radius,
            "density": density,
            "t_ff": np.where(mass > 0, np.sqrt(3 * np.pi / (32 * _G_MYR * density)), np.nan),
            "shape": inertia[:, 2] / inertia[:, 0],
            "sigma": sigma,
            "alpha_vir": virial_factor * sigma**2 * radius / (boundedness.G * mass),
            "v_circ": np.sqrt(boundedness.G * mass / radius),
        }
    for i, axis in enumerate("xyz"):
        made |= {f"pos_{axis}": centre[:, i], f"vel_{axis}": both.velocity[:, i], f"peak_{axis}": cells.peak_position[:, i]}
        made |= {f"ang_mom_{axis}": both.spin[:, i], f"moment_{i + 1}": inertia[:, i]}
    return made


def _inertia(square):
    """Principal moments of inertia over mass, the largest first, from the means of r r; NaN without mass."""
    made = np.full((len(square), 3), np.nan)
    known = np.isfinite(square).all(axis=(1, 2))
    trace = np.trace(square[known], axis1=1, axis2=2)
    made[known] = np.maximum(np.linalg.eigvalsh(trace[:, None, None] * np.eye(3) - square[known])[:, ::-1], 0)
    return made


def _place(snapshot, columns):
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


def _energy(snapshot, kept, n):
    stars, gas = kept["stars"], kept["gas"]
    label = np.concatenate([stars.label, gas.label]) - 1
    mass = np.concatenate([column(snapshot, kind, "mass", kept[kind].row) for kind in ("stars", "gas")])
    key = np.concatenate(
        [np.asarray(getattr(snapshot, kind)["particle_id"])[kept[kind].row].astype(np.uint64) for kind in ("stars", "gas")]
    )
    row, weight = boundedness.sample(key, mass, label, n)
    cut = np.searchsorted(row, len(stars.row))
    some = elements(snapshot, stars.where(row[:cut]), gas.where(row[cut:] - len(stars.row)))
    found = boundedness.energies(*some._replace(mass=weight), n, softening=_softening(snapshot, kept, n))
    return {"energy_ratio": found.ratio, "bound": (found.ratio < 1).astype(int), "bound_fraction": found.bound_fraction}


def _softening(snapshot, kept, n):
    """Root mean square by mass of the softenings that are known, half the cell where only that is; kpc."""
    square, weight = np.zeros(n), np.zeros(n)
    for kind in ("stars", "gas"):
        row, group = kept[kind].row, kept[kind].label - 1
        size, cell = column(snapshot, kind, "softening", row), column(snapshot, kind, "cell_size", row)
        size = size if size is not None else None if cell is None else 0.5 * cell
        if size is not None and len(row):
            mass = column(snapshot, kind, "mass", row)
            square += np.bincount(group, mass * size**2, n)
            weight += np.bincount(group, mass, n)
    return np.sqrt(np.divide(square, weight, out=np.zeros(n), where=weight > 0))


def _contrast(snapshot, dark, cells, fwhm):
    if snapshot.dark is None or not len(snapshot.dark):
        return None
    position, mass = snapshot.dark["position"].value, snapshot.dark["mass"].value
    centre = snapshot.centre.to_value(u.kpc)
    return dark_contrast(
        position, mass, dark.row, dark.label - 1, cells.position, cells.group, cells.n, cell=cells.side, fwhm=fwhm, centre=centre
    )


def _sources(snapshot, kept, counts, cells, cold_temperature, young_age):
    """Elements of the component that stands out: stars, or cold gas and young stars."""
    cold = column(snapshot, "gas", "temperature", kept["gas"].row) < cold_temperature
    young = column(snapshot, "stars", "age", kept["stars"].row) < young_age
    number = sum(np.bincount(kept[kind].label[use], minlength=cells.n + 1)[1:] for kind, use in (("gas", cold), ("stars", young)))
    return np.where(cells.component == "stars", counts["stars"], number)


def _flags(snapshot, gas, counts, columns, cells, fwhm, few):
    flag = catalog.Flag3D
    blurred = np.zeros(cells.n, dtype=bool)
    for name in ("softening", "cell_size"):
        size = column(snapshot, "gas", name, gas.row)
        if size is not None:
            blurred |= group_means(gas, size, column(snapshot, "gas", "mass", gas.row), cells.n) > cells.side
    bits = {
        flag.FEW_STARS: counts["stars"] < few,
        flag.FEW_ELEMENTS: (counts["stars"] < few) & (counts["gas"] < few),
        flag.TOUCHES_CENTRE: cells.nearest <= BULGE_CELLS * cells.side * (1 + 1e-9),
        flag.LARGE: columns["radius"] > fwhm / 2,
        flag.GRID_EDGE: cells.at_edge,
        flag.NO_STARS: counts["stars"] == 0,
        flag.FEW_SOURCES: counts["sources"] < few,
        flag.UNRESOLVED: (counts["stars"] + counts["gas"] < cells.number) | blurred,
    }
    return sum(int(bit) * mask.astype(np.int64) for bit, mask in bits.items())
