"""What `ClumpFinder3D` is timed on and compared with: a snapshot, and plain, SciPy's, yt's and astrodendro's kernels."""

import time

import numpy as np

__all__ = [
    "CELL",
    "CUBE",
    "FWHM",
    "SIGMA",
    "dendrogram",
    "disc",
    "fourier",
    "numpy_deposit",
    "padded",
    "plain_deposit",
    "snapshot",
    "yt_clumps",
]

CELL, FWHM = 0.07, 2.5
SIGMA = FWHM / np.sqrt(8 * np.log(2)) / CELL
CUBE = 384
LENGTH, THICKNESS, BALL = 3.0, 0.4, 0.1  # kpc


def disc(n, rng, n_balls=60, part=0.02):
    """Exponential disc in which balls hold a part of the mass; positions in no order."""
    r, angle = rng.gamma(2, LENGTH, n), rng.uniform(0, 2 * np.pi, n)
    position = np.column_stack([r * np.cos(angle), r * np.sin(angle), rng.normal(0, THICKNESS, n)])
    r, angle = rng.uniform(2, 8, n_balls), rng.uniform(0, 2 * np.pi, n_balls)
    places = np.column_stack([r * np.cos(angle), r * np.sin(angle), np.zeros(n_balls)])
    inside = rng.choice(n, int(part * n), replace=False)
    position[inside] = places[rng.integers(0, n_balls, len(inside))] + rng.normal(0, BALL, (len(inside), 3))
    return position


def snapshot(n, side=CUBE, seed=0):
    """Half stars, half cold gas, and settings that give a grid of ``side`` cells."""
    import astropy.units as u
    from astropy.table import QTable

    from astroclumps import ClumpFinder3D, Snapshot

    rng = np.random.default_rng(seed)
    tables = {}
    for kind in ("stars", "gas"):
        position = disc(n // 2, rng)
        values = np.full(len(position), 1.0)
        tables[kind] = QTable(
            {
                "particle_id": np.arange(len(position)),
                "position": position * u.kpc,
                "velocity": 200 * np.cross([0, 0, 1], position / np.linalg.norm(position, axis=1)[:, None]) * u.km / u.s,
                "mass": 2e10 / n * values * u.Msun,
                "metallicity": 0.01 * values,
            }
        )
    tables["stars"]["age"] = rng.uniform(0, 2, n // 2) * u.Gyr
    tables["gas"]["temperature"] = np.full(n // 2, 5e3) * u.K
    zero = np.zeros(3)
    made = Snapshot(name="disc", r_vir=100 * u.kpc, centre=zero * u.kpc, velocity=zero * u.km / u.s, axis=[0, 0, 1], **tables)
    start = time.perf_counter()
    size = made.disc
    seconds = time.perf_counter() - start
    half = (side / 2 - np.ceil(3 * SIGMA) - 0.5) * CELL
    extent = (half / size.r_d.value, half / size.h_d.value)
    return made, ClumpFinder3D(background_fwhm=FWHM * u.kpc, extent=extent), seconds


def padded(side):
    from scipy.fft import next_fast_len

    return next_fast_len(side + int(np.ceil(6 * SIGMA)), real=True)


def plain_deposit():
    """The obvious cloud-in-cell loop, one thread, single precision."""
    import numba

    @numba.njit(nogil=True, error_model="numpy")
    def add(position, mass, corner, scale, field):
        nx, ny, nz = field.shape
        for p in range(len(mass)):
            x, y, z = (
                (position[p, 0] - corner) * scale - 0.5,
                (position[p, 1] - corner) * scale - 0.5,
                (position[p, 2] - corner) * scale - 0.5,
            )
            i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
            if i < 0 or j < 0 or k < 0 or i >= nx - 1 or j >= ny - 1 or k >= nz - 1:
                continue
            fx, fy, fz, m = np.float32(x - i), np.float32(y - j), np.float32(z - k), np.float32(mass[p])
            gx, gy, gz = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
            field[i, j, k] += m * gx * gy * gz
            field[i, j, k + 1] += m * gx * gy * fz
            field[i, j + 1, k] += m * gx * fy * gz
            field[i, j + 1, k + 1] += m * gx * fy * fz
            field[i + 1, j, k] += m * fx * gy * gz
            field[i + 1, j, k + 1] += m * fx * gy * fz
            field[i + 1, j + 1, k] += m * fx * fy * gz
            field[i + 1, j + 1, k + 1] += m * fx * fy * fz

    return add


def numpy_deposit(position, mass, corner, cell, side):
    """Cloud-in-cell with np.add.at."""
    field = np.zeros((side,) * 3)
    place = (position - corner) / cell - 0.5
    first = np.floor(place).astype(int)
    inside = np.all((first >= 0) & (first < side - 1), axis=1)
    share, first = (place - first)[inside], first[inside]
    for one in np.ndindex(2, 2, 2):
        np.add.at(field, tuple((first + one).T), mass[inside] * np.prod(np.where(one, share, 1 - share), axis=1))
    return field


def fourier(field, side, workers):
    """One float32 real FFT pair on the padded grid, and the Gaussian's transfer function."""
    from scipy import fft

    n = padded(side)
    transform = fft.rfftn(field, (n, n, n), workers=workers)
    for axis in range(3):
        wave = fft.rfftfreq(n) if axis == 2 else fft.fftfreq(n)
        factor = np.exp(-2 * (np.pi * SIGMA * wave) ** 2).astype(np.float32)
        transform *= factor.reshape([-1 if i == axis else 1 for i in range(3)])
    return fft.irfftn(transform, (n, n, n), workers=workers)[:side, :side, :side]


def yt_clumps(field, cell, *, levels):
    """Seconds and number of clumps of yt's finder from the densest 1% of the cells upwards, by factors of two."""
    import yt
    from yt.data_objects.level_sets.api import Clump, find_clumps

    yt.set_log_level("error")
    box = np.array([[0, n * cell] for n in field.shape])
    data = yt.load_uniform_grid({("gas", "density"): (field.astype(float), "Msun/kpc**3")}, field.shape, length_unit="kpc", bbox=box)
    low = float(np.percentile(field, 99))
    top = float(field.max()) if levels > 1 else 1.5 * low
    start = time.perf_counter()
    master = Clump(data.all_data(), ("gas", "density"))
    find_clumps(master, low, top, 2.0)
    return time.perf_counter() - start, len(list(master.leaves))


def dendrogram(field):
    """Seconds and number of structures of astrodendro in the densest 1% of the cells."""
    from astrodendro import Dendrogram

    low = float(np.percentile(field, 99))
    start = time.perf_counter()
    tree = Dendrogram.compute(field, min_value=low, min_delta=low, min_npix=8)
    return time.perf_counter() - start, len(list(tree.all_structures))
