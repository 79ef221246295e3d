"""Virial mass and virial velocity of a halo (G21 eq. 7); reached through `astroclumps.survival`."""

from typing import Any

import astropy.units as u
import numpy as np

from .arguments import number as _number
from .arguments import quantity as _quantity

__all__ = ["halo_mass", "virial_velocity"]

_KMS = u.km / u.s
_MASS_200 = 1e12  # Msun at 200 km/s and z = 2, eq. 7


def halo_mass(virial_velocity: u.Quantity, redshift: Any) -> u.Quantity:
    """Virial mass of a halo, M_v = 1e12 Msun (V_vir / 200 km/s)^3 ((1 + z) / 3)^-1.5, for z of about 1 and more (G21 eq. 7).

    Parameters
    ----------
    virial_velocity : `~astropy.units.Quantity` ['speed']
        Virial velocity.
    redshift : float or array_like
        Redshift.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> f"{survival.halo_mass(200 * u.km / u.s, 2):.0e}"
    '1e+12 solMass'
    """
    velocity = _quantity("virial_velocity", virial_velocity, _KMS, "150 * u.km / u.s")
    return _MASS_200 * (velocity / 200) ** 3 * ((1 + _number("redshift", redshift)) / 3) ** -1.5 * u.Msun


def virial_velocity(halo_mass: u.Quantity, redshift: Any) -> u.Quantity:
    """Virial velocity of a halo: `halo_mass` the other way round.

    Parameters
    ----------
    halo_mass : `~astropy.units.Quantity` ['mass']
        Virial mass.
    redshift : float or array_like
        Redshift.

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.virial_velocity(1e12 * u.Msun, 2)
    <Quantity 200. km / s>
    """
    mass = _quantity("halo_mass", halo_mass, u.Msun, "1e12 * u.Msun")
    return 200 * np.cbrt(mass / _MASS_200) * np.sqrt((1 + _number("redshift", redshift)) / 3) * _KMS
