"""What figures need of the simulated arm besides its tables: images, truth, detections and a snapshot."""

from pathlib import Path

import numpy as np

from astroclumps.evaluation.images import image_of
from astroclumps.evaluation.stamp_truth import stamp_classes
from astroclumps.figures import classes

from .recipe import read_recipe

__all__ = ["clumpiest_snapshot", "clumpy_images", "detections_of", "images_of", "stamps_of", "truth_of"]

_CLASSES = ("LLC", "SLC", "ZLC")


def images_of(arm, data):
    """The images of a simulated arm, in the order of its galaxies.

    Parameters
    ----------
    arm : `~astroclumps.reproduction.arm.Arm`
        Its galaxies have ``parent`` and ``image``, the number among the images of the galaxy.
    data : path-like
        Folder of the set.

    Returns
    -------
    `~astroclumps.training.galaxy_set.GalaxySet`
    """
    from astroclumps.training.galaxy_set import GalaxySet

    galaxy, index = np.asarray(arm.galaxies["parent"]).astype(int), np.asarray(arm.galaxies["image"])
    whole = GalaxySet(data, galaxies=np.unique(galaxy))
    place = {(int(g), int(i)): row for row, (g, i) in enumerate(zip(whole.galaxy, whole.index, strict=True))}
    return whole.subset(np.array([place[int(g), int(i)] for g, i in zip(galaxy, index, strict=True)]))


def detections_of(arm) -> list:
    """x, y (pixels), score and p_long of the detections of each galaxy of an arm.

    Parameters
    ----------
    arm : `~astroclumps.reproduction.arm.Arm`

    Returns
    -------
    list of tuple of ndarray
    """
    names, found = np.asarray(arm.clumps["galaxy"]).astype(str), []
    columns = [np.asarray(getattr(arm.clumps[name], "value", arm.clumps[name]), dtype=float) for name in ("x", "y", "score", "p_long")]
    order = np.argsort(names, kind="stable")
    start = np.searchsorted(names[order], np.asarray(arm.galaxies["galaxy"]).astype(str), side="left")
    stop = np.searchsorted(names[order], np.asarray(arm.galaxies["galaxy"]).astype(str), side="right")
    for a, b in zip(start, stop, strict=True):
        rows = order[a:b]
        found.append(tuple(column[rows] for column in columns))
    return found


def clumpy_images(images, detections, n) -> np.ndarray:
    """Numbers of the images with most detections, of different galaxies.

    Parameters
    ----------
    images : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list
        From `detections_of`.
    n : int

    Returns
    -------
    ndarray of int
        In falling order of the detections; fewer where there are fewer galaxies.
    """
    number = np.array([len(one[0]) for one in detections])
    chosen, seen = [], set()
    for i in np.argsort(-number, kind="stable"):
        if len(chosen) < n and images.galaxy[i] not in seen:
            chosen.append(int(i))
            seen.add(images.galaxy[i])
    return np.array(chosen, dtype=int)


def _heavy(images, i):
    from astroclumps.evaluation.one_to_one import MIN_MASS

    return images.positives(i) & (images.clumps(i)["mass"] >= MIN_MASS)


def truth_of(images, i):
    """x, y and class of the clumps above 10^7.5 Msun that should be found in an image.

    Parameters
    ----------
    images : `~astroclumps.training.galaxy_set.GalaxySet`
    i : int

    Returns
    -------
    tuple of ndarray
    """
    clumps, chosen = images.clumps(i), _heavy(images, i)
    label = np.where(clumps["origin"] == "in situ", clumps["longevity"], clumps["origin"])
    return clumps["x"][chosen], clumps["y"][chosen], label[chosen]


def stamps_of(images, detections, region, *, n, seed, noise_seed) -> dict:
    """Detections drawn at random, by their true class.

    Parameters
    ----------
    images : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list
        From `detections_of`.
    region : int
        Side of the square that makes the class, pixels.
    n : int
        Of each class, fewer where there are fewer.
    seed, noise_seed : int
        Of the choice and of the images.

    Returns
    -------
    dict
        'LLC', 'SLC' and 'ZLC' -> list of (image, x, y, p_long).
    """
    rows = {label: [] for label in _CLASSES}
    for i, (x, y, _, p_long) in enumerate(detections):
        if len(x):
            labels = stamp_classes(images.clumps(i), x, y, size=region)["label"]
            for k, label in enumerate(labels):
                if label in rows:
                    rows[label].append((i, float(x[k]), float(y[k]), float(p_long[k])))
    rng, out = np.random.default_rng(seed), {}
    for label, found in rows.items():
        chosen = sorted(rng.choice(len(found), min(n, len(found)), replace=False)) if found else []
        out[label] = [(image_of(images, found[k][0], seed=noise_seed), *found[k][1:]) for k in chosen]
    return out


def clumpiest_snapshot(images, data):
    """Maps of the snapshot with most long-lived clumps, with all its 3D clumps, made anew from the recipe of a synthetic suite.

    Parameters
    ----------
    images : `~astroclumps.training.galaxy_set.GalaxySet`
    data : path-like
        Folder of the set, with its ``recipe.txt``.

    Returns
    -------
    tuple or None
        `~astroclumps.simulation.projection.Projection`, and the clumps with the set's ``longevity``, but for those without a class; None
        where the set is no synthetic suite.

    Raises
    ------
    ValueError
        The snapshot is not the one of the set.
    """
    from astroclumps.simulation.finder import ClumpFinder3D
    from astroclumps.simulation.projection import project
    from astroclumps.synthetic.suite import SyntheticSuite

    recipe = read_recipe(Path(data))
    if not recipe.settings:
        return None
    galaxy, number = _most_long_lived(images)
    suite = SyntheticSuite(n_galaxies=galaxy + 1, **recipe.settings)
    snapshot = next(one for k, one in enumerate(suite.galaxy(galaxy)) if k == number)
    clumps, _ = ClumpFinder3D(**recipe.finder).find(snapshot)
    known = {}
    for i in np.flatnonzero((images.galaxy == galaxy) & (images.snapshot == number)):
        seen = images.clumps(i)
        known |= {int(one): (str(life), float(mass)) for one, life, mass in zip(seen["id"], seen["longevity"], seen["mass"], strict=True)}
    label, mass = np.full(len(clumps), "", dtype="U3"), clumps["mass"].value
    for k, one in enumerate(clumps["id"]):
        if int(one) in known:
            label[k], there = known[int(one)]
            if not np.isclose(there, mass[k], rtol=1e-4):
                raise ValueError(f"clump {one} of galaxy {galaxy}, snapshot {number}, has not the mass that the set gives it; make it anew")
    clumps["longevity"] = label
    return project(snapshot), clumps[classes(clumps) != ""]


def _most_long_lived(images):
    best, most = (int(images.galaxy[0]), int(images.snapshot[0])), -1
    for galaxy, snapshot in sorted(set(zip(images.galaxy.tolist(), images.snapshot.tolist(), strict=True))):
        there = np.flatnonzero((images.galaxy == galaxy) & (images.snapshot == snapshot))
        number = max(int((images.clumps(i)["longevity"] == "LLC").sum()) for i in there)
        if number > most:
            best, most = (galaxy, snapshot), number
    return best
