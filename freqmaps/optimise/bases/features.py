"""Frequencies of what a layer sees: z_F = Re F⁻¹(M ⊙ F z), z the feature maps of a named layer, M in [0, 1].

The network is cut at the layer: z is its output for the image, the map filters the spectrum of each feature map, and
the rest of the network goes on with z_F. Paths round the layer (shortcuts of residual networks) carry what they carry
for the unfiltered image. Frequencies are in cycles per feature map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.optimise.bases._api import Coefficients, Plan
from freqmaps.optimise.bases.fourier import FourierPlan

TINY = {"layer": "0"}
#: Whether it fits hangs on the network: that is asked before any work starts.
ASKS_NETWORK = True

#: The network inside the wrapper that normalises; its layers are named as their own network names them.
WRAPPED = "net."


@contextmanager
def _hooked(layer: nn.Module, hook: Callable[[nn.Module, Any, Any], Any]) -> Iterator[None]:
    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def feature_layers(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return the layers at which a network can be cut, in the order they run, and what they give for some images.

    They run exactly once per image and give one tensor of planes (n, channels, height, width) of more than one pixel.
    """
    outputs: dict[str, list[Any]] = {}
    handles = []
    for name, module in net.named_modules():

        def keep(module: nn.Module, given: Any, output: Any, name: str = name) -> None:
            outputs.setdefault(name, []).append(output.clone() if isinstance(output, Tensor) else None)

        if name and name + "." != WRAPPED:
            handles.append(module.register_forward_hook(keep))
    try:
        with torch.no_grad():
            net(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: out[0] for name, out in outputs.items() if len(out) == 1 and _are_planes(out[0], len(images))}


def _are_planes(output: Tensor | None, n: int) -> bool:
    return (
        output is not None
        and output.ndim == 4
        and len(output) == n
        and output.is_floating_point()
        and output[0, 0].numel() > 1
    )


class FeaturePlan(FourierPlan):
    """Half planes of the spectra of a layer's features; the coefficients are these and the images."""

    def __init__(self, net: nn.Module, layer: str, planes: Tensor, images: Tensor) -> None:
        super().__init__(planes)
        self.net, self.layer = net, layer
        self.numbers += images[0].numel()

    def coefficients(self, images: Tensor) -> Coefficients:
        """Return F z, and the images, from which the network starts again at every step."""
        outputs: list[Tensor] = []
        with _hooked(self.net.get_submodule(self.layer), lambda module, given, output: outputs.append(output.clone())):
            self.net(images)
        return torch.fft.rfft2(outputs[0]), images

    def logits(self, net: nn.Module, filtered: Tensor, coefficients: Coefficients) -> Tensor:
        """Return the network's logits for the images with the layer's output replaced."""
        # A copy, as the next layer may work in place.
        with _hooked(net.get_submodule(self.layer), lambda module, given, output: filtered.clone()):
            logits: Tensor = net(coefficients[1])
        return logits


class Features:
    """See :func:`build`."""

    folds = False

    def __init__(self, layer: str) -> None:
        self.layer = layer

    def bind(self, net: nn.Module, images: Tensor) -> Plan:
        """Find the layer and its features for images like these."""
        layers = feature_layers(net, images)
        name = next((n for n in (self.layer, WRAPPED + self.layer) if n in layers), None)
        if name is None:
            names = [n.removeprefix(WRAPPED) for n in layers]
            raise FreqmapsError(
                f"basis features: the network cannot be cut at layer '{self.layer}'; {nearest(self.layer, names)}"
            )
        plan = FeaturePlan(net, name, layers[name], images)
        with torch.enable_grad():
            planes = layers[name].requires_grad_()
            total = plan.logits(net, planes, (planes, images)).sum()
        if not total.requires_grad or torch.autograd.grad(total, planes, allow_unused=True)[0] is None:
            raise FreqmapsError(f"basis features: the logits do not depend on layer '{self.layer}'; choose another")
        return plan


def build(*, layer: str) -> Features:
    """Return the basis: a factor in [0, 1] for each frequency of each feature map of a layer.

    Parameters
    ----------
    layer
        Its name in the network, as ``named_modules`` gives it: ``layer1.0`` of a ResNet of torchvision, ``stages.0``
        of a ResNet for CIFAR. The error for a name that does not fit lists all that do.
    """
    return Features(layer)
