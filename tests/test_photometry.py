"""What `ClumpPhotometry` does with settings, edges, masks, crowds and poor images."""

import pickle
import warnings

import astropy.units as u
import numpy as np
import pytest
from photometry_scenes import add_stars, field, fluxes, image, table

from astroclumps import ClumpPhotometry, MultiBandImage, bands, catalog, point_spread
from astroclumps.catalog import Flag
from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.photometry import correction
from astroclumps.testing import example_image

EDGE, OVERLAP, MASKED, NEGATIVE_FLUX, MISSING_BAND = (
    int(flag) for flag in (Flag.EDGE, Flag.OVERLAP, Flag.MASKED, Flag.NEGATIVE_FLUX, Flag.MISSING_BAND)
)


def masked_field(pixels, *, planes=(0, 1), **options):
    """A point source with masked pixels (y, x) that hold nonsense."""
    scene, clumps = field(**options)
    mask = np.zeros(scene.data.shape, dtype=bool)
    data = scene.data.copy()
    for band in planes:
        for pixel in pixels:
            mask[band][pixel] = True
            data[band][pixel] = 1e4
    return image(data, psf=scene.psf, mask=mask), clumps


# settings


def test_defaults_are_those_of_the_paper_and_of_the_methods():
    settings = ClumpPhotometry()
    assert (settings.radius, settings.background, settings.aperture_correction, settings.seed) == (3 * u.pix, "annulus", True, 0)


@pytest.mark.parametrize("radius", [3, 3.0, "3"])
def test_a_radius_without_unit_is_refused_and_units_are_named(radius):
    with pytest.raises(TypeError, match=r"3 \* u.pix or 0.18 \* u.arcsec, got"):
        ClumpPhotometry(radius=radius)


@pytest.mark.parametrize("radius", [0 * u.pix, -1 * u.pix, np.nan * u.pix, [3, 4] * u.pix, 3 * u.kpc])
def test_a_radius_that_makes_no_sense_is_refused(radius):
    with pytest.raises(ValueError, match="radius must be"):
        ClumpPhotometry(radius=radius)


def test_other_settings_are_checked():
    with pytest.raises(ValueError, match="background must be one of annulus, none, got 'ring'"):
        ClumpPhotometry(background="ring")
    with pytest.raises(TypeError, match="aperture_correction must be True or False"):
        ClumpPhotometry(aperture_correction="yes")
    for seed in (-1, 1.5, True):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            ClumpPhotometry(seed=seed)


def test_settings_survive_pickling_and_compare_equal():
    settings = ClumpPhotometry(radius=4 * u.pix)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings != ClumpPhotometry()


def test_an_angle_is_the_same_as_its_pixels():
    scene, clumps = field()
    in_pixels = ClumpPhotometry(radius=3 * u.pix).measure(scene, clumps)
    np.testing.assert_allclose(fluxes(ClumpPhotometry(radius=0.18 * u.arcsec).measure(scene, clumps)), fluxes(in_pixels), rtol=1e-9)
    np.testing.assert_allclose(fluxes(ClumpPhotometry(radius=180 * u.mas).measure(scene, clumps)), fluxes(in_pixels), rtol=1e-9)


# tables


def test_the_table_has_the_schema_and_the_input_is_left_alone():
    scene, clumps = field(x=(20.0, 40.0), y=(20.0, 40.0))
    clumps["remark"] = ["a", "b"]
    clumps.meta["history"] = ["found"]
    before = pickle.dumps((clumps.colnames, clumps["x"].value, clumps.meta))
    measured = ClumpPhotometry().measure(scene, clumps)
    catalog.validate(measured, "measured", who="test", bands=scene.bands)
    assert measured.colnames[:6] == ["id", "x", "y", "score", "n_pixels", "remark"]
    assert pickle.dumps((clumps.colnames, clumps["x"].value, clumps.meta)) == before
    assert measured.meta["history"][0] == "found"
    assert "ClumpPhotometry(radius=<Quantity 3. pix>" in measured.meta["history"][1]
    assert measured["flux_f160w"].info.description == "Flux density in F160W, background subtracted"


def test_no_clumps_in_no_clumps_out_with_all_columns():
    scene = example_image()  # its PSF is not known: nothing is measured, so nothing is said
    measured = ClumpPhotometry().measure(scene, catalog.make_table("detected"))
    catalog.validate(measured, "measured", who="test", bands=scene.bands)
    assert len(measured) == 0
    assert len(measured.meta["history"]) == 1


def test_flags_of_earlier_stages_are_kept():
    scene, clumps = field()
    clumps["flags"] = [int(Flag.STAMP_EDGE)]
    assert list(ClumpPhotometry().measure(scene, clumps)["flags"]) == [int(Flag.STAMP_EDGE)]
    clumps["x"] = [2.0] * u.pix
    assert ClumpPhotometry().measure(scene, clumps)["flags"][0] & int(Flag.STAMP_EDGE | Flag.EDGE) == int(Flag.STAMP_EDGE | Flag.EDGE)


def test_the_same_seed_gives_the_same_bytes():
    data = np.random.default_rng(3).normal(0, 1, (2, 96, 96))
    scene, clumps = image(data), table([30.0, 60.0], [30.0, 60.0])
    first, second = (ClumpPhotometry(seed=5).measure(scene, clumps) for _ in range(2))
    assert all(np.asarray(first[name]).tobytes() == np.asarray(second[name]).tobytes() for name in first.colnames)
    other = ClumpPhotometry(seed=6).measure(scene, clumps)
    assert np.all(fluxes(other) == fluxes(first))
    assert np.all(fluxes(other, "flux_err") != fluxes(first, "flux_err"))


def test_what_is_no_image_or_no_detection_is_refused():
    scene, clumps = field()
    with pytest.raises(TypeError, match="image must be a MultiBandImage, got ndarray"):
        ClumpPhotometry().measure(scene.data, clumps)
    del clumps["score"]
    with pytest.raises(CatalogError, match="ClumpPhotometry: column 'score'"):
        ClumpPhotometry().measure(scene, clumps)


# edge


def test_a_clump_near_the_edge_is_made_up_with_the_light_of_a_point_source():
    scene, clumps = field(x=(1.3, 62.2, 31.7), y=(30.2, 62.4, 5.2), level=0.1)
    measured = ClumpPhotometry().measure(scene, clumps)
    np.testing.assert_allclose(fluxes(measured), 1, rtol=0.01)
    assert list(measured["flags"]) == [EDGE] * 3


def test_less_than_half_an_aperture_is_not_measured():
    scene, _ = field()
    x = [-0.9, -0.3, 30.0, -50.0, 1e9]
    measured = ClumpPhotometry().measure(scene, table(x, [30.0, 50.0, 63.8, 30.0, 30.0]))
    assert list(np.isnan(fluxes(measured)[0])) == [True, False, True, True, True]
    assert list(np.isnan(fluxes(measured, "flux_err")[0])) == [True, False, True, True, True]
    assert list(measured["flags"] & (EDGE | MISSING_BAND)) == [EDGE | MISSING_BAND, EDGE, *[EDGE | MISSING_BAND] * 3]
    assert len(measured) == 5


def test_without_background_only_the_aperture_can_touch_the_edge():
    scene, clumps = field(x=(4.0,))
    assert list(ClumpPhotometry().measure(scene, clumps)["flags"]) == [EDGE]
    assert list(ClumpPhotometry(background="none").measure(scene, clumps)["flags"]) == [0]


# masks


def test_masked_pixels_are_left_out_and_made_up():
    scene, clumps = masked_field([(32, 33), (30, 32), (37, 32), (33, 34)], level=0.2)
    measured = ClumpPhotometry().measure(scene, clumps)
    np.testing.assert_allclose(fluxes(measured), 1, rtol=0.01)
    np.testing.assert_allclose(fluxes(measured, "background"), 0.2, rtol=0.05)
    assert list(measured["flags"]) == [MASKED]


def test_masked_pixels_are_made_up_without_aperture_correction_too():
    whole, _ = field()
    scene, clumps = masked_field([(32, 33), (34, 33)])
    settings = ClumpPhotometry(aperture_correction=False)
    np.testing.assert_allclose(fluxes(settings.measure(scene, clumps)), fluxes(settings.measure(whole, clumps)), rtol=0.01)


def test_a_fifth_of_the_aperture_masked_in_one_band_is_too_much():
    scene, clumps = masked_field([(30, 31), (30, 32), (30, 33), (31, 30), (31, 31), (31, 34)], planes=(1,))
    measured = ClumpPhotometry().measure(scene, clumps)
    assert np.isfinite(measured["flux_f606w"])
    assert np.isnan(measured["flux_f160w"])
    assert np.isnan(measured["flux_err_f160w"])
    assert list(measured["flags"]) == [MASKED | MISSING_BAND]


def test_a_masked_core_is_not_guessed_from_the_wings():
    core = [(32, 32), (32, 31), (32, 33), (31, 32), (33, 32)]  # 18% of the area, most of the light
    scene, clumps = masked_field(core, fwhm=(0.08, 0.17))
    measured = ClumpPhotometry().measure(scene, clumps)
    assert np.isnan(measured["flux_f606w"])
    assert list(measured["flags"]) == [MASKED | MISSING_BAND]


def test_a_band_masked_as_a_whole_is_missing():
    scene, clumps = field()
    mask = np.zeros(scene.data.shape, dtype=bool)
    mask[1] = True
    measured = ClumpPhotometry().measure(image(scene.data, mask=mask), clumps)
    assert measured["flux_f606w"].value == pytest.approx(1, abs=0.01)
    for name in ("flux", "flux_err", "background"):
        assert np.isnan(measured[f"{name}_f160w"])
    assert list(measured["flags"]) == [MISSING_BAND]


def test_an_image_without_a_good_pixel_gives_nan():
    scene, clumps = field()
    measured = ClumpPhotometry().measure(image(scene.data, mask=np.ones(scene.data.shape, dtype=bool)), clumps)
    assert np.isnan(fluxes(measured)).all()
    assert np.isnan(fluxes(measured, "flux_err")).all()
    assert list(measured["flags"]) == [MISSING_BAND]


def test_nan_and_infinite_pixels_count_as_masked():
    scene, clumps = field()
    data = scene.data.copy()
    data[0, 32, 30], data[1, 33, 33] = np.nan, np.inf
    measured = ClumpPhotometry().measure(image(data), clumps)
    np.testing.assert_allclose(fluxes(measured), 1, rtol=0.01)
    assert list(measured["flags"]) == [MASKED]


# crowds


def test_apertures_that_overlap_are_flagged_and_others_are_not():
    scene, clumps = field(x=(20.0, 25.9, 40.0, 46.1), y=(20.0, 20.0, 40.0, 40.0))
    assert list(ClumpPhotometry().measure(scene, clumps)["flags"]) == [OVERLAP, OVERLAP, 0, 0]
    assert list(ClumpPhotometry(radius=4 * u.pix).measure(scene, clumps)["flags"]) == [OVERLAP] * 4


def test_two_clumps_at_one_place_overlap():
    scene, clumps = field(x=(32.0, 32.0), y=(32.0, 32.0))
    assert list(ClumpPhotometry().measure(scene, clumps)["flags"]) == [OVERLAP, OVERLAP]


def test_neighbours_are_masked_in_the_ring():
    data = np.full((2, 64, 64), 0.3)
    data[:, 27:38, 36:41] += 100  # a bright neighbour on nearly half of the ring
    x, y = [32.0, *[38.0] * 11], [32.0, *range(27, 38)]
    measured = ClumpPhotometry(radius=1 * u.pix).measure(image(data), table(x, y))
    assert measured["background_f606w"][0].value == pytest.approx(0.3, rel=1e-6)


def test_a_crowded_ring_is_widened_until_it_holds_ten_pixels():
    rows, columns = np.mgrid[:64, :64]
    data = np.where(np.hypot(rows - 32, columns - 32) < 9.5, 5.0, 0.5)[None].repeat(2, axis=0)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = 32 + 5.5 * np.cos(angle), 32 + 5.5 * np.sin(angle)
    measured = ClumpPhotometry().measure(image(data), table([32.0, *x], [32.0, *y]))
    assert measured["background_f606w"][0].value == pytest.approx(0.5, rel=1e-6)


def test_without_any_background_pixel_the_flux_is_missing():
    rows, columns = np.mgrid[0:12:2, 0:12:2]
    measured = ClumpPhotometry().measure(image(np.ones((2, 12, 12))), table(columns.ravel(), rows.ravel()))
    assert np.isnan(fluxes(measured)).all()
    assert (measured["flags"] & MISSING_BAND).all()
    assert np.isfinite(fluxes(ClumpPhotometry(background="none").measure(image(np.ones((2, 12, 12))), table([6.0], [6.0])))).all()


# poor images


def test_negative_fluxes_are_flagged_and_kept():
    scene, clumps = field(flux=-1.0)
    measured = ClumpPhotometry().measure(scene, clumps)
    np.testing.assert_allclose(fluxes(measured), -1, rtol=0.01)
    assert list(measured["flags"]) == [NEGATIVE_FLUX]


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (7, 7)])
def test_tiny_images_are_measured_or_missing_without_failing(shape):
    scene = image(np.random.default_rng(0).normal(0, 1, (2, *shape)))
    for background in ("annulus", "none"):
        measured = ClumpPhotometry(background=background).measure(scene, table([shape[1] / 2], [shape[0] / 2]))
        catalog.validate(measured, "measured", who="test", bands=scene.bands)


def test_a_constant_image_has_no_flux_and_no_error():
    measured = ClumpPhotometry().measure(image(np.full((2, 64, 64), 2.0)), table([30.0], [30.0]))
    np.testing.assert_allclose(fluxes(measured), 0, atol=1e-5)
    np.testing.assert_allclose(fluxes(measured, "flux_err"), 0, atol=1e-5)


# the point-spread function


def test_an_unknown_psf_is_said_once_and_its_defaults_are_taken():
    scene = MultiBandImage(data=field()[0].data * u.uJy, bands=["F606W", "F160W"])
    with pytest.warns(AstroclumpsWarning, match=r"not known; .* \(F606W 0.08\", F160W 0.17\"\)") as caught:
        measured = ClumpPhotometry().measure(scene, table([32.0, 20.0], [32.0, 20.0]))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    native = MultiBandImage(data=scene.data * u.uJy, bands=scene.bands, psf=[0.08, 0.17] * u.arcsec)
    assert (fluxes(measured) == fluxes(ClumpPhotometry().measure(native, table([32.0, 20.0], [32.0, 20.0])))).all()
    assert "the bands' defaults" in measured.meta["history"][-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ClumpPhotometry(aperture_correction=False).measure(scene, table([32.0], [32.0]))


def test_an_aperture_far_too_small_for_the_psf_is_said():
    plane = add_stars(np.zeros((64, 64)), 1.2, [32.0], [32.0], 1.0)
    with pytest.warns(AstroclumpsWarning, match="Choose a larger radius"):
        measured = ClumpPhotometry().measure(image([plane, plane], psf=1.2 * u.arcsec), table([32.0], [32.0]))
    assert list(measured["flags"]) == [MISSING_BAND]


# real point-spread functions

PSF_FILES = {
    "F606W": ("psf_acs_goods-s_f606w_30mas_centered.fits", 0.03),
    "F775W": ("psf_acs_goods-s_f775w_30mas_centered.fits", 0.03),
    "F850LP": ("psf_acs_goods-s_f850l_30mas_centered.fits", 0.03),
    "F435W": ("psf_gs_old_acs_f435w_30mas_centered.fits", 0.03),
    "F105W": ("gn_all_5epoch_f105w_v0.1.fits", 0.06),
    "F125W": ("gn_all_5epoch_f125w_v0.1.fits", 0.06),
    "F160W": ("gn_all_5epoch_f160w_v0.1.fits", 0.06),
}


def real_psf(folder, band):
    """A measured PSF of unit sum, its pixels in arcsec, and its FWHM."""
    from astropy.io import fits

    name, scale = PSF_FILES[band]
    psf = fits.getdata(folder / "psf" / name).astype(float)
    psf /= psf.sum()
    return psf, scale, point_spread.fwhm(psf) * scale


def light_within(psf, centre, radius):
    from photutils.aperture import CircularAperture, aperture_photometry

    return aperture_photometry(psf, CircularAperture(centre, radius))["aperture_sum"][0]


def profile(bands, fwhm):
    """What stands for PSFs of a FWHM, on pixels of 0.06 arcsec."""
    scene = MultiBandImage(data=np.zeros((len(bands), 9, 9)) * u.uJy, bands=bands, psf=fwhm * u.arcsec, pixel_scale=0.06 * u.arcsec)
    return correction.psf_tables(scene, half=12)[:, ::5, ::5]


@pytest.mark.real_data
@pytest.mark.parametrize("band", PSF_FILES)
def test_a_fwhm_stands_for_the_light_that_a_real_psf_holds(band, real_data):
    psf, scale, fwhm = real_psf(real_data, band)
    centre = correction._centre(psf)[::-1]
    for width, at_018, at_030 in ((fwhm, 0.11, 0.07), (bands.get(band).psf_fwhm.value, 0.06, 0.04)):
        for radius, allowed in ((0.18, at_018), (0.30, at_030)):
            ours = light_within(profile([band], width)[0], (12, 12), radius / 0.06)
            assert ours == pytest.approx(light_within(psf, centre, radius / scale), rel=allowed), radius


@pytest.mark.real_data
@pytest.mark.parametrize("band", ["F606W", "F160W"])
@pytest.mark.parametrize("width", [0.25, 0.35])
def test_a_wide_fwhm_stands_for_a_real_psf_that_was_blurred(band, width, real_data):
    from scipy.ndimage import gaussian_filter

    psf, scale, _ = real_psf(real_data, band)
    y, x = np.rint(correction._centre(psf)).astype(int)
    core = psf[y - 30 : y + 31, x - 30 : x + 31]
    sigmas = np.linspace(0.04, 0.16, 7)
    widths = [point_spread.fwhm(gaussian_filter(core, sigma / scale)) * scale for sigma in sigmas]
    blurred = gaussian_filter(psf, np.interp(width, widths, sigmas) / scale)
    for radius in (0.18, 0.30):
        ours = light_within(profile([band], width)[0], (12, 12), radius / 0.06)
        assert ours == pytest.approx(light_within(blurred, correction._centre(blurred)[::-1], radius / scale), rel=0.08), radius


def test_bands_of_one_fwhm_count_as_matched_to_the_widest_native_psf():
    matched, alone = profile(["F606W", "F160W"], 0.3), profile(["F606W"], 0.3)
    np.testing.assert_array_equal(matched[0], matched[1])
    assert light_within(alone[0], (12, 12), 3) > 1.1 * light_within(matched[0], (12, 12), 3)
    own = profile(["F606W", "F160W"], np.array([0.1, 0.3]))
    assert light_within(own[0], (12, 12), 3) > light_within(own[1], (12, 12), 3)


@pytest.mark.parametrize("width", [0.1, 0.17, 0.1701, 0.2, 0.5])
def test_the_profile_has_the_fwhm_that_was_given(width):
    table_ = correction.psf_tables(
        MultiBandImage(data=np.zeros((1, 9, 9)) * u.uJy, bands=["F160W"], psf=width * u.arcsec, pixel_scale=0.02 * u.arcsec), half=40
    )[0]
    assert point_spread.fwhm(table_[::5, ::5]) * 0.02 == pytest.approx(width, rel=0.03)
