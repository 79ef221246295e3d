"""Surveys that are killed (SIGKILL) at random moments and given again: nothing lost, nothing twice, the same bytes.

Run ``OMP_NUM_THREADS=1 python benchmarks/kill_survey.py --work FOLDER --kills 50`` (ten minutes). Each round is one survey in two
processes, killed at moments drawn evenly from nothing to the time that it takes, half of the times the first process alone, half of
the times with its workers, and begun again until it comes to its end; its parts, records and settings must then be the bytes of a
survey that nobody disturbed. Prints what the kills met and exits with 1 if anything differs, or a worker outlives its survey by 10 seconds.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.table import Table

from astroclumps.survey.dataset import Survey
from astroclumps.testing import example_image

BANDS = ("F435W", "F606W", "F160W")


def make(folder, n, missing):
    """Images, and a list in which some have none."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        if i not in missing:
            example_image(bands=BANDS, seed=i).write(folder / f"g{i}.fits", overwrite=True)
    Table({"id": [f"g{i}" for i in range(n)], "redshift": np.full(n, 1.5)}).write(folder / "galaxies.csv", overwrite=True)


def start(images, out, part_size):
    """A survey as a process group of its own."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "astroclumps",
        "run",
        str(images / "galaxies.csv"),
        "--images",
        f"{images}/{{id}}.fits",
    ]
    command += ["-o", str(out), "--detector", "contrast", "--classifier", "none", "--no-sed", "--set", "detector.min_uv_fraction=0.03"]
    command += ["--jobs", "2", "--part-size", str(part_size), "--batch", "4", "--thumbnails", "10", "--quiet"]
    return subprocess.Popen(command, start_new_session=True)


def contents(out):
    """Bytes of everything that must not depend on what happened."""
    files = sorted([*out.glob("*/part-*"), out / "survey.json"])
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def alive(group):
    """Whether a process group still has members."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def campaign(work, *, kills, galaxies, part_size, seed):
    """What the kills met, and what was wrong afterwards."""
    rng = np.random.default_rng(seed)
    missing = {3, galaxies // 2}
    images = work / "images"
    make(images, galaxies, missing)
    reference = work / "reference"
    shutil.rmtree(reference, ignore_errors=True)
    begin = time.perf_counter()
    if start(images, reference, part_size).wait():
        raise SystemExit("the survey fails without any kill")
    whole = time.perf_counter() - begin
    truth = contents(reference)
    counts = {"kills": 0, "before any part": 0, "between parts": 0, "too late": 0, "surveys finished": 0, "orphans": 0, "wrong": []}
    most, out = 0, work / "out"
    while counts["kills"] < kills:
        shutil.rmtree(out, ignore_errors=True)
        starts = 0
        while True:
            process = start(images, out, part_size)
            starts += 1
            if counts["kills"] < kills:
                try:
                    code = process.wait(timeout=rng.uniform(0, 1.05 * whole))
                except subprocess.TimeoutExpired:
                    counts["kills"] += 1
                    (os.killpg if rng.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
                    process.wait()
                    until = time.perf_counter() + 10
                    while alive(process.pid) and time.perf_counter() < until:
                        time.sleep(0.05)
                    if alive(process.pid):
                        counts["orphans"] += 1
                        os.killpg(process.pid, signal.SIGKILL)
                    n_done = len(list(out.glob("manifest/part-*.json")))
                    n_parts = -(-galaxies // part_size)
                    counts["before any part" if not n_done else "between parts" if n_done < n_parts else "too late"] += 1
                    continue
            else:
                code = process.wait()
            if code:
                counts["wrong"].append(f"exit code {code} after {starts} starts")
            break
        counts["surveys finished"] += 1
        most = max(most, starts)
        if contents(out) != truth:
            counts["wrong"].append(f"other bytes after {starts} starts")
        found = Survey(out)
        names = [*found.galaxies(["galaxy"])["galaxy"], *found.failures()["id"]]
        if sorted(names) != sorted(f"g{i}" for i in range(galaxies)):
            counts["wrong"].append(f"galaxies lost or doubled after {starts} starts")
    return counts | {"most starts of one survey": most, "seconds undisturbed": round(whole, 1), "galaxies": galaxies}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, type=Path, help="folder for images and surveys")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--galaxies", type=int, default=300)
    parser.add_argument("--part-size", type=int, default=5)
    parser.add_argument("--seed", type=int, default=6)
    args = parser.parse_args()
    counts = campaign(args.work, kills=args.kills, galaxies=args.galaxies, part_size=args.part_size, seed=args.seed)
    print(json.dumps(counts, indent=1))
    return 1 if counts["wrong"] or counts["orphans"] else 0


if __name__ == "__main__":
    sys.exit(main())
