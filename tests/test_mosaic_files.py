"""Files of mosaics: compressed, damaged, changed, shared by workers; nothing left open, memory flat."""

import concurrent.futures
import gzip
import json
import multiprocessing
import os
import pickle
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from sky_mosaics import COARSE, RNG, galaxy, grid, same_corner, write_mosaic

from astroclumps import io
from astroclumps.exceptions import AstroclumpsWarning, ImageError
from astroclumps.survey import mosaic_tiles
from astroclumps.survey.mosaics import Mosaics


def compress(files, kind):
    for path in files:
        with fits.open(path) as hdus:
            data, header = hdus[0].data, hdus[0].header
        path.unlink()
        if kind == "gz":
            plain = fits.HDUList([fits.PrimaryHDU(data, header)])
            plain.writeto(path)
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        else:
            hdu = fits.CompImageHDU(data, header, compression_type="GZIP_2", quantize_level=0, tile_shape=(32, 32))
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path.with_name(f"{path.name}.fz"))


@pytest.mark.parametrize("kind", ["fz", "gz"])
def test_compressed_mosaics_give_the_same_pixels(tmp_path, kind):
    files = same_corner(tmp_path)
    expected = Mosaics(files, size=40).read(galaxy(x=60, y=70))
    compress(sorted(tmp_path.glob("*.fits")), kind)
    mosaics = Mosaics(str(tmp_path / f"*_sci.fits.{kind}"), size=40)
    if kind == "gz":
        with pytest.warns(AstroclumpsWarning, match="F606W_sci.fits.gz and 3 more: compressed as a whole"):
            image = mosaics.read(galaxy(x=60, y=70))
    else:
        image = mosaics.read(galaxy(x=60, y=70))
    image = image.select(expected.bands)
    np.testing.assert_array_equal(image.data, expected.data)
    np.testing.assert_array_equal(image.uncertainty.array, expected.uncertainty.array)
    mosaic_tiles.close_files()
    again = mosaics.read(galaxy(x=60, y=70)).select(expected.bands)
    np.testing.assert_array_equal(again.data, expected.data)


def test_integers_are_scaled_and_blanks_masked(tmp_path):
    values = RNG.integers(-1000, 1000, COARSE.shape).astype(np.int16)
    values[60, 50] = -32768
    hdu = fits.PrimaryHDU(values, grid(0.06).to_header())
    hdu.header.update({"FILTER": "F160W", "BUNIT": "uJy", "BLANK": -32768})
    hdu.writeto(tmp_path / "h.fits")
    with fits.open(tmp_path / "h.fits", mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = 0.5, 3.0
    image = Mosaics(tmp_path / "h.fits", size=20).read(galaxy(x=50, y=60))
    expected = io.read_bands(tmp_path / "h.fits", x=50, y=60, size=20)
    np.testing.assert_allclose(image.data, expected.data, rtol=1e-6)
    np.testing.assert_array_equal(image.mask, expected.mask)
    assert image.mask.sum() == 1
    unsigned = np.arange(COARSE.size, dtype=np.uint16).reshape(COARSE.shape)
    write_mosaic(tmp_path / "h.fits", unsigned, grid(0.06), "F160W")
    image = Mosaics(tmp_path / "h.fits", size=20).read(galaxy(x=50, y=60))
    np.testing.assert_array_equal(image.data[0], unsigned[50:70, 40:60])


def read_some(mosaics):
    return [mosaics.read(galaxy(x=x, y=60)).data for x in (40, 60, 80)]


@pytest.mark.parametrize("method", ["thread", "fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_read_the_same_while_files_are_open_here(tmp_path, method):
    same_corner(tmp_path)
    compress(sorted(tmp_path.glob("*.fits")), "fz")
    mosaics = Mosaics(str(tmp_path / "*_sci.fits.fz"), size=20, weights=False)
    expected = read_some(mosaics)
    assert len(mosaic_tiles._handles) >= 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        if method == "thread":
            pool = concurrent.futures.ThreadPoolExecutor(4)
        else:
            pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
        with pool:
            for found in pool.map(read_some, [mosaics] * 6):
                np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read_some(mosaics), expected)


def test_files_compressed_as_a_whole_are_decompressed_once_a_process(tmp_path, monkeypatch):
    same_corner(tmp_path)
    compress(sorted(tmp_path.glob("*.fits")), "gz")
    mosaics = Mosaics(str(tmp_path / "*_sci.fits.gz"), size=20)
    images = []
    monkeypatch.setattr(mosaic_tiles, "_images", mosaic_tiles.OrderedDict())
    whole = mosaic_tiles.Tile._image
    monkeypatch.setattr(mosaic_tiles.Tile, "_image", lambda tile: images.append(tile.path.name) or whole(tile))
    with pytest.warns(AstroclumpsWarning, match="keep 1 MiB in memory"):
        read_some(mosaics)
    read_some(mosaics)
    assert sorted(images) == [f"{band}_{what}.fits.gz" for band in ("F160W", "F606W") for what in ("sci", "wht")]


def test_a_damaged_compressed_file_is_told(tmp_path):
    same_corner(tmp_path)
    compress(sorted(tmp_path.glob("*.fits")), "gz")
    path = tmp_path / "F160W_sci.fits.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        with pytest.raises(ImageError, match="F160W_sci.fits.gz"):
            Mosaics(str(tmp_path / "*_sci.fits.gz"), size=20).read(galaxy(x=50, y=60))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
def test_open_files_are_bounded(tmp_path, monkeypatch):
    def n_open():
        return sum(str(tmp_path) in os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))

    mosaic_tiles.close_files()
    monkeypatch.setattr(mosaic_tiles, "_MOST_OPEN", 3)
    plain = Mosaics(same_corner(tmp_path), size=20)
    plain.read(galaxy(x=50, y=60))
    assert n_open() == 0
    compress(sorted(tmp_path.glob("*.fits")), "fz")
    mosaics = Mosaics(str(tmp_path / "*_sci.fits.fz"), size=20)
    read_some(mosaics)
    assert 1 <= n_open() <= 3
    mosaic_tiles.close_files()
    assert n_open() == 0


def test_pickles_hold_settings_only(tmp_path):
    mosaics = Mosaics(same_corner(tmp_path), size=20)
    expected = read_some(mosaics)
    text = pickle.dumps(mosaics)
    assert len(text) < 2000
    np.testing.assert_array_equal(read_some(pickle.loads(text)), expected)


def test_relative_paths_are_those_of_the_folder_it_was_made_in(tmp_path, monkeypatch):
    same_corner(tmp_path)
    monkeypatch.chdir(tmp_path)
    mosaics = Mosaics("*_sci.fits", size=20)
    monkeypatch.chdir("/")
    assert mosaics.read(galaxy(x=50, y=60)).bands == ("F606W", "F160W")


def test_an_assumed_zeropoint_is_said_once(tmp_path):
    write_mosaic(tmp_path / "h.fits", COARSE, grid(0.06), "F160W", unit="electron/s")
    mosaics = Mosaics(tmp_path, size=20)
    with pytest.warns(AstroclumpsWarning, match="the zeropoint of F160W is taken to be the bands' own"):
        mosaics.read(galaxy(x=50, y=60))
    mosaics.read(galaxy(x=50, y=60))
    pickle.loads(pickle.dumps(Mosaics(tmp_path, size=20))).read(galaxy(x=50, y=60))


def test_the_description_knows_headers_and_sizes(tmp_path):
    files = same_corner(tmp_path)
    described = Mosaics(files, size=20, psf=0.2 * u.arcsec).describe()
    assert json.loads(json.dumps(described)) == described
    assert list(described["files"]) == ["F606W", "F160W"]
    assert [one["name"] for one in described["weights"]["F160W"]] == ["F160W_wht.fits"]
    assert str(tmp_path) not in json.dumps(described)
    assert Mosaics(tmp_path, size=20, psf=0.2 * u.arcsec).describe() == described
    assert Mosaics(files, size=22, psf=0.2 * u.arcsec).describe() != described
    with fits.open(files["F160W"], mode="update") as hdus:
        hdus[0].header["ABZP"] = 25.5
    assert Mosaics(files, size=20, psf=0.2 * u.arcsec).describe() != described


def test_a_file_that_changes_in_use_is_told(tmp_path):
    files = same_corner(tmp_path)
    mosaics = Mosaics(files, size=20)
    mosaics.read(galaxy(x=50, y=60))
    write_mosaic(files["F160W"], COARSE[:140] + 1, grid(0.06, corner=(-4, -4)), "F160W")
    with pytest.raises(ImageError, match=r"F160W_sci.fits was changed while it was in use"):
        mosaics.read(galaxy(x=50, y=60))
    files["F606W"].unlink()
    with pytest.raises(ImageError, match="no file"):
        mosaics.read(galaxy(x=50, y=60))


def test_damaged_files_are_told(tmp_path):
    files = same_corner(tmp_path)
    raw = files["F606W"].read_bytes()
    files["F606W"].write_bytes(raw[: len(raw) // 2])
    with pytest.raises(ImageError, match=r"F606W_sci.fits.*truncated"):
        Mosaics(files, size=20).read(galaxy(x=50, y=60))
    files["F606W"].write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        Mosaics(files, size=20).read(galaxy(x=50, y=60))


def test_weights_of_another_shape_are_told(tmp_path):
    files = same_corner(tmp_path)
    with pytest.raises(ImageError, match=r"weights .*F160W_wht.fits have the shape \(150, 130\), the image .*F606W_sci.fits"):
        Mosaics(files, weights=[tmp_path / "F160W_wht.fits"] * 2).read(galaxy(x=50, y=60))
    with pytest.raises(ImageError, match="3 weight files were given for 2 mosaics"):
        Mosaics(files, weights=[tmp_path / "F160W_wht.fits"] * 3).read(galaxy(x=50, y=60))
    with pytest.raises(ImageError, match="0 weight files for the 1 mosaics of F160W"):
        Mosaics(files, weights={"F606W": tmp_path / "F606W_wht.fits"}).read(galaxy(x=50, y=60))


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"size": 0}, ValueError, "size"),
        ({"size": 1.5}, ValueError, "size"),
        ({"pixel_scale": 0.06}, TypeError, "pixel_scale must be an angle"),
        ({"pixel_scale": -1 * u.arcsec}, ValueError, "positive angle"),
        ({"bands": ["F999X"]}, ValueError, "F999X"),
        ({"partial": "yes"}, TypeError, "partial"),
    ],
)
def test_settings_that_mean_nothing_are_refused_at_once(options, kind, text):
    with pytest.raises(kind, match=text):
        Mosaics("nowhere/*.fits", **options)


def test_files_that_are_not_there_are_told_on_reading(tmp_path):
    with pytest.raises(ImageError, match="no image files"):
        Mosaics(tmp_path / "*.fits").read(galaxy(x=1, y=1))
    files = same_corner(tmp_path)
    with pytest.raises(ImageError, match="no mosaic of the bands F125W"):
        Mosaics(files, bands=["F606W", "F125W"]).read(galaxy(x=1, y=1))


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads the memory of the process in /proc")
def test_memory_does_not_grow_with_the_number_of_galaxies(tmp_path):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    path = tmp_path / "h.fits"
    header = fits.PrimaryHDU(np.zeros((1, 1), dtype=np.float32), grid(0.06).to_header()).header
    header.update({"NAXIS1": 6000, "NAXIS2": 6000, "FILTER": "F160W", "BUNIT": "uJy"})
    header.tofile(path)
    rows = np.full((60, 6000), 1, dtype=">f4").tobytes()
    with open(path, "ab") as file:
        for _ in range(100):
            file.write(rows)
        file.write(bytes(-file.tell() % 2880))
    mosaics = Mosaics(path, size=64)
    x, y = RNG.uniform(40, 5950, (2, 600))
    for i in range(10):
        mosaics.read(galaxy(x=x[i], y=y[i]))
    before = resident()
    for i in range(10, 600):
        assert mosaics.read(galaxy(x=x[i], y=y[i])).data[0, 0, 0] == 1
    assert resident() - before < 20  # of 144 MB
