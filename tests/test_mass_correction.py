"""The mass correction against Gaussian likelihoods and priors whose posterior is known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps.exceptions import AstroclumpsWarning, CatalogError
from astroclumps.population.power_law import fit_power_law
from astroclumps.sed.conditional_density import choose_widths, folds_of
from astroclumps.sed.mass_correction import FLAT_ABOVE, NOTES, SYNTHETIC, MassCorrection
from astroclumps.sed.mass_likelihood import RADII, MassLikelihood

BIAS, SIGMA, SLOPE = 0.6, 0.3, -1.0


def gaussian(*, sigma=SIGMA, bias=(BIAS, 0.3, 0.0), detected=None, **kwargs):
    """A likelihood without sampling noise: log M_obs is Gaussian around log M plus a bias of its bin of radius."""
    log_mass, log_observed = np.arange(5.025, 10, 0.05), np.arange(3, 13, 0.05)
    distance = log_observed[:, None] - log_mass - np.array(bias)[:, None, None]
    density = np.exp(-0.5 * (distance / sigma) ** 2)
    density = np.maximum(density / (density.sum(axis=1, keepdims=True) * 0.05), 1e-30)
    detected = np.tile(np.ones_like(log_mass) if detected is None else detected(10**log_mass), (3, 1))
    detected = detected / (detected.sum(axis=1, keepdims=True) * 0.05)
    arrays = {"log_mass": log_mass, "log_observed": log_observed, "density": density, "detected": detected}
    limits = np.tile([5.0, 11.0], (3, 1))
    return MassLikelihood(r_edges=RADII, **arrays, n=[1000] * 3, n_empty=[0] * 3, observed_limits=limits, **kwargs)


def mocks(n=3000, seed=0):
    """Mock clumps, four to a galaxy: bias depends on mass and radius."""
    rng = np.random.default_rng(seed)
    true, radius = rng.normal(7.5, 0.6, n), rng.uniform(0.5, 3, n)
    bias = np.where(radius < 1, 0.8, 0.4) - 0.4 * (true - 7.5)
    table = QTable({"galaxy": np.arange(n) // 4, "r_norm": radius, "true_mass": 10**true * u.Msun})
    table["mass"] = 10 ** (true + bias + rng.normal(0, 0.35, n)) * u.Msun
    return table


def measured(table, **options):
    return MassLikelihood.measure(table["true_mass"], table["mass"], table["r_norm"], groups=table["galaxy"], **options)


@pytest.fixture(scope="module")
def learned():
    return measured(mocks())


def clumps(mass, r_norm):
    return QTable({"mass": np.atleast_1d(mass).astype(float) * u.Msun, "r_norm": np.broadcast_to(r_norm, np.shape(np.atleast_1d(mass)))})


def log_of(table, name="mass_corrected"):
    return np.log10(table[name].value)


@pytest.mark.parametrize(("radius", "bias"), [(0.7, BIAS), (1.0, 0.3), (2.5, 0.0), (3.0, 0.0)])
def test_a_power_law_moves_the_gaussian_by_its_slope(radius, bias):
    # exp(-(x - x0)^2 / 2 s^2) 10^(slope x) is a Gaussian around x0 + slope ln(10) s^2 of the same width
    likelihood = gaussian(detected=lambda mass: mass**SLOPE)
    found = MassCorrection(likelihood=likelihood).correct(clumps([3e7, 1e8], radius))
    expected = np.log10([3e7, 1e8]) - bias + SLOPE * np.log(10) * SIGMA**2
    np.testing.assert_allclose(log_of(found), expected, atol=0.005)
    sigma = 0.99446 * SIGMA  # 16 and 84 per cent
    np.testing.assert_allclose(log_of(found, "mass_corrected_lo"), expected - sigma, atol=0.01)
    np.testing.assert_allclose(log_of(found, "mass_corrected_hi"), expected + sigma, atol=0.01)


def test_a_prior_of_ones_own_with_completeness_is_their_product():
    table = QTable({"mass": [1e4, 1e11] * u.Msun, "dn_dlogm": [1e3, 1e-4] / u.dex})  # linear in log mass
    share = QTable({"mass": [1e6, 1e9] * u.Msun, "completeness": [0.0, 1.0]})
    mass = 10**7.2
    found = MassCorrection(prior=table, completeness=share, likelihood=gaussian()).correct(clumps(mass, 2.5))
    x = np.linspace(5, 10, 100001)
    product = np.exp(-0.5 * ((np.log10(mass) - x) / SIGMA) ** 2)
    product *= np.interp(x, [4, 11], [1e3, 1e-4]) * np.interp(x, [6, 9], [0, 1])
    below = np.cumsum(product) / product.sum()
    for name, share in zip(("mass_corrected_lo", "mass_corrected", "mass_corrected_hi"), (0.16, 0.5, 0.84), strict=True):
        assert log_of(found, name)[0] == pytest.approx(np.interp(share, below, x), abs=0.01)


def test_priors_given_as_function_and_table_agree():
    log_mass = np.linspace(4, 11, 2000)
    law = QTable({"mass": 10**log_mass * u.Msun, "dn_dlogm": 10 ** (7 - log_mass) / u.dex})
    both = [MassCorrection(prior=one, likelihood=gaussian()) for one in (law, lambda mass: 1 / mass.to_value(u.Msun))]
    table = clumps([1e7, 1e8, 1e9], [0.6, 1.5, 2.5])
    np.testing.assert_allclose(log_of(both[0].correct(table)), log_of(both[1].correct(table)), atol=1e-4)


def test_flat_is_the_simulation_below_its_mass_and_constant_above():
    likelihood = gaussian(detected=lambda mass: mass**SLOPE)
    flat, simulation = (MassCorrection(prior=name, likelihood=likelihood) for name in ("flat", "simulation"))
    table = clumps([1e6], 2.5)
    mass = np.array([[1e6, 10**7.9, 10**8.1, 1e9]]) * u.Msun
    ratio = (flat.draw_prior(table)(mass) / simulation.draw_prior(table)(mass))[0]
    assert ratio[0] == pytest.approx(ratio[1])
    np.testing.assert_allclose(ratio[2:] / ratio[0], mass[0, 2:] / FLAT_ABOVE, rtol=0.1)
    low, high = clumps(10**6.5, 2.5), clumps(10**9.0, 2.5)
    assert log_of(flat.correct(low))[0] == pytest.approx(log_of(simulation.correct(low))[0], abs=0.002)
    assert log_of(flat.correct(high))[0] == pytest.approx(9.0, abs=0.01)  # no prior: the likelihood alone
    assert log_of(simulation.correct(high))[0] < 8.85


def test_the_radius_of_a_clump_chooses_its_prior_only_when_asked(learned):
    table = mocks(20)
    inner = {**{name: getattr(learned, name) for name in learned.__dataclass_fields__}}
    inner["detected"] = np.roll(learned.detected, 8, axis=1) * [[1], [0], [0]] + learned.detected * [[0], [1], [1]]
    moved = MassLikelihood(**inner)
    by_radius, one = (MassCorrection(likelihood=moved, by_radius=flag).correct(table) for flag in (True, False))
    plain = MassCorrection(likelihood=learned).correct(table)
    outer = table["r_norm"] >= 1
    assert (by_radius["mass_corrected"][outer] == plain["mass_corrected"][outer]).all()
    assert (by_radius["mass_corrected"][~outer] > plain["mass_corrected"][~outer]).all()
    assert (one["mass_corrected"] != plain["mass_corrected"]).all()


def test_percentiles_are_those_of_the_draws(learned):
    correction, table = MassCorrection(likelihood=learned), mocks(30, seed=5)
    drawn = correction.draws(table, n_draws=20000, seed=4)
    assert drawn.shape == (30, 20000)
    assert drawn.unit == u.Msun
    found = correction.correct(table)
    expected = [log_of(found, f"mass_corrected{end}") for end in ("_lo", "", "_hi")]
    np.testing.assert_allclose(np.percentile(np.log10(drawn.value), [16, 50, 84], axis=1), expected, atol=0.02)


def test_same_seed_same_draws(learned):
    correction, table = MassCorrection(likelihood=learned), mocks(5)
    assert (correction.draws(table, seed=1) == correction.draws(table, seed=1)).all()
    assert (correction.draws(table, seed=1) != correction.draws(table, seed=2)).all()


def test_the_interval_holds_the_truth_of_fresh_mocks_in_every_bin(learned):
    table = mocks(8000, seed=9)
    with pytest.warns(AstroclumpsWarning):
        found = MassCorrection(likelihood=learned).correct(table)
    found = found[found["mass_correction"] == ""]
    away = log_of(found) - np.log10(found["true_mass"].value)
    held = (found["true_mass"] > found["mass_corrected_lo"]) & (found["true_mass"] < found["mass_corrected_hi"])
    assert len(found) > 7900
    seen = np.log10(found["mass"].value)
    for low, high in ((0.5, 1), (1, 2), (2, 3)):
        for rows in (seen > 0, seen < 8, seen >= 8):
            mine = (found["r_norm"] >= low) & (found["r_norm"] < high) & rows
            assert 0.62 < held[mine].mean() < 0.74  # 3 sigma of the fewest, 700 clumps
            assert abs(np.median(away[mine])) < 0.06


def test_the_likelihood_comes_back(learned):
    # at each mass of the mocks: mean and scatter of the density against those that were put in
    step = learned.log_observed[1] - learned.log_observed[0]
    x = np.linspace(6.5, 8.5, 9)
    for ring, bias in enumerate((0.8, 0.4, 0.4)):
        for mass in x:
            column = learned.density[ring, :, np.abs(learned.log_mass - mass).argmin()]
            mass = learned.log_mass[np.abs(learned.log_mass - mass).argmin()]
            mean = (column * learned.log_observed).sum() * step
            centre = mass + bias - 0.4 * (mass - 7.5)
            core = np.abs(learned.log_observed - centre) < 1.2
            scatter = np.sqrt((column * (learned.log_observed - mean) ** 2)[core].sum() * step)
            assert mean == pytest.approx(centre, abs=0.1)
            assert scatter == pytest.approx(0.35, abs=0.07)


def test_a_slope_from_draws_is_that_of_the_clumps_and_not_of_the_prior():
    rng = np.random.default_rng(1)
    true = 6 - np.log10(1 - rng.random(9000)) / 0.9  # dN/dlogM ~ M^-0.9
    table = clumps(10 ** (true + rng.normal(0, SIGMA, len(true))), 2.5)
    table["mass"][0] = np.nan
    correction = MassCorrection(prior=lambda mass: np.exp(-2 * (np.log10(mass.value) - 7.5) ** 2), likelihood=gaussian())
    draws = correction.draws(table, n_draws=100)
    limits = {"low": 10**7.2 * u.Msun, "high": 1e10 * u.Msun}
    with pytest.warns(AstroclumpsWarning, match="1 of .* have no mass"):
        fit = fit_power_law(draws, draw_prior=correction.draw_prior(table), **limits)
    assert abs(fit.slope_log + 0.9) < 2 * fit.error
    assert fit.error < 0.04
    with pytest.warns(AstroclumpsWarning, match="1 of .* have no mass"):
        wrong = fit_power_law(draws, **limits)  # as if the draws were flat in log mass
    assert abs(wrong.slope_log + 0.9) > 3 * wrong.error


def test_clumps_beyond_the_measurements_have_no_mass_but_a_reason():
    table = clumps([1e8, np.nan, 1e8, 1e8, 1e8, 1e3, 1e12, -1.0], [1.5, 1.5, np.nan, 0.4999, 3.001, 1.5, 1.5, 0.1])
    with pytest.warns(AstroclumpsWarning, match="7 of 8 clumps have no corrected mass.*no mass: 2.*radius: 2.*too low: 1.*too high: 1"):
        found = MassCorrection(likelihood=gaussian()).correct(table)
    expected = ["", "no mass", "no radius", "radius", "radius", "mass too low", "mass too high", "no mass"]
    assert list(found["mass_correction"]) == expected
    assert set(expected) < set(NOTES)
    for name in ("mass_corrected", "mass_corrected_lo", "mass_corrected_hi"):
        assert list(np.isnan(found[name])) == [False] + [True] * 7
    draws = MassCorrection(likelihood=gaussian()).draws(table, n_draws=3)
    assert list(np.isnan(draws).all(axis=1)) == [False] + [True] * 7


def test_the_table_that_was_given_stays_as_it_was_and_an_empty_one_gets_all_columns(learned):
    table = mocks(4)
    names = list(table.colnames)
    found = MassCorrection(likelihood=learned).correct(table)
    assert table.colnames == names
    assert "masses corrected: prior simulation" in found.meta["history"][-1]
    empty = MassCorrection(likelihood=learned).correct(table[:0])
    assert len(empty) == 0
    assert empty.colnames == found.colnames


def test_a_bin_of_radius_with_few_mocks_is_not_measured():
    table = mocks(1500)
    few = table[(table["r_norm"] < 2) | (np.arange(1500) % 50 == 0)]
    with pytest.warns(AstroclumpsWarning, match="mock clumps at 2-3 R_e, fewer than 50"):
        likelihood = measured(few)
    assert list(likelihood.measured) == [True, True, False]
    with pytest.warns(AstroclumpsWarning, match="not measured: 1"):
        found = MassCorrection(likelihood=likelihood).correct(clumps([1e8, 1e8], [1.5, 2.5]))
    assert list(found["mass_correction"]) == ["", "not measured"]
    with pytest.raises(ValueError, match="each needs 5000"):
        measured(few, min_clumps=5000)


def test_detections_without_clump_are_counted_and_no_part_of_it():
    table = mocks(1200)
    half = QTable(table, copy=True)
    half["true_mass"][::2] = 0 * u.Msun
    likelihood = measured(half)
    assert likelihood.n.sum() == likelihood.n_empty.sum() == 600
    np.testing.assert_allclose(likelihood.empty_share, 0.5, atol=0.15)
    other = measured(half[1::2])
    assert (other.density == likelihood.density).all()


def test_order_of_the_mocks_does_not_matter():
    table = mocks(900)
    again = measured(table[np.random.default_rng(1).permutation(900)])
    first = measured(table)
    assert first.meta == again.meta
    np.testing.assert_allclose(first.density, again.density, rtol=1e-6)


def test_folds_hold_whole_groups():
    groups = np.repeat(["a", "b", "c", "d", "e"], [1, 50, 3, 7, 20])
    folds = folds_of(groups, 3)
    assert all(len(set(folds[groups == name])) == 1 for name in "abcde")
    assert set(folds) == {0, 1, 2}
    assert (folds_of(groups[::-1], 3) == folds[::-1]).all()


def test_copies_of_a_clump_do_not_narrow_the_kernels():
    # 19 views of one clump say nothing of others: left out together, they do not vouch for each other
    rng = np.random.default_rng(2)
    x, y, group = np.repeat(rng.normal(7, 0.5, 60), 19), np.repeat(rng.normal(0, 0.3, 60), 19), np.repeat(np.arange(60), 19)
    apart = choose_widths(x, y, folds_of(np.arange(len(x))), span=3.0)
    together = choose_widths(x, y, folds_of(group), span=3.0)
    assert together[0] > apart[0]
    assert together[1] > apart[1]


def test_round_trip_and_same_bytes(tmp_path, learned):
    paths = [tmp_path / name for name in ("a.npz", "b.npz")]
    for path in paths:
        learned.write(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    back = MassLikelihood.read(paths[0])
    assert back.meta == learned.meta
    assert repr(back) == repr(learned)
    table = mocks(50)
    for one in (back, paths[0], str(paths[0])):
        found = MassCorrection(likelihood=one).correct(table)
        np.testing.assert_allclose(log_of(found), log_of(MassCorrection(likelihood=learned).correct(table)), atol=1e-5)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "shape", "pickle"])
def test_a_damaged_file_is_refused_by_name(tmp_path, learned, damage):
    path = tmp_path / "my-likelihood.npz"
    learned.write(path)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    elif damage == "text":
        path.write_text("mass likelihood")
    else:
        arrays = dict(np.load(path))
        arrays["density"] = arrays["density"][:, :-1] if damage == "shape" else np.array([{}], dtype=object)
        np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"my-likelihood\.npz is no file of a mass likelihood, or damaged"):
        MassCorrection(likelihood=path).correct(mocks(3))


def test_no_file_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no mass likelihood at .*nothing\.npz"):
        MassLikelihood.read(tmp_path / "nothing.npz")


def test_the_file_of_the_package_is_small_and_covers_what_it_says():
    correction = MassCorrection()
    likelihood = correction.measured
    assert likelihood.meta["name"] == "synthetic-1"
    assert likelihood.measured.all()
    assert tuple(likelihood.r_edges) == RADII
    assert SYNTHETIC.stat().st_size < 200_000
    found = correction.correct(clumps([1e7, 1e8, 1e9], [0.7, 1.5, 1.5]))
    assert (found["mass_corrected_lo"] < found["mass_corrected"]).all()
    assert (found["mass_corrected"] < found["mass_corrected_hi"]).all()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"prior": "uniform"}, ValueError, "prior is one of simulation, flat"),
        ({"prior": QTable({"mass": [1e7] * u.Msun})}, TypeError, "columns mass and dn_dlogm"),
        ({"likelihood": 3}, TypeError, "likelihood must be"),
        ({"completeness": lambda mass: 0.5}, ValueError, "completeness already"),
        ({"flat_above": 1e8}, TypeError, "flat_above must be a Quantity"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_read(options, error, text):
    with pytest.raises(error, match=text):
        MassCorrection(**options)


def test_priors_that_cannot_be_are_refused():
    table = clumps([1e8], 1.5)
    with pytest.raises(ValueError, match="prior is zero from"):
        MassCorrection(prior=lambda mass: 0.0, likelihood=gaussian()).correct(table)
    with pytest.raises(ValueError, match="finite and not negative"):
        MassCorrection(prior=lambda mass: -1.0, likelihood=gaussian()).correct(table)
    with pytest.raises(ValueError, match="pass shares"):
        MassCorrection(prior=lambda mass: 1.0, completeness=lambda mass: 50.0, likelihood=gaussian()).correct(table)
    with pytest.raises(ValueError, match="pass their draws"):
        MassCorrection(likelihood=gaussian()).draw_prior(table)([1e7, 1e8, 1e9] * u.Msun)


def test_wrong_tables_are_refused(learned):
    correction = MassCorrection(likelihood=learned)
    with pytest.raises(CatalogError, match="column 'r_norm'"):
        correction.correct(QTable({"mass": [1e8] * u.Msun}))
    with pytest.raises(CatalogError, match="units of solMass"):
        correction.correct(QTable({"mass": [1e8], "r_norm": [1.0]}))
    with pytest.raises(CatalogError, match="has no unit"):
        correction.correct(QTable({"mass": [1e8] * u.Msun, "r_norm": [1.0] * u.kpc}))
    with pytest.raises(ValueError, match="n_draws"):
        correction.draws(mocks(3), n_draws=0)
    with pytest.raises(TypeError, match="true_mass must be a Quantity"):
        MassLikelihood.measure([1e8], [1e8] * u.Msun, [1.0])
    with pytest.raises(ValueError, match="arrays of one length"):
        MassLikelihood.measure([1e8, 1e9] * u.Msun, [1e8] * u.Msun, [1.0, 2.0])


def test_the_numbers_of_the_paper():
    assert RADII == (0.5, 1.0, 2.0, 3.0)
    assert FLAT_ABOVE == 1e8 * u.Msun
