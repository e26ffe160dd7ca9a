"""Table 3 of Karantzas et al.: a linear classifier on single-image maps, by true and by shuffled labels."""

from __future__ import annotations

from math import inf
from typing import Any

import pandas as pd

from freqmaps.core.images import ESSENTIAL, called
from freqmaps.inference.verdicts import trend
from freqmaps.papers.k22._regimes import described
from freqmaps.papers.k22._single import Evaluation, by_images, evaluations, keyed, naming, network_of, of_one
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import percent
from freqmaps.publish.published import beside, published
from freqmaps.results.reader import Inputs

TITLE = "How well a linear classifier tells the classes of single-image maps"
CAPTION = (
    "Accuracy of multinomial logistic regression on maps, mean over random splits ± their standard deviation: on the "
    "maps that it was fitted to, and on the others, by the images' classes and by shuffled labels. Each split takes "
    "equally many maps of each class. p: permutation test of the accuracy on the others. Labels are shuffled once and "
    "then fitted, so that they can be learned by heart; only on the others do they say anything."
)
KIND = "table"
NEEDS = ("evaluation", "maps", "training", "datasets")
EVALUATIONS = ("linear_separability",)
DATA = ("published.yaml",)

_KIND = "linear_separability"

_PARTS = [(labels, part) for labels in ("true", "shuffled") for part in ("train", "test")]
_HEADS = {"true": "True labels, %", "shuffled": "Shuffled labels, %"}
_LABELS = {"train": "fitted", "test": "others"}


def build(inputs: Inputs) -> Table:
    """Build the table, one row per network and kind of maps.

    Returns
    -------
    Table
        ``true_train``, ``true_test``, ``shuffled_train``, ``shuffled_test`` in [0, 1], each with ``_sd``, ``_low`` and
        ``_high`` (true labels: the corrected resampled interval; shuffled: the middle 95 % over shuffles) and its
        published value; ``images``, ``attack`` and ``against`` of the maps; ``p_value``, ``chance``, ``per_class``,
        ``classes``; ``scope``, what differs from the paper's.
    """
    every = evaluations(inputs, _KIND)
    cases = [(e, images, rows) for e in every for images, rows in by_images(e.rows)]
    records = [_record(inputs, e, network_of(e, every), images, rows) for e, images, rows in cases]
    frame = pd.DataFrame(records)
    varying, notes = naming(records, ("maps", "attack"))
    notes.append(described({e.names["training"]: e.regime for e in every}))
    for record in records:
        notes += _notes(record)
    scopes = dict.fromkeys(f"{r['called']}: {r['scope']}" for r in records if r["published"])
    notes += [f"Published values: {published('K22-T3')['source']}.", *(f"Scope of {scope}." for scope in scopes)]
    return Table(frame.drop(columns=["published", "called"]), notes, _columns(frame, varying))


def _record(inputs: Inputs, e: Evaluation, network: str, images: dict[str, str], rows: pd.DataFrame) -> dict[str, Any]:
    by = keyed(rows, "labels", "part")
    values: dict[str, Any] = {}
    for labels, part in _PARTS:
        row, key = by[labels, part], f"{labels}_{part}"
        values |= {key: row["value"], f"{key}_sd": row["sd"], f"{key}_low": row["low"], f"{key}_high": row["high"]}
    tested = by["true", "test"]
    values |= {key: tested[key] for key in ("p_value", "chance", "per_class", "classes", "unconverged")}
    values |= {key: "" if pd.isna(tested[key]) else str(tested[key]) for key in ("left_out", "reason")}
    names = {**e.place, "maps": str(e.parameters["maps"]), **images}
    clean = images["images"] == ESSENTIAL
    letter = e.regime.letter if clean else ""
    about = {"network": e.label, "letter": e.regime.letter, "mapped": called(images), "published": letter == "N"}
    about["called"] = f"{network}, maps of {'x' if clean else about['mapped']}"
    return {**names, **about, **values, **beside("K22-T3", inputs, names, values, row=letter)}


def _notes(record: dict[str, Any]) -> list[str]:
    start = record["called"]
    if record["reason"]:
        return [f"{start}: no value ({record['reason']})."]
    notes = []
    if record["left_out"]:
        notes.append(f"{start}: left out are classes with too few maps ({record['left_out']}).")
    if record["unconverged"]:
        notes.append(f"{start}: {record['unconverged']} fits stopped at the most steps allowed.")
    if not record["published"]:
        return notes
    learned = f"{100 * record['shuffled_train']:.1f} % of the fitted maps"
    sentence = trend(
        "single-image maps tell the class to a linear classifier, shuffled labels do not",
        [(record["true_test_low"], record["true_test_high"])],
        of_one(
            f"{_percent(record, 'true_test')} of the others (corrected resampled interval) against "
            f"{_percent(record, 'shuffled_test')} by shuffled labels (middle 95 % of shuffles), chance "
            f"{100 * record['chance']:.0f} %, p = {record['p_value']:.2g}"
        ),
        region=(max(record["shuffled_test_high"], record["chance"]), inf),
        section="3.2, table 3",
        reported=_reported(),
        n=int(record["per_class"] * record["classes"]),
        networks=1,
    )
    return [*notes, sentence.at(start), f"{start}: by heart the classifier learns shuffled labels of {learned}."]


def _reported() -> str:
    values = published("K22-T3")["rows"][0]["values"]
    return f"{100 * values['true_test']:.1f} % against {100 * values['shuffled_test']:.1f} % by shuffled labels"


def _percent(record: dict[str, Any], key: str) -> str:
    return percent(record[key], record[f"{key}_low"], record[f"{key}_high"])


def _columns(frame: pd.DataFrame, varying: list[str]) -> list[Column]:
    columns = [Column(key, key.capitalize()) for key in varying if key != "training"]
    columns.append(Column("network", "Network"))
    if frame["images"].nunique() > 1:
        columns.append(Column("images", "Images mapped"))
    for labels, part in _PARTS:
        key = f"{labels}_{part}"
        columns.append(Column(key, _LABELS[part], _HEADS[labels], ".1f", error=f"{key}_sd", scale=100))
        columns.append(Column(f"published_{key}", "paper", _HEADS[labels], ".1f", published=True, scale=100))
    columns += [Column("p_value", "p", form=".2g"), Column("chance", "Chance, %", form=".0f", scale=100)]
    columns += [Column("per_class", "per class", "Maps", "d"), Column("classes", "classes", "Maps", "d")]
    return [c for c in columns if not frame[c.name].isna().all()]
