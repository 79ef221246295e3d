"""Every error and warning of the package, explained once.

Wrong arguments raise `ValueError` or `TypeError`; the classes here say which part of the outside world was at fault.
"""

from typing import Any

from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    "AstroclumpsWarning",
    "CatalogError",
    "ImageError",
    "NoClumpsWarning",
    "PluginError",
    "SnapshotError",
    "SurveyError",
    "WeightsError",
]


class AstroclumpsWarning(AstropyUserWarning):
    """A number in the result may be wrong or was made under an assumption."""


class NoClumpsWarning(AstroclumpsWarning):
    """Nothing was found: the result is an empty table with all its columns."""


class PluginError(RuntimeError):
    """A plugin is missing, claimed twice, fails to load, or breaks its contract."""


class WeightsError(RuntimeError):
    """A weights file is missing, altered, or does not fit what it is used for."""


class CatalogError(ValueError):
    """A table lacks a column of its stage or carries a wrong unit or type."""


class ImageError(ValueError):
    """An image file cannot be read, or an image lacks what a step needs."""


class SnapshotError(ValueError):
    """A file of a simulation cannot be read, or elements of a snapshot lack something or hold what cannot be."""

    def __init__(self, message: Any, *, column: Any = None):
        super().__init__(message)
        self.column = column  # name of the column at fault, where it is one


class SurveyError(RuntimeError):
    """A survey cannot begin or go on: its list, folder or settings do not fit, or its workers are gone; what was done is kept."""
