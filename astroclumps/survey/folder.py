"""The folder of a survey: what is written there, when it counts, what is left of it after a death."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ..exceptions import SurveyError
from .job import Done, sha256

__all__ = ["TABLES", "Folder"]

TABLES = ("clumps", "galaxies", "failures", "thumbnails")
FORMAT = 1


class Folder:
    """A survey's folder.

    A part counts once its record lies in ``manifest/``; the record is written last and holds the sha256 of the part's files. All files get
    their name when they are complete. Whatever a process leaves that dies in between is replaced or removed by the next one.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self.path = Path(path)

    @property
    def settings(self) -> dict[str, Any] | None:
        """What ``survey.json`` holds; None where there is none."""
        return _json(self.path / "survey.json")

    @property
    def summary(self) -> dict[str, Any] | None:
        """What ``summary.json`` holds; None where there is none."""
        return _json(self.path / "summary.json")

    def begin(self, settings: dict[str, Any]) -> None:
        """Make the folder and write its settings."""
        for name in (*TABLES, "manifest"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self._write("survey.json", _dump(settings))

    def clear(self) -> None:
        """Remove a survey's own files, records first, and nothing else."""
        (self.path / "summary.json").unlink(missing_ok=True)
        for file in self.path.glob("manifest/part-*.json"):
            file.unlink()
        for name in TABLES:
            for file in self.path.glob(f"{name}/part-*.parquet"):
                file.unlink()
        (self.path / "survey.json").unlink(missing_ok=True)
        (self.path / "log.jsonl").unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what dead processes left behind."""
        for name in ("", "manifest", *TABLES):
            for file in (self.path / name).glob(".partial-*"):
                file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self):
        """Keep other processes out; the lock goes with the process."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")
        except OSError as exc:
            what = "it is a file" if self.path.is_file() else exc.strerror or str(exc)
            raise SurveyError(f"results cannot be written into {self.path}: {what}; choose another folder") from exc
        with lock as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # not on Windows
                pass
            except OSError as exc:
                raise SurveyError(f"another process is at work in {self.path}; wait for it, or take another folder") from exc
            yield

    def record(self, number: int) -> dict[str, Any] | None:
        """The record of a part whose files are all there and whole, else None."""
        found = _json(self.path / "manifest" / f"part-{number:05d}.json")
        if not found or set(found.get("sha256", ())) != set(TABLES):
            return None
        for name, digest in found["sha256"].items():
            try:
                data = self.file(name, number).read_bytes()
            except OSError:
                return None
            if sha256(data) != digest:
                return None
        return found

    def records(self, n_parts: int):
        """Records of the parts that are done, as they stand, without a look at the files."""
        there = (path.stem.removeprefix("part-") for path in (self.path / "manifest").glob("part-*.json"))
        for number in sorted(int(one) for one in there if one.isdecimal() and len(one) < 10):
            found = _json(self.path / "manifest" / f"part-{number:05d}.json") if number < n_parts else None
            if found and found.get("part") == number and isinstance(found.get("galaxies"), int):
                yield found

    def file(self, name: str, number: int) -> Path:
        """Path of one file of a part."""
        return self.path / name / f"part-{number:05d}.parquet"

    def forget(self, number: int) -> None:
        """Take the record of a part away: it will be done again."""
        (self.path / "manifest" / f"part-{number:05d}.json").unlink(missing_ok=True)

    def commit(self, done: Done, galaxies: int) -> None:
        """Write the files of a part, then its record."""
        for name, data in done.files.items():
            self._write(f"{name}/part-{done.number:05d}.parquet", data)
        record = {
            "part": done.number,
            "galaxies": galaxies,
            "rows": done.rows,
            "counts": done.counts,
            "warnings": done.warnings,
            "sha256": {name: sha256(data) for name, data in done.files.items()},
        }
        self._write(f"manifest/part-{done.number:05d}.json", _dump(record))

    def log(self, entry: dict[str, Any]) -> None:
        """Add a line to ``log.jsonl``: times and memory, which differ from run to run."""
        path = self.path / "log.jsonl"
        with open(path, "a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the last writer died in the middle of a line
                    file.write(b"\n")
            file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")

    def entries(self):
        """Lines of ``log.jsonl`` that are whole."""
        try:
            lines = (self.path / "log.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry

    def finish(self, summary: dict[str, Any]) -> None:
        """Write the summary."""
        self._write("summary.json", _dump(summary))

    def _write(self, name, data):
        """A file that appears when it is complete and on the disk."""
        path = self.path / name
        partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
        try:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as exc:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise SurveyError(
                f"cannot write {path}: {exc.strerror or exc}; what was finished is kept: make room or mend it, and run the same again"
            ) from exc


def _dump(value):
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _json(path):
    """A JSON object; None where there is no file, or a damaged one."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
