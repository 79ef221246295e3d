"""Checks that any detector, classifier, SED backend or reader can be put through.

The package's own parts run the same checks. A check that fails raises `~astroclumps.exceptions.PluginError` that says
who failed, in which check, and what was seen.
"""

from .checks import check_classifier, check_detector, check_image_reader, check_sed_backend
from .examples import example_image, example_photometry
from .simulations import check_simulation_reader, example_snapshot

__all__ = [
    "check_classifier",
    "check_detector",
    "check_image_reader",
    "check_sed_backend",
    "check_simulation_reader",
    "example_image",
    "example_photometry",
    "example_snapshot",
]
