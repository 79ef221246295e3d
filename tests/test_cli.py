"""The command line: what it writes and prints, and how it fails."""

import re
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from astroclumps import MultiBandImage, catalog
from astroclumps.cli import main
from astroclumps.commands import products
from astroclumps.testing import example_image

BANDS = ("F606W", "F160W")
CORE = ["--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.03"]
FILES = {"clumps.ecsv", "clumps.reg", "segmentation.fits"}


@pytest.fixture(scope="module")
def galaxy():
    """The example in two bands, with the widths of its point-spread functions."""
    return known_psf(example_image(bands=BANDS))


def known_psf(image, **changes):
    options = {"data": image.data * u.uJy, "wcs": image.wcs, "psf": 0.15 * u.arcsec, "redshift": image.redshift, "name": image.name}
    return MultiBandImage(bands=image.bands, **(options | changes))


@pytest.fixture
def cube(galaxy, tmp_path):
    galaxy.write(tmp_path / "galaxy.fits")
    return tmp_path / "galaxy.fits"


@pytest.fixture
def no_figure(monkeypatch):
    """As if matplotlib were not installed; figures take most of the time."""
    monkeypatch.setattr(products, "has_figure", lambda: False)
    monkeypatch.setattr("astroclumps.commands.run.has_figure", lambda: True)


def run(*arguments):
    """Exit code of a command; what argparse does counts as one."""
    try:
        return main([str(one) for one in arguments])
    except SystemExit as exc:
        return exc.code


def error_line(capsys):
    """The one line on stderr that tells the error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("astroclumps: error: ")]
    assert len(lines) == 1, lines
    return lines[0]


def test_run_writes_the_files_and_prints_a_table(cube, tmp_path, capsys, no_figure):
    assert run("run", cube, "-o", tmp_path / "out", *CORE) == 0
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == FILES
    clumps = catalog.read(out / "clumps.ecsv")
    catalog.validate(clumps, "measured", who="run", bands=BANDS)
    assert "sky" in clumps.colnames
    text = capsys.readouterr().out
    assert f"example: {len(clumps)} clumps in 2 bands, 64 x 64 pixels" in text
    assert "F160W [AB]" in text
    assert "redshift 1.5 as the file states, not measured here" in text
    assert '0.15" FWHM, as the file states' in text
    assert str(out) in text


def test_the_segmentation_has_the_ids_the_map_and_the_wcs(cube, tmp_path, galaxy, no_figure):
    assert run("run", cube, "-o", tmp_path / "out", *CORE, "--quiet") == 0
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    with fits.open(tmp_path / "out" / "segmentation.fits") as hdus:
        assert set(np.unique(hdus[0].data)) == {0, *clumps["id"]}
        assert hdus["MAP"].data.shape == hdus[0].data.shape
        assert hdus[0].header["CRVAL1"] == pytest.approx(galaxy.wcs.wcs.crval[0])
        assert hdus["MAP"].header["CRVAL1"] == pytest.approx(galaxy.wcs.wcs.crval[0])


def test_the_regions_are_the_rows(cube, tmp_path, no_figure):
    from regions import Regions

    assert run("run", cube, "-o", tmp_path / "out", *CORE, "--quiet") == 0
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    circles = Regions.read(tmp_path / "out" / "clumps.reg", format="ds9")
    assert [str(circle.meta["text"]) for circle in circles] == [str(number) for number in clumps["id"]]


def test_run_writes_a_figure_where_matplotlib_is_installed(cube, tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert run("run", cube, "-o", tmp_path / "out", *CORE, "--quiet") == 0
    assert (tmp_path / "out" / "quicklook.png").read_bytes()[:4] == b"\x89PNG"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "quicklook.png"}


def test_without_matplotlib_the_missing_figure_is_announced(cube, tmp_path, capsys, monkeypatch):
    for module in ("astroclumps.commands.run", "astroclumps.commands.products"):
        monkeypatch.setattr(f"{module}.has_figure", lambda: False)
    assert run("run", cube, "-o", tmp_path / "out", *CORE) == 0
    captured = capsys.readouterr()
    assert "warning: quicklook.png is left out" in captured.err
    assert 'pip install "astroclumps[plot]"' in captured.err
    assert "quicklook.png" not in captured.out


def test_quiet_prints_nothing(cube, tmp_path, capsys, no_figure):
    assert run("run", cube, "-o", tmp_path / "out", *CORE, "-q") == 0
    assert capsys.readouterr().out == ""


def test_a_redshift_on_the_command_line_is_called_an_assumption(cube, tmp_path, capsys, no_figure):
    assert run("run", cube, "--redshift", "1.2", "-o", tmp_path / "out", *CORE) == 0
    assert "redshift 1.2 as given on the command line: an assumption, not measured here" in " ".join(capsys.readouterr().out.split())
    assert fits.getheader(tmp_path / "out" / "segmentation.fits")["REDSHIFT"] == 1.2


def test_unknown_point_spread_functions_are_called_an_assumption(tmp_path, capsys, no_figure):
    example_image(bands=BANDS).write(tmp_path / "galaxy.fits")
    assert run("run", tmp_path / "galaxy.fits", "-o", tmp_path / "out", *CORE) == 0
    captured = capsys.readouterr()
    assert "because the file states none" in " ".join(captured.out.split())
    assert captured.err.count("astroclumps: warning: ") == 1 == captured.err.count("\n")


def test_warnings_of_a_fresh_process_are_one_line_each(tmp_path):
    example_image(bands=BANDS).write(tmp_path / "galaxy.fits")
    command = [sys.executable, "-m", "astroclumps", "run", tmp_path / "galaxy.fits", "-o", tmp_path / "out", *CORE, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = [line for line in done.stderr.splitlines() if "point-spread function" in line]
    assert len(ours) == 1
    assert ours[0].startswith("astroclumps: warning: ")


def test_the_width_of_the_point_spread_function_can_be_given(tmp_path, capsys, no_figure):
    example_image(bands=BANDS).write(tmp_path / "galaxy.fits")
    assert run("run", tmp_path / "galaxy.fits", "--psf-fwhm", "0.2,0.3", "-o", tmp_path / "out", *CORE) == 0
    captured = capsys.readouterr()
    assert '0.20-0.30" FWHM, as given on the command line' in captured.out
    assert captured.err == ""


def test_pure_noise_writes_empty_products_and_warns_in_one_line(tmp_path, capsys, galaxy, no_figure):
    noise = np.random.default_rng(5).normal(0, 1e-3, galaxy.data.shape) * u.uJy
    known_psf(galaxy, data=noise, name="sky").write(tmp_path / "sky.fits")
    assert run("run", tmp_path / "sky.fits", "-o", tmp_path / "out", *CORE) == 0
    captured = capsys.readouterr()
    assert "sky: no clumps in 2 bands" in captured.out
    assert re.fullmatch(r"astroclumps: warning: .*no clumps.*\n", captured.err)
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    assert len(clumps) == 0
    catalog.validate(clumps, "measured", who="run", bands=BANDS)
    assert (tmp_path / "out" / "clumps.reg").is_file()
    assert not fits.getdata(tmp_path / "out" / "segmentation.fits").any()


def test_a_cut_out_is_taken(cube, tmp_path, capsys, no_figure):
    assert run("run", cube, "--x", 36, "--y", 34, "--size", 40, "-o", tmp_path / "out", *CORE) == 0
    assert "40 x 40 pixels" in capsys.readouterr().out
    assert fits.getdata(tmp_path / "out" / "segmentation.fits").shape == (40, 40)


def planes(galaxy, folder):
    folder.mkdir()
    paths = []
    for band in galaxy.bands:
        header = galaxy.wcs.to_header()
        header["BUNIT"], header["FILTER"] = "uJy", band
        paths.append(folder / f"{band.lower()}_sci.fits")
        fits.writeto(paths[-1], galaxy.band(band), header)
    return paths


def test_a_folder_of_one_file_a_band_is_one_galaxy(galaxy, tmp_path, capsys, no_figure):
    planes(galaxy, tmp_path / "ngc1")
    assert run("run", tmp_path / "ngc1", "-z", 1.5, "--psf-fwhm", 0.15, "-o", tmp_path / "out", *CORE) == 0
    assert "ngc1: " in capsys.readouterr().out


def test_files_of_one_band_each_are_one_galaxy_with_per_band(galaxy, tmp_path, capsys, no_figure):
    paths = planes(galaxy, tmp_path / "ngc1")
    assert run("run", *paths, "--per-band", "-z", 1.5, "--psf-fwhm", 0.15, "-o", tmp_path / "out", *CORE) == 0
    assert " in 2 bands" in capsys.readouterr().out
    assert (tmp_path / "out" / "clumps.ecsv").is_file()


def test_files_of_one_band_each_without_per_band_get_a_hint(galaxy, tmp_path, capsys, no_figure):
    paths = planes(galaxy, tmp_path / "ngc1")
    arguments = ["--detector", "contrast", "--set", "detector.band=F606W", "--classifier", "none", "--no-sed", "--psf-fwhm", 0.15]
    assert run("run", *paths, "-o", tmp_path / "out", *arguments) == 1
    err = capsys.readouterr().err
    assert "if these files are the bands of one galaxy, add --per-band" in err
    assert "1 of 2 images failed" in err


def test_several_images_get_a_folder_each_and_one_that_fails_does_not_cost_the_others(cube, galaxy, tmp_path, capsys, no_figure):
    galaxy.write(tmp_path / "second.fits")
    (tmp_path / "bad.fits").write_bytes(cube.read_bytes()[:20000])
    assert run("run", cube, tmp_path / "bad.fits", tmp_path / "second.fits", "-o", tmp_path / "out", *CORE) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"galaxy", "second"}
    err = capsys.readouterr().err
    assert "bad.fits" in err
    assert "astroclumps: 1 of 3 images failed" in err


def test_existing_results_are_kept_unless_overwrite_is_given(cube, tmp_path, capsys, no_figure):
    out = tmp_path / "out"
    out.mkdir()
    (out / "clumps.ecsv").write_text("mine")
    assert run("run", cube, "-o", out, *CORE) == 1
    assert "already holds clumps.ecsv; add --overwrite" in error_line(capsys)
    assert (out / "clumps.ecsv").read_text() == "mine"
    assert {path.name for path in out.iterdir()} == {"clumps.ecsv"}
    assert run("run", cube, "-o", out, *CORE, "--overwrite", "-q") == 0
    assert (out / "clumps.ecsv").read_text().startswith("# %ECSV")


def test_an_old_figure_does_not_stay_beside_new_results(cube, tmp_path, no_figure):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "quicklook.png").write_text("old")
    assert run("run", cube, "-o", tmp_path / "out", *CORE, "--overwrite", "-q") == 0
    assert not (tmp_path / "out" / "quicklook.png").exists()


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_found_out_before_the_work_starts(cube, tmp_path, capsys, monkeypatch, where):
    (tmp_path / "file").touch()
    monkeypatch.setattr("astroclumps.commands.run.read", lambda *_: pytest.fail("work started"))
    assert run("run", cube, "-o", tmp_path / where, *CORE) == 1
    assert "results cannot be written into" in error_line(capsys)


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work_starts(cube, tmp_path, capsys, monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(products.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr("astroclumps.commands.run.read", lambda *_: pytest.fail("work started"))
    assert run("run", cube, "-o", tmp_path / "out", *CORE) == 1
    assert "Read-only file system" in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_file_that_breaks_off_while_written_leaves_the_old_one(cube, tmp_path, monkeypatch, capsys, no_figure):
    out = tmp_path / "out"
    assert run("run", cube, "-o", out, *CORE, "-q") == 0
    before = (out / "segmentation.fits").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(products, "_segmentation", fail)
    assert run("run", cube, "-o", out, *CORE, "-q", "--overwrite") == 1
    assert "no space left to write" in error_line(capsys)
    assert (out / "segmentation.fits").read_bytes() == before
    assert {path.name for path in out.iterdir()} == FILES


def test_a_missing_file_is_one_line(tmp_path, capsys):
    assert run("run", tmp_path / "nothing.fits", "-o", tmp_path / "out", *CORE) == 1
    assert "nothing.fits" in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_is_one_line_that_names_it(cube, tmp_path, capsys):
    cube.write_bytes(cube.read_bytes()[:20000])
    assert run("run", cube, "-o", tmp_path / "out", *CORE) == 1
    assert "galaxy.fits" in error_line(capsys)


def test_no_redshift_is_one_line_that_says_what_to_do(galaxy, tmp_path, capsys, monkeypatch):
    known_psf(galaxy, redshift=None).write(tmp_path / "galaxy.fits")
    monkeypatch.setattr("astroclumps.pipeline.Pipeline.run_with_maps", lambda *_: pytest.fail("work started"))
    assert run("run", tmp_path / "galaxy.fits", "-o", tmp_path / "out", "--detector", "contrast", "--classifier", "none") == 1
    line = error_line(capsys)
    assert "the file states no redshift" in line
    assert "--redshift Z" in line


@pytest.mark.needs_torch
def test_missing_bands_name_both_lists(cube, tmp_path, capsys):
    import tiny_networks as tiny

    names = ("F435W", "F775W")
    card = tiny.unet_card(bands=list(names), max_missing_bands=0)
    path = tiny.random_weights(tmp_path / "other.safetensors", card)
    arguments = ["--weights", path, "--classifier", "none", "--no-sed"]
    assert run("run", cube, "-o", tmp_path / "out", *arguments) == 1
    assert "image has bands F606W, F160W; weights tiny 1.0 were trained on F435W, F775W" in error_line(capsys)


@pytest.mark.needs_torch
def test_what_the_weights_saw_is_printed(cube, tmp_path, capsys, no_figure):
    import tiny_networks as tiny

    path = tiny.bright_pixel_weights(tmp_path / "bright.safetensors", trained_on="nothing at all")
    assert run("run", cube, "-o", tmp_path / "out", "--weights", path, "--classifier", "none", "--no-sed") == 0
    assert "weights of detector tiny 1.0 saw nothing at all" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--detector", "zzz"], "no detector named 'zzz'; installed: ['contrast', 'unet'"),
        (["--threshold", "0.5"], "no setting 'threshold'; its settings are ['box', 'n_sigma'"),
        (["--set", "detector.n_sigma=-1"], "n_sigma must be positive"),
        (["--bands", "F606W,F999W"], "F999W"),
        (["--unit", "uJy"], "a cube states its own unit"),
        (["--x", "60", "--y", "60", "--size", "40"], "does not lie inside the image"),
        (["--format", "hdf"], "no image reader named 'hdf'; installed: ['bands', 'cube', 'folklore'"),
    ],
)
def test_wrong_settings_are_one_line(cube, tmp_path, capsys, arguments, match):
    assert run("run", cube, "-o", tmp_path / "out", *CORE, *arguments) == 1
    assert match in error_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--x", "3"], "--x, --y and --size"),
        (["--redshift", "1,2,3"], "one value for all images or one each"),
        (["--redshift", "high"], "--redshift takes a number"),
        (["--set", "n_sigma=3"], "STAGE.NAME=VALUE"),
        (["--set", "detection.n_sigma=3"], "stages are detector, classifier, photometry, sed"),
        (["--p0", "0.4"], "threshold of the classifier makes no sense"),
        (["--unit", "parsnip"], "is no unit"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_command_that_makes_no_sense_is_code_2(cube, tmp_path, capsys, arguments, match):
    assert run("run", cube, "-o", tmp_path / "out", *CORE, *arguments) == 2
    assert match in capsys.readouterr().err


def test_two_images_of_one_name_are_code_2(cube, tmp_path, capsys):
    assert run("run", cube, tmp_path / "deep" / "galaxy.fits.gz", "-o", tmp_path / "out", *CORE) == 2
    assert "two images are named 'galaxy'" in capsys.readouterr().err


def test_debug_shows_where_an_error_came_from(tmp_path):
    with pytest.raises(Exception, match="nothing.fits"):
        main(["run", str(tmp_path / "nothing.fits"), "-o", str(tmp_path / "out"), *CORE, "--debug"])


@pytest.mark.real_data
def test_the_real_cut_out_runs_through_the_core(real_data, tmp_path, capsys, no_figure):
    path = real_data / "hst_xdf" / "cutout64_clumpyA.fits"
    assert run("run", path, "--redshift", 1.5, "--psf-fwhm", 0.3, "-o", tmp_path / "out", *CORE) == 0
    assert "cutout64_clumpyA" in capsys.readouterr().out
    assert len(catalog.read(tmp_path / "out" / "clumps.ecsv")) <= 5
