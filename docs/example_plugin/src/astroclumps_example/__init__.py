"""A detector and an SED backend for astroclumps; they are found by name through the entry points of this package."""

from .backend import ConstantGridSED
from .detector import LoGDetector

__all__ = ["ConstantGridSED", "LoGDetector"]
