"""Detections against true clumps, one to one in the order of their scores: whole curves of completeness and purity in one pass."""

from typing import NamedTuple

import numpy as np

__all__ = ["Ranking", "rank"]


class Ranking(NamedTuple):
    """Result of `rank`: one entry a detection, highest score first.

    Attributes
    ----------
    score : ndarray, shape (n,)
    found : ndarray of bool, shape (n,)
        It is the first on a target.
    true : ndarray of bool, shape (n,)
        It is the first on a target or on a visible positive.
    false : ndarray of bool, shape (n,)
        There is no positive, or only such as have been taken. What is neither true nor false lies on a positive too faint to be asked for.
    image : ndarray of int, shape (n,)
    n_targets, n_images : int
    """

    score: np.ndarray
    found: np.ndarray
    true: np.ndarray
    false: np.ndarray
    image: np.ndarray
    n_targets: int
    n_images: int

    @property
    def completeness(self):
        """Share of the targets found down to each score."""
        return np.cumsum(self.found) / max(self.n_targets, 1)

    @property
    def purity(self):
        """Share of the detections down to each score that are true, of those that are true or false."""
        true = np.cumsum(self.true)
        return true / np.maximum(true + np.cumsum(self.false), 1)

    def cut(self, purity=0.9) -> float:
        """Lowest score down to which the purity is reached; inf where none is."""
        last = len(self.score) and np.append(self.score[1:] < self.score[:-1], True)
        good = np.flatnonzero((self.purity >= purity) & last)
        return float(self.score[good[-1]]) if len(good) else float("inf")

    def at(self, cut) -> dict:
        """Completeness, purity and detections an image down to a score.

        Examples
        --------
        >>> from astroclumps.training.ranking import rank
        >>> ranking = rank([([0, 9], [0, 0], [0.9, 0.2])], [([0.5], [0.0], [True], [True])])
        >>> ranking.at(0.5)
        {'completeness': 1.0, 'purity': 1.0, 'per_image': 1.0}
        """
        n = int((self.score >= cut).sum())
        return {
            "completeness": float(self.completeness[n - 1]) if n else 0.0,
            "purity": float(self.purity[n - 1]) if n else 1.0,
            "per_image": n / max(self.n_images, 1),
        }


def rank(detections, truth, *, radius=3.0) -> Ranking:
    """Match detections to positives, one to one, the highest score first.

    Each detection takes the nearest target within the radius that is still free, else the nearest visible positive, else any other.

    Parameters
    ----------
    detections : list of (x, y, score)
        One tuple of arrays an image.
    truth : list of (x, y, target, visible)
        One tuple of arrays an image: whether a positive counts for the completeness, and whether it is bright enough to be asked for.
    radius : float, default 3
        Pixels (METHODS 3).

    Returns
    -------
    Ranking
    """
    if len(detections) != len(truth):
        raise ValueError(f"detections and truth must list the same images, got {len(detections)} and {len(truth)}")
    scores, classes, images = [], [], []
    n_targets = 0
    for number, ((x, y, score), (tx, ty, target, visible)) in enumerate(zip(detections, truth, strict=True)):
        x, y, score, tx, ty = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, score, tx, ty))
        target, visible = (np.atleast_1d(np.asarray(v, dtype=bool)) for v in (target, visible))
        n_targets += int(target.sum())
        order = np.argsort(-score, kind="stable")
        distance = np.hypot(x[order, None] - tx, y[order, None] - ty)
        level = np.where(target, 0, np.where(visible, 1, 2))
        cost = np.where(distance <= radius, distance + 2 * radius * level, np.inf)
        classes.append(_claim(cost, level))
        scores.append(score[order])
        images.append(np.full(len(order), number))
    score, outcome, image = (np.concatenate([*part, np.zeros(0)]) for part in (scores, classes, images))
    order = np.argsort(-score, kind="stable")
    score, outcome, image = score[order], outcome[order].astype(int), image[order].astype(int)
    return Ranking(score, outcome == 0, outcome <= 1, outcome == 3, image, n_targets, len(truth))


def _claim(cost, level):
    """For each row in turn the level of the cheapest free column, which is then taken; 3 for none."""
    out = np.full(len(cost), 3)
    if cost.shape[1] == 0:
        return out
    for i in range(len(cost)):
        j = int(np.argmin(cost[i]))
        if np.isfinite(cost[i, j]):
            out[i] = level[j]
            cost[:, j] = np.inf
    return out
