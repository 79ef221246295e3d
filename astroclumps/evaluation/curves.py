"""Curves and single numbers of a binary classifier: ROC, precision-recall, balanced scores, calibration."""

import numpy as np

__all__ = ["balanced_scores", "calibration_error", "classification_report"]


def _check(truth, p):
    truth, p = np.asarray(truth, dtype=bool), np.asarray(p, dtype=float)
    if truth.shape != p.shape or truth.ndim != 1:
        raise ValueError(f"truth and p must be 1D and equally long, got shapes {truth.shape} and {p.shape}")
    if truth.all() or not truth.any():
        raise ValueError("both classes must be present in truth")
    return truth, p


def balanced_scores(truth, p, *, threshold=0.5):
    """Completeness of both classes and the precision that a balanced sample would have.

    Parameters
    ----------
    truth : array_like of bool, shape (n,)
        True for the positive class (long-lived).
    p : array_like of float, shape (n,)
        Probability of the positive class.
    threshold : float, default 0.5
        Positive at or above it (paper section 4.2).

    Returns
    -------
    scores : dict
        ``completeness_positive``, ``completeness_negative``, ``balanced_completeness`` (their mean), ``balanced_precision`` (of
        the positive class when both classes are equally many), ``natural_precision``.

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


def calibration_error(truth, p, *, bins=10):
    """Expected calibration error: mean difference between probability and frequency over equal-width bins.

    Parameters
    ----------
    truth, p
        As in `balanced_scores`.
    bins : int, default 10
        Number of bins between 0 and 1.

    Returns
    -------
    error : float
        Weighted by the number of objects in a bin.

    Examples
    --------
    >>> from astroclumps.evaluation.curves import calibration_error
    >>> calibration_error([1, 0], [1.0, 0.0])
    0.0
    """
    truth, p = _check(truth, p)
    index = np.clip((p * bins).astype(int), 0, bins - 1)
    number = np.bincount(index, minlength=bins)
    gap = np.abs(np.bincount(index, weights=truth - p, minlength=bins))
    return float(gap[number > 0].sum() / len(p))


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
        Name -> (value, error): those of `balanced_scores`, ``roc_auc``, ``expected_calibration_error``,
        ``precision_at_recall_80`` (natural mix) and ``balanced_precision_at_recall_80``.
    """
    from sklearn.metrics import roc_auc_score

    truth, p = _check(truth, p)
    groups = np.arange(len(truth)) if groups is None else np.asarray(groups)

    def scores(t, q):
        out = balanced_scores(t, q, threshold=threshold)
        out["roc_auc"] = float(roc_auc_score(t, q))
        out["expected_calibration_error"] = calibration_error(t, q)
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
    for _ in range(n_bootstrap):
        pick = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        if truth[pick].any() and not truth[pick].all():
            draws.append(scores(truth[pick], p[pick]))
    spread = {k: [d[k] for d in draws if np.isfinite(d[k])] for k in value}
    return {k: (v, float(np.std(spread[k])) if spread[k] else float("nan")) for k, v in value.items()}
