"""One case of fuzzing: a right file, damaged by a seed, and what its reader makes of it."""

import resource
import shutil
import signal
import tempfile
import traceback
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fuzz_mutations import damage
from fuzz_seeds import READERS

from astroclumps.exceptions import AstroclumpsWarning

SECONDS = 30
"""Longest time of a case."""

MEMORY = 600_000
"""Most that a case may add to the largest memory of the process, kB."""

EXPECTED = ("read", "refused")


class Outcome(NamedTuple):
    reader: str
    mutation: str
    what: str  # 'read', 'refused', or what went wrong
    detail: str

    @property
    def expected(self):
        return self.what in EXPECTED


class TooLong(BaseException):
    """Not an Exception, so that no reader can take it for damage."""


_made = {}


def seed_folder(reader):
    """The folder of a right file, made once a process, and the file in it."""
    if reader not in _made:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-seed-"))
        path = READERS[reader][0](folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)
            if reader != "snapshot yt":  # random bytes, which nothing reads
                READERS[reader][1](path)
        _made[reader] = (folder, path.relative_to(folder))
    return _made[reader]


def forget():
    """Remove what was made."""
    for folder, _ in _made.values():
        shutil.rmtree(folder, ignore_errors=True)
    _made.clear()


def prepare(reader, seed, number, folder):
    """Damage a copy of the right file; the name of the change and the damaged file."""
    source, name = seed_folder(reader)
    target = Path(folder) / "case"
    shutil.copytree(source, target)
    rng = np.random.default_rng([seed, zlib.crc32(reader.encode()), number])
    return damage(target / name, READERS[reader][2], rng)


def run(reader, seed, number):
    """One case."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            mutation, path = prepare(reader, seed, number, folder)
        except Exception:
            return Outcome(reader, "?", "not damaged", traceback.format_exc(limit=-4))
        return judge(reader, mutation, path)


def judge(reader, mutation, path):
    """What a reader makes of a file."""
    _, read, _, documented = READERS[reader]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what, detail = "read", ""

    def stop(*_):
        raise TooLong

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read(path)
    except TooLong:
        what, detail = "too long", traceback.format_exc(limit=-4)
    except documented as exc:
        what = "refused"
        wrong = type(exc) not in documented and not isinstance(exc, documented[:1]) and _internal(exc)
        if wrong:
            what, detail = f"raw {type(exc).__name__}", traceback.format_exc(limit=-6)
        elif not _names(exc, path):
            what, detail = "refused without the file's name", f"{type(exc).__name__}: {exc}"
    except BaseException as exc:
        if mutation == "other_suffix" and type(exc) is ValueError and path.name in str(exc):
            return Outcome(reader, mutation, "refused", "")  # an argument that is wrong
        if isinstance(exc, KeyboardInterrupt | SystemExit):
            raise
        what, detail = type(exc).__name__, traceback.format_exc(limit=-6)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    if what in EXPECTED:
        foreign = [one for one in caught if not issubclass(one.category, AstroclumpsWarning)]
        if foreign:
            one = foreign[0]
            what, detail = f"warning {one.category.__name__}", f"{one.filename}:{one.lineno}: {one.message}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > MEMORY and what in EXPECTED:
        what, detail = "memory", f"{grown / 1e6:.2f} GB more"
    return Outcome(reader, mutation, what, detail[-3000:])


def _internal(exc):
    """A subclass of a documented exception that says nothing of a file, such as UnicodeDecodeError for ValueError."""
    return type(exc).__module__ == "builtins" and type(exc) is not ValueError and not isinstance(exc, OSError)


def _names(exc, path):
    text = str(exc)
    return path.name in text or "/case/" in text or any(part and part in text for part in (path.stem.split(".")[0], str(path.parent)))
