"""From a name to tensors whose sha256 was checked: every place a file may come from."""

import hashlib
import json
import logging
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from astroclumps import conf, weights
from astroclumps.exceptions import WeightsError
from astroclumps.weights import registry, store

CARD = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {"base": 2}, "bands": ["F606W", "F160W"]}
TENSORS = {"b": np.arange(3, dtype="f4"), "a": np.ones((2, 2)), "n": np.array(7)}


@pytest.fixture
def package(tmp_path, monkeypatch, empty_cache):
    """A function that writes a registry of its own; files named in ``bundle`` travel with it."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "registry.toml").write_text("[defaults]\n")
    monkeypatch.setattr(registry, "_FOLDER", folder)

    def write(*entries, defaults=None):
        lines = ["[defaults]", *(f'{kind} = "{spec}"' for kind, spec in (defaults or {}).items())]
        for entry in entries:
            entry = {"name": "tiny", "version": "1.0", "kind": "unet", "urls": [], "licence": "CC-BY-4.0", **entry}
            lines += [f"[[{entry.pop('name')}]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
        (folder / "registry.toml").write_text("\n".join(lines))
        registry._parse.cache_clear()
        return folder

    yield write
    registry._parse.cache_clear()


@pytest.fixture
def tiny(tmp_path):
    return weights.save(tmp_path / "tiny-1.0.safetensors", TENSORS, CARD)


@pytest.fixture
def bundled(package, tiny):
    """The tiny weights as a wheel carries them."""
    folder = package({"file": tiny.name, "sha256": weights.sha256(tiny)}, defaults={"unet": "tiny:1.0"})
    (folder / tiny.name).write_bytes(tiny.read_bytes())
    return folder / tiny.name


@pytest.fixture
def remote(package, tiny, httpserver):
    """The tiny weights, registered, but to be had from a server only."""
    package({"file": tiny.name, "sha256": weights.sha256(tiny), "urls": [f"{httpserver.url}/{tiny.name}"]})
    httpserver.serve_content(tiny.read_bytes())
    return httpserver


def flip_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


# from a name to a file


def test_a_path_is_used_as_it_is(tiny):
    assert weights.resolve(tiny) == tiny
    assert weights.resolve(str(tiny), "unet") == tiny


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WeightsError, match="there is no weights file .*gone"):
        weights.resolve(tmp_path / "gone.safetensors")


def test_a_folder_is_no_weights_file(tmp_path):
    with pytest.raises(WeightsError, match="there is no weights file"):
        weights.resolve(tmp_path)


def test_the_other_kind_is_refused(bundled, tiny):
    with pytest.raises(WeightsError, match=r"holds a unet \(tiny 1\.0\), a cnn is needed"):
        weights.load(tiny, kind="cnn")
    with pytest.raises(WeightsError, match=r"'tiny:1\.0' are a unet, a cnn is needed"):
        weights.load("tiny", kind="cnn")


@pytest.mark.parametrize(
    "spec", ["zzz", "tiny:9.9", "", ":1.0", "../tiny", "tiny/../../x", "/etc/passwd", "tiny:1.0/..", "https://x.org/tiny"]
)
def test_an_unknown_name_lists_the_known_ones(bundled, spec):
    with pytest.raises(WeightsError, match=r"no weights named .*; registered: \['tiny:1\.0'\]"):
        weights.resolve(spec)


def test_a_spec_of_another_type_is_told():
    with pytest.raises(TypeError, match="named by a str or .* path of a .safetensors file, got int"):
        weights.resolve(3)


def test_no_default_is_told(package):
    package()
    with pytest.raises(WeightsError, match=r"no default weights for 'cnn'; registered: \[\]"):
        weights.load("default", kind="cnn")


def test_default_needs_the_kind(bundled):
    assert weights.entry("default", "unet").spec == "tiny:1.0"
    with pytest.raises(WeightsError, match="'default' needs a kind, one of"):
        weights.entry("default")


def test_a_name_without_version_is_the_latest_and_sorts_as_numbers(package, tiny):
    digest = weights.sha256(tiny)
    package(*({"version": version, "file": tiny.name, "sha256": digest} for version in ("1.9", "1.10", "1.2")))
    assert weights.entry("tiny").version == "1.10"
    assert weights.names() == ("tiny:1.2", "tiny:1.9", "tiny:1.10")


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "../../x.safetensors"},
        {"file": "/x.safetensors"},
        {"file": "x.pt"},
        {"sha256": "0"},
        {"version": "one"},
        {"kind": "vit"},
        {"colour": 3},
        {"size": -3},
        {"size": "3"},
        {"urls": ["data:,x"]},
        {"urls": [3]},
        {"sha256": 3},
    ],
)
def test_a_wrong_registry_entry_is_told(package, wrong):
    package({"file": "tiny.safetensors", "sha256": "0" * 64, **wrong})
    with pytest.raises(WeightsError, match=f"registry: .*'tiny'.*{next(iter(wrong))}"):
        weights.names()


def test_a_version_cannot_be_registered_twice(package):
    entry = {"file": "tiny.safetensors", "sha256": "0" * 64}
    package(entry, entry)
    with pytest.raises(WeightsError, match=r"'tiny:1\.0' is registered 2 times"):
        weights.names()


def test_a_default_must_be_registered(package):
    package(defaults={"unet": "gone:1.0"})
    with pytest.raises(WeightsError, match=r"'gone:1\.0' is registered 0 times"):
        weights.names()


# the wheel and the cache


def test_the_copy_in_the_wheel_is_imported_into_the_cache(bundled, empty_cache):
    path = weights.resolve("tiny")
    assert empty_cache in path.parents
    assert path.read_bytes() == bundled.read_bytes()
    bundled.unlink()
    assert weights.resolve("tiny") == path


def test_default_loads_without_network(bundled):
    tensors, card = weights.load("default", kind="unet")
    assert sorted(tensors) == ["a", "b", "n"]
    assert card == weights.card("tiny") == CARD


def test_without_a_writable_cache_the_wheel_is_used_in_place(bundled, empty_cache):
    (empty_cache / "astroclumps").write_text("a file where the cache folder would be: it cannot be made")
    assert weights.resolve("tiny") == bundled
    assert [row.ok for row in weights.verify("tiny")] == [True, False]


def test_a_changed_byte_in_the_wheel_states_both_digests(bundled):
    good = weights.sha256(bundled)
    flip_last_byte(bundled)
    bad = weights.sha256(bundled)
    with pytest.raises(WeightsError, match=f"have sha256 {bad}, registered is {good}; reinstall astroclumps"):
        weights.load("default", kind="unet")


def test_an_altered_cache_is_cleared_and_the_wheel_used(bundled, caplog):
    cached = weights.resolve("tiny")
    good = weights.sha256(cached)
    flip_last_byte(cached)
    with caplog.at_level(logging.WARNING, logger="astroclumps"):
        assert weights.sha256(weights.resolve("tiny")) == good
    assert f"registered {good}" in caplog.text
    assert cached.read_bytes() == bundled.read_bytes()


def test_an_altered_cache_and_an_altered_wheel_is_an_error(bundled):
    cached = weights.resolve("tiny")
    flip_last_byte(cached)
    flip_last_byte(bundled)
    with pytest.raises(WeightsError, match="reinstall"):
        weights.resolve("tiny")
    assert not cached.exists()


def test_verify_names_place_and_digests_and_changes_nothing(bundled):
    assert [(row.spec, row.place, row.ok) for row in weights.verify_all()] == [("tiny:1.0", "wheel", True), ("tiny:1.0", "cache", False)]
    cached = weights.resolve("tiny")
    flip_last_byte(cached)
    wheel, cache = weights.verify("tiny:1.0")
    assert wheel == ("tiny:1.0", "wheel", bundled, True, f"sha256 {weights.sha256(bundled)}")
    assert not cache.ok
    assert weights.sha256(cached) in cache.message
    assert cached.exists()


# export and import


def test_export_and_import_carry_a_file_to_a_machine_without_network(bundled, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    carried = weights.export("tiny", stick)
    assert carried == stick / "tiny-1.0.safetensors"
    bundled.unlink()
    store._clear(weights.entry("tiny"))
    with pytest.raises(WeightsError, match="neither in the cache nor in the package"):
        weights.resolve("tiny")
    assert weights.import_file(carried) == "tiny:1.0"
    assert weights.load("tiny", kind="unet")[1] == CARD


def test_export_does_not_overwrite_unasked(bundled, tmp_path):
    (tmp_path / "copy.safetensors").write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        weights.export("default", tmp_path / "copy.safetensors", kind="unet")
    path = weights.export("default", tmp_path / "copy.safetensors", kind="unet", overwrite=True)
    assert path.read_bytes() == bundled.read_bytes()


def test_import_refuses_what_is_not_registered(bundled, tiny):
    flip_last_byte(tiny)
    with pytest.raises(WeightsError, match=f"has sha256 {weights.sha256(tiny)}, which is not registered; registered: tiny:1.0"):
        weights.import_file(tiny)
    with pytest.raises(WeightsError, match="there is no weights file"):
        weights.import_file(tiny.parent / "gone.safetensors")


def test_import_without_a_writable_cache_is_told(bundled, tiny, empty_cache):
    (empty_cache / "astroclumps").write_text("in the way")
    with pytest.raises(WeightsError, match=r"cannot write 'tiny:1\.0' into the cache"):
        weights.import_file(tiny)


# servers, good, lying and dying; all on this machine


def test_a_download_is_checked_and_cached(remote, empty_cache):
    path = weights.resolve("tiny")
    assert empty_cache in path.parents
    assert len(remote.requests) == 1
    assert weights.resolve("tiny") == path
    assert len(remote.requests) == 1


def test_a_lying_server_states_both_digests_and_leaves_nothing(remote, empty_cache):
    remote.serve_content(b"something else")
    good = weights.entry("tiny").sha256
    bad = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(WeightsError, match=f"downloaded a file with sha256 {bad}, registered is {good}; deleted it"):
        weights.resolve("tiny")
    assert [path for path in empty_cache.rglob("*") if path.is_file()] == []


def test_an_altered_cache_is_downloaded_again(remote):
    flip_last_byte(weights.resolve("tiny"))
    assert weights.sha256(weights.resolve("tiny")) == weights.entry("tiny").sha256
    assert len(remote.requests) == 2


def test_mirrors_are_asked_first(remote, tiny, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / tiny.name).write_bytes(tiny.read_bytes())
    with conf.set_temp("weights_mirrors", [mirror.as_uri() + "/"]):
        weights.resolve("tiny")
    assert remote.requests == []


def test_a_lying_mirror_is_passed_over(remote, tiny, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / tiny.name).write_bytes(b"lies")
    with conf.set_temp("weights_mirrors", [(tmp_path / "mirror").as_uri(), (tmp_path / "empty").as_uri(), "nonsense"]):
        assert weights.sha256(weights.resolve("tiny")) == weights.entry("tiny").sha256
    assert (tmp_path / "mirror" / tiny.name).exists()


def test_a_missing_page_is_told(remote):
    remote.serve_content(b"gone", code=404)
    with pytest.raises(WeightsError, match="no source has them: http.*404"):
        weights.resolve("tiny")


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
        b"garbage\r\n\r\n",
    ],
)
def test_a_dying_server_is_told(package, tiny, says):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/{tiny.name}"
        package({"file": tiny.name, "sha256": weights.sha256(tiny), "urls": [url]})
        with pytest.raises(WeightsError, match="neither in the cache nor in the package, and no source has them: http"):
            weights.resolve("tiny")
        thread.join()


def test_a_port_where_nobody_listens_is_told(package, tiny):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    package({"file": tiny.name, "sha256": weights.sha256(tiny), "urls": [f"http://127.0.0.1:{port}/{tiny.name}"]})
    with pytest.raises(WeightsError, match="no source has them"):
        weights.resolve("tiny")


def test_without_any_source_the_way_out_is_told(package):
    package({"file": "tiny.safetensors", "sha256": "0" * 64})
    with pytest.raises(WeightsError, match="no URL is registered and conf.weights_mirrors is empty"):
        weights.resolve("tiny")


# what is shipped


def test_every_shipped_file_is_registered_small_and_unaltered():
    shipped = {path.name for path in registry._FOLDER.glob("*.safetensors")}
    assert shipped <= {entry.file for entry in weights.entries()}
    for name in shipped:
        assert (registry._FOLDER / name).stat().st_size < 8_000_000
    assert [row.message for row in weights.verify_all() if row.place == "wheel" and row.path is not None and not row.ok] == []


@pytest.mark.parametrize("entry", weights.entries(), ids=lambda entry: entry.spec)
def test_every_registered_card_is_complete(entry):
    card = weights.card(entry.spec)
    assert [key for key in weights.CARD_KEYS if key not in card] == []
    assert (card["name"], card["version"], card["kind"], card["licence"]) == (entry.name, entry.version, entry.kind, entry.licence)


def test_no_pickle_is_read_from_a_file():
    package = Path(weights.__file__).parents[1]
    sources = {path.relative_to(package).as_posix(): path.read_text() for path in package.rglob("*.py")}
    readers = ("torch.load", "allow_pickle=True", "pickle.load(", "pickle.Unpickler", "joblib", "shelve")
    assert [(name, reader) for name, text in sources.items() for reader in readers if reader in text] == []
    # in memory only: to see whether a worker could get an object, and to send it there
    users = {name for name, text in sources.items() if "import pickle" in text}
    assert {name for name in users if not name.startswith("survey/")} == {"testing/checks.py"}
