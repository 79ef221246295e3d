"""Detectors of clumps in images: `~astroclumps.detection.unet` and `~astroclumps.detection.contrast`."""
