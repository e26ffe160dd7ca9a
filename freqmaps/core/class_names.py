"""Checks of class names: none may be empty, and no two may look alike to a reader."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

DECIDES_NUMBERS = False

#: Marks without width that editors and spreadsheets leave in a text: a byte order mark, a zero width space.
_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b"))


def fault(names: Iterable[str]) -> tuple[str, list[str]] | None:
    """Return what is wrong with names of classes, and the one or two names that it is about; None if nothing is.

    Names may differ in case alone, as letters do.

    >>> fault(["fox", "cat", "fox "])
    ("'fox' and 'fox ' differ in nothing but spaces", ['fox', 'fox '])
    >>> fault(["A", "a"]) is None
    True
    """
    seen: dict[str, str] = {}
    for name in names:
        bare = " ".join(unicodedata.normalize("NFC", name).translate(_UNSEEN).split())
        if not bare:
            return f"{name!r} is an empty name", [name]
        if bare in seen:
            return _same(seen[bare], name), [seen[bare], name]
        seen[bare] = name
    return None


def _same(first: str, second: str) -> str:
    if first == second:
        return f"{first!r} is the name of two classes"
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        return f"{first!r} stands there with composed and with decomposed accents"
    return f"{first!r} and {second!r} differ in nothing but spaces"
