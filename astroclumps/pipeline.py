"""The main job: find, classify, measure and fit the clumps of an image."""

import time
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from astropy.table import QTable

from . import catalog, plugins
from .exceptions import CatalogError, PluginError
from .image import MultiBandImage
from .photometry_grid import check_redshift

__all__ = ["STAGES", "Pipeline", "PipelineResult", "StageFailure"]

__doctest_requires__ = {("Pipeline",): ["torch", "bagpipes"]}

STAGES = {"detector": "detectors", "classifier": "classifiers", "photometry": None, "sed": "sed_backends"}
"""The stages in their order, and the kind of plugins that each takes; photometry is always the package's own."""

_DISC = 2.0  # pixels, radius of the label of a clump whose detector gives no segmentation


class PipelineResult(NamedTuple):
    """A catalogue and the maps behind it.

    Attributes
    ----------
    clumps : `~astropy.table.QTable`
        One row a clump; see `astroclumps.catalog` for the columns.
    segmentation : ndarray of int32, shape (y, x)
        0 is background; other values are the ``id`` of a clump.
    map : ndarray of float32, shape (y, x), or None
        The detector's map (probability, or signal-to-noise); None where it has none.
    image : `~astroclumps.MultiBandImage`
        The image.
    """

    clumps: QTable
    segmentation: np.ndarray
    map: np.ndarray | None
    image: MultiBandImage


class StageFailure(NamedTuple):
    """Why there is no catalogue of an image.

    Attributes
    ----------
    stage : str
        ``'detector'``, ``'classifier'``, ``'photometry'`` or ``'sed'``.
    error : Exception
    """

    stage: str
    error: Exception


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Find, classify, measure and fit the clumps of an image, each stage by a plugin chosen by name (paper sections 3-5).

    Parameters
    ----------
    detector : str, default 'unet'
        A plugin of the kind ``detectors``.
    classifier : str or None, default 'cnn'
        A plugin of the kind ``classifiers``; None leaves the classes out.
    sed : str or None, default 'library'
        A plugin of the kind ``sed_backends``; None leaves masses and ages out.
    options : mapping, optional
        Settings of the stages, such as ``{"detector": {"threshold": 0.4}, "photometry": {"radius": 4 * u.pix}}``. Stages are
        ``'detector'``, ``'classifier'``, ``'photometry'`` (`~astroclumps.ClumpPhotometry`) and ``'sed'``.

    Raises
    ------
    PluginError
        A plugin is missing or broken.
    TypeError, ValueError
        A stage or a setting is not known, or has a wrong value.

    Examples
    --------
    >>> from astroclumps import Pipeline
    >>> from astroclumps.demo import demo_image
    >>> clumps = Pipeline(sed=None).run(demo_image())
    >>> clumps.colnames[:8]
    ['id', 'x', 'y', 'score', 'n_pixels', 'p_long', 'p_long_err', 'longevity']
    """

    detector: str = "unet"
    classifier: str | None = "cnn"
    sed: str | None = "library"
    options: Mapping[str, Mapping[str, Any]] | None = field(default=None, hash=False)

    def __post_init__(self):
        if not isinstance(self.detector, str):
            raise TypeError(f"detector must be the name of a plugin, one of {list(plugins.names('detectors'))}, got {self.detector!r}")
        options = {} if self.options is None else self.options
        for stage, settings in options.items():
            if stage not in STAGES:
                raise ValueError(f"options has the stage {stage!r}; stages are {list(STAGES)}")
            if not isinstance(settings, Mapping):
                raise TypeError(f"options[{stage!r}] must map settings to values, got {settings!r}")
            if settings and stage != "photometry" and getattr(self, stage) is None:
                raise ValueError(f"options[{stage!r}] has settings, but {stage} is None")
        object.__setattr__(self, "options", {stage: dict(settings) for stage, settings in options.items()})
        _ = self.stages  # a wrong name or setting is an error here, not after an hour's work

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "stages"}

    @cached_property
    def stages(self) -> dict[str, Any]:
        """The object of each stage by its name; stages that are left out are not there."""
        from .photometry.aperture import ClumpPhotometry

        made = {}
        for stage, kind in STAGES.items():
            settings = self.options.get(stage, {})
            if kind is None:
                made[stage] = ClumpPhotometry(**settings)
            elif getattr(self, stage) is not None:
                made[stage] = plugins.create(kind, getattr(self, stage), **settings)
        return made

    def run(self, image: MultiBandImage) -> QTable:
        """Make the catalogue of an image.

        Parameters
        ----------
        image : `~astroclumps.MultiBandImage`
            With a redshift, unless ``sed`` is None and the detector does without.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            Columns of the stages ``detected``, ``classified``, ``measured`` and ``fitted``, as far as they were asked for.

        Raises
        ------
        ValueError
            The image has no redshift, or does not suit a stage.
        PluginError
            A plugin failed in a way that it should not.
        CatalogError
            A stage returned a table without its columns, with wrong units or with other clumps.

        Warns
        -----
        NoClumpsWarning
            Nothing was found; the table is empty and has all columns.
        """
        return self.run_with_maps(image).clumps

    def run_with_maps(self, image: MultiBandImage) -> PipelineResult:
        """Make the catalogue of an image and keep the detector's maps.

        Parameters
        ----------
        image : `~astroclumps.MultiBandImage`
            As in `run`.

        Returns
        -------
        result : PipelineResult
        """
        self._check(image)
        return self._rest(image, self._classify(image, self._detect(image)), _Clock({}))

    def run_many(
        self, images: Sequence[MultiBandImage], *, seconds: MutableMapping[str, float] | None = None
    ) -> list[PipelineResult | StageFailure]:
        """Make the catalogues of several images; one that fails does not stop the others.

        A detector with a method ``detect_many(images)`` and a classifier with ``classify_many(images, clumps)``, such as
        `~astroclumps.UNetDetector` and `~astroclumps.LongevityClassifier`, are given all images at once, so that a network sees full
        batches. Sums may then be rounded otherwise than in `run`: probabilities differ by some 1e-8.

        Parameters
        ----------
        images : sequence of `~astroclumps.MultiBandImage`
            As in `run`, each; all of them are in memory at once.
        seconds : mapping, optional
            To its entries ``'detector'``, ``'classifier'``, ``'photometry'`` and ``'sed'`` the time of each stage is added.

        Returns
        -------
        results : list of PipelineResult or StageFailure
            In the order of the images.
        """
        clock = _Clock({} if seconds is None else seconds)
        results: list[Any] = [_tried("detector", lambda image=image: self._check(image)) for image in images]
        results = self._step("detector", "detect_many", images, results, lambda image, _: self._detect(image), self._found)
        clock("detector")
        if self.classifier is not None:
            results = self._step(
                "classifier", "classify_many", images, results, lambda image, found: self._classify(image, found), self._classified
            )
            clock("classifier")
        for i, (image, found) in enumerate(zip(images, results, strict=True)):
            if not isinstance(found, StageFailure):
                clock.stage = "photometry"
                results[i] = _tried(None, lambda image=image, found=found: self._rest(image, found, clock), clock=clock)
        return results

    def _check(self, image):
        if not isinstance(image, MultiBandImage):
            raise TypeError(f"image must be a MultiBandImage, got {type(image).__name__}; read one with MultiBandImage.read(path)")
        if image.redshift is None and self.sed is not None:
            raise ValueError(
                f"image {image.name!r} has no redshift, which the fit of stellar populations needs; "
                "give MultiBandImage(..., redshift=1.5), or sed=None to leave the fit out"
            )
        if self.sed is not None:
            check_redshift(image.redshift)  # before the work starts

    def _rest(self, image, found, clock):
        """What follows detection and classes."""
        clumps, segmentation, source_map = found
        reached = ["detected"] if self.classifier is None else ["detected", "classified"]
        reached.append("measured")
        clock.stage = "photometry"
        clumps = self._next("photometry", reached, image, clumps, self.stages["photometry"].measure(image, clumps))
        clock("photometry")
        if self.sed is not None:
            reached.append("fitted")
            clock.stage = "sed"
            with self._border("sed"):
                fitted = self.stages["sed"].fit(clumps, redshift=image.redshift)
            clumps = self._next("sed", reached, image, clumps, fitted)
            clock("sed")
        catalog.add_history(clumps, self._history(image))
        return PipelineResult(clumps, segmentation, source_map, image)

    def _detect(self, image):
        detector = self.stages["detector"]
        detailed = getattr(detector, "detect_with_maps", None)
        with self._border("detector"):
            found = detailed(image) if detailed is not None else detector.detect(image)
        return self._found(image, None, found)

    def _found(self, image, _, found):
        """Clumps that were checked, segmentation and map, of what a detector returned: a table, or one with its maps."""
        clumps = found if isinstance(found, QTable) or not hasattr(found, "clumps") else found.clumps
        catalog.validate(clumps, "detected", who=self._who("detector"))
        if clumps is found:
            return clumps, _discs(clumps, image.data.shape[1:]), None
        return clumps, found.segmentation, found.map

    def _classify(self, image, found):
        if self.classifier is None:
            return found
        with self._border("classifier"):
            classified = self.stages["classifier"].classify(image, found[0])
        return self._classified(image, found, classified)

    def _classified(self, image, found, classified):
        return self._next("classifier", ["detected", "classified"], image, found[0], classified), *found[1:]

    def _step(self, stage, verb, images, results, one, checked):
        """A stage for all images that came so far: by one call where the plugin can, else, or where that fails, image by image."""
        todo = [i for i, result in enumerate(results) if not isinstance(result, StageFailure)]
        together = getattr(self.stages[stage], verb, None)
        made = None
        if together is not None and todo:
            given = [images[i] for i in todo]
            try:
                made = list(together(given) if stage == "detector" else together(given, [results[i][0] for i in todo]))
            except Exception:  # which image is at fault is found one by one
                made = None
        if made is None or len(made) != len(todo):
            made = None
        for k, i in enumerate(todo):
            image, before = images[i], results[i]
            if made is None:
                results[i] = _tried(stage, lambda image=image, before=before: one(image, before))
            else:
                results[i] = _tried(stage, lambda image=image, before=before, new=made[k]: checked(image, before, new))
        return results

    def _next(self, stage, reached, image, before, after):
        """The table of a stage once it was checked."""
        who = self._who(stage)
        catalog.validate(after, reached, who=who, bands=image.bands if "measured" in reached else ())
        if not np.array_equal(before["id"], after["id"]):
            raise CatalogError(f"{who}: the rows must stay; it was given id {list(before['id'])} and returned {list(after['id'])}")
        return after

    @contextmanager
    def _border(self, stage):
        """Name the plugin in errors that no plugin should let out."""
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError) as exc:
            raise PluginError(f"{self._who(stage)} failed: {type(exc).__name__}: {exc}") from exc

    def _who(self, stage):
        return "ClumpPhotometry" if stage == "photometry" else f"{stage} {getattr(self, stage)!r}"

    def _history(self, image):
        from . import __version__

        redshift = "unknown" if image.redshift is None else f"{image.redshift:g}"
        psf = "as given" if image.psf_known else "the bands' defaults"
        return f"{self!r} of astroclumps {__version__}; image {image.name!r}, bands {' '.join(image.bands)}, redshift {redshift}, PSF {psf}"


class _Clock:
    """Adds the time between two calls to the stage that ends with the second."""

    def __init__(self, seconds):
        self.seconds, self.stage, self.since = seconds, "detector", time.perf_counter()

    def __call__(self, stage):
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.since
        self.since = now


def _tried(stage, work, clock=None):
    """What the work gives, or why it gives nothing; without a stage, the one that the clock was in."""
    try:
        return work()
    except Exception as exc:
        if clock is not None:
            stage = clock.stage
            clock(stage)
        return StageFailure(stage, exc)


def _discs(clumps, shape):
    """A small disc for each clump; the first of two that overlap is on top."""
    labels = np.zeros(shape, dtype=np.int32)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for number, x, y in zip(clumps["id"][::-1], clumps["x"].value[::-1], clumps["y"].value[::-1], strict=True):
        labels[np.hypot(columns - x, rows - y) <= _DISC] = number
    return labels
