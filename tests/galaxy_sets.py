"""Tiny sets of made-up galaxies with every column that real ones have: blobs on an exponential disc, in milliseconds."""

import numpy as np

from astroclumps import bands
from astroclumps.mock.sky import SkyModel
from astroclumps.training.galaxy_set import write_galaxy

BANDS = bands.names(bands.CANDELS)
_KINDS = (("LLC", "in situ"), ("SLC", "in situ"), ("ZLC", "in situ"), ("", "ex situ"), ("", "bulge"))
_SHARE = (0.3, 0.35, 0.2, 0.15)


def write_galaxy_set(folder, *, n_galaxies=3, n_images=4, n_clumps=5, shape=(64, 64), seed=0):
    """Write a set; the folder.

    Each image has a bulge in its middle and ``n_clumps`` clumps around it: long-lived ones are redder, their flux grows with mass.
    Two images follow each other in a snapshot; the clumps of a galaxy keep their class, track and mass in all its images.
    """
    sky = SkyModel.candels(BANDS)
    for galaxy in range(n_galaxies):
        rng = np.random.default_rng([seed, galaxy])
        kind = np.append(rng.choice(4, n_clumps, p=_SHARE), 4)
        mass = np.append(10 ** rng.uniform(7.0, 8.8, n_clumps), 3e9)
        forming = np.append(rng.random(n_clumps) < 0.7, True)
        made = [_image(rng, shape, kind, mass, forming, galaxy * 100 + i) for i in range(n_images)]
        data = np.stack([image for image, _ in made])
        n = len(data)
        images = {
            "snapshot": np.arange(n) // 2,
            "camera": np.array([f"cam{i % 2:02d}" for i in range(n)]),
            "redshift": rng.uniform(1, 3, n),
            "pixel_kpc": np.full(n, 0.5),
            "axis_ratio": np.where(np.arange(n) % 4 == 3, np.nan, 0.8),
            "inclination": np.full(n, 30.0),
            "psf_fwhm": np.tile([0.1] * 4 + [0.16] * 3, (n, 1)),
            "rms": np.tile(sky.rms, (n, 1)),
            "correlation": np.tile(sky.correlation, (n, 1)),
            "electrons": np.tile(sky.electrons_per_ujy, (n, 1)),
            "galaxy_flux": data.sum(axis=(2, 3)),
            "disc_sfr": np.full(n, 20.0),
            "disc_mass": np.full(n, 2e10),
            "r_d": np.full(n, 6.0),
            "time": 1.5 + 0.1 * (np.arange(n) // 2),
            "dust_curve": np.full(n, "milky way"),
            "dust_to_metals": np.full(n, 0.4),
        }
        write_galaxy(folder, galaxy, bands=BANDS, data=data, images=images, clumps=[clumps for _, clumps in made])
    return folder


def _image(rng, shape, kind, mass, forming, first_node):
    """A noiseless image and its clumps."""
    n, (ny, nx) = len(kind), shape
    y, x = np.mgrid[:ny, :nx]
    radius, angle = rng.uniform(5, 0.4 * min(shape), n), rng.uniform(0, 2 * np.pi, n)
    radius[-1] = 0
    place = (nx - 1) / 2 + radius * np.cos(angle), (ny - 1) / 2 + radius * np.sin(angle)
    slope = np.where(kind == 0, 0.5, np.where(kind == 4, 0.8, 0.1))  # long-lived clumps are redder than short-lived ones
    colour = np.exp(slope[:, None] * np.linspace(-1, 1, len(BANDS)))
    flux = 0.3 * (mass / 1e8)[:, None] ** 0.7 * colour
    disc = np.exp(-np.hypot(x - (nx - 1) / 2, y - (ny - 1) / 2) / 8)
    data = np.linspace(2, 10, len(BANDS))[:, None, None] * disc / disc.sum()
    for x0, y0, light in zip(*place, flux, strict=True):
        blob = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 1.2**2))
        data = data + light[:, None, None] * blob / blob.sum()
    names = np.array(_KINDS)[kind]
    clumps = {
        "x": place[0], "y": place[1], "depth": rng.normal(0, 0.5, n), "id": np.arange(1, n + 1),
        "node": first_node * 20 + np.arange(1, n + 1), "track": np.arange(1, n + 1),
        "n_stars": np.maximum(mass / 1e5, 12).astype(int), "longevity": names[:, 0], "origin": names[:, 1],
        "mass": mass, "mass_stars": 0.6 * mass, "mass_gas": 0.4 * mass, "sfr": np.where(forming, mass / 1e9, 0),
        "age": np.where(kind == 0, 0.4, 0.08), "radius": np.full(n, 0.25), "r_norm": 0.5 * radius / 6.0,
        "t_clump": np.where(kind == 0, 400.0, 60.0), "lifetime": np.where(kind == 0, 600.0, np.where(kind == 2, 0.0, 100.0)),
        "t_ff_mean": np.full(n, 12.0), "sf_zlc": (kind == 2) & forming, "censored": np.zeros(n, bool), "left_censored": np.zeros(n, bool),
        "bound": kind == 0, "flux": flux,
    }  # fmt: skip
    return data, clumps
