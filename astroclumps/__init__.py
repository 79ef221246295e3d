"""Giant clumps in galaxies: find, classify, measure and fit them.

Public names are loaded on first use, so that ``import astroclumps`` stays light.
"""

import typing as _typing
from importlib import import_module as _import_module

if _typing.TYPE_CHECKING:
    from astroclumps import bands as bands
    from astroclumps import catalog as catalog
    from astroclumps import plotting as plotting
    from astroclumps import plotting_3d as plotting_3d
    from astroclumps import plugins as plugins
    from astroclumps import starlight as starlight
    from astroclumps import survival as survival
    from astroclumps import weights as weights
    from astroclumps.config import conf as conf
    from astroclumps.detection.contrast import ContrastDetector as ContrastDetector
    from astroclumps.detection.unet import UNetDetector as UNetDetector
    from astroclumps.image import MultiBandImage as MultiBandImage
    from astroclumps.longevity.classifier import LongevityClassifier as LongevityClassifier
    from astroclumps.mock.imager import MockImager as MockImager
    from astroclumps.mock.sersic import SersicMocks as SersicMocks
    from astroclumps.photometry.aperture import ClumpPhotometry as ClumpPhotometry
    from astroclumps.photometry.sizes import ClumpSizes as ClumpSizes
    from astroclumps.pipeline import Pipeline as Pipeline
    from astroclumps.sed.bagpipes import BagpipesSED as BagpipesSED
    from astroclumps.sed.library import LibrarySED as LibrarySED
    from astroclumps.simulation.finder import ClumpFinder3D as ClumpFinder3D
    from astroclumps.simulation.snapshot import Snapshot as Snapshot
    from astroclumps.simulation.tracking import ClumpTracker as ClumpTracker
    from astroclumps.survey.run import run_survey as run_survey
    from astroclumps.synthetic.suite import SyntheticSuite as SyntheticSuite

    __version__: str

_LAZY = {
    "Snapshot": "simulation.snapshot",
    "ClumpFinder3D": "simulation.finder",
    "ClumpTracker": "simulation.tracking",
    "SyntheticSuite": "synthetic.suite",
    "MockImager": "mock.imager",
    "MultiBandImage": "image",
    "UNetDetector": "detection.unet",
    "ContrastDetector": "detection.contrast",
    "LongevityClassifier": "longevity.classifier",
    "ClumpPhotometry": "photometry.aperture",
    "ClumpSizes": "photometry.sizes",
    "LibrarySED": "sed.library",
    "BagpipesSED": "sed.bagpipes",
    "SersicMocks": "mock.sersic",
    "Pipeline": "pipeline",
    "run_survey": "survey.run",
    "conf": "config",
}
_MODULES = ("bands", "catalog", "plotting", "plotting_3d", "plugins", "starlight", "survival", "weights")

__all__ = ["__version__", *_LAZY, *_MODULES]


if not _typing.TYPE_CHECKING:  # a misspelt name is an error to mypy too

    def __getattr__(name):
        if name == "__version__":
            from importlib.metadata import version

            value = version("astroclumps")
        elif name in _LAZY:
            value = getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)
        elif name in _MODULES:
            value = _import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__():
    return sorted([*globals(), *__all__])
