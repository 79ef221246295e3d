"""One fold of the longevity network on simulated galaxies: stamps at detections, training, calibration, held-out probabilities."""

import logging
from dataclasses import replace

import numpy as np
import torch

from astroclumps.longevity.calibration import fit_scaling
from astroclumps.longevity.classifier import judge, orientations
from astroclumps.longevity.stamps import STAMP, STAMP_STRETCH

from .card import write_weights
from .clump_stamps import ClumpStamps
from .fold_run import FoldRun, fold_files
from .folds import RELEASE
from .galaxy_classifier import StampBatches, StampValidation, train_galaxy_classifier
from .predictions import Predictions
from .settings import check_settings
from .targets import PIXEL

__all__ = ["FOLD_CNN", "judge_detections", "train_cnn_fold"]

log = logging.getLogger(__name__)

FOLD_CNN = "cnn-synthetic"
"""Name of the weights."""


def train_cnn_fold(
    out, data, *, fold, start="none", size=STAMP, region=STAMP, dropout=0.2, n_steps=8000, batch_size=64, learning_rate=1e-3, every=500,
    patience=6, shift=1, colour=0.02, blur=0.7, censored=False, scramble=False, n_main=None, n_grouped=4, n_validation=4, seed=0,
    n_workers=1, progress=False, version="1.0",
):  # fmt: skip
    """Train the longevity network of one fold and judge the detections on the galaxies that it never saw.

    Stamps are cut at the detections of the U-Nets of `~astroclumps.training.fold_unet.train_unet_fold`, each galaxy's by the one that
    held it out; all those folds must be there. The logits are scaled and shifted to fit the validation stamps best, both classes counting
    alike: the probability is that of a balanced mix. The release (``fold='all'``) takes the median step, scale and shift of the folds.

    Parameters
    ----------
    out : path-like
        Folder of the U-Nets' folds; ``cnn/fold-K.safetensors``, ``cnn/predictions-fold-K.npz`` and checkpoints are written there.
    data : path-like or `~astroclumps.training.galaxy_set.GalaxySet`
        The set, or its folder.
    fold : int or 'all'
        See `~astroclumps.training.folds.Folds`.
    start : str, default 'none'
        Weights to start from, name or file.
    size : int, default 10
        Side in pixels of what the network is shown (paper section 4.1).
    region : int, default 10
        Side in pixels of the square around a detection whose clumps make its class. The paper's is the stamp; where clumps are crowded,
        a smaller one asks for the clump that was detected (`~astroclumps.evaluation.stamp_truth.stamp_classes`).
    dropout : float, default 0.2
    n_steps, batch_size : int
        Length of the schedule; 64 stamps a batch (paper section 3.2.2).
    learning_rate : float
    every, patience : int
        Steps between validations, and after how many without a better score the run ends.
    shift, colour, blur, scramble
        See `~astroclumps.training.galaxy_classifier.StampBatches`. A scrambled fold is also calibrated and judged on scrambled stamps.
    censored : bool, default False
        Use short-lived clumps that live on in the last snapshot, too: nobody knows whether they are short-lived (ours).
    n_main, n_grouped, n_validation : int
        As in `~astroclumps.training.fold_unet.train_unet_fold`.
    seed, n_workers, progress
        See `~astroclumps.training.loop.TrainingLoop`.
    version : str

    Returns
    -------
    path : `~pathlib.Path`
        The weights file.

    Raises
    ------
    ValueError
        A number is out of its range (`astroclumps.training.settings.LIMITS`), the folder holds a run with other settings, or one class
        has no stamps.
    FileNotFoundError
        Folds of the U-Net are missing, or the release lacks a fold.
    """
    check_settings(
        size=size, region=region, dropout=dropout, n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate, every=every,
        patience=patience, shift=shift, colour=colour, blur=blur, seed=seed, n_workers=n_workers,
    )  # fmt: skip
    kind, split = "cnn-scrambled" if scramble else "cnn", {"n_main": n_main, "n_grouped": n_grouped, "n_validation": n_validation}
    run = FoldRun.open(out, data, kind=kind, fold=fold, start=start, weights_kind="cnn", **split)
    galaxies, folds, (weights_file, predictions_file, folder) = run.galaxies, run.folds, run.files
    side = min(galaxies.data.shape[-2:])
    for name, value in (("size", size), ("region", region)):
        if value > side:
            raise ValueError(f"{name} is a side inside the images, which have {side} pixels, got {value}; give at most {side}")
    told = run.recipe(
        size=size, region=region, dropout=dropout, n_steps=n_steps, batch_size=batch_size, learning_rate=learning_rate, every=every,
        patience=patience, shift=shift, colour=colour, blur=blur, censored=censored, scramble=scramble, seed=seed,
    )  # fmt: skip
    if run.is_done(told):
        return weights_file
    missing = [k for k in folds if not fold_files(out, "unet", k)[1].exists()]
    if missing:
        raise FileNotFoundError(
            f"stamps are cut at the detections of all folds of the U-Net; predictions of {', '.join(map(str, missing))} are missing in "
            f"{fold_files(out, 'unet', 0)[1].parent}: train them first"
        )
    stamps = ClumpStamps(galaxies, Predictions.read(*(fold_files(out, "unet", k)[1] for k in folds)), size=size, region=region)
    index = stamps.of(folds.training(fold), censored=censored)
    batches = StampBatches(stamps, index, batch_size, shift=shift, colour=colour, blur=blur, scramble=scramble)
    log.info("fold %s: %d stamps, %d long-lived; held out %s", fold, len(index), (stamps.label[index] == "LLC").sum(), folds.held_out(fold))
    train = {
        "batches": batches, "dropout": dropout, "seed": seed, "start": run.tensors, "n_steps": n_steps, "learning_rate": learning_rate,
        "every": min(every, n_steps), "n_workers": n_workers, "progress": progress,
    }  # fmt: skip
    if fold == RELEASE:
        check, chosen = None, _of_folds(out, kind, folds)
    else:
        check = StampValidation(stamps, stamps.of(folds.validation(fold), censored=censored), scramble=seed if scramble else None)
    run.claim(told)  # now that all is there
    if fold == RELEASE:
        network, history = train_galaxy_classifier(folder, validate=None, stop=chosen["step"], **train)
        held_out = {}
    else:
        network, history = train_galaxy_classifier(folder, validate=check, patience=patience, **train)
        scale, shift_ = fit_scaling(check.long_lived, orientations(network, check.inputs))
        best = max(history, key=lambda entry: entry["score"])
        chosen = {"step": best["step"], "scale": scale, "shift": shift_}
        held_out = {f"validation_{k}": best[k] for k in ("roc_auc", "balanced_completeness", "balanced_precision")}
    with torch.no_grad():
        network.dense[-1].weight *= chosen["scale"]
        network.dense[-1].bias.mul_(chosen["scale"]).add_(chosen["shift"])
    told |= {
        "best_step": chosen["step"], "steps_run": history[-1]["step"], "logit_scale": round(chosen["scale"], 4),
        "logit_shift": round(chosen["shift"], 4), "n_stamps": len(index), "n_long_lived": int((stamps.label[index] == "LLC").sum()),
        "seconds": round(sum(entry["seconds"] for entry in history)), "torch": torch.__version__,
    }  # fmt: skip
    write_weights(
        weights_file, network, kind="cnn", shape=(1, len(galaxies.bands), size, size),
        name=FOLD_CNN if fold == RELEASE else f"{FOLD_CNN}-fold-{fold}", version=version,
        architecture={"channels": len(galaxies.bands), "size": size, "dropout": dropout}, bands=list(galaxies.bands), pixel_scale=PIXEL,
        stretch=STAMP_STRETCH, threshold=0.5, max_missing_bands=3, held_out=held_out, recipe=told,
        trained_on=f"{len(index)} stamps of {len(np.unique(stamps.galaxy[index]))} simulated galaxies{galaxies.source}",
    )  # fmt: skip
    if fold != RELEASE:
        found = Predictions.read(fold_files(out, "unet", fold)[1])
        judge_detections(galaxies, found, network, size=size, scramble=seed if scramble else None).save(predictions_file)
    return weights_file


def judge_detections(galaxies, found, network, *, size=STAMP, scramble=None) -> Predictions:
    """Probability that each detection is long-lived, also of those below the threshold.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    found : Predictions
    network : torch.nn.Module
    size : int, default 10
        Side of its stamps.
    scramble : int, optional
        Seed of the control; see `~astroclumps.training.clump_stamps.ClumpStamps.observed`.

    Returns
    -------
    Predictions
        With ``p_long`` and ``p_long_err``.
    """
    everything = ClumpStamps(galaxies, replace(found, threshold=np.zeros(len(found))), size=size)
    inputs = everything.observed(np.arange(len(found)), scatter=scramble)
    p, error = judge(network, inputs)
    known = np.abs(inputs).max(axis=(1, 2, 3), initial=0) > 0
    return replace(found, p_long=np.where(known, p, np.nan), p_long_err=np.where(known, error, np.nan))


def _of_folds(out, kind, folds):
    """Step, scale and shift of the release: medians of the folds."""
    from astroclumps import weights

    files = [fold_files(out, kind, fold)[0] for fold in folds]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise FileNotFoundError(f"the release takes step and calibration from the folds; {', '.join(missing)} missing in {files[0].parent}")
    recipes = [weights.card(file)["recipe"] for file in files]
    values = {name: float(np.median([recipe[key] for recipe in recipes])) for name, key in
              (("step", "best_step"), ("scale", "logit_scale"), ("shift", "logit_shift"))}  # fmt: skip
    return {**values, "step": int(values["step"])}
