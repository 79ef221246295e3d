"""Batches and validation of the U-Net, and a whole small training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from dots import Dots  # noqa: E402

from astroclumps.detection.network import UNet  # noqa: E402
from astroclumps.training.dataset import make_mock_set  # noqa: E402
from astroclumps.training.detector import FLOORS, DetectorBatches, DetectorValidation, train_detector  # noqa: E402

pytestmark = [pytest.mark.needs_torch]


@pytest.fixture
def mocks(tmp_path):
    return make_mock_set(tmp_path / "set", Dots(), n_images=8)


def test_a_batch_has_stretched_images_and_binary_maps(mocks):
    images, maps = DetectorBatches(mocks, 5)(np.random.default_rng(0))
    assert images.shape == (5, 2, 32, 32)
    assert maps.shape == (5, 32, 32)
    assert images.dtype == maps.dtype == np.float32
    assert set(np.unique(maps)) <= {0, 1}
    # compressed signal-to-noise: most pixels are sky
    assert np.median(np.abs(images)) < np.arcsinh(2) / 2


def test_a_batch_leaves_the_mocks_untouched(mocks):
    before = mocks.data.copy()
    for seed in range(20):
        DetectorBatches(mocks, 5)(np.random.default_rng(seed))
    assert np.array_equal(mocks.data, before)


def test_bright_pixels_lie_under_the_squares_of_the_truth(mocks):
    # the image was turned together with its map, except where a patch hides it
    inside, outside = [], []
    for seed in range(20):
        images, maps = DetectorBatches(mocks, 4)(np.random.default_rng(seed))
        stack = images.mean(axis=1)
        inside.append(stack[maps > 0].mean())
        outside.append(stack[maps == 0].mean())
    assert np.mean(inside) > np.mean(outside) + 0.5


def test_the_same_rng_gives_the_same_batch(mocks):
    first, second = (DetectorBatches(mocks, 3)(np.random.default_rng(4)) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


class Oracle(torch.nn.Module):
    """Logits of the maps it was given, in the order of the images; what it is shown does not matter."""

    def __init__(self, maps):
        super().__init__()
        self.maps = torch.from_numpy(np.stack(maps))

    def forward(self, images):
        return 16 * self.maps[: len(images)] - 8


def test_validation_of_a_perfect_and_of_a_blind_network(mocks):
    check = DetectorValidation(mocks, seed=1)
    perfect = check(Oracle([mocks.truth_map(i) for i in range(8)]))
    apart = sum(len(mocks.clumps(i)["x"]) for i in range(8))
    assert perfect["score"] > 1 - 2.5 / apart  # two clumps may share a square
    assert perfect["floor"] in FLOORS
    blind = check(Oracle([np.zeros((32, 32), dtype=np.float32)] * 8))
    assert blind["score"] == 0
    assert blind["per_image"] == 0


def test_validation_has_the_same_noise_each_time(mocks):
    a, b, c = (DetectorValidation(mocks, seed=seed).inputs for seed in (1, 1, 2))
    assert a.tobytes() == b.tobytes()
    assert not np.array_equal(a, c)


def test_validation_knows_when_a_cut_is_given(mocks):
    check = DetectorValidation(mocks, seed=1)
    maps = check.maps(Oracle([mocks.truth_map(i) for i in range(8)]))
    assert check.scan(maps, floor=0.3, cut=0.5).completeness > 0.8
    assert check.scan(maps, floor=0.3, cut=1.0).completeness == 0


def options(mocks, **changes):
    return {
        "train": mocks, "validation": mocks, "filters": 4, "levels": 2, "n_steps": 6, "batch_size": 2, "every": 3,
        "n_workers": 0, "bfloat16": False, **changes,
    }  # fmt: skip


def test_a_training_gives_the_same_network_again(tmp_path, mocks):
    first, history = train_detector(tmp_path / "a", **options(mocks))
    second, _ = train_detector(tmp_path / "b", **options(mocks))
    assert isinstance(first, UNet)
    assert not first.training
    assert [entry["step"] for entry in history] == [3, 6]
    assert {"score", "floor", "threshold", "per_image", "loss"} <= set(history[0])
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())
    other, _ = train_detector(tmp_path / "c", **options(mocks, seed=1))
    assert not all(torch.equal(v, other.state_dict()[k]) for k, v in first.state_dict().items())


def test_a_training_can_start_from_weights(tmp_path, mocks):
    start = {k: v.numpy() for k, v in UNet(2, filters=4, levels=2).state_dict().items()}
    network, _ = train_detector(tmp_path / "a", start=start, **options(mocks, n_steps=1, every=1, learning_rate=0.0))
    assert all(np.array_equal(v.numpy(), start[k]) for k, v in network.state_dict().items())
