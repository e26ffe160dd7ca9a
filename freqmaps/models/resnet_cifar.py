"""ResNet of the CIFAR family: 6n+2 layers, widths 16/32/64, shortcuts without parameters.

He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError

TINY = {"depth": 8, "width": 4}
CHECK = "freqmaps.models._names:resnet_cifar"
RANGES = {"depth": "[8, 2000)", "width": "[1, 1024)"}
ASKED = ("depth",)


def build(*, classes: int, channels: int, size: int, depth: int = 20, width: int = 16) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images; any, since the last stage is averaged over space.
    depth
        Layers with weights: 6n+2 (20, 32, 44, 56, 110).
    width
        Channels of the first of three stages; each next stage has twice as many.

    Raises
    ------
    FreqmapsError
        The depth is not 6n+2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise FreqmapsError(f"resnet_cifar: depth {depth} is not 6n+2; use 20, 32, 44, 56 or 110")
    return ResNetCifar(classes, channels, (depth - 2) // 6, width)


class ResNetCifar(nn.Module):
    """Three stages of ``blocks`` residual blocks at full, half and quarter resolution.

    Parameters
    ----------
    classes, channels
        Of the data.
    blocks
        Residual blocks per stage.
    width
        Channels of the first stage.
    """

    def __init__(self, classes: int, channels: int, blocks: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        stages = []
        for number in range(3):
            out = width << number
            first = Block(out // 2 if number else width, out, stride=2 if number else 1)
            stages.append(nn.Sequential(first, *(Block(out, out, stride=1) for _ in range(blocks - 1))))
        self.stages = nn.Sequential(*stages)
        self.linear = nn.Linear(4 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, c, h, w)."""
        features: Tensor = self.stages(torch.relu(self.bn(self.conv(images))))
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut of option A: every second pixel, new channels zero.

    Parameters
    ----------
    inputs, outputs
        Channels.
    stride
        Of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.grows = stride, outputs - inputs

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output."""
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(features)))))
        if self.grows:
            # ASSUME: half of the zero channels before and half behind; the paper leaves their place open.
            before = self.grows // 2
            pad = (0, 0, 0, 0, before, self.grows - before)
            features = F.pad(features[:, :, :: self.stride, :: self.stride], pad)
        return torch.relu(inner + features)
