"""Lensed galaxies: what scales with the magnification, what does not, and where the magnification's error goes."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable
from astropy.wcs import WCS

from astroclumps import catalog
from astroclumps.exceptions import CatalogError, ImageError
from astroclumps.population.lensing import demagnify, demagnify_draws, power_of

BANDS = ("F606W", "F160W")


def clumps(n=3):
    """A fitted table in which every number of the schema is there and none is the same."""
    rng = np.random.default_rng(1)
    table = catalog.make_table(("classified", "fitted"), n, bands=BANDS)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            table[name] = rng.uniform(1, 2, n) * (table[name].unit or 1)
    for name in ("mass", "sfr", "age"):
        table[f"{name}_lo"], table[f"{name}_hi"] = table[name] / 1.5, table[name] * 1.8
    table["size"], table["size_err"], table["r_norm"] = rng.uniform(0.1, 0.3, n) * u.arcsec, np.full(n, 0.02) * u.arcsec, np.full(n, 1.5)
    return table


def test_every_column_of_the_schema_scales_or_stays_as_it_should():
    given = clumps()
    table = demagnify(given, [2.0, 4.0, 9.0])
    by_mu = {"mass", "mass_lo", "mass_hi", "sfr", "sfr_lo", "sfr_hi", "best_mass_formed"}
    by_mu |= {f"{kind}_{band.lower()}" for kind in ("flux", "flux_err") for band in BANDS}
    for name in given.colnames:
        if given[name].dtype.kind in "US":
            assert (given[name] == table[name]).all()
            continue
        factor = [2, 4, 9] if name in by_mu else np.sqrt([2, 4, 9]) if name in ("size", "size_err") else 1
        assert np.allclose(given[name], table[name] * factor), name
        assert getattr(given[name], "unit", None) == getattr(table[name], "unit", None)
        assert given[name].info.description == table[name].info.description
    assert table["magnification"].tolist() == [2, 4, 9]


def test_signal_to_noise_colours_and_surface_brightness_stay():
    given, table = clumps(), demagnify(clumps(), 5.0, error=1.0)
    for band in ("f606w", "f160w"):
        assert np.allclose(given[f"flux_{band}"] / given[f"flux_err_{band}"], table[f"flux_{band}"] / table[f"flux_err_{band}"])
        assert np.allclose(given[f"background_{band}"], table[f"background_{band}"])
    assert np.allclose(given["flux_f606w"] / given["flux_f160w"], table["flux_f606w"] / table["flux_f160w"])
    assert np.allclose(given["mass"] / given["size"] ** 2, table["mass"] / table["size"] ** 2)


def test_galaxies_scale_as_clumps_do():
    galaxies = QTable({"galaxy": [1], "mass": [4e10] * u.Msun, "sfr": [40] * u.Msun / u.yr, "ssfr": [1e-9] / u.yr, "r_e": [0.6] * u.arcsec})
    table = demagnify(galaxies, 4.0)
    assert (table["mass"][0], table["sfr"][0], table["r_e"][0]) == (1e10 * u.Msun, 10 * u.Msun / u.yr, 0.3 * u.arcsec)
    assert table["ssfr"][0] == 1e-9 / u.yr


def test_errors_of_the_magnification_add_to_those_of_masses_in_quadrature_in_the_log():
    given, table = clumps(), demagnify(clumps(), 4.0, error=[0.0, 1.0, 2.0])
    for name in ("mass", "sfr"):
        assert np.allclose(table[name], given[name] / 4)
        assert np.allclose(np.log(table[name] / table[f"{name}_lo"]), np.hypot(np.log(1.5), [0, 0.25, 0.5]))
        assert np.allclose(np.log(table[f"{name}_hi"] / table[name]), np.hypot(np.log(1.8), [0, 0.25, 0.5]))
    assert np.allclose(table["age_lo"], given["age_lo"])
    assert np.allclose(table["size_err"], np.hypot(given["size_err"] / 2, [0, 0.125, 0.25] * table["size"]))
    assert table["magnification_err"].tolist() == [0, 1, 2]


def test_percentiles_of_zero_and_missing_values_stay_what_they_are():
    given = clumps()
    given["sfr"][0], given["sfr_lo"][0], given["sfr_lo"][1] = 0 * u.Msun / u.yr, 0 * u.Msun / u.yr, 0 * u.Msun / u.yr
    given["mass"][2] = given["mass_lo"][2] = given["mass_hi"][2] = np.nan * u.Msun
    table = demagnify(given, 2.0, error=0.5)
    assert table["sfr"][0] == table["sfr_lo"][0] == table["sfr_lo"][1] == 0
    assert table["sfr_hi"][0] == given["sfr_hi"][0] / 2
    assert np.isnan([table["mass"][2].value, table["mass_lo"][2].value, table["mass_hi"][2].value]).all()


def test_draws_spread_by_the_error_about_the_same_median():
    rng = np.random.default_rng(2)
    draws = 10 ** rng.normal(8, 0.2, (2, 40_000)) * u.Msun
    out = demagnify_draws(draws, [2.0, 5.0], error=[0.0, 1.0], seed=3)
    assert np.allclose(out[0], draws[0] / 2)
    log = np.log10(out[1].value)
    assert np.median(log) == pytest.approx(8 - np.log10(5), abs=0.005)
    assert log.std() == pytest.approx(np.hypot(0.2, 0.2 / np.log(10)), rel=0.02)
    assert (demagnify_draws(draws, [2.0, 5.0], error=[0.0, 1.0], seed=3) == out).all()
    assert np.allclose(demagnify_draws(np.ones((1, 2)), 4.0, power=-0.5), 0.5)


def test_percentiles_and_draws_agree():
    draws = 10 ** np.random.default_rng(4).normal(8, 0.2, (1, 100_000))
    low, middle, high = np.percentile(draws, [15.865, 50, 84.135], axis=1) * u.Msun
    table = demagnify(QTable({"mass": middle, "mass_lo": low, "mass_hi": high}), 3.0, error=0.9)
    expected = np.percentile(demagnify_draws(draws, 3.0, error=0.9), [15.865, 50, 84.135])
    found = [table[name][0].value for name in ("mass_lo", "mass", "mass_hi")]
    assert np.allclose(found, expected, rtol=0.01)


class TestMaps:
    def test_a_map_is_looked_up_between_pixels(self):
        y, x = np.mgrid[:6, :8]
        table = clumps()
        table["x"], table["y"] = [0, 3.25, 7.4] * u.pix, [0, 2.5, -0.4] * u.pix
        assert np.allclose(demagnify(table, 2.0 + x + 10 * y)["magnification"], [2, 2 + 3.25 + 25, 9])

    def test_a_pixel_without_value_counts_only_for_its_neighbours(self):
        values = np.full((3, 3), 2.0)
        values[2, 2] = np.nan
        table = clumps(2)
        table["x"], table["y"] = [1, 0] * u.pix, [1, 2] * u.pix
        assert demagnify(table, values)["magnification"].tolist() == [2, 2]
        table["x"] = [1.5, 0] * u.pix
        table["y"] = [1.5, 2] * u.pix
        with pytest.raises(ValueError, match=r"magnification must be positive and finite; it is not in 1 of 2 rows, such as 0 \(nan\)"):
            demagnify(table, values)

    def test_clumps_outside_the_map_are_refused(self):
        table = clumps(1)
        table["x"], table["y"] = [9.0] * u.pix, [1.0] * u.pix
        with pytest.raises(ValueError, match="cut rows that a map does not cover"):
            demagnify(table, np.ones((4, 4)))

    def test_fits_maps_are_looked_up_on_the_sky(self, tmp_path):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = ("RA---TAN", "DEC--TAN"), (40, -1), (5, 5), (-1e-4, 1e-4)
        values = 1.0 + np.arange(81.0).reshape(9, 9)
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values, header=wcs.to_header())])
        hdus.writeto(tmp_path / "mu.fits")
        table = clumps(2)
        table["x"], table["y"] = [300, 301] * u.pix, [200, 200] * u.pix
        table["sky"] = wcs.pixel_to_world([2, 6.5], [3, 4])
        expected = [values[3, 2], (values[4, 6] + values[4, 7]) / 2]
        assert np.allclose(demagnify(table, tmp_path / "mu.fits")["magnification"], expected)
        assert np.allclose(
            demagnify(
                table,
                values,
                wcs=wcs,
                error=values / 10,
            )["magnification_err"],
            np.array(expected) / 10,
        )
        galaxies = QTable({"galaxy": [1, 2], "mass": [1, 1] * u.Msun, "ra": table["sky"].ra, "dec": table["sky"].dec})
        assert np.allclose(demagnify(galaxies, str(tmp_path / "mu.fits"))["magnification"], expected)
        with pytest.raises(CatalogError, match="a map with WCS needs a column 'sky', or 'ra' and 'dec'"):
            demagnify(clumps(), tmp_path / "mu.fits")

    def test_fits_maps_without_wcs_lie_on_the_pixels_of_the_image(self, tmp_path):
        fits.PrimaryHDU(np.full((4, 4), 7, dtype=np.int16)).writeto(tmp_path / "mu.fits")
        table = clumps(2)
        assert demagnify(table, tmp_path / "mu.fits")["magnification"].tolist() == [7, 7]
        fits.PrimaryHDU(np.ones((2, 4, 4))).writeto(tmp_path / "cube.fits")
        with pytest.raises(ImageError, match=r"holds no map, an image of two axes"):
            demagnify(table, tmp_path / "cube.fits")

    def test_maps_need_positions(self):
        with pytest.raises(CatalogError, match="needs columns 'x' and 'y'"):
            demagnify(QTable({"mass": [1] * u.Msun}), np.ones((3, 3)))


def test_a_column_gives_the_magnification():
    table = clumps()
    table["mu"], table["mu_err"] = [2.0, 4.0, 8.0] * u.one, [0.2, 0.4, 0.8]
    result = demagnify(table, "mu", error="mu_err")
    assert result["magnification"].tolist() == [2, 4, 8]
    assert np.allclose(result["mass"] * table["mu"], table["mass"])
    with pytest.raises(CatalogError, match="magnification 'nu' is neither a column nor a file"):
        demagnify(table, "nu")


@pytest.mark.parametrize("bad", [0.0, -3.0, np.nan, np.inf])
def test_impossible_magnifications_are_refused(bad):
    with pytest.raises(ValueError, match="magnification must be positive and finite; it is not in 1 of 3 rows, such as 1"):
        demagnify(clumps(), [2.0, bad, 2.0])
    with pytest.raises(ValueError, match="magnification must be positive"):
        demagnify_draws(np.ones((3, 2)), bad)


def test_masked_and_dimensional_magnifications_are_refused():
    table = clumps()
    table["mu"] = MaskedColumn([2.0, 2.0, 2.0], mask=[False, True, False])
    with pytest.raises(ValueError, match=r"in 1 of 3 rows, such as 1 \(nan\)"):
        demagnify(table, "mu")
    table["mu"] = [1.0, 2.0, 3.0] * u.mag
    with pytest.raises(ValueError, match="magnification must have no unit, got mag"):
        demagnify(table, "mu")


@pytest.mark.parametrize("bad", [-0.1, np.nan])
def test_impossible_errors_are_refused(bad):
    with pytest.raises(ValueError, match="error must be zero or positive and finite"):
        demagnify(clumps(), 2.0, error=bad)


def test_a_second_time_is_refused_also_after_a_file(tmp_path):
    table = demagnify(clumps(), 2.0)
    with pytest.raises(CatalogError, match="demagnified already .*start from the one as it was measured"):
        demagnify(table, 2.0)
    for name in ("table.ecsv", "table.fits", "table.vot"):
        catalog.write(table, tmp_path / name)
        with pytest.raises(CatalogError, match="demagnified already"):
            demagnify(catalog.read(tmp_path / name), 2.0)


def test_the_given_table_is_not_changed_and_history_says_what_was_done():
    given = clumps()
    before = given.copy()
    table = demagnify(given, 2.0)
    assert all(np.array_equal(given[name], before[name]) for name in before.colnames)
    assert "lensing" not in given.meta
    assert given.meta["history"] == before.meta["history"]
    assert "demagnify(magnification from one number, median 2" in table.meta["history"][-1]
    assert "flux_f606w" in table.meta["history"][-1]


def test_tables_without_anything_to_scale_are_refused():
    with pytest.raises(CatalogError, match="nothing to demagnify"):
        demagnify(catalog.make_table("detected", 2), 2.0)
    with pytest.raises(CatalogError, match="column 'mass' must be in units of solMass to be demagnified, got None"):
        demagnify(QTable({"mass": [9.5]}), 2.0)
    with pytest.raises(ValueError, match=r"one for each of the 3 rows, or a map; got the shape \(2,\)"):
        demagnify(clumps(), [1.0, 2.0])


def test_columns_of_ones_own_take_the_power_that_is_given():
    table = clumps()
    table["luminosity"], table["shift"] = [1.0, 2.0, 3.0] * u.Lsun, [1.0, 1.0, 1.0]
    result = demagnify(table, 4.0, also={"luminosity": -1, "shift": 0.5, "mass": 0})
    assert np.allclose(result["luminosity"].value, [0.25, 0.5, 0.75])
    assert result["shift"].tolist() == [2, 2, 2]
    assert (result["mass"] == table["mass"]).all()
    with pytest.raises(CatalogError, match="also names a column 'nothing'"):
        demagnify(table, 4.0, also={"nothing": 1})


def test_no_clumps_stay_no_clumps():
    table = demagnify(clumps()[:0], 3.0, error=1.0)
    assert len(table) == 0
    assert {"magnification", "magnification_err"} <= set(table.colnames)


@pytest.mark.parametrize(
    "name", ["mass_correction", "massive", "flux_ratio", "true_mass", "r_norm", "size_chi2", "ssfr", "n_pixels", "background_f606w"]
)
def test_names_that_only_look_alike_do_not_scale(name):
    assert power_of(name) is None


def test_sky_positions_stay():
    table = clumps(1)
    table["sky"] = SkyCoord([10] * u.deg, [2] * u.deg)
    assert demagnify(table, 2.0)["sky"].ra[0] == 10 * u.deg
