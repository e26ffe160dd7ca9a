"""Labels in arrays as people save them: numbers, a column of numbers, one-hot rows, or names of classes."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from freqmaps.core import class_names
from freqmaps.core.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_numbers(arrays: dict[str, NDArray[Any]], path: str) -> dict[str, NDArray[Any]]:
    """Return arrays whose ``labels`` are positions in ``classes``, where what they hold says which.

    Parameters
    ----------
    arrays
        ``labels``: (n,) integers, or floats that are whole; (n, 1) of these; (n, k) one-hot rows, k at least 2; or (n,)
        names, whose accents count the same in either Unicode form. With names, ``classes`` is added where it is
        missing: the names in their order. Other labels are left as
        they are.
    path
        Their file, for messages.

    Raises
    ------
    ConfigError
        Rows of several columns that are not one-hot, such as probabilities or several labels per image; a column that
        no image has; or names that ``classes`` lacks, that are empty, or that differ in nothing but spaces.
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
        _check_used(labels, values.shape[1], arrays.get("classes"), path)
    elif labels.dtype.kind == "f" and labels.ndim == 1 and bool((np.asarray(labels) == np.floor(labels)).all()):
        labels = np.asarray(labels).astype(np.int64)
    return arrays | {"labels": labels}


def _check_used(labels: NDArray[Any], columns: int, classes: NDArray[Any] | None, path: str) -> None:
    """Check that each column of one-hot rows has a name, if there are names, and an image."""
    if classes is not None and classes.size != columns:
        raise ConfigError(
            f"'{path}': 'labels' has {columns} columns, but 'classes' has {classes.size} names; give one per column"
        )
    used = set(labels.tolist())
    unused = next((column for column in range(columns) if column not in used), None)
    if unused is not None:
        name = "" if classes is None else f", '{classes.ravel()[unused]}'"
        raise ConfigError(
            f"'{path}': 'labels' has {columns} columns, but no image is of class {unused}{name}; remove that column, "
            "or add images"
        )


def _of_names(labels: NDArray[Any], classes: NDArray[Any] | None, path: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    of_images = [unicodedata.normalize("NFC", name) for name in labels.tolist()]
    if classes is None:
        names = sorted(set(of_images))
        wrong = class_names.fault(names)
        if wrong:
            rows = " and ".join(f"image {of_images.index(name)}" for name in wrong[1])
            raise ConfigError(f"'{path}': 'labels': {wrong[0]} ({rows}); give each class one name")
    else:
        names = [unicodedata.normalize("NFC", str(name)) for name in classes.ravel()]
    known = {name: number for number, name in enumerate(names)}
    for row, name in enumerate(of_images):
        if name not in known:
            raise ConfigError(
                f"'{path}': 'labels' holds '{name}' (image {row}), which 'classes' lacks; {nearest(name, names)}"
            )
    return {"labels": np.array([known[name] for name in of_images], np.int64), "classes": np.array(names)}
