"""``astroclumps demo``: the main job on the synthetic galaxy in the package."""

from pathlib import Path

from . import add_common
from .options import add_output_options, add_stage_options, make_pipeline
from .products import PRODUCTS, check_folder
from .run import finish, warn_without_figure

__all__ = ["add_parser", "demo"]

_RADIUS = 3.0  # pixels within which a detection is a true clump


def add_parser(commands):
    """Add the command to the parser."""
    text = "do the main job on a synthetic galaxy that comes with the package, and compare with what was put into it"
    short = "do the main job on a synthetic galaxy with known clumps"
    parser = commands.add_parser("demo", help=short, description=text, usage="astroclumps demo [-o OUT] [options]")
    add_stage_options(parser)
    add_output_options(parser)
    parser.add_argument(
        "-o", "--out", default="astroclumps-demo", metavar="OUT",
        help="folder for the results (default: astroclumps-demo); those of an earlier demo are replaced",
    )  # fmt: skip
    add_common(parser)
    parser.set_defaults(command=demo)


def demo(args) -> int:
    """Do the job of one command line."""
    from ..demo import demo_image, demo_truth

    folder = Path(args.out)
    check_folder(folder, overwrite=args.overwrite or _is_demo(folder))
    pipeline = make_pipeline(args)
    warn_without_figure()
    result = pipeline.run_with_maps(demo_image())
    text = finish(
        result,
        pipeline,
        folder=folder,
        redshift_source="of the synthetic galaxy",
        redshift_note="synthetic galaxy",
        psf_source="of the synthetic galaxy",
    )
    if not args.quiet:
        body, _, files = text.rpartition("\n\n")
        print(f"{body}\n\n{compare(result.clumps, demo_truth())}\n\n{files}")
    return 0


def compare(clumps, truth) -> str:
    """How many of the true clumps were found and how many classes are right, in words."""
    from ..evaluation.matching import match

    found, true = match(clumps["x"].value, clumps["y"].value, truth["x"].value, truth["y"].value, radius=_RADIUS)
    false = len(clumps) - len(found)
    text = f"compared with the truth: {len(found)} of {len(truth)} clumps found (within {_RADIUS:g} pixels)"
    text += f", {false or 'no'} false detection{'' if false == 1 else 's'}"
    if "longevity" in clumps.colnames and len(found):
        right = int((clumps["longevity"][found] == truth["longevity"][true]).sum())
        text += f", the class of {right} of {len(found)} right"
    return f"{text}.\nThis galaxy was chosen for its clumps; 'astroclumps weights show NAME' has scores on held-out galaxies."


def _is_demo(folder):
    """Whether what lies in the folder was written by an earlier demo."""
    from .. import catalog

    path = folder / PRODUCTS[0]
    if not path.is_file():
        return False
    try:
        return any("; image 'demo', " in line for line in catalog.read(path).meta.get("history", []))
    except (ValueError, OSError):
        return False
