"""`Disc`: radius, thickness and axis of a galaxy's cold disc, iterated until they agree (METHODS 1)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astroclumps.exceptions import AstroclumpsWarning, SnapshotError

from .centre import weighted_quantile

if TYPE_CHECKING:
    from .snapshot import Snapshot

__all__ = ["Disc", "measure_disc"]

_PART = 0.85  # of the cold mass, inside R_d and inside H_d
_REACH = 0.15  # of the virial radius: outer radius of the first cylinder
_SHEET = 1.0  # kpc: half-thickness of the first cylinder
_SFR_TIME = 60 * u.Myr  # over which star formation is averaged in simulations (METHODS 5)
_TOLERANCE = 1e-3  # relative change of R_d and H_d, and change of the axis in radians
_FREE_STEPS = 10  # from then on the axis is the mean of those found since
_JUMP = 0.02  # radians by which the axis may jump about that mean
_MOST_STEPS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Disc:
    """A galaxy's cold disc.

    Parameters
    ----------
    r_d : `~astropy.units.Quantity` ['length']
        Radius, kpc.
    h_d : `~astropy.units.Quantity` ['length']
        Half-thickness, kpc.
    axis : array, shape (3,)
        Unit vector along the cold mass's angular momentum, in box axes.
    centre : `~astropy.units.Quantity` ['length'], shape (3,)
        Centre, kpc, in box axes.
    velocity : `~astropy.units.Quantity` ['speed'], shape (3,)
        Velocity of the centre, km/s.
    cold_mass, gas_mass, star_mass, dark_mass : `~astropy.units.Quantity` ['mass']
        Mass inside the cylinder of radius ``r_d`` and half-thickness ``h_d``: cold gas with young stars, all gas, all stars, dark matter.
    sfr : `~astropy.units.Quantity`
        Initial mass (mass, where that is not known) of stars younger than 60 Myr in the cylinder, over 60 Myr; Msun/yr.
    gas_fraction : float
        Gas over gas and stars in the cylinder; NaN where it holds neither.
    n_iterations : int
        Steps that were taken.
    converged : bool
        Whether radius, thickness and axis agree with each other.
    """

    r_d: u.Quantity[u.kpc]
    h_d: u.Quantity[u.kpc]
    axis: np.ndarray
    centre: u.Quantity[u.kpc]
    velocity: u.Quantity[u.km / u.s]
    cold_mass: u.Quantity[u.Msun]
    gas_mass: u.Quantity[u.Msun]
    star_mass: u.Quantity[u.Msun]
    dark_mass: u.Quantity[u.Msun]
    sfr: u.Quantity[u.Msun / u.yr]
    gas_fraction: float
    n_iterations: int
    converged: bool

    def rotation(self) -> np.ndarray:
        """Matrix from box to disc axes.

        Returns
        -------
        matrix : array, shape (3, 3)
            Rows are e1, e2 and the disc's axis, right-handed; e1 is the box's x axis projected onto the disc's plane, or the y axis
            where x lies within 37 degrees of the disc's axis. A disc along z gives the identity.
        """
        box = np.array([0.0, 1.0, 0.0]) if abs(self.axis[0]) > 0.8 else np.array([1.0, 0.0, 0.0])
        first = box - (box @ self.axis) * self.axis
        first /= np.linalg.norm(first)
        return np.array([first, np.cross(self.axis, first), self.axis])

    def cylindrical(self, position: u.Quantity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cylindrical coordinates about the disc's axis.

        Parameters
        ----------
        position : `~astropy.units.Quantity` ['length'], shape (n, 3)
            Positions in box axes, with the box's origin.

        Returns
        -------
        radius, angle, height : float arrays, shape (n,)
            Distance from the axis in kpc, angle from e1 in radians (-pi to pi), height above the plane in kpc.
        """
        if not isinstance(position, u.Quantity):
            raise TypeError(f"position must be a length such as array * u.kpc, got {type(position).__name__}")
        x, y, z = self.rotation() @ (position.to_value(u.kpc) - self.centre.value).T
        return np.hypot(x, y), np.arctan2(y, x), z


def measure_disc(snapshot: "Snapshot", *, cold_temperature: u.Quantity = 1.5e4 * u.K, young_age: u.Quantity = 100 * u.Myr) -> Disc:
    """Radius, half-thickness and axis of the cold disc (METHODS 1; Mandelker et al. 2014).

    (1) The axis is that of the cold mass's angular momentum in a sphere of 0.21 virial radii. (2) R_d is the radius with 85% of the
    cold mass in the cylinder of radius 0.15 virial radii and half-thickness 1 kpc along the axis. (3) H_d is the half-thickness
    with 85% of the cold mass inside R_d and less than R_d from the plane. (4) The axis is measured anew inside R_d and H_d, and steps
    2 to 4 are taken again until radius, thickness and axis change by less than a part in a thousand. Where single elements at the edge
    of a thin disc make the axis jump, so that this does not happen in 10 steps, the mean of its axes is taken (ours), and a jump of 0.02
    radians about it is allowed.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy. Its ``axis`` is kept where it was given.
    cold_temperature : `~astropy.units.Quantity` ['temperature'], default 1.5e4 K
        Gas below it is cold.
    young_age : `~astropy.units.Quantity` ['time'], default 100 Myr
        Stars younger than this count as cold mass.

    Returns
    -------
    `Disc`

    Raises
    ------
    `~astroclumps.exceptions.SnapshotError`
        No mass lies inside 0.15 virial radii.

    Warns
    -----
    `~astroclumps.exceptions.AstroclumpsWarning`
        The iteration did not come to rest, or there is no cold mass, so that all gas and stars were taken instead.
    """
    cold_temperature = _limit(cold_temperature, u.K, "cold_temperature", "1.5e4 * u.K")
    young_age = _limit(young_age, u.Gyr, "young_age", "100 * u.Myr")
    reach = _REACH * snapshot.r_vir.value
    given_axis = snapshot.__dict__["_axis"]
    centre, bulk = snapshot.centre.value, snapshot.velocity.value
    cold = {
        "stars": snapshot.stars["age"].value < young_age,
        "gas": snapshot.gas["temperature"].value < cold_temperature,
    }
    elements = _Elements(snapshot, cold, centre, bulk, reach)
    if not elements.reaches(reach):
        everything = {kind: np.ones(len(use), dtype=bool) for kind, use in cold.items()}
        elements = _Elements(snapshot, everything, centre, bulk, reach)
        if not elements.reaches(reach):
            raise SnapshotError(
                f"snapshot {snapshot.name!r} has no mass within {reach:.3g} kpc (0.15 virial radii) of its centre {centre} kpc"
            )
        warnings.warn(
            f"snapshot {snapshot.name!r} has no gas below {cold_temperature:g} K and no stars younger than {young_age:g} Gyr within "
            f"{reach:.3g} kpc; its disc is that of all gas and stars",
            AstroclumpsWarning,
            stacklevel=2,
        )
    mass = elements.mass
    axis = given_axis if given_axis is not None else _unit(elements.momentum(np.array([0.0, 0, 1]), np.inf, np.inf))
    r_d = h_d = 0.0
    converged, step = False, 0
    while not converged and step < _MOST_STEPS:
        step += 1
        radius, height = elements.project(axis)
        previous, (r_d, h_d) = (r_d, h_d), _size(radius, height, mass, reach)
        if given_axis is not None:
            converged = True
            break
        new_axis = _unit(elements.momentum(axis, r_d, h_d), axis)
        agree = abs(r_d - previous[0]) <= _TOLERANCE * r_d and abs(h_d - previous[1]) <= _TOLERANCE * h_d
        away = np.linalg.norm(new_axis - axis)
        converged = bool(agree and away <= (_TOLERANCE if step <= _FREE_STEPS else _JUMP))
        if not converged:  # from the mean of the axes so far, where they jump to and fro
            axis = new_axis if step < _FREE_STEPS else _unit(axis + (new_axis - axis) / (step - _FREE_STEPS + 2))
    if not converged:
        warnings.warn(
            f"the disc of snapshot {snapshot.name!r} did not come to rest in {step} steps: R_d {r_d:.3g} kpc, H_d {h_d:.3g} kpc, axis "
            f"{axis.round(3).tolist()}",
            AstroclumpsWarning,
            stacklevel=2,
        )
    contents = _contents(snapshot, cold, axis, centre, r_d, h_d)
    return Disc(
        r_d=r_d * u.kpc,
        h_d=h_d * u.kpc,
        axis=axis,
        centre=snapshot.centre,
        velocity=snapshot.velocity,
        n_iterations=step,
        converged=converged,
        **contents,
    )


class _Elements:
    """Stars and gas that make up the disc: some of the rows within a sphere, without copies of their vectors."""

    def __init__(self, snapshot, use, centre, bulk, reach):
        from .disc_kernels import near_rows

        self._parts, self._centre, self._bulk = [], centre, bulk
        for kind, chosen in use.items():
            table = getattr(snapshot, kind)
            arrays = [table[name].value for name in ("position", "velocity", "mass")]
            # in the first cylinder, or in the one that H_d is looked for in, as high as it is wide
            self._parts.append((*arrays, near_rows(arrays[0], chosen, centre, 2 * max(reach, _SHEET) ** 2)))
        self.mass = np.concatenate([mass[rows] for _, _, mass, rows in self._parts]).astype(float, copy=False)

    def reaches(self, radius):
        """Whether any of it has mass and lies inside a sphere."""
        across, along = self.project(np.array([0.0, 0.0, 1.0]))
        return bool(self.mass[across**2 + along**2 < radius**2].any())

    def project(self, axis):
        """Distances from an axis and from its plane."""
        from .disc_kernels import project

        radius, height = np.empty(len(self.mass)), np.empty(len(self.mass))
        start = 0
        for position, _, _, rows in self._parts:
            stop = start + len(rows)
            project(position, rows, self._centre, axis, radius[start:stop], height[start:stop])
            start = stop
        return radius, height

    def momentum(self, axis, radius, height):
        """Angular momentum inside a cylinder."""
        from .disc_kernels import momentum

        return sum(momentum(*part, self._centre, self._bulk, axis, radius, height) for part in self._parts)


def _unit(vector, otherwise=(0.0, 0.0, 1.0)):
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.asarray(otherwise, dtype=float)


def _size(radius, height, mass, reach):
    sheet = (radius < reach) & (height < _SHEET)
    if not mass[sheet].any():  # nothing near the plane: take what is there
        sheet = radius < reach
    r_d = weighted_quantile(radius[sheet], mass[sheet], _PART)
    thick = (radius <= r_d) & (height <= r_d)
    return r_d, weighted_quantile(height[thick], mass[thick], _PART) if thick.any() else r_d


def _contents(snapshot, cold, axis, centre, r_d, h_d):
    """Masses and star formation inside the cylinder, as keyword arguments of `Disc`."""
    from .disc_kernels import inside_cylinder

    def inside(kind):
        return inside_cylinder(getattr(snapshot, kind)["position"].value, centre, axis, r_d, h_d)

    def total(kind, rows, column="mass"):
        return np.sum(getattr(snapshot, kind)[column].value, where=rows, dtype=float)

    stars, gas = inside("stars"), inside("gas")
    dark = 0.0 if snapshot.dark is None else total("dark", inside("dark"))
    cold_mass = total("stars", stars & cold["stars"]) + total("gas", gas & cold["gas"])
    new = stars & (snapshot.stars["age"].value < _SFR_TIME.to_value(u.Gyr))
    formed = total("stars", new, "initial_mass" if "initial_mass" in snapshot.stars.colnames else "mass")
    star_mass, gas_mass = total("stars", stars), total("gas", gas)
    return {
        "cold_mass": cold_mass * u.Msun,
        "gas_mass": gas_mass * u.Msun,
        "star_mass": star_mass * u.Msun,
        "dark_mass": dark * u.Msun,
        "sfr": formed / _SFR_TIME.to_value(u.yr) * (u.Msun / u.yr),
        "gas_fraction": float(gas_mass / (gas_mass + star_mass)) if gas_mass + star_mass > 0 else float("nan"),
    }


def _limit(value, unit, name, example):
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(f"{name} must be a Quantity such as {example}, got {value!r}")
    if not (value.isscalar and value > 0 * unit):
        raise ValueError(f"{name} must be one positive number, got {value}")
    return value.to_value(unit)
