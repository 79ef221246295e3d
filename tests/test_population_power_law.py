"""Slopes of truncated power laws come back from populations that are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning
from astroclumps.population.completeness import completeness_function
from astroclumps.population.power_law import SLOPE_MASS, draw_power_law, fit_power_law

LOW, HIGH = 10**7.5 * u.Msun, 1e10 * u.Msun


def half_at_1e8(mass):
    return 1 / (1 + (mass.to_value(u.Msun) / 1e8) ** -1.5)


def test_slopes_are_fitted_above_ten_to_the_7_5():  # G21 5.2.1, Fig. 10; METHODS 6
    assert SLOPE_MASS == 10**7.5 * u.Msun
    assert fit_power_law([4e7, 9e7] * u.Msun).low == SLOPE_MASS


def test_without_upper_limit_it_is_the_answer_in_closed_form():
    mass = [2e7, 4e7, 8e7] * u.Msun  # Pareto: power of x is -1 / mean ln(M / low), with mean ln = 2 ln 2
    fit = fit_power_law(mass, low=1e7 * u.Msun)
    assert fit.slope == pytest.approx(-1 - 1 / (2 * np.log(2)))
    assert fit.n == 3


def test_with_an_upper_limit_the_mean_is_that_of_the_law():
    mass = [1e7, 1e8, 1e9] * u.Msun  # symmetric in log mass: flat per logarithmic bin
    fit = fit_power_law(mass, low=1e7 * u.Msun, high=1e9 * u.Msun)
    assert fit.slope_log == pytest.approx(0, abs=1e-9)
    assert fit.slope == pytest.approx(-1)
    assert -1 - fit.lower == pytest.approx(fit.upper + 1, rel=1e-6)


def test_both_slopes_are_named_and_differ_by_one():  # METHODS 7, trap 10
    table = fit_power_law(draw_power_law(300, slope=-1.86, low=LOW, high=HIGH, seed=2), high=HIGH).to_table()
    assert list(table["of"]) == ["dN/dM", "dN/dlogM"]
    assert table["slope"][1] - table["slope"][0] == pytest.approx(1)
    assert table["low"].unit == u.Msun
    assert table["error"][0] == table["error"][1] > 0


def test_a_histogram_per_dex_has_the_slope_of_dn_dlogm():
    mass = draw_power_law(200_000, slope=-1.5, low=1e7 * u.Msun, high=1e9 * u.Msun, seed=3)
    counts, edges = np.histogram(np.log10(mass.value), bins=np.linspace(7, 9, 11))
    straight = np.polyfit(edges[:-1] + 0.1, np.log10(counts), 1)[0]
    fit = fit_power_law(mass, low=1e7 * u.Msun, high=1e9 * u.Msun)
    assert straight == pytest.approx(-0.5, abs=0.02)
    assert fit.slope_log == pytest.approx(straight, abs=0.02)


@pytest.mark.parametrize("slope", [-1.86, -2.87])
@pytest.mark.parametrize("n", [200, 2000])
def test_slopes_are_unbiased_and_intervals_hold_68_per_cent(n, slope):
    rng = np.random.default_rng([n, 1])
    fits = [fit_power_law(draw_power_law(n, slope=slope, low=LOW, high=HIGH, seed=rng), high=HIGH) for _ in range(150)]
    away = np.array([fit.slope - slope for fit in fits])
    errors = np.array([fit.error for fit in fits])
    assert abs(away.mean()) < (0.25 + 3 / np.sqrt(150)) * errors.mean()
    assert errors.mean() == pytest.approx(away.std(), rel=0.2)
    held = np.mean([fit.lower <= slope <= fit.upper for fit in fits])
    assert 0.56 < held < 0.80  # 3 sigma of 150 draws


def test_twenty_thousand_clumps_give_a_hundredth():
    fit = fit_power_law(draw_power_law(20_000, slope=-1.86, low=LOW, high=HIGH, seed=4), high=HIGH)
    assert fit.error < 0.01
    assert fit.slope == pytest.approx(-1.86, abs=3 * fit.error)


def test_completeness_brings_the_slope_back():
    mass = draw_power_law(20_000, slope=-2.0, low=LOW, high=HIGH, seed=5)
    found = mass[np.random.default_rng(6).random(len(mass)) < half_at_1e8(mass)]
    right = fit_power_law(found, high=HIGH, completeness=half_at_1e8)
    grid = np.geomspace(1e7, 1e10, 200) * u.Msun
    table = fit_power_law(found, high=HIGH, completeness=QTable({"mass": grid, "completeness": half_at_1e8(grid)}))
    assert right.slope == pytest.approx(-2.0, abs=3 * right.error)
    assert table.slope == pytest.approx(right.slope, abs=0.01)
    endless = fit_power_law(found, completeness=half_at_1e8)
    assert endless.slope == pytest.approx(-2.0, abs=0.05)
    assert fit_power_law(found, high=HIGH).slope > -1.8  # what ignoring it gives


def test_a_constant_completeness_changes_nothing():
    mass = draw_power_law(500, slope=-2.0, low=LOW, high=HIGH, seed=7)
    for high in (HIGH, np.inf * u.Msun):
        half = fit_power_law(mass, high=high, completeness=lambda m: np.full(m.shape, 0.5))
        whole = fit_power_law(mass, high=high)
        assert (half.slope, half.lower, half.upper) == pytest.approx((whole.slope, whole.lower, whole.upper), abs=1e-5)


def uncertain(seed, *, noise=0.3, n=4000):
    """Draws of masses with errors, from a law that starts a dex below the limit, with a flat prior in log mass."""
    rng = np.random.default_rng(seed)
    mass = draw_power_law(n, slope=-2.0, low=LOW / 10, seed=rng)
    seen = np.log10(mass.value) + rng.normal(0, noise, n)
    return 10 ** (seen[:, None] + rng.normal(0, noise, (n, 60))) * u.Msun


def test_draws_take_the_errors_of_masses_out_of_the_slope():
    rng = np.random.default_rng(10)
    true = 10**8 * 10 ** np.clip(rng.normal(0, 0.3, 4000), -0.9, 0.9)  # all inside the limits; log-normal, no power law
    draws = 10 ** (np.log10(true)[:, None] + rng.normal(0, 1e-4, (4000, 20))) * u.Msun
    low, high = 1e7 * u.Msun, 1e9 * u.Msun
    assert fit_power_law(draws, low=low, high=high).slope == pytest.approx(fit_power_law(true * u.Msun, low=low, high=high).slope, abs=1e-3)
    fits = [fit_power_law(uncertain(seed), high=HIGH) for seed in range(8)]
    mean, error = np.mean([fit.slope for fit in fits]), np.mean([fit.error for fit in fits])
    assert mean == pytest.approx(-2.0, abs=3 * error / np.sqrt(8))
    assert np.std([fit.slope for fit in fits]) == pytest.approx(error, rel=0.6)
    assert np.mean([fit.n for fit in fits]) == pytest.approx(400, abs=25)  # a tenth of the clumps lies above ten times the lowest mass


def test_the_prior_of_the_draws_is_divided_out():
    noise = 0.3
    flat = uncertain(3, noise=noise)
    steep = flat * np.exp(-((noise * np.log(10)) ** 2))  # posteriors under dN/dM ~ M^-2: moved by the variance of ln M
    number = fit_power_law(flat, high=HIGH, draw_prior=-1.0)
    function = fit_power_law(flat, high=HIGH, draw_prior=lambda mass: 1 / mass)
    assert function.slope == pytest.approx(number.slope)
    moved = fit_power_law(steep, high=HIGH, draw_prior=-2.0)
    assert (moved.slope, moved.n) == pytest.approx((number.slope, number.n), rel=0.02)
    assert fit_power_law(flat, high=HIGH, draw_prior=-2.0).n > 1.4 * number.n  # the wrong prior


def test_weights_count_clumps_and_whole_weights_are_copies():
    mass = draw_power_law(400, slope=-2.0, low=LOW, high=HIGH, seed=8)
    times = np.random.default_rng(9).integers(0, 3, 400)
    weighted = fit_power_law(mass, high=HIGH, weights=times)
    copied = fit_power_law(np.repeat(mass, times), high=HIGH)
    assert weighted.slope == pytest.approx(copied.slope)
    assert weighted.n == times.sum()
    assert weighted.error > copied.error  # copies are no more clumps
    ones = fit_power_law(mass, high=HIGH, weights=np.ones(400))
    assert ones.method == "sandwich"
    assert ones.error == pytest.approx(fit_power_law(mass, high=HIGH).error, rel=0.15)


def test_groups_of_like_clumps_have_larger_errors():
    mass = draw_power_law(200, slope=-2.0, low=LOW, high=HIGH, seed=11)
    copies, galaxy = np.repeat(mass, 9), np.repeat(np.arange(200), 9)
    grouped = fit_power_law(copies, high=HIGH, groups=galaxy)
    assert grouped.error == pytest.approx(3 * fit_power_law(copies, high=HIGH, weights=np.ones(1800)).error, rel=0.02)


def test_units_do_not_matter():
    mass = draw_power_law(50, slope=-2.0, low=LOW, high=HIGH, seed=12)
    in_kg = fit_power_law(mass.to(u.kg), low=LOW.to(u.kg), high=HIGH.to(u.kg))
    assert in_kg.slope == pytest.approx(fit_power_law(mass, high=HIGH).slope)


def test_nothing_inside_is_nan_and_a_warning():
    for mass in ([], [1e6, 2e6], [1e8], [1e8, 1e8]):
        with pytest.warns(NoClumpsWarning, match="a slope needs two"):
            fit = fit_power_law(mass * u.Msun)
        assert np.isnan([fit.slope, fit.lower, fit.upper]).all()


def test_clumps_without_mass_are_left_out_with_a_warning():
    mass = draw_power_law(50, slope=-2.0, low=LOW, high=HIGH, seed=13)
    with pytest.warns(AstroclumpsWarning, match="1 of 51 clumps have no mass"):
        fit = fit_power_law(u.Quantity([*mass, np.nan * u.Msun]), high=HIGH)
    assert fit.slope == fit_power_law(mass, high=HIGH).slope


def test_few_effective_draws_are_warned_of():
    wide = 10 ** np.random.default_rng(1).normal(8.5, 1.0, (50, 12)) * u.Msun
    with pytest.warns(AstroclumpsWarning, match="fewer than 10 effective draws"):
        fit_power_law(wide)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mass": [1e8, 2e8]}, TypeError, "mass must be a Quantity such as"),
        ({"low": 1e7}, TypeError, "low must be a Quantity such as"),
        ({"high": 1e10}, TypeError, "high must be a Quantity such as"),
        ({"high": 1e7 * u.Msun}, ValueError, "high must lie above low"),
        ({"weights": [1.0]}, ValueError, "weights has the shape"),
        ({"groups": [1]}, ValueError, "groups has the shape"),
        ({"weights": [1.0, -1.0]}, ValueError, "must not be negative"),
        ({"completeness": 0.5}, TypeError, "completeness must be a function of mass or a table"),
        ({"completeness": lambda mass: np.full(mass.shape, 50.0)}, ValueError, "completeness must lie in 0 to 1"),
        ({"mass": np.ones((2, 2, 2)) * u.Msun}, ValueError, "mass has the shape"),
    ],
)
def test_wrong_arguments_say_what_is_meant(change, error, message):
    arguments = {"mass": [1e8, 2e8] * u.Msun, **change}
    with pytest.raises(error, match=message):
        fit_power_law(arguments.pop("mass"), **arguments)


@pytest.mark.parametrize(
    ("mass", "share", "error", "message"),
    [
        ([1e7, 1e8], [0.1, 0.9], TypeError, "must be a Quantity in Msun"),
        ([1e8, 1e7] * u.Msun, [0.1, 0.9], ValueError, "must be positive and increase"),
        ([1e7, 1e8] * u.Msun, [0.1, 1.2], ValueError, "must lie in 0 to 1"),
    ],
)
def test_wrong_tables_of_completeness_say_what_is_meant(mass, share, error, message):
    with pytest.raises(error, match=message):
        completeness_function(QTable({"mass": mass, "completeness": share}))


def test_without_an_upper_limit_a_law_must_fall():
    with pytest.raises(ValueError, match="must lie below -1"):
        draw_power_law(5, slope=-0.9, low=LOW)
    assert len(draw_power_law(5, slope=-1.0, low=LOW, high=HIGH)) == 5
