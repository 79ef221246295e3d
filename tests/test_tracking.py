"""`ClumpTracker`: analytic histories, the slow reference, and what it refuses."""

import gc
import re
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tracking_reference import track

from astroclumps import ClumpFinder3D, ClumpTracker, Snapshot, catalog
from astroclumps.exceptions import CatalogError, NoClumpsWarning
from astroclumps.simulation.elements import empty_elements
from astroclumps.simulation.memberships import Members, MembershipStore, count_shared, members_of


def clump(stars, *, mass=1.0, age=1.0, t_ff=10.0, origin="in situ", sfr=0.0):
    return {"stars": set(stars), "mass": mass, "age": age, "t_ff": t_ff, "origin": origin, "sfr": sfr}


def history(*clumps_of, step=0.1):
    """Snapshots 0.1 Gyr apart, from lists of clumps."""
    return [{"time": 1 + step * i, "clumps": list(clumps)} for i, clumps in enumerate(clumps_of)]


def inputs(one, *, field=(), dtype=np.int64, rng=None):
    """What the tracker is given of a snapshot of a history: stars in random order, with field stars."""
    rng = np.random.default_rng(5) if rng is None else rng
    label = {star: i + 1 for i, member in enumerate(one["clumps"]) for star in member["stars"]}
    label.update((star, 0) for star in field if star not in label)
    numbers = list(label)
    order = rng.permutation(len(numbers))
    ids = np.array(numbers, dtype=dtype)[order]
    labels = np.array([label[star] for star in numbers], dtype=np.int32)[order]
    table = catalog.make_table("found", len(one["clumps"]))
    for name, unit in (("mass", u.Msun), ("age", u.Gyr), ("t_ff", u.Myr), ("sfr", u.Msun / u.yr)):
        table[name] = np.array([member[name] for member in one["clumps"]], dtype=float) * unit
    for name in ("pos_x", "pos_y", "pos_z"):
        table[name] = 0 * u.kpc
    table["n_stars"] = np.array([len(member["stars"]) for member in one["clumps"]], dtype=np.int64)
    table["origin"] = np.array([member["origin"] for member in one["clumps"]], dtype="U16")
    snapshot = SimpleNamespace(
        name=f"at {one['time']:.2f}", time=one["time"] * u.Gyr, scale_factor=one["time"] / 10, stars={"particle_id": ids}
    )
    return snapshot, table, labels


def run(snapshots, *, field=range(200), dtype=np.int64, **options):
    with ClumpTracker(**options) as tracker:
        for one in snapshots:
            tracker.add(*inputs(one, field=field, dtype=dtype))
        tracked = tracker.finish()
    catalog.validate(tracked, "tracked", who="ClumpTracker")
    return tracker, tracked


def real_snapshot(ids, *, time):
    n = len(ids)
    from astropy.table import QTable

    columns = {"particle_id": ids, "position": np.zeros((n, 3)) * u.kpc, "velocity": np.zeros((n, 3)) * u.km / u.s}
    columns |= {"mass": np.ones(n) * u.Msun, "age": np.ones(n) * u.Gyr, "metallicity": np.zeros(n)}
    return Snapshot(name="real", stars=QTable(columns), gas=empty_elements("gas"), time=time)


A, B, C = range(10), range(20, 40), range(50, 62)


# links


def test_a_clump_is_followed_by_its_stars():
    _, tracked = run(history([clump(A), clump(B)], [clump(B), clump(A)]))
    assert tracked["progenitor"].tolist() == [0, 0, 2, 1]
    assert tracked["descendant"].tolist() == [4, 3, 0, 0]
    assert tracked["track"].tolist() == [1, 2, 2, 1]
    assert tracked["id"].tolist() == [1, 2, 1, 2]
    assert tracked["node"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("n_stars", "linked"), [(12, True), (13, False)])
def test_a_quarter_of_the_progenitors_stars_is_enough_and_less_is_not(n_stars, linked):  # section 3.1.2
    _, tracked = run(history([clump(range(n_stars))], [clump([*range(3), *range(100, 150)])]))  # 3 of 12, 3 of 13
    assert tracked["progenitor"].tolist() == [0, int(linked)]
    assert np.array_equal(tracked["shared"], [np.nan, 0.25 if linked else np.nan], equal_nan=True)


def test_the_most_massive_progenitor_is_the_main_one():  # section 3.1.2
    _, tracked = run(history([clump(A, mass=3), clump(B, mass=2)], [clump([*A, *B])]))
    assert tracked["main"].tolist() == [1, 0, 0]
    assert tracked["descendant"].tolist() == [3, 3, 0]
    assert tracked["progenitor"][2] == 1
    assert tracked["n_progenitors"][2] == 2
    assert tracked["track"].tolist() == [1, 2, 1]


def test_only_clumps_of_ten_stars_are_tracked():  # section 3.1.2
    _, tracked = run(history([clump(range(9))], [clump(range(9))], [clump(range(10))], [clump(range(10))]))
    assert tracked["track"].tolist() == [0, 0, 1, 1]
    assert tracked["longevity"].tolist()[:2] == ["", ""]
    assert np.isnan(tracked["t_clump"][:2]).all()
    assert np.isnan(tracked["t_ff_mean"][:2]).all()
    assert tracked["progenitor"].tolist() == [0, 0, 0, 3]


def test_a_gap_is_bridged_as_far_back_as_the_first_snapshot():  # section 3.1.2
    snapshots = history([clump(A)], [], [clump(B)], [], [clump(A)])
    tracker, tracked = run(snapshots)
    assert tracked["progenitor"].tolist() == [0, 0, 1]
    assert tracked["gap"].tolist() == [0, 0, 4]
    assert tracker.links["gap", "n_main", "n_merged"].as_array().tolist() == [(4, 1, 0)]
    assert np.isclose(tracked["t_clump"][2], 400 * u.Myr)


@pytest.mark.parametrize(("max_gap", "linked"), [(None, True), (3, True), (2, False), (1, False)])
def test_max_gap_ends_the_search(max_gap, linked):
    _, tracked = run(history([clump(A)], [], [], [clump(A)]), max_gap=max_gap)
    assert (tracked["progenitor"][1] == 1) == linked


@pytest.mark.parametrize(("min_shared", "linked"), [(1, True), (3, True), (4, False)])
def test_min_shared_asks_for_more_stars(min_shared, linked):
    _, tracked = run(history([clump(A)], [clump([*range(3), *B])]), min_shared=min_shared)
    assert (tracked["progenitor"][1] == 1) == linked


def test_of_a_split_clump_the_part_with_most_of_its_stars_goes_on():
    _, tracked = run(history([clump(range(30))], [clump(range(12), mass=9), clump(range(12, 30), mass=1)]))
    assert tracked["descendant"][0] == 3
    assert tracked["progenitor"].tolist() == [0, 0, 1]
    assert tracked["track"].tolist() == [1, 2, 1]


def test_a_fragment_does_not_look_further_back():
    # the fragment of the split clump holds all stars of a clump of the first snapshot, which found no descendant in the second
    old = range(12)
    whole = [*old[:2], *range(12, 40)]
    _, tracked = run(history([clump(old)], [clump(whole)], [clump([*old, *range(12, 22)]), clump(range(22, 40))]))
    assert tracked["progenitor"].tolist() == [0, 0, 0, 2]


def test_a_clump_that_merely_passed_through_another_goes_on():
    # the lesser partner of a merger comes out again; the merged object kept few of its stars for it
    other = range(20, 100)
    snapshots = history([clump(A), clump(other, mass=9)], [clump([*A, *other], mass=10)], [clump(A), clump(other, mass=9)])
    _, tracked = run(snapshots)
    assert tracked["progenitor"].tolist() == [0, 0, 2, 1, 3]
    assert tracked["descendant"].tolist() == [4, 3, 5, 0, 0]
    assert tracked["n_progenitors"].tolist() == [0, 0, 1, 1, 1]
    assert tracked["gap"].tolist() == [0, 0, 1, 2, 1]


def test_a_merger_stands_where_the_merged_clump_would_only_merge_again():
    giant = range(100, 200)
    first = [clump(A, mass=1), clump(giant, mass=9), clump(B, mass=5)]
    _, tracked = run(history(first, [clump([*A, *giant], mass=10)], [clump([*A, *B], mass=6)]))
    assert tracked["descendant"].tolist() == [4, 4, 5, 0, 0]
    assert tracked["main"].tolist() == [0, 1, 1, 0, 0]
    assert tracked["n_progenitors"].tolist() == [0, 0, 0, 2, 1]


def test_a_clump_that_went_on_is_not_claimed_again():
    _, tracked = run(history([clump(A)], [clump([*range(4), *B])], [clump(range(4, 10)), clump([*range(4), *B])]), min_stars=6)
    assert tracked["descendant"].tolist()[:2] == [2, 4]
    assert tracked["progenitor"].tolist() == [0, 1, 0, 2]


# clump time, lifetime and class


def test_clump_time_starts_at_the_mean_age_of_young_stars():  # section 3.1.2
    _, tracked = run(history([], [clump(A, age=0.06), clump(B, age=0.1), clump(C, age=0.11)], [clump(A)], step=0.1))
    assert np.allclose(tracked["t_clump"].value, [60, 100, 0, 160])
    assert np.allclose(tracked["lifetime"].value, [160, 100, 0, 160])


def test_classes():  # section 3.1.3: ZLC at 0, SLC below 20 free-fall times, LLC at or above
    times = [{"time": 1.0, "clumps": []}, {"time": 1.5, "clumps": [clump(A, t_ff=10), clump(B, age=0.25, t_ff=12.6)]}]
    times[1]["clumps"] += [clump(C, age=0.25, t_ff=12.5)]
    _, tracked = run(times)
    assert tracked["longevity"].tolist() == ["ZLC", "SLC", "LLC"]


def test_a_clump_seen_twice_is_no_zlc():  # section 3.1.3
    _, tracked = run(history([], [clump(A, t_ff=5.1)], [clump(A, t_ff=5.1)]))
    assert tracked["longevity"].tolist() == ["SLC", "SLC"]


def test_free_fall_time_is_the_mean_over_the_life_by_mass():
    _, tracked = run(history([], [clump(A, t_ff=10, mass=3)], [clump(A, t_ff=20, mass=1)]))
    assert np.allclose(tracked["t_ff_mean"], 12.5 * u.Myr)


def test_classes_are_for_clumps_in_situ():  # section 3.1.3
    _, tracked = run(history([], [clump(A, origin="bulge"), clump(B, origin="ex situ"), clump(C)], [clump(A, origin="bulge"), clump(C)]))
    assert tracked["longevity"].tolist() == ["", "", "SLC", "", "SLC"]
    assert np.allclose(tracked["t_clump"].value, [0, 0, 0, 100, 100])


def test_a_ripple_that_is_joined_to_a_satellite_has_no_class():
    ripple, satellite = clump(A, mass=1.0), clump(A, mass=9.0, origin="ex situ")
    _, tracked = run(history([], [ripple], [satellite]))
    assert list(tracked["longevity"]) == ["", ""]
    _, tracked = run(history([], [clump(A, mass=9.0)], [clump(A, mass=1.0, origin="ex situ")]))
    assert list(tracked["longevity"]) == ["SLC", ""]


def test_sf_zlc_is_a_zlc_that_forms_stars():  # section 3.1.3
    _, tracked = run(history([], [clump(A, sfr=0.1), clump(B), clump(C, sfr=0.1, age=0.05)]))
    assert tracked["longevity"].tolist() == ["ZLC", "ZLC", "SLC"]
    assert tracked["sf_zlc"].tolist() == [1, 0, 0]


def test_tracks_at_both_ends_are_censored():
    _, tracked = run(history([clump(A)], [clump(A), clump(B)], [clump(B), clump(C)]))
    assert tracked["left_censored"].tolist() == [1, 1, 0, 0, 0]
    assert tracked["censored"].tolist() == [0, 0, 1, 1, 1]


# against the slow reference

settings.register_profile("tracking", deadline=None, max_examples=40)


@st.composite
def histories(draw):
    """Labels that mostly stay from snapshot to snapshot, with masses that are often the same."""
    n_snapshots, n_stars = draw(st.integers(1, 6)), 36
    change = draw(hnp.arrays(np.int8, (n_snapshots, n_stars), elements=st.integers(0, 15)))
    labels = np.zeros((n_snapshots, n_stars), dtype=int)
    for i in range(n_snapshots):
        labels[i] = np.where(change[i] < 5, change[i], labels[i - 1] if i else 0)
    steps = draw(st.lists(st.sampled_from([0.05, 0.1, 0.2]), min_size=n_snapshots, max_size=n_snapshots))
    numbers = st.tuples(st.integers(1, 3), st.sampled_from([0.01, 0.1, 3.0]), st.sampled_from([4.0, 7.0]), st.sampled_from([0.0, 0.2]))
    origin = st.sampled_from(["in situ", "in situ", "in situ", "bulge", "ex situ"])
    snapshots = []
    for i in range(n_snapshots):
        clumps = []
        for label in range(1, 5):
            stars = np.flatnonzero(labels[i] == label)
            if len(stars):
                mass, age, t_ff, sfr = draw(numbers)
                clumps.append(clump(stars.tolist(), mass=mass, age=age, t_ff=t_ff, sfr=sfr, origin=draw(origin)))
        snapshots.append({"time": 1 + sum(steps[: i + 1]), "clumps": clumps})
    return snapshots


@settings(settings.get_profile("tracking"))
@given(
    snapshots=histories(),
    options=st.fixed_dictionaries(
        {
            "min_stars": st.integers(1, 5),
            "shared_fraction": st.sampled_from([0.1, 0.25, 0.5, 1.0]),
            "max_gap": st.sampled_from([None, 1, 2, 3]),
            "min_shared": st.integers(1, 3),
        }
    ),
)
@pytest.mark.filterwarnings("ignore::astroclumps.exceptions.NoClumpsWarning")
def test_agrees_with_the_slow_reference(snapshots, options):
    expected = track(snapshots, **options)
    tracker, tracked = run(snapshots, field=range(36), **options)
    assert len(tracked) == len(expected)
    for name in ("snapshot", "node", "progenitor", "n_shared", "gap", "n_progenitors", "descendant", "main"):
        assert tracked[name].tolist() == [one[name] for one in expected], name
    for name in ("track", "sf_zlc", "censored", "left_censored"):
        assert tracked[name].tolist() == [one.get(name, 0) for one in expected], name
    assert tracked["longevity"].tolist() == [one.get("longevity", "") for one in expected]
    for name in ("t_clump", "lifetime", "t_ff_mean"):
        assert np.allclose(tracked[name].value, [one.get(name, np.nan) for one in expected], equal_nan=True), name
    edges = {row["progenitor"]: row for row in tracker.edges()}
    assert {node: (row["n_shared"], row["gap"]) for node, row in edges.items()} == {
        one["node"]: (one["given"], one["gap_after"]) for one in expected if one["descendant"]
    }
    main = tracked["progenitor"] > 0
    given_part = tracked["n_shared"][main] / tracked["n_stars"][tracked["progenitor"][main] - 1]
    assert np.array_equal(tracked["shared"][main], given_part)
    assert np.isnan(tracked["shared"][~main]).all()


@settings(settings.get_profile("tracking"))
@given(snapshots=histories())
@pytest.mark.filterwarnings("ignore::astroclumps.exceptions.NoClumpsWarning")
def test_a_tracks_nodes_are_a_chain_in_time(snapshots):
    _, tracked = run(snapshots, field=range(36), min_stars=2)
    for number in set(tracked["track"]) - {0}:
        rows = tracked[tracked["track"] == number]
        assert rows["progenitor"].tolist() == [0, *rows["node"][:-1]]
        assert rows["descendant"][:-1].tolist() == rows["node"][1:].tolist()
        assert (np.diff(rows["snapshot"]) > 0).all()


@pytest.mark.real_data
def test_agrees_with_the_slow_reference_on_a_hydrodynamical_disc(real_data):
    finder = ClumpFinder3D(connectivity=26, background_fwhm=2.5 * u.kpc)
    given = {"old_star_age": [1, 3] * u.Gyr, "metallicity": 0.01, "redshift": 2.0, "r_vir": 86 * u.kpc}
    snapshots = []
    with ClumpTracker() as tracker:
        for number in range(8, 13):
            snapshot = Snapshot.read(real_data / "sims" / "gizmo_clumpy_disc" / f"snapshot_{number:03d}.hdf5", **given)
            clumps, labels = finder.find(snapshot)
            tracker.add(snapshot, clumps, labels)
            ids = np.asarray(snapshot.stars["particle_id"])
            members = [
                clump(
                    ids[labels == row["id"]].tolist(),
                    mass=row["mass"].value,
                    age=row["age"].to_value(u.Gyr),
                    t_ff=row["t_ff"].value,
                    origin=str(row["origin"]),
                    sfr=row["sfr"].value,
                )
                for row in clumps
            ]
            snapshots.append({"time": snapshot.time.to_value(u.Gyr), "clumps": members})
        tracked = tracker.finish()
    expected = track(snapshots)
    for name in ("progenitor", "n_shared", "gap", "n_progenitors", "descendant", "main"):
        assert tracked[name].tolist() == [one[name] for one in expected], name
    assert tracked["longevity"].tolist() == [one.get("longevity", "") for one in expected]
    assert np.allclose(tracked["lifetime"].value, [one.get("lifetime", np.nan) for one in expected], equal_nan=True)
    assert np.sum(tracked["progenitor"] > 0) > 50
    assert len(set(tracked["track"][tracked["origin"] == "bulge"])) == 1


# numbers of stars


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_type_of_star_numbers(dtype):
    _, tracked = run(history([clump(A)], [clump(A)]), dtype=dtype)
    assert tracked["progenitor"].tolist() == [0, 1]


def test_star_numbers_beyond_2_to_the_63_are_told_apart():
    big = [2**63 + 1 + i for i in range(20)]
    _, tracked = run(history([clump(big[:10]), clump(big[10:])], [clump(big[10:]), clump(big[:10])]), field=[2**64 - 1], dtype=np.uint64)
    assert tracked["progenitor"].tolist() == [0, 0, 2, 1]


def test_neighbouring_numbers_beyond_2_to_the_53_are_told_apart():
    stars = [2**60 + i for i in range(20)]
    _, tracked = run(history([clump(stars[::2])], [clump(stars[1::2])]), field=())
    assert tracked["progenitor"].tolist() == [0, 0]


def test_signed_and_unsigned_numbers_of_the_same_bits_are_the_same_star():
    first = members_of(np.array([-1, 5]), np.array([1, 1]))
    second = members_of(np.array([5, 2**64 - 1], dtype=np.uint64), np.array([2, 2]))
    assert [values.tolist() for values in count_shared(first, second)] == [[1], [2], [2]]


def test_a_real_snapshot_is_taken():
    with ClumpTracker() as tracker:
        for time in (1, 2) * u.Gyr:
            one, table, labels = inputs({"time": time.value, "clumps": [clump(A)]}, field=range(30))
            tracker.add(real_snapshot(one.stars["particle_id"], time=time), table, labels)
        assert tracker.finish()["progenitor"].tolist() == [0, 1]


# tables and graph


def test_tree_holds_the_tracked_clumps():
    tracker, _ = run(history([clump(A, mass=2), clump(B)], [clump([*A, *B]), clump([60])]))
    assert tracker.tree().colnames == ["id", "descendant", "main"]
    assert tracker.tree().as_array().tolist() == [(1, 3, 1), (2, 3, 0), (3, 0, 0)]


def test_graph_carries_what_the_tables_say():
    networkx = pytest.importorskip("networkx", reason='needs networkx: pip install "astroclumps[sim]"')
    tracker, tracked = run(history([clump(A, mass=2), clump(B)], [clump([*A, *B])], [clump(C)]))
    graph = tracker.graph()
    assert networkx.is_directed_acyclic_graph(graph)
    assert sorted(graph.edges) == [(1, 3), (2, 3)]
    assert graph.edges[2, 3] == {"main": 0, "gap": 1, "n_shared": 20, "shared": 1.0}
    assert graph.nodes[3]["mass"] == 1.0
    assert graph.nodes[3]["t_clump"] == pytest.approx(100)
    assert graph.nodes[4] == {
        **{name: tracked[name][3] for name in ("snapshot", "id", "track", "n_stars", "origin", "longevity")},
        **{name: tracked[name][3].value for name in ("time", "t_clump", "mass")},
    }


def test_graph_says_what_is_missing(monkeypatch):
    tracker, _ = run(history([clump(A)]))
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(ImportError, match=r'needs networkx; install it with  pip install "astroclumps\[sim\]"'):
        tracker.graph()


def test_links_count_those_that_rest_on_few_stars():
    tracker, _ = run(history([clump(A), clump(B)], [clump([*range(3), *C]), clump(B)]))
    assert tracker.links["gap", "n_main", "n_merged", "n_few"].as_array().tolist() == [(1, 2, 0, 1)]
    assert tracker.links["n_shared"][0] == (3 + 20) / 2
    assert tracker.links["shared"][0] == (0.3 + 1) / 2


def test_history_names_the_tracker_and_keeps_the_finders():
    snapshots = history([clump(A)], [clump(A)])
    tracker = ClumpTracker(max_gap=3)
    for one in snapshots:
        snapshot, table, labels = inputs(one)
        catalog.add_history(table, "a finder")
        before = table.copy()
        tracker.add(snapshot, table, labels)
        assert table.colnames == before.colnames
    lines = tracker.finish().meta["history"]
    assert lines[0] == "a finder"
    assert lines[1].startswith("ClumpTracker(min_stars=10, shared_fraction=0.25, long_lived=20.0, max_gap=3, min_shared=1) of astroclumps")
    assert lines[1].endswith("on 2 snapshots")


def test_meta_that_all_tables_share_is_kept():
    tracker = ClumpTracker()
    for i, one in enumerate(history([clump(A)], [clump(A)])):
        snapshot, table, labels = inputs(one)
        table.meta |= {"snapshot": snapshot.name, "cell_size": "0.07 kpc", "grid_shape": f"{i} 1 1"}
        tracker.add(snapshot, table, labels)
    tracked = tracker.finish()
    assert tracked.meta["cell_size"] == "0.07 kpc"
    assert set(tracked.meta) == {"cell_size", "history"}


def test_columns_that_all_tables_have_are_kept():
    tracker = ClumpTracker()
    for i, one in enumerate(history([clump(A)], [clump(A)])):
        snapshot, table, labels = inputs(one)
        table["mine"] = [i]
        if i:
            table["only_here"] = [1.0]
        tracker.add(snapshot, table, labels)
    tracked = tracker.finish()
    assert tracked["mine"].tolist() == [0, 1]
    assert "only_here" not in tracked.colnames


def test_finish_may_be_asked_twice_and_between():
    snapshots = history([clump(A)], [clump(A)], [clump(A)])
    tracker = ClumpTracker()
    lengths, lifetimes = [], []
    for one in snapshots:
        tracker.add(*inputs(one))
        lengths.append(len(tracker.finish()))
        lifetimes.append(tracker.finish()["lifetime"][0].value)
    assert lengths == [1, 2, 3]
    assert np.allclose(lifetimes, [0, 100, 200])


def test_repr_recreates_the_settings():
    tracker = ClumpTracker(min_stars=5, max_gap=2)
    assert eval(repr(tracker)) == tracker


# nothing there


def test_no_clumps_at_all_give_an_empty_table():
    tracker = ClumpTracker()
    for one in history([], []):
        tracker.add(*inputs(one, field=range(5)))
    with pytest.warns(NoClumpsWarning, match="no clumps in 2 snapshots"):
        tracked = tracker.finish()
    assert tracked.colnames == catalog.make_table("tracked").colnames
    assert len(tracked) == 0
    assert len(tracker.tree()) == len(tracker.links) == len(tracker.edges()) == 0
    assert tracker._run.forest.store.folder is None


def test_no_snapshots_give_an_empty_table():
    with pytest.warns(NoClumpsWarning):
        assert len(ClumpTracker().finish()) == 0


def test_one_snapshot_gives_tracks_of_one_clump():
    _, tracked = run(history([clump(A), clump(B)]))
    assert tracked["track"].tolist() == [1, 2]
    assert tracked["censored"].tolist() == tracked["left_censored"].tolist() == [1, 1]


def test_a_snapshot_without_stars_is_an_empty_one():
    tracker = ClumpTracker()
    for one in history([clump(A)], [], [clump(A)]):
        tracker.add(*inputs(one))
    assert tracker.finish()["gap"].tolist() == [0, 2]


# what it refuses


def refused(change, message, error=ValueError):
    """A tracker with one snapshot refuses a changed second one, and takes the right one afterwards."""
    first, second = history([clump(A)], [clump(A), clump(B)])
    with ClumpTracker() as tracker:
        tracker.add(*inputs(first))
        snapshot, table, labels = inputs(second, field=range(50))
        changed = {"snapshot": snapshot, "table": table.copy(), "labels": labels.copy()}
        change(changed)
        with pytest.raises(error, match=message):
            tracker.add(*changed.values())
        tracker.add(snapshot, table, labels)
        assert tracker.finish()["progenitor"].tolist() == [0, 1, 0]


def set_time(time):
    def change(given):
        given["snapshot"] = SimpleNamespace(**{**vars(given["snapshot"]), "time": time})

    return change


def set_column(name, value):
    def change(given):
        given["table"][name] = value

    return change


def set_ids(function):
    def change(given):
        ids = given["snapshot"].stars["particle_id"]
        given["snapshot"] = SimpleNamespace(**{**vars(given["snapshot"]), "stars": {"particle_id": function(ids)}})

    return change


def set_origin(name):
    def change(given):
        given["table"].meta["snapshot"] = name

    return change


def set_labels(function):
    def change(given):
        given["labels"] = function(given["labels"])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_time(0.9 * u.Gyr), "snapshot 'at 1.10' at 0.9 Gyr is not later than 'at 1.00' at 1 Gyr; add each snapshot once"),
        (set_time(1.0 * u.Gyr), "is not later than"),
        (set_labels(lambda labels: labels[:-1]), r"has 50 stars, star_labels has shape \(49,\)"),
        (set_labels(lambda labels: labels[:, None]), r"star_labels has shape \(50, 1\)"),
        (set_labels(lambda labels: np.where(labels == 2, 0, labels)), "clump 2 has 20 stars in the table and 0 in star_labels; do both"),
        (set_labels(lambda labels: -labels), "must not be negative, got -2"),
        (set_column("n_stars", [10, 21]), "clump 2 has 21 stars in the table and 20 in star_labels; do both belong to this snapshot"),
        (set_column("age", [np.nan, 1] * u.Gyr), "age of clump 1 must be zero or positive and finite, got nan"),
        (set_column("t_ff", [5, 0] * u.Myr), "t_ff of clump 2 must be positive and finite"),
        (set_column("mass", [5, np.inf] * u.Msun), "mass of clump 2 must be positive and finite"),
        (set_column("sfr", [np.nan, 0] * u.Msun / u.yr), "sfr of clump 1 must be zero or positive"),
        (set_origin("at 1.00"), "the table's clumps were found in snapshot 'at 1.00', not in 'at 1.10'"),
        (set_ids(lambda ids: np.where(ids == 3, 4, ids)), "particle_id 4 belongs to two stars of clumps"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(change, message):
    refused(change, message)


def test_wrong_types_are_refused_and_change_nothing():
    refused(set_labels(lambda labels: labels.astype(float)), "star_labels must be whole numbers", TypeError)
    refused(set_ids(lambda ids: ids.astype(float)), "particle_id must hold whole numbers, got float64", TypeError)
    refused(set_column("mass", [1.0, 2.0]), "clumps of snapshot 'at 1.10': column 'mass' must have the unit solMass", CatalogError)


def test_rows_may_be_taken_out_of_the_table():
    tracker = ClumpTracker()
    for one in history([clump(A), clump(B)], [clump(A), clump(B)]):
        snapshot, table, labels = inputs(one)
        tracker.add(snapshot, table[1:], labels)
    tracked = tracker.finish()
    assert tracked["id"].tolist() == [2, 2]
    assert tracked["progenitor"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_stars": 0}, "min_stars must be a whole number of at least 1, got 0"),
        ({"min_shared": 1.5}, "min_shared must be a whole number"),
        ({"max_gap": 0}, "max_gap must be a whole number of at least 1 or None, got 0"),
        ({"max_gap": True}, "max_gap must be a whole number"),
        ({"shared_fraction": 0.0}, "shared_fraction must be a number above 0 and at most 1"),
        ({"shared_fraction": 1.1}, "shared_fraction must be a number above 0 and at most 1"),
        ({"long_lived": -1}, "long_lived must be a positive, finite number"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ClumpTracker(**options)


@pytest.mark.parametrize("wrong", ["abc", None, True, [20.0]])
@pytest.mark.parametrize("name", ["shared_fraction", "long_lived"])
def test_settings_that_are_no_numbers_are_refused(name, wrong):
    with pytest.raises(TypeError, match=f"{name} must be a .*number.*, got {re.escape(repr(wrong))}"):
        ClumpTracker(**{name: wrong})


# the store


def test_the_folder_goes_with_close_and_results_stay():
    tracker = ClumpTracker()
    tracker.add(*inputs(history([clump(A)])[0]))
    folder = tracker._run.forest.store.folder
    assert folder.is_dir()
    tracker.close()
    tracker.close()
    assert not folder.exists()
    assert len(tracker.finish()) == 1
    with pytest.raises(ValueError, match="the tracker is closed, so snapshot 'at 1.00' cannot be added; make a new one"):
        tracker.add(*inputs(history([clump(A)])[0]))


def test_the_folder_goes_with_the_tracker():
    tracker = ClumpTracker()
    tracker.add(*inputs(history([clump(A)])[0]))
    folder = tracker._run.forest.store.folder
    del tracker
    gc.collect()
    assert not folder.exists()


def test_snapshots_beyond_max_gap_are_forgotten():
    tracker = ClumpTracker(max_gap=2)
    for one in history(*([clump(A)] for _ in range(6))):
        tracker.add(*inputs(one))
    assert len(list(Path(tracker._run.forest.store.folder).iterdir())) == 2
    tracker.close()


def test_a_full_disk_changes_nothing(monkeypatch):
    first, second = history([clump(A)], [clump(A)])
    with ClumpTracker() as tracker:
        tracker.add(*inputs(first))

        def full(*given, **options):
            raise OSError("No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(np, "save", full)
            with pytest.raises(OSError, match="No space left"):
                tracker.add(*inputs(second))
        tracker.add(*inputs(second))
        assert tracker.finish()["progenitor"].tolist() == [0, 1]


def test_a_closed_store_takes_nothing():
    with MembershipStore() as store:
        pass
    with pytest.raises(ValueError, match="closed"):
        store.put(0, Members(np.array([1], dtype=np.uint64), np.array([1], dtype=np.int32)))
    assert store.closed
    assert len(store.get(0).stars) == 0
