"""Folds: every galaxy is held out once, and nothing is on both sides."""

import numpy as np
import pytest
from galaxy_sets import write_galaxy_set

from astroclumps.training.folds import RELEASE, Folds
from astroclumps.training.galaxy_set import GalaxySet


@pytest.mark.parametrize("n", [3, 5, 12, 34])
def test_every_galaxy_is_held_out_by_one_fold(n):
    folds = Folds(tuple(range(n)))
    held_out = [galaxy for fold in folds for galaxy in folds.held_out(fold)]
    assert sorted(held_out) == list(range(n))
    assert all(galaxy in folds.held_out(folds.of(galaxy)) for galaxy in range(n))


@pytest.mark.parametrize("n", [3, 5, 12, 34])
def test_the_three_parts_of_a_fold_are_apart_and_leave_nothing_out(n):
    folds = Folds(tuple(range(n)))
    for fold in folds:
        parts = [folds.held_out(fold), folds.validation(fold), folds.training(fold)]
        assert sorted(galaxy for part in parts for galaxy in part) == list(range(n))
        assert all(parts)


def test_the_main_folds_leave_out_the_galaxies_with_most_long_lived_clumps():
    folds = Folds((7, 3, 9, 1, 5, 0), n_main=2, n_grouped=2)
    assert [folds.held_out(fold) for fold in folds.main] == [(7,), (3,)]
    assert len(folds) == 4


def test_groups_get_rich_and_poor_galaxies():
    folds = Folds(tuple(range(12)), n_main=0, n_grouped=3)
    assert {sum(folds.held_out(fold)) for fold in folds} == {22}


def test_the_galaxies_that_choose_are_not_always_the_same():
    folds = Folds(tuple(range(20)))
    assert len({galaxy for fold in folds for galaxy in folds.validation(fold)}) > 8
    assert {len(folds.validation(fold)) for fold in folds} == {4}


def test_the_release_trains_on_all():
    folds = Folds(tuple(range(6)))
    assert folds.training(RELEASE) == tuple(range(6))
    assert folds.held_out(RELEASE) == folds.validation(RELEASE) == ()


def test_a_set_is_ordered_by_its_long_lived_clumps(tmp_path):
    galaxies = GalaxySet(write_galaxy_set(tmp_path, n_galaxies=5))
    folds = Folds.from_set(galaxies)
    counts = [sum(galaxies.clumps(i)["long_lived"].sum() for i in np.flatnonzero(galaxies.galaxy == g)) for g in folds.galaxies]
    assert counts == sorted(counts, reverse=True)
    assert Folds.from_set(galaxies) == folds


@pytest.mark.parametrize("fold", [4, -1, 1.5, "1", "release", True])
def test_a_fold_that_does_not_exist_is_told(fold):
    with pytest.raises(ValueError, match="fold must be 0 to 3, or 'all'"):
        Folds(tuple(range(4))).held_out(fold)


@pytest.mark.parametrize(("galaxies", "options"), [((0, 1), {}), ((0, 1, 1), {}), ((0, 1, 2, 3), {"n_main": 2, "n_grouped": 0})])
def test_galaxies_that_cannot_be_split_are_told(galaxies, options):
    with pytest.raises(ValueError, match="galaxies"):
        Folds(galaxies, **options)


def test_more_main_folds_than_galaxies_are_refused():
    assert Folds(tuple(range(3))).n_main == 3  # the default is at most all
    with pytest.raises(ValueError, match="at most the 5 galaxies of the set, got 9"):
        Folds(tuple(range(5)), n_main=9)


def test_a_fold_without_a_galaxy_to_train_on_is_refused():
    with pytest.raises(ValueError, match="none of 3 galaxies is left to train on"):
        Folds((0, 1, 2), n_main=1, n_grouped=1, n_validation=1)
