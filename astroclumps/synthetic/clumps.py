"""Bodies that hold particles: what a clump is born with, where it goes, and how its members move inside it."""

from dataclasses import dataclass, field

import numpy as np

from astroclumps.jit import compiled

from .potential import KMS, G, Potential

__all__ = ["MEMBER_COLUMNS", "SEEN", "Body", "Path", "clump_masses", "clump_traits", "free_fall_time", "v_circ", "v_supernova"]

#: Radius of a clump in the finder's cells over the radius that holds its members (measured on the suite).
SEEN = 1.3
MEMBER_COLUMNS = 11  # time of capture and its duration, semi-axis, two directions, angular speed, phase
_MASSES = (10**6.5, 10**9.5)  # METHODS 1
_SLOPE = -1.35  # dN/dM (ours): with cut-off, dissolution and the mix of galaxies, clumps that are found have the slope of METHODS 1
_RADIUS = (0.145, 10**7.5, 0.30, 0.18)  # kpc at a mass, exponent, scatter in dex; typical radii are about 180 pc (paper section 3.1.2)
_EFFICIENCY = (0.036, 0.12)  # star formation per free-fall time, 0.03-0.04 (METHODS 1), and scatter in dex
_LIMIT = (3.2, 0.28)  # factor of V_SN (18 km/s), scatter in dex (ours); VELA's own limit of 40 km/s (METHODS 1) would be 2.25
_TIDES = (1.0, 0.12)  # of the tidal radius, that a clump must fit into; scatter in dex (ours)
_MIGRATION = (7.0, 11.0)  # dynamical times R_d/V of the way in, '8-10' (METHODS 1)
_GROWTH = (0.9, 0.25)  # Gyr in which accretion doubles a clump (ours), scatter in dex


@compiled
def _place(members, t, turn, centre, out):
    """Fill the positions of members on their orbits inside a body; ``turn`` (3, 3) shapes and turns it."""
    for i in range(members.shape[0]):
        theta = members[i, 9] * t + members[i, 10]
        c, s = members[i, 2] * np.cos(theta), members[i, 2] * np.sin(theta)
        x, y, z = (
            c * members[i, 3] + s * members[i, 6],
            c * members[i, 4] + s * members[i, 7],
            c * members[i, 5] + s * members[i, 8],
        )
        for k in range(3):
            out[i, k] = centre[k] + turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z


def free_fall_time(mass, radius):
    """Free-fall time of a sphere, sqrt(3 pi / 32 G rho), Gyr."""
    return np.sqrt(np.pi**2 * radius**3 / (8 * G * mass))


def v_circ(mass, radius):
    """sqrt(G M / r) in km/s, of Msun and kpc.

    Examples
    --------
    >>> from astroclumps.synthetic.clumps import v_circ
    >>> round(float(v_circ(1e8, 0.25)), 1)
    41.5
    """
    return np.sqrt(G * mass / radius) / KMS


def v_supernova(efficiency):
    """Circular velocity below which supernovae unbind a clump, 30 (efficiency / 0.1)^0.5 km/s (METHODS 1).

    Examples
    --------
    >>> from astroclumps.synthetic.clumps import v_supernova
    >>> round(float(v_supernova(0.035)), 1)
    17.7
    """
    return 30 * np.sqrt(efficiency / 0.1)


def clump_masses(rng: np.random.Generator, n: int, *, low: float = _MASSES[0], high: float = _MASSES[1], cut: float = np.inf) -> np.ndarray:
    """Draw masses (Msun) from dN/dM ~ M^-1.35 exp(-M / cut) between two limits, by default 10^6.5 and 10^9.5."""
    power, made = _SLOPE + 1, np.zeros(0)
    while len(made) < n:
        mass = (low**power + rng.random(2 * n + 8) * (high**power - low**power)) ** (1 / power)
        made = np.concatenate([made, mass[rng.random(len(mass)) < np.exp((low - mass) / cut)]])
    return made[:n]


def clump_traits(rng: np.random.Generator, mass: float) -> dict:
    """Draw what decides a clump's fate, each with scatter of its own: size, efficiency, limits, growth, way in."""
    at, pivot, power, dex = _RADIUS
    radius = at * (mass / pivot) ** power * 10 ** rng.normal(0, dex)
    efficiency = _EFFICIENCY[0] * 10 ** rng.normal(0, _EFFICIENCY[1])
    return {
        "radius": float(radius),
        "efficiency": float(efficiency),
        "v_limit": float(v_supernova(efficiency) * _LIMIT[0] * 10 ** rng.normal(0, _LIMIT[1])),
        "tide": float(_TIDES[0] * 10 ** rng.normal(0, _TIDES[1])),
        "growth": float(_GROWTH[0] * 10 ** rng.normal(0, _GROWTH[1])),
        "migration": float(rng.uniform(*_MIGRATION)),
        "cusp": float(rng.uniform(1.3, 2.4)),
        "outflow": float(rng.uniform(0.6, 2.4)),
        "wait": float(rng.uniform(6.0, 16.0)),
        "captured": float(rng.beta(0.6, 16.0)),
    }


@dataclass(kw_only=True, eq=False)
class Path:
    """A circular orbit that shrinks: radius ``r_0 (1 - x)^power`` with ``x`` the share of the time that has passed.

    Satellites move in a plane of their own, given by two directions.
    """

    start: float
    duration: float
    r_0: float
    r_end: float
    phi_0: float
    potential: Potential
    height: float = 0.0
    power: float = 0.6
    plane: np.ndarray = field(default_factory=lambda: np.eye(3)[:2])

    def __post_init__(self):
        self._times = self.start + np.arange(0.0, self.duration + 0.002, 0.001)
        omega = self.potential.frequencies(self.radius(self._times))[0]
        self._phi = self.phi_0 + np.concatenate([[0.0], np.cumsum(0.5 * (omega[1:] + omega[:-1]) * 0.001)])
        self._nu = float(self.potential.frequencies(self.r_0)[2])

    @property
    def end(self) -> float:
        """Time at which the centre is reached, Gyr."""
        return self.start + self.duration * (1 - (self.r_end / self.r_0) ** (1 / self.power))

    def radius(self, t):
        """Distance from the galaxy's centre, kpc."""
        x = np.clip((np.asarray(t) - self.start) / self.duration, 0, 1)
        return np.maximum(self.r_0 * (1 - x) ** self.power, self.r_end)

    def azimuth(self, t):
        """Azimuth in the plane of the orbit."""
        return np.interp(t, self._times, self._phi)

    def at(self, t: float) -> np.ndarray:
        """Position (3,), kpc."""
        phi, r = self.azimuth(t), self.radius(t)
        place = r * (np.cos(phi) * self.plane[0] + np.sin(phi) * self.plane[1])
        place[2] += self.height * np.cos(self._nu * (t - self.start)) * min(1.0, r / self.r_0)
        return place


@dataclass(kw_only=True, eq=False)
class Body:
    """A clump, a remnant or a satellite: a path and the particles that it holds.

    Attributes
    ----------
    number, parent : int
        Own number, counted from 1, and that of the clump which a remnant was; 0 for none.
    kind : str
        ``'clump'``, ``'remnant'`` or ``'satellite'``.
    fate : str
        ``'forming'``, ``'held'``, ``'short'`` (will dissolve), ``'dissolved'``, ``'merged'`` (with another or the bulge).
    until : float
        Time at which it dissolves, Gyr; infinite where it is held.
    ended : float
        Time at which it was dissolved or merged.
    freed : ndarray of int
        Members at the time when it dissolved.
    rows : ndarray of int
        Members among the baryons.
    members : ndarray, shape (n, 11)
        Their orbits inside.
    """

    number: int
    kind: str
    born: float
    path: Path
    mass_born: float
    traits: dict
    axes: np.ndarray
    spin: float
    spin_0: float
    parent: int = 0
    fate: str = "forming"
    until: float = np.inf
    ended: float = np.inf
    into: int = 0
    judged: float = np.inf
    freed: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    members: np.ndarray = field(default_factory=lambda: np.zeros((0, MEMBER_COLUMNS)))

    @property
    def alive(self) -> bool:
        """Whether it still holds particles."""
        return self.fate in ("forming", "held", "short")

    def radius(self, mass: float) -> float:
        """Size at a mass, kpc: the one at birth, and from there as the cube root of mass."""
        return self.traits["radius"] * max(mass / self.mass_born, 0.05) ** (1 / 3)

    def add(self, rng, rows, time, duration, radius, mass):
        """Take particles in: they reach their orbits inside over ``duration`` (an array, Gyr)."""
        n = len(rows)
        made = np.zeros((n, MEMBER_COLUMNS))
        made[:, 0], made[:, 1] = time, duration
        share = rng.random(n)
        made[:, 2] = radius * share ** (1 / self.traits["cusp"])
        one = rng.normal(size=(n, 3))
        one[:, 2] *= 0.8
        one /= np.linalg.norm(one, axis=1)[:, None]
        two = np.cross(one, rng.normal(size=(n, 3)))
        two /= np.linalg.norm(two, axis=1)[:, None]
        # two thirds turn with the clump, so that it spins slowly
        back = (np.cross(one, two)[:, 2] < 0) & (rng.random(n) < 0.35)
        two[back] *= -1
        made[:, 3:6], made[:, 6:9] = one, two
        inside = mass * np.maximum(share, 0.02)
        made[:, 9] = np.sqrt(G * inside / np.maximum(made[:, 2], 0.02) ** 3)
        made[:, 10] = rng.uniform(0, 2 * np.pi, n)
        self.rows = np.concatenate([self.rows, rows])
        self.members = np.concatenate([self.members, made])

    def drop(self, gone):
        """Forget members (mask)."""
        self.rows, self.members = self.rows[~gone], self.members[~gone]

    def inside(self, t):
        """Positions (n, 3) that members have in the body, without the way in."""
        angle = self.spin_0 + self.spin * (t - self.born)
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) * self.axes
        out = np.empty((len(self.rows), 3))
        _place(self.members, t, turn, self.path.at(t), out)
        return out

    def arrived(self, t):
        """Share 0-1 of the way in that members have covered."""
        x = np.clip((t - self.members[:, 0]) / self.members[:, 1], 0, 1)
        return x * x * (3 - 2 * x)
