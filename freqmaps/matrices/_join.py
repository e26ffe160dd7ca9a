"""Which rows of two stores belong to the same sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from freqmaps.errors import FreqmapsError


def join(
    essential_ids: Iterable[str], adversarial_ids: Iterable[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str], list[str]]:
    """Pair the rows of two stores by sample id, whatever their orders.

    Parameters
    ----------
    essential_ids, adversarial_ids
        Sample ids, each unique on its side.

    Returns
    -------
    tuple
        Rows of the essential and rows of the adversarial store, (n,) int64 each, pairwise of the same sample, in the
        order of the essential store; then the ids that only the essential and only the adversarial store has.

    Raises
    ------
    FreqmapsError
        An id occurs twice on one side.

    Examples
    --------
    >>> join(["a", "b", "c"], ["c", "a", "d"])
    (array([0, 2]), array([1, 0]), ['b'], ['d'])
    """
    essential, adversarial = _rows(essential_ids, "essential"), _rows(adversarial_ids, "adversarial")
    both = [sample for sample in essential if sample in adversarial]
    return (
        np.array([essential[sample] for sample in both], dtype=np.int64),
        np.array([adversarial[sample] for sample in both], dtype=np.int64),
        [sample for sample in essential if sample not in adversarial],
        [sample for sample in adversarial if sample not in essential],
    )


def _rows(ids: Iterable[str], side: str) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, sample in enumerate(ids):
        if rows.setdefault(str(sample), row) != row:
            raise FreqmapsError(
                f"matrices: sample '{sample}' occurs twice among the {side} maps (rows {rows[str(sample)]} and {row}); "
                "give each shard of samples once"
            )
    return rows
