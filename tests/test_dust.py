"""Dust: columns in front of stars, what comes through, curves."""

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import disc_positions, galaxy, gas_table, star_table

from astroclumps import attenuation
from astroclumps.mock.cameras import Camera
from astroclumps.mock.dust import OPACITY, Dust, metals_of
from astroclumps.mock.particle_kernels import spread, transmission_table

TOP = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
SIDE = Camera(name="side", direction=(1, 0, 0), up=(0, 0, 1))


def sheet(*, heights=(0.0,), density=10.0, half=6.0, spacing=0.05, metallicity=0.02):
    """Even sheets of cold gas, Msun/pc2 each, across z."""
    axis = np.arange(-half, half, spacing) + spacing / 2
    x, y = (a.ravel() for a in np.meshgrid(axis, axis))
    gas = gas_table(np.concatenate([np.column_stack([x, y, np.full(x.size, z)]) for z in heights]), mass=density * 1e6 * spacing**2)
    gas["metallicity"] = metallicity
    return galaxy(gas=gas)


def seen(snapshot, stars, camera=TOP, **options):
    return Dust(**options).a_v(metals_of(snapshot), camera, np.atleast_2d(stars).astype(float), half_width=3.0)


def expected(density, metallicity=0.02, dust_to_metals=0.4):
    column = density * u.Msun / u.pc**2 * metallicity * dust_to_metals
    return float((2.5 / np.log(10) * column * OPACITY).to_value(u.dimensionless_unscaled))


def test_a_v_is_opacity_times_the_dust_in_front():
    # 10 Msun/pc2 of gas with 2% of metals, 40% of them dust: 0.08 Msun/pc2, 5.94 mag for 1
    assert expected(10) == pytest.approx(0.08 * 5.94, rel=2e-3)
    before, behind = seen(sheet(), [[0.3, -0.7, -2.0], [0.3, -0.7, 2.0]])  # the camera looks along +z
    assert before == 0
    assert behind == pytest.approx(expected(10), rel=0.02)


def test_stars_see_only_what_lies_between_them_and_the_observer():
    places = [[0.1, 0.2, z] for z in (-2, -0.5, 0.5, 2)]
    found = seen(sheet(heights=(-1.0, 0.0, 1.0)), places)
    np.testing.assert_allclose(found, np.arange(4) * expected(10), rtol=0.02)


def test_the_other_side_sees_the_rest():
    snapshot, star = sheet(heights=(-1.0, 0.0, 1.0)), [0.1, 0.2, -0.5]
    back = Camera(name="back", direction=(0, 0, -1), up=(0, 1, 0))
    assert seen(snapshot, star)[0] + seen(snapshot, star, back)[0] == pytest.approx(3 * expected(10), rel=0.02)


def test_a_v_is_linear_in_what_it_is_made_of():
    star = [0.0, 0.0, 1.0]
    one = seen(sheet(), star)[0]
    assert seen(sheet(density=30.0), star)[0] == pytest.approx(3 * one, rel=1e-4)
    assert seen(sheet(metallicity=0.004), star)[0] == pytest.approx(0.2 * one, rel=1e-4)
    assert seen(sheet(), star, dust_to_metals=0.2)[0] == pytest.approx(0.5 * one, rel=1e-4)
    assert seen(sheet(), star, opacity=OPACITY / 4)[0] == pytest.approx(0.25 * one, rel=1e-4)
    assert seen(sheet(), star, cell=300 * u.pc)[0] == pytest.approx(one, rel=0.02)


def test_no_metals_or_only_hot_gas_is_no_dust():
    star = [[0.0, 0.0, 1.0]]
    assert len(seen(galaxy(), star)) == 0
    assert len(seen(sheet(metallicity=0.0), star)) == 0
    assert len(seen(sheet(), star, dust_to_metals=0)) == 0
    hot = sheet()
    hot.gas["temperature"][:] = 1e5 * u.K
    assert len(seen(hot, star)) == 0
    assert len(metals_of(hot, cold_temperature=1e6 * u.K).mass) == len(hot.gas)


def test_stars_beside_the_map_are_not_dimmed():
    np.testing.assert_array_equal(seen(sheet(), [[5.0, 0, 1], [-3.2, 0, 1], [0, 40.0, 1]]), 0)


def test_an_edge_on_disc_dims_more():
    places = disc_positions(20000, seed=1)
    snapshot = galaxy(stars=star_table(disc_positions(500, seed=2)), gas=gas_table(places, mass=1e5, first=10**6))
    stars = snapshot.stars["position"].value
    face_on, edge_on = (np.median(Dust().a_v(metals_of(snapshot), camera, stars, half_width=6.0)) for camera in (TOP, SIDE))
    assert edge_on > 4 * face_on > 0


@pytest.mark.parametrize("reach", [1.0, 1.7, 6.3])
@pytest.mark.parametrize(("x", "y"), [(20.0, 20.0), (19.5, 20.5), (18.23, 22.9)])
def test_spreading_keeps_the_mass_and_its_middle(reach, x, y):
    column = np.zeros((41, 41))
    spread(x, y, 7.0, reach, column)
    assert column.sum() == pytest.approx(7.0, rel=1e-12 if reach < 3 else 1e-3)
    rows, columns = np.mgrid[:41, :41]
    assert (column * columns).sum() / 7 == pytest.approx(x, abs=0.15)
    assert (column * rows).sum() / 7 == pytest.approx(y, abs=0.15)
    assert not column[np.hypot(rows - y, columns - x) > reach].any()


def test_what_lies_over_the_edge_of_the_map_is_lost():
    column = np.zeros((10, 10))
    spread(-0.5, 4.5, 1.0, 3.0, column)
    assert column.sum() == pytest.approx(0.5, rel=6e-3)
    spread(30.0, 4.5, 1.0, 3.0, column)
    assert column.sum() == pytest.approx(0.5, rel=6e-3)


def test_the_extent_of_gas_comes_from_what_is_known():
    gas = gas_table(np.outer(np.arange(40), [0.01, 0, 0]), mass=1e6)
    assert metals_of(galaxy(gas=gas)).radius[20] == pytest.approx(0.08, rel=1e-3)  # its 16th neighbour
    gas["density"] = 1e9 * u.Msun / u.kpc**3
    assert metals_of(galaxy(gas=gas)).radius[20] == pytest.approx(0.15, rel=1e-4)
    gas["cell_size"] = 40 * u.pc
    assert metals_of(galaxy(gas=gas)).radius[20] == pytest.approx(0.06, rel=1e-4)
    assert metals_of(galaxy(gas=gas[:3])).radius[0] == pytest.approx(0.06, rel=1e-4)


def at(table, depth):
    return np.interp(np.log(depth), np.log(1e-4) + np.arange(len(table)) / 32, table)


def test_without_scatter_light_falls_exponentially():
    for depth in (0.01, 0.5, 3.0):
        assert at(transmission_table(0.0), depth) == pytest.approx(np.exp(-depth), rel=2e-3)


@pytest.mark.parametrize("scatter", [1.0, 1.5])
def test_scattered_columns_let_more_light_through(scatter):
    from scipy.integrate import quad

    def integrand(x, depth):
        return np.exp(-depth * np.exp(scatter * x - scatter**2 / 2) - x**2 / 2) / np.sqrt(2 * np.pi)

    for depth in (0.1, 1.0, 10.0):
        true = quad(integrand, -9, 9, args=(depth,), limit=400)[0]
        assert at(transmission_table(scatter), depth) == pytest.approx(true, rel=2e-3)
        assert true > np.exp(-depth)
    # the first order is that of the mean column
    assert 1 - at(transmission_table(scatter), 1e-3) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize("name", sorted(attenuation.CURVES))
def test_curves_are_one_in_v_and_fall_to_the_red(name):
    curve = attenuation.curve(name)
    assert curve(5500.0) == pytest.approx(1, abs=0.01)
    values = curve(np.array([1300.0, 3000, 4400, 5500, 8000, 16000, 21000]))
    assert (np.diff(values) < 0).all()
    assert curve(np.array([600.0, 1e5, 1e6])).min() >= 0
    np.testing.assert_array_equal(Dust(curve=name).reddening(["F606W"], 1.0), Dust(curve=curve).reddening(["F606W"], 1.0))


def test_the_milky_way_has_its_bump_and_the_smc_none():
    # Cardelli et al. (1989), Table 3: a + b / 3.1 by 1/micron, for U, B, R and J; their polynomial misses their B by 1%
    published = {2.78: 0.9530 + 1.9090 / 3.1, 2.27: 0.9982 + 1.0495 / 3.1, 1.43: 0.8686 - 0.3660 / 3.1, 0.80: 0.4008 - 0.3679 / 3.1}
    for x, value in published.items():
        assert attenuation.milky_way(1e4 / x) == pytest.approx(value, rel=0.015)
    bump, beside = attenuation.milky_way(2175.0), attenuation.milky_way(np.array([1800.0, 2600.0]))
    assert bump > beside.max()
    assert attenuation.smc(1800.0) > attenuation.smc(2175.0) > attenuation.smc(2600.0)
    assert attenuation.smc(1600.0) > 1.5 * attenuation.milky_way(1600.0)


def test_the_milky_way_is_the_published_formula():
    # Cardelli et al. (1989), eqs. 2-5, far ultraviolet: x = 9 per micron; infrared: a = 0.574 x^1.61, b = -0.527 x^1.61
    a, b = -1.073 - 0.628 + 0.137 - 0.070, 13.670 + 4.257 - 0.420 + 0.374
    assert attenuation.milky_way(1e4 / 9) == pytest.approx(a + b / 3.1, rel=1e-12)
    for x in (0.2, 0.5, 1.0):  # the first of them is continued
        assert attenuation.milky_way(1e4 / x) == pytest.approx((0.574 - 0.527 / 3.1) * x**1.61, rel=1e-12)


def test_the_smc_goes_through_the_published_points():
    # Gordon et al. (2003), Table 4, SMC Bar: 1/micron and A(lambda) / A(V); the smooth curve is up to 6% off in the far ultraviolet
    near = {0.455: 0.11, 0.606: 0.169, 0.8: 0.25, 1.235: 0.567, 1.538: 0.801, 1.818: 1.0, 2.273: 1.374, 2.703: 1.672}
    far = {3.375: 2.0, 4.125: 2.661, 4.875: 3.293, 5.625: 3.866, 6.375: 4.472, 7.125: 5.272, 7.875: 6.074, 8.375: 6.436, 8.625: 6.992}
    for x, value in near.items():
        assert attenuation.smc(1e4 / x) == pytest.approx(value, rel=1e-3)
    for x, value in far.items():
        assert attenuation.smc(1e4 / x) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize("name", ["milky way", "smc"])
def test_curves_are_continued_beyond_their_range(name):
    curve = attenuation.curve(name)
    assert curve(500.0) == curve(1000.0)
    edge = 1e4 / 0.3
    assert curve(edge * 1.0001) == pytest.approx(curve(edge * 0.9999), rel=1e-2)
    assert curve(2 * edge) / curve(edge) == pytest.approx(2**-1.61)
    assert curve(np.full((2, 3), 5500.0)).shape == (2, 3)
    assert curve(5500.0).shape == ()


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"curve": "ceres"}, ValueError, "no dust curve 'ceres'; known: 'calzetti'"),
        ({"dust_to_metals": -1}, ValueError, "dust_to_metals"),
        ({"scatter": float("nan")}, ValueError, "scatter"),
        ({"opacity": 3e4}, TypeError, "opacity must be a Quantity"),
        ({"cell": 100}, TypeError, "cell must be a Quantity"),
        ({"cell": 0 * u.pc}, ValueError, "cell must be positive"),
    ],
)
def test_dust_that_cannot_be_is_told(bad, error, message):
    with pytest.raises(error, match=message):
        Dust(**bad)
