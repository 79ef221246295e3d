"""How good a detection or a classification is: matching, completeness and purity, calibration."""
