"""What is masked counts as missing, as NaN does, in every table of a population."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked

from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.population.crossmatch import cross_match
from astroclumps.population.hosts import clumpy_fraction
from astroclumps.population.mass_function import mass_function
from astroclumps.population.medians import class_medians
from astroclumps.population.power_law import fit_power_law
from astroclumps.population.radial import radial_medians
from astroclumps.population.selection import GalaxyCuts

N = 60
HIDDEN = np.arange(N) < 20
BINS = [1e7, 1e8, 1e9] * u.Msun


def tables():
    rng = np.random.default_rng(1)
    galaxies = QTable({"galaxy": np.arange(10), "redshift": rng.uniform(1, 3, 10), "mass": np.full(10, 1e10) * u.Msun})
    clumps = QTable({"galaxy": rng.integers(0, 10, N), "mass": 10 ** rng.uniform(7, 9, N) * u.Msun, "p_long": rng.random(N)})
    clumps["age"], clumps["r_norm"] = rng.uniform(0.1, 1, N) * u.Gyr, rng.uniform(0.5, 3, N)
    return clumps, galaxies


def twice(name):
    """The same clumps with the first of a column masked, and NaN."""
    clumps, galaxies = tables()
    nan = clumps.copy()
    values = nan[name].copy()
    values[HIDDEN] = np.nan
    nan[name] = values
    column = clumps[name]
    clumps[name] = Masked(column, mask=HIDDEN) if isinstance(column, u.Quantity) else MaskedColumn(column, mask=HIDDEN)
    return clumps, nan, galaxies


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        return function(*args, **options)


@pytest.mark.parametrize("name", ["mass", "p_long"])
def test_mass_functions_of_masked_clumps_are_those_without_values(name):
    masked, nan, galaxies = twice(name)
    found = quietly(mass_function, masked, galaxies, bins=BINS)
    expected = quietly(mass_function, nan, galaxies, bins=BINS)
    assert found["n"].tolist() == expected["n"].tolist()
    whole = mass_function(*tables(), bins=BINS)
    assert found["n"].sum() < whole["n"].sum()


@pytest.mark.parametrize("name", ["age", "r_norm"])
def test_medians_of_masked_values_count_the_others_only(name):
    masked, nan, _ = twice(name)
    found, expected = (class_medians(one, column=name, populations=["all"])[0] for one in (masked, nan))
    assert found["n"] == expected["n"] == N - HIDDEN.sum()
    assert found["median"] == expected["median"]


def test_slopes_leave_masked_masses_out():
    masked, nan, _ = twice("mass")
    found, expected = (quietly(fit_power_law, one["mass"], low=1e7 * u.Msun) for one in (masked, nan))
    assert found.slope == expected.slope
    assert found.n == N - HIDDEN.sum()
    with pytest.raises(ValueError, match="groups are masked"):
        fit_power_law(nan["mass"][~HIDDEN], groups=MaskedColumn(nan["galaxy"][~HIDDEN], mask=np.arange(40) < 3))
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_power_law(nan["mass"][~HIDDEN], level=68)


def test_cuts_and_fractions_leave_masked_galaxies_out():
    clumps, galaxies = tables()
    galaxies["redshift"] = MaskedColumn(galaxies["redshift"], mask=np.arange(10) < 4)
    losses = GalaxyCuts(axis_ratio=None, r_e=None, ssfr=None, bands=None).apply(galaxies).losses
    assert losses["n_missing"][losses["cut"] == "redshift"][0] == 4
    assert clumpy_fraction(clumps, galaxies, by="redshift", bins=[1, 3])["n_galaxies"][0] == 6


def test_masked_names_and_impossible_values_are_refused():
    clumps, galaxies = tables()
    nameless = clumps.copy()
    nameless["galaxy"] = MaskedColumn(clumps["galaxy"], mask=HIDDEN)
    with pytest.raises(CatalogError, match="'galaxy' of clumps is masked"):
        mass_function(nameless, galaxies, bins=BINS)
    clumps["r_norm"][3] = -1
    with pytest.raises(CatalogError, match=r"'r_norm' of clumps is negative in 1 rows, such as -1; .* NaN or masked"):
        radial_medians(clumps)
    clumps["age"][3] = -99 * u.Gyr
    with pytest.raises(CatalogError, match="'age' of clumps is negative"):
        class_medians(clumps, column="age")


def test_masked_positions_match_nothing():
    sky = QTable({"galaxy": [1, 2, 3], "ra": [10.0, 10.1, 10.2] * u.deg, "dec": [1.0, 1.0, 1.0] * u.deg})
    masked = sky.copy()
    masked["ra"] = Masked(sky["ra"], mask=[True, False, False])
    assert quietly(cross_match, masked, sky).report.n_matched == 2


def test_masked_masses_are_not_corrected():
    from astroclumps.sed.mass_correction import MassCorrection

    clumps = QTable({"mass": Masked([1e8, 1e8] * u.Msun, mask=[True, False]), "r_norm": [1.5, 1.5]})
    found = quietly(MassCorrection().correct, clumps)
    assert np.isnan(found["mass_corrected"][0])
    assert np.isfinite(found["mass_corrected"][1])
    assert "no mass" in found["mass_correction"][0]
