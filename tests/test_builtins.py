"""The built-in parts go through the checks that plugins are put through; one without its check fails here."""

import functools

import numpy as np
import pytest

from astroclumps import plugins, testing, weights

needs_weights = pytest.mark.skipif(not weights.names(), reason="no weights are registered")
needs_torch = pytest.mark.needs_torch
needs_bagpipes = pytest.mark.needs_bagpipes

# kind and name: small settings for the check, and marks
OPTIONS = {
    ("detectors", "contrast"): ({}, ()),
    ("detectors", "unet"): ({}, (needs_torch, needs_weights)),
    ("classifiers", "cnn"): ({}, (needs_torch, needs_weights)),
    ("sed_backends", "library"): ({"n_models": 2000}, (needs_bagpipes,)),
    ("sed_backends", "bagpipes"): ({"n_live": 25, "n_effective": 25}, (needs_bagpipes, pytest.mark.slow)),
}
CHECKS = {"detectors": testing.check_detector, "classifiers": testing.check_classifier, "sed_backends": testing.check_sed_backend}


@pytest.mark.parametrize(("kind", "name"), [pytest.param(*key, id="-".join(key), marks=marks) for key, (_, marks) in OPTIONS.items()])
def test_a_builtin_keeps_the_contract(kind, name, monkeypatch):
    if name == "bagpipes":
        # four networks for each bound are where the sampler's time goes; one does for the contract
        nautilus = pytest.importorskip("nautilus", reason="the sampler of BagpipesSED")
        monkeypatch.setattr(nautilus, "Sampler", functools.partial(nautilus.Sampler, n_networks=1))
    CHECKS[kind](plugins.create(kind, name, **OPTIONS[kind, name][0]))


def test_no_builtin_goes_unchecked():
    ours = {(row.kind, row.name) for row in plugins.table() if row.distribution.startswith("astroclumps ")}
    images = {("image_readers", name) for name in ("bands", "cube", "folklore", "vela")}
    simulations = {("simulation_readers", name) for name in ("hdf5", "npz", "yt")}  # checked in the tests of each reader
    assert ours - set(OPTIONS) == images | simulations


def test_the_reader_of_cubes_keeps_the_contract(tmp_path):
    testing.example_image().write(tmp_path / "cube.fits")
    testing.check_image_reader(plugins.create("image_readers", "cube"), tmp_path / "cube.fits", name="other")


def test_the_reader_of_folklore_cubes_keeps_the_contract(tmp_path):
    from astropy.io import fits

    image = testing.example_image(bands=["F606W", "F160W"])
    header = fits.Header({"FILTER1": "F606W", "FILTER2": "F160W", "BUNIT": "uJy"})
    fits.PrimaryHDU(np.asarray(image.data), header).writeto(tmp_path / "cube.fits")
    testing.check_image_reader(plugins.create("image_readers", "folklore"), tmp_path / "cube.fits")


def test_the_reader_of_one_file_a_band_keeps_the_contract(tmp_path):
    from astropy.io import fits

    image = testing.example_image(bands=["F160W"])
    header = image.wcs.to_header()
    header["BUNIT"] = "uJy"
    fits.PrimaryHDU(image.data[0], header).writeto(tmp_path / "galaxy_f160w.fits")
    testing.check_image_reader(plugins.create("image_readers", "bands"), tmp_path / "galaxy_f160w.fits")


def test_the_reader_of_vela_keeps_the_contract(tmp_path):
    from astroclumps.hlsp import write_vela
    from astroclumps.mock.cameras import Camera

    camera = Camera(name="cam17", direction=(0, 0, 1), up=(0, 1, 0))
    (file,) = write_vela(testing.example_image(bands=["F160W"]), tmp_path, galaxy=7, camera=camera, scale_factor=0.4)
    testing.check_image_reader(plugins.create("image_readers", "vela"), file, redshift=1.5)
