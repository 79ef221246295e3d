"""What the clumps of many galaxies say: samples, mass functions, slopes, transitions, radii and hosts (paper sections 5.1 and 5.2)."""
