"""Offers of rules that rename the tensors of a checkpoint, where shapes and order determine them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from freqmaps.models._weights import unwrapped

_COUNTER = "num_batches_tracked"
#: With more rules than this an offer helps nobody.
_MOST_RULES = 40


def offer(weights: Mapping[str, Tensor], net: nn.Module) -> str:
    """Return the ``rename`` that makes weights fit, as a line of a config; empty where they do not determine it.

    They do where file and network hold tensors of the same kinds (``weight``, ``running_mean``, ...) and shapes in
    the same order: networks written by different people for one paper usually differ in nothing but their names.
    """
    held, wanted = _without_counters(bare(weights)), _without_counters(net.state_dict())
    if len(held) != len(wanted):
        return ""
    pairs: dict[str, str] = {}
    for (old, have), (new, want) in zip(held.items(), wanted.items(), strict=True):
        (old_module, old_leaf), (new_module, new_leaf) = _parts(old), _parts(new)
        if have.shape != want.shape or old_leaf != new_leaf or pairs.setdefault(old_module, new_module) != new_module:
            return ""
    target = dict(zip(held, wanted, strict=True))
    for rules in (_short_rules(pairs), _whole_rules(pairs)):
        for chosen in (rules, rules[::-1]):
            if 0 < len(rules) <= _MOST_RULES and _leads_to(target, chosen):
                return "rename: {" + ", ".join(f"'{pattern}': '{new}'" for pattern, new in chosen) + "}"
    return ""


def _without_counters(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if not name.endswith(_COUNTER)}


def _parts(name: str) -> tuple[str, str]:
    module, _, leaf = name.rpartition(".")
    return module, leaf


def _short_rules(pairs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return one rule for each beginning of names that differs: ``layer1`` for all layers of ``layer1``."""
    rules: dict[str, str] = {}
    for old, new in pairs.items():
        ours, theirs = old.split("."), new.split(".")
        while len(ours) > 1 and len(theirs) > 1 and ours[-1] == theirs[-1]:
            ours, theirs = ours[:-1], theirs[:-1]
        if ours != theirs:
            rules.setdefault(_pattern(".".join(ours)), ".".join(theirs) + ".")
    return list(rules.items())


def _whole_rules(pairs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return one rule for each layer."""
    return [(_pattern(old), f"{new}.") for old, new in pairs.items() if old != new]


def _pattern(module: str) -> str:
    return "^" + module.replace(".", r"\.") + r"\."


def _leads_to(target: Mapping[str, str], rules: Sequence[tuple[str, str]]) -> bool:
    for old, wanted in target.items():
        name = old
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        if name != wanted:
            return False
    return True


def bare(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without the prefixes that all of them share."""
    *_, last = unwrapped(weights)
    return last
