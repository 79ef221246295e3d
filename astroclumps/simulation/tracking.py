"""`ClumpTracker`: follow clumps through the snapshots of a run by the stars they share (G21 3.1.2 and 3.1.3)."""

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from astroclumps import catalog
from astroclumps.arguments import one_number
from astroclumps.exceptions import NoClumpsWarning

from . import merger_tree
from .lifetimes import clump_times, longevity, mean_over_track, track_roots
from .memberships import members_of
from .progenitors import Forest

if TYPE_CHECKING:
    from astroclumps.simulation.snapshot import Snapshot

__all__ = ["ClumpTracker"]


@dataclass(kw_only=True)
class _Run:
    """What a tracker remembers of the snapshots it has seen; the stars are on disk."""

    forest: Forest
    tables: list = field(default_factory=list)
    names: list = field(default_factory=list)
    times: list = field(default_factory=list)  # Gyr
    scale_factors: list = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ClumpTracker:
    """Follow clumps from snapshot to snapshot, and tell how long each one lives.

    Add the snapshots in the order of time, then `finish`. The stars of past clumps lie in a temporary folder until `close`, or the end of a
    ``with`` block, or of the tracker; so memory does not grow with the number of snapshots but for the rows of the tables.

    Parameters
    ----------
    min_stars : int, default 10
        Only clumps with at least this many star particles are tracked (G21 3.1.2).
    shared_fraction : float, default 0.25
        A progenitor gave at least this part of its star particles to the clump (G21 3.1.2).
    long_lived : float, default 20
        Lifetime in mean free-fall times from which a clump is long-lived (G21 3.1.3).
    max_gap : int, optional
        How many snapshots back a progenitor is looked for; 1 is the snapshot before. Default: up to the first, as G21 3.1.2 has it.
    min_shared : int, default 1
        A progenitor gave at least this many star particles (ours; 1 is the paper's rule). A small clump can meet ``shared_fraction`` with
        three stars, which over long gaps makes false links.

    Notes
    -----
    *Progenitors* (G21 3.1.2). For each clump the snapshot before is searched for clumps that gave at least ``shared_fraction`` of their
    stars to it. The most massive is the main progenitor, the others have merged. If there is none, the search goes on one snapshot further
    back.

    *Where the paper is silent* (ours). A clump goes on in one descendant only: the earliest found, and of several in the same snapshot
    the one that holds most of its stars, then the more massive. A clump whose only progenitors went to others is a fragment: its search
    ends there, and it begins anew. A clump that merged as a lesser partner, but is later found to be the main progenitor of a clump on
    its own, has passed through: it goes on in that clump and the merger is struck out.

    *Clump time and lifetime* (G21 3.1.2): see `~astroclumps.simulation.lifetimes.clump_times`. In the first snapshot, which has none
    before it, clump time starts at 0, and the whole track carries ``left_censored``; a track that reaches the last snapshot carries
    ``censored``. Both lifetimes are lower limits: an LLC among them is one, an SLC or ZLC need not be.

    *Classes* (G21 3.1.3) are for clumps in situ: bulge and ex-situ clumps have clump times but no ``longevity``. The class is that of
    the whole track, given to its rows of origin ``in situ``, and to none where the track, weighted by mass, is more ex situ than in situ
    (a ripple that look-back joins to a satellite has no class). The mean free-fall time is weighted by the clump's mass (gas and stars)
    in each snapshot. A ZLC with a star-formation rate above 0 is an sfZLC.

    Clumps with less than ``min_stars`` stay in the table with ``track`` 0, no links, no class, and NaN for times.

    Examples
    --------
    Thirty stars; the first ten are a clump for three snapshots, which another ten join.

    >>> import astropy.units as u, numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps import ClumpTracker, Snapshot, catalog
    >>> from astroclumps.simulation.elements import empty_elements
    >>> stars = QTable({"particle_id": np.arange(30), "position": np.zeros((30, 3)) * u.kpc, "velocity": np.zeros((30, 3)) * u.km / u.s,
    ...                 "mass": np.full(30, 1e5) * u.Msun, "age": np.full(30, 50) * u.Myr, "metallicity": np.full(30, 0.02)})
    >>> with ClumpTracker() as tracker:
    ...     for time, n_stars in (0.25, 10), (0.5, 10), (0.75, 20):
    ...         snapshot = Snapshot(name=f"{time} Gyr", time=time * u.Gyr, stars=stars, gas=empty_elements("gas"))
    ...         clumps = catalog.make_table("found", 1)
    ...         for name, value in {"pos_x": 2 * u.kpc, "pos_y": 0 * u.kpc, "pos_z": 0 * u.kpc, "mass": n_stars * 1e5 * u.Msun,
    ...                             "age": 50 * u.Myr, "sfr": 0 * u.Msun / u.yr, "t_ff": 9 * u.Myr}.items():
    ...             clumps[name] = value
    ...         clumps["n_stars"], clumps["origin"] = n_stars, "in situ"
    ...         tracker.add(snapshot, clumps, np.where(np.arange(30) < n_stars, 1, 0))
    ...     tracked = tracker.finish()
    >>> tracked["snapshot", "node", "progenitor", "track", "lifetime", "longevity"].pprint()
    snapshot node progenitor track lifetime longevity
                                     Myr
    -------- ---- ---------- ----- -------- ---------
           0    1          0     1    500.0       LLC
           1    2          1     1    500.0       LLC
           2    3          2     1    500.0       LLC
    """

    min_stars: int = 10
    shared_fraction: float = 0.25
    long_lived: float = 20.0
    max_gap: int | None = None
    min_shared: int = 1
    _run: _Run = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        for name in ("min_stars", "min_shared", "max_gap"):
            value = getattr(self, name)
            if value is None and name == "max_gap":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1{' or None' if name == 'max_gap' else ''}, got {value!r}")
        one_number("shared_fraction", self.shared_fraction, "a number above 0 and at most 1", lambda value: 0 < value <= 1)
        one_number("long_lived", self.long_lived, "a positive, finite number of free-fall times", lambda value: 0 < value < np.inf)
        forest = Forest(shared_fraction=self.shared_fraction, min_shared=self.min_shared, max_gap=self.max_gap)
        object.__setattr__(self, "_run", _Run(forest=forest))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self) -> None:
        """Remove the temporary folder. Results can still be asked for; snapshots cannot be added."""
        self._run.forest.store.close()

    def add(self, snapshot: "Snapshot", clumps: QTable, star_labels: np.ndarray) -> None:
        """Add the next snapshot.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot`
            Later than those before. Only its time, its scale factor and the numbers of its stars are used.
        clumps : `~astropy.table.QTable`
            Its clumps, as from `~astroclumps.ClumpFinder3D.find`; may be empty. Rows may have been taken out: the labels of their stars are
            then ignored.
        star_labels : array of int, shape (n_stars,)
            The ``id`` of each star's clump, 0 for none.

        Raises
        ------
        ValueError
            The snapshot is not later than the last, the table is that of another snapshot, labels and stars or labels and table do not
            fit, a star of a clump has the number of another, a clump has no mean age or free-fall time, or the tracker is closed. Nothing
            has been added then.
        TypeError
            Labels or the stars' numbers are no integers.
        `~astroclumps.exceptions.CatalogError`
            The table lacks a column of stage ``found``.
        """
        run, forest = self._run, self._run.forest
        who = f"snapshot {snapshot.name!r}"
        if forest.store.closed:
            raise ValueError(f"the tracker is closed, so {who} cannot be added; make a new one")
        time = snapshot.time.to_value(u.Gyr)
        if run.times and not time > run.times[-1]:
            raise ValueError(
                f"{who} at {time:.6g} Gyr is not later than {run.names[-1]!r} at {run.times[-1]:.6g} Gyr; "
                "add each snapshot once, in order of time"
            )
        catalog.validate(clumps, "found", who=f"clumps of {who}")
        if clumps.meta.get("snapshot", snapshot.name) != snapshot.name:
            raise ValueError(f"the table's clumps were found in snapshot {clumps.meta['snapshot']!r}, not in {snapshot.name!r}")
        stars = np.asarray(snapshot.stars["particle_id"])
        labels = self._checked_labels(clumps, np.asarray(star_labels), len(stars), who)
        n_stars = np.asarray(clumps["n_stars"], dtype=np.int64)
        tracked = n_stars >= self.min_stars
        self._check_numbers(clumps[tracked], who)
        node_of = np.zeros(max(labels.max(initial=0), np.max(clumps["id"], initial=0)) + 1, dtype=np.int64)
        node_of[clumps["id"][tracked]] = forest.n_nodes + 1 + np.flatnonzero(tracked)
        nodes = node_of[labels]
        inside = nodes > 0
        try:
            members = members_of(stars[inside], nodes[inside])
        except ValueError as exc:
            raise ValueError(f"{who}: {exc}") from None
        forest.grow(members, n_stars, clumps["mass"].to_value(u.Msun))
        run.tables.append(clumps.copy())
        run.names.append(snapshot.name)
        run.times.append(float(time))
        run.scale_factors.append(float(snapshot.scale_factor))

    def finish(self) -> QTable:
        """The clumps of all snapshots with their tracks, clump times and classes.

        Snapshots may be added afterwards and `finish` be called again.

        Returns
        -------
        `~astropy.table.QTable`
            Stage ``tracked``, in the order in which snapshots and rows were added. ``id`` is that of the snapshot's own table; ``node``
            is unique. Columns beyond the schema are kept if all tables have them, and entries of ``meta`` that all have in common.
            Without any clump: no rows, and a `~astroclumps.exceptions.NoClumpsWarning`.
        """
        run, forest = self._run, self._run.forest
        n = forest.n_nodes
        if n == 0:
            warnings.warn(f"no clumps in {_snapshots(run)} to track", NoClumpsWarning, stacklevel=2)
        new = catalog.make_table("tracked", n)
        filled = [table for table in run.tables if len(table)]
        found = vstack(filled, join_type="inner", metadata_conflicts="silent") if filled else catalog.make_table("found")
        out = QTable()
        for name in [*found.colnames, *(name for name in new.colnames if name not in found.colnames)]:
            out[name] = found[name] if name in found.colnames else new[name]
            if name in new.colnames:
                out[name].info.description = new[name].info.description
        first = run.tables[0].meta if run.tables else {}
        same = {key: value for key, value in first.items() if all(table.meta.get(key) == value for table in run.tables)}
        out.meta.update({key: value for key, value in same.items() if key != "snapshot"})
        out.meta["history"] = list(dict.fromkeys(line for table in run.tables for line in table.meta.get("history", [])))
        catalog.add_history(out, f"{self!r} of astroclumps {_version()} on {_snapshots(run)}")
        if n:
            self._fill(out)
        return out

    def tree(self) -> QTable:
        """The merger tree as a table; see `~astroclumps.simulation.merger_tree.tree`.

        Returns
        -------
        tree : `~astropy.table.QTable`
            ``id``, ``descendant`` and ``main``, a row a node.
        """
        return merger_tree.tree(self._finished())

    def edges(self) -> QTable:
        """The links, main and merged; see `~astroclumps.simulation.merger_tree.edges`.

        Returns
        -------
        edges : `~astropy.table.QTable`
            A row a link, with the stars it rests on.
        """
        forest = self._run.forest
        return merger_tree.edges(self._finished(), forest.n_shared[1:], forest.gap[1:])

    @property
    def links(self) -> QTable:
        """Number of links by the snapshots they bridge; see `~astroclumps.simulation.merger_tree.links_by_gap`."""
        return merger_tree.links_by_gap(self.edges())

    def graph(self) -> Any:
        """The merger tree as a graph; see `~astroclumps.simulation.merger_tree.graph`.

        Returns
        -------
        graph : ``networkx.DiGraph``
            Edges lead from a clump to its descendant.
        """
        return merger_tree.graph(self._finished(), self.edges())

    def _finished(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoClumpsWarning)
            return self.finish()

    def _checked_labels(self, clumps, labels, n, who):
        """Labels with those of clumps that are not in the table set to 0."""
        if labels.shape != (n,):
            raise ValueError(f"{who} has {n} stars, star_labels has shape {labels.shape}; give one label a star")
        if labels.dtype.kind not in "iu":
            raise TypeError(f"star_labels must be whole numbers, got {labels.dtype}")
        if labels.min(initial=0) < 0:
            raise ValueError(f"star_labels of {who} must not be negative, got {labels.min()}")
        ids = np.asarray(clumps["id"])
        counts = np.bincount(labels, minlength=ids.max(initial=0) + 1)
        wrong = np.flatnonzero(counts[ids] != np.asarray(clumps["n_stars"]))
        if len(wrong):
            one = wrong[0]
            raise ValueError(
                f"{who}: clump {ids[one]} has {clumps['n_stars'][one]} stars in the table and {counts[ids[one]]} in star_labels; "
                "do both belong to this snapshot?"
            )
        known = np.zeros(len(counts), dtype=bool)
        known[ids] = True
        known[0] = True
        return labels if known.all() else np.where(known[labels], labels, 0)

    @staticmethod
    def _check_numbers(clumps, who):
        for name, least in (("mass", "positive"), ("t_ff", "positive"), ("age", "zero or positive"), ("sfr", "zero or positive")):
            values = clumps[name].value
            bad = ~(np.isfinite(values) & ((values > 0) if least == "positive" else (values >= 0)))
            if bad.any():
                raise ValueError(f"{who}: {name} of clump {clumps['id'][bad][0]} must be {least} and finite, got {clumps[name][bad][0]}")

    def _fill(self, out):
        run, forest = self._run, self._run.forest
        n = len(out)
        lengths = [len(table) for table in run.tables]
        snapshot = np.repeat(np.arange(len(lengths)), lengths)
        times = np.array(run.times)
        time, since = times[snapshot], np.append(np.nan, np.diff(times))[snapshot]
        tracked = np.asarray(out["n_stars"]) >= self.min_stars
        main_progenitor = forest.progenitor[1:]
        root = track_roots(np.where(main_progenitor > 0, main_progenitor - 1, np.arange(n)))
        t_clump, lifetime = clump_times(time, since, out["age"].to_value(u.Gyr), root)
        mass = np.where(tracked, out["mass"].value, 1.0)
        t_ff = mean_over_track(np.where(tracked, out["t_ff"].to_value(u.Myr), 1.0), mass, root)
        lifetime_myr = lifetime * 1e3
        origin = np.asarray(out["origin"])
        settled, fallen = (np.bincount(root, weights=mass * (tracked & (origin == name)), minlength=n) for name in ("in situ", "ex situ"))
        in_situ = tracked & (origin == "in situ") & (fallen <= settled)[root]
        last = np.zeros(n, dtype=np.int64)
        np.maximum.at(last, root, snapshot)
        n_shared = np.where(main_progenitor > 0, forest.n_shared[main_progenitor], 0)
        track = np.zeros(n, dtype=np.int64)
        track[tracked] = np.unique(root[tracked], return_inverse=True)[1] + 1
        classes = np.where(in_situ, longevity(lifetime_myr, t_ff, long_lived=self.long_lived), "")
        columns = {
            "snapshot": snapshot,
            "time": time * u.Gyr,
            "scale_factor": np.array(run.scale_factors)[snapshot],
            "node": np.arange(1, n + 1),
            "progenitor": main_progenitor,
            "shared": np.where(main_progenitor > 0, n_shared / np.maximum(forest.n_stars[main_progenitor], 1), np.nan),
            "n_shared": n_shared,
            "gap": np.where(main_progenitor > 0, forest.gap[main_progenitor], 0),
            "n_progenitors": np.bincount(forest.descendant[1:], minlength=n + 1)[1:] if n else 0,
            "descendant": forest.descendant[1:],
            "main": forest.main[1:].astype(np.int64),
            "track": track,
            "t_clump": np.where(tracked, t_clump * 1e3, np.nan) * u.Myr,
            "lifetime": np.where(tracked, lifetime_myr, np.nan) * u.Myr,
            "t_ff_mean": np.where(tracked, t_ff, np.nan) * u.Myr,
            "longevity": classes,
            "sf_zlc": ((classes == "ZLC") & (out["sfr"].value > 0)).astype(np.int64),
            "censored": (tracked & (last[root] == len(times) - 1)).astype(np.int64),
            "left_censored": (tracked & (snapshot[root] == 0)).astype(np.int64),
        }
        for name, values in columns.items():
            description = out[name].info.description
            out[name] = values
            out[name].info.description = description


def _snapshots(run):
    n = len(run.tables)
    return f"{n} snapshot{'' if n == 1 else 's'}"


def _version():
    from importlib.metadata import version

    return version("astroclumps")
