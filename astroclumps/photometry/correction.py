"""Point-spread functions as tables that can be read at any sub-pixel position."""

from functools import lru_cache

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands

__all__ = ["OVERSAMPLING", "WING_BETA", "psf_tables"]

OVERSAMPLING = 5
"""Samples of a table per pixel; odd, so that one of them lies in the centre."""

WING_BETA = 1.8
"""Exponent of the Moffat profile that stands for a native PSF of which only the FWHM is known (ours).

With the bands' default FWHM the light within 0.18 arcsec (3 px of 0.06") agrees with that of the GOODS-S ACS and measured CANDELS
WFC3 PSFs to 3% (F160W 6%); with the FWHM of those files to 11% within 0.18 and 7% within 0.30 arcsec. HST's wings want a lower exponent
than the usual 2.5 to 4.8 of ground-based seeing.
"""


def psf_tables(image, *, half):
    """Light that a point source of unit flux gives to a pixel, by the distance of the pixel from the source.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Its ``psf`` is taken, centred on its own peak. Else a profile of its ``psf_fwhm`` (ours): up to the band's native FWHM a Moffat
        profile with the exponent `WING_BETA`, beyond it the native one blurred by a Gaussian. Bands of one and the same FWHM count as
        matched to the one with the widest native PSF among them.
    half : int
        Reach of the table in pixels.

    Returns
    -------
    tables : ndarray of float, shape (band, k, k)
        k is ``2 * half * OVERSAMPLING + 1``; the source is in the middle. Pixels' integrals, not densities.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.photometry.correction import psf_tables
    >>> image = MultiBandImage(data=np.zeros((1, 9, 9)) * u.uJy, bands=["F160W"], psf=0.17 * u.arcsec)
    >>> table = psf_tables(image, half=20)[0]
    >>> round(float(table[::5, ::5].sum()), 2)
    0.98
    """
    if image.psf is not None:
        planes = np.ascontiguousarray(image.psf, dtype=float)
        return np.stack([_resampled(plane.tobytes(), plane.shape, half) for plane in planes])
    fwhm = (image.psf_fwhm / image.pixel_scale).to_value(u.dimensionless_unscaled).round(4)
    native = (u.Quantity([_bands.get(band).psf_fwhm for band in image.bands]) / image.pixel_scale).to_value(u.dimensionless_unscaled)
    return np.stack([_profile(float(width), float(native[fwhm == width].max().round(4)), half) for width in fwhm])


@lru_cache(maxsize=64)
def _profile(fwhm, native, half):
    """Table of a Moffat profile, blurred from the native FWHM to a wider one; both in pixels."""
    from scipy.ndimage import uniform_filter

    from astroclumps.mock.psf import moffat

    n = OVERSAMPLING
    margin = half if fwhm > native else 0  # the blur brings light in from outside
    side = 2 * (half + margin) + 1
    fine = moffat(min(fwhm, native), size=side * n, pixel_scale=1 / n, beta=WING_BETA, truncated=False)
    if fwhm > native:
        fine = _blurred(fine, fwhm * n)
    table = uniform_filter(fine, n, mode="constant") * n**2
    edge = margin * n + (n - 1) // 2
    return table[edge:-edge, edge:-edge]


def _blurred(profile, fwhm):
    """A profile blurred by the Gaussian that gives it a FWHM, in its own samples."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from scipy.optimize import brentq

    middle = len(profile) // 2

    def blur(sigma):
        return gaussian_filter(profile, sigma, mode="constant", truncate=5)

    def too_bright(sigma):
        """The light at half of the FWHM over half of the peak, less one."""
        image = blur(sigma)
        edge = map_coordinates(image, [[middle], [middle + fwhm / 2]], order=3)[0]
        return edge / (0.5 * image[middle, middle]) - 1

    if too_bright(1e-3) >= 0:  # as wide as that already, to the last digit
        return profile
    return blur(brentq(too_bright, 1e-3, fwhm, rtol=1e-4))


@lru_cache(maxsize=64)
def _resampled(values, shape, half):
    """Table of a measured PSF, by cubic splines around the centroid of its core."""
    from scipy.ndimage import map_coordinates

    psf = np.frombuffer(values).reshape(shape)
    y0, x0 = _centre(psf)
    axis = np.arange(-half * OVERSAMPLING, half * OVERSAMPLING + 1) / OVERSAMPLING
    return map_coordinates(psf, np.meshgrid(y0 + axis, x0 + axis, indexing="ij"), order=3, mode="grid-constant")


def _centre(psf, radius=3.0):
    """Centroid of the light within a circle that moves onto it, from the brightest pixel."""
    rows, columns = np.indices(psf.shape)
    y0, x0 = (float(value) for value in np.unravel_index(np.argmax(psf), psf.shape))
    for _ in range(20):
        light = np.where((rows - y0) ** 2 + (columns - x0) ** 2 <= radius**2, np.clip(psf, 0, None), 0.0)
        total = light.sum()
        y1, x1 = (rows * light).sum() / total, (columns * light).sum() / total
        done = abs(y1 - y0) + abs(x1 - x0) < 1e-4
        y0, x0 = y1, x1
        if done:
            break
    return y0, x0
