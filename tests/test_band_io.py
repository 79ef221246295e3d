import gzip

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astroclumps import MultiBandImage, bands, io
from astroclumps.exceptions import AstroclumpsWarning, ImageError

RNG = np.random.default_rng(5)
FINE = RNG.normal(1, 0.1, (24, 28))
COARSE = RNG.normal(1, 0.1, (12, 14))
SCALE = {"PIXSCALE": 0.06}


def make_wcs(scale=0.06, shift=(0.0, 0.0), *, cd=True):
    """The 0.03" grid starts at the same corner as the 0.06" one: pixel centres differ by half a fine pixel."""
    corner = np.array([2.5, 3.5]) * 0.06 / scale  # crpix - 0.5 in units of pixels
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [189.228621, 62.238572]
    wcs.wcs.crpix = corner + 0.5 + np.array(shift)
    turned = np.array([[-0.8, 0.6], [0.6, 0.8]])
    if cd:
        wcs.wcs.cd = turned * scale / 3600
    else:
        wcs.wcs.pc = turned
        wcs.wcs.cdelt = np.full(2, scale / 3600)
    wcs.wcs.set()
    return wcs


def write(path, data, *, wht=None, wcs=None, **header):
    cards = fits.Header() if wcs is None else wcs.to_header()
    cards.update(header)
    fits.writeto(path, data, cards, overwrite=True)
    if wht is not None:
        fits.writeto(path.with_name(path.name.replace("sci", "wht")), wht, overwrite=True)
    return path


def two_bands(folder, *, cd=True):
    """ACS at 0.03 arcsec and WFC3 at 0.06 arcsec over the same sky, with weights."""
    wht = np.full(FINE.shape, 4.0)
    wht[0, 0] = 0
    return {
        "F606W": write(
            folder / "acs_f606w_sci.fits", FINE, wht=wht, wcs=make_wcs(0.03, cd=cd), FILTER1="CLEAR1L", FILTER2="F606W", ABZP=26.5
        ),
        "F160W": write(
            folder / "ir_f160w_sci.fits", COARSE, wht=np.full(COARSE.shape, 25.0), wcs=make_wcs(cd=cd), FILTER="F160W", ABZP=25.9
        ),
    }


def factor(zeropoint):
    return 10 ** (-0.4 * (zeropoint - 23.9))


def test_acs_is_rebinned_by_summing_flux(tmp_path):
    # METHODS 2: 2x2 by summing flux
    two_bands(tmp_path)
    image = MultiBandImage.read(tmp_path)
    assert image.bands == ("F606W", "F160W")
    assert image.data.shape == (2, 12, 14)
    blocks = FINE[0::2, 0::2] + FINE[1::2, 0::2] + FINE[0::2, 1::2] + FINE[1::2, 1::2]
    np.testing.assert_allclose(image.band("F606W"), blocks * factor(26.5), rtol=1e-6)
    np.testing.assert_allclose(image.band("F606W").sum(), FINE.sum() * factor(26.5), rtol=1e-6)
    np.testing.assert_allclose(image.band("F160W"), COARSE * factor(25.9), rtol=1e-6)


def test_variances_add_and_a_bad_part_masks_the_pixel(tmp_path):
    two_bands(tmp_path)
    image = io.read_bands(tmp_path)
    assert image.mask.sum() == 1
    assert image.mask[0, 0, 0]
    # four pixels of sigma = 1 / sqrt(4) = 0.5 make one of 1
    np.testing.assert_allclose(image.uncertainty.array[0][~image.mask[0]], factor(26.5), rtol=1e-6)
    np.testing.assert_allclose(image.uncertainty.array[1], 0.2 * factor(25.9), rtol=1e-6)


def test_nan_in_a_part_masks_the_pixel(tmp_path):
    fine = FINE.copy()
    fine[3, 2] = np.nan
    write(tmp_path / "f606w.fits", fine, PIXSCALE=0.03, ABZP=26.5)
    image = io.read_bands(tmp_path / "f606w.fits")
    assert np.argwhere(image.mask).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("cd", [True, False])
@pytest.mark.parametrize("order", [["F606W", "F160W"], ["F160W", "F606W"]])
def test_sky_positions_survive_the_rebinning(tmp_path, cd, order):
    image = io.read_bands(two_bands(tmp_path, cd=cd), bands=order)
    assert abs(image.pixel_scale - 0.06 * u.arcsec) < 1e-6 * u.arcsec
    x, y = np.array([0.0, 13.0, 6.5]), np.array([0.0, 11.0, 5.5])
    expected = make_wcs(0.03).pixel_to_world(2 * x + 0.5, 2 * y + 0.5).icrs
    # far better than 0.01 pixel of 0.06 arcsec
    assert (image.sky(x, y).separation(expected) < 1e-4 * 0.06 * u.arcsec).all()


def test_cutout_equals_cut_of_the_whole(tmp_path):
    files = two_bands(tmp_path)
    whole = io.read_bands(files)
    part = io.read_bands(files, x=6, y=5, size=(6, 8))
    expected = whole.cutout(6, 5, (6, 8))
    np.testing.assert_array_equal(part.data, expected.data)
    np.testing.assert_array_equal(part.uncertainty.array, expected.uncertainty.array)
    assert (part.meta["x0"], part.meta["y0"]) == (expected.meta["x0"], expected.meta["y0"]) == (2, 2)
    assert part.sky(1, 2).separation(expected.sky(1, 2)) < 1e-6 * u.arcsec


def test_cutout_of_compressed_files(tmp_path):
    files = two_bands(tmp_path)
    whole = io.read_bands(files)
    for path in tmp_path.glob("*.fits"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    part = MultiBandImage.read(str(tmp_path / "*_sci.fits.gz"), x=6, y=5, size=4)
    np.testing.assert_array_equal(part.data, whole.cutout(6, 5, 4).data)
    assert part.uncertainty is not None


def test_odd_size_is_an_error_without_a_cutout(tmp_path):
    write(tmp_path / "f606w.fits", FINE[:, :-1], PIXSCALE=0.03, ABZP=26.5)
    with pytest.raises(ImageError, match=r"f606w\.fits has the shape \(24, 27\), which cannot be rebinned 2 x 2"):
        io.read_bands(tmp_path / "f606w.fits")
    assert io.read_bands(tmp_path / "f606w.fits", x=6, y=6, size=12).data.shape == (1, 12, 12)


def test_shapes_that_differ_after_rebinning_name_the_files(tmp_path):
    write(tmp_path / "f606w.fits", FINE, PIXSCALE=0.03, ABZP=26.5)
    write(tmp_path / "f160w.fits", COARSE[:10], ABZP=25.9, **SCALE)
    with pytest.raises(ImageError, match=r"f606w\.fits \(12, 14\), .*f160w\.fits \(10, 14\)"):
        io.read_bands(tmp_path)


def test_shifted_grids_are_an_error_that_states_the_shift(tmp_path):
    files = two_bands(tmp_path)
    write(files["F160W"], COARSE, wcs=make_wcs(shift=(1.5, 0)), FILTER="F160W", ABZP=25.9)
    with pytest.raises(ImageError, match=r"not on a common grid: they are shifted by \((-)?1\.50, (-)?0\.00\)"):
        io.read_bands(files)


@pytest.mark.parametrize("scale", [0.04, 0.05, 0.12])
def test_scales_that_do_not_fit_are_errors(tmp_path, scale):
    write(tmp_path / "f160w.fits", COARSE, ABZP=25.9, PIXSCALE=scale)
    with pytest.raises(ImageError, match="do not fit a whole number of times"):
        io.read_bands(tmp_path / "f160w.fits")


def test_another_pixel_scale(tmp_path):
    write(tmp_path / "f115w.fits", FINE, BUNIT="uJy", PIXSCALE=0.03)
    image = io.read_bands(tmp_path / "f115w.fits", pixel_scale=0.03 * u.arcsec)
    assert image.data.shape == (1, 24, 28)
    assert image.pixel_scale == 0.03 * u.arcsec
    with pytest.raises(TypeError, match="angle"):
        io.read_bands(tmp_path / "f115w.fits", pixel_scale=0.03)


def test_native_scale_given(tmp_path):
    write(tmp_path / "f606w.fits", FINE, ABZP=26.5)
    write(tmp_path / "f160w.fits", COARSE, ABZP=25.9)
    image = io.read_bands(tmp_path, native_scale={"F606W": 0.03 * u.arcsec, "F160W": 0.06 * u.arcsec})
    assert image.data.shape == (2, 12, 14)
    with pytest.raises(TypeError, match="native_scale must be an angle"):
        io.read_bands(tmp_path, native_scale=0.03)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"BUNIT": "uJy"}, 1.0),
        ({"BUNIT": "nJy"}, 1e-3),
        ({"BUNIT": "Jy"}, 1e6),
        ({"BUNIT": "MJy/sr"}, 1e12 * (0.06 / 206264.80624709636) ** 2),
        ({"BUNIT": "electrons/s", "ABZP": 26.0}, factor(26.0)),
        ({"BUNIT": "counts/s", "ZPAB": 26.0}, factor(26.0)),
        ({"BUNIT": "ELECTRONS/S", "ZEROPT": "26.0"}, factor(26.0)),
        ({"BUNIT": "ELECTRONS", "EXPTIME": "100", "ABZP": 26.0}, factor(26.0) / 100),
        ({"PHOTFNU": 2e-7}, 0.2),
        ({"PHOTFLAM": 1.9275602e-20, "PHOTPLAM": 15369.176}, factor(25.946)),
        ({"ABZP": 25.0, "PHOTFNU": 2e-7}, factor(25.0)),
    ],
    ids=str,
)
def test_units_and_zeropoints_of_headers(tmp_path, header, expected):
    write(tmp_path / "f160w.fits", COARSE, **(SCALE | header))
    image = io.read_bands(tmp_path / "f160w.fits")
    np.testing.assert_allclose(image.data[0], COARSE * expected, rtol=5e-4 if "PHOTFLAM" in header else 1e-5)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ({"BUNIT": "ELECTRONS"}, "no positive EXPTIME"),
        ({"BUNIT": "furlong"}, "BUNIT 'furlong'"),
        ({"BUNIT": "Kelvin"}, "BUNIT 'Kelvin'"),
        ({"ABZP": "bright"}, "ABZP = 'bright'"),
        ({"PHOTFNU": -1.0}, "not positive"),
    ],
    ids=str,
)
def test_wrong_units_in_headers_are_errors(tmp_path, header, match):
    write(tmp_path / "f160w.fits", COARSE, **(SCALE | header))
    with pytest.raises(ImageError, match=rf"f160w\.fits.*{match}"):
        io.read_bands(tmp_path / "f160w.fits")


def test_zeropoint_and_unit_given_win_over_the_header(tmp_path):
    write(tmp_path / "f606w.fits", COARSE, ABZP=20.0, BUNIT="furlong", **SCALE)
    for zeropoint in ({"F606W": 26.0}, [26.0], 26.0 * u.ABmag):
        image = io.read_bands(tmp_path / "f606w.fits", unit=u.electron / u.s, zeropoint=zeropoint)
        np.testing.assert_allclose(image.data[0], COARSE * factor(26.0), rtol=1e-6)
    image = io.read_bands(tmp_path / "f606w.fits", unit=10 * u.nJy)
    np.testing.assert_allclose(image.data[0], COARSE * 0.01, rtol=1e-6)
    with pytest.raises(ValueError, match="zeropoint must be one value or one for each of F606W"):
        io.read_bands(tmp_path / "f606w.fits", unit=u.electron / u.s, zeropoint=[26.0, 26.0])


def test_default_zeropoint_is_taken_with_a_warning(tmp_path):
    write(tmp_path / "f160w.fits", COARSE, **SCALE)
    with pytest.warns(AstroclumpsWarning, match=r"the zeropoint of F160W is taken to be the bands' own"):
        image = io.read_bands(tmp_path / "f160w.fits")
    np.testing.assert_allclose(image.data[0], COARSE * factor(bands.get("F160W").zeropoint), rtol=1e-6)


def test_default_pixel_scale_is_taken_with_a_warning(tmp_path):
    write(tmp_path / "f160w.fits", COARSE, ABZP=25.9)
    with pytest.warns(AstroclumpsWarning, match=r"the pixel scale of F160W is taken to be 0\.06 arcsec"):
        io.read_bands(tmp_path / "f160w.fits")


def test_nircam_without_zeropoint_is_an_error(tmp_path):
    write(tmp_path / "f115w.fits", COARSE, **SCALE)
    with pytest.raises(ImageError, match=r"f115w\.fits states no zeropoint"):
        io.read_bands(tmp_path / "f115w.fits")


def test_bands_come_from_header_or_name_in_order_of_wavelength(tmp_path):
    write(tmp_path / "a.fits", COARSE, INSTRUME="WFC3", DETECTOR="IR", FILTER="F160W", ABZP=25.9, **SCALE)
    write(tmp_path / "b.fits", COARSE, INSTRUME="ACS", FILTER1="F775W", FILTER2="CLEAR2L", ABZP=25.9, **SCALE)
    write(tmp_path / "hlsp_goodsn_f435w_v1.fits", COARSE, ABZP=25.9, **SCALE)
    write(tmp_path / "c.fits", COARSE, INSTRUME="NIRCAM", FILTER="F115W", PUPIL="CLEAR", BUNIT="uJy", **SCALE)
    assert io.read_bands(tmp_path).bands == ("F435W", "F775W", "F115W", "F160W")
    assert io.read_bands([tmp_path / "a.fits", tmp_path / "b.fits"]).bands == ("F160W", "F775W")
    assert io.read_bands(tmp_path, bands=["F775W", "F435W"]).bands == ("F775W", "F435W")


def test_bands_that_cannot_be_told(tmp_path):
    write(tmp_path / "picture.fits", COARSE)
    with pytest.raises(ImageError, match=r"the band of .*picture\.fits is neither in its header"):
        io.read_bands(tmp_path / "picture.fits")
    image = io.read_bands({"F160W": tmp_path / "picture.fits"}, zeropoint=25.9, native_scale=0.06 * u.arcsec)
    assert image.bands == ("F160W",)


def test_unknown_filters_are_skipped_only_when_bands_are_named(tmp_path):
    write(tmp_path / "a.fits", COARSE, FILTER="F475W", ABZP=25.9, **SCALE)
    write(tmp_path / "uvis.fits", COARSE, INSTRUME="WFC3", DETECTOR="UVIS", FILTER="F606W", ABZP=25.9, **SCALE)
    write(tmp_path / "f160w.fits", COARSE, ABZP=25.9, **SCALE)
    for name in ("a.fits", "uvis.fits"):
        with pytest.raises(ImageError, match=rf"{name} is in the filter .*none of the known bands"):
            io.read_bands(tmp_path / name)
    assert io.read_bands(tmp_path, bands=["F160W"]).bands == ("F160W",)
    with pytest.raises(ImageError, match="no file for the bands F606W; there are files for F160W"):
        io.read_bands(tmp_path, bands=["F160W", "F606W"])


def test_mapping_that_contradicts_the_header(tmp_path):
    write(tmp_path / "a.fits", COARSE, FILTER="F125W", ABZP=25.9, **SCALE)
    with pytest.raises(ImageError, match=r"a\.fits was given as F160W, but its header says F125W"):
        io.read_bands({"F160W": tmp_path / "a.fits"})


def test_two_files_of_one_band_name_both(tmp_path):
    for name in ("f160w_1.fits", "f160w_2.fits"):
        write(tmp_path / name, COARSE, ABZP=25.9, **SCALE)
    with pytest.raises(ImageError, match=r"two files hold the band F160W: .*_1\.fits and .*_2\.fits"):
        io.read_bands(tmp_path)


@pytest.mark.parametrize("path", ["*.fits", "nothing.fits", {}, []], ids=["glob", "file", "mapping", "list"])
def test_no_files(tmp_path, path):
    with pytest.raises(ImageError, match="no (image )?files"):
        io.read_bands(str(tmp_path / path) if isinstance(path, str) else path)


def test_weights_in_the_same_file(tmp_path):
    header = fits.Header({"FILTER": "F160W", "ABZP": 25.9, "PIXSCALE": 0.06})
    hdus = [fits.PrimaryHDU(header=header), fits.ImageHDU(COARSE, name="SCI"), fits.ImageHDU(np.full(COARSE.shape, 4.0), name="WHT")]
    fits.HDUList(hdus).writeto(tmp_path / "a_drz.fits")
    image = io.read_bands(tmp_path / "a_drz.fits")
    np.testing.assert_allclose(image.uncertainty.array, 0.5 * factor(25.9), rtol=1e-6)
    assert io.read_bands(tmp_path / "a_drz.fits", weights=False).uncertainty is None


def test_weights_given(tmp_path):
    write(tmp_path / "f160w.fits", COARSE, ABZP=25.9, **SCALE)
    write(tmp_path / "weight_of_h.fits", np.full(COARSE.shape, 4.0))
    for weights in ({"F160W": tmp_path / "weight_of_h.fits"}, [tmp_path / "weight_of_h.fits"]):
        image = io.read_bands(tmp_path / "f160w.fits", weights=weights)
        np.testing.assert_allclose(image.uncertainty.array, 0.5 * factor(25.9), rtol=1e-6)
    with pytest.raises(ImageError, match="no weight file for F160W"):
        io.read_bands(tmp_path / "f160w.fits", weights={})
    with pytest.raises(ImageError, match="0 weight files were given for 1 images"):
        io.read_bands(tmp_path / "f160w.fits", weights=[])


def test_weights_of_another_shape_name_both_files(tmp_path):
    write(tmp_path / "f160w_sci.fits", COARSE, wht=np.ones((12, 13)), ABZP=25.9, **SCALE)
    with pytest.raises(ImageError, match=r"f160w_wht\.fits have the shape \(12, 13\), the image .*f160w_sci\.fits has \(12, 14\)"):
        io.read_bands(tmp_path / "f160w_sci.fits")


def test_weights_for_some_bands_only(tmp_path):
    files = two_bands(tmp_path)
    (tmp_path / "ir_f160w_wht.fits").unlink()
    with pytest.raises(ImageError, match=r"no weights for .*ir_f160w_sci\.fits"):
        io.read_bands(files)
    assert io.read_bands(files, weights=False).uncertainty is None


def test_cutout_outside_or_incomplete(tmp_path):
    files = two_bands(tmp_path)
    with pytest.raises(ImageError, match=r"does not lie inside .*f606w_sci\.fits, which has 14 x 12 pixels"):
        io.read_bands(files, x=1, y=1, size=8)
    with pytest.raises(ValueError, match="a cut-out needs x, y and size"):
        io.read_bands(files, x=1, y=1)


def test_cubes_are_not_bands(tmp_path):
    write(tmp_path / "f160w.fits", np.ones((2, 4, 4)))
    with pytest.raises(ImageError, match=r"f160w\.fits has the shape \(2, 4, 4\).*2 dimensions are needed"):
        io.read_bands(tmp_path / "f160w.fits")


def test_scaled_integers_are_read_as_numbers(tmp_path):
    hdu = fits.PrimaryHDU(np.arange(12, dtype=np.int16).reshape(3, 4), fits.Header({"BUNIT": "uJy", "PIXSCALE": 0.06}))
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.5, 10.0
    hdu.writeto(tmp_path / "f160w.fits")
    image = io.read_bands(tmp_path / "f160w.fits", x=1, y=1, size=2)
    whole = fits.getdata(tmp_path / "f160w.fits")
    np.testing.assert_allclose(image.data[0], whole[0:2, 0:2])


def test_options_reach_the_image(tmp_path):
    image = io.read_bands(two_bands(tmp_path), redshift=1.5, psf=0.2 * u.arcsec, name="galaxy")
    assert (image.redshift, image.name, image.psf_known) == (1.5, "galaxy", True)
    assert image.meta["files"] == ["acs_f606w_sci.fits", "ir_f160w_sci.fits"]
    with pytest.raises(ImageError, match="redshift"):
        io.read_bands(tmp_path, redshift=-1)
