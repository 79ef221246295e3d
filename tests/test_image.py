import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS

from astroclumps import MultiBandImage, bands
from astroclumps.point_spread import fwhm

RATE = u.electron / u.s
BANDS = ["F606W", "F160W"]


def make_wcs(scale=0.06, crpix=(3.0, 4.0), shift=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1 + shift, -27.8]
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = np.array([[-0.8, 0.6], [0.6, 0.8]]) * scale / 3600
    wcs.wcs.set()
    return wcs


def make_image(rng=1, shape=(2, 8, 10), **options):
    data = np.random.default_rng(rng).normal(1, 0.1, shape)
    return MultiBandImage(data=data * u.uJy, bands=BANDS, **options)


def gaussian(sigma, size=21):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.exp(-0.5 * (x**2 + y**2) / sigma**2)


@pytest.mark.parametrize(("unit", "factor"), [(u.uJy, 1.0), (u.nJy, 1e-3), (u.mJy, 1e3), (10 * u.nJy, 0.01)])
def test_flux_densities_become_ujy(unit, factor):
    image = MultiBandImage(data=np.full((2, 3, 3), 2.0) * unit, bands=BANDS)
    assert image.unit == u.uJy
    assert image.data.dtype == np.float32
    np.testing.assert_allclose(image.data, 2 * factor, rtol=1e-6)


@pytest.mark.parametrize("unit", [RATE, u.ct / u.s])
def test_count_rates_use_the_bands_zeropoints(unit):
    image = MultiBandImage(data=np.ones((2, 3, 3)) * unit, bands=BANDS)
    np.testing.assert_allclose(image.data[:, 0, 0], 10 ** (-0.4 * (np.array([26.505, 25.946]) - 23.9)), rtol=1e-6)


@pytest.mark.parametrize(
    "zeropoint", [[23.9, 21.4], np.array([23.9, 21.4]) * u.mag, [23.9, 21.4] * u.ABmag, {"f160w": 21.4, "F606W": 23.9}]
)
def test_zeropoints_given(zeropoint):
    # 2.5 mag below 23.9 is ten times the flux
    image = MultiBandImage(data=np.ones((2, 3, 3)) * u.one, bands=BANDS, zeropoint=zeropoint)
    np.testing.assert_allclose(image.data[:, 0, 0], [1, 10], rtol=1e-6)


def test_surface_brightness_is_multiplied_by_the_pixels_area():
    image = MultiBandImage(data=np.ones((2, 3, 3)) * u.uJy / u.arcsec**2, bands=BANDS, pixel_scale=0.1 * u.arcsec)
    np.testing.assert_allclose(image.data, 0.01, rtol=1e-6)
    with pytest.raises(ValueError, match="needs pixel_scale or wcs"):
        MultiBandImage(data=np.ones((2, 3, 3)) * u.MJy / u.sr, bands=BANDS)


@pytest.mark.parametrize(
    ("zeropoint", "match"),
    [
        ([25.0], "2 bands"),
        ([25.0, 25.0, 25.0], "2 bands"),
        (25.0, "2 bands"),
        ([25.0, np.nan], "finite"),
        ({"F606W": 25.0}, "lacks the bands F160W"),
    ],
)
def test_wrong_zeropoints_are_errors(zeropoint, match):
    with pytest.raises(ValueError, match=match):
        MultiBandImage(data=np.ones((2, 3, 3)) * RATE, bands=BANDS, zeropoint=zeropoint)


def test_nircam_count_rates_need_zeropoints():
    with pytest.raises(ValueError, match="no default zeropoint for F115W"):
        MultiBandImage(data=np.ones((1, 3, 3)) * RATE, bands=["F115W"])


def test_zeropoint_beside_a_flux_unit_is_an_error():
    with pytest.raises(ValueError, match="leave zeropoint out"):
        MultiBandImage(data=np.ones((2, 3, 3)) * u.uJy, bands=BANDS, zeropoint=[25, 25])


@pytest.mark.parametrize("unit", [u.m, u.ABmag, u.electron, u.erg / u.s])
def test_other_units_are_errors(unit):
    with pytest.raises(ValueError, match="must be a flux density"):
        MultiBandImage(data=u.Quantity(np.ones((2, 3, 3)), unit, subok=True), bands=BANDS)


def test_bare_arrays_are_refused():
    with pytest.raises(TypeError, match=r"Quantity such as array \* u.uJy"):
        MultiBandImage(data=np.ones((2, 3, 3)), bands=BANDS)
    with pytest.raises(ValueError, match="zeropoint"):
        MultiBandImage(data=np.ones((2, 3, 3)) * u.one, bands=BANDS)


@pytest.mark.parametrize("shape", [(3, 3), (1, 2, 3, 3), (2, 0, 3)])
def test_wrong_dimensions_are_errors(shape):
    with pytest.raises(ValueError, match="data must"):
        MultiBandImage(data=np.ones(shape) * u.uJy, bands=BANDS)


@pytest.mark.parametrize(
    ("names", "match"),
    [(["F606W"], "2 planes but 1 bands"), (["F606W", "f606w"], "more than once: F606W"), (["F606W", "F999W"], "unknown band 'F999W'")],
)
def test_wrong_bands_are_errors(names, match):
    with pytest.raises(ValueError, match=match):
        MultiBandImage(data=np.ones((2, 3, 3)) * u.uJy, bands=names)


def test_pixels_that_are_not_finite_are_masked_and_zero():
    data = np.ones((2, 4, 4))
    data[0, 1, 2], data[1, 0, 0], data[1, 3, 3] = np.nan, np.inf, 1e300
    image = MultiBandImage(data=data * u.uJy, bands=BANDS)
    assert image.mask.sum() == 3
    assert image.mask[0, 1, 2]
    assert (image.data[image.mask] == 0).all()
    assert np.isnan(data[0, 1, 2])  # the input is untouched


def test_mask_in_the_plane_holds_for_all_bands():
    mask = np.zeros((4, 4), dtype=bool)
    mask[1, 1] = True
    image = MultiBandImage(data=np.ones((2, 4, 4)) * u.uJy, bands=BANDS, mask=mask)
    assert image.mask.shape == (2, 4, 4)
    assert image.mask.sum() == 2


@pytest.mark.parametrize(("mask", "error"), [(np.zeros((4, 5), bool), ValueError), (np.zeros((4, 4)), TypeError)])
def test_wrong_masks_are_errors(mask, error):
    with pytest.raises(error, match="mask"):
        MultiBandImage(data=np.ones((2, 4, 4)) * u.uJy, bands=BANDS, mask=mask)


@pytest.mark.parametrize("kind", [StdDevUncertainty, VarianceUncertainty, InverseVariance, None])
def test_uncertainty_becomes_standard_deviation_in_ujy(kind):
    sigma = np.full((2, 3, 3), 2.0)
    power = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2, None: 1}[kind]
    uncertainty = sigma * RATE if kind is None else kind(sigma**power)
    image = MultiBandImage(data=np.ones((2, 3, 3)) * RATE, bands=BANDS, uncertainty=uncertainty)
    assert isinstance(image.uncertainty, StdDevUncertainty)
    assert image.uncertainty.unit == u.uJy
    np.testing.assert_allclose(image.uncertainty.array, 2 * image.data, rtol=1e-6)


def test_uncertainty_in_another_flux_unit():
    image = MultiBandImage(data=np.ones((2, 3, 3)) * RATE, bands=BANDS, uncertainty=np.full((2, 3, 3), 5.0) * u.nJy)
    np.testing.assert_allclose(image.uncertainty.array, 0.005, rtol=1e-6)


def test_useless_uncertainties_mask_the_pixel():
    sigma = np.ones((2, 3, 3))
    sigma[0, 0] = [0.0, np.inf, np.nan]
    sigma[1, 1, 1] = -1
    image = MultiBandImage(data=np.ones((2, 3, 3)) * u.uJy, bands=BANDS, uncertainty=sigma * u.uJy)
    assert image.mask.sum() == 4
    assert np.isinf(image.uncertainty.array[image.mask]).all()


@pytest.mark.parametrize(
    ("uncertainty", "error", "match"),
    [
        (np.ones((2, 3, 3)), TypeError, "Quantity"),
        (np.ones((2, 3)) * u.uJy, ValueError, "shape"),
        (np.ones((2, 3, 3)) * u.m, ValueError, "unit"),
    ],
)
def test_wrong_uncertainties_are_errors(uncertainty, error, match):
    with pytest.raises(error, match=match):
        MultiBandImage(data=np.ones((2, 3, 3)) * u.uJy, bands=BANDS, uncertainty=uncertainty)


def test_pixel_scale_default_wcs_and_given():
    # section 3.2.1: 0.06" pixels
    assert make_image().pixel_scale == 0.06 * u.arcsec
    assert abs(make_image(wcs=make_wcs(0.03)).pixel_scale - 0.03 * u.arcsec) < 1e-9 * u.arcsec
    assert make_image(pixel_scale=30 * u.mas).pixel_scale == 0.03 * u.arcsec


@pytest.mark.parametrize(
    ("scale", "error", "match"),
    [
        (0.06, TypeError, "angle"),
        (0.06 * u.m, TypeError, "angle"),
        (-0.06 * u.arcsec, ValueError, "positive"),
        (np.nan * u.arcsec, ValueError, "positive"),
        ([0.06, 0.06] * u.arcsec, ValueError, "one positive angle"),
    ],
)
def test_wrong_pixel_scales_are_errors(scale, error, match):
    with pytest.raises(error, match=match):
        make_image(pixel_scale=scale)


def test_pixel_scale_that_contradicts_the_wcs_is_an_error():
    with pytest.raises(ValueError, match="contradicts the WCS"):
        make_image(wcs=make_wcs(0.03), pixel_scale=0.06 * u.arcsec)


def test_wcs_without_sky_is_an_error():
    with pytest.raises(ValueError, match="celestial"):
        make_image(wcs=WCS(naxis=2))


def test_sky_positions_are_icrs_or_none():
    image = make_image(wcs=make_wcs())
    sky = image.sky([2.0, 5.0], [3.0, 3.0])
    assert sky.frame.name == "icrs"
    assert abs(sky[0].ra.deg - 53.1) < 1e-9  # crpix (3, 4) is pixel (2, 3)
    assert image.sky(2 * u.pix, 3 * u.pix).separation(sky[0]) < 1e-9 * u.arcsec
    assert make_image().sky(1, 1) is None


def test_band_and_select():
    image = make_image(psf=np.stack([gaussian(1), gaussian(2)]), mask=np.eye(8, 10, dtype=bool), redshift=2)
    np.testing.assert_array_equal(image.band("hst/acs_f606w"), image.data[0])
    turned = image.select(["F160W", "F606W"])
    assert turned.bands == ("F160W", "F606W")
    np.testing.assert_array_equal(turned.data, image.data[::-1])
    np.testing.assert_array_equal(turned.psf, image.psf[::-1])
    np.testing.assert_array_equal(turned.mask, image.mask)
    assert turned.redshift == 2.0


def test_missing_band_names_what_is_there():
    with pytest.raises(ValueError, match="no band F435W; the image has bands F606W, F160W"):
        make_image().select(["F435W"])
    with pytest.raises(ValueError, match="at least one band"):
        make_image().select([])


def test_cutout_keeps_sky_and_states_its_corner():
    image = make_image(wcs=make_wcs(), uncertainty=np.ones((2, 8, 10)) * u.uJy, redshift=1.5, name="a")
    part = image.cutout(5, 4, (4, 6))
    assert part.data.shape == (2, 4, 6)
    np.testing.assert_array_equal(part.data, image.data[:, 2:6, 2:8])
    assert part.sky(0, 0).separation(image.sky(2, 2)) < 1e-6 * u.arcsec
    assert (part.meta["x0"], part.meta["y0"], part.name, part.redshift) == (2, 2, "a", 1.5)
    again = part.cutout(1, 1, 2)
    assert (again.meta["x0"], again.meta["y0"]) == (2, 2)
    assert part.cutout(4, 2, 3).meta["x0"] == 5


def test_cutout_is_a_copy():
    image = make_image()
    part = image.cutout(4, 4, 4)
    part.data[:] = -1
    assert (image.data > 0).all()


@pytest.mark.parametrize(("x", "y", "size"), [(0, 4, 4), (4, 7, 4), (4, 4, 100)])
def test_cutout_outside_is_an_error(x, y, size):
    with pytest.raises(ValueError, match="does not lie inside the image of 10 x 8 pixels"):
        make_image().cutout(x, y, size)


@pytest.mark.parametrize("size", [0, -2, 2.5, (1, 2, 3), "4"])
def test_cutout_size_must_be_whole_and_positive(size):
    with pytest.raises(ValueError, match="size must be"):
        make_image().cutout(4, 4, size)


def test_cutout_centre_must_be_finite():
    with pytest.raises(ValueError, match="finite"):
        make_image().cutout(np.nan, 4, 4)


def test_psf_array_is_normalised_and_measured():
    image = make_image(psf=5 * np.stack([gaussian(1.2), gaussian(2.0)]))
    np.testing.assert_allclose(image.psf.sum(axis=(1, 2)), 1)
    assert image.psf_known
    # FWHM = 2.3548 sigma, in pixels of 0.06"
    np.testing.assert_allclose(image.psf_fwhm.to_value(u.arcsec), np.array([1.2, 2.0]) * 2.3548 * 0.06, rtol=0.02)


def test_psf_plane_serves_all_bands():
    assert make_image(psf=gaussian(1)).psf.shape == (2, 21, 21)


@pytest.mark.parametrize("size", [20, 21])
def test_fwhm_of_even_and_odd_kernels(size):
    assert abs(fwhm(gaussian(1.1, size)) / (2.3548 * 1.1) - 1) < 0.03


@pytest.mark.parametrize("psf", [0.15 * u.arcsec, [0.15, 0.15] * u.arcsec, 150 * u.mas])
def test_psf_width(psf):
    image = make_image(psf=psf)
    assert image.psf is None
    assert image.psf_known
    np.testing.assert_allclose(image.psf_fwhm.to_value(u.arcsec), 0.15)


def test_psf_unknown_falls_back_on_the_bands():
    image = make_image()
    assert not image.psf_known
    np.testing.assert_allclose(image.psf_fwhm.to_value(u.arcsec), [bands.get(band).psf_fwhm.value for band in BANDS])


@pytest.mark.parametrize(
    "psf",
    [np.ones((3, 5, 5)), np.ones(5), np.zeros((5, 5)), np.full((5, 5), np.nan), 0.1 * u.m, -0.1 * u.arcsec, [0.1, 0.1, 0.1] * u.arcsec],
    ids=range(7),
)
def test_wrong_psfs_are_errors(psf):
    with pytest.raises(ValueError, match="psf"):
        make_image(psf=psf)


@pytest.mark.parametrize("redshift", [-0.1, np.nan, np.inf])
def test_wrong_redshifts_are_errors(redshift):
    with pytest.raises(ValueError, match="redshift"):
        make_image(redshift=redshift)


def test_sky_rms_is_that_of_the_noise():
    noise = np.random.default_rng(3).normal(0, [[[0.1]], [[0.4]]], (2, 64, 64))
    image = MultiBandImage(data=noise * u.uJy, bands=BANDS)
    np.testing.assert_allclose(image.sky_rms, [0.1, 0.4], rtol=0.1)
    assert image.sky_rms is image.sky_rms


def test_image_pickles():
    image = make_image(wcs=make_wcs(), uncertainty=np.ones((2, 8, 10)) * u.uJy, psf=gaussian(1), redshift=1.5, meta={"a": 1})
    copy = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(copy.data, image.data)
    np.testing.assert_array_equal(copy.uncertainty.array, image.uncertainty.array)
    np.testing.assert_array_equal(copy.mask, image.mask)
    assert (copy.bands, copy.redshift, copy.meta, copy.pixel_scale) == (image.bands, image.redshift, image.meta, image.pixel_scale)
    assert copy.sky(4, 4).separation(image.sky(4, 4)) < 1e-6 * u.arcsec


def test_repr_says_what_it_is():
    assert repr(make_image(redshift=1.5)) == "<MultiBandImage 'image': F606W, F160W, 10 x 8 pixels of 0.06 arcsec, redshift 1.5>"
