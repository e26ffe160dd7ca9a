"""A matched cosine in parts: what of it is the image, the class, common to all; and the spectrum, network, attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqmaps.inference.bootstrap import RESAMPLES, bootstrap_means, percentiles
from freqmaps.papers.b25._controls import Row, per_image
from freqmaps.publish.tables import NAN
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


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN bounds where there is none."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def overlaps(self, other: Estimate) -> bool:
        """Whether the two intervals have a number in common."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Part:
    """A difference of mean cosines, and the same as a share of the matched cosine (NaN where that is not above 0)."""

    cosine: Estimate
    share: Estimate


@dataclass(frozen=True)
class Decomposition:
    """One setting and attack.

    Attributes
    ----------
    n
        Images that have a value in each pairing used.
    matched
        Their mean cosine in matched pairs.
    kept
        By kind of control: its mean cosine, and which share of the matched one it is.
    parts
        By name of :data:`PARTS`, those of which both pairings are there.
    """

    n: int
    matched: Estimate
    kept: Mapping[str, Part]
    parts: Mapping[str, Part]

    def overlapping(self) -> list[tuple[str, str]]:
        """Return the pairs of parts that add up, and cannot be ranked: their intervals overlap."""
        there = [name for name in SUMMED if name in self.parts]
        return [(a, b) for a, b in combinations(there, 2) if self.parts[a].cosine.overlaps(self.parts[b].cosine)]

    def ranked(self) -> list[str]:
        """Return the parts that add up, the largest first."""
        return sorted((n for n in SUMMED if n in self.parts), key=lambda n: -self.parts[n].cosine.value)


def decomposition(inputs: Inputs, by_kind: Mapping[str, Row]) -> Decomposition | None:
    """Decompose the matched cosine over the images that all pairings share.

    Bounds are percentiles of a bootstrap over images, drawn with the same images for every pairing. ASSUME: images are
    independent. Where partners are other images each map stands in two pairs, which the bootstrap does not know.

    Parameters
    ----------
    inputs
        The study's results.
    by_kind
        Rows (:func:`freqmaps.papers.b25._controls.rows`) of one setting and attack, by kind of pairing.

    Returns
    -------
    Decomposition or None
        None without cosines of matched pairs and of one control, or with fewer than 3 images that share them.
    """
    values = {kind: found for kind, row in by_kind.items() if len(found := per_image(inputs, row, "cosine"))}
    if "matched" not in values or len(values) < 2:
        return None
    table = pd.DataFrame(values).dropna()
    if len(table) < 3:
        return None
    draws = dict(zip(values, bootstrap_means(table.to_numpy(), RESAMPLES, seed=0).T, strict=True))
    means = {kind: float(table[kind].mean()) for kind in values}
    estimate = _Estimator(means, draws)
    controls = [kind for kind in values if kind != "matched"]
    return Decomposition(
        len(table),
        estimate.part("matched", None).cosine,
        {kind: estimate.part(kind, None) for kind in controls},
        {
            name: estimate.part(kind, without)
            for name, (kind, without) in PARTS.items()
            if kind in means and (without is None or without in means)
        },
    )


@dataclass(frozen=True)
class _Estimator:
    means: Mapping[Any, float]
    draws: Mapping[Any, NDArray[np.float64]]

    def part(self, kind: str, without: str | None) -> Part:
        value = self.means[kind] - (self.means[without] if without else 0.0)
        drawn = self.draws[kind] - (self.draws[without] if without else 0.0)
        whole, wholes = self.means["matched"], self.draws["matched"]
        cosine = Estimate(value, *percentiles(drawn))
        # A share of what may be 0 has no interval.
        share = Estimate(value / whole, *percentiles(drawn / wholes)) if (wholes > 0).all() else Estimate(NAN, NAN, NAN)
        return Part(cosine, share)


def in_percent(share: Estimate) -> str:
    """Write a share that is a number in percent, with its interval.

    >>> in_percent(Estimate(-0.001, -0.06, 0.05))
    '0 % [-6, 5]'
    """
    return f"{round(100 * share.value)} % [{round(100 * share.low)}, {round(100 * share.high)}]"


def ranking(found: Decomposition) -> str:
    """Say which of the parts that add up is the largest, and which cannot be ranked."""
    order = found.ranked()
    if len(order) < 2:
        return ""
    doubts = found.overlapping()
    sentence = f"the largest part is {NAMES[order[0]]}" if not _in_doubt(order[0], doubts) else "no part is the largest"
    pairs = "; ".join(f"{NAMES[a]} and {NAMES[b]}" for a, b in doubts)
    return f"{sentence}; intervals overlap, so that the two cannot be ranked: {pairs}" if pairs else sentence


def _in_doubt(name: str, doubts: Sequence[tuple[str, str]]) -> bool:
    return any(name in pair for pair in doubts)
