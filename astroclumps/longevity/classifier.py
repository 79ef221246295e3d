"""`LongevityClassifier`: long-lived or short-lived, from a stamp around each detection (paper sections 2.1, 3.2.2 and 4.2)."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from astroclumps import catalog
from astroclumps.networks import import_torch, load_network, select_planes, threads

from .stamps import STAMP, cut_stamps, normalise, stamp_origin

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["LongevityClassifier", "judge", "orientations"]

__doctest_requires__ = {("LongevityClassifier", "LongevityClassifier.*"): ["torch"]}

_BATCH = 512  # stamps in one pass


def orientations(network: Any, inputs: np.ndarray) -> np.ndarray:
    """Probabilities for the eight orientations (turns and reflections) of each stamp.

    Parameters
    ----------
    network : torch.nn.Module
        Gives logits.
    inputs : ndarray of float32, shape (n, band, y, x)

    Returns
    -------
    p : ndarray of float32, shape (8, n)
    """
    import torch

    device = next(network.parameters()).device
    out = np.zeros((8, len(inputs)), dtype=np.float32)
    with torch.inference_mode():
        for first in range(0, len(inputs), _BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(inputs[first : first + _BATCH])).to(device)
            for k in range(4):
                turned = torch.rot90(batch, k, (-2, -1))
                for j, view in enumerate((turned, turned.flip(-1))):
                    p = torch.sigmoid(network(view.contiguous())).float().cpu().numpy()
                    out[2 * k + j, first : first + len(batch)] = p
    return out


def judge(network: Any, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability that stamps are of long-lived clumps, and its error.

    Parameters
    ----------
    network : torch.nn.Module
        A `~astroclumps.longevity.network.LongevityCNN` or `~astroclumps.longevity.network.LongevityEnsemble`.
    inputs : ndarray of float32, shape (n, band, y, x)
        See `~astroclumps.longevity.stamps.normalise`.

    Returns
    -------
    p, error : ndarray, shape (n,)
        Mean over orientations and members; standard deviation of the members, or of the orientations of a single network.
    """
    if not hasattr(network, "members"):
        p = orientations(network, inputs)
    else:
        p = np.stack([orientations(member, inputs).mean(axis=0, dtype=float) for member in network.members])
    return p.mean(axis=0, dtype=float), p.std(axis=0, dtype=float)


@dataclass(frozen=True)
class LongevityClassifier:
    """Tell long-lived from short-lived clumps by their stamps.

    A stamp of 10x10 pixels is cut around each detection, multiplied by the one factor that brings it to 21.5 mag in its reddest band
    (so that colour stays and mass goes), and judged by a convolutional network in its eight orientations.

    Parameters
    ----------
    weights : str, default 'default'
        Name, ``name:version`` or path of the weights; see `astroclumps.weights`.
    threshold : float, default 0.5
        P_0: long-lived at or above it (paper section 4.2).
    device : str, optional
        Torch device; default ``astroclumps.conf.device``.

    Raises
    ------
    ImportError
        torch is not installed (on first use).
    ValueError
        The image is smaller than a stamp, lacks more bands than the network saw missing, or has another pixel scale.

    Examples
    --------
    >>> from astroclumps import LongevityClassifier, UNetDetector
    >>> from astroclumps.demo import demo_image
    >>> image = demo_image()
    >>> clumps = LongevityClassifier().classify(image, UNetDetector().detect(image))
    >>> sorted(set(clumps["longevity"])) <= ["LLC", "SLC"]
    True
    """

    weights: str = "default"
    _: KW_ONLY
    threshold: float = 0.5
    device: str | None = None

    def __post_init__(self):
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is a probability between 0 and 1, got {self.threshold!r}")

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "_loaded"}

    @cached_property
    def _loaded(self):
        import_torch("LongevityClassifier")
        from .network import build_network

        return load_network(build_network, self.weights, kind="cnn", device=self.device)

    @property
    def card(self) -> dict:
        """Model card of the weights."""
        return self._loaded[1]

    def classify(self, image: "MultiBandImage", clumps: QTable) -> QTable:
        """Add probability and class to a table of detections.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            The image that ``clumps`` were found in.
        clumps : `~astropy.table.QTable`
            Stage ``detected``; left as it is.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            With ``p_long`` (mean over the eight orientations of the stamp and, of an ensemble, over its members), ``p_long_err`` (of
            an ensemble the standard deviation of its members, trained on different galaxies; of a single network that of the
            orientations, which is what it does not know about its own symmetry and no full error), ``longevity`` ('LLC', 'SLC', or ''
            where the stamp holds no light or no good pixel) and ``flags`` (STAMP_EDGE where the stamp leaves the image).
        """
        return self.classify_many([image], [clumps])[0]

    def classify_many(self, images: Any, clumps: Any) -> list[QTable]:
        """Add probability and class to the tables of several images, whose stamps go through the network together.

        Parameters
        ----------
        images : sequence of `~astroclumps.image.MultiBandImage`
        clumps : sequence of `~astropy.table.QTable`
            Stage ``detected``, one table an image.

        Returns
        -------
        clumps : list of `~astropy.table.QTable`
            As of `classify`. Probabilities differ from its by some 1e-8: sums of larger batches are rounded otherwise.
        """
        inputs = [self._inputs(image, table) for image, table in zip(images, clumps, strict=True)]
        network, _, _ = self._loaded
        with threads():
            p, p_err = judge(network, np.concatenate(inputs)) if inputs else (np.array([]), np.array([]))
        ends = np.cumsum([len(one) for one in inputs])[:-1]
        parts = zip(images, clumps, inputs, np.split(p, ends), np.split(p_err, ends), strict=True)
        return [self._labelled(*part) for part in parts]

    def _inputs(self, image, clumps):
        """Stamps as the network takes them, float32 (n, band, y, x)."""
        catalog.validate(clumps, "detected", who="LongevityClassifier")
        _, card, _ = self._loaded
        height, width = image.data.shape[1:]
        size = self._size
        if min(height, width) < size:
            raise ValueError(f"image {image.name!r} of {height}x{width} pixels is smaller than a stamp of {size}x{size}")
        data, mask = select_planes(image, card, who="LongevityClassifier")
        stamps = cut_stamps(np.where(mask, np.nan, data), clumps["x"].value, clumps["y"].value, size=size)
        return normalise(stamps, bands=card["bands"], present=~mask.all(axis=(1, 2)))

    @property
    def _size(self):
        return int(self._loaded[1]["architecture"].get("size", STAMP))

    def _labelled(self, image, clumps, inputs, p, p_err):
        height, width = image.data.shape[1:]
        known = np.abs(inputs).max(axis=(1, 2, 3), initial=0) > 0
        out = clumps.copy()
        out["p_long"] = np.where(known, p, np.nan)
        out["p_long_err"] = np.where(known, p_err, np.nan)
        longevity = np.where(out["p_long"] >= self.threshold, "LLC", "SLC")
        out["longevity"] = np.where(known, longevity, "").astype("U3")
        size = self._size
        column, row = stamp_origin(clumps["x"].value, clumps["y"].value, size=size)
        cut = (column < 0) | (row < 0) | (column + size > width) | (row + size > height)
        flags = out["flags"] if "flags" in out.colnames else np.zeros(len(out), dtype=np.int64)
        out["flags"] = flags | np.where(cut, int(catalog.Flag.STAMP_EDGE), 0)
        self._note(out, self._loaded[1])
        return out

    def _note(self, table, card):
        from astroclumps import __version__
        from astroclumps.weights import resolve, sha256

        digest = sha256(resolve(self.weights, kind="cnn"))
        line = f"{self!r}; astroclumps {__version__}; weights {card['name']} {card['version']} sha256 {digest}"
        catalog.add_history(table, line)
