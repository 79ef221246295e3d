"""Parts that can be exchanged, found by name through entry points.

A kind of plugin is an entry-point group ``astroclumps.<kind>``; the parts that come with the package use the same
groups. `names` reads the metadata of the installed packages and imports nothing, `load` imports one plugin, `create`
makes one ready for use. A plugin that is missing, claimed twice or broken raises
`~astroclumps.exceptions.PluginError` with the name of the package it came from and the cause.
"""

import functools
import inspect
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from .exceptions import PluginError

if TYPE_CHECKING:
    from astropy.table import QTable

    from .image import MultiBandImage
    from .simulation.snapshot import Snapshot

__all__ = [
    "KINDS",
    "Classifier",
    "Detector",
    "ImageReader",
    "Plugin",
    "SEDBackend",
    "SimulationReader",
    "create",
    "load",
    "names",
    "table",
]


class _Kind(NamedTuple):
    noun: str
    verb: str | None  # the method that the contract asks for; None where the plugin is a function


_KINDS = {
    "detectors": _Kind("detector", "detect"),
    "classifiers": _Kind("classifier", "classify"),
    "sed_backends": _Kind("SED backend", "fit"),
    "simulation_readers": _Kind("simulation reader", None),
    "image_readers": _Kind("image reader", None),
}

#: The kinds of plugins; the entry-point group of a kind is ``astroclumps.<kind>``.
KINDS = tuple(_KINDS)


@runtime_checkable
class Detector(Protocol):
    """The contract of ``detectors``: image in, table of the stage 'detected' out."""

    def detect(self, image: "MultiBandImage") -> "QTable": ...


@runtime_checkable
class Classifier(Protocol):
    """The contract of ``classifiers``: adds the columns of the stage 'classified' to a copy of ``clumps``."""

    def classify(self, image: "MultiBandImage", clumps: "QTable") -> "QTable": ...


@runtime_checkable
class SEDBackend(Protocol):
    """The contract of ``sed_backends``: adds the columns of the stage 'fitted' to a copy of ``photometry``."""

    def fit(self, photometry: "QTable", *, redshift: float) -> "QTable": ...


@runtime_checkable
class ImageReader(Protocol):
    """The contract of ``image_readers``: a function from a path to an image."""

    def __call__(self, path: Any, **options: Any) -> "MultiBandImage": ...


@runtime_checkable
class SimulationReader(Protocol):
    """The contract of ``simulation_readers``: a function from a path to a snapshot."""

    def __call__(self, path: Any, **options: Any) -> "Snapshot": ...


class Plugin(NamedTuple):
    """What the metadata of an installed package says about one plugin; nothing of it is imported."""

    kind: str
    """One of `KINDS`."""
    name: str
    """What it is asked for by."""
    distribution: str
    """Name and version of the package that brings it."""
    value: str
    """Where the object lives, as ``module:object``."""


def names(kind: str) -> tuple[str, ...]:
    """Names of the installed plugins of a kind, sorted; imports none of them.

    Parameters
    ----------
    kind : str
        One of `KINDS`.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> from astroclumps import plugins
    >>> plugins.names("detectors")
    ('contrast', 'unet')
    """
    return tuple(sorted({point.name for point in _points(kind)}))


def load(kind: str, name: str) -> Any:
    """Import one plugin and return the class or function it names.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str
        One of ``names(kind)``.

    Returns
    -------
    object

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        If no package brings the plugin, two packages do, or the import fails.
    """
    return _load(_point(kind, name), kind)


def create(kind: str, name: str, **options: Any) -> Any:
    """Make a plugin ready for use: an object with the verb of its kind, or a reader.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str
        One of ``names(kind)``.
    **options
        Settings: keyword arguments of the class. For a reader that is a function they are bound to it.

    Returns
    -------
    object
        Has the method ``detect``, ``classify`` or ``fit``; a reader can be called with a path.

    Raises
    ------
    `~astroclumps.exceptions.PluginError`
        If the plugin is missing, claimed twice, broken on import, or lacks the method of its kind.
    TypeError
        If an option is not one of the plugin's settings; the message lists them.

    Examples
    --------
    >>> from astroclumps import plugins
    >>> plugins.create("detectors", "contrast", n_sigma=3.0).n_sigma
    3.0
    """
    point = _point(kind, name)
    target = _load(point, kind)
    label = _label(point, kind)
    noun, verb = _KINDS[kind]
    if not callable(target):
        raise PluginError(f"{label} is {type(target).__name__}, not a class or a function")
    _check_options(target, options, f"{noun} {name!r}", called=verb is None and not inspect.isclass(target))
    if verb is None and not inspect.isclass(target):
        return functools.partial(target, **options) if options else target
    made = target(**options)
    if verb is None:
        if not callable(made):
            raise PluginError(f"{label} makes an object that cannot be called; a {noun} is called with a path")
    elif not callable(getattr(made, verb, None)):
        raise PluginError(f"{label} makes {type(made).__name__}, which has no method {verb}(); a {noun} needs one")
    return made


def table() -> list[Plugin]:
    """All installed plugins, by kind and name; imports none of them.

    Returns
    -------
    list of `Plugin`
        A name that two packages claim is listed once for each.

    Examples
    --------
    >>> from astroclumps import plugins
    >>> [row.name for row in plugins.table() if row.kind == "sed_backends"]
    ['bagpipes', 'library']
    """
    return [
        Plugin(kind, point.name, _distribution(point), point.value)
        for kind in KINDS
        for point in sorted(_points(kind), key=lambda point: (point.name, _distribution(point), point.value))
    ]


def _points(kind):
    if kind not in _KINDS:
        raise ValueError(f"no kind of plugin named {kind!r}; the kinds are {list(KINDS)}")
    return list(metadata.entry_points(group=f"astroclumps.{kind}"))


def _point(kind, name):
    points = _points(kind)
    found = [point for point in points if point.name == name]
    noun = _KINDS[kind].noun
    if not found:
        raise PluginError(f"no {noun} named {name!r}; installed: {sorted({point.name for point in points})}")
    if len(found) > 1:
        claims = ", ".join(sorted(f"{_distribution(point)} ({point.value})" for point in found))
        raise PluginError(f"{noun} {name!r} is claimed twice: {claims}; uninstall one")
    return found[0]


def _load(point, kind):
    try:
        return point.load()
    except Exception as exc:  # a plugin border: whatever the plugin raises is its own fault
        cause = str(exc) or type(exc).__name__
        raise PluginError(f"{_label(point, kind)} failed to load: {cause}") from exc


def _check_options(target, options, label, *, called):
    """Raise an error for an unknown option; ``called`` with a path, whose parameter is no setting."""
    try:
        signature = inspect.signature(target)
    except ValueError:  # compiled code without a signature: the call itself will tell
        return
    known = list(signature.parameters.values())
    path = known[0].name if called and known and known[0].kind is known[0].POSITIONAL_OR_KEYWORD else None
    if path not in options and any(parameter.kind is parameter.VAR_KEYWORD for parameter in known):
        return
    allowed = [parameter.name for parameter in known if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)]
    allowed = [name for name in allowed if name != path]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        settings = f"its settings are {allowed}" if allowed else "it has none"
        raise TypeError(f"{label} has no setting {', '.join(map(repr, unknown))}; {settings}")


def _label(point, kind):
    return f"{_KINDS[kind].noun} {point.name!r} from {_distribution(point)} ({point.value})"


def _distribution(point):
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
