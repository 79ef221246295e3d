"""One galaxy in several bands on one pixel grid.

`MultiBandImage` is what detectors, classifiers and photometry take. Whatever unit goes in, pixels are flux densities in uJy inside.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.nddata import NDData, NDUncertainty, StdDevUncertainty

from . import bands as _bands
from . import calibration, point_spread

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike

__all__ = ["DEFAULT_PIXEL_SCALE", "MultiBandImage"]

DEFAULT_PIXEL_SCALE = 0.06 * u.arcsec
"""Pixel of the paper's images (section 3.2.1), taken where neither a WCS nor a pixel scale is given."""


class MultiBandImage(NDData):
    """A galaxy in several bands, as flux density per pixel in uJy.

    Parameters
    ----------
    data : `~astropy.units.Quantity`, shape (band, y, x)
        Flux density per pixel (uJy, nJy, ...), surface brightness (MJy/sr, uJy/arcsec2, ...; needs ``wcs`` or ``pixel_scale``),
        or count rates (``u.electron / u.s``, ``u.ct / u.s``, or dimensionless with ``zeropoint``).
    bands : sequence of str or `~astroclumps.bands.Band`
        One band for each plane, without repetition.
    uncertainty : `~astropy.nddata.NDUncertainty` or `~astropy.units.Quantity`, optional
        Standard deviation of each pixel (a Quantity means that), in the unit of ``data`` or any flux unit. Pixels with a
        standard deviation that is not finite or not positive are masked, theirs becomes infinite. Drizzled images have
        correlated pixels and their weights claim too little scatter in apertures, so the photometry measures its errors in
        empty apertures instead.
    mask : bool array, shape (band, y, x) or (y, x), optional
        True where a pixel must not be used.
    wcs : `~astropy.wcs.WCS`, optional
        Celestial coordinates of the (y, x) plane; further axes are dropped.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Side of a pixel. Default: from ``wcs``, else 0.06" (section 3.2.1).
    psf : array, shape (band, y, x) or (y, x), or `~astropy.units.Quantity` ['angle'], optional
        Point-spread functions on the image's pixel scale (normalised here to a sum of one), or their
        FWHM, one for all bands or one for each.
    redshift : float, optional
        The galaxy's redshift.
    zeropoint : float, sequence or mapping of float, or Quantity in mag, optional
        AB magnitude of one unit of ``data``: a number a band, or a mapping by band, for count rates only. Default: the bands' own.
    name : str, optional
        Name of the galaxy. Default ``'image'``.
    meta : dict, optional
        Anything worth keeping, such as the file it came from.

    Attributes
    ----------
    data : float32 array, shape (band, y, x)
        uJy per pixel, 0 where the input was not finite.
    mask : bool array, shape (band, y, x)
        True where a pixel must not be used, among them all that were not finite.

    Notes
    -----
    Pixel (0, 0) is the centre of the first pixel. A count rate c becomes ``c * 10**(-0.4 * (zeropoint - 23.9))`` uJy.

    Examples
    --------
    >>> import numpy as np, astropy.units as u
    >>> from astroclumps import MultiBandImage
    >>> image = MultiBandImage(data=np.ones((2, 8, 8)) * u.nJy, bands=["F606W", "F160W"])
    >>> image
    <MultiBandImage 'image': F606W, F160W, 8 x 8 pixels of 0.06 arcsec, redshift unknown>
    >>> print(image.band("F160W").sum().round(4), image.unit)
    0.064 uJy
    >>> image.select(["F160W"]).bands
    ('F160W',)
    """

    def __init__(
        self,
        *,
        data: u.Quantity,
        bands: "Iterable[str | _bands.Band]",
        uncertainty: "NDUncertainty | u.Quantity | None" = None,
        mask: "np.ndarray | None" = None,
        wcs: "WCS | None" = None,
        pixel_scale: u.Quantity[u.arcsec] | None = None,
        psf: np.ndarray | u.Quantity[u.arcsec] | None = None,
        redshift: float | None = None,
        zeropoint: Any = None,
        name: str = "image",
        meta: Mapping | None = None,
    ):
        if not isinstance(data, u.Quantity):
            raise TypeError(f"data must be a Quantity such as array * u.uJy or array * u.electron / u.s, got {type(data).__name__}")
        if data.ndim != 3:
            raise ValueError(f"data must have the shape (band, y, x), got {data.shape}")
        if 0 in data.shape:
            raise ValueError(f"data must hold at least one band and one pixel, got the shape {data.shape}")
        self._bands = _checked_bands(bands, len(data))
        wcs = _celestial(wcs)
        self._pixel_scale = _scale(pixel_scale, wcs)
        side = None if wcs is None and pixel_scale is None else self._pixel_scale
        factor = calibration.ujy_factors(data.unit, self._bands, zeropoint, side)
        with np.errstate(over="ignore", invalid="ignore"):
            values = (np.asarray(data.value, dtype=float) * factor[:, None, None]).astype(np.float32)
        bad = ~np.isfinite(values)
        values[bad] = 0
        if mask is not None:
            bad |= _mask(mask, data.shape)
        if uncertainty is not None:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                sigma = calibration.sigma(uncertainty, data, factor).astype(np.float32)
            useless = ~(np.isfinite(sigma) & (sigma > 0))
            bad |= useless
            uncertainty = StdDevUncertainty(np.where(useless, np.float32(np.inf), sigma), unit=u.uJy, copy=False)
        kernel, self._psf_fwhm = point_spread.checked(psf, self._bands)
        super().__init__(values, uncertainty=uncertainty, mask=bad, wcs=wcs, meta=dict(meta or {}), unit=u.uJy, psf=kernel)
        self._redshift = _redshift(redshift)
        self._name = str(name)

    def __repr__(self):
        redshift = "redshift unknown" if self.redshift is None else f"redshift {self.redshift:g}"
        ny, nx = self.data.shape[1:]
        return f"<MultiBandImage {self.name!r}: {', '.join(self.bands)}, {nx} x {ny} pixels of {self.pixel_scale:.4g}, {redshift}>"

    __str__ = __repr__

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in upper case, in the order of the planes."""
        return self._bands

    @property
    def pixel_scale(self) -> u.Quantity[u.arcsec]:
        """Side of a pixel in arcsec."""
        return self._pixel_scale

    @property
    def redshift(self) -> float | None:
        """Redshift of the galaxy; None if unknown."""
        return self._redshift

    @property
    def name(self) -> str:
        """Name of the galaxy."""
        return self._name

    @property
    def psf_known(self) -> bool:
        """True if a point-spread function or its FWHM was given, False if `psf_fwhm` holds the bands' defaults."""
        return self.psf is not None or self._psf_fwhm is not None

    @cached_property
    def psf_fwhm(self) -> u.Quantity[u.arcsec]:
        """FWHM of the point-spread function in arcsec, shape (band,): given, else measured on `psf`, else the bands' defaults."""
        if self._psf_fwhm is not None:
            return self._psf_fwhm
        if self.psf is not None:
            return np.array([point_spread.fwhm(plane) for plane in self.psf]) * self.pixel_scale
        return u.Quantity([_bands.get(band).psf_fwhm for band in self.bands]).to(u.arcsec)

    @cached_property
    def sky_rms(self) -> np.ndarray:
        """Robust pixel scatter of the sky in uJy, shape (band,): `astroclumps.noise.sky_rms` of the unmasked pixels."""
        from .noise import sky_rms

        return sky_rms(self.data, self.mask)

    def band(self, name: "str | _bands.Band") -> np.ndarray:
        """Pixels of one band.

        Parameters
        ----------
        name : str or `~astroclumps.bands.Band`
            A band of the image.

        Returns
        -------
        float32 array, shape (y, x)
            uJy per pixel, a view of ``data``.
        """
        return self.data[self._index(name)]

    def select(self, bands: "Iterable[str | _bands.Band]") -> "MultiBandImage":
        """Make an image of some of the bands, in the order asked for.

        Parameters
        ----------
        bands : sequence of str or `~astroclumps.bands.Band`
            Bands of the image.

        Returns
        -------
        `MultiBandImage`
            A copy.
        """
        index = [self._index(name) for name in _bands.names(bands)]
        if not index:
            raise ValueError(f"select needs at least one band; the image has bands {', '.join(self.bands)}")
        return self._part(index, slice(None), slice(None))

    def cutout(self, x: float, y: float, size: Any) -> "MultiBandImage":
        """Cut out a part around a position; it must lie inside the image.

        Parameters
        ----------
        x, y : float
            Centre in pixels; (0, 0) is the centre of the first pixel. Even sizes are centred as in `~astropy.nddata.Cutout2D`:
            the corner is at ``ceil(x - size / 2)``.
        size : int or (int, int)
            Pixels on a side, or (y, x) sides.

        Returns
        -------
        `MultiBandImage`
            A copy with its WCS moved; ``meta['x0']``, ``meta['y0']`` state the corner, added to those of the image.
        """
        y0, x0, ny, nx = box(x, y, size)
        height, width = self.data.shape[1:]
        if x0 < 0 or y0 < 0 or x0 + nx > width or y0 + ny > height:
            raise ValueError(
                f"cut-out x = {x0} to {x0 + nx - 1}, y = {y0} to {y0 + ny - 1} does not lie inside the image of {width} x {height} "
                "pixels; choose a smaller size or another centre"
            )
        part = self._part(range(len(self.bands)), slice(y0, y0 + ny), slice(x0, x0 + nx))
        part.meta["x0"] = int(self.meta.get("x0", 0)) + x0
        part.meta["y0"] = int(self.meta.get("y0", 0)) + y0
        return part

    def rebin(self, factor: int = 2) -> "MultiBandImage":
        """Sum the flux of ``factor`` x ``factor`` pixels to one (section 3.2.1); see `astroclumps.rebinning.rebin`.

        Parameters
        ----------
        factor : int, default 2
            Pixels of the image on a side of a new one.

        Returns
        -------
        `MultiBandImage`
            A copy with its WCS, pixel scale and point-spread functions on the new pixels.
        """
        from .rebinning import rebin

        return rebin(self, factor)

    def sky(self, x: "ArrayLike", y: "ArrayLike") -> Any:
        """Sky position of pixels.

        Parameters
        ----------
        x, y : float or array
            Pixel positions; (0, 0) is the centre of the first pixel. A Quantity must be in pixels.

        Returns
        -------
        `~astropy.coordinates.SkyCoord` (ICRS) or None
            None if the image has no WCS.
        """
        if self.wcs is None:
            return None
        x, y = (value.to_value(u.pix) if isinstance(value, u.Quantity) else np.asarray(value, dtype=float) for value in (x, y))
        return self.wcs.pixel_to_world(x, y).icrs

    @classmethod
    def read(cls, path: Any, *, format: str | None = None, **options: Any) -> "MultiBandImage":
        """Read an image from FITS; see `astroclumps.io.read`.

        Parameters
        ----------
        path : path-like, glob pattern, folder, sequence or mapping of paths
            A cube, or one file a band.
        format : str, optional
            ``'cube'``, ``'folklore'``, ``'bands'`` or the name of an image-reader plugin. Default: found from the content.
        **options
            Passed to the reader: `astroclumps.io.read_cube`, `~astroclumps.io.read_folklore`, `~astroclumps.io.read_bands`.

        Returns
        -------
        `MultiBandImage`
        """
        from . import io

        return io.read(path, format=format, **options)

    def write(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the image as a FITS cube that `read` gives back; see `astroclumps.io.write_cube`.

        Parameters
        ----------
        path : path-like
            File to write; ``.gz`` compresses.
        overwrite : bool, optional
            Replace an existing file. Default False.
        """
        from . import io

        io.write_cube(self, path, overwrite=overwrite)

    def _index(self, name):
        band = _bands.get(name).name
        if band not in self.bands:
            raise ValueError(f"no band {band}; the image has bands {', '.join(self.bands)}")
        return self.bands.index(band)

    def _part(self, index, rows, columns):
        index = list(index)

        def cut(array):
            return None if array is None else array[index][:, rows, columns].copy()

        sigma = None if self.uncertainty is None else cut(self.uncertainty.array) * u.uJy
        psf = self._psf_fwhm if self.psf is None else self.psf
        return MultiBandImage(
            data=cut(self.data) * u.uJy,
            bands=[self.bands[i] for i in index],
            uncertainty=sigma,
            mask=cut(self.mask),
            wcs=None if self.wcs is None else self.wcs[rows, columns],
            pixel_scale=self.pixel_scale,
            psf=None if psf is None else psf[index],
            redshift=self.redshift,
            name=self.name,
            meta=self.meta,
        )


def box(x, y, size):
    """Corner and sides (y0, x0, ny, nx) of a cut-out around a pixel position, as `~astropy.nddata.Cutout2D` places it."""
    sides = np.atleast_1d(size)
    if sides.shape not in ((1,), (2,)) or sides.dtype.kind not in "iu" or (sides < 1).any():
        raise ValueError(f"size must be a positive whole number of pixels, or two of them (y, x), got {size!r}")
    if not (np.isfinite(x) and np.isfinite(y)):
        raise ValueError(f"x and y must be finite, got {x}, {y}")
    ny, nx = int(sides[0]), int(sides[-1])
    return int(np.ceil(y - ny / 2)), int(np.ceil(x - nx / 2)), ny, nx


def _checked_bands(bands, n):
    names = _bands.names(bands)
    if len(names) != n:
        raise ValueError(f"data has {n} planes but {len(names)} bands were given: {', '.join(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"bands given more than once: {', '.join(twice)}")
    return names


def _celestial(wcs):
    if wcs is None:
        return None
    if not getattr(wcs, "has_celestial", False):
        raise ValueError("wcs must be an astropy.wcs.WCS with celestial axes; leave it out if the image has none")
    return wcs.celestial if wcs.pixel_n_dim != 2 else wcs


def _scale(pixel_scale, wcs):
    from_wcs = None
    if wcs is not None:
        from astropy.wcs.utils import proj_plane_pixel_area

        from_wcs = np.sqrt(proj_plane_pixel_area(wcs)) * 3600 * u.arcsec
    if pixel_scale is None:
        return DEFAULT_PIXEL_SCALE if from_wcs is None else from_wcs
    if not isinstance(pixel_scale, u.Quantity) or not pixel_scale.unit.is_equivalent(u.arcsec):
        raise TypeError(f"pixel_scale must be an angle such as 0.06 * u.arcsec, got {pixel_scale!r}")
    if not (pixel_scale.isscalar and np.isfinite(pixel_scale) and pixel_scale > 0):
        raise ValueError(f"pixel_scale must be one positive angle, got {pixel_scale}")
    if from_wcs is not None and abs(pixel_scale / from_wcs - 1) > 0.01:
        raise ValueError(f"pixel_scale {pixel_scale} contradicts the WCS, whose pixels are {from_wcs:.5g}")
    return pixel_scale.to(u.arcsec)


def _mask(mask, shape):
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask must be an array of bool (True: do not use), got {mask.dtype}")
    if mask.shape not in (shape, shape[1:]):
        raise ValueError(f"mask has the shape {mask.shape}; data has {shape}")
    return mask


def _redshift(redshift):
    if redshift is None:
        return None
    try:
        redshift = float(u.Quantity(redshift, u.dimensionless_unscaled).value)
    except (TypeError, ValueError):
        raise ValueError(f"redshift must be a number such as 1.5, got {redshift!r}") from None
    if not (np.isfinite(redshift) and redshift >= 0):
        raise ValueError(f"redshift must be zero or positive, got {redshift}")
    return redshift
