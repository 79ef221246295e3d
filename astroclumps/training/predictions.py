"""`Predictions`: what networks said about galaxies that they never saw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archives import read_arrays

__all__ = ["Predictions"]

_ROWS = {"image": np.int64, "galaxy": np.int64, "index": np.int64, "x": float, "y": float, "score": float, "threshold": float}
_EXTRA = {"p_long": float, "p_long_err": float}
_REMEDY = "'astroclumps train unet --data FOLDER --fold K' (or train cnn) writes OUT/unet/predictions-fold-K.npz (OUT/cnn/...)"


@dataclass
class Predictions:
    """Detections on held-out images, a row each, whatever their score.

    Files are ``predictions-fold-K.npz``, with the arrays below and without pickle; a folder of them holds every image of a set once.

    Parameters
    ----------
    image : ndarray of int, shape (n,)
        Number of the image in the whole set.
    galaxy, index : ndarray of int, shape (n,)
        The same image by its galaxy and its number among the images of that galaxy.
    x, y : ndarray, shape (n,)
        Pixels.
    score : ndarray, shape (n,)
        Peak probability of the U-Net.
    threshold : ndarray, shape (n,)
        That of the network that made the row; the detector keeps scores at or above it.
    images, galaxies : ndarray of int
        Images that were searched, also those without any detection, and the galaxy of each.
    seed : int
        Of the noise: the pixels were those of ``GalaxySet.noisy(image, seed=seed)``.
    p_long, p_long_err : ndarray, shape (n,), optional
        What the longevity network of the fold says, in a balanced mix of the classes, and the scatter of the orientations; NaN where
        the stamp is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.training.predictions import Predictions
    >>> one = Predictions(image=[3, 3], galaxy=[0, 0], index=[3, 3], x=[1, 2], y=[4, 5], score=[0.9, 0.3], threshold=[0.5, 0.5],
    ...                   images=[2, 3], galaxies=[0, 0], seed=7)
    >>> [len(x) for x, y, score in one.detections(4)], [len(x) for x, y, score in one.detections(4, threshold=0)]
    ([0, 0, 0, 1], [0, 0, 0, 2])
    """

    image: np.ndarray
    galaxy: np.ndarray
    index: np.ndarray
    x: np.ndarray
    y: np.ndarray
    score: np.ndarray
    threshold: np.ndarray
    images: np.ndarray
    galaxies: np.ndarray
    seed: int
    p_long: np.ndarray | None = None
    p_long_err: np.ndarray | None = None

    def __post_init__(self):
        for name, kind in {**_ROWS, **_EXTRA}.items():
            if getattr(self, name) is not None:
                setattr(self, name, np.asarray(getattr(self, name), dtype=kind))
        self.images, self.galaxies = np.asarray(self.images, dtype=np.int64), np.asarray(self.galaxies, dtype=np.int64)
        self.seed = int(self.seed)
        lengths = {name: len(getattr(self, name)) for name in (*_ROWS, *_EXTRA) if getattr(self, name) is not None}
        if len(set(lengths.values())) > 1 or len(self.images) != len(self.galaxies):
            raise ValueError(f"columns must be equally long, got {lengths}, {len(self.images)} images and {len(self.galaxies)} galaxies")

    def __len__(self):
        return len(self.x)

    @property
    def level_score(self):
        """Scores moved in the logit so that the threshold of every row is one half: those of several folds can be put in one order.

        Examples
        --------
        >>> from astroclumps.training.predictions import Predictions
        >>> one = Predictions(image=[0, 0], galaxy=[0, 0], index=[0, 0], x=[1, 2], y=[4, 5], score=[0.8, 0.2], threshold=[0.8, 0.5],
        ...                   images=[0], galaxies=[0], seed=7)
        >>> one.level_score.round(3).tolist()
        [0.5, 0.2]
        """
        score, threshold = (np.clip(values, 1e-9, 1 - 1e-9) for values in (self.score, self.threshold))
        return 1 / (1 + (1 - score) / score * threshold / (1 - threshold))

    def save(self, path):
        """Write to an npz file; the same rows give the same bytes."""
        path = Path(path)
        partial = path.with_suffix(".tmp")
        names = [*_ROWS, "images", "galaxies", "seed", *(name for name in _EXTRA if getattr(self, name) is not None)]
        with open(partial, "wb") as handle:
            np.savez(handle, **{name: getattr(self, name) for name in names})
        partial.replace(path)
        return path

    @classmethod
    def read(cls, *paths) -> "Predictions":
        """Read files, or all ``predictions-fold-*.npz`` of a folder, as one.

        Parameters
        ----------
        *paths : path-like

        Returns
        -------
        Predictions

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            A file is damaged, or no file of predictions; files overlap, or were made with noise of different seeds.
        """
        files = []
        for path in map(Path, paths):
            files += sorted(path.glob("predictions-fold-*.npz")) if path.is_dir() else [path]
        if not files:
            raise FileNotFoundError(f"no predictions-fold-*.npz in {', '.join(map(str, paths))}; 'astroclumps train unet' writes them")
        parts = []
        for file in files:
            arrays = read_arrays(file, remedy=_REMEDY)
            unknown = sorted(({*arrays} ^ {*_ROWS, "images", "galaxies", "seed"}) - {*_EXTRA})
            if unknown:
                raise ValueError(f"{file} is not a file of predictions, look at {', '.join(unknown)}; {_REMEDY}")
            parts.append(cls(**arrays))
        return cls.join(parts)

    @classmethod
    def join(cls, parts) -> "Predictions":
        """Predictions of several folds as one."""
        parts = list(parts)
        seeds = {part.seed for part in parts}
        images = np.concatenate([part.images for part in parts])
        if len(seeds) > 1 or len(np.unique(images)) < len(images):
            raise ValueError(f"predictions must be of different images with noise of one seed, got seeds {sorted(seeds)}")
        extra = [name for name in _EXTRA if all(getattr(part, name) is not None for part in parts)]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_ROWS, "galaxies", *extra)}
        return cls(images=images, seed=seeds.pop(), **columns)

    def detections(self, n_images, *, threshold=None) -> list:
        """Detections image by image, as ``astroclumps.evaluation`` takes them.

        Parameters
        ----------
        n_images : int
            Length of the set.
        threshold : float, optional
            Least score. Default: each row's own.

        Returns
        -------
        list of (x, y, score)
            Of length ``n_images``; empty arrays where nothing was found or the image was not searched (see ``images``).

        Raises
        ------
        ValueError
            The set is shorter than the predictions need.
        """
        return [(self.x[rows], self.y[rows], self.score[rows]) for rows in self.rows(n_images, threshold=threshold)]

    def rows(self, n_images, *, threshold=None) -> list:
        """Rows of each image, to look up any column; arguments as in `detections`."""
        last = int(max(self.images.max(initial=-1), self.image.max(initial=-1)))
        if not last < n_images:
            raise ValueError(
                f"n_images is the length of the set that was searched, at least {last + 1} because image {last} was; got {n_images!r}"
            )
        keep = np.flatnonzero(self.score >= (self.threshold if threshold is None else threshold))
        order = keep[np.argsort(self.image[keep], kind="stable")]
        return np.split(order, np.searchsorted(self.image[order], np.arange(1, n_images)))
