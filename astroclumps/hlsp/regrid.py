"""Sums over finer pixels onto a coarser grid that shares the middle of the field."""

from typing import NamedTuple

import numpy as np

from astroclumps.exceptions import ImageError

__all__ = ["Grid", "Onto", "common_grid", "onto"]

_SNAP = 1e-3  # fine pixels: edges closer than this to those of fine pixels are taken to lie on them
_FIELD = 0.1  # coarse pixels by which fields of view may differ where they should be the same


class Grid(NamedTuple):
    """Square pixels around the middle of a field."""

    shape: tuple[int, int]
    """Shape (y, x)."""
    side: float
    """Side of a pixel, in arcsec or anything else."""


class Onto(NamedTuple):
    """Part of each fine pixel (columns) that lies in each coarse one (rows), along both axes."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def whole(self) -> bool:
        """True if no fine pixel is shared between coarse ones."""
        return all(bool(np.isin(weights, (0.0, 1.0)).all()) for weights in self)

    def flux(self, image) -> np.ndarray:
        """Sums of flux; NaN where a part is not finite."""
        good = np.isfinite(image)
        summed = self.rows @ np.where(good, image, 0.0) @ self.columns.T
        summed[self.touched(~good)] = np.nan
        return summed

    def variance(self, variance) -> np.ndarray:
        """Sums of the variance of independent pixels; infinite where that of a part is."""
        good = np.isfinite(variance)
        summed = self.rows**2 @ np.where(good, variance, 0.0) @ (self.columns**2).T
        summed[self.touched(~good)] = np.inf
        return summed

    def touched(self, flags) -> np.ndarray:
        """True where any part is flagged."""
        return self.rows @ flags.astype(float) @ self.columns.T > 0


def common_grid(grids: dict, pixel: float) -> Grid:
    """One grid for planes with pixels of several sizes.

    Parameters
    ----------
    grids : dict of path to `Grid`
        Those of the files.
    pixel : float
        Nominal side of the coarse pixels.

    Returns
    -------
    `Grid`
        That of the files whose pixels have that size already, which must agree; where there is none, as many pixels as fit into the first
        file, made to fill its field.

    Raises
    ------
    ImageError
        If the pixels of a file do not fit, or fields differ; the message names the files.

    Examples
    --------
    >>> from astroclumps.hlsp.regrid import Grid, common_grid
    >>> common_grid({"f606w": Grid((193, 193), 0.0302), "f160w": Grid((96, 96), 0.0607)}, 0.06)
    Grid(shape=(96, 96), side=0.0607)
    """
    factors = {file: _factor(file, grid, pixel) for file, grid in grids.items()}
    coarse = {file: grid for file, grid in grids.items() if factors[file] == 1}
    if coarse:
        first, target = next(iter(coarse.items()))
        for file, grid in coarse.items():
            if grid.shape != target.shape or abs(grid.side / target.side - 1) * max(grid.shape) > _FIELD:
                raise ImageError(f"{first} has {_words(target)}, but {file} has {_words(grid)}; one image needs one grid")
    else:
        first, grid = next(iter(grids.items()))
        shape = tuple(length // factors[first] for length in grid.shape)
        sides = {round(length / n * grid.side, 12) for length, n in zip(grid.shape, shape, strict=True) if n}
        if len(sides) != 1:
            raise ImageError(f"{first} has {_words(grid)}, which cannot be made into square pixels {factors[first]} times as wide")
        target = Grid(shape, grid.side * grid.shape[0] / shape[0])
    for file, grid in grids.items():
        for fine, n in zip(grid.shape, target.shape, strict=True):
            beyond = fine * grid.side / target.side - n
            if not -_FIELD <= beyond < 1:
                raise ImageError(
                    f"{file} has {_words(grid)}, a field of {fine * grid.side:.4g} arcsec, but {first} has {n * target.side:.4g} arcsec: "
                    "they do not show the same field"
                )
    return target


def onto(fine: Grid, coarse: Grid) -> Onto:
    """How fine pixels lie in coarse ones when the middles of both grids coincide.

    Parameters
    ----------
    fine, coarse : `Grid`
        Coarse pixels are at least as large.

    Returns
    -------
    `Onto`
        With sides in a ratio of 2 and twice as many fine pixels these are sums over 2 x 2; otherwise a fine pixel on a border is
        shared by area, and flux that lies outside all coarse pixels is left out.

    Examples
    --------
    >>> from astroclumps.hlsp.regrid import Grid, onto
    >>> onto(Grid((4, 4), 0.03), Grid((2, 2), 0.06)).rows
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    >>> onto(Grid((5, 5), 0.03), Grid((2, 2), 0.06)).rows
    array([[0.5, 1. , 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 1. , 0.5]])
    """
    return Onto(*(_weights(n, m, coarse.side / fine.side) for n, m in zip(fine.shape, coarse.shape, strict=True)))


def _weights(n, m, ratio):
    edges = (np.arange(m + 1) - m / 2) * ratio + n / 2
    near = np.round(edges)
    edges = np.where(abs(edges - near) < _SNAP, near, edges)
    low = np.maximum(edges[:-1, None], np.arange(n)[None])
    high = np.minimum(edges[1:, None], np.arange(1, n + 1)[None])
    return np.clip(high - low, 0.0, None)


def _factor(file, grid, pixel):
    ratio = pixel / grid.side
    factor = max(round(ratio), 1)
    # pixels of the release are the field over a whole number, so that small images have somewhat larger ones than nominal
    slack = 0.01 + factor / min(grid.shape)
    if min(grid.shape) < factor or abs(ratio / factor - 1) > slack:
        raise ImageError(
            f"{file} has pixels of {grid.side:.5g} arcsec, which do not fit a whole number of times into {pixel:.5g} arcsec; "
            "choose another pixel_scale"
        )
    return factor


def _words(grid):
    return f"{grid.shape[1]} x {grid.shape[0]} pixels of {grid.side:.5g} arcsec"
