"""`ClumpFinder3D`: clumps as connected cells far above their surroundings (G21 3.1.2)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import catalog
from astroclumps.arguments import one_number
from astroclumps.exceptions import NoClumpsWarning

from .grid import Cells, Grid, cells_of, deposit, members
from .properties import Measured, Members, Regions, measure
from .smoothing import LEAST_SIGMA, smooth
from .tiles import Particles, dense_regions

if TYPE_CHECKING:
    from .snapshot import Snapshot

__all__ = ["ClumpFinder3D", "Finding"]

FWHM = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""

_LARGEST_FWHM = 2.5  # kpc (G21 3.1.2)
_FWHM_OVER_RADIUS = 0.5  # of R_d (G21 3.1.2)
_ROOM = 3.0  # sigma of the Gaussian around the part of the grid that is searched (ours): beyond lies a part in 700 of its weight


class Finding(NamedTuple):
    """Clumps with the grid they were found on.

    Attributes
    ----------
    clumps : `~astropy.table.QTable`
        Stage ``found``.
    star_labels : int32 array, shape (n_stars,)
        The ``id`` of each star's clump, 0 for none.
    labels : int32 array, shape (nx, ny, nz)
        The ``id`` of each cell's clump, 0 for none.
    delta : float32 array, shape (nx, ny, nz)
        The larger of the overdensities of cold mass and stars; -1 where there is neither. In the grid's margin it is too high,
        because the mass outside is not seen.
    grid : `~astroclumps.simulation.grid.Grid`
        The cells, relative to the snapshot's centre, along the axes of the box.
    """

    clumps: QTable
    star_labels: np.ndarray
    labels: np.ndarray
    delta: np.ndarray
    grid: Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class ClumpFinder3D:
    """Find clumps in a simulated galaxy.

    (1) Cold mass (cold gas and young stars) and all stars are put on a grid of cubic cells, cloud-in-cell. (2) Each field is smoothed
    with a spherical Gaussian; density over smoothed density, less 1, is its overdensity, and the larger of the two that of the cell.
    (3) Connected cells above the threshold are a clump, if they are enough. (4) The gas, the stars and the dark matter inside these
    cells are the clump's.

    Parameters
    ----------
    cell_size : `~astropy.units.Quantity` ['length'], default 70 pc
        Side of a cell (G21 3.1.2).
    background_fwhm : `~astropy.units.Quantity` ['length'], optional
        Full width at half maximum of the Gaussian, at least two cells. Default: half of R_d, at most 2.5 kpc (G21 3.1.2).
    overdensity : float, default 10
        Threshold (G21 3.1.2).
    min_cells : int, default 8
        Least number of cells (G21 3.1.2).
    connectivity : {6, 18, 26}, default 6
        Whether cells that share a face, also an edge, or also a corner are connected (ours: not stated in G21).
    cold_temperature : `~astropy.units.Quantity` ['temperature'], default 1.5e4 K
        Gas below it is cold (G21 3.1.2).
    young_age : `~astropy.units.Quantity` ['time'], default 100 Myr
        Stars below it count as cold mass (G21 3.1.2).
    min_elements : int, default 10
        Regions with fewer stars and fewer gas elements than this are left out (ours; G21 3.1.2 asks for 10 stars when tracking). 0 keeps
        them; most are made by one particle, whose cloud covers eight cells.
    unbind : bool, default False
        Leave out elements that the clump's gravity does not hold (ours; G21 3.1.2 keeps all).
    origin : `~astropy.units.Quantity` ['length'], shape (3,), optional
        Where a corner of cells lies, in the box. Default: on the snapshot's centre (ours).
    extent : tuple of float, default (1, 3)
        Clumps are those whose densest cell lies in the cylinder of this radius in R_d and this half-thickness in H_d about the disc
        (ours). The grid holds this cylinder, and three sigma of the background more on all sides.
    max_memory : `~astropy.units.Quantity` ['data quantity'] or int, optional
        Memory in bytes that the grid may take, beside the particles. Where it is not enough, the grid is worked on in slabs, with the
        same result. Default: no slabs, and no more than the machine's physical memory (2**40 bytes where that is not known; ours).
    ex_situ_overdensity : float, default 0.5
        Overdensity of dark matter above which a clump fell in (ours).

    Raises
    ------
    TypeError
        An argument lacks its unit, or is of another kind.
    ValueError
        An argument is out of range.

    Examples
    --------
    A ball of young stars in a thin disc of older ones:

    >>> import astropy.units as u, numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps import ClumpFinder3D, Snapshot
    >>> from astroclumps.simulation.elements import empty_elements
    >>> rng = np.random.default_rng(1)
    >>> radius, angle = 4 * np.sqrt(rng.random(30_000)), rng.uniform(0, 2 * np.pi, 30_000)
    >>> disc = np.stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.2, 30_000)], axis=1)
    >>> ball = rng.normal((2, 1, 0), 0.06, (300, 3))
    >>> position = np.concatenate([disc, ball])
    >>> velocity = 200 * np.cross([0, 0, 1], position / np.linalg.norm(position, axis=1)[:, None])
    >>> stars = QTable({"particle_id": np.arange(30_300), "position": position * u.kpc, "velocity": velocity * u.km / u.s,
    ...                 "mass": np.full(30_300, 1e5) * u.Msun, "age": np.where(np.arange(30_300) < 30_000, 2, 0.05) * u.Gyr,
    ...                 "metallicity": np.full(30_300, 0.01)})
    >>> galaxy = Snapshot(name="disc with a ball", stars=stars, gas=empty_elements("gas"), scale_factor=0.33, r_vir=80 * u.kpc,
    ...                   centre=[0, 0, 0] * u.kpc, axis=[0, 0, 1])
    >>> clumps, star_labels = ClumpFinder3D(background_fwhm=1 * u.kpc).find(galaxy)
    >>> clumps["pos_x"].round(1), clumps["pos_y"].round(1)
    (<Quantity [2.] kpc>, <Quantity [1.] kpc>)
    >>> star_labels[:30_000].sum() < star_labels[30_000:].sum()
    np.True_
    """

    cell_size: u.Quantity[u.kpc] = 70 * u.pc
    background_fwhm: u.Quantity[u.kpc] | None = None
    overdensity: float = 10.0
    min_cells: int = 8
    connectivity: int = 6
    cold_temperature: u.Quantity[u.K] = 1.5e4 * u.K
    young_age: u.Quantity[u.Gyr] = 100 * u.Myr
    min_elements: int = 10
    unbind: bool = False
    origin: u.Quantity[u.kpc] | None = None
    extent: tuple[float, float] = (1.0, 3.0)
    max_memory: u.Quantity[u.byte] | int | None = None
    ex_situ_overdensity: float = 0.5

    def __post_init__(self):
        _check_quantity(self.cell_size, u.kpc, "cell_size", "70 * u.pc")
        _check_quantity(self.cold_temperature, u.K, "cold_temperature", "1.5e4 * u.K")
        _check_quantity(self.young_age, u.Gyr, "young_age", "100 * u.Myr")
        if self.background_fwhm is not None:
            _check_quantity(self.background_fwhm, u.kpc, "background_fwhm", "2.5 * u.kpc")
            _check_resolved(self.background_fwhm.to_value(u.kpc), self.cell_size.to_value(u.kpc))
        if self.origin is not None:
            _check_quantity(self.origin, u.kpc, "origin", "[0, 0, 0] * u.kpc", shape=(3,))
        for name in ("overdensity", "ex_situ_overdensity"):
            one_number(name, getattr(self, name), "a positive, finite number", lambda value: 0 < value < np.inf)
        for name, least in (("min_cells", 1), ("min_elements", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is a whole number, at least {least}, got {value!r}")
        if self.connectivity not in (6, 18, 26):
            raise ValueError(f"connectivity must be 6 (faces), 18 (edges) or 26 (corners), got {self.connectivity!r}")
        if not isinstance(self.unbind, bool | np.bool_):
            raise TypeError(f"unbind must be True or False, got {self.unbind!r}")
        extent = _extent(self.extent)
        object.__setattr__(self, "extent", extent)
        self._bytes()

    def __eq__(self, other):
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self):
        return hash(repr(self))

    def find(self, snapshot: "Snapshot") -> tuple[QTable, np.ndarray]:
        """Find and measure the clumps of a galaxy.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot`
            The galaxy.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            Stage ``found`` of `astroclumps.catalog`, by decreasing mass. Positions are relative to ``snapshot.centre``, velocities to
            ``snapshot.velocity``, both along the axes of the box. ``meta["outside_extent"]`` is the number of regions that were left out
            because their densest cell lies outside the cylinder of ``extent``, before ``min_elements`` is asked.
        star_labels : int32 array, shape (n_stars,)
            The ``id`` of each star's clump, 0 for none; in the order of ``snapshot.stars``.

        Raises
        ------
        TypeError
            ``snapshot`` is something else.
        ValueError
            The default background is narrower than two cells, or the grid needs more than ``max_memory``, or than the machine has.

        Warns
        -----
        NoClumpsWarning
            Nothing was found; with the number of regions that were left out, and why.
        """
        measured, _, _ = self._find(snapshot)
        return measured.table, _star_labels(measured, len(snapshot.stars))

    def find_with_grid(self, snapshot: "Snapshot") -> Finding:
        """Find clumps, and give back labels and overdensity of all cells as well.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot`
            The galaxy.

        Returns
        -------
        `Finding`
            Its two cubes, and four more to make them, come on top of ``max_memory``.

        Raises
        ------
        TypeError, ValueError
            See `find`.

        Warns
        -----
        NoClumpsWarning
            Nothing was found.
        """
        measured, regions, grid = self._find(snapshot)
        labels = np.zeros(grid.n_cells, dtype=np.int32)
        labels[regions.cell] = measured.ids[regions.label]
        centre = snapshot.centre.to_value(u.kpc)
        delta = np.full(grid.shape, -1.0, dtype=np.float32)
        for particles in self._fields(snapshot):
            mass = np.zeros(grid.shape, dtype=np.float32)
            for one in particles:
                deposit(one.position, one.mass, grid, centre=centre, use=one.use, out=mass)
            background = smooth(mass, self._fwhm(snapshot) / FWHM / grid.cell)
            there = mass > 0
            delta[there] = np.maximum(delta[there], mass[there] / background[there] - np.float32(1))
        return Finding(measured.table, _star_labels(measured, len(snapshot.stars)), labels.reshape(grid.shape), delta, grid)

    def _find(self, snapshot):
        from .snapshot import Snapshot

        if not isinstance(snapshot, Snapshot):
            raise TypeError(f"the finder takes an astroclumps.Snapshot (files are read by Snapshot.read), got {repr(snapshot)[:200]}")
        fwhm, centre = self._fwhm(snapshot), snapshot.centre.to_value(u.kpc)
        cell = self.cell_size.to_value(u.kpc)
        corner = None if self.origin is None else self.origin.to_value(u.kpc) - centre
        grid = Grid.around(snapshot.disc, cell=cell, room=_ROOM * fwhm / FWHM, extent=self.extent, corner=corner)
        dense = dense_regions(
            self._fields(snapshot),
            grid,
            sigma=fwhm / FWHM / cell,
            overdensity=self.overdensity,
            min_cells=self.min_cells,
            connectivity=self.connectivity,
            centre=centre,
            max_memory=self._bytes(),
        )
        regions = self._in_reach(dense, grid, snapshot)
        cells = cells_of(regions.cell, regions.label, grid.shape)
        measured = measure(
            snapshot,
            regions,
            grid=grid,
            stars=_members(snapshot.stars, cells, grid, centre),
            gas=_members(snapshot.gas, cells, grid, centre),
            dark=_members(snapshot.dark, cells, grid, centre),
            fwhm=fwhm,
            cold_temperature=self.cold_temperature.to_value(u.K),
            young_age=self.young_age.to_value(u.Gyr),
            min_elements=self.min_elements,
            unbind=self.unbind,
            ex_situ_overdensity=self.ex_situ_overdensity,
        )
        outside = dense.n - regions.n
        self._note(measured.table, snapshot, grid, fwhm, dense.n_outside, outside)
        if not len(measured.table):
            why = ""
            if outside:
                lie = "region lies" if outside == 1 else "regions lie"
                why = f"; {outside} {lie} outside extent=({self.extent[0]:g}, {self.extent[1]:g}) of R_d and H_d"
                why += ": set a larger extent to look there"
            if regions.n:
                why += f"; {regions.n} regions have fewer than {self.min_elements} stars and gas elements"
            warnings.warn(f"ClumpFinder3D found no clumps in {snapshot.name!r}{why}", NoClumpsWarning, stacklevel=3)
        return measured, regions, grid

    def _in_reach(self, dense, grid, snapshot):
        """Regions whose densest cell lies in the cylinder."""
        disc = snapshot.disc
        order = np.lexsort((dense.cell, -dense.density, dense.label))
        peak = order[np.searchsorted(dense.label[order], np.arange(1, dense.n + 1))]
        place = grid.origin + (np.stack(np.unravel_index(dense.cell[peak], grid.shape), axis=1) + 0.5) * grid.cell
        place -= disc.centre.to_value(u.kpc) - snapshot.centre.to_value(u.kpc)
        height = place @ disc.axis
        radius = np.linalg.norm(place - height[:, None] * disc.axis, axis=1)
        inside = (radius <= self.extent[0] * disc.r_d.to_value(u.kpc)) & (abs(height) <= self.extent[1] * disc.h_d.to_value(u.kpc))
        number = np.zeros(dense.n + 1, dtype=np.int32)
        number[1:][inside] = np.arange(1, inside.sum() + 1)
        label = number[dense.label]
        cells = (values[label > 0] for values in (label, dense.cell, dense.delta, dense.stellar, dense.density))
        return Regions(int(inside.sum()), *cells)

    def _fields(self, snapshot):
        """What cold mass and stars are made of."""
        gas, stars = snapshot.gas, snapshot.stars
        cold = Particles(gas["position"].value, gas["mass"].value, gas["temperature"].value < self.cold_temperature.to_value(u.K))
        every = Particles(stars["position"].value, stars["mass"].value)
        return [cold, every._replace(use=stars["age"].value < self.young_age.to_value(u.Gyr))], [every]

    def _fwhm(self, snapshot):
        """FWHM of the background, kpc."""
        if self.background_fwhm is not None:
            return self.background_fwhm.to_value(u.kpc)
        radius = snapshot.disc.r_d.to_value(u.kpc)
        fwhm = min(_FWHM_OVER_RADIUS * radius, _LARGEST_FWHM)
        _check_resolved(fwhm, self.cell_size.to_value(u.kpc), f" for the disc of {snapshot.name!r} with R_d = {radius:.3g} kpc")
        return fwhm

    def _bytes(self):
        """Memory limit in bytes, or None."""
        limit = self.max_memory
        if isinstance(limit, u.Quantity):
            if not limit.unit.is_equivalent(u.byte):
                raise TypeError(f"max_memory must be a size such as 2 * u.Gbyte, or a number of bytes, got {limit!r}")
            limit = int(limit.to_value(u.byte)) if limit.isscalar else 0
        elif limit is not None and (not isinstance(limit, int | np.integer) or isinstance(limit, bool)):
            raise TypeError(f"max_memory must be a size such as 2 * u.Gbyte, or a number of bytes, got {limit!r}")
        if limit is not None and limit <= 0:
            raise ValueError(f"max_memory must be positive, got {self.max_memory!r}")
        return limit

    def _note(self, table, snapshot, grid, fwhm, outside, beyond):
        """Write down how the table was made."""
        from astroclumps import __version__

        corner = snapshot.centre.to_value(u.kpc) + grid.origin
        table.meta["snapshot"] = snapshot.name
        table.meta["cell_size"] = f"{float(grid.cell)!r} kpc"
        table.meta["grid_shape"] = " ".join(map(str, grid.shape))
        table.meta["grid_margin"] = f"{grid.margin} cells"
        table.meta["grid_origin"] = f"{' '.join(repr(float(value)) for value in corner)} kpc in the box"
        table.meta["background_fwhm"] = f"{float(fwhm)!r} kpc"
        table.meta["outside_grid"] = f"{outside[0]} of the cold mass's particles, {outside[1]} stars"
        table.meta["outside_extent"] = beyond
        catalog.add_history(table, f"{self!r}; astroclumps {__version__}; snapshot {snapshot.name}")


def _members(elements, cells: Cells, grid, centre) -> Members:
    return Members.none() if elements is None else Members(*members(elements["position"].value, cells, grid, centre=centre))


def _star_labels(measured: Measured, n: int) -> np.ndarray:
    labels = np.zeros(n, dtype=np.int32)
    labels[measured.stars.row] = measured.stars.label
    return labels


def _check_resolved(fwhm, cell, what=""):
    if not fwhm >= LEAST_SIGMA * FWHM * cell:
        raise ValueError(
            f"the background's FWHM{what} is {fwhm:.3g} kpc, less than two cells of {cell:.3g} kpc; set a smaller cell_size, or a larger "
            "background_fwhm"
        )


def _extent(value):
    """Radius in R_d and half-thickness in H_d as two floats."""
    wrong = f"extent must be a radius in R_d and a half-thickness in H_d, such as (1, 3), got {value!r}"
    try:
        extent = tuple(float(one) for one in np.ravel(value))
    except (TypeError, ValueError):
        raise TypeError(wrong) from None
    if len(extent) != 2 or not all(np.isfinite(one) and one > 0 for one in extent):
        raise ValueError(wrong)
    return extent


def _check_quantity(value, unit, name, example, shape=()):
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(f"{name} must be a Quantity that converts to {unit}, such as {example}, got {value!r}")
    if value.shape != shape or not np.isfinite(value).all() or (not shape and not value > 0 * value.unit):
        allowed = "three finite lengths" if shape else "one positive, finite quantity"
        raise ValueError(f"{name} must be {allowed}, such as {example}, got {value}")
