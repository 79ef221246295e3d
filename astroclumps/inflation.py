"""Files that stand for far more bytes than they hold are refused before the memory fills."""

import os
from pathlib import Path

__all__ = ["FREE", "RATIO", "check_inflation"]

FREE = 256 * 1024**2
"""Bytes that any file may stand for (ours)."""

RATIO = 200
"""Above that: times the size of the file (ours). Noise shrinks to no less than a tenth, sparse masks to some hundredths."""


def check_inflation(path: str | os.PathLike, announced: int, error: type[Exception], *, size: int | None = None) -> None:
    """Raise where a file announces far more bytes than it can hold.

    Parameters
    ----------
    path : path-like
        The file.
    announced : int
        Bytes that it would take in memory.
    error : type
        What to raise.
    size : int, optional
        Bytes that the file has. Default: as the file system says.

    Raises
    ------
    Exception
        Of the type ``error``, if ``announced`` is above 256 MiB and above 200 times the size of the file.

    Examples
    --------
    >>> from astroclumps.inflation import check_inflation
    >>> check_inflation("cube.fits", 10**12, ValueError, size=40_000)
    Traceback (most recent call last):
        ...
    ValueError: cube.fits has 40000 bytes, but announces 1000000000000: it is damaged, or made to fill the memory; otherwise uncompress it
    """
    size = Path(path).stat().st_size if size is None else size
    if announced > max(FREE, RATIO * size):
        raise error(
            f"{path} has {size} bytes, but announces {announced}: it is damaged, or made to fill the memory; otherwise uncompress it"
        )
