"""What a disc of the suite is like as a whole: masses, sizes, gas, star formation, metals, arms, drawn from simple relations.

The relations were fitted to 31 snapshots (scale factors 0.2-0.5) of one VELA galaxy, the disc catalogue by N. Mandelker, and to the numbers
of METHODS section 1; the constants below are the fits. ``log M`` is the logarithm of the stellar mass in units of 1e10 Msun.
"""

from dataclasses import dataclass

import numpy as np

from .potential import virial_radius

__all__ = ["DiscProperties", "draw_properties"]

# Ratios of sizes in that catalogue: median and scatter in dex; the limits are those of METHODS 1.
_RD_RVIR = (0.085, 0.07, 0.07, 0.12)  # R_d / R_vir; the median is ours, 10% below the catalogue's, so that discs hold enough particles
_HD_RD = (0.42, 0.09, 0.30, 0.55)  # H_d / R_d
# log10(Mgas/Mstar) falls as -0.42 log M, scatter 0.11 dex (fit); its zero point is set so
# that gas/(gas + stars) inside R_d and H_d comes out at 0.2-0.4, as in METHODS 1.
# The one catalogued galaxy is richer in gas (0.47 at 1e10 Msun).
_GAS_RATIO = (-0.22, -0.42, 0.11, 0.25, 0.52)
# log10(SFR/Mgas in 1/Gyr): METHODS 1 has 'about 1 Gyr'; the catalogue's scatter of 0.24 dex holds single bursts, a mean has less.
# The median is ours: it comes out at about 1 Gyr after what `_SHARE_FORMED` takes away.
_DEPLETION = (0.12, 0.18)
# 12 + log(O/H) of the gas 8.26 + 0.29 (log Mstar - 9), scatter 0.06; of the stars 8.39 + 0.39 (log Mstar - 9), scatter 0.085.
_GAS_OH = (8.55, 0.29, 0.06)
_STAR_OH = (8.62, 0.30, 0.085)
_AGE = 0.28  # mean age of the stars at the start over the Universe's, catalogue's 0.21 +- 0.07 for the disc with its newborn
_HALO = (-1.75, 0.12)  # log10(Mstar/Mvir) at 1e10 Msun and its scatter; haloes of 1e11-1e12 Msun at redshift 2 (paper section 3.1.1)
_SHARE_FORMED = 0.8  # at most, of the last stellar mass, inside the run
# What makes galaxies differ is ours; METHODS 1 has nothing on it.
_ARMED = ((0.3, 0.85), (0.1, 0.5), (0.1, 0.5), (0.05, 0.35))  # amplitudes of the patterns of arms
_BIRTHS = (5.4, 0.7, 0.3, 0.35)  # per 100 Myr at a gas share of 0.33 and 3e9 Msun of gas, powers of these, and scatter in dex
_MOST_BIRTHS = (2.2, 12.0)  # over that median, and per 100 Myr
_LARGEST = (0.08, 0.22, 0.025, 0.2)  # cut-off of the clumps' masses over the gas mass


@dataclass(frozen=True, kw_only=True)
class DiscProperties:
    """The numbers of one galaxy, in kpc, Gyr, Msun and kpc/Gyr.

    Attributes
    ----------
    star_mass, gas_mass : float
        Stellar mass at the last snapshot, and mass of the gas inside R_d and H_d, Msun.
    halo_mass, r_vir : float
        At the middle of the run, Msun and kpc.
    concentration : float
        Of the Navarro-Frenk-White halo.
    r_d, h_d : float
        Radius and half-thickness that hold 85% of the cold mass (METHODS 1), kpc.
    sfr : float
        Msun/Gyr.
    bulge_fraction, bulge_radius : float
        Share of the stars at the start, and Hernquist scale, kpc.
    star_scale : float
        Scale length of the old stars over that of the gas.
    thin : float
        Scale height of the gas layer that forms stars (Gaussian sigma, kpc).
    star_height : float
        The same height for old stars, kpc.
    gas_oh, star_oh, gradient : float
        12 + log(O/H) of gas and old stars at half of R_d, and its gradient, dex per R_d.
    age : float
        Mean age of old stars at the start over the age of the Universe.
    n_arms : tuple of int
        Arms of the spiral patterns: two of the whole disc, two of short pieces.
    arm_strength : tuple of float
        Their amplitudes in the gas.
    pitch : float
        Pitch angle, radians.
    clumpiness : float
        Clumps born per 100 Myr.
    largest : float
        Mass of clumps beyond which they get rare, over the gas mass.
    clustering : float
        Share of the disc's star formation that lies in complexes.
    complexes : float
        How many of these there are at a time.
    history : tuple of float
        Of star formation: trend per Gyr, and amplitude, period (Gyr) and phase of a wave.
    fluctuations : float
        Density fluctuations that are there at any time.
    hot_share : float
        Share of the disc's gas above 1.5e4 K.
    axis : tuple of float
        Direction of the angular momentum in the box.
    """

    star_mass: float
    gas_mass: float
    halo_mass: float
    r_vir: float
    concentration: float
    r_d: float
    h_d: float
    sfr: float
    bulge_fraction: float
    bulge_radius: float
    star_scale: float
    thin: float
    star_height: float
    gas_oh: float
    star_oh: float
    gradient: float
    age: float
    n_arms: tuple
    arm_strength: tuple
    pitch: float
    clumpiness: float
    largest: float
    clustering: float
    complexes: float
    history: tuple
    fluctuations: float
    hot_share: float
    axis: tuple


def draw_properties(rng: np.random.Generator, *, scale_factor: float, duration: float) -> DiscProperties:
    """Draw one galaxy.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    scale_factor : float
        At the middle of the run.
    duration : float
        Of the run with its prelude, Gyr: the stars that form in it are at most 80% of the last stellar mass.

    Returns
    -------
    `DiscProperties`

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.synthetic.relations import draw_properties
    >>> disc = draw_properties(np.random.default_rng(1), scale_factor=0.33, duration=2.8)
    >>> 0.07 <= disc.r_d / disc.r_vir <= 0.12, 0.3 <= disc.h_d / disc.r_d <= 0.55
    (True, True)
    """

    def near(median, dex, low, high):
        while True:
            value = median * 10 ** rng.normal(0, dex)
            if low <= value <= high:
                return float(value)

    log_mass = rng.uniform(-0.6, 0.7)
    star_mass = 1e10 * 10**log_mass
    zero, slope, dex, low, high = _GAS_RATIO
    ratio = near(10 ** np.clip(zero + slope * log_mass, -0.45, -0.03), dex, low / (1 - low), high / (1 - high))
    # the gas belongs to the stellar mass at the middle of the run
    sfr_over_gas = 10 ** rng.normal(*_DEPLETION)
    growth = min(_SHARE_FORMED, ratio * sfr_over_gas * duration / (1 + 0.5 * ratio * sfr_over_gas * duration))
    sfr = growth * star_mass / duration
    gas_mass = ratio * star_mass * (1 - growth / 2)
    halo_mass = float(np.clip(star_mass / 10 ** rng.normal(*_HALO), 1e11, 1e12))
    r_vir = virial_radius(halo_mass, scale_factor)
    r_d = r_vir * near(*_RD_RVIR)
    h_d = r_d * near(*_HD_RD)
    axis = rng.normal(size=3)
    gas_share = ratio / (1 + ratio)
    births = _BIRTHS[0] * (gas_share / 0.33) ** _BIRTHS[1] * (gas_mass / 3e9) ** _BIRTHS[2]
    armed = rng.uniform(*_ARMED[0])
    return DiscProperties(
        star_mass=star_mass,
        gas_mass=gas_mass,
        halo_mass=halo_mass,
        r_vir=r_vir,
        concentration=near(5.0, 0.1, 3.0, 9.0),
        r_d=r_d,
        h_d=h_d,
        sfr=sfr,
        bulge_fraction=near(0.28, 0.2, 0.08, 0.6),
        bulge_radius=near(0.055, 0.12, 0.03, 0.1) * r_d,
        star_scale=float(rng.uniform(0.36, 0.58)),
        thin=near(0.19, 0.1, 0.13, 0.3) * h_d,
        star_height=near(0.10, 0.12, 0.05, 0.18) * r_d,
        gas_oh=float(_GAS_OH[0] + _GAS_OH[1] * log_mass + rng.normal(0, _GAS_OH[2])),
        star_oh=float(_STAR_OH[0] + _STAR_OH[1] * log_mass + rng.normal(0, _STAR_OH[2])),
        gradient=float(-rng.uniform(0.05, 0.45)),
        age=float(_AGE * 10 ** rng.normal(0, 0.1)),
        n_arms=(int(rng.choice([2, 2, 2, 3])), int(rng.choice([2, 3, 4, 5])), int(rng.integers(5, 9)), int(rng.integers(8, 14))),
        arm_strength=(float(armed), *(float(rng.uniform(*limits)) for limits in _ARMED[1:])),
        pitch=float(np.radians(rng.uniform(12, 32))),
        clumpiness=near(births, _BIRTHS[3], births / 6, min(births * _MOST_BIRTHS[0], _MOST_BIRTHS[1])),
        largest=near(*_LARGEST),
        clustering=float(rng.uniform(0.15, 0.9)),
        complexes=near(60.0, 0.25, 15.0, 240.0),
        history=(float(rng.normal(0, 0.2)), float(rng.uniform(0, 0.5)), float(rng.uniform(0.3, 1.2)), float(rng.uniform(0, 2 * np.pi))),
        fluctuations=near(9.0, 0.2, 3.0, 24.0),
        hot_share=float(rng.uniform(0.05, 0.15)),
        axis=tuple(float(value) for value in axis / np.linalg.norm(axis)),
    )
