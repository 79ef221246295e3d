"""Round profiles behind the point-spread function of an image, for any place between the pixels and any size."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .correction import OVERSAMPLING, psf_tables

__all__ = ["GAUSSIAN_HALF", "ConvolvedProfile", "convolved_profile", "transfer"]

GAUSSIAN_HALF = float(np.sqrt(2 * np.log(2)))
"""Half-light radius of a round Gaussian over its standard deviation."""

_STEP = 0.25  # pixels between the half-light radii of the nodes
_OFFSET = 0.02  # pixels, of the numerical derivatives by place


class ConvolvedProfile(NamedTuple):
    """Images of one profile at all sizes, as splines in place and in the square of the half-light radius.

    Below a square of zero the images go on in a straight line, so that a fit of a point source may scatter to either side.

    Attributes
    ----------
    nodes : ndarray, shape (n,)
        Squares of half-light radii, square pixels.
    pieces : ndarray, shape (4, n - 1, k, k)
        Coefficients of the cubics between them, of tables of spline coefficients in the plane.
    half : int
        Reach in pixels.
    width : float
        Half-light radius of the Gaussian whose FWHM is that of the point-spread function, pixels.
    """

    nodes: np.ndarray
    pieces: np.ndarray
    half: int
    width: float

    def _table(self, square):
        """Spline coefficients at a square of the half-light radius, and their derivative by it."""
        if square <= 0:
            return self.pieces[3, 0] + square * self.pieces[2, 0], self.pieces[2, 0]
        k = min(int(np.searchsorted(self.nodes, square, side="right")) - 1, len(self.nodes) - 2)
        a, b, c, d = self.pieces[:, k]
        t = square - self.nodes[k]
        return ((a * t + b) * t + c) * t + d, (3 * a * t + 2 * b) * t + c

    def image(self, dx, dy, square):
        """Light of a source of unit flux in pixels.

        Parameters
        ----------
        dx, dy : ndarray, shape (n,)
            Pixels' centres less the source's, pixels.
        square : float
            Square of the half-light radius, square pixels; may be negative.

        Returns
        -------
        light : ndarray, shape (n,)
        derivatives : tuple of ndarray, shape (n,)
            By the source's x, y and by the square.
        """
        from scipy.ndimage import map_coordinates

        value, slope = self._table(square)
        x, y = (np.asarray(d) + self.half for d in (dx, dy))

        def sample(table, shift_x=0.0, shift_y=0.0):
            places = [(y + shift_y) * OVERSAMPLING, (x + shift_x) * OVERSAMPLING]
            return map_coordinates(table, places, order=3, mode="grid-constant", prefilter=False)

        by_x = (sample(value, -_OFFSET) - sample(value, _OFFSET)) / (2 * _OFFSET)
        by_y = (sample(value, 0, -_OFFSET) - sample(value, 0, _OFFSET)) / (2 * _OFFSET)
        return sample(value), (by_x, by_y, sample(slope))


def transfer(wavenumber, radius, index):
    """Fourier transform of a round Sersic profile of unit flux.

    Parameters
    ----------
    wavenumber : array_like
        Cycles per unit of length, not negative.
    radius : float
        Half-light radius in that unit.
    index : float
        Sersic index; 0.5 is a Gaussian, 1 an exponential.

    Returns
    -------
    transfer : ndarray
        One at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.photometry.convolved import transfer
    >>> transfer([0.0, 0.1], 2.0, 0.5).round(4), transfer([0.0, 0.1], 2.0, 1.0).round(4)
    (array([1.    , 0.5658]), array([1.    , 0.5129]))
    """
    wavenumber = np.asarray(wavenumber, dtype=float)
    if index == 0.5:
        return np.exp(-2 * (np.pi * wavenumber * radius / GAUSSIAN_HALF) ** 2)
    from scipy.interpolate import CubicSpline

    return CubicSpline(*_hankel(float(index)))(np.arcsinh(wavenumber * radius))


@lru_cache(maxsize=16)
def _hankel(index):
    """Transform of a Sersic profile of unit half-light radius at arcsinh of wavenumbers, by sums over its enclosed light."""
    from scipy.special import gammaincinv, j0

    share = (np.arange(20_000) + 0.5) / 20_000  # rings of equal light
    b = gammaincinv(2 * index, 0.5)
    rings = (gammaincinv(2 * index, share) / b) ** index
    nodes = np.linspace(0, np.arcsinh(40.0), 400)
    return nodes, np.array([j0(2 * np.pi * k * rings).mean() for k in np.sinh(nodes)])


def convolved_profile(image, band, *, half, largest, index=0.5) -> ConvolvedProfile:
    """Tables of a profile behind the point-spread function of a band.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Its ``psf``, or the profile that stands for its ``psf_fwhm``; see `astroclumps.photometry.correction.psf_tables`.
    band : str
        A band of the image.
    half : int
        Reach in pixels.
    largest : float
        Largest half-light radius in pixels.
    index : float, default 0.5
        Sersic index; the default is a Gaussian.

    Returns
    -------
    profile : `ConvolvedProfile`

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import MultiBandImage
    >>> from astroclumps.photometry.convolved import convolved_profile
    >>> image = MultiBandImage(data=np.zeros((1, 9, 9)) * u.uJy, bands=["F160W"], psf=0.17 * u.arcsec)
    >>> profile = convolved_profile(image, "F160W", half=10, largest=5.0)
    >>> narrow, wide = (profile.image(np.zeros(1), np.zeros(1), radius**2)[0][0] for radius in (0.0, 2.0))
    >>> bool(narrow > 2 * wide)
    True
    """
    one = image.select([band])
    width = float((one.psf_fwhm[0] / one.pixel_scale).value) / 2
    table = psf_tables(one, half=2 * half)[0]
    return ConvolvedProfile(*_pieces(table.tobytes(), table.shape, int(half), float(largest), float(index)), int(half), width)


@lru_cache(maxsize=16)
def _pieces(values, shape, half, largest, index):
    from scipy.fft import irfft2, rfft2
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import spline_filter

    table = np.frombuffer(values).reshape(shape)
    side = 2 * shape[0]
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * OVERSAMPLING  # cycles per pixel
    light = rfft2(table, (side, side))
    radii = np.arange(0, largest + 1.5 * _STEP, _STEP)
    edge = (shape[0] - 2 * half * OVERSAMPLING - 1) // 2
    cut = np.s_[edge : shape[0] - edge, edge : shape[0] - edge]
    seen = [spline_filter(irfft2(light * transfer(k, radius, index), (side, side))[cut], order=3, mode="mirror") for radius in radii]
    return radii**2, CubicSpline(radii**2, np.array(seen)).c
