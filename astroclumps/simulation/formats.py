"""Which built-in reader a file of a simulation is for, and what is said where none is."""

import contextlib
import os
from pathlib import Path

from astroclumps.exceptions import SnapshotError

__all__ = ["guess_reader", "recognised"]

_FORMATS = "'hdf5' reads HDF5 files with groups PartType*, 'npz' what Snapshot.write has written, 'yt' what the package yt knows"


def guess_reader(path) -> str:
    """Name of the built-in reader that a path is for."""
    if not isinstance(path, (str, os.PathLike)):
        return "yt"
    path = Path(path)
    if not path.exists():
        return "npz" if path.suffix == ".npz" else "hdf5"  # either says that it is missing
    if path.is_dir():
        return "hdf5" if any(path.glob("*.0.hdf5")) else "yt"
    with open(path, "rb") as file:
        start = file.read(8)
    if start[:4] == b"PK\x03\x04":
        return "npz"
    if start == b"\x89HDF\r\n\x1a\n":
        import h5py

        try:
            with h5py.File(path) as file:
                return "hdf5" if any(name.startswith("PartType") for name in file) else "yt"
        except (OSError, RuntimeError, KeyError, ValueError):  # truncated or damaged: the reader says so
            return "hdf5"
    return {".npz": "npz", ".hdf5": "hdf5", ".h5": "hdf5"}.get(path.suffix, "yt")


@contextlib.contextmanager
def recognised(path):
    """Around a reader that was guessed: where it is yt, and yt is missing or does not know the file either, say which formats there are."""
    try:
        yield
    except (ImportError, SnapshotError) as exc:
        missing = isinstance(exc, ImportError)
        if not isinstance(path, (str, os.PathLike)) or guess_reader(path) != "yt":
            raise
        if not missing and type(exc.__cause__).__name__ != "YTUnidentifiedDataType":
            raise  # yt knows what it is, and finds it broken
        tried = "yt is not installed" if missing else "yt was tried, and does not know it either"
        how = 'once it is installed by  pip install "astroclumps[sim]"' if missing else "and shows what it says"
        raise SnapshotError(
            f"{path}: no reader recognises it as a snapshot: {_FORMATS}; {tried}. --reader (in Python format=) chooses a reader: "
            f"--reader yt tries yt {how}"
        ) from exc
