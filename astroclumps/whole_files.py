"""Files that appear when they are complete; an older one is kept until then."""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_whole"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXT = re.compile(r"Not enough space on disk|\d+ requested and \d+ written")  # astropy.io.fits gives no number


def write_whole(path: str | os.PathLike, writer: Callable[[Path], object]) -> None:
    """Let ``writer(partial)`` write a file beside ``path``, which takes its place when it is complete.

    If the writer fails, nothing is left beside the path and an older file stays as it was. A symbolic link is followed.

    Parameters
    ----------
    path : path-like
        The file to write; the temporary one keeps its suffix.
    writer : callable
        Called with the path of the temporary file.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; the message names the file and, on a full disk, what to do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.whole_files import write_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "note.txt", lambda partial: partial.write_text("done"))
    ...     [path.name for path in Path(folder).iterdir()]
    ['note.txt']
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".partial-{os.getpid()}-{secrets.token_hex(4)}-{target.name}")
    try:
        writer(partial)
        partial.replace(target)
    except OSError as exc:
        if exc.errno not in _FULL and not (exc.errno is None and _FULL_TEXT.search(str(exc))):
            raise
        kept = "; the file that is there is kept as it was" if path.exists() else ""
        message = f"no space left to write {path}{kept}; free some space, or choose another folder"
        raise OSError(exc.errno or errno.ENOSPC, message) from exc
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
