"""Names of classes as people write them: which of them are one name, and which are no names."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from freqmaps.core.errors import ConfigError

#: Marks without width that editors and spreadsheets leave at the ends of a text: a byte order mark, a zero width space.
_UNSEEN = "\ufeff\u200b"


def of_images(names: Sequence[str], place: str) -> list[str]:
    """Return the class name of each image with its accents composed (Unicode NFC), so that either form is one class.

    Parameters
    ----------
    names
        One per image.
    place
        What holds them, for messages: ``'labels.npy': 'labels'``.

    Raises
    ------
    ConfigError
        A name that is empty or nothing but spaces, or two that differ only in spaces around them; with the image.
    """
    return _composed(names, place, "image")


def of_classes(names: Sequence[str], place: str) -> list[str]:
    """Return a list of classes with their accents composed (Unicode NFC); parameters as for :func:`of_images`.

    Raises
    ------
    ConfigError
        As :func:`of_images`, with the class, and for a name that is given twice, be it in two Unicode forms.
    """
    composed = _composed(names, place, "class")
    twice = next((name for name in composed if composed.count(name) > 1), None) if _repeats(composed) else None
    if twice is not None:
        raise ConfigError(f"{place} names a class twice, '{twice}'; give each its own name")
    return composed


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) != len(names)


def _composed(names: Sequence[str], place: str, unit: str) -> list[str]:
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)
    plain: dict[str, str] = {}
    for name, position in first.items():
        stripped = unicodedata.normalize("NFC", name).strip().strip(_UNSEEN).strip()
        if not stripped:
            raise ConfigError(f"{place} holds {name!r} as the name of {unit} {position}; give each class a name")
        other = plain.setdefault(stripped, name)
        if unicodedata.normalize("NFC", other) != unicodedata.normalize("NFC", name):
            raise ConfigError(
                f"{place} holds {other!r} ({unit} {first[other]}) and {name!r} ({unit} {position}), which differ only "
                "in spaces around them; write both the same way"
            )
    form = {name: unicodedata.normalize("NFC", name) for name in first}
    return [form[name] for name in names]
