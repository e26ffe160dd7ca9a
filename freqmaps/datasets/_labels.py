"""Labels in arrays as people save them: numbers, a column of numbers, one-hot rows, or names of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _class_names

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_numbers(arrays: dict[str, NDArray[Any]], path: str) -> dict[str, NDArray[Any]]:
    """Return arrays whose ``labels`` are positions in ``classes``, where what they hold says which.

    Parameters
    ----------
    arrays
        ``labels``: (n,) integers, or floats that are whole; (n, 1) of these; (n, k) one-hot rows, k at least 2; or (n,)
        names. With names, ``classes`` is added where it is missing: the names in their order. Names have their accents
        composed (Unicode NFC). Other labels are left as they are.
    path
        Their file, for messages.

    Raises
    ------
    ConfigError
        Rows of several columns that are not one-hot, such as probabilities or several labels per image; a column in
        which no row has its 1; a name that ``classes`` lacks; or names that are empty or differ only in spaces.
    """
    import numpy as np

    labels = arrays["labels"]
    if "classes" in arrays:
        given = [str(name) for name in arrays["classes"].ravel()]
        composed = _class_names.of_classes(given, f"'{path}': 'classes'")
        if composed != given:
            arrays = arrays | {"classes": np.array(composed)}
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
        _check_columns(values, arrays.get("classes"), path)
        labels = values.argmax(axis=1)
    elif labels.dtype.kind == "f" and labels.ndim == 1 and bool((np.asarray(labels) == np.floor(labels)).all()):
        labels = np.asarray(labels).astype(np.int64)
    return arrays | {"labels": labels}


def _check_columns(rows: NDArray[Any], classes: NDArray[Any] | None, path: str) -> None:
    """Refuse one-hot rows (n, k) with a class of which there is no image, as labels that are numbers are."""
    used = rows.any(axis=0)
    if not used.all():
        column = int(used.argmin())
        name = f" ('{classes.ravel()[column]}')" if classes is not None and column < classes.size else ""
        also = " and its name from 'classes'" if name else ""
        raise ConfigError(
            f"'{path}': column {column} of 'labels'{name} is 0 in all rows, so that the class has no image; add some, "
            f"or remove the column{also}"
        )


def _of_names(labels: NDArray[Any], classes: NDArray[Any] | None, path: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    written = _class_names.of_images(labels.tolist(), f"'{path}': 'labels'")
    names = sorted(set(written)) if classes is None else [str(name) for name in classes.ravel()]
    known = {name: number for number, name in enumerate(names)}
    for row, name in enumerate(written):
        if name not in known:
            raise ConfigError(
                f"'{path}': 'labels' holds '{name}' (image {row}), which 'classes' lacks; {nearest(name, names)}"
            )
    unused = sorted(known.keys() - set(written), key=known.__getitem__)
    if unused:
        raise ConfigError(
            f"'{path}': 'classes' names '{unused[0]}', of which 'labels' has no image; add some, or remove the name"
        )
    return {"labels": np.array([known[name] for name in written], np.int64), "classes": np.array(names)}
