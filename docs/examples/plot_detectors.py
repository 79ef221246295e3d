"""
Detectors side by side
======================

Purity against completeness, and completeness against the number of detections, with the two detectors that know nothing.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

tables = comparison().tables
picture = plotting.plot_detectors(tables["curves"], tables["scores"], FOLDER / "detectors.png")
