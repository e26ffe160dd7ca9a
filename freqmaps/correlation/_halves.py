"""Sampling errors from half-samples: the delete-half jackknife.

The standard deviation of a statistic over random halves, drawn without replacement, estimates the standard error of
the statistic on all rows, also where it is not smooth (medians, neighbour statistics); Shao & Wu 1989, *A general
theory for jackknife variance estimation*, Annals of Statistics 17:1176, eq. (2.4) with a random choice of subsets.
Half-samples have no duplicated rows, which a bootstrap would: those are zero distances to a neighbour statistic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

METHOD = "delete-half jackknife"
INTERVAL = "Student's t, delete-half jackknife"

#: Tell the streams of one seed apart. Not 0: NumPy pads seeds with zeros, so that ``[seed, 0]`` would be the stream of
#: ``default_rng(seed)``, from which a caller may have drawn the very data that are to be permuted.
_PERMUTATIONS, _HALVES = 101, 102


def half_samples(n: int, count: int, seed: int) -> NDArray[np.int32]:
    """Return random half-samples of n rows.

    Parameters
    ----------
    n
        Rows.
    count
        Half-samples.
    seed
        Of the choice; independent of what :func:`permutations` draws with the same seed.

    Returns
    -------
    ndarray
        (count, n // 2) int32, each row sorted.
    """
    rng = np.random.default_rng([seed, _HALVES])
    halves = np.empty((count, n // 2), np.int32)
    for row in halves:
        row[:] = np.sort(rng.permutation(n)[: n // 2])
    return halves


def permutations(n: int, count: int, seed: int) -> NDArray[np.int32]:
    """Return ``count`` random permutations of n rows: (count, n) int32."""
    rng = np.random.default_rng([seed, _PERMUTATIONS])
    drawn = np.empty((count, n), np.int32)
    for row in drawn:
        row[:] = rng.permutation(n)
    return drawn


def delete_half_error(values: NDArray[np.float64], n: int) -> tuple[float | None, str]:
    """Return the standard error that the values on half-samples imply, or None and the reason.

    Parameters
    ----------
    values
        (count,) the statistic on each half-sample of ``n // 2`` rows.
    n
        Rows of the whole.

    Returns
    -------
    tuple
        ``sqrt(r / (n - r)) * sd(values)`` with r = n // 2 (a factor of 1 for even n), and an empty text.
    """
    if len(values) < 2:
        return None, "no sampling error: fewer than 2 half-samples"
    if not np.isfinite(values).all():
        return None, "no sampling error: a half-sample has no value"
    kept = n // 2
    return float(np.sqrt(kept / (n - kept)) * np.std(values, ddof=1)), ""


def spread(value: float, halves: NDArray[np.float64], n: int) -> dict[str, Any]:
    """Return what the values on half-samples say of a value, as the arguments of a :class:`Metric`.

    Parameters
    ----------
    value
        The statistic on all n rows.
    halves, n
        See :func:`delete_half_error`.

    Returns
    -------
    dict
        ``error, error_method, low, high, interval_method, reason``. The interval is ``value ± t error``, t being
        Student's quantile with one degree of freedom less than there are half-samples: the error rests on those few.
    """
    error, reason = delete_half_error(halves, n)
    if error is None:
        return {"reason": reason}
    reach = float(stdtrit(len(halves) - 1, 0.975)) * error
    return {"error": error, "error_method": METHOD, "reason": ""} | {
        "low": value - reach,
        "high": value + reach,
        "interval_method": INTERVAL,
    }
