"""Summary of a dataset store for a log: classes, and images per class and split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from freqmaps.stores.contracts import DATASET
from freqmaps.stores.zarrfile import open_store

DECIDES_NUMBERS = False

#: With more classes than this only the rarest and the most frequent are named.
_LISTED = 20


def of_dataset(path: Path) -> list[str]:
    """Return a line for each split of a dataset store: its images, and how many of each class in order of the labels.

    Parameters
    ----------
    path
        The store.

    Raises
    ------
    StoreError
        It cannot be read.
    """
    with open_store(path, DATASET) as store:
        names = [str(name) for name in store.attrs["classes"]]
        splits, labels = store["split"].values.tolist(), store["label"].values.tolist()
    by_split: dict[str, Counter[int]] = {split: Counter() for split in dict.fromkeys(splits)}
    for split, label in zip(splits, labels, strict=True):
        by_split[split][label] += 1
    return [_line(split, counts, names) for split, counts in by_split.items()]


def _line(split: str, counts: Counter[int], names: list[str]) -> str:
    head = f"{split}: {counts.total()} images of {len(names)} classes"
    if len(names) <= _LISTED:
        return f"{head}: {', '.join(f'{name} {counts[i]}' for i, name in enumerate(names))}"
    order = sorted(range(len(names)), key=lambda i: counts[i])
    few, many = order[0], order[-1]
    return f"{head}: from {counts[few]} ({names[few]}) to {counts[many]} ({names[many]}) of a class"
