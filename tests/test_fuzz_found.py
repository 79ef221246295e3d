"""Defects that the long campaign of damaged files found, one test each."""

import gzip
import json
import time

import fuzz_cases
import numpy as np
import pytest
from fuzz_seeds import READERS
from test_fuzz_readers import edit_card, seed

from astroclumps import MultiBandImage, catalog
from astroclumps.exceptions import CatalogError, ImageError, SnapshotError, SurveyError


@pytest.mark.parametrize(
    ("key", "value", "place"), [("SIMPLE", "{}", b""), ("XTENSION", "'IM\x01GE'", b"XTENSION"), ("XTENSION", "3", b"MASK")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_extensions_of_no_kind_end_no_loop(tmp_path, key, value, place, packed):
    path = seed("image cube", tmp_path)
    data = path.read_bytes()
    at = data.rindex(key.encode().ljust(8) + b"=", 0, data.index(place, 3000) + 20 if place else None)
    data = data[:at] + f"{key:8}= {value:>20}".encode().ljust(80) + data[at + 80 :]
    new = tmp_path / ("loop.fits.gz" if packed else "loop.fits")
    new.write_bytes(gzip.compress(data) if packed else data)
    began = time.monotonic()
    with pytest.raises(ImageError, match=f"loop.fits.*{key}"):
        MultiBandImage.read(new)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("tail", "good"), [(b"\0" * 2880, True), (b" " * 2880, False), (b"\0" * 100, True), (b"junk" * 720, False), (b"j", False)]
)
def test_what_follows_the_last_data_is_padding_or_damage(tmp_path, tail, good):
    path = seed("image cube XDF", tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    if good:
        assert MultiBandImage.read(path).data.shape == (2, 10, 12)
    else:
        with pytest.raises(ImageError, match=r"xdf.fits is truncated or damaged: what is at byte \d+ is no header"):
            MultiBandImage.read(path)


def test_sky_positions_that_cannot_be_compared_name_both_files(tmp_path):
    path = seed("image bands", tmp_path)
    edit_card(path, "CTYPE1", "'GLON-TAN'")
    edit_card(path, "CTYPE2", "'GLAT-TAN'")
    outcome = fuzz_cases.judge("image bands", "frames", path)
    assert outcome.expected, outcome


def test_distortions_that_are_left_out_are_said(tmp_path):
    path = seed("image folklore", tmp_path)
    edit_card(path, "LONPOLE", "180.0")
    edit_card(path, "MJDREF", "0.0")
    data = path.read_bytes()
    at = data.index(b"MJDREF  =")
    path.write_bytes(data[:at] + b"CPDIS1  = 'Polynomial'".ljust(80) + data[at + 80 :])
    outcome = fuzz_cases.judge("image folklore", "distortion", path)
    assert outcome.expected, outcome


@pytest.mark.parametrize("value", [np.nan, 1.5, np.inf])
def test_whole_numbers_that_are_none_are_refused(tmp_path, value):
    path = tmp_path / "clumps.ecsv"
    table = catalog.make_table("detected", 2)
    table["id"] = np.array([1.0, value])
    table.write(path, format="ascii.ecsv")
    with pytest.raises(CatalogError, match="clumps.ecsv.*column 'id' must hold whole numbers"):
        catalog.read(path)


@pytest.mark.parametrize(("old", "new"), [("0.41", "9" * 400), ("0.41", "<TD>" * 4000)])
def test_numbers_and_lines_without_end_in_tables_of_galaxies(tmp_path, old, new):
    path = seed("population text", tmp_path)
    path.write_text(path.read_text().replace(old, new))
    began = time.monotonic()
    with pytest.raises(CatalogError, match=r"sizes\.cat"):
        READERS["population text"][1](path)
    assert time.monotonic() - began < 10


def test_arrays_of_a_set_of_mocks_belong_together(tmp_path):
    path = seed("mock set", tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    for change in (
        {"number": np.array([2, 0, 4])},
        {"number": np.array([2.0, 0, 5])},
        {"rms": arrays["rms"][:2]},
        {"clump_x": np.zeros((7, 2))},
    ):
        np.savez(path, **(arrays | change))
        with pytest.raises(ValueError, match=r"mocks-00000.npz is damaged: .*" + ("" if "number" in change else next(iter(change)))):
            READERS["mock set"][1](path)


@pytest.mark.parametrize(("key", "value"), [("part", 1), ("part", {}), ("galaxies", "3")])
def test_records_of_a_survey_that_lie_count_as_not_done(tmp_path, key, value):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from astroclumps.survey.dataset import Survey

    path = seed("survey manifest", tmp_path)
    assert Survey(tmp_path).n_done == 6
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert Survey(tmp_path).n_done == 3
    path.write_text("[" * 100_000)
    assert Survey(tmp_path).n_done == 3


def test_a_survey_that_announces_parts_without_end_is_read_at_once(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from astroclumps.survey.dataset import Survey

    path = seed("survey settings", tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n_parts": 10**18}))
    began = time.monotonic()
    assert Survey(tmp_path).n_done == 6
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("value", [float("nan"), None, "2", [2]])
def test_counts_of_a_survey_that_are_none_are_no_survey(tmp_path, value):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from astroclumps.survey.dataset import Survey

    path = seed("survey settings", tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n_parts": value}))
    with pytest.raises(SurveyError, match=r"survey.json"):
        Survey(tmp_path)


def test_numbers_beyond_any_integer_are_no_ids(tmp_path):
    path = seed("population text", tmp_path)
    path.write_text(path.read_text().replace("\n7 ", "\n1e308 "))
    with pytest.raises(CatalogError, match=r"sizes\.cat"):
        READERS["population text"][1](path)


@pytest.mark.parametrize("name", ["centre", "r_vir", "axis"])
def test_vectors_of_a_snapshot_are_real_numbers(tmp_path, name):
    path = seed("snapshot npz", tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays[name] = np.ones(() if name == "r_vir" else 3, dtype=complex)
    np.savez(path, **arrays)
    with pytest.raises(SnapshotError, match=f"galaxy.npz: {name} must hold numbers, got complex128"):
        READERS["snapshot npz"][1](path)
