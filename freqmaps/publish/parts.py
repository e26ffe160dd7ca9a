"""A matched cosine in parts: what of it is the image, the class, common to all; and the spectrum, network, attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from freqmaps.inference.decomposition import Decomposition, decompose
from freqmaps.inference.estimates import Estimate
from freqmaps.publish.numbers import number
from freqmaps.publish.pairings import Row, per_image
from freqmaps.results.reader import Inputs

#: Each part is the mean cosine of the first kind of pairing less that of the second, if there is one. The first three
#: add up to the matched cosine; the spectrum overlaps with them, and the last two are no parts of it but beside it.
PARTS = {
    "image": ("matched", "same_class"),
    "class": ("same_class", "other_class"),
    "common": ("other_class", None),
    "spectrum": ("random_bands", None),
    "network": ("noise", "other_network"),
    "attack": ("noise", "matched"),
}
#: Those that add up to the matched cosine.
SUMMED = ("image", "class", "common")
#: What to call them in a sentence.
NAMES = {
    "image": "the image",
    "class": "the class",
    "common": "what images of other classes have in common",
    "spectrum": "the spectrum alone (random bands)",
    "network": "the network",
    "attack": "the attack",
}


def decomposition(inputs: Inputs, by_kind: Mapping[str, Row]) -> Decomposition | None:
    """Decompose the matched cosine over the images that all pairings share.

    See :func:`freqmaps.inference.decomposition.decompose`. Where partners are other images each map stands in two
    pairs, which its bootstrap does not know.

    Parameters
    ----------
    inputs
        The study's results.
    by_kind
        Rows (:func:`freqmaps.publish.pairings.rows`) of one setting and attack, by kind of pairing.

    Returns
    -------
    Decomposition or None
        None without cosines of matched pairs and of one control, or with fewer than 3 images that share them.
    """
    values = {kind: cosines for kind, row in by_kind.items() if len(cosines := per_image(inputs, row, "cosine"))}
    if "matched" not in values or len(values) < 2:
        return None
    table = pd.DataFrame(values).dropna()
    if len(table) < 3:
        return None
    return decompose({kind: table[kind] for kind in values}, PARTS, whole="matched", summed=SUMMED)


def in_percent(share: Estimate) -> str:
    """Write a share that is a number in percent, with its interval.

    >>> in_percent(Estimate(-0.001, -0.06, 0.05))
    '0 % [−6, 5]'
    """
    value, low, high = (number(round(100 * v), "d") for v in (share.value, share.low, share.high))
    return f"{value} % [{low}, {high}]"


def ranking(decomposition: Decomposition) -> str:
    """Say which of the parts that add up is the largest, and which cannot be ranked."""
    order = decomposition.ranked()
    if len(order) < 2:
        return ""
    doubts = decomposition.overlapping()
    sentence = f"the largest part is {NAMES[order[0]]}" if not _in_doubt(order[0], doubts) else "no part is the largest"
    pairs = "; ".join(f"{NAMES[a]} and {NAMES[b]}" for a, b in doubts)
    return f"{sentence}; intervals overlap, so that the two cannot be ranked: {pairs}" if pairs else sentence


def _in_doubt(name: str, doubts: Sequence[tuple[str, str]]) -> bool:
    return any(name in pair for pair in doubts)
