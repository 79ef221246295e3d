"""Small inputs with a known content, for checks and for the tests of plugins."""

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .. import catalog
from ..bands import CANDELS
from ..bands import names as band_names
from ..image import MultiBandImage

__all__ = ["CLUMPS", "example_image", "example_photometry", "poor_images"]

#: x, y (pixels) and flux (uJy, in each band) of the clumps in `example_image`
CLUMPS = ((40.0, 30.0, 0.3), (22.0, 36.0, 0.2), (33.0, 45.0, 0.15))
_NOISE = 7e-4  # uJy a pixel, about that of the CANDELS-Deep stamps (METHODS 2)


def example_image(*, bands: Sequence = CANDELS, shape: tuple[int, int] = (64, 64), seed: int = 0) -> MultiBandImage:
    """A small galaxy: an exponential disc with three clumps, noise, and a WCS.

    Parameters
    ----------
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands of the image; default the seven of the paper (section 3.2).
    shape : (int, int), optional
        Rows and columns, in pixels of 0.06".
    seed : int, optional
        Seed of the noise.

    Returns
    -------
    `~astroclumps.MultiBandImage`
        In uJy, redshift 1.5; the clumps lie at (x, y) = (40, 30), (22, 36) and (33, 45).

    Examples
    --------
    >>> from astroclumps.testing import example_image
    >>> example_image(bands=["F606W", "F160W"]).data.shape
    (2, 64, 64)
    """
    from astropy.wcs import WCS

    bands = band_names(bands)
    ny, nx = shape
    y, x = np.mgrid[:ny, :nx].astype(float)
    plane = 4e-3 * np.exp(-np.hypot(x - 32, y - 34) / 8)
    for x0, y0, flux in CLUMPS:
        plane += flux / (2 * np.pi * 1.4**2) * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 1.4**2))
    noise = np.random.default_rng(seed).normal(0, _NOISE, (len(bands), ny, nx))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.16, -27.79]
    wcs.wcs.crpix = [nx / 2, ny / 2]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    return MultiBandImage(data=(plane + noise) * u.uJy, bands=bands, wcs=wcs, redshift=1.5, name="example")


def example_photometry(*, bands: Sequence = CANDELS) -> QTable:
    """A measured clump with one band missing, and one with no usable band at all.

    Parameters
    ----------
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        At least two bands; default the seven of the paper (section 3.2).

    Returns
    -------
    `~astropy.table.QTable`
        Stage 'measured', fluxes in uJy. The first clump rises from 0.05 to 0.2 uJy with 5% errors and lacks its second
        band (NaN).

    Examples
    --------
    >>> from astroclumps.testing import example_photometry
    >>> example_photometry(bands=["F606W", "F775W", "F160W"])["flux_f160w"]
    <Quantity [0.2, nan] uJy>
    """
    bands = band_names(bands)
    table = catalog.make_table("measured", 2, bands=bands)
    table["id"] = [1, 2]
    table["x"] = [40.0, 22.0] * u.pix
    table["y"] = [30.0, 36.0] * u.pix
    table["score"] = [0.9, 0.8]
    table["n_pixels"] = [12, 9]
    flags = int(catalog.Flag.MISSING_BAND)
    table["flags"] = [flags, flags]
    for i, (band, flux) in enumerate(zip(bands, np.geomspace(0.05, 0.2, len(bands)), strict=True)):
        column, good = band.lower(), np.nan if i == 1 else 1.0
        table[f"flux_{column}"] = [flux * good, np.nan] * u.uJy
        table[f"flux_err_{column}"] = [0.05 * flux * good, np.nan] * u.uJy
        table[f"background_{column}"] = [0.0, np.nan] * u.uJy
    return table


def poor_images(bands: Any) -> Any:
    """A galaxy, and images in which there is little or nothing to see, by the name of the check."""
    good = example_image(bands=bands)
    damaged = good.data.copy()
    damaged[:, ::7, ::5] = np.nan
    damaged[:, 10:14] = np.inf
    damaged[0, :, 50:] = np.nan  # a band that ends earlier than the others

    def image(data, **extra):
        return MultiBandImage(data=data * u.uJy, bands=good.bands, wcs=good.wcs, redshift=good.redshift, **extra)

    return {
        "galaxy with clumps": good,
        "NaN and infinite pixels": image(damaged),
        "blank image": image(np.zeros_like(good.data)),
        "all pixels masked": image(good.data, mask=np.ones(good.data.shape, dtype=bool)),
    }
