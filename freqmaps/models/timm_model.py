"""Any classifier of timm (PyTorch Image Models), from scratch or from a file of pretrained weights, with a new head.

The first convolution is adapted to the channels of the data, and position embeddings to their size, by timm itself.
With ``normalise: pretrained`` the images are normalised as the weights expect it.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.models._weights import read_weights

LIBRARIES = ("timm",)
TINY = {"name": "test_resnet"}
CHECK = "freqmaps.models._names:timm_model"


def build(
    *, classes: int, channels: int, size: int, name: str, pretrained: str | None = None, scale: bool = False
) -> nn.Module:
    """Return the network.

    Parameters
    ----------
    classes, channels
        Of the data.
    size
        Side of the square images.
    name
        As timm names it: ``resnet50``, ``vit_small_patch16_224``, ``convnext_tiny.fb_in1k``, ...
    pretrained
        None: from scratch. Otherwise the path of a file with weights of this network, as timm publishes them
        (``model.safetensors``, ``.pt``, ``.pth``), whose head is left out.
    scale
        Whether images are scaled, inside the network, to the size that its weights were trained with (bilinear, with
        a filter that widens when it shrinks). Without, the network is made for images of the data's own size.

    Raises
    ------
    ConfigError
        timm is not installed, or has no such network.
    FreqmapsError
        Unsuited size, or weights that do not fit.
    """
    timm = _timm()
    known = timm.list_models()
    if name.split(".")[0] not in known:
        close = difflib.get_close_matches(name, known, n=5, cutoff=0.3) or known[:5]
        raise ConfigError(f"timm_model: no model named '{name}'; the nearest are {', '.join(close)}")
    trained_size = int(_pretrained_cfg(timm, name)["input_size"][-1])
    side = trained_size if scale else size
    weights = None if pretrained is None else _checked(read_weights(Path(pretrained)), pretrained, name)
    net = _construct(timm, name, weights, pretrained, classes=classes, channels=channels, side=side)
    if side != size:
        net.register_forward_pre_hook(_Scaled(side))
    _try(net, name, channels, size, trained_size)
    return net


class _Scaled:
    """Scales images (n, c, h, w) to a side before a network sees them."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        shape = (self.side, self.side)
        return (F.interpolate(inputs[0], shape, mode="bilinear", align_corners=False, antialias=True),)


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ConfigError("timm_model: the package timm is not installed; run pip install 'timm>=1.0'") from error
    # It lists every name of a file that does not fit; the error that follows says what is wrong in one sentence.
    logging.getLogger("timm").setLevel(logging.ERROR)
    return timm


def _pretrained_cfg(timm: Any, name: str) -> Mapping[str, Any]:
    try:
        config = timm.get_pretrained_cfg(name)
    except (RuntimeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"timm_model: timm knows no weights '{name}' ({error}); leave out what follows the dot"
        ) from (error)
    if config is None:
        raise ConfigError(f"timm_model: timm knows no configuration of '{name}'; choose another network")
    settings: Mapping[str, Any] = config.to_dict()
    return settings


def _checked(weights: dict[str, Tensor], path: str, name: str) -> dict[str, Tensor]:
    broken = [n for n, tensor in weights.items() if tensor.is_floating_point() and not bool(tensor.isfinite().all())]
    if broken:
        raise FreqmapsError(f"{path} for timm's {name}: '{broken[0]}' holds NaN or infinity; take another file")
    return weights


def _construct(
    timm: Any, name: str, weights: dict[str, Tensor] | None, path: str | None, *, classes: int, channels: int, side: int
) -> nn.Module:
    """Make the network for images of a side, and let timm adapt the weights to channels and side.

    Weights are loaded together with their head, which is then replaced: timm would pass over names that do not fit
    if it had to leave the head out.
    """
    arguments: dict[str, Any] = {"num_classes": classes, "in_chans": channels}
    if weights is not None:
        arguments["num_classes"] = _head_of(weights, _pretrained_cfg(timm, name))
        overlay = {"state_dict": weights, "num_classes": arguments["num_classes"]}
        arguments |= {"pretrained": True, "pretrained_cfg_overlay": overlay}
    if _fixed(timm, name):
        arguments["img_size"] = side
    try:
        net: nn.Module = timm.create_model(name, **arguments)
        if weights is not None:
            net.reset_classifier(classes)  # type: ignore[operator]
    except (RuntimeError, ValueError, AssertionError, TypeError, KeyError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        of = f"{path} for timm's {name}" if path else f"timm_model: {name}"
        raise FreqmapsError(
            f"{of}: cannot be made for images of side {side} ({reason}); choose another network, or give the dataset "
            "another 'size'"
        ) from error
    return net


def _head_of(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> int:
    """Return for how many classes the weights are; 0 if they come without a head."""
    heads = config["classifier"]
    for head in heads if isinstance(heads, list | tuple) else [heads]:
        if f"{head}.weight" in weights:
            return int(weights[f"{head}.weight"].shape[0])
    return 0


def _fixed(timm: Any, name: str) -> bool:
    """Tell whether the network is made for one size of images, as those with position embeddings are."""
    return bool(_pretrained_cfg(timm, name).get("fixed_input_size", False))


def _try(net: nn.Module, name: str, channels: int, size: int, trained_size: int) -> None:
    """Ask the network for the logits of one black image, which small images do not survive in some networks."""
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, channels, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise FreqmapsError(
            f"timm_model: {name} takes no images of side {size} ({' '.join(str(error).split())[:160]}); set 'scale' to "
            f"true, or the dataset's 'size' to {trained_size}"
        ) from error
    finally:
        net.train(was_training)
