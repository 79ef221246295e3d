"""Training of the U-Net on a set of mocks."""

from dataclasses import dataclass

import numpy as np
import torch

from astroclumps.detection.network import UNet
from astroclumps.detection.sources import extract
from astroclumps.detection.stretch import stretch
from astroclumps.evaluation.matching import completeness_at_purity

from .augment import add_sky, dihedral, hide_patch, lose_bands
from .dataset import MockSet
from .loop import TrainingLoop

__all__ = ["DetectorBatches", "DetectorValidation", "train_detector"]

FLOORS = (0.03, 0.05, 0.1)
"""Pixel floors of the probability map that validation chooses from."""


@dataclass
class DetectorBatches:
    """Batches of stretched noisy images and truth maps.

    Parameters
    ----------
    mocks : MockSet
    batch_size : int
    """

    mocks: MockSet
    batch_size: int

    def __call__(self, rng):
        images, maps = [], []
        for i in rng.integers(0, len(self.mocks), self.batch_size):
            image, truth = dihedral([self.mocks.data[i], self.mocks.truth_map(i)], rng=rng)
            hide_patch(image, rng=rng)
            image = add_sky(image, self.mocks.sky(i), rng=rng)
            present = lose_bands(len(image), rng=rng)
            stretched = stretch(image)
            stretched[~present] = 0
            images.append(stretched)
            maps.append(truth)
        return np.stack(images), np.stack(maps)


class DetectorValidation:
    """Completeness at 90% purity on a fixed set of noisy mocks.

    Parameters
    ----------
    mocks : MockSet
    seed : int
        Seed of the noise.
    """

    def __init__(self, mocks, *, seed):
        self.inputs = np.stack([stretch(mocks.noisy(i, seed=seed)) for i in range(len(mocks))])
        self.truth = [(mocks.clumps(i)["x"], mocks.clumps(i)["y"]) for i in range(len(mocks))]

    def maps(self, network, *, bfloat16=True):
        """Probability maps, (n, y, x)."""
        out = []
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            for i in range(0, len(self.inputs), 64):
                batch = torch.from_numpy(self.inputs[i : i + 64]).to(memory_format=torch.channels_last)
                out.append(torch.sigmoid(network(batch).float()).numpy())
        return np.concatenate(out)

    def scan(self, maps, *, floor, purity=0.9, cut=None):
        """`~astroclumps.evaluation.matching.PurityScan` for a pixel floor."""
        return completeness_at_purity([extract(m, threshold=floor)[:3] for m in maps], self.truth, purity=purity, cut=cut)

    def __call__(self, network):
        maps = self.maps(network)
        scans = {floor: self.scan(maps, floor=floor) for floor in FLOORS}
        floor = max(FLOORS, key=lambda f: scans[f].completeness)
        best = scans[floor]
        return {"score": best.completeness, "floor": floor, "threshold": best.cut, "per_image": best.per_image}


def train_detector(
    folder, *, train, validation, filters=16, levels=3, n_steps=12_000, batch_size=16, seed=0, start=None, **options
):  # fmt: skip
    """Train a U-Net.

    Parameters
    ----------
    folder : path-like
        Checkpoints; a killed run goes on from there.
    train, validation : MockSet
        Different galaxies.
    filters, levels : int
        See `~astroclumps.detection.network.UNet`.
    n_steps, batch_size : int
        Batches and their size (paper section 3.2.1: at most 4e4 batches of 4).
    seed : int
        Of the weights, the batches and the validation noise.
    start : dict of ndarray, optional
        Weights to start from.
    **options
        For `~astroclumps.training.loop.TrainingLoop`.

    Returns
    -------
    network : UNet
        With the weights that validated best.
    history : list of dict
        See `~astroclumps.training.loop.TrainingLoop.run`.
    """
    torch.manual_seed(seed)
    network = UNet(train.data.shape[1], filters=filters, levels=levels)
    if start is not None:
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in start.items()})
    network = network.to(memory_format=torch.channels_last)
    loop = TrainingLoop(
        network, folder, make_batch=DetectorBatches(train, batch_size), validate=DetectorValidation(validation, seed=seed + 1),
        seed=seed, n_steps=n_steps, **options,
    )  # fmt: skip
    history = loop.run()
    return network.eval(), history
