"""`Snapshot`: one galaxy of a simulation at one time, as particles or cells with units."""

import contextlib
import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import SnapshotError

from .centre import bulk_velocity, shrinking_sphere, virial_radius
from .elements import checked_elements
from .formats import guess_reader, recognised

if TYPE_CHECKING:
    from .disc import Disc

__all__ = ["Snapshot", "vela_cosmology"]

_INNER = 0.15  # of the virial radius, where the galaxy ends (METHODS 1)
_OVERDENSITY = 200  # times the critical density, inside the virial radius (ours)


def vela_cosmology() -> Any:
    """The VELA simulations' cosmology: flat, H0 = 70.4 km/s/Mpc, Omega_m = 0.2726."""
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=70.4, Om0=0.2726, name="VELA")


class _Measured:
    """A field that is measured on first use where None was given; kept, or measured again each time."""

    def __init__(self, keep=True):
        self.keep = keep

    def __set_name__(self, owner, name):
        self.name = f"_{name}"

    def __get__(self, instance, owner=None):
        if instance is None:
            return None  # the default of the field
        value = instance.__dict__[self.name]
        if value is None:
            value = getattr(instance, f"_measure{self.name}")()
            if self.keep:
                instance.__dict__[self.name] = value
        return value

    def __set__(self, instance, value):
        instance.__dict__[self.name] = value


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Snapshot:
    """Stars, gas and dark matter of a galaxy at one time.

    Positions and velocities are physical (not comoving), along fixed axes, with any origin.

    Parameters
    ----------
    name : str
        Name of the snapshot, for messages and plots.
    stars : `~astropy.table.QTable`
        Columns ``particle_id`` (whole numbers, unique), ``position`` (n, 3), ``velocity`` (n, 3), ``mass`` (of today), ``age``,
        ``metallicity`` (mass fraction), and where known ``initial_mass``.
    gas : `~astropy.table.QTable`
        Columns ``particle_id``, ``position``, ``velocity``, ``mass``, ``temperature``, ``metallicity``, and where known ``sfr``,
        ``density``, ``cell_size``, ``softening``. May have no rows.
    dark : `~astropy.table.QTable`, optional
        Columns ``particle_id``, ``position``, ``velocity``, ``mass``. May have no rows.
    scale_factor : float, default 1
        Scale factor of the Universe, 1 today.
    cosmology : `~astropy.cosmology.FLRW`, optional
        Default: VELA's (`vela_cosmology`).
    time : `~astropy.units.Quantity` ['time'], optional
        Clock of the run. Default: age of the Universe at ``scale_factor``.
    r_vir : `~astropy.units.Quantity` ['length'], optional
        Virial radius of the halo. Default, ours: radius of 200 times the critical density where dark matter is given and
        reaches that far; else that of the halo which the stellar mass has in Behroozi et al. (2019). ``meta["r_vir"]`` says which.
    centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
        Centre of the galaxy. Default: a shrinking sphere on the stars, or on the gas where there are no stars.
    axis : array, shape (3,), optional
        Direction of the galaxy's angular momentum, of any length. Default: that of the `disc`.
    velocity : `~astropy.units.Quantity` ['speed'], shape (3,), optional
        Velocity of the galaxy. Default, ours: mass-weighted mean of the stars (gas where there are none) inside the radius of half
        of their mass within 0.15 virial radii.
    meta : dict, optional
        Anything worth keeping, such as the file it came from.

    Raises
    ------
    TypeError
        An argument has a wrong type, or lacks its unit.
    `~astroclumps.exceptions.SnapshotError`
        A `ValueError`: a column is missing, has a wrong unit, NaN, infinite or negative values, a metallicity above 1, or an
        identifier twice; or there is neither a star nor gas. The message names snapshot, type and column.

    Notes
    -----
    Tables are not copied: columns in kpc, km/s, Msun, Gyr and K are shared with what was given, others are converted. float32 and
    float64 are both kept. What is measured is measured on first use.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps import Snapshot
    >>> from astroclumps.simulation.elements import empty_elements
    >>> stars = QTable({"particle_id": np.arange(4), "position": np.diag([1.0, 2, 3, 4])[:, :3] * u.kpc,
    ...                 "velocity": np.zeros((4, 3)) * u.km / u.s, "mass": np.full(4, 1e6) * u.Msun,
    ...                 "age": np.full(4, 50) * u.Myr, "metallicity": np.full(4, 0.02)})
    >>> snapshot = Snapshot(name="four stars", stars=stars, gas=empty_elements("gas"), scale_factor=0.5)
    >>> snapshot
    <Snapshot 'four stars': 4 stars, 0 gas elements, redshift 1, 5.97 Gyr>
    >>> print(snapshot.centre)
    [0.25 0.5  0.75] kpc
    """

    name: str
    stars: QTable
    gas: QTable
    dark: QTable | None = None
    scale_factor: float = 1.0
    cosmology: object | None = None
    time: u.Quantity[u.Gyr] | None = _Measured()
    r_vir: u.Quantity[u.kpc] | None = _Measured()
    centre: u.Quantity[u.kpc] | None = _Measured()
    axis: np.ndarray | None = _Measured(keep=False)  # `disc` keeps it; one that was given is not iterated
    velocity: u.Quantity[u.km / u.s] | None = _Measured()
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        def put(name, value):
            object.__setattr__(self, name, value)

        given = self.__dict__
        put("name", str(self.name))
        for kind in ("stars", "gas", "dark"):
            if kind != "dark" or self.dark is not None:
                put(kind, checked_elements(getattr(self, kind), kind, self.name))
        if not len(self.stars) and not len(self.gas):
            raise SnapshotError(f"snapshot {self.name!r} has neither stars nor gas; at least one element of either is needed")
        put("scale_factor", _positive(self.scale_factor, "scale_factor"))
        if self.cosmology is None:
            put("cosmology", vela_cosmology())
        elif not hasattr(self.cosmology, "critical_density"):
            raise TypeError(f"cosmology must be an astropy cosmology such as FlatLambdaCDM(H0=70, Om0=0.3), got {self.cosmology!r}")
        put("time", _quantity(given["_time"], u.Gyr, "time", ()))
        put("r_vir", _quantity(given["_r_vir"], u.kpc, "r_vir", (), positive=True))
        put("centre", _quantity(given["_centre"], u.kpc, "centre", (3,)))
        put("velocity", _quantity(given["_velocity"], u.km / u.s, "velocity", (3,)))
        put("axis", _direction(given["_axis"]))
        put("meta", dict(self.meta))
        if given["_r_vir"] is not None:
            self.meta.setdefault("r_vir", "given")

    def __repr__(self):
        dark = "" if self.dark is None else f", {len(self.dark)} dark-matter particles"
        return (
            f"<Snapshot {self.name!r}: {len(self.stars)} stars, {len(self.gas)} gas elements{dark}, "
            f"redshift {self.redshift:.3g}, {self.time.value:.3g} Gyr>"
        )

    @property
    def redshift(self) -> float:
        """Redshift that belongs to the scale factor."""
        return 1 / self.scale_factor - 1

    @cached_property
    def disc(self) -> "Disc":
        """The disc, as `~astroclumps.simulation.disc.measure_disc` finds it with its defaults."""
        from .disc import measure_disc

        return measure_disc(self)

    @property
    def summary(self) -> str:
        """Counts, masses and extent in a few lines; measures nothing but sums."""
        lines = [repr(self)]
        for kind in ("stars", "gas", "dark"):
            table = getattr(self, kind)
            if table is not None and len(table):
                low, high = (end(table["position"].value, axis=0) for end in (np.min, np.max))
                extent = " x ".join(f"{side:.4g}" for side in high - low)
                lines.append(f"{kind}: {len(table)} elements, {np.sum(table['mass'].value, dtype=float):.4g} Msun, {extent} kpc")
        return "\n".join(lines)

    @classmethod
    def read(cls, path: str | os.PathLike, *, format: str | None = None, **options: Any) -> "Snapshot":
        """Read a snapshot from a file.

        Parameters
        ----------
        path : path-like
            A file, or what else the reader takes.
        format : str, optional
            Name of a plugin of the kind ``simulation_readers``; built in are ``'hdf5'``, ``'npz'`` and ``'yt'``. Default: by content,
            HDF5 files with groups ``PartType*`` and archives of NumPy by their readers, everything else by yt.
        **options
            Passed to the reader.

        Returns
        -------
        `Snapshot`

        Raises
        ------
        FileNotFoundError
            There is no such file.
        `~astroclumps.exceptions.SnapshotError`
            The file is damaged or lacks something, or no reader recognises it.
        `~astroclumps.exceptions.PluginError`
            There is no reader of that name, or it returns something else.
        """
        from astroclumps import plugins
        from astroclumps.exceptions import PluginError

        name = guess_reader(path) if format is None else format
        with contextlib.nullcontext() if format is not None else recognised(path):
            made = plugins.load("simulation_readers", name)(path, **options)
        if not isinstance(made, cls):
            raise PluginError(f"simulation reader {name!r} must return a Snapshot, got {type(made).__name__}")
        return made

    def write(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write everything to one NumPy archive, from which `read` gets the same numbers back.

        Parameters
        ----------
        path : path-like
            The file, with the suffix ``.npz``.
        overwrite : bool, default False
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            The file is there, and ``overwrite`` is not set.
        ValueError
            Another suffix, or ``meta`` holds what JSON cannot.
        """
        from .npz import write_npz

        write_npz(self, path, overwrite=overwrite)

    def rotated(self, matrix: np.ndarray) -> "Snapshot":
        """The same galaxy, turned about the origin of its coordinates.

        Parameters
        ----------
        matrix : array, shape (3, 3)
            Rotation: rows are the new axes along the old ones, as ``snapshot.disc.rotation()`` gives them.

        Returns
        -------
        `Snapshot`
            Centre, axis and velocity are turned along, where they were given or measured before.
        """
        matrix = np.asarray(matrix, dtype=float)
        if matrix.shape != (3, 3) or not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-8) or np.linalg.det(matrix) < 0:
            raise ValueError(f"matrix must be a rotation of shape (3, 3), orthogonal with determinant 1, got {matrix.tolist()}")
        changes = {}
        for kind in ("stars", "gas", "dark"):
            table = getattr(self, kind)
            if table is not None:
                table = QTable(table, copy=False)
                for name in ("position", "velocity"):
                    values = table[name].value
                    table[name] = u.Quantity(values @ matrix.T.astype(values.dtype), table[name].unit, copy=False)
            changes[kind] = table
        for name in ("centre", "velocity", "axis"):
            value = self.__dict__[f"_{name}"]
            changes[name] = None if value is None else _turned(value, matrix)
        return self.replace(**changes)

    def replace(self, **changes: Any) -> "Snapshot":
        """The same snapshot with other values of some arguments; tables are shared, and what was measured before is kept.

        Parameters
        ----------
        **changes
            Arguments of `Snapshot`, such as ``centre``. Where a new one makes others wrong, give those too, or None to measure them anew.

        Returns
        -------
        `Snapshot`
        """
        kept = {one.name: self.__dict__.get(f"_{one.name}", self.__dict__.get(one.name)) for one in fields(self)}
        if "r_vir" in changes and "meta" not in changes:
            kept["meta"] = {key: value for key, value in self.meta.items() if key != "r_vir"}  # where the old one came from
        return Snapshot(**(kept | changes))

    def _tracers(self):
        """Stars, or gas where there are none: what centre and velocity are measured on."""
        return self.stars if len(self.stars) else self.gas

    def _measure_time(self):
        return self.cosmology.age(self.redshift).to(u.Gyr)

    def _measure_centre(self):
        tracers = self._tracers()
        return shrinking_sphere(tracers["position"].value, tracers["mass"].value) * u.kpc

    def _measure_velocity(self):
        tracers = self._tracers()
        arrays = (tracers[name].value for name in ("position", "velocity", "mass"))
        return bulk_velocity(*arrays, self.centre.value, _INNER * self.r_vir.value) * (u.km / u.s)

    def _measure_axis(self):
        return self.disc.axis

    def _measure_r_vir(self):
        critical = self.cosmology.critical_density(self.redshift).to_value(u.Msun / u.kpc**3)
        if self.dark is not None and len(self.dark):
            parts = [part for part in (self.dark, self.stars, self.gas) if len(part)]
            distance = np.concatenate([np.linalg.norm(part["position"].value - self.centre.value, axis=1) for part in parts])
            radius = virial_radius(distance, np.concatenate([part["mass"].value for part in parts]), _OVERDENSITY * critical)
            if radius is not None:
                self.meta["r_vir"] = f"{_OVERDENSITY} times the critical density"
                return radius * u.kpc
        from astroclumps.survival import halo_mass_of_galaxy

        mass = np.sum(self.stars["mass"].value, dtype=float) or np.sum(self.gas["mass"].value, dtype=float)
        try:
            halo = halo_mass_of_galaxy(mass * u.Msun, max(self.redshift, 0.0)).to_value(u.Msun)
        except ValueError as exc:
            raise SnapshotError(f"snapshot {self.name!r} has no virial radius: {exc}; give r_vir=") from exc
        radius = (halo / (4 * np.pi / 3 * _OVERDENSITY * critical)) ** (1 / 3)
        self.meta["r_vir"] = "stellar mass by Behroozi et al. (2019)"
        return radius * u.kpc


def _positive(value, name):
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value


def _quantity(value, unit, name, shape, positive=False):
    if value is None:
        return None
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(
            f"{name} must be a Quantity that converts to {unit}, such as {[1, 1, 1] if shape else 1} * u.Unit('{unit}'), got {value!r}"
        )
    value = value.to(unit).astype(float)
    if value.shape != shape or not np.isfinite(value).all() or (positive and not value > 0):
        kind = "finite and positive" if positive else "finite"
        raise ValueError(f"{name} must be {f'{kind}, with the shape {shape}' if shape else f'one number, {kind}'}, got {value}")
    return value


def _direction(axis):
    if axis is None:
        return None
    axis = np.asarray(axis, dtype=float)
    length = np.linalg.norm(axis)
    if axis.shape != (3,) or not np.isfinite(length) or length == 0:
        raise ValueError(f"axis must be a direction of shape (3,) other than zero, got {axis.tolist()}")
    return axis / length


def _turned(value, matrix):
    return (matrix @ value.value) * value.unit if isinstance(value, u.Quantity) else matrix @ value
