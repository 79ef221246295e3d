"""Archives of NumPy (``.npz``), read so that a file that lies is refused: no pickle, no member larger than what is stored for it."""

import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

from .inflation import check_inflation

__all__ = ["read_npz_arrays"]

_START = (b"PK\x03\x04", b"PK\x05\x06")


class _Bomb(ValueError):
    """Its message names the file already."""


# What zipfile, zlib and numpy raise over damaged archives; zipfile asserts and indexes in places.
_DAMAGE = (zipfile.BadZipFile, EOFError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, AttributeError, AssertionError)
_DAMAGE = (*_DAMAGE, zlib.error, struct.error, lzma.LZMAError, SyntaxError, tokenize.TokenError)


def read_npz_arrays(file: str | os.PathLike, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an archive that `numpy.savez` or `numpy.savez_compressed` has written.

    Parameters
    ----------
    file : path-like
        The file. Names of its members are keys and never become paths.
    names : iterable of str, optional
        Arrays to read. Default: all.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is empty, cut off, damaged or no such archive, lacks an array, holds Python objects, or announces more than it can
        hold. The message says what is wrong; it begins with the file's name.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from astroclumps.npz_files import read_npz_arrays
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "some.npz", a=np.arange(3), b=np.eye(2))
    ...     read_npz_arrays(Path(folder) / "some.npz", ["a"])
    {'a': array([0, 1, 2])}
    """
    try:
        with open(file, "rb") as handle:
            start = handle.read(4)
            if start not in _START:
                raise ValueError("it is no archive of NumPy" if start else "the file is empty")
            with zipfile.ZipFile(handle) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}
                wanted = list(members) if names is None else list(names)
                missing = [name for name in wanted if name not in members]
                if missing:
                    raise ValueError(f"it lacks {', '.join(missing)}")
                check_inflation(file, sum(members[name].file_size for name in wanted), _Bomb, size=os.fstat(handle.fileno()).st_size)
                return {name: _array(archive, members[name], name) for name in wanted}
    except (FileNotFoundError, _Bomb):
        raise
    except (OSError, *_DAMAGE) as exc:
        raise ValueError(f"{file} cannot be read: {exc or type(exc).__name__}") from exc


def _array(archive, info, name):
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"array {name} has the unknown version {version}")
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise ValueError(f"array {name} holds Python objects, which are never opened")
        stored, announced = info.file_size - stream.tell(), math.prod(shape) * dtype.itemsize
        if any(side < 0 for side in shape) or announced != stored:
            raise ValueError(f"array {name} should have the shape {shape} of {dtype}, {announced} bytes, but {stored} are stored")
        data = stream.read()
    if len(data) != stored:
        raise ValueError(f"array {name} has {len(data)} bytes of {stored}")
    array = np.frombuffer(bytearray(data), dtype=dtype) if dtype.itemsize else np.zeros(math.prod(shape), dtype=dtype)
    return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)
