"""The elements inside clumps as plain arrays, and sums over them.

Relative to the snapshot's centre and velocity: kpc, km/s, Msun, Gyr, K.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from .boundedness import thermal_energy

if TYPE_CHECKING:
    from .snapshot import Snapshot

__all__ = ["Elements", "gather", "grouped", "means"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Elements:
    """Some elements of a snapshot, each in a group.

    Parameters
    ----------
    group : int64 array, shape (k,)
        Group of each, from 0.
    position, velocity : float64 arrays, shape (k, 3)
        Relative to the snapshot's.
    mass, formed, age, metallicity, temperature, thermal, size, softening : float64 arrays, shape (k,)
        Mass and initial mass (mass where that is not known); age (infinite for gas), metals, temperature (NaN for stars), thermal
        energy over mass (0 for stars), size over which an element is spread (cell or softening) and Plummer softening (half a
        cell, where only cells are known); NaN where not known.
    """

    group: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray
    formed: np.ndarray
    age: np.ndarray
    metallicity: np.ndarray
    temperature: np.ndarray
    thermal: np.ndarray
    size: np.ndarray
    softening: np.ndarray

    def where(self, mask: np.ndarray) -> "Elements":
        """Those where ``mask`` is True."""
        return self if mask.all() else Elements(**{one.name: getattr(self, one.name)[mask] for one in fields(self)})

    def joined(self, other: "Elements") -> "Elements":
        """These and then the other ones."""
        return Elements(**{one.name: np.concatenate([getattr(self, one.name), getattr(other, one.name)]) for one in fields(self)})


def gather(snapshot: "Snapshot", kind: str, row: np.ndarray, group: np.ndarray) -> Elements:
    """Elements of a snapshot as plain float64 arrays.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy.
    kind : {'stars', 'gas', 'dark'}
        Their type.
    row : int array, shape (k,)
        Rows of the snapshot's table.
    group : int array, shape (k,)
        Group of each, from 0.

    Returns
    -------
    `Elements`
    """
    table = getattr(snapshot, kind)
    n = len(row)

    def column(name, otherwise):
        if table is None or name not in table.colnames or not n:
            return otherwise
        return table[name].value[row].astype(float)

    empty = np.zeros((n, 3))
    mass = column("mass", np.zeros(n))
    unknown = np.full(n, np.nan)
    temperature = column("temperature", unknown)
    cell = column("cell_size", unknown)
    softening = column("softening", unknown)
    return Elements(
        group=np.asarray(group, dtype=np.int64),
        position=column("position", empty) - snapshot.centre.to_value(u.kpc),
        velocity=column("velocity", empty) - snapshot.velocity.to_value(u.km / u.s),
        mass=mass,
        formed=column("initial_mass", mass),
        age=column("age", np.full(n, np.inf)),
        metallicity=column("metallicity", unknown),
        temperature=temperature,
        thermal=thermal_energy(temperature) if kind == "gas" else np.zeros(n),
        size=np.fmax(cell, softening),
        softening=np.where(np.isfinite(softening), softening, 0.5 * cell),
    )


def grouped(elements: Elements, values: np.ndarray, n: int) -> np.ndarray:
    """Sums of ``values`` over each of n groups, float64."""
    return np.bincount(elements.group, values, n).astype(float, copy=False)  # whole numbers where there are no elements


def means(elements: Elements, values: np.ndarray, n: int) -> np.ndarray:
    """Means by mass of ``values``, shape (k,) or (k, 3), over each of n groups; NaN where there is no mass."""
    if values.ndim == 2:
        return np.stack([means(elements, values[:, i], n) for i in range(values.shape[1])], axis=1)
    total = grouped(elements, elements.mass, n)
    return np.divide(grouped(elements, elements.mass * values, n), total, out=np.full(n, np.nan), where=total > 0)
