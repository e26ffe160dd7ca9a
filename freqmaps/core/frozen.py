"""A network frozen for input gradients: no weight gradients, batch norm folded away, fast memory layout."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

log = logging.getLogger(__name__)

#: Largest difference of logits, relative to their size, that folding batch norm may make.
FOLDING_TOLERANCE = 1e-4


def plain_copy(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of a network on a device, in evaluation mode, that asks for no weight gradients."""
    return copy.deepcopy(model).to(device).eval().requires_grad_(False)


def freeze(model: nn.Module, probe: Tensor, *, fold: bool = True) -> nn.Module:
    """Return a network with the same logits as ``model`` whose input gradient is cheaper.

    Batch norm is folded into the convolutions before it, and weights lie channels last but on CUDA. Where the network
    cannot be traced, or the folded one's logits differ, the plain one is returned and a log line says so.

    Parameters
    ----------
    model
        Any network from images to logits; left unchanged.
    probe
        (n, c, h, w) float32 images on the model's device, on which both are compared.
    fold
        False keeps every layer as it is.
    """
    plain = plain_copy(model, probe.device)
    folded = _folded(plain, probe) if fold else plain
    if probe.device.type == "cuda":
        return folded  # in full float32 an input gradient takes .62 of the time channels first (docs/gpu.md)
    # Convolutions run about a fifth faster so; the first one turns its contiguous input by itself.
    return folded.to(memory_format=torch.channels_last)


def _folded(plain: nn.Module, probe: Tensor) -> nn.Module:
    if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in plain.modules()):
        return plain
    try:
        folded = fuse(plain).eval().requires_grad_(False)
    except Exception as error:  # tracing runs the user's code: anything may come out of it
        log.info("the network cannot be traced, batch norm stays unfolded (%s: %s)", type(error).__name__, error)
        return plain
    with torch.no_grad():
        expected, own = plain(probe), folded(probe)
    difference, size = float((expected - own).abs().max()), float(expected.abs().max())
    if not difference <= FOLDING_TOLERANCE * (1.0 + size):
        log.info("batch norm stays unfolded: folding it changes the logits by %.2g of %.2g", difference, size)
        return plain
    return folded
