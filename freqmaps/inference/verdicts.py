"""Whether a published trend holds: intervals held against the region that the trend says they lie in."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan, nan
from typing import Any, Literal, Self

Interval = tuple[float, float]
Finding = Literal["holds", "does not hold", "cannot be told here"]


def finding(intervals: Iterable[Interval], region: Interval) -> Finding:
    """Hold intervals against the region that a published trend says they lie in.

    Parameters
    ----------
    intervals
        One, or several if the trend speaks of several things at once. A bound of NaN knows nothing.
    region
        From where to where the trend says; ends may be infinite.

    Returns
    -------
    str
        ``holds`` if every interval lies inside, ``does not hold`` if one lies outside, else ``cannot be told here``;
        the last also if there is none.

    Examples
    --------
    >>> finding([(0.01, 0.03)], (0, inf)), finding([(-0.01, 0.03)], (0, inf))
    ('holds', 'cannot be told here')
    """
    bounds = list(intervals)
    if any(high < region[0] or low > region[1] for low, high in bounds):
        return "does not hold"
    if not bounds or any(isnan(low) or isnan(high) for low, high in bounds):
        return "cannot be told here"
    inside = all(region[0] <= low and high <= region[1] for low, high in bounds)
    return "holds" if inside else "cannot be told here"


def worst(intervals: Iterable[Interval], region: Interval) -> Interval:
    """Return the interval that decides a verdict: the one that reaches farthest out of the region, or least into it.

    Parameters
    ----------
    intervals, region
        See :func:`finding`.

    Returns
    -------
    tuple of float
        Of the intervals outside the region if there are any, else of those whose bounds are known; NaN if none is.

    Examples
    --------
    >>> worst([(0.2, 0.4), (-0.1, 0.3), (nan, nan)], (0, inf)), worst([(-9.0, 9.0), (-2.0, -1.0)], (0, inf))
    ((-0.1, 0.3), (-2.0, -1.0))
    """
    known = [(low, high) for low, high in intervals if not isnan(low) and not isnan(high)]
    outside = [(low, high) for low, high in known if high < region[0] or low > region[1]]
    return min(outside or known, key=lambda bounds: _margin(bounds, region), default=(nan, nan))


def _margin(bounds: Interval, region: Interval) -> float:
    """Return how far an interval keeps inside a region, negative if it reaches out; infinite ends are never reached."""
    margins = (bounds[0] - region[0] if region[0] > -inf else inf, region[1] - bounds[1] if region[1] < inf else inf)
    return min(margins)


class Claim(str):
    """A claim of a paper and what a study says of it: a sentence wherever notes are text, which keeps its parts.

    Parameters
    ----------
    claim
        What the paper says, in our words, without a full stop.
    verdict
        See :func:`finding`.
    evidence
        The numbers that decide it, without a full stop.
    section
        Where the paper says so.
    reported
        What the paper reports for it; empty where it gives no number.
    low, high
        The interval that decides it, of several the worst for the claim; NaN where none is known.
    n
        What it was measured on (images, networks, draws); None where the evidence says it.
    place
        Which of a study's networks, attacks or data it speaks of; empty where there is only one.
    networks
        How many networks whose trainings differ by the seed alone it rests on; None where it rests on none, or where
        that has not been said yet. Intervals of one network's images say nothing of how networks differ.
    """

    claim: str
    verdict: Finding
    evidence: str
    section: str
    reported: str
    low: float
    high: float
    n: int | None
    place: str
    networks: int | None

    def __new__(
        cls,
        claim: str,
        verdict: Finding,
        evidence: str,
        *,
        section: str = "",
        reported: str = "",
        low: float = nan,
        high: float = nan,
        n: int | None = None,
        place: str = "",
        networks: int | None = None,
    ) -> Self:
        """Write the sentence."""
        sentence = f"The published trend ({claim}) {verdict}: {evidence}."
        instance = super().__new__(cls, f"{place}: {sentence}" if place else sentence)
        instance.claim, instance.verdict, instance.evidence, instance.place = claim, verdict, evidence, place
        instance.section, instance.reported, instance.low, instance.high, instance.n = section, reported, low, high, n
        instance.networks = networks
        return instance

    def at(self, place: str) -> Self:
        """Return the same claim with its place before the sentence; an empty place changes nothing.

        >>> trend("M rises", [(0.01, 0.03)], "by 0.02").at("digits")
        'digits: The published trend (M rises) holds: by 0.02.'
        """
        return type(self)(**(self.parts() | {"place": place})) if place else self

    def resting_on(self, networks: int | None) -> Self:
        """Return the same claim with the number of networks that it rests on, if it does not say so itself."""
        return self if self.networks is not None else type(self)(**(self.parts() | {"networks": networks}))

    def parts(self) -> dict[str, Any]:
        """Return everything but the sentence: the parameters of the class."""
        return {name: getattr(self, name) for name in _PARTS}


def placed(place: str, sentences: Iterable[str]) -> list[str]:
    """Return sentences with their place before each, claims with their parts; an empty place changes nothing.

    >>> placed("digits", ["n = 3."]), placed("", ["n = 3."])
    (['digits: n = 3.'], ['n = 3.'])
    """
    return [s.at(place) if isinstance(s, Claim) else f"{place}: {s}" if place else s for s in sentences]


_PARTS = ("claim", "verdict", "evidence", "section", "reported", "low", "high", "n", "place", "networks")


def trend(
    claim: str,
    intervals: Iterable[Interval],
    evidence: str,
    *,
    region: Interval = (0, inf),
    section: str = "",
    reported: str = "",
    n: int | None = None,
    networks: int | None = None,
    deciding: Interval | None = None,
) -> Claim:
    """Hold what a study measured against what a paper claims.

    Parameters
    ----------
    claim
        What the paper says, without a full stop.
    intervals, region
        See :func:`finding`.
    evidence
        The numbers that decide it, without a full stop.
    section, reported, n, networks
        See :class:`Claim`.
    deciding
        The interval to keep as the one that decides; None: :func:`worst`. To be given where another rule than where
        intervals lie (a test's p-value) took part in the verdict.

    Examples
    --------
    >>> trend("M rises", [(0.01, 0.03)], "by 0.02")
    'The published trend (M rises) holds: by 0.02.'
    """
    bounds = list(intervals)
    low, high = worst(bounds, region) if deciding is None else deciding
    return Claim(
        claim, finding(bounds, region), evidence, section=section, reported=reported, low=low, high=high, n=n,
        networks=networks,
    )  # fmt: skip
