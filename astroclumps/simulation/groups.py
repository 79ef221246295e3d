"""One particle type of a snapshot in one or several HDF5 files: its fields, in our units, cut to a sphere."""

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from astroclumps.exceptions import SnapshotError
from astroclumps.inflation import check_inflation

__all__ = ["Group", "open_files"]

_PIECE = 4_000_000  # rows that are read at once where a sphere is cut
_PART = re.compile(r"(.*\.)(\d+)(\.(?:hdf5|h5))$")
_PLAIN = ("particle_id", "formation", "metallicity", "electrons", "temperature")  # numbers that carry no unit, or kelvin
_SPLIT = ("ParticleChildIDsNumber", "ParticleIDGenerationNumber")
_EXACT = 2**53  # whole numbers below it fit into a double


@contextmanager
def open_files(path, *, single=False):
    """Open all files of a snapshot, or a single one: pairs of path and `h5py.File`."""
    import h5py

    with ExitStack() as stack:

        def opened(one):
            try:
                return one, stack.enter_context(h5py.File(one, "r"))
            except OSError as exc:
                raise SnapshotError(f"{one}: is no HDF5 file, or is damaged or truncated: {exc}") from exc

        path = Path(path)
        if path.is_symlink() and not path.exists():
            raise SnapshotError(f"{path}: is a link that leads nowhere")
        if path.is_dir() and single:
            raise IsADirectoryError(f"{path} is a folder; single_file=True needs a file")
        if path.is_dir():
            parts = sorted((one for one in path.iterdir() if _PART.match(one.name)), key=lambda one: int(_PART.match(one.name)[2]))
            if not parts or len({_PART.match(one.name)[1] for one in parts}) > 1:
                raise SnapshotError(
                    f"{path}: is a folder that does not hold the numbered parts (NAME.0.hdf5, NAME.1.hdf5, ...) of one snapshot"
                )
            path = parts[0]
        if not path.exists():
            raise FileNotFoundError(f"there is no file {path}")
        try:
            files = [opened(path)]
            number = files[0][1]["Header"].attrs.get("NumFilesPerSnapshot", 1) if "Header" in files[0][1] else 1
            number = int(np.ravel(number)[0])
            match = _PART.match(str(path))
            if number > 1 and not match and not single and not _complete(files[0][1]):
                raise SnapshotError(
                    f"{path}: is one of {number} files of a snapshot (NumFilesPerSnapshot), but is not named as a part (NAME.0.hdf5), "
                    "so that the others cannot be found; give a part under its own name with all others beside it, or set single_file=True "
                    "where this file is all there is to read"
                )
            if number > 1 and match and not single:
                parts = [Path(f"{match[1]}{i}{match[3]}") for i in range(number)]
                missing = [one.name for one in parts if not one.exists()]
                if missing:
                    raise SnapshotError(f"{path}: is one of {number} files of a snapshot, but {', '.join(missing)} is not beside it")
                files = [files[0] if one == path else opened(one) for one in parts]
            yield files
        except SnapshotError:
            raise
        except Exception as exc:
            if not _damage(exc):
                raise
            reason = " ".join(str(exc).split()) or type(exc).__name__
            raise SnapshotError(f"{path}: is damaged, or holds what a snapshot cannot: {reason}") from exc


def _damage(exc):
    """Whether an error comes from h5py, or from a header or field that is not what it should be."""
    if isinstance(exc, (ArithmeticError, LookupError, OSError, RuntimeError, UnicodeError, AttributeError)):
        return True
    trace = exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "h5py":
            return not isinstance(exc, MemoryError)
        trace = trace.tb_next
    return type(exc) in (TypeError, ValueError)


def _complete(file):
    """Whether a file holds as many elements of each type as the header counts in the whole snapshot."""
    total = np.ravel(file["Header"].attrs.get("NumPart_Total", ())).astype(np.int64)
    high = np.ravel(file["Header"].attrs.get("NumPart_Total_HighWord", ())).astype(np.int64)
    if len(high) == len(total):
        total = total + (high << 32)
    names = [f"PartType{kind}/Coordinates" for kind in range(len(total))]
    return bool(total.any()) and total.tolist() == [file[name].shape[0] if name in file else 0 for name in names]


class Group:
    """The fields of one particle type; ``keep`` may be set to the rows to be left in the table."""

    def __init__(self, files, number, header, sphere):
        self.number = number
        self.name = f"PartType{number}"
        self.header = header
        self.file_name = Path(files[0][0]).name
        self.keep = None
        self.parts = [(path, file[self.name]) for path, file in files if self.name in file and "Coordinates" in file[self.name]]
        counts = [np.ravel(file["Header"].attrs.get("NumPart_ThisFile", ()))[number : number + 1] for _, file in files]
        self.expected = sum(int(count[0]) for count in counts) if all(len(count) for count in counts) else None
        self.n_rows = sum(part["Coordinates"].shape[0] for _, part in self.parts)
        for path, file in files:
            if self.name in file and "Coordinates" not in file[self.name] and len(file[self.name]):
                raise SnapshotError(f"{path}, {self.name}: the field Coordinates is missing; there are {', '.join(file[self.name])}")
        self.exists = bool(self.parts)
        if self.exists and self.expected and not self.n_rows:
            raise SnapshotError(f"{self.where('position')}: is empty, but the header counts {self.expected} of {self.name}")
        self._position, self._rows = None, [None] * len(self.parts)
        if self.exists:
            self._position = self._cut(sphere)

    def where(self, column=None):
        """File, group and field, for messages."""
        path = self.parts[0][0] if self.parts else self.header.path
        found = self._name(self.parts[0][1], column) if column and self.parts else None
        return f"{path}, {self.name}" + (f"/{found}" if found else "")

    def read(self, column, *, required=True, also=None):
        """A column in our unit, of all parts; None where no part has it and it is not required."""
        if column == "position":
            return self._position
        values = []
        for (path, part), rows in zip(self.parts, self._rows, strict=True):
            name = self._name(part, column)
            n = part["Coordinates"].shape[0]
            if name is None:
                if column == "mass" and self._table_mass():
                    number = n if rows is None else sum(len(index) for _, _, index in rows)
                    values.append(np.full(number, self._table_mass() * self.header.factor("mass", None)))
                    continue
                if not required and not values:
                    return None
                names = ", ".join(self.header.layout.fields.get(column, ()) + (self.header.layout.fields[also] if also else ()))
                what = column.replace("_", " ")
                raise SnapshotError(f"{path}, {self.name}: no field for the {what}; looked for {names}; there are {', '.join(part)}")
            dataset = part[name]
            if dataset.shape[:1] != (n,):
                raise SnapshotError(f"{path}, {self.name}/{name}: has the shape {dataset.shape}, but there are {n} Coordinates")
            values.append(self._scaled(_rows(dataset, rows, path), column, dataset))
        values = values[0] if len(values) == 1 else np.concatenate(values)
        return self._identifiers(values) if column == "particle_id" else values

    def factor(self, like, column):
        """The factor of a column whose numbers are of the kind of another one."""
        part = self.parts[0][1]
        return self.header.factor(like, part[self._name(part, column)])

    def _name(self, part, column):
        return next((name for name in self.header.layout.fields.get(column, ()) if name in part), None)

    def _table_mass(self):
        table = self.header.mass_table
        return float(table[self.number]) if self.number < len(table) else 0.0

    def _scaled(self, values, column, dataset):
        if column in _PLAIN or (column == "sfr" and self.header.layout.sfr_unit == "unknown"):
            return values
        if values.dtype.kind != "f":
            values = values.astype(float)
        values *= self.header.factor(column, dataset)
        return values

    def _cut(self, sphere):
        """Positions, unwrapped and inside the sphere; remembers the rows."""
        positions = []
        for i, (path, part) in enumerate(self.parts):
            dataset = part["Coordinates"]
            check_inflation(path, dataset.nbytes, SnapshotError)
            if len(dataset.shape) != 2 or dataset.shape[1] != 3:
                raise SnapshotError(f"{path}, {self.name}/Coordinates: must have the shape (n, 3), got {dataset.shape}")
            if sphere is None:
                positions.append(self._scaled(_rows(dataset, None, path), "position", dataset))
                continue
            centre, radius = sphere
            rows, found = [], []
            for start in range(0, dataset.shape[0], _PIECE):
                stop = min(start + _PIECE, dataset.shape[0])
                piece = self._scaled(_rows(dataset, [(start, stop, slice(None))], path), "position", dataset)
                relative = piece.astype(float) - centre
                if self.header.box:
                    relative -= self.header.box * np.round(relative / self.header.box)
                index = np.flatnonzero(np.einsum("ij,ij->i", relative, relative) <= radius**2)
                if len(index):
                    rows.append((start, stop, index))
                    found.append((relative[index] + centre).astype(piece.dtype))
            self._rows[i] = rows
            positions.append(np.concatenate(found) if found else np.zeros((0, 3)))
        return positions[0] if len(positions) == 1 else np.concatenate(positions)

    def _identifiers(self, values):
        if values.dtype.kind == "f":  # some extracts store them so
            if len(values) and (not np.array_equal(values, np.floor(values)) or abs(values).max() >= _EXACT):
                raise SnapshotError(f"{self.where('particle_id')}: identifiers stored as {values.dtype} are not exact whole numbers")
            values = values.astype(np.int64)
        split = [self._whole(name) for name in _SPLIT]
        if all(part is not None for part in split) and any(part.any() for part in split):
            return self._unsplit(values, *split)
        if self.header.layout.cells and len(values) > 1 and not values.any():
            return np.arange(1, len(values) + 1)
        return values

    def _whole(self, name):
        """A plain field of all parts; None where one lacks it."""
        if any(name not in part for _, part in self.parts):
            return None
        return np.concatenate([_rows(part[name], rows, path) for (path, part), rows in zip(self.parts, self._rows, strict=True)])

    def _unsplit(self, values, child, generation):
        """One number for identifier, child and generation of particles that have been split."""
        limits = ((values, 32), (child, 24), (generation, 8))
        if any(len(part) and (part.min() < 0 or int(part.max()) >= 2**bits) for part, bits in limits):
            fields = ", ".join(("ParticleIDs", *_SPLIT))
            raise SnapshotError(f"{self.where('particle_id')}: {fields} do not fit into 64 bits together")
        values, child, generation = (part.astype(np.uint64) for part, _ in limits)
        return values | child << np.uint64(32) | generation << np.uint64(56)


def _rows(dataset, rows, path):
    """The chosen rows of a dataset of numbers, in the machine's byte order."""
    if dataset.dtype.kind not in "fiu":
        what = "text" if dataset.dtype.kind in "OSU" else str(dataset.dtype)
        raise SnapshotError(f"{path}, {dataset.name.strip('/')}: holds {what}, not numbers")
    check_inflation(path, dataset.nbytes, SnapshotError)
    try:
        if rows is None:
            values = dataset[()]
        else:
            pieces = [dataset[start:stop][index] for start, stop, index in rows]
            values = np.concatenate(pieces) if pieces else np.zeros((0, *dataset.shape[1:]), dtype=dataset.dtype)
    except (OSError, RuntimeError) as exc:
        raise SnapshotError(f"{path}, {dataset.name.strip('/')}: cannot be read, the file is damaged or truncated: {exc}") from exc
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
