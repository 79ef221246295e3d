"""How long ``import astroclumps`` takes, and what it loads.

Run it with ``python benchmarks/bench_import.py``; it fails above 0.3 s (median of 10 fresh interpreters).
"""

import statistics
import subprocess
import sys

LIMIT = 0.3  # s
HEAVY = ("torch", "bagpipes", "specutils", "matplotlib", "astropy", "scipy", "numpy")


def seconds(statement):
    """The time that one statement takes in a fresh interpreter."""
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main():
    medians = {}
    for statement in ("import astroclumps", "import astroclumps.plugins", "import astroclumps.weights", "from astroclumps import catalog"):
        times = [seconds(statement) for _ in range(10)]
        medians[statement] = statistics.median(times)
        print(f"{statement:36s} median {medians[statement]:.4f} s, from {min(times):.4f} to {max(times):.4f} s")
    code = f"import sys, astroclumps; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    print(f"import astroclumps loads of {', '.join(HEAVY)}: {loaded or 'none'}")
    if medians["import astroclumps"] >= LIMIT:
        raise SystemExit(f"import astroclumps takes more than {LIMIT} s")


if __name__ == "__main__":
    main()
