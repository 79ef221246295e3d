"""The checks themselves."""

import pickle
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np

from .. import catalog
from ..bands import CANDELS
from ..exceptions import CatalogError, ImageError, NoClumpsWarning, PluginError
from ..image import MultiBandImage
from ..plugins import Classifier, Detector, ImageReader, SEDBackend
from .comparison import difference, fingerprint
from .examples import CLUMPS, example_image, example_photometry, poor_images

__all__ = ["check_classifier", "check_detector", "check_image_reader", "check_sed_backend"]


def check_detector(detector: Detector, *, bands: Sequence = CANDELS) -> None:
    """Check that an object keeps the contract of detectors.

    On an image, a damaged, a blank and a fully masked one: the table has the columns and units of the stage 'detected',
    ids from 1 to n and positions inside the image; nothing found is an empty table with
    `~astroclumps.exceptions.NoClumpsWarning`; the image is left as it was; the same image gives the same table, and so
    does a pickled copy of the detector.

    Parameters
    ----------
    detector : object
        Has ``detect(image)``.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands that the detector can work on.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        At the first check that fails.

    Examples
    --------
    >>> from astroclumps.testing import check_detector
    >>> check_detector(3)
    Traceback (most recent call last):
        ...
    astroclumps.exceptions.PluginError: int has no method detect()
    """
    who = _verb(detector, "detect")
    found = {}
    for check, image in poor_images(bands).items():
        found[check] = _detect(detector, image, f"{who}, {check}")
    for check in ("blank image", "all pixels masked"):
        if len(found[check]):
            raise PluginError(f"{who}, {check}: found {len(found[check])} clumps where there are none")
    image = example_image(bands=bands)
    _repeat(who, found["galaxy with clumps"], detector, lambda one, check: _detect(one, image, f"{who}, {check}"))


def check_classifier(classifier: Classifier, *, bands: Sequence = CANDELS) -> None:
    """Check that an object keeps the contract of classifiers.

    On an image, a damaged, a blank and a fully masked one, with clumps in the middle and at the edge: rows, ids and all
    other columns are kept; ``p_long`` lies in 0 to 1 or is NaN, and ``longevity`` is 'LLC', 'SLC' or, where it is NaN,
    empty; no clumps in, no clumps out; inputs are left as they were; the same input gives the same table, and so does a
    pickled copy.

    Parameters
    ----------
    classifier : object
        Has ``classify(image, clumps)``.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands that the classifier can work on.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        At the first check that fails.
    """
    who = _verb(classifier, "classify")
    clumps = catalog.make_table("detected", 4)
    clumps["id"] = [1, 2, 3, 7]  # a table that somebody has cut
    clumps["x"] = [*(x for x, _, _ in CLUMPS), 1.0] * u.pix
    clumps["y"] = [*(y for _, y, _ in CLUMPS), 62.0] * u.pix
    clumps["score"] = 0.9
    clumps["n_pixels"] = 9
    clumps["my_column"] = ["a", "b", "c", "d"]
    catalog.add_history(clumps, "placed by astroclumps.testing")
    found = {}
    for check, image in poor_images(bands).items():
        found[check] = _classify(classifier, image, clumps, f"{who}, {check}")
    image = example_image(bands=bands)
    _classify(classifier, image, clumps[:0], f"{who}, no clumps")
    _repeat(who, found["galaxy with clumps"], classifier, lambda one, check: _classify(one, image, clumps, f"{who}, {check}"))


def check_sed_backend(backend: SEDBackend, *, bands: Sequence = CANDELS, redshift: float = 1.5) -> None:
    """Check that an object keeps the contract of SED backends; fits one clump three times.

    On a clump that lacks a band and one that has none: rows, ids and all other columns are kept; the first gets finite
    numbers with 16% <= 50% <= 84%, the second NaN and the flag ``SED_FAILED``; no clumps in, no clumps out; a redshift
    that is not finite is a `ValueError`; the input is left as it was; the same input gives the same table, and so does
    a pickled copy.

    Parameters
    ----------
    backend : object
        Has ``fit(photometry, *, redshift)``.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands that the backend can work on.
    redshift : float, optional
        Redshift of the clumps.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        At the first check that fails.
    """
    who = _verb(backend, "fit")
    photometry = example_photometry(bands=bands)
    photometry["my_column"] = ["a", "b"]
    catalog.add_history(photometry, "measured by astroclumps.testing")

    def fit(one, check, table=photometry):
        label = f"{who}, {check}"
        before = table.copy()
        made, _ = _call(label, one.fit, table, redshift=redshift)
        _untouched(label, "photometry", difference(before, table))
        _schema(label, made, "fitted", bands=bands)
        _kept(label, table, made, may_change=("flags",))
        if not np.array_equal(made["redshift"], np.full(len(made), redshift)):
            raise PluginError(f"{label}: column 'redshift' must hold the redshift given, {redshift}, got {list(made['redshift'])}")
        return made

    found = fit(backend, "two clumps")
    fit(backend, "no clumps", photometry[:0])
    for name in ("mass", "sfr", "age", "a_v"):
        low, middle, high = (np.asarray(found[f"{name}{end}"])[0] for end in ("_lo", "", "_hi"))
        if not low <= middle <= high:
            raise PluginError(f"{who}: percentiles of {name!r} must rise, got {low}, {middle}, {high}")
        failed = np.asarray(found[name])[1]
        if not np.isnan(failed):
            raise PluginError(f"{who}: column {name!r} must be NaN for a clump without any band, got {failed}")
    first, second = found["flags"]
    if not second & catalog.Flag.SED_FAILED or first & catalog.Flag.SED_FAILED:
        raise PluginError(f"{who}: flag SED_FAILED must be set where the fit failed, and only there; flags are {[first, second]}")
    if not all(flag & catalog.Flag.MISSING_BAND for flag in (first, second)):
        raise PluginError(f"{who}: flags that were set must stay set; flags are {[first, second]}")
    for bad in (float("nan"), -1.0):
        try:
            backend.fit(photometry, redshift=bad)
        except ValueError:
            continue
        except Exception as exc:
            raise PluginError(f"{who}: redshift={bad} must raise a ValueError, raised {type(exc).__name__}: {exc}") from exc
        raise PluginError(f"{who}: redshift={bad} must raise a ValueError, was taken")
    _repeat(who, found, backend, fit)


def check_image_reader(reader: ImageReader, path: Any, **options: Any) -> None:
    """Check that a function keeps the contract of image readers.

    It gives a `~astroclumps.MultiBandImage`, twice the same, also as a pickled copy; it leaves the file as it was; a
    missing file raises `FileNotFoundError` or `~astroclumps.exceptions.ImageError`, a truncated one and one that holds
    something else the latter.

    Parameters
    ----------
    reader : callable
        Takes a path.
    path : path-like
        A file that the reader can read.
    **options
        Passed to the reader.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        At the first check that fails.
    """
    who = getattr(reader, "__name__", type(reader).__name__)
    if not callable(reader):
        raise PluginError(f"{who} cannot be called; an image reader is called with a path")
    path = Path(path)
    content = path.read_bytes()
    found, _ = _call(f"{who}, a file", reader, path, **options)
    if not isinstance(found, MultiBandImage):
        raise PluginError(f"{who} must return a MultiBandImage, got {type(found).__name__}")
    if path.read_bytes() != content:
        raise PluginError(f"{who} changed the file {path}")
    for check, one in (("again", reader), ("a pickled copy", _pickled(who, reader))):
        other, _ = _call(f"{who}, {check}", one, path, **options)
        if fingerprint(other) != fingerprint(found):
            raise PluginError(f"{who}, {check}: the same file gave another image")
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder, path.name)
        _refused(f"{who}, a missing file", (ImageError, FileNotFoundError), reader, bad, **options)
        for check, damaged in (("a truncated file", content[: len(content) * 3 // 5]), ("a file of text", b"no image " * 400)):
            bad.write_bytes(damaged)
            _refused(f"{who}, {check}", ImageError, reader, bad, **options)


def _detect(detector, image, label):
    before = fingerprint(image)
    found, warned = _call(label, detector.detect, image)
    _untouched(label, "image", fingerprint(image) != before)
    _schema(label, found, "detected")
    if list(found["id"]) != list(range(1, len(found) + 1)):
        raise PluginError(f"{label}: column 'id' must run from 1 to {len(found)}, got {list(found['id'])}")
    for name, size in (("x", image.data.shape[2]), ("y", image.data.shape[1])):
        outside = [float(value) for value in found[name].value if not -0.5 <= value <= size - 0.5]
        if outside:
            raise PluginError(f"{label}: column {name!r} must lie between -0.5 and {size - 0.5}, inside the image, got {outside}")
    if "sky" in found.colnames and len(found):
        away = found["sky"].separation(image.sky(found["x"].value, found["y"].value)).max()
        if not away < 0.01 * image.pixel_scale:
            raise PluginError(f"{label}: column 'sky' is up to {away.to(u.arcsec):.3g} away from (x, y)")
    if warned != (len(found) == 0):
        raise PluginError(
            f"{label}: NoClumpsWarning must be given when nothing was found, and only then; "
            f"{len(found)} clumps were found and it was {'' if warned else 'not '}given"
        )
    return found


def _classify(classifier, image, clumps, label):
    image_before, before = fingerprint(image), clumps.copy()
    made, _ = _call(label, classifier.classify, image, clumps)
    _untouched(label, "image", fingerprint(image) != image_before)
    _untouched(label, "table", difference(before, clumps))
    _schema(label, made, "classified")
    _kept(label, clumps, made)
    for p_long, longevity in zip(np.asarray(made["p_long"]), made["longevity"], strict=True):
        if not (np.isnan(p_long) or 0 <= p_long <= 1):
            raise PluginError(f"{label}: column 'p_long' must lie between 0 and 1 or be NaN, got {p_long}")
        if longevity not in (("",) if np.isnan(p_long) else ("LLC", "SLC")):
            raise PluginError(f"{label}: column 'longevity' is {str(longevity)!r} where p_long is {p_long}")
    return made


def _verb(plugin, verb):
    who = type(plugin).__name__
    if isinstance(plugin, type):
        raise PluginError(f"{plugin.__name__} is a class; make an object of it first: {plugin.__name__}()")
    if not callable(getattr(plugin, verb, None)):
        raise PluginError(f"{who} has no method {verb}()")
    return who


def _call(label, function, *args, **options):
    """The result, and whether `NoClumpsWarning` was given; other warnings stay inside."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **options)
        except Exception as exc:  # a plugin border
            raise PluginError(f"{label}: raised {type(exc).__name__}: {exc}") from exc
    return result, any(issubclass(warning.category, NoClumpsWarning) for warning in caught)


def _refused(label, errors, function, *args, **options):
    names = " or ".join(error.__name__ for error in (errors if isinstance(errors, tuple) else (errors,)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(*args, **options)
        except errors:
            return
        except Exception as exc:
            raise PluginError(f"{label}: must raise {names}, raised {type(exc).__name__}: {exc}") from exc
    raise PluginError(f"{label}: must raise {names}, was read")


def _schema(label, table, stage, **options):
    try:
        catalog.validate(table, stage, who=label, **options)
    except CatalogError as exc:
        raise PluginError(str(exc)) from exc
    history = table.meta.get("history", [])
    if not (isinstance(history, list) and all(isinstance(line, str) for line in history)):
        raise PluginError(f"{label}: meta['history'] must be a list of str, got {history!r}")


def _kept(label, before, after, may_change=()):
    """Rows, columns and history of the input are still there."""
    if len(before) != len(after):
        raise PluginError(f"{label}: {len(before)} rows went in, {len(after)} came out; a row that fails gets NaN and a flag")
    lost = [name for name in before.colnames if name not in after.colnames]
    if lost:
        raise PluginError(f"{label}: lost the columns {lost}")
    rest = [name for name in before.colnames if name not in may_change]
    changed = difference(before[rest], after[rest], meta=False)
    if changed:
        raise PluginError(f"{label}: must add columns to a copy and keep the others, changed {changed}")
    history = before.meta.get("history", [])
    if after.meta.get("history", [])[: len(history)] != history:
        raise PluginError(f"{label}: lost lines of meta['history']")


def _untouched(label, what, changed):
    if changed:
        raise PluginError(f"{label}: changed the {what} it was given{'' if changed is True else f': {changed}'}")


def _repeat(who, found, plugin, run):
    for check, copy in (("the same input again", None), ("a pickled copy", _pickled)):
        one = copy(who, plugin) if copy else plugin
        changed = difference(found, run(one, check), meta=False)
        if changed:
            raise PluginError(f"{who}, {check}: gave another table: {changed}; same input and seed must give the same bytes")


def _pickled(who, plugin):
    try:
        return pickle.loads(pickle.dumps(plugin))
    except Exception as exc:
        raise PluginError(f"{who} cannot be pickled, so it cannot be sent to a worker: {exc}") from exc
