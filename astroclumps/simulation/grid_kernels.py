"""The loops over particles: cloud-in-cell in blocks of the grid, and the cells that hold particles.

Positions are (n, 3) in kpc; ``corner`` is the corner of cell (0, 0, 0) in the same frame. A particle's cloud is as large as a cell. It
reaches into eight cells; a particle counts if all of them lie in the grid.
"""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["BLOCK", "add_blocks", "count_blocks", "fill_blocks", "labels_of"]

BLOCK = 32
"""Side of a block in cells; its sums, in double precision, fit a core's cache."""

_BITS = 5
_FRACTION = 25  # bits of a place in a block, behind six for the cell
_UNIT = float(1 << _FRACTION)


@compiled
def _whole(i, j, k):
    """Whether the eight cells that begin with (i, j, k) lie in one block."""
    return (i & (BLOCK - 1)) < BLOCK - 1 and (j & (BLOCK - 1)) < BLOCK - 1 and (k & (BLOCK - 1)) < BLOCK - 1


@compiled
def count_blocks(position, use, low, high, corner, cell, shape, first, last, counts):
    """Count the particles of rows low to high in each block of the layers first to last along x.

    Returns how many of the particles that are used lie outside the grid.
    """
    scale = 1.0 / cell
    nx, ny, nz = shape
    by, bz = (ny + BLOCK - 1) >> _BITS, (nz + BLOCK - 1) >> _BITS
    x0, y0, z0 = corner[0], corner[1], corner[2]
    outside = 0
    for p in range(low, high):
        if not use[p]:
            continue
        x = (position[p, 0] - x0) * scale - 0.5
        y = (position[p, 1] - y0) * scale - 0.5
        z = (position[p, 2] - z0) * scale - 0.5
        if not (x >= 0.0 and y >= 0.0 and z >= 0.0 and x < nx - 1 and y < ny - 1 and z < nz - 1):
            outside += 1
            continue
        i, j, k = np.int64(x), np.int64(y), np.int64(z)
        a = i >> _BITS
        if _whole(i, j, k):
            if a >= first and a <= last:
                counts[((a - first) * by + (j >> _BITS)) * bz + (k >> _BITS)] += 1
            continue
        for a in range(max(i >> _BITS, first), min((i + 1) >> _BITS, last) + 1):
            for b in range(j >> _BITS, ((j + 1) >> _BITS) + 1):
                for c in range(k >> _BITS, ((k + 1) >> _BITS) + 1):
                    counts[((a - first) * by + b) * bz + c] += 1
    return outside


@compiled
def _put(at, block, places, masses, x, y, z, mass):
    """Write a particle that lies (x, y, z) cells from the beginning of the cell before the block."""
    s = at[block]
    at[block] = s + 1
    places[s, 0] = np.int32(x * _UNIT)
    places[s, 1] = np.int32(y * _UNIT)
    places[s, 2] = np.int32(z * _UNIT)
    masses[s] = mass


@compiled
def fill_blocks(position, mass, use, low, high, corner, cell, shape, first, last, at, places, masses):
    """Write place in the block and mass of the particles of rows low to high, block by block; ``at`` are the next free rows.

    Places count from one cell before the block, so that a cloud which hangs over its rim has no negative cells; they are whole numbers,
    2^25 to a cell, so that a cloud which lies in two blocks has the same parts in both.
    """
    scale = 1.0 / cell
    nx, ny, nz = shape
    by, bz = (ny + BLOCK - 1) >> _BITS, (nz + BLOCK - 1) >> _BITS
    x0, y0, z0 = corner[0], corner[1], corner[2]
    for p in range(low, high):
        if not use[p]:
            continue
        x = (position[p, 0] - x0) * scale - 0.5
        y = (position[p, 1] - y0) * scale - 0.5
        z = (position[p, 2] - z0) * scale - 0.5
        if not (x >= 0.0 and y >= 0.0 and z >= 0.0 and x < nx - 1 and y < ny - 1 and z < nz - 1):
            continue
        i, j, k = np.int64(x), np.int64(y), np.int64(z)
        a, b, c = i >> _BITS, j >> _BITS, k >> _BITS
        if _whole(i, j, k):
            if a >= first and a <= last:
                block = ((a - first) * by + b) * bz + c
                _put(at, block, places, masses, x - (a * BLOCK - 1), y - (b * BLOCK - 1), z - (c * BLOCK - 1), mass[p])
            continue
        for a in range(max(i >> _BITS, first), min((i + 1) >> _BITS, last) + 1):
            for b in range(j >> _BITS, ((j + 1) >> _BITS) + 1):
                for c in range(k >> _BITS, ((k + 1) >> _BITS) + 1):
                    block = ((a - first) * by + b) * bz + c
                    _put(at, block, places, masses, x - (a * BLOCK - 1), y - (b * BLOCK - 1), z - (c * BLOCK - 1), mass[p])


@compiled
def _add_clouds(places, masses, low, high, sums):
    for s in range(low, high):
        x, y, z, m = np.int64(places[s, 0]), np.int64(places[s, 1]), np.int64(places[s, 2]), np.float64(masses[s])
        i, j, k = x >> _FRACTION, y >> _FRACTION, z >> _FRACTION
        fx, fy, fz = (x - (i << _FRACTION)) / _UNIT, (y - (j << _FRACTION)) / _UNIT, (z - (k << _FRACTION)) / _UNIT
        gx, gy, gz = m * (1.0 - fx), 1.0 - fy, 1.0 - fz
        fx *= m
        row = sums[i, j]
        row[k] += gx * gy * gz
        row[k + 1] += gx * gy * fz
        row = sums[i, j + 1]
        row[k] += gx * fy * gz
        row[k + 1] += gx * fy * fz
        row = sums[i + 1, j]
        row[k] += fx * gy * gz
        row[k + 1] += fx * gy * fz
        row = sums[i + 1, j + 1]
        row[k] += fx * fy * gz
        row[k + 1] += fx * fy * fz


@compiled
def add_blocks(places, masses, starts, low, high, sums, field):
    """Add the clouds of blocks low to high to the field; ``sums`` is scratch of shape (BLOCK + 3,) * 3, float64.

    The field's first plane is that of the first layer of blocks.
    """
    nx, ny, nz = field.shape
    by, bz = (ny + BLOCK - 1) >> _BITS, (nz + BLOCK - 1) >> _BITS
    for q in range(low, high):
        if starts[q] == starts[q + 1]:
            continue
        sums[:] = 0.0
        _add_clouds(places, masses, starts[q], starts[q + 1], sums)
        x0, y0, z0 = (q // (by * bz)) << _BITS, ((q // bz) % by) << _BITS, (q % bz) << _BITS
        n = min(BLOCK, nz - z0)
        for i in range(min(BLOCK, nx - x0)):
            for j in range(min(BLOCK, ny - y0)):
                row, added = field[x0 + i, y0 + j, z0 : z0 + n], sums[i + 1, j + 1, 1 : n + 1]
                for k in range(n):
                    row[k] += np.float32(added[k])


@compiled
def labels_of(position, low, high, corner, cell, shape, columns, heights, labels, out):
    """Label of the cell that holds each particle of rows low to high, 0 for none; ``out`` has high - low entries.

    The labelled cells are sorted: those of column (i, j) are rows ``columns[i * ny + j]`` to ``columns[i * ny + j + 1]`` of ``heights``
    (their third index) and ``labels``.
    """
    scale = 1.0 / cell
    nx, ny, nz = shape
    for p in range(low, high):
        out[p - low] = 0
        x = (position[p, 0] - corner[0]) * scale
        y = (position[p, 1] - corner[1]) * scale
        z = (position[p, 2] - corner[2]) * scale
        if not (x >= 0.0 and y >= 0.0 and z >= 0.0 and x < nx and y < ny and z < nz):
            continue
        column = np.int64(x) * ny + np.int64(y)
        first, last = columns[column], columns[column + 1]
        if first == last:
            continue
        k = np.int64(z)
        while first < last:
            middle = (first + last) >> 1
            if heights[middle] < k:
                first = middle + 1
            else:
                last = middle
        if first < columns[column + 1] and heights[first] == k:
            out[p - low] = labels[first]
