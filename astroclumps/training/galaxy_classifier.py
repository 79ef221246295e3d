"""Training of the longevity network on stamps of simulated galaxies."""

from dataclasses import dataclass

import numpy as np

from astroclumps.longevity.classifier import orientations
from astroclumps.longevity.stamps import normalise

from .augment import dihedral, lose_bands, scatter_light
from .classifier import MAGNITUDES, fit_longevity, validation_scores

__all__ = ["StampBatches", "StampValidation", "train_galaxy_classifier"]


@dataclass
class StampBatches:
    """Over-sampled batches: a random multiple of 1/8 of a batch is short-lived, the rest long-lived (paper section 3.2.2).

    Parameters
    ----------
    stamps : `~astroclumps.training.clump_stamps.ClumpStamps`
    index : ndarray of int
        Stamps to take, labelled 'LLC' or 'SLC'.
    batch_size : int, default 64
    shift : int, default 1
        Largest shift in pixels (ours).
    colour : float, default 0.02
        Scatter in dex of a factor of each band (ours).
    blur : float, default 0.7
        See `~astroclumps.training.augment.scatter_light` (ours).
    scramble : bool, default False
        Draw the magnitude in each band on its own, so that the colours say nothing: the control of the paper's section 6.1.
    """

    stamps: object
    index: np.ndarray
    batch_size: int = 64
    shift: int = 1
    colour: float = 0.02
    blur: float = 0.7
    scramble: bool = False

    def __post_init__(self):
        long = self.stamps.label[self.index] == "LLC"
        self._short, self._long = self.index[~long], self.index[long]
        if not len(self._short) or not len(self._long):
            raise ValueError(f"training needs stamps of both classes, got {len(self._long)} long- and {len(self._short)} short-lived")

    def __call__(self, rng):
        n_short = int(rng.integers(0, 9)) * self.batch_size // 8
        pick = np.concatenate([rng.choice(self._short, n_short), rng.choice(self._long, self.batch_size - n_short)])
        clean = self.stamps.clean(pick, shift=rng.integers(-self.shift, self.shift + 1, (len(pick), 2)))
        for k in range(len(pick)):
            (clean[k],) = dihedral([scatter_light(clean[k], rng=rng, colour=self.colour, blur=self.blur)], rng=rng)
        total = np.maximum(clean.sum(axis=(2, 3)), 1e-12)
        if self.scramble:
            magnitude = rng.uniform(*MAGNITUDES, total.shape)
        else:
            magnitude, total = rng.uniform(*MAGNITUDES, (len(pick), 1)), total[:, -1:]
        factor = 10 ** (-0.4 * (magnitude - 23.9)) / total
        noisy = clean * factor[:, :, None, None].astype(np.float32) + self.stamps.noise(pick, rng=rng)
        for k in range(len(pick)):
            noisy[k, ~lose_bands(noisy.shape[1], rng=rng)] = 0
        return normalise(noisy, bands=self.stamps.bands), (self.stamps.label[pick] == "LLC").astype(np.float32)


class StampValidation:
    """Scores on stamps of other galaxies, cut from the noisy images.

    Parameters
    ----------
    stamps : `~astroclumps.training.clump_stamps.ClumpStamps`
    index : ndarray of int
    scramble : int, optional
        Seed of the control; see `ClumpStamps.observed`.
    """

    def __init__(self, stamps, index, *, scramble=None):
        self.inputs = stamps.observed(index, scatter=scramble)
        self.long_lived, self.galaxy = stamps.label[index] == "LLC", stamps.galaxy[index]
        if self.long_lived.all() or not self.long_lived.any():
            raise ValueError("the galaxies that choose must have stamps of both classes; take more of them with n_validation")

    def __call__(self, network):
        return validation_scores(self.long_lived, orientations(network, self.inputs).mean(axis=0), self.galaxy)


def train_galaxy_classifier(folder, *, batches, validate, dropout=0.2, seed=0, start=None, **options):
    """Train the longevity network.

    Parameters
    ----------
    folder : path-like
        Checkpoints; a killed run goes on from there.
    batches : StampBatches
    validate : StampValidation or None
    dropout : float, default 0.2
        The paper has 0.7 (section 2.1).
    seed : int
    start : dict of ndarray, optional
        Weights to start from.
    **options
        For `~astroclumps.training.loop.TrainingLoop`.

    Returns
    -------
    network : LongevityCNN
        With the weights that validated best.
    history : list of dict
    """
    stamps = batches.stamps
    return fit_longevity(
        folder, channels=len(stamps.bands), size=stamps.size, dropout=dropout, seed=seed, start=start, make_batch=batches,
        validate=validate, **options,
    )  # fmt: skip
