"""
Probability against mass
========================

Does the classifier only know the mass? And what does it say of zero-lifetime clumps, the bulge and satellites? The
probabilities are made up.
"""

from tiny import FOLDER, galaxy_set, places

from astroclumps import plotting
from astroclumps.evaluation.classifier_report import classifier_report

scores, tables = classifier_report(galaxy_set(), *places(), n_draws=20)
picture = plotting.plot_p_long(tables["p_long_by"], tables["kinds"], FOLDER / "p_long.png")
