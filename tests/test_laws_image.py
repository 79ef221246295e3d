"""Laws of images: light is kept by rebinning, cut-outs and units, and files give back what was written."""

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from astroclumps import ContrastDetector, MultiBandImage, bands
from astroclumps.exceptions import NoClumpsWarning
from astroclumps.testing import example_image

LAW = settings(derandomize=True, deadline=None, max_examples=25)

pixels = st.floats(-1e3, 1e3, width=32)
names = st.lists(st.sampled_from([band.name for band in bands.CANDELS]), min_size=1, max_size=3, unique=True)


@st.composite
def images(draw, factor=1, **options):
    """Images of whole blocks of factor x factor pixels."""
    given_bands = draw(names)
    ny, nx = (factor * draw(st.integers(1, 6)) for _ in range(2))
    data = draw(hnp.arrays(np.float32, (len(given_bands), ny, nx), elements=pixels))
    return MultiBandImage(data=data * u.uJy, bands=given_bands, redshift=draw(st.none() | st.floats(0, 10)), **options)


@LAW
@given(st.data(), st.integers(1, 4))
def test_rebinning_keeps_the_light(data, factor):
    image = data.draw(images(factor))
    new = image.rebin(factor)
    assert new.data.shape[1:] == (image.data.shape[1] // factor, image.data.shape[2] // factor)
    wanted, scale = image.data.sum(axis=(1, 2), dtype=float), abs(image.data).sum(axis=(1, 2), dtype=float)
    assert abs(new.data.sum(axis=(1, 2), dtype=float) - wanted) == pytest.approx(0, abs=1e-6 * scale.max() + 1e-30)
    assert new.pixel_scale.to_value(u.arcsec) == pytest.approx(factor * image.pixel_scale.to_value(u.arcsec))


@LAW
@given(st.data())
def test_rebinning_twice_is_rebinning_once(data):
    image = data.draw(images(6))
    once, twice = image.rebin(6), image.rebin(2).rebin(3)
    assert np.allclose(once.data, twice.data, rtol=1e-4, atol=1e-5 * abs(image.data).max())


@LAW
@given(st.data(), st.integers(1, 3))
def test_variances_add_where_pixels_are_rebinned(data, factor):
    image = data.draw(images(factor))
    sigma = np.random.default_rng(0).uniform(0.1, 2, image.data.shape)
    noisy = MultiBandImage(data=image.data * u.uJy, bands=image.bands, uncertainty=sigma * u.uJy)
    total = (noisy.rebin(factor).uncertainty.array.astype(float) ** 2).sum(axis=(1, 2))
    assert total == pytest.approx((sigma**2).sum(axis=(1, 2)), rel=1e-4)


@LAW
@given(st.data())
def test_cutouts_hold_the_pixels_that_they_name(data):
    image = data.draw(images())
    height, width = image.data.shape[1:]
    ny, nx = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    y0, x0 = data.draw(st.integers(0, height - ny)), data.draw(st.integers(0, width - nx))
    part = image.cutout(x0 + (nx - 1) / 2, y0 + (ny - 1) / 2, (ny, nx))
    assert (part.meta["x0"], part.meta["y0"]) == (x0, y0)
    assert np.array_equal(part.data, image.data[:, y0 : y0 + ny, x0 : x0 + nx])


@LAW
@given(st.data())
def test_the_halves_of_an_image_hold_its_light(data):
    image = data.draw(images(2))
    height, width = image.data.shape[1:]
    parts = [image.cutout((width - 1) / 2, y, (height // 2, width)) for y in ((height / 2 - 1) / 2, height / 2 + (height / 2 - 1) / 2)]
    assert np.array_equal(np.concatenate([part.data for part in parts], axis=1), image.data)


@LAW
@given(st.data(), st.floats(20, 32))
def test_units_do_not_change_the_light(data, zeropoint):
    image = data.draw(images())
    flux = image.data.astype(float)
    area = (image.pixel_scale.to_value(u.rad)) ** 2
    counts = flux / 10 ** (-0.4 * (zeropoint - 23.9))
    others = {
        "nJy": dict(data=flux * 1e3 * u.nJy),
        "Jy": dict(data=flux * 1e-6 * u.Jy),
        "counts": dict(data=counts * u.electron / u.s, zeropoint=[zeropoint] * len(image.bands)),
        "MJy/sr": dict(data=flux * 1e-12 / area * u.MJy / u.sr),
    }
    for given_data in others.values():
        other = MultiBandImage(bands=image.bands, pixel_scale=image.pixel_scale, **given_data)
        assert np.allclose(other.data, image.data, rtol=1e-5, atol=1e-9)


@LAW
@given(st.data())
def test_bands_may_stand_in_any_order(data):
    image = data.draw(images())
    order = data.draw(st.permutations(image.bands))
    new = image.select(order)
    assert new.bands == tuple(order)
    assert all(np.array_equal(new.data[i], image.data[image.bands.index(name)]) for i, name in enumerate(order))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(LAW, max_examples=40)
@given(st.data())
def test_cubes_come_back_as_they_were_written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cube") / data.draw(st.sampled_from(["a.fits", "a.fits.gz"]))
    shape = (data.draw(st.integers(1, 2)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    values = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
    wcs = None
    if data.draw(st.booleans()):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.cunit, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], ["deg", "deg"], [1.0, 2.0]
        wcs.wcs.crval, wcs.wcs.cdelt = [data.draw(st.floats(0, 359)), data.draw(st.floats(-80, 80))], [-1e-5, 1e-5]
    image = MultiBandImage(
        data=values * u.uJy,
        bands=["F606W", "F160W"][: shape[0]],
        uncertainty=np.where(data.draw(hnp.arrays(bool, shape)), 0.5, 1.5) * u.uJy if data.draw(st.booleans()) else None,
        mask=data.draw(hnp.arrays(bool, shape)),
        wcs=wcs,
        redshift=data.draw(st.none() | st.floats(0, 20)),
        name=data.draw(st.text(min_size=1, max_size=20)),
        meta=data.draw(st.dictionaries(st.text(max_size=10), json_values, max_size=3)),
    )
    image.write(path)
    read = MultiBandImage.read(path)
    assert np.array_equal(read.data, image.data, equal_nan=True)
    assert np.array_equal(read.mask, image.mask)
    assert (read.bands, read.redshift, read.name, read.meta) == (image.bands, image.redshift, image.name, image.meta)
    assert (read.uncertainty is None) == (image.uncertainty is None)
    assert read.uncertainty is None or np.array_equal(read.uncertainty.array, image.uncertainty.array, equal_nan=True)
    if wcs is not None:
        assert read.sky(0, 0).separation(image.sky(0, 0)) < 1e-6 * u.arcsec


# ---- turned images

TURNS = {
    "90": (lambda a: np.rot90(a, 1, axes=(1, 2)), lambda x, y, n: (y, n - 1 - x)),
    "180": (lambda a: np.rot90(a, 2, axes=(1, 2)), lambda x, y, n: (n - 1 - x, n - 1 - y)),
    "flip": (lambda a: a[:, :, ::-1], lambda x, y, n: (n - 1 - x, y)),
}
"""Of arrays (band, y, x), and where a position goes in an image of n x n pixels."""


def turned(image, turn, *, scale=1.0):
    def moved(array):
        return None if array is None else np.ascontiguousarray(turn(array))

    sigma = None if image.uncertainty is None else moved(image.uncertainty.array) * scale * u.uJy
    return MultiBandImage(
        data=moved(image.data) * scale * u.uJy,
        bands=image.bands,
        uncertainty=sigma,
        mask=moved(image.mask),
        psf=moved(image.psf) if image.psf is not None else image.psf_fwhm if image.psf_known else None,
        pixel_scale=image.pixel_scale,
        redshift=image.redshift,
    )


@pytest.mark.parametrize("name", TURNS)
@settings(LAW, max_examples=5)
@given(st.integers(0, 1000))
def test_the_contrast_detector_turns_with_the_image(name, seed):
    turn, place = TURNS[name]
    image = example_image(seed=seed)
    image = MultiBandImage(data=image.data[:, :63, :63] * u.uJy, bands=image.bands, redshift=image.redshift)  # odd: with a middle pixel
    detector = ContrastDetector(box=11)
    before, after = detector.detect(image), detector.detect(turned(image, turn))
    x, y = place(before["x"].value, before["y"].value, 63)
    one, two = np.lexsort((y.round(4), x.round(4))), np.lexsort((after["y"].value.round(4), after["x"].value.round(4)))
    assert len(before) == len(after) > 0
    assert np.allclose(x[one], after["x"].value[two], atol=1e-3)
    assert np.allclose(y[one], after["y"].value[two], atol=1e-3)
    assert np.array_equal(np.asarray(before["n_pixels"])[one], np.asarray(after["n_pixels"])[two])


@settings(LAW, max_examples=5)
@given(st.floats(0.01, 1e4))
def test_what_the_contrast_detector_finds_does_not_depend_on_the_unit(scale):
    image = example_image(seed=1)
    before = ContrastDetector().detect(image)
    after = ContrastDetector().detect(turned(image, lambda array: array, scale=scale))
    assert len(before) == len(after) > 0
    assert np.allclose(before["x"].value, after["x"].value, atol=1e-3)


def test_nothing_in_an_empty_sky():
    image = MultiBandImage(data=np.zeros((7, 32, 32)) * u.uJy, bands=bands.CANDELS, redshift=1.0)
    with pytest.warns(NoClumpsWarning):
        found = ContrastDetector().detect(image)
    assert len(found) == 0
    assert found.colnames[:3] == ["id", "x", "y"]
