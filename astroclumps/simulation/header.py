"""Units, cosmology and clock of a file of the Gadget family."""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astroclumps.exceptions import SnapshotError

from .layouts import Layout

__all__ = ["Header", "read_header"]

_GROUPS = ("Header", "Cosmology", "Parameters", "Units")

# Per column: powers of length, mass and velocity, powers of a and h where the dataset states none, and our unit.
_DIMENSIONS = {
    "position": ((1, 0, 0), 1, -1, u.kpc),
    "cell_size": ((1, 0, 0), 1, -1, u.kpc),
    "velocity": ((0, 0, 1), None, 0, u.km / u.s),
    "mass": ((0, 1, 0), 0, -1, u.Msun),
    "initial_mass": ((0, 1, 0), 0, -1, u.Msun),
    "density": ((-3, 1, 0), -3, 2, u.Msun / u.kpc**3),
    "internal_energy": ((0, 0, 2), 0, 0, u.km**2 / u.s**2),
    "sfr": ((-1, 1, 1), 0, 0, u.Msun / u.yr),
}
# Factors to cgs outside of these cannot be meant: a thousandth of a parsec to 10 Gpc, a cm/s to light, 0.001 to 1e20 Msun
_PLAUSIBLE = {"position": (3e15, 3e28), "velocity": (1.0, 3e10), "mass": (2e30, 2e53)}

_EXTENT = 2.8  # reach of a softening kernel over the Plummer softening with the same depth
_KPC = u.kpc.to(u.cm)

_CGS_NAMES = ("CGSConversionFactor", "Conversion factor to CGS (not including cosmological corrections)", "to_cgs")
_A_NAMES = ("aexp-scale-exponent", "a-scale exponent", "a_scaling")
_H_NAMES = ("h-scale-exponent", "h-scale exponent", "h_scaling")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What holds for all fields of a file."""

    path: object
    layout: Layout
    cosmological: bool
    scale_factor: float
    h: float
    cosmology: object | None
    time: u.Quantity
    length: float  # cm
    mass: float  # g
    velocity: float  # cm/s
    time_unit: u.Quantity
    box: float | None  # kpc, physical; None: no periodic box
    mass_table: tuple
    extents: tuple  # of the softening kernel, by particle type, in code units

    def factor(self, column: str, dataset) -> float:
        """What a dataset's numbers are multiplied with to get our unit.

        Parameters
        ----------
        column : str
            Name of the column.
        dataset : `h5py.Dataset` or None
            None: a number of the header, in the code's units.

        Returns
        -------
        float

        Raises
        ------
        `~astroclumps.exceptions.SnapshotError`
            The dataset states a unit that cannot be that of the column.
        """
        if column == "sfr" and self.layout.sfr_unit == "Msun/yr":
            return 1.0
        powers, a_power, h_power, unit = _DIMENSIONS[column]
        attributes = {} if dataset is None else dataset.attrs
        cgs = _first(attributes, _CGS_NAMES)
        if cgs is None or (cgs == 0 and column == "sfr"):
            if column == "sfr":
                return 1.0  # Msun/yr, whatever the units of the rest
            cgs = self.length ** powers[0] * self.mass ** powers[1] * self.velocity ** powers[2]
            a_power = self.layout.velocity_exponent if a_power is None else a_power
            h_power = h_power if self.layout.per_h else 0
        else:
            self._check_unit(column, dataset, cgs, powers)
            a_power, h_power = _first(attributes, _A_NAMES) or 0.0, _first(attributes, _H_NAMES) or 0.0
            if _first(attributes, ("Value stored as physical",)) == 1:
                a_power = 0.0
        a = self.scale_factor if self.cosmological else 1.0
        return float(cgs / u.Quantity(1, unit).cgs.value * a**a_power * self.h**h_power)

    def softening(self, number: int) -> float | None:
        """Plummer-equivalent softening of a particle type in kpc, where the header states it (GIZMO, isolated runs)."""
        if self.cosmological or number >= len(self.extents):
            return None
        return float(self.extents[number]) / _EXTENT * self.length / _KPC / self.h

    def _check_unit(self, column, dataset, cgs, powers):
        where = f"{self.path}, {dataset.name.strip('/')}"
        low, high = _PLAUSIBLE.get(column, (0.0, np.inf))
        if not (np.isfinite(cgs) and cgs > 0 and low <= cgs <= high):
            raise SnapshotError(f"{where}: states the factor {cgs:g} to cgs units, which cannot be that of a {column.replace('_', ' ')}")
        length, mass, velocity = powers
        expected = {
            "length_scaling": length,
            "mass_scaling": mass,
            "velocity_scaling": velocity,
            "U_L exponent": length + velocity,
            "U_M exponent": mass,
            "U_t exponent": -velocity,
        }
        for name, power in expected.items():
            found = _first(dataset.attrs, (name,))
            if found is not None and abs(found - power) > 1e-3 and column in _PLAUSIBLE:
                raise SnapshotError(f"{where}: states {name} = {found:g}, but a {column} has {power}; the field has a wrong unit")


def read_header(file, path, layout, *, given, choices) -> Header:
    """Read units, cosmology and clock.

    Parameters
    ----------
    file : `h5py.File`
        The file, open.
    path : path-like
        Its name, for messages.
    layout : `~astroclumps.simulation.layouts.Layout`
        The code's layout.
    choices : `~astroclumps.simulation.assumptions.Choices`
        Takes down what had to be assumed.
    given : dict
        What the user has set, None where not: ``cosmological``, ``scale_factor``, ``h``, ``cosmology``, ``length_unit``, ``mass_unit``,
        ``velocity_unit``, ``time_unit``.

    Returns
    -------
    `Header`

    Raises
    ------
    `~astroclumps.exceptions.SnapshotError`
        The header, or what is needed of it, is not there.
    """
    if "Header" not in file:
        raise SnapshotError(f"{path}: has no group Header; found {', '.join(file) or 'nothing'}; is this a file of the Gadget family?")
    named = {name: file[name].attrs for name in _GROUPS if name in file}
    groups = list(named.values())

    def get(*names):
        for attributes in groups:
            value = _first(attributes, names)
            if value is not None:
                return value
        return None

    omega_m, omega_lambda = get("Omega0", "Omega_m", "OmegaMatter"), get("OmegaLambda", "Omega_lambda")
    time, redshift = get("Time"), get("Redshift")
    cosmological = _is_cosmological(get, given["cosmological"], omega_m, time, redshift)
    scale_factor = given["scale_factor"] or _scale_factor(path, get, cosmological, time, redshift)
    file_h = get("HubbleParam", "h")
    h = given["h"]
    if h is None:
        if cosmological and file_h is None:
            raise SnapshotError(f"{path}, Header: HubbleParam is missing from a cosmological run; give h=")
        h = file_h if cosmological else 1.0
        if not cosmological and file_h not in (None, 0.0, 1.0):
            choices.doubt(f"HubbleParam {file_h:g} of this isolated run was not used: took lengths and masses as not per h (h=)")
    if not (np.isfinite(h) and h > 0):
        raise SnapshotError(f"{path}, Header: HubbleParam is {h:g}, but must be positive; give h=")
    units = _units(path, named, given, choices)
    time_unit = given["time_unit"]
    if time_unit is None:
        in_time = _unit(path, named, _UNIT_NAMES["time"], "time_unit")
        time_unit = ((in_time or units["length"] / units["velocity"]) / (1.0 if cosmological else h)) * u.s
    cosmology = given["cosmology"]
    if cosmological and cosmology is None:
        if not (omega_m and omega_m > 0 and omega_lambda is not None and file_h):
            raise SnapshotError(f"{path}, Header: Omega0, OmegaLambda or HubbleParam is missing from a cosmological run; give cosmology=")
        cosmology = _cosmology(omega_m, omega_lambda, file_h)
    if cosmological:
        clock = _age(path, cosmology, scale_factor)
    elif time is None:
        raise SnapshotError(f"{path}, Header: Time is missing; ages cannot be told without it")
    else:
        clock = time * time_unit
    numbers = {name: tuple(np.ravel(file["Header"].attrs.get(key, ()))) for name, key in _ARRAYS.items()}
    made = Header(
        path=path,
        layout=layout,
        cosmological=cosmological,
        scale_factor=scale_factor,
        h=h,
        cosmology=cosmology,
        time=clock.to(u.Gyr),
        time_unit=time_unit.to(u.Gyr),
        box=None,
        **units,
        **numbers,
    )
    box = get("BoxSize")
    if cosmological and box:
        side = box * 1000 / file_h * scale_factor if layout.box == "Mpc/h" else box * made.factor("position", _coordinates(file))
        object.__setattr__(made, "box", float(side))
    return made


def _age(path, cosmology, scale_factor):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return cosmology.age(1 / scale_factor - 1)
        except (Warning, ArithmeticError, ValueError) as exc:
            raise SnapshotError(f"{path}, Header: {cosmology!r} has no age at the scale factor {scale_factor:g}; give cosmology=") from exc


_ARRAYS = {"mass_table": "MassTable", "extents": "Fixed_ForceSoftening_Keplerian_Kernel_Extent"}


def _first(attributes, names):
    """The first of several attributes that is there, as a float."""
    for name in names:
        if name in attributes:
            try:
                return float(np.ravel(attributes[name])[0])
            except (TypeError, ValueError, IndexError):
                continue
    return None


def _coordinates(file):
    found = (file[name]["Coordinates"] for name in file if name.startswith("PartType") and "Coordinates" in file[name])
    return next(found, None)


def _is_cosmological(get, given, omega_m, time, redshift):
    if given is not None:
        return bool(given)
    for flag in ("ComovingIntegrationOn", "Cosmological run"):
        value = get(flag)
        if value is not None:
            return bool(value)
    if get("ExpansionFactor", "Scale-factor") is not None:
        return True
    return bool(omega_m and omega_m > 0 and time and redshift is not None and abs(time * (1 + redshift) - 1) < 1e-3)


def _scale_factor(path, get, cosmological, time, redshift):
    if not cosmological:
        return 1.0
    value = get("ExpansionFactor", "Scale-factor")
    if value is None:
        value = time if redshift is None else 1 / (1 + redshift)
    if value is None:
        raise SnapshotError(f"{path}, Header: neither Redshift nor Time is there; give redshift= or scale_factor=")
    if not 0 < value <= 1.0001:
        raise SnapshotError(
            f"{path}, Header: the scale factor is {value:g}; a cosmological run has 0 to 1; give scale_factor= or cosmological=False"
        )
    return value


_UNIT_NAMES = {
    "length": ("UnitLength_in_cm", "UnitLength_In_CGS", "Unit length in cgs (U_L)"),
    "mass": ("UnitMass_in_g", "UnitMass_In_CGS", "Unit mass in cgs (U_M)"),
    "velocity": ("UnitVelocity_in_cm_per_s", "UnitVelocity_In_CGS"),
    "time": ("Unit time in cgs (U_t)",),
}


def _unit(path, named, names, option):
    """A code unit in cgs from the first attribute that states it; None where none does."""
    for group, attributes in named.items():
        for name in names:
            if name not in attributes:
                continue
            value = _first(attributes, (name,))
            if value is None or not (np.isfinite(value) and value > 0):
                stated = np.ravel(attributes[name]).tolist() if value is None else f"{value:g}"
                raise SnapshotError(f"{path}, {group}: {name} is {stated}, but a unit is a positive number; give {option}=")
            return value
    return None


def _units(path, named, given, choices):
    """Code units of length, mass and velocity in cgs."""
    usual = {"length": u.kpc.to(u.cm), "mass": 1e10 * u.Msun.to(u.g), "velocity": 1e5}
    found = {
        name: _unit(path, named, _UNIT_NAMES[name], f"{name}_unit") if given[f"{name}_unit"] is None else given[f"{name}_unit"]
        for name in usual
    }
    if found["velocity"] is None and found["length"] is not None:
        time = _unit(path, named, _UNIT_NAMES["time"], "velocity_unit")
        found["velocity"] = None if time is None else found["length"] / time
    if not any(found.values()):
        choices.note("the header states no units: took Gadget's own, kpc, 1e10 Msun and km/s, where a field states none either")
    return {name: usual[name] if value is None else value for name, value in found.items()}


def _cosmology(omega_m, omega_lambda, h):
    from astropy.cosmology import FlatLambdaCDM, LambdaCDM

    if abs(omega_m + omega_lambda - 1) < 0.01:  # what is missing is radiation and neutrinos
        return FlatLambdaCDM(H0=100 * h, Om0=omega_m)
    return LambdaCDM(H0=100 * h, Om0=omega_m, Ode0=omega_lambda)
