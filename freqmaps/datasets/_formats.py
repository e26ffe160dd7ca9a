"""Images in class folders of formats that are not read, such as HEIC of telephones: said, not passed over in silence.

Which images are read is in the dataset's identity: this module decides no number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode
from freqmaps.datasets._parts import Part

DECIDES_NUMBERS = False

#: How photographs end that Pillow does not read as it is installed here, or not without loss.
UNREAD = (".heic", ".heif", ".jxl", ".jp2", ".j2k", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
          ".psd", ".exr")  # fmt: skip
_REMEDY = "convert them to PNG or JPEG"


def check(parts: Sequence[Part], classes: Sequence[str] | None) -> None:
    """Refuse a class folder whose images are all of formats that are not read; parameters as for ``entries``.

    Raises
    ------
    ConfigError
        There is one.
    """
    for part in parts:
        unread = [name for name in part.files if _is_unread(name)]
        read = {name.partition("/")[0] for name in part.files if _decode.is_image(name)} if unread else set()
        for name in unread:
            folder, _, rest = name.partition("/")
            if rest and folder not in read and (classes is None or part.folders[folder] in classes):
                raise ConfigError(
                    f"class folder '{part.path / folder}' holds images of a format that is not read ({_ending(name)}) "
                    f"and no others; {_REMEDY}"
                )


def left_out(parts: Sequence[Part], classes: Sequence[str] | None) -> str | None:
    """Return a sentence about images in class folders that are left out for their format; None if there are none."""
    endings: Counter[str] = Counter()
    for part in parts:
        for name in filter(_is_unread, part.files):
            folder, _, rest = name.partition("/")
            if rest and (classes is None or part.folders[folder] in classes):
                endings[_ending(name)] += 1
    if not endings:
        return None
    counts = ", ".join(f"{n} of {ending}" for ending, n in sorted(endings.items()))
    return f"images of formats that are not read are left out, {counts} in '{parts[0].source.path}'; {_REMEDY}"


def _is_unread(name: str) -> bool:
    return name.lower().endswith(UNREAD)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
