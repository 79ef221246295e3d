"""What training refuses before it writes anything, and what its help says."""

import inspect

import pytest
from galaxy_sets import write_galaxy_set

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from astroclumps.cli import build_parser, main
from astroclumps.commands import train as command
from astroclumps.training.augment import Augmentation
from astroclumps.training.fold_cnn import train_cnn_fold
from astroclumps.training.fold_unet import train_unet_fold
from astroclumps.training.settings import check_settings

pytestmark = [pytest.mark.needs_torch]

SPLIT = {"n_main": 2, "n_grouped": 1, "n_validation": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=4, n_images=4, n_clumps=8, seed=1)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"n_steps": 0}, ValueError, "n_steps must be a whole number, at least 1, got 0"),
        ({"batch_size": 2.5}, ValueError, "batch_size must be a whole number"),
        ({"filters": 0}, ValueError, "filters must be"),
        ({"mix_share": 2}, ValueError, "mix_share must be a share of the images, 0 to 1, got 2"),
        ({"min_snr": -5}, ValueError, "min_snr must be zero or a positive number, got -5"),
        ({"beta": 0}, ValueError, "beta must be a positive number, got 0"),
        ({"dropout": 1}, ValueError, "dropout must be"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be"),
        ({"n_steps": "many"}, TypeError, "n_steps must be"),
    ],
)
def test_numbers_that_no_training_can_use_are_refused(setting, error, message):
    with pytest.raises(error, match=message):
        check_settings(**setting)
    check_settings(**dict.fromkeys(setting), unknown="x")


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("unet", ["--steps", "0"], "--steps must be a whole number, at least 1, got 0"),
        ("unet", ["--batch-size", "0"], "--batch-size must be"),
        ("unet", ["--filters", "0"], "--filters must be"),
        ("unet", ["--mix-share", "2"], "--mix-share must be a share of the images, 0 to 1, got 2"),
        ("unet", ["--min-snr", "-5"], "--min-snr must be"),
        ("unet", ["--beta", "0"], "--beta must be"),
        ("unet", ["--main", "9"], "at most the 4 galaxies of the set, got 9"),
        ("cnn", ["--region", "0"], "--region must be"),
        ("cnn", ["--region", "99"], "at most 64 pixels, got 99"),
        ("cnn", ["--dropout", "1"], "--dropout must be"),
    ],
)
def test_the_command_line_refuses_them_by_the_name_of_the_option(data, tmp_path, capsys, kind, more, message):
    with pytest.raises(SystemExit) as left:
        main(["train", kind, "--data", str(data), "--fold", "0", "-o", str(tmp_path / "out"), *more])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_that_could_not_begin_does_not_claim_its_folder(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="no mocks"):
        train_unet_fold(tmp_path, data, fold=0, mix=tmp_path / "nothing", **SPLIT)
    with pytest.raises(FileNotFoundError, match="predictions of 0, 1, 2 are missing"):
        train_cnn_fold(tmp_path, data, fold=0, **SPLIT)
    with pytest.raises(FileNotFoundError, match="takes step and threshold from the folds"):
        train_unet_fold(tmp_path, data, fold="all", **SPLIT)
    with pytest.raises(ValueError, match="region is a side inside the images, which have 64 pixels, got 99"):
        train_cnn_fold(tmp_path, data, fold=0, region=99, **SPLIT)
    assert list(tmp_path.rglob("recipe.json")) == []
    train_unet_fold(tmp_path, data, fold=0, n_steps=1, every=1, batch_size=2, n_workers=0, **SPLIT)  # other settings, now that they work
    assert [path.parent.name for path in tmp_path.rglob("recipe.json")] == ["fold-0"]


def test_a_release_needs_the_folds_of_both_networks_before_it_writes(data, tmp_path, capsys):
    (tmp_path / "unet").mkdir()
    for name in ("fold-0", "fold-1", "fold-2", "fold-all"):
        (tmp_path / "unet" / f"{name}.safetensors").touch()
        (tmp_path / "unet" / f"predictions-{name}.npz").touch()
    assert main(["train", "release", "--data", str(data), "-o", str(tmp_path), "--main", "2", "--grouped", "1", "--choosing", "1"]) == 1
    error = capsys.readouterr().err
    assert "fold-0.safetensors, predictions-fold-0.npz" in error
    assert "train them with 'astroclumps train cnn --fold'" in error
    assert "train unet" not in error
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize("kind", ["unet", "cnn"])
def test_the_help_shows_the_defaults_of_the_recipes(kind, capsys):
    pytest.importorskip("bagpipes", reason="the recipes need bagpipes")
    from astroclumps.training import recipes

    functions = {"sersic": getattr(recipes, f"train_{kind}"), "fold": {"unet": train_unet_fold, "cnn": train_cnn_fold}[kind]}
    groups = {
        "sersic": (*command._BOTH, *command._ONLY[kind]["both"], *command._SERSIC, *command._ONLY[kind]["sersic"]),
        "fold": (*command._BOTH, *command._ONLY[kind]["both"], *command._FOLD, *command._ONLY[kind]["fold"]),
    }
    for mode, options in groups.items():
        parameters = inspect.signature(functions[mode]).parameters
        for option, name, *_ in options:
            if (kind, mode, name) in command._TOLD:
                assert parameters[name].default is None, option
                continue
            real = parameters[name].default if name in parameters else getattr(Augmentation(), name)
            assert command.DEFAULTS[kind][mode][name] == real, option
    with pytest.raises(SystemExit):
        build_parser().parse_args(["train", kind, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: 12000; with --data 6000)" in shown if kind == "unet" else "(default: 16000; with --data 8000)" in shown
    assert shown.count("(default:") >= 20
