"""How the training of a fold begins, for either network: its galaxies, its files, and what the folder is kept for."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from .folds import RELEASE, Folds
from .galaxy_set import GalaxySet

__all__ = ["FoldRun", "fold_files", "keep_recipe", "start_weights"]

log = logging.getLogger(__name__)


def fold_files(out, kind, fold):
    """Weights file, predictions and folder of checkpoints of a fold.

    Examples
    --------
    >>> from astroclumps.training.fold_run import fold_files
    >>> [path.name for path in fold_files("runs", "unet", 2)]
    ['fold-2.safetensors', 'predictions-fold-2.npz', 'fold-2']
    """
    folder = Path(out) / kind
    return folder / f"fold-{fold}.safetensors", folder / f"predictions-fold-{fold}.npz", folder / f"fold-{fold}"


def keep_recipe(folder, recipe, *, write=True):
    """Write down what a folder of checkpoints is for; a ValueError where it is for something else.

    With ``write=False`` it is only compared: a folder is not claimed before all that a run needs is there.
    """
    path = Path(folder) / "recipe.json"
    text = json.dumps(recipe, sort_keys=True, indent=1, default=str)
    if path.exists():
        before, now = json.loads(path.read_text()), json.loads(text)
        other = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if other:
            told = ", ".join(f"{key} {before.get(key)!r} instead of {now.get(key)!r}" for key in other)
            raise ValueError(f"{folder} holds a run with {told}; go on with the same settings, or choose another folder")
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def start_weights(start, *, kind):
    """Tensors and card of weights to start from; (None, None) for None or 'none'."""
    from astroclumps import weights

    return (None, None) if start in (None, "none") else weights.load(start, kind=kind)


@dataclass(frozen=True, kw_only=True)
class FoldRun:
    """One fold of one network: what it is trained on, what it starts from, and where its results go.

    Parameters
    ----------
    out : path-like
        Folder of all folds.
    kind : str
        Folder of the network inside.
    fold : int or 'all'
    galaxies : `~astroclumps.training.galaxy_set.GalaxySet`
    folds : `~astroclumps.training.folds.Folds`
    tensors, card : dict or None
        Of the weights to start from.
    """

    out: object
    kind: str
    fold: object
    galaxies: GalaxySet
    folds: Folds
    tensors: dict | None
    card: dict | None

    @classmethod
    def open(cls, out, data, *, kind, fold, start, weights_kind, **numbers):
        """Read the set and the weights to start from.

        Parameters
        ----------
        out, kind, fold
            As above.
        data : path-like or `~astroclumps.training.galaxy_set.GalaxySet`
        start : str
            Name or file of weights, or 'none'.
        weights_kind : {'unet', 'cnn'}
            Kind of these weights.
        **numbers
            ``n_main``, ``n_grouped`` and ``n_validation`` of `~astroclumps.training.folds.Folds`.

        Returns
        -------
        FoldRun
        """
        galaxies = data if isinstance(data, GalaxySet) else GalaxySet(data)
        folds = Folds.from_set(galaxies, **numbers)
        folds.held_out(fold)  # refuses a fold that there is not
        tensors, card = start_weights(start, kind=weights_kind)
        return cls(out=out, kind=kind, fold=fold, galaxies=galaxies, folds=folds, tensors=tensors, card=card)

    @property
    def files(self):
        """As of `fold_files`."""
        return fold_files(self.out, self.kind, self.fold)

    def recipe(self, **settings):
        """All that decides the result of the run, as a dict: the settings, the start and the split."""
        folds, fold = self.folds, self.fold
        return {
            "fold": fold, "start": "none" if self.card is None else f"{self.card['name']} {self.card['version']}", **settings,
            "held_out": list(folds.held_out(fold)), "validation": list(folds.validation(fold)), "training": list(folds.training(fold)),
        }  # fmt: skip

    def is_done(self, recipe) -> bool:
        """Whether all results are there; a ValueError where the folder holds a run with another recipe. Nothing is written."""
        weights_file, predictions_file, folder = self.files
        keep_recipe(folder, recipe, write=False)
        done = weights_file.exists() and (self.fold == RELEASE or predictions_file.exists())
        if done:
            log.info("%s is done", weights_file)
        return done

    def claim(self, recipe):
        """Keep the recipe in the folder of checkpoints. For when all checks have passed."""
        keep_recipe(self.files[2], recipe)
