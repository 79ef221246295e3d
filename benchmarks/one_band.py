"""How to show a single band to a network that was trained on seven, measured on mocks.

The U-Net takes compressed signal-to-noise, so that a copy of the band in the plane of another has a neutral colour whatever its scale.
Too few planes are outside of what it saw (its card allows three missing bands); in too many the noise is the same, and noise peaks look
like sources.
Run ``python benchmarks/one_band.py --band F775W`` to measure each way on Sersic mocks of which one band is left.
"""

import argparse
import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import peers

from astroclumps import ContrastDetector, MultiBandImage, SersicMocks, UNetDetector, bands, catalog
from astroclumps.evaluation.matching import completeness_at_purity
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.training.dataset import MockSet, make_mock_set

__all__ = ["PLANES", "OneBandUNet", "RankedContrast", "RankedSep", "copies", "cut_for_purity"]

PLANES = (1, 2, 4, 7)  # of the network that get the band: its nearest neighbours in wavelength
CHOSEN = 4
SETS = {"validation": (12, 1), "test": (13, 2)}  # seeds of the mocks and of their noise


def copies(image, n_planes):
    """An image of one band in the ``n_planes`` planes whose bands are nearest to it."""
    [own] = image.bands
    pivot = bands.get(own).pivot
    nearest = sorted(bands.CANDELS, key=lambda band: abs(np.log(float(band.pivot / pivot))))[:n_planes]
    names = [band.name for band in bands.CANDELS if band in nearest]
    return MultiBandImage(
        data=np.repeat(image.data, len(names), axis=0) * u.uJy, bands=names, mask=np.repeat(image.mask, len(names), axis=0),
        pixel_scale=image.pixel_scale, psf=image.psf_fwhm[0], redshift=image.redshift, name=image.name,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OneBandUNet:
    """The U-Net on an image of one band, shown in several planes; with fewer than four the limit of its card is lifted."""

    weights: str = "default"
    n_planes: int = CHOSEN
    threshold: float | None = None

    def __post_init__(self):
        detector = UNetDetector(self.weights, threshold=self.threshold)
        network, card, device = detector._loaded
        detector.__dict__["_loaded"] = (network, card | {"max_missing_bands": len(card["bands"]) - 1}, device)
        object.__setattr__(self, "_detector", detector)

    def detect(self, image):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)
            return self._detector.detect(copies(image, self.n_planes))


@dataclass(frozen=True, kw_only=True)
class RankedContrast:
    """The contrast finder with the settings that serve it best on mocks, ranked by brightness over that of the galaxy."""

    band: str
    cut: float = -np.inf

    def detect(self, image):
        found = ContrastDetector(box=3, n_sigma=4.0, min_pixels=1, min_uv_fraction=0.0, band=self.band).detect(image)
        score = np.asarray(found["flux_fraction"]) / np.maximum(found["n_pixels"], 1)
        return _table(found["x"].value, found["y"].value, score, self.cut)


@dataclass(frozen=True, kw_only=True)
class RankedSep:
    """SExtractor on the stack of all bands less a boxcar mean, ranked by brightness over that of the galaxy."""

    cut: float = -np.inf

    def detect(self, image):
        return _table(*peers.sep_stack(image), self.cut)


def _table(x, y, score, cut):
    keep = np.asarray(score) >= cut
    table = catalog.make_table("detected", int(keep.sum()))
    table["id"] = np.arange(1, keep.sum() + 1)
    table["x"], table["y"], table["score"] = np.asarray(x)[keep] * u.pix, np.asarray(y)[keep] * u.pix, np.asarray(score)[keep]
    return table


def mock_images(folder, label, n_images, band):
    """Sersic mocks of which one band is left, and where their clumps are."""
    seed, noise_seed = SETS[label]
    make_mock_set(folder / label, SersicMocks(seed=seed), n_images=n_images)
    mocks = MockSet(folder / label, n_images=n_images)
    index = bands.names(bands.CANDELS).index(band)
    images, truth = [], []
    for i in range(len(mocks)):
        images.append(
            MultiBandImage(
                data=mocks.noisy(i, seed=noise_seed)[index : index + 1] * u.uJy, bands=[band], pixel_scale=0.06 * u.arcsec,
                psf=mocks.psf_fwhm[i][index] * u.arcsec, redshift=float(mocks.redshift[i]), name=f"mock {i}",
            )
        )  # fmt: skip
        clumps = mocks.clumps(i)
        truth.append((clumps["x"], clumps["y"]))
    return images, truth


def seen(detector, images):
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        for image in images:
            found = detector.detect(image)
            out.append((found["x"].value, found["y"].value, np.asarray(found["score"], dtype=float)))
    return out


def cut_for_purity(detector, images, truth, purity=0.9):
    """Least score at which the detections have a purity."""
    return completeness_at_purity(seen(detector, images), truth, purity=purity).cut


def measure(folder, band, weights, n_images):
    sets = {label: mock_images(folder, label, n_images, band) for label in SETS}
    ways = {f"U-Net, {n} plane{'' if n == 1 else 's'}": OneBandUNet(weights=weights, n_planes=n, threshold=0.05) for n in PLANES}
    ways |= {"contrast, tuned": RankedContrast(band=band), "sep": RankedSep()}
    rows = {}
    for name, detector in ways.items():
        cut = cut_for_purity(detector, *sets["validation"])
        images, truth = sets["test"]
        scan = completeness_at_purity(seen(detector, images), truth, cut=cut)
        hits = np.array([found.sum() for found in scan.found], dtype=float)
        total = np.array([len(found) for found in scan.found], dtype=float)
        draws = np.random.default_rng(0).integers(0, len(hits), (500, len(hits)))
        error = float((hits[draws].sum(axis=1) / total[draws].sum(axis=1)).std())
        cut = cut if np.isfinite(cut) else None
        rows[name] = {"cut": cut, "completeness": [scan.completeness, error], "purity": scan.purity, "per_image": scan.per_image}
        print(
            f"{band} {name:18s} {100 * scan.completeness:5.1f} +- {100 * error:.1f}%  purity {100 * scan.purity:.1f}%  cut {cut}",
            flush=True,
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocks", type=Path, default=Path(tempfile.gettempdir(), "astroclumps-one-band"), help="where mocks are kept")
    parser.add_argument("--band", default="F775W", help="the band that is left")
    parser.add_argument("--weights", default="default", help="of the U-Net")
    parser.add_argument("--images", type=int, default=300, help="mocks of each set")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    options = parser.parse_args()
    rows = measure(options.mocks, options.band, options.weights, options.images)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
