"""One fold of the U-Net on simulated galaxies: trained, its threshold chosen, and its held-out galaxies searched."""

import logging
from dataclasses import asdict

import numpy as np
import torch

from astroclumps.detection.sources import extract
from astroclumps.detection.stretch import STRETCH

from .augment import Augmentation
from .card import write_weights
from .dataset import MockSet
from .fold_run import FoldRun, fold_files
from .folds import RELEASE
from .galaxy_detector import MASSIVE, GalaxyBatches, GalaxyValidation, probability_maps, train_galaxy_detector
from .predictions import Predictions
from .settings import check_settings
from .targets import PIXEL, ClumpTargets, TruthRule

__all__ = ["FOLD_UNET", "images_of", "train_unet_fold"]

log = logging.getLogger(__name__)

FOLD_UNET = "unet-synthetic"
"""Name of the weights."""

NOISE_SEED = 1001
"""Seed of the noise of held-out images, the same for all folds and both networks."""


def images_of(galaxies, numbers, *, most=None):
    """Numbers of the images of some galaxies in a set; evenly thinned to at most ``most``."""
    index = np.flatnonzero(np.isin(galaxies.galaxy, numbers))
    if most is not None and len(index) > most:
        index = index[np.arange(most) * len(index) // most]
    return index


def train_unet_fold(
    out, data, *, fold, start="unet-sersic", filters=None, n_steps=6000, batch_size=16, learning_rate=None, every=250, patience=8,
    sf_zlc="all", min_snr=5.0, min_contrast=0.1, mass_ramp=None, beta=0.4, min_mass=MASSIVE, mix=None, mix_share=0.3, n_main=None,
    n_grouped=4, n_validation=4, validation_images=300, augmentation=None, seed=0, n_workers=1, progress=False, version="1.0",
):  # fmt: skip
    """Train the U-Net of one fold and search the galaxies that it never saw.

    Step, pixel floor and threshold are chosen on the validation galaxies of the fold. The release (``fold='all'``) has none: it takes the
    median step and threshold and the commonest floor of the folds, which must be there.

    Parameters
    ----------
    out : path-like
        Folder of all folds: ``unet/fold-K.safetensors``, ``unet/predictions-fold-K.npz`` and checkpoints in ``unet/fold-K``.
    data : path-like or `~astroclumps.training.galaxy_set.GalaxySet`
        The set, or its folder.
    fold : int or 'all'
        See `~astroclumps.training.folds.Folds`.
    start : str, default 'unet-sersic'
        Weights to start from, name or file; 'none' starts from random numbers.
    filters : int, optional
        Filters of the first block; default those of ``start``, 16 without.
    n_steps, batch_size : int
        Length of the schedule, and images a step.
    learning_rate : float, optional
        Largest; default 5e-4, 1e-3 without ``start`` (ours).
    every, patience : int
        Steps between validations, and after how many without a better score the run ends.
    sf_zlc, min_snr, min_contrast, mass_ramp
        Which clumps are asked for; see `~astroclumps.training.targets.TruthRule`.
    beta : float, default 0.4
        How many times as much completeness counts as purity where the threshold is set (`~astroclumps.training.ranking.Ranking.cut`).
        0.4 gives a purity of 0.9 on the validation galaxies of the shipped network, in the median of the folds.
    min_mass : float, default 10**7.5
        Msun; of the clumps whose completeness counts (`~astroclumps.training.galaxy_detector.GalaxyValidation`).
    mix : path-like, optional
        Folder of Sersic mocks that ``mix_share`` of the images are taken from.
    mix_share : float, default 0.3
    n_main, n_grouped, n_validation : int
        See `~astroclumps.training.folds.Folds`.
    validation_images : int, default 300
        At most so many, evenly thinned.
    augmentation : `~astroclumps.training.augment.Augmentation`, optional
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
        A number is out of its range (`astroclumps.training.settings.LIMITS`), or the folder holds a run with other settings.
    FileNotFoundError
        There are no mocks in ``mix``, or the release lacks a fold.
    """
    check_settings(
        n_steps=n_steps, filters=filters, batch_size=batch_size, learning_rate=learning_rate, every=every, patience=patience,
        min_snr=min_snr, min_contrast=min_contrast, beta=beta, min_mass=min_mass, mix_share=mix_share, seed=seed, n_workers=n_workers,
        validation_images=validation_images,
    )  # fmt: skip
    rule = TruthRule(sf_zlc=sf_zlc, min_snr=min_snr, min_contrast=min_contrast, mass_ramp=mass_ramp)
    augmentation = augmentation or Augmentation()
    split = {"n_main": n_main, "n_grouped": n_grouped, "n_validation": n_validation}
    run = FoldRun.open(out, data, kind="unet", fold=fold, start=start, weights_kind="unet", **split)
    galaxies, folds, card, (weights_file, predictions_file, folder) = run.galaxies, run.folds, run.card, run.files
    shape = {"filters": 16, "levels": 3} if card is None else {k: card["architecture"][k] for k in ("filters", "levels")}
    if filters not in (None, shape["filters"]):
        if card is not None:
            raise ValueError(f"the weights to start from have {shape['filters']} filters, not {filters}; start='none' starts without them")
        shape["filters"] = filters
    rate = learning_rate or (1e-3 if card is None else 5e-4)
    told = run.recipe(
        **shape, n_steps=n_steps, batch_size=batch_size, learning_rate=rate, every=every, patience=patience, **asdict(rule), beta=beta,
        min_mass=min_mass, mix=mix is not None, mix_share=mix_share if mix is not None else 0, seed=seed, augmentation=asdict(augmentation),
    )  # fmt: skip
    if run.is_done(told):
        return weights_file
    index, targets = images_of(galaxies, folds.training(fold)), ClumpTargets(galaxies, rule)
    batches = GalaxyBatches(galaxies, index, batch_size, targets, augmentation, None if mix is None else MockSet(mix), mix_share)
    log.info("fold %s: %d images to train on, held out %s", fold, len(index), folds.held_out(fold))
    options = {"n_steps": n_steps, "learning_rate": rate, "n_workers": n_workers, "progress": progress, "every": min(every, n_steps)}
    train = {"batches": batches, "seed": seed, "start": run.tensors, **shape, **options}
    chosen = _of_folds(out, folds) if fold == RELEASE else None
    run.claim(told)  # now that all is there
    if fold == RELEASE:
        network, history = train_galaxy_detector(folder, validate=None, stop=chosen["step"], **train)
    else:
        check = GalaxyValidation(
            galaxies, images_of(galaxies, folds.validation(fold), most=validation_images), seed=seed + 1, targets=targets, beta=beta,
            min_mass=min_mass,
        )  # fmt: skip
        network, history = train_galaxy_detector(folder, validate=check, patience=patience, **train)
        # floor and threshold must fit the float32 arithmetic that detectors use
        chosen = {"step": max(history, key=lambda entry: entry["score"])["step"], **check.choose(check.maps(network, bfloat16=False))}
        if not np.isfinite(chosen["threshold"]):
            raise ValueError(f"nothing that was found on the validation galaxies of fold {fold} is a clump; train longer")
    told |= {"best_step": chosen["step"], "steps_run": history[-1]["step"], "n_images": len(index)}
    told |= {"seconds": round(sum(entry["seconds"] for entry in history)), "torch": torch.__version__}
    chosen_on = {f"validation_{k}": round(chosen[k], 4) for k in ("area", "completeness", "purity", "per_image")}
    name = FOLD_UNET if fold == RELEASE else f"{FOLD_UNET}-fold-{fold}"
    write_weights(
        weights_file, network, kind="unet", shape=(1, len(galaxies.bands), 64, 64), name=name, version=version,
        architecture={"channels": len(galaxies.bands), **shape}, bands=list(galaxies.bands), pixel_scale=PIXEL, stretch=STRETCH,
        threshold=round(chosen["threshold"], 4), floor=chosen["floor"], max_missing_bands=3, held_out=chosen_on, recipe=told,
        trained_on=f"{len(np.unique(galaxies.galaxy[index]))} simulated galaxies{galaxies.source}, {len(index)} mock images"
        + ("" if mix is None else f", and Sersic mocks in {mix_share:.0%} of the batches"),
    )  # fmt: skip
    if fold != RELEASE:
        predict(galaxies, images_of(galaxies, folds.held_out(fold)), network, chosen).save(predictions_file)
    return weights_file


def predict(galaxies, index, network, chosen) -> Predictions:
    """Search noisy images with a network, as `~astroclumps.UNetDetector` does with ``min_host=0``.

    Parameters
    ----------
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    index : ndarray of int
        Images.
    network : torch.nn.Module
    chosen : dict
        ``floor`` and ``threshold``, as a model card has them.

    Returns
    -------
    Predictions
    """
    rows = []
    for i, probability in zip(index, probability_maps(network, galaxies, index, seed=NOISE_SEED), strict=True):
        x, y, score, *_ = extract(probability, threshold=min(chosen["floor"], chosen["threshold"]))
        rows += [(i, *one) for one in zip(x, y, score, strict=True)]
    image, x, y, score = np.array(rows, dtype=float).reshape(-1, 4).T
    image = image.astype(int)
    return Predictions(
        image=image, galaxy=galaxies.galaxy[image], index=galaxies.index[image], x=x, y=y, score=score,
        threshold=np.full(len(image), round(chosen["threshold"], 4)), images=index, galaxies=galaxies.galaxy[index], seed=NOISE_SEED,
    )  # fmt: skip


def _of_folds(out, folds):
    """Step, floor and threshold of the release: medians of the folds."""
    from astroclumps import weights

    files = [fold_files(out, "unet", fold)[0] for fold in folds]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise FileNotFoundError(f"the release takes step and threshold from the folds; {', '.join(missing)} missing in {files[0].parent}")
    cards = [weights.card(file) for file in files]
    floors = [card["floor"] for card in cards]
    names = ("area", "completeness", "purity", "per_image")
    held_out = {k: float(np.mean([card["held_out"][f"validation_{k}"] for card in cards])) for k in names}
    return {
        "step": int(np.median([card["recipe"]["best_step"] for card in cards])), "floor": max(sorted(set(floors)), key=floors.count),
        "threshold": float(np.median([card["threshold"] for card in cards])), **held_out,
    }  # fmt: skip
