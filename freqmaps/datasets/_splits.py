"""Where the splits and their class folders lie in folders and archives, told by names and by how they are nested.

Read are ``train`` and ``test`` (or ``val``, ``Training``, ``test_set``, ...), folders with such a word in their names
(``images_train`` beside ``images_test``), others within them (Kaggle's ``seg_train/seg_train``), and class folders
without splits. Folds, whose class folders lie one level deeper than it seems, and whatever else is left open, are
refused. Names, splits and classes of all images are in the dataset's identity: this module decides no number.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _formats, _tree
from freqmaps.datasets import _split_names as names_of
from freqmaps.datasets._parts import Part
from freqmaps.datasets._sources import Source, source
from freqmaps.datasets._tree import Inside

DECIDES_NUMBERS = False


def of_config(
    root: str | None, train: str | None, test: str | None, classes: Sequence[str] | None = None
) -> list[Part]:
    """Return where the class folders lie that a config names; parameters as for ``image_folder``.

    Raises
    ------
    ConfigError
        Neither ``root`` alone nor ``train`` and ``test``, a wrong path, and as :func:`within`.
    """
    if root is not None and train is None and test is None:
        return within(source(_files.expanded(root), "root"), classes)
    if root is None and train is not None and test is not None:
        parts = [
            _unwrapped(source(_files.expanded(path), split), "", split)
            for split, path in (("train", train), ("test", test))
        ]

        def check() -> dict[str, Any]:
            _check(parts, classes)
            return {"sound": True}

        _files.remembered("given splits", [[part.stamp() for part in parts], classes], check)
        return parts
    raise ConfigError("give either 'root', or both 'train' and 'test'")


def within(whole: Source, classes: Sequence[str] | None = None) -> list[Part]:
    """Return where the class folders of each split lie in a folder or archive, or of all images if it has no splits.

    Parameters
    ----------
    whole
        Folder or archive that holds everything.
    classes
        Class folders that the config names, if it does: whoever names them says that they are classes.

    Raises
    ------
    ConfigError
        The names of the folders and what they hold leave open which of them are splits, or which are classes; or all
        images of a class are of a format that is not read.
    """

    def find_out() -> dict[str, Any]:
        parts = _find(whole, classes)
        _check(parts, classes)
        return {"parts": [[part.below, part.split] for part in parts]}

    # Looking at a million names takes seconds.
    known = _files.remembered("parts of splits", [whole.stamp(), classes], find_out)["parts"]
    return [Part(whole, below, split) for below, split in known]


def unread(
    *, root: str | None = None, train: str | None = None, test: str | None = None, classes: list[str] | None = None,
    **_: object,
) -> str | None:  # fmt: skip
    """Return a sentence about images beside the folders of the splits, or of formats not read; None without any."""
    parts = of_config(root, train, test, classes)

    def find_out() -> dict[str, Any]:
        beside = _beside(parts) if root is not None and parts[0].split else None
        return {"sentences": [one for one in (beside, _formats.left_out(parts, classes)) if one]}

    stamps = [part.stamp() for part in parts]
    return "; ".join(_files.remembered("unread images", [stamps, classes], find_out)["sentences"]) or None


def _beside(parts: Sequence[Part]) -> str | None:
    whole = parts[0].source
    images = _tree.images(whole.listing())
    base = _tree.unwrapped(whole.listing(), images, stop_at_splits=True)
    used = sorted(f"{base}{part.below.removeprefix(base).partition('/')[0]}/" for part in parts)
    others = [name.removeprefix(base) for name in images if name.startswith(base) and not name.startswith(tuple(used))]
    beside = Counter(name.partition("/")[0] for name in others if "/" in name)
    if not beside:
        return None
    left = _listed([f"{n} in {name}/" for name, n in sorted(beside.items())], most=6)
    return f"images are read from {' and '.join(used)} of '{whole.path}'; others are not, {left}"


def _find(whole: Source, classes: Sequence[str] | None) -> list[Part]:
    listing = whole.listing()
    images = _tree.images(listing)
    base = _tree.unwrapped(listing, images, stop_at_splits=True)
    inside, children = _tree.inside(images, base), sorted(_tree.children(listing, base))
    place = f"'{whole.path}/{base}'"
    trains = [name for name in children if names_of.is_split(name, names_of.TRAINS)]
    tests = sorted((name for name in children if names_of.is_split(name, names_of.TESTS)), key=names_of.rank)
    named = _are_among(classes, children)
    within_train = set(classes or ()) <= _folders_in(inside, trains[0]) if trains else False
    if named and not (tests and within_train):
        return [Part(whole, base, "")]
    if trains and tests:
        _check_flat(place, inside, trains + tests)
        train = _only(trains, "training", place)
        return _of_splits(whole, f"{base}{train}/", f"{base}{_test_for(train, tests, inside, whole, base)}/")
    worded = _worded(place, inside)
    if worded:
        return _of_splits(whole, *(f"{base}{name}/" for name in worded))
    there, missing = (_only(trains, "training", place), "test/ or val/") if trains else ("".join(tests[:1]), "train/")
    if children and len(trains) + len(tests) == len(children):
        raise ConfigError(f"'{whole.path}' has {base}{there}/ but no {missing} beside it; add it")
    return [Part(whole, base, "")]


def _are_among(classes: Sequence[str] | None, folders: Iterable[str]) -> bool:
    """Tell whether the config names classes, and all of them are among some folders."""
    return bool(classes) and set(classes or ()) <= {unicodedata.normalize("NFC", folder) for folder in folders}


def _folders_in(inside: dict[str, Inside], name: str) -> set[str]:
    return inside[name].folders if name in inside else set()


def _only(names: Sequence[str], which: str, place: str) -> str:
    if len(names) > 1:
        raise ConfigError(
            f"{place} has {_folders(names)}: which one holds the {which} images? Set 'train' and 'test' to one folder "
            "each instead of 'root'"
        )
    return names[0]


def _test_for(train: str, tests: Sequence[str], inside: dict[str, Inside], whole: Source, base: str) -> str:
    """Return the first of some test folders that has the training images' classes: ImageNet's val/, not its test/."""
    wanted, listing = _folders_in(inside, train), whole.listing()
    with_all = [name for name in tests if wanted and wanted <= _folders_in(inside, name)]
    with_images = [name for name in tests if wanted & _folders_in(inside, name)]
    direct = _tree.children(listing, f"{base}{train}/")
    with_folders = [name for name in tests if direct & _tree.children(listing, f"{base}{name}/")]
    return [*with_all, *with_images, *with_folders, *tests][0]


def _of_splits(whole: Source, train: str, test: str) -> list[Part]:
    """Return the parts of two folders, without those that only wrap their class folders: ``train/train/cat``."""
    as_they_are = [Part(whole, train, "train"), Part(whole, test, "test")]
    within = [_unwrapped(part.source, part.below, part.split) for part in as_they_are]
    # A split of one class, whose images lie in one folder, is not wrapped by the class.
    alike = [set.intersection(*(set(part.folders.values()) for part in parts)) for parts in (within, as_they_are)]
    return as_they_are if alike[1] and not alike[0] else within


def _unwrapped(whole: Source, below: str, split: str) -> Part:
    listing = whole.listing()
    return Part(whole, _tree.unwrapped(listing, _tree.images(listing), below), split)


def _worded(place: str, inside: dict[str, Inside]) -> tuple[str, str] | None:
    """Return the folders of train and test that have such a word in their names and hold the same class folders."""
    trains = [name for name in sorted(inside) if names_of.meaning(name) == "train"]
    tests = [name for name in sorted(inside) if names_of.meaning(name) == "test"]
    others = [name for name in sorted(inside) if not names_of.meaning(name)]
    pairs = {
        train: alike
        for train in trains
        if len(inside[train].folders) > 1
        and (alike := [test for test in tests if inside[train].folders & inside[test].folders])
    }
    if not pairs:
        called_alike = any(names_of.besides(name) == names_of.besides(test) for name in trains for test in tests)
        if called_alike and not (others and any(inside[name].folders for name in trains + tests)):
            raise ConfigError(
                f"{place} has {_folders(trains + tests)}, called like splits, but without class folders of the same "
                f"names in them; make these, or, if they are classes, set classes: [{_listed(trains + tests + others)}]"
            )
        return None
    train = _only(list(pairs), "training", place)
    first = min(names_of.rank(test) for test in pairs[train])
    test = _only([test for test in pairs[train] if names_of.rank(test) == first], "test", place)
    alike_others = [name for name in others if len(inside[name].folders & inside[train].folders) > 1]
    if alike_others:
        raise ConfigError(
            f"{place} has {_folders([train, test, *alike_others])}, which hold the same folders: set 'train' and "
            "'test' to the folders of the splits instead of 'root', or, if they are classes, set classes: "
            f"[{_listed(sorted(inside))}]"
        )
    classes = [name for name in others if unicodedata.normalize("NFC", name) in inside[train].folders]
    if classes:
        raise ConfigError(
            f"{place} has {_folders([train, test])}, with class folders, beside {_folders(classes)}; set 'train' "
            f"and 'test' to the first two instead of 'root', or name the others in 'classes'"
        )
    return train, test


def _check_flat(place: str, inside: dict[str, Inside], splits: Sequence[str]) -> None:
    others = [name for name in sorted(inside) if name not in splits]
    if others and not any(_folders_in(inside, name) for name in splits):
        raise ConfigError(
            f"{place} has {_folders(splits)} without class folders beside {_folders(others)}; move the first "
            f"elsewhere, or, if the others are the classes, set classes: [{_listed(others)}]"
        )


def _check(parts: Sequence[Part], classes: Sequence[str] | None) -> None:
    for part in parts:
        _check_folds(part, classes)
    _formats.check(parts, classes)


def _check_folds(part: Part, classes: Sequence[str] | None) -> None:
    inside = _tree.inside(_tree.images(part.source.listing()), part.below)
    if len(inside) < 2 or any(held.direct for held in inside.values()) or _are_among(classes, inside):
        return
    shared = set.intersection(*(held.folders for held in inside.values()))
    every = set.union(*(held.folders for held in inside.values()))
    # Folds hold all classes but perhaps one or two; videos of a class have numbers of which another has some, too.
    if len(shared) > 1 and 2 * len(shared) >= len(every):
        raise ConfigError(
            f"'{part.source.path}/{part.below}' has {_folders(sorted(inside))}, which all hold the folders "
            f"{_folders(sorted(shared))} and no images beside them; if the inner ones are the classes, set 'train' and "
            "'test' to two of the outer ones or put the images of each class into one folder, and if the outer ones "
            f"are, set classes: [{_listed(sorted(inside))}]"
        )


def _folders(names: Sequence[str]) -> str:
    return _listed([f"{name}/" for name in names])


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
