"""Sets of images whose clumps a test names one by one."""

import numpy as np
from galaxy_sets import BANDS

from astroclumps.training.galaxy_set import CLUMP_COLUMNS, IMAGE_COLUMNS, GalaxySet, write_galaxy

N = len(BANDS)


def hand_made(folder, images, *, galaxies=None, light=0.0, shape=(40, 40)):
    """A set with the clumps given: each image a list of (x, y, mass) or (x, y, mass, longevity, origin)."""
    galaxies = [0] * len(images) if galaxies is None else galaxies
    for galaxy in sorted(set(galaxies)):
        mine = [image for image, g in zip(images, galaxies, strict=True) if g == galaxy]
        columns = {name: np.ones(len(mine)) for name in IMAGE_COLUMNS}
        columns |= {name: np.ones((len(mine), N)) for name in ("psf_fwhm", "rms", "correlation", "electrons", "galaxy_flux")}
        columns["psf_fwhm"] *= 0.12  # 2 pixels
        columns["rms"] *= 1e-3
        columns["correlation"] *= 0.1
        columns |= {"camera": np.full(len(mine), "cam00"), "dust_curve": np.full(len(mine), "none"), "snapshot": np.arange(len(mine))}
        columns["redshift"] = np.full(len(mine), 2.0)
        columns["disc_sfr"] = np.full(len(mine), 10.0)
        clumps = [_clumps(image) for image in mine]
        write_galaxy(folder, galaxy, bands=BANDS, data=np.full((len(mine), N, *shape), light), images=columns, clumps=clumps)
    return GalaxySet(folder)


def _clumps(image):
    k = len(image)
    made = {name: np.zeros(k) for name in CLUMP_COLUMNS}
    rows = [(*row, "SLC", "in situ")[:5] if len(row) == 3 else row for row in image]
    made |= {name: np.array([row[i] for row in rows]) for i, name in enumerate(("x", "y", "mass")) if k}
    made["longevity"] = np.array([row[3] for row in rows], dtype="U3")
    made["origin"] = np.array([row[4] for row in rows], dtype="U7")
    made |= {"n_stars": np.full(k, 50), "track": np.arange(1, k + 1), "node": np.arange(1, k + 1), "mass_stars": made["mass"] / 2}
    made["flux"] = np.repeat(np.asarray(made["mass"], dtype=float)[:, None] * 1e-9, N, axis=1)
    return made
