"""Clumps in three dimensions: against planted spheres, against the slow reference, and what must not matter."""

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import astropy.units as u
import finder3d_reference as reference
import numpy as np
import planted_spheres as planted
import pytest
from astropy.table import QTable
from simulated_galaxies import disc_positions, elements, galaxy, gas_table, star_table

from astroclumps import ClumpFinder3D, Snapshot, catalog
from astroclumps.catalog import Flag3D
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning
from astroclumps.simulation.elements import empty_elements
from astroclumps.simulation.grid import Grid
from astroclumps.simulation.tiles import Particles, dense_regions, working_memory

FWHM = planted.FWHM * u.kpc


def scene(seed=0, n=5, n_disc=200_000, **options):
    rng = np.random.default_rng(seed)
    spheres = planted.spheres(n, rng=rng, **options)
    return spheres, planted.galaxy(spheres, rng=rng, n_disc=n_disc)


@pytest.fixture(scope="module")
def small():
    """A galaxy with five spheres and much noise, found with the default settings."""
    _, snapshot = scene(n_disc=60_000)
    return snapshot, ClumpFinder3D().find_with_grid(snapshot)


def rows(table):
    """The table's numbers without what the box's axes turn."""
    names = [name for name in table.colnames if name[-2:] not in ("_x", "_y", "_z") and name not in ("component", "origin")]
    return {name: np.asarray(table[name]) for name in names}


def assert_same(one, other, rtol=1e-6):
    assert len(one) == len(other)
    for name, values in rows(one).items():
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(values, rows(other)[name], err_msg=name)
        else:
            np.testing.assert_allclose(values, rows(other)[name], rtol=rtol, atol=1e-6 * np.nanmax(abs(values), initial=0), err_msg=name)


# numbers of the paper


def test_defaults_are_those_of_the_paper():  # section 3.1.2
    finder = ClumpFinder3D()
    assert finder.cell_size == 70 * u.pc
    assert finder.overdensity == 10
    assert finder.min_cells == 8
    assert finder.cold_temperature == 1.5e4 * u.K
    assert finder.young_age == 100 * u.Myr
    assert not finder.unbind
    assert finder.connectivity == 6  # ours, as are those below
    assert finder.min_elements == 10
    assert finder.origin is None
    assert finder.ex_situ_overdensity == 0.5
    assert finder.extent == (1, 3)


@pytest.mark.parametrize(("radius", "fwhm"), [(3.0, 1.5), (4.9, 2.45), (5.1, 2.5), (12.0, 2.5)])
def test_the_background_is_half_of_the_disc_and_at_most_two_and_a_half_kpc_wide(radius, fwhm):  # section 3.1.2
    snapshot = galaxy(star_table(disc_positions(200, radius=radius / np.sqrt(0.85))))
    snapshot.__dict__["disc"] = snapshot.disc.__class__(**{**vars(snapshot.disc), "r_d": radius * u.kpc})
    assert ClumpFinder3D()._fwhm(snapshot) == pytest.approx(fwhm)


# planted spheres


@pytest.mark.parametrize("seed", range(2))
def test_planted_spheres_are_found_with_their_mass_and_place(seed):
    spheres, snapshot = scene(seed, n=8, n_disc=1_000_000)
    made = planted.recover(spheres, ClumpFinder3D(background_fwhm=FWHM).find_with_grid(snapshot))
    assert made.due.sum() >= 6
    assert made.found[made.due].all()
    np.testing.assert_allclose(made.mass_ratio[made.due], 1, atol=0.05)
    assert made.offset[made.due].max() < 0.5
    assert made.n_other == 0


def test_faint_spheres_below_the_threshold_are_not_found():
    spheres, snapshot = scene(4, n_disc=1_000_000, mass=(5.5, 5.6), size=(0.14, 0.15))
    with pytest.warns(NoClumpsWarning):
        made = ClumpFinder3D(background_fwhm=FWHM).find_with_grid(snapshot)
    expected = planted.expected_delta(spheres, made.grid)
    assert expected.max() < 10


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_found_in_a_smooth_disc(seed):
    rng = np.random.default_rng(seed)
    nothing = planted.Spheres(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    snapshot = planted.galaxy(nothing, rng=rng, n_disc=1_000_000)
    with pytest.warns(NoClumpsWarning, match="found no clumps in 'planted'"):
        clumps, labels = ClumpFinder3D(background_fwhm=FWHM).find(snapshot)
    assert len(clumps) == 0
    catalog.validate(clumps, "found", who="ClumpFinder3D")
    assert labels.dtype == np.int32
    assert not labels.any()


# the slow reference


def compare(snapshot, fwhm, **options):
    finder = ClumpFinder3D(min_elements=0, **options)
    made = finder.find_with_grid(snapshot)
    expected = reference.find(snapshot, made.grid, fwhm=fwhm, connectivity=finder.connectivity, extent=finder.extent)
    there = expected.delta > -1
    np.testing.assert_allclose(made.delta[there] + 1, expected.delta[there] + 1, rtol=1e-4, atol=1e-4)
    n = len(expected.n_cells)
    assert len(made.clumps) == n >= 3
    pairs = np.unique(np.stack([made.labels.ravel(), expected.labels.ravel()]), axis=1)
    assert pairs.shape[1] == n + 1  # each label of one is one label of the other, and 0 is 0
    assert pairs[0, 0] == pairs[1, 0] == 0
    mine, his = pairs[0, 1:] - 1, pairs[1, 1:] - 1
    np.testing.assert_array_equal(made.star_labels, np.concatenate([[0], mine[np.argsort(his)] + 1])[expected.star_labels])
    for name in ("n_cells", "n_stars", "n_gas"):
        np.testing.assert_array_equal(made.clumps[name][mine], getattr(expected, name)[his], err_msg=name)
    for name in ("mass_gas", "mass_stars"):
        np.testing.assert_allclose(made.clumps[name].value[mine], getattr(expected, name)[his], rtol=1e-5, err_msg=name)
    largest = np.array([expected.delta[expected.labels == label + 1].max() for label in his])
    np.testing.assert_allclose(made.clumps["delta"][mine], largest, rtol=1e-4)


def little(seed):
    """A noisy galaxy small enough for the reference."""
    spheres, snapshot = scene(seed, n=3, n_disc=30_000, radius=(0.5, 1.5), apart=0.5)
    near = {kind: np.linalg.norm(getattr(snapshot, kind)["position"].value, axis=1) < 2.2 for kind in ("stars", "gas")}
    disc = snapshot.disc
    cut = planted.galaxy(spheres, rng=np.random.default_rng(seed), n_disc=30_000)
    made = Snapshot(
        name="little",
        stars=cut.stars[near["stars"]],
        gas=cut.gas[near["gas"]],
        r_vir=60 * u.kpc,
        centre=np.zeros(3) * u.kpc,
        velocity=np.zeros(3) * u.km / u.s,
        axis=[0.2, -0.4, 0.9],
    )
    values = {**vars(disc), "r_d": 2.1 * u.kpc, "h_d": 0.5 * u.kpc, "axis": made.axis}
    made.__dict__["disc"] = type(disc)(**values)
    return made


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_labels_and_masses_are_those_of_the_reference(connectivity):
    compare(little(connectivity), 1.3, background_fwhm=1.3 * u.kpc, connectivity=connectivity)


def test_labels_and_masses_are_those_of_the_reference_with_a_narrow_background():
    compare(little(1), 0.4, background_fwhm=0.4 * u.kpc)  # 2.4 cells, smoothed directly


def test_labels_and_masses_are_those_of_the_reference_on_another_grid():
    compare(little(2), 1.1, background_fwhm=1.1 * u.kpc, cell_size=90 * u.pc, origin=[0.03, -7.01, 2.22] * u.kpc)


@pytest.mark.real_data
@pytest.mark.parametrize("number", [5, 20])
def test_labels_and_masses_are_those_of_the_reference_in_a_hydrodynamical_disc(real_data, number):
    path = real_data / "sims" / "gizmo_clumpy_disc" / f"snapshot_{number:03d}.hdf5"
    snapshot = Snapshot.read(path, redshift=2, old_star_age=[1, 3] * u.Gyr, metallicity=0.01)
    compare(snapshot, min(0.5 * snapshot.disc.r_d.value, 2.5), extent=(1, 3))


# what must not matter


def test_units_do_not_matter(small):
    snapshot, expected = small
    units = {"position": u.pc, "velocity": u.m / u.s, "mass": u.kg, "age": u.s, "temperature": u.K}
    tables = {}
    for kind in ("stars", "gas"):
        table = getattr(snapshot, kind)
        tables[kind] = QTable({name: table[name].to(units[name]) if name in units else table[name] for name in table.colnames})
    given = {name: getattr(snapshot, name) for name in ("r_vir", "centre", "velocity", "axis", "scale_factor")}
    clumps, labels = ClumpFinder3D(cell_size=0.07 * u.kpc, young_age=0.1 * u.Gyr).find(Snapshot(name="SI", **tables, **given))
    assert_same(clumps, expected.clumps)
    np.testing.assert_array_equal(labels, expected.star_labels)


TURNS = {
    "about z": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "about x": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "round": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
}


@pytest.mark.parametrize("turn", TURNS)
def test_rotation_by_90_degrees_does_not_matter(small, turn):
    snapshot, expected = small
    matrix = np.array(TURNS[turn], dtype=float)
    made = ClumpFinder3D().find_with_grid(snapshot.rotated(matrix))
    assert_same(made.clumps, expected.clumps)
    np.testing.assert_array_equal(made.star_labels, expected.star_labels)
    place = {name: np.column_stack([one.clumps[f"pos_{axis}"].value for axis in "xyz"]) for name, one in (("new", made), ("old", expected))}
    np.testing.assert_allclose(place["new"], place["old"] @ matrix.T, atol=1e-9)
    np.testing.assert_array_equal(np.sort(made.grid.shape), np.sort(expected.grid.shape))


def test_order_of_particles_does_not_matter(small):
    snapshot, expected = small
    order = {kind: np.random.default_rng(0).permutation(len(getattr(snapshot, kind))) for kind in ("stars", "gas")}
    given = {name: getattr(snapshot, name) for name in ("r_vir", "centre", "velocity", "axis", "scale_factor")}
    tables = {kind: getattr(snapshot, kind)[rows] for kind, rows in order.items()}
    clumps, labels = ClumpFinder3D().find(Snapshot(name="shuffled", **tables, **given))
    assert_same(clumps, expected.clumps)
    np.testing.assert_array_equal(labels, expected.star_labels[order["stars"]])


def test_the_place_of_the_galaxy_in_the_box_does_not_matter(small):
    snapshot, expected = small
    there = [1234.5, -77.7, 4321.0] * u.kpc
    tables = {}
    for kind in ("stars", "gas"):
        tables[kind] = QTable(getattr(snapshot, kind), copy=True)
        tables[kind]["position"] += there
    given = {name: getattr(snapshot, name) for name in ("r_vir", "velocity", "axis", "scale_factor")}
    made, labels = ClumpFinder3D().find(Snapshot(name="far", centre=there, **tables, **given))
    assert_same(made, expected.clumps)
    np.testing.assert_array_equal(labels, expected.star_labels)


def test_finding_leaves_the_snapshot_alone_and_repeats_itself(small):
    snapshot, expected = small
    before = {kind: pickle.dumps(getattr(snapshot, kind)) for kind in ("stars", "gas")}
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: ClumpFinder3D().find(snapshot), range(3)))
    for clumps, labels in made:
        for name in clumps.colnames:
            np.testing.assert_array_equal(np.asarray(clumps[name]), np.asarray(expected.clumps[name]), err_msg=name)
        np.testing.assert_array_equal(labels, expected.star_labels)
    assert before == {kind: pickle.dumps(getattr(snapshot, kind)) for kind in ("stars", "gas")}


# slabs


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_slabs_give_the_same_bytes(small, connectivity):
    snapshot, _ = small
    finder = ClumpFinder3D(connectivity=connectivity, min_elements=0)
    whole = finder.find_with_grid(snapshot)
    sigma = min(0.5 * snapshot.disc.r_d.value, 2.5) / np.sqrt(8 * np.log(2)) / 0.07
    for planes in (32, 96):
        limit = working_memory(whole.grid, sigma, planes)
        made = ClumpFinder3D(connectivity=connectivity, min_elements=0, max_memory=limit).find_with_grid(snapshot)
        for name in whole.clumps.colnames:
            np.testing.assert_array_equal(np.asarray(made.clumps[name]), np.asarray(whole.clumps[name]), err_msg=name)
        np.testing.assert_array_equal(made.star_labels, whole.star_labels)
        np.testing.assert_array_equal(made.labels, whole.labels)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_regions_that_wind_through_many_slabs_are_joined(connectivity):
    """Half of the cells are dense: regions reach through the whole grid, and touch the faces of slabs in every way."""
    grid = Grid(origin=np.zeros(3), cell=1.0, shape=(130, 24, 20))
    rng = np.random.default_rng(connectivity)
    position = rng.uniform(1, np.array(grid.shape) - 1, (9000, 3))
    fields = ([Particles(position[:5000], np.ones(5000))], [Particles(position[5000:], np.ones(4000))])
    options = {"sigma": 2.0, "overdensity": 1.2, "min_cells": 2, "connectivity": connectivity}
    whole = dense_regions(fields, grid, **options)
    slabs = dense_regions(fields, grid, **options, max_memory=working_memory(grid, 2.0, 32))
    assert whole.n > 5
    largest = whole.cell[whole.label == np.bincount(whole.label).argmax()] // (24 * 20)
    assert largest.min() < 32 < 96 < largest.max()
    for one, other in zip(whole, slabs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("planes", [32, 64, 1000])
def test_memory_stays_below_its_estimate_and_below_six_cubes(small, planes):
    snapshot, made = small
    finder = ClumpFinder3D()
    grid, sigma = made.grid, finder._fwhm(snapshot) / 2.3548 / 0.07
    limit = working_memory(grid, sigma, planes)
    options = {"overdensity": 10, "min_cells": 8, "connectivity": 6, "centre": snapshot.centre.value, "max_memory": limit}
    tracemalloc.start()
    try:
        dense_regions(finder._fields(snapshot), grid, sigma=sigma, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit
    assert peak < 6 * 4 * grid.n_cells
    if planes == 32:
        assert limit < 0.7 * working_memory(grid, sigma, 1000)


# settings


def test_connectivity_joins_ever_more(small):
    snapshot, made = small
    fields = ClumpFinder3D()._fields(snapshot)
    options = {"sigma": 12.0, "overdensity": 10.0, "centre": snapshot.centre.value}
    found = [dense_regions(fields, made.grid, min_cells=1, connectivity=one, **options) for one in (6, 18, 26)]
    assert found[0].n > found[1].n > found[2].n
    for one in found[1:]:
        np.testing.assert_array_equal(one.cell, found[0].cell)
    large = dense_regions(fields, made.grid, min_cells=8, connectivity=6, **options)
    sizes = np.bincount(found[0].label)[1:]
    np.testing.assert_array_equal(np.bincount(large.label)[1:], sizes[sizes >= 8])


def test_the_grid_is_pinned_where_asked(small):
    snapshot, expected = small
    on_centre = ClumpFinder3D(origin=snapshot.centre).find(snapshot)[0]
    assert on_centre.meta["grid_origin"] == expected.clumps.meta["grid_origin"]
    corner = [0.035, 0.035, 0.035] * u.kpc
    made = ClumpFinder3D(origin=corner).find_with_grid(snapshot)
    cells = (made.grid.origin - corner.value) / 0.07
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-9)
    assert made.clumps.meta["grid_origin"].endswith("kpc in the box")
    assert len(made.clumps) >= 5
    assert np.any(made.clumps["n_cells"][:5] != expected.clumps["n_cells"][:5])


def test_the_extent_chooses_where_to_look():
    spheres, snapshot = scene(2, n=5, radius=(1.6, 4.0))
    radius = np.sort(np.hypot(*spheres.place[:, :2].T)) / snapshot.disc.r_d.value
    reach = float(radius[1:3].mean())
    found = ClumpFinder3D(background_fwhm=FWHM, extent=(reach, 3)).find(snapshot)[0]
    np.testing.assert_allclose(np.sort(found["r_norm"][found["n_stars"] > 500]), radius[:2], atol=0.02)


def test_dark_matter_in_the_cells_is_counted(small):
    snapshot, expected = small
    place = np.column_stack([expected.clumps[f"peak_{axis}"].value[:1] for axis in "xyz"])
    dark = elements(np.repeat(place, 7, axis=0), mass=1e6)
    given = {name: getattr(snapshot, name) for name in ("r_vir", "centre", "velocity", "axis", "scale_factor")}
    clumps, _ = ClumpFinder3D().find(Snapshot(name="dark", stars=snapshot.stars, gas=snapshot.gas, dark=dark, **given))
    assert clumps["n_dark"][0] == 7
    assert clumps["mass_dark"][0] == 7e6 * u.Msun
    assert clumps["n_dark"][1:].sum() == 0


def test_a_galaxy_without_stars_or_without_gas_has_clumps():
    rng = np.random.default_rng(0)
    places = np.concatenate([disc_positions(20_000), rng.normal((2, 1, 0), 0.08, (800, 3))])
    finder = ClumpFinder3D(background_fwhm=1.5 * u.kpc)
    with pytest.warns(AstroclumpsWarning, match="its disc is that of all gas and stars"):
        only_stars, labels = finder.find(galaxy(star_table(places, age=1 * u.Gyr)))
    assert only_stars["component"][0] == "stars"
    assert (labels == 1).sum() == only_stars["n_stars"][0] > 700
    only_gas, labels = finder.find(galaxy(empty_elements("stars"), gas_table(places)))
    assert only_gas["component"][0] == "cold"
    assert only_gas["n_cells"][0] == only_stars["n_cells"][0]
    assert only_gas["flags"][0] & Flag3D.NO_STARS
    assert labels.shape == (0,)


def test_cubes_agree_with_the_table(small):
    _, made = small
    clumps = made.clumps
    np.testing.assert_array_equal(np.bincount(made.labels.ravel())[1:], clumps["n_cells"])
    np.testing.assert_array_equal(np.bincount(made.star_labels, minlength=len(clumps) + 1)[1:], clumps["n_stars"])
    assert list(clumps["id"]) == list(range(1, len(clumps) + 1))
    assert np.all(np.diff(np.log10(clumps["mass"].value)) <= 1e-6)
    assert made.delta[made.labels > 0].min() >= 10 - 1e-5
    for clump in clumps:
        assert made.delta[made.labels == clump["id"]].max() == pytest.approx(clump["delta"], rel=1e-6)


def test_meta_tells_how_it_was_made(small):
    meta = small[1].clumps.meta
    assert meta["cell_size"] == "0.07 kpc"
    assert meta["grid_shape"] == " ".join(map(str, small[1].grid.shape))
    assert "ClumpFinder3D(cell_size=<Quantity 70. pc>" in meta["history"][0]
    assert float(meta["background_fwhm"].removesuffix(" kpc")) == pytest.approx(0.5 * small[0].disc.r_d.value)
    assert meta["outside_extent"] >= 0
    assert all(isinstance(value, str | list | int) for value in meta.values())
