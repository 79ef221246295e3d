"""Options that choose the stages of a pipeline, shared by ``run`` and ``demo``."""

import ast

from . import UsageError

__all__ = ["add_output_options", "add_stage_options", "make_pipeline"]


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
        stage, name, value = _setting(text)
        if stage not in options:
            raise UsageError(f"--set {text}: stages are {', '.join(options)}")
        options[stage][name] = value
    for stage, name in names.items():
        if name is None and options[stage]:
            raise UsageError(f"{', '.join(options[stage])} of the {stage} makes no sense where the {stage} is left out")
    return Pipeline(detector=args.detector, **names, options={stage: settings for stage, settings in options.items() if settings})


def _setting(text):
    left, equals, value = text.partition("=")
    stage, dot, name = left.strip().partition(".")
    if not (equals and dot and stage and name):
        raise UsageError(f"--set takes STAGE.NAME=VALUE, such as detector.n_sigma=3, got {text!r}")
    try:
        return stage, name, ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return stage, name, value.strip()
