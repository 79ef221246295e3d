"""Predictions for tables of galaxies: right numbers in every row, whatever the order, and none where there is no relation."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked

from astroclumps import catalog, survival
from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.survival_table import MIN_REDSHIFT

KMS = u.km / u.s


def galaxies(n=6, **columns):
    table = QTable({"galaxy": [f"g{i}" for i in range(n)], "mass": np.geomspace(5e8, 5e10, n) * u.Msun})
    table["redshift"] = np.linspace(1, 3, n)
    for name, values in columns.items():
        table[name] = values
    return table


def test_numbers_are_those_of_the_functions():
    given = galaxies()
    table = survival.predict(given)
    halo = survival.halo_mass_of_galaxy(given["mass"], given["redshift"])
    assert np.allclose(table["halo_mass"], halo)
    assert np.allclose(table["virial_velocity"], survival.virial_velocity(halo, given["redshift"]))
    assert np.allclose(table["host_velocity"], 1.4 * table["virial_velocity"])
    assert np.allclose(table["clump_velocity"], survival.clump_velocity(table["virial_velocity"]))
    assert np.allclose(table["clump_velocity_threshold"], 30 * KMS)
    assert np.allclose(table["halo_velocity_threshold"], 150 * KMS)
    assert np.allclose(table["halo_mass_threshold"], survival.halo_mass_threshold(given["redshift"]))
    assert np.allclose(table["stellar_mass_threshold"], survival.stellar_mass_threshold(given["redshift"]))
    assert np.allclose(table["halo_margin"], np.log10(halo / table["halo_mass_threshold"]))
    assert np.allclose(table["stellar_margin"], np.log10(given["mass"] / table["stellar_mass_threshold"]))


def test_clumps_are_long_lived_from_the_threshold_of_stellar_mass_on():
    limit = survival.stellar_mass_threshold([1, 2, 3])
    for factor, expected in ((0.999, False), (1.001, True)):
        table = survival.predict(QTable({"mass": factor * limit, "redshift": [1, 2, 3]}))
        assert table["long_lived"].tolist() == [expected] * 3
        assert np.all((table["halo_margin"] > 0) == expected)
        assert np.allclose(table["stellar_margin"], np.log10(factor))


def test_the_order_of_rows_does_not_matter():
    given = galaxies(20)
    order = np.random.default_rng(0).permutation(20)
    table, mixed = survival.predict(given), survival.predict(given[order])
    for name in table.colnames:
        assert (np.asarray(table[name][order]) == np.asarray(mixed[name])).all()


def test_measured_rotation_stands_for_the_fiducial_one():
    given = galaxies(3, v_rot=[0.1, np.nan, 0.2] * u.Mm / u.s)
    table, plain = survival.predict(given), survival.predict(galaxies(3))
    assert np.allclose(table["host_velocity"][[0, 2]], [100, 200] * KMS)
    assert table["host_velocity"][1] == plain["host_velocity"][1]
    assert np.allclose(table["clump_velocity"][[0, 2]], np.sqrt(np.pi / 6) * 0.2 * np.array([100, 200]) * KMS)
    # the margin in mass is three times that in velocity, but for the paper's rounding of eq. 6
    exact = survival.predict(given, rounded=False)
    assert np.allclose(exact["halo_margin"], 3 * np.log10(exact["clump_velocity"] / exact["clump_velocity_threshold"]))


def test_cold_fractions_and_efficiencies_of_single_galaxies():
    table = survival.predict(galaxies(3, cold_fraction=[0.1, 0.4, np.nan]), cold_fraction=0.3, efficiency=[0.1, 0.4, 0.1])
    assert np.allclose(table["halo_velocity_threshold"], [300, 150, 100] * KMS)
    assert np.allclose(table["clump_velocity_threshold"], [30, 60, 30] * KMS)


def test_marks_of_dekel2023_need_rotation_and_gas():
    given = galaxies(4, v_rot=[199, 201, 300, 300] * KMS, gas_fraction=[0.5, 0.31, 0.29, np.nan])
    verdict = survival.predict(given)["dekel2023"]
    assert verdict.mask.tolist() == [False, False, False, True]
    assert verdict[:3].tolist() == [False, True, False]
    assert "dekel2023" not in survival.predict(galaxies()).colnames


def test_rows_outside_the_relations_are_masked_with_a_warning():
    given = galaxies(7)
    given["mass"] = [1e10, np.nan, 0, 1e14, 1e10, 1e10, 1e10] * u.Msun
    given["redshift"] = [1.0, 1.0, 1.0, 1.0, 0.1, 11.0, np.nan]
    message = "6 of 7 galaxies: 3 without a positive mass or a redshift, 2 at redshifts outside 0.5 to 10, 1 of a stellar mass"
    with pytest.warns(AstroclumpsWarning, match=message):
        table = survival.predict(given)
    assert table["long_lived"].mask.tolist() == [False] + [True] * 6
    for name in ("halo_mass", "virial_velocity", "clump_velocity", "halo_mass_threshold", "stellar_mass_threshold", "halo_margin"):
        assert np.isfinite(table[name]).tolist() == [True] + [False] * 6
    assert table["halo_margin"][0] == survival.predict(given[:1])["halo_margin"][0]


@pytest.mark.parametrize(("redshift", "log_mass"), [(1, 11.3), (2, 10.85), (3, 10.82), (2, 11.1)])
def test_masses_on_the_flat_branch_of_the_relation_have_no_halo(redshift, log_mass):
    given = QTable({"mass": [10**log_mass, 10 ** (log_mass - 0.1)] * u.Msun, "redshift": [redshift] * 2})
    if log_mass > 11 and redshift == 2:  # not a tenth of a dex beyond
        given["mass"][1] = 10**10.8 * u.Msun
    with pytest.warns(AstroclumpsWarning, match="1 of 2 galaxies: 1 of a stellar mass"):
        table = survival.predict(given)
    assert table["long_lived"].mask.tolist() == [True, False]
    assert table["halo_mass"][1] < 1e14 * u.Msun


def test_masked_cells_are_missing_values():
    given = QTable({"mass": Masked([1e10, 1e10, 1e10] * u.Msun, mask=[False, True, False])})
    given["redshift"] = MaskedColumn([2.0, 2.0, 2.0], mask=[False, False, True])
    with pytest.warns(AstroclumpsWarning, match="2 without a positive mass or a redshift"):
        table = survival.predict(given)
    assert table["long_lived"].mask.tolist() == [False, True, True]
    assert table["long_lived"][0]


@pytest.mark.parametrize(("name", "bad"), [("v_rot", -1 * KMS), ("cold_fraction", 0.0), ("v_rot", np.inf * KMS)])
def test_impossible_measurements_make_no_prediction(name, bad):
    good = 100 * KMS if name == "v_rot" else 0.2
    with pytest.warns(AstroclumpsWarning, match=f"1 whose {name} is not positive and finite"):
        table = survival.predict(galaxies(2, **{name: u.Quantity([bad, good])}))
    assert table["long_lived"].mask.tolist() == [True, False]


def test_the_redshift_limit_is_one_of_eq_7():
    table = survival.predict(QTable({"mass": [1e10] * u.Msun, "redshift": [MIN_REDSHIFT]}))
    assert np.isfinite(table["halo_margin"]).all()


def test_an_empty_table_gives_an_empty_table_with_all_columns():
    table = survival.predict(galaxies(2, gas_fraction=[0.3, 0.3])[:0])
    assert len(table) == 0
    assert table.colnames == survival.predict(galaxies(2, gas_fraction=[0.3, 0.3])).colnames
    assert table["halo_mass"].unit == u.Msun


def test_predictions_are_written_and_read_back(tmp_path):
    given = galaxies(3)
    given["mass"][1] = np.nan * u.Msun
    with pytest.warns(AstroclumpsWarning):
        table = survival.predict(given)
    table.write(tmp_path / "table.ecsv")
    back = QTable.read(tmp_path / "table.ecsv")
    assert back["long_lived"].mask.tolist() == [False, True, False]
    assert np.allclose(back["halo_mass"], table["halo_mass"], equal_nan=True)


def test_history_counts_the_verdicts():
    given = galaxies(4)
    catalog.add_history(given, "made")
    table = survival.predict(given)
    assert table.meta["history"][0] == given.meta["history"][0]
    assert f"{table['long_lived'].sum()} of 4 galaxies" in table.meta["history"][-1]
    assert len(given.meta["history"]) == 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mass": [1.0] * u.Msun}, "galaxies need a column 'redshift'; the table has mass"),
        ({"mass": [1.0], "redshift": [1.0]}, "column 'mass' of galaxies must be in units of solMass, got None"),
        ({"mass": [1.0] * u.Msun, "redshift": [1.0] * u.m}, "column 'redshift' of galaxies must have no unit, got m"),
        ({"mass": [1.0] * u.Msun, "redshift": [1.0], "v_rot": [1.0] * u.m}, "column 'v_rot' of galaxies must be in units of km / s"),
    ],
)
def test_wrong_tables_are_refused(columns, message):
    with pytest.raises(CatalogError, match=message):
        survival.predict(QTable(columns))


def test_shares_above_one_are_left_out():
    shares = QTable({"mass": [1e10, 1e10] * u.Msun, "redshift": [2.0, 2.0], "cold_fraction": [5.0, 0.2]})
    with pytest.warns(AstroclumpsWarning, match="1 whose cold_fraction is no share"):
        table = survival.predict(shares)
    assert np.isnan(table["halo_mass"][0])
    assert np.isfinite(table["halo_mass"][1])
