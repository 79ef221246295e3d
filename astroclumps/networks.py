"""Networks ready to run: weights by name, bands and pixel scale checked against the model card."""

import math
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from . import weights as _weights
from .config import conf
from .exceptions import AstroclumpsWarning

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["import_torch", "load_network", "select_planes", "threads"]

_NEEDED = {"unet": ("pixel_scale", "threshold"), "cnn": ("pixel_scale",)}  # beyond what every card holds


def import_torch(who: Any) -> Any:
    """The torch module, or an ImportError with the sentence that says what to install."""
    try:
        import torch
    except ImportError as exc:
        raise ImportError(f'{who} needs torch; install it with  pip install "astroclumps[ml]"') from exc
    return torch


def load_network(build: Callable, spec: str, *, kind: str, device: str | None) -> Any:
    """Network with its weights, in evaluation mode.

    Parameters
    ----------
    build : callable
        ``build(**architecture)`` gives the torch module.
    spec : str
        Name or path of the weights (`astroclumps.weights.load`).
    kind : {'unet', 'cnn'}
    device : str or None
        None takes ``conf.device``.

    Returns
    -------
    network : torch.nn.Module
    card : dict
        The model card.
    device : str

    Raises
    ------
    WeightsError
        The card and the tensors do not make a network, or it does not give the known answer of the card.
    """
    import torch

    from .exceptions import WeightsError

    tensors, card = _weights.load(spec, kind=kind)
    device = device or conf.device
    missing = [key for key in _NEEDED[kind] if key not in card]
    if missing:
        raise WeightsError(f"the model card of weights {spec!r} lacks {missing}; a {kind} needs {list(_NEEDED[kind])}")
    channels = card["architecture"].get("channels")
    if channels != len(card["bands"]):
        raise WeightsError(f"the model card of weights {spec!r} lists {len(card['bands'])} bands for {channels} channels of the network")
    _check_numbers(card, tensors, spec)
    try:
        with torch.device("meta"):  # shapes only: nothing is reserved for what the card claims before the tensors bear it out
            claimed = {name: tuple(value.shape) for name, value in build(**card["architecture"]).state_dict().items()}
        shapes = {name: value.shape for name, value in tensors.items()}
        if claimed != shapes:
            wrong = sorted(name for name in claimed.keys() | shapes.keys() if claimed.get(name) != shapes.get(name))
            raise ValueError(f"names or shapes differ: {', '.join(wrong[:4])}{', ...' if len(wrong) > 4 else ''}")
        network = build(**card["architecture"])
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
    except (RuntimeError, TypeError, ValueError, OverflowError, IndexError) as exc:
        raise WeightsError(f"the tensors of weights {spec!r} do not fit the architecture of their card: {exc}") from exc
    network = network.eval()
    _check_answer(network, card, spec)
    return network.to(device=device, memory_format=torch.channels_last), card, device


def _check_numbers(card, tensors, spec):
    """Refuse an architecture with more parts than there are tensors, or wider than all of them, before it is built."""
    from .exceptions import WeightsError

    most = max(64, len(tensors), *(side for value in tensors.values() for side in value.shape))
    values = [card["architecture"]]
    while values:
        value = values.pop()
        values += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        if isinstance(value, (int, float)) and not -most <= value <= most:
            raise WeightsError(f"the model card of weights {spec!r} asks for {value} in the architecture; its tensors allow {most} at most")
    known = card.get("known_answer")
    if not known:
        return
    numbers = ("seed", "mean", "max", "tolerance")
    if not isinstance(known, dict) or not all(isinstance(known.get(key), (int, float)) for key in numbers) or "shape" not in known:
        raise WeightsError(f"the known answer of weights {spec!r} must hold {[*numbers, 'shape']}, got {known}")
    shape = known["shape"]
    if not (isinstance(shape, list) and all(type(side) is int and 0 < side <= 4096 for side in shape) and math.prod(shape) <= 2**24):
        raise WeightsError(f"the known answer of weights {spec!r} is for an input of shape {shape}; at most {2**24} numbers are taken")


def _check_answer(network, card, spec):
    """Compare the output for the seeded input with the one that the card knows; altered tensors give another."""
    import torch

    from .exceptions import WeightsError

    known = card.get("known_answer")
    if not known:
        return
    inputs = np.random.default_rng(known["seed"]).standard_normal(known["shape"]).astype(np.float32)
    with torch.inference_mode():
        out = torch.sigmoid(network(torch.from_numpy(inputs))).double()
    for name, value in (("mean", float(out.mean())), ("max", float(out.max()))):
        if not abs(value - known[name]) <= known["tolerance"]:
            raise WeightsError(
                f"weights {spec!r} do not give the known answer of their card: {name} {value:.6f} instead of {known[name]:.6f}; "
                "the file was altered, get it again"
            )


@contextmanager
def threads() -> Any:
    """Let torch use ``conf.n_jobs`` threads (0: as many as it likes) inside the block."""
    import torch

    before = torch.get_num_threads()
    if conf.n_jobs:
        torch.set_num_threads(conf.n_jobs)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def select_planes(image: "MultiBandImage", card: dict, *, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Planes of an image in the order of a network's bands.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
    card : dict
        Model card.
    who : str
        For messages.

    Returns
    -------
    data : ndarray of float32, shape (band, y, x)
        uJy; 0 for missing bands.
    mask : ndarray of bool, shape (band, y, x)
        True where there is no data.

    Raises
    ------
    ValueError
        More bands are missing than the network has seen missing, or the pixel scale differs by more than 10%.

    Warns
    -----
    AstroclumpsWarning
        A band of the network is missing.
    """
    wanted = tuple(card["bands"])
    lists = f"image has bands {', '.join(image.bands)}; weights {card['name']} {card['version']} were trained on {', '.join(wanted)}"
    have = {name: i for i, name in enumerate(image.bands)}
    missing = [b for b in wanted if b not in have or bool(image.mask[have[b]].all())]
    dead = all(bool(image.mask[i].all()) for i in range(len(image.bands)))
    limit = int(card.get("max_missing_bands", 0))
    absent = [b for b in wanted if b not in have]
    if len(absent) > limit or (len(missing) > limit and not dead):
        raise ValueError(f"{lists}; {', '.join(missing)} missing or masked everywhere, at most {limit} may be")
    if missing and not dead:
        warnings.warn(f"{lists}; {who} takes {', '.join(missing)} as missing", AstroclumpsWarning, stacklevel=4)
    scale, trained = image.pixel_scale.to_value(u.arcsec), float(card["pixel_scale"])
    if abs(scale / trained - 1) > 0.1:
        raise ValueError(
            f'{who}: image has pixels of {scale:.4g}", weights {card["name"]} {card["version"]} were trained at {trained:.4g}"; '
            "rebin the image to that scale, flux conserved (MultiBandImage.rebin)"
        )
    data = np.zeros((len(wanted), *image.data.shape[1:]), dtype=np.float32)
    mask = np.ones(data.shape, dtype=bool)
    for plane, name in enumerate(wanted):
        if name in have:
            data[plane] = image.data[have[name]]
            mask[plane] = image.mask[have[name]]
    data[mask] = 0
    return data, mask
