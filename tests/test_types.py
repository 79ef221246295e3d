"""Hints of types as a user's mypy sees them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="needs mypy: tox -e types")
HERE = Path(__file__).parent
if not (HERE.parent / "pyproject.toml").is_file():
    pytest.skip("these tests lie beside no pyproject.toml", allow_module_level=True)


def complaints(name, cache):
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(HERE.parent / "pyproject.toml"),
        "--cache-dir",
        str(cache),
        str(HERE / name),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return re.findall(rf"{name}:(\d+): error: .*\[([\w-]+)\]", done.stdout), done.stdout


@pytest.mark.slow
def test_good_calls_are_accepted_and_wrong_ones_are_not(tmp_path):
    found, output = complaints("typing_user.py", tmp_path)
    assert not found, output
    marks = [
        (str(number), line.split("# E: ")[1].split()[0])
        for number, line in enumerate((HERE / "typing_misuse.py").read_text().splitlines(), start=1)
        if "# E: " in line
    ]
    found, output = complaints("typing_misuse.py", tmp_path)
    assert found == marks, output
