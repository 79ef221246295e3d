"""What is done to a noiseless image before a network sees it (paper sections 3.2.1 and 3.2.2)."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Augmentation", "add_sky", "dihedral", "hide_patch", "lose_bands", "scatter_light"]


def dihedral(arrays, *, rng):
    """Turn and reflect arrays together.

    A rotation by a multiple of 90 degrees (none, 90, 180, 270, each 25%) is applied with 50% probability, then a reflection
    about the horizontal or the vertical axis with 50% probability.

    Parameters
    ----------
    arrays : sequence of ndarray
        The last two axes are (y, x), square.
    rng : `numpy.random.Generator`

    Returns
    -------
    arrays : list of ndarray
        Contiguous copies.
    """
    turns = int(rng.integers(0, 4)) if rng.random() < 0.5 else 0
    axis = int(rng.integers(-2, 0)) if rng.random() < 0.5 else None
    out = []
    for array in arrays:
        array = np.rot90(array, turns, axes=(-2, -1))
        out.append(np.array(array if axis is None else np.flip(array, axis), order="C"))
    return out


def hide_patch(image, *, rng, sides=(4, 24)):
    """Set a rectangle of random size and place to zero, in place.

    Parameters
    ----------
    image : ndarray, shape (band, y, x)
    rng : `numpy.random.Generator`
    sides : tuple of int, default (4, 24)
        Smallest and largest side in pixels (METHODS 3, ours).
    """
    height, width = np.minimum(rng.integers(sides[0], sides[1] + 1, 2), image.shape[-2:])
    y = rng.integers(0, image.shape[-2] - height + 1)
    x = rng.integers(0, image.shape[-1] - width + 1)
    image[..., y : y + height, x : x + width] = 0


def add_sky(image, sky, *, rng, background=0.15, depth=0.1):
    """Add sky noise, with a little uncertainty of depth and of the subtracted background.

    Parameters
    ----------
    image : ndarray of float32, shape (band, y, x)
        Noiseless image in uJy.
    sky : `~astroclumps.mock.sky.SkyModel`
    rng : `numpy.random.Generator`
    background : float, default 0.15
        Rms of a constant residual of each band, in units of its sky rms (ours).
    depth : float, default 0.1
        Scatter in dex of the rms, common to all bands (ours).

    Returns
    -------
    noisy : ndarray of float32, shape (band, y, x)
    """
    factor = 10 ** rng.normal(0, depth)
    noise = sky.sample(image.shape[-2:], rng=rng, source=image / factor**2) * factor
    residual = rng.normal(0, background, len(image)) * np.array(sky.rms) * factor
    return (image + noise + residual[:, None, None]).astype(np.float32)


def lose_bands(n_bands, *, rng, probability=0.25, keep=3):
    """Which bands are present.

    Parameters
    ----------
    n_bands : int
    rng : `numpy.random.Generator`
    probability : float, default 0.25
        Probability that any band is lost (ours).
    keep : int, default 3
        At least so many are kept.

    Returns
    -------
    present : ndarray of bool, shape (n_bands,)
    """
    present = np.ones(n_bands, dtype=bool)
    if rng.random() < probability and n_bands > keep:
        lost = rng.permutation(n_bands)[: rng.integers(1, min(3, n_bands - keep) + 1)]
        present[lost] = False
    return present


def scatter_light(image, *, rng, flux=0.0, colour=0.0, blur=0.0):
    """A noiseless image as it would be at another brightness, with other colours and a wider PSF.

    Parameters
    ----------
    image : ndarray of float32, shape (band, y, x)
    rng : `numpy.random.Generator`
    flux : float, default 0
        Scatter in dex of a factor common to all bands, so that the depth varies.
    colour : float, default 0
        Scatter in dex of a factor of each band, common to all its pixels.
    blur : float, default 0
        Largest standard deviation in pixels of a Gaussian that half of the images are blurred with.

    Returns
    -------
    image : ndarray of float32, shape (band, y, x)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.training.augment import scatter_light
    >>> image = np.ones((2, 8, 8), dtype=np.float32)
    >>> bool((scatter_light(image, rng=np.random.default_rng(0)) == image).all())
    True
    """
    factor = 10 ** (rng.normal(0, flux) + rng.normal(0, colour, len(image)))
    image = image * factor.astype(np.float32)[:, None, None]
    if rng.random() < 0.5 and blur > 0:
        from scipy.ndimage import gaussian_filter

        sigma = rng.uniform(0, blur)
        image = gaussian_filter(image, (0, sigma, sigma), mode="nearest", truncate=3)
    return image


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is varied in the images that a U-Net is trained on, so that it holds on galaxies and images unlike its own.

    Parameters
    ----------
    flux, colour, blur : float
        See `scatter_light` (all ours).
    background, depth : float
        See `add_sky`.
    lose : float
        Probability that bands are lost (`lose_bands`).
    hide : float
        Probability that a patch is hidden (`hide_patch`; paper section 3.2.1).
    """

    flux: float = 0.15
    colour: float = 0.05
    blur: float = 1.0
    background: float = 0.15
    depth: float = 0.1
    lose: float = 0.25
    hide: float = 1.0

    def __call__(self, image, target, sky, *, rng):
        """Input and target of the U-Net for one noiseless image.

        Parameters
        ----------
        image : ndarray of float32, shape (band, y, x)
            uJy.
        target : ndarray of float32, shape (y, x)
        sky : `~astroclumps.mock.sky.SkyModel`
        rng : `numpy.random.Generator`

        Returns
        -------
        stretched : ndarray of float32, shape (band, y, x)
        target : ndarray of float32, shape (y, x)
        """
        from astroclumps.detection.stretch import stretch

        image, target = dihedral([image, target], rng=rng)
        image = scatter_light(image, rng=rng, flux=self.flux, colour=self.colour, blur=self.blur)
        if rng.random() < self.hide:
            hide_patch(image, rng=rng)
        image = add_sky(image, sky, rng=rng, background=self.background, depth=self.depth)
        present = lose_bands(len(image), rng=rng, probability=self.lose)
        stretched = stretch(image)
        stretched[~present] = 0
        return stretched, target
