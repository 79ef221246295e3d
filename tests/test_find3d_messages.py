"""What ``find3d`` says: the table of classes, and how it fails."""

import sys
from types import SimpleNamespace

import astropy.units as u
import pytest
from simulated_galaxies import clump_table

from astroclumps import Snapshot
from astroclumps.cli import main
from astroclumps.commands.report_3d import class_lines
from astroclumps.exceptions import SnapshotError


def test_star_formation_of_a_class_is_that_of_all_its_clumps_over_the_discs():
    tracked = clump_table([(1, 0, 0)] * 4, longevity=["LLC", "LLC", "LLC", "SLC"], track=[1, 2, 1, 3], snapshot=[0, 0, 1, 1])
    tracked["sfr"] = [1, 3, 2, 9] * u.Msun / u.yr
    tracked["lifetime"] = [300, 300, 300, 90] * u.Myr
    header, long_lived, short_lived, *legend = class_lines(tracked, [SimpleNamespace(sfr=10.0), SimpleNamespace(sfr=20.0)])
    assert header.split()[-1] == "SFR/disc"
    assert long_lived.split()[-1] == "20.0%"  # not the median of 10%, 30% and 10%
    assert short_lived.split()[-1] == "30.0%"
    assert "SFR/disc: of all clumps of the class together over that in R_d and H_d, both summed over snapshots" in " ".join(legend)


@pytest.fixture
def text_table(tmp_path):
    """A file that is no snapshot."""
    path = tmp_path / "table.ecsv"
    path.write_text("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n")
    return path


def unrecognised(path, tried):
    return (
        f"{path}: no reader recognises it as a snapshot: 'hdf5' reads HDF5 files with groups PartType*, 'npz' what Snapshot.write has "
        f"written, 'yt' what the package yt knows; {tried}"
    )


def test_a_file_that_is_no_snapshot_is_told_with_the_formats_there_are(text_table, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "yt", None)
    assert main(["find3d", str(text_table), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert unrecognised(text_table, "yt is not installed. --reader (in Python format=) chooses a reader: --reader yt tries yt") in said
    with pytest.raises(SnapshotError, match="no reader recognises it as a snapshot"):
        Snapshot.read(text_table)
    assert main(["find3d", str(text_table), "--reader", "yt", "-o", str(tmp_path / "out")]) == 1
    assert "read_yt needs yt" in capsys.readouterr().err


def test_that_yt_does_not_know_a_file_either_is_said(text_table, tmp_path, capsys):
    pytest.importorskip("yt", reason='needs yt: pip install "astroclumps[sim]"')
    assert main(["find3d", str(text_table), "-o", str(tmp_path / "out")]) == 1
    assert unrecognised(text_table, "yt was tried, and does not know it either. --reader") in capsys.readouterr().err
    assert main(["find3d", str(text_table), "--reader", "yt", "-o", str(tmp_path / "out")]) == 1
    assert "yt cannot read it: Could not determine input format" in capsys.readouterr().err
