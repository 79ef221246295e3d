"""Point-spread functions of an image: checked, normalised, measured."""

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np

__all__ = ["checked", "fwhm"]

_OVERSAMPLING = 8


def checked(psf: np.ndarray, bands: Sequence[str]) -> tuple[np.ndarray, u.Quantity]:
    """Check a point-spread function and bring it into one form.

    Parameters
    ----------
    psf : array, shape (band, y, x) or (y, x), `~astropy.units.Quantity` ['angle'] or None
        Kernels on the image's pixel scale, or their FWHM, one or one a band.
    bands : sequence of str
        Names of the bands.

    Returns
    -------
    kernel : float array, shape (band, y, x), or None
        Normalised to a sum of one.
    fwhm : `~astropy.units.Quantity` ['angle'], shape (band,), or None
        The FWHM in arcsec if that was given.
    """
    if psf is None:
        return None, None
    if isinstance(psf, u.Quantity) and psf.unit != u.dimensionless_unscaled:
        if not psf.unit.is_equivalent(u.arcsec):
            raise ValueError(f"psf must be an array, or a FWHM such as 0.15 * u.arcsec, got {psf.unit}")
        if psf.shape not in ((), (len(bands),)):
            raise ValueError(f"psf must be one FWHM or one for each of the {len(bands)} bands, got the shape {psf.shape}")
        if not (np.isfinite(psf) & (psf > 0)).all():
            raise ValueError(f"psf FWHM must be positive, got {psf}")
        return None, np.broadcast_to(psf.to(u.arcsec), (len(bands),), subok=True).copy()
    kernel = np.array(psf, dtype=float)
    if kernel.ndim == 2:
        kernel = np.repeat(kernel[None], len(bands), axis=0)
    if kernel.ndim != 3 or len(kernel) != len(bands) or kernel[0].size == 0:
        raise ValueError(f"psf must be an angle (FWHM) or have the shape ({len(bands)}, y, x) or (y, x), got the shape {np.shape(psf)}")
    total = kernel.sum(axis=(1, 2))
    for band, value in zip(bands, total, strict=True):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"psf of {band} must be finite with a positive sum, got a sum of {value}")
    total[abs(total - 1) < 1e-12] = 1.0  # already normalised: leave the bytes alone
    return kernel / total[:, None, None], None


def fwhm(kernel: Any) -> float:
    """FWHM of a kernel in pixels: the diameter of a circle with the area above half of the maximum, on a spline-refined grid.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.point_spread import fwhm
    >>> y, x = np.mgrid[-10:11, -10:11]
    >>> round(fwhm(np.exp(-0.5 * (x**2 + y**2) / 1.5**2)) / (2.3548 * 1.5), 2)
    1.0
    """
    from scipy.ndimage import zoom

    n = _OVERSAMPLING
    fine = zoom(np.pad(kernel, 3), n, order=3, mode="grid-constant", grid_mode=True)
    return float(np.sqrt(4 * np.count_nonzero(fine >= fine.max() / 2) / np.pi) / n)
