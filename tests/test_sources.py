"""From a map to sources: positions, labels, order, deblending, bad pixels."""

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, catalog
from astroclumps.detection.sources import detection_table, extract
from astroclumps.testing import example_image


def bumps(*places, shape=(48, 40), sigma=1.5):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.max([peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2)) for x0, y0, peak in places], axis=0)


def smooth_random_map(seed):
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).random((64, 64)), 1.5)
    return (field - field.min()) / np.ptp(field)


def test_the_first_pixel_is_the_origin():
    corner = np.zeros((16, 16))
    corner[0:2, 0:2] = 0.9
    x, y, *_ = extract(corner, threshold=0.5)
    assert (x[0], y[0]) == (0.5, 0.5)


def test_centres_are_found_and_sorted_by_peak():
    x, y, score, n_pixels, _ = extract(bumps((8.3, 30.6, 0.7), (30.2, 9.9, 0.95)), threshold=0.2)
    np.testing.assert_allclose(x, [30.2, 8.3], atol=0.1)
    np.testing.assert_allclose(y, [9.9, 30.6], atol=0.1)
    np.testing.assert_allclose(score, [0.95, 0.7], atol=0.05)
    assert score[0] > score[1]
    assert n_pixels.dtype == np.int64


def test_fewer_pixels_than_the_least_are_no_source():
    dots = np.zeros((20, 20))
    dots[4, 4:7] = 0.9
    dots[12:14, 12:14] = 0.9
    x, *_ = extract(dots, threshold=0.5)
    assert x.tolist() == [12.5]
    assert len(extract(dots, threshold=0.5, min_pixels=3)[0]) == 2


def test_touching_bumps_are_parted():
    x, *_ = extract(bumps((15, 20, 0.9), (20, 20, 0.8)), threshold=0.1)
    np.testing.assert_allclose(x, [15, 20], atol=0.5)


@pytest.mark.parametrize("seed", range(8))
def test_labels_are_ids_and_their_pixels_are_counted(seed):
    x, _, score, n_pixels, segmentation = extract(smooth_random_map(seed), threshold=0.55)
    assert segmentation.dtype == np.int32
    assert len(x) > 5
    assert np.array_equal(np.unique(segmentation), np.arange(len(x) + 1))
    assert np.array_equal(np.bincount(segmentation.ravel())[1:], n_pixels)
    assert np.all(np.diff(score) <= 0)
    field = smooth_random_map(seed).astype(np.float32)
    np.testing.assert_array_equal([field[segmentation == i + 1].max() for i in range(len(x))], score.astype(np.float32))


def test_an_empty_map_has_no_sources():
    x, y, score, n_pixels, segmentation = extract(np.zeros((20, 20)), threshold=0.5)
    assert len(x) == len(y) == len(score) == len(n_pixels) == 0
    assert not segmentation.any()


def test_nan_and_infinite_pixels_count_as_nothing():
    field = bumps((20, 20, 0.9))
    field[2, 2:9], field[40, 5] = np.nan, np.inf
    x, *_ = extract(field, threshold=0.3)
    np.testing.assert_allclose(x, [20], atol=0.05)


def test_masked_pixels_are_ignored():
    field = bumps((10, 10, 0.9), (30, 35, 0.9))
    mask = np.zeros(field.shape, dtype=bool)
    mask[:20] = True
    _, y, *_ = extract(field, threshold=0.3, mask=mask)
    np.testing.assert_allclose(y, [35], atol=0.05)


def test_the_map_is_left_alone():
    field = bumps((10, 10, 0.9))
    field[0, 0] = np.nan
    before = field.copy()
    extract(field, threshold=0.3, mask=field > 2)
    np.testing.assert_array_equal(field, before)


def test_a_map_of_another_dimension_is_told():
    with pytest.raises(ValueError, match=r"2 dimensions \(y, x\), got shape \(1, 4, 4\)"):
        extract(np.zeros((1, 4, 4)), threshold=0.5)


@pytest.mark.slow
def test_a_mosaic_whose_pixels_are_mostly_above_the_threshold():
    # more than sep's own stack of 300,000 pixels
    field = np.zeros((700, 700), dtype=np.float32)
    field[10:-10, 10:-10] = 0.9
    *_, n_pixels, _ = extract(field, threshold=0.5)
    assert n_pixels.tolist() == [680 * 680]


# tables


def test_the_table_is_of_its_stage_and_has_the_sky():
    image = example_image()
    table = detection_table(image, [40.0, 22.0], [30.0, 36.0], [0.9, 0.8], [12, 9], history="a line")
    catalog.validate(table, "detected", who="test")
    assert table["id"].tolist() == [1, 2]
    assert table["x"].unit == u.pix
    assert table.meta["image"] == "example"
    assert table.meta["history"][-1] == "a line"
    x, y = image.wcs.world_to_pixel(table["sky"])
    np.testing.assert_allclose([x, y], [[40, 22], [30, 36]], atol=1e-6)


def test_without_a_wcs_there_is_no_sky():
    image = MultiBandImage(data=np.zeros((1, 16, 16)) * u.uJy, bands=["F160W"])
    assert "sky" not in detection_table(image, [1.0], [2.0], [0.5], [4], history="a line").colnames


@pytest.mark.parametrize("sky", [True, False])
def test_a_table_without_rows_has_all_columns(sky):
    image = example_image() if sky else MultiBandImage(data=np.zeros((1, 16, 16)) * u.uJy, bands=["F160W"])
    table = detection_table(image, [], [], [], [], history="a line")
    catalog.validate(table, "detected", who="test")
    assert len(table) == 0
    assert ("sky" in table.colnames) == sky
