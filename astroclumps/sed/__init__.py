"""Fits of stellar populations to clump photometry: one model and one prior, two ways to the posterior.

`LibrarySED` weighs a library of models and takes milliseconds a clump; `BagpipesSED` samples bagpipes' model with nested sampling, takes
minutes, and is the reference the library is tested against.
"""

from .bagpipes import BagpipesSED
from .library import LibrarySED

__all__ = ["BagpipesSED", "LibrarySED"]
