"""Sky noise for mock images: rms and pixel correlation of a band or patches of real sky, and photon noise of the source."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

__all__ = ["CANDELS_CORRELATION", "CANDELS_EXPOSURE", "CANDELS_RMS", "XDF_CORRELATION", "XDF_RMS", "SkyModel", "SkyPatches"]

CANDELS_RMS = (5.1e-4, 4.4e-4, 6.6e-4, 6.4e-4, 6.9e-4, 6.3e-4, 5.9e-4)
"""Pixel rms in uJy of real CANDELS GOODS-N sky at 0.06", seven bands from F435W to F160W (METHODS 2)."""
CANDELS_CORRELATION = (0.15, 0.15, 0.15, 0.15, 0.54, 0.54, 0.54)
"""Correlation of neighbouring pixels of the same sky (METHODS 2)."""
CANDELS_EXPOSURE = (7200.0, 5000.0, 5000.0, 13000.0, 1000.0, 1500.0, 2500.0)
"""Seconds, for the photon noise of sources: ours, within a factor of about 1.5; what the sky of each instrument needs to scatter by
`CANDELS_RMS` once the correlation of pixels is undone."""
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

    @classmethod
    def candels(cls, bands) -> "SkyModel":
        """Sky of CANDELS GOODS-N at 0.06" (METHODS 2).

        Parameters
        ----------
        bands : sequence of str or `~astroclumps.bands.Band`
            Others than the paper's seven get an rms and an exposure between those of their neighbours in wavelength (ours).

        Returns
        -------
        `SkyModel`

        Examples
        --------
        >>> from astroclumps.mock.sky import SkyModel
        >>> SkyModel.candels(["F606W", "F160W"]).correlation
        (0.15, 0.54)
        """
        from astroclumps import bands as known

        chosen = [known.get(band) for band in bands]
        pivots = [band.pivot.value for band in chosen]
        nodes = [band.pivot.value for band in known.CANDELS]
        rate = np.array([10 ** (0.4 * ((band.zeropoint or 26.0) - 23.9)) for band in chosen])  # electron/s of 1 uJy
        return cls(
            rms=np.interp(pivots, nodes, CANDELS_RMS),
            correlation=[CANDELS_CORRELATION[0 if band.instrument == "ACS" else -1] for band in chosen],
            electrons_per_ujy=rate * np.interp(pivots, nodes, CANDELS_EXPOSURE),
        )

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


@dataclass(frozen=True, kw_only=True, eq=False)
class SkyPatches:
    """Real sky: a part of a blank image at a random place, turned and mirrored at random, with the photon noise of the source.

    Parameters
    ----------
    images : sequence of `~astroclumps.MultiBandImage`
        Blank sky, all in the same bands and pixels, at least as large as what is drawn; no pixel masked.
    aligned : bool, default False
        Whether all bands are cut at one place of one image, so that what hides in the sky has its colours; else each band on its own,
        which makes more different skies of few images.
    electrons_per_ujy : tuple of float, length n_bands, optional
        As in `SkyModel`. Default: that of ``SkyModel.candels``.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.mock.sky import SkyPatches
    >>> blank = MultiBandImage(data=np.random.default_rng(0).normal(0, 1e-3, (1, 50, 60)) * u.uJy, bands=["F160W"])
    >>> SkyPatches(images=[blank]).sample((32, 32), rng=np.random.default_rng(1)).shape
    (1, 32, 32)
    """

    images: tuple = field(repr=False)
    aligned: bool = False
    electrons_per_ujy: tuple | None = None

    def __post_init__(self):
        images = tuple(self.images)
        object.__setattr__(self, "images", images)
        if not images:
            raise ValueError("images must hold at least one blank image")
        for image in images:
            if image.bands != images[0].bands or abs(image.pixel_scale / images[0].pixel_scale - 1) > 1e-3:
                raise ValueError(f"images must have the same bands and pixels, got {image} beside {images[0]}")
            if image.mask.any():
                raise ValueError(f"{image} has {int(image.mask.sum())} masked pixels; cut out a part without any")
        given = self.electrons_per_ujy
        given = SkyModel.candels(self.bands).electrons_per_ujy if given is None else tuple(float(v) for v in given)
        if len(given) != len(self.bands):
            raise ValueError(f"electrons_per_ujy must have one value for each of {', '.join(self.bands)}, got {len(given)}")
        object.__setattr__(self, "electrons_per_ujy", given)

    @property
    def bands(self) -> tuple:
        """Names of the bands."""
        return self.images[0].bands

    @property
    def pixel_scale(self):
        """Side of a pixel, arcsec."""
        return self.images[0].pixel_scale

    def sample(self, shape, *, rng, source=None):
        """Draw noise; parameters and result as in `SkyModel.sample`."""
        place = None
        out = np.empty((len(self.bands), *shape), dtype=np.float32)
        for i in range(len(self.bands)):
            if place is None or not self.aligned:
                place = self._place(shape, rng)
            image, y, x, turns, mirrored = place
            ny, nx = shape if turns % 2 == 0 else shape[::-1]
            part = np.rot90(image.data[i, y : y + ny, x : x + nx], turns)
            out[i] = part[:, ::-1] if mirrored else part
        if source is not None:
            n = len(self.bands)
            photons = SkyModel(
                rms=(0.0,) * n, correlation=SkyModel.candels(self.bands).correlation, electrons_per_ujy=self.electrons_per_ujy
            )
            out += photons.sample(shape, rng=rng, source=source)
        return out

    def _place(self, shape, rng):
        image = self.images[rng.integers(len(self.images))]
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        ny, nx = shape if turns % 2 == 0 else shape[::-1]
        free_y, free_x = image.data.shape[1] - ny, image.data.shape[2] - nx
        if free_y < 0 or free_x < 0:
            raise ValueError(f"the blank image {image} is smaller than {nx} x {ny} pixels")
        return image, int(rng.integers(free_y + 1)), int(rng.integers(free_x + 1)), turns, mirrored
