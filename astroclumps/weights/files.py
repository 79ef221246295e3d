"""A file of weights: tensors and a model card in the safetensors format.

The card is JSON in the file's metadata under the key ``card``, so that the sha256 of the file covers it. Nothing here
runs code from a file, and what a header claims is checked before memory is reserved for it.
"""

import errno
import hashlib
import json
import math
import os
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np

from ..exceptions import WeightsError
from ..whole_files import write_whole

__all__ = ["CARD_KEYS", "MAX_FILE", "REQUIRED_CARD_KEYS", "read", "read_card", "save", "sha256"]

#: What a model card says.
CARD_KEYS = (
    "name",
    "version",
    "kind",
    "architecture",
    "bands",
    "pixel_scale",
    "stretch",
    "threshold",
    "trained_on",
    "held_out",
    "recipe",
    "licence",
    "citation",
    "known_answer",
)

#: What a card must say for a network to be built at all; weights with a registered name say all of `CARD_KEYS`.
REQUIRED_CARD_KEYS = ("name", "version", "kind", "architecture", "bands")

#: Bytes; a larger file is refused, and a download is cut off there.
MAX_FILE = 2 * 2**30

_KINDS = ("unet", "cnn")
_MAX_HEADER = 4 * 2**20  # bytes; the header of a network with 10,000 tensors stays below
_MAX_SIDES = 32  # axes of a tensor; numpy takes 64
_ITEM_SIZE = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

_digests: dict[tuple, str] = {}


def sha256(path: str | os.PathLike) -> str:
    """The sha256 digest of a file, computed once per process for each path and time of change.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        If there is no such file, or it is a folder, a pipe or a device.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from astroclumps import weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "empty")
    ...     path.touch()
    ...     weights.sha256(path)
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    path = Path(os.path.realpath(path))
    stat = path.stat()
    if not S_ISREG(stat.st_mode):  # a pipe would never end
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    key = (path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    if key not in _digests:
        with path.open("rb") as file:
            _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _digests[key]


def save(path: str | os.PathLike, tensors: dict[str, np.ndarray], card: dict[str, Any]) -> Path:
    """Write tensors and their model card; the same input gives the same bytes.

    Parameters
    ----------
    path : path-like
        Ends with ``.safetensors``. An existing file is replaced once the new one is complete.
    tensors : dict of str to `~numpy.ndarray`
        Arrays of floats, integers or booleans; what numpy can turn into an array (torch tensors on the CPU) will do.
    card : dict
        Must hold `REQUIRED_CARD_KEYS`; only what JSON can hold, and numpy scalars and arrays.

    Returns
    -------
    `~pathlib.Path`

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from astroclumps import weights
    >>> card = {"name": "tiny", "version": "1.0", "kind": "unet", "architecture": {"base": 1}, "bands": ["F160W"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = weights.save(pathlib.Path(folder, "tiny.safetensors"), {"w": np.ones(3, "f4")}, card)
    ...     tensors, read_card = weights.load(path, kind="unet")
    >>> tensors["w"]
    array([1., 1., 1.], dtype=float32)
    >>> read_card == card
    True
    """
    import safetensors.numpy

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"weights are written to a file that ends with .safetensors, got {path.name!r}")
    _check_card(card, "the card")
    if not tensors:
        raise ValueError("there are no tensors to write")
    arrays = {}
    for name, tensor in tensors.items():
        array = np.asarray(tensor, order="C")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise TypeError(f"tensor {name!r} has type {array.dtype}; allowed are floats, integers and booleans of up to 64 bits")
        arrays[str(name)] = array.astype(array.dtype.newbyteorder("="), copy=False)
    try:
        text = json.dumps(card, sort_keys=True, allow_nan=False, default=_jsonable)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"the card of {path.name} cannot be written as JSON: {exc}") from exc
    # exactly one key: safetensors writes several in an order that changes from run to run
    data = safetensors.numpy.save(arrays, metadata={"card": text})
    write_whole(path, lambda partial: partial.write_bytes(data))
    return path


def read_card(path: str | os.PathLike) -> dict[str, Any]:
    """The model card inside a file; reads the header only.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If the file is missing, truncated, not in the safetensors format, or holds no card.
    """
    return _read_header(Path(path))


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and the model card inside a file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tensors : dict of str to `~numpy.ndarray`
    card : dict

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If the file is missing, truncated, not in the safetensors format, holds no card, or a tensor is not finite.
    """
    import safetensors
    import safetensors.numpy

    path = Path(path)
    card = _read_header(path)
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as exc:
        raise WeightsError(f"{path} cannot be read as safetensors: {exc}") from exc
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise WeightsError(f"tensor {name!r} in {path} holds values that are not finite; the training that wrote it failed")
    return tensors, card


def _read_header(path):
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would never end
            raise OSError(errno.EINVAL, "not an ordinary file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                raise WeightsError(f"{path} has {size} bytes; weights of more than {MAX_FILE} bytes are refused")
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > size - 8:
                raise WeightsError(f"{path} is truncated or not a safetensors file: {size} bytes, its header claims {length}")
            if length > _MAX_HEADER:
                raise WeightsError(f"{path} claims a header of {length} bytes; more than {_MAX_HEADER} are refused")
            raw = file.read(length)
    except (OSError, ValueError) as exc:
        raise WeightsError(f"cannot read the weights file {path}: {getattr(exc, 'strerror', None) or exc}") from exc
    try:
        header = _parse(str(raw, "utf-8"))
        metadata = header.pop("__metadata__", None) or {}
        claimed = max((_check_tensor(name, claim) for name, claim in header.items()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise WeightsError(f"{path} is not a safetensors file, or its header is damaged: {exc}") from exc
    if claimed != size - 8 - length:
        raise WeightsError(f"{path} is truncated or damaged: its header claims {claimed} bytes of tensors, it holds {size - 8 - length}")
    try:
        card = _parse(metadata["card"])
    except (KeyError, TypeError):
        raise WeightsError(f"{path} carries no model card; write weights with astroclumps.weights.save") from None
    except (ValueError, RecursionError) as exc:
        raise WeightsError(f"the model card in {path} is damaged: {exc}") from exc
    try:
        _check_card(card, f"the model card in {path}")
    except ValueError as exc:
        raise WeightsError(str(exc)) from exc
    return card


def _parse(text):
    """JSON without what two parsers may read in two ways: keys given twice, NaN and infinity."""

    def unique(pairs):
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a key is given twice")
        return made

    def constant(name):
        raise ValueError(f"{name} is no number in JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=constant)


def _check_tensor(name, claim):
    """The end of a tensor's bytes as its header claims it; a claim that contradicts itself is an error."""
    dtype, shape, (begin, end) = claim["dtype"], claim["shape"], claim["data_offsets"]
    if dtype not in _ITEM_SIZE:
        raise ValueError(f"tensor {name!r} has type {dtype!r}; allowed are {sorted(_ITEM_SIZE)}")
    if not isinstance(shape, list) or len(shape) > _MAX_SIDES:
        raise ValueError(f"tensor {name!r} must have a list of at most {_MAX_SIDES} sides as its shape")
    if not all(type(value) is int and 0 <= value <= MAX_FILE for value in (*shape, begin, end)):
        raise ValueError(f"tensor {name!r} has shape {shape} and offsets {[begin, end]}")
    if end - begin != math.prod(shape) * _ITEM_SIZE[dtype]:
        raise ValueError(f"tensor {name!r} of shape {shape} and type {dtype} cannot have {end - begin} bytes")
    return end


def _check_card(card, who):
    if not isinstance(card, dict):
        raise ValueError(f"{who} must be a dict, got {type(card).__name__}")
    missing = [key for key in REQUIRED_CARD_KEYS if key not in card]
    if missing:
        raise ValueError(f"{who} lacks {missing}; it must hold {list(REQUIRED_CARD_KEYS)}")
    if card["kind"] not in _KINDS:
        raise ValueError(f"{who} gives the kind {card['kind']!r}; allowed are {list(_KINDS)}")
    if not isinstance(card["architecture"], dict):
        raise ValueError(f"{who} must give the architecture as a dict of settings, got {type(card['architecture']).__name__}")
    bands = card["bands"]
    if not (isinstance(bands, (list, tuple)) and bands and all(isinstance(band, str) for band in bands)):
        raise ValueError(f"{who} must give the bands as a list of names, got {bands!r}")


def _jsonable(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a number, text, list or dict")
