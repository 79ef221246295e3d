"""What happens to a galaxy between two snapshots: clumps are born, feed, form stars, are judged, move in, merge and dissolve."""

from typing import NamedTuple

import numpy as np

from .clumps import SEEN, Body, Path, clump_masses, clump_traits, free_fall_time, v_circ
from .complexes import Complexes
from .orbits import COS_I, RG, elements_from, near, phase_space, places
from .particles import Baryons
from .potential import KMS, Potential
from .relations import DiscProperties
from .spiral import SpiralArms

__all__ = ["INWARDS", "Evolution", "FreeGas"]

_DELTA = 5e-5  # Gyr, over which velocities are differenced
_COLLAPSE = (0.025, 0.045)  # Gyr, in which a clump's gas comes together
_LOOSE_ARM = 0.3  # how far freed particles follow the arms
_ROUNDING = 0.75  # power of the axis ratios of a clump once it is held (ours)
_SPREAD = (0.02, 0.08)  # dex, of the radial and vertical frequency of freed particles (ours)
_LARGEST = 0.2  # of the disc's gas: the largest clump (ours)
_FEWEST = 30  # particles, that a clump must be worth
INWARDS = 1.7  # how star formation of the disc rises inwards, per R_d (ours)
_THICK_SFR = 0.05  # star formation of the thick layer's gas over the thin one's (ours)


class FreeGas(NamedTuple):
    """Gas that may be taken: rows of the baryons, positions, how much arms crowd it, and whether it is free still."""

    rows: np.ndarray
    position: np.ndarray
    boost: np.ndarray
    free: np.ndarray


class Evolution:
    """The moving state of one galaxy.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
    disc : DiscProperties
    potential : Potential
    arms : SpiralArms
    baryons : Baryons
        Changed in place.
    start, end : float
        Gyr; clumps are born in between.
    """

    def __init__(self, rng, disc: DiscProperties, potential: Potential, arms: SpiralArms, baryons: Baryons, *, start: float, end: float):
        self.rng, self.disc, self.potential, self.arms, self.baryons = rng, disc, potential, arms, baryons
        self.time, self.start, self.end = start, start, end
        self.bodies: list[Body] = []
        low = max(10**6.5, _FEWEST * baryons.particle_mass)
        n = rng.poisson(disc.clumpiness * (end - start) / 0.1)
        self._births = np.sort(rng.uniform(start, end, n))
        high = max(min(10**9.5, _LARGEST * disc.gas_mass), 2 * low)
        self._masses = clump_masses(rng, n, low=low, high=high, cut=max(disc.largest * disc.gas_mass, low))
        self._complexes = Complexes(rng, disc.complexes)
        names = ("omega", "kappa", "nu", "momentum")
        self._tables = np.array([potential.tables[name] for name in names])
        self._formed = 0  # stars that clumps formed in this step

    # ---- where particles are

    def base(self, rows, t):
        """Positions and velocities of particles on their own orbits, whoever holds them."""
        elements = self.baryons.elements[rows]
        position, velocity = np.empty((len(rows), 3)), np.empty((len(rows), 3))
        phase_space(elements, t, self.arms.at(t), position, velocity)
        fall = self.baryons.fall[rows]
        late = np.flatnonzero(fall[:, 0] + fall[:, 1] > t) if len(fall) else []
        late = late[fall[late, 1] > 0] if len(late) else late
        if len(late):
            x = np.clip((t - fall[late, 0]) / fall[late, 1], 0, 1)
            position[late] += ((1 - x) ** 2 * (1 + 2 * x))[:, None] * fall[late, 2:]
            velocity[late] += (-6 * x * (1 - x) / fall[late, 1])[:, None] * fall[late, 2:]
        return position, velocity

    def place(self, body: Body, t: float):
        """Positions of a body's members, and velocities by differencing them."""
        places = []
        for when in (t - _DELTA, t, t + _DELTA):
            inside, share = body.inside(when), body.arrived(when)
            young = np.flatnonzero(share < 1)
            if len(young):
                w = share[young][:, None]
                inside[young] = w * inside[young] + (1 - w) * self.base(body.rows[young], when)[0]
            places.append(inside)
        return places[1], (places[2] - places[0]) / (2 * _DELTA)

    # ---- one step

    def step(self, dt: float) -> None:
        """Go on by ``dt`` Gyr."""
        t = self.time
        self._formed = 0
        for body in [one for one in self.bodies if one.alive]:
            self._judge(body, t)
        self._merge(t)
        gas = self.free_gas(t)
        new = (self._births >= t) & (self._births < t + dt)
        for born, mass in zip(self._births[new], self._masses[new], strict=True):
            self._give_birth(born, mass, gas)
        for body in [one for one in self.bodies if one.alive and one.born < t]:
            self._live(body, t, dt, gas)
        self._form_disc_stars(t, dt, gas)
        self.time = t + dt

    def free_gas(self, t) -> FreeGas:
        """Cold gas of the disc that no body holds."""
        b = self.baryons
        rows = np.flatnonzero(~b.star & (b.host < 0) & (b.fall[:, 0] + b.fall[:, 1] <= t) & (b.hot_until <= t))
        position, boost = np.empty((len(rows), 3)), np.empty(len(rows))
        places(b.elements, rows, t, self.arms.at(t), position, boost)
        return FreeGas(rows, position, boost, np.ones(len(rows), dtype=bool))

    def _give_birth(self, born, mass, gas):
        """A clump out of the gas of the outer disc, where arms crowd it."""
        rng, disc, b = self.rng, self.disc, self.baryons
        position = gas.position
        radius = np.hypot(position[:, 0], position[:, 1]) / disc.r_d
        fit = gas.free & b.thin[gas.rows] & (radius > 0.45) & (radius < 1.2) & (abs(position[:, 2]) < 2 * disc.thin)
        weight = np.cumsum(np.where(fit, gas.boost**1.5 * radius**1.5, 0.0))
        if not len(weight) or weight[-1] <= 0:
            return
        centre = position[np.searchsorted(weight, rng.random() * weight[-1], side="right")]
        n = round(mass / b.particle_mass)
        found = np.empty(len(position), dtype=np.int64)
        found = found[: near(position, gas.free, centre, 2.2, found)]
        distance = np.sqrt((((position[found] - centre) * np.array([1, 1, 0.6])) ** 2).sum(axis=1))
        reach = int(n / 0.7) + 1
        if len(found) > reach:
            found = found[np.argpartition(distance, reach - 1)[:reach]]
        if len(found) < max(0.5 * n, 15):
            return
        chosen = np.sort(rng.permutation(found)[:n])
        gas.free[chosen] = False
        mass = len(chosen) * b.particle_mass
        traits = clump_traits(rng, mass)
        rows = np.concatenate([gas.rows[chosen], self._captured(centre, len(chosen), traits["captured"], born)])
        where = float(np.hypot(centre[0], centre[1]))
        way = traits["migration"] * disc.r_d / float(self.potential.speed(disc.r_d))
        path = Path(
            start=born,
            duration=way,
            r_0=where,
            r_end=max(0.06 * disc.r_d, 0.3),
            phi_0=float(np.arctan2(centre[1], centre[0])),
            height=float(centre[2]),
            potential=self.potential,
        )
        strength = np.log10(v_circ(mass, SEEN * traits["radius"]) / traits["v_limit"])
        short, long = self._axis_ratios(strength)
        collapse = rng.uniform(*_COLLAPSE)
        body = Body(
            number=len(self.bodies) + 1,
            kind="clump",
            born=born,
            path=path,
            mass_born=mass,
            traits=traits,
            axes=np.array([1.0, long, short]) / (long * short) ** (1 / 3),
            spin=float(self.potential.frequencies(where)[0]) * rng.uniform(0.7, 1.5),
            spin_0=path.phi_0 + np.pi / 2 - disc.pitch + rng.normal(0, 0.3),
            judged=born + collapse,
        )
        start = born + rng.uniform(0, 0.4, n := len(rows)) * collapse
        body.add(rng, rows, start, rng.uniform(0.4, 0.7, n) * collapse, traits["radius"], mass)
        b.host[rows] = body.number
        self.bodies.append(body)

    def _captured(self, centre, n, share, t):
        """Stars of the disc that a clump takes with it when it comes together: as many as a share of its gas, the nearest ones."""
        b, where = self.baryons, np.hypot(centre[0], centre[1])
        if share * n < 1:
            return np.zeros(0, dtype=np.int64)
        guiding = b.elements[:, RG]
        rows = np.flatnonzero(b.star & (b.host < 0) & (b.elements[:, COS_I] == 1) & (abs(guiding - where) < 0.3 * where + 0.8))
        position, boost = np.empty((len(rows), 3)), np.empty(len(rows))
        places(b.elements, rows, t, self.arms.at(t), position, boost)
        found = np.empty(len(rows), dtype=np.int64)
        found = found[: near(position, np.ones(len(rows), dtype=bool), centre, 0.8, found)]
        wanted = min(int(share * n), len(found) // 2)
        distance = ((position[found] - centre) ** 2).sum(axis=1)
        return rows[np.sort(found[np.argsort(distance, kind="stable")[:wanted]])]

    def _axis_ratios(self, strength):
        """Two axis ratios, rounder where a clump is bound better, with much scatter."""
        middle = 0.68 + 0.25 * np.tanh(2.3 * strength)
        two = np.sort(np.clip(self.rng.normal(middle, 0.14, 2), 0.25, 1.0))
        return two

    def _judge(self, body, t):
        """Apply the clump's rule: feedback once it has formed, tides always."""
        mass = len(body.rows) * self.baryons.particle_mass
        if not len(body.rows) or t >= body.until:
            self._dissolve(body, t)
            return
        if t >= body.path.end:
            self._release(body, np.ones(len(body.rows), dtype=bool), t)
            body.fate, body.ended = "merged", t
            return
        radius = body.radius(mass)
        tide = body.traits["tide"] * float(self.potential.tidal_radius(mass, body.path.radius(t)))
        if body.kind == "clump" and body.fate == "forming" and t >= body.judged:
            if v_circ(mass, SEEN * radius) > body.traits["v_limit"] and radius < tide:
                body.fate = "held"
                body.axes = body.axes**_ROUNDING
            else:
                body.fate = "short"
                body.until = t + body.traits["wait"] * float(free_fall_time(mass, SEEN * radius))
        elif body.fate == "held":
            outside = (body.members[:, 2] > tide) & (body.arrived(t) > 0.99)
            if outside.any():
                self._release(body, outside & (self.rng.random(len(outside)) < 0.6), t)
            self._strip_remnant(body, t)

    def _strip_remnant(self, body, t):
        """Near the centre a clump may lose most of its stars at once; what is left is a remnant with a number of its own."""
        if body.kind != "clump" or body.path.radius(t) > body.traits.setdefault("strip_at", self.rng.uniform(-0.2, 0.4)) * self.disc.r_d:
            return
        rng, b = self.rng, self.baryons
        lost = np.where(b.star[body.rows], rng.random(len(body.rows)) < 0.85, rng.random(len(body.rows)) < 0.4)
        self._release(body, lost, t)
        left = Body(
            number=len(self.bodies) + 1,
            kind="remnant",
            born=t,
            path=body.path,
            mass_born=max(len(body.rows), 1) * b.particle_mass,
            traits={**body.traits, "radius": 0.8 * body.radius(len(body.rows) * b.particle_mass)},
            axes=body.axes,
            spin=body.spin,
            spin_0=body.spin_0 + body.spin * (t - body.born),
            parent=body.number,
            fate="short",
            until=t + rng.uniform(0.05, 0.18),
            rows=body.rows,
            members=body.members,
        )
        b.host[body.rows] = left.number
        body.rows, body.members = body.rows[:0], body.members[:0]
        body.fate, body.ended, body.into = "merged", t, left.number
        self.bodies.append(left)

    def _merge(self, t):
        """Clumps that touch become one."""
        alive = [one for one in self.bodies if one.alive and one.kind == "clump" and len(one.rows)]
        alive.sort(key=lambda one: (-len(one.rows), one.number))
        places = [one.path.at(t) for one in alive]
        for i, big in enumerate(alive):
            for j in range(i + 1, len(alive)):
                small = alive[j]
                if not (big.alive and small.alive):
                    continue
                reach = big.traits["radius"] + small.traits["radius"]
                if np.linalg.norm(places[i] - places[j]) < 0.8 * reach:
                    rows = small.rows
                    self._release(small, np.ones(len(rows), dtype=bool), t)
                    mass = (len(big.rows) + len(rows)) * self.baryons.particle_mass
                    big.add(self.rng, rows, np.full(len(rows), t), np.full(len(rows), 0.02), big.radius(mass), mass)
                    self.baryons.host[rows] = big.number
                    small.fate, small.ended, small.into = "merged", t, big.number

    def _live(self, body, t, dt, gas):
        """Star formation, outflow and accretion of one body in a step."""
        rng, b = self.rng, self.baryons
        mass = len(body.rows) * b.particle_mass
        if not mass:
            return
        rate = self.rate(body)
        ready = ~b.star[body.rows] & (body.arrived(t + 0.5 * dt) > 0.6)
        new = ready & (rng.random(len(ready)) < 1 - np.exp(-rate * dt))
        picked = body.rows[new]
        b.form_stars(picked, t + dt * rng.random(len(picked)), self.metallicity(picked, t))
        self._formed += len(picked)
        if body.kind == "satellite":
            return
        b.oh[body.rows[~b.star[body.rows]]] += 0.6 * dt  # its own stars enrich the gas, 0.06 dex in 100 Myr (ours)
        if body.fate == "held":
            out = ~new & ready & (rng.random(len(ready)) < 1 - np.exp(-body.traits["outflow"] * rate * dt))
            if out.any():
                gone = body.rows[out]
                self._release(body, out, t, kick=40 * KMS)
                b.hot_until[gone] = t + rng.uniform(0.01, 0.06, len(gone))
        if body.fate == "short" and body.kind == "clump":
            return
        hill = float(self.potential.tidal_radius(mass, body.path.radius(t)))
        centre = body.path.at(t)
        found = np.empty(len(gas.rows), dtype=np.int64)
        found = found[: near(gas.position, gas.free, centre, 1.6 * hill, found)]
        wanted = min(rng.poisson(mass * dt / body.traits["growth"] / b.particle_mass), len(found) // 2)
        if wanted:
            chosen = np.sort(rng.permutation(found)[:wanted])
            gas.free[chosen] = False
            late = t + dt * rng.random(wanted)
            body.add(rng, gas.rows[chosen], late, np.full(wanted, 0.02), body.radius(mass), mass)
            b.host[gas.rows[chosen]] = body.number

    def rate(self, body: Body) -> float:
        """Star formation of a body's gas over its mass, per Gyr: efficiency over free-fall time."""
        mass = len(body.rows) * self.baryons.particle_mass
        return body.traits["efficiency"] / float(free_fall_time(mass, SEEN * body.radius(mass)))

    def _dissolve(self, body, t):
        """Let everything go; members fly apart and shear does the rest."""
        gas = body.rows[~self.baryons.star[body.rows]]
        self._release(body, np.ones(len(body.rows), dtype=bool), t, kick=12 * KMS, loosen=1.5, keep=True)
        self.baryons.hot_until[gas] = t + self.rng.uniform(0.0, 0.04, len(gas))
        body.fate, body.ended = "dissolved", t

    def _release(self, body, gone, t, *, kick=0.0, loosen=1.0, keep=False):
        """Put members on orbits of their own, from where they are and as fast as they are."""
        rows = body.rows[gone]
        if not len(rows):
            return
        position, velocity = (array[gone] for array in self.place(body, t))
        if kick or loosen != 1:
            drift = velocity.mean(axis=0)
            velocity = drift + loosen * (velocity - drift) + self.rng.normal(0, max(kick, 1e-9), velocity.shape)
        b = self.baryons
        made = np.empty((len(rows), b.elements.shape[1]))
        spread = 10 ** self.rng.normal(0, _SPREAD, (len(rows), 2))
        radii = self.potential.tables["log_radius"]
        elements_from(position, velocity, t, _LOOSE_ARM, self.arms.at(t), radii, self._tables, spread, made)
        b.elements[rows] = made
        b.fall[rows] = 0
        b.host[rows] = -1
        b.thin[rows] = True
        if keep:  # whoever follows its remains wants to know
            body.freed = rows
        body.drop(gone)

    def _form_disc_stars(self, t, dt, gas):
        """Stars from the disc's gas, as many as the galaxy's rate leaves, more of them in the arms."""
        b, rows = self.baryons, gas.rows[gas.free]
        wanted = self.rng.poisson(max(self.star_formation(t) * dt / b.particle_mass, 0.0)) - self._formed
        if wanted <= 0 or not len(rows):
            return
        crowded = gas.boost[gas.free]
        # the gas has a scale length of about R_d/3.4: with this weight stars form as the power 1.5 of its density
        weight = np.where(b.thin[rows], 1.0, _THICK_SFR) * crowded * np.exp(-INWARDS * b.elements[rows, RG] / self.disc.r_d)
        self._complexes.renew(t, dt, rows, weight * crowded)
        near_one = weight * self._complexes.weigh(t, b.elements, self.arms.at(t), gas.position[gas.free])
        share = self.disc.clustering
        weight = (1 - share) * weight / weight.sum() + share * near_one / max(near_one.sum(), 1e-30)
        key = self.rng.exponential(1, len(rows)) / np.maximum(weight, 1e-30)
        wanted = min(wanted, len(rows) // 2)
        new = rows[np.argpartition(key, wanted)[:wanted]]
        b.form_stars(new, t + dt * self.rng.random(len(new)), self.metallicity(new, t))

    def star_formation(self, t):
        """Of the whole galaxy at a time, Msun/Gyr: a trend and a wave about the mean."""
        trend, amplitude, period, phase = self.disc.history
        wave = 1 + amplitude * np.sin(2 * np.pi * t / period + phase)
        return self.disc.sfr * wave * np.clip(1 + trend * (t - 0.5 * (self.start + self.end)), 0.3, 2.0)

    def metallicity(self, rows, t):
        """12 + log(O/H) of gas particles at a time."""
        b, disc = self.baryons, self.disc
        growth = 0.29 * np.log10(1 + disc.sfr / disc.star_mass * (t - 0.5 * (self.start + self.end)) * 0.8)
        return disc.gas_oh + growth + disc.gradient * (b.elements[rows, RG] / disc.r_d - 0.5) + b.oh[rows]
