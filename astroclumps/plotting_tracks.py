"""A figure of what becomes of clumps in time, class by class."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from .figures import CLASS_STYLES, classes, figure_class, save

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["plot_tracks"]

__doctest_requires__ = {("plot_tracks",): ["matplotlib"]}

_QUANTITIES = (("mass", u.Msun, r"mass of gas and stars [M$_\odot$]"), ("r_gal", u.kpc, "distance from the centre [kpc]"))
_FEW = 3  # clumps that a median needs


def plot_tracks(clumps: "QTable", path: str | os.PathLike, *, long_lived: float = 20.0, title: str = "") -> Path:
    """Mass and place of each track in time, class by class, and lifetime against mass.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        A table of the stage "tracked" with all snapshots. Rows of no track (too few stars) and the bulge are left out.
    path : path-like
        File to write; the suffix decides the format.
    long_lived : float, default 20
        Lifetime in free-fall times from which a clump is long-lived (G21 3.1.3); drawn as a line.
    title : str, optional
        Stands above the panels.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps import catalog
    >>> from astroclumps.plotting_3d import plot_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_tracks(catalog.make_table(("found", "tracked")), Path(folder) / "tracks.png").name
    'tracks.png'
    """
    new_figure = figure_class("plot_tracks")
    path = Path(path)
    tracked = clumps[(np.asarray(clumps["track"]) > 0) & (np.asarray(clumps["origin"]) != "bulge")]
    labels = classes(tracked)
    shown = [label for label in ("LLC", "SLC", "ZLC", "ex situ") if label in set(labels)]
    figure = new_figure(figsize=(4.6 + 3.1 * max(len(shown), 1), 6.2), dpi=120, facecolor="white")
    inch_x, inch_y = 1 / figure.get_figwidth(), 1 / figure.get_figheight()
    end = 1 - 4.2 * inch_x
    grid = figure.add_gridspec(
        2, max(len(shown), 1), left=0.75 * inch_x, right=end, top=1 - 0.65 * inch_y, bottom=0.6 * inch_y, wspace=0.04, hspace=0.05
    )
    for row, (name, unit, text) in enumerate(_QUANTITIES):
        first = None
        for column, label in enumerate(shown):
            axes = figure.add_subplot(grid[row, column], sharex=first, sharey=first)
            first = first or axes
            n = _lines(axes, tracked[labels == label], label, name, unit)
            if row == 0:
                axes.set_yscale("log")
                axes.set_title(f"{CLASS_STYLES[label][0]}: {n} track{'' if n == 1 else 's'}", size=10.5, color=CLASS_STYLES[label][2])
            axes.tick_params(labelleft=column == 0, labelbottom=row == 1, labelsize=9)
            axes.set(xlabel="time [Gyr]" if row else "", ylabel=text if column == 0 else "")
        if first is not None:
            first.margins(x=0.06)
        if first is not None and row:
            first.set_ylim(bottom=0)
            first.text(0.03, 0.03, "black: median of 3 or more", transform=first.transAxes, size=9)
    if shown:
        right = figure.add_axes([end + 0.85 * inch_x, 0.6 * inch_y, 3.2 * inch_x, 1 - 1.25 * inch_y])
        _lifetimes(right, tracked, labels, long_lived)
    else:
        figure.text(0.5, 0.5, "no tracks", ha="center", va="center", size=16, color="0.4")
    figure.text(0.12 * inch_x, 1 - 0.1 * inch_y, title, size=13, weight="bold", va="top")
    save(figure, path)
    return path


def _lines(axes, clumps, label, name, unit):
    """A line a track, and in black the median at times of three clumps or more; the number of tracks."""
    time, values = clumps["time"].to_value(u.Gyr), clumps[name].to_value(unit)
    tracks = np.asarray(clumps["track"])
    _, _, colour, _, symbol = CLASS_STYLES[label]
    for track in np.unique(tracks):
        rows = np.flatnonzero(tracks == track)
        rows = rows[np.argsort(time[rows], kind="stable")]
        axes.plot(time[rows], values[rows], color=colour, marker=symbol, ms=5 if symbol == "." else 3.5, mew=0, lw=0.9, alpha=0.55)
    times, counts = np.unique(time, return_counts=True)
    medians = [np.median(values[time == one]) if n >= _FEW else np.nan for one, n in zip(times, counts, strict=True)]
    axes.plot(times, medians, color="black", lw=1.8)
    return len(np.unique(tracks))


def _lifetimes(axes, clumps, labels, long_lived):
    """Lifetime over free-fall time against the largest mass, a point a track; ZLC along the bottom."""
    tracks = np.asarray(clumps["track"])
    _, first, back = np.unique(tracks, return_index=True, return_inverse=True)
    most = np.zeros(len(first))
    np.maximum.at(most, back, clumps["mass"].to_value(u.Msun))
    ratio = (clumps["lifetime"] / clumps["t_ff_mean"]).to_value(u.one)[first]
    alive, label = np.asarray(clumps["censored"])[first] > 0, labels[first]
    lived = ratio[ratio > 0]
    floor = min(lived.min() / 2, long_lived / 10) if len(lived) else long_lived / 10
    shift = np.random.default_rng(0).uniform(0.75, 1.33, len(first))  # ZLC side by side: their ratio is 0
    shown = np.where(ratio > 0, ratio, floor * shift)
    for one in reversed(CLASS_STYLES):
        _, _, colour, _, symbol = CLASS_STYLES[one]
        here = label == one
        size = {".": 5, "*": 9}.get(symbol, 5)
        axes.plot(most[here & ~alive], shown[here & ~alive], symbol, color=colour, ms=size, mew=0, alpha=0.8)
        axes.plot(most[here & alive], shown[here & alive], symbol, mfc="white", mec=colour, ms=size, mew=1.0)
    axes.axhline(long_lived, color="0.4", lw=1, ls="--")
    if (ratio == 0).any():
        axes.axhspan(0.6 * floor, 1.6 * floor, color="0.93", zorder=0)
        axes.text(0.985, 1.5 * floor, "lifetime 0", size=8.5, color="0.3", ha="right", va="top", transform=axes.get_yaxis_transform())
    axes.set(xscale="log", yscale="log", xlabel=r"largest mass of the track [M$_\odot$]", ylabel="lifetime over free-fall time")
    axes.tick_params(labelsize=9)
    if alive.any():
        axes.set_title("open: alive in the last snapshot", size=10.5, color="0.3")
    if (ratio == 0).any():  # no numbers beside the strip
        axes.set_ylim(bottom=0.5 * floor)
        axes.set_yticks([tick for tick in axes.get_yticks() if 1.6 * floor < tick < axes.get_ylim()[1]])
        axes.set_yticks([tick for tick in axes.get_yticks(minor=True) if 1.6 * floor < tick < axes.get_ylim()[1]], minor=True)
