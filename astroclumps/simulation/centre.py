"""Where a galaxy is, how it moves, and how far its halo reaches, measured from its particles."""

import math

import numpy as np

__all__ = ["bulk_velocity", "shrinking_sphere", "virial_radius"]

_SHRINK = 0.8  # radius of a sphere over that of the one before
_LEAST = 100  # elements in the last sphere
_LEAST_PART = 0.01  # of all elements, in the last sphere
_FIRST = 2.0  # radius of the first sphere over the root of the mean square distance
_SORTED, _BINS = 100_000, 4096  # values that are sorted at once, and bins for more


def shrinking_sphere(position: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Centre of the densest structure, by spheres that shrink about their own centre of mass (Power et al. 2003).

    Parameters
    ----------
    position : array, shape (n, 3)
        Positions, in any unit.
    mass : array, shape (n,)
        Masses, in any unit.

    Returns
    -------
    centre : float64 array, shape (3,)
        Centre of mass of the last sphere that holds at least 100 elements and 1% of all of them (all, where there are fewer).

    Notes
    -----
    The first sphere has twice the root of the mean square distance, each one after it 0.8 times the radius of the one before. These
    numbers are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.centre import shrinking_sphere
    >>> rng = np.random.default_rng(1)
    >>> cluster = rng.normal(5, 0.1, (1000, 3))
    >>> field = rng.uniform(-50, 50, (200, 3))
    >>> shrinking_sphere(np.vstack([cluster, field]), np.ones(1200)).round(1)
    array([5., 5., 5.])
    """
    from .disc_kernels import inside_sphere, sphere_sums

    if not len(mass):
        raise ValueError("a centre needs at least one element, got none")
    if not np.any(mass):
        mass = np.ones(len(mass))
    least = max(_LEAST, math.ceil(_LEAST_PART * len(mass)))
    centre = np.array(position[0], dtype=float)
    n, total, *offset, _, _ = sphere_sums(position, mass, centre, np.inf)
    centre += np.array(offset) / total
    n, total, *_, second, far = sphere_sums(position, mass, centre, np.inf)
    radius = min(math.sqrt(far), _FIRST * math.sqrt(second / total))
    while True:
        n, total, *offset, _, _ = sphere_sums(position, mass, centre, radius**2)
        if n < least or total == 0:
            return centre
        if n < 0.7 * len(mass):  # leave the rest behind
            inside = inside_sphere(position, centre, radius**2)
            position, mass = position[inside], mass[inside]
        centre = centre + np.array(offset) / total
        radius *= _SHRINK


def bulk_velocity(position: np.ndarray, velocity: np.ndarray, mass: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Mass-weighted mean velocity inside half of the mass around a centre.

    Parameters
    ----------
    position, velocity : array, shape (n, 3)
        Positions and velocities, in any unit.
    mass : array, shape (n,)
        Masses.
    centre : array, shape (3,)
        The galaxy's centre.
    radius : float
        Elements further away than this are left out; the nearest element of all is always kept.

    Returns
    -------
    velocity : float64 array, shape (3,)
    """
    distance2 = _distance2(position, centre)
    inside = distance2 <= max(radius**2, float(distance2.min()))
    inner = inside & (distance2 <= weighted_quantile(distance2[inside], mass[inside], 0.5))
    return _mean(velocity[inner], mass[inner])


def virial_radius(distance: np.ndarray, mass: np.ndarray, mean_density: float) -> float | None:
    """Largest radius inside which the mean density is at least a given one.

    Parameters
    ----------
    distance : array, shape (n,)
        Distances from the centre.
    mass : array, shape (n,)
        Masses.
    mean_density : float
        In the units of the other two, such as Msun/kpc3.

    Returns
    -------
    radius : float or None
        None where even the outermost element lies inside such a sphere, so that the edge is not in the data, or none does.
    """
    order = np.argsort(distance)
    distance = np.asarray(distance, dtype=float)[order]
    enclosed = np.cumsum(np.asarray(mass, dtype=float)[order])
    dense = enclosed >= 4 * math.pi / 3 * mean_density * distance**3
    if not dense.any() or dense[-1]:
        return None
    last = np.flatnonzero(dense)[-1]
    return float((enclosed[last] / (4 * math.pi / 3 * mean_density)) ** (1 / 3))


def weighted_quantile(values, weights, part):
    """Smallest value up to which at least ``part`` of the weight lies; no weight: the largest value.

    Many values are counted in bins first, and only those of one bin are sorted.
    """
    from .disc_kernels import weight_in_bins

    target, below = part * float(np.sum(weights, dtype=float)), 0.0
    while len(values) > _SORTED:
        low, high = float(values.min()), float(values.max())
        if not high > low:
            return high
        scale = _BINS / (high - low)
        cumulative = np.cumsum(weight_in_bins(values, weights, low, scale, _BINS))
        chosen = min(int(np.searchsorted(cumulative, (target - below) * (1 - 1e-12))), _BINS - 1)
        if chosen:
            below += float(cumulative[chosen - 1])
        inside = np.minimum((values - low) * scale, _BINS - 1).astype(np.int32) == chosen
        if inside.all():
            break
        values, weights = values[inside], weights[inside]
    order = np.argsort(values)
    cumulative = below + np.cumsum(np.asarray(weights, dtype=float)[order])
    row = int(np.searchsorted(cumulative, target * (1 - 1e-12)))
    return float(values[order[min(row, len(values) - 1)]])


def _mean(values, weights):
    total = float(np.sum(weights, dtype=float))
    if total > 0:
        return np.einsum("ij,i->j", values, weights, dtype=float) / total
    return np.mean(values, axis=0, dtype=float)


def _distance2(position, centre):
    relative = position - np.asarray(centre, dtype=position.dtype if position.dtype.kind == "f" else float)
    return np.einsum("ij,ij->i", relative, relative)
