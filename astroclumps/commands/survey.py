"""``astroclumps run CATALOG --images PATTERN``: the main job on a list of galaxies."""

import contextlib
from pathlib import Path

from . import UsageError
from .options import make_pipeline

__all__ = ["add_survey_options", "survey"]

_NOT_HERE = {
    "per_band": "--per-band (a pattern such as 'images/{id}/' names a folder with one file a band)",
    "redshift": "--redshift (the list has a column redshift)",
    "x": "--x (the list has columns x and y, or ra and dec)",
    "y": "--y (the list has columns x and y, or ra and dec)",
    "ra": "--ra (the list has columns ra and dec)",
    "dec": "--dec (the list has columns ra and dec)",
}


def add_survey_options(parser):
    """Options for a list of galaxies."""
    group = parser.add_argument_group(
        "a list of galaxies",
        "With --images, IMAGE is a list: FITS, CSV, ECSV, VOTable or Parquet with id, ra and dec or x and y, redshift.",
    )
    group.add_argument(
        "--images", metavar="PATTERN",
        help="images of the list: a pattern with its columns in braces, such as 'images/{id}.fits', or mosaics, such as 'goods_*_sci.fits'",
    )  # fmt: skip
    how = group.add_mutually_exclusive_group()
    how.add_argument("--jobs", "-j", type=int, metavar="N", help="processes (default: 1)")
    how.add_argument("--dask", metavar="ADDRESS", help="scheduler of a dask cluster, such as tcp://10.0.0.1:8786")
    group.add_argument(
        "--column", action="append", default=[], metavar="ROLE=NAME",
        help="column of the list for id, ra, dec, x, y or redshift, such as id=NUMBER; may be repeated",
    )  # fmt: skip
    group.add_argument("--part-size", type=int, default=100, metavar="N", help="galaxies a part (default: 100)")
    group.add_argument("--batch", type=int, default=32, metavar="N", help="images in memory at once, a worker (default: 32)")
    group.add_argument("--thumbnails", type=int, default=100, metavar="N", help="galaxies that the report shows (default: 100)")
    group.add_argument("--retry-failures", action="store_true", help="do parts again in which a galaxy failed")


def survey(args) -> int:
    """Do the survey of one command line; 0 when it came to its end and at least one galaxy was searched."""
    import astropy.units as u

    from ..survey.run import run_survey
    from .sources import _numbers, _reader_options, _unit

    given = next((text for name, text in _NOT_HERE.items() if getattr(args, name, None) not in (None, False)), None)
    if given is not None:
        raise UsageError(f"{given.partition(' ')[0]} does not go with --images{given[len(given.partition(' ')[0]) :]}")
    if len(args.image) != 1:
        raise UsageError(f"with --images there is one list of galaxies, got {len(args.image)} files; quote the pattern of --images")
    options = {}
    fwhm = _numbers(args.psf_fwhm, "--psf-fwhm")
    if fwhm:
        options["psf"] = (fwhm[0] if len(fwhm) == 1 else fwhm) * u.arcsec
    if args.unit:
        options["unit"] = _unit(args.unit)
    options |= _reader_options(args)
    bands = [band.strip() for band in args.bands.split(",")] if args.bands else None
    with _executor(args) as executor:
        failures = run_survey(
            Path(args.image[0]),
            make_pipeline(args),
            Path(args.out),
            executor,
            images=args.images,
            options=options,
            size=args.size,
            format=args.format,
            columns=_columns(args.column),
            bands=bands,
            part_size=args.part_size,
            batch=args.batch,
            thumbnails=args.thumbnails,
            overwrite=args.overwrite,
            retry_failures=args.retry_failures,
            progress=not args.quiet,
        )
    if not args.quiet:
        print(_text(failures, args.out))
    return 0 if failures.meta["summary"]["n_searched"] else 1


@contextlib.contextmanager
def _executor(args):
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs takes a number of processes, 1 or more, got {args.jobs}")
    if args.dask is None:
        yield args.jobs if args.jobs is not None and args.jobs > 1 else None
        return
    try:
        from distributed import Client
    except ImportError as exc:
        raise ImportError('--dask needs dask.distributed; install it with  pip install "astroclumps[survey]"') from exc
    try:
        client = Client(args.dask)
    except (OSError, ValueError) as exc:
        raise OSError(f"no dask scheduler answers at {args.dask}: {exc}") from exc
    with client:
        yield client.get_executor()


def _columns(given):
    columns = {}
    for text in given:
        role, equals, name = text.partition("=")
        if not (equals and role.strip() and name.strip()):
            raise UsageError(f"--column takes ROLE=NAME, such as id=NUMBER, got {text!r}")
        columns[role.strip()] = name.strip()
    return columns


def _text(failures, out):
    summary = failures.meta["summary"]
    rate = summary["galaxies_per_second"]
    lines = [
        f"{summary['n_searched']} of {summary['n_galaxies']} galaxies searched, {summary['n_failed']} failed; {summary['n_clumps']} clumps"
        + (f" ({summary['n_long']} LLC, {summary['n_short']} SLC)" if summary["n_long"] + summary["n_short"] else "")
    ]
    if rate:
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary["stage_seconds"].items())
        lines.append(f"{summary['seconds']:.1f} s, {rate:.2f} galaxies a second; seconds of all workers: {stages}")
    for row in failures[:5]:
        lines.append(f"failed: {row['id']}, {row['stage']}: {row['error']}")
    if len(failures) > 5:
        lines.append(f"... and {len(failures) - 5} more in {Path(out) / 'failures'}")
    for text, count in list(summary["warnings"].items())[:5]:
        lines.append(f"warning ({count} times): {text}")
    lines.append(f"tables in {out}: clumps, galaxies, failures (Parquet); a page about them:  astroclumps report {out}")
    return "\n".join(lines)
