"""`Dust`: how much metal lies in front of each star, and how much that dims it."""

from dataclasses import dataclass
from typing import NamedTuple

import astropy.units as u
import numpy as np

from astroclumps import attenuation
from astroclumps import bands as _bands
from astroclumps.arguments import number, quantity

__all__ = ["OPACITY", "Dust", "Metals", "metals_of"]

OPACITY = 2.62e4 * u.cm**2 / u.g
"""Extinction cross-section in V per mass of dust: Milky Way, R_V = 3.1 (Draine 2003: 4.896e-22 cm2 and 1.870e-26 g per H)."""

_MAG = 2.5 / np.log(10)
_G_CM2 = (u.Msun / u.kpc**2).to(u.g / u.cm**2)
_NEIGHBOURS = 16  # within the kernel of a gas element
_WIDEST = 0.8  # kpc


class Metals(NamedTuple):
    """Metals in the cold gas of a snapshot.

    Attributes
    ----------
    position : ndarray of float32, shape (n, 3)
        kpc, relative to the snapshot's centre, along the box.
    mass : ndarray of float32, shape (n,)
        Mass of metals, Msun.
    radius : ndarray of float32, shape (n,)
        Radius of the disc over which an element is spread, kpc.
    """

    position: np.ndarray
    mass: np.ndarray
    radius: np.ndarray


def metals_of(snapshot, *, cold_temperature: u.Quantity = 1.5e4 * u.K) -> Metals:
    """Metals in the cold gas, and the extent of its elements.

    The radius of an element is 1.5 times the side of a cube of its volume where ``cell_size`` is known, else 1.5 (mass/density)^(1/3)
    where ``density`` is, else the distance to its 16th neighbour; at most 0.8 kpc (ours).

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy.
    cold_temperature : `~astropy.units.Quantity` ['temperature'], default 1.5e4 K
        Hotter gas holds no dust (ours; the limit of cold gas in G21 3.1.2).

    Returns
    -------
    `Metals`

    Examples
    --------
    >>> from astroclumps.mock.dust import metals_of
    >>> from astroclumps.testing import example_snapshot
    >>> metals = metals_of(example_snapshot())
    >>> print(f"{metals.mass.sum():.2g}")  # 1.2% of 0.9e10 Msun
    1.1e+08
    """
    from .particle_light import neighbour_distance

    limit = float(quantity("cold_temperature", cold_temperature, u.K, "1.5e4 * u.K"))
    gas = snapshot.gas
    metals = gas["mass"].value * np.asarray(gas["metallicity"])
    rows = np.flatnonzero((gas["temperature"].value < limit) & (metals > 0))
    position = (gas["position"].value[rows] - snapshot.centre.value).astype(np.float32)
    if "cell_size" in gas.colnames:
        radius = 1.5 * gas["cell_size"][rows].to_value(u.kpc)
    elif "density" in gas.colnames:
        radius = 1.5 * np.cbrt((gas["mass"][rows] / gas["density"][rows]).to_value(u.kpc**3))
    else:
        radius = neighbour_distance(position, _NEIGHBOURS, _WIDEST)
    return Metals(position, metals[rows].astype(np.float32), np.minimum(radius, _WIDEST).astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Dust:
    """Dimming of stars by the dust in front of them (paper section 3.1.4, METHODS 2).

    The surface density of metals between a star and the observer, times ``dust_to_metals``, times ``opacity``, is its A_V.

    What this loses against the ray tracing of the paper: scattered light counts as lost, though two thirds of the extinction in V is
    scattering, much of it forwards, so that galaxies seen face-on are dimmed too much (lower ``opacity`` to allow for it); holes and
    lumps smaller than a column or a gas element, but for ``scatter``; clouds around young stars that the simulation does not resolve; a
    curve is read at the pivot of a band, so that reddening inside a band is left out.

    Parameters
    ----------
    dust_to_metals : float, default 0.4
        Mass of dust over that of metals in cold gas (METHODS 2). 0: no dust.
    scatter : float, default 1.5
        Standard deviation of the natural logarithm of the column about its mean, below what the snapshot resolves (ours: turbulence of Mach
        10-20 has 1.2-1.6); the light that comes through is the mean over it. 0: none.
    curve : str or callable, default ``'milky way'``
        ``'milky way'``, ``'smc'``, ``'calzetti'``, or a function from rest-frame Angstrom to A / A_V.
    opacity : `~astropy.units.Quantity`, default `OPACITY`
        Extinction cross-section in V over the mass of dust; the default makes 5.9 mag for 1 Msun/pc2 of dust. A_V / N_H = 5.3e-22 mag cm2
        (Bohlin et al. 1978) with 1.3-2% of metals and 40% of them in dust makes 1.5 to 1.0 times that.
    cell : `~astropy.units.Quantity` ['length'], default 100 pc
        Side of a column.

    Examples
    --------
    >>> from astroclumps.mock.dust import Dust
    >>> dust = Dust(curve="smc")
    >>> dust.reddening(["F606W", "F160W"], 2.0).round(1)
    array([3.5, 1.1])
    """

    dust_to_metals: float = 0.4
    scatter: float = 1.5
    curve: object = "milky way"
    opacity: u.Quantity = OPACITY
    cell: u.Quantity = 100 * u.pc

    def __post_init__(self):
        object.__setattr__(self, "dust_to_metals", float(number("dust_to_metals", self.dust_to_metals)))
        object.__setattr__(self, "scatter", float(number("scatter", self.scatter)))
        attenuation.curve(self.curve)
        quantity("opacity", self.opacity, u.cm**2 / u.g, "2.6e4 * u.cm**2 / u.g")
        quantity("cell", self.cell, u.kpc, "100 * u.pc", positive=True)

    def reddening(self, bands, redshift) -> np.ndarray:
        """A(band) / A_V of bands at a redshift.

        Parameters
        ----------
        bands : sequence of str or `~astroclumps.bands.Band`
            The bands.
        redshift : float
            The galaxy's.

        Returns
        -------
        array, shape (n_band,)
        """
        pivots = np.array([_bands.get(band).pivot.to_value(u.AA) for band in bands])
        return np.asarray(attenuation.curve(self.curve)(pivots / (1 + redshift)), dtype=float)

    def transmission(self) -> np.ndarray:
        """Light that comes through, by the mean optical depth: 32 values in a unit of its natural logarithm, from 1e-4 on."""
        from .particle_kernels import transmission_table

        return transmission_table(self.scatter)

    def a_v(self, metals: Metals, camera, position: np.ndarray, *, half_width: float) -> np.ndarray:
        """Attenuation in V of stars that a camera sees.

        Parameters
        ----------
        metals : `Metals`
            From `metals_of`.
        camera : `~astroclumps.mock.cameras.Camera`
            The camera.
        position : array, shape (n, 3)
            Of the stars; kpc, relative to the snapshot's centre, along the box.
        half_width : float
            Half of the side of the square around the centre in which stars are dimmed, kpc; those outside get 0.

        Returns
        -------
        array of float32, shape (n,)
            mag; length 0 where there is no dust at all.

        Examples
        --------
        >>> import numpy as np
        >>> from astroclumps.mock.cameras import Camera
        >>> from astroclumps.mock.dust import Dust, metals_of
        >>> from astroclumps.testing import example_snapshot
        >>> camera = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
        >>> stars = np.array([[3.0, 0, -50], [3.0, 0, 50]])  # before and behind the disc
        >>> a_v = Dust().a_v(metals_of(example_snapshot()), camera, stars, half_width=10.0)
        >>> bool(a_v[0] == 0), bool(a_v[1] > 0.1)
        (True, True)
        """
        from .particle_kernels import columns_in_front

        if not len(metals.mass) or self.dust_to_metals == 0 or self.opacity.value == 0:
            return np.empty(0, dtype=np.float32)
        cell = float(self.cell.to_value(u.kpc))
        out = np.empty(len(position), dtype=np.float32)
        n = max(int(np.ceil(2 * half_width / cell)), 1)
        columns_in_front(position, metals.position, metals.mass, metals.radius, camera.rotation(), cell, n, out)
        out *= np.float32(_MAG * self.dust_to_metals * self.opacity.to_value(u.cm**2 / u.g) * _G_CM2 / cell**2)
        return out
