"""The Gadget family from HDF5: the same galaxy comes out of each code's units and names; what is wrong is named."""

import re

import h5py
import numpy as np
import pytest
from astropy import units as u
from gadget_files import BOX, COSMOLOGY, NAMES, A, H, internal_energy, truth, write

from astroclumps import Snapshot, testing
from astroclumps.exceptions import AstroclumpsWarning, SnapshotError
from astroclumps.simulation.gadget import read_hdf5
from astroclumps.simulation.layouts import LAYOUTS

PRESSURED = ("eagle", "tng", "magneticum", "horizon-agn")


def ages(formation):
    return (COSMOLOGY.age(1 / A - 1) - COSMOLOGY.age(1 / formation - 1)).to_value(u.Gyr)


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize("layout", sorted(NAMES))
def test_the_same_galaxy_comes_out_of_every_layout(tmp_path, layout):
    expected = truth()
    made = Snapshot.read(write(tmp_path / "s.hdf5", layout))
    assert made.meta["layout"] == layout
    assert made.scale_factor == pytest.approx(A)
    assert (made.cosmology.H0.value, made.cosmology.Om0) == (pytest.approx(70), 0.3)
    for kind, number in (("stars", 4), ("gas", 0), ("dark", 1)):
        table = getattr(made, kind)
        for name in ("position", "velocity", "mass"):
            np.testing.assert_allclose(table[name].value, expected[number][name], rtol=2e-6)
        if (kind, layout) != ("gas", "horizon-agn"):
            np.testing.assert_array_equal(table["particle_id"], expected[number]["particle_id"])
    np.testing.assert_allclose(made.stars["age"].value, ages(expected[4]["formation"]), atol=2e-6)
    for kind, number in (("stars", 4), ("gas", 0)):
        np.testing.assert_allclose(getattr(made, kind)["metallicity"], expected[number]["metallicity"], rtol=2e-6)
    np.testing.assert_allclose(made.gas["density"].value, expected[0]["density"], rtol=2e-6)
    if layout == "horizon-agn":
        assert "sfr" not in made.gas.colnames  # the unit that its files state cannot be right
    else:
        np.testing.assert_allclose(made.gas["sfr"].value, expected[0]["sfr"], rtol=2e-3)  # SWIFT's year is not ours
    if "initial_mass" in NAMES[layout]:
        np.testing.assert_allclose(made.stars["initial_mass"].value, expected[4]["initial_mass"], rtol=2e-6)
    temperature = expected[0]["temperature"].copy()
    if layout in PRESSURED:
        forming = expected[0]["sfr"] > 0
        temperature[forming] = np.minimum(temperature[forming], 1e4)
    np.testing.assert_allclose(made.gas["temperature"].value, temperature, rtol=1e-5)


@pytest.mark.parametrize("layout", ["gizmo", "swift", "horizon-agn"])
def test_the_reader_keeps_its_contract(tmp_path, layout):
    testing.check_simulation_reader(read_hdf5, write(tmp_path / "s.hdf5", layout))


def test_a_layout_can_be_set(tmp_path):
    path = write(tmp_path / "s.hdf5", "tng")
    assert Snapshot.read(path).gas["temperature"].max() > Snapshot.read(path).gas["temperature"][:15].max()
    plain = LAYOUTS["gizmo"].name
    assert read_hdf5(path, layout=plain).gas["temperature"][:15].max() > 1e4 * u.K
    with pytest.raises(ValueError, match="no layout named 'ramses'; there are gadget, gizmo, simba"):
        read_hdf5(path, layout="ramses")


def test_files_without_any_unit_are_in_gadgets_own(tmp_path):
    made = Snapshot.read(write(tmp_path / "s.hdf5", "gadget"))
    assert "the header states no units" in made.meta["assumptions"][0]
    other = read_hdf5(tmp_path / "s.hdf5", length_unit=1 * u.Mpc, mass_unit=1 * u.Msun, velocity_unit=1 * u.m / u.s)
    np.testing.assert_allclose(other.gas["position"].value, 1000 * made.gas["position"].value, rtol=1e-9)
    np.testing.assert_allclose(other.gas["mass"].value, 1e-10 * made.gas["mass"].value, rtol=1e-9)
    np.testing.assert_allclose(other.gas["velocity"].value, 1e-3 * made.gas["velocity"].value, rtol=1e-9)


def test_h_and_epoch_can_be_set(tmp_path):
    path = write(tmp_path / "s.hdf5", "gadget")
    made, other = read_hdf5(path), read_hdf5(path, h=1.0)
    np.testing.assert_allclose(other.gas["mass"].value, H * made.gas["mass"].value, rtol=1e-9)
    later = read_hdf5(path, redshift=0.25)
    assert later.scale_factor == 0.8
    np.testing.assert_allclose(later.gas["position"].value, 1.6 * made.gas["position"].value, rtol=1e-9)
    with pytest.raises(ValueError, match="scale_factor= or redshift=, not both"):
        read_hdf5(path, redshift=1, scale_factor=0.5)
    with pytest.raises(ValueError, match="the scale factor must be positive"):
        read_hdf5(path, scale_factor=-1)


def test_masses_may_stand_in_the_header(tmp_path):
    table = np.array([0, 3e-4, 0, 0, 0, 0])
    path = edit(write(tmp_path / "s.hdf5", "gadget", header={"MassTable": table}), lambda file: file.__delitem__("PartType1/Masses"))
    np.testing.assert_allclose(Snapshot.read(path).dark["mass"].value, 3e6 / H)
    path = write(tmp_path / "s.hdf5", "gadget", header={"MassTable": np.full(6, 9.0)})  # a field of masses comes first
    np.testing.assert_allclose(Snapshot.read(path).stars["mass"].value, truth()[4]["mass"], rtol=1e-9)


def test_a_metallicity_with_elements_starts_with_all_metals(tmp_path):
    def change(file):
        z = file["PartType4/Metallicity"][:]
        del file["PartType4/Metallicity"]
        file["PartType4/Metallicity"] = np.column_stack([z, np.full(len(z), 0.25), z / 3])

    path = edit(write(tmp_path / "s.hdf5"), change)
    np.testing.assert_allclose(Snapshot.read(path).stars["metallicity"], truth()[4]["metallicity"])


def test_wind_is_no_star(tmp_path):
    def change(file):
        file["PartType4/GFM_StellarFormationTime"][:4] = [-0.3, 0.0, -0.1, -0.5]

    made = Snapshot.read(edit(write(tmp_path / "s.hdf5", "tng"), change))
    np.testing.assert_array_equal(made.stars["particle_id"], truth()[4]["particle_id"][4:])
    assert "PartType4: left out 4 wind particles" in made.meta["assumptions"]


def test_a_negative_birth_without_wind_is_an_error(tmp_path):
    path = edit(
        write(tmp_path / "s.hdf5", "eagle"), replace("PartType4/StellarFormationTime", lambda a: np.where(np.arange(30) < 4, -a, a))
    )
    with pytest.raises(SnapshotError, match="PartType4/StellarFormationTime: 4 scale factors are negative, the first in row 0"):
        Snapshot.read(path)


def test_swift_marks_what_came_before(tmp_path):
    def change(file):
        file["PartType4/BirthScaleFactors"][0] = -1.0
        file["PartType0/StarFormationRates"][20] = -0.3  # formed stars at a = 0.3 for the last time

    path = edit(write(tmp_path / "s.hdf5", "swift"), change)
    with pytest.warns(AstroclumpsWarning, match="PartType4: no formation time, ages of 1 to 3 Gyr"):
        made = Snapshot.read(path)
    assert 1 <= made.stars["age"][0].value <= 3
    np.testing.assert_allclose(made.stars["age"][1:].value, ages(truth()[4]["formation"][1:]), atol=2e-6)
    assert made.gas["sfr"][20] == 0


def test_what_is_stored_as_physical_is_not_scaled_again(tmp_path):
    def change(file):
        dataset = file["PartType0/Densities"]
        dataset[:] = dataset[:] * A**-3
        dataset.attrs["Value stored as physical"] = [1]

    made = Snapshot.read(edit(write(tmp_path / "s.hdf5", "swift"), change))
    np.testing.assert_allclose(made.gas["density"].value, truth()[0]["density"], rtol=1e-6)


# isolated runs


def isolated(path, time=0.3, header=None, data=None, old=False):
    """A run of its own, code time kpc/(km/s), with old stars in type 2 if asked for."""
    data = truth() if data is None else data
    data[4]["formation"] = np.linspace(0, 0.3, len(data[4]["mass"]))
    if old:
        data[2] = {name: data[1][name] + (9000 if name == "particle_id" else 0) for name in ("particle_id", "position", "velocity", "mass")}
    more = {"ComovingIntegrationOn": 0, "Time": time, "Redshift": 0.0, "HubbleParam": 1.0, "Omega0": 0.0, "OmegaLambda": 0.0}
    return write(path, "gizmo", data, header=more | (header or {}))


def test_an_isolated_run_has_its_own_clock_and_no_h_and_a(tmp_path):
    made = Snapshot.read(isolated(tmp_path / "s.hdf5"))
    assert made.time.to_value(u.Gyr) == pytest.approx(0.3 * 0.97779, rel=1e-4)
    np.testing.assert_allclose(made.stars["age"].value, 0.97779 * np.linspace(0.3, 0, 30), rtol=1e-4, atol=1e-9)
    expected = truth()[0]
    np.testing.assert_allclose(made.gas["position"].value, expected["position"] / A * H, rtol=1e-9)  # as the writer put them
    np.testing.assert_allclose(made.gas["mass"].value, expected["mass"] * H, rtol=1e-9)
    np.testing.assert_allclose(made.gas["velocity"].value, expected["velocity"] / np.sqrt(A), rtol=1e-9)
    assert made.meta["cosmological"] is False
    assert made.scale_factor == 1
    epoch = read_hdf5(tmp_path / "s.hdf5", redshift=2, time_unit=1 * u.Gyr)
    assert epoch.redshift == pytest.approx(2)
    assert epoch.time.value == pytest.approx(0.3)
    np.testing.assert_allclose(epoch.gas["position"].value, made.gas["position"].value)


def test_hubbleparam_of_an_isolated_run_is_not_used_unless_asked_for(tmp_path):
    plain = Snapshot.read(isolated(tmp_path / "a.hdf5"))
    path = isolated(tmp_path / "b.hdf5", header={"HubbleParam": 0.7})
    with pytest.warns(AstroclumpsWarning, match=r"HubbleParam 0.7 of this isolated run was not used.*\(h=\)"):
        other = Snapshot.read(path)
    np.testing.assert_array_equal(other.gas["mass"].value, plain.gas["mass"].value)
    np.testing.assert_allclose(read_hdf5(path, h=0.7).gas["mass"].value, plain.gas["mass"].value / 0.7)
    np.testing.assert_allclose(read_hdf5(path, h=0.7).time.value, plain.time.value / 0.7)


def test_old_stars_keep_their_birth_from_snapshot_to_snapshot(tmp_path):
    early, late = isolated(tmp_path / "a.hdf5", 0.3, old=True), isolated(tmp_path / "b.hdf5", 0.5, old=True)
    with pytest.warns(
        AstroclumpsWarning, match="PartType2: no formation time, ages of 1 to 3 Gyr at the start .*PartType2: no metallicity, 0.01"
    ):
        one, two = Snapshot.read(early), Snapshot.read(late)
    assert len(one.stars) == 50
    old = [table.stars["particle_id"] >= 14000 for table in (one, two)]
    assert old[0].sum() == 20
    births = [table.time - table.stars["age"][use] for table, use in zip((one, two), old, strict=True)]
    np.testing.assert_allclose(births[0].value, births[1].value, atol=1e-12)
    assert -3 <= births[0].value.min() < births[0].value.max() <= -1
    assert len(np.unique(births[0])) == 20
    np.testing.assert_allclose(one.stars["metallicity"][old[0]], 0.01)


def test_old_stars_are_told_what_they_are(tmp_path):
    path = isolated(tmp_path / "s.hdf5", old=True)
    made = read_hdf5(path, old_star_age=5 * u.Gyr, metallicity=0.003)  # and no warning
    old = made.stars["particle_id"] >= 14000
    np.testing.assert_allclose(made.stars["age"][old].value, 5 + made.time.value)
    np.testing.assert_allclose(made.stars["metallicity"][old], 0.003)
    assert len(read_hdf5(path, old_star_types=()).stars) == 30
    with pytest.raises(SnapshotError, match=r"s.hdf5, PartType3: the group is missing"):
        read_hdf5(path, old_star_types=(3,))


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"old_star_age": 2}, TypeError, r"old_star_age must be a time such as \[1, 3\] \* u.Gyr, got 2"),
        ({"old_star_age": [1, 2, 3] * u.Gyr}, ValueError, "old_star_age must be one age or the least and the largest"),
        ({"metallicity": 2}, ValueError, "metallicity must be a mass fraction"),
        ({"time_unit": 3}, TypeError, r"time_unit must be a Quantity such as 0.978 \* u.Gyr"),
        ({"length_unit": 1 * u.s}, TypeError, "length_unit must be a Quantity such as 1"),
        ({"radius": 3 * u.kpc}, ValueError, "radius= cuts a sphere about a centre; give centre= too"),
        ({"h": 0.0}, ValueError, "h is the Hubble constant over 100 km/s/Mpc, positive and about 0.7, got 0"),
        ({"h": 67.7}, ValueError, "positive and about 0.7, got 67.7"),
        ({"h": "x"}, TypeError, "h must be a number, got 'x'"),
        ({"redshift": "2"}, TypeError, "redshift must be a number, got '2'"),
        ({"redshift": -1}, ValueError, "redshift must be above -1"),
        ({"scale_factor": "x"}, TypeError, "scale_factor must be a number, got 'x'"),
        ({"centre": [1, 2, 3]}, TypeError, "centre must be a length"),
        ({"centre": [1, 2] * u.kpc}, ValueError, r"centre must have the shape \(3,\)"),
    ],
)
def test_bad_options_are_named(tmp_path, more, error, message):
    path = write(tmp_path / "s.hdf5")
    with pytest.raises(error, match=message):
        read_hdf5(path, **more)


def test_types_2_and_3_of_a_cosmological_run_are_no_stars(tmp_path):
    data = truth()
    data[2] = {name: data[1][name] for name in ("particle_id", "position", "velocity", "mass")}
    assert len(Snapshot.read(write(tmp_path / "s.hdf5", "gizmo", data)).stars) == 30


def test_dark_types_can_be_chosen(tmp_path):
    path = write(tmp_path / "s.hdf5")
    assert read_hdf5(path, dark_types=()).dark is None
    assert len(read_hdf5(path, dark_types=(1, 2)).dark) == 20
    data = truth()
    del data[1]
    assert Snapshot.read(write(tmp_path / "t.hdf5", "gizmo", data)).dark is None


def test_without_electrons_gas_is_neutral_or_ionised(tmp_path):
    data = truth()
    gas = data[0]
    gas["electrons"] = np.where(gas["temperature"] < 2e4, 0.0, 0.5 / 0.76 * (1 + 0.76))  # hydrogen and helium without electrons
    path = edit(write(tmp_path / "s.hdf5", "gizmo", data), lambda file: file.__delitem__("PartType0/ElectronAbundance"))
    energy = internal_energy(gas)
    with pytest.warns(AstroclumpsWarning, match="PartType0: no electron abundance"):
        temperature = Snapshot.read(path).gas["temperature"].value
    kelvin = 2 / 3 * 1.67262192e-27 / 1.380649e-23 * 1e6 * energy
    cold = kelvin * 4 / 3.28 < 1e4
    np.testing.assert_allclose(temperature[cold], (kelvin * 4 / 3.28)[cold], rtol=1e-6)
    np.testing.assert_allclose(temperature[~cold], np.maximum(kelvin * 4 / 6.8, 1e4)[~cold], rtol=1e-6)
    assert 0 < cold.sum() < len(cold)


def test_pressurised_gas_of_simba_is_cold(tmp_path):
    data = truth()
    gas = data[0]
    gas["sfr"][:] = 0
    dense = 0.13 / (4.04675e-8 * 0.76)  # Msun/kpc3
    gas["density"] = np.where(np.arange(40) < 20, 8 * dense, 0.5 * dense)
    gas["temperature"] = np.where(np.arange(40) % 2, 2.5e4, 9e4)  # the medium has 2e4 K at eight times the density
    path = edit(write(tmp_path / "s.hdf5", "gizmo", data), lambda file: file.__setitem__("PartType0/NWindLaunches", np.zeros(40)))
    made = Snapshot.read(path)
    assert made.meta["layout"] == "simba"
    np.testing.assert_allclose(
        made.gas["temperature"].value, np.where((np.arange(40) < 20) & (np.arange(40) % 2 == 1), 1e4, gas["temperature"]), rtol=1e-5
    )


# spheres, pieces and parts


def test_a_sphere_is_cut(tmp_path, monkeypatch):
    from astroclumps.simulation import groups

    path = write(tmp_path / "s.hdf5", "eagle")
    whole = Snapshot.read(path)
    centre = [5000, 5000, 5000] * u.kpc
    for piece in (4_000_000, 7):
        monkeypatch.setattr(groups, "_PIECE", piece)
        part = Snapshot.read(path, centre=centre, radius=9 * u.kpc)
        for kind in ("stars", "gas", "dark"):
            one, all_ = getattr(part, kind), getattr(whole, kind)
            near = np.linalg.norm(all_["position"].value - 5000, axis=1) <= 9
            assert 0 < near.sum() < len(near)
            for name in one.colnames:
                np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(all_[name])[near])
        np.testing.assert_array_equal(part.centre.value, centre.value)
    with pytest.raises(SnapshotError, match="s.hdf5: there are no stars and no gas within 1.0 kpc of .* in PartType0, PartType1"):
        Snapshot.read(path, centre=[1, 1, 1] * u.kpc, radius=1 * u.kpc)


@pytest.mark.parametrize("layout", ["gizmo", "swift", "horizon-agn"])
def test_a_galaxy_across_the_edge_of_the_box_is_put_together(tmp_path, layout):
    data = truth()
    for columns in data.values():
        columns["position"] = (columns["position"] - 5000) % BOX
    made = Snapshot.read(write(tmp_path / "s.hdf5", layout, data), centre=[0, 0, 0] * u.kpc, radius=50 * u.kpc)
    np.testing.assert_allclose(made.stars["position"].value, truth()[4]["position"] - 5000, atol=1e-3)


def split(folder, number=3):
    """The galaxy in several files."""
    data = truth()
    for i in range(number):
        part = {kind: {name: values[i::number] for name, values in columns.items()} for kind, columns in data.items()}
        if i == 1:
            del part[1]  # a part may lack a type
        write(folder / f"snap_001.{i}.hdf5", "gizmo", part, header={"NumFilesPerSnapshot": number})


def test_a_snapshot_in_several_files_is_one(tmp_path):
    split(tmp_path)
    made = Snapshot.read(tmp_path / "snap_001.1.hdf5")
    assert sorted(made.stars["particle_id"]) == sorted(truth()[4]["particle_id"])
    assert len(made.dark) == 20 - len(truth()[1]["mass"][1::3])
    folder = Snapshot.read(tmp_path)
    np.testing.assert_array_equal(folder.gas["mass"].value, made.gas["mass"].value)
    (tmp_path / "snap_001.2.hdf5").unlink()
    with pytest.raises(SnapshotError, match="snap_001.0.hdf5: is one of 3 files of a snapshot, but snap_001.2.hdf5 is not beside it"):
        Snapshot.read(tmp_path / "snap_001.0.hdf5")
    write(tmp_path / "other.0.hdf5")
    with pytest.raises(SnapshotError, match="does not hold the numbered parts"):
        read_hdf5(tmp_path)


def test_a_part_under_another_name_is_refused_unless_it_is_all_there_is(tmp_path):
    split(tmp_path)
    renamed = (tmp_path / "snap_001.1.hdf5").rename(tmp_path / "renamed.hdf5")
    edit(renamed, attribute("Header", "NumPart_Total", [40, 20, 0, 0, 30, 0]))
    with pytest.raises(SnapshotError, match="renamed.hdf5: is one of 3 files of a snapshot .*NAME.0.hdf5.* single_file=True"):
        read_hdf5(renamed)
    made = read_hdf5(renamed, single_file=True)
    assert 0 < len(made.stars) < 30
    with pytest.raises(IsADirectoryError, match="single_file=True needs a file"):
        read_hdf5(tmp_path, single_file=True)


def test_a_file_that_holds_all_parts_needs_no_others(tmp_path):
    path = write(tmp_path / "joined.hdf5", header={"NumFilesPerSnapshot": 3})
    assert len(read_hdf5(path).stars) == 30


def test_counts_of_the_header_that_are_not_those_of_the_rows_are_noted(tmp_path):
    path = write(tmp_path / "s.hdf5", header={"NumPart_ThisFile": [40, 20, 0, 0, 99, 0]})
    made = read_hdf5(path)
    assert len(made.stars) == 30
    notes = [text for text in made.meta["assumptions"] if "NumPart_ThisFile" in text]
    assert notes == ["PartType4: has 30 rows, but NumPart_ThisFile counts 99; took the rows"]


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (-1.0, "-1"), (np.nan, "nan"), ("abc", r"\['abc'\]")])
@pytest.mark.parametrize(
    ("layout", "group", "name", "option"),
    [
        ("gizmo", "Header", "UnitMass_In_CGS", "mass_unit"),
        ("gizmo", "Header", "UnitVelocity_In_CGS", "velocity_unit"),
        ("swift", "Units", "Unit length in cgs (U_L)", "length_unit"),
        ("swift", "Units", "Unit time in cgs (U_t)", "velocity_unit"),
    ],
)
def test_a_unit_of_the_header_that_cannot_be_is_named(tmp_path, layout, group, name, option, value, shown):
    path = edit(write(tmp_path / "s.hdf5", layout), attribute(group, name, value))
    with pytest.raises(SnapshotError, match=rf"s.hdf5, {group}: {re.escape(name)} is {shown}, but a unit .* give {option}="):
        read_hdf5(path)


def test_a_unit_that_is_given_stands_in_for_one_that_cannot_be(tmp_path):
    path = edit(write(tmp_path / "s.hdf5"), attribute("Header", "UnitMass_In_CGS", 0.0))
    np.testing.assert_allclose(read_hdf5(path, mass_unit=1e10 * u.Msun).stars["mass"].value, truth()[4]["mass"], rtol=1e-9)


# what is wrong is named


def delete(name):
    return lambda file: file.__delitem__(name)


def replace(name, make):
    def change(file):
        values, attributes = file[name][:], dict(file[name].attrs)
        del file[name]
        file[name] = make(values)
        file[name].attrs.update(attributes)

    return change


def attribute(name, key, value):
    return lambda file: file[name].attrs.__setitem__(key, value)


@pytest.mark.parametrize(
    ("layout", "change", "message"),
    [
        # a missing field
        ("gizmo", delete("PartType4/Masses"), "PartType4: no field for the mass; looked for Masses, Mass; there are Coordinates"),
        ("gizmo", delete("PartType0/Velocities"), "PartType0: no field for the velocity"),
        ("gizmo", delete("PartType4/ParticleIDs"), "PartType4: no field for the particle id; looked for ParticleIDs"),
        (
            "gizmo",
            delete("PartType0/InternalEnergy"),
            "PartType0: no field for the internal energy; looked for .*InternalEnergies, Temperature",
        ),
        ("gizmo", delete("PartType4/StellarFormationTime"), "PartType4: no field for the formation; looked for StellarFormationTime"),
        ("gizmo", delete("PartType0/Coordinates"), "PartType0: the field Coordinates is missing; there are "),
        # a missing or empty type
        ("gizmo", delete("PartType4"), "PartType4: the group is missing, but the header counts 30 of it"),
        ("gizmo", delete("PartType0"), "PartType0: the group is missing, but the header counts 40 of it"),
        ("gizmo", replace("PartType0/Coordinates", lambda x: x[:0]), "PartType0/Coordinates: is empty, but the header counts 40"),
        # a wrong unit
        ("eagle", attribute("PartType4/Mass", "CGSConversionFactor", 0.0), "PartType4/Mass: states the factor 0 to cgs units"),
        (
            "eagle",
            attribute("PartType0/Coordinates", "CGSConversionFactor", 1.989e43),
            "PartType0/Coordinates: states the factor 1.989e.43",
        ),
        ("tng", attribute("PartType4/Masses", "length_scaling", 1.0), "PartType4/Masses: states length_scaling = 1, but a mass has 0"),
        ("swift", attribute("PartType0/Velocities", "U_M exponent", [1.0]), "PartType0/Velocities: states U_M exponent = 1"),
        # values that cannot be
        (
            "gizmo",
            replace("PartType4/ParticleIDs", lambda x: x // 2),
            "PartType4/ParticleIDs: .*stars: column 'particle_id' must be unique",
        ),
        (
            "gizmo",
            replace("PartType0/ParticleIDs", lambda x: x + 0.5),
            "PartType0/ParticleIDs: identifiers stored as float64 are not exact",
        ),
        ("gizmo", replace("PartType4/ParticleIDs", lambda x: x * 2.0**50), "PartType4/ParticleIDs: identifiers stored as float64 are not"),
        (
            "gizmo",
            replace("PartType0/Masses", lambda x: x * np.nan),
            "PartType0/Masses: .*gas: column 'mass' has 40 rows of 40 that are NaN",
        ),
        ("gizmo", replace("PartType1/Masses", lambda x: -x), "PartType1/Masses: .*dark: column 'mass' has 20 negative rows"),
        ("gizmo", replace("PartType4/Masses", lambda x: x.astype("S9")), "PartType4/Masses: holds text, not numbers"),
        ("gizmo", replace("PartType4/Coordinates", lambda x: x.astype("S9")), "PartType4/Coordinates: holds text, not numbers"),
        (
            "gizmo",
            replace("PartType0/Metallicity", lambda x: x * 1e3),
            "PartType0/Metallicity: .*above 1, .* mass fraction, 0 to 1, not in",
        ),
        ("gizmo", attribute("Header", "HubbleParam", -0.7), "Header: HubbleParam is -0.7, but must be positive; give h="),
        ("gizmo", replace("PartType0/Masses", lambda x: x[:7]), r"PartType0/Masses: has the shape \(7,\), but there are 40 Coordinates"),
        ("gizmo", replace("PartType0/Coordinates", lambda x: x[:, 0]), r"PartType0/Coordinates: must have the shape \(n, 3\)"),
        ("gizmo", replace("PartType0/Velocities", lambda x: x[:, 0]), r"PartType0/Velocities: .*column 'velocity' must have the shape"),
        (
            "gizmo",
            replace("PartType4/StellarFormationTime", lambda x: x + 0.3),
            "PartType4/StellarFormationTime: .* stars form after the snapshot",
        ),
        # the header
        ("gizmo", delete("Header"), "has no group Header; found PartType0"),
        ("gizmo", lambda file: file["Header"].attrs.__delitem__("HubbleParam"), "Header: HubbleParam is missing from a cosmological run"),
        ("gizmo", lambda file: file["Header"].attrs.__delitem__("Omega0"), "Header: Omega0, OmegaLambda or HubbleParam is missing"),
        ("gizmo", attribute("Header", "Redshift", -0.9), "Header: the scale factor is 10; a cosmological run has 0 to 1"),
    ],
)
def test_what_is_wrong_is_named_with_file_group_and_field(tmp_path, layout, change, message):
    path = edit(write(tmp_path / "s.hdf5", layout), change)
    with pytest.raises(SnapshotError, match=rf"{tmp_path}/s.hdf5(?s:.*){message}"):
        read_hdf5(path)


def test_a_header_without_any_time_is_named(tmp_path):
    path = write(tmp_path / "s.hdf5", header={"Time": None, "Redshift": None})
    with pytest.raises(SnapshotError, match="s.hdf5, Header: neither Redshift nor Time is there; give redshift= or scale_factor="):
        read_hdf5(path)
    assert read_hdf5(path, redshift=1).scale_factor == 0.5
    path = isolated(tmp_path / "i.hdf5", header={"Time": None})
    with pytest.raises(SnapshotError, match="i.hdf5, Header: Time is missing"):
        read_hdf5(path)


def test_one_identifier_in_two_types_of_stars_is_named(tmp_path):
    data = truth()
    data[2] = {name: data[1][name] for name in ("particle_id", "position", "velocity", "mass")}
    data[2]["particle_id"] = data[4]["particle_id"][:20]
    path = isolated(tmp_path / "s.hdf5", data=data)
    with pytest.raises(SnapshotError, match="s.hdf5, PartType4/ParticleIDs, .*s.hdf5, PartType2/ParticleIDs: .*20 of 50 repeat one"):
        read_hdf5(path, old_star_age=1 * u.Gyr, metallicity=0.01)


def test_a_file_without_galaxy_is_named(tmp_path):
    data = truth()
    path = write(tmp_path / "s.hdf5", "gizmo", {1: data[1]})
    with pytest.raises(SnapshotError, match="s.hdf5: there are no stars and no gas in PartType1"):
        read_hdf5(path)


def test_a_type_that_nobody_counts_may_be_missing(tmp_path):
    data = truth()
    del data[0]
    assert len(Snapshot.read(write(tmp_path / "s.hdf5", "gizmo", data)).gas) == 0


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_truncated_file_is_named(tmp_path, part):
    path = write(tmp_path / "s.hdf5")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(SnapshotError, match="s.hdf5: is no HDF5 file, or is damaged or truncated"):
        Snapshot.read(path)


def test_a_damaged_field_is_named(tmp_path):
    path = write(tmp_path / "s.hdf5")

    def change(file):
        values = file["PartType0/Masses"][:]
        del file["PartType0/Masses"]
        file.create_dataset("PartType0/Masses", data=values, chunks=(40,), compression="gzip", fletcher32=True)

    edit(path, change)
    with h5py.File(path) as file:
        chunk = file["PartType0/Masses"].id.get_chunk_info(0)
        start = chunk.byte_offset
    content = bytearray(path.read_bytes())
    content[start + 10 : start + 40] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="s.hdf5, PartType0/Masses: cannot be read, the file is damaged or truncated"):
        Snapshot.read(path)


def test_noise_below_zero_is_rounding_and_more_is_an_error(tmp_path):
    path = edit(write(tmp_path / "s.hdf5"), replace("PartType4/Metallicity", lambda z: np.where(np.arange(30) == 3, -1e-12, z)))
    assert Snapshot.read(path).stars["metallicity"][3] == 0
    path = edit(write(tmp_path / "t.hdf5"), replace("PartType4/Metallicity", lambda z: np.where(np.arange(30) == 3, -1e-3, z)))
    with pytest.raises(SnapshotError, match="PartType4/Metallicity: .*'metallicity' has 1 negative row of 30"):
        Snapshot.read(path)


def test_split_particles_get_identifiers_of_their_own(tmp_path):
    def change(file):
        identifiers = file["PartType0/ParticleIDs"][:]
        identifiers[1] = identifiers[0]
        file["PartType0/ParticleIDs"][:] = identifiers
        file["PartType0/ParticleChildIDsNumber"] = np.where(np.arange(40) == 1, 2, 0).astype(np.uint32)
        file["PartType0/ParticleIDGenerationNumber"] = np.where(np.arange(40) < 2, 1, 0).astype(np.uint32)

    path = edit(write(tmp_path / "s.hdf5"), change)
    gas = Snapshot.read(path).gas
    assert gas["particle_id"].dtype == np.uint64
    first = int(truth()[0]["particle_id"][0])
    assert [int(i) for i in gas["particle_id"][:2]] == [first + 2**56, first + 2 * 2**32 + 2**56]
    np.testing.assert_array_equal(gas["particle_id"][2:], truth()[0]["particle_id"][2:])
    edit(path, replace("PartType0/ParticleChildIDsNumber", lambda values: values * 2**25))
    with pytest.raises(SnapshotError, match="PartType0/ParticleIDs: ParticleIDs, ParticleChildIDsNumber, .* do not fit into 64 bits"):
        Snapshot.read(path)


def test_softening_is_that_of_the_header_or_of_the_user(tmp_path):
    extents = np.array([0.168, 0.336, 0.224, 0.224, 0.28, 0.14])
    path = isolated(tmp_path / "s.hdf5", header={"Fixed_ForceSoftening_Keplerian_Kernel_Extent": extents})
    made = Snapshot.read(path)
    for kind, value in (("gas", 0.06), ("dark", 0.12), ("stars", 0.1)):
        np.testing.assert_allclose(getattr(made, kind)["softening"].to_value(u.kpc), value, rtol=1e-6)
    np.testing.assert_allclose(read_hdf5(path, softening=50 * u.pc).gas["softening"].to_value(u.kpc), 0.05, rtol=1e-6)
    assert "softening" not in Snapshot.read(write(tmp_path / "c.hdf5")).gas.colnames
    with pytest.raises(TypeError, match=r"softening must be a length such as 60 \* u.pc"):
        read_hdf5(path, softening=50)


def test_single_precision_and_other_byte_orders(tmp_path):
    def change(file):
        for name in ("Coordinates", "Velocities", "Masses"):
            replace(f"PartType4/{name}", lambda values: values.astype(">f4"))(file)

    made = Snapshot.read(edit(write(tmp_path / "s.hdf5"), change))
    assert made.stars["mass"].dtype == np.float32
    assert made.stars["mass"].dtype.isnative
    np.testing.assert_allclose(made.stars["mass"].value, truth()[4]["mass"], rtol=1e-6)
