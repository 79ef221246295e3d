"""Figures of how good detectors are, from the tables of `astroclumps.evaluation.comparison.compare` or of ``astroclumps evaluate``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .figures import figure_class, log_axis, save

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["plot_clumps_per_square", "plot_completeness", "plot_detectors", "plot_purity", "plot_squares", "plot_true_detection"]

_COLOURS = ("#c01818", "#1060c0", "#2a8a3a", "#b8860b", "#a020a0", "#20a0a0", "#e06020", "#705030", "#8090ff")
_MARKS = "osD^vP*Xh"
_NULLS = ("random points", "a dot in every lit square")
_SIZES = ("#1060c0", "#2a8a3a", "#c01818", "#a020a0", "#b8860b")
_LABELS = {
    "mass": r"mass of gas and stars [M$_\odot$]",
    "mass_stars": r"stellar mass [M$_\odot$]",
    "magnitude": "AB magnitude of the clump",
    "signal_to_noise": "signal-to-noise in the sky, all bands",
    "redshift": "redshift",
    "r_norm": r"distance to the axis / R$_d$",
    "crowding": "others within 10 px",
    "surface_brightness": r"light around [AB mag / arcsec$^2$]",
    "light": r"light above the surroundings [$\mu$Jy]",
}
_LOGARITHMIC = ("mass", "mass_stars", "signal_to_noise", "light")
_POLICIES = {"none": "none", "0.001": r"SFR$_c$/SFR$_d$ > 10$^{-3}$", "all": "all"}


def _style(names):
    """Colour, symbol and line of each detector; those that know nothing are grey and dotted."""
    known = [name for name in names if name not in _NULLS]
    style = {name: (_COLOURS[i % len(_COLOURS)], _MARKS[i % len(_MARKS)], "-") for i, name in enumerate(known)}
    return style | dict(zip(_NULLS, (("0.35", "x", ":"), ("0.6", "+", ":")), strict=True))


def _order(table, column="detector"):
    return list(dict.fromkeys(str(name) for name in table[column]))


def _column(table, name):
    return np.asarray(table[name], dtype=float)


def _reached(rows, column):
    """Whether a detector has as many detections as it is compared at; older tables do not say."""
    return column not in rows.colnames or bool(np.all(rows[column]))


def _lines(axes, table, value, style):
    """Points with errors along one quantity, a line a detector."""
    for name in _order(table):
        part = table[np.asarray(table["detector"]).astype(str) == name]
        colour, mark, line = style[name]
        axes.errorbar(
            _column(part, "median"), _column(part, value), np.nan_to_num(_column(part, "error")), color=colour, marker=mark, ls=line, ms=4,
            lw=1.2, capsize=2, label=name if _reached(part, "reached") else f"{name}: all it has, fewer",
        )  # fmt: skip


def _panels(who, table, path, value, title):
    new_figure = figure_class(who)
    quantities = _order(table, "quantity")
    columns = min(4, max(len(quantities), 1))
    rows = max(-(-len(quantities) // columns), 1)
    figure = new_figure(figsize=(3.6 * columns, 3.1 * rows + 0.9), dpi=120, facecolor="white", layout="constrained")
    style = _style(_order(table))
    for i, quantity in enumerate(quantities):
        axes = figure.add_subplot(rows, columns, i + 1)
        part = table[np.asarray(table["quantity"]).astype(str) == quantity]
        _lines(axes, part, value, style)
        middle = _column(part, "median")
        if quantity in _LOGARITHMIC and (middle > 0).any():
            if (middle > 0).all():
                log_axis(axes)
            else:
                axes.set_xscale("symlog", linthresh=1e-3)
        axes.set(xlabel=_LABELS.get(quantity, quantity), ylim=(-0.03, 1.03), ylabel=value if i % columns == 0 else "")
        axes.tick_params(labelsize=8)
    if quantities:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=8, frameon=False)
    figure.suptitle(title or f"{value} within 3 px; every detector cut to the number of detections of the first", size=10)
    save(figure, Path(path))
    return Path(path)


def plot_completeness(completeness: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """One-to-one completeness of each detector against what may decide it: mass, flux, redshift, radius, crowding, surface brightness.

    Parameters
    ----------
    completeness : `~astropy.table.QTable`
        ``tables["completeness"]`` of a `~astroclumps.evaluation.comparison.Comparison`. The legend says which detectors have fewer
        detections than the first.
    path : path-like
        File to write; the suffix decides the format.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    return _panels("plot_completeness", completeness, path, "completeness", title)


def plot_purity(purity: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """One-to-one purity of each detector against redshift, crowding, light around and light of its detections.

    Parameters
    ----------
    purity : `~astropy.table.QTable`
        ``tables["purity"]`` of a `~astroclumps.evaluation.comparison.Comparison`.
    path, title
        As in `plot_completeness`.

    Returns
    -------
    path : `~pathlib.Path`
    """
    return _panels("plot_purity", purity, path, "purity", title)


def plot_detectors(curves: "QTable", scores: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """Purity against completeness of each detector, and completeness against the number of detections.

    Parameters
    ----------
    curves, scores : `~astropy.table.QTable`
        ``tables["curves"]`` and ``tables["scores"]`` of a `~astroclumps.evaluation.comparison.Comparison`. Points with errors are the
        detectors' own cuts.
    path, title
        As in `plot_completeness`.

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_detectors")
    figure = new_figure(figsize=(11, 5.2), dpi=120, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    style = _style(_order(scores))
    own = {str(row["detector"]): row for row in scores}
    for name in _order(scores):
        part = curves[np.asarray(curves["detector"]).astype(str) == name]
        colour, mark, line = style[name]
        left.plot(_column(part, "completeness"), _column(part, "purity"), color=colour, ls=line, lw=1.3)
        right.plot(_column(part, "detections_per_image"), _column(part, "completeness"), color=colour, ls=line, lw=1.3)
        row = own[name]
        error = {key: np.nan_to_num(float(row[f"{key}_error"])) for key in ("completeness", "purity", "detections_per_image")}
        point = {"color": colour, "marker": mark, "ls": "", "capsize": 2, "ms": 6}
        label = f"{name} (AP {float(row['average_precision']):.2f})"
        left.errorbar(row["completeness"], row["purity"], error["purity"], error["completeness"], label=label, **point)
        right.errorbar(row["detections_per_image"], row["completeness"], error["completeness"], error["detections_per_image"], **point)
    number = float(scores["detections_per_image"][0])
    right.axvline(number, color="0.7", lw=0.8)
    left.set(xlabel="completeness", ylabel="purity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    most = max([number, *(float(row["detections_per_image"]) for name, row in own.items() if name not in _NULLS)])
    right.set(xlabel="detections in an image", ylabel="completeness", ylim=(-0.02, 1.02), xlim=(0, max(1.5 * most, 1)))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(title or "one to one within 3 px, blends merged; points: each detector's own cut", size=10)
    save(figure, Path(path))
    return Path(path)


def plot_squares(squares_completeness: "QTable", path: str | os.PathLike, *, detector: str | None = None, title: str = "") -> Path:
    """Completeness in squares against baryonic and stellar mass (after G21 Fig. 6).

    Parameters
    ----------
    squares_completeness : `~astropy.table.QTable`
        ``tables["squares_completeness"]`` of a `~astroclumps.evaluation.comparison.Comparison`.
    path, title
        As in `plot_completeness`.
    detector : str, optional
        Default: the first. Solid lines have all star-forming zero-lifetime clumps in the mass, dashed ones those above 1e-3 of the disc's
        star formation; grey are the detectors that know nothing, in the largest squares.

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_squares")
    figure = new_figure(figsize=(10, 4.6), dpi=120, facecolor="white", layout="constrained")
    detectors, policies = _order(squares_completeness), np.asarray(squares_completeness["policy"]).astype(str)
    names, kinds = (np.asarray(squares_completeness[key]).astype(str) for key in ("detector", "quantity"))
    sizes = np.asarray(squares_completeness["size"], dtype=int)
    shown = detector or (detectors[0] if detectors else "")
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), ("mass", "mass_stars"), strict=True):
        for size, colour in zip(np.unique(sizes), _SIZES, strict=False):
            for policy, line in (("all", "-"), ("0.001", "--")):
                part = squares_completeness[(names == shown) & (kinds == kind) & (sizes == size) & (policies == policy)]
                axes.errorbar(
                    _column(part, "median"), _column(part, "completeness"), np.nan_to_num(_column(part, "error")), color=colour, ls=line,
                    marker="o", ms=4, capsize=2, label=f"{size} px" if policy == "all" else None,
                )  # fmt: skip
        for null, mark in zip(_NULLS, "x+", strict=True):
            part = squares_completeness[(names == null) & (kinds == kind) & (sizes == sizes.max(initial=0)) & (policies == "all")]
            if len(part):
                label = f"{null}, {sizes.max()} px"
                axes.plot(_column(part, "median"), _column(part, "completeness"), color="0.5", ls=":", marker=mark, label=label)
        log_axis(axes)
        axes.set(xlabel=_LABELS[kind] + " in a square", ylim=(-0.03, 1.03))
    figure.axes[0].set_ylabel("completeness")
    figure.axes[1].legend(fontsize=8, frameon=False, loc="lower right")
    figure.suptitle(title or f"{shown}: squares with a detection", size=10)
    save(figure, Path(path))
    return Path(path)


def plot_true_detection(squares_true_detection: "QTable", path: str | os.PathLike, *, detector: str | None = None, title: str = "") -> Path:
    """True detection rate against which star-forming zero-lifetime clumps count (after G21 Fig. 7).

    Parameters
    ----------
    squares_true_detection : `~astropy.table.QTable`
        ``tables["squares_true_detection"]`` of a `~astroclumps.evaluation.comparison.Comparison`.
    path, title
        As in `plot_completeness`.
    detector : str, optional
        Default: the first. Grey are the detectors that know nothing, in the largest squares.

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_true_detection")
    figure = new_figure(figsize=(5.6, 4.4), dpi=120, facecolor="white", layout="constrained")
    axes = figure.subplots()
    names = np.asarray(squares_true_detection["detector"]).astype(str)
    sizes = np.asarray(squares_true_detection["size"], dtype=int)
    shown = detector or (names[0] if len(names) else "")
    policies = [policy for policy in _order(squares_true_detection, "policy") if policy in _POLICIES]
    lines = [(shown, size, colour, "o", "-", f"{size} px") for size, colour in zip(np.unique(sizes), _SIZES, strict=False)]
    largest = sizes.max(initial=0)
    lines += [(null, largest, "0.5", mark, ":", f"{null}, {largest} px") for null, mark in zip(_NULLS, "x+", strict=True)]
    for name, size, colour, mark, line, label in lines:
        part = squares_true_detection[(names == name) & (sizes == size)]
        rate = {str(row["policy"]): (float(row["true_detection"]), float(row["error"])) for row in part}
        if rate:
            values = np.array([rate[policy] for policy in policies])
            axes.errorbar(
                range(len(policies)), values[:, 0], np.nan_to_num(values[:, 1]), color=colour, marker=mark, ls=line, capsize=2, label=label
            )  # fmt: skip
    axes.set_xticks(range(len(policies)), [_POLICIES[policy] for policy in policies])
    axes.set(xlabel="star-forming zero-lifetime clumps that count", ylabel="squares with a detection that hold a clump", ylim=(0, 1.03))
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(title or shown, size=10)
    save(figure, Path(path))
    return Path(path)


def plot_clumps_per_square(clumps_per_square: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """How many squares hold so many 3D clumps (after G21 Fig. 8).

    Parameters
    ----------
    clumps_per_square : `~astropy.table.QTable`
        ``tables["clumps_per_square"]`` of a `~astroclumps.evaluation.comparison.Comparison`; all zero-lifetime clumps are counted.
    path, title
        As in `plot_completeness`.

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_clumps_per_square")
    figure = new_figure(figsize=(5.6, 4.4), dpi=120, facecolor="white", layout="constrained")
    axes = figure.subplots()
    sizes = np.asarray(clumps_per_square["size"], dtype=int)
    for size, colour in zip(np.unique(sizes), _SIZES, strict=False):
        part = clumps_per_square[(sizes == size) & (np.asarray(clumps_per_square["n_clumps"]) > 0)]
        share, number = _column(part, "share"), _column(part, "n_clumps")
        held = share > 0
        median = float(clumps_per_square["median"][sizes == size][0])
        axes.step(number[held], share[held], where="mid", color=colour, label=f"{size} px (median {median:g})")
    axes.set(yscale="log", xlabel="3D clumps in a square", ylabel="share of the squares")
    axes.legend(fontsize=9, frameon=False)
    axes.set_title(title, size=10)
    save(figure, Path(path))
    return Path(path)
