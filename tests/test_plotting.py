"""Figures: colours, places of the numbers, files that can be read."""

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, catalog, plotting
from astroclumps.pipeline import PipelineResult
from astroclumps.testing import example_image

BANDS = ("F435W", "F775W", "F160W")


def image_of(cube, bands=BANDS, **options):
    return MultiBandImage(data=np.asarray(cube) * u.uJy, bands=bands, redshift=1.5, **options)


def result_of(image, places, labels=None, source_map=None):
    clumps = catalog.make_table(("classified", "measured"), len(places), bands=image.bands)
    clumps["x"], clumps["y"] = np.array(places, dtype=float).reshape(-1, 2).T * u.pix
    clumps["longevity"] = np.array(labels or [""] * len(places), dtype="U3")
    for band in image.bands:
        clumps[f"flux_{band.lower()}"] = np.full(len(places), 0.1) * u.uJy
        clumps[f"flux_err_{band.lower()}"] = np.full(len(places), 0.02) * u.uJy
    return PipelineResult(clumps, np.zeros(image.data.shape[1:], dtype=np.int32), source_map, image)


def blob(colours, noise=1e-3):
    y, x = np.mgrid[:40, :40]
    light = np.exp(-np.hypot(x - 20, y - 20) / 4)
    return np.array(colours)[:, None, None] * light + np.random.default_rng(0).normal(0, noise, (len(colours), 40, 40))


def test_a_colour_image_lies_within_0_and_1():
    rgb = plotting.colour_image(example_image())
    assert rgb.shape == (64, 64, 3)
    assert 0 <= rgb.min() < 0.2
    assert 0.8 < rgb.max() <= 1


def test_red_light_is_red_and_blue_light_is_blue():
    for colours, strong in (([0.2, 0.5, 1.0], 0), ([1.0, 0.5, 0.2], 2)):
        assert np.argmax(plotting.colour_image(image_of(blob(colours)))[20, 20]) == strong


def test_one_band_gives_a_grey_picture():
    rgb = plotting.colour_image(image_of(blob([1.0]), ["F160W"]))
    assert np.allclose(rgb[..., 0], rgb[..., 2])


def test_a_band_that_is_masked_everywhere_is_passed_over():
    mask = np.zeros((3, 40, 40), dtype=bool)
    mask[0] = True
    assert plotting._three(image_of(blob([1.0, 1.0, 1.0]), mask=mask)) == ("F160W", "F775W", "F775W")


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_a_picture_without_contrast_is_finite(value):
    assert np.isfinite(plotting.colour_image(image_of(np.full((3, 16, 16), value)))).all()


def test_bands_are_well_spread_whatever_their_order():
    image = image_of(blob([1.0] * 4), ("F160W", "F606W", "F435W", "F850LP"))
    assert plotting._three(image) == ("F160W", "F850LP", "F435W")


def test_numbers_stay_inside_and_apart():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 63, (2, 12))
    places = np.array(plotting._number_places(x, y, (64, 64)))
    assert places.min() > 0
    assert places.max() < 63
    distance = np.hypot(*(places[:, None] - places).T) + 99 * np.eye(len(places))
    assert distance.min() > 1.5


@pytest.fixture
def _needs_matplotlib():
    pytest.importorskip("matplotlib", reason="needs matplotlib")


@pytest.mark.usefixtures("_needs_matplotlib")
class TestQuicklook:
    def test_the_same_result_gives_the_same_bytes_and_leaves_pyplot_alone(self, tmp_path):
        import sys

        image = image_of(blob([0.5, 0.7, 1.0]))
        result = result_of(image, [(20, 20), (24, 21), (3, 38)], ["LLC", "SLC", ""], np.zeros((40, 40), dtype=np.float32))
        before = "matplotlib.pyplot" in sys.modules
        first, second = (plotting.quicklook(result, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
        assert first == second
        assert first[:4] == b"\x89PNG"
        assert ("matplotlib.pyplot" in sys.modules) == before

    def test_nothing_found_is_a_figure_too(self, tmp_path):
        result = result_of(image_of(blob([0.5, 0.7, 1.0])), [], source_map=np.zeros((40, 40), dtype=np.float32))
        assert plotting.quicklook(result, tmp_path / "empty.png").stat().st_size > 10_000

    @pytest.mark.filterwarnings("error")
    def test_missing_and_negative_fluxes_unknown_redshift_and_odd_names_are_survived(self, tmp_path):
        image = MultiBandImage(data=blob([0.5, 0.7, 1.0]) * u.uJy, bands=BANDS, name="a_b $x^2")
        result = result_of(image, [(20, 20), (5, 5)])
        result.clumps["flux_f435w"] = [np.nan, np.nan] * u.uJy
        result.clumps["flux_err_f435w"] = [np.nan, np.nan] * u.uJy
        result.clumps["flux_f775w"] = [-0.1, np.nan] * u.uJy
        result.clumps["flux_err_f775w"] = [0.2, np.nan] * u.uJy
        result.clumps["flux_f160w"] = [0.3, np.nan] * u.uJy
        assert plotting.quicklook(result, tmp_path / "odd.png").is_file()

    def test_the_best_model_is_drawn_where_the_fit_has_a_spectrum(self, tmp_path):
        from types import SimpleNamespace

        image = image_of(blob([0.5, 0.7, 1.0]))
        result = result_of(image, [(20, 20), (24, 21)])
        for name, unit in (("mass", u.Msun), ("age", u.Gyr)):
            for suffix, value in (("_lo", 0.8), ("", 1.0), ("_hi", 1.3)):
                result.clumps[f"{name}{suffix}"] = np.array([value, np.nan]) * unit  # the second fit failed
        asked = []

        class Backend:
            def spectrum(self, row, *, redshift):
                asked.append((int(row["id"]), redshift))
                return SimpleNamespace(spectral_axis=np.linspace(3000, 20000, 500) * u.AA, flux=np.full(500, 0.1) * u.uJy)

        assert plotting.quicklook(result, tmp_path / "sed.png", sed=Backend()).is_file()
        assert asked == [(1, 1.5)]


def test_a_flat_spectrum_has_its_flux_in_every_band():
    wavelength = np.linspace(2000, 30000, 3000)
    for band in BANDS:
        assert plotting._band_flux(band, wavelength, np.full(3000, 0.7)) == pytest.approx(0.7)
