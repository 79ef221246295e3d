"""``astroclumps reproduce``: the paper's figures and numbers from a seed, beside what the paper says."""

import argparse
import time
from pathlib import Path

from . import UsageError, add_common
from .options import setting
from .products import check_folder, has_figure

__all__ = ["add_parser", "figure_numbers", "reproduce"]

_TEXT = """make every figure of the paper, and a table of its numbers beside ours

Galaxies of the synthetic suite that the networks never saw are made (or taken, --set), looked at, and go through the whole pipeline:
detect, classify, measure, fit. With --field an observed arm stands beside them. OUT gets figure_NN_NAME.png and .pdf, numbers.ecsv, .csv
and .rst, and samples.ecsv with what each cut costs. What is there and was made of the same is kept, so that a run that was stopped goes
on; the same seed gives the same bytes."""
_LAST = 13
_FIRST = 3


def add_parser(commands):
    """Add the command to the parser."""
    parser = commands.add_parser(
        "reproduce", help=_TEXT.partition("\n")[0], description=_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="astroclumps reproduce [--figures 3-13] -o OUT [--set FOLDER] [--field FOLDER ...] [options]",
    )  # fmt: skip
    parser.add_argument("--figures", default="3-13", metavar="LIST", help="such as 10-13 or 6,9,11 (default: 3-13)")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for everything")
    suite = parser.add_argument_group("simulated arm")
    suite.add_argument("--galaxies", type=int, default=20, metavar="N", help="galaxies of the suite (default: 20)")
    suite.add_argument("--snapshots", type=int, default=16, metavar="K", help="snapshots of each galaxy (default: 16)")
    suite.add_argument("--stars", type=int, default=300_000, metavar="N", help="stars of each in its last snapshot (default: 300000)")
    suite.add_argument("--set", metavar="FOLDER", help="a set that 'astroclumps dataset' made, in place of new galaxies")
    suite.add_argument("--predictions", nargs="+", metavar="FILE", help="of the folds, where the networks learned from the set")
    suite.add_argument("--images", type=int, metavar="N", help="look at N images, equal shares of all galaxies (default: all)")
    suite.add_argument("--region", type=int, default=6, metavar="PX", help="side of the square that makes the true class (default: 6)")
    field = parser.add_argument_group("observed arm")
    field.add_argument(
        "--field", action="append", default=[], metavar="FOLDER",
        help="images of a field, one a band (f160w_sci.fits ...), or clumps.fits and galaxies.fits of a catalogue; may be repeated",
    )  # fmt: skip
    field.add_argument("--field-redshift", type=float, metavar="Z", help="of the galaxies of fields; state it, though it be assumed")
    field.add_argument("--psf-fwhm", type=float, metavar="ARCSEC", help="of the fields' images (default: that of the bands)")
    field.add_argument("--exclude", action="append", default=[], metavar="X,Y,R", help="take nothing in this circle of a field, pixels")
    stages = parser.add_argument_group("pipeline")
    stages.add_argument("--weights", metavar="SPEC", help="weights of the detector (default: those of the package)")
    stages.add_argument("--classifier-weights", metavar="SPEC", help="weights of the classifier")
    stages.add_argument(
        "--option", action="append", default=[], metavar="STAGE.NAME=VALUE", help="any other setting, such as sed.n_models=20000"
    )
    parser.add_argument("--draws", type=int, default=200, metavar="N", help="of galaxies, for errors (default: 200)")
    parser.add_argument("--seed", type=int, default=1041, metavar="S", help="of galaxies, noise, choices and errors (default: 1041)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes (default: 1)")
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")
    add_common(parser)
    parser.set_defaults(command=reproduce)


def reproduce(args) -> int:
    """Do the job of one command line."""
    start = time.monotonic()
    numbers, exclude = figure_numbers(args.figures), [_circle(text) for text in args.exclude]
    if not has_figure():
        raise ImportError('reproduce draws figures and needs matplotlib; install it with  pip install "astroclumps[plot]"')
    if args.predictions and not args.set:
        raise UsageError("--predictions are of a set that is there; name it with --set")
    least = {"galaxies": 1, "snapshots": 1, "stars": 1, "images": 1, "draws": 2, "jobs": 1, "region": 1, "seed": 0}
    for name, low in least.items():
        value = getattr(args, name)
        if value is not None and value < low:
            raise UsageError(f"--{name} must be {low} or more, got {value}")
    for folder in (args.set, *args.field):
        if folder is not None and not Path(folder).is_dir():
            raise FileNotFoundError(f"no folder {folder}")
    _check_redshift(args)
    check_folder(Path(args.out), overwrite=True)
    import astropy.units as u

    from ..reproduction import run

    say = (lambda line: None) if args.quiet else (lambda line: print(line, flush=True))
    predictions = None
    if args.predictions:
        from ..training.predictions import Predictions

        predictions = Predictions.read(*args.predictions)
    made, kept = run.reproduce(
        args.out, figures=numbers, data=args.set, predictions=predictions, n_galaxies=args.galaxies, n_snapshots=args.snapshots,
        n_stars=args.stars, images=args.images, region=args.region, fields=args.field, redshift=args.field_redshift,
        psf_fwhm=None if args.psf_fwhm is None else args.psf_fwhm * u.arcsec, exclude=exclude, pipeline=_pipeline(args),
        n_bootstrap=args.draws, seed=args.seed, n_jobs=args.jobs, say=say, progress=not args.quiet,
    )  # fmt: skip
    minutes = (time.monotonic() - start) / 60
    say(f"{len(made)} files made, {len(kept)} were there; all are in {args.out}")
    say(f"{minutes:.1f} minutes in {args.jobs} process{'' if args.jobs == 1 else 'es'}{_memory()}")
    return 0


def figure_numbers(text: str) -> tuple[int, ...]:
    """Numbers of a list such as ``6,10-13``; `UsageError` where it is none, or the paper has no such figure to make.

    Examples
    --------
    >>> from astroclumps.commands.reproduce import figure_numbers
    >>> figure_numbers("6,10-12")
    (6, 10, 11, 12)
    """
    numbers = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--figures takes numbers and ranges such as 6,10-13, got {text!r}")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not numbers or min(numbers) < _FIRST or max(numbers) > _LAST:
        raise UsageError(f"--figures are numbers from {_FIRST} to {_LAST}, got {text!r}")
    return tuple(sorted(numbers))


def _circle(text):
    try:
        x, y, radius = (float(one) for one in text.split(","))
    except ValueError:
        raise UsageError(f"--exclude takes X,Y,R in pixels, such as 115,380,60, got {text!r}") from None
    return x, y, radius


def _check_redshift(args):
    from ..reproduction.observed import is_catalogue

    if args.field_redshift is None:
        for folder in args.field:
            if not is_catalogue(folder):
                raise UsageError(f"--field {folder} holds images: state the redshift of its galaxies with --field-redshift")


def _pipeline(args):
    from ..pipeline import Pipeline

    options = {"detector": {"weights": args.weights}, "classifier": {"weights": args.classifier_weights}, "photometry": {}, "sed": {}}
    for text in args.option:
        stage, name, value = setting(text, example="sed.n_models=20000")
        if stage not in options:
            raise UsageError(f"--option {text}: stages are {', '.join(options)}")
        options[stage][name] = value
    return Pipeline(options={k: kept for k, v in options.items() if (kept := {n: one for n, one in v.items() if one is not None})})


def _memory():
    """Largest memory of a process, as text."""
    try:
        import resource
    except ImportError:  # not on Windows
        return ""
    import sys

    unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kB elsewhere
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f", at most {most / unit:.1f} GB of memory in one of them"
