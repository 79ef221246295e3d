"""From mocks to weights files: where thresholds come from, and which galaxies the scores in a card are those of."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from astroclumps import UNetDetector, bands, testing, weights
from astroclumps.training import recipes

pytestmark = [pytest.mark.needs_torch]
HISTORY = [
    {"step": 1, "score": 0.1, "floor": 0.2, "seconds": 3},
    {"step": 2, "score": 0.4, "floor": 0.3, "seconds": 4},
    {"step": 3, "score": 0.2, "floor": 0.4, "seconds": 5},
]


@pytest.fixture
def parts(monkeypatch):
    """Mocks, training and judging, which have tests of their own, replaced by what says how it was called."""
    import torch

    from astroclumps.detection.network import UNet

    calls = SimpleNamespace(made=[], trained={}, scans=[])

    def make_mock_set(folder, mocks, *, n_images, n_jobs, progress):
        calls.made.append((folder.name, mocks.seed, n_images))
        return [folder.name] * n_images

    def train_detector(folder, **options):
        calls.trained.update(options, folder=folder)
        torch.manual_seed(1)
        return UNet(channels=7, filters=options["filters"], levels=3).eval(), HISTORY

    class Validation:
        def __init__(self, mocks, *, seed):
            self.name, self.seed = mocks[0], seed

        def maps(self, network, *, bfloat16):
            assert not bfloat16  # the threshold must fit the arithmetic that detectors use
            return self.name

        def scan(self, maps, *, floor, purity=None, cut=None):
            calls.scans.append((self.name, self.seed, floor, purity, cut))
            cut = {0.95: 0.6, 0.9: 0.5}[purity] if cut is None else cut
            found = [np.array([True, True]), np.array([True, False])]
            return SimpleNamespace(cut=cut, completeness=0.75, purity=cut + 0.3, per_image=1.5, found=found)

    monkeypatch.setattr(recipes, "SersicMocks", lambda *, seed: SimpleNamespace(seed=seed))
    for name, value in (("make_mock_set", make_mock_set), ("train_detector", train_detector), ("DetectorValidation", Validation)):
        monkeypatch.setattr(recipes, name, value)
    return calls


def train(folder, **options):
    return recipes.train_unet(folder, **{"n_train": 5, "n_validation": 3, "n_test": 2, "n_steps": 7, "filters": 2, "seed": 4} | options)


def test_training_validation_and_test_see_mocks_of_different_seeds(parts, tmp_path):
    train(tmp_path)
    assert parts.made == [("train", 41, 5), ("validation", 42, 3), ("test", 43, 2)]
    assert (parts.trained["train"][0], parts.trained["validation"][0], parts.trained["every"]) == ("train", "validation", 7)


def test_the_threshold_comes_from_validation_mocks_and_the_scores_from_test_mocks(parts, tmp_path):
    card = weights.card(train(tmp_path))
    assert parts.scans == [
        ("validation", 5, 0.3, 0.95, None),
        ("validation", 5, 0.3, 0.9, None),
        ("test", 6, 0.3, None, 0.6),
        ("test", 6, 0.3, None, 0.5),
    ]
    assert (card["threshold"], card["floor"]) == (0.6, 0.3)  # the floor of the best step
    assert (card["recipe"]["best_step"], card["recipe"]["seconds"]) == (2, 12)
    held_out = card["held_out"]
    assert (held_out["n_images"], held_out["cut"], held_out["cut_at_90_purity"]) == (2, 0.6, 0.5)
    assert (held_out["purity"], held_out["purity_at_90_purity"]) == (0.9, 0.8)
    assert held_out["completeness"] == [0.75, pytest.approx(np.sqrt(1 / 32), abs=0.03)]


def test_without_test_mocks_a_card_has_no_held_out_scores(parts, tmp_path):
    path = train(tmp_path, n_test=0, name="mine", version="2.0")
    assert path.name == "mine-2.0.safetensors"
    assert weights.card(path)["held_out"] == {}
    assert {name for name, *_ in parts.scans} == {"validation"}


def test_the_file_is_one_that_detectors_take(parts, tmp_path):
    detector = UNetDetector(weights=str(train(tmp_path)))
    assert detector.card["bands"] == list(bands.names(bands.CANDELS))
    assert detector.probability(testing.example_image(shape=(32, 32))).shape == (32, 32)


def test_settings_that_no_training_can_use_are_refused_before_mocks_are_made(parts, tmp_path):
    with pytest.raises(ValueError, match="n_steps must be"):
        train(tmp_path, n_steps=0)
    with pytest.raises(ValueError, match="dropout must be"):
        recipes.train_cnn(tmp_path, dropout=1)
    assert parts.made == []


def test_errors_of_completeness_draw_whole_galaxies():
    found = [np.ones(5, dtype=bool), np.zeros(5, dtype=bool)]
    assert recipes._bootstrap(found, n=4000) == pytest.approx(np.sqrt(1 / 8), abs=0.01)  # two galaxies: 0, 1/2 or 1
    assert recipes._bootstrap([np.ones(4, dtype=bool)] * 6) == 0
