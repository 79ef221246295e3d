"""Many galaxies: lists, images, work in parts, results on disk."""
