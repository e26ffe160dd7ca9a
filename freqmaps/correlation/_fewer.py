"""The value of a metric on random halves and quarters of the rows, which shows how it depends on sample size.

The rows are cut at random into two halves, or four quarters, that have no row in common, several times over. A metric
with a bias in n (neighbours in many dimensions, canonical correlations of many components) shows it here, and no
sampling error does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int32]

#: Columns of the correlation CSV, and into how many parts the rows are cut for them.
SIZES = {"half": 2, "quarter": 4}

#: Tells this stream from others of the same seed.
_STREAM = 103


def parts(n: int, repeats: int, seed: int) -> list[Indices]:
    """Return disjoint halves and disjoint quarters of n rows, ``repeats`` times over.

    Returns
    -------
    list of ndarray
        ``2 * repeats`` halves of n // 2 rows, then ``4 * repeats`` quarters of n // 4, int32, each ascending.
    """
    rng = np.random.default_rng([seed, _STREAM])
    subsets = []
    for pieces in SIZES.values():
        for _ in range(repeats):
            order = rng.permutation(n)[: pieces * (n // pieces)].astype(np.int32)
            subsets += list(np.sort(order.reshape(pieces, -1), axis=1))
    return subsets


def summarised(values: Sequence[float] | NDArray[np.float64], repeats: int) -> dict[str, Any]:
    """Return mean and standard deviation of the values on the parts, in the order of :func:`parts`.

    Returns
    -------
    dict
        ``half, half_sd, quarter, quarter_sd``; None where a part has no value, and without repeats.
    """
    columns: dict[str, Any] = {}
    start = 0
    for name, pieces in SIZES.items():
        some = np.asarray(values[start : start + pieces * repeats], dtype=np.float64)
        start += pieces * repeats
        whole = len(some) > 0 and bool(np.isfinite(some).all())
        columns |= {
            name: float(some.mean()) if whole else None,
            f"{name}_sd": float(some.std(ddof=1)) if whole else None,
        }
    return columns


def on_parts(statistic: Callable[[Indices], float], n: int, repeats: int, seed: int, *, fewest: int) -> dict[str, Any]:
    """Compute a statistic on halves and quarters; parts of fewer than ``fewest`` rows have no value."""
    chosen = parts(n, repeats, seed)
    return summarised([statistic(part) if len(part) >= fewest else float("nan") for part in chosen], repeats)
