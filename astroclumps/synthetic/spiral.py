"""Spiral arms: logarithmic patterns that turn at speeds of their own and come and go."""

from dataclasses import dataclass

import numpy as np

from .orbits import N_PATTERN
from .potential import Potential
from .relations import DiscProperties

__all__ = ["SpiralArms"]

_LIFE = (0.35, 0.9)  # Gyr, period in which a pattern's strength rises and falls (ours)
_SHORT = (0.1, 0.3)  # Gyr, the same of pieces of arms (ours)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpiralArms:
    """Patterns that move particles in azimuth, so that those of a ring crowd where the pattern is.

    A particle at azimuth phi is shown at ``phi - (A/m) sin(m (phi - Omega_p t) + ...)``, which raises the density to ``1/(1 - A)`` of the
    mean on the arm. Gas follows in full, old stars in part (ours). The first two are arms of the whole disc; the others are pieces of
    arms, more open, that last less long.
    """

    patterns: np.ndarray
    period: np.ndarray
    phase: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, disc: DiscProperties, potential: Potential) -> "SpiralArms":
        """Draw the arms of one galaxy."""
        n = len(disc.n_arms)
        patterns, whole = np.zeros((n, N_PATTERN)), np.arange(n) < 2
        for k in range(n):
            corotation = disc.r_d * rng.uniform(0.5, 1.1)
            omega = potential.frequencies(corotation)[0]
            pitch = disc.pitch * (rng.uniform(0.8, 1.25) if whole[k] else rng.uniform(1.1, 2.0))
            patterns[k] = (
                disc.n_arms[k],
                omega,
                rng.uniform(0, 2 * np.pi),
                1 / np.tan(pitch),
                np.log(disc.r_d),
                disc.arm_strength[k],
                0.15 * disc.r_d,
                1.1 * disc.r_d,
            )
        return cls(
            patterns=patterns, period=np.where(whole, rng.uniform(*_LIFE, n), rng.uniform(*_SHORT, n)), phase=rng.uniform(0, 2 * np.pi, n)
        )

    def at(self, time: float) -> np.ndarray:
        """The patterns at a time, for the loops of `astroclumps.synthetic.orbits`."""
        patterns = self.patterns.copy()
        patterns[:, 5] *= 0.7 + 0.3 * np.sin(2 * np.pi * time / self.period + self.phase)
        return patterns
