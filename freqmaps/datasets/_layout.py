"""Images in class folders: which class and split each belongs to, and which files are passed over and why."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _decode, _order
from freqmaps.datasets._parts import Part
from freqmaps.datasets._sources import Source

#: Bytes of an image file; an archive that holds a larger one is broken, or meant to fill the memory.
_LARGEST = 1 << 28
log = logging.getLogger("freqmaps")

_ADD = f"give it class folders that hold images ({', '.join(_decode.EXTENSIONS)})"


@dataclass(frozen=True)
class Entry:
    """One image: where it lies, its split (empty if it has still to be made), class folder, and stable id."""

    source: Source
    member: str
    split: str
    folder: str
    sample: str

    @property
    def where(self) -> str:
        """The image's place, for messages."""
        return f"{self.source.path}/{self.member}"


def entries(parts: Sequence[Part], classes: Sequence[str] | None = None) -> list[Entry]:
    """Return all images of some parts, or those of some classes, sorted by id.

    Parameters
    ----------
    parts
        Where the class folders of each split lie (:mod:`freqmaps.datasets._splits`).
    classes
        Class folders to look at: what is amiss in others is their owner's affair. None looks at all.

    Raises
    ------
    ConfigError
        No class folders, none of a name in ``classes``, one without images, a class that one split lacks, or only one
        of the splits.
    """
    _check_choice(classes)
    images = [entry for part in parts for entry in _entries(part, classes)]
    images.sort(key=lambda e: e.sample)
    counts = count(images)
    if "" not in counts:
        _order.check_classes(counts, "give both the same class folders")
    elif len(counts[""]) < 2:
        raise ConfigError(f"'{parts[0].path}' has one class folder, '{images[0].folder}'; at least two are needed")
    return images


def pick(counts: dict[str, dict[str, int]], wanted: Sequence[str] | None) -> dict[str, dict[str, int]]:
    """Return the counts of some class folders in the order given, which is that of the labels; of all if none is named.

    Raises
    ------
    ConfigError
        A name that is no class folder, one given twice, or fewer than two.
    """
    if wanted is None:
        return counts
    there = next(iter(counts.values()))
    for name in wanted:
        if name not in there:
            raise ConfigError(f"classes: no class '{name}'; {nearest(name, there)}")
    _check_choice(wanted)
    return {split: {name: of_split[name] for name in wanted} for split, of_split in counts.items()}


def _check_choice(classes: Sequence[str] | None) -> None:
    if classes is not None and (len(set(classes)) != len(classes) or len(classes) < 2):
        raise ConfigError(f"classes: {list(classes)}; give at least two classes, each once")


def count(images: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """Return the number of images by split and class folder."""
    counts: dict[str, dict[str, int]] = {}
    for entry in images:
        of_split = counts.setdefault(entry.split, {})
        of_split[entry.folder] = of_split.get(entry.folder, 0) + 1
    return counts


def _entries(part: Part, classes: Sequence[str] | None) -> Iterator[Entry]:
    _check_folders(part)
    for wanted in classes or ():
        if wanted not in part.folders.values():
            raise ConfigError(f"classes: no class '{wanted}'; {nearest(wanted, part.folders.values())}")
    empty = {folder for folder, name in part.folders.items() if classes is None or name in classes}
    for file, size in part.files.items():
        folder, _, rest = file.partition("/")
        if not _decode.is_image(file) or not rest or (classes is not None and part.folders[folder] not in classes):
            continue  # beside the class folders: a contact sheet, say; or of a class that is left out
        empty.discard(folder)
        if size > _LARGEST:
            raise ConfigError(f"'{part.path / file}' has {size} bytes, too many for an image; remove it")
        sample = unicodedata.normalize("NFC", "/".join(piece for piece in (part.split, folder, rest) if piece))
        if not _is_text(sample):
            raise ConfigError(f"'{part.source.path}': the file name {sample!r} is not valid UTF-8; rename it")
        yield Entry(part.source, part.below + file, part.split, part.folders[folder], sample)
    if empty:
        raise ConfigError(f"class folder '{part.path / min(empty)}' holds no images; fill or remove it")


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name)


def _check_folders(part: Part) -> None:
    """Refuse a part without class folders, or with two that look the same: accents count the same in either form."""
    if not part.folders:
        raise ConfigError(f"'{part.source.path}/{part.below}' has no class folders; {_ADD}")
    same = next((name for name, n in Counter(part.folders.values()).items() if n > 1), None)
    if same is not None:
        raise ConfigError(
            f"'{part.source.path}/{part.below}' has two folders called '{same}', with composed and with decomposed "
            "accents; put their images into one"
        )


def describe_scan(parts: Sequence[Part], classes: Sequence[str] | None = None) -> None:
    """Log which files and folders lie there and are not read, and why; parameters as for :func:`entries`."""
    over: Counter[str] = Counter()
    for source in {id(part.source): part.source for part in parts}.values():
        below = sorted(part.below for part in parts if part.source is source)
        for name in source.listing().files:
            reason = _passed_over(name, below, classes)
            if reason:
                over[f"{source.path}: {reason}"] += 1
    for reason, count in over.items():
        log.info("not read, %d file%s in %s", count, "" if count == 1 else "s", reason)


def _passed_over(file: str, folders: Sequence[str], classes: Sequence[str] | None) -> str | None:
    """Return why a file is not read as an image; None if it is."""
    below = next((below for below in folders if file.startswith(below)), None)
    if below is None:
        place = f"{file.partition('/')[0]}/" if "/" in file else "the folder itself"
        return f"{place}, outside of the splits {' and '.join(folders)}"
    if not _decode.is_image(file):
        return f"{below or 'the folder itself'}, of no known image format ({_ending(file)})"
    folder, _, rest = file.removeprefix(below).partition("/")
    if not rest:
        return f"{below or 'the folder itself'}, beside the class folders"
    if classes is not None and unicodedata.normalize("NFC", folder) not in classes:
        return f"{below}{folder}/, a class that 'classes' leaves out"
    return None


def _ending(file: str) -> str:
    return PurePosixPath(file).suffix.lower() or "no ending"
