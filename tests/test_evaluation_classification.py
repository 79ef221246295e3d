"""Classes of stamps, scores of classifiers, and what they use."""

import numpy as np
import pytest
from hand_made_sets import hand_made

from astroclumps.evaluation.classification import classifier_scores, judged_stamps, kind_shares, score_by
from astroclumps.evaluation.curves import calibration_error, precision_recall, reliability, roc
from astroclumps.evaluation.interpretation import integrated_gradients, judge_stamps, noisy_stamps, scramble_colours
from astroclumps.evaluation.stamp_truth import stamp_classes

IN_SITU = "in situ"


def clumps(*rows, n_stars=50):
    """x, y, mass, longevity, origin."""
    x, y, mass, longevity, origin = zip(*rows, strict=True)
    made = {"x": x, "y": y, "mass": mass, "longevity": longevity, "origin": origin, "n_stars": [n_stars] * len(x)}
    return {name: np.array(values) for name, values in made.items()}


# classes of stamps


def test_a_stamp_is_long_lived_from_nine_tenths_of_the_mass():
    made = stamp_classes(clumps((20, 20, 9.0, "LLC", IN_SITU), (21, 20, 1.0, "SLC", IN_SITU)), [20.5], [20.5])
    assert (made["label"][0], made["share"][0], made["mass"][0]) == ("LLC", 0.9, 10)
    made = stamp_classes(clumps((20, 20, 8.9, "LLC", IN_SITU), (21, 20, 1.1, "SLC", IN_SITU)), [20.5], [20.5])
    assert made["label"][0] == "SLC"


def test_zero_lifetime_and_foreign_clumps_and_the_bulge_do_not_make_the_class():
    made = stamp_classes(
        clumps((20, 20, 1.0, "LLC", IN_SITU), (21, 20, 99.0, "ZLC", IN_SITU), (20, 21, 99.0, "", "ex situ"), (21, 21, 99.0, "", "bulge")),
        [20.5], [20.5],
    )  # fmt: skip
    assert (made["label"][0], made["row"][0]) == ("LLC", 0)
    only = stamp_classes(clumps((21, 20, 1.0, "ZLC", IN_SITU), (24, 24, 9.0, "", "bulge")), [20.5, 40], [20.5, 40])
    assert only["label"].tolist() == ["ZLC", ""]
    assert np.isnan(only["share"]).all()


def test_clumps_of_few_stars_do_not_count():
    assert stamp_classes(clumps((20, 20, 1.0, "LLC", IN_SITU), n_stars=9), [20.5], [20.5])["label"][0] == ""


def test_a_stamp_reaches_half_a_pixel_beyond_its_pixels():
    # around 20.5 a stamp holds the pixels 16 to 25
    made = stamp_classes(
        clumps((15.6, 20, 1.0, "LLC", IN_SITU), (25.4, 20, 1.0, "LLC", IN_SITU), (25.6, 20, 1.0, "SLC", IN_SITU)), [20.5], [20]
    )
    assert (made["label"][0], made["mass"][0]) == ("LLC", 2)


def test_no_clumps_at_all():
    nothing = clumps((0, 0, 1.0, "LLC", IN_SITU))
    nothing = {name: values[:0] for name, values in nothing.items()}
    made = stamp_classes(nothing, [5.0], [5.0])
    assert (made["label"][0], made["row"][0], made["nearest"][0]) == ("", -1, -1)
    assert len(stamp_classes(nothing, [], [])["label"]) == 0


# judged stamps


@pytest.fixture
def judged(tmp_path):
    rows = [(8, 8, 1e8, "LLC", IN_SITU), (30, 8, 1e7, "SLC", IN_SITU), (8, 30, 1e8, "ZLC", IN_SITU), (30, 30, 1e9, "", "bulge")]
    images = hand_made(tmp_path, [rows, rows], galaxies=[0, 1], light=0.01)
    found = [([8, 30, 8, 30, 19], [8, 8, 30, 30, 19], [1, 1, 1, 1, 1])] * 2
    return judged_stamps(images, found, [[0.9, 0.2, 0.4, 0.5, 0.6], [0.7, 0.6, 0.3, 0.5, np.nan]])


def test_every_detection_has_its_kind(judged):
    assert judged["kind"].tolist() == ["LLC", "SLC", "only ZLC", "bulge", "no clump"] * 2
    assert judged["mass"][:2].tolist() == pytest.approx([1e8, 1e7])
    # 100 pixels of 0.01 uJy; noise of 10 times 1e-3 uJy in each of seven bands
    assert judged["magnitude"][0] == pytest.approx(23.9, abs=1e-3)
    assert judged["signal_to_noise"][0] == pytest.approx(100 * np.sqrt(7), rel=1e-3)
    assert judged["track"][0] != judged["track"][5]  # the same number in another galaxy


def test_shares_of_kinds(judged):
    kinds = {row["kind"]: row for row in kind_shares(judged)}
    assert {name: row["n"] for name, row in kinds.items()} == {"LLC": 2, "SLC": 2, "only ZLC": 2, "bulge": 2, "ex situ": 0, "no clump": 2}
    assert kinds["LLC"]["p_long"] == pytest.approx(0.8)
    assert kinds["LLC"]["called_long"] == 1
    assert kinds["SLC"]["undecided"] == 0.5
    assert kinds["no clump"]["p_long"] == pytest.approx(0.6)  # what has no probability is left out
    assert np.isnan(kinds["ex situ"]["p_long"])


def test_scores_are_of_long_and_short_lived_stamps(judged):
    scores = classifier_scores(judged)
    assert (scores["n_long"], scores["n_short"], scores["by"]) == (2, 2, "galaxy")
    assert scores["balanced_completeness"][0] == 0.75
    assert scores["roc_auc"][0] == 1
    assert scores["mass_alone_auc"][0] == 1
    one = classifier_scores(judged[judged["galaxy"] == 0])
    assert one["by"] == "track"
    assert classifier_scores(judged[judged["label"] == "LLC"]) == {"n_long": 2, "n_short": 0, "by": "galaxy"}


def test_short_lived_clumps_that_are_still_alive_can_be_left_out(judged):
    judged["censored"] = judged["label"] == "SLC"
    assert classifier_scores(judged, without_censored=True)["n_short"] == 0


def test_power_inside_a_bin_of_mass(judged):
    bins = score_by(judged, "mass", (1e6, 5e7, 1e9))
    assert bins["n_long"].tolist() == [0, 2]
    assert bins["n_short"].tolist() == [2, 0]
    assert np.isnan(bins["roc_auc"]).all()
    together = score_by(judged, "mass", (1e6, 1e9))
    assert together["roc_auc"].tolist() == [1]
    assert together["p_short"].tolist() == pytest.approx([0.4])


def test_lists_that_do_not_fit_are_told(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    with pytest.raises(ValueError, match="must list all 1 images"):
        judged_stamps(images, [], [])
    with pytest.raises(ValueError, match="image 0 has 1 detections and 2 probabilities"):
        judged_stamps(images, [([1], [1], [1])], [[0.1, 0.2]])


# curves


def test_curves_counted_by_hand():
    truth, p = [1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.7, 0.1]
    curve = roc(truth, p)
    assert curve["true_positive_rate"].tolist() == pytest.approx([0, 0.5, 0.5, 1, 1])
    assert curve["false_positive_rate"].tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
    assert curve.meta["area"] == pytest.approx((0.5 + (0.5 + 1) / 2 + 1) / 3)
    precision = precision_recall(truth, p)
    assert precision["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 4, 2 / 5])
    assert precision["balanced_precision"].tolist() == pytest.approx([1, 0.6, 0.6, 0.5])


def test_reliability_of_a_calibrated_classifier():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    truth = rng.random(200_000) < p
    table = reliability(truth, p)
    assert abs(table["p"] - table["frequency"]).max() < 0.02
    assert calibration_error(truth, p) < 0.01
    # a tenth of the long-lived ones: the natural mix has another frequency, the balanced one that of before
    keep = ~truth | (rng.random(200_000) < 0.1)
    assert calibration_error(truth[keep], p[keep]) > 0.2
    assert calibration_error(truth[keep], p[keep], balanced=True) < 0.03


# what a classifier uses


class Reddest:
    """Long-lived is what is red; knows no structure."""

    def classify(self, image, table):
        out = table.copy()
        columns, rows = (np.rint(table[name].value - 4.5).astype(int) for name in "xy")
        total = np.array([[image.data[b, r : r + 10, c : c + 10].sum() for b in (0, -1)] for c, r in zip(columns, rows, strict=True)])
        out["p_long"] = total[:, 1] / np.maximum(total.sum(axis=1), 1e-9)
        return out


def test_stamps_side_by_side_are_judged_one_by_one():
    stamps = np.ones((1700, 2, 10, 10)) * np.linspace(1, 3, 1700)[:, None, None, None]
    stamps[:, 1] *= np.linspace(0.1, 2, 1700)[:, None, None]
    p = judge_stamps(Reddest(), stamps, ["F435W", "F160W"])
    ratio = np.linspace(0.1, 2, 1700)
    assert p == pytest.approx(ratio / (1 + ratio), rel=1e-4)
    with pytest.raises(ValueError, match="missing"):
        judge_stamps(Reddest(), stamps, ["F435W", "F160W"], missing=["F125W"])


def test_scrambling_keeps_structure_and_loses_colour():
    rng = np.random.default_rng(0)
    stamps = rng.random((2000, 2, 10, 10))
    stamps[:1000, 1] *= 10  # red ones
    made = scramble_colours(stamps, seed=4)
    assert np.allclose(made / stamps, (made / stamps)[:, :, :1, :1], rtol=1e-4)
    magnitude = 23.9 - 2.5 * np.log10(made.sum(axis=(2, 3)))
    assert magnitude.min() >= 19 - 1e-3
    assert magnitude.max() <= 24 + 1e-3
    assert abs(np.corrcoef(magnitude.T)[0, 1]) < 0.1
    truth = np.arange(2000) < 1000
    assert roc(truth, judge_stamps(Reddest(), stamps, ["F435W", "F160W"])).meta["area"] > 0.99
    assert abs(roc(truth, judge_stamps(Reddest(), made, ["F435W", "F160W"])).meta["area"] - 0.5) < 0.05
    assert np.array_equal(made, scramble_colours(stamps, seed=4))


@pytest.mark.needs_torch
def test_gradients_add_up_to_the_difference_of_the_logits():
    import torch

    from astroclumps.longevity.network import LongevityCNN

    torch.manual_seed(0)
    network = LongevityCNN(3, filters=(4, 4, 4), dense=(8, 8)).eval()
    inputs = np.random.default_rng(0).normal(size=(5, 3, 10, 10)).astype(np.float32)
    parts = integrated_gradients(network, inputs, steps=400)
    with torch.inference_mode():
        ends = network(torch.from_numpy(inputs)), network(torch.zeros(5, 3, 10, 10))
    assert parts.sum(axis=(1, 2, 3)) == pytest.approx((ends[0] - ends[1]).numpy(), abs=2e-3)


@pytest.mark.needs_torch
def test_a_band_that_is_not_used_has_no_part():
    import torch

    def network(x):
        return (x[:, 0] ** 3).sum(dim=(1, 2)) + 2 * x[:, 2].sum(dim=(1, 2)) + torch.zeros(len(x))

    inputs = np.full((2, 3, 2, 2), 2.0)
    parts = integrated_gradients(network, inputs, steps=200).sum(axis=(2, 3))
    assert parts[0] == pytest.approx([32, 0, 16], rel=1e-3)


@pytest.mark.needs_torch
def test_stamps_give_what_the_images_gave(tmp_path):
    from galaxy_sets import write_galaxy_set

    from astroclumps import LongevityClassifier
    from astroclumps.evaluation.images import classify_images
    from astroclumps.training.galaxy_set import GalaxySet

    images = GalaxySet(write_galaxy_set(tmp_path, n_galaxies=1, n_images=2))
    found = [(images.clumps(i)["x"], images.clumps(i)["y"], np.ones(6)) for i in range(2)]
    classifier = LongevityClassifier()
    there = np.concatenate(classify_images(images, found, classifier, seed=5))
    stamps = noisy_stamps(images, found, seed=5)
    assert judge_stamps(classifier, stamps, images.bands) == pytest.approx(there, abs=1e-4, nan_ok=True)
