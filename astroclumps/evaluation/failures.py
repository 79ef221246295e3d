"""The worst misses and false alarms of a detector, with what may explain them."""

import numpy as np
from astropy.table import QTable

from .truth import gather

__all__ = ["failures"]

_NEAR = 3.0  # pixels
_ALMOST = 5.0  # pixels: a detection that is so near a clump has missed it by little
_FAINT = 5.0  # signal-to-noise
_DIM = 0.1  # of the light around
_CROWD = 3  # neighbours


def failures(galaxy_set, matched, *, cut=-np.inf, n=12):
    """The brightest clumps that a detector misses, and its surest false detections.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    matched : `~astroclumps.evaluation.one_to_one.OneToOne`
        Of this set.
    cut : float, optional
        Least score of a detection.
    n : int, default 12
        Rows of each table at most.

    Returns
    -------
    misses : `~astropy.table.QTable`
        Missed clumps above the least mass, by falling signal-to-noise: ``image``, ``x``, ``y``, ``mass``, ``magnitude``,
        ``signal_to_noise``, ``contrast`` (light above that around, over that around, within 3 pixels), ``r_norm``, ``crowding``,
        ``n_merged``, ``longevity``, ``nearest_detection`` and ``nearest_bulge`` (pixels, inf for none), ``reason``.
    false_alarms : `~astropy.table.QTable`
        By falling score: ``image``, ``x``, ``y``, ``score``, ``light``, ``contrast``, ``nearest_positive``, ``nearest_bulge``,
        ``nearest_other`` (a clump that is no positive) in pixels, ``reason``.

    Notes
    -----
    The reason is the first that applies (the order and the limits are ours). Of a miss: 'bulge' (within 3 pixels of it), 'taken' (a
    detection within 3 pixels belongs to another clump), 'off' (a detection within 5 pixels belongs to none), 'faint' (signal-to-noise below
    5), 'low contrast' (below 0.1), 'crowded' (3 neighbours or more within 10 pixels), else 'none of these'. Of a false alarm: 'bulge',
    'second' (a positive within 3 pixels has a better partner), 'no positive' (a clump within 3 pixels that is not to be found, such as a
    zero-lifetime one without star formation), 'off' (a positive within 5 pixels), 'light' (it stands out by 0.1 or more: an arm, a bar, a
    star cluster that is no clump), else 'noise or disc'.
    """
    truth, flat = matched.truth, matched.detections
    everything = gather(galaxy_set, policies=())
    bulge = everything.where(everything["origin"] == "bulge")
    other = everything.where(everything["origin"] != "bulge")
    kept = flat.score >= cut
    found = (matched.found_at >= cut) & (matched.found_at > -np.inf)

    missed = np.flatnonzero(matched.counted & ~found)
    missed = missed[np.argsort(-truth["signal_to_noise"][missed], kind="stable")][:n]
    rows = []
    for i in missed:
        image, x, y = truth.image[i], truth.x[i], truth.y[i]
        part = slice(flat.first[image], flat.first[image + 1])
        away = np.where(kept[part], np.hypot(flat.x[part] - x, flat.y[part] - y), np.inf)
        idle = matched.partner[part] < 0
        contrast = _contrast(truth["light"][i], truth["surface_brightness"][i])
        near_bulge = _nearest(bulge, image, x, y)
        reason = _first(
            (near_bulge <= _NEAR, "bulge"), (bool((away <= _NEAR).any()), "taken"), (bool((away[idle] <= _ALMOST).any()), "off"),
            (truth["signal_to_noise"][i] < _FAINT, "faint"), (contrast < _DIM, "low contrast"), (truth["crowding"][i] >= _CROWD, "crowded"),
            otherwise="none of these",
        )  # fmt: skip
        rows.append({
            "image": int(image), "x": x, "y": y,
            **{name: truth[name][i] for name in ("mass", "magnitude", "signal_to_noise")}, "contrast": contrast,
            **{name: truth[name][i] for name in ("r_norm", "crowding", "n_merged", "longevity")},
            "nearest_detection": float(away.min(initial=np.inf)), "nearest_bulge": near_bulge, "reason": reason,
        })  # fmt: skip
    misses = _table(rows, "image x y mass magnitude signal_to_noise contrast r_norm crowding n_merged longevity nearest_detection "
                          "nearest_bulge reason")  # fmt: skip

    false = np.flatnonzero(kept & ~matched.true)
    false = false[np.argsort(-flat.score[false], kind="stable")][:n]
    rows = []
    for d in false:
        image, x, y = flat.image[d], flat.x[d], flat.y[d]
        distances = [_nearest(clumps, image, x, y) for clumps in (truth, bulge, other)]
        contrast = _contrast(matched.detected["light"][d], matched.detected["surface_brightness"][d])
        reason = _first(
            (distances[1] <= _NEAR, "bulge"), (distances[0] <= _NEAR, "second"), (distances[2] <= _NEAR, "no positive"),
            (distances[0] <= _ALMOST, "off"), (contrast >= _DIM, "light"), otherwise="noise or disc",
        )  # fmt: skip
        rows.append({
            "image": int(image), "x": x, "y": y, "score": flat.score[d], "light": matched.detected["light"][d], "contrast": contrast,
            "nearest_positive": distances[0], "nearest_bulge": distances[1], "nearest_other": distances[2], "reason": reason,
        })  # fmt: skip
    names = "image x y score light contrast nearest_positive nearest_bulge nearest_other reason"
    return misses, _table(rows, names)


def _first(*cases, otherwise):
    return next((name for true, name in cases if true), otherwise)


def _nearest(clumps, image, x, y):
    part = slice(clumps.first[image], clumps.first[image + 1])
    return float(np.hypot(clumps.x[part] - x, clumps.y[part] - y).min(initial=np.inf))


def _contrast(light, brightness):
    """Light above the surroundings within 3 pixels, over that of the surroundings there; inf where these are dark."""
    from .truth import PIXEL

    if not np.isfinite(brightness):
        return float("inf") if light > 0 else 0.0
    around = 10 ** (-0.4 * (brightness - 23.9)) * PIXEL**2 * np.pi * _NEAR**2
    return float(light / around)


def _table(rows, names):
    return QTable({name: np.array([row[name] for row in rows]) for name in names.split()})
