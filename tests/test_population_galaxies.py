"""Catalogues of galaxies become the tables that the cuts take; what is missing or cannot be is named."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table

from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.population.galaxies import galaxy_table, read_galaxies
from astroclumps.population.mappings import MAPPINGS
from astroclumps.population.selection import GalaxyCuts

COLUMNS = {
    "galaxy": "ID", "ra": ("RAdeg", "deg"), "dec": ("DEdeg", "deg"), "redshift": "zbest", "mass": ("M_med", "log10 Msun"),
    "ssfr": ("lssfr", "log10 1/yr"), "r_e": ("hlr", "pix"), "axis_ratio": "q", "flag": "f",
}  # fmt: skip
PIXEL = 0.06 * u.arcsec


def theirs(**changed):
    columns = {
        "ID": [11, 12, 13], "RAdeg": [53.1, 53.2, 53.3], "DEdeg": [-27.8, -27.7, -27.9], "zbest": [1.2, 2.5, -99.0],
        "M_med": [10.0, 9.5, -99.0], "lssfr": [-9.0, -11.0, 99.0], "hlr": [5.0, 10.0, -99.0], "q": [0.8, 0.7, -99.0], "f": [0, 0, 3],
    }  # fmt: skip
    return Table({**columns, **changed})


def made(table, **options):
    return galaxy_table(table, **{"columns": COLUMNS, "missing": (-99, 99), "pixel_scale": PIXEL, **options})


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "csv", "ecsv", "vot", "cat", "dat"])
def test_every_format_gives_the_same_table_and_goes_through_the_cuts(tmp_path, suffix):
    path = tmp_path / f"galaxies.{suffix}"
    formats = {"cat": "ascii.commented_header", "dat": "ascii.basic", "vot": "votable", "csv": "ascii.csv", "ecsv": "ascii.ecsv"}
    theirs().write(path, **({"format": formats[suffix]} if suffix in formats else {}))
    table = read_galaxies(path, columns=COLUMNS, missing=(-99, 99), pixel_scale=PIXEL)
    assert table["galaxy"].tolist() == [11, 12, 13]
    assert table["mass"][:2].to_value(u.Msun) == pytest.approx([1e10, 10**9.5])
    assert table["ssfr"][:2].to_value(1 / u.yr) == pytest.approx([1e-9, 1e-11])
    assert table["r_e"][:2].to_value(u.arcsec) == pytest.approx([0.3, 0.6])
    assert table["flag"].tolist() == [0, 0, 3]
    for name in ("redshift", "mass", "ssfr", "r_e", "axis_ratio"):
        assert np.isnan(table[name][2])
    selection = GalaxyCuts(bands=None).apply(table)
    assert selection.kept.tolist() == [True, False, False]
    assert selection.losses["n_missing"].tolist() == [1, 1, 1, 1, 1]
    assert path.name in table.meta["history"][0]


def test_units_of_the_file_count_and_contradictions_are_refused():
    table = theirs()
    table["hlr"].unit, table["M_med"].unit = "mas", u.dex(u.Msun)
    table["hlr"][:] = [300.0, 600.0, 900.0]
    columns = {**COLUMNS, "r_e": "hlr", "mass": "M_med"}
    assert made(table, columns=columns)["r_e"].to_value(u.arcsec) == pytest.approx([0.3, 0.6, 0.9])
    assert made(table, columns=columns)["mass"][0].to_value(u.Msun) == pytest.approx(1e10)
    with pytest.raises(CatalogError, match="is in mas, but columns says pix for r_e"):
        made(table)


@pytest.mark.parametrize(
    ("column", "entry", "message"),
    [
        ("r_e", "hlr", r"'hlr' of the table has no unit; say what r_e is in, such as columns=\{'r_e': \('hlr', 'arcsec'\)\}"),
        ("r_e", ("hlr", "kpc"), "r_e must be in units of arcsec; column 'hlr' of the table is in kpc"),
        ("mass", ("M_med", "Msun"), r"median of 9.75 solMass: logarithms; map it as \('M_med', 'log10 Msun'\)"),
        ("mass", ("big", "log10 Msun"), r"median of 1e\+10: masses, no logarithms; map it as \('big', 'Msun'\)"),
        ("mass", "M_med", r"such as columns=\{'mass': \('M_med', 'log10 solMass'\)\}"),
        ("redshift", "z_best", r"lacks 'z_best' \(for redshift\); it has ID, RAdeg"),
    ],
)
def test_wrong_columns_are_named(column, entry, message):
    table = theirs(big=[1e10, 1e10, -99.0])
    with pytest.raises(CatalogError, match=message):
        made(table, columns={**COLUMNS, column: entry})


def test_pixels_need_their_size():
    with pytest.raises(CatalogError, match=r"is in pix; give pixel_scale, such as 0.06 \* u.arcsec"):
        made(theirs(), pixel_scale=None)


def test_what_cannot_be_is_refused_or_removed_and_counted():
    table = theirs(q=[1.2, 0.7, -99.0], hlr=[5.0, 0.0, -1.0])
    with pytest.raises(CatalogError, match=r"2 of 3 values of r_e \(galaxy 12: 0\); 1 of 3 values of axis_ratio \(galaxy 11: 1.2\)"):
        made(table)
    with pytest.warns(AstroclumpsWarning, match="2 of 3 values of r_e .* became NaN"):
        kept = made(table, out_of_range="nan")
    assert np.isnan(kept["axis_ratio"]).tolist() == [True, False, True]
    assert np.isnan(kept["r_e"]).tolist() == [False, True, True]


@pytest.mark.parametrize(("name", "value"), [("RAdeg", 361.0), ("DEdeg", -91.0), ("zbest", -1.0), ("zbest", np.inf), ("M_med", 15.0)])
def test_ranges_of_the_rest(name, value):
    table = theirs()
    table[name][1] = value
    with pytest.raises(CatalogError, match="1 of 3 values .*galaxy 12.* cannot be"):
        made(table)


def test_missing_may_be_said_for_single_columns():
    table = theirs(zbest=[1.2, -1.0, 2.0], RAdeg=[53.1, 99.0, 53.3])
    one = made(table, missing={"redshift": [-1], "mass": [-99], "ssfr": [99], "r_e": [-99], "axis_ratio": [-99]})
    assert np.isnan(one["redshift"]).tolist() == [False, True, False]
    assert one["ra"][1] == 99 * u.deg


def test_masked_values_are_missing():
    table = theirs(q=MaskedColumn([0.8, 0.7, 0.6], mask=[False, True, False]), f=MaskedColumn([0, 1, 2], mask=[False, False, True]))
    result = made(table)
    assert np.isnan(result["axis_ratio"]).tolist() == [False, True, False]
    assert np.isnan(result["flag"]).tolist() == [False, False, True]
    assert not np.ma.isMaskedArray(result["flag"])


def test_ids_are_checked_and_named():
    assert made(theirs(), names="GDS-{}")["galaxy"].tolist() == ["GDS-11", "GDS-12", "GDS-13"]
    assert made(theirs(ID=[" a", "b ", "c"]))["galaxy"].tolist() == ["a", "b", "c"]
    assert made(theirs(ID=[1.0, 2.0, 3.0]))["galaxy"].dtype.kind == "i"
    with pytest.raises(CatalogError, match="1 ids of the table occur more than once, such as 11"):
        made(theirs(ID=[11, 11, 12]))
    with pytest.raises(CatalogError, match="1 rows of the table have no id"):
        made(theirs(ID=["a", "", "c"]))
    with pytest.raises(CatalogError, match="must be whole numbers or text, got float64"):
        made(theirs(ID=[1.5, 2.0, 3.0]))
    with pytest.raises(CatalogError, match="has no column that names the galaxies"):
        made(theirs(), columns={"redshift": "zbest"})


def test_our_own_names_need_no_mapping_and_case_does_not_matter():
    table = QTable({"galaxy": ["a"], "redshift": [1.0], "mass": [1e10] * u.Msun, "flux_f160w": [500.0] * u.nJy, "other": [1]})
    result = galaxy_table(table)
    assert result.colnames == ["galaxy", "redshift", "mass", "flux_f160w"]
    assert result["flux_f160w"][0].to_value(u.uJy) == pytest.approx(0.5)
    assert made(theirs(), columns={"galaxy": "id", "redshift": "ZBEST"})["redshift"][0] == 1.2


def test_sexagesimal_positions():
    table = Table({"ID": [1], "RA": ["03:32:30"], "DEC": ["-27:48:00"]})
    result = galaxy_table(table, columns={"galaxy": "ID", "ra": ("RA", "hourangle"), "dec": ("DEC", "deg")})
    assert (result["ra"][0].value, result["dec"][0].value) == pytest.approx((53.125, -27.8))


def test_named_mappings_state_their_source_and_read_their_files(tmp_path):
    assert all(one.source and "galaxy" in one.columns for one in MAPPINGS.values())
    lines = "#   NUMBER         RA        DEC          f        mag         re          n          q         pa\n#\n"
    lines += "1 150.071442 2.169014 3 -999 -999 -999 -999 -999\n7 150.068359 2.171062 1 23.7375 0.081234 3.8636 0.7739 68.6406\n"
    (tmp_path / "cosmos.galfit").write_text(lines)  # two rows of the layout of van der Wel et al. (2012)
    table = read_galaxies(tmp_path / "cosmos.galfit", columns="3dhst-galfit")
    assert table["r_e"][1] == 0.081234 * u.arcsec
    assert np.isnan(table["axis_ratio"][0])
    (tmp_path / "fast.fout").write_text("# id z lmass lsfr lssfr\n# FAST version: 0.9b\n1 1.5 10.2 -99 -99\n2 2.0 9.8 1.3 -8.5\n")
    table = read_galaxies(tmp_path / "fast.fout", columns="3dhst-fout")
    assert np.isnan(table["sfr"][0])
    assert table["sfr"][1].to_value(u.Msun / u.yr) == pytest.approx(10**1.3)
    with pytest.raises(ValueError, match="no mapping 'vdw'; there are candels-mass"):
        galaxy_table(theirs(), columns="vdw")


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_galaxies(tmp_path / "none.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(CatalogError, match="holds no table"):
        read_galaxies(tmp_path / "image.fits")
    (tmp_path / "bad.fits").write_text("no")
    with pytest.raises(CatalogError, match="not a readable FITS"):
        read_galaxies(tmp_path / "bad.fits")
    (tmp_path / "bad.vot").write_text("<no")
    with pytest.raises(CatalogError, match="is not a readable table"):
        read_galaxies(tmp_path / "bad.vot")


def test_the_first_table_is_read_and_another_on_request(tmp_path):
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2))), fits.table_to_hdu(theirs()), fits.table_to_hdu(theirs()[:1])]
    ).writeto(tmp_path / "two.fits")
    options = {"columns": {"galaxy": "ID"}}
    assert len(read_galaxies(tmp_path / "two.fits", **options)) == 3
    assert len(read_galaxies(tmp_path / "two.fits", hdu=3, **options)) == 1


def test_no_rows_in_no_rows_out():
    result = made(theirs()[:0])
    assert len(result) == 0
    assert result["mass"].unit == u.Msun


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="'raise' or 'nan'"):
        made(theirs(), out_of_range="clip")
    with pytest.raises(TypeError, match="columns must be a mapping"):
        made(theirs(), columns=["ID"])
    with pytest.raises(ValueError, match="the unit of 'r_e'"):
        made(theirs(), columns={**COLUMNS, "r_e": ("hlr", "pixel size")})


@pytest.mark.real_data
def test_a_real_catalogue_of_cosmos(real_data):
    folder = real_data / "cosmos_f814w"
    columns = {"galaxy": "IDENT", "ra": ("RA", "deg"), "dec": ("DEC", "deg"), "mag": "MAG"}
    table = read_galaxies(folder / "real_galaxy_catalog_26_extension_example.fits", columns=columns)
    assert len(table) == 100
    assert ((149 < table["ra"].value) & (table["ra"].value < 151)).all()
    columns = {"galaxy": "IDENT", "redshift": "ZPHOT", "r_e": ("flux_radius", "pix")}
    path = folder / "real_galaxy_catalog_26_extension_example_fits.fits"
    table = read_galaxies(path, columns=columns, pixel_scale=0.03 * u.arcsec)
    assert table["r_e"][0].to_value(u.arcsec) == pytest.approx(9.132363 * 0.03)
    photometry = {"galaxy": "filter", "flux_here": ("flux_uJy", "uJy"), "flux_err_here": ("err_uJy", "uJy")}
    table = read_galaxies(real_data / "goodss_17433" / "CANDELS_GOODSS_17433_phot_uJy.csv", columns=photometry, missing=[9.9e99])
    assert len(table) == 15
    assert np.isnan(table["flux_err_here"]).sum() == 1
