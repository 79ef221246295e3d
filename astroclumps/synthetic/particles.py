"""The particles of a galaxy: bulge, old disc, gas, the halo's gas that will fall in, and dark matter, with an orbit each."""

from dataclasses import dataclass

import numpy as np

from .orbits import ARM, COS_I, ECC, ECC_MAX, KAPPA, N_ELEMENTS, NODE, NU, OMEGA, PHI0, PSI, PSIZ, RG, SIN_I, ZA
from .potential import Potential
from .relations import DiscProperties

__all__ = ["SOLAR_OH", "Baryons", "layers", "sample_baryons", "sample_dark", "scale_length", "spheroidal"]

#: 12 + log(O/H) of the Sun, and its mass fraction of metals (Asplund et al. 2009).
SOLAR_OH, _SOLAR_Z = 8.69, 0.0142
_STAR_ARM = 0.35  # how far old stars follow the arms, gas being 1 (ours)
_EDGE = 2.2  # in R_d: where the disc ends (ours)
_FADES = 1.3  # in R_d: where it begins to fade (ours)
_FLATTEST = 2.7  # R_d over the largest scale length; METHODS 1 has about 3.4
_PART = 0.85  # of the cold mass inside R_d and H_d (METHODS 1)
_FALL_THIN = 0.93  # of the gas that falls in joins the thin layer, which forms the stars
_YOUNG = 0.11  # of the cold mass is young stars, which are thin
_IN_CYLINDER = 0.66  # of the gas, inside R_d and H_d
_HALO_REACH = (0.10, 0.45)  # in R_vir: where gas waits to fall in


@dataclass(kw_only=True, eq=False)
class Baryons:
    """Stars and gas, one row a particle for the whole run; a star keeps the row and the identifier of the gas it was.

    Attributes
    ----------
    particle_id : ndarray of int64
    particle_mass : float
        Of every particle, Msun.
    star : ndarray of bool
    born : ndarray
        Time of birth, Gyr; NaN for gas.
    oh : ndarray
        12 + log(O/H): of stars their own, of gas an offset from the disc's (dex).
    elements : ndarray, shape (n, 13)
        Orbits (`astroclumps.synthetic.orbits`).
    host : ndarray of int32
        Body that holds the particle, -1 where free.
    hot_until : ndarray
        Gas is hot before this time, Gyr.
    fall : ndarray, shape (n, 5)
        Where gas comes from: start and duration of its fall (Gyr), and the offset from its orbit before (kpc). Duration 0: no fall.
    phase : ndarray
        A number in 0-1 of each particle's own, from which slow changes of temperature come.
    thin : ndarray of bool
        In the layer that forms stars.
    """

    particle_id: np.ndarray
    particle_mass: float
    star: np.ndarray
    born: np.ndarray
    oh: np.ndarray
    elements: np.ndarray
    host: np.ndarray
    hot_until: np.ndarray
    fall: np.ndarray
    phase: np.ndarray
    thin: np.ndarray

    def __len__(self):
        return len(self.star)

    def form_stars(self, rows, times, oh):
        """Turn gas into stars: same rows, same identifiers, same mass."""
        self.star[rows] = True
        self.born[rows] = times
        self.oh[rows] = oh


def layers(disc: DiscProperties) -> tuple[float, float]:
    """Share of the gas in the thin layer, and height of the thick one (Gaussian sigma, kpc), so that 85% of it is within H_d."""
    from scipy.special import erf

    sigma = 0.7 * disc.r_d
    inside_h, inside_r = (erf(length / np.sqrt(2) / sigma) for length in (disc.h_d, disc.r_d))
    over = max(_PART * inside_r - inside_h, 0.05) / (1 - _PART)
    return float(over / (1 + over)) - _YOUNG, sigma


def scale_length(disc: DiscProperties) -> float:
    """Exponential scale length of the gas, kpc, with which 85% of the mass inside 0.15 R_vir lies inside R_d."""

    def inside(radius, scale):
        grid, part = _enclosed(scale, disc.r_d)
        return np.interp(radius, grid, part)

    low, high = 0.1 * disc.r_d, disc.r_d / _FLATTEST
    for _ in range(40):
        scale = np.sqrt(low * high)
        low, high = (scale, high) if inside(disc.r_d, scale) / inside(0.15 * disc.r_vir, scale) > _PART + 0.02 else (low, scale)
    return float(scale)


def _enclosed(scale, r_d):
    """Radii, and the share of an exponential disc inside them; it fades towards its edge, so that nothing piles up there."""
    grid = np.linspace(0, _EDGE * r_d, 2000)
    middle = 0.5 * (grid[1:] + grid[:-1])
    part = np.concatenate([[0], np.cumsum(middle * np.exp(-middle / scale) / (1 + (middle / (_FADES * r_d)) ** 8))])
    return grid, part / part[-1]


def _exponential(rng, n, scale, r_d):
    """Radii of a disc of stars or gas."""
    grid, part = _enclosed(scale, r_d)
    return np.maximum(np.interp(rng.random(n), part, grid), 0.03)


def _planar(rng, radius, spread, height, arm, potential, flare=0.0):
    """Orbits in the disc, of guiding radius ``radius``; ``spread`` is the Rayleigh width of eccentricity, ``flare`` the
    radius at which the height is ``height``; it grows outwards."""
    n = len(radius)
    made = np.zeros((n, N_ELEMENTS))
    made[:, RG] = radius
    made[:, ECC] = np.minimum(rng.rayleigh(1, n) * spread, ECC_MAX)
    made[:, PSI], made[:, PHI0], made[:, PSIZ] = rng.uniform(0, 2 * np.pi, (3, n))
    made[:, ZA] = rng.rayleigh(1, n) * height * (0.75 + 0.25 * np.minimum(radius / flare, 4.0) if flare else 1.0)
    made[:, OMEGA], made[:, KAPPA], made[:, NU] = potential.frequencies(radius)
    made[:, ARM] = arm
    made[:, COS_I] = 1
    return made


def spheroidal(rng: np.random.Generator, radius: np.ndarray, potential: Potential) -> np.ndarray:
    """Orbits in planes of every direction about radii (kpc); returns elements."""
    made = _planar(rng, np.maximum(radius, 0.03), 0.3, 0.0, 0.0, potential)
    made[:, COS_I] = rng.uniform(-1, 1, len(radius))
    made[:, SIN_I] = np.sqrt(1 - made[:, COS_I] ** 2)
    made[:, NODE] = rng.uniform(0, 2 * np.pi, len(radius))
    return made


def sample_baryons(rng, disc, potential, *, n_stars, start, end, universe_age) -> Baryons:
    """Place all stars and gas at the start of a run.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
    disc : DiscProperties
    potential : Potential
    n_stars : int
        Stars at the end of the run, which sets the mass of a particle.
    start, end : float
        Of the run with its prelude, Gyr, on the clock on which orbits count.
    universe_age : float
        Age of the Universe at ``start``, Gyr.

    Returns
    -------
    Baryons
    """
    mass = disc.star_mass / n_stars
    formed = disc.sfr * (end - start)
    n_old = round((disc.star_mass - formed) / mass)
    n_bulge = round(n_old * disc.bulge_fraction)
    n_gas = round(disc.gas_mass / _IN_CYLINDER / mass)
    n_fall = round(1.05 * formed / mass)
    scale = scale_length(disc)

    part = rng.random(n_bulge) * 0.85
    root = np.sqrt(part)
    bulge = spheroidal(rng, disc.bulge_radius * root / (1 - root), potential)
    radius = _exponential(rng, n_old - n_bulge, scale * disc.star_scale, disc.r_d)
    # older stars are hotter: the age of a star, as a share of the mean, raises its eccentricity and height
    old_age = rng.exponential(1, n_old) + 0.02
    heat = np.clip(old_age[n_bulge:], 0.2, 2.0) ** 0.3
    stars = _planar(rng, radius, 0.16 * heat, disc.star_height * heat, _STAR_ARM, potential)
    thin_share, thick = layers(disc)
    n_thin = round(n_gas * thin_share)
    thin_gas = _planar(rng, _exponential(rng, n_thin, scale, disc.r_d), 0.06, disc.thin, 1.0, potential, 0.5 * disc.r_d)
    thick_gas = _planar(rng, _exponential(rng, n_gas - n_thin, scale, disc.r_d), 0.15, thick, 0.3, potential)
    falling = _planar(rng, _exponential(rng, n_fall, 0.85 * scale, disc.r_d), 0.06, disc.thin, 1.0, potential, 0.5 * disc.r_d)
    fall_thin = rng.random(n_fall) < _FALL_THIN
    falling[~fall_thin, ZA] *= thick / disc.thin
    for layer in (thick_gas, falling):  # what is far above the plane is not above the centre
        tall = layer[:, ZA] > 5 * layer[:, RG]
        layer[tall, ZA] = 5 * layer[tall, RG] * rng.random(np.sum(tall))
    falling[~fall_thin, ARM] = 0.3

    elements = np.concatenate([bulge, stars, thin_gas, thick_gas, falling])
    n = len(elements)
    born, star = np.full(n, np.nan), np.zeros(n, dtype=bool)
    star[:n_old] = True
    # inside out: inner stars of the disc are older; the bulge is older still
    mean = np.full(n_old, disc.age * universe_age)
    mean[:n_bulge] *= 1.8
    mean[n_bulge:] *= np.clip(1.25 - 0.35 * radius / disc.r_d, 0.6, 1.25)
    age = np.where(old_age * mean < 0.9 * universe_age, old_age * mean, rng.uniform(0.02, 0.9, n_old) * universe_age)
    born[:n_old] = start - age
    oh = rng.normal(0, 0.08, n)
    oh[:n_old] += disc.star_oh + disc.gradient * (elements[:n_old, RG] / disc.r_d - 0.5) - 0.12 * age / (disc.age * universe_age)
    oh[n - n_fall :] -= 0.15
    fall = np.zeros((n, 5))
    fall[n - n_fall :, 0] = rng.uniform(start - 0.2, end - 0.1, n_fall)
    fall[n - n_fall :, 1] = rng.uniform(0.12, 0.3, n_fall)
    way = rng.normal(size=(n_fall, 3))
    reach = rng.uniform(*_HALO_REACH, n_fall) * disc.r_vir
    fall[n - n_fall :, 2:] = way * (reach / np.linalg.norm(way, axis=1))[:, None]
    thin = np.zeros(n, dtype=bool)
    thin[n_old : n_old + n_thin] = True
    thin[n - n_fall :] = fall_thin
    return Baryons(
        particle_id=rng.permutation(n).astype(np.int64) * 7 + 1_000_003,
        particle_mass=mass,
        star=star,
        born=born,
        oh=oh,
        elements=elements,
        host=np.full(n, -1, dtype=np.int32),
        hot_until=np.full(n, -np.inf),
        fall=fall,
        phase=rng.random(n),
        thin=thin,
    )


def sample_dark(rng, disc, potential, n):
    """Dark matter of the halo: elements (n, 13) and masses (Msun); lighter particles, and so more of them, where the disc is."""
    scale = disc.r_vir / disc.concentration
    grid = np.geomspace(1e-3, disc.r_vir, 4000)
    mass = np.log1p(grid / scale) - grid / scale / (1 + grid / scale)
    mass *= disc.halo_mass / mass[-1]
    inner = np.interp(2 * disc.r_d, grid, mass)
    n_inner = int(0.75 * n)
    share = np.concatenate(
        [(np.arange(n_inner) + 0.5) / n_inner * inner, inner + (np.arange(n - n_inner) + 0.5) / (n - n_inner) * (mass[-1] - inner)]
    )
    radius = np.interp(share, mass, grid)
    masses = np.full(n, (mass[-1] - inner) / max(n - n_inner, 1))
    masses[:n_inner] = inner / max(n_inner, 1)
    return spheroidal(rng, radius, potential), masses
