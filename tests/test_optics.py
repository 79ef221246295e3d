"""From light to pixels: native pixels, point-spread functions, kernels."""

import astropy.units as u
import numpy as np
import pytest
from mock_light import moments

from astroclumps import MockImager, bands
from astroclumps.mock.optics import Optics, read_psf
from astroclumps.mock.psf import moffat
from astroclumps.point_spread import fwhm

NAMES = tuple(band.name for band in bands.CANDELS)


def optics_image(x, y, *, shape=(21, 21), names=NAMES, scale=0.06, psf=None, sigma=0.0):
    """A point of unit flux at a pixel of the image, by the loops of the imager."""
    from astroclumps.mock.particle_kernels import deposit_light, transmission_table

    optics = Optics(names, shape, scale, psf, widest=sigma)
    fine = scale / optics.fine
    position = np.array([[(x - (shape[1] - 1) / 2) * fine, (y - (shape[0] - 1) / 2) * fine, 0.0]])
    maps = np.zeros((len(optics.widths), *optics.full, len(names)))
    level, share = optics.levels(np.array([sigma]))
    none, flux = np.empty((0, len(names)), dtype=np.float32), np.ones((1, len(names)), dtype=np.float32)
    no_dust = np.empty(0, dtype=np.float32), np.ones(len(names)), transmission_table(0.0)
    deposit_light(position, flux, *no_dust, level, share, np.eye(3), 1.0, optics.middle, maps.reshape(*maps.shape[:2], -1), none)
    return optics.image(maps)


def test_acs_is_rebinned_by_summing_its_native_pixels():
    # the middle of a pixel of 0.06" is the corner of four of 0.03": each holds the Moffat profile there, summed they are the pixel's flux
    image = optics_image(10, 10, names=("F606W",))[0]
    fine = moffat(0.08, size=21 * 10, pixel_scale=0.006)  # the middle lies between its pixels
    exact = fine.reshape(21, 10, 21, 10).sum(axis=(1, 3))
    assert image.sum() == pytest.approx(1, abs=2e-4)  # the rest lies beyond the image
    np.testing.assert_allclose(image, exact, atol=0.02 * exact.max())


def test_wfc3_has_its_point_spread_function_in_its_pixels():
    image = optics_image(10, 10, names=("F606W", "F160W"))[1]
    exact = moffat(0.17, size=33, pixel_scale=0.06)[6:-6, 6:-6]
    np.testing.assert_allclose(image, exact, atol=0.005 * exact.max())


@pytest.mark.parametrize(("x", "y"), [(10, 10), (9.5, 10.5), (8.37, 11.81), (10.25, 9.1)])
def test_a_point_lies_where_it_is_put_in_every_band(x, y):
    for image in optics_image(x, y):
        cx, cy, *_ = moments(np.where(np.hypot(*np.mgrid[:21, :21] - np.array([y, x])[:, None, None]) < 8, image, 0))
        assert (cx, cy) == (pytest.approx(x, abs=0.02), pytest.approx(y, abs=0.02))
        assert image.sum() == pytest.approx(1, abs=0.01)  # the rest is beyond the image


@pytest.mark.parametrize("width", [0.12, 0.15, 0.2, 0.3])
def test_measured_widths_are_those_asked_for(width):
    kernel = Optics(("F105W",), (41, 41), 0.06, [width]).kernels(41)[0]
    # a square pixel of 0.06" widens the core by about its own dispersion
    assert fwhm(kernel) * 0.06 == pytest.approx(np.sqrt(width**2 + 2.355**2 * 0.06**2 / 12), rel=0.05)


def test_the_default_widths_are_those_of_the_bands():
    fine = Optics(NAMES[:4], (81, 81), 0.03).kernels(81)
    coarse = Optics(NAMES[4:], (41, 41), 0.06).kernels(41)
    for name, kernel, scale in zip(NAMES, [*fine, *coarse], [0.03] * 4 + [0.06] * 3, strict=True):
        expected = np.sqrt(bands.get(name).psf_fwhm.value ** 2 + 2.355**2 * scale**2 / 12)
        assert fwhm(kernel) * scale == pytest.approx(expected, rel=0.05), name


def test_a_given_point_spread_function_comes_out_of_the_image():
    y, x = np.mgrid[-8:9, -8:9]
    given = np.exp(-0.5 * (x**2 / 1.6**2 + y**2 / 1.2**2)) + 0.1 * np.exp(-0.5 * ((x - y) ** 2 / 9 + (x + y) ** 2 / 2))
    given /= given.sum()
    wfc3 = optics_image(20, 20, shape=(41, 41), names=("F160W",), psf={"F160W": given})[0]
    np.testing.assert_allclose(wfc3[12:29, 12:29], given, atol=0.02 * given.max())
    # ACS: the native pixel 40 has its middle at (40 + 0.5) / 2 - 0.5; blocks of 2x2 are summed
    acs = optics_image(19.75, 19.75, shape=(41, 41), names=("F606W",), psf={"F606W": given})[0]
    native = np.zeros((82, 82))
    native[32:49, 32:49] = given
    np.testing.assert_allclose(acs, native.reshape(41, 2, 41, 2).sum(axis=(1, 3)), atol=0.02 * acs.max())
    assert (wfc3.sum(), acs.sum()) == (pytest.approx(1, abs=1e-5), pytest.approx(1, abs=1e-5))


def test_an_off_centre_or_even_point_spread_function_is_centred():
    y, x = np.mgrid[:40, :36]
    given = 3 * np.exp(-0.5 * ((x - 14.3) ** 2 + (y - 22.6) ** 2) / 1.5**2)
    cx, cy, *_ = moments(optics_image(10, 10, names=("F160W",), psf={"F160W": given})[0])
    assert (cx, cy) == (pytest.approx(10, abs=0.02), pytest.approx(10, abs=0.02))


@pytest.mark.parametrize("sigma", [0.011, 0.02, 0.045, 0.1])
def test_kernels_add_their_variance_and_keep_flux(sigma):
    plain, wide = (optics_image(20, 20, shape=(41, 41), names=("F606W",), sigma=s)[0] for s in (0.0, sigma))
    assert wide.sum() == pytest.approx(plain.sum(), abs=1e-5)
    added = moments(wide)[2] - moments(plain)[2]
    assert np.sqrt(added) * 0.06 == pytest.approx(sigma, rel=0.03)


def test_pixels_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match='no whole multiple of 0.06", the native pixel of F160W'):
        Optics(("F160W",), (8, 8), 0.1)
    assert Optics(("F606W",), (8, 8), 0.03).image(np.zeros((1, 40, 40, 1))).shape == (1, 8, 8)


@pytest.mark.real_data
def test_real_point_spread_functions_are_read_and_used(real_data):
    with pytest.raises(ValueError, match="has pixels of 0.06"):
        read_psf(real_data / "psf" / "F160W_rebin.fits", pixel_scale=0.03 * u.arcsec)
    measured = {"F435W": "psf_gs_old_acs_f435w_30mas_centered", "F850LP": "psf_acs_goods-s_f850l_30mas_centered"}
    measured |= {f"{name}W": f"psf_acs_goods-s_{name.lower()}w_30mas_centered" for name in ("F606", "F775")}
    measured |= {f"{name}W": f"gn_all_5epoch_{name.lower()}w_v0.1" for name in ("F105", "F125", "F160")}
    psf = {name: read_psf(real_data / "psf" / f"{file}.fits") for name, file in measured.items()}
    for name, given in psf.items():
        native = bands.get(name).pixel_scale
        kernel = Optics((name,), (41, 41), native.value, psf).kernels(41)[0]
        row, column = np.unravel_index(given.argmax(), given.shape)
        # ACS has about two native pixels in a width: a lone star is right to 7% of its peak there, 3% in the rebinned image
        close = 0.02 if native.value > 0.05 else 0.12
        assert fwhm(kernel) == pytest.approx(fwhm(given[row - 20 : row + 21, column - 20 : column + 21]), rel=close), name
    imager = MockImager(psf=psf)
    np.testing.assert_allclose(imager.psf_arrays.sum(axis=(1, 2)), 1)
    assert abs(imager.psf_arrays - MockImager().psf_arrays).max() > 0.01
