"""Mock images a second, and where the time goes.

Run ``python benchmarks/bench_imager.py [--snapshot FILE] [--cameras 10] [--stars 300000]``. Without a file a galaxy of the synthetic
suite is imaged. One process, one thread; the first image, which compiles, is not counted. ``--out FILE`` writes the table as CSV.
"""

import argparse
import csv
import os
import platform
import time
import warnings
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from astroclumps import MockImager, Snapshot, SyntheticSuite
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.mock import particle_kernels
from astroclumps.mock.cameras import cameras


def timed(function, repeat=1):
    """Milliseconds a call, the best of some, and the result."""
    best, result = np.inf, None
    for _ in range(repeat):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best, result


def a_galaxy(stars):
    """The last snapshot of a synthetic galaxy."""
    *_, last = SyntheticSuite(n_galaxies=2, n_snapshots=8, n_stars=stars, seed=1).galaxy(1)
    return last


def stages(imager, snapshot, camera, repeat):
    """Milliseconds of each step of an image."""
    scene = imager.scene(snapshot)
    kpc, half = scene.kpc_per_arcsec, 0.5 * max(imager.shape) * imager.pixel_kpc(scene)
    optics = imager._optics(kpc)
    rows = {}
    rows["dust columns"], a_v = timed(lambda: imager.dust_model.a_v(scene.metals, camera, scene.position, half_width=half), repeat)
    rows["choice of kernels"], (level, share) = timed(lambda: optics.levels(scene.width / kpc), repeat)
    maps = np.zeros((len(optics.widths), *optics.full, len(imager.bands)))
    reddening, through = imager.dust_model.reddening(imager.bands, scene.redshift), imager.dust_model.transmission()
    where = (camera.rotation(), 1 / (kpc * optics.fine), optics.middle, maps.reshape(*maps.shape[:2], -1))
    light = np.empty((0, len(imager.bands)), dtype=np.float32)
    arguments = (scene.position, scene.flux, a_v, reddening, through, level, share, *where, light)
    rows["dimming and drawing"], _ = timed(lambda: particle_kernels.deposit_light(*arguments), repeat)
    rows["kernels, PSF, rebinning"], data = timed(lambda: optics.image(maps), repeat)
    rows["sky and photon noise"], _ = timed(lambda: imager.sky.sample(imager.shape, rng=np.random.default_rng(0), source=data), repeat)
    rows["a whole image"], _ = timed(lambda: imager.render(snapshot, camera, rng=0), repeat)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snapshot", type=Path)
    parser.add_argument("--cameras", type=int, default=10)
    parser.add_argument("--stars", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore", AstroclumpsWarning)
    snapshot = Snapshot.read(args.snapshot) if args.snapshot else a_galaxy(args.stars)
    print(f"{snapshot}\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, one used")
    seen = cameras(snapshot, rng=1)[: args.cameras]
    MockImager().render(snapshot, seen[0], rng=0)  # compiles
    imager = MockImager()
    rows = {"kernels, light, metals (once a snapshot)": timed(lambda: imager.scene(snapshot))[0]}
    rows["light at another redshift"] = timed(lambda: imager.scene(snapshot, redshift=snapshot.redshift + 0.1))[0]
    imager.scene(snapshot)
    rows["grids of an imager (once)"] = timed(lambda: MockImager()._optics(imager.scene(snapshot).kpc_per_arcsec))[0]
    rows |= stages(imager, snapshot, seen[-1], args.repeat)
    total, _ = timed(lambda: [imager.render(snapshot, camera, rng=i) for i, camera in enumerate(seen)])
    rows[f"mean of {len(seen)} cameras"] = total / len(seen)
    for name, value in rows.items():
        print(f"{name:42s}{value:10.2f} ms")
    once, count = next(iter(rows.values())), 1e3 * len(seen)
    print(f"{count / total:.1f} images/s; {count / (total + once):.1f} with what is done once a snapshot")
    if args.out:
        with open(args.out, "w", newline="") as stream:
            csv.writer(stream).writerows([("step", "ms"), *((name, f"{value:.2f}") for name, value in rows.items())])


if __name__ == "__main__":
    main()
