"""A folder within a folder or archive, as a place of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqmaps.datasets._sources import Listing, Source

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Below(Source):
    """What lies below a folder of a source.

    Attributes
    ----------
    whole
        The source.
    prefix
        The folder, with ``/`` at its end; empty for the whole source.
    only
        Folders of it that are seen; None for all of it.
    """

    whole: Source
    prefix: str
    only: tuple[str, ...] | None = None

    @property
    def path(self) -> Path:  # type: ignore[override]
        """The folder's place, for messages."""
        return self.whole.path / self.prefix

    def stamp(self) -> list[Any]:
        """Return what tells that the source is unchanged; JSON."""
        return [*self.whole.stamp(), self.prefix, self.only]

    def listing(self) -> Listing:
        """Return the members, named from this folder on."""
        whole = self.whole.listing()
        start = len(self.prefix)
        return Listing(
            {name[start:]: size for name, size in whole.files.items() if self._holds(name)},
            {name[start:] for name in whole.folders if self._holds(name)},
        )

    def _holds(self, name: str) -> bool:
        inner = name.removeprefix(self.prefix)
        return name.startswith(self.prefix) and (self.only is None or inner.partition("/")[0] in self.only)

    @contextmanager
    def opened(self, *, in_order: bool) -> Iterator[Callable[[str], bytes]]:
        """Open the source and give a function from a member's name below this folder to its bytes."""
        with self.whole.opened(in_order=in_order) as read:
            yield lambda name: read(self.prefix + name)
