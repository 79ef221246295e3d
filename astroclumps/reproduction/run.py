"""`reproduce`: from a seed to every figure and number of the paper; what is there is not made again."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from astropy.table import vstack

from astroclumps.pipeline import Pipeline

from . import recipe
from .figures import FIGURES, FORMATS, Figures
from .numbers import detector_numbers, number_table, printed, to_rst
from .observed import is_catalogue, observed_arm, read_field
from .populations import selected
from .suite import suite_arm

__all__ = ["NUMBERS", "reproduce"]

NUMBERS = ("numbers.ecsv", "numbers.csv", "numbers.rst", "samples.ecsv")
"""The tables."""

_MADE = "made.json"
_FIELD_PICTURES = 4


def reproduce(
    out, *, figures=tuple(FIGURES), data=None, predictions=None, n_galaxies=20, n_snapshots=16, n_stars=300_000, images=None, region=6,
    fields=(), redshift=None, psf_fwhm=None, exclude=(), pipeline=None, n_bootstrap=200, seed=1041, n_jobs=1, say=print, progress=False,
):  # fmt: skip
    """Make the paper's figures and numbers.

    Parameters
    ----------
    out : path-like
        Folder for everything: ``set`` (images), ``suite`` and ``field`` (catalogues), figures and the tables `NUMBERS`.
    figures : sequence of int, default 3 to 13
    data : path-like, optional
        A set that is there. Default: one is made in ``out``.
    predictions : `~astroclumps.training.predictions.Predictions`, optional
        Of the folds, where the networks learned from the set.
    n_galaxies, n_snapshots, n_stars : int
        Of the set that is made: 20, 16 and 300000.
    images : int, optional
        Look at so many images of the set. Default: all.
    region : int, default 6
        As in `~astroclumps.reproduction.suite.suite_arm`.
    fields, redshift, psf_fwhm, exclude
        As in `~astroclumps.reproduction.observed.observed_arm`. Default: no observed arm.
    pipeline : `~astroclumps.Pipeline`, optional
        Default: ``Pipeline()``.
    n_bootstrap : int, default 200
        Draws of galaxies for errors.
    seed : int, default 1041
        Of the galaxies, their noise, the choice of images and the bootstraps.
    n_jobs : int, default 1
        Processes.
    say : callable, default print
        Takes a line about what is being done.
    progress : bool, default False

    Returns
    -------
    made, kept : list of str
        Names of the files that were made, and of those that were there.

    Raises
    ------
    ValueError
        The networks learned from the galaxies of the set; a folder holds other results.
    """
    out, pipeline = Path(out), pipeline or Pipeline()
    fields = [Path(one) for one in fields]
    if data is None:
        say(f"galaxies of seed {seed} in {out / 'set'} ...")
        data = recipe.fresh_set(
            out / "set", n_galaxies=n_galaxies, n_snapshots=n_snapshots, n_stars=n_stars, seed=seed, n_jobs=n_jobs, progress=progress
        )
    if predictions is None and recipe.read_recipe(data).trained_on:
        raise ValueError(f"the networks learned from the galaxies of {data}; give the predictions of the folds, or make others")
    say("the simulated arm ...")
    suite = suite_arm(
        data, out=out / "suite", predictions=predictions, images=images, region=region, pipeline=pipeline, seed=seed, n_jobs=n_jobs,
        progress=progress,
    )  # fmt: skip
    say(suite.summary())
    field, told = None, ""
    if fields:
        say("the observed arm ...")
        options = {"redshift": redshift, "psf_fwhm": psf_fwhm, "exclude": exclude}
        field, told = observed_arm(fields, out=out / "field", pipeline=pipeline, progress=progress, **options)
        say(field.summary())
    corrections, source = _corrections()
    noise_seed = seed if predictions is None else predictions.seed
    digest = _digest(out / "suite", told, source, seed, n_bootstrap)
    drawing = Figures(
        suite, data, field=field, corrections=corrections, region=region, noise_seed=noise_seed, seed=seed, n_bootstrap=n_bootstrap
    )  # fmt: skip
    record = _Record(out, digest)
    if 4 in figures and not record.holds(_names(4)):
        for folder in fields:
            if not is_catalogue(folder):
                drawing.field_images += read_field(folder, **options)[:_FIELD_PICTURES]
    made, kept = [], []
    for number in figures:
        names = _names(number)
        if record.holds(names):
            kept += names
            continue
        say(f"figure {number} ...")
        done = [path.name for path in drawing.draw(number, out)]
        if not done:
            say(f"figure {number} cannot be drawn of this set")
        record.add(done)
        made += done
    if record.holds(NUMBERS):
        return made, kept + list(NUMBERS)
    say("numbers ...")
    _write_numbers(out, drawing, seed=seed, n_bootstrap=n_bootstrap)
    record.add(NUMBERS)
    return made + list(NUMBERS), kept


def _names(number):
    return [f"figure_{number:02d}_{FIGURES[number]}.{suffix}" for suffix in FORMATS]


def _corrections():
    """Corrections of masses by prior, and a digest of what they rest on; none where their data are not there."""
    try:
        from astroclumps.sed.mass_correction import SYNTHETIC, MassCorrection
    except ImportError:
        return {}, ""
    if not Path(SYNTHETIC).is_file():
        return {}, ""
    made = {prior: MassCorrection(prior=prior) for prior in ("simulation", "flat")}
    return made, hashlib.sha256(Path(SYNTHETIC).read_bytes()).hexdigest()


def _digest(suite, *parts):
    """Of everything that decides what figures and numbers look like."""
    from astroclumps import __version__

    text = json.dumps([__version__, (suite / "settings.json").read_text(), *parts])
    return hashlib.sha256(text.encode()).hexdigest()


class _Record:
    """Which files were made of what."""

    def __init__(self, out, digest):
        self._out, self._digest, self._file = out, digest, out / _MADE
        self._made = json.loads(self._file.read_text()) if self._file.is_file() else {}

    def holds(self, names) -> bool:
        """Whether all these files are there and were made of the same."""
        return all(self._made.get(name) == self._digest and (self._out / name).is_file() for name in names)

    def add(self, names):
        """Note that these have been made."""
        self._made |= dict.fromkeys(names, self._digest)
        partial = self._file.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(self._made, indent=1, sort_keys=True) + "\n")
        partial.replace(self._file)


def _write_numbers(out, drawing, *, seed, n_bootstrap):
    import csv

    scores = drawing.classifier[0]["all"]
    detector = detector_numbers(drawing.comparison, scores)
    table = number_table(drawing.samples, detector=detector, n_bootstrap=n_bootstrap, seed=seed)
    arms = [drawing.suite] if drawing.field is None else [drawing.suite, drawing.field]
    losses = vstack([selected(arm)[2] for arm in arms])
    table.write(out / NUMBERS[0], format="ascii.ecsv", overwrite=True)
    with open(out / NUMBERS[1], "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("", "paper (VELA)", "paper (CANDELS)", "ours, suite", "ours, suite, true classes", "ours, field", "note"))
        writer.writerows(printed(row) for row in table)
    (out / NUMBERS[2]).write_text(to_rst(table))
    losses["limits"] = np.asarray(losses["limits"]).astype(str)
    losses.write(out / NUMBERS[3], format="ascii.ecsv", overwrite=True)
