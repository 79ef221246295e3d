"""The loops over cells: products with banded matrices along one axis, and the comparison of a field with its background.

Sums run over rows in groups of four that begin at multiples of four, so that a field that comes in slabs gives the same bits.
"""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["CHUNK", "add_band_product", "dense_cells"]

CHUNK = 128
"""Cells of a row that are worked on at a time."""


@compiled
def _empty_rows(source, low, high, empty):
    """Fill ``empty`` with whether the part low to high of each row of ``source`` (n, b) is zero."""
    for r in range(len(source)):
        row = source[r, low:high]
        largest = np.float32(0)
        for q in range(high - low):
            largest = max(largest, row[q])
        empty[r] = largest == 0


@compiled
def _add_rows(weights, first, source, start, stop, low, high, empty, row):
    """Add to ``row`` the sum of weights[r - first] * source[r - start, low:high] over the rows r from first, inside start to stop."""
    n = high - low
    r = max(first, start)
    end = min(first + len(weights), stop)
    while r + 4 <= end:
        s, w = r - start, r - first
        if not (empty[s] and empty[s + 1] and empty[s + 2] and empty[s + 3]):
            a, b, c, d = source[s, low:high], source[s + 1, low:high], source[s + 2, low:high], source[s + 3, low:high]
            wa, wb, wc, wd = weights[w], weights[w + 1], weights[w + 2], weights[w + 3]
            for q in range(n):
                row[q] += (wa * a[q] + wb * b[q]) + (wc * c[q] + wd * d[q])
        r += 4
    while r < end:
        a, wa = source[r - start, low:high], weights[r - first]
        for q in range(n):
            row[q] += wa * a[q]
        r += 1


@compiled
def add_band_product(weights, first, source, start, low, high, out):
    """Add the product of a banded matrix with non-negative rows to the columns low to high of ``out``.

    out[i] += sum over t of weights[i, t] * rows[first[i] + t]; ``source`` (n, b) holds the rows from number ``start`` on.
    """
    n = len(source)
    empty = np.empty(n, dtype=np.bool_)
    for left in range(low, high, CHUNK):
        right = min(left + CHUNK, high)
        _empty_rows(source, left, right, empty)
        for i in range(len(out)):
            _add_rows(weights[i], first[i], source, start, start + n, left, right, empty, out[i, left:right])


@compiled
def _extent(row, low, high):
    """First and last entry between low and high that are not zero; the first is not below the last where there is none."""
    while low < high and row[low] == 0:
        low += 1
    while high > low and row[high - 1] == 0:
        high -= 1
    return low, high


@compiled
def dense_cells(fields, coarse, weights, first, start, low, high, margin, limit, cell, delta, stellar, density):
    """Write the cells of planes low to high whose mass exceeds ``limit`` times the background, in any of two fields.

    ``fields`` (2, n, ny, nz) begins with plane ``start``; ``coarse`` (2, m, ny, nz) gives the background by the banded matrix. Cells less
    than ``margin`` from the grid's end along y and z are left out. Returns how many there are, also where they are more than fit.
    """
    ny, nz = fields.shape[2:]
    full = np.zeros(coarse.shape[1], dtype=np.bool_)
    background = np.empty((2, nz), dtype=np.float32)
    found = 0
    for j in range(margin, ny - margin):
        for x in range(low, high):
            left, right = nz, 0
            for f in range(2):
                a, b = _extent(fields[f, x - start, j], margin, nz - margin)
                background[f, :] = np.float32(np.inf)
                if a < b:
                    background[f, a:b] = 0.0
                    _add_rows(weights[x], first[x], coarse[f, :, j], 0, coarse.shape[1], a, b, full, background[f, a:b])
                    left, right = min(left, a), max(right, b)
            if left >= right:
                continue
            cold, stars = fields[0, x - start, j], fields[1, x - start, j]
            many = 0
            for k in range(left, right):
                many += (cold[k] > limit * background[0, k]) | (stars[k] > limit * background[1, k])
            if many == 0:
                continue
            for k in range(left, right):
                if cold[k] > limit * background[0, k] or stars[k] > limit * background[1, k]:
                    if found < len(cell):
                        of_cold, of_stars = cold[k] / background[0, k], stars[k] / background[1, k]
                        cell[found] = (np.int64(x) * ny + j) * nz + k
                        delta[found] = max(of_cold, of_stars) - np.float32(1)
                        stellar[found] = of_stars > of_cold
                        density[found] = max(cold[k], stars[k])
                    found += 1
    return found
