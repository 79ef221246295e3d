"""What is printed about the clumps of a run: how many of each class, what that rests on, where the files are."""

import textwrap

import astropy.units as u
import numpy as np

from .. import catalog

__all__ = ["assumptions", "class_lines", "report"]

_NAMES = {
    "LLC": "LLC, long-lived",
    "SLC": "SLC, short-lived",
    "ZLC": "ZLC, zero-lived",
    "ex situ": "ex situ",
    "bulge": "bulge",
    "": "not classified",
}
_PAPER_CADENCE = (80, 160)  # Myr (G21 3.1.1)
_FAR = 3  # snapshots; links over as many are counted (METHODS 1)


def report(tracked, links, seen, *, finder, tracker, files, folder) -> str:
    """The whole text.

    Parameters
    ----------
    tracked : `~astropy.table.QTable`
        Stage ``tracked``, all snapshots.
    links : `~astropy.table.QTable`
        Links by gap, from `~astroclumps.ClumpTracker.links`.
    seen : list
        What is kept of each snapshot.
    finder, tracker : object
        Their settings.
    files : sequence of str
        Names of the files in the folder.
    folder : path-like
    """
    n, m = len(tracked), len(seen)
    lines = ["", f"{n or 'no'} clump{'' if n == 1 else 's'} in {m} snapshot{'' if m == 1 else 's'}", *class_lines(tracked, seen)]
    lines += ["", "what this rests on"]
    for line in assumptions(tracked, links, seen, finder=finder, tracker=tracker):
        lines += textwrap.wrap(line, 110, initial_indent="  - ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    figures = [name for name in files if name.startswith(("snapshot_", "labels_"))]
    shown = [name for name in files if name not in figures]
    for start in ("snapshot_", "labels_"):
        some = [name for name in figures if name.startswith(start)]
        shown += some if len(some) < 3 else [f"{some[0]} to {some[-1]}"]
    return "\n".join([*lines, "", f"in {folder}: {', '.join(shown)}"])


def class_lines(tracked, seen) -> list[str]:
    """Numbers, medians and part of the star formation of each class as aligned text; nothing for an empty table.

    The last is the rate of all clumps of the class over that of the disc, both summed over snapshots: the part that METHODS 1 gives.
    """
    if not len(tracked):
        return []
    from ..plotting_3d import classes

    labels = classes(tracked)
    total = sum(one.sfr for one in seen)
    columns = {name: [] for name in ("class", "clumps", "tracks", "share", "log M/Msun", "r/R_d", "lifetime [Myr]", "SFR/disc")}
    tracks = np.asarray(tracked["track"])
    # the bulge is one by its place, not by its life: it does not count
    n_off = len(np.unique(tracks[np.isin(labels, ("LLC", "SLC", "ZLC", "ex situ")) & (tracks > 0)]))
    for label, name in _NAMES.items():
        rows = labels == label
        if not rows.any():
            continue
        own = np.unique(tracks[rows & (tracks > 0)], return_index=False)
        columns["class"].append(name)
        columns["clumps"].append(str(rows.sum()))
        columns["tracks"].append(str(len(own)) if label else "-")
        columns["share"].append(f"{len(own) / n_off:.0%}" if label not in ("", "bulge") else "-")
        columns["log M/Msun"].append(f"{np.median(np.log10(tracked['mass'].to_value(u.Msun)[rows])):.2f}")
        columns["r/R_d"].append(f"{np.median(tracked['r_norm'][rows]):.2f}")
        lifetimes = tracked["lifetime"].to_value(u.Myr)[rows]
        columns["lifetime [Myr]"].append(f"{np.median(lifetimes):.0f}" if label in ("LLC", "SLC", "ex situ") else "-")
        sfr = np.nansum(tracked["sfr"].value[rows])
        columns["SFR/disc"].append(f"{sfr / total:.1%}" if total > 0 else "-")
    widths = {name: max(len(name), *(len(text) for text in values)) for name, values in columns.items()}
    lines = []
    for row in (list(columns), *zip(*columns.values(), strict=True)):
        cells = [f"{text:{'<' if name == 'class' else '>'}{widths[name]}}" for name, text in zip(columns, row, strict=True)]
        lines.append("  ".join(["", *cells]).rstrip())
    return [
        *lines,
        "  (log M, r and lifetime: medians over the clumps of all snapshots; share: of tracks off the centre;",
        "   SFR/disc: of all clumps of the class together over that in R_d and H_d, both summed over snapshots)",
    ]


def assumptions(tracked, links, seen, *, finder, tracker) -> list[str]:
    """What the numbers rest on, a sentence each."""
    lines = [text for text in dict.fromkeys(text for one in seen for text in one.assumptions)]
    sources = dict.fromkeys(one.r_vir for one in seen)
    lines.append(f"virial radius, which bounds the search for the disc: {'; '.join(sources)}")
    lines += _cells(seen, finder)
    if finder.min_elements:
        lines.append(
            f"regions with fewer than {finder.min_elements} stars and fewer gas elements are left out; finder.min_elements=0 keeps them"
        )
    if not all(one.dark for one in seen):
        lines.append("no dark matter: clumps that fell in cannot be told and count as in situ")
    lines += _flagged(tracked)
    lines += _cadence(seen)
    lines += _links(links, tracker)
    lines += _ends(tracked)
    return lines


def _cells(seen, finder):
    cell = finder.cell_size.to_value(u.pc)
    text = f"cells of {cell:.3g} pc"
    widths = [_leading(one.meta.get("background_fwhm")) for one in seen]
    widths = [width for width in widths if width is not None]
    if widths:
        low, high = min(widths), max(widths)
        text += f", background of {low:.2g} kpc" if high < 1.01 * low else f", background of {low:.2g} to {high:.2g} kpc"
        text += " FWHM"
    for name, noun in (("softening", "gas is softened over"), ("cell_size", "gas cells of")):
        sizes = [1e3 * one.sizes[name] for one in seen if name in one.sizes]
        if sizes:
            text += f"; {noun} {np.median(sizes):.3g} pc (median)"
    if not any(one.sizes for one in seen):
        text += "; the snapshots state no softening or cell size to compare that with"
    return [text]


def _leading(text):
    try:
        return float(str(text).split()[0])
    except (ValueError, IndexError):
        return None


def _flagged(tracked):
    if not len(tracked):
        return []
    flags, told = np.asarray(tracked["flags"]), []
    for flag, text in (
        (catalog.Flag3D.FEW_STARS, "fewer than 10 stars"),
        (
            catalog.Flag3D.UNRESOLVED,
            "fewer elements than cells, or gas softened over more than a cell, so that shape and dispersion are noise",
        ),
        (catalog.Flag3D.LARGE, "larger than half the background, a disc or an arm rather than a clump"),
        (catalog.Flag3D.GRID_EDGE, "at the edge of the grid, maybe cut"),
    ):
        count = int(((flags & int(flag)) > 0).sum())
        if count:
            told.append(f"{count} {text}")
    return [f"flags of the {len(tracked)} clumps: {'; '.join(told)}"] if told else []


def _cadence(seen):
    if len(seen) < 2:
        return ["one snapshot: nothing can be followed, so every lifetime is a lower limit and classes mean little"]
    steps = np.diff([one.time.to_value(u.Myr) for one in seen])
    low, high = steps.min(), steps.max()
    shown = f"{low:.3g}" if high < 1.05 * low else f"{low:.3g} to {high:.3g}"
    text = f"snapshots {shown} Myr apart"
    if high < _PAPER_CADENCE[0] or low > _PAPER_CADENCE[1]:
        text += f" (the paper's: {_PAPER_CADENCE[0]} to {_PAPER_CADENCE[1]}); shares of classes depend on it"
    return [text]


def _links(links, tracker):
    n = int(np.sum(links["n_main"]))
    if not n:
        return []
    far = int(np.sum(links["n_main"][links["gap"] >= _FAR]))
    few = int(np.sum(links["n_few"]))
    text = f"{n} links to main progenitors, {far} of them over {_FAR} snapshots or more and {few} by 5 stars or fewer"
    if tracker.max_gap is None and tracker.min_shared < 6 and far + few:
        text += ", which make doubtful lifetimes: tracker.max_gap and tracker.min_shared leave them out"
    return [text]


def _ends(tracked):
    if not len(tracked):
        return []
    tracks = np.asarray(tracked["track"])
    n = len(np.unique(tracks[tracks > 0]))
    alive = len(np.unique(tracks[(tracks > 0) & (np.asarray(tracked["censored"]) > 0)]))
    early = len(np.unique(tracks[(tracks > 0) & (np.asarray(tracked["left_censored"]) > 0)]))
    return [f"of {n} tracks {alive} are alive in the last snapshot and {early} begin in the first: their lifetimes are lower limits"]
