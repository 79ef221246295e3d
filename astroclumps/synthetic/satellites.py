"""Satellites: small galaxies with dark matter of their own that spiral in from the halo and are stripped on their way."""

from dataclasses import dataclass, field

import numpy as np

from .clumps import Body, Path
from .orbits import phase_space
from .particles import Baryons, sample_dark, spheroidal
from .potential import G, Potential
from .relations import DiscProperties

__all__ = ["DarkMatter", "add_satellites"]

_NUMBER = 1.1  # satellites a Gyr (ours)
_LOG_MASS = (7.6, 8.9)  # of the stars, Msun, in a galaxy of 1e10 Msun (ours)
_GAS = (0.05, 0.35)  # gas over stars (ours)
_DARK = (8.0, 20.0)  # dark matter over stars (ours)
_WAY = (1.2, 2.4)  # Gyr from 0.25 R_vir to the centre (ours)
_OLDEST = 0.6  # mean age over the Universe's (ours)


@dataclass(kw_only=True, eq=False)
class DarkMatter:
    """The halo's particles, and behind them those of satellites.

    Attributes
    ----------
    particle_id : ndarray of int64
    mass : ndarray
        Msun.
    elements : ndarray, shape (n, 13)
    bodies : list of Body
        One for each satellite, whose ``rows`` are rows of these arrays.
    """

    particle_id: np.ndarray
    mass: np.ndarray
    elements: np.ndarray
    bodies: list = field(default_factory=list)

    @classmethod
    def sample(cls, rng, disc: DiscProperties, potential: Potential, n: int, first_id: int) -> "DarkMatter":
        """The halo without satellites."""
        elements, mass = sample_dark(rng, disc, potential, n)
        return cls(particle_id=first_id + rng.permutation(n).astype(np.int64), mass=mass, elements=elements)

    def phase_space(self, t: float, potential: Potential):
        """Positions and velocities of all particles; satellites are stripped of what lies outside their tidal radius."""
        position, velocity = np.empty((len(self.mass), 3)), np.empty((len(self.mass), 3))
        phase_space(self.elements, t, np.zeros((0, 8)), position, velocity)
        for body in self.bodies:
            radius = float(body.path.radius(t))
            bound = self.mass[body.rows].sum() if len(body.rows) else 0.0
            limit = 1.3 * float(potential.tidal_radius(bound, radius)) if t < body.path.end else 0.0
            body.drop(body.members[:, 2] > limit)
            if len(body.rows):
                inside = [body.inside(when) for when in (t - 5e-5, t, t + 5e-5)]
                position[body.rows], velocity[body.rows] = inside[1], (inside[2] - inside[0]) / 1e-4
        return position, velocity


def _plummer(rng, n, scale, edge):
    """Radii of a Plummer sphere that ends at ``edge`` scales."""
    part = rng.random(n) * (edge**2 / (1 + edge**2)) ** 1.5
    root = part ** (2 / 3)
    return scale * np.sqrt(root / (1 - root))


def add_satellites(rng, disc, potential, baryons: Baryons, dark: DarkMatter, *, start, end, universe_age):
    """Draw a galaxy's satellites and add their particles.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
    disc : DiscProperties
    potential : Potential
    baryons : Baryons
    dark : DarkMatter
        Changed in place.
    start, end : float
        Of the run, Gyr.
    universe_age : float
        At ``start``, Gyr.

    Returns
    -------
    baryons : Baryons
        With the satellites' stars and gas behind the others.
    bodies : list of Body
        One a satellite, not yet numbered in a galaxy: numbers are 1, 2, ...
    """
    bodies, parts = [], []
    first = len(baryons)
    for _ in range(rng.poisson(_NUMBER * (end - start + 0.8))):
        way = rng.uniform(*_WAY)
        arrival = rng.uniform(start + 0.1, end + 0.8)  # at the centre
        r_0 = 0.25 * disc.r_vir
        plane = np.linalg.qr(rng.normal(size=(3, 2)))[0].T
        path = Path(
            start=arrival - way,
            duration=way,
            r_0=r_0,
            r_end=0.3,
            phi_0=rng.uniform(0, 2 * np.pi),
            potential=potential,
            power=0.7,
            plane=plane,
        )
        stars = min(10 ** rng.uniform(*_LOG_MASS) * (disc.star_mass / 1e10) ** 0.5, 0.08 * disc.star_mass)
        n_star = max(round(stars / baryons.particle_mass), 40)
        n_gas = round(n_star * rng.uniform(*_GAS))
        n = n_star + n_gas
        scale = 0.17 * (stars / 10**8.3) ** 0.3 * 10 ** rng.normal(0, 0.1)
        traits = {"radius": 2 * scale, "efficiency": 0.006, "growth": 1.0, "outflow": 0.0, "tide": 1.2, "cusp": 2.0, "v_limit": 0.0}
        mass = n * baryons.particle_mass
        axes = np.array([1.0, *np.sort(rng.uniform(0.6, 1.0, 2))[::-1]])

        number = len(bodies) + 1

        def body(rows, radius, held, axes=axes, path=path, traits=traits, mass=mass, number=number):
            made = Body(
                number=number,
                kind="satellite",
                born=path.start,
                path=path,
                mass_born=mass,
                traits=traits,
                axes=axes / np.prod(axes) ** (1 / 3),
                spin=1.0,
                spin_0=0.0,
                fate="held",
            )
            made.add(rng, rows, np.full(len(rows), path.start - 1), np.full(len(rows), 0.01), 1.0, 1.0)
            made.members[:, 2] = radius
            order = np.argsort(np.argsort(radius))
            inside = held * (order + 1) / len(rows)
            made.members[:, 9] = np.sqrt(G * inside / np.maximum(radius, 0.03) ** 3)
            return made

        dark_mass = stars * rng.uniform(*_DARK)
        n_dark = int(np.clip(dark_mass / dark.mass.min(), 60, len(dark.mass) // 12))
        rows = np.arange(len(dark.mass), len(dark.mass) + n_dark)
        dark.bodies.append(body(rows, _plummer(rng, n_dark, 3.0 * scale, 6.0), dark_mass))
        dark.particle_id = np.concatenate([dark.particle_id, dark.particle_id.max() + 1 + np.arange(n_dark)])
        dark.mass = np.concatenate([dark.mass, np.full(n_dark, dark_mass / n_dark)])
        # where the halo has them once they are stripped
        dark.elements = np.concatenate([dark.elements, spheroidal(rng, rng.uniform(0.5, 3, n_dark) * disc.r_d, potential)])
        made = body(np.arange(first, first + n), _plummer(rng, n, scale, 4.0), mass + dark_mass / 8)
        star = np.zeros(n, dtype=bool)
        star[rng.permutation(n)[:n_star]] = True
        age = np.clip(rng.normal(_OLDEST, 0.2, n), 0.1, 0.95) * universe_age
        parts.append((star, start - age, rng.normal(0, 0.1, n), disc, made))
        bodies.append(made)
        first += n
    return _joined(rng, baryons, parts, bodies, potential), bodies


def _joined(rng, b, parts, bodies, potential):
    if not parts:
        return b
    star = np.concatenate([part[0] for part in parts])
    n = len(star)
    born = np.where(star, np.concatenate([part[1] for part in parts]), np.nan)
    # poor in metals by the mass-metallicity relation: a dex of mass is 0.3-0.4 dex
    oh = np.concatenate([part[2] + np.where(part[0], part[3].star_oh, 0.0) - 0.55 for part in parts])
    host = np.concatenate([np.full(len(part[0]), part[4].number) for part in parts]).astype(np.int32)
    largest = int(b.particle_id.max())
    return Baryons(
        particle_id=np.concatenate([b.particle_id, largest + 1 + 7 * rng.permutation(n)]),
        particle_mass=b.particle_mass,
        star=np.concatenate([b.star, star]),
        born=np.concatenate([b.born, born]),
        oh=np.concatenate([b.oh, oh]),
        elements=np.concatenate([b.elements, spheroidal(rng, np.full(n, 3.0), potential)]),
        host=np.concatenate([b.host, host]),
        hot_until=np.concatenate([b.hot_until, np.full(n, -np.inf)]),
        fall=np.concatenate([b.fall, np.zeros((n, 5))]),
        phase=np.concatenate([b.phase, rng.random(n)]),
        thin=np.concatenate([b.thin, np.zeros(n, dtype=bool)]),
    )
