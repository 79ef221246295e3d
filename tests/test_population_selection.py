"""The paper's cuts, what they cost, and draws that match another sample."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps import bands
from astroclumps.exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from astroclumps.population.matching import MATCH_COLUMNS, compare_samples, matched_draw
from astroclumps.population.selection import ClumpCuts, GalaxyCuts

SEVEN = "F435W,F606W,F775W,F850LP,F105W,F125W,F160W"


def galaxies_of(n=1, **columns):
    """Galaxies that pass all cuts, but for the columns that are given."""
    table = QTable({"galaxy": np.arange(n)})
    table["redshift"], table["mass"], table["axis_ratio"] = np.full(n, 2.0), np.full(n, 1e10) * u.Msun, np.full(n, 0.8)
    table["r_e"], table["sfr"], table["bands"] = np.full(n, 0.4) * u.arcsec, np.full(n, 200.0) * u.Msun / u.yr, [SEVEN] * n
    for name, values in columns.items():
        table[name] = values
    return table


def test_cuts_are_the_papers():  # G21 5.1, 5.2; METHODS 6
    cuts = GalaxyCuts()
    assert cuts.redshift == (1, 3)
    assert np.log10(u.Quantity(cuts.mass).to_value(u.Msun)) == pytest.approx([9, 12])
    assert cuts.axis_ratio == 0.5
    assert cuts.r_e == 0.2 * u.arcsec
    assert cuts.ssfr == 1e-10 / u.yr
    assert cuts.bands == bands.names(bands.CANDELS) == tuple(SEVEN.split(","))
    assert ClumpCuts().r_norm == (0.5, 3)
    assert ClumpCuts().mass_ratio == 0.2
    assert MATCH_COLUMNS == ("mass", "redshift", "r_e")


@pytest.mark.parametrize(
    ("column", "values", "kept"),
    [
        ("redshift", [0.9, 1.0, 1.1, 2.9, 3.0, np.nan], [0, 0, 1, 1, 0, 0]),
        ("mass", [1e9, 2e9, 9e11, 1e12, 0, np.nan] * u.Msun, [0, 1, 1, 0, 0, 0]),
        ("axis_ratio", [0.4, 0.5, 0.51, 1, 0, np.nan], [0, 0, 1, 1, 0, 0]),
        ("r_e", [0.1, 0.2, 0.21, 1, 0, np.nan] * u.arcsec, [0, 0, 1, 1, 0, 0]),
        ("sfr", [0.5, 1, 1.1, 20, 0, np.nan] * u.Msun / u.yr, [0, 0, 1, 1, 0, 0]),
        ("bands", [SEVEN, SEVEN.lower().replace(",", " "), "F160W", "", SEVEN[:-6], f"{SEVEN},F140W"], [1, 1, 0, 0, 0, 1]),
    ],
)
def test_each_cut_takes_what_lies_outside(column, values, kept):
    selection = GalaxyCuts().apply(galaxies_of(6, **{column: values}))
    assert selection.kept.tolist() == [bool(k) for k in kept]
    assert selection.table["galaxy"].tolist() == np.flatnonzero(kept).tolist()
    name = {"sfr": "ssfr"}.get(column, column)
    lost = selection.losses["n_lost"].tolist()
    assert sum(lost) == lost[list(selection.losses["cut"]).index(name)] == 6 - sum(kept)


def test_losses_are_told_in_order_and_alone():
    table = galaxies_of(4, redshift=[0.5, 0.5, 2, 2], axis_ratio=[0.3, 0.8, 0.3, 0.8], mass=[1e10, 1e10, 1e10, np.nan] * u.Msun)
    with pytest.warns(NoClumpsWarning, match="no galaxies of 4 pass the cuts"):
        losses = GalaxyCuts(ssfr=None).apply(table).losses
    assert losses["cut"].tolist() == ["redshift", "mass", "axis_ratio", "r_e", "bands"]
    assert losses["n_before"].tolist() == [4, 2, 1, 0, 0]
    assert losses["n_lost"].tolist() == [2, 1, 1, 0, 0]
    assert losses["n_alone"].tolist() == [2, 1, 2, 0, 0]
    assert losses["n_missing"].tolist() == [0, 1, 0, 0, 0]
    assert losses["limits"][1] == "1e+09 to 1e+12 Msun"


def test_bands_are_known_by_their_fluxes_too():
    table = galaxies_of(2)
    table.remove_column("bands")
    table["flux_f435w"], table["flux_f160w"] = [1.0, np.nan] * u.uJy, [1.0, 2.0] * u.uJy
    assert GalaxyCuts(bands=["f435w", "F160W"]).apply(table).kept.tolist() == [True, False]
    with pytest.raises(CatalogError, match="flux_f606w are missing. Set bands=None"):
        GalaxyCuts(bands=["F435W", "F606W"]).apply(table)


def test_specific_rates_may_be_given():
    table = galaxies_of(2, ssfr=[1e-9, 1e-11] / u.yr)
    assert GalaxyCuts().apply(table).kept.tolist() == [True, False]
    assert GalaxyCuts().apply(galaxies_of(2, ssfr=[1.0, 0.01] / u.Gyr)).kept.tolist() == [True, False]


def test_cuts_that_are_off_need_no_column():
    off = GalaxyCuts(redshift=None, mass=None, axis_ratio=None, r_e=None, ssfr=None, bands=None)
    selection = off.apply(QTable({"galaxy": [1, 2]}))
    assert selection.kept.all()
    assert len(selection.losses) == 0


def test_the_input_is_untouched_and_the_history_tells_the_cuts():
    table = galaxies_of(2, redshift=[2.0, 4.0])
    table.meta["history"] = ["read"]
    result = GalaxyCuts().apply(table).table
    assert len(table) == 2
    assert table.meta["history"] == ["read"]
    assert result.meta["history"][0] == "read"
    assert "redshift=(1.0, 3.0)" in result.meta["history"][1]
    assert result.meta["history"][1].endswith("1 of 2")


def test_settings_compare_and_hash():
    assert GalaxyCuts(mass=[1e9, 1e12] * u.Msun) == GalaxyCuts()
    assert GalaxyCuts(redshift=(1, 2)) != GalaxyCuts()
    assert len({GalaxyCuts(), GalaxyCuts(), ClumpCuts()}) == 2


def test_clumps_are_cut_in_radius_and_in_mass_over_their_galaxys():
    clumps = QTable({"galaxy": ["a", "a", "b", "b", "b"], "r_norm": [0.5, 0.6, 2.9, 3.0, 1.0]})
    clumps["mass"] = [1e8, 1e8, 1.9e9, 1e8, 2e9] * u.Msun
    galaxies = QTable({"galaxy": ["b", "a"], "mass": [1e10, 1e11] * u.Msun})
    selection = ClumpCuts().apply(clumps, galaxies)
    assert selection.kept.tolist() == [False, True, True, False, False]
    assert selection.losses["n_lost"].tolist() == [2, 1]
    assert ClumpCuts(mass_ratio=None).apply(clumps).kept.tolist() == [False, True, True, False, True]
    with pytest.raises(ValueError, match="needs the galaxies' masses"):
        ClumpCuts().apply(clumps)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"mass": (1e9, 1e12)}, TypeError, "mass must be two limits with a unit"),
        ({"mass": [1e12, 1e9] * u.Msun}, ValueError, "limits of mass must increase"),
        ({"redshift": 1.0}, ValueError, "redshift must be two limits"),
        ({"redshift": (3, 1)}, ValueError, "limits of redshift must increase"),
        ({"r_e": 0.2}, TypeError, "r_e must be a Quantity such as 0.2"),
        ({"r_e": 1 * u.kpc}, TypeError, "r_e must be a Quantity such as 0.2"),
        ({"ssfr": 1e-10}, TypeError, "ssfr must be a Quantity"),
        ({"axis_ratio": -0.1}, ValueError, "axis_ratio must be one number"),
        ({"bands": "F160W"}, TypeError, "bands must be a sequence"),
    ],
)
def test_wrong_settings_say_what_is_meant(settings, error, message):
    with pytest.raises(error, match=message):
        GalaxyCuts(**settings)


def two_samples(seed):
    rng = np.random.default_rng(seed)

    def galaxies(log_mass, redshift, log_r):
        return QTable({"mass": 10**log_mass * u.Msun, "redshift": redshift, "r_e": 10**log_r * u.kpc})

    wide = galaxies(rng.uniform(9, 11.5, 20_000), rng.uniform(1, 3, 20_000), rng.uniform(-0.4, 1.2, 20_000))
    narrow = galaxies(rng.normal(10.3, 0.3, 150), rng.triangular(1, 1.2, 2.5, 150), rng.normal(0.4, 0.2, 150))
    return wide, narrow


def test_drawn_galaxies_are_distributed_as_the_target():
    wide, narrow = two_samples(1)
    before = compare_samples(wide, narrow)
    assert before["p_value"].max() < 1e-3
    draw = matched_draw(wide, narrow, seed=2)
    assert draw.test["p_value"].min() > 0.2
    assert draw.test["n_sample"].tolist() == [len(draw.table)] * 3
    assert len(draw.table) == 150
    assert len(set(draw.rows)) == 150
    assert (draw.table["mass"] == wide["mass"][draw.rows]).all()
    assert np.abs(np.log10((draw.table["mass"] / narrow["mass"][draw.partners]).value)).max() < 0.5 * 0.4


def test_draws_are_random_and_seeded():
    wide, narrow = two_samples(1)
    rows = [matched_draw(wide, narrow, seed=seed).rows.tolist() for seed in (2, 2, 3)]
    assert rows[0] == rows[1]
    assert len(set(rows[0]) & set(rows[2])) < 120


def test_more_can_be_drawn_than_the_target_has():
    wide, narrow = two_samples(1)
    draw = matched_draw(wide, narrow[:60], n=120)
    assert len(draw.table) == 120
    assert np.bincount(draw.partners).tolist() == [2] * 60


def test_units_are_those_of_the_target():
    wide, narrow = two_samples(1)
    in_pc = wide.copy()
    in_pc["r_e"] = in_pc["r_e"].to(u.pc)
    assert matched_draw(in_pc, narrow).rows.tolist() == matched_draw(wide, narrow).rows.tolist()
    in_pc["r_e"] = in_pc["r_e"].value * u.arcsec
    with pytest.raises(CatalogError, match="column 'r_e' of sample must be in units of kpc"):
        matched_draw(in_pc, narrow)


def test_galaxies_without_a_partner_are_warned_of():
    wide, narrow = two_samples(1)
    with pytest.warns(AstroclumpsWarning, match=r"of 150 draws found no free galaxy within 0.5"):
        draw = matched_draw(wide[:100], narrow)
    assert 0 < len(draw.table) < 100
    with pytest.warns(NoClumpsWarning, match="nothing was drawn"):
        draw = matched_draw(wide[wide["mass"] < 2e9 * u.Msun], narrow[narrow["mass"] > 1e10 * u.Msun])
    assert len(draw.table) == 0
    assert draw.table.colnames == wide.colnames
    assert np.isnan(draw.test["p_value"]).all()


def test_rows_without_values_are_not_drawn():
    wide, narrow = two_samples(1)
    wide["redshift"][::2] = np.nan
    assert (matched_draw(wide, narrow, max_distance=1.0).rows % 2 == 1).all()


def test_wrong_arguments_of_draws_say_what_is_meant():
    wide, narrow = two_samples(1)
    with pytest.raises(ValueError, match="n_neighbours must be 1 or more"):
        matched_draw(wide, narrow, n_neighbours=0)
    with pytest.raises(ValueError, match="must name a property"):
        matched_draw(wide, narrow, columns=[])
    with pytest.raises(CatalogError, match="sample need a column 'sfr'"):
        matched_draw(wide, narrow, columns=["sfr"])


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_draw_is_of_a_whole_number_of_galaxies(n):
    table = QTable({"redshift": [1.0, 1.1]})
    with pytest.raises(ValueError, match="n must be a whole number of galaxies"):
        matched_draw(table, table, columns=["redshift"], n=n)


def test_an_empty_target_is_named():
    table = QTable({"redshift": [1.0, 1.1]})
    with pytest.warns(NoClumpsWarning, match="the target has no galaxy with redshift: nothing was drawn"):
        assert len(matched_draw(table, QTable({"redshift": [np.nan]}), columns=["redshift"]).table) == 0
