"""`read_yt`: snapshots of mesh codes (ART and VELA, RAMSES, ENZO, any other that yt knows), through yt."""

import logging
import os
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import SnapshotError

from . import assumptions
from .elements import UNITS, checked_elements, empty_elements
from .gadget import _sphere
from .snapshot import Snapshot

__all__ = ["read_yt"]

# Names of particle types, and of fields, in the order in which they are looked for.
_STARS = ("star", "stars", "STAR", "Stars", "PartType4")
_DARK = ("DM", "darkmatter", "N-BODY", "dm", "dark_matter", "DarkMatter", "PartType1")
_ENZO_TYPES = {"stars": (2,), "dark": (1, 4)}
_IDENTIFIERS = ("particle_index", "particle_identity", "particle_identifier")
_BIRTHS = ("creation_time", "particle_creation_time", "particle_birth_time", "formation_time", "particle_formation_time")
_INITIAL = ("initial_mass", "particle_mass_initial", "particle_initial_mass")
_METALS = ("particle_metallicity", "metallicity_fraction", "metallicity")
_METAL_PARTS = (("particle_metallicity1", "particle_metallicity2"), ("metallicity_snia", "metallicity_snii"))
_EXACT = 2**53


def read_yt(
    path,
    *,
    name: str | None = None,
    centre: u.Quantity | None = None,
    radius: u.Quantity | None = None,
    star_filter: "str | Callable | None" = None,
    dark_filter: "str | Callable | None" = None,
    metallicity: float | None = None,
    scale_factor: float | None = None,
    cosmology=None,
    r_vir: u.Quantity | None = None,
    axis=None,
    velocity: u.Quantity | None = None,
) -> Snapshot:
    """Read a snapshot through yt; each cell of the mesh becomes a gas element.

    Needs the extra ``sim``. Particle codes of the Gadget family have a reader of their own,
    `~astroclumps.simulation.gadget.read_hdf5`.

    Parameters
    ----------
    path : path-like or yt dataset
        What `yt.load` takes, or a dataset that has been loaded with other settings.
    name : str, optional
        Name of the snapshot. Default: of the dataset.
    centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
        The galaxy's centre, physical (not comoving) and in the box's own coordinates. Periodic boxes are unwrapped about it.
    radius : `~astropy.units.Quantity` ['length'], optional
        Read only what lies this near to ``centre``. A large box is not read as a whole then.
    star_filter, dark_filter : str or callable, optional
        Which particles are stars and dark matter: the name of a particle type (or of a filter that was added to the dataset), or a
        function that takes a yt data container and returns True or False for each of its particles of the type ``all``. Default: the
        types that ART, ARTIO, RAMSES, ENZO and others use; ENZO's ``particle_type`` 2, and 1 and 4; particles of RAMSES without families
        by their time of birth.
    metallicity : float, optional
        Mass fraction of metals where there is no field of it. Default, ours: 0.01, with a warning.
    scale_factor : float, optional
        Instead of the dataset's, as the epoch that an isolated galaxy stands for.
    cosmology : `~astropy.cosmology.FLRW`, optional
        Default: the dataset's, flat; VELA's for isolated runs.
    r_vir, axis, velocity : optional
        See `~astroclumps.Snapshot`.

    Returns
    -------
    `~astroclumps.Snapshot`
        ``cell_size`` and ``density`` of the gas are kept; gas elements are numbered from 1, and their numbers mean nothing in
        another snapshot.

    Raises
    ------
    ImportError
        yt is not installed.
    FileNotFoundError
        There is no such file.
    `~astroclumps.exceptions.SnapshotError`
        yt cannot read it, or a field is missing; the message names type and fields.

    Warns
    -----
    `~astroclumps.exceptions.AstroclumpsWarning`
        Metallicities or temperatures rest on an assumption.

    Notes
    -----
    yt's log is silent while this function runs, and its settings are put back afterwards.
    """
    try:
        with warnings.catch_warnings():  # yt changes the filters of the whole process
            import yt
    except ImportError as exc:
        raise ImportError('read_yt needs yt; install it with  pip install "astroclumps[sim]"') from exc

    sphere = _sphere(centre, radius)
    choices = assumptions.Choices(metallicity=metallicity)
    with _quiet(yt):
        data = _Data(_load(yt, path), sphere)
        tables = {
            "stars": _particles(data, "stars", star_filter, choices),
            "gas": _gas(data, choices),
            "dark": _particles(data, "dark", dark_filter, choices),
        }
        ds = data.ds
        cosmological = bool(ds.cosmological_simulation)
        if cosmological and cosmology is None:
            from astropy.cosmology import FlatLambdaCDM

            cosmology = FlatLambdaCDM(H0=100 * float(ds.hubble_constant), Om0=float(ds.omega_matter))
        if scale_factor is None:
            scale_factor = 1 / (1 + float(ds.current_redshift)) if cosmological else 1.0
        time = None if cosmological else float(ds.current_time.to("Gyr").d) * u.Gyr
    if not len(tables["stars"]) and not len(tables["gas"]):
        where = "" if radius is None else f" within {radius} of {centre}"
        raise SnapshotError(f"{data.label}: there are no stars and no gas{where}; particle types are {', '.join(ds.particle_types)}")
    choices.warn(data.label)
    meta = {"file": str(data.label), "layout": f"yt {type(ds).__name__}", "cosmological": cosmological, "assumptions": choices.made}
    return Snapshot(
        name=name or str(ds),
        **tables,
        scale_factor=scale_factor,
        cosmology=cosmology,
        time=time,
        r_vir=r_vir,
        centre=centre,
        axis=axis,
        velocity=velocity,
        meta=meta,
    )


class _Data:
    """A dataset, the part of it that is read, and its fields in our units."""

    def __init__(self, ds, sphere):
        self.ds = ds
        self.label = str(ds)
        self.fields = set(ds.field_list) | set(ds.derived_field_list)
        self._centre, self._box = None, None
        self.region = ds.all_data()
        if sphere is not None:
            self._centre, radius = sphere
            self._box = ds.domain_width.to("kpc").d if all(ds.periodicity) else None
            if np.isfinite(radius):
                self.region = ds.sphere(ds.arr(self._centre, "kpc"), ds.quan(radius, "kpc"))

    def first(self, kind, names):
        """The first field of a type that is there."""
        return next(((kind, name) for name in names if (kind, name) in self.fields), None)

    def get(self, field, unit):
        """A field as an array in a unit; masked cells are left out by yt itself."""
        try:
            return np.array(self.region[field].to(unit).d)
        except Exception as exc:  # a border: yt raises what its frontends do
            raise SnapshotError(f"{self.label}: the field {field} cannot be read in {unit or 'plain numbers'}: {exc}") from exc

    def vectors(self, kind, stem, unit):
        names = [(kind, f"{stem}{axis}") for axis in "xyz"]
        missing = [name for name in names if name not in self.fields]
        if missing:
            raise SnapshotError(f"{self.label}: no fields {missing}")
        return np.column_stack([self.get(name, unit) for name in names])

    def unwrap(self, position):
        """Positions in the image of a periodic box that lies nearest to the centre."""
        if self._box is not None and len(position):
            position -= self._box * np.round((position - self._centre) / self._box)
        return position


def _load(yt, path):
    if not isinstance(path, (str, os.PathLike)):
        if not hasattr(path, "all_data"):
            raise TypeError(f"path must be a path or a yt dataset, got {type(path).__name__}")
        return path
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        ds = yt.load(os.fspath(path))
        ds.index  # noqa: B018  reads the tables, where a damaged file shows
        return ds
    except Exception as exc:  # a border: yt raises what its frontends do
        cause = str(exc).strip().splitlines()
        raise SnapshotError(f"{path}: yt cannot read it: {cause[0] if cause else type(exc).__name__}") from exc


@contextmanager
def _quiet(yt):
    """No log, no progress bars, no warnings of yt's own arithmetic; everything as before afterwards."""
    from yt.config import ytcfg

    log = logging.getLogger("yt")
    level, bars = log.level, ytcfg.get("yt", "suppress_stream_logging")
    log.setLevel(logging.CRITICAL)
    ytcfg.set("yt", "suppress_stream_logging", True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(yt|unyt)\b")
            yield
    finally:
        log.setLevel(level)
        ytcfg.set("yt", "suppress_stream_logging", bars)


def _gas(data, choices):
    """All leaf cells of the mesh."""
    if getattr(data.ds, "_sph_ptypes", ()):
        raise SnapshotError(
            f"{data.label}: gas is particles, not cells; read_hdf5 reads the Gadget family, other formats through a reader of your own"
        )
    if data.first("gas", ("density",)) is None or data.first("index", ("dx",)) is None:
        return empty_elements("gas")
    table = QTable()
    position = data.unwrap(data.vectors("index", "", "kpc"))
    table["particle_id"] = np.arange(1, len(position) + 1)
    table["position"] = position << u.kpc
    table["velocity"] = data.vectors("gas", "velocity_", "km/s") << UNITS["velocity"]
    mass = data.first("gas", ("cell_mass", "mass"))
    table["mass"] = data.get(mass, "Msun") << u.Msun
    table["temperature"] = _temperature(data, choices) << u.K
    if ("gas", "metal_density") in data.fields:
        metals = data.get(("gas", "metal_density"), "Msun/kpc**3") / data.get(("gas", "density"), "Msun/kpc**3")
    elif ("gas", "metallicity") in data.fields:
        metals = data.get(("gas", "metallicity"), "dimensionless")
    else:
        metals = choices.metals(len(table), _Named("gas"))
    table["metallicity"] = np.clip(metals, 0, 1)
    table["density"] = data.get(("gas", "density"), "Msun/kpc**3") << UNITS["density"]
    table["cell_size"] = data.get(("index", "dx"), "kpc") << u.kpc
    return _checked(table, "gas", data)


def _temperature(data, choices):
    if ("gas", "temperature") in data.fields:
        return data.get(("gas", "temperature"), "K")
    if ("gas", "temperature_over_mu") in data.fields:
        choices.doubt("gas: temperature over mean molecular weight only, 0.6 taken above 1e4 K and 1.22 below")
        over_mu = data.get(("gas", "temperature_over_mu"), "K")
        return np.where(1.22 * over_mu < 1e4, 1.22 * over_mu, np.maximum(0.6 * over_mu, 1e4))
    raise SnapshotError(f"{data.label}: gas has no field temperature; without it cold gas cannot be told from hot")


def _particles(data, kind, chosen, choices):
    """Stars or dark matter; None, or a table without rows, where the dataset has none."""
    particle_type, use = _which(data, kind, chosen)
    if particle_type is None:
        return None if kind == "dark" else empty_elements(kind)

    def get(names, unit):
        field = data.first(particle_type, names)
        return None if field is None else data.get(field, unit)[use]

    position = data.unwrap(data.vectors(particle_type, "particle_position_", "kpc")[use])
    table = QTable()
    table["particle_id"] = _identifiers(get(_IDENTIFIERS, "dimensionless"), len(position), kind, particle_type, data)
    table["position"] = position << u.kpc
    table["velocity"] = data.vectors(particle_type, "particle_velocity_", "km/s")[use] << UNITS["velocity"]
    mass = get(("particle_mass",), "Msun")
    if mass is None:
        raise SnapshotError(f"{data.label}: {kind} of the type {particle_type!r} have no field particle_mass")
    table["mass"] = mass << u.Msun
    if kind == "stars":
        table["age"] = _ages(data, particle_type, get) << u.Gyr
        metals = get(_METALS, "dimensionless")
        if metals is None:
            parts = next((names for names in _METAL_PARTS if data.first(particle_type, names)), ())
            found = [values for name in parts if (values := get((name,), "dimensionless")) is not None]
            metals = np.sum(found, axis=0) if found else choices.metals(len(table), _Named("stars"))
        table["metallicity"] = np.clip(metals, 0, 1)
        initial = get(_INITIAL, "Msun")
        if initial is not None:
            table["initial_mass"] = initial << u.Msun
    return _checked(table, kind, data)


def _which(data, kind, chosen):
    """Particle type, and which of its particles in the region."""
    everything = slice(None)
    types = set(data.ds.particle_types)
    if isinstance(chosen, str):
        if chosen not in {field[0] for field in data.fields}:
            raise ValueError(f"{data.label} has no particle type {chosen!r}; there are {', '.join(sorted(types))}")
        return chosen, everything
    if chosen is not None:
        return "all", np.asarray(chosen(data.region), dtype=bool)
    found = next((name for name in (_STARS if kind == "stars" else _DARK) if name in types), None)
    if found is not None:
        return found, everything
    if "all" in types and ("all", "particle_type") in data.fields:
        return "all", np.isin(data.get(("all", "particle_type"), "dimensionless").astype(int), _ENZO_TYPES[kind])
    birth = data.first("all", ("conformal_birth_time", "particle_birth_time"))
    if birth is not None:
        born = np.asarray(data.region[birth].d) != 0
        return "all", born if kind == "stars" else ~born
    return None, everything


def _identifiers(values, n, kind, particle_type, data):
    if values is None:
        if kind == "stars":
            names = ", ".join(_IDENTIFIERS)
            raise SnapshotError(f"{data.label}: stars of the type {particle_type!r} have no identifiers; looked for {names}")
        return np.arange(1, n + 1)
    if values.dtype.kind == "f":
        if len(values) and (not np.array_equal(values, np.floor(values)) or abs(values).max() >= _EXACT):
            raise SnapshotError(f"{data.label}: identifiers of {kind} stored as {values.dtype} are not exact whole numbers")
        values = values.astype(np.int64)
    return values


def _ages(data, particle_type, get):
    ages = get(("star_age",), "Gyr")  # RAMSES; its alias 'age' is a time of birth
    if ages is None:
        born = get(_BIRTHS, "Gyr")
        ages = get(("age", "particle_age"), "Gyr") if born is None else float(data.ds.current_time.to("Gyr").d) - born
    if ages is None:
        names = ", ".join(("star_age", *_BIRTHS, "age", "particle_age"))
        raise SnapshotError(f"{data.label}: stars of the type {particle_type!r} have no time of birth; looked for {names}")
    slack = 1e-3 * max(float(data.ds.current_time.to("Gyr").d), 0) + 1e-6
    if len(ages) and ages.min() < -slack:
        raise SnapshotError(
            f"{data.label}: {int((ages < -slack).sum())} stars of the type {particle_type!r} form after the snapshot's own time, by up to "
            f"{-ages.min():.4g} Gyr"
        )
    return np.maximum(ages, 0)


def _checked(table, kind, data):
    try:
        return checked_elements(table, kind, data.label)
    except SnapshotError as exc:
        raise SnapshotError(f"{data.label}: {exc}", column=exc.column) from exc


class _Named:
    """Stands for a group in the notes of `assumptions.Choices`."""

    def __init__(self, name):
        self.name = name
