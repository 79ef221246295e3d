"""Which clumps outlive supernova feedback: equations 4 to 8 of Ginzburg et al. (2021, section 6.2), and the halo of a galaxy.

A clump is disrupted where its circular velocity lies below a limit that supernovae set (Dekel & Silk 1986; Dekel, Sari & Ceverino 2009).
In a disc at the edge of stability that velocity follows the halo's, so that the limit becomes one on the mass of the halo, and through the
relation of Behroozi et al. (2019) one on the stellar mass of the galaxy. All functions take and give quantities of any shape that
broadcasts.
"""

import astropy.constants as const
import astropy.units as u
import numpy as np

from .arguments import number as _number
from .arguments import quantity as _quantity
from .stellar_halo import behroozi2019, behroozi2019_inverse

__all__ = [
    "COLD_FRACTION",
    "DEKEL2023",
    "F_VIR",
    "VELA_EFFICIENCY",
    "VELA_LIMITS",
    "behroozi2019",
    "behroozi2019_inverse",
    "circular_velocity",
    "clump_velocity",
    "dekel2023",
    "halo_mass",
    "halo_mass_limit",
    "outlives_supernovae",
    "star_formation_efficiency",
    "stellar_mass_limit",
    "supernova_velocity",
    "virial_velocity",
    "virial_velocity_limit",
]

COLD_FRACTION = 0.2
"""Fiducial delta_d: cold mass of the disc over the total mass within the disc's radius (G21 6.2)."""

F_VIR = 1.4
"""Fiducial ratio of the galaxy's circular velocity to the halo's virial velocity (G21 6.2)."""

VELA_EFFICIENCY = (0.03, 0.04)
"""Star-formation efficiency a free-fall time, averaged over the clumps of VELA (Mandelker et al. 2017, as quoted in G21 6.2)."""

VELA_LIMITS = {"v_circ": 40 * u.km / u.s, "surface_density": 200 * u.Msun / u.pc**2, "mass": 10**8.2 * u.Msun}
"""Clumps below these were short-lived in VELA, run with radiation pressure (abstract of Mandelker et al. 2017)."""

DEKEL2023 = {"v_circ": 50 * u.km / u.s, "mass": 1e8 * u.Msun, "host_velocity": 200 * u.km / u.s, "gas_fraction": 0.3}
"""Where long-lived clumps are expected at moderate feedback (abstract of Dekel et al. 2023, MNRAS 521, 4299)."""

_KMS = u.km / u.s
_V_SN = 30.0  # km/s at an efficiency of 0.1
_V_VIR = 150.0  # km/s, eq. 6 as printed
_MASS_200 = 1e12  # Msun at 200 km/s and z = 2, eq. 7


def circular_velocity(mass, radius):
    """Circular velocity of a clump, sqrt(G M / r).

    Parameters
    ----------
    mass : `~astropy.units.Quantity` ['mass']
        Mass of gas and stars.
    radius : `~astropy.units.Quantity` ['length']
        Radius r_c.

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.circular_velocity(1e8 * u.Msun, 200 * u.pc).round(1)
    <Quantity 46.4 km / s>
    """
    mass = _quantity("mass", mass, u.Msun, "1e8 * u.Msun")
    radius = _quantity("radius", radius, u.kpc, "200 * u.pc", positive=True)
    return np.sqrt(const.G.to_value(u.kpc * _KMS**2 / u.Msun) * mass / radius) * _KMS


def star_formation_efficiency(mass_gas, sfr, t_ff):
    """Efficiency of star formation a free-fall time, t_ff over the depletion time M_gas / SFR (G21 6.2).

    Parameters
    ----------
    mass_gas : `~astropy.units.Quantity` ['mass']
        Mass of gas.
    sfr : `~astropy.units.Quantity` [mass / time]
        Star-formation rate.
    t_ff : `~astropy.units.Quantity` ['time']
        Free-fall time.

    Returns
    -------
    float or ndarray
        NaN where there is no gas.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> float(survival.star_formation_efficiency(1e8 * u.Msun, 0.4 * u.Msun / u.yr, 10 * u.Myr).round(3))
    0.04
    """
    mass_gas = _quantity("mass_gas", mass_gas, u.Msun, "1e8 * u.Msun")
    sfr = _quantity("sfr", sfr, u.Msun / u.Myr, "0.4 * u.Msun / u.yr")
    t_ff = _quantity("t_ff", t_ff, u.Myr, "10 * u.Myr")
    return t_ff * sfr / np.where(mass_gas > 0, mass_gas, np.nan)


def supernova_velocity(efficiency=0.1):
    """Circular velocity below which supernovae disrupt a clump, V_SN,c = 30 km/s (efficiency / 0.1)^0.5 (G21 6.2).

    Parameters
    ----------
    efficiency : float or array_like, default 0.1
        Star-formation efficiency a free-fall time. VELA's clumps had 0.03 to 0.04 (`VELA_EFFICIENCY`): 16 to 19 km/s.

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> from astroclumps import survival
    >>> survival.supernova_velocity(), survival.supernova_velocity(0.035).round()
    (<Quantity 30. km / s>, <Quantity 18. km / s>)
    """
    return _V_SN * np.sqrt(_number("efficiency", efficiency) / 0.1) * _KMS


def outlives_supernovae(mass, radius, *, efficiency=0.1):
    """Tell whether clumps reach the circular velocity that supernova feedback asks for.

    Parameters
    ----------
    mass, radius : `~astropy.units.Quantity`
        As in `circular_velocity`.
    efficiency : float or array_like, default 0.1
        As in `supernova_velocity`.

    Returns
    -------
    bool or ndarray of bool
        True where `circular_velocity` is at least `supernova_velocity`.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.outlives_supernovae([1e7, 1e8] * u.Msun, 200 * u.pc).tolist()
    [False, True]
    """
    return circular_velocity(mass, radius) >= supernova_velocity(efficiency)


def clump_velocity(virial_velocity, *, cold_fraction=COLD_FRACTION, f_vir=F_VIR):
    """Circular velocity of the giant clumps of a disc, V_circ,c = sqrt(pi / 6) delta_d f_vir V_vir (G21 eq. 4).

    With the defaults it is 0.2 V_vir (eq. 5). It is an estimate for the galaxy as a whole: tides at a clump's own radius do not enter.

    Parameters
    ----------
    virial_velocity : `~astropy.units.Quantity` ['speed']
        Virial velocity of the halo.
    cold_fraction : float or array_like, default 0.2
        delta_d, cold mass of the disc over the total mass within its radius (G21 6.2).
    f_vir : float or array_like, default 1.4
        Galaxy's circular velocity over the virial velocity (G21 6.2).

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.clump_velocity(150 * u.km / u.s).round(1)
    <Quantity 30.4 km / s>
    """
    velocity = _quantity("virial_velocity", virial_velocity, _KMS, "150 * u.km / u.s")
    return np.sqrt(np.pi / 6) * _number("cold_fraction", cold_fraction) * _number("f_vir", f_vir) * velocity * _KMS


def virial_velocity_limit(*, efficiency=0.1, cold_fraction=COLD_FRACTION, f_vir=F_VIR, rounded=True):
    """Virial velocity of the halo below which supernovae disrupt its galaxy's clumps (G21 eq. 6).

    Parameters
    ----------
    efficiency, cold_fraction, f_vir : float or array_like
        As in `supernova_velocity` and `clump_velocity`.
    rounded : bool, default True
        150 km/s at the fiducial values, as the paper prints and goes on with; False: 148 km/s, which its eq. 4 gives.

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> from astroclumps import survival
    >>> survival.virial_velocity_limit(), survival.virial_velocity_limit(rounded=False).round()
    (<Quantity 150. km / s>, <Quantity 148. km / s>)
    """
    cold, f_vir = _number("cold_fraction", cold_fraction, positive=True), _number("f_vir", f_vir, positive=True)
    fiducial = _V_VIR if rounded else _V_SN / (np.sqrt(np.pi / 6) * COLD_FRACTION * F_VIR)
    return fiducial * np.sqrt(_number("efficiency", efficiency) / 0.1) * (COLD_FRACTION / cold) * (F_VIR / f_vir) * _KMS


def halo_mass(virial_velocity, redshift):
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


def virial_velocity(halo_mass, redshift):
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


def halo_mass_limit(redshift, *, efficiency=0.1, cold_fraction=COLD_FRACTION, f_vir=F_VIR, rounded=True):
    """Mass of the halo below which supernovae disrupt its galaxy's clumps (G21 eq. 8).

    4.2e11 Msun at z = 2, 7.75e11 at z = 1 and 2.7e11 at z = 3, with the cube of everything that enters `virial_velocity_limit`.

    Parameters
    ----------
    redshift : float or array_like
        Redshift, of about 1 and more.
    efficiency, cold_fraction, f_vir, rounded
        As in `virial_velocity_limit`.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Examples
    --------
    >>> from astroclumps import survival
    >>> f"{survival.halo_mass_limit(2):.1e}"
    '4.2e+11 solMass'
    """
    return halo_mass(
        virial_velocity_limit(efficiency=efficiency, cold_fraction=cold_fraction, f_vir=f_vir, rounded=rounded),
        redshift,
    )


def stellar_mass_limit(redshift, *, efficiency=0.1, cold_fraction=COLD_FRACTION, f_vir=F_VIR, rounded=True):
    """Stellar mass of the galaxy in a halo of `halo_mass_limit`, through `behroozi2019`.

    1.4e10 Msun at z = 1, 2.0e9 at z = 2 and 0.9e9 at z = 3. The paper prints 2e9 to 1.6e10 for its range of redshifts.

    Parameters
    ----------
    redshift, efficiency, cold_fraction, f_vir, rounded
        As in `halo_mass_limit`.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Examples
    --------
    >>> from astroclumps import survival
    >>> f"{survival.stellar_mass_limit(1):.1e}"
    '1.4e+10 solMass'
    """
    halo = halo_mass_limit(redshift, efficiency=efficiency, cold_fraction=cold_fraction, f_vir=f_vir, rounded=rounded)
    return behroozi2019(halo, redshift)


def dekel2023(mass, v_circ, host_velocity, gas_fraction):
    """Tell whether a clump and its galaxy are where Dekel et al. (2023, MNRAS 521, 4299) expect long-lived clumps.

    These are the four marks that the paper's abstract states for moderate feedback, not its survivability parameter S, which needs the
    clump's inner structure: circular velocity of about 50 km/s, mass of 1e8 Msun, host of 200 km/s, and a gas fraction of 0.3 in the disc.

    Parameters
    ----------
    mass : `~astropy.units.Quantity` ['mass']
        Mass of the clump.
    v_circ : `~astropy.units.Quantity` ['speed']
        Circular velocity of the clump, as from `circular_velocity`.
    host_velocity : `~astropy.units.Quantity` ['speed']
        Circular velocity of the galaxy.
    gas_fraction : float or array_like
        Gas over gas and stars in the disc.

    Returns
    -------
    bool or ndarray of bool
        True where all four are reached.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.dekel2023([1e7, 2e8] * u.Msun, [15, 60] * u.km / u.s, 220 * u.km / u.s, 0.4).tolist()
    [False, True]
    """
    mass = _quantity("mass", mass, u.Msun, "1e8 * u.Msun")
    v_circ = _quantity("v_circ", v_circ, _KMS, "50 * u.km / u.s")
    host = _quantity("host_velocity", host_velocity, _KMS, "200 * u.km / u.s")
    return (
        (mass >= DEKEL2023["mass"].value)
        & (v_circ >= DEKEL2023["v_circ"].value)
        & (host >= DEKEL2023["host_velocity"].value)
        & (_number("gas_fraction", gas_fraction) >= DEKEL2023["gas_fraction"])
    )
