"""Warnings of attacks: budgets that their steps cannot reach, so that failure shows no robustness, or beyond use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from freqmaps.core import components
from freqmaps.study.entries import split_kind

DECIDES_NUMBERS = False

#: The largest budgets in the ℓ∞ norm in use, those for handwritten digits, have .3.
_LARGEST = 0.31
#: Size of a step as a part of epsilon where none is given, by kind and norm.
_RELATIVE = {
    "pgd": {"linf": 1 / 30, "l2": 1 / 40},
    "bim": {"linf": 1 / 5, "l2": 1 / 5},
    "robustness": {"linf": 1 / 4},
}
#: The same for Foolbox's classes, with the number of steps. Adam's steps are not of one size.
_FOOLBOX = (
    (re.compile(r"(Linf)?(ProjectedGradientDescentAttack|PGD)"), 1 / 30, 40),
    (re.compile(r"L[12](ProjectedGradientDescentAttack|PGD)"), 1 / 40, 50),
    (re.compile(r"(L1|L2|Linf)(BasicIterativeAttack|MomentumIterativeFastGradientMethod)|MIFGSM"), 1 / 5, 10),
)


def shortfall(kind: str, parameters: Mapping[str, Any]) -> str | None:
    """Return a sentence on an attack whose steps together cannot cross its budget; None for any other.

    Parameters
    ----------
    kind, parameters
        Of an attack, or of a training regime or an evaluation that makes one: resolved, ``epsilon`` and ``step`` for
        images in [0, 1].
    """
    epsilon = parameters.get("epsilon")
    steps_and_size = _steps(kind, parameters)
    if not isinstance(epsilon, int | float) or steps_and_size is None:
        return None
    steps, size = steps_and_size
    reach = steps * size
    if reach >= epsilon * (1 - 1e-9):
        return None
    return (
        f"{steps} steps of {size:.4g} reach {reach:.4g} and not the budget, epsilon {epsilon:.4g}: attacks that fail "
        f"for want of steps look like robustness; take at least {_enough(epsilon, size)} steps, or larger ones"
    )


def _steps(kind: str, parameters: Mapping[str, Any]) -> tuple[int, float] | None:
    """Return the number and size of the steps, for images in [0, 1]; None where there are none to speak of."""
    epsilon = parameters.get("epsilon")
    if not isinstance(epsilon, int | float):
        return None
    if kind == "foolbox_attack":
        return _foolbox_steps(str(parameters.get("attack")), dict(parameters.get("parameters") or {}), epsilon)
    steps, size = parameters.get("steps"), parameters.get("step")
    if size is None and kind in _RELATIVE:
        size = epsilon * _RELATIVE[kind][str(parameters.get("norm", "linf"))]
    return (steps, float(size)) if isinstance(steps, int) and isinstance(size, int | float) else None


def _foolbox_steps(attack: str, own: Mapping[str, Any], epsilon: float) -> tuple[int, float] | None:
    known = next(((part, usual) for name, part, usual in _FOOLBOX if name.fullmatch(attack)), None)
    if known is None:
        return None
    relative, usual = known
    try:
        absolute = own.get("abs_stepsize")
        size = epsilon * float(own.get("rel_stepsize", relative)) if absolute is None else float(absolute)
        return int(own.get("steps", usual)), size
    except (TypeError, ValueError):
        return None  # no number: the attack itself refuses it


def _enough(epsilon: float, size: float) -> int:
    count = int(epsilon / size)
    return count if count * size >= epsilon * (1 - 1e-9) else count + 1


def warnings(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each attack, training and evaluation of a config that falls short of its budget.

    Only what a run names counts.

    Raises
    ------
    ConfigError
        Parameters that do not fit.
    """
    for section, role in (("attacks", "attack"), ("evaluations", "evaluation"), ("trainings", "regime")):
        used = {name for run in config["runs"] for name in run[section]}
        for name, entry in config.get(section, {}).items():
            if name not in used:
                continue
            kind, parameters = split_kind(entry["regime"] if section == "trainings" else entry)
            where = f"{section}.{name}"
            resolved = components.resolve(role, kind, parameters, where=where, supplied=("seed",))
            for sentence in (shortfall(kind, resolved), _beyond_use(resolved)):
                if sentence:
                    yield f"{where}: {sentence}"


def _beyond_use(parameters: Mapping[str, Any]) -> str | None:
    """Return a sentence on a budget larger than any in use, which may be a slip (8/25); None for any other."""
    epsilon = parameters.get("epsilon")
    if parameters.get("norm", "linf") != "linf" or not isinstance(epsilon, int | float) or epsilon <= _LARGEST:
        return None
    return (
        f"epsilon {epsilon:.4g} is {255 * epsilon:.0f} of 255 grey levels, more than attacks in use have; is it meant?"
    )
