"""Which folders of images hold the splits and which the classes, where names alone do not say it.

Names that mean a split as a whole (``Training``, ``test_set``) are known to :mod:`freqmaps.datasets._layout`. Here a
word for a split may also stand among others (``seg_train``, ``images_test``, ``val2017``), and what lies in the
folders decides whether it is one: split folders hold the same class folders, class folders hold images. Folders of
which both could be true are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _layout
from freqmaps.datasets._parts import Part
from freqmaps.datasets._sources import Source
from freqmaps.datasets._tree import TESTS, Tree, composed, meaning

DECIDES_NUMBERS = False  # the split and the class of each image stand in its id, which enters the dataset's identity
log = logging.getLogger("freqmaps")


def places(source: Source, classes: Sequence[str] | None) -> list[tuple[Source, str]]:
    """Return a source with both splits as :func:`freqmaps.datasets._layout.entries` takes it.

    Parameters
    ----------
    source
        The folder or archive.
    classes
        Class folders that the config names, which says that these are the classes; None: it names none.

    Returns
    -------
    list
        The source with ``""``, where names say which folder holds which split, or where there is none; otherwise the
        parts that hold ``train`` and ``test``.

    Raises
    ------
    ConfigError
        Folders that may be splits as well as classes; names them and says what to do.
    """
    tree = Tree(source)
    there = tree.children(tree.base)
    trains, tests = _whole_names(there)
    if len(trains) > 1 or (len(trains) + len(tests) == len(there) and not (trains and tests)):
        return [(source, "")]  # _layout says what is amiss
    named = [name for name in there if composed(name) in {composed(c) for c in classes or ()}]
    consent = classes is not None and len(named) == len(classes)
    if trains and tests and any(tree.classes(name) for name in (*trains, *tests)):
        found = _by_whole_names(tree, trains[0], tests, classes)
    else:
        found = None if consent else _by_words(tree, there)
        pair = None if found else _pair(there)
        if pair and consent:
            return [(Part(source, tree.base, named), "")]
        if pair:
            raise ConfigError(_unlike(tree, pair, there))
        if not found:
            check_classes(tree, tree.base, classes)
    return [(Part(source, found[split]), split) for split in ("train", "test")] if found else [(source, "")]


def _whole_names(there: Sequence[str]) -> tuple[list[str], list[str]]:
    trains = [name for name in there if _layout._is_split(name, _layout._TRAINS)]
    return trains, [name for word in TESTS for name in there if _layout._is_split(name, (word,))]


def _by_whole_names(
    tree: Tree, train: str, tests: Sequence[str], classes: Sequence[str] | None
) -> dict[str, str] | None:
    """Return where the class folders of ``train`` and ``test`` lie, if not directly in them; else None."""
    plain = tree.children(f"{tree.base}{train}/")
    if len(plain) < 2 or not any(set(plain) & set(tree.children(f"{tree.base}{test}/")) for test in tests):
        test = next((test for test in tests if tree.classes(train) & tree.classes(test)), None)
        if test is not None:
            check_classes(tree, tree.content(train), classes)
            return {"train": tree.content(train), "test": tree.content(test)}
    check_classes(tree, f"{tree.base}{train}/", classes)
    return None


def _by_words(tree: Tree, there: Sequence[str]) -> dict[str, str] | None:
    """Return the folders of the splits where one word of their names says it, and what lies in them agrees.

    Raises
    ------
    ConfigError
        Several may hold training images, or further folders hold the same class folders.
    """
    trains = [name for name in there if meaning(name)[0] == "train" and len(tree.classes(name)) > 1]
    known = {folder for name in trains for folder in tree.classes(name)}
    tests = [name for word in TESTS for name in there if meaning(name)[0] == word and known & tree.classes(name)]
    if not trains or not tests:
        return None
    others = [name for name in there if name not in (*trains, *tests) and len(known & tree.classes(name)) > 1]
    if len(trains) > 1 or others:
        alike = [*trains, *tests, *others]
        raise ConfigError(
            f"'{tree.source.path}' has {_listed(tree.base, alike)}, which hold the same folders: instead of 'root', "
            "name the one of the training images as 'train' and the one of the test images as 'test', or, if they are "
            f"classes, say so with {_classes(alike)}"
        )
    check_classes(tree, tree.content(trains[0]), None)
    return {"train": tree.content(trains[0]), "test": tree.content(tests[0])}


def _pair(there: Sequence[str]) -> tuple[str, str] | None:
    """Return two folders whose names differ in nothing but the split: ``my_train`` and ``my_test``."""
    kinds = {name: meaning(name) for name in there}
    for train, (split, rest) in kinds.items():
        for test, (other, same) in kinds.items():
            if split == "train" and other not in ("", "train") and same == rest:
                return train, test
    return None


def _unlike(tree: Tree, pair: tuple[str, str], there: Sequence[str]) -> str:
    """Return what is amiss with two folders that have the names of splits and do not hold the same class folders."""
    lacking = [name for name in pair if not tree.classes(name)]
    others = [name for name in there if not meaning(name)[0]]
    if not lacking:
        seen = f"{_listed(tree.base, pair)} have the names of splits, but not the same two or more class folders"
    elif others:
        seen = f"{_listed(tree.base, lacking)} beside {_listed(tree.base, others)} hold images, but no class folders"
    else:
        seen = f"{_listed(tree.base, lacking)} hold images, but no class folders"
    if len(others) > 1:
        remedy = f"to have a split made of the others, name them: {_classes(others)}"
    elif all(_whole_names(pair)):
        remedy = "rename them if they are classes"
    else:
        remedy = f"if they are classes, name all of these: {_classes(there)}"
    return f"'{tree.source.path}': {seen}; put the images into train/CLASS/ and test/CLASS/, or, {remedy}"


def check_classes(tree: Tree, below: str, classes: Sequence[str] | None) -> None:
    """Refuse class folders that look like folds or sessions: all with the same folders in them, and no images.

    Parameters
    ----------
    tree, below
        Where the class folders lie.
    classes
        Class folders that the config names, which says that these are the classes; None: it names none.

    Raises
    ------
    ConfigError
        They do; says how to tell that they are classes all the same.
    """
    names = tree.children(below)
    if classes is not None and {composed(name) for name in classes} <= {composed(name) for name in names}:
        return
    inner = [tree.children(f"{below}{name}/") for name in names]
    direct = any(f"{below}{name}/" in tree.holding for name in names)
    if direct or len(names) < 2 or len(inner[0]) < 2 or any(folders != inner[0] for folders in inner):
        return
    if _whole_names(inner[0])[0] and _whole_names(inner[0])[1]:
        remedy = (
            f"put the images into train/CLASS/ and test/CLASS/, or, to have a new split made, set {_classes(names)}"
        )
    else:
        remedy = (
            "if these are the classes, put the images of each into one folder, or give 'train' and 'test' instead of "
            f"'root'; if the outer ones are, name them: {_classes(names)}"
        )
    raise ConfigError(
        f"'{tree.source.path}': {_listed(below, names)} hold no images themselves, but the same folders each, "
        f"{_listed('', inner[0])}: {remedy}"
    )


def check_given(train: Source, classes: Sequence[str] | None) -> None:
    """Refuse folds among the class folders of the training images, as :func:`check_classes` does; same parameters."""
    tree = Tree(train, keep=False)
    check_classes(tree, tree.base, classes)


def describe_unread(places: Sequence[tuple[Source, str]]) -> None:
    """Log what :func:`unread` returns, where the splits' folders are all that the log of the scan is about."""
    sentence = unread(places) if isinstance(places[0][0], Part) else None
    if sentence:
        log.info("%s", sentence)


def unread(places: Sequence[tuple[Source, str]]) -> str | None:
    """Return a sentence about folders of images beside the splits, which are not read; None if there are none.

    Parameters
    ----------
    places
        As :func:`places` returns them.
    """
    first, split = places[0]
    if split and not isinstance(first, Part):
        return None  # both places are given: there is nothing beside them
    source = first.source if isinstance(first, Part) else first
    tree = Tree(source)
    if isinstance(first, Part):
        used = [part.below for part, _ in places if isinstance(part, Part)]
    else:
        used = sorted(_layout._splits(source.listing(), tree.base, "", source).values())
    over = [name for name in tree.children(tree.base) if not any(u.startswith(f"{tree.base}{name}/") for u in used)]
    if len(used) < 2 or not over:
        return None
    are = "is" if len(over) == 1 else "are"
    return f"{_listed(tree.base, over)} in '{source.path}' {are} not read: the splits lie in {' and '.join(used)}"


def _listed(base: str, names: Iterable[str]) -> str:
    shown = [f"{base}{name}/" for name in names]
    if len(shown) > 4:
        shown = [*shown[:3], f"{len(shown) - 3} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _classes(names: Sequence[str]) -> str:
    return f"classes: [{', '.join(names[:4])}{', ...' if len(names) > 4 else ''}]"
