"""A part of a folder or an archive, seen as if it were a source of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from freqmaps.datasets._sources import Listing, Source

DECIDES_NUMBERS = False  # which part is read shows in the ids of the images, which enter the dataset's identity


class Part:
    """What lies in one folder of a source, or in some of the folders in it.

    Parameters
    ----------
    source
        The whole.
    below
        The folder, with ``/`` at its end; empty for the top.
    only
        Folders in it to which the part is confined; None: all.
    """

    def __init__(self, source: Source, below: str, only: Collection[str] | None = None) -> None:
        self.source, self.below, self.only = source, below, None if only is None else sorted(only)
        self.path = source.path / below if below else source.path
        self._listing: Listing | None = None

    def stamp(self) -> list[Any]:
        """Return the source's stamp, and which part of it this is."""
        return [self.source.stamp(), self.below, self.only]

    def listing(self) -> Listing:
        """Return the members by their names within the folder, in the order of the source."""
        if self._listing is None:
            whole = self.source.listing()
            n = len(self.below)
            self._listing = Listing(
                {name[n:]: size for name, size in whole.files.items() if self._holds(name)},
                {name[n:] for name in whole.folders if self._holds(name)},
            )
        return self._listing

    def _holds(self, name: str) -> bool:
        if not name.startswith(self.below):
            return False
        return self.only is None or name[len(self.below) :].partition("/")[0] in self.only

    @contextmanager
    def opened(self, *, in_order: bool) -> Iterator[Callable[[str], bytes]]:
        """Open the source, and give a function from a member's name within the folder to its bytes."""
        with self.source.opened(in_order=in_order) as read:
            yield lambda name: read(self.below + name)
