"""``astroclumps inject``: how bright a clump must be to be found in one's own images."""

from pathlib import Path

from . import UsageError, add_common, one_line
from .options import add_output_options, setting
from .products import check_folder, has_figure, write_whole
from .sources import add_image_options, jobs, read

__all__ = ["add_parser", "inject"]

_TEXT = """put clumps of known flux, colour and size into images and see which of them detectors find

Each image is one galaxy; all images stand together, before or after the options, not between them.
A table of the clumps with what became of them, completeness in bins and a figure are written into OUT.
Errors are draws of whole galaxies, so give several."""
_FILES = ("injected.ecsv", "completeness.ecsv", "completeness.png")
_COLUMN = "ratio"


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "inject", help="put clumps into images to measure completeness", description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter, usage="astroclumps inject IMAGE [IMAGE ...] --detector NAME -o OUT [options]",
    )  # fmt: skip
    add_image_options(parser)
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the results")
    detector = parser.add_argument_group("detectors")
    detector.add_argument(
        "--detector", action="append", metavar="NAME",
        help="detector plugin (default: unet); repeat it to compare several, which see the same clumps",
    )  # fmt: skip
    detector.add_argument("--weights", metavar="SPEC", help="weights of the detectors that take them")
    detector.add_argument(
        "--set", action="append", default=[], metavar="NAME.SETTING=VALUE", help="setting of a detector, such as contrast.n_sigma=3"
    )
    clumps = parser.add_argument_group("clumps")
    clumps.add_argument("--ratio", metavar="LOW,HIGH", help="flux over that of the galaxy, the smaller first (default: 0.005,0.5)")
    clumps.add_argument("--flux", metavar="'LOW,HIGH UNIT'", help="flux instead, such as '0.01,1 uJy' or '28,24 ABmag'")
    clumps.add_argument("--band", metavar="BAND", help="band of ratio and flux (default: the first of the image)")
    clumps.add_argument(
        "--colour", default="galaxy", metavar="COLOUR",
        help="galaxy (its own, the default), flat, young, old, or relative fluxes such as F606W=1,F160W=1.5",
    )  # fmt: skip
    clumps.add_argument(
        "--half-light",
        default="0 arcsec",
        metavar="SIZE",
        help="half-light radius, such as '0.1 arcsec', '0.2 kpc', '0.1,0.4 kpc' (default: 0)",
    )
    clumps.add_argument("--index", type=float, default=0.5, metavar="N", help="Sersic index (default: 0.5, a Gaussian)")
    clumps.add_argument(
        "--radii", default="0.5,3", metavar="LOW,HIGH", help="distance over the galaxy's half-light radius (default: 0.5,3)"
    )
    clumps.add_argument("--places", default="disc", metavar="HOW", help="disc (as an exponential disc, the default) or area (uniform)")
    clumps.add_argument("--clumps", type=int, default=1, metavar="N", help="clumps in a copy of an image, if there is room (default: 1)")
    clumps.add_argument("--repeats", type=int, default=20, metavar="N", help="copies of each image (default: 20)")
    clumps.add_argument("--exposure", metavar="SECONDS", help="exposure time, one or BAND=SECONDS,...: adds the clumps' photon noise")
    clumps.add_argument("--seed", type=int, default=0, metavar="S", help="seed of all that is random (default: 0)")
    add_output_options(parser)
    add_common(parser)
    parser.set_defaults(command=inject)


def inject(args) -> int:
    """Do the job of one command line."""
    import sys

    try:
        settings = _injection(args)
    except (ValueError, TypeError) as exc:  # what the settings make of the options
        raise UsageError(one_line(exc)) from None
    detectors = _detectors(args)
    folder = Path(args.out)
    check_folder(folder, overwrite=args.overwrite, names=_FILES)
    images, failed = [], 0
    for job in jobs(args):
        try:
            images.append(read(job, args))
        except UsageError:
            raise
        except Exception as exc:  # the border of one galaxy: the others are still done
            if args.debug:
                raise
            print(f"astroclumps: error: {job.name}: {one_line(exc)}", file=sys.stderr)
            failed += 1
    if not images:
        return 1
    clumps = settings.run(images, detectors)
    _write(clumps, folder, args)
    return 1 if failed else 0


def _write(clumps, folder, args):
    import warnings

    import numpy as np

    from ..evaluation.injection_curves import completeness_curve, half_flux

    if not len(clumps):
        raise ValueError("no clump could be put into any image; warnings say why")
    by = "flux" if args.flux else _COLUMN
    curve = completeness_curve(clumps, by=by)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "injected.ecsv", lambda path: clumps.write(path, format="ascii.ecsv", overwrite=True))
    write_whole(folder / "completeness.ecsv", lambda path: curve.write(path, format="ascii.ecsv", overwrite=True))
    figure = folder / "completeness.png"
    if has_figure():
        from ..plotting_injection import plot_injection

        write_whole(figure, lambda path: plot_injection(clumps, path, by=by))
    else:
        figure.unlink(missing_ok=True)  # it would show other results
    if args.quiet:
        return
    unit = "uJy" if by == "flux" else "of the galaxy"
    print(f"{len(set(clumps['galaxy']))} galaxies; flux in {clumps.meta['bands']}")
    for name in dict.fromkeys(str(one) for one in clumps["detector"]):
        mine = clumps[np.asarray(clumps["detector"]) == name]
        _, first = np.unique(np.asarray(mine["image"]), return_index=True)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            half = half_flux(clumps, by=by, detector=name)
        if np.isfinite(half.half):
            span = f" ({half.lower:.3g}-{half.upper:.3g})" if np.isfinite(half.lower) else ""
            text = f"half are found at {half.half:.3g}{span} {unit}"
        else:
            text = "one half is not reached" if half.plateau <= 0.5 else "one half lies outside the fluxes that were tried"
        if np.isfinite(half.plateau):
            text += f"; the fit levels off at {half.plateau:.0%}"
        print(
            f"{name}: {len(mine)} clumps, {np.mean(mine['found']):.0%} found; {text}; "
            f"{np.mean(mine['n_before'][first]):.2f} detections an image without them"
        )
    print(f"written to {folder}: {', '.join(file for file in _FILES if (folder / file).exists())}")


def _injection(args):
    import astropy.units as u

    from ..evaluation.injection import Injection

    if args.ratio and args.flux:
        raise UsageError("--ratio and --flux are two ways to say the same; give one")
    options = {"ratio": _pair(args.ratio or "0.005,0.5", "--ratio")}
    if args.flux:
        options = {"flux": _quantity(args.flux, "--flux", "0.01,1 uJy")}
    colour = args.colour
    if "=" in colour:
        colour = _by_band(colour, "--colour")
    exposure = args.exposure
    if exposure is not None:
        exposure = {band: time * u.s for band, time in _by_band(exposure, "--exposure").items()} if "=" in exposure else (
            _pair(exposure, "--exposure", n=1)[0] * u.s
        )  # fmt: skip
    return Injection(
        **options, band=args.band, colour=colour, size=_quantity(args.half_light, "--half-light", "0.1 arcsec"), index=args.index,
        radii=_pair(args.radii, "--radii"), places=args.places, n_clumps=args.clumps, repeats=args.repeats,
        exposure=exposure, seed=args.seed,
    )  # fmt: skip


def _detectors(args):
    from .. import plugins

    names = list(dict.fromkeys(args.detector or ["unet"]))
    options = {name: {} for name in names}
    for text in args.set:
        name, key, given = setting(text, example="contrast.n_sigma=3")
        if name not in options:
            raise UsageError(f"--set {text}: the detectors are {', '.join(names)}")
        options[name][key] = given
    if args.weights is not None:
        trained = [name for name in names if name != "contrast"]
        if not trained:
            raise UsageError("--weights makes no sense for the detector contrast")
        for name in trained:
            options[name]["weights"] = args.weights
    return {name: plugins.create("detectors", name, **options[name]) for name in names}


def _pair(text, option, *, n=2):
    try:
        numbers = tuple(float(one) for one in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != n:
        raise UsageError(f"{option} takes {'a number' if n == 1 else 'two numbers with a comma between'}, got {text!r}")
    return numbers


def _quantity(text, option, example):
    """``0.01,1 uJy`` as a quantity of two values, ``0.1 kpc`` as one."""
    import astropy.units as u

    numbers, _, unit = text.strip().partition(" ")
    try:
        values = [float(one) for one in numbers.split(",")]
        made = (values if len(values) > 1 else values[0]) * (u.ABmag if unit.strip() == "ABmag" else u.Unit(unit))
    except ValueError:
        made = None
    if not unit or made is None:
        raise UsageError(f"{option} takes numbers with a unit, such as {example!r}, got {text!r}")
    return made


def _by_band(text, option):
    out = {}
    for part in text.split(","):
        band, equals, number = part.partition("=")
        try:
            out[band.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise UsageError(f"{option} takes BAND=VALUE with commas between, got {text!r}")
    return out
