"""Star-forming complexes: patches of the disc's gas that form stars together for a while, and drift apart."""

import numpy as np

from astroclumps.jit import compiled

from .orbits import places

__all__ = ["Complexes"]

_LIFE = (0.015, 0.05)  # Gyr (ours)
_SIZE = (0.12, 0.30)  # kpc, Gaussian (ours)
_POWER = 0.45  # dex, by which their rates differ (ours)


@compiled
def _weigh(position, centres, sizes, powers, weight):
    """Add to each place what complexes about it weigh: Gaussians that end at two and a half sizes."""
    for i in range(position.shape[0]):
        for k in range(centres.shape[0]):
            reach = 2.5 * sizes[k]
            dx = position[i, 0] - centres[k, 0]
            if dx > reach or -dx > reach:
                continue
            dy, dz = position[i, 1] - centres[k, 1], position[i, 2] - centres[k, 2]
            square = (dx * dx + dy * dy + dz * dz) / (sizes[k] * sizes[k])
            if square < 6.25:
                weight[i] += powers[k] * np.exp(-0.5 * square)


class Complexes:
    """The complexes of one galaxy. Each goes with a particle of gas.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
    number : float
        Of them at a time, on average.
    """

    def __init__(self, rng, number: float):
        self.rng, self.number = rng, number
        self.rows = np.zeros(0, dtype=np.int64)
        self.ends, self.sizes, self.powers = np.zeros(0), np.zeros(0), np.zeros(0)

    def renew(self, t, dt, rows, weight):
        """Let old ones end and new ones begin.

        Parameters
        ----------
        t, dt : float
            Time and step, Gyr.
        rows : ndarray of int
            Gas that may be the middle of one.
        weight : ndarray
            Star formation of that gas without complexes, crowding included.
        """
        rng, stay = self.rng, self.ends > t
        mean = 0.5 * sum(_LIFE)
        n = rng.poisson(self.number * (dt / mean if len(stay) else 1.0))
        total = np.cumsum(weight)
        new = rows[np.minimum(np.searchsorted(total, rng.random(n) * total[-1], side="right"), len(rows) - 1)]
        self.rows = np.concatenate([self.rows[stay], new])
        self.ends = np.concatenate([self.ends[stay], t + rng.uniform(*_LIFE, n)])
        self.sizes = np.concatenate([self.sizes[stay], rng.uniform(*_SIZE, n)])
        self.powers = np.concatenate([self.powers[stay], 10 ** rng.normal(0, _POWER, n)])

    def weigh(self, t, elements, patterns, position):
        """How strongly complexes bear on each position (n, 3)."""
        weight, centres, boost = np.zeros(len(position)), np.empty((len(self.rows), 3)), np.empty(len(self.rows))
        places(elements, self.rows, t, patterns, centres, boost)
        _weigh(position, centres, self.sizes, self.powers, weight)
        return weight
