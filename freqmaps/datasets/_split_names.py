"""Which split the name of a folder means."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Names of folders that hold a split, in any case, with or without a word for a set; the first of those that mean
#: ``test`` is taken.
TRAINS = ("train", "training")
TESTS = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
_SET = re.compile(r"[ _-]?(set|split|data|images|imgs)$")
#: Words that mean training images only where another folder has one that means test images.
_LEARN = ("learn", "learning")
#: Words of a folder's name that do not tell it from others.
_SAYING_LITTLE = (*TRAINS, *_LEARN, *TESTS, "set", "split", "data", "images", "imgs", "")
#: What lies between two words of a folder's name: a separator, a capital after a small letter, a digit after a letter.
_BETWEEN = re.compile(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])")


def is_split(name: str, meanings: Sequence[str] = (*TRAINS, *TESTS)) -> bool:
    """Tell whether a folder's name as a whole means one of some splits: ``Training``, ``test_set``, ``VAL``.

    >>> is_split("Training", TRAINS), is_split("test_set", TESTS), is_split("trainer"), is_split("my_train")
    (True, True, False, False)
    """
    return _SET.sub("", name.casefold()) in meanings


def meaning(name: str) -> str:
    """Return the split that a word of a folder's name means; nothing where none does, or two do.

    >>> meaning("my_train"), meaning("ImagesTest"), meaning("val2017"), meaning("train_test"), meaning("trainer")
    ('train', 'test', 'test', '', '')
    """
    splits = {split for split, words in (("train", (*TRAINS, *_LEARN)), ("test", TESTS)) if _has_word(name, words)}
    return splits.pop() if len(splits) == 1 else ""


def rank(name: str) -> int:
    """Return the place among :data:`TESTS` of the first that a word of a folder's name means.

    >>> rank("images_test"), rank("val2017")
    (0, 2)
    """
    return next(i for i, word in enumerate(TESTS) if _has_word(name, (word,)))


def besides(name: str) -> str:
    """Return what a folder's name says besides the split.

    >>> besides("my_train"), besides("train_images"), besides("test"), besides("test_tube")
    ('my', '', '', 'tube')
    """
    words = [] if is_split(name, (*TRAINS, *_LEARN, *TESTS)) else _BETWEEN.split(name.strip())
    return " ".join(w.casefold() for w in words if w.casefold() not in _SAYING_LITTLE)


def _has_word(name: str, meanings: Sequence[str]) -> bool:
    return any(is_split(word, meanings) for word in (name, *_BETWEEN.split(name)))
