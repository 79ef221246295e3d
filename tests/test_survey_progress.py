"""The bar of a survey: what it counts, and that it is silent where it is not wanted or tqdm is missing."""

import sys

import pytest

from astroclumps.survey.progress import Progress


def test_the_bar_counts_galaxies_clumps_and_failures(capsys):
    pytest.importorskip("tqdm", reason="the bar is drawn by tqdm")
    with Progress(10, 4, shown=True) as progress:
        progress.add(2, 5, 0)
        progress.add(3, 1, 1)
        assert progress._bar.n == 9
    captured = capsys.readouterr()
    assert captured.out == ""
    last = captured.err.split("\r")[-1]
    assert "9/10" in last
    assert "clumps=6" in last
    assert "failed=1" in last


def test_nothing_is_shown_where_it_is_not_wanted(capsys):
    with Progress(10, 0, shown=False) as progress:
        progress.add(10, 3, 0)
    assert capsys.readouterr() == ("", "")


def test_without_tqdm_the_survey_goes_on_silently(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with Progress(10, 0, shown=True) as progress:
        progress.add(10, 3, 0)
    assert capsys.readouterr() == ("", "")
