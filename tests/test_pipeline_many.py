"""Several images at once: what one alone gives, and one that fails is alone with it."""

import warnings

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, Pipeline, plugins
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.pipeline import PipelineResult, StageFailure
from astroclumps.testing import example_image

GUO = {"detector": "contrast", "classifier": None, "sed": None, "options": {"detector": {"min_uv_fraction": 0.03}}}


@pytest.fixture(autouse=True)
def quiet():
    """The examples state no PSF."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        yield


def images(n=3, **changes):
    return [example_image(seed=i, **changes) for i in range(n)]


def test_many_give_what_each_gives():
    pipeline = Pipeline(**GUO)
    for image, result in zip(images(), pipeline.run_many(images()), strict=True):
        alone = pipeline.run_with_maps(image)
        assert isinstance(result, PipelineResult)
        np.testing.assert_array_equal(result.segmentation, alone.segmentation)
        for name in alone.clumps.colnames:
            if name != "sky":
                np.testing.assert_array_equal(result.clumps[name], alone.clumps[name])
        assert result.clumps.meta["history"] == alone.clumps.meta["history"]


@pytest.mark.needs_torch
def test_networks_give_the_same_to_rounding():
    pipeline = Pipeline(sed=None)
    results = pipeline.run_many(images())
    for image, result in zip(images(), results, strict=True):
        alone = pipeline.run(image)
        assert len(alone) == len(result.clumps) > 0
        for name in ("x", "score", "p_long", "p_long_err", "flux_f160w"):
            np.testing.assert_allclose(result.clumps[name], alone[name], rtol=0, atol=1e-5)
        assert list(result.clumps["longevity"]) == list(alone["longevity"])


def test_none_gives_none():
    assert Pipeline(**GUO).run_many([]) == []


def test_time_is_counted_by_stage():
    seconds = {"detector": 1.0}
    Pipeline(**GUO).run_many(images(2), seconds=seconds)
    assert set(seconds) == {"detector", "photometry"}
    assert seconds["detector"] > 1.0


class Picky:
    """Each stage at once; the image named bad is refused by the stage that ``refuses``, together or alone."""

    def __init__(self, refuses):
        self.refuses, self.calls = refuses, []
        self.inner = Pipeline(**GUO).stages["detector"]

    def detect(self, image):
        self.calls.append(image.name)
        self.check("detector", [image])
        return self.inner.detect(image)

    def detect_many(self, some):
        self.calls.append(len(some))
        self.check("detector", some)
        return [self.inner.detect(image) for image in some]

    def classify(self, image, clumps):
        self.check("classifier", [image])
        out = clumps.copy()
        out["p_long"], out["p_long_err"] = np.full(len(out), 0.5), np.zeros(len(out))
        out["longevity"] = np.full(len(out), "LLC")
        return out

    def classify_many(self, some, tables):
        self.check("classifier", some)
        return [self.classify(image, table) for image, table in zip(some, tables, strict=True)]

    def check(self, stage, some):
        if stage == self.refuses and any(image.name == "bad" for image in some):
            raise ZeroDivisionError("cannot bear it")


def named(name, seed):
    image = example_image(seed=seed)
    return MultiBandImage(data=image.data * u.uJy, bands=image.bands, wcs=image.wcs, redshift=1.5, name=name)


@pytest.mark.parametrize("stage", ["detector", "classifier"])
def test_one_that_fails_is_alone_with_it(monkeypatch, stage):
    picky = Picky(stage)
    monkeypatch.setattr(plugins, "create", lambda kind, name, **options: picky)
    results = Pipeline(detector="picky", classifier="picky", sed=None).run_many([named("a", 0), named("bad", 1), named("c", 2)])
    assert [isinstance(one, PipelineResult) for one in results] == [True, False, True]
    assert results[1].stage == stage
    assert "cannot bear it" in str(results[1].error)
    assert (picky.calls == [3]) == (stage == "classifier")  # together once; one by one only where together fails


def test_an_image_without_a_redshift_fails_before_the_work(monkeypatch):
    picky = Picky(None)
    monkeypatch.setattr(plugins, "create", lambda kind, name, **options: picky)
    blind = MultiBandImage(data=example_image().data * u.uJy, bands=example_image().bands)
    (result,) = Pipeline(detector="picky", classifier=None, sed="library").run_many([blind])
    assert isinstance(result, StageFailure)
    assert "has no redshift" in str(result.error)
    assert picky.calls == []


def test_a_detector_that_forgets_one_is_asked_one_by_one(monkeypatch):
    picky = Picky(None)
    picky.detect_many = lambda some: []
    monkeypatch.setattr(plugins, "create", lambda kind, name, **options: picky)
    results = Pipeline(detector="picky", classifier=None, sed=None).run_many([named("a", 0), named("b", 1)])
    assert picky.calls == ["a", "b"]
    assert all(isinstance(one, PipelineResult) for one in results)
