"""A detector of one's own: peaks of a Laplacian of a Gaussian.

>>> from astroclumps.testing import check_detector
>>> check_detector(PeakDetector())
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astroclumps import catalog
from astroclumps.exceptions import NoClumpsWarning


@dataclass(frozen=True, kw_only=True)
class PeakDetector:
    """Peaks of the image summed over its bands, sharpened on the scale ``sigma`` (pixels)."""

    sigma: float = 1.5
    n_sigma: float = 8.0

    def detect(self, image):
        from scipy.ndimage import gaussian_laplace, maximum_filter

        usable = ~image.mask.any(axis=0)
        sharp = -gaussian_laplace(np.where(usable, image.data.sum(axis=0), 0), self.sigma)
        noise = 1.4826 * np.median(np.abs(sharp - np.median(sharp)))
        peak = usable & (sharp == maximum_filter(sharp, 7)) & (sharp > self.n_sigma * noise) & (sharp > 0)
        y, x = np.nonzero(peak)
        table = catalog.make_table("detected", len(x))  # all columns and units; ids from 1
        table["x"], table["y"] = x.astype(float) * u.pix, y.astype(float) * u.pix
        table["score"] = sharp[peak].astype(float) / max(noise, 1e-30)
        table["n_pixels"] = np.ones(len(x), dtype=int)
        if image.wcs is not None:
            table["sky"] = image.sky(x, y)
        catalog.add_history(table, repr(self))
        if not len(table):
            warnings.warn("PeakDetector found nothing", NoClumpsWarning, stacklevel=2)
        return table
