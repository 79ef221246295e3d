"""The command line ``astroclumps``; each command is a module of `astroclumps.commands`.

Exit codes: 0 everything went well, 1 something failed (one line on stderr says what), 2 the command was not understood.
"""

import argparse
import contextlib
import logging
import os
import sys
import warnings

from .commands import (
    UsageError,
    dataset,
    demo,
    evaluate,
    find3d,
    inject,
    one_line,
    plugins,
    reproduce,
    run,
    simulate,
    survey_report,
    train,
    weights,
)

__all__ = ["build_parser", "main"]

_DESCRIPTION = (
    "Giant clumps in galaxies: find, classify, measure and fit them in HST and JWST images, and find and follow them in simulations."
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="astroclumps", description=_DESCRIPTION)
    parser.add_argument("--version", action=_Version, default=argparse.SUPPRESS, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (run, survey_report, demo, find3d, simulate, dataset, inject, train, evaluate, reproduce, plugins, weights):
        module.add_parser(commands)
    return parser


def main(argv=None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. Default: those of the process.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from astroclumps.cli import main
    >>> main(["plugins"])  # doctest: +ELLIPSIS
    kind ...
    detectors ...
    0
    """
    args = build_parser().parse_args(argv)
    debug = getattr(args, "debug", False)
    with warnings.catch_warnings(), _progress_shown(debug):
        _warn_in_one_line()
        try:
            code = args.command(args)
            sys.stdout.flush()
            return code
        except UsageError as exc:
            args.parser.error(str(exc))
        except KeyboardInterrupt:
            print("astroclumps: interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            # the reader of our output has gone (``| head``); nothing more can be said to it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as exc:
            if debug:
                raise
            print(f"astroclumps: error: {one_line(exc)}", file=sys.stderr)
            return 1


class _Version(argparse.Action):
    def __init__(self, option_strings, dest, **options):
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser, namespace, values, option_string=None):
        from . import __version__

        print(f"astroclumps {__version__}")
        parser.exit()


@contextlib.contextmanager
def _progress_shown(debug):
    """With --debug, what the modules log about their progress goes to stderr."""
    log, handler = logging.getLogger("astroclumps"), logging.StreamHandler(sys.stderr)
    before = log.level
    if debug:
        handler.setFormatter(logging.Formatter("astroclumps: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def _warn_in_one_line():
    from .exceptions import AstroclumpsWarning

    # after the import above, which brings astropy: its logger takes warnings over when it is first loaded
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", AstroclumpsWarning)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"astroclumps: warning: {' '.join(str(message).split())}", file=sys.stderr)
