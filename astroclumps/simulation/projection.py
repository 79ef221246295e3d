"""`Projection`: surface densities of a galaxy seen face-on and edge-on, for pictures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

if TYPE_CHECKING:
    from .snapshot import Snapshot

__all__ = ["Projection", "project"]

_HALF_WIDTH = 1.4  # R_d, of the default map
_ROOM = 1.1  # of the searched cylinder, that maps show
_LOWEST, _HIGHEST = 1 / 3, 2.0  # height of edge-on maps over their width
_ENOUGH = 12.0  # elements that a kernel must hold
_SCALES = (0.0, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0)  # standard deviations of the kernels in pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """Maps of one snapshot along the axes of its disc.

    Parameters
    ----------
    name : str
        Name of the snapshot.
    time : `~astropy.units.Quantity` ['time']
        Its time.
    scale_factor : float
        Its scale factor.
    face_on : dict
        ``"cold"`` and ``"stars"``: surface density in Msun/pc2, float32 arrays of shape (n, n), first axis upwards.
    edge_on : dict
        The same seen from the side, arrays of shape (m, n) with square pixels.
    half_width : float
        Half of a map's side, kpc.
    rotation : array, shape (3, 3)
        Turns positions relative to the centre from box axes to those of the maps: right, up (face-on), up (edge-on).
    r_d, h_d : float
        Radius and half-thickness of the disc, kpc.
    extent : tuple of float
        Radius in R_d and half-thickness in H_d of the cylinder that is searched for clumps.
    """

    name: str
    time: u.Quantity[u.Gyr]
    scale_factor: float
    face_on: dict
    edge_on: dict
    half_width: float
    rotation: np.ndarray
    r_d: float
    h_d: float
    extent: tuple[float, float] = (1.0, 3.0)

    @property
    def half_height(self) -> float:
        """Half of the height of edge-on maps, kpc."""
        rows, columns = self.edge_on["stars"].shape
        return self.half_width * rows / columns

    def places(self, clumps) -> np.ndarray:
        """Where clumps lie in the maps.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            A table of the stage "found".

        Returns
        -------
        array, shape (n, 3)
            Right, up in face-on maps and up in edge-on maps, kpc from the centre.
        """
        box = np.column_stack([clumps[f"pos_{axis}"].to_value(u.kpc) for axis in "xyz"])
        return box @ self.rotation.T


def project(
    snapshot: "Snapshot",
    *,
    half_width: u.Quantity | None = None,
    n_pixels: int = 420,
    cold_temperature: u.Quantity = 1.5e4 * u.K,
    extent: tuple[float, float] = (1.0, 3.0),
) -> Projection:
    """Surface densities of cold gas and of stars, face-on and edge-on.

    Each pixel's mass is spread by a Gaussian as wide as it takes to hold twelve elements at the density there, at most 8 pixels, so
    that lone particles become faint clouds and dense regions stay sharp. Mass is kept but for what the kernels carry over the edge.
    For looking at, not for measuring.

    Edge-on maps are a third as high as they are wide, or higher, so that the cylinder that is searched for clumps fits with a tenth more;
    at most twice as high as wide.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy.
    half_width : `~astropy.units.Quantity` ['length'], optional
        Half of a map's side, and half of its depth; face-on maps are at least as deep as edge-on maps are high. Default: 1.4 R_d, or
        more where ``extent`` needs it.
    n_pixels : int, default 420
        Pixels along a side; a multiple of 6, so that edge-on maps can be a third as high.
    cold_temperature : `~astropy.units.Quantity` ['temperature'], default 1.5e4 K
        Gas below it is cold (G21 Fig. 3).
    extent : tuple of float, default (1, 3)
        Radius in R_d and half-thickness in H_d of the cylinder that is searched, as in `~astroclumps.ClumpFinder3D`.

    Returns
    -------
    `Projection`

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps import Snapshot
    >>> from astroclumps.simulation.elements import empty_elements
    >>> from astroclumps.simulation.projection import project
    >>> rng = np.random.default_rng(0)
    >>> stars = QTable({"particle_id": np.arange(2000), "position": rng.normal(0, [1, 1, 0.1], (2000, 3)) * u.kpc,
    ...                 "velocity": np.zeros((2000, 3)) * u.km / u.s, "mass": np.full(2000, 1e5) * u.Msun,
    ...                 "age": np.full(2000, 50) * u.Myr, "metallicity": np.full(2000, 0.02)})
    >>> snapshot = Snapshot(name="blob", stars=stars, gas=empty_elements("gas"), r_vir=50 * u.kpc, axis=[0, 0, 1])
    >>> maps = project(snapshot, half_width=6 * u.kpc, n_pixels=60)
    >>> maps.face_on["stars"].shape, maps.edge_on["stars"].shape
    ((60, 60), (20, 60))
    >>> area = (2 * 6000 / 60) ** 2  # pc2
    >>> print(f"{maps.face_on['stars'].sum() * area:.3g} Msun")
    2e+08 Msun
    """
    if not isinstance(n_pixels, (int, np.integer)) or n_pixels < 6 or n_pixels % 6:
        raise ValueError(f"n_pixels must be a multiple of 6, got {n_pixels!r}")
    cold_temperature = _value(cold_temperature, u.K, "cold_temperature", "1.5e4 * u.K")
    disc = snapshot.disc
    radius, thickness = _ROOM * extent[0] * float(disc.r_d.value), _ROOM * extent[1] * float(disc.h_d.value)
    if half_width is None:
        half = max(_HALF_WIDTH * float(disc.r_d.value), radius)
    else:
        half = _value(half_width, u.kpc, "half_width", "8 * u.kpc")
    n_rows = 2 * int(np.ceil(n_pixels / 2 * np.clip(thickness / half, _LOWEST, _HIGHEST) - 1e-6))
    half_height = half * n_rows / n_pixels
    depth = max(half, half_height)
    rotation = disc.rotation()
    face_on, edge_on = {}, {}
    cold = snapshot.gas["temperature"].value < cold_temperature
    for kind, table, rows in (("cold", snapshot.gas, cold), ("stars", snapshot.stars, slice(None))):
        position, mass = table["position"].value[rows], table["mass"].value[rows]
        # a sphere that holds the box: most elements of a whole halo end here, before they are turned
        near = np.flatnonzero(np.all(abs(position - snapshot.centre.value.astype(position.dtype)) < np.sqrt(3) * depth, axis=1))
        x, y, z = rotation @ (position[near].astype(float) - snapshot.centre.value).T
        mass = mass[near].astype(float)
        inside = (abs(x) < half) & (abs(y) < half) & (abs(z) < depth)
        x, y, z, mass = x[inside], y[inside], z[inside], mass[inside]
        face_on[kind] = surface_density(x, y, mass, (half, half), (n_pixels, n_pixels))
        edge_on[kind] = surface_density(x, z, mass, (half, half_height), (n_pixels, n_rows))
    return Projection(
        name=snapshot.name,
        time=snapshot.time,
        scale_factor=snapshot.scale_factor,
        face_on=face_on,
        edge_on=edge_on,
        half_width=half,
        rotation=rotation,
        r_d=float(disc.r_d.value),
        h_d=float(disc.h_d.value),
        extent=tuple(float(one) for one in extent),
    )


def surface_density(x, y, mass, half, n_pixels):
    """Mass over area in Msun/pc2, smoothed by kernels that follow the number of elements; float32, shape (ny, nx)."""
    from scipy.ndimage import gaussian_filter

    (half_x, half_y), (nx, ny) = half, n_pixels
    inside = (abs(x) < half_x) & (abs(y) < half_y)
    column = np.minimum(((x[inside] + half_x) * (nx / (2 * half_x))).astype(np.int64), nx - 1)
    row = np.minimum(((y[inside] + half_y) * (ny / (2 * half_y))).astype(np.int64), ny - 1)
    pixel = row * nx + column
    number = np.bincount(pixel, minlength=nx * ny).reshape(ny, nx).astype(float)
    total = np.bincount(pixel, weights=mass[inside], minlength=nx * ny).reshape(ny, nx)
    width = np.full((ny, nx), _SCALES[-1])
    for i in range(len(_SCALES) - 2, -1, -1):  # the narrowest that is wide enough stays
        density = gaussian_filter(number, _SCALES[i + 1], mode="constant")  # from a wider one, or noise would choose its own peaks
        enough = density * max(4 * np.pi * _SCALES[i + 1] ** 2, 1) >= _ENOUGH
        width[enough] = np.clip(np.sqrt(_ENOUGH / (4 * np.pi * density[enough])), _SCALES[i], _SCALES[i + 1])
    smoothed = np.zeros((ny, nx))
    below = np.minimum(np.searchsorted(_SCALES, width, side="right") - 1, len(_SCALES) - 2)
    scales = np.array(_SCALES)
    upper = (width - scales[below]) / (scales[below + 1] - scales[below])  # shared between two kernels, so that there are no steps
    for i, scale in enumerate(_SCALES):
        part = total * (np.where(below == i, 1 - upper, 0) + np.where(below == i - 1, upper, 0))
        if part.any():
            smoothed += part if scale == 0 else gaussian_filter(part, scale, mode="constant", truncate=3.0)
    area = (2e3 * half_x / nx) * (2e3 * half_y / ny)  # pc2
    return (smoothed / area).astype(np.float32)


def _value(value, unit, name, example):
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise TypeError(f"{name} must be a Quantity such as {example}, got {value!r}")
    if not (value.isscalar and np.isfinite(value) and value > 0 * unit):
        raise ValueError(f"{name} must be one positive number, got {value}")
    return float(value.to_value(unit))
