"""`GalaxySet`: noiseless mock images of simulated galaxies on disk, with the clumps that finder and tracker know in them."""

import os
from pathlib import Path

import numpy as np

from astroclumps.mock.sky import SkyModel
from astroclumps.mock.truth import square_map

from .archives import read_arrays

__all__ = ["CLUMP_COLUMNS", "IMAGE_COLUMNS", "GalaxySet", "galaxy_file", "write_galaxy"]

MIN_STARS = 10
"""Fewest stars of a clump that counts (paper section 3.1.2)."""

_BY_BAND = ("psf_fwhm", "rms", "correlation", "electrons", "galaxy_flux")
IMAGE_COLUMNS = {
    "snapshot": "int32",
    "camera": "U8",
    "redshift": "float64",
    "pixel_kpc": "float64",
    "axis_ratio": "float32",
    "inclination": "float32",
    **dict.fromkeys(_BY_BAND, "float64"),
    "disc_sfr": "float64",
    "disc_mass": "float64",
    "r_d": "float64",
    "time": "float64",
    "dust_curve": "U12",
    "dust_to_metals": "float32",
}
"""What is kept of each image, and its type; see `GalaxySet`."""

CLUMP_COLUMNS = {
    **dict.fromkeys(("x", "y", "depth"), "float32"),
    **dict.fromkeys(("id", "node", "track", "n_stars"), "int32"),
    "longevity": "U3",
    "origin": "U7",
    **dict.fromkeys(("mass", "mass_stars", "mass_gas", "sfr", "age", "radius", "r_norm"), "float32"),
    **dict.fromkeys(("t_clump", "lifetime", "t_ff_mean"), "float32"),
    **dict.fromkeys(("sf_zlc", "censored", "left_censored", "bound"), "bool"),
    "flux": "float32",
}
"""What is kept of each clump in an image, and its type; see `GalaxySet.clumps`."""


def galaxy_file(folder, galaxy) -> Path:
    """The file of a galaxy of a set.

    Examples
    --------
    >>> from astroclumps.training.galaxy_set import galaxy_file
    >>> galaxy_file("suite", 7).name
    'galaxy-007.npz'
    """
    return Path(folder) / f"galaxy-{int(galaxy):03d}.npz"


def write_galaxy(folder, galaxy, *, bands, data, images, clumps):
    """Write the images of one galaxy; the file appears when it is complete, and has the same bytes for the same numbers.

    Parameters
    ----------
    folder : path-like
        Of the set.
    galaxy : int
        Number of the galaxy.
    bands : sequence of str
        Names of the bands.
    data : array, shape (n, band, y, x)
        Noiseless images, uJy per pixel.
    images : dict
        For each of `IMAGE_COLUMNS` n values, or shape (n, band) where there is one a band.
    clumps : sequence of dict, length n
        For each image a dict of arrays, one for each of `CLUMP_COLUMNS`; ``flux`` has the shape (k, band).

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    ValueError
        Something is missing, or lengths do not fit.
    """
    bands = tuple(str(band) for band in bands)
    data = np.ascontiguousarray(data, dtype=np.float32)
    if data.ndim != 4 or data.shape[1] != len(bands) or len(clumps) != len(data):
        raise ValueError(f"{len(data)} images of {len(bands)} bands need data (n, band, y, x) and n dicts, got {data.shape}, {len(clumps)}")
    arrays = {"bands": np.array(bands), "data": data}
    for name, kind in IMAGE_COLUMNS.items():
        shape = (len(data), len(bands)) if name in _BY_BAND else (len(data),)
        arrays[name] = _column(images, name, kind, shape, "images")
    arrays["number"] = np.array([len(one["x"]) for one in clumps], dtype=np.int32)
    for name, kind in CLUMP_COLUMNS.items():
        parts = [
            _column(one, name, kind, (n, len(bands)) if name == "flux" else (n,), f"clumps of image {i}")
            for i, (one, n) in enumerate(zip(clumps, arrays["number"], strict=True))
        ]
        empty = np.empty((0, len(bands)) if name == "flux" else 0, dtype=kind)
        arrays[f"clump_{name}"] = np.concatenate([empty, *parts])
    target = galaxy_file(folder, galaxy)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        with open(partial, "wb") as handle:
            np.savez(handle, **arrays)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


class GalaxySet:
    """Mock images of simulated galaxies in memory: noiseless, with the clumps of `~astroclumps.ClumpFinder3D` and their lives.

    It can be used where a `~astroclumps.training.dataset.MockSet` can.

    Parameters
    ----------
    folder : path-like
        Written by `astroclumps.training.galaxies.make_galaxy_set` or ``astroclumps dataset``.
    galaxies : sequence of int, optional
        Read only these. Default: all in the folder.

    Attributes
    ----------
    bands : tuple of str
    source : str
        Where the galaxies come from, as model cards say it after "simulated galaxies"; empty where the folder has no recipe.
    data : ndarray of float32, shape (n, band, y, x)
        Noiseless images, uJy per pixel.
    galaxy, snapshot : int ndarray, shape (n,)
        Number of the galaxy in the set, and of the snapshot in the galaxy.
    index : int ndarray, shape (n,)
        Number of the image among those of its galaxy.
    camera : str ndarray, shape (n,)
        'cam00' to 'cam18' (`astroclumps.mock.cameras.cameras`).
    redshift : ndarray, shape (n,)
        At which the galaxy is seen; not that of its snapshot.
    pixel_kpc : ndarray, shape (n,)
        Side of a pixel at the galaxy.
    axis_ratio : ndarray, shape (n,)
        b/a of `astroclumps.mock.light_fit.fit_light` in the reddest band; NaN where the fit failed.
    inclination : ndarray, shape (n,)
        Angle between the line of sight and the axis of the disc, degrees.
    psf_fwhm, rms, correlation, electrons : ndarray, shape (n, band)
        Arcsec; pixel rms in uJy, correlation of neighbours and electrons per uJy of the sky (`astroclumps.mock.sky.SkyModel`).
    galaxy_flux : ndarray, shape (n, band)
        Light in the image, uJy.
    disc_sfr, disc_mass, r_d : ndarray, shape (n,)
        Of the disc (`astroclumps.simulation.disc`): Msun/yr over 60 Myr; gas and stars, Msun; kpc.
    time : ndarray, shape (n,)
        Clock of the simulation, Gyr.
    dust_curve, dust_to_metals : ndarray, shape (n,)
        The dust of the image.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A file is empty or cut off, of another layout, or of other bands.
    """

    def __init__(self, folder, *, galaxies=None):
        folder = Path(folder)
        files = sorted(folder.glob("galaxy-*.npz")) if galaxies is None else [galaxy_file(folder, one) for one in galaxies]
        if not files or not all(file.is_file() for file in files):
            what = ", ".join(file.name for file in files if not file.is_file()) or "galaxy-*.npz"
            raise FileNotFoundError(f"no {what} in {folder}; make a set with make_galaxy_set or 'astroclumps dataset'")
        parts = [_read(file) for file in files]
        self.source = _source(folder)
        self.bands = tuple(str(band) for band in parts[0].pop("bands"))
        for file, part in zip(files[1:], parts[1:], strict=True):
            if tuple(part.pop("bands")) != self.bands or part["data"].shape[1:] != parts[0]["data"].shape[1:]:
                raise ValueError(f"{file} has other bands or another shape than {files[0].name}; a folder holds one set")
        lengths = [len(part["data"]) for part in parts]
        joined = {}
        for name in list(parts[0]):
            joined[name] = np.concatenate([part.pop(name) for part in parts])
        number = joined.pop("number")
        joined["galaxy"] = np.repeat([int(file.stem.partition("-")[2]) for file in files], lengths)
        joined["index"] = np.concatenate([np.arange(n) for n in lengths])
        stop = np.cumsum(number, dtype=np.int64)
        self._rows = np.stack([stop - number, stop], axis=1)
        self._clumps = {name: joined.pop(f"clump_{name}") for name in CLUMP_COLUMNS}
        self._clumps["long_lived"] = (self._clumps["longevity"] == "LLC") & (self._clumps["origin"] == "in situ")
        self._names = tuple(joined)
        for name, value in joined.items():
            setattr(self, name, value)

    def __len__(self):
        return len(self.redshift)

    def __repr__(self):
        return f"<GalaxySet: {len(self)} images of {len(np.unique(self.galaxy))} galaxies, {', '.join(self.bands)}>"

    def clumps(self, i) -> dict:
        """Clumps whose centre lies in image ``i``.

        Parameters
        ----------
        i : int
            Number of the image.

        Returns
        -------
        dict of ndarray, shape (k,)
            ``x``, ``y`` (pixels), ``depth`` (kpc along the line of sight, smaller is nearer); ``id`` (in the snapshot), ``node``, ``track``
            (0 for none), ``n_stars``; ``longevity`` ('ZLC', 'SLC', 'LLC' or ''), ``origin`` ('bulge', 'in situ', 'ex situ'); ``mass``,
            ``mass_stars``, ``mass_gas`` (Msun), ``sfr`` (Msun/yr), ``age`` (Gyr), ``radius`` (kpc), ``r_norm`` (distance to the axis over
            R_d); ``t_clump``, ``lifetime``, ``t_ff_mean`` (Myr); ``sf_zlc``, ``censored``, ``left_censored``, ``bound`` (bool);
            ``long_lived`` (bool: LLC in situ); ``flux``, shape (k, band), uJy of its stars as the camera sees them, with dust.
            As the schema of `astroclumps.catalog`; views, not to be changed.
        """
        start, stop = self._rows[i]
        return {name: value[start:stop] for name, value in self._clumps.items()}

    def positives(self, i, *, sf_zlc="all") -> np.ndarray:
        """Which of the clumps of an image a detector should find (paper section 3.2.1, METHODS 3).

        Parameters
        ----------
        i : int
            Number of the image.
        sf_zlc : {'all', 'none'} or float, default 'all'
            Which zero-lifetime clumps that form stars are positives: all, none, or those with more than this part of the star formation
            of the disc (paper: 1e-3).

        Returns
        -------
        bool array, shape (k,)
            Clumps of at least 10 stars, but for the bulge and the zero-lifetime clumps that are left out.
        """
        clumps = self.clumps(i)
        zero = clumps["longevity"] == "ZLC"
        if isinstance(sf_zlc, str):
            if sf_zlc not in ("all", "none"):
                raise ValueError(f"sf_zlc must be 'all', 'none' or a part of the disc's star formation such as 1e-3, got {sf_zlc!r}")
            left_out = zero if sf_zlc == "none" else zero & ~(clumps["sfr"] > 0)
        else:
            left_out = zero & ~(clumps["sfr"] > float(sf_zlc) * self.disc_sfr[i])
        return (clumps["n_stars"] >= MIN_STARS) & (clumps["origin"] != "bulge") & ~left_out

    def sky(self, i) -> SkyModel:
        """`~astroclumps.mock.sky.SkyModel` of image ``i``."""
        return SkyModel(rms=self.rms[i], correlation=self.correlation[i], electrons_per_ujy=self.electrons[i])

    def noisy(self, i, *, seed) -> np.ndarray:
        """Image ``i`` with the noise of its own depth; the same for the same seed, also in another view of the set."""
        rng = np.random.default_rng([int(seed), int(self.galaxy[i]), int(self.index[i])])
        return self.data[i] + self.sky(i).sample(self.data.shape[-2:], rng=rng, source=self.data[i])

    def truth_map(self, i, *, sf_zlc="all") -> np.ndarray:
        """Map of the positives: 1 in a 2x2 square at each (paper section 3.2.1), else 0.

        Parameters
        ----------
        i, sf_zlc
            As in `positives`.

        Returns
        -------
        array of float32, shape (y, x)
        """
        clumps, chosen = self.clumps(i), self.positives(i, sf_zlc=sf_zlc)
        return square_map(clumps["x"][chosen], clumps["y"][chosen], self.data.shape[-2:])

    def select(self, galaxies) -> "GalaxySet":
        """The images of some galaxies.

        Parameters
        ----------
        galaxies : int or sequence of int
            Their numbers, as in ``galaxy``.

        Returns
        -------
        `GalaxySet`
            In the order of this one; ``data`` is shared where the images lie side by side, else copied.

        Raises
        ------
        ValueError
            One of them is not in the set.
        """
        wanted = np.unique(np.atleast_1d(galaxies))
        missing = np.setdiff1d(wanted, self.galaxy)
        if len(missing):
            raise ValueError(f"galaxy {missing[0]} is not in the set, which has {', '.join(map(str, np.unique(self.galaxy)))}")
        return self.subset(np.flatnonzero(np.isin(self.galaxy, wanted)))

    def subset(self, index) -> "GalaxySet":
        """Some of the images.

        Parameters
        ----------
        index : array
            Numbers of images, in any order, or a mask.

        Returns
        -------
        `GalaxySet`
        """
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp)
        if len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))) and index[0] >= 0:
            index = slice(index[0], index[0] + len(index))  # a view
        made = object.__new__(GalaxySet)
        made.source, made.bands, made._clumps, made._names = self.source, self.bands, self._clumps, self._names
        made._rows = self._rows[index]
        for name in self._names:
            setattr(made, name, getattr(self, name)[index])
        return made


def _source(folder):
    """Where the galaxies come from, in the words of model cards, from the folder's recipe; empty if nothing is known."""
    recipe = folder / "recipe.txt"
    text = recipe.read_text(encoding="utf-8") if recipe.is_file() else ""
    known = {"SyntheticSuite(": " of a synthetic suite", "SnapshotFiles(": " read from snapshots of simulations"}
    return next((words for start, words in known.items() if text.startswith(start)), "")


def _column(columns, name, kind, shape, what):
    if name not in columns:
        raise ValueError(f"{what} lack {name!r}; they need {', '.join(IMAGE_COLUMNS if what == 'images' else CLUMP_COLUMNS)}")
    values = np.asarray(columns[name])
    if values.shape != shape:
        raise ValueError(f"{name} of {what} must have the shape {shape}, got {values.shape}")
    return values.astype(kind)


def _read(file):
    part = read_arrays(file, remedy="delete it, and give the 'astroclumps dataset' command of the set once more: it makes what is missing")
    wanted = ["bands", "data", "number", *IMAGE_COLUMNS, *(f"clump_{name}" for name in CLUMP_COLUMNS)]
    missing = [name for name in wanted if name not in part]
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}: it was not written by this version of make_galaxy_set; make it anew")
    _check_shapes(file, part)
    return {name: part[name] for name in wanted}


def _check_shapes(file, part):
    """`ValueError` where arrays do not belong together."""
    number, n_bands, data = part["number"], part["bands"].size, part["data"]
    n, whole = len(data) if data.ndim else -1, number.dtype.kind in "iu" and number.ndim == 1 and (number >= 0).all()
    n_clumps = int(number.sum(dtype=np.int64)) if whole else -1
    shapes = {"bands": (n_bands,), "data": (n, n_bands, *data.shape[2:4]), "number": (n,)}
    shapes |= {name: (n, n_bands) if name in _BY_BAND else (n,) for name in IMAGE_COLUMNS}
    shapes |= {f"clump_{name}": (n_clumps, n_bands) if name == "flux" else (n_clumps,) for name in CLUMP_COLUMNS}
    wrong = [name for name, shape in shapes.items() if part[name].shape != shape]
    kinds = {"data": "f"} | IMAGE_COLUMNS | {f"clump_{name}": kind for name, kind in CLUMP_COLUMNS.items()}
    wrong += [name for name, kind in kinds.items() if part[name].dtype.kind != np.dtype(kind).kind]
    if wrong or data.ndim != 4:
        raise ValueError(
            f"{file} is damaged: {', '.join(wrong) or 'data'} of {n} images and {n_clumps} clumps in {n_bands} bands do not fit"
        )
