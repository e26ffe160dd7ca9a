"""The mean corruption error of a network relative to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

from freqmaps.core.errors import FreqmapsError


def mean_corruption_error(errors: Mapping[str, Sequence[float]], reference: Mapping[str, Sequence[float]]) -> float:
    """Return mCE in percent (Hendrycks & Dietterich, ICLR 2019, section 3.2): 100 for the reference itself.

    The errors of a corruption are summed over its severities and divided by the reference's sum; mCE is the mean of
    these quotients over corruptions.

    Parameters
    ----------
    errors
        Error rates in [0, 1] of a network, for each corruption one per severity.
    reference
        Those of the network to compare with; the same corruptions and severities.

    Returns
    -------
    float
        NaN where the reference makes no error at all under one of the corruptions, or there is no corruption.

    Raises
    ------
    FreqmapsError
        The two are not of the same corruptions and severities.

    Examples
    --------
    >>> mean_corruption_error({"fog": [0.1, 0.3], "snow": [0.5, 0.5]}, {"fog": [0.2, 0.2], "snow": [0.25, 0.25]})
    150.0
    """
    if {name: len(values) for name, values in errors.items()} != {k: len(v) for k, v in reference.items()}:
        raise FreqmapsError(
            f"errors are of {sorted(errors)} and of {sorted(reference)}, or of other numbers of severities; "
            "give those of the same corruptions and severities"
        )
    sums = [(sum(values), sum(reference[name])) for name, values in errors.items()]
    if not sums or not all(of_reference for _, of_reference in sums):
        return nan
    return 100 * sum(own / of_reference for own, of_reference in sums) / len(sums)
