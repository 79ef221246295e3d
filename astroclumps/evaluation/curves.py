"""Curves and single numbers of a binary classifier: ROC, precision-recall, balanced scores, calibration."""

import numpy as np
from astropy.table import QTable

from astroclumps.longevity.calibration import correct_mix

__all__ = ["balanced_scores", "calibration_error", "classification_report", "precision_recall", "reliability", "roc"]


def _check(truth, p):
    truth, p = np.asarray(truth, dtype=bool), np.asarray(p, dtype=float)
    if truth.shape != p.shape or truth.ndim != 1:
        raise ValueError(f"truth and p must be 1D and equally long, got shapes {truth.shape} and {p.shape}")
    if truth.all() or not truth.any():
        raise ValueError("both classes must be present in truth")
    if np.isnan(p).any():
        raise ValueError(f"p holds {np.isnan(p).sum()} NaN of {len(p)}, which no threshold can judge; leave those objects out of both")
    return truth, p


def balanced_scores(truth, p, *, threshold=0.5):
    """Completeness of both classes and the precision that a balanced sample would have.

    Parameters
    ----------
    truth : array_like of bool, shape (n,)
        True for the positive class (long-lived).
    p : array_like of float, shape (n,)
        Probability of the positive class. NaN, such as ``p_long`` of an empty stamp, is refused: leave those objects out first, as
        `~astroclumps.evaluation.classification.classifier_scores` does.
    threshold : float, default 0.5
        Positive at or above it (paper section 4.2).

    Returns
    -------
    scores : dict
        ``completeness_positive``, ``completeness_negative``, ``balanced_completeness`` (their mean), ``balanced_precision`` (of
        the positive class when both classes are equally many), ``natural_precision``.

    Raises
    ------
    ValueError
        ``truth`` and ``p`` differ in length, only one class is there, or ``p`` holds NaN.

    Examples
    --------
    >>> from astroclumps.evaluation.curves import balanced_scores
    >>> round(balanced_scores([1, 1, 0, 0, 0, 0], [0.9, 0.4, 0.6, 0.1, 0.1, 0.1])["balanced_precision"], 3)
    0.667
    """
    truth, p = _check(truth, p)
    positive = p >= threshold
    tpr, fpr = positive[truth].mean(), positive[~truth].mean()
    return {
        "completeness_positive": float(tpr),
        "completeness_negative": float(1 - fpr),
        "balanced_completeness": float((tpr + 1 - fpr) / 2),
        "balanced_precision": float(tpr / (tpr + fpr)) if tpr + fpr > 0 else float("nan"),
        "natural_precision": float(truth[positive].mean()) if positive.any() else float("nan"),
    }


def _weights(truth, balanced):
    """One for each object, or so that both classes count alike, with a mean of one."""
    if not balanced:
        return np.ones(len(truth))
    return np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))


def calibration_error(truth, p, *, bins=10, balanced=False):
    """Expected calibration error: mean difference between probability and frequency over equal-width bins.

    Parameters
    ----------
    truth, p
        As in `balanced_scores`.
    bins : int, default 10
        Number of bins between 0 and 1.
    balanced : bool, default False
        Weigh the objects so that both classes count alike: what a sample with equally many of each would have.

    Returns
    -------
    error : float
        Weighted by the number of objects in a bin.

    Examples
    --------
    >>> from astroclumps.evaluation.curves import calibration_error
    >>> calibration_error([1, 0], [1.0, 0.0])
    0.0
    >>> calibration_error([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]), calibration_error([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], balanced=True)
    (0.25, 0.0)
    """
    truth, p = _check(truth, p)
    weight = _weights(truth, balanced)
    index = np.clip((p * bins).astype(int), 0, bins - 1)
    gap = np.abs(np.bincount(index, weights=weight * (truth - p), minlength=bins))
    return float(gap.sum() / weight.sum())


def reliability(truth, p, *, bins=10, balanced=False):
    """Frequency of the positive class against its probability.

    Parameters
    ----------
    truth, p, bins, balanced
        As in `calibration_error`.

    Returns
    -------
    table : `~astropy.table.QTable`
        ``low``, ``high``, ``p`` (mean), ``frequency``, ``n`` of each bin that holds anything.
    """
    truth, p = _check(truth, p)
    weight = _weights(truth, balanced)
    index = np.clip((p * bins).astype(int), 0, bins - 1)
    number, heavy = np.bincount(index, minlength=bins), np.bincount(index, weights=weight, minlength=bins)
    there = np.flatnonzero(number)
    mean, frequency = (np.bincount(index, weights=weight * v, minlength=bins)[there] / heavy[there] for v in (p, truth))
    return QTable({"low": there / bins, "high": (there + 1) / bins, "p": mean, "frequency": frequency, "n": number[there]})


def _cumulated(truth, p):
    """Thresholds in falling order with the rates of true and false positives at and above each."""
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    true, false = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    return p[order][last], true / truth.sum(), false / (~truth).sum()


def roc(truth, p):
    """Receiver operating characteristic.

    Parameters
    ----------
    truth, p
        As in `balanced_scores`.

    Returns
    -------
    curve : `~astropy.table.QTable`
        ``threshold`` (falling, from inf), ``true_positive_rate``, ``false_positive_rate``; ``meta["area"]``.

    Examples
    --------
    >>> from astroclumps.evaluation.curves import roc
    >>> float(roc([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]).meta["area"])
    0.75
    """
    threshold, tpr, fpr = _cumulated(*_check(truth, p))
    threshold, tpr, fpr = np.append(np.inf, threshold), np.append(0.0, tpr), np.append(0.0, fpr)
    table = QTable({"threshold": threshold, "true_positive_rate": tpr, "false_positive_rate": fpr})
    table.meta["area"] = float(np.trapezoid(tpr, fpr))
    return table


def precision_recall(truth, p):
    """Precision against recall, in the natural mix and in balanced draws.

    Parameters
    ----------
    truth, p
        As in `balanced_scores`.

    Returns
    -------
    curve : `~astropy.table.QTable`
        ``threshold`` (falling), ``recall``, ``precision`` (natural mix), ``balanced_precision`` (as many of each class).

    Examples
    --------
    >>> from astroclumps.evaluation.curves import precision_recall
    >>> curve = precision_recall([1, 0, 0, 0], [0.9, 0.9, 0.2, 0.1])
    >>> float(curve["precision"][0]), float(curve["balanced_precision"][0])
    (0.5, 0.75)
    """
    truth, p = _check(truth, p)
    threshold, tpr, fpr = _cumulated(truth, p)
    natural = tpr * truth.sum() / (tpr * truth.sum() + fpr * (~truth).sum())
    return QTable({"threshold": threshold, "recall": tpr, "precision": natural, "balanced_precision": tpr / (tpr + fpr)})


def classification_report(truth, p, *, threshold=0.5, groups=None, n_bootstrap=200, seed=0):
    """All scores of a classifier with bootstrap errors.

    Parameters
    ----------
    truth, p, threshold
        As in `balanced_scores`.
    groups : array_like, shape (n,), optional
        Galaxy of each object; whole galaxies are drawn in the bootstrap. None draws objects.
    n_bootstrap : int, default 200
        Number of draws; without any the errors are NaN.
    seed : int, default 0
        Seed of the draws.

    Returns
    -------
    report : dict
        Name -> (value, error): those of `balanced_scores`, ``roc_auc``, ``precision_at_recall_80`` (natural mix) and
        ``balanced_precision_at_recall_80``. Three calibration errors, of a ``p`` that is meant for a balanced mix, as ``p_long`` is:
        ``expected_calibration_error_balanced``, both classes counting alike; ``expected_calibration_error``, after the correction
        (`~astroclumps.longevity.calibration.correct_mix`) to the share of positives in ``truth``;
        ``expected_calibration_error_uncorrected``, of ``p`` as it is in the mix of ``truth``. Errors are NaN with fewer than two groups.
    """
    truth, p = _check(truth, p)
    share = truth.mean()
    groups = np.arange(len(truth)) if groups is None else np.asarray(groups)

    def scores(t, q):
        out = balanced_scores(t, q, threshold=threshold)
        _, tpr, fpr = _cumulated(t, q)
        out["roc_auc"] = float(np.trapezoid(np.append(0.0, tpr), np.append(0.0, fpr)))
        out["expected_calibration_error"] = calibration_error(t, correct_mix(q, share))
        out["expected_calibration_error_balanced"] = calibration_error(t, q, balanced=True)
        out["expected_calibration_error_uncorrected"] = calibration_error(t, q)
        cut = np.quantile(q[t], 0.2)
        tpr, fpr = (q[t] >= cut).mean(), (q[~t] >= cut).mean()
        out["precision_at_recall_80"] = float(t[q >= cut].mean())
        out["balanced_precision_at_recall_80"] = float(tpr / (tpr + fpr))
        return out

    value = scores(truth, p)
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    draws = []
    for _ in range(n_bootstrap if len(names) > 1 else 0):
        pick = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        if truth[pick].any() and not truth[pick].all():
            draws.append(scores(truth[pick], p[pick]))
    spread = {k: [d[k] for d in draws if np.isfinite(d[k])] for k in value}
    return {k: (v, float(np.std(spread[k])) if spread[k] else float("nan")) for k, v in value.items()}
