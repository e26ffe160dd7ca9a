"""Sentences that say how much of a correlation is due to the image, the class, the spectrum, the network, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot

from freqmaps.inference.decomposition import Decomposition, Part
from freqmaps.inference.estimates import Z95
from freqmaps.publish.pairings import Row
from freqmaps.publish.parts import NAMES, in_percent, ranking

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
    found = [f"{attack}{sentence}" for sentence in in_words(parts)] if parts else []
    left = [text for metric in metrics if (text := _left(by_kind, metric, labels[metric]))]
    found += [f"{attack}, what is left of the matched value: {'; '.join(left)}."] if left else []
    return found + ([f"{attack}: not computed: {', '.join(absent)}."] if absent else [])


def in_words(found: Decomposition) -> list[str]:
    """Say what the matched cosine is made of, what there is without attack, and where that cannot be told."""
    matched = found.whole
    whole = f": of the cosine {matched.value:.3f} [{matched.low:.3f}, {matched.high:.3f}] of {found.n} matched pairs, "
    beyond = [
        _kept(found, "noise", "the image with noise as large"),
        _kept(found, "other_network", "the image in another network"),
        _part(found, "network", "so the network"),
        _part(found, "attack", "the attack takes"),
    ]
    parts = [_part(found, name, NAMES[name]) for name in ("image", "class", "common", "spectrum")]
    told = [(whole, parts), (", cosine without attack: ", beyond)]
    sentences = [start + "; ".join(filter(None, some)) + "." for start, some in told if any(some)]
    order = ranking(found)
    return [*sentences, *([f": {order}."] if order else [])]


def _part(found: Decomposition, name: str, called: str) -> str:
    return f"{called}: {_with_interval(found.parts[name], '+')}" if name in found.parts else ""


def _kept(found: Decomposition, kind: str, called: str) -> str:
    return f"{called}: {_with_interval(found.kept[kind], '')}" if kind in found.kept else ""


def _with_interval(part: Part, sign: str) -> str:
    cosine, share = part.value, part.share
    told = "" if cosine.clear else ", not told from 0"
    percent = f" = {in_percent(share)}" if share.value == share.value else ""
    bounds = f"[{cosine.low:{sign}.3f}, {cosine.high:{sign}.3f}]"
    return f"{cosine.value:{sign}.3f} {bounds}{percent}{told}"


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
    one, other = (float(r[f"{metric}_error"]) for r in (row, matched))
    distance = abs(row[f"{metric}_value"] - matched[f"{metric}_value"])
    return not distance <= Z95 * hypot(one, other)
