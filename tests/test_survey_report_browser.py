"""The page about a survey in a headless browser: it is drawn, loads nothing, sorts and searches."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason='a survey needs pyarrow: pip install "astroclumps[survey]"')
pytest.importorskip("jinja2", reason='a report needs jinja2: pip install "astroclumps[survey]"')
pytest.importorskip("matplotlib", reason='figures need matplotlib: pip install "astroclumps[plot]"')

from survey_folders import write_survey

from astroclumps.survey.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs chromium or chrome on the path")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_survey(tmp_path_factory.mktemp("survey") / "out", names={3: '<script>alert("id")</script>'})
    return write_report(folder, limit=40, n_bootstrap=5)


def browse(page, folder, *options):
    """Run a headless browser on a page; what it printed, and what its console said."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=3000", "--enable-logging=stderr",
        f"--user-data-dir={folder / 'browser'}", *options, page.resolve().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def with_script(page, path, script):
    """A copy of a page that runs a script of ours after its own, and allows it."""
    text = page.read_text(encoding="utf-8")
    allowed = "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src '{allowed}' '", 1)
    path.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "dark"), [(1300, False), (1300, True), (400, False)])
def test_page_is_drawn_without_a_word_of_complaint(page, tmp_path, width, dark):
    picture = tmp_path / "shot.png"
    options = [f"--screenshot={picture}", f"--window-size={width},2400", *["--blink-settings=preferredColorScheme=0"] * dark]
    _, console = browse(page, tmp_path, *options)
    assert console == []
    image = pytest.importorskip("matplotlib.image", reason="matplotlib reads PNG").imread(picture)[..., :3]
    assert image.shape[0] == 2400
    assert image.shape[1] >= width
    level = image.mean(axis=2)
    assert (np.median(level) < 0.3) == dark
    rows = level.std(axis=1) > 0.02  # lines that hold more than the background
    assert rows[:2000].mean() > 0.5
    assert len(np.unique(np.round(image[::4, ::4] * 15).reshape(-1, 3), axis=0)) > 50


def test_sorting_and_filtering_work_with_buttons_and_keys(page, tmp_path):
    script = """
    const table = document.getElementById("clumps"), heads = Array.from(table.tHead.rows[0].cells), said = {};
    const column = (name) => heads.findIndex((head) => head.textContent.trim().startsWith(name));
    const values = (name) => Array.from(table.tBodies[0].rows, (row) => row.cells[column(name)].textContent.trim());
    const press = (name) => heads[column(name)].querySelector("button").click();
    said.buttons = heads.every((head) => head.querySelector("button").tabIndex === 0);
    said.start = heads[column("log mass")].getAttribute("aria-sort");
    press("score"); said.down = values("score"); said.sort = heads.map((head) => head.getAttribute("aria-sort")).filter((one) => one);
    press("score"); said.up = values("score");
    press("galaxy"); said.names = values("galaxy");
    const search = document.querySelector("#clumps-tools input"); search.value = said.names[0];
    search.dispatchEvent(new Event("input"));
    said.found = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => row.cells[0].textContent.trim());
    said.words = document.querySelector("#clumps-tools output").textContent;
    search.value = ""; const choice = document.querySelector("#clumps-tools select"); choice.value = "SLC";
    choice.dispatchEvent(new Event("change"));
    said.classes = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => row.cells[column("class")].textContent);
    document.title = JSON.stringify(said);
    """
    dom, console = browse(with_script(page, tmp_path / "page.html", script), tmp_path, "--dump-dom")
    assert console == []
    said = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))
    assert said["buttons"]
    assert (said["start"], said["sort"]) == ("descending", ["descending"])
    scores = [float(one) for one in said["down"]]
    assert scores == sorted(scores, reverse=True)
    assert scores != sorted(scores)
    assert [float(one) for one in said["up"]] == sorted(scores)
    assert said["names"] == sorted(said["names"])
    assert set(said["found"]) == {said["names"][0]}
    assert said["words"] == f"{len(said['found'])} of 40 rows"
    assert set(said["classes"]) == {"SLC"}


def test_browser_would_complain_of_what_is_loaded_or_run_from_elsewhere(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    for i, evil in enumerate(['<img src="http://127.0.0.1:9/x.png">', "<script>document.title = 'gotcha'</script>"]):
        changed = tmp_path / f"{i}.html"
        changed.write_text(text.replace("</main>", f"{evil}</main>"), encoding="utf-8")
        dom, console = browse(changed, tmp_path, "--dump-dom")
        assert len(console) == 1
        assert "Content Security Policy" in console[0]
        assert "<title>gotcha" not in dom
