"""`Grid`: cubic cells around a galaxy; mass onto them, and particles in labelled ones (METHODS 1)."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .threads import n_threads, parts, run

if TYPE_CHECKING:
    from .disc import Disc

__all__ = ["Cells", "Deposit", "Grid", "cells_of", "deposit", "members"]

_CHUNK = 1 << 21  # particles that are sorted at a time, 40 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Cubic cells along the axes of the box.

    Parameters
    ----------
    origin : array, shape (3,)
        Corner of cell (0, 0, 0) relative to the galaxy's centre, kpc.
    cell : float
        Side of a cell, kpc.
    shape : tuple of int
        Number of cells along x, y and z.
    margin : int, default 0
        Cells at each face that give room to the smoothing, in which no clump is looked for.
    """

    origin: np.ndarray
    cell: float
    shape: tuple[int, int, int]
    margin: int = 0

    @classmethod
    def around(
        cls, disc: "Disc", *, cell: float, room: float, extent: tuple[float, float] = (1.0, 3.0), corner: np.ndarray | None = None
    ) -> "Grid":
        """The smallest grid that holds a cylinder about a disc, with room on all sides.

        Parameters
        ----------
        disc : `~astroclumps.simulation.disc.Disc`
            Gives R_d, H_d and the axis.
        cell : float
            Side of a cell, kpc.
        room : float
            Width of the margin outside the cylinder, kpc.
        extent : tuple of float, default (1, 3)
            Radius of the cylinder in R_d, and its half-thickness in H_d.
        corner : array, shape (3,), optional
            Where a corner of cells lies, relative to the disc's centre, kpc. Default: on the centre.

        Returns
        -------
        `Grid`

        Examples
        --------
        >>> import astropy.units as u
        >>> from types import SimpleNamespace
        >>> from astroclumps.simulation.grid import Grid
        >>> disc = SimpleNamespace(r_d=1 * u.kpc, h_d=0.2 * u.kpc, axis=[0, 0, 1])
        >>> grid = Grid.around(disc, cell=0.1, room=0.5)
        >>> grid.shape, grid.margin, grid.origin
        ((30, 30, 22), 5, array([-1.5, -1.5, -1.1]))
        """
        axis = np.asarray(disc.axis, dtype=float)
        radius, height = extent[0] * disc.r_d.to_value("kpc"), extent[1] * disc.h_d.to_value("kpc")
        half = radius * np.sqrt(np.maximum(1 - axis**2, 0)) + height * abs(axis)
        start = np.zeros(3) if corner is None else np.asarray(corner, dtype=float)
        start = start - cell * np.round(start / cell)
        margin = int(np.ceil(room / cell - 1e-6))
        low = np.floor((-half - start) / cell + 1e-6).astype(int) - margin
        high = np.ceil((half - start) / cell - 1e-6).astype(int) + margin
        return cls(origin=start + low * cell, cell=float(cell), shape=tuple(int(n) for n in high - low), margin=margin)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)


class Deposit(NamedTuple):
    """Mass on a grid.

    Attributes
    ----------
    field : float32 array, shape (nx, ny, nz)
        Mass in each cell, Msun.
    n_outside : int
        Number of particles that were left out, because their cloud is not wholly inside the grid.
    """

    field: np.ndarray
    n_outside: int


class Cells(NamedTuple):
    """Labelled cells of a grid, to look particles up in: see `cells_of`."""

    columns: np.ndarray
    heights: np.ndarray
    labels: np.ndarray


def deposit(
    position: np.ndarray,
    mass: np.ndarray,
    grid: Grid,
    *,
    centre: np.ndarray | None = None,
    use: np.ndarray | None = None,
    planes: tuple[int, int] | None = None,
    out: np.ndarray | None = None,
) -> Deposit:
    """Cloud-in-cell (G21 3.1.2): each particle is a cube as large as a cell, and its mass goes to the cells by volume.

    Parameters
    ----------
    position : float array, shape (n, 3)
        Positions in kpc. They are made relative to the grid in double precision.
    mass : float array, shape (n,)
        Masses in Msun.
    grid : `Grid`
        The cells.
    centre : array, shape (3,), optional
        What the grid's origin is relative to, in the frame of ``position``, kpc. Default 0.
    use : bool array, shape (n,), optional
        Particles to take. Default: all.
    planes : tuple of int, optional
        Fill only these planes along x, from a multiple of 32 on. Default: all.
    out : float32 array, optional
        To add the mass to. Default: zeros.

    Returns
    -------
    `Deposit`

    Notes
    -----
    Particles are sorted into blocks of 32 x 32 x 32 cells, two million at a time, and each block is summed in double precision. The
    result does not depend on the number of threads, nor on ``planes``; the order of the particles changes it by rounding of single
    precision only.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.grid import Grid, deposit
    >>> grid = Grid(origin=np.zeros(3), cell=1.0, shape=(4, 4, 4))
    >>> field, n_outside = deposit(np.array([[1.5, 1.5, 1.75], [0.2, 2, 2]]), np.array([8.0, 1.0]), grid)
    >>> field[1, 1], n_outside
    (array([0., 6., 2., 0.], dtype=float32), 1)
    """
    from .grid_kernels import BLOCK, count_blocks, fill_blocks

    position, mass = _arrays(position, mass)
    use = np.ones(len(mass), dtype=bool) if use is None else np.ascontiguousarray(use, dtype=bool)
    first, end = (0, grid.shape[0]) if planes is None else planes
    if first % BLOCK or not first < end <= grid.shape[0]:
        raise ValueError(f"planes must be a first plane that is a multiple of {BLOCK} and an end up to {grid.shape[0]}, got {planes}")
    field = np.zeros((end - first, *grid.shape[1:]), dtype=np.float32) if out is None else out
    corner = _corner(grid, centre)
    layers = (first // BLOCK, (end - 1) // BLOCK)
    n_blocks = int(np.prod([-(-n // BLOCK) for n in field.shape]))
    threads = n_threads()
    places, masses = np.empty((0, 3), dtype=np.int32), np.empty(0, dtype=np.float32)
    outside = 0
    for low in range(0, len(mass), _CHUNK):
        rows = [(low + a, low + b) for a, b in parts(min(_CHUNK, len(mass) - low), threads)]
        counts = np.zeros((len(rows), n_blocks), dtype=np.int64)
        common = (corner, grid.cell, grid.shape, *layers)
        outside += sum(run(count_blocks, [(position, use, *row, *common, count) for row, count in zip(rows, counts, strict=True)]))
        starts = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
        if len(masses) < starts[-1]:
            masses = np.empty(starts[-1] + starts[-1] // 8, dtype=np.float32)
            places = np.empty((len(masses), 3), dtype=np.int32)
        at = starts[:-1] + np.cumsum(counts, axis=0) - counts
        run(fill_blocks, [(position, mass, use, *row, *common, free, places, masses) for row, free in zip(rows, at, strict=True)])
        ends = np.searchsorted(starts, np.linspace(0, starts[-1], 8 * threads + 1)[1:-1])
        ends = np.unique(np.concatenate([[0], ends, [n_blocks]]))
        run(_add, [(places, masses, starts, int(a), int(b), field) for a, b in pairwise(ends)])
    return Deposit(field, outside)


def _add(places, masses, starts, low, high, field):
    from .grid_kernels import BLOCK, add_blocks

    add_blocks(places, masses, starts, low, high, np.empty((BLOCK + 3,) * 3), field)


def cells_of(cell: np.ndarray, label: np.ndarray, shape: tuple[int, int, int]) -> Cells:
    """Put labelled cells in order, so that `members` finds them.

    Parameters
    ----------
    cell : int64 array, shape (m,)
        Flat indices of the cells (`numpy.ravel_multi_index`), ascending.
    label : int array, shape (m,)
        Their labels, from 1.
    shape : tuple of int
        Of the grid.

    Returns
    -------
    `Cells`
    """
    column, height = np.divmod(cell, shape[2])
    columns = np.zeros(shape[0] * shape[1] + 1, dtype=np.int64)
    np.cumsum(np.bincount(column, minlength=shape[0] * shape[1]), out=columns[1:])
    return Cells(columns, height.astype(np.int32), label.astype(np.int32))


def members(position: np.ndarray, cells: Cells, grid: Grid, *, centre: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Particles that lie in labelled cells.

    Parameters
    ----------
    position : float array, shape (n, 3)
        Positions in kpc.
    cells : `Cells`
        From `cells_of`.
    grid : `Grid`
        The grid.
    centre : array, shape (3,), optional
        As in `deposit`.

    Returns
    -------
    rows : int64 array, shape (k,)
        Rows of ``position``, ascending.
    labels : int32 array, shape (k,)
        Label of the cell that each lies in.
    """
    if not len(cells.labels) or not len(position):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    position, _ = _arrays(position)
    corner = _corner(grid, centre)
    found = run(_members, [(position, low, high, corner, grid, cells) for low, high in parts(len(position), max(1, len(position) >> 18))])
    return np.concatenate([rows for rows, _ in found]), np.concatenate([labels for _, labels in found])


def _members(position, low, high, corner, grid, cells):
    from .grid_kernels import labels_of

    labels = np.empty(high - low, dtype=np.int32)
    labels_of(position, low, high, corner, grid.cell, grid.shape, *cells, labels)
    inside = np.flatnonzero(labels)
    return inside + low, labels[inside]


def _arrays(position, mass=None):
    made = []
    for array in (position, mass):
        if array is not None:
            array = np.asarray(array)
            kind = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
            array = np.ascontiguousarray(array, dtype=kind)
        made.append(array)
    return made


def _corner(grid, centre):
    return np.asarray(grid.origin, dtype=float) + (0.0 if centre is None else np.asarray(centre, dtype=float))
