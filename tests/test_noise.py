"""The sky of an image: its rms and correlation, with and without a galaxy, with bad pixels."""

import numpy as np
import pytest

from astroclumps.mock.sky import SkyModel
from astroclumps.noise import sky_correlation, sky_pixels, sky_rms

SHAPE = (64, 64)
DRAWS = 16


def noise(seed, *, correlation=0.0, rms=(1.0,) * 7, shape=SHAPE):
    return SkyModel(rms=rms, correlation=(correlation,) * len(rms)).sample(shape, rng=np.random.default_rng(seed)).astype(float)


def mean_rms(source=0.0, **options):
    return np.mean([sky_rms(noise(seed, **options) + source) for seed in range(DRAWS)])


def disc(fraction):
    """A flat galaxy of 5 sigma on a fraction of the pixels."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(x - 31.5, y - 31.5)
    return 5.0 * (distance <= np.quantile(distance, fraction))


# rms


@pytest.mark.parametrize("correlation", [0.0, 0.54, 0.8])
def test_rms_of_pure_noise(correlation):
    assert abs(mean_rms(correlation=correlation) - 1) < 0.03


@pytest.mark.parametrize("correlation", [0.0, 0.54, 0.8])
def test_rms_beside_a_galaxy_that_covers_60_percent(correlation):
    assert abs(mean_rms(disc(0.6), correlation=correlation) - 1) < 0.03


@pytest.mark.parametrize("correlation", [0.0, 0.54, 0.8])
def test_rms_of_one_band(correlation):
    assert abs(mean_rms(rms=(1.0,), correlation=correlation) - 1) < 0.04


def test_each_band_has_its_own_rms():
    np.testing.assert_allclose(sky_rms(noise(1, rms=(1e-3, 5.0, 70.0))), [1e-3, 5.0, 70.0], rtol=0.08)


def test_rms_scales_with_the_unit():
    cube = noise(2)
    np.testing.assert_allclose(sky_rms(1000 * cube), 1000 * sky_rms(cube), rtol=1e-9)


def test_a_constant_background_changes_nothing():
    cube = noise(3)
    np.testing.assert_allclose(sky_rms(cube + 100), sky_rms(cube), rtol=1e-6)


def test_a_few_bright_pixels_change_little():
    cube = noise(4)
    hot = cube.copy()
    hot[:, ::9, ::9] += 1000
    np.testing.assert_allclose(sky_rms(hot), sky_rms(cube), rtol=0.1)


def test_nan_and_infinite_pixels_are_left_out():
    cube = noise(5)
    cube[:, :20] = np.nan
    cube[0, 20:24] = np.inf
    np.testing.assert_allclose(sky_rms(cube), 1, rtol=0.12)


def test_masked_pixels_are_left_out():
    cube = noise(6)
    mask = np.zeros(cube.shape, dtype=bool)
    mask[:, :, :30] = True
    cube[mask] *= 1000
    np.testing.assert_allclose(sky_rms(cube, mask), 1, rtol=0.12)


def test_a_band_without_good_pixels_has_no_rms_and_spoils_no_other():
    cube = noise(7)
    mask = np.zeros(cube.shape, dtype=bool)
    mask[2] = True
    rms = sky_rms(cube, mask)
    assert np.isnan(rms[2])
    np.testing.assert_allclose(np.delete(rms, 2), 1, rtol=0.1)


def test_nothing_good_gives_nan():
    assert np.isnan(sky_rms(np.full((2, 8, 8), np.nan))).all()


def test_fewer_than_ten_good_pixels_give_nan():
    cube = np.full((1, 8, 8), np.nan)
    cube.flat[:9] = np.arange(9)
    assert np.isnan(sky_rms(cube)).all()


def test_a_constant_band_has_rms_zero():
    assert sky_rms(np.ones((1, 16, 16))).tolist() == [0.0]


def test_a_mostly_constant_band_has_a_finite_rms():
    cube = np.zeros((1, 16, 16))
    cube[0, 0] = 1.0
    assert np.isfinite(sky_rms(cube)).all()


def test_the_input_is_left_alone():
    cube = noise(8)
    before = cube.copy()
    sky_rms(cube)
    sky_correlation(cube)
    assert np.array_equal(cube, before)


# pixels and correlation


def test_sky_pixels_are_a_quarter_and_avoid_the_galaxy():
    cube = noise(9) + disc(0.5)
    sky = sky_pixels(cube)
    assert sky.sum() == pytest.approx(0.25 * sky.size, rel=0.01)
    assert (disc(0.5)[sky] > 0).mean() < 0.01


def test_sky_pixels_are_never_masked_in_all_bands():
    mask = np.zeros((7, *SHAPE), dtype=bool)
    mask[:, 10:20] = True
    assert not sky_pixels(noise(10), mask)[10:20].any()


def test_no_good_pixel_is_no_sky():
    assert not sky_pixels(np.full((2, 8, 8), np.nan)).any()


@pytest.mark.parametrize("correlation", [0.0, 0.15, 0.54, 0.8])
def test_the_correlation_of_neighbours_is_measured(correlation):
    found = np.mean([sky_correlation(noise(seed, correlation=correlation)) for seed in range(DRAWS)])
    assert found == pytest.approx(correlation, abs=0.05)


def test_too_few_pairs_have_no_correlation():
    assert np.isnan(sky_correlation(noise(11, shape=(6, 6)))).all()
