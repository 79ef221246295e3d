"""Light of star particles and the kernels that spread it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from astroclumps import bands, starlight
from astroclumps.mock.particle_light import band_fluxes, kernel_widths, population_table

needs_bagpipes = pytest.mark.needs_bagpipes


def flux(ages, *, each=1.0, metallicity=0.02, redshift=2.0, names=bands.CANDELS, **options):
    ages = np.atleast_1d(ages)
    given = {} if "mass" in options else {"initial_mass": np.full(len(ages), each) * u.Msun}
    options = {"age": ages * u.Gyr, "metallicity": np.full(len(ages), metallicity)} | given | options
    return band_fluxes(names, redshift, **options).value


@needs_bagpipes
@pytest.mark.parametrize(("age", "metallicity"), [(0.03, 1.0), (0.3, 0.4), (1.5, 1.0)])
def test_many_particles_make_a_constant_history(age, metallicity):
    ages = (np.arange(20000) + 0.5) / 20000 * age
    total = flux(ages, each=1 / 20000, metallicity=0.02 * metallicity).sum(axis=0)
    known = starlight.component_fluxes(bands.CANDELS, 2.0, age=age * u.Gyr, metallicity=metallicity)
    np.testing.assert_allclose(total, known.flux[0].value, rtol=0.03)


@needs_bagpipes
def test_light_follows_mass_age_and_metallicity():
    np.testing.assert_allclose(flux(0.1, each=5.0), 5 * flux(0.1), rtol=1e-6)
    young, old = flux([0.005, 1.0])
    assert (young > old).all()
    assert young[0] / young[-1] > 3 * old[0] / old[-1]  # bluer
    poor, rich = flux(2.0, metallicity=0.002)[0], flux(2.0, metallicity=0.04)[0]
    assert poor[0] / poor[-1] > rich[0] / rich[-1]


@needs_bagpipes
def test_ages_and_metallicities_outside_the_grid_are_those_of_its_edge():
    np.testing.assert_array_equal(flux(0.0), flux(1e-4))
    np.testing.assert_array_equal(flux(50.0), flux(20.0))
    np.testing.assert_array_equal(flux(1.0, metallicity=0.0), flux(1.0, metallicity=5e-5))
    np.testing.assert_array_equal(flux(1.0, metallicity=0.5), flux(1.0, metallicity=0.1))


@needs_bagpipes
def test_between_two_populations_the_light_lies_between_theirs():
    table = population_table(bands.CANDELS, 2.0)
    a, b = table.flux[4, 20], table.flux[4, 21]
    middle = flux(10 ** ((table.age[20] + table.age[21]) / 2), metallicity=table.metallicity[4])[0]
    np.testing.assert_allclose(middle, (a + b) / 2, rtol=1e-5)
    np.testing.assert_allclose(np.diff(table.age), 0.1, atol=2e-3)
    assert 10 ** table.age[0] == pytest.approx(1e-3, rel=0.01)


@needs_bagpipes
def test_masses_of_today_are_divided_by_what_survives():
    table = population_table(bands.CANDELS, 2.0)
    age, left = 10 ** table.age[30], table.surviving[4, 30]
    assert 0.5 < left < 0.9
    today = flux(age, mass=[1.0] * u.Msun)
    np.testing.assert_allclose(today, flux(age) / left, rtol=1e-5)


@needs_bagpipes
def test_distances_are_those_of_the_cosmology():
    there = FlatLambdaCDM(H0=50, Om0=0.3)
    np.testing.assert_allclose(flux(0.1, cosmology=there), flux(0.1) * (50 / 70) ** 2, rtol=1e-5)
    np.testing.assert_allclose(flux(0.1, cosmology=FlatLambdaCDM(H0=70, Om0=0.3)), flux(0.1), rtol=1e-6)


@needs_bagpipes
def test_the_intergalactic_medium_absorbs_the_blue():
    near, far = flux(0.01, redshift=2.0)[0], flux(0.01, redshift=4.5)[0]
    assert far[0] / far[1] < 0.2 * near[0] / near[1]
    assert far[3] > 0


@needs_bagpipes
def test_tables_are_made_once():
    assert population_table(["F435W"], 1.23) is population_table(("f435w",), 1.23)
    with pytest.raises(ValueError, match="read-only"):
        population_table(["F435W"], 1.23).flux[0] = 1


@needs_bagpipes
def test_no_particles_have_no_light():
    assert flux(np.zeros(0)).shape == (0, 7)


@needs_bagpipes
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"age": [1.0]}, TypeError, "age must be a Quantity"),
        ({"initial_mass": [1.0]}, TypeError, "initial_mass must be a Quantity"),
        ({"initial_mass": None}, TypeError, "mass must be a Quantity"),
        ({"metallicity": [0.02, 0.02]}, ValueError, "one length"),
        ({"metallicity": [-1.0]}, ValueError, "metallicity must be zero or positive"),
    ],
)
def test_light_that_cannot_be_is_told(bad, error, message):
    given = {"age": [1.0] * u.Gyr, "metallicity": [0.02], "initial_mass": [1.0] * u.Msun}
    with pytest.raises(error, match=message):
        band_fluxes(bands.CANDELS, 2.0, **(given | bad))


@needs_bagpipes
def test_a_redshift_of_zero_is_told():
    with pytest.raises(ValueError, match="redshift must lie above 0"):
        flux(0.1, redshift=0.0)


# kernels


def widths(position, age):
    age = np.broadcast_to(age, len(position))
    return kernel_widths(np.asarray(position) * u.kpc, age * u.Gyr).value


def test_a_kernel_is_half_the_distance_to_the_fifth_neighbour():
    line = np.outer(np.arange(50), [0.02, 0, 0])
    found = widths(line, 1.0)
    np.testing.assert_allclose(found[5:45], 0.03, rtol=1e-5)
    assert found[0] == pytest.approx(0.05, rel=1e-5)


def test_a_lone_star_is_wider_than_the_point_spread_function():
    line = np.outer(np.arange(50), [0.01, 0, 0])
    lone = widths(np.vstack([line, [[30.0, 0, 0]]]), 1.0)[-1]
    assert lone == np.float32(0.3)
    assert 2.355 * lone / 8.5 > 0.08  # arcsec at redshift 2, ACS
    np.testing.assert_array_equal(widths(line[:5], 1.0), np.float32(0.3))  # nobody has five neighbours


def test_young_stars_look_at_young_ones():
    rng = np.random.default_rng(0)
    place = np.vstack([rng.normal(0, 0.1, (2000, 3)), rng.normal(0, 0.1, (20, 3))])
    age = np.r_[np.full(2000, 1.0), np.full(20, 0.05)]
    mixed, together = widths(place, age), widths(place, 1.0)
    assert np.median(mixed[2000:]) > 3 * np.median(together[2000:])
    np.testing.assert_allclose(np.median(mixed[:2000]), np.median(together[:2000]), rtol=0.05)


def test_a_clump_stays_smaller_than_itself():
    clump = np.random.default_rng(1).normal(0, 0.1, (30, 3))
    assert np.sqrt((widths(clump, 0.01) ** 2).mean()) < 0.1


def test_no_stars_have_no_kernels():
    assert len(widths(np.zeros((0, 3)), 1.0)) == 0
