"""A mean in parts, each the difference of the means of two conditions on the same samples, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.bootstrap import RESAMPLES, bootstrap_means, percentiles
from freqmaps.inference.estimates import Estimate

#: Which condition's mean a part is, and which one's is taken off it, if any.
Terms = Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True)
class Part:
    """A difference of means, and the same as a share of the whole (NaN where the whole is not surely above 0)."""

    value: Estimate
    share: Estimate


@dataclass(frozen=True)
class Decomposition:
    """A mean in parts.

    Attributes
    ----------
    n
        Samples that have a value in each condition.
    whole
        The mean that is decomposed.
    kept
        By condition, but for the whole: its mean, and which share of the whole it is.
    parts
        By name, those of which both conditions are there.
    summed
        Names of the parts that add up to the whole.
    """

    n: int
    whole: Estimate
    kept: Mapping[str, Part]
    parts: Mapping[str, Part]
    summed: tuple[str, ...] = ()

    def overlapping(self) -> list[tuple[str, str]]:
        """Return the pairs of parts that add up, and cannot be ranked: their intervals overlap."""
        there = [name for name in self.summed if name in self.parts]
        return [(a, b) for a, b in combinations(there, 2) if self.parts[a].value.overlaps(self.parts[b].value)]

    def ranked(self) -> list[str]:
        """Return the parts that add up, the largest first."""
        return sorted((n for n in self.summed if n in self.parts), key=lambda n: -self.parts[n].value.value)


def decompose(
    values: Mapping[str, ArrayLike],
    parts: Terms,
    *,
    whole: str,
    summed: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Decomposition:
    """Decompose the mean of one condition into differences of means.

    Bounds are percentiles of a bootstrap over samples, drawn with the same samples for every condition. ASSUME: samples
    are independent.

    Parameters
    ----------
    values
        (n,) by condition, paired by sample; n at least 1, no NaN.
    parts
        By name: the condition whose mean it is, and the one whose mean is taken off, or None.
    whole
        The condition that is decomposed.
    summed
        The parts that add up to the whole, which may be ranked.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    FreqmapsError
        The whole is not among the conditions, or they are not paired.
    """
    columns = {name: np.asarray(v, dtype=np.float64) for name, v in values.items()}
    lengths = {v.shape for v in columns.values()}
    if whole not in columns or len(lengths) != 1 or len(next(iter(lengths))) != 1 or not columns[whole].size:
        raise FreqmapsError(f"decomposition: no '{whole}' among arrays (n,) of one length; found shapes {lengths}")
    table = np.stack(list(columns.values()), axis=1)
    draws = dict(zip(columns, bootstrap_means(table, resamples, seed=seed).T, strict=True))
    estimate = _Estimator({name: float(v.mean()) for name, v in columns.items()}, draws, whole)
    estimated = {
        name: estimate.part(condition, without)
        for name, (condition, without) in parts.items()
        if condition in columns and (without is None or without in columns)
    }
    conditions = {name: estimate.part(name, None) for name in columns if name != whole}
    return Decomposition(len(table), estimate.part(whole, None).value, conditions, estimated, tuple(summed))


@dataclass(frozen=True)
class _Estimator:
    means: Mapping[str, float]
    draws: Mapping[str, NDArray[np.float64]]
    whole: str

    def part(self, condition: str, without: str | None) -> Part:
        value = self.means[condition] - (self.means[without] if without else 0.0)
        drawn = self.draws[condition] - (self.draws[without] if without else 0.0)
        whole, wholes = self.means[self.whole], self.draws[self.whole]
        # A share of what may be 0 has no interval.
        share = Estimate(value / whole, *percentiles(drawn / wholes)) if (wholes > 0).all() else Estimate(nan, nan, nan)
        return Part(Estimate(value, *percentiles(drawn)), share)
