"""Fits of mock clumps whose mass, age and star-formation rate are known: bias, scatter and coverage.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_sed_truth.py`` (minutes). With ``--bagpipes 20`` as many of the clumps are also fitted with
BagpipesSED (an hour or so); each of those fits is kept as JSON in the folder ``--out``, so that a run that was stopped goes on, and
without the option those that are there are used. ``--tables FOLDER`` writes the tables of the documentation.

Three sets of clumps, with the fluxes' errors as deep as the GOODS-N stamps and 5% of each flux beside it, which is what the default
``error_floor`` stands for:

* *prior*: drawn from the prior of the fit itself. Here 68% of the truths must lie in the 68% intervals, whatever the data;
* *smooth*: tau or constant histories of 10 Myr to 1 Gyr, of masses, metals and dust that are not the prior's;
* *bursts*: made of simple populations born in a few bursts upon a constant rate, with the spectra integrated in full. No history of the
  fit is like that.
"""

import argparse
import csv
import itertools
import json
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import BagpipesSED, LibrarySED, bands, photometry_grid, starlight, stellar_grid
from astroclumps.sed.priors import LOG_MASS, Prior

NAMES = bands.names(bands.CANDELS)
REDSHIFTS = np.linspace(1.0, 3.0, 9)
FLOOR = LibrarySED().error_floor
DEPTH = 10 ** (-0.4 * (np.array([band.depth for band in bands.CANDELS]) - 23.9)) / 5  # uJy
EDGES = (0.0, 3.0, 10.0, 30.0, np.inf)  # of the median signal-to-noise
QUANTITIES = ("mass", "age", "sfr")
LEAST_RATE = 1e-11  # 1/yr: rates per stellar mass below it are compared in coverage only
N_STARS = 2000


def prior_clumps(n, rng):
    """From the prior of the fit with a tau history."""
    redshift = rng.choice(REDSHIFTS, n)
    cube = rng.random((n, 4))
    made = []
    for z, point in zip(redshift, cube, strict=True):
        age, tau, metallicity, a_v = (float(p[0]) for p in Prior(sfh="tau", redshift=float(z)).from_cube(point[None]))
        made.append(_smooth(z, age, tau, "tau", metallicity, a_v, formed=10 ** rng.uniform(*LOG_MASS)))
    return _noisy(made, rng)


def smooth_clumps(n, rng):
    """Clumps as one might meet them: surviving masses 10^7-10^9.5, ages log-uniform, half of them with a constant rate."""
    made = []
    for _ in range(n):
        z, mass, age, metallicity, a_v = _common(rng)
        sfh = rng.choice(["tau", "constant"])
        made.append(_smooth(z, age, 10 ** rng.uniform(-1.3, 0.5), sfh, metallicity, a_v, mass=mass))
    return _noisy(made, rng)


def burst_clumps(n, rng):
    """Clumps of `N_STARS` equal star particles: two to five bursts of 10 Myr upon a constant rate."""
    made = []
    for _ in range(n):
        z, mass, age, metallicity, a_v = _common(rng)
        n_bursts = rng.integers(2, 6)
        strength = rng.lognormal(0, 1, n_bursts)
        starts = rng.uniform(0, age, n_bursts)
        burst = rng.choice(n_bursts, N_STARS, p=strength / strength.sum())
        born = np.clip(starts[burst] - 0.01 * rng.random(N_STARS), 0, None)
        steady = rng.random(N_STARS) < rng.uniform(0.1, 0.6)
        born[steady] = rng.uniform(0, age, steady.sum())
        made.append(_stars(z, mass, born, metallicity, a_v))
    return _noisy(made, rng)


def _common(rng):
    """Redshift, mass, age in Gyr, metals and dust of a clump; twice as few in each dex of mass upwards."""
    share = rng.random()
    mass = 10 ** (7 - np.log2(1 - share * (1 - 2**-2.5)))
    metallicity = np.clip(0.5 * 10 ** rng.normal(0, 0.2), 0.1, 2)
    return float(rng.choice(REDSHIFTS)), mass, 10 ** rng.uniform(-2, 0), metallicity, min(rng.exponential(0.6), 2.5)


def _smooth(z, age, tau, sfh, metallicity, a_v, *, mass=None, formed=None):
    """A clump of one history, of a surviving mass or a mass formed."""
    part = starlight.component_fluxes(
        NAMES, z, age=age * u.Gyr, tau=tau * u.Gyr, sfh=sfh, metallicity=metallicity, a_v=a_v, interpolate=False
    )
    formed = mass / part.surviving[0] if formed is None else formed
    truth = {"mass": formed * part.surviving[0], "age": part.age[0].to_value(u.Gyr), "sfr": formed * part.sfr[0].to_value(1 / u.yr)}
    return {"redshift": float(z), **truth, "model": part.flux[0].value * formed}


def _stars(z, mass, born, metallicity, a_v):
    """A clump of stars of equal mass at birth, ages in Gyr."""
    grid = photometry_grid.photometry_grid(NAMES, z, sampling="native")
    per_bin = np.histogram(born, grid.edges)[0] / len(born)
    weights = [np.interp(metallicity, stellar_grid.METALLICITIES, row) for row in np.eye(len(stellar_grid.METALLICITIES))]
    formed = mass / (weights @ grid.surviving @ per_bin)
    model = formed * np.einsum("z,zab,a->b", weights, grid.populations(a_v), per_bin)
    return {"redshift": z, "mass": mass, "age": born.mean(), "sfr": formed * np.mean(born < 0.1) / 1e8, "model": model}


def _noisy(made, rng):
    """Clumps as they are measured."""
    for number, clump in enumerate(made):
        model = clump.pop("model")
        flux = model + rng.normal(size=len(model)) * np.hypot(DEPTH, FLOOR * model)
        clump |= {"id": number + 1, "flux": flux.tolist(), "error": DEPTH.tolist(), "signal_to_noise": float(np.median(flux / DEPTH))}
    return made


def table(clumps):
    photometry = QTable({"id": [clump["id"] for clump in clumps]})
    for b, name in enumerate(NAMES):
        photometry[f"flux_{name.lower()}"] = [clump["flux"][b] for clump in clumps] * u.uJy
        photometry[f"flux_err_{name.lower()}"] = [clump["error"][b] for clump in clumps] * u.uJy
    return photometry


def numbers(row):
    names = [f"{quantity}{end}" for quantity in QUANTITIES for end in ("_lo", "", "_hi")]
    return {name: float(getattr(row[name], "value", row[name])) for name in (*names, "n_effective")}


def fit_with_bagpipes(clump, folder, run):
    """The bagpipes fit of one clump, from its file where there is one for the same settings and data; None without either."""
    backend = BagpipesSED()
    key = {"settings": repr(backend), "flux": clump["flux"], "redshift": clump["redshift"]}
    path = folder / f"truth-{clump['id']:03d}.json"
    if path.is_file():
        kept = json.loads(path.read_text())
        if kept["key"] == key:
            return kept
    if not run:
        return None
    start = time.process_time()
    fitted = backend.fit(table([clump]), redshift=clump["redshift"])
    result = {"key": key, "cpu": time.process_time() - start, **numbers(fitted[0])}
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(result))
    temporary.replace(path)
    return result


def chosen_for_bagpipes(clumps, n=20):
    """Clumps evenly through the signal-to-noise, above 3; in an order that covers it all before it gets dense."""
    seen = sorted((clump for clump in clumps if clump["signal_to_noise"] > EDGES[1]), key=lambda clump: clump["signal_to_noise"])
    picked = [seen[i] for i in np.linspace(0, len(seen) - 1, n).round().astype(int)]
    return [picked[i] for i in np.random.default_rng(0).permutation(n)]


def summary(clumps, fits):
    """For each quantity: number, median of log10(fit/truth), half of its 16-84% range, and part of the truths within the 68% interval."""
    rows = {}
    for quantity in QUANTITIES:
        truth = np.array([clump[quantity] for clump in clumps])
        low, middle, high = (np.array([fit[quantity + end] for fit in fits]) for end in ("_lo", "", "_hi"))
        use = np.ones(len(truth), dtype=bool)
        if quantity == "sfr":
            use = truth > LEAST_RATE * np.array([clump["mass"] for clump in clumps])
        ratio = np.log10(middle[use] / truth[use])
        bottom, centre, top = np.percentile(ratio, (16, 50, 84)) if use.any() else (np.nan,) * 3
        rows[quantity] = (len(truth), centre, (top - bottom) / 2, np.mean((low <= truth) & (truth <= high)))
    return rows


def lines(name, clumps, fits):
    """Lines of the table: all clumps, then by signal-to-noise."""
    ratio = np.array([clump["signal_to_noise"] for clump in clumps])
    bins = [("all", np.ones(len(clumps), dtype=bool))]
    for low, high in itertools.pairwise(EDGES):
        label = f"above {low:g}" if np.isinf(high) else f"below {high:g}" if low == 0 else f"{low:g}-{high:g}"
        bins.append((label, (ratio < high) & ((ratio >= low) | (low == 0))))
    for label, use in bins:
        if use.sum() < 5:
            continue
        rows = summary([c for c, yes in zip(clumps, use, strict=True) if yes], [f for f, yes in zip(fits, use, strict=True) if yes])
        cells = [f"{bias:+.2f} / {scatter:.2f} / {100 * part:.0f}%" for _, bias, scatter, part in rows.values()]
        yield name, label, int(use.sum()), *cells


def write(path, head, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clumps", type=int, default=500, help="of each set; the prior's has four times as many")
    parser.add_argument("--bagpipes", type=int, default=0, help="fit as many with BagpipesSED")
    parser.add_argument("--fit-only", action="store_true", help="fill the folder of bagpipes fits and stop")
    parser.add_argument("--out", type=Path, default=Path(".tmp/bench_sed_truth"))
    parser.add_argument("--tables", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    smooth = smooth_clumps(options.clumps, np.random.default_rng([500, 1]))
    chosen = chosen_for_bagpipes(smooth)
    reference = [fit_with_bagpipes(clump, options.out, i < options.bagpipes) for i, clump in enumerate(chosen)]
    if options.fit_only:
        return
    sets = {
        "prior": prior_clumps(4 * options.clumps, np.random.default_rng([500, 0])),
        "smooth": smooth,
        "bursts": burst_clumps(options.clumps, np.random.default_rng([500, 2])),
    }
    backend = LibrarySED()
    rows, fits = [], {}
    for name, clumps in sets.items():
        start = time.process_time()
        fitted = backend.fit(table(clumps), redshift=[clump["redshift"] for clump in clumps])
        fits[name] = [numbers(row) for row in fitted]
        print(f"{name}: {time.process_time() - start:.0f} CPU s for {len(clumps)} fits")
        rows += lines(name, clumps, fits[name])
    head = ("set", "signal-to-noise", "clumps", *QUANTITIES)
    for row in (head, *rows):
        print(" | ".join(f"{cell!s:>22}" for cell in row))
    if options.tables:
        write(options.tables / "sed_truth.csv", head, rows)

    both = [(clump, theirs) for clump, theirs in zip(chosen, reference, strict=True) if theirs is not None]
    if not both:
        return
    ours = [fits["smooth"][clump["id"] - 1] for clump, _ in both]
    theirs = [fit for _, fit in both]
    compared = []
    for quantity in QUANTITIES:
        (low, middle, high), (a, b, c) = (
            [np.log10([fit[quantity + end] for fit in one]) for end in ("_lo", "", "_hi")] for one in (ours, theirs)
        )
        shift, width = middle - b, (high - low) / (c - a)
        cells = [
            f"{bias:+.2f} / {scatter:.2f} / {100 * part:.0f}%"
            for _, bias, scatter, part in (summary([clump for clump, _ in both], one)[quantity] for one in (ours, theirs))
        ]
        compared.append((quantity, *cells, f"{np.median(shift):+.3f}", f"{abs(shift).max():.3f}", f"{np.median(width):.2f}"))
    columns = ("", "LibrarySED", "BagpipesSED", "difference (dex)", "largest (dex)", "ratio of widths")
    print(f"\n{len(both)} clumps of the set smooth, bagpipes {np.median([fit['cpu'] for fit in theirs]):.0f} CPU s each")
    for row in (columns, *compared):
        print(" | ".join(f"{cell!s:>22}" for cell in row))
    if options.tables:
        write(options.tables / "sed_truth_backends.csv", columns, compared)


if __name__ == "__main__":
    main()
