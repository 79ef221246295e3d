"""
What fails
==========

The brightest missed clumps and the surest false detections, with the reason.
"""

from tiny import FOLDER, SEED, comparison, galaxy_set

from astroclumps import plotting

matched = comparison().matched["ContrastDetector"]
picture = plotting.plot_failures(galaxy_set(), matched, FOLDER / "failures.png", noise_seed=SEED, n=6)
