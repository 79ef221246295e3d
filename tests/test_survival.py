"""Survival of clumps: every number of METHODS 6 that G21 section 6.2 and Behroozi et al. (2019) rest on, asserted with its section."""

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astroclumps import survival

KMS = u.km / u.s


def test_supernovae_disrupt_below_30_km_s():  # section 6.2
    assert survival.clump_velocity_threshold() == 30 * KMS
    assert survival.clump_velocity_threshold(0.4) == 60 * KMS


def test_the_efficiency_of_vela_gives_18_km_s():  # section 6.2: 0.03 to 0.04
    assert survival.VELA_EFFICIENCY == (0.03, 0.04)
    assert survival.clump_velocity_threshold(0.035).round() == 18 * KMS


def test_fiducial_values():  # section 6.2
    assert (survival.COLD_FRACTION, survival.F_VIR) == (0.2, 1.4)


def test_a_clump_turns_with_a_fifth_of_the_virial_velocity():  # eqs. 4 and 5
    assert np.isclose(survival.clump_velocity(100 * KMS), np.sqrt(np.pi / 6) * 0.2 * 1.4 * 100 * KMS)
    assert survival.clump_velocity(1 * KMS).round(1) == 0.2 * KMS
    assert np.isclose(survival.clump_velocity(100 * KMS, cold_fraction=0.4, f_vir=0.7), survival.clump_velocity(100 * KMS))


def test_the_halo_turns_with_150_km_s_at_the_limit():  # eq. 6; 148 before rounding
    assert survival.halo_velocity_threshold() == 150 * KMS
    assert survival.halo_velocity_threshold(rounded=False).round() == 148 * KMS
    assert np.isclose(survival.halo_velocity_threshold(efficiency=0.4, cold_fraction=0.1, f_vir=2.8), 300 * KMS)


def test_without_rounding_the_limits_of_clump_and_halo_are_one():
    limit = survival.halo_velocity_threshold(efficiency=0.05, cold_fraction=0.3, f_vir=1.2, rounded=False)
    assert np.isclose(survival.clump_velocity(limit, cold_fraction=0.3, f_vir=1.2), survival.clump_velocity_threshold(0.05))


def test_halo_of_200_km_s_at_redshift_2():  # eq. 7
    assert survival.halo_mass(200 * KMS, 2) == 1e12 * u.Msun
    assert np.isclose(survival.halo_mass(400 * KMS, 11), 8e12 / 8 * u.Msun)


@pytest.mark.parametrize(("redshift", "mass"), [(1, 7.7e11), (2, 4.2e11), (3, 2.7e11)])
def test_limit_of_the_halo(redshift, mass):  # eq. 8
    assert np.isclose(survival.halo_mass_threshold(redshift).value, mass, rtol=0.016)


def test_the_limit_of_the_halo_grows_with_the_cube():  # eq. 8
    ratio = survival.halo_mass_threshold(2, efficiency=0.4, cold_fraction=0.1, f_vir=2.8) / survival.halo_mass_threshold(2)
    assert np.isclose(ratio, 4**1.5 * 2**3 / 2**3)


@pytest.mark.parametrize(("redshift", "mass"), [(1, 1.4e10), (2, 2.0e9), (3, 0.9e9)])
def test_limit_of_the_galaxy(redshift, mass):  # METHODS 6; the paper's range holds for z = 2 to 1
    assert np.isclose(survival.stellar_mass_threshold(redshift).value, mass, rtol=0.02)


@pytest.mark.parametrize(("redshift", "log_mass"), [(1, 10.33), (2, 10.02), (3, 9.96)])
def test_stellar_mass_in_a_halo_of_1e12(redshift, log_mass):  # METHODS 6
    assert abs(np.log10(survival.stellar_mass(1e12 * u.Msun, redshift).value) - log_mass) < 0.005


@settings(deadline=None, max_examples=50)
@given(log_mass=st.floats(9.0, 12.3), redshift=st.floats(0, 5))
def test_the_halo_of_a_galaxy_holds_that_galaxy(log_mass, redshift):
    stars = survival.stellar_mass(10**log_mass * u.Msun, redshift)
    assert np.isclose(np.log10(survival.halo_mass_of_galaxy(stars, redshift).value), log_mass, atol=1e-8)


def test_the_inverse_broadcasts_and_takes_any_unit_of_mass():
    stars = np.array([[1e9], [1e10]]) * u.Msun
    halos = survival.halo_mass_of_galaxy(stars.to(u.kg), [0, 1, 2])
    assert halos.shape == (2, 3)
    assert np.allclose(survival.stellar_mass(halos, [0, 1, 2]).value, np.broadcast_to(stars.value, (2, 3)))


def test_no_halo_holds_a_galaxy_beyond_the_turnover():
    with pytest.raises(ValueError, match=r"stellar_mass 10\^13.00 Msun lies outside .* at redshift 4: 10\^-?\d+.\d\d to 10\^1[0-2]"):
        survival.halo_mass_of_galaxy([1e9, 1e13] * u.Msun, 4)


def test_the_relation_ends_at_redshift_10():
    with pytest.raises(ValueError, match="redshift must be 0 to 10, the range of the fit, got 11"):
        survival.stellar_mass(1e12 * u.Msun, 11)


def test_circular_velocity():
    expected = np.sqrt(const.G * 1e8 * u.Msun / (200 * u.pc)).to(KMS)
    assert np.isclose(survival.circular_velocity(1e8 * u.Msun, 200 * u.pc), expected)
    assert np.isclose(survival.circular_velocity(1e8 * u.Msun, 0.2 * u.kpc), expected)


def test_a_clump_at_the_limit_outlives():
    mass = (30 * KMS) ** 2 * 100 * u.pc / const.G
    assert survival.outlives_supernovae(mass * [0.99, 1.01], 100 * u.pc).tolist() == [False, True]
    assert survival.outlives_supernovae(mass * 0.4, 100 * u.pc, efficiency=0.035)


def test_efficiency_is_free_fall_over_depletion_time():  # section 6.2
    values = survival.star_formation_efficiency([1e8, 0] * u.Msun, 1 * u.Msun / u.yr, 10 * u.Myr)
    assert np.isclose(values[0], 0.1)
    assert np.isnan(values[1])


def test_virial_velocity_inverts_halo_mass():
    velocity = np.geomspace(50, 500, 5) * KMS
    assert np.allclose(survival.virial_velocity(survival.halo_mass(velocity, 1.5), 1.5), velocity)


def test_limits_seen_in_vela():  # Mandelker et al. 2017, abstract (METHODS 1)
    limits = survival.VELA_LIMITS
    assert limits["v_circ"] == 40 * KMS
    assert limits["surface_density"] == 200 * u.Msun / u.pc**2
    assert limits["mass"] == 10**8.2 * u.Msun


def test_where_dekel2023_expects_long_lives():  # METHODS 6; the abstract has the stellar mass too
    good = {"mass": 1e8 * u.Msun, "v_circ": 50 * KMS, "host_velocity": 200 * KMS, "gas_fraction": 0.3}
    assert {**good, "stellar_mass": 10**9.3 * u.Msun} == survival.DEKEL2023
    assert survival.dekel2023(**good)
    for name, value in good.items():
        assert not survival.dekel2023(**{**good, name: 0.99 * value})


def test_survivability_is_one_at_50_km_s_and_follows_the_energies():  # scale and formula: ours
    assert survival.survivability(50 * KMS) == 1
    assert np.allclose(survival.survivability([0, 25, 100] * KMS), [0, 0.25, 4])
    assert survival.survivability(100 * KMS, feedback=4) == 1
    assert survival.survivability(50 * KMS, contraction=0.5, losses=0.5) == 1  # what is lost makes up for what contraction sets free
    assert survival.survivability(1e6 * KMS, contraction=0.5) == pytest.approx(2)
    assert np.isinf(survival.survivability(1 * KMS, feedback=0))
    assert survival.survivability([[10], [20]] * KMS, feedback=[1, 2, 3]).shape == (2, 3)


def test_survivability_with_30_km_s_is_the_condition_of_the_paper():  # section 6.2
    efficiency = np.array([0.02, 0.1, 0.3])
    limit = survival.clump_velocity_threshold(efficiency)
    assert np.allclose(survival.survivability(limit, feedback=efficiency / 0.1, critical_velocity=30 * KMS), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: survival.circular_velocity(1e8, 200 * u.pc), "mass must be a Quantity such as 1e8"),
        (lambda: survival.circular_velocity(1e8 * u.Msun, 200 * u.s), "radius must be a Quantity such as 200"),
        (lambda: survival.clump_velocity(150), "virial_velocity must be a Quantity such as 150"),
        (lambda: survival.stellar_mass(1e12, 1), "halo_mass must be a Quantity such as 1e12"),
    ],
)
def test_bare_numbers_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: survival.circular_velocity(1e8 * u.Msun, 0 * u.pc), "radius must be positive"),
        (lambda: survival.circular_velocity(-1 * u.Msun, 1 * u.pc), "mass must be zero or positive"),
        (lambda: survival.clump_velocity_threshold(np.nan), "efficiency must be zero or positive and finite"),
        (lambda: survival.halo_mass_threshold(2, cold_fraction=0), "cold_fraction must be positive"),
        (lambda: survival.halo_mass_threshold(-0.1), "redshift must be zero or positive"),
    ],
)
def test_impossible_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
