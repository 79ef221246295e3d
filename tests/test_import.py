"""``import astroclumps`` stays light, and every public name exists."""

import importlib
import subprocess
import sys

import pytest

import astroclumps

HEAVY = ("torch", "bagpipes", "nautilus", "specutils", "matplotlib", "sklearn", "photutils")


def loaded_after(code):
    """Which of the heavy packages a fresh interpreter has loaded after running ``code``."""
    code = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_loads_nothing_heavy():
    assert loaded_after("import astroclumps") == []


def test_import_loads_neither_astropy_nor_scipy():
    code = "import sys, astroclumps; print('astropy' in sys.modules, 'scipy' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


@pytest.mark.parametrize("module", ["plugins", "weights", "bands", "catalog", "conf"])
def test_light_modules_load_nothing_heavy(module):
    assert loaded_after(f"import astroclumps; astroclumps.{module}") == []


def test_listing_plugins_and_weights_loads_nothing_heavy():
    assert loaded_after("from astroclumps import plugins, weights; plugins.table(); weights.verify_all()") == []


@pytest.mark.parametrize("name", sorted(set(astroclumps._LAZY) - {"conf"}))
def test_settings_classes_load_no_network_and_no_sampler(name):
    # made and kept in a script that may never use them: torch and bagpipes load with the first image
    assert not {"torch", "bagpipes", "matplotlib"} & set(loaded_after(f"from astroclumps import {name}"))


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
