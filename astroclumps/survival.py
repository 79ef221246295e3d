"""Which clumps outlive supernova feedback: equations 4 to 8 of Ginzburg et al. (2021, section 6.2), and the halo of a galaxy.

A clump is disrupted where its circular velocity lies below a limit that supernovae set (Dekel & Silk 1986; Dekel, Sari & Ceverino 2009).
In a disc at the edge of stability that velocity follows the halo's, so that the limit becomes one on the mass of the halo, and through the
relation of Behroozi et al. (2019) one on the stellar mass of the galaxy. All functions take and give quantities of any shape that
broadcasts; `predict` takes a table of galaxies.
"""

from typing import Any

import astropy.constants as const
import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn, QTable

from .arguments import number as _number
from .arguments import quantity as _quantity
from .stellar_halo import halo_mass_of_galaxy, stellar_mass
from .survivability import DEKEL2023, VELA_LIMITS, dekel2023, survivability
from .survival_table import filled_table as _filled_table
from .survival_table import galaxy_values as _galaxy_values
from .virial import halo_mass, virial_velocity

__all__ = [
    "COLD_FRACTION",
    "DEKEL2023",
    "F_VIR",
    "VELA_EFFICIENCY",
    "VELA_LIMITS",
    "circular_velocity",
    "clump_velocity",
    "clump_velocity_threshold",
    "dekel2023",
    "halo_mass",
    "halo_mass_of_galaxy",
    "halo_mass_threshold",
    "halo_velocity_threshold",
    "outlives_supernovae",
    "predict",
    "star_formation_efficiency",
    "stellar_mass",
    "stellar_mass_threshold",
    "survivability",
    "virial_velocity",
]

COLD_FRACTION = 0.2
"""Fiducial delta_d: cold mass of the disc over the total mass within the disc's radius (G21 6.2)."""

F_VIR = 1.4
"""Fiducial ratio of the galaxy's circular velocity to the halo's virial velocity (G21 6.2)."""

VELA_EFFICIENCY = (0.03, 0.04)
"""Star-formation efficiency a free-fall time, averaged over the clumps of VELA (Mandelker et al. 2017, as quoted in G21 6.2)."""

_KMS = u.km / u.s
_V_SN = 30.0  # km/s at an efficiency of 0.1
_V_VIR = 150.0  # km/s, eq. 6 as printed


def circular_velocity(mass: u.Quantity, radius: u.Quantity) -> u.Quantity:
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


def star_formation_efficiency(mass_gas: u.Quantity, sfr: u.Quantity, t_ff: u.Quantity) -> Any:
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


def clump_velocity_threshold(efficiency: Any = 0.1) -> u.Quantity:
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
    >>> survival.clump_velocity_threshold(), survival.clump_velocity_threshold(0.035).round()
    (<Quantity 30. km / s>, <Quantity 18. km / s>)
    """
    return _V_SN * np.sqrt(_number("efficiency", efficiency) / 0.1) * _KMS


def outlives_supernovae(mass: u.Quantity, radius: u.Quantity, *, efficiency: Any = 0.1) -> Any:
    """Tell whether clumps reach the circular velocity that supernova feedback asks for.

    Parameters
    ----------
    mass, radius : `~astropy.units.Quantity`
        As in `circular_velocity`.
    efficiency : float or array_like, default 0.1
        As in `clump_velocity_threshold`.

    Returns
    -------
    bool or ndarray of bool
        True where `circular_velocity` is at least `clump_velocity_threshold`.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.outlives_supernovae([1e7, 1e8] * u.Msun, 200 * u.pc).tolist()
    [False, True]
    """
    return circular_velocity(mass, radius) >= clump_velocity_threshold(efficiency)


def clump_velocity(virial_velocity: u.Quantity, *, cold_fraction: Any = COLD_FRACTION, f_vir: Any = F_VIR) -> u.Quantity:
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


def halo_velocity_threshold(
    *, efficiency: Any = 0.1, cold_fraction: Any = COLD_FRACTION, f_vir: Any = F_VIR, rounded: bool = True
) -> u.Quantity:
    """Virial velocity of the halo below which supernovae disrupt its galaxy's clumps (G21 eq. 6).

    Parameters
    ----------
    efficiency, cold_fraction, f_vir : float or array_like
        As in `clump_velocity_threshold` and `clump_velocity`.
    rounded : bool, default True
        150 km/s at the fiducial values, as the paper prints and goes on with; False: 148 km/s, which its eq. 4 gives.

    Returns
    -------
    `~astropy.units.Quantity` ['speed']
        In km/s.

    Examples
    --------
    >>> from astroclumps import survival
    >>> survival.halo_velocity_threshold(), survival.halo_velocity_threshold(rounded=False).round()
    (<Quantity 150. km / s>, <Quantity 148. km / s>)
    """
    cold, f_vir = _number("cold_fraction", cold_fraction, positive=True), _number("f_vir", f_vir, positive=True)
    fiducial = _V_VIR if rounded else _V_SN / (np.sqrt(np.pi / 6) * COLD_FRACTION * F_VIR)
    return fiducial * np.sqrt(_number("efficiency", efficiency) / 0.1) * (COLD_FRACTION / cold) * (F_VIR / f_vir) * _KMS


def halo_mass_threshold(
    redshift: Any, *, efficiency: Any = 0.1, cold_fraction: Any = COLD_FRACTION, f_vir: Any = F_VIR, rounded: bool = True
) -> u.Quantity:
    """Mass of the halo below which supernovae disrupt its galaxy's clumps (G21 eq. 8).

    4.2e11 Msun at z = 2, 7.75e11 at z = 1 and 2.7e11 at z = 3, with the cube of everything that enters `halo_velocity_threshold`.

    Parameters
    ----------
    redshift : float or array_like
        Redshift, of about 1 and more.
    efficiency, cold_fraction, f_vir, rounded
        As in `halo_velocity_threshold`.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Examples
    --------
    >>> from astroclumps import survival
    >>> f"{survival.halo_mass_threshold(2):.1e}"
    '4.2e+11 solMass'
    """
    return halo_mass(
        halo_velocity_threshold(efficiency=efficiency, cold_fraction=cold_fraction, f_vir=f_vir, rounded=rounded),
        redshift,
    )


def stellar_mass_threshold(
    redshift: Any, *, efficiency: Any = 0.1, cold_fraction: Any = COLD_FRACTION, f_vir: Any = F_VIR, rounded: bool = True
) -> u.Quantity:
    """Stellar mass of the galaxy in a halo of `halo_mass_threshold`, through `stellar_mass`.

    1.4e10 Msun at z = 1, 2.0e9 at z = 2 and 0.9e9 at z = 3. The paper prints 2e9 to 1.6e10 for its range of redshifts.

    Parameters
    ----------
    redshift, efficiency, cold_fraction, f_vir, rounded
        As in `halo_mass_threshold`.

    Returns
    -------
    `~astropy.units.Quantity` ['mass']
        In Msun.

    Examples
    --------
    >>> from astroclumps import survival
    >>> f"{survival.stellar_mass_threshold(1):.1e}"
    '1.4e+10 solMass'
    """
    halo = halo_mass_threshold(redshift, efficiency=efficiency, cold_fraction=cold_fraction, f_vir=f_vir, rounded=rounded)
    return stellar_mass(halo, redshift)


def predict(
    galaxies: QTable, *, efficiency: Any = 0.1, cold_fraction: Any = COLD_FRACTION, f_vir: Any = F_VIR, rounded: bool = True
) -> QTable:
    """Predict for each galaxy of a table whether its clumps live long.

    Parameters
    ----------
    galaxies : `~astropy.table.QTable`
        With ``mass``, the stellar mass, and ``redshift``. Where the table has them, ``v_rot``, the circular velocity of the galaxy,
        stands for ``f_vir`` times the virial velocity, and ``cold_fraction`` for the argument; cells that are NaN or masked do not.
    efficiency, cold_fraction, f_vir, rounded
        As in `halo_mass_threshold`; numbers, or one for each galaxy.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each galaxy, in their order: ``galaxy`` and ``parent`` if there, ``mass``, ``redshift``, ``halo_mass``,
        ``virial_velocity``, ``host_velocity`` (of the galaxy), ``clump_velocity``, ``clump_velocity_threshold``,
        ``halo_velocity_threshold``, ``halo_mass_threshold``, ``stellar_mass_threshold``; ``halo_margin`` and ``stellar_margin``, log10 of
        mass over threshold in dex; ``long_lived``, whether the halo reaches its threshold. With ``gas_fraction`` in the table, also
        ``dekel2023``: whether galaxy velocity and gas fraction reach `DEKEL2023`. Outside the relations numbers are NaN, verdicts masked.

    Raises
    ------
    CatalogError
        A column is missing or has another unit.

    Warns
    -----
    AstroclumpsWarning
        Galaxies have no prediction: no mass or redshift, redshift outside 0.5 to 10, or a mass beyond the relation of
        Behroozi et al. (2019).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps import survival
    >>> galaxies = QTable({"galaxy": ["a", "b"], "mass": [3e9, 3e9] * u.Msun, "redshift": [1.0, 2.0]})
    >>> table = survival.predict(galaxies)
    >>> table["long_lived"].tolist(), table["halo_margin"].round(2).tolist()
    ([False, True], [-0.31, 0.09])
    """
    read = _galaxy_values(galaxies)
    good, n = read.usable, len(read.usable)
    efficiency, cold, ratio = (np.broadcast_to(np.asarray(x, dtype=float), n)[good] for x in (efficiency, cold_fraction, f_vir))
    redshift, halo = read.redshift[good], 10 ** read.log_halo[good] * u.Msun
    virial = virial_velocity(halo, redshift)
    if read.v_rot is not None:
        ratio = np.where(np.isnan(read.v_rot[good]), ratio, read.v_rot[good] / virial.value)
    if read.cold_fraction is not None:
        cold = np.where(np.isnan(read.cold_fraction[good]), cold, read.cold_fraction[good])
    options = {"efficiency": efficiency, "cold_fraction": cold, "f_vir": ratio, "rounded": rounded}
    limit, stars = halo_mass_threshold(redshift, **options), stellar_mass_threshold(redshift, **options)
    host, log_halo_margin = ratio * virial, np.log10(halo / limit).value
    columns = {
        "halo_mass": halo,
        "virial_velocity": virial,
        "host_velocity": host,
        "clump_velocity": clump_velocity(virial, cold_fraction=cold, f_vir=ratio),
        "clump_velocity_threshold": clump_velocity_threshold(efficiency),
        "halo_velocity_threshold": halo_velocity_threshold(**options),
        "halo_mass_threshold": limit,
        "stellar_mass_threshold": stars,
        "halo_margin": log_halo_margin,
        "stellar_margin": np.log10(read.mass[good] / stars.value),
    }
    table = _filled_table(galaxies, read, columns)
    table["long_lived"] = MaskedColumn(np.nan_to_num(table["halo_margin"], nan=-1) >= 0, mask=~good)
    if read.gas_fraction is not None:
        known = good & (read.gas_fraction >= 0) & (read.gas_fraction <= 1)
        fast = np.nan_to_num(table["host_velocity"].value) >= DEKEL2023["host_velocity"].value
        table["dekel2023"] = MaskedColumn(known & fast & (read.gas_fraction >= DEKEL2023["gas_fraction"]), mask=~known)
    said = f"survival.predict: {np.sum(table['long_lived'].filled(False))} of {good.sum()} galaxies are expected to have long-lived clumps"
    table.meta["history"] = [*galaxies.meta.get("history", []), said]
    return table
