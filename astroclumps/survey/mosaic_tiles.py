"""Images of mosaics on disk, of which only the part that is asked for is read.

Uncompressed FITS is memory-mapped for the time of a read: no file stays open and the memory of a process does not grow. Tile-compressed
FITS stays open, a bounded number of files a process, and its tiles are read singly. Files compressed as a whole are kept in memory.
"""

import hashlib
import mmap
import os
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..exceptions import ImageError
from ..fits_io import celestial_wcs, image_hdu, open_fits

__all__ = ["Tile", "close_files", "header_digest", "open_tile"]

_MOST_OPEN = 64  # tile-compressed files open in a process
_MOST_WHOLE = 64  # decompressed images in the memory of a process
_FITS_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

_lock = threading.RLock()
_handles: OrderedDict = OrderedDict()
_images: OrderedDict = OrderedDict()


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One image of a mosaic: where its pixels lie in a file, and what its header says. No file is open in it.

    Attributes
    ----------
    path : `~pathlib.Path`
    stamp : (int, int)
        Size in bytes and time of change of the file when it was first looked at.
    kind : str
        ``'plain'`` (memory-mapped), ``'tiles'`` (tile-compressed) or ``'whole'`` (compressed as a whole).
    extension : int
    shape : (int, int)
        Rows and columns.
    header : `~astropy.io.fits.Header`
        That of the image, with what only the primary header states.
    wcs : `~astropy.wcs.WCS` or None
        Celestial.
    offset : int
        First byte of the pixels of a plain file.
    bitpix : int
        Type of the pixels of a plain file.
    scaling : (float, float, int or None)
        BSCALE, BZERO and BLANK of a plain file.
    names : tuple of str
        All extensions of the file.
    """

    path: Path
    stamp: tuple[int, int]
    kind: str
    extension: int
    shape: tuple[int, int]
    header: object
    wcs: object
    offset: int
    bitpix: int
    scaling: tuple
    names: tuple[str, ...]

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Pixels of a part that lies inside.

        Parameters
        ----------
        rows, columns : slice
            With ends, without steps.

        Returns
        -------
        array of float, shape (row, column)
            float32 where the file is float32, else float64; NaN where integers are blank.

        Raises
        ------
        ImageError
            If the file is gone, was changed since it was first looked at, or is damaged.
        """
        if _stamp(self.path) != self.stamp:
            raise ImageError(f"{self.path} was changed while it was in use; begin again with a new Mosaics")
        try:
            data = getattr(self, f"_{self.kind}")(rows, columns)
        except (OSError, ValueError, TypeError, IndexError, KeyError, AttributeError, EOFError) as exc:
            if isinstance(exc, ImageError):
                raise
            raise ImageError(f"{self.path} has unreadable pixels in extension {self.extension}: {exc}") from exc
        return data.astype(np.float32 if data.dtype.kind == "f" and data.dtype.itemsize == 4 else float)

    def _plain(self, rows, columns):
        dtype = np.dtype(_FITS_TYPES[self.bitpix])
        width = self.shape[1] * dtype.itemsize
        first = self.offset + rows.start * width
        start = first - first % mmap.ALLOCATIONGRANULARITY
        last = first + (rows.stop - rows.start) * width
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), last - start, offset=start, access=mmap.ACCESS_READ) as window:
            raw = np.frombuffer(window, dtype=dtype, count=(rows.stop - rows.start) * self.shape[1], offset=first - start)
            data = raw.reshape(-1, self.shape[1])[:, columns].astype(dtype.newbyteorder("="))  # a copy
            del raw  # or the map could not be closed
        return self._scaled(data)

    def _scaled(self, data):
        scale, zero, blank = self.scaling
        hidden = data == blank if blank is not None and data.dtype.kind in "iu" else None
        if scale != 1 or zero != 0:
            data = data.astype(float) * scale + zero
        if hidden is not None and hidden.any():
            data = np.where(hidden, np.nan, data)
        return data

    def _tiles(self, rows, columns):
        with _lock:
            hdus = _kept(_handles, (str(self.path), self.stamp), lambda: _opened(self.path), _MOST_OPEN)
            return np.asarray(hdus[self.extension].section[rows, columns])

    def _whole(self, rows, columns):
        with _lock:
            image = _kept(_images, (str(self.path), self.stamp, self.extension), self._image, _MOST_WHOLE)
        return image[rows, columns]

    def _image(self):
        with open_fits(self.path, whole=False) as hdus:  # one pass: to go back in such a file is to decompress it again
            image = np.array(hdus[self.extension].data)
        image = image.astype(image.dtype.newbyteorder("="), copy=False)
        image.flags.writeable = False
        return image


def open_tile(path, *, names=("SCI",)) -> Tile:
    """Look at the headers of a file and find its image.

    Parameters
    ----------
    path : path-like
        FITS file, plain or compressed.
    names : sequence of str, optional
        Names of the extension; the first image else. Default ``('SCI',)``.

    Returns
    -------
    Tile
        Kept in the process until the file changes.

    Raises
    ------
    ImageError
        If the file is missing, damaged or shorter than its headers announce, or holds no image in two dimensions.
    """
    path = Path(path)
    return _tile(path, _stamp(path), tuple(names))


@lru_cache(maxsize=1024)
def _tile(path, stamp, names):
    from astropy.io import fits

    with open_fits(path, whole=False) as hdus:
        hdu = image_hdu(hdus, path, ndim=2, names=names)
        header = hdu.header.copy()
        if hdu is not hdus[0]:
            header.extend(hdus[0].header, unique=True, strip=True)
        with open(path, "rb") as file:
            plain = file.read(6) == b"SIMPLE"
        kind = "whole" if not plain else "tiles" if isinstance(hdu, fits.CompImageHDU) else "plain"
        offset = hdu.fileinfo()["datLoc"] if kind == "plain" else 0
        extension, listed = list(hdus).index(hdu), tuple(one.name for one in hdus)
        bitpix, scaling = hdu.header["BITPIX"], (hdu.header.get("BSCALE", 1), hdu.header.get("BZERO", 0), hdu.header.get("BLANK"))
        if kind == "plain" and bitpix not in _FITS_TYPES:
            raise ImageError(f"{path} has BITPIX = {bitpix}, which FITS does not know")
        shape = tuple(int(side) for side in hdu.shape)
        wcs = celestial_wcs(header, path)
    if kind == "plain":
        end = offset + shape[0] * shape[1] * abs(bitpix) // 8
        if stamp[0] < end:
            raise ImageError(f"{path} is truncated: {stamp[0]} bytes, but its headers announce {end}")
    return Tile(
        path=path, stamp=stamp, kind=kind, extension=extension, shape=shape, header=header, wcs=wcs, offset=offset, bitpix=bitpix,
        scaling=scaling, names=listed,
    )  # fmt: skip


def header_digest(path) -> str:
    """sha256 of all headers of a file; its pixels are not read, unless the file is compressed as a whole.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    path = Path(path)
    return _digest(path, _stamp(path))


@lru_cache(maxsize=1024)
def _digest(path, stamp):
    from astropy.io import fits

    total = hashlib.sha256()
    open_tile(path)  # what is no FITS file is told in the usual words
    with fits.open(path, memmap=False, lazy_load_hdus=True, disable_image_compression=True) as hdus:
        for hdu in hdus:
            total.update(hdu.header.tostring().encode())
    return total.hexdigest()


def close_files() -> None:
    """Close the files that this process keeps open and forget decompressed images."""
    with _lock:
        while _handles:
            _handles.popitem()[1].close()
        _images.clear()


def _kept(cache, key, make, most):
    """What is kept under a key, made where it is not; the least recently used one goes."""
    if key in cache:
        cache.move_to_end(key)
        return cache[key]
    cache[key] = made = make()
    while len(cache) > most:
        _, old = cache.popitem(last=False)
        if hasattr(old, "close"):
            old.close()
    return made


def _opened(path):
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        return fits.open(path, memmap=False, lazy_load_hdus=True)


def _stamp(path):
    try:
        found = os.stat(path)
    except OSError as exc:
        raise ImageError(f"no file {path}" if isinstance(exc, FileNotFoundError) else f"{path}: {exc.strerror}") from exc
    return found.st_size, found.st_mtime_ns


def _after_fork():
    """A child shares the places in its parent's open files, so it opens its own; the parent may hold the lock."""
    global _lock
    _lock = threading.RLock()
    _handles.clear()  # without closing: the parent reads on


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
