"""`fit_light` on Sersic profiles whose shape is known."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from astroclumps.mock.light_fit import fit_light
from astroclumps.mock.psf import moffat


def sersic(q, angle, r_eff, n, *, centre=(31.5, 31.5), size=64, fwhm=0.17, fine=4):
    """A profile on fine pixels, summed and blurred."""
    pad = 16
    y, x = (np.mgrid[: (size + 2 * pad) * fine, : (size + 2 * pad) * fine] - (fine - 1) / 2) / fine - pad
    x, y = x - centre[0], y - centre[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    b = 2 * n - 1 / 3 + 9.876e-3 / n
    image = np.exp(-b * ((np.hypot(along, across / q) / r_eff) ** (1 / n) - 1))
    image = image.reshape(size + 2 * pad, fine, size + 2 * pad, fine).mean(axis=(1, 3))
    return fftconvolve(image, moffat(fwhm, size=33, pixel_scale=0.06), mode="same")[pad:-pad, pad:-pad]


@pytest.mark.parametrize(("q", "angle", "r_eff", "n"), [(0.3, 0.4, 8, 1.0), (0.5, -1.2, 5, 0.6), (0.8, 1.0, 10, 1.5), (0.6, 0.1, 4, 2.5)])
def test_known_profiles_come_back(q, angle, r_eff, n):
    image = sersic(q, angle, r_eff, n)
    fit = fit_light(image, noise=3e-3 * image.max(), psf_fwhm=0.17)
    assert fit.success
    assert fit.axis_ratio == pytest.approx(q, abs=0.03)
    assert np.cos(2 * (fit.angle - angle)) > 0.99
    assert fit.r_eff == pytest.approx(r_eff, rel=0.1)
    assert fit.n_sersic == pytest.approx(n, rel=0.2)
    assert fit.flux == pytest.approx(image.sum(), rel=0.02)


def test_round_galaxy_and_its_centre():
    fit = fit_light(sersic(1.0, 0, 6, 1.0, centre=(35.2, 27.9)), noise=0.01, psf_fwhm=0.17)
    assert fit.success
    assert fit.axis_ratio > 0.97
    assert (fit.x, fit.y) == pytest.approx((35.2, 27.9), abs=0.05)


def test_noise_and_a_bright_clump_change_little():
    image = sersic(0.6, 0.5, 8, 1.0)
    y, x = np.mgrid[:64, :64]
    clump = np.exp(-((x - 38) ** 2 + (y - 36) ** 2) / 8)
    clump *= 0.05 * image.sum() / clump.sum()
    noise = 0.02 * image.max()
    noisy = image + clump + np.random.default_rng(1).normal(0, noise, image.shape)
    fit = fit_light(noisy, noise=noise, psf_fwhm=0.17)
    assert fit.success
    assert fit.axis_ratio == pytest.approx(0.6, abs=0.08)


def test_units_do_not_matter():
    image = sersic(0.7, 0.5, 8, 1.0)
    one = fit_light(image, noise=1e-2, psf_fwhm=0.17, electrons_per_unit=1e3)
    other = fit_light(1e-3 * image, noise=1e-5, psf_fwhm=0.17, electrons_per_unit=1e6)
    assert other.axis_ratio == pytest.approx(one.axis_ratio, abs=1e-4)


def test_photon_noise_gives_the_outskirts_more_weight():
    image = 100 * (sersic(1.0, 0, 2, 1.0) + 0.1 * sersic(0.4, 0, 12, 1.0))  # a round core in a flat disc
    dark = fit_light(image, noise=0.1, psf_fwhm=0.17)
    bright = fit_light(image, noise=0.1, psf_fwhm=0.17, electrons_per_unit=1.0)
    assert bright.axis_ratio < dark.axis_ratio


@pytest.mark.parametrize("what", ["nothing", "edge", "point", "wide"])
def test_what_is_no_galaxy_in_the_image_fails(what):
    y, x = np.mgrid[:64, :64]
    image = {
        "nothing": np.zeros((64, 64)),
        "edge": sersic(0.8, 0, 5, 1.0, centre=(3, 31)),
        "point": np.where((x == 32) & (y == 32), 1.0, 0.0),
        "wide": np.ones((64, 64)),
    }[what]
    assert not fit_light(image, noise=1e-3, psf_fwhm=0.17).success


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"finite array \(y, x\)"):
        fit_light(np.zeros((2, 8, 8)), noise=1, psf_fwhm=0.17)
    with pytest.raises(ValueError, match="must be positive"):
        fit_light(np.ones((8, 8)), noise=0, psf_fwhm=0.17)
