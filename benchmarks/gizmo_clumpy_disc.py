"""Finder and tracker on a gas-rich disc run with GIZMO, beside what the paper and an independent implementation found.

Run ``python benchmarks/gizmo_clumpy_disc.py DATA [--out docs/tables]`` with the folder of ``snapshot_000.hdf5`` to
``snapshot_020.hdf5``. It prints its tables, and writes them as CSV where ``--out`` says; the documentation shows those files.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np

from astroclumps import ClumpFinder3D, ClumpTracker, Snapshot
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.simulation.snapshot import vela_cosmology

REDSHIFT = 2.0  # that an isolated disc stands for
HALO = 6e11 * u.Msun  # the run's static potential
REFERENCE = (0, 9, 10, 14, 26, 52, 33, 48, 32, 54, 52, 53, 61, 52, 49, 59, 62, 77, 66, 76, 75)  # clumps of at least 10 stars, slow code
REFERENCE_SETTINGS = {"connectivity": 26, "background_fwhm": 2.5 * u.kpc}
CLASSES = ("ZLC", "SLC", "LLC")


def read_all(folder):
    """All snapshots of the run; old stars are given ages of 1 to 3 Gyr at its start."""
    critical = vela_cosmology().critical_density(REDSHIFT)
    r_vir = np.cbrt(3 * HALO / (4 * np.pi * 200 * critical)).to(u.kpc)
    given = {"old_star_age": [1, 3] * u.Gyr, "metallicity": 0.01, "redshift": REDSHIFT, "r_vir": r_vir}
    return [Snapshot.read(path, format="hdf5", **given) for path in sorted(folder.glob("snapshot_*.hdf5"))]


def find_all(snapshots, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)  # that the start has no cold gas, and no clumps
        return [ClumpFinder3D(**settings).find(snapshot) for snapshot in snapshots]


def track(snapshots, found, *, every=1, **settings):
    """Tracked table, links by gap, and links of every ``every``-th snapshot."""
    with ClumpTracker(**settings) as tracker:
        for snapshot, (clumps, labels) in list(zip(snapshots, found, strict=True))[::every]:
            tracker.add(snapshot, clumps, labels)
        return tracker.finish(), tracker.links, tracker.edges()


def tracks(tracked):
    """One row of each track with a class."""
    rows = tracked[tracked["longevity"] != ""]
    _, first = np.unique(rows["track"], return_index=True)
    return rows[first]


def shares(tracked):
    """Counts, and shares of classes: of tracks, of tracks that both begin and end within the run, and of clumps (a track's every row)."""
    one = tracks(tracked)
    rows = tracked[tracked["longevity"] != ""]
    whole = one[(one["censored"] == 0) & (one["left_censored"] == 0)]

    def of(table):
        return [f"{np.mean(table['longevity'] == name):.0%}" if len(table) else "-" for name in CLASSES]

    return {
        "in-situ clumps": len(rows),
        "tracks": len(one),
        **dict(zip(("ZLC", "SLC", "LLC"), of(one), strict=True)),
        "LLC tracks": int(np.sum(one["longevity"] == "LLC")),
        "censored": int(np.sum(one["censored"])),
        **dict(zip(("ZLC, whole", "SLC, whole", "LLC, whole"), of(whole), strict=True)),
        **dict(zip(("ZLC, of clumps", "SLC, of clumps", "LLC, of clumps"), of(rows), strict=True)),
    }


def counts(snapshots, reference, paper, raw):
    """Clumps of each snapshot beside those of the independent code."""
    for i, snapshot in enumerate(snapshots):
        many = reference[i][0]["n_stars"] >= 10
        ours = paper[i][0]["n_stars"] >= 10
        disc = snapshot.disc
        everything = raw[i][0]
        elements = np.asarray(everything["n_stars"] + everything["n_gas"])
        yield {
            "snapshot": i,
            "time [Myr]": f"{snapshot.time.to_value(u.Myr):.0f}",
            "R_d [kpc]": f"{disc.r_d.value:.1f}",
            "H_d [kpc]": f"{disc.h_d.value:.2f}",
            "gas fraction": f"{disc.gas_fraction:.2f}",
            "SFR [Msun/yr]": f"{disc.sfr.value:.1f}",
            "independent": REFERENCE[i],
            "same settings": int(many.sum()),
            "defaults": int(ours.sum()),
            "all regions": len(everything),
            "of one element": int(np.sum(elements <= 1)),
            "largest [cells]": int(np.max(everything["n_cells"], initial=0)),
        }


def compare(name, variants):
    for label, tracked in variants:
        yield {name: label, **shares(tracked)}


def gaps(runs):
    """Links by gap for several (label, links)."""
    for gap in sorted({row["gap"] for _, links in runs for row in links}):
        made = {"gap": gap}
        for label, links in runs:
            row = links[links["gap"] == gap]
            made[f"main links, {label}"] = int(row["n_main"].sum())
            made[f"of at most 5 stars, {label}"] = int(row["n_few"].sum())
            made[f"merged, {label}"] = int(row["n_merged"].sum())
        yield made


def traps(runs):
    """What METHODS 1 warns of, counted for several (label, all regions, clumps, tracked table)."""
    columns = {}
    for label, raw, found, tracked in runs:
        regions = [table for table, _ in raw[1:]]
        elements = np.concatenate([table["n_stars"] + table["n_gas"] for table in regions])
        n_kept = sum(len(table) for table, _ in found[1:])
        bulge = tracked[tracked["origin"] == "bulge"]
        distance = np.sqrt(sum(bulge[f"pos_{axis}"] ** 2 for axis in "xyz")).to_value(u.kpc)
        first = tracks(tracked)
        in_long = np.isin(tracked["track"], first["track"][first["longevity"] == "LLC"])
        far = in_long & (tracked["gap"] >= 3)
        few = far & (tracked["n_shared"] <= 5)
        columns[label] = {
            "regions (snapshots 1 to 20)": len(elements),
            "... of one element": f"{np.mean(elements <= 1):.0%}",
            "... left out by default (fewer than 10 stars and 10 gas elements)": f"{1 - n_kept / len(elements):.0%}",
            "largest region in cells": max(table["n_cells"].max() for table in regions),
            "bulge clumps": len(bulge),
            "... of which the centre of mass is more than 2 cells off": int(np.sum(distance > 2 * 0.07)),
            "... farthest centre of mass [kpc]": f"{distance.max():.2f}",
            "in-situ clumps on the bulge's tracks": int(np.sum(np.isin(tracked["track"], bulge["track"]) & (tracked["longevity"] != ""))),
            "long-lived tracks": len(set(tracked["track"][in_long])),
            "... with a link over 3 snapshots or more": len(set(tracked["track"][far])),
            "... of which one rests on at most 5 stars": len(set(tracked["track"][few])),
        }
    for name in next(iter(columns.values())):
        yield {"trap": name, **{label: values[name] for label, values in columns.items()}}


def expectations(snapshots, runs):
    """Numbers of METHODS 1 beside those of the run, for several (label, tracked table, snapshots)."""
    columns = {}
    for label, tracked, part in runs:
        in_situ = tracked[tracked["longevity"] != ""]
        lasting = in_situ[in_situ["longevity"] != "ZLC"]
        late = range(5, len(part)) if len(part) > 10 else range(2, len(part))  # once the disc has fragmented
        disc = [part[i].disc for i in late]
        share = [in_situ["sfr"][in_situ["snapshot"] == i].sum().value / one.sfr.value for i, one in zip(late, disc, strict=True)]
        mass = np.array([(one.disc.gas_mass + one.disc.star_mass).value for one in part])
        kinds = {name: in_situ[in_situ["longevity"] == name] for name in CLASSES}
        sfr = np.array([one.disc.sfr.value for one in part])

        def rate(rows, sfr=sfr):
            ratio = rows["sfr"].value[rows["sfr"] > 0] / sfr[rows["snapshot"][rows["sfr"] > 0]]
            return np.log10(np.median(ratio))

        columns[label] = [
            " / ".join(f"{np.mean(tracks(tracked)['longevity'] == name):.0%}" for name in CLASSES),
            " / ".join(f"{len(kinds[name]) / len(in_situ):.0%}" for name in CLASSES),
            f"{np.median([np.sum(lasting['snapshot'] == i) for i in late]):.0f}",
            f"{np.median(lasting['mass'].value / mass[lasting['snapshot']]):.1%}",
            f"{np.median(lasting['age'].to_value(u.Myr)):.0f}",
            f"{np.median(kinds['SLC']['shape']):.2f}, {np.median(kinds['LLC']['shape']):.2f}",
            f"{np.median(share):.0%}",
            f"{rate(kinds['ZLC']) - rate(kinds['SLC']):.1f}",
            ", ".join(f"{np.median(kinds[name]['v_circ'].value):.0f}" for name in ("SLC", "LLC")),
            ", ".join(f"{np.log10(np.median(kinds[name]['mass'].value)):.1f}" for name in ("SLC", "LLC")),
            f"{np.mean(tracked['origin'] == 'ex situ'):.0%}",
            f"{np.median([(one.h_d / one.r_d).value for one in disc]):.2f}",
            f"{np.median([one.gas_fraction for one in disc]):.2f}",
            f"{np.median([(one.gas_mass / one.sfr).to_value(u.Gyr) for one in disc]):.1f}",
        ]
    rows = (
        ("ZLC / SLC / LLC, of tracks", "-"),
        ("ZLC / SLC / LLC, of clumps", "75% ZLC"),
        ("SLC and LLC a snapshot", "3-4"),
        ("mass of one over the disc's", "1%"),
        ("its mean stellar age [Myr]", "100-400"),
        ("S_c of SLC, LLC", "0.4, 0.8"),
        ("part of the disc's SFR in clumps", "3-6%"),
        ("SFR of sfZLC over that of SLC [dex]", "-0.3"),
        ("V_circ of SLC, LLC [km/s]", "below, above 40"),
        ("log10 mass of SLC, LLC [Msun]", "below, above 8.2"),
        ("ex situ, of clumps", "5%"),
        ("H_d / R_d", "0.3-0.55"),
        ("gas fraction", "0.2-0.4"),
        ("gas mass over SFR [Gyr]", "1"),
    )
    for i, (name, expected) in enumerate(rows):
        yield {"quantity": name, "METHODS 1": expected, **{label: values[i] for label, values in columns.items()}}


def properties(snapshots, tracked):
    """Medians by class, at the clumps' own snapshots."""
    sfr_disc = np.array([snapshot.disc.sfr.value for snapshot in snapshots])[tracked["snapshot"]]
    mass_disc = np.array([(snapshot.disc.gas_mass + snapshot.disc.star_mass).value for snapshot in snapshots])[tracked["snapshot"]]
    classes = {name: tracked["longevity"] == name for name in CLASSES}
    classes["sfZLC"] = tracked["sf_zlc"] == 1
    classes["bulge"] = (tracked["origin"] == "bulge") & (tracked["track"] > 0)
    for name, rows in classes.items():
        part = tracked[rows]
        if not len(part):
            continue
        forming = part["sfr"].value > 0
        ratio = part["sfr"].value[forming] / sfr_disc[rows][forming]
        yield {
            "class": name,
            "clumps": len(part),
            "log10 mass [Msun]": f"{np.log10(np.median(part['mass'].value)):.2f}",
            "mass / disc": f"{np.median(part['mass'].value / mass_disc[rows]):.2%}",
            "radius [pc]": f"{np.median(part['radius'].to_value(u.pc)):.0f}",
            "t_ff [Myr]": f"{np.median(part['t_ff'].value):.1f}",
            "age [Myr]": f"{np.median(part['age'].to_value(u.Myr)):.0f}",
            "S_c": f"{np.median(part['shape']):.2f}",
            "alpha_v": f"{np.median(part['alpha_vir']):.1f}",
            "V_circ [km/s]": f"{np.median(part['v_circ'].value):.0f}",
            "r / R_d": f"{np.median(part['r_norm']):.2f}",
            "forming stars": f"{forming.mean():.0%}",
            "log10 SFR_c/SFR_d": f"{np.log10(np.median(ratio)):.2f}" if len(ratio) else "-",
            "bound": f"{np.mean(part['bound']):.0%}",
        }


def moved_origin(one, other):
    """Clumps that keep more than half of their stars (Jaccard index) in another search of the same snapshots, by number of stars."""
    kept, stars = [], []
    for (clumps, labels), (_, moved) in zip(one, other, strict=True):
        for label, n in zip(clumps["id"], clumps["n_stars"], strict=True):
            if n < 10:
                continue
            mine = labels == label
            inside = moved[mine]
            best = np.bincount(inside[inside > 0]).argmax() if (inside > 0).any() else -1
            kept.append(np.sum(inside == best) > 0.5 * np.sum(mine | (moved == best)))
            stars.append(n)
    kept, stars = np.array(kept), np.array(stars)
    for low, high in ((10, 15), (15, 30), (30, 100), (100, np.inf)):
        rows = (stars >= low) & (stars < high)
        yield {
            "stars": f"{low} to {high - 1}" if np.isfinite(high) else f"{low} and more",
            "clumps": int(rows.sum()),
            "the same": int(kept[rows].sum()),
            "part": f"{kept[rows].mean():.0%}",
        }


def show(name, title, rows, out):
    rows = list(rows)
    print(f"\n{title}")
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    print("  ".join(key.rjust(width) for key, width in widths.items()))
    for row in rows:
        print("  ".join(str(row[key]).rjust(width) for key, width in widths.items()), flush=True)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with (out / f"gizmo_{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if not any(given.data.glob("snapshot_*.hdf5")):
        parser.error(f"no snapshot_*.hdf5 in {given.data}; give the folder of the run's snapshots")
    snapshots = read_all(given.data)
    start = time.perf_counter()
    reference = find_all(snapshots, **REFERENCE_SETTINGS)
    print(f"finding clumps in {len(snapshots)} snapshots: {time.perf_counter() - start:.1f} s")
    paper = find_all(snapshots)
    raw = find_all(snapshots, min_elements=0, **REFERENCE_SETTINGS)
    show("counts", "Clumps of at least 10 stars", counts(snapshots, reference, paper, raw), given.out)

    base, links, _ = track(snapshots, reference)
    default, default_links, _ = track(snapshots, paper)
    every_4 = track(snapshots, paper, every=4)[0]
    runs = [("26 neighbours", base, snapshots), ("defaults", default, snapshots), ("defaults, 100 Myr", every_4, snapshots[::4])]
    show("expectations", "Beside METHODS 1", expectations(snapshots, runs), given.out)
    raw_default = find_all(snapshots, min_elements=0)
    both = [("26 neighbours", raw, reference, base), ("defaults", raw_default, paper, default)]
    show("traps", "Traps", traps(both), given.out)
    show("gaps", "Links", gaps([("26 neighbours", links), ("defaults", default_links)]), given.out)
    show("classes", "Medians by class, 26 neighbours", properties(snapshots, base), given.out)
    show("classes_default", "Medians by class, defaults", properties(snapshots, default), given.out)

    def finder(**settings):
        return track(snapshots, find_all(snapshots, **{**REFERENCE_SETTINGS, **settings}))[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        moved = [ClumpFinder3D(**REFERENCE_SETTINGS, origin=one.centre + 35 * u.pc).find(one) for one in snapshots]
    show("origin", "Origin moved by half a cell along each axis", moved_origin(reference[1:], moved[1:]), given.out)
    variants = [
        ("6 neighbours (default), 2.5 kpc", default),
        ("26 neighbours, 2.5 kpc", base),
        ("18 neighbours, 2.5 kpc", finder(connectivity=18)),
        ("26 neighbours, 1.25 kpc", finder(background_fwhm=1.25 * u.kpc)),
        ("26 neighbours, cells of 140 pc", finder(cell_size=140 * u.pc)),
        ("26 neighbours, origin moved by half a cell", track(snapshots, moved)[0]),
        ("26 neighbours, unbound elements removed", finder(unbind=True)),
    ]
    show("finder", "The finder's settings", compare("settings", variants), given.out)
    both = (("26 neighbours", reference), ("defaults", paper))
    variants = [(f"{25 * every} Myr, {name}", track(snapshots, found, every=every)[0]) for name, found in both for every in (1, 2, 4)]
    show("cadence", "Cadence", compare("cadence", variants), given.out)
    variants = [(f"{gap}, {name}", track(snapshots, found, max_gap=gap)[0]) for name, found in both for gap in (None, 3, 2, 1)]
    show("max_gap", "max_gap", compare("max_gap", variants), given.out)
    variants = [(f"{least}, {name}", track(snapshots, found, min_shared=least)[0]) for name, found in both for least in (1, 3, 5, 10)]
    show("min_shared", "min_shared", compare("min_shared", variants), given.out)


if __name__ == "__main__":
    main()
