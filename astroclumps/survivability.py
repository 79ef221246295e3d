"""Where clumps keep together against their supernovae: limits after Mandelker et al. (2017) and Dekel et al. (2023, MNRAS 521, 4299).

Everything here is also reached through `astroclumps.survival`. Of both papers only the abstracts stand behind this file. That
of 2023 gives four marks of long-lived clumps and their galaxies, a stellar mass, and says what the survivability parameter S compares; the
equation of S is not in it. `survivability` is therefore ours.
"""

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from .arguments import number, quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["DEKEL2023", "VELA_LIMITS", "dekel2023", "survivability"]

DEKEL2023 = {
    "v_circ": 50 * u.km / u.s,
    "mass": 1e8 * u.Msun,
    "host_velocity": 200 * u.km / u.s,
    "gas_fraction": 0.3,
    "stellar_mass": 10**9.3 * u.Msun,
}
"""Where long-lived clumps are expected at moderate feedback (abstract of Dekel et al. 2023). The velocity of clumps is
'about' 50 km/s there; masses, host velocity and gas fraction are 'at least'. The stellar mass belongs to the host's velocity at a
redshift of about 2."""

VELA_LIMITS = {"v_circ": 40 * u.km / u.s, "surface_density": 200 * u.Msun / u.pc**2, "mass": 10**8.2 * u.Msun}
"""Clumps below these were short-lived in VELA, run with radiation pressure (abstract of Mandelker et al. 2017)."""

_KMS = u.km / u.s


def dekel2023(mass: u.Quantity, v_circ: u.Quantity, host_velocity: u.Quantity, gas_fraction: "ArrayLike") -> Any:
    """Tell whether a clump and its galaxy are where Dekel et al. (2023, MNRAS 521, 4299) expect long-lived clumps.

    These are the four marks that the paper's abstract states for moderate feedback: circular velocity of about 50 km/s and mass of 1e8 Msun
    for the clump, circular velocity of 200 km/s and a gas fraction of 0.3 for the disc. That all four are asked for at once is ours.

    Parameters
    ----------
    mass : `~astropy.units.Quantity` ['mass']
        Mass of the clump.
    v_circ : `~astropy.units.Quantity` ['speed']
        Circular velocity of the clump, as from `~astroclumps.survival.circular_velocity`.
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
    mass = quantity("mass", mass, u.Msun, "1e8 * u.Msun")
    v_circ = quantity("v_circ", v_circ, _KMS, "50 * u.km / u.s")
    host = quantity("host_velocity", host_velocity, _KMS, "200 * u.km / u.s")
    return (
        (mass >= DEKEL2023["mass"].value)
        & (v_circ >= DEKEL2023["v_circ"].value)
        & (host >= DEKEL2023["host_velocity"].value)
        & (number("gas_fraction", gas_fraction) >= DEKEL2023["gas_fraction"])
    )


def survivability(
    v_circ: u.Quantity,
    *,
    feedback: "ArrayLike" = 1.0,
    contraction: "ArrayLike" = 0.0,
    losses: "ArrayLike" = 0.0,
    critical_velocity: u.Quantity = DEKEL2023["v_circ"],
) -> Any:
    """Energy that holds a clump together over the energy that drives it apart; clumps above 1 are expected to live long.

    What is compared follows the abstract of Dekel et al. (2023): supernovae and gravitational contraction on one side, the clump's binding
    energy and the losses by outflows and dissipated turbulence on the other. **The formula and its scale are ours**, not the paper's S:

        S = (1 + losses) / (feedback (critical_velocity / v_circ)^2 + contraction)

    The binding energy is proportional to M V_circ^2 and the energy of supernovae to the mass of stars formed, so their ratio goes as
    V_circ^2 over the energy of supernovae per mass of the clump. Two assumptions remain: that it is 1 at the velocity which the abstract
    gives for long-lived clumps at moderate feedback, and that the ratio is one of sums.

    Parameters
    ----------
    v_circ : `~astropy.units.Quantity` ['speed']
        Circular velocity of the clump, as from `~astroclumps.survival.circular_velocity`.
    feedback : float or array_like, default 1
        Energy of supernovae that a clump keeps, per unit of its mass, over that of moderate feedback. It is proportional to the
        efficiency of star formation.
    contraction, losses : float or array_like, default 0
        Energy set free by contraction, and lost by outflows and dissipation, in units of the clump's binding energy. The abstract has no
        value for either.
    critical_velocity : `~astropy.units.Quantity` ['speed'], default 50 km/s
        Where S is 1 with the other defaults: ``DEKEL2023["v_circ"]``. With 30 km/s, and ``feedback`` as the efficiency over 0.1, it is
        the condition of G21 6.2, `~astroclumps.survival.clump_velocity_threshold`.

    Returns
    -------
    float or ndarray
        0 where the velocity is 0; infinite where nothing drives the clump apart.

    Raises
    ------
    TypeError, ValueError
        Velocities without unit; a number that is negative or not finite; a critical velocity of zero.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import survival
    >>> survival.survivability([25, 50, 100] * u.km / u.s).tolist()
    [0.25, 1.0, 4.0]
    """
    velocity = quantity("v_circ", v_circ, _KMS, "50 * u.km / u.s")
    critical = quantity("critical_velocity", critical_velocity, _KMS, "50 * u.km / u.s", positive=True)
    source = number("feedback", feedback) * critical**2 + number("contraction", contraction) * velocity**2
    held = (1 + number("losses", losses)) * velocity**2
    held, source = np.broadcast_arrays(held, source)
    # without feedback and contraction nothing drives a clump apart, however slow
    return np.divide(held, source, out=np.full(held.shape, np.inf), where=source > 0)[()]
