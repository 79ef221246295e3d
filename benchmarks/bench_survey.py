"""Surveys: galaxies a second through the whole pipeline, memory, 1 against 2 dask workers, and two peers on the same galaxies.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_survey.py --sets SET [SET ...] --work FOLDER`` (an hour on two cores). SETS are folders of
galaxy sets (``astroclumps dataset``), whose images are written with their noise as FITS cubes with a list of galaxies. Then

* ``--galaxies`` of them (5,000) go through ``run_survey`` with U-Net, classifier, photometry and ``LibrarySED`` in two processes: rate,
  its split by stage, memory of the workers in each quarter of the time;
* ``--scaling`` of them (400) through a dask cluster of one and of two workers, of one thread each, three times each, interleaved;
* ``--peers`` of them (150) through (a) FOLKLORE's finder with apertures of photutils, (b) a script of photutils alone: background,
  ``detect_sources``, deblending, apertures in rings, in all bands, (c, d) our contrast finder and our U-Net with `ClumpPhotometry`, one
  point-spread function for all images, as a survey has, and (e) with those that each mock has for itself; three times each,
  interleaved, in one process of one thread. No classes and no fit, which the peers do not have.

Writes ``survey.json`` into the folder.
"""

import argparse
import json
import statistics
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table

from astroclumps import MultiBandImage, Pipeline, run_survey
from astroclumps.evaluation.images import image_of
from astroclumps.evaluation.peers import folklore
from astroclumps.training.galaxy_set import GalaxySet

NOISE_SEED = 6


def prepare(sets, folder, n):
    """FITS cubes and the list of galaxies; what is there already is kept."""
    listed = folder / "galaxies.ecsv"
    if listed.exists() and len(Table.read(listed)) >= n:
        return
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for path in sets:
        images = GalaxySet(path)
        for i in range(len(images)):
            if len(rows) == n:
                break
            name = f"{Path(path).name}-{i:05d}"
            image = image_of(images, i, seed=NOISE_SEED)
            image.write(folder / "images" / f"{name}.fits", overwrite=True)
            rows.append((name, float(images.redshift[i]), f"{Path(path).name}-{images.galaxy[i]}"))
    Table(rows=rows, names=("id", "redshift", "parent")).write(listed, overwrite=True)
    print(f"{len(rows)} images of {len({row[2] for row in rows})} galaxies", flush=True)


def whole(folder, n):
    """The whole pipeline, in two processes."""
    galaxies = Table.read(folder / "galaxies.ecsv")[:n]
    out = folder / "out"
    begin = time.perf_counter()
    failures = run_survey(galaxies, Pipeline(), out, 2, images=f"{folder}/images/{{id}}.fits", overwrite=True, progress=False)
    seconds = time.perf_counter() - begin
    summary = failures.meta["summary"]
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    thirds = np.array_split(np.array([entry["worker_memory"] / 2**20 for entry in log]), 4)
    stages = summary["stage_seconds"]
    return {
        "galaxies": n,
        "wall_seconds": seconds,
        "galaxies_per_second": n / seconds,
        "core_seconds_a_galaxy": sum(stages.values()) / n,
        "share_by_stage": {name: value / sum(stages.values()) for name, value in stages.items()},
        "clumps": summary["n_clumps"],
        "failed": summary["n_failed"],
        "worker_peak_mb_by_quarter": [float(part.max()) for part in thirds],
        "parent_peak_mb": [entry["memory"] / 2**20 for entry in (log[0], log[len(log) // 2], log[-1])],
        "bytes_on_disk": sum(file.stat().st_size for file in out.glob("*/part-*")),
    }


def _spin(n):
    """Work of arithmetic alone: what two cores give over one, whatever the memory does."""
    total = 0
    for i in range(n):
        total += i * i
    return total


def _floor():
    """Seconds for two pieces of `_spin`, one after the other and side by side."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_spin, [1000] * 4))
        begin = time.perf_counter()
        for _ in range(2):
            pool.submit(_spin, 20_000_000).result()
        middle = time.perf_counter()
        list(pool.map(_spin, [20_000_000] * 2))
        return (middle - begin) / (time.perf_counter() - middle)


def scaling(folder, n, repeats):
    """One and two workers of dask, in turns; the floor is what two processes give that only count."""
    from distributed import Client, LocalCluster

    galaxies = Table.read(folder / "galaxies.ecsv")[:n]
    seconds, floors = {1: [], 2: []}, []
    for _ in range(repeats):
        floors.append(_floor())
        for workers in seconds:
            with LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
                warm = galaxies[: 20 * workers]  # networks, stellar grids and compiled loops are loaded once a worker
                options = {"images": f"{folder}/images/{{id}}.fits", "overwrite": True, "progress": False}
                run_survey(warm, Pipeline(), folder / "warm", client.get_executor(), part_size=5, **options)
                begin = time.perf_counter()
                run_survey(galaxies, Pipeline(), folder / "scaling", client.get_executor(), part_size=20, **options)
                seconds[workers].append(time.perf_counter() - begin)
    rate = {workers: n / statistics.median(times) for workers, times in seconds.items()}
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "galaxies": n,
        "seconds": seconds,
        "galaxies_per_second": rate,
        "speed_up": statistics.median(ratios),
        "ratios": ratios,
        "floors": floors,
    }


def photutils_photometry(image, positions):
    """Fluxes in all bands: apertures of 3 pixels, the median of a ring taken off."""
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

    apertures, rings = CircularAperture(positions, r=3), CircularAnnulus(positions, 4, 6)
    rows = []
    for plane, rms in zip(image.data, image.sky_rms, strict=True):
        background = ApertureStats(plane, rings).median
        table = aperture_photometry(plane, apertures, error=np.full(plane.shape, rms))
        rows.append((table["aperture_sum"] - background * apertures.area, table["aperture_sum_err"]))
    return rows


def with_folklore(image):
    """FOLKLORE's finder, apertures of photutils."""
    x, y, _ = folklore(image)
    return photutils_photometry(image, np.transpose([x, y])) if len(x) else []


def with_photutils(image):
    """What an astronomer would write with photutils: sources on the background-subtracted stack, apertures on each band."""
    from photutils.background import Background2D, MedianBackground
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

    weight = 1 / image.sky_rms**2
    stack = np.einsum("b,byx->yx", weight, image.data) / weight.sum()
    flat = stack - Background2D(stack, (8, 8), filter_size=3, bkg_estimator=MedianBackground()).background
    found = detect_sources(flat, 3 * weight.sum() ** -0.5, 4)
    if found is None:
        return []
    found = deblend_sources(flat, found, 4, n_levels=32, contrast=1e-4, progress_bar=False)
    sources = SourceCatalog(flat, found)
    return photutils_photometry(image, np.transpose([sources.x_centroid, sources.y_centroid]))


def peers(folder, n, repeats):
    """Rates of detection and photometry, one process, one thread, pixels in memory."""
    galaxies = Table.read(folder / "galaxies.ecsv")
    chosen = galaxies[np.linspace(0, len(galaxies) - 1, n).round().astype(int)]
    files = [folder / "images" / f"{row['id']}.fits" for row in chosen]
    mocks = [MultiBandImage.read(file) for file in files]
    images = [MultiBandImage.read(file, psf=0.2 * u.arcsec) for file in files]  # one PSF for all, as a survey has
    guo, unet = (Pipeline(detector=name, classifier=None, sed=None) for name in ("contrast", "unet"))
    ways = {
        "FOLKLORE + photutils": lambda: [with_folklore(image) for image in images],
        "photutils": lambda: [with_photutils(image) for image in images],
        "astroclumps, contrast": lambda: guo.run_many(images),
        "astroclumps, U-Net": lambda: [unet.run_many(images[first : first + 32]) for first in range(0, n, 32)],
        "astroclumps, U-Net, PSFs of each mock": lambda: [unet.run_many(mocks[first : first + 32]) for first in range(0, n, 32)],
    }
    seconds = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if turn:  # the first one loads and compiles
                seconds[name].append(time.perf_counter() - begin)
    rates = {name: n / statistics.median(times) for name, times in seconds.items()}
    slowest = rates["FOLKLORE + photutils"]
    return {"galaxies": n, "seconds": seconds, "galaxies_per_second": rates, "over_folklore": {k: v / slowest for k, v in rates.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=[], type=Path, help="folders of galaxy sets, needed the first time")
    parser.add_argument("--work", required=True, type=Path, help="folder for images and results")
    parser.add_argument("--galaxies", type=int, default=5000)
    parser.add_argument("--scaling", type=int, default=400)
    parser.add_argument("--peers", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["whole", "scaling", "peers"], choices=["prepare", "whole", "scaling", "peers"])
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    prepare(args.sets, args.work, args.galaxies)
    path = args.work / "survey.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    jobs = {
        "whole": lambda: whole(args.work, args.galaxies),
        "scaling": lambda: scaling(args.work, args.scaling, args.repeats),
        "peers": lambda: peers(args.work, args.peers, args.repeats),
    }
    for name, job in jobs.items():
        if name in args.only:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results[name] = job()
            path.write_text(json.dumps(results, indent=1))
            print(name, json.dumps(results[name], indent=1), flush=True)


if __name__ == "__main__":
    main()
