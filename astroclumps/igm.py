"""Absorption by the intergalactic medium: the analytic model of Inoue et al. (2014)."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["transmission"]

__doctest_requires__ = {"transmission": ["bagpipes"]}

_LYMAN_LIMIT = 911.8
# Powers of the observed wavelength, with the (1 + z) at which each takes over (Inoue et al. 2014, eqs. 21 and 22)
_FOREST = ((1.2, 2.2), (3.7, 5.7), (5.5, np.inf))
_DAMPED = ((2.0, 3.0), (3.0, np.inf))


@lru_cache(maxsize=1)
def _lyman_series():
    """Wavelengths (n,) of the Lyman lines in Angstrom and their coefficients (n, 5): Table 2 of Inoue et al. (2014)."""
    from .stellar_grid import grid_folder

    table = np.loadtxt(grid_folder() / "lyman_series_coefs_inoue_2014_table2.txt")
    return table[:, 1], table[:, 2:7]


def _line_depth(x, coefficients, powers):
    """Optical depth of one line at x = observed wavelength / line wavelength, which lies between 1 and 1 + z."""
    depth = np.zeros_like(x)
    lower = 1.0
    for coefficient, (power, upper) in zip(coefficients, powers, strict=True):
        part = (x > lower) & (x <= upper)
        depth[part] = coefficient * x[part] ** power
        lower = upper
    return depth


def _forest_continuum(x, z1):
    """Lyman-continuum depth of the forest, eqs. 25-27, for 1 < x = observed / 911.8 < z1 = 1 + redshift."""
    if z1 < 2.2:
        return 0.325 * (x**1.2 - z1**-0.9 * x**2.1)
    if z1 < 5.7:
        low = 2.55e-2 * z1**1.6 * x**2.1 + 0.325 * x**1.2 - 0.250 * x**2.1
        return np.where(x < 2.2, low, 2.55e-2 * (z1**1.6 * x**2.1 - x**3.7))
    far = 5.22e-4 * z1**3.4 * x**2.1
    low = far + 0.325 * x**1.2 - 3.14e-2 * x**2.1
    middle = far + 0.218 * x**2.1 - 2.55e-2 * x**3.7
    return np.select([x < 2.2, x < 5.7], [low, middle], far - 5.22e-4 * x**5.5)


def _damped_continuum(x, z1):
    """Lyman-continuum depth of the damped systems, eqs. 28 and 29."""
    if z1 < 3.0:
        return 0.211 * z1**2.0 - 7.66e-2 * z1**2.3 * x**-0.3 - 0.135 * x**2.0
    common = 4.70e-2 * z1**3.0 - 1.78e-2 * z1**3.3 * x**-0.3
    return np.where(x < 3.0, 0.634 + common - 0.135 * x**2.0 - 0.291 * x**-0.3, common - 2.92e-2 * x**3.0)


def transmission(wavelength: "ArrayLike", redshift: float) -> np.ndarray:
    """Mean transmission of the intergalactic medium (Inoue et al. 2014, section 4).

    The sum of the Lyman series and the Lyman continuum of the forest and of damped systems. The coefficients of the
    39 lines are read from the table that bagpipes installs.

    Parameters
    ----------
    wavelength : array_like of float
        Wavelength in the rest frame of the source, in Angstrom, 1D.
    redshift : float
        Redshift of the source.

    Returns
    -------
    transmission : ndarray of float
        Between 0 and 1; exactly 1 redward of Lyman alpha.

    Examples
    --------
    >>> from astroclumps.igm import transmission
    >>> transmission([880.0, 1100.0, 1300.0], 3.0).round(2)
    array([0.44, 0.76, 1.  ])
    """
    wavelength = np.atleast_1d(np.asarray(wavelength, dtype=float))
    z1 = 1.0 + float(redshift)
    lines, coefficients = _lyman_series()
    depth = np.zeros_like(wavelength)
    for line, row in zip(lines, coefficients, strict=True):
        part = wavelength < line
        x = wavelength[part] * z1 / line
        depth[part] += _line_depth(x, row[:3], _FOREST) + _line_depth(x, row[3:], _DAMPED)
    part = wavelength < _LYMAN_LIMIT
    x = wavelength[part] * z1 / _LYMAN_LIMIT
    absorbed = x > 1.0
    continuum = np.zeros_like(x)
    continuum[absorbed] = _forest_continuum(x[absorbed], z1) + _damped_continuum(x[absorbed], z1)
    depth[part] += continuum
    return np.exp(-depth)
