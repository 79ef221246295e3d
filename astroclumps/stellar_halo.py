"""The stellar mass of the galaxy in a halo, and the halo of a galaxy (Behroozi et al. 2019).

The two relations are also reached through `astroclumps.survival`.
"""

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from .arguments import number, quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MAX_REDSHIFT", "halo_mass_of_galaxy", "log_halo_mass", "stellar_mass"]

MAX_REDSHIFT = 10.0
"""Highest redshift of the data that Behroozi et al. (2019) fitted."""

_LOG_HALO = (6.0, 16.0)  # range of log10 halo mass in which an inverse is looked for

# parameters of the median relation (METHODS 6): value today, slopes in a - 1, -ln a and z
_LOG_M1 = (12.03538, 4.556205, 4.417054, -0.731372)
_EPSILON = (-1.434595, 1.831346, 1.368294, -0.216943)
_ALPHA = (1.963342, -2.315609, -1.732084, 0.177598)
_BETA = (0.481788, -0.840580, 0.0, -0.470653)
_LOG_GAMMA = (-1.034197, -3.100399, 0.0, -1.054511)
_DELTA = 0.410851


def stellar_mass(halo_mass: u.Quantity, redshift: "ArrayLike") -> u.Quantity:
    """Stellar mass of the galaxy in a halo, the median relation of Behroozi et al. (2019, MNRAS 488, 3143).

    Parameters
    ----------
    halo_mass : `~astropy.units.Quantity` ['mass']
        Virial mass, at its peak for satellites.
    redshift : float or array_like
        Redshift, 0 to 10.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Notes
    -----
    log10 M* = log10 M_1 + epsilon - log10(10^(-alpha x) + 10^(-beta x)) + gamma exp(-0.5 (x / delta)^2) with x = log10(M_h / M_1).
    From z of about 3 on, the fit turns over at a mass beyond the halos that it was made for (10^12.9 Msun at z = 3).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> f"{survival.stellar_mass(1e12 * u.Msun, 1):.1e}"
    '2.2e+10 solMass'
    """
    mass = quantity("halo_mass", halo_mass, u.Msun, "1e12 * u.Msun", positive=True)
    return 10 ** _log_stellar_mass(np.log10(mass), _redshift(redshift))[0] * u.Msun


def halo_mass_of_galaxy(stellar_mass: u.Quantity, redshift: "ArrayLike") -> u.Quantity:
    """Mass of the halo whose galaxy has a given stellar mass: `stellar_mass` the other way round.

    It is the inverse of a median, not the median mass of the halos of such galaxies: scatter makes that one lower at the massive end.

    Parameters
    ----------
    stellar_mass : `~astropy.units.Quantity` ['mass']
        Stellar mass.
    redshift : float or array_like
        Redshift, 0 to 10.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun, on the rising branch of the relation, to 1e-9 of log10.

    Raises
    ------
    ValueError
        The relation does not reach the stellar mass at that redshift in halos of 1e6 to 1e16 Msun.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> f"{survival.halo_mass_of_galaxy(2e10 * u.Msun, 1):.2e}"
    '9.53e+11 solMass'
    """
    mass = quantity("stellar_mass", stellar_mass, u.Msun, "1e10 * u.Msun", positive=True)
    target, redshift = np.broadcast_arrays(np.log10(mass), _redshift(redshift))
    found, least, most = log_halo_mass(target, redshift)
    outside = np.isnan(found)
    if outside.any():
        first = tuple(index[0] for index in np.nonzero(np.atleast_1d(outside)))
        one = [np.atleast_1d(values)[first] for values in (target, redshift, least, most)]
        raise ValueError(
            f"stellar_mass 10^{one[0]:.2f} Msun lies outside the relation of Behroozi et al. (2019) at redshift {one[1]:g}: "
            f"10^{one[2]:.2f} to 10^{one[3]:.2f} Msun"
        )
    return 10**found * u.Msun


def log_halo_mass(log_stellar: np.ndarray, redshift: Any, *, min_slope: float = 0.0) -> Any:
    """log10 of the halo's mass, and the range of log10 stellar masses that the relation reaches.

    Parameters
    ----------
    log_stellar : ndarray
        log10 of the stellar mass in Msun.
    redshift : ndarray, of the same shape
        0 to 10.
    min_slope : float, default 0
        Slope of the relation in logarithms below which the halo's mass is NaN: there, a small error of the stellar mass is a large
        one of the halo's.

    Returns
    -------
    (ndarray, ndarray, ndarray)
        log10 of the halo's mass in Msun, NaN outside the range; least and largest log10 stellar mass.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.stellar_halo import log_halo_mass
    >>> log_halo_mass(np.array([10.0, 14.0]), np.array([1.0, 1.0]))[0].round(2)
    array([11.82,   nan])
    """
    low = np.full(log_stellar.shape, _LOG_HALO[0])
    top = np.full(log_stellar.shape, _LOG_HALO[1])
    top = np.where(_log_stellar_mass(top, redshift)[1] > 0, top, _bisect(low, top, lambda x: _log_stellar_mass(x, redshift)[1] > 0))
    least, most = _log_stellar_mass(low, redshift)[0], _log_stellar_mass(top, redshift)[0]
    inside = (log_stellar >= least) & (log_stellar <= most)
    found = _bisect(low, top, lambda x: _log_stellar_mass(x, redshift)[0] < log_stellar)
    if min_slope > 0:
        inside = inside & (_log_stellar_mass(found, redshift)[1] >= min_slope)
    return np.where(inside, found, np.nan), least, most


def _log_stellar_mass(log_halo, redshift):
    """log10 of the stellar mass, and its slope in log10 of the halo mass."""
    a = 1 / (1 + redshift)
    m_1, epsilon, alpha, beta, log_gamma = (
        p[0] + p[1] * (a - 1) - p[2] * np.log(a) + p[3] * redshift for p in (_LOG_M1, _EPSILON, _ALPHA, _BETA, _LOG_GAMMA)
    )
    x = log_halo - m_1
    bump = 10**log_gamma * np.exp(-0.5 * (x / _DELTA) ** 2)
    low, high = 10 ** (-alpha * x), 10 ** (-beta * x)
    slope = (alpha * low + beta * high) / (low + high) - bump * x / _DELTA**2
    return m_1 + epsilon - np.log10(low + high) + bump, slope


def _bisect(low, high, below):
    for _ in range(45):
        middle = 0.5 * (low + high)
        up = below(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return 0.5 * (low + high)


def _redshift(value):
    value = number("redshift", value)
    if (value > MAX_REDSHIFT).any():
        raise ValueError(f"redshift must be 0 to {MAX_REDSHIFT:g}, the range of the fit, got {value.max():g}")
    return value
