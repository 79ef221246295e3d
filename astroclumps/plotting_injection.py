"""A figure of completeness against flux, from clumps that were put into images."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .exceptions import AstroclumpsWarning
from .figures import figure_class, save

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import ArrayLike

__all__ = ["plot_injection"]

__doctest_requires__ = {("plot_injection",): ["matplotlib"]}

_MARKS = "osD^vP*X"
_COLOURS = ("#c01818", "#1060c0", "#2a8a3a", "#b8860b", "#a020a0", "#303030", "#20a0a0", "#e06020")
_LABELS = {
    "flux": r"flux of the clump [$\mu$Jy]",
    "ratio": "clump / galaxy",
    "size": "half-light radius [arcsec]",
    "r_norm": "distance from the centre / half-light radius of the galaxy",
}


def plot_injection(
    clumps: "QTable",
    path: str | os.PathLike,
    *,
    by: str = "flux",
    bins: "ArrayLike" = 8,
    fit: bool = True,
    title: str = "",
    n_bootstrap: int = 200,
) -> Path:
    """Completeness of each detector against the flux of clumps that were put into images.

    Points are shares in bins, bars the larger of the binomial error and the bootstrap over galaxies; lines are the fits of
    `~astroclumps.evaluation.injection_curves.half_flux`, and the legend says where they cross one half.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        From `~astroclumps.evaluation.injection.Injection.run`.
    path : path-like
        File to write; the suffix decides the format.
    by : {'flux', 'ratio', 'size', 'r_norm'}, default 'flux'
        What is drawn along the horizontal axis.
    bins : int or array_like, default 8
        See `~astroclumps.evaluation.injection_curves.completeness_curve`.
    fit : bool, default True
        Draw the fit (flux and ratio only).
    title : str, optional
        Stands above the panel.
    n_bootstrap : int, default 200
        Draws of galaxies.

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
    >>> from astroclumps import ContrastDetector
    >>> from astroclumps.evaluation.injection import Injection
    >>> from astroclumps.plotting import plot_injection
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W", "F160W"])
    >>> clumps = Injection(ratio=(0.01, 0.5), repeats=6, seed=1).run([image], ContrastDetector())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_injection(clumps, Path(folder) / "completeness.png", by="ratio", n_bootstrap=10).name
    'completeness.png'
    """
    from .evaluation.injection_curves import completeness_curve, half_flux

    new_figure = figure_class("plot_injection")
    path = Path(path)
    curve = completeness_curve(clumps, by=by, bins=bins, n_bootstrap=n_bootstrap)
    detectors = list(dict.fromkeys(str(name) for name in clumps["detector"]))
    figure = new_figure(figsize=(6.4, 4.3 + 0.2 * len(detectors)), dpi=120, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for place, name in enumerate(detectors):
        colour, mark = _COLOURS[place % len(_COLOURS)], _MARKS[place % len(_MARKS)]
        mine = curve[np.asarray(curve["detector"]) == name]
        label = name
        if fit and by in ("flux", "ratio"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstroclumpsWarning)  # the legend says it
                fitted = half_flux(clumps, by=by, detector=name, n_bootstrap=n_bootstrap)
            label += f": {_half(fitted)}"
            if np.isfinite(fitted.half):
                values = np.geomspace(_plain(curve["low"]).min(), _plain(curve["high"]).max(), 100)
                axes.plot(values, fitted.curve(values), color=colour, lw=1.2, alpha=0.7)
        share = np.asarray(mine["completeness"])
        boot = np.nan_to_num(np.asarray(mine["error"]))
        bars = [np.maximum(share - mine["lower"], boot), np.maximum(mine["upper"] - share, boot)]
        shift = 1 + 0.012 * (place - (len(detectors) - 1) / 2)  # so that bars do not hide one another
        axes.errorbar(
            _plain(mine["middle"]) * shift, share, np.clip(bars, 0, None), fmt=mark, color=colour, ms=6, lw=1.2, capsize=2, label=label
        )
    axes.axhline(0.5, color="0.6", lw=0.8, ls="--")
    if by != "r_norm":
        axes.set_xscale("log")
    band = clumps.meta.get("bands", "")
    text = _LABELS.get(by, by) + (f" in {band}" if band and by in ("flux", "ratio") else "")
    axes.set(xlabel=text, ylabel="share that is found", ylim=(-0.04, 1.04))
    if detectors:
        figure.legend(fontsize=8.5, frameon=False, loc="outside lower center")
    else:
        axes.text(0.5, 0.5, "no clumps were put in", transform=axes.transAxes, ha="center", size=14, color="0.4")
    axes.set_title(title, size=11)
    save(figure, path)
    return path


def _plain(column):
    return np.asarray(getattr(column, "value", column), dtype=float)


def _half(fitted):
    if not np.isfinite(fitted.half):
        return "half is not reached" if fitted.plateau <= 0.5 else "half lies outside"
    if not np.isfinite(fitted.lower):
        return f"half at {fitted.half:.3g}"
    return f"half at {fitted.half:.3g} ({fitted.lower:.3g}-{fitted.upper:.3g})"
