"""`Folds`: which galaxies a network is trained on, which choose its settings, and which it never sees."""

from dataclasses import dataclass

import numpy as np

__all__ = ["RELEASE", "Folds"]

RELEASE = "all"
"""Name of the fold that leaves no galaxy out."""


@dataclass(frozen=True)
class Folds:
    """Galaxies of a set, split so that each is held out once (METHODS 4).

    The first `n_main` folds leave one galaxy out each: those with most long-lived clumps on their images, as the main models of the
    paper. The other galaxies are dealt into `n_grouped` folds, which leave several out. What is left to train on is split once more:
    some whole galaxies choose the step, the thresholds and the calibration. The release, fold ``'all'``, trains on every galaxy.

    Parameters
    ----------
    galaxies : tuple of int
        Numbers of the galaxies, that with most long-lived clumps first; see `from_set`.
    n_main : int, optional
        Folds that leave one galaxy out; at most as many as there are galaxies. Default: 4 (METHODS 4), or all of fewer galaxies.
    n_grouped : int, default 4
        Folds for the other galaxies (ours).
    n_validation : int, default 4
        Galaxies of each fold that choose its settings (ours); at most a third of those that are not held out.

    Examples
    --------
    >>> from astroclumps.training.folds import Folds
    >>> folds = Folds(tuple(range(10)), n_main=2, n_grouped=2, n_validation=2)
    >>> [folds.held_out(fold) for fold in folds]
    [(0,), (1,), (2, 5, 6, 9), (3, 4, 7, 8)]
    >>> folds.of(5), folds.validation(0), len(folds.training(0)), len(folds.training("all"))
    (2, (3, 7), 7, 10)
    """

    galaxies: tuple
    n_main: int | None = None
    n_grouped: int = 4
    n_validation: int = 4

    def __post_init__(self):
        object.__setattr__(self, "galaxies", tuple(int(g) for g in self.galaxies))
        if len(self.galaxies) < 3 or len(set(self.galaxies)) < len(self.galaxies):
            raise ValueError(f"folds need three galaxies or more, each once: to hold out, to choose and to train; got {self.galaxies}")
        if self.n_main is None:
            object.__setattr__(self, "n_main", min(4, len(self.galaxies)))
        if self.n_main > len(self.galaxies):
            raise ValueError(
                f"n_main is the number of galaxies that are left out alone, at most the {len(self.galaxies)} galaxies of the set, got "
                f"{self.n_main}; give fewer"
            )
        if self.n_main < 0 or self.n_grouped < 0 or self.n_validation < 1 or self.n_main + self.n_grouped < 1:
            raise ValueError(f"there must be folds and galaxies that choose, got {self.n_main}, {self.n_grouped}, {self.n_validation}")
        if self.n_grouped == 0 and self.n_main < len(self.galaxies):
            raise ValueError(f"n_main {self.n_main} of {len(self.galaxies)} galaxies leaves some without a fold; give n_grouped")
        for fold in self:
            if not self.training(fold):
                raise ValueError(
                    f"fold {fold} holds out {self.held_out(fold)} and chooses with {self.validation(fold)}, so that none of "
                    f"{len(self.galaxies)} galaxies is left to train on; give more galaxies or more folds"
                )

    @classmethod
    def from_set(cls, galaxy_set, **numbers) -> "Folds":
        """The folds of a set; the same for the same images.

        Parameters
        ----------
        galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
            The whole set.
        **numbers
            ``n_main``, ``n_grouped`` and ``n_validation``.

        Returns
        -------
        Folds
        """
        count = np.zeros(int(galaxy_set.galaxy.max()) + 1, dtype=int)
        for i, galaxy in enumerate(galaxy_set.galaxy):
            count[galaxy] += int(galaxy_set.clumps(i)["long_lived"].sum())
        galaxies = np.unique(galaxy_set.galaxy)
        return cls(tuple(galaxies[np.argsort(-count[galaxies], kind="stable")]), **numbers)

    def __len__(self):
        return len(self._groups())

    def __iter__(self):
        return iter(range(len(self)))

    @property
    def main(self) -> range:
        """Numbers of the folds that leave one of the main galaxies out."""
        return range(self.n_main)

    def _groups(self):
        n = len(self.main)
        rest = self.galaxies[n:]
        k = min(self.n_grouped, len(rest))
        groups = [[] for _ in range(k)]
        for i, galaxy in enumerate(rest):  # to and fro, so that each group gets rich and poor ones
            turn, place = divmod(i, k)
            groups[place if turn % 2 == 0 else k - 1 - place].append(galaxy)
        return [(galaxy,) for galaxy in self.galaxies[:n]] + [tuple(group) for group in groups]

    def _number(self, fold):
        if fold == RELEASE or (isinstance(fold, int | np.integer) and not isinstance(fold, bool) and 0 <= fold < len(self)):
            return fold
        raise ValueError(f"fold must be 0 to {len(self) - 1}, or {RELEASE!r} for the release, got {fold!r}")

    def held_out(self, fold) -> tuple:
        """Galaxies that the networks of a fold never see; none for ``'all'``."""
        return () if self._number(fold) == RELEASE else self._groups()[fold]

    def validation(self, fold) -> tuple:
        """Galaxies that choose the settings of a fold, rich and poor ones; none for ``'all'``, which takes the settings of the folds."""
        if self._number(fold) == RELEASE:
            return ()
        rest = [galaxy for galaxy in self.galaxies if galaxy not in self.held_out(fold)]
        n = max(1, min(self.n_validation, len(rest) // 3))
        places = (np.arange(n) * len(rest) // n + len(rest) // (2 * n) + fold) % len(rest)
        return tuple(rest[place] for place in places)

    def training(self, fold) -> tuple:
        """Galaxies that the weights of a fold are fitted to."""
        left_out = {*self.held_out(fold), *self.validation(fold)}
        return tuple(galaxy for galaxy in self.galaxies if galaxy not in left_out)

    def of(self, galaxy) -> int:
        """The fold that holds a galaxy out."""
        for fold, group in enumerate(self._groups()):
            if galaxy in group:
                return fold
        raise ValueError(f"galaxy {galaxy} is not one of {self.galaxies}")
