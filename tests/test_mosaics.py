"""Cut-outs from mosaics: the same sky in all bands, flux kept, edges and gaps told."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from sky_mosaics import CENTRE, COARSE, FINE, RNG, centroid, fits_wcs, galaxy, grid, offset, own_corners, planted, same_corner, write_mosaic

from astroclumps import io
from astroclumps.exceptions import AstroclumpsWarning, ImageError
from astroclumps.survey.mosaics import Mosaics


def test_the_same_as_reading_that_part_of_the_bands(tmp_path):
    files = same_corner(tmp_path)
    expected = io.read_bands(files, x=50.2, y=61.7, size=40)
    for one in (Mosaics(files, size=40), Mosaics(str(tmp_path / "*_sci.fits"), size=40), Mosaics(tmp_path, size=(40, 40))):
        found = one.read(galaxy(expected.sky(19.2, 19.7)))
        assert found.bands == expected.bands
        for what in ("data", "mask"):
            np.testing.assert_array_equal(getattr(found, what), getattr(expected, what))
        np.testing.assert_array_equal(found.uncertainty.array, expected.uncertainty.array)
        assert (found.meta["x0"], found.meta["y0"]) == (expected.meta["x0"], expected.meta["y0"])
        assert found.sky(3, 33).separation(expected.sky(3, 33)) < 1e-4 * found.pixel_scale
        assert found.wcs.pixel_shape == expected.wcs.pixel_shape
    by_pixel = Mosaics(files, size=40).read(galaxy(x=50.2, y=61.7))
    np.testing.assert_array_equal(by_pixel.data, expected.data)


@pytest.mark.parametrize("order", [["F606W", "F160W"], ["F160W", "F606W"]])
def test_sources_lie_at_their_places_in_every_band(tmp_path, order):
    places = [(offset(x, y), flux) for x, y, flux in ((0.013, -0.021, 3.0), (2.51, 1.37, 1.0), (-1.2, 2.2, 0.5))]
    mosaics = Mosaics(own_corners(tmp_path, places), size=30, bands=order)
    for position, flux in places:
        image = mosaics.read(galaxy(position, redshift=2.0, name="b"))
        assert (image.bands, image.name, image.redshift) == (tuple(order), "b", 2.0)
        x, y = image.wcs.world_to_pixel(position)
        assert abs(x - 14.5) <= 0.5
        assert abs(y - 14.5) <= 0.5
        for plane in image.data:
            near = np.where(np.hypot(*(np.indices(plane.shape) - [[[y]], [[x]]])) < 13, plane, 0)
            assert np.allclose(centroid(near), (x, y), atol=1e-3)
            assert near.sum() == pytest.approx(flux, rel=1e-6)


def test_flux_is_kept_to_the_precision_of_floats(tmp_path):
    files = own_corners(tmp_path, [(CENTRE, 1.0)])
    image = Mosaics(files, size=24).read(galaxy(CENTRE))
    data = fits.getdata(files["F606W"])
    # the first pixel of the cut-out begins at a pixel of the finer file, odd here
    x, y = fits_wcs(files["F606W"]).world_to_pixel(image.sky(-0.25, -0.25))
    column, row = round(float(x)), round(float(y))
    assert abs(x - column) < 1e-6
    assert (column % 2, row % 2) == (1, 1)
    part = data[row : row + 48, column : column + 48]
    assert image.band("F606W").sum(dtype=float) == pytest.approx(part.sum(), rel=1e-7)
    np.testing.assert_allclose(image.band("F606W"), part.reshape(24, 2, 24, 2).sum(axis=(1, 3)), rtol=1e-6)


def test_frames_other_than_icrs_are_turned(tmp_path):
    places = [(offset(1.0, 1.0), 1.0)]
    for band, scale, frame in (("F606W", 0.03, "FK5"), ("F160W", 0.06, "ICRS")):
        wcs = grid(scale, corner=(-6, -6), frame=frame)
        write_mosaic(tmp_path / f"{band}.fits", planted(wcs, (int(12 / scale),) * 2, places, scale=scale), wcs, band)
    # CRVAL is the same place: what remains is how the two frames are turned against each other, less than 0.1 pixel here
    image = Mosaics(tmp_path, size=30).read(galaxy(places[0][0]))
    x, y = image.wcs.world_to_pixel(places[0][0])
    for plane in image.data:
        assert np.allclose(centroid(plane), (x, y), atol=2e-2)


@pytest.mark.parametrize("partial", [False, True])
def test_a_distorted_wcs_is_followed(tmp_path, partial):
    from astropy.wcs import Sip

    wcs = grid(0.06, corner=(-6, -6))
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    a, b = np.zeros((3, 3)), np.zeros((3, 3))
    a[2, 0], b[0, 2] = 3e-5, -2e-5
    wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    wcs.wcs.set()
    place = wcs.pixel_to_world(4.3 if partial else 60.3, 70.8)
    data = planted(wcs, (200, 200), [(place, 1.0)], scale=0.06)
    fits.PrimaryHDU(data, wcs.to_header(relax=True)).writeto(tmp_path / "f160w.fits")
    with fits.open(tmp_path / "f160w.fits", mode="update") as hdus:
        hdus[0].header["BUNIT"] = "uJy"
    image = Mosaics(tmp_path, size=20, partial=partial).read(galaxy(place))
    x, y = image.wcs.all_world2pix(place.ra.deg, place.dec.deg, 0)
    assert image.mask.any() == partial
    assert (image.meta["x0"], image.meta["y0"]) == (-5 if partial else 51, 61)
    assert np.allclose(centroid(image.data[0]), (x, y), atol=0.06 if partial else 1e-3)  # some light lies beyond the edge
    assert abs(float(x) + image.meta["x0"] - (4.3 if partial else 60.3)) < 1e-4


def test_axes_may_stand_in_the_other_order_and_frames_be_galactic(tmp_path):
    from astropy.wcs import WCS

    place = CENTRE.galactic
    swapped, galactic = WCS(naxis=2), WCS(naxis=2)
    swapped.wcs.ctype, swapped.wcs.crval = ["DEC--TAN", "RA---TAN"], [CENTRE.dec.deg, CENTRE.ra.deg]
    galactic.wcs.ctype, galactic.wcs.crval = ["GLON-TAN", "GLAT-TAN"], [place.l.deg, place.b.deg]
    for wcs in (swapped, galactic):
        wcs.wcs.crpix, wcs.wcs.cdelt = [51, 61], [0.06 / 3600] * 2
        write_mosaic(tmp_path / "h.fits", planted(wcs, (120, 110), [(CENTRE, 1.0)], scale=0.06), wcs, "F160W")
        image = Mosaics(tmp_path / "h.fits", size=20).read(galaxy(CENTRE))
        assert (image.meta["x0"], image.meta["y0"]) == (40, 50)
        assert np.allclose(centroid(image.data[0]), (10, 10), atol=1e-3)
        assert image.sky(10, 10).separation(CENTRE) < 1e-4 * u.arcsec


def test_grids_that_do_not_coincide_are_refused_with_the_shift(tmp_path):
    places = [(CENTRE, 1.0)]
    half = own_corners(tmp_path, places, shift=(0.012, 0.0))  # 0.2 pixels of the result
    with pytest.raises(ImageError, match=r"fine.fits and .*coarse.fits are not on a common grid.*\(-0.20, 0.00\) pixels.*reproject"):
        Mosaics(half, size=30).read(galaxy(CENTRE))
    little = own_corners(tmp_path, places, shift=(0.0, 0.003))
    assert Mosaics(little, size=30).read(galaxy(CENTRE)).data.shape == (2, 30, 30)


def test_a_turned_grid_is_refused(tmp_path):
    files = own_corners(tmp_path, [(CENTRE, 1.0)])
    wcs = grid(0.03, corner=(-6.27, -5.13), angle=0.32)
    write_mosaic(files["F606W"], np.ones((401, 399)), wcs, "F606W")
    with pytest.raises(ImageError, match="not on a common grid"):
        Mosaics(files, size=30).read(galaxy(CENTRE))


def test_scales_that_do_not_fit_are_refused(tmp_path):
    files = own_corners(tmp_path, [(CENTRE, 1.0)])
    with pytest.raises(ImageError, match="do not fit a whole number of times into 0.05 arcsec"):
        Mosaics(files, pixel_scale=0.05 * u.arcsec).read(galaxy(CENTRE))


def tiles(folder):
    """Two tiles of F606W that overlap by 60 pixels along x, and one F160W under both."""
    wcs = grid(0.06, corner=(-6, -4))
    whole = RNG.normal(1, 0.1, (130, 240)).astype(np.float32)
    files = {"F606W": [], "F160W": write_mosaic(folder / "h.fits", whole, wcs, "F160W")}
    for name, first, last in (("west", 0, 150), ("east", 90, 240)):
        files["F606W"].append(write_mosaic(folder / f"v_{name}.fits", whole[:, first:last], wcs[:, first:last], "F606W"))
    return files, wcs, whole


def test_the_tile_that_holds_the_whole_cutout_is_taken(tmp_path):
    files, wcs, whole = tiles(tmp_path)
    for given in (files, tmp_path, {"F606W": str(tmp_path / "v_*.fits"), "F160W": tmp_path / "h.fits"}):
        mosaics = Mosaics(given, size=40, bands=["F606W", "F160W"])
        for x, name in ((40, "west"), (110, "west"), (130, "east"), (200, "east")):
            image = mosaics.read(galaxy(wcs.pixel_to_world(x, 60)))
            assert image.meta["files"] == [f"v_{name}.fits", "h.fits"]
            np.testing.assert_array_equal(image.data[0], whole[40:80, x - 20 : x + 20])
            np.testing.assert_array_equal(image.data[1], image.data[0])


def test_no_tile_holds_the_cutout(tmp_path):
    files, wcs, _ = tiles(tmp_path)
    with pytest.raises(ImageError, match=r"F606W: v_west.fits \(it would be x = 79 to 158 of 0 to 149.*v_east.fits.*x = -11 to 68"):
        Mosaics(files, size=80).read(galaxy(wcs.pixel_to_world(119, 60)))
    with pytest.raises(ImageError, match="give ra and dec"):
        Mosaics(files["F606W"], size=20).read(galaxy(x=50, y=60))


def test_a_galaxy_at_an_edge_or_outside_is_told(tmp_path):
    mosaics = Mosaics(own_corners(tmp_path, [(CENTRE, 1.0)]), size=30)
    with pytest.raises(ImageError, match=r"a at RA .*30 x 30 pixels does not lie inside a mosaic of F160W: coarse.fits.*partial=True"):
        mosaics.read(galaxy(offset(-4.1, 0)))
    with pytest.raises(ImageError, match="does not lie inside"):
        mosaics.read(galaxy(SkyCoord(10, -80, unit="deg")))
    with pytest.raises(ImageError, match="cannot be seen from coarse.fits"):
        mosaics.read(galaxy(SkyCoord(CENTRE.ra.deg - 180, -CENTRE.dec.deg, unit="deg")))
    with pytest.raises(ImageError, match="no ra and dec"):
        mosaics.read(galaxy())
    with pytest.raises(ImageError, match="does not lie inside"):
        mosaics.read(galaxy(x=-50, y=0))


def test_partial_cutouts_are_padded_with_masked_pixels(tmp_path):
    places = [(offset(-3.9, 0.0), 1.0)]
    mosaics = Mosaics(own_corners(tmp_path, places), size=30, partial=True)
    image = mosaics.read(galaxy(places[0][0]))
    fine, coarse = image.data
    assert not image.mask[0].any()
    assert image.mask[1].any(axis=0).tolist() == [True] * 10 + [False] * 20
    assert image.mask[1].all(axis=0).tolist() == [True] * 10 + [False] * 20
    x, y = image.wcs.world_to_pixel(places[0][0])
    assert np.allclose(centroid(fine), (x, y), atol=1e-3)
    np.testing.assert_allclose(coarse[:, 10:], fine[:, 10:], atol=0.02 * fine.max())  # pixels are sampled, not integrated
    assert (coarse[:, :10] == 0).all()


def test_a_band_that_does_not_reach_there_is_masked_with_partial(tmp_path):
    place = offset(-5.5, 0.0)
    files = own_corners(tmp_path, [(place, 1.0)])
    with pytest.raises(ImageError, match="F160W"):
        Mosaics(files, size=10).read(galaxy(place))
    image = Mosaics(files, size=10, partial=True).read(galaxy(place))
    assert image.mask[1].all()
    assert image.meta["files"] == ["fine.fits", "coarse.fits"]
    light = image.data[0].astype(float)
    x, y = image.wcs.world_to_pixel(place)
    assert abs(light.sum(axis=0) @ np.arange(10) / light.sum() - x) < 0.05  # some light lies beyond the edges
    assert abs(y - 4.5) < 1e-6
    with pytest.raises(ImageError, match="no band has a good pixel"):
        Mosaics(files, size=10, partial=True).read(galaxy(offset(-20, 0)))


def test_galaxies_by_pixel_in_files_without_wcs(tmp_path):
    write_mosaic(tmp_path / "v.fits", FINE, None, "F606W", PIXSCALE=0.03)
    write_mosaic(tmp_path / "h.fits", COARSE, None, "F160W", PIXSCALE=0.06)
    image = Mosaics(tmp_path, size=20).read(galaxy(x=40, y=50))
    expected = io.read_bands(tmp_path, x=40, y=50, size=20)
    np.testing.assert_array_equal(image.data, expected.data)
    assert image.wcs is None
    assert image.pixel_scale == 0.06 * u.arcsec
    with pytest.raises(ImageError, match="no WCS"):
        Mosaics(tmp_path, size=20).read(galaxy(CENTRE))
    write_mosaic(tmp_path / "h.fits", COARSE[:-1], None, "F160W", PIXSCALE=0.06)
    with pytest.raises(ImageError, match="one of them has no WCS"):
        Mosaics(tmp_path, size=20).read(galaxy(x=40, y=50))


@pytest.mark.parametrize("how", ["NaN", "zero", "weight"])
def test_a_band_without_pixels_there_is_masked(tmp_path, how):
    wcs = grid(0.06, corner=(-6, -6))
    data, weight = np.ones((200, 200)), np.ones((200, 200))
    gone, none = data.copy(), weight.copy()
    if how == "weight":
        none[:, :100] = 0
    else:
        gone[:, :100] = np.nan if how == "NaN" else 0
    options = [{"weight": weight}, {"weight": none}] if how == "weight" else [{}, {}]
    write_mosaic(tmp_path / "v.fits", data, wcs, "F606W", **options[0])
    write_mosaic(tmp_path / "h.fits", gone, wcs, "F160W", **options[1])
    image = Mosaics(tmp_path, size=40).read(galaxy(wcs.pixel_to_world(50, 50)))
    assert image.mask.reshape(2, -1).mean(axis=1).tolist() == [0, 1]
    with pytest.raises(ImageError, match="no band has a good pixel"):
        Mosaics(tmp_path, size=40, bands=["F160W"]).read(galaxy(wcs.pixel_to_world(50, 50)))


def test_some_with_weights_and_some_without_are_told(tmp_path):
    wcs = grid(0.06)
    write_mosaic(tmp_path / "v.fits", COARSE, wcs, "F606W", weight=COARSE)
    write_mosaic(tmp_path / "h.fits", COARSE, wcs, "F160W")
    with pytest.raises(ImageError, match=r"no weights for .*h.fits"):
        Mosaics(tmp_path, size=20).read(galaxy(x=50, y=50))
    assert Mosaics(tmp_path, size=20, weights=False).read(galaxy(x=50, y=50)).uncertainty is None


def test_a_place_is_given_as_sky_or_pixels(tmp_path):
    mosaics = Mosaics(same_corner(tmp_path), size=20)
    by_pixel = mosaics.cutout((50.2, 60.1), redshift=1.0, name="c")
    by_sky = mosaics.cutout(fits_wcs(tmp_path / "F160W_sci.fits").pixel_to_world(50.2, 60.1).fk5, redshift=1.0, name="c")
    np.testing.assert_array_equal(by_sky.data, by_pixel.data)
    assert (by_sky.name, by_sky.redshift) == ("c", 1.0)


def test_a_survey_takes_them_and_what_lies_outside_is_a_failure(tmp_path):
    pytest.importorskip("pyarrow", reason="surveys are written as Parquet")
    from astropy.table import Table

    from astroclumps import Pipeline, run_survey
    from astroclumps.survey.dataset import Survey
    from astroclumps.testing import example_image

    image = example_image(bands=("F606W", "F160W"))
    wcs = grid(0.06, corner=(-6, -6))
    for number, band in enumerate(image.bands):
        sky = RNG.normal(0, 1e-4, (200, 200)).astype(np.float32)
        sky[20:84, 30:94] += image.data[number]
        write_mosaic(tmp_path / f"{band}.fits", sky, wcs, band)
    place = wcs.pixel_to_world([62, 190], [52, 52])
    galaxies = Table({"id": ["in", "edge"], "ra": place.ra.deg, "dec": place.dec.deg, "redshift": [image.redshift] * 2})
    guo = Pipeline(detector="contrast", classifier=None, sed=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        run_survey(
            galaxies, guo, tmp_path / "out", images=str(tmp_path / "*.fits"), size=64, options={"psf": 0.15 * u.arcsec}, progress=False
        )
    found = Survey(tmp_path / "out")
    assert found.galaxies()["galaxy"].tolist() == ["in"]
    failures = found.failures()
    assert (failures["id"].tolist(), failures["stage"].tolist()) == (["edge"], ["read"])
    assert "does not lie inside a mosaic of F606W" in failures["error"][0]
    clumps = found.clumps()
    x, y = wcs.world_to_pixel(SkyCoord(clumps["ra"], clumps["dec"]))
    np.testing.assert_allclose(x, clumps["x"].value + 30, atol=1e-4)
    np.testing.assert_allclose(y, clumps["y"].value + 20, atol=1e-4)


@pytest.mark.real_data
def test_the_real_field_with_a_wcs(real_data, tmp_path):
    scale, files = 0.06, {}
    wcs = grid(scale, corner=(-15, -15))
    for path in sorted((real_data / "hst_xdf").glob("f*_sci.fits.gz")):
        for one in (path, path.with_name(path.name.replace("sci", "wht"))):
            with fits.open(one) as hdus:
                data, header = hdus[0].data, hdus[0].header.copy()
            header.update(wcs.to_header())
            fits.writeto(tmp_path / one.name.removesuffix(".gz"), data, header)
        files[path.name[:5].upper()] = tmp_path / path.name.removesuffix(".gz")
    assert len(files) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        mosaics = Mosaics(tmp_path)
        for x, y in ((250, 250), (100.4, 333.3)):
            image = mosaics.read(galaxy(wcs.pixel_to_world(x, y)))
            expected = io.read_bands(tmp_path, x=x, y=y, size=64)
            assert image.bands == expected.bands
            np.testing.assert_array_equal(image.data, expected.data)
            np.testing.assert_array_equal(image.mask, expected.mask)
            np.testing.assert_array_equal(image.uncertainty.array, expected.uncertainty.array)
            assert image.wcs.wcs.compare(expected.wcs.wcs, tolerance=1e-12)
