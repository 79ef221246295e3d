"""
One-to-one purity
=================

The share of the detections that are a clump, against what can be told of a detection.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

picture = plotting.plot_purity(comparison().tables["purity"], FOLDER / "purity.png")
