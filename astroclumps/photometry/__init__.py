"""Fluxes of clumps in circular apertures, in all bands at once (paper section 5.1), and their intrinsic sizes."""

from .aperture import ClumpPhotometry
from .sizes import ClumpSizes

__all__ = ["ClumpPhotometry", "ClumpSizes"]
