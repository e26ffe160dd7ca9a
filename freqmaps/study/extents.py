"""How far all runs of a study together reach into a split: ranges are cut once, so that no image is mapped twice."""

from __future__ import annotations

from collections.abc import Hashable

DECIDES_NUMBERS = False

Shards = list[tuple[str, int, int]]


class Extents:
    """The samples that runs ask for, by what is made of them: an attack on a network, maps of some images.

    >>> extents = Extents()
    >>> extents.ask("fmn", "test", 500)
    >>> extents.ask("fmn", "test", 3000)
    >>> extents.shards("fmn", "test", 500, 1024)
    [('test-0-1024', 0, 1024)]
    """

    def __init__(self) -> None:
        self._stops: dict[tuple[Hashable, str], int] = {}

    def ask(self, what: Hashable, split: str, stop: int) -> None:
        """Record that a run needs the first ``stop`` samples of a split."""
        self._stops[what, split] = max(stop, self._stops.get((what, split), 0))

    def shards(self, what: Hashable, split: str, stop: int, shard: int) -> Shards:
        """Return the ranges that hold the first ``stop`` samples: those of the run that reaches furthest."""
        return [cut for cut in ranges(split, self._stops[what, split], shard) if cut[1] < stop]


def ranges(split: str, n: int, shard: int) -> list[tuple[str, int, int]]:
    """Cut ``n`` samples of a split into fixed shards: name, start, stop.

    >>> ranges("test", 5, 2)
    [('test-0-2', 0, 2), ('test-2-4', 2, 4), ('test-4-5', 4, 5)]
    """
    cuts = [(start, min(start + shard, n)) for start in range(0, n, shard)]
    return [(f"{split}-{start}-{stop}", start, stop) for start, stop in cuts]
