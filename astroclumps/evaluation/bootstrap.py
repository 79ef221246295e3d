"""Errors by drawing whole galaxies, or what else hangs together, with replacement."""

import numpy as np

__all__ = ["Bootstrap", "groups_of"]


class Bootstrap:
    """Draws of groups with replacement, made once and used for every number.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each object: its galaxy.
    n_draws : int, default 200
    seed : int, default 0
        The same seed gives the same errors.

    Attributes
    ----------
    index : ndarray of int, shape (n,)
        Group of each object, counted from 0.
    times : ndarray, shape (n_draws, n_groups)
        How often each draw holds each group.

    Examples
    --------
    >>> from astroclumps.evaluation.bootstrap import Bootstrap
    >>> value, error = Bootstrap([0, 0, 1, 1]).ratio([1, 1, 0, 0], [1, 1, 1, 1])
    >>> value, 0.3 < error < 0.4  # 0, 1/2 or 1 of two galaxies
    (0.5, True)
    """

    def __init__(self, groups, *, n_draws=200, seed=0):
        names, self.index = np.unique(np.asarray(groups), return_inverse=True)
        rng = np.random.default_rng(seed)
        n = len(names)
        picks = rng.integers(0, max(n, 1), (n_draws, n))
        self.times = np.zeros((n_draws, n))
        np.add.at(self.times, (np.arange(n_draws)[:, None], picks), 1.0)

    def sums(self, values):
        """Sum of the values in each group, (n_groups,)."""
        return np.bincount(self.index, weights=np.asarray(values, dtype=float), minlength=self.times.shape[1])

    def ratio(self, over, under):
        """Sum of one quantity over that of another, and its error.

        Parameters
        ----------
        over, under : array_like, shape (n,)

        Returns
        -------
        value, error : float
            NaN where the lower sum is 0; the error is NaN where fewer than two groups have any of it.
        """
        return self.ratio_of_sums(self.sums(over), self.sums(under))

    def ratio_of_sums(self, over, under):
        """As `ratio`, of sums by group."""
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = (self.times @ over) / (self.times @ under)
            value = float(np.float64(over.sum()) / under.sum())
        return value, self.spread(drawn) if (np.asarray(under) != 0).sum() > 1 else float("nan")

    def spread(self, drawn):
        """Standard deviation of the draws that have a value; NaN with fewer than two groups."""
        drawn = np.asarray(drawn, dtype=float)
        drawn = drawn[np.isfinite(drawn)]
        return float(drawn.std()) if len(drawn) > 1 and self.times.shape[1] > 1 else float("nan")

    def weights(self, draw):
        """How often a draw holds each object, (n,)."""
        return self.times[draw][self.index]


def groups_of(galaxy_set, by="auto"):
    """What is drawn as a whole.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    by : {'auto', 'galaxy', 'snapshot'}
        'auto': galaxies, or the snapshots of the only galaxy. All cameras of a snapshot stay together.

    Returns
    -------
    groups : ndarray of int, shape (n_images,)
    by : str
        What they are.
    """
    galaxy, snapshot = np.asarray(galaxy_set.galaxy).astype(np.int64), np.asarray(galaxy_set.snapshot).astype(np.int64)
    if by == "auto":
        by = "galaxy" if len(np.unique(galaxy)) > 1 else "snapshot"
    if by not in ("galaxy", "snapshot"):
        raise ValueError(f"groups are drawn by 'galaxy', 'snapshot' or 'auto', got {by!r}")
    return (galaxy if by == "galaxy" else galaxy * 100_000 + snapshot), by
