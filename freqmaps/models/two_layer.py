"""The two-layer network of F21 (equation 1 and appendix C.2): only the first layer is trained.

``f_j(x) = sum over r of a_jr σ(w_r · x)`` for each class j. The outer layer a keeps its random initial values, as the
paper's Assumption 4 asks: it is part of the checkpoint, but no parameter, so that neither an optimizer nor weight decay
changes it.

Measured on scikit-learn's digits, 1500 of them for training, 500 sigmoids, 60 epochs of SGD at a constant rate: 91 % at
rate 1, 96 % with momentum 0.9 too. The sigmoid's small slope asks for rates far above those of other networks.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError

TINY = {"width": 8}
RANGES = {"width": "[1, 65536)"}

_ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "softplus": nn.Softplus}


def build(
    *, classes: int, channels: int, size: int, width: int = 500,
    activation: Literal["sigmoid", "relu", "softplus"] = "sigmoid", bias: bool = False, input_relu: bool = False,
) -> nn.Module:  # fmt: skip
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images.
    width
        Hidden units; the paper has 500.
    activation
        Of the hidden units; the paper's experiment has the sigmoid. Its second derivative is negative where the input
        of a unit is positive, so that the paper's Assumption 3 (``0 <= σ''``) does not hold for it.
    bias
        Whether hidden units have a bias, which equation 1 has not.
    input_relu
        Apply a ReLU to the input, as the paper does. It leaves images in [0, 1] as they are, but the gradient with
        respect to a pixel of value 0 becomes 0.
    """
    return TwoLayer(classes, channels * size * size, width, _ACTIVATIONS[activation](), bias, input_relu)


class TwoLayer(nn.Module):
    """A linear layer, an activation and a fixed linear layer.

    Parameters
    ----------
    classes
        Of the data.
    inputs
        Numbers in an image.
    width, bias, input_relu
        As for :func:`build`.
    activation
        Of the hidden units.
    """

    def __init__(
        self, classes: int, inputs: int, width: int, activation: nn.Module, bias: bool, input_relu: bool
    ) -> None:
        super().__init__()
        self.given = nn.Sequential(nn.Flatten(), nn.ReLU()) if input_relu else nn.Flatten()
        self.hidden = nn.Linear(inputs, width, bias=bias)
        self.activation = activation
        self.outer = FixedLinear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, c, h, w)."""
        logits: Tensor = self.outer(self.activation(self.hidden(self.given(images))))
        return logits


class FixedLinear(nn.Linear):
    """A linear layer without bias whose weights are a buffer: stored with the network, never trained.

    Parameters
    ----------
    inputs, outputs
        As of :class:`torch.nn.Linear`, whose initial values it draws.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        drawn = self.weight.detach()
        del self.weight
        self.register_buffer("weight", drawn)

    def requires_grad_(self, requires_grad: bool = True) -> FixedLinear:
        """Refuse to be trained: this is called for a head that is to be trained alone.

        Raises
        ------
        FreqmapsError
            ``requires_grad`` is true.
        """
        if requires_grad:
            raise FreqmapsError(
                "two_layer: the outer layer keeps its initial values and cannot be trained alone; set 'train' to all"
            )
        return self
