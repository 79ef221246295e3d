"""Galaxies of Sersic bulge, bar and disc with spiral arms and 0-8 clumps of real stellar populations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands

from . import scenes
from .sky import SkyModel

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["Mock", "SersicMocks"]

__doctest_requires__ = {("SersicMocks", "SersicMocks.*"): ["bagpipes"]}


class Mock(NamedTuple):
    """One noiseless galaxy and the recipe of its noise.

    Attributes
    ----------
    data : ndarray of float32, shape (band, y, x)
        Noiseless image, uJy per pixel.
    clumps : dict of ndarray
        x, y (pixels), long_lived (bool), mass (surviving, Msun), flux (n, band) in uJy, uv_ratio (flux over the
        galaxy's in the band of Guo+2015), radius (in R_e), age (mass-weighted, Gyr), sfr (Msun/yr), a_v (mag).
    sky : `~astroclumps.mock.sky.SkyModel`
        Depth and pixel correlation.
    psf_fwhm : ndarray, shape (band,)
        Arcsec.
    redshift : float
    galaxy : dict
        x, y, r_eff (arcsec), axis_ratio, mass (Msun formed in the smooth parts), flux (band,) in uJy with the clumps.
    """

    data: np.ndarray
    clumps: dict
    sky: SkyModel
    psf_fwhm: np.ndarray
    redshift: float
    galaxy: dict


@dataclass(frozen=True, kw_only=True)
class SersicMocks:
    """Seeded generator of mock galaxies for training and tests.

    Galaxies: redshift 0.7-3.3, F160W magnitude 19-25, half-light radius 0.15-1.3", all axis ratios above 0.25; bulge, bar,
    disc, spiral arms, flocculent texture, diffuse lumps, patchy dust, a centre that may lie off the image's; neighbours and stars
    that are no clumps; some images without any galaxy. Clumps: 0-8, flux 1-45% of their galaxy's in the band of Guo+2015, within
    2.2 R_e; short-lived ones young, long-lived ones older, nearer the centre, rounder and denser, with overlap in every property.
    PSF: native HST, or the same 0.2-0.36" in all bands with smoothed noise. Depth: from shallow CANDELS to the XDF. Distributions are
    ours: `astroclumps.mock.scenes` lists them.

    Parameters
    ----------
    seed : int
        Seed of all galaxies.
    shape : tuple of int, default (64, 64)
        Shape (y, x) of an image in pixels (paper section 3.2.1).
    pixel_scale : `~astropy.units.Quantity` ['angle'], default 0.06 arcsec
        Per pixel.
    bands : tuple, default the paper's seven
        Names or `~astroclumps.bands.Band`.

    Raises
    ------
    ImportError
        Where bagpipes, whose stellar grids are used, is not installed.

    Examples
    --------
    >>> from astroclumps import SersicMocks
    >>> mocks = SersicMocks(seed=1)
    >>> image, truth = mocks.image(3)
    >>> image.data.shape
    (7, 64, 64)
    >>> truth.colnames[:4]
    ['id', 'x', 'y', 'longevity']
    """

    seed: int
    shape: tuple = (64, 64)
    pixel_scale: u.Quantity = 0.06 * u.arcsec
    bands: tuple = _bands.CANDELS

    def __post_init__(self):
        scale = self.pixel_scale
        if not isinstance(scale, u.Quantity) or not scale.unit.is_equivalent(u.arcsec) or not scale > 0:
            raise TypeError(f"pixel_scale must be a positive angle such as 0.06 * u.arcsec, got {scale!r}")
        if len(self.shape) != 2 or min(self.shape) < 16:
            raise ValueError(f"shape must be (y, x) with at least 16 pixels a side, got {self.shape}")
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "bands", tuple(_bands.names(self.bands)))

    def _rng(self, index, stream):
        return np.random.default_rng([int(self.seed), int(index), stream])

    def mock(self, index: int) -> Mock:
        """Noiseless galaxy number ``index``.

        Parameters
        ----------
        index : int
            Any non-negative number; the same number gives the same bytes.

        Returns
        -------
        mock : Mock
        """
        scene = scenes.draw(self._rng(index, 0), bands=self.bands, shape=self.shape, pixel_scale=self.pixel_scale.to_value(u.arcsec))
        return Mock(*scene)

    def image(self, index: int) -> "tuple[MultiBandImage, QTable]":
        """Noisy image of galaxy number ``index`` and its true clumps.

        Parameters
        ----------
        index : int
            See `mock`.

        Returns
        -------
        image : `~astroclumps.image.MultiBandImage`
            In uJy, with redshift and the point-spread functions it was blurred with, 31 x 31 pixels.
        truth : `~astropy.table.QTable`
            One row a clump: id, x, y, longevity ('LLC', 'SLC'), mass (surviving), sfr, age, a_v, uv_ratio, r_norm (radius
            over R_e), flux_{band}.
        """
        from astroclumps.image import MultiBandImage

        from .psf import moffat

        mock = self.mock(index)
        noise = mock.sky.sample(self.shape, rng=self._rng(index, 1), source=mock.data)
        image = MultiBandImage(
            data=(mock.data + noise) * u.uJy,
            bands=self.bands,
            pixel_scale=self.pixel_scale,
            psf=np.stack([moffat(width, size=31, pixel_scale=self.pixel_scale.to_value(u.arcsec)) for width in mock.psf_fwhm]),
            redshift=mock.redshift,
            name=f"sersic-{self.seed}-{index}",
        )
        return image, self.truth(mock)

    def truth(self, mock: Any) -> Any:
        """Table of the clumps of a mock.

        Parameters
        ----------
        mock : Mock
            From `mock`.

        Returns
        -------
        truth : `~astropy.table.QTable`
            Columns as in `image`.
        """
        clumps = mock.clumps
        table = QTable()
        table["id"] = np.arange(1, len(clumps["x"]) + 1)
        table["x"] = clumps["x"] * u.pix
        table["y"] = clumps["y"] * u.pix
        table["longevity"] = np.where(clumps["long_lived"], "LLC", "SLC")
        table["mass"] = clumps["mass"] * u.Msun
        table["sfr"] = clumps["sfr"] * u.Msun / u.yr
        table["age"] = clumps["age"] * u.Gyr
        table["a_v"] = clumps["a_v"] * u.mag
        table["uv_ratio"] = clumps["uv_ratio"]
        table["r_norm"] = clumps["radius"]
        for i, name in enumerate(self.bands):
            table[f"flux_{name.lower()}"] = clumps["flux"][:, i] * u.uJy
        return table
