"""From a map (probability, or signal-to-noise) to a table of sources and a segmentation with the same ids."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import QTable

from astroclumps import catalog

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from astroclumps.image import MultiBandImage

__all__ = ["Detections", "detection_table", "extract"]


class Detections(NamedTuple):
    """What a detector saw in one image.

    Attributes
    ----------
    clumps : `~astropy.table.QTable`
        Table of stage ``detected`` (see `astroclumps.catalog`).
    segmentation : ndarray of int32, shape (y, x)
        0 is background; other values are the ``id`` of a row of ``clumps``.
    map : ndarray of float32, shape (y, x)
        The map that the sources were extracted from.
    """

    clumps: QTable
    segmentation: np.ndarray
    map: np.ndarray


def extract(
    source_map: "ArrayLike",
    *,
    threshold: float,
    min_pixels: int = 4,
    mask: "ArrayLike | None" = None,
    deblend_levels: Any = 32,
    deblend_contrast: Any = 1e-4,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Extract sources from a map with SExtractor's algorithm (`sep`).

    The group's configuration is the default: at least 4 connected pixels, no filter, 32 deblending levels, minimum
    contrast 1e-4, cleaning 1.0 (METHODS 3). The threshold is absolute, because a sigmoid map has almost no scatter in
    its background and a threshold in units of that scatter would mean nothing.

    Parameters
    ----------
    source_map : array_like of float, shape (y, x)
        The map. NaN counts as 0.
    threshold : float
        Least value of a source's pixels, in the unit of the map.
    min_pixels : int, optional
        Least number of connected pixels.
    mask : array_like of bool, shape (y, x), optional
        True where the map is to be ignored.
    deblend_levels, deblend_contrast : optional
        SExtractor's DEBLEND_NTHRESH and DEBLEND_MINCONT.

    Returns
    -------
    x, y : ndarray of float, shape (n,)
        Map-weighted centres in pixels; (0, 0) is the centre of the first pixel.
    score : ndarray of float, shape (n,)
        Highest value of the map in the source. Sources are sorted by it, highest first.
    n_pixels : ndarray of int, shape (n,)
        Number of pixels above the threshold.
    segmentation : ndarray of int32, shape (y, x)
        i + 1 on the pixels of source i.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.detection.sources import extract
    >>> m = np.zeros((20, 20)); m[4:6, 9:11] = 0.9
    >>> x, y, score, n_pixels, segmentation = extract(m, threshold=0.5)
    >>> x, y
    (array([9.5]), array([4.5]))
    """
    import sep

    work = np.nan_to_num(np.asarray(source_map, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if work.ndim != 2:
        raise ValueError(f"a source map has 2 dimensions (y, x), got shape {work.shape}")
    if mask is not None:
        work = np.where(mask, np.float32(0), work)
    work = np.ascontiguousarray(work)
    # sep keeps every pixel above the threshold on one stack; its default of 300,000 is too small for a mosaic
    above = int(np.count_nonzero(work > threshold))
    sep.set_extract_pixstack(max(300_000, 2 * above))
    objects, segmentation = sep.extract(
        work,
        float(threshold),
        minarea=int(min_pixels),
        filter_kernel=None,
        deblend_nthresh=int(deblend_levels),
        deblend_cont=float(deblend_contrast),
        clean=True,
        clean_param=1.0,
        segmentation_map=True,
    )
    order = np.argsort(-objects["peak"], kind="stable")
    new_label = np.zeros(len(objects) + 1, dtype=np.int32)
    new_label[order + 1] = np.arange(1, len(objects) + 1)
    return (
        np.asarray(objects["x"][order], dtype=float),
        np.asarray(objects["y"][order], dtype=float),
        np.asarray(objects["peak"][order], dtype=float),
        np.asarray(objects["npix"][order], dtype=np.int64),
        new_label[segmentation],
    )


def detection_table(
    image: "MultiBandImage", x: "ArrayLike", y: "ArrayLike", score: "ArrayLike", n_pixels: "ArrayLike", *, history: str
) -> QTable:
    """Build a table of stage ``detected`` for an image.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Where the sources are; its WCS, if any, gives the column ``sky``.
    x, y : array_like, shape (n,)
        Pixel coordinates.
    score, n_pixels : array_like, shape (n,)
        See `extract`.
    history : str
        Line for ``meta["history"]``.

    Returns
    -------
    clumps : `~astropy.table.QTable`
        Row i has ``id`` i + 1.
    """
    table = catalog.make_table("detected", len(x))
    table["id"] = np.arange(1, len(x) + 1, dtype=np.int64)
    table["x"] = np.asarray(x, dtype=float) * table["x"].unit
    table["y"] = np.asarray(y, dtype=float) * table["y"].unit
    table["score"] = np.asarray(score, dtype=float)
    table["n_pixels"] = np.asarray(n_pixels, dtype=np.int64)
    sky = image.sky(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    if sky is not None:
        table["sky"] = sky
    table.meta["image"] = image.name
    catalog.add_history(table, history)
    return table
