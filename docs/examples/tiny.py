"""What the examples of the gallery share: a tiny set, detections in it, what a classifier says of them, and a folder for pictures."""

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from astroclumps.training.galaxy_set import GalaxySet

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from galaxy_sets import write_galaxy_set

FOLDER = Path(tempfile.mkdtemp(prefix="astroclumps-gallery-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
SEED = 1


@cache
def galaxy_set():
    """Four galaxies of eight images."""
    return GalaxySet(write_galaxy_set(FOLDER / "set", n_galaxies=4, n_images=8, n_clumps=9))


@cache
def comparison():
    """Two detectors on it, beside those that know nothing."""
    from astroclumps.evaluation.comparison import compare
    from astroclumps.evaluation.finders import Peer
    from astroclumps.evaluation.images import detect_images

    found = {
        "ContrastDetector": detect_images(galaxy_set(), Peer("contrast"), seed=SEED),
        "sep": detect_images(galaxy_set(), Peer("sep", {"bands": "ultraviolet", "mesh": 0, "inside": False}), seed=SEED),
    }
    return compare(galaxy_set(), found, n_draws=50)


@cache
def places():
    """Positives as detections, and made-up probabilities that they are long-lived."""
    rng = np.random.default_rng(0)
    found, p_long = [], []
    for i in range(len(galaxy_set())):
        clumps, good = galaxy_set().clumps(i), galaxy_set().positives(i)
        found.append((clumps["x"][good], clumps["y"][good], np.ones(good.sum())))
        p_long.append(np.where(clumps["long_lived"][good], rng.beta(4, 2, good.sum()), rng.beta(2, 4, good.sum())))
    return found, p_long


@cache
def catalogues():
    """A folder with ``clumps.fits`` and ``galaxies.fits`` of 300 made-up galaxies: long-lived clumps are heavy, as are their galaxies."""
    import astropy.units as u
    from astropy.table import QTable

    from astroclumps import catalog
    from astroclumps.population.power_law import draw_power_law

    rng, n = np.random.default_rng(0), 2000
    names = np.array([f"galaxy {i:03d}" for i in range(300)])
    galaxies = QTable({"galaxy": names, "mass": 10 ** rng.uniform(9.2, 11.3, 300) * u.Msun, "redshift": rng.uniform(1, 3, 300)})
    galaxies["axis_ratio"], galaxies["r_e"] = rng.uniform(0.4, 1, 300), rng.uniform(0.25, 0.7, 300) * u.arcsec
    galaxies["sfr"] = 1e-9 / u.yr * galaxies["mass"]
    place = rng.integers(0, 300, n)
    clumps = QTable({"galaxy": names[place], "mass": draw_power_law(n, slope=-1.9, low=1e7 * u.Msun, high=5e9 * u.Msun, seed=rng)})
    odds = (clumps["mass"].value / 10**7.9) ** 1.5 * (galaxies["mass"].value[place] / 10**10.3)
    clumps["p_long"] = np.where(rng.random(n) < odds / (1 + odds), rng.beta(6, 3, n), rng.beta(3, 6, n))
    clumps["r_norm"] = 10 ** rng.normal(0.15, 0.2, n) * np.where(clumps["p_long"] > 0.5, 0.7, 1.0)
    for name, table in (("clumps", clumps), ("galaxies", galaxies)):
        catalog.write(table, FOLDER / f"{name}.fits")
    return FOLDER
