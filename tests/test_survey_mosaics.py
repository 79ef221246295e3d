"""A survey over mosaics from the command line: two pixel scales, galaxies at the edge and outside."""

import numpy as np
import pytest
from astropy.table import Table
from sky_mosaics import grid, offset, planted, write_mosaic

pytest.importorskip("pyarrow", reason="surveys write Parquet")

from astroclumps.cli import main
from astroclumps.survey.dataset import Survey

SCALES = {"F435W": 0.03, "F606W": 0.03, "F160W": 0.06}
SIDE = 24.0  # arcsec
PLACES = {"a": (6.0, 6.0), "b": (16.0, 9.0), "c": (9.0, 17.0), "edge": (23.0, 12.0), "outside": (300.0, 300.0)}


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Three galaxies of a disc and two knots each, in three bands, and a list with two more that cannot be cut out."""
    folder = tmp_path_factory.mktemp("field")
    rng = np.random.default_rng(5)
    for band, scale in SCALES.items():
        n = round(SIDE / scale)
        wcs = grid(scale)
        data = np.zeros((n, n))
        for name in "abc":
            x, y = PLACES[name]
            data += planted(wcs, data.shape, [(offset(x, y), 3.0)], scale=scale, width=0.5)
            data += planted(wcs, data.shape, [(offset(x + 0.5, y), 0.3), (offset(x - 0.3, y + 0.5), 0.3)], scale=scale, width=0.08)
        write_mosaic(folder / f"{band.lower()}_sci.fits", (data + rng.normal(0, 5e-4 * scale / 0.06, data.shape)).astype("f4"), wcs, band)
    sky = [offset(*place) for place in PLACES.values()]
    columns = {"ID": list(PLACES), "RA": [one.ra.deg for one in sky], "DEC": [one.dec.deg for one in sky], "z": [1.5] * len(sky)}
    Table(columns).write(folder / "list.fits")
    return folder


def test_galaxies_are_cut_out_and_searched(field, tmp_path, capsys):
    options = ["--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.02"]
    images = ["--images", f"{field}/*_sci.fits", "--size", "64", "--psf-fwhm", "0.19"]
    assert main(["run", str(field / "list.fits"), *images, "-o", str(tmp_path / "out"), *options]) == 0
    assert "3 of 5 galaxies searched, 2 failed" in capsys.readouterr().out
    survey = Survey(tmp_path / "out")
    assert sorted(survey.failures()["id"]) == ["edge", "outside"]
    clumps = survey.clumps()
    for name in "abc":
        x, y = PLACES[name]
        mine = clumps[clumps["galaxy"] == name]
        for place in (offset(x + 0.5, y), offset(x - 0.3, y + 0.5)):
            apart = np.hypot((mine["ra"].value - place.ra.deg) * np.cos(place.dec.rad), mine["dec"].value - place.dec.deg) * 3600
            assert apart.min() < 0.06
    assert {"flux_f435w", "flux_f606w", "flux_f160w"} <= set(clumps.colnames)


def test_another_mosaic_is_another_survey(field, tmp_path, capsys):
    options = ["--detector", "contrast", "--classifier", "none", "--no-sed", "-q"]
    command = ["run", str(field / "list.fits"), "--images", f"{field}/*_sci.fits", "-o", str(tmp_path / "out"), *options]
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, "--size", "48"]) == 1
    assert "images.size" in capsys.readouterr().err
