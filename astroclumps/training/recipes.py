"""From a seed to a weights file: mocks, training, thresholds from validation galaxies, scores on test galaxies, model card."""

import logging
from pathlib import Path

import numpy as np
import torch

from astroclumps import bands as _bands
from astroclumps.detection.stretch import STRETCH
from astroclumps.evaluation.curves import classification_report
from astroclumps.longevity.calibration import fit_scaling
from astroclumps.longevity.classifier import orientations
from astroclumps.longevity.stamps import STAMP, STAMP_STRETCH
from astroclumps.mock.sersic import SersicMocks

from .card import write_weights
from .classifier import ClassifierValidation, StampSet, make_stamp_set, train_classifier
from .dataset import make_mock_set
from .detector import DetectorValidation, train_detector
from .settings import check_settings

__all__ = ["PURITY", "mock_sets", "train_cnn", "train_unet"]

log = logging.getLogger(__name__)

PURITY = 0.95
"""Purity on validation mocks at which the threshold of a detector is set (ours)."""

_SAW = (
    "synthetic Sersic galaxies (astroclumps.mock.sersic.SersicMocks): bulge, bar, disc, arms and 0-8 Gaussian clumps of "
    "BC03 populations; no simulation and no real galaxy was seen"
)


def mock_sets(folder, *, n_train, n_validation, n_test, seed=0, n_jobs=1, progress=False):
    """Training, validation and test mocks of different galaxies.

    Parameters
    ----------
    folder : path-like
        Sets lie in its folders ``train``, ``validation`` and ``test``; what exists is kept.
    n_train, n_validation, n_test : int
        Images; 0 leaves a set out (None in its place).
    seed : int
        The sets use seeds 10 seed + 1, + 2 and + 3.
    n_jobs : int
        Processes.
    progress : bool

    Returns
    -------
    sets : tuple of MockSet or None
    """
    made = []
    for k, (name, n) in enumerate((("train", n_train), ("validation", n_validation), ("test", n_test)), start=1):
        mocks = SersicMocks(seed=10 * seed + k)
        made.append(make_mock_set(Path(folder) / name, mocks, n_images=n, n_jobs=n_jobs, progress=progress) if n else None)
    return tuple(made)


def _bootstrap(found, *, seed=0, n=200):
    """Error of a completeness, drawing whole galaxies."""
    rng = np.random.default_rng(seed)
    hits, totals = np.array([f.sum() for f in found]), np.array([len(f) for f in found])
    draws = rng.integers(0, len(found), (n, len(found)))
    return float(np.std(hits[draws].sum(axis=1) / np.maximum(totals[draws].sum(axis=1), 1)))


def train_unet(
    folder, *, n_train=16_000, n_validation=500, n_test=500, n_steps=12_000, filters=16, batch_size=16, seed=0, n_jobs=1,
    progress=False, version="1.0", name="unet-sersic",
):  # fmt: skip
    """Train a U-Net on Sersic mocks and write its weights.

    The threshold in the card is the score that gives `PURITY` on the validation galaxies: more than the 90% at which finders are compared,
    because real galaxies have structure that the mocks lack. The test galaxies are judged once, at the end.

    Parameters
    ----------
    folder : path-like
        Mocks, checkpoints and the weights file; a killed call goes on where it stopped.
    n_train, n_validation, n_test : int
        Images.
    n_steps, filters, batch_size : int
        See `~astroclumps.training.detector.train_detector`.
    seed, n_jobs, progress
        See `mock_sets`.
    version, name : str
        Of the weights.

    Returns
    -------
    path : `~pathlib.Path`
        The weights file.
    """
    check_settings(n_train=n_train, n_steps=n_steps, filters=filters, batch_size=batch_size, seed=seed, n_jobs=n_jobs, n_test=n_test)
    folder = Path(folder)
    train, validation, test = mock_sets(
        folder, n_train=n_train, n_validation=n_validation, n_test=n_test, seed=seed, n_jobs=n_jobs, progress=progress
    )
    network, history = train_detector(
        folder / "unet", train=train, validation=validation, filters=filters, n_steps=n_steps, batch_size=batch_size, seed=seed,
        every=min(1000, n_steps), progress=progress,
    )  # fmt: skip
    best = max(history, key=lambda entry: entry["score"])
    # the threshold must fit the float32 arithmetic that detectors use
    check = DetectorValidation(validation, seed=seed + 1)
    maps = check.maps(network, bfloat16=False)
    chosen = check.scan(maps, floor=best["floor"], purity=PURITY)
    cuts = {"": chosen.cut, "_at_90_purity": check.scan(maps, floor=best["floor"], purity=0.9).cut}
    held_out = {}
    if test is not None:
        judge = DetectorValidation(test, seed=seed + 2)
        maps = judge.maps(network, bfloat16=False)
        held_out["n_images"] = len(test)
        for suffix, cut in cuts.items():
            scan = judge.scan(maps, floor=best["floor"], cut=cut)
            held_out |= {
                f"cut{suffix}": round(cut, 4),
                f"completeness{suffix}": [round(scan.completeness, 4), round(_bootstrap(scan.found), 4)],
                f"purity{suffix}": round(scan.purity, 4),
                f"detections_per_image{suffix}": round(scan.per_image, 3),
            }
    names = _bands.names(_bands.CANDELS)
    return write_weights(
        folder / f"{name}-{version}.safetensors", network, kind="unet", shape=(1, len(names), 64, 64), name=name, version=version,
        architecture={"channels": len(names), "filters": filters, "levels": 3}, bands=list(names), pixel_scale=0.06, stretch=STRETCH,
        threshold=round(chosen.cut, 4), floor=best["floor"], max_missing_bands=3, trained_on=_SAW, held_out=held_out,
        recipe={
            "command": f"astroclumps train unet --seed {seed} --images {n_train} --steps {n_steps} --filters {filters}",
            "n_train": n_train, "n_validation": n_validation, "batch_size": batch_size, "n_steps": n_steps, "seed": seed,
            "best_step": best["step"], "seconds": round(sum(entry["seconds"] for entry in history)), "torch": torch.__version__,
        },
    )  # fmt: skip


def train_cnn(
    folder, *, detector=None, n_train=16_000, n_validation=500, n_test=500, n_steps=16_000, seed=0, n_jobs=1, dropout=0.2,
    progress=False, version="1.0", name="cnn-sersic",
):  # fmt: skip
    """Train the longevity network on stamps at a U-Net's detections, and write its weights.

    The logits are scaled and shifted so that they fit the validation stamps best, both classes counting alike: the probability is that
    of a balanced mix. Scale and shift are folded into the last layer.

    Parameters
    ----------
    folder : path-like
        The folder of `train_unet`, whose mocks are used, or a new one.
    detector : path-like or str, optional
        Weights of the U-Net. Default: the ``unet-*`` file in the folder, else the package's default.
    n_train, n_validation, n_test, n_steps, seed, n_jobs, progress, version, name
        As in `train_unet`.
    dropout : float, default 0.2
        With the paper's 0.7 (section 2.1) the area under the validation ROC stayed below 0.63, where 0.2 reaches 0.69 in as many steps.

    Returns
    -------
    path : `~pathlib.Path`
        The weights file.
    """
    from astroclumps.detection.network import UNet
    from astroclumps.networks import load_network

    check_settings(n_train=n_train, n_steps=n_steps, dropout=dropout, seed=seed, n_jobs=n_jobs, n_test=n_test)
    folder = Path(folder)
    if detector is None:
        local = sorted(folder.glob("unet-*.safetensors"))
        detector = str(local[-1]) if local else "default"
    unet, card, _ = load_network(UNet, str(detector), kind="unet", device="cpu")
    sets = mock_sets(folder, n_train=n_train, n_validation=n_validation, n_test=n_test, seed=seed, n_jobs=n_jobs, progress=progress)
    stamps = []
    for label, mocks in zip(("train", "validation", "test"), sets, strict=True):
        path = folder / f"stamps-{label}.npz"
        if mocks is not None and not path.exists():
            maps = _maps(unet, mocks, seed=seed + 11)
            made = make_stamp_set(mocks, maps, floor=card.get("floor", card["threshold"]), threshold=card["threshold"], bands=card["bands"])
            made.save(path)
            log.info("%d stamps, %d of them long-lived, in %s", len(made), made.long_lived.sum(), path)
        stamps.append(StampSet.read(path) if mocks is not None else None)
    train, validation, test = stamps
    network, history = train_classifier(
        folder / "cnn", train=train, validation=validation, n_steps=n_steps, dropout=dropout, seed=seed, progress=progress
    )
    best = max(history, key=lambda entry: entry["score"])
    check = ClassifierValidation(validation, seed=seed + 1)
    scale, shift = fit_scaling(check.long_lived, orientations(network, check.inputs))
    with torch.no_grad():
        network.dense[-1].weight *= scale
        network.dense[-1].bias.mul_(scale).add_(shift)
    held_out = {}
    if test is not None:
        judge = ClassifierValidation(test, seed=seed + 2)
        p = judge.probabilities(network)
        report = classification_report(judge.long_lived, p, groups=judge.galaxy)
        held_out = {k: [round(v, 4), round(e, 4)] for k, (v, e) in report.items()}
        held_out |= {"n_stamps": len(test), "natural_share_long_lived": round(float(test.long_lived.mean()), 4)}
    return write_weights(
        folder / f"{name}-{version}.safetensors", network, kind="cnn", shape=(1, len(card["bands"]), STAMP, STAMP), name=name,
        version=version, architecture={"channels": len(card["bands"]), "size": STAMP, "dropout": dropout}, bands=card["bands"],
        pixel_scale=card["pixel_scale"], stretch=STAMP_STRETCH, threshold=0.5, max_missing_bands=3, trained_on=_SAW, held_out=held_out,
        recipe={
            "command": f"astroclumps train cnn --seed {seed} --images {n_train} --steps {n_steps} --dropout {dropout}",
            "detector": f"{card['name']} {card['version']}", "n_stamps": len(train), "n_steps": n_steps, "seed": seed,
            "best_step": best["step"], "logit_scale": round(scale, 4), "logit_shift": round(shift, 4),
            "seconds": round(sum(entry["seconds"] for entry in history)), "torch": torch.__version__,
        },
    )  # fmt: skip


def _maps(network, mocks, *, seed):
    """Probability maps of the noisy mocks, a few hundred in memory at a time, (n, y, x)."""
    from astroclumps.detection.stretch import stretch

    out = np.empty((len(mocks), *mocks.data.shape[-2:]), dtype=np.float32)
    for first in range(0, len(mocks), 64):
        inputs = np.stack([stretch(mocks.noisy(i, seed=seed)) for i in range(first, min(first + 64, len(mocks)))])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(inputs).to(memory_format=torch.channels_last))
        out[first : first + len(inputs)] = torch.sigmoid(logits.float()).numpy()
    return out
