"""`cross_match`: pairs, offsets and chance matches on fields whose answer is known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from astroclumps.population.crossmatch import cross_match

FIELD = 300.0  # arcsec


def table(x, y, **columns):
    """Galaxies at offsets in arcsec from a point at declination -60, where cos(dec) is half."""
    sky = SkyCoord(10, -60, unit="deg").spherical_offsets_by(np.asarray(x) * u.arcsec, np.asarray(y) * u.arcsec)
    return QTable({"ra": sky.ra.to(u.deg).view(u.Quantity), "dec": sky.dec.to(u.deg).view(u.Quantity), **columns})


def field(n, seed=0):
    return np.random.default_rng(seed).uniform(0, FIELD, (2, n))


def test_pairs_are_one_to_one_and_the_nearest():
    one = table([0, 10, 20.1], [0, 0, 0], galaxy=[1, 2, 3])
    other = table([0.3, 0.1, 10.2, 20.0, 90], [0, 0, 0, 0, 0], galaxy=[10, 11, 12, 13, 14], r_e=[1, 2, 3, 4, 5] * u.arcsec)
    match = cross_match(one, other)
    assert match.row.tolist() == [1, 2, 3]
    assert match.table["galaxy_2"].tolist() == [11, 12, 13]
    assert match.table["separation"].to_value(u.arcsec) == pytest.approx([0.1, 0.2, 0.1], abs=1e-6)
    assert match.report.n_ambiguous == 1
    two = cross_match(table([0, 0.2], [0, 0]), table([0.15], [0]))  # one partner for two: the nearer takes it
    assert two.row.tolist() == [-1, 0]
    assert two.report.n_ambiguous == 1


def test_the_offset_and_its_error_come_back_at_any_declination():
    x, y = field(400)
    rng = np.random.default_rng(1)
    found = cross_match(table(x, y), table(x + 0.12 + rng.normal(0, 0.05, 400), y - 0.08 + rng.normal(0, 0.05, 400))).report
    assert found.n_matched > 395
    assert found.d_ra.to_value(u.arcsec) == pytest.approx(0.12, abs=0.01)
    assert found.d_dec.to_value(u.arcsec) == pytest.approx(-0.08, abs=0.01)
    assert found.scatter.to_value(u.arcsec) == pytest.approx(0.05, rel=0.15)
    assert found.d_ra_err.to_value(u.arcsec) == pytest.approx(1.2533 * 0.05 / 20, rel=0.2)


def test_an_offset_is_removed_and_more_pairs_are_found():
    x, y = field(300)
    rng = np.random.default_rng(2)
    other = table(x + 0.4 + rng.normal(0, 0.1, 300), y + rng.normal(0, 0.1, 300))
    plain, moved = cross_match(table(x, y), other), cross_match(table(x, y), other, remove_offset=True)
    assert plain.report.removed_ra == 0 * u.arcsec
    assert moved.report.n_matched > plain.report.n_matched + 30
    assert moved.report.removed_ra.to_value(u.arcsec) == pytest.approx(0.37, abs=0.04)  # pairs beyond the limit were not seen
    assert abs((moved.report.d_ra + moved.report.removed_ra).to_value(u.arcsec) - 0.4) < 0.03


def test_chance_matches_are_counted():
    expected, wrong = [], []
    for seed in range(8):
        x, y = field(600, seed)
        partner = np.random.default_rng([seed, 1]).random(600) < 0.4
        others = field(3000, [seed, 2])
        both = table(np.append(x[partner], others[0]), np.append(y[partner], others[1]))
        match = cross_match(table(x, y), both, max_offset=1 * u.arcsec)
        true = np.full(600, -1)
        true[partner] = np.arange(partner.sum())
        expected.append(match.report.n_chance)
        wrong.append(((match.row >= 0) & (match.row != true)).sum())
    assert np.mean(wrong) > 20
    assert np.mean(expected) == pytest.approx(np.mean(wrong), rel=0.15)
    x, y = field(50)
    assert cross_match(table(x, y), table(x, y)).report.n_chance == 0


def test_all_galaxies_are_kept_on_request():
    one = table([0, 10], [0, 0], galaxy=["a", "b"])
    other = table([0, 50], [0, 0], r_e=[0.3, 0.4] * u.arcsec, flag=[1, 2], note=["x", "y"])
    result = cross_match(one, other, keep="all").table
    assert result["galaxy"].tolist() == ["a", "b"]
    assert np.isnan(result["r_e"]).tolist() == [False, True]
    assert np.isnan(result["flag"]).tolist() == [False, True]
    assert result["note"].tolist() == ["x", ""]
    assert "cross_match" in result.meta["history"][-1]


def test_the_column_sky_does_too():
    one = table([0, 10], [0, 0])
    other = QTable({"sky": SkyCoord(one["ra"], one["dec"])})
    assert cross_match(one, other).row.tolist() == [0, 1]
    assert cross_match(other, one).row.tolist() == [0, 1]
    assert np.isnan(cross_match(one, other[:1], keep="all").table["sky"].ra.deg).tolist() == [False, True]


def test_rows_without_position_match_nothing():
    one = table([0, 10, 20], [0, 0, 0])
    one["ra"][0] = np.nan * u.deg
    with pytest.warns(AstroclumpsWarning, match="1 rows have no position"):
        match = cross_match(one, table([0, 10, 20], [0, 0, 0]))
    assert match.row.tolist() == [-1, 1, 2]
    assert match.report.n_without_position == 1


def test_nothing_in_common_is_an_empty_table_with_all_columns():
    with pytest.warns(NoClumpsWarning, match=r"no galaxy has a partner within 0.5 arcsec; the nearest is 50 arcsec away"):
        match = cross_match(table([0], [0]), table([50], [0], r_e=[1] * u.arcsec), remove_offset=True)
    assert len(match.table) == 0
    assert match.table.colnames == ["ra", "dec", "ra_2", "dec_2", "r_e", "separation"]
    assert np.isnan(match.report.d_ra)


def test_wrong_arguments_are_named():
    one = table([0], [0])
    with pytest.raises(TypeError, match="max_offset must be a positive angle"):
        cross_match(one, one, max_offset=0.5)
    with pytest.raises(ValueError, match="keep must be"):
        cross_match(one, one, keep="left")
    with pytest.raises(ValueError, match="suffix must not be empty"):
        cross_match(one, one, suffix="")
    with pytest.raises(CatalogError, match="catalogue need columns 'ra' and 'dec', or 'sky'"):
        cross_match(one, QTable({"id": [1]}))
    with pytest.raises(CatalogError, match="ra and dec of catalogue must be angles"):
        cross_match(one, QTable({"ra": [1.0], "dec": [1.0]}))
    with pytest.raises(CatalogError, match="galaxies have no position in any of their 0 rows"):
        cross_match(one[:0], one)


@pytest.mark.real_data
def test_real_catalogue_finds_itself(real_data):
    from astroclumps.population.galaxies import read_galaxies

    path = real_data / "cosmos_f814w" / "real_galaxy_catalog_26_extension_example.fits"
    galaxies = read_galaxies(path, columns={"galaxy": "IDENT", "ra": ("RA", "deg"), "dec": ("DEC", "deg")})
    moved = galaxies.copy()
    moved["dec"] = moved["dec"] + 0.2 * u.arcsec
    match = cross_match(galaxies, moved)
    assert match.row.tolist() == list(range(100))
    assert match.report.d_dec.to_value(u.arcsec) == pytest.approx(0.2)
