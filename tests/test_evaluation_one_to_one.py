"""One-to-one scores on clumps and detections that can be counted by hand."""

import numpy as np
import pytest
from hand_made_sets import N, hand_made
from hypothesis import given, settings
from hypothesis import strategies as st

from astroclumps.evaluation import kernels
from astroclumps.evaluation.bootstrap import Bootstrap, groups_of
from astroclumps.evaluation.matching import match
from astroclumps.evaluation.one_to_one import merged_truth, one_to_one
from astroclumps.evaluation.truth import flatten, gather, merge_blends, psf_fwhm, signal_to_noise

NOTHING = ([], [], [])


def test_completeness_and_purity_counted_by_hand(tmp_path):
    # image 1: two clumps, both found, one false; image 2: a clump that is missed, one false
    images = hand_made(tmp_path, [[(5, 5, 1e8), (20, 20, 1e8)], [(5, 5, 1e8)]])
    matched = one_to_one(images, [([5, 21, 35], [5, 22, 35], [0.9, 0.5, 0.7]), ([30], [30], [0.2])])
    numbers = matched.numbers()
    assert numbers["completeness"][0] == pytest.approx(2 / 3)
    assert numbers["purity"][0] == pytest.approx(2 / 4)
    assert numbers["detections_per_image"][0] == 2
    assert matched.numbers(cut=0.6)["completeness"][0] == pytest.approx(1 / 3)
    assert matched.numbers(cut=0.6)["purity"][0] == pytest.approx(1 / 2)


def test_light_clumps_are_true_but_not_counted(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8), (20, 20, 1e7)]])
    matched = one_to_one(images, [([20], [20], [1.0])])
    assert matched.numbers()["completeness"][0] == 0
    assert matched.numbers()["purity"][0] == 1
    assert matched.numbers()["purity_counted"][0] == 0
    assert one_to_one(images, [([20], [20], [1.0])], min_mass=1e6).numbers()["completeness"][0] == 0.5


def test_the_bulge_and_dead_zero_lifetime_clumps_are_false(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e9, "", "bulge"), (20, 20, 1e8, "ZLC", "in situ"), (35, 35, 1e8, "", "ex situ")]])
    matched = one_to_one(images, [([5, 20, 35], [5, 20, 35], [1, 1, 1])])
    assert matched.partner.tolist() == [-1, -1, 0]
    assert (matched.numbers()["completeness"][0], matched.numbers()["purity"][0]) == (1, pytest.approx(1 / 3))


def test_blends_count_as_one_with_their_masses_added(tmp_path):
    # 1.5 px apart, the PSF is 2 px wide; each alone is too light
    images = hand_made(tmp_path, [[(10, 10, 2e7), (11.5, 10, 2e7), (30, 30, 2e7)]])
    truth = merged_truth(images)
    assert psf_fwhm(images).tolist() == pytest.approx([2.0])
    assert truth["n_merged"].tolist() == [2, 1]
    assert truth["mass"].tolist() == pytest.approx([4e7, 2e7])
    assert (truth.x[0], truth.y[0]) == (pytest.approx(10.75), pytest.approx(10))
    assert truth.flux[0].tolist() == pytest.approx([0.04] * N)
    matched = one_to_one(images, [([10.75], [10], [1.0])])
    assert matched.counted.tolist() == [True, False]
    assert matched.numbers()["completeness"][0] == 1
    assert one_to_one(images, [([10.75], [10], [1.0])], merge=0).counted.sum() == 0


def test_no_two_merged_clumps_are_closer_than_the_length():
    rng = np.random.default_rng(0)
    first = np.array([0, 60, 60, 100])
    x, y = rng.uniform(0, 20, (2, 100))
    group, n = kernels.merge_close(first, x, y, np.ones(100), np.array([2.0, 2.0, 3.0]))
    assert sorted(set(group)) == list(range(n))
    for low, high, length in ((0, 60, 2.0), (60, 100, 3.0)):
        mine = np.unique(group[low:high])
        cx, cy = (np.array([v[low:high][group[low:high] == g].mean() for g in mine]) for v in (x, y))
        distance = np.hypot(np.subtract.outer(cx, cx), np.subtract.outer(cy, cy))[np.triu_indices(len(mine), 1)]
        assert len(mine) < high - low
        assert distance.min() >= length


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pairs_at_every_cut_are_as_many_as_the_best_assignment_has(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 9, 2)
    x, y, tx, ty = rng.uniform(0, 9, n), rng.uniform(0, 9, n), rng.uniform(0, 9, m), rng.uniform(0, 9, m)
    flat = flatten([(x, y, rng.random(n))])
    partner, finder = kernels.match_by_score(flat.first, flat.x, flat.y, np.array([0, m]), tx, ty, 3.0)
    for kept in range(n + 1):
        pairs = len(match(flat.x[:kept], flat.y[:kept], tx, ty)[0])
        assert (partner[:kept] >= 0).sum() == pairs
        assert ((finder >= 0) & (finder < kept)).sum() == pairs
    good = np.flatnonzero(partner >= 0)
    assert len(set(partner[good])) == len(good)
    assert (np.hypot(flat.x[good] - tx[partner[good]], flat.y[good] - ty[partner[good]]) <= 3).all()


def test_cuts_at_equal_purity_and_equal_numbers(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8), (20, 20, 1e8), (35, 5, 1e8)]])
    # by score: true, false, true, true, false
    matched = one_to_one(images, [([5, 10, 20, 35, 30], [5, 30, 20, 5, 30], [0.9, 0.8, 0.7, 0.6, 0.5])])
    assert matched.cut_at_purity(0.75) == 0.6
    assert matched.cut_at_purity(0.9) == 0.9
    assert matched.cut_at_rate(3) == 0.7
    assert matched.cut_at_rate(2.9) == 0.8
    assert matched.cut_at_rate(0.5) == np.inf
    # each clump is a step of a third: purity 1, 2/3, 3/4 where it is found
    assert matched.average_precision()[0] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    curve = matched.curve()
    assert curve["completeness"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1, 1])
    assert curve["purity"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])


def test_equal_scores_are_kept_or_dropped_together(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    matched = one_to_one(images, [([5, 30, 20], [5, 30, 20], [0.5, 0.5, 0.5])])
    assert matched.cut_at_rate(2) == np.inf
    assert matched.cut_at_rate(3) == 0.5
    assert matched.average_precision()[0] == pytest.approx(1 / 3)


def test_bins_of_mass_and_crowding(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 2e7), (9, 5, 2e8), (30, 30, 4e8)]])
    matched = one_to_one(images, [([9, 30], [5, 30], [1, 1])])
    by_mass = matched.completeness_by("mass", edges=(1e7, 1e8, 1e9))
    assert by_mass["completeness"].tolist() == [0, 1]
    assert by_mass["n"].tolist() == [1, 2]
    crowded = matched.completeness_by("crowding", edges=(0, 1, 5))
    assert crowded["n"].tolist() == [1, 1]
    assert matched.purity_by("crowding", edges=(0, 5))["purity"].tolist() == [1]


def test_light_around_is_a_surface_brightness(tmp_path):
    images = hand_made(tmp_path, [[(20, 20, 1e8)]], light=0.0036)  # uJy in 0.0036 arcsec2: 1 uJy / arcsec2
    truth = merged_truth(images)
    assert truth["surface_brightness"][0] == pytest.approx(23.9, abs=1e-4)
    assert truth["light"][0] == pytest.approx(0, abs=0.01)
    assert truth["magnitude"][0] == pytest.approx(23.9 + 2.5)  # 0.1 uJy


def test_signal_to_noise_of_a_point_source(tmp_path):
    images = hand_made(tmp_path, [[(20, 20, 1e8)]])
    sigma = 2 / 2.3548
    one_band = 0.1 / (1e-3 * np.sqrt(4 * np.pi) * sigma)
    assert signal_to_noise(images, np.array([0]), np.full((1, N), 0.1))[0] == pytest.approx(one_band * np.sqrt(N), rel=1e-3)


def test_no_detections_and_no_clumps(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)], []])
    matched = one_to_one(images, [NOTHING, NOTHING])
    assert matched.numbers()["completeness"][0] == 0
    assert np.isnan(matched.numbers()["purity"][0])
    assert matched.average_precision()[0] == 0
    assert len(matched.curve()) == 0
    assert matched.cut_at_rate(5) == matched.cut_at_purity(0.5) == np.inf
    empty = one_to_one(images.subset([1]), [([1], [1], [1])])
    assert np.isnan(empty.numbers()["completeness"][0])
    assert empty.numbers()["purity"][0] == 0


def test_wrong_detections_are_told(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    with pytest.raises(ValueError, match="every image of the set, 1, got 2"):
        one_to_one(images, [NOTHING, NOTHING])
    with pytest.raises(ValueError, match=r"image 0 must be x, y, score of one length"):
        one_to_one(images, [([1, 2], [1], [1])])
    with pytest.raises(ValueError, match="scores must be numbers"):
        one_to_one(images, [([1], [1], [np.nan])])
    with pytest.raises(ValueError, match="not F999W"):
        one_to_one(images, [NOTHING], band="F999W")


# errors


def test_errors_draw_galaxies_and_not_images(tmp_path):
    # a galaxy of 20 images where all is found, another where nothing is: the share is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4
    images = hand_made(tmp_path, [[(5, 5, 1e8)]] * 40, galaxies=[0] * 20 + [1] * 20)
    found = [([5], [5], [1])] * 20 + [NOTHING] * 20
    value, error = one_to_one(images, found, n_draws=2000).numbers()["completeness"]
    assert value == 0.5
    assert error == pytest.approx(np.sqrt(1 / 8), rel=0.05)
    by_image = one_to_one(images, found, by="snapshot", n_draws=2000).numbers()["completeness"][1]
    assert by_image == pytest.approx(0.5 / np.sqrt(40), rel=0.1)


def test_errors_of_one_galaxy_draw_tracks(tmp_path):
    # four tracks in 30 snapshots, two always found and two never: errors must not shrink with the number of snapshots
    clumps = [(5, 5, 1e8), (20, 5, 1e8), (5, 20, 1e8), (20, 20, 1e8)]
    images = hand_made(tmp_path, [clumps] * 30)
    matched = one_to_one(images, [([5, 20], [5, 5], [1, 1])] * 30, n_draws=2000)
    assert matched.by == "track"
    assert matched.numbers()["completeness"] == (0.5, pytest.approx(0.25, rel=0.05))
    assert groups_of(images) == (pytest.approx(np.arange(30)), "snapshot")


def test_the_same_seed_gives_the_same_errors(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]] * 6, galaxies=[0, 0, 1, 1, 2, 2])
    found = [([5], [5], [1])] * 3 + [NOTHING] * 3
    one, two, other = (one_to_one(images, found, seed=seed) for seed in (1, 1, 2))
    assert one.numbers() == two.numbers()
    assert one.average_precision() == two.average_precision()
    assert one.numbers()["completeness"][1] != other.numbers()["completeness"][1]


def test_one_group_has_no_error():
    assert np.isnan(Bootstrap([3, 3]).ratio([1, 0], [1, 1])[1])
    assert np.isnan(Bootstrap([0, 1]).ratio([1, 0], [1, 0])[1])  # all of it in one galaxy
    with pytest.raises(ValueError, match="'galaxy', 'snapshot' or 'auto', got 'camera'"):
        groups_of(_Two(), by="camera")


class _Two:
    galaxy = np.array([0, 1])
    snapshot = np.array([0, 0])


def test_flattening_sorts_by_score_and_keeps_equals_as_given():
    flat = flatten([([1, 2, 3], [0, 0, 0], [0.5, 0.9, 0.5]), NOTHING, ([4], [0], [0.1])])
    assert flat.x.tolist() == [2, 1, 3, 4]
    assert flat.image.tolist() == [0, 0, 0, 2]
    assert flat.first.tolist() == [0, 3, 3, 4]


def test_gathering_keeps_every_clump_and_every_policy(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8), (8, 8, 1e9, "", "bulge")], [], [(3, 3, 1e7, "ZLC", "in situ")]])
    truth = gather(images, policies=("none", "all"))
    assert truth.first.tolist() == [0, 2, 2, 3]
    assert truth.positive["none"].tolist() == [True, False, False]
    merged, group = merge_blends(truth.where(truth.positive["all"]), 2.0)
    assert len(merged) == len(group) == 1
