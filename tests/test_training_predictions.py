"""Predictions of folds: files, joining, lists by image."""

import numpy as np
import pytest

from astroclumps.training.predictions import Predictions


def made(images=(0, 1), rows=((0, 0.9), (0, 0.2), (1, 0.6)), seed=5, **extra):
    image, score = (np.array([row[i] for row in rows]) for i in range(2))
    n = len(rows)
    return Predictions(
        image=image, galaxy=image // 2, index=image % 2, x=np.arange(n) + 0.5, y=np.arange(n) + 10.0, score=score,
        threshold=np.full(n, 0.5), images=images, galaxies=np.array(images) // 2, seed=seed, **extra,
    )  # fmt: skip


def test_a_file_gives_back_what_was_written(tmp_path):
    before = made(p_long=[0.1, 0.2, np.nan], p_long_err=[0.0, 0.1, np.nan])
    after = Predictions.read(before.save(tmp_path / "predictions-fold-0.npz"))
    for name in ("image", "galaxy", "index", "x", "y", "score", "threshold", "images", "galaxies", "p_long", "p_long_err"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.seed == 5


def test_a_folder_is_read_as_one(tmp_path):
    made().save(tmp_path / "predictions-fold-0.npz")
    made((2, 3), ((3, 0.7),)).save(tmp_path / "predictions-fold-1.npz")
    both = Predictions.read(tmp_path)
    assert both.images.tolist() == [0, 1, 2, 3]
    assert [len(x) for x, _, _ in both.detections(4)] == [1, 1, 0, 1]
    assert [len(x) for x, _, _ in both.detections(4, threshold=0.1)] == [2, 1, 0, 1]
    assert both.p_long is None


def test_rows_find_other_columns(tmp_path):
    one = made(p_long=[0.1, 0.2, 0.3], p_long_err=[0, 0, 0])
    assert [one.p_long[r].tolist() for r in one.rows(2, threshold=0)] == [[0.1, 0.2], [0.3]]


def test_an_image_that_was_judged_twice_is_told():
    with pytest.raises(ValueError, match="different images"):
        Predictions.join([made(), made()])


def test_noise_of_two_seeds_is_told():
    with pytest.raises(ValueError, match=r"one seed, got seeds \[5, 6\]"):
        Predictions.join([made(), made((2,), ((2, 0.9),), seed=6)])


def test_columns_of_different_length_are_told():
    with pytest.raises(ValueError, match="equally long"):
        made(p_long=[0.1])


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no predictions-fold"):
        Predictions.read(tmp_path)


def test_a_file_that_is_not_there_is_told_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*fold-7.npz; 'astroclumps train unet --data FOLDER --fold K'"):
        Predictions.read(tmp_path / "predictions-fold-7.npz")


def test_a_file_that_is_damaged_or_of_something_else_is_told(tmp_path):
    file = made().save(tmp_path / "predictions-fold-0.npz")
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match="fold-0.npz is empty, cut off or damaged"):
        Predictions.read(file)
    np.savez(file, x=[1.0])
    with pytest.raises(ValueError, match="not a file of predictions, look at galaxies, galaxy"):
        Predictions.read(file)


def test_a_set_that_is_too_short_for_the_predictions_is_refused():
    whole = made((0, 1, 4), ((0, 0.9), (4, 0.2), (1, 0.6)))
    assert [len(x) for x, _, _ in whole.detections(5, threshold=0)] == [1, 1, 0, 0, 1]
    for n in (2, 4):  # image 4 was searched, though nothing is above its threshold
        with pytest.raises(ValueError, match=f"at least 5 because image 4 was; got {n}"):
            whole.detections(n)
