"""Which files are the bands of one image."""

import os
from glob import glob
from pathlib import Path

from astroclumps import bands as _bands
from astroclumps.exceptions import ImageError

from .names import VelaName, parse_name

__all__ = ["band_files", "band_of"]

_INSTRUMENTS = {"acs": "ACS", "wfc3": "WFC3/IR", "nircam": "NIRCam", "nc": "NIRCam"}
_CHOICES = ("galaxy", "camera", "scale_factor", "version", "dust")


def band_files(path, *, bands=None, **choice) -> tuple[dict[str, Path], VelaName | None]:
    """Find the file of each band of one galaxy, camera and scale factor.

    Parameters
    ----------
    path : path-like, glob pattern, folder or sequence of paths
        A folder is searched with all folders below it, for images of the release only.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order. A single file whose name is not one of the release needs its band here.
    **choice
        ``galaxy``, ``camera``, ``scale_factor``, ``version`` or ``dust``: leave out files with other ones.

    Returns
    -------
    files : dict of str to `~pathlib.Path`
        By band, ordered by wavelength where ``bands`` is not given.
    name : `VelaName` or None
        Of the first file; None for a single file with a name of its own.

    Raises
    ------
    ImageError
        If there are no files, files of several images, two of one band, or a filter that the package does not know.
    """
    wanted = None if bands is None else _bands.names(bands)
    found = _candidates(path)
    if len(found) == 1 and found[0][1] is None:
        file = found[0][0]
        if wanted is None or len(wanted) != 1:
            raise ImageError(f"{file} has a name that states no band; give bands, such as bands=['F606W']")
        return {wanted[0]: file}, None
    chosen = [(file, name) for file, name in found if all(_matches(getattr(name, key), choice.get(key)) for key in _CHOICES)]
    if not chosen:
        asked = ", ".join(f"{key}={choice[key]!r}" for key in _CHOICES if choice.get(key) is not None)
        raise ImageError(f"no image with {asked} among {_groups(name for _, name in found)}")
    groups = {name.group for _, name in chosen}
    if len(groups) > 1:
        differ = [key for i, key in enumerate(_CHOICES) if len({group[i] for group in groups}) > 1]
        raise ImageError(
            f"the files are of {len(groups)} images: {_groups(name for _, name in chosen)}; choose one with {', '.join(differ)}"
        )
    files = _by_band(chosen, wanted)
    if wanted is None:
        order = sorted(files, key=lambda band: _bands.get(band).pivot)
    else:
        missing = [band for band in wanted if band not in files]
        if missing or not wanted:
            raise ImageError(f"no file for the bands {', '.join(missing)}; there are files for {', '.join(files) or 'no known band'}")
        order = wanted
    return {band: files[band] for band in order}, chosen[0][1]


def band_of(name: VelaName, file) -> str:
    """Band of a file by its name; `ImageError` if the package does not know it."""
    instrument = _INSTRUMENTS.get(name.instrument)
    try:
        band = _bands.get(name.filter)
    except ValueError:
        band = None
    if band is None or band.instrument != instrument:
        raise ImageError(
            f"{file} is in the filter {name.instrument.upper()} {name.filter.upper()}, which is none of the known bands; "
            "give bands, those to keep"
        )
    return band.name


def _candidates(path):
    """Files and their names; a file with a name of its own only where it is the only one."""
    if isinstance(path, (str, os.PathLike)):
        given = Path(path)
        if given.is_dir():
            named = [(file, _name(file)) for file in sorted(given.rglob("*.fits*")) if file.is_file()]
            named = [(file, name) for file, name in named if name is not None and name.product == "sim"]
            if not named:
                raise ImageError(f"no files named hlsp_vela_..._sim.fits in the folder {given}")
            return named
        files = [given] if given.is_file() else sorted(Path(file) for file in glob(str(path)))
        if not files:
            raise ImageError(f"no file {path}")
    else:
        files = [Path(one) for one in path]
        if not files:
            raise ImageError("no files were given")
    named = [(file, _name(file)) for file in files]
    if len(named) > 1:
        strange = [str(file) for file, name in named if name is None]
        if strange:
            raise ImageError(f"{', '.join(strange)}: no names of images of the release; read such files one by one")
    return named


def _name(file):
    try:
        name = parse_name(file)
    except ImageError:
        return None
    return name if name.product in ("sim", "candelized") else None


def _matches(value, wanted):
    if wanted is None:
        return True
    if isinstance(wanted, str) and isinstance(value, int):
        wanted = wanted.lower().removeprefix("vela").removeprefix("cam")
        return wanted.isdigit() and int(wanted) == value
    if isinstance(value, float):
        try:
            return abs(value - float(str(wanted).removeprefix("a"))) < 5e-4
        except ValueError:
            raise ImageError(f"scale_factor must be a number such as 0.41, got {wanted!r}") from None
    return value == wanted


def _groups(names):
    labels = sorted({f"{name.label} {name.version}{f'-{name.dust}' if name.dust else ''}" for name in names})
    return ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")


def _by_band(chosen, wanted):
    files = {}
    for file, name in chosen:
        try:
            band = band_of(name, file)
        except ImageError:
            if wanted is None:
                raise
            continue
        if band in files:
            raise ImageError(f"two files hold the band {band}: {files[band]} and {file}")
        files[band] = file
    return files
