"""Stamps at the detections on images of simulated galaxies, with the fate of the clumps inside (paper section 3.2.2)."""

import numpy as np

from astroclumps.evaluation.stamp_truth import stamp_classes
from astroclumps.longevity.stamps import STAMP, cut_stamps, normalise, stamp_origin
from astroclumps.mock.sky import SkyModel

__all__ = ["ClumpStamps"]


class ClumpStamps:
    """Stamps around detections, with the classes of `~astroclumps.evaluation.stamp_truth.stamp_classes`.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
        The whole set.
    predictions : `~astroclumps.training.predictions.Predictions`
        Detections by U-Nets that never saw the galaxy; those at or above their threshold are taken.
    size : int, default 10
        Side in pixels of what the network is shown (paper section 4.1).
    region : int, default 10
        Side in pixels of the square whose clumps make the class.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Rows of ``predictions``.
    image, galaxy : ndarray of int, shape (n,)
    x, y : ndarray, shape (n,)
    label : ndarray of str, shape (n,)
        'LLC', 'SLC', 'ZLC' (no others inside) or ''.
    censored : ndarray of bool, shape (n,)
        'SLC' whose heaviest clump lives on in the last snapshot, so that it may yet become long-lived.
    """

    def __init__(self, galaxies, predictions, *, size=STAMP, region=STAMP):
        self.galaxies, self.size, self.seed = galaxies, int(size), predictions.seed
        self.rows = np.flatnonzero(predictions.score >= predictions.threshold)
        for name in ("image", "galaxy", "x", "y"):
            setattr(self, name, getattr(predictions, name)[self.rows])
        self.label, self.censored = np.full(len(self.rows), "", dtype="U3"), np.zeros(len(self.rows), dtype=bool)
        order = np.argsort(self.image, kind="stable")
        for mine in np.split(order, np.flatnonzero(np.diff(self.image[order])) + 1):
            if len(mine):
                clumps = galaxies.clumps(self.image[mine[0]])
                judged = stamp_classes(clumps, self.x[mine], self.y[mine], size=region)
                self.label[mine] = judged["label"]
                self.censored[mine] = (judged["label"] == "SLC") & np.append(clumps["censored"], False)[judged["row"]]

    def __len__(self):
        return len(self.rows)

    @property
    def bands(self):
        """Names of the bands."""
        return self.galaxies.bands

    def of(self, numbers, *, censored=False):
        """Numbers of the short- and long-lived stamps of some galaxies; the censored ones only on request."""
        keep = np.isin(self.galaxy, numbers) & np.isin(self.label, ("LLC", "SLC"))
        return np.flatnonzero(keep if censored else keep & ~self.censored)

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
