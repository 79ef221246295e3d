"""Networks: images a second in training and in use, by layout and precision, beside the matrix products that they need at least.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_network.py [--weights NAME_OR_FILE] [--images N]``. It prints a table of medians in one run
and writes JSON to ``--out``: the U-Net on 64x64 images as `~astroclumps.UNetDetector` runs it (eager float32 in both memory layouts,
bfloat16, traced and frozen, compiled where a compiler is there), with the largest change of a probability and of a detection list against
float32 on demo mocks; a training step in float32 and bfloat16; and as floor one float32 and one bfloat16 matrix product with as many
multiplications as the convolutions.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from astroclumps import SersicMocks
from astroclumps.detection.network import UNet
from astroclumps.detection.sources import extract
from astroclumps.detection.stretch import stretch
from astroclumps.networks import load_network

BATCH = 64
REPEATS = 5


def seconds(call):
    """Median seconds of a call, after one that warms up."""
    call()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def multiplications(network, batch):
    """Multiplications of all convolutions for a batch."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        area = output.shape[2] * output.shape[3]
        if isinstance(module, torch.nn.ConvTranspose2d):
            area = inputs[0].shape[2] * inputs[0].shape[3]
        total += module.weight.numel() * area * len(output)

    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, kinds)]
    with torch.inference_mode():
        network(batch)
    for hook in hooks:
        hook.remove()
    return total


def floor(n, dtype):
    """Seconds of matrix products with ``n`` multiplications in all."""
    side = 1024
    left, right = torch.randn(2, side, side).to(dtype)
    return seconds(lambda: left @ right) * n / side**3


def inputs(n):
    """Stretched noisy mocks, (n, band, y, x)."""
    mocks = SersicMocks(seed=5)
    images = []
    for i in range(n):
        mock = mocks.mock(i)
        noisy = mock.data + mock.sky.sample(mock.data.shape[-2:], rng=np.random.default_rng([5, i]), source=mock.data)
        images.append(stretch(noisy))
    return torch.from_numpy(np.stack(images))


def ways(network, channels_first, batch, compiled):
    """Calls that give the logits, by name."""
    last = batch.to(memory_format=torch.channels_last)

    def bfloat16():
        with torch.autocast("cpu", torch.bfloat16):
            return network(last).float()

    frozen = torch.jit.freeze(torch.jit.trace(network, last))
    made = {
        "float32, channels first": lambda: channels_first(batch),
        "float32, channels last": lambda: network(last),
        "float32, traced and frozen": lambda: frozen(last),
        "bfloat16, channels last": bfloat16,
    }
    if compiled:
        fast = torch.compile(network)
        made["float32, compiled"] = lambda: fast(last)
    return made


def detections(logits, card):
    """Rounded positions above the threshold, an image a set."""
    found = []
    for probability in torch.sigmoid(logits).numpy():
        x, y, score, *_ = extract(probability, threshold=card.get("floor", card["threshold"]))
        keep = score >= card["threshold"]
        found.append({(round(a), round(b)) for a, b in zip(x[keep], y[keep], strict=True)})
    return found


def training(filters, dtype, batch, truth):
    """Images a second of one step: forward, backward, Adam."""
    network = UNet(batch.shape[1], filters=filters).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters())
    batch = batch.to(memory_format=torch.channels_last)

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = network(batch)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return len(batch) / seconds(step)


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="default", help="name or file of a U-Net")
    parser.add_argument("--images", type=int, default=256, help="mocks on which detections are compared")
    parser.add_argument("--compile", action="store_true", help="try torch.compile too; needs a C++ compiler")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    network, card, _ = load_network(UNet, args.weights, kind="unet", device="cpu")
    first = UNet(**card["architecture"]).eval()
    first.load_state_dict(network.state_dict())
    images = inputs(max(args.images, BATCH))
    batch = images[:BATCH]
    n = multiplications(network, batch)
    table = {
        "weights": f"{card['name']} {card['version']}",
        "threads": torch.get_num_threads(),
        "multiplications_per_image": n / BATCH,
        "floor_float32_per_s": BATCH / floor(n, torch.float32),
        "floor_bfloat16_per_s": BATCH / floor(n, torch.bfloat16),
    }
    with torch.inference_mode():
        reference = torch.cat([network(part.to(memory_format=torch.channels_last)) for part in images.split(BATCH)])
        seen = detections(reference, card)
        for name, call in ways(network, first, batch, args.compile).items():
            table[name] = {
                "images_per_s": BATCH / seconds(call),
                "largest_change": float((torch.sigmoid(call()) - torch.sigmoid(reference[:BATCH])).abs().max()),
            }
        with torch.autocast("cpu", torch.bfloat16):
            half = torch.cat([network(part.to(memory_format=torch.channels_last)).float() for part in images.split(BATCH)])
    other = detections(half, card)
    table["bfloat16_detections"] = {
        "float32": sum(map(len, seen)),
        "in_both": sum(len(a & b) for a, b in zip(seen, other, strict=True)),
        "bfloat16": sum(map(len, other)),
    }
    truth = (torch.sigmoid(reference[:BATCH]) > 0.5).float()
    filters = card["architecture"]["filters"]
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        table[f"training_{name}_images_per_s"] = training(filters, dtype, batch, truth)
    text = json.dumps(table, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
