"""How the folders of a source are nested."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from freqmaps.datasets import _decode, _split_names
from freqmaps.datasets._sources import Listing


class Inside(NamedTuple):
    """What a folder holds: folders with images, below those that only wrap them; and whether images lie beside."""

    folders: set[str]
    direct: bool


def images(listing: Listing) -> list[str]:
    """Return the files that are called like images."""
    return [name for name in listing.files if _decode.is_image(name)]


def children(listing: Listing, below: str) -> set[str]:
    """Return the names of the folders in a folder (with ``/``)."""
    return {f.removeprefix(below) for f in listing.folders if f.startswith(below) and "/" not in f.removeprefix(below)}


def unwrapped(listing: Listing, images: Sequence[str], below: str = "", *, stop_at_splits: bool = False) -> str:
    """Return the folder (with ``/``) below those that hold one folder and nothing else: archives are often wrapped.

    Parameters
    ----------
    listing, images
        The source, and the files in it that are images.
    below
        Where to begin.
    stop_at_splits
        A folder called like a split wraps nothing.
    """
    while True:
        inner = children(listing, below)
        if len(inner) != 1 or (stop_at_splits and any(map(_split_names.is_split, inner))):
            return below
        deeper = f"{below}{min(inner)}/"
        direct = any(f.startswith(below) and "/" not in f.removeprefix(below) for f in images)
        if direct or not children(listing, deeper):
            return below
        below = deeper


def inside(images: Iterable[str], below: str) -> dict[str, Inside]:
    """Return what each folder in a folder (with ``/``) holds, if any image."""
    by_child: dict[str, list[str]] = {}
    for file in images:
        child, _, rest = file.removeprefix(below).partition("/")
        if file.startswith(below) and rest:
            by_child.setdefault(child, []).append(rest)
    return {child: _held(names) for child, names in by_child.items()}


def _held(names: list[str]) -> Inside:
    while True:
        heads = {name.partition("/")[0] if "/" in name else "" for name in names}
        inner = [name.partition("/")[2] for name in names]
        if len(heads) > 1 or "" in heads or not any("/" in name for name in inner):
            return Inside({unicodedata.normalize("NFC", head) for head in heads if head}, "" in heads)
        names = inner
