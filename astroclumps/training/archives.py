"""Reading of npz files: one that is cut off or damaged is named, with what to do about it."""

from astroclumps.npz_files import read_npz_arrays

__all__ = ["read_arrays"]


def read_arrays(file, *, remedy):
    """All arrays of an npz file.

    Parameters
    ----------
    file : path-like
    remedy : str
        What to do where the file is damaged; it ends the message.

    Returns
    -------
    arrays : dict of ndarray

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is empty, cut off or no npz file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.training.archives import read_arrays
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "empty.npz").touch()
    ...     read_arrays(Path(folder) / "empty.npz", remedy="make it again")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: ...empty.npz is empty, cut off or damaged (...the file is empty); make it again
    """
    try:
        return read_npz_arrays(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {file}; {remedy}") from None
    except ValueError as exc:
        raise ValueError(f"{file} is empty, cut off or damaged ({exc}); {remedy}") from exc
