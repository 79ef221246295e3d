"""``astroclumps run CATALOG --images PATTERN``."""

import pytest
from survey_galaxies import make_galaxies, part_bytes

pytest.importorskip("pyarrow", reason="surveys write Parquet")

from astroclumps.cli import main
from astroclumps.survey.dataset import Survey

GUO = ["--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.03"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    table = make_galaxies(folder, 5, missing=(3,))
    table.write(folder / "galaxies.csv")
    table.rename_column("id", "NUMBER")
    table.write(folder / "numbers.parquet", format="parquet")
    return folder


def run(images, out, *more, catalogue="galaxies.csv"):
    return main(["run", str(images / catalogue), "--images", f"{images}/{{id}}.fits", "-o", str(out), *GUO, "--part-size", "2", *more])


def test_a_survey_from_the_command_line(images, tmp_path, capsys):
    assert run(images, tmp_path / "out") == 0
    text = capsys.readouterr().out
    assert "4 of 5 galaxies searched, 1 failed" in text
    assert "failed: g3, read: ImageError: there is no file" in text
    assert f"astroclumps report {tmp_path / 'out'}" in text
    assert len(Survey(tmp_path / "out").galaxies()) == 4


def test_giving_the_same_command_again_goes_on(images, tmp_path, capsys):
    assert run(images, tmp_path / "out", "-q") == 0
    before = part_bytes(tmp_path / "out")
    (tmp_path / "out" / "manifest" / "part-00001.json").unlink()
    assert run(images, tmp_path / "out", "-q") == 0
    assert part_bytes(tmp_path / "out") == before
    assert capsys.readouterr().out == ""


def test_another_setting_is_an_error_in_one_line(images, tmp_path, capsys):
    run(images, tmp_path / "out", "-q")
    assert run(images, tmp_path / "out", "-q", "--radius", "4") == 1
    error = capsys.readouterr().err.strip()
    assert "photometry.settings.radius" in error
    assert "\n" not in error


def test_columns_can_be_named(images, tmp_path, capsys):
    code = run(images, tmp_path / "out", "--column", "id=NUMBER", "--column", "redshift=redshift", catalogue="numbers.parquet")
    assert code == 0
    assert "4 of 5 galaxies searched" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--redshift", "1.5"], "--redshift does not go with --images (the list has a column redshift)"),
        (["--per-band"], "--per-band does not go with --images"),
        (["--x", "3"], "--x does not go"),
        (["--jobs", "0"], "--jobs takes a number of processes"),
        (["--column", "id"], "--column takes ROLE=NAME"),
        (["--jobs", "2", "--dask", "tcp://x"], "not allowed with"),
    ],
)
def test_what_makes_no_sense_is_said(images, tmp_path, capsys, more, said):
    with pytest.raises(SystemExit) as caught:
        run(images, tmp_path / "out", *more)
    assert caught.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_jobs_without_images_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["run", "a.fits", "--jobs", "2", "-o", str(tmp_path)])
    assert "--jobs is for a list of galaxies" in capsys.readouterr().err


def test_a_survey_in_which_all_failed_is_an_error(tmp_path, capsys):
    table = make_galaxies(tmp_path, 101, missing=range(101))
    table.write(tmp_path / "galaxies.csv")
    assert run(tmp_path, tmp_path / "out") == 1
    assert "none of the first 100 galaxies" in capsys.readouterr().err


def test_a_pattern_that_the_shell_opened_up_is_said(images, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["run", "galaxies.csv", "a.fits", "--images", "b.fits", "-o", str(tmp_path)])
    assert "quote the pattern" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_one_line(images, tmp_path, capsys, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra survey brings dask")

    def nobody(address):
        raise OSError(f"Timed out trying to connect to {address}")

    monkeypatch.setattr(distributed, "Client", nobody)
    assert run(images, tmp_path / "out", "--dask", "tcp://127.0.0.1:9") == 1
    assert "no dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
