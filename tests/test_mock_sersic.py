"""Sersic mocks: seeded, complete, within their ranges, and classes that overlap in every property."""

import pickle

import astropy.units as u
import numpy as np
import pytest

from astroclumps import SersicMocks, bands

needs_bagpipes = pytest.mark.needs_bagpipes
N = 60
SEVEN = tuple(b.name for b in bands.CANDELS)


@pytest.fixture(scope="module")
def many():
    pytest.importorskip("bagpipes", reason="needs bagpipes")
    mocks = SersicMocks(seed=1)
    return [mocks.mock(i) for i in range(N)]


@pytest.fixture(scope="module")
def clumps(many):
    return {k: np.concatenate([m.clumps[k] for m in many]) for k in many[0].clumps if k != "flux"}


# settings


def test_the_settings_are_plain_and_can_be_pickled():
    mocks = SersicMocks(seed=3, bands=["f606w", "F160W"], shape=[32, 48])
    assert mocks.bands == ("F606W", "F160W")
    assert mocks.shape == (32, 48)
    assert pickle.loads(pickle.dumps(mocks)) == mocks
    assert mocks != SersicMocks(seed=4, bands=["F606W", "F160W"], shape=(32, 48))
    assert "seed=3" in repr(mocks)


@pytest.mark.parametrize("scale", [0.06, 0.06 * u.kpc, -0.06 * u.arcsec, 0 * u.arcsec])
def test_a_pixel_scale_that_is_no_angle_is_told(scale):
    with pytest.raises(TypeError, match=r"pixel_scale must be a positive angle such as 0\.06 \* u\.arcsec"):
        SersicMocks(seed=1, pixel_scale=scale)


@pytest.mark.parametrize("shape", [(64,), (15, 64), (7, 64, 64)])
def test_an_image_too_small_is_told(shape):
    with pytest.raises(ValueError, match="at least 16 pixels a side"):
        SersicMocks(seed=1, shape=shape)


def test_an_unknown_band_is_told():
    with pytest.raises(ValueError, match="F999X"):
        SersicMocks(seed=1, bands=["F999X"])


# seeds


@needs_bagpipes
def test_the_same_seed_gives_the_same_bytes(many):
    again = SersicMocks(seed=1).mock(7)
    assert again.data.tobytes() == many[7].data.tobytes()
    assert all(again.clumps[k].tobytes() == many[7].clumps[k].tobytes() for k in again.clumps)
    assert again.sky == many[7].sky
    first, second = (SersicMocks(seed=1).image(7)[0] for _ in range(2))
    assert first.data.tobytes() == second.data.tobytes()


@needs_bagpipes
def test_another_seed_or_number_gives_another_galaxy(many):
    assert not np.array_equal(SersicMocks(seed=2).mock(7).data, many[7].data)
    assert not np.array_equal(many[6].data, many[7].data)


# images


@needs_bagpipes
def test_an_image_is_the_galaxy_with_its_noise(many):
    image, truth = SersicMocks(seed=1).image(7)
    mock = many[7]
    assert image.bands == SEVEN
    assert image.redshift == mock.redshift
    assert image.name == "sersic-1-7"
    assert image.psf_known
    pixel = 0.06 / 2
    np.testing.assert_allclose(image.psf_fwhm.to_value(u.arcsec), np.hypot(mock.psf_fwhm, pixel), rtol=0.1)
    noise = image.data - mock.data
    faint = mock.data < np.quantile(mock.data, 0.2, axis=(1, 2), keepdims=True)
    for i, rms in enumerate(mock.sky.rms):
        assert noise[i][faint[i]].std() == pytest.approx(rms, rel=0.25)
    assert len(truth) == len(mock.clumps["x"])


@needs_bagpipes
def test_the_truth_has_its_columns_and_units():
    mocks = SersicMocks(seed=1)
    index = next(i for i in range(50) if len(mocks.mock(i).clumps["x"]) >= 3)
    mock = mocks.mock(index)
    truth = mocks.truth(mock)
    names = ["id", "x", "y", "longevity", "mass", "sfr", "age", "a_v", "uv_ratio", "r_norm", *(f"flux_{b.lower()}" for b in SEVEN)]
    assert truth.colnames == names
    units = {"x": u.pix, "y": u.pix, "mass": u.Msun, "sfr": u.Msun / u.yr, "age": u.Gyr, "a_v": u.mag, "flux_f160w": u.uJy}
    assert {k: truth[k].unit for k in units} == units
    assert truth["id"].tolist() == list(range(1, len(truth) + 1))
    assert set(truth["longevity"]) <= {"LLC", "SLC"}
    np.testing.assert_array_equal(truth["flux_f435w"].value, mock.clumps["flux"][:, 0])


@needs_bagpipes
def test_the_truth_of_a_galaxy_without_clumps_has_all_columns(many):
    mocks = SersicMocks(seed=1)
    bare = next(m for m in many if len(m.clumps["x"]) == 0)
    truth = mocks.truth(bare)
    assert len(truth) == 0
    assert "flux_f160w" in truth.colnames
    assert truth["mass"].unit == u.Msun


@needs_bagpipes
def test_other_bands_and_shapes():
    mocks = SersicMocks(seed=1, shape=(40, 56), bands=["F606W", "F115W", "F444W"], pixel_scale=0.04 * u.arcsec)
    image, truth = mocks.image(0)
    assert image.data.shape == (3, 40, 56)
    assert image.pixel_scale == 0.04 * u.arcsec
    assert "flux_f444w" in truth.colnames


# content


@needs_bagpipes
def test_flux_is_conserved_up_to_what_falls_off_the_image(many):
    # a galaxy that is small and central loses nothing; neighbours, which the sum of the galaxy leaves out, may add
    ratios = []
    for m in many:
        g = m.galaxy
        if np.hypot(g["x"] - 31.5, g["y"] - 31.5) < 5 and g["r_eff"] < 0.45 and m.psf_fwhm.max() < 0.2 and g["flux"].min() > 0:
            ratios.append(m.data.sum(axis=(1, 2)) / g["flux"])
    assert len(ratios) >= 6
    assert np.min(ratios) > 0.97
    alone = np.max(np.abs(np.array(ratios) - 1), axis=1) < 0.01
    assert alone.sum() >= 3


@needs_bagpipes
def test_noiseless_images_are_finite_and_hardly_negative(many):
    for m in many:
        assert np.isfinite(m.data).all()
        assert m.data.min() > -1e-3 * max(m.data.max(), 1e-6)
        assert m.data.dtype == np.float32


@needs_bagpipes
def test_clumps_shine_where_the_truth_says(many):
    # of isolated, dominant clumps, the ultraviolet peak is within a pixel
    offsets = []
    for m in many:
        ratio = m.clumps["uv_ratio"]
        if len(ratio) and ratio.max() > 0.25:
            i = ratio.argmax()
            x, y = m.clumps["x"][i], m.clumps["y"][i]
            c, r = round(x), round(y)
            if 4 <= c < 60 and 4 <= r < 60:
                part = m.data[0, r - 3 : r + 4, c - 3 : c + 4]
                dy, dx = np.unravel_index(part.argmax(), part.shape)
                offsets.append(np.hypot(c - 3 + dx - x, r - 3 + dy - y))
    assert len(offsets) >= 5
    assert np.median(offsets) < 0.8


@needs_bagpipes
def test_ranges_are_those_of_the_docstring(many, clumps):
    assert 0.7 < min(m.redshift for m in many) < 1.2 < 2.8 < max(m.redshift for m in many) < 3.3
    number = [len(m.clumps["x"]) for m in many]
    assert min(number) == 0
    assert 6 <= max(number) <= 8
    radius = np.array([m.galaxy["r_eff"] for m in many])
    assert np.all((radius >= 0.15) & (radius <= 1.3))
    assert min(m.galaxy["axis_ratio"] for m in many) >= 0.25
    assert clumps["uv_ratio"].max() < 0.5
    assert np.all((clumps["radius"] > 0.3) & (clumps["radius"] < 2.2))
    assert np.all((clumps["uv_ratio"] > 0) & (clumps["mass"] > 0) & (clumps["sfr"] >= 0))


@needs_bagpipes
def test_some_images_have_no_galaxy(many):
    empty = [m for m in many if not m.galaxy["flux"].any()]
    assert 1 <= len(empty) <= 20
    assert all(len(m.clumps["x"]) == 0 for m in empty)


@needs_bagpipes
def test_clumps_are_off_centre_apart_and_inside(many):
    for m in many:
        x, y = m.clumps["x"], m.clumps["y"]
        assert np.all(np.hypot(x - m.galaxy["x"], y - m.galaxy["y"]) > 2.5)
        assert np.all((x >= 1) & (x < 62) & (y >= 1) & (y < 62))
        apart = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(len(x), 1)]
        assert np.all(apart > 2.0)


@needs_bagpipes
def test_no_clump_outweighs_half_of_its_galaxy(many):
    for m in many:
        assert np.all(m.clumps["mass"] <= 0.5001 * m.galaxy["stellar_mass"])


@needs_bagpipes
def test_long_lived_clumps_are_older_and_further_in_on_average_but_classes_overlap(clumps):
    long = clumps["long_lived"]
    assert 0.2 < long.mean() < 0.6
    assert np.median(clumps["age"][long]) > 2 * np.median(clumps["age"][~long])
    assert np.median(clumps["radius"][long]) < np.median(clumps["radius"][~long])
    for name in ("age", "radius", "mass", "sfr", "a_v", "uv_ratio"):
        a, b = clumps[name][long], clumps[name][~long]
        # the share of pairs in which the long-lived one is larger: neither 0 nor 1
        share = (a[:, None] > b).mean()
        assert 0.08 < share < 0.92, name


@needs_bagpipes
def test_depths_and_psfs_reach_from_candels_to_the_xdf(many):
    fwhm = np.array([m.psf_fwhm for m in many])
    matched = fwhm[:, 0] > 0.18  # native, F435W is sharper
    assert 0.25 < matched.mean() < 0.55
    assert np.ptp(fwhm[matched], axis=1).max() < 0.1
    assert 0.18 < fwhm[matched].min() < fwhm[matched].max() < 0.4
    assert 0.06 < fwhm[~matched].min() < fwhm[~matched].max() < 0.22
    rms = np.array([m.sky.rms for m in many])
    correlation = np.array([m.sky.correlation for m in many])
    assert rms[:, 6].min() < 2e-4 < 6e-4 < rms[:, 6].max()
    assert correlation[matched, 0].mean() > 0.6 > 0.3 > correlation[~matched, 0].mean()
