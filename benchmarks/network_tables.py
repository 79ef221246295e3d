"""Tables and pictures of docs/networks.rst from the results of ``astroclumps evaluate``.

Run ``python benchmarks/network_tables.py --suite OUT --gizmo OUT --attempts NAME=OUT ... --tables docs/tables --images docs/images``, where
each OUT is the folder of one evaluation. It measures nothing.
"""

import argparse
import csv
import json
import shutil
from pathlib import Path

COLUMNS = (
    ("completeness", ("own", "completeness")),
    ("purity", ("own", "purity")),
    ("an image", ("own", "detections_per_image")),
    ("completeness at equal number", ("equal_number", "completeness")),
    ("average precision", ("average_precision",)),
)
CLASSIFIER = (
    "balanced_completeness", "balanced_precision", "precision_at_recall_80", "roc_auc", "mass_alone_auc", "expected_calibration_error",
    "expected_calibration_error_balanced", "expected_calibration_error_uncorrected",
)  # fmt: skip
PICTURES = {"suite": ("detectors", "completeness", "failures"), "gizmo": ("failures",)}


def pair(value, digits=2):
    """A number with its error."""
    number, error = value
    if number is None:
        return "-"
    return f"{number:.{digits}f}" if error is None else f"{number:.{digits}f} ± {error:.{digits}f}"


def look_up(numbers, path):
    """A number deep inside."""
    for key in path:
        numbers = numbers[key]
    return numbers


def detection_rows(scores):
    """A row a detector: one to one, and in squares of 10 and 8 pixels."""
    policy = scores["set"]["policy"]
    for name, one in scores["detectors"].items():
        row = {"": name}
        for title, path in COLUMNS:
            row[title] = pair(look_up(one, path), 1 if title == "an image" else 2)
        for size in ("10", "8"):
            square = one["squares"][size]
            own, pure = square["own"][policy], square["equal_purity"]
            row[f"{size} px"] = f"{own['completeness'][0]:.2f} / {own['true_detection'][0]:.2f}"
            row[f"{size} px at 0.90 (an image)"] = f"{pair(pure['completeness'])} ({pure['detections_per_image'][0]:.1f})"
        yield row


def classifier_rows(runs):
    """A row a score, a column a set."""
    labels = {"all": "", "without_censored": ", without censored short-lived ones", "paper_stamps": ", classes of 10 px"}
    for label, title in labels.items():
        for name in CLASSIFIER:
            yield {"": name.replace("_", " ") + title} | {
                run: pair(scores["classifier"][label][name], 3) if name in scores["classifier"].get(label, {}) else "-"
                for run, scores in runs.items()
            }
        yield {"": f"stamps, long- / short-lived{title}"} | {
            run: "{n_long} / {n_short}".format(**scores["classifier"][label]) if label in scores["classifier"] else "-"
            for run, scores in runs.items()
        }


def control_rows(runs):
    """Scores with scrambled colours."""
    for name in ("unchanged", "scrambled_colours"):
        for key in ("roc_auc", "balanced_completeness"):
            yield {"": f"{name.replace('_', ' ')}: {key.replace('_', ' ')}"} | {
                run: pair(scores["controls"][name][key], 3) for run, scores in runs.items() if "controls" in scores
            }


def attempt_rows(attempts):
    """A row an attempt: its detector on the same images of the other code's disc."""
    for name, (scores, main) in attempts.items():
        one = scores["detectors"][main]
        square = one["squares"]["10"]["equal_purity"]
        yield {
            "": name, "average precision": pair(one["average_precision"], 3), "completeness": pair(one["own"]["completeness"], 3),
            "purity": pair(one["own"]["purity"], 3), "an image": pair(one["own"]["detections_per_image"], 1),
            "10 px at 0.90": pair(square["completeness"], 2),
        }  # fmt: skip


def write(path, rows):
    """A CSV file with a row of titles."""
    rows = list(rows)
    with open(path, "w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(path)


def main():
    """Do the job of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--gizmo", type=Path, required=True)
    parser.add_argument("--suite-classifier", type=Path, help="where the classifier's scores are, if not in --suite")
    parser.add_argument("--gizmo-classifier", type=Path, help="the same for --gizmo")
    parser.add_argument("--controls", type=Path, help="where the classifier's controls on galaxies of the suite are")
    parser.add_argument("--attempts", nargs="*", default=[], metavar="NAME=OUT:DETECTOR")
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    args = parser.parse_args()
    folders = {"suite": args.suite, "gizmo": args.gizmo}
    runs = {name: json.loads((folder / "scores.json").read_text()) for name, folder in folders.items()}
    for name, scores in runs.items():
        write(args.tables / f"networks_{name}.csv", detection_rows(scores))
        for picture in PICTURES[name]:
            file = folders[name] / f"{picture}.png"
            if file.exists():
                shutil.copyfile(file, args.images / f"networks_{name}_{picture}.png")
    for name, folder in (("suite", args.suite_classifier), ("gizmo", args.gizmo_classifier)):
        if folder is not None:
            runs[name]["classifier"] = json.loads((folder / "scores.json").read_text())["classifier"]
            for picture in ("classifier", "p_long"):
                shutil.copyfile(folder / f"{picture}.png", args.images / f"networks_{name}_{picture}.png")
    if args.controls is not None:
        runs["suite"]["controls"] = json.loads((args.controls / "scores.json").read_text())["controls"]
        shutil.copyfile(args.controls / "bands.png", args.images / "networks_suite_bands.png")
    titles = {"suite": "held-out galaxies of the suite", "gizmo": "hydrodynamical disc"}
    titled = {titles[name]: scores for name, scores in runs.items()}
    write(args.tables / "networks_classifier.csv", classifier_rows(titled))
    write(args.tables / "networks_controls.csv", control_rows(titled))
    attempts = {}
    for text in args.attempts:
        name, _, rest = text.partition("=")
        folder, _, main_ = rest.partition(":")
        attempts[name] = json.loads(Path(folder, "scores.json").read_text()), main_
    if attempts:
        write(args.tables / "networks_attempts.csv", attempt_rows(attempts))


if __name__ == "__main__":
    main()
