"""Axis ratios of mock galaxies by our Sersic fit, beside statmorph's, and what they cost.

Run ``python benchmarks/bench_axis_ratio.py SET [--images 30] [--out FILE]`` with a folder that ``astroclumps dataset --all-cameras`` wrote,
where statmorph (0.7 was used) is installed. Each image gets the noise of its own depth for statmorph, which needs a segmentation; ours
is fitted to the noiseless image and to the same noisy one. ``--out`` writes the rows as CSV.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import ndimage

from astroclumps.mock.light_fit import fit_light
from astroclumps.mock.psf import moffat
from astroclumps.training.galaxy_set import GalaxySet


def segmentation(image, noise):
    """The galaxy: what is above 1.5 sigma of the image smoothed by 2 pixels, joined with its middle."""
    smooth = ndimage.gaussian_filter(image, 2.0)
    level = 1.5 * noise / (2 * np.sqrt(np.pi) * 2.0)
    labels, _ = ndimage.label(smooth > level)
    middle = labels[28:36, 28:36]
    label = np.bincount(middle[middle > 0]).argmax() if (middle > 0).any() else 0
    return (labels == label).astype(int) if label else None


def by_statmorph(image, noise, electrons, psf, segmap):
    """The source's morphology and seconds."""
    import statmorph

    weight = np.sqrt(noise**2 + np.clip(image, 0, None) / electrons).astype(float)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        morph = statmorph.source_morphology(image.astype(float), segmap, weightmap=weight, psf=psf)[0]
    return morph, time.perf_counter() - start


def compare(made, chosen):
    """A row an image."""
    for i in chosen:
        noiseless, noisy = made.data[i, -1], made.noisy(i, seed=1)[-1]
        noise, electrons, fwhm = made.rms[i, -1], made.electrons[i, -1], made.psf_fwhm[i, -1]
        options = {"noise": noise, "psf_fwhm": fwhm, "electrons_per_unit": electrons}
        start = time.perf_counter()
        ours = fit_light(noiseless, **options)
        seconds = time.perf_counter() - start
        other = fit_light(noisy, **options)
        segmap = segmentation(noisy, noise)
        row = {"image": int(i), "inclination": round(float(made.inclination[i]), 1), "ours": ours.axis_ratio, "success": ours.success}
        row |= {"ours, noisy": other.axis_ratio, "success, noisy": other.success, "ms": 1e3 * seconds}
        if segmap is None:
            yield row | {"sersic": np.nan, "moments": np.nan, "flag": 4, "ms, statmorph": np.nan}
            continue
        morph, seconds = by_statmorph(noisy, noise, electrons, moffat(fwhm, size=31, pixel_scale=0.06), segmap)
        row |= {"sersic": 1 - morph.sersic_ellip if morph.flag_sersic == 0 else np.nan, "moments": 1 - morph.ellipticity_asymmetry}
        yield row | {"flag": int(morph.flag), "ms, statmorph": 1e3 * seconds}


def summary(rows):
    column = {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}
    failed, noisy = (np.mean(column[name] == 0) for name in ("success", "success, noisy"))
    print(f"{len(rows)} images; ours fails in {failed:.0%}, with noise in {noisy:.0%}")
    print(f"statmorph's Sersic fit is flagged in {np.mean(np.isnan(column['sersic'])):.0%}")
    for one, other in (("ours, noisy", "sersic"), ("ours", "sersic"), ("ours", "ours, noisy"), ("ours", "moments")):
        good = np.isfinite(column[other])
        for name in (one, other):
            good &= {"ours": column["success"] == 1, "ours, noisy": column["success, noisy"] == 1}.get(name, True)
        off = column[one][good] - column[other][good]
        same = np.mean((column[one][good] > 0.5) == (column[other][good] > 0.5))
        scatter = 1.4826 * np.median(abs(off - np.median(off)))
        print(f"{one} - {other}: median {np.median(off):+.3f}, scatter {scatter:.3f}, same side of 0.5: {same:.0%} of {good.sum()}")
    ours, theirs = column["ms"], column["ms, statmorph"]
    print(f"ours {np.median(ours):.0f} ms an image (slowest {ours.max():.0f}), statmorph {np.nanmedian(theirs):.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    made = GalaxySet(args.set)
    chosen = np.sort(np.random.default_rng(args.seed).choice(len(made), min(args.images, len(made)), replace=False))
    rows = list(compare(made, chosen))
    summary(rows)
    if args.out:
        with args.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
