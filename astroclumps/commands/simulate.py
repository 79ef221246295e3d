"""``astroclumps simulate``: a suite of synthetic clumpy discs, as files."""

import re
from pathlib import Path

import numpy as np

from . import add_common
from .options import add_clumpiness_option, clumpiness
from .products import check_folder, write_whole

__all__ = ["add_parser", "simulate"]

_TEXT = """make synthetic clumpy discs, with stars, gas and dark matter in consecutive snapshots

A kinematic model, not a hydrodynamical run: particles move on given orbits, and clumps live and dissolve by rules with scatter. It is
there to try finder and tracker where the truth is known. Each galaxy gets a folder OUT/galaxy_NNN with snapshot_NNN.npz and
record.ecsv, the generator's own record of every clump. The same seed gives the same bytes."""
_GALAXY = re.compile(r"galaxy_\d{3,}")
_SNAPSHOT = re.compile(r"snapshot_\d{3,}\.npz")


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "simulate", help="make synthetic clumpy discs to try finder and tracker on", description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter, usage="astroclumps simulate --galaxies N --seed S -o OUT [options]",
    )  # fmt: skip
    parser.add_argument("--galaxies", type=int, default=1, metavar="N", help="galaxies (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of all that is random (default: 0)")
    parser.add_argument("--snapshots", type=int, default=20, metavar="N", help="snapshots of each galaxy (default: 20)")
    parser.add_argument("--stars", type=int, default=300_000, metavar="N", help="stars in the last snapshot (default: 300000)")
    add_clumpiness_option(parser)
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the galaxies")
    parser.add_argument("--overwrite", action="store_true", help="replace galaxies that are already there")
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")
    add_common(parser)
    parser.set_defaults(command=simulate)


def simulate(args) -> int:
    """Do the job of one command line."""
    from ..synthetic.suite import SyntheticSuite

    settings = {"n_galaxies": args.galaxies, "n_snapshots": args.snapshots, "n_stars": args.stars, "seed": args.seed}
    settings["clumpiness"] = clumpiness(args.clumpiness)

    def suite():  # anew for each galaxy, for it keeps the records of those it has made
        return SyntheticSuite(**settings)

    suite()  # wrong numbers are told before anything is written
    folder = Path(args.out)
    names = [f"galaxy_{i:03d}" for i in range(args.galaxies)]
    existing = sorted(path.name for path in folder.iterdir() if _GALAXY.fullmatch(path.name)) if folder.is_dir() else []
    check_folder(folder, overwrite=args.overwrite, names=existing)
    others = [name for name in existing if name not in names]
    if others:
        raise FileExistsError(f"{folder} holds {', '.join(others)} of another suite; remove them, or choose another -o")
    if not args.quiet:
        print(_TEXT.partition("\n\n")[2].partition(" Each galaxy")[0] + "\n", flush=True)
    for i, name in enumerate(names):
        made = suite()
        text = _one(made, i, folder / name)
        if not args.quiet:
            print(text, flush=True)
    if not args.quiet:
        print(f"\nfind their clumps with  astroclumps find3d {folder / names[0]} -o clumps_{names[0][-3:]}")
        print(f"what was put in is in   {folder / names[0] / 'record.ecsv'}")
    return 0


def _one(suite, i, folder):
    """Make a galaxy and write it; a line about it."""
    folder.mkdir(parents=True, exist_ok=True)
    last, size, written = None, 0, set()
    for number, last in enumerate(suite.galaxy(i)):
        path = folder / f"snapshot_{number:03d}.npz"
        last.write(path, overwrite=True)  # the command has asked already
        size += path.stat().st_size
        written.add(path.name)
    for path in folder.iterdir():  # of a longer run before
        if _SNAPSHOT.fullmatch(path.name) and path.name not in written:
            path.unlink()
    record = suite.record(i)
    write_whole(folder / "record.ecsv", lambda path: record.write(path, format="ascii.ecsv", overwrite=True))
    kinds, counts = np.unique([str(kind) for _, kind in {(row["clump"], str(row["kind"])) for row in record}], return_counts=True)
    put_in = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in zip(kinds, counts, strict=True)) or "no clumps"
    number = f"{len(written)} snapshot{'' if len(written) == 1 else 's'}"
    what = f"{number} to redshift {last.redshift:.2f}, {len(last.stars)} stars at last, {size / 1e6:.0f} MB"
    return f"{folder}: {what}; {put_in}"
