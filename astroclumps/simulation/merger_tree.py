"""The merger tree of a tracked run, as tables and as a graph."""

import numpy as np
from astropy.table import QTable

__all__ = ["edges", "graph", "links_by_gap", "tree"]

_FEW = 5  # stars; links that rest on no more are counted apart (METHODS 1)
_DESCRIPTIONS = {
    "id": "Node: number of the clump in the run",
    "progenitor": "Node of the earlier clump",
    "descendant": "Node of the later clump; 0: none",
    "main": "1 where the earlier clump is the main progenitor of the later one",
    "gap": "Snapshots from one clump to the other; 1: neighbours",
    "n_shared": "Stars that both clumps have",
    "shared": "Part of the progenitor's stars that both clumps have, by number",
    "n_main": "Links to main progenitors",
    "n_merged": "Links to other progenitors",
    "n_few": f"Links to main progenitors that rest on at most {_FEW} stars",
}


def tree(tracked: QTable) -> QTable:
    """The tree in three columns.

    Parameters
    ----------
    tracked : `~astropy.table.QTable`
        As from `~astroclumps.ClumpTracker.finish`.

    Returns
    -------
    `~astropy.table.QTable`
        A row a tracked clump: ``id`` (its node), ``descendant`` (a node, 0 for none), ``main`` (1 where it is the main progenitor of that).
    """
    rows = tracked[tracked["track"] > 0]
    made = QTable({"id": rows["node"], "descendant": rows["descendant"], "main": rows["main"]})
    _describe(made)
    made.meta["history"] = list(tracked.meta.get("history", []))
    return made


def edges(tracked: QTable, n_shared: np.ndarray, gap: np.ndarray) -> QTable:
    """The links between clumps, main and merged.

    Parameters
    ----------
    tracked : `~astropy.table.QTable`
        As from `~astroclumps.ClumpTracker.finish`.
    n_shared, gap : array of int, shape (len(tracked),)
        Stars that each clump gave to its descendant, and how many snapshots later that is.

    Returns
    -------
    `~astropy.table.QTable`
        A row a link: ``progenitor``, ``descendant`` (nodes), ``main``, ``gap``, ``n_shared``, ``shared`` (part of the progenitor's stars).
    """
    has = np.asarray(tracked["descendant"]) > 0
    made = QTable(
        {
            "progenitor": np.asarray(tracked["node"])[has],
            "descendant": np.asarray(tracked["descendant"])[has],
            "main": np.asarray(tracked["main"])[has],
            "gap": gap[has],
            "n_shared": n_shared[has],
            "shared": n_shared[has] / np.asarray(tracked["n_stars"])[has],
        }
    )
    return _describe(made)


def links_by_gap(links: QTable) -> QTable:
    """Count links by the number of snapshots that they bridge.

    Parameters
    ----------
    links : `~astropy.table.QTable`
        As from `edges`.

    Returns
    -------
    `~astropy.table.QTable`
        A row a gap that occurs: ``gap`` (1 is the snapshot before), ``n_main`` and ``n_merged`` (links of main progenitors and of others),
        ``n_few`` (main links of at most 5 stars), ``n_shared`` and ``shared`` (medians over the main links: stars in common, and
        part of the progenitor's stars; NaN without any).
    """
    gap, main = np.asarray(links["gap"]), np.asarray(links["main"]) == 1
    gaps = np.unique(gap)
    of_main = [main & (gap == one) for one in gaps]

    def median(name):
        return np.array([np.median(links[name][rows]) if rows.any() else np.nan for rows in of_main])

    made = QTable(
        {
            "gap": gaps,
            "n_main": np.array([rows.sum() for rows in of_main], dtype=np.int64),
            "n_merged": np.array([np.sum(~main & (gap == one)) for one in gaps], dtype=np.int64),
            "n_few": np.array([np.sum(links["n_shared"][rows] <= _FEW) for rows in of_main], dtype=np.int64),
            "n_shared": median("n_shared"),
            "shared": median("shared"),
        }
    )
    _describe(made)
    for name in ("n_shared", "shared"):
        made[name].info.description += ", median over the main links"
    return made


def _describe(table):
    for name in table.colnames:
        table[name].info.description = _DESCRIPTIONS[name]
    return table


def graph(tracked: QTable, links: QTable):
    """The tree as a directed graph, from progenitors to descendants.

    Parameters
    ----------
    tracked : `~astropy.table.QTable`
        As from `~astroclumps.ClumpTracker.finish`.
    links : `~astropy.table.QTable`
        As from `edges`.

    Returns
    -------
    ``networkx.DiGraph``
        Nodes are numbered as in ``node`` and carry ``snapshot``, ``id``, ``track``, ``time`` [Gyr], ``t_clump`` [Myr], ``mass`` [Msun],
        ``n_stars``, ``origin`` and ``longevity``; edges carry ``main``, ``gap``, ``n_shared`` and ``shared``.

    Raises
    ------
    ImportError
        networkx is not installed.
    """
    try:
        import networkx
    except ImportError as exc:
        raise ImportError('the graph of a merger tree needs networkx; install it with  pip install "astroclumps[sim]"') from exc
    made = networkx.DiGraph()
    rows = tracked[tracked["track"] > 0]
    names = ("snapshot", "id", "track", "time", "t_clump", "mass", "n_stars", "origin", "longevity")
    values = [getattr(rows[name], "value", rows[name]).tolist() for name in names]
    made.add_nodes_from((node, dict(zip(names, row, strict=True))) for node, *row in zip(rows["node"].tolist(), *values, strict=True))
    names = ("main", "gap", "n_shared", "shared")
    ends = [links[name].tolist() for name in ("progenitor", "descendant")]
    values = [links[name].tolist() for name in names]
    made.add_edges_from((one, two, dict(zip(names, row, strict=True))) for one, two, *row in zip(*ends, *values, strict=True))
    return made
