"""What a classifier uses: scrambled colours (paper section 6.1), bands taken away, and integrated gradients."""

import warnings

import astropy.units as u
import numpy as np

from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.image import MultiBandImage
from astroclumps.longevity.stamps import STAMP, cut_stamps

from .truth import PIXEL

__all__ = ["band_attribution", "integrated_gradients", "judge_stamps", "noisy_stamps", "scramble_colours"]

__doctest_requires__ = {"integrated_gradients": ["torch"]}

_SIDE = 40  # stamps a side of a mosaic
MAGNITUDES = (19.0, 24.0)
"""Range of the random magnitude of each band (paper section 3.2.2)."""


def noisy_stamps(galaxy_set, detections, *, seed, size=STAMP):
    """Stamps at the detections, cut from the noisy images.

    Parameters
    ----------
    galaxy_set : `~astroclumps.training.galaxy_set.GalaxySet`
    detections : list of (x, y, score)
    seed : int
        Of the noise.
    size : int, default 10
        Side of a stamp in pixels: what the classifier looks at.

    Returns
    -------
    stamps : ndarray of float32, shape (n, band, size, size)
        uJy, image by image in the order of the detections; NaN beyond the image.
    """
    parts = [np.zeros((0, len(galaxy_set.bands), size, size), dtype=np.float32)]
    for i, (x, y, *_) in enumerate(detections):
        if len(np.atleast_1d(x)):
            parts.append(cut_stamps(galaxy_set.noisy(i, seed=seed), np.atleast_1d(x), np.atleast_1d(y), size=size))
    return np.concatenate(parts)


def scramble_colours(stamps, *, seed, magnitudes=MAGNITUDES):
    """Give each band of each stamp a random magnitude of its own: colours are lost, structure stays (paper section 6.1).

    Parameters
    ----------
    stamps : ndarray, shape (n, band, y, x)
        uJy.
    seed : int
    magnitudes : tuple of float, default (19, 24)
        Range of the AB magnitude that the stamp has in a band.

    Returns
    -------
    scrambled : ndarray of float32, shape (n, band, y, x)
        Bands whose total is not positive stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.evaluation.interpretation import scramble_colours
    >>> made = scramble_colours(np.ones((1, 2, 10, 10)), seed=0)
    >>> (23.9 - 2.5 * np.log10(made.sum(axis=(2, 3)))).round(2)
    array([[22.18, 20.35]], dtype=float32)
    """
    stamps = np.asarray(stamps, dtype=np.float32)
    wanted = 10 ** (-0.4 * (np.random.default_rng(seed).uniform(*magnitudes, stamps.shape[:2]) - 23.9))
    total = np.nansum(stamps, axis=(2, 3), dtype=float)
    factor = np.where(total > 0, wanted / np.where(total > 0, total, 1), 1)
    return (stamps * factor[:, :, None, None]).astype(np.float32)


def judge_stamps(classifier, stamps, bands, *, missing=(), redshift=2.0):
    """What a classifier says of stamps, each on its own.

    The stamps are laid side by side in images, and the classifier is asked about their middles. It must not look beyond a stamp, as
    `~astroclumps.LongevityClassifier` does not.

    Parameters
    ----------
    classifier : object
        Has ``classify(image, clumps)``.
    stamps : ndarray, shape (n, band, size, size)
        uJy; NaN where there is no pixel.
    bands : sequence of str
    missing : sequence of str, optional
        Bands to mask everywhere.
    redshift : float, default 2
        Of the images, for a classifier that looks at it.

    Returns
    -------
    p_long : ndarray, shape (n,)
    """
    from astroclumps.detection.sources import detection_table

    stamps = np.asarray(stamps, dtype=np.float32)
    unknown = [band for band in missing if band not in bands]
    if unknown or stamps.ndim != 4 or stamps.shape[1] != len(bands) or stamps.shape[2] != stamps.shape[3]:
        raise ValueError(f"stamps must be (n, {len(bands)}, size, size) in {', '.join(bands)}, got {stamps.shape}, missing {missing}")
    size = stamps.shape[-1]
    out = []
    for first in range(0, len(stamps), _SIDE**2):
        part = stamps[first : first + _SIDE**2]
        rows = -(-len(part) // _SIDE)
        data = np.full((rows * _SIDE, len(bands), size, size), np.nan, dtype=np.float32)
        data[: len(part)] = part
        data = data.reshape(rows, _SIDE, len(bands), size, size).transpose(2, 0, 3, 1, 4).reshape(len(bands), rows * size, _SIDE * size)
        mask = ~np.isfinite(data)
        for band in missing:
            mask[list(bands).index(band)] = True
        image = MultiBandImage(
            data=np.nan_to_num(data) * u.uJy, mask=mask, bands=bands, pixel_scale=PIXEL * u.arcsec, redshift=redshift, name="stamps"
        )  # fmt: skip
        row, column = np.divmod(np.arange(len(part)), _SIDE)
        middle = (size - 1) / 2
        table = detection_table(
            image, column * size + middle, row * size + middle, np.ones(len(part)), np.ones(len(part)), history="stamps side by side"
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)
            out.append(np.asarray(classifier.classify(image, table)["p_long"], dtype=float))
    return np.concatenate([np.zeros(0), *out])


def integrated_gradients(network, inputs, *, baseline=None, steps=64):
    """Share of each input value in the logit of a network (Sundararajan et al. 2017).

    Gradients are averaged along the straight way from the baseline to the input, at the middles of equal steps, and multiplied with the
    difference; so that they add up to the difference of the logits at both ends, but for the error of the sum.

    Parameters
    ----------
    network : torch.nn.Module
        Gives one logit for each input.
    inputs : ndarray, shape (n, band, y, x)
        As `astroclumps.longevity.stamps.normalise` makes them.
    baseline : ndarray, shape (band, y, x), optional
        Default: 0, no light.
    steps : int, default 64

    Returns
    -------
    attribution : ndarray, shape (n, band, y, x)

    Examples
    --------
    >>> import numpy as np, torch
    >>> from astroclumps.evaluation.interpretation import integrated_gradients
    >>> integrated_gradients(lambda x: (x**2).sum(dim=(1, 2, 3)), np.full((1, 1, 1, 2), 3.0)).round(3).tolist()
    [[[[9.0, 9.0]]]]
    """
    import torch

    inputs = np.asarray(inputs, dtype=np.float32)
    start = np.zeros(inputs.shape[1:], dtype=np.float32) if baseline is None else np.asarray(baseline, dtype=np.float32)
    device = next(iter(network.parameters())).device if hasattr(network, "parameters") else "cpu"
    difference = torch.from_numpy(inputs - start).to(device)
    base = torch.from_numpy(np.ascontiguousarray(start)).to(device)
    total = torch.zeros_like(difference)
    for step in range(steps):
        place = (base + (step + 0.5) / steps * difference).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(network(place).sum(), place)
        total += gradient
    return (total / steps * difference).detach().cpu().numpy().astype(float)


def band_attribution(network, inputs, *, steps=64):
    """Weight of each band in the decisions of a network.

    Parameters
    ----------
    network, inputs, steps
        As in `integrated_gradients`.

    Returns
    -------
    weight : ndarray, shape (band,)
        Mean over the stamps of the size of each band's part (the sum of its pixels) in the logit, over the sum of all bands.
    signed : ndarray, shape (band,)
        Mean of the part with its sign: positive speaks for long-lived.
    """
    parts = [integrated_gradients(network, inputs[i : i + 512], steps=steps).sum(axis=(2, 3)) for i in range(0, len(inputs), 512)]
    parts = np.concatenate([np.zeros((0, inputs.shape[1])), *parts])
    size = abs(parts).mean(axis=0) if len(parts) else np.zeros(inputs.shape[1])
    return size / max(size.sum(), 1e-30), parts.mean(axis=0) if len(parts) else size
