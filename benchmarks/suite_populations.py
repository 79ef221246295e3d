"""Populations of the synthetic suite beside METHODS 1, and what single quantities tell about longevity."""

from collections import defaultdict

import astropy.units as u
import numpy as np

CLASSES = ("ZLC", "SLC", "LLC")
QUANTITIES = (
    "mass mass_stars mass_gas gas_fraction young_fraction age age_scatter metallicity metallicity_gas radius density t_ff delta shape "
    "sigma v_circ alpha_vir energy_ratio bound_fraction r_norm height sfr ssfr n_stars delta_dark spin"
).split()


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
    ratio = {name: t["sfr"].value / np.where(t["disc_sfr"] > 0, t["disc_sfr"], np.nan) for name, t in (("SLC", slc), ("sf", sf))}
    made["SLC: median SFR over disc's"] = middle(ratio["SLC"][np.isfinite(ratio["SLC"])], ".2e")
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
    made["M_gas/SFR (Gyr)"] = middle(discs["disc_mass"] * discs["disc_gas_fraction"] / np.maximum(discs["disc_sfr"], 1e-3) / 1e9)
    return made
