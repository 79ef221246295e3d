"""Where the galaxies of a set come from: a synthetic suite, or files of a simulation."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from astroclumps.simulation.snapshot import Snapshot

__all__ = ["SnapshotFiles", "SuiteGalaxies", "as_source"]


class SuiteGalaxies:
    """The galaxies of a synthetic suite.

    Parameters
    ----------
    suite : `~astroclumps.SyntheticSuite`
        The suite.

    Examples
    --------
    >>> from astroclumps import SyntheticSuite
    >>> from astroclumps.training.galaxy_sources import SuiteGalaxies
    >>> source = SuiteGalaxies(SyntheticSuite(n_galaxies=3, n_snapshots=2, n_stars=4000, seed=1))
    >>> len(source), source.name(2), source.n_snapshots(2), len(list(source.snapshots(2)))
    (3, 'synthetic 1-2', 2, 2)
    """

    def __init__(self, suite):
        self.suite = suite

    def __len__(self):
        return len(self.suite)

    @property
    def recipe(self) -> str:
        """What makes a galaxy what it is; not how many there are."""
        return repr(replace(self.suite, n_galaxies=1)).replace("n_galaxies=1, ", "")

    def name(self, i) -> str:
        """Name of a galaxy."""
        return f"synthetic {self.suite.seed}-{i}"

    def n_snapshots(self, i) -> int:
        """Number of its snapshots."""
        return self.suite.n_snapshots

    def snapshots(self, i) -> Iterator[Snapshot]:
        """Its snapshots in the order of time, one at a time."""
        yield from replace(self.suite).galaxy(i)  # a new one: a suite keeps the records of all it has made


class SnapshotFiles:
    """Galaxies of a simulation, as files of their snapshots.

    Parameters
    ----------
    files : sequence of path-like, or of such sequences
        Snapshots of one galaxy in the order of time, or of several galaxies.
    reader : str, optional
        Name of a plugin of the kind ``simulation_readers``. Default: by content.
    options : dict, or sequence of dict, optional
        Options of the reader: for all files, or one for each file, galaxy after galaxy. ``centre`` and ``r_vir`` are set on the snapshot,
        whether the reader knows them or not.
    names : sequence of str, optional
        Names of the galaxies. Default: the folders of their first files.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        No files, or other numbers of options or names.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.testing import example_snapshot
    >>> from astroclumps.training.galaxy_sources import SnapshotFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "snapshot_000.npz"
    ...     example_snapshot().write(path)
    ...     source = SnapshotFiles([path], names=["disc"])
    ...     [len(source), source.name(0), *source.snapshots(0)]
    [1, 'disc', <Snapshot 'example': 600 stars, 400 gas elements, 200 dark-matter particles, redshift 2, 3.36 Gyr>]
    """

    def __init__(self, files, *, reader=None, options=None, names=None):
        files = list(files)
        if not files:
            raise ValueError("SnapshotFiles needs the files of at least one galaxy")
        if isinstance(files[0], (str, os.PathLike)):
            files = [files]
        self.files = tuple(tuple(Path(path) for path in galaxy) for galaxy in files)
        flat = [path for galaxy in self.files for path in galaxy]
        if not all(self.files):
            raise ValueError(f"galaxy {next(i for i, galaxy in enumerate(self.files) if not galaxy)} has no files")
        for path in flat:
            if not path.exists():
                raise FileNotFoundError(f"no snapshot {path}")
        given = [dict(options or {})] * len(flat) if options is None or hasattr(options, "keys") else [dict(one) for one in options]
        if len(given) != len(flat):
            raise ValueError(f"options must be one dict, or one for each of {len(flat)} files; got {len(given)}")
        if names is not None and len(names) != len(self.files):
            raise ValueError(f"names must be {len(self.files)}, one a galaxy; got {len(names)}")
        self.reader = reader
        self.names = tuple(str(galaxy[0].absolute().parent.name) for galaxy in self.files) if names is None else tuple(map(str, names))
        left = iter(given)
        self.options = tuple(tuple(next(left) for _ in galaxy) for galaxy in self.files)

    def __len__(self):
        return len(self.files)

    def __repr__(self):
        return (
            f"SnapshotFiles({[[str(path) for path in galaxy] for galaxy in self.files]}, reader={self.reader!r}, options={self.options!r})"
        )

    @property
    def recipe(self) -> str:
        """What makes a galaxy what it is: names of files and options of the reader; not the folders they lie in."""
        named = [[path.name for path in galaxy] for galaxy in self.files]
        same = len({repr(one) for galaxy in self.options for one in galaxy}) == 1
        return f"SnapshotFiles({named}, reader={self.reader!r}, options={self.options[0][0] if same else self.options!r})"

    def name(self, i) -> str:
        """Name of a galaxy."""
        return self.names[i]

    def n_snapshots(self, i) -> int:
        """Number of its snapshots."""
        return len(self.files[i])

    def snapshots(self, i) -> Iterator[Snapshot]:
        """Its snapshots in the order of the files, one at a time."""
        for path, options in zip(self.files[i], self.options[i], strict=True):
            late = {key: value for key, value in options.items() if key in ("centre", "r_vir")}
            snapshot = Snapshot.read(path, format=self.reader, **{key: value for key, value in options.items() if key not in late})
            yield snapshot.replace(**late) if late else snapshot


def as_source(source):
    """What has ``snapshots`` is a source; a `~astroclumps.SyntheticSuite` becomes one."""
    if hasattr(source, "snapshots"):
        return source
    if hasattr(source, "galaxy"):
        return SuiteGalaxies(source)
    raise TypeError(f"source must be a SyntheticSuite, SnapshotFiles, or an object with name(i) and snapshots(i), got {source!r}")
