"""Folders of images: which class and split each image belongs to, and which files are passed over and why."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from freqmaps.core.errors import ConfigError, nearest
from freqmaps.datasets import _decode, _order
from freqmaps.datasets._sources import Listing, Source

#: Names of folders that hold a split, in any case, with or without a word for a set; the first of those that mean
#: ``test`` is taken.
_TRAINS = ("train", "training")
_TESTS = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
_SET = re.compile(r"[ _-]?(set|split|data|images|imgs)$")
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


def entries(sources: Sequence[tuple[Source, str]], classes: Sequence[str] | None = None) -> list[Entry]:
    """Return all images of some sources, or those of some classes, sorted by id.

    Parameters
    ----------
    sources
        Each with the split it holds, or with ``""`` where it holds both, in folders ``train`` and ``test`` (or
        ``val``, ``Training``, ``test_set``, ...), or class folders from which the split is made.
    classes
        Class folders to look at: what is amiss in others is their owner's affair. None looks at all.

    Raises
    ------
    ConfigError
        No class folders, none of a name in ``classes``, one without images, a class that one split lacks, or only one
        of the splits.
    """
    _check_choice(classes)
    images = [entry for source, split in sources for entry in _entries(source, split, classes)]
    images.sort(key=lambda e: e.sample)
    counts = count(images)
    if "" not in counts:
        _order.check_classes(counts, "give both the same class folders")
    elif len(counts[""]) < 2:
        raise ConfigError(f"'{sources[0][0].path}' has one class folder, '{images[0].folder}'; at least two are needed")
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


def _entries(source: Source, split: str, classes: Sequence[str] | None) -> Iterator[Entry]:
    listing = source.listing()
    files = [name for name in listing.files if _decode.is_image(name)]
    base = _unwrapped(listing, files, keep=not split)
    for name, below in _splits(listing, base, split, source).items():
        folders = _class_folders(listing, below, source)
        for wanted in classes or ():
            if wanted not in folders.values():
                raise ConfigError(f"classes: no class '{wanted}'; {nearest(wanted, folders.values())}")
        empty = {folder for folder, name in folders.items() if classes is None or name in classes}
        for file in files:
            if not file.startswith(below):
                continue
            folder, _, rest = file.removeprefix(below).partition("/")
            if not rest or (classes is not None and folders[folder] not in classes):
                continue  # beside the class folders: a contact sheet, say; or of a class that is left out
            empty.discard(folder)
            if listing.files[file] > _LARGEST:
                raise ConfigError(
                    f"'{source.path}/{file}' has {listing.files[file]} bytes, too many for an image; remove it"
                )
            sample = unicodedata.normalize("NFC", "/".join(part for part in (name, folder, rest) if part))
            if not _is_text(sample):
                raise ConfigError(f"'{source.path}': the file name {sample!r} is not valid UTF-8; rename it")
            yield Entry(source, file, name, folders[folder], sample)
        if empty:
            raise ConfigError(f"class folder '{source.path}/{below}{min(empty)}' holds no images; fill or remove it")


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name)


def _class_folders(listing: Listing, below: str, source: Source) -> dict[str, str]:
    """Return the class folders with the names of their classes: accents count the same in either Unicode form.

    Raises
    ------
    ConfigError
        There is none, or two look the same.
    """
    folders = {folder: unicodedata.normalize("NFC", folder) for folder in sorted(_children(listing, below))}
    if not folders:
        raise ConfigError(f"'{source.path}/{below}' has no class folders; {_ADD}")
    names = list(folders.values())
    same = next((name for name in names if names.count(name) > 1), None)
    if same is not None:
        raise ConfigError(
            f"'{source.path}/{below}' has two folders called '{same}', with composed and with decomposed accents; "
            "put their images into one"
        )
    return folders


def _is_split(name: str, meanings: Sequence[str]) -> bool:
    """Tell whether a folder's name means one of some splits: ``Training``, ``test_set``, ``VAL``.

    >>> _is_split("Training", _TRAINS), _is_split("test_set", _TESTS), _is_split("trainer", _TRAINS)
    (True, True, False)
    """
    return _SET.sub("", name.casefold()) in meanings


def _children(listing: Listing, below: str) -> set[str]:
    return {f.removeprefix(below) for f in listing.folders if f.startswith(below) and "/" not in f.removeprefix(below)}


def _unwrapped(listing: Listing, files: Sequence[str], *, keep: bool) -> str:
    """Return the folder (with ``/``) that holds the class or split folders: archives are wrapped in one or more.

    ``keep`` says that a folder named after a split is none of these.
    """
    base = ""
    while True:
        children = _children(listing, base)
        if len(children) != 1 or (keep and any(_is_split(c, (*_TRAINS, *_TESTS)) for c in children)):
            return base
        inner = f"{base}{min(children)}/"
        direct = any(f.startswith(base) and "/" not in f.removeprefix(base) for f in files)
        if direct or not _children(listing, inner):
            return base
        base = inner


def _splits(listing: Listing, base: str, split: str, source: Source) -> dict[str, str]:
    """Return the folder of each split; ``{"": base}`` where the split has to be made."""
    if split:
        return {split: base}
    children = sorted(_children(listing, base))
    trains = [name for name in children if _is_split(name, _TRAINS)]
    tests = [name for meaning in _TESTS for name in children if _is_split(name, (meaning,))]
    if len(trains) > 1:
        raise ConfigError(
            f"'{source.path}' has {' and '.join(f'{base}{name}/' for name in trains)}: which one holds the training "
            "images? Name it as 'train', and the other split's folder as 'test'"
        )
    if trains and tests:
        train = f"{base}{trains[0]}/"
        return {"train": train, "test": _with_classes(listing, train, [f"{base}{name}/" for name in tests])}
    if children and len(trains) + len(tests) == len(children):
        there, missing = (trains[0], "test/ or val/") if trains else (tests[0], "train/")
        raise ConfigError(f"'{source.path}' has {base}{there}/ but no {missing} beside it; add it")
    return {"": base}


def _with_classes(listing: Listing, train: str, tests: Sequence[str]) -> str:
    """Return the first test folder with classes of the training images: ImageNet's val/, whose test/ has none."""
    wanted = _children(listing, train)
    return next((test for test in tests if wanted & _children(listing, test)), tests[0])


def describe_scan(sources: Sequence[tuple[Source, str]], classes: Sequence[str] | None = None) -> None:
    """Log which files and folders lie there and are not read, and why; parameters as for :func:`entries`."""
    over: Counter[str] = Counter()
    for source, split in sources:
        listing = source.listing()
        files = [name for name in listing.files if _decode.is_image(name)]
        base = _unwrapped(listing, files, keep=not split)
        splits = _splits(listing, base, split, source)
        for name in listing.files:
            reason = _passed_over(name, splits, classes)
            if reason:
                over[f"{source.path}: {reason}"] += 1
    for reason, count in over.items():
        log.info("not read, %d file%s in %s", count, "" if count == 1 else "s", reason)


def _passed_over(file: str, splits: Mapping[str, str], classes: Sequence[str] | None) -> str | None:
    """Return why a file is not read as an image; None if it is."""
    below = next((below for below in splits.values() if file.startswith(below)), None)
    if below is None:
        used = " and ".join(sorted(splits.values()))
        place = f"{file.partition('/')[0]}/" if "/" in file else "the folder itself"
        return f"{place}, outside of the splits {used}"
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
