"""Stamps and their classes, over-sampled batches, magnitudes that hide the mass."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from dots import BANDS, Dots  # noqa: E402

from astroclumps.longevity.network import LongevityCNN  # noqa: E402
from astroclumps.training.classifier import (  # noqa: E402
    MAGNITUDES,
    ClassifierBatches,
    ClassifierValidation,
    StampSet,
    make_stamp_set,
    train_classifier,
)
from astroclumps.training.dataset import make_mock_set  # noqa: E402

pytestmark = [pytest.mark.needs_torch]


@pytest.fixture
def mocks(tmp_path):
    return make_mock_set(tmp_path / "set", Dots(), n_images=8)


def put(mocks, *clumps):
    """Give image 0 the clumps (x, y, mass, long_lived), and no others have any."""
    mocks._first = np.array([0, *[len(clumps)] * len(mocks)])
    x, y, mass, long_lived = (np.array([c[i] for c in clumps]) for i in range(4))
    mocks._clumps = {"x": x, "y": y, "mass": mass, "long_lived": long_lived.astype(bool)}
    return mocks


def probability(*places, shape=(32, 32), n=8):
    """Maps with a 2x2 square of 0.9 at pixel positions (column, row, ...) of image 0."""
    maps = np.zeros((n, *shape), dtype=np.float32)
    for x, y in places:
        maps[0, y : y + 2, x : x + 2] = 0.9
    return maps


def cut(mocks, maps, threshold=0.5):
    return make_stamp_set(mocks, maps, floor=0.3, threshold=threshold, bands=BANDS)


def random_stamps(n_short=300, n_long=40, seed=0):
    rng = np.random.default_rng(seed)
    n = n_short + n_long
    long_lived = np.arange(n) >= n_short
    colour = np.where(long_lived[:, None], [0.2, 1.0], [1.0, 1.0])
    stamps = (colour[:, :, None, None] * rng.uniform(0.5, 1.5, (n, 2, 10, 10))).astype(np.float32)
    sky = np.full((n, 2), 1e-3)
    return StampSet(stamps, long_lived, np.arange(n) // 3, sky, np.zeros((n, 2)), BANDS)


# classes


@pytest.mark.parametrize(
    ("masses", "expected"),
    [((9.0, 1.0), True), ((8.9, 1.1), False), ((1.0, 0.0), True), ((0.0, 1.0), False)],
)
def test_the_class_is_the_mass_weighted_mean_with_c_0(mocks, masses, expected):
    # a long-lived and a short-lived clump in one stamp; long-lived from 0.9 of the mass on
    stamps = cut(put(mocks, (15, 15, masses[0], True), (17, 15, masses[1], False)), probability((15, 15)))
    assert stamps.long_lived.tolist() == [expected]


def test_only_clumps_inside_the_stamp_count(mocks):
    # the stamp of a detection at (15.5, 15.5) covers the pixels 11 to 20
    maps = probability((15, 15))
    assert cut(put(mocks, (20.4, 15, 1.0, True), (20.6, 15, 9.0, False)), maps).long_lived.tolist() == [True]
    assert cut(put(mocks, (10.6, 15, 1.0, True), (10.4, 15, 9.0, False)), maps).long_lived.tolist() == [True]


def test_detections_without_a_clump_are_left_out(mocks):
    stamps = cut(put(mocks, (15, 15, 1.0, True)), probability((15, 15), (24, 6)))
    assert len(stamps) == 1
    np.testing.assert_array_equal(stamps.stamps[0], mocks.data[0, :, 11:21, 11:21])


def test_stamps_that_leave_the_image_are_left_out(mocks):
    assert len(cut(put(mocks, (2.5, 15, 1.0, True)), probability((2, 15)))) == 0


def test_detections_below_the_threshold_are_left_out(mocks):
    put(mocks, (15, 15, 1.0, True))
    assert len(cut(mocks, probability((15, 15)), threshold=0.95)) == 0


def test_a_stamp_knows_its_galaxy_and_its_sky(mocks):
    maps = np.stack([mocks.truth_map(i) for i in range(8)])
    stamps = cut(mocks, maps)
    assert len(stamps) > 4
    assert set(stamps.galaxy) <= set(range(8))
    np.testing.assert_array_equal(stamps.rms, mocks.rms[stamps.galaxy])
    assert stamps.stamps.dtype == np.float32


def test_a_set_survives_its_file(tmp_path):
    before = random_stamps(5, 5)
    before.save(tmp_path / "stamps.npz")
    after = StampSet.read(tmp_path / "stamps.npz")
    assert after.bands == BANDS
    for name in ("stamps", "long_lived", "galaxy", "rms", "correlation"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


# batches


def test_the_share_of_a_batch_is_a_random_multiple_of_an_eighth():
    batches = ClassifierBatches(random_stamps(), 64)
    shares = [1 - batches(np.random.default_rng(seed))[1].mean() for seed in range(60)]
    assert set(np.round(np.array(shares) * 8, 9)) == set(range(9))


def test_a_batch_has_inputs_and_targets():
    inputs, targets = ClassifierBatches(random_stamps(), 16)(np.random.default_rng(0))
    assert inputs.shape == (16, 2, 10, 10)
    assert inputs.dtype == targets.dtype == np.float32
    assert set(targets) <= {0, 1}


def test_rare_long_lived_clumps_are_seen_as_often_as_short_lived_ones():
    batches = ClassifierBatches(random_stamps(n_short=300, n_long=30), 32)
    mean = np.mean([batches(np.random.default_rng(seed))[1].mean() for seed in range(150)])
    assert mean == pytest.approx(0.5, abs=0.07)


def test_the_magnitude_is_that_of_the_reddest_band_and_colour_is_kept():
    stamps = random_stamps()
    stamps.rms[:] = 0
    stamp = stamps.noisy(320, magnitude=22.0, rng=np.random.default_rng(0))
    assert 23.9 - 2.5 * np.log10(stamp[-1].sum()) == pytest.approx(22.0, abs=1e-4)
    np.testing.assert_allclose(stamp / stamps.stamps[320], stamp[0, 0, 0] / stamps.stamps[320, 0, 0, 0], rtol=1e-5)


def test_noise_is_not_scaled_with_the_magnitude():
    stamps = random_stamps()
    stamps.stamps[:] = 1.0
    scatter = [stamps.noisy(0, magnitude=m, rng=np.random.default_rng(1)).std(axis=(1, 2)) for m in MAGNITUDES]
    np.testing.assert_allclose(scatter[0], scatter[1], rtol=1e-3)
    assert scatter[0].mean() == pytest.approx(1e-3, rel=0.2)


def test_the_brightness_of_a_stamp_cannot_be_told_from_a_batch():
    faint, bright = random_stamps(), random_stamps()
    bright.stamps *= np.float32(1000)
    first, second = (ClassifierBatches(s, 16)(np.random.default_rng(3))[0] for s in (faint, bright))
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_the_same_rng_gives_the_same_batch():
    first, second = (ClassifierBatches(random_stamps(), 16)(np.random.default_rng(3)) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_the_stamps_are_left_alone():
    stamps = random_stamps()
    before = stamps.stamps.copy()
    ClassifierBatches(stamps, 64)(np.random.default_rng(0))
    assert np.array_equal(stamps.stamps, before)


# validation and training


def test_validation_scores_without_warnings_and_as_numbers_for_json():
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    import json

    check = ClassifierValidation(random_stamps(20, 10), seed=0)
    entry = check(LongevityCNN(2, filters=(4, 4), dense=(8, 4)).eval())
    assert entry["score"] == pytest.approx(entry["roc_auc"], abs=1e-4)
    json.dumps(entry)


def test_a_small_training_learns_a_colour(tmp_path):
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    options = {"n_steps": 40, "every": 20, "batch_size": 16, "n_workers": 0, "dropout": 0.1, "learning_rate": 5e-3}
    train, validation = random_stamps(60, 20, seed=1), random_stamps(30, 20, seed=2)
    network, history = train_classifier(tmp_path / "a", train=train, validation=validation, **options)
    assert history[-1]["roc_auc"] > 0.9
    again, _ = train_classifier(tmp_path / "b", train=train, validation=validation, **options)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in network.state_dict().items())
    assert not network.training
