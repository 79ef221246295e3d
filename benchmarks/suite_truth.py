"""How `bench_synthetic` compares finder and tracker with the generator's record."""

from collections import Counter
from types import SimpleNamespace

import astropy.units as u
import numpy as np

from astroclumps import ClumpTracker, catalog

CLASSES = ("ZLC", "SLC", "LLC")
MASSIVE = 1e7


def disc_numbers(snapshot):
    """What populations are measured against, as floats."""
    disc = snapshot.disc
    mass = disc.gas_mass + disc.star_mass
    return {
        "r_d": disc.r_d.to_value(u.kpc),
        "h_d": disc.h_d.to_value(u.kpc),
        "mass": mass.to_value(u.Msun),
        "sfr": disc.sfr.to_value(u.Msun / u.yr),
        "gas_fraction": disc.gas_fraction,
    }


def match(tables, labels, ids, members, record):
    """For each found clump: the record's clump that shares most stars, and the share of either's stars.

    Patches hold few stars: what shares none with anything belongs to a patch whose centre it is near.
    """
    clump, of_clump, of_found = [], [], []
    for k, (table, star_labels, star_ids, known) in enumerate(zip(tables, labels, ids, members, strict=True)):
        patches = record[(record["snapshot"] == k) & (record["kind"] == "fluctuation")]
        centres = np.stack([patches[f"pos_{axis}"].value for axis in "xyz"], axis=1)
        inside = np.flatnonzero(star_labels)
        owner = np.zeros(len(inside), dtype=np.int64)
        order = np.argsort(star_ids[inside])
        sorted_ids = star_ids[inside][order]
        for number, stars in known.items():
            at = np.searchsorted(sorted_ids, stars)
            at[at == len(sorted_ids)] = 0
            hit = sorted_ids[at] == stars if len(sorted_ids) else np.zeros(len(stars), dtype=bool)
            owner[order[at[hit]]] = number
        pairs = Counter(zip(star_labels[inside].tolist(), owner.tolist(), strict=True))
        best = {}
        for (label, number), n in pairs.items():
            if number and n > best.get(label, (0, 0))[1]:
                best[label] = (number, n)
        for row in table:
            number, n = best.get(int(row["id"]), (0, 0))
            part, found = (n / len(known[number]), n / int(row["n_stars"])) if number else (0.0, 0.0)
            good = n >= 5 and (part >= 0.25 or found >= 0.25)
            if not good:
                distance = np.linalg.norm(centres - [row[f"pos_{axis}"].value for axis in "xyz"], axis=1)
                at = np.flatnonzero(distance < np.maximum(patches["radius"].value, 0.15))
                number = int(patches["clump"][at[np.argmin(distance[at])]]) if len(at) else 0
            clump.append(number)
            of_clump.append(part)
            of_found.append(found)
    return np.array(clump, dtype=np.int64), np.array(of_clump), np.array(of_found)


def only_names(snapshot):
    """What the tracker needs of a snapshot: its time and the stars' identifiers."""
    stars = snapshot.stars[["particle_id"]]
    return SimpleNamespace(name=snapshot.name, time=snapshot.time, scale_factor=snapshot.scale_factor, stars=stars)


def track_record(snapshots, record, members):
    """The tracker on the record's own clumps: what a finder without fault would have given it."""
    with ClumpTracker() as tracker:
        numbers = []
        for k, snapshot in enumerate(snapshots):
            rows = record[(record["snapshot"] == k) & (record["assembled"] >= 0.5)]
            rows = rows[np.argsort(-rows["mass"].value, kind="stable")]
            table = catalog.make_table("found", len(rows))
            ids = np.asarray(snapshot.stars["particle_id"])
            order = np.argsort(ids)
            labels = np.zeros(len(ids), dtype=np.int32)
            for j, row in enumerate(rows):
                stars = members[k][int(row["clump"])]
                labels[order[np.searchsorted(ids[order], stars)]] = j + 1
            for name in ("pos_x", "pos_y", "pos_z", "mass", "sfr", "t_ff"):
                table[name] = rows[name]
            table["id"] = np.arange(1, len(rows) + 1)
            table["n_stars"] = np.bincount(labels, minlength=len(rows) + 1)[1:]
            table["age"] = np.where(np.isfinite(rows["age_inside"]), rows["age_inside"], 0 * u.Gyr)
            table["origin"] = np.where(rows["kind"] == "satellite", "ex situ", "in situ")
            tracker.add(snapshot, table, labels)
            numbers.extend(rows["clump"].tolist())
        made = tracker.finish()
    made["clump"] = numbers
    return made[
        "snapshot",
        "node",
        "progenitor",
        "track",
        "n_stars",
        "mass",
        "longevity",
        "lifetime",
        "t_ff_mean",
        "clump",
        "left_censored",
        "censored",
    ]


def _facts(record, table):
    """What the record says of each clump; ``searched``: it lay inside R_d, where the finder looks, whenever it was there to be seen."""
    facts = {}
    sizes = dict(zip(table["snapshot"].tolist(), table["disc_r_d"].tolist(), strict=True))
    times = dict(zip(record["snapshot"].tolist(), record["time"].value.tolist(), strict=True))
    for row in record:
        one = facts.setdefault(int(row["clump"]), {"bound": set(), "seen": set(), "mass": 0.0})
        one["seen"].add(int(row["snapshot"]))
        if row["bound"]:
            one["bound"].add(int(row["snapshot"]))
        one["mass"] = max(one["mass"], row["mass"].value)
        if row["assembled"] >= 0.5 and row["n_stars"] >= 10:
            outer = row["r_cyl"].value + row["radius"].value
            one["searched"] = one.get("searched", True) and outer < sizes.get(int(row["snapshot"]), np.inf)
        if row["assembled"] >= 0.5 and (row["n_stars"] >= 10 or row["kind"] == "fluctuation") and "age" not in one:
            before = times.get(int(row["snapshot"]) - 1, -np.inf)
            one.update(age=row["age_inside"].value, step=row["time"].value - before)
        one.setdefault("t_ff", []).append((row["t_ff"].value, row["mass"].value) if row["assembled"] >= 0.5 else (0.0, 0.0))
        one["life_myr"] = row["lifetime"].value
        one.update(kind=str(row["kind"]), parent=int(row["parent"]), into=int(row["into"]), longevity=str(row["longevity"]))
    for one in facts.values():
        t_ff, weight = np.array(one.pop("t_ff")).T
        one["life"] = one["life_myr"] / (20 * np.average(t_ff, weights=weight)) if weight.any() else 0.0
        one.setdefault("age", 0.0)
        one.setdefault("step", 1.0)
    return facts


def link_table(tables, records):
    """Links that the tracker made beside those that the record has."""
    total = Counter()
    for table, record in zip(tables, records, strict=True):
        facts = _facts(record, table)
        rows = table[(table["track"] > 0) & (table["clump"] > 0) & (table["origin"] != "bulge")]
        clump_of = dict(zip(rows["node"].tolist(), rows["clump"].tolist(), strict=True))
        for row in rows:
            number, before = int(row["clump"]), int(row["progenitor"])
            if before in clump_of:
                other = clump_of[before]
                one, two = facts[number], facts[other]
                family = other == number or one["parent"] == other or two["into"] == number
                total["made"] += 1
                total["made, right"] += family
        found = set(zip(table["clump"].tolist(), table["snapshot"].tolist(), strict=True))
        size = dict(zip(table["snapshot"].tolist(), table["disc_r_d"].tolist(), strict=True))
        seen = record[(record["assembled"] >= 0.5) & (record["n_stars"] >= 10) & (record["mass"].value >= MASSIVE)]
        for row in seen[np.isin(seen["kind"], ("clump", "remnant"))]:
            if row["r_cyl"].value < size.get(int(row["snapshot"]), 0.0):
                total["there"] += 1
                total["found"] += (int(row["clump"]), int(row["snapshot"])) in found
        last = {}
        for row in rows[np.lexsort([-rows["n_stars"], rows["snapshot"]])]:
            number, index = int(row["clump"]), int(row["snapshot"])
            if index not in facts[number]["bound"]:
                continue
            if number in last and last[number][0] < index:
                total["true"] += 1
                total["true, made"] += int(row["progenitor"]) == last[number][1]
            if number not in last or last[number][0] < index:
                last[number] = (index, int(row["node"]))
    return [
        ("", "number", "right", "share"),
        ("links that the tracker made", total["made"], total["made, right"], f"{total['made, right'] / max(total['made'], 1):.1%}"),
        (
            "bound clumps above 1e7 Msun with 10 stars inside R_d, found",
            total["there"],
            total["found"],
            f"{total['found'] / max(total['there'], 1):.1%}",
        ),
        ("links of bound clumps that there are", total["true"], total["true, made"], f"{total['true, made'] / max(total['true'], 1):.1%}"),
    ]


def _confusion(pairs):
    rows = [("record \\ tracker", *CLASSES, "right")]
    for name in CLASSES:
        counts = [sum(n for (a, b), n in pairs.items() if a == name and b == found) for found in CLASSES]
        rows.append((name, *counts, f"{counts[CLASSES.index(name)] / max(sum(counts), 1):.1%}"))
    right = sum(n for (a, b), n in pairs.items() if a == b)
    rows.append(("all", "", "", "", f"{right / max(sum(pairs.values()), 1):.1%}"))
    return rows


def _is_clear(fact):
    """Whether neither the age that decides on zero life nor the lifetime in free-fall times is within 30% of its border."""
    age, step, life = fact["age"], fact["step"], fact["life"]
    return not 0.7 < age / step < 1.3 and not (life and 0.7 < life < 1.3)


def class_tables(tables, records, own):
    """Confusion of longevity classes: tracker alone, and finder with tracker; and of the generator's kinds."""
    alone, chain, clear, kinds = Counter(), Counter(), Counter(), Counter()
    for table, record, perfect in zip(tables, records, own, strict=True):
        facts = _facts(record, table)
        last = max(int(row) for row in record["snapshot"])
        for source, pairs in ((perfect, alone), (table, chain)):
            first = {}
            for row in source[source["track"] > 0]:
                first.setdefault(int(row["clump"]), row)
            for number, row in first.items():
                fact = facts.get(number)
                if (
                    not number
                    or fact is None
                    or fact["kind"] == "satellite"
                    or fact["longevity"] not in CLASSES
                    or fact["mass"] < MASSIVE
                    or str(row["longevity"]) not in CLASSES
                ):
                    continue
                if min(fact["seen"]) == 0 or max(fact["seen"]) == last or not fact.get("searched", True):
                    continue
                pairs[fact["longevity"], str(row["longevity"])] += 1
                if source is table and _is_clear(fact):
                    clear[fact["longevity"], str(row["longevity"])] += 1
        for row in table[(table["track"] > 0) & (table["longevity"] != "")]:
            fact = facts.get(int(row["clump"]))
            name = "nothing of its own" if fact is None else fact["kind"]
            kinds[name, str(row["longevity"])] += 1
    rows = [("found in situ, generator's kind", *CLASSES)]
    for name in ("clump", "remnant", "satellite", "fluctuation", "nothing of its own"):
        rows.append((name, *(kinds[name, found] for found in CLASSES)))
    return [
        ("Tracker alone: on the record's members, above 1e7 Msun", _confusion(alone)),
        ("Finder and tracker: above 1e7 Msun, whole lives", _confusion(chain)),
        ("Clear cases: those not within 30% of a border", _confusion(clear)),
        ("Kinds: what the generator put where clumps were found", rows),
    ]
