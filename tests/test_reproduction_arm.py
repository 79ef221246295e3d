"""Samples measured end to end: what becomes of known clumps, resuming, and what is refused."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from galaxy_sets import write_galaxy_set

from astroclumps import Pipeline
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.reproduction.arm import Arm, join
from astroclumps.training.galaxy_set import GalaxySet

needs_bagpipes = pytest.mark.needs_bagpipes


def peers():
    """A pipeline that needs no network, with a small library."""
    return Pipeline(detector="contrast", classifier=None, options={"sed": {"n_models": 1000, "n_effective": 0}})


def truth_as_predictions(galaxies, *, p_long=0.7):
    """Detections on every clump but the bulge, as folds would write them."""
    from astroclumps.training.predictions import Predictions

    rows = []
    for i in range(len(galaxies)):
        clumps = galaxies.clumps(i)
        away = clumps["origin"] != "bulge"
        rows += [(i, galaxies.galaxy[i], galaxies.index[i], x, y) for x, y in zip(clumps["x"][away], clumps["y"][away], strict=True)]
    image, galaxy, index, x, y = np.array(rows).T
    n = len(image)
    return Predictions(
        image=image, galaxy=galaxy, index=index, x=x, y=y, score=np.full(n, 0.9), threshold=np.full(n, 0.5), p_long=np.full(n, p_long),
        p_long_err=np.full(n, 0.1), images=np.arange(len(galaxies)), galaxies=galaxies.galaxy, seed=4,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return write_galaxy_set(tmp_path / "set", n_galaxies=2, n_images=3, n_clumps=4)


def test_tables_come_back_from_disk(tmp_path):
    arm = Arm("one", QTable({"galaxy": ["a"], "mass": [1e8] * u.Msun}), QTable({"galaxy": ["a", "b"], "r_e": [0.3, 0.4] * u.arcsec}))
    arm.write(tmp_path)
    again = Arm.read(tmp_path, name="one")
    assert again.clumps["mass"][0] == 1e8 * u.Msun
    assert list(again.galaxies["galaxy"]) == ["a", "b"]
    assert again.galaxies["r_e"].unit == u.arcsec
    assert len(again.select(again.galaxies["galaxy"] == "b").clumps) == 0


def test_half_an_arm_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no clumps\.fits and no galaxies\.fits"):
        Arm.read(tmp_path)


def test_galaxies_are_joined_once():
    one = Arm("a", QTable({"galaxy": ["x"]}), QTable({"galaxy": ["x"]}))
    two = Arm("b", QTable({"galaxy": np.zeros(0, dtype="U1")}), QTable({"galaxy": ["y"]}))
    assert join("both", [one, two]).summary() == "both: 1 clumps in 2 images of 2 galaxies"
    with pytest.raises(ValueError, match="'x' is in two of the arms"):
        join("both", [one, one])
    with pytest.raises(ValueError, match="nothing to join"):
        join("none", [])


@needs_bagpipes
def test_predictions_are_measured_with_their_truth(folder, tmp_path):
    from astroclumps.reproduction.suite import TRUTH, suite_arm

    galaxies = GalaxySet(folder)
    arm = suite_arm(folder, out=tmp_path / "parts", predictions=truth_as_predictions(galaxies), pipeline=peers())
    assert len(arm.galaxies) == 6
    assert len(arm.clumps) == 6 * 4
    assert set(TRUTH) <= set(arm.clumps.colnames)
    assert set(arm.galaxies["parent"]) == {"000", "001"}
    i = 4
    name = f"{galaxies.galaxy[i]:03d}-{galaxies.snapshot[i]:02d}-{galaxies.camera[i]}"
    rows, clumps = arm.clumps[arm.clumps["galaxy"] == name], galaxies.clumps(i)
    away = clumps["origin"] != "bulge"
    np.testing.assert_allclose(rows["near_mass"].value, clumps["mass_stars"][away], rtol=1e-6)
    assert list(rows["near_class"]) == list(clumps["longevity"][away])
    k = 0  # the stamp's sum, by hand: 10 pixels around the detection
    x, y = rows["x"][k].value, rows["y"][k].value
    near = away & (abs(clumps["x"] - x) <= 4) & (abs(clumps["y"] - y) <= 4)
    far = away & ((abs(clumps["x"] - x) >= 6) | (abs(clumps["y"] - y) >= 6))
    assert clumps["mass_stars"][near].sum() * 0.999 <= rows["true_mass"][k].value <= clumps["mass_stars"][~far & away].sum() * 1.001
    assert (rows["p_long"] == 0.7).all()
    assert np.isfinite(rows["mass"].value).all()


@needs_bagpipes
def test_what_is_there_is_not_measured_again(folder, tmp_path, monkeypatch):
    from astroclumps.reproduction import suite

    predictions = truth_as_predictions(GalaxySet(folder))
    first = suite.suite_arm(folder, out=tmp_path / "parts", predictions=predictions, pipeline=peers())
    (tmp_path / "parts" / "galaxy-001" / "galaxies.fits").unlink()
    measured = []
    plain = suite.measure_image
    monkeypatch.setattr(suite, "measure_image", lambda *args, **settings: measured.append(1) or plain(*args, **settings))
    again = suite.suite_arm(folder, out=tmp_path / "parts", predictions=predictions, pipeline=peers())
    assert len(measured) == 3
    for name in ("mass", "x", "flux_f606w"):
        np.testing.assert_array_equal(first.clumps[name].value, again.clumps[name].value)
    with pytest.raises(ValueError, match="another region; give another folder"):
        suite.suite_arm(folder, out=tmp_path / "parts", predictions=predictions, pipeline=peers(), region=10)


@needs_bagpipes
def test_predictions_without_classes_or_images_are_refused(folder, tmp_path):
    from dataclasses import replace

    from astroclumps.reproduction.suite import suite_arm

    good = truth_as_predictions(GalaxySet(folder))
    with pytest.raises(ValueError, match="no classes"):
        suite_arm(folder, out=tmp_path / "a", predictions=replace(good, p_long=None, p_long_err=None), pipeline=peers())
    with pytest.raises(ValueError, match="lack 1 of 6 images"):
        suite_arm(
            folder, out=tmp_path / "b", predictions=replace(good, images=good.images[1:], galaxies=good.galaxies[1:]), pipeline=peers()
        )


@needs_bagpipes
def test_a_field_becomes_an_arm(tmp_path):
    from astroclumps.reproduction.field import cut_galaxies, field_arm
    from astroclumps.testing import example_image

    images = cut_galaxies(example_image(), redshift=1.5, size=48)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)  # whether its light can be fitted is not asked here
        arm = field_arm(images, pipeline=peers(), out=tmp_path)
    assert arm.summary().startswith("field:")
    assert arm.galaxies["redshift"][0] == 1.5
    assert len(Arm.read(tmp_path).clumps) == len(arm.clumps)
    with pytest.raises(ValueError, match="names of their own"):
        field_arm(images * 2, pipeline=peers())


def test_masked_circles_hold_no_galaxy():
    from astroclumps.reproduction.field import cut_galaxies
    from astroclumps.testing import example_image

    image = example_image()
    assert len(cut_galaxies(image, redshift=1.0, size=48)) == 1
    assert cut_galaxies(image, redshift=1.0, size=48, exclude=[(33, 35, 30)]) == []
    with pytest.raises(ValueError, match="less than a cut-out of 128"):
        cut_galaxies(image, redshift=1.0, size=128)
