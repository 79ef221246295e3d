"""Stamps at the detections on images of simulated galaxies, with the fate of the clumps inside (paper section 3.2.2)."""

import numpy as np

from astroclumps.longevity.stamps import STAMP, cut_stamps, normalise, stamp_origin
from astroclumps.mock.sky import SkyModel

from .classifier import PURE

__all__ = ["KINDS", "ClumpStamps"]

KINDS = ("LLC", "SLC", "ZLC", "ex situ", "bulge", "none")
"""What a stamp holds; see `ClumpStamps`."""


class ClumpStamps:
    """Stamps around detections.

    The kind of a stamp is decided by the clumps of at least 10 stars whose centres lie in its 10x10 pixels. With short- or long-lived ones
    formed in situ it is 'LLC' where these make up at least `PURE` of their mass, else 'SLC'; the others are ignored. Without any it is
    what is most massive of 'ZLC', 'ex situ' and 'bulge', or 'none': such stamps are not trained on.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
        The whole set.
    predictions : `~astroclumps.training.predictions.Predictions`
        Detections by U-Nets that never saw the galaxy; those at or above their threshold are taken.
    size : int, default 10
        Side in pixels of what the network is shown (paper section 4.1); the class is always that of 10x10.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Rows of ``predictions``.
    image, galaxy : ndarray of int, shape (n,)
    x, y : ndarray, shape (n,)
    kind : ndarray of str, shape (n,)
        One of `KINDS`.
    share : ndarray, shape (n,)
        Share of the mass that is long-lived; NaN where the kind is not 'LLC' or 'SLC'.
    mass : ndarray, shape (n,)
        Baryonic mass in Msun that the share is of.
    """

    def __init__(self, galaxies, predictions, *, size=STAMP):
        self.galaxies, self.size, self.seed = galaxies, int(size), predictions.seed
        self.rows = np.flatnonzero(predictions.score >= predictions.threshold)
        for name in ("image", "galaxy", "x", "y"):
            setattr(self, name, getattr(predictions, name)[self.rows])
        self.kind = np.full(len(self.rows), "none", dtype="U7")
        self.share, self.mass = np.full(len(self.rows), np.nan), np.zeros(len(self.rows))
        column, row = stamp_origin(self.x, self.y)
        for image in np.unique(self.image):
            self._judge(np.flatnonzero(self.image == image), galaxies.clumps(image), column, row)

    def _judge(self, mine, clumps, column, row):
        kind = np.where(clumps["origin"] == "in situ", clumps["longevity"], clumps["origin"])
        kind[clumps["n_stars"] < 10] = ""
        for i in mine:
            inside = (clumps["x"] > column[i] - 0.5) & (clumps["x"] < column[i] + STAMP - 0.5)
            inside &= (clumps["y"] > row[i] - 0.5) & (clumps["y"] < row[i] + STAMP - 0.5) & (kind != "")
            mass, what = clumps["mass"][inside].astype(float), kind[inside]
            lived = (what == "LLC") | (what == "SLC")
            if lived.any():
                self.mass[i] = mass[lived].sum()
                self.share[i] = mass[what == "LLC"].sum() / self.mass[i]
                self.kind[i] = "LLC" if self.share[i] >= PURE else "SLC"
            elif len(mass):
                self.kind[i] = what[np.argmax(mass)]

    def __len__(self):
        return len(self.rows)

    @property
    def bands(self):
        """Names of the bands."""
        return self.galaxies.bands

    def of(self, numbers, *, kinds=("LLC", "SLC")):
        """Numbers of the stamps of some galaxies and kinds."""
        return np.flatnonzero(np.isin(self.galaxy, numbers) & np.isin(self.kind, kinds))

    def clean(self, index, *, shift=None):
        """Noiseless stamps.

        Parameters
        ----------
        index : ndarray of int, shape (n,)
            Stamps.
        shift : ndarray of int, shape (n, 2), optional
            Pixels (x, y) by which they are moved.

        Returns
        -------
        stamps : ndarray of float32, shape (n, band, size, size)
            uJy per pixel; 0 outside the image.
        """
        index = np.asarray(index)
        shift = np.zeros((len(index), 2), dtype=int) if shift is None else np.asarray(shift)
        out = np.zeros((len(index), len(self.bands), self.size, self.size), dtype=np.float32)
        height, width = self.galaxies.data.shape[-2:]
        columns, rows = stamp_origin(self.x[index] + shift[:, 0], self.y[index] + shift[:, 1], size=self.size)
        for k, (i, column, row) in enumerate(zip(self.image[index], columns, rows, strict=True)):
            x0, x1, y0, y1 = max(column, 0), min(column + self.size, width), max(row, 0), min(row + self.size, height)
            if x0 < x1 and y0 < y1:
                out[k, :, y0 - row : y1 - row, x0 - column : x1 - column] = self.galaxies.data[i, :, y0:y1, x0:x1]
        return out

    def noise(self, index, *, rng):
        """Sky of the images of some stamps, (n, band, size, size)."""
        image = self.image[index]
        sky = SkyModel(rms=self.galaxies.rms[image].ravel(), correlation=self.galaxies.correlation[image].ravel())
        return sky.sample((self.size, self.size), rng=rng).reshape(len(image), len(self.bands), self.size, self.size)

    def observed(self, index, *, scatter=None):
        """Network inputs cut from the noisy images, as `astroclumps.LongevityClassifier` cuts them.

        Parameters
        ----------
        index : ndarray of int, shape (n,)
        scatter : int, optional
            Seed; each band of a stamp gets a random factor of its own, so that the colours say nothing (paper section 6.1).

        Returns
        -------
        inputs : ndarray of float32, shape (n, band, size, size)
        """
        index = np.asarray(index)
        out = np.empty((len(index), len(self.bands), self.size, self.size), dtype=np.float32)
        for image in np.unique(self.image[index]):
            mine = np.flatnonzero(self.image[index] == image)
            noisy = self.galaxies.noisy(int(image), seed=self.seed)
            out[mine] = cut_stamps(noisy, self.x[index[mine]], self.y[index[mine]], size=self.size)
        if scatter is not None:
            factor = 10 ** (-0.4 * np.random.default_rng(scatter).uniform(-2.5, 2.5, out.shape[:2]))
            out *= factor.astype(np.float32)[:, :, None, None]
        return normalise(out, bands=self.bands)
