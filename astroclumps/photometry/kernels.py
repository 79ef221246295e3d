"""The loops of aperture photometry: exact overlap of circle and pixel, sums in all bands, medians of rings.

Positions are in pixels, (0, 0) is the centre of the first pixel; areas in pixels.
"""

import numpy as np

from astroclumps.jit import compiled

__all__ = [
    "AREA",
    "BACKGROUND",
    "CLEAN",
    "N_BACKGROUND",
    "N_FIELDS",
    "PSF_ALL",
    "PSF_BACKGROUND",
    "PSF_IN",
    "SUM",
    "VARIANCE",
    "aperture_sums",
    "circle_overlap",
    "discs",
    "median",
]

N_FIELDS = 9
SUM, AREA, BACKGROUND, N_BACKGROUND, CLEAN, PSF_IN, PSF_ALL, PSF_BACKGROUND, VARIANCE = range(N_FIELDS)


@compiled
def _quadrant(a, b, r):
    """Area inside a circle of radius r of the rectangle from its centre to the corner (a, b), with the sign of a * b."""
    sign = 1.0
    if a < 0:
        a, sign = -a, -sign
    if b < 0:
        b, sign = -b, -sign
    if a * a + b * b <= r * r:
        return sign * a * b
    a, b = min(a, r), min(b, r)
    # the circle leaves the rectangle through its upper side at x = c; from there to a it is the integral of sqrt(r^2 - x^2)
    c = np.sqrt(r * r - b * b)
    if c >= a:
        return sign * a * b
    upper = a * np.sqrt(r * r - a * a) + r * r * np.arcsin(a / r)
    lower = c * b + r * r * np.arcsin(c / r)
    return sign * (c * b + 0.5 * (upper - lower))


@compiled
def circle_overlap(x, y, r, x0, y0, weights, corners):
    """Fill ``weights`` (y, x) with the area of each pixel that lies in a circle; the first pixel is (x0, y0).

    ``corners`` is scratch space with one row and one column more.
    """
    ny, nx = weights.shape
    for j in range(ny + 1):
        for i in range(nx + 1):
            corners[j, i] = _quadrant(x0 + i - 0.5 - x, y0 + j - 0.5 - y, r)
    for j in range(ny):
        for i in range(nx):
            area = corners[j + 1, i + 1] - corners[j, i + 1] - corners[j + 1, i] + corners[j, i]
            weights[j, i] = area if area > 1e-12 else 0.0


@compiled
def median(values, n):
    """Median of the first n values, which are put into another order."""
    k = n // 2
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    if n % 2:
        return values[k]
    below = values[0]
    for i in range(1, k):
        below = max(below, values[i])
    return 0.5 * (below + values[k])


@compiled
def _ring(near, x, y, inner, outer, rows, columns):
    """Pixels whose centre lies inside a ring and on no source; how many."""
    ny, nx = near.shape
    n = 0
    for j in range(max(0, int(np.ceil(y - outer))), min(ny - 1, int(np.floor(y + outer))) + 1):
        for i in range(max(0, int(np.ceil(x - outer))), min(nx - 1, int(np.floor(x + outer))) + 1):
            d2 = (i - x) ** 2 + (j - y) ** 2
            if inner * inner < d2 < outer * outer and not near[j, i]:
                rows[n], columns[n] = j, i
                n += 1
    return n


@compiled
def _good(mask, band, rows, columns, n, kept):
    """Numbers of those of the first n pixels that are good in a band; how many."""
    m = 0
    for p in range(n):
        if not mask[band, rows[p], columns[p]]:
            kept[m] = p
            m += 1
    return m


@compiled
def _psf(table, band, v, u, fv, fu):
    """Bilinear value of a PSF table; 0 outside."""
    if v < 0 or u < 0 or v + 1 >= table.shape[1] or u + 1 >= table.shape[2]:
        return 0.0
    lower = (1 - fu) * table[band, v, u] + fu * table[band, v, u + 1]
    upper = (1 - fu) * table[band, v + 1, u] + fu * table[band, v + 1, u + 1]
    return (1 - fv) * lower + fv * upper


@compiled
def _clean(values, wings, n, work, total, area, light, background):
    """Median of a ring without the wings of the point source whose flux that very median gives: a root, by secants.

    ``total``, ``area`` and ``light`` are those of the aperture, the last for unit flux.
    """
    net = light - area * wings[:n].mean()
    if net < 0.02:
        return background
    flux, last, last_gap = (total - area * background) / net, 0.0, 0.0
    for step in range(12):
        for p in range(n):
            work[p] = values[p] - flux * wings[p]
        background = median(work, n)
        gap = (total - area * background) / light - flux
        if abs(gap) <= 1e-6 * abs(flux):
            break
        slope = (gap - last_gap) / (flux - last) if step > 0 else -net / light
        if not -1.5 < slope < -0.02:
            slope = -net / light
        last, last_gap = flux, gap
        flux -= gap / slope
    return background


@compiled
def aperture_sums(data, mask, sigma, near, x, y, radius, inner, outer, least, widest, table, oversampling):
    """Sum all bands in circles and take the median of the ring around each.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
    mask : ndarray of bool, shape (band, y, x)
    sigma : ndarray of float32, shape (band, y, x) or (0, 0, 0)
        Standard deviation of the pixels, if known.
    near : ndarray of bool, shape (y, x)
        Pixels that no background is taken from.
    x, y : ndarray of float, shape (n,)
        Centres.
    radius : float
        Of the circles.
    inner, outer : float
        Radii of the ring; no background is subtracted where ``outer`` is 0.
    least, widest : int, float
        The ring is widened by a pixel at a time until it holds ``least`` pixels or reaches ``widest``.
    table : ndarray of float, shape (band, v, u) or (0, 0, 0)
        Point-spread functions, see `astroclumps.photometry.correction`.
    oversampling : int
        Its samples per pixel.

    Returns
    -------
    fields : ndarray of float, shape (band, n, N_FIELDS)
        Sum over the good part of the circle; area of that part; background per pixel (NaN if there is none); pixels in the
        ring; the background without the light of a point source in the middle; for such a source of unit flux the sum in the
        good part and in the whole circle, and its mean in the ring; the mean square of sigma.
    inside : ndarray of float, shape (n,)
        Area of the circle that lies in the image.
    """
    n_band, ny, nx = data.shape
    n = len(x)
    fields = np.zeros((n_band, n, N_FIELDS))
    inside = np.zeros(n)
    half = int(np.ceil(radius + 0.5))
    side = 2 * half + 1
    weights = np.empty((side, side))
    corners = np.empty((side + 1, side + 1))
    size = (2 * int(np.ceil(widest)) + 2) ** 2
    rows, columns = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    wide_rows, wide_columns = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    kept = np.empty(size, dtype=np.int64)
    values, wings, work = np.empty(size), np.empty(size), np.empty(size)
    has_psf, has_sigma = table.shape[0] > 0, sigma.shape[0] > 0
    centre = (table.shape[1] - 1) // 2
    for k in range(n):
        fields[:, k, BACKGROUND] = fields[:, k, CLEAN] = np.nan
        if not (-half - 1 < x[k] < nx + half and -half - 1 < y[k] < ny + half):
            continue
        cx, cy = int(np.floor(x[k] + 0.5)), int(np.floor(y[k] + 0.5))
        x0, y0 = cx - half, cy - half
        circle_overlap(x[k], y[k], radius, x0, y0, weights, corners)
        first_i, last_i = max(0, -x0), min(side, nx - x0)
        first_j, last_j = max(0, -y0), min(side, ny - y0)
        for j in range(first_j, last_j):
            for i in range(first_i, last_i):
                inside[k] += weights[j, i]
        # all pixels lie at the same phase between the samples of the table
        u, v = (cx - x[k]) * oversampling + centre, (cy - y[k]) * oversampling + centre
        u0, v0 = int(np.floor(u)), int(np.floor(v))
        fu, fv = u - u0, v - v0
        n_ring = _ring(near, x[k], y[k], inner, outer, rows, columns) if outer > 0 else 0
        for b in range(n_band):
            total, area, psf_in, psf_all, square = 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(side):
                for i in range(side):
                    w = weights[j, i]
                    if w == 0:
                        continue
                    p = w * _psf(table, b, v0 + (j - half) * oversampling, u0 + (i - half) * oversampling, fv, fu) if has_psf else 0.0
                    psf_all += p
                    if j < first_j or j >= last_j or i < first_i or i >= last_i or mask[b, y0 + j, x0 + i]:
                        continue
                    area += w
                    psf_in += p
                    total += w * data[b, y0 + j, x0 + i]
                    if has_sigma:
                        square += w * float(sigma[b, y0 + j, x0 + i]) ** 2
            fields[b, k, SUM], fields[b, k, AREA] = total, area
            fields[b, k, PSF_IN], fields[b, k, PSF_ALL] = psf_in, psf_all
            fields[b, k, VARIANCE] = square / area if area > 0 else np.nan
            if not outer > 0:
                fields[b, k, BACKGROUND] = fields[b, k, CLEAN] = 0.0
                continue
            if area == 0:
                continue
            ring_rows, ring_columns, edge = rows, columns, outer
            m = _good(mask, b, rows, columns, n_ring, kept)
            while m < least and edge < widest:
                edge = min(edge + 1, widest)
                ring_rows, ring_columns = wide_rows, wide_columns
                m = _good(mask, b, wide_rows, wide_columns, _ring(near, x[k], y[k], inner, edge, wide_rows, wide_columns), kept)
            fields[b, k, N_BACKGROUND] = m
            if m < least:
                continue
            for p in range(m):
                values[p] = data[b, ring_rows[kept[p]], ring_columns[kept[p]]]
                work[p] = values[p]
            fields[b, k, BACKGROUND] = fields[b, k, CLEAN] = median(work, m)
            if has_psf:
                for p in range(m):
                    row, column = ring_rows[kept[p]] - cy, ring_columns[kept[p]] - cx
                    wings[p] = _psf(table, b, v0 + row * oversampling, u0 + column * oversampling, fv, fu)
                fields[b, k, PSF_BACKGROUND] = wings[:m].mean()
                fields[b, k, CLEAN] = _clean(values, wings, m, work, total, area, psf_in, fields[b, k, BACKGROUND])
    return fields, inside


@compiled
def discs(out, x, y, radius):
    """Set ``out`` (y, x) to True on all pixels whose centre lies within ``radius`` of one of the positions."""
    ny, nx = out.shape
    for k in range(len(x)):
        if not (-radius - 1 < x[k] < nx + radius and -radius - 1 < y[k] < ny + radius):
            continue
        for j in range(max(0, int(np.ceil(y[k] - radius))), min(ny - 1, int(np.floor(y[k] + radius))) + 1):
            for i in range(max(0, int(np.ceil(x[k] - radius))), min(nx - 1, int(np.floor(x[k] + radius))) + 1):
                if (i - x[k]) ** 2 + (j - y[k]) ** 2 <= radius * radius:
                    out[j, i] = True
