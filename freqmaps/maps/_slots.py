"""The state of the maps that are being optimised together, and one step of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from freqmaps.maps import _settle
from freqmaps.maps.settings import MapSettings
from freqmaps.optimise import adam
from freqmaps.optimise.adam import wide_float
from freqmaps.optimise.bases._api import Coefficients, Plan
from freqmaps.optimise.descent import Descent
from freqmaps.optimise.problem import Problem

#: What the images and their targets decide: it is found again where maps go on that an earlier run had begun.
_FROM_IMAGES = {"coefficients", "target", "context"}


@dataclass
class Slots(Descent):
    """b images in progress, one per row of every tensor: their maps and moments, and how far each is.

    Attributes
    ----------
    coefficients
        What the basis keeps of each image, such as F x: tensors with b rows.
    target, context
        (b,) and (b, ...): what the objective needs.
    steps
        (b,) int64: steps made.
    quiet
        (b,) int64: how many steps running the loss has been settled; counted only if the stopping rule asks.
    losses
        (b, window): the last losses, as a ring; 0 where there is none yet.
    loss
        (b,): the last loss.
    active
        (b,) bool: still to be optimised. The map of an inactive row does not change.
    converged, finite
        (b,) bool: how it ended; whether every loss was a number.
    settling
        (b,) int64: steps of the settling phase made, -1 before it.
    start_map, start_loss, start_right
        The map with which that phase began, (b, 0) where the settings have none; its loss, (b,); and whether it kept
        the prediction, (b,) bool.
    """

    coefficients: Coefficients
    target: Tensor
    context: Tensor
    steps: Tensor
    quiet: Tensor
    losses: Tensor
    loss: Tensor
    active: Tensor
    converged: Tensor
    finite: Tensor
    settling: Tensor
    start_map: Tensor
    start_loss: Tensor
    start_right: Tensor

    @classmethod
    def start(
        cls, plan: Plan, images: Tensor, target: Tensor, context: Tensor, window: int, settling: int = 0
    ) -> Slots:
        """Return the state before the first step: the map that changes nothing."""
        coefficients = plan.coefficients(images)
        initial = plan.initial(coefficients)
        b, device = len(images), images.device
        loss = torch.zeros(b, dtype=wide_float(device), device=device)
        true = torch.ones(b, dtype=torch.bool, device=device)
        return cls(
            coefficients=coefficients,
            target=target,
            context=context,
            map=initial,
            first=torch.zeros_like(initial),
            second=torch.zeros_like(initial),
            steps=torch.zeros(b, dtype=torch.int64, device=device),
            quiet=torch.zeros(b, dtype=torch.int64, device=device),
            losses=loss.new_zeros(b, window),
            loss=loss,
            active=true,
            converged=~true,
            finite=true.clone(),
            settling=torch.full((b,), -1, dtype=torch.int64, device=device),
            start_map=torch.zeros_like(initial) if settling else initial.new_zeros(b, 0),
            start_loss=loss.clone(),
            start_right=~true,
        )

    def __len__(self) -> int:
        return len(self.target)

    def select(self, rows: Tensor) -> Slots:
        """Return a copy of some rows."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        coefficients = tuple(part.index_select(0, rows) for part in values.pop("coefficients"))
        return Slots(coefficients=coefficients, **{name: part.index_select(0, rows) for name, part in values.items()})

    def write(self, rows: Tensor, other: Slots) -> None:
        """Put the rows of another state in place of some of these."""
        for mine, its in zip(self._tensors(), other._tensors(), strict=True):
            mine.index_copy_(0, rows, its)

    def begun(self) -> dict[str, Tensor]:
        """Return what the steps have changed, by name: all but what follows from the images."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _FROM_IMAGES}

    def go_on(self, begun: Mapping[str, Tensor]) -> None:
        """Take the place of what :meth:`begun` gave, row by row."""
        for name, mine in self.begun().items():
            mine.copy_(begun[name])

    def _tensors(self) -> list[Tensor]:
        rest = [getattr(self, f.name) for f in fields(self) if f.name != "coefficients"]
        return [*self.coefficients, *rest]


def advance(slots: Slots, problem: Problem, cfg: MapSettings) -> None:
    """Make one step of every active row: losses, gradient, Adam, projection, stopping rule.

    A row whose quiet steps are enough stops before its step if the network gives the target on its map as it stands.

    Memory is asked for before anything is changed, so that a state survives running out of it.
    """
    data = problem.data_term(slots.coefficients, slots.map, slots.target, slots.context)
    with torch.no_grad():
        where = _settle.from_above(slots) if cfg.settling else slots.map
        penalty, gradient = problem.plan.gradient(problem.objective, where, data.gradient)
        scratch = torch.empty_like(gradient)
        loss = data.loss.to(slots.loss.dtype) + penalty.to(slots.loss.dtype)
        if cfg.settling:
            inside = _settle.weigh(slots, loss, data.logits, cfg)
            was_active, converged = slots.active.clone(), slots.converged.clone()
        _stop_quiet(slots, data.logits, cfg)
        _record(slots, loss, cfg)
        _step(slots, gradient, scratch, problem.plan, cfg)
        _stop(slots, cfg)
        if cfg.settling:
            _settle.go_on(slots, was_active, inside, converged)


def _record(slots: Slots, loss: Tensor, cfg: MapSettings) -> None:
    slots.losses.scatter_(1, (slots.steps % cfg.window)[:, None], loss[:, None])
    slots.loss.copy_(torch.where(slots.active, loss, slots.loss))
    slots.finite.logical_and_(torch.isfinite(loss) | ~slots.active)
    slots.steps.add_(slots.active)


def _step(slots: Slots, gradient: Tensor, scratch: Tensor, plan: Plan, cfg: MapSettings) -> None:
    """One step of Adam of the active rows, each with its own step number and rate."""
    t = slots.steps.to(slots.loss.dtype)
    share, beta = adam.pace(cfg, t - 1, cfg.max_steps + 1)
    share = share * _settle.share(slots, cfg) if cfg.settling else share
    slots.step(plan, gradient, scratch, cfg.learning_rate * slots.active * share, t, beta)


def _stop_quiet(slots: Slots, logits: Tensor, cfg: MapSettings) -> None:
    if cfg.stop == "quiet":
        kept = logits.argmax(dim=1) == slots.target
        stopped = slots.active & kept & (slots.quiet >= cfg.patience) & (slots.steps > cfg.min_steps)
        slots.converged.logical_or_(stopped)
        slots.active.logical_and_(~stopped)


def _stop(slots: Slots, cfg: MapSettings) -> None:
    mean = slots.losses.sum(dim=1) / slots.steps.clamp(max=cfg.window)
    settled = (slots.loss - mean).abs() < cfg.tolerance
    if cfg.stop == "quiet":
        slots.quiet.add_(1).mul_(settled)
    else:
        converged = slots.active & settled & (slots.steps > cfg.min_steps)
        slots.converged.logical_or_(converged)
        slots.active.logical_and_(~converged)
    slots.active.logical_and_(~((slots.steps > cfg.max_steps) | ~slots.finite))
