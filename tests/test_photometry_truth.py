"""Fluxes against planted point sources, against photutils, and against the laws they must obey."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photometry_scenes import add_stars, field, fluxes, image, star, table

from astroclumps import ClumpPhotometry
from astroclumps.photometry import kernels
from astroclumps.photometry.background import INNER, OUTER, ring

BANDS = ("F435W", "F775W", "F850LP", "F105W", "F125W", "F160W")
COLUMNS = tuple(band.lower() for band in BANDS)
WIDTHS = (0.08, 0.09, 0.15, 0.17, 0.25, 0.35)  # arcsec, from native ACS to matched


def random_positions(n_side, spacing, seed):
    rng = np.random.default_rng(seed)
    grid = spacing * (0.5 + np.arange(n_side))
    x, y = (axis.ravel() + rng.uniform(-0.5, 0.5, n_side**2) for axis in np.meshgrid(grid, grid))
    return x, y


def overlap(x, y, radius, shape):
    weights = np.empty(shape)
    kernels.circle_overlap(x, y, radius, 0, 0, weights, np.empty((shape[0] + 1, shape[1] + 1)))
    return weights


# exact overlap


@settings(max_examples=60, deadline=None)
@given(x=st.floats(8, 9), y=st.floats(8, 9), radius=st.floats(0.05, 7))
def test_overlap_adds_up_to_the_circle(x, y, radius):
    weights = overlap(x, y, radius, (18, 18))
    assert weights.sum() == pytest.approx(np.pi * radius**2, rel=1e-9)
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-9


def test_overlap_is_that_of_photutils():
    from photutils.aperture import CircularAperture

    rng = np.random.default_rng(0)
    for radius in (0.3, 0.5, 1.0, 3.0, 4.0, 5.0, 7.3):
        for x, y in [(10.0, 10.0), (9.5, 10.0), *rng.uniform(9, 12, (10, 2))]:
            theirs = CircularAperture((x, y), radius).to_mask(method="exact").to_image((22, 22))
            np.testing.assert_allclose(overlap(x, y, radius, (22, 22)), theirs, atol=1e-9)


def test_sums_and_ring_medians_are_those_of_photutils():
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

    rng = np.random.default_rng(1)
    data = rng.normal(1, 1, (2, 80, 90)).astype(np.float32)
    x, y = rng.uniform(8, 82, 30), rng.uniform(8, 72, 30)
    clumps = table(x, y)
    measured = ClumpPhotometry(aperture_correction=False).measure(image(data), clumps)
    rows, columns = np.mgrid[:80, :90]
    near = (np.hypot(rows[..., None] - y, columns[..., None] - x) <= 4).any(axis=-1)
    positions = np.column_stack([x, y])
    for band, column in zip(data.astype(float), ("f606w", "f160w"), strict=True):
        stats = ApertureStats(band, CircularAnnulus(positions, INNER, OUTER), mask=near, sum_method="center")
        sums = aperture_photometry(band, CircularAperture(positions, 3), method="exact")["aperture_sum"]
        wide = near_counts(near, x, y) >= 10
        assert wide.sum() > 15
        np.testing.assert_allclose(measured[f"background_{column}"].value[wide], stats.median[wide], rtol=1e-6)
        expected = sums - np.pi * 9 * stats.median
        np.testing.assert_allclose(measured[f"flux_{column}"].value[wide], expected[wide], rtol=1e-6, atol=1e-6)


def near_counts(near, x, y):
    rows, columns = np.mgrid[: near.shape[0], : near.shape[1]]
    distance = np.hypot(rows[..., None] - y, columns[..., None] - x)
    return ((distance > INNER) & (distance < OUTER) & ~near[..., None]).sum(axis=(0, 1))


@pytest.mark.parametrize("size", [*range(1, 12), 40])
def test_medians_are_those_of_numpy(size):
    rng = np.random.default_rng(size)
    for values in (rng.normal(size=size), rng.integers(0, 3, size).astype(float)):
        plane = np.full((1, 9, 9), np.nan, dtype=np.float32)
        assert kernels.median(values.copy(), size) == np.median(values), plane.shape


# planted sources

POSITIONS = random_positions(4, 32, seed=2)
FIELD = [add_stars(np.zeros((128, 128)), width, *POSITIONS, 1.0) for width in WIDTHS]


@pytest.mark.parametrize("radius", [3, 4, 5])
@pytest.mark.parametrize(("level", "slope"), [(0.0, 0.0), (0.3, 0.0), (0.3, 2e-5)])
def test_point_sources_are_recovered_within_one_percent(radius, level, slope):
    gradient = level + slope * (np.arange(128) - 64)[None, :] - 0.5 * slope * (np.arange(128) - 64)[:, None]
    planes = [stars + gradient for stars in FIELD]
    scene = image(planes, bands=BANDS, psf=np.array(WIDTHS) * u.arcsec)
    measured = ClumpPhotometry(radius=radius * u.pix).measure(scene, table(*POSITIONS))
    np.testing.assert_allclose(fluxes(measured, bands=COLUMNS), 1, rtol=0.01)


def test_point_sources_are_recovered_without_a_background():
    x, y = random_positions(3, 32, seed=3)
    planes = [add_stars(np.zeros((96, 96)), width, x, y, 1.0) for width in WIDTHS]
    measured = ClumpPhotometry(background="none").measure(image(planes, bands=BANDS, psf=np.array(WIDTHS) * u.arcsec), table(x, y))
    np.testing.assert_allclose(fluxes(measured, bands=COLUMNS), 1, rtol=0.01)
    assert not fluxes(measured, "background", bands=COLUMNS).any()


@pytest.mark.parametrize(("size", "centre"), [(41, (20.0, 20.0)), (40, (20.0, 20.0)), (42, (20.5, 20.5)), (41, (20.3, 19.8))])
def test_a_psf_given_as_an_array_is_centred_on_its_own_core(size, centre):
    x, y = random_positions(3, 32, seed=4)
    planes = [add_stars(np.zeros((96, 96)), width, x, y, 1.0) for width in (0.17, 0.3)]
    kernels_ = np.array([star(width, *centre, (size, size)) for width in (0.17, 0.3)])
    measured = ClumpPhotometry().measure(image(planes, psf=kernels_), table(x, y))
    np.testing.assert_allclose(fluxes(measured), 1, rtol=0.015)


def test_without_correction_the_sum_of_the_aperture_is_given():
    scene, clumps = field(fwhm=(0.17, 0.35), level=0.1)
    measured = ClumpPhotometry(aperture_correction=False).measure(scene, clumps)
    weights = overlap(32.0, 32.0, 3.0, (64, 64))
    expected = (scene.data * weights).sum(axis=(1, 2)) - np.pi * 9 * fluxes(measured, "background")[:, 0]
    np.testing.assert_allclose(fluxes(measured)[:, 0], expected, rtol=1e-5)
    assert (fluxes(measured) < 0.95).all()


# laws


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1e-3, 1e3), level=st.floats(-1, 1))
def test_fluxes_are_linear_and_blind_to_a_flat_background(factor, level):
    scene, clumps = SCENE
    data = scene.data.astype(float)
    changed = ClumpPhotometry().measure(image(factor * data + level * np.abs(factor), psf=scene.psf), clumps)
    np.testing.assert_allclose(fluxes(changed), factor * REFERENCE, rtol=1e-4)


SCENE = field(x=(20.3, 41.8), y=(22.6, 40.1), fwhm=(0.1, 0.2))
REFERENCE = fluxes(ClumpPhotometry().measure(*SCENE))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_image_turns_nothing_else(turns):
    rng = np.random.default_rng(5)
    data = add_stars(rng.normal(0, 1e-3, (64, 64)), 0.17, [20.3, 45.1], [15.2, 40.7], 1.0)
    x, y = np.array([20.3, 45.1, 3.2]), np.array([15.2, 40.7, 30.0])
    before = ClumpPhotometry().measure(image([data, data]), table(x, y))
    turned = np.rot90(data, turns)
    for _ in range(turns):
        x, y = y, 63 - x
    after = ClumpPhotometry().measure(image([turned, turned]), table(x, y))
    np.testing.assert_allclose(fluxes(after), fluxes(before), rtol=1e-5)
    np.testing.assert_array_equal(fluxes(after, "background"), fluxes(before, "background"))
    assert list(after["flags"]) == list(before["flags"])


def test_the_unit_of_the_image_does_not_matter():
    scene, clumps = field()
    in_njy = image(scene.data)
    in_njy = type(in_njy)(data=scene.data * 1e3 * u.nJy, bands=scene.bands, psf=scene.psf)
    measured = ClumpPhotometry().measure(in_njy, clumps)
    np.testing.assert_allclose(fluxes(measured), fluxes(ClumpPhotometry().measure(scene, clumps)), rtol=1e-5)


def test_bands_do_not_touch_each_other():
    rng = np.random.default_rng(6)
    scene = image(rng.normal(0, 1, (2, 64, 64)), psf=[0.1, 0.3] * u.arcsec)
    clumps = table([30.2], [33.4])
    both = ClumpPhotometry().measure(scene, clumps)
    alone = ClumpPhotometry().measure(scene.select(["F160W"]), clumps)
    assert alone["flux_f160w"] == both["flux_f160w"]
    assert alone["background_f160w"] == both["background_f160w"]


def test_the_ring_of_the_paper_moves_out_only_beyond_five_pixels():
    assert (INNER, OUTER) == (4.0, 6.0)  # section 5.1
    assert all(tuple(ring("annulus", radius)) == (4.0, 6.0) for radius in (1.0, 3.0, 4.0, 5.0))
    assert tuple(ring("annulus", 8.0)) == (7.0, 9.0)
    x, y = random_positions(2, 48, seed=7)
    planes = [add_stars(np.full((96, 96), 0.2), width, x, y, 1.0) for width in (0.17, 0.35)]
    measured = ClumpPhotometry(radius=8 * u.pix).measure(image(planes, psf=[0.17, 0.35] * u.arcsec), table(x, y))
    np.testing.assert_allclose(fluxes(measured), 1, rtol=0.01)
