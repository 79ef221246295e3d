"""Training of the U-Net on images of simulated galaxies."""

from dataclasses import dataclass, field

import numpy as np
import torch

from astroclumps.detection.network import UNet
from astroclumps.detection.sources import extract
from astroclumps.detection.stretch import stretch

from .augment import Augmentation
from .loop import TrainingLoop
from .ranking import rank

__all__ = ["GALAXY_FLOORS", "MASSIVE", "GalaxyBatches", "GalaxyValidation", "probability_maps", "train_galaxy_detector"]

GALAXY_FLOORS = (0.01, 0.03, 0.1)
"""Pixel floors that are tried; crowded discs want a lower one than Sersic mocks."""

MASSIVE = 10**7.5
"""Least baryonic mass in Msun of the clumps that the completeness is counted for (METHODS 3)."""


@dataclass
class GalaxyBatches:
    """Batches of stretched noisy images and target maps, of a set of simulated galaxies and, if given, of Sersic mocks.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    index : ndarray of int
        Images to take.
    batch_size : int
    targets : `~astroclumps.training.targets.ClumpTargets`
        Of the whole set.
    augmentation : `~astroclumps.training.augment.Augmentation`
    mix : `~astroclumps.training.dataset.MockSet`, optional
        Other mocks, whose truth is that of `MockSet.truth_map`.
    mix_share : float, default 0.3
        Part of the images taken from them.
    """

    galaxies: object
    index: np.ndarray
    batch_size: int
    targets: object
    augmentation: Augmentation = field(default_factory=Augmentation)
    mix: object = None
    mix_share: float = 0.3

    def __call__(self, rng):
        made = []
        for _ in range(self.batch_size):
            if self.mix is not None and rng.random() < self.mix_share:
                i = rng.integers(len(self.mix))
                image, target, sky = self.mix.data[i], self.mix.truth_map(i), self.mix.sky(i)
            else:
                i = int(self.index[rng.integers(len(self.index))])
                image, target, sky = self.galaxies.data[i], self.targets.map(i).astype(np.float32), self.galaxies.sky(i)
            made.append(self.augmentation(image, target, sky, rng=rng))
        return np.stack([image for image, _ in made]), np.stack([target for _, target in made])


def probability_maps(network, galaxies, index, *, seed, bfloat16=False):
    """Probability maps of noisy images, a few at a time.

    Parameters
    ----------
    network : torch.nn.Module
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    index : sequence of int
        Images.
    seed : int
        Of the noise (`GalaxySet.noisy`).
    bfloat16 : bool, default False
        Detectors use float32.

    Yields
    ------
    probability : ndarray of float32, shape (y, x)
    """
    for first in range(0, len(index), 64):
        inputs = np.stack([stretch(galaxies.noisy(i, seed=seed)) for i in index[first : first + 64]])
        yield from _run(network, inputs, bfloat16)


def _run(network, inputs, bfloat16):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        batch = torch.from_numpy(inputs).to(memory_format=torch.channels_last)
        return torch.sigmoid(network(batch).float()).numpy()


class GalaxyValidation:
    """How completely and purely massive clumps are found, one to one, on a fixed set of noisy images.

    Networks are compared by the area under purity against completeness (`~astroclumps.training.ranking.Ranking.area`): it is steadier
    than the completeness at one purity, and detections of clumps that cannot be seen are no gain.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    index : ndarray of int
        Images.
    seed : int
        Of the noise.
    targets : `~astroclumps.training.targets.ClumpTargets`
        Of the whole set.
    beta : float, default 0.5
        How many times as much completeness counts as purity where the threshold is set (`~astroclumps.training.ranking.Ranking.cut`).
    min_mass : float, default `MASSIVE`
        Msun.
    """

    def __init__(self, galaxies, index, *, seed, targets, beta=0.5, min_mass=MASSIVE):
        self.inputs = np.stack([stretch(galaxies.noisy(i, seed=seed)) for i in index])
        self.beta = beta
        parts = [np.arange(targets.rows(i).start, targets.rows(i).stop) for i in index]
        rows, truth = np.concatenate(parts), targets.truth
        self.truth = {
            "first": np.concatenate([[0], np.cumsum([len(part) for part in parts])]), "x": truth.x[rows], "y": truth.y[rows],
            "counted": truth["mass"][rows] >= min_mass, "visible": targets.visible[rows],
        }  # fmt: skip

    def maps(self, network, *, bfloat16=True):
        """Probability maps, (n, y, x)."""
        return np.concatenate([_run(network, self.inputs[i : i + 64], bfloat16) for i in range(0, len(self.inputs), 64)])

    def ranking(self, maps, *, floor):
        """`~astroclumps.training.ranking.Ranking` for a pixel floor."""
        return rank([extract(m, threshold=floor)[:3] for m in maps], **self.truth)

    def choose(self, maps):
        """Floor with the largest area, the threshold that balances purity and completeness, and what they reach."""
        best, ranking = {"area": -1.0}, None
        for floor in GALAXY_FLOORS:
            one = self.ranking(maps, floor=floor)
            if one.area > best["area"]:
                best, ranking = {"floor": floor, "area": one.area}, one
        cut = ranking.cut(beta=self.beta)
        return {**best, "threshold": cut, **ranking.at(cut)}

    def __call__(self, network):
        chosen = self.choose(self.maps(network))
        return {"score": chosen.pop("area"), **{k: round(v, 4) if np.isfinite(v) else None for k, v in chosen.items()}}


def train_galaxy_detector(
    folder, *, batches, validate, filters=16, levels=3, seed=0, start=None, **options
):  # fmt: skip
    """Train a U-Net.

    Parameters
    ----------
    folder : path-like
        Checkpoints; a killed run goes on from there.
    batches : GalaxyBatches
    validate : callable
        Such as `GalaxyValidation`.
    filters, levels : int
        See `~astroclumps.detection.network.UNet`.
    seed : int
        Of the weights and the batches.
    start : dict of ndarray, optional
        Weights to start from.
    **options
        For `~astroclumps.training.loop.TrainingLoop`.

    Returns
    -------
    network : UNet
        With the weights that validated best.
    history : list of dict
    """
    torch.manual_seed(seed)
    network = UNet(batches.galaxies.data.shape[1], filters=filters, levels=levels)
    if start is not None:
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in start.items()})
    network = network.to(memory_format=torch.channels_last)
    history = TrainingLoop(network, folder, make_batch=batches, validate=validate, seed=seed, **options).run()
    return network.eval(), history
