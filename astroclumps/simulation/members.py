"""The elements inside clumps, and sums over them.

Relative to the snapshot's centre and velocity: kpc, km/s, Msun.
"""

from typing import TYPE_CHECKING, NamedTuple

import astropy.units as u
import numpy as np

from .boundedness import thermal_energy

if TYPE_CHECKING:
    from .snapshot import Snapshot

__all__ = ["Elements", "Members", "Moments", "column", "elements", "group_means", "moments"]


class Members(NamedTuple):
    """Elements of one type inside regions.

    Parameters
    ----------
    row : int array, shape (k,)
        Rows of the snapshot's table, ascending.
    label : int array, shape (k,)
        Region of each, from 1.
    """

    row: np.ndarray
    label: np.ndarray

    @classmethod
    def none(cls) -> "Members":
        """No elements."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int32))

    def where(self, mask: np.ndarray) -> "Members":
        """Those where ``mask`` is True."""
        return Members(self.row[mask], self.label[mask])


class Elements(NamedTuple):
    """Stars and then gas as arrays, as `astroclumps.simulation.boundedness` wants them.

    Parameters
    ----------
    position, velocity : float64 arrays, shape (k, 3)
        Relative to the snapshot's.
    mass, thermal : float64 arrays, shape (k,)
        Mass, and thermal energy over mass (0 for stars).
    group : int64 array, shape (k,)
        Region of each, from 0.
    """

    position: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray
    thermal: np.ndarray
    group: np.ndarray


class Moments(NamedTuple):
    """Sums over the elements of each region, turned into means.

    Parameters
    ----------
    mass : float64 array, shape (n,)
        Mass.
    centre, velocity : float64 arrays, shape (n, 3)
        Means by mass; NaN without mass, as all that follows.
    square : float64 array, shape (n, 3, 3)
        Mean by mass of r r about the centre.
    sigma2 : float64 array, shape (n,)
        Mean by mass of the square of the velocity about its mean.
    spin : float64 array, shape (n, 3)
        Mean by mass of r x v about centre and mean velocity.
    """

    mass: np.ndarray
    centre: np.ndarray
    velocity: np.ndarray
    square: np.ndarray
    sigma2: np.ndarray
    spin: np.ndarray


def column(snapshot: "Snapshot", kind: str, name: str, row: np.ndarray) -> np.ndarray | None:
    """Some rows of a column as float64, or None where the snapshot has no such column."""
    table = getattr(snapshot, kind)
    if table is None:
        return np.zeros(0) if name == "mass" else None
    return table[name].value[row].astype(float) if name in table.colnames else None


def elements(snapshot: "Snapshot", stars: Members, gas: Members) -> Elements:
    """Stars and gas in regions as plain arrays.

    Parameters
    ----------
    snapshot : `~astroclumps.simulation.snapshot.Snapshot`
        The galaxy.
    stars, gas : `Members`
        The elements.

    Returns
    -------
    `Elements`
    """
    parts = {}
    for name in ("position", "velocity", "mass"):
        parts[name] = np.concatenate([column(snapshot, "stars", name, stars.row), column(snapshot, "gas", name, gas.row)])
    warm = thermal_energy(column(snapshot, "gas", "temperature", gas.row))
    return Elements(
        parts["position"] - snapshot.centre.to_value(u.kpc),
        parts["velocity"] - snapshot.velocity.to_value(u.km / u.s),
        parts["mass"],
        np.concatenate([np.zeros(len(stars.row)), warm]),
        np.concatenate([stars.label, gas.label]).astype(np.int64) - 1,
    )


def moments(snapshot: "Snapshot", parts: "list[tuple[str, Members]]", reference: np.ndarray) -> Moments:
    """Mass, centre, motion, shape and spin of regions.

    Parameters
    ----------
    snapshot : `~astroclumps.simulation.snapshot.Snapshot`
        The galaxy.
    parts : list of (str, `Members`)
        Types of elements and which ones.
    reference : float64 array, shape (n, 3)
        A place in or near each region, relative to the snapshot's centre.

    Returns
    -------
    `Moments`
    """
    from .member_kernels import FIRST, MASS, N_SUMS, SECOND, SPEED, SPIN, VELOCITY, add_moments

    n = len(reference)
    sums = np.zeros((n, N_SUMS))
    centre, bulk = snapshot.centre.to_value(u.kpc), snapshot.velocity.to_value(u.km / u.s)
    for kind, members in parts:
        table = getattr(snapshot, kind)
        if len(members.row):
            arrays = (table[name].value for name in ("position", "velocity", "mass"))
            add_moments(*arrays, members.row, members.label, centre, bulk, reference, sums)
    mass = sums[:, MASS].copy()
    means = np.divide(sums, mass[:, None], out=np.full(sums.shape, np.nan), where=mass[:, None] > 0)
    place, velocity = means[:, FIRST : FIRST + 3], means[:, VELOCITY : VELOCITY + 3]
    xx, yy, zz, xy, xz, yz = means[:, SECOND : SECOND + 6].T
    square = np.stack([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)
    return Moments(
        mass,
        place + reference,
        velocity,
        square - place[:, :, None] * place[:, None, :],
        np.maximum(means[:, SPEED] - np.sum(velocity**2, axis=1), 0),
        means[:, SPIN : SPIN + 3] - np.cross(place, velocity),
    )


def group_means(members: Members, values: np.ndarray, mass: np.ndarray, n: int) -> np.ndarray:
    """Means by mass of ``values`` over each of n regions; NaN where there is no mass."""
    group = members.label - 1
    total = np.bincount(group, mass, n)
    return np.divide(np.bincount(group, mass * values, n), total, out=np.full(n, np.nan), where=total > 0)
