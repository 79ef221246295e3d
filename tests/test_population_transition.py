"""Medians of classes and transition masses come back from populations that are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from astroclumps.population.medians import class_medians, median_difference
from astroclumps.population.transition import transition_mass


def two_power_laws(n, seed, *, at=7.6, rise=0.8, per_galaxy=4):
    """Clumps of which the ratio of long- to short-lived ones goes as M^rise and is 1 at 10^at Msun."""
    rng = np.random.default_rng(seed)
    log_mass = 6.5 + rng.exponential(0.6, n)
    chance = 1 / (1 + 10 ** (-rise * (log_mass - at)))
    long = rng.random(n) < chance
    columns = {"galaxy": np.arange(n) // per_galaxy, "mass": 10**log_mass * u.Msun, "p_long": np.where(long, 0.9, 0.1), "chance": chance}
    return QTable(columns)


@pytest.mark.parametrize("at", [7.6, 7.9])  # G21 5.2.1: CANDELS and VELA; METHODS 6
def test_transitions_come_back_without_bias(at):
    found = [transition_mass(two_power_laws(2000, seed, at=at), n_bootstrap=40, seed=seed) for seed in range(30)]
    away = np.array([one.log_mass - at for one in found])
    error = np.mean([one.error_dex for one in found])
    assert abs(away.mean()) < 0.25 * error + 3 * error / np.sqrt(30)
    assert away.std() == pytest.approx(error, rel=0.4)  # 3 sigma of 30
    held = np.mean([one.lower <= 10**at * u.Msun <= one.upper for one in found])
    assert 0.42 < held < 0.94


def test_the_slope_is_that_of_the_ratio():
    found = transition_mass(two_power_laws(20_000, 1), n_bootstrap=10)
    assert found.slope / np.log(10) == pytest.approx(0.8, rel=0.1)
    assert found.crossed == 1
    assert found.n == 20_000


def test_isotonic_assumes_no_form():
    clumps = two_power_laws(4000, 2)
    line = transition_mass(clumps, n_bootstrap=40)
    step = transition_mass(clumps, method="isotonic", n_bootstrap=40)
    assert step.log_mass == pytest.approx(7.6, abs=3 * step.error_dex)
    assert step.error_dex > line.error_dex
    assert np.isnan(step.slope)


def test_a_sharp_step_lies_between_its_neighbours():
    clumps = QTable({"galaxy": np.arange(4), "mass": [1e7, 2e7, 8e7, 1e8] * u.Msun, "p_long": [0.1, 0.2, 0.8, 0.9]})
    for method in ("logistic", "isotonic"):
        found = transition_mass(clumps, method=method, n_bootstrap=0)
        assert found.log_mass == pytest.approx(np.log10(4e7), abs=0.02)


def test_probabilities_in_place_of_classes_give_the_same_transition():
    clumps = two_power_laws(5000, 3)
    clumps["p_long"] = clumps["chance"]
    found = transition_mass(clumps, threshold=None, n_bootstrap=30)
    assert found.log_mass == pytest.approx(7.6, abs=0.005)  # no noise but in the draws
    assert found.error_dex == pytest.approx(transition_mass(two_power_laws(5000, 3), n_bootstrap=30).error_dex, rel=0.4)


def test_a_higher_threshold_moves_it_to_higher_mass():
    clumps = two_power_laws(3000, 4)
    clumps["p_long"] = clumps["chance"]
    low, high = (transition_mass(clumps, threshold=p, n_bootstrap=5).log_mass for p in (0.5, 0.7))
    assert low == pytest.approx(7.6, abs=0.05)
    assert high == pytest.approx(7.6 + np.log10(0.7 / 0.3) / 0.8, abs=0.05)


def test_draws_of_masses_flow_into_the_error():
    clumps = two_power_laws(2000, 5, rise=4)
    noise = 10 ** np.random.default_rng(6).normal(0, 0.3, (2000, 30))
    with_draws = transition_mass(clumps, draws=clumps["mass"][:, None] * noise, n_bootstrap=60)
    without = transition_mass(clumps, n_bootstrap=60)
    assert with_draws.slope < 0.8 * without.slope
    assert with_draws.error_dex > without.error_dex


def test_errors_are_over_galaxies():
    single = two_power_laws(300, 7, per_galaxy=1)
    rows = np.repeat(np.arange(300), 9)
    copies = single[rows]  # nine like clumps in each galaxy
    assert transition_mass(copies).error_dex == pytest.approx(transition_mass(single).error_dex, rel=0.05)


def test_no_transition_is_nan_and_a_warning():
    clumps = QTable({"galaxy": [1, 2, 3, 4], "mass": [1e7, 2e7, 8e7, 1e8] * u.Msun, "p_long": [0.9, 0.8, 0.2, 0.1]})
    for method in ("logistic", "isotonic"):
        with pytest.warns(AstroclumpsWarning, match="no mass between .* from which on long-lived clumps outnumber"):
            found = transition_mass(clumps, method=method)
        assert np.isnan([found.mass.value, found.lower.value, found.error_dex]).all()
    clumps["p_long"] = 0.1
    with pytest.warns(AstroclumpsWarning, match="no mass between .* from which on long-lived clumps outnumber"):
        assert transition_mass(clumps).crossed == 0


def test_nothing_with_a_class_is_a_warning_of_its_own():
    clumps = QTable({"galaxy": [1], "mass": [1e7] * u.Msun, "p_long": [np.nan]})
    with pytest.warns(NoClumpsWarning, match="no clumps with a class and a mass"):
        assert np.isnan(transition_mass(clumps).mass.value)


def test_wrong_arguments_say_what_is_meant():
    with pytest.raises(ValueError, match="method is 'logistic' or 'isotonic'"):
        transition_mass(two_power_laws(8, 1), method="probit")
    with pytest.raises(CatalogError, match="neither p_long nor longevity"):
        transition_mass(QTable({"galaxy": [1], "mass": [1e7] * u.Msun}))


def test_medians_have_the_error_of_a_median():
    rng = np.random.default_rng(8)
    n = 2000
    clumps = QTable({"galaxy": np.arange(n), "age": rng.normal(500, 100, n) * u.Myr, "p_long": np.full(n, 0.9)})
    row = class_medians(clumps, column="age", populations=["LLC"])[0]
    assert row["median"].to_value(u.Myr) == np.median(clumps["age"].value)
    assert row["error"].to_value(u.Myr) == pytest.approx(1.2533 * 100 / np.sqrt(n), rel=0.2)
    assert row["lower"] < row["median"] < row["upper"]


def test_medians_of_probabilities_weigh_both_classes():
    clumps = QTable({"galaxy": np.arange(5), "mass": np.array([1, 2, 3, 4, 5]) * u.Msun, "p_long": [0.0, 0.0, 0.2, 1.0, 1.0]})
    table = class_medians(clumps, column="mass", threshold=None)
    assert list(table["n"]) == pytest.approx([5, 2.2, 2.8])
    assert table["median"].value.tolist() == [3, 4, 2]


def test_differences_are_in_dex_and_take_the_same_galaxies():
    rng = np.random.default_rng(9)
    scale = np.repeat(10 ** rng.normal(0, 0.5, 300), 2)  # galaxies differ by more than their clumps
    short = np.tile([True, False], 300)
    radius = scale * np.where(short, 10**0.25, 1.0)
    clumps = QTable({"galaxy": np.repeat(np.arange(300), 2), "r_norm": radius, "p_long": np.where(short, 0.1, 0.9)})
    found = median_difference(clumps, column="r_norm")
    assert found.dex == pytest.approx(0.25)
    alone = class_medians(clumps, column="r_norm")["error"][1]
    assert found.error < 0.1 * alone
    with pytest.raises(ValueError, match="positive values of r_norm"):
        median_difference(QTable({"galaxy": [1], "r_norm": [0.0], "p_long": [0.3]}), column="r_norm")


def test_an_empty_class_has_no_median():
    clumps = QTable({"galaxy": [1, 2], "mass": [1e7, 2e7] * u.Msun, "p_long": [0.1, 0.2]})
    table = class_medians(clumps, column="mass")
    assert np.isnan(table["median"][1].value)
    assert np.isnan(median_difference(clumps, column="mass").dex)


def test_no_clumps_have_no_rows():
    empty = QTable({"galaxy": np.array([], dtype=int), "mass": [] * u.Msun, "p_long": []})
    with pytest.warns(NoClumpsWarning, match="no median of mass"):
        table = class_medians(empty, column="mass")
    assert len(table) == 0
    assert table["median"].unit == u.Msun
    assert table.colnames == ["population", "n", "median", "lower", "upper", "error"]
