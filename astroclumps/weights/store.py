"""From a name to a file whose sha256 is the registered one.

`resolve` looks at a local path, astropy's cache, the copy in the wheel and the URLs, in this order, and hashes what it
finds at every step: the cache is transport, not trust.
"""

import atexit
import http.client
import logging
import os
import urllib.error
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from ..exceptions import WeightsError
from ..whole_files import write_whole
from . import files
from .download import fetch
from .registry import entries, entry, names

__all__ = ["Check", "card", "export", "import_file", "load", "resolve", "verify", "verify_all"]

log = logging.getLogger(__name__)

_PACKAGE = "astroclumps"  # names the folder inside astropy's cache


class Check(NamedTuple):
    """One place where a registered file was looked for."""

    spec: str
    """Name and version."""
    place: str
    """``'wheel'`` or ``'cache'``."""
    path: Path | None
    """`None` where there is no file."""
    ok: bool
    """True where the file has the registered sha256."""
    message: str
    """What is there, in a sentence."""


def resolve(spec: str | os.PathLike, kind: str | None = None) -> Path:
    """The path of a weights file; that of a registered name has the registered sha256.

    A registered file is looked for in astropy's cache, in the wheel, below ``conf.weights_mirrors`` and at its
    registered URLs. A copy in the cache that was altered is replaced by the next good one, or removed.

    Parameters
    ----------
    spec : str or path-like
        ``'default'``, ``'name'``, ``'name:version'``, or a path that ends with ``.safetensors``.
    kind : {'unet', 'cnn'}, optional
        What the weights are needed for; ``'default'`` needs it.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If the name is unknown, the file is nowhere to be had, or the copy in the wheel or a download has another
        sha256 than the registered one; the message gives both.
    """
    local = _local_path(spec)
    if local is not None:
        _check_local(local)
        return local
    found = entry(cast(str, spec), kind)
    cached = _from_cache(found)
    if cached is not None:
        return cached
    try:
        return _from_wheel(found) or _from_urls(found)
    except WeightsError:
        _clear_altered(found)
        raise


def load(spec: str | os.PathLike, *, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and the model card of a network.

    Parameters
    ----------
    spec : str or path-like
        ``'default'``, ``'name'``, ``'name:version'``, or a path that ends with ``.safetensors``.
    kind : {'unet', 'cnn'}
        What the weights are needed for.

    Returns
    -------
    tensors : dict of str to `~numpy.ndarray`
    card : dict
        The keys are in `CARD_KEYS`.

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If the file cannot be had or read, or holds a network of the other kind.
    """
    path = resolve(spec, kind)
    tensors, found = files.read(path)
    if found["kind"] != kind:
        raise WeightsError(f"{path} holds a {found['kind']} ({found['name']} {found['version']}), a {kind} is needed")
    return tensors, found


def card(spec: str | os.PathLike, kind: str | None = None) -> dict[str, Any]:
    """The model card of a network: bands, training set, held-out scores, licence and the like.

    Parameters
    ----------
    spec : str or path-like
        ``'default'``, ``'name'``, ``'name:version'``, or a path that ends with ``.safetensors``.
    kind : {'unet', 'cnn'}, optional
        ``'default'`` needs it.

    Returns
    -------
    dict
        The keys are in `CARD_KEYS`.
    """
    return files.read_card(resolve(spec, kind))


def verify(spec: str) -> list[Check]:
    """Hash the copies of a registered file on this machine; downloads and removes nothing.

    Parameters
    ----------
    spec : str
        ``'name'`` or ``'name:version'``.

    Returns
    -------
    list of `Check`
        One for the wheel and one for the cache.
    """
    found = entry(spec)
    return [_check(found, "wheel", found.bundled), _check(found, "cache", _cached(found))]


def verify_all() -> list[Check]:
    """Hash the copies of all registered files on this machine; downloads and removes nothing.

    Returns
    -------
    list of `Check`
    """
    return [row for spec in names() for row in verify(spec)]


def import_file(path: str | os.PathLike) -> str:
    """Add a registered file to the cache, for a machine that cannot download it.

    Parameters
    ----------
    path : path-like
        A file whose sha256 is a registered one; its name does not matter.

    Returns
    -------
    str
        The name under which it can be used from now on, as ``'name:version'``.

    Raises
    ------
    `~astroclumps.exceptions.WeightsError`
        If the file is not one of the registered ones, or the cache cannot be written.
    """
    from astropy.utils.data import import_file_to_cache

    path = _expanded(path)
    _check_local(path)
    digest = files.sha256(path)
    for found in entries():
        if found.sha256 == digest:
            try:
                import_file_to_cache(found.key, str(path), pkgname=_PACKAGE)
            except OSError as exc:
                way_out = "let XDG_CACHE_HOME name a folder that can be written and has space, or use the file by its path"
                raise WeightsError(f"cannot write {found.spec!r} into the cache: {exc}; {way_out}") from exc
            return found.spec
    registered = ", ".join(f"{found.spec} {found.sha256}" for found in entries())
    raise WeightsError(f"{path} has sha256 {digest}, which is not registered; registered: {registered or 'nothing'}; use it by its path")


def export(spec: str, path: str | os.PathLike, *, kind: str | None = None, overwrite: bool = False) -> Path:
    """Copy a weights file, to carry it to another machine.

    Parameters
    ----------
    spec : str
        ``'default'``, ``'name'`` or ``'name:version'``.
    path : path-like
        The file to write, or a folder that exists.
    kind : {'unet', 'cnn'}, optional
        ``'default'`` needs it.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    `~pathlib.Path`
        The file that was written.
    """
    source = resolve(spec, kind)
    local = _local_path(spec)
    target = _expanded(path)
    if target.is_dir():
        target = target / (local.name if local is not None else entry(spec, kind).file)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; give overwrite=True to replace it")
    data = source.read_bytes()
    write_whole(target, lambda partial: partial.write_bytes(data))
    return target


def _local_path(spec):
    return _expanded(spec) if isinstance(spec, os.PathLike) or str(spec).endswith(".safetensors") else None


def _expanded(path):
    try:
        return Path(path).expanduser()
    except RuntimeError as exc:  # the home of somebody who is not there
        raise WeightsError(f"there is no weights file {path}: {exc}") from exc


def _check_local(path):
    try:
        if not path.is_file():
            raise WeightsError(f"there is no weights file {path}")
    except (OSError, ValueError) as exc:  # a name too long, or with a NUL in it
        raise WeightsError(f"there is no weights file {str(path)!r}: {exc}") from exc


def _cached(found):
    """The copy in the cache, good or bad, or None; never connects."""
    from astropy.utils.data import download_file

    try:
        return Path(download_file(found.key, cache=True, sources=[], pkgname=_PACKAGE))
    except (KeyError, OSError):
        return None


def _from_cache(found):
    path = _cached(found)
    if path is None:
        return None
    try:
        digest = files.sha256(path)
    except OSError as exc:
        log.warning("cannot read weights %s in the cache: %s", found.spec, exc)
        return None
    if digest == found.sha256:
        return path
    log.warning("weights %s in the cache are altered: sha256 %s, registered %s", found.spec, digest, found.sha256)
    return None


def _clear_altered(found):
    """Remove an altered copy from the cache; another process may have put a good one there meanwhile, which stays."""
    path = _cached(found)
    try:
        if path is not None and files.sha256(path) != found.sha256:
            _clear(found)
    except OSError as exc:
        log.warning("cannot read weights %s in the cache: %s", found.spec, exc)


def _clear(found):
    from astropy.utils.data import clear_download_cache

    try:
        clear_download_cache(found.key, pkgname=_PACKAGE)
    except OSError as exc:
        log.warning("cannot remove the altered weights %s from the cache: %s", found.spec, exc)


def _from_wheel(found):
    path = found.bundled
    if not path.is_file():
        return None
    check = _check(found, "wheel", path)
    if not check.ok:
        raise WeightsError(f"{check.message}; reinstall astroclumps")
    return _into_cache(found, path)


def _into_cache(found, path):
    """The copy in the cache of a file that was checked; the file itself where the cache cannot be written."""
    from astropy.utils.data import import_file_to_cache

    try:
        # another process may have put the same file there, and be reading it: leave that one
        copy = Path(import_file_to_cache(found.key, str(path), pkgname=_PACKAGE, replace=False))
        if files.sha256(copy) != found.sha256:
            # in one step, without a moment in which others find nothing
            data = path.read_bytes()
            write_whole(copy, lambda partial: partial.write_bytes(data))
        if files.sha256(copy) == found.sha256:
            return copy
    except OSError as exc:
        log.info("weights %s stay outside the cache, which cannot be written: %s", found.spec, exc)
    return path


def _from_urls(found):
    from ..config import conf

    mirrored = [f"{mirror.rstrip('/')}/{found.file}" for mirror in conf.weights_mirrors]
    failures = []
    for url in dict.fromkeys([*mirrored, *found.urls]):
        try:
            path = fetch(url, limit=found.size or files.MAX_FILE)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            failures.append(f"{url}: {exc}")
            if isinstance(exc, urllib.error.HTTPError):  # it is an open response, too
                exc.close()
            continue
        digest = files.sha256(path)
        if digest == found.sha256:
            kept = _into_cache(found, path)
            if kept == path:
                atexit.register(path.unlink, missing_ok=True)
            else:
                path.unlink()
            return kept
        path.unlink()
        failures.append(f"{url}: downloaded a file with sha256 {digest}, registered is {found.sha256}; deleted it")
    tried = "; ".join(failures) or "no URL is registered and conf.weights_mirrors is empty"
    raise WeightsError(f"weights {found.spec!r} are neither in the cache nor in the package, and no source has them: {tried}")


def _check(found, place, path):
    if path is None or not path.is_file():
        return Check(found.spec, place, None, False, f"weights {found.spec!r} are not in the {place}")
    try:
        digest = files.sha256(path)
    except OSError as exc:
        return Check(found.spec, place, path, False, f"weights {found.spec!r} in {path} cannot be read: {exc}")
    if digest != found.sha256:
        return Check(found.spec, place, path, False, f"weights {found.spec!r} in {path} have sha256 {digest}, registered is {found.sha256}")
    return Check(found.spec, place, path, True, f"sha256 {digest}")
