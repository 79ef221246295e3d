"""`measure_structure` and `normalised_radius` on galaxies whose shape is known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.wcs import WCS
from test_light_fit import sersic

from astroclumps import MultiBandImage
from astroclumps.bands import CANDELS
from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.mock.light_fit import fit_light
from astroclumps.mock.psf import moffat
from astroclumps.population.distances import normalised_radius
from astroclumps.population.selection import GalaxyCuts
from astroclumps.population.structure import measure_structure, measure_structures
from astroclumps.testing import example_image
from astroclumps.testing.examples import CLUMPS

NOISE = 5.9e-4  # uJy a pixel: CANDELS F160W (METHODS 2)


def image_of(plane, *, bands=("F606W", "F160W"), noise=NOISE, seed=0, wcs=None, psf=None, mask=None, name="mock", **options):
    """The plane in each band with white noise."""
    rng = np.random.default_rng(seed)
    data = np.stack([plane] * len(bands)) + rng.normal(0, noise, (len(bands), *plane.shape))
    kernel = moffat(0.17, size=33, pixel_scale=0.06) if psf is None else psf
    return MultiBandImage(data=data * u.uJy, bands=bands, psf=kernel, wcs=wcs, mask=mask, name=name, **options)


def galaxy(q=0.6, angle=0.5, r_eff=8.0, n=1.0, magnitude=22.0, **options):
    plane = sersic(q, angle, r_eff, n, fine=8, **options)
    return plane * 10 ** (0.4 * (23.9 - magnitude)) / plane.sum()


@pytest.mark.parametrize(("q", "r_eff", "n"), [(0.3, 8, 1.0), (0.6, 4, 1.0), (0.9, 10, 0.7), (0.6, 4, 2.5), (0.7, 4, 4.0)])
def test_known_galaxies_come_back(q, r_eff, n):
    found = measure_structure(image_of(galaxy(q, 0.5, r_eff, n, magnitude=21.0)))
    assert (found.success, found.method, found.band) == (True, "sersic", "F160W")
    assert found.r_e.to_value(u.arcsec) == pytest.approx(0.06 * r_eff, rel=0.1)
    assert found.axis_ratio == pytest.approx(q, abs=0.05)
    assert found.r_e_circular.to_value(u.arcsec) == pytest.approx(found.r_e.to_value(u.arcsec) * np.sqrt(found.axis_ratio))
    assert abs(np.sin(found.angle.to_value(u.rad) - 0.5)) < 0.1
    assert (found.x.value, found.y.value) == pytest.approx((31.5, 31.5), abs=0.1)
    assert np.isnan(found.position_angle)


@pytest.mark.parametrize("size", [30, 31, 101])
def test_the_images_own_psf_is_used_whatever_its_side(size):
    # a wide kernel that fit_light's Moffat of the same FWHM is not
    kernel = moffat(0.3, size=size, pixel_scale=0.06, beta=1.5)
    y, x = np.mgrid[:64, :64] - 31.5
    from scipy.signal import fftconvolve

    disc = np.exp(-np.hypot(x / 4, y / 2.4))
    whole = fftconvolve(disc, kernel)
    start = (size - 1) / 2
    blurred = whole[int(start) : int(start) + 64, int(start) : int(start) + 64]
    fit = fit_light(blurred, noise=1e-3 * blurred.max(), psf_fwhm=1.0, psf=kernel)
    assert fit.success
    assert fit.axis_ratio == pytest.approx(0.6, abs=0.02)
    assert fit.r_eff == pytest.approx(1.678 * 4, rel=0.03)
    middle = 31.5 + start - int(start)  # an even kernel moves the cut by half a pixel, which the fit must undo
    assert (fit.x, fit.y) == pytest.approx((middle, middle), abs=0.05)


def test_fine_sampling_takes_away_the_bias_of_cusps():
    image = sersic(0.6, 0.5, 4, 4.0, fine=12)
    coarse, fine = (fit_light(image, noise=3e-3 * image.max(), psf_fwhm=0.17, fine=k) for k in (1, 5))
    assert fine.r_eff == pytest.approx(4, rel=0.02)
    assert fine.n_sersic == pytest.approx(4, rel=0.02)
    assert abs(coarse.r_eff - 4) > 0.4
    with pytest.raises(ValueError, match="fine must be a whole number"):
        fit_light(image, noise=1, psf_fwhm=0.17, fine=0)


def test_the_reddest_band_that_is_there_is_taken():
    plane = galaxy()
    mask = np.zeros((2, 64, 64), dtype=bool)
    assert measure_structure(image_of(plane, bands=("F160W", "F435W"))).band == "F160W"
    assert measure_structure(image_of(plane), band="f606w").band == "F606W"
    mask[1] = True
    image = image_of(plane, mask=mask)
    assert measure_structure(image).band == "F606W"
    assert measure_structure(image, band="F160W").method == ""
    with pytest.raises(ValueError, match="no band F125W; the image has bands F606W, F160W"):
        measure_structure(image, band="F125W")


def test_masked_pixels_and_neighbours_do_not_count():
    plane = galaxy(0.6, 0.0, 6)
    y, x = np.mgrid[:64, :64]
    neighbour = np.exp(-0.5 * ((x - 52) ** 2 + (y - 52) ** 2) / 3**2)
    spoiled = plane + neighbour * plane.sum() / neighbour.sum()
    good = measure_structure(image_of(spoiled))
    assert good.success
    assert good.axis_ratio == pytest.approx(0.6, abs=0.04)
    assert good.r_e.to_value(u.arcsec) == pytest.approx(0.36, rel=0.06)
    without = measure_structure(image_of(spoiled), mask_neighbours=False)
    assert not without.success or abs(without.axis_ratio - 0.6) > 0.1
    mask = np.broadcast_to(np.hypot(x - 34, y - 31) < 3, (2, 64, 64))
    hot = plane + np.where(mask[0], 1.0, 0.0)
    assert measure_structure(image_of(hot, mask=mask)).axis_ratio == pytest.approx(0.6, abs=0.05)


def test_clumps_can_be_left_out():
    x, y, _ = np.array(CLUMPS).T
    found = measure_structure(example_image(), clumps=QTable({"x": x * u.pix, "y": y * u.pix}))
    assert found.success
    assert found.r_e.to_value(u.arcsec) == pytest.approx(1.678 * 8 * 0.06, rel=0.08)  # a round exponential disc of scale 8 pixels
    assert found.axis_ratio > 0.9
    assert (found.x.value, found.y.value) == pytest.approx((32, 34), abs=0.6)


def test_position_angle_runs_from_north_through_east():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [53.0, -27.0], [32, 32]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]  # east is to the left: +y is north, -x east
    upright = measure_structure(image_of(galaxy(angle=np.pi / 2), wcs=wcs))
    assert min(upright.position_angle.value, 180 - upright.position_angle.value) < 2
    tilted = measure_structure(image_of(galaxy(angle=np.pi / 2 + 0.5), wcs=wcs))
    assert tilted.position_angle.to_value(u.rad) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("plane", [np.zeros((64, 64)), galaxy(magnitude=29.0)])
def test_nothing_to_see_is_nan_and_flagged(plane):
    image = image_of(plane)
    found = measure_structure(image, fallback=True)
    assert not found.success
    if found.method == "":
        assert np.isnan(found.r_e)
        assert np.isnan(found.axis_ratio)
    assert measure_structure(image).method == ""


def test_an_image_without_noise_or_light_does_not_crash():
    assert measure_structure(image_of(galaxy(), noise=1e-6)).band == "F160W"
    assert not measure_structure(image_of(np.zeros((64, 64)), noise=0.0)).success


def test_the_fallback_is_labelled_and_near():
    # an even brightness with a sharp edge is no Sersic profile: the index runs to its limit
    y, x = np.mgrid[:64, :64] - 31.5
    plate = (np.hypot(x, y / 0.6) < 12).astype(float)
    image = image_of(plate / plate.sum() * 20)
    assert not measure_structure(image).success
    found = measure_structure(image, fallback=True)
    assert (found.method, found.success) == ("moments", False)
    assert found.axis_ratio == pytest.approx(0.6, abs=0.05)
    assert found.r_e.to_value(u.arcsec) == pytest.approx(12 / np.sqrt(2) * 0.06, rel=0.1)
    assert np.isnan(found.n_sersic)


def test_weights_come_from_the_images_uncertainty():
    plane = galaxy(0.6, 0.0, 6)
    bad = np.zeros((64, 64))
    bad[36:40, 20:44] = 0.05
    sigma = np.broadcast_to(np.where(bad > 0, 10.0, NOISE), (2, 64, 64)) * u.uJy
    weighted = measure_structure(image_of(plane + bad, uncertainty=sigma))
    assert weighted.axis_ratio == pytest.approx(0.6, abs=0.05)


def test_a_table_of_images_goes_through_the_cuts():
    images = [image_of(galaxy(r_eff=r, q=q), name=f"g{i}", seed=i, redshift=2.0) for i, (r, q) in enumerate([(8, 0.7), (8, 0.3), (2, 0.8)])]
    images.append(image_of(np.zeros((64, 64)), name="empty", redshift=1.5))
    with pytest.warns(AstroclumpsWarning, match="failed for 1 of 4 galaxies"):
        table = measure_structures(images)
    assert table["galaxy"].tolist() == ["g0", "g1", "g2", "empty"]
    table["mass"], table["ssfr"] = np.full(4, 1e10) * u.Msun, np.full(4, 1e-9) / u.yr
    selection = GalaxyCuts(bands=("F606W", "F160W")).apply(table)
    assert selection.kept.tolist() == [True, False, False, False]
    empty = measure_structures([])
    assert len(empty) == 0
    assert empty.colnames == table.colnames[: len(empty.colnames)]
    assert empty["r_e"].unit == u.arcsec


def test_distances_are_on_the_sky_or_in_the_disc():
    turn = 0.7
    galaxies = QTable({"galaxy": ["b", "a"], "x": [30.0, 40.0] * u.pix, "y": [30.0, 20.0] * u.pix, "r_e": [0.6, np.nan] * u.arcsec})
    galaxies["axis_ratio"], galaxies["angle"], galaxies["pixel_scale"] = [0.5, 0.5], [turn, 0] * u.rad, [0.06, 0.03] * u.arcsec
    clumps = QTable({"galaxy": ["b", "b", "a"]})
    clumps["x"] = [30 + 10 * np.cos(turn), 30 - 10 * np.sin(turn), 40] * u.pix
    clumps["y"] = [30 + 10 * np.sin(turn), 30 + 10 * np.cos(turn), 30] * u.pix
    assert normalised_radius(clumps, galaxies) == pytest.approx([1, 1, np.nan], nan_ok=True)
    assert normalised_radius(clumps, galaxies, deproject=True) == pytest.approx([1, 2, np.nan], nan_ok=True)
    assert normalised_radius(clumps[:1], galaxies, pixel_scale=0.03 * u.arcsec) == pytest.approx([0.5])
    assert len(normalised_radius(clumps[:0], galaxies)) == 0
    with pytest.raises(TypeError, match="pixel_scale must be a positive angle"):
        normalised_radius(clumps, galaxies, pixel_scale=0.06)
    galaxies.remove_column("pixel_scale")
    with pytest.raises(CatalogError, match="'pixel_scale'"):
        normalised_radius(clumps, galaxies)


def test_a_galaxy_larger_than_its_image_is_no_success():
    found = measure_structure(image_of(galaxy(0.8, 0.5, 25, 1.0, magnitude=19.0), noise=NOISE))
    assert not found.success


@pytest.mark.real_data
def test_a_real_galaxy_of_the_xdf(real_data):
    from astropy.io import fits

    with fits.open(real_data / "hst_xdf" / "cutout64_clumpyA.fits") as hdus:
        cube = hdus["SCI"].data.astype(float)
    names = [band.name for band in CANDELS]
    found = measure_structure(MultiBandImage(data=cube * u.electron / u.s, bands=names, psf=0.3 * u.arcsec))
    assert found.success
    assert 0.2 < found.r_e.to_value(u.arcsec) < 0.6
    assert (found.x.value, found.y.value) == pytest.approx((31.5, 31.5), abs=3)
