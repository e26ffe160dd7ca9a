"""Class maps as a defence, as B25-T4 reads them: evaluations, published values, and what is said of them in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import pandas as pd

from freqmaps.core.images import ESSENTIAL
from freqmaps.inference.intervals import PairedChange, paired_change
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.publish.numbers import percent, points
from freqmaps.publish.published import difference, published
from freqmaps.results.reader import Inputs, Result

ITEM = "B25-T4"
PLACE = ("dataset", "model", "training", "seed")
BARE = "none"
_SECTION = "IV-G, table IV"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of class maps.

    Attributes
    ----------
    place
        The network's names, and that of the map setting, ``group_maps``.
    parameters, samples
        Of the evaluation; its images' ``split``, ``start`` and ``stop``.
    rows
        Its ``evaluation.csv``.
    """

    place: Mapping[str, str]
    parameters: Mapping[str, Any]
    samples: Mapping[str, Any]
    rows: pd.DataFrame

    @property
    def maps(self) -> list[str]:
        """What maps were made from, ``none`` first."""
        return list(dict.fromkeys(self.rows["maps"]))

    def records(self, maps: str, **wanted: str) -> list[dict[str, Any]]:
        """Return the rows of some maps that hold these values."""
        chosen = self.rows["maps"] == maps
        for column, value in wanted.items():
            chosen &= self.rows[column] == value
        return [{str(k): v for k, v in row.items()} for row in self.rows[chosen].to_dict("records")]


def evaluations(inputs: Inputs, kind: str) -> list[Evaluation]:
    """Return all evaluations of a kind, in the study's order; none if there is none."""
    every = []
    for result in inputs.select("evaluation"):
        name, parameters = result.component("evaluation") or ("", {})
        if name == kind:
            place = {key: result.names[key] for key in PLACE} | {"group_maps": str(parameters["group_maps"])}
            samples = result.manifest["spec"]["parameters"]["samples"]
            every.append(Evaluation(place, parameters, samples, Inputs([result]).evaluations(kind)))
    return every


def change(row: Row) -> PairedChange:
    """Return the change of a row's accuracy from that without maps, with its paired interval."""
    return paired_change(int(row["lost"]), int(row["gained"]), int(row["n"]))


def kinds(inputs: Inputs, names: Sequence[str]) -> dict[str, Result]:
    """Return the attack that stands beside each column and row of the paper's table.

    Parameters
    ----------
    inputs
        The study's results.
    names
        The evaluation's attacks.

    Returns
    -------
    dict
        By the paper's name (``fmn``, ...): the attack of its kind; of several the one with the paper's parameters, or
        none.
    """
    results = [named[0] for name in names if (named := inputs.select("attacks", attack=name))]
    chosen = {}
    for key, wanted in published(ITEM)["attacks"].items():
        alike = [r for r in results if (r.component("attack") or ("",))[0] == wanted["kind"]]
        exact = [r for r in alike if not difference(wanted, r)]
        if len(exact or alike) == 1:
            chosen[key] = (exact or alike)[0]
    return chosen


def scope(inputs: Inputs, evaluation: Evaluation, attacks: Mapping[str, Result], n: int) -> list[str]:
    """Return what differs from the paper's setting."""
    entry = published(ITEM)
    differences = []
    for wanted in entry["scope"]:
        results = inputs.related(wanted["stage"], evaluation.place)
        differences.append(difference(wanted, results[0] if results else None))
    differences += [difference(entry["attacks"][key], result) for key, result in attacks.items()]
    if n < entry["samples"]:
        differences.append(f"{n} test images (published: {entry['samples']})")
    return [text for text in differences if text]


def unattacked(evaluation: Evaluation) -> list[str]:
    """Say what maps do where the attacker does not know them: on clean images, and under each attack."""
    sentences = []
    data = [d for d in dict.fromkeys(evaluation.rows["data"]) if d != "clean"]
    for maps in evaluation.maps[1:]:
        clean = change(evaluation.records(maps, data="clean")[0])
        gains = [f"{attack} {in_points(change(evaluation.records(maps, data=attack)[0]))}" for attack in data]
        sentences.append(
            f"{called(maps)}, against no maps: clean images {in_points(clean)} points; under attacks that do not know "
            f"the maps {', '.join(gains)}."
        )
    return [*sentences, *_reverted(evaluation, data), *_general(evaluation, data)]


def _reverted(evaluation: Evaluation, data: Sequence[str]) -> Iterator[Claim]:
    """Say for each attack whether maps made from it bring back the right class, and what they cost clean images."""
    for attack in data:
        if attack not in evaluation.maps:
            continue
        attacked, clean = (evaluation.records(attack, data=name)[0] for name in (attack, "clean"))
        gain, cost = change(attacked), change(clean)
        yield trend(
            "class maps made from an attack revert it", [(gain.low, gain.high)], f"{attack}: {in_points(gain)} points",
            section=_SECTION, n=int(attacked["n"]),
            reported="from 4 to 78 % (FMN), 0 to 54 % (PGD), 0 to 78 % (DeepFool)",
        )  # fmt: skip
        yield trend(
            "class maps cost accuracy on clean images", [(cost.low, cost.high)],
            f"maps made from {attack}: {in_points(cost)} points", region=(-inf, 0.0), section=_SECTION,
            n=int(clean["n"]), reported="from 92 to 74–83 %",
        )  # fmt: skip


def _general(evaluation: Evaluation, data: Sequence[str]) -> list[str]:
    """Say whether maps made from one attack help against another: at least half of what its own maps bring."""
    kept = total = 0
    for attack in data:
        for maps in evaluation.maps:
            if attack in evaluation.maps and maps not in (BARE, ESSENTIAL, attack):
                own, other = (change(evaluation.records(m, data=attack)[0]).change for m in (attack, maps))
                total, kept = total + 1, kept + (other >= own / 2)
    if not total:
        return []
    return [
        Claim(
            "in most cases maps do for other attacks than their own", "holds" if 2 * kept > total else "does not hold",
            f"they bring at least half of what the attack's own maps bring in {kept} of {total} cases",
            section=_SECTION, n=total, reported="so for most attacks and maps",
        )
    ]  # fmt: skip


def attacked(evaluation: Evaluation, maps: str) -> list[str]:
    """Say what is left where the attacker knows the maps, and whether the attacks passed their checks."""
    worst, without = (evaluation.records(m, attack="worst")[0] for m in (maps, BARE))
    gain = change(worst)
    if gain.low > 0:
        left = f"What is left of the defence is {in_points(gain)} points"
    elif gain.high < 0:
        left = f"Nothing is left of the defence, and the maps do harm: {in_points(gain)} points"
    else:
        left = f"Nothing is left of the defence that {int(worst['n'])} images could show: {in_points(gain)} points"
    start = f"{called(maps)}, {budget(evaluation)}"
    finding = (
        f"{start}: under the strongest attack on each image, by an attacker who knows the maps, {share(worst)} are "
        f"right; without maps, under the strongest attack on the bare network, {share(without)}. {left}."
    )
    failed = [row["attack"] for row in evaluation.records(maps, measure="check") if row["value"] < 1]
    verdict = "passed" if not failed else f"failed in {', '.join(failed)}: the attacks are too weak to say what is left"
    return [finding, f"{start}: the checks for masked gradients are {verdict}."]


def budget(evaluation: Evaluation) -> str:
    """Return the budget of an adaptive evaluation as text."""
    norm = {"linf": "ℓ∞", "l2": "ℓ2"}[evaluation.parameters["norm"]]
    return f"{norm} ε = {evaluation.parameters['epsilon']:.4g}"


def called(maps: str) -> str:
    """Return what to call maps in a sentence."""
    return "Maps of clean images" if maps == ESSENTIAL else f"Maps of {maps}"


def share(row: Row) -> str:
    """Return an accuracy in percent with its interval."""
    return percent(row["value"], row["low"], row["high"])


def in_points(gain: PairedChange) -> str:
    """Return a change in percentage points with its interval."""
    return points(gain.change, gain.low, gain.high)
