"""Names of weights: what ``registry.toml`` says about them."""

import functools
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from ..exceptions import WeightsError

__all__ = ["Entry", "entries", "entry", "names"]

_FOLDER = Path(__file__).parent
_PATTERNS = {
    "name": re.compile(r"[a-z0-9][a-z0-9_-]*"),
    "version": re.compile(r"\d+(\.\d+)*"),
    "kind": re.compile(r"unet|cnn"),
    "file": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "licence": re.compile(r".+"),
}
_SCHEMES = ("https://", "http://", "ftp://", "file://")


class Entry(NamedTuple):
    """What the registry knows about one version of a network."""

    name: str
    """What the network saw, such as ``'unet-sersic'``."""
    version: str
    """Numbers with points between."""
    kind: str
    """``'unet'`` or ``'cnn'``."""
    file: str
    """Name of the file, in this package or below a URL."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    urls: tuple[str, ...]
    """Where it can be had, best first; may be empty."""
    licence: str
    """SPDX identifier."""
    size: int | None = None
    """Bytes; a download is cut off there. Where it is not registered, at 2 GiB."""

    @property
    def spec(self) -> str:
        """Name and version, as every function here takes them."""
        return f"{self.name}:{self.version}"

    @property
    def key(self) -> str:
        """The URL that the file has in astropy's cache."""
        return self.urls[0] if self.urls else f"https://weights.astroclumps.invalid/{self.file}"

    @property
    def bundled(self) -> Path:
        """Where the file lies if it travels in the wheel."""
        return _FOLDER / self.file


def names() -> tuple[str, ...]:
    """Names of the registered weights with their versions, sorted.

    Returns
    -------
    tuple of str
        Such as ``('cnn-example:1.0', 'unet-example:1.0')``.
    """
    return tuple(found.spec for found in entries())


def entries() -> tuple[Entry, ...]:
    """All entries of the registry, by name and version.

    Returns
    -------
    tuple of `Entry`
    """
    return _registry()[1]


def entry(spec: str, kind: str | None = None) -> Entry:
    """The entry of a name.

    Parameters
    ----------
    spec : str
        ``'default'``, a name (its latest version is taken), or ``'name:version'``.
    kind : {'unet', 'cnn'}, optional
        What the weights are needed for; ``'default'`` needs it.

    Returns
    -------
    `Entry`

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If nothing of that name and kind is registered; the message lists what is.
    """
    defaults, known = _registry()
    listed = f"registered: {[item.spec for item in known if kind in (None, item.kind)]}"
    if not isinstance(spec, str):
        raise TypeError(f"weights are named by a str or given as the path of a .safetensors file, got {type(spec).__name__}")
    wanted = spec
    if spec == "default":
        if kind not in defaults:
            if kind is None:
                raise WeightsError(f"'default' needs a kind, one of {sorted(defaults)}; or give a name: {listed}")
            raise WeightsError(f"there are no default weights for {kind!r}; {listed}")
        wanted = defaults[kind]
    name, _, version = wanted.partition(":")
    found = [item for item in known if item.name == name and version in ("", item.version)]
    if not found:
        raise WeightsError(f"no weights named {wanted!r}; {listed}; a file of your own is given by its path, ending with .safetensors")
    latest = max(found, key=lambda item: _order(item.version))
    if kind not in (None, latest.kind):
        raise WeightsError(f"weights {latest.spec!r} are a {latest.kind}, a {kind} is needed; {listed}")
    return latest


def _registry():
    path = _FOLDER / "registry.toml"
    return _parse(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _parse(path, _changed):
    with path.open("rb") as file:
        content = tomllib.load(file)
    defaults = content.pop("defaults", {})
    known = [_entry(name, fields) for name, versions in content.items() for fields in versions]
    specs = [item.spec for item in known]
    for spec in {*specs, *defaults.values()}:
        if specs.count(spec) != 1:
            raise WeightsError(f"{path}: {spec!r} is registered {specs.count(spec)} times, it must be once")
    return defaults, tuple(sorted(known, key=lambda item: (item.name, _order(item.version))))


def _entry(name, fields):
    try:
        made = Entry(name=name, **{**fields, "urls": tuple(fields["urls"])})
    except (TypeError, KeyError) as exc:
        raise WeightsError(
            f"registry: the entry {name!r} must have the fields {list(Entry._fields[1:-1])}, may have 'size', and no other: {exc}"
        ) from exc
    for field, pattern in _PATTERNS.items():
        if not (isinstance(getattr(made, field), str) and pattern.fullmatch(getattr(made, field))):
            raise WeightsError(f"registry: {name!r} has the {field} {getattr(made, field)!r}, which does not match {pattern.pattern}")
    if not all(isinstance(url, str) and url.startswith(_SCHEMES) for url in made.urls):
        raise WeightsError(f"registry: {name!r} has the urls {list(made.urls)!r}; each must begin with one of {_SCHEMES}")
    if made.size is not None and not (type(made.size) is int and made.size > 0):
        raise WeightsError(f"registry: {name!r} has the size {made.size!r}, which must be a number of bytes above 0")
    return made


def _order(version):
    return tuple(map(int, version.split(".")))
