"""Servers that die, lie, stall or never stop, all on this machine: the next one is asked, and nothing wrong is kept."""

import contextlib
import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.utils.data import conf as astropy_data

from astroclumps import conf, weights
from astroclumps.exceptions import WeightsError
from astroclumps.weights import download, registry

CARD = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {"base": 2}, "bands": ["F606W", "F160W"]}
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def good(tmp_path):
    """The bytes that are registered."""
    path = weights.save(tmp_path / "made.safetensors", {"w": np.arange(999, dtype="f4")}, CARD)
    return path.read_bytes()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, empty."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def serve():
    """A function that starts a server on a port of its own; the answer is a function of the connection."""
    servers, threads, stop = [], [], threading.Event()

    def start(answer):
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(0.2)
        servers.append(server)

        def run():
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except (TimeoutError, OSError):
                    continue
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(4096)
                    answer(connection, stop)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    stop.set()
    for thread in threads:
        thread.join(5)
    for server in servers:
        server.close()
    assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def registered(tmp_path, monkeypatch, empty_cache, good):
    """A function that registers the good bytes with URLs."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(registry, "_FOLDER", folder)

    def write(*servers, size=True):
        urls = json.dumps([f"{server}/tiny.safetensors" for server in servers])
        lines = ["[defaults]", "[[tiny]]", 'version = "1.0"', 'kind = "unet"', 'file = "tiny.safetensors"', 'licence = "CC-BY-4.0"']
        lines += [f"urls = {urls}", f'sha256 = "{hashlib.sha256(good).hexdigest()}"', f"size = {len(good)}" if size else ""]
        (folder / "registry.toml").write_text("\n".join(lines))
        registry._parse.cache_clear()

    yield write
    registry._parse.cache_clear()


def sends(*parts):
    def answer(connection, stop):
        for part in parts:
            connection.sendall(part)

    return answer


def well(good):
    return sends(OK + b"Content-Length: %d\r\n\r\n" % len(good), good)


def stalls(*parts):
    def answer(connection, stop):
        sends(*parts)(connection, stop)
        stop.wait(30)

    return answer


def repeats(first, part, pause=0.0):
    def answer(connection, stop):
        connection.sendall(first)
        while not stop.wait(pause):
            connection.sendall(part)

    return answer


def redirects_to(where):
    return sends(b"HTTP/1.1 302 Found\r\nLocation: " + where.encode() + b"\r\nContent-Length: 0\r\n\r\n")


def bad_answers(good, tmp_path):
    """What a server may do wrong, and what is said of it."""
    half, n = good[: len(good) // 2], len(good)
    wrong = bytes([good[0]]) + good[1:-1] + bytes([good[-1] ^ 1])
    local = tmp_path / "made.safetensors"  # the right bytes: even so a server may not point at a local file
    lies = hashlib.sha256(wrong).hexdigest()
    zipped = gzip.compress(good)
    return {
        "nothing": (sends(), "closed connection|Connection reset"),
        "dies in the body": (sends(OK + b"Content-Length: %d\r\n\r\n" % n, half), f"announced {n} bytes and sent {len(half)}"),
        "dies in a chunk": (sends(OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n", half), "IncompleteRead|sha256"),
        "dies in the headers": (sends(OK + b"Content-Le"), "sha256 e3b0c442|Remote end"),
        "announces too much": (sends(OK + b"Content-Length: 999999999999\r\n\r\n", good), f"announces 999999999999 bytes, allowed are {n}"),
        "announces too little": (sends(OK + b"Content-Length: 100\r\n\r\n", good), "sha256 " + hashlib.sha256(good[:100]).hexdigest()),
        "announces nonsense": (sends(OK + b"Content-Length: -3\r\n\r\n", wrong), f"sha256 {lies}"),
        "sends wrong bytes": (well(wrong), f"sha256 {lies}, registered is {hashlib.sha256(good).hexdigest()}; deleted it"),
        "sends a page": (well(b"<!DOCTYPE html>"), "sha256"),
        "stalls at once": (stalls(), "timed out"),
        "stalls in the headers": (stalls(OK), "timed out"),
        "stalls in the body": (stalls(OK + b"Content-Length: %d\r\n\r\n" % n, half), "timed out"),
        "trickles": (repeats(OK + b"Content-Length: %d\r\n\r\n" % n, b"x", 0.05), "the server sent .* bytes in .* s; given up"),
        "trickles headers": (repeats(OK, b"X-Header: y\r\n", 0.05), "no end of its headers in 1 s; given up"),
        "says continue for ever": (
            repeats(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
            "no end of its headers in 1 s; given up",
        ),
        "sends headers for ever": (repeats(OK, b"X-Header: y\r\n"), "more than 100 headers"),
        "sends one line for ever": (repeats(OK, b"X" * 9999), "more than 65536 bytes"),
        "never ends": (repeats(OK + b"\r\n", bytes(2**16)), f"sends more than the {n} bytes that are allowed; cut off"),
        "never ends in chunks": (repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + bytes(4096) + b"\r\n"), "cut off"),
        "one byte more": (sends(OK + b"\r\n", good + b"x"), "cut off"),
        "not found": (sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"), "404"),
        "server error": (sends(b"HTTP/1.1 500 Internal Server Error\r\n\r\n"), "500"),
        "no HTTP": (sends(b"\x16\x03\x01 hello\r\n\r\n"), "closed connection|HTTP|\x16"),
        "redirects in a loop": (redirects_to("/tiny.safetensors"), "infinite loop|redirect"),
        "redirects to a file": (redirects_to(local.as_uri()), "not allowed"),
        "redirects to data": (redirects_to("data:,x"), "not allowed"),
        "redirects nowhere": (redirects_to("http://127.0.0.1:1/x"), "refused"),
        "packs with gzip": (sends(OK + b"Content-Encoding: gzip\r\n\r\n", zipped), f"sha256 {hashlib.sha256(zipped).hexdigest()}|cut off"),
    }


WRONG = sorted(bad_answers(b"0123456789" * 400, Path("/")))


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_bad_server_is_told_in_time_and_leaves_nothing(registered, serve, good, tmp_path, empty_cache, temporary, wrong):
    answer, message = bad_answers(good, tmp_path)[wrong]
    url = serve(answer)
    registered(url)
    begun = time.monotonic()
    with astropy_data.set_temp("remote_timeout", 0.5), pytest.raises(WeightsError, match=message) as info:
        weights.resolve("tiny")
    assert time.monotonic() - begun < 10
    assert f"{url}/tiny.safetensors: " in str(info.value)
    assert files_in(empty_cache) == []
    assert files_in(temporary) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_after_a_bad_server_the_next_is_asked(registered, serve, good, tmp_path, empty_cache, temporary, wrong):
    mirror = serve(bad_answers(good, tmp_path)[wrong][0])
    registered(serve(well(good)))
    with astropy_data.set_temp("remote_timeout", 0.5), conf.set_temp("weights_mirrors", [mirror, mirror + "/again/"]):
        path = weights.resolve("tiny")
    assert path.read_bytes() == good
    assert empty_cache in path.parents
    assert files_in(temporary) == []


def test_the_message_names_every_server_and_both_digests(registered, serve, good):
    lies = b"x" * len(good)
    urls = [serve(well(lies)), serve(sends(b"HTTP/1.1 404 Not Found\r\n\r\n")), serve(well(lies))]
    registered(*urls)
    with pytest.raises(WeightsError) as info:
        weights.resolve("tiny")
    text = str(info.value)
    assert [f"{url}/tiny.safetensors: " in text for url in urls] == [True] * 3
    assert text.count(hashlib.sha256(lies).hexdigest()) == text.count(hashlib.sha256(good).hexdigest()) == 2


def test_without_a_registered_size_the_limit_of_all_files_holds(registered, serve, monkeypatch, temporary):
    monkeypatch.setattr("astroclumps.weights.files.MAX_FILE", 10**6)
    registered(serve(repeats(OK + b"\r\n", bytes(2**16))), size=False)
    with pytest.raises(WeightsError, match="sends more than the 1000000 bytes that are allowed; cut off"):
        weights.resolve("tiny")
    assert files_in(temporary) == []


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_good_server_may_leave_out_the_length(registered, serve, good, temporary, head):
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(good), good) if head else good
    registered(serve(sends(OK + head + b"\r\n", body)))
    assert weights.resolve("tiny").read_bytes() == good
    assert files_in(temporary) == []


def test_a_good_server_may_pause_and_redirect(registered, serve, good):
    def slow(connection, stop):
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(good))
        for start in range(0, len(good), 1000):
            connection.sendall(good[start : start + 1000])
            time.sleep(0.1)

    registered(serve(redirects_to(serve(slow) + "/elsewhere")))
    with astropy_data.set_temp("remote_timeout", 1.0):
        assert weights.resolve("tiny").read_bytes() == good


def test_downloads_can_be_switched_off(registered, serve, good):
    registered(serve(well(good)))
    with astropy_data.set_temp("allow_internet", False), pytest.raises(WeightsError, match="downloads are switched off"):
        weights.resolve("tiny")


def test_a_download_without_a_cache_is_removed_when_the_process_ends(serve, good, tmp_path, temporary):
    url = serve(well(good))
    (tmp_path / "no_cache").mkdir()
    (tmp_path / "no_cache" / "astroclumps").write_text("in the way")
    code = (
        "import hashlib, sys, tempfile; from pathlib import Path; from astroclumps.weights import registry, store\n"
        "registry._parse.cache_clear()\n"
        f"store.entry = lambda *args: registry.Entry('tiny', '1.0', 'unet', 't.safetensors', {hashlib.sha256(good).hexdigest()!r},"
        f" ({url!r} + '/t.safetensors',), 'x', {len(good)})\n"
        "path = store.resolve('tiny'); print(path); print(path.exists())"
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "no_cache"), "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, timeout=60)
    path, existed = done.stdout.split()
    assert temporary in Path(path).parents
    assert existed == "True"
    assert files_in(temporary) == []


# what may stand in the settings and in the registry


@pytest.mark.parametrize(
    "mirror",
    [
        "",
        "nonsense",
        "/etc",
        "../..",
        "file:///etc/..",
        "file://elsewhere.invalid/x",
        "http://[::1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "http://\n127.0.0.1",
        "http://127.0.0.1:1/a b",
        "http://\u2603",
        "http://" + "x" * 300,
        "data:text/plain,x#",
        "gopher://127.0.0.1",
        "javascript:1",
        "http:///",
        "\0",
        "file:///\0",
    ],
)
def test_a_mirror_that_is_no_url_is_passed_over_and_named(registered, good, tmp_path, empty_cache, mirror):
    registered()
    with conf.set_temp("weights_mirrors", [mirror]), pytest.raises(WeightsError, match="no source has them: ") as info:
        weights.resolve("tiny")
    assert f"{mirror.rstrip('/')}/tiny.safetensors: " in str(info.value)
    assert files_in(empty_cache) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in the file system")
@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_a_mirror_folder_without_an_ordinary_file_does_not_hang(registered, tmp_path, kind):
    path = tmp_path / "mirror" / "tiny.safetensors"
    path.parent.mkdir()
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "endless": lambda: path.symlink_to("/dev/zero")}[kind]()
    registered()
    with conf.set_temp("weights_mirrors", [path.parent.as_uri()]), pytest.raises(WeightsError, match="is not an ordinary file"):
        weights.resolve("tiny")


@pytest.mark.parametrize("url", ["", "x", "data:,x", "ssh://x/y", "/etc/passwd", "http//x"])
def test_fetch_takes_files_on_servers_only(url):
    with pytest.raises(ValueError, match="begins with http, https, ftp or file"):
        download.fetch(url, limit=10)


@pytest.mark.parametrize("digest", ["", "0" * 8, "0" * 63, "0" * 65, "0" * 40, "G" * 64, "A" * 64, "0" * 64 + "\\n", "sha256:" + "0" * 64])
def test_only_a_whole_sha256_can_be_registered(registered, tmp_path, digest):
    registered()
    path = tmp_path / "package" / "registry.toml"
    text = path.read_text().splitlines()
    path.write_text("\n".join(f'sha256 = "{digest}"' if line.startswith("sha256") else line for line in text))
    registry._parse.cache_clear()
    with pytest.raises(WeightsError, match="registry: 'tiny' has the sha256"):
        weights.names()


@pytest.mark.parametrize(
    "file", ["../x.safetensors", "a/b.safetensors", "/x.safetensors", "..safetensors", "x.safetensors\\n", "x.pt", "", "a\\\\b.safetensors"]
)
@pytest.mark.parametrize("field", ["file", "name"])
def test_a_registered_name_stays_in_its_folder(registered, tmp_path, file, field):
    registered()
    path = tmp_path / "package" / "registry.toml"
    old, new = ('file = "tiny.safetensors"', f'file = "{file}"') if field == "file" else ("[[tiny]]", f'[["{file}"]]')
    path.write_text(path.read_text().replace(old, new))
    registry._parse.cache_clear()
    with pytest.raises(WeightsError, match=f"registry: .* has the {field}"):
        weights.names()


SPECS = (
    "../tiny",
    "tiny/../../etc",
    "/etc/passwd",
    "tiny:../1.0",
    "tiny:1.0\0",
    "tiny\n",
    "TINY",
    "tiny:",
    "tiny:1",
    "tiny:1.0:1.0",
    "file:///x",
)


@pytest.mark.parametrize("spec", [*SPECS, "0" * 64, "tiny@1.0", "tiny:01.0"])
def test_a_name_is_looked_up_and_never_a_path(registered, serve, good, spec):
    registered(serve(well(good)))
    if spec == "tiny:":
        assert weights.resolve(spec).read_bytes() == good  # no version: the latest
        return
    with pytest.raises(WeightsError, match=r"no weights named .*; registered: \['tiny:1.0'\]"):
        weights.resolve(spec)
