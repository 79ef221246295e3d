"""The weights that are shipped: release networks with the scores of the folds in their model cards."""

from pathlib import Path

import numpy as np
import torch

from astroclumps import weights

from .card import write_weights
from .fold_cnn import FOLD_CNN
from .fold_run import fold_files
from .fold_unet import FOLD_UNET
from .folds import RELEASE, Folds
from .galaxy_set import GalaxySet

__all__ = ["CARD_SCORES", "check_folds", "make_release"]

CARD_SCORES = (
    "completeness_10px", "true_detection_10px", "completeness_8px", "balanced_completeness", "balanced_precision",
    "precision_at_recall_80", "expected_calibration_error",
)  # fmt: skip
"""What ``held_out`` of a card holds, each as [value, error]; those of a detector in the U-Net's, those of a classifier in the other's."""


def check_folds(out, folds, *, kinds=("unet", "cnn")):
    """Refuse a release whose folds are not all trained.

    Parameters
    ----------
    out : path-like
        Folder of the folds.
    folds : `~astroclumps.training.folds.Folds`
    kinds : sequence of {'unet', 'cnn'}
        Networks that are asked for.

    Raises
    ------
    FileNotFoundError
        Names the files that are missing, and the commands that write them.
    """
    told = []
    for kind in kinds:
        wanted = [file for fold in folds for file in fold_files(out, kind, fold)[:2]] + [fold_files(out, kind, RELEASE)[0]]
        missing = [file.name for file in wanted if not file.exists()]
        if missing:
            told.append(f"{', '.join(missing)} missing in {Path(out) / kind}; train them with 'astroclumps train {kind} --fold'")
    if told:
        raise FileNotFoundError(". ".join(told))


def make_release(out, data, *, kind, scores=None, version="1.0", n_main=None, n_grouped=4, n_validation=4):
    """Write the weights file that is to be shipped.

    A U-Net's is the release network. A longevity network's is an ensemble (`~astroclumps.longevity.network.LongevityEnsemble`): the
    release network and those of the main folds, whose scatter is ``p_long_err``.

    Parameters
    ----------
    out : path-like
        Folder of the folds, all of them and the release trained.
    data : path-like or `~astroclumps.training.galaxy_set.GalaxySet`
        The set.
    kind : {'unet', 'cnn'}
    scores : dict, optional
        For ``held_out`` of the card: name -> [value, error] or number, such as the evaluation of the predictions of the folds gives.
    version : str, default '1.0'
    n_main, n_grouped, n_validation : int
        As in `~astroclumps.training.fold_unet.train_unet_fold`.

    Returns
    -------
    path : `~pathlib.Path`
        ``unet-synthetic-1.0.safetensors`` or ``cnn-synthetic-1.0.safetensors`` in ``out``.
    """
    if kind not in ("unet", "cnn"):
        raise ValueError(f"kind must be 'unet' or 'cnn', got {kind!r}")
    galaxies = data if isinstance(data, GalaxySet) else GalaxySet(data)
    folds = Folds.from_set(galaxies, n_main=n_main, n_grouped=n_grouped, n_validation=n_validation)
    name = {"unet": FOLD_UNET, "cnn": FOLD_CNN}[kind]
    names = [RELEASE] if kind == "unet" else [RELEASE, *folds.main]
    check_folds(out, folds, kinds=(kind,))
    files = [fold_files(out, kind, fold)[0] for fold in names]
    loaded = [weights.load(file, kind=kind) for file in files]
    tensors, card = loaded[0]
    each = [weights.card(fold_files(out, kind, fold)[0])["recipe"] for fold in folds]
    recipe = {
        **card["recipe"],
        "folds": {str(k): {key: one[key] for key in ("held_out", "validation", "best_step", "seconds")} for k, one in enumerate(each)},
        "seconds_of_folds": int(np.sum([one["seconds"] for one in each])),
    }
    if kind == "cnn":
        from astroclumps.longevity.network import build_network

        architecture = {**card["architecture"], "members": len(loaded)}
        network = build_network(**architecture)
        recipe["members"] = ["release", *(f"fold {fold}" for fold in folds.main)]
        state = {f"members.{k}.{key}": value for k, (member, _) in enumerate(loaded) for key, value in member.items()}
    else:
        from astroclumps.detection.network import UNet

        architecture, state = card["architecture"], tensors
        network = UNet(**architecture)
    network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    keep = ("bands", "pixel_scale", "stretch", "threshold", "floor", "max_missing_bands", "trained_on")
    return write_weights(
        Path(out) / f"{name}-{version}.safetensors", network, kind=kind, shape=tuple(card["known_answer"]["shape"]), name=name,
        version=version, architecture=architecture, recipe=recipe, held_out={**card["held_out"], **_plain(scores or {})},
        **{key: card[key] for key in keep if key in card},
    )  # fmt: skip


def _plain(scores):
    """Scores as JSON takes them, rounded; a NaN is None."""

    def one(value):
        if isinstance(value, str | bool | int) or value is None:
            return value
        return round(float(value), 4) if np.isfinite(value) else None

    return {k: [one(v) for v in value] if isinstance(value, tuple | list | np.ndarray) else one(value) for k, value in scores.items()}
