"""Matched and mismatched pairs of maps: how much of the correlation is the image, the class, the spectrum, ..."""

from __future__ import annotations

from typing import Any

import pandas as pd

from freqmaps.items._api import Column, Table
from freqmaps.items._controls import NO_ATTACK, Z95, Row, difference, per_image, place, rows
from freqmaps.items._controls_answer import answer
from freqmaps.items._tables import NAMES, NAN, naming_columns
from freqmaps.results import Inputs

TITLE = "Correlation of matched and of mismatched frequency maps (not in the paper)"
CAPTION = (
    "Beside the essential map of an image stands, in the row matched, the adversarial map of the same image, as in the "
    "paper; in the controls the adversarial map of another image of its class (same class) or of another one (other "
    "class), its own adversarial map shuffled within rings of frequency (random bands), its essential map by another "
    "network, without attack (other network), or its map with noise as large as the attack (noise). ± is the sampling "
    "error; %: of the value of the matched pairs, where that is above 0."
)
KIND = "table"
NEEDS = ("correlation", "matrices")
METRICS = ("cosine", "svcca", "idcor", "linear_cka", "distance_correlation")
PAIRINGS = ("matched", "same_class", "other_class", "random_bands", "other_network", "noise")

_LABELS = {
    "cosine": "Cosine",
    "svcca": "SVCCA",
    "idcor": "IdCor",
    "linear_cka": "CKA",
    "distance_correlation": "dCor",
}


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
        ``<metric>_error``, ``<metric>_low`` and ``<metric>_high`` (95 %, value ± 1.96 errors), ``<metric>_share`` (of
        the matched value; NaN where that is not above 0, and where there is no attack) and ``<metric>_n``;
        ``idcor_p_value``; ``cosine_change`` with ``_low`` and ``_high``, the difference from the matched pairs of the
        same images. The notes answer in words how much is the image's, the class's, the spectrum's, the network's and
        the attack's.
    """
    every = rows(inputs, METRICS, attacks)
    matched: dict[tuple[Any, ...], Row] = {}
    for row in every:
        if row["control"] == "matched":
            matched.setdefault((place(row), row["attack"]), row)
    frame = pd.DataFrame([_row(inputs, row, matched.get((place(row), row["attack"]))) for row in every])
    frame.insert(len(NAMES) + 2, "label", _labels(frame))
    columns, notes = naming_columns(frame)
    for (setting, attack), own in matched.items():
        others = [r for r in every if place(r) == setting and r["attack"] in (attack, NO_ATTACK)]
        notes += [_before(own, frame) + sentence for sentence in answer(inputs, others, METRICS, _LABELS)]
    if not matched:
        notes.append("There are no matched pairs to compare with; add the pairing matched to the run.")
    return Table(frame, notes, [*columns, Column("label", "Pairing"), *_shown(frame)])


def _labels(frame: pd.DataFrame) -> list[str]:
    """Call pairings by what they are, with their names where several are the same."""
    several = frame.groupby("control")["pairing"].nunique() > 1
    pairs = zip(frame["control"], frame["pairing"], strict=True)
    return [kind.replace("_", " ") + (f" ({name})" if several[kind] else "") for kind, name in pairs]


def _before(row: Row, frame: pd.DataFrame) -> str:
    """Return what tells a sentence's setting from those of the others, to stand before it."""
    names = [f"{key} {row[key]}" for key in NAMES[:-1] if frame[key].nunique() > 1]
    return f"{', '.join(names)}: " if names else ""


def _row(inputs: Inputs, row: Row, matched: Row | None) -> Row:
    found: Row = {key: row[key] for key in (*NAMES, "pairing", "control")}
    for metric in METRICS:
        value, error = (row.get(f"{metric}_{field}", NAN) for field in ("value", "error"))
        whole = NAN if matched is None else matched.get(f"{metric}_value", NAN)
        found |= {metric: value, f"{metric}_error": error, f"{metric}_n": row.get(f"{metric}_n", NAN)}
        found |= {f"{metric}_low": value - Z95 * error, f"{metric}_high": value + Z95 * error}
        found[f"{metric}_share"] = value / whole if whole > 0 else NAN
    found["idcor_p_value"] = row.get("idcor_p_value", NAN)
    return found | _change(inputs, row, matched)


def _change(inputs: Inputs, row: Row, matched: Row | None) -> Row:
    """Compare a control's cosines with those of the matched pairs, image by image."""
    names = ("cosine_change", "cosine_change_low", "cosine_change_high")
    if matched is None or row is matched:
        return dict.fromkeys(names, NAN)
    found = difference(per_image(inputs, row, "cosine"), per_image(inputs, matched, "cosine"))
    values = (NAN, NAN, NAN) if found is None else (found.value, found.low, found.high)
    return dict(zip(names, values, strict=True))


def _shown(frame: pd.DataFrame) -> list[Column]:
    there = [metric for metric in METRICS if not frame[metric].isna().all()]
    columns = []
    for metric in there:
        columns.append(Column(metric, "value", _LABELS[metric], ".3f", error=f"{metric}_error"))
        columns.append(Column(f"{metric}_share", "%", _LABELS[metric], ".0f", scale=100))
    if "idcor" in there:
        columns.append(Column("idcor_p_value", "p", "IdCor", ".2g"))
    return [*columns, Column(f"{there[0]}_n", "Images", "", "d")] if there else []
