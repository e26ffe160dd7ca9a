"""Whether networks that are pushed to low frequencies differ in what the other papers measure, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isnan
from statistics import fmean

from freqmaps.inference.estimates import Estimate, difference_of
from freqmaps.inference.intervals import difference_interval
from freqmaps.inference.verdicts import finding
from freqmaps.papers.c22._across import QUANTITIES, Network
from freqmaps.papers.c22._networks import FGSM_AT, STANDARD
from freqmaps.publish.numbers import number

#: Trainings that differ in JaFR alone: the one with the push to lower frequencies first.
_PAIRS = (("JaFR", STANDARD), (f"{FGSM_AT} + JaFR", FGSM_AT), (FGSM_AT, f"{FGSM_AT} + JaFR(-)"))
_ANSWERS = {"holds": "yes", "does not hold": "no", "cannot be told here": "cannot be told here"}
#: Quantities, and what is asked of them.
_QUESTIONS = {
    "low_bias_per_image": "Are its Jacobians of lower frequencies?",
    "essential_low": "Are its essential maps?",
    "adversarial_low": "Do its adversarial maps follow?",
    "lfc_ratio": "Are perturbations of it of lower frequencies?",
    "cosine": "Is the correlation of the two kinds of maps different?",
    "idcor": "Is their IdCor as made?",
    "idcor_cleaned": "Is it of cleaned maps?",
    "idcor_released": "Is it with the released constant?",
    "low_pass": "Does its accuracy through a low-pass filter change?",
}
#: Asked in either direction.
_EITHER = ("cosine", "idcor", "idcor_cleaned", "idcor_released", "low_pass")


@dataclass(frozen=True)
class Group:
    """The networks of a training, which differ by their seed."""

    networks: Sequence[Network]

    @property
    def paper(self) -> str:
        """The paper's name of the training; empty if it has none."""
        return self.networks[0].case.paper

    @property
    def called(self) -> str:
        """What to call it."""
        return self.networks[0].called

    def values(self, name: str) -> list[float]:
        """Return a quantity of each network, those that have it."""
        estimates = [network.values[name].value for network in self.networks]
        return [value for value in estimates if not isnan(value)]


def grouped(every: Sequence[Network]) -> list[Group]:
    """Return the networks by training."""
    by_training: dict[tuple[str, ...], list[Network]] = {}
    for network in every:
        by_training.setdefault(network.case.group, []).append(network)
    return [Group(networks) for networks in by_training.values()]


def change(first: Group, second: Group, name: str) -> Estimate:
    """Return what a quantity is more in the first training, with its 95 % interval.

    Of one network each it is over images, as if the two had other images, which is rather too wide; of several it is
    Welch's over networks; otherwise there is none.
    """
    counts = [len(first.values(name)), len(second.values(name))]
    if counts == [1, 1]:
        own, other = (
            next(n.values[name] for n in group.networks if not isnan(n.values[name].value)) for group in (first, second)
        )
        return difference_of(own, other)
    welch = difference_interval(first.values(name), second.values(name))
    return Estimate(welch.mean, welch.low, welch.high)


def paragraph(groups: Sequence[Group]) -> str:
    """Answer what the papers leave open, from each two trainings that differ in JaFR alone; empty without such."""
    pairs = list(_pairs(groups))
    if not pairs:
        return ""
    answers = [sentence for name in _QUESTIONS if (sentence := _answered(pairs, name))]
    return " ".join(["A network that is pushed to low frequencies, beside one that is not:", *answers])


def in_short(groups: Sequence[Group]) -> str:
    """Say in one sentence which quantities are larger and which smaller, from each two trainings as above."""
    told = []
    for first, second in _pairs(groups):
        known = [name for name in _QUESTIONS if first.values(name) and second.values(name)]
        changes = {QUANTITIES[name].label: change(first, second, name) for name in known}
        larger, smaller = (
            [label for label, estimate in changes.items() if estimate.clear and (estimate.value > 0) == rises]
            for rises in (True, False)
        )
        sides = (("larger", larger), ("smaller", smaller))
        parts = [f"{side} {', '.join(labels)}" for side, labels in sides if labels]
        rest = len(changes) - len(larger) - len(smaller)
        parts += [f"{rest} of {len(changes)} quantities cannot be told apart"] if rest else []
        told.append(f"{first.called} beside {second.called}: {', '.join(parts)}")
    return f"{'; '.join(told)}." if told else ""


def _pairs(groups: Sequence[Group]) -> Iterator[tuple[Group, Group]]:
    for low, high in _PAIRS:
        for first in groups:
            for second in groups:
                alike = first.networks[0].case.group[:2] == second.networks[0].case.group[:2]
                if alike and (first.paper, second.paper) == (low, high):
                    yield first, second


def _answered(pairs: Sequence[tuple[Group, Group]], name: str) -> str:
    answers = []
    for first, second in pairs:
        if not first.values(name) or not second.values(name):
            continue
        estimate = change(first, second, name)
        answers.append(f"{first.called} beside {second.called}: {_answer(estimate, name)} ({_shown(estimate, name)})")
    return f"{_QUESTIONS[name]} {'; '.join(answers)}." if answers else ""


def _answer(estimate: Estimate, name: str) -> str:
    if name not in _EITHER:
        return _ANSWERS[finding([(estimate.low, estimate.high)], (0.0, inf))]
    if not estimate.clear:
        return "cannot be told here"
    return "yes, it is larger" if estimate.value > 0 else "yes, it is smaller"


def _shown(estimate: Estimate, name: str) -> str:
    quantity = QUANTITIES[name]
    value, low, high = (
        "unknown" if isnan(v) else number(quantity.scale * v, f"+{quantity.form}")
        for v in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value}, {low} to {high}"


def mean(group: Group, name: str) -> float:
    """Return the mean of a quantity over a training's networks, NaN if none has it."""
    values = group.values(name)
    return fmean(values) if values else float("nan")
