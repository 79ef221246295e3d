"""
Bands that the classifier uses
==============================

What is lost without each band, and each band's share in the integrated gradients of the network.
"""

from tiny import FOLDER, SEED, galaxy_set, places

from astroclumps import LongevityClassifier, plotting
from astroclumps.evaluation.classifier_report import control_report

scores, bands = control_report(galaxy_set(), places()[0], LongevityClassifier(), noise_seed=SEED, n_draws=20)
picture = plotting.plot_band_use(bands, FOLDER / "bands.png")
