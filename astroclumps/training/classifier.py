"""Training of the longevity network on stamps cut at a U-Net's detections."""

from dataclasses import dataclass

import numpy as np
import torch

from astroclumps.detection.sources import extract
from astroclumps.evaluation.curves import classification_report
from astroclumps.longevity.network import LongevityCNN
from astroclumps.longevity.stamps import STAMP, cut_stamps, normalise, stamp_origin
from astroclumps.mock.sky import SkyModel
from astroclumps.npz_files import read_npz_arrays

from .augment import dihedral, lose_bands
from .loop import TrainingLoop

__all__ = [
    "PURE", "ClassifierBatches", "ClassifierValidation", "StampSet", "fit_longevity", "make_stamp_set", "train_classifier",
    "validation_scores",
]  # fmt: skip

PURE = 0.9
"""C_0: a stamp is long-lived when at least this mass-weighted share of its clumps is (paper section 3.2.2)."""

MAGNITUDES = (19.0, 24.0)
"""Range of the random F160W magnitude of a stamp (paper section 3.2.2)."""

_COLUMNS = ("stamps", "long_lived", "galaxy", "rms", "correlation")


@dataclass
class StampSet:
    """Noiseless stamps with their classes.

    Parameters
    ----------
    stamps : ndarray of float32, shape (n, band, 10, 10)
        uJy per pixel.
    long_lived : ndarray of bool, shape (n,)
    galaxy : ndarray of int, shape (n,)
        Number of the galaxy: sets are split by it.
    rms, correlation : ndarray, shape (n, band)
        Sky of the image.
    bands : tuple of str
    """

    stamps: np.ndarray
    long_lived: np.ndarray
    galaxy: np.ndarray
    rms: np.ndarray
    correlation: np.ndarray
    bands: tuple

    def __len__(self):
        return len(self.long_lived)

    def save(self, path):
        """Write to an npz file."""
        with open(path, "wb") as handle:
            np.savez(handle, bands=np.array(self.bands), **{k: getattr(self, k) for k in _COLUMNS})

    @classmethod
    def read(cls, path):
        """Read what `save` wrote; `ValueError` where it is damaged."""
        file = read_npz_arrays(path, (*_COLUMNS, "bands"))
        stamps, n = file["stamps"], len(np.atleast_1d(file["long_lived"]))
        shapes = {"stamps": stamps.shape[:1], "galaxy": file["galaxy"].shape, "rms": file["rms"].shape[:1]}
        wrong = [name for name, shape in shapes.items() if shape != (n,)]
        if wrong or stamps.ndim != 4 or file["bands"].shape != stamps.shape[1:2]:
            raise ValueError(f"{path} holds no stamps of {n} clumps: {', '.join(wrong) or 'stamps and bands'} do not fit")
        return cls(**{k: file[k] for k in _COLUMNS}, bands=tuple(str(b) for b in file["bands"]))

    def noisy(self, i, *, magnitude, rng):
        """Stamp ``i`` at a magnitude in the reddest band, with sky, uJy."""
        stamp = self.stamps[i]
        total = max(float(stamp[-1].sum()), 1e-12)
        stamp = stamp * (10 ** (-0.4 * (magnitude - 23.9)) / total)
        return stamp + SkyModel(rms=self.rms[i], correlation=self.correlation[i]).sample(stamp.shape[-2:], rng=rng)


def make_stamp_set(mocks, maps, *, floor, threshold, bands):
    """Cut noiseless stamps at the detections on probability maps.

    The class is the mass-weighted mean of the true clumps inside the stamp, long-lived at `PURE` or above; detections without a true
    clump in the stamp, and those whose stamp leaves the image, are left out.

    Parameters
    ----------
    mocks : `~astroclumps.training.dataset.MockSet`
    maps : ndarray, shape (n, y, x)
        Probability maps of the noisy mocks.
    floor, threshold : float
        Pixel floor of the extraction and least score.
    bands : sequence of str

    Returns
    -------
    stamps : StampSet
    """
    parts = {k: [] for k in _COLUMNS}
    for i, probability in enumerate(maps):
        x, y, score, *_ = extract(probability, threshold=floor)
        x, y = x[score >= threshold], y[score >= threshold]
        clumps = mocks.clumps(i)
        column, row = stamp_origin(x, y)
        inside = (clumps["x"] > column[:, None] - 0.5) & (clumps["x"] < column[:, None] + STAMP - 0.5)
        inside &= (clumps["y"] > row[:, None] - 0.5) & (clumps["y"] < row[:, None] + STAMP - 0.5)
        mass = (inside * clumps["mass"]).sum(axis=1)
        share = (inside * clumps["mass"] * clumps["long_lived"]).sum(axis=1) / np.where(mass > 0, mass, 1)
        stamps = cut_stamps(mocks.data[i], x, y)
        keep = (mass > 0) & np.isfinite(stamps).all(axis=(1, 2, 3))
        n = int(keep.sum())
        for name, value in (
            ("stamps", stamps[keep]), ("long_lived", share[keep] >= PURE), ("galaxy", np.full(n, i)),
            ("rms", np.repeat(mocks.rms[i : i + 1], n, axis=0)), ("correlation", np.repeat(mocks.correlation[i : i + 1], n, axis=0)),
        ):  # fmt: skip
            parts[name].append(value)
    return StampSet(**{k: np.concatenate(v) for k, v in parts.items()}, bands=tuple(bands))


@dataclass
class ClassifierBatches:
    """Over-sampled batches: a random multiple of 1/8 of a batch is short-lived, the rest long-lived (paper section 3.2.2).

    Parameters
    ----------
    stamps : StampSet
    batch_size : int, default 64
    """

    stamps: StampSet
    batch_size: int = 64

    def __call__(self, rng):
        short, long = np.flatnonzero(~self.stamps.long_lived), np.flatnonzero(self.stamps.long_lived)
        n_short = int(rng.integers(0, 9)) * self.batch_size // 8
        pick = np.concatenate([rng.choice(short, n_short), rng.choice(long, self.batch_size - n_short)])
        inputs = []
        for i in pick:
            noisy = self.stamps.noisy(i, magnitude=rng.uniform(*MAGNITUDES), rng=rng)
            (noisy,) = dihedral([noisy], rng=rng)
            inputs.append(normalise(noisy[None], bands=self.stamps.bands, present=lose_bands(len(noisy), rng=rng))[0])
        return np.stack(inputs), self.stamps.long_lived[pick].astype(np.float32)


class ClassifierValidation:
    """Scores on stamps of other galaxies, each at a fixed random magnitude.

    Parameters
    ----------
    stamps : StampSet
    seed : int
    """

    def __init__(self, stamps, *, seed):
        rng = np.random.default_rng(seed)
        noisy = np.stack([stamps.noisy(i, magnitude=rng.uniform(*MAGNITUDES), rng=rng) for i in range(len(stamps))])
        self.inputs = normalise(noisy, bands=stamps.bands)
        self.long_lived, self.galaxy = stamps.long_lived, stamps.galaxy

    def probabilities(self, network):
        """Mean over the eight orientations of each stamp, (n,)."""
        from astroclumps.longevity.classifier import orientations

        with torch.inference_mode():
            return orientations(network, self.inputs).mean(axis=0)

    def __call__(self, network):
        p = self.probabilities(network)
        return validation_scores(self.long_lived, p, self.galaxy)


def validation_scores(long_lived, p, galaxy):
    """What a validation of a longevity network leaves in the history: all scores, and the area under the ROC as the one that counts."""
    report = classification_report(long_lived, p, groups=galaxy, n_bootstrap=0)
    values = {k: v for k, (v, _) in report.items()}
    return {"score": values["roc_auc"], **{k: round(v, 4) for k, v in values.items()}}


def fit_longevity(folder, *, channels, size, dropout, seed, start, **options):
    """Make a longevity network and train it.

    Parameters
    ----------
    folder : path-like
        Checkpoints; a killed run goes on from there.
    channels, size, dropout
        See `~astroclumps.longevity.network.LongevityCNN`.
    seed : int
        Of the first weights and of the batches.
    start : dict of ndarray, optional
        Weights to start from.
    **options
        For `~astroclumps.training.loop.TrainingLoop`; float32 by default, for the network is small.

    Returns
    -------
    network : LongevityCNN
        With the weights that validated best.
    history : list of dict
    """
    torch.manual_seed(seed)
    network = LongevityCNN(channels, size=size, dropout=dropout)
    if start is not None:
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in start.items()})
    history = TrainingLoop(network, folder, seed=seed, **{"bfloat16": False, **options}).run()
    return network.eval(), history


def train_classifier(folder, *, train, validation, n_steps=20_000, batch_size=64, dropout=0.7, seed=0, start=None, **options):
    """Train the longevity network.

    Parameters
    ----------
    folder : path-like
        Checkpoints; a killed run goes on from there.
    train, validation : StampSet
        Of different galaxies.
    n_steps, batch_size : int
        Batches and their size (paper section 3.2.2: at most 300k batches of 64).
    dropout : float, default 0.7
        Paper section 2.1.
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
    return fit_longevity(
        folder, channels=train.stamps.shape[1], size=train.stamps.shape[-1], dropout=dropout, seed=seed, start=start,
        make_batch=ClassifierBatches(train, batch_size), validate=ClassifierValidation(validation, seed=seed + 1), n_steps=n_steps,
        **{"every": 1000, **options},
    )  # fmt: skip
