"""Damaged files: read rightly or refused by name, in bounded time and memory. ``benchmarks/fuzz.py`` is the long run of the same."""

import gzip
import importlib.util
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import astropy.units as u
import fuzz_archives
import fuzz_bytes
import fuzz_cases
import fuzz_mutations
import numpy as np
import pytest
from astropy.io import fits
from fuzz_seeds import NEEDS, READERS

from astroclumps import MultiBandImage, Snapshot, catalog, inflation
from astroclumps.exceptions import CatalogError, ImageError, SnapshotError, SurveyError
from astroclumps.npz_files import read_npz_arrays

CASES = 20
"""Damaged files of each reader."""


@pytest.fixture(scope="module", autouse=True)
def _clean():
    yield
    fuzz_cases.forget()


def need(reader):
    module = NEEDS.get(reader)
    if module is not None and importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}")


@pytest.mark.parametrize("reader", [pytest.param(one, marks=pytest.mark.needs_torch if one == "stamp set" else ()) for one in READERS])
def test_damaged_files_are_read_or_refused_by_name(reader):
    need(reader)
    outcomes = [(number, fuzz_cases.run(reader, 20, number)) for number in range(CASES)]
    assert [(number, outcome) for number, outcome in outcomes if not outcome.expected] == []


@pytest.mark.parametrize("reader", [one for one in READERS if one not in NEEDS and one != "stamp set"])
@pytest.mark.parametrize("change", [fuzz_mutations.directory, fuzz_mutations.link_loop, fuzz_mutations.missing])
def test_folders_and_links_instead_of_files(reader, change, tmp_path):
    made = READERS[reader][0](tmp_path)
    change(made, None)
    outcome = fuzz_cases.judge(reader, change.__name__, made)
    assert outcome.expected, outcome


def seed(reader, folder):
    return READERS[reader][0](folder)


def edit_card(path, key, value, *, after=b""):
    """Overwrite a card of a FITS file with any text."""
    data = path.read_bytes()
    place = data.index(key.encode().ljust(8) + b"=", data.index(after) if after else 0)
    path.write_bytes(data[:place] + f"{key:8}= {value:>20}".encode().ljust(80) + data[place + 80 :])
    return path


# ---- FITS


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("NAXIS", "999999999", "NAXIS = '999999999'"),
        ("NAXIS", "-1", "NAXIS = '-1'"),
        ("NAXIS1", "1000000000", "announces"),
        ("NAXIS1", "-12", "NAXIS1 = '-12'"),
        ("NAXIS2", "1e3", "NAXIS2 = '1e3'"),
        ("NAXIS3", "9" * 60, "NAXIS3 = "),
        ("BITPIX", "17", "BITPIX = 17"),
        ("BITPIX", "", "BITPIX = ''"),
        ("PCOUNT", "-2880", "PCOUNT = '-2880'"),
        ("GCOUNT", "99999999", "announces"),
    ],
)
def test_sizes_that_lie_in_fits_headers_are_named_at_once(tmp_path, key, value, message):
    path = edit_card(seed("image cube", tmp_path), key, value, after=b"XTENSION")
    began = time.monotonic()
    with pytest.raises(ImageError, match=f"cube.fits.*{message}"):
        MultiBandImage.read(path)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("key", "value"), [("TFORM1", "'1PJ(999999999)'"), ("TFORM1", "'999999999A'"), ("TFORM2", "'1QD(5)'"), ("TTYPE1", "9" * 68)]
)
def test_tables_of_metadata_that_lie_are_refused(tmp_path, key, value):
    path = edit_card(seed("image cube", tmp_path), key, value)
    with pytest.raises(ImageError, match=r"cube\.fits"):
        MultiBandImage.read(path)


def test_tiles_of_an_image_that_would_fill_the_memory_are_refused(tmp_path):
    path = edit_card(seed("image cube tiles", tmp_path), "ZNAXIS1", "1000000000")
    with pytest.raises(ImageError, match=r"tiles.fits has \d+ bytes, but announces \d+"):
        MultiBandImage.read(path)


def test_gzip_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(inflation, "FREE", 10**6)
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 3, "NAXIS1": 2000, "NAXIS2": 2000, "NAXIS3": 2})
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(header.tostring().encode() + bytes(2880 * (2 * 2000 * 2000 * 4 // 2880 + 1)), 9))
    with pytest.raises(ImageError, match=r"bomb.fits.gz has \d+ bytes, but announces 32000000"):
        MultiBandImage.read(path)


def test_what_zeros_compress_to_is_still_read(tmp_path):
    image = MultiBandImage(data=np.zeros((1, 600, 600)) * u.uJy, bands=["F160W"], redshift=1.0)
    image.write(tmp_path / "zeros.fits.gz")
    assert MultiBandImage.read(tmp_path / "zeros.fits.gz").data.shape == (1, 600, 600)


def test_metadata_nested_without_end_is_refused(tmp_path):
    path = seed("image cube", tmp_path)
    with fits.open(path) as hdus:
        text = "[" * 30_000 + "]" * 30_000
        column = [fits.Column("KEY", "1A", array=np.array(["a"])), fits.Column("VALUE", "60000A", array=np.array([text], dtype="S60000"))]
        made = fits.HDUList([*(hdu.copy() for hdu in hdus if hdu.name != "META"), fits.BinTableHDU.from_columns(column, name="META")])
        made.writeto(tmp_path / "deep.fits")
    with pytest.raises(ImageError, match="deep.fits: extension META is damaged"):
        MultiBandImage.read(tmp_path / "deep.fits")


def test_remarks_of_astropy_on_headers_are_not_passed_on(tmp_path):
    path = edit_card(seed("image cube XDF", tmp_path), "X0", "'é'")
    assert MultiBandImage.read(path).data.shape == (2, 10, 12)  # warnings are errors in these tests


@pytest.mark.parametrize(
    ("reader", "error"), [("galaxies FITS", SurveyError), ("population FITS", CatalogError), ("catalog FITS", CatalogError)]
)
def test_tables_cut_off_are_refused_and_not_read_in_part(tmp_path, reader, error):
    path = seed(reader, tmp_path)
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(error, match=path.name):
        READERS[reader][1](path)


# ---- archives


def npz(path, name, content):
    """An archive with a member replaced by bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, old in members.items():
            archive.writestr(one, content if one == name else old)
    return path


def lying(shape, kind="'<f4'"):
    return fuzz_archives._npy(header=f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}")


ARCHIVES = {
    "snapshot npz": "stars/mass.npy",
    "galaxy set": "data.npy",
    "mock set": "data.npy",
    "mass likelihood": "density.npy",
    "stamp set": "stamps.npy",
}
MARKED = [pytest.param(one, marks=pytest.mark.needs_torch if one == "stamp set" else ()) for one in ARCHIVES]


@pytest.mark.parametrize("reader", MARKED)
@pytest.mark.parametrize("shape", ["(1000000000000,)", "(40000, 40000)", "(-1,)", "(9223372036854775807, 9)"])
def test_arrays_that_announce_more_than_is_stored_are_refused(tmp_path, reader, shape):
    path = npz(seed(reader, tmp_path), ARCHIVES[reader], lying(shape))
    with pytest.raises(READERS[reader][3], match=path.name):
        READERS[reader][1](path)


@pytest.mark.parametrize("reader", MARKED)
def test_no_pickle_is_opened(tmp_path, monkeypatch, reader):
    monkeypatch.chdir(tmp_path)
    path = npz(seed(reader, tmp_path), ARCHIVES[reader], fuzz_archives._npy(np.array([fuzz_archives.Executed()], dtype=object)))
    with pytest.raises(READERS[reader][3], match="Python objects, which are never opened"):
        READERS[reader][1](path)
    assert not (tmp_path / "UNPICKLED").exists()


def test_the_pickle_of_these_tests_would_do_something(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npy"
    path.write_bytes(fuzz_archives._npy(np.array([fuzz_archives.Executed()], dtype=object)))
    np.load(path, allow_pickle=True)
    assert (tmp_path / "UNPICKLED").is_dir()


def test_names_of_members_are_keys_and_no_paths(tmp_path):
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../../outside", "/etc/outside"):
            archive.writestr(f"{name}.npy", fuzz_archives._npy(np.arange(3)))
    assert sorted(read_npz_arrays(path)) == ["../../outside", "/etc/outside"]
    assert [one.name for one in tmp_path.rglob("*")] == ["inner", "a.npz"]


def test_archives_in_any_order_and_type_come_back(tmp_path):
    arrays = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "s": np.array(["é", ""]),
        "0": np.array(3),
        "n": np.zeros((0, 4), ">i2"),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    read = read_npz_arrays(tmp_path / "a.npz")
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
        assert read[name].shape == array.shape
        read[name][...] = array  # may be written to


_BOMB = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import fuzz_cases
import astroclumps.simulation.npz, astroclumps.training.dataset
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 150 * 1024**2
resource.setrlimit(resource.RLIMIT_AS, (most, most))
outcome = fuzz_cases.judge({reader!r}, "bomb", Path({path!r}))
assert outcome.what == "refused", outcome
"""


@pytest.mark.parametrize("reader", ["snapshot npz", "mock set"])
def test_zip_bombs_are_refused_within_little_memory(tmp_path, reader):
    path = seed(reader, tmp_path)
    path.write_bytes(fuzz_archives.npz_bomb(path.read_bytes(), np.random.default_rng(0), size=300_000_000))
    code = _BOMB.format(tests=str(Path(__file__).parent), path=str(path), reader=reader)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# ---- HDF5


def hdf5(tmp_path, change):
    import h5py

    path = seed("snapshot gizmo", tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _unstored(file):
    del file["PartType4/Velocities"]
    file.create_dataset("PartType4/Velocities", shape=(30, 10**11), dtype="f8", chunks=(30, 1000))


def _unstored_places(file):
    del file["PartType4/Coordinates"]
    file.create_dataset("PartType4/Coordinates", shape=(10**12, 3), dtype="f8", chunks=(1000, 3))


def _scalar(file):
    del file["PartType4/Coordinates"]
    file["PartType4/Coordinates"] = 3.0


def _group(file):
    del file["PartType0/Masses"]
    file.create_group("PartType0/Masses")


def _loop(file):
    import h5py

    del file["PartType0/Masses"]
    file["PartType0/Masses"] = h5py.SoftLink("/PartType0/Masses")


@pytest.mark.parametrize("change", [_unstored, _unstored_places, _scalar, _group, _loop])
def test_fields_that_lie_are_refused(tmp_path, change):
    with pytest.raises(SnapshotError, match="snap_gizmo.hdf5"):
        Snapshot.read(hdf5(tmp_path, change))


@pytest.mark.parametrize("name", ["NumFilesPerSnapshot", "NumPart_ThisFile", "MassTable", "Time", "HubbleParam", "UnitLength_In_CGS"])
@pytest.mark.parametrize("value", [np.inf, np.nan, -1.0, "text", np.bytes_(b"x"), [], 2**62])
def test_headers_that_lie_are_read_or_refused(tmp_path, name, value):
    path = hdf5(tmp_path, lambda file: file["Header"].attrs.__setitem__(name, value))
    outcome = fuzz_cases.judge("snapshot gizmo", "header", path)
    assert outcome.expected, outcome


# ---- text


def test_aliases_of_yaml_do_not_become_a_billion_lines(tmp_path):
    path = seed("catalog ECSV", tmp_path)
    path.write_bytes(fuzz_bytes.yaml_laughs(path.read_bytes(), None))
    assert b"*a8" in path.read_bytes()
    with pytest.raises(CatalogError, match=r"clumps.ecsv.*history is not a list of lines"):
        catalog.read(path)


def test_entities_of_xml_do_not_become_a_billion_words(tmp_path):
    path = seed("catalog VOTable", tmp_path)
    path.write_bytes(fuzz_bytes.xml_laughs(path.read_bytes(), None))
    assert b"&l9;" in path.read_bytes()
    outcome = fuzz_cases.judge("catalog VOTable", "laughs", path)
    assert outcome.expected, outcome


def test_a_history_of_one_line_stays_one_line(tmp_path):
    path = seed("catalog ECSV", tmp_path)
    table = catalog.read(path)
    table.meta["history"] = "made by hand"
    table.write(path, format="ascii.ecsv", overwrite=True)
    assert catalog.read(path).meta["history"] == ["made by hand"]


@pytest.mark.parametrize("start", [b"\xff\xfe6\n", "²\n".encode(), b"9" * 5000 + b"\n", b"\x00\n"])
def test_odd_characters_in_catalogues_of_vela(tmp_path, start):
    path = seed("VELA text", tmp_path)
    path.write_bytes(start + path.read_bytes())
    with pytest.raises(CatalogError, match="disc_catalog.txt"):
        READERS["VELA text"][1](path)


def test_the_long_campaign_runs_and_goes_on(tmp_path):
    script = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"
    if not script.is_file():
        pytest.skip("the benchmarks are not beside these tests")
    for _ in range(2):
        given = ["--hours", "0.0001", "--seed", "5", "--out", str(tmp_path / "out"), "--reader", "VELA text", "--reader", "galaxies CSV"]
        subprocess.run([sys.executable, str(script), *given], check=True, capture_output=True, timeout=120)
    state = json.loads((tmp_path / "out" / "state.json").read_text())
    assert sum(row[-1] for row in state["counts"]) == sum(state["next"].values()) > 1
    assert (tmp_path / "out" / "counts.csv").read_text().startswith("reader,mutation,outcome,cases\n")
