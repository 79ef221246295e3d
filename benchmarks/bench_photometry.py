"""Aperture photometry of clumps: ClumpPhotometry against photutils and sep; same image, positions and masks.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_photometry.py`` (a few minutes). It prints medians, ratios, clumps a second and peak memory,
and fails where photutils is not at least five times slower. Times are CPU seconds of one thread. Two jobs, in seven bands each:

* fluxes: sums in circles of r = 3 pixels with exact overlap, less the median of the ring at 4 < r < 6 pixels outside the circles of all
  clumps (sep has only means of rings);
* fluxes and errors: the same also in as many empty apertures as ClumpPhotometry takes. photutils is given their places;
  ``ClumpPhotometry.measure`` finds them, and also corrects for the PSF, sets flags and makes the table.
"""

import statistics
import time
import tracemalloc

import astropy.units as u
import numpy as np
from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

from astroclumps import ClumpPhotometry, MultiBandImage, bands, catalog
from astroclumps.mock.psf import moffat
from astroclumps.mock.sky import CANDELS_CORRELATION, CANDELS_RMS, SkyModel
from astroclumps.photometry import aperture, empty, kernels, sky_kernels
from astroclumps.photometry.background import INNER, OUTER, masked_discs, ring

LIMIT = 5.0
RADIUS = 3.0
CASES = (("64x64x7, 8 clumps", 64, 8, 25), ("2000x2000x7, 3000 clumps", 2000, 3000, 3))


def scene(side, n, seed=0):
    """Point sources of 0.05-0.5 uJy in CANDELS sky, and their table."""
    rng = np.random.default_rng(seed)
    data = SkyModel(rms=CANDELS_RMS, correlation=CANDELS_CORRELATION).sample((side, side), rng=rng)
    x, y = rng.uniform(10, side - 11, (2, n))
    fluxes = 10 ** rng.uniform(-1.3, -0.3, n)
    for b, band in enumerate(bands.CANDELS):
        star = moffat(band.psf_fwhm.value, size=17, pixel_scale=0.06)
        for column, row, flux in zip(np.rint(x).astype(int), np.rint(y).astype(int), fluxes, strict=True):
            data[b, row - 8 : row + 9, column - 8 : column + 9] += flux * star
    fwhm = u.Quantity([band.psf_fwhm for band in bands.CANDELS])
    clumps = catalog.make_table("detected", n)
    clumps["x"], clumps["y"] = x * u.pix, y * u.pix
    return MultiBandImage(data=data * u.uJy, bands=bands.CANDELS, psf=fwhm), clumps


def own_fluxes(image, x, y):
    near = masked_discs(image.data.shape[1:], x, y, INNER)
    fields, _ = aperture._sums(image, near, x, y, RADIUS, ring("annulus", RADIUS))
    return fields[:, :, kernels.SUM] - fields[:, :, kernels.AREA] * fields[:, :, kernels.BACKGROUND]


def photutils_fluxes(image, x, y):
    return photutils_sums(image, x, y, masked_discs(image.data.shape[1:], x, y, INNER))


def photutils_sums(image, x, y, near):
    positions = np.column_stack([x, y])
    circle, annulus = CircularAperture(positions, RADIUS), CircularAnnulus(positions, INNER, OUTER)
    fluxes = []
    for plane, mask in zip(image.data, image.mask, strict=True):
        total = aperture_photometry(plane, circle, mask=mask, method="exact")["aperture_sum"]
        level = ApertureStats(plane, annulus, mask=mask | near, sum_method="center").median
        fluxes.append(np.asarray(total - circle.area * level))
    return np.array(fluxes)


def photutils_fluxes_and_errors(image, x, y, occupied, empty_x, empty_y):
    fluxes = photutils_fluxes(image, x, y)
    scatter, _ = sky_kernels.clipped_scatter(photutils_sums(image, empty_x, empty_y, occupied))
    return fluxes, scatter


def sep_fluxes(image, x, y):
    import sep

    near = masked_discs(image.data.shape[1:], x, y, INNER)
    fluxes = []
    for plane, mask in zip(image.data, image.mask, strict=True):
        light, _, _ = sep.sum_circann(plane, x, y, INNER, OUTER, mask=mask | near, subpix=0)
        area, _, _ = sep.sum_circann(np.ones_like(plane), x, y, INNER, OUTER, mask=mask | near, subpix=0)
        total, _, _ = sep.sum_circle(plane, x, y, RADIUS, mask=mask, subpix=0)
        fluxes.append(total - np.pi * RADIUS**2 * light / area)
    return np.array(fluxes)


def report(label, function, *arguments, n, repeats):
    """Print and return the median of CPU seconds, after one run that compiles and fills caches."""
    function(*arguments)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function(*arguments)
        times.append(time.process_time() - start)
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    median = statistics.median(times)
    spread = f"({1e3 * min(times):.2f} to {1e3 * max(times):.2f})"
    print(f"  {label:36s}{1e3 * median:9.2f} ms {spread:22s}{n / median:9.0f} clumps/s, peak {peak:6.1f} MiB", flush=True)
    return median


def main():
    slow = []
    for name, side, n, repeats in CASES:
        image, clumps = scene(side, n)
        x, y = clumps["x"].value, clumps["y"].value
        occupied = empty.source_mask(image) | masked_discs((side, side), x, y, INNER)
        empty_x, empty_y = empty.empty_places(~occupied, RADIUS, rng=np.random.default_rng(0))
        places = (occupied, empty_x, empty_y)
        same = np.isclose(own_fluxes(image, x, y), photutils_fluxes(image, x, y), rtol=1e-5, atol=1e-7)
        print(f"\n{name}, {len(empty_x)} empty apertures; {same.mean():.2%} of the fluxes as in photutils (others: widened rings)")
        few, case = max(3, repeats // 5), {"n": n}
        own = report("astroclumps, fluxes", own_fluxes, image, x, y, repeats=repeats, **case)
        theirs = report("photutils, fluxes", photutils_fluxes, image, x, y, repeats=few, **case)
        seps = report("sep, fluxes (means of rings)", sep_fluxes, image, x, y, repeats=repeats, **case)
        whole = report("ClumpPhotometry.measure", ClumpPhotometry().measure, image, clumps, repeats=repeats, **case)
        both = report("photutils, fluxes and errors", photutils_fluxes_and_errors, image, x, y, *places, repeats=few, **case)
        ratios = {"fluxes": theirs / own, "fluxes and errors": both / whole}
        print(f"  faster than photutils: fluxes {ratios['fluxes']:.1f} times, fluxes and errors {ratios['fluxes and errors']:.1f} times")
        print(f"  faster than sep: fluxes {seps / own:.1f} times; measure against photutils' fluxes alone: {theirs / whole:.1f} times")
        slow += [f"{name}, {job}: {ratio:.1f}" for job, ratio in ratios.items() if ratio < LIMIT]
    if slow:
        raise SystemExit(f"less than {LIMIT:g} times as fast as photutils: {'; '.join(slow)}")


if __name__ == "__main__":
    main()
