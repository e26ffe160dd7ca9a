"""Any labelled data set of torchvision by the name of its class: MNIST, FashionMNIST, STL10, GTSRB, Flowers102, ..."""

from __future__ import annotations

import difflib
import inspect
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _samples, _sources
from freqmaps.datasets._api import Block, Description

if TYPE_CHECKING:
    from PIL import Image

UNKEYED = ("root", "download")
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]"}
CHECK = "freqmaps.datasets._names:torchvision_dataset"

#: What classes call the split for testing, in order of preference.
_TESTS = ("test", "val", "valid", "validation")


def describe(
    *,
    name: str,
    root: str = "data",
    download: bool = False,
    options: dict[str, Any] | None = None,
    train: str = "train",
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Description:
    """Describe the images after checking, once, that each of them can be read.

    Parameters
    ----------
    name
        Class in ``torchvision.datasets``.
    root
        Folder that torchvision looks into.
    download
        Whether torchvision fetches what is missing, when the study is resolved for the first time.
    options
        Other arguments of the class: ``{split: letters}`` of EMNIST, say.
    train, test
        What the class calls its splits, where it has an argument ``split``. Without ``test``, the first that it has of
        ``test``, ``val``, ``valid`` and ``validation``. Classes with an argument ``train`` need neither.
    size
        Side in pixels to scale (shorter side) and crop (centre) to; without, all must be square and of one size.
    channels
        3 for RGB, 1 for grey; None: as the first image has.
    test_fraction
        Share of each class for testing, of data without an official split (EuroSAT, SUN397).

    Raises
    ------
    ConfigError
        No such class, or one whose labels are no classes; missing files; or an image that cannot be read.
    """
    known = _known(name, root, download, options or {}, train, test)
    return _samples.describe(
        known, size=size, channels=channels, test_fraction=test_fraction, source=f"torchvision's {name}"
    )


def read(
    *,
    name: str,
    root: str = "data",
    download: bool = False,
    options: dict[str, Any] | None = None,
    train: str = "train",
    test: str | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    known = _known(name, root, download, options or {}, train, test)
    description = _samples.describe(
        known, size=size, channels=channels, test_fraction=test_fraction, source=f"torchvision's {name}"
    )
    samples = _open(name, root, download, options or {}, train, test)
    yield from _samples.blocks(
        samples, channels=description.channels, size=description.size, test_fraction=test_fraction
    )


def _known(
    name: str, root: str, download: bool, options: Mapping[str, Any], train: str, test: str | None
) -> dict[str, Any]:
    """Return what a scan has found, kept as long as nothing below the root changes."""
    asked = [name, dict(options), train, test, download]
    before = _stamp(root)
    answer = _files.remembered(
        "torchvision", [asked, before], lambda: _samples.scan(_open(name, root, download, options, train, test))
    )
    # After a download the folder is another one; what was found is kept for that.
    return _files.remembered("torchvision", [asked, _stamp(root)], lambda: answer) if download else answer


def _stamp(root: str) -> list[Any]:
    folder = _files.expanded(root)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"root: '{folder}' is not a folder; give the one that holds the files")
    return _sources.Folder(folder).stamp() if folder.is_dir() else []


def _open(
    name: str, root: str, download: bool, options: Mapping[str, Any], train: str, test: str | None
) -> _samples.Samples:
    """Make the class's data sets; images are read when they are asked for."""
    kind = _class(name)
    arguments = _arguments(kind)
    keywords = dict(options)
    if "root" in arguments:
        keywords["root"] = str(_files.expanded(root))
    if download and "download" in arguments:
        keywords["download"] = True
    parts = [
        (
            split,
            _dataset_of_split(kind, keywords | {argument: value}, split)
            if argument
            else _dataset_of_split(kind, keywords, "all images"),
        )
        for split, argument, value in _splits(kind, arguments, options, train, test)
    ]
    labels, split, sample = [], [], []
    places: list[tuple[Any, int]] = []
    for part, data in parts:
        labels += _labels(data, name)
        split += [part] * len(data)
        sample += [f"{part}/{i:06d}" if part else f"{i:06d}" for i in range(len(data))]
        places += [(data, i) for i in range(len(data))]
    classes = _classes(parts[0][1], labels)
    return _samples.Samples(root, split, labels, sample, classes, lambda i: _image(*places[i], sample[i], name))


def _class(name: str) -> Any:
    from torchvision import datasets

    known = [n for n in datasets.__all__ if inspect.isclass(getattr(datasets, n)) and "target_transform" in
             _arguments(getattr(datasets, n)) and n not in ("ImageFolder", "DatasetFolder")]  # fmt: skip
    if name not in known:
        by_case = {n.lower(): n for n in known}
        close = difflib.get_close_matches(name.lower(), by_case, n=3, cutoff=0.4)
        raise ConfigError(
            f"name: torchvision.datasets has no classification data set '{name}'; "
            f"the nearest are {', '.join(by_case[c] for c in close) or ', '.join(known[:5])}"
        )
    return getattr(datasets, name)


def _arguments(kind: Any) -> dict[str, inspect.Parameter]:
    """Return the arguments of a class, with those that it passes on to the classes that it is derived from."""
    arguments: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        own = inspect.signature(base.__init__).parameters if "__init__" in vars(base) else {}
        arguments = {**own, **arguments}
        if own and not any(p.kind is p.VAR_KEYWORD for p in own.values()):
            break
    return arguments


def _splits(
    kind: Any, arguments: Mapping[str, Any], options: Mapping[str, Any], train: str, test: str | None
) -> list[tuple[str, str, Any]]:
    """Return split, argument and value for each data set to make; one without an argument where there is no split."""
    if "train" in arguments:
        return [("train", "train", True), ("test", "train", False)]
    argument = next((a for a in ("split", "image_set") if a in arguments and a not in options), None)
    if argument is None:
        return [("", "", None)]
    return [("train", argument, train), ("test", argument, test or _test_name(kind, argument))]


def _test_name(kind: Any, argument: str) -> str:
    """Return what a class calls its images for testing: its documentation and code name the values that it takes."""
    text = f"{inspect.getdoc(kind)}\n{inspect.getsource(kind)}"
    for name in _TESTS:
        if f'"{name}"' in text or f"'{name}'" in text or f"``{name}``" in text:
            return name
    return "test"


def _dataset_of_split(kind: Any, keywords: Mapping[str, Any], split: str) -> Any:
    try:
        return kind(**keywords)
    except (RuntimeError, OSError, ValueError, TypeError, KeyError, ModuleNotFoundError) as error:
        reason = " ".join(str(error).split())[:200]
        remedy = "set 'download: true', or correct 'root'" if "download" not in keywords else "correct root or options"
        if isinstance(error, ValueError):
            remedy = "name the splits with 'train' and 'test'"
        elif isinstance(error, TypeError):
            remedy = "correct 'options'"
        raise ConfigError(f"torchvision's {kind.__name__} cannot be opened for {split} ({reason}); {remedy}") from error


def _labels(data: Any, name: str) -> list[int]:
    """Return the labels without decoding images where the data set holds a list of them."""
    for attribute in ("targets", "labels", "_labels", "y"):
        values = getattr(data, attribute, None)
        if values is not None and not callable(values) and len(values) == len(data):
            listed = list(values)
            break
    else:
        pairs = getattr(data, "samples", None) or getattr(data, "_samples", None)
        listed = [pair[1] for pair in pairs] if pairs else [data[i][1] for i in range(len(data))]
    numbers = []
    for label in listed:
        try:
            numbers.append(operator.index(label))
        except TypeError as error:
            raise ConfigError(
                f"torchvision's {name} gives {type(label).__name__} for an image, not one class; choose a data set for "
                "classification, or a split or options with which this one is"
            ) from error
    return numbers


def _classes(data: Any, labels: Sequence[int]) -> list[str]:
    names = getattr(data, "classes", None)
    if isinstance(names, list | tuple) and len(names) > max(labels, default=0):
        return [name if isinstance(name, str) else ", ".join(map(str, name)) for name in names]
    return [str(i) for i in range(max(labels, default=0) + 1)]


def _image(data: Any, position: int, sample: str, name: str) -> Image.Image:
    from PIL import Image

    try:
        image = data[position][0]
    except Exception as error:  # a damaged file can make the readers raise anything
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"torchvision's {name}: image {sample} cannot be read ({reason}); fetch it again") from error
    if not isinstance(image, Image.Image):
        raise ConfigError(f"torchvision's {name} gives {type(image).__name__}, no image; choose another data set")
    return image
