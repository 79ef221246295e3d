"""Data sets of simulated galaxies: simulate or read, find, track, render and cut, one file a galaxy."""

import logging
import os
import time
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from .galaxy_images import GalaxyImages
from .galaxy_set import GalaxySet, galaxy_file, write_galaxy
from .galaxy_sources import as_source

__all__ = ["estimate", "make_galaxy_set"]

log = logging.getLogger(__name__)

_SEEN = 10.5  # of 19 cameras, those whose images are kept, about
_SECONDS = 4.0, 2.5  # a snapshot with 300,000 stars: making, finding and tracking it; imaging it


def make_galaxy_set(
    folder, source, *, seed, n_jobs=1, executor: Executor | None = None, galaxies=None, progress=False, **settings
) -> GalaxySet:  # fmt: skip
    """Make mock images of simulated galaxies with the truth of finder and tracker.

    Galaxies whose file is there are kept, so that an interrupted call goes on where it stopped. The same seed gives the same bytes, with
    any number of processes and galaxies.

    Parameters
    ----------
    folder : path-like
        Made if it does not exist. Its ``recipe.txt`` says what it holds; another recipe is refused.
    source : `~astroclumps.SyntheticSuite`, `~astroclumps.training.galaxy_sources.SnapshotFiles`, or alike
        Has a length and the methods ``name(i)`` and ``snapshots(i)``, which yields the snapshots of a galaxy in the order of time;
        ``n_snapshots(i)`` is needed for the estimate and where not all snapshots are imaged.
    seed : int
        Of cameras, redshifts, point-spread functions, skies and dust; the source has its own.
    n_jobs : int, default 1
        Processes; each works on one galaxy at a time, in one thread where there are several.
    executor : `concurrent.futures.Executor`, optional
        Does the galaxies instead of ``n_jobs`` processes, such as a dask cluster's ``Client.get_executor()``; its workers see the same
        folder. It is not shut down. The bytes are the same.
    galaxies : sequence of int, optional
        Make only these. Default: all.
    progress : bool, default False
        Show a progress bar.
    **settings
        Of `~astroclumps.training.galaxy_images.GalaxyImages`, such as ``snapshots=12`` or ``all_cameras=True``.

    Returns
    -------
    `~astroclumps.training.galaxy_set.GalaxySet`
        What was asked for.

    Raises
    ------
    ValueError
        The folder holds galaxies of another recipe, or there is no such galaxy.
    """
    source, folder = as_source(source), Path(folder)
    images = GalaxyImages(seed=seed, **settings)
    wanted = list(range(len(source))) if galaxies is None else sorted({int(one) for one in galaxies})
    if not wanted or wanted[0] < 0 or wanted[-1] >= len(source):
        raise ValueError(f"galaxies must be numbers of 0 to {len(source) - 1}, got {galaxies}")
    if isinstance(n_jobs, bool) or not n_jobs >= 1:
        raise ValueError(f"n_jobs must be at least 1, got {n_jobs!r}")
    _check_recipe(folder, source, images)
    missing = [i for i in wanted if not galaxy_file(folder, i).exists()]
    log.info("%s", estimate(source, images, galaxies=missing, n_jobs=n_jobs))
    if n_jobs == 1 and executor is None:
        bar = _bar(len(missing), progress)
        for i in missing:
            _done(_make(folder, source, images, i), bar)
        bar.close()
    elif missing:
        own = executor is None
        with ProcessPoolExecutor(min(n_jobs, len(missing)), initializer=_one_thread) if own else nullcontext(executor) as pool:
            jobs = [pool.submit(_make, folder, source, images, i) for i in missing]
            bar = _bar(len(missing), progress)  # after the processes are made, for it has a thread of its own
            try:
                for job in as_completed(jobs):
                    _done(job.result(), bar)
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
            bar.close()
    return GalaxySet(folder, galaxies=wanted)


def estimate(source, images, *, galaxies=None, n_jobs=1) -> str:
    """What a set is going to hold, and how much time and room it is going to take: a sentence.

    Parameters
    ----------
    source, n_jobs
        As in `make_galaxy_set`.
    images : `~astroclumps.training.galaxy_images.GalaxyImages`
        How images are made.
    galaxies : sequence of int, optional
        Numbers of those that are to be made. Default: all.

    Returns
    -------
    str
        The time is that of galaxies with 300,000 stars on one core each; small ones take less.

    Examples
    --------
    >>> from astroclumps import SyntheticSuite
    >>> from astroclumps.training.galaxies import estimate
    >>> from astroclumps.training.galaxy_images import GalaxyImages
    >>> estimate(SyntheticSuite(n_galaxies=40, seed=1), GalaxyImages(seed=1))
    '40 galaxies with 800 snapshots, 800 of them imaged: about 8400 images, 1.0 GB, 87 minutes in 1 process'
    """
    source = as_source(source)
    numbers = range(len(source)) if galaxies is None else galaxies
    counts = [source.n_snapshots(i) if hasattr(source, "n_snapshots") else 20 for i in numbers]
    imaged = [n if images.snapshots is None else min(n, images.snapshots) for n in counts]
    n_images = round(sum(imaged) * (12 + images.random_cameras if images.all_cameras else _SEEN + 0.6 * (images.random_cameras - 7)))
    size = n_images * (4 * len(images.bands) * np.prod(images.shape) + 3000)
    minutes = (sum(counts) * _SECONDS[0] + sum(imaged) * _SECONDS[1]) / 60 / min(n_jobs, max(len(counts), 1))
    jobs = f"{n_jobs} process{'' if n_jobs == 1 else 'es'}"
    what = f"{len(counts)} galax{'y' if len(counts) == 1 else 'ies'} with {sum(counts)} snapshots, {sum(imaged)} of them imaged"
    return f"{what}: about {n_images} images, {size / 1e9:.1f} GB, {minutes:.0f} minutes in {jobs}"


def _make(folder, source, images, i):
    """Make one galaxy; a line about it."""
    start = time.perf_counter()
    n_snapshots = source.n_snapshots(i) if hasattr(source, "n_snapshots") else None
    data, columns, clumps, seconds = images.make(source.snapshots(i), galaxy=i, n_snapshots=n_snapshots)
    write_galaxy(folder, i, bands=images.bands, data=data, images=columns, clumps=clumps)
    split = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    return f"galaxy {i} ({source.name(i)}): {len(data)} images in {time.perf_counter() - start:.0f} s ({split})"


def _done(line, bar):
    log.info("%s", line)
    bar.update()


def _bar(total, progress):
    from tqdm import tqdm

    return tqdm(total=total, desc="galaxies", disable=not (progress and total))


def _one_thread():
    """Several processes share the cores already."""
    import numba

    numba.set_num_threads(1)


def _check_recipe(folder, source, images):
    """Write what the folder holds, or raise an error if it holds something else."""
    recipe = f"{getattr(source, 'recipe', repr(source))}\n{images!r}\n"
    path = folder / "recipe.txt"
    if path.exists() and path.read_text() != recipe:
        raise ValueError(f"{folder} holds galaxies of another recipe, see {path}; choose another folder. This one is: {recipe.strip()}")
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(recipe)
    partial.replace(path)
