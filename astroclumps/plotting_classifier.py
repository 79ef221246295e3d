"""Figures of how well long-lived clumps are told from short-lived ones, and by what."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .figures import CLASS_STYLES, figure_class, log_axis, save

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["plot_band_use", "plot_classifier", "plot_p_long"]

_LONG, _SHORT = CLASS_STYLES["LLC"][2], CLASS_STYLES["SLC"][2]
_LABELS = {
    "mass": r"mass in the stamp [M$_\odot$]",
    "magnitude": "AB magnitude of the stamp",
    "signal_to_noise": "signal-to-noise of the stamp",
}


def _column(table, name):
    return np.asarray(table[name], dtype=float)


def plot_classifier(
    roc: "QTable",
    precision_recall: "QTable",
    path: str | os.PathLike,
    *,
    reliability: "QTable | None" = None,
    scrambled: tuple[float, ...] | None = None,
    title: str = "",
) -> Path:
    """ROC and precision against recall, in the natural mix and in balanced draws (after G21 Fig. 9), and the calibration.

    Parameters
    ----------
    roc, precision_recall : `~astropy.table.QTable`
        From `~astroclumps.evaluation.curves.roc` and `~astroclumps.evaluation.curves.precision_recall`.
    path : path-like
        File to write; the suffix decides the format.
    reliability : `~astropy.table.QTable`, optional
        From `~astroclumps.evaluation.classifier_report.classifier_report`: a third panel.
    scrambled : tuple of float, optional
        Rates of false and true positives with scrambled colours: a cross in the first panel.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_classifier")
    n = 2 if reliability is None else 3
    figure = new_figure(figsize=(4.4 * n, 4.3), dpi=120, facecolor="white", layout="constrained")
    axes = figure.subplots(1, n)
    fpr, tpr = _column(roc, "false_positive_rate"), _column(roc, "true_positive_rate")
    axes[0].plot(fpr, tpr, color="#1060c0", label=f"area {np.trapezoid(tpr, fpr):.3f}")
    axes[0].plot([0, 1], [0, 1], color="0.7", lw=0.8)
    if scrambled is not None:
        axes[0].plot(*scrambled, "x", color="#c01818", ms=8, label="colours scrambled, P = 0.5")
    axes[0].set(xlabel="short-lived taken for long-lived", ylabel="long-lived found", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    recall = _column(precision_recall, "recall")
    for name, colour, label in (("precision", _LONG, "natural mix"), ("balanced_precision", "#1060c0", "balanced draws")):
        axes[1].plot(recall, _column(precision_recall, name), color=colour, label=label)
    axes[1].axvline(0.8, color="0.7", lw=0.8)
    axes[1].set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if reliability is not None:
        mixes = np.asarray(reliability["mix"]).astype(str)
        for mix, colour in (("natural", _LONG), ("balanced", "#1060c0")):
            part = reliability[mixes == mix]
            axes[2].plot(_column(part, "p"), _column(part, "frequency"), "o-", color=colour, ms=4, label=mix)
        axes[2].plot([0, 1], [0, 1], color="0.7", lw=0.8)
        axes[2].set(xlabel="probability of being long-lived", ylabel="long-lived share", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for one in axes:
        one.legend(fontsize=8, frameon=False)
    figure.suptitle(title, size=10)
    save(figure, Path(path))
    return Path(path)


def plot_p_long(p_long_by: "QTable", kinds: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """What the classifier says of both classes against mass, magnitude and signal-to-noise, and of each kind of detection.

    Parameters
    ----------
    p_long_by : `~astropy.table.QTable`
        Of `~astroclumps.evaluation.classifier_report.classifier_report`.
    kinds : `~astropy.table.QTable`
        From `~astroclumps.evaluation.classification.kind_shares`.
    path : path-like
        File to write; the suffix decides the format.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_p_long")
    quantities = list(dict.fromkeys(str(name) for name in p_long_by["quantity"]))
    figure = new_figure(figsize=(3.7 * (len(quantities) + 1), 4.3), dpi=120, facecolor="white", layout="constrained")
    axes = figure.subplots(1, len(quantities) + 1, squeeze=False)[0]
    names = np.asarray(p_long_by["quantity"]).astype(str)
    for one, quantity in zip(axes, quantities, strict=False):
        part = p_long_by[names == quantity]
        middle = _column(part, "median")
        for column, colour, label in (("p_long", _LONG, "long-lived"), ("p_short", _SHORT, "short-lived")):
            error = np.nan_to_num(_column(part, f"{column}_error"))
            text = f"mean probability, {label}"
            one.errorbar(middle, _column(part, column), error, color=colour, marker="o", ms=4, capsize=2, label=text)
        one.plot(middle, _column(part, "roc_auc"), color="0.3", ls="--", marker="s", ms=4, label="area under the ROC in the bin")
        one.axhline(0.5, color="0.8", lw=0.8, zorder=0)
        if quantity != "magnitude":
            log_axis(one)
        one.set(xlabel=_LABELS.get(quantity, quantity), ylim=(-0.02, 1.02))
    if quantities:
        axes[0].legend(fontsize=8, frameon=False)
    last, place = axes[-1], np.arange(len(kinds))
    low, middle, high = (_column(kinds, f"p_{q}") for q in (16, 50, 84))
    last.hlines(place, low, high, color="0.4")
    last.plot(middle, place, "o", color="0.1")
    labels = [f"{row['kind']}\n{row['n']} ({100 * float(row['share']):.0f}%)" for row in kinds]
    last.set_yticks(place, labels, fontsize=8)
    last.set_ylim(len(kinds) - 0.5, -0.5)
    last.axvline(0.5, color="0.8", lw=0.8, zorder=0)
    last.set(xlabel="probability of being long-lived (16, 50, 84%)", xlim=(-0.02, 1.02))
    figure.suptitle(title, size=10)
    save(figure, Path(path))
    return Path(path)


def plot_band_use(bands: "QTable", path: str | os.PathLike, *, title: str = "") -> Path:
    """Which bands a classifier uses: what it loses without each, and each one's share in its decisions.

    Parameters
    ----------
    bands : `~astropy.table.QTable`
        From `~astroclumps.evaluation.classifier_report.control_report`.
    path : path-like
        File to write; the suffix decides the format.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`
    """
    new_figure = figure_class("plot_band_use")
    panels = [
        (name, error, label)
        for name, error, label in (
            ("roc_auc_drop", "roc_auc_error", "drop of the area under the ROC\nwithout the band"),
            ("gradient_share", None, "share of the integrated gradients"),
        )
        if name in bands.colnames
    ]
    figure = new_figure(figsize=(4.6 * max(len(panels), 1), 3.8), dpi=120, facecolor="white", layout="constrained")
    place = np.arange(len(bands))
    for i, (name, error, label) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        error = None if error is None else np.nan_to_num(_column(bands, error))
        axes.bar(place, _column(bands, name), yerr=error, color="#6090c0", capsize=2)
        axes.axhline(0, color="0.3", lw=0.8)
        axes.set_xticks(place, [str(band) for band in bands["band"]], rotation=45, ha="right", fontsize=8)
        axes.set_ylabel(label)
    figure.suptitle(title, size=10)
    save(figure, Path(path))
    return Path(path)
