"""Laws of what is measured on images: linear in flux, turning with the image, blind to the order of rows."""

import astropy.units as u
import numpy as np
import photometry_scenes as scenes
import pytest
import tiny_networks as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from test_laws_image import TURNS, turned

from astroclumps import ClumpPhotometry, LongevityClassifier, MultiBandImage, UNetDetector, catalog

LAW = settings(derandomize=True, deadline=None, max_examples=8)

places = st.lists(st.tuples(st.floats(12, 50), st.floats(12, 50)), min_size=1, max_size=5)
QUIET = ClumpPhotometry(background="none", aperture_correction=False)


def off_edges(where):
    """Places near these from which no pixel's centre lies on the edge of a ring, where rounding decides whether it counts."""
    return [(np.round(8 * x) / 8 + 0.0371, np.round(8 * y) / 8 + 0.0537) for x, y in where]


def scene(where, seed=0, noise=0.01):
    """Stars of unit flux in two bands, in noise."""
    x, y = np.array(where).T
    rng = np.random.default_rng(seed)
    planes = [scenes.add_stars(rng.normal(0, noise, (63, 63)), 0.17, x, y, 1.0) for _ in range(2)]
    return scenes.image(planes, psf=np.array([0.17, 0.17]) * u.arcsec), scenes.table(x, y)


def close(one, two, rtol=1e-4, atol=1e-6):
    return np.allclose(one, two, rtol=rtol, atol=atol, equal_nan=True)


@LAW
@given(places, st.floats(1e-3, 1e3))
def test_photometry_is_linear_in_the_scale_of_flux(where, scale):
    image, clumps = scene(where)
    before, after = (ClumpPhotometry().measure(one, clumps) for one in (image, turned(image, lambda array: array, scale=scale)))
    for name in ("flux", "flux_err", "background"):
        assert close(scenes.fluxes(after, name) / scale, scenes.fluxes(before, name), rtol=2e-4, atol=1e-5)
    assert np.array_equal(before["flags"], after["flags"])


@LAW
@given(places, st.integers(0, 99), st.floats(-3, 3))
def test_fluxes_of_a_sum_are_the_sum_of_fluxes(where, seed, factor):
    image, clumps = scene(where)
    other, _ = scene(where, seed=seed + 1, noise=0.3)
    both = scenes.image(image.data.astype(float) + factor * other.data, psf=np.array([0.17, 0.17]) * u.arcsec)
    one, two, total = (scenes.fluxes(QUIET.measure(each, clumps)) for each in (image, other, both))
    assert close(total, one + factor * two, atol=1e-4)


@LAW
@given(places, st.floats(-10, 10))
def test_a_level_is_background_and_not_flux(where, level):
    image, clumps = scene(where)
    raised = scenes.image(image.data.astype(float) + level, psf=np.array([0.17, 0.17]) * u.arcsec)
    one, two = (ClumpPhotometry().measure(each, clumps) for each in (image, raised))
    assert close(scenes.fluxes(one), scenes.fluxes(two), atol=2e-4 * max(1, abs(level)))


@pytest.mark.parametrize("name", TURNS)
@LAW
@given(places)
def test_fluxes_stay_when_image_and_places_are_turned(name, where):
    turn, place = TURNS[name]
    image, clumps = scene(off_edges(where))
    moved = scenes.table(*place(clumps["x"].value, clumps["y"].value, 63))
    one, two = ClumpPhotometry().measure(image, clumps), ClumpPhotometry().measure(turned(image, turn), moved)
    for what in ("flux", "background"):
        assert close(scenes.fluxes(one, what), scenes.fluxes(two, what), rtol=1e-3, atol=1e-4)


@LAW
@given(places, st.randoms(use_true_random=False))
def test_rows_may_stand_in_any_order(where, random):
    image, clumps = scene(where)
    order = list(range(len(clumps)))
    random.shuffle(order)
    one, two = ClumpPhotometry().measure(image, clumps), ClumpPhotometry().measure(image, clumps[order])
    assert two.colnames == one.colnames
    for column in one.colnames:
        assert close(*(np.asarray(getattr(values, "value", values)) for values in (one[column][order], two[column])), rtol=1e-6), column


@LAW
@given(places)
def test_cutouts_measure_what_the_image_measures(where):
    image, clumps = scene(off_edges(where))
    part = image.cutout(31, 31, 59)
    moved = scenes.table(clumps["x"].value - part.meta["x0"], clumps["y"].value - part.meta["y0"])
    one, two = QUIET.measure(image, clumps), QUIET.measure(part, moved)
    assert close(scenes.fluxes(one), scenes.fluxes(two))


def test_empty_in_empty_out():
    image, clumps = scene([(30, 30)])
    assert len(ClumpPhotometry().measure(image, clumps[:0])) == 0


# ---- networks with random weights


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    pytest.importorskip("torch", reason="needs torch")
    folder = tmp_path_factory.mktemp("weights")
    return tiny.random_weights(folder / "cnn.safetensors", tiny.cnn_card()), tiny.bright_pixel_weights(folder / "unet.safetensors")


@pytest.mark.needs_torch
@pytest.mark.parametrize("name", TURNS)
@settings(LAW, max_examples=4)
@given(places)
def test_the_classifier_turns_with_the_image(nets, name, where):
    turn, place = TURNS[name]
    where = [(np.floor(x) + 0.25, np.floor(y) + 0.25) for x, y in where]  # stamps of even sides: away from where the nearest pixel changes
    image, clumps = scene(where)
    moved = scenes.table(*place(clumps["x"].value, clumps["y"].value, 63))
    one, two = (LongevityClassifier(nets[0]).classify(*each) for each in ((image, clumps), (turned(image, turn), moved)))
    assert close(one["p_long"], two["p_long"], atol=1e-5)
    assert close(one["p_long_err"], two["p_long_err"], atol=1e-5)


@pytest.mark.needs_torch
@settings(LAW, max_examples=4)
@given(places, st.floats(0.1, 100))
def test_the_classifier_is_blind_to_the_scale_of_flux_and_the_order_of_rows(nets, where, scale):
    image, clumps = scene(where)
    one = LongevityClassifier(nets[0]).classify(image, clumps)
    two = LongevityClassifier(nets[0]).classify(turned(image, lambda array: array, scale=scale), clumps[::-1])
    assert close(one["p_long"][::-1], two["p_long"], atol=1e-4)
    assert len(LongevityClassifier(nets[0]).classify(image, clumps[:0])) == 0


@pytest.mark.needs_torch
@pytest.mark.parametrize("name", TURNS)
def test_a_detector_that_looks_at_single_pixels_turns_with_the_image(nets, name):
    turn, _ = TURNS[name]
    full, _ = scene([(20, 17), (40, 30), (25, 45)])
    image = MultiBandImage(data=full.data[:, :48, :48] * u.uJy, bands=full.bands, psf=full.psf_fwhm)
    detector = UNetDetector(nets[1])
    one, two = detector.probability(image), detector.probability(turned(image, turn))
    assert close(turn(one[None])[0], two, atol=1e-5)


# ---- catalogues on disk

cells = st.floats(allow_nan=True, allow_infinity=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12).map(str.strip)


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@settings(LAW, max_examples=12)
@given(st.data(), st.integers(0, 4))
def test_catalogues_come_back_as_they_were_written(tmp_path_factory, suffix, data, n):
    table = catalog.make_table(["classified", "measured"], n, bands=["F160W"])
    for name in ("x", "y", "flux_f160w", "flux_err_f160w"):
        table[name][:] = np.array([data.draw(cells) for _ in range(n)]) * table[name].unit
    table["p_long"][:] = [data.draw(cells) for _ in range(n)]
    table["flags"][:] = [data.draw(st.integers(0, 2**62)) for _ in range(n)]
    table["longevity"] = np.array([data.draw(st.sampled_from(["LLC", "SLC", ""])) for _ in range(n)], dtype="U3")
    if suffix != ".fits":  # FITS tables hold ASCII
        table["name"] = np.array([data.draw(texts) for _ in range(n)], dtype="U12")
    table.meta["history"] = data.draw(st.lists(texts, max_size=3))
    path = tmp_path_factory.mktemp("catalogue") / f"clumps{suffix}"
    catalog.write(table, path)
    read = catalog.read(path)
    assert read.colnames == table.colnames
    assert read.meta["history"] == table.meta["history"]
    for name in table.colnames:
        one, two = table[name], read[name]
        assert getattr(one, "unit", None) == getattr(two, "unit", None)
        one, two = (np.asarray(getattr(values, "value", values)) for values in (one, two))
        assert one.dtype.kind == two.dtype.kind
        assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), name


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize("stage", [*catalog.STAGES, *catalog.STAGES_3D])
def test_empty_catalogues_keep_their_columns(tmp_path, suffix, stage):
    table = catalog.make_table(stage, bands=["F160W"] if stage in catalog.STAGES else ())
    catalog.write(table, tmp_path / f"a{suffix}")
    read = catalog.read(tmp_path / f"a{suffix}")
    assert (read.colnames, len(read)) == (table.colnames, 0)
    catalog.validate(read, stage, who="the file")
