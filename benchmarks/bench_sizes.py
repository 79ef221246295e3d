"""Sizes of mock clumps of known size: bias, scatter over quoted error, limits, and what one costs.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_sizes.py`` (half an hour); ``--repeats N`` lays as many images of 25 clumps, or pairs, for
each cell of the table, ``--tables FOLDER`` writes the tables of the documentation. Scenes: *isolated* clumps; *blended*, pairs 5 pixels of
0.06" apart, alike in size and flux; *disc*, clumps 8 pixels from the centre of an exponential disc (scale length 10 pixels) that has as
much light in their aperture as they have. Noise has the correlation of CANDELS skies. The signal-to-noise is that of the light within
3 pixels of the clump, which is what a detector sees; the whole flux of a large clump is several times that.
"""

import argparse
import csv
import time
from pathlib import Path

import astropy.units as u
import numpy as np

from astroclumps import MultiBandImage, catalog
from astroclumps.mock.psf import moffat
from astroclumps.mock.sky import CANDELS_CORRELATION, SkyModel
from astroclumps.photometry import ClumpSizes
from astroclumps.photometry.covariance import aperture_noise

PIXEL = 0.06
SIZES = (0.02, 0.05, 0.1, 0.2, 0.3)  # arcsec, half-light radii
RATIOS = (5, 10, 20, 50)
SCENES = ("isolated", "blended", "disc")
BANDS = {"F606W": (0.11, CANDELS_CORRELATION[0]), "F160W": (0.17, CANDELS_CORRELATION[-1])}
CELL, GRID, FINE = 40, 5, 7
SCATTERED = 0.5  # pixels, of the places that the fit is given


class Renderer:
    """Gaussians behind a Moffat, integrated over pixels, drawn on a grid finer than the package's own."""

    def __init__(self, fwhm):
        from scipy.fft import rfft2

        self.n = CELL * FINE
        fine = moffat(fwhm, size=self.n + 1, pixel_scale=PIXEL / FINE)[:-1, :-1]
        self.light = rfft2(np.roll(fine, (-(self.n // 2),) * 2, axis=(0, 1)))
        self.ky, self.kx = np.fft.fftfreq(self.n)[:, None] * FINE, np.fft.rfftfreq(self.n) * FINE

    def stamp(self, x, y, size):
        """A cell with a clump of unit flux at pixel x, y and of a half-light radius in arcsec."""
        from scipy.fft import irfft2

        sigma = size / PIXEL / np.sqrt(2 * np.log(2))
        spread = np.exp(-2 * (np.pi * sigma) ** 2 * (self.kx**2 + self.ky**2)) * np.sinc(self.kx) * np.sinc(self.ky)
        return irfft2(self.light * spread * np.exp(-2j * np.pi * (self.kx * x + self.ky * y)))[::FINE, ::FINE] * FINE**2


def scene(name, band, size, ratio, renderer, rng):
    """An image with 25 cells, places of the clumps, and their flux."""
    fwhm, correlation = BANDS[band]
    rms = 1e-3
    rows, columns = np.mgrid[:CELL, :CELL]
    seen = renderer.stamp(CELL / 2, CELL / 2, size)[np.hypot(columns - CELL / 2, rows - CELL / 2) < 3].sum()
    flux = ratio * rms * np.sqrt(aperture_noise(3.0, 0.0, 0.0, correlation).aperture) / seen
    data = SkyModel(rms=(rms,), correlation=(correlation,)).sample((GRID * CELL, GRID * CELL), rng=rng)[0].astype(float)
    x, y = [], []
    for i in range(GRID):
        for j in range(GRID):
            cell = data[i * CELL : (i + 1) * CELL, j * CELL : (j + 1) * CELL]
            middle = CELL / 2 + rng.uniform(-0.5, 0.5, 2)
            turn = rng.uniform(0, 2 * np.pi)
            step = np.array([np.cos(turn), np.sin(turn)])
            places = [middle + 2.5 * step, middle - 2.5 * step] if name == "blended" else [middle]
            for px, py in places:
                cell += flux * renderer.stamp(px, py, size)
                x.append(px + j * CELL)
                y.append(py + i * CELL)
            if name == "disc":
                centre = middle + 8 * step
                disc = np.exp(-np.hypot(columns - centre[0], rows - centre[1]) / 10)
                cell += disc * flux * seen / (np.pi * 3**2) / np.exp(-0.8)
    psf = moffat(fwhm, size=41, pixel_scale=PIXEL)
    return MultiBandImage(data=data[None] * u.uJy, bands=[band], psf=psf, redshift=2.0), np.array(x), np.array(y), flux


def measured(name, band, size, ratio, repeats, settings, rng):
    """Rows of size, its error, limit, resolved, flux over truth, and seconds a clump."""
    renderer = Renderer(BANDS[band][0])
    found, seconds = [], 0.0
    for _ in range(repeats):
        image, x, y, flux = scene(name, band, size, ratio, renderer, rng)
        clumps = catalog.make_table("detected", len(x))
        clumps["x"], clumps["y"] = (x + rng.normal(0, SCATTERED, len(x))) * u.pix, (y + rng.normal(0, SCATTERED, len(y))) * u.pix
        start = time.process_time()
        sized = settings.measure(image, clumps)
        seconds += time.process_time() - start
        columns = [sized[column].to_value(u.arcsec) for column in ("size", "size_err", "size_limit")]
        found.append(np.array([*columns, sized["resolved"], sized["size_flux"].value / flux]))
    found = np.hstack(found)
    return found, seconds / found.shape[1]


def line(found, size):
    """Failed, resolved, median size over truth, scatter and median error over truth, median and scatter of the pull, limits above truth."""
    got, error, limit, resolved, flux = found
    fine = np.isfinite(got)
    low, middle, high = np.percentile(got[fine] / size, (16, 50, 84))
    pull = (got[fine] - size) / np.fmax(error[fine], 1e-6)
    return (
        100 * np.mean(~fine),
        100 * np.mean(resolved[fine]),
        middle,
        (high - low) / 2,
        np.median(error[fine]) / size,
        100 * np.mean(abs(pull) < 1),
        100 * np.mean(limit[fine] > size),
        np.median(limit[fine]),
        np.median(flux[fine]),
    )


HEAD = (
    "size (arcsec)", "S/N", "failed %", "resolved %", "median / truth", "scatter / truth", "error / truth", "within 1 sigma %",
    "limit above truth %", "median limit", "flux / truth",
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--bands", nargs="+", default=list(BANDS))
    parser.add_argument("--scenes", nargs="+", default=list(SCENES))
    parser.add_argument("--radius", type=float, default=8.0)
    parser.add_argument("--background", type=int, default=1)
    parser.add_argument("--tables", type=Path)
    options = parser.parse_args()
    settings = ClumpSizes(radius=options.radius * u.pix, background=options.background)
    for band in options.bands:
        for name in options.scenes:
            rows = []
            print(f"\n{band}, {name}\n" + " | ".join(HEAD))
            for size in SIZES:
                for ratio in RATIOS:
                    rng = np.random.default_rng([int(1000 * size), ratio, SCENES.index(name), list(BANDS).index(band)])
                    found, seconds = measured(name, band, size, ratio, options.repeats, settings, rng)
                    values = line(found, size)
                    digits = (".0f", ".0f", ".2f", ".2f", ".2f", ".0f", ".0f", ".3f", ".2f")
                    rows.append((f"{size:g}", ratio, *(format(v, d) for v, d in zip(values, digits, strict=True))))
                    print(" | ".join(str(cell) for cell in rows[-1]), f"   {1e3 * seconds:.0f} ms a clump", flush=True)
            if options.tables:
                with (options.tables / f"sizes_{band.lower()}_{name}.csv").open("w", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows([HEAD, *rows])


if __name__ == "__main__":
    main()
