"""Density fluctuations: gas that gathers in a patch of an arm and lets go again within about a free-fall time."""

from typing import NamedTuple

import numpy as np

from .clumps import clump_masses, free_fall_time
from .evolution import Evolution

__all__ = ["Fluctuation", "make_fluctuations"]

_LOW, _HIGH = 10**6.3, 10**7.9  # Msun (ours)
_FEWEST = 12  # particles


class Fluctuation(NamedTuple):
    """One patch: members, where they are moved to, and what it is.

    Attributes
    ----------
    rows : ndarray of int
        Members.
    position : ndarray, shape (n, 3)
        Where they are at the time of the snapshot, kpc.
    mass, radius : float
        Msun, kpc.
    """

    rows: np.ndarray
    position: np.ndarray
    mass: float
    radius: float


def make_fluctuations(evolution: Evolution, t: float, mean: float) -> list[Fluctuation]:
    """Draw the fluctuations that a snapshot sees, and form their stars.

    Parameters
    ----------
    evolution : Evolution
    t : float
        Time of the snapshot, Gyr.
    mean : float
        Expected number.

    Returns
    -------
    list of Fluctuation
    """
    rng, disc, b = evolution.rng, evolution.disc, evolution.baryons
    rows, position, _, _ = evolution.free_gas(t)
    radius = np.hypot(position[:, 0], position[:, 1])
    fit = np.flatnonzero(b.thin[rows] & (radius > 0.1 * disc.r_d) & (radius < 0.85 * disc.r_d) & (abs(position[:, 2]) < 2 * disc.thin))
    taken = np.zeros(len(rows), dtype=bool)
    low = max(_LOW, _FEWEST * b.particle_mass)
    made = []
    for mass in clump_masses(rng, rng.poisson(mean), low=low, high=max(_HIGH, 4 * low)):
        if not len(fit):
            break
        centre = position[fit[rng.integers(len(fit))]]
        n = round(mass / b.particle_mass)
        size = 0.15 * (mass / 1e7) ** 0.33 * 10 ** rng.normal(0.05, 0.15)
        # the patch lies along the arm, and so does the volume that it draws from
        along = np.arctan2(centre[1], centre[0]) + np.pi / 2 - disc.pitch + rng.normal(0, 0.25)
        turn = np.array([[np.cos(along), np.sin(along), 0], [-np.sin(along), np.cos(along), 0], [0, 0, 1.0]])
        two, three = np.sort(rng.uniform(0.25, 0.8, 2))[::-1]
        axes = np.array([1.0, two, three]) / (two * three) ** (1 / 3)
        local = (position - centre) @ turn.T
        distance = np.sqrt(((local / axes) ** 2).sum(axis=1)) + np.where(taken, np.inf, 0)
        n = min(n, len(rows) // 4)
        near = np.argpartition(distance, n)[:n]
        reach = distance[near].max()
        if not np.isfinite(reach) or reach > 1.5:
            continue
        taken[near] = True
        # seen at any moment of its coming and going
        strength = np.exp(-0.5 * (rng.normal(0, 0.8)) ** 2)
        scale = 1 - strength * (1 - min(size / reach, 1.0))
        moved = centre + (local[near] * scale) @ turn
        made.append(Fluctuation(rows[near], moved, n * b.particle_mass, size))
        t_ff = float(free_fall_time(mass, size))
        if rng.random() < 0.6:
            share = 0.035 * rng.uniform(0.5, 5.0)
            new = rows[near][rng.random(n) < share]
            b.form_stars(new, t - rng.uniform(0, 1.5 * t_ff, len(new)), evolution.metallicity(new, t))
    return made
