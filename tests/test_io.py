import gzip

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astroclumps import MultiBandImage, bands, io
from astroclumps.exceptions import AstroclumpsWarning, ImageError, PluginError

BANDS = ("F435W", "F606W", "F160W")
ZEROPOINTS = {"F435W": 25.684, "F606W": 26.505, "F160W": 25.946}
PSF = np.exp(-0.5 * (np.arange(5)[:, None] - 2) ** 2) * np.exp(-0.5 * (np.arange(5) - 2) ** 2)


def make_wcs(scale=0.06, crpix=(3.0, 4.0)):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1234567891, -27.8123456789]
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = np.array([[-0.8, 0.6], [0.6, 0.8]]) * scale / 3600
    wcs.wcs.set()
    return wcs


def values(shape=(12, 14), seed=0):
    return np.random.default_rng(seed).normal(1, 0.1, shape).astype(np.float32)


def make_image(**options):
    defaults = {
        "data": values((3, 12, 14)) * u.nJy,
        "bands": BANDS,
        "uncertainty": values((3, 12, 14), 1) * u.nJy,
        "mask": np.eye(12, 14, dtype=bool),
        "wcs": make_wcs(),
        "psf": PSF,
        "redshift": 1.2345678901234567,
        "name": "GOODS-S é 'x'",
        "meta": {"history": ["a", "b" * 300], "number": 0.1, "source": 'quote " and \\ slash', " ": "a blank", "ends with two  ": "b  "},
    }
    return MultiBandImage(**(defaults | options))


def assert_same(one, two):
    np.testing.assert_array_equal(one.data, two.data)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert (one.uncertainty is None) == (two.uncertainty is None)
    if two.uncertainty is not None:
        np.testing.assert_array_equal(one.uncertainty.array, two.uncertainty.array)
    assert (one.psf is None) == (two.psf is None)
    if two.psf is not None:
        np.testing.assert_array_equal(one.psf, two.psf)
    np.testing.assert_array_equal(one.psf_fwhm, two.psf_fwhm)
    for what in ("bands", "redshift", "name", "meta", "pixel_scale", "unit", "psf_known"):
        assert getattr(one, what) == getattr(two, what), what
    assert (one.wcs is None) == (two.wcs is None)
    if two.wcs is not None:
        assert one.sky(3, 4).separation(two.sky(3, 4)) < 1e-6 * u.arcsec
        assert one.sky(13, 0).separation(two.sky(13, 0)) < 1e-6 * u.arcsec


def xdf_cube(path, *, sci=None, wht=None, edit=None, **primary):
    """A file in the layout of the XDF cut-outs."""
    sci = values((3, 12, 14)) if sci is None else sci
    header = fits.Header()
    for i, band in enumerate(BANDS):
        header[f"BAND{i}"], header[f"ZPAB{i}"] = band, ZEROPOINTS[band]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(sci, header, name="SCI")])
    hdus[0].header.update({"X0": 405, "Y0": 47, "PIXSCALE": 0.06, "BUNIT": "electron/s"} | primary)
    if wht is not None:
        hdus.append(fits.ImageHDU(wht, header, name="WHT"))
    if edit is not None:
        edit(hdus)
    hdus.writeto(path, overwrite=True)
    return path


def band_file(path, data, **header):
    fits.writeto(path, data, fits.Header(header), overwrite=True)
    return path


# ---- the package's own cube


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"uncertainty": None, "mask": None, "wcs": None, "psf": None, "redshift": None, "meta": None},
        {"psf": [0.1, 0.2, 0.3] * u.arcsec, "wcs": None, "pixel_scale": 0.1 / 3 * u.arcsec},
        {"uncertainty": np.where(np.eye(12, 14) > 0, np.inf, 1.0) * np.ones((3, 1, 1)) * u.uJy},
    ],
    ids=["full", "bare", "fwhm", "infinite"],
)
@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_round_trip_is_exact(tmp_path, name, options):
    image = make_image(**options)
    image.write(tmp_path / name)
    assert_same(MultiBandImage.read(tmp_path / name), image)


def test_write_asks_before_overwriting(tmp_path):
    make_image().write(tmp_path / "a.fits")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make_image().write(tmp_path / "a.fits")
    make_image(redshift=2).write(tmp_path / "a.fits", overwrite=True)
    assert MultiBandImage.read(tmp_path / "a.fits").redshift == 2


def test_read_options_replace_what_the_file_says(tmp_path):
    make_image().write(tmp_path / "a.fits")
    image = MultiBandImage.read(tmp_path / "a.fits", redshift=2.5, name="b", bands=["F160W", "F435W"], psf=0.2 * u.arcsec)
    assert (image.redshift, image.name, image.bands) == (2.5, "b", ("F160W", "F435W"))
    np.testing.assert_allclose(image.psf_fwhm.value, 0.2)


def test_extension_lost_at_its_border_is_noticed(tmp_path):
    make_image().write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        end = hdus["ERR"].fileinfo()["datLoc"] + hdus["ERR"].fileinfo()["datSpan"]
    (tmp_path / "b.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:end])
    with pytest.raises(ImageError, match=r"b\.fits is truncated"):
        MultiBandImage.read(tmp_path / "b.fits")


# ---- XDF-like cubes


def test_xdf_cube(tmp_path):
    wht = np.full((3, 12, 14), 4.0, dtype=np.float32)
    wht[1, 2, 3] = 0
    image = MultiBandImage.read(xdf_cube(tmp_path / "gal.fits", wht=wht), redshift=1.5)
    assert image.bands == BANDS
    assert image.name == "gal"
    assert image.redshift == 1.5
    assert (image.meta["x0"], image.meta["y0"]) == (405, 47)
    factor = 10 ** (-0.4 * (np.array(list(ZEROPOINTS.values())) - 23.9))
    np.testing.assert_allclose(image.data, values((3, 12, 14)) * factor[:, None, None], rtol=1e-6)
    assert image.mask.sum() == 1
    assert image.mask[1, 2, 3]
    np.testing.assert_allclose(image.uncertainty.array[0], 0.5 * factor[0], rtol=1e-6)


def test_cube_in_flux_unit_needs_no_zeropoints(tmp_path):
    def edit(hdus):
        for i in range(3):
            del hdus["SCI"].header[f"ZPAB{i}"]

    image = MultiBandImage.read(xdf_cube(tmp_path / "a.fits", edit=edit, BUNIT="nJy"))
    np.testing.assert_allclose(image.data, values((3, 12, 14)) / 1000, rtol=1e-6)
    with pytest.warns(AstroclumpsWarning, match="zeropoints of F435W, F606W, F160W are the bands' defaults"):
        MultiBandImage.read(xdf_cube(tmp_path / "b.fits", edit=edit))


def _drop(key):
    def edit(hdus):
        del hdus["SCI"].header[key]

    return edit


def _set(key, value):
    def edit(hdus):
        hdus["SCI"].header[key] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (_drop("BAND1"), "no BAND1"),
        (_drop("ZPAB1"), "zeropoints for some bands only; ZPABi is missing for F606W"),
        (_set("BAND1", "F999W"), "unknown band 'F999W'"),
        (_set("BAND1", "F435W"), "more than once: F435W"),
        (_set("ZPAB0", "bright"), "ZPAB0 = 'bright', which is not a number"),
        (_set("BUNIT", "furlong"), "BUNIT 'furlong'"),
        (_set("PIXSCALE", -0.06), "pixel_scale must be one positive angle"),
        (_set("REDSHIFT", -2.0), "redshift"),
    ],
)
def test_wrong_cube_headers_are_errors_that_name_the_file(tmp_path, edit, match):
    with pytest.raises(ImageError, match=rf"bad\.fits.*{match}"):
        io.read_cube(xdf_cube(tmp_path / "bad.fits", edit=edit))


def test_cube_with_wrong_dimensions(tmp_path):
    with pytest.raises(ImageError, match=r"bad\.fits has the shape \(12, 14\) in extension SCI; 3 dimensions"):
        io.read_cube(xdf_cube(tmp_path / "bad.fits", sci=values()))
    with pytest.raises(ImageError, match=r"bad\.fits has \(3, 12, 13\) in extension WHT, but \(3, 12, 14\)"):
        io.read_cube(xdf_cube(tmp_path / "bad.fits", wht=values((3, 12, 13))))


def test_missing_bands_name_both_lists(tmp_path):
    with pytest.raises(ImageError, match=r"gal\.fits: no band F125W; the image has bands F435W, F606W, F160W"):
        io.read_cube(xdf_cube(tmp_path / "gal.fits"), bands=["F125W"])


def test_cube_without_band_names_takes_those_given(tmp_path):
    def edit(hdus):
        for i in range(3):
            del hdus["SCI"].header[f"BAND{i}"]

    path = xdf_cube(tmp_path / "a.fits", edit=edit)
    assert io.read_cube(path, bands=["F435W", "F606W", "F160W"]).bands == BANDS
    with pytest.raises(ImageError, match="3 planes and names no bands; 2 bands were given"):
        io.read_cube(path, bands=["F435W", "F606W"])
    with pytest.raises(ImageError, match="give bands"):
        io.read_cube(path)


# ---- damage


def test_missing_empty_and_foreign_files(tmp_path):
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("this is not FITS\n" * 300)
    (tmp_path / "short.fits").write_text("x")
    for name, match in (("none", "no file"), ("empty", "is empty"), ("text", "cannot be read as FITS"), ("short", "cannot be read")):
        with pytest.raises(ImageError, match=rf"{match}|{name}\.fits") as error:
            MultiBandImage.read(tmp_path / f"{name}.fits")
        assert f"{name}.fits" in str(error.value)
        assert match in str(error.value)


@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_truncated_files_are_errors(tmp_path, fraction, zipped, own):
    whole = tmp_path / "whole.fits"
    if own:
        make_image().write(whole)
    else:
        xdf_cube(whole, wht=np.ones((3, 12, 14), dtype=np.float32))
    content = whole.read_bytes()
    if zipped:
        content = gzip.compress(content)
    path = tmp_path / ("cut.fits.gz" if zipped else "cut.fits")
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ImageError, match="cut"):
        MultiBandImage.read(path)
    with pytest.raises(ImageError, match="cut"):
        io.read_cube(path)


def test_truncated_band_and_weight_files_are_errors(tmp_path):
    band_file(tmp_path / "f160w_sci.fits", values((40, 40)), ABZP=25.9, PIXSCALE=0.06)
    band_file(tmp_path / "f160w_wht.fits", values((40, 40)))
    for name in ("f160w_wht.fits", "f160w_sci.fits"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-2880])
        with pytest.raises(ImageError, match=f"{name} is truncated"):
            io.read_bands(tmp_path / "f160w_sci.fits", x=20, y=20, size=8)


def test_table_instead_of_pixels(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))], name="SCI")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "table.fits")
    with pytest.raises(ImageError, match=r"table\.fits has a table in extension SCI"):
        io.read_cube(tmp_path / "table.fits")
    with pytest.raises(ImageError, match=r"table\.fits has no known layout"):
        MultiBandImage.read(tmp_path / "table.fits")


def test_file_without_pixels(tmp_path):
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "none.fits")
    for reader in (io.read_cube, io.read_folklore, io.read_bands):
        with pytest.raises(ImageError, match=r"none\.fits holds no image; its extensions are PRIMARY"):
            reader(tmp_path / "none.fits")


def test_broken_wcs_names_the_file(tmp_path):
    with pytest.raises(ImageError, match=r"bad\.fits has an unreadable WCS"):
        io.read_cube(
            xdf_cube(tmp_path / "bad.fits", edit=lambda hdus: hdus["SCI"].header.update({"CTYPE1": "RA---TAN", "CTYPE2": "RA---TAN"}))
        )


# ---- FOLKLORE


def folklore_cube(path, filters=("hst/acs_f606w", "F115W-CLEAR"), wcs=True, **header):
    cards = fits.Header()
    if wcs:
        cards = make_wcs(0.03).to_header()
        cards.update({"WCSAXES": 3, "CTYPE3": "FILTER", "CRVAL3": 1, "CDELT3": 1, "CRPIX3": 1})
    for n, name in enumerate(filters, 1):
        cards[f"FILTER{n}"] = name
    cards.update(header)
    fits.writeto(path, values((len(filters), 12, 14)), cards, overwrite=True)
    return path


def test_folklore_cube(tmp_path):
    path = folklore_cube(tmp_path / "cube.fits")
    image = MultiBandImage.read(path, unit=10 * u.nJy, redshift=0.5)
    assert image.bands == ("F606W", "F115W")
    assert image.uncertainty is None
    np.testing.assert_allclose(image.data, values((2, 12, 14)) * 0.01, rtol=1e-6)
    assert abs(image.pixel_scale - 0.03 * u.arcsec) < 1e-6 * u.arcsec
    assert image.wcs.pixel_n_dim == 2
    sky = make_wcs(0.03).pixel_to_world(5, 6).icrs
    assert image.sky(5, 6).separation(sky) < 1e-4 * u.arcsec


def test_folklore_cube_reads_as_folklore_itself_does(tmp_path):
    folklore = pytest.importorskip("folklore", reason="compares with the package folklore-clumps")
    path = folklore_cube(tmp_path / "cube.fits", BUNIT="uJy")
    cube, _, _, filters = folklore.load_datacube(path)
    image = io.read_folklore(path)
    np.testing.assert_array_equal(image.data, cube)
    assert image.bands == bands.names(filters)


@pytest.mark.parametrize(
    ("bunit", "factor"), [("uJy", 1), ("nJy", 1e-3), ("10.0*nanoJansky", 0.01), ("MJy/sr", 1e12 * (0.03 / 206264.80624709636) ** 2)]
)
def test_folklore_units_in_the_header(tmp_path, bunit, factor):
    image = io.read_folklore(folklore_cube(tmp_path / "cube.fits", BUNIT=bunit))
    np.testing.assert_allclose(image.data, values((2, 12, 14)) * factor, rtol=1e-5)


def test_folklore_without_unit_asks_for_it(tmp_path):
    with pytest.raises(ImageError, match=r"cube\.fits has no BUNIT; give unit"):
        io.read_folklore(folklore_cube(tmp_path / "cube.fits"))


def test_folklore_keeps_the_bands_asked_for(tmp_path):
    path = folklore_cube(tmp_path / "cube.fits", ("F606W", "F999W", "F160W"), BUNIT="uJy")
    image = io.read_folklore(path, bands=["F160W", "F606W"])
    np.testing.assert_array_equal(image.data, values((3, 12, 14))[[2, 0]])
    with pytest.raises(ImageError, match="unknown band 'F999W'.*give bands"):
        io.read_folklore(path)
    with pytest.raises(ImageError, match="no band F125W; its filters are F606W, F999W, F160W"):
        io.read_folklore(path, bands=["F125W"])


def test_folklore_header_must_be_complete(tmp_path):
    path = folklore_cube(tmp_path / "cube.fits", BUNIT="uJy")
    fits.delval(path, "FILTER2")
    with pytest.raises(ImageError, match="2 planes but no FILTER2"):
        io.read_folklore(path)
    with pytest.raises(ImageError, match="band F606W twice, in planes 1 and 2"):
        io.read_folklore(folklore_cube(tmp_path / "cube.fits", ("F606W", "acs_f606w"), BUNIT="uJy"))


# ---- formats


def test_formats_are_told_by_content(tmp_path):
    assert io.detect_format(xdf_cube(tmp_path / "a.fits")) == "cube"
    assert io.detect_format(folklore_cube(tmp_path / "b.fits")) == "folklore"
    assert io.detect_format(band_file(tmp_path / "f160w.fits", values())) == "bands"
    assert io.detect_format(tmp_path) == "bands"
    assert io.detect_format(str(tmp_path / "*.fits")) == "bands"
    assert io.detect_format([tmp_path / "f160w.fits"]) == "bands"


def test_unknown_layout_names_what_was_found(tmp_path):
    fits.writeto(tmp_path / "odd.fits", values((2, 3, 4)))
    with pytest.raises(ImageError, match=r"odd\.fits has no known layout.*PRIMARY \(2, 3, 4\)"):
        MultiBandImage.read(tmp_path / "odd.fits")


def test_unknown_format_lists_the_readers(tmp_path):
    with pytest.raises(PluginError, match="jpeg"):
        MultiBandImage.read(xdf_cube(tmp_path / "a.fits"), format="jpeg")


def test_reader_must_return_an_image(tmp_path, monkeypatch):
    from astroclumps import plugins

    monkeypatch.setattr(plugins, "load", lambda kind, name: lambda path: 3)
    with pytest.raises(PluginError, match="image reader 'odd' must return a MultiBandImage, got int"):
        MultiBandImage.read("a", format="odd")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["clumpyA", "bigD_bar"])
def test_real_xdf_cutouts(real_data, name):
    path = real_data / "hst_xdf" / f"cutout64_{name}.fits"
    image = MultiBandImage.read(path, redshift=1.5)
    assert image.data.shape == (7, 64, 64)
    assert image.bands == bands.names(bands.CANDELS)
    assert not image.mask.any()
    if name == "clumpyA":  # total AB magnitudes of the data's notes
        total = 23.9 - 2.5 * np.log10(image.data.sum(axis=(1, 2)))
        assert abs(total[0] - 24.0) < 0.1
        assert abs(total[-1] - 23.2) < 0.1


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["clumpyA", "bigD_bar"])
def test_real_band_files_give_the_same_cutout(real_data, name):
    cube = MultiBandImage.read(real_data / "hst_xdf" / f"cutout64_{name}.fits")
    x, y = cube.meta["x0"] + 32, cube.meta["y0"] + 32
    zeropoint = {band.name: band.zeropoint for band in bands.CANDELS}
    pattern = str(real_data / "hst_xdf" / "*_sci.fits.gz")
    image = MultiBandImage.read(pattern, x=x, y=y, size=64, zeropoint=zeropoint, native_scale=0.06 * u.arcsec)
    assert image.bands == cube.bands
    np.testing.assert_array_equal(image.data, cube.data)
    np.testing.assert_allclose(image.uncertainty.array, cube.uncertainty.array, rtol=1e-6)
    assert (image.meta["x0"], image.meta["y0"]) == (cube.meta["x0"], cube.meta["y0"])


@pytest.mark.real_data
def test_real_sky_stamps_take_zeropoints_from_photflam(real_data):
    image = MultiBandImage.read(str(real_data / "candels_sky" / "bk_*_1.fits"))
    assert image.bands == bands.names(bands.CANDELS)
    assert abs(image.pixel_scale - 0.06 * u.arcsec) < 1e-5 * u.arcsec
    header_zeropoints = [25.689, 26.511, 25.671, 24.871, 26.269, 26.230, 25.946]
    for band, zeropoint, plane in zip(("b", "v", "i", "z", "f105", "f125", "f160"), header_zeropoints, image.data, strict=True):
        with fits.open(real_data / "candels_sky" / f"bk_{band}_1.fits") as hdus:
            ratio = np.nanmedian(plane / hdus[0].data)
        assert abs(23.9 - 2.5 * np.log10(ratio) - zeropoint) < 0.001
