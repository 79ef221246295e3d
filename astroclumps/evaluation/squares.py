"""The paper's own score: detections and clumps in squares of n x n pixels (paper section 4.1, Figs. 6-8; METHODS 3).

Squares reward dots: see `astroclumps.evaluation.nulls` for what blind points reach.
"""

from itertools import pairwise

import numpy as np
from astropy.table import QTable

from .bootstrap import Bootstrap, groups_of
from .one_to_one import MIN_MASS
from .truth import flatten, gather

__all__ = ["POLICIES", "SIZES", "Squares", "squares"]

SIZES = (6, 8, 10)
"""Sides of the squares in pixels (paper section 4.1)."""

POLICIES = ("none", 1e-3, "all")
"""Which zero-lifetime clumps that form stars are positives (paper section 3.2.1)."""

MASS_EDGES = tuple(10.0 ** np.arange(6.0, 10.01, 0.5))


class Squares:
    """Squares of one size over all images of a set; made by `squares`.

    Squares tile an image from its first pixel; partial ones at the far edges are left out, with what lies in them.

    Attributes
    ----------
    size : int
        Side in pixels.
    image : ndarray of int, shape (n_squares,)
    n_detections, n_clumps : ndarray of int, shape (n_squares,)
        Detections; 3D clumps of at least 10 stars but for the bulge, all zero-lifetime ones included (Fig. 8).
    n_positives, mass, mass_stars : dict of ndarray, shape (n_squares,)
        By policy: number, baryonic and stellar mass (Msun) of the SLC, LLC, ex-situ and, by policy, star-forming zero-lifetime clumps.
    by : str
        What errors draw as a whole.
    """

    def __init__(self, galaxy_set, flat, truth, *, size, by, n_draws, seed):
        self.size, self._flat = int(size), flat
        n, (ny, nx) = len(galaxy_set), galaxy_set.data.shape[-2:]
        self._tiles = (ny // self.size, nx // self.size)
        self.image = np.repeat(np.arange(n), self._tiles[0] * self._tiles[1])
        self.n_images = n

        def count(image, x, y, weights=None):
            tile = self._tile(image, x, y)
            inside = tile >= 0
            weights = None if weights is None else np.asarray(weights, dtype=float)[inside]
            return np.bincount(tile[inside], weights=weights, minlength=len(self.image))

        self._detection_tile = self._tile(flat.image, flat.x, flat.y)
        self.n_detections = count(flat.image, flat.x, flat.y)
        keep = (truth["n_stars"] >= 10) & (truth["origin"] != "bulge")
        self.n_clumps = count(truth.image[keep], truth.x[keep], truth.y[keep])
        self.n_positives, self.mass, self.mass_stars, self._within = {}, {}, {}, {}
        for policy, positive in truth.positive.items():
            where = truth.image[positive], truth.x[positive], truth.y[positive]
            self.n_positives[policy] = count(*where)
            self.mass[policy] = count(*where, weights=truth["mass"][positive])
            self.mass_stars[policy] = count(*where, weights=truth["mass_stars"][positive])
            self._within[policy] = _near(flat, truth.where(positive), self.size / 2)
        groups, self.by = groups_of(galaxy_set, by)
        self._images = Bootstrap(groups, n_draws=n_draws, seed=seed)

    def _tile(self, image, x, y):
        """Number of the square of each place, -1 outside all."""
        rows, columns = self._tiles
        row = np.floor((np.asarray(y) + 0.5) / self.size).astype(np.int64)
        column = np.floor((np.asarray(x) + 0.5) / self.size).astype(np.int64)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return np.where(inside, (image * rows + row) * columns + column, -1)

    def _ratio(self, over, under, image=None):
        image = self.image if image is None else image
        sums = [np.bincount(image, weights=np.asarray(v, dtype=float), minlength=self.n_images) for v in (over, under)]
        return self._images.ratio(*sums)

    def _lit_by(self, cut):
        tile = self._detection_tile[self._flat.score >= cut]
        return np.bincount(tile[tile >= 0], minlength=len(self.image)) > 0

    def numbers(self, *, policy="all", min_mass=MIN_MASS, cut=-np.inf):
        """Scores of the detections at or above a cut.

        Parameters
        ----------
        policy : optional
            One of those that `squares` was given.
        min_mass : float, default 10**7.5
            Least baryonic mass of the positives in a square, Msun.
        cut : float, optional
            Least score of a detection.

        Returns
        -------
        numbers : dict
            Name -> (value, error): ``completeness`` (squares above the mass with a detection), ``completeness_stars`` (the same above
            that stellar mass), ``true_detection`` (squares with a detection that hold a positive), ``true_detection_centred`` (detections
            with a positive in the square of the same size around them, as the paper draws its Fig. 7), ``detections_per_image``,
            ``squares_per_image`` (above the mass); and ``cut``.
        """
        seen, flat = self._lit_by(cut), self._flat
        heavy, keep = self.mass[policy] >= min_mass, flat.score >= cut
        heavy_stars = self.mass_stars[policy] >= min_mass
        ones = np.ones(self.n_images)
        return {
            "completeness": self._ratio(seen & heavy, heavy),
            "completeness_stars": self._ratio(seen & heavy_stars, heavy_stars),
            "true_detection": self._ratio(seen & (self.n_positives[policy] > 0), seen),
            "true_detection_centred": self._ratio(keep & self._within[policy], keep, flat.image),
            "detections_per_image": self._images.ratio(np.bincount(flat.image[keep], minlength=self.n_images), ones),
            "squares_per_image": self._images.ratio(np.bincount(self.image[heavy], minlength=self.n_images), ones),
            "cut": float(cut),
        }

    def cut_at_true_detection(self, rate=0.9, *, policy="all"):
        """Lowest score at which so many of the squares with a detection hold a positive, as the paper's detector has it (section 4.1).

        Parameters
        ----------
        rate : float, default 0.9
            True detection rate.
        policy : optional
            As in `numbers`.

        Returns
        -------
        cut : float
            inf where no cut has so high a rate.
        """
        tile, score = self._detection_tile, self._flat.score
        best = np.full(len(self.image), -np.inf)
        np.maximum.at(best, tile[tile >= 0], score[tile >= 0])
        lit = np.flatnonzero(np.bincount(tile[tile >= 0], minlength=len(self.image)))
        order = lit[np.argsort(-best[lit], kind="stable")]
        share = np.cumsum(self.n_positives[policy][order] > 0) / np.arange(1, len(order) + 1)
        last = np.append(best[order][1:] < best[order][:-1], True)[: len(order)]  # equal scores stay together
        enough = np.flatnonzero((share >= rate) & last)
        return float(best[order[enough[-1]]]) if len(enough) else float("inf")

    def completeness_by_mass(self, *, quantity="mass", policy="all", edges=MASS_EDGES, cut=-np.inf):
        """Completeness against the mass in a square (Fig. 6).

        Parameters
        ----------
        quantity : {'mass', 'mass_stars'}
            Baryonic or stellar.
        policy, cut : optional
            As in `numbers`.
        edges : sequence of float
            Msun.

        Returns
        -------
        bins : `~astropy.table.QTable`
            ``low``, ``high``, ``median``, ``n``, ``completeness``, ``error``; empty bins are left out.
        """
        mass, seen = {"mass": self.mass, "mass_stars": self.mass_stars}[quantity][policy], self._lit_by(cut)
        rows = []
        for low, high in pairwise(edges):
            inside = (mass >= low) & (mass < high)
            if inside.any():
                rows.append((low, high, float(np.median(mass[inside])), int(inside.sum()), *self._ratio(seen & inside, inside)))
        kinds = (float, float, float, np.int64, float, float)
        columns = list(zip(*rows, strict=True)) if rows else [()] * 6
        names = ("low", "high", "median", "n", "completeness", "error")
        return QTable({name: np.array(c, dtype=kind) for name, c, kind in zip(names, columns, kinds, strict=True)})

    def true_detection_by_policy(self, *, cut=-np.inf):
        """True detection rate with each policy (Fig. 7).

        Returns
        -------
        table : `~astropy.table.QTable`
            ``policy``, ``true_detection``, ``error``, ``true_detection_centred``, ``error_centred``.
        """
        rows = [(str(policy), self.numbers(policy=policy, cut=cut)) for policy in self.n_positives]
        return QTable(
            {
                "policy": np.array([name for name, _ in rows]),
                "true_detection": np.array([one["true_detection"][0] for _, one in rows]),
                "error": np.array([one["true_detection"][1] for _, one in rows]),
                "true_detection_centred": np.array([one["true_detection_centred"][0] for _, one in rows]),
                "error_centred": np.array([one["true_detection_centred"][1] for _, one in rows]),
            }
        )

    def clumps_per_square(self):
        """How many squares hold so many 3D clumps (Fig. 8), and the median of those that hold any.

        Returns
        -------
        table : `~astropy.table.QTable`
            ``n_clumps``, ``n_squares`` and ``share`` (over all squares); ``meta["median"]``.
        """
        number = np.bincount(self.n_clumps.astype(int), minlength=2)
        table = QTable({"n_clumps": np.arange(len(number)), "n_squares": number, "share": number / max(len(self.image), 1)})
        held = self.n_clumps[self.n_clumps > 0]
        table.meta["median"] = float(np.median(held)) if len(held) else 0.0
        return table


def _near(flat, truth, half):
    """Whether a clump lies in the square of this half side around each detection."""
    out = np.zeros(len(flat.x), dtype=bool)
    for image in np.flatnonzero((np.diff(flat.first) > 0) & (np.diff(truth.first) > 0)):
        d, t = slice(flat.first[image], flat.first[image + 1]), slice(truth.first[image], truth.first[image + 1])
        away = np.maximum(abs(flat.x[d, None] - truth.x[None, t]), abs(flat.y[d, None] - truth.y[None, t]))
        out[d] = (away <= half).any(axis=1)
    return out


def squares(galaxy_set, detections, *, size=10, policies=POLICIES, by="auto", n_draws=200, seed=0, truth=None):
    """Count detections and clumps in squares.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list of (x, y, score)
        One tuple of arrays for each image of the set.
    size : int, default 10
        Side in pixels; the paper compares 6, 8 and 10.
    policies : sequence
        See `POLICIES`.
    by : {'auto', 'galaxy', 'snapshot'}
        What errors draw as a whole. 'auto': galaxies, or the snapshots of the only galaxy.
    n_draws, seed : int
        Of the bootstrap.
    truth : `~astroclumps.evaluation.truth.Truth`, optional
        From `~astroclumps.evaluation.truth.gather` with these policies, to save making it again.

    Returns
    -------
    counted : Squares

    Raises
    ------
    ValueError
        A square is larger than the images, or the detections are not those of the set's images.
    """
    if not 1 <= size <= min(galaxy_set.data.shape[-2:]):
        raise ValueError(f"size is the side of a square in pixels, between 1 and that of the images, got {size!r}")
    flat = flatten(detections, n_images=len(galaxy_set))
    truth = gather(galaxy_set, policies=policies) if truth is None else truth
    return Squares(galaxy_set, flat, truth, size=size, by=by, n_draws=n_draws, seed=seed)
