"""One-to-one matching of detections with true clumps, completeness and purity."""

from typing import NamedTuple

import numpy as np

from astroclumps.arguments import one_number

__all__ = ["PurityScan", "completeness_at_purity", "match"]


def match(x, y, true_x, true_y, *, radius=3.0):
    """Match detections to true positions, one to one.

    The pairing has the largest number of pairs within the radius and, among those, the smallest sum of distances.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Detections, pixels.
    true_x, true_y : array_like, shape (m,)
        True positions, pixels.
    radius : float, default 3
        Largest distance of a pair in pixels (METHODS 3).

    Returns
    -------
    detection, truth : ndarray of int, shape (k,)
        Indices of the pairs.

    Examples
    --------
    >>> from astroclumps.evaluation.matching import match
    >>> match([0, 10], [0, 0], [1, 30], [0, 0])
    (array([0]), array([0]))
    """
    from scipy.optimize import linear_sum_assignment

    x, y, true_x, true_y = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, true_x, true_y))
    if x.size == 0 or true_x.size == 0:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    distance = np.hypot(x[:, None] - true_x, y[:, None] - true_y)
    far = 1e3 * radius * (1 + min(distance.shape))
    rows, columns = linear_sum_assignment(np.where(distance <= radius, distance, far))
    near = distance[rows, columns] <= radius
    return rows[near], columns[near]


class PurityScan(NamedTuple):
    """Result of `completeness_at_purity`.

    Attributes
    ----------
    completeness, purity, cut : float
        At the chosen cut; completeness 0 and cut inf where no cut reaches the purity.
    found : list of ndarray of bool
        For each image, which of its true clumps are found at the cut.
    per_image : float
        Detections an image at the cut.
    """

    completeness: float
    purity: float
    cut: float
    found: list
    per_image: float


def completeness_at_purity(detections, truth, *, purity=0.9, radius=3.0, cut=None):
    """Largest completeness that a cut on the score reaches at a given purity.

    Parameters
    ----------
    detections : list of (x, y, score)
        One tuple of arrays an image.
    truth : list of (x, y)
        One tuple of arrays an image.
    purity : float, default 0.9
        Least share of the kept detections that are matched.
    radius : float, default 3
        See `match`.
    cut : float, optional
        Use this cut (chosen on other images) instead of scanning.

    Returns
    -------
    scan : PurityScan

    Raises
    ------
    ValueError
        ``purity`` is no share, or the lists are of different images.

    Examples
    --------
    >>> from astroclumps.evaluation.matching import completeness_at_purity
    >>> scan = completeness_at_purity([([0, 9], [0, 0], [0.9, 0.2])], [([0.5], [0.0])])
    >>> scan.completeness, scan.purity, scan.cut
    (1.0, 1.0, 0.9)
    """
    one_number("purity", purity, "a share above 0 and at most 1, such as 0.9", lambda value: 0 < value <= 1)
    detections = [tuple(np.atleast_1d(np.asarray(v, dtype=float)) for v in d) for d in detections]
    truth = [tuple(np.atleast_1d(np.asarray(v, dtype=float)) for v in t) for t in truth]
    if len(detections) != len(truth):
        raise ValueError(f"detections and truth must list the same images, got {len(detections)} and {len(truth)}")
    total = sum(len(t[0]) for t in truth)

    def at(value):
        found, kept, hits = [], 0, 0
        for (x, y, score), (tx, ty) in zip(detections, truth, strict=True):
            keep = score >= value
            _, j = match(x[keep], y[keep], tx, ty, radius=radius)
            flags = np.zeros(len(tx), dtype=bool)
            flags[j] = True
            found.append(flags)
            kept, hits = kept + int(keep.sum()), hits + len(j)
        return PurityScan(hits / max(total, 1), hits / kept if kept else 1.0, float(value), found, kept / max(len(truth), 1))

    if cut is not None:
        return at(cut)
    scores = np.unique(np.concatenate([d[2] for d in detections])) if detections else np.zeros(0)
    if len(scores) > 200:
        scores = np.unique(np.quantile(scores, np.linspace(0, 1, 200), method="nearest"))
    best = at(np.inf)
    for value in scores:
        result = at(value)
        if result.purity >= purity and result.completeness >= best.completeness:
            best = result
    return best
