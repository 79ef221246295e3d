import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

from astroclumps import bands, catalog
from astroclumps.exceptions import CatalogError

SUFFIXES = [".ecsv", ".fits", ".vot", ".xml", ".votable"]


def make_clumps(stage="detected", n=3, *, sky=False, names=()):
    table = catalog.make_table(stage, n, bands=names)
    table["x"][:] = np.arange(n) * u.pix
    table["y"][:] = 1.5 * np.arange(n) * u.pix
    if sky:
        table["sky"] = SkyCoord(ra=np.linspace(53.1, 53.2, n) * u.deg, dec=np.full(n, -27.8) * u.deg)
    return table


def full_table(n=3):
    table = make_clumps(catalog.STAGES, n, sky=True, names=bands.CANDELS)
    if n:
        table["longevity"][:] = ["LLC", "SLC", ""]
        table["p_long"][:2] = [0.9, 0.1]
        table["mass"][:] = [1e7, 2e8, np.nan] * u.Msun
        table["flux_f160w"][:] = [0.1, -0.2, np.nan] * u.uJy
        table["sfh"][:] = "constant"
    catalog.add_history(table, "UNetDetector(weights='unet \"x\"') <b> & é of astroclumps " + "y" * 200)
    catalog.add_history(table, "second line")
    table.meta["note"] = "kept, too"
    return table


def assert_same(one, two):
    assert one.colnames == two.colnames
    assert one.meta == two.meta
    for name in two.colnames:
        if name == "sky":
            assert np.all(one["sky"].separation(two["sky"]) < 1e-6 * u.arcsec)
            continue
        assert getattr(one[name], "unit", None) == getattr(two[name], "unit", None), name
        assert one[name].dtype.kind == two[name].dtype.kind, name
        assert one[name].dtype.isnative
        assert one[name].info.description == two[name].info.description
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(two[name]))


@pytest.mark.parametrize(
    ("stage", "columns"),
    [
        ("detected", ["id", "x", "y", "score", "n_pixels"]),
        ("classified", ["id", "x", "y", "score", "n_pixels", "p_long", "p_long_err", "longevity"]),
        ("measured", ["id", "x", "y", "score", "n_pixels", "flux_f606w", "flux_err_f606w", "background_f606w", "flags"]),
    ],
)
def test_make_table_has_the_columns_of_its_stage(stage, columns):
    table = catalog.make_table(stage, bands=["F606W"])
    assert table.colnames == columns
    assert len(table) == 0
    assert table.meta == {"history": []}


def test_fitted_table_has_percentiles_with_units():
    table = catalog.make_table("fitted", 2)
    for name, unit in (("mass", u.Msun), ("sfr", u.Msun / u.yr), ("age", u.Gyr), ("a_v", u.mag)):
        assert [table[f"{name}{end}"].unit for end in ("", "_lo", "_hi")] == [unit] * 3
    assert list(table["id"]) == [1, 2]
    assert np.isnan(table["mass"]).all()
    assert list(table["sfh"]) == ["", ""]


def test_stages_may_be_combined():
    names = catalog.make_table(catalog.STAGES, bands=["F606W"]).colnames
    assert {"p_long", "flux_f606w", "mass"} <= set(names)
    assert len(names) == len(set(names))


def test_bands_order_the_columns_band_by_band():
    names = [name for name in catalog.make_table("measured", bands=bands.CANDELS).colnames if name.startswith("flux_f")]
    assert names == [f"flux_{band.column}" for band in bands.CANDELS]


def test_unknown_stage_is_an_error():
    with pytest.raises(ValueError, match="unknown stage 'seen'; stages are detected, classified, measured, fitted; in three"):
        catalog.make_table("seen")


def test_tables_do_not_share_history():
    one = make_clumps()
    catalog.add_history(one, "first")
    two = QTable(one, copy=False)
    catalog.add_history(two, "second\n  step")
    assert one.meta["history"] == ["first"]
    assert two.meta["history"] == ["first", "second step"]
    with pytest.raises(TypeError, match="must be a str"):
        catalog.add_history(one, 3)


def test_validate_accepts_what_make_table_makes_and_further_columns():
    table = full_table()
    table["mine"] = [1, 2, 3]
    catalog.validate(table, catalog.STAGES, who="me", bands=bands.CANDELS)
    catalog.validate(full_table(0), catalog.STAGES, who="me", bands=bands.CANDELS)


def test_validate_accepts_measured_without_classified():
    catalog.validate(make_clumps("measured", names=["F160W"]), "measured", who="me", bands=["F160W"])


def spoil(table, how):
    if how == "missing":
        table.remove_column("score")
    elif how == "unit":
        table["x"] = table["x"].value * u.arcsec
    elif how == "unit_scale":
        table["flux_f160w"] = table["flux_f160w"].to(u.nJy)
    elif how == "no_unit":
        table["y"] = table["y"].value
    elif how == "dtype":
        table["id"] = table["id"].astype(float)
    elif how == "shape":
        table["score"] = np.zeros((3, 2))
    elif how == "twice":
        table["id"] = [1, 2, 2]
    elif how == "zero":
        table["id"] = [0, 1, 2]
    elif how == "nan":
        table["x"][1] = np.nan * u.pix
    elif how == "masked":
        table["score"] = MaskedColumn([0.1, 0.2, 0.3], mask=[False, True, False])
    elif how == "band":
        table.remove_column("background_f160w")
    return table


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "column 'score' of stage detected is missing"),
        ("unit", "column 'x' must have the unit pix, got the unit arcsec"),
        ("unit_scale", "column 'flux_f160w' must have the unit uJy, got the unit nJy"),
        ("no_unit", "column 'y' must have the unit pix, got no unit"),
        ("dtype", "column 'id' must hold int64, one value a row, got float64"),
        ("shape", r"column 'score' must hold float64, one value a row, got float64 of shape \(3, 2\)"),
        ("twice", "column 'id' must hold unique positive numbers, got 1, 2, 2"),
        ("zero", "column 'id' must hold unique positive"),
        ("nan", "column 'x' must be finite; it is not for id 2"),
        ("masked", "column 'score' is masked"),
        ("band", "column 'background_f160w' of stage measured is missing"),
    ],
)
def test_validate_names_the_culprit(how, message):
    table = spoil(make_clumps("measured", names=["F160W"]), how)
    with pytest.raises(CatalogError, match=f"^BadPlugin: {message}"):
        catalog.validate(table, "measured", who="BadPlugin", bands=["F160W"])


def test_validate_checks_bands_it_was_not_told_of():
    with pytest.raises(CatalogError, match="flux_f160w"):
        catalog.validate(spoil(make_clumps("measured", names=["F160W"]), "unit_scale"), "measured", who="me")


def test_validate_leaves_unknown_bands_to_the_user():
    table = make_clumps("measured", names=["F160W"])
    table["flux_f475w"] = [1.0, 2.0, 3.0]
    catalog.validate(table, "measured", who="me", bands=["F160W"])


@pytest.mark.parametrize("table", [None, {"id": [1]}, Table({"id": [1]})], ids=["none", "dict", "table"])
def test_validate_wants_a_qtable(table):
    with pytest.raises(CatalogError, match="plugin: a table must be an astropy QTable"):
        catalog.validate(table, "detected", who="plugin")


def test_flag_bits_are_fixed():
    values = {flag.name: flag.value for flag in catalog.Flag}
    assert values == {
        "EDGE": 1,
        "OVERLAP": 2,
        "MASKED": 4,
        "NEGATIVE_FLUX": 8,
        "MISSING_BAND": 16,
        "SED_FAILED": 32,
        "STAMP_EDGE": 64,
        "LOW_EFFECTIVE": 128,
        "POOR_FIT": 256,
        "SIZE_FAILED": 512,
    }


def test_decode_flags():
    assert catalog.decode_flags(0) == ()
    assert catalog.decode_flags(catalog.Flag.OVERLAP | catalog.Flag.SED_FAILED) == ("OVERLAP", "SED_FAILED")
    assert catalog.decode_flags(np.array([1, 128])) == [("EDGE",), ("LOW_EFFECTIVE",)]
    assert catalog.decode_flags([]) == []


@pytest.mark.parametrize("value", [1024, 1025, -1])
def test_unknown_flag_bits_are_errors(value):
    with pytest.raises(ValueError, match="unknown bits"):
        catalog.decode_flags(value)


def test_flags_must_be_whole():
    with pytest.raises(TypeError, match="whole numbers"):
        catalog.decode_flags(1.0)


def test_describe_lists_every_column_once():
    table = catalog.describe()
    assert list(table["name"]) == [column.name for column in catalog.COLUMNS]
    assert len(set(table["name"])) == len(table)
    assert all(table["description"])
    assert set(table["stage"]) == set(catalog.STAGES)


def test_ucds_are_in_the_vocabulary():
    from astropy.io.votable.ucd import check_ucd

    columns = catalog.columns(catalog.STAGES, bands=bands.CANDELS + bands.NIRCAM)
    wrong = [column.name for column in columns if not check_ucd(column.ucd, check_controlled_vocabulary=True)]
    assert wrong == []


def test_flux_ucd_states_the_spectral_range():
    ucds = {column.name: column.ucd for column in catalog.columns("measured", bands=["F435W", "F160W"])}
    assert ucds["flux_f435w"] == "phot.flux.density;em.opt.B"
    assert ucds["flux_f160w"] == "phot.flux.density;em.IR.H"


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_keeps_everything(tmp_path, suffix, n):
    table = full_table(n)
    catalog.write(table, tmp_path / f"clumps{suffix}")
    back = catalog.read(tmp_path / f"clumps{suffix}")
    assert isinstance(back, QTable)
    assert_same(back, table)
    catalog.validate(back, catalog.STAGES, who="file", bands=bands.CANDELS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_without_sky_and_with_own_columns(tmp_path, suffix):
    table = make_clumps()
    table["mine"] = [1.0, 2.0, 3.0] * u.km
    table["name"] = ["a", "", "c d"]
    catalog.write(table, tmp_path / f"clumps{suffix}")
    assert_same(catalog.read(tmp_path / f"clumps{suffix}"), table)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".reg"])
def test_write_leaves_the_table_alone_and_asks_before_overwriting(tmp_path, suffix):
    table, path = full_table(), tmp_path / f"clumps{suffix}"
    catalog.write(table, path)
    assert_same(table, full_table())
    with pytest.raises(FileExistsError, match="overwrite=True"):
        catalog.write(table, path)
    catalog.write(table[:1], path, overwrite=True)
    if suffix != ".reg":
        assert len(catalog.read(path)) == 1


def test_votable_fields_carry_ucds_units_and_frame(tmp_path):
    from astropy.io.votable import parse

    catalog.write(full_table(), tmp_path / "clumps.vot")
    fields = {field.name: field for field in parse(tmp_path / "clumps.vot").get_first_table().fields}
    assert fields["id"].ucd == "meta.id;meta.main"
    assert fields["mass"].ucd == "phys.mass"
    assert str(fields["mass"].unit) == "solMass"
    assert fields["flux_f606w"].ucd == "phot.flux.density;em.opt.V"
    assert fields["ra"].ucd == "pos.eq.ra;meta.main"
    assert fields["ra"].ref == "ICRS"


def test_fits_table_is_plain_for_other_programs(tmp_path):
    from astropy.io import fits

    catalog.write(full_table(), tmp_path / "clumps.fits")
    with fits.open(tmp_path / "clumps.fits") as hdus:
        assert {"ra", "dec", "mass"} <= set(hdus["CLUMPS"].columns.names)
        assert hdus["CLUMPS"].columns["mass"].unit == "solMass"


@pytest.mark.parametrize("name", ["clumps.csv", "clumps", "clumps.fits.gz"])
def test_unknown_suffixes_are_errors_with_the_list(tmp_path, name):
    with pytest.raises(ValueError, match=r"suffix must be one of .*\.ecsv"):
        catalog.write(make_clumps(), tmp_path / name)


def test_regions_are_not_read(tmp_path):
    with pytest.raises(ValueError, match="cannot read a table"):
        catalog.read(tmp_path / "clumps.reg")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none.ecsv"):
        catalog.read(tmp_path / "none.ecsv")


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n1 2 3 4"], ids=["empty", "text"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_tables_are_errors_that_name_the_file(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="broken"):
        catalog.read(path)


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_truncated_tables_are_errors(tmp_path, suffix):
    path = tmp_path / f"cut{suffix}"
    catalog.write(full_table(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CatalogError, match="cut"):
        catalog.read(path)


def test_image_file_is_not_a_table(tmp_path):
    from astropy.io import fits

    fits.writeto(tmp_path / "image.fits", np.ones((4, 4)))
    with pytest.raises(CatalogError, match="holds no table"):
        catalog.read(tmp_path / "image.fits")


def test_regions_are_circles_with_id_and_class():
    regions = catalog.to_regions(full_table())
    # section 5.1: circles of r = 4 pixels are masked around clumps
    assert [region.radius for region in regions] == [4.0] * 3
    assert [region.meta["text"] for region in regions] == ["1 LLC", "2 SLC", "3"]
    assert len({region.visual["color"] for region in regions}) == 3
    assert (regions[1].center.x, regions[1].center.y) == (1.0, 1.5)


def test_sky_regions_need_sky_and_an_angle():
    table = full_table()
    circles = catalog.to_regions(table, radius=0.24 * u.arcsec, frame="sky")
    assert circles[0].radius == 0.24 * u.arcsec
    assert circles[0].center.separation(table["sky"][0]) < 1e-9 * u.arcsec
    scaled = catalog.to_regions(table, frame="sky", pixel_scale=0.06 * u.arcsec)
    assert abs(scaled[0].radius - 0.24 * u.arcsec) < 1e-9 * u.arcsec
    with pytest.raises(ValueError, match="pixel_scale"):
        catalog.to_regions(table, frame="sky")
    with pytest.raises(CatalogError, match="no column 'sky'"):
        catalog.to_regions(make_clumps(), radius=1 * u.arcsec, frame="sky")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"radius": 4}, TypeError, r"such as 4 \* u.pix"),
        ({"radius": -1 * u.pix}, ValueError, "positive"),
        ({"radius": 1 * u.arcsec}, ValueError, "pixel_scale"),
        ({"frame": "galactic"}, ValueError, "'pixel' or 'sky'"),
    ],
)
def test_wrong_region_options_are_errors(options, error, match):
    with pytest.raises(error, match=match):
        catalog.to_regions(make_clumps(), **options)


def test_ds9_file_reads_back_with_text(tmp_path):
    from regions import Regions

    catalog.write(full_table(), tmp_path / "clumps.reg")
    back = Regions.read(tmp_path / "clumps.reg", format="ds9")
    assert [str(region.meta["text"]) for region in back] == ["1 LLC", "2 SLC", "3"]
    assert abs(back[2].center.y - 3.0) < 1e-6


def test_empty_table_gives_an_empty_region_file(tmp_path):
    catalog.write(make_clumps(n=0), tmp_path / "clumps.reg")
    assert (tmp_path / "clumps.reg").is_file()
    assert len(catalog.to_regions(make_clumps(n=0))) == 0
