"""From a seed to the scores of a detector, one command a stage, at toy size."""

import json

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")
pytest.importorskip("bagpipes", reason="needs bagpipes")

from astroclumps import weights
from astroclumps.cli import main
from astroclumps.training.galaxy_set import GalaxySet

pytestmark = [pytest.mark.needs_torch]


def run(*args):
    assert main([str(arg) for arg in args]) == 0


def test_from_a_seed_to_scores(tmp_path):
    images, folds, scores = tmp_path / "set", tmp_path / "folds", tmp_path / "scores"
    run(
        "dataset",
        "-o",
        images,
        "--galaxies",
        3,
        "--snapshots",
        2,
        "--stars",
        4000,
        "--seed",
        3,
        "--quiet",
        "--set",
        "finder.extent=(1.2, 0.5)",
    )
    split = ("--main", 1, "--grouped", 2, "--choosing", 1, "--quiet")
    for fold in (0, 1, 2, "all"):
        run("train", "unet", "--data", images, "-o", folds, "--fold", fold, "--steps", 2, "--every", 1, "--batch-size", 2, *split)
    run(
        "evaluate",
        "--data",
        images,
        "--predictions",
        folds / "unet",
        "-o",
        scores,
        "--no-peers",
        "--no-classifier",
        "--draws",
        5,
        "--quiet",
    )
    made = json.loads((scores / "scores.json").read_text())
    assert made["set"]["galaxies"] == [0, 1, 2]
    assert made["set"]["images_compared"] == len(GalaxySet(images)) > 10
    assert 0 < made["detectors"]["held-out folds"]["own"]["completeness"][0] <= 1
    card = weights.card(folds / "unet" / "fold-all.safetensors")
    assert card["recipe"]["held_out"] == []
    assert card["trained_on"].startswith("3 simulated galaxies of a synthetic suite, ")
