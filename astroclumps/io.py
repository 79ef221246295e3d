"""Images from FITS files, whatever their layout.

Readers are plugins of the kind ``image_readers``: functions ``read(path, **options)`` that return a `~astroclumps.MultiBandImage`.
Built in are ``cube`` (`read_cube`), ``folklore`` (`read_folklore`) and ``bands`` (`read_bands`).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .band_io import read_bands
from .cube_io import read_cube, read_folklore, write_cube
from .exceptions import ImageError, PluginError
from .fits_io import image_hdu, listing, open_fits
from .image import MultiBandImage

__all__ = ["detect_format", "read", "read_bands", "read_cube", "read_folklore", "write_cube"]


def read(path: Any, *, format: str | None = None, **options: Any) -> MultiBandImage:
    """Read an image.

    Parameters
    ----------
    path : path-like, glob pattern, folder, sequence or mapping of paths
        What the reader takes.
    format : str, optional
        Name of an image reader. Default: `detect_format`.
    **options
        Passed to the reader.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Raises
    ------
    ImageError
        If a file is missing, damaged or of no known layout.
    PluginError
        If there is no reader of that name, or it returns something else.
    """
    from . import plugins

    name = detect_format(path) if format is None else format
    image = plugins.load("image_readers", name)(path, **options)
    if not isinstance(image, MultiBandImage):
        raise PluginError(f"image reader {name!r} must return a MultiBandImage, got {type(image).__name__}")
    return image


def detect_format(path: Any) -> str:
    """Name the built-in reader that fits a path, by content.

    Parameters
    ----------
    path : path-like, glob pattern, folder, sequence or mapping of paths
        A mapping, sequence, folder or pattern means one file a band.

    Returns
    -------
    str
        ``'cube'``, ``'folklore'`` or ``'bands'``.

    Examples
    --------
    >>> from astroclumps import io
    >>> io.detect_format({"F606W": "v.fits", "F160W": "h.fits"})
    'bands'
    """
    if isinstance(path, Mapping) or not isinstance(path, (str, os.PathLike)):
        return "bands"
    if not Path(path).is_file() and (Path(path).is_dir() or any(mark in str(path) for mark in "*?[")):
        return "bands"
    with open_fits(path) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) > 0]
        ndim = len(images[0].shape) if images else 0
        if "SCI" in hdus and hdus["SCI"].is_image:
            ndim = len(hdus["SCI"].shape)
        if ndim == 2:
            return "bands"
        if ndim == 3:
            header = image_hdu(hdus, path, ndim=3).header
            if "BAND0" in header:
                return "cube"
            if "FILTER1" in header:
                return "folklore"
        raise ImageError(
            f"{path} has no known layout: a cube names its bands as BAND0, BAND1, ... or FILTER1, FILTER2, ... in its header; found "
            f"{listing(hdus)}; name the reader with format='cube', 'folklore', 'bands' or that of a plugin"
        )
