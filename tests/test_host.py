"""The light of a galaxy around a source."""

import numpy as np
import pytest

from astroclumps.detection.host import HOST_RING, MIN_HOST, host_brightness

SHAPE = (64, 64)


def noise(seed=0, n_bands=3):
    return np.random.default_rng(seed).normal(size=(n_bands, *SHAPE))


def add(cube, x, y, *, peak, sigma):
    rows, columns = np.indices(SHAPE)
    return cube + peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def test_blank_sky_has_none():
    values = [host_brightness(noise(seed), [32], [32])[0] for seed in range(20)]
    assert abs(np.mean(values)) < 0.15
    assert np.max(np.abs(values)) < MIN_HOST


def test_a_lone_star_has_none_however_bright():
    assert host_brightness(add(noise(), 32, 32, peak=300, sigma=1.2), [32], [32])[0] < MIN_HOST


def test_the_mean_of_the_ring_in_units_of_the_stack():
    # 2 sigma in each of 3 bands are 2 sqrt(3) in the stack, on a disc that covers the ring
    cube = noise()
    rows, columns = np.indices(SHAPE)
    cube[:, np.hypot(columns - 30, rows - 34) < 12] += 2.0
    assert host_brightness(cube, [30], [34])[0] == pytest.approx(2 * np.sqrt(3), rel=0.1)


def test_the_unit_and_a_constant_sky_do_not_matter():
    cube = add(noise(), 30, 30, peak=3, sigma=8)
    expected = host_brightness(cube, [30], [30])
    np.testing.assert_allclose(host_brightness(1e-3 * cube, [30], [30]), expected, rtol=1e-6)
    np.testing.assert_allclose(host_brightness(cube + 5, [30], [30]), expected, rtol=1e-6)


def test_other_sources_are_left_out_of_the_ring():
    cube = add(noise(), 38, 32, peak=300, sigma=1.0)
    assert host_brightness(cube, [32], [32])[0] > MIN_HOST
    assert host_brightness(cube, [32, 38], [32, 32])[0] < MIN_HOST


def test_a_crowded_ring_is_not_measured():
    x, y = np.meshgrid(np.arange(20, 45, 3), np.arange(20, 45, 3))
    assert np.isnan(host_brightness(noise(), x.ravel(), y.ravel())[40])


def test_masked_pixels_and_bands_are_left_out():
    cube = noise()
    mask = np.zeros(cube.shape, dtype=bool)
    mask[:, 26:40, 33:50] = mask[2] = True
    spoiled = np.where(mask, 1e6, cube)
    assert abs(host_brightness(spoiled, [32], [32], mask=mask)[0]) < 1
    holed = np.where(mask, np.nan, cube)
    np.testing.assert_array_equal(host_brightness(holed, [32], [32]), host_brightness(spoiled, [32], [32], mask=mask))


def test_edges_corners_and_beyond():
    values = host_brightness(add(noise(), 0, 0, peak=5, sigma=10), [0, 63, -400, 32], [0, 0, 900, 32])
    assert values[0] > 1
    assert abs(values[1]) < 1
    assert np.isnan(values[2])


def test_nothing_to_measure():
    assert host_brightness(noise(), [], []).shape == (0,)
    assert np.isnan(host_brightness(np.full((2, *SHAPE), np.nan), [32], [32]))[0]
    assert np.isnan(host_brightness(np.zeros((2, *SHAPE)), [32], [32]))[0]


def test_the_image_is_left_alone():
    cube = noise()
    before = cube.copy()
    host_brightness(cube, [32], [32])
    assert np.array_equal(cube, before)


def test_the_ring_lies_outside_the_source():
    assert HOST_RING == (4.0, 9.0)
