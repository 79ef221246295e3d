"""FITS files, opened so that damage is an error, and metadata kept in them exactly."""

import json
import lzma
import os
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .exceptions import AstroclumpsWarning, ImageError
from .fits_structure import check_structure

__all__ = ["celestial_wcs", "image_hdu", "listing", "metadata_hdu", "open_fits", "pixels", "read_metadata"]

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@contextmanager
def open_fits(path, *, whole=True):
    """Open a FITS file and make sure that all of it is there.

    Parameters
    ----------
    path : path-like
        The file, plain or compressed.
    whole : bool, optional
        Look for truncation, which reads a compressed file to its end. Default True; False where only headers are wanted and the file
        is opened again later.

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
        hdus = _opened(path, whole)
    except ImageError:
        raise
    except (
        *_DAMAGE,
        fits.VerifyError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as exc:
        raise ImageError(f"{path} cannot be read as FITS: {' '.join(str(exc).split()) or type(exc).__name__}") from exc
    with hdus, quiet_fits():
        try:
            yield hdus
        except ImageError:
            raise
        except Exception as exc:
            if not isinstance(exc, (*_DAMAGE, fits.VerifyError)) and not _inside_fits(exc):
                raise
            raise ImageError(f"{path} cannot be read as FITS: {' '.join(str(exc).split()) or type(exc).__name__}") from exc


@contextmanager
def quiet_fits():
    """Around reading FITS: what astropy remarks on headers is not passed on; damage is an error, and the rest changes no number."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore", over="ignore"):  # signalling NaN, pixels beyond float32
        warnings.filterwarnings("ignore", module=r"astropy\.io\.fits")
        yield


def _inside_fits(exc):
    """Whether an error comes from within astropy's reader, which damaged headers can make fail anywhere."""
    trace = exc.__traceback__
    if isinstance(exc, AttributeError) and type(exc.obj).__module__.startswith("astropy.io.fits"):
        return True  # an extension that is neither image nor table
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("astropy.io.fits"):
            return not isinstance(exc, MemoryError)
        trace = trace.tb_next
    return False


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
    keys = [key.rstrip(" ") + r"\u0020" * (len(key) - len(key.rstrip(" "))) for key in keys]  # FITS drops blanks at the end of text
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
    try:
        rows = hdus[name].data
        return {json.loads(f'"{row["KEY"]}"'): json.loads(row["VALUE"]) for row in rows}
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, RecursionError) as exc:
        raise ImageError(f"{hdus.filename()}: extension {name} is damaged: {exc}") from exc


def _encode(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _opened(path, whole):
    """All headers read, and the length that they announce compared with what is there."""
    from astropy.io import fits

    check_structure(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hdus = fits.open(path, memmap=False, lazy_load_hdus=not whole)
    try:
        damage = [str(warning.message) for warning in caught if "corrupted" in str(warning.message)]
        if damage:
            raise ImageError(f"{path} is truncated or damaged: {' '.join(damage[0].split())}")
        if not whole:
            return hdus
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


def image_hdu(hdus, path, *, ndim, names=("SCI",)):
    """Find the image of a file: the named extension, else the first that holds pixels.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        An open file.
    path : path-like
        File, for messages.
    ndim : int
        Dimensions the image must have.
    names : sequence of str, optional
        EXTNAMEs to prefer. Default ``('SCI',)``.

    Returns
    -------
    HDU
        One with pixels in ``ndim`` dimensions.

    Raises
    ------
    ImageError
        If there is none.
    """
    named = [hdu for hdu in hdus if hdu.name in names]
    found = named[:1] or [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) > 0][:1]
    if not found:
        raise ImageError(f"{path} holds no image; its extensions are {listing(hdus)}")
    hdu = found[0]
    if not hdu.is_image:
        raise ImageError(f"{path} has a table in extension {hdu.name}, where pixels are needed")
    if len(hdu.shape) != ndim or 0 in hdu.shape:
        shape = "no pixels" if 0 in hdu.shape or not hdu.shape else f"the shape {hdu.shape}"
        raise ImageError(f"{path} has {shape} in extension {hdu.name or 'PRIMARY'}; {ndim} dimensions are needed")
    return hdu


def pixels(hdu, path, where=...):
    """Pixels of an image extension in native byte order, all or a part.

    Parameters
    ----------
    hdu : HDU
        The image.
    path : path-like
        File, for messages.
    where : (slice, slice), optional
        Rows and columns to read from an image in two dimensions; other rows are not loaded. Default: all.

    Returns
    -------
    float array
        float32 where the file is float32, else float64.
    """
    try:
        if where is ...:
            data = np.asarray(hdu.data)
        else:  # whole rows are one read; a compressed file would be rewound for each further one
            rows, columns = where
            data = np.asarray(hdu.section[rows, :])[:, columns]
    except (ValueError, TypeError, IndexError, AttributeError, KeyError) as exc:
        raise ImageError(f"{path} has unreadable pixels in extension {hdu.name or 'PRIMARY'}: {exc}") from exc
    if data.dtype.kind not in "iufb":
        raise ImageError(f"{path} has pixels of type {data.dtype} in extension {hdu.name or 'PRIMARY'}; numbers are needed")
    with np.errstate(invalid="ignore"):  # signalling NaN
        return data.astype(np.float32 if data.dtype.itemsize == 4 and data.dtype.kind == "f" else float)


def celestial_wcs(header, path):
    """Celestial WCS of a header.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Header of an image.
    path : path-like
        File, for messages.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        Of the two celestial axes; None if the header has none.
    """
    from astropy.wcs import WCS, FITSFixedWarning

    if not any(str(header.get(f"CTYPE{axis}", "")).strip() for axis in (1, 2)):
        return None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(header)
            if not wcs.has_celestial:
                return None
            wcs = wcs.celestial
            wcs.wcs.set()
    except (ValueError, TypeError, KeyError, AttributeError, MemoryError) as exc:
        raise ImageError(f"{path} has an unreadable WCS: {' '.join(str(exc).split())}") from exc
    for one in caught:
        warnings.warn(f"{path}: the WCS may be wrong: {' '.join(str(one.message).split())}", AstroclumpsWarning, stacklevel=3)
    return wcs


def listing(hdus) -> str:
    """Names and shapes of the extensions of a file, for messages."""
    return ", ".join(f"{hdu.name or 'PRIMARY'} {hdu.shape if hdu.is_image else 'table'}" for hdu in hdus)
