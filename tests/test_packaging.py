"""Versions that are promised are versions that are tested, and what is tested is the installed package."""

import os
import re
import sysconfig
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import astroclumps

ROOT = Path(__file__).parents[1]
if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("these tests lie beside no pyproject.toml", allow_module_level=True)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = os.environ.get("ASTROCLUMPS_TOX", "")


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def floors(requirements):
    return {name_of(one): one.split(">=")[1] for one in requirements if not one.startswith("astroclumps")}


def pins(file):
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]
    return {name_of(line): line.split("==")[1] for line in lines}


def test_oldest_versions_are_the_floors():
    wanted = floors([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]])

    def plain(number):
        return re.sub(r"(\.0)+$", "", number)

    assert {name: plain(pin) for name, pin in pins("constraints-oldest.txt").items()} == {
        name: plain(floor) for name, floor in wanted.items()
    }


def test_every_dependency_is_tested_with_a_fixed_version_above_its_floor():
    requirements = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    tested = pins("constraints.txt")

    def numbers(text):
        return [int(number) for number in re.findall(r"\d+", text)]

    for name, floor in floors(requirements).items():
        assert numbers(tested[name]) >= numbers(floor), name


@pytest.mark.skipif(not ENVIRONMENT, reason="not run by tox")
def test_the_installed_package_is_what_runs():
    folder = Path(astroclumps.__file__).parent
    assert folder.is_relative_to(sysconfig.get_path("purelib"))
    assert not folder.is_relative_to(ROOT / "astroclumps")
    assert not (Path.cwd() / "astroclumps").exists()


@pytest.mark.skipif(ENVIRONMENT != "oldest", reason="not run by tox -e oldest")
def test_the_oldest_versions_are_installed():
    assert {name: version(name) for name in pins("constraints-oldest.txt")} == pins("constraints-oldest.txt")


@pytest.mark.skipif(not ENVIRONMENT, reason="not run by tox")
def test_the_installed_package_has_every_file():
    def listing(folder):
        files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {str(path) for path in files if "__pycache__" not in path.parts and path.suffix not in {".pyc", ".nbi", ".nbc"}}

    assert listing(ROOT / "astroclumps") == listing(Path(astroclumps.__file__).parent)
