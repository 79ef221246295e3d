"""The pipeline: stages by name, tables checked after each, nothing lost between them."""

import pickle

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, Pipeline, catalog, pipeline
from astroclumps.exceptions import CatalogError, NoClumpsWarning, PluginError
from astroclumps.pipeline import PipelineResult
from astroclumps.testing import example_image

CORE = {"detector": "contrast", "classifier": None, "sed": None}
SENSITIVE = {"detector": {"min_uv_fraction": 0.03}}


class Marker:
    """A detector that marks two places and has no maps."""

    def __init__(self, *, unit=u.pix):
        self.unit = unit

    def detect(self, image):
        clumps = catalog.make_table("detected", 2)
        clumps["x"], clumps["y"] = [40.0, 22.0] * self.unit, [30.0, 36.0] * self.unit
        clumps["score"], clumps["n_pixels"] = [0.9, 0.8], [9, 9]
        return clumps


class Halver:
    """A classifier that sets all to one half; it may lose a row."""

    def __init__(self, *, lose=0):
        self.lose = lose

    def classify(self, image, clumps):
        out = clumps[self.lose :].copy()
        out["p_long"], out["p_long_err"] = np.full(len(out), 0.5), np.zeros(len(out))
        out["longevity"] = np.full(len(out), "LLC")
        return out


class Fitter:
    """A fit that finds nothing out."""

    def fit(self, photometry, *, redshift):
        out = photometry.copy()
        blank = catalog.make_table("fitted", len(out))
        for column in catalog.columns("fitted"):
            if column.stage == "fitted":
                out[column.name] = blank[column.name]
        out["redshift"] = np.full(len(out), float(redshift))
        return out


@pytest.fixture
def fakes(monkeypatch):
    """The fake parts behind the names marker, halver and fitter."""
    known = {"marker": Marker, "halver": Halver, "fitter": Fitter}
    real = pipeline.plugins.create

    def create(kind, name, **options):
        return known[name](**options) if name in known else real(kind, name, **options)

    monkeypatch.setattr(pipeline.plugins, "create", create)


@pytest.fixture(scope="module")
def image():
    return example_image()


def with_redshift(image, redshift, **changes):
    options = {"data": image.data * u.uJy, "bands": image.bands, "psf": 0.15 * u.arcsec, "redshift": redshift} | changes
    return MultiBandImage(**options)


@pytest.mark.filterwarnings("ignore:the point-spread function")
def test_the_core_detects_and_measures_without_torch_and_bagpipes(image):
    clumps = Pipeline(**CORE, options=SENSITIVE).run(image)
    catalog.validate(clumps, "measured", who="test", bands=image.bands)
    assert np.hypot(clumps["x"].value - 40, clumps["y"].value - 30).min() < 1
    assert "p_long" not in clumps.colnames
    assert "mass" not in clumps.colnames


def test_all_stages_add_their_columns_in_their_order(fakes, image):
    clumps = Pipeline(detector="marker", classifier="halver", sed="fitter").run(with_redshift(image, 1.5))
    catalog.validate(clumps, ("classified", "fitted"), who="test", bands=image.bands)
    order = [clumps.colnames.index(name) for name in ("id", "p_long", "flux_f435w", "mass")]
    assert order == sorted(order)


def test_the_history_says_what_was_done_with_what(fakes, image):
    made = Pipeline(detector="marker", classifier=None, sed=None, options={"photometry": {"radius": 4 * u.pix}})
    last = made.run(with_redshift(image, 1.5)).meta["history"][-1]
    assert "detector='marker'" in last
    assert "4. pix" in last
    assert "redshift 1.5, PSF as given" in last


def test_a_detector_without_maps_gets_a_disc_for_each_clump(fakes, image):
    result = Pipeline(detector="marker", classifier=None, sed=None).run_with_maps(with_redshift(image, 1.5))
    assert isinstance(result, PipelineResult)
    assert result.map is None
    assert result.segmentation.dtype == np.int32
    assert result.segmentation[30, 40] == 1
    assert result.segmentation[36, 22] == 2
    assert set(np.unique(result.segmentation)) == {0, 1, 2}


@pytest.mark.filterwarnings("ignore:the point-spread function")
def test_the_labels_of_a_detector_with_maps_are_the_ids(image):
    result = Pipeline(**CORE, options=SENSITIVE).run_with_maps(image)
    assert set(np.unique(result.segmentation)) == {0, *result.clumps["id"]}
    assert result.map.shape == result.segmentation.shape == image.data.shape[1:]
    assert result.image is image


def test_pure_noise_gives_an_empty_table_with_all_columns_and_a_warning(fakes):
    noise = np.random.default_rng(3).normal(0, 1e-3, (2, 64, 64)) * u.uJy
    empty = MultiBandImage(data=noise, bands=["F606W", "F160W"], psf=0.15 * u.arcsec, redshift=1.5)
    with pytest.warns(NoClumpsWarning):
        clumps = Pipeline(detector="contrast", classifier="halver", sed="fitter").run(empty)
    assert len(clumps) == 0
    catalog.validate(clumps, ("classified", "fitted"), who="test", bands=empty.bands)


def test_an_image_that_is_masked_everywhere_gives_an_empty_table_and_a_warning(image):
    dark = with_redshift(image, 1.5, mask=np.ones(image.data.shape, dtype=bool))
    with pytest.warns(NoClumpsWarning):
        clumps = Pipeline(**CORE).run(dark)
    assert len(clumps) == 0
    catalog.validate(clumps, "measured", who="test", bands=image.bands)


def test_pixels_that_are_not_finite_are_survived_and_flagged(fakes, image):
    cube = image.data.copy()
    cube[:, 31, 41] = np.nan
    cube[0, 2, 2] = np.inf
    clumps = Pipeline(detector="marker", classifier=None, sed=None).run(with_redshift(image, 1.5, data=cube * u.uJy))
    assert "MASKED" in catalog.decode_flags(clumps["flags"][0])
    assert np.isfinite(clumps["flux_f160w"][0])


def test_the_image_is_left_as_it_was(fakes, image):
    given = with_redshift(image, 1.5)
    before, mask = given.data.copy(), given.mask.copy()
    Pipeline(detector="marker", classifier="halver", sed="fitter").run(given)
    assert np.array_equal(given.data, before)
    assert np.array_equal(given.mask, mask)


def test_the_same_image_gives_the_same_table(fakes, image):
    made = Pipeline(detector="marker", classifier=None, sed=None)
    first, second = (made.run(with_redshift(image, 1.5)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first.colnames)
    assert first.meta == second.meta


def test_no_redshift_is_said_before_the_work_starts(fakes, image, monkeypatch):
    monkeypatch.setattr(Marker, "detect", lambda *_: pytest.fail("work started"))
    with pytest.raises(ValueError, match=r"has no redshift.*redshift=1.5.*sed=None"):
        Pipeline(detector="marker", classifier=None, sed="fitter").run(with_redshift(image, None))


def test_without_a_fit_no_redshift_is_needed(fakes, image):
    assert len(Pipeline(detector="marker", classifier=None, sed=None).run(with_redshift(image, None))) == 2


def test_something_else_than_an_image_is_refused():
    with pytest.raises(TypeError, match="MultiBandImage.read"):
        Pipeline(**CORE).run(np.zeros((2, 8, 8)))


def test_a_plugin_with_a_wrong_unit_is_named(fakes, image):
    made = Pipeline(detector="marker", classifier=None, sed=None, options={"detector": {"unit": u.arcsec}})
    with pytest.raises(CatalogError, match="detector 'marker': column 'x' must have the unit pix, got the unit arcsec"):
        made.run(image)


def test_a_plugin_that_loses_a_row_is_named(fakes, image):
    made = Pipeline(detector="marker", classifier="halver", sed=None, options={"classifier": {"lose": 1}})
    with pytest.raises(CatalogError, match="classifier 'halver': the rows must stay"):
        made.run(image)


def test_a_plugin_that_breaks_in_its_work_is_named(fakes, image, monkeypatch):
    def broken(self, image):
        raise KeyError("oops")

    monkeypatch.setattr(Marker, "detect", broken)
    with pytest.raises(PluginError, match="detector 'marker' failed: KeyError: 'oops'"):
        Pipeline(detector="marker", classifier=None, sed=None).run(image)


def test_a_redshift_beyond_the_fits_is_said_before_the_work_starts(fakes, image, monkeypatch):
    monkeypatch.setattr(Marker, "detect", lambda self, image: pytest.fail("the work has started"))
    for redshift in (0.0, 100.0):
        with pytest.raises(ValueError, match="redshift must lie above 0"):
            Pipeline(detector="marker", classifier=None, sed="fitter").run(with_redshift(image, redshift))


def test_an_unknown_plugin_lists_the_installed_ones():
    with pytest.raises(PluginError, match=r"no detector named 'zzz'; installed: \['contrast', 'unet'"):
        Pipeline(detector="zzz", classifier=None, sed=None)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"detecter": {}}, ValueError, "stage 'detecter'; stages are"),
        ({"detector": {"n_sigmas": 3}}, TypeError, r"no setting 'n_sigmas'; its settings are \['box', 'n_sigma'"),
        ({"photometry": {"radius": 3}}, TypeError, "radius"),
        ({"detector": 3}, TypeError, "must map settings to values"),
        ({"sed": {"seed": 1}}, ValueError, "sed is None"),
    ],
)
def test_a_wrong_setting_is_an_error_at_once(options, error, match):
    with pytest.raises(error, match=match):
        Pipeline(**CORE, options=options)


def test_a_detector_that_is_no_name_is_refused():
    with pytest.raises(TypeError, match="name of a plugin"):
        Pipeline(detector=None)


def test_pipelines_with_equal_settings_are_equal_survive_pickling_and_repr_makes_one():
    made = Pipeline(**CORE, options=SENSITIVE)
    assert pickle.loads(pickle.dumps(made)) == made
    assert eval(repr(made)) == made
    assert hash(made) == hash(Pipeline(**CORE, options=SENSITIVE))
    assert made != Pipeline(**CORE)
    assert set(pickle.loads(pickle.dumps(made)).stages) == {"detector", "photometry"}


def test_settings_given_as_a_mapping_can_be_changed_afterwards():
    options = {"detector": {"n_sigma": 3.0}}
    made = Pipeline(**CORE, options=options)
    options["detector"]["n_sigma"] = 5.0
    assert made.options == {"detector": {"n_sigma": 3.0}}
