"""Invariance of the loss plus relative sparsity: exp[(CE(net(x_F), y) − CE(net(x), y))²] + λ‖M‖_p / ‖M₀‖_p (K22).

Karantzas et al. (2022) ask for the frequencies without which the *loss* would change, in either direction, where
Basile et al. ask for those that the *class* needs.

The exponential of a squared loss difference leaves floating point early: a difference of 10 nats is e¹⁰⁰, and Adam
squares the gradient again. So the exponential goes on as a straight line, with equal value and slope, once the squared
difference exceeds ``bound``:

    E(u) = exp(u)                        for u = (CE(net(x_F), y) − CE(net(x), y))² ≤ bound,
    E(u) = exp(bound) · (1 + u − bound)  beyond.

What is sought is the same. A map better than the initial one has exp(u) < 1 + λ, hence u < log(1 + λ) (0.07 for the
paper's λ): there, and up to ``bound``, E is eq. 2 to the last bit, so both functions have the same minimisers, and the
same minima with u ≤ bound. Beyond, the gradient points where that of eq. 2 points, as far as its data term goes; only
its length is bounded. The length matters: Adam divides by the root of a mean of squared gradients that forgets over
thousands of steps, so one step at e³⁰ leaves all later ones without effect. Of 16 maps of a small ResNet made in 800
one-cycle steps with a largest rate of 0.2, the worst ended at 1.008 with a bound of 1, at 1.02 with one of 4, and at
1.14, above the 1.07 of the initial map, with 16 or more; the median was the same to five digits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy, relu

from freqmaps.core import limits
from freqmaps.core.errors import FreqmapsError

if TYPE_CHECKING:
    from torch import Tensor

TINY = {"penalty": 0.1}
RANGES = {"penalty": "[0, 1e6)", "p": "[1, 1000)", "bound": "(0, 32]"}
ASKED = ("penalty", "p", "bound")


class Invariance:
    """See :func:`build`; the methods are those of :class:`freqmaps.optimise.objectives._api.Objective`."""

    def __init__(self, penalty: float, p: float, bound: float) -> None:
        self.strength, self.p, self.bound = penalty, p, bound

    def prepare(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of each unfiltered image, (b,), in nats."""
        return cross_entropy(logits, target, reduction="none")

    def loss(self, logits: Tensor, target: Tensor, context: Tensor) -> Tensor:
        """Return E of the squared change of each image's cross-entropy, (b,): 1 where nothing changed."""
        square = (cross_entropy(logits, target, reduction="none") - context) ** 2
        return square.clamp(max=self.bound).exp() * (1 + relu(square - self.bound))

    def penalty(self, m: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ‖M‖_p / ‖M₀‖_p over all channels and full-plane entries, M₀ all ones, and its gradient.

        The ratio is the p-mean of |M|, t = (mean |M|^p)^(1/p); its gradient per entry is sign(M)(|M| / t)^(p−1) / n for
        n entries, and 0 where M is 0.
        """
        wide = torch.float32 if m.device.type == "mps" else torch.float64
        size, entries = m.abs(), m.shape[1] * weight.sum(dtype=wide)
        mean = ((size**self.p) * weight).sum(dim=(1, 2, 3), dtype=wide) / entries
        norm = mean ** (1 / self.p)
        gradient = torch.sign(m).mul_((self.strength / entries).to(m.dtype))
        if self.p != 1:
            # Where a whole map is 0, so is the quotient's numerator.
            scale = torch.where(norm > 0, norm, torch.ones_like(norm)).to(m.dtype)
            gradient *= (size / scale[:, None, None, None]) ** (self.p - 1)
        return self.strength * norm, gradient


def build(*, penalty: float = 0.07, p: float = 1.0, bound: float = 1.0) -> Invariance:
    """Return the objective E[(CE(net(x_F), target) − CE(net(x), target))²] + ``penalty`` · ‖M‖_p / ‖M₀‖_p.

    Parameters
    ----------
    penalty
        λ. The paper has 0.07 for single images. Divided by the norm of the initial map, all ones, so it does not hang
        on the images' size: a map of zeros saves λ. At least 0.
    p
        Of the norm, at least 1. The paper has 1, which makes maps sparse.
    bound
        Squared difference of the losses, in nats², beyond which the exponential goes on as a straight line; in
        (0, 32], as the square of e³² times a gradient is about what single precision holds. Choose it above
        log(1 + λ), within which the minimisers lie.
    """
    limits.check({"penalty": penalty, "p": p, "bound": bound}, RANGES, "invariance")
    if math.log1p(penalty) >= bound:
        raise FreqmapsError(
            f"invariance: bound {bound} must exceed log(1 + penalty) = {math.log1p(penalty):.3g}; raise bound"
        )
    return Invariance(penalty, p, bound)
