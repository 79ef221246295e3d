import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS

from astroclumps import MultiBandImage
from astroclumps.mock.psf import moffat
from astroclumps.point_spread import fwhm
from astroclumps.rebinning import rebin
from astroclumps.testing import example_image


def image(shape=(2, 6, 9), **options):
    data = np.arange(np.prod(shape), dtype=float).reshape(shape)
    return MultiBandImage(data=data * u.uJy, bands=["F606W", "F160W"], pixel_scale=0.03 * u.arcsec, redshift=2.0, name="a", **options)


def test_pixels_are_summed_and_scales_and_names_kept():
    coarse = image().rebin(3)
    assert coarse.data.shape == (2, 2, 3)
    assert coarse.data[0, 0, 0] == sum(range(3)) + sum(range(9, 12)) + sum(range(18, 21))
    assert coarse.data.sum() == image().data.sum()
    assert coarse.pixel_scale.to_value(u.arcsec) == pytest.approx(0.09)
    assert (coarse.redshift, coarse.name, coarse.bands, coarse.meta["rebinned"]) == (2.0, "a", ("F606W", "F160W"), 3)


def test_a_rest_of_rows_and_columns_is_left_out():
    assert image().rebin(4).data.shape == (2, 1, 2)


def test_variances_add_and_bad_parts_spoil_a_pixel():
    sigma = np.full((2, 6, 9), 2.0)
    sigma[0, 0, 0] = np.inf
    coarse = image(uncertainty=sigma * u.uJy).rebin(3)
    assert coarse.uncertainty.array[1, 0, 0] == pytest.approx(6.0)
    assert coarse.mask[0, 0, 0]
    assert coarse.mask.sum() == 1


def with_cd_matrix(header):
    header["CD1_1"], header["CD2_2"] = header.pop("CDELT1"), header.pop("CDELT2")
    return header


def with_both(header):
    cdelt = [header[f"CDELT{axis}"] for axis in (1, 2)]
    header = with_cd_matrix(header)
    header["PC1_1"] = header["PC2_2"] = 1.0
    header["CDELT1"], header["CDELT2"] = cdelt
    return header


@pytest.mark.parametrize("change", [lambda header: header, with_cd_matrix, with_both], ids=["cdelt", "cd", "both"])
def test_places_on_the_sky_stay(change):
    fine = example_image()
    wcs = WCS(change(fine.wcs.to_header()))
    fine = MultiBandImage(data=fine.data * u.uJy, bands=fine.bands, wcs=wcs)
    coarse = fine.rebin(2)
    # the middle of a new pixel is the corner that its four parts share
    assert fine.sky(10.5, 20.5).separation(coarse.sky(5, 10)).to_value(u.arcsec) < 1e-6
    assert coarse.rebin(2).meta["rebinned"] == 4


@pytest.mark.parametrize("side", [64, 65])
@pytest.mark.parametrize("factor", [2, 3])
def test_point_spread_functions_keep_their_sum_and_middle(side, factor):
    kernel = moffat(0.24, size=side, pixel_scale=0.03)
    coarse = image(psf=kernel).rebin(factor).psf[0]
    assert coarse.sum() == pytest.approx(1)
    assert np.allclose(coarse, coarse[::-1, ::-1], atol=1e-12)
    assert len(coarse) % 2 == 1
    assert coarse.argmax() == coarse.size // 2
    # a width of 8 fine pixels, broadened a little by the larger ones
    assert 1 <= fwhm(coarse) * factor / fwhm(kernel) < 1.12


def test_a_given_width_stays_and_an_unknown_one_stays_unknown():
    assert image(psf=0.2 * u.arcsec).rebin(2).psf_fwhm[0] == 0.2 * u.arcsec
    assert not image().rebin(2).psf_known


@pytest.mark.parametrize("factor", [0, -1, 1.5, True, "2"])
def test_factors_that_mean_nothing_are_refused(factor):
    with pytest.raises(ValueError, match="whole number"):
        rebin(image(), factor)


def test_factors_larger_than_the_image_are_refused():
    with pytest.raises(ValueError, match="leaves nothing"):
        rebin(image(), 7)
