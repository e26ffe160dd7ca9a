"""Hooks, which observe a network while it is trained and record measurements without changing the training."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from freqmaps.core.device import rng_devices
from freqmaps.core.errors import FreqmapsError
from freqmaps.training.context import Batch, StepContext

DECIDES_NUMBERS = False

Event = Literal["before_first_step", "after_step", "after_epoch"]
EVENTS: tuple[Event, ...] = ("before_first_step", "after_step", "after_epoch")

#: Of each event, what was recorded by the number of the step or epoch.
Records = dict[str, dict[int, Any]]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a hook is shown.

    Attributes
    ----------
    model
        In eval mode, with the weights after the step.
    context
        The step that was just made (before the first one: the one to come), with a generator that is the hook's own.
    batch
        The step's images and labels, not yet prepared by the regime; None except after a step.
    history
        A copy of the records of the epochs that are done.
    """

    model: nn.Module
    context: StepContext
    batch: Batch | None
    history: list[dict[str, float]]


class Hook:
    """Looks on along a training. A hook of its own overrides the methods for the moments that it wants to see.

    What a method returns is recorded: a tensor, number, text, None (nothing is recorded), or lists and dicts of those.
    The loop holds the records, saves them with the state of the training, and gives them back when the training goes
    on: steps that are made again after an interruption replace what they had recorded.

    A hook runs with the network in eval mode and under a random state of its own. It cannot change the training:
    modes and random states are put back, and changed weights or buffers end the training with an error.

    Attributes
    ----------
    records
        Set by the training: of each event (``before_first_step``, ``after_step``, ``after_epoch``), what was recorded
        by the number of the step or epoch, from 0.
    """

    records: Records

    @property
    def name(self) -> str:
        """What records and messages call this hook; no two hooks of a training may share it."""
        return type(self).__name__

    def wants(self, step: int) -> bool:
        """Tell whether :meth:`after_step` is to be called after this step; each call costs a check of all weights."""
        return True

    def lacks(self, steps: int) -> bool:
        """Tell whether something is gone that this hook kept elsewhere of the first steps: the training begins anew.

        Asked before a training goes on after an interruption, with the number of steps that would not be made again.
        """
        return False

    def before_first_step(self, moment: Moment) -> Any:
        """Look at the network before it is trained."""

    def after_step(self, moment: Moment) -> Any:
        """Look at the network after a step."""

    def after_epoch(self, moment: Moment) -> Any:
        """Look at the network after an epoch."""


class Hooks:
    """Calls the hooks of one training, guards it against them, and holds what they record.

    Parameters
    ----------
    hooks
        Of different names.
    model
        The network that is trained.
    device
        Where it lies.
    derive_seed
        From the number of a step and a purpose to a seed.

    Attributes
    ----------
    records
        Of each hook by its name.

    Raises
    ------
    FreqmapsError
        Two hooks share a name.
    """

    def __init__(
        self, hooks: Sequence[Hook], model: nn.Module, device: torch.device, derive_seed: Callable[[int, str], int]
    ) -> None:
        names = [hook.name for hook in hooks]
        if len(set(names)) < len(names):
            raise FreqmapsError(f"training: hooks {names} share a name; give each a 'name' of its own")
        self._hooks, self._model, self._device, self._derive_seed = hooks, model, device, derive_seed
        self.records: dict[str, Records] = {}
        self.restore({})

    def restore(self, records: Mapping[str, Records]) -> None:
        """Take over what an interrupted training had recorded, and show it to the hooks."""
        self.records = {hook.name: records.get(hook.name, {event: {} for event in EVENTS}) for hook in self._hooks}
        for hook in self._hooks:
            hook.records = self.records[hook.name]

    def call(
        self, event: Event, number: int, context: StepContext, history: list[dict[str, float]], batch: Batch | None
    ) -> None:
        """Call every hook that wants this event, and record what it returns under the step's or epoch's number.

        Raises
        ------
        FreqmapsError
            A hook has changed the network, or returned what cannot be saved.
        """
        for hook in self._hooks:
            ignored = getattr(type(hook), event) is getattr(Hook, event)
            if ignored or (event == "after_step" and not hook.wants(number)):
                continue
            seed = self._derive_seed(context.step, f"hook {hook.name} {event}")
            with _guarded(self._model, hook.name, event, self._device, seed) as generator:
                own = replace(context, generator=generator, scaler=None)
                moment = Moment(model=self._model, context=own, batch=batch, history=copy.deepcopy(history))
                record = getattr(hook, event)(moment)
            if record is not None:
                self.records[hook.name][event][number] = _plain(record, hook.name, event)


@contextmanager
def _guarded(model: nn.Module, name: str, event: Event, device: torch.device, seed: int) -> Iterator[torch.Generator]:
    """Run a block in eval mode and under its own random state; put both back, and refuse changes of the network."""
    modes = [(module, module.training) for module in model.modules()]
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    before = {key: tensor.detach().clone() for key, tensor in _tensors(model).items()}
    model.eval()
    try:
        with _own_random_state(device, seed), torch.enable_grad():
            yield torch.Generator(device).manual_seed(seed)
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in trained:
            parameter.requires_grad_(flag)
    after = _tensors(model)
    same_parameters = [id(p) for p, _ in trained] == [id(p) for p in model.parameters()]
    changed = [key for key, tensor in before.items() if key not in after or not _equal(tensor, after[key])]
    if not same_parameters or set(after) != set(before) or changed:
        with torch.no_grad():
            for key in changed:
                if key in after and after[key].shape == before[key].shape:
                    after[key].copy_(before[key])
        raise FreqmapsError(
            f"training: hook '{name}' changed the network in {event} ({', '.join(changed[:3]) or 'its parts'}); "
            "a hook may only look; let it work on a copy"
        )


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@contextmanager
def _own_random_state(device: torch.device, seed: int) -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    metal = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=rng_devices(device)):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            if metal is not None:
                torch.mps.set_rng_state(metal)


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a, b) or (a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all()))


def _plain(value: Any, name: str, event: Event) -> Any:
    """Return a value as the state of a training can hold it: tensors on the CPU and without a graph, plain numbers."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if value is None or isinstance(value, bool | str):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, list | tuple):
        return [_plain(item, name, event) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, name, event) for key, item in value.items()}
    raise FreqmapsError(
        f"training: hook '{name}' returned {type(value).__name__} from {event}, which cannot be saved with the "
        "training; return tensors, numbers, text, or lists and dicts of those"
    )
