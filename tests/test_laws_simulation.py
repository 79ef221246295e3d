"""Laws of simulations: mass is kept, in and out of the grid, and nothing depends on axes, order or units of mass."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mock_light import TOP, disc
from planted_galaxies import FINDER, planted

from astroclumps import MockImager, Snapshot
from astroclumps.simulation.grid import Grid, deposit

LAW = settings(derandomize=True, deadline=None, max_examples=20)
GRID = Grid(origin=np.array([-1.0, -1.0, -1.0]), cell=0.1, shape=(20, 20, 20), margin=0)

positions = hnp.arrays(np.float64, st.tuples(st.integers(0, 60), st.just(3)), elements=st.floats(-0.89, 0.89))


def masses(position, seed):
    return np.random.default_rng(seed).uniform(1, 1e6, len(position))


@LAW
@given(positions, st.integers(0, 9))
def test_a_grid_keeps_mass_and_centre_of_mass(position, seed):
    mass = masses(position, seed)
    made = deposit(position, mass, GRID)
    assert made.n_outside == 0
    assert made.field.sum(dtype=float) == pytest.approx(mass.sum(), rel=1e-5, abs=1e-6)
    centres = [GRID.origin[i] + GRID.cell * (np.arange(20) + 0.5) for i in range(3)]
    for i in range(3):
        profile = made.field.sum(axis=tuple(j for j in range(3) if j != i), dtype=float)
        assert (profile * centres[i]).sum() == pytest.approx((mass * position[:, i]).sum(), abs=1e-5 * mass.sum() + 1e-9)


@LAW
@given(positions, st.integers(0, 9))
def test_a_grid_is_linear_in_mass_and_blind_to_order(position, seed):
    one, two = masses(position, seed), masses(position, seed + 10)
    order = np.random.default_rng(seed).permutation(len(position))
    both = deposit(position, 3 * one + two, GRID).field
    summed = 3 * deposit(position, one, GRID).field + deposit(position[order], two[order], GRID).field
    assert np.allclose(both, summed, rtol=1e-4, atol=1e-1)


@LAW
@given(positions, st.permutations([0, 1, 2]))
def test_a_grid_turns_with_the_positions(position, axes):
    mass = masses(position, 0)
    turned = deposit(position[:, axes], mass, GRID).field
    assert np.allclose(turned, deposit(position, mass, GRID).field.transpose(axes), rtol=1e-4, atol=1e-1)
    mirrored = deposit(-position, mass, GRID).field
    assert np.allclose(mirrored[::-1, ::-1, ::-1], deposit(position, mass, GRID).field, rtol=1e-3, atol=1.0)


# ---- finder

CYCLE = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])  # y, z, x: a turn by 120 degrees about the diagonal
QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


@pytest.fixture(scope="module")
def galaxy():
    return planted(0, 2)


@pytest.fixture(scope="module")
def found(galaxy):
    return FINDER.find(galaxy)


def test_masses_of_clumps_are_those_of_their_stars_and_gas(galaxy, found):
    clumps, labels = found
    assert len(clumps) >= 2
    for row in clumps:
        members = labels == row["id"]
        assert row["n_stars"] == members.sum()
        assert galaxy.stars["mass"][members].sum().to_value(u.Msun) == pytest.approx(row["mass_stars"].to_value(u.Msun), rel=1e-5)
    assert np.allclose((clumps["mass_stars"] + clumps["mass_gas"]).value, clumps["mass"].value, rtol=1e-5)
    assert clumps["mass"].unit == u.Msun
    assert clumps["mass_stars"].sum() <= galaxy.stars["mass"].sum()
    assert clumps["mass_gas"].sum() <= galaxy.gas["mass"].sum()


@pytest.mark.parametrize("matrix", [CYCLE, QUARTER])
def test_the_finder_turns_with_the_galaxy(galaxy, found, matrix):
    clumps, labels = found
    turned, same = FINDER.find(galaxy.rotated(matrix))
    assert np.array_equal(labels, same)
    assert np.allclose(clumps["mass"].value, turned["mass"].value, rtol=1e-5)
    before, after = (np.stack([table[f"pos_{axis}"].value for axis in "xyz"], axis=1) for table in (clumps, turned))
    assert np.allclose(before @ matrix.T, after, atol=1e-4)


def shuffled(galaxy, seed):
    rng = np.random.default_rng(seed)
    order = {kind: rng.permutation(len(getattr(galaxy, kind))) for kind in ("stars", "gas")}
    return galaxy.replace(**{kind: getattr(galaxy, kind)[places] for kind, places in order.items()}), order["stars"]


@settings(LAW, max_examples=4)
@given(st.integers(0, 100))
def test_the_finder_is_blind_to_the_order_of_particles(galaxy, found, seed):
    clumps, labels = found
    other, order = shuffled(galaxy, seed)
    same, again = FINDER.find(other)
    assert np.array_equal(labels[order], again)
    assert np.allclose(clumps["mass"].value, same["mass"].value, rtol=1e-5)


@settings(LAW, max_examples=4)
@given(st.floats(0.1, 10))
def test_the_finder_is_linear_in_mass(galaxy, found, factor):
    clumps, labels = found
    tables = {kind: getattr(galaxy, kind).copy() for kind in ("stars", "gas")}
    for table in tables.values():
        table["mass"] = table["mass"] * factor
    heavy, same = FINDER.find(galaxy.replace(**tables))
    assert np.array_equal(labels, same)
    assert np.allclose(heavy["mass"].value, clumps["mass"].value * factor, rtol=1e-4)


@settings(LAW, max_examples=3)
@given(st.sampled_from([(u.pc, u.kg, u.m / u.s, u.Myr), (u.Mpc, u.g, u.cm / u.s, u.s)]))
def test_units_of_the_snapshot_do_not_matter(galaxy, found, units):
    length, mass, speed, time = units
    tables = {}
    for kind in ("stars", "gas"):
        table = getattr(galaxy, kind).copy()
        for name, unit in (("position", length), ("mass", mass), ("velocity", speed), ("age", time)):
            if name in table.colnames:
                table[name] = table[name].to(unit)
        tables[kind] = table
    clumps, labels = FINDER.find(galaxy.replace(**tables))
    assert np.array_equal(labels, found[1])
    assert np.allclose(clumps["mass"].to_value(u.Msun), found[0]["mass"].to_value(u.Msun), rtol=1e-5)


@settings(LAW, max_examples=3)
@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
def test_the_finder_moves_with_the_box(galaxy, found, shift):
    tables = {kind: getattr(galaxy, kind).copy() for kind in ("stars", "gas")}
    for table in tables.values():
        table["position"] = table["position"] + shift * u.kpc
    moved, labels = FINDER.find(galaxy.replace(centre=galaxy.centre + shift * u.kpc, **tables))
    assert np.mean(labels == found[1]) > 0.999  # positions that far are rounded
    assert np.allclose(moved["mass"].value, found[0]["mass"].value, rtol=0.01)


# ---- mock light


@pytest.mark.needs_bagpipes
@settings(LAW, max_examples=3)
@given(st.floats(0.1, 10))
def test_light_is_linear_in_the_mass_of_stars(factor):
    galaxy = disc(stars=300)
    imager = MockImager(bands=["F606W", "F160W"], shape=(32, 32))
    stars = galaxy.stars.copy()
    stars["mass"] = stars["mass"] * factor
    one, two = (imager.render(each, TOP, noise=False).data for each in (galaxy, galaxy.replace(stars=stars)))
    assert one.sum() > 0
    assert np.allclose(two, one * factor, rtol=1e-3, atol=1e-5 * two.max())


@pytest.mark.needs_bagpipes
def test_light_of_two_halves_adds_up():
    galaxy = disc(stars=300)
    imager = MockImager(bands=["F160W"], shape=(32, 32), smoothing=50 * u.pc)
    halves = [galaxy.replace(stars=galaxy.stars[start::2]) for start in (0, 1)]
    whole, *parts = (imager.render(each, TOP, noise=False).data for each in (galaxy, *halves))
    assert np.allclose(sum(parts), whole, rtol=1e-3, atol=1e-5 * whole.max())


@pytest.mark.needs_bagpipes
def test_light_turns_with_the_galaxy():
    galaxy = disc(stars=300)
    imager = MockImager(bands=["F160W"], shape=(32, 32), smoothing=50 * u.pc)
    one, two = (imager.render(each, TOP, noise=False).data[0] for each in (galaxy, galaxy.rotated(QUARTER)))
    assert np.allclose(np.rot90(one, -1), two, rtol=1e-2, atol=1e-4 * two.max()) or np.allclose(
        np.rot90(one), two, rtol=1e-2, atol=1e-4 * two.max()
    )


# ---- on disk


@settings(LAW, max_examples=10)
@given(st.integers(0, 10**6), st.floats(0.1, 1))
def test_turned_snapshots_come_back_from_disk(tmp_path_factory, seed, scale_factor):
    rng = np.random.default_rng(seed)
    galaxy = disc(stars=20).replace(scale_factor=scale_factor, time=None)
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    matrix[0] *= np.sign(np.linalg.det(matrix))
    turned = galaxy.rotated(matrix)
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    turned.write(path)
    read = Snapshot.read(path)
    assert np.array_equal(read.stars["position"].value, turned.stars["position"].value)
    assert np.allclose(np.linalg.norm(read.stars["position"].value, axis=1), np.linalg.norm(galaxy.stars["position"].value, axis=1))
