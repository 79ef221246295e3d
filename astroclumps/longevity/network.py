"""The classification network of the paper (section 2.1), for torch."""

from typing import Any

import torch
from torch import nn

__all__ = ["LongevityCNN", "LongevityEnsemble", "build_network"]


class LongevityCNN(nn.Module):
    """Three convolutional blocks, two dense layers, one neuron.

    A block is two 3x3 convolutions with ReLU, a 2x2 max pooling, dropout, and batch normalisation at its end. The sigmoid of the
    last neuron is left to the caller.

    Parameters
    ----------
    channels : int
        Number of bands.
    size : int, default 10
        Side of a stamp in pixels (paper section 4.1).
    filters : tuple of int, default (32, 64, 128)
        Filters of the blocks (ours; the paper gives them in a figure only).
    dense : tuple of int, default (128, 64)
        Neurons of the dense layers (ours).
    dropout : float, default 0.7
        Paper section 2.1.
    """

    def __init__(
        self,
        channels: int,
        *,
        size: int = 10,
        filters: tuple[int, ...] = (32, 64, 128),
        dense: tuple[int, ...] = (128, 64),
        dropout: float = 0.7,
    ):
        super().__init__()
        blocks, before = [], channels
        for width in filters:
            blocks += [
                nn.Conv2d(before, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
                nn.Dropout(dropout),
                nn.BatchNorm2d(width),
            ]
            before = width
        self.blocks = nn.Sequential(*blocks)
        side = size // 2 ** len(filters)
        if side < 1:
            raise ValueError(f"stamps of {size} pixels are too small for {len(filters)} poolings")
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * side * side, dense[0]),
            nn.ReLU(inplace=True),
            nn.Linear(dense[0], dense[1]),
            nn.ReLU(inplace=True),
            nn.Linear(dense[1], 1),
        )

    def forward(self, stamps: Any) -> Any:
        """Logits of being long-lived.

        Parameters
        ----------
        stamps : torch.Tensor, shape (n, channels, size, size)
            See `astroclumps.longevity.stamps.normalise`.

        Returns
        -------
        logits : torch.Tensor, shape (n,)
        """
        return self.dense(self.blocks(stamps))[:, 0]


class LongevityEnsemble(nn.Module):
    """Networks of one design, trained on different galaxies; what they disagree in is not known.

    Parameters
    ----------
    members : int
        Number of networks.
    **architecture
        Of each; see `LongevityCNN`.
    """

    def __init__(self, members: int, **architecture: Any):
        super().__init__()
        self.members = nn.ModuleList(LongevityCNN(**architecture) for _ in range(members))

    def forward(self, stamps: Any) -> Any:
        """Logits of the mean probability of the members; arguments as in `LongevityCNN.forward`."""
        p = torch.stack([torch.sigmoid(member(stamps)) for member in self.members]).mean(dim=0)
        return torch.logit(p.clamp(1e-7, 1 - 1e-7))


def build_network(*, members: Any = None, **architecture: Any) -> Any:
    """The network of a model card: a `LongevityEnsemble` where ``members`` is given, else a `LongevityCNN`."""
    return LongevityCNN(**architecture) if members is None else LongevityEnsemble(members, **architecture)
