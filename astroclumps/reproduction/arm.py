"""`Arm`: the clumps and galaxies of one sample, ready for ``astroclumps.population``."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.table import QTable, vstack

from astroclumps import catalog

__all__ = ["Arm", "join"]

_FILES = {"clumps": "clumps.fits", "galaxies": "galaxies.fits"}


class Arm(NamedTuple):
    """One sample of galaxies and their clumps.

    Attributes
    ----------
    name : str
        'suite', 'field', or what else it is.
    clumps : `~astropy.table.QTable`
        A row a clump: the columns of `astroclumps.catalog` up to ``fitted`` and ``classified``, ``galaxy`` (name of its image) and
        ``r_norm`` (distance from the galaxy's centre over R_e). Of simulated galaxies also the truth, see
        `astroclumps.reproduction.suite.suite_arm`.
    galaxies : `~astropy.table.QTable`
        A row for each image that was searched, with clumps or without; see `astroclumps.reproduction.measured.measure_image`.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.reproduction.arm import Arm
    >>> arm = Arm("mine", QTable({"galaxy": ["a", "a"], "mass": [1e7, 3e8] * u.Msun}), QTable({"galaxy": ["a", "b"]}))
    >>> print(arm.summary())
    mine: 2 clumps in 2 images of 2 galaxies
    """

    name: str
    clumps: QTable
    galaxies: QTable

    def summary(self) -> str:
        """One line about the numbers."""
        parents = self.galaxies["parent"] if "parent" in self.galaxies.colnames else self.galaxies["galaxy"]
        return f"{self.name}: {len(self.clumps)} clumps in {len(self.galaxies)} images of {len(np.unique(parents))} galaxies"

    def write(self, folder):
        """Write ``clumps.fits`` and ``galaxies.fits``; each appears when it is complete.

        Parameters
        ----------
        folder : path-like
            Made if it is not there; files of these names are replaced.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for part, name in _FILES.items():
            partial = folder / f"partial-{name}"
            partial.unlink(missing_ok=True)
            catalog.write(getattr(self, part), partial)
            partial.replace(folder / name)

    @classmethod
    def read(cls, folder, *, name=None) -> "Arm":
        """Read what `write` wrote.

        Parameters
        ----------
        folder : path-like
        name : str, optional
            Default: the folder's.

        Raises
        ------
        FileNotFoundError
            A table is missing.
        """
        folder = Path(folder)
        missing = [file for file in _FILES.values() if not (folder / file).is_file()]
        if missing:
            raise FileNotFoundError(f"no {' and no '.join(missing)} in {folder}; a sample has {' and '.join(_FILES.values())}")
        return cls(name or folder.name, *(catalog.read(folder / file) for file in _FILES.values()))

    def select(self, galaxies) -> "Arm":
        """The galaxies of a mask or index of rows, with their clumps."""
        kept = self.galaxies[galaxies]
        return Arm(self.name, self.clumps[np.isin(self.clumps["galaxy"], kept["galaxy"])], kept)


def join(name, arms) -> Arm:
    """Several arms as one.

    Parameters
    ----------
    name : str
        Of the result.
    arms : sequence of Arm
        With the same columns, and no galaxy twice.

    Raises
    ------
    ValueError
        There is none, or a galaxy is in two of them.
    """
    arms = list(arms)
    if not arms:
        raise ValueError("there is nothing to join; give at least one arm")
    tables = []
    for part in _FILES:
        rows = [getattr(arm, part) for arm in arms]
        filled = [table for table in rows if len(table)] or rows[:1]
        tables.append(vstack(filled, join_type="exact", metadata_conflicts="silent"))
    names, times = np.unique(tables[1]["galaxy"], return_counts=True)
    if (times > 1).any():
        raise ValueError(f"galaxy {str(names[times > 1][0])!r} is in two of the arms; give their images different names")
    return Arm(name, *tables)
