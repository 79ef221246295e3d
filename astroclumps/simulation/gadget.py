"""`read_hdf5`: snapshots of GIZMO, Gadget, AREPO, SWIFT and their like."""

from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import SnapshotError

from . import assumptions
from .elements import UNITS, checked_elements, empty_elements
from .groups import Group, open_files
from .header import read_header
from .layouts import LAYOUTS, detect_layout
from .snapshot import Snapshot

__all__ = ["read_hdf5"]

_SMALL = ("mass", "temperature", "metallicity")  # where noise of the code may lie below zero


def read_hdf5(
    path,
    *,
    name: str | None = None,
    centre: u.Quantity | None = None,
    radius: u.Quantity | None = None,
    layout: str | None = None,
    scale_factor: float | None = None,
    redshift: float | None = None,
    h: float | None = None,
    cosmological: bool | None = None,
    cosmology=None,
    length_unit: u.Quantity | None = None,
    mass_unit: u.Quantity | None = None,
    velocity_unit: u.Quantity | None = None,
    time_unit: u.Quantity | None = None,
    dark_types: tuple[int, ...] = (1,),
    old_star_types: tuple[int, ...] | None = None,
    old_star_age: u.Quantity | None = None,
    metallicity: float | None = None,
    softening: u.Quantity | None = None,
    single_file: bool = False,
    r_vir: u.Quantity | None = None,
    axis=None,
    velocity: u.Quantity | None = None,
) -> Snapshot:
    """Read a snapshot of the Gadget family from HDF5.

    Units, and powers of h and the scale factor, are those that each field states, else those of the header, else Gadget's own (kpc,
    1e10 Msun, km/s; per h and comoving in cosmological runs). What had to be assumed is listed in ``meta["assumptions"]``.

    Parameters
    ----------
    path : path-like
        A file, any part of a snapshot in several files (``snap_099.0.hdf5``), or a folder that holds the parts of one.
    name : str, optional
        Name of the snapshot. Default: of the file.
    centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
        The galaxy's centre, physical and in the box's own coordinates. Periodic boxes are unwrapped about it.
    radius : `~astropy.units.Quantity` ['length'], optional
        Read only what lies this near to ``centre``. Coordinates are read in pieces, so that a large box does not fill the memory.
    layout : str, optional
        One of ``gadget``, ``gizmo``, ``simba``, ``swift`` (also COLIBRE and FLAMINGO), ``eagle``, ``tng`` (also Illustris and AREPO),
        ``magneticum``, ``horizon-agn``. Default: told from the file.
    scale_factor, redshift : float, optional
        Instead of the header's; one of the two. For an isolated run it is only the epoch that its galaxy stands for.
    h : float, optional
        Hubble constant over 100 km/s/Mpc in the units. Default: the header's ``HubbleParam`` in cosmological runs, 1 in isolated ones.
    cosmological : bool, optional
        Whether coordinates are comoving and formation times scale factors. Default: told from the header.
    cosmology : `~astropy.cosmology.FLRW`, optional
        Default: from the header; VELA's for isolated runs.
    length_unit, mass_unit, velocity_unit, time_unit : `~astropy.units.Quantity`, optional
        Code units, instead of the header's. They do not change fields that state their own.
    dark_types : tuple of int, default (1,)
        Particle types that are dark matter; empty: none is read.
    old_star_types : tuple of int, optional
        Particle types besides 4 that are stars. Default: 2 and 3 in isolated runs, none in cosmological ones, where they are
        something else.
    old_star_age : `~astropy.units.Quantity` ['time'], one or two, optional
        Age at the start of the run of stars without a formation time: one age, or the youngest and the oldest, between which a star's
        identifier decides. Default, ours: 1 to 3 Gyr, with a warning.
    metallicity : float, optional
        Mass fraction of metals of elements whose group states none. Default, ours: 0.01, with a warning.
    softening : `~astropy.units.Quantity` ['length'], optional
        Plummer-equivalent softening of all elements. Default: of the header where GIZMO states it for an isolated run, else unknown.
    single_file : bool, default False
        Take this file for the whole snapshot, although its header says that it is one of several.
    r_vir, axis, velocity : optional
        See `~astroclumps.Snapshot`.

    Returns
    -------
    `~astroclumps.Snapshot`

    Raises
    ------
    FileNotFoundError
        There is no such file.
    `~astroclumps.exceptions.SnapshotError`
        A file is damaged, a part, group or field is missing, a field states a wrong unit, fields of a group differ in length, a
        group is empty that should not be, or its values cannot be. The message names file, group and field.

    Warns
    -----
    `~astroclumps.exceptions.AstroclumpsWarning`
        Ages, metallicities or temperatures rest on an assumption.

    Notes
    -----
    * Ages are the time since formation: of scale factors through the cosmology, of code times through the time unit.
    * Temperatures without a field of their own follow from the internal energy, 5/3 and a hydrogen fraction of 0.76, with the electron
      abundance where it is there; without it gas below 1e4 K is taken as neutral, above as ionised.
    * Star-forming gas of EAGLE, TNG, Magneticum, SIMBA and Horizon-AGN lies on an effective equation of state. Its temperature is set
      to at most 1e4 K, so that it counts as cold; in SIMBA also that of gas above 0.13 hydrogen atoms per cm3 within 0.5 dex of
      the pressurised interstellar medium (Dave et al. 2019).
    * Wind particles of TNG (formation time not positive) are left out, black holes (type 5) too.
    * Gas particles that GIZMO has split share an identifier; it is made unique with the numbers of child and generation.
    """
    layout = _layout(layout)
    given = {
        "cosmological": cosmological,
        "scale_factor": _epoch(scale_factor, redshift),
        "h": _hubble(h),
        "cosmology": cosmology,
        "length_unit": _cgs(length_unit, u.cm, "length_unit", "1 * u.kpc"),
        "mass_unit": _cgs(mass_unit, u.g, "mass_unit", "1e10 * u.Msun"),
        "velocity_unit": _cgs(velocity_unit, u.cm / u.s, "velocity_unit", "1 * u.km / u.s"),
        "time_unit": None if time_unit is None else _cgs(time_unit, u.s, "time_unit", "0.978 * u.Gyr") * u.s,
    }
    sphere = _sphere(centre, radius)
    choices = assumptions.Choices(old_star_age=old_star_age, metallicity=metallicity, softening=softening)
    with open_files(path, single=single_file) as files, np.errstate(all="ignore"):  # what becomes infinite or NaN is refused below
        first_path, first = files[0]
        layout = layout or detect_layout(first)
        header = read_header(first, first_path, layout, given=given, choices=choices)
        if old_star_types is None:
            old_star_types = (
                () if header.cosmological else tuple(kind for kind in (2, 3) if any(f"PartType{kind}" in file for _, file in files))
            )
        groups = {
            "stars": [Group(files, kind, header, sphere) for kind in (4, *old_star_types)],
            "gas": [Group(files, 0, header, sphere)],
            "dark": [Group(files, kind, header, sphere) for kind in dark_types],
        }
        tables = {kind: _table(kind, parts, header, choices, asked=old_star_types) for kind, parts in groups.items()}
        if not any(len(tables[kind]) for kind in ("stars", "gas") if tables[kind] is not None):
            found = ", ".join(group for group in first if group.startswith("PartType")) or "no group PartType"
            where = "" if sphere is None else f" within {radius} of {centre}"
            raise SnapshotError(f"{first_path}: there are no stars and no gas{where} in {found}")
    choices.warn(first_path)
    made = {"stars": tables["stars"], "gas": empty_elements("gas") if tables["gas"] is None else tables["gas"], "dark": tables["dark"]}
    meta = {
        "file": str(path),
        "layout": layout.name,
        "cosmological": header.cosmological,
        "assumptions": choices.made,
    }
    return Snapshot(
        name=name or Path(path).stem,
        **made,
        scale_factor=header.scale_factor if given["scale_factor"] is None else given["scale_factor"],
        cosmology=header.cosmology,
        time=header.time,
        r_vir=r_vir,
        centre=centre,
        axis=axis,
        velocity=velocity,
        meta=meta,
    )


def _table(kind, groups, header, choices, asked):
    """One type's table of all its groups; None where dark matter is not there."""
    tables = []
    for group in groups:
        if not group.exists:
            if kind != "dark" and (group.expected or group.number in asked):
                raise SnapshotError(f"{group.where()}: the group is missing, but the header counts {group.expected or 0} of it")
            continue
        if group.expected is not None and group.n_rows != group.expected:
            choices.note(f"{group.name}: has {group.n_rows} rows, but NumPart_ThisFile counts {group.expected}; took the rows")
        table = QTable()
        for column in ("particle_id", "position", "velocity", "mass"):
            table[column] = group.read(column) if column == "particle_id" else group.read(column) << UNITS[column]
        if kind == "stars":
            _add_stars(table, group, header, choices)
        elif kind == "gas":
            _add_gas(table, group, header, choices)
        soft = choices.softening.to_value(u.kpc) if choices.softening is not None else header.softening(group.number)
        if soft is not None:
            table["softening"] = np.full(len(table), soft, dtype=np.float32) << u.kpc
        for column in _SMALL:
            if column in table.colnames:
                _drop_noise(table[column].value)
        if group.keep is not None:
            table = table[group.keep]
        tables.append(_checked(table, kind, group))
    if not tables:
        return None if kind == "dark" else empty_elements(kind)
    if len(tables) == 1:
        return tables[0]
    common = [name for name in tables[0].colnames if all(name in table.colnames for table in tables)]
    table = QTable({name: np.concatenate([table[name] for table in tables]) for name in common})
    return _checked(table, kind, *groups)


def _add_stars(table, group, header, choices):
    formation = group.read("formation", required=group.number == 4)
    if formation is None:
        table["age"] = choices.old_ages(table["particle_id"], header, group) << u.Gyr
    else:
        table["age"] = _ages(formation, header, group, choices, table["particle_id"]) << u.Gyr
    initial = group.read("initial_mass", required=False)
    if initial is not None:
        table["initial_mass"] = initial << u.Msun
    table["metallicity"] = _metallicity(table, group, header, choices)


def _add_gas(table, group, header, choices):
    sfr = group.read("sfr", required=False)
    forming = None if sfr is None else sfr > 0
    temperature = group.read("temperature", required=False)
    if temperature is None:
        energy = group.read("internal_energy", also="temperature")
        temperature = choices.temperature(energy, group.read("electrons", required=False), group)
    if header.layout.effective_temperature:
        temperature = choices.without_pressure(temperature, forming, group.read("density", required=False), group)
    table["temperature"] = temperature << u.K
    table["metallicity"] = _metallicity(table, group, header, choices)
    if sfr is not None and header.layout.sfr_unit != "unknown":
        table["sfr"] = np.maximum(sfr, 0) << UNITS["sfr"]  # SWIFT: negative where stars have formed before
    for column in ("density", "cell_size"):
        values = group.read(column, required=False)
        if values is not None:
            table[column] = values << UNITS[column]


def _metallicity(table, group, header, choices):
    values = group.read("metallicity", required=False)
    if values is None:
        return choices.metals(len(table), group)
    if header.layout.metal_masses:  # helium first, then the metals
        whole = table["initial_mass" if "initial_mass" in table.colnames else "mass"].value
        mass = values[:, 1:].sum(axis=1) * group.factor("mass", "metallicity")
        return np.divide(mass, whole, out=np.zeros(len(whole), dtype=mass.dtype), where=whole > 0)
    return np.ascontiguousarray(values[:, 0]) if values.ndim == 2 else values  # GIZMO: all metals first, then helium and the elements


def _ages(formation, header, group, choices, identifiers):
    """Age in Gyr; wind particles are marked to be left out."""
    old = formation < 0
    if header.layout.wind:
        wind = formation <= 0
        if wind.any():
            group.keep = ~wind
            choices.note(f"{group.name}: left out {int(wind.sum())} wind particles")
            formation = np.where(wind, header.scale_factor, formation)
        old = np.zeros(len(formation), dtype=bool)
    if header.cosmological:
        if old.any() and not header.layout.born_before:
            raise SnapshotError(
                f"{group.where('formation')}: {int(old.sum())} scale factors are negative, the first in row {np.flatnonzero(old)[0]}"
            )
        ages = assumptions.ages_of_scale_factors(np.where(old, header.scale_factor, formation), header)
    else:
        ages = (header.time - formation * header.time_unit).to_value(u.Gyr)
    if header.layout.born_before and old.any():
        ages = np.where(old, choices.old_ages(identifiers, header, group), ages)
    slack = 1e-4 * header.time.to_value(u.Gyr) + 1e-6
    if len(ages) and ages.min() < -slack:
        row = int(np.argmin(ages))
        raise SnapshotError(
            f"{group.where('formation')}: {int((ages < -slack).sum())} stars form after the snapshot's own {header.time:.4g}, row {row} by "
            f"{-ages[row]:.4g} Gyr; is the header's Time right, and cosmological={header.cosmological}?"
        )
    return np.maximum(ages, 0)


def _drop_noise(values):
    """Zero for what lies below zero by no more than rounding."""
    if len(values):
        values[(values < 0) & (values > -1e-6 * abs(values.max()))] = 0


def _checked(table, kind, *groups):
    """Look through a table, and name file, group and field of what is wrong."""
    try:
        return checked_elements(table, kind, groups[0].file_name)
    except SnapshotError as exc:
        where = ", ".join(group.where(exc.column) for group in groups if group.exists)
        raise SnapshotError(f"{where}: {exc}", column=exc.column) from exc


def _layout(name):
    if name is None:
        return None
    if name not in LAYOUTS:
        raise ValueError(f"no layout named {name!r}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _epoch(scale_factor, redshift):
    if scale_factor is not None and redshift is not None:
        raise ValueError("give scale_factor= or redshift=, not both")
    if redshift is not None:
        redshift = _number(redshift, "redshift")
        if not (np.isfinite(redshift) and redshift > -1):
            raise ValueError(f"redshift must be above -1, so that the scale factor is positive, got {redshift:g}")
        return 1 / (1 + redshift)
    if scale_factor is not None:
        scale_factor = _number(scale_factor, "scale_factor")
        if not (np.isfinite(scale_factor) and scale_factor > 0):
            raise ValueError(f"the scale factor must be positive, got {scale_factor:g}")
    return scale_factor


def _hubble(h):
    if h is None:
        return None
    h = _number(h, "h")
    if not 0 < h < 10:
        raise ValueError(f"h is the Hubble constant over 100 km/s/Mpc, positive and about 0.7, got {h:g}")
    return h


def _number(value, name):
    if not isinstance(value, (str, bytes)):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise TypeError(f"{name} must be a number, got {value!r}")


def _cgs(value, unit, name, example):
    if value is None:
        return None
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(f"{name} must be a Quantity such as {example}, got {value!r}")
    return float(value.to_value(unit))


def _sphere(centre, radius):
    """Centre and radius in kpc; the radius is infinite where only a centre is given."""
    for value, name, example in ((centre, "centre", "[10, 20, 30] * u.kpc"), (radius, "radius", "30 * u.kpc")):
        if value is not None and not (isinstance(value, u.Quantity) and value.unit.is_equivalent(u.kpc)):
            raise TypeError(f"{name} must be a length such as {example}, got {value!r}")
    if centre is None:
        if radius is not None:
            raise ValueError("radius= cuts a sphere about a centre; give centre= too")
        return None
    if centre.shape != (3,):
        raise ValueError(f"centre must have the shape (3,), got {centre.shape}")
    return centre.to_value(u.kpc), np.inf if radius is None else float(radius.to_value(u.kpc))
