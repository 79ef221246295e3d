"""The documentation as a whole: every page is reached once, and what is printed from the code is complete."""

import re
import sys
from pathlib import Path

import pytest

from astroclumps import bands, catalog, weights

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation lies beside the tests in a checkout only")


def entries():
    """Names in the toctrees of the front page, in order."""
    blocks = re.findall(r"\.\. toctree::\n((?: +:.*\n)+)\n((?: +\S+\n)+)", (DOCS / "index.rst").read_text(encoding="utf-8"))
    return [line.strip() for _, block in blocks for line in block.splitlines()]


@pytest.fixture
def printed(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.delitem(sys.modules, "printed", raising=False)
    import printed

    monkeypatch.setattr(printed, "FOLDER", tmp_path / "generated")
    return printed


def test_every_page_is_reached_once():
    assert len(entries()) == len(set(entries()))
    pages = {path.stem for path in DOCS.glob("*.rst")} - {"index"}
    # sphinx-gallery writes its own list of times where the pages were built
    assert set(entries()) - {"gallery/index"} == pages - {"sg_execution_times"}


def test_every_example_has_its_place(monkeypatch):
    pytest.importorskip("sphinx_gallery", reason="sphinx-gallery is an extra of the documentation")
    monkeypatch.syspath_prepend(str(DOCS))
    import gallery_pictures

    files = sorted((DOCS / "examples").glob("plot_*.py"), key=lambda path: gallery_pictures.sort_key(str(path)))
    assert [path.stem.removeprefix("plot_") for path in files] == [
        name for name in gallery_pictures._ORDER if (DOCS / "examples" / f"plot_{name}.py").is_file()
    ]


def test_printed_tables_hold_every_column_flag_band_and_weight(printed):
    printed.write()
    read = {path.stem: path.read_text(encoding="utf-8") for path in printed.FOLDER.iterdir()}
    for name, schema in (("columns_2d", catalog.COLUMNS), ("columns_3d", catalog.COLUMNS_3D)):
        for column in schema:
            assert f"* - ``{column.name}``\n     - {column.dtype}\n" in read[name]
            assert f"     - {column.description}\n" in read[name]
    for name, flags in (("flags_2d", catalog.Flag), ("flags_3d", catalog.Flag3D)):
        for flag in flags:
            assert f"* - {flag.value}\n     - ``{flag.name}``\n     - " in read[name]
    for band in (*bands.CANDELS, bands.F814W, *bands.NIRCAM, *bands.NIRCAM_MEDIUM):
        assert f"``{band.name}``" in read["bands"]
    for entry in weights.registry.entries():
        assert entry.sha256 in read["weights"]
        assert weights.card(entry.spec, entry.kind)["trained_on"] in re.sub("`~?", "", read["saw"])


def test_printing_again_touches_nothing(printed):
    printed.write()
    before = {path: path.stat().st_mtime_ns for path in printed.FOLDER.iterdir()}
    printed.write()
    assert before == {path: path.stat().st_mtime_ns for path in printed.FOLDER.iterdir()}
