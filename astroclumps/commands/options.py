"""Options that several commands share: stages of a pipeline, settings as text, clumpiness of a synthetic suite."""

import ast
import re

from . import UsageError

__all__ = ["add_clumpiness_option", "add_output_options", "add_stage_options", "clumpiness", "make_pipeline", "setting", "value"]

_WITH_UNIT = re.compile(r"([-+]?[0-9.][-+0-9.eE]*|[\[(][^\])]*[\])])\s*([A-Za-z].*)")


def add_stage_options(parser):
    """Which detector, classifier and fit, and their settings."""
    stages = parser.add_argument_group("stages")
    stages.add_argument("--detector", default="unet", metavar="NAME", help="detector plugin (default: unet); see 'astroclumps plugins'")
    stages.add_argument("--classifier", default="cnn", metavar="NAME", help="classifier plugin, or 'none' (default: cnn)")
    stages.add_argument("--sed", default="library", metavar="NAME", help="plugin that fits stars, or 'none' (default: library)")
    stages.add_argument("--no-sed", action="store_true", help="the same as --sed none: no masses and ages, no redshift needed")
    stages.add_argument("--weights", metavar="SPEC", help="weights of the detector: a name, name:version, or a .safetensors file")
    stages.add_argument("--classifier-weights", metavar="SPEC", help="weights of the classifier")
    stages.add_argument("--threshold", type=float, metavar="P", help="least probability of a clump (default: that of the weights)")
    stages.add_argument("--p0", type=float, metavar="P", help="long-lived at or above this probability (default: 0.5)")
    stages.add_argument("--radius", type=float, metavar="PIX", help="radius of the photometric aperture in pixels (default: 3)")
    stages.add_argument("--seed", type=int, metavar="N", help="seed of the fit and of the empty apertures (default: 0)")
    stages.add_argument(
        "--set", action="append", default=[], metavar="STAGE.NAME=VALUE",
        help="any other setting, such as detector.n_sigma=3 or sed.n_models=20000; stages: detector, classifier, photometry, sed",
    )  # fmt: skip


def add_output_options(parser):
    """What is written and printed."""
    output = parser.add_argument_group("output")
    output.add_argument("--overwrite", action="store_true", help="replace results that are already there")
    output.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")


def make_pipeline(args):
    """The `~astroclumps.Pipeline` that the options describe."""
    import astropy.units as u

    from ..pipeline import Pipeline

    names = {stage: None if getattr(args, stage).lower() == "none" else getattr(args, stage) for stage in ("classifier", "sed")}
    if args.no_sed:
        names["sed"] = None
    given = {
        "detector": {"weights": args.weights, "threshold": args.threshold},
        "classifier": {"weights": args.classifier_weights, "threshold": args.p0},
        "photometry": {"radius": None if args.radius is None else args.radius * u.pix},
        "sed": {},
    }
    if args.seed is not None:
        given["photometry"]["seed"] = args.seed
        if names["sed"] is not None:
            given["sed"]["seed"] = args.seed
    options = {stage: {name: value for name, value in settings.items() if value is not None} for stage, settings in given.items()}
    for text in args.set:
        stage, name, given_value = setting(text)
        if stage not in options:
            raise UsageError(f"--set {text}: stages are {', '.join(options)}")
        options[stage][name] = given_value
    for stage, name in names.items():
        if name is None and options[stage]:
            raise UsageError(f"{', '.join(options[stage])} of the {stage} makes no sense where the {stage} is left out")
    return Pipeline(detector=args.detector, **names, options={stage: settings for stage, settings in options.items() if settings})


def setting(text: str, *, example: str = "detector.n_sigma=3") -> tuple[str, str, object]:
    """Stage, name and value of ``STAGE.NAME=VALUE``; `UsageError` where it is something else."""
    left, equals, right = text.partition("=")
    stage, dot, name = left.strip().partition(".")
    if not (equals and dot and stage and name):
        raise UsageError(f"--set takes STAGE.NAME=VALUE, such as {example}, got {text!r}")
    return stage, name, value(right)


def value(text: str):
    """What a text stands for: a Python literal, a literal with a unit such as ``100 pc`` or ``[1, 3] Gyr``, else the text itself."""
    text = text.strip()
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    parts = _WITH_UNIT.fullmatch(text)
    if parts is None:
        return text
    import astropy.units as u

    try:
        return u.Quantity(ast.literal_eval(parts[1]), u.Unit(parts[2]))
    except (ValueError, TypeError, SyntaxError):
        return text


def add_clumpiness_option(parser):
    """How often clumps of a synthetic suite are born; `clumpiness` reads it."""
    parser.add_argument(
        "--clumpiness", metavar="F or LOW,HIGH",
        help="clumps are born so many times as often: one factor, or the limits of a factor of each galaxy's own (default: 1)",
    )  # fmt: skip


def clumpiness(text: str | None) -> float | tuple[float, ...]:
    """What `~astroclumps.SyntheticSuite` takes for ``--clumpiness``; `UsageError` where it is neither one number nor two."""
    if text is None:
        return 1.0
    try:
        numbers = tuple(float(one) for one in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2):
        raise UsageError(f"--clumpiness takes a factor such as 2, or two with a comma between, such as 1,4, got {text!r}")
    return numbers if len(numbers) == 2 else numbers[0]
