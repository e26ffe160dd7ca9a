"""The interface of correlation metrics: what each of them takes and returns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError

Matrix = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric's value on two matrices with paired rows, and how far to trust it.

    Attributes
    ----------
    value
        The metric; NaN where it has none, and ``reason`` says why.
    n
        Rows that the value rests on.
    n_dropped
        Rows left out (zero norm, tied neighbours).
    std
        Standard deviation over rows, of metrics that are a mean over rows.
    p_value
        Of the metric's permutation test.
    error
        Standard error of ``value`` under resampling of rows, None where it cannot be had.
    error_method
        How ``error`` was estimated.
    low, high
        Bounds of a 95 % interval of ``value`` under resampling of rows, None where it cannot be had. It knows the
        spread of the value, not a bias that n rows give it: for that see ``half`` and ``quarter``.
    interval_method
        How they were found.
    half, quarter
        Mean of the value on disjoint halves and quarters of the rows, None where it cannot be had or where the number
        of rows changes nothing but the spread (a mean over rows).
    half_sd, quarter_sd
        Standard deviation over those parts.
    extra
        Further figures by name.
    per_sample
        (n + n_dropped,) the value of each row, NaN where the row was dropped.
    reason
        Why ``value`` is NaN, or ``error`` None; empty otherwise.
    """

    value: float
    n: int
    n_dropped: int = 0
    std: float | None = None
    p_value: float | None = None
    error: float | None = None
    error_method: str = ""
    low: float | None = None
    high: float | None = None
    interval_method: str = ""
    half: float | None = None
    half_sd: float | None = None
    quarter: float | None = None
    quarter_sd: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    per_sample: NDArray[np.float64] | None = None
    reason: str = ""


def undefined(rows: int, reason: str, *, n_dropped: int = 0, extra: Mapping[str, float] | None = None) -> Metric:
    """Return a metric without a value: data too few or too degenerate are a finding, not a crash.

    Parameters
    ----------
    rows
        Rows that came in.
    reason
        Why there is no value.
    n_dropped
        How many of the rows were dropped.
    extra
        Figures that could be had all the same.
    """
    return Metric(math.nan, rows - n_dropped, n_dropped, extra=extra or {}, reason=reason)


def to_rows(metric: Metric) -> dict[str, Any]:
    """Return a metric as the columns of the correlation CSV that do not name its place.

    Returns
    -------
    dict
        ``value, low, high, interval_method, std, p_value, n, n_dropped, error, error_method, half, half_sd, quarter,
        quarter_sd, extra``. ``extra`` is JSON text (NaN and infinity as null), with ``reason`` in it where there is
        one. ``per_sample`` is left out.
    """
    extra: dict[str, Any] = {k: float(v) if math.isfinite(v) else None for k, v in metric.extra.items()}
    if metric.reason:
        extra["reason"] = metric.reason
    return {
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "interval_method": metric.interval_method,
        "std": metric.std,
        "p_value": metric.p_value,
        "n": metric.n,
        "n_dropped": metric.n_dropped,
        "error": metric.error,
        "error_method": metric.error_method,
        "half": metric.half,
        "half_sd": metric.half_sd,
        "quarter": metric.quarter,
        "quarter_sd": metric.quarter_sd,
        "extra": json.dumps(extra, sort_keys=True, allow_nan=False),
    }


def check_pair(x: Any, y: Any, *, same_width: bool = False) -> tuple[Matrix, Matrix]:
    """Return two matrices with paired rows as float arrays, or say what is wrong with them.

    Parameters
    ----------
    x, y
        (n, d1) and (n, d2). float64 stays, everything else becomes float32.
    same_width
        Whether d1 and d2 must be equal.

    Raises
    ------
    FreqmapsError
        Not two-dimensional, no column, another number of rows, or a NaN or infinity (the message names the row).
    """
    x, y = _as_matrix(x, "x"), _as_matrix(y, "y")
    if len(x) != len(y):
        raise FreqmapsError(
            f"correlation: x has {len(x)} rows and y has {len(y)}; rows must be paired, join them first"
        )
    if same_width and x.shape[1] != y.shape[1]:
        raise FreqmapsError(
            f"correlation: rows of x have {x.shape[1]} entries and rows of y {y.shape[1]}; this metric compares entry "
            "by entry, give matrices of the same width"
        )
    return x, y


def _as_matrix(array: Any, name: str) -> Matrix:
    matrix: Matrix = np.ascontiguousarray(array)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise FreqmapsError(
            f"correlation: {name} has shape {matrix.shape}; expected (n, d) with d > 0, flatten what follows the sample"
        )
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float32)
    # A sum is not finite if an entry is not; in float64 sums of float32 entries do not overflow.
    for row in np.flatnonzero(~np.isfinite(matrix.sum(axis=1, dtype=np.float64))):
        if not np.isfinite(matrix[row]).all():
            raise FreqmapsError(f"correlation: row {row} of {name} holds NaN or infinity; drop that sample or redo it")
    return matrix
