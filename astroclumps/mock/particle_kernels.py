"""The loops over particles of mock images: light of populations, metal columns, and the drawing of dimmed light on grids."""

import numpy as np

from astroclumps.jit import compiled

__all__ = ["DEPTHS", "columns_in_front", "deposit_light", "particle_flux", "spread", "transmission_table"]

DEPTHS = 4096
"""Steps of depth in which stars and gas are sorted; a star does not see the gas of its own step."""

_LN_PER_MAG = 0.4 * np.log(10.0)
_FIRST, _STEPS = np.log(1e-4), 32.0  # of the tables of transmission: smallest optical depth, steps in a unit of its logarithm


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
def _projected(position, rotation, cell, corner, out):
    """Columns (x, y; 0 is the middle of the first) and depths of positions; the least and the largest depth."""
    low, high = np.inf, -np.inf
    for i in range(position.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        out[i, 0] = (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz - corner[0]) / cell - 0.5
        out[i, 1] = (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz - corner[1]) / cell - 0.5
        z = rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz
        out[i, 2] = z
        low, high = min(low, z), max(high, z)
    return low, high


@compiled
def _sorted_by_depth(places, low, step, last):
    """Rows in the order of steps of depth from 0 to the last, and where each step begins."""
    first = np.zeros(last + 2, dtype=np.int64)
    step_of = np.empty(places.shape[0], dtype=np.int64)
    for i in range(places.shape[0]):
        k = np.int64(min(max(np.ceil((places[i, 2] - low) / step), 0.0), np.float64(last)))
        step_of[i] = k
        first[k + 1] += 1
    for k in range(last + 1):
        first[k + 1] += first[k]
    rows = np.empty(places.shape[0], dtype=np.int64)
    free = first[:-1].copy()
    for i in range(places.shape[0]):
        rows[free[step_of[i]]] = i
        free[step_of[i]] += 1
    return rows, first


@compiled
def spread(x, y, mass, reach, column):
    """Add a disc of density (1 - r^2/R^2)^2 to a map; R is at least 0.71 cells, so that the centre of a cell lies inside.

    Parameters
    ----------
    x, y, reach : float
        Middle and R in cells; (0, 0) is the middle of the first.
    mass : float
        Sum over all cells, also those outside the map; from R = 3 on to 0.5%, else exactly.
    column : ndarray of float, shape (y, x)
        Added to.
    """
    ny, nx = column.shape
    x0, x1 = np.int64(np.ceil(x - reach)), np.int64(np.floor(x + reach))
    y0, y1 = np.int64(np.ceil(y - reach)), np.int64(np.floor(y + reach))
    if x1 < 0 or y1 < 0 or x0 >= nx or y0 >= ny:
        return
    inverse = 1.0 / (reach * reach)
    total = np.pi * reach * reach / 3.0  # the integral
    if reach < 3.0:
        total = 0.0
        for r in range(y0, y1 + 1):
            rest = 1.0 - (r - y) ** 2 * inverse
            for c in range(x0, x1 + 1):
                t = max(rest - (c - x) ** 2 * inverse, 0.0)
                total += t * t
    scale = mass / total
    left, right = max(x0, 0), min(x1, nx - 1) + 1
    for r in range(max(y0, 0), min(y1, ny - 1) + 1):
        rest = 1.0 - (r - y) ** 2 * inverse
        goal = column[r, left:right]
        for i in range(right - left):
            t = max(rest - (left + i - x) ** 2 * inverse, 0.0)
            goal[i] += scale * t * t


@compiled
def _bilinear(column, x, y):
    """Value of a map between its cells; cells outside count as 0."""
    ny, nx = column.shape
    if not (x > -1 and y > -1 and x < nx and y < ny):
        return 0.0
    c, r = np.int64(np.floor(x)), np.int64(np.floor(y))
    fx, fy = x - c, y - r
    total = 0.0
    for dy in range(2):
        for dx in range(2):
            if 0 <= r + dy < ny and 0 <= c + dx < nx:
                total += (fy if dy else 1 - fy) * (fx if dx else 1 - fx) * column[r + dy, c + dx]
    return total


@compiled
def columns_in_front(stars, gas, metals, radius, rotation, cell, n, out):
    """Metals in front of each star: stars and gas are taken in the order of depth, gas is added to a map of columns, stars read it.

    Parameters
    ----------
    stars, gas : ndarray, shapes (n_star, 3) and (n_gas, 3)
        Positions in kpc, relative to the middle.
    metals, radius : ndarray, shape (n_gas,)
        Msun; radius in kpc of the disc that an element is spread over, at least a cell.
    rotation : ndarray, shape (3, 3)
        Rows are the camera's axes; the third points away from the observer.
    cell : float
        Side of a column, kpc.
    n : int
        Columns on a side of the map.
    out : ndarray of float32, shape (n_star,)
        Filled, Msun in a column; 0 outside the map.
    """
    corner = (-0.5 * n * cell, -0.5 * n * cell)
    gas_places = np.empty((gas.shape[0], 3), dtype=np.float32)
    star_places = np.empty((stars.shape[0], 3), dtype=np.float32)
    low, high = _projected(gas, rotation, cell, corner, gas_places)
    _projected(stars, rotation, cell, corner, star_places)
    step = max((high - low) / DEPTHS, 1e-6)
    gas_rows, gas_first = _sorted_by_depth(gas_places, low, step, DEPTHS)
    star_rows, star_first = _sorted_by_depth(star_places, low, step, DEPTHS + 1)  # one more, behind all gas
    column = np.zeros((n, n))
    for k in range(DEPTHS + 2):
        for j in range(star_first[k], star_first[k + 1]):
            i = star_rows[j]
            out[i] = _bilinear(column, star_places[i, 0], star_places[i, 1])
        if k > DEPTHS:
            break
        for j in range(gas_first[k], gas_first[k + 1]):
            i = gas_rows[j]
            spread(gas_places[i, 0], gas_places[i, 1], metals[i], max(radius[i] / cell, 1.0), column)


def transmission_table(scatter):
    """Light that comes through dust whose column scatters lognormally about its mean.

    Parameters
    ----------
    scatter : float
        Standard deviation of the natural logarithm of the column; 0: all columns are the mean.

    Returns
    -------
    transmission : ndarray of float, shape (n,)
        For mean optical depths from 1e-4 to 1e5, 32 in a unit of the natural logarithm.
    """
    depth = np.exp(_FIRST + np.arange(int(np.log(1e9) * _STEPS) + 1) / _STEPS)
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    columns = np.exp(scatter * nodes - scatter**2 / 2)
    return np.exp(-np.multiply.outer(depth, columns)) @ (weights / weights.sum())


@compiled
def _dimmed(transmission, place):
    """Transmission at a place in its table; 1 before its beginning, the last value behind its end."""
    if not place > 0:
        return 1.0
    last = transmission.shape[0] - 1
    if place >= last:
        return transmission[last]
    i = np.int64(place)
    return transmission[i] + (place - i) * (transmission[i + 1] - transmission[i])


@compiled
def deposit_light(position, flux, a_v, reddening, transmission, level, share, rotation, scale, middle, maps, light):
    """Draw dimmed light on the maps of two neighbouring kernel widths, as triangular clouds over three cells.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        kpc, relative to the middle.
    flux : ndarray of float32, shape (n, n_band)
        Without dust.
    a_v : ndarray of float32, shape (n,) or (0,)
        Extinction in V through the mean column, mag; of length 0 for no dust.
    reddening : ndarray, shape (n_band,)
        A(band) / A_V.
    transmission : ndarray, shape (n,)
        From `transmission_table`.
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
    maps : ndarray of float64, shape (n_level, y, x * n_band)
        Added to; the bands of a pixel lie side by side.
    light : ndarray of float32, shape (n, n_band) or (0, n_band)
        Filled with the dimmed flux of every particle, seen or not; of length 0 where that is not asked for.

    Returns
    -------
    outside : int
        Particles that do not lie on the grid.
    """
    n_band = reddening.shape[0]
    ny, nx = maps.shape[1], maps.shape[2] // n_band
    dusty, kept = a_v.shape[0] > 0, light.shape[0] > 0
    dimmed, shift, spread_out = np.empty(n_band), np.empty(n_band), np.empty(3 * n_band)
    for b in range(n_band):
        shift[b] = (np.log(max(_LN_PER_MAG * reddening[b], 1e-30)) - _FIRST) * _STEPS
    outside = 0
    for i in range(position.shape[0]):
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        x = (rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz) * scale + middle[0]
        y = (rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz) * scale + middle[1]
        seen = x >= 0.5 and y >= 0.5 and x < nx - 1.5 and y < ny - 1.5
        if not seen:
            outside += 1
            if not kept:
                continue
        dim = dusty and a_v[i] > 0
        place = np.log(np.float64(a_v[i])) * _STEPS if dim else 0.0
        for b in range(n_band):
            dimmed[b] = flux[i, b]
            if dim:
                dimmed[b] *= _dimmed(transmission, place + shift[b])
            if kept:
                light[i, b] = dimmed[b]
        if not seen:
            continue
        column, row = np.int64(x + 0.5), np.int64(y + 0.5)
        fx, fy = x - column, y - row
        across = (0.5 * (0.5 - fx) ** 2, 0.75 - fx * fx, 0.5 * (0.5 + fx) ** 2)
        along = (0.5 * (0.5 - fy) ** 2, 0.75 - fy * fy, 0.5 * (0.5 + fy) ** 2)
        for k in range(3):
            for b in range(n_band):
                spread_out[k * n_band + b] = across[k] * dimmed[b]
        wide = np.float64(share[i])
        for up in range(2):
            part = wide if up else 1.0 - wide
            if part == 0.0:
                continue
            for j in range(3):
                line, weight = maps[level[i] + up, row + j - 1], part * along[j]
                for k in range(3 * n_band):
                    line[(column - 1) * n_band + k] += weight * spread_out[k]
    return outside
