"""PreAct ResNet-18 for small images: batch norm and ReLU before each convolution.

He et al., "Identity mappings in deep residual networks", ECCV 2016, figure 4e, with a 3×3 first convolution of
stride 1 as is usual on 32×32 images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

TINY = {"width": 4}
RANGES = {"width": "[1, 4096)"}


def build(*, classes: int, channels: int, size: int, width: int = 64) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images; any, since the last stage is averaged over space.
    width
        Channels of the first of four stages; each next stage has twice as many.
    """
    return PreactResNet18(classes, channels, width)


class PreactResNet18(nn.Module):
    """Four stages of two pre-activation blocks; the last three halve the resolution.

    Parameters
    ----------
    classes, channels
        Of the data.
    width
        Channels of the first stage.
    """

    def __init__(self, classes: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        for number in range(4):
            out = width << number
            first = PreactBlock(out // 2 if number else width, out, stride=2 if number else 1)
            blocks += [first, PreactBlock(out, out, stride=1)]
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(8 * width)
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, c, h, w)."""
        features = torch.relu(self.bn(self.blocks(self.conv(images))))
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


class PreactBlock(nn.Module):
    """BN, ReLU, convolution, twice; a 1×1 convolution of the activated input is the shortcut where shapes change.

    Parameters
    ----------
    inputs, outputs
        Channels.
    stride
        Of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output."""
        active = torch.relu(self.bn1(features))
        kept = features if self.shortcut is None else self.shortcut(active)
        inner: Tensor = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return inner + kept
