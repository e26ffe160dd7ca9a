"""What a dry run says of folders of images that may not be read as they are meant."""

from __future__ import annotations

from typing import Any

from freqmaps.datasets import _dark, _split_folders

DECIDES_NUMBERS = False


def of_folders(
    *, root: str | None = None, train: str | None = None, test: str | None = None, classes: list[str] | None = None,
    **_: Any,
) -> str | None:  # fmt: skip
    """Return what is to be said of an ``image_folder``: folders that are not read, or images that are all dark."""
    from freqmaps.datasets.image_folder import _named, _places

    classes = _named(classes)
    places = _places(root, train, test, classes)
    found = [_split_folders.unread(places), _dark.of_places(places, classes)]
    return "; ".join(sentence for sentence in found if sentence) or None


def of_deep_folders(
    *, root: str | None = None, train: str | None = None, test: str | None = None, classes: list[str] | None = None,
    **_: Any,
) -> str | None:  # fmt: skip
    """Return what is to be said of a ``deep_image_folder``: folders that are not read."""
    from freqmaps.datasets.image_folder import _named, _places

    return _split_folders.unread(_places(root, train, test, _named(classes)))
