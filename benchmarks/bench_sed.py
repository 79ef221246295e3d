"""Fits of mock clumps: LibrarySED against BagpipesSED, in agreement and in speed.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_sed.py`` (an hour or so); ``--out FOLDER`` says where each bagpipes fit is kept as JSON,
so that a run that was stopped goes on, and ``--clumps N`` fits fewer. Times are CPU seconds of one thread.
"""

import argparse
import json
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import BagpipesSED, LibrarySED, bands, starlight

N_CLUMPS = 20
SIGNAL_TO_NOISE = (3.0, 50.0)  # median over the bands
NAMES = bands.names(bands.CANDELS)
OPTIONS = {"sfh": "tau", "error_floor": 0.0, "seed": 0}


def mock_clumps(seed=20):
    """Clumps of known stars: redshift, true log10 mass, S/N, and fluxes with errors as deep as the GOODS-N stamps, scaled to that S/N."""
    rng = np.random.default_rng(seed)
    depth = np.array([band.depth for band in bands.CANDELS])
    clumps = []
    for number, ratio in enumerate(rng.permutation(np.geomspace(*SIGNAL_TO_NOISE, N_CLUMPS))):
        redshift = rng.uniform(1.0, 3.0)
        part = starlight.component_fluxes(
            NAMES,
            redshift,
            age=10 ** rng.uniform(-1.5, np.log10(0.8 * starlight.age_of_universe(redshift))) * u.Gyr,
            tau=10 ** rng.uniform(-1, 0.7) * u.Gyr,
            sfh="tau",
            metallicity=10 ** rng.uniform(-0.8, 0.2),
            a_v=rng.uniform(0, 1.5),
            interpolate=False,
        )
        mass = 10 ** rng.uniform(7.0, 8.5)
        flux = part.flux[0].value * mass
        error = 10 ** (-0.4 * depth)
        error *= np.median(flux / error) / ratio
        clumps.append(
            {
                "id": number + 1,
                "redshift": redshift,
                "signal_to_noise": ratio,
                "log_mass": float(np.log10(mass * part.surviving[0])),
                "flux": (flux + rng.normal(size=len(flux)) * error).tolist(),
                "error": error.tolist(),
            }
        )
    return clumps


def table(clumps):
    photometry = QTable({"id": [clump["id"] for clump in clumps]})
    for b, name in enumerate(NAMES):
        photometry[f"flux_{name.lower()}"] = [clump["flux"][b] for clump in clumps] * u.uJy
        photometry[f"flux_err_{name.lower()}"] = [clump["error"][b] for clump in clumps] * u.uJy
    return photometry


def numbers(row):
    names = ("mass_lo", "mass", "mass_hi", "age_lo", "age", "age_hi", "a_v_lo", "a_v", "a_v_hi", "sfr_lo", "sfr", "sfr_hi")
    return {name: float(getattr(row[name], "value", row[name])) for name in (*names, "chi2", "log_evidence", "n_effective")}


def fit_with_bagpipes(clump, folder):
    """The bagpipes fit of one clump, from its file where there is one for the same settings and data."""
    backend = BagpipesSED(**OPTIONS)
    key = {"settings": repr(backend), "flux": clump["flux"], "error": clump["error"], "redshift": clump["redshift"]}
    path = folder / f"bagpipes-{clump['id']:02d}.json"
    if path.is_file():
        kept = json.loads(path.read_text())
        if kept["key"] == key:
            return kept
    wall, cpu = time.perf_counter(), time.process_time()
    fitted = backend.fit(table([clump]), redshift=clump["redshift"])
    result = {"key": key, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, **numbers(fitted[0])}
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(result))
    temporary.replace(path)
    return result


def fit_with_library(clumps, repeat=5):
    """Library fits: numbers, CPU seconds a clump with the library built, and CPU seconds to build one."""
    backend = LibrarySED(**OPTIONS)
    backend.fit(table(clumps[:1]), redshift=clumps[0]["redshift"])  # compiles, reads the stellar grid
    found, seconds, build = [], [], []
    for clump in clumps:
        photometry, redshift = table([clump]), clump["redshift"] + 1e-9  # a redshift not met before
        start = time.process_time()
        backend.library(NAMES, redshift)
        build.append(time.process_time() - start)
        start = time.process_time()
        for _ in range(repeat):
            fitted = backend.fit(photometry, redshift=redshift)
        seconds.append((time.process_time() - start) / repeat)
        found.append(numbers(fitted[0]))
    # a table of clumps of one galaxy shares the cost of reading and writing tables
    many = table([clumps[i % len(clumps)] | {"id": i + 1} for i in range(100)])
    start = time.process_time()
    backend.fit(many, redshift=redshift)
    return found, np.array(seconds), np.array(build), (time.process_time() - start) / len(many)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(".tmp/bench_sed"))
    parser.add_argument("--clumps", type=int, default=N_CLUMPS)
    parser.add_argument("--fit-only", action="store_true", help="fill the folder of bagpipes fits and stop")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    clumps = mock_clumps()[: options.clumps]
    reference = [fit_with_bagpipes(clump, options.out) for clump in clumps]
    if options.fit_only:
        return
    found, seconds, build, shared = fit_with_library(clumps)

    print(" id     z   S/N  truth | library  lo  hi  n_eff | bagpipes  lo  hi  n_eff | d log M  width ratio  d ln Z")
    shift, width = np.empty(len(clumps)), np.empty(len(clumps))
    for i, (clump, ours, theirs) in enumerate(zip(clumps, found, reference, strict=True)):
        (a, b, c), (d, e, f) = ([np.log10(one[name]) for name in ("mass_lo", "mass", "mass_hi")] for one in (ours, theirs))
        shift[i], width[i] = b - e, (c - a) / (f - d)
        print(
            f"{clump['id']:3d} {clump['redshift']:5.2f} {clump['signal_to_noise']:5.1f} {clump['log_mass']:6.2f} |"
            f" {b:6.3f} {a - b:+.2f} {c - b:+.2f} {ours['n_effective']:6.0f} |"
            f" {e:6.3f} {d - e:+.2f} {f - e:+.2f} {theirs['n_effective']:6.0f} |"
            f" {shift[i]:+.3f}  {width[i]:.3f}  {ours['log_evidence'] - theirs['log_evidence']:+.2f}"
        )
    ratio = np.log10([clump["signal_to_noise"] for clump in clumps])
    cpu = np.array([one["cpu"] for one in reference])
    print(f"\nlog mass, library - bagpipes: median {np.median(shift):+.4f} dex, largest {np.abs(shift).max():.4f} dex (goal 0.05)")
    print(f"16-84% width, library / bagpipes: median {np.median(width):.3f}, range {width.min():.3f}-{width.max():.3f} (goal 0.85-1.15)")
    if len(clumps) > 2:
        for name, values in (("d log M", shift), ("ln width ratio", np.log(width))):
            (slope, _), covariance = np.polyfit(ratio, values, 1, cov=True)
            print(f"trend of {name} with log10 S/N: {slope:+.4f} +- {np.sqrt(covariance[0, 0]):.4f}")
    print(f"\nbagpipes, CPU s a clump: median {np.median(cpu):.0f}, range {cpu.min():.0f}-{cpu.max():.0f}")
    print(f"library, CPU s to build it for a redshift: {np.median(build):.2f}")
    print(f"library, CPU ms a clump once built: median {np.median(seconds) * 1e3:.1f}, mean {seconds.mean() * 1e3:.1f},", end=" ")
    print(f"largest {seconds.max() * 1e3:.1f}; in one table of 100 clumps: {shared * 1e3:.1f}")
    print(f"ratio a clump, library built: {cpu.mean() / seconds.mean():,.0f} alone, {cpu.mean() / shared:,.0f} in a table (goal 10,000)")
    print(f"ratio for 100 clumps, library built on the way: {100 * cpu.mean() / (np.median(build) + 100 * shared):,.0f}")


if __name__ == "__main__":
    main()
