"""VGG11 with batch norm.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, table 1,
configuration A; batch norm after each convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError

TINY = {"width": 4, "hidden": 16, "grid": 1}
RANGES = {"width": "[1, 4096)", "hidden": "[0, 65536)", "grid": "[1, 64)", "dropout": "[0, 1)"}
ASKED = ("size",)

#: Channels of each convolution in units of ``width``; 0: halve the resolution.
_LAYERS = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0)


def build(
    *,
    classes: int,
    channels: int,
    size: int,
    width: int = 64,
    hidden: int = 4096,
    grid: int = 7,
    dropout: float = 0.5,
) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images; at least 32, since it is halved five times.
    width
        Channels of the first convolution.
    hidden
        Units of each of two hidden layers of the classifier; 0: a single linear layer.
    grid
        The features are averaged to ``grid`` × ``grid`` before the classifier. The paper's 224×224 images give 7;
        1 suits 32×32.
    dropout
        Share of hidden units that training drops.

    Raises
    ------
    FreqmapsError
        The images are smaller than 32×32.
    """
    if size < 32:
        raise FreqmapsError(f"vgg11_bn: images of {size}×{size} are too small, 32×32 is the least; use small_cnn")
    return Vgg(classes, channels, width, hidden, grid, dropout)


class Vgg(nn.Module):
    """Convolutions of 3×3 with batch norm and ReLU between max pools; a mean to a grid; a classifier.

    Parameters
    ----------
    classes, channels, width, hidden, grid, dropout
        As for :func:`build`.
    """

    def __init__(self, classes: int, channels: int, width: int, hidden: int, grid: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = channels
        for factor in _LAYERS:
            if factor == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            outputs = factor * width
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(grid))
        self.classifier = _classifier(inputs * grid * grid, hidden, classes, dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, c, h, w)."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def _classifier(inputs: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    if hidden == 0:
        return nn.Sequential(nn.Linear(inputs, classes))
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )  # fmt: skip
