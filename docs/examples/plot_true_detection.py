"""
True detection rate
===================

The paper's Fig. 7: how many squares with a detection hold a clump, by which star-forming zero-lifetime clumps count.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

picture = plotting.plot_true_detection(comparison().tables["squares_true_detection"], FOLDER / "true_detection.png")
