"""The finder of clumps in three dimensions again: slow, obvious, in double precision, with NumPy and SciPy only."""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from scipy import ndimage

SHARED_SIDES = {6: 1, 18: 2, 26: 3}


class Reference(NamedTuple):
    """Labels and overdensity of all cells, and sums over the elements in the cells of each region."""

    labels: np.ndarray
    delta: np.ndarray
    star_labels: np.ndarray
    n_cells: np.ndarray
    n_stars: np.ndarray
    n_gas: np.ndarray
    mass_gas: np.ndarray
    mass_stars: np.ndarray


def cloud_in_cell(position, mass, origin, cell, shape):
    """Mass in each cell; particles whose cloud hangs over the grid's rim are left out."""
    field = np.zeros(shape)
    place = (np.asarray(position, dtype=float) - origin) / cell - 0.5
    first = np.floor(place).astype(int)
    inside = np.all((first >= 0) & (first + 1 < np.array(shape)), axis=1)
    place, first, mass = place[inside], first[inside], np.asarray(mass, dtype=float)[inside]
    share = place - first
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, 1 - share), axis=1)
        np.add.at(field, tuple((first + corner).T), mass * weight)
    return field


def overdensity(field, sigma):
    """Density over that smoothed with a Gaussian, less 1; -1 where there is none. Nothing lies outside the field."""
    smooth = ndimage.gaussian_filter(field, sigma, mode="constant", truncate=7)
    return np.divide(field, smooth, out=np.zeros_like(field), where=field > 0) - 1


def in_cells(labels, position, origin, cell):
    """Label of the cell that each particle lies in."""
    index = np.floor((np.asarray(position, dtype=float) - origin) / cell).astype(int)
    inside = np.all((index >= 0) & (index < np.array(labels.shape)), axis=1)
    found = np.zeros(len(position), dtype=int)
    found[inside] = labels[tuple(index[inside].T)]
    return found


def in_cylinder(snapshot, grid, cell, extent):
    """Whether a cell lies in the cylinder of so many R_d and H_d."""
    place = grid.origin + (np.array(cell) + 0.5) * grid.cell
    height = place @ snapshot.disc.axis
    radius = np.linalg.norm(place - height * snapshot.disc.axis)
    return radius <= extent[0] * snapshot.disc.r_d.to_value(u.kpc) and abs(height) <= extent[1] * snapshot.disc.h_d.to_value(u.kpc)


def find(snapshot, grid, *, fwhm, connectivity=6, overdensity_limit=10.0, min_cells=8, extent=(1.0, 3.0)):
    """Regions in the order of their first cells; ``fwhm`` in kpc."""
    stars, gas = snapshot.stars, snapshot.gas
    centre = snapshot.centre.to_value(u.kpc)
    young = stars["age"] < 100 * u.Myr
    cold = gas["temperature"] < 1.5e4 * u.K
    where = (grid.origin + centre, grid.cell)
    star_position, gas_position = (table["position"].to_value(u.kpc) for table in (stars, gas))
    star_mass, gas_mass = (table["mass"].to_value(u.Msun) for table in (stars, gas))
    cold_field = cloud_in_cell(gas_position[cold], gas_mass[cold], *where, grid.shape)
    cold_field += cloud_in_cell(star_position[young], star_mass[young], *where, grid.shape)
    star_field = cloud_in_cell(star_position, star_mass, *where, grid.shape)
    sigma = fwhm / np.sqrt(8 * np.log(2)) / grid.cell
    delta = np.maximum(overdensity(cold_field, sigma), overdensity(star_field, sigma))
    searched = np.zeros(grid.shape, dtype=bool)
    searched[(slice(grid.margin, -grid.margin or None),) * 3] = True
    structure = ndimage.generate_binary_structure(3, SHARED_SIDES[connectivity])
    labels, n = ndimage.label(searched & (delta > overdensity_limit), structure)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    large = [one for one in range(1, n + 1) if sizes[one] >= min_cells]
    peaks = ndimage.maximum_position(np.maximum(cold_field, star_field), labels, large)
    large = [one for one, peak in zip(large, peaks, strict=True) if in_cylinder(snapshot, grid, peak, extent)]
    number = np.zeros(n + 1, dtype=int)
    number[large] = np.arange(1, len(large) + 1)
    labels, n = number[labels], len(large) + 1
    star_labels, gas_labels = (in_cells(labels, position, *where) for position in (star_position, gas_position))
    return Reference(
        labels,
        delta,
        star_labels,
        n_cells=np.bincount(labels.ravel(), minlength=n)[1:],
        n_stars=np.bincount(star_labels, minlength=n)[1:],
        n_gas=np.bincount(gas_labels, minlength=n)[1:],
        mass_gas=np.bincount(gas_labels, gas_mass, minlength=n)[1:],
        mass_stars=np.bincount(star_labels, star_mass, minlength=n)[1:],
    )
