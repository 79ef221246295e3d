"""The analytic integral over the mass, the importance sampling and the percentiles."""

import numpy as np
import pytest

from astroclumps.sed.mass_posterior import N_BINS, log_marginal, spread
from astroclumps.sed.posterior import percentiles
from astroclumps.sed.refinement import Mixture, effective, temper

LIMITS = 1e5, 1e11


def direct(model, flux, error):
    """Log of the likelihood averaged over log mass, by brute force, without what all models share."""
    mass = np.geomspace(*LIMITS, 400001)
    chi2 = np.sum((mass[:, None] ** 2 * model**2 - 2 * mass[:, None] * model * flux) / error**2, axis=1)
    return np.log(np.trapezoid(np.exp(-0.5 * (chi2 - chi2.min())), np.log(mass)) / np.log(LIMITS[1] / LIMITS[0])) - 0.5 * chi2.min()


@pytest.mark.parametrize("ratio", [-8.0, -3.0, -0.5, 0.3, 1.0, 2.5, 5.0, 7.9, 8.1, 20.0, 300.0])
@pytest.mark.parametrize("mass", [1.3e5, 1e7, 8e10])
def test_integral_over_the_mass_is_that_of_brute_force(ratio, mass):
    model = np.array([1.0, 2.0]) / mass
    error = np.abs(np.array([1.0, 2.0]) / ratio) * np.sqrt(2)
    flux = np.array([1.1, 1.8]) * np.sign(ratio)
    average, peak = log_marginal(model[:, None].astype(np.float32), flux, 1 / error**2, *LIMITS, 40.0)
    assert average[0] == pytest.approx(direct(model.astype(np.float32).astype(float), flux, error), abs=2e-3)
    assert peak[0] >= average[0]


def test_missing_bands_and_dark_models():
    models = np.array([[1e-8, 0.0], [2e-8, 0.0]], dtype=np.float32)
    average, peak = log_marginal(models, np.array([1.0, 2.0]), np.array([100.0, 0.0]), *LIMITS, 40.0)
    only, _ = log_marginal(models[:1], np.array([1.0]), np.array([100.0]), *LIMITS, 40.0)
    assert average[0] == only[0]
    assert average[1] == peak[1] == -np.inf


def test_spread_holds_the_scatter_of_the_mass():
    model = np.full((4, 3), 1e-8, dtype=np.float32)
    flux, error = np.full(4, 1.0), np.full(4, 0.2)
    zero = np.zeros(3)
    bins = 7.0, 2.0 / N_BINS
    masses, _ = spread(model, flux, 1 / error**2, *LIMITS, np.full(3, 1 / 3), zero, zero, bins, bins)
    centres = 10 ** (7 + 2 * (np.arange(N_BINS) + 0.5) / N_BINS)
    mean = np.sum(masses * centres)
    assert masses.sum() == pytest.approx(1)
    assert mean == pytest.approx(1e8, rel=0.01)
    assert np.sqrt(np.sum(masses * (centres - mean) ** 2)) == pytest.approx(1e7, rel=0.05)


def test_percentiles_of_weighted_samples():
    rng = np.random.default_rng(0)
    values = rng.normal(size=20000)
    weights = np.exp(-0.5 * ((values - 1) ** 2 - values**2))  # now a Gaussian around 1
    assert percentiles(values, weights) == pytest.approx([0.0, 1.0, 2.0], abs=0.06)


def test_effective_and_temper():
    assert effective(np.zeros(7)) == pytest.approx(7)
    assert effective(np.array([0.0, -np.inf, -np.inf])) == 1
    assert effective(np.full(3, -np.inf)) == 0
    log_weight = -np.linspace(0, 1000, 500)
    assert effective(temper(log_weight, 40.0)) == pytest.approx(40, rel=0.1)
    assert np.array_equal(temper(np.zeros(100), 40.0), np.zeros(100))


@pytest.mark.parametrize("n_dim", [3, 4])
def test_mixture_density_is_normalised_and_is_that_of_its_draws(n_dim):
    rng = np.random.default_rng(1)
    mixture = Mixture(0.2 + 0.6 * rng.random((400, n_dim)), np.zeros(400), rng)
    uniform = rng.random((100000, n_dim))
    density = np.exp(mixture.log_density(uniform))
    draws = mixture.draw(50000, rng)
    assert density.mean() == pytest.approx(1, abs=0.03)
    assert np.average(uniform[:, 0], weights=density) == pytest.approx(draws[:, 0].mean(), abs=0.01)
    assert np.average(uniform[:, 0] ** 2, weights=density) == pytest.approx(np.mean(draws[:, 0] ** 2), abs=0.01)
