"""A survey that is killed goes on where it was; benchmarks/kill_survey.py does it fifty times."""

import importlib.util
import os
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="surveys write Parquet")

_SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "kill_survey.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are a thing of POSIX")
def test_nothing_is_lost_or_doubled_when_a_survey_is_killed(tmp_path):
    spec = importlib.util.spec_from_file_location("kill_survey", _SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    counts = script.campaign(tmp_path, kills=2, galaxies=24, part_size=3, seed=3)
    assert counts["kills"] == 2
    assert counts["wrong"] == []
    assert counts["orphans"] == 0
