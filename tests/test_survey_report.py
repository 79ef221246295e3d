"""The page about a survey: what it says, that it says the truth, and that it works in a browser."""

import base64
import hashlib
import html
import json
import re
import shutil
import struct
import zlib
from html.parser import HTMLParser
from inspect import getsource
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from astroclumps import Pipeline, flags, run_survey
from astroclumps.cli import main
from astroclumps.exceptions import SurveyError
from astroclumps.survey import report_figures, report_tables
from astroclumps.survey.report_figures import population_blocks
from astroclumps.survey.report_pictures import Thumbnail, encode_png, pictures_of
from astroclumps.testing import example_image

pytest.importorskip("pyarrow", reason='a survey needs pyarrow: pip install "astroclumps[survey]"')
pytest.importorskip("jinja2", reason='a report needs jinja2: pip install "astroclumps[survey]"')

from survey_folders import HISTORY, write_survey

from astroclumps.survey.dataset import Survey
from astroclumps.survey.report import write_report
from astroclumps.survey.report_data import Parts, read_report_data

EVIL, FAST = '<script>alert("id")</script>', {"n_bootstrap": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("survey") / "out", names={3: EVIL, 9: EVIL + "&<img src=x>"})


@pytest.fixture(scope="module")
def page(folder):
    pytest.importorskip("matplotlib", reason='figures need matplotlib: pip install "astroclumps[plot]"')
    return write_report(folder, folder.parent / "page.html", limit=40, **FAST)


@pytest.fixture
def no_figures(monkeypatch):
    """As if matplotlib were not installed; figures take most of the time."""

    def none(who):
        raise ImportError(f'{who} needs matplotlib; install it with  pip install "astroclumps[plot]"')

    monkeypatch.setattr("astroclumps.plotting_population.figure_class", none)


class Outline(HTMLParser):
    """Open tags that are not closed, and all tags with their attributes."""

    VOID = {"meta", "link", "img", "br", "input", "rect", "circle", "path", "image"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def outline(path):
    parsed = Outline(path.read_text(encoding="utf-8"))
    assert parsed.open == []
    return parsed


def words(path):
    """What a reader reads, in one line."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def png_pixels(data):
    """Pixels of an 8-bit RGB PNG without interlace, by the rules of the format."""
    at, parts, size = 8, b"", None
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            size = struct.unpack(">II", data[at + 8 : at + 16])
        parts += data[at + 8 : at + 8 + n] if kind == b"IDAT" else b""
        at += 12 + n
    lines = np.frombuffer(zlib.decompress(parts), dtype=np.uint8).reshape(size[1], 1 + 3 * size[0])
    assert (lines[:, 0] == 0).all()
    return lines[:, 1:].reshape(size[1], size[0], 3)


def test_page_tells_the_counts_of_the_parts(folder, page):
    text, survey = words(page), Survey(folder)
    clumps, galaxies = survey.clumps(["longevity"]), survey.galaxies()
    assert f"galaxies in the list 60 searched {len(galaxies)} 90.0% failed 6 10.0%" in text
    assert f"clumps {len(clumps)}" in text
    for label, name in (("LLC", "long-lived (LLC)"), ("SLC", "short-lived (SLC)")):
        assert f"{name} {(clumps['longevity'] == label).sum()} " in text
    assert "Complete: all 60 galaxies of the list are dealt with." in text
    assert "Mind:" not in text


def test_page_names_settings_and_weights_by_their_sha256(folder, page):
    text = words(page)
    assert f"sha256 of all settings: {Survey(folder).settings['digest']}" in text
    assert "UNetDetector unet-synthetic 1.0 " + "01" * 32 in text
    assert "LongevityClassifier cnn-synthetic 1.0 " + "ab" * 32 in text
    for line in HISTORY:
        assert line in text


def test_names_and_errors_from_outside_stay_text(page):
    text, parsed = page.read_text(encoding="utf-8"), outline(page)
    assert EVIL in words(page)
    assert "<script>alert" not in text
    assert len(parsed.all("script")) == 1
    assert [attrs["src"][:22] for attrs in parsed.all("img")] == ["data:image/png;base64,"] * len(parsed.all("img"))


def test_page_allows_only_its_own_style_and_script(page):
    text = page.read_text(encoding="utf-8")
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, flags=re.S)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in text
    assert "default-src 'none'; img-src data:" in text


def test_page_loads_nothing(page):
    addresses = [value for _, attrs in outline(page).tags for name, value in attrs.items() if name in ("src", "href", "srcset", "action")]
    assert addresses
    assert {re.match(r"#|data:", one) is not None for one in addresses} == {True}


def test_page_is_made_for_all_readers(page):
    parsed = outline(page)
    assert parsed.all("html") == [{"lang": "en"}]
    assert all(attrs.get("alt") for attrs in parsed.all("img"))
    assert all(attrs.get("scope") in ("col", "row") for attrs in parsed.all("th"))
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in parsed.all("svg"))
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = {attrs["id"] for _, attrs in parsed.tags if "id" in attrs}
    assert {attrs["href"][1:] for attrs in parsed.all("a")} <= ids


def test_same_survey_gives_the_same_bytes_wherever_it_lies(folder, page, tmp_path):
    elsewhere = shutil.copytree(folder, tmp_path / "moved")
    assert write_report(elsewhere, limit=40, **FAST).read_bytes() == page.read_bytes()


def test_number_of_rows_is_bounded_and_said(folder, page, tmp_path, no_figures):
    survey = Survey(folder)
    clumps, text = survey.clumps(["mass"]), words(page)
    assert f"40 of {len(clumps)} clumps: the 40 most massive. The others, and all columns, are in clumps/, as Parquet." in text
    rows = re.findall(r'<tr data-label="(?:LLC|SLC)">(.*?)</tr>', page.read_text(encoding="utf-8"), flags=re.S)
    shown = [float(re.findall(r'data-v="([^"]*)"', row)[2]) for row in rows]
    heaviest = np.sort(np.log10(clumps["mass"].to_value(u.Msun)[np.isfinite(clumps["mass"])]))[::-1][:40]
    np.testing.assert_allclose(shown, heaviest)
    none = write_report(folder, tmp_path / "none.html", limit=0, pictures=0, **FAST)
    assert f"0 of {len(clumps)} clumps" in words(none)
    assert not outline(none).all("image")


def test_pieces_give_what_the_whole_gives(folder, monkeypatch):
    whole = read_report_data(Parts(Survey(folder)), limit=7, max_clumps=10**6, pictured=["galaxy-0000000"])
    monkeypatch.setattr("astroclumps.survey.report_data._PIECE", 5)
    pieces = read_report_data(Parts(Survey(folder)), limit=7, max_clumps=10**6, pictured=["galaxy-0000000"])
    for one, other in zip(whole, pieces, strict=True):
        if isinstance(one, Table):
            one, other = list(one.iterrows()), list(other.iterrows())
        assert repr(one) == repr(other)  # NaN is NaN here


def test_figures_of_a_large_survey_take_whole_galaxies_evenly(folder):
    data = read_report_data(Parts(Survey(folder)), limit=5, max_clumps=50, pictured=[])
    survey = Survey(folder)
    clumps, galaxies = survey.clumps(["galaxy"]), survey.galaxies(["galaxy"])
    assert data.step == -(-len(clumps) // 50)
    assert data.galaxies["galaxy"].tolist() == galaxies["galaxy"].tolist()[:: data.step]
    assert len(data.clumps) == np.isin(clumps["galaxy"], data.galaxies["galaxy"]).sum()
    assert (data.n_clumps, data.n_searched) == (len(clumps), len(galaxies))


def test_clumps_beyond_the_usual_bins_are_counted(folder):
    survey = Survey(folder)
    clumps, galaxies = survey.clumps(["galaxy", "mass", "longevity"]), survey.galaxies(["galaxy"])
    clumps["mass"] *= 1000  # most lie beyond 1e10 Msun
    block = population_blocks(clumps, galaxies, n_bootstrap=5)[0]
    rows = [row for grid in block.grids for row in grid.rows if grid.folded and row[0] == "all"]
    assert sum(int(row[2].replace(",", "")) for row in rows) == np.isfinite(clumps["mass"]).sum()


def test_transition_that_few_draws_have_is_not_claimed():
    found = SimpleNamespace(log_mass=8.0, error_dex=np.nan)
    assert report_figures._firm(found, "Above", said := []) is None
    assert said[0].startswith("No firm transition")
    found.error_dex = 0.1
    assert report_figures._firm(found, "Above", said) is found
    assert said[1] == "Above 10^(8.00 ± 0.10) Msun."


def test_flags_are_decoded_and_counted(folder, page):
    values, text = Survey(folder).clumps(["flags"])["flags"], words(page)
    assert f"{(values != 0).sum()} of {len(values)} clumps carry a flag" in text
    assert f"OVERLAP 2 {((values & 2) != 0).sum()} " in text
    assert f"SED_FAILED 32 {((values & 32) != 0).sum()} " in text


def test_flags_are_explained_as_where_they_are_defined():
    source = " ".join(getsource(flags.Flag).split())
    assert set(report_tables.FLAG_TEXTS) == {flag.name for flag in flags.Flag} | {"UNKNOWN"}
    for flag in set(flags.Flag) - {flags.Flag.POOR_FIT}:  # shortened
        assert report_tables.FLAG_TEXTS[flag.name] in source


def test_failures_are_grouped_by_stage_and_error(page):
    text = words(page)
    assert "6 galaxies failed, in 2 ways" in text
    assert "read 3 ImageError: images/" in text
    assert "sed 3 RuntimeError: no model fits clump 5 of galaxy-0000019 galaxy-0000019 , galaxy-0000039 , galaxy-0000059" in text


def test_row_zero_of_a_thumbnail_is_at_the_bottom():
    rgb = np.zeros((4, 6, 3), dtype=np.uint8)
    rgb[1, 5] = (255, 10, 20)  # x = 5, y = 1
    clump = {"id": 3, "x": 5.0, "y": 1.0, "score": 1.0, "longevity": "SLC", "p_long": 0.25, "mass": 2e8}
    (picture,) = pictures_of({"a": Thumbnail(rgb, 1)}, {"a": [clump]}, {"a": {"redshift": 1.5}})
    pixels = png_pixels(base64.b64decode(picture.uri.split(",")[1]))
    row, column = np.argwhere(pixels[..., 0] == 255)[0]
    (mark,) = picture.marks
    assert (mark.x, mark.y) == (column + 0.5, row + 0.5) == (5.5, 2.5)
    assert (mark.shape, mark.words) == ("square", "clump 3, short-lived (SLC), P = 0.25, log M/Msun = 8.30")
    assert picture.words == "1 clump: 1 SLC; z\u00a0=\u00a01.5"


def test_marks_follow_a_thinned_picture():
    rgb = np.zeros((100, 100, 3), dtype=np.uint8)
    clump = {"id": 1, "x": 40.0, "y": 80.0, "score": 1.0}
    (picture,) = pictures_of({"a": Thumbnail(rgb, 4)}, {"a": [clump]}, {})
    assert (picture.marks[0].x, picture.marks[0].y) == (10.5, 79.5)
    assert picture.marks[0].shape == "diamond"


def test_marks_of_a_large_image_stand_on_its_clumps(tmp_path, no_figures):
    example_image(shape=(300, 280), bands=["F606W", "F160W"]).write(tmp_path / "a.fits")
    pipeline = Pipeline(detector="contrast", classifier=None, sed=None, options={"detector": {"min_uv_fraction": 0.03}})
    run_survey(Table({"id": ["a"]}), pipeline, tmp_path / "out", images=f"{tmp_path}/{{id}}.fits", progress=False)
    clumps = Survey(tmp_path / "out").clumps(["x", "y"])
    assert len(clumps) > 0
    text = write_report(tmp_path / "out", **FAST).read_text(encoding="utf-8")
    assert '<svg viewBox="0 0 140 150" role="img" aria-label="Galaxy a, ' in text
    tops = [(float(x), float(y)) for x, y in re.findall(r'<path class="under" d="M([\d.]+) ([\d.]+)l', text)]
    radius = 0.035 * 150
    expected = [(x / 2 + 0.5, 149.5 - y / 2 - radius) for x, y in zip(clumps["x"].value, clumps["y"].value, strict=True)]
    np.testing.assert_allclose(tops, expected, atol=0.02)


def test_numbers_stand_inside_and_apart():
    rgb, rng = np.zeros((64, 64, 3), dtype=np.uint8), np.random.default_rng(1)
    corners = [(0, 0), (63, 0), (0, 63), (63, 63), (30, 30), (32, 31)]
    clumps = [{"id": i + 1, "x": float(x), "y": float(y), "score": rng.random()} for i, (x, y) in enumerate(corners)]
    (picture,) = pictures_of({"a": Thumbnail(rgb, 1)}, {"a": clumps}, {})
    for mark in picture.marks:
        assert 0 <= mark.label_x <= 64 - 0.6 * picture.size
        assert 0.7 * picture.size <= mark.label_y <= 64
    last = picture.marks[-2:]
    assert abs(last[0].label_x - last[1].label_x) > 0.6 * picture.size or abs(last[0].label_y - last[1].label_y) > 0.7 * picture.size


@pytest.mark.parametrize("wrong", [np.zeros((2, 3, 3)), np.zeros((2, 3), np.uint8), np.zeros((0, 3, 3), np.uint8)])
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be uint8 of shape \(y, x, 3\)"):
        encode_png(wrong)


def test_survey_without_fits_says_why_there_are_no_masses(tmp_path, no_figures):
    text = words(write_report(write_survey(tmp_path / "out", stages=("classified",)), **FAST))
    assert "Masses of clumps No figure. The clumps have no masses; the survey ran without a spectral fit (sed=None)." in text
    assert "Ages of clumps No figure. The clumps have no ages" in text
    assert "The clumps have no column flags." in text
    assert "of the highest score" in words(write_report(tmp_path / "out", tmp_path / "few.html", limit=3, **FAST))


def test_survey_without_classes_counts_all_clumps(tmp_path, no_figures):
    path = write_report(write_survey(tmp_path / "out", stages=("fitted",)), **FAST)
    assert "LLC" not in words(path)
    assert "without class" in words(path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"sizes": False}, "has no column r_e"), ({"sky": False}, "No clump has a position on the sky; the images have no WCS.")],
)
def test_distances_that_cannot_be_had_are_explained(tmp_path, options, sentence, no_figures):
    text = words(write_report(write_survey(tmp_path / "out", **options), **FAST))
    assert sentence in text.split("Distances from the centres of galaxies")[1].split("Ages of clumps")[0]


def test_unfinished_survey_says_so(tmp_path, no_figures):
    folder = write_survey(tmp_path / "out", complete=False)
    text = words(write_report(folder, **FAST))
    assert "Unfinished: 40 of 60 galaxies are dealt with so far" in text
    assert "still to do 20" in text
    assert f"clumps {len(Survey(folder).clumps(['id']))} " in text
    assert "The times of the stages are not known" in text


def test_survey_without_any_part_has_a_page(tmp_path, no_figures):
    folder = write_survey(tmp_path / "out", 20, complete=False)
    text = words(write_report(folder, **FAST))
    assert "Unfinished: 0 of 20 galaxies" in text
    assert "There are no clumps." in text


def test_survey_where_everything_failed_has_a_page(tmp_path, no_figures):
    text = words(write_report(write_survey(tmp_path / "out", 30, fail_every=1), **FAST))
    assert "failed 30 100.0%" in text


def test_counts_that_disagree_are_pointed_out(tmp_path, no_figures):
    folder = write_survey(tmp_path / "out")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"n_clumps": 7}))
    assert "Mind: summary.json has n_clumps = 7, but the parts hold" in words(write_report(folder, **FAST))


def test_without_matplotlib_the_numbers_are_still_there(folder, tmp_path, no_figures):
    path = write_report(folder, tmp_path / "plain.html", **FAST)
    assert "No figure. Plot_mass_function needs matplotlib" in words(path)
    assert "Median masses, log10 M/Msun" in words(path)


def test_existing_page_is_kept_unless_told_otherwise(folder, page, capsys):
    before = page.read_bytes()
    with pytest.raises(FileExistsError, match="is there already"):
        write_report(folder, page)
    assert main(["report", str(folder), "-o", str(page)]) == 1
    assert "add --overwrite" in capsys.readouterr().err
    assert page.read_bytes() == before


def test_own_page_of_a_survey_is_written_anew(folder):
    assert write_report(folder, **FAST).name == "report.html"
    (folder / "report.html").write_text("old")
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text() != "old"
    (folder / "report.html").unlink()


def test_command_writes_the_page(tmp_path, capsys, no_figures):
    folder = write_survey(tmp_path / "out", 10)
    assert main(["report", str(folder), "--limit", "5", "--pictures", "2", "--title", "A & B"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert "<title>A &amp; B</title>" in (folder / "report.html").read_text()
    assert sorted(one.name for one in folder.glob(".partial*")) == []


def test_folder_without_survey_is_an_error(tmp_path):
    with pytest.raises(SurveyError, match="there is no survey in"):
        write_report(tmp_path)


def test_damaged_part_is_an_error(tmp_path):
    folder = write_survey(tmp_path / "out")
    damaged = folder / "clumps" / "part-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(SurveyError, match="cannot be read: .*run the survey again"):
        write_report(folder)


@pytest.mark.parametrize(
    ("options", "error"), [({"limit": -1}, ValueError), ({"pictures": 1.5}, TypeError), ({"max_clumps": 0}, ValueError)]
)
def test_numbers_are_checked(folder, options, error):
    with pytest.raises(error, match=f"{next(iter(options))} must be"):
        write_report(folder, "never.html", **options)
    assert not Path("never.html").exists()
