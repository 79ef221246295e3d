"""``astroclumps find3d``: clumps of a simulated galaxy, found in each snapshot, followed, and classed."""

import contextlib
import dataclasses
import re
import tempfile
import time
from pathlib import Path

from . import UsageError, add_common
from .options import setting
from .products import check_folder, has_figure, write_whole
from .snapshots import add_snapshot_options, paths, read, reader_options

__all__ = ["add_parser", "find3d", "stages"]

_TEXT = """find the clumps of a simulated galaxy in three dimensions, follow them, and tell how long they live

The snapshots are those of one galaxy in order of time. OUT gets clumps.ecsv (the clumps of all snapshots, with their tracks and
classes), tree.ecsv and links.ecsv (who became what, and on how many stars that rests), snapshot_NNN.png (cold gas and stars, face-on
and edge-on, clumps circled by class) and tracks.png; with --labels also labels_NNN.npz (the stars of each clump)."""
_TABLES = ("clumps.ecsv", "tree.ecsv", "links.ecsv")
_FIGURE = re.compile(r"snapshot_\d{3,}\.png")
_LABELS = re.compile(r"labels_\d{3,}\.npz")


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "find3d", help=_TEXT.partition("\n")[0], description=_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="astroclumps find3d SNAP [SNAP ...] -o OUT [options]",
    )  # fmt: skip
    add_snapshot_options(parser)
    stages = parser.add_argument_group("finder and tracker")
    stages.add_argument(
        "--set", action="append", default=[], metavar="STAGE.NAME=VALUE",
        help="a setting of ClumpFinder3D or ClumpTracker, such as finder.cell_size='100 pc' or tracker.max_gap=2; may be repeated",
    )  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument("--no-figures", action="store_true", help="write tables only")
    output.add_argument("--half-width", type=float, metavar="KPC", help="half of the maps' side (default: 1.4 R_d, or finder.extent's)")
    output.add_argument("--labels", action="store_true", help="write the stars of each clump too")
    output.add_argument("--overwrite", action="store_true", help="replace results that are already there")
    output.add_argument("--quiet", "-q", action="store_true", help="print nothing but warnings and errors")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the results")
    add_common(parser)
    parser.set_defaults(command=find3d)


def find3d(args) -> int:
    """Do the job of one command line."""
    snapshots, folder = paths(args), Path(args.out)
    options = reader_options(args, len(snapshots))
    if any(folder.resolve() in (path.resolve(), path.resolve().parent) for path in snapshots):
        raise UsageError(f"-o {folder} holds the snapshots; results need a folder of their own")
    finder, tracker = stages(args.set)
    figures = not args.no_figures and _figures()
    half_width = _half_width(args.half_width)
    check_folder(folder, overwrite=args.overwrite, names=_existing(folder))
    with _made(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial, tracker, _once_each():
        seen, maps = [], []
        for number, path in enumerate(snapshots):
            start = time.perf_counter()
            snapshot = read(path, args.reader, options[number])
            _check_time(snapshot, path, seen)
            clumps, labels = finder.find(snapshot)
            tracker.add(snapshot, clumps, labels)
            if figures:
                maps.append(_maps(snapshot, half_width, finder))
            if args.labels:
                _write_labels(Path(partial) / f"labels_{number:03d}.npz", snapshot, labels)
            seen.append(_Seen.of(snapshot, path, clumps))
            if not args.quiet:
                print(seen[-1].line(number, time.perf_counter() - start), flush=True)
        tracked = tracker.finish()
        files = _write(folder, Path(partial), tracked, tracker, maps, _title(seen))
    if not args.quiet:
        from .report_3d import report

        print(report(tracked, tracker.links, seen, finder=finder, tracker=tracker, files=files, folder=folder))
    return 0


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What the report needs of a snapshot that is no longer there."""

    path: Path
    name: str
    time: object
    r_d: object
    sfr: float
    dark: bool
    r_vir: str
    assumptions: tuple
    sizes: object
    n_clumps: int
    meta: dict

    @classmethod
    def of(cls, snapshot, path, clumps):
        disc = snapshot.disc
        return cls(
            path=path,
            name=snapshot.name,
            time=snapshot.time,
            r_d=disc.r_d,
            sfr=float(disc.sfr.value),
            dark=snapshot.dark is not None and len(snapshot.dark) > 0,
            r_vir=f"{snapshot.meta.get('r_vir', 'given')}",
            assumptions=tuple(map(str, snapshot.meta.get("assumptions", ()))),
            sizes=_sizes(snapshot),
            n_clumps=len(clumps),
            meta=dict(clumps.meta),
        )

    def line(self, number, seconds):
        """What is printed while the next snapshot is read."""
        n = self.n_clumps
        return (
            f"{number:4d}  {self.name}  {self.time.value:.4g} Gyr  R_d {self.r_d.value:.3g} kpc  "
            f"{n or 'no'} clump{'' if n == 1 else 's'}  ({seconds:.1f} s)"
        )


def stages(settings):
    """Finder and tracker with what --set says."""
    from ..simulation.finder import ClumpFinder3D
    from ..simulation.tracking import ClumpTracker

    classes, given = {"finder": ClumpFinder3D, "tracker": ClumpTracker}, {"finder": {}, "tracker": {}}
    for text in settings:
        stage, name, value = setting(text, example="finder.cell_size='100 pc'")
        if stage not in classes:
            raise UsageError(f"--set {text}: stages are {', '.join(classes)}")
        known = [field.name for field in dataclasses.fields(classes[stage]) if field.init]
        if name not in known:
            raise UsageError(f"--set {text}: settings of the {stage} are {', '.join(known)}")
        given[stage][name] = value
    return (classes[stage](**given[stage]) for stage in classes)


def _figures():
    if not has_figure():
        import warnings

        from ..exceptions import AstroclumpsWarning

        text = 'figures are left out, for they need matplotlib; install it with  pip install "astroclumps[plot]"'
        warnings.warn(text, AstroclumpsWarning, stacklevel=2)
    return has_figure()


def _half_width(number):
    if number is None:
        return None
    import astropy.units as u

    if not 0 < number < float("inf"):
        raise UsageError(f"--half-width must be a positive number of kpc, got {number:g}")
    return number * u.kpc


def _existing(folder):
    """Names of results that the folder has."""
    if not folder.is_dir():
        return ()
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name in (*_TABLES, "tracks.png") or _FIGURE.fullmatch(name) or _LABELS.fullmatch(name)]


def _check_time(snapshot, path, seen):
    if seen and not snapshot.time > seen[-1].time:
        raise ValueError(
            f"{path} at {snapshot.time:.5g} is not later than {seen[-1].path} at {seen[-1].time:.5g}, which comes before it; give "
            "the snapshots of one run, each once, in order of time"
        )


def _sizes(snapshot):
    """Medians over the gas of the softening and the cell size, kpc, where the snapshot has them."""
    import astropy.units as u
    import numpy as np

    gas = snapshot.gas
    return {name: float(np.median(gas[name].to_value(u.kpc))) for name in ("softening", "cell_size") if name in gas.colnames and len(gas)}


def _maps(snapshot, half_width, finder):
    from ..simulation.projection import project

    return project(snapshot, half_width=half_width, cold_temperature=finder.cold_temperature, extent=finder.extent)


def _title(seen):
    return seen[0].name if len(seen) == 1 else f"{seen[0].name} to {seen[-1].name}"


def _write_labels(path, snapshot, labels):
    import numpy as np

    inside = labels > 0
    np.savez(path, particle_id=np.asarray(snapshot.stars["particle_id"])[inside], label=labels[inside].astype(np.int32))


def _write(folder, partial, tracked, tracker, maps, title):
    """Write all products; those of an earlier run that this one does not make are removed."""
    from .. import catalog

    writers = {
        "clumps.ecsv": lambda path: catalog.write(tracked, path, overwrite=True),
        "tree.ecsv": lambda path: tracker.tree().write(path, format="ascii.ecsv", overwrite=True),
        "links.ecsv": lambda path: tracker.edges().write(path, format="ascii.ecsv", overwrite=True),
    }
    if maps:
        from ..plotting_3d import plot_clumps_3d, plot_tracks

        for number, one in enumerate(maps):
            rows = tracked[tracked["snapshot"] == number]
            writers[f"snapshot_{number:03d}.png"] = lambda path, one=one, rows=rows: plot_clumps_3d(one, rows, path)
        writers["tracks.png"] = lambda path: plot_tracks(tracked, path, long_lived=tracker.long_lived, title=title)
    labels = sorted(partial.iterdir())
    for name in set(_existing(folder)) - set(writers) - {path.name for path in labels}:
        (folder / name).unlink()
    for name, writer in writers.items():
        write_whole(folder / name, writer)
    for path in labels:
        path.replace(folder / path.name)
    return [*writers, *(path.name for path in labels)]


@contextlib.contextmanager
def _made(folder):
    """Make a folder; after a failure what was made and is empty goes again."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # it is not empty
            for path in new:
                path.rmdir()
        raise


@contextlib.contextmanager
def _once_each():
    """Show a warning that every snapshot brings once, and at the end how often it came."""
    import warnings

    shown, before = {}, warnings.showwarning

    def show(message, *rest, **more):
        kind = re.sub(r"'[^']*'|\S*[/\d]\S*", "#", str(message))
        shown.setdefault(kind, [message, 0, rest, more])[1] += 1
        if shown[kind][1] == 1:
            before(message, *rest, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
        for message, times, rest, more in shown.values():
            if times > 1:
                start = " ".join(str(message).split()[:12])
                before(type(message)(f"{times - 1} more like '{start} ...'"), *rest, **more)
