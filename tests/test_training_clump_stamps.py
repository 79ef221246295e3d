"""Stamps at detections on simulated galaxies: classes, shifts, noise, and batches that hide the brightness."""

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from astroclumps.longevity.stamps import cut_stamps, normalise
from astroclumps.training.clump_stamps import ClumpStamps
from astroclumps.training.galaxy_classifier import StampBatches, StampValidation
from astroclumps.training.galaxy_set import GalaxySet
from astroclumps.training.predictions import Predictions

pytestmark = [pytest.mark.needs_torch]


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    return GalaxySet(write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=3, n_images=6, n_clumps=6))


def predictions(galaxies, *, score=0.9):
    """A detection at each clump."""
    places = [(i, *place) for i in range(len(galaxies)) for place in zip(galaxies.clumps(i)["x"], galaxies.clumps(i)["y"], strict=True)]
    image, x, y = np.array(places).T
    image = image.astype(int)
    images = np.arange(len(galaxies))
    return Predictions(
        image=image, galaxy=galaxies.galaxy[image], index=galaxies.index[image], x=x, y=y, score=np.full(len(x), score),
        threshold=np.full(len(x), 0.5), images=images, galaxies=galaxies.galaxy, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stamps(galaxies):
    return ClumpStamps(galaxies, predictions(galaxies))


def test_labels_are_those_of_the_evaluation(galaxies, stamps):
    from astroclumps.evaluation.stamp_truth import stamp_classes

    for i in (0, 7, 17):
        mine = stamps.image == i
        assert stamps.label[mine].tolist() == stamp_classes(galaxies.clumps(i), stamps.x[mine], stamps.y[mine])["label"].tolist()
    assert {"LLC", "SLC"} <= set(stamps.label)


def test_only_classes_are_trained_on(stamps):
    index = stamps.of([0, 2])
    assert set(stamps.label[index]) == {"LLC", "SLC"}
    assert set(stamps.galaxy[index]) == {0, 2}


def test_detections_below_the_threshold_are_left_out(galaxies):
    assert len(ClumpStamps(galaxies, predictions(galaxies, score=0.4))) == 0


def test_censored_short_lived_stamps_are_used_on_request(galaxies):
    alive = GalaxySet.__new__(GalaxySet)
    alive.__dict__.update(galaxies.__dict__, _clumps={**galaxies._clumps, "censored": np.ones_like(galaxies._clumps["censored"])})
    stamps = ClumpStamps(alive, predictions(galaxies))
    assert set(stamps.label[stamps.of(range(3))]) == {"LLC"}
    assert set(stamps.label[stamps.of(range(3), censored=True)]) == {"LLC", "SLC"}


def test_clean_stamps_are_cut_as_everywhere(galaxies, stamps):
    index = np.flatnonzero(stamps.image == 2)
    expected = np.nan_to_num(cut_stamps(galaxies.data[2], stamps.x[index], stamps.y[index]))
    np.testing.assert_array_equal(stamps.clean(index), expected)
    moved = stamps.clean(index, shift=np.tile([1, -2], (len(index), 1)))
    np.testing.assert_array_equal(moved, np.nan_to_num(cut_stamps(galaxies.data[2], stamps.x[index] + 1, stamps.y[index] - 2)))


def test_observed_stamps_come_from_the_noisy_image_of_the_predictions(galaxies, stamps):
    index = np.flatnonzero(stamps.image == 4)
    noisy = cut_stamps(galaxies.noisy(4, seed=3), stamps.x[index], stamps.y[index])
    np.testing.assert_array_equal(stamps.observed(index), normalise(noisy, bands=galaxies.bands))


def test_scattered_bands_lose_their_colour_and_keep_their_shape(stamps):
    index = np.arange(6)
    plain, scattered = stamps.observed(index), stamps.observed(index, scatter=1)
    flux = [np.sinh(2 * stamp).sum(axis=(2, 3)) for stamp in (plain, scattered)]
    colour = [np.log10(np.abs(f[:, :-1] / f[:, -1:])) for f in flux]
    assert np.std(colour[1] - colour[0]) > 0.3
    assert np.array_equal(scattered, stamps.observed(index, scatter=1))


def test_the_noise_of_a_stamp_is_that_of_its_image(galaxies, stamps):
    noise = stamps.noise(np.zeros(2000, dtype=int), rng=np.random.default_rng(0))
    np.testing.assert_allclose(noise.std(axis=(0, 2, 3)), galaxies.rms[stamps.image[0]], rtol=0.05)


def test_batches_hide_the_brightness(galaxies):
    brighter = GalaxySet.__new__(GalaxySet)
    brighter.__dict__.update(galaxies.__dict__, data=galaxies.data * np.float32(30))
    made = []
    for one in (galaxies, brighter):
        stamps = ClumpStamps(one, predictions(galaxies))
        made.append(StampBatches(stamps, stamps.of(range(3)), 16)(np.random.default_rng(1)))
    np.testing.assert_allclose(made[0][0], made[1][0], atol=1e-3)
    assert np.array_equal(made[0][1], made[1][1])


def test_the_control_scrambles_the_colours(stamps):
    plain, control = (StampBatches(stamps, stamps.of(range(3)), 64, scramble=scramble) for scramble in (False, True))

    def scatter(batches):
        inputs = np.concatenate([batches(np.random.default_rng(seed))[0] for seed in range(4)])
        flux = np.sinh(2 * inputs).sum(axis=(2, 3))
        both = (flux[:, 1] > 0) & (flux[:, -1] > 0)
        return np.std(np.log10(flux[both, 1] / flux[both, -1]))

    assert scatter(control) > 2 * scatter(plain)


def test_one_class_alone_is_told(stamps):
    long_lived = np.flatnonzero(stamps.label == "LLC")
    with pytest.raises(ValueError, match="both classes, got [0-9]+ long- and 0 short-lived"):
        StampBatches(stamps, long_lived)
    with pytest.raises(ValueError, match="both classes"):
        StampValidation(stamps, long_lived)
