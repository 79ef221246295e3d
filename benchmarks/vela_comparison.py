"""Detections in the VELA07 image beside the sources that the group's settings extract from the group's own map of it (METHODS 3)."""

import json

import numpy as np
import real_images
from one_band import OneBandUNet

from astroclumps import ContrastDetector
from astroclumps.evaluation.matching import match

__all__ = ["compare_vela"]

GROUPS = 4  # of rank of brightness
RADII = (3.0, 6.0)  # native pixels of 0.03": 3 pixels of theirs, 3 pixels of ours
N_RANDOM = 200


def compare_vela(data, weights, cut, out):
    """Share of the group's sources that are found, by rank of brightness, and share of ours that have no partner; a picture."""
    x, y, _ = real_images.group_sources(data)
    light = _native(data)
    order = np.argsort(-_brightness(light, x, y))
    x, y = x[order], y[order]
    small, native = real_images.vela(data), real_images.vela(data, rebin=False)
    n_mesh = {mesh: len(real_images.group_sources(data, mesh)[0]) for mesh in (64, 128, 256)}
    report = {"group_sources": len(x), "group_sources_by_mesh": n_mesh, "finders": {}}
    finders = {
        'U-Net, 0.06" pixels': (small, OneBandUNet(weights=weights, threshold=cut), 2.0),
        'U-Net, 0.03" pixels': (native, OneBandUNet(weights=weights, threshold=cut), 1.0),
        'contrast, 0.03" pixels': (native, ContrastDetector(band="F606W", min_uv_fraction=0.0), 1.0),
    }
    places = {}
    for who, (image, detector, scale) in finders.items():
        found = detector.detect(image)
        # the middle of a pixel of 0.06" lies between two of 0.03"
        places[who] = tuple(found[axis].value * scale + (scale - 1) / 2 for axis in ("x", "y"))
        report["finders"][who] = {"n": len(found)} | _shares(x, y, *places[who], light)
        print(f"VELA07, {who}: {json.dumps(report['finders'][who])}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    _picture(light, x, y, places, out / "vela07.png")
    return report


def _shares(x, y, ours_x, ours_y, light):
    row = {}
    rng = np.random.default_rng(0)
    for radius in RADII:
        _, hit = match(ours_x, ours_y, x, y, radius=radius)
        found = np.zeros(len(x), dtype=bool)
        found[hit] = True
        by_rank = [float(part.mean()) for part in np.array_split(found, GROUPS)]
        random = [_matched(rng, light, len(ours_x), x, y, radius) for _ in range(N_RANDOM)]
        row[f"{radius:g}px"] = {
            "found": float(found.mean()),
            "by_rank": by_rank,
            "unmatched": float(1 - len(hit) / max(len(ours_x), 1)),
            "found_by_random_points": float(np.mean(random) / len(x)),
            "random_points_unmatched": float(1 - np.mean(random) / max(len(ours_x), 1)),
        }
    return row


def _matched(rng, light, n, x, y, radius):
    """How many of as many random points, drawn by the light, have a partner."""
    weight = np.clip(light, 0, None).ravel()
    place = rng.choice(light.size, n, p=weight / weight.sum(), replace=False)
    rows, columns = np.unravel_index(place, light.shape)
    return len(match(columns, rows, x, y, radius=radius)[0])


def _native(data):
    from astropy.io import fits

    light = fits.getdata(data / "vela" / f"{real_images.VELA}.fits").astype(float)
    return light - np.median(light)


def _brightness(light, x, y, radius=3.0):
    rows, columns = np.indices(light.shape)
    return np.array([light[np.hypot(columns - a, rows - b) <= radius].sum() for a, b in zip(x, y, strict=True)])


def _picture(light, x, y, places, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(places), figsize=(5 * len(places), 5.4), layout="constrained")
    shown = np.arcsinh(light / np.std(np.sort(light.ravel())[: light.size // 2]) / 3)
    for axes, (who, (ours_x, ours_y)) in zip(panels, places.items(), strict=True):
        axes.imshow(shown, origin="lower", cmap="gray")
        _, hit = match(ours_x, ours_y, x, y, radius=RADII[0])
        found = np.zeros(len(x), dtype=bool)
        found[hit] = True
        style = {"s": 90, "facecolors": "none", "linewidths": 1.3}
        axes.scatter(x[found], y[found], edgecolors="#40ff60", label="group's, found within 3 px", **style)
        axes.scatter(x[~found], y[~found], edgecolors="#ff7030", label="group's, not found", **style)
        axes.scatter(ours_x, ours_y, marker="+", color="#40c0ff", s=45, linewidths=1.2, label=f"ours: {len(ours_x)}")
        axes.set(title=who, xticks=[], yticks=[])
        axes.legend(fontsize=8, loc="lower left", labelcolor="white", facecolor="0.15", edgecolor="none")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
