import astropy.units as u
import numpy as np
import pytest

from astroclumps import catalog
from astroclumps.exceptions import CatalogError

SUFFIXES = [".ecsv", ".fits", ".vot"]


def found(stage="found", n=3):
    table = catalog.make_table(stage, n)
    for i, axis in enumerate("xyz"):
        table[f"pos_{axis}"][:] = (i + np.arange(n)) * u.kpc
    table["mass"][:] = np.arange(1, n + 1) * 1e8 * u.Msun
    table["origin"][:] = np.array(["in situ", "bulge", "ex situ"])[np.arange(n) % 3]
    table["component"][:] = "stars"
    return table


def test_stages_of_images_do_not_list_those_of_three_dimensions():
    assert catalog.STAGES_3D == ("found", "tracked")
    assert not set(catalog.STAGES) & set(catalog.STAGES_3D)
    assert {column.stage for column in catalog.COLUMNS_3D} == set(catalog.STAGES_3D)


def test_tracked_holds_all_columns_of_found_first():
    one, two = catalog.make_table("found").colnames, catalog.make_table("tracked").colnames
    assert two[: len(one)] == one
    assert len(two) > len(one)
    assert len(set(two)) == len(two)
    assert catalog.make_table(catalog.STAGES_3D).colnames == two


@pytest.mark.parametrize(
    ("name", "unit"),
    [("mass", u.Msun), ("radius", u.kpc), ("t_ff", u.Myr), ("age", u.Gyr), ("sigma", u.km / u.s), ("density", u.Msun / u.kpc**3)],
)
def test_columns_have_their_units(name, unit):
    assert catalog.make_table("found", 1)[name].unit == unit


def test_every_column_has_a_description_and_an_ucd_of_the_vocabulary():
    from astropy.io.votable.ucd import check_ucd

    assert all(column.description for column in catalog.COLUMNS_3D)
    assert [c.name for c in catalog.COLUMNS_3D if not check_ucd(c.ucd, check_controlled_vocabulary=True)] == []
    table = catalog.describe("tracked")
    assert list(table["name"]) == [column.name for column in catalog.COLUMNS_3D]


def test_names_shared_with_images_have_the_same_unit_and_kind():
    flat = {column.name: column for column in catalog.COLUMNS}
    shared = [(flat[c.name], c) for c in catalog.COLUMNS_3D if c.name in flat]
    assert {c.name for _, c in shared} >= {"id", "mass", "sfr", "age", "metallicity", "flags", "longevity"}
    assert all((a.unit, a.dtype) == (b.unit, b.dtype) for a, b in shared)


def test_images_and_three_dimensions_do_not_mix():
    with pytest.raises(ValueError, match="make two tables"):
        catalog.make_table(["found", "fitted"])
    with pytest.raises(ValueError, match="leave bands out"):
        catalog.make_table("found", bands=["F160W"])


def test_validate_accepts_its_own_tables_and_names_what_is_wrong():
    table = found("tracked")
    catalog.validate(table, "tracked", who="me")
    table["pos_z"][1] = np.nan * u.kpc
    with pytest.raises(CatalogError, match="me: column 'pos_z' must be finite; it is not for id 2"):
        catalog.validate(table, "found", who="me")
    wrong = found()
    wrong["mass"] = wrong["mass"].to(u.kg)
    with pytest.raises(CatalogError, match="column 'mass' must have the unit solMass, got the unit kg"):
        catalog.validate(wrong, "found", who="me")
    with pytest.raises(CatalogError, match="column 'snapshot' of stage tracked is missing"):
        catalog.validate(found(), "tracked", who="me")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("n", [0, 3])
def test_round_trip_keeps_units_kinds_and_descriptions(tmp_path, suffix, n):
    table = found("tracked", n)
    table["longevity"][:] = "LLC"
    catalog.add_history(table, "found by hand")
    catalog.write(table, tmp_path / f"clumps{suffix}")
    back = catalog.read(tmp_path / f"clumps{suffix}")
    catalog.validate(back, "tracked", who="file")
    assert back.meta == table.meta
    for name in table.colnames:
        assert back[name].info.description == table[name].info.description
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))


def test_votable_carries_the_ucds_of_three_dimensions(tmp_path):
    from astropy.io.votable import parse

    catalog.write(found(), tmp_path / "clumps.vot")
    fields = {field.name: field for field in parse(tmp_path / "clumps.vot").get_first_table().fields}
    ucds = {column.name: column.ucd for column in catalog.COLUMNS_3D}
    assert all(field.ucd == ucds[name] for name, field in fields.items())


def test_tables_without_pixels_do_not_become_regions():
    with pytest.raises(CatalogError, match="only clumps in images"):
        catalog.to_regions(found())


def test_flags_of_three_dimensions():
    assert {flag.name: flag.value for flag in catalog.Flag3D} == {
        "FEW_STARS": 1,
        "FEW_ELEMENTS": 2,
        "TOUCHES_CENTRE": 4,
        "LARGE": 8,
        "GRID_EDGE": 16,
        "NO_STARS": 32,
        "UNRESOLVED": 64,
        "FEW_SOURCES": 128,
    }
    assert catalog.decode_flags([0, 40], flags=catalog.Flag3D) == [(), ("LARGE", "NO_STARS")]
    with pytest.raises(ValueError, match="unknown bits 256"):
        catalog.decode_flags(256, flags=catalog.Flag3D)
