"""Errors from empty apertures: the scatter of the same measurement on empty sky, which holds the correlation of the pixels (METHODS 5)."""

import numpy as np

from . import kernels, sky_kernels
from .covariance import aperture_noise

__all__ = ["LEAST_PLACES", "MOST_PLACES", "empty_places", "flux_noise", "source_mask"]

LEAST_PLACES = 40
"""Least number of empty apertures that a scatter is taken from; with fewer the noise comes from the pixels (ours)."""
MOST_PLACES = 600
"""More empty apertures than this are not laid: the scatter is then known to 3% (ours)."""

_FEW_PLACES = 5  # enough for the scatter of their pixels
_SMOOTHEST = 0.93  # correlation of neighbouring pixels: 0.9 is reached by noise of images convolved to a common PSF, more is light
_BIN = 2  # pixels
_SAMPLE = 20_000  # bins that level and scatter of the sky are taken from
_ROUGH = 2_000  # pixels that the scale of a band is taken from
_CANDIDATES = 40_000
_SOURCE, _PEAK = 2.0, 4.0  # sigma: extent of a source, and what makes one
_SEPARATION = 1.0  # aperture radii between empty places


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
    bins, bad = sky_kernels.binned_stack(data, mask, _scale(data, mask), _BIN)
    seen = np.isfinite(bins)
    if not seen.any():
        return np.ones(bad.shape, dtype=bool)
    smooth = gaussian_filter(np.where(seen, bins, np.median(bins[seen])), 1.0, mode="nearest", truncate=3.0)
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
    step = max(1, data[0].size // _ROUGH)
    step += 1 - step % 2  # does not run down a column
    values = data.reshape(len(data), -1)[:, ::step].astype(float)
    values[mask.reshape(len(data), -1)[:, ::step] | (values == 0)] = np.nan
    scatter, _ = sky_kernels.clipped_scatter(values)
    some = scatter > 0
    scale[some] = 1 / scatter[some]
    return scale


def _sky(values):
    """Level and scatter of the sky in a map that also holds sources, from the faint side."""
    values = np.sort(values.reshape(-1)[:: max(1, values.size // _SAMPLE)].astype(float))
    n, kept = len(values), len(values) // 2
    for _ in range(30):  # up from the faintest half, until what is kept reaches to 2 sigma
        level = values[kept // 2]
        below = values[: kept // 2 + 1] - level
        sigma = np.sqrt((below @ below) / len(below))
        more = np.searchsorted(values, level + 2 * sigma, side="right")
        if abs(more - kept) <= 1e-3 * n:
            break
        kept = more
    return level, sigma


def empty_places(free, radius, *, rng):
    """Positions of apertures on free pixels.

    Parameters
    ----------
    free : ndarray of bool, shape (y, x)
        Where there is empty sky.
    radius : float
        Of the apertures in pixels. Centres lie about a radius apart or more.
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
    chosen = sky_kernels.places(free, rows, columns, dx, dy, float(radius), _SEPARATION * radius, MOST_PLACES)
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
    amplitude, correlation, n_places = np.full(n_band, np.nan), np.full(n_band, np.nan), np.zeros(n_band, dtype=int)
    pixel = np.full(n_band, np.nan)
    if len(x) >= _FEW_PLACES:
        fields, _ = sums(occupied, x, y)
        pixel, correlation = _pixels(image, x, y, radius, fields[:, :, kernels.BACKGROUND])
        amplitude, n_places = _amplitudes(fields, [_noise(radius, ring, c) for c in correlation], ring, known)
        n_places[(n_places < LEAST_PLACES) | (known & (correlation > _SMOOTHEST))] = 0
    rest = np.flatnonzero(n_places == 0)
    if len(rest):
        amplitude[rest], correlation[rest] = _from_sky(image, rest, pixel, correlation)

    def scatter(area, n_background, sigma2):
        result = np.empty(area.shape)
        for b in range(n_band):
            depth = np.sqrt(sigma2[b]) if known else 1.0
            result[b] = amplitude[b] * depth * np.sqrt(_noise(radius, ring, correlation[b]).variance(area[b], n_background[b]))
            if known and not n_places[b]:
                white = depth * np.sqrt(_noise(radius, ring, 0.0).variance(area[b], n_background[b]))
                result[b] = np.fmin(result[b], white)
        return result

    return scatter, n_places


def _noise(radius, ring, correlation):
    known = min(max(float(correlation), 0.0), 0.95) if np.isfinite(correlation) else 0.0
    return aperture_noise(radius, ring.inner, ring.outer, round(known, 2))


def _pixels(image, x, y, radius, background):
    """Scatter of the pixels in the empty apertures, and correlation of neighbours; NaN where there are none."""
    data, mask = np.ascontiguousarray(image.data), np.ascontiguousarray(image.mask)
    sums = sky_kernels.neighbour_products(data, mask, x, y, float(radius), background)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = sums[:, 0] / sums[:, 1]
        return np.sqrt(variance), (sums[:, 2] / sums[:, 3]) / variance


def _amplitudes(fields, noises, ring, known):
    """Scatter of the empty apertures over what a pixel scatter of 1 (or the given uncertainty) predicts, and how many; shapes (band,)."""
    area, n_background = fields[:, :, kernels.AREA], fields[:, :, kernels.N_BACKGROUND]
    background = fields[:, :, kernels.BACKGROUND]
    use = (area >= 0.8 * np.pi * noises[0].radius ** 2) & np.isfinite(background) & (n_background >= 0.5 * ring.area)
    variance = np.array([noise.variance(a, n) for noise, a, n in zip(noises, area, n_background, strict=True)])
    if known:
        variance *= fields[:, :, kernels.VARIANCE]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (fields[:, :, kernels.SUM] - area * background) / np.sqrt(variance)
    return sky_kernels.clipped_scatter(np.where(use, values, np.nan))


def _from_sky(image, bands, pixel, correlation):
    """Scatter of the sky pixels of some bands, over the typical given uncertainty where there is one, and correlation of neighbours.

    The fainter of the two skies is taken: the faintest quarter of the image, or the few empty apertures.
    """
    from astroclumps.noise import sky_correlation

    amplitude = np.array(image.sky_rms[bands], dtype=float)
    neighbours = sky_correlation(image.data, image.mask)[bands]
    fainter = (pixel[bands] < amplitude) | (np.isnan(amplitude) & np.isfinite(pixel[bands]))
    amplitude[fainter], neighbours[fainter] = pixel[bands][fainter], correlation[bands][fainter]
    if image.uncertainty is not None:
        for i, b in enumerate(bands):
            sigma = image.uncertainty.array[b][~image.mask[b]]
            amplitude[i] /= np.median(sigma) if sigma.size else np.nan
    return amplitude, neighbours
