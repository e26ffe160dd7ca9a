"""Checks of the arrays that analyses receive: finite values, and one label for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError


def finite(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return an array of floats unchanged, any other converted to float64.

    Raises
    ------
    FreqmapsError
        It holds NaN or infinity.
    """
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise FreqmapsError(f"{what}: NaN or infinity among the numbers; drop those samples or make them again")
    return array


def labelled_rows(values: ArrayLike, labels: ArrayLike, what: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return values flattened to rows (n, d), one per entry of the first axis, and one label for each row.

    Raises
    ------
    FreqmapsError
        NaN or infinity, no columns, or another number of labels.
    """
    array, names = finite(values, what), np.asarray(labels)
    if array.ndim < 2 or array[:1].size == 0 or names.shape != array.shape[:1]:
        raise FreqmapsError(
            f"{what}: values of shape {array.shape} and labels of shape {names.shape}; give (n, ...) and (n,), n >= 1"
        )
    return array.reshape(len(array), -1), names
