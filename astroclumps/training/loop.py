"""A training loop that can be killed at any moment and goes on as if nothing had happened."""

import json
import logging
import time
from pathlib import Path

import numpy as np
import torch

__all__ = ["BatchSource", "Checkpoint", "TrainingLoop"]

log = logging.getLogger(__name__)


class BatchSource(torch.utils.data.Dataset):
    """Batches numbered by the training step; each is a function of the seed and its number alone.

    Parameters
    ----------
    make : callable
        ``make(rng) -> tuple of ndarray``; must be picklable.
    seed : int
    n_steps : int
    """

    def __init__(self, make, *, seed, n_steps):
        self.make, self.seed, self.n_steps = make, int(seed), int(n_steps)

    def __len__(self):
        return self.n_steps

    def __getitem__(self, step):
        return tuple(torch.from_numpy(a) for a in self.make(np.random.default_rng([self.seed, int(step)])))


class Checkpoint:
    """State of a run in a folder: tensors in safetensors, the rest in JSON, written through a temporary name.

    Parameters
    ----------
    folder : path-like
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def state_file(self):
        """JSON with the step, the scores and the name of the file of tensors."""
        return self.folder / "state.json"

    def save(self, network, optimiser, state):
        """Write the network, the optimiser and a JSON state."""
        from safetensors.torch import save_file

        tensors = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
        for number, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{k}": v.contiguous() for k, v in values.items()}
        name = f"step-{state['step']:07d}.safetensors"
        partial = self.folder / f"{name}.tmp"
        save_file(tensors, partial)
        partial.replace(self.folder / name)
        partial = self.state_file.with_suffix(".tmp")
        partial.write_text(json.dumps({**state, "file": name}))
        partial.replace(self.state_file)
        for old in self.folder.glob("step-*.safetensors"):
            if old.name != name:
                old.unlink()

    def load(self, network, optimiser):
        """Read the last state into a network and an optimiser; the JSON state, or None where there is none."""
        from safetensors.torch import load_file

        if not self.state_file.exists():
            return None
        state = json.loads(self.state_file.read_text())
        tensors = load_file(self.folder / state["file"])
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
        moments = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        return state

    def save_best(self, network, score, step):
        """Keep a network that validated best so far."""
        from safetensors.torch import save_file

        partial = self.folder / "best.tmp"
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, partial, {"score": repr(score), "step": str(step)})
        partial.replace(self.folder / "best.safetensors")

    def load_best(self, network):
        """Read the network that validated best."""
        from safetensors.torch import load_file

        network.load_state_dict(load_file(self.folder / "best.safetensors"))


class TrainingLoop:
    """Adam with a cosine learning rate on binary cross-entropy, with validation and checkpoints.

    Parameters
    ----------
    network : torch.nn.Module
        Gives logits.
    folder : path-like
        Where checkpoints lie; a run that finds one goes on from it.
    make_batch : callable
        See `BatchSource`; gives (inputs, targets). Targets below 0 are left out of the loss.
    validate : callable or None
        ``validate(network) -> dict``; the entry ``score`` is maximised. None: the last step counts.
    seed : int
        Seed of the batches; the network is to be made with its own.
    n_steps : int
        Batches in all.
    learning_rate : float, default 1e-3
        Largest (paper's group: Adam, 1e-3); it falls to 1% on a half cosine.
    every : int, default 500
        Steps between validations, which are also the checkpoints.
    patience : int, optional
        Stop after so many validations without a better score. None: never.
    stop : int, optional
        Stop at this step of the schedule. None: at its end.
    n_workers : int, default 1
        Processes that make batches; 0 makes them in the training process.
    bfloat16 : bool, default True
        Convolve in bfloat16 (weights stay float32).
    progress : bool, default False
        Show a progress bar.
    """

    def __init__(
        self, network, folder, *, make_batch, validate, seed, n_steps, learning_rate=1e-3, every=500, patience=None, stop=None,
        n_workers=1, bfloat16=True, progress=False,
    ):  # fmt: skip
        self.network, self.validate = network, validate
        self.checkpoint = Checkpoint(folder)
        self.source = BatchSource(make_batch, seed=seed, n_steps=n_steps)
        self.seed, self.n_steps, self.every, self.patience = int(seed), int(n_steps), int(every), patience
        self.stop = self.n_steps if stop is None else min(int(stop), self.n_steps)
        self.learning_rate, self.n_workers, self.bfloat16, self.progress = learning_rate, n_workers, bfloat16, progress
        self.optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def _rate(self, step):
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * step / self.n_steps)))

    def run(self):
        """Train to the end (or on from the last checkpoint).

        Returns
        -------
        history : list of dict
            One entry a validation: step, loss, seconds, and what ``validate`` gave. The network then holds the best weights.

        Raises
        ------
        ValueError
            The folder holds a run with another seed, number of steps, learning rate or precision.
        """
        from tqdm import tqdm

        settings = {"n_steps": self.n_steps, "learning_rate": self.learning_rate, "seed": self.seed, "bfloat16": self.bfloat16}
        state = self.checkpoint.load(self.network, self.optimiser)
        if state is None:
            state = {"step": 0, "history": [], "best": -np.inf, "since": 0, "settings": settings}
        elif state.get("settings", settings) != settings:
            raise ValueError(
                f"{self.checkpoint.folder} holds a run with {state['settings']}, this one has {settings}; go on with the same settings, or "
                "choose another folder"
            )
        done = state["step"] >= self.stop or self._tired(state)
        if not done:
            loader = torch.utils.data.DataLoader(
                self.source, batch_size=None, sampler=range(state["step"], self.stop), num_workers=self.n_workers,
                prefetch_factor=4 if self.n_workers else None,
            )  # fmt: skip
            losses, started = [], time.perf_counter()
            bar = tqdm(loader, initial=state["step"], total=self.stop, disable=not self.progress)
            for inputs, targets in bar:
                losses.append(self._step(state["step"], inputs, targets))
                state["step"] += 1
                if state["step"] % self.every == 0 or state["step"] == self.stop:
                    self._mark(state, losses, started)
                    losses, started = [], time.perf_counter()
                    if self._tired(state):
                        break
            bar.close()
        self.checkpoint.load_best(self.network)
        return state["history"]

    def _tired(self, state):
        return self.patience is not None and state["since"] >= self.patience

    def _step(self, step, inputs, targets):
        self.network.train()
        torch.manual_seed(hash((self.seed, step)) % 2**31)  # dropout
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(step)
        inputs = inputs.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(inputs)
        counted = (targets >= 0).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), targets.clamp(min=0), weight=counted)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def _mark(self, state, losses, started):
        self.network.eval()
        entry = {"step": state["step"], "loss": float(np.mean(losses)), "seconds": round(time.perf_counter() - started, 1)}
        entry |= {"score": float(state["step"])} if self.validate is None else self.validate(self.network)
        state["history"].append(entry)
        log.info("%s", entry)
        if entry["score"] > state["best"]:
            state["best"], state["since"] = entry["score"], 0
            self.checkpoint.save_best(self.network, entry["score"], state["step"])
        else:
            state["since"] += 1
        self.checkpoint.save(self.network, self.optimiser, state)
