"""`read_npz` and `write_npz`: a whole snapshot in one archive of NumPy, without loss and without pickles."""

import json
import os
import tokenize
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import SnapshotError
from astroclumps.npz_files import read_npz_arrays

from .elements import KINDS
from .snapshot import Snapshot

__all__ = ["read_npz", "write_npz"]

_FORMAT = "astroclumps snapshot 1"
_VECTORS = {"r_vir": u.kpc, "centre": u.kpc, "velocity": u.km / u.s, "axis": None, "time": u.Gyr}


def write_npz(snapshot: Snapshot, path, *, overwrite: bool = False) -> None:
    """Write a snapshot; `read_npz` gives the same numbers back, bit by bit.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        What to write. Centre, axis, velocity and virial radius are kept where they were given or have been measured.
    path : path-like
        The file, with the suffix ``.npz``.
    overwrite : bool, default False
        Replace a file that is there, once the new one is whole.

    Raises
    ------
    FileExistsError
        The file is there, and ``overwrite`` is not set.
    ValueError
        Another suffix; ``meta``, a table's ``meta`` or a column holds what cannot be kept.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"snapshots are written with the suffix .npz, got {path.name!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is already there; add overwrite=True to replace it")
    arrays, tables = {}, {}
    for kind in KINDS:
        table = getattr(snapshot, kind)
        if table is None:
            continue
        units, descriptions = {}, {}
        for name in table.colnames:
            column = table[name]
            values = np.asarray(column.value if isinstance(column, u.Quantity) else column)
            if values.dtype.hasobject or getattr(column, "mask", None) is not None:
                raise ValueError(f"snapshot {snapshot.name!r}, {kind}: column {name!r} of {values.dtype} or with a mask cannot be kept")
            arrays[f"{kind}/{name}"] = values
            units[name] = column.unit.to_string() if isinstance(column, u.Quantity) else None
            if column.info.description:
                descriptions[name] = column.info.description
        tables[kind] = {"columns": units, "descriptions": descriptions, "meta": dict(table.meta)}
    for name in _VECTORS:
        value = snapshot.__dict__[f"_{name}"]
        if value is not None:
            arrays[name] = np.asarray(value.value if isinstance(value, u.Quantity) else value, dtype=float)
    header = {
        "format": _FORMAT,
        "name": snapshot.name,
        "scale_factor": snapshot.scale_factor,
        "cosmology": _described(snapshot.cosmology),
        "meta": snapshot.meta,
        "tables": tables,
    }
    try:
        text = json.dumps(header)
        if json.loads(text) != header:
            raise ValueError("keys must be text, and lists stay lists")
    except (TypeError, ValueError) as exc:
        raise ValueError(f"snapshot {snapshot.name!r}: meta cannot be kept as JSON: {exc}") from exc
    part = path.with_name(f".{path.stem}-{os.getpid()}.npz")
    try:
        with open(part, "wb") as file:
            np.savez(file, header=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_npz(path) -> Snapshot:
    """Read a snapshot that `write_npz` has written.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    `~astroclumps.Snapshot`

    Raises
    ------
    FileNotFoundError
        There is no such file.
    `~astroclumps.exceptions.SnapshotError`
        The file is damaged, no snapshot, or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps import Snapshot
    >>> from astroclumps.testing import example_snapshot
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example_snapshot().write(Path(folder) / "galaxy.npz")
    ...     snapshot = Snapshot.read(Path(folder) / "galaxy.npz")
    >>> snapshot
    <Snapshot 'example': 600 stars, 400 gas elements, 200 dark-matter particles, redshift 2, 3.36 Gyr>
    """
    try:
        archive = read_npz_arrays(path)
    except FileNotFoundError:
        raise
    except ValueError as exc:
        reason = str(exc).removeprefix(f"{path} cannot be read: ")
        if reason.startswith(("it is no archive", "the file is empty")):
            raise SnapshotError(f"{path}: is no archive of a snapshot: {reason}; choose another reader, such as format='hdf5'") from exc
        raise SnapshotError(f"{path}: is no archive of a snapshot, or is damaged or truncated: {reason}") from exc
    if "header" not in archive:
        raise SnapshotError(f"{path}: is no archive of a snapshot: it has no header, but {', '.join(archive)[:200] or 'no arrays'}")
    try:
        header = json.loads(archive["header"].tobytes())
        if header.get("format") != _FORMAT:
            raise SnapshotError(f"{path}: is of the format {header.get('format')!r}, this version reads {_FORMAT!r}")
        with np.errstate(all="ignore"):  # what becomes infinite or NaN is refused
            tables = {kind: _table(archive, kind, one, path) for kind, one in header["tables"].items()}
            given = {name: archive[name] for name in _VECTORS if name in archive}
            wrong = [name for name, value in given.items() if value.dtype.kind not in "fiu"]
            if wrong:
                raise SnapshotError(f"{path}: {', '.join(wrong)} must hold numbers, got {given[wrong[0]].dtype}")
            given = {name: value if _VECTORS[name] is None else value * _VECTORS[name] for name, value in given.items()}
            return Snapshot(
                name=header["name"],
                **tables,
                scale_factor=header["scale_factor"],
                cosmology=_cosmology(header["cosmology"]),
                meta=header["meta"],
                **given,
            )
    except SnapshotError as exc:
        named = str(exc) if str(exc).startswith(str(path)) else f"{path}: {exc}"
        raise SnapshotError(named, column=exc.column) from exc
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError, tokenize.TokenError) as exc:
        raise SnapshotError(f"{path}: lacks a part of a snapshot: {' '.join(str(exc).split())}") from exc


def _table(archive, kind, described, path):
    table = QTable(meta=described["meta"])
    for name, unit in described["columns"].items():
        key = f"{kind}/{name}"
        if key not in archive:
            raise SnapshotError(f"{path}, {key}: the column is missing", column=name)
        values = archive[key]
        table[name] = values if unit is None else u.Quantity(values, u.Unit(unit) if unit else "", copy=False)
        table[name].info.description = described["descriptions"].get(name)
    return table


def _described(cosmology):
    """A cosmology's class and parameters, as JSON keeps them."""
    parameters = {}
    for name, value in cosmology.parameters.items():
        unit = value.unit.to_string() if isinstance(value, u.Quantity) else None
        parameters[name] = [None if value is None else np.asarray(getattr(value, "value", value), dtype=float).tolist(), unit]
    return {"class": type(cosmology).__name__, "name": cosmology.name, "parameters": parameters}


def _cosmology(described):
    from astropy import cosmology

    made = getattr(cosmology, described["class"], None)
    if not (isinstance(made, type) and issubclass(made, cosmology.FLRW)):
        raise TypeError(f"no cosmology of the class {described['class']!r}")
    values = {name: value if unit is None else value * u.Unit(unit) for name, (value, unit) in described["parameters"].items()}
    return made(name=described["name"], **values)
