"""Figures of populations: each of one call, with what the tables say in it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps import plotting
from astroclumps.population.distribution import distribution
from astroclumps.population.hosts import host_masses, host_transition
from astroclumps.population.mass_function import mass_function
from astroclumps.population.medians import class_medians
from astroclumps.population.power_law import fit_power_law
from astroclumps.population.radial import radial_distribution, radial_medians
from astroclumps.population.transition import transition_mass

pytest.importorskip("matplotlib", reason="figures need matplotlib")


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    galaxies = QTable({"galaxy": np.arange(40), "mass": 10 ** rng.uniform(9.2, 11, 40) * u.Msun})
    mass = 10 ** rng.uniform(7, 9.5, 300)
    clumps = QTable({"galaxy": rng.integers(0, 40, 300), "mass": mass * u.Msun})
    clumps["p_long"] = np.where(rng.random(300) < 1 / (1 + (1e8 / mass) ** 2), 0.8, 0.2)
    clumps["r_norm"], clumps["age"] = rng.uniform(0.5, 3, 300), 10 ** rng.uniform(1.5, 3.3, 300) * u.Myr
    return clumps, galaxies


def shown(path, monkeypatch, plot, *args, **options):
    """Words in a figure, and its panels."""
    from astroclumps import plotting_population

    kept = []
    write = plotting_population.save
    monkeypatch.setattr(plotting_population, "save", lambda figure, where: (kept.append(figure), write(figure, where)))
    assert plot(*args, path, **options) == path
    assert path.stat().st_size > 1000
    [figure] = kept
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    words += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " ".join(words), figure.axes


def test_a_mass_function_has_both_slopes_and_the_transition(tables, tmp_path, monkeypatch):
    clumps, galaxies = tables
    table, fit, found = mass_function(clumps, galaxies), fit_power_law(clumps["mass"], high=1e10 * u.Msun), transition_mass(clumps)
    options = {"fits": fit, "transitions": found}
    words, [axes] = shown(tmp_path / "mass.png", monkeypatch, plotting.plot_mass_function, table, **options)
    assert f"dN/dM: {fit.slope:.2f}" in words
    assert f"dN/dlogM: {fit.slope_log:.2f}" in words
    assert f"10^({found.log_mass:.2f}" in words
    assert "long-lived (LLC)" in words
    assert axes.get_yscale() == "log"


def test_panels_of_a_dict_have_one_range_of_masses(tables, tmp_path, monkeypatch):
    clumps, galaxies = tables
    heavy = clumps[clumps["mass"] > 1e9 * u.Msun]
    both = {"all of them": mass_function(clumps, galaxies), "heavy ones": mass_function(heavy, galaxies)}
    _, panels = shown(tmp_path / "mass.pdf", monkeypatch, plotting.plot_mass_function, both)
    assert [axes.get_title() for axes in panels] == list(both)
    assert panels[0].get_xlim() == panels[1].get_xlim()


def test_radii_and_ages_tell_numbers_and_medians(tables, tmp_path, monkeypatch):
    clumps, _ = tables
    medians = radial_medians(clumps, thresholds=[0.5])
    words, _ = shown(tmp_path / "radii.png", monkeypatch, plotting.plot_radii, radial_distribution(clumps), medians=medians)
    [row] = medians[medians["population"] == "LLC"]
    assert f"{row['n']:.0f} LLC, median {row['median']:.2f}" in words
    table = distribution(clumps, column="age", bins=[10, 100, 1000, 10000] * u.Myr)
    medians = class_medians(clumps, column="age")
    words, _ = shown(tmp_path / "ages.png", monkeypatch, plotting.plot_ages, table, medians=medians)
    [row] = medians[medians["population"] == "SLC"]
    assert f"SLC, median {row['median'].to_value(u.Myr):.0f} Myr" in words


def test_hosts_have_the_transition_and_the_limits_of_theory(tables, tmp_path, monkeypatch):
    clumps, galaxies = tables
    options = {"transitions": host_transition(clumps, galaxies, method="isotonic"), "limits": [1e9, 1e10] * u.Msun}
    words, _ = shown(tmp_path / "hosts.png", monkeypatch, plotting.plot_hosts, host_masses(clumps, galaxies), **options)
    assert "supernovae disrupt clumps below" in words
    assert "LLC" in words


def test_the_same_table_gives_the_same_bytes(tables, tmp_path):
    clumps, _ = tables
    table = radial_distribution(clumps)
    for suffix in ("png", "pdf"):
        one, two = (plotting.plot_radii(table, tmp_path / f"{name}.{suffix}") for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs a table"):
        plotting.plot_radii({}, tmp_path / "none.png")


def test_a_distribution_integrates_to_one_and_keeps_its_unit(tables):
    clumps, _ = tables
    bins = np.geomspace(10, 10000, 7) * u.Myr
    table = distribution(clumps, column="age", bins=bins.to(u.Gyr), populations=["all"])
    assert table["low"].unit == u.Myr
    assert (table["density"].value * 0.5).sum() == pytest.approx(1)
    with pytest.raises(TypeError, match="edges in units of Myr"):
        distribution(clumps, column="age", bins=[1, 2])
    with pytest.raises(TypeError, match="no unit"):
        distribution(clumps, column="r_norm", bins=bins)
