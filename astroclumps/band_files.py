"""Which file holds which band, and which holds its weights."""

import os
import re
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bands as _bands
from .exceptions import ImageError
from .fits_io import image_hdu, open_fits

if TYPE_CHECKING:
    from astroclumps.bands import Band

__all__ = ["image_files", "short", "weight_files"]

_SUFFIXES = (".fits", ".fits.gz", ".fit", ".fit.gz", ".fits.bz2", ".fits.fz")
_WEIGHT = re.compile(r"(?i)(?<=[_.-])(wht|weight|weights|ivar)(?=[_.-])")
_SCIENCE = re.compile(r"(?i)(?<=[_.-])(sci|drz|drc)(?=[_.-])")
_FILTER = re.compile(r"(?i)(?<![a-z0-9])f\d{3,4}(?:w2|lp|[wmn])(?![a-z0-9])")


def image_files(path: Any, *, bands: "Sequence[str | Band] | None" = None) -> dict[str, Path]:
    """Find the image file of each band.

    Parameters
    ----------
    path : mapping, sequence, folder, glob pattern or path-like
        As in `astroclumps.io.read_bands`. Weight files among them are left out.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order.

    Returns
    -------
    dict of str to `~pathlib.Path`
        By band; in the order of ``bands``, else in that of a mapping or sequence, else by wavelength.

    Raises
    ------
    ImageError
        If there are no files, a band cannot be told, stands twice, contradicts the header, or is missing.
    """
    files, ordered = _files(path)
    found = _with_bands(files, bands)
    if bands is None and not ordered:
        found = dict(sorted(found.items(), key=lambda item: _bands.get(item[0]).pivot))
    return found


def weight_files(weights: Any, files: Any) -> dict:
    """Find the weight file of each band.

    Parameters
    ----------
    weights : mapping, sequence, False or None
        As in `astroclumps.io.read_bands`.
    files : dict of str to `~pathlib.Path`
        Image files by band.

    Returns
    -------
    dict of str to `~pathlib.Path`, None or False
        By band; None where no file is known, so that the image file's own extension is looked for; False for no weights.
    """
    names = list(files)
    if weights is False:
        return dict.fromkeys(names, False)
    if weights is None:
        return {band: _beside(files[band]) for band in names}
    if isinstance(weights, Mapping):
        given = {_bands.get(band).name: Path(file) for band, file in weights.items()}
    else:
        weights = [Path(file) for file in weights]
        if len(weights) != len(files):
            raise ImageError(f"{len(weights)} weight files were given for {len(files)} images")
        given = dict(zip(files, weights, strict=True))
    missing = [band for band in names if band not in given]
    if missing:
        raise ImageError(f"no weight file for {', '.join(missing)}; give one for each band, or weights=False")
    return {band: given[band] for band in names}


def short(path: str | os.PathLike) -> str:
    """What the caller named, for messages."""
    if isinstance(path, (str, os.PathLike)):
        return str(path)
    return ", ".join(str(one) for one in (path.values() if isinstance(path, Mapping) else path))


def _files(path):
    """Mapping or list of paths, and whether their order was chosen by the caller."""
    if isinstance(path, Mapping):
        if not path:
            raise ImageError("no files were given")
        return {_bands.get(band).name: Path(file) for band, file in path.items()}, True
    if not isinstance(path, (str, os.PathLike)):
        found = [Path(one) for one in path]
        ordered = True
    elif Path(path).is_dir():
        found = sorted(file for file in Path(path).iterdir() if file.name.lower().endswith(_SUFFIXES))
        ordered = False
    elif Path(path).is_file():
        return [Path(path)], True
    else:
        found = sorted(Path(file) for file in glob(str(path)))
        ordered = False
    science = [file for file in found if not _WEIGHT.search(file.name)]
    if not science:
        raise ImageError(f"no image files in {short(path)!r}; found {', '.join(file.name for file in found) or 'nothing'}")
    return science, ordered


def _with_bands(files, bands):
    """Band to path; refuses a band that stands twice or contradicts the header."""
    result = {}
    for file in files:
        stated = file if isinstance(files, Mapping) else None
        file = files[file] if stated else file
        with open_fits(file, whole=False) as hdus:
            headers = [image_hdu(hdus, file, ndim=2).header, hdus[0].header]
            band = _band_of(file, headers, stated, optional=bands is not None)
        if band is None:
            continue
        if band in result:
            raise ImageError(f"two files hold the band {band}: {result[band]} and {file}; give one, or a mapping of band to file")
        result[band] = file
    if bands is not None:
        wanted = _bands.names(bands)
        missing = [band for band in wanted if band not in result]
        if missing or not wanted:
            raise ImageError(f"no file for the bands {', '.join(missing)}; there are files for {', '.join(result) or 'no known band'}")
        result = {band: result[band] for band in wanted}
    return result


def _band_of(file, headers, stated, optional):
    found = None
    for header in headers:
        for key in ("FILTER", "FILTER1", "FILTER2"):
            text = str(header.get(key, "")).strip()
            if found is None and _FILTER.search(text):
                found = (text, str(header.get("INSTRUME", "")).strip(), str(header.get("DETECTOR", "")).strip())
    if found is not None:
        text, instrument, detector = found
        try:
            band = _bands.get(text)
        except ValueError:
            band = None
        if band is not None and instrument and not band.instrument.upper().startswith(instrument.upper().split("_")[0]):
            band = None
        if band is None or detector.upper() == "UVIS":
            if optional and stated is None:
                return None
            raise ImageError(
                f"{file} is in the filter {' '.join((*found[1:], text)).strip()}, which is none of the known bands; give bands"
            )
        if stated is not None and band.name != stated:
            raise ImageError(f"{file} was given as {stated}, but its header says {band.name}")
        return band.name
    if stated is not None:
        return stated
    names = {match.upper() for match in _FILTER.findall(file.name.replace("_", "-"))}
    known = sorted(name for name in names if name in {band.name for band in _bands.CANDELS + _bands.NIRCAM + _bands.NIRCAM_MEDIUM})
    if len(names) == 1 and known:
        return known[0]
    if optional and names:
        return None
    raise ImageError(
        f"the band of {file} is neither in its header (FILTER, FILTER1, FILTER2) nor in its name; give a mapping of band to file"
    )


def _beside(file):
    if not _SCIENCE.search(file.name):
        return None
    other = file.with_name(_SCIENCE.sub("wht", file.name))
    plain = other.name.removesuffix(".gz")
    return next((one for one in (other, other.with_name(plain), other.with_name(f"{plain}.gz")) if one.is_file()), None)
