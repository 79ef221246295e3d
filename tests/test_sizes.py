"""Intrinsic sizes of clumps: `ClumpSizes` and what it is made of."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astroclumps import ClumpSizes, MultiBandImage, catalog
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.mock.psf import moffat
from astroclumps.photometry.convolved import GAUSSIAN_HALF, convolved_profile, transfer
from astroclumps.photometry.group_fit import correlated, polynomial
from astroclumps.photometry.size_noise import pixel_noise
from astroclumps.photometry.sizes import SIZE_COLUMNS

SIGMA_PSF = 1.2  # pixels; a Gaussian PSF makes every image a Gaussian


def gaussian(shape, x, y, sigma):
    """Gaussian of unit flux, integrated over pixels."""
    from scipy.special import erf

    rows, columns = np.arange(shape[0]), np.arange(shape[1])

    def share(axis, centre):
        edges = (np.stack([axis - 0.5, axis + 0.5]) - centre) / (np.sqrt(2) * sigma)
        return 0.5 * (erf(edges[1]) - erf(edges[0]))

    return np.outer(share(rows, y), share(columns, x))


def field(clumps, *, noise=1e-3, shape=(64, 64), slope=0.0, seed=1, redshift=None, bands=("F160W",), **options):
    """An image of Gaussian clumps (x, y, half-light radius in pixels, flux), and their table."""
    data = np.random.default_rng(seed).normal(0, noise, shape) + slope * (np.arange(shape[1]) - shape[1] / 2)
    for x, y, radius, flux in clumps:
        data += flux * gaussian(shape, x, y, np.hypot(SIGMA_PSF, radius / GAUSSIAN_HALF))
    psf = gaussian((31, 31), 15, 15, SIGMA_PSF)
    image = MultiBandImage(data=np.repeat(data[None], len(bands), axis=0) * u.uJy, bands=bands, psf=psf, redshift=redshift, **options)
    table = catalog.make_table("detected", len(clumps))
    for name, k in (("x", 0), ("y", 1)):
        table[name] = [clump[k] for clump in clumps] * u.pix
    return image, table


@pytest.mark.parametrize("radius", [1.0, 2.0, 4.0])
def test_the_size_behind_the_point_spread_function_is_found(radius):
    image, clumps = field([(31.3, 30.8, radius, 1.0)])
    clumps["x"] += 0.6 * u.pix  # detections are not exact
    sized = ClumpSizes().measure(image, clumps)[0]
    assert sized["size"].to_value(u.arcsec) == pytest.approx(0.06 * radius, abs=4 * sized["size_err"].to_value(u.arcsec))
    assert sized["size_err"] < 0.012 * u.arcsec
    assert sized["size_flux"].value == pytest.approx(1.0, abs=4 * sized["size_flux_err"].value)
    assert (sized["resolved"], sized["flags"]) == (1, 0)
    assert sized["size_limit"] > sized["size"]


def test_a_point_has_a_limit_and_no_size():
    image, clumps = field([(31.3, 30.8, 0.0, 0.3)])
    sized = ClumpSizes().measure(image, clumps)[0]
    assert sized["resolved"] == 0
    assert 0 < sized["size_limit"].to_value(u.arcsec) < 0.05


def test_the_limit_grows_as_the_light_falls():
    limits = [ClumpSizes().measure(*field([(31.3, 30.8, 0.0, flux)]))["size_limit"][0].value for flux in (0.05, 0.2, 1.0)]
    assert limits[0] > limits[1] > limits[2]


def test_neighbours_are_fitted_together():
    image, clumps = field([(28.0, 30.0, 1.5, 1.0), (33.0, 30.0, 0.0, 0.6)])
    sized = ClumpSizes().measure(image, clumps)
    assert abs(sized["size"][0].to_value(u.arcsec) - 0.09) < 4 * sized["size_err"][0].to_value(u.arcsec)
    assert sized["resolved"].tolist() == [1, 0]
    alone = ClumpSizes().measure(image, clumps[:1])[0]
    assert alone["size"] > 1.3 * sized["size"][0]  # the neighbour's light is taken for its own
    assert alone["size_chi2"] > 2 * sized["size_chi2"][0]


def test_groups_take_off_each_others_light():
    far = [(24.0, 30.0, 2.0, 1.0), (34.0, 30.0, 1.0, 1.0)]  # farther apart than the radius, with wings in each other's circle
    sized = ClumpSizes(radius=7 * u.pix).measure(*field(far))
    assert np.all(abs(sized["size"].to_value(u.arcsec) - [0.12, 0.06]) < 4 * sized["size_err"].to_value(u.arcsec))


def test_the_slope_of_the_galaxy_is_fitted():
    image, clumps = field([(31.3, 30.8, 2.0, 1.0)], slope=2e-3, noise=1e-4)
    sized, flat = (ClumpSizes(background=degree).measure(image, clumps)[0] for degree in (1, 0))
    assert sized["size"].to_value(u.arcsec) == pytest.approx(0.12, rel=0.03)
    assert not abs(flat["size"].to_value(u.arcsec) - 0.12) < 0.01


def test_many_clumps_scatter_as_their_errors_say():
    places = [(16.0 + 32 * i, 16.0 + 32 * j, 1.5, 0.25) for i in range(6) for j in range(6)]
    image, clumps = field(places, shape=(192, 192), noise=2.5e-3)
    sized = ClumpSizes().measure(image, clumps)
    pull = (sized["size"].to_value(u.arcsec) - 0.09) / sized["size_err"].to_value(u.arcsec)
    assert abs(np.median(pull)) < 0.6
    assert 0.45 < np.mean(abs(pull) < 1) < 0.9  # 68% of 36
    assert np.mean(sized["size_limit"] > 0.09 * u.arcsec) > 0.8


def test_correlated_noise_makes_errors_larger():
    from scipy.ndimage import gaussian_filter

    still, clumps = field([(31.3, 30.8, 2.0, 1.0)], noise=0.0)
    white = np.random.default_rng(1).normal(size=(64, 64))
    error, wider = (
        ClumpSizes().measure(
            MultiBandImage(data=still.data * u.uJy + 1e-3 * noise / noise.std() * u.uJy, bands=still.bands, psf=still.psf), clumps
        )["size_err"][0]
        for noise in (white, gaussian_filter(white, 1.0))
    )
    assert wider > 1.5 * error


def test_the_redshift_gives_kpc():
    image, clumps = field([(31.3, 30.8, 2.0, 1.0)], redshift=2.0)
    sized = ClumpSizes().measure(image, clumps)[0]
    assert (sized["size_kpc"] / sized["size"]).to_value(u.kpc / u.arcsec) == pytest.approx(8.37, rel=0.01)
    image, clumps = field([(31.3, 30.8, 2.0, 1.0)])
    assert np.isnan(ClumpSizes().measure(image, clumps)["size_kpc"][0])
    clumps["redshift"] = [2.0]
    assert ClumpSizes().measure(image, clumps)["size_kpc"][0] == sized["size_kpc"]


def test_a_sersic_profile_can_be_asked_for():
    image, clumps = field([(31.3, 30.8, 2.0, 1.0)])
    gauss = ClumpSizes().measure(image, clumps)
    same = ClumpSizes(profile="sersic", index=0.5).measure(image, clumps)
    other = ClumpSizes(profile="sersic").measure(image, clumps)
    assert same["size"] == gauss["size"]
    assert other["size_chi2"] > gauss["size_chi2"]


def test_failures_are_flagged_and_nan():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0), (-20.0, 5.0, 1.0, 1.0), (10.0, 50.0, 1.0, -0.2)])
    clumps["flags"] = [0, int(catalog.Flag.EDGE), 0]
    sized = ClumpSizes().measure(image, clumps)
    bits = [catalog.decode_flags(flag) for flag in sized["flags"]]
    assert bits[0] == ()
    assert bits[1] == ("EDGE", "SIZE_FAILED")
    assert bits[2] == ("SIZE_FAILED",)
    assert np.isnan(sized["size"][1:]).all()
    assert np.isnan(sized["size_limit"][1:]).all()
    assert sized["resolved"].tolist() == [1, 0, 0]


def test_masked_pixels_are_not_used():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0)])
    data, mask = image.data.copy(), np.zeros(image.data.shape, dtype=bool)
    data[0, 36:38, 30:36], mask[0, 36:38, 30:36] = 5.0, True
    spoiled = MultiBandImage(data=data * u.uJy, bands=image.bands, psf=image.psf, mask=mask)
    sized = ClumpSizes().measure(spoiled, clumps)[0]
    assert abs(sized["size"].to_value(u.arcsec) - 0.06) < 4 * sized["size_err"].to_value(u.arcsec)


def test_an_empty_table_stays_empty():
    image, _ = field([])
    sized = ClumpSizes().measure(image, catalog.make_table("detected", 0))
    assert len(sized) == 0
    assert {column.name for column in SIZE_COLUMNS} | {"flags"} <= set(sized.colnames)
    for column in SIZE_COLUMNS:
        assert getattr(sized[column.name], "unit", None) == column.unit


def test_the_input_is_left_alone_and_the_history_grows():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0)])
    before = clumps.colnames[:]
    sized = ClumpSizes().measure(image, clumps)
    assert clumps.colnames == before
    assert "ClumpSizes" in sized.meta["history"][-1]
    assert "F160W" in sized.meta["history"][-1]


def test_the_band_is_chosen():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0)], bands=("F435W", "F606W", "F160W"))
    assert "sizes in F606W" in ClumpSizes().measure(image, clumps).meta["history"][-1]
    assert "sizes in F435W" in ClumpSizes().measure(image.select(["F160W", "F435W"]), clumps).meta["history"][-1]
    assert "sizes in F160W" in ClumpSizes(band="f160w").measure(image, clumps).meta["history"][-1]
    with pytest.raises(ValueError, match="no band F125W"):
        ClumpSizes(band="F125W").measure(image, clumps)


def test_an_unknown_point_spread_function_is_told():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0)])
    with pytest.warns(AstroclumpsWarning, match="native width of F160W"):
        ClumpSizes().measure(MultiBandImage(data=image.data * u.uJy, bands=image.bands), clumps)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"profile": "moffat"}, ValueError, "'gaussian' or 'sersic'"),
        ({"index": 7}, ValueError, "0.5-4"),
        ({"radius": 8}, TypeError, "8 \\* u.pix"),
        ({"radius": 8 * u.kpc}, ValueError, "8 \\* u.pix"),
        ({"largest": -1 * u.arcsec}, ValueError, "positive"),
        ({"background": 4}, ValueError, "0 to 3"),
        ({"background": True}, ValueError, "0 to 3"),
        ({"significance": 0}, ValueError, "positive"),
        ({"band": "nonsense"}, ValueError, "nonsense"),
    ],
)
def test_wrong_settings_are_told(options, error, words):
    with pytest.raises(error, match=words):
        ClumpSizes(**options)


def test_radius_as_an_angle_is_the_same():
    image, clumps = field([(31.3, 30.8, 1.0, 1.0)])
    one, two = (ClumpSizes(radius=radius).measure(image, clumps)["size"][0] for radius in (8 * u.pix, 0.48 * u.arcsec))
    assert one.to_value(u.arcsec) == pytest.approx(two.to_value(u.arcsec), rel=1e-6)


def test_convolved_gaussians_are_gaussians():
    image, _ = field([])
    profile = convolved_profile(image, "F160W", half=16, largest=6.0)
    rows, columns = np.mgrid[:33, :33] - 16.0
    for radius in (0.0, 1.3, 5.0):
        light, _ = profile.image((columns - 0.3).ravel(), (rows + 0.2).ravel(), radius**2)
        exact = gaussian((33, 33), 16.3, 15.8, np.hypot(SIGMA_PSF, radius / GAUSSIAN_HALF)).ravel()
        assert abs(light - exact).max() < 0.01 * exact.max()


def test_derivatives_are_those_of_the_image():
    image, _ = field([])
    profile = convolved_profile(image, "F160W", half=16, largest=6.0)
    dx, dy = np.array([0.3, 2.1, -4.0]), np.array([0.0, -1.2, 3.0])
    for square in (-0.3, 0.02, 1.7, 9.0):
        _, (by_x, by_y, by_square) = profile.image(dx, dy, square)
        step = 1e-3
        for found, high, low in (
            (by_x, (dx - step, dy, square), (dx + step, dy, square)),
            (by_y, (dx, dy - step, square), (dx, dy + step, square)),
            (by_square, (dx, dy, square + step), (dx, dy, square - step)),
        ):
            exact = (profile.image(*high)[0] - profile.image(*low)[0]) / (2 * step)
            np.testing.assert_allclose(found, exact, atol=2e-4)


def test_the_transform_of_a_profile_holds_half_its_light_within_the_radius():
    k = np.linspace(0, 60, 60001)
    from scipy.special import j1

    for index in (0.5, 1.0, 2.0):
        inside = np.trapezoid(2 * np.pi * 0.5 * transfer(k, 0.5, index) * j1(2 * np.pi * k * 0.5), k)
        assert inside == pytest.approx(0.5, abs=0.01)


def test_correlation_of_pixels_is_that_of_the_matrix():
    rows, columns = np.array([0, 0, 1, 3]), np.array([0, 1, 1, 2])
    values = np.arange(8.0).reshape(4, 2)
    distance2 = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    np.testing.assert_allclose(correlated(rows, columns, values, 0.5), 0.5**distance2 @ values, rtol=1e-3)
    assert correlated(rows, columns, values, 0.0).tolist() == values.tolist()


def test_polynomials_have_all_terms():
    assert [polynomial(np.zeros(1), np.zeros(1), degree).shape[1] for degree in range(4)] == [1, 3, 6, 10]


def test_noise_follows_the_uncertainty_and_the_sky():
    noise = np.random.default_rng(2).normal(0, 1e-3, (1, 64, 64))
    sigma = np.full(noise.shape, 2e-3)
    sigma[:, :, 32:] = 4e-3
    noise[:, :, 32:] *= 2
    image = MultiBandImage(data=noise * u.uJy, bands=["F160W"], uncertainty=StdDevUncertainty(sigma, unit=u.uJy))
    found, correlation = pixel_noise(image, 0)
    assert found[0, 63] == pytest.approx(2 * found[0, 0])
    assert correlation < 0.1
    too_noisy = MultiBandImage(data=20 * noise * u.uJy, bands=["F160W"], uncertainty=StdDevUncertainty(sigma, unit=u.uJy))
    assert pixel_noise(too_noisy, 0)[0][0, 0] == pytest.approx(2e-3)


@pytest.mark.real_data
def test_a_real_star_image_is_a_point(real_data):
    from astropy.io import fits

    psf = fits.getdata(real_data / "psf" / "F160W_rebin.fits").astype(float)
    psf = psf / psf.sum()
    data = np.random.default_rng(1).normal(0, 1e-4, psf.shape) + 0.5 * psf
    image = MultiBandImage(data=data[None] * u.uJy, bands=["F160W"], psf=psf)
    clumps = catalog.make_table("detected", 1)
    row, column = np.unravel_index(np.argmax(psf), psf.shape)
    clumps["x"], clumps["y"] = [float(column)] * u.pix, [float(row)] * u.pix
    sized = ClumpSizes().measure(image, clumps)[0]
    assert sized["resolved"] == 0
    assert sized["size_limit"] < 0.05 * u.arcsec


def test_moffat_images_give_their_size():
    psf = moffat(0.17, size=41, pixel_scale=0.06)
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(np.pad(psf, 12), 2.0)
    data = np.random.default_rng(1).normal(0, 1e-4, blurred.shape) + blurred
    clumps = catalog.make_table("detected", 1)
    clumps["x"] = clumps["y"] = [32.0] * u.pix
    sized = ClumpSizes().measure(MultiBandImage(data=data[None] * u.uJy, bands=["F160W"], psf=psf), clumps)[0]
    assert sized["size"].to_value(u.arcsec) == pytest.approx(2.0 * GAUSSIAN_HALF * 0.06, rel=0.02)
