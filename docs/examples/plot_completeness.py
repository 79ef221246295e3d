"""
One-to-one completeness
=======================

Completeness within 3 pixels against mass, flux, redshift, radius, crowding and the light around a clump. Every detector is cut to the
number of detections of the first; errors draw galaxies.
"""

from tiny import FOLDER, comparison

from astroclumps import plotting

picture = plotting.plot_completeness(comparison().tables["completeness"], FOLDER / "completeness.png")
