"""Time and memory of `ClumpFinder3D`: split into its parts, beside floors, bare kernels and peers.

Run ``python benchmarks/bench_finder3d.py [--figure docs/images/finder3d_cost.png]`` (ten minutes; yt and astrodendro are optional).
Numbers are medians of interleaved repetitions, so that a busy machine slows all of them; times are wall-clock seconds. It fails where a
goal is missed:

* ``find`` on 1e7 particles and 384^3 cells takes at most 1.5 times its bare kernels: a plain numba cloud-in-cell, one float32 real FFT
  pair of each field on the padded grid, and labelling;
* from a field of 128^3 to labels at least 100 times faster than yt's clump finder;
* peak memory below six float32 cubes of the padded grid.

The snapshot's disc is measured before, because it belongs to the snapshot; its time is printed.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
from finder3d_peers import CELL, CUBE, dendrogram, disc, fourier, numpy_deposit, padded, plain_deposit, snapshot, yt_clumps

YT_GOAL, FIND_GOAL, MEMORY_GOAL = 100, 1.5, 6


def medians(cases, repeats):
    """Median seconds of each function; they take turns."""
    times = {name: [] for name in cases}
    for _ in range(repeats):
        for name, function in cases.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


class Split:
    """Seconds that calls of some functions take, while it is open."""

    def __init__(self, places):
        self.places, self.seconds = places, dict.fromkeys(dict.fromkeys(name for _, _, name in places), 0.0)

    def __enter__(self):
        self.before = [(owner, name, getattr(owner, name)) for owner, name, _ in self.places]
        for (owner, name, function), (_, _, part) in zip(self.before, self.places, strict=True):
            setattr(owner, name, self._timed(function, part))
        return self.seconds

    def _timed(self, function, part):
        def timed(*args, **options):
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds[part] += time.perf_counter() - start

        return timed

    def __exit__(self, *_):
        for owner, name, function in self.before:
            setattr(owner, name, function)


def parts_of_find():
    from astroclumps.simulation import finder, smoothing, tiles

    return [
        (tiles, "_fill", "deposit"),
        (smoothing.Smoothing, "gather", "smoothing"),
        (smoothing.Smoothing, "spread", "smoothing"),
        (tiles, "_dense", "smoothing"),
        (tiles, "label", "labelling"),
        (tiles, "_large", "labelling"),
        (finder, "members", "members"),
        (finder, "measure", "properties"),
    ]


def whole(n_particles, repeats, threads):
    """`find` beside its bare kernels, and its parts beside copies of the bytes that they must read and write."""
    import cc3d
    import numba

    numba.set_num_threads(threads)
    made, finder, seconds = snapshot(n_particles)
    clumps, _ = finder.find(made)
    print(
        f"\n{n_particles:.0e} particles on {clumps.meta['grid_shape']} cells, {len(clumps)} clumps, {threads} threads; "
        f"disc measured in {seconds:.1f} s"
    )
    split = Split(parts_of_find())

    def find():
        with split:
            finder.find(made)

    corner = -CUBE / 2 * CELL
    field = np.zeros((CUBE,) * 3, dtype=np.float32)
    add = plain_deposit()
    tables = [(table["position"].value, table["mass"].value) for table in (made.stars, made.gas)]
    add(tables[0][0][:10], tables[0][1][:10], corner, 1 / CELL, field)
    mask = np.zeros((CUBE,) * 3, dtype=np.uint8)
    mask[np.random.default_rng(0).random(mask.shape, dtype=np.float32) < 0.01] = 1
    cases = {
        "find": find,
        "plain numba deposit": lambda: [add(*table, corner, 1 / CELL, field) for table in tables],
        "float32 FFT pair of each field": lambda: [fourier(field, CUBE, threads) for _ in range(2)],
        "cc3d": lambda: cc3d.connected_components(mask, connectivity=6, binary_image=True),
    }
    cases["find"]()
    split.seconds.update(dict.fromkeys(split.seconds, 0.0))
    times = medians(cases, repeats)
    bare = sum(seconds for name, seconds in times.items() if name != "find")
    for name, seconds in times.items():
        print(f"  {name:34s} {seconds:7.3f} s")
    print(f"  find over the sum of bare kernels  {times['find'] / bare:7.2f}    (goal: at most {FIND_GOAL})")
    size = 4 * CUBE**3
    moved = {
        "deposit": 32 * n_particles + 2 * size,
        "smoothing": 2 * size,
        "labelling": size // 4,
        "members": 24 * n_particles,
        "properties": 0,
    }
    inside = int(np.sum(clumps["n_stars"]) + np.sum(clumps["n_gas"]))
    moved["properties"] = 80 * inside
    source = np.ones(max(moved.values()) // 8)
    target = source.copy()
    for name, total in split.seconds.items():
        n = moved[name] // 8
        floor = statistics.median(medians({"copy": lambda n=n: np.copyto(target[:n], source[:n])}, 1)["copy"] for _ in range(5))
        print(f"  {name:12s} {total / repeats:7.3f} s (mean)   copy of its {moved[name] / 1e6:5.0f} Mbyte {floor:7.4f} s")
    return times["find"] / bare


def peers(threads):
    """Each kernel beside other people's, on one input."""
    import cc3d
    import numba
    from scipy import fft, ndimage

    from astroclumps.simulation.grid import Grid, deposit
    from astroclumps.simulation.smoothing import smooth
    from astroclumps.simulation.tiles import label

    numba.set_num_threads(threads)
    rng = np.random.default_rng(1)
    grid = Grid(origin=np.full(3, -128 * CELL), cell=CELL, shape=(256,) * 3)
    position, mass = disc(1_000_000, rng), np.full(1_000_000, 1e4)
    field = np.zeros((256,) * 3, dtype=np.float32)
    add = plain_deposit()
    add(position[:10], mass[:10], -128 * CELL, 1 / CELL, field)

    cases = {
        "deposit of 1e6: astroclumps": lambda: deposit(position, mass, grid),
        "deposit of 1e6: plain numba": lambda: add(position, mass, -128 * CELL, 1 / CELL, field),
        "deposit of 1e6: np.add.at": lambda: numpy_deposit(position, mass, grid.origin, CELL, 256),
    }
    deposit(position[:10], mass[:10], grid)
    smooth(field, 15.0)
    print(f"\npeers, {threads} threads")
    show(medians(cases, 3))
    wide = field.astype(float)
    print("  smoothing of 256^3 with sigma 15")
    show(
        medians(
            {
                "smooth: astroclumps": lambda: smooth(field, 15.0),
                "smooth: FFT float32, padded": lambda: fourier(field, 256, threads),
                "smooth: scipy FFT float64, no pad": lambda: fft.irfftn(fft.rfftn(wide, workers=threads), wide.shape, workers=threads),
                "smooth: scipy gaussian_filter": lambda: ndimage.gaussian_filter(wide, 15.0, mode="constant"),
            },
            3,
        )
    )
    mask = (rng.random((256,) * 3) < 0.01).astype(np.uint8)
    cells = np.flatnonzero(mask)
    print("  labelling of 256^3, 1% dense cells")
    show(
        medians(
            {
                "label: astroclumps, from cells": lambda: label(cells, mask.shape, 6),
                "label: cc3d": lambda: cc3d.connected_components(mask, connectivity=6, binary_image=True),
                "label: scipy.ndimage": lambda: ndimage.label(mask),
            },
            3,
        )
    )


def show(times):
    first = next(iter(times.values()))
    for name, seconds in times.items():
        print(f"  {name:34s} {seconds:8.4f} s {seconds / first:9.1f} x")


def same_field(threads):
    """From a density on 128^3 cells to labels: astroclumps, yt, astrodendro. Returns yt's time over ours, NaN without yt.

    yt climbs from a threshold by factors of two and keeps the tree of what it finds; a single level of it is the nearest to what we do.
    """
    import numba

    from astroclumps.simulation.smoothing import Smoothing
    from astroclumps.simulation.tiles import _dense, label

    numba.set_num_threads(threads)
    rng = np.random.default_rng(2)
    from astroclumps.simulation.grid import Grid, deposit

    shape = (128,) * 3
    grid = Grid(origin=np.full(3, -64 * CELL), cell=CELL, shape=shape)
    field = deposit(disc(3_000_000, rng) * [0.5, 0.5, 1], np.ones(3_000_000), grid).field
    sigma = 8.0

    def own():
        smoothing = Smoothing(sigma=sigma, shape=shape)
        coarse = np.zeros((2, *smoothing.empty().shape), dtype=np.float32)
        both = np.stack([field, field])
        for one, sums in zip(both, coarse, strict=True):
            smoothing.gather(one, sums)
            smoothing.spread(sums)
        cell, *_ = _dense(both, coarse, smoothing, (0, 128), 0, np.float32(6))
        return label(cell, shape, 6)

    n = own()[1]
    seconds = medians({"own": own}, 5)["own"]
    print(f"\nfrom a field of 128^3 to labels, {threads} threads\n  astroclumps, smoothing twice          {seconds:8.4f} s, {n} regions")
    ratio = float("nan")
    for name, function in (
        ("yt, one level, the densest 1%", lambda: yt_clumps(field, CELL, levels=1)),
        ("yt, all levels by factors of 2", lambda: yt_clumps(field, CELL, levels=99)),
        ("astrodendro, the densest 1%", lambda: dendrogram(field)),
    ):
        try:
            taken, found = function()
        except ImportError as missing:
            print(f"  {name:36s} left out: {missing}")
            continue
        if "all levels" in name:
            ratio = taken / seconds
        print(f"  {name:36s} {taken:8.3f} s, {found} regions {taken / seconds:8.0f} x")
    return ratio


def memory(n_particles, side):
    """Growth of resident memory while `find` runs, in a process of its own: bytes."""
    made, finder, _ = snapshot(n_particles, side)
    small, small_finder, _ = snapshot(20_000, 128)
    small_finder.find(small)  # compiled code and libraries are loaded before
    page = resource.getpagesize()

    def resident():
        with open("/proc/self/statm") as status:
            return int(status.read().split()[1]) * page

    before, peak, done = resident(), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    finder.find(made)
    done.set()
    watcher.join()
    return peak - before


def in_process(*arguments):
    command = [sys.executable, __file__, "--one", json.dumps(arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def seconds_of(n_particles, side, repeats=3):
    made, finder, _ = snapshot(n_particles, side)
    finder.find(made)
    return medians({"find": lambda: finder.find(made)}, repeats)["find"]


def scaling(figure):
    """Seconds and memory against number of particles and cells."""
    by_n = [(n, seconds_of(n, 256)) for n in (10_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)]
    by_side = [
        (side, seconds_of(1_000_000, side), in_process("memory", 1_000_000, side) / 4 / padded(side) ** 3)
        for side in (128, 192, 256, 384, 512)
    ]
    print("\nparticles on 256^3 cells: " + ", ".join(f"{n:.0e}: {seconds:.2f} s" for n, seconds in by_n))
    print("1e6 particles on side^3 cells: " + ", ".join(f"{side}: {seconds:.2f} s, {cubes:.2f} cubes" for side, seconds, cubes in by_side))
    if figure:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        made, axes = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharey=True)
        axes[0].loglog(*zip(*by_n, strict=True), "o-")
        axes[0].set(xlabel="particles (256$^3$ cells)", ylabel="seconds of find()")
        axes[1].loglog([side**3 for side, *_ in by_side], [seconds for _, seconds, _ in by_side], "o-")
        axes[1].set(xlabel="cells (10$^6$ particles)")
        made.savefig(figure, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", help="file for the plot of cost")
    parser.add_argument("--particles", type=float, default=1e7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=("whole", "peers", "field", "memory", "scaling"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.one:
        name, *arguments = json.loads(options.one)
        print(json.dumps({"memory": memory}[name](*arguments)))
        return
    import numba

    chosen = options.only or ["whole", "peers", "field", "memory", "scaling"]
    n, most, missed = int(options.particles), numba.get_num_threads(), []
    if "whole" in chosen:
        for threads in sorted({1, most}):
            if whole(n, options.repeats, threads) > FIND_GOAL:
                missed.append("find over bare kernels")
    if "peers" in chosen:
        peers(most)
    if "field" in chosen and same_field(most) < YT_GOAL:
        missed.append("yt over astroclumps")
    if "memory" in chosen:
        grown = in_process("memory", n, CUBE)
        cubes = grown / (4 * padded(CUBE) ** 3)
        print(
            f"\npeak memory of find beside the snapshot, {n:.0e} particles on {CUBE}^3: {grown / 1e6:.0f} Mbyte, "
            f"{cubes:.2f} cubes of {padded(CUBE)}^3"
        )
        if cubes > MEMORY_GOAL:
            missed.append("memory")
    if "scaling" in chosen:
        scaling(options.figure)
    if missed:
        sys.exit(f"goals missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
