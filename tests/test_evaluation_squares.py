"""Squares of pixels and the detectors that know nothing, on arrangements that can be counted by hand."""

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set
from hand_made_sets import hand_made

from astroclumps.evaluation.nulls import dots, random_points, stacked_light
from astroclumps.evaluation.squares import squares
from astroclumps.training.galaxy_set import GalaxySet

NOTHING = ([], [], [])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return GalaxySet(write_galaxy_set(tmp_path_factory.mktemp("tiny")))


def test_squares_counted_by_hand(tmp_path):
    # 40 px: 4 x 4 squares of 10 px. Clumps in the squares (0, 0), (0, 0), (1, 0), (3, 3); detections in (0, 0), (2, 2), (2, 2)
    images = hand_made(tmp_path, [[(2, 2, 2e7), (8, 8, 2e7), (14, 5, 1e8), (35, 35, 1e7)]])
    counted = squares(images, [([1, 25, 28], [1, 25, 28], [0.9, 0.8, 0.2])])
    assert len(counted.image) == 16
    numbers = counted.numbers()
    assert numbers["completeness"][0] == 0.5  # two squares above 10^7.5: the light pair together, and the heavy one
    assert numbers["completeness_stars"][0] == 0  # only the heavy one
    assert numbers["true_detection"][0] == 0.5  # two squares with a detection
    assert numbers["true_detection_centred"][0] == pytest.approx(1 / 3)
    assert numbers["detections_per_image"][0] == 3
    assert numbers["squares_per_image"][0] == 2
    assert counted.numbers(cut=0.85)["true_detection"][0] == 1
    assert counted.numbers(min_mass=5e7)["completeness"][0] == 0


def test_cut_for_a_true_detection_rate(tmp_path):
    # squares with clumps: (0, 0), (1, 0), (3, 3); detections by score: a hit, a miss, two hits, of which one shares its square
    images = hand_made(tmp_path, [[(2, 2, 1e8), (14, 5, 1e8), (35, 35, 1e8)]])
    counted = squares(images, [([2, 25, 35, 36, 14], [2, 25, 35, 36, 5], [0.9, 0.8, 0.7, 0.6, 0.5])])
    assert counted.cut_at_true_detection(0.9) == 0.9  # 1 of 1; then 1 of 2, 2 of 3, 3 of 4
    assert counted.cut_at_true_detection(0.75) == 0.5
    assert counted.cut_at_true_detection(0.7) == 0.5
    for rate in (0.6, 0.75):
        assert counted.numbers(cut=counted.cut_at_true_detection(rate))["true_detection"][0] >= rate
    assert squares(images, [([25], [25], [0.9])]).cut_at_true_detection(0.9) == np.inf
    assert squares(images, [NOTHING]).cut_at_true_detection(0.9) == np.inf


def test_equal_scores_stay_together_at_a_true_detection_rate(tmp_path):
    images = hand_made(tmp_path, [[(2, 2, 1e8), (35, 35, 1e8)]])
    counted = squares(images, [([2, 35, 25], [2, 35, 25], [0.9, 0.5, 0.5])])
    assert counted.cut_at_true_detection(0.9) == 0.9


def test_partial_squares_are_left_out(tmp_path):
    images = hand_made(tmp_path, [[(38, 38, 1e8), (5, 5, 1e8)]])  # 40 px: 5 squares of 6... 6 of 6 px reach to 36
    counted = squares(images, [([38], [38], [1])], size=6)
    assert len(counted.image) == 36
    assert (counted.mass["all"].sum(), counted.n_detections.sum()) == (1e8, 0)
    assert counted.numbers()["completeness"][0] == 0


def test_squares_begin_at_the_edge_of_the_first_pixel(tmp_path):
    images = hand_made(tmp_path, [[(-0.4, 9.4, 1e8), (0, 9.6, 2e8)]])
    assert squares(images, [NOTHING]).mass["all"].reshape(4, 4)[:2, 0].tolist() == [1e8, 2e8]


def test_policies_change_what_is_true(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8, "ZLC", "in situ"), (25, 25, 1e8, "ZLC", "in situ"), (35, 5, 1e8)]])
    images._clumps["sfr"][:] = [1e-4, 0.5, 0]  # the disc forms 10 Msun/yr: 1e-5 and 0.05 of it
    counted = squares(images, [([5, 25, 35], [5, 25, 5], [1, 1, 1])])
    table = counted.true_detection_by_policy()
    assert table["policy"].tolist() == ["none", "0.001", "all"]
    assert table["true_detection"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])


def test_all_clumps_but_the_bulge_are_counted_in_squares(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8, "ZLC", "in situ"), (6, 6, 1e8), (7, 7, 1e9, "", "bulge"), (25, 25, 1e6, "", "ex situ")]])
    table = squares(images, [NOTHING]).clumps_per_square()
    assert table["n_squares"].tolist() == [14, 1, 1]
    assert table.meta["median"] == 1.5


def test_completeness_rises_with_what_is_found(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 2e7), (25, 5, 2e8)], [(5, 5, 2e7), (25, 5, 2e8)]])
    found = squares(images, [([25], [5], [1])] * 2).completeness_by_mass(edges=(1e7, 1e8, 1e9))
    assert found["completeness"].tolist() == [0, 1]
    assert found["n"].tolist() == [2, 2]
    stars = squares(images, [([25], [5], [1])] * 2).completeness_by_mass(quantity="mass_stars", edges=(1e6, 5e7, 1e9))
    assert stars["median"].tolist() == pytest.approx([1e7, 1e8])


def test_a_square_larger_than_the_image_is_told(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    with pytest.raises(ValueError, match="side of a square in pixels"):
        squares(images, [NOTHING], size=41)


# detectors that know nothing


def test_dots_find_every_square_of_a_lit_image(tmp_path):
    images = hand_made(tmp_path, [[(3, 17, 1e8), (22, 31, 1e8)]], light=1.0)
    points = dots(images)
    assert len(points[0][0]) == 16
    assert points[0][0][:2].tolist() == [4.5, 14.5]
    numbers = squares(images, points).numbers()
    assert numbers["completeness"][0] == 1
    assert numbers["true_detection"][0] == pytest.approx(2 / 16)


def test_only_lit_squares_have_dots(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    images.data[0, :, 10:20, 0:10] = 1.01e-3 / np.sqrt(7)  # seven bands of rms 1e-3: 1.01 times the noise of a pixel of their stack
    images.data[0, :, 20:30, 0:10] = 0.99e-3 / np.sqrt(7)
    assert stacked_light(images, 0)[15, 5] == pytest.approx(1.01, rel=1e-4)
    (x, y, score) = dots(images)[0]
    assert (x.tolist(), y.tolist()) == ([4.5], [14.5])
    assert score[0] == pytest.approx(1.01, rel=1e-4)
    assert len(dots(images, lit=0.5)[0][0]) == 2


def test_random_points_are_as_many_and_where_the_light_is(tiny):
    many = [(np.zeros(500), np.zeros(500), np.zeros(500))] + [NOTHING] * (len(tiny) - 1)
    points = random_points(tiny, many, seed=3)
    assert [len(p[0]) for p in points] == [500] + [0] * (len(tiny) - 1)
    light = stacked_light(tiny, 0)
    light = np.where(light >= 1, light, 0)
    y, x = np.mgrid[:64, :64]
    for place, pixels in ((points[0][0], x), (points[0][1], y)):
        mean = (pixels * light).sum() / light.sum()
        spread = np.sqrt(((pixels - mean) ** 2 * light).sum() / light.sum())
        assert abs(place.mean() - mean) < 4 * spread / np.sqrt(500)


def test_random_points_depend_on_the_seed_only(tiny):
    wanted = [([1, 2], [1, 2], [1, 1])] * len(tiny)
    one, two, other = (random_points(tiny, wanted, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for p, q in zip(one, two, strict=True) for a, b in zip(p, q, strict=True))
    assert not np.array_equal(one[0][0], other[0][0])
    part = random_points(tiny.subset([3, 5]), wanted[:2], seed=1)  # an image keeps its points in a part of the set
    assert np.array_equal(part[1][0], one[5][0])


def test_a_dark_image_has_no_points(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)]])
    assert len(random_points(images, [([1], [1], [1])], seed=0)[0][0]) == 0
    assert len(dots(images)[0][0]) == 0
