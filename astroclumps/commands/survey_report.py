"""``astroclumps report``: one page about a survey."""

from . import add_common

__all__ = ["add_parser", "survey_report"]

_TEXT = """Write one HTML page about the survey in the folder OUT, finished or not: counts, rate, pictures with numbered clumps, figures
of the population, tables to sort and search, flags, failures, settings and sha256 of weights. The page is one file and loads nothing."""


def add_parser(commands):
    """Add the command to the parser."""
    parser = commands.add_parser("report", help="write a page about a survey", description=_TEXT, usage="astroclumps report OUT [options]")
    parser.add_argument("out", metavar="OUT", help="folder of the survey")
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write (default: OUT/report.html)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of -o if there is one")
    parser.add_argument("--limit", type=int, default=500, metavar="N", help="rows in each table (default: 500)")
    parser.add_argument("--pictures", type=int, default=24, metavar="N", help="galaxies that are shown (default: 24)")
    parser.add_argument(
        "--max-clumps", type=int, default=100_000, metavar="N",
        help="about how many clumps the figures of the population are made of; of every k-th galaxy where there are more (default: 100000)",
    )  # fmt: skip
    parser.add_argument("--title", metavar="TEXT", help="title of the page (default: Survey of n galaxies)")
    add_common(parser)
    parser.set_defaults(command=survey_report)


def survey_report(args) -> int:
    """Write the page and print where it is."""
    from ..survey.report import write_report

    options = {
        "overwrite": args.overwrite,
        "limit": args.limit,
        "pictures": args.pictures,
        "max_clumps": args.max_clumps,
        "title": args.title,
    }
    try:
        print(write_report(args.out, args.output, **options))
    except FileExistsError as exc:
        raise FileExistsError(f"{str(exc).split(';')[0]}; add --overwrite, or name another file with -o") from exc
    return 0
