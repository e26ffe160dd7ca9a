"""Matched and mismatched pairs of maps: how much of the correlation is the image, the class, the spectrum, ..."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

import pandas as pd

from freqmaps.inference.decomposition import Decomposition
from freqmaps.inference.estimates import Z95
from freqmaps.papers.b25._controls import conclusions, finding
from freqmaps.papers.b25._readings import READINGS
from freqmaps.publish.api import Column, Table
from freqmaps.publish.pairings import LABELS, Row, cases, difference, per_image, place, rows
from freqmaps.publish.parts import decomposition
from freqmaps.publish.tables import NAMES, NAN, naming_columns
from freqmaps.results.reader import Inputs

TITLE = "Correlation of matched and of mismatched frequency maps (not in the paper)"
CAPTION = (
    "Beside the essential map of an image stands, in the row matched, the adversarial map of the same image, as in the "
    "paper; in the controls the adversarial map of another image of its class (same class) or of another one (other "
    "class), its own adversarial map shuffled within rings of frequency (random bands), its essential map by another "
    "network, without attack (other network), or its map with noise as large as the attack (noise). ± is the sampling "
    "error; %: of the value of the matched pairs, where that is above 0, with a 95 % interval."
)
KIND = "table"
NEEDS = ("correlation", "matrices")
METRICS = ("cosine", "svcca", "idcor", "idcor_cleaned", "idcor_released", "linear_cka", "distance_correlation")
PAIRINGS = ("matched", "same_class", "other_class", "random_bands", "other_network", "noise")


def build(inputs: Inputs, *, attacks: list[str] | None = None) -> Table:
    """Build the table, one row per setting, attack and pairing.

    Parameters
    ----------
    inputs
        The study's results.
    attacks
        Names of the attacks to show; None shows all. Comparisons of networks need no attack and are always shown.

    Returns
    -------
    Table
        ``pairing`` (its name), ``control`` (its kind), ``label`` (how it is called). For each metric ``<metric>``,
        ``<metric>_error``, ``<metric>_low`` and ``<metric>_high`` (95 %, by the metric's method), ``<metric>_share``
        (of the matched value; NaN where that is not above 0, and where there is no attack) with ``_low`` and ``_high``,
        and ``<metric>_n``; ``_p_value`` of each reading of IdCor; ``cosine_change`` with ``_low`` and ``_high``, the
        difference from the matched pairs of the same images. The share of the cosine is that of ``publish.parts``, over
        images that all pairings share. The notes say in words how much is the image's, the class's, the spectrum's, the
        network's and the attack's; of several seeds for the first.
    """
    every = rows(inputs, METRICS, attacks)
    beside = cases(every)
    parts = {key: decomposition(inputs, by_kind) for key, by_kind in beside.items()}
    records = []
    for row in every:
        key = (place(row), row["attack"])
        own = beside.get(key, {})
        first = parts.get(key) if own.get(row["control"]) is row else None
        records.append(_row(inputs, row, own.get("matched"), first))
    frame = pd.DataFrame(records)
    frame.insert(len(NAMES) + 2, "label", _labels(frame))
    columns, notes = naming_columns(frame)
    notes += _conclusions(beside, parts, frame)
    if not beside:
        notes.append("There are no matched pairs to compare with; add the pairing matched to the run.")
    told = [(_before(own["matched"], frame) + own["matched"]["attack"], parts[k]) for k, own in _told(beside)]
    return Table(
        frame, notes, [*columns, Column("label", "Pairing"), *_shown(frame)], finding=finding(told)
    )  # fmt: skip


def _told(beside: Mapping[tuple[Any, ...], Mapping[str, Row]]) -> list[tuple[tuple[Any, ...], Mapping[str, Row]]]:
    """Return the settings and attacks that sentences speak of: of networks that differ by their seed the first."""
    first: dict[tuple[Any, ...], str] = {}
    told = []
    for key, own in beside.items():
        matched = own["matched"]
        setting = tuple(matched[name] for name in NAMES if name != "seed")
        if first.setdefault(setting, matched["seed"]) == matched["seed"]:
            told.append((key, own))
    return told


def _conclusions(
    beside: Mapping[tuple[Any, ...], Mapping[str, Row]],
    parts: Mapping[tuple[Any, ...], Decomposition | None],
    frame: pd.DataFrame,
) -> list[str]:
    """Answer for each setting and attack, once for networks that differ by their seed alone."""
    told = _told(beside)
    notes = [
        _before(own["matched"], frame) + sentence
        for key, own in told
        for sentence in conclusions(own, parts[key], METRICS, LABELS)
    ]
    if len(told) < len(beside):
        notes.append("Networks of other seeds: in the table, not in these sentences.")
    return notes


def _labels(frame: pd.DataFrame) -> list[str]:
    """Call pairings by what they are, with their names where several are the same."""
    several = frame.groupby("control")["pairing"].nunique() > 1
    pairs = zip(frame["control"], frame["pairing"], strict=True)
    return [kind.replace("_", " ") + (f" ({name})" if several[kind] else "") for kind, name in pairs]


def _before(row: Row, frame: pd.DataFrame) -> str:
    """Return what tells a sentence's setting from those of the others, to stand before it."""
    names = [f"{key} {row[key]}" for key in NAMES[:-1] if frame[key].nunique() > 1]
    return f"{', '.join(names)}: " if names else ""


def _row(inputs: Inputs, row: Row, matched: Row | None, parts: Decomposition | None) -> Row:
    record: Row = {key: row[key] for key in (*NAMES, "pairing", "control")}
    for metric in METRICS:
        for field in ("value", "error", "low", "high", "n"):
            name = metric if field == "value" else f"{metric}_{field}"
            record[name] = row.get(f"{metric}_{field}", NAN)
        shared = parts.kept.get(row["control"]) if parts and metric == "cosine" and row is not matched else None
        share = (shared.share.value, shared.share.low, shared.share.high) if shared else _share(row, matched, metric)
        record |= dict(zip((f"{metric}_share{end}" for end in ("", "_low", "_high")), share, strict=True))
    record |= {f"{metric}_p_value": row.get(f"{metric}_p_value", NAN) for metric in READINGS}
    return record | _change(inputs, row, matched)


def _share(row: Row, matched: Row | None, metric: str) -> tuple[float, float, float]:
    """Return the part of the matched value, and bounds by propagation of the two errors.

    ASSUME: errors are independent. Both values rest on the same essential maps, so the bounds are rather too wide.
    There are none where the matched value is within its error of 0, nor for that value itself.
    """
    value, whole = row.get(f"{metric}_value", NAN), NAN if matched is None else matched.get(f"{metric}_value", NAN)
    if matched is None or not whole > 0:
        return NAN, NAN, NAN
    own, other = row.get(f"{metric}_error", NAN), matched.get(f"{metric}_error", NAN)
    share = value / whole
    if row is matched or not whole > Z95 * other:
        return share, NAN, NAN
    reach = Z95 * hypot(own, share * other) / whole
    return share, share - reach, share + reach


def _change(inputs: Inputs, row: Row, matched: Row | None) -> Row:
    """Compare a control's cosines with those of the matched pairs, image by image."""
    names = ("cosine_change", "cosine_change_low", "cosine_change_high")
    if matched is None or row is matched:
        return dict.fromkeys(names, NAN)
    paired = difference(per_image(inputs, row, "cosine"), per_image(inputs, matched, "cosine"))
    values = (NAN, NAN, NAN) if paired is None else (paired.value, paired.low, paired.high)
    return dict(zip(names, values, strict=True))


def _shown(frame: pd.DataFrame) -> list[Column]:
    there = [metric for metric in METRICS if not frame[metric].isna().all()]
    columns = []
    for metric in there:
        columns.append(Column(metric, "value", LABELS[metric], ".3f", error=f"{metric}_error"))
        columns.append(Column(f"{metric}_share", "%", LABELS[metric], ".0f", scale=100))
        columns.append(Column(f"{metric}_share_low", "from", LABELS[metric], ".0f", scale=100, paper=False))
        columns.append(Column(f"{metric}_share_high", "to", LABELS[metric], ".0f", scale=100, paper=False))
        if metric in READINGS:
            columns.append(Column(f"{metric}_p_value", "p", LABELS[metric], ".2g", paper=metric == "idcor"))
    return [*columns, Column(f"{there[0]}_n", "Images", "", "d")] if there else []
