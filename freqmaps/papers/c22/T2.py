"""Table 2 of C22 in numbers: the low-frequency bias of networks by how they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot, nan
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from freqmaps.inference.estimates import Z95
from freqmaps.inference.intervals import difference_interval
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.c22._networks import FGSM_AT, PGD_AT, STANDARD, Case, cases, grouped, label
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import number, with_interval
from freqmaps.publish.published import AS_PUBLISHED, beside, published
from freqmaps.results.reader import Inputs

TITLE = "Low-frequency bias of Jacobians by training"
CAPTION = (
    "log B_low (natural logarithm) of the gradients of the cross-entropy in the pixels of test images, in three "
    "readings: of the mean gradient, as the paper's released code measures networks; of the mean spectrum, as it "
    "measures batches in training; and the mean over images. The larger, the more the network relies on low "
    "frequencies. PGD: accuracy on a fixed part of the training images, after the last epoch and in the best one."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("jacobian_spectra",)
DATA = ("published.yaml",)

_ITEM = "C22-T2"
#: Columns by what was averaged over images first.
_READINGS = {"gradients": "log_low_bias", "magnitudes": "of_mean_spectrum", "none": "per_image"}
#: What the paper's table says: the first has the larger bias.
_TRENDS = (
    ("JaFR", STANDARD), (f"{FGSM_AT} + JaFR", FGSM_AT), (FGSM_AT, f"{FGSM_AT} + JaFR(-)"),
    (f"{FGSM_AT} + GradAlign", FGSM_AT), (PGD_AT, STANDARD),
)  # fmt: skip
_NO_PAIR = "The study has no two networks on which the paper makes a claim."
Record = dict[str, Any]
_SECTION = "4.2, table 2"


def build(inputs: Inputs) -> Table:
    """Build the table, one row per training.

    Returns
    -------
    Table
        ``network``, the names (``seed`` lists all seeds), ``networks``; ``log_low_bias`` (of the mean gradient),
        ``of_mean_spectrum`` and ``per_image``, means over networks, each with ``_sd`` over networks; ``low`` and
        ``high`` of ``per_image`` of a single network, over images; ``images``, the mean per image of the images
        themselves; ``robust_last``, ``robust_best`` in [0, 1] and ``overfitted_epoch``, where the training watched
        them; ``published_log_low_bias``, ``within_tolerance``, ``scope``. The notes say for each claim of the paper
        whether it holds.
    """
    every = cases(inputs)
    groups = grouped(every)
    frame = pd.DataFrame([_record(inputs, every, group) for group in groups])
    notes = [*_trends(every, groups), _spread(frame), f"Published values: {published(_ITEM)['source']}."]
    for scope in dict.fromkeys(frame["scope"]):
        rows = ", ".join(frame.loc[frame["scope"] == scope, "network"])
        notes.append(f"Scope of {rows}: {scope}.")
    overfitted = frame[frame["overfitted_epoch"].notna()]
    notes += [
        f"{row['network']} overfitted catastrophically, first in epoch {row['overfitted_epoch']:.0f}."
        for row in overfitted.to_dict("records")
    ]
    finding = "" if any(isinstance(note, Claim) for note in notes) else _NO_PAIR
    return Table(frame, notes, _columns(frame), finding=finding)


def _record(inputs: Inputs, every: Sequence[Case], group: Sequence[Case]) -> Record:
    first = group[0]
    record: Record = {"network": label(every, first), **first.names, "paper": first.paper, "networks": len(group)}
    record["seed"] = ", ".join(case.names["seed"] for case in group)
    for averaged, column in _READINGS.items():
        values = _values(group, averaged)
        record |= {column: fmean(values), f"{column}_sd": stdev(values) if len(values) > 1 else nan}
    single = first.row("none") if len(group) == 1 else {}
    record |= {bound: float(single.get(bound, nan)) for bound in ("low", "high")}
    record |= {"n": int(first.row("gradients")["n"]), "images": float(first.row("none", "images")["value"])}
    ours = {"log_low_bias": record["log_low_bias"], "n": float(record["n"])}
    record |= beside(_ITEM, inputs, first.names, ours, row=first.paper, differs=_weight(first))
    return record | _robust(group)


def _values(group: Sequence[Case], averaged: str) -> list[float]:
    return [float(case.row(averaged)["value"]) for case in group]


def _weight(case: Case) -> list[str]:
    """Say if the regulariser's weight is not the paper's."""
    row: Mapping[str, Any] = next((row for row in published(_ITEM)["rows"] if row["row"] == case.paper), {})
    if "weight" not in row:
        return []
    own = case.regularisers[0][1]["weight"]
    return [] if own == row["weight"] else [f"regulariser's weight {own:g} (published: {row['weight']:g})"]


def _robust(group: Sequence[Case]) -> Record:
    """Return what the trainings watched: means over networks, and the first epoch in which one of them overfitted."""
    watched = [case.history for case in group if "robust_accuracy" in case.history]
    if not watched:
        return {"robust_last": nan, "robust_best": nan, "overfitted_epoch": nan}
    fell = [epoch for history in watched if (epoch := _first_fall(history)) is not None]
    return {
        "robust_last": fmean(float(history["robust_accuracy"].iloc[-1]) for history in watched),
        "robust_best": fmean(float(history["robust_accuracy"].max()) for history in watched),
        "overfitted_epoch": min(fell, default=nan),
    }


def _first_fall(history: pd.DataFrame) -> int | None:
    fallen = history.loc[history["overfitted"] == 1, "epoch"] if "overfitted" in history else pd.Series(dtype=int)
    return int(fallen.iloc[0]) if len(fallen) else None


def _trends(every: Sequence[Case], groups: Sequence[Sequence[Case]]) -> list[str]:
    """Return a sentence for each claim of the paper on two of its networks that the study has, by dataset and model."""
    sentences: list[str] = []
    for high, low in _TRENDS:
        for first in groups:
            for second in groups:
                if (first[0].paper, second[0].paper) == (high, low) and first[0].group[:2] == second[0].group[:2]:
                    sentences.append(_trend(every, first, second))
    return sentences or [_NO_PAIR]


def _trend(every: Sequence[Case], first: Sequence[Case], second: Sequence[Case]) -> Claim:
    names = [label(every, group[0]) for group in (first, second)]
    claim = f"{names[0]} has a larger low-frequency bias than {names[1]}"
    if min(len(first), len(second)) > 1:
        welch = difference_interval(_values(first, "gradients"), _values(second, "gradients"))
        bounds = (welch.low, welch.high)
        evidence = with_interval(welch.mean, *bounds, "+.2f")
        return trend(
            claim,
            [bounds],
            f"{evidence}, log B_low of the mean gradient, Welch's interval",
            n=min(len(first), len(second)),
            section=_SECTION,
            reported=_reported(first, second),
        )
    own, other = first[0].row("none"), second[0].row("none")
    change = float(own["value"]) - float(other["value"])
    half = Z95 * hypot(*(float(row["sd"]) / float(row["n"]) ** 0.5 for row in (own, other)))
    here, there = (float(group[0].row("gradients")["value"]) for group in (first, second))
    # What one network each shows in one reading and not in the other is no finding.
    agree = (here - there) * change > 0
    but = "" if agree else ", so that the two readings disagree"
    evidence = (
        f"one network each, log B_low per image {with_interval(change, change - half, change + half, '+.2f')} "
        f"over images; of the mean gradient {number(here)} against {number(there)}{but}"
    )
    bounds = (change - half, change + half) if agree else (nan, nan)
    return trend(
        claim,
        [bounds],
        evidence,
        n=int(own["n"]),
        section=_SECTION,
        reported=_reported(first, second),
        deciding=(change - half, change + half),
    )


def _reported(first: Sequence[Case], second: Sequence[Case]) -> str:
    theirs = {row["row"]: row["values"]["log_low_bias"] for row in published("C22-T2")["rows"]}
    return f"log B_low {theirs[first[0].paper]:g} against {theirs[second[0].paper]:g}"


def _spread(frame: pd.DataFrame) -> str:
    if (frame["networks"] == 1).all():
        return "One network per row: nothing says how far networks that differ by their seed alone lie apart."
    return "Means over networks that differ by their seed alone, ± their standard deviation; rows of one have none."


def _columns(frame: pd.DataFrame) -> list[Column]:
    shown = [
        Column("network", "Training"),
        Column("networks", "Networks", form="d", paper=False),
        Column("log_low_bias", "ours", "Mean gradient", ".2f", error="log_low_bias_sd"),
        Column("published_log_low_bias", "paper", "Mean gradient", ".2f", published=True),
        Column("of_mean_spectrum", "Mean spectrum", form=".2f", error="of_mean_spectrum_sd"),
        Column("per_image", "Per image", form=".2f", error="per_image_sd"),
        Column("images", "Images", form=".2f", paper=False),
    ]
    if frame["robust_last"].notna().any():
        shown += [
            Column("robust_last", "last", "PGD, %", ".1f", scale=100),
            Column("robust_best", "best", "PGD, %", ".1f", scale=100),
            Column("overfitted_epoch", "Overfitted in epoch", form=".0f", paper=False),
        ]
    exact = (frame["scope"] == AS_PUBLISHED).any()
    return [*shown, *([Column("within_tolerance", "Within tolerance", paper=False)] if exact else [])]
