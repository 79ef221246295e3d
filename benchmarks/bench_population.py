"""Do slopes and transition masses come back from populations that are known?

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_population.py`` (some minutes; ``--populations`` changes how many are drawn). For each case
and number of clumps it prints the mean bias, the scatter over populations, the mean error that is quoted, the bias over the error, and how
often the 68% interval holds the truth. It fails where the bias is above 0.25 of an error beyond its own noise, or a coverage not 60-76%.
"""

import argparse
import math
import sys

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.population.power_law import draw_power_law, fit_power_law
from astroclumps.population.transition import transition_mass

LOW, HIGH = 10**7.5 * u.Msun, 1e10 * u.Msun
NUMBERS = (200, 2000, 20000)
SLOPES = (-1.86, -2.87)  # dN/dM: what the paper's -0.86 and -1.87 are, if its axis is dN/dlogM
NOISE = 0.3  # dex
PART, TOLERATED = (0.60, 0.76), 0.25


def completeness(mass):
    """Half of the clumps of 1e8 Msun are found."""
    return 1 / (1 + (mass.to_value(u.Msun) / 1e8) ** -1.5)


def plain(n, slope, rng):
    return fit_power_law(draw_power_law(n, slope=slope, low=LOW, high=HIGH, seed=rng), low=LOW, high=HIGH)


def endless(n, slope, rng):
    return fit_power_law(draw_power_law(n, slope=slope, low=LOW, seed=rng), low=LOW)


def incomplete(n, slope, rng):
    mass = draw_power_law(6 * n, slope=slope, low=LOW, high=HIGH, seed=rng)
    found = mass[rng.random(len(mass)) < completeness(mass)][:n]
    return fit_power_law(found, low=LOW, high=HIGH, completeness=completeness)


def uncertain(n, slope, rng):
    """Masses with errors; clumps below the limits scatter in and those inside scatter out."""
    mass = draw_power_law(math.ceil(n * 10 ** (-(slope + 1))), slope=slope, low=LOW / 10, seed=rng)
    seen = np.log10(mass.value) + rng.normal(0, NOISE, len(mass))
    near = seen > np.log10(LOW.value) - 4 * NOISE
    draws = seen[near, None] + rng.normal(0, NOISE, (near.sum(), 100))
    return fit_power_law(10**draws * u.Msun, low=LOW, high=HIGH)


CASES = {"to 1e10 Msun": plain, "no upper limit": endless, "half found at 1e8": incomplete, f"{NOISE} dex, 100 draws": uncertain}


def recovery(case, n, slope, populations):
    """Mean bias, scatter, mean error and coverage of the slopes of many populations."""
    rng = np.random.default_rng([list(CASES.values()).index(case), int(-100 * slope), n])
    fits = [case(n, slope, rng) for _ in range(populations)]
    slopes = np.array([fit.slope for fit in fits])
    held = np.mean([fit.lower <= slope <= fit.upper for fit in fits])
    return slopes.mean() - slope, slopes.std(ddof=1), np.mean([fit.error for fit in fits]), held


def _header(what, value):
    names = "".join(f" {name:>8s}" for name in ("bias", "scatter", "error", "bias/err"))
    return f"{what:22s} {value:>6s} {'clumps':>6s} {'n':>4s}{names} {'68%':>6s}"


def report_slopes(populations):
    """Print the recovery of slopes; returns what is out of bounds."""
    wrong = []
    print(_header("case", "slope"))
    for name, case in CASES.items():
        for slope in SLOPES:
            for n in NUMBERS:
                if case is uncertain and (n > 2000 or slope < -2):
                    continue  # a steep law brings ten to a hundred times as many clumps from below the limit
                times = populations if case is not uncertain or n < 2000 else max(populations // 4, 50)
                bias, scatter, error, held = recovery(case, n, slope, times)
                print(f"{name:22s} {slope:6.2f} {n:6d} {times:4d} {bias:8.4f} {scatter:8.4f} {error:8.4f} {bias / error:8.2f} {held:6.1%}")
                noise = math.sqrt(0.68 * 0.32 / times)
                if abs(bias) > (TOLERATED + 3 / math.sqrt(times)) * error or not PART[0] - 2 * noise < held < PART[1] + 2 * noise:
                    wrong.append(f"{name}, slope {slope}, {n} clumps")
    return wrong


def mixed(n, at, rng):
    """Clumps, four to a galaxy, whose odds to be long-lived go as M^0.8 and are even at 10^at Msun."""
    log_mass = 6.5 + rng.exponential(0.6, n)
    long = rng.random(n) < 1 / (1 + 10 ** (-0.8 * (log_mass - at)))
    return QTable({"galaxy": np.arange(n) // 4, "mass": 10**log_mass * u.Msun, "p_long": np.where(long, 0.9, 0.1)})


def report_transitions(populations):
    """Print the recovery of transition masses; returns what is out of bounds."""
    wrong = []
    print(_header("transition", "log M"))
    for method in ("logistic", "isotonic"):
        for at in (7.6, 7.9):
            for n in NUMBERS:
                times = populations if n < 20000 else max(populations // 4, 10)
                rng = np.random.default_rng([n, int(10 * at)])
                found = [transition_mass(mixed(n, at, rng), method=method, n_bootstrap=60) for _ in range(times)]
                values, errors = np.array([one.log_mass for one in found]), np.array([one.error_dex for one in found])
                bias, scatter, error = np.nanmean(values) - at, np.nanstd(values, ddof=1), np.nanmedian(errors)
                known = [one for one in found if np.isfinite(one.upper.value)]
                held = np.mean([one.lower.value <= 10**at <= one.upper.value for one in known]) if known else np.nan
                line = f"{method:22s} {at:6.2f} {n:6d} {times:4d} {bias:8.4f} {scatter:8.4f} {error:8.4f} {bias / error:8.2f} {held:6.1%}"
                print(f"{line}  {times - len(known)} without interval")
                noise = math.sqrt(0.68 * 0.32 / times)
                if method == "logistic" and n > 200 and not PART[0] - 2 * noise < held < PART[1] + 2 * noise:
                    wrong.append(f"{method}, 10^{at}, {n} clumps")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--populations", type=int, default=400)
    parser.add_argument("--transitions", type=int, default=40, help="populations for transition masses; 0 leaves them out")
    arguments = parser.parse_args()
    wrong = report_slopes(arguments.populations) if arguments.populations else []
    wrong += report_transitions(arguments.transitions) if arguments.transitions else []
    print("out of bounds: " + ("; ".join(wrong) or "none"))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
