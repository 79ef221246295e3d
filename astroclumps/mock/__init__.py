"""Mock images with known clumps."""
