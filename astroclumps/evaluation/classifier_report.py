"""Everything that is asked of a classifier on one set, with the controls: as numbers and as tables for figures."""

import numpy as np
from astropy.table import QTable, vstack

from .classification import classifier_scores, judged_stamps, kind_shares, score_by
from .curves import precision_recall, reliability, roc
from .interpretation import band_attribution, judge_stamps, noisy_stamps, scramble_colours

__all__ = ["classifier_report", "control_report"]

_EDGES = {
    "mass": tuple(10.0 ** np.arange(6.5, 10.01, 0.5)),
    "magnitude": tuple(np.arange(19.0, 30.1, 1.0)),
    "signal_to_noise": (0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 1e9),
}


def classifier_report(galaxy_set, detections, p_long, *, threshold=0.5, by="auto", n_draws=200, seed=0, region=10):
    """Scores of the stamps of a set, and tables of their curves.

    Parameters
    ----------
    galaxy_set, detections, p_long, region
        As in `~astroclumps.evaluation.classification.judged_stamps`.
    threshold, by, n_draws, seed
        As in `~astroclumps.evaluation.classification.classifier_scores`.

    Returns
    -------
    scores : dict
        ``all``, ``without_censored`` (short-lived clumps that are alive in the last snapshot left out).
    tables : dict of `~astropy.table.QTable`
        ``stamps``, ``kinds``, and where both classes are there ``roc``, ``precision_recall``, ``reliability`` (natural, balanced),
        ``p_long_by`` (against mass, magnitude and signal-to-noise).
    """
    stamps = judged_stamps(galaxy_set, detections, p_long, region=region)
    options = {"by": by, "n_draws": n_draws, "seed": seed}
    scores = {
        "all": classifier_scores(stamps, threshold=threshold, **options),
        "without_censored": classifier_scores(stamps, threshold=threshold, without_censored=True, **options),
    }
    tables = {"stamps": stamps, "kinds": kind_shares(stamps, threshold=threshold, **options)}
    use = np.isin(stamps["label"], ("LLC", "SLC")) & np.isfinite(stamps["p_long"])
    truth, p = np.asarray(stamps["label"] == "LLC")[use], np.asarray(stamps["p_long"])[use]
    if truth.any() and not truth.all():
        tables["roc"], tables["precision_recall"] = _thin(roc(truth, p)), _thin(precision_recall(truth, p))
        parts = []
        for mix, balanced in (("natural", False), ("balanced", True)):
            part = reliability(truth, p, balanced=balanced)
            part["mix"] = np.full(len(part), mix)
            parts.append(part)
        tables["reliability"] = vstack(parts)
        parts = []
        for name, edges in _EDGES.items():
            part = score_by(stamps, name, edges, **options)
            part.add_column(np.full(len(part), name, dtype="U16"), name="quantity", index=0)
            parts.append(part)
        tables["p_long_by"] = vstack(parts)
    return scores, tables


def _thin(table, n=1000):
    """At most so many rows of a curve, both ends kept."""
    if len(table) <= n:
        return table
    return table[np.unique(np.linspace(0, len(table) - 1, n).round().astype(int))]


def control_report(
    galaxy_set, detections, classifier, *, noise_seed, n_stamps=None, threshold=0.5, by="auto", n_draws=200, seed=0, region=10
):
    """What a classifier uses: its scores with scrambled colours, without each band, and its integrated gradients.

    Parameters
    ----------
    galaxy_set, detections, region
        As in `~astroclumps.evaluation.classification.judged_stamps`.
    classifier : object
        Has ``classify(image, clumps)``. Gradients need a `~astroclumps.LongevityClassifier`.
    noise_seed : int
        Of the noise in the images.
    n_stamps : int, optional
        Take so many of the stamps that have a class, at random.
    threshold, by, n_draws
        As in `~astroclumps.evaluation.classification.classifier_scores`.
    seed : int, default 0
        Of the random magnitudes, the choice of stamps and the bootstrap.

    Returns
    -------
    scores : dict
        ``unchanged``, ``scrambled_colours`` (each band of each stamp at a random magnitude of its own, paper section 6.1; the network is
        the same, it is not trained anew) and ``n_stamps``.
    bands : `~astropy.table.QTable`
        For each band: scores without it with their drop, and its share in the decisions (`band_attribution`).
    """
    nothing = [np.zeros(len(np.atleast_1d(one[0]))) for one in detections]
    stamps = judged_stamps(galaxy_set, detections, nothing, region=region)
    use = np.flatnonzero(np.isin(stamps["label"], ("LLC", "SLC")))
    if n_stamps is not None and n_stamps < len(use):
        use = np.sort(np.random.default_rng(seed).choice(use, n_stamps, replace=False))
    size = int(((getattr(classifier, "card", None) or {}).get("architecture") or {}).get("size", 10))
    pixels = _pixels(galaxy_set, stamps, use, noise_seed, size)
    stamps = stamps[use]

    def judged(changed, **options):
        made = stamps.copy()
        made["p_long"] = judge_stamps(classifier, changed, galaxy_set.bands, **options)
        return classifier_scores(made, threshold=threshold, by=by, n_draws=n_draws, seed=seed)

    scores = {"n_stamps": len(stamps), "unchanged": judged(pixels), "scrambled_colours": judged(scramble_colours(pixels, seed=seed))}
    if "roc_auc" not in scores["unchanged"]:
        return scores, QTable()
    rows = []
    limit = int((getattr(classifier, "card", None) or {}).get("max_missing_bands", 1))
    for band in galaxy_set.bands if limit else ():
        without = judged(pixels, missing=[band])
        row = {"band": band}
        for name in ("roc_auc", "balanced_completeness"):
            row[name], row[f"{name}_error"] = without[name]
            row[f"{name}_drop"] = scores["unchanged"][name][0] - without[name][0]
        rows.append(row)
    table = QTable({name: np.array([row[name] for row in rows]) for name in rows[0]}) if rows else QTable({"band": list(galaxy_set.bands)})
    network = getattr(classifier, "_loaded", None)
    if network is not None:
        from astroclumps.longevity.stamps import normalise

        order = [galaxy_set.bands.index(band) for band in classifier.card["bands"] if band in galaxy_set.bands]
        inputs = normalise(pixels[:, order], bands=[galaxy_set.bands[k] for k in order])
        if inputs.shape[1] == len(classifier.card["bands"]):
            weight, signed = band_attribution(network[0], inputs)
            place = {galaxy_set.bands[k]: n for n, k in enumerate(order)}
            table["gradient_share"] = [weight[place[band]] if band in place else 0.0 for band in table["band"]]
            table["gradient_mean"] = [signed[place[band]] if band in place else 0.0 for band in table["band"]]
    return scores, table


def _pixels(galaxy_set, stamps, use, noise_seed, size):
    """Stamps of some detections, image by image."""
    image = np.asarray(stamps["image"])[use]
    where = np.asarray(stamps["x"])[use], np.asarray(stamps["y"])[use]
    parts = [np.zeros((0, len(galaxy_set.bands), size, size), dtype=np.float32)]
    for i in np.unique(image):
        mine = image == i
        found = [(where[0][mine], where[1][mine])]
        parts.append(noisy_stamps(galaxy_set.subset(np.array([i])), found, seed=noise_seed, size=size))
    return np.concatenate(parts)
