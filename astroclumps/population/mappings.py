"""Names of columns in public catalogues of galaxies, each with where they were read."""

from typing import NamedTuple

__all__ = ["MAPPINGS", "ColumnMap"]


class ColumnMap(NamedTuple):
    """What the columns of a catalogue are.

    Attributes
    ----------
    columns : dict
        Our names to theirs, or to (theirs, unit), as `astroclumps.population.galaxies.galaxy_table` takes it.
    missing : tuple of float
        What stands for no value.
    source : str
        Where names and units were read.
    """

    columns: dict
    missing: tuple
    source: str


_GALFIT = {"galaxy": "NUMBER", "ra": ("RA", "deg"), "dec": ("DEC", "deg"), "flag": "f", "r_e": ("re", "arcsec"), "axis_ratio": "q"}
_FOUT = {"mass": ("lmass", "log10 Msun"), "sfr": ("lsfr", "log10 Msun / yr"), "ssfr": ("lssfr", "log10 1 / yr")}

MAPPINGS = {
    "candels-mass": ColumnMap(
        {"galaxy": "ID", "ra": ("RAdeg", "deg"), "dec": ("DECdeg", "deg"), "redshift": "zbest", "mass": ("M_med", "log10 Msun")},
        (-99.0,),
        "Mass catalogues of CANDELS (Santini et al. 2015 in GOODS-S and the UDS), by public code that reads them: the names for five "
        "fields, the unit for the EGS. M_med leaves out nebular emission. Other readers take it as a mass, not its logarithm: such "
        "values are refused with a hint.",
    ),
    "3dhst-galfit": ColumnMap(
        _GALFIT,
        (-999.0,),
        "GALFIT catalogues of van der Wel et al. (2012) for the sources of 3D-HST, by their README: re is the long half-axis of the "
        "ellipse that holds half of the light, in arcsec; f is 0 good, 1 suspicious, 2 bad, 3 no fit. -999 was seen where there is no fit.",
    ),
    "3dhst-fout": ColumnMap(
        {"galaxy": "id", "redshift": "z", **_FOUT},
        (-99.0,),
        "FAST output of the 3D-HST release 4.1, by its README. lsfr is -99 for a rate of 0; that becomes NaN, which fails a "
        "cut as 0 would.",
    ),
    "3dhst-cat": ColumnMap(
        {"galaxy": "id", "ra": ("ra", "deg"), "dec": ("dec", "deg"), "use_phot": "use_phot", "star_flag": "star_flag"},
        (),
        "Photometric catalogues of the 3D-HST release 4.1 (Skelton et al. 2014), by their README: use_phot is 1 for use, "
        "star_flag 1 a star.",
    ),
}
"""Mappings by name. Names that could not be read in a description of the catalogue are not in them."""
