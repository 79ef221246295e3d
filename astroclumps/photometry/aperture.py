"""`ClumpPhotometry`: background-subtracted aperture fluxes of clumps with errors and flags (paper section 5.1)."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import catalog
from astroclumps.exceptions import AstroclumpsWarning

from . import background as _background
from . import kernels
from .correction import OVERSAMPLING, psf_tables
from .empty import flux_noise

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["ClumpPhotometry"]

_LEAST_INSIDE = 0.5  # part of the aperture that must lie in the image
_MOST_MASKED = 0.2  # part of the aperture in the image that may be masked
_LEAST_LIGHT = 0.5  # part of a point source's light in the aperture that must be on good pixels
_LEAST_NORM = 0.05  # flux that must be left of a point source of unit flux


@dataclass(frozen=True, kw_only=True)
class ClumpPhotometry:
    """Measure clumps in circular apertures, in all bands at once.

    The background of a clump is bgsb_v4 of Guo+2018 as the paper uses it (section 5.1): circles of r = 4 pixels around all clumps are
    masked, and the median of the other pixels at 4 < r < 6 pixels is subtracted from each pixel of the aperture.
    Pixels count by the area that lies in the aperture.

    Parameters
    ----------
    radius : `~astropy.units.Quantity`, default 3 pix
        Radius of the aperture, in pixels or as an angle. The paper does not state its own; 4 and 5 pixels are the usual other
        choices (METHODS 5). Beyond 5 pixels the ring moves outwards with the aperture.
    background : {'annulus', 'none'}, default 'annulus'
        ``'annulus'`` as above; a ring with fewer than 10 good pixels is widened outwards. ``'none'`` subtracts nothing.
    aperture_correction : bool, default True
        Give the whole flux of the point source that explains the measurement: its light beyond the aperture is added, and
        its light in the ring is not taken for background. It needs the image's point-spread function. Right for clumps that
        are not resolved; for larger ones the flux is a lower limit.
    seed : int, default 0
        Of the places of empty apertures.

    Raises
    ------
    TypeError, ValueError
        A setting has a wrong type, unit or value.

    Notes
    -----
    Errors are the scatter of the same measurement in empty apertures of the image, per band, scaled to the pixels that a
    clump could use. Where fewer than 40 empty places are found (a stamp full of galaxy) they come from the scatter of the sky
    pixels and their correlation; that scatter is an upper limit in an image without sky, so the image's own uncertainty,
    summed as if pixels were independent, is taken where it is lower. An uncertainty also sets how deep one part of the
    image is relative to another. Photon noise of the clump itself is only included as far as that uncertainty includes it,
    and structure of the galaxy in the ring not at all.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import ClumpPhotometry, MultiBandImage, catalog
    >>> from astroclumps.mock.psf import moffat
    >>> noise = np.random.default_rng(1).normal(0, 1e-3, (1, 65, 65))
    >>> psf = moffat(0.17, size=65, pixel_scale=0.06)
    >>> image = MultiBandImage(data=(noise + 0.5 * psf) * u.uJy, bands=["F160W"], psf=psf)
    >>> clumps = catalog.make_table("detected", 1)
    >>> clumps["x"] = clumps["y"] = [32.0] * u.pix
    >>> measured = ClumpPhotometry(radius=3 * u.pix).measure(image, clumps)
    >>> measured["flux_f160w"].round(1), measured["flux_err_f160w"].round(2)
    (<Quantity [0.5] uJy>, <Quantity [0.01] uJy>)
    """

    radius: u.Quantity = 3 * u.pix
    background: str = "annulus"
    aperture_correction: bool = True
    seed: int = 0

    def __post_init__(self):
        radius = self.radius
        if not isinstance(radius, u.Quantity):
            raise TypeError(f"radius must be in pixels or an angle, such as 3 * u.pix or 0.18 * u.arcsec, got {radius!r}")
        if not (radius.unit.is_equivalent(u.pix) or radius.unit.is_equivalent(u.arcsec)):
            raise ValueError(f"radius must be in pixels or an angle, such as 3 * u.pix or 0.18 * u.arcsec, got {radius}")
        if not (radius.isscalar and np.isfinite(radius.value) and radius.value > 0):
            raise ValueError(f"radius must be one positive number, got {radius}")
        if self.background not in _background.BACKGROUNDS:
            raise ValueError(f"background must be one of {', '.join(_background.BACKGROUNDS)}, got {self.background!r}")
        if not isinstance(self.aperture_correction, (bool, np.bool_)):
            raise TypeError(f"aperture_correction must be True or False, got {self.aperture_correction!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise ValueError(f"seed must be a whole number, zero or positive, got {self.seed!r}")

    def measure(self, image: "MultiBandImage", clumps: QTable) -> QTable:
        """Add fluxes, errors, backgrounds and flags to a table of clumps.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            The image that ``clumps`` were found in.
        clumps : `~astropy.table.QTable`
            Stage ``detected``; left as it is. All its rows mask each other's background.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            A copy, all rows kept, with ``flux_{band}``, ``flux_err_{band}``, ``background_{band}`` (the median of the
            ring, per pixel) in uJy and ``flags``. What is missing of an aperture is made up with the light of a point source. A flux is NaN
            where less than half of the aperture lies in the image, where 20% or more of that are masked, where half of a
            point source's light would fall on such pixels, or where no background could be found.

            Flags: EDGE, aperture or ring leave the image. OVERLAP, another clump is nearer than two radii. MASKED, bad
            pixels in the aperture (not set for a band that is masked as a whole). NEGATIVE_FLUX, in at least one band.
            MISSING_BAND, NaN in at least one band. Flags that the table brings are kept.

        Warns
        -----
        AstroclumpsWarning
            The point-spread function of the image is not known and the bands' defaults are taken, or an aperture is too small for it.
        """
        from astroclumps.image import MultiBandImage

        if not isinstance(image, MultiBandImage):
            raise TypeError(f"image must be a MultiBandImage, got {type(image).__name__}; read one with MultiBandImage.read(path)")
        catalog.validate(clumps, "detected", who="ClumpPhotometry")
        flux, error, level, flags = self._measured(image, clumps) if len(clumps) else (*np.empty((3, len(image.bands), 0)), [])
        out = clumps.copy()
        described = _descriptions(image.bands)
        for b, band in enumerate(image.bands):
            for name, values in (("flux", flux), ("flux_err", error), ("background", level)):
                column = f"{name}_{band.lower()}"
                out[column] = values[b] * u.uJy
                out[column].info.description = described[column]
        brought = np.asarray(clumps["flags"]) if "flags" in clumps.colnames else 0
        out["flags"] = np.asarray(flags, dtype=np.int64) | brought
        out["flags"].info.description = described["flags"]
        self._note(out, image)
        return out

    def _radius(self, image):
        """Radius in pixels."""
        if self.radius.unit.is_equivalent(u.pix):
            return float(self.radius.to_value(u.pix))
        return float((self.radius / image.pixel_scale).to_value(u.dimensionless_unscaled))

    def _measured(self, image, clumps):
        """Flux, error, background (band, n) in uJy, and flags (n,)."""
        radius = self._radius(image)
        ring = _background.ring(self.background, radius)
        x, y = (np.ascontiguousarray(clumps[name].value, dtype=float) for name in "xy")
        shape = image.data.shape[1:]
        if self.aperture_correction and not image.psf_known:
            known = zip(image.bands, image.psf_fwhm.to_value(u.arcsec), strict=True)
            widths = ", ".join(f'{band} {width:.2f}"' for band, width in known)
            warnings.warn(
                f"the point-spread function of {image.name!r} is not known; apertures are corrected with the bands' native widths "
                f"({widths}). Give MultiBandImage(..., psf=...) or aperture_correction=False",
                AstroclumpsWarning,
                stacklevel=3,
            )
        near = _background.masked_discs(shape, x, y, max(_background.INNER, ring.inner))
        table = psf_tables(image, half=int(np.ceil(max(radius, ring.outer))) + 2)
        fields, inside = _sums(image, near, x, y, radius, ring, table=table, sigma=True)
        part = {name: fields[:, :, number] for name, number in _FIELDS.items()}
        flux, usable, norm = self._flux(part, inside, radius)
        self._check_width(image, norm, whole=part["area"] > 0.99 * np.pi * radius**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            scatter, _ = flux_noise(
                image,
                lambda free, px, py: _sums(image, free, px, py, radius, ring, sigma=True),
                near,
                ring,
                radius,
                seed=self.seed,
            )
            error = scatter(part["area"], part["n_background"], part["variance"]) / norm
        error[~usable] = np.nan
        level = np.where(part["area"] > 0, part["background"], np.nan)
        return flux, error, level, self._flags(image, flux, part, inside, x, y, radius, ring)

    def _flux(self, part, inside, radius):
        """Flux (NaN where not usable), where it is usable, and what is left of a point source of unit flux."""
        whole = np.pi * radius**2
        with np.errstate(divide="ignore", invalid="ignore"):
            light = part["psf_in"] / part["psf_all"]
            if self.aperture_correction:
                norm = part["psf_in"] - part["area"] * part["psf_background"]
                flux = (part["sum"] - part["area"] * part["clean"]) / part["psf_in"]
            else:
                norm = light
                flux = (part["sum"] - part["area"] * part["background"]) / light
            usable = (inside >= _LEAST_INSIDE * whole) & (part["area"] > (1 - _MOST_MASKED) * inside) & (light >= _LEAST_LIGHT)
            usable &= np.isfinite(part["background"]) & (norm >= _LEAST_NORM)
        return np.where(usable, flux, np.nan), usable, norm

    def _check_width(self, image, norm, *, whole):
        """Warn of an aperture too small for the PSF, judged where all of it could be used."""
        small = [band for band, n, w in zip(image.bands, norm, whole, strict=True) if w.any() and n[w].max() < _LEAST_NORM]
        if small:
            warnings.warn(
                f"an aperture of {self.radius} holds less than {_LEAST_NORM:.0%} of a point source above its background in "
                f"{', '.join(small)}; its flux is NaN there. Choose a larger radius",
                AstroclumpsWarning,
                stacklevel=4,
            )

    def _flags(self, image, flux, part, inside, x, y, radius, ring):
        from scipy.spatial import cKDTree

        ny, nx = image.data.shape[1:]
        reach = max(radius, ring.outer)
        edge = (x - reach < -0.5) | (y - reach < -0.5) | (x + reach > nx - 0.5) | (y + reach > ny - 0.5)
        overlap = np.zeros(len(x), dtype=bool)
        positions = np.column_stack([x, y])
        pairs = cKDTree(positions).query_pairs(2 * radius, output_type="ndarray")
        pairs = pairs[np.hypot(*(positions[pairs[:, 0]] - positions[pairs[:, 1]]).T) < 2 * radius]
        overlap[pairs.ravel()] = True
        seen = ~image.mask.all(axis=(1, 2))
        masked = (part["area"][seen] < inside - 1e-9).any(axis=0)
        bits = (
            (edge, catalog.Flag.EDGE),
            (overlap, catalog.Flag.OVERLAP),
            (masked, catalog.Flag.MASKED),
            ((flux < 0).any(axis=0), catalog.Flag.NEGATIVE_FLUX),
            (np.isnan(flux).any(axis=0), catalog.Flag.MISSING_BAND),
        )
        return sum(np.where(where, int(flag), 0) for where, flag in bits)

    def _note(self, table, image):
        from astroclumps import __version__

        psf = "none" if not self.aperture_correction else "as given" if image.psf_known else "the bands' defaults"
        line = f"{self!r}; astroclumps {__version__}; radius {self._radius(image):g} pix; PSF of the aperture correction: {psf}"
        catalog.add_history(table, line)


_FIELDS = {
    "sum": kernels.SUM,
    "area": kernels.AREA,
    "background": kernels.BACKGROUND,
    "n_background": kernels.N_BACKGROUND,
    "clean": kernels.CLEAN,
    "psf_in": kernels.PSF_IN,
    "psf_all": kernels.PSF_ALL,
    "psf_background": kernels.PSF_BACKGROUND,
    "variance": kernels.VARIANCE,
}
_NONE = np.zeros((0, 0, 0))


@lru_cache(maxsize=16)
def _descriptions(bands):
    """Description of each column of the stage."""
    return {column.name: column.description for column in catalog.columns("measured", bands=bands)}


def _sums(image, near, x, y, radius, ring, *, table=_NONE, sigma=False):
    """See `kernels.aperture_sums`."""
    known = sigma and image.uncertainty is not None
    return kernels.aperture_sums(
        np.ascontiguousarray(image.data),
        np.ascontiguousarray(image.mask),
        np.ascontiguousarray(image.uncertainty.array) if known else _NONE.astype(np.float32),
        near,
        x,
        y,
        radius,
        ring.inner,
        ring.outer,
        _background.LEAST,
        ring.widest,
        table,
        OVERSAMPLING,
    )
