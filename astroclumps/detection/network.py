"""The encoder-decoder network of the paper (section 2.2), for torch."""

from typing import Any

import torch
from torch import nn

__all__ = ["UNet"]


def _pair(inside, outside):
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outside, outside, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """U-Net: contracting and expanding blocks with links between those of one level.

    A contracting block is two 3x3 convolutions with ReLU and a 2x2 max pooling; an expanding block is a 2x2 transposed
    convolution of stride 2, the concatenation with the contracting block's output, and two 3x3 convolutions with ReLU. The
    number of filters doubles with each level. The last layer is a 1x1 convolution; its sigmoid is left to the caller.

    Parameters
    ----------
    channels : int
        Number of bands.
    filters : int, default 16
        Filters of the first block (the paper gives them in a figure only; chosen by measurement).
    levels : int, default 3
        Number of poolings; sides of an image must be divisible by ``2**levels``.
    """

    def __init__(self, channels: int, *, filters: int = 16, levels: int = 3):
        super().__init__()
        self.levels = levels
        widths = [filters * 2**i for i in range(levels + 1)]
        self.down = nn.ModuleList(_pair(a, b) for a, b in zip([channels, *widths[:-2]], widths[:-1], strict=True))
        self.bottom = _pair(widths[-2], widths[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.join = nn.ModuleList(_pair(2 * w, w) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(filters, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Any) -> Any:
        """Logits of the probability map.

        Parameters
        ----------
        images : torch.Tensor, shape (n, channels, y, x)
            Stretched images.

        Returns
        -------
        logits : torch.Tensor, shape (n, y, x)
        """
        links = []
        for block in self.down:
            images = block(images)
            links.append(images)
            images = nn.functional.max_pool2d(images, 2)
        images = self.bottom(images)
        for up, join, link in zip(self.up, self.join, reversed(links), strict=True):
            images = join(torch.cat([link, up(images)], dim=1))
        return self.last(images)[:, 0]
