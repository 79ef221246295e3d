"""Real snapshots of eight codes: masses, times and temperatures as their makers state them."""

from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest

from astroclumps import Snapshot
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.simulation.centre import shrinking_sphere

pytestmark = pytest.mark.real_data

OLD = {"old_star_age": [1, 3] * u.Gyr, "metallicity": 0.01}


def total(snapshot):
    return sum(float(np.sum(table["mass"].value, dtype=float)) for table in (snapshot.stars, snapshot.gas))


def sane(snapshot):
    """What holds for any galaxy."""
    stars, gas = snapshot.stars, snapshot.gas
    age = snapshot.cosmology.age(0) if snapshot.meta["cosmological"] else 14 * u.Gyr
    assert 0 <= stars["age"].min() <= stars["age"].max() < age
    assert 0 <= stars["metallicity"].min() <= stars["metallicity"].max() < 0.2
    assert 1e5 < np.median(stars["mass"].value) < 1e8
    if len(gas):
        assert 10 < gas["temperature"].min().value <= gas["temperature"].max().value < 1e9
        assert 0 <= gas["metallicity"].min() <= gas["metallicity"].max() < 0.2
    velocity = stars["velocity"].value - np.median(stars["velocity"].value, axis=0)
    assert 5 < np.median(np.linalg.norm(velocity, axis=1)) < 700


@pytest.fixture(scope="module")
def clumpy(real_data):
    folder = real_data / "sims" / "gizmo_clumpy_disc"
    return [Snapshot.read(folder / f"snapshot_{i:03d}.hdf5", redshift=2, **OLD) for i in range(21)]


def test_the_clumpy_disc_keeps_its_mass_and_its_clock(clumpy):
    start = clumpy[0]
    assert start.gas["mass"].sum().value == pytest.approx(1.3e10, rel=1e-3)
    assert start.stars["mass"].sum().value == pytest.approx(0.9e10, rel=1e-3)  # disc and bulge
    for i, snapshot in enumerate(clumpy):
        sane(snapshot)
        assert total(snapshot) == pytest.approx(2.2e10, rel=2e-3)
        assert snapshot.time.to_value(u.Myr) == pytest.approx(25 * i, abs=1)
        assert len(snapshot.stars) + len(snapshot.gas) == 25_200
        assert snapshot.meta["layout"] == "gizmo"


def test_new_stars_of_the_clumpy_disc_keep_their_gas_particle_and_their_birth(clumpy):
    for before, after in pairwise(clumpy):
        was, now = (dict(zip(one.stars["particle_id"], (one.time - one.stars["age"]).value, strict=True)) for one in (before, after))
        assert set(was) <= set(now)
        np.testing.assert_allclose([now[i] for i in was], list(was.values()), atol=1e-5)
        new = set(now) - set(was)
        assert new <= set(before.gas["particle_id"])
        assert min(now[i] for i in new) > before.time.value - 1e-5
    formed = (clumpy[-1].stars["mass"].sum() - clumpy[0].stars["mass"].sum()).value
    assert 5e9 < formed < 8e9


@pytest.mark.parametrize(("name", "time", "mass"), [("C2", 0.155, 1.1112e11), ("C4", 0.060, 9.409e10), ("C21", 0.4, 4.249e9)])
def test_both_epochs_of_the_gizmo_discs_have_the_same_mass(real_data, name, time, mass):
    """Were the h of the initial conditions taken at its word, they would weigh 43% more."""
    folder = real_data / "sims" / "gizmo_discs"
    (start,), (end,) = (list(folder.glob(f"{name}_*_{part}.hdf5")) for part in ("ic_t0", "evolved"))
    with pytest.warns(AstroclumpsWarning, match="HubbleParam 0.7 .* not used: .*; PartType0: no electron abundance"):
        first = Snapshot.read(start)
    last = Snapshot.read(end, **OLD)
    for snapshot in (first, last):
        sane(snapshot)
        assert total(snapshot) == pytest.approx(mass, rel=1e-3)
        assert snapshot.dark is None  # it was taken out of the files
    assert last.time.to_value(u.Gyr) == pytest.approx(time * 0.97779, rel=1e-3)
    assert last.meta["layout"] == "simba"
    assert (last.gas["temperature"] < 1.5e4 * u.K).mean() > 0.6
    everything = [np.concatenate([one.stars["particle_id"], one.gas["particle_id"]]) for one in (first, last)]
    assert np.isin(everything[1], everything[0]).all()
    new = ~np.isin(last.stars["particle_id"], first.stars["particle_id"])
    assert np.isin(last.stars["particle_id"][new], first.gas["particle_id"]).all()
    assert np.isin(first.stars["particle_id"], last.stars["particle_id"]).all()


# file: layout, stars, gas, redshift, median initial mass of stars, of gas (Msun), extent of the stars (kpc)
NATIVE = {
    "EAGLE": ("eagle", 2000, 100, 0.2709, 2.3e6, 2.6e6, 4.5),  # 1.81e6 Msun a gas particle at the start
    "IllustrisTNG": ("tng", 1996, 100, 0.2977, 1.6e6, 1.5e6, 215),  # 1.4e6 Msun a cell is what TNG100 keeps to; 4 wind particles
    "Magneticum": ("magneticum", 2000, 100, 0.2930, 3.0e6, 8.3e6, 4.2),  # Box4 uhr: 7.3e6 Msun/h a gas particle, a quarter of it a star
    "HorizonAGN": ("horizon-agn", 2000, 100, 0.0180, 4.0e6, 6.1e4, 39),
    "Colibre": ("swift", 935, 62, 0.0, 1.77e7, 3.7e7, 60),  # m7: 1.47e7 Msun a gas particle at the start
}


@pytest.mark.parametrize("name", sorted(NATIVE))
def test_native_layouts(real_data, name):
    layout, n_stars, n_gas, redshift, star_mass, gas_mass, extent = NATIVE[name]
    snapshot = Snapshot.read(real_data / "sims" / "native_layouts" / f"SimSpin_example_{name}.hdf5")
    sane(snapshot)
    assert (snapshot.meta["layout"], len(snapshot.stars), len(snapshot.gas)) == (layout, n_stars, n_gas)
    assert snapshot.redshift == pytest.approx(redshift, abs=2e-4)
    assert np.median(snapshot.stars["initial_mass"].value) == pytest.approx(star_mass, rel=0.05)
    assert np.median(snapshot.gas["mass"].value) == pytest.approx(gas_mass, rel=0.05)
    assert (snapshot.stars["mass"] <= 1.001 * snapshot.stars["initial_mass"]).mean() > 0.99
    assert np.ptp(snapshot.stars["position"].value, axis=0).max() == pytest.approx(extent, rel=0.1)
    assert snapshot.time.to_value(u.Gyr) == pytest.approx(snapshot.cosmology.age(redshift).value, rel=1e-3)
    if "sfr" in snapshot.gas.colnames and (snapshot.gas["sfr"] > 0).any():
        forming = snapshot.gas["sfr"] > 0
        depletion = (snapshot.gas["mass"][forming] / snapshot.gas["sfr"][forming]).to_value(u.Gyr)
        assert 0.2 < np.median(depletion) < 5
        assert snapshot.gas["temperature"][forming].max() <= 1.4e4 * u.K


@pytest.mark.filterwarnings("ignore::astroclumps.exceptions.AstroclumpsWarning")
@pytest.mark.parametrize("name", [*sorted(NATIVE), "HDF5"])
def test_parts_of_galaxies_have_discs_too(real_data, name):
    disc = Snapshot.read(real_data / "sims" / "native_layouts" / f"SimSpin_example_{name}.hdf5").disc
    assert 0 < disc.h_d <= disc.r_d < 25 * u.kpc
    assert np.linalg.norm(disc.axis) == pytest.approx(1)


def test_cells_of_horizon_agn_weigh_what_their_density_says(real_data):
    gas = Snapshot.read(real_data / "sims" / "native_layouts" / "SimSpin_example_HorizonAGN.hdf5").gas
    np.testing.assert_allclose((gas["density"] * gas["cell_size"] ** 3).to_value(u.Msun), gas["mass"].value, rtol=0.02)
    assert gas["cell_size"].min().to_value(u.kpc) == pytest.approx(100e3 / 0.704 * 0.98233 / 2**17, rel=2e-3)  # of the box
    assert len(np.unique(gas["particle_id"])) == 100


def test_a_gadget_file_of_stars_alone(real_data):
    path = real_data / "sims" / "native_layouts" / "SimSpin_example_HDF5.hdf5"
    with pytest.warns(AstroclumpsWarning, match="PartType2: no formation time"):
        snapshot = Snapshot.read(path)
    assert len(snapshot.gas) == 0
    assert total(snapshot) == pytest.approx(6e10, rel=1e-4)
    assert snapshot.time.to_value(u.Gyr) == pytest.approx(9.7779, rel=1e-4)
    assert np.linalg.norm(snapshot.centre.value) < 0.2


@pytest.mark.parametrize(("name", "radius"), [("EAGLE", 1.5), ("IllustrisTNG", 40.0)])
def test_a_sphere_of_a_real_box(real_data, name, radius):
    path = real_data / "sims" / "native_layouts" / f"SimSpin_example_{name}.hdf5"
    whole = Snapshot.read(path)
    part = Snapshot.read(path, centre=whole.centre, radius=radius * u.kpc)
    distance = np.linalg.norm((whole.stars["position"] - whole.centre).value, axis=1)
    assert 10 < len(part.stars) < len(whole.stars)
    np.testing.assert_array_equal(part.stars["particle_id"], whole.stars["particle_id"][distance <= radius])


def test_real_snapshots_are_kept_without_loss(real_data, tmp_path):
    from astroclumps.testing.simulations import snapshot_difference

    for name in ("EAGLE", "Magneticum"):
        made = Snapshot.read(real_data / "sims" / "native_layouts" / f"SimSpin_example_{name}.hdf5")
        made.write(tmp_path / "s.npz", overwrite=True)
        assert snapshot_difference(made, Snapshot.read(tmp_path / "s.npz")) == ""


def test_the_centre_of_the_clumpy_disc_stays_with_its_bulge(clumpy):
    bulge = clumpy[0].stars["particle_id"][clumpy[0].stars["mass"] < 9e5 * u.Msun]
    assert len(bulge) == 1200
    away = []
    for snapshot in clumpy:
        stars = snapshot.stars[np.isin(snapshot.stars["particle_id"], bulge)]
        centre = shrinking_sphere(stars["position"].value, stars["mass"].value)
        away.append(np.linalg.norm(centre - snapshot.centre.value))
    assert np.median(away) < 0.05
    assert (np.array(away) < 0.15).sum() >= 20  # in one, a clump of the bulge's own mass is about to merge with it
