"""The commands beside ``run``: demo, plugins, weights, train."""

import json
import re
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest

import astroclumps
from astroclumps import catalog, weights
from astroclumps.cli import main
from astroclumps.commands import products

CONTRAST = ["--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.01"]


@pytest.fixture
def no_figure(monkeypatch):
    """As if matplotlib were not installed; figures take most of the time."""
    monkeypatch.setattr(products, "has_figure", lambda: False)
    monkeypatch.setattr("astroclumps.commands.run.has_figure", lambda: True)


def run(*arguments):
    """Exit code of a command; what argparse does counts as one."""
    try:
        return main([str(one) for one in arguments])
    except SystemExit as exc:
        return exc.code


def error_line(capsys):
    """The one line on stderr that tells the error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("astroclumps: error: ")]
    assert len(lines) == 1, lines
    return lines[0]


def test_the_demo_says_how_many_true_clumps_were_found(tmp_path, capsys, no_figure):
    assert run("demo", "-o", tmp_path / "out", *CONTRAST) == 0
    out = capsys.readouterr().out
    assert re.search(r"compared with the truth: [1-5] of 5 clumps found \(within 3 pixels\)", out)
    assert "redshift 1.54 of the synthetic galaxy" in out
    assert catalog.read(tmp_path / "out" / "clumps.ecsv").meta["image"] == "demo"
    # a second demo replaces the first one
    assert run("demo", "-o", tmp_path / "out", *CONTRAST, "-q") == 0


def test_the_demo_does_not_replace_other_results(tmp_path, capsys, no_figure):
    clumps = catalog.make_table("detected", 0)
    catalog.add_history(clumps, "Pipeline() of astroclumps 0.1; image 'mine', bands F160W")
    for name, mine in (("mine.ecsv", clumps), ("text.ecsv", None)):
        out = tmp_path / name
        out.mkdir()
        if mine is None:
            (out / "clumps.ecsv").write_text("no table")
        else:
            catalog.write(mine, out / "clumps.ecsv")
        before = (out / "clumps.ecsv").read_bytes()
        assert run("demo", "-o", out, *CONTRAST) == 1
        assert "already holds" in error_line(capsys)
        assert (out / "clumps.ecsv").read_bytes() == before


def test_the_comparison_counts_classes_and_false_detections():
    from astroclumps.commands.demo import compare

    def table(places, labels):
        made = catalog.make_table("classified", len(places))
        made["x"], made["y"] = np.array(places, dtype=float).T * u.pix
        made["longevity"] = labels
        return made

    text = compare(table([(10, 10), (50, 50)], ["LLC", "SLC"]), table([(11, 10), (30, 30)], ["SLC", "SLC"]))
    assert "1 of 2 clumps found" in text
    assert "1 false detection," in text
    assert "the class of 0 of 1 right" in text


def test_the_version_is_printed(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"astroclumps {astroclumps.__version__}\n"


def test_no_command_is_code_2(capsys):
    assert run() == 2
    assert "required: COMMAND" in capsys.readouterr().err


def test_plugins_are_listed(capsys):
    assert run("plugins") == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["detectors", "contrast"] in rows
    assert ["image_readers", "cube"] in rows


def test_the_help_and_the_lists_load_nothing_heavy():
    code = (
        "import sys; from astroclumps.cli import main, build_parser; build_parser().format_help();"
        "main(['plugins']); main(['weights', 'list']);"
        "print('heavy:', *[m for m in ('torch', 'bagpipes', 'matplotlib', 'specutils') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"


@pytest.fixture
def small_weights(tmp_path):
    card = {"name": "mine", "version": "1.0", "kind": "unet", "architecture": {}, "bands": ["F160W"], "trained_on": "noise"}
    return weights.save(tmp_path / "mine.safetensors", {"w": np.ones(3, "f4")}, card)


def test_a_card_is_shown_as_text_and_as_json(small_weights, capsys):
    assert run("weights", "show", small_weights) == 0
    assert "trained_on: noise" in capsys.readouterr().out
    assert run("weights", "show", small_weights, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mine"


def test_unknown_weights_are_one_line(capsys):
    assert run("weights", "show", "unet-vela") == 1
    assert "no weights named 'unet-vela'" in error_line(capsys)


def test_a_file_that_is_not_registered_is_not_imported(small_weights, capsys, empty_cache):
    assert run("weights", "import", small_weights) == 1
    assert "is not registered" in error_line(capsys)


def test_weights_are_listed_and_verified(capsys, empty_cache):
    assert run("weights", "list") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in weights.names())
    assert run("weights", "verify") == 0


def test_an_altered_copy_is_code_1(capsys, monkeypatch, tmp_path):
    (tmp_path / "copy").touch()
    bad = weights.Check("unet-x:1.0", "cache", tmp_path / "copy", False, "weights 'unet-x:1.0' have sha256 aa, registered is bb")
    monkeypatch.setattr(weights, "verify_all", lambda: [bad])
    assert run("weights", "verify") == 1
    assert "have sha256 aa, registered is bb" in error_line(capsys)


@pytest.mark.skipif(not weights.names(), reason="no weights are registered")
def test_weights_are_exported_and_taken_in_again(capsys, empty_cache, tmp_path):
    name = weights.names()[0]
    assert run("weights", "export", name, tmp_path / "copy.safetensors") == 0
    assert run("weights", "export", name, tmp_path / "copy.safetensors") == 1
    assert "add --overwrite to replace it" in error_line(capsys)
    assert run("weights", "import", tmp_path / "copy.safetensors") == 0
    assert repr(name) in capsys.readouterr().out


@pytest.mark.needs_torch
@pytest.mark.parametrize(
    ("kind", "extra", "expected"),
    [("unet", ["--filters", "8"], {"filters": 8}), ("cnn", ["--dropout", "0.5", "--detector", "d"], {"dropout": 0.5, "detector": "d"})],
)
def test_train_hands_its_options_to_the_recipe(monkeypatch, tmp_path, capsys, kind, extra, expected):
    from astroclumps.training import recipes

    seen = {}

    def recipe(folder, **options):
        seen.update(options, folder=folder)
        return folder / "made.safetensors"

    monkeypatch.setattr(recipes, f"train_{kind}", recipe)
    assert run("train", kind, "-o", tmp_path / "new", "--images", 100, "--steps", 5, "--seed", 3, *extra) == 0
    assert seen == {"folder": tmp_path / "new", "n_train": 100, "n_steps": 5, "seed": 3, "progress": True, **expected}
    assert "made.safetensors" in capsys.readouterr().out


@pytest.mark.needs_torch
def test_the_recipes_take_every_option_of_train():
    import inspect

    from astroclumps.commands import train
    from astroclumps.training import augment, fold_cnn, fold_unet, recipes

    varied = set(inspect.signature(augment.Augmentation).parameters)
    for kind, sersic, fold in (
        ("unet", recipes.train_unet, fold_unet.train_unet_fold),
        ("cnn", recipes.train_cnn, fold_cnn.train_cnn_fold),
    ):
        only = train._ONLY[kind]
        wanted = {name for _, name, *_ in (*train._BOTH, *train._SERSIC, *only["both"], *only["sersic"])} | {"progress"}
        assert wanted <= set(inspect.signature(sersic).parameters)
        wanted = {name for _, name, *_ in (*train._BOTH, *train._FOLD, *only["both"], *only["fold"], *train._SWITCHES[kind])} | {"progress"}
        known = set(inspect.signature(fold).parameters)
        assert wanted <= (known | varied if "augmentation" in known else known)
