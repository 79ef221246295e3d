"""What ``find3d`` says: the table of classes, and how it fails."""

from types import SimpleNamespace

import astropy.units as u
from simulated_galaxies import clump_table

from astroclumps.commands.report_3d import class_lines


def test_star_formation_of_a_class_is_that_of_all_its_clumps_over_the_discs():
    tracked = clump_table([(1, 0, 0)] * 4, longevity=["LLC", "LLC", "LLC", "SLC"], track=[1, 2, 1, 3], snapshot=[0, 0, 1, 1])
    tracked["sfr"] = [1, 3, 2, 9] * u.Msun / u.yr
    tracked["lifetime"] = [300, 300, 300, 90] * u.Myr
    header, long_lived, short_lived, *legend = class_lines(tracked, [SimpleNamespace(sfr=10.0), SimpleNamespace(sfr=20.0)])
    assert header.split()[-1] == "SFR/disc"
    assert long_lived.split()[-1] == "20.0%"  # not the median of 10%, 30% and 10%
    assert short_lived.split()[-1] == "30.0%"
    assert "SFR/disc: of all clumps of the class together over that in R_d and H_d, both summed over snapshots" in " ".join(legend)
