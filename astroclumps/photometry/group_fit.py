"""Fit of several clumps and the light behind them at once, with the errors that correlated pixels make."""

from typing import NamedTuple

import numpy as np

__all__ = ["ONE_SIDED", "GroupFit", "correlated", "fit_group", "polynomial"]

ONE_SIDED = 1.645
"""Sigma of the limit: 95% of a normal distribution lie below."""

_SHIFT = 1.0  # pixels that a centre may move
_DEEPEST = 3.0  # squares of the PSF's half-light radius below zero that the square of a size may scatter to


class GroupFit(NamedTuple):
    """A fitted group.

    Attributes
    ----------
    flux, x, y, square : ndarray, shape (n,)
        Flux, centre in pixels, and square of the half-light radius in square pixels, which may be negative.
    flux_err : ndarray, shape (n,)
        1-sigma error with the correlation of the pixels.
    signal_to_noise : ndarray, shape (n,)
        Flux over the error that it has at the fitted places and sizes.
    low, high, limit : ndarray, shape (n,)
        1-sigma range of the square and its one-sided 95% limit; infinite where the data set none.
    contrast : ndarray, shape (n,)
        By how many sigma the square is above zero; 0 where it is below.
    chi2 : float
        Sum of squared residuals over what the noise alone would leave of it. Where it is above one, errors are larger by its root.
    """

    flux: np.ndarray
    x: np.ndarray
    y: np.ndarray
    square: np.ndarray
    flux_err: np.ndarray
    signal_to_noise: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limit: np.ndarray
    contrast: np.ndarray
    chi2: float


def polynomial(x, y, degree):
    """Terms of a polynomial in the plane.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Places.
    degree : int
        Degree; 1 is a plane.

    Returns
    -------
    terms : ndarray, shape (n, m)

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.photometry.group_fit import polynomial
    >>> polynomial(np.array([2.0]), np.array([3.0]), 2)
    array([[1., 3., 9., 2., 6., 4.]])
    """
    return np.column_stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)])


def correlated(rows, columns, values, correlation):
    """Multiply columns of a matrix by the correlation of the pixels, ``correlation ** (d ** 2)``.

    Parameters
    ----------
    rows, columns : ndarray of int, shape (n,)
        Pixels.
    values : ndarray, shape (n, m)
        The matrix.
    correlation : float
        Of neighbouring pixels, 0 to below 1.

    Returns
    -------
    product : ndarray, shape (n, m)
    """
    from scipy.ndimage import correlate1d

    if not correlation > 0:
        return values.copy()
    reach = int(np.ceil(np.sqrt(np.log(1e-4) / np.log(correlation))))
    kernel = correlation ** (np.arange(-reach, reach + 1.0) ** 2)
    top, left = rows.min(), columns.min()
    plane = np.zeros((rows.max() - top + 1, columns.max() - left + 1, values.shape[1]))
    plane[rows - top, columns - left] = values
    for axis in (0, 1):
        plane = correlate1d(plane, kernel, axis=axis, mode="constant")
    return plane[rows - top, columns - left]


def fit_group(profile, rows, columns, values, sigma, x, y, *, correlation, degree, largest) -> GroupFit:
    """Fit fluxes, centres and sizes of a group of clumps upon a polynomial, by least squares.

    Pixels weigh by their variance; their correlation goes into the errors but not into the weights, which keeps the fit robust against
    noise that is not quite as assumed.

    Parameters
    ----------
    profile : `~astroclumps.photometry.convolved.ConvolvedProfile`
    rows, columns : ndarray of int, shape (p,)
        Pixels.
    values, sigma : ndarray, shape (p,)
        Their light and noise.
    x, y : ndarray, shape (n,)
        Where the clumps are about.
    correlation : float
        Of neighbouring pixels.
    degree : int
        Of the polynomial.
    largest : float
        Largest half-light radius in pixels.

    Returns
    -------
    fit : `GroupFit`
    """
    from scipy.optimize import least_squares

    n = len(x)
    terms = polynomial((columns - x.mean()) / 10, (rows - y.mean()) / 10, degree) / sigma[:, None]
    data = values / sigma

    def parts(moving):
        """Light (p, n) of clumps of unit flux and its derivatives (p, n, 3), over the noise."""
        seen = [profile.image(columns - a, rows - b, q) for a, b, q in moving.reshape(n, 3)]
        light = np.column_stack([one for one, _ in seen]) / sigma[:, None]
        return light, np.stack([np.column_stack(slopes) for _, slopes in seen], axis=1) / sigma[:, None, None]

    def split(parameters):
        return parameters[: 3 * n], parameters[3 * n : 4 * n], parameters[4 * n :]

    kept = {}

    def evaluate(parameters):
        key = parameters.tobytes()
        if kept.get("key") != key:
            kept.update(key=key, parts=parts(split(parameters)[0]))
        return kept["parts"]

    def residuals(parameters):
        _, flux, level = split(parameters)
        return evaluate(parameters)[0] @ flux + terms @ level - data

    def jacobian(parameters):
        light, slopes = evaluate(parameters)
        flux = split(parameters)[1]
        return np.hstack([(slopes * flux[:, None]).reshape(len(data), 3 * n), light, terms])

    unit = profile.width**2
    best = None
    for guess in (0.5 * unit, 4 * unit):
        moving = np.column_stack([x, y, np.full(n, min(guess, 0.5 * largest**2))]).ravel()
        light, _ = parts(moving)
        linear = np.linalg.lstsq(np.hstack([light, terms]), data, rcond=None)[0]
        scale = np.abs(linear[:n]).max() + 1e-30
        linear[:n] = np.maximum(linear[:n], 0.05 * scale)
        low = np.column_stack([x - _SHIFT, y - _SHIFT, np.full(n, -_DEEPEST * unit)]).ravel()
        high = np.column_stack([x + _SHIFT, y + _SHIFT, np.full(n, largest**2)]).ravel()
        bounds = (
            np.concatenate([low, np.zeros(n), np.full(terms.shape[1], -np.inf)]),
            np.concatenate([high, np.full(n, np.inf), np.full(terms.shape[1], np.inf)]),
        )
        start = np.concatenate([moving, linear])
        found = least_squares(residuals, start, jac=jacobian, bounds=bounds, x_scale="jac", xtol=1e-6, ftol=1e-6, max_nfev=60)
        if best is None or found.cost < best.cost - 1e-6 * abs(best.cost):
            best = found
    moving, flux, _ = split(best.x)
    light, _ = evaluate(best.x)
    derivatives = jacobian(best.x)
    spread = correlated(rows, columns, derivatives, correlation)
    normal = _inverse(derivatives)
    left = len(data) - np.sum(normal * (derivatives.T @ spread))
    chi2 = float(2 * best.cost / left) if left > 0 else np.nan
    grown = max(chi2, 1.0) if np.isfinite(chi2) else 1.0
    covariance = grown * normal @ (derivatives.T @ spread) @ normal
    basis = np.hstack([light, terms])
    of_basis = _inverse(basis)
    noise = np.sqrt(grown * np.diag(of_basis @ (basis.T @ correlated(rows, columns, basis, correlation)) @ of_basis)[:n])
    ranges = np.empty((4, n))
    for i, (a, b, square) in enumerate(moving.reshape(n, 3)):

        def seen(q, a=a, b=b):
            return profile.image(columns - a, rows - b, q)[0] / sigma

        bare = _inverse(np.hstack([derivatives[:, 3 * i + 2 : 3 * i + 3], basis]))[0, 0]
        ranges[:, i] = _range(seen, basis, i, data, square, covariance[3 * i + 2, 3 * i + 2], bare, (-_DEEPEST * unit, largest**2))
    return GroupFit(flux, *moving.reshape(n, 3).T, np.sqrt(np.diag(covariance)[3 * n : 4 * n]), flux / noise, *ranges, chi2)


def _inverse(derivatives):
    return np.linalg.pinv(derivatives.T @ derivatives, rcond=1e-12, hermitian=True)


def _range(seen, basis, i, data, square, variance, bare, bounds):
    """1-sigma range, 95% limit and distance from zero of the square of one size, from chi squared with all that is linear fitted anew.

    Chi squared is stretched so that its curvature at the minimum is that of the full variance, which knows of the
    correlation of the pixels and of what is kept fixed here. The limit counts from zero where the square is below.
    """
    from scipy.optimize import brentq

    if not (variance > 0 and bare > 0):
        return -np.inf, np.inf, np.inf, 0.0
    others = np.delete(basis, i, axis=1)
    rotation = np.linalg.qr(others)[0]
    rest = data - rotation @ (rotation.T @ data)

    def explained(q):
        """What a clump of that size takes off chi squared."""
        one = seen(q)
        one = one - rotation @ (rotation.T @ one)
        return (one @ rest) ** 2 / (one @ one) if one @ rest > 0 else 0.0

    top, stretch = explained(square), bare / variance

    def excess(q):
        return (top - explained(q)) * stretch

    def crossing(target, way, start=square):
        step, inner, end, level = way * np.sqrt(variance), start, bounds[int(way > 0)], target + excess(start)
        while True:
            outer = inner + step
            outer = min(outer, end) if way > 0 else max(outer, end)
            if excess(outer) >= level:
                return brentq(lambda q: excess(q) - level, inner, outer, rtol=1e-3)
            if outer == end:
                return way * np.inf
            inner, step = outer, 1.5 * step

    contrast = np.sqrt(max(excess(0.0), 0.0)) if square > 0 else 0.0
    return crossing(1.0, -1), crossing(1.0, 1), crossing(ONE_SIDED**2, 1, start=max(square, 0.0)), contrast
