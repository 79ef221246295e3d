"""The commands of the command line, one a module; each has ``add_parser`` and prints."""

__all__ = ["UsageError", "add_common", "one_line"]

_PLAIN = (ValueError, TypeError, OSError, RuntimeError, ImportError)  # their messages are sentences


class UsageError(Exception):
    """The command line asks for something that makes no sense; exit code 2."""


def add_common(parser):
    """Options that every command takes."""
    parser.add_argument("--debug", action="store_true", help="show where an error came from, and what is being done")
    parser.set_defaults(parser=parser)


def one_line(exc: BaseException) -> str:
    """An exception in one line; the name of its class where the message alone would be a riddle."""
    text = " ".join(str(exc).split())
    return text if text and isinstance(exc, _PLAIN) else f"{type(exc).__name__}: {text}" if text else type(exc).__name__
