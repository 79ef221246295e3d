"""Pictures of what networks are given and what they say: images with clumps and detections, and stamps (after G21 Figs. 4 and 5)."""

from pathlib import Path

import numpy as np

from astroclumps.figures import CLASS_STYLES, figure_class, save
from astroclumps.plotting import colour_image

__all__ = ["plot_examples", "plot_stamps"]

_SQUARE = 4.0  # pixels, the side of a true clump's mark
_RADIUS = 3.0  # pixels, of a detection's
_STAMP = 10


def plot_examples(images, truths, detections, path, *, title: str = "") -> Path:
    """Images as the networks see them, with the 3D clumps above 10^7.5 Msun (squares) and the detections (circles), by class.

    Parameters
    ----------
    images : sequence of `~astroclumps.MultiBandImage`
        With noise; three columns.
    truths : sequence of (x, y, classes) or None
        For each image its clumps, classes being keys of `astroclumps.figures.CLASS_STYLES`; None where they are not known.
    detections : sequence of (x, y, classes)
        With the network's classes.
    path : path-like
        File to write; the suffix decides the format.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    from matplotlib.patches import Circle, Rectangle

    new_figure = figure_class("plot_examples")
    columns = min(max(len(images), 1), 4)
    rows = 2 * max(-(-len(images) // columns), 1)
    figure = new_figure(figsize=(3.0 * columns, 3.12 * rows + 0.8), dpi=110, facecolor="white", layout="constrained")
    seen = set()
    for i, (image, truth, found) in enumerate(zip(images, truths, detections, strict=True)):
        rgb = colour_image(image)
        for marked in (False, True):
            axes = figure.add_subplot(rows, columns, (2 * (i // columns) + marked) * columns + i % columns + 1)
            axes.imshow(rgb, origin="lower", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            if not marked:
                axes.set_title(_words(image), size=8)
                continue
            for x, y, label in () if truth is None else zip(*truth, strict=True):
                seen.add(str(label))
                style = {"fill": False, "ec": CLASS_STYLES[str(label)][1], "lw": 1.3}
                axes.add_patch(Rectangle((x - _SQUARE / 2, y - _SQUARE / 2), _SQUARE, _SQUARE, **style))
            for x, y, label in zip(*found, strict=True):
                seen.add(str(label))
                axes.add_patch(Circle((x, y), _RADIUS, fill=False, ec=CLASS_STYLES[str(label)][1], lw=1.0, ls=(0, (4, 2))))
            side = rgb.shape[1] - 0.5, rgb.shape[0] - 0.5
            axes.set(xlim=(-0.5, side[0]), ylim=(-0.5, side[1]))
    _legend(figure, seen)
    figure.suptitle(title, size=10)
    save(figure, Path(path))
    return Path(path)


def plot_stamps(stamps, path, *, title: str = "") -> Path:
    """Stamps of 10 x 10 pixels around detections, a row for each true class.

    Parameters
    ----------
    stamps : dict
        True class -> sequence of (`~astroclumps.MultiBandImage`, x, y, p_long): the images that they are cut from, pixels, and the
        probability of being long-lived.
    path : path-like
        File to write; the suffix decides the format.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_stamps")
    columns = max([len(row) for row in stamps.values()], default=1)
    figure = new_figure(figsize=(1.25 * columns + 0.5, 1.5 * max(len(stamps), 1) + 0.4), dpi=110, facecolor="white", layout="constrained")
    for i, (label, row) in enumerate(stamps.items()):
        for j, (image, x, y, p_long) in enumerate(row):
            axes = figure.add_subplot(len(stamps), columns, i * columns + j + 1)
            axes.imshow(_cut(colour_image(image), x, y), origin="lower", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_title("not judged" if np.isnan(p_long) else f"p = {p_long:.2f}", size=8, pad=2)
            for side in axes.spines.values():
                side.set(color=CLASS_STYLES[label][2], lw=2)
            if j == 0:
                axes.set_ylabel(CLASS_STYLES[label][0], size=8)
    figure.suptitle(title, size=9)
    save(figure, Path(path))
    return Path(path)


def _cut(rgb, x, y):
    """The stamp, black where it leaves the image."""
    from astroclumps.longevity.stamps import stamp_origin

    column, row = (int(one[0]) for one in stamp_origin(np.array([x]), np.array([y]), size=_STAMP))
    padded = np.pad(rgb, ((_STAMP, _STAMP), (_STAMP, _STAMP), (0, 0)))
    return padded[row + _STAMP : row + 2 * _STAMP, column + _STAMP : column + 2 * _STAMP]


def _words(image):
    return f"{image.name}\nz = {image.redshift:.2f}" if image.redshift is not None else image.name


def _legend(figure, seen):
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", ls="", mfc="none", mec=CLASS_STYLES[label][1], label=CLASS_STYLES[label][0])
        for label in CLASS_STYLES
        if label in seen
    ]
    square = Line2D([], [], marker="s", ls="", mfc="none", mec="white", label=r"3D clump above $10^{7.5}$ M$_\odot$")
    circle = Line2D([], [], marker="o", ls="", mfc="none", mec="white", label="detection, class of the network")
    handles = [square, circle, *handles]
    style = {"facecolor": "0.15", "edgecolor": "none", "labelcolor": "white", "fontsize": 8}
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), **style)
