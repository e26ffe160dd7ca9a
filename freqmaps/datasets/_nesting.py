"""Where the splits lie in a folder or archive, told by how its folders are nested and not by their names alone.

``_layout`` reads folders called ``train`` and ``test``. Here are the others that people have: ``images_train`` beside
``images_test``, Kaggle's ``seg_train/seg_train``, and folds, whose class folders lie one level deeper than it seems.
Names, splits and classes of all images are in the dataset's identity: this module decides no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _formats, _layout
from freqmaps.datasets._below import Below
from freqmaps.datasets._sources import Source

DECIDES_NUMBERS = False

_TRAINS = (*_layout._TRAINS, "learn", "learning")
_TESTS = _layout._TESTS
#: Words of a folder's name that do not tell it from others.
_SAYING_LITTLE = (*_TRAINS, *_TESTS, "set", "split", "data", "images", "imgs", "")
#: What lies between two words of a folder's name: a separator, a capital after a small letter, a digit after a letter.
_BETWEEN = re.compile(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])")


class Inside(NamedTuple):
    """What a folder holds: folders with images, below those that only wrap them; and whether images lie beside."""

    folders: set[str]
    direct: bool


def places(source: Source, classes: Sequence[str] | None = None) -> list[tuple[Source, str]]:
    """Return where the splits of a source lie, as :func:`freqmaps.datasets._layout.entries` takes them.

    Parameters
    ----------
    source
        Folder or archive that holds everything.
    classes
        Class folders that the config names, if it does: whoever names them says that they are classes.

    Raises
    ------
    ConfigError
        The names of the folders and what they hold leave open which of them are splits, or which are classes.
    """

    def find_out() -> dict[str, Any]:
        found = _find(source, classes)
        _formats.check(found, classes)
        below = [(part, split) for part, split in found if isinstance(part, Below)]
        return {"below": [[part.prefix, part.only, split] for part, split in below]}

    # Looking at a million names takes seconds.
    known = _files.remembered("places of splits", [source.stamp(), classes], find_out)["below"]
    parts = [(Below(source, prefix, None if only is None else tuple(only)), split) for prefix, only, split in known]
    return [*parts] or [(source, "")]


def _find(source: Source, classes: Sequence[str] | None) -> list[tuple[Source, str]]:
    listing = source.listing()
    base = _layout._unwrapped(listing, _images(source), keep=True)
    inside = _inside(_images(source), base)
    children = _layout._children(listing, base)
    named = _chosen(children, classes)
    exact = [[c for c in sorted(children) if _layout._is_split(c, words)] for words in (_layout._TRAINS, _TESTS)]
    if all(exact):
        train = inside.get(exact[0][0], Inside(set(), False))
        if named and not set(classes or ()) <= train.folders:
            return [(Below(source, base, tuple(sorted(named))), "")]
        _check_flat(source, base, inside, exact[0] + exact[1])
        splits = _layout._splits(listing, base, "", source)
        if train.folders and not _shares(inside, splits["test"].removeprefix(base).strip("/"), train):
            wrapped = [name for name in sorted(exact[1], key=_rank) if _shares(inside, name, train)]
            splits |= {"test": f"{base}{wrapped[0]}/"} if wrapped else {}
        return _nested(source, splits, classes)
    if named:
        return [(source, "")]
    splits = _worded(source, base, inside)
    if splits:
        return checked([(Below(source, f"{base}{name}/"), split) for split, name in splits.items()], classes)
    _layout._splits(listing, base, "", source)  # says what is amiss with folders called as splits
    _check_folds(source, base, classes)
    return [(source, "")]


def checked(parts: list[tuple[Source, str]], classes: Sequence[str] | None = None) -> list[tuple[Source, str]]:
    """Return sources of one split each after checking that their folders are classes and no folds.

    Raises
    ------
    ConfigError
        All of their folders hold the same folders.
    """

    def check() -> dict[str, Any]:
        for part, _ in parts:
            _check_folds(part, _layout._unwrapped(part.listing(), _images(part), keep=False), classes)
        _formats.check(parts, classes)
        return {"folds": False}

    _files.remembered("folds", [[part.stamp() for part, _ in parts], classes], check)
    return parts


def unread(
    *, root: str | None = None, train: str | None = None, test: str | None = None, classes: list[str] | None = None,
    **_: object,
) -> str | None:  # fmt: skip
    """Return a sentence about images beside the folders of the splits, or of formats not read; None without any."""
    from freqmaps.datasets.image_folder import _places

    parts = _places(root, train, test, classes)
    stamps = [part.stamp() for part, _ in parts]
    first = parts[0][0]
    named = isinstance(first, Below) and first.only is not None  # the config names the folders that are read

    def find_out() -> dict[str, Any]:
        beside = None if root is None or named else _beside(parts)
        return {"sentences": [one for one in (beside, _formats.left_out(parts, classes)) if one]}

    return "; ".join(_files.remembered("unread images", [stamps, classes, named], find_out)["sentences"]) or None


def _beside(parts: list[tuple[Source, str]]) -> str | None:
    first = parts[0][0]
    whole = first.whole if isinstance(first, Below) else first
    files = _images(whole)
    base = _layout._unwrapped(whole.listing(), files, keep=True)
    if isinstance(first, Below):
        used = sorted(part.prefix for part, _ in parts if isinstance(part, Below))
    else:
        used = sorted(_layout._splits(whole.listing(), base, "", whole).values())
    beside = Counter(f.removeprefix(base).partition("/")[0] for f in files if f.startswith(base) and "/" in
                     f.removeprefix(base) and not f.startswith(tuple(used)))  # fmt: skip
    if not beside:
        return None
    left = _listed([f"{n} in {name}/" for name, n in sorted(beside.items())], most=6)
    return f"images are read from {' and '.join(used)} of '{whole.path}'; others are not, {left}"


def _images(source: Source) -> list[str]:
    return [name for name in source.listing().files if _decode.is_image(name)]


def _inside(files: Iterable[str], base: str) -> dict[str, Inside]:
    """Return what each folder below ``base`` holds."""
    by_child: dict[str, list[str]] = {}
    for file in files:
        child, _, rest = file.removeprefix(base).partition("/")
        if file.startswith(base) and rest:
            by_child.setdefault(child, []).append(rest)
    return {child: _held(names) for child, names in by_child.items()}


def _held(names: list[str]) -> Inside:
    while True:
        heads = {name.partition("/")[0] if "/" in name else "" for name in names}
        inner = [name.partition("/")[2] for name in names]
        if len(heads) > 1 or "" in heads or not any("/" in name for name in inner):
            folders = {unicodedata.normalize("NFC", head) for head in heads if head}
            return Inside(folders, "" in heads)
        names = inner


def _chosen(children: Iterable[str], classes: Sequence[str] | None) -> list[str]:
    """Return the folders of the classes that the config names, if all of them are among some folders."""
    folders = {unicodedata.normalize("NFC", child): child for child in children}
    return [folders[name] for name in classes or () if name in folders] if set(classes or ()) <= set(folders) else []


def _nested(source: Source, splits: dict[str, str], classes: Sequence[str] | None) -> list[tuple[Source, str]]:
    """Return the source as it is, or its split folders where others wrap the class folders: ``train/train/cat``."""
    parts: list[tuple[Source, str]] = [(Below(source, folder), split) for split, folder in splits.items()]
    checked(parts, classes)
    wrapped = [_layout._unwrapped(part.listing(), _images(part), keep=False) for part, _ in parts]
    return parts if all(wrapped) else [(source, "")]


def _meaning(name: str) -> str:
    """Return the split that a word of a folder's name means; nothing where none does, or two do.

    >>> _meaning("my_train"), _meaning("ImagesTest"), _meaning("val2017"), _meaning("train_test"), _meaning("trainer")
    ('train', 'test', 'test', '', '')
    """
    words = [name, *_BETWEEN.split(name)]
    found = {split for split, those in (("train", _TRAINS), ("test", _TESTS)) if any(
        _layout._is_split(word, those) for word in words)}  # fmt: skip
    return found.pop() if len(found) == 1 else ""


def _rank(name: str) -> int:
    words = [name, *_BETWEEN.split(name)]
    return next(i for i, meaning in enumerate(_TESTS) if any(_layout._is_split(word, (meaning,)) for word in words))


def _besides(name: str) -> str:
    """Return what a folder's name says besides the split.

    >>> _besides("my_train"), _besides("train_images"), _besides("test"), _besides("test_tube")
    ('my', '', '', 'tube')
    """
    words = [] if _layout._is_split(name, (*_TRAINS, *_TESTS)) else _BETWEEN.split(name.strip())
    return " ".join(w.casefold() for w in words if w.casefold() not in _SAYING_LITTLE)


def _shares(inside: dict[str, Inside], name: str, train: Inside) -> bool:
    return name in inside and bool(inside[name].folders & train.folders)


def _worded(source: Source, base: str, inside: dict[str, Inside]) -> dict[str, str]:
    """Return the folders of train and test that have such a word in their names and hold the same class folders."""
    trains = [name for name in sorted(inside) if _meaning(name) == "train"]
    tests = [name for name in sorted(inside) if _meaning(name) == "test"]
    others = [name for name in sorted(inside) if not _meaning(name)]
    place = f"'{source.path}/{base}'"
    pairs = {
        train: [test for test in tests if inside[train].folders & inside[test].folders]
        for train in trains
        if len(inside[train].folders) > 1
    }
    pairs = {train: those for train, those in pairs.items() if those}
    if not pairs:
        alike = {name for name in trains for other in tests if _besides(name) == _besides(other)}
        if alike and not (others and any(inside[name].folders for name in trains + tests)):
            raise ConfigError(
                f"{place} has {_folders(trains + tests)}, called like splits, but without class folders of the same "
                f"names in them; make these, or, if they are classes, set classes: [{_listed(trains + tests + others)}]"
            )
        return {}
    train = min(pairs)
    rank = min(_rank(test) for test in pairs[train])
    best = [test for test in pairs[train] if _rank(test) == rank]
    for which, names in (("training", list(pairs)), ("test", best)):
        if len(names) > 1:
            raise ConfigError(
                f"{place} has {_folders(names)}: which one holds the {which} images? Set 'train' and 'test' to one "
                "folder each instead of 'root'"
            )
    alike_others = [name for name in others if len(inside[name].folders & inside[train].folders) > 1]
    if alike_others:
        raise ConfigError(
            f"{place} has {_folders([train, best[0], *alike_others])}, which hold the same folders: set 'train' and "
            "'test' to the folders of the splits instead of 'root', or, if they are classes, set classes: "
            f"[{_listed(sorted(inside))}]"
        )
    classes = [name for name in others if unicodedata.normalize("NFC", name) in inside[train].folders]
    if classes:
        raise ConfigError(
            f"{place} has {_folders([train, best[0]])}, with class folders, beside {_folders(classes)}; set 'train' "
            f"and 'test' to the first two instead of 'root', or name the others in 'classes'"
        )
    return {"train": train, "test": best[0]}


def _check_flat(source: Source, base: str, inside: dict[str, Inside], splits: Sequence[str]) -> None:
    others = [name for name in sorted(inside) if name not in splits]
    if others and not any(inside[name].folders for name in splits if name in inside):
        raise ConfigError(
            f"'{source.path}/{base}' has {_folders(splits)} without class folders beside {_folders(others)}; move the "
            f"first elsewhere, or, if the others are the classes, set classes: [{_listed(others)}]"
        )


def _check_folds(source: Source, base: str, classes: Sequence[str] | None) -> None:
    inside = _inside(_images(source), base)
    if len(inside) < 2 or any(held.direct for held in inside.values()) or _chosen(inside, classes):
        return
    shared = set.intersection(*(held.folders for held in inside.values()))
    every = set.union(*(held.folders for held in inside.values()))
    # Folds hold all classes but perhaps one or two; videos of a class have numbers of which another has some, too.
    if len(shared) > 1 and 2 * len(shared) >= len(every):
        raise ConfigError(
            f"'{source.path}/{base}' has {_folders(sorted(inside))}, which all hold the folders "
            f"{_folders(sorted(shared))} and no images beside them; if the inner ones are the classes, set 'train' and "
            "'test' to two of the outer ones or put the images of each class into one folder, and if the outer ones "
            f"are, set classes: [{_listed(sorted(inside))}]"
        )


def _folders(names: Sequence[str]) -> str:
    return _listed([f"{name}/" for name in names])


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
