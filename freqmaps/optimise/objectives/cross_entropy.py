"""Cross-entropy plus a sparsity penalty: CE(net(x_F), target) + λ‖M‖₁ (Basile et al., section III)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from freqmaps.core import limits

if TYPE_CHECKING:
    from torch import Tensor

TINY = {"penalty": 0.1}
RANGES = {"penalty": "[0, 1e6)"}


class CrossEntropy:
    """See :func:`build`; the methods are those of :class:`freqmaps.optimise.objectives._api.Objective`."""

    def __init__(self, penalty: float) -> None:
        self.strength = penalty

    def prepare(self, logits: Tensor, target: Tensor) -> Tensor:
        """Nothing needs to be remembered of the unfiltered image."""
        return logits.new_zeros(len(target), 0)

    def loss(self, logits: Tensor, target: Tensor, context: Tensor) -> Tensor:
        """Return the cross-entropy of each filtered image, in nats."""
        return cross_entropy(logits, target, reduction="none")

    def penalty(self, m: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ times the sum over all channels and full-plane entries of |M|, and λ sign(M): 0 where M is 0."""
        # The sum of thousands of entries is compared between steps to 1e-5: float32 would be too coarse.
        wide = torch.float32 if m.device.type == "mps" else torch.float64
        value = (m.abs() * weight).sum(dim=(1, 2, 3), dtype=wide)
        return self.strength * value, torch.sign(m).mul_(self.strength)


def build(*, penalty: float = 0.5) -> CrossEntropy:
    """Return the objective CE(net(x_F), target) + ``penalty`` · Σ|M|.

    Parameters
    ----------
    penalty
        λ, per entry of the full plane and channel. The paper has 0.5 for CIFAR-10 and 0.01 for Imagenette (its code:
        0.1). At least 0; with 0 nothing makes the map sparse.
    """
    limits.check({"penalty": penalty}, RANGES, "cross_entropy")
    return CrossEntropy(penalty)
