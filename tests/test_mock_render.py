"""Drawing of mock galaxies: flux, positions, shapes, point-spread functions, noise."""

import numpy as np
import pytest

from astroclumps.mock import profiles
from astroclumps.mock.psf import moffat, transfer_function
from astroclumps.mock.render import FineGrid
from astroclumps.mock.sky import CANDELS_CORRELATION, CANDELS_RMS, XDF_CORRELATION, XDF_RMS, SkyModel

SCALE = 0.06


def draw(*, x, y, sigma=0.0, axis_ratio=1.0, angle=0.0, fwhm=0.12, flux=1.0, shape=(40, 40)):
    """Image (y, x) of one Gaussian blob."""
    fine = FineGrid(shape, SCALE)
    blob = fine.blobs(x=[x], y=[y], sigma=[sigma], axis_ratio=[axis_ratio], angle=[angle], flux=[[flux]])
    return fine.image(np.zeros((0, *fine.full)), np.zeros((0, 1)), transfer=fine.psf_transfer([fwhm]), transform=blob)[0]


def moments(image, x0, y0, radius=12):
    """Centre and second moments inside a circle."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image * (np.hypot(x - x0, y - y0) <= radius)
    weight = weight / weight.sum()
    cx, cy = (weight * x).sum(), (weight * y).sum()
    return cx, cy, (weight * (x - cx) ** 2).sum(), (weight * (y - cy) ** 2).sum(), (weight * (x - cx) * (y - cy)).sum()


# point-spread functions


@pytest.mark.parametrize("fwhm", [0.09, 0.16, 0.30])
def test_the_psf_has_its_width_and_unit_sum(fwhm):
    fine = 0.01
    psf = moffat(fwhm, size=201, pixel_scale=fine)
    assert psf.sum() == pytest.approx(1)
    row = psf[100]
    assert row.argmax() == 100
    right = np.interp(0.5 * row.max(), row[100:][::-1], np.arange(101)[::-1])
    assert 2 * right * fine == pytest.approx(fwhm, rel=0.03)


def test_the_psf_is_symmetric_and_centred():
    for size in (20, 21):
        psf = moffat(0.15, size=size, pixel_scale=SCALE)
        np.testing.assert_allclose(psf, psf.T)
        np.testing.assert_allclose(psf, psf[::-1, ::-1])


@pytest.mark.parametrize("bad", [{"fwhm": 0}, {"fwhm": -1}, {"pixel_scale": 0}, {"beta": 1}, {"fwhm": float("nan")}])
def test_a_psf_of_no_width_is_told(bad):
    with pytest.raises(ValueError, match="must be positive and beta above 1"):
        moffat(**{"fwhm": 0.1, "pixel_scale": SCALE, "size": 11, **bad})


def test_convolving_a_point_gives_the_psf():
    from scipy.fft import irfft2, rfft2

    psf = moffat(0.15, size=21, pixel_scale=SCALE)
    point = np.zeros((40, 50))
    point[17, 30] = 2.0
    image = irfft2(rfft2(point) * transfer_function(psf, point.shape), s=point.shape)
    np.testing.assert_allclose(image[7:28, 20:41], 2 * psf, atol=1e-6)


def test_a_psf_without_a_middle_pixel_is_told():
    with pytest.raises(ValueError, match=r"odd number of pixels .* \(4, 5\)"):
        transfer_function(np.ones((4, 5)), (32, 32))


def test_the_width_in_the_image_is_the_psf_with_the_pixel():
    # two points a pixel, each integrated over its half, make the PSF integrated over the whole pixel
    image = draw(x=20, y=20, fwhm=0.15, shape=(41, 41))
    expected = moffat(0.15, size=41, pixel_scale=SCALE)
    np.testing.assert_allclose(image[15:26, 15:26], expected[15:26, 15:26], atol=0.02 * expected.max())


# blobs


@pytest.mark.parametrize(("x", "y"), [(20, 20), (19.5, 19.5), (17.27, 22.81), (23.4, 18.0)])
@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_a_blob_lies_where_it_is_put(x, y, sigma):
    # the sub-pixel phase must not matter: centroids of a narrow, well-contained blob
    cx, cy, *_ = moments(draw(x=x, y=y, sigma=sigma, fwhm=0.12), x, y)
    assert (cx, cy) == (pytest.approx(x, abs=0.01), pytest.approx(y, abs=0.01))


def test_the_first_pixel_is_the_origin():
    image = draw(x=0, y=0)
    assert np.unravel_index(image.argmax(), image.shape) == (0, 0)
    np.testing.assert_allclose(image[1, 0], image[0, 1], rtol=1e-4)
    edge = draw(x=-0.5, y=3)  # the border of the image: half of the light is inside
    assert edge.sum() == pytest.approx(0.5, abs=0.01)


def test_the_flux_of_a_blob_is_conserved():
    assert draw(x=20.3, y=19.1, sigma=0.05, flux=7.0).sum() == pytest.approx(7.0, rel=2e-3)
    assert draw(x=20, y=20, fwhm=0.08).min() > -1e-5


def test_position_angle_runs_from_x_towards_y():
    _, _, xx, yy, xy = moments(draw(x=20, y=20, sigma=0.2, axis_ratio=0.4, angle=np.pi / 4), 20, 20)
    assert xx == pytest.approx(yy, rel=1e-3)
    assert xy > 0.5 * xx
    _, _, xx, yy, xy = moments(draw(x=20, y=20, sigma=0.2, axis_ratio=0.4, angle=0.0), 20, 20)
    assert xx > 2 * yy
    assert abs(xy) < 1e-3


def test_sigma_is_in_arcsec_along_the_major_axis():
    narrow, wide = (moments(draw(x=20, y=20, sigma=s, axis_ratio=0.5, angle=0.0), 20, 20, radius=18) for s in (0.0, 0.15))
    assert np.sqrt(wide[2] - narrow[2]) * SCALE == pytest.approx(0.15, rel=0.03)
    assert np.sqrt(wide[3] - narrow[3]) * SCALE == pytest.approx(0.075, rel=0.03)


def test_blobs_add_and_each_band_has_its_flux():
    fine = FineGrid((30, 30), SCALE)
    shape = {"axis_ratio": [1.0, 0.5], "angle": [0.0, 1.0], "sigma": [0.03, 0.05]}
    both = fine.blobs(x=[10, 20], y=[12, 18], flux=[[1, 5], [3, 7]], **shape)
    image = fine.image(np.zeros((0, *fine.full)), np.zeros((0, 2)), transfer=fine.psf_transfer([0.1, 0.16]), transform=both)
    np.testing.assert_allclose(image.sum(axis=(1, 2)), [4, 12], rtol=5e-3)
    assert image[1, 18, 20] / image[1, 12, 10] > 1


def test_no_blobs_are_nothing():
    fine = FineGrid((20, 20), SCALE)
    none = fine.blobs(x=[], y=[], sigma=[], axis_ratio=[], angle=[], flux=np.zeros((0, 3)))
    assert none.shape[0] == 3
    assert not none.any()


# smooth profiles


def grid(n=160):
    y, x = np.mgrid[:n, :n].astype(float)
    return x, y


@pytest.mark.parametrize("n", [0.5, 1.0, 2.5, 4.0])
def test_half_of_a_sersic_profile_lies_inside_its_half_light_radius(n):
    x, y = grid(400)
    profile = profiles.sersic_map((x, y), x0=199.5, y0=199.5, r_eff=12.0, n=n, axis_ratio=1.0, angle=0.0)
    assert profile.sum() == pytest.approx(1, rel=1e-4)
    inside = profile[np.hypot(x - 199.5, y - 199.5) <= 12.0].sum()
    assert inside == pytest.approx(0.5, abs=0.03)  # of n = 4 some light lies beyond the grid


def test_a_sersic_profile_has_its_centre_axis_ratio_and_angle():
    profile = profiles.sersic_map(grid(), x0=80.3, y0=78.6, r_eff=8.0, n=1.0, axis_ratio=0.5, angle=np.pi / 2)
    cx, cy, xx, yy, xy = moments(profile, 80.3, 78.6, radius=70)
    assert (cx, cy) == (pytest.approx(80.3, abs=0.05), pytest.approx(78.6, abs=0.05))
    assert np.sqrt(xx / yy) == pytest.approx(0.5, abs=0.02)
    assert abs(xy) < 0.01 * yy


def test_smooth_maps_keep_their_flux_through_psf_and_pixels():
    fine = FineGrid((48, 48), SCALE)
    centre = float(fine.to_fine(23.5))
    disc = profiles.sersic_map(fine.xy, x0=centre, y0=centre, r_eff=fine.length(0.15), n=1.0, axis_ratio=0.7, angle=0.3)
    image = fine.image(disc[None], [[2.0, 9.0]], transfer=fine.psf_transfer([0.09, 0.17]))
    np.testing.assert_allclose(image.sum(axis=(1, 2)), [2, 9], rtol=0.01)
    cx, cy, *_ = moments(image[0], 23.5, 23.5)
    assert (cx, cy) == (pytest.approx(23.5, abs=0.01), pytest.approx(23.5, abs=0.01))
    assert image.dtype == np.float32


def test_deprojection_makes_an_inclined_circle_round():
    t = np.linspace(0, 2 * np.pi, 20)
    x, y = 5 + 3 * np.cos(t), 7 + 3 * 0.4 * np.sin(t)
    major, minor = profiles.deproject(x, y, x0=5, y0=7, axis_ratio=0.4, angle=0.0)
    np.testing.assert_allclose(np.hypot(major, minor), 3)


def test_arms_of_no_amplitude_change_nothing_and_others_stay_around_one():
    options = {"x0": 80, "y0": 80, "axis_ratio": 0.8, "angle": 0.3, "scale": 20, "arms": 2, "pitch": 0.3, "phase": 0.0, "sharpness": 2.0}
    assert np.all(profiles.spiral_modulation(grid(), amplitude=0.0, **options) == 1)
    arms = profiles.spiral_modulation(grid(), amplitude=0.9, **options)
    assert 0 <= arms.min() < 0.3
    assert 1.5 < arms.max() < 4
    assert arms[80, 80] == pytest.approx(1, abs=1e-3)  # they fade towards the centre


def test_texture_is_positive_of_mean_one_and_seeded():
    first, second = (profiles.texture((128, 128), length=2.0, sigma=0.4, rng=np.random.default_rng(3)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.min() > 0
    assert first.mean() == pytest.approx(1, abs=0.05)
    assert np.log(first).std() == pytest.approx(0.4, rel=1e-3)


# noise


@pytest.mark.parametrize("correlation", [0.0, 0.15, 0.54, 0.8, 0.93])
def test_sky_has_its_rms_and_correlation(correlation):
    sky = SkyModel(rms=(1e-3, 2.0), correlation=(correlation, correlation))
    noise = np.stack([sky.sample((96, 80), rng=np.random.default_rng(seed)) for seed in range(12)])
    np.testing.assert_allclose(noise.std(axis=(0, 2, 3)), [1e-3, 2.0], rtol=0.05)
    for a, b in ((noise[..., 1:, :], noise[..., :-1, :]), (noise[..., 1:], noise[..., :-1])):
        assert np.corrcoef(a[:, 1].ravel(), b[:, 1].ravel())[0, 1] == pytest.approx(correlation, abs=0.03)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.05
    assert noise.dtype == np.float32


def test_opposite_edges_of_the_sky_know_nothing_of_each_other():
    sky = SkyModel(rms=(1.0,), correlation=(0.9,))
    noise = np.stack([sky.sample((20, 20), rng=np.random.default_rng(seed))[0] for seed in range(300)])
    assert abs(np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, -1].ravel())[0, 1]) < 0.1


def test_the_same_rng_gives_the_same_noise():
    sky = SkyModel(rms=(1.0, 2.0), correlation=(0.5, 0.0))
    first, second = (sky.sample((16, 24), rng=np.random.default_rng(5)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_photon_noise_adds_its_variance(correlation):
    # 500 electrons a uJy, a source of 0.02 uJy a pixel: variance 0.02 / 500 = (6.3e-3)^2
    sky = SkyModel(rms=(2e-3,), correlation=(correlation,), electrons_per_ujy=(500.0,))
    source = np.full((1, 64, 64), 0.02, dtype=np.float32)
    noise = np.stack([sky.sample((64, 64), rng=np.random.default_rng(seed), source=source) for seed in range(8)])
    assert noise[..., 8:-8, 8:-8].var() == pytest.approx(2e-3**2 + 0.02 / 500, rel=0.06)
    assert sky.sample((64, 64), rng=np.random.default_rng(0)).std() == pytest.approx(2e-3, rel=0.1)


def test_negative_pixels_of_a_source_have_no_photon_noise():
    sky = SkyModel(rms=(1.0,), correlation=(0.0,), electrons_per_ujy=(1e-3,))
    source = np.full((1, 32, 32), -1.0, dtype=np.float32)
    first = sky.sample((32, 32), rng=np.random.default_rng(0), source=source)
    np.testing.assert_allclose(first, sky.sample((32, 32), rng=np.random.default_rng(0)), atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"correlation": (0.1,)}, "one value a band"),
        ({"electrons_per_ujy": (1.0,)}, "one value a band"),
        ({"rms": (-1.0, 1.0)}, "rms must be >= 0"),
        ({"rms": (float("nan"), 1.0)}, "rms must be >= 0"),
        ({"correlation": (0.99, 0.1)}, "correlation within 0 and 0.95"),
    ],
)
def test_a_sky_that_cannot_be_is_told(bad, message):
    with pytest.raises(ValueError, match=message):
        SkyModel(**{"rms": (1.0, 1.0), "correlation": (0.1, 0.1), **bad})


def test_a_sky_is_plain_numbers():
    sky = SkyModel(rms=np.array([1.0, 2.0]), correlation=np.array([0.1, 0.2]))
    assert sky == SkyModel(rms=(1, 2), correlation=(0.1, 0.2))
    assert eval(repr(sky)) == sky


# real sky


@pytest.mark.real_data
def test_the_model_sky_is_that_of_candels(real_data):
    from astropy.io import fits

    from astroclumps.noise import sky_rms

    for i, band in enumerate(("b", "v", "i", "z", "f105", "f125", "f160")):
        rms, correlation = [], []
        for path in sorted((real_data / "candels_sky").glob(f"bk_{band}_?.fits")):
            with fits.open(path) as hdus:
                header = hdus[0].header
                zeropoint = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
                cube = hdus[0].data[None].astype(float) * 10 ** (-0.4 * (zeropoint - 23.9))
            rms.append(sky_rms(cube)[0])
            sky = np.where(abs(cube[0] - np.median(cube)) < 5 * rms[-1], cube[0], np.median(cube))
            pairs = ((sky[1:], sky[:-1]), (sky[:, 1:], sky[:, :-1]))
            correlation.append(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))
        assert len(rms) == 2
        assert np.mean(rms) == pytest.approx(CANDELS_RMS[i], rel=0.1), band
        assert np.mean(correlation) == pytest.approx(CANDELS_CORRELATION[i], rel=0.1), band


@pytest.mark.real_data
def test_the_matched_sky_is_that_of_the_xdf(real_data):
    from astropy.io import fits

    from astroclumps import bands
    from astroclumps.noise import sky_correlation, sky_rms

    zeropoints = (25.684, 26.505, 25.678, 24.867, 26.269, 26.230, 25.946)
    for i, (band, zeropoint) in enumerate(zip(bands.CANDELS, zeropoints, strict=True)):
        with fits.open(real_data / "hst_xdf" / f"{band.column}_sci.fits.gz") as hdus:
            cube = hdus[0].data[None].astype(float) * 10 ** (-0.4 * (zeropoint - 23.9))
        assert sky_rms(cube)[0] == pytest.approx(XDF_RMS[i], rel=0.3), band.name
        assert sky_correlation(cube)[0] == pytest.approx(XDF_CORRELATION[i], abs=0.1), band.name
