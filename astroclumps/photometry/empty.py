"""Errors from empty apertures: the scatter of the same measurement on empty sky, which holds the correlation of the pixels (METHODS 5)."""

import numpy as np

from . import kernels
from .covariance import aperture_noise

__all__ = ["LEAST_PLACES", "MOST_PLACES", "empty_places", "flux_noise", "source_mask"]

LEAST_PLACES = 25
"""Empty apertures that a scatter is taken from; with fewer the noise comes from the pixels (ours)."""
MOST_PLACES = 600
"""More empty apertures than this are not laid: the scatter is then known to 3% (ours)."""

_MAD_TO_SIGMA = 1.4826
_BIN = 2  # pixels
_SAMPLE = 50_000  # pixels that a rough scatter is taken from
_CANDIDATES = 40_000
_SOURCE, _PEAK = 2.0, 4.0  # sigma: extent of a source, and what makes one
_SEPARATION = 1.5  # aperture radii between empty places


def source_mask(image):
    """Pixels with light, or without data.

    All bands, each divided by its scatter, are added up, binned and smoothed. What rises 2 sigma above the sky and reaches 4 is a source;
    it is widened by 2 pixels.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`

    Returns
    -------
    mask : ndarray of bool, shape (y, x)
        True where there is no empty sky.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter, label

    data, mask = np.ascontiguousarray(image.data), np.ascontiguousarray(image.mask)
    bins, bad = kernels.binned_stack(data, mask, _scale(data, mask), _BIN)
    seen = np.isfinite(bins)
    if not seen.any():
        return np.ones(bad.shape, dtype=bool)
    level, sigma = _sky(bins[seen])
    smooth = gaussian_filter(np.where(seen, bins, level), 1.0, mode="nearest", truncate=3.0)
    level, sigma = _sky(smooth[seen])
    above = seen & (smooth > level + _SOURCE * sigma)
    labels, n = label(above, structure=np.ones((3, 3)))
    bright = np.zeros(n + 1, dtype=bool)
    bright[labels[above & (smooth > level + _PEAK * sigma)]] = True
    sources = binary_dilation(bright[labels], structure=np.ones((3, 3)))
    full = sources.repeat(_BIN, axis=0).repeat(_BIN, axis=1)[: bad.shape[0], : bad.shape[1]]
    return full | bad


def _scale(data, mask):
    """One over the scatter of each band, 0 for a band without any."""
    scale = np.zeros(len(data))
    step = max(1, data[0].size // _SAMPLE)
    for b, (plane, bad) in enumerate(zip(data, mask, strict=True)):
        values = plane.reshape(-1)[::step][~bad.reshape(-1)[::step]]
        values = values[values != 0]
        if values.size:
            scatter = _MAD_TO_SIGMA * np.median(np.abs(values - np.median(values)))
            scale[b] = 1 / scatter if scatter > 0 else 0.0
    return scale


def _sky(values):
    """Level and scatter of the sky in a map that also holds sources, from the faint side."""
    values = np.sort(values.reshape(-1)[:: max(1, values.size // _SAMPLE)].astype(float))
    level, upper = np.percentile(values, 25), np.inf
    sigma = 0.0
    for _ in range(30):
        below = values[values <= level]
        sigma = np.sqrt(np.mean((below - level) ** 2))
        new = level + 2 * sigma
        if abs(new - upper) <= 1e-3 * sigma:
            break
        upper = new
        level = np.median(values[values <= upper])
    return level, sigma


def empty_places(free, radius, *, rng):
    """Positions of apertures on free pixels.

    Parameters
    ----------
    free : ndarray of bool, shape (y, x)
        Where there is empty sky.
    radius : float
        Of the apertures in pixels. Centres lie at least 1.5 radii apart.
    rng : `numpy.random.Generator`
        Chooses them.

    Returns
    -------
    x, y : ndarray of float, shape (n,)
        At most `MOST_PLACES`.
    """
    size = free.size
    numbers = rng.permutation(size) if size <= _CANDIDATES else rng.integers(0, size, _CANDIDATES)
    rows, columns = np.divmod(numbers, free.shape[1])
    dx, dy = rng.uniform(-0.5, 0.5, (2, len(numbers)))
    chosen = kernels.places(free, rows, columns, dx, dy, float(radius), _SEPARATION * radius, MOST_PLACES)
    return columns[chosen] + dx[chosen], rows[chosen] + dy[chosen]


def flux_noise(image, sums, near, ring, radius, *, seed):
    """1-sigma noise of ``sum - area * background`` of each clump.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
    sums : callable
        ``sums(near, x, y)`` gives fields and inside as `kernels.aperture_sums` does, without PSF.
    near : ndarray of bool, shape (y, x)
        Circles around the clumps.
    ring : `~astroclumps.photometry.background.Ring`
    radius : float
        Of the aperture in pixels.
    seed : int
        Of the empty places.

    Returns
    -------
    scatter : callable
        ``scatter(area, n_background, sigma2)`` gives the noise (band, n) in uJy for arrays of that shape; ``sigma2`` is the
        mean square of the given uncertainty, NaN without one.
    n_places : ndarray of int, shape (band,)
        Empty apertures used; 0 where the noise was taken from the pixels.
    """
    occupied = source_mask(image) | near
    x, y = empty_places(~occupied, radius, rng=np.random.default_rng(seed))
    n_band = len(image.bands)
    known = image.uncertainty is not None
    amplitude, correlation = np.full(n_band, np.nan), np.zeros(n_band)
    n_places = np.zeros(n_band, dtype=int)
    if len(x) >= LEAST_PLACES:
        fields, _ = sums(occupied, x, y)
        correlation = _correlation(image, x, y, radius, fields[:, :, kernels.BACKGROUND])
        for b in range(n_band):
            amplitude[b], n_places[b] = _amplitude(fields[b], _noise(radius, ring, correlation[b]), ring, known)
    rest = np.flatnonzero(n_places == 0)
    floor = np.full(n_band, np.inf)
    if len(rest):
        amplitude[rest], correlation[rest] = _from_pixels(image, rest)
        if known:
            floor[rest] = 1.0

    def scatter(area, n_background, sigma2):
        result = np.empty(area.shape)
        for b in range(n_band):
            depth = np.sqrt(sigma2[b]) if known else 1.0
            result[b] = amplitude[b] * depth * np.sqrt(_noise(radius, ring, correlation[b]).variance(area[b], n_background[b]))
            if np.isfinite(floor[b]):
                white = depth * np.sqrt(_noise(radius, ring, 0.0).variance(area[b], n_background[b]))
                result[b] = np.fmin(result[b], white)
        return result

    return scatter, n_places


def _noise(radius, ring, correlation):
    return aperture_noise(radius, ring.inner, ring.outer, round(float(correlation), 2))


def _correlation(image, x, y, radius, background):
    """Correlation of neighbouring pixels in the empty apertures."""
    sums = kernels.neighbour_products(image.data, image.mask, x, y, float(radius), background)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (sums[:, 2] / sums[:, 3]) / (sums[:, 0] / sums[:, 1])
    return np.clip(np.nan_to_num(value), 0, 0.95)


def _amplitude(fields, noise, ring, known):
    """Scatter of the empty apertures of a band over what a pixel scatter of 1 (or of the given uncertainty) predicts; how many."""
    area, n_background = fields[:, kernels.AREA], fields[:, kernels.N_BACKGROUND]
    use = (area >= 0.8 * np.pi * noise.radius**2) & np.isfinite(fields[:, kernels.BACKGROUND]) & (n_background >= 0.5 * ring.area)
    if use.sum() < LEAST_PLACES:
        return np.nan, 0
    fields, area, n_background = fields[use], area[use], n_background[use]
    value = (fields[:, kernels.SUM] - area * fields[:, kernels.BACKGROUND]) / np.sqrt(noise.variance(area, n_background))
    if known:
        value = value / np.sqrt(fields[:, kernels.VARIANCE])
    value = value - np.median(value)
    sigma = _MAD_TO_SIGMA * np.median(np.abs(value))
    for _ in range(5):
        kept = value[np.abs(value) <= 3 * sigma]
        sigma = np.sqrt(np.mean(kept**2)) / 0.9866  # the rms of a normal distribution cut at 3 sigma is 0.9866 of the whole
    return sigma, int(use.sum())


def _from_pixels(image, bands):
    """Pixel scatter of bands, over the typical given uncertainty where there is one, and correlation of neighbours."""
    from astroclumps.noise import sky_correlation

    correlation = np.clip(np.nan_to_num(sky_correlation(image.data, image.mask)), 0, 0.95)[bands]
    amplitude = np.array(image.sky_rms[bands], dtype=float)
    if image.uncertainty is not None:
        for i, b in enumerate(bands):
            sigma = image.uncertainty.array[b][~image.mask[b]]
            amplitude[i] /= np.median(sigma) if sigma.size else np.nan
    return amplitude, correlation
