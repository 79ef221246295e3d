"""Square stamps around clumps, scaled to one brightness so that the mass is hidden and the colour kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from astroclumps import bands as _bands

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["FIXED_MAGNITUDE", "STAMP", "STAMP_STRETCH", "cut_stamps", "normalise", "stamp_origin"]

STAMP = 10
"""Side of a stamp in pixels (paper section 4.1)."""

FIXED_MAGNITUDE = 21.5
"""AB magnitude in the reddest band that every stamp is scaled to; inside the paper's 19-24 (section 3.2.2; the value is ours)."""

_SOFTENING = 0.03  # uJy per pixel: about a third of the mean pixel of a stamp of 21.5 mag

STAMP_STRETCH = (
    "stamp scaled by one factor to 21.5 mag in its reddest band; asinh(flux / 0.03 uJy) / 2; masked pixels and missing bands are 0"
)
"""What `normalise` does, as written in the model cards."""


def stamp_origin(x: Any, y: Any, *, size: Any = STAMP) -> Any:
    """First pixel (column, row) of the stamp whose middle is nearest to a position.

    Examples
    --------
    >>> from astroclumps.longevity.stamps import stamp_origin
    >>> stamp_origin([20.5, 20.9], [7.0, 7.2])
    (array([16, 16]), array([2, 3]))
    """
    half = (size - 1) / 2
    return np.rint(np.asarray(x, dtype=float) - half).astype(int), np.rint(np.asarray(y, dtype=float) - half).astype(int)


def cut_stamps(cube: np.ndarray, x: "ArrayLike", y: "ArrayLike", *, size: int = STAMP) -> np.ndarray:
    """Cut stamps; what lies outside the image is NaN.

    Parameters
    ----------
    cube : ndarray, shape (band, y, x)
    x, y : array_like, shape (n,)
        Pixels.
    size : int, default 10
        Side in pixels (paper section 4.1).

    Returns
    -------
    stamps : ndarray of float32, shape (n, band, size, size)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.longevity.stamps import cut_stamps
    >>> cut_stamps(np.zeros((7, 32, 32)), [15], [15]).shape
    (1, 7, 10, 10)
    """
    cube = np.asarray(cube)
    column, row = stamp_origin(x, y, size=size)
    padded = np.pad(cube.astype(np.float32), ((0, 0), (size, size), (size, size)), constant_values=np.nan)
    out = np.empty((len(column), len(cube), size, size), dtype=np.float32)
    column = np.clip(column + size, 0, padded.shape[2] - size)
    row = np.clip(row + size, 0, padded.shape[1] - size)
    for i, (c, r) in enumerate(zip(column, row, strict=True)):
        out[i] = padded[:, r : r + size, c : c + size]
    return out


def normalise(stamps: np.ndarray, *, bands: Sequence[str], present: np.ndarray | None = None) -> np.ndarray:
    """Input of the longevity network.

    Each stamp is multiplied by one factor that brings its total in the reddest band to `FIXED_MAGNITUDE`; where that total is not
    positive, the next bluer band is tried.

    Parameters
    ----------
    stamps : ndarray, shape (n, band, y, x)
        uJy per pixel; NaN where there is no pixel.
    bands : sequence of str
        Names of the bands.
    present : ndarray of bool, shape (band,), optional
        Bands that exist.

    Returns
    -------
    inputs : ndarray of float32, shape (n, band, y, x)
        Zero for a stamp without any positive total.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.longevity.stamps import normalise
    >>> stamps = np.full((1, 1, 10, 10), 0.05)
    >>> bool(np.allclose(normalise(stamps, bands=["F160W"]), normalise(3 * stamps, bands=["F160W"])))
    True
    """
    stamps = np.asarray(stamps, dtype=np.float32)
    totals = np.nansum(stamps, axis=(2, 3))
    order = np.argsort([-_bands.get(b).pivot.value for b in bands], kind="stable")
    usable = np.ones(len(bands), dtype=bool) if present is None else np.asarray(present, dtype=bool)
    reference = np.zeros(len(stamps), dtype=np.float32)
    for band in order:
        if usable[band]:
            reference = np.where((reference <= 0) & (totals[:, band] > 0), totals[:, band], reference)
    wanted = np.float32(10 ** (-0.4 * (FIXED_MAGNITUDE - 23.9)))
    factor = np.where(reference > 0, wanted / np.where(reference > 0, reference, 1), 0)
    out = np.arcsinh(np.nan_to_num(stamps, nan=0.0) * (factor / _SOFTENING)[:, None, None, None]) / 2
    out[:, ~usable] = 0
    return out.astype(np.float32)
