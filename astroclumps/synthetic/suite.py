"""`SyntheticSuite`: seeded clumpy discs that evolve through snapshots."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from astropy.table import QTable

from astroclumps.simulation.snapshot import Snapshot

from .galaxy import SyntheticGalaxy
from .record import Recorder
from .relations import DiscProperties

__all__ = ["SyntheticSuite"]

_LIMITS = {"n_galaxies": (1, 100_000), "n_snapshots": (1, 40), "n_stars": (1000, 20_000_000)}
_FACTORS = (0.01, 20)  # limits of clumpiness


@dataclass(frozen=True, kw_only=True)
class SyntheticSuite:
    """A suite of clumpy disc galaxies with stars, gas and dark matter, as a simulation would have left them.

    A kinematic model, not a hydrodynamical run: particles move on epicyclic orbits in closed form in a fixed potential, clumps by rules.
    What goes in are the numbers of METHODS section 1; ``docs/synthetic.rst`` has the model and its limits.

    Parameters
    ----------
    n_galaxies : int
        Galaxies in the suite.
    n_snapshots : int, default 20
        Consecutive snapshots of each, 0.01 in scale factor (80-160 Myr) apart, at most 40. They lie between scale factors 0.2 and 0.5;
        more than 31 begin earlier.
    n_stars : int, default 300000
        Stars of the galaxy itself in the last snapshot, to within 5%; satellites and what is left of them come on top. Sets the mass
        of a particle.
    seed : int
        The same seed gives the same bytes; galaxy ``i`` does not depend on how many others are drawn, or whether.
    clumpiness : float or tuple of float, default 1
        Clumps are born so many times as often as the relations say, and fewer where gas or particles run out; two numbers are the limits
        of a factor of each galaxy's own, drawn uniformly in its logarithm. With 1 the numbers of clumps are near those of METHODS 1; a
        hydrodynamical disc may have many more (``docs/synthetic.rst``).

    Examples
    --------
    >>> from astroclumps import SyntheticSuite
    >>> suite = SyntheticSuite(n_galaxies=2, n_snapshots=3, n_stars=4000, seed=1)
    >>> snapshots = list(suite.galaxy(1))
    >>> [round(later.scale_factor - snapshot.scale_factor, 3) for snapshot, later in zip(snapshots, snapshots[1:])]
    [0.01, 0.01]
    >>> record = suite.record(1)
    >>> len(suite.members(1, 2)) == int(sum(record["snapshot"] == 2))
    True
    """

    n_galaxies: int
    n_snapshots: int = 20
    n_stars: int = 300_000
    seed: int
    clumpiness: float | tuple = 1.0
    _records: dict[int, Recorder] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self):
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise TypeError(f"{name} must be an integer, got {value!r}")
            if not low <= value <= high:
                raise ValueError(f"{name} must lie between {low} and {high}, got {value}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int | np.integer):
            raise TypeError(f"seed must be an integer, got {self.seed!r}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        object.__setattr__(self, "clumpiness", _factors(self.clumpiness))

    def __len__(self) -> int:
        return self.n_galaxies

    def _make(self, i) -> SyntheticGalaxy:
        if isinstance(i, bool) or not isinstance(i, int | np.integer):
            raise TypeError(f"the number of a galaxy must be an integer, got {i!r}")
        if not 0 <= i < self.n_galaxies:
            raise IndexError(f"the suite has galaxies 0 to {self.n_galaxies - 1}, got {i}")
        rng = np.random.default_rng([int(self.seed), int(i)])
        low, high = np.log(self.clumpiness)
        # a generator of its own, so that the galaxy is the same but for its clumps
        factor = np.exp(np.random.default_rng([int(self.seed), int(i), 1]).uniform(low, high))
        name = f"synthetic {self.seed}-{i}"
        return SyntheticGalaxy(name=name, rng=rng, n_snapshots=self.n_snapshots, n_stars=self.n_stars, clumpiness=float(factor))

    def galaxy(self, i: int) -> Iterator[Snapshot]:
        """Snapshots of a galaxy, made one at a time in time order.

        Parameters
        ----------
        i : int
            Number of the galaxy, from 0.

        Yields
        ------
        `~astroclumps.Snapshot`
            Centred on (0, 0, 0), at rest; its disc points anywhere.
        """
        galaxy = self._make(i)
        yield from galaxy
        self._records[int(i)] = galaxy.recorder

    def properties(self, i: int) -> DiscProperties:
        """What was drawn for a galaxy as a whole.

        Parameters
        ----------
        i : int
            Number of the galaxy, from 0.

        Returns
        -------
        `~astroclumps.synthetic.relations.DiscProperties`
        """
        return self._make(i).disc

    def record(self, i: int) -> QTable:
        """The generator's own record of a galaxy: a row for each clump in each snapshot.

        Parameters
        ----------
        i : int
            Number of the galaxy, from 0.

        Returns
        -------
        `~astropy.table.QTable`
            Columns as in `astroclumps.synthetic.record.RECORD_COLUMNS`. A galaxy that was not iterated to its end is made again.
        """
        return self._recorder(i).table()

    def members(self, i: int, snapshot: int) -> dict[int, np.ndarray]:
        """Identifiers of the stars that clumps hold in a snapshot.

        Parameters
        ----------
        i, snapshot : int
            Numbers of galaxy and snapshot, from 0.

        Returns
        -------
        dict of int to ndarray
            Sorted identifiers by the number of the clump.
        """
        if not 0 <= snapshot < self.n_snapshots:
            raise IndexError(f"the galaxy has snapshots 0 to {self.n_snapshots - 1}, got {snapshot}")
        return self._recorder(i).members(snapshot)

    def _recorder(self, i):
        if i not in self._records:
            for _ in self.galaxy(i):
                pass
        return self._records[int(i)]


def _factors(value):
    """Lower and upper limit of the factor on the births of clumps."""
    wrong = f"clumpiness must be a factor such as 1, or two such as (1, 4), between {_FACTORS[0]} and {_FACTORS[1]}, got {value!r}"
    pair = tuple(value) if isinstance(value, tuple | list | np.ndarray) and np.ndim(value) else (value, value)
    if any(isinstance(one, bool | np.bool_) or not isinstance(one, int | float | np.integer | np.floating) for one in pair):
        raise TypeError(wrong)
    pair = tuple(map(float, pair))
    if len(pair) != 2 or not _FACTORS[0] <= pair[0] <= pair[1] <= _FACTORS[1]:
        raise ValueError(wrong)
    return pair
