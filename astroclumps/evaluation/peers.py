"""Classical finders of clumps, to compare networks with: contrast (Guo et al. 2015), FOLKLORE and SExtractor.

Each is a function of a `~astroclumps.MultiBandImage` that gives x, y (pixels) and a score by which its detections can be ranked.
Default settings are those with the highest completeness at 90% purity on 500 Sersic mocks that nothing else was done with
(``benchmarks/bench_detection.py --tune``). Each may leave out the galaxy's centre and what lies outside the galaxy, because all of them
gain by it.
"""

import warnings

import numpy as np

from astroclumps.detection.contrast import ContrastDetector
from astroclumps.detection.galaxy import box_mean, galaxies
from astroclumps.exceptions import AstroclumpsWarning

__all__ = ["PEERS", "contrast", "folklore", "sep_stack"]

CENTRE = 2.5  # pixels around the galaxy's centre in which a source is its bulge
OPTICAL = ("F435W", "F606W", "F775W", "F850LP")


def contrast(image, *, box=3, n_sigma=4.0, min_pixels=1, score="brightness"):
    """`ContrastDetector` with every source that it finds.

    Score: ``signal`` (peak over the clipped scatter), ``fraction`` (part of the galaxy's ultraviolet light) or ``brightness`` (that
    part over the number of pixels).
    """
    detector = ContrastDetector(box=box, n_sigma=n_sigma, min_pixels=min_pixels, min_uv_fraction=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        clumps = detector.detect(image)
    fraction = np.asarray(clumps["flux_fraction"])
    scores = {"signal": clumps["score"], "fraction": fraction, "brightness": fraction / np.maximum(clumps["n_pixels"], 1)}
    return _outside_centre([], clumps["x"].value, clumps["y"].value, scores, score)


def folklore(
    image, *, bands=None, sigma_center=3.0, sigma_outer=3.5, sigma_split=4.0, min_area=3, window=6, smooth=None, percentiles=(50, 95),
    min_filters=2, inside=True, score="brightness",
):  # fmt: skip
    """FOLKLORE 0.1.3: contrast with a median-filtered background in each band, matched across bands.

    All steps are calls of the package's functions. Score of a source, which FOLKLORE does not give: the highest contrast in its pixels,
    as the ``mean`` or ``max`` over the bands, or ``brightness`` (mean flux of its pixels over that of the galaxy, in the collapsed cube).
    """
    import folklore as fm

    image = image if bands is None else image.select([name for name in bands if name in image.bands])
    cube = image.data.astype(float)
    # units of the sky rms, so that the collapsed cube is not one band's
    rms = np.where(image.sky_rms > 0, image.sky_rms, 1.0)
    collapsed = fm.collapse_cube(cube / rms[:, None, None])
    masks = fm.build_galaxy_masks(collapsed, percentiles=percentiles)["masks"]
    region, center = masks[min(masks)], masks[max(masks)]
    found = galaxies(image)
    if inside:
        region = region & _inside(found, collapsed.shape)
    maps, pixels = [], {}
    for name, plane in zip(image.bands, cube, strict=True):
        contrast_map, *_ = fm.build_contrast_map(plane, region, sigma_smooth=smooth, bkg_size=window, sigma_size=window)
        maps.append(np.nan_to_num(contrast_map, nan=0.0))
        candidates = fm.select_candidate_pixels(contrast_map, region, center, sigma_center=sigma_center, sigma_outer=sigma_outer)
        labels = fm.refine_hierarchical(contrast_map, candidates, sigma_split=sigma_split)
        for label in range(1, labels.max() + 1):
            y, x = np.nonzero(labels == label)
            if len(x) >= min_area:
                pixels[name, label] = set(zip(x.tolist(), y.tolist(), strict=True))
    graph = fm.build_overlap_graph(fm.compute_clump_overlaps(pixels))
    graph.add_nodes_from(pixels)  # sources of one band, for min_filters = 1
    components = fm.find_final_clumps(graph, min_filters=min_filters)
    maps, rows = np.array(maps), []
    body = collapsed[_inside(found, collapsed.shape)].sum() if found else np.nan
    for _, group in components.groupby("clump_id"):
        x, y = np.array(sorted(set.union(*(pixels[key] for key in zip(group["filter"], group["label"], strict=True))))).T
        peaks = maps[:, y, x].max(axis=1)
        weight = np.clip(maps[:, y, x].mean(axis=0), 1e-9, None)
        place = np.average(x, weights=weight), np.average(y, weights=weight)
        rows.append((*place, peaks.mean(), peaks.max(), collapsed[y, x].mean() / body))
    x, y, mean, highest, brightness = np.array(rows).reshape(-1, 5).T
    return _outside_centre(found, x, y, {"mean": mean, "max": highest, "brightness": brightness}, score)


def sep_stack(
    image, *, bands="all", mesh="3b", threshold=4.0, min_pixels=1, deblending=0.005, kernel=False, inside=True, score="brightness"
):
    """SExtractor (`sep`) on the stack of some bands, each weighted by its inverse variance, after subtraction of a background.

    With a background of its own, ``sep.Background``, it finds little inside galaxies; the boxcar serves it better, and makes a contrast
    finder of it.

    ``bands``: ``ultraviolet`` (one band, by redshift), ``optical`` or ``all``. ``mesh`` in pixels is that of the background, 0 for
    none; a number with ``b`` (``"8b"``) subtracts a boxcar mean of that side instead. Score: ``signal`` (peak over the rms),
    ``fraction`` (flux over the galaxy's in the stack) or ``brightness`` (that over the number of pixels).
    """
    import sep

    names = {"ultraviolet": (_ultraviolet(image.redshift),), "optical": OPTICAL, "all": image.bands}[bands]
    use = [image.bands.index(name) for name in names if name in image.bands]
    weight = 1 / np.maximum(image.sky_rms[use], 1e-12) ** 2
    stack = np.einsum("b,byx->yx", weight, image.data[use].astype(float)) / weight.sum()
    rms = (weight.sum()) ** -0.5
    if isinstance(mesh, str):
        flat = stack - box_mean(stack, np.ones(stack.shape, dtype=bool), int(mesh.rstrip("b")))
    else:
        flat = stack - sep.Background(np.ascontiguousarray(stack), bw=mesh, bh=mesh).back() if mesh else stack
    taps = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=float) if kernel else None
    sources = sep.extract(
        np.ascontiguousarray(flat), threshold * rms, minarea=min_pixels, filter_kernel=taps, deblend_nthresh=32, deblend_cont=deblending
    )
    found = galaxies(image)
    body = stack[_inside(found, stack.shape)].sum() if found else np.nan
    scores = {"signal": sources["peak"] / rms, "fraction": sources["flux"] / body, "brightness": sources["flux"] / body / sources["npix"]}
    x, y = sources["x"], sources["y"]
    if inside:
        keep = _inside(found, stack.shape)[np.round(y).astype(int), np.round(x).astype(int)]
        x, y, scores = x[keep], y[keep], {name: value[keep] for name, value in scores.items()}
    return _outside_centre(found, x, y, scores, score)


def _ultraviolet(redshift):
    return "F435W" if redshift < 1 else "F606W" if redshift < 2 else "F775W" if redshift < 3 else "F850LP"


def _inside(found, shape):
    mask = np.zeros(shape, dtype=bool)
    for galaxy in found:
        mask[galaxy.window] |= galaxy.footprint
    return mask


def _outside_centre(found, x, y, scores, score):
    """Positions and the score asked for, or all of them by name where None is."""
    keep = np.ones(len(x), dtype=bool)
    for galaxy in found:
        keep &= np.hypot(x - galaxy.x, y - galaxy.y) > CENTRE
    ranked = {name: np.nan_to_num(np.asarray(value, dtype=float)[keep], nan=-np.inf) for name, value in scores.items()}
    return x[keep], y[keep], ranked if score is None else ranked[score]


PEERS = {"contrast": contrast, "folklore": folklore, "sep": sep_stack}
"""The finders by name."""
