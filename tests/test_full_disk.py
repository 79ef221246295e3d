"""On a full disk the old file stays whole, nothing lies under the final name, and the message says what to do."""

import errno
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from astroclumps import MultiBandImage, catalog, weights
from astroclumps.commands import products
from astroclumps.whole_files import write_whole

CARD = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {}, "bands": ["F160W"]}

# writes small files where there is room, then large ones over them where there is none
SCRIPT = """
import json, resource, sys
from pathlib import Path
import astropy.units as u
import numpy as np
from astroclumps import MultiBandImage, catalog, weights

folder, limit = Path(sys.argv[1]), int(sys.argv[2])

def image(n):
    return MultiBandImage(data=np.random.default_rng(0).normal(size=(1, n, n)) * u.uJy, bands=["F160W"], redshift=1.5)

def table(n):
    made = catalog.make_table("detected", n)
    made["x"] = np.random.default_rng(0).uniform(0, 99, n) * u.pix
    return made

card = CARD
writers = {name: lambda n, path: image(n).write(path, overwrite=True) for name in ("i.fits", "i.fits.gz")}
writers |= {name: lambda n, path: catalog.write(table(4 * n), path, overwrite=True) for name in ("t.ecsv", "t.fits", "t.vot", "t.reg")}
writers["w.safetensors"] = lambda n, path: weights.save(path, {"w": np.ones(n**2)}, card)
said = {}
for name, write in writers.items():
    write(2, folder / name)
small = {path.name: path.read_bytes() for path in folder.iterdir()}
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
else:  # leave 4 kB
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            ballast.truncate(max(ballast.tell() - 4096, 0))
for name, write in writers.items():
    try:
        write(100, folder / name)
    except OSError as exc:
        said[name] = [exc.errno, exc.strerror]
(folder / "ballast").unlink(missing_ok=True)
print(json.dumps([said, sorted(small), sorted(path.name for path in folder.iterdir()),
                  [name for name, data in small.items() if (folder / name).read_bytes() != data]]))
""".replace("CARD", repr(CARD))

needs_limits = pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="needs limits of file sizes")


def without_space(script, folder, kind):
    """Run a script where files stop at 8 kB, or on a file system of 256 kB."""
    arguments = [sys.executable, "-c", script, str(folder), "8000" if kind == "limit" else "0"]
    if kind == "disk":
        mount = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=256k none "$0" && exec "$@"', str(folder)]
        arguments = mount + arguments
        try:
            subprocess.run([*mount, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small file system cannot be mounted here")
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@needs_limits
@pytest.mark.parametrize("kind", ["limit", "disk"])
def test_the_old_file_stays_and_the_message_says_what_to_do(tmp_path, kind):
    said, before, after, changed = json.loads(without_space(SCRIPT, tmp_path, kind).stdout)
    assert sorted(said) == before == after
    assert changed == []
    for name, (number, text) in said.items():
        assert number in (errno.ENOSPC, errno.EFBIG)
        kept = "; the file that is there is kept as it was"
        assert text.endswith(f"no space left to write {tmp_path / name}{kept}; free some space, or choose another folder"), text


PRODUCTS = """
import resource, sys
from pathlib import Path
from astroclumps import cli
from astroclumps.testing import example_image
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
example_image(bands=["F606W", "F160W"]).write(folder / "galaxy.fits")
run = ["run", str(folder / "galaxy.fits"), "-o", str(folder / "out"), "--detector", "contrast", "--classifier", "none", "--sed", "none"]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
status = cli.main(run)
print(status, sorted(path.name for path in (folder / "out").iterdir()))
"""


@needs_limits
@pytest.mark.slow
def test_products_of_a_run_that_do_not_fit_are_told_and_not_left_half(tmp_path):
    arguments = [sys.executable, "-c", PRODUCTS, str(tmp_path), "12000"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=240)
    assert "no space left to write" in done.stderr
    assert "free some space, or choose another folder" in done.stderr
    assert done.stdout.strip().splitlines()[-1] == "1 ['clumps.ecsv', 'clumps.reg']"


@pytest.mark.parametrize("name", ["clumps.ecsv", "clumps.fits", "clumps.vot", "clumps.reg"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_table_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch, name, number):
    path = tmp_path / name
    catalog.write(catalog.make_table("detected", 1), path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *args: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(OSError, match="no space left to write" if number != errno.EIO else "Input/output error") as info:
        catalog.write(catalog.make_table("detected", 9), path, overwrite=True)
    assert info.value.errno == number
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_an_image_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "galaxy.fits"
    image = MultiBandImage(data=np.eye(8)[None] * u.uJy, bands=["F160W"], redshift=1.5)
    image.write(path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *args: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match=r"no space left to write .*galaxy\.fits; the file that is there is kept"):
        image.write(path, overwrite=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["galaxy.fits"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_whatever_ends_a_writer_leaves_nothing(tmp_path, error):
    def half(path):
        path.write_text("half")
        raise error

    with pytest.raises(error):
        write_whole(tmp_path / "x.txt", half)
    assert list(tmp_path.iterdir()) == []


def test_without_an_old_file_none_is_said_to_be_kept(tmp_path):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"no space left to write .*x\.txt; free some space"):
        write_whole(tmp_path / "x.txt", full)


def test_a_link_is_written_through_and_the_mode_is_that_of_a_new_file(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.ecsv").symlink_to(tmp_path / "there" / "clumps.ecsv")
    catalog.write(catalog.make_table("detected", 1), tmp_path / "link.ecsv")
    assert (tmp_path / "link.ecsv").is_symlink()
    assert len(catalog.read(tmp_path / "there" / "clumps.ecsv")) == 1
    (tmp_path / "plain").touch()
    assert (tmp_path / "there" / "clumps.ecsv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_products_are_written_by_the_same_rule():
    assert products.write_whole is write_whole


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match=r"gone"):
        catalog.write(catalog.make_table("detected", 1), tmp_path / "gone" / "clumps.ecsv")
    with pytest.raises(OSError, match=r"gone"):
        weights.save(tmp_path / "gone" / "w.safetensors", {"w": np.ones(1)}, CARD)
