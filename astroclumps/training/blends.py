"""What can be seen of the clumps in an image: blends, signal-to-noise, contrast, and the map that a U-Net is to paint."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Seen", "TruthRule", "merge_blends", "signal_to_noise"]

PIXEL = 0.06
"""Side of a pixel in arcsec (METHODS 2)."""

_REACH = 2  # pixels: the light of the galaxy is taken from the 5x5 pixels around a clump


def merge_blends(x, y, weight, *, distance):
    """Number groups of points, so that no two groups are closer than a distance.

    The heaviest point that is left takes those within the distance, and so on: chains of neighbours do not become one.

    Parameters
    ----------
    x, y : array_like, shape (n,)
    weight : array_like, shape (n,)
        Such as mass.
    distance : float
        0 leaves each point alone.

    Returns
    -------
    group : ndarray of int, shape (n,)
        0 for that of the heaviest.

    Examples
    --------
    >>> from astroclumps.training.blends import merge_blends
    >>> merge_blends([0, 2, 4, 9], [0, 0, 0, 0], [1, 5, 1, 2], distance=3)
    array([0, 0, 0, 1])
    """
    x, y, weight = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, weight))
    group = np.full(len(x), -1)
    found = 0
    for i in np.argsort(-weight, kind="stable"):
        if group[i] < 0:
            near = (group < 0) & (np.hypot(x - x[i], y - y[i]) < distance)
            near[i] = True
            group[near] = found
            found += 1
    return group


def signal_to_noise(flux, *, psf_fwhm, rms, correlation):
    """Signal-to-noise of a point source that is fitted with its PSF in every band, sky noise only.

    Parameters
    ----------
    flux : ndarray, shape (n, band)
        uJy.
    psf_fwhm : ndarray, shape (band,)
        Arcsec.
    rms : ndarray, shape (band,)
        Of a pixel, uJy.
    correlation : ndarray, shape (band,)
        Of neighbouring pixels; it raises the noise on the scale of the PSF.

    Returns
    -------
    ratio : ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.training.blends import signal_to_noise
    >>> signal_to_noise(np.array([[0.01]]), psf_fwhm=np.array([0.17]), rms=np.array([1e-3]), correlation=np.array([0.0])).round(2)
    array([2.28])
    """
    sigma = np.hypot(np.asarray(psf_fwhm) / 2.3548 / PIXEL, 0.29)  # with the width of a pixel
    smooth = np.clip(correlation, 1e-9, 0.95)
    raised = np.maximum(np.sqrt(np.pi / -np.log(smooth)), 1)  # Gaussian filter of that correlation, on large scales
    noise = np.asarray(rms) * np.sqrt(4 * np.pi) * sigma * raised
    return np.sqrt(((np.asarray(flux) / np.where(noise > 0, noise, np.inf)) ** 2).sum(axis=-1))


@dataclass(frozen=True)
class Seen:
    """The positives of an image, blends merged.

    Attributes
    ----------
    x, y : ndarray, shape (k,)
        Pixels, weighted by mass.
    mass : ndarray, shape (k,)
        Baryonic, Msun.
    ratio : ndarray, shape (k,)
        Signal-to-noise (`signal_to_noise`).
    contrast : ndarray, shape (k,)
        Largest share, over the bands, of the clumps in the light of the 5x5 pixels around.
    visible : ndarray of bool, shape (k,)
        Bright enough to be asked for.
    """

    x: np.ndarray
    y: np.ndarray
    mass: np.ndarray
    ratio: np.ndarray
    contrast: np.ndarray
    visible: np.ndarray

    def target(self, shape):
        """What a U-Net is to paint: 1 in 2x2 pixels at what is visible, -1 (left out of the loss) around what is not, else 0; (y, x).

        Examples
        --------
        >>> import numpy as np
        >>> from astroclumps.training.blends import Seen
        >>> one = np.ones(2)
        >>> Seen(np.array([2.0, 7.0]), np.array([1.5, 1.5]), one, one, one, np.array([True, False])).target((4, 10)).astype(int)[1]
        array([ 0,  0,  1,  1,  0,  0, -1, -1, -1, -1])
        """
        out = np.zeros(shape, dtype=np.float32)
        for visible in (False, True):
            wide = 0 if visible else 1
            for x, y in zip(self.x[self.visible == visible], self.y[self.visible == visible], strict=True):
                row, column = int(np.floor(y)) - wide, int(np.floor(x)) - wide
                side = 2 + 2 * wide
                out[max(row, 0) : max(row + side, 0), max(column, 0) : max(column + side, 0)] = 1 if visible else -1
        return out


@dataclass(frozen=True, kw_only=True)
class TruthRule:
    """Which clumps a U-Net is asked for.

    Many clumps of 10^6.5 Msun cannot be seen at the depth of CANDELS. A network that must paint them paints the whole disc; so those below
    `min_snr` or `min_contrast` are left out of the loss, where painting is neither rewarded nor punished.

    Parameters
    ----------
    sf_zlc : {'all', 'none'} or float, default 'all'
        See `~astroclumps.training.galaxy_set.GalaxySet.positives`.
    min_snr : float, default 5
        Least signal-to-noise (ours).
    min_contrast : float, default 0.1
        Least share of the light around, in the band where it is largest (ours).
    blend : float, default 1
        Positives closer than so many FWHM of the PSF are one (METHODS 3); the median of the bands.
    """

    sf_zlc: object = "all"
    min_snr: float = 5.0
    min_contrast: float = 0.1
    blend: float = 1.0

    def __call__(self, galaxy_set, i) -> Seen:
        """The positives of image ``i`` of a `~astroclumps.training.galaxy_set.GalaxySet`."""
        clumps, chosen = galaxy_set.clumps(i), galaxy_set.positives(i, sf_zlc=self.sf_zlc)
        x, y, mass, flux = (np.asarray(clumps[name], dtype=float)[chosen] for name in ("x", "y", "mass", "flux"))
        fwhm = float(np.median(galaxy_set.psf_fwhm[i])) / PIXEL
        group = merge_blends(x, y, mass, distance=self.blend * fwhm)
        n = int(group.max(initial=-1)) + 1
        total = np.bincount(group, weights=mass, minlength=n)
        x, y = (np.bincount(group, weights=mass * v, minlength=n) / np.where(total > 0, total, 1) for v in (x, y))
        light = np.zeros((n, flux.shape[1]))
        np.add.at(light, group, flux)
        ratio = signal_to_noise(light, psf_fwhm=galaxy_set.psf_fwhm[i], rms=galaxy_set.rms[i], correlation=galaxy_set.correlation[i])
        contrast = np.array([_share(galaxy_set.data[i], *place) for place in zip(x, y, light, strict=True)]).reshape(n)
        return Seen(x, y, total, ratio, contrast, (ratio >= self.min_snr) & (contrast >= self.min_contrast))


def _share(image, x, y, light):
    """Largest share of a clump's light in that of the pixels around it."""
    row, column = round(float(y)), round(float(x))
    part = image[:, max(row - _REACH, 0) : row + _REACH + 1, max(column - _REACH, 0) : column + _REACH + 1]
    around = part.sum(axis=(1, 2), dtype=float)
    return float(np.max(light / np.where(around > 0, around, np.inf), initial=0.0))
