"""Distances of clumps from their galaxies' centres in effective radii (G21 5.2)."""

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from .sample import Sample, values_of

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["normalised_radius"]


def normalised_radius(
    clumps: "QTable", galaxies: "QTable", *, pixel_scale: u.Quantity | None = None, deproject: bool = False
) -> np.ndarray:
    """Distance of each clump from its galaxy's centre over R_e, the column ``r_norm``.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, and ``x``, ``y`` in pixels of the galaxy's image.
    galaxies : `~astropy.table.QTable`
        With ``galaxy``, the centre ``x``, ``y`` (pixels), ``r_e`` (angle), and for ``deproject`` ``axis_ratio`` and ``angle`` (of the long
        axis from +x towards +y), as `~astroclumps.population.structure.measure_structures` gives them. A galaxy without value gives
        NaN.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Side of a pixel. Default: the galaxies' column ``pixel_scale``.
    deproject : bool, default False
        False: the distance on the sky, as G21 have it. True: the distance in the plane of a thin disc, with the part along the short axis
        divided by the axis ratio (ours).

    Returns
    -------
    ndarray, shape (n_clumps,)

    Raises
    ------
    CatalogError
        A column is missing or has another unit, or a clump's galaxy is not listed.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.distances import normalised_radius
    >>> galaxies = QTable({"galaxy": ["a"], "x": [32] * u.pix, "y": [32] * u.pix, "r_e": [0.6] * u.arcsec})
    >>> galaxies["axis_ratio"], galaxies["angle"] = [0.5], [0] * u.deg
    >>> clumps = QTable({"galaxy": ["a", "a"], "x": [42, 32] * u.pix, "y": [32, 42] * u.pix})
    >>> normalised_radius(clumps, galaxies, pixel_scale=0.06 * u.arcsec)
    array([1., 1.])
    >>> normalised_radius(clumps, galaxies, pixel_scale=0.06 * u.arcsec, deproject=True)
    array([1., 2.])
    """
    if pixel_scale is None:
        scale = values_of(galaxies, "pixel_scale", u.arcsec, of="galaxies")
    elif not isinstance(pixel_scale, u.Quantity) or not pixel_scale.unit.is_equivalent(u.arcsec) or not pixel_scale > 0:
        raise TypeError(f"pixel_scale must be a positive angle such as 0.06 * u.arcsec, got {pixel_scale!r}")
    else:
        scale = np.full(len(galaxies), pixel_scale.to_value(u.arcsec))
    index = Sample(clumps, galaxies, n_draws=0).index
    r_e = values_of(galaxies, "r_e", u.arcsec, of="galaxies") / scale
    dx, dy = (values_of(clumps, name, u.pix) - values_of(galaxies, name, u.pix, of="galaxies")[index] for name in ("x", "y"))
    if deproject:
        turn = values_of(galaxies, "angle", u.rad, of="galaxies")[index]
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        dx, dy = along, across / values_of(galaxies, "axis_ratio", of="galaxies")[index]
    return np.hypot(dx, dy) / r_e[index]
