"""Density of one number given another, from samples: kernels around a trend, their widths chosen by leaving whole groups out."""

import numpy as np

__all__ = ["FLOOR", "X_WIDTHS", "Y_WIDTHS", "choose_width", "choose_widths", "conditional_density", "density", "folds_of", "trend"]

X_WIDTHS = (0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 2.0)
"""Kernel widths in the number that is given, among which cross-validation chooses (dex, ours)."""

Y_WIDTHS = (0.05, 0.08, 0.12, 0.18, 0.27, 0.4)
"""Kernel widths in the other (dex, ours)."""

FLOOR = 0.01
"""Share of the density that is spread evenly over the whole range, so that one outlier does not rule out a value (ours)."""

_N_FOLDS = 10
_N_SCORED = 3000
_BLOCK = 256


def folds_of(groups, n_folds=_N_FOLDS):
    """Number the folds so that no group is in two of them.

    Parameters
    ----------
    groups : array_like, shape (n,)
    n_folds : int, default 10
        Fewer where there are fewer groups.

    Returns
    -------
    ndarray of int, shape (n,)
        The same for the same groups, whatever their order.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % min(n_folds, max(len(names), 1)))[index]


def trend(x, y):
    """Fit a parabola by least squares.

    Parameters
    ----------
    x, y : ndarray, shape (n,)

    Returns
    -------
    callable
        Of x; beyond the first and the last hundredth of the samples it stays what it is there.
    """
    low, high = np.percentile(x, [1, 99])
    inside = (x >= low) & (x <= high)
    degree = min(2, len(np.unique(x[inside])) - 1)
    fit = np.polynomial.Polynomial.fit(np.clip(x, low, high), y, degree, domain=[low, high] if high > low else [low - 1, low + 1])
    return lambda values: fit(np.clip(values, low, high))


def choose_widths(x, residual, folds, *, span, x_widths=X_WIDTHS, y_widths=Y_WIDTHS):
    """Widths under which samples of other folds tell a sample's residual best.

    Parameters
    ----------
    x, residual : ndarray, shape (n,)
        The number that is given, and the other less its trend.
    folds : ndarray of int, shape (n,)
        Of `folds_of`.
    span : float
        Range of the other number, over which `FLOOR` is spread.
    x_widths, y_widths : sequence of float
        To choose from.

    Returns
    -------
    x_width, y_width : float
    score : float
        Mean logarithm of the density of held-out samples.
    """
    rows = np.arange(len(x)) if len(x) <= _N_SCORED else np.random.default_rng(0).choice(len(x), _N_SCORED, replace=False)
    total = np.zeros((len(x_widths), len(y_widths)))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        other = folds[block, None] != folds
        near = [_kernel(x[block, None] - x, width) * other for width in x_widths]
        like = [_kernel(residual[block, None] - residual, width) for width in y_widths]
        for i, weight in enumerate(near):
            sums = np.maximum(weight.sum(axis=1), 1e-300)
            for j, value in enumerate(like):
                mixed = (1 - FLOOR) * np.einsum("ij,ij->i", weight, value) / sums + FLOOR / span
                total[i, j] += np.log(mixed).sum()
    i, j = np.unravel_index(total.argmax(), total.shape)
    return float(x_widths[i]), float(y_widths[j]), float(total[i, j] / max(len(rows), 1))


def choose_width(x, folds, *, span, widths=Y_WIDTHS):
    """Width under which samples of other folds tell a sample best; arguments as those of `choose_widths`.

    Returns
    -------
    float
    """
    return choose_widths(np.zeros(len(x)), x, folds, span=span, x_widths=(1.0,), y_widths=widths)[1]


def density(x, grid, width):
    """Density of samples, normalised over a grid of even steps.

    Parameters
    ----------
    x : ndarray, shape (n,)
    grid : ndarray, shape (n_grid,)
    width : float
        Of the Gaussian kernel.

    Returns
    -------
    ndarray, shape (n_grid,)
    """
    return _normalised(_kernel(grid[:, None] - x, width).sum(axis=1), grid)


def conditional_density(x, residual, centre, x_grid, y_grid, *, x_width, y_width, least):
    """Density of y at each x of a grid: the residuals of samples nearby, around the trend.

    Parameters
    ----------
    x, residual : ndarray, shape (n,)
    centre : callable
        Trend of y against x.
    x_grid, y_grid : ndarray, shapes (n_x,), (n_y,)
        Of even steps.
    x_width, y_width : float
        Of the Gaussian kernels.
    least : float
        Where fewer samples than these count, by their effective number, the kernel in x grows until they do.

    Returns
    -------
    ndarray, shape (n_y, n_x)
        Normalised over ``y_grid`` at each x; `FLOOR` of it is spread evenly.
    """
    table = np.empty((len(y_grid), len(x_grid)))
    least = min(least, 0.5 * len(x))
    for i, (place, middle) in enumerate(zip(x_grid, centre(x_grid), strict=True)):
        width = x_width
        weight = _kernel(x - place, width)
        while not weight.sum() ** 2 >= least * (weight**2).sum() or not weight.any():
            width *= 1.1
            weight = _kernel(x - place, width)
        keep = weight > 1e-6 * weight.max()
        sums = _kernel(y_grid[:, None] - (middle + residual[keep]), y_width) @ weight[keep]
        table[:, i] = (1 - FLOOR) * _normalised(sums, y_grid) + FLOOR / (len(y_grid) * (y_grid[1] - y_grid[0]))
    return table


def _kernel(distance, width):
    return np.exp(-0.5 * (distance / width) ** 2) / (np.sqrt(2 * np.pi) * width)


def _normalised(values, grid):
    return values / (values.sum() * (grid[1] - grid[0]))
