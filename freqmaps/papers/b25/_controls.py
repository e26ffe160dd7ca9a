"""Sentences that say how much of a correlation is due to the image, the class, the spectrum, the network, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot

from freqmaps.inference.decomposition import Decomposition, Part
from freqmaps.inference.estimates import Z95, Estimate
from freqmaps.papers.b25._readings import READINGS
from freqmaps.publish.numbers import number
from freqmaps.publish.pairings import Row
from freqmaps.publish.parts import NAMES, SUMMED, in_percent, ranking

_NAMES = {
    "same_class": "same class",
    "other_class": "other class",
    "random_bands": "random bands",
    "other_network": "other network",
    "noise": "noise",
}


def conclusions(
    by_kind: Mapping[str, Row], parts: Decomposition | None, metrics: Sequence[str], labels: Mapping[str, str]
) -> list[str]:
    """Return sentences on one setting and attack.

    Parameters
    ----------
    by_kind
        The setting's rows (:func:`._controls.rows`) of one attack, with those without attack, by kind of
        pairing; that of matched pairs must be there.
    parts
        Their decomposition, if there is one.
    metrics, labels
        Kinds of metric, and how they are called.
    """
    attack = by_kind["matched"]["attack"]
    absent = [name for kind, name in _NAMES.items() if kind not in by_kind]
    if len(absent) == len(_NAMES):
        return [f"{attack}: no control was computed; add pairings to the run."]
    sentences = [f"{attack}{sentence}" for sentence in in_words(parts)] if parts else []
    left = _each_left(by_kind, metrics, labels)
    sentences += [f"{attack}, what is left of the matched value: {'; '.join(left)}."] if left else []
    return sentences + ([f"{attack}: not computed: {', '.join(absent)}."] if absent else [])


def finding(cases: Sequence[tuple[str, Decomposition | None]]) -> str:
    """Say in one sentence what the matched cosine is made of.

    Parameters
    ----------
    cases
        What to call each case (its attack), and its decomposition, if there is one.
    """
    told = []
    for name, parts in cases:
        shares = {part: parts.parts[part].share for part in SUMMED if part in parts.parts} if parts else {}
        known = [f"{NAMES[part]} {in_percent(share)}" for part, share in shares.items() if share.value == share.value]
        told += [f"{name}: {', '.join(known)}"] if known else []
    if not told:
        return "What the matched cosine is made of cannot be told here."
    return f"Parts of the cosine of matched maps, with 95 % intervals: {'; '.join(told)}."


def in_words(decomposition: Decomposition) -> list[str]:
    """Say what the matched cosine is made of, what there is without attack, and where that cannot be told."""
    whole = f": of the cosine {_bracketed(decomposition.whole, '')} of {decomposition.n} matched pairs, "
    beyond = [
        _kept(decomposition, "noise", "the image with noise as large"),
        _kept(decomposition, "other_network", "the image in another network"),
        _part(decomposition, "network", "so the network"),
        _part(decomposition, "attack", "the attack takes"),
    ]
    parts = [_part(decomposition, name, NAMES[name]) for name in ("image", "class", "common", "spectrum")]
    groups = [(whole, parts), (", cosine without attack: ", beyond)]
    sentences = [start + "; ".join(filter(None, some)) + "." for start, some in groups if any(some)]
    order = ranking(decomposition)
    return [*sentences, *([f": {order}."] if order else [])]


def _part(decomposition: Decomposition, name: str, called: str) -> str:
    return f"{called}: {_with_interval(decomposition.parts[name], '+')}" if name in decomposition.parts else ""


def _kept(decomposition: Decomposition, kind: str, called: str) -> str:
    return f"{called}: {_with_interval(decomposition.kept[kind], '')}" if kind in decomposition.kept else ""


def _with_interval(part: Part, sign: str) -> str:
    cosine, share = part.value, part.share
    doubt = "" if cosine.clear else ", not told from 0"
    percent = f" = {in_percent(share)}" if share.value == share.value else ""
    return f"{_bracketed(cosine, sign)}{percent}{doubt}"


def _bracketed(cosine: Estimate, sign: str) -> str:
    value, low, high = (number(v, f"{sign}.3f") for v in (cosine.value, cosine.low, cosine.high))
    return f"{value} [{low}, {high}]"


def _each_left(by_kind: Mapping[str, Row], metrics: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """Write what is left of each metric; where one reading of IdCor has shares, say why another has none."""
    left = {metric: text for metric in metrics if (text := _left(by_kind, metric, labels[metric]))}
    if any(metric in READINGS for metric in left):
        without = [metric for metric in metrics if metric in READINGS and metric not in left]
        left |= {metric: f"{labels[metric]}{_why_none(by_kind['matched'], metric)}" for metric in without}
    return [left[metric] for metric in metrics if metric in left]


def _why_none(matched: Row, metric: str) -> str:
    value = matched.get(f"{metric}_value")
    if value is None or value != value:
        return ": not computed"
    return f" {value:.3f}: no shares, since it is not above 0" if value <= 0 else f" {value:.3f}: of no control"


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
            shares.append(f"{name} {round(100 * value / whole)} %{doubt}")
    return f"{label} {whole:.3f}: {', '.join(shares)}" if shares else ""


def _told_apart(row: Row, matched: Row, metric: str) -> bool:
    """Whether two values differ by more than 1.96 of their joint error; so it is where either has no error.

    ASSUME: errors are independent. The values share the essential maps, so the joint error is rather too large.
    """
    own, theirs = (float(r[f"{metric}_error"]) for r in (row, matched))
    distance = abs(row[f"{metric}_value"] - matched[f"{metric}_value"])
    return not distance <= Z95 * hypot(own, theirs)
