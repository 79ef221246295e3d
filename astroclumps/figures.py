"""What figures of clumps share: classes with their colours and lines, and a canvas without a window."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .plotting import CLASS_COLOURS

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["CLASS_STYLES", "classes", "figure_class", "log_axis", "save"]

CLASS_STYLES = {
    "LLC": ("long-lived (LLC)", CLASS_COLOURS["LLC"], "#c01818", "-", "o"),
    "SLC": ("short-lived (SLC)", CLASS_COLOURS["SLC"], "#1060c0", "-", "s"),
    "ZLC": ("zero-lived (ZLC)", "#f5d76e", "#b8860b", ":", "."),
    "ex situ": ("ex situ", "#e06ce0", "#a020a0", "--", "D"),
    "bulge": ("bulge", "#ffffff", "#303030", "-.", "*"),
    "": ("not classified", CLASS_COLOURS[""], "#707070", "-", "x"),
}
"""Name, colour on dark, colour on white, line and symbol of each class; lines and symbols tell them apart without colours."""


def classes(clumps: "QTable") -> np.ndarray:
    """Class of each clump: ``'bulge'`` or ``'ex situ'`` by origin, else its longevity.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        A table of the stage "found" or "tracked".

    Returns
    -------
    array of str
        Keys of `CLASS_STYLES`; empty for clumps that no tracker has seen, and for those too small to be tracked.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> from astroclumps.figures import classes
    >>> clumps = catalog.make_table(("found", "tracked"), 3)
    >>> clumps["origin"] = ["bulge", "in situ", "ex situ"]
    >>> clumps["longevity"] = ["", "LLC", ""]
    >>> classes(clumps).tolist()
    ['bulge', 'LLC', 'ex situ']
    """
    origin = np.asarray(clumps["origin"]).astype("U16")
    longevity = np.asarray(clumps["longevity"]).astype("U16") if "longevity" in clumps.colnames else np.full(len(clumps), "", "U16")
    return np.where(np.isin(origin, ("bulge", "ex situ")), origin, longevity)


def figure_class(who: str) -> Any:
    """A function that makes a figure on a canvas without a window; an ImportError that names who needs matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ImportError(f'{who} needs matplotlib; install it with  pip install "astroclumps[plot]"') from exc

    def make(**options):
        figure = Figure(**options)
        FigureCanvasAgg(figure)
        return figure

    return make


def log_axis(axes: Any) -> None:
    """A logarithmic horizontal axis whose numbers do not run into each other: powers of ten, and 2 and 5 within less than two decades."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    short = high < 100 * low
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short and high < 30 * low else (1.0,), numticks=9))
    axes.xaxis.set_minor_formatter(NullFormatter())


def save(figure: Any, path: str | os.PathLike) -> None:
    """Write a figure; the same figure gives the same bytes."""
    figure.savefig(path, metadata={".png": {"Software": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower()))
