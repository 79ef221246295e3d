"""Noise of single pixels for fits: its map and its correlation."""

import numpy as np

__all__ = ["pixel_noise"]

_MOST = 0.95  # correlation of neighbours


def pixel_noise(image, plane):
    """Noise of each pixel of a band, and the correlation of neighbouring pixels.

    Without an uncertainty the noise is the scatter of the sky everywhere. An uncertainty is scaled to that scatter, so that it only says
    where the image is deeper. In an image that is all galaxy the scatter of the sky is an upper limit; where it would
    make sums over pixels noisier than independent pixels of the uncertainty as given, those are taken.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
    plane : int
        Number of the band.

    Returns
    -------
    sigma : ndarray, shape (y, x)
        uJy; infinite where a pixel is bad.
    correlation : float
        0 to 0.95.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.photometry.size_noise import pixel_noise
    >>> noise = np.random.default_rng(1).normal(0, 1e-3, (1, 64, 64)) * u.uJy
    >>> sigma, correlation = pixel_noise(MultiBandImage(data=noise, bands=["F160W"]), 0)
    >>> bool(abs(sigma[0, 0] / 1e-3 - 1) < 0.1), bool(correlation < 0.1)
    (True, True)
    """
    from astroclumps.noise import sky_correlation, sky_pixels

    bad = image.mask[plane]
    scatter = float(image.sky_rms[plane])
    correlation = float(sky_correlation(image.data[plane : plane + 1], image.mask[plane : plane + 1])[0]) if not bad.all() else np.nan
    correlation = min(max(correlation, 0.0), _MOST) if np.isfinite(correlation) else 0.0
    if image.uncertainty is None:
        return np.where(bad, np.inf, scatter), correlation
    sigma = image.uncertainty.array[plane].astype(float)
    sky = sky_pixels(image.data, image.mask) & ~bad & np.isfinite(sigma)
    typical = float(np.median(sigma[sky])) if sky.any() else np.nan
    area = np.pi / -np.log(correlation) if correlation > 0 else 1.0  # pixels' variance in a large sum over that of one
    if not (np.isfinite(scatter) and scatter > 0 and np.isfinite(typical)) or scatter * np.sqrt(max(area, 1.0)) > typical:
        return np.where(bad, np.inf, sigma), 0.0
    return np.where(bad, np.inf, sigma * scatter / typical), correlation
