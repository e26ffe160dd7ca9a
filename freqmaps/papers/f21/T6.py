"""Figure 6 of F21 in numbers: the best low-pass filter, and what an attacker who knows it leaves of the defence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import pandas as pd

from freqmaps.inference.verdicts import placed
from freqmaps.papers.f21._low_pass import (
    CLEAN,
    NAMES,
    NO_FILTER,
    WORST,
    Filtered,
    Row,
    against_training,
    attack_label,
    aware,
    cut,
    evaluations,
    label,
    nothing_cut,
    unaware,
    with_budget,
)
from freqmaps.publish.api import Column, Table
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import bounds
from freqmaps.publish.published import attack_of, beside, published, same
from freqmaps.results.reader import Inputs

TITLE = "A low-pass filter as a defence, and what an attacker who knows it leaves of it"
CAPTION = (
    "Accuracy, in percent, without a filter, through the filter with the cut-off at which the accuracy under the "
    "attack is largest, and at the cut-offs at which an attacker knows the filter. Filter not known: the attack is "
    "made against the network without a filter, as in the paper. Filter known, not in the paper: the strongest of "
    "several attacks on each image, made through the filter or transferred from the network without it; it stands "
    "beside an attack of the same budget. Intervals are Wilson's, 95 %."
)
KIND = "table"
NEEDS = ("evaluation", "attacks", "training", "datasets")
EVALUATIONS = ("low_pass",)
DATA = ("published.yaml",)

_ITEM = "F21-T6"
Record = dict[str, Any]


def build(inputs: Inputs) -> Table:
    """Build the table, one row per network, attack and filter.

    Returns
    -------
    Table
        ``network``, ``attack``, ``against`` (the training whose network was attacked); ``filter`` (``none``, ``best``
        or ``other``) and ``cutoff`` (``inf``: none), in cycles per image; the accuracies ``clean``, ``attacked`` and
        ``aware`` in [0, 1], each with ``_low``, ``_high`` and ``_n``; ``published_clean``, ``published_attacked``,
        ``published_cutoff``, ``within_tolerance`` and ``scope``. The notes say whether the filter helps against who
        does not know it, and what is left of that where the attacker does.

    Raises
    ------
    FreqmapsError
        There is no evaluation ``low_pass``.
    NothingToShow
        None of them was given an attack.
    """
    every = evaluations(inputs)
    records = [r for network in every for attack in network.attacks for r in _records(inputs, every, network, attack)]
    if not records:
        raise NothingToShow("the evaluations through a low-pass filter were given no attack")
    frame = pd.DataFrame(records)
    notes = [note for network in every for note in _notes(inputs, every, network)]
    for network in every:
        if network.regime == "standard":
            notes += _trained(inputs, every, network)
    notes.append(f"Published values: {published(_ITEM)['source']}.")
    beside_paper = frame[["published_clean", "published_attacked"]].notna().any(axis=1)
    for scope in dict.fromkeys(frame.loc[beside_paper, "scope"]):
        notes.append(f"Scope {scope}." if scope.startswith("differs") else f"Scope: {scope}.")
    return Table(frame, notes, _columns(frame))


def _records(inputs: Inputs, every: Sequence[Filtered], network: Filtered, attack: str) -> Iterator[Record]:
    beside_known = attack == with_budget(inputs, network)[0]
    best, known = network.best(attack), set(network.curve(WORST, "aware")["cutoff"]) if beside_known else set()
    for cutoff in sorted({NO_FILTER, *known, *([] if best is None else [best])}, key=lambda c: (c != NO_FILTER, c)):
        clean, attacked = network.at(cutoff, CLEAN), network.at(cutoff, attack)
        name = "none" if cutoff == NO_FILTER else "best" if cutoff == best else "other"
        record: Record = {**network.names, "network": label(every, network), "attack": attack}
        record |= {
            "attack_label": attack_label(inputs, network, attack),
            "against": attacked["against"],
            "filter": name,
        }
        record |= {"cutoff": cutoff, "cutoff_shown": cut(cutoff) + (" (best)" if name == "best" else "")}
        worst = network.at(cutoff, WORST, "aware") if cutoff in known else None
        record |= _cell("clean", clean) | _cell("attacked", attacked) | _cell("aware", worst)
        yield record | _beside(inputs, network, attack, record)


def _cell(name: str, row: Row | None) -> Record:
    if row is None:
        return {name: nan, f"{name}_low": nan, f"{name}_high": nan, f"{name}_n": nan, f"{name}_shown": ""}
    values = {f"{name}_{key}": row[key] for key in ("low", "high", "n")}
    shown = f"{100 * row['value']:.1f} ({bounds(row['low'], row['high'])})"
    return {name: row["value"], **values, f"{name}_shown": shown}


def _beside(inputs: Inputs, network: Filtered, attack: str, record: Record) -> Record:
    """Put the paper's values beside the network's own PGD.

    Of several beside that with the paper's budget, or else that with the budget of attacks that know the filter.
    """
    names = {**network.names, "training": record["against"], "attack": attack}
    paper = published(_ITEM)["rows"][0]["match"]
    alike = [a for a in network.attacks if (attack_of(inputs, {**names, "attack": a}) or ("",))[0] == paper["kind"]]
    exact = [a for a in alike if _same(attack_of(inputs, {**names, "attack": a}), paper["parameters"])]
    one = [a for a in with_budget(inputs, network) if a in alike] or alike
    own = record["against"] == network.names["training"] and attack in (exact or one[:1])
    row = f"{network.regime}, {record['filter']}" if own else ""
    ours = {key: float(record[key]) for key in ("clean", "attacked", "cutoff")} | {"n": float(record["clean_n"])}
    return beside(_ITEM, inputs, names, ours, row=row)


def _same(component: tuple[str, dict[str, Any]] | None, wanted: dict[str, Any]) -> bool:
    return component is not None and all(same(component[1].get(key), value) for key, value in wanted.items())


def _notes(inputs: Inputs, every: Sequence[Filtered], network: Filtered) -> list[str]:
    place = label(every, network) if len(every) > 1 else ""
    labels = {attack: attack_label(inputs, network, attack) for attack in network.attacks}
    sentences = [*nothing_cut(network), *(unaware(network, attack, called) for attack, called in labels.items())]
    # What is left is held against what the filter brings under attacks with the budget of those who know it.
    for attack in with_budget(inputs, network):
        sentences += aware(network, attack, labels[attack])
    if network.curve(WORST, "aware").empty:
        sentences.append(
            "No attacker knew the filter: what is left of it takes cut-offs in the evaluation's 'adaptive'."
        )
    return placed(place, sentences)


def _trained(inputs: Inputs, every: Sequence[Filtered], network: Filtered) -> list[str]:
    """Compare a naturally trained network behind its best filter with each adversarially trained one of its kind.

    An attack without a budget fools every network that has no filter, so it compares nothing.
    """
    sentences = []
    limited = [
        a for a in network.attacks if (attack_of(inputs, {**network.names, "attack": a}) or ("", {}))[1].get("epsilon")
    ]
    alike = [k for k in NAMES if k != "training"]
    for other in every:
        if other.regime == "adversarial" and all(network.names[k] == other.names[k] for k in alike):
            compared = [against_training(network, other, attack) for attack in limited]
            sentences += placed(f"{label(every, network)} and {label(every, other)}", filter(None, compared))
    return sentences


def _columns(frame: pd.DataFrame) -> list[Column]:
    shown = [
        Column("network", "Network"),
        Column("attack_label", "Attack"),
        Column("cutoff_shown", "ours", "Cut-off"),
        Column("published_cutoff", "paper", "Cut-off", ".0f", published=True),
    ]
    groups = {"clean": "No attack, %", "attacked": "Filter not known, %", "aware": "Filter known, %"}
    for name, group in groups.items():
        shown.append(Column(f"{name}_shown", "ours (95 %)", group))
        if f"published_{name}" in frame:
            shown.append(Column(f"published_{name}", "paper", group, ".1f", published=True, scale=100))
        shown.append(Column(f"{name}_n", "n", group, "d", paper=False))
    return [c for c in shown if not c.published or not frame[c.name].isna().all()]
