"""Any weights on real images: known knots, blank sky, a VELA image beside the group's own map, clumps put into XDF and COSMOS galaxies.

Run ``python benchmarks/bench_real.py --data FOLDER [--weights unet=FILE cnn=FILE] [--out FOLDER]`` (half an hour on one core). It writes
``real.json`` and the figures, and fails where a network misses a knot, takes the bar for a clump, or sees clumps in blank sky.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import astropy.units as u
import numpy as np
import real_images
from one_band import OneBandUNet, RankedContrast, RankedSep, cut_for_purity, mock_images, seen
from vela_comparison import compare_vela

from astroclumps import ContrastDetector, LongevityClassifier, UNetDetector, plotting
from astroclumps.evaluation.injection import Injection
from astroclumps.evaluation.injection_curves import completeness_curve, half_flux
from astroclumps.exceptions import AstroclumpsWarning

KNOTS = {"clumpyA": ([(26.2, 28.1), (33.0, 32.4)], 5), "bigD_bar": ([(18.5, 42.3)], 8)}  # to be found within 2 px, and most detections
BAR = (32.0, 44.5)
MOST_ON_SKY = 0.05  # detections on a tile of mixed blank sky
RATIO = (0.005, 0.5)
BINS = np.geomspace(*RATIO, 9)


def knots(data, weights):
    """Where detections lie from the knots of two XDF galaxies, and the probability that they are long-lived."""
    rows = {}
    classifier = LongevityClassifier(weights["cnn"])
    for who, detector in {"U-Net": UNetDetector(weights["unet"]), "contrast": ContrastDetector()}.items():
        for name, (places, most) in KNOTS.items():
            image = real_images.xdf_knots(data, name)
            clumps = detector.detect(image)
            x, y = clumps["x"].value, clumps["y"].value
            away = [float(np.hypot(x - a, y - b).min()) if len(x) else None for a, b in places]
            p_long = np.asarray(classifier.classify(image, clumps)["p_long"]) if len(x) else []
            rows[f"{who}, {name}"] = {
                "knots_away_px": away,
                "found": all(d is not None and d <= 2 for d in away),
                "n": len(x),
                "bar_taken": bool(name == "bigD_bar" and len(x) and np.hypot(x - BAR[0], y - BAR[1]).min() <= 2),
                "at_most": most,
                "detections": [
                    [round(float(v), 3) for v in row] for row in zip(x, y, np.asarray(clumps["score"]), p_long, strict=True)
                ],
            }  # fmt: skip
            print(f"{who}, {name}: {rows[f'{who}, {name}']}", flush=True)
    return rows


def blank(data, weights, cuts, n_tiles):
    """Detections on blank CANDELS sky: aligned tiles, and tiles of which each band has its own offset and turn."""
    fields = [real_images.blank_field(data, number) for number in (1, 2)]
    corners = [(i, j) for i in (0, 64) for j in (0, 64)]
    aligned = [real_images.sky_image(field[:, i : i + 64, j : j + 64]) for field in fields for i, j in corners]
    rng, mixed = np.random.default_rng(0), []
    for _ in range(n_tiles):
        planes = []
        for band in range(len(real_images.SKY_FILES)):
            i, j = rng.integers(0, 65, 2)
            planes.append(np.rot90(fields[rng.integers(2)][band, i : i + 64, j : j + 64], rng.integers(4)))
        mixed.append(real_images.sky_image(np.stack(planes)))
    rows = {}
    finders = {"U-Net": (UNetDetector(weights["unet"]), None), "contrast": (ContrastDetector(), None)}
    for band, cut in cuts.items():
        finders[f"U-Net, {band} in four planes"] = (OneBandUNet(weights=weights["unet"], threshold=cut), band)
    for who, (detector, band) in finders.items():

        def count(images, detector=detector, band=band):
            return np.array([len(x) for x, _, _ in seen(detector, images if band is None else [one.select([band]) for one in images])])

        here, there = count(aligned), count(mixed)
        rows[who] = {
            "aligned": int(here.sum()),
            "mixed": float(there.mean()),
            "mixed_error": float(there.std() / np.sqrt(len(there))),
            "tiles": n_tiles,
        }
        print(f"blank sky, {who}: {rows[who]}", flush=True)
    return rows


def at_equal_numbers(detector, images, n):
    """The detector with the cut on its score at which it finds ``n`` sources in the images."""
    scores = np.sort(np.concatenate([score for *_, score in seen(detector, images)]))[::-1]
    cut = float(scores[min(n, len(scores)) - 1]) if n and len(scores) else np.inf
    return type(detector)(**{name: getattr(detector, name) for name in ("band",) if hasattr(detector, name)}, cut=cut)


def inject(name, images, unet, published, tuned, out, options, **settings):
    """Completeness of the U-Net, of the published contrast finder, and of others at as many detections an image as the U-Net."""
    n = sum(len(x) for x, _, _ in seen(unet, images))
    equal = {f"{who}, as many as U-Net": at_equal_numbers(detector, images, n) for who, detector in tuned.items()}
    detectors = {"U-Net": unet, "contrast, published": published} | equal
    clumps = Injection(ratio=RATIO, radii=(0.5, 3.0), repeats=options.repeats, seed=1, **settings).run(images, detectors)
    out.mkdir(parents=True, exist_ok=True)
    clumps.write(out / f"injection_{name}.ecsv", format="ascii.ecsv", overwrite=True)
    galaxies, n_clumps = len(set(clumps["image"])), int((np.asarray(clumps["detector"]) == "U-Net").sum())
    title = f"{n_clumps} clumps in {galaxies} {name} galaxies"
    plotting.plot_injection(clumps, out / f"injection_{name}.png", by="ratio", bins=BINS, title=title)
    curve = completeness_curve(clumps, by="ratio", bins=BINS)
    report = {"galaxies": galaxies, "clumps": n_clumps, "finders": {}}
    for who in detectors:
        mine = clumps[np.asarray(clumps["detector"]) == who]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)
            fits = {by: half_flux(clumps, by=by, detector=who) for by in ("ratio", "flux")}
        first = np.unique(np.asarray(mine["image"]), return_index=True)[1]
        rows = curve[np.asarray(curve["detector"]) == who]
        found, bright, far = np.asarray(mine["found"]), np.asarray(mine["ratio"]) > 0.08, np.asarray(mine["r_norm"]) > 2
        report["finders"][who] = {
            "detections_an_image": float(np.mean(mine["n_before"][first])),
            "lost": float(np.mean(mine["n_lost"])),
            "extra": float(np.mean(mine["n_extra"])),
            "found": float(np.mean(mine["found"])),
            "found_above_8_per_cent": float(np.mean(found[bright])),
            "found_above_8_per_cent_by_distance": {
                name: [float(np.mean(found[part])) if part.any() else None, int(part.sum())]
                for name, part in {"within 2 half-light radii": bright & ~far, "beyond": bright & far}.items()
            },
            "half_ratio": _plain(fits["ratio"]),
            "half_flux_uJy": _plain(fits["flux"]),
            "curve": [[float(row[key]) for key in ("middle", "n", "completeness", "lower", "upper", "error")] for row in rows],
        }
        print(f"{name}, {who}: " + json.dumps({k: v for k, v in report["finders"][who].items() if k != "curve"}), flush=True)
    return report


def _plain(fit):
    return {key: (value if np.isfinite(value) else None) for key, value in fit._asdict().items()}


def failures(report):
    """What a network must do and does not."""
    told = []
    for name, row in report.get("knots", {}).items():
        if name.startswith("U-Net") and (not row["found"] or row["bar_taken"] or row["n"] > row["at_most"]):
            told.append(f"knots of {name}")
    sky = report.get("blank", {}).get("U-Net")
    if sky and (sky["aligned"] or sky["mixed"] >= MOST_ON_SKY):
        told.append("blank sky")
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ASTROCLUMPS_REAL_DATA"), help="folder of the real images")
    parser.add_argument("--weights", nargs="+", default=[], metavar="KIND=SPEC", help="unet=... and cnn=...: names or files")
    parser.add_argument("--out", type=Path, default=Path("real-results"))
    parser.add_argument("--mocks", type=Path, default=Path(tempfile.gettempdir(), "astroclumps-one-band"), help="where mocks are kept")
    parser.add_argument("--images", type=int, default=300, help="mocks for the cut of a network that sees one band")
    parser.add_argument("--tiles", type=int, default=2000, help="tiles of mixed blank sky")
    parser.add_argument("--repeats", type=int, default=40, help="copies of each galaxy")
    parser.add_argument("--only", nargs="+", choices=("knots", "blank", "vela", "xdf", "cosmos"), help="these parts")
    options = parser.parse_args()
    if not options.data:
        sys.exit("give --data, or set ASTROCLUMPS_REAL_DATA to the folder of the real images")
    data = Path(options.data)
    weights = {"unet": "default", "cnn": "default"} | dict(one.split("=", 1) for one in options.weights)
    parts = set(options.only or ("knots", "blank", "vela", "xdf", "cosmos"))
    warnings.simplefilter("ignore", AstroclumpsWarning)
    start = time.perf_counter()
    report, cuts = {"weights": weights}, {}
    for band, users in {"F606W": {"vela", "blank"}, "F775W": {"cosmos", "blank"}}.items():
        if parts & users:  # F775W mocks stand for F814W
            cuts[band] = cut_for_purity(
                OneBandUNet(weights=weights["unet"], threshold=0.05), *mock_images(options.mocks, "validation", options.images, band)
            )
    report["one_band_cuts"] = cuts
    print(f"cuts of the network that sees one band in four planes, for 90% purity on mocks: {cuts}", flush=True)
    if "knots" in parts:
        report["knots"] = knots(data, weights)
    if "blank" in parts:
        report["blank"] = blank(data, weights, cuts, options.tiles)
    if "vela" in parts:
        report["vela"] = compare_vela(data, weights["unet"], cuts["F606W"], options.out)
    if "xdf" in parts:
        report["xdf"] = inject(
            "XDF", real_images.xdf_galaxies(data), UNetDetector(weights["unet"]), ContrastDetector(band="F606W"),
            {"contrast": RankedContrast(band="F606W"), "sep": RankedSep()}, options.out, options,
            band="F606W", colour="flat", size=[0.02, 0.06] * u.arcsec,
        )  # fmt: skip
    if "cosmos" in parts:
        report["cosmos"] = inject(
            "COSMOS", real_images.cosmos_galaxies(data), OneBandUNet(weights=weights["unet"], threshold=cuts["F775W"]),
            ContrastDetector(band="F814W"), {"contrast": RankedContrast(band="F814W"), "sep": RankedSep()}, options.out, options,
            band="F814W", colour="flat", size=[0.1, 0.5] * u.kpc, exposure=real_images.COSMOS_EXPOSURE,
        )  # fmt: skip
    report["seconds"] = time.perf_counter() - start
    report["failures"] = failures(report)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "real.json").write_text(json.dumps(report, indent=1))
    print(f"written to {options.out} in {report['seconds']:.0f} s")
    if report["failures"]:
        sys.exit(f"failed: {', '.join(report['failures'])}")


if __name__ == "__main__":
    main()
