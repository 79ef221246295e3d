"""Fluxes of clumps in circular apertures, in all bands at once (paper section 5.1)."""

from .aperture import ClumpPhotometry

__all__ = ["ClumpPhotometry"]
