"""The skeleton of a FITS file, looked over before anything believes its headers."""

import bz2
import gzip
import lzma
import math
import os
import re
import zipfile
from pathlib import Path

from .exceptions import ImageError
from .inflation import check_inflation

__all__ = ["check_structure"]

_BLOCK, _CARD = 2880, 80
_COMPRESSED = {b"\x1f\x8b\x08": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_SIZES = re.compile(rb"(BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|ZBITPIX|ZNAXIS\d*|TFIELDS|SIMPLE|XTENSION|TFORM\d*) *$")
_WIDTHS = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}  # bytes
_BITPIX = (8, 16, 32, 64, -32, -64)
_MOST = 999  # axes and columns, by the standard
_HEADER = 36 * 10_000  # cards that a header may have (ours)


def check_structure(path: str | os.PathLike) -> None:
    """Read the sizes that all headers of a FITS file announce, and compare them with what is there.

    Parameters
    ----------
    path : path-like
        The file, plain or compressed by gzip, bzip2 or xz.

    Raises
    ------
    ImageError
        If a size is no number, negative, or beyond the standard; if data are announced that the file does not hold; or if it inflates
        beyond what `astroclumps.inflation.check_inflation` allows. The message names file and keyword.
    """
    path = Path(path)
    size = path.stat().st_size
    with open(path, "rb") as raw:
        start = raw.read(6)
    if start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            check_inflation(path, sum(info.file_size for info in archive.infolist()), ImageError)
        return
    opened = next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), None)
    with (opened or open)(path, "rb") as file:
        place = 0
        while True:
            sizes, length = _header(file, path, place)
            if sizes is None:
                return
            announced = _announced(sizes, path)
            place += length
            check_inflation(path, max(announced, _unpacked(sizes, path)), ImageError)
            if opened is None and announced > size - place:
                raise ImageError(f"{path} is truncated: a header announces {announced} bytes of data, but {max(size - place, 0)} follow it")
            place += -(-announced // _BLOCK) * _BLOCK
            if opened is not None:
                check_inflation(path, place, ImageError)
            file.seek(place)


def _header(file, path, place):
    """Cards of one header that state sizes, and its length; (None, 0) where there is no further header."""
    sizes, length = {}, 0
    while True:
        block = file.read(_BLOCK)
        if length and len(block) < _BLOCK:
            raise ImageError(f"{path} is truncated in the header at byte {place}")
        if not length and not (len(block) == _BLOCK and block.startswith(b"XTENSION=" if place else b"SIMPLE  =")):
            if place and block.strip(b"\0"):
                raise ImageError(f"{path} is truncated or damaged: what is at byte {place} is no header")
            return None, 0
        length += _BLOCK
        for i in range(0, _BLOCK, _CARD):
            key = block[i : i + 8].rstrip()
            if key == b"END":
                return sizes, length
            if block[i + 8 : i + 9] == b"=" and _SIZES.match(key):
                sizes.setdefault(key.decode(), block[i + 9 : i + _CARD].partition(b"/")[0].strip())
        if length > _HEADER * _CARD:
            raise ImageError(f"{path} has a header of more than {_HEADER} cards at byte {place}")


def _number(sizes, key, path, low, high, default=None):
    text = sizes.get(key)
    if text is None:
        if default is None:
            raise ImageError(f"{path} is damaged: {key} is missing in a header")
        return default
    if not re.fullmatch(rb"[+-]?\d{1,18}", text) or not low <= int(text) <= high:
        raise ImageError(
            f"{path} is damaged: {key} = {text.decode('latin-1')!r} in a header, where a whole number from {low} to {high} is needed"
        )
    return int(text)


def _announced(sizes, path):
    """Bytes of data behind a header."""
    for key, pattern in (("SIMPLE", rb"[TF]"), ("XTENSION", rb"'[A-Z0-9_ ]+'")):
        if key in sizes and not re.fullmatch(pattern, sizes[key]):
            raise ImageError(f"{path} is damaged: {key} = {sizes[key].decode('latin-1')!r} in a header")
    axes = [_number(sizes, f"NAXIS{i + 1}", path, 0, 2**53) for i in range(_number(sizes, "NAXIS", path, 0, _MOST))]
    bits = _number(sizes, "BITPIX", path, -64, 64)
    if bits not in _BITPIX:
        raise ImageError(f"{path} is damaged: BITPIX = {bits} in a header, where one of {', '.join(map(str, _BITPIX))} is needed")
    parameters, groups = _number(sizes, "PCOUNT", path, 0, 2**53, 0), _number(sizes, "GCOUNT", path, 0, 2**53, 1)
    columns = _number(sizes, "TFIELDS", path, 0, _MOST, 0)
    if b"BINTABLE" in sizes.get("XTENSION", b"") and axes:
        _check_width(sizes, path, columns, axes[0], parameters)
    if axes and axes[0] == 0 and sizes.get("GROUPS") == b"T":
        axes = axes[1:]
    return abs(bits) // 8 * groups * (parameters + math.prod(axes)) if axes else 0


def _check_width(sizes, path, columns, width, heap):
    """Columns of a binary table fit into its rows, and those of variable length have somewhere to lie."""
    total = 0
    for i in range(columns):
        match = re.match(rb"'\s*(\d{0,18})([A-Z])", sizes.get(f"TFORM{i + 1}", b""))
        if match is None:
            continue  # the reader says what is wrong with it
        kind = match[2].decode()
        number = int(match[1] or 1)
        if kind in "PQ" and number and not heap:
            raise ImageError(f"{path} is damaged: TFORM{i + 1} announces a column of variable length, but PCOUNT no bytes for it")
        total += -(-number // 8) if kind == "X" else number * _WIDTHS.get(kind, 0)
    if total > width:
        raise ImageError(f"{path} is damaged: its columns TFORMn need {total} bytes a row, but NAXIS1 = {width}")


def _unpacked(sizes, path):
    """Bytes of an image that is stored in compressed tiles; 0 for others."""
    if "ZNAXIS" not in sizes:
        return 0
    axes = [_number(sizes, f"ZNAXIS{i + 1}", path, 0, 2**53) for i in range(_number(sizes, "ZNAXIS", path, 0, _MOST))]
    return math.prod(axes) * abs(_number(sizes, "ZBITPIX", path, -64, 64)) // 8
