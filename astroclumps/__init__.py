"""Giant clumps in galaxies: find, classify, measure and fit them.

Public names are loaded on first use, so that ``import astroclumps`` stays light.
"""

from importlib import import_module as _import_module

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
