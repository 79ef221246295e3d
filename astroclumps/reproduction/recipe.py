"""The galaxies that the simulated arm looks at: made anew, or a set that is there; never those that the networks learned from."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import astropy.units as u

__all__ = ["FINDER_EXTENT", "SETTINGS", "TRAINING_SEED", "Recipe", "fresh_set", "read_recipe"]

TRAINING_SEED = 41
"""Seed of the suite that ``unet-synthetic`` and ``cnn-synthetic`` learned from."""

SETTINGS = {"clumpiness": (0.7, 6.0), "random_cameras": 11}
"""How that suite was made, but for its seed."""

FINDER_EXTENT = (1.6, 1.0)

_QUANTITY = re.compile(r"<Quantity ([^<>]+?) ([^\s<>\]]+)>")


class Recipe(NamedTuple):
    """What ``recipe.txt`` of a set says.

    Attributes
    ----------
    source : str
        Class that made the galaxies.
    settings : dict
        Its settings; empty for galaxies that are no synthetic suite.
    finder : dict
        Settings of its `~astroclumps.ClumpFinder3D`.
    """

    source: str
    settings: dict
    finder: dict

    @property
    def trained_on(self) -> bool:
        """Whether these are galaxies that the networks of the package learned from."""
        return self.source == "SyntheticSuite" and self.settings.get("seed") == TRAINING_SEED


def read_recipe(folder) -> Recipe:
    """Read ``recipe.txt`` of a set.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    Recipe
        With an empty source where there is no such file.
    """
    path = Path(folder) / "recipe.txt"
    if not path.is_file():
        return Recipe("", {}, {})
    source, _, images = path.read_text().strip().partition("\n")
    name = source.partition("(")[0]
    if name != "SyntheticSuite":
        return Recipe(name, {}, {})
    finder = _call(images)[1].get("finder", ("", {}))[1] if images else {}
    return Recipe(name, _call(source)[1], finder)


def fresh_set(folder, *, n_galaxies, n_snapshots, seed, n_stars=300_000, n_jobs=1, progress=False):
    """Make a set of the synthetic suite as the training set was made, of other galaxies; galaxies that are there are kept.

    Parameters
    ----------
    folder : path-like
    n_galaxies, n_snapshots, n_stars : int
        As `~astroclumps.SyntheticSuite` has them.
    seed : int
        Not `TRAINING_SEED`.
    n_jobs, progress
        As in `~astroclumps.training.galaxies.make_galaxy_set`.

    Returns
    -------
    `~pathlib.Path`
        The folder.

    Raises
    ------
    ValueError
        The seed is that of the training set, or the folder holds another set.
    """
    from astroclumps.simulation.finder import ClumpFinder3D
    from astroclumps.synthetic.suite import SyntheticSuite
    from astroclumps.training.galaxies import make_galaxy_set
    from astroclumps.training.galaxy_sources import SuiteGalaxies

    if seed == TRAINING_SEED:
        raise ValueError(
            f"seed {seed} makes the galaxies that the networks learned from; take another, or give --set with --predictions of the folds"
        )
    suite = SyntheticSuite(
        n_galaxies=n_galaxies, n_snapshots=n_snapshots, n_stars=n_stars, seed=seed, clumpiness=SETTINGS["clumpiness"]
    )  # fmt: skip
    settings = {"finder": ClumpFinder3D(extent=FINDER_EXTENT), "random_cameras": SETTINGS["random_cameras"]}
    make_galaxy_set(folder, SuiteGalaxies(suite), seed=seed, n_jobs=n_jobs, progress=progress, **settings)
    return Path(folder)


def _call(text):
    """Name and keywords of a call that repr has written; nested calls as such pairs, what is no literal as text."""
    tree = ast.parse(_QUANTITY.sub(r"Quantity('\1', '\2')", text.strip()), mode="eval").body
    return _value(tree)


def _value(node):
    if isinstance(node, ast.Call):
        name = node.func.id
        given = [_value(one) for one in node.args]
        if name == "Quantity":
            return u.Quantity(ast.literal_eval(re.sub(r"(?<=\d)\s+(?=[-\d])", ", ", given[0].strip())), given[1])
        return name, {one.arg: _value(one.value) for one in node.keywords}
    return ast.literal_eval(node)
