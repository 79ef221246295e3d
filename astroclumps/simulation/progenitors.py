"""Links between clumps of different snapshots: who came from whom, decided by shared stars."""

import numpy as np

from .memberships import Members, MembershipStore, count_shared

__all__ = ["Forest"]

_ROUNDING = 1e-9  # of a star, so that 0.1 of 30 stars are 3


class Forest:
    """All clumps of a run as nodes, numbered from 1, and the one descendant of each.

    Parameters
    ----------
    shared_fraction : float
        A progenitor gave at least this part of its stars.
    min_shared : int
        And at least this many.
    max_gap : int or None
        How many snapshots back are searched; None: all.
    """

    def __init__(self, *, shared_fraction: float, min_shared: int, max_gap: int | None):
        self.shared_fraction, self.min_shared, self.max_gap = shared_fraction, min_shared, max_gap
        self.store = MembershipStore()
        self.n_snapshots = 0
        self.n_stars = np.zeros(1, dtype=np.int64)
        self.mass = np.zeros(1)
        self.descendant = np.zeros(1, dtype=np.int64)
        self.main = np.zeros(1, dtype=bool)
        self.n_shared = np.zeros(1, dtype=np.int64)  # given to the descendant
        self.gap = np.zeros(1, dtype=np.int64)  # to the descendant
        self.progenitor = np.zeros(1, dtype=np.int64)  # the main one

    @property
    def n_nodes(self) -> int:
        """Number of clumps so far."""
        return len(self.mass) - 1

    def grow(self, members: Members, n_stars: np.ndarray, mass: np.ndarray) -> None:
        """Add the clumps of one more snapshot and link them to earlier ones.

        Parameters
        ----------
        members : `Members`
            Stars of the clumps that are tracked; their nodes are ``n_nodes + 1`` for the first row, and so on.
        n_stars : array of int, shape (n,)
            Number of stars of each clump.
        mass : array of float, shape (n,)
            Mass of each clump; the most massive progenitor is the main one.
        """
        n, now = len(mass), self.n_snapshots
        self.store.put(now, members)  # first, so that a full disk changes nothing
        for name, values in (("n_stars", n_stars), ("mass", mass)):
            setattr(self, name, np.append(getattr(self, name), values))
        for name in ("descendant", "main", "n_shared", "gap", "progenitor"):
            old = getattr(self, name)
            setattr(self, name, np.append(old, np.zeros(n, dtype=old.dtype)))
        searching, late = np.unique(members.nodes), members
        reach = now if self.max_gap is None else min(self.max_gap, now)
        for gap in range(1, reach + 1):
            if not len(searching):
                break
            late = late.only(searching)
            found = self._link(self.store.get(now - gap), late, gap)
            searching = np.setdiff1d(searching, found, assume_unique=True)
        if self.max_gap is not None:
            self.store.drop(now - self.max_gap)
        self.n_snapshots += 1

    def _link(self, early, late, gap):
        """Link clumps of two snapshots; return the later clumps that have a progenitor there, be it gone to another clump."""
        first, second, n_shared = count_shared(early, late)
        enough = (n_shared >= self.shared_fraction * self.n_stars[first] - _ROUNDING) & (n_shared >= self.min_shared)
        first, second, n_shared = first[enough], second[enough], n_shared[enough]
        found = np.unique(second)
        # a clump that goes on in an earlier descendant is gone; of several that claim it now, the one with most of its stars gets it
        free = ~self.main[first]
        first, second, n_shared = first[free], second[free], n_shared[free]
        order = np.lexsort((second, -self.mass[second], -n_shared, first))
        first, second, n_shared = first[order], second[order], n_shared[order]
        won = np.append(True, first[1:] != first[:-1])[: len(first)]
        first, second, n_shared = first[won], second[won], n_shared[won]
        order = np.lexsort((first, -n_shared, -self.mass[first], second))
        first, second, n_shared = first[order], second[order], n_shared[order]
        main = np.append(True, second[1:] != second[:-1])[: len(second)]
        # one that had only merged goes on where it is the main progenitor; else its merger stands
        take = main | (self.descendant[first] == 0)
        first, second, n_shared, main = first[take], second[take], n_shared[take], main[take]
        self.descendant[first], self.main[first], self.n_shared[first], self.gap[first] = second, main, n_shared, gap
        self.progenitor[second[main]] = first[main]
        return found
