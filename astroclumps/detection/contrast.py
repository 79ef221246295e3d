"""`ContrastDetector`: clumps as ultraviolet excess over a smoothed galaxy (Guo et al. 2015; METHODS 3)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning

from .galaxy import box_mean, galaxies
from .sources import Detections, detection_table, extract

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["ContrastDetector"]

_ULTRAVIOLET = ((1.0, "F435W"), (2.0, "F606W"), (3.0, "F775W"), (np.inf, "F850LP"))  # below this redshift, this band
_LEAST_SHARE = 0.02  # of the pixels in a boxcar, from which the diffuse light is taken
_CENTRE_RADIUS = 2.5  # pixels, about one FWHM of the reddest band


@dataclass(frozen=True, kw_only=True)
class ContrastDetector:
    """Find clumps by their contrast with the galaxy, in one band of its rest-frame ultraviolet.

    The steps of Guo et al. (2015): (1) smooth the image with a boxcar and subtract the result; (2) measure the scatter of this contrast
    image inside the galaxy, with 3-sigma clipping; (3) keep pixels above ``n_sigma`` of it; (4) join them to sources of at least
    ``min_pixels``, with SExtractor's deblending; (5) drop the galaxy's own centre; (6) call a clump what gives more than
    ``min_uv_fraction`` of the galaxy's ultraviolet light.

    Parameters
    ----------
    box : int, default 10
        Side of the boxcar in pixels, at least 2.
    n_sigma : float, default 2
        Least contrast of a clump's pixels, in units of the clipped scatter.
    min_pixels : int, default 5
        Least number of connected pixels.
    min_uv_fraction : float, default 0.08
        Least part of the galaxy's ultraviolet light, 0 to 1; 0 keeps every source with positive flux.
    band : str or `~astroclumps.bands.Band`, optional
        Band to look in. Default: by redshift, F435W below 1, F606W below 2, F775W below 3, F850LP beyond; where the image lacks it, the
        band nearest in wavelength, with a warning.

    Raises
    ------
    ValueError
        The image has no redshift and ``band`` is not given, or the image lacks ``band``.

    Notes
    -----
    Where Guo et al. (2015) leave a choice, ours is:

    * `~astroclumps.detection.galaxy.galaxies` finds the galaxy's footprint and centre in the stack of all bands; the image must be
      sky-subtracted. Up to 128 pixels a side the galaxy nearest to the image's middle is used and the others are ignored; in larger
      images every galaxy has its own scatter, centre and ultraviolet light.
    * The ultraviolet light of the galaxy is the sum over the footprint. A clump's is the sum over its segment after subtraction of the
      diffuse light, which is the boxcar mean of the footprint's pixels outside all sources. Light of the clump beyond its segment is not
      counted, so that fractions are lower limits.
    * The centre is the light-weighted mean position of the footprint in the reddest band. A source is the galaxy's centre if its
      segment contains that point or its position lies within 2.5 pixels of it.

    Examples
    --------
    >>> from astroclumps import ContrastDetector
    >>> from astroclumps.testing import example_image
    >>> clumps = ContrastDetector(min_uv_fraction=0.03).detect(example_image())
    >>> clumps["x"][0].round()
    <Quantity 40. pix>
    """

    box: int = 10
    n_sigma: float = 2.0
    min_pixels: int = 5
    min_uv_fraction: float = 0.08
    band: "str | _bands.Band | None" = None

    def __post_init__(self):
        for name, least in (("box", 2), ("min_pixels", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is a whole number of pixels, at least {least}, got {value!r}")
        if not (np.isfinite(self.n_sigma) and self.n_sigma > 0):
            raise ValueError(f"n_sigma must be positive, got {self.n_sigma!r}")
        if not 0 <= self.min_uv_fraction < 1:
            raise ValueError(f"min_uv_fraction is a part of the galaxy's light, at least 0 and below 1, got {self.min_uv_fraction!r}")
        if self.band is not None:
            object.__setattr__(self, "band", _bands.get(self.band).name)

    def detect(self, image: "MultiBandImage") -> QTable:
        """Find clumps.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            Any size, sky-subtracted; with a redshift unless ``band`` is set.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            Stage ``detected``: id, x, y (pixels), score (peak contrast over its scatter), n_pixels, sky where the image has a WCS;
            and ``flux_fraction``, the part of the galaxy's ultraviolet light.
        """
        return self.detect_with_maps(image).clumps

    def segmentation(self, image: "MultiBandImage") -> np.ndarray:
        """Segmentation of the clumps that `detect` finds.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            As for `detect`.

        Returns
        -------
        labels : ndarray of int32, shape (y, x)
            The ids of `detect`, 0 elsewhere.
        """
        return self.detect_with_maps(image).segmentation

    def detect_with_maps(self, image: "MultiBandImage") -> Detections:
        """Table, segmentation and contrast map of one image.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            See `detect`.

        Returns
        -------
        detections : `~astroclumps.detection.sources.Detections`
            Rows are sorted by score; segments carry their ids; the map is the contrast over its scatter, 0 outside galaxies.

        Warns
        -----
        NoClumpsWarning
            Nothing was found.
        AstroclumpsWarning
            The image lacks the band of its redshift and another was used.
        """
        band = self._ultraviolet(image)
        data = image.data[image.bands.index(band)].astype(float)
        good = ~image.mask[image.bands.index(band)]
        found = galaxies(image)
        contrast_map = np.zeros(data.shape)
        smooth = box_mean(data, good, self.box)
        for galaxy in found:
            use = galaxy.footprint & good[galaxy.window]
            contrast = (data - smooth)[galaxy.window][use]
            sigma = _clipped_scatter(contrast)
            if sigma > 0:
                contrast_map[galaxy.window][use] = contrast / sigma
        x, y, score, n_pixels, segmentation = extract(contrast_map, threshold=self.n_sigma, min_pixels=self.min_pixels)
        fraction = self._fractions(data, good, found, segmentation, len(x))
        keep = ~_central(found, segmentation, x, y) & (fraction > self.min_uv_fraction)
        new_label = np.zeros(len(x) + 1, dtype=np.int32)
        new_label[1:][keep] = np.arange(1, keep.sum() + 1)
        if not keep.any():
            warnings.warn(f"ContrastDetector found no clumps in {image.name!r}", NoClumpsWarning, stacklevel=3)
        from astroclumps import __version__

        line = f"{self!r}; astroclumps {__version__}; contrast in {band}"
        clumps = detection_table(image, x[keep], y[keep], score[keep], n_pixels[keep], history=line)
        clumps["flux_fraction"] = fraction[keep]
        clumps["flux_fraction"].info.description = f"part of the galaxy's light in {band}, diffuse light subtracted"
        return Detections(clumps, new_label[segmentation], contrast_map.astype(np.float32))

    def _ultraviolet(self, image):
        """Name of the band to look in."""
        if self.band is not None:
            if self.band not in image.bands:
                raise ValueError(f"ContrastDetector looks in {self.band}, but the image has bands {', '.join(image.bands)}")
            return self.band
        if image.redshift is None:
            raise ValueError(
                f"ContrastDetector chooses its band by redshift and {image.name!r} has none; make the image with redshift=, or choose "
                "the band: ContrastDetector(band='F606W')"
            )
        wanted = next(name for limit, name in _ULTRAVIOLET if image.redshift < limit)
        usable = [name for name, mask in zip(image.bands, image.mask, strict=True) if not mask.all()] or list(image.bands)
        if wanted in usable:
            return wanted
        pivot = _bands.get(wanted).pivot
        nearest = min(usable, key=lambda name: abs(np.log(float(_bands.get(name).pivot / pivot))))
        warnings.warn(
            f"ContrastDetector looks in {wanted} at redshift {image.redshift:g}, but {image.name!r} lacks it; took {nearest} instead",
            AstroclumpsWarning,
            stacklevel=4,
        )
        return nearest

    def _fractions(self, data, good, found, segmentation, n):
        """Part of its galaxy's light that each source gives, diffuse light subtracted."""
        fraction = np.zeros(n)
        for galaxy in found:
            light, labels = data[galaxy.window], segmentation[galaxy.window]
            use = galaxy.footprint & good[galaxy.window]
            total = light[use].sum()
            if not total > 0:
                continue
            between = use & (labels == 0)
            share = box_mean(between.astype(float), np.ones_like(between), self.box)
            diffuse = np.where(share > _LEAST_SHARE, box_mean(light, between, self.box), box_mean(light, use, self.box))
            flux = np.bincount(labels[use], weights=(light - diffuse)[use], minlength=n + 1)[1:]
            fraction += flux / total
        return fraction


def _clipped_scatter(values):
    """Standard deviation after clipping at 3 sigma of the mean until nothing changes; 0 of fewer than 5 values."""
    while len(values) >= 5:
        mean, sigma = values.mean(), values.std()
        kept = values[abs(values - mean) <= 3 * sigma]
        if len(kept) == len(values):
            return float(sigma)
        values = kept
    return 0.0


def _central(found, segmentation, x, y):
    """True for the sources that are their galaxy's centre."""
    central = np.zeros(len(x), dtype=bool)
    for galaxy in found:
        central |= np.hypot(x - galaxy.x, y - galaxy.y) <= _CENTRE_RADIUS
        label = segmentation[round(galaxy.y), round(galaxy.x)]
        if label:
            central[label - 1] = True
    return central
