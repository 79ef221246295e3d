from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps import catalog
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.simulation import properties
from astroclumps.simulation.grid import Grid, cells_of, members
from astroclumps.simulation.origin import DarkContrast, classify, dark_contrast
from astroclumps.simulation.properties import Members, Regions, measure

G = 4.300917270e-6
CENTRE = np.array([100.0, -50.0, 7.0])
BULK = np.array([300.0, 0.0, -20.0])
FLAG = catalog.Flag3D


def elements(position, *, velocity=0.0, mass=1e6, **columns):
    n = len(position)
    table = QTable({"particle_id": np.arange(1, n + 1)})
    table["position"] = (np.asarray(position, dtype=float).reshape(n, 3) + CENTRE) * u.kpc
    table["velocity"] = (np.broadcast_to(velocity, (n, 3)) + BULK) * u.km / u.s
    table["mass"] = np.broadcast_to(mass, n).copy() * u.Msun
    units = {"age": u.Gyr, "temperature": u.K, "initial_mass": u.Msun, "cell_size": u.kpc, "softening": u.kpc}
    for name, values in columns.items():
        table[name] = np.broadcast_to(values, n).copy() * units.get(name, u.dimensionless_unscaled)
    return table


def stars(position=(), *, age=1.0, metallicity=0.01, **columns):
    return elements(position, age=age, metallicity=metallicity, **columns)


def gas(position=(), *, temperature=1e4, metallicity=0.02, **columns):
    return elements(position, temperature=temperature, metallicity=metallicity, **columns)


def snapshot(*, stars=None, gas=None, dark=None, axis=(0.0, 0.0, 1.0)):
    """What `measure` needs of a snapshot; box coordinates have another origin, and the galaxy moves."""
    disc = SimpleNamespace(axis=np.asarray(axis, float), r_d=5 * u.kpc, centre=CENTRE * u.kpc, velocity=BULK * u.km / u.s)
    tables = {"stars": globals()["stars"]() if stars is None else stars, "gas": globals()["gas"]() if gas is None else gas, "dark": dark}
    return SimpleNamespace(**tables, disc=disc, centre=CENTRE * u.kpc, velocity=BULK * u.km / u.s)


def run(shot, boxes, *, cell=0.07, half=8.0, delta=None, **options):
    """Measure the cells inside boxes ((low, high) corners), with all elements in them."""
    n = 2 * round(half / cell)
    grid = Grid(origin=np.full(3, -cell * n / 2), cell=cell, shape=(n, n, n))
    label, cells = [], []
    for number, (low, high) in enumerate(boxes, start=1):
        ranges = [np.arange(round((a - o) / cell), round((b - o) / cell)) for a, b, o in zip(low, high, grid.origin, strict=True)]
        index = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
        cells.append(np.ravel_multi_index(index.T, grid.shape))
        label.append(np.full(len(index), number, np.int32))
    cells = np.concatenate(cells) if cells else np.zeros(0, np.int64)
    label = np.concatenate(label) if label else np.zeros(0, np.int32)
    order = np.argsort(cells)
    cells, label = cells[order], label[order]
    found = {}
    for kind in ("stars", "gas", "dark"):
        table = getattr(shot, kind)
        where = np.zeros((0, 3)) if table is None else table["position"].value
        found[kind] = Members(*members(where, cells_of(cells, label, grid.shape), grid, centre=CENTRE))
    delta = np.linspace(20, 11, len(cells)) if delta is None else delta[order]
    regions = Regions(len(boxes), label, cells, delta.astype(np.float32), delta > 15, delta)
    return measure(shot, regions, grid=grid, fwhm=options.pop("fwhm", 2.5), **found, **options)


def box(centre, size=0.28):
    centre = np.round(np.asarray(centre) / 0.07) * 0.07
    return centre - size / 2, centre + size / 2


def in_box(n, centre, size, rng):
    return np.round(np.asarray(centre) / 0.07) * 0.07 + rng.uniform(-size / 2, size / 2, (n, 3))


def test_eight_cells_have_a_radius_of_87_pc():
    # G21 3.1.2: (4 pi / 3) r_c^3 = N (70 pc)^3
    made = run(snapshot(stars=stars(in_box(20, [3, 0, 0], 0.14, np.random.default_rng(0)))), [box([3, 0, 0], 0.14)]).table
    assert made["n_cells"][0] == 8
    assert made["radius"][0].to_value(u.pc) == pytest.approx(86.8, abs=0.1)
    catalog.validate(made, "found", who="measure")


def test_masses_by_kind_age_and_temperature():
    rng = np.random.default_rng(1)
    shot = snapshot(
        stars=stars(
            in_box(4, [3, 0, 0], 0.2, rng), mass=[1e6, 2e6, 3e6, 4e6], age=[0.01, 0.07, 0.5, 1.5], initial_mass=[2e6, 4e6, 6e6, 8e6]
        ),
        gas=gas(
            in_box(12, [3, 0, 0], 0.2, rng), mass=1e6, temperature=np.repeat([5e3, 1e6], [8, 4]), metallicity=np.repeat([0.01, 0.04], 6)
        ),
        dark=elements(in_box(5, [3, 0, 0], 0.2, rng), mass=8e4),
    )
    row = run(shot, [box([3, 0, 0])]).table[0]
    assert [row["n_stars"], row["n_gas"], row["n_dark"]] == [4, 12, 5]
    expected = {"mass": 2.2e7, "mass_gas": 1.2e7, "mass_cold": 8e6, "mass_stars": 1e7, "mass_young": 3e6, "mass_dark": 4e5}
    for name, value in expected.items():
        assert row[name].to_value(u.Msun) == pytest.approx(value), name
    # by initial mass, stars below 60 Myr: 2e6 Msun in 60 Myr
    assert row["sfr"].to_value(u.Msun / u.yr) == pytest.approx(2e6 / 6e7)
    assert row["age"].to_value(u.Gyr) == pytest.approx((0.01 + 0.14 + 1.5 + 6) / 10)
    ages, weights = np.array([0.01, 0.07, 0.5, 1.5]), np.array([1, 2, 3, 4])
    assert row["age_scatter"].to_value(u.Gyr) == pytest.approx(np.sqrt(np.cov(ages, aweights=weights, ddof=0)))
    assert row["metallicity"] == pytest.approx(0.01)
    assert row["metallicity_gas"] == pytest.approx(0.025)


def test_sfr_goes_by_mass_where_the_initial_mass_is_not_known():
    made = run(snapshot(stars=stars(in_box(10, [3, 0, 0], 0.2, np.random.default_rng(1)), age=0.03)), [box([3, 0, 0])]).table
    assert made["sfr"][0].to_value(u.Msun / u.yr) == pytest.approx(1e7 / 6e7)


def test_density_free_fall_time_and_circular_velocity():
    made = run(snapshot(stars=stars(in_box(100, [3, 0, 0], 0.2, np.random.default_rng(2)))), [box([3, 0, 0])]).table
    row = made[0]
    volume = 64 * 0.07**3
    assert row["density"].value == pytest.approx(1e8 / volume)
    t_ff = np.sqrt(3 * np.pi / (32 * G * 1e8 / volume)) * u.kpc / (u.km / u.s)
    assert row["t_ff"].to_value(u.Myr) == pytest.approx(t_ff.to_value(u.Myr), rel=1e-6)
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
    assert row["v_circ"].value == pytest.approx(np.sqrt(G * 1e8 / radius))


def test_frame_of_box_and_galaxy():
    # in the box the galaxy is elsewhere and moves; a disc whose axis is x
    rng = np.random.default_rng(3)
    place, motion = np.array([0.56, 2.8, -2.1]), np.array([5.0, 30.0, 40.0])
    made = run(snapshot(stars=stars(in_box(2000, place, 0.2, rng), velocity=motion), axis=[1, 0, 0]), [box(place)]).table
    row = made[0]
    position = np.array([row[f"pos_{axis}"].value for axis in "xyz"])
    np.testing.assert_allclose(position, place, atol=0.01)
    np.testing.assert_allclose([row[f"vel_{axis}"].value for axis in "xyz"], motion)
    assert row["height"].value == pytest.approx(position[0])
    assert row["r_cyl"].value == pytest.approx(np.hypot(*position[1:]))
    assert row["r_norm"] == pytest.approx(row["r_cyl"].value / 5)
    assert row["r_gal"].value == pytest.approx(np.linalg.norm(position))
    assert row["j_z"].value == pytest.approx(position[1] * 40 - position[2] * 30)
    assert row["sigma"].value == pytest.approx(0, abs=1e-9)


def test_centre_is_that_of_cold_gas_and_stars():
    cold, warm, star = [[3.0, 0, 0]], [[3.0, 0, 0.1]], [[3.0, 0.1, 0]]
    shot = snapshot(stars=stars(star), gas=gas(np.vstack([cold, warm]), temperature=[1e3, 1e6]))
    row = run(shot, [box([3, 0, 0])], min_elements=0).table[0]
    np.testing.assert_allclose([row[f"pos_{axis}"].value for axis in "xyz"], [3, 0.05, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("sides", "shape"),
    [([1, 1, 1], 1.0), ([1, 0.5, 0.5], 0.5 / 1.25), ([1, 1, 0], 0.5), ([1, 0, 0], 0.0)],
    ids=["cube", "cigar", "sheet", "line"],
)
def test_moments_of_inertia_of_a_cuboid(sides, shape):
    # I = (b^2 + c^2) / 12 of a uniform cuboid, over its mass; S_c = smallest over largest
    sides = np.array(sides)
    place = 0.25 * sides * np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 31)] * 3, indexing="ij"), -1).reshape(-1, 3)
    row = run(snapshot(stars=stars(place + np.array([2.8, 0, 0]))), [box([2.8, 0, 0])]).table[0]
    squares = (0.25 * sides) ** 2 * 32 / 30  # a row of 31 points has a variance of side^2 / 12 (n + 1) / (n - 1)
    moments = np.sort([squares[1] + squares[2], squares[0] + squares[2], squares[0] + squares[1]])[::-1] / 12
    np.testing.assert_allclose([row[f"moment_{i}"].value for i in (1, 2, 3)], moments, atol=1e-9)
    assert row["shape"] == pytest.approx(shape, abs=1e-6)


def test_dispersion_virial_parameter_and_spin():
    rng = np.random.default_rng(4)
    n = 20_000
    place = in_box(n, [3, 0, 0], 0.2, rng)
    about = place - place.mean(axis=0)
    spin = np.cross([0, 0, 50.0], about)  # 50 km/s/kpc about z
    velocity = rng.normal(0, 20, (n, 3)) + spin
    row = run(snapshot(stars=stars(place, velocity=velocity, mass=1e4)), [box([3, 0, 0])]).table[0]
    sigma = np.sqrt(3 * 400 + 2500 * 2 * 0.2**2 / 12)
    assert row["sigma"].value == pytest.approx(sigma, rel=0.01)
    assert row["alpha_vir"] == pytest.approx(5 / 3 * row["sigma"].value ** 2 * row["radius"].value / (G * 2e8))
    assert row["ang_mom_z"].value == pytest.approx(50 * 2 * 0.2**2 / 12, rel=0.1)
    assert abs(row["ang_mom_x"].value) < 0.02
    halved = run(snapshot(stars=stars(place, velocity=velocity, mass=1e4)), [box([3, 0, 0])], virial_factor=5 / 6).table[0]
    assert halved["alpha_vir"] == pytest.approx(row["alpha_vir"] / 2)


def test_peak_and_component_are_those_of_the_right_cells():
    delta = np.full(64, 12.0)
    delta[21] = 30.0  # index (1, 1, 1) of the box
    row = run(snapshot(stars=stars(in_box(20, [3, 0, 0], 0.2, np.random.default_rng(0)))), [box([3, 0, 0])], delta=delta).table[0]
    low = box([3, 0, 0])[0]
    np.testing.assert_allclose([row[f"peak_{axis}"].value for axis in "xyz"], low + 1.5 * 0.07, atol=1e-9)
    assert row["delta"] == 30
    assert row["component"] == "stars"
    row = run(snapshot(stars=stars(in_box(20, [3, 0, 0], 0.2, np.random.default_rng(0)))), [box([3, 0, 0])], delta=delta / 2.5).table[0]
    assert row["component"] == "cold"


def test_clumps_come_by_mass_whatever_the_order_of_particles():
    rng = np.random.default_rng(5)
    boxes = [box([3, 0, 0]), box([-3, 0, 0]), box([0, 4, 0]), box([0, -4, 1])]
    place = np.vstack([in_box(n, (np.array(b[0]) + b[1]) / 2, 0.2, rng) for n, b in zip([12, 40, 5, 25], boxes, strict=True)])
    mass = np.append(np.ones(77), np.ones(5)) * 1e5
    one = run(snapshot(stars=stars(place, mass=mass)), boxes)
    assert list(one.table["n_stars"]) == [40, 25, 12]
    assert one.ids.tolist() == [0, 3, 1, 0, 2]
    assert list(one.table["id"]) == [1, 2, 3]
    assert np.bincount(one.stars.label).tolist() == [0, 40, 25, 12]
    shuffled = rng.permutation(len(place))
    two = run(snapshot(stars=stars(place[shuffled], mass=mass)), boxes)
    assert set(shuffled[two.stars.row[two.stars.label == 2]]) == set(one.stars.row[one.stars.label == 2])
    for name in one.table.colnames:
        if one.table[name].dtype.kind == "f":
            np.testing.assert_allclose(
                one.table[name].value if hasattr(one.table[name], "unit") and one.table[name].unit else one.table[name],
                two.table[name].value if hasattr(two.table[name], "unit") and two.table[name].unit else two.table[name],
                rtol=1e-6,
                atol=1e-9,
            )


def test_equal_masses_come_in_the_order_of_their_cells():
    rng = np.random.default_rng(6)
    boxes = [box([3, 0, 0]), box([-3, 0, 0])]
    place = np.vstack([in_box(15, [3, 0, 0], 0.2, rng), in_box(15, [-3, 0, 0], 0.2, rng)])
    assert run(snapshot(stars=stars(place)), boxes).ids.tolist() == [0, 2, 1]


def test_few_elements_are_left_out_or_flagged():
    rng = np.random.default_rng(7)
    boxes = [box([3, 0, 0], 0.14), box([-3, 0, 0], 0.14), box([0, 3, 0], 0.14), box([0, -3, 0], 0.14)]
    shot = snapshot(
        stars=stars(age=0.05, position=np.vstack([in_box(12, [3, 0, 0], 0.1, rng), in_box(1, [-3, 0, 0], 0.1, rng)])),
        gas=gas(in_box(11, [0, 3, 0], 0.1, rng)),
    )
    cold = np.full(32, 12.0)  # the overdensity of every cell is that of the cold component
    made = run(shot, boxes, delta=cold).table
    assert len(made) == 2
    assert catalog.decode_flags(made["flags"], flags=FLAG) == [(), ("FEW_STARS", "NO_STARS")]
    assert np.isnan(made["age"][1])
    assert made["sfr"][1] == 0
    old = snapshot(stars=stars(shot.stars["position"].value - CENTRE), gas=shot.gas)  # made by young stars, counted by old ones
    assert catalog.decode_flags(run(old, boxes, delta=cold).table["flags"][0], flags=FLAG) == ("FEW_SOURCES",)
    raw = run(shot, boxes, delta=cold, min_elements=0)
    assert len(raw.table) == 4
    catalog.validate(raw.table, "found", who="measure")
    assert catalog.decode_flags(raw.table["flags"][2:], flags=FLAG) == [
        ("FEW_STARS", "FEW_ELEMENTS", "UNRESOLVED", "FEW_SOURCES"),
        ("FEW_STARS", "FEW_ELEMENTS", "NO_STARS", "UNRESOLVED", "FEW_SOURCES"),
    ]
    assert np.isinf(raw.table["energy_ratio"][2:]).all()
    assert not raw.table["bound"][2:].any()
    assert raw.table["mass"][3] == 0
    np.testing.assert_allclose(raw.table["pos_y"][3].value, np.mean([b[1] for b in boxes[3]]))  # no element: the middle of its cells


def test_no_regions_give_an_empty_table_with_all_columns():
    made = run(snapshot(stars=stars(np.zeros((1, 3)))), [])
    assert len(made.table) == 0
    assert made.table.colnames == catalog.make_table("found").colnames
    assert made.ids.tolist() == [0]
    made = run(snapshot(stars=stars(np.ones((1, 3)))), [box([3, 0, 0])])
    assert len(made.table) == 0
    assert len(made.stars.row) == 0


def test_flags_of_centre_size_edge_and_softening():
    rng = np.random.default_rng(8)
    boxes = [box([0.21, 0, 0], 0.28), ((-2.1, 3.5, -0.7), (2.1, 4.9, 0.7)), ((7.7, -0.14, -0.14), (7.98, 0.14, 0.14))]
    place = [in_box(n, c, s, rng) for n, c, s in [(100, [0.21, 0, 0], 0.2), (41_000, [0, 4.2, 0], 1.0), (80, [7.84, 0, 0], 0.2)]]
    made = run(snapshot(stars=stars(np.vstack(place), age=0.05)), boxes, half=7.98, fwhm=2.0).table
    names = dict(zip(made["n_stars"], catalog.decode_flags(made["flags"], flags=FLAG), strict=True))
    assert names == {41_000: ("LARGE",), 100: ("TOUCHES_CENTRE",), 80: ("GRID_EDGE",)}
    for column, size in (("cell_size", 0.14), ("softening", 0.08)):
        made = run(snapshot(gas=gas(in_box(100, [3, 0, 0], 0.2, rng), **{column: size})), [box([3, 0, 0])]).table
        assert "UNRESOLVED" in catalog.decode_flags(made["flags"], flags=FLAG)[0]


def test_bulge_by_centre_of_mass_or_densest_cell():
    # the densest cell lies at the centre, but the region reaches far out (an arm joined to the core)
    rng = np.random.default_rng(9)
    delta = np.full(64, 12.0)
    delta[21] = 99.0
    low, high = box([0.07, 0, 0])
    place = in_box(200, [0.07, 0, 0], 0.2, rng)
    near = run(snapshot(stars=stars(place)), [(low, high)], delta=delta)
    assert near.table["origin"][0] == "bulge"
    centre, peak, nearest = np.array([[1.2, 0.1, 0.1], [0.13, 1.0, 0.1], [0.15, 0.15, 0.1], [0.5, 1.5, 0.06], [0.5, 1.5, 0.1]]).T
    found = classify(centre, peak, nearest, None, cell=0.07)  # 2 cells: 140 pc
    assert found.tolist() == ["bulge", "bulge", "in situ", "bulge", "in situ"]


def halo(rng, n=400_000):
    """Dark matter of one density in 12 kpc, 4.3e6 Msun/kpc3, and a satellite of twenty times as much at (3, 0, 0)."""
    smooth = rng.uniform(-6, 6, (n, 3))
    satellite = np.array([3, 0, 0]) + rng.uniform(-0.5, 0.5, (20 * n // 1728, 3))
    return np.vstack([smooth, satellite])


def test_clumps_with_dark_matter_of_their_own_fell_in():
    rng = np.random.default_rng(10)
    places = [[3, 0, 0], [-3, 0, 0], [0, 0.07, 0]]
    shot = snapshot(
        stars=stars(np.vstack([in_box(n, c, 0.25, rng) for n, c in zip([300, 200, 100], places, strict=True)])),
        dark=elements(halo(rng), mass=1e4),
    )
    made = run(shot, [box(c, 0.28) for c in places], fwhm=1.5).table
    assert list(made["origin"]) == ["ex situ", "in situ", "bulge"]
    # background: 1 + 20 x the part of a Gaussian (sigma 0.637 kpc) inside the satellite's cube of 1 kpc, at its middle
    from scipy.special import erf

    sigma = 1.5 / np.sqrt(8 * np.log(2))
    expected = 21 / (1 + 20 * erf(0.5 / sigma / np.sqrt(2)) ** 3) - 1
    assert made["delta_dark"][0] == pytest.approx(expected, rel=0.1)  # 105 particles
    assert abs(made["delta_dark"][1]) < 1  # 5 particles expected
    assert made["mass_dark"][0].value == made["n_dark"][0] * 1e4
    assert "origin" not in made.meta


def test_dark_background_is_that_of_the_gaussian():
    # a single sheet of dark matter: density at distance x is Sigma / sqrt(2 pi) / sigma exp(-x^2 / 2 sigma^2)
    rng = np.random.default_rng(11)
    place = np.column_stack([np.zeros(500_000), *rng.uniform(-8, 8, (2, 500_000))])
    sigma = 1.0
    cells = np.array([[x, 0.0, 0.0] for x in (0.0, 0.5, 1.0, 2.0)])
    rows = np.repeat(np.arange(100), 4)
    made = dark_contrast(
        place, np.full(len(place), 2.0), rows, np.tile(np.arange(4), 100), cells, np.arange(4), 4, cell=0.5, fwhm=np.sqrt(8 * np.log(2))
    )
    density = 2 * 500_000 / 256 / np.sqrt(2 * np.pi) / sigma * np.exp(-(cells[:, 0] ** 2) / 2 / sigma**2)
    np.testing.assert_allclose(made.delta + 1, 200 / 0.5**3 / density, rtol=0.04)


def test_overdensities_of_a_few_particles_are_chance():
    contrast = DarkContrast(np.array([2.0, 2.0]), np.array([0.08, 1e-6]))  # 3 particles where 1 is expected; 30 where 10 are
    assert classify(np.ones(2), np.ones(2), np.ones(2), contrast, cell=0.07).tolist() == ["in situ", "ex situ"]
    assert classify(np.ones(2), np.ones(2), np.ones(2), contrast, cell=0.07, ex_situ_overdensity=2.5).tolist() == ["in situ", "in situ"]
    # P(N >= 3 | 1) = 1 - e^-1 (1 + 1 + 1/2)
    rng = np.random.default_rng(12)
    place = rng.uniform(-5, 5, (1000, 3))  # 1 a kpc^3
    made = dark_contrast(place, np.ones(1000), np.arange(3), np.zeros(3, int), np.zeros((1, 3)), np.zeros(1, int), 1, cell=1.0, fwhm=4.0)
    assert made.chance[0] == pytest.approx(1 - np.exp(-1) * 2.5, abs=0.03)


def test_without_dark_matter_nothing_is_ex_situ_and_the_table_says_so():
    made = run(snapshot(stars=stars(in_box(20, [3, 0, 0], 0.2, np.random.default_rng(0)))), [box([3, 0, 0])]).table
    assert made["origin"][0] == "in situ"
    assert np.isnan(made["delta_dark"][0])
    assert "no dark matter" in made.meta["origin"]


def test_energy_of_a_cold_cloud_and_of_a_hot_one():
    place = in_box(500, [3, 0, 0], 0.25, np.random.default_rng(13))
    cold = run(snapshot(gas=gas(place, temperature=100.0)), [box([3, 0, 0])]).table[0]
    hot = run(snapshot(gas=gas(place, temperature=1e8)), [box([3, 0, 0])]).table[0]
    assert (cold["bound"], cold["bound_fraction"]) == (1, 1)
    assert (hot["bound"], hot["bound_fraction"]) == (0, 0)
    # thermal 1.5 k T / (0.59 m_u) over |W| / M of a uniform cube, 0.9412 G M / side
    assert hot["energy_ratio"] == pytest.approx(1.5 * 8.314462618e-3 * 1e8 / 0.59 / (0.9412 * G * 5e8 / 0.25), rel=0.03)


def test_softening_weakens_the_self_gravity():
    place = in_box(500, [3, 0, 0], 0.25, np.random.default_rng(13))
    ratios = [
        run(snapshot(gas=gas(place, temperature=100.0, **columns)), [box([3, 0, 0])]).table["energy_ratio"][0]
        for columns in ({}, {"cell_size": 0.1}, {"softening": 0.05}, {"softening": 0.2})
    ]
    assert ratios[0] < ratios[1] < ratios[3]
    assert ratios[1] == pytest.approx(ratios[2])


def test_unbinding_takes_interlopers_measures_anew_and_drops_what_is_left_of_streams():
    rng = np.random.default_rng(14)
    place = np.vstack([in_box(300, [3, 0, 0], 0.15, rng), in_box(60, [3, 0, 0], 0.25, rng), in_box(200, [-3, 0, 0], 0.25, rng)])
    velocity = rng.normal(0, 10, (560, 3))
    velocity[300:360] += 400
    velocity[360:] *= 40
    table = stars(place, velocity=velocity, age=np.repeat([1.0, 9.0, 1.0], [300, 60, 200]))
    boxes = [box([3, 0, 0]), box([-3, 0, 0])]
    raw, made = run(snapshot(stars=table), boxes), run(snapshot(stars=table), boxes, unbind=True)
    assert list(raw.table["n_stars"]) == [360, 200]
    assert list(raw.table["bound"]) == [0, 0]
    assert len(made.table) == 1
    assert made.ids.tolist() == [0, 1, 0]
    assert made.table["n_stars"][0] == 300
    assert made.stars.row.tolist() == list(range(300))
    assert made.table["mass"][0].to_value(u.Msun) == pytest.approx(3e8)
    assert made.table["age"][0].to_value(u.Gyr) == pytest.approx(1)
    assert made.table["bound_fraction"][0] == 1
    assert made.table["radius"][0] == raw.table["radius"][0]


@pytest.mark.real_data
def test_clumps_of_a_hydrodynamical_disc_against_slow_sums(real_data):
    from astroclumps import ClumpFinder3D, Snapshot

    with pytest.warns(AstroclumpsWarning, match="no formation time"):
        shot = Snapshot.read(real_data / "sims" / "gizmo_clumpy_disc" / "snapshot_010.hdf5")
    clumps, labels = ClumpFinder3D().find(shot)
    assert (clumps["origin"] == "bulge").sum() == 1
    assert clumps["origin"][0] == "bulge"
    assert 0.05 < shot.stars["softening"].value.min() <= shot.stars["softening"].value.max() < 0.09
    assert np.bincount(labels)[1:].tolist() == clumps["n_stars"].tolist()
    assert 0.2 < clumps["bound"].mean() < 0.6
    alpha = [np.median(clumps["alpha_vir"][clumps["bound"] == bound]) for bound in (0, 1)]
    assert alpha[0] > 2 * alpha[1]
    for row in clumps[(clumps["n_gas"] == 0) & (clumps["n_stars"] >= 10)]:  # stars only: all that is needed stands in the labels
        here = labels == row["id"]
        position, velocity = shot.stars["position"].value[here], shot.stars["velocity"].value[here]
        mass = shot.stars["mass"].value[here]
        middle, drift = np.average(position, axis=0, weights=mass), np.average(velocity, axis=0, weights=mass)
        np.testing.assert_allclose([row[f"pos_{axis}"].value for axis in "xyz"], middle - shot.centre.value, rtol=1e-5, atol=1e-5)
        kinetic = 0.5 * np.sum(mass * np.sum((velocity - drift) ** 2, axis=1))
        assert row["sigma"].value == pytest.approx(np.sqrt(2 * kinetic / mass.sum()), rel=1e-5)
        soft = np.sqrt(np.average(shot.stars["softening"].value[here] ** 2, weights=mass))
        pairs = [(i, j) for i in range(len(mass)) for j in range(i)]
        gravity = sum(G * mass[i] * mass[j] / np.sqrt(np.sum((position[i] - position[j]) ** 2) + soft**2) for i, j in pairs)
        assert row["energy_ratio"] == pytest.approx(kinetic / gravity, rel=1e-3)


def test_numbers_of_the_paper():
    assert properties.SFR_TIME == 0.06  # Gyr, METHODS 5
    assert properties.VIRIAL_FACTOR == 5 / 3
