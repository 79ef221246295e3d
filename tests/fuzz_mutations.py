"""Ways to damage a file; the same generator of random numbers damages it in the same way."""

import shutil
import struct
import zipfile
import zlib

from fuzz_archives import NPZ, hdf5_part, npz_bomb
from fuzz_bytes import BYTES, FITS, TEXT, flip_bits, gzipped, truncate, xml_laughs, yaml_laughs

LARGEST = 20_000_000
"""Bytes of a damaged file: what is asked is that little input takes little memory."""


def directory(path, rng):
    path.unlink()
    path.mkdir()


def link_loop(path, rng):
    path.unlink()
    path.symlink_to(path.name)


def missing(path, rng):
    path.unlink()


def other_suffix(path, rng):
    """The right content under another suffix; gives the new path."""
    suffixes = (".fits", ".npz", ".hdf5", ".ecsv", ".vot", ".txt", ".gz", "", ".csv", ".parquet", ".fits.gz")
    new = path.with_name(path.name.split(".")[0] + suffixes[int(rng.integers(len(suffixes)))])
    if new != path:
        shutil.move(path, new)
    return new


THINGS = (directory, link_loop, missing, other_suffix)


def choices(kind):
    """Changes of bytes for a kind of file, and how often each is drawn."""
    own = {"fits": FITS * 2, "fits.gz": tuple(gzipped(one) for one in (*FITS, truncate, flip_bits)), "text": TEXT * 2, "npz": NPZ * 3}
    own["ecsv"] = (*TEXT * 2, yaml_laughs)
    own["xml"] = (*TEXT * 2, xml_laughs)
    return (*BYTES, *own.get(kind, ()))


def damage(path, kind, rng):
    """Damage a file in place; the name of the change, and the path that now holds it."""
    draw = rng.random()
    if draw < 0.02:
        change = THINGS[int(rng.integers(len(THINGS)))]
        return change.__name__, change(path, rng) or path
    if kind == "hdf5" and draw < 0.6:
        hdf5_part(path, rng)
        return "hdf5_part", path
    if kind == "npz" and draw < 0.022:
        path.write_bytes(npz_bomb(path.read_bytes(), rng))
        return "npz_bomb", path
    changes = choices(kind)
    change = changes[int(rng.integers(len(changes)))]
    data = change(path.read_bytes(), rng)
    if draw > 0.85:  # two things at once
        second = changes[int(rng.integers(len(changes)))]
        try:
            data = second(data, rng)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError, NotImplementedError, struct.error):
            pass  # the first change has left nothing that the second could change
    path.write_bytes(data[:LARGEST])
    return change.__name__, path
