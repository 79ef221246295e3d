"""What the stamps around detections show: the class that the longevity network learns and is judged by (paper section 3.2.2, METHODS 4)."""

import numpy as np

from astroclumps.arguments import one_number
from astroclumps.longevity.stamps import STAMP, stamp_origin

__all__ = ["PURE", "stamp_classes"]

PURE = 0.9
"""C_0: a stamp is long-lived when at least this mass-weighted share of its clumps is (paper section 3.2.2)."""

_MIN_STARS = 10
_NEAR = 3.0  # pixels: a detection is of the clump that is so near


def stamp_classes(clumps, x, y, *, size=STAMP, pure=PURE):
    """Classes of the stamps around detections in one image.

    The class is the mass-weighted mean over the 3D clumps inside, short-lived 0 and long-lived 1; zero-lifetime and ex-situ clumps, the
    bulge and clumps of fewer than 10 stars are ignored.

    Parameters
    ----------
    clumps : dict of ndarray, shape (k,)
        As of `~astroclumps.training.galaxy_set.GalaxySet.clumps`.
    x, y : array_like, shape (n,)
        Detections, pixels.
    size : int, default 10
        Side in pixels of the square whose clumps make the class; the paper's is the stamp (section 4.1). In a crowded galaxy the
        heaviest clump in a stamp is often not the one that was detected, and a smaller square asks for that one.
    pure : float, default 0.9
        C_0.

    Returns
    -------
    stamps : dict of ndarray, shape (n,)
        ``label``: 'LLC' where the mean is at least C_0, 'SLC' where it is less, 'ZLC' where all the clumps inside that count are
        zero-lifetime ones, '' else; ``share``: the mean, NaN without long- and short-lived ones; ``mass``: of long- and short-lived ones,
        Msun; ``mass_zlc``: of the zero-lifetime ones; ``row``: the most massive of those that make the class (of a 'ZLC' stamp: of its
        zero-lifetime ones), -1 where there is none; ``nearest``: row of the nearest clump of any kind within 3 pixels, -1 for none.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.evaluation.stamp_truth import stamp_classes
    >>> clumps = {"x": np.array([20.0, 22.0]), "y": np.array([20.0, 22.0]), "mass": np.array([9e7, 2e7]), "n_stars": np.array([50, 50])}
    >>> clumps |= {"longevity": np.array(["LLC", "SLC"]), "origin": np.array(["in situ", "in situ"])}
    >>> stamps = stamp_classes(clumps, [20.5, 40.0], [20.5, 40.0])
    >>> stamps["label"].tolist(), stamps["share"].round(3).tolist()
    (['SLC', ''], [0.818, nan])
    """
    one_number("size", size, "a whole number of pixels, at least 1", lambda value: value.is_integer() and value >= 1)
    x, y = np.atleast_1d(np.asarray(x, dtype=float)), np.atleast_1d(np.asarray(y, dtype=float))
    tx, ty, mass = (np.asarray(clumps[name], dtype=float) for name in ("x", "y", "mass"))
    resolved = np.asarray(clumps["n_stars"]) >= _MIN_STARS
    in_situ, longevity = resolved & (clumps["origin"] == "in situ"), np.asarray(clumps["longevity"])
    long, short, zero = (in_situ & (longevity == name) for name in ("LLC", "SLC", "ZLC"))
    column, row = stamp_origin(x, y, size=size)
    inside = (tx >= column[:, None] - 0.5) & (tx < column[:, None] + size - 0.5)
    inside &= (ty >= row[:, None] - 0.5) & (ty < row[:, None] + size - 0.5)
    weighed = inside * mass
    total, lived = weighed[:, long | short].sum(axis=1), weighed[:, long].sum(axis=1)
    empty = weighed[:, zero].sum(axis=1)
    share = np.where(total > 0, lived / np.where(total > 0, total, 1), np.nan)
    label = np.where(total > 0, np.where(share >= pure, "LLC", "SLC"), np.where(empty > 0, "ZLC", ""))
    leader, nearest = np.full(len(x), -1), np.full(len(x), -1)
    if len(tx):
        making = np.where(total[:, None] > 0, weighed * (long | short), weighed * zero)
        leader = np.where(making.max(axis=1) > 0, making.argmax(axis=1), -1)
        away = np.where(resolved, np.hypot(x[:, None] - tx, y[:, None] - ty), np.inf)
        nearest = np.where(away.min(axis=1) <= _NEAR, away.argmin(axis=1), -1)
    return {"label": label.astype("U3"), "share": share, "mass": total, "mass_zlc": empty, "row": leader, "nearest": nearest}
