"""The paper again: the suite and a field of galaxies through the whole pipeline, its figures and its numbers."""
