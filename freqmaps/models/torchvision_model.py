"""Any classifier of torchvision, from scratch or pretrained, with a new head for the dataset's classes.

The first convolution is adapted to the channels of the data: its kernels are summed over red, green and blue, so
that a gray image gives what its three equal channels would give.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freqmaps.core.errors import ConfigError, FreqmapsError, nearest
from freqmaps.models._layers import last_linear, replace
from freqmaps.models._weights import fit, read_weights

LIBRARIES = ("torchvision",)
TINY = {"name": "shufflenet_v2_x0_5"}
CHECK = "freqmaps.models._names:torchvision_model"


def build(*, classes: int, channels: int, size: int, name: str, pretrained: str | None = None) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images. Networks with position embeddings (ViT, MaxViT) are made for it; those of a
        pretrained ViT are interpolated.
    name
        As torchvision names it: ``resnet18``, ``vit_b_16``, ...
    pretrained
        None: from scratch. ``imagenet``: torchvision's ``IMAGENET1K_V1``, downloaded once; another of torchvision's
        names for weights; or the path of a file with the weights of this network (``.pt``, ``.pth``,
        ``.safetensors``), whose head is left out.

    Raises
    ------
    FreqmapsError
        Unknown name, unsuited size, no linear head, a failed download, or weights that do not fit.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError(f"torchvision_model: no model named '{name}'; {nearest(name, known)}")
    weights = None if pretrained is None else _weights(name, pretrained)
    net = _construct(name, size)
    top = last_linear(net, f"torchvision_model {name}")
    if weights is not None:
        if name.startswith("vit_"):
            weights = _resized(weights, net, size)
        fit(net, weights, f"{pretrained} for torchvision's {name}", ignore=(f"{top}.", "aux", "AuxLogits"))
    _adapt_channels(net, channels, name)
    features = net.get_submodule(top).in_features
    assert isinstance(features, int)
    replace(net, top, nn.Linear(features, classes))
    return net


def _construct(name: str, size: int) -> nn.Module:
    from torchvision import models

    sized: dict[str, Any] = {}
    if name.startswith("vit_"):
        sized = {"image_size": size}
    elif name.startswith("maxvit"):
        sized = {"input_size": (size, size)}
    elif name in ("googlenet", "inception_v3"):
        # Auxiliary heads would make the network return a tuple while it is trained.
        sized = {"aux_logits": False, "init_weights": False}
    try:
        net: nn.Module = models.get_model(name, weights=None, **sized)
    except (ValueError, RuntimeError, AssertionError) as error:
        raise FreqmapsError(
            f"torchvision_model: {name} cannot be made for {size}×{size} images ({error}); choose another network, or "
            "give the dataset another 'size'"
        ) from error
    patch = getattr(net, "patch_size", 1)
    if size % patch:
        raise FreqmapsError(f"torchvision_model: {name} needs a size that is a multiple of {patch}, not {size}")
    return net


def _weights(name: str, pretrained: str) -> dict[str, Tensor]:
    if Path(pretrained).suffix or os.sep in pretrained:
        return read_weights(Path(pretrained))
    from torchvision import models

    entries = {str(w.name): w for w in models.get_model_weights(name)}
    wanted = "IMAGENET1K_V1" if pretrained == "imagenet" else pretrained
    if wanted not in entries:
        allowed = ["imagenet", *entries]
        raise ConfigError(f"torchvision_model: {name} has no weights '{pretrained}'; {nearest(pretrained, allowed)}")
    try:
        return dict(entries[wanted].get_state_dict(progress=False, check_hash=True, map_location="cpu"))
    except (OSError, RuntimeError) as error:
        raise FreqmapsError(
            f"torchvision_model: could not download the weights of {name} ({error}); fetch {entries[wanted].url} "
            "on another machine and give the file's path as 'pretrained'"
        ) from error


def _resized(weights: dict[str, Tensor], net: nn.Module, size: int) -> dict[str, Tensor]:
    from torchvision.models.vision_transformer import interpolate_embeddings

    place = "encoder.pos_embedding"
    if place not in weights or weights[place].shape[1] == net.state_dict()[place].shape[1]:
        return weights
    return dict(interpolate_embeddings(size, int(getattr(net, "patch_size", 16)), dict(weights)))


def _adapt_channels(net: nn.Module, channels: int, name: str) -> None:
    """Give the first convolution as many input channels as the data have."""
    convolutions = [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3]
    if channels == 3:
        return
    if not convolutions:
        raise FreqmapsError(f"torchvision_model: {name} has no first convolution to adapt to {channels} channels")
    place, old = convolutions[0]
    pair = {n: getattr(old, n) for n in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")}
    new = nn.Conv2d(channels, old.out_channels, bias=old.bias is not None, **pair)
    with torch.no_grad():
        # ASSUME: with other than one channel, each gets an equal part of the sum.
        new.weight.copy_(old.weight.sum(dim=1, keepdim=True).expand_as(new.weight) / channels)
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    replace(net, place, new)
