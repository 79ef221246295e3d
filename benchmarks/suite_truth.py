"""How `bench_synthetic` compares finder and tracker with the generator's record, and describes populations."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import astropy.units as u
import numpy as np

from astroclumps import ClumpTracker, catalog

CLASSES = ("ZLC", "SLC", "LLC")
MASSIVE = 1e7
QUANTITIES = (
    "mass mass_stars mass_gas gas_fraction young_fraction age age_scatter metallicity metallicity_gas radius density t_ff delta shape "
    "sigma v_circ alpha_vir energy_ratio bound_fraction r_norm height sfr ssfr n_stars delta_dark spin"
).split()


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
            tracker.add(
                SimpleNamespace(name=snapshot.name, time=snapshot.time, scale_factor=snapshot.scale_factor, stars=snapshot.stars),
                table,
                labels,
            )
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


def _facts(record):
    facts = {}
    times = dict(zip(record["snapshot"].tolist(), record["time"].value.tolist(), strict=True))
    for row in record:
        one = facts.setdefault(int(row["clump"]), {"bound": set(), "seen": set(), "mass": 0.0})
        one["seen"].add(int(row["snapshot"]))
        if row["bound"]:
            one["bound"].add(int(row["snapshot"]))
        one["mass"] = max(one["mass"], row["mass"].value)
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
        facts = _facts(record)
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
        ("", "links", "right", "share"),
        ("links that the tracker made", total["made"], total["made, right"], f"{total['made, right'] / max(total['made'], 1):.1%}"),
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
        facts = _facts(record)
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
                    or not fact["longevity"]
                    or fact["mass"] < MASSIVE
                    or str(row["longevity"]) == ""
                ):
                    continue
                if min(fact["seen"]) == 0 or max(fact["seen"]) == last:
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


def quantity(table, name):
    """A column or a combination of them, as floats."""
    if name == "gas_fraction":
        return (table["mass_gas"] / table["mass"]).value
    if name == "young_fraction":
        return (table["mass_young"] / table["mass_stars"]).value
    if name == "ssfr":
        return (table["sfr"] / table["mass_stars"]).value
    if name == "height":
        return np.abs(u.Quantity(table["height"]).value)
    if name == "spin":
        momentum = np.sqrt(sum(table[f"ang_mom_{axis}"] ** 2 for axis in "xyz"))
        return (momentum / (table["radius"] * table["v_circ"])).decompose().value
    column = table[name]
    return np.asarray(getattr(column, "value", column), dtype=float)


def _in_situ(table):
    return table[(table["track"] > 0) & np.isin(table["longevity"], CLASSES)]


def _threshold(values, long):
    """Threshold and direction of best balanced accuracy."""
    order = np.argsort(values)
    value, flag = values[order], long[order]
    above = 1 - np.cumsum(flag) / max(flag.sum(), 1)  # long-lived above the cut
    below = np.cumsum(~flag) / max((~flag).sum(), 1)
    score = 0.5 * (above + below)
    k = int(np.argmax(abs(score - 0.5)))
    return value[k], 1 if score[k] >= 0.5 else -1


def _balanced(values, long, cut, direction):
    guess = values > cut if direction > 0 else values <= cut
    return 0.5 * (np.mean(guess[long]) + np.mean(~guess[~long]))


def single_quantities(suite, other):
    """Balanced accuracy of the best threshold, chosen on one half of the galaxies and judged on the other."""
    scores, rows = {}, [("quantity", "LLC median", "SLC median", "suite", "hydrodynamical disc, fitted to itself")]
    for name in QUANTITIES:
        mean, medians = _score(suite, name)
        scores[name] = mean
        rows.append((name, *medians, f"{mean:.3f}", f"{_score(other, name)[0]:.3f}" if other is not None else "-"))
    head, body = rows[0], sorted(rows[1:], key=lambda row: -scores[row[0]])
    return scores, [head, *body]


def _score(table, name):
    one = _in_situ(table)
    one = one[(one["longevity"] != "ZLC") & (one["left_censored"] == 0)]
    long = np.asarray(one["longevity"] == "LLC")
    values = quantity(one, name)
    good = np.isfinite(values)
    values, long, half = values[good], long[good], np.asarray(one["galaxy"])[good] % 2
    made = []
    for side in (0, 1):
        fit, judge = half == side, half != side
        if min(long[fit].sum(), (~long[fit]).sum(), long[judge].sum(), (~long[judge]).sum()) == 0:
            return np.nan, ("-", "-")
        made.append(_balanced(values[judge], long[judge], *_threshold(values[fit], long[fit])))
    return float(np.mean(made)), tuple(f"{np.median(values[which]):.3g}" for which in (long, ~long))


def populations(suite, records, other):
    """The suite's populations beside METHODS 1, and those of the hydrodynamical disc."""
    rows = [("number", "METHODS 1", "suite", "hydrodynamical disc")]
    ours, theirs = _numbers(suite), _numbers(other) if other is not None else defaultdict(lambda: "-")
    for name, paper in _PAPER:
        rows.append((name, paper, ours[name], theirs[name]))
    migration = []
    for record in records:
        clumps = record[(record["kind"] == "clump") & (record["bound"] == 1)]
        for number in np.unique(clumps["clump"]):
            one = clumps[clumps["clump"] == number]
            if len(one) > 1 and str(one["longevity"][0]) == "LLC":
                migration.append(float((one["r_cyl"][-1] / one["r_cyl"][0]).value))
    rows.append(("record: LLC's last radius over its first", "inwards", f"{np.median(migration):.2f}" if migration else "-", "-"))
    return rows


_PAPER = (
    ("clumps of >= 10 stars a snapshot", "-"),
    ("ZLC share of in-situ clumps", "~75%"),
    ("ZLC share of in-situ tracks", "~75%"),
    ("SLC share of in-situ clumps", "-"),
    ("LLC share of in-situ clumps", "-"),
    ("SLC : LLC, clumps", "5:1-10:1 (METHODS 4, stamps)"),
    ("ex situ by number", "5%"),
    ("ex situ by mass", "~40%"),
    ("off-centre SLC + LLC a snapshot", "3-4 in clumpy discs"),
    ("SLC, LLC: median mass over disc's", "~1%"),
    ("SLC + LLC: median age (Myr)", "100-400"),
    ("share of SFR in in-situ clumps", "3-6%"),
    ("share of SFR in all clumps off centre", "3-6%"),
    ("SLC: median SFR over disc's", "-"),
    ("sfZLC: SFR over disc's, dex below SLC", "0.3"),
    ("sfZLC share of ZLC", "-"),
    ("S_c: LLC median", ">= ~0.8"),
    ("S_c: SLC median", "~0.4"),
    ("S_c: sfZLC median", "below SLC"),
    ("alpha_vir: ZLC over SLC median", ">> 1"),
    ("radius: SLC + LLC median (kpc)", "~0.18"),
    ("r/R_d: SLC, LLC, sfZLC medians", "sfZLC nearer the centre, tail to 0.15"),
    ("r/R_d at first sight: SLC, LLC", "outskirts, both"),
    ("slope dN/dM of SLC + LLC above 1e7.5", "slightly shallower than -2"),
    ("t_ff: SLC + LLC median (Myr)", "20 t_ff ~ a step"),
    ("lifetime over 20 t_ff: SLC, LLC medians", "bimodal about 1"),
    ("gas fraction of the disc", "0.2-0.4"),
    ("H_d/R_d", "0.3-0.55"),
    ("M_gas/SFR (Gyr)", "~1"),
)


def _numbers(table):
    inside = _in_situ(table)
    alive = table[(table["track"] > 0) & (table["origin"] != "bulge")]
    ended = inside[inside["left_censored"] == 0]
    slc, llc, zlc = (inside[inside["longevity"] == name] for name in ("SLC", "LLC", "ZLC"))
    sf = zlc[zlc["sf_zlc"] == 1]
    both = inside[inside["longevity"] != "ZLC"]
    ex = alive[alive["origin"] == "ex situ"]
    key = np.asarray(table["galaxy"]) if "clump" in table.colnames else np.zeros(len(table), dtype=int)
    n = len({pair for pair in zip(key.tolist(), table["snapshot"].tolist(), strict=True)})
    _, one = np.unique(np.stack([key, np.asarray(table["snapshot"])]), axis=1, return_index=True)
    discs = table[one]
    key = np.asarray(inside["galaxy"]) * 100_000 + np.asarray(inside["track"])
    _, first = np.unique(key, return_index=True)
    tracks = inside[first]
    made = defaultdict(lambda: "-")

    def middle(values, form=".2f"):
        values = np.asarray(getattr(values, "value", values), dtype=float)
        return format(np.median(values), form) if len(values) else "-"

    def share(part, whole):
        return f"{part / whole:.1%}" if whole else "-"

    made["clumps of >= 10 stars a snapshot"] = f"{len(alive) / max(n, 1):.1f}"
    for name, some in (("ZLC", zlc), ("SLC", slc), ("LLC", llc)):
        made[f"{name} share of in-situ clumps"] = share(len(some), len(inside))
    made["ZLC share of in-situ tracks"] = share(np.sum(tracks["longevity"] == "ZLC"), len(tracks))
    made["SLC : LLC, clumps"] = f"{len(slc) / max(len(llc), 1):.2f}:1"
    made["ex situ by number"] = share(len(ex), len(alive))
    made["ex situ by mass"] = share(ex["mass"].value.sum(), alive["mass"].value.sum())
    made["off-centre SLC + LLC a snapshot"] = f"{len(both) / max(n, 1):.2f}"
    ratios = (middle(100 * some["mass"].value / some["disc_mass"]) + "%" for some in (slc, llc))
    made["SLC, LLC: median mass over disc's"] = " / ".join(ratios)
    ages = [middle(1e3 * some["age"].value, ".0f") for some in (both, slc, llc)]
    made["SLC + LLC: median age (Myr)"] = f"{ages[0]} (SLC {ages[1]}, LLC {ages[2]})"
    total = discs["disc_sfr"].sum()
    made["share of SFR in in-situ clumps"] = share(inside["sfr"].value.sum(), total)
    made["share of SFR in all clumps off centre"] = share(alive["sfr"].value.sum(), total)
    ratio = {name: t["sfr"].value / t["disc_sfr"] for name, t in (("SLC", slc), ("sf", sf))}
    made["SLC: median SFR over disc's"] = middle(ratio["SLC"], ".2e")
    if len(sf) and len(slc):
        positive = ratio["SLC"][ratio["SLC"] > 0]
        made["sfZLC: SFR over disc's, dex below SLC"] = f"{np.median(np.log10(positive)) - np.median(np.log10(ratio['sf'])):.2f}"
    made["sfZLC share of ZLC"] = share(len(sf), len(zlc))
    for name, some in (("LLC", llc), ("SLC", slc), ("sfZLC", sf)):
        made[f"S_c: {name} median"] = middle(some["shape"])
    if len(zlc) and len(slc):
        made["alpha_vir: ZLC over SLC median"] = f"{np.median(zlc['alpha_vir']) / np.median(slc['alpha_vir']):.1f}"
    made["radius: SLC + LLC median (kpc)"] = middle(both["radius"])
    made["r/R_d: SLC, LLC, sfZLC medians"] = ", ".join(middle(t["r_norm"]) for t in (slc, llc, sf))
    start = ended[np.unique(np.asarray(ended["galaxy"]) * 100_000 + np.asarray(ended["track"]), return_index=True)[1]]
    made["r/R_d at first sight: SLC, LLC"] = ", ".join(middle(start["r_norm"][start["longevity"] == name]) for name in ("SLC", "LLC"))
    heavy = both["mass"].value[both["mass"].value > 10**7.5]
    if len(heavy) > 20:  # maximum likelihood of a power law
        slope = -1 - len(heavy) / np.sum(np.log(heavy / 10**7.5))
        made["slope dN/dM of SLC + LLC above 1e7.5"] = f"{slope:.2f} +- {abs(slope + 1) / np.sqrt(len(heavy)):.2f}"
    made["t_ff: SLC + LLC median (Myr)"] = middle(both["t_ff"], ".1f")
    long = tracks[tracks["left_censored"] == 0]
    made["lifetime over 20 t_ff: SLC, LLC medians"] = ", ".join(
        middle((t["lifetime"] / t["t_ff_mean"]).decompose().value / 20)
        for t in (long[long["longevity"] == name] for name in ("SLC", "LLC"))
    )
    made["gas fraction of the disc"] = middle(discs["disc_gas_fraction"])
    made["H_d/R_d"] = middle(discs["disc_h_d"] / discs["disc_r_d"])
    made["M_gas/SFR (Gyr)"] = middle(discs["disc_mass"] * discs["disc_gas_fraction"] / discs["disc_sfr"] / 1e9)
    return made
