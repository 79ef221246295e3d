"""A small simulated galaxy, and the check of simulation readers."""

import tempfile
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..exceptions import PluginError, SnapshotError
from ..plugins import SimulationReader
from ..simulation.snapshot import Snapshot
from .checks import _call, _pickled, _refused

__all__ = ["check_simulation_reader", "example_snapshot"]


def example_snapshot(*, n_stars: int = 600, n_gas: int = 400, n_dark: int = 200, seed: int = 0) -> Snapshot:
    """A small disc galaxy at redshift 2: exponential stars and cold gas in rotation, dark matter around them.

    Parameters
    ----------
    n_stars, n_gas, n_dark : int, optional
        Numbers of particles.
    seed : int, optional
        Seed of their places.

    Returns
    -------
    `~astroclumps.Snapshot`
        Scale length 2 kpc, height 0.3 kpc, 180 km/s, along z; 2e10 Msun of stars, 1e10 of gas, 5e11 of dark matter; virial radius 100 kpc.

    Examples
    --------
    >>> from astroclumps.testing import example_snapshot
    >>> example_snapshot().disc.axis.round(1) + 0
    array([0., 0., 1.])
    """
    rng = np.random.default_rng(seed)

    def disc(n, first, mass):
        radius, angle = rng.gamma(2, 2.0, n), rng.uniform(0, 2 * np.pi, n)
        position = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), rng.laplace(0, 0.3, n)])
        rotation = 180 * np.column_stack([-np.sin(angle), np.cos(angle), np.zeros(n)])
        return _elements(first, position, rotation + rng.normal(0, 20, (n, 3)), mass)

    stars, gas = disc(n_stars, 1, 2e10), disc(n_gas, n_stars + 1, 1e10)
    stars["age"] = rng.exponential(0.8, n_stars).clip(0, 3) * u.Gyr
    stars["initial_mass"] = 1.4 * stars["mass"]
    stars["metallicity"] = np.full(n_stars, 0.01)
    gas["temperature"] = rng.choice([5e3, 1e6], n_gas, p=[0.9, 0.1]) * u.K
    gas["metallicity"] = np.full(n_gas, 0.012)
    gas["sfr"] = np.where(gas["temperature"] < 1e4 * u.K, 0.02, 0.0) * u.Msun / u.yr
    distance, direction = rng.uniform(0, 100, n_dark), rng.normal(size=(n_dark, 3))
    position = distance[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    dark = _elements(n_stars + n_gas + 1, position, rng.normal(0, 150, (n_dark, 3)), 5e11)
    return Snapshot(name="example", stars=stars, gas=gas, dark=dark, scale_factor=1 / 3, r_vir=100 * u.kpc, centre=[0, 0, 0] * u.kpc)


def check_simulation_reader(reader: SimulationReader, path: Any, **options: Any) -> None:
    """Check that a function keeps the contract of simulation readers.

    It gives a `~astroclumps.Snapshot`, twice the same, also as a pickled copy; it leaves the file as it was; a missing file raises
    `FileNotFoundError` or `~astroclumps.exceptions.SnapshotError`, a truncated one and one that holds something else the latter.

    Parameters
    ----------
    reader : callable
        Takes a path.
    path : path-like
        A file that the reader can read.
    **options
        Passed to the reader.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        At the first check that fails.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.simulation.npz import read_npz
    >>> from astroclumps.testing import check_simulation_reader, example_snapshot
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     example_snapshot().write(Path(folder) / "galaxy.npz")
    ...     check_simulation_reader(read_npz, Path(folder) / "galaxy.npz")
    """
    who = getattr(reader, "__name__", type(reader).__name__)
    if not callable(reader):
        raise PluginError(f"{who} cannot be called; a simulation reader is called with a path")
    path = Path(path)
    content = path.read_bytes()
    found, _ = _call(f"{who}, a file", reader, path, **options)
    if not isinstance(found, Snapshot):
        raise PluginError(f"{who} must return a Snapshot, got {type(found).__name__}")
    if path.read_bytes() != content:
        raise PluginError(f"{who} changed the file {path}")
    for check, one in (("again", reader), ("a pickled copy", _pickled(who, reader))):
        other, _ = _call(f"{who}, {check}", one, path, **options)
        changed = snapshot_difference(found, other)
        if changed:
            raise PluginError(f"{who}, {check}: the same file gave another snapshot: {changed}")
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder, path.name)
        _refused(f"{who}, a missing file", (SnapshotError, FileNotFoundError), reader, bad, **options)
        for check, damaged in (("a truncated file", content[: len(content) * 3 // 5]), ("a file of text", b"no galaxy " * 400)):
            bad.write_bytes(damaged)
            _refused(f"{who}, {check}", SnapshotError, reader, bad, **options)


def snapshot_difference(one: Snapshot, other: Snapshot) -> str:
    """What differs between two snapshots, in words; empty if they are the same, bit by bit."""
    from .comparison import difference

    changed = [name for name in ("name", "scale_factor", "meta", "cosmology") if getattr(one, name) != getattr(other, name)]
    for kind in ("stars", "gas", "dark"):
        mine, theirs = getattr(one, kind), getattr(other, kind)
        if (mine is None) != (theirs is None):
            changed.append(kind)
        elif mine is not None and (text := difference(mine, theirs)):
            changed.append(f"{kind}: {text}")
    for name in ("time", "r_vir", "centre", "velocity", "axis"):
        mine, theirs = (snapshot.__dict__[f"_{name}"] for snapshot in (one, other))
        if (mine is None) != (theirs is None) or (mine is not None and not np.array_equal(mine, theirs)):
            changed.append(name)
    return ", ".join(changed)


def _elements(first, position, velocity, mass):
    n = len(position)
    columns = {"particle_id": np.arange(first, first + n), "position": position * u.kpc, "velocity": velocity * u.km / u.s}
    return QTable(columns | {"mass": np.full(n, mass / max(n, 1)) * u.Msun})
