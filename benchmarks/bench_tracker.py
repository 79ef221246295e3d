"""Time and memory of `ClumpTracker` against the number of snapshots and of stars.

Run ``python benchmarks/bench_tracker.py`` (two minutes). Each case runs in a process of its own, whose peak of resident memory is printed
beside that before the first snapshot. Numbers of stars are 64-bit and in random order. A share of the stars lies in clumps. From snapshot
to snapshot a clump loses a twentieth of its stars, one clump in ten dissolves and one is born; the new ones make the tracker look back to
the first snapshot. For comparison, ``numpy.isin`` for each pair of clumps of neighbouring snapshots.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import astropy.units as u
import numpy as np

N_CLUMPS = 60


def snapshots(n_snapshots, n_stars, share, seed=7):
    """Yield what the tracker takes; only one snapshot is in memory."""
    rng = np.random.default_rng(seed)
    from astroclumps import catalog

    ids = rng.permutation(np.arange(2**62, 2**62 + n_stars))
    labels = np.zeros(n_stars, dtype=np.int32)
    n_inside = int(share * n_stars)
    labels[:n_inside] = rng.integers(1, N_CLUMPS + 1, n_inside)
    labels = rng.permutation(labels)
    for i in range(n_snapshots):
        if i:
            order = rng.permutation(n_stars)
            ids, labels = ids[order], labels[order]
            gone = rng.choice(np.arange(1, N_CLUMPS + 1), N_CLUMPS // 10, replace=False)
            inside = labels > 0
            lost = inside & (np.isin(labels, gone) | (rng.random(n_stars) < 0.05))
            labels[lost] = 0
            born = rng.choice(np.flatnonzero(labels == 0), lost.sum(), replace=False)
            labels[born] = rng.choice(gone, len(born))
        table = catalog.make_table("found", N_CLUMPS)
        table["n_stars"] = np.bincount(labels, minlength=N_CLUMPS + 1)[1:]
        table["mass"] = table["n_stars"] * 1e4 * u.Msun
        table["age"], table["t_ff"], table["sfr"] = 0.2 * u.Gyr, 8 * u.Myr, 0 * u.Msun / u.yr
        table["pos_x"] = table["pos_y"] = table["pos_z"] = 1 * u.kpc
        table["origin"] = "in situ"
        yield SimpleNamespace(name=str(i), time=(1 + 0.1 * i) * u.Gyr, scale_factor=0.3, stars={"particle_id": ids}), table, labels


def case(n_snapshots, n_stars, share):
    """Seconds in the tracker, and peaks of memory in MiB; run in a process of its own."""
    from astroclumps import ClumpTracker

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    for _ in snapshots(2, n_stars, share):  # what making the snapshots takes
        pass
    before = peak()
    seconds, disk, slowest = 0.0, 0, 0.0
    with ClumpTracker() as tracker:
        for one in snapshots(n_snapshots, n_stars, share):
            start = time.perf_counter()
            tracker.add(*one)
            slowest = max(slowest, time.perf_counter() - start)
            seconds += time.perf_counter() - start
        disk = sum(file.stat().st_size for file in tracker._run.forest.store.folder.iterdir()) / 2**20
        start = time.perf_counter()
        tracked = tracker.finish()
        seconds += time.perf_counter() - start
        links = int(tracker.links["n_main"].sum())
    return {
        "n_snapshots": n_snapshots,
        "n_stars": n_stars,
        "share": share,
        "seconds": round(seconds, 2),
        "slowest": round(slowest, 3),
        "peak": round(peak()),
        "before": round(before),
        "disk": round(disk),
        "rows": len(tracked),
        "links": links,
    }


def with_isin(n_snapshots, n_stars, share):
    """Seconds that ``numpy.isin`` for each pair of clumps in neighbouring snapshots takes, a snapshot."""
    seconds, earlier = 0.0, None
    for snapshot, _, labels in snapshots(n_snapshots, n_stars, share):
        ids = snapshot.stars["particle_id"]
        start = time.perf_counter()
        members = [ids[labels == label] for label in range(1, N_CLUMPS + 1)]
        if earlier is not None:
            for one in earlier:
                for other in members:
                    np.isin(one, other).sum()
        seconds += time.perf_counter() - start
        earlier = members
    return seconds / (n_snapshots - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", nargs=3, type=float, metavar=("SNAPSHOTS", "STARS", "SHARE"))
    given = parser.parse_args().case
    if given:
        print(json.dumps(case(int(given[0]), int(given[1]), given[2])))
        return
    cases = [(10, 1e6, 0.1), (20, 1e6, 0.1), (40, 1e6, 0.1), (10, 1e6, 0.4), (20, 1e6, 0.4), (40, 1e6, 0.4), (5, 1e7, 0.1)]
    print("snapshots     stars  in clumps   seconds  slowest add   peak MiB  before MiB  disk MiB   rows  links")
    for one in cases:
        out = subprocess.run([sys.executable, __file__, "--case", *map(str, one)], check=True, capture_output=True, text=True)
        r = json.loads(out.stdout)
        print(
            f"{r['n_snapshots']:9d} {r['n_stars']:9.0e} {r['share']:10.0%} {r['seconds']:9.2f} {r['slowest']:12.2f} "
            f"{r['peak']:10d} {r['before']:11d} {r['disk']:9d} {r['rows']:6d} {r['links']:6d}",
            flush=True,
        )
    print(f"numpy.isin for each pair of clumps, 1e6 stars, 10% in clumps: {with_isin(4, 1_000_000, 0.1):.1f} s a snapshot")


if __name__ == "__main__":
    main()
