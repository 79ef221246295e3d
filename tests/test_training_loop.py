"""The training loop: killed at any moment it goes on as if nothing had happened; the best network is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("tqdm", reason="needs tqdm, which comes with astroclumps[ml]")

from astroclumps.detection.network import UNet  # noqa: E402
from astroclumps.longevity.network import LongevityCNN  # noqa: E402
from astroclumps.training.loop import BatchSource, Checkpoint, TrainingLoop  # noqa: E402

pytestmark = [pytest.mark.needs_torch]


class Killed(Exception):
    pass


def make_network(kind="unet"):
    torch.manual_seed(0)
    if kind == "unet":
        return UNet(2, filters=4, levels=2).to(memory_format=torch.channels_last)
    return LongevityCNN(2, filters=(4, 4), dense=(8, 4), dropout=0.2)  # with dropout and batch normalisation


def unet_batch(rng):
    images = rng.normal(size=(3, 2, 16, 16)).astype(np.float32)
    return images, (images[:, 0] > 1).astype(np.float32)


def cnn_batch(rng):
    stamps, long_lived = rng.normal(size=(8, 2, 10, 10)), rng.random(8) < 0.5
    stamps[:, 0] += np.where(long_lived, 1, -1)[:, None, None]
    return stamps.astype(np.float32), long_lived.astype(np.float32)


class DyingBatch:
    """Gives so many batches, then dies."""

    def __init__(self, make, lives):
        self.make, self.lives = make, lives

    def __call__(self, rng):
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return self.make(rng)


def validate_on(make):
    inputs, targets = (torch.from_numpy(a) for a in make(np.random.default_rng(99)))

    def validate(network):
        with torch.inference_mode():
            return {"score": -float(torch.nn.functional.binary_cross_entropy_with_logits(network(inputs), targets))}

    return validate


def loop(folder, kind="unet", *, lives=-1, n_steps=12, every=4, **options):
    make = unet_batch if kind == "unet" else cnn_batch
    options = {"validate": validate_on(make), "bfloat16": False, "n_workers": 0, "seed": 3, **options}
    return TrainingLoop(make_network(kind), folder, make_batch=DyingBatch(make, lives), n_steps=n_steps, every=every, **options)


def tensors(folder, name="step"):
    from safetensors.numpy import load_file

    (path,) = Path(folder).glob(f"{name}*.safetensors")
    return {k: v.tobytes() for k, v in load_file(path).items()}


def without_time(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


# killed and started again


@pytest.mark.parametrize("kind", ["unet", "cnn"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_killed_run_ends_with_the_same_bytes(tmp_path, kind, bfloat16):
    history = loop(tmp_path / "whole", kind, bfloat16=bfloat16).run()
    for lives in (6, 5):  # dies in the second part, then again in the third
        with pytest.raises(Killed):
            loop(tmp_path / "cut", kind, lives=lives, bfloat16=bfloat16).run()
    again = loop(tmp_path / "cut", kind, bfloat16=bfloat16).run()
    assert tensors(tmp_path / "cut") == tensors(tmp_path / "whole")
    assert tensors(tmp_path / "cut", "best") == tensors(tmp_path / "whole", "best")
    assert without_time(again) == without_time(history)
    assert [entry["step"] for entry in history] == [4, 8, 12]


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path):
    with pytest.raises(Killed):
        loop(tmp_path / "cut", lives=2).run()
    loop(tmp_path / "cut").run()
    loop(tmp_path / "whole").run()
    assert tensors(tmp_path / "cut") == tensors(tmp_path / "whole")


def test_a_run_killed_in_validation_goes_on(tmp_path):
    good = validate_on(unet_batch)
    calls = []

    def dies(network):
        calls.append(None)
        if len(calls) == 2:
            raise Killed
        return good(network)

    with pytest.raises(Killed):
        loop(tmp_path / "cut", validate=dies).run()
    loop(tmp_path / "cut").run()
    loop(tmp_path / "whole").run()
    assert tensors(tmp_path / "cut") == tensors(tmp_path / "whole")


@pytest.mark.parametrize("left", ["step-0000008.safetensors.tmp", "best.tmp", "state.tmp", "step-0000004.safetensors"])
def test_files_that_a_killed_run_left_do_no_harm(tmp_path, left):
    with pytest.raises(Killed):
        loop(tmp_path / "cut", lives=10).run()
    (tmp_path / "cut" / left).write_bytes(b"half of a fi")
    loop(tmp_path / "cut").run()
    loop(tmp_path / "whole").run()
    assert tensors(tmp_path / "cut") == tensors(tmp_path / "whole")


def test_a_finished_run_is_not_repeated(tmp_path):
    history = loop(tmp_path).run()
    before = tensors(tmp_path)
    again = loop(tmp_path, lives=0)
    assert again.run() == history
    assert tensors(tmp_path) == before
    # and it gives the best network
    best = {k: v.numpy().tobytes() for k, v in again.network.state_dict().items()}
    assert best == tensors(tmp_path, "best")


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import test_training_loop as t
t.torch.set_num_threads(1)
t.loop({folder!r}, n_steps=400, every=4).run()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_9_leaves_a_checkpoint_that_goes_on(tmp_path):
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "cut"))
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
    state = tmp_path / "cut" / "state.json"
    deadline = time.monotonic() + 120
    while not (state.exists() and json.loads(state.read_text())["step"] >= 12):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint within two minutes"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = json.loads(state.read_text())["step"]
    assert 12 <= step < 400
    # both go on to the same step; the learning rate depends on n_steps, which therefore stays
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for folder, lives in (("cut", 8), ("whole", step + 8)):
            with pytest.raises(Killed):
                loop(tmp_path / folder, n_steps=400, every=4, lives=lives).run()
    finally:
        torch.set_num_threads(threads)
    assert json.loads(state.read_text())["step"] == step + 8
    assert tensors(tmp_path / "cut") == tensors(tmp_path / "whole")


# batches


def test_a_batch_is_a_function_of_seed_and_number():
    source = BatchSource(unet_batch, seed=5, n_steps=10)
    assert len(source) == 10
    assert torch.equal(source[7][0], BatchSource(unet_batch, seed=5, n_steps=99)[7][0])
    assert not torch.equal(source[7][0], source[8][0])
    assert not torch.equal(source[7][0], BatchSource(unet_batch, seed=6, n_steps=10)[7][0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_batches_made_by_another_process_give_the_same_bytes(tmp_path):
    loop(tmp_path / "inside").run()
    loop(tmp_path / "outside", n_workers=1).run()
    assert tensors(tmp_path / "outside") == tensors(tmp_path / "inside")


def test_another_seed_gives_another_network(tmp_path):
    loop(tmp_path / "a", seed=1).run()
    loop(tmp_path / "b", seed=2).run()
    assert tensors(tmp_path / "a") != tensors(tmp_path / "b")


# learning


@pytest.mark.parametrize("kind", ["unet", "cnn"])
def test_the_loss_falls_on_a_toy_problem(tmp_path, kind):
    history = loop(tmp_path, kind, n_steps=150, every=50, learning_rate=1e-2).run()
    assert history[-1]["loss"] < 0.75 * history[0]["loss"]
    assert history[-1]["score"] > history[0]["score"]


def test_the_learning_rate_falls_on_half_a_cosine_to_one_percent(tmp_path):
    one = loop(tmp_path, n_steps=100, learning_rate=1e-3)
    assert one._rate(0) == pytest.approx(1e-3)
    assert one._rate(50) == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert one._rate(100) == pytest.approx(1e-5)
    assert one.optimiser.param_groups[0]["betas"] == (0.9, 0.999)


# the best network


class Scores:
    """Gives scores of a list, and remembers the networks that got them."""

    def __init__(self, *scores):
        self.scores, self.seen = list(scores), []

    def __call__(self, network):
        assert not network.training
        self.seen.append({k: v.clone() for k, v in network.state_dict().items()})
        return {"score": self.scores[len(self.seen) - 1]}


def test_the_network_ends_with_the_weights_that_validated_best(tmp_path):
    scores = Scores(0.1, 0.5, 0.5, 0.2)
    run = loop(tmp_path, n_steps=8, every=2, validate=scores)
    run.run()
    assert all(torch.equal(v, scores.seen[1][k]) for k, v in run.network.state_dict().items())
    assert not all(torch.equal(v, scores.seen[3][k]) for k, v in run.network.state_dict().items())


def test_patience_ends_a_run_and_the_end_is_kept(tmp_path):
    history = loop(tmp_path, n_steps=20, every=2, patience=2, validate=Scores(0.1, 0.5, 0.4, 0.3, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9)).run()
    assert [entry["score"] for entry in history] == [0.1, 0.5, 0.4, 0.3]
    assert loop(tmp_path, lives=0, n_steps=20, every=2, patience=2).run() == history


def test_without_patience_a_run_goes_to_its_end(tmp_path):
    assert len(loop(tmp_path, n_steps=8, every=2, validate=Scores(0.5, 0.4, 0.3, 0.2)).run()) == 4


def test_the_last_step_is_validated_though_it_is_no_multiple(tmp_path):
    assert [entry["step"] for entry in loop(tmp_path, n_steps=7, every=3).run()] == [3, 6, 7]


def test_a_score_of_zero_or_below_is_kept_too(tmp_path):
    loop(tmp_path, n_steps=2, every=1, validate=Scores(-5.0, -7.0)).run()
    assert (tmp_path / "best.safetensors").exists()


# checkpoints


def test_a_checkpoint_gives_back_network_optimiser_and_state(tmp_path):
    first = loop(tmp_path / "a", "cnn", n_steps=4, every=4)
    first.run()
    network = make_network("cnn")
    optimiser = torch.optim.Adam(network.parameters(), lr=7)
    state = Checkpoint(tmp_path / "a").load(network, optimiser)
    assert state["step"] == 4
    assert all(torch.equal(v, first.network.state_dict()[k]) for k, v in network.state_dict().items())
    moments = first.optimiser.state_dict()["state"]
    loaded = optimiser.state_dict()["state"]
    assert moments.keys() == loaded.keys()
    assert all(torch.equal(loaded[i][k], moments[i][k]) for i in moments for k in moments[i])


def test_an_empty_folder_has_no_checkpoint(tmp_path):
    network = make_network()
    assert Checkpoint(tmp_path / "new").load(network, torch.optim.Adam(network.parameters())) is None


def test_only_the_last_checkpoint_is_kept(tmp_path):
    loop(tmp_path).run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "state.json", "step-0000012.safetensors"]


def test_a_run_of_other_settings_is_refused(tmp_path):
    loop(tmp_path, n_steps=4, every=2).run()
    with pytest.raises(ValueError, match="holds a run with .*'n_steps': 4.* this one has .*'n_steps': 6"):
        loop(tmp_path, n_steps=6, every=2).run()
