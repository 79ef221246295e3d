"""``astroclumps train``: weights from mock galaxies."""

from pathlib import Path

from . import add_common
from .products import check_folder

__all__ = ["add_parser", "train"]

# option, recipe argument, type, help; the defaults are the recipes'
_BOTH = (
    ("--images", "n_train", int, "mock galaxies to train on"),
    ("--validation", "n_validation", int, "mock galaxies that choose threshold and best step"),
    ("--test", "n_test", int, "held-out mock galaxies for the scores of the card; 0 for none"),
    ("--steps", "n_steps", int, "steps of training"),
    ("--seed", "seed", int, "seed of mocks and training"),
    ("--jobs", "n_jobs", int, "processes that make mocks"),
    ("--version", "version", str, "version of the weights, for the card and the file"),
    ("--name", "name", str, "name of the weights"),
)
_MORE = "a run that was stopped goes on where it was. Defaults are the settings of the weights in the package; the model card records all."
_ONLY = {
    "unet": (("--filters", "filters", int, "filters of the first block"), ("--batch-size", "batch_size", int, "images a step")),
    "cnn": (
        ("--detector", "detector", str, "weights of the U-Net whose detections are classified: name or file"),
        ("--dropout", "dropout", float, "part of the nodes that each step leaves out"),
    ),
}


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser("train", help="train a network on mock galaxies and write its weights with a model card")
    kinds = parser.add_subparsers(title="networks", metavar="NETWORK", required=True)
    for kind, text in (("unet", "the detector"), ("cnn", "the classifier of stamps")):
        made = kinds.add_parser(
            kind, help=text, description=f"train {text} on Sersic mocks; {_MORE}", usage=f"astroclumps train {kind} -o OUT [options]",
            argument_default=argparse.SUPPRESS,
        )  # fmt: skip
        made.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for mocks, checkpoints and weights")
        for option, name, type_, help_ in (*_BOTH, *_ONLY[kind]):
            made.add_argument(option, dest=name, type=type_, metavar={int: "N", float: "VALUE", str: "NAME"}[type_], help=help_)
        made.add_argument("--quiet", "-q", action="store_true", default=False, help="no progress bars")
        add_common(made)
        made.set_defaults(command=train, kind=kind, debug=False)


def train(args) -> int:
    """Do the job of one command line."""
    folder = Path(args.out)
    check_folder(folder, overwrite=True)
    try:
        from ..training import recipes
    except ImportError as exc:
        raise ImportError(f'training needs torch and tqdm; install them with  pip install "astroclumps[ml,sed]" ({exc})') from exc
    known = {name for _, name, _, _ in (*_BOTH, *_ONLY[args.kind])}
    options = {name: value for name, value in vars(args).items() if name in known}
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"unet": recipes.train_unet, "cnn": recipes.train_cnn}[args.kind]
    path = recipe(folder, progress=not args.quiet, **options)
    print(f"weights are in {path}; use them with  astroclumps run --{'weights' if args.kind == 'unet' else 'classifier-weights'} {path}")
    return 0
