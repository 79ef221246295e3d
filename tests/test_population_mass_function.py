"""Mass functions: counts, errors, completeness and classes."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from astroclumps.population.mass_function import MASS_BINS, mass_function
from astroclumps.population.power_law import draw_power_law
from astroclumps.population.sample import P_0, Sample, posterior, values_of

DECADES = [1e7, 1e8, 1e9] * u.Msun


def clumps_of(mass, galaxy, **columns):
    return QTable({"galaxy": galaxy, "mass": mass * u.Msun, **columns})


def galaxies_of(n):
    return QTable({"galaxy": np.arange(n)})


def of(table, population):
    return table[table["population"] == population]


def test_clumps_are_long_lived_from_one_half_on():  # G21 4.2; METHODS 4
    assert P_0 == 0.5
    assert Sample(QTable({"galaxy": [1, 1], "p_long": [0.5, 0.499]})).weights("LLC").tolist() == [1, 0]


def test_bins_are_a_quarter_dex():
    assert np.diff(np.log10(MASS_BINS.value)) == pytest.approx(0.25)


def test_galaxies_without_clumps_count_and_edges_belong_to_the_upper_bin():
    table = mass_function(clumps_of([2e7, 1e8, 3e8], [0, 0, 3]), galaxies_of(5), bins=DECADES, populations=["all"])
    assert table["n"].tolist() == [1, 2]
    assert table["phi"].to_value(1 / u.dex) == pytest.approx([0.2, 0.4])
    assert table["mass"].to_value(u.Msun) == pytest.approx([10**7.5, 10**8.5])
    half = mass_function(clumps_of([2e7, 1e8, 3e8], [0, 0, 3]), galaxies_of(5), bins=[1e7, 10**7.5] * u.Msun, populations=["all"])
    assert half["phi"].to_value(1 / u.dex) == pytest.approx([0.4])  # the same clump in half a dex


def test_poisson_intervals_are_those_of_gehrels():
    table = mass_function(clumps_of([2e7] * 4, [0, 1, 2, 3]), galaxies_of(4), bins=DECADES, populations=["all"])
    # Gehrels (1986), tables 1 and 2: 4 counts 2.09 to 7.16; none up to 1.84
    assert table["lower"].value * 4 == pytest.approx([2.09, 0], abs=0.01)
    assert table["upper"].value * 4 == pytest.approx([7.16, 1.84], abs=0.01)


def test_the_bootstrap_knows_of_galaxies_with_many_clumps():
    mass = np.full(100, 2e7)
    spread = mass_function(clumps_of(mass, np.arange(100)), galaxies_of(400), bins=DECADES, populations=["all"])
    heaped = mass_function(clumps_of(mass, np.repeat(np.arange(10), 10)), galaxies_of(400), bins=DECADES, populations=["all"])
    assert spread["error"][0].value * 400 == pytest.approx(np.sqrt(100 * 0.75), rel=0.15)
    assert heaped["error"][0].value * 400 == pytest.approx(10 * np.sqrt(10), rel=0.2)


def test_classes_follow_the_threshold_or_the_probability():
    clumps = clumps_of([2e7] * 4, [0, 0, 1, 1], p_long=[0.2, 0.6, 0.8, np.nan])
    for threshold, long, short in ((0.5, 2, 1), (0.7, 1, 2), (None, 1.6, 1.4)):
        table = mass_function(clumps, galaxies_of(2), bins=DECADES, threshold=threshold)
        assert of(table, "LLC")["n"][0] == pytest.approx(long)
        assert of(table, "SLC")["n"][0] == pytest.approx(short)
        assert of(table, "all")["n"][0] == 4


def test_drawn_classes_widen_the_error():
    rng = np.random.default_rng(1)
    clumps = clumps_of(np.full(2000, 2e7), np.arange(2000), p_long=rng.choice([0.4, 0.6], 2000))
    table = mass_function(clumps, galaxies_of(2000), bins=DECADES, threshold=None)
    drawn = of(table, "LLC")["error"][0].value * 2000
    # of the sum of p over galaxies: n var(p); of its classes: n p (1 - p)
    assert drawn == pytest.approx(np.sqrt(2000 * (0.01 + 0.24)), rel=0.15)


def test_tables_of_simulations_have_classes_by_name():
    clumps = clumps_of([2e7] * 4, [0, 0, 1, 1], longevity=["LLC", "SLC", "ZLC", ""])
    table = mass_function(clumps, galaxies_of(2), bins=DECADES)
    assert [of(table, name)["n"][0] for name in ("all", "LLC", "SLC")] == [4, 1, 1]


def test_completeness_brings_the_counts_back():
    def share(mass):
        return 0.3 + 0.7 * (mass > 1e8 * u.Msun)

    mass = draw_power_law(20_000, slope=-2.0, low=1e7 * u.Msun, high=1e9 * u.Msun, seed=1)
    found = mass[np.random.default_rng(2).random(len(mass)) < share(mass)].value
    clumps = clumps_of(found, np.arange(len(found)) % 50)
    arguments = {"bins": DECADES, "populations": ["all"]}
    fixed = mass_function(clumps, galaxies_of(50), completeness=share, **arguments)
    plain = mass_function(clumps, galaxies_of(50), **arguments)
    truth = np.histogram(mass.value, DECADES.value)[0] / 50
    assert (np.abs(fixed["phi"].value - truth) < 3 * (fixed["upper"] - fixed["lower"]).value / 2).all()
    assert plain["phi"][0].value == pytest.approx(0.3 * truth[0], rel=0.05)
    assert fixed["n"].tolist() == plain["n"].tolist()
    width = [((table["upper"] - table["lower"]) / table["phi"]).value[0] for table in (fixed, plain)]
    assert width[0] == pytest.approx(width[1])  # the same clumps


def test_bins_where_little_is_found_have_no_corrected_value():
    table = QTable({"mass": [1e7, 1e8] * u.Msun, "completeness": [0.1, 0.9]})
    result = mass_function(clumps_of([2e7, 5e8], [0, 1]), galaxies_of(2), bins=DECADES, populations=["all"], completeness=table)
    assert np.isnan(result["phi"][0])
    assert np.isnan(result["upper"][0])
    assert result["phi"][1].value == pytest.approx(0.5 / 0.9)
    assert result["n"].tolist() == [1, 1]


def test_draws_spread_a_clump_over_bins_and_widen_its_error():
    clumps = clumps_of([1e8] * 100, np.arange(100))
    draws = np.tile([2e7, 2e7, 2e8, 2e8], (100, 1)) * u.Msun
    table = mass_function(clumps, galaxies_of(100), bins=DECADES, populations=["all"], draws=draws)
    assert table["phi"].value == pytest.approx([0.5, 0.5])
    assert table["error"].value * 100 == pytest.approx(5, rel=0.2)  # binomial: a hundred masses, each in either bin


def test_the_same_seed_gives_the_same_errors():
    clumps = clumps_of([2e7, 3e7, 2e8], [0, 1, 2], p_long=[0.2, 0.7, 0.9])
    tables = [mass_function(clumps, galaxies_of(4), bins=DECADES, threshold=None, seed=seed) for seed in (3, 3, 4)]
    assert (tables[0]["error"] == tables[1]["error"]).all()
    assert (tables[0]["error"] != tables[2]["error"]).any()


def test_no_clumps_is_a_function_of_upper_limits_and_a_warning():
    with pytest.warns(NoClumpsWarning, match="no clumps in 3 galaxies"):
        table = mass_function(clumps_of([], np.array([], dtype=int), p_long=[]), galaxies_of(3))
    assert (table["phi"] == 0).all()
    np.testing.assert_allclose(table["upper"].value, 1.841 / 3 / 0.25, rtol=1e-3)  # the 1-sigma limit of Poisson's law for nothing
    full = mass_function(clumps_of([1e8], [0], p_long=[0.3]), galaxies_of(3))
    assert table.colnames == full.colnames
    assert [table[name].unit for name in ("low", "phi")] == [full[name].unit for name in ("low", "phi")]


def test_one_galaxy_has_no_bootstrap_error():
    table = mass_function(clumps_of([2e7], [0]), galaxies_of(1), bins=DECADES, populations=["all"])
    assert np.isnan(table["error"]).all()
    assert np.isfinite(table["upper"]).all()


def test_failed_masses_are_left_out_with_a_warning():
    with pytest.warns(AstroclumpsWarning, match="1 of 2 clumps have no mass"):
        table = mass_function(clumps_of([np.nan, 2e7], [0, 0]), galaxies_of(1), bins=DECADES, populations=["all"])
    assert table["n"].tolist() == [1, 0]


def test_units_do_not_matter():
    clumps = clumps_of([2e7, 3e8], [0, 1])
    in_kg = clumps.copy()
    in_kg["mass"] = in_kg["mass"].to(u.kg)
    table = mass_function(in_kg, galaxies_of(2), bins=DECADES.to(u.kg), populations=["all"])
    assert table["phi"].value == pytest.approx(mass_function(clumps, galaxies_of(2), bins=DECADES, populations=["all"])["phi"].value)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bins": [1e7, 1e8]}, TypeError, "bins must be edges with a unit"),
        ({"bins": [1e8, 1e7] * u.Msun}, ValueError, "increase"),
        ({"populations": ["ZLC"], "clumps": clumps_of([1e8], [0], p_long=[0.2])}, ValueError, "population is one of all, LLC, SLC"),
        ({"populations": ["LLC"]}, CatalogError, "neither p_long nor longevity"),
        ({"threshold": 50}, ValueError, "threshold must lie in 0 to 1"),
        ({"min_completeness": 20}, ValueError, "min_completeness must lie in 0 to 1"),
        ({"draws": np.ones((2, 5))}, TypeError, "draws of mass must be a Quantity"),
        ({"draws": np.ones((3, 5)) * u.Msun}, ValueError, "a row for each clump"),
        ({"galaxies": galaxies_of(1)}, CatalogError, "in galaxies that are not listed, such as '1'"),
        ({"galaxies": QTable({"galaxy": [0, 1, 1]})}, CatalogError, "a galaxy twice"),
        ({"galaxies": QTable({"galaxy": ["0", "1"]})}, CatalogError, "name them alike in both"),
        ({"galaxies": QTable({"name": [0, 1]})}, CatalogError, "galaxies need a column 'galaxy'"),
        ({"clumps": QTable({"galaxy": [0]})}, CatalogError, "clumps need a column 'mass'"),
        ({"clumps": QTable({"galaxy": [0], "mass": [1e8]})}, CatalogError, "must be in units of solMass"),
        ({"clumps": clumps_of([1e8], [0], p_long=[1.2])}, CatalogError, "p_long must lie in 0 to 1"),
    ],
)
def test_wrong_arguments_say_what_is_meant(change, error, message):
    arguments = {"clumps": clumps_of([2e7, 3e7], [0, 1]), "galaxies": galaxies_of(2), "bins": DECADES, "populations": ["all"], **change}
    with pytest.raises(error, match=message):
        mass_function(arguments.pop("clumps"), arguments.pop("galaxies"), **arguments)


def test_columns_without_unit_are_asked_for_one():
    with pytest.raises(CatalogError, match="must have no unit"):
        values_of(QTable({"r_norm": [1.0] * u.kpc}), "r_norm")
    assert posterior(QTable({"mass": [1e7] * u.Msun}), [[1e7, 2e7]] * u.Msun).shape == (1, 2)


def test_logarithms_of_masses_are_refused():
    draws = np.array([[7.2, 7.3], [8.0, 8.1]]) * u.Msun
    with pytest.raises(ValueError, match="at most 8.1 solMass; give masses, not their logarithm"):
        mass_function(clumps_of([2e7, 1e8], [0, 1]), galaxies_of(2), populations=["all"], draws=draws)
