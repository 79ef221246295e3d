"""Sets of mocks on disk: the same bytes however they are made, truth maps, noise."""

import numpy as np
import pytest
from dots import Dots

from astroclumps.training import dataset
from astroclumps.training.dataset import MockSet, make_mock_set

pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(dataset, "PART", 4)


@pytest.fixture
def mocks(tmp_path):
    return make_mock_set(tmp_path / "set", Dots(), n_images=10)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


def test_a_set_holds_what_the_generator_drew(mocks):
    assert len(mocks) == 10
    for i in (0, 3, 4, 9):
        drawn = Dots().mock(i)
        np.testing.assert_array_equal(mocks.data[i], drawn.data)
        clumps = mocks.clumps(i)
        assert set(clumps) == {"x", "y", "long_lived", "mass", "uv_ratio", "radius", "age", "sfr", "flux"}
        assert all(np.array_equal(clumps[k], drawn.clumps[k]) for k in clumps)
        assert mocks.sky(i) == drawn.sky
        np.testing.assert_array_equal(mocks.galaxy_flux[i], drawn.galaxy["flux"])
    assert mocks.psf_fwhm.shape == mocks.rms.shape == mocks.correlation.shape == (10, 2)
    assert mocks.redshift.tolist() == [1.5] * 10


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_one_and_two_processes_give_the_same_bytes(tmp_path, mocks):
    make_mock_set(tmp_path / "two", Dots(), n_images=10, n_jobs=2)
    assert contents(tmp_path / "two") == contents(tmp_path / "set")


def test_parts_that_exist_are_kept_and_missing_ones_made(tmp_path, mocks):
    before = contents(tmp_path / "set")
    (tmp_path / "set" / "mocks-00001.npz").unlink()
    stamp = (tmp_path / "set" / "mocks-00000.npz").stat().st_mtime_ns
    make_mock_set(tmp_path / "set", Dots(), n_images=10)
    assert contents(tmp_path / "set") == before
    assert (tmp_path / "set" / "mocks-00000.npz").stat().st_mtime_ns == stamp


def test_an_interrupted_call_goes_on(tmp_path, mocks):
    class Interrupted(Dots):
        def mock(self, index):
            if index == 6:
                raise KeyboardInterrupt
            return super().mock(index)

        def __repr__(self):
            return repr(Dots())

    with pytest.raises(KeyboardInterrupt):
        make_mock_set(tmp_path / "cut", Interrupted(), n_images=10)
    assert not list((tmp_path / "cut").glob("mocks-00001*"))
    make_mock_set(tmp_path / "cut", Dots(), n_images=10)
    assert contents(tmp_path / "cut") == contents(tmp_path / "set")


def test_a_set_can_grow(tmp_path):
    make_mock_set(tmp_path / "grown", Dots(), n_images=6)
    grown = make_mock_set(tmp_path / "grown", Dots(), n_images=10)
    fresh = make_mock_set(tmp_path / "fresh", Dots(), n_images=10)
    np.testing.assert_array_equal(grown.data, fresh.data)
    assert contents(tmp_path / "grown") == contents(tmp_path / "fresh")


def test_a_folder_with_other_mocks_is_refused(tmp_path, mocks):
    before = contents(tmp_path / "set")
    with pytest.raises(ValueError, match=r"holds mocks of Dots\(seed=0, size=32\), not of Dots\(seed=1, size=32\); choose another folder"):
        make_mock_set(tmp_path / "set", Dots(seed=1), n_images=10)
    assert contents(tmp_path / "set") == before


def test_some_images_of_a_set(tmp_path, mocks):
    some = MockSet(tmp_path / "set", n_images=5)
    assert len(some) == 5
    np.testing.assert_array_equal(some.data, mocks.data[:5])
    np.testing.assert_array_equal(some.clumps(4)["x"], mocks.clumps(4)["x"])


def test_a_folder_without_mocks_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no mocks-\*\.npz in .*; make them with make_mock_set"):
        MockSet(tmp_path)


def test_noise_is_that_of_the_image_and_of_the_seed(mocks):
    first, second, other = mocks.noisy(2, seed=1), mocks.noisy(2, seed=1), mocks.noisy(2, seed=2)
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(first, other)
    assert not np.array_equal(mocks.noisy(3, seed=1) - mocks.data[3], first - mocks.data[2])
    faint = mocks.data[2] < 1e-6
    assert (first - mocks.data[2])[faint].std() == pytest.approx(0.003, rel=0.1)


# truth maps


def one_clump(mocks, x, y):
    mocks._first = np.array([0, 1])
    mocks._clumps = {"x": np.array([x]), "y": np.array([y])}
    return mocks.truth_map(0)


@pytest.mark.parametrize(("x", "y"), [(10.2, 14.9), (10.5, 14.5), (20.99, 3.01), (5.7, 5.2)])
def test_the_square_of_a_clump_is_the_nearest_one(mocks, x, y):
    out = one_clump(mocks, x, y)
    rows, columns = np.nonzero(out)
    assert len(rows) == 4
    # of all squares of 2x2 pixels, the one around the clump: its centre is the nearest corner of pixels
    assert abs(columns.mean() - x) <= 0.5
    assert abs(rows.mean() - y) <= 0.5
    assert np.ptp(rows) == np.ptp(columns) == 1
    assert out.dtype == np.float32
    assert out.max() == 1


@pytest.mark.parametrize(
    ("x", "y", "pixels"),
    [(-0.5, 10.5, 2), (31.5, 10.5, 2), (-0.5, -0.5, 1), (31.5, 31.5, 1), (-1.5, 9, 0), (-3.5, 9, 0), (9, 33.0, 0)],
)
def test_squares_are_cut_at_the_border(mocks, x, y, pixels):
    assert one_clump(mocks, x, y).sum() == pixels


def test_squares_that_overlap_stay_binary(mocks):
    mocks._first = np.array([0, 2])
    mocks._clumps = {"x": np.array([10.5, 11.5]), "y": np.array([10.5, 10.5])}
    out = mocks.truth_map(0)
    assert sorted(np.unique(out)) == [0, 1]
    assert out.sum() == 6


def test_no_clumps_no_squares(mocks):
    mocks._first = np.array([0, 0])
    assert not mocks.truth_map(0).any()


@pytest.mark.needs_bagpipes
def test_sersic_mocks_are_stored_with_their_populations(tmp_path):
    from astroclumps import SersicMocks

    generator = SersicMocks(seed=1, shape=(32, 32), bands=["F606W", "F850LP", "F160W"])
    stored = make_mock_set(tmp_path, generator, n_images=3)
    for i in range(3):
        np.testing.assert_array_equal(stored.data[i], generator.mock(i).data)
        np.testing.assert_array_equal(stored.clumps(i)["mass"], generator.mock(i).clumps["mass"])
