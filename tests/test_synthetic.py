"""The synthetic suite: what every snapshot must satisfy, and what the record says of it."""

import dataclasses
from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest

from astroclumps import SyntheticSuite
from astroclumps.synthetic.record import RECORD_COLUMNS

STARS = 6000


@pytest.fixture(scope="module")
def suite():
    return SyntheticSuite(n_galaxies=3, n_snapshots=5, n_stars=STARS, seed=5)


@pytest.fixture(scope="module")
def snapshots(suite):
    return list(suite.galaxy(0))


def test_snapshots_are_consecutive_in_scale_factor(snapshots):
    steps = np.diff([snapshot.scale_factor for snapshot in snapshots])
    assert steps == pytest.approx(0.01)  # METHODS 1
    times = np.diff([snapshot.time.to_value(u.Myr) for snapshot in snapshots])
    assert ((times > 80) & (times < 170)).all()
    assert all(0.2 <= snapshot.scale_factor <= 0.5 for snapshot in snapshots)


def test_more_than_31_snapshots_begin_before_a_of_a_fifth():
    from astroclumps.synthetic.galaxy import scale_factors

    made = scale_factors(np.random.default_rng(0), 40)
    assert made[[0, -1]] == pytest.approx([0.11, 0.50])


def test_same_seed_gives_the_same_bytes(suite, snapshots):
    again = list(SyntheticSuite(n_galaxies=3, n_snapshots=5, n_stars=STARS, seed=5).galaxy(0))
    for one, two in zip(snapshots, again, strict=True):
        for kind in ("stars", "gas", "dark"):
            for name in getattr(one, kind).colnames:
                assert np.asarray(getattr(one, kind)[name]).tobytes() == np.asarray(getattr(two, kind)[name]).tobytes()


def test_a_galaxy_does_not_depend_on_the_others(snapshots):
    other = SyntheticSuite(n_galaxies=1, n_snapshots=5, n_stars=STARS, seed=5)
    first = next(other.galaxy(0))
    assert np.array_equal(first.stars["position"], snapshots[0].stars["position"])


def test_galaxies_and_seeds_differ(suite):
    masses = {suite.properties(i).star_mass for i in range(3)}
    masses.add(SyntheticSuite(n_galaxies=1, n_stars=STARS, seed=6).properties(0).star_mass)
    assert len(masses) == 4


def test_identifiers_are_unique_over_all_types(snapshots):
    for snapshot in snapshots:
        ids = np.concatenate([np.asarray(getattr(snapshot, kind)["particle_id"]) for kind in ("stars", "gas", "dark")])
        assert len(np.unique(ids)) == len(ids)


def test_baryons_are_conserved_and_gas_turns_into_stars_with_its_identifier(snapshots):
    def mass(snapshot):
        return sum(np.sum(getattr(snapshot, kind)["mass"].value, dtype=float) for kind in ("stars", "gas"))

    for before, after in pairwise(snapshots):
        assert mass(after) == pytest.approx(mass(before), rel=1e-6)
        stars, gas = (set(np.asarray(getattr(before, kind)["particle_id"]).tolist()) for kind in ("stars", "gas"))
        new_stars = set(np.asarray(after.stars["particle_id"]).tolist())
        assert stars <= new_stars
        assert new_stars - stars <= gas
        assert len(new_stars) > len(stars)


def test_stars_age_by_what_has_passed_and_keep_their_metals(snapshots):
    before, after = snapshots[1], snapshots[2]
    _, one, two = np.intersect1d(before.stars["particle_id"], after.stars["particle_id"], return_indices=True)
    passed = (after.time - before.time).to_value(u.Gyr)
    assert np.allclose(after.stars["age"].value[two] - before.stars["age"].value[one], passed, atol=1e-5)
    assert np.array_equal(after.stars["metallicity"][two], before.stars["metallicity"][one])


def test_new_stars_are_no_older_than_the_step(snapshots):
    before, after = snapshots[1], snapshots[2]
    new = ~np.isin(after.stars["particle_id"], before.stars["particle_id"])
    age = after.stars["age"].value[new]
    assert age.min() >= 0
    assert age.max() <= (after.time - before.time).to_value(u.Gyr) + 1e-5


def test_number_of_stars_is_about_what_was_asked_for(snapshots):
    assert 0.9 * STARS < len(snapshots[-1].stars) < 1.5 * STARS  # satellites come on top


@pytest.mark.parametrize("i", [0, 1, 2])
def test_disc_has_the_size_and_thickness_that_were_drawn(suite, i):
    wanted = suite.properties(i)
    disc = list(suite.galaxy(i))[-1].disc
    assert disc.r_d.value == pytest.approx(wanted.r_d, rel=0.20)  # the widest of them fade inside R_d
    assert disc.h_d.value == pytest.approx(wanted.h_d, rel=0.35)
    assert abs(disc.axis @ np.array(wanted.axis)) > 0.97


def test_discs_keep_to_the_numbers_of_the_paper():
    from astroclumps.synthetic.relations import draw_properties

    drawn = [draw_properties(np.random.default_rng(k), scale_factor=0.33, duration=2.8) for k in range(200)]
    for disc in drawn:
        assert 0.07 <= disc.r_d / disc.r_vir <= 0.12
        assert 0.30 <= disc.h_d / disc.r_d <= 0.55
    middle = [disc.gas_mass / (disc.gas_mass + disc.star_mass) for disc in drawn]
    assert 0.12 < np.median(middle) < 0.4
    assert np.median([disc.gas_mass / disc.sfr for disc in drawn]) == pytest.approx(1.0, rel=0.5)  # Gyr


def test_particles_move_as_fast_as_their_velocities_say():
    from astroclumps.synthetic.galaxy import SyntheticGalaxy

    galaxy = SyntheticGalaxy(name="one", rng=np.random.default_rng(3), n_snapshots=2, n_stars=3000)
    evolution = galaxy._evolution
    rows = np.arange(len(evolution.baryons))
    t, dt = evolution.time, 1e-4
    early, _ = evolution.base(rows, t - dt)
    _, velocity = evolution.base(rows, t)
    late, _ = evolution.base(rows, t + dt)
    real = (late - early) / (2 * dt)
    error = np.linalg.norm(real - velocity, axis=1) / (1 + np.linalg.norm(velocity, axis=1))
    assert np.median(error) < 0.01  # what the arms' strength changes by is left out of the velocity
    assert np.percentile(error, 99) < 0.15


def test_orbits_go_on_from_where_particles_are_let_go():
    from astroclumps.synthetic.galaxy import SyntheticGalaxy

    galaxy = SyntheticGalaxy(name="one", rng=np.random.default_rng(3), n_snapshots=2, n_stars=5000)
    evolution = galaxy._evolution
    while not [body for body in evolution.bodies if body.kind == "clump" and len(body.rows) > 20]:
        evolution.step(0.02)
    body = next(body for body in evolution.bodies if body.kind == "clump" and len(body.rows) > 20)
    rows, t = body.rows, evolution.time
    position, velocity = evolution.place(body, t)
    evolution._release(body, np.ones(len(rows), dtype=bool), t)
    after, after_velocity = evolution.base(rows, t)
    assert np.allclose(after, position, atol=1e-6)
    assert np.median(np.linalg.norm(after_velocity - velocity, axis=1)) < 0.35 * np.median(np.linalg.norm(velocity, axis=1))


def test_gas_is_cold_in_the_disc_and_hot_in_the_halo(suite, snapshots):
    gas, disc = snapshots[-1].gas, snapshots[-1].disc
    radius, _, height = disc.cylindrical(gas["position"])
    inside = (radius < disc.r_d.value) & (abs(height) < 0.5 * disc.h_d.value)
    temperature = gas["temperature"].value
    assert np.mean(temperature[inside] < 1.5e4) > 0.8
    waiting = snapshots[0].gas
    far = np.linalg.norm(waiting["position"].value, axis=1) > 0.3 * suite.properties(0).r_vir
    assert far.sum() > 20
    assert np.median(waiting["temperature"].value[far]) > 1e5


def test_old_stars_are_in_the_middle_and_metals_fall_outwards(snapshots):
    stars = snapshots[-1].stars
    radius = np.linalg.norm(stars["position"].value, axis=1)
    inner, outer = radius < np.percentile(radius, 25), radius > np.percentile(radius, 75)
    assert np.mean(stars["age"].value[inner]) > np.mean(stars["age"].value[outer])
    gas = snapshots[-1].gas
    disc = snapshots[-1].disc
    radius, _, _ = disc.cylindrical(gas["position"])
    cold = gas["temperature"].value < 1.5e4
    near, far = cold & (radius < 0.4 * disc.r_d.value), cold & (radius > 0.9 * disc.r_d.value) & (radius < 1.3 * disc.r_d.value)
    assert np.median(gas["metallicity"][near]) > np.median(gas["metallicity"][far])


def test_record_has_its_columns_with_units(suite):
    record = suite.record(0)
    assert record.colnames == [column[0] for column in RECORD_COLUMNS]
    for name, _, unit, description in RECORD_COLUMNS:
        assert str(getattr(record[name], "unit", None) or "") == ("" if unit is None else str(u.Unit(unit)))
        assert record[name].info.description == description


def test_clumps_hold_their_members_within_their_radius(suite, snapshots):
    record = suite.record(0)
    checked = 0
    for row in record[(record["bound"] == 1) & (record["kind"] == "clump") & (record["n_stars"] >= 10)]:
        snapshot = snapshots[row["snapshot"]]
        members = suite.members(0, int(row["snapshot"]))[int(row["clump"])]
        assert len(members) == row["n_stars"]
        inside = np.isin(snapshot.stars["particle_id"], members)
        assert inside.sum() == len(members)
        centre = [row[f"pos_{axis}"].value for axis in "xyz"]
        distance = np.linalg.norm(snapshot.stars["position"].value[inside] - centre, axis=1)
        assert np.median(distance) < 2 * row["radius"].value
        assert (snapshot.stars["mass"].value[inside].sum()) == pytest.approx(row["mass_stars"].value, rel=1e-5)
        checked += 1
    assert checked


def test_record_is_the_same_whether_or_not_the_galaxy_was_iterated(suite):
    again = SyntheticSuite(n_galaxies=3, n_snapshots=5, n_stars=STARS, seed=5).record(0)
    record = suite.record(0)
    assert len(again) == len(record)
    assert np.array_equal(again["mass"], record["mass"])


def test_record_is_of_the_galaxy_alone(snapshots):
    for snapshot in snapshots:
        for kind in ("stars", "gas", "dark"):
            assert not {"clump", "host", "label"} & set(getattr(snapshot, kind).colnames)
        assert set(snapshot.meta) <= {"generator", "galaxy", "r_vir"}


def test_clumps_are_kept_or_dissolved_by_their_own_rule():
    from astroclumps.synthetic.clumps import SEEN, clump_masses, clump_traits, v_circ

    rng = np.random.default_rng(1)
    kept = {}
    for mass in (3e6, 3e7, 1e9):
        traits = [clump_traits(rng, mass) for _ in range(400)]
        kept[mass] = np.mean([v_circ(mass, SEEN * one["radius"]) > one["v_limit"] for one in traits])
    assert kept[3e6] < 0.06 < kept[3e7] < 0.5 < 0.7 < kept[1e9]  # massive ones are kept, but none by its mass alone
    masses = clump_masses(rng, 4000)
    assert masses.min() >= 10**6.5
    assert masses.max() <= 10**9.5
    share = np.mean(masses > 10**7.5)
    assert share == pytest.approx((10**-0.35 - 10**-1.05) / (1 - 10**-1.05), abs=0.03)  # dN/dM ~ M^-1.35
    fewer = clump_masses(rng, 4000, cut=10**7.5)
    assert np.mean(fewer > 10**8.5) < 0.001 < np.mean(masses > 10**8.5)


def test_complexes_raise_star_formation_where_they_are():
    from astroclumps.synthetic.complexes import Complexes
    from astroclumps.synthetic.galaxy import SyntheticGalaxy
    from astroclumps.synthetic.orbits import places

    galaxy = SyntheticGalaxy(name="one", rng=np.random.default_rng(3), n_snapshots=2, n_stars=5000)
    evolution = galaxy._evolution
    gas = evolution.free_gas(evolution.time)
    complexes = Complexes(np.random.default_rng(1), 20.0)
    complexes.renew(evolution.time, 0.02, gas.rows, gas.boost)
    assert 5 < len(complexes.rows) < 40
    arms = evolution.arms.at(evolution.time)
    weight = complexes.weigh(evolution.time, evolution.baryons.elements, arms, gas.position)
    centres, boost = np.empty((len(complexes.rows), 3)), np.empty(len(complexes.rows))
    places(evolution.baryons.elements, complexes.rows, evolution.time, arms, centres, boost)
    nearest = np.linalg.norm(gas.position[:, None] - centres, axis=2).min(axis=1)
    assert (weight[np.isin(gas.rows, complexes.rows)] > 0).all()
    assert weight[nearest > 2.5 * 0.30].max() == 0
    complexes.renew(evolution.time + 0.05, 0.02, gas.rows, gas.boost)
    assert (complexes.ends > evolution.time + 0.05).all()


def test_star_formation_has_a_history_of_its_own():
    from astroclumps.synthetic.galaxy import SyntheticGalaxy

    galaxy = SyntheticGalaxy(name="one", rng=np.random.default_rng(3), n_snapshots=10, n_stars=5000)
    evolution = galaxy._evolution
    times = np.linspace(evolution.start, evolution.end, 200)
    rates = np.array([evolution.star_formation(t) for t in times]) / galaxy.disc.sfr
    assert rates.min() > 0
    assert np.mean(rates) == pytest.approx(1, abs=0.3)
    assert np.ptp(rates) > 0.05


def test_gas_does_not_pile_up_at_the_rim():
    from astroclumps.synthetic.particles import _enclosed, scale_length
    from astroclumps.synthetic.relations import draw_properties

    for seed in range(20):
        disc = draw_properties(np.random.default_rng(seed), scale_factor=0.33, duration=2.8)
        scale = scale_length(disc)
        radius, inside = _enclosed(scale, disc.r_d)
        surface = np.gradient(inside, radius)[1:] / radius[1:]
        outside = radius[1:] > 0.5 * disc.r_d
        assert (np.diff(surface[outside]) <= 1e-12).all()
        assert surface[-1] < 0.01 * surface[np.searchsorted(radius, disc.r_d)]
        assert disc.r_d / scale >= 2.69


def test_clumps_take_stars_with_them():
    from astroclumps.synthetic.galaxy import SyntheticGalaxy

    galaxy = SyntheticGalaxy(name="one", rng=np.random.default_rng(3), n_snapshots=2, n_stars=20_000)
    evolution = galaxy._evolution
    rows = evolution._captured(np.array([0.3 * galaxy.disc.r_d, 0.0, 0.0]), 100, 0.2, evolution.time)
    assert 10 <= len(rows) <= 20
    assert evolution.baryons.star[rows].all()
    assert (evolution.baryons.host[rows] < 0).all()


def test_long_lived_clumps_go_inwards(suite):
    record = suite.record(0)
    long = record[(record["fate"] == "held") & (record["kind"] == "clump")]
    steps = []
    for number in np.unique(long["clump"]):
        radius = long["r_cyl"][long["clump"] == number].value
        steps.extend(np.diff(radius))
    assert len(steps)
    assert np.mean(np.array(steps) < 0) > 0.9


def test_satellites_bring_dark_matter_of_their_own():
    found = False
    for i in range(4):
        suite = SyntheticSuite(n_galaxies=4, n_snapshots=3, n_stars=3000, seed=11)
        snapshots = list(suite.galaxy(i))
        record = suite.record(i)
        last = record[(record["kind"] == "satellite") & (record["snapshot"] == 2)]
        for row in last:
            centre = np.array([row[f"pos_{axis}"].value for axis in "xyz"])
            dark = snapshots[2].dark["position"].value
            near = np.mean(np.linalg.norm(dark - centre, axis=1) < 1.0)
            mirror = np.mean(np.linalg.norm(dark + centre, axis=1) < 1.0)
            if np.linalg.norm(centre) > 4:
                found = True
                assert near > 3 * mirror
    assert found


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"n_galaxies": 0}, ValueError, "between 1 and"),
        ({"n_snapshots": 41}, ValueError, "between 1 and 40, got 41"),
        ({"n_stars": 10.5}, TypeError, "n_stars must be an integer"),
        ({"seed": -1}, ValueError, "seed must not be negative"),
        ({"seed": "one"}, TypeError, "seed must be an integer"),
    ],
)
def test_wrong_settings_are_named(changes, error, words):
    with pytest.raises(error, match=words):
        SyntheticSuite(**{"n_galaxies": 2, "seed": 1, **changes})


def test_a_galaxy_that_is_not_there_is_an_error(suite):
    with pytest.raises(IndexError, match="galaxies 0 to 2, got 3"):
        suite.properties(3)
    with pytest.raises(IndexError, match="snapshots 0 to 4, got 9"):
        suite.members(0, 9)


def test_suite_is_made_of_its_settings(suite):
    assert len(suite) == 3
    assert repr(suite) == "SyntheticSuite(n_galaxies=3, n_snapshots=5, n_stars=6000, seed=5, clumpiness=(1.0, 1.0))"
    assert suite == SyntheticSuite(n_galaxies=3, n_snapshots=5, n_stars=STARS, seed=5)


def test_clumpiness_changes_how_many_clumps_are_born_and_nothing_else_that_is_drawn():
    plain, clumpy, spread = (SyntheticSuite(n_galaxies=4, n_snapshots=2, n_stars=2000, seed=3, clumpiness=c) for c in (1, 4, (1, 4)))
    assert repr(plain) == repr(SyntheticSuite(n_galaxies=4, n_snapshots=2, n_stars=2000, seed=3))
    for i in range(4):
        one, four, between = (suite.properties(i) for suite in (plain, clumpy, spread))
        assert dataclasses.replace(four, clumpiness=one.clumpiness) == one
        assert four.clumpiness == pytest.approx(4 * one.clumpiness)
        assert one.clumpiness < between.clumpiness < four.clumpiness
    assert len({spread.properties(i).clumpiness / plain.properties(i).clumpiness for i in range(4)}) == 4


@pytest.mark.parametrize("wrong", [0, -1, 100, (3, 2), (1, 2, 3), "many", None, float("nan")])
def test_wrong_clumpiness_is_an_error_that_says_what_is_allowed(wrong):
    with pytest.raises((TypeError, ValueError), match=r"clumpiness must be a factor such as 1, or two such as \(1, 4\)"):
        SyntheticSuite(n_galaxies=1, seed=0, clumpiness=wrong)


@pytest.mark.parametrize("wrong", ["2", True, (1, True), ("1", "2"), None])
def test_clumpiness_is_numbers(wrong):
    with pytest.raises(TypeError, match="clumpiness must be a factor such as 1"):
        SyntheticSuite(n_galaxies=1, seed=0, clumpiness=wrong)
