"""Isolated caches, marks that skip with a reason, no window system."""

import importlib.util
import os
from pathlib import Path

import pytest

# Before astropy is imported: caches and settings of the person who runs the tests are neither read nor written.
# The folder is kept between runs, because the stellar tables take a minute to build.
_CACHE = Path(os.environ.get("ASTROCLUMPS_TEST_CACHE") or Path(__file__).parents[1] / ".tmp" / "test-cache")
for _variable, _folder in (("XDG_CACHE_HOME", "cache"), ("XDG_CONFIG_HOME", "config"), ("MPLCONFIGDIR", "matplotlib")):
    (_CACHE / _folder).mkdir(parents=True, exist_ok=True)
    os.environ[_variable] = str((_CACHE / _folder).resolve())
os.environ["MPLBACKEND"] = "Agg"

_NEEDS = {
    "needs_torch": ("torch", 'needs torch: pip install "astroclumps[ml]"'),
    "needs_bagpipes": ("bagpipes", 'needs bagpipes: pip install "astroclumps[sed]"'),
}
_REAL_DATA = os.environ.get("ASTROCLUMPS_REAL_DATA", "")


def pytest_report_header(config):
    real = _REAL_DATA or "not set: tests marked real_data are skipped"
    return [f"ASTROCLUMPS_REAL_DATA: {real}", f"test caches: {_CACHE}"]


def pytest_collection_modifyitems(items):
    for item in items:
        for mark, (module, reason) in _NEEDS.items():
            if item.get_closest_marker(mark) and importlib.util.find_spec(module) is None:
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("real_data") and not Path(_REAL_DATA, "README.md").is_file():
            reason = f"ASTROCLUMPS_REAL_DATA names no folder of real data: {_REAL_DATA!r}"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def real_data():
    """The folder of real images; tests that use it carry the mark ``real_data``."""
    if not Path(_REAL_DATA, "README.md").is_file():
        pytest.skip("ASTROCLUMPS_REAL_DATA names no folder of real data")
    return Path(_REAL_DATA)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder of its own for one test, empty."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
