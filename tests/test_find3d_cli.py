"""``find3d`` and ``simulate``: what they write and print, and how they fail."""

import re

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, vstack
from simulated_galaxies import disc_positions, galaxy, star_table

from astroclumps import Snapshot, SyntheticSuite, catalog
from astroclumps.cli import main
from astroclumps.commands import options, snapshots
from astroclumps.simulation import finder as finder_module

TABLES = {"clumps.ecsv", "tree.ecsv", "links.ecsv"}
FAST = ["--set", "finder.background_fwhm=1 kpc"]
NOTHING = [*FAST, "--set", "finder.min_elements=100_000"]


def run(*arguments):
    """Exit code of a command; what argparse does counts as one."""
    try:
        return main([str(one) for one in arguments])
    except SystemExit as exc:
        return exc.code


def error_line(capsys):
    """The one line on stderr that tells the error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(lines) == 1, lines
    return lines[0]


def clumpy(number, **changes):
    """A disc of old stars with a bulge and a ball of ever young stars that turns about them; 0.1 Gyr between numbers."""
    rng = np.random.default_rng(3)
    angle = 0.3 * number
    ball = rng.normal(0, 0.06, (300, 3)) + 2 * np.array([np.cos(angle), np.sin(angle), 0])
    bulge = rng.normal(0, 0.05, (400, 3))
    disc = star_table(disc_positions(20_000), age=2 * u.Gyr)
    young = star_table(ball, first=20_000, age=50 * u.Myr)
    old = star_table(bulge, first=30_000, age=3 * u.Gyr)
    options = {"name": f"step {number}", "time": (1 + 0.1 * number) * u.Gyr}
    return galaxy(vstack([disc, young, old]), **(options | changes))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three snapshots of a galaxy with one clump off its centre."""
    folder = tmp_path_factory.mktemp("run")
    for number in range(3):
        clumpy(number).write(folder / f"snap_{number + 8}.npz")  # 8, 9, 10: not in the order of their letters
    return folder


@pytest.fixture
def no_figures(monkeypatch):
    """As if matplotlib were not installed."""
    monkeypatch.setattr("astroclumps.commands.find3d.has_figure", lambda: False)


def test_find3d_writes_tables_and_says_how_many_of_each_class(files, tmp_path, capsys):
    assert run("find3d", files, "-o", tmp_path / "out", *FAST, "--no-figures") == 0
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == TABLES
    clumps = catalog.read(out / "clumps.ecsv")
    catalog.validate(clumps, ("found", "tracked"), who="find3d")
    ball = clumps[clumps["r_gal"] > 1 * u.kpc]
    assert ball["snapshot"].tolist() == [0, 1, 2]
    assert len(set(ball["track"])) == 1
    assert ball["lifetime"].to_value(u.Myr) == pytest.approx(200)  # it begins in the first snapshot
    assert set(ball["longevity"]) == {"LLC"}
    captured = capsys.readouterr()
    assert re.search(r"^ +0 +step 0 +1 Gyr +R_d \S+ kpc +2 clumps", captured.out, re.MULTILINE)
    assert "6 clumps in 3 snapshots" in captured.out
    assert re.search(r"LLC, long-lived +3 +1 +100% ", captured.out)
    assert re.search(r"bulge +3 +1 +- ", captured.out)
    text = " ".join(captured.out.split())
    assert "what this rests on" in text
    assert "virial radius, which bounds the search for the disc: given" in text
    assert "cells of 70 pc, background of 1 kpc FWHM" in text
    assert "no dark matter" in text
    assert "snapshots 100 Myr apart" in text
    assert "2 tracks 2 are alive in the last snapshot and 2 begin in the first" in text
    assert f"in {out}: clumps.ecsv, tree.ecsv, links.ecsv" in text
    assert captured.err == ""


def test_the_tree_and_the_links_are_those_of_the_tracker(files, tmp_path):
    assert run("find3d", files, "-o", tmp_path / "out", *FAST, "--no-figures", "-q") == 0
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    tree, links = (QTable.read(tmp_path / "out" / f"{name}.ecsv") for name in ("tree", "links"))
    assert tree.colnames == ["id", "descendant", "main"]
    described = catalog.read(tmp_path / "out" / "links.ecsv")
    assert described.colnames == links.colnames
    assert all(described[name].info.description for name in described.colnames)
    assert "of the later clump" in tree["descendant"].info.description
    assert tree["descendant"].tolist() == clumps["descendant"].tolist()
    assert len(links) == 4
    assert (links["gap"] == 1).all()


def test_figures_of_each_snapshot_and_of_the_tracks(files, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert run("find3d", files, "-o", tmp_path / "out", *FAST) == 0
    figures = {"snapshot_000.png", "snapshot_001.png", "snapshot_002.png", "tracks.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == TABLES | figures
    assert all((tmp_path / "out" / name).read_bytes()[:4] == b"\x89PNG" for name in figures)
    assert "snapshot_000.png to snapshot_002.png" in capsys.readouterr().out


def test_without_matplotlib_the_missing_figures_are_announced(files, tmp_path, capsys, no_figures):
    assert run("find3d", files, "-o", tmp_path / "out", *FAST) == 0
    assert "warning: figures are left out" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == TABLES


def test_labels_name_the_stars_of_each_clump(files, tmp_path):
    assert run("find3d", files / "snap_9.npz", "-o", tmp_path / "out", *FAST, "--no-figures", "--labels", "-q") == 0
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    with np.load(tmp_path / "out" / "labels_000.npz") as file:
        identifiers, labels = file["particle_id"], file["label"]
    assert np.bincount(labels)[1:].tolist() == clumps["n_stars"].tolist()
    ball = int(clumps["id"][clumps["r_gal"] > 1 * u.kpc][0])
    young = (identifiers >= 20_000) & (identifiers < 20_300)
    assert np.mean(labels[young] == ball) > 0.95


def test_settings_reach_finder_and_tracker(files, tmp_path):
    changes = ["--set", "finder.cell_size=100 pc", "--set", "finder.overdensity=12", "--set", "tracker.max_gap=2"]
    assert run("find3d", files, "-o", tmp_path / "out", *FAST, *changes, "--no-figures", "-q") == 0
    history = " ".join(catalog.read(tmp_path / "out" / "clumps.ecsv").meta["history"])
    assert "cell_size=<Quantity 100. pc>" in history
    assert "overdensity=12" in history
    assert "max_gap=2" in history


def test_centre_and_virial_radius_are_set_for_all_or_one_each(files, tmp_path, monkeypatch, capsys):
    seen = []
    find = finder_module.ClumpFinder3D.find
    monkeypatch.setattr(finder_module.ClumpFinder3D, "find", lambda self, one: (seen.append(one), find(self, one))[1])
    common = ["-o", tmp_path / "out", *FAST, "--no-figures", "--overwrite", "-q"]
    assert run("find3d", files, "--centre=-0.5,0.1,0", "--r-vir", "40,41,42", *common) == 0
    assert [one.centre.value.tolist() for one in seen] == [[-0.5, 0.1, 0.0]] * 3
    assert [one.r_vir.value for one in seen] == [40, 41, 42]
    assert run("find3d", files, "--r-vir", "40,41", *common) == 2
    assert "--r-vir is given once for all snapshots or once for each; there are 3 snapshots, 2 given" in error_line(capsys)
    assert run("find3d", files / "snap_8.npz", "--r-vir", "40,41", *common) == 2
    assert "there is 1 snapshot, 2 given" in error_line(capsys)


def test_folders_and_patterns_are_sorted_by_number_and_lists_are_kept(files, tmp_path, capsys):
    class Arguments:
        snapshot = ()

    for given in ([str(files)], [str(files / "snap_*.npz")]):
        Arguments.snapshot = given
        assert [path.name for path in snapshots.paths(Arguments)] == ["snap_8.npz", "snap_9.npz", "snap_10.npz"]
    wrong = [files / "snap_10.npz", files / "snap_8.npz"]
    assert run("find3d", *wrong, "-o", tmp_path / "out", *FAST, "--no-figures") == 1
    assert re.search(r"snap_8.npz at 1 Gyr is not later than \S*snap_10.npz at 1.2 Gyr.*in order of time", error_line(capsys))


def test_a_folder_with_the_parts_of_one_snapshot_is_one(tmp_path):
    class Arguments:
        snapshot = [str(tmp_path)]

    for name in ("snap_099.0.hdf5", "snap_099.1.hdf5"):
        (tmp_path / name).touch()
    assert snapshots.paths(Arguments) == [tmp_path]
    (tmp_path / "snap_100.0.hdf5").touch()
    assert len(snapshots.paths(Arguments)) == 3


def test_results_that_are_there_stay(files, tmp_path, capsys):
    command = ["find3d", files / "snap_8.npz", "-o", tmp_path / "out", *FAST, "--no-figures", "-q"]
    assert run(*command, "--labels") == 0
    before = (tmp_path / "out" / "clumps.ecsv").read_bytes()
    assert run(*command) == 1
    assert "already holds clumps.ecsv, labels_000.npz, links.ecsv, tree.ecsv; add --overwrite" in error_line(capsys)
    (tmp_path / "out" / "notes.txt").touch()
    assert run(*command, "--overwrite") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*TABLES, "notes.txt"}  # labels of another run are gone
    assert (tmp_path / "out" / "clumps.ecsv").read_bytes() == before


def test_a_run_that_fails_leaves_earlier_results_alone(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("find3d", files / "snap_8.npz", "-o", out, *FAST, "--no-figures", "-q") == 0
    before = (out / "clumps.ecsv").read_bytes()
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    command = ["find3d", files / "snap_8.npz", tmp_path / "broken.npz", "-o", out, *FAST, "--no-figures", "--labels", "--overwrite", "-q"]
    assert run(*command) == 1
    assert "broken.npz" in error_line(capsys)
    assert {path.name for path in out.iterdir()} == TABLES
    assert (out / "clumps.ecsv").read_bytes() == before


def test_a_run_that_fails_leaves_no_folder_that_it_made(files, tmp_path, capsys):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    assert run("find3d", tmp_path / "broken.npz", "-o", tmp_path / "a" / "b", "--no-figures", "-q") == 1
    assert "broken.npz" in error_line(capsys)
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    assert run("find3d", tmp_path / "broken.npz", "-o", tmp_path / "mine" / "b", "--no-figures", "-q") == 1
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_folder_without_snapshots_is_told_with_what_it_holds(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run("find3d", tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert f"no snapshots in {tmp_path / 'empty'}: the folder is empty" in error_line(capsys)
    for number in range(5):
        (tmp_path / "suite" / f"galaxy_{number:03d}").mkdir(parents=True)
    assert run("find3d", tmp_path / "suite", "-o", tmp_path / "out") == 1
    text = error_line(capsys)
    assert "it holds only the folders galaxy_000, galaxy_001, galaxy_002 and 2 more; give the snapshots of one galaxy, such as" in text
    assert text.endswith(f"{tmp_path / 'suite' / 'galaxy_000'}")
    assert not (tmp_path / "out").exists()


def test_nothing_found_is_no_error(tmp_path, capsys):
    galaxy(star_table(disc_positions(5000))).write(tmp_path / "smooth.npz")
    assert run("find3d", tmp_path / "smooth.npz", "-o", tmp_path / "out", *NOTHING, "--no-figures") == 0
    captured = capsys.readouterr()
    assert "no clumps in 1 snapshot" in captured.out
    assert len(catalog.read(tmp_path / "out" / "clumps.ecsv")) == 0
    assert "astroclumps: warning: " in captured.err


def test_a_warning_of_every_snapshot_is_shown_once_and_counted(tmp_path, capsys):
    for number in range(3):
        snapshot = galaxy(star_table(disc_positions(4000)), name=f"step {number}", time=(1 + number) * u.Gyr)
        snapshot.write(tmp_path / f"{number}.npz")
    assert run("find3d", tmp_path, "-o", tmp_path.parent / "warned", *NOTHING, "--no-figures", "-q") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "found no clumps" in line]
    assert len(lines) == 2
    assert "'step 0'" in lines[0]
    assert "warning: 2 more like 'ClumpFinder3D found no clumps in" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--set", "cell_size=100"], 2, "--set takes STAGE.NAME=VALUE, such as finder.cell_size='100 pc'"),
        (["--set", "detector.x=1"], 2, "stages are finder, tracker"),
        (["--set", "finder.cells=1"], 2, "settings of the finder are cell_size, background_fwhm, overdensity"),
        (["--set", "finder.cell_size=0.1"], 1, "cell_size must be a Quantity that converts to kpc"),
        (["--centre", "1,2"], 2, "--centre takes 3 numbers with commas between, got '1,2'"),
        (["--r-vir", "big"], 2, "--r-vir takes numbers with commas between"),
        (["--half-width", "-3"], 2, "--half-width must be a positive number of kpc"),
        (["--reader", "nemo"], 1, "no simulation reader named 'nemo'; installed:"),
        (["--reader-option", "h"], 2, "--reader-option takes NAME=VALUE"),
        (["--reader-option", "h=0.7"], 1, "simulation reader 'npz' has no setting 'h'; it has none"),
        (["--reader-option", "path=foo"], 1, "simulation reader 'npz' has no setting 'path'; it has none"),
        (["--reader", "hdf5", "--reader-option", "path=foo"], 1, "has no setting 'path'; its settings are ['name', 'centre'"),
        (["--set", "tracker.long_lived=nan"], 1, "long_lived must be a positive, finite number of free-fall times, got 'nan'"),
        (["--set", "tracker.shared_fraction=abc"], 1, "shared_fraction must be a number above 0 and at most 1, got 'abc'"),
        (["--set", "finder.overdensity=abc"], 1, "overdensity must be a positive, finite number, got 'abc'"),
        (["--set", "finder.cell_size=-100 pc"], 1, "cell_size must be one positive, finite quantity, such as 70 * u.pc, got -100.0 pc"),
        (["--set", "finder.cell_size=nan pc"], 1, "cell_size must be a Quantity that converts to kpc, such as 70 * u.pc, got 'nan pc'"),
    ],
)
def test_what_makes_no_sense_is_told_before_results_are_written(files, tmp_path, capsys, arguments, code, words):
    assert run("find3d", files, "-o", tmp_path / "out", "--no-figures", *arguments) == code
    assert words in error_line(capsys)
    assert not any((tmp_path / "out").glob("*.ecsv"))


def test_missing_and_repeated_snapshots_are_named(files, tmp_path, capsys):
    out = ["-o", tmp_path / "out"]
    assert run("find3d", files / "none.npz", *out) == 1
    assert "no snapshot" in error_line(capsys)
    assert run("find3d", files / "none_*.npz", *out) == 1
    assert "no snapshot matches" in error_line(capsys)
    assert run("find3d", files / "snap_8.npz", files / "snap_8.npz", *out) == 2
    assert "snap_8.npz is given twice" in error_line(capsys)
    assert run("find3d", files, "-o", files) == 2
    assert "results need a folder of their own" in error_line(capsys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("None", None),
        ("[1, 2]", [1, 2]),
        ("100 pc", 100 * u.pc),
        ("1e-1kpc", 0.1 * u.kpc),
        ("[1, 3] Gyr", [1, 3] * u.Gyr),
        ("(0, 0, 0) kpc", [0, 0, 0] * u.kpc),
        ("both", "both"),
        ("3 apples", "3 apples"),
        ("-2 kpc", -2 * u.kpc),
    ],
)
def test_settings_as_text_may_have_units(text, expected):
    value = options.value(text)
    assert type(value) is type(expected)
    assert np.all(value == expected)


def test_a_snapshot_with_another_centre_keeps_the_rest():
    snapshot = clumpy(0)
    moved = snapshot.replace(centre=[1, 0, 0] * u.kpc, name="moved")
    assert moved.stars["mass"] is not None
    assert (moved.name, moved.time, moved.r_vir) == ("moved", snapshot.time, snapshot.r_vir)
    assert moved.centre.value.tolist() == [1, 0, 0]
    assert snapshot.centre.value.tolist() == [0, 0, 0]
    assert moved.stars["position"].value.base is not None or moved.stars["position"] is snapshot.stars["position"]


class TestSimulate:
    COMMON = ("simulate", "--galaxies", 2, "--snapshots", 2, "--stars", 3000, "--seed", 5)

    def test_galaxies_snapshots_and_the_record(self, tmp_path, capsys):
        assert run(*self.COMMON, "-o", tmp_path / "suite") == 0
        for i in range(2):
            folder = tmp_path / "suite" / f"galaxy_{i:03d}"
            assert {path.name for path in folder.iterdir()} == {"snapshot_000.npz", "snapshot_001.npz", "record.ecsv"}
            first, second = (Snapshot.read(folder / f"snapshot_{k:03d}.npz") for k in range(2))
            assert second.time > first.time
            assert set(QTable.read(folder / "record.ecsv")["snapshot"]) <= {0, 1}
        text = capsys.readouterr().out
        assert "A kinematic model, not a hydrodynamical run" in text
        assert f"astroclumps find3d {tmp_path / 'suite' / 'galaxy_000'} -o" in text

    def test_the_same_seed_gives_the_same_bytes(self, tmp_path):
        for name in ("a", "b"):
            assert run(*self.COMMON, "-o", tmp_path / name, "-q") == 0
        for path in (tmp_path / "a").rglob("*.*"):
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name

    def test_galaxies_that_are_there_stay(self, tmp_path, capsys):
        assert run(*self.COMMON, "-o", tmp_path, "-q") == 0
        assert run(*self.COMMON, "-o", tmp_path) == 1
        assert "already holds galaxy_000, galaxy_001; add --overwrite" in error_line(capsys)
        shorter = [1 if one == 2 else one for one in self.COMMON]
        assert run(*shorter, "-o", tmp_path, "--overwrite") == 1
        assert "holds galaxy_001 of another suite" in error_line(capsys)
        shorter[2] = 2
        assert run(*shorter, "-o", tmp_path, "--overwrite", "-q") == 0
        assert {path.name for path in (tmp_path / "galaxy_001").iterdir()} == {"snapshot_000.npz", "record.ecsv"}

    def test_clumpiness_is_that_of_the_suite(self, tmp_path):
        small = ("simulate", "--snapshots", 1, "--stars", 2000, "--seed", 5, "-q")
        for given, expected in ("4", 4.0), ("1,4", (1.0, 4.0)):
            assert run(*small, "--clumpiness", given, "-o", tmp_path / given) == 0
            record = SyntheticSuite(n_galaxies=1, n_snapshots=1, n_stars=2000, seed=5, clumpiness=expected).record(0)
            written = QTable.read(tmp_path / given / "galaxy_000" / "record.ecsv")
            assert len(written) > 0
            assert written["mass"].value.tolist() == record["mass"].value.tolist()

    def test_impossible_clumpiness_is_named(self, tmp_path, capsys):
        for wrong in ("many", "1,2,3", ""):
            assert run("simulate", f"--clumpiness={wrong}", "-o", tmp_path / "suite") == 2
            assert f"--clumpiness takes a factor such as 2, or two with a comma between, such as 1,4, got {wrong!r}" in error_line(capsys)
        assert run("simulate", "--clumpiness", 100, "-o", tmp_path / "suite") == 1
        assert "clumpiness must be a factor such as 1" in error_line(capsys)
        assert not (tmp_path / "suite").exists()

    def test_impossible_numbers_are_named(self, tmp_path, capsys):
        assert run("simulate", "--galaxies", 0, "-o", tmp_path / "suite") == 1
        assert "n_galaxies must lie between 1 and" in error_line(capsys)
        assert not (tmp_path / "suite").exists()

    def test_find3d_runs_on_a_galaxy(self, tmp_path, capsys):
        assert run(*self.COMMON, "-o", tmp_path / "suite", "-q") == 0
        out = tmp_path / "out"
        settings = ["--set", "finder.cell_size=200 pc", "--no-figures"]
        assert run("find3d", tmp_path / "suite" / "galaxy_000", "-o", out, *settings) == 0
        assert {path.name for path in out.iterdir()} == TABLES
        assert "in 2 snapshots" in capsys.readouterr().out


@pytest.mark.real_data
def test_a_hydrodynamical_disc(real_data, tmp_path, capsys):
    folder = real_data / "sims" / "gizmo_clumpy_disc"
    files = [folder / f"snapshot_{number:03d}.hdf5" for number in (8, 9, 10)]
    assert run("find3d", *files, "-o", tmp_path / "out", "--no-figures") == 0
    captured = capsys.readouterr()
    text = " ".join(captured.out.split())
    assert "PartType2: no formation time, ages of 1 to 3 Gyr at the start of the run by identifier" in text
    assert "stellar mass by Behroozi et al. (2019)" in text
    assert "snapshots 25 Myr apart (the paper's: 80 to 160); shares of classes depend on it" in text
    assert captured.err.count("no formation time") == 2  # once, and once with their number
    clumps = catalog.read(tmp_path / "out" / "clumps.ecsv")
    tracked = clumps[clumps["track"] > 0]
    assert 60 < len(tracked) < 250
