"""A network frozen for input gradients: no weight gradients, batch norm folded away, fast memory layout."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.optimization import fuse
from torch.nn.modules.batchnorm import _BatchNorm

log = logging.getLogger(__name__)

#: Largest difference of logits, relative to their size, that folding batch norm may make.
FOLDING_TOLERANCE = 1e-4


def plain_copy(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of a network on a device, in evaluation mode, that asks for no weight gradients."""
    return copy.deepcopy(model).to(device).eval().requires_grad_(False)


def freeze(model: nn.Module, probe: Tensor, *, fold: bool = True) -> nn.Module:
    """Return a network with the same logits as ``model`` whose input gradient is cheaper.

    Batch norm is folded into the convolutions before it, and weights lie channels last but on CUDA. Of a network that
    cannot be traced as a whole, such as one behind a filter, the parts that can be are folded. Where none can, or the
    folded one's logits differ, the plain one is returned and a log line says so.

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


def is_folded(model: nn.Module) -> bool:
    """Return whether :func:`freeze` folded batch norm away, in the whole network or in parts of it."""
    return any(isinstance(module, GraphModule) for module in model.modules())


def _folded(plain: nn.Module, probe: Tensor) -> nn.Module:
    if not _norms(plain):
        return plain
    try:
        folded = _fused(copy.deepcopy(plain)).eval().requires_grad_(False)
        with torch.no_grad():
            expected, own = plain(probe), folded(probe)
    except Exception as error:  # tracing runs the user's code; what is wrong with that itself shows at its first use
        log.info("batch norm cannot be folded away and stays (%s: %s)", type(error).__name__, error)
        return plain
    difference, size = float((expected - own).abs().max()), float(expected.abs().max())
    if not difference <= FOLDING_TOLERANCE * (1.0 + size):
        log.info("batch norm stays unfolded: folding it changes the logits by %.2g of %.2g", difference, size)
        return plain
    return folded


def _fused(net: nn.Module) -> nn.Module:
    """Return a network with batch norm folded away: as a whole, or else in those of its parts that can be traced.

    Raises
    ------
    Exception
        Whatever tracing raises, where no part with batch norm can be traced.
    """
    try:
        return fuse(net)
    except Exception:
        folded = 0
        for name, part in list(net.named_children()):
            if not _norms(part) or isinstance(part, _BatchNorm):
                continue
            try:
                net.add_module(name, _fused(part))
                folded += 1
            except Exception as error:
                log.debug("batch norm stays unfolded in %s (%s: %s)", name, type(error).__name__, error)
        if not folded:
            raise
        return net


def _norms(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, _BatchNorm)]
