"""Labels in arrays as people save them: numbers, a column of numbers, one-hot rows, or names of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_numbers(arrays: dict[str, NDArray[Any]], path: str) -> dict[str, NDArray[Any]]:
    """Return arrays whose ``labels`` are positions in ``classes``, where what they hold says which.

    Parameters
    ----------
    arrays
        ``labels``: (n,) integers, or floats that are whole; (n, 1) of these; (n, k) one-hot rows, k at least 2; or (n,)
        names. With names, ``classes`` is added where it is missing: the names in their order. Other labels are left as
        they are.
    path
        Their file, for messages.

    Raises
    ------
    ConfigError
        Rows of several columns that are not one-hot, such as probabilities or several labels per image; or a name that
        ``classes`` lacks.
    """
    import numpy as np

    labels = arrays["labels"]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "U" and labels.ndim == 1:
        return arrays | _of_names(labels, arrays.get("classes"), path)
    if labels.ndim == 2 and labels.dtype.kind in "uifb":
        values = np.asarray(labels)
        if not (((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all()):
            odd = int(np.argmax((values.max(axis=1) != 1) | (np.count_nonzero(values, axis=1) != 1)))
            raise ConfigError(
                f"'{path}': 'labels' has {labels.shape[1]} columns, and row {odd} is not one 1 beside zeros; give one "
                "class per image, as a number or as a one-hot row"
            )
        labels = values.argmax(axis=1)
    elif labels.dtype.kind == "f" and labels.ndim == 1 and bool((np.asarray(labels) == np.floor(labels)).all()):
        labels = np.asarray(labels).astype(np.int64)
    return arrays | {"labels": labels}


def _of_names(labels: NDArray[Any], classes: NDArray[Any] | None, path: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    names = sorted(set(labels.tolist())) if classes is None else [str(name) for name in classes.ravel()]
    known = {name: number for number, name in enumerate(names)}
    for row, name in enumerate(labels.tolist()):
        if name not in known:
            raise ConfigError(
                f"'{path}': 'labels' holds '{name}' (image {row}), which 'classes' lacks; {nearest(name, names)}"
            )
    return {"labels": np.array([known[name] for name in labels.tolist()], np.int64), "classes": np.array(names)}
