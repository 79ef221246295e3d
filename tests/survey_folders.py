"""Folders of surveys as ``astroclumps.survey`` writes them, of made-up galaxies; no pixel is searched."""

import hashlib
import json
from pathlib import Path

import numpy as np

from astroclumps import catalog
from astroclumps.bands import CANDELS

HISTORY = [
    "UNetDetector(weights='default', threshold=None); astroclumps 0.1; weights unet-synthetic 1.0 sha256 " + "01" * 32,
    "LongevityClassifier(weights='default'); astroclumps 0.1; weights cnn-synthetic 1.0 sha256 " + "ab" * 32,
    "LibrarySED(n_models=100000, seed=0) of astroclumps 0.1",
]
SIZE, SCALE = 64, 0.06  # pixels, arcsec
_CENTRE = (SIZE - 1) / 2
_KINDS = ("clumps", "galaxies", "failures", "thumbnails")


def write_survey(
    out, n_galaxies=60, *, part_size=20, seed=1, stages=("classified", "fitted"), fail_every=10, n_thumbnails=12, complete=True, names=None,
    sizes=True, sky=True,
):  # fmt: skip
    """Write a folder. ``names`` renames galaxies by their number, ``complete=False`` leaves summary and the last commit record out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out, rng = Path(out), np.random.default_rng(seed)
    for folder in (*_KINDS, "manifest"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    ids = np.array([f"galaxy-{i:07d}" for i in range(n_galaxies)], dtype=object)
    for i, name in (names or {}).items():
        ids[i] = name
    n_parts = -(-n_galaxies // part_size)
    pictured = set(np.unique(np.linspace(0, n_galaxies - 1, min(n_thumbnails, n_galaxies)).astype(int)).tolist()) if n_thumbnails else set()
    totals = dict.fromkeys(("n_searched", "n_failed", "n_clumps", "n_long", "n_short"), 0)
    for part in range(n_parts):
        numbers = np.arange(part * part_size, min((part + 1) * part_size, n_galaxies))
        failed = numbers % fail_every == fail_every - 1 if fail_every else np.zeros(len(numbers), dtype=bool)
        clumps, galaxies = _rows(numbers[~failed], ids, rng, stages, sizes, sky)
        rows = {
            "clumps": _table(clumps, _columns(stages)),
            "galaxies": _table(galaxies, {}),
            "failures": pa.table(
                {
                    "id": pa.array(ids[numbers[failed]].tolist(), pa.string()),
                    "stage": pa.array(["read" if i % 20 == 9 else "sed" for i in numbers[failed]], pa.string()),
                    "error": pa.array([_error(i, ids[i]) for i in numbers[failed]], pa.string()),
                }
            ),
            "thumbnails": _thumbnails(clumps, [i for i in numbers[~failed] if int(i) in pictured], ids, rng),
        }
        digests = {}
        for kind, table in rows.items():
            path = out / kind / f"part-{part:05d}.parquet"
            pq.write_table(table, path)
            digests[kind] = hashlib.sha256(path.read_bytes()).hexdigest()
        if part < n_parts - 1 or complete:
            record = {"part": part, "galaxies": len(numbers), "rows": {kind: len(one) for kind, one in rows.items()}, "sha256": digests}
            (out / "manifest" / f"part-{part:05d}.json").write_text(json.dumps(record))
            totals["n_searched"] += len(galaxies["galaxy"])
            totals["n_failed"] += int(failed.sum())
            for mine, theirs in (("n_clumps", "n_clumps"), ("n_long", "n_long"), ("n_short", "n_short")):
                totals[mine] += int(galaxies[theirs].sum())
    settings = {
        "pipeline": {"detector": "unet", "classifier": "cnn" if "classified" in stages else None, "sed": "library", "options": {}},
        "images": {"pattern": "images/{id}.fits", "format": "cube"},
        "galaxies": {"sha256": "cd" * 32, "n": n_galaxies},
        "history": HISTORY,
        "bands": [band.name for band in CANDELS],
        "part_size": part_size,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    written = {"format": 1, "digest": digest, "settings": settings, "n_galaxies": n_galaxies, "n_parts": n_parts}
    (out / "survey.json").write_text(json.dumps(written))
    if complete:
        seconds = {"read": 0.4, "detector": 11.0, "classifier": 4.1, "photometry": 3.2, "sed": 9.5}
        whole = {"n_galaxies": n_galaxies, **totals, "seconds": 30.5, "galaxies_per_second": n_galaxies / 30.5, "stage_seconds": seconds}
        (out / "summary.json").write_text(json.dumps(whole | {"peak_memory_mb": 812.4, "jobs": 1}))
    return out


def _error(i, name):
    return f"ImageError: images/{name}.fits: no such file" if i % 20 == 9 else f"RuntimeError: no model fits clump {i % 7} of {name}"


def _columns(stages):
    listed = catalog.columns(stages or "detected", bands=["F606W", "F160W"] if "fitted" in stages else ())
    return {column.name: column for column in listed}


def _rows(numbers, ids, rng, stages, sizes, sky):
    """Columns of clumps and galaxies."""
    n_each = rng.poisson(3.0, len(numbers))
    host = np.repeat(np.arange(len(numbers)), n_each)
    n = len(host)
    r_e = rng.uniform(0.3, 0.6, len(numbers))  # arcsec
    log_mass = rng.normal(10, 0.5, len(numbers))
    radius, turn = np.clip(rng.lognormal(0, 0.4, n) * r_e[host], 0.1, 1.7), rng.uniform(0, 2 * np.pi, n)
    ra0, dec0 = 150.0 + 1e-3 * numbers, 2.0 + 0 * numbers
    dx, dy = radius * np.cos(turn), radius * np.sin(turn)  # arcsec, x towards west
    ends = np.cumsum(n_each)
    clumps = {"galaxy": ids[numbers][host], "ra": np.full(n, np.nan), "dec": np.full(n, np.nan)}
    if sky:
        clumps |= {"ra": ra0[host] - dx / 3600 / np.cos(np.radians(dec0[host])), "dec": dec0[host] + dy / 3600}
    clumps |= {"id": np.arange(n) - np.repeat(ends - n_each, n_each) + 1, "x": _CENTRE + dx / SCALE, "y": _CENTRE + dy / SCALE}
    mass = 10 ** rng.normal(7.8, 0.5, n)
    p_long = 1 / (1 + np.exp(-rng.normal(2.0 * (np.log10(mass) - 7.8), 1.0)))
    clumps |= {"score": rng.uniform(0.5, 1, n), "n_pixels": rng.integers(4, 40, n)}
    longevity = np.where(p_long >= 0.5, "LLC", "SLC")
    if "classified" in stages:
        clumps |= {"p_long": p_long, "p_long_err": 0.05 + 0 * p_long, "longevity": longevity.astype(object)}
    if "fitted" in stages:
        for band in ("f606w", "f160w"):
            clumps |= {f"flux_{band}": 1e-9 * mass, f"flux_err_{band}": 1e-10 * mass, f"background_{band}": 0 * mass}
        bad = rng.random(n) < 0.02
        clumps["flags"] = np.where(bad, 32, 0) + np.where(rng.random(n) < 0.1, 2, 0) + np.where(rng.random(n) < 0.05, 1, 0)
        values = {"mass": mass, "age": 10 ** rng.normal(-0.9, 0.4, n) * (1 + p_long), "sfr": mass / 3e8, "a_v": 0.5 + 0 * mass}
        for name, value in values.items():
            value = np.where(bad, np.nan, value)
            clumps |= {name: value, f"{name}_lo": 0.7 * value, f"{name}_hi": 1.4 * value}
    long = np.bincount(host, weights=longevity == "LLC", minlength=len(numbers)).astype(int) if "classified" in stages else 0 * n_each
    galaxies = {
        "galaxy": ids[numbers], "ra": ra0, "dec": dec0, "redshift": rng.uniform(1, 3, len(numbers)), "n_clumps": n_each, "n_long": long,
        "n_short": n_each - long if "classified" in stages else 0 * n_each, "mass": 10**log_mass,
    }  # fmt: skip
    return clumps, galaxies | ({"r_e": r_e} if sizes else {})


def _table(columns, known):
    import pyarrow as pa

    fields = []
    units = {"ra": "deg", "dec": "deg", "mass": "solMass", "r_e": "arcsec"}
    for name, values in columns.items():
        kind = pa.string() if values.dtype == object else pa.int64() if values.dtype.kind == "i" else pa.float64()
        unit = units.get(name, "") if name not in known or known[name].unit is None else known[name].unit.to_string()
        about = {"description": known[name].description, "ucd": known[name].ucd} if name in known else {}
        fields.append(pa.field(name, kind, metadata={"unit": unit} | about))
    arrays = [
        pa.array(values.tolist() if values.dtype == object else values, field.type)
        for values, field in zip(columns.values(), fields, strict=True)
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def _thumbnails(clumps, numbers, ids, rng):
    import pyarrow as pa

    y, x = np.mgrid[:SIZE, :SIZE]
    rows = []
    for i in numbers:
        light = 0.9 * np.exp(-np.hypot(x - _CENTRE, (y - _CENTRE) / 0.8) / 8)
        colour = light[..., None] * [0.8, 0.7, 0.6]
        for cx, cy, share in zip(*(clumps[name][clumps["galaxy"] == ids[i]] for name in ("x", "y", "score")), strict=True):
            colour += 0.6 * share * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 4)[..., None] * [0.5, 0.7, 1.0]
        colour += rng.normal(0.06, 0.02, colour.shape)
        rows.append((ids[i], SIZE, SIZE, 1, (255 * np.clip(colour, 0, 1)).astype(np.uint8).tobytes()))
    types = {"galaxy": pa.string(), "height": pa.int32(), "width": pa.int32(), "step": pa.int32(), "rgb": pa.binary()}
    columns = zip(*rows, strict=True) if rows else [[]] * 5
    return pa.table({name: pa.array(list(values), kind) for (name, kind), values in zip(types.items(), columns, strict=True)})
