"""Sky noise for mock images: rms and pixel correlation of a band, photon noise of the source."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["CANDELS_CORRELATION", "CANDELS_RMS", "XDF_CORRELATION", "XDF_RMS", "SkyModel"]

CANDELS_RMS = (5.1e-4, 4.4e-4, 6.6e-4, 6.4e-4, 6.9e-4, 6.3e-4, 5.9e-4)
"""Pixel rms in uJy of real CANDELS GOODS-N sky at 0.06", seven bands from F435W to F160W (METHODS 2)."""
CANDELS_CORRELATION = (0.15, 0.15, 0.15, 0.15, 0.54, 0.54, 0.54)
"""Correlation of neighbouring pixels of the same sky (METHODS 2)."""
XDF_RMS = (3.2e-5, 2.0e-5, 2.7e-5, 5.0e-5, 2.1e-4, 2.1e-4, 3.0e-4)
"""Pixel rms in uJy of the PSF-matched Hubble XDF at 0.06" (measured on 30" of its sky)."""
XDF_CORRELATION = (0.81, 0.82, 0.82, 0.81, 0.65, 0.59, 0.54)
"""Correlation of neighbouring pixels of the same sky."""

_WIDTHS = np.linspace(0.0, 3.0, 301)


def _power(sigma, shape):
    ky = np.fft.fftfreq(shape[0])[:, None]
    kx = np.fft.rfftfreq(shape[1])
    return np.exp(-2 * (np.pi * sigma) ** 2 * (ky**2 + kx**2))


@lru_cache(maxsize=1)
def _correlations():
    """Neighbour correlation of noise filtered by a Gaussian transfer function, for each of `_WIDTHS`."""
    k = np.fft.fftfreq(256)
    found = []
    for sigma in _WIDTHS:
        power = np.exp(-4 * (np.pi * sigma * k) ** 2)
        found.append((power * np.cos(2 * np.pi * k)).sum() / power.sum())
    return np.array(found)


@lru_cache(maxsize=512)
def _filter(correlation, shape):
    sigma = np.interp(correlation, _correlations(), _WIDTHS)
    transfer = _power(sigma, shape)
    k = np.exp(-4 * (np.pi * sigma * np.fft.fftfreq(shape[0])) ** 2).mean()
    m = np.exp(-4 * (np.pi * sigma * np.fft.fftfreq(shape[1])) ** 2).mean()
    return (transfer / np.sqrt(k * m)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class SkyModel:
    """Gaussian sky noise whose pixels are correlated, with the photon noise of the source.

    Parameters
    ----------
    rms : tuple of float, length n_bands
        Rms per pixel of the sky in uJy.
    correlation : tuple of float, length n_bands
        Correlation of neighbouring pixels, 0 to 0.95; two digits count.
    electrons_per_ujy : tuple of float, length n_bands, optional
        Electrons that a source of 1 uJy gives in the exposure; None leaves photon noise of the source out.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.mock.sky import SkyModel
    >>> sky = SkyModel(rms=(1e-3,), correlation=(0.5,))
    >>> noise = sky.sample((128, 128), rng=np.random.default_rng(1))
    >>> bool(abs(noise.std() / 1e-3 - 1) < 0.05)
    True
    """

    rms: tuple
    correlation: tuple
    electrons_per_ujy: tuple | None = None

    def __post_init__(self):
        for name in ("rms", "correlation", "electrons_per_ujy"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, tuple(float(v) for v in value))
        if len(self.rms) != len(self.correlation) or len(self.electrons_per_ujy or self.rms) != len(self.rms):
            raise ValueError("rms, correlation and electrons_per_ujy must have one value a band")
        if any(not v >= 0 for v in self.rms) or any(not 0 <= v <= 0.95 for v in self.correlation):
            raise ValueError(f"rms must be >= 0 and correlation within 0 and 0.95, got {self.rms}, {self.correlation}")

    def sample(self, shape, *, rng, source=None):
        """Draw noise.

        Parameters
        ----------
        shape : tuple of int
            Shape (y, x).
        rng : `numpy.random.Generator`
            Source of randomness.
        source : ndarray, shape (band, y, x), optional
            Noiseless image in uJy, for its photon noise.

        Returns
        -------
        noise : ndarray of float32, shape (band, y, x)
            Noise in uJy, to be added to the source.
        """
        from scipy.fft import irfft2, rfft2

        pad = 8  # more than the reach of the widest filter: hides the periodic edge
        full = (shape[0] + 2 * pad, shape[1] + 2 * pad)
        white = rng.standard_normal((len(self.rms), *full), dtype=np.float32)
        rms = np.array(self.rms, dtype=np.float32)[:, None, None]
        if source is not None and self.electrons_per_ujy is not None:
            electrons = np.array(self.electrons_per_ujy, dtype=np.float32)[:, None, None]
            scale = np.sqrt(rms**2 + np.clip(source, 0, None) / electrons)
            white[:, pad:-pad, pad:-pad] *= scale
            edge = np.ones(full, dtype=bool)
            edge[pad:-pad, pad:-pad] = False
            white[:, edge] *= rms[:, :, 0]
        else:
            white *= rms
        filters = np.stack([_filter(round(c, 2), full) for c in self.correlation])
        return irfft2(rfft2(white) * filters, s=full)[:, pad:-pad, pad:-pad].astype(np.float32)
