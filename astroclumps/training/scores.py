"""Scores of all folds together: each galaxy judged by networks that never saw it."""

import numpy as np

__all__ = ["held_out_scores"]

_HALF = 0.5
"""Threshold of every fold in `Predictions.level_score`."""

_CLASSIFIER = (
    "balanced_completeness", "balanced_precision", "precision_at_recall_80", "roc_auc", "mass_alone_auc", "expected_calibration_error",
    "expected_calibration_error_balanced",
)  # fmt: skip


def held_out_scores(galaxies, predictions, *, kind, policy="all", n_draws=200, seed=0, region=10) -> dict:
    """What the predictions of the folds reach, as model cards hold it.

    Detections are those at or above the threshold of their own fold. Errors draw whole galaxies.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
        The whole set; images that no fold searched are left out.
    predictions : `~astroclumps.training.predictions.Predictions`
        Of all folds; for ``kind='cnn'`` those with ``p_long``.
    kind : {'unet', 'cnn'}
    policy : optional
        Which zero-lifetime clumps are positives (`GalaxySet.positives`); for ``'unet'``.
    n_draws, seed : int
        Of the bootstrap.
    region : int, default 10
        Side in pixels of the square whose clumps make the class of a detection; for ``'cnn'``.

    Returns
    -------
    scores : dict
        Name -> (value, error), and numbers. ``'unet'``: ``completeness_10px``, ``completeness_8px`` and ``true_detection_10px``,
        ``true_detection_8px`` of squares above 10^7.5 Msun (`astroclumps.evaluation.squares`); ``completeness_3px``, ``purity_3px``,
        ``average_precision_3px`` (`astroclumps.evaluation.one_to_one`); ``detections_per_image``; ``completeness_10px_at_90``,
        ``completeness_8px_at_90``, ``detections_per_image_10px_at_90`` and ``detections_per_image_8px_at_90`` with the threshold that
        gives a true detection rate of 0.9 in squares of that size, as the paper has it. ``'cnn'``: ``balanced_completeness``,
        ``balanced_precision``, ``precision_at_recall_80`` (natural mix), ``roc_auc``, ``mass_alone_auc``; ``expected_calibration_error`` of
        ``p_long`` corrected from the balanced mix (`astroclumps.longevity.calibration.correct_mix`) to ``share_long_lived``, that of the
        whole set, and ``expected_calibration_error_balanced`` of ``p_long`` as it is, both classes counting alike.

    Examples
    --------
    >>> from astroclumps.training.scores import held_out_scores
    >>> held_out_scores(None, None, kind="sep")
    Traceback (most recent call last):
        ...
    ValueError: kind must be 'unet' or 'cnn', got 'sep'
    """
    if kind not in ("unet", "cnn"):
        raise ValueError(f"kind must be 'unet' or 'cnn', got {kind!r}")
    images = np.sort(predictions.images)
    rows = predictions.rows(len(galaxies), threshold=0 if kind == "unet" else None)
    rows, score = [rows[i] for i in images], predictions.level_score
    detections = [(predictions.x[r], predictions.y[r], score[r]) for r in rows]
    searched = galaxies if len(images) == len(galaxies) else galaxies.subset(images)
    out = {"n_images": len(images), "n_galaxies": len(np.unique(searched.galaxy))}
    if kind == "unet":
        return out | _detector(searched, detections, policy, n_draws, seed)
    return out | _classifier(searched, detections, [predictions.p_long[r] for r in rows], n_draws, seed, region)


def _detector(galaxies, detections, policy, n_draws, seed):
    from astroclumps.evaluation.one_to_one import one_to_one
    from astroclumps.evaluation.squares import squares
    from astroclumps.evaluation.truth import gather

    truth, out, at_90 = gather(galaxies, policies=(policy,)), {}, {}
    for size in (8, 10):
        counted = squares(galaxies, detections, size=size, policies=(policy,), n_draws=n_draws, seed=seed, truth=truth)
        numbers = counted.numbers(policy=policy, cut=_HALF)
        out[f"completeness_{size}px"], out[f"true_detection_{size}px"] = numbers["completeness"], numbers["true_detection"]
        numbers = counted.numbers(policy=policy, cut=counted.cut_at_true_detection(0.9, policy=policy))
        at_90 |= {f"{name}_{size}px_at_90": numbers[name] for name in ("completeness", "detections_per_image")}
    matched = one_to_one(galaxies, detections, sf_zlc=policy, n_draws=n_draws, seed=seed)
    numbers = matched.numbers(cut=_HALF)
    out["completeness_3px"], out["purity_3px"] = numbers["completeness"], numbers["purity"]
    return {
        **out, "detections_per_image": numbers["detections_per_image"], **at_90, "average_precision_3px": matched.average_precision()
    }  # fmt: skip


def _classifier(galaxies, detections, p_long, n_draws, seed, region):
    from astroclumps.evaluation.classification import classifier_scores, judged_stamps

    stamps = judged_stamps(galaxies, detections, p_long, region=region)
    scores = classifier_scores(stamps, n_draws=n_draws, seed=seed)
    share = scores["n_long"] / max(scores["n_long"] + scores["n_short"], 1)
    out = {"n_stamps": scores["n_long"] + scores["n_short"], "share_long_lived": share}
    if "roc_auc" not in scores:
        return out
    return out | {name: scores[name] for name in _CLASSIFIER}
