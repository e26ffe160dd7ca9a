"""The reader's question in words: how much of a correlation is the image, the class, the spectrum, the network, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot

import pandas as pd

from freqmaps.items._controls import NO_ATTACK, ORDER, Z95, Difference, Row, difference, per_image
from freqmaps.results import Inputs

_NAMES = {
    "same_class": "same class",
    "other_class": "other class",
    "random_bands": "random bands",
    "other_network": "other network",
    "noise": "noise",
}


def answer(inputs: Inputs, rows: Sequence[Row], metrics: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """Return sentences on one setting and attack.

    Parameters
    ----------
    inputs
        The study's results.
    rows
        The setting's rows (:func:`freqmaps.items._controls.rows`) of one attack, with those without attack. Of several
        of one kind the first counts.
    metrics, labels
        Kinds of metric, and how they are called.
    """
    by_kind = {row["control"]: row for row in reversed(rows)}
    attack = next(row["attack"] for row in rows if row["attack"] != NO_ATTACK)
    absent = [_NAMES[kind] for kind in ORDER if kind not in by_kind]
    if len(absent) == len(_NAMES):
        return [f"{attack}: no control was computed; add pairings to the run."]
    found = [f"{attack}{sentence}" for sentence in _cosine(inputs, by_kind)]
    left = [text for metric in metrics if (text := _left(by_kind, metric, labels[metric]))]
    found += [f"{attack}, what is left of the matched value: {'; '.join(left)}."] if left else []
    return found + ([f"{attack}: not computed: {', '.join(absent)}."] if absent else [])


def _cosine(inputs: Inputs, by_kind: Mapping[str, Row]) -> list[str]:
    """Say image by image what each control takes away from the matched cosine, and what it is without attack."""
    values = {kind: found for kind, row in by_kind.items() if len(found := per_image(inputs, row, "cosine"))}
    if "matched" not in values:
        return []
    whole = float(values["matched"].mean())
    parts = [
        _part(values, whole, "the image", "matched", "same_class"),
        _part(values, whole, "the class", "same_class", "other_class"),
        _base(values, whole, "other_class", "what images of other classes have in common"),
        _base(values, whole, "random_bands", "the spectrum alone (random bands)"),
    ]
    beyond = [
        _base(values, 0.0, "noise", "the image with noise as large"),
        _base(values, 0.0, "other_network", "the image in another network"),
        _part(values, 0.0, "so the network", "noise", "other_network"),
        _part(values, 0.0, "the attack takes", "noise", "matched"),
    ]
    told = [(f": of the cosine {whole:.3f} of matched pairs, ", parts), (", cosine without attack: ", beyond)]
    return [start + "; ".join(filter(None, some)) + "." for start, some in told if any(some)]


def _part(values: Mapping[str, pd.Series], whole: float, name: str, kind: str, without: str) -> str:
    if kind not in values or without not in values:
        return ""
    found = difference(values[kind], values[without])
    return "" if found is None else f"{name}: {_with_interval(found, whole)}"


def _with_interval(found: Difference, whole: float) -> str:
    told = "" if found.clear else ", not told from 0"
    return f"{found.value:+.3f}{_percent(found.value, whole)} [{found.low:+.3f}, {found.high:+.3f}]{told}"


def _base(values: Mapping[str, pd.Series], whole: float, kind: str, name: str) -> str:
    if kind not in values:
        return ""
    value = float(values[kind].mean())
    return f"{name}: {value:.3f}{_percent(value, whole)}"


def _percent(part: float, whole: float) -> str:
    """Write a part of the whole in percent, where that is above 0.

    >>> _percent(0.1, 0.4), _percent(0.1, 0.0)
    (' (25 %)', '')
    """
    return f" ({100 * part / whole:.0f} %)" if whole > 0 else ""


def _left(by_kind: Mapping[str, Row], metric: str, label: str) -> str:
    """Write which share of a metric's matched value each control has, for a metric whose matched value is above 0."""
    matched = by_kind["matched"]
    whole = matched.get(f"{metric}_value")
    if whole is None or not whole > 0:
        return ""
    shares = []
    for kind, name in _NAMES.items():
        value = by_kind.get(kind, {}).get(f"{metric}_value")
        if value is not None and value == value:
            doubt = "" if _told_apart(by_kind[kind], matched, metric) else " (within the errors)"
            shares.append(f"{name} {100 * value / whole:.0f} %{doubt}")
    return f"{label} {whole:.3f}: {', '.join(shares)}" if shares else ""


def _told_apart(row: Row, matched: Row, metric: str) -> bool:
    """Whether two values differ by more than 1.96 of their joint error; so it is where either has no error.

    ASSUME: errors are independent. The values share the essential maps, so the joint error is rather too large.
    """
    one, other = (float(r[f"{metric}_error"]) for r in (row, matched))
    distance = abs(row[f"{metric}_value"] - matched[f"{metric}_value"])
    return not distance <= Z95 * hypot(one, other)
