"""``astroclumps plugins``: what is installed."""

from . import add_common

__all__ = ["add_parser", "show"]


def add_parser(commands):
    """Add the command to the parser."""
    parser = commands.add_parser("plugins", help="list the installed detectors, classifiers, SED backends and readers")
    add_common(parser)
    parser.set_defaults(command=show)


def show(args) -> int:
    """Print a table; imports no plugin."""
    from .. import plugins

    rows = [("kind", "name", "from", "object"), *plugins.table()]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
    return 0
