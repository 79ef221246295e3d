"""Which files hold which band of mosaics, of which there may be several tiles a band."""

import os
from collections.abc import Mapping
from glob import glob
from pathlib import Path

from .. import bands as _bands
from ..band_files import _SUFFIXES, _WEIGHT, _band_of, _beside, _files
from ..exceptions import ImageError
from .mosaic_tiles import open_tile

__all__ = ["absolute", "tile_files", "tile_weights"]


def absolute(files):
    """The same files, whatever the folder a worker runs in.

    Parameters
    ----------
    files : mapping, sequence, folder, pattern, path-like, bool or None

    Returns
    -------
    Of the same form, with absolute paths as str.
    """
    if files is None or isinstance(files, bool):
        return files
    if isinstance(files, (str, os.PathLike)):
        return os.path.abspath(files)
    if isinstance(files, Mapping):
        return {_bands.get(band).name: absolute(value) for band, value in files.items()}
    return [absolute(one) for one in files]


def tile_files(files, *, bands=None) -> dict[str, tuple[Path, ...]]:
    """Find the tiles of each band.

    Parameters
    ----------
    files : mapping, sequence, folder, glob pattern or path-like
        As in `astroclumps.io.read_bands`, but several files may hold one band; in a mapping each value is a file, a pattern or a
        sequence of files.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order.

    Returns
    -------
    dict of str to tuple of `~pathlib.Path`
        In the order of ``bands``, else in that of a mapping or sequence, else by wavelength.

    Raises
    ------
    ImageError
        If there are no files, a file's band cannot be told or contradicts its header, or a band is missing.
    """
    listed: list[tuple[str | None, Path]]
    if isinstance(files, Mapping):
        listed = [(_bands.get(band).name, file) for band, value in files.items() for file in _expanded(value)]
        ordered = True
        if not listed:
            raise ImageError("no files of mosaics were given")
    else:
        found, ordered = _files(files)
        listed = [(None, file) for file in found]
    wanted = None if bands is None else _bands.names(bands)
    result: dict[str, list[Path]] = {}
    for stated, file in listed:
        if stated is not None and wanted is not None and stated not in wanted:
            continue
        band = _band_of(file, [open_tile(file).header], stated, optional=wanted is not None)
        if band is not None:
            result.setdefault(band, []).append(file)
    if wanted is not None:
        missing = [band for band in wanted if band not in result]
        if missing or not wanted:
            raise ImageError(f"no mosaic of the bands {', '.join(missing)}; there are files for {', '.join(result) or 'no known band'}")
        result = {band: result[band] for band in wanted}
    elif not ordered:
        result = dict(sorted(result.items(), key=lambda item: _bands.get(item[0]).pivot))
    return {band: tuple(tiles) for band, tiles in result.items()}


def tile_weights(weights, tiles) -> dict[str, tuple]:
    """Find the weights of each tile.

    Parameters
    ----------
    weights : mapping, sequence, False or None
        As in `astroclumps.io.read_bands`; for several tiles a band, a mapping of band to files or pattern in the order of the tiles.
    tiles : dict of str to sequence of `~pathlib.Path`
        From `tile_files`.

    Returns
    -------
    dict of str to tuple of `~pathlib.Path`, None or False
        A value a tile: None where no file is known, so that the tile's own extension is looked for; False for no weights.

    Raises
    ------
    ImageError
        If a tile has no file, or there are more files than tiles.
    """
    if weights is False:
        return {band: (False,) * len(files) for band, files in tiles.items()}
    if weights is None:
        return {band: tuple(_beside(file) for file in files) for band, files in tiles.items()}
    if isinstance(weights, Mapping):
        given = {_bands.get(band).name: _expanded(value) for band, value in weights.items()}
    elif isinstance(weights, (str, os.PathLike)):
        raise ImageError("weights must be a mapping of band to file, a sequence of files, or False")
    else:
        listed = [Path(file) for file in weights]
        n_files = sum(len(files) for files in tiles.values())
        if len(listed) != n_files:
            raise ImageError(f"{len(listed)} weight files were given for {n_files} mosaics")
        left = iter(listed)
        given = {band: [next(left) for _ in files] for band, files in tiles.items()}
    for band, files in tiles.items():
        if len(given.get(band, ())) != len(files):
            raise ImageError(
                f"{len(given.get(band, ()))} weight files for the {len(files)} mosaics of {band}; give one for each, or weights=False"
            )
    return {band: tuple(given[band]) for band in tiles}


def _expanded(value) -> list[Path]:
    """Paths of a file, a pattern, a folder or a sequence; weights are left out of patterns unless nothing else is there."""
    if not isinstance(value, (str, os.PathLike)):
        return [Path(one) for one in value]
    if Path(value).is_dir():
        found = sorted(file for file in Path(value).iterdir() if file.name.lower().endswith(_SUFFIXES))
    elif Path(value).is_file() or not any(mark in str(value) for mark in "*?["):
        return [Path(value)]
    else:
        found = sorted(Path(file) for file in glob(str(value)))
    if not found:
        raise ImageError(f"no files fit {str(value)!r}")
    return [file for file in found if not _WEIGHT.search(file.name)] or found
