"""One-to-one completeness and purity of detections, blends merged, against whatever may decide what is found (METHODS 3)."""

from functools import cached_property
from itertools import pairwise

import numpy as np
from astropy.table import QTable

from .bootstrap import Bootstrap, groups_of
from .truth import (
    flatten,
    gather,
    magnitude,
    merge_blends,
    psf_fwhm,
    reference_band,
    signal_to_noise,
    surroundings,
)

__all__ = ["EDGES", "MIN_MASS", "RADIUS", "OneToOne", "merged_truth", "one_to_one"]

RADIUS = 3.0
"""Pixels within which a detection is the clump (METHODS 3)."""

MIN_MASS = 10**7.5
"""Msun, gas and stars: clumps above it are to be found."""

EDGES = {
    "mass": tuple(10.0 ** np.arange(6.5, 10.01, 0.5)),
    "mass_stars": tuple(10.0 ** np.arange(6.0, 10.01, 0.5)),
    "magnitude": tuple(np.arange(22.0, 31.1, 1.0)),
    "signal_to_noise": (0.0, 1.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1e9),
    "redshift": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5),
    "r_norm": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 3.0),
    "crowding": (0, 1, 2, 4, 8, 16, 1000),
    "surface_brightness": (18.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 30.0),
    "light": (-100.0, 0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 100.0),
}
"""Edges of the bins of `OneToOne.completeness_by` and `OneToOne.purity_by`."""


class OneToOne:
    """Detections of a set, matched with its clumps; made by `one_to_one`.

    Attributes
    ----------
    truth : `~astroclumps.evaluation.truth.Truth`
        Merged positives of all masses, with the columns ``magnitude`` (AB, reference band), ``signal_to_noise`` (in the sky, all bands),
        ``redshift``, ``crowding`` (other merged positives within 10 pixels), ``surface_brightness`` (AB mag/arcsec2 of the light 4-6
        pixels away, reference band) and ``light`` beside those of the set.
    counted : ndarray of bool, shape (n_clumps,)
        Those above the least mass: completeness is theirs.
    found_at : ndarray, shape (n_clumps,)
        Score of the detection that finds a clump: it is found at every cut up to this; -inf where none does.
    detections : `~astroclumps.evaluation.truth.Flat`
    detected : dict of ndarray, shape (n_detections,)
        ``score``, ``redshift``, ``crowding``, ``surface_brightness``, ``light``.
    partner : ndarray of int, shape (n_detections,)
        Row of ``truth``, -1 for a false detection.
    by : str
        What errors are drawn from: 'galaxy', 'snapshot', or 'track': tracks for completeness and snapshots for what has no track.
    """

    def __init__(self, galaxy_set, truth, counted, flat, partner, finder, detected, *, by, n_draws, seed):
        self.truth, self.counted, self.detections, self.partner, self.detected = truth, counted, flat, partner, detected
        score = np.append(flat.score, -np.inf)
        self.found_at = score[finder]
        self.n_images = len(galaxy_set)
        tracks = by == "track"
        groups, named = groups_of(galaxy_set, "snapshot" if tracks else by)
        self.images = Bootstrap(groups, n_draws=n_draws, seed=seed)
        self.by, self.tracks = ("track" if tracks else named), None
        if tracks:
            track = np.where(truth["track"] > 0, truth["track"], -1 - truth["node"])  # without a track each stands for itself
            galaxy = np.asarray(galaxy_set.galaxy)[truth.image].astype(np.int64)
            self.tracks = Bootstrap(galaxy * 10_000_000 + track, n_draws=n_draws, seed=seed)

    @cached_property
    def true(self):
        """Which detections are matched, with a positive of any mass, (n_detections,)."""
        return self.partner >= 0

    def _over_images(self, image, over, under):
        sums = [np.bincount(image, weights=np.asarray(v, dtype=float), minlength=self.n_images) for v in (over, under)]
        return self.images.ratio(*sums)

    def _over_clumps(self, over, under):
        if self.tracks is not None:
            return self.tracks.ratio(over, under)
        return self._over_images(self.truth.image, over, under)

    def numbers(self, *, cut=-np.inf):
        """Scores of the detections at or above a cut.

        Parameters
        ----------
        cut : float, optional
            Least score; default keeps all.

        Returns
        -------
        numbers : dict
            Name -> (value, error): ``completeness`` (counted clumps that are found), ``purity`` (detections that are a positive of any
            mass), ``purity_counted`` (detections that are a counted clump: where light clumps are everywhere, any point is near one),
            ``detections_per_image``; and ``cut``.
        """
        keep = self.detections.score >= cut
        per_image = self.images.ratio(np.bincount(self.detections.image[keep], minlength=self.n_images), np.ones(self.n_images))
        return {
            "completeness": self._over_clumps(self.counted & (self.found_at >= cut) & (self.found_at > -np.inf), self.counted),
            "purity": self._over_images(self.detections.image, keep & self.true, keep),
            "purity_counted": self._over_images(self.detections.image, keep & np.append(self.counted, False)[self.partner], keep),
            "detections_per_image": per_image,
            "cut": float(cut),
        }

    @cached_property
    def _scan(self):
        """Cuts in falling order, with the completeness, purity and number of detections at each."""
        order = np.argsort(-self.detections.score, kind="stable")
        score = self.detections.score[order]
        last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.zeros(0, dtype=int)
        number = last + 1
        hits = np.cumsum(self.true[order])[last] if len(score) else np.zeros(0)
        found = -np.sort(-self.found_at[self.counted & (self.found_at > -np.inf)])
        complete = np.searchsorted(-found, -score[last], side="right") / max(int(self.counted.sum()), 1)
        return score[last], complete, hits / np.maximum(number, 1), number

    def curve(self, *, n=200):
        """Completeness and purity along the cut.

        Parameters
        ----------
        n : int, default 200
            Largest number of points.

        Returns
        -------
        curve : `~astropy.table.QTable`
            ``cut``, ``completeness``, ``purity``, ``detections_per_image``.
        """
        cut, complete, pure, number = self._scan
        pick = np.unique(np.linspace(0, len(cut) - 1, min(n, len(cut))).round().astype(int)) if len(cut) else np.zeros(0, dtype=int)
        return QTable(
            {
                "cut": cut[pick],
                "completeness": complete[pick],
                "purity": pure[pick],
                "detections_per_image": number[pick] / max(self.n_images, 1),
            }
        )

    def cut_at_purity(self, purity):
        """Cut of the largest completeness at which at least so much of the detections is true; inf where none is."""
        cut, complete, pure, _ = self._scan
        good = np.flatnonzero(pure >= purity)
        return float(cut[good[np.lexsort((-pure[good], -complete[good]))[0]]]) if len(good) else np.inf

    def cut_at_rate(self, per_image):
        """Lowest cut with at most so many detections an image; inf where equal scores make every cut give more."""
        cut, _, _, number = self._scan
        good = np.flatnonzero(number <= per_image * self.n_images * (1 + 1e-9))
        return float(cut[good[-1]]) if len(good) else np.inf

    def average_precision(self):
        """Area under purity against completeness, as the sum of steps, and its error.

        Returns
        -------
        value, error : float
            The error draws images of whole groups.
        """

        order = np.argsort(-self.detections.score, kind="stable")
        score, true, image = self.detections.score[order], self.true[order].astype(float), self.detections.image[order]
        chosen = np.flatnonzero(self.counted & (self.found_at > -np.inf))
        place = np.searchsorted(-score, -self.found_at[chosen], side="right") - 1  # the last detection of this score
        clump_image, clumps = self.truth.image[chosen], np.bincount(self.truth.image[self.counted], minlength=self.n_images)

        def area(times):
            of_detection, total = times[image], (times * clumps).sum()
            if total == 0:
                return np.nan
            purity = np.cumsum(of_detection * true)[place] / np.maximum(np.cumsum(of_detection)[place], 1e-30)
            return float((times[clump_image] * purity).sum() / total)

        drawn = [area(self.images.weights(draw)) for draw in range(len(self.images.times))]
        return area(np.ones(self.n_images)), self.images.spread(drawn)

    def completeness_by(self, name, *, edges=None, cut=-np.inf, min_mass=None):
        """Completeness in bins of a quantity of the true clumps.

        Parameters
        ----------
        name : str
            'mass', 'mass_stars', 'magnitude', 'signal_to_noise', 'redshift', 'r_norm', 'crowding' or 'surface_brightness'.
        edges : sequence of float, optional
            Default: `EDGES`.
        cut : float, optional
            Least score.
        min_mass : float, optional
            Least mass of the clumps, Msun. Default: that of `one_to_one`, and none against masses.

        Returns
        -------
        bins : `~astropy.table.QTable`
            ``low``, ``high``, ``median``, ``n``, ``completeness``, ``error``; bins without clumps are left out.
        """
        values = self.truth[name]
        if min_mass is None:
            use = np.ones(len(self.truth), dtype=bool) if name.startswith("mass") else self.counted
        else:
            use = self.truth["mass"] >= min_mass
        found = (self.found_at >= cut) & (self.found_at > -np.inf)
        return _bins(values, use, EDGES[name] if edges is None else edges, "completeness", lambda m: self._over_clumps(m & found, m))

    def purity_by(self, name, *, edges=None, cut=-np.inf):
        """Purity in bins of a quantity of the detections.

        Parameters
        ----------
        name : str
            'score', 'redshift', 'crowding' (other detections within 10 pixels), 'surface_brightness' (light around) or 'light' (uJy above
            it within 3 pixels, noiseless).
        edges : sequence of float, optional
            Default: `EDGES`; tenths of the detections for the score.
        cut : float, optional
            Least score.

        Returns
        -------
        bins : `~astropy.table.QTable`
            As of `completeness_by`, with ``purity``.
        """
        values, use = self.detected[name], self.detections.score >= cut
        if edges is None:
            edges = EDGES[name] if name in EDGES else np.unique(np.quantile(values[use], np.linspace(0, 1, 11))) if use.any() else (0, 1)
        return _bins(values, use, edges, "purity", lambda m: self._over_images(self.detections.image, m & self.true, m))


def _bins(values, use, edges, name, score):
    rows = {key: [] for key in ("low", "high", "median", "n", name, "error")}
    edges = np.asarray(edges, dtype=float)
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = use & (values >= low) & ((values <= high) if k == len(edges) - 2 else (values < high))
        if not inside.any():
            continue
        value, error = score(inside)
        row = (low, high, float(np.median(values[inside])), int(inside.sum()), value, error)
        for key, one in zip(rows, row, strict=True):
            rows[key].append(one)
    return QTable({key: np.array(column, dtype=np.int64 if key == "n" else float) for key, column in rows.items()})


def merged_truth(galaxy_set, *, sf_zlc="all", merge=None, band=None):
    """What a detector should find in the images of a set: the positives, blends merged, with what may decide whether they are found.

    Parameters
    ----------
    galaxy_set, sf_zlc, merge, band
        As in `one_to_one`.

    Returns
    -------
    truth : `~astroclumps.evaluation.truth.Truth`
        With the columns that `OneToOne` lists.
    """
    band = reference_band(galaxy_set, band)
    everything = gather(galaxy_set, policies=(sf_zlc,))
    positives = everything.where(everything.positive[sf_zlc])
    truth, _ = merge_blends(positives, psf_fwhm(galaxy_set) if merge is None else merge)
    number = galaxy_set.bands.index(band)
    truth.columns.update(
        surroundings(galaxy_set, truth.image, truth.x, truth.y, truth.first, band),
        magnitude=magnitude(truth.flux[:, number]),
        signal_to_noise=signal_to_noise(galaxy_set, truth.image, truth.flux),
        redshift=np.asarray(galaxy_set.redshift)[truth.image],
    )
    return truth


def one_to_one(
    galaxy_set, detections, *, sf_zlc="all", radius=RADIUS, merge=None, min_mass=MIN_MASS, band=None, by="auto", n_draws=200, seed=0,
    truth=None,
):  # fmt: skip
    """Match the detections of a set with its clumps, one to one.

    Positives closer than one PSF FWHM are merged into one, their masses and fluxes added. Detections choose by falling score, and
    the pairs are as many as possible at every cut on it, so that one matching serves all cuts. A detection of a positive of any mass is
    true; completeness counts the merged positives above ``min_mass``.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list of (x, y, score)
        One tuple of arrays for each image of the set.
    sf_zlc : {'all', 'none'} or float, default 'all'
        See `~astroclumps.training.galaxy_set.GalaxySet.positives`.
    radius : float, default 3
        Pixels (METHODS 3).
    merge : float, optional
        Pixels within which true clumps are merged. Default: the FWHM of the PSF, the median of the bands.
    min_mass : float, default 10**7.5
        Msun of gas and stars.
    band : str, optional
        Of magnitudes and surface brightness. Default: F160W, else the last.
    by : {'auto', 'galaxy', 'snapshot', 'track'}
        What bootstrap errors draw as a whole. 'auto': galaxies; of a single galaxy tracks, and snapshots for purity.
    n_draws, seed : int
        Of the bootstrap.
    truth : `~astroclumps.evaluation.truth.Truth`, optional
        From `merged_truth` with the same set, policy, length and band, to save making it again for each detector.

    Returns
    -------
    matched : OneToOne

    Raises
    ------
    ValueError
        The detections are not those of the set's images, or a name is not known.
    """
    band = reference_band(galaxy_set, band)
    flat = flatten(detections, n_images=len(galaxy_set))
    if truth is None:
        truth = merged_truth(galaxy_set, sf_zlc=sf_zlc, merge=merge, band=band)
    from . import kernels

    partner, finder = kernels.match_by_score(flat.first, flat.x, flat.y, truth.first, truth.x, truth.y, float(radius))
    detected = surroundings(galaxy_set, flat.image, flat.x, flat.y, flat.first, band)
    detected |= {"score": flat.score, "redshift": np.asarray(galaxy_set.redshift)[flat.image]}
    if by == "auto":
        by = "galaxy" if len(np.unique(galaxy_set.galaxy)) > 1 else "track"
    return OneToOne(
        galaxy_set, truth, truth["mass"] >= min_mass, flat, partner, finder, detected, by=by, n_draws=n_draws, seed=seed
    )  # fmt: skip
