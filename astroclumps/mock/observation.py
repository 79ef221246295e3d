"""How a mock galaxy is observed, drawn at random: point-spread function, depth and pixel correlation.

All numbers are our choice, made so that images range from shallow CANDELS to the XDF.
"""

from typing import NamedTuple

import numpy as np

from astroclumps import bands as _bands

from .sky import CANDELS_CORRELATION, CANDELS_RMS, SkyModel

__all__ = ["Observation", "draw_observation"]

_MATCHED = 0.4  # part of the images whose bands share one PSF


class Observation(NamedTuple):
    """Point-spread function and sky of an image.

    Attributes
    ----------
    psf_fwhm : ndarray, shape (n_band,)
        Arcsec.
    sky : `~astroclumps.mock.sky.SkyModel`
        Depth, correlation of pixels and exposure.
    matched : bool
        Whether all bands share one point-spread function.
    """

    psf_fwhm: np.ndarray
    sky: SkyModel
    matched: bool


def draw_observation(rng, bands) -> Observation:
    """Draw the observation of an image.

    Six images in ten have the native point-spread functions of HST (0.08-0.14" in ACS, 0.13-0.19" in WFC3, with a scatter of 4% a band)
    and the pixel correlation of CANDELS; in the others all bands are matched to one of 0.20-0.36", with smoothed noise. The rms is that of
    CANDELS times 10^-1.0 to 10^0.25 (ACS) or 10^-0.9 to 10^0.25 (WFC3), with a scatter of 0.1 dex a band; smoothing lowers it.

    Parameters
    ----------
    rng : `numpy.random.Generator`
        Source of randomness.
    bands : sequence of str or `~astroclumps.bands.Band`
        The bands.

    Returns
    -------
    `Observation`

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.mock.observation import draw_observation
    >>> drawn = [draw_observation(np.random.default_rng(i), ["F435W", "F160W"]) for i in range(200)]
    >>> bool(60 < sum(one.matched for one in drawn) < 100)
    True
    >>> bool(max(one.psf_fwhm[0] for one in drawn if not one.matched) < 0.2)
    True
    """
    pivots = np.array([_bands.get(b).pivot.value for b in bands])
    infrared = np.array([_bands.get(b).instrument.upper() != "ACS" for b in bands])
    rms = np.interp(pivots, [b.pivot.value for b in _bands.CANDELS], CANDELS_RMS)
    zeropoint = np.array([_bands.get(b).zeropoint or 26.0 for b in bands])
    correlation = np.where(infrared, CANDELS_CORRELATION[-1], CANDELS_CORRELATION[0]) + rng.normal(0, 0.03, len(bands))
    common = rng.normal(0, 0.1, len(bands))
    depth = np.where(infrared, rng.uniform(-0.9, 0.25), rng.uniform(-1.0, 0.25))
    exposure = 10**4.2 * 10 ** (-2 * np.clip(depth, -0.75, 0.5))  # seconds; noise falls with its root
    rms = rms * 10 ** (depth + common)
    matched = bool(rng.random() < _MATCHED)
    if matched:
        fwhm = np.full(len(bands), rng.uniform(0.20, 0.36)) * (1 + rng.normal(0, 0.02, len(bands)))
        correlation = np.where(infrared, rng.uniform(0.5, 0.8), rng.uniform(0.6, 0.92)) + rng.normal(0, 0.02, len(bands))
        rms = rms * np.where(infrared, rng.uniform(0.5, 1.0), rng.uniform(0.15, 0.7))  # smoothing lowers the pixel rms
    else:
        fwhm = np.where(infrared, rng.uniform(0.13, 0.19), rng.uniform(0.08, 0.14)) * (1 + rng.normal(0, 0.04, len(bands)))
    electrons = 10 ** (0.4 * (zeropoint - 23.9)) * exposure
    return Observation(fwhm, SkyModel(rms=rms, correlation=np.clip(correlation, 0, 0.93), electrons_per_ujy=electrons), matched)
