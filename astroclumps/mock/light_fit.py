"""A Sersic profile fitted to an image of a galaxy, for its axis ratio: which cameras see a galaxy as observers would choose it."""

from typing import NamedTuple

import numpy as np

from .psf import moffat

__all__ = ["LightFit", "fit_light"]

_STEPS = 40
_CONVERGED = 1e-4  # relative fall of chi^2 in a step
_NUDGE = np.array([1e-2, 1e-2, 1e-3, 1e-3, 1e-3, 1e-3])  # of the parameters, for the derivatives
_N_SERSIC = (0.2, 8.0)
_ROUND = 0.9  # largest (1 - q) / (1 + q): axis ratios above 0.05
_SMALLEST = 0.5  # pixels, half-light radius
_MIDDLE = 4  # pixels on either side of the centre that are sampled finely
_PAD = 16  # pixels around the image into which the point-spread function may carry light


class LightFit(NamedTuple):
    """Sersic profile of a galaxy.

    Attributes
    ----------
    axis_ratio : float
        b/a.
    angle : float
        Of the long axis from +x towards +y, radians, within -pi/2 and pi/2.
    r_eff : float
        Radius of half of the light along the long axis, pixels.
    n_sersic : float
    x, y : float
        Centre, pixels.
    flux : float
        In the image, in its unit.
    success : bool
        Whether the fit converged on a galaxy that lies in the image; else nothing of it should be used.
    """

    axis_ratio: float
    angle: float
    r_eff: float
    n_sersic: float
    x: float
    y: float
    flux: float
    success: bool


def fit_light(image, *, noise, psf_fwhm, pixel_scale=0.06, electrons_per_unit=None, psf=None, mask=None, fine=1) -> LightFit:
    """Fit a Sersic profile, convolved with a point-spread function, to one band of one galaxy (ours).

    Least squares by the method of Levenberg and Marquardt, weighted by the noise that the image has or would have, from the moments of the
    light on. No background: the sky must be subtracted.

    Parameters
    ----------
    image : array, shape (y, x)
        Noiseless or noisy; the galaxy is the brightest thing in it.
    noise : float or array, shape (y, x)
        Rms of its sky, in its unit.
    psf_fwhm : float
        Arcsec, of a Moffat profile (`astroclumps.mock.psf.moffat`).
    pixel_scale : float, default 0.06
        Arcsec.
    electrons_per_unit : float, optional
        Electrons of one unit of the image, for the noise of its own photons. Default: none.
    psf : array, shape (k, k), optional
        Point-spread function on the image's pixels, centred in the middle of the array; then ``psf_fwhm`` does not count.
    mask : bool array, shape (y, x), optional
        True where a pixel does not count, such as on neighbours.
    fine : int, default 1
        The profile's middle, 9 x 9 pixels, is sampled this many times a pixel along each axis, without softening if that is more than once.

    Returns
    -------
    `LightFit`
        ``success`` is False where it did not converge in 40 steps, or ended at a Sersic index of 0.2 or 8 (van der Wel et al. 2012), an
        axis ratio of 0.05, a half-light radius below half a pixel or above the image's side, or a centre farther from the middle of the
        image than a quarter of its side.

    Raises
    ------
    ValueError
        The image is not two-dimensional or not finite, or a width or the noise is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.mock.light_fit import fit_light
    >>> y, x = np.mgrid[:64, :64] - 31.5
    >>> disc = np.exp(-np.hypot(x / 8, y / 5))  # an axis ratio of 0.625
    >>> fit = fit_light(disc, noise=1e-3, psf_fwhm=0.06)
    >>> fit.success, round(fit.axis_ratio, 2), round(fit.n_sersic, 1)
    (True, 0.62, 1.0)
    """
    data = np.asarray(image, dtype=float)
    if data.ndim != 2 or not np.isfinite(data).all():
        raise ValueError(f"image must be a finite array (y, x), got shape {data.shape}")
    if not (np.all(np.asarray(noise) > 0) and psf_fwhm > 0 and pixel_scale > 0):
        raise ValueError(f"noise, psf_fwhm and pixel_scale must be positive, got {noise}, {psf_fwhm}, {pixel_scale}")
    if fine != int(fine) or fine < 1:
        raise ValueError(f"fine must be a whole number from 1 on, got {fine}")
    variance = noise**2 + (0.0 if electrons_per_unit is None else np.clip(data, 0, None) / electrons_per_unit)
    weight = np.broadcast_to(1 / np.sqrt(variance), data.shape)
    if mask is not None:
        weight, data = np.where(mask, 0.0, weight), np.where(mask, 0.0, data)
    kernel = moffat(psf_fwhm, size=2 * _PAD + 1, pixel_scale=pixel_scale) if psf is None else np.asarray(psf, dtype=float)
    blurred = _Blurred(data.shape, kernel, int(fine))
    start = _moments(data, noise)
    if start is None:
        return LightFit(*[np.nan] * 7, False)
    return _fit(data, weight, blurred, start)


def _fit(data, weight, blurred, place):
    damping, chi2, converged = 1e-2, np.inf, False
    target = data * weight
    planes = amplitude = None
    for _ in range(_STEPS):
        seen = blurred(place)
        trial = seen * weight
        amplitude_here = (trial[0] * target).sum() / (trial[0] ** 2).sum()
        residual = target - amplitude_here * trial[0]
        here = (residual**2).sum()
        if here < chi2:
            converged = chi2 - here < _CONVERGED * here + 1e-12 * (target**2).sum()
            best, chi2, planes, amplitude, left, model = place, here, trial, amplitude_here, residual, seen[0]
            damping = max(damping * 0.3, 1e-7)
            if converged:
                break
        else:
            damping *= 5
            if damping > 1e6:  # no step is better
                converged = True
                break
        derivative = np.stack([planes[0], *(amplitude * (planes[1:] - planes[0]) / _NUDGE[:, None, None])]).reshape(7, -1)
        normal, slope = derivative @ derivative.T, derivative @ left.ravel()
        scale = np.sqrt(np.diag(normal)) + 1e-300
        step = np.linalg.solve(normal / np.multiply.outer(scale, scale) + damping * np.eye(7), slope / scale) / scale
        place = _inside(best + np.clip(step[1:], -_LARGEST, _LARGEST))
    return _result(best, converged and amplitude > 0, data, amplitude * model)


_LARGEST = np.array([4.0, 4.0, 0.7, 0.3, 0.3, 0.7])  # change of the parameters in a step


def _inside(place):
    """Parameters x, y, log r, two of shape, log n within their limits."""
    place = place.copy()
    place[5] = np.clip(place[5], *np.log(_N_SERSIC))
    shape = np.hypot(place[3], place[4])
    if shape > _ROUND:
        place[3:5] *= _ROUND / shape
    place[2] = np.clip(place[2], np.log(0.2), np.log(200))
    return place


def _result(place, converged, data, model):
    x, y, log_r, g1, g2, log_n = place
    g, n = float(np.hypot(g1, g2)), float(np.exp(log_n))
    q = (1 - g) / (1 + g)
    r_eff = float(np.exp(log_r)) / np.sqrt(q)  # along the long axis
    off = max(abs(x - (data.shape[1] - 1) / 2) / data.shape[1], abs(y - (data.shape[0] - 1) / 2) / data.shape[0])
    inside = _N_SERSIC[0] * 1.01 < n < _N_SERSIC[1] * 0.99 and g < 0.999 * _ROUND
    good = converged and inside and _SMALLEST < r_eff < max(data.shape) and off < 0.25
    return LightFit(q, float(0.5 * np.arctan2(g2, g1)), r_eff, n, float(x), float(y), float(model.sum()), bool(good))


def _moments(data, noise):
    """First guess from the light above the noise, in a window of half its own light; None where there is none."""
    light = np.where(data > 2 * noise, data, 0.0)
    if not light.sum() > 0:
        return None
    y, x = np.mgrid[: data.shape[0], : data.shape[1]]
    total = light.sum()
    x0, y0 = (light * x).sum() / total, (light * y).sum() / total
    dx, dy = x - x0, y - y0
    xx, yy, xy = ((light * a).sum() / total for a in (dx * dx, dy * dy, dx * dy))
    trace = max(xx + yy, 0.5)
    e1, e2 = (xx - yy) / trace, 2 * xy / trace  # (1 - q^2) / (1 + q^2)
    e = min(np.hypot(e1, e2), 0.95)
    g = e / (1 + np.sqrt(1 - e**2))  # (1 - q) / (1 + q)
    turn = np.arctan2(e2, e1)
    distance = np.hypot(dx, dy).ravel()
    order = np.argsort(distance)
    r_half = distance[order][np.searchsorted(np.cumsum(light.ravel()[order]), 0.5 * total)]
    return np.array([x0, y0, np.log(max(r_half, 0.7)), g * np.cos(turn), g * np.sin(turn), 0.0])


class _Blurred:
    """Sersic profiles of unit amplitude with a point-spread function: the one of given parameters and six with one of them nudged."""

    def __init__(self, shape, kernel, fine):
        from scipy.fft import next_fast_len, rfft2

        self.shape, self.fine = shape, fine
        self.full = tuple(next_fast_len(n + _PAD, real=True) for n in shape)
        size = [min(k, n) - (k > n) * ((k - n) % 2) for k, n in zip(kernel.shape, self.full, strict=True)]
        corner = [(k - n) // 2 for k, n in zip(kernel.shape, size, strict=True)]
        part = kernel[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
        grid = np.zeros(self.full)
        grid[: size[0], : size[1]] = part if abs(part.sum() - 1) < 1e-12 else part / part.sum()
        self.transfer = rfft2(np.roll(grid, (-(size[0] // 2), -(size[1] // 2)), axis=(0, 1)))
        if size[0] % 2 == 0 or size[1] % 2 == 0:  # the middle lies between pixels
            fy, fx = np.fft.fftfreq(self.full[0])[:, None], np.fft.rfftfreq(self.full[1])
            self.transfer = self.transfer * np.exp(-1j * np.pi * (fy * (size[0] % 2 == 0) + fx * (size[1] % 2 == 0)))
        self.y, self.x = np.arange(shape[0])[:, None], np.arange(shape[1])

    def __call__(self, place):
        from scipy.fft import irfft2, rfft2

        many = np.tile(place, (7, 1))
        many[1:] += np.diag(_NUDGE)
        many = many.T[:, :, None, None]
        profile = _profile(self.x, self.y, many, 0.05)  # a softening of 0.2 pixels at the cusp
        if self.fine > 1:
            self._resample(profile, many, round(place[0]), round(place[1]))
        return irfft2(rfft2(profile, s=self.full) * self.transfer, s=self.full)[:, : self.shape[0], : self.shape[1]]

    def _resample(self, profile, many, x, y):
        """The middle again, from several points a pixel."""
        columns = np.arange(max(x - _MIDDLE, 0), min(x + _MIDDLE + 1, self.shape[1]))
        rows = np.arange(max(y - _MIDDLE, 0), min(y + _MIDDLE + 1, self.shape[0]))
        if not (len(rows) and len(columns)):
            return
        steps = (np.arange(self.fine) + 0.5) / self.fine - 0.5
        fine = _profile((columns[:, None] + steps).ravel(), (rows[:, None] + steps).ravel()[:, None], many, 1e-6)
        fine = fine.reshape(7, len(rows), self.fine, len(columns), self.fine).mean(axis=(2, 4))
        profile[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = fine


def _profile(x, y, many, softening):
    """Sersic profiles; the softening in pixels squared keeps the cusp finite."""
    x0, y0, log_r, g1, g2, log_n = many
    dx, dy, g = x - x0, y - y0, g1**2 + g2**2
    square = ((1 + g) * (dx * dx + dy * dy) - 2 * g1 * (dx * dx - dy * dy) - 4 * g2 * dx * dy) / (1 - g)
    n = np.exp(log_n)
    b = 2 * n - 1 / 3 + 9.876e-3 / n  # Prugniel & Simien (1997)
    ratio = np.log(square + softening) - 2 * log_r
    return np.exp(-b * (np.exp(ratio / (2 * n)) - 1))
