"""Finding and replacing single layers of a network."""

from __future__ import annotations

from torch import nn

from freqmaps.core.errors import FreqmapsError


def last_linear(net: nn.Module, where: str) -> str:
    """Return the name of a network's last linear layer in order of registration: its classifier.

    Parameters
    ----------
    net
        Any network.
    where
        What messages call it.

    Raises
    ------
    FreqmapsError
        It has no linear layer.
    """
    names: list[str] = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise FreqmapsError(f"{where}: the network has no linear layer that could be its head; choose another")
    return names[-1]


def replace(net: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of a named one."""
    parent, _, attribute = name.rpartition(".")
    setattr(net.get_submodule(parent), attribute, layer)
