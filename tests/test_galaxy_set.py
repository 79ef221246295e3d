"""`GalaxySet`: what is written comes back, views, positives by policy, noise."""

import numpy as np
import pytest
from galaxy_sets import BANDS, write_galaxy_set

from astroclumps.training.galaxy_set import CLUMP_COLUMNS, GalaxySet, galaxy_file, write_galaxy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_galaxy_set(tmp_path_factory.mktemp("set"), n_galaxies=3, n_images=4, n_clumps=8)


@pytest.fixture(scope="module")
def made(folder):
    return GalaxySet(folder)


def test_all_images_are_read_in_the_order_of_galaxies(made):
    assert len(made) == 12
    assert made.bands == tuple(BANDS)
    assert made.data.shape == (12, 7, 64, 64)
    assert made.data.dtype == np.float32
    assert made.galaxy.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert made.index.tolist() == [0, 1, 2, 3] * 3
    assert made.camera[:2].tolist() == ["cam00", "cam01"]
    assert np.isnan(made.axis_ratio[3])
    np.testing.assert_allclose(made.galaxy_flux, made.data.sum(axis=(2, 3)), rtol=1e-5)


def test_clumps_are_those_of_the_image(made):
    for i in range(len(made)):
        clumps = made.clumps(i)
        assert set(clumps) == {*CLUMP_COLUMNS, "long_lived"}
        assert all(len(value) == 9 for value in clumps.values())
        assert clumps["flux"].shape == (9, 7)
        assert clumps["origin"][-1] == "bulge"
        assert clumps["x"][-1] == pytest.approx(31.5)
        assert np.array_equal(clumps["long_lived"], (clumps["longevity"] == "LLC") & (clumps["origin"] == "in situ"))


def test_positives_follow_the_policy(made):
    for i in range(len(made)):
        clumps = made.clumps(i)
        zero = clumps["longevity"] == "ZLC"
        every, none, some = (made.positives(i, sf_zlc=policy) for policy in ("all", "none", 1e-3))
        assert not every[clumps["origin"] == "bulge"].any()
        assert every[clumps["origin"] == "ex situ"].all()
        assert every[np.isin(clumps["longevity"], ["SLC", "LLC"])].all()
        assert np.array_equal(every[zero], clumps["sf_zlc"][zero])
        assert not none[zero].any()
        assert np.array_equal(some[zero], clumps["sfr"][zero] > 1e-3 * 20.0)
        assert np.array_equal(every[~zero], none[~zero])
    assert sum(made.positives(i).sum() - made.positives(i, sf_zlc="none").sum() for i in range(len(made))) > 0
    with pytest.raises(ValueError, match="sf_zlc must be"):
        made.positives(0, sf_zlc="some")


def test_truth_map_has_four_pixels_at_each_positive(made):
    clumps, chosen = made.clumps(0), made.positives(0)
    truth = made.truth_map(0)
    assert truth.shape == (64, 64)
    assert truth.sum() <= 4 * chosen.sum()
    for x, y, positive in zip(clumps["x"], clumps["y"], chosen, strict=True):
        if positive:
            assert truth[int(np.floor(y)), int(np.floor(x))] == 1
    assert truth[31, 31] == 0  # the bulge


def test_views_keep_clumps_and_noise(made):
    last = made.select(2)
    assert last.galaxy.tolist() == [2] * 4
    assert np.shares_memory(last.data, made.data)
    turned = made.subset([11, 0, 8])
    assert np.array_equal(turned.clumps(2)["node"], made.clumps(8)["node"])
    assert np.array_equal(turned.noisy(0, seed=3), made.noisy(11, seed=3))
    assert not np.array_equal(turned.noisy(0, seed=4), made.noisy(11, seed=3))
    assert len(made.subset(made.redshift < 0)) == 0
    assert np.array_equal(made.select([0, 2]).subset(np.arange(8) == 5).clumps(0)["node"], made.clumps(9)["node"])
    with pytest.raises(ValueError, match="galaxy 7 is not in the set"):
        made.select([0, 7])


def test_some_galaxies_can_be_read_alone(folder, made):
    alone = GalaxySet(folder, galaxies=[2])
    assert alone.galaxy.tolist() == [2] * 4
    assert np.array_equal(alone.data, made.select(2).data)
    assert np.array_equal(alone.clumps(1)["x"], made.clumps(9)["x"])
    assert np.array_equal(alone.noisy(1, seed=5), made.noisy(9, seed=5))


def test_noise_has_the_depth_of_the_image(made):
    noise = made.noisy(0, seed=1)[4] - made.data[0, 4]
    edge = np.concatenate([noise[:6].ravel(), noise[-6:].ravel()])  # far from the galaxy's own photons
    assert edge.std() == pytest.approx(made.rms[0, 4], rel=0.15)


def test_same_numbers_make_the_same_bytes(folder, tmp_path):
    again = write_galaxy_set(tmp_path, n_galaxies=1, n_images=4, n_clumps=8)
    assert galaxy_file(again, 0).read_bytes() == galaxy_file(folder, 0).read_bytes()


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no galaxy-\*\.npz"):
        GalaxySet(tmp_path)
    with pytest.raises(FileNotFoundError, match="galaxy-009"):
        GalaxySet(folder, galaxies=[0, 9])
    np.savez(galaxy_file(tmp_path, 0), data=np.zeros((1, 7, 64, 64)))
    with pytest.raises(ValueError, match="lacks bands, number, snapshot"):
        GalaxySet(tmp_path)
    data = np.zeros((1, 7, 8, 8))
    with pytest.raises(ValueError, match="images lack 'snapshot'"):
        write_galaxy(tmp_path, 1, bands=BANDS, data=data, images={}, clumps=[{"x": []}])
    with pytest.raises(ValueError, match="need data"):
        write_galaxy(tmp_path, 1, bands=BANDS[:2], data=data, images={}, clumps=[])


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_file_that_is_cut_off_is_named_with_what_to_do(tmp_path, keep):
    write_galaxy_set(tmp_path, n_galaxies=2, n_images=2)
    file = galaxy_file(tmp_path, 1)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"galaxy-001\.npz is empty, cut off or damaged .*; delete it, and give the 'astroclumps dataset'"):
        GalaxySet(tmp_path)


def test_a_folder_holds_one_set(tmp_path):
    write_galaxy_set(tmp_path, n_galaxies=2, n_images=2)
    write_galaxy_set(tmp_path, n_galaxies=1, n_images=2, shape=(32, 32))
    with pytest.raises(ValueError, match="another shape"):
        GalaxySet(tmp_path)


def test_images_without_clumps_are_kept(tmp_path):
    made = GalaxySet(write_galaxy_set(tmp_path, n_galaxies=1, n_images=2, n_clumps=0))
    assert not made.positives(0).any()
    assert made.truth_map(1).sum() == 0


@pytest.mark.parametrize(
    ("recipe", "words"),
    [("SyntheticSuite(seed=1)", " of a synthetic suite"), ("SnapshotFiles([['a']])", " read from snapshots of simulations"), ("One()", "")],
)
def test_a_set_knows_where_its_galaxies_come_from(tmp_path, recipe, words):
    write_galaxy_set(tmp_path, n_galaxies=2, n_images=2)
    assert GalaxySet(tmp_path).source == ""
    (tmp_path / "recipe.txt").write_text(f"{recipe}\nGalaxyImages()\n", encoding="utf-8")
    assert GalaxySet(tmp_path).source == words
    assert GalaxySet(tmp_path).select(1).source == words
