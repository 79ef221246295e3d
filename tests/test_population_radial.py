"""Radial distributions and gradients."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import CatalogError, NoClumpsWarning
from astroclumps.population.gradients import gradient
from astroclumps.population.medians import median_difference
from astroclumps.population.radial import RADIAL_BINS, THRESHOLDS, radial_distribution, radial_medians


def clumps_of(n=1200, seed=1, *, apart=0.2, per_galaxy=3):
    """Long-lived clumps at a median of 1 R_e, short-lived ones further out by so many dex."""
    rng = np.random.default_rng(seed)
    short = rng.random(n) < 0.5
    r_norm = 10 ** (rng.normal(0, 0.2, n) + apart * short)
    return QTable({"galaxy": np.arange(n) // per_galaxy, "r_norm": r_norm, "p_long": np.where(short, 0.2, 0.8)})


def test_numbers_of_the_paper():  # G21 5.2, 5.2.2, Fig. 11; METHODS 6
    assert THRESHOLDS == (0.5, 0.7)
    assert RADIAL_BINS[[0, -1]] == pytest.approx([0.5, 3])


def test_the_density_integrates_to_one_per_class():
    table = radial_distribution(clumps_of(), bins=[0.3, 0.5, 1, 4], n_bootstrap=20)
    for population in ("all", "LLC", "SLC"):
        part = table[table["population"] == population]
        assert (part["density"].value * np.log10(part["high"] / part["low"])).sum() == pytest.approx(1)
    assert table["density"].unit == u.dex**-1


def test_the_density_is_that_of_the_clumps():
    table = radial_distribution(clumps_of(20_000), bins=10.0 ** np.array([-1, -0.05, 0.05, 1]), populations=["LLC"], n_bootstrap=50)
    middle = table[1]
    peak = 1 / (0.2 * np.sqrt(2 * np.pi))  # of a normal distribution of 0.2 dex
    assert middle["density"].value == pytest.approx(peak, rel=0.05)
    share = middle["n"] / table["n"].sum()
    binomial = np.sqrt(share * (1 - share) / table["n"].sum()) / 0.1
    assert middle["error"].value == pytest.approx(binomial, rel=0.3)


def test_clumps_outside_the_bins_do_not_count():
    clumps = QTable({"galaxy": [1, 2, 3, 4], "r_norm": [0.1, 1.0, 1.9, np.nan]})
    table = radial_distribution(clumps, bins=[1, 2, 3], populations=["all"])
    assert table["n"].tolist() == [2, 0]


@pytest.mark.parametrize("apart", [0.13, 0.25])  # G21 5.2.2: CANDELS and VELA
def test_medians_differ_by_what_was_put_in(apart):
    clumps = clumps_of(6000, apart=apart)
    found = median_difference(clumps, column="r_norm")
    assert found.dex == pytest.approx(apart, abs=3 * found.error)
    assert found.error == pytest.approx(1.2533 * 0.2 * np.sqrt(2 / 3000), rel=0.25)
    table = radial_medians(clumps, thresholds=[0.5])
    row = table[table["population"] == "LLC"][0]
    assert row["median"] == pytest.approx(1, abs=3 * row["error"])
    assert row["inside"] == pytest.approx(0.5, abs=3 * row["inside_error"])
    assert row["inside_error"] == pytest.approx(np.sqrt(0.25 / 3000), rel=0.25)


def test_each_threshold_has_its_rows():
    clumps = QTable({"galaxy": [1, 2, 3], "r_norm": [0.5, 0.9, 2.0], "p_long": [0.9, 0.6, 0.1]})
    table = radial_medians(clumps, thresholds=[0.5, 0.7, None], populations=["LLC", "SLC"])
    assert table["threshold"].tolist()[:4] == [0.5, 0.5, 0.7, 0.7]
    assert np.isnan(table["threshold"][4:]).all()
    assert table["n"].tolist() == pytest.approx([2, 1, 1, 2, 1.6, 1.4])
    assert table["inside"].tolist() == pytest.approx([1, 0, 1, 0.5, 1.5 / 1.6, 0.5 / 1.4])
    assert table.colnames == ["threshold", "population", "n", "median", "lower", "upper", "error", "inside", "inside_error"]


def with_gradient(n=900, seed=2, *, slope=-0.4, scatter=0.1, levels=0.5, trend=0.0):
    """Ages that fall by a slope within galaxies, whose levels differ, and may hang on the radius of their clumps."""
    rng = np.random.default_rng(seed)
    galaxy = np.arange(n) // 3
    offset = rng.normal(0, 0.15, n // 3)[galaxy]
    x = rng.normal(0, 0.2, n) + offset
    log_age = slope * x + rng.normal(0, scatter, n) + rng.normal(0, levels, n // 3)[galaxy] + trend * offset
    return QTable({"galaxy": galaxy, "r_norm": 10**x, "age": 10**log_age * u.Gyr, "p_long": np.full(n, 0.9)})


def test_slopes_within_galaxies_come_back():
    away, errors = [], []
    for seed in range(20):
        row = gradient(with_gradient(300, seed, trend=3.0), of="age", populations=["all"], n_bootstrap=100)[0]
        away.append(float(row["slope"]) + 0.4)
        errors.append(float(row["error"]))
    assert abs(np.mean(away)) < 3 * np.mean(errors) / np.sqrt(20)
    assert np.std(away) == pytest.approx(np.mean(errors), rel=0.5)
    assert np.mean(errors) == pytest.approx(0.1 / (0.2 * np.sqrt(200)), rel=0.2)  # 300 clumps less a level for each of 100 galaxies
    pooled = gradient(with_gradient(300, 0, trend=3.0), of="age", populations=["all"], within=False)[0]
    assert pooled["slope"] > 0  # what differs between galaxies hides it


def test_the_level_is_the_value_at_r_e():
    r_norm = np.array([0.5, 1.0, 2.0, 0.5, 2.0])
    clumps = QTable({"galaxy": [1, 1, 1, 2, 2], "r_norm": r_norm, "age": 300 * r_norm**-0.5 * u.Myr})
    for within in (True, False):
        row = gradient(clumps, of="age", within=within, populations=["all"])[0]
        assert float(row["slope"]) == pytest.approx(-0.5)
        assert row["level"].value == pytest.approx(np.log10(300))
    clumps["age"] = 10 ** (2 - 0.3 * r_norm) * u.Myr
    line = gradient(clumps, of="age", radius="linear", populations=["all"])[0]
    assert line["slope"].to_value(u.dex) == pytest.approx(-0.3)
    assert line["level"].value == pytest.approx(1.7)


def test_colours_are_in_magnitudes_of_the_first_less_the_second_band():
    clumps = QTable({"galaxy": [1, 1, 2, 2], "r_norm": [1.0, 10.0, 1.0, 10.0]})
    clumps["flux_f606w"], clumps["flux_f160w"] = [1, 10, 1, 10] * u.uJy, [10, 10, 10, 10] * u.uJy
    row = gradient(clumps, of="F606W-F160W", populations=["all"])[0]
    assert row["slope"].to_value(u.mag / u.dex) == pytest.approx(-2.5)
    assert row["level"].to_value(u.mag) == pytest.approx(2.5)
    clumps["flux_f606w"][0] = -1 * u.uJy
    assert gradient(clumps, of="f606w-f160w", populations=["all"])["n"].tolist() == [2]


def test_specific_rates_are_made_of_rate_and_mass():
    clumps = QTable({"galaxy": [1, 1], "r_norm": [1.0, 10.0], "sfr": [1.0, 10.0] * u.Msun / u.yr, "mass": [1e9, 1e9] * u.Msun})
    row = gradient(clumps, of="ssfr", populations=["all"])[0]
    assert float(row["slope"]) == pytest.approx(1)
    assert row["level"].value == pytest.approx(-9)
    assert np.isnan(row["error"].value)  # one galaxy
    clumps["ssfr"] = [1.0, 100.0] / u.Gyr
    assert float(gradient(clumps, of="ssfr", populations=["all"])["slope"][0]) == pytest.approx(2)


def test_galaxies_with_one_clump_say_nothing_of_a_slope_within():
    clumps = QTable({"galaxy": [1, 1, 2, 3], "r_norm": [1.0, 10.0, 1.0, 5.0], "age": [2, 1, 100, 100] * u.Gyr})
    row = gradient(clumps, of="age", populations=["all"])[0]
    assert (row["n"], row["n_galaxies"]) == (2, 1)
    assert float(row["slope"]) == pytest.approx(-np.log10(2))
    assert gradient(clumps, of="age", populations=["all"], within=False)["n_galaxies"][0] == 3


def test_classes_have_slopes_of_their_own():
    clumps = QTable({"galaxy": [1, 1, 1, 1], "r_norm": [1.0, 10.0, 1.0, 10.0], "age": [1, 1, 1, 10] * u.Gyr})
    clumps["p_long"] = [0.9, 0.9, 0.1, 0.1]
    table = gradient(clumps, of="age")
    assert [float(slope) for slope in table["slope"]] == pytest.approx([0.5, 0, 1])


def test_nothing_is_an_empty_table_and_a_warning():
    empty = QTable({"galaxy": np.array([], dtype=int), "r_norm": [], "p_long": [], "age": [] * u.Gyr})
    full = clumps_of(6)
    with pytest.warns(NoClumpsWarning, match="no radial distribution"):
        table = radial_distribution(empty)
    assert len(table) == 0
    assert table.colnames == radial_distribution(full).colnames
    with pytest.warns(NoClumpsWarning, match="no median of r_norm"):
        table = radial_medians(empty)
    assert len(table) == 0
    assert table.colnames == radial_medians(full).colnames
    with pytest.warns(NoClumpsWarning, match="no gradient"):
        table = gradient(empty, of="age")
    assert len(table) == 0
    assert table["slope"].unit == gradient(with_gradient(6), of="age")["slope"].unit


def test_wrong_arguments_say_what_is_meant():
    clumps = with_gradient(6)
    with pytest.raises(ValueError, match="radius is 'log' or 'linear'"):
        gradient(clumps, of="age", radius="sqrt")
    with pytest.raises(CatalogError, match="clumps need a column 'flux_f606w'"):
        gradient(clumps, of="F606W-F160W")
    with pytest.raises(CatalogError, match="clumps need a column 'colour'"):
        gradient(clumps, of="colour")
    with pytest.raises(ValueError, match="edges of bins must be positive"):
        radial_distribution(clumps, bins=[0, 1])
    with pytest.raises(CatalogError, match="clumps need a column 'r_norm'"):
        radial_medians(QTable({"galaxy": [1], "p_long": [0.5]}))
