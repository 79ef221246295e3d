"""Model cards: what a network saw, how it was made and how well it does, written with its weights."""

import numpy as np
import torch

__all__ = ["ARCHITECTURES", "known_answer", "write_weights"]

ARCHITECTURES = {"unet": "U-Net, Ginzburg et al. 2021 section 2.2", "cnn": "CNN, Ginzburg et al. 2021 section 2.1"}

LICENCE = "BSD-3-Clause"
CITATION = "astroclumps developers (software); method: Ginzburg et al. 2021, MNRAS 501, 730"


def known_answer(network, shape):
    """Output for a seeded input, by which a loaded network can be checked.

    Parameters
    ----------
    network : torch.nn.Module
    shape : tuple of int
        Shape of the input, (1, channels, y, x).

    Returns
    -------
    answer : dict
        seed, shape, mean and max of the sigmoid of the output, tolerance. The input is
        ``numpy.random.default_rng(seed).standard_normal(shape)`` in float32.
    """
    inputs = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        out = torch.sigmoid(network.eval()(torch.from_numpy(inputs))).double()
    return {"seed": 0, "shape": list(shape), "mean": float(out.mean()), "max": float(out.max()), "tolerance": 1e-4}


def write_weights(path, network, *, kind, shape, **card):
    """Write a network with its card.

    Parameters
    ----------
    path : path-like
        Ends in ``.safetensors``.
    network : torch.nn.Module
    kind : {'unet', 'cnn'}
    shape : tuple of int
        Shape of an input with one image.
    **card
        The rest of the card (`astroclumps.weights.CARD_KEYS`); scores in ``held_out`` that are not finite become None.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ValueError
        The threshold is not finite, because the network found nothing that is a clump.
    """
    from astroclumps import weights

    if not np.isfinite(card.get("threshold", 0.5)):
        raise ValueError("nothing that the network found on the validation images is a clump, so that it has no threshold; train longer")
    scores = card.get("held_out") or {}
    card["held_out"] = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in scores.items()}
    tensors = {k: v.detach().cpu().contiguous().numpy() for k, v in network.state_dict().items()}
    card = {
        "kind": kind, "design": ARCHITECTURES[kind], "licence": LICENCE, "citation": CITATION,
        "known_answer": known_answer(network, shape), **card,
    }  # fmt: skip
    return weights.save(path, tensors, card)
