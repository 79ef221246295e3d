"""`UNetDetector`: clumps found by an encoder-decoder network (paper sections 2.2, 3.2.1 and 4.1)."""

import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import NoClumpsWarning
from astroclumps.networks import import_torch, load_network, select_planes, threads

from .host import MIN_HOST, host_brightness
from .sources import Detections, detection_table, extract
from .stretch import TILE, stretch, tile_starts

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["UNetDetector"]

__doctest_requires__ = {("UNetDetector", "UNetDetector.*"): ["torch"]}

_BATCH = 32  # tiles in one pass: about 150 MB


@dataclass(frozen=True)
class UNetDetector:
    """Find clumps with a U-Net and SExtractor's source extraction.

    The network turns the bands, stretched to compressed signal-to-noise, into a map of the probability that a pixel belongs to a clump.
    Sources are extracted from the map. Images larger than the 64 pixels of the training are covered by tiles that overlap by at
    least half their side; smaller ones are padded with zeros.

    Parameters
    ----------
    weights : str, default 'default'
        Name, ``name:version`` or path of the weights; see `astroclumps.weights`. What the network saw is in its model card.
    threshold : float, optional
        Least peak probability of a source, 0 to 1. Default: the one in the model card, chosen on validation galaxies.
    min_host : float, default 0.5
        Least mean signal-to-noise a pixel of the light around a source (`~astroclumps.detection.host.host_brightness`; ours): sources
        without a galaxy around them are no clumps. A ring too crowded to be measured counts as a galaxy. 0 or less keeps all.
    device : str, optional
        Torch device; default ``astroclumps.conf.device``.

    Raises
    ------
    ImportError
        torch is not installed (on first use).
    ValueError
        The image lacks more bands than the network saw missing, or has another pixel scale.

    Examples
    --------
    >>> from astroclumps import UNetDetector
    >>> from astroclumps.demo import demo_image
    >>> clumps = UNetDetector().detect(demo_image())
    >>> clumps.colnames[:5]
    ['id', 'x', 'y', 'score', 'n_pixels']
    """

    weights: str = "default"
    _: KW_ONLY
    threshold: float | None = None
    min_host: float = MIN_HOST
    device: str | None = None

    def __post_init__(self):
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold is a probability between 0 and 1, got {self.threshold!r}; None takes the model card's")
        if not (isinstance(self.min_host, (int, float, np.number)) and np.isfinite(self.min_host)):
            raise ValueError(f"min_host is a signal-to-noise a pixel, 0 or less to keep all, got {self.min_host!r}")

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "_loaded"}

    @cached_property
    def _loaded(self):
        import_torch("UNetDetector")
        from .network import UNet

        return load_network(UNet, self.weights, kind="unet", device=self.device)

    @property
    def card(self) -> dict:
        """Model card of the weights."""
        return self._loaded[1]

    def probability(self, image: "MultiBandImage") -> np.ndarray:
        """Probability that a pixel belongs to a clump.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            Any size.

        Returns
        -------
        probability : ndarray of float32, shape (y, x)
            In [0, 1]; 0 where every band is masked.
        """
        return self._probabilities([image])[0]

    def _probabilities(self, images):
        """The map of each image; the tiles of all go through the network together."""
        _, card, _ = self._loaded
        planes = [select_planes(image, card, who="UNetDetector") for image in images]
        maps = [_Mosaic(data.shape[1:]) for data, _ in planes]
        tiles = [
            (k, r, c)
            for k, (data, mask) in enumerate(planes)
            if not mask.all()
            for r in tile_starts(data.shape[1])
            for c in tile_starts(data.shape[2])
        ]
        for first in range(0, len(tiles), _BATCH):
            part = tiles[first : first + _BATCH]
            inputs = np.zeros((len(part), len(card["bands"]), TILE, TILE), dtype=np.float32)
            for slot, (k, r, c) in enumerate(part):
                data, mask = planes[k]
                window = np.s_[:, r : r + TILE, c : c + TILE]
                tile = stretch(data[window], mask=mask[window])
                inputs[slot, :, : tile.shape[1], : tile.shape[2]] = tile
            for (k, r, c), tile in zip(part, self._run(inputs), strict=True):
                maps[k].add(tile, r, c)
        return [one.map(mask) for one, (_, mask) in zip(maps, planes, strict=True)]

    def _run(self, inputs):
        import torch

        network, _, device = self._loaded
        with threads(), torch.inference_mode():
            batch = torch.from_numpy(inputs).to(device=device, memory_format=torch.channels_last)
            return torch.sigmoid(network(batch)).float().cpu().numpy()

    def detect_with_maps(self, image: "MultiBandImage") -> Detections:
        """Table, segmentation and probability map of one image.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`

        Returns
        -------
        detections : `~astroclumps.detection.sources.Detections`
            Rows are sorted by score; segments carry their ids.

        Warns
        -----
        NoClumpsWarning
            Nothing was found.
        """
        return self._detections(image, self.probability(image))

    def detect_many(self, images: Any) -> list[Detections]:
        """Tables, segmentations and maps of several images, whose tiles go through the network together.

        Parameters
        ----------
        images : sequence of `~astroclumps.image.MultiBandImage`
            Any sizes.

        Returns
        -------
        detections : list of `~astroclumps.detection.sources.Detections`
            In the order of the images. Maps differ by some 1e-8 from those of `detect_with_maps`: sums of larger batches are rounded
            otherwise.
        """
        images = list(images)
        return [self._detections(image, found) for image, found in zip(images, self._probabilities(images), strict=True)]

    def _detections(self, image, probability):
        _, card, _ = self._loaded
        threshold = float(card["threshold"]) if self.threshold is None else self.threshold
        floor = min(float(card.get("floor", threshold)), threshold)
        x, y, score, n_pixels, segmentation = extract(probability, threshold=floor)
        keep = score >= threshold
        if self.min_host > 0 and keep.any():
            around = host_brightness(image.data, x[keep], y[keep], mask=image.mask)
            keep[keep] = ~(around < self.min_host)
        label = np.zeros(len(keep) + 1, dtype=np.int32)
        label[1:][keep] = np.arange(1, keep.sum() + 1)
        segmentation = label[segmentation]
        if not keep.any():
            why = ": every pixel is masked" if image.mask.all() else ""
            warnings.warn(f"UNetDetector found no clumps in {image.name!r}{why}", NoClumpsWarning, stacklevel=4)
        from astroclumps import __version__
        from astroclumps.weights import resolve, sha256

        digest = sha256(resolve(self.weights, kind="unet"))
        line = f"{self!r}; astroclumps {__version__}; weights {card['name']} {card['version']} sha256 {digest}"
        clumps = detection_table(image, x[keep], y[keep], score[keep], n_pixels[keep], history=line)
        return Detections(clumps, segmentation, probability)

    def detect(self, image: "MultiBandImage") -> QTable:
        """Find clumps.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`

        Returns
        -------
        clumps : `~astropy.table.QTable`
            Stage ``detected``: id, x, y (pixels), score (peak probability), n_pixels, and sky where the image has a WCS.
        """
        return self.detect_with_maps(image).clumps

    def segmentation(self, image: "MultiBandImage") -> np.ndarray:
        """Segmentation of the clumps that `detect` finds.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            As for `detect`.

        Returns
        -------
        labels : ndarray of int32, shape (y, x)
            The ids of `detect`, 0 elsewhere.
        """
        return self.detect_with_maps(image).segmentation


class _Mosaic:
    """Overlapping tiles, averaged with weights that fall towards their edges."""

    def __init__(self, shape):
        self.shape = shape
        self.total = np.zeros((max(shape[0], TILE), max(shape[1], TILE)), dtype=np.float32)
        self.weight = np.zeros_like(self.total)
        ramp = np.minimum(np.arange(TILE) + 1, TILE - np.arange(TILE)).astype(np.float32)
        self.taper = np.minimum(ramp[:, None], ramp)

    def add(self, tile, row, column):
        self.total[row : row + TILE, column : column + TILE] += tile * self.taper
        self.weight[row : row + TILE, column : column + TILE] += self.taper

    def map(self, mask):
        """The average, float32 in [0, 1]; 0 where ``mask`` (band, y, x) is True in all bands."""
        height, width = self.shape
        if mask.all():
            return np.zeros(self.shape, dtype=np.float32)
        probability = (self.total / self.weight)[:height, :width]
        probability[mask.all(axis=0)] = 0
        return np.clip(probability, 0, 1)
