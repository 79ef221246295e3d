"""The loops that look for empty sky and measure its noise."""

import numpy as np

from astroclumps.jit import compiled

from .kernels import median

__all__ = ["binned_stack", "clipped_scatter", "neighbour_products", "places"]


@compiled
def clipped_scatter(values):
    """Scatter of each row about its median, cut at 3 sigma, and the numbers of values that are not NaN; shapes (row,)."""
    scatter = np.full(values.shape[0], np.nan)
    numbers = np.zeros(values.shape[0], dtype=np.int64)
    work = np.empty(values.shape[1])
    for row in range(values.shape[0]):
        n = 0
        for value in values[row]:
            if not np.isnan(value):
                work[n] = value
                n += 1
        numbers[row] = n
        if n == 0:
            continue
        centre = median(work, n)
        for i in range(n):
            work[i] = abs(work[i] - centre)
        sigma = 1.4826 * median(work, n)  # of the median distance, for a normal distribution
        for _ in range(5):
            square, kept = 0.0, 0
            for i in range(n):
                if work[i] <= 3 * sigma:
                    square += work[i] ** 2
                    kept += 1
            sigma = np.sqrt(square / kept) / 0.9866  # the rms of a normal distribution cut at 3 sigma is 0.9866 of the whole
        scatter[row] = sigma
    return scatter, numbers


@compiled
def binned_stack(data, mask, scale, size):
    """Mean over bins of size x size pixels of the sum of ``scale * data`` over the bands; NaN where more than half of the pixels are bad.

    A pixel is bad if more than half of the bands with a scale above 0 are masked there, or all are exactly 0 (off the detector).
    ``bad`` has the shape of the image.
    """
    n_band, ny, nx = data.shape
    bins = np.full(((ny + size - 1) // size, (nx + size - 1) // size), np.nan, dtype=np.float32)
    bad = np.zeros((ny, nx), dtype=np.bool_)
    present = 0
    for b in range(n_band):
        present += scale[b] > 0
    for row in range(bins.shape[0]):
        for column in range(bins.shape[1]):
            total, good, all_pixels = 0.0, 0, 0
            for j in range(row * size, min(ny, (row + 1) * size)):
                for i in range(column * size, min(nx, (column + 1) * size)):
                    value, seen, zero = 0.0, 0, True
                    for b in range(n_band):
                        if scale[b] > 0 and not mask[b, j, i]:
                            value += scale[b] * data[b, j, i]
                            seen += 1
                            zero = zero and data[b, j, i] == 0
                    all_pixels += 1
                    if 2 * seen < present or seen == 0 or zero:
                        bad[j, i] = True
                    else:
                        total += value * np.sqrt(present / seen)
                        good += 1
            if 2 * good >= all_pixels and good > 0:
                bins[row, column] = total / good
    return bins, bad


@compiled
def places(free, rows, columns, dx, dy, clearance, separation, most):
    """Choose centres whose surroundings are free, in the order of the candidates; numbers of those chosen.

    A candidate is taken if every pixel within ``clearance`` is free and inside, and no centre within ``separation`` was taken before.
    """
    ny, nx = free.shape
    taken = np.zeros((ny, nx), dtype=np.bool_)
    chosen = np.empty(most, dtype=np.int64)
    n = 0
    reach, gap = int(np.ceil(clearance)), int(np.ceil(separation))
    for k in range(len(rows)):
        row, column = rows[k], columns[k]
        if n == most:
            break
        if taken[row, column] or not free[row, column]:
            continue
        if row < reach or column < reach or row + reach >= ny or column + reach >= nx:
            continue
        clear = True
        for j in range(-reach, reach + 1):
            for i in range(-reach, reach + 1):
                if (i - dx[k]) ** 2 + (j - dy[k]) ** 2 <= clearance * clearance and not free[row + j, column + i]:
                    clear = False
                    break
            if not clear:
                break
        if not clear:
            continue
        chosen[n] = k
        n += 1
        for j in range(max(0, row - gap), min(ny, row + gap + 1)):
            for i in range(max(0, column - gap), min(nx, column + gap + 1)):
                if (i - column) ** 2 + (j - row) ** 2 < separation * separation:
                    taken[j, i] = True
    return chosen[:n]


@compiled
def neighbour_products(data, mask, x, y, radius, background):
    """Sums of squares and of products of neighbouring pixels in circles, each with the number of terms, shape (band, 4)."""
    n_band, ny, nx = data.shape
    sums = np.zeros((n_band, 4))
    for b in range(n_band):
        for k in range(len(x)):
            if not np.isfinite(background[b, k]):
                continue
            for j in range(max(0, int(np.ceil(y[k] - radius))), min(ny - 2, int(np.floor(y[k] + radius))) + 1):
                for i in range(max(0, int(np.ceil(x[k] - radius))), min(nx - 2, int(np.floor(x[k] + radius))) + 1):
                    if mask[b, j, i] or (i - x[k]) ** 2 + (j - y[k]) ** 2 > radius * radius:
                        continue
                    value = data[b, j, i] - background[b, k]
                    sums[b, 0] += value * value
                    sums[b, 1] += 1
                    if not mask[b, j, i + 1]:
                        sums[b, 2] += value * (data[b, j, i + 1] - background[b, k])
                        sums[b, 3] += 1
                    if not mask[b, j + 1, i]:
                        sums[b, 2] += value * (data[b, j + 1, i] - background[b, k])
                        sums[b, 3] += 1
    return sums
