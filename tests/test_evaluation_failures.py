"""Which misses and false alarms are listed, and why."""

import numpy as np
import pytest
from hand_made_sets import hand_made

from astroclumps.evaluation.comparison import DOTS, RANDOM, compare
from astroclumps.evaluation.failures import failures
from astroclumps.evaluation.one_to_one import one_to_one

NOTHING = ([], [], [])


def test_misses_are_sorted_by_brightness_and_explained(tmp_path):
    images = hand_made(
        tmp_path,
        [
            [(10, 10, 5e8), (30, 30, 3e8), (32.6, 30, 4e8)],  # the first is missed by 4 px; the second pair shares a detection
            [(10, 10, 4e7), (30, 30, 9e8), (31, 32.5, 9e10, "", "bulge")],  # the last lies on the bulge
        ],
        light=0.003,
    )
    images.data[0] += 0.01 * np.exp(-((np.arange(40)[:, None] - 10) ** 2 + (np.arange(40) - 10) ** 2) / 4)
    found = [([14, 32.6], [10, 30], [0.5, 0.9]), NOTHING]
    misses, false = failures(images, one_to_one(images, found))
    assert misses["mass"].tolist() == pytest.approx([9e8, 5e8, 3e8, 4e7])
    assert misses["reason"].tolist() == ["bulge", "off", "taken", "low contrast"]
    assert misses["nearest_detection"].tolist() == pytest.approx([np.inf, 4, 2.6, np.inf], abs=1e-5)
    assert misses["contrast"][1] > 1
    assert (len(false), false["reason"][0]) == (1, "off")


def test_false_alarms_are_sorted_by_score_and_explained(tmp_path):
    images = hand_made(
        tmp_path, [[(10, 10, 5e8), (30, 30, 1e10, "", "bulge"), (10, 30, 1e8, "ZLC", "in situ")]], light=0.003
    )  # fmt: skip
    images.data[0, :, 10, 30] += 1.0
    x, y, score = [10, 11, 30, 10, 30, 20], [10, 11, 30, 30, 10, 20], [0.99, 0.9, 0.8, 0.7, 0.6, 0.5]
    matched = one_to_one(images, [(x, y, score)])
    _, false = failures(images, matched)
    assert false["reason"].tolist() == ["second", "bulge", "no positive", "light", "noise or disc"]
    assert false["score"].tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert len(failures(images, matched, n=2)[1]) == 2
    assert len(failures(images, matched, cut=0.95)[1]) == 0


def test_a_faint_miss(tmp_path):
    images = hand_made(tmp_path, [[(10, 10, 1e6)]])
    misses, _ = failures(images, one_to_one(images, [NOTHING], min_mass=1e5))
    assert misses["signal_to_noise"][0] < 5
    assert misses["reason"].tolist() == ["faint"]


def test_detectors_are_compared_at_the_number_of_the_first(tmp_path):
    rows = [(5, 5, 1e8), (20, 20, 1e8), (35, 5, 1e8)]
    images = hand_made(tmp_path, [rows] * 4, galaxies=[0, 0, 1, 1], light=0.01)
    careful = [([5, 30], [5, 30], [0.9, 0.1])] * 4
    eager = [([5, 20, 35, 30], [5, 20, 5, 30], [0.4, 0.3, 0.2, 0.1])] * 4
    made = compare(images, {"careful": careful, "eager": eager}, cuts={"careful": 0.5}, sizes=(10,), n_draws=50)
    scores = made.scores
    assert list(scores) == ["careful", "eager", RANDOM, DOTS]
    assert scores["careful"]["own"]["detections_per_image"][0] == 1
    assert scores["eager"]["own"]["completeness"][0] == 1
    assert scores["eager"]["equal_number"]["completeness"][0] == pytest.approx(1 / 3)
    assert scores["eager"]["equal_number"]["cut"] == 0.4
    assert scores["eager"]["equal_purity"]["completeness"][0] == 1
    assert scores[RANDOM]["own"]["detections_per_image"][0] == 1
    assert scores[DOTS]["squares"]["10"]["own"]["all"]["completeness"][0] == 1
    assert scores[DOTS]["squares"]["10"]["equal_number"]["completeness"][0] < 1
    assert set(made.tables["completeness"]["detector"]) == set(scores)
    assert made.tables["scores"]["completeness"].tolist()[:2] == pytest.approx([1 / 3, 1])
    again = compare(images, {"careful": careful, "eager": eager}, cuts={"careful": 0.5}, sizes=(10,), n_draws=50)
    assert str(again.scores) == str(scores)  # NaN is not equal to itself


def test_nothing_detected_at_all(tmp_path):
    images = hand_made(tmp_path, [[(5, 5, 1e8)], []])
    made = compare(images, {"blind": [NOTHING, NOTHING]}, sizes=(10,), n_draws=10)
    assert made.scores["blind"]["own"]["completeness"][0] == 0
    assert len(made.tables["curves"]) == 0
