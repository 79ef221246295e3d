"""From an image in uJy to the input of the U-Net: signal-to-noise, compressed."""

from typing import Any

import numpy as np

from astroclumps.noise import sky_rms

__all__ = ["STRETCH", "TILE", "stretch", "tile_starts"]

STRETCH = "asinh(flux / sky_rms) / 2, each band on its own; masked pixels and missing bands are 0"
"""What `stretch` does, as written in the model cards."""

TILE = 64
"""Side in pixels of the images that the networks are trained on (paper section 3.2.1)."""


def stretch(cube: np.ndarray, *, mask: np.ndarray | None = None, rms: np.ndarray | None = None) -> np.ndarray:
    """Input of the U-Net for one image.

    Parameters
    ----------
    cube : ndarray, shape (band, y, x)
        Image in any linear unit.
    mask : ndarray of bool, shape (band, y, x), optional
        True where a pixel is bad; a band that is bad everywhere counts as missing.
    rms : ndarray, shape (band,), optional
        Sky rms of each band; measured with `astroclumps.noise.sky_rms` when None.

    Returns
    -------
    stretched : ndarray of float32, shape (band, y, x)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.detection.stretch import stretch
    >>> stretch(np.ones((1, 2, 2)), rms=np.array([1.0]))[0, 0, 0].round(3)
    np.float32(0.441)
    """
    rms = sky_rms(cube, mask) if rms is None else np.asarray(rms, dtype=float)
    scale = np.where(np.isfinite(rms) & (rms > 0), 1 / np.where(rms > 0, rms, 1.0), 0.0)
    out = (np.arcsinh(cube * scale[:, None, None]) / 2).astype(np.float32)
    if mask is not None:
        out[np.asarray(mask, dtype=bool)] = 0
    return out


def tile_starts(length: Any, *, tile: Any = TILE) -> Any:
    """First pixels of tiles that cover an axis with an overlap of at least half a tile.

    Examples
    --------
    >>> from astroclumps.detection.stretch import tile_starts
    >>> tile_starts(64), tile_starts(100)
    ([0], [0, 18, 36])
    """
    if length <= tile:
        return [0]
    n = int(np.ceil((length - tile) / (tile / 2)))
    return [round(i * (length - tile) / n) for i in range(n + 1)]
