"""Dense cells of a galaxy and the regions they form, in slabs of the grid where memory is short (G21 3.1.2).

The background needs the whole field, but only as sums on a coarse lattice; so every slab is summed first, and then looked through. Regions
that go through the face between two slabs are joined, so that slabs change nothing.
"""

import os
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .grid import Grid, deposit
from .smoothing import Smoothing
from .threads import n_threads, parts, run

__all__ = ["DenseRegions", "Particles", "dense_regions", "label", "machine_memory", "working_memory"]

_BLOCK = 32  # planes that a slab is made of
_SORTED = 50_000_000  # bytes in which particles are sorted
_LARGEST = 2**40  # bytes that a grid may take where the system does not tell how much memory it has (ours)
_UNITS = ("byte", "kbyte", "Mbyte", "Gbyte", "Tbyte", "Pbyte", "Ebyte")


class Particles(NamedTuple):
    """Particles that make up a field.

    Attributes
    ----------
    position : float array, shape (n, 3)
        In kpc.
    mass : float array, shape (n,)
        In Msun.
    use : bool array, shape (n,), or None
        Those that count.
    """

    position: np.ndarray
    mass: np.ndarray
    use: np.ndarray | None = None


class DenseRegions(NamedTuple):
    """Connected cells above the threshold, in the order of the grid.

    Attributes
    ----------
    n : int
        Number of regions; labels run from 1 to n, in the order of the regions' first cells.
    label : int32 array, shape (m,)
        Region of each cell.
    cell : int64 array, shape (m,)
        Flat index of each cell in the grid, ascending.
    delta : float32 array, shape (m,)
        The larger overdensity.
    stellar : bool array, shape (m,)
        Whether that of the second field (stars) is the larger.
    density : float32 array, shape (m,)
        The larger mass in the cell, Msun.
    n_outside : tuple of int
        Particles of each field that lie outside the grid.
    """

    n: int
    label: np.ndarray
    cell: np.ndarray
    delta: np.ndarray
    stellar: np.ndarray
    density: np.ndarray
    n_outside: tuple[int, int]


def working_memory(grid: Grid, sigma: float, planes: int) -> int:
    """Bytes that `dense_regions` needs at most for slabs of so many planes, beside the particles."""
    smoothing = Smoothing(sigma=sigma, shape=grid.shape)
    plane = grid.shape[1] * grid.shape[2]
    lattice = smoothing.lattice
    coarse = 4 * lattice[0] * plane
    turning = 4 * lattice[0] * lattice[1] * (2 * grid.shape[2] + lattice[2])  # while one field is smoothed along y and z
    slab = min(planes, grid.shape[0]) * plane
    return int(2 * coarse + max(8 * slab + max(turning, _SORTED), (8 if planes < grid.shape[0] else 0) * slab + 5 * slab))


def machine_memory() -> int:
    """Bytes of physical memory; 2**40 where the system does not tell."""
    try:
        n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf, others may lack the names
        return _LARGEST
    return n_bytes if n_bytes > 0 else _LARGEST


def dense_regions(
    fields: tuple[list[Particles], list[Particles]],
    grid: Grid,
    *,
    sigma: float,
    overdensity: float,
    min_cells: int,
    connectivity: int,
    centre: np.ndarray | None = None,
    max_memory: int | None = None,
) -> DenseRegions:
    """Cells where either of two fields exceeds its smoothed self, in connected regions.

    Parameters
    ----------
    fields : tuple of two lists of `Particles`
        What the two fields are made of: cold mass and stars.
    grid : `~astroclumps.simulation.grid.Grid`
        The cells; its margin is not searched.
    sigma : float
        Standard deviation of the background's Gaussian in cells.
    overdensity : float
        Threshold of density over background, less 1.
    min_cells : int
        Least number of cells.
    connectivity : {6, 18, 26}
        Cells that share a face, or an edge, or a corner are connected.
    centre : array, shape (3,), optional
        See `~astroclumps.simulation.grid.deposit`.
    max_memory : int, optional
        Bytes to work in. Default: as many as one slab needs, if the machine has them (`machine_memory`).

    Returns
    -------
    `DenseRegions`

    Raises
    ------
    ValueError
        The thinnest slabs need more than ``max_memory``; or, without one, the whole grid more than the machine has.
    """
    planes = _planes(grid, sigma, max_memory)
    smoothing = Smoothing(sigma=sigma, shape=grid.shape)
    slabs = [(low, min(low + planes, grid.shape[0])) for low in range(0, grid.shape[0], planes)]
    coarse = np.zeros((2, *smoothing.empty().shape), dtype=np.float32)
    mass = np.zeros((2, min(planes, grid.shape[0]), *grid.shape[1:]), dtype=np.float32)
    outside = (0, 0)
    for slab in slabs:
        if slab[0]:
            mass[:] = 0
        slab_mass, outside = _fill(mass, fields, grid, slab, centre)
        for field, sums in zip(slab_mass, coarse, strict=True):
            smoothing.gather(field, sums, start=slab[0])
    for sums in coarse:
        smoothing.spread(sums)
    found, borders, total = [], [], 0
    for slab in slabs:
        if len(slabs) > 1:
            mass[:] = 0
            slab_mass, _ = _fill(mass, fields, grid, slab, centre)
        dense = _dense(slab_mass, coarse, smoothing, slab, grid.margin, np.float32(1 + overdensity))
        if len(slabs) == 1:
            del mass, slab_mass, coarse, field, sums  # before the labels need their memory
        labels, n = label(dense[0], grid.shape, connectivity)
        labels[labels > 0] += total
        total += n
        borders.append(_faces(dense[0], labels, grid.shape, slab))
        found.append((*dense, labels))
    cell, delta, stellar, density, labels = (np.concatenate(part) for part in zip(*found, strict=True))
    labels = _joined(labels, total, borders, connectivity)
    labels, n = _large(labels, min_cells)
    keep = labels > 0
    return DenseRegions(n, labels[keep], cell[keep], delta[keep], stellar[keep], density[keep], outside)


def label(cell: np.ndarray, shape: tuple[int, int, int], connectivity: int) -> tuple[np.ndarray, int]:
    """Connected regions of some cells of a grid.

    Parameters
    ----------
    cell : int64 array, shape (m,)
        Flat indices of the cells.
    shape : tuple of int
        Of the grid.
    connectivity : {6, 18, 26}
        See `dense_regions`.

    Returns
    -------
    labels : int64 array, shape (m,)
        Region of each cell, from 1.
    n : int
        Number of regions.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.tiles import label
    >>> cell = np.ravel_multi_index(([0, 0, 1], [0, 1, 2], [0, 0, 0]), (3, 3, 3))
    >>> label(cell, (3, 3, 3), 6)[1], label(cell, (3, 3, 3), 18)[1]
    (2, 1)
    """
    import cc3d

    if not len(cell):
        return np.zeros(0, dtype=np.int64), 0
    index = np.stack(np.unravel_index(cell, shape))
    low, high = index.min(axis=1), index.max(axis=1)
    index -= low[:, None]
    mask = np.zeros(high - low + 1, dtype=np.uint8)
    mask[tuple(index)] = 1
    labels, n = cc3d.connected_components(mask, connectivity=connectivity, binary_image=True, return_N=True)
    return labels[tuple(index)].astype(np.int64), int(n)


def _planes(grid, sigma, max_memory):
    """Thickness of the slabs: all planes, or a multiple of 32."""
    n = grid.shape[0]
    limit = machine_memory() if max_memory is None else max_memory
    needed = working_memory(grid, sigma, n)
    if needed <= limit:
        return -(-n // _BLOCK) * _BLOCK
    least = working_memory(grid, sigma, _BLOCK)
    if max_memory is not None and least <= limit:
        return next(planes for planes in range(-(-n // _BLOCK) * _BLOCK, 0, -_BLOCK) if working_memory(grid, sigma, planes) <= limit)
    what = f"a grid of {' x '.join(map(str, grid.shape))} cells needs at least"
    if max_memory is not None:
        raise ValueError(
            f"{what} {_size(least)}, more than max_memory={_size(limit)}; allow more, or take larger cells or a smaller extent"
        )
    raise ValueError(
        f"{what} {_size(needed)}, more than the {_size(limit)} of this machine; take larger cells or a smaller extent, or set max_memory "
        f"to work in slabs, to {_size(least)} or more"
    )


def _size(n_bytes):
    """Bytes for the reader, rounded up to three digits, such as 2.51 Gbyte."""
    digits = len(str(n_bytes))
    coarse = 10 ** max(0, digits - 3)
    unit = min((digits - 1) // 3, len(_UNITS) - 1)
    return f"{-(-n_bytes // coarse) * coarse / 1000**unit:g} {_UNITS[unit]}"


def _fill(mass, fields, grid, slab, centre):
    """Deposit both fields in the planes of a slab; also the numbers of particles outside the grid."""
    part = mass[:, : slab[1] - slab[0]]
    outside = []
    for field, particles in zip(part, fields, strict=True):
        made = [deposit(one.position, one.mass, grid, centre=centre, use=one.use, planes=slab, out=field) for one in particles]
        outside.append(sum(one.n_outside for one in made))
    return part, tuple(outside)


def _dense(mass, coarse, smoothing, slab, margin, limit):
    """Flat index, overdensity, field and mass of the dense cells of a slab, in the order of the grid."""
    up = smoothing.up(0)
    low, high = max(slab[0], margin), min(slab[1], smoothing.shape[0] - margin)
    tasks = [(low + a, low + b) for a, b in parts(high - low, max(4 * n_threads(), (high - low) // _BLOCK))] if high > low else []
    found = run(_dense_part, [(mass, coarse, up, slab[0], *task, margin, limit) for task in tasks])
    found.append(tuple(np.zeros(0, dtype=kind) for kind in _TYPES))  # a slab may lie in the margin
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


_TYPES = (np.int64, np.float32, np.bool_, np.float32)


def _dense_part(mass, coarse, up, start, low, high, margin, limit):
    from .smoothing_kernels import dense_cells

    room = 4096
    while True:
        made = tuple(np.empty(room, dtype=kind) for kind in _TYPES)
        n = dense_cells(mass, coarse, *up, start, low, high, margin, limit, *made)
        if n <= room:
            break
        room = n
    order = np.argsort(made[0][:n])
    return tuple(values[:n][order] for values in made)


def _faces(cell, labels, shape, slab):
    """Labels on the first and the last plane of a slab."""
    size = shape[1] * shape[2]
    faces = []
    for plane in (slab[0], slab[1] - 1):
        low, high = np.searchsorted(cell, (plane * size, (plane + 1) * size))
        face = np.zeros(size, dtype=np.int64)
        face[cell[low:high] - plane * size] = labels[low:high]
        faces.append(face.reshape(shape[1:]))
    return faces


def _joined(labels, n, borders, connectivity):
    """One label for regions that touch each other across the faces of slabs."""
    if len(borders) < 2 or not n:
        return labels
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    reach = {6: 0, 18: 1, 26: 2}[connectivity]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for (_, last), (first, _) in pairwise(borders):
        ny, nz = last.shape
        around = np.pad(last, 1)
        for dy in (-1, 0, 1):
            for dz in (-1, 0, 1):
                if abs(dy) + abs(dz) <= reach:
                    other = around[1 + dy : 1 + dy + ny, 1 + dz : 1 + dz + nz]
                    touch = (other > 0) & (first > 0)
                    pairs.append(np.stack([other[touch], first[touch]], axis=1))
    i, j = np.concatenate(pairs).T
    _, group = connected_components(coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(n + 1, n + 1)), directed=False)
    return group[labels].astype(np.int64) + 1


def _large(labels, min_cells):
    """Number the regions of at least so many cells by their first cells; 0 for the others."""
    counts = np.bincount(labels)
    counts[:1] = 0
    first = np.zeros(len(counts), dtype=np.int64)
    first[labels[::-1]] = np.arange(len(labels))[::-1]
    kept = np.flatnonzero(counts >= max(min_cells, 1))
    kept = kept[np.argsort(first[kept])]
    number = np.zeros(len(counts), dtype=np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return number[labels], len(kept)
