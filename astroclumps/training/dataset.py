"""Data sets of noiseless mocks on disk: made in parallel, resumable, the same bytes for the same seed."""

import logging
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from astroclumps.mock.sky import SkyModel
from astroclumps.npz_files import read_npz_arrays

from .archives import read_arrays

__all__ = ["MockSet", "make_mock_set"]

log = logging.getLogger(__name__)

PART = 250
"""Images in one file."""

_CLUMP_COLUMNS = ("x", "y", "long_lived", "mass", "uv_ratio", "radius", "age", "sfr")


def _file(folder, number):
    return Path(folder) / f"mocks-{number:05d}.npz"


def _make_part(folder, number, count, mocks):
    first = number * PART
    items = [mocks.mock(first + i) for i in range(count)]
    clumps = {k: np.concatenate([m.clumps[k] for m in items]) for k in _CLUMP_COLUMNS}
    target = _file(folder, number)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    with open(partial, "wb") as handle:
        np.savez(
            handle,
            data=np.stack([m.data for m in items]),
            rms=np.array([m.sky.rms for m in items]),
            correlation=np.array([m.sky.correlation for m in items]),
            electrons=np.array([m.sky.electrons_per_ujy for m in items]),
            psf_fwhm=np.array([m.psf_fwhm for m in items]),
            redshift=np.array([m.redshift for m in items]),
            galaxy_flux=np.array([m.galaxy["flux"] for m in items]),
            number=np.array([len(m.clumps["x"]) for m in items]),
            clump_flux=np.concatenate([m.clumps["flux"] for m in items]),
            **{f"clump_{k}": v for k, v in clumps.items()},
        )
    partial.replace(target)
    return number


def make_mock_set(folder, mocks, *, n_images, n_jobs=1, progress=False):
    """Write mocks 0 to ``n_images - 1`` of a generator to a folder.

    Parts that exist are kept, so that an interrupted call goes on where it stopped. About 115 kB an image of 64x64x7.

    Parameters
    ----------
    folder : path-like
        Made if it does not exist.
    mocks : `~astroclumps.mock.sersic.SersicMocks`
        The generator.
    n_images : int
        Number of images.
    n_jobs : int, default 1
        Processes.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    mock_set : MockSet
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "recipe.txt"
    recipe = repr(mocks)
    if stamp.exists() and stamp.read_text() != recipe:
        raise ValueError(f"{folder} holds mocks of {stamp.read_text()}, not of {recipe}; choose another folder")
    stamp.write_text(recipe)
    parts = [(i, min(PART, n_images - i * PART)) for i in range(-(-n_images // PART))]
    missing = [(i, n) for i, n in parts if not _complete(_file(folder, i), n)]
    log.info("making %d of %d parts in %s, about %.1f GB in all", len(missing), len(parts), folder, n_images * 1.2e-4)
    bar = _bar(len(missing), "mock parts", progress)
    if n_jobs == 1:
        for i, n in missing:
            _make_part(folder, i, n, mocks)
            bar.update()
    elif missing:
        with ProcessPoolExecutor(n_jobs) as pool:
            for job in as_completed([pool.submit(_make_part, folder, i, n, mocks) for i, n in missing]):
                job.result()
                bar.update()
    bar.close()
    return MockSet(folder, n_images=n_images)


def _bar(total, label, progress):
    from tqdm import tqdm

    return tqdm(total=total, desc=label, disable=not progress)


def _complete(path, count):
    if not path.exists():
        return False
    try:
        return len(read_npz_arrays(path, ["number"])["number"]) >= count
    except ValueError as exc:
        raise ValueError(f"{exc}; {_REMEDY}") from exc


_REMEDY = "delete it, and give the command 'astroclumps train' that made it once more"


def _check(file, part):
    """`ValueError` where arrays are missing or do not belong together."""
    data, number = part.get("data", np.zeros(0)), part.get("number", np.zeros(0))
    whole = number.ndim == 1 and number.dtype.kind in "iu" and (number >= 0).all()
    n, n_clumps = (len(data) if data.ndim == 4 else -1), (int(number.sum(dtype=np.int64)) if whole else -1)
    shapes = {"data": data.shape, "number": (n,), "redshift": (n,), "clump_flux": (n_clumps, *data.shape[1:2])}
    shapes |= dict.fromkeys(("rms", "correlation", "electrons", "psf_fwhm", "galaxy_flux"), (n, *data.shape[1:2]))
    shapes |= {f"clump_{name}": (n_clumps,) for name in _CLUMP_COLUMNS}
    wrong = [name for name, shape in shapes.items() if name not in part or part[name].shape != shape or part[name].dtype.kind not in "fiub"]
    if wrong or min(n, n_clumps) < 0:
        raise ValueError(f"{file} is damaged: {', '.join(wrong) or 'data'} are missing or do not fit together; {_REMEDY}")


class MockSet:
    """Mocks of a folder in memory.

    Parameters
    ----------
    folder : path-like
        Written by `make_mock_set`.
    n_images : int, optional
        Use only the first so many.

    Attributes
    ----------
    data : ndarray of float32, shape (n, band, y, x)
        Noiseless images, uJy per pixel.
    rms, correlation, electrons, psf_fwhm, galaxy_flux : ndarray, shape (n, band)
    redshift : ndarray, shape (n,)
    """

    def __init__(self, folder, *, n_images=None):
        files = sorted(Path(folder).glob("mocks-*.npz"))
        if not files:
            raise FileNotFoundError(f"no mocks-*.npz in {folder}; make them with make_mock_set or 'astroclumps train'")
        arrays, have = [], 0
        for file in files:
            arrays.append(read_arrays(file, remedy=_REMEDY))
            _check(file, arrays[-1])
            have += len(arrays[-1]["number"])
            if n_images is not None and have >= n_images:
                break
        n = have if n_images is None else min(n_images, have)
        joined = {k: np.concatenate([a[k] for a in arrays]) for k in arrays[0]}
        self._first = np.concatenate([[0], np.cumsum(joined.pop("number"))])
        self._clumps = {k.removeprefix("clump_"): joined.pop(k) for k in list(joined) if k.startswith("clump_")}
        for name, value in joined.items():
            setattr(self, name, value[:n])

    def __len__(self):
        return len(self.redshift)

    def clumps(self, i):
        """True clumps of image ``i``: dict of arrays x, y, long_lived, mass, uv_ratio, radius, age, sfr, flux."""
        part = slice(self._first[i], self._first[i + 1])
        return {k: v[part] for k, v in self._clumps.items()}

    def sky(self, i):
        """`~astroclumps.mock.sky.SkyModel` of image ``i``."""
        return SkyModel(rms=self.rms[i], correlation=self.correlation[i], electrons_per_ujy=self.electrons[i])

    def noisy(self, i, *, seed):
        """Image ``i`` with noise of its own depth: the same for the same seed."""
        return self.data[i] + self.sky(i).sample(self.data.shape[-2:], rng=np.random.default_rng([seed, i]), source=self.data[i])

    def truth_map(self, i):
        """Binary map with a 2x2 square at each clump: the four pixels nearest to it (paper section 3.2.1), (y, x)."""
        out = np.zeros(self.data.shape[-2:], dtype=np.float32)
        clumps = self.clumps(i)
        for x, y in zip(clumps["x"], clumps["y"], strict=True):
            row, column = int(np.floor(y)), int(np.floor(x))
            out[max(row, 0) : max(row + 2, 0), max(column, 0) : max(column + 2, 0)] = 1
        return out
