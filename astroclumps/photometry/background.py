"""Where the background of a clump is taken from (paper section 5.1)."""

from typing import NamedTuple

import numpy as np

from . import kernels

__all__ = ["BACKGROUNDS", "INNER", "LEAST", "OUTER", "WIDEST", "Ring", "masked_discs", "ring"]

BACKGROUNDS = ("annulus", "none")
"""``annulus`` is bgsb_v4 of Guo+2018 as in the paper: the median of the ring around a clump outside the circles of all clumps."""
INNER = 4.0
"""Radius in pixels of the circles that are masked, and the inner radius of the ring (section 5.1)."""
OUTER = 6.0
"""Outer radius of the ring in pixels (section 5.1)."""
LEAST = 10
"""Least number of pixels in a ring; with fewer it is widened outwards (ours)."""
WIDEST = 30.0
"""Pixels by which the ring may be widened before the background is given up (ours)."""


class Ring(NamedTuple):
    """Radii of a background ring in pixels; ``outer`` is 0 where no background is subtracted."""

    inner: float
    outer: float

    @property
    def widest(self):
        """Largest outer radius that a crowded ring may grow to."""
        return self.outer + WIDEST if self.outer > 0 else 0.0

    @property
    def area(self):
        """Pixels of the whole ring."""
        return np.pi * (self.outer**2 - self.inner**2) if self.outer > 0 else 0.0


def ring(name, radius) -> Ring:
    """The ring of a background for an aperture.

    Parameters
    ----------
    name : str
        One of `BACKGROUNDS`.
    radius : float
        Of the aperture in pixels. Up to 5 pixels the ring is the paper's; around larger apertures it moves
        outwards and starts one pixel inside the aperture's rim (ours).

    Returns
    -------
    ring : Ring

    Examples
    --------
    >>> from astroclumps.photometry.background import ring
    >>> ring("annulus", 3.0)
    Ring(inner=4.0, outer=6.0)
    """
    if name == "none":
        return Ring(0.0, 0.0)
    inner = max(INNER, radius - 1)
    return Ring(inner, inner + OUTER - INNER)


def masked_discs(shape, x, y, radius):
    """Pixels that no background is taken from: within ``radius`` of any clump.

    Parameters
    ----------
    shape : tuple of int
        Shape (y, x) of the image.
    x, y : ndarray of float, shape (n,)
        Positions in pixels.
    radius : float
        In pixels.

    Returns
    -------
    near : ndarray of bool, shape (y, x)
    """
    near = np.zeros(shape, dtype=bool)
    kernels.discs(near, x, y, float(radius))
    return near
