"""Detection of clumps: UNetDetector against classical finders on held-out mocks, and on real sky.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_detection.py --out FOLDER`` (half an hour on one core, most of it FOLKLORE). Every finder
gets the same 500 noisy Sersic mocks as `~astroclumps.MultiBandImage` with redshift and PSF, and is judged by the same one-to-one matching
within 3 pixels. The cut on its score that gives 90% purity is chosen on 500 validation mocks and applied to the test mocks; next to it
stands the best cut for the test mocks themselves. Errors are bootstraps over galaxies. It writes ``detection.json`` and
``detection_comparison.png``, and fails where the U-Net is not 15 points above the best classical finder.

``--tune`` prints the validation scores of all settings of the classical finders in `peers`. ``--real`` checks detectors on the XDF cut-outs
and on real blank sky of the folder that ``ASTROCLUMPS_REAL_DATA`` names, instead of the mocks.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import astropy.units as u
import numpy as np
import peers

from astroclumps import ContrastDetector, MultiBandImage, SersicMocks, UNetDetector, bands
from astroclumps.evaluation.matching import completeness_at_purity
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.training.dataset import MockSet, make_mock_set

PURITY = 0.9
LEAD = 0.15  # by which the U-Net is to be above the best classical finder
SETS = {"validation": (2, 1), "test": (3, 2)}  # seeds of the mocks and of their noise
RATIOS = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 1.0)  # clump over galaxy in the band of Guo et al. (2015)
N_BOOTSTRAP = 1000
BLANK = "b v i z f105 f125 f160".split()  # file names of the real sky, in the order of the bands
KNOTS = {"clumpyA": ([(26.2, 28.1), (33.0, 32.4)], 5), "bigD_bar": ([(18.6, 42.3)], 8)}  # to be found within 2 px, and most detections
BAR = (32.0, 44.5)


def guo(image):
    clumps = ContrastDetector().detect(image)
    return clumps["x"].value, clumps["y"].value, np.asarray(clumps["flux_fraction"])


def finders(weights):
    """Functions of an image, by name; those 'as published' are judged without a cut on a score."""
    card = UNetDetector(weights).card
    detector = UNetDetector(weights, threshold=float(card.get("floor", card["threshold"])))

    def unet(image):
        clumps = detector.detect(image)
        return clumps["x"].value, clumps["y"].value, np.asarray(clumps["score"])

    published = {"window": 20, "sigma_center": 3.5, "sigma_outer": 4.0, "sigma_split": 6.0, "min_filters": 3, "min_area": 3}
    return {
        "UNetDetector": unet,
        "ContrastDetector": peers.contrast,
        "FOLKLORE": peers.folklore,
        "sep": peers.sep_stack,
        "Guo et al. as published": guo,
        "FOLKLORE as published": partial(peers.folklore, inside=False, **published),
    }


def noisy_images(mocks, noise_seed):
    for i in range(len(mocks)):
        yield MultiBandImage(
            data=mocks.noisy(i, seed=noise_seed) * u.uJy,
            bands=bands.CANDELS,
            pixel_scale=0.06 * u.arcsec,
            psf=mocks.psf_fwhm[i] * u.arcsec,
            redshift=float(mocks.redshift[i]),
            name=f"mock {i}",
        )


def detect_all(name, folder, weights, n_images):
    """Detections of one finder on both sets, its speed and memory; runs in a process of its own."""
    warnings.simplefilter("ignore", AstroclumpsWarning)
    find = finders(weights)[name]
    found, cpu, wall, n_timed, ready = {}, 0.0, 0.0, 0, None
    for label, (_, noise_seed) in SETS.items():
        if "published" in name and label == "validation":
            continue
        images = noisy_images(MockSet(Path(folder) / label, n_images=n_images), noise_seed)
        found[label] = []
        for image in images:
            if ready is None:
                find(image)  # imports, weights, compilation
                ready = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            image.sky_rms  # noqa: B018  measured once for all finders
            start_wall, start = time.perf_counter(), time.process_time()
            found[label].append(tuple(np.asarray(part, dtype=float) for part in find(image)))
            cpu, wall, n_timed = cpu + time.process_time() - start, wall + time.perf_counter() - start_wall, n_timed + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found, {"images_per_cpu_second": n_timed / cpu, "images_per_second": n_timed / wall, "peak_memory_MB": peak / 1024}


def truth_of(mocks):
    clumps = [mocks.clumps(i) for i in range(len(mocks))]
    return [(part["x"], part["y"]) for part in clumps], [part["uv_ratio"] for part in clumps]


class Judged:
    """A finder at one cut on the test mocks, with bootstrap errors over galaxies."""

    def __init__(self, detections, truth, cut, draws):
        self.scan = completeness_at_purity(detections, truth, purity=PURITY, cut=cut)
        self.hits = np.array([part.sum() for part in self.scan.found])
        self.totals = np.array([len(part) for part in self.scan.found])
        self.kept = np.array([int((score >= cut).sum()) for _, _, score in detections])
        self.completeness = self.hits[draws].sum(axis=1) / np.maximum(self.totals[draws].sum(axis=1), 1)
        kept = self.kept[draws].sum(axis=1)
        self.purity = np.where(kept > 0, self.hits[draws].sum(axis=1) / np.maximum(kept, 1), 1.0)

    def numbers(self):
        return {
            "cut": self.scan.cut if np.isfinite(self.scan.cut) else None,
            "completeness": [self.scan.completeness, float(self.completeness.std())],
            "purity": [self.scan.purity, float(self.purity.std())],
            "per_image": [self.scan.per_image, float(self.kept.std() / np.sqrt(len(self.kept)))],
        }

    def by_ratio(self, ratios, draws):
        """Edges of each bin of flux ratio, its median ratio, number of clumps, completeness and error."""
        rows = []
        for low, high in pairwise(RATIOS):
            inside = [(r >= low) & (r < high) for r in ratios]
            hits = np.array([(f & i).sum() for f, i in zip(self.scan.found, inside, strict=True)])
            totals = np.array([i.sum() for i in inside])
            drawn = hits[draws].sum(axis=1) / np.maximum(totals[draws].sum(axis=1), 1)
            middle = float(np.median(np.concatenate([r[i] for r, i in zip(ratios, inside, strict=True)])))
            rows.append([low, high, middle, int(totals.sum()), float(hits.sum() / max(totals.sum(), 1)), float(drawn.std())])
        return rows


def curve(detections, truth, n=40):
    """(completeness, purity) along the cut."""
    scores = np.concatenate([score for _, _, score in detections])
    scores = scores[np.isfinite(scores)]
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, n), method="nearest")) if len(scores) else []
    scans = [completeness_at_purity(detections, truth, cut=cut) for cut in cuts]
    return [[scan.completeness, scan.purity] for scan in scans]


def compare(folder, weights, out, n_images, names):
    for label, (seed, _) in SETS.items():
        make_mock_set(folder / label, SersicMocks(seed=seed), n_images=n_images)
    sets = {label: truth_of(MockSet(folder / label, n_images=n_images)) for label in SETS}
    (truth, ratios), validation = sets["test"], sets["validation"][0]
    draws = np.random.default_rng(0).integers(0, len(truth), (N_BOOTSTRAP, len(truth)))
    report, judged = {"n_images": len(truth), "n_clumps": sum(len(x) for x, _ in truth), "weights": weights, "finders": {}}, {}
    for name in names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found, cost = pool.submit(detect_all, name, folder, weights, n_images).result()
        detections = found["test"]
        if "published" in name:
            cut, entry = -np.inf, {}
        else:
            chosen = completeness_at_purity(found["validation"], validation, purity=PURITY)
            best = completeness_at_purity(detections, truth, purity=PURITY)
            cut = chosen.cut
            entry = {
                "validation": [chosen.completeness, chosen.purity],
                "best_possible": Judged(detections, truth, best.cut, draws).numbers(),
                "curve": curve(detections, truth),
            }
        judged[name] = Judged(detections, truth, cut, draws)
        report["finders"][name] = entry | {"test": judged[name].numbers(), "by_ratio": judged[name].by_ratio(ratios, draws)} | cost
        test = report["finders"][name]["test"]
        print(f"{name}: completeness {_pm(test['completeness'])} at purity {_pm(test['purity'])}", flush=True)
    report["lead"] = _lead(judged, report)
    out.mkdir(parents=True, exist_ok=True)
    (out / "detection.json").write_text(json.dumps(report, indent=1))
    show(report)
    figure(report, out / "detection_comparison.png")
    return report


def _lead(judged, report):
    """How far the U-Net is above the best classical finder, with a paired bootstrap, at the cuts of validation and at the best ones."""
    classical = [name for name in judged if name != "UNetDetector" and "published" not in name]
    if "UNetDetector" not in judged or not classical:
        return None
    best = max(classical, key=lambda name: judged[name].scan.completeness)
    difference = judged["UNetDetector"].completeness - judged[best].completeness
    possible = {name: report["finders"][name]["best_possible"]["completeness"][0] for name in ("UNetDetector", *classical)}
    return {
        "over": best,
        "completeness": [judged["UNetDetector"].scan.completeness - judged[best].scan.completeness, float(difference.std())],
        "best_possible": possible["UNetDetector"] - max(possible[name] for name in classical),
    }


def _pm(pair):
    return f"{100 * pair[0]:5.1f} ± {100 * pair[1]:3.1f}%"


def show(report):
    print(f"\n{report['n_images']} test mocks, {report['n_clumps']} clumps; weights {report['weights']}; matching one to one within 3 px\n")
    print(f"{'':24s} {'completeness':>14s} {'purity':>14s} {'an image':>9s} {'best possible':>14s} {'images/CPU s':>12s} {'peak MB':>8s}")
    for name, entry in report["finders"].items():
        test, best = entry["test"], entry.get("best_possible")
        print(
            f"{name:24s} {_pm(test['completeness']):>14s} {_pm(test['purity']):>14s} {test['per_image'][0]:9.2f} "
            f"{_pm(best['completeness']) if best else '-':>14s} {entry['images_per_cpu_second']:12.1f} {entry['peak_memory_MB']:8.0f}"
        )
    print("\ncompleteness (%) by clump-to-galaxy flux ratio, at the cuts of validation")
    rows = {name: entry["by_ratio"] for name, entry in report["finders"].items()}
    bins = next(iter(rows.values()))
    print(f"{'':24s} " + " ".join(f"{f'{low:g}-{high:g}':>12s}" for low, high, *_ in bins))
    print(f"{'clumps':24s} " + " ".join(f"{n:12d}" for _, _, _, n, *_ in bins))
    for name, row in rows.items():
        print(f"{name:24s} " + " ".join(f"{f'{100 * c:.1f} ± {100 * e:.1f}':>12s}" for *_, c, e in row))
    if report["lead"]:
        lead = report["lead"]
        print(f"\nUNetDetector is {100 * lead['completeness'][0]:.1f} ± {100 * lead['completeness'][1]:.1f} points above {lead['over']}")
        print(f"at the best possible cuts it is {100 * lead['best_possible']:.1f} points above the best classical finder")


def figure(report, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fig, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for (name, entry), marker in zip(report["finders"].items(), "osD^vP", strict=False):
        rows = np.array(entry["by_ratio"])
        style = {"linestyle": ":", "alpha": 0.7} if "published" in name else {}
        line = left.errorbar(100 * rows[:, 2], 100 * rows[:, 4], 100 * rows[:, 5], marker=marker, capsize=2, label=name, **style)
        color = line.lines[0].get_color()
        if entry.get("curve"):
            right.plot(*(100 * np.array(entry["curve"])).T, color=color)
        test = entry["test"]
        right.errorbar(
            100 * test["completeness"][0], 100 * test["purity"][0], 100 * test["purity"][1], 100 * test["completeness"][1],
            color=color, marker=marker, capsize=2,
        )  # fmt: skip
    left.set(xscale="log", xlabel="clump / galaxy in the rest-frame ultraviolet (%)", ylabel="completeness (%)", ylim=(-3, 103))
    left.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    left.legend(fontsize=8, loc="upper left", frameon=False)
    right.axhline(100 * PURITY, color="0.6", linewidth=0.8)
    right.set(xlabel="completeness (%)", ylabel="purity (%)", xlim=(-3, 103), ylim=(-3, 103))
    title = f"{report['n_images']} Sersic mocks, {report['n_clumps']} clumps; points: cut for 90% purity chosen on validation mocks"
    fig.suptitle(title, fontsize=10)
    fig.savefig(path, dpi=150)
    pyplot.close(fig)


def tune(folder, n_images, names):
    """Completeness at 90% purity of every setting of the classical finders on validation mocks."""
    warnings.simplefilter("ignore", AstroclumpsWarning)
    seed, noise_seed = SETS["validation"]
    mocks = make_mock_set(folder / "validation", SersicMocks(seed=seed), n_images=n_images)
    truth, _ = truth_of(mocks)
    images = list(noisy_images(mocks, noise_seed))
    for name in names:
        rows = []
        for setting in peers.SETTINGS[name]:
            found = [peers.PEERS[name](image, score=None, **setting) for image in images]
            for score in found[0][2]:
                scan = completeness_at_purity([(x, y, values[score]) for x, y, values in found], truth, purity=PURITY)
                rows.append((scan.completeness, {**setting, "score": score}))
                print(f"{name:10s} {scan.completeness:.3f} at purity {scan.purity:.3f}  {rows[-1][1]}", flush=True)
        print(f"best of {name}: {max(rows, key=lambda row: row[0])}\n", flush=True)


def real(data, weights, n_tiles):
    """Known knots in two XDF galaxies, and what is found on blank sky; returns what fails."""
    warnings.simplefilter("ignore", AstroclumpsWarning)
    failures = []
    for detector in (UNetDetector(weights), ContrastDetector()):
        who = type(detector).__name__
        for name, (knots, most) in KNOTS.items():
            image = MultiBandImage.read(data / "hst_xdf" / f"cutout64_{name}.fits", redshift=1.5)  # an assumption
            clumps = detector.detect(image)
            x, y = clumps["x"].value, clumps["y"].value
            away = [float(np.hypot(x - a, y - b).min()) if len(x) else np.inf for a, b in knots]
            print(f"{who}, {name}: {len(x)} found, knots at {', '.join(f'{d:.1f}' for d in away)} px; ", end="")
            print(", ".join(f"({a:.1f}, {b:.1f}) {s:.2f}" for a, b, s in zip(x, y, clumps["score"], strict=True)))
            bar = name == "bigD_bar" and len(x) and np.hypot(x - BAR[0], y - BAR[1]).min() <= 2
            if max(away) > 2 or len(x) > most or bar:
                failures.append(f"{who}: {name}")
        fields = [blank_sky(data, number) for number in (1, 2)]
        corners = [(i, j) for i in (0, 64) for j in (0, 64)]
        aligned = [sum(len(detector.detect(sky_image(field[:, i : i + 64, j : j + 64]))) for i, j in corners) for field in fields]
        rng, counts = np.random.default_rng(0), np.zeros(n_tiles, dtype=int)
        for tile in range(n_tiles):
            planes = []
            for band in range(len(BLANK)):
                i, j = rng.integers(0, 65, 2)
                planes.append(np.rot90(fields[rng.integers(2)][band, i : i + 64, j : j + 64], rng.integers(4)))
            counts[tile] = len(detector.detect(sky_image(np.stack(planes))))
        error = counts.std() / np.sqrt(n_tiles)
        print(f"{who}, blank sky: {sum(aligned)} on 8 aligned tiles, ", end="")
        print(f"{counts.mean():.4f} ± {error:.4f} a tile on {n_tiles} mixed ones\n", flush=True)
        if sum(aligned) or counts.mean() >= 0.1:
            failures.append(f"{who}: blank sky")
    return failures


def blank_sky(data, number):
    """One field in uJy, (band, y, x), by the zeropoints of the headers."""
    from astropy.io import fits

    planes = []
    for name in BLANK:
        values, header = fits.getdata(data / "candels_sky" / f"bk_{name}_{number}.fits", header=True)
        zeropoint = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
        planes.append(values.astype(float) * 10 ** (-0.4 * (zeropoint - 23.9)))
    return np.stack(planes)


def sky_image(planes):
    return MultiBandImage(data=planes * u.uJy, bands=bands.CANDELS, pixel_scale=0.06 * u.arcsec, redshift=1.5, name="blank sky")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocks", type=Path, default=Path(tempfile.gettempdir(), "astroclumps-mocks"), help="where mocks are kept")
    parser.add_argument("--out", type=Path, default=Path("detection-results"), help="where the results go")
    parser.add_argument("--weights", default="default", help="of the U-Net: name, name:version or path")
    parser.add_argument("--images", type=int, default=500, help="mocks of each set")
    parser.add_argument("--finders", nargs="+", help="only these")
    parser.add_argument("--tune", action="store_true", help="try the settings of the classical finders on validation mocks")
    parser.add_argument("--real", action="store_true", help="real images instead of mocks")
    parser.add_argument("--tiles", type=int, default=2000, help="tiles of blank sky")
    options = parser.parse_args()
    if options.tune:
        return tune(options.mocks, options.images, options.finders or list(peers.PEERS))
    if options.real:
        if "ASTROCLUMPS_REAL_DATA" not in os.environ:
            sys.exit("set ASTROCLUMPS_REAL_DATA to the folder of the real images")
        failures = real(Path(os.environ["ASTROCLUMPS_REAL_DATA"]), options.weights, options.tiles)
        failures = [failure for failure in failures if failure.startswith("UNetDetector")]
        return sys.exit(f"failed: {', '.join(failures)}" if failures else 0)
    report = compare(options.mocks, options.weights, options.out, options.images, options.finders or list(finders(options.weights)))
    if report["lead"] and report["lead"]["completeness"][0] < LEAD:
        sys.exit(f"UNetDetector is less than {100 * LEAD:.0f} points above {report['lead']['over']}")


if __name__ == "__main__":
    main()
