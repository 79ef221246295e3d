"""Which clump each star belonged to: sorted lists of star numbers, those of past snapshots on disk."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Members", "MembershipStore", "count_shared", "members_of"]


class Members(NamedTuple):
    """Stars that belong to clumps, in the order of their numbers."""

    stars: np.ndarray
    """uint64, shape (n,): numbers of the stars, ascending, none twice."""
    nodes: np.ndarray
    """int32, shape (n,): number of each star's clump in the run."""

    def only(self, nodes: np.ndarray) -> "Members":
        """The stars of some clumps.

        Parameters
        ----------
        nodes : array of int
            The clumps.

        Returns
        -------
        `Members`
        """
        wanted = np.zeros(max(self.nodes.max(initial=0), np.max(nodes, initial=0)) + 1, dtype=bool)
        wanted[nodes] = True
        keep = wanted[self.nodes]
        return self if keep.all() else Members(self.stars[keep], self.nodes[keep])


def members_of(stars: np.ndarray, nodes: np.ndarray) -> Members:
    """Sort the stars of clumps by their numbers.

    Parameters
    ----------
    stars : array of int, shape (n,)
        Numbers of the stars, of any integer type and in any order. Negative 64-bit numbers count as what they are
        without a sign, which is what they become where a code writes more than 2^63.
    nodes : array of int, shape (n,)
        The clump of each.

    Returns
    -------
    `Members`

    Raises
    ------
    TypeError
        The numbers are no integers.
    ValueError
        A star stands there twice.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.memberships import members_of
    >>> members_of(np.array([7, 3, 5]), np.array([1, 1, 2])).nodes.tolist()
    [1, 2, 1]
    """
    stars = np.asarray(stars)
    if stars.dtype.kind not in "iu":
        raise TypeError(f"particle_id must hold whole numbers, got {stars.dtype}: floats tell only numbers below 2^53 apart")
    unsigned = stars.astype(np.int64 if stars.dtype.kind == "i" else np.uint64).view(np.uint64)
    order = np.argsort(unsigned)
    unsigned = unsigned[order]
    twice = unsigned[1:] == unsigned[:-1]
    if twice.any():
        raise ValueError(f"particle_id {stars[order][1:][twice][0]} belongs to two stars of clumps; numbers must be unique")
    return Members(unsigned, np.asarray(nodes)[order].astype(np.int32))


def count_shared(early: Members, late: Members):
    """Count the stars that clumps of two snapshots have in common.

    Parameters
    ----------
    early, late : `Members`
        Stars of both snapshots.

    Returns
    -------
    early_nodes, late_nodes, n_shared : ndarray of int64
        One element a pair of clumps with at least one star in common, ordered by the earlier clump, then the later.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.memberships import count_shared, members_of
    >>> early = members_of(np.array([1, 2, 3, 4]), np.array([1, 1, 1, 2]))
    >>> late = members_of(np.array([2, 3, 4, 9]), np.array([3, 3, 3, 3]))
    >>> [values.tolist() for values in count_shared(early, late)]
    [[1, 2], [3, 3], [2, 1]]
    """
    few, many = (late, early) if len(late.stars) < len(early.stars) else (early, late)
    if not len(few.stars):
        return (np.zeros(0, dtype=np.int64),) * 3
    place = np.searchsorted(many.stars, few.stars)
    place[place == len(many.stars)] = 0
    same = many.stars[place] == few.stars
    pair = [few.nodes[same].astype(np.int64), many.nodes[place[same]].astype(np.int64)]
    first, second = pair if few is early else pair[::-1]
    base = second.max(initial=0) + 1
    key, n_shared = np.unique(first * base + second, return_counts=True)
    return key // base, key % base, n_shared.astype(np.int64)


class MembershipStore:
    """Members of past snapshots in a temporary folder, so that memory does not grow with their number.

    A context manager. The folder is made when the first members are put, where `tempfile` makes folders (``TMPDIR``); it takes 12 bytes
    a star, and is removed by `close`, when the store is forgotten, or when Python ends.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.memberships import MembershipStore, members_of
    >>> with MembershipStore() as store:
    ...     store.put(0, members_of(np.array([7, 3]), np.array([1, 2])))
    ...     store.get(0).stars.tolist()
    [3, 7]
    """

    def __init__(self):
        self._folder = None
        self._remove = None
        self._closed = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    @property
    def folder(self) -> "Path | None":
        """The folder; None before there is one, and after `close`."""
        return self._folder

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def put(self, snapshot: int, members: Members) -> None:
        """Write the members of a snapshot.

        Parameters
        ----------
        snapshot : int
            Number of the snapshot.
        members : `Members`
            Its stars; nothing is written where there are none.

        Raises
        ------
        ValueError
            The store is closed.
        """
        if self._closed:
            raise ValueError("the store of star memberships is closed")
        if not len(members.stars):
            self.drop(snapshot)
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="astroclumps-"))
            self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        with self._path(snapshot).open("wb") as file:
            for values in members:
                np.save(file, values)

    def get(self, snapshot: int) -> Members:
        """Read the members of a snapshot.

        Parameters
        ----------
        snapshot : int
            Number of the snapshot.

        Returns
        -------
        `Members`
            Empty where none were put.
        """
        if self._folder is None or not self._path(snapshot).is_file():
            return Members(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int32))
        with self._path(snapshot).open("rb") as file:
            return Members(*(np.load(file, allow_pickle=False) for _ in Members._fields))

    def drop(self, snapshot: int) -> None:
        """Forget the members of a snapshot.

        Parameters
        ----------
        snapshot : int
            Number of the snapshot; one that is not there does no harm.
        """
        if self._folder is not None:
            self._path(snapshot).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder; more than once does no harm."""
        self._closed = True
        if self._remove is not None:
            self._remove()
        self._folder = None

    def _path(self, snapshot):
        return self._folder / f"{snapshot:06d}.npy"
