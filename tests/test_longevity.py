"""The classifier: mass hidden, turns and reflections alike, edges flagged, nothing lost."""

import pickle

import astropy.units as u
import numpy as np
import pytest
import tiny_networks as tiny

from astroclumps import LongevityClassifier, MultiBandImage, catalog, weights
from astroclumps.exceptions import AstroclumpsWarning, CatalogError, WeightsError

needs_torch = pytest.mark.needs_torch
PLACES = ((20.2, 17.0), (50.0, 30.6), (33.0, 41.0))


def clumpy_image(*, scale=1.0, shape=(64, 64), **options):
    """Noise of 1 nJy and three clumps of different colours."""
    cube = np.random.default_rng(0).normal(0, 1, (2, *shape))
    y, x = np.mgrid[: shape[0], : shape[1]]
    for i, (x0, y0) in enumerate(PLACES):
        profile = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 1.5**2))
        cube += np.array([10 + 30 * i, 60])[:, None, None] * profile
    return MultiBandImage(data=scale * cube * u.nJy, bands=tiny.BANDS, pixel_scale=0.06 * u.arcsec, **options)


def table(places=PLACES):
    clumps = catalog.make_table("detected", len(places))
    clumps["id"] = np.arange(1, len(places) + 1)
    clumps["x"], clumps["y"] = ([p[i] for p in places] * u.pix for i in (0, 1))
    clumps["score"], clumps["n_pixels"] = 0.9, 5
    catalog.add_history(clumps, "made by hand")
    return clumps


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    pytest.importorskip("torch", reason="needs torch")
    """Random weights whose last layer is stretched so that the three clumps differ clearly."""
    import torch

    from astroclumps.longevity.stamps import cut_stamps, normalise

    card = tiny.cnn_card()
    module = tiny.build(card)
    inputs = normalise(cut_stamps(clumpy_image().data, *np.array(PLACES).T), bands=tiny.BANDS)
    with torch.no_grad():
        logits = module(torch.from_numpy(inputs))
        last = module.dense[-1]
        last.bias.copy_((last.bias - logits.mean()) / logits.std())
        last.weight /= logits.std()
    state = {name: value.copy() for name, value in tiny.tensors(module).items()}
    return str(weights.save(tmp_path_factory.mktemp("weights") / "cnn.safetensors", state, card))


# settings


def test_the_repr_recreates_the_settings():
    classifier = LongevityClassifier("cnn-sersic:1.0", threshold=0.7)
    assert eval(repr(classifier)) == classifier
    assert classifier != LongevityClassifier("cnn-sersic:1.0")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_told(threshold):
    with pytest.raises(ValueError, match="threshold is a probability between 0 and 1"):
        LongevityClassifier(threshold=threshold)


# classes


@needs_torch
def test_columns_are_added_to_a_copy(network):
    clumps, image = table(), clumpy_image()
    before, data = clumps.copy(), image.data.copy()
    out = LongevityClassifier(network).classify(image, clumps)
    catalog.validate(out, "classified", who="test")
    assert clumps.colnames == before.colnames
    assert clumps.meta == before.meta
    assert all(np.array_equal(clumps[name], before[name]) for name in before.colnames)
    assert np.array_equal(image.data, data)
    for name in before.colnames:
        assert np.array_equal(out[name], before[name])
    assert np.all((out["p_long"] > 0) & (out["p_long"] < 1) & (out["p_long_err"] >= 0))
    assert len(np.unique(out["p_long"])) == 3


@needs_torch
def test_the_class_follows_from_the_threshold(network):
    p = LongevityClassifier(network).classify(clumpy_image(), table())["p_long"]
    middle = float(np.sort(p)[1])
    out = LongevityClassifier(network, threshold=middle).classify(clumpy_image(), table())
    assert out["longevity"].tolist() == np.where(p >= middle, "LLC", "SLC").tolist()
    assert sorted(out["longevity"]) == ["LLC", "LLC", "SLC"]


@needs_torch
@pytest.mark.parametrize("scale", [1e-3, 0.1, 100.0])
def test_brightness_is_hidden(network, scale):
    classify = LongevityClassifier(network).classify
    p = classify(clumpy_image(scale=scale), table())["p_long"]
    np.testing.assert_allclose(p, classify(clumpy_image(), table())["p_long"], atol=1e-4)


@needs_torch
def test_colour_is_not_hidden(network):
    image = clumpy_image()
    bluer = MultiBandImage(data=image.data * np.array([4, 1])[:, None, None] * u.uJy, bands=tiny.BANDS)
    classify = LongevityClassifier(network).classify
    assert np.abs(classify(bluer, table())["p_long"] - classify(image, table())["p_long"]).max() > 1e-3


@needs_torch
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_eight_orientations_give_one_probability(network, turns, flip):
    image, n = clumpy_image(), 64
    cube = np.rot90(image.data, turns, axes=(1, 2))
    x, y = np.array(PLACES).T
    for _ in range(turns):
        x, y = y, n - 1 - x
    if flip:
        cube, x = np.flip(cube, 2), n - 1 - x
    turned = MultiBandImage(data=cube * u.uJy, bands=tiny.BANDS)
    classify = LongevityClassifier(network).classify
    p = classify(turned, table(list(zip(x, y, strict=True))))["p_long"]
    np.testing.assert_allclose(p, classify(image, table())["p_long"], atol=1e-4)


@needs_torch
def test_the_error_is_the_scatter_over_the_orientations(network):
    from astroclumps.longevity.classifier import orientations
    from astroclumps.longevity.stamps import cut_stamps, normalise

    image = clumpy_image()
    inputs = normalise(cut_stamps(image.data, *np.array(PLACES).T), bands=tiny.BANDS)
    classifier = LongevityClassifier(network)
    p = orientations(classifier._loaded[0], inputs)
    assert p.shape == (8, 3)
    out = classifier.classify(image, table())
    np.testing.assert_allclose(out["p_long"], p.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(out["p_long_err"], p.std(axis=0), atol=1e-5)
    assert len({tuple(row) for row in p.round(7)}) == 8


@needs_torch
def test_clumps_are_judged_one_by_one(network):
    classify = LongevityClassifier(network).classify
    whole = classify(clumpy_image(), table())["p_long"]
    np.testing.assert_allclose([classify(clumpy_image(), table([place]))["p_long"][0] for place in PLACES], whole, atol=1e-3)


@needs_torch
def test_the_same_input_gives_the_same_bytes(network):
    first, second = (LongevityClassifier(network).classify(clumpy_image(), table()) for _ in range(2))
    assert first["p_long"].tobytes() == second["p_long"].tobytes()


@needs_torch
def test_the_history_grows_by_a_line(network):
    history = LongevityClassifier(network).classify(clumpy_image(), table()).meta["history"]
    assert history[0] == "made by hand"
    assert len(history) == 2
    assert f"weights tiny 1.0 sha256 {weights.sha256(network)}" in history[1]


@needs_torch
def test_a_used_classifier_can_be_pickled(network):
    classifier = LongevityClassifier(network)
    p = classifier.classify(clumpy_image(), table())["p_long"]
    copy = pickle.loads(pickle.dumps(classifier))
    assert copy == classifier
    assert copy.classify(clumpy_image(), table())["p_long"].tolist() == p.tolist()


# edges, holes, nothing


@needs_torch
def test_stamps_that_leave_the_image_are_flagged_and_judged(network):
    places = [(3.9, 30), (4.1, 30), (30, 3.9), (59.1, 30), (58.9, 30), (30, 59.1), (32, 32)]
    out = LongevityClassifier(network).classify(clumpy_image(), table(places))
    assert (out["flags"] & catalog.Flag.STAMP_EDGE > 0).tolist() == [True, False, True, True, False, True, False]
    assert np.isfinite(out["p_long"]).all()


@needs_torch
def test_flags_that_exist_are_kept(network):
    clumps = table([(2, 2), (32, 32)])
    clumps["flags"] = np.array([int(catalog.Flag.OVERLAP)] * 2)
    out = LongevityClassifier(network).classify(clumpy_image(), clumps)
    assert out["flags"].tolist() == [catalog.Flag.OVERLAP | catalog.Flag.STAMP_EDGE, catalog.Flag.OVERLAP]
    assert clumps["flags"].tolist() == [catalog.Flag.OVERLAP] * 2


@needs_torch
def test_a_stamp_without_a_good_pixel_stays_unclassified(network):
    image = clumpy_image()
    cube = image.data.copy()
    cube[:, 10:24, 13:28] = np.nan
    out = LongevityClassifier(network).classify(MultiBandImage(data=cube * u.uJy, bands=tiny.BANDS), table())
    assert np.isnan(out["p_long"]).tolist() == [True, False, False]
    assert np.isnan(out["p_long_err"]).tolist() == [True, False, False]
    assert out["longevity"][0] == ""
    assert len(out) == 3
    catalog.validate(out, "classified", who="test")


@needs_torch
def test_an_image_masked_everywhere_classifies_nothing(network):
    image = clumpy_image(mask=np.ones((2, 64, 64), dtype=bool))
    out = LongevityClassifier(network).classify(image, table())
    assert np.isnan(out["p_long"]).all()
    assert set(out["longevity"]) == {""}


@needs_torch
def test_empty_in_empty_out(network):
    out = LongevityClassifier(network).classify(clumpy_image(), table([]))
    catalog.validate(out, "classified", who="test")
    assert len(out) == 0


@needs_torch
def test_an_image_smaller_than_a_stamp_is_told(network):
    image = MultiBandImage(data=np.ones((2, 9, 40)) * u.uJy, bands=tiny.BANDS)
    with pytest.raises(ValueError, match="of 9x40 pixels is smaller than a stamp of 10x10"):
        LongevityClassifier(network).classify(image, table())


@needs_torch
def test_a_missing_band_is_warned_about(network):
    with pytest.warns(AstroclumpsWarning, match="LongevityClassifier takes F160W as missing"):
        out = LongevityClassifier(network).classify(clumpy_image().select(["F606W"]), table())
    assert np.isfinite(out["p_long"]).all()


@needs_torch
def test_too_few_bands_name_both_lists(network):
    image = MultiBandImage(data=np.ones((1, 20, 20)) * u.uJy, bands=["F125W"])
    with pytest.raises(ValueError, match=r"image has bands F125W; weights tiny 1\.0 were trained on F606W, F160W"):
        LongevityClassifier(network).classify(image, table())


@needs_torch
def test_a_table_of_another_stage_is_told(network):
    clumps = table()
    del clumps["score"]
    with pytest.raises(CatalogError, match=r"LongevityClassifier.*score"):
        LongevityClassifier(network).classify(clumpy_image(), clumps)


@needs_torch
def test_a_detector_is_no_classifier(tmp_path):
    path = tiny.random_weights(tmp_path / "unet.safetensors", tiny.unet_card())
    with pytest.raises(WeightsError, match="a cnn is needed"):
        LongevityClassifier(path).classify(clumpy_image(), table())


@needs_torch
def test_stamps_too_small_for_the_poolings_are_told():
    from astroclumps.longevity.network import LongevityCNN

    with pytest.raises(ValueError, match="stamps of 7 pixels are too small for 3 poolings"):
        LongevityCNN(7, size=7)


@needs_torch
def test_the_layers_of_a_block_are_in_the_order_of_the_paper():
    # section 2.1: two convolutions with ReLU, pooling, dropout, and batch normalisation at the end
    from astroclumps.longevity.network import LongevityCNN

    network = LongevityCNN(7)
    names = [type(layer).__name__ for layer in network.blocks]
    assert names == ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d", "Dropout", "BatchNorm2d"] * 3
    assert [type(layer).__name__ for layer in network.dense] == ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert network.dense[-1].out_features == 1
