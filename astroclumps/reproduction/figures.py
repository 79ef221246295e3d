"""Figures 3-13 of the paper, each from the arms: `Figures`."""

import warnings
from functools import cached_property
from pathlib import Path

import astropy.units as u
import numpy as np

from astroclumps import survival
from astroclumps.evaluation.images import image_of
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.population.distribution import AGE_BINS, distribution
from astroclumps.population.hosts import HOST_BINS, host_masses, host_transition
from astroclumps.population.mass_function import MASS_BINS, mass_function
from astroclumps.population.medians import class_medians
from astroclumps.population.radial import RADIAL_BINS, radial_distribution, radial_medians
from astroclumps.population.transition import transition_mass

from . import simulated
from .numbers import slope_fit
from .pictures import plot_examples, plot_stamps
from .populations import FITTED, populations

__all__ = ["FIGURES", "FORMATS", "Figures"]

FORMATS = ("png", "pdf")
"""Each figure is written in these."""

FIGURES = {
    3: "clumps_3d", 4: "examples", 5: "stamps", 6: "squares", 7: "true_detection", 8: "clumps_per_square", 9: "classifier",
    10: "mass_functions", 11: "radii", 12: "hosts", 13: "ages",
}  # fmt: skip
"""Number and name of each figure."""

_DETECTOR = "the network"
_N_EXAMPLES, _N_STAMPS, _N_FIELD = 4, 9, 4


class Figures:
    """The figures of one run.

    Parameters
    ----------
    suite : `~astroclumps.reproduction.arm.Arm`
        From `~astroclumps.reproduction.suite.suite_arm`.
    data : path-like
        Folder of the set that it looked at.
    field : `~astroclumps.reproduction.arm.Arm`, optional
        Observed galaxies; without it figures have no such panels.
    field_images : sequence of `~astroclumps.MultiBandImage`, optional
        Some of them, for Fig. 4.
    corrections : dict, optional
        As in `~astroclumps.reproduction.populations.populations`.
    region : int, default 6
        Side in pixels of the square that makes the true class, as in ``suite_arm``.
    noise_seed : int, default 0
        Of the noise that the arm was measured with.
    seed : int, default 0
        Of what is chosen and of bootstraps.
    n_bootstrap : int, default 200
    """

    def __init__(
        self, suite, data, *, field=None, field_images=(), corrections=None, region=6, noise_seed=0, seed=0, n_bootstrap=200
    ):  # fmt: skip
        self.suite, self.data, self.field, self.field_images = suite, Path(data), field, list(field_images)
        self.corrections, self.region, self.noise_seed, self.seed = corrections or {}, region, noise_seed, seed
        self.n_bootstrap = n_bootstrap

    @cached_property
    def images(self):
        """The images of the set that the arm looked at, `~astroclumps.training.galaxy_set.GalaxySet`, in the order of its galaxies."""
        return simulated.images_of(self.suite, self.data)

    @cached_property
    def detections(self):
        """x, y, score and p_long of the detections in each of `images`."""
        return simulated.detections_of(self.suite)

    @cached_property
    def samples(self):
        """All `~astroclumps.reproduction.populations.Population`, the suite's first."""
        arms = [self.suite] if self.field is None else [self.suite, self.field]
        return [one for arm in arms for one in populations(arm, seed=self.seed, corrections=self.corrections)]

    @cached_property
    def comparison(self):
        """Squares and one-to-one scores, `~astroclumps.evaluation.comparison.Comparison`."""
        from astroclumps.evaluation.comparison import compare

        found = {_DETECTOR: [one[:3] for one in self.detections]}
        return compare(self.images, found, n_draws=self.n_bootstrap, seed=self.seed)

    @cached_property
    def classifier(self):
        """Scores and tables of `~astroclumps.evaluation.classifier_report.classifier_report`."""
        from astroclumps.evaluation.classifier_report import classifier_report

        found, p_long = [one[:3] for one in self.detections], [one[3] for one in self.detections]
        return classifier_report(self.images, found, p_long, region=self.region, n_draws=self.n_bootstrap, seed=self.seed)

    def draw(self, number, folder) -> list[Path]:
        """Write a figure in all `FORMATS`.

        Parameters
        ----------
        number : int
            3 to 13.
        folder : path-like

        Returns
        -------
        list of `~pathlib.Path`
            Empty where the figure cannot be drawn of this set.
        """
        make = getattr(self, f"_{FIGURES[number]}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)  # what a sample does not tell is missing in the figure
            plot = make()
        if plot is None:
            return []
        paths = []
        for suffix in FORMATS:
            path = Path(folder) / f"figure_{number:02d}_{FIGURES[number]}.{suffix}"
            partial = path.with_name(f"partial-{path.name}")
            plot(partial)
            paths.append(partial.replace(path))
        return paths

    def _clumps_3d(self):
        from astroclumps.plotting_3d import plot_clumps_3d

        found = simulated.clumpiest_snapshot(self.images, self.data)
        if found is None:
            return None
        maps, clumps = found
        return lambda path: plot_clumps_3d(maps, clumps, path)

    def _examples(self):
        chosen = simulated.clumpy_images(self.images, self.detections, _N_EXAMPLES)
        images = [image_of(self.images, i, seed=self.noise_seed) for i in chosen]
        truths = [simulated.truth_of(self.images, i) for i in chosen]
        found = [_by_class(*self.detections[i]) for i in chosen]
        for image in self.field_images[:_N_FIELD]:
            rows = self.field.clumps[np.asarray(self.field.clumps["galaxy"]) == image.name]
            images.append(image)
            truths.append(None)
            found.append((rows["x"].value, rows["y"].value, np.asarray(rows["longevity"]).astype(str)))
        what = "; last two rows: galaxies of the field" if self.field_images else ""
        return lambda path: plot_examples(images, truths, found, path, title=f"mock images, with clumps and detections below them{what}")

    def _stamps(self):
        rows = simulated.stamps_of(self.images, self.detections, self.region, n=_N_STAMPS, seed=self.seed, noise_seed=self.noise_seed)
        if not any(rows.values()):
            return None
        title = "stamps of 10 px around detections, by true class, with what the classifier says"
        return lambda path: plot_stamps({label: row for label, row in rows.items() if row}, path, title=title)

    def _squares(self):
        from astroclumps.plotting_evaluation import plot_squares

        table = self.comparison.tables["squares_completeness"]
        return lambda path: plot_squares(table, path, title="suite: squares with a detection; solid: all sfZLC, dashed: those above 0.001")

    def _true_detection(self):
        from astroclumps.plotting_evaluation import plot_true_detection

        table = self.comparison.tables["squares_true_detection"]
        return lambda path: plot_true_detection(table, path, title="suite: true detections, the network's own threshold")

    def _clumps_per_square(self):
        from astroclumps.plotting_evaluation import plot_clumps_per_square

        table = self.comparison.tables["clumps_per_square"]
        return lambda path: plot_clumps_per_square(table, path, title="suite: 3D clumps in a square")

    def _classifier(self):
        from astroclumps.plotting_classifier import plot_classifier

        scores, tables = self.classifier
        if "roc" not in tables:
            return None
        title = f"suite: {scores['all']['n_long']} long- and {scores['all']['n_short']} short-lived stamps"
        return lambda path: plot_classifier(
            tables["roc"], tables["precision_recall"], path, reliability=tables["reliability"], title=title
        )  # fmt: skip

    def _options(self, one):
        return {"n_bootstrap": self.n_bootstrap, "seed": self.seed, "galaxies": one.galaxies}

    def _mass_functions(self):
        from astroclumps.plotting_population import plot_mass_function

        tables, fits, transitions = {}, {}, {}
        order = list(dict.fromkeys(one.values for one in self.samples))
        for one in sorted(self.samples, key=lambda one: order.index(one.values)):
            name, options = f"{one.name}, {one.classes} classes\nmasses {one.values}", self._options(one)
            rest = {key: value for key, value in options.items() if key != "galaxies"}
            tables[name] = mass_function(one.clumps, one.galaxies, bins=MASS_BINS, draws=one.draws, **rest)
            fits[name] = slope_fit(one)
            transitions[name] = transition_mass(one.clumps, draws=one.draws, **options)
        return lambda path: plot_mass_function(tables, path, fits=fits, transitions=transitions)

    def _fitted(self):
        return [one for one in self.samples if one.values == FITTED]

    def _radii(self):
        from astroclumps.plotting_population import plot_radii

        tables, medians = {}, {}
        for one in self._fitted():
            for threshold in (0.5, 0.7) if one.classes == "network" else (0.5,):
                name = f"{one.name}, " + (f"network, P$_0$ = {threshold}" if one.classes == "network" else "true classes")
                options = self._options(one)
                tables[name] = radial_distribution(one.clumps, bins=RADIAL_BINS, threshold=threshold, **options)
                medians[name] = radial_medians(one.clumps, thresholds=[threshold], **options)
        return lambda path: plot_radii(tables, path, medians=medians)

    def _hosts(self):
        from astroclumps.plotting_population import plot_hosts

        tables, transitions = {}, {}
        for one in self._fitted():
            name, options = f"{one.name}, {one.classes} classes", self._options(one)
            galaxies = options.pop("galaxies")
            tables[name] = host_masses(one.clumps, galaxies, bins=HOST_BINS, **options)
            transitions[name] = host_transition(one.clumps, galaxies, **options)
        limits = u.Quantity([survival.stellar_mass_threshold(z) for z in (1, 3)])
        return lambda path: plot_hosts(tables, path, transitions=transitions, limits=limits)

    def _ages(self):
        from astroclumps.plotting_population import plot_ages

        tables, medians = {}, {}
        for one in self.samples:
            if one.draws is not None:
                continue
            name, options = f"{one.name}, {one.classes} classes\nages {one.values}", self._options(one)
            tables[name] = distribution(one.clumps, column="age", bins=AGE_BINS, **options)
            medians[name] = class_medians(one.clumps, column="age", **options)
        return lambda path: plot_ages(tables, path, medians=medians)


def _by_class(x, y, score, p_long):
    label = np.where(np.isnan(p_long), "", np.where(np.nan_to_num(p_long) >= 0.5, "LLC", "SLC"))
    return x, y, label
