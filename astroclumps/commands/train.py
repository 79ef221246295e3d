"""``astroclumps train``: weights from mock galaxies, or from the images of simulated ones."""

from pathlib import Path

from . import UsageError, add_common
from .products import check_folder

__all__ = ["add_parser", "release", "train"]

# option, recipe argument, type, help; the defaults are the recipes'
_BOTH = (
    ("--steps", "n_steps", int, "steps of training"),
    ("--seed", "seed", int, "seed of training and of the Sersic mocks"),
    ("--version", "version", str, "version of the weights, for the card and the file"),
)
_SERSIC = (
    ("--images", "n_train", int, "mock galaxies to train on"),
    ("--validation", "n_validation", int, "mock galaxies that choose threshold and best step"),
    ("--test", "n_test", int, "held-out mock galaxies for the scores of the card; 0 for none"),
    ("--jobs", "n_jobs", int, "processes that make mocks"),
    ("--name", "name", str, "name of the weights"),
)
_SPLIT = (
    ("--main", "n_main", int, "folds that leave one galaxy out"),
    ("--grouped", "n_grouped", int, "folds that leave several galaxies out"),
    ("--choosing", "n_validation", int, "galaxies of each fold that choose step, threshold and calibration"),
)
_FOLD = (
    ("--start", "start", str, "weights to start from: name or file; 'none' for random ones"),
    ("--rate", "learning_rate", float, "largest learning rate"),
    ("--every", "every", int, "steps between validations"),
    ("--patience", "patience", int, "validations without a better score after which training stops"),
    ("--blur", "blur", float, "largest width in pixels of the Gaussian that half of the images are blurred with"),
    ("--colour-scatter", "colour", float, "scatter in dex of a factor of each band"),
    *_SPLIT,
)


def _policy(text):
    return text if text in ("all", "none") else float(text)


_policy.__name__ = "all, none or a share"


def _ramp(text):
    low, high = (float(part) for part in text.split(","))
    return low, high


_ramp.__name__ = "LOW,HIGH"
_ONLY = {
    "unet": {
        "both": (("--filters", "filters", int, "filters of the first block"), ("--batch-size", "batch_size", int, "images a step")),
        "sersic": (),
        "fold": (
            ("--sf-zlc", "sf_zlc", _policy, "zero-lifetime clumps that form stars: all, none, or those above a share of the disc's rate"),
            ("--min-snr", "min_snr", float, "least signal-to-noise of the clumps that are asked for"),
            ("--min-contrast", "min_contrast", float, "least share in the light around of the clumps that are asked for"),
            (
                "--mass-ramp",
                "mass_ramp",
                _ramp,
                "log10 masses, such as 6.5,7.5, between which the worth of a clump grows from 0.1 to 1",
            ),
            ("--beta", "beta", float, "how many times as much completeness counts as purity where the threshold is set"),
            ("--flux-scatter", "flux", float, "scatter in dex of a factor common to all bands"),
            ("--mix", "mix", str, "folder of Sersic mocks to mix in, such as OUT/train of a run without --data"),
            ("--mix-share", "mix_share", float, "share of the images taken from them"),
        ),
    },
    "cnn": {
        "both": (("--dropout", "dropout", float, "part of the nodes that each step leaves out"),),
        "sersic": (("--detector", "detector", str, "weights of the U-Net whose detections are classified: name or file"),),
        "fold": (
            ("--size", "size", int, "side in pixels of what the network is shown"),
            ("--region", "region", int, "side in pixels of the square around a detection whose clumps make its class"),
            ("--shift", "shift", int, "largest shift of a stamp in pixels"),
            ("--batch-size", "batch_size", int, "stamps a step"),
        ),
    },
}
_SWITCHES = {
    "unet": (),
    "cnn": (
        ("--censored", "censored", "train on short-lived clumps that live on in the last snapshot, too"),
        ("--scramble", "scramble", "the control: draw the magnitude of each band on its own"),
    ),
}
_SAME = {"seed": 0, "version": "1.0", "n_grouped": 4, "n_validation": 4, "blur": 0.7, "colour": 0.02, "start": "none"}
_MOCKS = {"n_train": 16_000, "n_validation": 500, "n_test": 500, "n_jobs": 1}
DEFAULTS = {
    "unet": {
        "sersic": {**_MOCKS, "seed": 0, "version": "1.0", "name": "unet-sersic", "n_steps": 12_000, "filters": 16, "batch_size": 16},
        "fold": {
            **_SAME, "start": "unet-sersic", "n_steps": 6000, "batch_size": 16, "every": 250, "patience": 8, "sf_zlc": "all",
            "min_snr": 5.0, "min_contrast": 0.1, "beta": 0.4, "mix_share": 0.3,
            "flux": 0.15, "colour": 0.05, "blur": 1.0,
        },
    },
    "cnn": {
        "sersic": {**_MOCKS, "seed": 0, "version": "1.0", "name": "cnn-sersic", "n_steps": 16_000, "dropout": 0.2},
        "fold": {
            **_SAME, "size": 10, "region": 10, "dropout": 0.2, "n_steps": 8000, "batch_size": 64, "learning_rate": 1e-3, "every": 500,
            "patience": 6, "shift": 1,
        },
    },
}  # fmt: skip
"""What the recipes take where an option is not given, for the help; a test holds them against the recipes."""
_TOLD = {
    ("unet", "fold", "learning_rate"): "5e-4, 1e-3 without --start",
    ("unet", "fold", "filters"): "those of --start",
    ("unet", "fold", "mass_ramp"): "none",
    ("unet", "fold", "mix"): "none",
    ("cnn", "sersic", "detector"): "that of OUT, else the package's",
    **{(kind, "fold", "n_main"): "4, or all of fewer galaxies" for kind in ("unet", "cnn")},
}
"""Defaults that depend on something, in words."""
_METAVARS = {int: "N", float: "VALUE", str: "NAME", _policy: "POLICY", _ramp: "LOW,HIGH"}
_DESCRIPTION = (
    "train {text}. Without --data on Sersic mocks that are made on the way; with --data on one fold of a set of simulated galaxies "
    "('astroclumps dataset'): its networks never see the galaxies that it holds out, and judge them in OUT/{kind}/predictions-fold-K.npz. "
    "A run that was stopped goes on where it was; the model card records all settings."
)


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser("train", help="train a network on mock galaxies and write its weights with a model card")
    kinds = parser.add_subparsers(title="networks", metavar="NETWORK", required=True)
    for kind, text in (("unet", "the detector"), ("cnn", "the classifier of stamps")):
        made = kinds.add_parser(
            kind, help=text, description=_DESCRIPTION.format(text=text, kind=kind), argument_default=argparse.SUPPRESS,
            usage=f"astroclumps train {kind} -o OUT [--data FOLDER --fold K] [options]",
        )  # fmt: skip
        made.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for mocks, checkpoints and weights")
        made.add_argument("--data", default=None, metavar="FOLDER", help="set of simulated galaxies")
        made.add_argument("--fold", default=None, metavar="K", help="number of the fold, or 'all' for the release, which comes last")
        for title, options in (
            ("options", (*_BOTH, *_ONLY[kind]["both"])),
            ("without --data", (*_SERSIC, *_ONLY[kind]["sersic"])),
            ("with --data", (*_FOLD, *_ONLY[kind]["fold"])),
        ):
            group = made.add_argument_group(title)
            for option, name, type_, help_ in options:
                given = f"fold_{name}" if title == "with --data" else name
                told = f"{help_} (default: {_default(kind, title, name)})"
                group.add_argument(option, dest=given, type=type_, metavar=_METAVARS[type_], help=told)
        for option, name, help_ in _SWITCHES[kind]:
            group.add_argument(option, dest=f"fold_{name}", action="store_true", help=help_)
        made.add_argument("--quiet", "-q", action="store_true", default=False, help="no progress bars")
        add_common(made)
        made.set_defaults(command=train, kind=kind, debug=False)
    made = kinds.add_parser(
        "release", help="the weights to be shipped, with the scores of all folds in their cards", argument_default=argparse.SUPPRESS,
        description="write unet-synthetic and cnn-synthetic: the networks of the fold 'all', for the classifier an ensemble with those of "
        "the main folds, with the scores of all held-out galaxies in the model cards",
    )  # fmt: skip
    made.add_argument("-o", "--out", required=True, metavar="OUT", help="folder of the folds")
    made.add_argument("--data", required=True, metavar="FOLDER", help="set of simulated galaxies")
    made.add_argument("--version", dest="version", metavar="NAME", help="version of the weights (default: 1.0)")
    for option, name, type_, help_ in _SPLIT:
        told = f"{help_}; as in training (default: {_default('unet', 'with --data', name)})"
        made.add_argument(option, dest=name, type=type_, metavar="N", help=told)
    add_common(made)
    made.set_defaults(command=release, debug=False)


def _default(kind, title, name) -> str:
    """The default of an option, in words; two where they differ without and with --data."""
    modes = {"options": ("sersic", "fold"), "without --data": ("sersic",), "with --data": ("fold",)}[title]
    said = [_TOLD.get((kind, mode, name)) or f"{DEFAULTS[kind][mode][name]}" for mode in modes if _has_default(kind, mode, name)]
    return said[0] if len(set(said)) == 1 else f"{said[0]}; with --data {said[1]}"


def _has_default(kind, mode, name):
    return (kind, mode, name) in _TOLD or name in DEFAULTS[kind][mode]


def train(args) -> int:
    """Do the job of one command line."""
    folder, given = Path(args.out), vars(args)
    fold_options = {name.removeprefix("fold_"): value for name, value in given.items() if name.startswith("fold_")}
    both = {name for _, name, _, _ in (*_BOTH, *_ONLY[args.kind]["both"])}
    sersic = {name for _, name, _, _ in (*_SERSIC, *_ONLY[args.kind]["sersic"])}
    if args.data is None and (args.fold is not None or fold_options):
        raise UsageError(f"{', '.join(sorted(fold_options)) or 'a fold'} goes with --data, the folder of a set of simulated galaxies")
    if args.data is not None and (args.fold is None or sersic & set(given)):
        wrong = ", ".join(sorted(sersic & set(given)))
        raise UsageError(f"{wrong} is for Sersic mocks, without --data" if wrong else "--data needs --fold, a number or 'all'")
    options = {name: given[name] for name in both if name in given}
    _check(args.kind, options | fold_options if args.data is not None else {name: given[name] for name in both | sersic if name in given})
    check_folder(folder, overwrite=True)
    module = _training("recipes" if args.data is None else f"fold_{args.kind}")
    if args.data is None:
        folder.mkdir(parents=True, exist_ok=True)
        options |= {name: given[name] for name in sersic if name in given}
        recipe = {"unet": "train_unet", "cnn": "train_cnn"}[args.kind]
        path = getattr(module, recipe)(folder, progress=not args.quiet, **options)
    else:
        if args.kind == "unet":
            _augmentation(fold_options)
        recipe = {"unet": "train_unet_fold", "cnn": "train_cnn_fold"}[args.kind]
        options |= fold_options
        galaxies, fold = _galaxies(args, fold_options), _fold(args.fold)
        path = getattr(module, recipe)(folder, galaxies, fold=fold, progress=not args.quiet, **options)
    print(f"weights are in {path}; use them with  astroclumps run --{'weights' if args.kind == 'unet' else 'classifier-weights'} {path}")
    return 0


def _check(kind, settings):
    """Numbers that no training can use are refused by the name of their option."""
    from ..training.settings import check_settings

    groups = (*_BOTH, *_SERSIC, *_FOLD, *_ONLY[kind]["both"], *_ONLY[kind]["sersic"], *_ONLY[kind]["fold"])
    try:
        check_settings(names={name: option for option, name, _, _ in groups}, **settings)
    except ValueError as exc:
        raise UsageError(str(exc)) from None


def _galaxies(args, options):
    """The set; `UsageError` where it has no such fold, or is too small for a split or a side."""
    from ..training.folds import Folds
    from ..training.galaxy_set import GalaxySet

    galaxies = GalaxySet(args.data)
    side = min(galaxies.data.shape[-2:])
    for name in ("size", "region"):
        if options.get(name, 0) > side:
            raise UsageError(f"--{name} is a side inside the images, at most {side} pixels, got {options[name]}")
    _split(Folds, galaxies, {name: options[name] for _, name, _, _ in _SPLIT if name in options}, fold=_fold(args.fold))
    return galaxies


def _split(kind, galaxies, split, *, fold="all"):
    try:
        folds = kind.from_set(galaxies, **split)
        folds.held_out(fold)
    except ValueError as exc:
        raise UsageError(f"{exc} (--main, --grouped, --choosing, --fold)") from None
    return folds


def release(args) -> int:
    """Write the weights to be shipped."""
    _training("recipes")  # says what is missing
    from .. import weights
    from ..longevity.stamps import STAMP
    from ..training.folds import Folds
    from ..training.galaxy_set import GalaxySet
    from ..training.predictions import Predictions
    from ..training.release import check_folds, make_release
    from ..training.scores import held_out_scores

    out, split = Path(args.out), {name: vars(args)[name] for _, name, _, _ in _SPLIT if name in args}
    galaxies = GalaxySet(args.data)
    version = {"version": args.version} if "version" in args else {}
    folds = _split(Folds, galaxies, split)
    check_folds(out, folds)  # before the first file is written
    n = len(folds)
    for kind in ("unet", "cnn"):
        predictions = Predictions.read(*(out / kind / f"predictions-fold-{fold}.npz" for fold in range(n)))
        region = weights.card(out / kind / "fold-0.safetensors")["recipe"].get("region", STAMP)
        scores = held_out_scores(galaxies, predictions, kind=kind, region=region)
        path = make_release(out, galaxies, kind=kind, scores=scores, **version, **split)
        print(
            f"{path}: {', '.join(f'{name} {value[0]:.3f} +- {value[1]:.3f}' for name, value in scores.items() if isinstance(value, tuple))}"
        )
    return 0


def _training(name):
    import importlib

    try:
        return importlib.import_module(f"astroclumps.training.{name}")
    except ImportError as exc:
        raise ImportError(f'training needs torch and tqdm; install them with  pip install "astroclumps[ml,sed]" ({exc})') from exc


def _fold(text):
    return int(text) if text.isdecimal() else text


def _augmentation(options):
    """Gather the options of the augmentation into one."""
    from ..training.augment import Augmentation

    options["augmentation"] = Augmentation(**{name: options.pop(name) for name in ("flux", "colour", "blur") if name in options})
