"""Detectors side by side on the same images: one to one and in squares, at their own cuts, at equal purity and at equal numbers."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import QTable, vstack

from astroclumps.arguments import one_number

from .nulls import dots, random_points
from .one_to_one import MIN_MASS, RADIUS, merged_truth, one_to_one
from .squares import POLICIES, SIZES, squares
from .truth import gather

__all__ = ["DOTS", "RANDOM", "Comparison", "compare"]

RANDOM = "random points"
"""The null with as many light-weighted points as the first detector."""
DOTS = "a dot in every lit square"
"""The null with one point in each lit square; squares of each size have dots of that size, one to one those of the largest."""

_REACHED = 0.95
"""Part of the number of detections that a detector must have to stand at equal numbers (ours; equal scores stay together)."""
_QUANTITIES = ("mass", "mass_stars", "magnitude", "signal_to_noise", "redshift", "r_norm", "crowding", "surface_brightness")
_DETECTED = ("redshift", "crowding", "surface_brightness", "light")


@dataclass
class Comparison:
    """Result of `compare`.

    Attributes
    ----------
    scores : dict
        By detector, ready for JSON: pairs are [value, error].
    tables : dict of `~astropy.table.QTable`
        ``scores``, ``curves``, ``completeness``, ``purity``, ``squares_completeness``, ``squares_true_detection``,
        ``clumps_per_square``.
    matched : dict of `~astroclumps.evaluation.one_to_one.OneToOne`
        By detector.
    cuts : dict of float
        Of each detector at equal numbers; the first has its own.
    """

    scores: dict
    tables: dict
    matched: dict = field(repr=False)
    cuts: dict = field(repr=False)


def compare(
    galaxy_set, detections, *, cuts=None, purity=0.9, sizes=SIZES, sf_zlc="all", min_mass=MIN_MASS, radius=RADIUS, by="auto", nulls=True,
    n_draws=200, seed=0,
):  # fmt: skip
    """Score detectors on the same images, with detectors that know nothing beside them.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : dict
        Name -> list of (x, y, score), one tuple an image. The first is the one that the others are compared with.
    cuts : dict, optional
        Name -> the detector's own cut on its score; those that are not named keep all.
    purity : float, default 0.9
        At which all are compared (the lowest cut with at least so much; see `OneToOne.cut_at_purity`); in squares it is the true
        detection rate (`Squares.cut_at_true_detection`).
    sizes : sequence of int
        Sides of the squares in pixels.
    sf_zlc : {'all', 'none'} or float, default 'all'
        Policy of the one-to-one scores; squares have all policies of the paper and this one.
    min_mass : float, default 10**7.5
        Msun.
    radius : float, default 3
        Pixels.
    by : {'auto', 'galaxy', 'snapshot', 'track'}
        What errors draw as a whole; see `one_to_one`.
    nulls : bool, default True
        Add `RANDOM` and `DOTS`.
    n_draws, seed : int
        Of the bootstrap; the seed also of the random points.

    Returns
    -------
    comparison : Comparison
        Equal numbers are those of the first detector at its own cut; a detector that finds fewer keeps all it has. Then ``reached`` of
        its ``equal_number`` is False, as are ``equal_number_reached`` in the table of scores and ``reached`` in those of completeness and
        purity: its completeness is that of fewer detections (less than 95% of the number, ours).

    Raises
    ------
    ValueError
        There is no detector, or ``purity``, ``min_mass`` or ``n_draws`` is out of its range.
    """
    one_number("purity", purity, "a share above 0 and at most 1, such as 0.9", lambda value: 0 < value <= 1)
    one_number("min_mass", min_mass, "a mass in Msun, such as 10**7.5", lambda value: 0 < value < float("inf"))
    one_number("n_draws", n_draws, "a whole number of draws, at least 2, for the errors", lambda value: value.is_integer() and value >= 2)
    if not detections:
        raise ValueError("detections is empty; give a dict of name -> list of (x, y, score), the main detector first")
    first = next(iter(detections))
    cuts = {name: float((cuts or {}).get(name, -np.inf)) for name in detections}
    everything = {name: {size: found for size in sizes} for name, found in detections.items()}
    if nulls:
        kept = [tuple(np.asarray(part)[np.asarray(one[2]) >= cuts[first]] for part in one[:3]) for one in detections[first]]
        points = random_points(galaxy_set, kept, seed=seed)
        everything[RANDOM] = {size: points for size in sizes}
        everything[DOTS] = {size: dots(galaxy_set, size=size) for size in sizes}
        cuts |= {RANDOM: -np.inf, DOTS: -np.inf}
    policies = tuple(dict.fromkeys([*POLICIES, sf_zlc]))
    merged, truth = merged_truth(galaxy_set, sf_zlc=sf_zlc), gather(galaxy_set, policies=policies)
    options = {"radius": radius, "min_mass": min_mass, "by": by, "n_draws": n_draws, "seed": seed, "sf_zlc": sf_zlc, "truth": merged}
    matched = {name: one_to_one(galaxy_set, found[max(sizes)], **options) for name, found in everything.items()}
    drawn = {"by": "auto" if by == "track" else by, "n_draws": n_draws, "seed": seed}
    rate = matched[first].numbers(cut=cuts[first])["detections_per_image"][0]
    equal = {name: cuts[first] if name == first else one.cut_at_rate(rate) for name, one in matched.items()}
    scores, tables = {}, {name: [] for name in ("curves", "completeness", "purity", "squares_completeness", "squares_true_detection")}
    for name, one in matched.items():
        at_equal = one.numbers(cut=equal[name])
        at_equal["reached"] = bool(at_equal["detections_per_image"][0] >= _REACHED * rate)
        scores[name] = {
            "own": one.numbers(cut=cuts[name]),
            "equal_number": at_equal,
            "equal_purity": one.numbers(cut=one.cut_at_purity(purity)),
            "average_precision": one.average_precision(),
            "squares": {},
        }
        tables["curves"].append(_named(one.curve(), detector=name))
        for quantity in _QUANTITIES:
            part = one.completeness_by(quantity, cut=equal[name])
            tables["completeness"].append(_named(part, detector=name, quantity=quantity, reached=at_equal["reached"]))
        for quantity in _DETECTED:
            part = one.purity_by(quantity, cut=equal[name])
            tables["purity"].append(_named(part, detector=name, quantity=quantity, reached=at_equal["reached"]))
        for size in sizes:
            counted = squares(galaxy_set, everything[name][size], size=size, truth=truth, policies=policies, **drawn)
            equal_cut = equal[name] if name != DOTS else _cut_at_rate(everything[name][size], rate)
            scores[name]["squares"][str(size)] = {
                "own": {str(policy): counted.numbers(policy=policy, min_mass=min_mass, cut=cuts[name]) for policy in policies},
                "equal_number": counted.numbers(policy=sf_zlc, min_mass=min_mass, cut=equal_cut),
                "equal_purity": counted.numbers(policy=sf_zlc, min_mass=min_mass, cut=counted.cut_at_true_detection(purity, policy=sf_zlc)),
            }
            _square_tables(tables, counted, name, size, policies, cuts[name])
            if name == first:
                number = _named(counted.clumps_per_square(), size=size)
                number["median"] = number.meta.pop("median")
                tables.setdefault("clumps_per_square", []).append(number)
    joined = {name: vstack(parts, metadata_conflicts="silent") for name, parts in tables.items()}
    joined["scores"] = _score_table(scores, sizes, str(sf_zlc))
    return Comparison(scores, joined, matched, equal)


def _cut_at_rate(detections, rate):
    """Lowest score with at most so many detections an image."""
    score = np.sort(np.concatenate([np.zeros(0), *(np.asarray(one[2], dtype=float) for one in detections)]))[::-1]
    number = int(np.floor(rate * len(detections) * (1 + 1e-9)))
    if number >= len(score):
        return -np.inf
    higher = score[:number][score[:number] > score[number]]  # equal scores stay together
    return float(higher[-1]) if len(higher) else np.inf


def _named(table, **columns):
    """A table with constant columns in front."""
    for place, (name, value) in enumerate(columns.items()):
        table.add_column(np.full(len(table), value), name=name, index=place)
    return table


def _square_tables(tables, counted, name, size, policies, cut):
    for policy in policies:
        for quantity in ("mass", "mass_stars"):
            bins = counted.completeness_by_mass(quantity=quantity, policy=policy, cut=cut)
            tables["squares_completeness"].append(_named(bins, detector=name, size=size, policy=str(policy), quantity=quantity))
    tables["squares_true_detection"].append(_named(counted.true_detection_by_policy(cut=cut), detector=name, size=size))


def _score_table(scores, sizes, policy):
    """The main numbers, a row a detector."""
    rows = []
    for name, one in scores.items():
        row = {"detector": name}
        for label, numbers in (("", one["own"]), ("equal_number_", one["equal_number"]), ("equal_purity_", one["equal_purity"])):
            for key in ("completeness", "purity", "purity_counted", "detections_per_image"):
                row[f"{label}{key}"], row[f"{label}{key}_error"] = numbers[key]
        row["equal_number_reached"] = one["equal_number"]["reached"]
        row["average_precision"], row["average_precision_error"] = one["average_precision"]
        for size in sizes:
            counted = one["squares"][str(size)]
            for label, numbers in (
                ("", counted["own"][policy]), ("equal_number_", counted["equal_number"]), ("equal_purity_", counted["equal_purity"])
            ):  # fmt: skip
                for key in ("completeness", "true_detection", "detections_per_image"):
                    row[f"{label}squares_{size}_{key}"], row[f"{label}squares_{size}_{key}_error"] = numbers[key]
        rows.append(row)
    return QTable({key: np.array([row[key] for row in rows]) for key in rows[0]})
