"""Which samples are for testing, and in which order a store holds its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from freqmaps.core.errors import ConfigError


def interleave(split: Sequence[str], labels: Sequence[int]) -> list[int]:
    """Return positions: train first, then test, each dealt out one class after the other.

    The i-th sample of every class comes before the (i+1)-th of any, so that the first n samples of a split have
    as many of each class as n allows.

    >>> interleave(["train"] * 5, [0, 0, 0, 1, 1])
    [0, 3, 1, 4, 2]
    """
    seen: dict[tuple[str, int], int] = {}
    places = []
    for position, (part, label) in enumerate(zip(split, labels, strict=True)):
        rank = seen.get((part, label), 0)
        seen[part, label] = rank + 1
        places.append((part != "train", rank, label, position))
    return [position for *_, position in sorted(places)]


def test_count(n: int, fraction: float) -> int:
    """Return how many of ``n`` samples of a class are for testing: at least one, and not all."""
    return min(max(1, round(n * fraction)), n - 1)


def made_split(samples: Sequence[str], labels: Sequence[int], fraction: float) -> list[str]:
    """Return ``train`` or ``test`` for each sample, the same share of every class.

    Within a class the samples whose ids have the smallest hashes are for testing, so that the split rests on nothing
    but the ids: not on the machine, on the order of the files, or on a random generator.

    Raises
    ------
    ConfigError
        A class with a single sample.
    """
    members: dict[int, list[int]] = {}
    for position, label in enumerate(labels):
        members.setdefault(label, []).append(position)
    split = ["train"] * len(samples)
    for label, positions in members.items():
        if len(positions) < 2:
            raise ConfigError(
                f"'{samples[positions[0]]}' is the only sample of class {label}, so it cannot be both in train and "
                "in test; add samples or remove the class"
            )
        by_hash = sorted(positions, key=lambda i: hashlib.sha256(samples[i].encode()).digest())
        for position in by_hash[: test_count(len(positions), fraction)]:
            split[position] = "test"
    return split


def check_classes(counts: Mapping[str, Mapping[str, int]], remedy: str) -> None:
    """Check that every class has samples in train and in test.

    Parameters
    ----------
    counts
        Samples by split and class.
    remedy
        What to do about a class that one split lacks.

    Raises
    ------
    ConfigError
        Naming the first class that one of them lacks, or an empty split.
    """
    for split, other in (("train", "test"), ("test", "train")):
        if not sum(counts.get(split, {}).values()):
            raise ConfigError(f"there are no {split} samples; {remedy}")
        for name in counts.get(other, {}):
            if not counts[split].get(name):
                raise ConfigError(f"class '{name}' is in {other} but not in {split}; {remedy}")
    if len(counts["train"]) < 2:
        raise ConfigError(f"'{next(iter(counts['train']))}' is the only class; a classifier needs at least two")
