"""Snapshots: tables looked through at the door, centre, velocity and virial radius measured when asked for, kept without loss."""

import dataclasses
import pickle
import zipfile

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, LambdaCDM, Planck18
from astropy.table import QTable
from hypothesis import given, settings
from hypothesis import strategies as st

from astroclumps import Snapshot, plugins, testing
from astroclumps.exceptions import PluginError, SnapshotError
from astroclumps.simulation.centre import bulk_velocity, shrinking_sphere, virial_radius, weighted_quantile
from astroclumps.simulation.elements import empty_elements
from astroclumps.simulation.npz import read_npz
from astroclumps.testing.simulations import snapshot_difference


def elements(n=5, kind="stars", seed=0):
    rng = np.random.default_rng(seed)
    table = QTable(
        {
            "particle_id": np.arange(n) + 10,
            "position": rng.normal(size=(n, 3)) * u.kpc,
            "velocity": rng.normal(size=(n, 3)) * u.km / u.s,
            "mass": np.full(n, 1e6) * u.Msun,
            "metallicity": np.full(n, 0.01),
        }
    )
    table["age" if kind == "stars" else "temperature"] = np.full(n, 1.0) * u.Gyr if kind == "stars" else np.full(n, 1e4) * u.K
    return table


def snapshot(**more):
    return Snapshot(**{"name": "s", "stars": elements(), "gas": elements(4, "gas", 1)} | more)


def test_columns_in_our_units_are_shared_not_copied():
    stars = elements()
    made = snapshot(stars=stars)
    for name in ("position", "velocity", "mass", "particle_id", "age"):
        assert np.shares_memory(np.asarray(made.stars[name]), np.asarray(stars[name]))
    made.stars["extra"] = 1
    assert "extra" not in stars.colnames


def test_other_units_are_converted():
    stars = elements()
    stars["position"], stars["mass"] = stars["position"].to(u.pc), stars["mass"].to(u.kg)
    stars["age"], stars["velocity"] = stars["age"].to(u.Myr), stars["velocity"].to(u.m / u.s)
    made = snapshot(stars=stars).stars
    assert [str(made[name].unit) for name in ("position", "mass", "age", "velocity")] == ["kpc", "solMass", "Gyr", "km / s"]
    for name in ("position", "mass", "age", "velocity"):
        np.testing.assert_allclose(made[name].value, elements()[name].value, rtol=1e-12)


def test_single_precision_stays_and_odd_storage_is_straightened():
    stars = elements()
    stars["mass"] = stars["mass"].astype(np.float32)
    stars["position"] = u.Quantity(np.asfortranarray(stars["position"].value).astype(">f8"), u.kpc, copy=False)
    stars["particle_id"] = stars["particle_id"].astype(np.uint32)
    made = snapshot(stars=stars).stars
    assert made["mass"].dtype == np.float32
    assert made["position"].dtype.isnative
    assert made["position"].value.flags.c_contiguous
    assert made["particle_id"].dtype == np.int64
    np.testing.assert_array_equal(made["position"].value, elements()["position"].value)


def test_identifiers_of_64_bits_are_exact():
    stars = elements()
    stars["particle_id"] = np.array([2**63 + 1, 2**63, 3, 2**64 - 1, 7], dtype=np.uint64)
    made = snapshot(stars=stars).stars["particle_id"]
    assert made.dtype == np.uint64
    assert int(made[3]) == 2**64 - 1


def put(name, value):
    def change(table):
        table[name] = value(table[name])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.remove_column("age"), "column 'age' is missing; needed are particle_id"),
        (put("mass", lambda mass: mass.value), "column 'mass' must be a Quantity in a unit such as solMass, got Column without unit"),
        (put("mass", lambda mass: mass.value * u.kpc), "column 'mass' has the unit kpc; it must convert to solMass"),
        (put("metallicity", lambda z: z * u.kpc), "column 'metallicity' has the unit kpc; it must convert to a plain number"),
        (put("mass", lambda mass: -mass), "column 'mass' has 5 negative rows of 5, the first is row 0 with -1e\\+06 solMass"),
        (put("age", lambda age: age - 2 * u.Gyr), "column 'age' has 5 negative rows"),
        (put("position", lambda x: x[:, :2]), "column 'position' must have the shape \\(5, 3\\), got \\(5, 2\\)"),
        (
            put("velocity", lambda v: np.where(np.arange(15).reshape(5, 3) == 7, np.nan, v)),
            "'velocity' has 1 row of 5 that is NaN .* the first is 2",
        ),
        (put("mass", lambda mass: mass * np.array([1, 1, np.inf, 1, 1])), "column 'mass' has 1 row of 5 that is NaN or infinite"),
        (
            put("metallicity", lambda z: z * 0 + 1.5),
            "'metallicity' has 5 rows of 5 above 1, the first is row 0 with 1.5; it is a mass fraction",
        ),
        (put("metallicity", lambda z: z * 0 - 0.5), "'metallicity' has 5 negative rows of 5, .* mass fraction, 0 to 1, not in solar units"),
        (put("particle_id", lambda x: x // 2), "must be unique, but 2 of 5 repeat one; 5 stands in rows 0 and 1"),
        (put("particle_id", lambda x: x.astype(float)), "column 'particle_id' must hold one whole number a row"),
    ],
)
def test_bad_columns_are_named(change, message):
    stars = elements()
    change(stars)
    with pytest.raises(SnapshotError, match=f"snapshot 's', stars: .*{message}"):
        snapshot(stars=stars)


def test_masked_rows_are_refused():
    from astropy.table import MaskedColumn
    from astropy.utils.masked import Masked

    stars = elements()
    stars["mass"] = Masked(stars["mass"], mask=[True, False, False, False, True])
    with pytest.raises(SnapshotError, match="column 'mass' has 2 masked rows"):
        snapshot(stars=stars)
    stars = elements()
    stars["particle_id"] = MaskedColumn(np.arange(5), mask=[True, False, False, False, False])
    with pytest.raises(SnapshotError, match="column 'particle_id' has 1 masked row;"):
        snapshot(stars=stars)


def test_unsorted_identifiers_that_repeat_far_apart_are_found():
    stars = elements(1000)
    stars["particle_id"] = np.random.default_rng(0).permutation(1000)
    snapshot(stars=stars)
    stars["particle_id"][999] = stars["particle_id"][0]
    with pytest.raises(SnapshotError, match="1 of 1000 repeat one; .* stands in rows 0 and 999"):
        snapshot(stars=stars)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"stars": [1, 2]}, TypeError, "stars: must be an astropy QTable, got list; elements.empty_elements"),
        ({"gas": None}, TypeError, "gas: must be an astropy QTable, got NoneType"),
        ({"stars": empty_elements("stars"), "gas": empty_elements("gas")}, SnapshotError, "has neither stars nor gas"),
        ({"scale_factor": 0}, ValueError, "scale_factor must be positive and finite, got 0"),
        ({"scale_factor": "early"}, TypeError, "scale_factor must be a number"),
        ({"centre": [0, 0, 0]}, TypeError, r"centre must be a Quantity that converts to kpc, such as \[1, 1, 1\]"),
        ({"centre": 3 * u.kpc}, ValueError, r"centre must be finite, with the shape \(3,\)"),
        ({"velocity": [0, 0, 0] * u.kpc}, TypeError, "velocity must be a Quantity that converts to km / s"),
        ({"r_vir": 100}, TypeError, "r_vir must be a Quantity that converts to kpc"),
        ({"r_vir": -1 * u.kpc}, ValueError, "r_vir must be one number, finite and positive, got -1"),
        ({"time": 3}, TypeError, "time must be a Quantity that converts to Gyr"),
        ({"axis": [0, 0, 0]}, ValueError, "axis must be a direction"),
        ({"axis": [0, 1]}, ValueError, "axis must be a direction"),
        ({"cosmology": 70}, TypeError, "cosmology must be an astropy cosmology"),
    ],
)
def test_bad_arguments_are_named(more, error, message):
    with pytest.raises(error, match=message):
        snapshot(**more)


def test_a_type_may_be_empty():
    only_gas = snapshot(stars=empty_elements("stars"))
    assert len(only_gas.stars) == 0
    assert only_gas.centre.shape == (3,)  # on the gas
    assert snapshot(gas=empty_elements("gas"), dark=empty_elements("dark")).dark is not None


def test_epoch_and_clock():
    made = snapshot(scale_factor=0.5)
    assert made.redshift == pytest.approx(1)
    assert made.cosmology.H0.value == 70.4
    assert made.cosmology.Om0 == 0.2726
    assert made.time.to_value(u.Gyr) == pytest.approx(FlatLambdaCDM(70.4, 0.2726).age(1).value)
    assert snapshot(time=250 * u.Myr).time == 0.25 * u.Gyr


def test_frozen_and_replaceable():
    made = snapshot(centre=[1, 2, 3] * u.kpc)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"
    other = dataclasses.replace(made, name="other", r_vir=50 * u.kpc, velocity=[0, 0, 0] * u.km / u.s, axis=[0, 0, 2])
    assert (other.name, other.r_vir) == ("other", 50 * u.kpc)
    np.testing.assert_array_equal(other.centre.value, [1, 2, 3])
    np.testing.assert_array_equal(other.axis, [0, 0, 1])


def test_it_can_be_pickled():
    made = testing.example_snapshot()
    assert snapshot_difference(made, pickle.loads(pickle.dumps(made))) == ""


def test_the_summary_counts():
    text = testing.example_snapshot().summary
    assert "stars: 600 elements, 2e+10 Msun" in text
    assert "dark: 200 elements, 5e+11 Msun" in text


def test_the_shrinking_sphere_finds_the_denser_of_two_clusters():
    rng = np.random.default_rng(3)
    one, two = rng.normal([10, 0, 0], 0.2, (3000, 3)), rng.normal([-10, 4, 1], 2.0, (3000, 3))
    centre = shrinking_sphere(np.vstack([one, two]), np.ones(6000))
    np.testing.assert_allclose(centre, [10, 0, 0], atol=0.02)


def test_the_centre_does_not_depend_on_order_or_place():
    made = testing.example_snapshot()
    stars = made.stars[np.random.default_rng(0).permutation(len(made.stars))]
    centre = dataclasses.replace(made, centre=None).centre
    np.testing.assert_allclose(dataclasses.replace(made, centre=None, stars=stars).centre.value, centre.value, atol=1e-12)
    moved = made.stars.copy()
    shift = [1000, -2000, 30] * u.kpc
    moved["position"] += shift
    np.testing.assert_allclose(dataclasses.replace(made, centre=None, stars=moved).centre.value, (centre + shift).value, atol=1e-9)


def test_a_far_star_does_not_move_the_centre():
    rng = np.random.default_rng(1)
    position = np.vstack([rng.normal(0, 1, (2000, 3)), [[1e6, 0, 0]]])
    assert np.linalg.norm(shrinking_sphere(position, np.ones(2001))) < 0.2


def test_the_velocity_is_that_of_the_inner_stars():
    made = testing.example_snapshot(n_stars=5000)
    stars = made.stars.copy()
    stars["velocity"] += [100, 20, -300] * u.km / u.s
    velocity = dataclasses.replace(made, stars=stars, velocity=None).velocity.value
    np.testing.assert_allclose(velocity, [100, 20, -300], atol=15)  # 180 km/s over the square root of 2500 stars is 4 km/s
    far = np.array([[0, 0, 0], [1, 0, 0], [50, 0, 0]], dtype=float)
    speed = np.array([[10.0, 0, 0], [20, 0, 0], [900, 0, 0]])
    np.testing.assert_allclose(bulk_velocity(far, speed, np.array([1.0, 1, 100]), np.zeros(3), 5.0), [10, 0, 0])


def test_the_virial_radius_of_an_isothermal_sphere_is_exact():
    # M(r) = m r: mean density rho is reached where r^2 = m / (4 pi/3 rho)
    distance = np.linspace(0.01, 300, 100_000)
    mass = np.full(100_000, 300e9 / 100_000)
    density = 1e9 / (4 * np.pi / 3 * 150**2)
    assert virial_radius(distance, mass, density) == pytest.approx(150, rel=1e-3)
    assert virial_radius(distance[:40_000], mass[:40_000], density) is None  # the edge lies outside of the data


def test_the_virial_radius_comes_from_the_halo_else_from_the_stars():
    rng = np.random.default_rng(5)
    n = 20_000
    direction = rng.normal(size=(n, 3))
    position = rng.uniform(0, 400, n)[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    dark = QTable({"particle_id": np.arange(n), "position": position * u.kpc, "velocity": np.zeros((n, 3)) * u.km / u.s})
    dark["mass"] = np.full(n, 4e12 / n) * u.Msun
    made = snapshot(dark=dark, scale_factor=1 / 3, centre=[0, 0, 0] * u.kpc)
    density = 200 * made.cosmology.critical_density(2).to_value(u.Msun / u.kpc**3)
    assert made.r_vir.value == pytest.approx(np.sqrt(1e10 / (4 * np.pi / 3 * density)), rel=0.02)
    assert made.meta["r_vir"] == "200 times the critical density"
    stars = elements(100)
    stars["mass"] = np.full(100, 1.4e8) * u.Msun
    alone = snapshot(stars=stars)
    assert 100 < alone.r_vir.value < 250  # 1.4e10 Msun of stars live in a halo of some 6e11 Msun
    assert "Behroozi" in alone.meta["r_vir"]
    assert snapshot(r_vir=80 * u.kpc).meta["r_vir"] == "given"
    assert alone.replace(name="other").meta["r_vir"] == alone.meta["r_vir"]
    assert alone.replace(r_vir=80 * u.kpc).meta["r_vir"] == "given"


def test_a_galaxy_too_heavy_for_the_relation_asks_for_its_virial_radius():
    stars = elements()
    stars["mass"] = np.full(5, 1e14) * u.Msun
    with pytest.raises(SnapshotError, match="snapshot 's' has no virial radius: .*; give r_vir="):
        _ = snapshot(stars=stars).r_vir


def test_weighted_quantiles_of_many_values_are_those_of_a_sort():
    rng = np.random.default_rng(0)
    values, weights = rng.exponential(1, 300_000) ** 3, rng.random(300_000)
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    for part in (0.01, 0.5, 0.85, 1.0):
        expected = values[order][np.searchsorted(total, part * total[-1])] if part < 1 else values.max()
        assert weighted_quantile(values, weights, part) == pytest.approx(expected, rel=1e-5)
    assert weighted_quantile(np.ones(5), np.ones(5), 0.85) == 1


TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def test_a_turn_turns_everything_along():
    made = testing.example_snapshot()
    _ = made.velocity
    turned = made.rotated(TURN)
    np.testing.assert_allclose(turned.gas["position"].value, made.gas["position"].value @ TURN.T)
    np.testing.assert_allclose(turned.velocity.value, TURN @ made.velocity.value)
    np.testing.assert_allclose(turned.disc.axis, TURN @ made.disc.axis, atol=1e-12)
    assert turned.disc.r_d.value == pytest.approx(made.disc.r_d.value, rel=1e-12)
    assert turned.r_vir == made.r_vir
    assert snapshot_difference(turned.rotated(TURN.T), made) in ("", "stars: column 'velocity'")


@pytest.mark.parametrize("matrix", [np.eye(2), 2 * np.eye(3), np.diag([1.0, 1, -1])])
def test_only_rotations_turn(matrix):
    with pytest.raises(ValueError, match="matrix must be a rotation"):
        snapshot().rotated(matrix)


def test_a_turn_into_the_disc_makes_it_lie_flat():
    made = testing.example_snapshot(n_stars=3000, n_gas=3000)
    tilt = np.array([[1, 0, 0], [0, np.cos(1), -np.sin(1)], [0, np.sin(1), np.cos(1)]])
    flat = made.rotated(tilt)
    flat = flat.rotated(flat.disc.rotation())
    np.testing.assert_allclose(flat.disc.axis, [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    "cosmology", [None, Planck18, LambdaCDM(H0=65, Om0=0.3, Ode0=0.5, name="open"), FlatLambdaCDM(70 * u.km / u.s / u.Mpc, 0.3)]
)
def test_writing_and_reading_loses_nothing(tmp_path, cosmology):
    made = testing.example_snapshot()
    gas = made.gas.copy()
    gas["mass"] = gas["mass"].astype(np.float32)
    gas["note"] = np.full(len(gas), "abc")
    gas["pressure"] = np.linspace(0, 1, len(gas)) * u.erg / u.cm**3
    gas["mass"].info.description = "of the element"
    gas.meta["code"] = "toy"
    stars = made.stars.copy()
    stars["particle_id"] = stars["particle_id"].astype(np.uint64) + np.uint64(2**63)
    meta = {"file": "x", "list": [1, 2.5, None, "a"]}
    made = dataclasses.replace(made, gas=gas, stars=stars, dark=None, cosmology=cosmology, meta=meta, time=0.1 * u.Gyr, axis=[1, 2, 3])
    _ = made.velocity
    made.write(tmp_path / "s.npz")
    back = Snapshot.read(tmp_path / "s.npz")
    assert snapshot_difference(made, back) == ""
    assert back.gas["mass"].info.description == "of the element"
    assert back.gas.meta == {"code": "toy"}
    assert back.gas["pressure"].unit == u.erg / u.cm**3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.npz"]


@given(st.lists(st.floats(min_value=1e-300, max_value=1e300), min_size=1, max_size=20), st.floats(min_value=0.01, max_value=1))
@settings(max_examples=25, deadline=None)
def test_any_number_survives_writing(tmp_path_factory, masses, scale_factor):
    stars = elements(len(masses))
    stars["mass"] = masses * u.Msun
    path = tmp_path_factory.mktemp("npz") / "s.npz"
    made = snapshot(stars=stars, scale_factor=scale_factor)
    made.write(path)
    assert snapshot_difference(made, read_npz(path)) == ""


def test_the_npz_reader_keeps_its_contract(tmp_path):
    testing.example_snapshot().write(tmp_path / "s.npz")
    testing.check_simulation_reader(read_npz, tmp_path / "s.npz")


def rewritten(path, change):
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


def header(old, new):
    def change(arrays):
        text = arrays["header"].tobytes().decode()
        assert old in text
        arrays["header"] = np.frombuffer(text.replace(old, new).encode(), dtype=np.uint8)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("gas/mass"), "s.npz, gas/mass: the column is missing"),
        (lambda arrays: arrays.pop("header"), "s.npz: is no archive of a snapshot"),
        (lambda arrays: arrays.update({"stars/particle_id": np.zeros(600, int)}), "s.npz: .*stars: column 'particle_id' must be unique"),
        (lambda arrays: arrays.update({"stars/mass": arrays["stars/mass"][:9]}), "s.npz: "),
        (header("astroclumps snapshot 1", "astroclumps snapshot 9"), "this version reads 'astroclumps snapshot 1'"),
        (header('"velocity": "km / s"', '"velocity": "kpc"'), "s.npz: .*column 'velocity' has the unit kpc"),
        (header("FlatLambdaCDM", "WMAP7"), "s.npz: lacks a part of a snapshot: no cosmology of the class 'WMAP7'"),
    ],
)
def test_a_spoilt_archive_is_named(tmp_path, change, message):
    testing.example_snapshot().write(tmp_path / "s.npz")
    rewritten(tmp_path / "s.npz", change)
    with pytest.raises(SnapshotError, match=message):
        Snapshot.read(tmp_path / "s.npz")


def test_pickles_are_never_opened(tmp_path):
    np.savez(tmp_path / "s.npz", header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SnapshotError, match="s.npz: is no archive of a snapshot.*Python objects, which are never opened"):
        Snapshot.read(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("content", "found"), [(b"", "the file is empty"), (b"\x80\x04K\x03.", "it is no archive"), (b"hello", "no archive")]
)
def test_what_is_no_archive_is_refused_in_our_words(tmp_path, content, found):
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(SnapshotError, match=f"s.npz: is no archive of a snapshot: .*{found}") as caught:
        Snapshot.read(tmp_path / "s.npz", format="npz")
    assert "pickle" not in str(caught.value)


def test_a_snapshot_that_is_there_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "s.npz"
    snapshot().write(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="s.npz is already there; add overwrite=True"):
        snapshot(name="other").write(path)
    assert path.read_bytes() == before
    snapshot(name="other").write(path, overwrite=True)
    assert Snapshot.read(path).name == "other"


def test_another_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("a.txt", "b")
    with pytest.raises(SnapshotError, match="s.npz: is no archive of a snapshot"):
        Snapshot.read(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("more", "path", "message"),
    [
        ({}, "s.hdf5", "suffix .npz, got 's.hdf5'"),
        ({"meta": {"a": {1, 2}}}, "s.npz", "meta cannot be kept as JSON"),
        ({"meta": {"a": (1, 2)}}, "s.npz", "meta cannot be kept as JSON: keys must be text, and lists stay lists"),
    ],
)
def test_what_cannot_be_kept_is_said(tmp_path, more, path, message):
    with pytest.raises(ValueError, match=message):
        snapshot(**more).write(tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_object_columns_cannot_be_kept(tmp_path):
    stars = elements()
    stars["o"] = np.array([None] * 5, dtype=object)
    with pytest.raises(ValueError, match="stars: column 'o' of object"):
        snapshot(stars=stars).write(tmp_path / "s.npz")


def test_a_missing_file_and_an_unknown_reader_are_told(tmp_path):
    for name in ("s.npz", "s.hdf5"):
        with pytest.raises(FileNotFoundError, match=name):
            Snapshot.read(tmp_path / name)
    with pytest.raises(PluginError, match="no simulation reader named 'zzz'; installed: .*'hdf5', 'npz', 'yt'"):
        Snapshot.read(tmp_path / "s.npz", format="zzz")


def test_a_reader_of_something_else_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(plugins, "load", lambda kind, name: lambda path: 3)
    with pytest.raises(PluginError, match="simulation reader 'mine' must return a Snapshot, got int"):
        Snapshot.read(tmp_path / "s", format="mine")


def read_touching(path):
    made = read_npz(path)
    with open(path, "ab") as file:
        file.write(b"\0")
    return made


def read_unseeded(path):
    read_npz(path)
    return testing.example_snapshot(seed=np.random.default_rng().integers(10**6))


def read_anything(path):
    return testing.example_snapshot()


def read_table(path):
    return read_npz(path).stars


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (7, "int cannot be called"),
        (read_table, "read_table must return a Snapshot, got QTable"),
        (read_touching, "read_touching changed the file"),
        (read_unseeded, "read_unseeded, again: the same file gave another snapshot: stars: .*gas: .*dark: "),
        (read_anything, "read_anything, a missing file: must raise SnapshotError or FileNotFoundError, was read"),
        (lambda path: read_npz(path), "cannot be pickled"),
    ],
)
def test_a_reader_that_breaks_the_contract_is_named(tmp_path, reader, message):
    testing.example_snapshot().write(tmp_path / "s.npz")
    with pytest.raises(PluginError, match=message):
        testing.check_simulation_reader(reader, tmp_path / "s.npz")
