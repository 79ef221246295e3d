"""Sharing the work of compiled loops among threads."""

import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np

__all__ = ["n_threads", "parts", "run"]


def n_threads() -> int:
    """Number of threads, numba's: the environment variable ``NUMBA_NUM_THREADS``, or the number of cores."""
    import numba

    return numba.get_num_threads()


def parts(n: int, n_parts: int, *, step: int = 1) -> list[tuple[int, int]]:
    """Cut the numbers 0 to n - 1 into about equal parts.

    Parameters
    ----------
    n : int
        How many numbers.
    n_parts : int
        How many parts at most.
    step : int, default 1
        Parts begin at multiples of it.

    Returns
    -------
    list of tuple of int
        First number and end of each part that is not empty.

    Examples
    --------
    >>> from astroclumps.simulation.threads import parts
    >>> parts(10, 2, step=4)
    [(0, 4), (4, 10)]
    """
    ends = np.unique(np.append(np.linspace(0, n, n_parts + 1)[:-1].astype(int) // step * step, n))
    return [(int(low), int(high)) for low, high in pairwise(ends)]


def run(function: Callable, tasks: Iterable[tuple]) -> list:
    """Call a function with each tuple of arguments, in threads; the results come in the order of the tasks.

    Parameters
    ----------
    function : callable
        Compiled without the interpreter's lock; no two tasks may write to the same place, and none may call `run`.
    tasks : iterable of tuple
        Arguments of each call.

    Returns
    -------
    list
        What the calls returned.
    """
    tasks = list(tasks)
    if min(n_threads(), len(tasks)) <= 1:
        return [function(*task) for task in tasks]
    return list(_pool(n_threads(), os.getpid()).map(lambda task: function(*task), tasks))


@lru_cache(maxsize=1)
def _pool(workers, process):
    """Threads that wait for work; a forked process makes its own."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, thread_name_prefix=f"astroclumps-{process}")
