"""
Completeness against flux
=========================

Clumps of known flux are put into an image; points are shares in bins, lines a fit, and the legend says where half of them are found.
"""

from tiny import FOLDER

from astroclumps import ContrastDetector, plotting
from astroclumps.evaluation.injection import Injection
from astroclumps.testing import example_image

images = [example_image(bands=["F606W", "F160W"], seed=seed) for seed in range(2)]
detectors = {"8% of the light": ContrastDetector(), "3% of the light": ContrastDetector(min_uv_fraction=0.03)}
clumps = Injection(ratio=(0.01, 0.5), colour="flat", repeats=60, seed=1).run(images, detectors)
picture = plotting.plot_injection(clumps, FOLDER / "injection.png", by="ratio")
