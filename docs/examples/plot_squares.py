"""
Completeness in squares
=======================

The paper's Fig. 6. Squares reward dots: compare with the grey lines.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

picture = plotting.plot_squares(comparison().tables["squares_completeness"], FOLDER / "squares.png")
