"""``astroclumps evaluate``: scores of detectors and a classifier on a set of simulated galaxies, beside peers and nulls."""

import json
import warnings
from pathlib import Path

import numpy as np

from . import UsageError, add_common
from .products import check_folder, has_figure, write_whole

__all__ = ["add_parser", "evaluate"]

_TEXT = """score detectors and a classifier on mock images of simulated galaxies

Detections come from the held-out predictions of training (--predictions) or from a detector that is run here (--weights; it must not have
been trained on these galaxies). On the same noisy images stand classical finders and two detectors that know nothing: as many
light-weighted random points, and a dot in every lit square. Scores with errors are in OUT/scores.json, tables in OUT/*.ecsv."""
_FILES = ("scores.json",)
_HELD_OUT = "held-out folds"
_CLASSIFIER = (
    "balanced_completeness", "balanced_precision", "precision_at_recall_80", "expected_calibration_error",
    "expected_calibration_error_balanced", "roc_auc",
)  # fmt: skip


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "evaluate", help="score detectors and a classifier on simulated galaxies", description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="astroclumps evaluate --data FOLDER (--predictions FILE ... | --weights W ...) -o OUT [options]",
    )  # fmt: skip
    parser.add_argument("--data", required=True, metavar="FOLDER", help="the set, of 'astroclumps dataset'")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the results")
    what = parser.add_argument_group("what is scored")
    what.add_argument("--predictions", nargs="+", metavar="FILE", help="predictions of held-out galaxies: files, or the folder with them")
    what.add_argument("--detector", default="unet", metavar="NAME", help="detector plugin to run (default: unet)")
    what.add_argument("--weights", nargs="+", metavar="W", help="weights of the detector; several are compared, the first is the main one")
    what.add_argument("--classifier-weights", metavar="W", help="weights of the classifier; for predictions only its controls need them")
    what.add_argument("--no-classifier", action="store_true", help="leave the classifier out")
    images = parser.add_argument_group("images")
    images.add_argument("--galaxies", nargs="+", type=int, metavar="G", help="only these galaxies of the set")
    images.add_argument("--snapshots", metavar="LIST", help="only these snapshots, such as 10-19 or 11,15,19")
    images.add_argument("--images", type=int, metavar="N", help="compare on N images, a seeded choice with equal shares of all galaxies")
    scores = parser.add_argument_group("scores")
    scores.add_argument("--sf-zlc", default="all", metavar="POLICY", help="zero-lifetime clumps to find: all, none, 1e-3 (default: all)")
    scores.add_argument("--min-mass", type=float, default=7.5, metavar="DEX", help="log10 Msun of the clumps to find (default: 7.5)")
    scores.add_argument("--purity", type=float, default=0.9, metavar="P", help="at which detectors are compared (default: 0.9)")
    scores.add_argument("--by", default="auto", choices=("auto", "galaxy", "snapshot", "track"), help="what errors draw (default: auto)")
    scores.add_argument("--draws", type=int, default=200, metavar="N", help="of the bootstrap (default: 200)")
    scores.add_argument(
        "--region", type=int, default=10, metavar="PX", help="side of the square whose clumps make the class of a detection (default: 10)"
    )  # fmt: skip
    scores.add_argument("--no-peers", action="store_true", help="leave the classical finders out")
    scores.add_argument("--stamps", type=int, default=4000, metavar="N", help="at most so many in the controls (default: 4000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of noise, choice of images, nulls and bootstrap (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are already there")
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")
    add_common(parser)
    parser.set_defaults(command=evaluate)


def evaluate(args) -> int:
    """Do the job of one command line."""
    from ..training.galaxy_set import GalaxySet

    if args.predictions and args.weights is None and args.detector != "unet":
        raise UsageError("--detector runs a detector and --predictions reads detections; name weights too if both are meant")
    folder = Path(args.out)
    _check_numbers(args)
    check_folder(folder, overwrite=args.overwrite, names=_FILES)
    _check_weights(args)
    galaxy_set = GalaxySet(args.data)
    side = min(galaxy_set.data.shape[-2:])
    if not 1 <= args.region <= side:
        raise UsageError(f"--region is a side inside the images, 1 to {side} pixels, got {args.region}")
    job = _Job(args, galaxy_set)
    job.detect()
    job.score()
    folder.mkdir(parents=True, exist_ok=True)
    written = job.write(folder)
    if not args.quiet:
        print(job.text())
        print(f"\n{', '.join(written)} are in {folder}")
    return 0


def _check_numbers(args):
    """`UsageError` for numbers that cannot be meant."""
    for option, value, good, allowed in (
        ("--purity", args.purity, 0 < args.purity <= 1, "a share above 0 and at most 1, such as 0.9"),
        ("--min-mass", args.min_mass, 4 <= args.min_mass <= 12, "the log10 of a mass in Msun, 4 to 12, such as 7.5"),
        ("--draws", args.draws, args.draws >= 2, "at least 2, from which errors are taken"),
        ("--stamps", args.stamps, args.stamps >= 1, "at least 1; --no-classifier leaves the classifier out"),
        ("--jobs", args.jobs, args.jobs >= 1, "at least 1"),
    ):
        if not good:
            raise UsageError(f"{option} is {allowed}, got {value!r}")


def _check_weights(args):
    """Weights that are not there are told before anything is searched."""
    from ..weights import resolve

    for kind, given in (("unet", args.weights if args.detector == "unet" else None), ("cnn", [args.classifier_weights])):
        for one in given or ():
            if one is not None:
                resolve(one, kind=kind)


class _Job:
    """One evaluation: detections of all finders on the same images, scores, tables."""

    def __init__(self, args, galaxy_set):
        from ..evaluation.images import sample_of

        self.args, self.whole = args, galaxy_set
        self.predictions = self._read_predictions() if args.predictions else None
        self.noise_seed = args.seed if self.predictions is None else self.predictions.seed
        self.numbers = self._chosen_images()
        self.compared = sample_of(galaxy_set.subset(self.numbers), args.images, seed=args.seed)
        self.galaxy_set = galaxy_set.subset(self.numbers[self.compared])
        self.policy = args.sf_zlc if args.sf_zlc in ("all", "none") else _number(args.sf_zlc, "--sf-zlc")
        self.detections, self.cuts, self.p_long, self.scores, self.tables = {}, {}, None, {}, {}

    def _read_predictions(self):
        from ..training.predictions import Predictions

        return Predictions.read(*self.args.predictions)

    def _chosen_images(self):
        """Numbers of the images in the whole set that are to be scored."""
        keep = np.ones(len(self.whole), dtype=bool)
        if self.predictions is not None:
            keep = np.isin(np.arange(len(self.whole)), self.predictions.images)
        if self.args.galaxies:
            keep &= np.isin(self.whole.galaxy, self.args.galaxies)
        if self.args.snapshots:
            keep &= np.any(
                [(self.whole.snapshot >= first) & (self.whole.snapshot <= last) for first, last in _ranges(self.args.snapshots)], axis=0
            )
        if not keep.any():
            raise ValueError(f"no image of {self.args.data} is left to score; look at --predictions, --galaxies and --snapshots")
        return np.flatnonzero(keep)

    def _say(self, text):
        if not self.args.quiet:
            print(text, flush=True)

    def detect(self):
        """Detections of all finders, the main one first."""
        from ..evaluation.finders import PluginFinder, peer_finders
        from ..evaluation.images import detect_images

        finders, given = {}, self.args.weights or ([] if self.predictions is not None else [None])
        if self.predictions is not None:
            self._take_predictions()
        stems = [None if weights is None else Path(weights).stem for weights in given]
        for weights, stem in zip(given, stems, strict=True):
            options = {} if weights is None else {"weights": weights}
            told = stem if stems.count(stem) == 1 else weights  # files of one name in several folders
            name = self.args.detector if weights is None else f"{self.args.detector} {told}"
            finders[name] = PluginFinder(self.args.detector, options)
        finders |= {} if self.args.no_peers else peer_finders()
        for name, find in finders.items():
            self._say(f"{name} on {len(self.galaxy_set)} images ...")
            self.detections[name] = detect_images(
                self.galaxy_set, find, seed=self.noise_seed, n_jobs=self.args.jobs, progress=not self.args.quiet
            )  # fmt: skip
            self.cuts[name] = find.own_cut()

    def _take_predictions(self):
        """Held-out detections; scores are moved in the logit so that the threshold of every fold is one half."""
        rows = self.predictions.rows(len(self.whole), threshold=0)
        moved = self.predictions.level_score
        mine = [rows[i] for i in self.numbers]
        self.held_out = [(self.predictions.x[r], self.predictions.y[r], moved[r]) for r in mine]
        self.detections[_HELD_OUT] = [self.held_out[k] for k in self.compared]
        self.cuts[_HELD_OUT] = 0.5
        if self.predictions.p_long is not None:
            self.p_long = [self.predictions.p_long[r] for r in mine]

    def score(self):
        """All scores and tables."""
        from ..evaluation.comparison import compare
        from ..evaluation.failures import failures
        from ..evaluation.finders import peer_finders

        args = self.args
        self._say("scores ...")
        made = compare(
            self.galaxy_set, self.detections, cuts=self.cuts, purity=args.purity, sf_zlc=self.policy, min_mass=10**args.min_mass,
            by=args.by, n_draws=args.draws, seed=args.seed,
        )  # fmt: skip
        first = next(iter(self.detections))
        self.matched = made.matched[first]
        self.tables |= made.tables
        self.tables["misses"], self.tables["false_alarms"] = failures(self.galaxy_set, made.matched[first], cut=self.cuts[first], n=24)
        self.scores = {
            "set": {
                "images_of_set": len(self.whole), "images_chosen": len(self.numbers), "images_compared": len(self.galaxy_set),
                "galaxies": [int(g) for g in np.unique(self.galaxy_set.galaxy)], "errors_drawn_by": made.matched[first].by,
                "noise_seed": int(self.noise_seed), "seed": args.seed, "policy": str(self.policy), "min_log_mass": args.min_mass,
                "purity": args.purity, "main": first, "left_out": [] if "FOLKLORE" in peer_finders() else ["FOLKLORE is not installed"],
            },
            "detectors": made.scores,
        }  # fmt: skip
        if first == _HELD_OUT and len(self.compared) < len(self.numbers):
            whole = self.whole.subset(self.numbers)
            options = {"sf_zlc": self.policy, "min_mass": 10**args.min_mass, "by": args.by, "n_draws": args.draws, "seed": args.seed}
            self.scores["all_images"] = compare(whole, {first: self.held_out}, cuts=self.cuts, purity=args.purity, **options).scores
        if not args.no_classifier:
            self._classify(first)

    def _classify(self, first):
        from ..evaluation.classifier_report import classifier_report, control_report
        from ..evaluation.images import classify_images
        from ..longevity.stamps import STAMP

        args, galaxy_set, found = self.args, self.galaxy_set, self.detections[first]
        if self.p_long is not None:  # nothing need be run, so that all images are used
            galaxy_set, found = self.whole.subset(self.numbers), self.held_out
        keep = [np.asarray(one[2]) >= self.cuts[first] for one in found]
        kept = [tuple(part[k] for part in one) for one, k in zip(found, keep, strict=True)]
        by = "track" if args.by in ("snapshot", "track") else args.by
        options = {"by": by, "n_draws": args.draws, "seed": args.seed, "region": args.region}
        classifier = None
        if args.classifier_weights or self.predictions is None:
            from ..longevity.classifier import LongevityClassifier

            classifier = LongevityClassifier(args.classifier_weights or "default")
        if self.p_long is not None:
            p_long = [p[k] for p, k in zip(self.p_long, keep, strict=True)]
        elif classifier is not None:
            self._say("classifier ...")
            p_long = classify_images(
                galaxy_set, kept, classifier, seed=self.noise_seed, n_jobs=args.jobs, progress=not args.quiet
            )  # fmt: skip
        else:
            self._no_scores("the predictions hold no p_long; give those of 'astroclumps train cnn', or --classifier-weights")
            return
        self.scores["classifier"], tables = classifier_report(galaxy_set, kept, p_long, **options)
        self.tables |= tables
        scores = self.scores["classifier"]["all"]
        if "roc_auc" not in scores:
            self._no_scores(
                f"{scores['n_long']} long-lived and {scores['n_short']} short-lived stamps have a probability, and both kinds are needed; "
                "take more images or galaxies, or another --region"
            )
        if args.region != STAMP:  # the paper's classes beside these
            self.scores["classifier"]["paper_stamps"] = classifier_report(galaxy_set, kept, p_long, **options | {"region": STAMP})[0]["all"]
        if classifier is not None:
            self._say("controls of the classifier ...")
            self.scores["controls"], self.tables["bands"] = control_report(
                galaxy_set, kept, classifier, noise_seed=self.noise_seed, n_stamps=args.stamps, **options
            )  # fmt: skip

    def _no_scores(self, why):
        """Say that and why the classifier has no scores."""
        from ..exceptions import AstroclumpsWarning

        warnings.warn(f"the classifier is not scored: {why}", AstroclumpsWarning, stacklevel=2)
        self.scores.setdefault("classifier", {})["left_out"] = why

    def write(self, folder):
        """Write all files; their names."""
        names = ["scores.json"]
        text = json.dumps(_plain(self.scores), indent=1, allow_nan=False) + "\n"
        write_whole(folder / "scores.json", lambda path: path.write_text(text))
        for name, table in self.tables.items():
            if len(table.colnames):
                write_whole(folder / f"{name}.ecsv", lambda path, table=table: table.write(path, format="ascii.ecsv", overwrite=True))
                names.append(f"{name}.ecsv")
        if has_figure():
            names += self._figures(folder)
        return names

    def _figures(self, folder):
        """Write all figures; their names."""
        from .. import plotting_classifier, plotting_evaluation, plotting_failures

        tables, main = self.tables, next(iter(self.detections))
        wanted = {
            "completeness": (plotting_evaluation.plot_completeness, ("completeness",), {}),
            "purity": (plotting_evaluation.plot_purity, ("purity",), {}),
            "detectors": (plotting_evaluation.plot_detectors, ("curves", "scores"), {}),
            "squares": (plotting_evaluation.plot_squares, ("squares_completeness",), {}),
            "true_detection": (plotting_evaluation.plot_true_detection, ("squares_true_detection",), {}),
            "clumps_per_square": (plotting_evaluation.plot_clumps_per_square, ("clumps_per_square",), {}),
            "classifier": (plotting_classifier.plot_classifier, ("roc", "precision_recall"), {"reliability": tables.get("reliability")}),
            "p_long": (plotting_classifier.plot_p_long, ("p_long_by", "kinds"), {}),
            "bands": (plotting_classifier.plot_band_use, ("bands",), {}),
        }
        names = []
        for name, (plot, needs, options) in wanted.items():
            if all(one in tables and len(tables[one].colnames) > 1 for one in needs):
                given = [tables[one] for one in needs]
                write_whole(folder / f"{name}.png", lambda path, plot=plot, given=given, options=options: plot(*given, path, **options))
                names.append(f"{name}.png")
        write_whole(
            folder / "failures.png",
            lambda path: plotting_failures.plot_failures(
                self.galaxy_set, self.matched, path, noise_seed=self.noise_seed, cut=self.cuts[main], title=f"{main}: what fails"
            ),
        )
        return [*names, "failures.png"]

    def text(self):
        """The main numbers in lines."""
        lines = [
            f"{len(self.galaxy_set)} images of {len(self.scores['set']['galaxies'])} galaxies; errors drawn by "
            f"{self.scores['set']['errors_drawn_by']}; one to one within 3 px, clumps above 10^{self.args.min_mass:g} Msun",
            f"\n{'':34s} {'completeness':>14s} {'purity':>14s} {'an image':>9s} {'at equal number':>16s} {'AP':>7s} {'10 px squares':>15s} "
            f"{f'at {self.args.purity:g}: 10, 8 px (an image)':>28s}",
        ]
        for name, one in self.scores["detectors"].items():
            own, equal, square = one["own"], one["equal_number"], one["squares"].get("10")
            tiles = square["own"][str(self.policy)] if square else None
            pure = [part["equal_purity"] for size, part in one["squares"].items() if size in ("10", "8")][::-1]
            shares, each = (
                ", ".join(f"{part['completeness'][0]:.2f}" for part in pure),
                ", ".join(f"{part['detections_per_image'][0]:.1f}" for part in pure),
            )
            lines.append(
                f"{name:34s} {_pm(own['completeness']):>14s} {_pm(own['purity']):>14s} {own['detections_per_image'][0]:9.2f} "
                f"{_pm(equal['completeness']):>16s} {one['average_precision'][0]:7.3f} "
                + (f"{tiles['completeness'][0]:.2f} / {tiles['true_detection'][0]:.2f}" if tiles else "").rjust(15)
                + (f"{shares} ({each})" if pure else "").rjust(29)
                + ("" if equal["reached"] else f"   fewer: {equal['detections_per_image'][0]:.2f} an image")
            )
        scores = self.scores.get("classifier", {}).get("all", {})
        if "roc_auc" in scores:
            lines.append(f"\nclassifier on {scores['n_long']} long- and {scores['n_short']} short-lived stamps:")
            for key in _CLASSIFIER:
                lines.append(f"  {key.replace('_', ' '):36s} {_pm(scores[key])}")
        return "\n".join(lines)


def _ranges(text):
    """First and last of each part of a list such as 1-3,7."""
    ends = [(first, last or first) for first, _, last in (part.partition("-") for part in text.split(","))]
    return [tuple(_number(end, "--snapshots") for end in pair) for pair in ends]


def _number(text, option):
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} takes a number, got {text!r}") from None


def _pm(pair):
    return f"{pair[0]:.3f} ± {pair[1]:.3f}"


def _plain(value):
    """What JSON can hold: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
