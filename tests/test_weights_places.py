"""Homes and caches that cannot be written, altered caches, and many processes at once: bundled weights work all the same."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.utils import data as astropy_data

from astroclumps import weights
from astroclumps.exceptions import WeightsError
from astroclumps.weights import registry, store

SPEC = "cnn-sersic:1.0"  # the smallest that travels in the wheel
CODE = (
    "import sys, warnings; warnings.simplefilter('error'); warnings.filterwarnings('ignore', 'XDG_CACHE_HOME is set')\n"
    "from astroclumps import weights\n"
    f"path = weights.resolve({SPEC!r}); tensors, card = weights.load({SPEC!r}, kind='cnn')\n"
    "print(weights.sha256(path), len(tensors), [row.ok for row in weights.verify_all() if row.place == 'wheel'].count(False), path)"
)


def places(tmp_path):
    """Environments of homes and caches, good and bad."""
    file, missing = tmp_path / "file", tmp_path / "gone" / "deeper"
    file.write_text("in the way")
    cache = tmp_path / "cache"
    (cache / "astroclumps" / "download").mkdir(parents=True)
    (cache / "astroclumps" / "download" / "url").write_text("in the way")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "astroclumps").symlink_to(tmp_path / "nowhere" / "at" / "all")
    return {
        "home missing": {"HOME": str(missing)},
        "home is a file": {"HOME": str(file)},
        "home cannot be written": {"HOME": "/proc/self"},
        "home is empty text": {"HOME": ""},
        "cache missing": {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(missing)},
        "cache is a file": {"HOME": str(file), "XDG_CACHE_HOME": str(file)},
        "cache below a file": {"HOME": str(file / "home"), "XDG_CACHE_HOME": str(file / "cache")},
        "cache cannot be written": {"HOME": "/proc/self", "XDG_CACHE_HOME": "/proc/self"},
        "folder in the cache is a file": {"HOME": str(file), "XDG_CACHE_HOME": str(cache)},
        "folder in the cache leads nowhere": {"HOME": str(file), "XDG_CACHE_HOME": str(tmp_path / "second")},
    }


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody can make a file")
@pytest.mark.parametrize("place", range(10))
def test_bundled_weights_load_from_any_home(tmp_path, place):
    name, changed = list(places(tmp_path).items())[place]
    env = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "USERPROFILE")}
    env["XDG_CONFIG_HOME"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=env | changed, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    digest, n_tensors, n_bad, _ = done.stdout.split(maxsplit=3)
    assert (digest, n_bad) == (weights.entry(SPEC).sha256, "0")
    assert int(n_tensors) > 0


@pytest.fixture
def failing(monkeypatch):
    """A function that lets every write below a folder fail with an error number."""

    def fail(folder, number):
        true_open, true_mkdir, true_rename, true_copy = os.open, os.mkdir, os.rename, shutil.copyfile

        def guarded(true, where=0):
            def call(*args, **options):
                if str(folder) in str(args[where]) and not (true is true_open and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                    raise OSError(number, os.strerror(number), str(args[where]))
                return true(*args, **options)

            return call

        monkeypatch.setattr(os, "open", guarded(true_open))
        monkeypatch.setattr(os, "mkdir", guarded(true_mkdir))
        monkeypatch.setattr(os, "rename", guarded(true_rename, 1))
        monkeypatch.setattr(shutil, "copyfile", guarded(true_copy, 1))

    return fail


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_cache_that_refuses_writing_leaves_the_wheel_in_use(empty_cache, failing, number):
    failing(empty_cache, number)
    assert weights.resolve(SPEC) == weights.entry(SPEC).bundled
    with pytest.raises(WeightsError, match=f"cannot write '{SPEC}' into the cache: .*{os.strerror(number)}.*; let XDG_CACHE_HOME name"):
        weights.import_file(weights.entry(SPEC).bundled)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_an_altered_cache_that_cannot_be_mended_is_not_used(empty_cache, monkeypatch, number):
    cached = weights.resolve(SPEC)
    cached.write_bytes(cached.read_bytes()[:-1] + b"x")

    def refuse(path, data):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert weights.resolve(SPEC) == weights.entry(SPEC).bundled
    assert [path.name for path in cached.parent.iterdir() if path.name.startswith(".")] == []


def test_a_copy_that_cannot_be_read_is_told_by_verify_and_passed_over(empty_cache, monkeypatch):
    cached = weights.resolve(SPEC)
    true = store.files.sha256

    def refuse(path):
        if Path(path) == cached:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return true(path)

    monkeypatch.setattr(store.files, "sha256", refuse)
    assert weights.resolve(SPEC) == weights.entry(SPEC).bundled
    wheel, cache = weights.verify(SPEC)
    assert wheel.ok
    assert not cache.ok
    assert "cannot be read: [Errno 13] Permission denied" in cache.message


@pytest.mark.parametrize("kind", ["folder", "pipe", "empty", "link to nowhere", "link to zero"])
def test_what_lies_in_the_cache_instead_of_a_file_is_not_used_and_does_not_hang(empty_cache, kind):
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes in the file system")
    cached = weights.resolve(SPEC)
    cached.unlink()
    {
        "folder": cached.mkdir,
        "pipe": lambda: os.mkfifo(cached),
        "empty": cached.touch,
        "link to nowhere": lambda: cached.symlink_to(empty_cache / "gone"),
        "link to zero": lambda: cached.symlink_to("/dev/zero"),
    }[kind]()
    assert weights.sha256(weights.resolve(SPEC)) == weights.entry(SPEC).sha256
    assert weights.load(SPEC, kind="cnn")[1]["name"] == "cnn-sersic"
    weights.verify(SPEC)


def test_an_altered_cache_is_mended_without_a_moment_in_which_it_is_gone(empty_cache, monkeypatch):
    cached = weights.resolve(SPEC)
    cached.write_bytes(b"altered")
    monkeypatch.setattr(astropy_data, "clear_download_cache", None)  # others may be about to read it
    assert weights.resolve(SPEC) == cached
    assert weights.sha256(cached) == weights.entry(SPEC).sha256


def test_a_good_copy_that_another_process_has_put_there_is_not_cleared(empty_cache):
    cached = weights.resolve(SPEC)
    store._clear_altered(weights.entry(SPEC))
    assert cached.exists()


# many at once

FILL = (
    "import sys, time; from astroclumps import weights\n"
    "from astroclumps.weights import files, registry, store\n"
    "import astropy.utils.data, safetensors.numpy\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "for round in range(20):\n"
    "    sys.stdin.readline()\n"
    "    files._digests.clear()\n"
    f"    path = weights.resolve({SPEC!r})\n"
    f"    weights.load({SPEC!r}, kind='cnn')\n"
    "    files._digests.clear()\n"
    "    print(weights.sha256(path), path, flush=True)\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["empty", "altered", "half gone"])
def test_four_processes_fill_the_cache_at_once(empty_cache, before):
    entry = weights.entry(SPEC)
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    fillers = [subprocess.Popen([sys.executable, "-W", "error", "-c", FILL], **options) for _ in range(4)]

    def tell(filler):
        filler.stdin.write("\n")
        filler.stdin.flush()

    try:
        for filler in fillers:
            assert filler.stdout.readline() == "ready\n"
            tell(filler)
        for _ in range(8):
            shutil.rmtree(empty_cache / "astroclumps", ignore_errors=True)
            if before != "empty":
                cached = weights.resolve(SPEC)
                cached.write_bytes(b"altered") if before == "altered" else cached.unlink()
            for filler in fillers:
                tell(filler)
            with ThreadPoolExecutor(4) as pool:
                lines = list(pool.map(lambda filler: filler.stdout.readline().split(), fillers))
            assert [line[:1] for line in lines] == [[entry.sha256]] * 4
            left = [path for path in (empty_cache / "astroclumps").rglob("*") if path.is_file() and path.name not in ("contents", "url")]
            assert left == []
            if before != "half gone":
                assert {Path(line[1]) for line in lines} <= {store._cached(entry)}
    finally:
        ends = [filler.communicate(timeout=60) for filler in fillers]
    assert [filler.returncode for filler in fillers] == [0] * 4
    said = [line for end in ends for line in end[1].splitlines()]
    assert [line for line in said if not (before == "altered" and "in the cache are altered: sha256" in line)] == []


def test_threads_resolve_the_same_file(empty_cache):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(weights.resolve, [SPEC] * 32))
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == {weights.entry(SPEC).sha256}


# the card of an altered file


def test_the_card_of_an_altered_file_in_the_wheel_is_not_told(tmp_path, monkeypatch, empty_cache):
    folder = tmp_path / "package"
    shutil.copytree(registry._FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(registry, "_FOLDER", folder)
    entry = weights.entry(SPEC)
    tensors, card = weights.load(entry.bundled, kind="cnn")
    weights.save(entry.bundled, {name: np.asarray(value) for name, value in tensors.items()}, {**card, "pixel_scale": 0.05})
    for use in (weights.card, weights.resolve, lambda spec: weights.load(spec, kind="cnn"), lambda spec: weights.export(spec, tmp_path)):
        with pytest.raises(WeightsError, match=f"have sha256 [0-9a-f]{{64}}, registered is {entry.sha256}; reinstall astroclumps"):
            use(SPEC)
    assert [row.ok for row in weights.verify(SPEC)] == [False, False]


def test_every_registered_size_is_that_of_its_file():
    sizes = {entry.spec: (entry.size, entry.bundled.stat().st_size) for entry in weights.entries() if entry.bundled.is_file()}
    assert sizes
    assert [spec for spec, (registered, true) in sizes.items() if registered != true] == []
