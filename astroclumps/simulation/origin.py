"""Where clumps come from: the bulge, clumps born in the disc, and galaxies that fell in.

Plain arrays: kpc and Msun, relative to the galaxy's centre.
"""

from typing import NamedTuple

import numpy as np

from .grid import Grid, deposit

__all__ = ["BULGE_CELLS", "CHANCE", "DarkContrast", "classify", "dark_contrast"]

BULGE_CELLS = 2
"""A clump within so many cells of the galaxy's centre is its bulge (G21 3.1.3)."""

CHANCE = 1e-3
"""Ours: a dark-matter overdensity that chance gives more often than this does not make a clump ex situ."""

_FINE = 4  # cells of the coarse grid in one sigma of the background
_MOST_CELLS = 2e7
_REACH = 4.5  # sigma of the background around the clumps


class DarkContrast(NamedTuple):
    """Dark matter in clumps against its surroundings.

    Parameters
    ----------
    delta : float64 array, shape (n,)
        Mean density in the cells over the mean of the smoothed density there, less 1; NaN where there is none around.
    chance : float64 array, shape (n,)
        Probability of as many particles or more, were the density the smoothed one (Poisson); NaN where ``delta`` is.
    """

    delta: np.ndarray
    chance: np.ndarray


def dark_contrast(
    position: np.ndarray,
    mass: np.ndarray,
    row: np.ndarray,
    label: np.ndarray,
    cells: np.ndarray,
    cell_label: np.ndarray,
    n: int,
    *,
    cell: float,
    fwhm: float,
    centre: np.ndarray = (0.0, 0.0, 0.0),
) -> DarkContrast:
    """Overdensity of dark matter in clumps, above the background of the finder's Gaussian.

    The background is measured on a grid of a quarter of the Gaussian's sigma around the clumps; the Gaussian is narrowed by the width of
    the cloud-in-cell and of the interpolation between cells, so that the sum has the variance asked for.

    Parameters
    ----------
    position : array, shape (k, 3)
        All dark-matter particles, kpc, in the box.
    mass : array, shape (k,)
        Their masses, Msun.
    row, label : int arrays, shape (j,)
        Particles inside clumps: row and clump, 0 to n - 1.
    cells : array, shape (m, 3)
        Centres of the clumps' cells, kpc, relative to ``centre``.
    cell_label : int array, shape (m,)
        Clump of each cell, 0 to n - 1.
    n : int
        Number of clumps.
    cell : float
        Side of a cell, kpc.
    fwhm : float
        Full width at half maximum of the background's Gaussian, kpc.
    centre : array, shape (3,), default the origin
        The galaxy's centre in the box, kpc.

    Returns
    -------
    `DarkContrast`
    """
    from scipy.ndimage import gaussian_filter, map_coordinates
    from scipy.special import gammainc

    if not len(cells) or not len(mass):
        return DarkContrast(np.full(n, np.nan), np.full(n, np.nan))
    sigma = fwhm / np.sqrt(8 * np.log(2))
    low, high = cells.min(axis=0) - _REACH * sigma, cells.max(axis=0) + _REACH * sigma
    step = max(sigma / _FINE, (np.prod(high - low) / _MOST_CELLS) ** (1 / 3))
    low = low - step
    shape = tuple(int(size) for size in np.ceil((high - low) / step) + 2)
    field = deposit(position, mass, Grid(origin=low, cell=step, shape=shape), centre=centre).field
    narrowed = np.sqrt(max(sigma**2 - step**2 / 3, 0)) / step  # cloud-in-cell and interpolation each add step^2 / 6
    field = gaussian_filter(field, narrowed, mode="constant", truncate=5)
    around = map_coordinates(field, ((cells - low) / step - 0.5).T, order=1) / step**3
    number = np.bincount(cell_label, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        background = np.bincount(cell_label, around, n) / number
        volume = number * cell**3
        inside = np.asarray(mass, dtype=float)[row]
        held = np.bincount(label, inside, n)
        delta = np.where(background > 0, held / volume / background - 1, np.nan)
        one = np.bincount(label, inside**2, n) / held  # mass that a particle stands for
    one = np.where(held > 0, one, np.sum(mass, dtype=float) / len(mass))
    expected = np.where(background > 0, background * volume / one, np.nan)
    found = held / one
    chance = np.where(found > 0, gammainc(np.maximum(found, 1e-9), expected), 1.0)
    return DarkContrast(delta, np.where(np.isfinite(delta), chance, np.nan))


def classify(
    distance: np.ndarray,
    peak_distance: np.ndarray,
    nearest: np.ndarray,
    contrast: "DarkContrast | None",
    *,
    cell: float,
    ex_situ_overdensity: float = 0.5,
) -> np.ndarray:
    """Bulge, in situ or ex situ.

    Parameters
    ----------
    distance, peak_distance : arrays, shape (n,)
        Distance of the centre of mass, and of the densest cell, from the galaxy's centre, kpc. Either within 2 cells makes the bulge
        (G21 3.1.3 has the centre only; the densest cell is ours).
    nearest : array, shape (n,)
        Distance of the nearest cell, kpc. Within one cell makes the bulge as well (ours): the galaxy's core can join an arm, which moves
        the centre of mass, and the arm can hold the densest cell.
    contrast : `DarkContrast` or None
        None where the snapshot has no dark matter: all others are then in situ.
    cell : float
        Side of a cell, kpc.
    ex_situ_overdensity : float, default 0.5
        Dark-matter overdensity above which a clump fell in (ours; G21 3.1.3 gives no number). Its chance must be below `CHANCE` as well.

    Returns
    -------
    origin : str array, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.origin import DarkContrast, classify
    >>> dark = DarkContrast(np.array([9.0, 0.1, 3.0, 3.0]), np.array([0.0, 0.4, 1e-9, 0.2]))
    >>> distance = np.array([0.1, 4, 4, 4])
    >>> classify(distance, distance, distance, dark, cell=0.07).tolist()
    ['bulge', 'in situ', 'ex situ', 'in situ']
    """
    near = BULGE_CELLS * cell
    bulge = (np.asarray(distance) <= near) | (np.asarray(peak_distance) <= near) | (np.asarray(nearest) <= cell)
    fell = np.zeros(len(bulge), dtype=bool)
    if contrast is not None:
        fell = (contrast.delta > ex_situ_overdensity) & (contrast.chance < CHANCE)
    return np.where(bulge, "bulge", np.where(fell, "ex situ", "in situ")).astype("U16")
