"""Compare two results of one kind by their numbers, in stores, weights and tables: not by bytes, dates or origin."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DECIDES_NUMBERS = False

#: Columns that say how long something took.
_SECONDS = {"seconds", "step_seconds", "wall_s", "cpu_s"}


class Difference(NamedTuple):
    """By how much a variable differs, relative to its largest value and absolutely; infinity where shapes differ."""

    relative: float
    absolute: float
    what: str


def compare(first: Path, second: Path) -> list[Difference]:
    """Return the difference of each variable that either of two results' folders holds."""
    a, b = dict(variables(first)), dict(variables(second))
    missing = [Difference(np.inf, np.inf, name) for name in sorted(a.keys() ^ b.keys())]
    return missing + [difference(name, a[name], b[name]) for name in sorted(a.keys() & b.keys())]


def variables(folder: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the variables of a result: arrays of its stores, tensors, columns of its tables."""
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".zarr.zip"):
            import zarr
            from zarr.storage import ZipStore

            group = zarr.open_group(ZipStore(path, mode="r"), mode="r", use_consolidated=False)
            yield from ((f"{path.name}:{name}", np.asarray(array[...])) for name, array in group.arrays())
        elif path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            yield from ((f"{path.name}:{name}", tensor) for name, tensor in load_file(path).items())
        elif path.suffix == ".csv" and path.stat().st_size:
            yield from columns(path)


def columns(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the columns of a table, those of seconds left out."""
    import pandas as pd

    frame = pd.read_csv(io.StringIO(path.read_text(encoding="utf-8")))
    yield from ((f"{path.name}:{name}", frame[name].to_numpy()) for name in frame.columns if name not in _SECONDS)


def difference(what: str, a: NDArray[Any], b: NDArray[Any]) -> Difference:
    """Compare two variables; what is missing (NaN) must be missing in both, text must be the same."""
    apart = Difference(np.inf, np.inf, what)
    if a.shape != b.shape:
        return apart
    if a.dtype.kind not in "fiubc" or b.dtype.kind not in "fiubc":
        return Difference(0.0, 0.0, what) if [*map(str, a.flat)] == [*map(str, b.flat)] else apart
    x, y = a.astype(np.complex128), b.astype(np.complex128)
    if not (np.isnan(x) == np.isnan(y)).all():
        return apart
    equal = (x == y) | np.isnan(x)
    if equal.all():
        return Difference(0.0, 0.0, what)
    absolute = float(np.abs(x[~equal] - y[~equal]).max())
    largest = float(np.abs(x[np.isfinite(x)]).max(initial=0))
    return Difference(absolute / largest if largest and np.isfinite(absolute) else np.inf, absolute, what)
