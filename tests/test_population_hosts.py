"""Hosts of clumps: shares of mass and light, clumpy fractions, host masses and their transition."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning
from astroclumps.population.hosts import (
    HOST_BINS,
    clump_fractions,
    clumpy_fraction,
    host_masses,
    host_transition,
    mean_fraction,
    with_hosts,
)


def galaxies_of(n, seed=1):
    rng = np.random.default_rng(seed)
    return QTable({"galaxy": np.arange(n), "mass": 10 ** rng.uniform(9, 12, n) * u.Msun, "redshift": rng.uniform(1, 3, n)})


def clumps_in(galaxies, per_galaxy, *, at=10.2, rise=2.0, seed=2):
    """Clumps of which the odds to be long-lived are (host mass / 10^at)^rise."""
    rng = np.random.default_rng(seed)
    host = np.repeat(np.arange(len(galaxies)), per_galaxy)
    odds = rise * (np.log10(galaxies["mass"].value[host]) - at)
    return QTable({"galaxy": host, "p_long": np.where(rng.random(len(host)) < 1 / (1 + 10**-odds), 0.9, 0.1)})


def test_bins_span_the_sample():  # G21 5.1; METHODS 6
    assert np.log10(HOST_BINS.value)[[0, -1]] == pytest.approx([9, 12])


def test_shares_are_sums_over_the_galaxys():
    galaxies = QTable({"galaxy": ["a", "b", "c", "d"], "mass": [1e10, 1e10, 1e10, np.nan] * u.Msun, "flux_f606w": [2.0, 1, 1, 1] * u.uJy})
    clumps = QTable({"galaxy": ["a", "c", "a"], "mass": [1e8, 5e8, 3e8] * u.Msun, "p_long": [0.9, 0.8, 0.2]})
    clumps["flux_f606w"] = [200, 100, 200] * u.nJy
    table = clump_fractions(clumps, galaxies, columns=["mass", "flux_f606w"])
    assert table["galaxy"].tolist() == ["a", "b", "c", "d"]
    assert table["mass_fraction_all"][:3] == pytest.approx([0.04, 0, 0.05])
    assert np.isnan(table["mass_fraction_all"][3])
    assert table["mass_fraction_LLC"][:3] == pytest.approx([0.01, 0, 0.05])
    assert table["flux_f606w_fraction_all"] == pytest.approx([0.2, 0, 0.1, 0])
    assert table["n_SLC"].tolist() == [1, 0, 0, 0]
    half = clump_fractions(clumps, galaxies, threshold=None)
    assert half["mass_fraction_LLC"][0] == pytest.approx(0.9 * 0.01 + 0.2 * 0.03)


def test_a_clump_without_mass_leaves_its_galaxy_without_a_share():
    galaxies = QTable({"galaxy": [1, 2], "mass": [1e10, 1e10] * u.Msun})
    clumps = QTable({"galaxy": [1, 1, 2], "mass": [1e8, np.nan, 1e8] * u.Msun})
    share = clump_fractions(clumps, galaxies, populations=["all"])["mass_fraction_all"]
    assert np.isnan(share[0])
    assert share[1] == pytest.approx(0.01)


def test_more_than_the_galaxy_is_warned_of():
    galaxies = QTable({"galaxy": [1], "mass": [1e8] * u.Msun})
    with pytest.warns(AstroclumpsWarning, match="clumps of 1 galaxies hold more mass than the galaxy"):
        clump_fractions(QTable({"galaxy": [1], "mass": [2e8] * u.Msun}), galaxies, populations=["all"])


def test_the_mean_share_has_the_error_of_a_mean():
    values = np.random.default_rng(3).exponential(0.1, 500)
    mean, error = mean_fraction(QTable({"mass_fraction_all": [*values, np.nan]}), column="mass_fraction_all")
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std() / np.sqrt(500), rel=0.15)


def test_clumpy_galaxies_are_counted_in_bins_with_wilson_intervals():
    galaxies = QTable({"galaxy": np.arange(12), "mass": np.repeat([5e9, 5e10, 5e12], [10, 1, 1]) * u.Msun})
    clumps = QTable({"galaxy": [0, 0, 1, 2, 10, 11], "p_long": [0.9, 0.1, 0.1, 0.1, 0.9, 0.9]})
    table = clumpy_fraction(clumps, galaxies, bins=[1e8, 1e9, 1e10, 1e11] * u.Msun)
    assert table["n_galaxies"].tolist() == [10, 1]  # no row where there are no galaxies
    assert table["fraction"].tolist() == [0.3, 1]
    centre, half = (0.3 + 0.05) / 1.1, np.sqrt(0.3 * 0.7 / 10 + 0.0025) / 1.1  # Wilson (1927) at one sigma
    assert (table["lower"][0], table["upper"][0]) == pytest.approx((centre - half, centre + half), abs=1e-4)
    assert clumpy_fraction(clumps, galaxies, bins=[1e9, 1e10] * u.Msun, min_clumps=2)["n_clumpy"].tolist() == [1]
    assert clumpy_fraction(clumps, galaxies, bins=[1e9, 1e10] * u.Msun, population="LLC")["n_clumpy"].tolist() == [1]


def test_clumpy_fractions_hold_the_truth_68_per_cent_of_the_time():
    rng = np.random.default_rng(4)
    galaxies = QTable({"galaxy": np.arange(40), "redshift": np.full(40, 2.0)})
    held = 0
    for _ in range(200):
        clumps = QTable({"galaxy": np.flatnonzero(rng.random(40) < 0.4)})
        row = clumpy_fraction(clumps, galaxies, by="redshift", bins=[1, 3])[0]
        held += row["lower"] <= 0.4 <= row["upper"]
    assert 0.58 < held / 200 < 0.80


def test_hosts_are_counted_once_for_each_clump():
    galaxies = QTable({"galaxy": [1, 2, 3, 4], "mass": [2e9, 3e9, 4e10, np.nan] * u.Msun})
    clumps = QTable({"galaxy": [1, 3, 3, 3, 4], "p_long": [0.1, 0.8, 0.9, 0.2, 0.9]})
    table = host_masses(clumps, galaxies, bins=[1e9, 1e10, 1e11] * u.Msun)
    parts = {name: table[table["population"] == name] for name in ("all", "LLC", "SLC")}
    assert parts["all"]["n"].tolist() == [1, 3]
    assert parts["SLC"]["fraction"].tolist() == [0.5, 0.5]
    assert parts["LLC"]["per_galaxy"].tolist() == [0, 2]
    assert parts["all"]["n_galaxies"].tolist() == [2, 1]


def test_clumps_per_galaxy_have_errors_over_galaxies():
    galaxies = QTable({"galaxy": np.arange(400), "mass": np.full(400, 5e9) * u.Msun})
    clumps = QTable({"galaxy": np.repeat(np.arange(100), 4), "p_long": np.full(400, 0.1)})
    row = host_masses(clumps, galaxies, bins=[1e9, 1e10] * u.Msun, populations=["SLC"])[0]
    assert row["per_galaxy"] == 1
    assert row["per_galaxy_error"] == pytest.approx(4 * np.sqrt(0.25 * 0.75 / 400), rel=0.15)
    assert row["fraction_error"] == 0  # all in one bin


@pytest.mark.parametrize("at", [10.2, 10.8])  # G21 5.2.3: CANDELS and VELA; METHODS 6
def test_the_host_transition_comes_back(at):
    galaxies = galaxies_of(800)
    found = host_transition(clumps_in(galaxies, 3, at=at), galaxies, n_bootstrap=60)
    assert found.log_mass == pytest.approx(at, abs=3 * found.error_dex)
    assert found.error_dex < 0.1


def test_properties_of_galaxies_go_to_their_clumps():
    galaxies = galaxies_of(5)
    hosted = with_hosts(clumps_in(galaxies, 2), galaxies[::-1])
    assert (hosted["host_mass"] == np.repeat(galaxies["mass"], 2)).all()
    assert (hosted["host_redshift"] == np.repeat(galaxies["redshift"], 2)).all()
    with pytest.raises(CatalogError, match="galaxies need a column 'colour'"):
        with_hosts(clumps_in(galaxies, 2), galaxies, columns=["colour"])


def test_nothing_is_an_empty_table_and_a_warning():
    galaxies = galaxies_of(3)
    empty = clumps_in(galaxies, 1)[:0]
    with pytest.warns(NoClumpsWarning, match="there are no hosts"):
        table = host_masses(empty, galaxies)
    assert len(table) == 0
    assert table.colnames == host_masses(clumps_in(galaxies, 1), galaxies, n_bootstrap=2).colnames
    with pytest.warns(NoClumpsWarning, match="no galaxies with redshift inside the bins"):
        table = clumpy_fraction(empty, galaxies, by="redshift", bins=[4, 5])
    assert len(table) == 0
    assert clumpy_fraction(empty, galaxies, by="redshift", bins=[0, 5])["fraction"].tolist() == [0]


def test_wrong_arguments_say_what_is_meant():
    galaxies = galaxies_of(3)
    clumps = clumps_in(galaxies, 1)
    with pytest.raises(TypeError, match="bins of mass must be edges in units of solMass"):
        clumpy_fraction(clumps, galaxies, bins=[1e9, 1e10])
    with pytest.raises(TypeError, match="bins of redshift must be numbers without unit"):
        clumpy_fraction(clumps, galaxies, by="redshift")
    with pytest.raises(ValueError, match="edges of bins must increase"):
        clumpy_fraction(clumps, galaxies, by="redshift", bins=[3, 1])
    with pytest.raises(ValueError, match="threshold must be a number"):
        clumpy_fraction(clumps, galaxies, threshold=None)
    with pytest.raises(ValueError, match="min_clumps must be 1 or more"):
        clumpy_fraction(clumps, galaxies, min_clumps=0)
    with pytest.raises(CatalogError, match="clumps need a column 'mass'"):
        clump_fractions(clumps, galaxies)


def twins(n_views):
    """Galaxies of which each is seen ``n_views`` times."""
    rng = np.random.default_rng(5)
    rows = [(parent, f"{parent}-{view}") for parent in range(12) for view in range(n_views)]
    galaxies = QTable({"galaxy": [name for _, name in rows], "mass": np.full(len(rows), 1e10) * u.Msun})
    per_parent = rng.integers(0, 8, 12)
    names = np.array([name for parent, name in rows for _ in range(per_parent[parent])])
    clumps = QTable({"galaxy": names, "mass": np.full(len(names), 1e8) * u.Msun})
    return clumps, galaxies, np.array([parent for parent, _ in rows])


def test_views_of_one_galaxy_do_not_shrink_errors():
    from astroclumps.population.mass_function import mass_function

    def error(n_views, *, told):
        clumps, galaxies, parents = twins(n_views)
        if told:
            galaxies["parent"] = parents
        return mass_function(clumps, galaxies, bins=[1e7, 1e9] * u.Msun, populations=["all"], n_bootstrap=2000)["error"][0].value

    alone = error(1, told=False)
    assert error(1, told=True) == pytest.approx(alone, rel=0.05)
    assert error(9, told=True) == pytest.approx(alone, rel=0.05)
    assert error(9, told=False) == pytest.approx(alone / 3, rel=0.1)


def test_clumpy_fraction_counts_parents_once():
    clumps, galaxies, parents = twins(9)
    told = galaxies.copy()
    told["parent"] = parents
    first, many = twins(1)[:2], clumpy_fraction(clumps, galaxies)
    alone, together = clumpy_fraction(*first), clumpy_fraction(clumps, told)
    assert together["fraction"][0] == alone["fraction"][0] == many["fraction"][0]
    assert together["upper"][0] == pytest.approx(alone["upper"][0])
    assert many["upper"][0] - many["lower"][0] < 0.4 * (alone["upper"][0] - alone["lower"][0])


def test_parents_of_one_galaxy_must_agree():
    from astroclumps.population.sample import Sample

    clumps = QTable({"galaxy": ["a", "a"], "parent": ["p", "q"]})
    with pytest.raises(CatalogError, match="different values of 'parent'"):
        Sample(clumps)
