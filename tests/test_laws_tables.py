"""Laws of tables: the order of rows and the unit of mass do not matter, copies count as copies, and empty in is empty out."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, vstack
from hypothesis import given, settings
from hypothesis import strategies as st

from astroclumps import ClumpPhotometry, ClumpSizes, ClumpTracker, LibrarySED, catalog
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.population.hosts import clump_fractions, clumpy_fraction, host_masses, with_hosts
from astroclumps.population.mass_function import mass_function
from astroclumps.population.medians import class_medians
from astroclumps.population.radial import radial_distribution, radial_medians
from astroclumps.testing import example_image, example_photometry

LAW = settings(derandomize=True, deadline=None, max_examples=8)
DECADES = 10 ** np.arange(6, 11.1, 0.5) * u.Msun
N_GALAXIES = 6
GALAXIES = QTable(
    {"galaxy": np.arange(N_GALAXIES), "mass": 10 ** np.linspace(9, 11.5, N_GALAXIES) * u.Msun, "redshift": np.full(N_GALAXIES, 1.5)}
)

rows = st.lists(
    st.tuples(st.integers(0, N_GALAXIES - 1), st.floats(6.02, 10.4), st.floats(0, 1), st.floats(0.02, 3)), min_size=1, max_size=30
)


def clumps_of(listed):
    galaxy, mass, p_long, r_norm = (np.array(column) for column in zip(*listed, strict=True))
    table = QTable({"galaxy": galaxy, "mass": 10**mass * u.Msun, "p_long": p_long, "r_norm": r_norm})
    table["age"] = (0.1 + r_norm) * u.Gyr
    return table


def quietly(function, *args, **options):
    """Errors by resampling of few clumps are wide, which the functions say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        return function(*args, **options)


def same(one, two, *, rtol=1e-9, names=None):
    """Whether tables hold the same numbers; errors that are drawn at random aside."""
    assert one.colnames == two.colnames
    assert len(one) == len(two)
    for name in names or one.colnames:
        first, second = one[name], two[name]
        if isinstance(first, u.Quantity):
            assert second.unit.is_equivalent(first.unit), name
            first, second = first.value, second.to_value(first.unit)
        first, second = np.asarray(first), np.asarray(second)
        if first.dtype.kind == "f":
            assert np.allclose(first, second, rtol=rtol, atol=1e-12, equal_nan=True), name
        else:
            assert np.array_equal(first, second), name


VALUES = {"mass function": ("n", "phi"), "radial": ("n",), "fractions": None, "hosts": ("n",)}
FUNCTIONS = {
    "mass function": lambda clumps, galaxies: mass_function(clumps, galaxies, bins=DECADES, n_bootstrap=5),
    "radial": lambda clumps, galaxies: radial_distribution(clumps, galaxies=galaxies, n_bootstrap=5),
    "fractions": lambda clumps, galaxies: clump_fractions(clumps, galaxies),
    "hosts": lambda clumps, galaxies: host_masses(clumps, galaxies, n_bootstrap=5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@LAW
@given(rows, st.randoms(use_true_random=False))
def test_rows_may_stand_in_any_order(name, listed, random):
    clumps, order = clumps_of(listed), list(range(len(listed)))
    random.shuffle(order)
    one, two = (quietly(FUNCTIONS[name], each, GALAXIES) for each in (clumps, clumps[order]))
    same(one, two, names=VALUES[name])


@pytest.mark.parametrize("name", FUNCTIONS)
@LAW
@given(rows, st.sampled_from([u.kg, u.g, 1e6 * u.Msun]))
def test_units_of_mass_do_not_matter(name, listed, unit):
    clumps, other, galaxies = clumps_of(listed), clumps_of(listed), GALAXIES.copy()
    other["mass"], galaxies["mass"] = (table["mass"].to(u.Unit(unit)) for table in (clumps, galaxies))
    one, two = quietly(FUNCTIONS[name], clumps, GALAXIES), quietly(FUNCTIONS[name], other, galaxies)
    same(one, two, names=VALUES[name], rtol=1e-6)


@LAW
@given(rows, st.integers(2, 3))
def test_copies_of_the_sample_count_as_often_and_keep_the_mean(listed, times):
    clumps = clumps_of(listed)
    many, hosts = [], []
    for i in range(times):
        more, galaxies = clumps.copy(), GALAXIES.copy()
        more["galaxy"], galaxies["galaxy"] = more["galaxy"] + 100 * i, galaxies["galaxy"] + 100 * i
        many.append(more)
        hosts.append(galaxies)
    one = quietly(mass_function, clumps, GALAXIES, bins=DECADES, n_bootstrap=2)
    two = quietly(mass_function, vstack(many), vstack(hosts), bins=DECADES, n_bootstrap=2)
    assert np.array_equal(np.asarray(one["n"]) * times, np.asarray(two["n"]))
    assert np.allclose(one["phi"].value, two["phi"].value, rtol=1e-9, equal_nan=True)


@LAW
@given(rows)
def test_long_and_short_lived_clumps_make_all(listed):
    table = quietly(mass_function, clumps_of(listed), GALAXIES, bins=DECADES, n_bootstrap=2)
    n = {name: np.asarray(table["n"][table["population"] == name]) for name in ("all", "LLC", "SLC")}
    assert np.array_equal(n["LLC"] + n["SLC"], n["all"])
    assert n["all"].sum() == len(listed)


@LAW
@given(rows, st.floats(0.5, 2))
def test_masses_that_move_by_a_factor_move_the_mass_function(listed, factor):
    clumps = clumps_of(listed)
    moved = clumps.copy()
    moved["mass"] = clumps["mass"] * factor
    one = quietly(mass_function, clumps, GALAXIES, bins=DECADES, n_bootstrap=2)
    two = quietly(mass_function, moved, GALAXIES, bins=DECADES * factor, n_bootstrap=2)
    inside = abs(np.log10(clumps["mass"].value)[:, None] - np.log10(DECADES.value)) > 1e-9
    if inside.all():  # not on an edge, where rounding decides
        assert np.array_equal(np.asarray(one["n"]), np.asarray(two["n"]))


@LAW
@given(rows)
def test_every_clump_finds_its_host(listed):
    clumps = clumps_of(listed)
    table = with_hosts(clumps, GALAXIES)
    assert np.allclose(table["host_mass"].value, GALAXIES["mass"].value[np.asarray(clumps["galaxy"])])
    same(clumps, table[clumps.colnames])


@LAW
@given(rows)
def test_medians_lie_among_the_values(listed):
    clumps = clumps_of(listed)
    table = quietly(class_medians, clumps, column="age", n_bootstrap=5)
    low, high = clumps["age"].min(), clumps["age"].max()
    known = table["median"][np.isfinite(table["median"])]
    assert len(known)
    assert ((known >= low * 0.999999) & (known <= high * 1.000001)).all()


# ---- empty in, empty out

EMPTY = QTable(
    {
        "galaxy": np.zeros(0, dtype=int),
        "mass": np.zeros(0) * u.Msun,
        "p_long": np.zeros(0),
        "r_norm": np.zeros(0),
        "age": np.zeros(0) * u.Gyr,
    }
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_clumps_in_any_galaxy(name):
    table = quietly(FUNCTIONS[name], EMPTY, GALAXIES)
    assert "n" not in table.colnames or not np.asarray(table["n"]).any()
    full = quietly(FUNCTIONS[name], clumps_of([(1, 8.0, 0.9, 1.0)]), GALAXIES)
    assert table.colnames == full.colnames


@pytest.mark.parametrize(
    "function",
    [
        lambda: with_hosts(EMPTY, GALAXIES),
        lambda: clumpy_fraction(EMPTY, GALAXIES),
        lambda: class_medians(EMPTY, column="age", n_bootstrap=2),
        lambda: radial_medians(EMPTY, n_bootstrap=2),
    ],
    ids=["with_hosts", "clumpy_fraction", "class_medians", "radial_medians"],
)
def test_functions_of_no_clumps_give_a_table(function):
    assert isinstance(quietly(function), QTable)


@pytest.mark.parametrize("measure", [ClumpPhotometry(), ClumpSizes()], ids=lambda one: type(one).__name__)
def test_measuring_no_clumps_gives_all_columns(measure):
    image = example_image()
    clumps = catalog.make_table("detected")
    some = catalog.make_table("detected", 1)
    some["x"] = some["y"] = [30.0] * u.pix
    none, one = quietly(measure.measure, image, clumps), quietly(measure.measure, image, some)
    assert (len(none), none.colnames) == (0, one.colnames)
    assert [getattr(none[name], "unit", None) for name in none.colnames] == [getattr(one[name], "unit", None) for name in one.colnames]


@pytest.mark.needs_bagpipes
def test_fitting_no_clumps_gives_all_columns():
    backend, photometry = LibrarySED(n_models=1000), example_photometry()
    none, some = backend.fit(photometry[:0], redshift=1.5), quietly(backend.fit, photometry, redshift=1.5)
    assert (len(none), none.colnames) == (0, some.colnames)


def test_tracking_no_clumps_gives_all_columns():
    from astroclumps.testing import example_snapshot

    tracker = ClumpTracker()
    tracker.add(example_snapshot(), catalog.make_table("found"), np.zeros(600, dtype=np.int32))
    table = quietly(tracker.finish)
    assert len(table) == 0
    catalog.validate(table, ["found", "tracked"], who="the tracker")


@pytest.mark.needs_bagpipes
@settings(LAW, max_examples=4)
@given(st.floats(0.2, 5))
def test_fitted_masses_are_linear_in_flux(factor):
    """Where the errors grow along, and the prior of mass is flat in its logarithm."""
    backend, photometry = LibrarySED(n_models=1000), example_photometry()[:1]
    brighter = photometry.copy()
    for name in photometry.colnames:
        if name.startswith("flux_"):
            brighter[name] = photometry[name] * factor
    one, two = (quietly(backend.fit, each, redshift=1.5) for each in (photometry, brighter))
    assert two["mass"].value[0] / one["mass"].value[0] == pytest.approx(factor, rel=0.01)  # percentiles are read off a histogram
    assert two["age"].value[0] == pytest.approx(one["age"].value[0], rel=1e-3)
