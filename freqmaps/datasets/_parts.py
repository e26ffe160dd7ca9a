"""Where class folders lie: a folder of a source, and the split that its images are for."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from freqmaps.datasets import _tree
from freqmaps.datasets._sources import Source


@dataclass(frozen=True)
class Part:
    """A folder whose folders are classes.

    Attributes
    ----------
    source
        The folder or archive that it lies in.
    below
        Its name there, with ``/`` at its end; empty for the source itself.
    split
        ``train``, ``test``, or empty where the split has still to be made.
    """

    source: Source
    below: str
    split: str

    @property
    def path(self) -> Path:
        """The folder's place, for messages."""
        return self.source.path / self.below

    def stamp(self) -> list[Any]:
        """Return what tells that no file changed, and which folder is meant; JSON."""
        return [self.source.stamp(), self.below, self.split]

    @cached_property
    def files(self) -> dict[str, int]:
        """Size in bytes of every file, by its name from this folder on."""
        start = len(self.below)
        return {name[start:]: size for name, size in self.source.listing().files.items() if name.startswith(self.below)}

    @cached_property
    def folders(self) -> dict[str, str]:
        """The class folders, each with its name in Unicode's composed form, which is that of the class."""
        children = sorted(_tree.children(self.source.listing(), self.below))
        return {folder: unicodedata.normalize("NFC", folder) for folder in children}
