"""A small network for small images, such as 8×8 digits: three convolutions, then the mean of each quarter.

Measured on scikit-learn's digits, half of them for training, default settings: 98.1 to 99.4 % over three seeds on
random halves (96 to 98 % with one mean over the whole image, which forgets where strokes lie), 95.8 % on the halves
as the dataset gives them, where the last digits come from other writers.
"""

from __future__ import annotations

from torch import Tensor, nn

TINY = {"width": 4}
RANGES = {"width": "[1, 4096)"}


def build(*, classes: int, channels: int, size: int, width: int = 16) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images; any from 3 on.
    width
        Channels of the first convolution; the next have two and four times as many.
    """
    return SmallCnn(classes, channels, width)


class SmallCnn(nn.Module):
    """Convolutions of 3×3 with batch norm, the second of stride 2; means over 2×2 quarters; one linear layer.

    Parameters
    ----------
    classes, channels
        Of the data.
    width
        Channels of the first convolution.
    """

    def __init__(self, classes: int, channels: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_layer(channels, width, stride=1),
            *_layer(width, 2 * width, stride=2),
            *_layer(2 * width, 4 * width, stride=1),
            nn.AdaptiveAvgPool2d(2),
        )
        self.linear = nn.Linear(16 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, c, h, w)."""
        logits: Tensor = self.linear(self.features(images).flatten(1))
        return logits


def _layer(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
