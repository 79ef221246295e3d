"""Real sky in mock images."""

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage
from astroclumps.mock.sky import SkyPatches


def blank(n=40, names=("F606W", "F160W"), value=None):
    data = np.random.default_rng(0).normal(0, 1e-3, (len(names), n, n + 10)) if value is None else np.full((len(names), n, n), value)
    return MultiBandImage(data=data * u.uJy, bands=names, pixel_scale=0.06 * u.arcsec)


def test_patches_are_parts_of_the_real_sky():
    image = blank()
    known = set(image.data.ravel().tolist())
    sky = SkyPatches(images=[image])
    one, other, again = (sky.sample((16, 24), rng=np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert one.shape == (2, 16, 24)
    assert set(one.ravel().tolist()) <= known
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_aligned_patches_come_from_one_place():
    names = ("F606W", "F160W")
    plane = np.random.default_rng(0).normal(0, 1, (30, 30))
    image = MultiBandImage(data=np.stack([plane, 2 * plane]) * u.uJy, bands=names, pixel_scale=0.06 * u.arcsec)
    for aligned in (True, False):
        samples = [SkyPatches(images=[image], aligned=aligned).sample((8, 8), rng=np.random.default_rng(s)) for s in range(6)]
        assert all(np.allclose(2 * a, b) for a, b in samples) is aligned


def test_patches_have_the_photon_noise_of_the_source():
    sky = SkyPatches(images=[blank(value=0.0)], electrons_per_ujy=(1e3, 1e3))
    source = np.full((2, 32, 32), 0.1, dtype=np.float32)
    noise = np.array([sky.sample((32, 32), rng=np.random.default_rng(seed), source=source) for seed in range(12)])
    np.testing.assert_allclose(noise.std(axis=(0, 2, 3)), 0.01, rtol=0.05)


def test_patches_that_cannot_be_are_told():
    masked = blank()
    masked.mask[0, 3, 3] = True
    for bad, message in (
        ({"images": []}, "at least one blank image"),
        ({"images": [blank(), blank(names=("F606W",))]}, "the same bands and pixels"),
        ({"images": [masked]}, "1 masked pixels"),
        ({"images": [blank()], "electrons_per_ujy": (1.0,)}, "one value for each"),
    ):
        with pytest.raises(ValueError, match=message):
            SkyPatches(**bad)
    with pytest.raises(ValueError, match="smaller than 64 x 64"):
        SkyPatches(images=[blank()]).sample((64, 64), rng=np.random.default_rng(0))
