"""The generator's own record of every clump, kept apart from the snapshots, to test finder and tracker."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.jit import compiled

from .clumps import Body, free_fall_time, v_circ
from .potential import KMS

__all__ = ["RECORD_COLUMNS", "Recorder"]

_TRACKED = 10  # stars (paper section 3.1.2)
_ARRIVED = 0.95  # share of the way in from which a member counts for place and size
_SHARE = 0.92  # of the mass inside the radius
_SMEARING = 0.05  # kpc, by which cells of 70 pc widen what lies in them (measured on the suite)
#: Name, type, unit and description of each column.
RECORD_COLUMNS = (
    ("clump", "i8", None, "number of the clump in its galaxy, the same in all snapshots"),
    ("snapshot", "i8", None, "number of the snapshot, from 0"),
    ("time", "f8", "Gyr", "age of the Universe"),
    ("kind", "U12", None, "'clump', 'remnant' (stripped clump), 'satellite' or 'fluctuation'"),
    ("parent", "i8", None, "clump that a remnant was, or 0"),
    ("into", "i8", None, "clump that it merged into at last, or 0"),
    ("fate", "U9", None, "at this time: 'forming', 'held', 'short' (will dissolve), 'dissolved', 'patch'"),
    ("bound", "i8", None, "1 while it holds its members"),
    ("assembled", "f8", None, "share of the way in that its members have covered, on average"),
    ("pos_x", "f8", "kpc", "mean position of the members, box axes, relative to the galaxy's centre"),
    ("pos_y", "f8", "kpc", "the same along y"),
    ("pos_z", "f8", "kpc", "the same along z"),
    ("vel_x", "f8", "km/s", "mean velocity of the members, relative to the galaxy"),
    ("vel_y", "f8", "km/s", "the same along y"),
    ("vel_z", "f8", "km/s", "the same along z"),
    ("r_cyl", "f8", "kpc", "distance from the disc's axis"),
    ("height", "f8", "kpc", "height above the disc's plane"),
    ("mass", "f8", "Msun", "stars and gas that it holds"),
    ("mass_gas", "f8", "Msun", "gas that it holds"),
    ("mass_stars", "f8", "Msun", "stars that it holds"),
    ("sfr", "f8", "Msun/yr", "members younger than 60 Myr over 60 Myr"),
    ("age", "f8", "Gyr", "mean age of its own stars"),
    ("age_inside", "f8", "Gyr", "mean age of all stars inside its ellipsoid, its own and those of the disc"),
    ("n_stars", "i8", None, "stars that it holds"),
    ("n_inside", "i8", None, "all stars inside its ellipsoid"),
    ("radius", "f8", "kpc", "radius of the sphere with the volume of its ellipsoid, which holds 92% of its mass and is widened by 50 pc"),
    ("t_ff", "f8", "Myr", "free-fall time of what is there of its mass, in that radius"),
    ("v_circ", "f8", "km/s", "sqrt(G M / r) of the whole mass, with what is on its way in"),
    ("v_limit", "f8", "km/s", "circular velocity below which its own rule dissolves it"),
    ("born", "f8", "Gyr", "time of birth"),
    ("ended", "f8", "Gyr", "time at which it dissolved or merged; infinite while it lives"),
    ("t_clump", "f8", "Myr", "paper's clump time from the record: mean age inside at first sight, then what has passed"),
    ("lifetime", "f8", "Myr", "the same at last sight"),
    ("longevity", "U3", None, "paper's class from the record: 'ZLC', 'SLC', 'LLC', for satellites and fluctuations too; '' if never seen"),
)


@compiled
def _around(position, born, centres, radii, forms, number, sum_born):
    """Count stars inside ellipsoids, and sum their times of birth; ``forms`` are inverse matrices, ``radii`` spheres about them."""
    for i in range(position.shape[0]):
        for k in range(centres.shape[0]):
            dx = position[i, 0] - centres[k, 0]
            if dx > radii[k] or -dx > radii[k]:
                continue
            dy, dz = position[i, 1] - centres[k, 1], position[i, 2] - centres[k, 2]
            form = forms[k]
            square = form[0, 0] * dx * dx + form[1, 1] * dy * dy + form[2, 2] * dz * dz
            square += 2.0 * (form[0, 1] * dx * dy + form[0, 2] * dx * dz + form[1, 2] * dy * dz)
            if square < 1.0:
                number[k] += 1
                sum_born[k] += born[i]


def _ellipsoid(offset):
    """Inverse matrix of the ellipsoid that a finder sees, its longest axis, and the radius of a sphere of its volume."""
    square, axes = np.linalg.eigh(offset.T @ offset / len(offset) + 1e-6 * np.eye(3))
    order = np.sort(((offset @ axes) ** 2 / square).sum(axis=1))
    long = np.sqrt(square * order[int(_SHARE * (len(order) - 1))]) + _SMEARING
    return (axes / long**2) @ axes.T, float(long.max()), float(np.prod(long) ** (1 / 3))


class Recorder:
    """Collects rows of the record, and the members of each clump, as snapshots are made.

    Parameters
    ----------
    long_lived : float, default 20
        Free-fall times from which a clump is long-lived (paper section 3.1.3).
    """

    def __init__(self, long_lived: float = 20.0):
        self.long_lived = long_lived
        self._rows: list[dict] = []
        self._members: dict[int, dict[int, np.ndarray]] = {}
        self._ends: dict[int, Body] = {}
        self._times: list[float] = []

    def add(self, index, t, clumps, position, velocity, baryons, turn):
        """Record the clumps of one snapshot.

        Parameters
        ----------
        index : int
            Number of the snapshot.
        t : float
            Gyr.
        clumps : list of tuple
            ``(number, kind, parent, fate, born, v_limit, rows, body)`` of each; ``body`` is None for a patch.
        position, velocity : ndarray, shape (n, 3)
            Of all baryons in the disc's frame, kpc and kpc/Gyr.
        baryons : Baryons
        turn : ndarray, shape (3, 3)
            Rows are the disc's axes in the box.
        """
        self._times.append(t)
        b, kept = baryons, []
        members = self._members.setdefault(index, {})
        for number, kind, parent, fate, born, v_limit, rows, body in clumps:
            if not len(rows):
                continue
            place = position[rows]
            arrived = body.arrived(t) if body is not None and body.alive else np.full(len(rows), float(body is None))
            there = place[arrived > _ARRIVED] if (arrived > _ARRIVED).sum() > 3 else place
            centre = np.median(there, axis=0)
            form, longest, radius = _ellipsoid(there - centre)
            star = b.star[rows]
            born_stars = b.born[rows[star]]
            mass = len(rows) * b.particle_mass
            drift = velocity[rows].mean(axis=0)
            members[number] = np.sort(b.particle_id[rows[star]])
            if body is not None:
                self._ends[number] = body
            box, box_drift = centre @ turn, drift @ turn / KMS
            row = {
                "clump": number,
                "snapshot": index,
                "time": t,
                "kind": kind,
                "parent": parent,
                "fate": fate,
                "bound": int(fate in ("forming", "held", "short")),
                "assembled": float(arrived.mean()),
                "pos_x": box[0],
                "pos_y": box[1],
                "pos_z": box[2],
                "vel_x": box_drift[0],
                "vel_y": box_drift[1],
                "vel_z": box_drift[2],
                "r_cyl": np.hypot(centre[0], centre[1]),
                "height": centre[2],
                "mass": mass,
                "mass_gas": (~star).sum() * b.particle_mass,
                "mass_stars": star.sum() * b.particle_mass,
                "sfr": (born_stars > t - 0.06).sum() * b.particle_mass / 6e7,
                "age": float(np.mean(t - born_stars)) if star.any() else np.nan,
                "n_stars": int(star.sum()),
                "radius": radius,
                "t_ff": 1e3 * float(free_fall_time(len(there) * b.particle_mass, radius)),
                "v_circ": float(v_circ(mass, radius)),
                "v_limit": v_limit,
                "born": born,
            }
            kept.append((row, centre, form, longest))
        if kept:
            stars = np.flatnonzero(b.star)
            number, total = np.zeros(len(kept), dtype=np.int64), np.zeros(len(kept))
            centres, radii = np.array([one[1] for one in kept]), np.array([one[3] for one in kept])
            forms = np.array([one[2] for one in kept])
            _around(position[stars], b.born[stars], centres, radii, forms, number, total)
            for (row, *_), n, born in zip(kept, number, total, strict=True):
                row["n_inside"] = int(n)
                row["age_inside"] = t - born / n if n else np.nan
                self._rows.append(row)

    def members(self, index: int) -> dict[int, np.ndarray]:
        """Identifiers of each clump's stars in a snapshot."""
        return self._members.get(index, {})

    def table(self) -> QTable:
        """All rows, with the classes that follow from them."""
        by_clump = {}
        for row in self._rows:
            body = self._ends.get(row["clump"])
            row["ended"] = body.ended if body is not None else row["time"]
            row["into"] = body.into if body is not None else 0
            by_clump.setdefault(row["clump"], []).append(row)
        for rows in by_clump.values():
            self._classify(rows)
        made = QTable()
        for name, kind, unit, description in RECORD_COLUMNS:
            values = np.array([row[name] for row in self._rows], dtype=kind)
            made[name] = values if unit is None else u.Quantity(values, unit)
            made[name].info.description = description
        return made

    def _classify(self, rows):
        """The paper's clump time and class of one clump, from what the generator knows (sections 3.1.2 and 3.1.3).

        A clump is there to be seen once half assembled, with 10 stars of its own, which is what the paper tracks; a patch may have those
        of the disc.
        """
        count = "n_inside" if rows[0]["kind"] == "fluctuation" else "n_stars"
        seen = [row for row in rows if row["assembled"] >= 0.5 and row[count] >= _TRACKED]
        if not seen:
            for row in rows:
                row["t_clump"] = row["lifetime"] = np.nan
                row["longevity"] = ""
            return
        first = seen[0]
        before = self._times[first["snapshot"] - 1] if first["snapshot"] else -np.inf
        start = first["age_inside"] if first["age_inside"] <= first["time"] - before else 0.0
        t_ff = np.average([row["t_ff"] for row in seen], weights=[row["mass"] for row in seen])
        lifetime = 1e3 * (start + seen[-1]["time"] - first["time"])
        longevity = "ZLC" if lifetime == 0 else "LLC" if lifetime >= self.long_lived * t_ff else "SLC"
        for row in rows:
            row["t_clump"] = 1e3 * max(start + row["time"] - first["time"], 0.0)
            row["lifetime"], row["longevity"] = lifetime, longevity
