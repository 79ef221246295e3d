"""`ContrastDetector`: the steps of Guo et al. (2015), the choice of the band, galaxies and their centres."""

import pickle
import warnings

import astropy.units as u
import numpy as np
import pytest

from astroclumps import ContrastDetector, MultiBandImage, testing
from astroclumps.detection.galaxy import box_mean, galaxies
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning

NOISE = 1e-3  # uJy a pixel
BANDS = ("F435W", "F606W", "F775W", "F160W")


def blob(shape, x, y, flux, *, sigma=1.3):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return flux / (2 * np.pi * sigma**2) * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def disc(shape, x, y, flux, *, scale=7.0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    light = np.exp(-np.hypot(columns - x, rows - y) / scale)
    return flux * light / light.sum()


def make(planes, *, bands=BANDS, redshift=1.5, seed=1, **options):
    planes = np.asarray(planes, dtype=float)
    noise = np.random.default_rng(seed).normal(0, NOISE, planes.shape)
    return MultiBandImage(data=(planes + noise) * u.uJy, bands=bands, redshift=redshift, **options)


def galaxy(clumps, *, shape=(64, 64), flux=5.0, centre=(32, 32), **options):
    """The same disc in all bands; ``clumps`` are (x, y, flux) in all bands, or (x, y, flux, band)."""
    planes = np.stack([disc(shape, *centre, flux)] * len(BANDS))
    for x, y, light, *band in clumps:
        for i, name in enumerate(BANDS):
            if not band or band[0] == name:
                planes[i] += blob(shape, x, y, light)
    return make(planes, **options)


def test_it_keeps_the_contract_of_detectors():
    testing.check_detector(ContrastDetector())


def test_two_planted_clumps_are_found_in_order_of_their_contrast():
    clumps = ContrastDetector().detect(galaxy([(44, 32, 1.0), (26, 44, 1.6)]))
    np.testing.assert_allclose(clumps["x"].value, [26, 44], atol=0.5)
    np.testing.assert_allclose(clumps["y"].value, [44, 32], atol=0.5)
    assert list(clumps["id"]) == [1, 2]
    assert clumps["score"][0] > clumps["score"][1] > 2


def test_defaults_are_those_of_guo_2015():
    # METHODS 3: boxcar 10 px, 2 sigma, 5 connected pixels, 8% of the ultraviolet light
    detector = ContrastDetector()
    assert (detector.box, detector.n_sigma, detector.min_pixels, detector.min_uv_fraction) == (10, 2.0, 5, 0.08)


def test_a_clump_below_the_ultraviolet_fraction_is_dropped():
    image = galaxy([(44, 32, 0.3), (26, 44, 1.6)])  # 4% and 23% of 6.9 uJy
    assert len(ContrastDetector().detect(image)) == 1
    assert len(ContrastDetector(min_uv_fraction=0.02).detect(image)) == 2


def test_the_flux_fraction_is_near_the_clump_s_part_of_the_light():
    image = galaxy([(44, 32, 1.0)])  # 1 of 6 uJy
    [fraction] = ContrastDetector().detect(image)["flux_fraction"]
    assert 0.6 / 6 < fraction < 1.1 / 6  # what lies outside the segment is lost


def test_the_galaxy_s_centre_is_no_clump():
    planes = np.stack([disc((64, 64), 32, 32, 5.0) + blob((64, 64), 32, 32, 1.5)] * len(BANDS))
    with pytest.warns(NoClumpsWarning):
        assert len(ContrastDetector().detect(make(planes))) == 0


@pytest.mark.parametrize(("redshift", "band"), [(0.7, "F435W"), (1.0, "F606W"), (1.99, "F606W"), (2.0, "F775W"), (2.9, "F775W")])
def test_the_band_follows_the_redshift(redshift, band):
    image = galaxy([(44, 32, 1.5, band)], redshift=redshift)
    clumps = ContrastDetector().detect(image)
    np.testing.assert_allclose(clumps["x"].value, [44], atol=0.5)
    assert clumps.meta["history"][0].endswith(f"contrast in {band}")


def test_a_lacking_band_is_replaced_by_the_nearest_with_a_warning():
    image = galaxy([(44, 32, 1.5)], redshift=3.5)
    with pytest.warns(AstroclumpsWarning, match="F850LP at redshift 3.5.*took F775W"):
        assert len(ContrastDetector().detect(image)) == 1


def test_a_band_masked_everywhere_counts_as_lacking():
    image = galaxy([(44, 32, 1.5)])
    mask = np.zeros(image.data.shape, dtype=bool)
    mask[1] = True
    masked = MultiBandImage(data=image.data * u.uJy, bands=BANDS, mask=mask, redshift=1.5)
    with pytest.warns(AstroclumpsWarning, match="F606W at redshift 1.5.*took F775W"):
        assert len(ContrastDetector().detect(masked)) == 1


def test_no_redshift_is_an_error_that_says_what_to_do():
    image = galaxy([(44, 32, 1.5)], redshift=None)
    with pytest.raises(ValueError, match=r"has none; make the image with redshift=, or choose the band: ContrastDetector\(band='F606W'\)"):
        ContrastDetector().detect(image)
    assert len(ContrastDetector(band="acs-f606w").detect(image)) == 1


def test_a_band_that_the_image_lacks_names_both():
    with pytest.raises(ValueError, match="looks in F105W, but the image has bands F435W, F606W, F775W, F160W"):
        ContrastDetector(band="F105W").detect(galaxy([]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box": 1}, "box is a whole number of pixels, at least 2, got 1"),
        ({"box": 9.5}, "box is a whole number"),
        ({"n_sigma": 0}, "n_sigma must be positive"),
        ({"n_sigma": float("nan")}, "n_sigma must be positive"),
        ({"min_pixels": 0}, "min_pixels is a whole number of pixels, at least 1, got 0"),
        ({"min_uv_fraction": 1.0}, "at least 0 and below 1, got 1.0"),
        ({"min_uv_fraction": -0.1}, "at least 0 and below 1, got -0.1"),
        ({"band": "F999W"}, "F999W"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ContrastDetector(**options)


def test_settings_are_frozen_equal_and_pickled():
    detector = ContrastDetector(box=8, band="f606w")
    assert detector == ContrastDetector(box=8, band="F606W") == pickle.loads(pickle.dumps(detector))
    assert repr(detector) == "ContrastDetector(box=8, n_sigma=2.0, min_pixels=5, min_uv_fraction=0.08, band='F606W')"
    with pytest.raises(AttributeError):
        detector.box = 9


def test_labels_of_the_segmentation_are_the_ids_and_the_map_holds_the_scores():
    image = galaxy([(44, 32, 1.0), (26, 44, 1.6), (20, 24, 0.2)])
    clumps, segmentation, contrast = ContrastDetector().detect_with_maps(image)
    assert segmentation.dtype == np.int32
    assert contrast.dtype == np.float32
    assert set(np.unique(segmentation)) == {0, *clumps["id"]}
    for row in clumps:
        own = segmentation == row["id"]
        assert own.sum() == row["n_pixels"]
        assert contrast[own].max() == pytest.approx(row["score"], rel=1e-5)
    np.testing.assert_array_equal(ContrastDetector().segmentation(image), segmentation)


def test_noise_alone_gives_nothing():
    with pytest.warns(NoClumpsWarning, match="found no clumps in 'sky'"):
        found = ContrastDetector(min_uv_fraction=0).detect_with_maps(make(np.zeros((4, 64, 64)), name="sky"))
    assert len(found.clumps) == 0
    assert "flux_fraction" in found.clumps.colnames
    assert not found.segmentation.any()


def test_a_masked_clump_is_not_found():
    image = galaxy([(44, 32, 1.0), (26, 44, 1.6)])
    data = image.data.copy()
    data[:, 40:49, 22:31] = np.nan
    clumps = ContrastDetector().detect(MultiBandImage(data=data * u.uJy, bands=BANDS, redshift=1.5))
    np.testing.assert_allclose(clumps["x"].value, [44], atol=0.5)


def test_an_image_without_noise_works():
    image = MultiBandImage(
        data=np.stack([disc((64, 64), 32, 32, 5.0) + blob((64, 64), 44, 32, 1.5)] * 4) * u.uJy, bands=BANDS, redshift=1.5
    )
    assert len(ContrastDetector().detect(image)) == 1


def test_a_bright_clump_belongs_to_its_galaxy_and_a_touching_neighbour_does_not():
    planes = np.stack([disc((64, 64), 26, 32, 8.0, scale=3) + blob((64, 64), 32, 32, 2.5) + blob((64, 64), 50, 32, 5.0, sigma=2.5)] * 4)
    [found] = galaxies(make(planes))
    footprint = np.zeros((64, 64), dtype=bool)
    footprint[found.window] = found.footprint
    assert footprint[32, 32]
    assert not footprint[32, 50]


def test_a_neighbour_in_a_small_image_is_no_clump():
    planes = np.stack([disc((64, 64), 30, 30, 5.0, scale=4) + blob((64, 64), 57, 57, 3.0)] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoClumpsWarning)
        assert len(ContrastDetector().detect(make(planes))) == 0


def test_each_galaxy_of_a_large_image_has_its_own_centre_and_light():
    shape = (150, 200)
    plane = disc(shape, 50, 70, 5.0, scale=5) + disc(shape, 150, 70, 50.0, scale=5)
    plane += blob(shape, 58, 70, 1.0) + blob(shape, 142, 70, 10.0) + blob(shape, 150, 80, 1.0)  # the last: 2% of the brighter galaxy
    image = make([plane] * 4)
    assert len(galaxies(image)) == 2
    clumps = ContrastDetector().detect(image)
    assert sorted(np.round(clumps["x"].value)) == [58, 142]


def test_a_turned_image_gives_turned_clumps():
    image = galaxy([(44, 32, 1.0), (26, 44, 1.6)])
    turned = MultiBandImage(data=np.rot90(image.data, axes=(1, 2)) * u.uJy, bands=BANDS, redshift=1.5)
    one, other = ContrastDetector().detect(image), ContrastDetector().detect(turned)
    np.testing.assert_allclose(one["x"].value, 63 - other["y"].value, atol=1e-3)
    np.testing.assert_allclose(one["y"].value, other["x"].value, atol=1e-3)


@pytest.mark.parametrize("box", [4, 5])
def test_the_boxcar_is_centred_and_keeps_a_ramp(box):
    ramp = np.add.outer(np.arange(20.0), 2 * np.arange(30.0))
    inner = np.s_[5:-5, 5:-5]
    np.testing.assert_allclose(box_mean(ramp, np.ones(ramp.shape, dtype=bool), box)[inner], ramp[inner])


def test_the_boxcar_leaves_out_bad_pixels():
    data, good = np.ones((12, 12)), np.ones((12, 12), dtype=bool)
    data[6, 6], good[6, 6] = 1e6, False
    np.testing.assert_allclose(box_mean(data, good, 5), 1)


def test_the_centre_of_a_smooth_galaxy_is_found():
    [found] = galaxies(galaxy([], centre=(36, 27)))
    assert np.hypot(found.x - 36, found.y - 27) < 1
    assert found.footprint[27 - found.window[0].start, 36 - found.window[1].start]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "x", "y"), [("clumpyA", 26.2, 28.1), ("bigD_bar", 18.6, 42.3)])
def test_a_bright_clump_of_an_xdf_galaxy_is_found(real_data, name, x, y):
    image = MultiBandImage.read(real_data / "hst_xdf" / f"cutout64_{name}.fits", redshift=1.5)  # an assumption
    clumps = ContrastDetector(min_uv_fraction=0).detect(image)
    assert np.hypot(clumps["x"].value - x, clumps["y"].value - y).min() < 2
    if name == "bigD_bar":  # the bar's centre is the galaxy's
        assert np.hypot(clumps["x"].value - 32, clumps["y"].value - 44.5).min() > 2.5
