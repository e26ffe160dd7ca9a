"""Whether a published trend holds: intervals held against the region that the trend says they lie in."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan
from typing import Literal

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
    every = list(intervals)
    if any(high < region[0] or low > region[1] for low, high in every):
        return "does not hold"
    if not every or any(isnan(low) or isnan(high) for low, high in every):
        return "cannot be told here"
    inside = all(region[0] <= low and high <= region[1] for low, high in every)
    return "holds" if inside else "cannot be told here"


def trend(claim: str, intervals: Iterable[Interval], evidence: str, *, region: Interval = (0, inf)) -> str:
    """Return a sentence on a published trend.

    Parameters
    ----------
    claim
        What the paper says, without a full stop.
    intervals, region
        See :func:`finding`.
    evidence
        The numbers that decide it, without a full stop.

    Examples
    --------
    >>> trend("M rises", [(0.01, 0.03)], "by 0.02")
    'The published trend (M rises) holds: by 0.02.'
    """
    found = finding(intervals, region)
    return f"The published trend ({claim}) {found}: {evidence}."
