"""A contact sheet of what a detector gets most wrong."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .evaluation.failures import failures
from .evaluation.images import image_of
from .figures import figure_class, save
from .plotting import colour_image

if TYPE_CHECKING:
    from astroclumps.training.galaxy_set import GalaxySet

__all__ = ["plot_failures"]

_COLUMNS = 6
_HALF = 14.0  # pixels that a picture shows on each side


def plot_failures(
    galaxy_set: "GalaxySet", matched: Any, path: str | os.PathLike, *, noise_seed: int, cut: float = -np.inf, n: int = 12, title: str = ""
) -> Path:
    """The brightest missed clumps and the surest false detections of a detector, each in its galaxy and with the reason.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    matched : `~astroclumps.evaluation.one_to_one.OneToOne`
        Truth and detections of this set.
    path : path-like
        File to write; the suffix decides the format.
    noise_seed : int
        Of the noise in the pictures.
    cut : float, optional
        Least score of a detection.
    n : int, default 12
        Pictures of each sort; see `~astroclumps.evaluation.failures.failures`.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
        White circles are detections that are true, pink ones false; squares are the clumps that are to be found, dotted below the least
        mass. The subject is in the middle.
    """
    new_figure = figure_class("plot_failures")
    misses, false_alarms = failures(galaxy_set, matched, cut=cut, n=n)
    rows = [max(-(-len(table) // _COLUMNS), 1) for table in (misses, false_alarms)]
    figure = new_figure(figsize=(2.35 * _COLUMNS, 2.75 * sum(rows) + 1.2), dpi=110, facecolor="white")
    inch = 1 / figure.get_figheight()
    top = 1 - 0.45 * inch
    figure.text(0.01, 1 - 0.08 * inch, title or "what fails", size=13, weight="bold", va="top")
    for name, table, n_rows in (("brightest missed clumps", misses, rows[0]), ("surest false detections", false_alarms, rows[1])):
        figure.text(0.01, top, f"{name}: {_counts(table)}", size=11, va="top")
        top -= 0.3 * inch
        for k, row in enumerate(table):
            line, column = divmod(k, _COLUMNS)
            height = 2.15 * inch
            axes = figure.add_axes([0.008 + column / _COLUMNS, top - height - 2.75 * line * inch, 2.15 / (2.35 * _COLUMNS), height])
            _picture(axes, galaxy_set, matched, row, noise_seed, cut)
            axes.set_xlabel(_caption(row), size=7, labelpad=2)
        if not len(table):
            figure.text(0.5, top - 1.0 * inch, "none", ha="center", size=14, color="0.4")
        top -= 2.75 * n_rows * inch
    save(figure, Path(path))
    return Path(path)


def _counts(table):
    names, numbers = np.unique(np.asarray(table["reason"]).astype(str), return_counts=True)
    return ", ".join(f"{n} {name}" for name, n in sorted(zip(names, numbers, strict=True), key=lambda pair: -pair[1])) or "none"


def _caption(row):
    if "mass" in row.colnames:
        first = f"$10^{{{np.log10(row['mass']):.1f}}}$ M$_\\odot$ {row['longevity'] or 'ex situ'}, {row['magnitude']:.1f} mag, "
        second = f"contrast {row['contrast']:.2f}, {row['crowding']} near: {row['reason']}"
        return f"{first}S/N {row['signal_to_noise']:.0f}\n{second}"
    first = f"score {row['score']:.2f}, {1e3 * row['light']:.1f} nJy, contrast {row['contrast']:.2f}"
    return f"{first}\nclump at {row['nearest_positive']:.1f} px: {row['reason']}"


def _picture(axes, galaxy_set, matched, row, noise_seed, cut):
    from matplotlib.patches import Circle, Rectangle

    i, x, y = int(row["image"]), float(row["x"]), float(row["y"])
    axes.imshow(colour_image(image_of(galaxy_set, i, seed=noise_seed)), origin="lower", interpolation="nearest")
    flat, truth = matched.detections, matched.truth
    for d in range(flat.first[i], flat.first[i + 1]):
        if flat.score[d] >= cut:
            axes.add_patch(Circle((flat.x[d], flat.y[d]), 3, fill=False, ec="white" if matched.true[d] else "#ff40ff", lw=1.3))
    for t in range(truth.first[i], truth.first[i + 1]):
        line = "-" if matched.counted[t] else ":"
        axes.add_patch(Rectangle((truth.x[t] - 1, truth.y[t] - 1), 2, 2, fill=False, ec="#60ff60", lw=0.9, ls=line))
    axes.set(xlim=(x - _HALF, x + _HALF), ylim=(y - _HALF, y + _HALF), xticks=[], yticks=[])
    axes.set_title(f"galaxy {galaxy_set.galaxy[i]}, z = {float(galaxy_set.redshift[i]):.2f}", size=7, pad=2)
