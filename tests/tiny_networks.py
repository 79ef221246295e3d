"""Networks small enough for tests: random ones, and hand-made ones whose answer is known."""

import numpy as np

from astroclumps import weights

BANDS = ("F606W", "F160W")
CARD = {
    "name": "tiny", "version": "1.0", "bands": list(BANDS), "pixel_scale": 0.06, "threshold": 0.5, "floor": 0.3, "max_missing_bands": 1,
}  # fmt: skip


def unet_card(**changes):
    return {**CARD, "kind": "unet", "architecture": {"channels": len(BANDS), "filters": 4, "levels": 2}, **changes}


def cnn_card(**changes):
    return {**CARD, "kind": "cnn", "architecture": {"channels": len(BANDS), "filters": [4, 4], "dense": [8, 4]}, **changes}


def build(card, *, seed=0):
    """A network with random weights, in evaluation mode."""
    import torch

    from astroclumps.detection.network import UNet
    from astroclumps.longevity.network import LongevityCNN

    torch.manual_seed(seed)
    return (UNet if card["kind"] == "unet" else LongevityCNN)(**card["architecture"]).eval()


def tensors(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def random_weights(path, card, *, seed=0):
    return str(weights.save(path, tensors(build(card, seed=seed)), card))


def bright_pixel_weights(path, *, gain=8.0, offset=6.0, **changes):
    """A U-Net that looks at single pixels: logit = gain * max(0, mean over bands of the stretched image) - offset."""
    card = unet_card(**changes)
    state = {name: np.zeros_like(value) for name, value in tensors(build(card)).items()}
    state["down.0.0.weight"][0, :, 1, 1] = 1 / len(BANDS)  # the mean of the bands, at the centre of the kernel
    state["down.0.2.weight"][0, 0, 1, 1] = 1
    last = card["architecture"]["levels"] - 1
    state[f"join.{last}.0.weight"][0, 0, 1, 1] = 1  # the link comes before what comes up
    state[f"join.{last}.2.weight"][0, 0, 1, 1] = 1
    state["last.weight"][0, 0] = gain
    state["last.bias"][0] = -offset
    return str(weights.save(path, state, card))
