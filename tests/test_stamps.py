"""Stamps around clumps: where they lie, what lies outside, and the one brightness that they are scaled to."""

import numpy as np
import pytest

from astroclumps.longevity.stamps import FIXED_MAGNITUDE, STAMP, cut_stamps, normalise, stamp_origin

BANDS = ("F435W", "F606W", "F160W")


def some_stamps(seed=0, n=3):
    return np.random.default_rng(seed).uniform(0.01, 1, (n, len(BANDS), STAMP, STAMP))


# cutting


@pytest.mark.parametrize("size", [8, 9, 10])
def test_the_middle_of_a_stamp_is_nearest_to_the_clump(size):
    x = np.linspace(20, 22, 41)
    column, _ = stamp_origin(x, x, size=size)
    assert np.abs(column + (size - 1) / 2 - x).max() <= 0.5


def test_a_stamp_holds_the_pixels_around_its_clump():
    cube = np.arange(3 * 40 * 50, dtype=float).reshape(3, 40, 50)
    stamps = cut_stamps(cube, [20.5, 31.2], [7.5, 30.9])
    assert stamps.shape == (2, 3, 10, 10)
    assert stamps.dtype == np.float32
    np.testing.assert_array_equal(stamps[0], cube[:, 3:13, 16:26])
    np.testing.assert_array_equal(stamps[1], cube[:, 26:36, 27:37])


def test_what_lies_outside_the_image_is_nan():
    cube = np.ones((1, 20, 20))
    corner, beyond = cut_stamps(cube, [0, 400], [0, -300])
    assert np.isfinite(corner).sum() == 36  # pixels -4 to 5: 6 of 10 on each side
    assert np.isnan(corner[0, :4]).all()
    assert np.isnan(beyond).all()


def test_no_clump_no_stamp():
    assert cut_stamps(np.ones((7, 20, 20)), [], []).shape == (0, 7, 10, 10)


def test_the_image_is_left_alone():
    cube = np.ones((1, 20, 20))
    cut_stamps(cube, [0], [0])
    assert (cube == 1).all()


# brightness


@pytest.mark.parametrize("factor", [1e-4, 0.3, 50.0, 1e5])
def test_one_factor_for_all_bands_changes_nothing(factor):
    stamps = some_stamps()
    np.testing.assert_allclose(normalise(factor * stamps, bands=BANDS), normalise(stamps, bands=BANDS), rtol=2e-5)


def test_a_factor_of_its_own_in_one_band_changes_the_stamp():
    stamps = some_stamps()
    redder = stamps * np.array([0.5, 1, 1])[:, None, None]
    assert np.abs(normalise(redder, bands=BANDS) - normalise(stamps, bands=BANDS)).max() > 0.01


def test_the_reddest_band_has_the_fixed_magnitude_wherever_it_stands():
    stamps = some_stamps()
    linear = np.sinh(2 * normalise(stamps, bands=BANDS).astype(float)) * 0.03
    magnitude = 23.9 - 2.5 * np.log10(linear[:, 2].sum(axis=(1, 2)))
    np.testing.assert_allclose(magnitude, FIXED_MAGNITUDE, atol=1e-3)
    swapped = normalise(stamps[:, ::-1], bands=BANDS[::-1])
    np.testing.assert_array_equal(swapped[:, ::-1], normalise(stamps, bands=BANDS))


def test_without_the_reddest_band_the_next_one_is_taken():
    stamps = some_stamps()
    inputs = normalise(stamps, bands=BANDS, present=[True, True, False])
    assert not inputs[:, 2].any()
    linear = np.sinh(2 * inputs.astype(float)) * 0.03
    np.testing.assert_allclose(23.9 - 2.5 * np.log10(linear[:, 1].sum(axis=(1, 2))), FIXED_MAGNITUDE, atol=1e-3)


def test_a_negative_total_in_the_reddest_band_falls_back_to_the_next():
    stamps = some_stamps()
    stamps[0, 2] *= -1
    inputs = normalise(stamps, bands=BANDS)
    assert inputs[0, 1].sum() > 0
    assert inputs[0, 2].sum() < 0
    np.testing.assert_array_equal(inputs[1:], normalise(stamps[1:], bands=BANDS))


def test_a_stamp_without_light_is_zero():
    assert not normalise(-some_stamps(), bands=BANDS).any()
    assert not normalise(np.full((1, 3, 10, 10), np.nan), bands=BANDS).any()


def test_nan_pixels_are_zero_and_the_rest_stays_finite():
    stamps = some_stamps()
    stamps[0, :, :3] = np.nan
    inputs = normalise(stamps, bands=BANDS)
    assert not inputs[0, :, :3].any()
    assert np.isfinite(inputs).all()
    assert inputs.dtype == np.float32


def test_no_stamps_in_none_out():
    assert normalise(np.zeros((0, 3, 10, 10)), bands=BANDS).shape == (0, 3, 10, 10)
