"""Files in the layout of the VELA release, made by `write_vela` or here: no real file of the release was at hand."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astroclumps import MultiBandImage
from astroclumps.exceptions import AstroclumpsWarning, ImageError
from astroclumps.hlsp import VelaName, VelaView, parse_name, read_vela, write_vela
from astroclumps.mock.cameras import Camera

CAMERA = Camera(name="cam17", direction=(0.36, 0.48, 0.8), up=(-0.8, 0.6, 0.0))
GAUSS = np.exp(-0.5 * (np.hypot(*(np.mgrid[:5, :5] - 2)) / 0.9) ** 2)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(1, 0.1, shape).astype(np.float32)


def make(bands=("F160W",), shape=(8, 8), scale=0.06, redshift=1.439, **options):
    data = values(len(bands), *shape) * u.uJy
    return MultiBandImage(data=data, bands=bands, pixel_scale=scale * u.arcsec, redshift=redshift, **options)


def write(folder, image=None, galaxy=7, camera=CAMERA, **options):
    return write_vela(make() if image is None else image, folder, galaxy=galaxy, camera=camera, **options)


def foreign(path, data, scale, *, name="IMAGE_PSF", extra=(), **cards):
    """A file that has nothing of our own in it."""
    header = fits.Header({"IMUNIT": "muJy/SqArcsec", "PIXSCALE": scale, "REDSHIFT": 1.439} | cards)
    header["EXTNAME"] = name
    header = fits.Header([card for card in header.cards if card.value is not None])
    fits.HDUList([fits.PrimaryHDU(np.asarray(data, dtype=float), header), *extra]).writeto(path, overwrite=True)
    return path


def acs(folder, band="f606w", **parts):
    return (
        folder
        / VelaName(
            **{"galaxy": 7, "camera": 17, "scale_factor": 0.41, "observatory": "hst", "instrument": "acs", "filter": band} | parts
        ).filename
    )


def wfc3(folder, band="f160w", **parts):
    return acs(folder, band, **{"instrument": "wfc3"} | parts)


def spot(n, scale, x, y, sigma):
    """Flux in pixels of a Gaussian of unit flux at (x, y) arcsec from the middle of the field."""
    from scipy.special import erf

    edges = (np.arange(n + 1) - n / 2) * scale
    along = [np.diff(erf((edges - at) / sigma / np.sqrt(2))) / 2 for at in (y, x)]
    return np.outer(*along)


def centroid(plane):
    y, x = np.indices(plane.shape)
    return (plane * x).sum() / plane.sum(), (plane * y).sum() / plane.sum()


# ---- units and keywords


def test_surface_brightness_becomes_flux_per_true_pixel(tmp_path):
    # 1 uJy/arcsec2 on pixels of 0.061": 0.003721 uJy; TPIX, the nominal 0.06", is not used
    image = read_vela(foreign(wfc3(tmp_path), np.ones((8, 8)), 0.061, TPIX=0.06))
    np.testing.assert_allclose(image.data, 0.061**2, rtol=1e-6)
    assert image.pixel_scale == 0.061 * u.arcsec
    assert image.bands == ("F160W",)
    assert image.redshift == 1.439


def test_nanojanskies_are_flux_per_pixel(tmp_path):
    image = read_vela(foreign(wfc3(tmp_path, version="v3-2", dust="mw"), np.full((8, 8), 5.0), 0.06, IMUNIT="nanoJanskies"))
    np.testing.assert_allclose(image.data, 5e-3)
    assert image.meta["dust"] == "mw"


def test_zeropoint_of_a_known_file_fits_its_pixels(tmp_path):
    # vela10 cam00 a0.500 F814W of the release: ABZP 31.505436, 205 pixels over a field of 800 * 0.0077189"; TPIX would be 0.4% off
    side = 800 * 0.0077189 / 205
    read_vela(foreign(acs(tmp_path), np.ones((8, 8)), side, ABZP=31.505436))
    with pytest.raises(
        ImageError, match=r"f606w_v3_sim.fits \(HDU IMAGE_PSF\) has ABZP = 31.505436, .* pixels of 0.03012.*PIXSCALE = 0.03;"
    ):
        read_vela(foreign(acs(tmp_path), np.ones((8, 8)), 0.03, ABZP=31.505436))


def test_a_native_scale_settles_a_contradiction(tmp_path):
    path = foreign(acs(tmp_path), np.ones((8, 8)), 0.03, ABZP=31.505436)
    image = read_vela(path, native_scale={"F606W": 0.03012 * u.arcsec})
    assert image.pixel_scale.value == pytest.approx(0.06024)
    np.testing.assert_allclose(image.data, 4 * 0.03012**2, rtol=1e-6)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"IMUNIT": None}, r"\(HDU IMAGE_PSF\) has no IMUNIT, .*; give unit"),
        ({"IMUNIT": "W/m/m^2/Sr"}, r"\(HDU IMAGE_PSF\) has IMUNIT = 'W/m/m\^2/Sr', which is not known; give unit"),
        ({"PIXSCALE": None}, r"\(HDU IMAGE_PSF\) has no PIXSCALE or PIXSIZE, .*; give native_scale"),
        ({"PIXSCALE": -1.0}, r"\(HDU IMAGE_PSF\) has PIXSCALE = -1.0, which is not positive"),
        ({"PIXSCALE": "wide"}, r"\(HDU IMAGE_PSF\) has PIXSCALE = 'wide', which is not a number"),
        ({"REDSHIFT": "?"}, r"\(HDU IMAGE_PSF\) has REDSHIFT = '\?', which is not a number"),
        ({"FILTER": "hst/wfc3_f125w"}, r"\(HDU IMAGE_PSF\) has FILTER = 'hst/wfc3_f125w', but its name or bands= says F160W"),
        ({"APROXPSF": 0.0}, r"\(HDU IMAGE_PSF\) has APROXPSF = 0.0, which is not positive"),
        ({"CAMDIRX": 1.0, "CAMDIRY": 0.0}, r"\(HDU IMAGE_PSF\) has CAMDIRX, CAMDIRY, but no CAMDIRZ, CAMUPX"),
        ({"PIXSCALE": 0.1}, r"pixels of 0.1 arcsec, which do not fit a whole number of times into 0.06"),
    ],
)
def test_a_bad_keyword_is_named_with_file_and_hdu(tmp_path, cards, message):
    with pytest.raises(ImageError, match=f"f160w_v3_sim.fits.*{message}"):
        read_vela(foreign(wfc3(tmp_path), np.ones((32, 32)), **{"scale": cards.get("PIXSCALE", 0.06)} | {k: v for k, v in cards.items()}))


def test_hdus_are_found_by_name_wherever_they_are(tmp_path):
    psf = fits.ImageHDU(np.full((8, 8), 2.0), fits.Header({"IMUNIT": "nanoJanskies", "PIXSCALE": 0.06}), name="IMAGE_PSF")
    path = foreign(wfc3(tmp_path), np.full((40, 40), 3.0), 0.012, name="IMAGE_PRISTINE", IMUNIT="nanoJanskies", extra=[psf])
    assert read_vela(path).data.shape == (1, 8, 8)
    pristine = read_vela(path, hdu="IMAGE_PRISTINE")
    assert pristine.data.shape == (1, 40, 40)
    np.testing.assert_allclose(pristine.data, 3e-3)
    assert pristine.pixel_scale == 0.012 * u.arcsec
    with pytest.raises(ImageError, match="no image HDU IMAGE_PRISTINE_NONSCATTER; its HDUs are IMAGE_PRISTINE .*, IMAGE_PSF"):
        read_vela(path, hdu="IMAGE_PRISTINE_NONSCATTER")


def test_the_redshift_comes_from_the_name_where_no_header_states_it(tmp_path):
    image = read_vela(foreign(wfc3(tmp_path), np.ones((8, 8)), 0.06, REDSHIFT=None))
    assert image.redshift == pytest.approx(1 / 0.41 - 1)
    assert "from the scale factor 0.410 in the name" in image.meta["assumed"][0]
    assert "assumed" not in read_vela(foreign(wfc3(tmp_path), np.ones((8, 8)), 0.06)).meta


def test_a_redshift_that_does_not_fit_the_name_is_said(tmp_path):
    with pytest.warns(AstroclumpsWarning, match="REDSHIFT = 2.0, a scale factor of 0.3333, but its name says 0.410"):
        assert read_vela(foreign(wfc3(tmp_path), np.ones((8, 8)), 0.06, REDSHIFT=2.0)).redshift == 2.0


def test_contradictory_scales_leave_out_the_kpc_of_a_pixel(tmp_path):
    # PIXKPC of the pristine image on the rebinned one
    path = foreign(wfc3(tmp_path), np.ones((8, 8)), 0.06, PIXKPC=0.0625, PSCALE=8.6)
    with pytest.warns(AstroclumpsWarning, match="contradicts itself on kpc per arcsec: 1.0417 by PIXKPC of HDU IMAGE_PSF, 8.6 by PSCALE"):
        image = read_vela(path)
    assert "pixel_kpc" not in image.meta
    with pytest.raises(ImageError, match="state no CAMDIRX-Z, CAMUPX-Z, PIXKPC"):
        VelaView.from_image(image)


def test_an_image_of_the_later_version_is_read_with_camera_origin_and_psf_of_its_other_hdus(tmp_path):
    # primary without kpc and camera; they stand with the pristine image, the origin in SFRHIST, the PSF in an HDU named after the filter
    pristine = fits.ImageHDU(np.ones((80, 80)), name="IMAGE_PRISTINE")
    pristine.header.update({"IMUNIT": "nanoJanskies", "PIXSIZE": 0.006, "PIXKPC": 0.05})
    for name, vector in (("CAMDIR", CAMERA.direction), ("CAMUP", CAMERA.up)):
        pristine.header.update({f"{name}{axis}": value for axis, value in zip("XYZ", vector, strict=True)})
    kernel = fits.ImageHDU(GAUSS, fits.Header({"PIXSCALE": 0.06}), name="F160W")
    origin = fits.ImageHDU(name="SFRHIST")
    for axis, value in zip("XYZ", (1.0, 2.0, 3.0), strict=True):
        origin.header[f"HIERARCH translate_origin{axis}"] = value
    broadband = fits.ImageHDU(name="BROADBAND", header=fits.Header({"redshift": 1.44}))
    path = wfc3(tmp_path, version="v3-2", dust="smc")
    foreign(path, np.ones((8, 8)), 0.06, IMUNIT="nanoJanskies", REDSHIFT=None, extra=[pristine, kernel, broadband, origin])
    image = read_vela(path)
    assert image.redshift == 1.44
    assert image.meta["translate_origin"] == [1.0, 2.0, 3.0]
    assert image.meta["pixel_kpc"] == pytest.approx(0.5)  # 0.05 kpc / 0.006" * 0.06"
    np.testing.assert_allclose(image.meta["camera_direction"], CAMERA.direction)
    # a Gaussian of sigma 0.9 px has a FWHM of 2.12 px of 0.06"
    assert image.psf_fwhm[0].to_value(u.arcsec) == pytest.approx(2.3548 * 0.9 * 0.06, rel=0.03)


def test_pixels_that_are_not_finite_are_masked_with_all_that_holds_them(tmp_path):
    data = np.ones((8, 8))
    data[3, 5] = np.nan
    image = read_vela(foreign(acs(tmp_path), data, 0.03))
    assert np.argwhere(image.mask[0]).tolist() == [[1, 2]]


def test_truncated_and_missing_files_are_errors(tmp_path):
    path = foreign(wfc3(tmp_path), np.ones((64, 64)), 0.06)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(ImageError, match="f160w_v3_sim.fits is truncated"):
        read_vela(path)
    with pytest.raises(ImageError, match="no file .*nothing.fits"):
        read_vela(tmp_path / "nothing.fits")
    with pytest.raises(ImageError, match="no files were given"):
        read_vela([])


@pytest.mark.parametrize("argument", ["native_scale", "pixel_scale"])
def test_angles_need_units(tmp_path, argument):
    with pytest.raises(TypeError, match="must be angles such as 0.03"):
        read_vela(tmp_path, **{argument: 0.03})
    with pytest.raises(ValueError, match="must be positive"):
        read_vela(tmp_path, **{argument: 0 * u.arcsec})


# ---- bands on one grid


def test_fine_pixels_are_summed_two_by_two(tmp_path):
    data = np.arange(64.0).reshape(8, 8)
    foreign(acs(tmp_path), data, 0.03)
    foreign(wfc3(tmp_path), np.ones((4, 4)), 0.06)
    image = read_vela(tmp_path)
    assert image.bands == ("F606W", "F160W")
    np.testing.assert_allclose(image.band("F606W"), data.reshape(4, 2, 4, 2).sum(axis=(1, 3)) * 0.03**2, rtol=1e-6)
    np.testing.assert_allclose(image.band("F160W"), 0.06**2, rtol=1e-6)
    assert image.meta["rebinned"] == ["F606W: 8 x 8 pixels of 0.03 arcsec summed into 4 x 4 of 0.06 arcsec"]


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        # v3: each pixel is the field over a whole number of pixels, as in a real file of 193 pixels at a = 0.400
        ((193, 800 * 0.007271 / 193), (96, 800 * 0.007271 / 96)),
        ((205, 6.17513 / 205), (102, 6.17513 / 102)),
        # v3-2: pixels of the nominal size around the same middle
        ((193, 0.03), (96, 0.06)),
        ((192, 0.03), (96, 0.06)),
    ],
)
def test_odd_sizes_keep_flux_and_place(tmp_path, fine, coarse):
    x, y = 0.731, -1.112  # arcsec from the middle
    foreign(acs(tmp_path), spot(*fine, x, y, 0.12) / fine[1] ** 2, fine[1])
    foreign(wfc3(tmp_path), spot(*coarse, x, y, 0.12) / coarse[1] ** 2, coarse[1])
    image = read_vela(tmp_path)
    n, side = coarse
    assert image.data.shape == (2, n, n)
    assert image.pixel_scale.value == pytest.approx(side)
    expected = (x / side + (n - 1) / 2, y / side + (n - 1) / 2)
    for plane in image.data.astype(float):
        assert plane.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(centroid(plane), expected, atol=2e-3)
    shared = "shared by area" in image.meta["rebinned"][0]
    assert shared == (fine[0] % 2 == 1)


def test_without_a_coarse_band_the_whole_odd_field_is_kept(tmp_path):
    image = read_vela(foreign(acs(tmp_path), np.ones((193, 193)), 0.03))
    assert image.data.shape == (1, 96, 96)
    assert image.pixel_scale.value == pytest.approx(193 / 96 * 0.03)
    assert image.data.astype(float).sum() == pytest.approx((193 * 0.03) ** 2)  # 1 uJy/arcsec2 all over


def test_fields_that_differ_are_refused(tmp_path):
    foreign(acs(tmp_path), np.ones((160, 160)), 0.03)
    foreign(wfc3(tmp_path), np.ones((96, 96)), 0.06)
    with pytest.raises(ImageError, match="f606w.* has 160 x 160 pixels of 0.03 arcsec, .* they do not show the same field"):
        read_vela(tmp_path)


def test_coarse_bands_that_differ_are_refused(tmp_path):
    foreign(wfc3(tmp_path, "f125w"), np.ones((95, 95)), 0.06)
    foreign(wfc3(tmp_path), np.ones((96, 96)), 0.06)
    with pytest.raises(ImageError, match="f125w.* has 95 x 95 .*f160w.* has 96 x 96 .*; one image needs one grid"):
        read_vela(tmp_path)


def test_the_native_grid_is_kept_on_request(tmp_path):
    image = read_vela(foreign(acs(tmp_path), np.ones((9, 9)), 0.03), pixel_scale=0.03 * u.arcsec)
    assert image.data.shape == (1, 9, 9)
    assert "rebinned" not in image.meta


def test_a_pristine_image_in_two_filters_stays_on_its_grid(tmp_path):
    for path in (acs(tmp_path), wfc3(tmp_path)):
        foreign(path, np.ones((20, 20)), None, name="IMAGE_PRISTINE", IMUNIT="nanoJanskies", PIXSCALE=None, PIXSIZE=0.0077)
    image = read_vela(tmp_path, hdu="IMAGE_PRISTINE")
    assert image.data.shape == (2, 20, 20)
    assert image.pixel_scale == 0.0077 * u.arcsec


def test_a_sky_wcs_follows_the_rebinning(tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [53.1, -27.8], [3.0, 4.0]
    wcs.wcs.cdelt = np.array([-0.03, 0.03]) / 3600
    image = make(bands=("F606W",), shape=(9, 9), scale=0.03, wcs=wcs)
    write(tmp_path, image)
    coarse = read_vela(tmp_path)
    # the middle of the field stays where it is: pixel 4 of 9, 1.5 of 4
    assert image.sky(4, 4).separation(coarse.sky(1.5, 1.5)) < 1e-5 * u.arcsec


def test_a_wcs_that_contradicts_the_pixels_is_left_out(tmp_path):
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-5, "CDELT2": 1e-5, "CRVAL1": 10.0, "CRVAL2": 0.0}
    with pytest.warns(AstroclumpsWarning, match="has a WCS with pixels of 0.036 arcsec, but 0.06 by PIXSCALE; the WCS is left out"):
        assert read_vela(foreign(wfc3(tmp_path), np.ones((8, 8)), 0.06, **cards)).wcs is None


# ---- which files


def test_bands_are_chosen_and_ordered_from_a_folder_of_folders(tmp_path):
    for path, scale in ((acs(tmp_path), 0.03), (acs(tmp_path, "f435w"), 0.03), (wfc3(tmp_path), 0.06), (wfc3(tmp_path, "f140w"), 0.06)):
        folder = tmp_path / parse_name(path).folder
        folder.mkdir(parents=True)
        foreign(folder / path.name, np.ones((8, 8) if scale == 0.03 else (4, 4)), scale)
    (tmp_path / "readme.fits").write_bytes(b"no image")
    with pytest.raises(ImageError, match="filter WFC3 F140W, which is none of the known bands; give bands"):
        read_vela(tmp_path)
    assert read_vela(tmp_path, bands=["F160W", "F435W", "F606W"]).bands == ("F160W", "F435W", "F606W")
    with pytest.raises(ImageError, match="no file for the bands F775W; there are files for"):
        read_vela(tmp_path, bands=["F775W"])


def test_one_image_is_chosen_among_cameras_and_times(tmp_path):
    for parts in ({}, {"camera": 3}, {"scale_factor": 0.42}, {"version": "v3-2", "dust": "mw"}):
        foreign(wfc3(tmp_path, **parts), np.full((4, 4), parts.get("camera", 17)), 0.06, REDSHIFT=None)
    with pytest.raises(ImageError, match="of 4 images: vela07-cam03-a0.410 v3, .*; choose one with camera, scale_factor, version, dust"):
        read_vela(tmp_path)
    with pytest.raises(ImageError, match="choose one with scale_factor, version, dust"):
        read_vela(tmp_path, camera="cam17")
    assert read_vela(tmp_path, camera=3).name == "vela07-cam03-a0.410"
    assert read_vela(tmp_path, scale_factor=0.42).redshift == pytest.approx(1 / 0.42 - 1)
    assert read_vela(str(tmp_path / "*a0.410*_v3_sim.fits"), camera=17, galaxy="vela07").meta["camera"] == "cam17"
    assert read_vela(tmp_path, dust="mw").meta["version"] == "v3-2"
    with pytest.raises(ImageError, match="no image with camera=5 among vela07-cam03-a0.410 v3"):
        read_vela(tmp_path, camera=5)


def test_two_files_of_a_band_and_foreign_names_are_refused(tmp_path):
    (tmp_path / "copy").mkdir()
    one, other = foreign(wfc3(tmp_path), np.ones((4, 4)), 0.06), foreign(wfc3(tmp_path / "copy"), np.ones((4, 4)), 0.06)
    with pytest.raises(ImageError, match="two files hold the band F160W"):
        read_vela([one, other])
    own = foreign(tmp_path / "mine.fits", np.ones((4, 4)), 0.06)
    with pytest.raises(ImageError, match="mine.fits: no names of images of the release; read such files one by one"):
        read_vela([one, own])
    with pytest.raises(ImageError, match="mine.fits has a name that states no band; give bands"):
        read_vela(own)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no files named hlsp_vela_"):
        read_vela(tmp_path / "empty")
    image = read_vela(own, bands=["F125W"])
    assert (image.name, image.bands, image.redshift) == ("mine", ("F125W",), 1.439)


def test_files_that_contradict_each_other_are_refused(tmp_path):
    camera = {f"CAM{what}{axis}": float(axis == up) for what, up in (("DIR", "X"), ("UP", "Z")) for axis in "XYZ"}
    foreign(wfc3(tmp_path, "f125w"), np.ones((4, 4)), 0.06, **camera)
    foreign(wfc3(tmp_path), np.ones((4, 4)), 0.06, **camera | {"CAMDIRX": 0.0, "CAMDIRY": 1.0})
    with pytest.raises(ImageError, match=r"has CAMDIR \(1.0, 0.0, 0.0\), but .*f160w.* has \(0.0, 1.0, 0.0\): they are not one image"):
        read_vela(tmp_path)
    foreign(wfc3(tmp_path), np.ones((4, 4)), 0.06, REDSHIFT=1.45)
    with pytest.raises(ImageError, match="has REDSHIFT = 1.439, but .*f160w.* has 1.45"):
        read_vela(tmp_path)


# ---- names


@pytest.mark.parametrize(
    "name",
    [
        "hlsp_vela_hst_acs_vela07-cam17-a0.410_f606w_v3_sim.fits",
        "hlsp_vela_jwst_nircam_vela01-cam24-a0.330_f115w_v6_sim-smc.fits",
        "hlsp_vela_none_none_vela07-cam17-a0.410_aux_v3-2_sim.fits",
        "hlsp_vela_multi_multi_vela07_multi_v3_cat.txt",
        "hlsp_vela_multi_multi_vela07_multi_v3-2_auxcat.txt",
        "hlsp_vela_hst_wfc3_vela07_f160w_v3_sim.tar.gz",
        "VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00.fits",
    ],
)
def test_names_are_taken_apart_and_put_together(name):
    assert parse_name(f"somewhere/{name}").filename == name


def test_the_map_of_an_image_has_the_parts_of_its_name():
    name = parse_name("VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00-pred.fits")
    assert (name.galaxy, name.scale_factor, name.camera, name.instrument, name.filter) == (7, 0.41, 17, "acs", "f606w")


def test_the_folder_of_an_image_is_that_of_the_release():
    name = parse_name("hlsp_vela_hst_acs_vela07-cam17-a0.410_f606w_v3_sim.fits")
    assert name.folder == "vela/vela07/cam17/hst/acs/f606w"
    assert VelaName(galaxy=7, camera=17, scale_factor=0.41, product="aux").folder == "vela/vela07/cam17"


@pytest.mark.parametrize(
    "name", ["galaxy.fits", "hlsp_vela_hst_acs_vela07-cam17-a0.41_f606w_v3_sim.fits", "hlsp_vela_hst_acs_vela07_f606w.fits"]
)
def test_other_names_are_refused(name):
    with pytest.raises(ImageError, match="is no name of the VELA release, such as"):
        parse_name(name)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"camera": 100}, "camera must be a whole number from 0 to 99"),
        ({"galaxy": 1.5}, "galaxy must be a whole number"),
        ({"scale_factor": 0.0}, "scale_factor must lie between"),
        ({"filter": ""}, "needs filter"),
        ({"filter": "f_606"}, "would be no name of the release"),
        ({"product": "image"}, "product must be one of sim, aux"),
        ({"version": "3"}, "would be no name"),
    ],
)
def test_names_that_cannot_be_are_refused(parts, message):
    good = {"galaxy": 7, "camera": 17, "scale_factor": 0.41, "observatory": "hst", "instrument": "acs", "filter": "f606w"}
    with pytest.raises(ValueError, match=message):
        VelaName(**good | parts)


# ---- written files


def assert_same(one, two):
    np.testing.assert_array_equal(one.data, two.data)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert (one.uncertainty is None) == (two.uncertainty is None)
    if two.uncertainty is not None:
        np.testing.assert_allclose(one.uncertainty.array, two.uncertainty.array, rtol=1e-6)
    assert (one.psf is None) == (two.psf is None)
    if two.psf is not None:
        np.testing.assert_array_equal(one.psf, two.psf)
    np.testing.assert_array_equal(one.psf_fwhm, two.psf_fwhm)
    for what in ("bands", "redshift", "name", "pixel_scale", "psf_known"):
        assert getattr(one, what) == getattr(two, what), what
    assert (one.wcs is None) == (two.wcs is None)


@pytest.mark.parametrize("kind", ["plain", "all", "fwhm", "no redshift"])
def test_what_is_written_comes_back(tmp_path, kind):
    bands = ("F160W", "F606W", "F115W")  # not in the order of wavelengths
    options = {"name": "Gal é", "meta": {"note": 'a "b"', "number": 0.1}}
    if kind == "all":
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [53.1, -27.8], np.array([-0.06, 0.06]) / 3600
        mask = np.zeros((8, 10), dtype=bool)
        mask[2, 3] = True
        sigma = (1 + values(3, 8, 10, seed=1)) * u.uJy
        options |= {"psf": np.stack([GAUSS, GAUSS**2, GAUSS**3]), "mask": mask, "uncertainty": sigma, "wcs": wcs, "scale": 0.06}
    if kind == "fwhm":
        options |= {"psf": [0.2, 0.11, 0.05] * u.arcsec, "scale": 0.0612345678901234}
    if kind == "no redshift":
        options |= {"redshift": None}
    image = make(bands, (8, 10), **options)
    files = write(tmp_path, image, scale_factor=0.41)
    assert [parse_name(file).filter for file in files] == ["f160w", "f606w", "f115w"]
    back = read_vela(tmp_path)
    assert_same(back, image)
    assert {key: back.meta[key] for key in image.meta} == image.meta
    write(tmp_path / "again", back, scale_factor=0.41)  # and once more, with what the reader added to meta
    again = read_vela(tmp_path / "again")
    assert_same(again, image)
    assert again.meta == back.meta


def test_headers_state_what_the_release_states_but_not_that_they_are_of_it(tmp_path):
    image = make(redshift=1.0, psf=0.2 * u.arcsec)
    (path,) = write(tmp_path, image, translate_origin=[1.0, 2.0, 3.0] * u.Mpc)
    with fits.open(path) as hdus:
        header = hdus[0].header.copy()
        total = hdus["IMAGE_PSF"].data.sum()
    assert header["IMUNIT"] == "muJy/SqArcsec"
    # LUMDIST and kpc per arcsec of a real header at z = 1 (vela10, a = 0.500): 6679.98 Mpc, 0.0625 kpc / 0.0077189"
    assert header["LUMDIST"] == pytest.approx(6679.98, rel=1e-4)
    assert header["PSCALE"] == pytest.approx(0.0625 / 0.0077189, rel=1e-5)
    assert header["PIXKPC"] == pytest.approx(0.06 * header["PSCALE"])
    assert (header["H0"], header["WM"], header["WV"]) == (70.4, 0.2726, pytest.approx(0.7274))
    assert header["ABZP"] - 2.5 * np.log10(total) == pytest.approx(header["MAG"], abs=1e-4)
    assert header["MAG"] == pytest.approx(u.Quantity(image.data.sum(), u.uJy).to_value(u.ABmag), abs=1e-3)
    assert (header["CAMERA"], header["FILTER"], header["FLABEL"], header["APROXPSF"]) == (17, "hst/wfc3_f160w", "WFC3-F160W", 0.2)
    assert [header[f"CAMDIR{axis}"] for axis in "XYZ"] == list(CAMERA.direction)
    assert header["translate_originY"] == 2000.0
    assert header["ORIGIN"] == "astroclumps"
    assert not {"HLSPID", "HLSPNAME", "HLSPDOI", "LICENSE", "PROPOSID"} & set(header)


def test_pristine_images_are_written_beside_the_convolved_one(tmp_path):
    image = make(("F606W", "F160W"))
    pristine, nonscatter = (make(("F160W", "F606W"), (40, 40), 0.012, name="image") for _ in range(2))
    nonscatter.data[:] *= 2
    paths = write(tmp_path, image, pristine=pristine, nonscatter=nonscatter)
    with fits.open(paths[1]) as hdus:
        assert [hdu.name for hdu in hdus][:3] == ["IMAGE_PSF", "IMAGE_PRISTINE", "IMAGE_PRISTINE_NONSCATTER"]
        header = hdus[1].header
        total = pristine.band("F160W").sum() * 1e3
        assert header["IMUNIT"] == "nanoJanskies"
        assert header["FLUX_NJY"] == pytest.approx(total)
        assert header["ABMAG"] == pytest.approx(-2.5 * np.log10(total * 1e-9 / 3631), abs=1e-3)
        assert header["PIXKPC"] * 5 == pytest.approx(hdus[0].header["PIXKPC"])
    assert_same(read_vela(tmp_path), image)
    back = read_vela(tmp_path, hdu="IMAGE_PRISTINE", bands=pristine.bands)
    np.testing.assert_array_equal(back.data, pristine.data)
    assert back.pixel_scale == pristine.pixel_scale
    doubled = read_vela(tmp_path, hdu="IMAGE_PRISTINE_NONSCATTER", bands=pristine.bands)
    np.testing.assert_array_equal(doubled.data, 2 * pristine.data)
    with pytest.raises(ValueError, match="the image for IMAGE_PRISTINE lacks the bands F160W; it has F606W"):
        write(tmp_path, image, pristine=pristine.select(["F606W"]), overwrite=True)


def test_native_bands_written_apart_are_read_as_one_image(tmp_path):
    fine, coarse = make(("F435W", "F606W"), (16, 16), 0.03), make(("F105W", "F160W"))
    for image in (fine, coarse):
        write(tmp_path, image)
    image = read_vela(tmp_path)
    assert image.bands == ("F435W", "F606W", "F105W", "F160W")
    np.testing.assert_allclose(image.data[0], fine.data[0].reshape(8, 2, 8, 2).sum(axis=(1, 3)), rtol=1e-6)
    np.testing.assert_array_equal(image.data[2:], coarse.data)


def test_variances_add_where_pixels_are_summed(tmp_path):
    image = make(("F606W",), (8, 8), 0.03, uncertainty=np.full((1, 8, 8), 3.0) * u.uJy, mask=np.eye(8, dtype=bool))
    write(tmp_path, image)
    back = read_vela(tmp_path)
    np.testing.assert_allclose(back.uncertainty.array, 6.0, rtol=1e-6)
    np.testing.assert_array_equal(back.mask[0], np.eye(4, dtype=bool))


def test_existing_files_stay_unless_asked(tmp_path):
    (path,) = write(tmp_path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match="f160w_v3_sim.fits exist; use overwrite=True"):
        write(tmp_path, make(("F125W", "F160W")))
    assert path.read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1
    write(tmp_path, make(("F125W", "F160W")), overwrite=True)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no redshift; give scale_factor"):
        write(tmp_path, make(redshift=None))
    with pytest.raises(TypeError, match="camera must be an astroclumps.mock.cameras.Camera, got int"):
        write(tmp_path, camera=17)
    with pytest.raises(ValueError, match="must end in its number, 0 to 99, as in 'cam17', got 'top'"):
        write(tmp_path, camera=Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0)))
    with pytest.raises(TypeError, match="pixel_kpc must be a Quantity such as 0.5"):
        write(tmp_path, pixel_kpc=0.5)
    with pytest.raises(TypeError, match="translate_origin must be a length"):
        write(tmp_path, translate_origin=[0, 0, 0])
    assert list(tmp_path.iterdir()) == []
