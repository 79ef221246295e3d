"""One synthetic galaxy: draws it, lets it evolve, and hands out a snapshot at a time."""

from collections.abc import Iterator
from dataclasses import replace

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.simulation.snapshot import Snapshot, vela_cosmology

from .evolution import INWARDS, Evolution
from .fluctuations import make_fluctuations
from .orbits import RG
from .particles import SOLAR_OH, Baryons, sample_baryons, scale_length
from .potential import KMS, Potential
from .record import Recorder
from .relations import draw_properties
from .satellites import DarkMatter, add_satellites
from .spiral import SpiralArms

__all__ = ["SyntheticGalaxy", "scale_factors"]

_PRELUDE = 0.5  # Gyr before the first snapshot, in which clumps come into being
_STEP = 0.02  # Gyr, at most
_SOLAR_Z = 0.0142
_REMAINS = 0.09  # Gyr, for which the record follows what a clump has left
_COLD = 1.5e4  # K (METHODS 1)


def scale_factors(rng: np.random.Generator, n: int) -> np.ndarray:
    """Consecutive scale factors, 0.01 apart, between 0.2 and 0.5; more than 31 begin before 0.2."""
    first = 0.50 - 0.01 * (n - 1)
    if first > 0.20:
        first = 0.20 + 0.01 * rng.integers(0, round((first - 0.20) / 0.01) + 1)
    return np.round(first + 0.01 * np.arange(n), 4)


class SyntheticGalaxy:
    """A clumpy disc that evolves.

    Parameters
    ----------
    name : str
    rng : `~numpy.random.Generator`
    n_snapshots : int
    n_stars : int
        Expected in the last snapshot.
    clumpiness : float, default 1
        Factor on the rate at which clumps are born.

    Attributes
    ----------
    disc : DiscProperties
        What was drawn.
    recorder : Recorder
        Record of the snapshots handed out so far.
    """

    def __init__(self, *, name: str, rng: np.random.Generator, n_snapshots: int, n_stars: int, clumpiness: float = 1.0):
        self.name, self._rng = name, rng
        self.cosmology = vela_cosmology()
        self.scale_factors = scale_factors(rng, n_snapshots)
        self.times = self.cosmology.age(1 / self.scale_factors - 1).to_value(u.Gyr)
        start, end = max(self.times[0] - _PRELUDE, 0.5 * self.times[0]), self.times[-1]
        middle = float(self.scale_factors[n_snapshots // 2])
        disc = draw_properties(rng, scale_factor=middle, duration=end - start)
        disc = self.disc = replace(disc, clumpiness=disc.clumpiness * clumpiness)
        bulge = disc.bulge_fraction * 0.5 * disc.star_mass
        self.potential = Potential(
            halo_mass=disc.halo_mass,
            r_vir=disc.r_vir,
            concentration=disc.concentration,
            bulge_mass=bulge,
            bulge_radius=disc.bulge_radius,
            disc_mass=0.7 * disc.star_mass - bulge + disc.gas_mass / 0.66,
            disc_scale=scale_length(disc),
            disc_height=2.5 * disc.star_height,
        )
        age = {"start": start, "end": end, "universe_age": start}
        baryons = sample_baryons(rng, disc, self.potential, n_stars=n_stars, **age)
        self.dark = DarkMatter.sample(rng, disc, self.potential, int(0.8 * n_stars), first_id=10**12)
        baryons, satellites = add_satellites(rng, disc, self.potential, baryons, self.dark, **age)
        arms = SpiralArms.draw(rng, disc, self.potential)
        self._evolution = Evolution(rng, disc, self.potential, arms, baryons, start=start, end=end)
        self._evolution.bodies.extend(satellites)
        self._turn = _frame(np.array(disc.axis))
        self._patches = 0
        self.recorder = Recorder()

    def __iter__(self) -> Iterator[Snapshot]:
        if self._evolution.time >= self.times[0]:
            raise RuntimeError("a galaxy evolves once; make it anew to begin again")
        for index, t in enumerate(self.times):
            steps = max(int(np.ceil((t - self._evolution.time) / _STEP)), 1)
            dt = (t - self._evolution.time) / steps
            for _ in range(steps):
                self._evolution.step(dt)
            self._evolution.time = t
            yield self._snapshot(index, float(t))

    def _snapshot(self, index, t):
        evolution, b = self._evolution, self._evolution.baryons
        patches = make_fluctuations(evolution, t, self.disc.fluctuations)
        position, velocity = evolution.base(np.arange(len(b)), t)
        clumps = []
        for body in evolution.bodies:
            if body.alive and body.born <= t and len(body.rows):
                position[body.rows], velocity[body.rows] = evolution.place(body, t)
                clumps.append((body.number, body.kind, body.parent, body.fate, body.born, body.traits["v_limit"], body.rows, body))
            elif body.fate == "dissolved" and t - body.ended < _REMAINS:
                clumps.append((body.number, body.kind, body.parent, body.fate, body.born, body.traits["v_limit"], body.freed, body))
        for patch in patches:
            self._patches += 1
            position[patch.rows] = patch.position
            clumps.append((100_000 + self._patches, "fluctuation", 0, "patch", t, np.nan, patch.rows, None))
        self.recorder.add(index, t, clumps, position, velocity, b, self._turn)
        dark_position, dark_velocity = self.dark.phase_space(t, self.potential)
        dark = self._table(self.dark.particle_id, dark_position, dark_velocity, self.dark.mass)
        star = np.flatnonzero(b.star & (np.nan_to_num(b.born) <= t))
        gas = np.flatnonzero(~b.star)
        mass = np.full(len(b), b.particle_mass)
        stars = self._table(b.particle_id[star], position[star], velocity[star], mass[star])
        stars["initial_mass"] = stars["mass"]
        stars["age"] = (t - b.born[star]).astype(np.float32) * u.Gyr
        stars["metallicity"] = _mass_fraction(b.oh[star])
        cells = self._table(b.particle_id[gas], position[gas], velocity[gas], mass[gas])
        temperature = self._temperature(gas, t)
        cells["temperature"] = temperature.astype(np.float32) * u.K
        cells["metallicity"] = _mass_fraction(evolution.metallicity(gas, t))
        cells["sfr"] = self._rates(gas, temperature).astype(np.float32) * (u.Msun / u.yr)
        return Snapshot(
            name=f"{self.name}, snapshot {index}",
            stars=stars,
            gas=cells,
            dark=dark,
            scale_factor=float(self.scale_factors[index]),
            cosmology=self.cosmology,
            r_vir=self.disc.r_vir * u.kpc,
            centre=np.zeros(3) * u.kpc,
            velocity=np.zeros(3) * u.km / u.s,
            meta={"generator": "astroclumps.synthetic", "galaxy": self.name},
        )

    def _table(self, particle_id, position, velocity, mass):
        return QTable(
            {
                "particle_id": particle_id,
                "position": (position @ self._turn).astype(np.float32) * u.kpc,
                "velocity": (velocity @ self._turn / KMS).astype(np.float32) * (u.km / u.s),
                "mass": mass.astype(np.float32) * u.Msun,
            }
        )

    def _temperature(self, gas, t):
        """Cold in the disc, colder in clumps, warm in part of the disc, hot in the halo and where feedback was."""
        b: Baryons = self._evolution.baryons
        turn = (b.phase[gas] + t / 0.3) % 1.0
        made = 10 ** (3.4 + 0.7 * np.sin(2 * np.pi * b.phase[gas] * 17) ** 2)
        warm = (turn < self.disc.hot_share) & (b.host[gas] < 0)
        made[warm] = 10 ** (4.4 + 1.1 * turn[warm] / self.disc.hot_share)
        made[b.host[gas] >= 0] *= 0.5
        made[b.hot_until[gas] > t] = 3e5
        virial = 3.6e5 * (self.potential.speed(0.5 * self.disc.r_vir) / KMS / 100) ** 2
        waits = b.fall[gas, 0] > t
        falls = ~waits & (b.fall[gas, 0] + b.fall[gas, 1] > t)
        made[falls & (b.phase[gas] > 0.5)] = 5e4
        made[waits] = virial * (0.7 + 0.6 * b.phase[gas][waits])
        return made

    def _rates(self, gas, temperature):
        """Star formation of each cold particle, Msun/yr: what the disc's rate gives it, or its clump's efficiency."""
        b: Baryons = self._evolution.baryons
        free = (b.host[gas] < 0) & (temperature < _COLD) & (b.fall[gas, 0] + b.fall[gas, 1] <= self._evolution.time)
        weight = np.where(free & b.thin[gas], np.exp(-INWARDS * b.elements[gas, RG] / self.disc.r_d), 0.0)
        made = weight / max(weight.sum(), 1e-30) * self._evolution.star_formation(self._evolution.time) / 1e9
        for body in self._evolution.bodies:
            if body.alive and len(body.rows):
                rate = self._evolution.rate(body)
                made[b.host[gas] == body.number] = rate * b.particle_mass / 1e9
        return made


def _mass_fraction(oh):
    """Metals as a share of the mass, from 12 + log(O/H)."""
    return np.clip(_SOLAR_Z * 10 ** (oh - SOLAR_OH), 1e-5, 0.08).astype(np.float32)


def _frame(axis):
    """Rows: two directions in the plane, and the axis."""
    helper = np.eye(3)[np.argmin(abs(axis))]
    one = np.cross(helper, axis)
    one /= np.linalg.norm(one)
    return np.array([one, np.cross(axis, one), axis])
