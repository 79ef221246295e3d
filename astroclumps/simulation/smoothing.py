"""`Smoothing`: the Gaussian background of a density field, without wrap-around and in positive numbers only (G21 3.1.2).

A Gaussian is the product of two narrower ones, summed over a lattice between them: with the width sigma / sqrt(2) of each, and a lattice of
spacing h < 0.55 sigma, the sum is the Gaussian to a part in 5 million, at any distance. So each axis is smoothed by summing the field
onto a coarse lattice, and the lattice back onto the cells: 2 x 16 sums a cell where the Gaussian itself takes 180. The three axes follow
each other, and each makes the field smaller by h before the next one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .threads import n_threads, parts, run

__all__ = ["Bands", "Smoothing", "smooth"]

_REACH = 6.0  # in standard deviations, where a Gaussian is cut off
_SPACING = 0.55  # of the lattice, in standard deviations of the whole
LEAST_SIGMA = 0.85  # cells; below it the Gaussian between cell centres is not resolved


class Bands(NamedTuple):
    """A banded matrix: row i has ``weights[i, t]`` in column ``first[i] + t``."""

    weights: np.ndarray
    first: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothing:
    """Smoothing of fields of one shape with one spherical Gaussian.

    Parameters
    ----------
    sigma : float
        Standard deviation in cells, at least 0.85.
    shape : tuple of int
        Shape of the whole field.

    Raises
    ------
    ValueError
        ``sigma`` is smaller.

    Notes
    -----
    All sums are of positive numbers, so that single precision keeps every cell to a few parts in ten million of itself, also where it is a
    billionth of the brightest: there is no noise to guard against, as there is with Fourier transforms. Outside the field there is
    nothing. Gaussians are cut off at 6 of their standard deviations; of the whole Gaussian all is there within 4 of its own.
    """

    sigma: float
    shape: tuple[int, int, int]

    def __post_init__(self):
        if not self.sigma >= LEAST_SIGMA:
            raise ValueError(f"sigma must be at least {LEAST_SIGMA} cells (a FWHM of 2), got {self.sigma:.3g}; take smaller cells")

    @property
    def step(self) -> int:
        """Spacing of the lattice in cells; 1 where the field is smoothed directly."""
        return max(1, int(_SPACING * self.sigma))

    @property
    def lattice(self) -> tuple[int, int, int]:
        """Shape of the lattice."""
        if self.step == 1:
            return tuple(self.shape)
        reach = _REACH * self.sigma / np.sqrt(2)
        return tuple(int(np.ceil((n - 1 + 2 * reach) / self.step)) + 1 for n in self.shape)

    def down(self, axis: int) -> Bands | None:
        """From cells to the lattice along one axis; None where the lattice is the cells."""
        if self.step == 1:
            return None
        n, m = self.shape[axis], self.lattice[axis]
        return _bands(self._points(n, m), np.arange(n), self.sigma / np.sqrt(2), np.sqrt(self.step / np.pi) / self.sigma)

    def up(self, axis: int) -> Bands:
        """From the lattice to cells along one axis."""
        n, m = self.shape[axis], self.lattice[axis]
        if self.step == 1:
            offsets = np.arange(-int(_REACH * self.sigma), int(_REACH * self.sigma) + 1)
            return _bands(np.arange(n), np.arange(n), self.sigma, 1 / np.exp(-0.5 * (offsets / self.sigma) ** 2).sum())
        return _bands(np.arange(n), self._points(n, m), self.sigma / np.sqrt(2), np.sqrt(self.step / np.pi) / self.sigma)

    def _points(self, n, m):
        """Places of the lattice along an axis, in cells; the same seen from both ends."""
        return (n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * self.step

    def empty(self) -> np.ndarray:
        """Zeros to give to `gather`: the lattice along x, cells along y and z."""
        return np.zeros((self.lattice[0], *self.shape[1:]), dtype=np.float32)

    def gather(self, field: np.ndarray, coarse: np.ndarray, *, start: int = 0) -> None:
        """Add planes of the field to the lattice along x.

        Parameters
        ----------
        field : float32 array, shape (n, ny, nz)
            Planes from number ``start`` on.
        coarse : float32 array
            From `empty`.
        start : int, default 0
            First plane, a multiple of four.
        """
        bands = self.down(0)
        if bands is None:
            coarse[start : start + len(field)] += field
        else:
            _multiply(bands, field.reshape(len(field), -1), coarse.reshape(len(coarse), -1), start=start)

    def spread(self, coarse: np.ndarray) -> None:
        """Smooth along y and z in place, once all planes are gathered: then ``up(0)`` gives the background from ``coarse``."""
        m, _, nz = coarse.shape
        my, mz = self.lattice[1:]
        small = coarse
        if self.step > 1:
            small = np.zeros((m, my, nz), dtype=np.float32)
            _multiply_each(self.down(1), coarse, small)
        turned = np.ascontiguousarray(small.reshape(m * my, nz).T)
        if self.step > 1:
            turned = _multiply(self.down(2), turned, np.zeros((mz, m * my), dtype=np.float32))
        turned = _multiply(self.up(2), turned, np.zeros((nz, m * my), dtype=np.float32))
        small = np.ascontiguousarray(turned.T).reshape(m, my, nz)
        coarse[:] = 0
        _multiply_each(self.up(1), small, coarse)

    def expand(self, coarse: np.ndarray) -> np.ndarray:
        """The whole background, from what `spread` left."""
        out = np.zeros(self.shape, dtype=np.float32)
        _multiply(self.up(0), coarse.reshape(len(coarse), -1), out.reshape(len(out), -1))
        return out


def smooth(field: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a density with a spherical Gaussian; outside the field there is nothing.

    Parameters
    ----------
    field : float array, shape (nx, ny, nz)
        Mass in each cell, nowhere negative.
    sigma : float
        Standard deviation in cells, at least 0.85.

    Returns
    -------
    float32 array
        The same shape.

    Raises
    ------
    ValueError
        ``sigma`` is smaller, or the field has negative values.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.simulation.smoothing import smooth
    >>> field = np.zeros((15, 15, 15))
    >>> field[7, 7, 7] = 1.0
    >>> print(f"{smooth(field, 2.0)[7, 7, 7] * (2 * np.pi) ** 1.5 * 8:.4f}")
    1.0000
    """
    field = np.ascontiguousarray(field, dtype=np.float32)
    if field.ndim != 3 or (field.size and not field.min() >= 0):
        raise ValueError(f"a density has three axes and no negative values, got the shape {field.shape}")
    smoothing = Smoothing(sigma=float(sigma), shape=field.shape)
    coarse = smoothing.empty()
    smoothing.gather(field, coarse)
    smoothing.spread(coarse)
    return smoothing.expand(coarse)


def _bands(rows, columns, sigma, norm):
    """Gaussian of the distance between two ascending sets of places, cut off; bands begin at multiples of four columns."""
    low = np.searchsorted(columns, rows - _REACH * sigma) // 4 * 4
    high = np.searchsorted(columns, rows + _REACH * sigma, side="right")
    width = -(-int((high - low).max()) // 4) * 4
    index = low[:, None] + np.arange(width)
    place = columns[np.minimum(index, len(columns) - 1)]
    offset = (rows[:, None] - place) / sigma
    weights = np.where((index < len(columns)) & (abs(offset) <= _REACH), norm * np.exp(-0.5 * offset**2), 0.0)
    return Bands(weights.astype(np.float32), low.astype(np.int64))


def _multiply(bands, source, out, start=0):
    from .smoothing_kernels import CHUNK, add_band_product

    columns = parts(source.shape[1], 8 * n_threads(), step=CHUNK)
    run(add_band_product, [(*bands, source, start, low, high, out) for low, high in columns])
    return out


def _multiply_each(bands, source, out):
    from .smoothing_kernels import add_band_product

    run(add_band_product, [(*bands, one, 0, 0, one.shape[1], made) for one, made in zip(source, out, strict=True)])
