"""The galaxy that a clump is put into: where it is, how large and how bright."""

from typing import NamedTuple

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.detection.galaxy import galaxies

__all__ = ["Host", "free_pixels", "hosts"]


class Host(NamedTuple):
    """A galaxy that clumps can be put into.

    Attributes
    ----------
    footprint : ndarray of bool, shape (y, x)
        True on the galaxy.
    r_norm : ndarray of float, shape (y, x)
        Elliptical radius of each pixel over the half-light radius, both along the major axis.
    flux : ndarray of float, shape (band,)
        Light inside the footprint, uJy.
    half_light : float
        Half-light radius along the major axis, pixels.
    """

    footprint: np.ndarray
    r_norm: np.ndarray
    flux: np.ndarray
    half_light: float


def hosts(image) -> list[Host]:
    """Galaxies of an image, with radii measured in the reddest band.

    Ellipses have the second moments of the light inside the footprint (`astroclumps.detection.galaxy.galaxies`); half of that light lies
    inside the half-light radius (ours).

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        Sky-subtracted.

    Returns
    -------
    list of Host

    Examples
    --------
    >>> from astroclumps.evaluation.hosts import hosts
    >>> from astroclumps.testing import example_image
    >>> [host] = hosts(example_image(bands=["F606W", "F160W"]))
    >>> print(f"{host.half_light:.0f}")
    11
    """
    usable = [i for i in range(len(image.bands)) if not image.mask[i].all()]
    if not usable:
        return []
    red = max(usable, key=lambda i: _bands.get(image.bands[i]).pivot.to_value(u.AA))
    light = np.where(image.mask[red], 0.0, np.clip(image.data[red], 0, None)).astype(float)
    return [_host(image, galaxy, light) for galaxy in galaxies(image)]


def _host(image, galaxy, light):
    footprint = np.zeros(light.shape, dtype=bool)
    footprint[galaxy.window] = galaxy.footprint
    rows, columns = np.nonzero(footprint)
    weight = light[rows, columns]
    if not weight.sum() > 0:
        weight = np.ones(len(rows))
    dx, dy = columns - galaxy.x, rows - galaxy.y
    moments = np.array([[np.average(a * b, weights=weight) for a in (dx, dy)] for b in (dx, dy)]) + np.eye(2) / 12
    inverse = np.linalg.inv(moments) * np.linalg.eigvalsh(moments)[-1]  # the major axis keeps its length
    y, x = np.indices(light.shape)
    step = np.stack([x - galaxy.x, y - galaxy.y], axis=-1)
    radius = np.sqrt(np.einsum("yxi,ij,yxj->yx", step, inverse, step))
    order = np.argsort(radius[rows, columns], kind="stable")
    grown = np.cumsum(weight[order])
    half = max(float(radius[rows, columns][order][np.searchsorted(grown, grown[-1] / 2)]), 1.0)
    flux = np.where(image.mask, 0.0, image.data)[:, footprint].sum(axis=1, dtype=float)
    return Host(footprint, radius / half, flux, half)


def free_pixels(image, host, *, radii, taken_x, taken_y, gap, edge):
    """Pixels of a host at which a clump may be put.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
    host : Host
    radii : (float, float)
        Limits of ``r_norm``.
    taken_x, taken_y : array_like
        Pixels that the clump must keep away from.
    gap : float
        By how many pixels.
    edge : int
        Pixels along the edge that are left free.

    Returns
    -------
    ndarray of bool, shape (y, x)
        Without those that are masked in a band that has unmasked pixels.

    Examples
    --------
    >>> from astroclumps.evaluation.hosts import free_pixels, hosts
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W", "F160W"])
    >>> [host] = hosts(image)
    >>> free = free_pixels(image, host, radii=(0.5, 1.0), taken_x=[40], taken_y=[30], gap=6, edge=4)
    >>> bool(free[30, 40]), bool(free[36, 25])
    (False, True)
    """
    alive = ~image.mask.all(axis=(1, 2))
    free = host.footprint & (host.r_norm >= radii[0]) & (host.r_norm <= radii[1])
    free &= ~image.mask[alive].any(axis=0)
    inner = np.zeros_like(free)
    inner[edge : free.shape[0] - edge, edge : free.shape[1] - edge] = True
    free &= inner
    y, x = np.indices(free.shape)
    for x0, y0 in zip(np.atleast_1d(taken_x), np.atleast_1d(taken_y), strict=True):
        free &= np.hypot(x - x0, y - y0) >= gap
    return free
