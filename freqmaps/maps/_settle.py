"""The settling phase: after a map's stopping rule has fired, a falling rate and the derivative from above at 0.

A map minimises a data term D plus λ‖M‖₁ over M ≥ 0. At the minimum an entry is 0 where ∂D/∂m + λ ≥ 0. The papers' codes
take sign(M) for the derivative of |M|, which is 0 at 0: an entry at 0 with −λ < ∂D/∂m < 0 is pushed off it, by a step
of the size of the rate, since Adam divides by the gradient's size, and pushed back at the next ones. It never rests.

The proximal step of the penalty over M ≥ 0, max(0, m − rate · (∂D/∂m + λ)), is a projected step with the derivative
from above: λ at 0, too. With it such an entry stays at 0 exactly. The falling rate brings the other entries to rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from freqmaps.maps._slots import Slots
    from freqmaps.maps.settings import MapSettings


#: In place of 0, where the penalty's derivative is to be that from above.
_ABOVE = 1e-30


def from_above(slots: Slots) -> Tensor:
    """Return the maps at which to take the penalty's gradient: for rows that settle, a little above 0 in place of 0.

    Complex maps, which have an axis more, have 0 in the middle of their range, and the smallest subgradient there.
    """
    if slots.map.ndim != 4:
        return slots.map
    at_bound = (slots.map == 0) & _rows(slots.settling >= 0, slots.map)
    return slots.map.masked_fill(at_bound, _ABOVE)


def share(slots: Slots, cfg: MapSettings) -> Tensor:
    """Return the rate of each row's next step, (b,), as a share of its rate before: 1, then along a line down to 0."""
    return 1 - slots.settling.clamp(min=0).to(slots.loss.dtype) / cfg.settling


def weigh(slots: Slots, loss: Tensor, logits: Tensor, cfg: MapSettings) -> Tensor:
    """Remember the maps that begin to settle; end those that have settled. Return which rows are still settling, (b,).

    A settled map is kept if its loss is not higher than that of the map as the stopping rule left it, and if it does
    not lose a prediction which that map kept; otherwise that map is put back. Its loss becomes the row's loss.

    Parameters
    ----------
    slots
        Changed in place.
    loss, logits
        (b,) and (b, classes): the objective of the maps as they stand, and what the network says under them.
    cfg
        With ``settling`` above 0.
    """
    right = logits.argmax(dim=1) == slots.target
    begins = slots.active & (slots.settling == 0)
    slots.start_map.copy_(torch.where(_rows(begins, slots.map), slots.map, slots.start_map))
    slots.start_loss.copy_(torch.where(begins, loss, slots.start_loss))
    slots.start_right.copy_(torch.where(begins, right, slots.start_right))
    ends = slots.active & (slots.settling == cfg.settling)
    better = (loss <= slots.start_loss) & (right | ~slots.start_right)
    slots.map.copy_(torch.where(_rows(ends & ~better, slots.map), slots.start_map, slots.map))
    slots.loss.copy_(torch.where(ends, torch.where(better, loss, slots.start_loss), slots.loss))
    slots.active.logical_and_(~ends)
    return slots.active & (slots.settling >= 0)


def go_on(slots: Slots, was_active: Tensor, inside: Tensor, converged: Tensor) -> None:
    """After the stopping rule: rows that it has just stopped begin to settle, rows that settle are left to.

    Parameters
    ----------
    slots
        Changed in place.
    was_active, inside, converged
        (b,) bool, before the rule: which rows were active, which of these were settling, which had converged.
    """
    slots.settling.add_(inside)
    begins = was_active & ~inside & ~slots.active
    slots.settling.copy_(torch.where(begins, torch.zeros_like(slots.settling), slots.settling))
    # The rule that counts quiet steps looks before a step: it must not stop a row that settles.
    slots.quiet.mul_(slots.settling < 0)
    slots.converged.copy_(torch.where(inside, converged, slots.converged))
    slots.active.copy_(was_active & slots.finite)


def _rows(which: Tensor, like: Tensor) -> Tensor:
    return which.view(-1, *[1] * (like.ndim - 1))
