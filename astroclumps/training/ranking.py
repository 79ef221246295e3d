"""Completeness and purity along the score, for choosing steps, floors and thresholds on validation galaxies."""

from typing import NamedTuple

import numpy as np

from astroclumps.evaluation import kernels
from astroclumps.evaluation.truth import flatten

__all__ = ["Ranking", "rank"]


class Ranking(NamedTuple):
    """Result of `rank`: one entry a detection, highest score first.

    Attributes
    ----------
    score : ndarray, shape (n,)
    true : ndarray of bool, shape (n,)
        It is on a clump that counts or is visible.
    false : ndarray of bool, shape (n,)
        It is on no clump. What is neither true nor false lies on a clump too faint to be asked for.
    found_at : ndarray, shape (m,)
        Score of the detection that finds each clump that counts; -inf for none.
    n_images : int
    """

    score: np.ndarray
    true: np.ndarray
    false: np.ndarray
    found_at: np.ndarray
    n_images: int

    @property
    def purity(self):
        """Share of the detections down to each score that are on a clump, however faint (METHODS 3)."""
        return 1 - np.cumsum(self.false) / np.arange(1, len(self.score) + 1)

    @property
    def area(self) -> float:
        """Area under purity against completeness; detections of clumps too faint to be asked for count neither as true nor as false.

        Examples
        --------
        >>> from astroclumps.training.ranking import rank
        >>> rank([([0, 9], [0, 0], [0.9, 0.2])], first=[0, 2], x=[0.5, 9], y=[0, 9], counted=[True] * 2, visible=[True] * 2).area
        0.5
        """
        found = self.found_at[self.found_at > -np.inf]
        if not len(found):
            return 0.0
        true = np.cumsum(self.true)
        strict = true / np.maximum(true + np.cumsum(self.false), 1)
        place = np.searchsorted(-self.score, -found, side="right") - 1  # the last detection with this score
        return float(strict[place].sum() / len(self.found_at))

    def cut(self, *, beta=0.5) -> float:
        """Score that balances purity and completeness best; inf where nothing is true.

        Parameters
        ----------
        beta : float, default 0.5
            How many times as much completeness counts as purity, in the F score. A fixed purity would be a poor rule: a few neighbours of
            high score can put it out of reach of all but a handful of detections (ours).

        Returns
        -------
        score : float
        """
        if not len(self.score):
            return float("inf")
        last = np.append(self.score[1:] < self.score[:-1], True)
        found = np.sort(-self.found_at[self.found_at > -np.inf])
        completeness = np.searchsorted(found, -self.score, side="right") / max(len(self.found_at), 1)
        f = (1 + beta**2) * self.purity * completeness / np.maximum(beta**2 * self.purity + completeness, 1e-12)
        best = int(np.argmax(np.where(last, f, -1)))
        return float(self.score[best]) if f[best] > 0 else float("inf")

    def at(self, cut) -> dict:
        """Completeness, purity and detections an image down to a score.

        Examples
        --------
        >>> from astroclumps.training.ranking import rank
        >>> ranking = rank([([0, 9], [0, 0], [0.9, 0.2])], first=[0, 1], x=[0.5], y=[0.0], counted=[True], visible=[True])
        >>> ranking.at(0.5)
        {'completeness': 1.0, 'purity': 1.0, 'per_image': 1.0}
        """
        n = int((self.score >= cut).sum())
        found = (self.found_at >= cut) & (self.found_at > -np.inf)
        return {
            "completeness": float(found.sum() / max(len(found), 1)),
            "purity": float(self.purity[n - 1]) if n else 1.0,
            "per_image": n / max(self.n_images, 1),
        }


def rank(detections, *, first, x, y, counted, visible, radius=3.0) -> Ranking:
    """Match the detections of some images with their clumps, one to one (`astroclumps.evaluation.one_to_one`).

    Parameters
    ----------
    detections : list of (x, y, score)
        One tuple of arrays an image.
    first : ndarray of int, shape (n_images + 1,)
        Image ``i`` has the clumps ``first[i]`` to ``first[i + 1] - 1``.
    x, y : ndarray, shape (m,)
        Clumps, pixels.
    counted, visible : ndarray of bool, shape (m,)
        Whether a clump counts for the completeness, and whether it is bright enough to be asked for.
    radius : float, default 3
        Pixels (METHODS 3).

    Returns
    -------
    Ranking
    """
    flat = flatten(detections, n_images=len(first) - 1)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    partner, finder = kernels.match_by_score(flat.first, flat.x, flat.y, np.asarray(first, dtype=np.int64), x, y, float(radius))
    counted, visible = np.asarray(counted, dtype=bool), np.asarray(visible, dtype=bool)
    matched = partner >= 0
    true = matched & np.append(counted | visible, False)[partner]
    order = np.argsort(-flat.score, kind="stable")
    found_at = np.append(flat.score, -np.inf)[finder][counted]
    return Ranking(flat.score[order], true[order], ~matched[order], found_at, len(first) - 1)
