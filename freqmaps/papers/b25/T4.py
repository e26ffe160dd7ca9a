"""Table IV of Basile et al.: class maps as a defence; below it the attacker who knows them, whom the paper lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.verdicts import placed
from freqmaps.papers.b25._defence import (
    BARE,
    ITEM,
    PLACE,
    Evaluation,
    attacked,
    budget,
    called,
    evaluations,
    kinds,
    scope,
    unattacked,
)
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import bounds
from freqmaps.publish.published import AS_PUBLISHED, published, verdict
from freqmaps.results.reader import Inputs

TITLE = "Class-level maps as a defence, and what an attacker who knows them leaves of it"
CAPTION = (
    "Accuracy, in percent, of a network that classifies twice, the second time through the map of the class that it "
    "predicted first. Columns: the images that the maps were made from, training images and what an attack makes of "
    "them; rows: test images, clean or attacked. Unaware: the attacks are made against the bare network, as in the "
    "paper. Aware: they are made against the whole model, whose gradient is taken through the chosen map or through "
    "the choice too, beside the same attacks on the bare network. Check: the accuracy that aware attacks reach, and a "
    "limit that it may exceed by chance only. Intervals are Wilson's, 95 %. Not in the paper: maps of clean images "
    "alone, and all rows but the unaware attacker's."
)
KIND = "table"
NEEDS = ("evaluation", "group_maps", "attacks", "training", "datasets")
EVALUATIONS = ("two_pass", "adaptive")
DATA = ("published.yaml",)

Record = dict[str, Any]

_ATTACKS = {
    "clean": "no attack", "pgd": "PGD", "pgd-long": "PGD, 3× steps", "apgd-ce": "APGD-CE", "apgd-dlr": "APGD-DLR",
    "apgd-t": "APGD-T", "fab-t": "FAB-T", "square": "Square, no gradient", "transfer": "transferred, any",
    "worst": "worst on each image",
}  # fmt: skip
_GRADIENTS = {"network": "chosen map", "chosen map": "chosen map", "choice": "choice", "none": ""}


def build(inputs: Inputs) -> Table:
    """Build the table, one row per network, attacker and attack.

    Returns
    -------
    Table
        ``attacker`` (``unaware``, ``aware`` of the maps, or ``check``; with the budget) and ``data`` (the attack); for
        each set of maps ``<maps>`` (the accuracy in [0, 1]; of a check for masked gradients the one that the attack
        reached), ``<maps>_low``, ``<maps>_high``, ``<maps>_shown`` (these as text, in percent; of a check whether it
        is passed), ``published_<maps>``; ``n`` images, ``within_tolerance`` and ``scope``. ``none``: without maps. The
        notes say what the maps change, and what is left of it where the attacker knows them.

    Raises
    ------
    FreqmapsError
        There is no evaluation ``two_pass``.
    """
    plain, adaptive = evaluations(inputs, "two_pass"), evaluations(inputs, "adaptive")
    if not plain:
        raise FreqmapsError(f"{ITEM} needs an evaluation of kind two_pass; add one to a run with class maps")
    records, notes = [], []
    for evaluation in plain:
        compared = list(_compared(inputs, evaluation))
        records += compared
        notes += placed(
            _start(plain, evaluation).removesuffix(": "), [_samples(inputs, evaluation), *unattacked(evaluation)]
        )
        notes.append(
            f"{_start(plain, evaluation)}Published values: {published(ITEM)['source']}; {compared[0]['scope']}."
        )
    for evaluation in adaptive:
        records += [*_adaptive(evaluation), *_checks(evaluation)]
        notes += [
            _start(adaptive, evaluation) + text for maps in evaluation.maps[1:] for text in attacked(evaluation, maps)
        ]
    if not adaptive:
        notes.append("No attacker knew the maps: what is left of the defence takes an evaluation of kind adaptive.")
    frame = pd.DataFrame(records)
    return Table(
        frame,
        notes,
        _columns(frame, list(dict.fromkeys(m for evaluation in plain + adaptive for m in evaluation.maps))),
    )


def _compared(inputs: Inputs, evaluation: Evaluation) -> Iterator[Record]:
    """Return the paper's rows, with its values beside."""
    data = list(dict.fromkeys(evaluation.rows["data"]))
    attacks = kinds(inputs, [d for d in data if d != "clean"])
    keys = {"clean": "clean", BARE: BARE} | {result.names["attack"]: key for key, result in attacks.items()}
    theirs = {row["data"]: row["values"] for row in published(ITEM)["rows"]}
    differs = scope(inputs, evaluation, attacks, int(evaluation.rows["n"].iloc[0]))
    about = "differs: " + "; ".join(differs) if differs else AS_PUBLISHED
    for name in data:
        rows = {maps: evaluation.records(maps, data=name)[0] for maps in evaluation.maps}
        beside = {keys[m]: theirs[keys[name]][keys[m]] for m in rows if m in keys} if keys.get(name) in theirs else {}
        ours = {keys[m]: float(row["value"]) for m, row in rows.items() if m in keys}
        within = verdict(published(ITEM)["tolerance"], beside, ours) if beside and not differs else ""
        record: Record = {**evaluation.place, "attacker": "unaware", "data": name, "n": int(rows[BARE]["n"])}
        for maps, row in rows.items():
            record |= _cell(maps, row) | {f"published_{maps}": beside.get(keys.get(maps, ""), float("nan"))}
        yield record | {"within_tolerance": within, "scope": about}


def _adaptive(evaluation: Evaluation) -> Iterator[Record]:
    """Return the rows of the attacker who knows the maps."""
    by_attack: dict[tuple[str, str], Record] = {}
    for maps in evaluation.maps:
        for row in evaluation.records(maps, measure="accuracy"):
            key = (row["attack"], _GRADIENTS[row["gradient"]])
            record = by_attack.setdefault(key, {"n": int(row["n"])})
            record |= _cell(maps, row)
    last = [("transfer", ""), ("worst", "")]
    for attack, through in [key for key in by_attack if key not in last] + last:
        label = _ATTACKS[attack] + (f", {through}" if through else "")
        about = {"attacker": f"aware, {budget(evaluation)}", "data": label}
        yield {**evaluation.place, **about, **by_attack[attack, through]}


def _checks(evaluation: Evaluation) -> Iterator[Record]:
    """Return the checks for masked gradients: the accuracy reached, and what it may not exceed."""
    by_check: dict[str, Record] = {}
    for maps in evaluation.maps:
        for row in evaluation.records(maps, measure="check"):
            figures = f"{100 * row['reached']:.1f}, limit {100 * row['limit']:.1f}"
            shown = f"{'passed' if row['value'] == 1 else 'failed'}: {figures}"
            record = by_check.setdefault(row["attack"], {"n": int(row["n"])})
            record |= {maps: row["reached"], f"{maps}_shown": shown}
    for check, record in by_check.items():
        yield {**evaluation.place, "attacker": f"check, {budget(evaluation)}", "data": check, **record}


def _cell(maps: str, row: Any) -> Record:
    shown = f"{100 * row['value']:.1f} ({bounds(row['low'], row['high'])})"
    return {maps: row["value"], f"{maps}_low": row["low"], f"{maps}_high": row["high"], f"{maps}_shown": shown}


def _samples(inputs: Inputs, evaluation: Evaluation) -> str:
    """Say which images the maps were made from, and on which they are tested."""
    map_samples = inputs.related("group_maps", evaluation.place)[0].manifest["spec"]["parameters"]["samples"]
    texts = [f"images {s['start']} to {s['stop'] - 1} of '{s['split']}'" for s in (map_samples, evaluation.samples)]
    return f"Maps were made from {texts[0]}, and are tested on {texts[1]}."


def _start(every: Sequence[Evaluation], evaluation: Evaluation) -> str:
    varying = [key for key in evaluation.place if len({e.place[key] for e in every}) > 1]
    return "".join(f"{evaluation.place[key]}, " for key in varying)[:-2] + ": " if varying else ""


def _columns(frame: pd.DataFrame, maps: Sequence[str]) -> list[Column]:
    varying = [Column(key, key.capitalize()) for key in (*PLACE, "group_maps") if frame[key].nunique() > 1]
    shown = [*varying, Column("attacker", "Attacker"), Column("data", "Images"), Column("n", "n", form="d")]
    for name in maps:
        group = "No map, %" if name == BARE else f"{called(name)}, %"
        shown.append(Column(f"{name}_shown", "ours (95 %)", group))
        if f"published_{name}" in frame and not frame[f"published_{name}"].isna().all():
            shown.append(Column(f"published_{name}", "paper", group, ".0f", published=True, scale=100))
    return shown
