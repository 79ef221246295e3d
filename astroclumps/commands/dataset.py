"""``astroclumps dataset``: mock images of simulated galaxies with the truth of finder and tracker, to train and to test on."""

import argparse
import dataclasses
from pathlib import Path

from . import UsageError, add_common
from .find3d import stages
from .options import add_clumpiness_option, clumpiness
from .products import check_folder
from .snapshots import add_snapshot_options, paths, reader_options

__all__ = ["add_parser", "dataset"]

_TEXT = """make mock images of simulated galaxies with the clumps in them, to train and to test on

Without SNAP the galaxies are those of a synthetic suite, made as 'astroclumps simulate' makes them; with SNAP they are read. In every
snapshot clumps are found, and followed through the run; then 19 cameras look at it, and those that see an axis ratio above 0.5 are
kept. OUT gets galaxy-NNN.npz, one a galaxy: noiseless images of 64 x 64 pixels in seven bands, and the clumps in each. What is there is
kept, so that a run that was stopped goes on; the same seeds give the same bytes, with any number of jobs."""
_CLASSES = ("LLC", "SLC", "ZLC", "sfZLC", "ex situ", "bulge")


def add_parser(commands):
    """Add the command to the parser."""
    parser = commands.add_parser(
        "dataset", help=_TEXT.partition("\n")[0], description=_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="astroclumps dataset -o OUT [--galaxies N] [SNAP ...] [options]",
    )  # fmt: skip
    add_snapshot_options(parser, nargs="*")
    suite = parser.add_argument_group("synthetic suite, without SNAP")
    suite.add_argument("--galaxies", type=int, metavar="N", help="galaxies (default: 40)")
    suite.add_argument("--snapshots", type=int, metavar="K", help="snapshots of each galaxy (default: 20)")
    suite.add_argument("--stars", type=int, metavar="N", help="stars in the last snapshot (default: 300000)")
    add_clumpiness_option(suite)
    found = parser.add_argument_group("finder and tracker")
    found.add_argument(
        "--set", action="append", default=[], metavar="STAGE.NAME=VALUE",
        help="a setting of ClumpFinder3D or ClumpTracker, such as finder.extent='(1, 1.5)' or tracker.max_gap=2; may be repeated",
    )  # fmt: skip
    images = parser.add_argument_group("images")
    images.add_argument("--imaged", type=int, metavar="K", help="snapshots of each galaxy that are imaged, evenly spread (default: all)")
    images.add_argument("--redshift", metavar="Z1,Z2", default="1,3", help="galaxies are seen at redshifts between these (default: 1,3)")
    images.add_argument(
        "--random-cameras", type=int, default=7, metavar="N", help="of the cameras, those in random directions (default: 7)"
    )
    images.add_argument("--all-cameras", action="store_true", help="keep the images of all 19 cameras")
    parser.add_argument("--each", action="store_true", help="each SNAP is a galaxy of its own: a folder or pattern of its snapshots")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of suite and images (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes (default: 1)")
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the set")
    add_common(parser)
    parser.set_defaults(command=dataset)


def dataset(args) -> int:
    """Do the job of one command line."""
    source = _source(args)
    redshift, (finder, tracker) = _pair("--redshift", args.redshift, "1,3"), stages(args.set)
    folder = Path(args.out)
    check_folder(folder, overwrite=True)
    from ..training.galaxies import estimate, make_galaxy_set
    from ..training.galaxy_images import GalaxyImages
    from ..training.galaxy_set import galaxy_file

    tracking = {one.name: getattr(tracker, one.name) for one in dataclasses.fields(tracker) if one.init}
    tracker.close()
    tracking = {name: value for name, value in tracking.items() if value != getattr(type(tracker), name)}
    settings = {"finder": finder, "tracking": tracking}
    settings |= {"snapshots": args.imaged, "redshift": redshift, "all_cameras": args.all_cameras, "random_cameras": args.random_cameras}
    missing = [i for i in range(len(source)) if not galaxy_file(folder, i).exists()]
    if not args.quiet and missing:
        print(estimate(source, GalaxyImages(seed=args.seed, **settings), galaxies=missing, n_jobs=args.jobs), flush=True)
    made = make_galaxy_set(folder, source, seed=args.seed, n_jobs=args.jobs, progress=not args.quiet, **settings)
    if not args.quiet:
        print(report(made))
        print(f"the set is in {folder}; read it with  astroclumps.training.galaxy_set.GalaxySet({str(folder)!r})")
    return 0


def report(made) -> str:
    """What a set holds, in a few lines."""
    import numpy as np

    n_images, counts, nodes = len(made), dict.fromkeys(_CLASSES, 0), {name: set() for name in _CLASSES}
    positives = np.zeros((3, n_images), dtype=int)
    policies = ("all", 1e-3, "none")
    for i in range(n_images):
        clumps = made.clumps(i)
        in_situ = clumps["origin"] == "in situ"
        kinds = {name: in_situ & (clumps["longevity"] == name) for name in ("LLC", "SLC", "ZLC")}
        kinds["sfZLC"] = kinds["ZLC"] & clumps["sf_zlc"]
        kinds |= {name: clumps["origin"] == name for name in ("ex situ", "bulge")}
        for name, rows in kinds.items():
            counts[name] += int(rows.sum())
            nodes[name].update((int(made.galaxy[i]), int(node)) for node in clumps["node"][rows])
        positives[:, i] = [made.positives(i, sf_zlc=policy).sum() for policy in policies]
    width = max(map(len, _CLASSES))
    n_galaxies, n_snapshots = len(np.unique(made.galaxy)), len(set(zip(made.galaxy, made.snapshot, strict=True)))
    failed = np.mean(np.isnan(made.axis_ratio)) if n_images else 0
    lines = [
        f"{n_images} images of {n_galaxies} galaxies and {n_snapshots} snapshots, {made.data.nbytes / 1e9:.2f} GB; "
        f"without axis ratio: {failed:.1%}",
        f"{'class':{width}s} {'clumps':>8s} {'in images':>10s} {'an image':>9s}",
    ]
    for name in _CLASSES:
        lines.append(f"{name:{width}s} {len(nodes[name]):8d} {counts[name]:10d} {counts[name] / max(n_images, 1):9.2f}")
    means = positives.mean(axis=1) if n_images else np.zeros(3)
    lines.append(
        f"positives an image: {means[0]:.2f} with all sfZLC, {means[1]:.2f} with those above 1e-3 of the disc's, {means[2]:.2f} without"
    )
    return "\n".join(lines)


def _source(args):
    suite = {"galaxies": args.galaxies, "snapshots": args.snapshots, "stars": args.stars, "clumpiness": args.clumpiness}
    if not args.snapshot:
        if args.reader or args.reader_option or args.centre or args.r_vir or args.each:
            raise UsageError("--reader, --reader-option, --centre, --r-vir and --each need snapshots, SNAP")
        from ..synthetic.suite import SyntheticSuite
        from ..training.galaxy_sources import SuiteGalaxies

        defaults = {"galaxies": 40, "snapshots": 20, "stars": 300_000}
        chosen = {f"n_{name}": default if suite[name] is None else suite[name] for name, default in defaults.items()}
        return SuiteGalaxies(SyntheticSuite(seed=args.seed, clumpiness=clumpiness(args.clumpiness), **chosen))
    given = [f"--{name}" for name, value in suite.items() if value is not None]
    if given:
        raise UsageError(f"{given[0]} is for the synthetic suite; with SNAP its files say how many there are")
    from ..training.galaxy_sources import SnapshotFiles

    if args.each:
        galaxies = [paths(argparse.Namespace(snapshot=[one], reader=args.reader)) for one in args.snapshot]
    else:
        galaxies = [paths(args)]
    return SnapshotFiles(galaxies, reader=args.reader, options=reader_options(args, sum(map(len, galaxies))))


def _pair(option, text, example):
    try:
        low, high = (float(one) for one in text.split(","))
    except ValueError:
        raise UsageError(f"{option} takes two numbers with a comma between, such as {example}, got {text!r}") from None
    return low, high
