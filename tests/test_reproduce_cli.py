"""``astroclumps reproduce``: from a seed to figures on a tiny suite, and what it refuses."""

import pytest
from astropy.table import QTable

from astroclumps.cli import main


@pytest.mark.needs_bagpipes
def test_figures_and_numbers_of_a_tiny_suite(tmp_path, capsys):
    pytest.importorskip("torch", reason="the networks need torch")
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    small = ["--galaxies", "2", "--snapshots", "2", "--stars", "15000", "--images", "4", "--draws", "2"]
    library = ["--option", "sed.n_models=1000", "--option", "sed.n_effective=0"]
    args = ["reproduce", "--figures", "3,7,12", *small, *library, "-o", str(tmp_path)]
    assert main(args) == 0
    said = capsys.readouterr().out
    assert "minutes in 1 process" in said
    assert "GB of memory" in said
    for name in ("figure_03_clumps_3d", "figure_07_true_detection", "figure_12_hosts"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    table = QTable.read(tmp_path / "numbers.ecsv")
    assert table["paper_vela"][table["figure"] == "12"][0] == "10.8"
    assert main(args) == 0
    assert "0 files made" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--figures", "2-5"], "numbers from 3 to 13"),
        (["--figures", "x"], "numbers and ranges"),
        (["--images", "-3"], "--images must be 1 or more, got -3"),
        (["--draws", "1"], "--draws must be 2 or more, got 1"),
        (["--predictions", "x.npz"], "name it with --set"),
        (["--exclude", "1,2"], "X,Y,R in pixels"),
        (["--field", "."], "state the redshift"),
        (["--option", "nothing.x=1"], "stages are detector"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, options, message):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    with pytest.raises(SystemExit) as exit_:
        main(["reproduce", *options, "-o", str(tmp_path / "out")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_set_that_is_not_there_is_one_line(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    assert main(["reproduce", "--set", str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 1
    assert "no folder" in capsys.readouterr().err
