"""FITS files, opened so that damage is an error, and metadata kept in them exactly."""

import json
import lzma
import os
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .exceptions import ImageError

__all__ = ["metadata_hdu", "open_fits", "read_metadata"]

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)


@contextmanager
def open_fits(path):
    """Open a FITS file and make sure that all of it is there.

    Parameters
    ----------
    path : path-like
        The file, plain or compressed.

    Yields
    ------
    `~astropy.io.fits.HDUList`
        Data are read on access. Damage found inside the ``with`` block is reported in the same way.

    Raises
    ------
    ImageError
        If the file is missing, empty, not FITS, truncated, or cannot be read; the message names it and the reason.
    """
    from astropy.io import fits

    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path} is not a file" if path.exists() else f"no file {path}")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes)")
    try:
        hdus = _opened(path)
    except (*_DAMAGE, fits.VerifyError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError) as exc:
        raise exc if isinstance(exc, ImageError) else ImageError(f"{path} cannot be read as FITS: {exc}") from exc
    with hdus:
        try:
            yield hdus
        except (*_DAMAGE, fits.VerifyError) as exc:
            raise ImageError(f"{path} cannot be read as FITS: {exc}") from exc


def metadata_hdu(meta, name="META"):
    """A table of keys and JSON values, so that text and floats of any length come back as they were.

    Parameters
    ----------
    meta : mapping
        Keys to values that JSON knows; others are stored as their str.
    name : str, optional
        EXTNAME. Default ``'META'``.

    Returns
    -------
    `~astropy.io.fits.BinTableHDU`
    """
    from astropy.io import fits

    keys = [json.dumps(str(key))[1:-1] for key in meta]
    values = [json.dumps(value, default=_encode) for value in meta.values()]
    columns = []
    for label, texts in (("KEY", keys), ("VALUE", values)):
        width = max([len(text) for text in texts], default=1) or 1
        columns.append(fits.Column(label, f"{width}A", array=np.array(texts, dtype=f"S{width}")))
    return fits.BinTableHDU.from_columns(columns, name=name)


def read_metadata(hdus, name="META"):
    """Read what `metadata_hdu` wrote.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        An open file.
    name : str, optional
        EXTNAME. Default ``'META'``.

    Returns
    -------
    dict
        Empty if the file has no such extension.
    """
    if name not in hdus:
        return {}
    rows = hdus[name].data
    try:
        return {json.loads(f'"{row["KEY"]}"'): json.loads(row["VALUE"]) for row in rows}
    except (KeyError, TypeError, ValueError) as exc:
        raise ImageError(f"{hdus.filename()}: extension {name} is damaged: {exc}") from exc


def _encode(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _opened(path):
    """All headers read, and the length that they announce compared with what is there."""
    from astropy.io import fits

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hdus = fits.open(path, memmap=False, lazy_load_hdus=False)
    try:
        damage = [str(warning.message) for warning in caught if "corrupted" in str(warning.message)]
        if damage:
            raise ImageError(f"{path} is truncated or damaged: {' '.join(damage[0].split())}")
        info = hdus[-1].fileinfo()
        expected = info["datLoc"] + info["datSpan"]
        info["file"].seek(0, os.SEEK_END)  # a compressed stream is read to its end here, which checks it
        length = info["file"].tell()
        if length < expected:
            raise ImageError(f"{path} is truncated: {length} bytes, but its headers announce {expected}")
    except BaseException:
        hdus.close()
        raise
    return hdus
