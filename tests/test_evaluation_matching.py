"""Matching, completeness and purity, on arrangements that can be counted by hand."""

import itertools

import numpy as np
import pytest

from astroclumps.evaluation.matching import completeness_at_purity, match


def pairs(*args, **options):
    return [(int(i), int(j)) for i, j in zip(*match(*args, **options), strict=True)]


def best_by_trying(x, y, tx, ty, radius):
    """Largest number of pairs, then the least sum of distances, over all assignments."""
    distance = np.hypot(np.subtract.outer(x, tx), np.subtract.outer(y, ty))
    if len(x) > len(tx):
        distance = distance.T
    best = (0, 0.0)
    for columns in itertools.permutations(range(distance.shape[1]), distance.shape[0]):
        near = [distance[i, j] for i, j in enumerate(columns) if distance[i, j] <= radius]
        best = min(best, (-len(near), sum(near)))
    return -best[0], best[1]


# matching


@pytest.mark.parametrize("seed", range(20))
def test_the_pairing_is_the_best_one(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6, 2)
    x, y, tx, ty = rng.uniform(0, 8, n), rng.uniform(0, 8, n), rng.uniform(0, 8, m), rng.uniform(0, 8, m)
    i, j = match(x, y, tx, ty)
    assert len(set(i)) == len(i) == len(set(j))
    distance = np.hypot(x[i] - tx[j], y[i] - ty[j])
    number, total = best_by_trying(x, y, tx, ty, 3.0)
    assert len(i) == number
    assert distance.sum() == pytest.approx(total)


def test_two_pairs_are_better_than_one_close_pair():
    # the middle detection is nearer to the first clump, but only so do both find a partner
    assert pairs([1.0, -1.5], [0, 0], [0, 3.5], [0, 0]) == [(0, 1), (1, 0)]


def test_one_clump_is_found_once():
    assert pairs([0, 0.1, 0.2], [0, 0, 0], [0.1], [0]) == [(1, 0)]


def test_the_radius_is_inclusive_and_can_be_set():
    assert pairs([3.0], [0], [0], [0]) == [(0, 0)]
    assert pairs([3.001], [0], [0], [0]) == []
    assert pairs([3.001], [0], [0], [0], radius=4) == [(0, 0)]


@pytest.mark.parametrize(("a", "b"), [([], [1.0]), ([1.0], []), ([], [])])
def test_nothing_matches_nothing(a, b):
    i, j = match(a, a, b, b)
    assert i.tolist() == j.tolist() == []
    assert i.dtype == j.dtype == int


# completeness and purity

# image 1: clumps at 0 and 20; found 0 (0.9), 20 (0.6), false 40 (0.7). image 2: a clump at 0, missed; false 30 (0.3).
FOUND = [([0, 20, 40], [0, 0, 0], [0.9, 0.6, 0.7]), ([30], [0], [0.3])]
TRUE = [([0, 20], [0, 0]), ([0], [0])]


def test_counted_by_hand():
    # cut 0.3: 2 of 4 pure, 2 of 3 complete; 0.6: 2/3, 2/3; 0.7: 1/2, 1/3; 0.9: 1, 1/3
    scan = completeness_at_purity(FOUND, TRUE, purity=0.6)
    assert (scan.completeness, scan.purity, scan.cut) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.6)
    assert scan.per_image == 1.5
    assert [f.tolist() for f in scan.found] == [[True, True], [False]]
    strict = completeness_at_purity(FOUND, TRUE, purity=0.9)
    assert (strict.completeness, strict.purity, strict.cut) == (pytest.approx(1 / 3), 1.0, 0.9)


def test_of_cuts_with_the_same_completeness_the_purest_is_taken():
    scan = completeness_at_purity(FOUND, TRUE, purity=0.1)
    assert scan.cut == 0.6


def test_a_given_cut_is_used_as_it_is():
    scan = completeness_at_purity(FOUND, TRUE, cut=0.7)
    assert (scan.completeness, scan.purity, scan.cut, scan.per_image) == (pytest.approx(1 / 3), 0.5, 0.7, 1.0)


def test_a_purity_that_no_cut_reaches():
    scan = completeness_at_purity([([9], [0], [0.5])], [([0], [0])], purity=0.9)
    assert (scan.completeness, scan.cut, scan.per_image) == (0, np.inf, 0)
    assert scan.found[0].tolist() == [False]


def test_images_without_detections_or_clumps():
    scan = completeness_at_purity([([], [], []), ([], [], [])], [([], []), ([3.0], [4.0])])
    assert (scan.completeness, scan.purity) == (0, 1)
    assert [len(f) for f in scan.found] == [0, 1]
    assert completeness_at_purity([], []).completeness == 0


def test_lists_of_different_length_are_told():
    with pytest.raises(ValueError, match="same images, got 1 and 2"):
        completeness_at_purity(FOUND[:1], TRUE)


def test_many_scores_are_scanned_in_steps_and_hardly_miss_the_best():
    rng = np.random.default_rng(0)
    detections, truth = [], []
    for _ in range(300):
        tx = rng.uniform(0, 1000, 4)
        real = np.stack([tx, rng.beta(4, 2, 4)])
        false = np.stack([rng.uniform(2000, 3000, 3), rng.beta(2, 4, 3)])
        x, score = np.concatenate([real, false], axis=1)
        detections.append((x, np.zeros(7), score))
        truth.append((tx, np.zeros(4)))
    scan = completeness_at_purity(detections, truth)
    scores = np.concatenate([d[2] for d in detections])
    good = np.tile([True] * 4 + [False] * 3, 300)
    order = np.argsort(-scores)
    hits = np.cumsum(good[order])
    best = (hits[hits / np.arange(1, 2101) >= 0.9] / 1200).max()
    assert best - 0.02 < scan.completeness <= best
    assert scan.purity >= 0.9


@pytest.mark.parametrize("purity", [90, 0, -0.1, float("nan")])
def test_a_purity_that_is_no_share_is_refused(purity):
    with pytest.raises(ValueError, match="purity must be a share above 0 and at most 1"):
        completeness_at_purity([([0], [0], [0.9])], [([0], [0])], purity=purity)
