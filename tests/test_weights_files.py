"""What a file of weights holds, and every way it may be wrong."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from astroclumps import weights
from astroclumps.exceptions import WeightsError
from astroclumps.weights import files

CARD = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {"base": 2}, "bands": ["F606W", "F160W"]}
TENSORS = {"b": np.arange(3, dtype="f4"), "a": np.ones((2, 2)), "n": np.array(7)}


@pytest.fixture
def tiny(tmp_path):
    return weights.save(tmp_path / "tiny-1.0.safetensors", TENSORS, CARD)


def with_header(path, header, data=b""):
    raw = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


# what a file holds


def test_round_trip_keeps_tensors_and_card(tiny):
    tensors, card = weights.load(tiny, kind="unet")
    assert card == CARD
    assert {name: (array.dtype.str, array.shape) for name, array in tensors.items()} == {
        "a": ("<f8", (2, 2)),
        "b": ("<f4", (3,)),
        "n": ("<i8", ()),
    }
    assert all((tensors[name] == TENSORS[name]).all() for name in TENSORS)


def test_same_tensors_and_card_give_the_same_bytes_in_any_order_and_process(tmp_path, tiny):
    code = (
        "import sys, numpy as np; from astroclumps import weights;"
        f"weights.save(sys.argv[1], {{'n': np.array(7), 'a': np.ones((2, 2)), 'b': np.arange(3, dtype='f4')}},"
        f" dict(reversed({CARD!r}.items())))"
    )
    other = tmp_path / "other.safetensors"
    subprocess.run([sys.executable, "-c", code, other], check=True)
    assert other.read_bytes() == tiny.read_bytes()


def test_turned_and_big_endian_arrays_are_written_as_they_read(tmp_path):
    turned = np.arange(6, dtype=">f4").reshape(2, 3).T
    tensors, _ = weights.load(weights.save(tmp_path / "t.safetensors", {"w": turned}, CARD), kind="unet")
    np.testing.assert_array_equal(tensors["w"], turned)


def test_card_takes_numpy_numbers_and_refuses_nan(tmp_path):
    card = {**CARD, "held_out": {"recall": np.float32(0.5)}, "threshold": np.array([1, 2])}
    path = weights.save(tmp_path / "t.safetensors", TENSORS, card)
    assert weights.card(path)["held_out"] == {"recall": 0.5}
    assert weights.card(path)["threshold"] == [1, 2]
    with pytest.raises(ValueError, match=r"card of t\.safetensors cannot be written as JSON"):
        weights.save(path, TENSORS, {**CARD, "threshold": float("nan")})
    with pytest.raises(ValueError, match="set is not a number, text, list or dict"):
        weights.save(path, TENSORS, {**CARD, "threshold": {1}})


@pytest.mark.parametrize(
    ("tensors", "card", "message"),
    [
        (TENSORS, {"name": "x"}, r"the card lacks \['version', 'kind', 'architecture', 'bands'\]"),
        (TENSORS, {**CARD, "kind": "vit"}, r"kind 'vit'; allowed are \['unet', 'cnn'\]"),
        (TENSORS, [1], "must be a dict, got list"),
        ({}, CARD, "no tensors"),
    ],
)
def test_save_refuses_what_load_would_refuse(tmp_path, tensors, card, message):
    with pytest.raises(ValueError, match=message):
        weights.save(tmp_path / "t.safetensors", tensors, card)
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_objects_and_other_suffixes(tmp_path):
    with pytest.raises(TypeError, match="tensor 'w' has type object"):
        weights.save(tmp_path / "t.safetensors", {"w": np.array([None])}, CARD)
    with pytest.raises(ValueError, match=r"ends with \.safetensors, got 't\.pt'"):
        weights.save(tmp_path / "t.pt", TENSORS, CARD)


def test_an_interrupted_save_keeps_the_old_file(tiny, monkeypatch):
    before = tiny.read_bytes()
    write = Path.write_bytes

    def half(path, data):
        write(path, data[: len(data) // 2])
        raise OSError("disk broken")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk broken"):
        weights.save(tiny, {"w": np.zeros(9)}, CARD)
    assert tiny.read_bytes() == before
    assert list(tiny.parent.glob(".*")) == []


def test_sha256_notices_a_change(tiny):
    before = weights.sha256(tiny)
    tiny.write_bytes(tiny.read_bytes()[:-1] + b"\xff")
    assert weights.sha256(tiny) != before


def test_a_file_is_hashed_once_per_process(tiny, monkeypatch):
    weights.sha256(tiny)
    monkeypatch.setattr(files.hashlib, "file_digest", None)
    assert len(weights.sha256(tiny)) == 64


# what a file may have wrong


@pytest.mark.parametrize("keep", [0, 7, 8, 40, -1])
def test_a_truncated_file_is_told(tiny, keep):
    tiny.write_bytes(tiny.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"tiny-1\.0\.safetensors is (truncated|not a safetensors file)"):
        weights.load(tiny, kind="unet")


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip file", b"\x80\x04 a pickle" * 99, b"<!DOCTYPE html>" * 99, b"\xff" * 64])
def test_garbage_is_told(tiny, content):
    tiny.write_bytes(content)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        weights.load(tiny, kind="unet")


def test_bytes_after_the_end_are_told(tiny):
    tiny.write_bytes(tiny.read_bytes() + b"more")
    with pytest.raises(WeightsError, match="damaged: its header claims"):
        weights.load(tiny, kind="unet")


def test_a_huge_header_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 10**9))
        file.truncate(10**9 + 8)  # sparse
    with pytest.raises(WeightsError, match="claims a header of 1000000000 bytes"):
        weights.card(path)


def test_a_huge_file_is_refused(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)  # sparse
    with pytest.raises(WeightsError, match="more than 2147483648 bytes are refused"):
        weights.card(path)


@pytest.mark.parametrize(
    "claim",
    [
        {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, -4]},
        {"dtype": "F128", "shape": [1], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [1]},
        {"dtype": [], "shape": [1], "data_offsets": [0, 4]},
        [],
        None,
    ],
)
def test_a_claim_that_contradicts_itself_is_told(tmp_path, claim):
    path = with_header(tmp_path / "t.safetensors", {"__metadata__": {"card": json.dumps(CARD)}, "w": claim}, b"\0\0\0\0")
    with pytest.raises(WeightsError, match=r"t\.safetensors is not a safetensors file, or its header is damaged"):
        weights.load(path, kind="unet")


def test_tensors_that_overlap_are_told(tmp_path):
    claim = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    path = with_header(tmp_path / "t.safetensors", {"__metadata__": {"card": json.dumps(CARD)}, "v": claim, "w": claim}, b"\0\0\0\0")
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        weights.load(path, kind="unet")


@pytest.mark.parametrize("header", [b"[1]", b"7", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_header_that_is_no_dict_is_told(tmp_path, header):
    with pytest.raises(WeightsError, match="not a safetensors file"):
        weights.card(with_header(tmp_path / "t.safetensors", header))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "carries no model card"),
        ({"format": "pt"}, "carries no model card"),
        ({"card": "{"}, "the model card in .* is damaged"),
        ({"card": "[]"}, "must be a dict, got list"),
        ({"card": "{}"}, "lacks"),
    ],
)
def test_a_missing_or_damaged_card_is_told(tmp_path, metadata, message):
    header = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, **({"__metadata__": metadata} if metadata else {})}
    path = with_header(tmp_path / "t.safetensors", header, b"\0\0\0\0")
    with pytest.raises(WeightsError, match=message):
        weights.load(path, kind="unet")


def test_tensors_that_are_not_finite_are_told(tmp_path):
    path = weights.save(tmp_path / "t.safetensors", {"w": np.array([1, np.nan])}, CARD)
    with pytest.raises(WeightsError, match="tensor 'w' .* not finite"):
        weights.load(path, kind="unet")
