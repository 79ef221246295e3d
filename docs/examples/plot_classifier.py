"""
ROC, precision and calibration
==============================

The paper's Fig. 9, in the natural mix and in balanced draws, and how often a probability comes true. The probabilities are made up.
"""

from tiny import FOLDER, galaxy_set, places

from astroclumps import plotting
from astroclumps.evaluation.classifier_report import classifier_report

scores, tables = classifier_report(galaxy_set(), *places(), n_draws=20)
picture = plotting.plot_classifier(tables["roc"], tables["precision_recall"], FOLDER / "classifier.png", reliability=tables["reliability"])
