"""No file under the name of weights does more than raise WeightsError: no hang, no other error, no memory for what it claims."""

import gzip
import io
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astroclumps import weights
from astroclumps.exceptions import WeightsError
from astroclumps.weights import files

CARD = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {"base": 2}, "bands": ["F606W", "F160W"]}
TENSORS = {"b": np.arange(3, dtype="f4"), "a": np.ones((2, 2)), "n": np.array(7)}
CLAIM = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@pytest.fixture
def tiny(tmp_path):
    return weights.save(tmp_path / "tiny-1.0.safetensors", TENSORS, CARD)


def with_header(path, header, data=b"\0\0\0\0"):
    raw = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def told_or_read(path):
    """Read a file; the only error is WeightsError with its name. True where it was read."""
    try:
        tensors, card = weights.load(path, kind="unet")
    except WeightsError as exc:
        if path.name not in str(exc):
            raise
        return False
    assert all(np.isfinite(value).all() for value in tensors.values())
    assert isinstance(card["architecture"], dict)
    return True


# bytes


def test_every_truncation_is_told(tiny):
    whole = tiny.read_bytes()
    read = []
    for keep in range(len(whole)):
        tiny.write_bytes(whole[:keep])
        read.append(told_or_read(tiny))
    assert not any(read)


def test_every_flipped_bit_of_the_length_is_told(tiny):
    whole = tiny.read_bytes()
    for bit in range(64):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        tiny.write_bytes(data)
        assert not told_or_read(tiny), f"bit {bit}"


def test_every_flipped_byte_of_the_header_is_told_or_read_as_a_card(tiny):
    whole = tiny.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    read = 0
    for place in range(8, 8 + length):
        for mask in (0x01, 0x20, 0x80, 0xFF):
            data = bytearray(whole)
            data[place] ^= mask
            tiny.write_bytes(data)
            read += told_or_read(tiny)
    # letters of names, bands and the padding can change unseen: that is what the sha256 is for
    assert 0 < read < 4 * length


@FEW
@given(data=st.binary(max_size=300))
def test_random_bytes_are_told(tiny, data):
    tiny.write_bytes(data)
    assert not told_or_read(tiny)


@FEW
@given(data=st.data())
def test_random_changes_are_told_or_give_finite_tensors(tiny, data):
    whole = bytearray(weights.save(tiny, TENSORS, CARD).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.sampled_from(["set", "cut", "put"])):
            case "set":
                whole[place] = data.draw(st.integers(0, 255))
            case "cut":
                del whole[place : place + data.draw(st.integers(1, 9))]
            case _:
                whole[place:place] = data.draw(st.binary(min_size=1, max_size=9))
        if not whole:
            break
    tiny.write_bytes(whole)
    told_or_read(tiny)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_header_of_a_lying_length_reserves_nothing(tiny, length):
    tiny.write_bytes(struct.pack("<Q", length) + tiny.read_bytes()[8:])
    tracemalloc.start()
    try:
        assert not told_or_read(tiny)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


# JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
DTYPES = st.sampled_from([*files._ITEM_SIZE, "F8", "", "f32"]) | JSON
CLAIMS = st.fixed_dictionaries({"dtype": DTYPES, "shape": JSON, "data_offsets": JSON})


@FEW
@given(header=st.dictionaries(st.sampled_from(["w", "v", "__metadata__", ""]), JSON, max_size=4))
def test_random_headers_are_told(tiny, header):
    assert not told_or_read(with_header(tiny, json.dumps(header).encode()))


@FEW
@given(claim=CLAIMS)
def test_random_claims_are_told_or_read(tiny, claim):
    told_or_read(with_header(tiny, {"__metadata__": {"card": json.dumps(CARD)}, "w": claim}))


@FEW
@given(card=JSON | st.fixed_dictionaries({key: JSON for key in weights.REQUIRED_CARD_KEYS}))
def test_random_cards_are_told(tiny, card):
    assert not told_or_read(with_header(tiny, {"__metadata__": {"card": json.dumps(card)}, "w": CLAIM}))


DOUBLED = json.dumps({"__metadata__": {"card": json.dumps(CARD)}, "w": CLAIM})[:-1].encode()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (DOUBLED + b', "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', "a key is given twice"),
        (DOUBLED + b', "__metadata__": {"card": "{}"}}', "a key is given twice"),
        (DOUBLED.replace(b'"shape"', b'"dtype": "I32", "shape"') + b"}", "a key is given twice"),
        (DOUBLED.replace(b"[1]", b"[NaN]") + b"}", "NaN is no number in JSON"),
        (DOUBLED.replace(b"[1]", b"[-Infinity]") + b"}", "-Infinity is no number in JSON"),
        (DOUBLED.replace(b"[1]", b"[1.0]") + b"}", "has shape"),
        (DOUBLED.replace(b"[1]", b"[true]") + b"}", "has shape"),
        (DOUBLED.replace(b"[1]", b'"1"') + b"}", "list of at most 32 sides"),
        (DOUBLED.replace(b"[1]", b"{}") + b"}", "list of at most 32 sides"),
        (DOUBLED.replace(b"[1]", b"[" + b",".join([b"1"] * 33) + b"]") + b"}", "list of at most 32 sides"),
        (DOUBLED.replace(b"[1]", b"[" * 50_000 + b"1" + b"]" * 50_000) + b"}", "header is damaged"),
        (DOUBLED.replace(b"[1]", b"[" + b"9" * 5000 + b"]") + b"}", "header is damaged"),
        (DOUBLED.replace(b"[1]", b"[0, 1%s]" % (b"0" * 4000)) + b"}", "has shape"),
        (DOUBLED.replace(b"[0, 4]", b"[4, 8]") + b"}", "cannot be read as safetensors|header claims"),
        (DOUBLED.replace(b"[0, 4]", b"[-4, 0]") + b"}", "has shape"),
        (DOUBLED.replace(b"[0, 4]", b"[0, 4, 4]") + b"}", "header is damaged"),
        (DOUBLED.replace(b"F32", b"F16") + b"}", "cannot have 4 bytes"),
        (DOUBLED.replace(b"F32", b"I32") + b', "v": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]}}', "header claims 6 bytes"),
        (b"\xef\xbb\xbf" + DOUBLED + b"}", "header is damaged|not a safetensors file"),
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_told(tmp_path, header, message):
    with pytest.raises(WeightsError, match=message):
        weights.load(with_header(tmp_path / "t.safetensors", header), kind="unet")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("[" * 50_000, "model card in .* is damaged"),
        ('{"name": "a", "name": "b"}', "model card in .* is damaged: a key is given twice"),
        (json.dumps({**CARD, "threshold": float("nan")}), "model card in .* is damaged: NaN is no number"),
        (json.dumps({**CARD, "architecture": [1]}), "architecture as a dict of settings, got list"),
        (json.dumps({**CARD, "bands": 3}), "bands as a list of names, got 3"),
        (json.dumps({**CARD, "bands": "F606W"}), "bands as a list of names"),
        (json.dumps({**CARD, "bands": []}), "bands as a list of names"),
        (json.dumps({**CARD, "kind": ["unet"]}), "kind"),
        ("9" * 5000, "model card in .* is damaged"),
        (7, "carries no model card"),
    ],
)
def test_a_card_that_can_be_read_in_two_ways_is_told(tmp_path, card, message):
    path = with_header(tmp_path / "t.safetensors", {"__metadata__": {"card": card}, "w": CLAIM})
    with pytest.raises(WeightsError, match=message):
        weights.card(path)


def test_many_sides_cost_no_time(tmp_path):
    # the product of these numbers has 4 million digits and takes minutes
    sides = b",".join([b"9" * 4000] * 900)
    path = with_header(tmp_path / "t.safetensors", DOUBLED.replace(b"[1]", b"[" + sides + b"]") + b"}")
    with ThreadPoolExecutor(1) as pool, pytest.raises(WeightsError, match="header is damaged"):
        pool.submit(weights.card, path).result(timeout=20)


# tensors


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_tensors_that_are_not_finite_are_told(tmp_path, bad, dtype):
    path = weights.save(tmp_path / "t.safetensors", {"a": np.ones(3), "w": np.array([[1, bad]], dtype)}, CARD)
    with pytest.raises(WeightsError, match="tensor 'w' in .* not finite"):
        weights.load(path, kind="unet")


def test_a_tensor_without_elements_is_read(tmp_path):
    path = weights.save(tmp_path / "t.safetensors", {"w": np.ones((0, 3), "f4"), "v": np.ones(1)}, CARD)
    assert weights.load(path, kind="unet")[0]["w"].shape == (0, 3)


# other things under that name


class Bomb:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def zipped(**content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "torch", "zip bomb", "gzip bomb", "npz", "text", "empty", "elf"])
def test_other_formats_run_and_unpack_nothing(tmp_path, kind):
    trace = tmp_path / "was_run"
    bomb = pickle.dumps(Bomb(trace))
    npz = io.BytesIO()
    np.savez(npz, w=np.array([Bomb(trace)], dtype=object))
    content = {
        "pickle": bomb * 9,
        "torch": zipped(**{"archive/data.pkl": bomb, "archive/version": b"3"}),
        "zip bomb": zipped(w=bytes(2**26)),
        "gzip bomb": gzip.compress(bytes(2**26)),
        "npz": npz.getvalue(),
        "text": b"<!DOCTYPE html>" * 20,
        "empty": b"",
        "elf": b"\x7fELF" + bytes(200),
    }[kind]
    trace.unlink(missing_ok=True)
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert not told_or_read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()
    assert not trace.exists()


def make(kind, path):
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to(path.with_name("gone"))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in the file system")
@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "loop", "dangling", "device"])
def test_what_is_no_file_is_told_and_does_not_hang(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = make(kind, tmp_path / "t.safetensors")
    with pytest.raises(WeightsError, match=r"there is no weights file .*t\.safetensors"):
        weights.load(path, kind="unet")
    with pytest.raises(WeightsError, match=r"there is no weights file .*t\.safetensors"):
        weights.import_file(path)
    with pytest.raises(OSError, match=r"t\.safetensors|not an ordinary file|gone"):
        weights.sha256(path)
    with pytest.raises(WeightsError, match=r"cannot read the weights file .*t\.safetensors"):
        files.read_card(path)


def test_a_link_is_followed_and_its_target_hashed(tmp_path, tiny):
    link = tmp_path / "link.safetensors"
    link.symlink_to(tiny)
    before = weights.sha256(link)
    assert told_or_read(link)
    other = weights.save(tmp_path / "other.safetensors", {"w": np.ones(2)}, CARD)
    link.unlink()
    link.symlink_to(other)
    assert weights.sha256(link) == weights.sha256(other) != before


NAMES = ("\0.safetensors", "x" * 5000 + ".safetensors", "~nobody-of-that-name/x.safetensors", "\ud800.safetensors", ".safetensors")


@pytest.mark.parametrize("name", NAMES, ids=["nul", "long", "nobody", "surrogate", "suffix only"])
def test_a_name_that_no_file_can_have_is_told(name):
    with pytest.raises(WeightsError, match="there is no weights file"):
        weights.load(name, kind="unet")


def test_a_wide_claim_is_refused_within_little_memory(tmp_path):
    # in a process of 2 GiB: what is claimed (4 TiB) cannot be there
    claim = {**CLAIM, "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    path = with_header(tmp_path / "t.safetensors", {"__metadata__": {"card": json.dumps(CARD)}, "w": claim})
    code = (
        "import resource, sys; from astroclumps import weights; from astroclumps.exceptions import WeightsError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))\n"
        "try:\n    weights.load(sys.argv[1], kind='unet')\nexcept WeightsError as exc:\n    print(exc)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60)
    assert "header is damaged: tensor 'w' has shape [1048576, 1048576]" in done.stdout


# what a card claims of its network


@pytest.mark.needs_torch
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": {"channels": 2, "filters": 10**9, "levels": 1}}, "asks for 1000000000 in the architecture; its tensors allow 64"),
        ({"architecture": {"channels": 2, "filters": 2, "levels": 10**6}}, "asks for 1000000 in the architecture"),
        ({"architecture": {"channels": 2, "filters": 2, "levels": 60}}, "do not fit the architecture"),
        (
            {"architecture": {"channels": 2, "filters": 64, "levels": 12}},
            "do not fit the architecture .*: names or shapes differ",
        ),
        ({"architecture": {"channels": 2, "filters": "2"}}, "do not fit the architecture"),
        ({"architecture": {"channels": 2, "filters": [2, [10**9]]}}, "asks for 1000000000"),
        ({"architecture": {"channels": 2, "colour": 1}}, "do not fit the architecture"),
        ({"known_answer": {"seed": 0, "shape": [4096, 2, 4096, 4096], "mean": 0, "max": 0, "tolerance": 1}}, "at most 16777216 numbers"),
        ({"known_answer": {"seed": 0, "shape": "big", "mean": 0, "max": 0, "tolerance": 1}}, "input of shape big"),
        ({"known_answer": {"shape": [1]}}, "must hold"),
        ({"known_answer": [1]}, "must hold"),
    ],
)
def test_a_card_that_asks_for_more_than_its_tensors_is_told(tmp_path, change, message):
    from astroclumps.detection.network import UNet
    from astroclumps.networks import load_network

    tensors = {name: value.numpy() for name, value in UNet(2, filters=2, levels=1).state_dict().items()}
    card = {**CARD, "architecture": {"channels": 2, "filters": 2, "levels": 1}, "pixel_scale": 0.06, "threshold": 0.5}
    path = weights.save(tmp_path / "t.safetensors", tensors, card)
    load_network(UNet, path, kind="unet", device="cpu")
    with pytest.raises(WeightsError, match=message):
        load_network(UNet, weights.save(path, tensors, {**card, **change}), kind="unet", device="cpu")
