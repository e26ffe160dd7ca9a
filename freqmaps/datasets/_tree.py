"""Folders that hold images, and what their names and contents say of splits."""

from __future__ import annotations

import re
import unicodedata

from freqmaps.datasets import _decode, _layout
from freqmaps.datasets._sources import Source

DECIDES_NUMBERS = False  # the split and the class of each image stand in its id, which enters the dataset's identity

TRAINS = (*_layout._TRAINS, "learn", "learning")
TESTS = _layout._TESTS
#: Words of a folder's name that say nothing about its split.
_EMPTY = ("set", "split", "data", "images", "imgs")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


def meaning(name: str) -> tuple[str, str]:
    """Return ``train``, the word that means ``test``, or nothing; and what a folder's name says besides.

    >>> meaning("seg_train"), meaning("ImagesVal"), meaning("val2017"), meaning("trainer")
    (('train', 'seg'), ('val', ''), ('val', '2017'), ('', 'trainer'))
    """
    for word in (*TRAINS, *TESTS):
        if _layout._is_split(name, (word,)):  # written as one: trainset
            return ("train" if word in TRAINS else word), ""
    words = [word.casefold() for word in _WORD.findall(name)]
    splits = [word for word in words if word in (*TRAINS, *TESTS)]
    rest = " ".join(word for word in words if word not in (*splits, *_EMPTY))
    if len(splits) != 1:  # none, or train_val
        return "", rest
    return ("train" if splits[0] in TRAINS else splits[0]), rest


class Tree:
    """The folders of a source that hold images, themselves or further below.

    Parameters
    ----------
    source
        The folder or archive.
    keep
        Whether a folder named after a split is none of those that the rest is wrapped in.
    """

    def __init__(self, source: Source, *, keep: bool = True) -> None:
        listing = source.listing()
        files = [name for name in listing.files if _decode.is_image(name)]
        #: Folders in which images lie, each with ``/`` at its end.
        self.holding = {name[: name.rfind("/") + 1] for name in files}
        self.source, self.base = source, _layout._unwrapped(listing, files, keep=keep)
        self._below: dict[str, set[str]] = {}
        for folder in self.holding:
            while folder:
                above, _, name = folder[:-1].rpartition("/")
                above += "/" if above else ""
                self._below.setdefault(above, set()).add(name)
                folder = above

    def children(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder."""
        return sorted(self._below.get(folder, ()))

    def content(self, name: str) -> str:
        """Return where the class folders of a split lie: ``train/``, or ``train/train/`` or ``train/images/``."""
        folder = f"{self.base}{name}/"
        while folder not in self.holding and len(self.children(folder)) == 1:
            (inner,) = self.children(folder)
            if meaning(inner)[0] != meaning(name)[0] and inner.casefold() not in _EMPTY:
                break
            folder += f"{inner}/"
        return folder

    def classes(self, name: str) -> set[str]:
        """Return the class folders of what may be a split; none where it holds images, as classes do."""
        folder = self.content(name)
        children = self.children(folder)
        return set() if folder in self.holding and len(children) < 2 else {composed(child) for child in children}


def composed(name: str) -> str:
    """Return a name with its accents composed (Unicode NFC)."""
    return unicodedata.normalize("NFC", name)
