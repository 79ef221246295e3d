"""Scores of a binary classifier against explicit counting and resampling."""

import numpy as np
import pytest

from astroclumps.evaluation.curves import balanced_scores, calibration_error, classification_report


def sample(seed=0, n_long=300, n_short=2000):
    rng = np.random.default_rng(seed)
    truth = np.repeat([True, False], [n_long, n_short])
    return truth, np.where(truth, rng.beta(4, 2, truth.size), rng.beta(2, 3, truth.size))


def test_scores_counted_by_hand():
    # long-lived: 3 of 4 found; short-lived: 2 of 6 taken for long-lived
    truth = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    p = [0.9, 0.8, 0.5, 0.1, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1]
    scores = balanced_scores(truth, p)
    assert scores == {
        "completeness_positive": 0.75,
        "completeness_negative": pytest.approx(4 / 6),
        "balanced_completeness": pytest.approx((0.75 + 4 / 6) / 2),
        "balanced_precision": pytest.approx(0.75 / (0.75 + 2 / 6)),
        "natural_precision": pytest.approx(3 / 5),
    }


def test_balanced_precision_is_that_of_balanced_draws():
    truth, p = sample()
    rng = np.random.default_rng(1)
    long, short = np.flatnonzero(truth), np.flatnonzero(~truth)
    found = []
    for _ in range(500):
        pick = np.concatenate([rng.choice(long, 300), rng.choice(short, 300)])
        positive = p[pick] >= 0.5
        found.append(truth[pick][positive].mean())
    scores = balanced_scores(truth, p)
    assert scores["balanced_precision"] == pytest.approx(np.mean(found), abs=0.003)
    assert scores["natural_precision"] < scores["balanced_precision"] - 0.2


def test_the_threshold_is_inclusive():
    assert balanced_scores([1, 0], [0.7, 0.2], threshold=0.7)["completeness_positive"] == 1
    assert balanced_scores([1, 0], [0.7, 0.2], threshold=0.71)["completeness_positive"] == 0


def test_no_positive_at_all_has_no_precision():
    scores = balanced_scores([1, 0], [0.1, 0.2])
    assert np.isnan(scores["balanced_precision"])
    assert np.isnan(scores["natural_precision"])


@pytest.mark.parametrize("function", [balanced_scores, calibration_error])
def test_what_cannot_be_scored_is_told(function):
    with pytest.raises(ValueError, match="both classes must be present"):
        function([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"equally long, got shapes \(2,\) and \(3,\)"):
        function([1, 0], [0.1, 0.2, 0.3])


# calibration


def test_a_calibrated_classifier_has_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 40_000)
    assert calibration_error(rng.uniform(0, 1, 40_000) < p, p) < 0.01


def test_a_constant_offset_is_the_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 0.8, 40_000)
    truth = rng.uniform(0, 1, 40_000) < p - 0.15
    assert calibration_error(truth, p) == pytest.approx(0.15, abs=0.01)


def test_calibration_counted_by_hand():
    # bin 0.2-0.3: p 0.25 twice, one true: gap 0.25 for 2 of 3; bin 0.9-1: gap 0 for 1 of 3
    assert calibration_error([1, 0, 1], [0.25, 0.25, 1.0]) == pytest.approx(0.25 * 2 / 3)


# the report


def test_the_report_holds_all_scores_with_errors():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    truth, p = sample(n_long=60, n_short=300)
    report = classification_report(truth, p, n_bootstrap=30)
    assert set(report) == {
        "completeness_positive", "completeness_negative", "balanced_completeness", "balanced_precision", "natural_precision",
        "roc_auc", "expected_calibration_error", "expected_calibration_error_balanced", "expected_calibration_error_uncorrected",
        "precision_at_recall_80", "balanced_precision_at_recall_80",
    }  # fmt: skip
    assert all(0 <= value <= 1 and 0 < error < 0.2 for value, error in report.values())
    # ROC: the share of pairs in the right order
    assert report["roc_auc"][0] == pytest.approx((p[truth][:, None] > p[~truth]).mean(), abs=1e-9)


def test_recall_is_at_least_80_percent_at_the_precision_of_the_report():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    truth, p = sample()
    cut = np.sort(p[truth])[::-1][int(np.ceil(0.8 * truth.sum())) - 1]
    expected = truth[p >= cut].mean()
    assert classification_report(truth, p, n_bootstrap=0)["precision_at_recall_80"][0] == pytest.approx(expected, abs=0.005)


def test_without_bootstrap_there_are_no_errors_and_no_warning():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    report = classification_report(*sample(n_long=20, n_short=50), n_bootstrap=0)
    assert all(np.isnan(error) for _, error in report.values())


def test_a_score_that_is_undefined_in_every_draw_has_no_error():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    truth, p = sample(n_long=20, n_short=50)
    report = classification_report(truth, p, threshold=1.0, n_bootstrap=10)
    assert np.isnan(report["balanced_precision"]).all()


def test_drawing_whole_galaxies_gives_larger_errors():
    # 40 galaxies of 25 clumps with one probability each: 40 independent values, not 1000
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    truth = np.tile(np.arange(25) % 5 == 0, 40)
    p = np.clip(rng.normal(0.5, 0.2, 40)[groups] + 0.1 * truth, 0, 1)
    alone = classification_report(truth, p, n_bootstrap=100)["completeness_negative"][1]
    together = classification_report(truth, p, groups=groups, n_bootstrap=100)["completeness_negative"][1]
    assert together > 3 * alone


def test_the_same_seed_gives_the_same_errors():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    data = sample(n_long=20, n_short=50)
    assert classification_report(*data, n_bootstrap=20, seed=1) == classification_report(*data, n_bootstrap=20, seed=1)
    assert classification_report(*data, n_bootstrap=20, seed=1) != classification_report(*data, n_bootstrap=20, seed=2)


def test_calibration_errors_are_told_apart_by_the_mix():
    # perfect in a balanced mix, a ninth as many positives: the corrected and the balanced errors vanish, the uncorrected one does not
    rng = np.random.default_rng(3)
    p = rng.random(400_000)
    truth = rng.random(400_000) < p
    keep = ~truth | (rng.random(400_000) < 1 / 9)
    report = {name: value for name, (value, _) in classification_report(truth[keep], p[keep], n_bootstrap=0).items()}
    assert report["expected_calibration_error"] < 0.01
    assert report["expected_calibration_error_balanced"] < 0.02
    assert report["expected_calibration_error_uncorrected"] == pytest.approx(p[keep].mean() - truth[keep].mean(), abs=0.01)
    assert report["expected_calibration_error_uncorrected"] > 0.2


def test_a_probability_that_is_nan_is_refused():
    for function in (balanced_scores, calibration_error, classification_report):
        with pytest.raises(ValueError, match="p holds 1 NaN of 3"):
            function([True, False, True], [0.5, np.nan, 0.2])
