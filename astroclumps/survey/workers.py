"""Parts of a survey through an executor: a bounded number ahead, and what to do when a worker dies."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait

from ..exceptions import SurveyError
from .job import Done, Part, joined, lost, work

__all__ = ["finished"]

_DIED = "the process that worked on this galaxy died (a crash of compiled code, or not enough memory)"


def finished(job: bytes, parts: Iterator[Part], executor, *, look_ahead: int | None = None) -> Iterator[Done]:
    """Do parts, in the order in which they come to an end.

    Parameters
    ----------
    job : bytes
        A pickled `~astroclumps.survey.job.Job`.
    parts : iterable of Part
        Taken as they are needed.
    executor : `~concurrent.futures.Executor`, int or None
        As in `~astroclumps.survey.run.run_survey`.
    look_ahead : int, optional
        Parts that are under way at once. Default: two for each worker.

    Yields
    ------
    Done

    Raises
    ------
    SurveyError
        The executor broke, or a worker cannot do any work.
    """
    if executor is None:
        for part in parts:
            yield work(job, part)
    elif isinstance(executor, int):
        yield from _own_pool(job, iter(parts), executor, look_ahead or 2 * executor)
    else:
        yield from _given(job, iter(parts), executor, look_ahead or 2 * _workers(executor))


def _workers(executor):
    """How many workers an executor has, as far as it tells."""
    import os

    client = getattr(executor, "_client", None)  # of dask
    if client is not None:
        return max(1, sum(client.nthreads().values()))
    return getattr(executor, "_max_workers", None) or os.cpu_count() or 1


def _given(job, parts, executor, look_ahead):
    """An executor of the caller; nothing of it is started anew."""
    running: dict = {}
    try:
        for part in parts:
            running[_submit(executor, job, part)] = part
            while len(running) >= look_ahead:
                yield from _collect(running)
        while running:
            yield from _collect(running)
    finally:
        for future in running:
            future.cancel()


def _submit(executor, job, part):
    try:
        return executor.submit(work, job, part)
    except (BrokenExecutor, RuntimeError) as exc:
        raise SurveyError(f"the executor takes no more work: {exc}; what was finished is kept, run the same again to go on") from exc


def _collect(running):
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        part = running.pop(future)
        try:
            yield future.result()
        except Exception as exc:
            raise _trouble(exc, part) from exc


def _trouble(exc, part):
    first, last = part.galaxies[0].id, part.galaxies[-1].id
    kind = type(exc).__name__
    return SurveyError(
        f"a worker could not do part {part.number} (galaxies {first} to {last}): {kind}: {' '.join(str(exc).split())}; what was finished "
        "is kept, mend it and run the same again to go on"
    )


def _own_pool(job, parts, n, look_ahead):
    """Processes of this machine. Where one dies, the parts that were under way are done again, one by one."""
    pool = _Pool(n)
    try:
        suspects: list[Part] = []
        running: dict = {}
        more = True
        while more or running or suspects:
            if suspects and not running:
                yield _alone(pool, job, suspects.pop(0))
                continue
            while more and not suspects and len(running) < look_ahead:
                part = next(parts, None)
                if part is None:
                    more = False
                    break
                try:
                    running[pool.submit(job, part)] = part
                except BrokenExecutor:
                    suspects.append(part)
            if not running:
                continue
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                part = running.pop(future)
                try:
                    yield future.result()
                except BrokenExecutor:
                    suspects.append(part)
                except Exception as exc:
                    raise _trouble(exc, part) from exc
            if suspects and not running:
                pool.renew()
                suspects.sort(key=lambda part: part.number)
    finally:
        pool.close()


def _alone(pool, job, part):
    """A part on its own; if it ends the process again, galaxy by galaxy."""
    try:
        return pool.submit(job, part).result()
    except BrokenExecutor:
        pool.renew()
    except Exception as exc:
        raise _trouble(exc, part) from exc
    pieces = []
    for place, galaxy in enumerate(part.galaxies):
        one = Part(part.number, (galaxy,), frozenset({0}) if place in part.pictured else frozenset())
        try:
            pieces.append(pool.submit(job, one).result())
        except BrokenExecutor:
            pool.renew()
            pieces.append(lost(job, one, _DIED))
    return joined(part.number, pieces)


class _Pool:
    """Processes that can be started anew; each begins empty, for threads and locks do not survive a fork."""

    def __init__(self, n):
        self.n = n
        self._start()

    def _start(self):
        import multiprocessing

        self.pool = ProcessPoolExecutor(self.n, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_with_parent)

    def submit(self, job, part):
        return self.pool.submit(work, job, part)

    def renew(self):
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._start()

    def close(self):
        self.pool.shutdown(wait=True, cancel_futures=True)


def _leave_with_parent():
    """End this process when the one that started it is gone; else killed surveys would leave workers behind that wait for ever."""
    import multiprocessing
    import os
    import threading

    parent = multiprocessing.parent_process()

    def watch():
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()
