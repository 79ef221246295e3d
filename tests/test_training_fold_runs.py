"""From a set of galaxies to weights with scores, at toy size and through the command line."""

import json

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")
pytest.importorskip("sklearn", reason="needs scikit-learn")

from astroclumps import LongevityClassifier, UNetDetector, weights  # noqa: E402
from astroclumps.cli import main  # noqa: E402
from astroclumps.evaluation.squares import squares  # noqa: E402
from astroclumps.evaluation.truth import gather  # noqa: E402
from astroclumps.training.fold_cnn import train_cnn_fold  # noqa: E402
from astroclumps.training.fold_unet import fold_files, images_of, train_unet_fold  # noqa: E402
from astroclumps.training.folds import Folds  # noqa: E402
from astroclumps.training.galaxy_set import GalaxySet  # noqa: E402
from astroclumps.training.predictions import Predictions  # noqa: E402
from astroclumps.training.release import CARD_SCORES, make_release  # noqa: E402
from astroclumps.training.scores import held_out_scores  # noqa: E402

pytestmark = [pytest.mark.needs_torch]

SPLIT = {"n_main": 2, "n_grouped": 1, "n_validation": 1}
UNET = {**SPLIT, "n_steps": 6, "every": 3, "batch_size": 4, "n_workers": 0}
CNN = {**SPLIT, "n_steps": 6, "every": 3, "batch_size": 16, "n_workers": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=4, n_images=8, n_clumps=8, seed=1)


@pytest.fixture(scope="module")
def out(data, tmp_path_factory):
    """A folder with all folds of both networks, and the releases."""
    folder = tmp_path_factory.mktemp("runs")
    galaxies = GalaxySet(data)
    for fold in (0, 1, 2, "all"):
        train_unet_fold(folder, galaxies, fold=fold, **UNET)
    for fold in (0, 1, 2, "all"):
        train_cnn_fold(folder, galaxies, fold=fold, **CNN)
    return folder


def test_every_image_is_predicted_by_a_network_that_never_saw_its_galaxy(data, out):
    galaxies = GalaxySet(data)
    folds = Folds.from_set(galaxies, **SPLIT)
    for kind in ("unet", "cnn"):
        assert sorted(Predictions.read(out / kind).images) == list(range(len(galaxies)))
        for fold in folds:
            file, predictions, _ = fold_files(out, kind, fold)
            held_out = set(folds.held_out(fold))
            assert set(Predictions.read(predictions).galaxies) == held_out
            recipe = weights.card(file)["recipe"]
            assert not held_out & {*recipe["training"], *recipe["validation"]}


def test_predictions_are_those_of_the_detector_with_these_weights(data, out):
    import astropy.units as u

    from astroclumps import MultiBandImage

    galaxies = GalaxySet(data)
    file, predictions, _ = fold_files(out, "unet", 1)
    found = Predictions.read(predictions)
    i = int(found.images[0])
    image = MultiBandImage(data=galaxies.noisy(i, seed=found.seed) * u.uJy, bands=galaxies.bands, pixel_scale=0.06 * u.arcsec)
    table = UNetDetector(str(file), min_host=0).detect(image)
    x, _, score = found.detections(len(galaxies))[i]
    np.testing.assert_allclose(np.sort(table["score"]), np.sort(score), atol=1e-4)
    assert len(x) > 0
    classified = LongevityClassifier(str(fold_files(out, "cnn", 1)[0])).classify(image, table)
    judged = Predictions.read(fold_files(out, "cnn", 1)[1])
    order = np.argsort(table["x"].value)
    rows = judged.rows(len(galaxies))[i]
    np.testing.assert_allclose(classified["p_long"][order], judged.p_long[rows[np.argsort(judged.x[rows])]], atol=1e-3)


def test_the_release_takes_its_settings_from_the_folds(out):
    cards = [weights.card(fold_files(out, "unet", fold)[0]) for fold in (0, 1, 2)]
    release = weights.card(fold_files(out, "unet", "all")[0])
    assert release["threshold"] == pytest.approx(np.median([card["threshold"] for card in cards]), abs=1e-4)
    assert release["recipe"]["best_step"] == release["recipe"]["steps_run"] == np.median([card["recipe"]["best_step"] for card in cards])
    assert release["recipe"]["held_out"] == []


def test_a_fold_that_is_done_is_left_alone_and_other_settings_are_refused(data, out):
    file = fold_files(out, "unet", 0)[0]
    before = file.stat().st_mtime_ns
    assert train_unet_fold(out, data, fold=0, **UNET) == file
    assert file.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="holds a run with min_snr 5.0 instead of 9.0"):
        train_unet_fold(out, data, fold=0, **UNET, min_snr=9.0)
    with pytest.raises(ValueError, match="holds a run with dropout 0.2 instead of 0.5"):
        train_cnn_fold(out, data, fold=0, **CNN, dropout=0.5)


def test_a_fold_gives_the_same_bytes_again(data, out, tmp_path):
    again = train_unet_fold(tmp_path, data, fold=2, **UNET)
    first = fold_files(out, "unet", 2)
    tensors = [weights.load(file, kind="unet")[0] for file in (first[0], again)]
    assert all(np.array_equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
    assert first[1].read_bytes() == fold_files(tmp_path, "unet", 2)[1].read_bytes()


def test_stages_in_the_wrong_order_are_told(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="predictions of 0, 1, 2 are missing"):
        train_cnn_fold(tmp_path, data, fold=0, **CNN)
    with pytest.raises(FileNotFoundError, match=r"takes step and threshold from the folds; fold-0.safetensors"):
        train_unet_fold(tmp_path, data, fold="all", **UNET)
    with pytest.raises(FileNotFoundError, match=r"fold-2.npz, fold-all.safetensors missing in .*cnn; train them"):
        make_release(tmp_path, data, kind="cnn", **SPLIT)


def test_more_filters_than_the_start_has_are_told(data, tmp_path):
    with pytest.raises(ValueError, match="have 16 filters, not 8; start='none'"):
        train_unet_fold(tmp_path, data, fold=0, filters=8, **UNET)


def test_sersic_mocks_can_be_mixed_in(data, tmp_path):
    from astroclumps.training.dataset import MockSet
    from astroclumps.training.galaxy_detector import GalaxyBatches
    from astroclumps.training.targets import ClumpTargets, TruthRule

    galaxies = GalaxySet(data)
    other = MockSet.__new__(MockSet)  # galaxies without light
    other.__dict__.update(
        data=np.zeros((2, 7, 64, 64), dtype=np.float32), redshift=np.ones(2), rms=galaxies.rms[:2], correlation=galaxies.correlation[:2],
        electrons=galaxies.electrons[:2], _first=np.zeros(3, dtype=int), _clumps={"x": np.zeros(0), "y": np.zeros(0)},
    )  # fmt: skip
    targets = ClumpTargets(galaxies, TruthRule(min_snr=0, min_contrast=0))
    for share in (0.0, 0.5, 1.0):
        batches = GalaxyBatches(galaxies, images_of(galaxies, (0, 1)), 40, targets, mix=other, mix_share=share)
        images, maps = batches(np.random.default_rng(0))
        assert images.shape == (40, 7, 64, 64)
        assert (maps.max(axis=(1, 2)) == 0).mean() == pytest.approx(share, abs=0.2)


def test_the_command_line_runs_the_chain(data, tmp_path, capsys):
    common = ["--data", str(data), "-o", str(tmp_path), "--main", "2", "--grouped", "1", "--choosing", "1", "--steps", "4", "-q"]
    common += ["--every", "2", "--batch-size", "16"]
    for kind, more in (("unet", ["--beta", "1", "--flux-scatter", "0.3", "--sf-zlc", "1e-3"]), ("cnn", ["--size", "12"])):
        for fold in ("0", "1", "2", "all"):
            assert main(["train", kind, "--fold", fold, *common, *more]) == 0
    assert main(["train", "release", *common[:10]]) == 0
    printed = capsys.readouterr().out
    held_out = {}
    for kind in ("unet", "cnn"):
        path = tmp_path / f"{kind}-synthetic-1.0.safetensors"
        assert str(path) in printed
        assert path.stat().st_size < 8e6
        assert main(["weights", "show", str(path), "--json"]) == 0
        card = json.loads(capsys.readouterr().out)
        held_out |= card["held_out"]
        assert set(weights.CARD_KEYS) <= set(card)
    assert set(CARD_SCORES) <= set(held_out)
    known = [held_out[name][0] for name in CARD_SCORES if name != "balanced_precision"]  # that is None where all are called short-lived
    assert all(0 <= value <= 1 for value in known)
    assert all(len(held_out[name]) == 2 for name in CARD_SCORES)
    assert {"expected_calibration_error_balanced", "detections_per_image_10px_at_90", "detections_per_image_8px_at_90"} < set(held_out)
    recipe = weights.card(fold_files(tmp_path, "unet", 0)[0])["recipe"]
    assert recipe["sf_zlc"] == 1e-3
    assert recipe["augmentation"]["flux"] == 0.3
    card = weights.card(tmp_path / "cnn-synthetic-1.0.safetensors")
    assert card["architecture"]["members"] == len(card["recipe"]["members"]) == 3
    assert card["architecture"]["size"] == 12


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["unet", "-o", "x", "--fold", "0"], "goes with --data"),
        (["cnn", "-o", "x", "--scramble"], "scramble goes with --data"),
        (["unet", "-o", "x", "--data", "y"], "--data needs --fold"),
        (["unet", "-o", "x", "--data", "y", "--fold", "0", "--images", "5"], "n_train is for Sersic mocks"),
    ],
)
def test_options_that_do_not_go_together_are_told(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", *argv])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_scores_need_both_classes_only_for_the_classifier(data, out):
    galaxies = GalaxySet(data)
    scores = held_out_scores(galaxies, Predictions.read(out / "unet"), kind="unet", n_draws=20)
    assert scores["n_images"] == len(galaxies)
    assert all(0 <= scores[name][0] <= 1 for name in (*CARD_SCORES[:3], "completeness_10px_at_90", "average_precision_3px"))
    # each size has its own threshold, so its own number of detections
    truth = gather(galaxies, policies=("all",))
    found = Predictions.read(out / "unet")
    level = [(found.x[r], found.y[r], found.level_score[r]) for r in found.rows(len(galaxies), threshold=0)]
    for size in (8, 10):
        counted = squares(galaxies, level, size=size, policies=("all",), n_draws=20, truth=truth)
        numbers = counted.numbers(policy="all", cut=counted.cut_at_true_detection(0.9, policy="all"))
        assert scores[f"detections_per_image_{size}px_at_90"] == pytest.approx(numbers["detections_per_image"])
    assert "detections_per_image_at_90" not in scores
    part = held_out_scores(galaxies, Predictions.read(fold_files(out, "unet", 0)[1]), kind="unet", n_draws=20)
    assert part["n_galaxies"] == 1


def test_a_score_that_there_is_not_is_none_in_the_card_and_a_threshold_must_be(tmp_path):
    from astroclumps.longevity.network import LongevityCNN
    from astroclumps.training.card import write_weights

    network = LongevityCNN(2)
    whole = {key: "x" for key in weights.CARD_KEYS} | {"name": "none", "version": "1.0", "bands": ["F606W", "F160W"], "threshold": 0.5}
    for key in ("kind", "design", "licence", "citation", "known_answer"):
        whole.pop(key, None)
    whole |= {"held_out": {"roc_auc": 0.5, "balanced_precision": float("nan")}, "architecture": {"channels": 2}}
    path = write_weights(tmp_path / "none.safetensors", network, kind="cnn", shape=(1, 2, 10, 10), **whole)
    assert weights.card(path)["held_out"] == {"roc_auc": 0.5, "balanced_precision": None}
    with pytest.raises(ValueError, match="has no threshold"):
        write_weights(path, network, kind="cnn", shape=(1, 2, 10, 10), **whole | {"threshold": float("inf")})
