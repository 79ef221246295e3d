"""Lists of galaxies and sources of their images."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

from astroclumps.exceptions import ImageError, SurveyError
from astroclumps.survey.galaxies import Galaxy, GalaxyList
from astroclumps.survey.sources import ImageFiles, make_source
from astroclumps.testing import example_image

TABLE = Table({"ID": [3, 1, 2], "RA": [10.0, 20.0, 30.0], "Dec": [-1.0, 0.0, 1.0], "z": [1.0, np.nan, 2.0], "flag": [True, False, True]})


@pytest.mark.parametrize("suffix", ["fits", "csv", "ecsv", "parquet"])
def test_every_format_gives_the_same_galaxies(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="the extra survey brings pyarrow")
    path = tmp_path / f"list.{suffix}"
    TABLE.write(path)
    read, direct = GalaxyList(path), GalaxyList(TABLE)
    assert [read[i][:6] for i in range(3)] == [direct[i][:6] for i in range(3)]
    assert read[0][:4] == ("3", 1.0, 10.0, -1.0)
    assert read[1].redshift is None


def test_a_list_of_pandas_is_read(tmp_path):
    pandas = pytest.importorskip("pandas", reason="a peer that writes Parquet")
    pytest.importorskip("pyarrow", reason="the extra survey brings pyarrow")
    frame = pandas.DataFrame({"id": ["a", "b"], "redshift": [1.0, None], "n": pandas.array([1, None], dtype="Int64"), "t": ["x", None]})
    frame.to_parquet(tmp_path / "list.parquet")
    found = GalaxyList(tmp_path / "list.parquet")
    assert found[0][:2] == ("a", 1.0)
    assert found[1].redshift is None
    assert found[1].fields["t"] == ""


def test_units_are_converted():
    table = QTable({"id": ["a"], "ra": [1.0] * u.hourangle, "dec": [60.0] * u.arcmin})
    assert GalaxyList(table)[0][2:4] == (pytest.approx(15.0), pytest.approx(1.0))


def test_sexagesimal_text_is_a_position():
    found = GalaxyList(Table({"id": ["a", "b"], "ra": ["03:32:37.55", ""], "dec": ["-27:46:58.3", ""]}))
    assert found[0][2:4] == (pytest.approx(53.1564583), pytest.approx(-27.7828611))
    assert found[1][2:4] == (None, None)
    with pytest.raises(SurveyError, match="degrees or 03:32:37.5.*'north'") as caught:
        GalaxyList(Table({"id": ["a"], "ra": ["north"], "dec": ["1"]}))
    assert "np." not in str(caught.value)


def test_a_sky_coordinate_is_a_position():
    table = QTable({"id": ["a"], "sky": SkyCoord([150.0], [2.0], unit="deg")})
    assert GalaxyList(table)[0][2:4] == (150.0, 2.0)


def test_masked_values_are_unknown():
    table = Table({"id": ["a", "b"], "redshift": MaskedColumn([1.0, 2.0], mask=[False, True])})
    table["mass"] = MaskedColumn([1, 2], mask=[True, False])
    found = GalaxyList(table)
    assert found[1].redshift is None
    assert np.isnan(found[0].fields["mass"])


def test_whole_numbers_as_floats_are_ids():
    assert GalaxyList(Table({"id": [1.0, 2.0]}))[1].id == "2"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["a", "a"]}, "the id 'a' stands in rows 1 and 2"),
        ({"id": ["a", ""]}, "row 2 has no id"),
        ({"number": [1, 2]}, "no column id"),
        ({"id": ["a", "b"], "ra": [1.0, 2.0]}, "but none for dec"),
        ({"id": ["a", "b"], "z": [1.0, 2.0], "redshift": [1.0, 2.0]}, "which column is redshift"),
        ({"id": ["a", "b"], "redshift": [1.0, -99.0]}, "redshift of galaxy 'b' is -99"),
        ({"id": ["a", "b"], "ra": [1.0, 2.0], "dec": [0.0, 91.0]}, "dec of galaxy 'b' is 91"),
        ({"id": ["a", "b"], "redshift": ["x", "y"]}, "is to hold numbers"),
        ({"id": ["a", "b"], "redshift": [1.0, np.inf]}, "is inf"),
    ],
)
def test_unfit_lists_are_named(columns, said):
    with pytest.raises(SurveyError, match=said):
        GalaxyList(Table(columns))


def test_a_column_can_be_named():
    found = GalaxyList(Table({"NUMBER": [5], "z": [1.0], "redshift": [2.0]}), columns={"id": "NUMBER", "redshift": "z"})
    assert found[0][:2] == ("5", 1.0)
    assert found[0].fields == {"redshift": 2.0}
    with pytest.raises(SurveyError, match="has no column 'nope'"):
        GalaxyList(TABLE, columns={"id": "nope"})
    with pytest.raises(SurveyError, match="none of id, ra"):
        GalaxyList(TABLE, columns={"mass": "z"})


def test_files_that_are_no_lists(tmp_path):
    with pytest.raises(SurveyError, match="there is no list"):
        GalaxyList(tmp_path / "nothing.csv")
    (tmp_path / "list.txt").write_text("id\n1\n")
    with pytest.raises(SurveyError, match="by its suffix"):
        GalaxyList(tmp_path / "list.txt")
    (tmp_path / "list.fits").write_bytes(b"SIMPLE  =")
    with pytest.raises(SurveyError, match="not a readable list"):
        GalaxyList(tmp_path / "list.fits")


def test_the_digest_knows_values_and_not_files(tmp_path):
    TABLE.write(tmp_path / "a.ecsv")
    assert GalaxyList(tmp_path / "a.ecsv").digest == GalaxyList(TABLE).digest
    other = TABLE.copy()
    other["RA"][0] = 10.0001
    assert GalaxyList(other).digest != GalaxyList(TABLE).digest


# sources


def galaxy(**known):
    base = {"id": "a", "redshift": 1.5, "ra": None, "dec": None, "x": None, "y": None, "fields": {}}
    return Galaxy(**(base | known))


def test_columns_fill_a_pattern():
    files = ImageFiles(pattern="{field}/{id}_{number:04d}.fits")
    assert files.path(galaxy(fields={"field": "north", "number": 7})) == "north/a_0007.fits"
    with pytest.raises(SurveyError, match="asks for the column 'field'"):
        files.path(galaxy())


@pytest.mark.parametrize("pattern", ["a.fits", "{id.__class__}.fits", "{id[0]}.fits", "{id", "{0.x}"])
def test_patterns_that_cannot_be_meant(pattern):
    with pytest.raises(ValueError, match="images: the pattern"):
        ImageFiles(pattern=pattern)


def test_brackets_of_a_value_stand_for_themselves(tmp_path):
    (tmp_path / "g[1]").mkdir()
    for band in ("F435W", "F160W"):
        example_image(bands=(band,)).write(tmp_path / "g[1]" / f"x_{band}.fits")
    files = ImageFiles(pattern=f"{tmp_path}/{{id}}.fits")
    example_image().write(tmp_path / "g[1].fits")
    assert files.read(galaxy(id="g[1]")).redshift == 1.5


def test_a_cut_out_by_position(tmp_path):
    image = example_image()
    image.write(tmp_path / "a.fits")
    sky = image.sky(40.0, 30.0)
    files = ImageFiles(pattern=f"{tmp_path}/{{id}}.fits", size=16)
    by_sky = files.read(galaxy(ra=float(sky.ra.deg), dec=float(sky.dec.deg)))
    by_pixel = files.read(galaxy(x=40.0, y=30.0))
    np.testing.assert_array_equal(by_sky.data, by_pixel.data)
    np.testing.assert_array_equal(by_pixel.data, image.cutout(40, 30, 16).data)
    with pytest.raises(ImageError, match="needs x and y"):
        files.read(galaxy())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"there is no file .*a\.fits"):
        ImageFiles(pattern=f"{tmp_path}/{{id}}.fits").read(galaxy())


def test_the_settings_of_a_source_are_plain():
    import json

    files = make_source("{id}.fits", options={"psf": np.ones((9, 9)), "unit": u.nJy}, size=64)
    text = json.dumps(files.describe())
    assert "sha256" in text
    assert "nJy" in text


def test_a_source_has_its_own_settings():
    files = ImageFiles(pattern="{id}.fits")
    assert make_source(files) is files
    with pytest.raises(ValueError, match="its own settings"):
        make_source(files, size=3)
    with pytest.raises(ValueError, match="one file a galaxy"):
        make_source("mosaic_*.fits", format="cube")
