"""Surveys: every galaxy once, the same bytes however they are made, failures as rows."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table
from survey_galaxies import guo, make_galaxies, part_bytes

pytest.importorskip("pyarrow", reason="surveys write Parquet")

import pyarrow.dataset
import pyarrow.parquet

from astroclumps import Pipeline, run_survey
from astroclumps.exceptions import AstroclumpsWarning, SurveyError
from astroclumps.survey import job as jobs
from astroclumps.survey import workers
from astroclumps.survey.dataset import Survey
from astroclumps.survey.folder import Folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Seven galaxies, of which one has no file and one a damaged one."""
    folder = tmp_path_factory.mktemp("images")
    return folder, make_galaxies(folder, 7, missing=(2,), broken=(5,))


def survey(images, out, executor=None, **options):
    folder, table = images
    options = {"part_size": 3, "batch": 2, "thumbnails": 3, "progress": False} | options
    return run_survey(options.pop("table", table), options.pop("pipeline", guo()), out, executor, images=f"{folder}/{{id}}.fits", **options)


@pytest.fixture(scope="module")
def done(images, tmp_path_factory):
    """A finished survey, its failures and its bytes."""
    out = tmp_path_factory.mktemp("done") / "out"
    failures = survey(images, out)
    return out, failures, part_bytes(out)


def test_each_galaxy_is_searched_or_failed_once(done):
    out, failures, _ = done
    found = Survey(out)
    assert found.complete
    assert list(failures["id"]) == ["g2", "g5"]
    assert list(failures["stage"]) == ["read", "read"]
    assert "g2.fits" in failures["error"][0]
    assert list(found.galaxies()["galaxy"]) == ["g0", "g1", "g3", "g4", "g6"]


def test_the_tables_hold_what_the_pipeline_gives(images, done):
    from astroclumps import MultiBandImage

    found = Survey(done[0])
    with pytest.warns(AstroclumpsWarning, match="point-spread function"):
        direct = guo().run(MultiBandImage.read(images[0] / "g4.fits", redshift=1.5))
    clumps = found.clumps()
    mine = clumps[clumps["galaxy"] == "g4"]
    assert len(mine) == len(direct) > 0
    for name in ("id", "x", "y", "score", "flux_f160w", "flags"):
        np.testing.assert_array_equal(mine[name], direct[name])
    np.testing.assert_allclose(mine["ra"].value, direct["sky"].ra.deg, rtol=0, atol=1e-12)
    galaxies = found.galaxies()
    row = galaxies[galaxies["galaxy"] == "g4"][0]
    assert row["n_clumps"] == len(direct)
    assert row["field"] == "south"
    assert row["mass"] == pytest.approx(images[1]["mass"][4])
    assert row["redshift"] == 1.5


def test_the_summary_counts(done):
    out, failures, _ = done
    summary = failures.meta["summary"]
    assert summary == json.loads((out / "summary.json").read_text())
    assert (summary["n_galaxies"], summary["n_searched"], summary["n_failed"]) == (7, 5, 2)
    assert summary["n_clumps"] == len(Survey(out).clumps())
    assert set(summary["stage_seconds"]) == {"read", "detector", "photometry", "write"}
    assert summary["galaxies_per_second"] > 0


def test_thumbnails_are_kept_of_a_sample(done):
    shown = Survey(done[0]).thumbnails()
    assert sorted(shown) == ["g0", "g3", "g6"]
    assert shown["g0"].shape == (64, 64, 3)
    assert shown["g0"].max() > 200


def test_two_threads_give_the_same_bytes(images, done, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        survey(images, tmp_path / "out", pool)
    assert part_bytes(tmp_path / "out") == done[2]


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(images, done, tmp_path):
    survey(images, tmp_path / "out", 2)
    assert part_bytes(tmp_path / "out") == done[2]


CLUSTER = """
import sys, warnings
from astropy.table import Table
from distributed import Client, LocalCluster
from survey_galaxies import guo
from astroclumps import run_survey

if __name__ == "__main__":
    images, table, out = sys.argv[1:]
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        run_survey(table, guo(), out, client.get_executor(), images=images, part_size=3, batch=2, thumbnails=3, progress=False)
"""


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes(images, done, tmp_path):
    pytest.importorskip("distributed", reason="the extra survey brings dask")
    folder, table = images
    table.write(tmp_path / "galaxies.ecsv")
    (tmp_path / "cluster.py").write_text(CLUSTER)
    paths = [f"{folder}/{{id}}.fits", tmp_path / "galaxies.ecsv", tmp_path / "out"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, tmp_path / "cluster.py", *paths], check=True, env=env, timeout=300)
    assert part_bytes(tmp_path / "out") == done[2]


def test_the_batch_does_not_change_the_contrast_detector(images, done, tmp_path):
    survey(images, tmp_path / "out", batch=7)
    assert list(Survey(tmp_path / "out").clumps()["score"]) == list(Survey(done[0]).clumps()["score"])


# going on


def test_a_finished_survey_is_not_done_again(images, done, monkeypatch):
    monkeypatch.setattr(workers, "work", lambda *args: pytest.fail("a part was done again"))
    failures = survey(images, done[0])
    assert list(failures["id"]) == ["g2", "g5"]
    assert part_bytes(done[0]) == done[2]


@pytest.mark.parametrize("lost", ["manifest/part-00001.json", "clumps/part-00001.parquet", "failures/part-00000.parquet"])
def test_what_is_lost_is_done_again(images, done, tmp_path, lost):
    survey(images, tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    survey(images, tmp_path / "out")
    assert part_bytes(tmp_path / "out") == done[2]


def test_a_damaged_part_is_done_again(images, done, tmp_path):
    survey(images, tmp_path / "out")
    file = tmp_path / "out" / "clumps" / "part-00001.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    survey(images, tmp_path / "out")
    assert part_bytes(tmp_path / "out") == done[2]


def test_a_survey_that_was_stopped_goes_on(images, done, tmp_path, monkeypatch):
    real = workers.work

    def stops(job, part):
        if part.number == 1:
            raise KeyboardInterrupt
        return real(job, part)

    monkeypatch.setattr(workers, "work", stops)
    with pytest.raises(KeyboardInterrupt):
        survey(images, tmp_path / "out")
    half = Survey(tmp_path / "out")
    assert (half.n_done, half.complete, half.summary) == (3, False, None)
    assert list(half.galaxies()["galaxy"]) == ["g0", "g1"]
    monkeypatch.undo()
    assert survey(images, tmp_path / "out").meta["summary"]["runs"] == 2
    assert part_bytes(tmp_path / "out") == done[2]


def test_what_a_dead_process_left_is_swept(images, done, tmp_path):
    out = tmp_path / "out"
    (out / "clumps").mkdir(parents=True)
    (out / "clumps" / ".partial-1-part-00000.parquet").write_bytes(b"half")
    survey(images, out)
    assert not list(out.glob("**/.partial-*"))
    assert part_bytes(out) == done[2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"part_size": 2}, "part_size: 3 -> 2"),
        ({"pipeline": Pipeline(detector="contrast", classifier=None, sed=None)}, "min_uv_fraction: 0.03 -> 0.08"),
        ({"bands": ["F606W", "F160W"]}, "bands"),
        ({"options": {"bands": ["F606W", "F160W"]}}, "images.options"),
    ],
)
def test_a_changed_setting_is_noticed(images, done, change, said):
    with pytest.raises(SurveyError, match=said) as caught:
        survey(images, done[0], **change)
    assert "overwrite=True" in str(caught.value)
    assert part_bytes(done[0]) == done[2]


def test_a_changed_list_is_noticed(images, done):
    other = images[1].copy()
    other["mass"][3] += 0.1
    with pytest.raises(SurveyError, match="galaxies.sha256"):
        survey(images, done[0], table=other)


def test_resume_false_touches_nothing(images, done):
    with pytest.raises(FileExistsError, match="holds a survey"):
        survey(images, done[0], resume=False)
    assert part_bytes(done[0]) == done[2]


def test_overwrite_begins_anew_and_leaves_other_files(images, done, tmp_path):
    out = tmp_path / "out"
    survey(images, out, part_size=2)
    (out / "notes.txt").write_text("mine")
    survey(images, out, overwrite=True)
    assert part_bytes(out) == done[2]
    assert (out / "notes.txt").read_text() == "mine"


def test_failures_can_be_tried_again(tmp_path):
    table = make_galaxies(tmp_path / "images", 4, missing=(1,))
    images = tmp_path / "images", table
    assert list(survey(images, tmp_path / "out", part_size=2)["id"]) == ["g1"]
    make_galaxies(tmp_path / "images", 2)
    assert list(survey(images, tmp_path / "out", part_size=2)["id"]) == ["g1"]
    assert len(survey(images, tmp_path / "out", part_size=2, retry_failures=True)) == 0
    survey(images, tmp_path / "fresh", part_size=2)
    assert part_bytes(tmp_path / "out") == part_bytes(tmp_path / "fresh")


def test_two_surveys_do_not_share_a_folder(images, tmp_path):
    with Folder(tmp_path).lock(), pytest.raises(SurveyError, match="another process"):
        survey(images, tmp_path)


def test_parts_without_a_survey_json_are_left_alone(images, done, tmp_path):
    survey(images, tmp_path / "out")
    (tmp_path / "out" / "survey.json").write_text("{")
    with pytest.raises(SurveyError, match="gone or damaged"):
        survey(images, tmp_path / "out")


def test_a_full_disk_is_said_and_what_was_finished_kept(images, done, tmp_path, monkeypatch):
    real, calls = Folder._write, []

    def full(self, name, data):
        calls.append(name)
        if len(calls) == 8:
            monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        return real(self, name, data)

    monkeypatch.setattr(Folder, "_write", full)
    with pytest.raises(SurveyError, match="No space left on device.*run the same again"):
        survey(images, tmp_path / "out")
    monkeypatch.undo()
    assert Survey(tmp_path / "out").n_done == 3
    survey(images, tmp_path / "out")
    assert part_bytes(tmp_path / "out") == done[2]


# failures


class Crasher:
    """An image source for which one galaxy ends the process."""

    bands = ("F435W", "F606W", "F160W")

    def __init__(self, folder, which):
        self.folder, self.which = str(folder), which

    def read(self, galaxy):
        import os

        from astroclumps import MultiBandImage

        if galaxy.id == self.which:
            os._exit(11)
        return MultiBandImage.read(f"{self.folder}/{galaxy.id}.fits", redshift=galaxy.redshift)

    def describe(self):
        return {"kind": "crasher"}


@pytest.mark.slow
def test_a_galaxy_that_ends_its_process_is_a_failure(tmp_path):
    table = make_galaxies(tmp_path / "images", 6)
    source = Crasher(tmp_path / "images", "g4")
    good = Table(table[table["id"] != "g4"])
    failures = run_survey(good, guo(), tmp_path / "first", images=source, part_size=3, progress=False)
    assert len(failures) == 0
    failures = run_survey(table, guo(), tmp_path / "out", 2, images=source, part_size=3, progress=False)
    assert [tuple(row) for row in failures["id", "stage"]] == [("g4", "worker")]
    assert "died" in failures["error"][0]
    assert list(Survey(tmp_path / "out").galaxies()["galaxy"]) == ["g0", "g1", "g2", "g3", "g5"]


class Hater:
    """A detector that cannot bear one image."""

    def detect(self, image):
        from astroclumps import ContrastDetector

        if float(image.data[0, 0, 0]) == self.value:
            raise ZeroDivisionError("oh")
        return ContrastDetector(min_uv_fraction=0.03).detect(image)


def test_a_detector_that_fails_is_a_row(images, tmp_path, monkeypatch):
    from astroclumps import MultiBandImage, plugins

    Hater.value = float(MultiBandImage.read(images[0] / "g1.fits").data[0, 0, 0])
    monkeypatch.setattr(plugins, "create", lambda kind, name, **options: Hater())
    failures = survey(images, tmp_path / "out", pipeline=Pipeline(detector="hater", classifier=None, sed=None))
    assert [tuple(row) for row in failures["id", "stage"]] == [("g1", "detector"), ("g2", "read"), ("g5", "read")]
    assert "ZeroDivisionError: oh" in failures["error"][0]


def test_a_worker_that_can_do_nothing_stops_the_survey(images, tmp_path, monkeypatch):
    def fails(*args):
        raise ModuleNotFoundError("No module named 'my_plugin'")

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(workers, "work", fails)
        with pytest.raises(SurveyError, match="part 0 .*my_plugin.*run the same again"):
            survey(images, tmp_path / "out", pool)


def test_an_executor_that_was_shut_down_is_said(images, tmp_path):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(SurveyError, match="takes no more work"):
        survey(images, tmp_path / "out", pool)


def test_no_image_at_all_is_an_error_before_anything_is_made(images, tmp_path):
    with pytest.raises(SurveyError, match=r"none of the first 7 galaxies.*nowhere"):
        run_survey(images[1], guo(), tmp_path / "out", images="nowhere/{id}.fits", progress=False)
    assert not (tmp_path / "out").exists()


def test_errors_carry_no_addresses():
    assert jobs.failure_text(ValueError(f"bad {object()}")) == "ValueError: bad <object object>"
    assert len(jobs.failure_text(ValueError("x" * 9999))) == 500


def test_warnings_are_counted_without_the_names_of_images(images, tmp_path):
    folder, table = images
    said = survey((folder, table), tmp_path / "out").meta["summary"]["warnings"]
    measured = np.sum(Survey(tmp_path / "out").galaxies()["n_clumps"] > 0)
    assert list(said.values()) == [measured]
    assert next(iter(said)).startswith("the point-spread function of an image is not known")


# bands


def test_bands_that_an_image_lacks_are_nan(tmp_path):
    from astroclumps.testing import example_image

    table = make_galaxies(tmp_path / "images", 2)
    example_image(bands=("F435W", "F160W"), seed=1).write(tmp_path / "images" / "g1.fits", overwrite=True)
    survey((tmp_path / "images", table), tmp_path / "out")
    clumps = Survey(tmp_path / "out").clumps()
    lacking = clumps["galaxy"] == "g1"
    assert lacking.sum() > 0
    assert np.isnan(clumps["flux_f606w"][lacking]).all()
    assert np.isfinite(clumps["flux_f606w"][~lacking]).all()
    assert list(Survey(tmp_path / "out").galaxies()["n_bands"]) == [3, 2]


def test_an_image_without_any_band_of_the_survey_fails(tmp_path):
    from astroclumps.testing import example_image

    table = make_galaxies(tmp_path / "images", 2)
    example_image(bands=("F125W",)).write(tmp_path / "images" / "g1.fits", overwrite=True)
    failures = survey((tmp_path / "images", table), tmp_path / "out")
    assert "none of the survey's F435W, F606W, F160W" in failures["error"][0]


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_image_without_a_value_is_no_searched_galaxy(tmp_path, value):
    import astropy.units as u

    from astroclumps import MultiBandImage
    from astroclumps.testing import example_image

    table = make_galaxies(tmp_path / "images", 2)
    good = example_image(bands=("F435W", "F606W", "F160W"))
    MultiBandImage(data=np.full(good.data.shape, value) * u.uJy, bands=good.bands).write(tmp_path / "images" / "g1.fits", overwrite=True)
    failures = survey((tmp_path / "images", table), tmp_path / "out")
    assert [tuple(row) for row in failures["id", "stage"]] == [("g1", "read")]
    assert "no pixel of F435W, F606W, F160W holds a value" in failures["error"][0]


def test_a_band_without_a_value_is_not_counted(tmp_path):
    import astropy.units as u

    from astroclumps import MultiBandImage
    from astroclumps.testing import example_image

    table = make_galaxies(tmp_path / "images", 1)
    good = example_image(bands=("F435W", "F606W", "F160W"))
    data = good.data.copy()
    data[0] = np.nan
    MultiBandImage(data=data * u.uJy, bands=good.bands, wcs=good.wcs).write(tmp_path / "images" / "g0.fits", overwrite=True)
    survey((tmp_path / "images", table), tmp_path / "out")
    assert Survey(tmp_path / "out").galaxies()["n_bands"][0] == 2


def test_a_fit_without_any_redshift_does_not_begin(tmp_path, monkeypatch):
    import astropy.units as u

    from astroclumps import MultiBandImage, plugins
    from astroclumps.testing import example_image

    make_galaxies(tmp_path, 0)
    good = example_image(bands=("F435W", "F160W"))
    MultiBandImage(data=good.data * u.uJy, bands=good.bands).write(tmp_path / "a.fits")
    real = plugins.create
    monkeypatch.setattr(plugins, "create", lambda kind, name, **options: real("detectors", "contrast"))
    with pytest.raises(SurveyError, match=r"the list has no redshift for it.*--no-sed"):
        run_survey(Table({"id": ["a"]}), Pipeline(classifier=None), tmp_path / "out", images=f"{tmp_path}/{{id}}.fits", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_named(images, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SurveyError, match=r"cannot be written into .*out: it is a file"):
        survey(images, tmp_path / "out")


# what others read


def test_the_parts_are_one_dataset(done):
    out = done[0]
    clumps = pyarrow.dataset.dataset(out / "clumps").to_table()
    assert clumps.num_rows == len(Survey(out).clumps())
    schemas = {pyarrow.parquet.read_schema(file).to_string() for file in out.glob("clumps/*.parquet")}
    assert len(schemas) == 1
    assert clumps.schema.field("flux_f160w").metadata[b"unit"] == b"uJy"


def test_pandas_and_dask_read_the_parts(done):
    pandas = pytest.importorskip("pandas", reason="a peer that reads Parquet")
    frame = pandas.read_parquet(done[0] / "clumps")
    assert len(frame) == len(Survey(done[0]).clumps())
    dataframe = pytest.importorskip("dask.dataframe", reason="a peer that reads Parquet")
    assert len(dataframe.read_parquet(done[0] / "clumps")) == len(frame)


def test_the_history_is_in_the_schema(done):
    assert any("ContrastDetector" in line for line in Survey(done[0]).clumps().meta["history"])


def test_columns_can_be_chosen(done):
    found = Survey(done[0])
    assert found.clumps(["galaxy", "score"]).colnames == ["galaxy", "score"]
    with pytest.raises(ValueError, match=r"no column 'nope', but galaxy, ra"):
        found.clumps(["nope"])


def test_a_damaged_part_is_named_when_read(images, tmp_path):
    survey(images, tmp_path / "out")
    (tmp_path / "out" / "clumps" / "part-00001.parquet").write_bytes(b"PAR1nonsensePAR1")
    with pytest.raises(SurveyError, match=r"cannot be read.*run the survey again"):
        Survey(tmp_path / "out").clumps()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"part_size": 0}, ValueError, "part_size must be a whole number of at least 1, got 0"),
        ({"batch": 2.5}, ValueError, "batch"),
        ({"thumbnails": -1}, ValueError, "thumbnails"),
        ({"look_ahead": 0}, ValueError, "look_ahead"),
        ({"executor": 0}, ValueError, "executor must be at least 1"),
        ({"executor": "dask"}, TypeError, "executor must be None, a number"),
        ({"pipeline": "unet"}, TypeError, "pipeline must be a Pipeline"),
    ],
)
def test_wrong_settings_are_refused(images, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        survey(images, tmp_path / "out", **options)


def test_a_survey_runs_where_the_folder_has_spaces_and_the_ids_are_odd(tmp_path):
    from astroclumps.testing import example_image

    ids = ["<b>x</b>".replace("/", "_"), "ß ü", "[1]", "*", "{id}"]
    for one in ids:
        example_image(bands=("F435W", "F606W")).write(tmp_path / f"{one}.fits")
    failures = run_survey(QTable({"id": ids}), guo(), tmp_path / "my out", images=f"{tmp_path}/{{id}}.fits", progress=False)
    assert len(failures) == 0
    assert list(Survey(tmp_path / "my out").galaxies()["galaxy"]) == ids


def test_importing_the_package_does_not_load_pyarrow():
    code = "import sys, astroclumps; astroclumps.run_survey; sys.exit('pyarrow' in sys.modules or 'dask' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
