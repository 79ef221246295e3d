"""``astroclumps evaluate`` on a tiny set: scores, tables and figures, and what it refuses."""

import json
import re

import numpy as np
import pytest
from astropy.table import QTable
from galaxy_sets import write_galaxy_set

from astroclumps import plotting
from astroclumps.cli import main
from astroclumps.commands import evaluate
from astroclumps.evaluation.finders import Peer, PluginFinder, peer_finders
from astroclumps.evaluation.images import detect_images, image_of, sample_of
from astroclumps.training.galaxy_set import GalaxySet
from astroclumps.training.predictions import Predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=3, n_images=4, n_clumps=6)


@pytest.fixture(scope="module")
def images(folder):
    return GalaxySet(folder)


@pytest.fixture(scope="module")
def predictions(tmp_path_factory, images):
    """Held-out detections: the true clumps and a false one in each image, long-lived ones with the higher probability."""
    target, rng = tmp_path_factory.mktemp("predictions"), np.random.default_rng(0)
    for fold in range(3):
        mine = np.flatnonzero(images.galaxy == fold)
        parts = []
        for i in mine:
            clumps, good = images.clumps(i), images.positives(i)
            x, y = (np.append(clumps[name][good], 2.0) for name in "xy")
            p = np.append(np.where(clumps["long_lived"][good], 0.7, 0.3), 0.5) + rng.uniform(-0.25, 0.25, len(x))
            parts.append((np.full(len(x), i), x, y, np.append(rng.uniform(0.4, 1, good.sum()), 0.1), p))
        image, x, y, score, p = (np.concatenate(column) for column in zip(*parts, strict=True))
        Predictions(
            image=image, galaxy=images.galaxy[image], index=images.index[image], x=x, y=y, score=score, threshold=np.full(len(x), 0.3),
            images=mine, galaxies=images.galaxy[mine], seed=3, p_long=p, p_long_err=p * 0,
        ).save(target / f"predictions-fold-{fold}.npz")  # fmt: skip
    return target


@pytest.fixture(scope="module")
def done(tmp_path_factory, folder, predictions):
    out = tmp_path_factory.mktemp("evaluated") / "out"
    args = ["evaluate", "--data", folder, "--predictions", predictions, "-o", out, "--images", 9, "--draws", 20, "--quiet"]
    assert main([str(arg) for arg in args]) == 0
    return out


def test_scores_of_held_out_predictions(done):
    scores = json.loads((done / "scores.json").read_text())
    assert scores["set"]["images_compared"] == 9
    assert scores["set"]["noise_seed"] == 3
    assert scores["set"]["galaxies"] == [0, 1, 2]
    own = scores["detectors"]["held-out folds"]["own"]
    assert own["cut"] == 0.5  # the folds' own threshold
    assert own["completeness"][0] == 1
    assert own["purity"][0] > 0.95  # of two clumps in one blend the second detection is false
    assert scores["all_images"]["held-out folds"]["own"]["completeness"][0] == 1
    assert scores["detectors"]["random points"]["own"]["completeness"][0] < 0.8
    assert scores["classifier"]["all"]["roc_auc"][0] > 0.8
    assert {"sep, tuned", "ContrastDetector, tuned"} < set(scores["detectors"])


def test_tables_can_be_read(done):
    for name in ("scores", "completeness", "purity", "squares_completeness", "kinds", "stamps", "misses", "false_alarms", "roc"):
        assert QTable.read(done / f"{name}.ecsv").colnames
    assert QTable.read(done / "kinds.ecsv")["n"].sum() == len(QTable.read(done / "stamps.ecsv"))


def test_figures_can_be_made_again_from_the_tables(done, tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    figures = {
        "completeness": (plotting.plot_completeness, ("completeness",)), "purity": (plotting.plot_purity, ("purity",)),
        "detectors": (plotting.plot_detectors, ("curves", "scores")), "squares": (plotting.plot_squares, ("squares_completeness",)),
        "true_detection": (plotting.plot_true_detection, ("squares_true_detection",)),
        "clumps_per_square": (plotting.plot_clumps_per_square, ("clumps_per_square",)),
        "p_long": (plotting.plot_p_long, ("p_long_by", "kinds")),
    }  # fmt: skip
    for name, (plot, tables) in figures.items():
        made = plot(*(QTable.read(done / f"{table}.ecsv") for table in tables), tmp_path / f"{name}.png")
        assert made.read_bytes() == (done / f"{name}.png").read_bytes(), name
    assert (done / "failures.png").stat().st_size > 5000


def test_a_detector_that_is_run_here(folder, tmp_path, capsys):
    args = ["evaluate", "--data", folder, "--detector", "contrast", "-o", tmp_path, "--galaxies", "1", "--snapshots", "0-0,7", "--no-peers"]
    assert main([str(arg) for arg in [*args, "--no-classifier", "--draws", 10]]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert (scores["set"]["images_compared"], scores["set"]["errors_drawn_by"]) == (2, "track")
    assert list(scores["detectors"]) == ["contrast", "random points", "a dot in every lit square"]
    assert "2 images of 1 galaxies" in capsys.readouterr().out


def test_lists_of_snapshots():
    assert evaluate._ranges("7") == [(7, 7)]
    assert evaluate._ranges("1-3,7,9-9") == [(1, 3), (7, 7), (9, 9)]


@pytest.mark.needs_torch
def test_weights_of_one_file_name_are_told_apart(folder, tmp_path):
    from astroclumps import weights

    for name in "ab":
        (tmp_path / name).mkdir()
    files = [weights.export("default", tmp_path / name / "fold-0.safetensors", kind="unet") for name in "ab"]
    args = ["evaluate", "--data", folder, "--weights", *files, "-o", tmp_path / "out", "--galaxies", "1", "--snapshots", "0-0"]
    assert main([str(arg) for arg in [*args, "--no-peers", "--no-classifier", "--draws", 10, "--quiet"]]) == 0
    names = list(json.loads((tmp_path / "out" / "scores.json").read_text())["detectors"])[:2]
    assert names == [f"unet {file}" for file in files]


@pytest.mark.needs_torch
def test_controls_of_a_classifier(folder, predictions, tmp_path):
    args = ["evaluate", "--data", folder, "--predictions", predictions, "-o", tmp_path, "--no-peers", "--classifier-weights", "default"]
    assert main([str(arg) for arg in [*args, "--draws", 10, "--quiet", "--stamps", 30]]) == 0
    controls = json.loads((tmp_path / "scores.json").read_text())["controls"]
    assert controls["n_stamps"] == 30
    assert controls["scrambled_colours"]["roc_auc"][0] < controls["unchanged"]["roc_auc"][0]
    bands = QTable.read(tmp_path / "bands.ecsv")
    assert bands["gradient_share"].sum() == pytest.approx(1)
    assert len(bands["roc_auc_drop"]) == 7


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--galaxies", "9"], "no image"),
        (["--images", "0"], "at least 1"),
        (["--classifier-weights", "nothing.safetensors", "--no-peers", "--detector", "contrast"], "nothing.safetensors"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(folder, tmp_path, capsys, more, message):
    assert main(["evaluate", "--data", str(folder), "-o", str(tmp_path / "out"), "--quiet", *more]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--region", "0"], "--region is a side inside the images, 1 to 64 pixels, got 0"),
        (["--region", "99"], "1 to 64 pixels, got 99"),
        (["--purity", "90"], "--purity is a share above 0 and at most 1, such as 0.9, got 90"),
        (["--min-mass", "75"], "--min-mass is the log10 of a mass in Msun"),
        (["--draws", "0"], "--draws is at least 2"),
        (["--stamps", "0"], "--stamps is at least 1"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(folder, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as left:
        main(["evaluate", "--data", str(folder), "-o", str(tmp_path / "out"), "--quiet", *more])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_predictions_that_are_not_there_are_told_with_the_command(folder, tmp_path, capsys):
    assert main(["evaluate", "--data", str(folder), "--predictions", str(tmp_path / "none.npz"), "-o", str(tmp_path / "out")]) == 1
    assert "none.npz; 'astroclumps train unet --data FOLDER --fold K'" in capsys.readouterr().err


def test_why_the_classifier_has_no_scores_is_told(folder, predictions, tmp_path, capsys):
    args = ["evaluate", "--data", folder, "--no-peers", "--draws", 5, "--quiet", "--galaxies", 0, "--snapshots", 0]
    whole = Predictions.read(predictions)
    whole.p_long[:] = np.nan  # as of empty stamps
    file = whole.save(tmp_path / "predictions-fold-0.npz")
    assert main([str(arg) for arg in [*args, "--predictions", file, "-o", tmp_path / "a"]]) == 0
    assert "the classifier is not scored: 0 long-lived and 0 short-lived stamps have a probability" in capsys.readouterr().err
    assert "both kinds" in json.loads((tmp_path / "a" / "scores.json").read_text())["classifier"]["left_out"]
    whole.p_long = whole.p_long_err = None
    whole.save(file)
    assert main([str(arg) for arg in [*args, "--predictions", file, "-o", tmp_path / "b"]]) == 0
    assert "not scored: the predictions hold no p_long" in capsys.readouterr().err


def test_what_cannot_reach_the_equal_number_says_so(done, folder, predictions, tmp_path, capsys):
    scores = json.loads((done / "scores.json").read_text())["detectors"]
    number = scores["held-out folds"]["own"]["detections_per_image"][0]
    table = QTable.read(done / "scores.ecsv")
    for name, reached in zip(table["detector"], table["equal_number_reached"], strict=True):
        at_equal = scores[name]["equal_number"]
        assert at_equal["reached"] == reached == (at_equal["detections_per_image"][0] >= 0.95 * number), name
    assert scores["random points"]["equal_number"]["reached"]
    assert not all(table["equal_number_reached"])  # a classical finder has fewer than the truth
    args = ["evaluate", "--data", folder, "--predictions", predictions, "-o", tmp_path, "--no-classifier", "--draws", 5, "--images", 6]
    assert main([str(arg) for arg in args]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "±" in line]
    few = [line for line in lines if "fewer:" in line]
    assert 0 < len(few) < len(lines)
    # two sizes of squares, two numbers of detections
    assert all(re.search(r"\d\.\d\d, \d\.\d\d \(\d+\.\d, \d+\.\d\)", line) for line in lines)


def test_results_are_not_replaced_unasked(done, folder, predictions, capsys):
    args = ["evaluate", "--data", folder, "--predictions", predictions, "-o", done]
    assert main([str(arg) for arg in args]) == 1
    assert "--overwrite" in capsys.readouterr().err


# images and finders


def test_images_have_the_noise_of_the_seed(images):
    one = image_of(images, 2, seed=4)
    assert np.array_equal(one.data, images.noisy(2, seed=4).astype(one.data.dtype))
    assert one.redshift == pytest.approx(images.redshift[2])
    assert one.bands == images.bands


def test_samples_take_equal_shares_of_galaxies(images):
    assert sample_of(images, None).tolist() == list(range(12))
    chosen = sample_of(images, 6, seed=1)
    assert np.bincount(images.galaxy[chosen]).tolist() == [2, 2, 2]
    assert np.array_equal(chosen, sample_of(images, 6, seed=1))
    assert len({tuple(sample_of(images, 6, seed=seed)) for seed in range(9)}) > 3


def test_processes_find_the_same(images):
    part, find = images.subset(np.r_[0:12, 0:12]), Peer("sep")
    alone, together = (detect_images(part, find, seed=0, n_jobs=n) for n in (1, 2))
    assert sum(len(one[0]) for one in alone) > 20
    assert all(np.array_equal(a, b) for one, two in zip(alone, together, strict=True) for a, b in zip(one, two, strict=True))


@pytest.mark.needs_torch
def test_networks_give_all_down_to_their_floor():
    find = PluginFinder("unet")
    assert find.detector().threshold == find.detector().card["floor"] < find.own_cut() == find.detector().card["threshold"]
    assert PluginFinder("unet", {"threshold": 0.6}).own_cut() == -np.inf


def test_every_peer_that_is_installed_finds_clumps(images):
    finders = peer_finders()
    assert {"ContrastDetector, Guo et al.", "sep, ultraviolet"} < set(finders)
    for name, find in finders.items():
        ((x, y, score),) = detect_images(images.subset([0]), find, seed=0)
        assert len(x) == len(y) == len(score) > 0, name
        assert np.isfinite(score).all()
