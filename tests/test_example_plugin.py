"""The plugin of the documentation is installed as a stranger would install it, found by name, and keeps the contract."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "docs" / "example_plugin"
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]


def can_build():
    """Whether pip and a setuptools that knows our pyproject.toml are here: without them nothing is built without network."""
    if importlib.util.find_spec("pip") is None or importlib.util.find_spec("setuptools") is None:
        return False
    from importlib.metadata import version

    return int(version("setuptools").partition(".")[0]) >= 77


def install_by_hand(site):
    """What pip would put there: the package, its name and its entry points."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    shutil.copytree(SOURCE / "src", site, dirs_exist_ok=True)
    folder = site / f"astroclumps_example-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy: building leaves files beside the sources."""
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", ".pytest_cache")
    return shutil.copytree(SOURCE, tmp_path_factory.mktemp("plugin") / "source", ignore=ignored)


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    """A function that runs python with the plugin installed into a folder of its own."""
    site = tmp_path_factory.mktemp("plugin") / "site"
    if can_build():
        subprocess.run([sys.executable, "-m", "pip", "install", *OFFLINE, "--target", str(site), str(source)], check=True, timeout=300)
    else:
        install_by_hand(site)

    def run(*arguments, cwd=None):
        env = {**os.environ, "PYTHONPATH": str(site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, cwd=cwd or site.parent, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_both_parts_are_listed_with_their_package(run):
    rows = {tuple(line.split()[:4]) for line in run("-m", "astroclumps", "plugins").splitlines()}
    assert ("detectors", "log", "astroclumps-example", "1.0") in rows
    assert ("sed_backends", "constant_grid", "astroclumps-example", "1.0") in rows
    assert ("detectors", "contrast", "astroclumps-example", "1.0") not in rows


@pytest.mark.slow
def test_what_pip_installs_and_what_is_written_by_hand_are_the_same(source, tmp_path):
    if not can_build():
        pytest.skip("pip and setuptools >= 77 are needed to build without network")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *OFFLINE, "--target", str(tmp_path / "pip"), str(source)], check=True, timeout=300
    )
    install_by_hand(tmp_path / "hand")

    def found(site):
        code = "from astroclumps import plugins; print(*[row for row in plugins.table() if 'example' in row.distribution], sep='\\n')"
        env = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, cwd=tmp_path).stdout

    assert found(tmp_path / "pip") == found(tmp_path / "hand") != ""
    modules = [{path.name: path.read_bytes() for path in (tmp_path / one).glob("astroclumps_example/*.py")} for one in ("pip", "hand")]
    assert modules[0] == modules[1]
    assert len(modules[0]) == 3


@pytest.mark.slow
def test_its_own_tests_pass(run, source):
    out = run("-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=source)
    assert " passed" in out
    assert "failed" not in out
    if importlib.util.find_spec("bagpipes") is not None:
        assert "skipped" not in out


def test_it_detects_in_a_pipeline_by_name_and_a_wrong_setting_is_told(run):
    code = (
        "from astroclumps import Pipeline, plugins; from astroclumps.demo import demo_image\n"
        "found = Pipeline(detector='log', classifier=None, sed=None, options={'detector': {'n_sigma': 50.0}}).run(demo_image())\n"
        "print(len(found), 'flux_f160w' in found.colnames)\n"
        "print(found.meta['history'][0])\n"
        "try:\n    plugins.create('detectors', 'log', sigma=3)\nexcept TypeError as exc:\n    print(exc)"
    )
    assert run("-W", "error", "-c", code).splitlines() == [
        "7 True",
        "LoGDetector(scales=(1.5, 2.1, 3.0), n_sigma=50.0, separation=3)",
        "detector 'log' has no setting 'sigma'; its settings are ['scales', 'n_sigma', 'separation']",
    ]


@pytest.mark.slow
@pytest.mark.needs_bagpipes
def test_it_fits_in_a_pipeline_by_name(run):
    code = (
        "import numpy as np; from astroclumps import Pipeline, catalog; from astroclumps.demo import demo_image\n"
        "found = Pipeline(detector='log', classifier=None, sed='constant_grid').run(demo_image())\n"
        "catalog.validate(found, 'fitted', who='the pipeline')\n"
        "mass = found['mass'].to_value('Msun')\n"
        "print(np.isfinite(mass).all(), 1e7 < np.median(mass) < 1e10, *set(found['sfh']))"
    )
    assert run("-W", "error", "-c", code).split() == ["True", "True", "constant"]


def test_nothing_of_it_is_collected_or_left_in_the_repository():
    assert not list(SOURCE.rglob("*.egg-info"))
    assert not (SOURCE / "build").exists()
    options = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    assert "--ignore-glob=*/docs/example_plugin*" in options
