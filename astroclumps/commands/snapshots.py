"""From the arguments of ``find3d`` to snapshots: which files, in which order, with which options of their reader."""

import contextlib
import glob
import inspect
import re
from pathlib import Path

from . import UsageError
from .options import value

__all__ = ["add_snapshot_options", "paths", "read", "reader_options"]

_SUFFIXES = (".npz", ".hdf5", ".h5", ".hdf")
_PART = re.compile(r"(.+)\.\d+\.(hdf5|h5|hdf)")  # one of the files of a snapshot in several


def add_snapshot_options(parser, *, nargs="+"):
    """Where the particles come from and what they mean; ``nargs`` of the snapshots."""
    group = parser.add_argument_group("snapshots")
    group.add_argument(
        "snapshot", nargs=nargs, metavar="SNAP",
        help="snapshots of one galaxy in order of time: files, a folder that holds them, or a pattern such as 'run/snap_*.hdf5'",
    )  # fmt: skip
    group.add_argument("--reader", metavar="NAME", help="simulation reader: hdf5, npz, yt or a plugin (default: by content)")
    group.add_argument(
        "--reader-option", action="append", default=[], metavar="NAME=VALUE",
        help="setting of the reader, such as old_star_age='[1, 3] Gyr'; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--centre", action="append", metavar="X,Y,Z",
        help="the galaxy's centre in kpc, for all snapshots or, repeated, for one each (default: measured)",
    )  # fmt: skip
    group.add_argument("--r-vir", metavar="KPC[,KPC...]", help="virial radius, one for all or one each (default: measured)")


def paths(args) -> list[Path]:
    """The snapshots that the arguments name, in their order; those of a folder or pattern by the numbers in their names."""
    found = []
    for text in args.snapshot:
        path = Path(text)
        if path.is_dir():
            found += _inside(path, getattr(args, "reader", None))
        elif path.exists() or not glob.has_magic(text):
            found.append(path)
        else:
            matches = sorted((Path(one) for one in glob.glob(text)), key=_natural)
            if not matches:
                raise FileNotFoundError(f"no snapshot matches {text}")
            found += matches
    for path in found:
        if not path.exists():
            raise FileNotFoundError(f"no snapshot {path}")
    twice = sorted({str(path) for path in found if found.count(path) > 1})
    if twice:
        raise UsageError(f"snapshot {twice[0]} is given twice")
    return found


def reader_options(args, n: int) -> list[dict]:
    """Options of the reader for each of n snapshots, with centre and virial radius where they are given."""
    import astropy.units as u

    common = {}
    for text in args.reader_option:
        name, equals, right = text.partition("=")
        if not (equals and name.strip()):
            raise UsageError(f"--reader-option takes NAME=VALUE, such as old_star_age='2 Gyr', got {text!r}")
        common[name.strip()] = value(right)
    centres = [_numbers(one, "--centre", 3) for one in args.centre or ()]
    radii = [] if args.r_vir is None else _numbers(args.r_vir, "--r-vir")
    made = [dict(common) for _ in range(n)]
    for option, name, values in (("--centre", "centre", centres), ("--r-vir", "r_vir", radii)):
        if len(values) not in (0, 1, n):
            raise UsageError(f"{option} is given once for all snapshots or once for each; {_number(n)}, {len(values)} given")
        for i, one in enumerate(made if values else ()):
            one[name] = values[i if len(values) == n else 0] * u.kpc
    return made


def read(path: Path, reader: str | None, options: dict):
    """A snapshot; centre and virial radius are set on it where its reader does not take them."""
    from .. import plugins
    from ..simulation.formats import guess_reader, recognised
    from ..simulation.snapshot import Snapshot

    name = reader or guess_reader(path)
    load = plugins.load("simulation_readers", name)
    known = inspect.signature(load).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    late = {} if open_ended else {key: options[key] for key in ("centre", "r_vir") if key in options and key not in known}
    now = {key: one for key, one in options.items() if key not in late}
    plugins.create("simulation_readers", name, **now)  # names the settings that there are where one is unknown
    with contextlib.nullcontext() if reader is not None else recognised(path):
        snapshot = Snapshot.read(path, format=name, **now)
    return snapshot.replace(**late) if late else snapshot


def _number(n):
    return "there is 1 snapshot" if n == 1 else f"there are {n} snapshots"


def _inside(folder, reader=None):
    """The snapshots in a folder; the folder itself where it holds the parts of one, or what only its reader knows."""
    files = sorted((path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != "."), key=_natural)
    parts = [_PART.fullmatch(path.name) for path in files]
    if not files:
        _check_folder(folder, reader)
        return [folder]
    if len({part and part[1] for part in parts}) == 1 and parts[0]:
        return [folder]
    return files


def _check_folder(folder, reader):
    """Raise an error if a folder without files of snapshots can be none itself either."""
    inside = sorted((path for path in folder.iterdir() if path.name[0] != "."), key=_natural)
    if not inside:
        raise FileNotFoundError(f"no snapshots in {folder}: the folder is empty")
    if reader is not None or not all(path.is_dir() for path in inside):
        return  # one that a code writes as a folder: its reader tells
    names = ", ".join(path.name for path in inside[:3]) + (f" and {len(inside) - 3} more" if len(inside) > 3 else "")
    raise FileNotFoundError(
        f"no snapshots in {folder}: it holds only the folder{'' if len(inside) == 1 else 's'} {names}; give the snapshots of one galaxy, "
        f"such as {inside[0]}"
    )


def _natural(path):
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split(r"(\d+)", str(path)) if word]


def _numbers(text, option, count=None):
    try:
        values = [float(one) for one in text.split(",")]
    except ValueError:
        values = []
    if not values or (count is not None and len(values) != count):
        raise UsageError(f"{option} takes {'numbers' if count is None else f'{count} numbers'} with commas between, got {text!r}")
    return values
