"""`UNetDetector`: clumps found by an encoder-decoder network (paper sections 2.2, 3.2.1 and 4.1)."""

import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable

from astroclumps.exceptions import NoClumpsWarning
from astroclumps.networks import import_torch, load_network, select_planes, threads

from .host import MIN_HOST, host_brightness
from .sources import Detections, detection_table, extract
from .stretch import TILE, stretch, tile_starts

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

    def probability(self, image) -> np.ndarray:
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
        _, card, _ = self._loaded
        data, mask = select_planes(image, card, who="UNetDetector")
        if mask.all():
            return np.zeros(data.shape[1:], dtype=np.float32)
        height, width = data.shape[1:]
        corners = [(r, c) for r in tile_starts(height) for c in tile_starts(width)]
        total = np.zeros((max(height, TILE), max(width, TILE)), dtype=np.float32)
        weight = np.zeros_like(total)
        ramp = np.minimum(np.arange(TILE) + 1, TILE - np.arange(TILE)).astype(np.float32)
        taper = np.minimum(ramp[:, None], ramp)
        for first in range(0, len(corners), _BATCH):
            part = corners[first : first + _BATCH]
            inputs = np.zeros((len(part), len(data), TILE, TILE), dtype=np.float32)
            for slot, (r, c) in enumerate(part):
                window = np.s_[:, r : r + TILE, c : c + TILE]
                tile = stretch(data[window], mask=mask[window])
                inputs[slot, :, : tile.shape[1], : tile.shape[2]] = tile
            for (r, c), tile in zip(part, self._run(inputs), strict=True):
                total[r : r + TILE, c : c + TILE] += tile * taper
                weight[r : r + TILE, c : c + TILE] += taper
        probability = (total / weight)[:height, :width]
        probability[mask.all(axis=0)] = 0
        return np.clip(probability, 0, 1)

    def _run(self, inputs):
        import torch

        network, _, device = self._loaded
        with threads(), torch.inference_mode():
            batch = torch.from_numpy(inputs).to(device=device, memory_format=torch.channels_last)
            return torch.sigmoid(network(batch)).float().cpu().numpy()

    def detect_with_maps(self, image) -> Detections:
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
        _, card, _ = self._loaded
        probability = self.probability(image)
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
            warnings.warn(f"UNetDetector found no clumps in {image.name!r}{why}", NoClumpsWarning, stacklevel=3)
        from astroclumps import __version__
        from astroclumps.weights import resolve, sha256

        digest = sha256(resolve(self.weights, kind="unet"))
        line = f"{self!r}; astroclumps {__version__}; weights {card['name']} {card['version']} sha256 {digest}"
        clumps = detection_table(image, x[keep], y[keep], score[keep], n_pixels[keep], history=line)
        return Detections(clumps, segmentation, probability)

    def detect(self, image) -> QTable:
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

    def segmentation(self, image) -> np.ndarray:
        """Segmentation whose labels are the ids of `detect`, int32, shape (y, x)."""
        return self.detect_with_maps(image).segmentation
