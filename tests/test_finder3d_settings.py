"""Settings of the finder: what they leave out, what is refused, and what is said about it."""

import pickle
import re

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import disc_positions, galaxy, gas_table, star_table

from astroclumps import ClumpFinder3D
from astroclumps.catalog import Flag3D
from astroclumps.exceptions import NoClumpsWarning
from astroclumps.simulation import tiles
from astroclumps.simulation.grid import Grid

# what is left out


def test_a_lone_particle_is_left_out_unless_asked_for():
    lone = np.array([[2.023, 1.043, 1.463]])
    snapshot = galaxy(star_table(np.concatenate([disc_positions(200_000), lone])))
    with pytest.warns(NoClumpsWarning, match="'galaxy'; 1 regions have fewer than 10 stars and gas elements"):
        clumps, _ = ClumpFinder3D(background_fwhm=0.8 * u.kpc, extent=(1, 13)).find(snapshot)
    assert len(clumps) == 0
    clumps, labels = ClumpFinder3D(background_fwhm=0.8 * u.kpc, extent=(1, 13), min_elements=0).find(snapshot)
    assert len(clumps) == labels[-1] == 1
    assert (clumps["n_stars"][0], clumps["n_cells"][0]) == (1, 8)
    assert clumps["flags"][0] & Flag3D.FEW_ELEMENTS


def test_a_clump_at_the_end_of_what_is_searched_is_flagged():
    rng = np.random.default_rng(0)
    stars = np.concatenate([disc_positions(40_000), rng.normal((4.0, 0, 0), 0.08, (2000, 3))])
    snapshot = galaxy(star_table(stars))
    reach = 4.0 / snapshot.disc.r_d.value
    clumps, labels = ClumpFinder3D(background_fwhm=1.5 * u.kpc, extent=(reach, 3)).find(snapshot)
    cut = clumps[np.bincount(labels[-2000:]).argmax() - 1]
    assert cut["flags"] & Flag3D.GRID_EDGE
    assert cut["n_stars"] < 1800
    whole = ClumpFinder3D(background_fwhm=1.5 * u.kpc, extent=(1.2 * reach, 3)).find(snapshot)[0][0]
    assert not whole["flags"] & Flag3D.GRID_EDGE
    assert whole["n_stars"] > 1900


def knot_in_old_disc(place, *, n=500, size=0.06, young=0, n_disc=40_000):
    """A young ball in a disc of old stars, the first so many of which are young too."""
    ball = np.asarray(place) + np.random.default_rng(3).normal(0, size, (n, 3))
    stars = star_table(np.concatenate([disc_positions(n_disc, height=0.3), ball]))
    stars["age"][young:n_disc] = 2 * u.Gyr
    return galaxy(stars)


def test_a_clump_outside_the_extent_is_told_and_counted():
    snapshot = knot_in_old_disc((3, 3, 0), young=100_000, n_disc=200_000)
    assert 1.1 < np.hypot(3, 3) / snapshot.disc.r_d.value < 1.2
    said = r"'galaxy'; 1 region lies outside extent=\(1, 3\) of R_d and H_d: set a larger extent to look there$"
    with pytest.warns(NoClumpsWarning, match=said):
        clumps, labels = ClumpFinder3D(background_fwhm=1 * u.kpc).find(snapshot)
    assert len(clumps) == labels.sum() == 0
    assert clumps.meta["outside_extent"] == 1
    clumps, labels = ClumpFinder3D(background_fwhm=1 * u.kpc, extent=(1.2, 3)).find(snapshot)
    assert (len(clumps), clumps.meta["outside_extent"]) == (1, 0)
    assert (labels[-500:] == 1).sum() > 300


def test_several_clumps_outside_the_extent_are_counted_beside_those_inside():
    places = [(3, 3, 0), (-3, 3, 0), (1, 2, 0)]
    balls = [np.add(place, np.random.default_rng(3).normal(0, 0.06, (500, 3))) for place in places]
    discs = disc_positions(200_000, height=0.3)
    inside = ClumpFinder3D(background_fwhm=1 * u.kpc).find(galaxy(star_table(np.concatenate([discs, *balls]))))[0]
    assert (len(inside), inside.meta["outside_extent"]) == (1, 2)
    with pytest.warns(NoClumpsWarning, match=r"; 2 regions lie outside extent=\(1, 2\.5\) of R_d and H_d: set a larger"):
        none = ClumpFinder3D(background_fwhm=1 * u.kpc, extent=(1, 2.5)).find(galaxy(star_table(np.concatenate([discs, *balls[:2]]))))[0]
    assert none.meta["outside_extent"] == 2


@pytest.mark.parametrize(
    ("place", "size", "extent"),
    [((0, 3.3, 0.3), 0.01, (1.2, 3)), ((2, 1, 0), 0.005, (1.2, 10))],
    ids=["radius", "thickness"],
)
def test_a_compact_clump_of_all_the_cold_mass_lies_on_the_rim_that_it_sets_itself(place, size, extent):
    snapshot = knot_in_old_disc(place, size=size)
    assert snapshot.disc.r_d.value == pytest.approx(np.hypot(*place[:2]), abs=0.02)
    with pytest.warns(NoClumpsWarning, match="; 1 region lies outside extent"):
        ClumpFinder3D(background_fwhm=1 * u.kpc).find(snapshot)
    clumps, labels = ClumpFinder3D(background_fwhm=1 * u.kpc, extent=extent).find(snapshot)
    assert len(clumps) == 1
    assert (labels[-500:] == 1).sum() > 450


def test_a_knot_just_outside_the_disc_takes_a_larger_extent():
    snapshot = knot_in_old_disc((4.3, 0, 0), young=40_000)
    assert 1.05 < 4.3 / snapshot.disc.r_d.value < 1.2
    with pytest.warns(NoClumpsWarning):
        ClumpFinder3D(background_fwhm=1 * u.kpc).find(snapshot)
    clumps, _ = ClumpFinder3D(background_fwhm=1 * u.kpc, extent=(1.25, 3)).find(snapshot)
    assert len(clumps) == 1


def test_a_mass_in_the_middle_of_a_cell_fills_one_cell_and_is_not_found():
    snapshot = knot_in_old_disc((2.0, 1.0, 0), size=0, young=20_000)
    middle = np.array([2.0, 1.0, 0]) - 0.035
    finder = ClumpFinder3D(background_fwhm=1 * u.kpc, origin=middle * u.kpc)
    with pytest.warns(NoClumpsWarning, match="found no clumps"):
        finder.find(snapshot)
    one = ClumpFinder3D(background_fwhm=1 * u.kpc, origin=middle * u.kpc, min_cells=1).find(snapshot)[0]
    assert one["n_cells"][0] == 1
    moved = ClumpFinder3D(background_fwhm=1 * u.kpc, origin=(middle + 0.035) * u.kpc).find(snapshot)[0]
    assert list(moved["n_cells"]) == [8]


def test_hot_gas_makes_no_clump_and_belongs_to_it_all_the_same():
    rng = np.random.default_rng(0)
    ball = rng.normal((2, 1, 0), 0.08, (3000, 3))
    old = star_table(disc_positions(200_000), age=3 * u.Gyr)
    hot = gas_table(np.concatenate([disc_positions(200_000, seed=1), ball]), temperature=1e6 * u.K)
    cold = gas_table(np.concatenate([disc_positions(200_000, seed=1), ball]))
    old["age"][::2] = 50 * u.Myr
    with pytest.warns(NoClumpsWarning):
        ClumpFinder3D(background_fwhm=1 * u.kpc).find(galaxy(old, hot))
    assert ClumpFinder3D(background_fwhm=1 * u.kpc).find(galaxy(old, cold))[0]["n_gas"][0] > 2000
    young = star_table(np.concatenate([disc_positions(200_000), ball]))
    clumps, _ = ClumpFinder3D(background_fwhm=1 * u.kpc).find(galaxy(young, hot))
    assert clumps["n_gas"][0] > 2000
    assert clumps["mass_cold"][0] == 0


# memory


def coarse(**options):
    return ClumpFinder3D(background_fwhm=1 * u.kpc, **options)


@pytest.mark.parametrize(("limit", "said"), [(1 * u.Mbyte, "1 Mbyte"), (10, "10 byte"), (2500, "2.5 kbyte"), (123_456, "124 kbyte")])
def test_too_little_memory_is_refused(limit, said):
    with pytest.raises(ValueError, match=r"needs at least [\d.]+ Mbyte, more than max_memory=") as caught:
        coarse(max_memory=limit).find(galaxy())
    assert f"max_memory={said}; allow more, or take larger cells or a smaller extent" in str(caught.value)


def test_the_memory_that_is_asked_for_is_enough():
    with pytest.raises(ValueError, match="needs at least") as caught:
        coarse(max_memory=10).find(galaxy())
    least = float(re.search(r"at least ([\d.]+) Mbyte", str(caught.value))[1])
    made = coarse(max_memory=least * u.Mbyte).find_with_grid(galaxy())
    assert made.grid.shape[0] > 64
    with pytest.raises(ValueError, match="needs at least"):
        coarse(max_memory=0.98 * least * u.Mbyte).find(galaxy())


def test_a_grid_larger_than_the_machine_is_refused():
    with pytest.raises(
        ValueError, match=r"cells needs at least [\d.]+ [PE]byte, more than the [\d.]+ [GT]byte of this machine; take larger"
    ) as caught:
        coarse(cell_size=0.01 * u.pc).find(galaxy())
    assert re.search(r"or set max_memory to work in slabs, to [\d.]+ [TPE]byte or more$", str(caught.value))


def test_a_grid_that_the_machine_cannot_hold_is_worked_on_in_slabs_where_asked(monkeypatch):
    whole = coarse(min_elements=0).find(galaxy())[0]
    monkeypatch.setattr(tiles, "machine_memory", lambda: 1_000_000)
    with pytest.raises(ValueError, match="more than the 1 Mbyte of this machine") as caught:
        coarse(min_elements=0).find(galaxy())
    least = float(re.search(r"to ([\d.]+) Mbyte or more", str(caught.value))[1])
    slabs = coarse(min_elements=0, max_memory=least * u.Mbyte).find(galaxy())[0]
    for name in whole.colnames:
        np.testing.assert_array_equal(np.asarray(slabs[name]), np.asarray(whole[name]), err_msg=name)


@pytest.mark.parametrize("failure", [ValueError, OSError, AttributeError])
def test_where_the_system_does_not_tell_its_memory_a_terabyte_is_the_limit(monkeypatch, failure):
    def silent(_):
        raise failure

    assert tiles.machine_memory() > 1e8
    monkeypatch.setattr(tiles.os, "sysconf", silent, raising=False)
    assert tiles.machine_memory() == 2**40
    grid = Grid(origin=np.zeros(3), cell=1.0, shape=(10**5, 10**5, 10**5))
    with pytest.raises(ValueError, match=r"more than the 1\.1 Tbyte of this machine"):
        tiles.dense_regions(([], []), grid, sigma=2.0, overdensity=10, min_cells=8, connectivity=6)


# what is refused


@pytest.mark.parametrize("what", [3, "run/snapshot_005.hdf5", None])
def test_only_snapshots_are_searched(what):
    with pytest.raises(
        TypeError, match=rf"takes an astroclumps\.Snapshot \(files are read by Snapshot\.read\), got {re.escape(repr(what))}"
    ):
        ClumpFinder3D().find(what)
    with pytest.raises(TypeError, match="takes an astroclumps"):
        ClumpFinder3D().find_with_grid(what)


def test_a_disc_too_small_for_its_cells_is_refused():
    snapshot = galaxy(star_table(disc_positions(100, radius=0.2)))
    with pytest.raises(ValueError, match=r"for the disc of 'galaxy' with R_d = 0\.\d+ kpc is 0\.\d+ kpc, less than two cells of 0.07 kpc"):
        ClumpFinder3D().find(snapshot)


WRONG = {
    "cell_size": [(70, TypeError), (70 * u.s, TypeError), (-70 * u.pc, ValueError), ([1, 2] * u.kpc, ValueError)],
    "background_fwhm": [(2.5, TypeError), (100 * u.pc, ValueError)],
    "overdensity": [(0, ValueError), (np.nan, ValueError), ("abc", TypeError), (True, TypeError)],
    "min_cells": [(0, ValueError), (1.5, ValueError)],
    "connectivity": [(8, ValueError)],
    "cold_temperature": [(1e4, TypeError)],
    "young_age": [(100, TypeError), (0 * u.Myr, ValueError)],
    "min_elements": [(-1, ValueError), (True, ValueError)],
    "unbind": [("yes", TypeError), (1, TypeError), (None, TypeError)],
    "origin": [((0, 0, 0), TypeError), ([0, 0] * u.kpc, ValueError)],
    "extent": [((1,), ValueError), ((1, -3), ValueError), ("abc", TypeError)],
    "max_memory": [(2.5, TypeError), (2 * u.kpc, TypeError), (0, ValueError)],
    "ex_situ_overdensity": [(0, ValueError)],
}


@pytest.mark.parametrize(("name", "value", "error"), [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_wrong_settings_are_refused_by_name(name, value, error):
    with pytest.raises(error, match=f"{name}|two cells" if name == "background_fwhm" else name):
        ClumpFinder3D(**{name: value})


def test_settings_are_values():
    one = ClumpFinder3D(origin=[1, 2, 3] * u.kpc, max_memory=2 * u.Gbyte)
    assert pickle.loads(pickle.dumps(one)) == one == ClumpFinder3D(origin=[1, 2, 3] * u.kpc, max_memory=2 * u.Gbyte)
    assert hash(one) == hash(ClumpFinder3D(origin=[1, 2, 3] * u.kpc, max_memory=2 * u.Gbyte))
    assert one != ClumpFinder3D()
    assert ClumpFinder3D(max_memory=2 * u.Gbyte)._bytes() == 2_000_000_000
