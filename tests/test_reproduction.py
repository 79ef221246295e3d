"""The paper again: numbers of known populations, what is kept, and what is refused."""

import warnings
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from galaxy_sets import write_galaxy_set
from test_reproduction_arm import truth_as_predictions

from astroclumps import Pipeline
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.population.power_law import draw_power_law
from astroclumps.reproduction import recipe, simulated
from astroclumps.reproduction.arm import Arm
from astroclumps.reproduction.numbers import number_table, population_numbers, printed, theory_numbers, to_rst
from astroclumps.reproduction.paper import PAPER
from astroclumps.reproduction.populations import FITTED, TRUE, populations, selected, with_true_classes
from astroclumps.reproduction.run import NUMBERS, reproduce

LAST = [10, 11, 12, 13]


def made_up(*, n=3000, n_galaxies=300, seed=1):
    """An arm whose slope, transition, medians and radii are known, and where the network errs in none."""
    rng = np.random.default_rng(seed)
    names = np.array([f"g{i:03d}" for i in range(n_galaxies)])
    galaxies = QTable({"galaxy": names, "parent": names, "mass": np.full(n_galaxies, 3e10) * u.Msun})
    galaxies["redshift"], galaxies["axis_ratio"] = np.full(n_galaxies, 2.0), np.full(n_galaxies, 0.8)
    galaxies["r_e"], galaxies["sfr"] = np.full(n_galaxies, 0.4) * u.arcsec, np.full(n_galaxies, 50.0) * u.Msun / u.yr
    clumps = QTable({"galaxy": rng.choice(names, n), "x": rng.uniform(0, 63, n) * u.pix})
    clumps["mass"] = draw_power_law(n, slope=-1.9, low=1e7 * u.Msun, high=5e9 * u.Msun, seed=rng)
    long = rng.random(n) < 1 / (1 + (10**7.9 / clumps["mass"].value) ** 2)
    clumps["p_long"] = np.where(long, 0.8, 0.2)
    clumps["r_norm"] = np.where(long, 0.9, 1.8) * 10 ** rng.normal(0, 0.03, n)
    clumps["age"] = np.where(long, 900.0, 300.0) * u.Myr
    clumps["sfr"] = np.full(n, 0.5) * u.Msun / u.yr
    clumps["true_class"] = np.where(long, "LLC", "SLC")
    clumps["true_mass"], clumps["true_age"] = 0.1 * clumps["mass"], clumps["age"]
    return Arm("suite", clumps, galaxies)


def test_numbers_of_a_known_population_come_back():
    [one] = [one for one in populations(made_up()) if (one.values, one.classes) == (FITTED, "network")]
    numbers = population_numbers(one, n_bootstrap=50)
    for key, expected, least in (("slope_dM", -1.9, 0.05), ("slope_dlogM", -0.9, 0.05), ("transition", 7.9, 0.1)):
        value, error = numbers[key]
        assert abs(value - expected) < 3 * error
        assert 0 < error < least
    assert numbers["median_age_LLC"][0] == pytest.approx(900)
    assert numbers["median_age_SLC"][0] == pytest.approx(300)
    assert numbers["radius_0.5"][0] == pytest.approx(np.log10(2), abs=0.01)
    assert numbers["inside"][0] > 0.9
    assert numbers["sfr_share"][0] == pytest.approx(0.5 * 3000 / 300 / 50, rel=0.05)


def test_true_masses_and_classes_have_numbers_of_their_own():
    table = number_table(populations(made_up()), n_bootstrap=5)
    rows = {(row["quantity"], row["values"]): row for row in table}
    fitted, true = (rows["median log mass of LLC", values] for values in (FITTED, TRUE))
    assert true["ours_suite"] == pytest.approx(fitted["ours_suite"] - 1)
    assert fitted["ours_suite_true"] == pytest.approx(fitted["ours_suite"])  # the network errs in none
    assert np.isnan(fitted["ours_field"])
    assert len({row["quantity"] for row in table}) == len(PAPER)


def test_true_classes_change_what_the_network_says():
    arm = made_up(n=50)
    arm.clumps["true_class"] = "ZLC"
    changed = with_true_classes(arm.clumps)
    assert "p_long" not in changed.colnames
    assert set(changed["longevity"]) == {"ZLC"}
    [one] = [one for one in populations(arm) if (one.values, one.classes) == (FITTED, "true")]
    assert np.isnan(population_numbers(one, n_bootstrap=5)["transition"][0])


def test_an_arm_that_the_cuts_would_empty_is_shown_without_them_and_says_so():
    arm = made_up(n=100)
    arm.galaxies["axis_ratio"] = 0.2
    arm.clumps["r_norm"][:10] = np.nan
    arm.clumps["r_norm"][10:30] = 5.0
    clumps, galaxies, losses, cut = selected(arm)
    assert not cut
    assert len(clumps) == 80  # those without a radius stay
    assert len(galaxies) == 300
    assert losses["n_lost"][losses["cut"] == "axis_ratio"][0] == 300
    assert populations(arm)[0].name == "suite without cuts"


def test_corrected_masses_stand_beside_fitted_ones():
    class Tenth:
        measured = SimpleNamespace(log_mass=np.arange(5, 10.01, 0.1), step=0.1)

        def draws(self, clumps, *, n_draws, seed):
            draws = np.repeat(0.1 * clumps["mass"][:, None], n_draws, axis=1)
            draws[0] = np.nan
            return draws

    samples = populations(made_up(n=500), corrections={"flat": Tenth()})
    corrected = next(one for one in samples if one.draws is not None)
    assert len(corrected.clumps) == 499
    plain, changed = (population_numbers(one, n_bootstrap=5) for one in (samples[0], corrected))
    assert changed["median_mass_SLC"][0] == pytest.approx(plain["median_mass_SLC"][0] - 1, abs=0.02)
    assert corrected.high.value == pytest.approx(10**10.05)
    assert "inside" not in changed  # a corrected mass says nothing of radii


def test_a_number_that_few_clumps_tell_is_none():
    arm = made_up(n=60)
    arm.clumps["p_long"][:9], arm.clumps["p_long"][9:] = 0.8, 0.2
    numbers = population_numbers(populations(arm)[0], n_bootstrap=5)
    assert np.isnan(numbers["median_mass_LLC"][0])
    assert np.isnan(numbers["radius_0.5"][0])
    assert np.isfinite(numbers["median_mass_SLC"][0])


def test_equations_4_to_8_stand_in_the_table():
    numbers = theory_numbers()
    assert numbers["halo_mass_1"][0] == pytest.approx(7.75, abs=0.01)
    assert numbers["stellar_mass_2"][0] == pytest.approx(2.0, abs=0.05)
    rows = {row["quantity"]: row for row in number_table([])}
    assert rows["virial velocity of its galaxy's halo"]["ours_suite"] == pytest.approx(150)


def test_the_table_as_text_holds_every_number():
    table = number_table(populations(made_up(n=200)), n_bootstrap=5)
    text = to_rst(table)
    assert text.count("   * -") == len(table) + 1
    [row] = [row for row in table if row["quantity"] == "share of the LLC inside R_e, P_0 = 0.5"]
    assert printed(row)[:3] == ("Fig. 11: share of the LLC inside R_e, P_0 = 0.5", "0.5", "0.4")
    assert "±" in printed(row)[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=3, n_images=3, n_clumps=7)


def run(folder, out, **options):
    """All of it with detections on the true clumps, and a small library of spectra."""
    from astroclumps.training.galaxy_set import GalaxySet

    predictions = truth_as_predictions(GalaxySet(folder))
    predictions.p_long = np.where(np.arange(len(predictions)) % 2, 0.7, 0.3)
    pipeline = Pipeline(detector="contrast", classifier=None, options={"sed": {"n_models": 1000, "n_effective": 0}})
    settings = {"figures": LAST, "predictions": predictions, "pipeline": pipeline, "n_bootstrap": 3, "say": lambda line: None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        return reproduce(out, data=folder, **settings | options)


@pytest.mark.needs_bagpipes
def test_the_same_seed_gives_the_same_bytes_and_nothing_is_made_twice(folder, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    made, kept = run(folder, tmp_path / "one", figures=[4, 9, 12])
    assert len(made) == 2 * 3 + len(NUMBERS)
    assert not kept
    run(folder, tmp_path / "two", figures=[4, 9, 12])
    for name in made:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    (tmp_path / "one" / "figure_12_hosts.png").unlink()
    made, kept = run(folder, tmp_path / "one", figures=[4, 9, 12])
    assert made == ["figure_12_hosts.png", "figure_12_hosts.pdf"]
    assert "numbers.ecsv" in kept
    made, _ = run(folder, tmp_path / "one", figures=[], n_bootstrap=4)  # other settings: made anew
    assert "numbers.ecsv" in made


@pytest.mark.needs_bagpipes
def test_a_catalogue_of_ones_own_is_the_observed_arm(folder, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    arm = made_up(n=200)
    arm.clumps.remove_columns(["true_class", "true_mass", "true_age"])
    arm.write(tmp_path / "mine")
    run(folder, tmp_path / "out", fields=[tmp_path / "mine"], figures=[13])
    table = QTable.read(tmp_path / "out" / "numbers.ecsv")
    row = table[(table["quantity"] == "median age of LLC") & (table["values"] == FITTED)][0]
    assert row["ours_field"] == pytest.approx(900)
    samples = QTable.read(tmp_path / "out" / "samples.ecsv")
    assert set(samples["arm"]) == {"suite", "field"}


@pytest.mark.needs_bagpipes
def test_a_figure_that_the_set_does_not_tell_is_left_out(folder, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    lines = []
    made, _ = run(folder, tmp_path, figures=[3], say=lines.append)  # a set without recipe: no snapshot can be made
    assert made == list(NUMBERS)
    assert "figure 3 cannot be drawn of this set" in lines


def test_galaxies_that_networks_learned_from_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"seed 41 makes the galaxies that the networks learned from"):
        recipe.fresh_set(tmp_path, n_galaxies=1, n_snapshots=1, seed=41)
    (tmp_path / "recipe.txt").write_text("SyntheticSuite(n_snapshots=16, n_stars=300000, seed=41, clumpiness=(0.7, 6.0))\n")
    with pytest.raises(ValueError, match="give the predictions of the folds"):
        reproduce(tmp_path / "out", data=tmp_path, say=lambda line: None)


def test_a_recipe_gives_the_suite_and_its_finder_back(tmp_path):
    from astroclumps import ClumpFinder3D, SyntheticSuite
    from astroclumps.training.galaxy_images import GalaxyImages
    from astroclumps.training.galaxy_sources import SuiteGalaxies

    suite = SyntheticSuite(n_galaxies=4, n_snapshots=3, n_stars=5000, seed=7, clumpiness=(0.5, 2.0))
    finder = ClumpFinder3D(extent=(1.6, 1.0))
    (tmp_path / "recipe.txt").write_text(f"{SuiteGalaxies(suite).recipe}\n{GalaxyImages(seed=7, finder=finder)!r}\n")
    found = recipe.read_recipe(tmp_path)
    assert SyntheticSuite(n_galaxies=4, **found.settings) == suite
    assert repr(ClumpFinder3D(**found.finder)) == repr(finder)
    assert not found.trained_on
    assert recipe.read_recipe(tmp_path / "nowhere").settings == {}


@pytest.mark.needs_bagpipes
def test_detections_and_images_are_those_of_the_arm(folder, tmp_path):
    run(folder, tmp_path, figures=[])
    arms = [Arm.read(path) for path in sorted((tmp_path / "suite").glob("galaxy-*"))]
    images = simulated.images_of(arms[1], folder)
    found = simulated.detections_of(arms[1])
    assert set(images.galaxy.tolist()) == {1}
    for i, (x, y, score, p_long) in enumerate(found):
        away = images.clumps(i)["origin"] != "bulge"
        assert np.sort(x) == pytest.approx(np.sort(images.clumps(i)["x"][away]))
        assert len(y) == len(score) == len(p_long)
    counts = [len(one[0]) for one in found]
    assert simulated.clumpy_images(images, found, 5).tolist() == [int(np.argmax(counts))]  # one of each galaxy
