"""The clumps and detections of all images of a set side by side, and true clumps that the PSF blends merged into one."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["Flat", "Truth", "flatten", "gather", "merge_blends", "psf_fwhm"]

PIXEL = 0.06
"""Arcsec of a pixel of a set (METHODS 2)."""

CROWD = 10.0
"""Pixels around a clump in which others crowd it: the side of a stamp (ours)."""

_RING = (4.0, 6.0)  # pixels: of the light around a clump, that of the photometry (METHODS 5)
_APERTURE = 3.0
_COLUMNS = ("mass", "mass_stars", "radius", "r_norm", "age", "sfr", "longevity", "origin", "track", "node", "n_stars", "long_lived")


@dataclass(frozen=True, eq=False)
class Flat:
    """Detections of all images, one image after the other, in each by falling score.

    Attributes
    ----------
    first : ndarray of int, shape (n_images + 1,)
        Image ``i`` has the rows ``first[i]`` to ``first[i + 1] - 1``.
    image : ndarray of int, shape (n,)
    x, y, score : ndarray of float, shape (n,)
    order : ndarray of int, shape (n,)
        Place of each row in the lists as they were given, put end to end.
    """

    first: np.ndarray
    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    score: np.ndarray
    order: np.ndarray


def flatten(detections, *, n_images=None):
    """Put detections of many images end to end.

    Parameters
    ----------
    detections : list of (x, y, score)
        One tuple of arrays an image; more elements of a tuple are left out.
    n_images : int, optional
        Number of images there must be.

    Returns
    -------
    flat : Flat

    Raises
    ------
    ValueError
        The number of images or lengths differ, or a score is not a number.

    Examples
    --------
    >>> from astroclumps.evaluation.truth import flatten
    >>> flat = flatten([([1, 2], [0, 0], [0.1, 0.9]), ([], [], [])])
    >>> flat.x.tolist(), flat.order.tolist(), flat.first.tolist()
    ([2.0, 1.0], [1, 0], [0, 2, 2])
    """
    if n_images is not None and len(detections) != n_images:
        raise ValueError(f"detections must list every image of the set, {n_images}, got {len(detections)}")
    numbers, columns = [], ([], [], [])
    for i, one in enumerate(detections):
        parts = [np.atleast_1d(np.asarray(part, dtype=float)) for part in one[:3]]
        if len(parts) != 3 or len({part.shape for part in parts}) != 1 or parts[0].ndim != 1:
            raise ValueError(f"detections of image {i} must be x, y, score of one length, got shapes {[part.shape for part in parts]}")
        numbers.append(len(parts[0]))
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    x, y, score = (np.concatenate([np.zeros(0), *column]) for column in columns)
    if np.isnan(score).any():
        raise ValueError("scores must be numbers, got NaN")
    image = np.repeat(np.arange(len(numbers)), numbers)
    order = np.lexsort((-score, image))  # stable: as given where scores are equal
    first = np.concatenate([[0], np.cumsum(np.array(numbers, dtype=np.int64))]).astype(np.int64)
    return Flat(first, image, x[order], y[order], score[order], order)


def psf_fwhm(galaxy_set):
    """FWHM of the PSF of each image in pixels, the median of its bands, (n_images,)."""
    return np.median(np.asarray(galaxy_set.psf_fwhm, dtype=float), axis=1) / PIXEL


@dataclass(frozen=True, eq=False)
class Truth:
    """True clumps of a set, one image after the other.

    Attributes
    ----------
    first : ndarray of int, shape (n_images + 1,)
        Image ``i`` has the rows ``first[i]`` to ``first[i + 1] - 1``.
    image : ndarray of int, shape (n,)
    x, y : ndarray of float, shape (n,)
        Pixels.
    flux : ndarray, shape (n, band)
        uJy.
    columns : dict of ndarray, shape (n,)
        ``mass``, ``mass_stars`` (Msun), ``radius`` (kpc), ``r_norm``, ``age`` (Gyr), ``sfr`` (Msun/yr), ``longevity``, ``origin``,
        ``track``, ``node``, ``n_stars``, ``long_lived``; after `merge_blends` also ``n_merged``.
    positive : dict of ndarray of bool, shape (n,)
        By policy.
    """

    first: np.ndarray
    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    columns: dict = field(repr=False)
    positive: dict = field(repr=False)

    def __len__(self):
        return len(self.image)

    def __getitem__(self, name):
        return self.columns[name]

    def where(self, keep):
        """Some of the clumps.

        Parameters
        ----------
        keep : ndarray of bool, shape (n,)

        Returns
        -------
        truth : Truth
        """
        number = np.bincount(self.image[keep], minlength=len(self.first) - 1)
        return Truth(
            np.concatenate([[0], np.cumsum(number)]).astype(np.int64), self.image[keep], self.x[keep], self.y[keep], self.flux[keep],
            {k: v[keep] for k, v in self.columns.items()}, {k: v[keep] for k, v in self.positive.items()},
        )  # fmt: skip


def gather(galaxy_set, *, policies=("all",)):
    """The clumps of all images of a set.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    policies : sequence, default ('all',)
        Which zero-lifetime clumps that form stars are positives: 'all', 'none' or a least part of the disc's star formation.

    Returns
    -------
    truth : Truth
        Of every clump, also those that no policy counts.
    """
    parts = [galaxy_set.clumps(i) for i in range(len(galaxy_set))]
    number = np.array([len(part["x"]) for part in parts], dtype=np.int64)

    def joined(name, empty):
        return np.concatenate([empty, *(part[name] for part in parts)]) if parts else empty

    kinds = {"longevity": "U3", "origin": "U7", "long_lived": bool, "track": np.int64, "node": np.int64, "n_stars": np.int64}
    columns = {name: joined(name, np.zeros(0, dtype=kinds.get(name, float))) for name in _COLUMNS}
    positive = {}
    for policy in policies:
        masks = [galaxy_set.positives(i, sf_zlc=policy) for i in range(len(galaxy_set))]
        positive[policy] = np.concatenate([np.zeros(0, dtype=bool), *masks])
    first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    x, y = (joined(name, np.zeros(0)).astype(float) for name in "xy")
    flux = joined("flux", np.zeros((0, len(galaxy_set.bands)))).astype(float)
    return Truth(first, np.repeat(np.arange(len(number)), number), x, y, flux, columns, positive)


def merge_blends(truth, length, *, weight=None):
    """Merge clumps that are closer than a length in the image into one.

    The closest pair of an image is merged first and put at its weighted mean place, then the closest of what there is now, until no two
    are closer than the length. Masses, star formation and fluxes are added; the other quantities are those of the most massive member, and
    what is merged is long-lived where that one is.

    Parameters
    ----------
    truth : Truth
        The clumps that may be merged: choose the positives with `Truth.where` first.
    length : float or ndarray, shape (n_images,)
        Pixels; the FWHM of the PSF (METHODS 3), see `psf_fwhm`. 0 merges none.
    weight : ndarray, shape (n,), optional
        Weights of the places. Default: the sum of the fluxes, or the mass where that is 0.

    Returns
    -------
    merged : Truth
        With the column ``n_merged``, the number of members.
    group : ndarray of int, shape (n,)
        Row of ``merged`` that each clump went into.
    """
    from . import kernels

    n_images = len(truth.first) - 1
    length = np.broadcast_to(np.asarray(length, dtype=float), (n_images,)).copy()
    if weight is None:
        weight = truth.flux.sum(axis=1, dtype=float)
    weight = np.where(weight > 0, weight, 1e-12 * np.maximum(truth["mass"], 1))
    group, n = kernels.merge_close(truth.first, truth.x, truth.y, weight.astype(float), length)

    def total(values):
        return np.bincount(group, weights=values, minlength=n)

    order = np.lexsort((-truth["mass"], group))
    leader = order[np.searchsorted(group[order], np.arange(n))]
    columns = {name: values[leader] for name, values in truth.columns.items()}
    for name in ("mass", "mass_stars", "sfr"):
        columns[name] = total(truth[name])
    columns["n_stars"] = total(truth["n_stars"]).astype(np.int64)
    columns["n_merged"] = np.bincount(group, minlength=n)
    image = truth.image[leader]
    flux = np.stack([total(truth.flux[:, band]) for band in range(truth.flux.shape[1])], axis=1) if n else truth.flux[:0]
    merged = Truth(
        np.concatenate([[0], np.cumsum(np.bincount(image, minlength=n_images))]).astype(np.int64), image,
        total(weight * truth.x) / total(weight), total(weight * truth.y) / total(weight), flux, columns,
        {k: np.bincount(group, weights=v, minlength=n) > 0 for k, v in truth.positive.items()},
    )  # fmt: skip
    return merged, group


def surroundings(galaxy_set, image, x, y, first, band):
    """Columns of places in images: ``crowding``, ``surface_brightness`` (AB mag / arcsec2 around), ``light`` (uJy above it within 3 px)."""
    from . import kernels

    number = galaxy_set.bands.index(band)
    planes = np.ascontiguousarray(galaxy_set.data[:, number])
    total, around = kernels.local_light(planes, image.astype(np.int64), x.astype(float), y.astype(float), _APERTURE, *_RING)
    area = np.pi * _APERTURE**2
    with np.errstate(divide="ignore", invalid="ignore"):
        brightness = 23.9 - 2.5 * np.log10(np.where(around > 0, around, np.nan) / PIXEL**2)
    crowd = kernels.crowding(first, x.astype(float), y.astype(float), CROWD)
    return {"crowding": crowd, "surface_brightness": brightness, "light": total - area * np.nan_to_num(around)}


def magnitude(flux):
    """AB magnitude of uJy; NaN where it is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 23.9 - 2.5 * np.log10(np.where(np.asarray(flux) > 0, flux, np.nan))


def signal_to_noise(galaxy_set, image, flux):
    """Signal-to-noise of point sources in the sky of their images, all bands together, (n,).

    The noise of a band is the rms of a pixel times the square root of the PSF's area 4 pi sigma^2, as for a Gaussian PSF that is fitted in
    white noise; the light of the galaxy is left out.
    """
    sigma = galaxy_set.psf_fwhm / PIXEL / 2.3548
    noise = np.maximum(galaxy_set.rms * np.sqrt(4 * np.pi * sigma**2), 1e-30)
    return np.sqrt(((np.asarray(flux, dtype=float) / noise[image]) ** 2).sum(axis=1))


def reference_band(galaxy_set, band=None):
    """The band of magnitudes: F160W where there is one, else the last; a ValueError for one that the set lacks."""
    if band is None:
        return "F160W" if "F160W" in galaxy_set.bands else galaxy_set.bands[-1]
    if band not in galaxy_set.bands:
        raise ValueError(f"the set has bands {', '.join(galaxy_set.bands)}, not {band}")
    return band
