"""Radius and axis ratio of galaxies by `measure_structure`, on Sersic profiles and on clumpy mocks whose shape is known.

Run ``python benchmarks/bench_structure.py [--galaxies 60] [--mocks 200] [--out FILE]``. Sersic galaxies (axis ratio 0.3-1, half-light
radius 0.2-0.8", 64 x 64 pixels of 0.06") are rendered on fine pixels, blurred with the F160W PSF and given the noise of CANDELS; the
mocks are `SersicMocks` with bulge, bar, arms and clumps at all depths, without those fainter than magnitude 24 or off the middle.
``--out`` writes the rows as CSV.
"""

import argparse
import csv
import time
import warnings

import astropy.units as u
import numpy as np
from scipy.signal import fftconvolve

from astroclumps import MultiBandImage, SersicMocks
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.mock.psf import moffat
from astroclumps.mock.sky import SkyModel
from astroclumps.population.structure import measure_structure

SIZE, PAD, PIXEL = 64, 16, 0.06
MAGNITUDES, INDICES = (22.0, 23.0, 24.0, 25.0), (1.0, 2.5, 4.0)


def render(q, turn, r_e, n, centre, magnitude, psf, fine=10):
    """A blurred Sersic galaxy in uJy; the radius along the long axis in pixels."""
    side = SIZE + 2 * PAD
    y, x = (np.mgrid[: side * fine, : side * fine] - (fine - 1) / 2) / fine - PAD
    x, y = x - centre[0], y - centre[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    b = 2 * n - 1 / 3 + 9.876e-3 / n
    image = np.exp(-b * ((np.hypot(along, across / q) / r_e) ** (1 / n) - 1)).reshape(side, fine, side, fine).mean(axis=(1, 3))
    whole = _total(n, b, r_e, q)
    blurred = fftconvolve(image, psf, mode="same")[PAD:-PAD, PAD:-PAD]
    return blurred / whole * 10 ** (0.4 * (23.9 - magnitude))


def _total(n, b, r_e, q):
    from scipy.special import gamma

    return 2 * np.pi * n * r_e**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n)


def sersic_rows(count, rng):
    """One row a galaxy: what it is and what was found."""
    psf, sky = moffat(0.17, size=2 * PAD + 1, pixel_scale=PIXEL), SkyModel.candels(["F160W"])
    for n in INDICES:
        for magnitude in MAGNITUDES:
            for _ in range(count):
                q, turn, r_e = rng.uniform(0.3, 1.0), rng.uniform(0, np.pi), 10 ** rng.uniform(np.log10(0.2), np.log10(0.8))
                plane = render(q, turn, r_e / PIXEL, n, SIZE / 2 - 0.5 + rng.uniform(-2, 2, 2), magnitude, psf)[None]
                noisy = plane + sky.sample(plane.shape[1:], rng=rng, source=plane)
                image = MultiBandImage(data=noisy * u.uJy, bands=["F160W"], psf=psf)
                yield {"kind": f"Sersic n = {n:g}", "magnitude": magnitude, "r_e": r_e, "q": q, **found(image)}


def mock_rows(count):
    mocks = SersicMocks(seed=11)
    for i in range(count):
        truth = mocks.mock(i).galaxy
        magnitude = 23.9 - 2.5 * np.log10(max(float(truth["flux"][-1]), 1e-9))
        if magnitude > 24 or max(abs(truth["x"] - 31.5), abs(truth["y"] - 31.5)) > 10:
            continue
        image, clumps = mocks.image(i)
        for kind, options in (("mocks", {}), ("mocks, clumps left out", {"clumps": clumps})):
            yield {"kind": kind, "magnitude": 24.0, "r_e": truth["r_eff"], "q": truth["axis_ratio"], **found(image, **options)}


def found(image, **options):
    start = time.perf_counter()
    one = measure_structure(image, fallback=True, **options)
    return {
        "r_e found": one.r_e.to_value(u.arcsec),
        "q found": one.axis_ratio,
        "method": one.method,
        "ms": 1e3 * (time.perf_counter() - start),
    }


def summary(rows):
    """Bias and scatter (1.4826 median absolute deviations) of each kind, magnitude and method."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        for magnitude in MAGNITUDES:
            here = [row for row in rows if (row["kind"], row["magnitude"]) == (kind, magnitude)]
            for method in ("sersic", "moments"):
                good = [row for row in here if row["method"] == method]
                if len(good) < 5:
                    continue
                ratio = np.array([row["r_e found"] / row["r_e"] for row in good])
                off = np.array([row["q found"] - row["q"] for row in good])
                text = ", ".join(f"{np.median(v):.3f}, {1.4826 * np.median(abs(v - np.median(v))):.3f}" for v in (ratio, off))
                ms = np.median([row["ms"] for row in good])
                print(f'"{kind}", {magnitude:g}, {method}, {len(good)} of {len(here)}, {text}, {ms:.0f} ms')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=int, default=60)
    parser.add_argument("--mocks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    args = parser.parse_args()
    warnings.simplefilter("ignore", AstroclumpsWarning)
    rows = list(sersic_rows(args.galaxies, np.random.default_rng(args.seed)))
    rows += mock_rows(args.mocks)
    summary(rows)
    if args.out:
        with open(args.out, "w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
