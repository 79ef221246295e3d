"""A generator of mocks that needs no stellar populations: Gaussian dots whose class is their colour."""

from dataclasses import dataclass

import numpy as np

from astroclumps.mock.sersic import Mock
from astroclumps.mock.sky import SkyModel

BANDS = ("F606W", "F160W")


@dataclass(frozen=True)
class Dots:
    seed: int = 0
    size: int = 32

    def mock(self, index):
        rng = np.random.default_rng([self.seed, index])
        n = int(rng.integers(0, 4))
        x, y = rng.uniform(6, self.size - 7, (2, n))
        long_lived = rng.random(n) < 0.5
        flux = np.where(long_lived[:, None], [0.3, 1.0], [1.0, 0.3]) * rng.uniform(0.5, 2, (n, 1))
        rows, columns = np.mgrid[: self.size, : self.size]
        shape = np.exp(-((columns - x[:, None, None]) ** 2 + (rows - y[:, None, None]) ** 2) / (2 * 1.2**2)) / (2 * np.pi * 1.2**2)
        data = np.einsum("nb,nyx->byx", flux, shape).astype(np.float32)
        clumps = {
            "x": x, "y": y, "long_lived": long_lived, "mass": rng.uniform(1e7, 1e8, n), "flux": flux, "uv_ratio": flux[:, 0] / 5,
            "radius": rng.uniform(0.5, 2, n), "age": rng.uniform(0.1, 1, n), "sfr": rng.uniform(0, 1, n), "a_v": np.zeros(n),
        }  # fmt: skip
        sky = SkyModel(rms=(0.003, 0.003), correlation=(0.2, 0.5), electrons_per_ujy=(1e5, 1e5))
        return Mock(data, clumps, sky, np.array([0.1, 0.17]), 1.5, {"flux": data.sum(axis=(1, 2))})
