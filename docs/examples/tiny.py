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
