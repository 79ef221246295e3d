"""The synthetic galaxy in the package."""

import numpy as np
import pytest

from astroclumps import bands, demo


def test_the_demo_galaxy_is_complete_and_small():
    image = demo.demo_image()
    assert image.bands == bands.names(bands.CANDELS)
    assert image.data.shape == (7, 64, 64)
    assert 1.5 <= image.redshift <= 2
    assert image.psf_known
    assert not image.mask.any()
    assert demo._FILE.stat().st_size < 300_000


def test_the_truth_holds_clumps_of_both_classes_inside_the_image():
    truth = demo.demo_truth()
    assert set(truth["longevity"]) == {"LLC", "SLC"}
    for name in ("x", "y"):
        assert str(truth[name].unit) == "pix"
        assert ((truth[name].value > 0) & (truth[name].value < 63)).all()


def test_each_true_clump_is_a_bright_place_of_the_image():
    image, truth = demo.demo_image(), demo.demo_truth()
    plane, noise = image.band("F160W"), image.sky_rms[image.bands.index("F160W")]
    for x, y in zip(truth["x"].value, truth["y"].value, strict=True):
        assert plane[round(y), round(x)] > 10 * noise


@pytest.mark.needs_bagpipes
def test_the_file_can_be_made_anew_with_the_same_bytes_each_time(tmp_path):
    first, second = (demo.write_demo(tmp_path / name).read_bytes() for name in ("a.fits", "b.fits"))
    assert first == second


@pytest.mark.needs_bagpipes
def test_another_galaxy_can_be_written(tmp_path):
    from astroclumps import MultiBandImage

    image = MultiBandImage.read(demo.write_demo(tmp_path / "other.fits", seed=5, index=1))
    assert image.meta["made by"] == "SersicMocks(seed=5).image(1)"
    assert not np.array_equal(image.data, demo.demo_image().data)
