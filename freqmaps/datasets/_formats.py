"""Images in class folders of formats that are not read, such as HEIC of telephones: said, not passed over in silence.

Which images are read is in the dataset's identity: this module decides no number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _layout
from freqmaps.datasets._sources import Source

DECIDES_NUMBERS = False

#: How photographs end that Pillow does not read as it is installed here, or not without loss.
UNREAD = (".heic", ".heif", ".jxl", ".jp2", ".j2k", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
          ".psd", ".exr")  # fmt: skip
_REMEDY = "convert them to PNG or JPEG"


def check(parts: Sequence[tuple[Source, str]], classes: Sequence[str] | None) -> None:
    """Refuse a class folder whose images are all of formats that are not read; parameters as for ``entries``.

    Raises
    ------
    ConfigError
        There is one.
    """
    for source, below in _below(parts):
        files = [name.removeprefix(below) for name in source.listing().files if name.startswith(below)]
        read = {name.partition("/")[0] for name in files if _decode.is_image(name)}
        for name in filter(_is_unread, files):
            folder, _, rest = name.partition("/")
            if rest and folder not in read and (classes is None or folder in classes):
                raise ConfigError(
                    f"class folder '{source.path}/{below}{folder}' holds images of a format that is not read "
                    f"({_ending(name)}) and no others; {_REMEDY}"
                )


def left_out(parts: Sequence[tuple[Source, str]], classes: Sequence[str] | None) -> str | None:
    """Return a sentence about images in class folders that are left out for their format; None if there are none."""
    found: Counter[str] = Counter()
    for source, below in _below(parts):
        for name in source.listing().files:
            folder, _, rest = name.removeprefix(below).partition("/")
            if name.startswith(below) and rest and _is_unread(name) and (classes is None or folder in classes):
                found[_ending(name)] += 1
    if not found:
        return None
    counts = ", ".join(f"{n} of {ending}" for ending, n in sorted(found.items()))
    return f"images of formats that are not read are left out, {counts} in '{parts[0][0].path}'; {_REMEDY}"


def _below(parts: Sequence[tuple[Source, str]]) -> Iterator[tuple[Source, str]]:
    """Yield the folders that hold class folders (with ``/``), if any image lies there that is not read."""
    for source, split in parts:
        listing = source.listing()
        if any(map(_is_unread, listing.files)):
            images = [name for name in listing.files if _decode.is_image(name)]
            base = _layout._unwrapped(listing, images, keep=not split)
            yield from ((source, below) for below in _layout._splits(listing, base, split, source).values())


def _is_unread(name: str) -> bool:
    return name.lower().endswith(UNREAD)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
