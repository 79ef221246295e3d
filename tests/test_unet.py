"""The U-Net as a detector: any size, bands and pixels checked, the same answer each time."""

import pickle
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import tiny_networks as tiny

from astroclumps import MultiBandImage, UNetDetector, catalog, weights
from astroclumps.detection.stretch import TILE, stretch, tile_starts
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning, WeightsError

needs_torch = pytest.mark.needs_torch

BRIGHT = ((20, 17), (50, 30), (33, 41))  # x, y


def noisy_image(shape=(64, 64), places=BRIGHT, *, bands=tiny.BANDS, seed=0, **options):
    """White noise of 1 nJy a pixel and sources of 60 nJy at their peak."""
    cube = np.random.default_rng(seed).normal(0, 1, (len(bands), *shape))
    y, x = np.mgrid[: shape[0], : shape[1]]
    for x0, y0 in places:
        cube += 60 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 1.5**2))
    return MultiBandImage(data=cube * u.nJy, bands=bands, pixel_scale=options.pop("pixel_scale", 0.06 * u.arcsec), **options)


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """Weights that find what is brighter than about 10 sigma."""
    pytest.importorskip("torch", reason="needs torch")
    return tiny.bright_pixel_weights(tmp_path_factory.mktemp("weights") / "bright.safetensors")


@pytest.fixture(scope="module")
def random_network(tmp_path_factory):
    pytest.importorskip("torch", reason="needs torch")
    return tiny.random_weights(tmp_path_factory.mktemp("weights") / "random.safetensors", tiny.unet_card())


def anywhere(weights, **options):
    """A detector that does not ask for a galaxy around a source."""
    return UNetDetector(weights, min_host=0, **options)


def positions(table):
    return sorted(zip(table["x"].value.round(1).tolist(), table["y"].value.round(1).tolist(), strict=True))


# settings: no torch needed


def test_the_repr_recreates_the_settings():
    detector = UNetDetector("unet-sersic:1.0", threshold=0.4, device="cpu")
    assert eval(repr(detector)) == detector
    assert detector != UNetDetector("unet-sersic:1.0")
    assert hash(detector) == hash(UNetDetector("unet-sersic:1.0", threshold=0.4, device="cpu"))


def test_making_a_detector_opens_no_file():
    UNetDetector("/nowhere/at/all.safetensors")


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_told(threshold):
    with pytest.raises(ValueError, match="threshold is a probability between 0 and 1"):
        UNetDetector(threshold=threshold)


@pytest.mark.parametrize("min_host", [float("nan"), float("inf"), "much"])
def test_a_least_host_that_is_no_number_is_told(min_host):
    with pytest.raises(ValueError, match="min_host is a signal-to-noise"):
        UNetDetector(min_host=min_host)


def test_all_but_the_weights_is_keyword_only():
    with pytest.raises(TypeError):
        UNetDetector("default", 0.5)


# the input of the network


def test_stretch_is_asinh_of_the_signal_to_noise():
    cube = np.array([[[0.0, 3.0]], [[-2.0, 40.0]]])
    expected = np.arcsinh(cube / np.array([1.5, 2.0])[:, None, None]) / 2
    np.testing.assert_allclose(stretch(cube, rms=[1.5, 2.0]), expected, rtol=1e-6)


def test_stretch_does_not_know_the_unit():
    cube = np.random.default_rng(0).normal(size=(2, 32, 32))
    np.testing.assert_allclose(stretch(cube), stretch(1e-3 * cube), atol=1e-5)


def test_stretch_is_zero_where_masked_and_in_a_missing_or_constant_band():
    cube = np.random.default_rng(0).normal(size=(4, 32, 32))
    cube[3] = 0
    mask = np.zeros(cube.shape, dtype=bool)
    mask[0, 5:9], mask[1] = True, True
    out = stretch(cube, mask=mask)
    assert not out[mask].any()
    assert not out[3].any()
    assert out[2].all()
    assert np.isfinite(out).all()


@pytest.mark.parametrize("length", [*range(1, 140), 300, 1000, 4096])
def test_tiles_cover_an_axis_and_overlap_by_half(length):
    starts = tile_starts(length)
    assert starts[0] == 0
    if length <= TILE:
        assert len(starts) == 1
    else:
        assert starts[-1] == length - TILE
        assert 0 < np.diff(starts).min()
        assert np.diff(starts).max() <= TILE // 2


# detection


@needs_torch
def test_bright_sources_are_found_where_they_are(bright):
    found = anywhere(bright).detect_with_maps(noisy_image())
    catalog.validate(found.clumps, "detected", who="test")
    np.testing.assert_allclose(positions(found.clumps), sorted(BRIGHT), atol=0.3)
    assert np.all(np.diff(found.clumps["score"]) <= 0)
    assert found.map.dtype == np.float32
    assert found.map.shape == (64, 64)
    assert 0 <= found.map.min() < 0.01 < 0.9 < found.map.max() <= 1


@needs_torch
def test_segments_carry_the_ids(bright):
    image = noisy_image()
    found = anywhere(bright).detect_with_maps(image)
    assert found.segmentation.dtype == np.int32
    assert np.array_equal(np.unique(found.segmentation), [0, *found.clumps["id"]])
    for row in found.clumps:
        assert found.segmentation[round(row["y"].value), round(row["x"].value)] == row["id"]
        assert (found.segmentation == row["id"]).sum() == row["n_pixels"]
        assert found.map[found.segmentation == row["id"]].max() == pytest.approx(row["score"], rel=1e-6)
    np.testing.assert_array_equal(anywhere(bright).segmentation(image), found.segmentation)


@needs_torch
def test_a_source_below_the_threshold_loses_its_segment(bright):
    cube = noisy_image().data.copy()
    cube[:, 48:56, 5:13] += 0.004  # 4 sigma: above the floor of 0.3, below a high threshold
    image = MultiBandImage(data=cube * u.uJy, bands=tiny.BANDS)
    low, high = anywhere(bright, threshold=0.31).detect_with_maps(image), anywhere(bright, threshold=0.99).detect_with_maps(image)
    assert len(low.clumps) > len(high.clumps) == 3
    assert np.array_equal(np.unique(high.segmentation), [0, 1, 2, 3])
    np.testing.assert_array_equal(high.segmentation, np.where(low.segmentation > 3, 0, low.segmentation))


@needs_torch
def test_the_threshold_of_the_card_is_the_default(tmp_path):
    strict = tiny.bright_pixel_weights(tmp_path / "strict.safetensors", threshold=0.9999999)
    with pytest.warns(NoClumpsWarning):
        assert len(anywhere(strict).detect(noisy_image())) == 0
    assert len(anywhere(strict, threshold=0.5).detect(noisy_image())) == 3


@needs_torch
def test_a_threshold_below_the_floor_of_the_card_lowers_the_floor(bright):
    image = noisy_image()
    areas = [anywhere(bright, threshold=t).detect(image)["n_pixels"].sum() for t in (0.02, 0.3, 0.5)]
    assert areas[0] > areas[1] == areas[2]


@needs_torch
@pytest.mark.parametrize("shape", [(64, 64), (40, 40), (100, 130), (300, 64), (17, 90), (5, 5), (65, 64)])
def test_any_size(bright, shape):
    y, x = min(10, shape[0] // 2), min(12, shape[1] // 2)
    places = ((x, y), (shape[1] - 6, shape[0] - 6)) if min(shape) > 10 else ((x, y),)
    found = anywhere(bright).detect_with_maps(noisy_image(shape, places))
    assert found.map.shape == found.segmentation.shape == shape
    if min(shape) > 10:
        np.testing.assert_allclose(positions(found.clumps), sorted(places), atol=0.5)


@needs_torch
def test_tiles_leave_no_seams(random_network):
    # an image of zeros: what varies is the network's answer at the edge of its tile
    blank = MultiBandImage(data=np.zeros((2, 200, 170)) * u.uJy, bands=tiny.BANDS)
    whole = anywhere(random_network).probability(blank)
    alone = anywhere(random_network).probability(blank.cutout(32, 32, 64))
    edge = np.ptp(alone)
    assert edge > 1e-3
    inside = whole[12:-12, 12:-12]
    # the network's stride of 4 leaves a fine pattern; steps between tiles must add little to it
    period = np.ptp(alone[16:48, 16:48])
    assert np.ptp(inside) < period + 0.1 * edge


@needs_torch
def test_a_mosaic_agrees_with_its_parts(bright):
    places = ((20, 17), (90, 30), (60, 100), (125, 118))
    image = noisy_image((150, 140), places)
    whole = anywhere(bright).probability(image)
    part = anywhere(bright).probability(image.cutout(32, 32, 64))
    assert np.abs(whole[:32, :32] - part[:32, :32]).max() < 0.25  # the sky of a tile is measured in the tile
    np.testing.assert_allclose(positions(anywhere(bright).detect(image)), sorted(places), atol=0.3)


@needs_torch
@pytest.mark.parametrize("shape", [(64, 64), (96, 128)])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_commute_with_detection(bright, shape, turns):
    image = noisy_image(shape, ((20, 17), (50, 30), (33, 41)))
    turned = MultiBandImage(data=np.rot90(image.data, turns, axes=(1, 2)) * u.uJy, bands=tiny.BANDS)
    detector = anywhere(bright)
    np.testing.assert_allclose(detector.probability(turned), np.rot90(detector.probability(image), turns), atol=1e-5)
    before, after = detector.detect_with_maps(image), detector.detect_with_maps(turned)
    assert np.array_equal(after.segmentation > 0, np.rot90(before.segmentation > 0, turns))
    assert len(after.clumps) == len(before.clumps) == 3


@needs_torch
def test_the_brightness_of_an_image_does_not_matter(random_network):
    image = noisy_image()
    fainter = MultiBandImage(data=image.data * 1e-2 * u.uJy, bands=tiny.BANDS)
    detector = anywhere(random_network)
    np.testing.assert_allclose(detector.probability(fainter), detector.probability(image), atol=1e-4)


@needs_torch
def test_the_order_of_bands_does_not_matter(random_network):
    image = noisy_image()
    swapped = image.select(["F160W", "F606W"])
    detector = anywhere(random_network)
    np.testing.assert_array_equal(detector.probability(swapped), detector.probability(image))


@needs_torch
def test_bands_the_network_does_not_know_are_left_out(random_network):
    image = noisy_image()
    cube = np.concatenate([image.data, 100 + image.data[:1]])
    more = MultiBandImage(data=cube * u.uJy, bands=(*tiny.BANDS, "F125W"))
    detector = anywhere(random_network)
    np.testing.assert_array_equal(detector.probability(more), detector.probability(image))


@needs_torch
def test_the_same_image_gives_the_same_bytes(random_network):
    image = noisy_image((100, 90))
    first, second = (anywhere(random_network, threshold=0.01).detect_with_maps(image) for _ in range(2))
    assert first.map.tobytes() == second.map.tobytes()
    assert first.segmentation.tobytes() == second.segmentation.tobytes()
    assert first.clumps["score"].tolist() == second.clumps["score"].tolist()


@needs_torch
def test_the_image_is_left_alone(bright):
    image = noisy_image()
    data, mask = image.data.copy(), image.mask.copy()
    anywhere(bright).detect(image)
    assert np.array_equal(image.data, data)
    assert np.array_equal(image.mask, mask)


@needs_torch
def test_a_used_detector_can_be_pickled_and_is_still_equal(bright):
    detector = anywhere(bright)
    image = noisy_image()
    found = detector.detect(image)
    copy = pickle.loads(pickle.dumps(detector))
    assert copy == detector
    assert len(pickle.dumps(detector)) < 1000  # without the network
    assert copy.detect(image)["score"].tolist() == found["score"].tolist()


@needs_torch
def test_the_history_names_weights_and_digest(bright):
    line = anywhere(bright).detect(noisy_image()).meta["history"][-1]
    assert "UNetDetector(" in line
    assert "weights tiny 1.0 sha256 " + weights.sha256(bright) in line


# the galaxy around a source


def galaxy_image(places):
    """A broad galaxy of 1.5 sigma in the left half; sources as in `noisy_image`."""
    image = noisy_image(places=places)
    y, x = np.mgrid[:64, :64]
    glow = 1.5e-3 * np.exp(-((x - 18) ** 2 + (y - 32) ** 2) / (2 * 10**2))
    return MultiBandImage(data=(image.data + glow) * u.uJy, bands=tiny.BANDS)


@needs_torch
def test_a_source_without_a_galaxy_is_no_clump(bright):
    image = galaxy_image([(52, 12), (16, 30), (50, 50)])
    found = UNetDetector(bright).detect_with_maps(image)
    np.testing.assert_allclose(positions(found.clumps), [(16, 30)], atol=0.5)
    assert np.array_equal(np.unique(found.segmentation), [0, 1])
    assert found.segmentation[30, 16] == 1
    assert found.clumps["id"].tolist() == [1]
    assert len(anywhere(bright).detect(image)) == 3


@needs_torch
def test_a_field_of_stars_has_no_clumps(bright):
    with pytest.warns(NoClumpsWarning):
        assert len(UNetDetector(bright).detect(noisy_image())) == 0


# little or nothing to see


@needs_torch
def test_pure_sky_is_an_empty_table_with_all_columns(bright):
    with pytest.warns(NoClumpsWarning, match="UNetDetector found no clumps in 'sky'"):
        found = anywhere(bright).detect_with_maps(noisy_image(places=(), name="sky"))
    catalog.validate(found.clumps, "detected", who="test")
    assert len(found.clumps) == 0
    assert not found.segmentation.any()


@needs_torch
def test_the_warning_points_to_the_caller(bright):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anywhere(bright).detect(noisy_image(places=()))
    assert [w.filename for w in caught] == [__file__]


@needs_torch
def test_an_image_masked_everywhere_is_empty(bright):
    image = noisy_image(mask=np.ones((2, 64, 64), dtype=bool))
    with pytest.warns(NoClumpsWarning) as caught:
        found = anywhere(bright).detect_with_maps(image)
    assert len(caught) == 1
    assert len(found.clumps) == 0
    assert not found.map.any()


@needs_torch
def test_nan_pixels_are_holes_and_the_rest_is_found(bright):
    cube = noisy_image().data.copy()
    cube[:, 26:34, 44:56] = np.nan  # around the second source
    cube[0, 2:5] = np.inf
    found = anywhere(bright).detect_with_maps(MultiBandImage(data=cube * u.uJy, bands=tiny.BANDS))
    np.testing.assert_allclose(positions(found.clumps), [BRIGHT[0], BRIGHT[2]], atol=0.3)
    assert not found.map[26:34, 44:56].any()
    assert np.isfinite(found.map).all()


@needs_torch
def test_a_tile_without_good_pixels_is_no_problem(bright):
    image = noisy_image((64, 200))
    cube = image.data.copy()
    cube[:, :, 80:] = np.nan
    found = anywhere(bright).detect_with_maps(MultiBandImage(data=cube * u.uJy, bands=tiny.BANDS))
    assert len(found.clumps) == 3


# bands and pixels that do not fit


@needs_torch
def test_one_missing_band_is_warned_about(bright):
    message = r"image has bands F606W; weights tiny 1\.0 were trained on F606W, F160W; UNetDetector takes F160W as missing"
    with pytest.warns(AstroclumpsWarning, match=message):
        anywhere(bright, threshold=0.3).detect(noisy_image(bands=("F606W",)))


@needs_torch
def test_a_band_masked_everywhere_counts_as_missing(tmp_path):
    mask = np.zeros((2, 64, 64), dtype=bool)
    mask[1] = True
    strict = tiny.bright_pixel_weights(tmp_path / "strict.safetensors", max_missing_bands=0)
    with pytest.raises(ValueError, match="F160W missing or masked everywhere, at most 0 may be"):
        anywhere(strict).detect(noisy_image(mask=mask))


@needs_torch
def test_too_few_bands_names_both_lists(bright):
    with pytest.raises(ValueError, match=r"image has bands F125W; weights tiny 1\.0 were trained on F606W, F160W; F606W, F160W missing"):
        anywhere(bright).detect(noisy_image(bands=("F125W",)))


@needs_torch
def test_too_few_bands_are_an_error_even_if_all_is_masked(bright):
    image = noisy_image(bands=("F125W",), mask=np.ones((1, 64, 64), dtype=bool))
    with pytest.raises(ValueError, match="image has bands F125W"):
        anywhere(bright).detect(image)


@needs_torch
def test_another_pixel_scale_is_told(bright):
    with pytest.raises(ValueError, match=r'image has pixels of 0\.03", weights tiny 1\.0 were trained at 0\.06"; rebin the image'):
        anywhere(bright).detect(noisy_image(pixel_scale=0.03 * u.arcsec))
    anywhere(bright).detect(noisy_image(pixel_scale=0.064 * u.arcsec))


# weights


@needs_torch
def test_a_classifier_is_no_detector(tmp_path):
    path = tiny.random_weights(tmp_path / "cnn.safetensors", tiny.cnn_card())
    with pytest.raises(WeightsError, match="a unet is needed"):
        anywhere(path).detect(noisy_image())


@needs_torch
def test_an_unknown_name_is_told():
    with pytest.raises(WeightsError, match="no weights named 'zzz'"):
        anywhere("zzz").detect(noisy_image())


@needs_torch
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": {"channels": 2, "filters": 8, "levels": 2}}, "do not fit the architecture of their card"),
        ({"architecture": {"channels": 2, "depth": 8}}, "do not fit the architecture of their card"),
        ({"bands": ["F606W", "F125W", "F160W"]}, "3 bands .* 2 channels"),
    ],
)
def test_a_card_that_does_not_fit_its_tensors_is_told(tmp_path, change, message):
    good = tiny.unet_card()
    path = weights.save(tmp_path / "odd.safetensors", tiny.tensors(tiny.build(good)), {**good, **change})
    with pytest.raises(WeightsError, match=message):
        anywhere(str(path)).detect(noisy_image())


@needs_torch
@pytest.mark.parametrize("key", ["pixel_scale", "threshold"])
def test_a_card_that_lacks_what_a_detector_needs_is_told(tmp_path, key):
    card = tiny.unet_card()
    del card[key]
    path = tiny.random_weights(tmp_path / "short.safetensors", card)
    with pytest.raises(WeightsError, match=rf"lacks \['{key}'\]"):
        anywhere(path).detect(noisy_image())


@needs_torch
def test_a_byte_changed_in_the_package_is_told_with_both_digests(tmp_path, monkeypatch, empty_cache, bright):
    from astroclumps.weights import registry

    good = weights.sha256(bright)
    data = bytearray(Path(bright).read_bytes())
    data[-1] ^= 1
    (tmp_path / "tiny-1.0.safetensors").write_bytes(data)
    entry = f'[defaults]\nunet = "tiny:1.0"\n[["tiny"]]\nversion = "1.0"\nkind = "unet"\nfile = "tiny-1.0.safetensors"\nsha256 = "{good}"\n'
    (tmp_path / "registry.toml").write_text(entry + 'urls = []\nlicence = "CC0-1.0"\n')
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    registry._parse.cache_clear()
    try:
        with pytest.raises(WeightsError) as error:
            UNetDetector().detect(noisy_image())
    finally:
        registry._parse.cache_clear()
    assert good in str(error.value)
    assert weights.sha256(tmp_path / "tiny-1.0.safetensors") in str(error.value)


@needs_torch
def test_the_network_keeps_size_and_doubles_its_filters():
    import torch

    from astroclumps.detection.network import UNet

    network = UNet(3, filters=4, levels=3)
    assert network(torch.zeros(2, 3, 32, 48)).shape == (2, 32, 48)
    assert [block[0].out_channels for block in network.down] == [4, 8, 16]
    assert network.bottom[0].out_channels == 32
    assert [(up.kernel_size, up.stride) for up in network.up] == [((2, 2), (2, 2))] * 3
    assert network.last.kernel_size == (1, 1)
