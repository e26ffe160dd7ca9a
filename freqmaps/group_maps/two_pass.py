"""The two-pass classifier: its first prediction picks the map that filters the image (Basile et al., IV-G)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.half_planes import filtered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TwoPass(nn.Module):
    """The hard choice: net(x_F), with the map of the class that net(x) names.

    Its gradient goes through the filter and the network's second look, not through the choice, which is constant almost
    everywhere: that is the exact gradient wherever there is one. An attacker who knows the maps starts with it.

    Parameters
    ----------
    network
        From images in [0, 1] to logits (n, classes).
    maps
        (classes, c, h, w // 2 + 1) float32: half planes, one per class in the classes' order;
        :func:`freqmaps.group_maps.class_maps` reads them from a store.

    Raises
    ------
    FreqmapsError
        The maps have no such shape.
    """

    maps: Tensor

    def __init__(self, network: nn.Module, maps: NDArray[np.float32] | Tensor) -> None:
        super().__init__()
        self.network = network
        # What asks a network and puts its mode back must not leave this one in another.
        self.training = network.training
        self.register_buffer("maps", torch.as_tensor(maps, dtype=torch.float32))
        if self.maps.ndim != 4:
            raise FreqmapsError(
                f"two_pass: maps of shape {tuple(self.maps.shape)}; give (classes, channels, height, width // 2 + 1)"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the second look, (n, classes)."""
        with torch.no_grad():
            first = self._first(x).argmax(dim=1)
        return self._second(x, self.maps.index_select(0, first))

    def _first(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        if logits.shape[1] != len(self.maps):
            raise FreqmapsError(
                f"two_pass: the network has {logits.shape[1]} classes and there are {len(self.maps)} maps; "
                "give one map per class"
            )
        return logits

    def _second(self, x: Tensor, maps: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x)
        if spectrum.shape[1:] != self.maps.shape[1:]:
            raise FreqmapsError(
                f"two_pass: images {tuple(x.shape[1:])} and maps {tuple(self.maps.shape[1:])} do not fit; "
                "give images of the size that the maps were made for"
            )
        logits: Tensor = self.network(filtered(spectrum, maps, x.shape[-1]))
        return logits


class SoftTwoPass(TwoPass):
    """The choice made soft: the second looks through all maps, weighted by the first prediction's probabilities.

    Σ_c softmax(net(x) / ``temperature``)_c · net(x filtered by map c). The weights have a gradient, so an attacker can
    also push the first prediction towards a map that suits him; the attack must then be judged by :class:`TwoPass`,
    which this tends to as the temperature goes to 0 (where the first prediction is no tie). Costs one pass per class.

    Parameters
    ----------
    network, maps
        As for :class:`TwoPass`.
    temperature
        Above 0: small ones choose sharply and have gradients only near ties.

    Raises
    ------
    FreqmapsError
        The maps have no such shape, or the temperature is not above 0.
    """

    def __init__(self, network: nn.Module, maps: NDArray[np.float32] | Tensor, *, temperature: float = 1.0) -> None:
        super().__init__(network, maps)
        if not temperature > 0:
            raise FreqmapsError(f"two_pass: temperature is {temperature}; give a number above 0")
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted logits, (n, classes)."""
        first = self._first(x)
        return self._weighted(first, self._looks(x))

    def _looks(self, x: Tensor) -> Tensor:
        """Return the network's logits for the images filtered by each map, (n, maps, classes)."""
        return torch.stack([self._second(x, map_[None]) for map_ in self.maps], dim=1)

    def _weighted(self, first: Tensor, looks: Tensor) -> Tensor:
        weights = (first / self.temperature).softmax(dim=1)
        return (weights[:, :, None] * looks).sum(dim=1)


class ThroughChoice(SoftTwoPass):
    """The hard choice's logits with the soft choice's gradient: what an attacker of the whole model differentiates.

    Its logits are those of :class:`TwoPass`, so that an attack sees whether it has succeeded; the gradient is taken
    through :class:`SoftTwoPass` instead (BPDA: Athalye, Carlini and Wagner, ICML 2018, section 4.1), for the choice
    itself has none. Parameters and errors are those of :class:`SoftTwoPass`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the second look, (n, classes)."""
        first, looks = self._first(x), self._looks(x)
        chosen = looks[torch.arange(len(x), device=x.device), first.argmax(dim=1)].detach()
        soft = self._weighted(first, looks)
        return chosen + (soft - soft.detach())
