"""How well long-lived clumps are told from short-lived ones: the judged stamps of a set and their scores (METHODS 4)."""

from itertools import pairwise

import numpy as np
from astropy.table import QTable, vstack

from astroclumps.arguments import one_number
from astroclumps.longevity.calibration import correct_mix, estimate_mix

from .bootstrap import Bootstrap
from .curves import classification_report
from .stamp_truth import stamp_classes
from .truth import magnitude, reference_band

__all__ = ["KINDS", "classifier_scores", "judged_stamps", "kind_shares", "score_by"]

KINDS = ("LLC", "SLC", "only ZLC", "bulge", "ex situ", "no clump")
"""Kinds of detections in `judged_stamps`."""

UNDECIDED = (0.35, 0.65)
"""Probabilities between which a classifier is called undecided (ours)."""


def judged_stamps(galaxy_set, detections, p_long, *, band=None, region=10):
    """A row for each detection: what the classifier says, and what is there.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list of (x, y, score)
        One tuple of arrays an image.
    p_long : list of array
        Probability of being long-lived of each detection, one array an image; see `astroclumps.evaluation.images.classify_images`.
    band : str, optional
        Of the magnitude. Default: F160W, else the last.
    region : int, default 10
        Side in pixels of the square whose clumps make the class (`~astroclumps.evaluation.stamp_truth.stamp_classes`).

    Returns
    -------
    stamps : `~astropy.table.QTable`
        ``image``, ``galaxy``, ``snapshot``, ``x``, ``y``, ``score``, ``p_long``; ``label``, ``share``, ``mass`` of the class
        (`~astroclumps.evaluation.stamp_truth.stamp_classes`); ``kind``: 'bulge' or 'ex situ' where the nearest clump within 3 pixels is
        one, else 'LLC', 'SLC' or 'only ZLC' by the label, else 'no clump'; ``magnitude`` (AB) and ``signal_to_noise`` (sky noise of the
        stamp, all bands) of the noiseless light of the stamp; ``track`` (galaxy and track of the clump that makes the class) and
        ``censored`` (it is alive in the last snapshot, so that its class may be older than is known).

    Raises
    ------
    ValueError
        Lists do not fit each other, or ``region`` does not fit into an image.
    """
    if not len(detections) == len(p_long) == len(galaxy_set):
        raise ValueError(f"detections and p_long must list all {len(galaxy_set)} images, got {len(detections)} and {len(p_long)}")
    if len(galaxy_set):
        side = min(galaxy_set.data.shape[-2:])
        allowed = f"a whole number of pixels, 1 to {side} (the side of the images)"
        one_number("region", region, allowed, lambda value: value.is_integer() and 1 <= value <= side)
    number = galaxy_set.bands.index(reference_band(galaxy_set, band))
    parts = []
    for i, (found, p) in enumerate(zip(detections, p_long, strict=True)):
        x, y, score = (np.atleast_1d(np.asarray(part, dtype=float)) for part in found[:3])
        p = np.atleast_1d(np.asarray(p, dtype=float))
        if len(p) != len(x):
            raise ValueError(f"image {i} has {len(x)} detections and {len(p)} probabilities")
        if len(x):
            parts.append(_rows(galaxy_set, i, x, y, score, p, number, region))
    if not parts:
        parts = [_rows(galaxy_set, 0, *[np.zeros(0)] * 4, number, region)] if len(galaxy_set) else [QTable()]
    return vstack(parts, metadata_conflicts="silent") if len(parts) > 1 else parts[0]


def _rows(galaxy_set, i, x, y, score, p, number, region):
    from astroclumps.longevity.stamps import STAMP, cut_stamps

    clumps = galaxy_set.clumps(i)
    made = stamp_classes(clumps, x, y, size=region)
    total = np.nansum(cut_stamps(galaxy_set.data[i], x, y), axis=(2, 3), dtype=float)
    noise = np.maximum(np.asarray(galaxy_set.rms[i], dtype=float) * STAMP, 1e-30)
    origin = np.append(clumps["origin"], "")[made["nearest"]]
    kind = np.select([made["label"] == "LLC", made["label"] == "SLC", made["label"] == "ZLC"], ["LLC", "SLC", "only ZLC"], "no clump")
    kind = np.where(np.isin(origin, ("bulge", "ex situ")), origin, kind)
    track = np.append(clumps["track"], 0)[made["row"]].astype(np.int64)
    node = np.append(clumps["node"], 0)[made["row"]].astype(np.int64)
    track = np.where(track > 0, track, -1 - node) + 10_000_000 * int(galaxy_set.galaxy[i])
    n = len(x)
    columns = {
        "image": np.full(n, i), "galaxy": np.full(n, galaxy_set.galaxy[i]), "snapshot": np.full(n, galaxy_set.snapshot[i]),
        "x": x, "y": y, "score": score, "p_long": p, "label": made["label"], "share": made["share"], "mass": made["mass"],
        "kind": kind.astype("U8"), "magnitude": magnitude(total[:, number]),
        "signal_to_noise": np.sqrt((np.clip(total, 0, None) / noise) ** 2 @ np.ones(total.shape[1])) if n else np.zeros(0),
        "track": track, "censored": np.append(clumps["censored"], False)[made["row"]].astype(bool),
    }  # fmt: skip
    return QTable(columns)


def _groups(stamps, by):
    if by == "auto":
        by = "galaxy" if len(np.unique(stamps["galaxy"])) > 1 else "track"
    if by not in ("galaxy", "track"):
        raise ValueError(f"errors are drawn by 'galaxy', 'track' or 'auto', got {by!r}")
    return np.asarray(stamps[by]), by


def _classed(stamps):
    return np.isin(stamps["label"], ("LLC", "SLC")) & np.isfinite(stamps["p_long"])


def classifier_scores(stamps, *, threshold=0.5, by="auto", without_censored=False, n_draws=200, seed=0):
    """All scores of the stamps that have a class.

    Parameters
    ----------
    stamps : `~astropy.table.QTable`
        From `judged_stamps`. Rows without ``p_long`` (NaN) are left out.
    threshold : float, default 0.5
        P_0 (paper section 4.2).
    by : {'auto', 'galaxy', 'track'}
        What errors draw as a whole. 'auto': galaxies, or the tracks of the only galaxy.
    without_censored : bool, default False
        Leave out short-lived clumps that are alive in the last snapshot: they may yet become long-lived.
    n_draws, seed : int
        Of the bootstrap.

    Returns
    -------
    scores : dict
        Name -> (value, error) as of `~astroclumps.evaluation.curves.classification_report`, where ``expected_calibration_error`` is that
        after the correction to the true share of long-lived stamps; ``n_long``, ``n_short``, ``by``;
        ``mass_alone_auc``: area under the ROC of the clumps' mass as the only clue; ``mix``: share of long-lived ones as the
        probabilities alone give it (`~astroclumps.longevity.calibration.estimate_mix`), and ``calibration_error_in_mix``: calibration
        error of the probabilities corrected to it. Of a set with one class only the numbers.
    """
    use = _classed(stamps)
    if without_censored:
        use &= ~(stamps["censored"] & (stamps["label"] == "SLC"))
    chosen = stamps[use]
    groups, by = _groups(chosen, by)
    truth = np.asarray(chosen["label"] == "LLC")
    out = {"n_long": int(truth.sum()), "n_short": int((~truth).sum()), "by": by}
    if truth.all() or not truth.any():
        return out
    p = np.asarray(chosen["p_long"])
    out |= classification_report(truth, p, threshold=threshold, groups=groups, n_bootstrap=n_draws, seed=seed)
    out["mix"] = estimate_mix(p)
    corrected = classification_report(truth, correct_mix(p, out["mix"]), groups=groups, n_bootstrap=n_draws, seed=seed)
    out["calibration_error_in_mix"] = corrected["expected_calibration_error_uncorrected"]
    rank = np.asarray(chosen["mass"]) / max(chosen["mass"].max(), 1e-30)
    out["mass_alone_auc"] = classification_report(truth, rank, groups=groups, n_bootstrap=n_draws, seed=seed)["roc_auc"]
    return out


def score_by(stamps, name, edges, *, by="auto", n_draws=200, seed=0):
    """Probability and power of the classifier in bins of a quantity: does it only know the mass?

    Parameters
    ----------
    stamps : `~astropy.table.QTable`
        From `judged_stamps`.
    name : str
        'mass', 'magnitude', 'signal_to_noise' or another column.
    edges : sequence of float
    by, n_draws, seed
        As in `classifier_scores`.

    Returns
    -------
    bins : `~astropy.table.QTable`
        ``low``, ``high``, ``median``, ``n_long``, ``n_short``, mean ``p_long`` and ``p_short`` of the two classes with ``p_long_error``,
        ``p_short_error``, and ``roc_auc`` inside the bin with ``roc_auc_error``; NaN where there is only one class.
    """
    chosen = stamps[_classed(stamps)]
    groups, _ = _groups(chosen, by)
    truth, p, values = np.asarray(chosen["label"] == "LLC"), np.asarray(chosen["p_long"]), np.asarray(chosen[name], dtype=float)
    drawn = Bootstrap(groups, n_draws=n_draws, seed=seed)
    rows = []
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if not inside.any():
            continue
        row = {"low": low, "high": high, "median": float(np.median(values[inside]))}
        for label, one in (("long", inside & truth), ("short", inside & ~truth)):
            row[f"n_{label}"] = int(one.sum())
            row[f"p_{label}"], row[f"p_{label}_error"] = drawn.ratio(p * one, one)
        row["roc_auc"] = row["roc_auc_error"] = float("nan")
        if row["n_long"] and row["n_short"]:
            report = classification_report(truth[inside], p[inside], groups=groups[inside], n_bootstrap=n_draws, seed=seed)
            row["roc_auc"], row["roc_auc_error"] = report["roc_auc"]
        rows.append(row)
    names = ("low", "high", "median", "n_long", "n_short", "p_long", "p_long_error", "p_short", "p_short_error", "roc_auc", "roc_auc_error")
    return QTable({key: np.array([row[key] for row in rows], dtype=np.int64 if key.startswith("n_") else float) for key in names})


def kind_shares(stamps, *, threshold=0.5, by="auto", n_draws=200, seed=0):
    """What a catalogue of detections is made of, and what the classifier says of each kind (paper section 3.2.2).

    Parameters
    ----------
    stamps : `~astropy.table.QTable`
        From `judged_stamps`.
    threshold, by, n_draws, seed
        As in `classifier_scores`.

    Returns
    -------
    kinds : `~astropy.table.QTable`
        For each of `KINDS`: ``n``, ``share`` of the catalogue, mean ``p_long``, its quantiles ``p_16``, ``p_50``, ``p_84``, the share
        ``called_long`` at the threshold and the share ``undecided`` between 0.35 and 0.65; ``*_error`` from the bootstrap.
    """
    galaxies = len(np.unique(stamps["galaxy"])) > 1
    groups = np.asarray(stamps["galaxy"] if (by == "auto" and galaxies) or by == "galaxy" else stamps["snapshot"])
    drawn = Bootstrap(groups, n_draws=n_draws, seed=seed)
    p = np.asarray(stamps["p_long"], dtype=float)
    known = np.isfinite(p)
    rows = []
    for kind in KINDS:
        here = np.asarray(stamps["kind"] == kind)
        told = here & known
        row = {"kind": kind, "n": int(here.sum())}
        row["share"], row["share_error"] = drawn.ratio(here, np.ones(len(here)))
        row["p_long"], row["p_long_error"] = drawn.ratio(np.where(told, p, 0), told)
        row |= {f"p_{q}": float(np.percentile(p[told], q)) if told.any() else float("nan") for q in (16, 50, 84)}
        row["called_long"], row["called_long_error"] = drawn.ratio(told & (p >= threshold), told)
        row["undecided"], row["undecided_error"] = drawn.ratio(told & (p > UNDECIDED[0]) & (p < UNDECIDED[1]), told)
        rows.append(row)
    return QTable({name: np.array([row[name] for row in rows]) for name in rows[0]})
