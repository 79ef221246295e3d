"""How long clumps live: clump time, lifetime and longevity class, from the chain of main progenitors (G21 3.1.2 and 3.1.3)."""

import numpy as np

__all__ = ["clump_times", "longevity", "mean_over_track", "track_roots"]


def track_roots(progenitor: np.ndarray) -> np.ndarray:
    """First clump of each clump's main branch.

    Parameters
    ----------
    progenitor : array of int, shape (n,)
        Index of each clump's main progenitor, its own index where it has none. No clump is the main progenitor of two.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.lifetimes import track_roots
    >>> track_roots(np.array([0, 1, 0, 2])).tolist()
    [0, 1, 0, 0]
    """
    root = np.asarray(progenitor)
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further


def clump_times(time: np.ndarray, since: np.ndarray, age: np.ndarray, root: np.ndarray):
    """Clump time of each clump, and the lifetime of its track (G21 3.1.2).

    Where a track begins, the clump time is the mean age of the stars if that is not above the time since the snapshot before, else
    0; from there on elapsed time is added. The lifetime t_c,max is the clump time where the track ends.

    Parameters
    ----------
    time : array, shape (n,)
        Time of each clump's snapshot.
    since : array, shape (n,)
        Time since the snapshot before, in the same unit; NaN in the first snapshot, which gives 0 (ours).
    age : array, shape (n,)
        Mass-weighted mean age of the stars, in the same unit.
    root : array of int, shape (n,)
        As from `track_roots`.

    Returns
    -------
    t_clump, lifetime : ndarray, shape (n,)
        In the same unit.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.lifetimes import clump_times
    >>> t_clump, lifetime = clump_times(np.array([1.0, 1.1, 1.2]), np.full(3, 0.1), np.array([0.04, 0.9, 0.9]), np.array([0, 0, 2]))
    >>> t_clump.round(2).tolist(), lifetime.round(2).tolist()
    ([0.04, 0.14, 0.0], [0.14, 0.14, 0.0])
    """
    start = np.where(age <= since, age, 0.0)
    t_clump = start[root] + (time - time[root])
    lifetime = np.zeros(len(time))
    np.maximum.at(lifetime, root, t_clump)
    return t_clump, lifetime[root]


def mean_over_track(values: np.ndarray, weights: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Weighted mean of a quantity over each clump's track.

    Parameters
    ----------
    values : array, shape (n,)
        Quantity of each clump, such as its free-fall time.
    weights : array, shape (n,)
        Weights, such as the clump's mass in that snapshot; each snapshot in which the clump was found counts once (ours).
    root : array of int, shape (n,)
        As from `track_roots`.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.lifetimes import mean_over_track
    >>> mean_over_track(np.array([4.0, 8.0, 5.0]), np.array([3.0, 1.0, 1.0]), np.array([0, 0, 2])).tolist()
    [5.0, 5.0, 5.0]
    """
    n = len(values)
    weight = np.bincount(root, weights=weights, minlength=n)
    total = np.bincount(root, weights=weights * values, minlength=n)
    return total[root] / weight[root]


def longevity(lifetime: np.ndarray, t_ff: np.ndarray, *, long_lived: float = 20.0) -> np.ndarray:
    """Class of in-situ clumps by their lifetime (G21 3.1.3).

    Parameters
    ----------
    lifetime : array, shape (n,)
        t_c,max.
    t_ff : array, shape (n,)
        Mean free-fall time over the clump's life, in the same unit.
    long_lived : float, default 20
        A clump that reaches this many free-fall times is long-lived.

    Returns
    -------
    ndarray of str, shape (n,)
        ZLC where the lifetime is 0, LLC at or above the limit, else SLC.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.lifetimes import longevity
    >>> longevity(np.array([0.0, 99.0, 100.0]), np.full(3, 5.0)).tolist()
    ['ZLC', 'SLC', 'LLC']
    """
    return np.where(lifetime == 0, "ZLC", np.where(lifetime >= long_lived * t_ff, "LLC", "SLC"))
