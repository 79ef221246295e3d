"""``import astroclumps`` stays light, and every public name exists."""

import importlib
import json
import subprocess
import sys

import pytest

import astroclumps

HEAVY = ("torch", "bagpipes", "nautilus", "specutils", "matplotlib", "sklearn", "photutils")


def loaded_after(*statements, watched=HEAVY):
    """Which of the watched packages a fresh interpreter has loaded after each statement."""
    code = (
        "import json, sys\nloaded = {}\n"
        f"for statement in {statements!r}:\n"
        "    exec(statement)\n"
        f"    loaded[statement] = [name for name in {tuple(watched)!r} if name in sys.modules]\n"
        "print(json.dumps(loaded))"
    )
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_import_loads_nothing_at_all():
    statement = "import astroclumps"
    assert loaded_after(statement, watched=(*HEAVY, "astropy", "numpy", "scipy", "numba")) == {statement: []}


def test_light_modules_load_nothing_heavy():
    statements = [f"import astroclumps; astroclumps.{name}" for name in ("plugins", "weights", "conf", "bands", "catalog")]
    statements.append("from astroclumps import plugins, weights; plugins.table(); weights.verify_all()")
    assert not any(loaded_after(*statements).values())


def test_settings_classes_load_no_network_and_no_sampler():
    # made and kept in a script that may never use them: torch and bagpipes load with the first image
    statements = [f"from astroclumps import {name}" for name in astroclumps._LAZY]
    assert not any(loaded_after(*statements, watched=("torch", "bagpipes", "matplotlib")).values())


@pytest.mark.parametrize("name", astroclumps.__all__)
def test_public_names_exist(name):
    assert getattr(astroclumps, name) is not None
    assert name in dir(astroclumps)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'ClumpDetector'"):
        _ = astroclumps.ClumpDetector


@pytest.mark.parametrize("module", ["bands", "catalog", "config", "exceptions", "plugins", "testing", "weights"])
def test_all_lists_only_what_is_there(module):
    loaded = importlib.import_module(f"astroclumps.{module}")
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []
