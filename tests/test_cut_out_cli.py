"""A galaxy of the command line by its place on the sky."""

import numpy as np
import pytest
from sky_mosaics import grid, write_mosaic

from astroclumps import catalog
from astroclumps.cli import main
from astroclumps.commands import products
from astroclumps.testing import example_image

OPTIONS = ["--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.03", "--psf-fwhm", "0.15"]


@pytest.fixture(autouse=True)
def no_figure(monkeypatch):
    """As if matplotlib were not installed; figures take most of the time."""
    monkeypatch.setattr(products, "has_figure", lambda: False)
    monkeypatch.setattr("astroclumps.commands.run.has_figure", lambda: True)


@pytest.fixture
def field(tmp_path):
    """The example galaxy in larger mosaics: F606W at 0.03 arcsec, which begins three of its pixels farther to the left, F160W at 0.06."""
    galaxy = example_image(bands=("F606W", "F160W"))
    folder = tmp_path / "field"
    folder.mkdir()
    sky = np.random.default_rng(0).normal(0, 1e-4, (2, 120, 140))
    sky[:, 30:94, 50:114] += galaxy.data
    coarse = grid(0.06, corner=(-4.2, -3.6))
    fine = np.pad(np.repeat(np.repeat(sky[0] / 4, 2, axis=0), 2, axis=1), ((0, 0), (3, 0)))
    write_mosaic(folder / "v.fits", fine, grid(0.03, corner=(-4.29, -3.6)), "F606W", REDSHIFT=1.5)
    write_mosaic(folder / "h.fits", sky[1], coarse, "F160W")
    return folder, galaxy, coarse


def run(*arguments):
    try:
        return main([str(one) for one in arguments])
    except SystemExit as exc:
        return exc.code


def test_files_of_one_band_each_are_cut_by_their_own_wcs(field, tmp_path, capsys):
    folder, galaxy, wcs = field
    galaxy.write(tmp_path / "galaxy.fits")
    assert run("run", tmp_path / "galaxy.fits", "-o", tmp_path / "whole", *OPTIONS) == 0
    expected = catalog.read(tmp_path / "whole" / "clumps.ecsv")
    place = wcs.pixel_to_world(81.5, 61.5)
    capsys.readouterr()
    for ra, dec in (
        (place.ra.deg, place.dec.deg),
        (place.ra.to_string("hour", sep=":", precision=6), place.dec.to_string(sep=":", precision=5)),
    ):
        assert run("run", folder, "--ra", ra, "--dec", dec, "--size", 64, "-o", tmp_path / "out", "--overwrite", *OPTIONS) == 0
        text = capsys.readouterr().out
        assert "2 bands, 64 x 64 pixels" in text
        assert "redshift 1.5 as the file states" in text
        clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
        assert len(clumps) == len(expected) > 0
        np.testing.assert_allclose(clumps["x"].value, expected["x"].value, atol=0.1)
        np.testing.assert_allclose(clumps["y"].value, expected["y"].value, atol=0.1)
        x, y = wcs.world_to_pixel(clumps["sky"])
        np.testing.assert_allclose(x, clumps["x"].value + 50, atol=1e-5)
        np.testing.assert_allclose(y, clumps["y"].value + 30, atol=1e-5)


def test_a_cube_is_cut_by_its_wcs(field, tmp_path, capsys):
    _, galaxy, _ = field
    galaxy.write(tmp_path / "galaxy.fits")
    place = galaxy.sky(36, 34)
    given = ["--size", 40]
    assert run("run", tmp_path / "galaxy.fits", "--x", 36, "--y", 34, *given, "-o", tmp_path / "pixel", *OPTIONS) == 0
    at = ["--ra", place.ra.deg, "--dec", place.dec.deg]
    assert run("run", tmp_path / "galaxy.fits", *at, *given, "-o", tmp_path / "sky", *OPTIONS) == 0
    assert "40 x 40 pixels" in capsys.readouterr().out
    by_pixel, by_sky = (catalog.read(tmp_path / name / "clumps.ecsv") for name in ("pixel", "sky"))
    np.testing.assert_array_equal(by_sky["x"], by_pixel["x"])
    np.testing.assert_array_equal(by_sky["flux_f606w"], by_pixel["flux_f606w"])


@pytest.mark.parametrize(
    ("arguments", "code", "match"),
    [
        (["--ra", "10", "--size", "20"], 2, "--ra, --dec and --size"),
        (["--ra", "10", "--dec", "2"], 2, "--ra, --dec and --size"),
        (["--ra", "10", "--dec", "2", "--x", "3", "--y", "4", "--size", "20"], 2, "not by both"),
        (["--ra", "east", "--dec", "2", "--size", "20"], 2, "is no place on the sky"),
        (["--ra", "10", "--dec", "95", "--size", "20"], 2, "is no place on the sky"),
        (["--ra", "10", "--dec", "2", "--size", "20"], 1, "does not lie inside a mosaic of F160W"),
        (["--ra", "10", "--dec", "2", "--size", "20", "--reader-option", "camera=2"], 1, "no setting 'camera' of cut-outs"),
    ],
)
def test_places_that_make_no_sense_are_one_line(field, tmp_path, capsys, arguments, code, match):
    assert run("run", field[0], "-o", tmp_path / "out", *OPTIONS, *arguments) == code
    assert match in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_cube_without_wcs_is_told(field, tmp_path, capsys):
    example = field[1]
    type(example)(data=example.data * example.unit, bands=example.bands, name="flat").write(tmp_path / "flat.fits")
    assert run("run", tmp_path / "flat.fits", "--ra", 10, "--dec", 2, "--size", 20, "-o", tmp_path / "out", *OPTIONS) == 1
    assert "has no WCS, so that --ra and --dec say nothing" in capsys.readouterr().err
