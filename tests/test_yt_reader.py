"""Snapshots through yt: cells become gas, particle types stars and dark matter, and yt stays as it was."""

import logging

import astropy.units as u
import numpy as np
import pytest

from astroclumps import Snapshot, testing
from astroclumps.exceptions import AstroclumpsWarning, SnapshotError

pytest.importorskip("yt", reason='needs yt: pip install "astroclumps[sim]"')

import yt

from astroclumps.simulation.yt_reader import read_yt

# yt's stream frontend and unyt speak of numpy's newer rules
pytestmark = [pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"), pytest.mark.filterwarnings("ignore:.*:UserWarning:yt")]


@pytest.fixture(autouse=True, scope="module")
def _silent():
    level = logging.getLogger("yt").level
    yt.set_log_level(50)
    yield
    yt.set_log_level(level)


def particles(kind, n, seed, **more):
    rng = np.random.default_rng(seed)
    data = {(kind, f"particle_position_{axis}"): (rng.uniform(0.3, 0.7, n), "code_length") for axis in "xyz"}
    data |= {(kind, f"particle_velocity_{axis}"): (np.full(n, 10.0 + i), "km/s") for i, axis in enumerate("xyz")}
    data[kind, "particle_mass"] = (np.full(n, 1e5), "Msun")
    data[kind, "particle_index"] = (np.arange(n)[::-1] + 5 + 1000 * seed, "")
    return data | {(kind, name): value for name, value in more.items()}


def grid(n=8, metals=True):
    fields = {
        ("gas", "density"): (np.full((n, n, n), 1e-24), "g/cm**3"),
        ("gas", "temperature"): (np.full((n, n, n), 5e3), "K"),
        **{("gas", f"velocity_{axis}"): (np.full((n, n, n), 20.0 * i), "km/s") for i, axis in enumerate("xyz")},
    }
    return fields | ({("gas", "metal_density"): (np.full((n, n, n), 2e-26), "g/cm**3")} if metals else {})


def load(data, n=8, **options):
    settings = {"length_unit": (10, "kpc"), "mass_unit": (1, "Msun"), "time_unit": (1, "Myr"), "sim_time": 500.0}
    return yt.load_uniform_grid(data, (n, n, n), **settings | options)


@pytest.fixture(scope="module")
def galaxy():
    stars = particles("star", 50, 0, creation_time=(np.linspace(0, 500, 50), "Myr"), particle_metallicity=(np.full(50, 0.02), ""))
    return load(grid() | stars | particles("DM", 30, 1))


def test_each_cell_becomes_a_gas_element(galaxy):
    gas = read_yt(galaxy).gas
    assert len(gas) == 8**3
    total = (1e-24 * u.g / u.cm**3 * (10 * u.kpc) ** 3).to_value(u.Msun)
    assert gas["mass"].sum().to_value(u.Msun) == pytest.approx(total, rel=1e-3)  # yt's kpc and Msun are its own
    np.testing.assert_allclose(gas["cell_size"].to_value(u.kpc), 1.25)
    np.testing.assert_allclose(gas["metallicity"], 0.02)
    np.testing.assert_allclose(gas["velocity"].to_value(u.km / u.s), np.tile([0, 20, 40], (512, 1)))
    np.testing.assert_allclose(gas["temperature"].to_value(u.K), 5e3)
    np.testing.assert_allclose([gas["position"].min().value, gas["position"].max().value], [0.625, 9.375])


def test_particles_keep_identifier_age_and_mass(galaxy):
    snapshot = read_yt(galaxy)
    stars = snapshot.stars
    assert stars["particle_id"].dtype == np.int64
    assert sorted(stars["particle_id"]) == list(range(5, 55))
    order = np.argsort(stars["particle_id"])  # identifiers fall as the time of birth rises
    np.testing.assert_allclose(stars["age"][order].to_value(u.Myr), np.linspace(0, 500, 50), atol=1e-6)
    np.testing.assert_allclose(stars["velocity"].to_value(u.km / u.s), np.tile([10, 11, 12], (50, 1)))
    np.testing.assert_allclose(stars["mass"].to_value(u.Msun), 1e5)
    assert len(snapshot.dark) == 30
    assert snapshot.time.to_value(u.Gyr) == pytest.approx(0.5)
    assert snapshot.meta["cosmological"] is False


def test_refined_cells_replace_the_coarse_one():
    def patch(left, right, level, n, density):
        data = {name: (np.broadcast_to(values.flat[0], (n, n, n)).copy(), unit) for name, (values, unit) in grid(2).items()}
        data["gas", "density"] = (np.full((n, n, n), density), "g/cm**3")
        return data | {"left_edge": left, "right_edge": right, "level": level, "dimensions": (n, n, n)}

    patches = [patch([0.0] * 3, [1.0] * 3, 0, 8, 1e-24), patch([0.25] * 3, [0.5] * 3, 1, 4, 8e-24)]
    ds = yt.load_amr_grids(patches, [8, 8, 8], length_unit=(10, "kpc"), mass_unit=(1, "Msun"), time_unit=(1, "Myr"))
    gas = read_yt(ds).gas
    assert len(gas) == 8**3 - 2**3 + 4**3
    volume = (gas["cell_size"].to_value(u.kpc) ** 3).sum()
    assert volume == pytest.approx(1000, rel=1e-6)
    mass = (gas["density"] * gas["cell_size"] ** 3).to_value(u.Msun)
    np.testing.assert_allclose(gas["mass"].to_value(u.Msun), mass, rtol=1e-6)
    assert mass.sum() == pytest.approx((1 + 7 / 64) * (1e-24 * u.g / u.cm**3 * (10 * u.kpc) ** 3).to_value(u.Msun), rel=1e-3)


def test_a_sphere_is_cut_and_unwrapped_about_its_centre(galaxy):
    whole, part = read_yt(galaxy), read_yt(galaxy, centre=[0, 5, 5] * u.kpc, radius=3 * u.kpc)
    x = part.gas["position"][:, 0].to_value(u.kpc)
    assert x.min() < 0 < x.max()
    assert np.linalg.norm(part.gas["position"].to_value(u.kpc) - [0, 5, 5], axis=1).max() <= 3
    wrapped = whole.gas["position"].to_value(u.kpc).copy()
    wrapped[:, 0] -= np.where(wrapped[:, 0] > 5, 10, 0)
    assert len(part.gas) == (np.linalg.norm(wrapped - [0, 5, 5], axis=1) <= 3).sum()
    np.testing.assert_array_equal(part.centre.to_value(u.kpc), [0, 5, 5])


def test_a_filter_may_be_a_name_or_a_function(galaxy):
    left = read_yt(galaxy, dark_filter=lambda data: data["all", "particle_position_x"].to("kpc").d < 5)
    assert 0 < len(left.dark) < 80
    assert left.dark["position"][:, 0].max() < 5 * u.kpc
    assert len(read_yt(galaxy, dark_filter="star").dark) == 50
    with pytest.raises(ValueError, match="has no particle type 'halo'; there are .*DM"):
        read_yt(galaxy, star_filter="halo")


def test_enzo_tells_types_by_number():
    kinds = np.repeat([1, 2, 4], [10, 20, 5])
    more = {"particle_type": (kinds, ""), "creation_time": (np.full(35, 100.0), "Myr"), "metallicity_fraction": (np.full(35, 0.01), "")}
    snapshot = read_yt(load(grid() | particles("io", 35, 0, **more)))
    assert (len(snapshot.stars), len(snapshot.dark)) == (20, 15)
    np.testing.assert_allclose(snapshot.stars["age"].to_value(u.Myr), 400)


def test_old_ramses_tells_stars_by_their_birth():
    born = np.where(np.arange(40) < 25, 100.0, 0.0)
    more = {"particle_birth_time": (born, "Myr"), "particle_metallicity": (np.full(40, 0.01), "")}
    snapshot = read_yt(load(grid() | particles("io", 40, 0, **more)))
    assert (len(snapshot.stars), len(snapshot.dark)) == (25, 15)


def test_metals_in_two_parts_are_added():
    more = {"particle_metallicity1": (np.full(9, 0.01), ""), "particle_metallicity2": (np.full(9, 0.005), "")}
    stars = particles("stars", 9, 0, particle_creation_time=(np.full(9, 0.1), "Gyr"), **more)
    np.testing.assert_allclose(read_yt(load(grid() | stars)).stars["metallicity"], 0.015)


def test_missing_metals_are_told():
    stars = particles("star", 9, 0, creation_time=(np.full(9, 100.0), "Myr"))
    with pytest.warns(AstroclumpsWarning, match="stars: no metallicity, 0.01 for all .*gas: no metallicity"):
        snapshot = read_yt(load(grid(metals=False) | stars))
    np.testing.assert_allclose(snapshot.stars["metallicity"], 0.01)
    given = read_yt(load(grid(metals=False) | stars), metallicity=0.004)
    np.testing.assert_allclose(given.gas["metallicity"], 0.004)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (("gas", "temperature"), "gas has no field temperature"),
        (("gas", "velocity_y"), "no fields .*velocity_y"),
        (("star", "particle_mass"), "stars of the type 'star' have no field particle_mass"),
        (("star", "creation_time"), "stars of the type 'star' have no time of birth; looked for star_age"),
        (("star", "particle_velocity_z"), "no fields .*particle_velocity_z"),
    ],
)
def test_a_missing_field_is_named(lost, message):
    stars = particles("star", 9, 0, creation_time=(np.full(9, 100.0), "Myr"), particle_metallicity=(np.full(9, 0.01), ""))
    data = grid() | stars
    data.pop(lost)
    with pytest.raises(SnapshotError, match=message):
        read_yt(load(data))


def test_stars_of_the_future_are_refused():
    stars = particles("star", 9, 0, creation_time=(np.full(9, 900.0), "Myr"), particle_metallicity=(np.full(9, 0.01), ""))
    with pytest.raises(SnapshotError, match="9 stars .* form after the snapshot's own time, by up to 0.4 Gyr"):
        read_yt(load(grid() | stars))


def test_an_identifier_twice_is_refused(galaxy):
    stars = particles("star", 9, 0, creation_time=(np.full(9, 100.0), "Myr"), particle_metallicity=(np.full(9, 0.01), ""))
    stars["star", "particle_index"] = (np.full(9, 7), "")
    with pytest.raises(SnapshotError, match="stars: column 'particle_id' must be unique"):
        read_yt(load(grid() | stars))


def test_yt_is_left_as_it_was(galaxy, capsys):
    from yt.config import ytcfg

    log = logging.getLogger("yt")
    level = log.level
    log.setLevel(logging.INFO)
    before = ytcfg.get("yt", "suppress_stream_logging")
    read_yt(galaxy)
    assert (log.level, ytcfg.get("yt", "suppress_stream_logging")) == (logging.INFO, before)
    log.setLevel(level)
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")


@pytest.fixture(scope="module")
def file(tmp_path_factory, galaxy):
    """A file in yt's own grid data format."""
    from yt.utilities.grid_data_format.writer import write_to_gdf

    path = tmp_path_factory.mktemp("yt") / "galaxy.gdf"
    fields = [("gas", name) for name in ("density", "temperature", "velocity_x", "velocity_y", "velocity_z", "metal_density")]
    write_to_gdf(galaxy, str(path), fields=fields)
    return path


def test_a_file_is_read_by_its_path(file):
    snapshot = Snapshot.read(file, format="yt", metallicity=0.01)
    assert len(snapshot.gas) == 8**3
    assert Snapshot.read(file, metallicity=0.01).gas["mass"].sum() == snapshot.gas["mass"].sum()  # guessed


def test_the_reader_keeps_its_contract(file):
    testing.check_simulation_reader(read_yt, file)


def test_something_else_than_a_dataset_is_refused():
    with pytest.raises(TypeError, match="path must be a path or a yt dataset, got int"):
        read_yt(3)


def test_gas_particles_are_not_taken_for_cells():
    data = particles("io", 50, 0, density=(np.ones(50), "g/cm**3"), smoothing_length=(np.full(50, 0.1), "code_length"))
    ds = yt.load_particles(data, length_unit=(10, "kpc"), mass_unit=(1, "Msun"))
    with pytest.raises(SnapshotError, match="gas is particles, not cells; read_hdf5 reads the Gadget family"):
        read_yt(ds)
