"""The galaxy's smooth, axisymmetric potential: halo, bulge and disc give the frequencies of every orbit.

Internal units: kpc, Gyr, Msun; 1 km/s is 1.0227 kpc/Gyr.
"""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["KMS", "G", "Potential", "virial_radius"]

#: One km/s in kpc/Gyr.
KMS = 1.022712165
#: Gravitational constant, kpc3 / (Msun Gyr2).
G = 4.300917e-6 * KMS**2
_H0, _OM = 0.0704 * KMS, 0.2726  # per Gyr; VELA's cosmology


def virial_radius(mass: float, scale_factor: float) -> float:
    """Radius of a halo by Bryan & Norman (1998) in the VELA cosmology, kpc.

    Examples
    --------
    >>> from astroclumps.synthetic.potential import virial_radius
    >>> bool(abs(virial_radius(4.83e11, 0.5) - 123.75) < 2.5)  # as in the catalogue of a VELA galaxy
    True
    """
    expansion = _OM / scale_factor**3 + 1 - _OM
    x = _OM / scale_factor**3 / expansion - 1
    contrast = 18 * np.pi**2 + 82 * x - 39 * x**2
    density = contrast * 3 * _H0**2 * expansion / (8 * np.pi * G)
    return float((mass / (4 * np.pi / 3 * density)) ** (1 / 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Potential:
    """Navarro-Frenk-White halo, Hernquist bulge and exponential disc, the disc taken as its enclosed mass.

    Parameters
    ----------
    halo_mass, r_vir, concentration : float
        Of the halo, Msun and kpc.
    bulge_mass, bulge_radius : float
        Msun, Hernquist scale in kpc.
    disc_mass, disc_scale, disc_height : float
        Stars and gas; Msun, scale length and height in kpc.

    Attributes
    ----------
    tables : dict of ndarray
        ``omega``, ``kappa``, ``nu`` (per Gyr) and ``momentum`` (kpc2/Gyr) of circular orbits against ``log_radius``.
    """

    halo_mass: float
    r_vir: float
    concentration: float
    bulge_mass: float
    bulge_radius: float
    disc_mass: float
    disc_scale: float
    disc_height: float
    tables: dict = field(init=False, repr=False)

    def __post_init__(self):
        radius = np.geomspace(0.02, 4 * self.r_vir, 2000)
        omega2 = G * self.mass(radius) / radius**3
        slope = np.gradient(np.log(omega2), np.log(radius))
        surface = self.disc_mass / (2 * np.pi * self.disc_scale**2) * np.exp(-radius / self.disc_scale)
        nu2 = omega2 + 2 * np.pi * G * surface / self.disc_height
        tables = {
            "log_radius": np.log(radius),
            "omega": np.sqrt(omega2),
            "kappa": np.sqrt(omega2 * np.clip(4 + slope, 1.0, 4.0)),
            "nu": np.sqrt(nu2),
            "momentum": np.maximum.accumulate(radius**2 * np.sqrt(omega2)),
        }
        object.__setattr__(self, "tables", tables)

    def mass(self, radius):
        """Mass inside a sphere, Msun."""
        scale = self.r_vir / self.concentration
        halo = (np.log1p(radius / scale) - radius / scale / (1 + radius / scale)) / (
            np.log1p(self.concentration) - self.concentration / (1 + self.concentration)
        )
        bulge = (radius / (radius + self.bulge_radius)) ** 2
        x = radius / self.disc_scale
        return self.halo_mass * halo + self.bulge_mass * bulge + self.disc_mass * (1 - (1 + x) * np.exp(-x))

    def _look_up(self, name, radius):
        return np.interp(np.log(np.maximum(radius, 0.02)), self.tables["log_radius"], self.tables[name])

    def frequencies(self, radius):
        """Angular, radial and vertical frequency at a radius, per Gyr."""
        return self._look_up("omega", radius), self._look_up("kappa", radius), self._look_up("nu", radius)

    def speed(self, radius):
        """Circular speed, kpc/Gyr."""
        return radius * self._look_up("omega", radius)

    def guiding_radius(self, momentum):
        """Radius of the circular orbit with an angular momentum (kpc2/Gyr)."""
        return np.exp(np.interp(momentum, self.tables["momentum"], self.tables["log_radius"]))

    def tidal_radius(self, mass, radius):
        """Jacobi radius of a body of some mass on a circular orbit, kpc."""
        omega, kappa, _ = self.frequencies(radius)
        return (G * mass / np.maximum(4 * omega**2 - kappa**2, 0.3 * omega**2)) ** (1 / 3)
