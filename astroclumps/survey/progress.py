"""A bar with rate and time left."""

__all__ = ["Progress"]


class Progress:
    """Shows on stderr how many galaxies are done; nothing where it is not wanted, or tqdm is not installed.

    Parameters
    ----------
    total, before : int
        Galaxies in all, and those that were done before.
    shown : bool
    """

    def __init__(self, total, before, *, shown):
        self._bar, self._clumps, self._failures = None, 0, 0
        if shown:
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=total, initial=before, unit="galaxy", unit_scale=False, dynamic_ncols=True, mininterval=0.5)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self._bar is not None:
            self._bar.close()

    def add(self, galaxies, clumps, failures):
        """Count a part."""
        self._clumps += clumps
        self._failures += failures
        if self._bar is not None:
            self._bar.set_postfix(clumps=self._clumps, failed=self._failures, refresh=False)
            self._bar.update(galaxies)
