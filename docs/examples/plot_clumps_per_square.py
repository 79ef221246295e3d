"""
Clumps in a square
==================

The paper's Fig. 8: how many 3D clumps squares hold.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

picture = plotting.plot_clumps_per_square(comparison().tables["clumps_per_square"], FOLDER / "clumps_per_square.png")
