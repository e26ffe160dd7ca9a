"""Accuracies through a low-pass filter, as F21-F6 and F21-T6 read them, and what is said of the defence in words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.intervals import PairedChange, paired_change
from freqmaps.inference.proportions import difference_bounds
from freqmaps.inference.verdicts import finding, trend
from freqmaps.publish.numbers import percent, points
from freqmaps.results.reader import Inputs

KIND = "low_pass"
NAMES = ("dataset", "model", "training", "seed", "evaluation")
NO_FILTER = inf
CLEAN, WORST = "clean", "worst"
#: What the cut-off bounds.
SHAPES = {"square": "square of frequencies", "radial": "disc of frequencies"}
_SIGNS = {"linf": "ℓ∞", "l2": "ℓ2"}
#: The norm of attacks that have only one.
_NORMS = {"fgsm": {"norm": "linf"}, "fgm": {"norm": "l2"}}
Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class Filtered:
    """One network's accuracies by cut-off.

    Attributes
    ----------
    names
        Its ``dataset``, ``model``, ``training``, ``seed`` and ``evaluation``.
    parameters
        Of the evaluation.
    regime
        Kind of the training's regime: ``standard``, ``adversarial``, ...; empty where the checkpoint was given.
    rows
        Its ``evaluation.csv``, cut-offs ascending; ``inf``: no filter.
    """

    names: Mapping[str, str]
    parameters: Mapping[str, Any]
    regime: str
    rows: pd.DataFrame

    @property
    def attacks(self) -> list[str]:
        """The run's attacks."""
        unaware = self.rows.loc[self.rows["attacker"] == "unaware", "attack"]
        return [str(name) for name in dict.fromkeys(unaware) if name != CLEAN]

    @property
    def cuts_nothing(self) -> float:
        """The smallest cut-off that keeps every frequency; ``inf`` if none does."""
        return float(self.rows.loc[self.rows["kept"] == 1, "cutoff"].min())

    def curve(self, attack: str, attacker: str = "unaware", measure: str = "accuracy") -> pd.DataFrame:
        """Return the rows of an attack, one per cut-off."""
        rows = self.rows
        return rows[(rows["attack"] == attack) & (rows["attacker"] == attacker) & (rows["measure"] == measure)]

    def at(self, cutoff: float, attack: str, attacker: str = "unaware") -> Row:
        """Return the row of an attack at a cut-off."""
        rows = self.curve(attack, attacker)
        return rows[rows["cutoff"] == cutoff].to_dict("records")[0]

    def best(self, attack: str) -> float | None:
        """Return the cut-off with the largest accuracy under an attack, of those that cut anything; None: none does.

        Of several with the same accuracy the one with the largest without attack.
        """
        clean = self.curve(CLEAN).set_index("cutoff")["value"]
        rows = self.curve(attack)
        rows = rows[rows["cutoff"] < self.cuts_nothing]
        return max(zip(rows["value"], clean[rows["cutoff"]], rows["cutoff"], strict=True))[2] if len(rows) else None

    def failed(self, cutoff: float) -> list[str]:
        """Return the checks for masked gradients that are failed at a cut-off."""
        rows = self.rows[(self.rows["measure"] == "check") & (self.rows["cutoff"] == cutoff)]
        return [str(name) for name in rows.loc[rows["value"] < 1, "attack"]]


def evaluations(inputs: Inputs) -> list[Filtered]:
    """Return all evaluations through low-pass filters, in the study's order.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    networks = []
    for result in inputs.select("evaluation"):
        kind, parameters = result.component("evaluation") or ("", {})
        if kind == KIND:
            rows = Inputs([result]).evaluations(KIND).sort_values("cutoff", kind="stable")
            trained = inputs.related("training", result.names)
            regime = (trained[0].component("regime") or ("",))[0] if trained else ""
            networks.append(Filtered({k: result.names[k] for k in NAMES}, parameters, regime, rows))
    if not networks:
        raise FreqmapsError(f"there is no evaluation of kind {KIND}; add one to a run with attacks")
    return networks


def label(every: Sequence[Filtered], network: Filtered) -> str:
    """Return what to call a network among others: its training, and whichever other name differs."""
    varying = [k for k in NAMES if k == "training" or len({e.names[k] for e in every}) > 1]
    return ", ".join(f"seed {network.names[k]}" if k == "seed" else network.names[k] for k in varying)


def attack_label(inputs: Inputs, network: Filtered, attack: str) -> str:
    """Return what to call one of the run's attacks: its name, norm and budget, and whose network it was made against.

    >>> attack_label(Inputs([]), Filtered({}, {}, "", pd.DataFrame({"attack": [], "against": []})), "pgd")
    'pgd'
    """
    against = network.rows.loc[network.rows["attack"] == attack, "against"]
    whose = str(against.iloc[0]) if len(against) else ""
    attacks = inputs.related("attacks", {**network.names, "training": whose, "attack": attack}) if whose else []
    kind, parameters = (attacks[0].component("attack") if attacks else None) or ("", {})
    parameters = _NORMS.get(kind, {}) | parameters
    text = f"{attack} ({budget(parameters)})" if parameters.get("epsilon") is not None else attack
    return text if whose in ("", network.names.get("training")) else f"{text} on {whose}"


def with_budget(inputs: Inputs, network: Filtered) -> list[str]:
    """Return the run's attacks whose norm and budget are those of the attacks that know the filter; all if none is."""
    own = f"({budget(network.parameters)})"
    return [a for a in network.attacks if own in attack_label(inputs, network, a)] or network.attacks


def budget(parameters: Mapping[str, Any]) -> str:
    """Return norm, where it is known, and budget as text.

    >>> budget({"norm": "linf", "epsilon": 0.25}), budget({"epsilon": 0.25})
    ('ℓ∞, ε = 0.25', 'ε = 0.25')
    """
    norm = str(parameters.get("norm", ""))
    return ", ".join([*([_SIGNS.get(norm, norm)] if norm else []), f"ε = {parameters['epsilon']:.4g}"])


def cut(cutoff: float) -> str:
    """Return a cut-off as text.

    >>> cut(12.0), cut(inf)
    ('12', 'none')
    """
    return "none" if cutoff == NO_FILTER else f"{cutoff:g}"


def nothing_cut(network: Filtered) -> list[str]:
    """Say from which cut-off on the filter keeps every frequency."""
    if network.cuts_nothing == NO_FILTER:
        return []
    return [
        f"From cut-off {cut(network.cuts_nothing)} on nothing is cut: images of this size have no higher frequency. "
        "(The paper's curves go to 22; its images of 32×32 have frequencies up to 16.)"
    ]


def unaware(network: Filtered, attack: str, called: str) -> str:
    """Say whether the best filter raises the accuracy under an attack that does not know it.

    The cut-off is the best of several on the same images, so they share the interval's error (Bonferroni).
    """
    best = network.best(attack)
    if best is None:
        return f"No cut-off below {cut(network.cuts_nothing)} was evaluated: nothing is cut."
    row, bare, clean = network.at(best, attack), network.at(NO_FILTER, attack), network.at(best, CLEAN)
    tried = int((network.curve(attack)["cutoff"] < network.cuts_nothing).sum())
    gain = _change(row, 1 - 0.05 / tried)
    evidence = (
        f"under {called} {share(bare)} without a filter and {share(row)} at cut-off {cut(best)}, the best of {tried} "
        f"that cut anything, a change by {in_points(gain)} points, 95 % for all {tried} together; without attack by "
        f"{in_points(_change(clean))}"
    )
    if network.regime == "standard":
        claim = "a low-pass filter raises the accuracy under an attack that does not know it"
        return trend(
            claim, [(gain.low, gain.high)], evidence, section="4.3, figure 6", n=int(row["n"]),
            reported="51.7 % under PGD at cut-off 12, with 81.7 % without attack",
        )  # fmt: skip
    verdict = finding([(gain.low, gain.high)], (0, inf))
    return f"That a filter raises this network's accuracy, too, is not in the paper and {verdict}: {evidence}."


def aware(network: Filtered, attack: str, called: str) -> list[str]:
    """Say what is left of what the filter brings under an attack, where the attacker knows the filter.

    The defence holds if at least half of the gain is left. A sentence per cut-off that adaptive attacks were made at.
    """
    sentences = []
    for cutoff in sorted(set(network.curve(WORST, "aware")["cutoff"]) - {NO_FILTER}):
        row, bare = network.at(cutoff, WORST, "aware"), network.at(NO_FILTER, WORST, "aware")
        naive = network.at(cutoff, attack)
        left = _change(row)
        sentences.append(
            f"Cut-off {cut(cutoff)}, an attacker who knows the filter ({budget(network.parameters)}): under the "
            f"strongest attack on each of {int(row['n'])} images the accuracy is {share(row)}, without a filter "
            f"{share(bare)}; a change by {in_points(left)} points. "
            f"{_verdict(left, _change(naive), network.failed(cutoff), called)}"
        )
    return sentences


def _verdict(left: PairedChange, gain: PairedChange, failed: Sequence[str], called: str) -> str:
    if failed:
        return (
            f"What is left of the defence cannot be told here: checks for masked gradients fail ({', '.join(failed)}), "
            "so the attacks are too weak."
        )
    if gain.low <= 0:
        sentence = (
            f"There is no defence to lose: under {called} the filter changes the accuracy by {in_points(gain)} points"
        )
    else:
        sentence = (
            f"That at least half is left of the {100 * gain.change:.1f} points that the filter brings under {called}: "
            f"{finding([(left.low, left.high)], (gain.change / 2, inf))}"
        )
    harm = ", and the filter does harm" if left.high < 0 else ""
    return f"{sentence}{harm}. All checks for masked gradients pass."


def against_training(filtered: Filtered, trained: Filtered, attack: str) -> str:
    """Say whether a network with the best filter does better than an adversarially trained one without a filter."""
    best = filtered.best(attack)
    if best is None or attack not in trained.attacks:
        return ""
    bounds, compared = [], []
    for what, text in ((CLEAN, "without attack"), (attack, "under attack")):
        ours, theirs = filtered.at(best, what), trained.at(NO_FILTER, what)
        bounds.append(difference_bounds(_counts(ours), _counts(theirs)))
        compared.append(f"{text} {share(ours)} beside {share(theirs)}")
    return trend(
        "with a low-pass filter a naturally trained network does better than an adversarially trained one, without "
        "attack and under an attack that does not know the filter",
        bounds,
        f"at cut-off {cut(best)} {' and '.join(compared)}",
        section="4.3, figure 6",
        reported="81.7 and 51.7 % beside 79 and 48 % (without attack, under PGD)",
        n=int(filtered.at(best, attack)["n"]),
    )


def _counts(row: Row) -> tuple[int, int]:
    return round(row["value"] * row["n"]), int(row["n"])


def _change(row: Row, confidence: float = 0.95) -> PairedChange:
    return paired_change(int(row["lost"]), int(row["gained"]), int(row["n"]), confidence)


def share(row: Row) -> str:
    """Return an accuracy in percent with its interval."""
    return percent(row["value"], row["low"], row["high"])


def in_points(change: PairedChange) -> str:
    """Return a change in percentage points with its interval."""
    return points(change.change, change.low, change.high)
