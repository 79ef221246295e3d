"""What is done to a noiseless image before a network sees it."""

import numpy as np
import pytest

from astroclumps.mock.sky import SkyModel
from astroclumps.training.augment import add_sky, dihedral, hide_patch, lose_bands

DRAWS = 2000


def rng(seed=0):
    return np.random.default_rng(seed)


# turns and reflections


@pytest.mark.parametrize("seed", range(40))
def test_image_and_truth_are_turned_together(seed):
    truth = rng(seed).random((9, 9))
    image = np.stack([truth, 2 * truth, 3 * truth])
    turned, turned_truth = dihedral([image, truth], rng=rng(seed))
    np.testing.assert_array_equal(turned, np.stack([turned_truth, 2 * turned_truth, 3 * turned_truth]))


def test_orientations_come_as_often_as_in_the_paper():
    # section 3.2.1: half of the images are turned by one of 0, 90, 180, 270 degrees, half are reflected about one of two axes
    square = np.arange(4).reshape(2, 2)
    seen = {}
    for seed in range(DRAWS):
        (turned,) = dihedral([square], rng=rng(seed))
        seen[tuple(turned.ravel())] = seen.get(tuple(turned.ravel()), 0) + 1 / DRAWS
    assert len(seen) == 8
    # as it was: no turn (0.5 + 0.125) and no reflection (0.5)
    assert seen[0, 1, 2, 3] == pytest.approx(0.3125, abs=0.03)
    # upside down: no turn and a reflection about the horizontal axis, or 180 degrees and one about the vertical axis
    assert seen[2, 3, 0, 1] == pytest.approx(0.625 * 0.25 + 0.125 * 0.25, abs=0.03)
    # a quarter turn without reflection
    assert seen[1, 3, 0, 2] == pytest.approx(0.125 * 0.5, abs=0.02)


def test_dihedral_returns_copies():
    for seed in range(50):
        stored = np.ones((3, 8, 8), dtype=np.float32)
        (turned,) = dihedral([stored], rng=rng(seed))
        assert not np.shares_memory(turned, stored)
        assert turned.flags.c_contiguous
        assert turned.dtype == np.float32


# patches


def test_one_rectangle_is_hidden_in_all_bands():
    sides = []
    for seed in range(300):
        image = np.ones((3, 64, 64))
        hide_patch(image, rng=rng(seed))
        rows, columns = np.flatnonzero((image[0] == 0).any(axis=1)), np.flatnonzero((image[0] == 0).any(axis=0))
        assert not image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].any()
        assert (image == 0).sum() == 3 * len(rows) * len(columns)
        sides += [len(rows), len(columns)]
    assert (min(sides), max(sides)) == (4, 24)


def test_every_pixel_can_be_hidden():
    hidden = np.zeros((30, 30))
    for seed in range(500):
        image = np.ones((1, 30, 30))
        hide_patch(image, rng=rng(seed))
        hidden += image[0] == 0
    assert hidden.min() > 0


def test_a_patch_fits_into_a_small_image():
    for seed in range(50):
        image = np.ones((1, 16, 16))
        hide_patch(image, rng=rng(seed))
        assert (image == 0).any()


# sky


def test_sky_is_added_with_its_rms_and_a_little_residual():
    sky = SkyModel(rms=(1.0, 5.0), correlation=(0.0, 0.0))
    noisy = np.stack([add_sky(np.zeros((2, 32, 32), dtype=np.float32), sky, rng=rng(seed)) for seed in range(400)])
    assert noisy.dtype == np.float32
    within = noisy.std(axis=(2, 3))
    np.testing.assert_allclose(np.median(within, axis=0), [1.0, 5.0], rtol=0.05)
    # 0.1 dex of scatter, the same in both bands
    assert np.log10(within[:, 0]).std() == pytest.approx(0.1, abs=0.02)
    assert np.corrcoef(within.T)[0, 1] > 0.95
    # a constant residual of 0.15 rms, another one in each band
    residual = noisy.mean(axis=(2, 3)) / within
    np.testing.assert_allclose(residual.std(axis=0), 0.153, atol=0.02)
    assert abs(np.corrcoef(residual.T)[0, 1]) < 0.15


def test_a_deeper_draw_has_less_photon_noise_too():
    # photon noise must not depend on the random factor of the sky: without sky it stays as it is
    sky = SkyModel(rms=(0.0,), correlation=(0.0,), electrons_per_ujy=(100.0,))
    source = np.full((1, 32, 32), 4.0, dtype=np.float32)
    scatter = [(add_sky(source, sky, rng=rng(seed)) - source).std() for seed in range(40)]
    np.testing.assert_allclose(scatter, 0.2, rtol=0.1)


def test_the_noiseless_image_is_left_alone():
    source = np.ones((1, 16, 16), dtype=np.float32)
    add_sky(source, SkyModel(rms=(1.0,), correlation=(0.3,)), rng=rng())
    assert (source == 1).all()


# bands


@pytest.mark.parametrize("n_bands", [1, 2, 3, 4, 5, 7])
def test_at_least_three_bands_are_kept(n_bands):
    kept = [lose_bands(n_bands, rng=rng(seed), probability=1.0).sum() for seed in range(200)]
    assert min(kept) >= min(3, n_bands)
    assert max(kept) == n_bands if n_bands <= 3 else max(kept) < n_bands


def test_one_to_three_of_seven_bands_are_lost_in_a_quarter_of_the_images():
    lost = np.array([7 - lose_bands(7, rng=rng(seed)).sum() for seed in range(DRAWS)])
    assert set(lost) == {0, 1, 2, 3}
    assert (lost > 0).mean() == pytest.approx(0.25, abs=0.03)


def test_every_band_can_be_lost():
    lost = np.sum([~lose_bands(7, rng=rng(seed)) for seed in range(500)], axis=0)
    assert lost.min() > 10


@pytest.mark.parametrize("function", ["dihedral", "patch", "sky", "bands"])
def test_the_same_rng_gives_the_same_bytes(function):
    def make():
        image = rng(1).random((4, 32, 32)).astype(np.float32)
        if function == "dihedral":
            return dihedral([image], rng=rng(2))[0]
        if function == "patch":
            hide_patch(image, rng=rng(2))
            return image
        if function == "sky":
            return add_sky(image, SkyModel(rms=(1.0,) * 4, correlation=(0.5,) * 4), rng=rng(2))
        return lose_bands(4, rng=rng(2), probability=1.0)

    assert make().tobytes() == make().tobytes()
