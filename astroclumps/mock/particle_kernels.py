"""The loops over particles of mock images: light of populations, metal columns, and the drawing of dimmed light on grids."""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["columns_in_front", "deposit_light", "deposit_metals", "particle_flux"]

_LN_PER_MAG = 0.4 * np.log(10.0)


@compiled
def _lower(values, x):
    """Index of the lower neighbour of x in ascending values and the weight of the upper one; clamped at both ends."""
    last = values.shape[0] - 1
    if not x > values[0]:
        return 0, 0.0
    if x >= values[last]:
        return last - 1, 1.0
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) >> 1
        if values[middle] <= x:
            low = middle
        else:
            high = middle
    return low, (x - values[low]) / (values[low + 1] - values[low])


@compiled
def particle_flux(table, ages, metallicities, surviving, age, metallicity, mass, initial, out):
    """Flux of simple populations, interpolated in the logarithm of the age and in metallicity.

    Parameters
    ----------
    table : ndarray of float32, shape (n_metallicity, n_age, n_band)
        Flux per solar mass formed.
    ages : ndarray, shape (n_age,)
        log10 of the populations' ages in Gyr, ascending.
    metallicities : ndarray, shape (n_metallicity,)
        Ascending.
    surviving : ndarray, shape (n_metallicity, n_age)
        Part of the mass formed that is left.
    age, metallicity, mass : ndarray, shape (n,)
        Gyr, unit of ``metallicities``, Msun.
    initial : bool
        Whether ``mass`` is that at birth; else it is divided by what has survived.
    out : ndarray of float32, shape (n, n_band)
        Filled.
    """
    for i in range(age.shape[0]):
        z, rich = _lower(metallicities, metallicity[i])
        a, old = _lower(ages, np.log10(max(age[i], 1e-6)))
        w00, w01, w10, w11 = (1 - rich) * (1 - old), (1 - rich) * old, rich * (1 - old), rich * old
        formed = np.float64(mass[i])
        if not initial:
            formed /= w00 * surviving[z, a] + w01 * surviving[z, a + 1] + w10 * surviving[z + 1, a] + w11 * surviving[z + 1, a + 1]
        for b in range(table.shape[2]):
            light = w00 * table[z, a, b] + w01 * table[z, a + 1, b] + w10 * table[z + 1, a, b] + w11 * table[z + 1, a + 1, b]
            out[i, b] = formed * light


@compiled
def deposit_metals(position, metals, radius, rotation, cell, depth, corner, grid):
    """Spread metals over columns, as discs of density (1 - r^2/R^2)^2 in the plane of the sky, in one slice of depth each.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        kpc, relative to the middle.
    metals, radius : ndarray, shape (n,)
        Msun; R in kpc, at least a cell.
    rotation : ndarray, shape (3, 3)
        Rows are the camera's axes.
    cell, depth : float
        Side of a column and thickness of a slice, kpc.
    corner : tuple of float
        Corner of cell (0, 0, 0) along the camera's axes, kpc.
    grid : ndarray of float32, shape (y, x, n_slice)
        Added to, Msun. What lies before the first or behind the last slice is put into these.
    """
    ny, nx, nz = grid.shape
    for i in range(position.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        x = (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz - corner[0]) / cell - 0.5
        y = (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz - corner[1]) / cell - 0.5
        reach = radius[i] / cell
        if x < -reach or y < -reach or x > nx - 1 + reach or y > ny - 1 + reach:
            continue
        z = (rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz - corner[2]) / depth
        k = min(max(np.int64(np.floor(z)), 0), nz - 1)
        x0, x1 = np.int64(np.ceil(x - reach)), np.int64(np.floor(x + reach))
        y0, y1 = np.int64(np.ceil(y - reach)), np.int64(np.floor(y + reach))
        inverse = 1.0 / (reach * reach)
        total = 0.0
        for row in range(y0, y1 + 1):
            for column in range(x0, x1 + 1):
                t = 1.0 - ((column - x) ** 2 + (row - y) ** 2) * inverse
                if t > 0:
                    total += t * t
        scale = metals[i] / total
        for row in range(max(y0, 0), min(y1, ny - 1) + 1):
            for column in range(max(x0, 0), min(x1, nx - 1) + 1):
                t = 1.0 - ((column - x) ** 2 + (row - y) ** 2) * inverse
                if t > 0:
                    grid[row, column, k] += np.float32(scale * t * t)


@compiled
def columns_in_front(position, rotation, cell, depth, corner, summed, out):
    """Metals in front of each star, interpolated between four columns and along the depth.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        kpc, relative to the middle.
    rotation, cell, depth, corner
        As in `deposit_metals`.
    summed : ndarray of float32, shape (y, x, n_slice + 1)
        Sums of the slices from the observer on; the first is zero.
    out : ndarray of float32, shape (n,)
        Filled, in the unit of ``summed``.
    """
    ny, nx, nz = summed.shape[0], summed.shape[1], summed.shape[2] - 1
    for i in range(position.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        x = (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz - corner[0]) / cell - 0.5
        y = (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz - corner[1]) / cell - 0.5
        if not (x > -1 and y > -1 and x < nx and y < ny):
            out[i] = 0.0
            continue
        z = (rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz - corner[2]) / depth
        z = min(max(z, 0.0), np.float64(nz))
        k = min(np.int64(z), nz - 1)
        part = z - k
        column, row = np.int64(np.floor(x)), np.int64(np.floor(y))
        fx, fy = x - column, y - row
        total = 0.0
        for dy in range(2):
            for dx in range(2):
                r, c = row + dy, column + dx
                if r < 0 or c < 0 or r >= ny or c >= nx:
                    continue
                weight = (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
                total += weight * ((1 - part) * summed[r, c, k] + part * summed[r, c, k + 1])
        out[i] = total


@compiled
def deposit_light(position, flux, a_v, reddening, level, share, rotation, scale, middle, maps, light):
    """Draw dimmed light on the maps of two neighbouring kernel widths, by clouds in cells.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        kpc, relative to the middle.
    flux : ndarray of float32, shape (n, n_band)
        Without dust.
    a_v : ndarray of float32, shape (n,) or (0,)
        Attenuation in V, mag; of length 0 for no dust.
    reddening : ndarray, shape (n_band,)
        A(band) / A_V.
    level : ndarray of int8, shape (n,)
        Index of the narrower kernel.
    share : ndarray of float32, shape (n,)
        Part of the light in the wider one.
    rotation : ndarray, shape (3, 3)
        Rows are the camera's axes.
    scale : float
        Grid points per kpc.
    middle : tuple of float
        Coordinates (x, y) of the middle on the grid.
    maps : ndarray of float64, shape (n_level, y, x, n_band)
        Added to.
    light : ndarray of float32, shape (n, n_band) or (0, n_band)
        Filled with the dimmed flux of every particle, seen or not; of length 0 where that is not asked for.

    Returns
    -------
    outside : int
        Particles that do not lie on the grid.
    """
    ny, nx, n_band = maps.shape[1], maps.shape[2], maps.shape[3]
    dusty, kept = a_v.shape[0] > 0, light.shape[0] > 0
    dimmed = np.empty(n_band)
    outside = 0
    for i in range(position.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        x = (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz) * scale + middle[0]
        y = (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz) * scale + middle[1]
        seen = x >= 0 and y >= 0 and x < nx - 1 and y < ny - 1
        if not seen:
            outside += 1
            if not kept:
                continue
        for b in range(n_band):
            dimmed[b] = flux[i, b]
            if dusty:
                dimmed[b] *= np.exp(-_LN_PER_MAG * reddening[b] * a_v[i])
            if kept:
                light[i, b] = dimmed[b]
        if not seen:
            continue
        column, row = np.int64(x), np.int64(y)
        fx, fy = x - column, y - row
        first = level[i]
        wide = np.float64(share[i])
        for up in range(2):
            part = wide if up else 1.0 - wide
            if part == 0.0:
                continue
            w00, w01, w10, w11 = (1 - fy) * (1 - fx) * part, (1 - fy) * fx * part, fy * (1 - fx) * part, fy * fx * part
            plane = maps[first + up]
            for b in range(n_band):
                value = dimmed[b]
                plane[row, column, b] += w00 * value
                plane[row, column + 1, b] += w01 * value
                plane[row + 1, column, b] += w10 * value
                plane[row + 1, column + 1, b] += w11 * value
    return outside
