"""``astroclumps dataset``: from files or a suite to a set, and what it prints."""

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set
from planted_galaxies import planted

from astroclumps.cli import main
from astroclumps.commands.dataset import report
from astroclumps.training.galaxy_set import GalaxySet

pytestmark = pytest.mark.filterwarnings("ignore::astroclumps.exceptions.AstroclumpsWarning")


@pytest.mark.needs_bagpipes
def test_files_become_a_set(tmp_path, capsys):
    for galaxy in ("a", "b"):
        (tmp_path / galaxy).mkdir()
        for k in range(2):
            planted(0, k).write(tmp_path / galaxy / f"snapshot_{k:03d}.npz")
    options = ["--imaged", "1", "--redshift", "1.2,2.5", "--seed", "3"]
    assert main(["dataset", "-o", str(tmp_path / "set"), str(tmp_path / "a"), str(tmp_path / "b"), "--each", *options]) == 0
    shown = capsys.readouterr().out
    assert "2 galaxies with 4 snapshots, 2 of them imaged: about 21 images" in shown
    assert "positives an image" in shown
    made = GalaxySet(tmp_path / "set")
    assert np.unique(made.galaxy).tolist() == [0, 1]
    assert np.unique(made.snapshot).tolist() == [1]
    assert 1.2 <= made.redshift.min() <= made.redshift.max() <= 2.5
    assert main(["dataset", "-o", str(tmp_path / "set"), str(tmp_path / "a"), "--seed", "4", "-q"]) == 1
    assert "holds galaxies of another recipe" in capsys.readouterr().err


@pytest.mark.needs_bagpipes
@pytest.mark.slow
def test_a_suite_becomes_a_set(tmp_path, capsys):
    options = ["--galaxies", "1", "--snapshots", "2", "--stars", "2000", "--imaged", "1", "--all-cameras", "--quiet"]
    assert main(["dataset", "-o", str(tmp_path), *options]) == 0
    assert capsys.readouterr().out == ""
    assert len(GalaxySet(tmp_path)) == 19


def test_report_counts_clumps_and_positives(tmp_path):
    made = GalaxySet(write_galaxy_set(tmp_path, n_galaxies=2, n_images=4, n_clumps=6))
    lines = report(made).splitlines()
    assert lines[0].startswith("8 images of 2 galaxies and 4 snapshots")
    assert "without axis ratio: 25.0%" in lines[0]
    bulge = next(line for line in lines if line.startswith("bulge")).split()
    assert bulge[1:] == ["8", "8", "1.00"]
    total = sum(int(line.split()[-2]) for line in lines if line.split()[0] in ("LLC", "SLC", "ZLC", "ex"))
    assert total == 8 * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reader", "hdf5"], "need snapshots, SNAP"),
        (["--each"], "need snapshots, SNAP"),
        (["{file}", "--galaxies", "3"], "--galaxies is for the synthetic suite"),
        (["--redshift", "2"], "--redshift takes two numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, arguments, message):
    file = tmp_path / "snapshot_000.npz"
    planted(0, 0).write(file)
    with pytest.raises(SystemExit) as left:
        main(["dataset", "-o", str(tmp_path / "set"), *(one.format(file=file) for one in arguments)])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
