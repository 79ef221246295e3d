"""Errors: calibrated on planted sources, with few places left, with given uncertainties."""

import astropy.units as u
import numpy as np
import pytest
from photometry_scenes import SCALE, add_stars, fluxes, image, table

from astroclumps import ClumpPhotometry, MultiBandImage
from astroclumps.mock.sky import SkyModel
from astroclumps.photometry import empty
from astroclumps.photometry.background import masked_discs, ring
from astroclumps.photometry.covariance import aperture_noise

CORRELATIONS = (0.15, 0.54, 0.8)
BANDS = ("F435W", "F606W", "F160W")
COLUMNS = tuple(band.lower() for band in BANDS)
WIDTHS = np.array([0.08, 0.17, 0.3])


def noise(shape, seed, rms=1e-3):
    return SkyModel(rms=(rms,) * 3, correlation=CORRELATIONS).sample(shape, rng=np.random.default_rng(seed)).astype(float)


def star_field(seed, *, side=18, spacing=26, flux=0.3):
    """324 point sources in correlated noise, three bands."""
    rng = np.random.default_rng(seed)
    grid = spacing * (0.5 + np.arange(side))
    x, y = (axis.ravel() + rng.uniform(-0.5, 0.5, side**2) for axis in np.meshgrid(grid, grid))
    shape = (side * spacing, side * spacing)
    planes = [add_stars(plane, width, x, y, flux, reach=12) for plane, width in zip(noise(shape, seed), WIDTHS, strict=True)]
    return np.array(planes), x, y


@pytest.fixture(scope="module")
def crowd():
    return star_field(1)


@pytest.mark.parametrize("radius", [3, 5])
def test_errors_are_those_of_planted_sources_in_correlated_noise(crowd, radius):
    data, x, y = crowd
    measured = ClumpPhotometry(radius=radius * u.pix).measure(image(data, bands=BANDS, psf=WIDTHS * u.arcsec), table(x, y))
    pull = (fluxes(measured, bands=COLUMNS) - 0.3) / fluxes(measured, "flux_err", bands=COLUMNS)
    assert pull.shape == (3, 324)
    np.testing.assert_allclose(pull.std(axis=1), 1, atol=0.15)
    np.testing.assert_allclose(pull.mean(axis=1), 0, atol=0.2)  # 3.6 standard errors


def test_errors_from_sky_pixels_agree_with_those_from_empty_apertures(crowd, monkeypatch):
    data, x, y = crowd
    scene, clumps = image(data[:, :150, :150], bands=BANDS, psf=WIDTHS * u.arcsec), table(x[:3], y[:3])
    from_places = fluxes(ClumpPhotometry().measure(scene, clumps), "flux_err", bands=COLUMNS)
    monkeypatch.setattr(empty, "LEAST_PLACES", 10**6)
    from_pixels = fluxes(ClumpPhotometry().measure(scene, clumps), "flux_err", bands=COLUMNS)
    assert (from_places != from_pixels).all()
    np.testing.assert_allclose(from_pixels, from_places, rtol=0.2)


@pytest.mark.parametrize("correlation", [0.0, 0.54, 0.8])
@pytest.mark.parametrize("radius", [3.0, 5.0])
def test_the_noise_model_is_that_of_drawn_noise(correlation, radius):
    """Parts of a sum and a median of correlated normal values, against draws."""
    shape = (400, 400)
    data = SkyModel(rms=(1.0,), correlation=(correlation,)).sample(shape, rng=np.random.default_rng(3))
    grid = np.arange(10.0, 390.0, 9.0)
    x, y = (axis.ravel() for axis in np.meshgrid(grid + 0.3, grid - 0.2))
    scene = image(data)
    model = aperture_noise(radius, 4.0, 6.0, correlation)
    for background, n_background in (("annulus", model.ring_area), ("none", None)):
        settings = ClumpPhotometry(radius=radius * u.pix, background=background, aperture_correction=False)
        flux = [settings.measure(scene, table([x0], [y0]))["flux_f606w"].value[0] for x0, y0 in zip(x[:2], y[:2], strict=True)]
        assert np.isfinite(flux).all()
        values = sums(scene, x, y, radius, background)
        noise_model = model if background == "annulus" else aperture_noise(radius, 0.0, 0.0, correlation)
        expected = noise_model.variance(np.pi * radius**2, n_background)
        assert values.std() ** 2 == pytest.approx(float(expected), rel=0.12)


def sums(scene, x, y, radius, background):
    from astroclumps.photometry.aperture import _sums
    from astroclumps.photometry.kernels import AREA, BACKGROUND, SUM

    near = np.zeros(scene.data.shape[1:], dtype=bool)
    fields, _ = _sums(scene, near, x, y, radius, ring(background, radius))
    return fields[0, :, SUM] - fields[0, :, AREA] * fields[0, :, BACKGROUND]


# sources and places


def test_sources_are_masked_and_empty_places_lie_beside_them(crowd):
    data, x, y = crowd
    scene = image(data, bands=BANDS, psf=WIDTHS * u.arcsec)
    mask = empty.source_mask(scene)
    assert mask[np.rint(y).astype(int), np.rint(x).astype(int)].all()
    assert 0.05 < mask.mean() < 0.4
    px, py = empty.empty_places(~mask, 3.0, rng=np.random.default_rng(0))
    assert len(px) > 300
    distance = np.hypot(px[:, None] - x, py[:, None] - y)
    assert distance.min() > 3.0
    apart = np.hypot(px[:, None] - px, py[:, None] - py) + 99 * np.eye(len(px))
    assert apart.min() > 3.0 - np.sqrt(2)  # pixels are a radius apart, and each place lies somewhere in its pixel


def test_noise_alone_is_hardly_masked():
    scene = image(noise((256, 256), 4), bands=BANDS)
    assert empty.source_mask(scene).mean() < 0.08


def test_empty_places_stay_away_from_clumps_and_from_the_off_detector_area():
    data = noise((128, 128), 5)
    data[:, :, 100:] = 0
    scene = image(data, bands=BANDS)
    free = ~(empty.source_mask(scene) | masked_discs((128, 128), np.array([50.0]), np.array([60.0]), 4.0))
    x, y = empty.empty_places(free, 3.0, rng=np.random.default_rng(1))
    assert x.max() < 97.5
    assert np.hypot(x - 50, y - 60).min() > 6


def test_an_error_is_given_where_a_galaxy_leaves_no_empty_place():
    rows, columns = np.mgrid[:64, :64]
    galaxy = 0.2 * np.exp(-np.hypot(rows - 32, columns - 32) / 14)
    scene = image(noise((64, 64), 6) + galaxy, bands=BANDS, psf=WIDTHS * u.arcsec)
    measured = ClumpPhotometry().measure(scene, table([40.0], [40.0]))
    assert (fluxes(measured, "flux_err", bands=COLUMNS) > 0).all()


# given uncertainties


def test_an_uncertainty_tells_deep_parts_from_shallow_ones():
    depth = np.where(np.arange(300) < 150, 1.0, 3.0) * np.ones((300, 300))
    data = noise((300, 300), 7) * depth
    # too low by a factor of two, as the weights of drizzled images are: only their ratios count
    scene = image(data, bands=BANDS, psf=WIDTHS * u.arcsec, uncertainty=0.5e-3 * depth[None].repeat(3, axis=0) * u.uJy)
    measured = ClumpPhotometry().measure(scene, table([70.0, 220.0], [150.0, 150.0]))
    deep, shallow = fluxes(measured, "flux_err", bands=COLUMNS).T
    np.testing.assert_allclose(shallow / deep, 3, rtol=0.01)
    alone = image(data[:, :, :150], bands=BANDS, psf=WIDTHS * u.arcsec)
    expected = fluxes(ClumpPhotometry().measure(alone, table([70.0], [150.0])), "flux_err", bands=COLUMNS)[:, 0]
    np.testing.assert_allclose(deep, expected, rtol=0.15)


def test_where_a_galaxy_fills_the_image_the_uncertainty_bounds_the_error():
    rows, columns = np.mgrid[:64, :64]
    lumps = 0.5 + np.sin(rows / 4.0) * np.cos(columns / 5.0)  # smooth light everywhere, no sky
    scene = image(noise((64, 64), 8) + lumps, bands=BANDS, psf=WIDTHS * u.arcsec, uncertainty=np.full((3, 64, 64), 1e-3) * u.uJy)
    settings = ClumpPhotometry(aperture_correction=False)
    error = fluxes(settings.measure(scene, table([32.0], [32.0])), "flux_err", bands=COLUMNS)
    white = 1e-3 * np.sqrt(aperture_noise(3.0, 4.0, 6.0, 0.0).variance(np.pi * 9, 63))
    assert (error <= 1.05 * white).all()
    assert (error > 0.3 * white).all()


def test_errors_grow_where_pixels_are_missing(crowd):
    data, x, y = crowd
    mask = np.zeros(data.shape, dtype=bool)
    row, column = round(y[25]), round(x[25])
    mask[:, row + 1, column : column + 3] = True
    whole = ClumpPhotometry().measure(image(data, bands=BANDS, psf=WIDTHS * u.arcsec), table(x, y))
    holed = ClumpPhotometry().measure(image(data, bands=BANDS, psf=WIDTHS * u.arcsec, mask=mask), table(x, y))
    assert (fluxes(holed, "flux_err", bands=COLUMNS)[:, 25] > fluxes(whole, "flux_err", bands=COLUMNS)[:, 25]).all()


# real images


@pytest.mark.real_data
def test_errors_of_real_sky_are_the_scatter_of_its_apertures(real_data):
    from astropy.io import fits

    bands = ("F435W", "F850LP", "F160W")
    files = ("b", "z", "f160")
    data = np.array([fits.getdata(real_data / "candels_sky" / f"bk_{name}_1.fits").astype(float) for name in files])
    scene = MultiBandImage(data=data * u.electron / u.s, bands=bands, pixel_scale=SCALE * u.arcsec, psf=0.17 * u.arcsec)
    grid = np.arange(8.0, 120.0, 9.0)
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    pull = []
    for first in range(12):  # a few at a time: what is measured is no empty sky
        measured = ClumpPhotometry().measure(scene, table(x[first::12], y[first::12]))
        columns = [band.lower() for band in bands]
        pull.append(fluxes(measured, bands=columns) / fluxes(measured, "flux_err", bands=columns))
    pull = np.concatenate(pull, axis=1)
    scatter = 1.4826 * np.median(np.abs(pull - np.median(pull, axis=1)[:, None]), axis=1)
    np.testing.assert_allclose(scatter, 1, atol=0.25)


@pytest.mark.real_data
def test_the_knots_of_a_real_galaxy_have_the_magnitudes_they_look(real_data):
    scene = MultiBandImage.read(real_data / "hst_xdf" / "cutout64_clumpyA.fits")
    scene = MultiBandImage(
        data=scene.data * u.uJy, bands=scene.bands, uncertainty=scene.uncertainty, pixel_scale=scene.pixel_scale, psf=0.3 * u.arcsec
    )
    measured = ClumpPhotometry().measure(scene, table([26.2, 33.0], [28.1, 32.4]))
    columns = [band.lower() for band in scene.bands]
    flux, error = fluxes(measured, bands=columns), fluxes(measured, "flux_err", bands=columns)
    assert (flux > 10 * error).all()
    magnitude = 23.9 - 2.5 * np.log10(flux)
    assert ((magnitude > 24) & (magnitude < 27.5)).all()
    assert (measured["flags"] == 0).all()
