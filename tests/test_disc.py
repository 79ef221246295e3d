"""Discs: analytic radii and thicknesses at any orientation, axis, contents, and the discs of hydrodynamical runs."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from scipy.stats import special_ortho_group

from astroclumps import Snapshot
from astroclumps.exceptions import AstroclumpsWarning, SnapshotError
from astroclumps.simulation.disc import measure_disc
from astroclumps.simulation.elements import empty_elements

R_VIR = 100.0
LENGTH, HEIGHT = 2.0, 0.25  # kpc: exponential in radius and height


def exponential_disc(n=40_000, rotation=None, seed=0, temperature=1e4, velocity=200.0):
    """Gas whose surface density falls as exp(-R/2 kpc) and density as exp(-|z|/0.25 kpc)."""
    rng = np.random.default_rng(seed)
    radius, angle, z = rng.gamma(2, LENGTH, n), rng.uniform(0, 2 * np.pi, n), rng.laplace(0, HEIGHT, n)
    position = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
    speed = velocity * np.column_stack([-np.sin(angle), np.cos(angle), 0 * angle])
    turn = np.eye(3) if rotation is None else rotation
    return QTable(
        {
            "particle_id": np.arange(n),
            "position": position @ turn.T * u.kpc,
            "velocity": speed @ turn.T * u.km / u.s,
            "mass": np.full(n, 1e10 / n) * u.Msun,
            "temperature": np.full(n, temperature) * u.K,
            "metallicity": np.full(n, 0.01),
        }
    )


def as_stars(gas, age):
    stars = QTable(gas, copy=False)
    stars.remove_column("temperature")
    stars["age"] = np.full(len(stars), age) * u.Gyr
    return stars


def galaxy(gas, stars=None, **more):
    settings = {"r_vir": R_VIR * u.kpc, "centre": [0, 0, 0] * u.kpc, "velocity": [0, 0, 0] * u.km / u.s}
    return Snapshot(name="d", gas=gas, stars=empty_elements("stars") if stars is None else stars, **settings | more)


def analytic():
    """R_d and H_d of the exponential disc, by their definition."""
    x = np.linspace(0, 0.15 * R_VIR / LENGTH, 100_001)
    inside = 1 - (1 + x) * np.exp(-x)
    r_d = LENGTH * np.interp(0.85 * inside[-1], inside, x)
    thick = 1 - np.exp(-r_d / HEIGHT)  # height and radius are independent
    return r_d, -HEIGHT * np.log(1 - 0.85 * thick)


@pytest.mark.parametrize("seed", range(4))
def test_an_exponential_disc_at_any_orientation(seed):
    rotation = special_ortho_group.rvs(3, random_state=seed)
    disc = galaxy(exponential_disc(rotation=rotation, seed=seed)).disc
    r_d, h_d = analytic()
    assert disc.converged
    assert disc.r_d.to_value(u.kpc) == pytest.approx(r_d, rel=0.015)
    assert disc.h_d.to_value(u.kpc) == pytest.approx(h_d, rel=0.03)
    assert disc.axis @ rotation[:, 2] > 1 - 1e-6


def test_the_part_of_the_mass_is_the_one_of_the_definition():
    gas = exponential_disc()
    disc = galaxy(gas).disc
    radius, _, height = disc.cylindrical(gas["position"])
    sheet = (radius < 15) & (abs(height) < 1)
    assert (radius[sheet] <= disc.r_d.value).mean() == pytest.approx(0.85, abs=1e-3)
    thick = (radius <= disc.r_d.value) & (abs(height) < disc.r_d.value)
    assert (abs(height[thick]) <= disc.h_d.value).mean() == pytest.approx(0.85, abs=1e-3)


@pytest.mark.parametrize("turn", [np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])])
def test_a_quarter_turn_turns_the_axis_and_nothing_else(turn):
    made = galaxy(exponential_disc(rotation=special_ortho_group.rvs(3, random_state=7)))
    disc, turned = made.disc, made.rotated(turn).disc
    np.testing.assert_allclose(turned.axis, turn @ disc.axis, atol=1e-12)
    np.testing.assert_allclose([turned.r_d.value, turned.h_d.value], [disc.r_d.value, disc.h_d.value], rtol=1e-12)


def test_order_and_unit_change_nothing():
    gas = exponential_disc()
    disc = galaxy(gas).disc
    shuffled = gas[np.random.default_rng(2).permutation(len(gas))]
    shuffled["position"] = shuffled["position"].to(u.pc)
    other = galaxy(shuffled).disc
    np.testing.assert_allclose([other.r_d.value, other.h_d.value], [disc.r_d.value, disc.h_d.value], rtol=1e-12)
    np.testing.assert_allclose(other.axis, disc.axis, atol=1e-12)


def test_place_and_motion_change_nothing():
    gas = exponential_disc()
    disc = galaxy(gas).disc
    gas["position"] += [4000, -900, 20] * u.kpc
    gas["velocity"] += [0, 700, -80] * u.km / u.s
    other = galaxy(gas, centre=[4000, -900, 20] * u.kpc, velocity=[0, 700, -80] * u.km / u.s).disc
    np.testing.assert_allclose([other.r_d.value, other.h_d.value], [disc.r_d.value, disc.h_d.value], rtol=1e-6)
    np.testing.assert_allclose(other.axis, disc.axis, atol=1e-6)


def test_single_precision_gives_the_same_disc():
    gas = exponential_disc()
    disc = galaxy(gas).disc
    for name in ("position", "velocity", "mass"):
        gas[name] = gas[name].astype(np.float32)
    assert galaxy(gas).disc.r_d.value == pytest.approx(disc.r_d.value, rel=1e-6)


def test_cold_is_cold_gas_and_young_stars():
    cold = exponential_disc(seed=1)
    hot = exponential_disc(4000, rotation=np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), seed=2, temperature=2e4)
    hot["particle_id"] += 100_000
    gas = QTable({name: np.concatenate([cold[name], hot[name]]) for name in cold.colnames})
    old = as_stars(exponential_disc(4000, rotation=np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), seed=3), age=0.11)
    made = galaxy(gas, old)
    disc, alone = made.disc, galaxy(cold).disc
    assert disc.r_d == alone.r_d
    assert disc.cold_mass == alone.cold_mass
    assert disc.gas_mass > disc.cold_mass
    young = as_stars(exponential_disc(seed=4), age=0.09)
    both = galaxy(exponential_disc(seed=1), young).disc
    assert both.cold_mass.value == pytest.approx(both.gas_mass.value + both.star_mass.value, rel=1e-12)
    warm = measure_disc(made, cold_temperature=3e4 * u.K, young_age=0.2 * u.Gyr)
    assert warm.cold_mass > disc.cold_mass
    assert warm.cold_mass.value == pytest.approx(warm.gas_mass.value + warm.star_mass.value, rel=1e-12)


def test_contents_of_the_cylinder():
    gas = exponential_disc()
    stars = as_stars(exponential_disc(20_000, seed=5), age=1.0)
    stars["age"][:500] = 59 * u.Myr
    stars["age"][500:900] = 61 * u.Myr
    stars["initial_mass"] = 1.5 * stars["mass"]
    dark = empty_elements("dark")
    dark.add_row([1, [0.1, 0, 0] * u.kpc, [0, 0, 0] * u.km / u.s, 3e8 * u.Msun])
    dark.add_row([2, [0, 0, 40] * u.kpc, [0, 0, 0] * u.km / u.s, 5e8 * u.Msun])
    disc = galaxy(gas, stars, dark=dark).disc

    def inside(table):
        radius, _, height = disc.cylindrical(table["position"])
        return (radius <= disc.r_d.value) & (abs(height) <= disc.h_d.value)

    # but for the element that lies on the edge, to the last digit
    assert disc.gas_mass.value == pytest.approx(gas["mass"][inside(gas)].sum().value, abs=2.1 * 1e10 / 40_000)
    assert disc.star_mass.value == pytest.approx(stars["mass"][inside(stars)].sum().value, abs=1)
    assert disc.dark_mass.value == pytest.approx(3e8)
    new = inside(stars) & (np.arange(20_000) < 500)
    assert disc.sfr.to_value(u.Msun / u.yr) == pytest.approx(new.sum() * 1.5 * 5e5 / 60e6, rel=1e-9)
    assert disc.gas_fraction == pytest.approx((disc.gas_mass / (disc.gas_mass + disc.star_mass)).value)


def test_a_given_axis_is_kept():
    gas = exponential_disc()
    disc = galaxy(gas, axis=[0, 1, 1]).disc
    np.testing.assert_allclose(disc.axis, np.array([0, 1, 1]) / np.sqrt(2))
    assert disc.n_iterations == 1
    free = galaxy(gas)
    np.testing.assert_array_equal(free.axis, free.disc.axis)
    assert measure_disc(free).n_iterations > 1  # the measured axis is not taken for a given one


def test_without_cold_mass_the_disc_is_that_of_all_baryons():
    made = galaxy(exponential_disc(temperature=1e6))
    with pytest.warns(AstroclumpsWarning, match="has no gas below 15000 K and no stars younger than 0.1 Gyr within 15 kpc; its disc is"):
        disc = made.disc
    assert disc.cold_mass == 0
    assert disc.r_d.value == pytest.approx(analytic()[0], rel=0.015)


def test_cold_mass_beyond_the_galaxy_makes_no_disc():
    gas = exponential_disc(2000, temperature=1e6)
    gas["temperature"][0], gas["position"][0] = 1e3 * u.K, [16, 0, 1] * u.kpc
    made = galaxy(gas)
    with pytest.warns(AstroclumpsWarning, match="within 15 kpc; its disc is that of all gas and stars"):
        disc = made.disc
    assert disc.r_d.value == pytest.approx(analytic()[0], rel=0.1)


def test_without_any_mass_there_is_no_disc():
    gas = exponential_disc(100)
    with pytest.raises(SnapshotError, match="has no mass within 15 kpc"):
        _ = galaxy(gas, centre=[500, 0, 0] * u.kpc).disc


def test_a_cloud_without_order_does_not_come_to_rest():
    rng = np.random.default_rng(0)
    gas = exponential_disc(30)
    gas["position"] = rng.normal(0, 4, (30, 3)) * u.kpc
    gas["velocity"] = rng.normal(0, 100, (30, 3)) * u.km / u.s
    found = []
    for seed in range(12):
        gas["velocity"] = np.random.default_rng(seed).normal(0, 100, (30, 3)) * u.km / u.s
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            disc = galaxy(gas).disc
        assert disc.converged != any("did not come to rest" in str(one.message) for one in caught)
        found.append(disc.converged)
    assert not all(found)


def test_the_disc_frame():
    made = galaxy(exponential_disc(rotation=special_ortho_group.rvs(3, random_state=3)), centre=[0.5, 0, 0] * u.kpc)
    disc = made.disc
    matrix = disc.rotation()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(matrix[2], disc.axis)
    radius, angle, height = disc.cylindrical(disc.centre + (2 * matrix[0] + 3 * matrix[1] - matrix[2]).reshape(1, 3) * u.kpc)
    np.testing.assert_allclose([radius[0], angle[0], height[0]], [np.sqrt(13), np.arctan2(3, 2), -1])
    np.testing.assert_allclose(galaxy(exponential_disc(), axis=[0, 0, 1]).disc.rotation(), np.eye(3))
    tipped = galaxy(exponential_disc(), axis=[1, 0, 0]).disc.rotation()
    np.testing.assert_allclose(tipped[0], [0, 1, 0])


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"cold_temperature": 1.5e4}, TypeError, r"cold_temperature must be a Quantity such as 1.5e4 \* u.K, got 15000.0"),
        ({"young_age": 100 * u.kpc}, TypeError, "young_age must be a Quantity such as 100"),
        ({"young_age": 0 * u.Myr}, ValueError, "young_age must be one positive number"),
    ],
)
def test_limits_need_units(more, error, message):
    with pytest.raises(error, match=message):
        measure_disc(galaxy(exponential_disc(100)), **more)


def test_positions_need_units():
    with pytest.raises(TypeError, match="position must be a length"):
        galaxy(exponential_disc(1000)).disc.cylindrical(np.zeros((1, 3)))


@pytest.mark.real_data
@pytest.mark.parametrize("number", [1, 5, 10, 15, 20])
def test_the_disc_of_a_hydrodynamical_run_lies_in_its_plane(real_data, number):
    path = real_data / "sims" / "gizmo_clumpy_disc" / f"snapshot_{number:03d}.hdf5"
    disc = Snapshot.read(path, redshift=2, old_star_age=[1, 3] * u.Gyr, metallicity=0.01).disc
    assert disc.converged
    assert disc.axis[2] > 0.99  # it was set up along z
    assert 5 < disc.r_d.to_value(u.kpc) < 10
    assert disc.h_d < 0.15 * disc.r_d
    assert 0.15 < disc.gas_fraction < 0.75


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "r_d", "gas"), [("C2", 5.5, 3e10), ("C4", 3.5, 4.5e10), ("C21", 1.5, 1e9)])
def test_both_epochs_of_coarse_discs_share_plane_and_mass(real_data, name, r_d, gas):
    from pathlib import Path

    folder = Path(real_data / "sims" / "gizmo_discs")
    found = []
    for part in ("ic_t0", "evolved"):
        (path,) = folder.glob(f"{name}_*_{part}.hdf5")
        with pytest.warns(AstroclumpsWarning):
            snapshot = Snapshot.read(path)
        disc = snapshot.disc
        assert disc.converged
        assert disc.axis[2] > 0.98
        found.append(disc)
    assert found[0].r_d.value == pytest.approx(r_d, rel=0.7)
    assert found[1].gas_mass.value == pytest.approx(gas, rel=0.2)
