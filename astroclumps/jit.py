"""Compiling loops with numba, also where its cache has no folder."""

from numba import njit

__all__ = ["compiled"]


def compiled(function):
    """Compile a function once a machine where numba's cache can be written, else once a process.

    It runs without the interpreter's lock, so that threads may share its work.

    Parameters
    ----------
    function : callable
        Plain loops over numbers and arrays.

    Returns
    -------
    compiled : callable
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder for its cache
        return njit(nogil=True, error_model="numpy")(function)
