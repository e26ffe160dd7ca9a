"""Find the rows of two map stores that belong to the same sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError


def join(
    first_ids: Iterable[str], second_ids: Iterable[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str], list[str]]:
    """Pair the rows of two stores by sample id, whatever their orders.

    Parameters
    ----------
    first_ids, second_ids
        Sample ids, each unique on its side.

    Returns
    -------
    tuple
        Rows of the first and rows of the second store, (n,) int64 each, pairwise of the same sample, in the order of
        the first store; then the ids that only the first and only the second store has.

    Raises
    ------
    FreqmapsError
        An id occurs twice on one side.

    Examples
    --------
    >>> join(["a", "b", "c"], ["c", "a", "d"])
    (array([0, 2]), array([1, 0]), ['b'], ['d'])
    """
    first, second = _rows(first_ids, "first"), _rows(second_ids, "second")
    both = [sample for sample in first if sample in second]
    return (
        np.array([first[sample] for sample in both], dtype=np.int64),
        np.array([second[sample] for sample in both], dtype=np.int64),
        [sample for sample in first if sample not in second],
        [sample for sample in second if sample not in first],
    )


def _rows(ids: Iterable[str], side: str) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, sample in enumerate(ids):
        if rows.setdefault(str(sample), row) != row:
            raise FreqmapsError(
                f"matrices: sample '{sample}' occurs twice in the {side} set of maps (rows {rows[str(sample)]} and "
                f"{row}); give each shard of samples once"
            )
    return rows
