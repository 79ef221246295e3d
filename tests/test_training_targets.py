"""What a U-Net is asked for, and how its detections are ranked."""

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set

from astroclumps.training.galaxy_set import GalaxySet
from astroclumps.training.ranking import rank
from astroclumps.training.targets import ClumpTargets, TruthRule, signal_to_noise


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    return GalaxySet(write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=3, n_images=4))


# targets


def test_all_positives_are_painted_where_nothing_is_asked_of_them(galaxies):
    targets = ClumpTargets(galaxies, TruthRule(min_snr=0, min_contrast=0))
    assert targets.visible.all()
    for i in range(len(galaxies)):
        rows, positive = targets.rows(i), galaxies.positives(i)
        assert targets.truth["mass"][rows].sum() == pytest.approx(galaxies.clumps(i)["mass"][positive].sum(), rel=1e-6)
        if rows.stop - rows.start == positive.sum():  # nothing was merged
            np.testing.assert_array_equal(targets.map(i), galaxies.truth_map(i))


def test_what_cannot_be_seen_is_left_out_of_the_loss(galaxies):
    bright = ClumpTargets(galaxies, TruthRule(min_snr=1e9))
    assert not bright.visible.any()
    values, counts = np.unique(bright.map(0), return_counts=True)
    assert set(values) == {-1, 0}
    n = bright.rows(0).stop - bright.rows(0).start
    assert counts[0] <= 16 * n


def test_a_visible_clump_wins_over_an_invisible_neighbour(galaxies):
    targets = ClumpTargets(galaxies, TruthRule())
    targets.truth.x[:], targets.truth.y[:] = 20.2, 30.7
    targets.visible[:] = np.arange(len(targets.visible)) % 2 == 0
    made = targets.map(0)
    assert np.array_equal(made[30:32, 20:22], np.ones((2, 2)))
    assert (made == 1).sum() == 4
    assert (made == -1).sum() == 12


def test_the_policy_decides_about_zero_lifetime_clumps(galaxies):
    number = {policy: len(ClumpTargets(galaxies, TruthRule(sf_zlc=policy)).truth) for policy in ("all", 1e-3, "none")}
    assert number["all"] >= number[1e-3] >= number["none"]
    assert number["all"] > number["none"]


def test_heavy_clumps_are_worth_more_and_win_where_squares_overlap(galaxies):
    flat = ClumpTargets(galaxies, TruthRule(min_snr=0, min_contrast=0))
    ramp = ClumpTargets(galaxies, TruthRule(min_snr=0, min_contrast=0, mass_ramp=(6.0, 9.0)))
    np.testing.assert_allclose(ramp.worth, np.interp(np.log10(flat.truth["mass"]), [6, 9], [0.1, 1]))
    for i in range(len(galaxies)):
        made, rows = ramp.map(i), ramp.rows(i)
        np.testing.assert_array_equal(made > 0, flat.map(i) > 0)
        heaviest = rows.start + np.argmax(ramp.worth[rows])
        assert made.max() == np.float32(ramp.worth[heaviest])
        assert made[int(ramp.truth.y[heaviest]), int(ramp.truth.x[heaviest])] == made.max()


def test_a_falling_ramp_is_refused():
    with pytest.raises(ValueError, match="two rising log10 masses"):
        TruthRule(mass_ramp=(7.5, 6.5))


def test_signal_to_noise_is_that_of_a_matched_filter_in_white_noise():
    # a source with the profile of the PSF, fitted to the pixels: S/N = flux / rms * sqrt(sum of the squared profile)
    fwhm = 0.3
    y, x = np.mgrid[-40:41, -40:41]
    sigma = np.hypot(fwhm / 2.3548 / 0.06, 0.29)
    profile = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    profile /= profile.sum()
    got = signal_to_noise([[2.0]], psf_fwhm=[[fwhm]], rms=[[0.01]], correlation=[[0.0]])
    np.testing.assert_allclose(got, 2.0 / 0.01 * np.sqrt((profile**2).sum()), rtol=1e-3)


def test_correlated_noise_hides_more_and_bands_add_up():
    def at(correlation, n=1):
        return signal_to_noise(
            np.ones((1, n)), psf_fwhm=np.full((1, n), 0.2), rms=np.ones((1, n)), correlation=np.full((1, n), correlation)
        )

    assert at(0.54) < 0.5 * at(0.0)
    np.testing.assert_allclose(at(0.3, 4), 2 * at(0.3))


# ranking


def ranked(x, score, clumps, counted, visible):
    zero = np.zeros(len(x))
    options = {"first": [0, len(clumps)], "x": clumps, "y": np.zeros(len(clumps)), "counted": counted, "visible": visible}
    return rank([(x, zero, score)], **options)


def test_completeness_and_purity_down_to_each_score():
    ranking = ranked([0, 20, 40, 60], [0.9, 0.8, 0.7, 0.6], [0, 40, 80], [True] * 3, [True] * 3)
    assert ranking.purity == pytest.approx([1, 0.5, 2 / 3, 0.5])
    assert ranking.area == pytest.approx((1 + 2 / 3) / 3)
    assert ranking.at(0.7) == {"completeness": pytest.approx(2 / 3), "purity": pytest.approx(2 / 3), "per_image": 3.0}
    assert ranking.cut(beta=2) == 0.7  # two of three are found
    assert ranking.cut(beta=0.1) == 0.9


def test_a_detection_of_an_invisible_clump_counts_neither_way():
    ranking = ranked([0, 20], [0.9, 0.8], [0, 20], [True, False], [True, False])
    assert ranking.true.tolist() == [True, False]
    assert ranking.false.tolist() == [False, False]
    assert ranking.purity.tolist() == [1, 1]
    assert ranking.area == 1


def test_a_visible_clump_below_the_mass_is_true_but_not_counted():
    ranking = ranked([0, 20], [0.9, 0.8], [0, 20], [True, False], [True, True])
    assert ranking.true.all()
    assert len(ranking.found_at) == 1


def test_dots_on_invisible_clumps_are_pure_but_gain_no_area():
    dots = np.arange(10) * 20.0
    ranking = ranked(dots, np.linspace(0.9, 0.8, 10), dots[5:], np.arange(5) == 4, np.arange(5) == 4)
    assert ranking.purity[-1] == pytest.approx(0.5)
    assert ranking.area == pytest.approx(1 / 6)  # five false ones before the only one that counts; four are left out


def test_two_detections_of_one_clump_are_one_false():
    ranking = ranked([0, 1], [0.9, 0.8], [0], [True], [True])
    assert ranking.false.tolist() == [False, True]


def test_equal_scores_stand_or_fall_together():
    ranking = ranked([0, 50], [0.5, 0.5], [0], [True], [True])
    assert ranking.cut() == 0.5
    assert ranked([50, 0], [0.6, 0.5], [0], [True], [True]).cut() == 0.5


def test_nothing_found_has_no_cut():
    ranking = rank([([], [], [])], first=[0, 1], x=[0.0], y=[0.0], counted=[True], visible=[True])
    assert ranking.cut() == float("inf")
    assert ranking.at(0.5) == {"completeness": 0.0, "purity": 1.0, "per_image": 0.0}
