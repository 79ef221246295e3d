"""``astroclumps inject``: from files to a table and a figure."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.cli import main
from astroclumps.testing import example_image

NAMES = ("injected.ecsv", "completeness.ecsv")


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for seed in range(2):
        path = folder / f"galaxy{seed}.fits"
        example_image(bands=["F606W", "F160W"], seed=seed).write(path)
        paths.append(str(path))
    return paths


@pytest.fixture
def no_figure(monkeypatch):
    monkeypatch.setattr("astroclumps.commands.inject.has_figure", lambda: False)


def test_clumps_go_in_and_a_table_comes_out(cubes, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="draws the figure")
    out = tmp_path / "out"
    settings = ["--repeats", "3", "--flux", "27,24 ABmag", "--colour", "F606W=1,F160W=2", "--half-light", "0.1,0.4 kpc", "--seed", "4"]
    command = ["inject", *cubes, "--detector", "contrast", "--set", "contrast.min_uv_fraction=0.02", "--exposure", "1000", *settings]
    assert main([*command, "-o", str(out)]) == 0
    clumps = QTable.read(out / "injected.ecsv", format="ascii.ecsv")
    assert len(clumps) == 6
    assert set(clumps["galaxy"]) == {"example"}
    assert clumps["flux"].to_value(u.ABmag).min() >= 24
    assert clumps.meta["bands"] == "F606W"
    curve = QTable.read(out / "completeness.ecsv", format="ascii.ecsv")
    assert curve["n"].sum() == 6
    assert (out / "completeness.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "contrast: 6 clumps" in printed
    assert "flux in F606W" in printed
    assert main([*command, "-o", str(out)]) == 1  # the results are kept
    assert "already holds" in capsys.readouterr().err
    assert main([*command, "-o", str(out), "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    again = QTable.read(out / "injected.ecsv", format="ascii.ecsv")
    np.testing.assert_array_equal(clumps["x"], again["x"])


def test_without_matplotlib_there_is_no_figure(cubes, tmp_path, no_figure):
    command = ["inject", *cubes, "--detector", "contrast", "--repeats", "1", "--ratio", "0.1,0.2", "-q", "-o", str(tmp_path)]
    assert main(command) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_an_image_that_fails_does_not_stop_the_others(cubes, tmp_path, capsys, no_figure):
    command = ["inject", cubes[0], str(tmp_path / "none.fits"), "--detector", "contrast", "--repeats", "1", "-o", str(tmp_path / "out")]
    assert main(command) == 1
    assert "none" in capsys.readouterr().err
    assert len(QTable.read(tmp_path / "out" / "injected.ecsv", format="ascii.ecsv")) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", "0.1,1", "--flux", "1,2 uJy"], "give one"),
        (["--ratio", "0.1"], "two numbers"),
        (["--ratio", "0.5,0.01"], "ratio has two limits, the smaller first, got (0.5, 0.01)"),
        (["--flux", "24,28 ABmag"], "flux has two limits, the fainter first"),
        (["--clumps", "0"], "n_clumps is a whole number"),
        (["--flux", "1,2"], "numbers with a unit"),
        (["--colour", "F606W=blue,F160W=1"], "BAND=VALUE"),
        (["--detector", "contrast", "--set", "unet.threshold=0.4"], "the detectors are contrast"),
        (["--detector", "contrast", "--weights", "unet-sersic"], "makes no sense"),
    ],
)
def test_what_makes_no_sense_is_told(cubes, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        main(["inject", cubes[0], "-o", str(tmp_path / "out"), *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_clumps_that_have_no_room_are_told(cubes, tmp_path, capsys, no_figure):
    command = ["inject", cubes[0], "--detector", "contrast", "--repeats", "1", "--clumps", "200", "-q", "-o", str(tmp_path)]
    assert main(command) == 0
    n = len(QTable.read(tmp_path / "injected.ecsv", format="ascii.ecsv"))
    assert 0 < n < 200
    assert f"had room for {n} of 200 clumps in a copy" in capsys.readouterr().err
