"""Images in the tar shards of WebDataset: ``000001.jpg`` beside ``000001.cls``, which holds the label as a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _samples, _shards, _sources
from freqmaps.datasets._api import Block, Description

UNKEYED = ("root",)
RANGES = {"test_fraction": "(0, 1)", "size": "[1, 8192]"}


def describe(
    *,
    root: str,
    train: str = "train",
    test: str | None = None,
    classes: list[str] | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Description:
    """Describe the images after checking, once, that each of them can be read.

    Parameters
    ----------
    root
        A folder with tar shards, or one of them.
    train, test
        Names of the splits, as shards or folders have them (``train-000000.tar``). Without ``test``, the split
        ``test`` is taken, or else ``validation`` (also called ``val``).
    classes
        Names of the classes in the order of the labels; None: their numbers.
    size
        Side in pixels to scale (shorter side) and crop (centre) to; without, all must be square and of one size.
    channels
        3 for RGB, 1 for grey; None: as the first image has.
    test_fraction
        Share of each class for testing, where the shards name no split, or only that of ``train``.

    Raises
    ------
    ConfigError
        No shards or splits, an image without a label, a class that one split lacks, or an image that cannot be read.
    """
    known = _known(root, train, test, classes)
    return _samples.describe(known, size=size, channels=channels, test_fraction=test_fraction, source="tar shards")


def read(
    *,
    root: str,
    train: str = "train",
    test: str | None = None,
    classes: list[str] | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = None,
    test_fraction: float | None = None,
) -> Iterator[Block]:
    """Yield the images (uint8) in store order; parameters and errors as :func:`describe`."""
    known = _known(root, train, test, classes)
    description = _samples.describe(
        known, size=size, channels=channels, test_fraction=test_fraction, source="tar shards"
    )
    with ExitStack() as stack:
        samples = _open(_shards.chosen(root, ".tar", train, test), root, classes, stack, in_order=False)
        yield from _samples.blocks(
            samples, channels=description.channels, size=description.size, test_fraction=test_fraction
        )


def _known(root: str, train: str, test: str | None, classes: list[str] | None) -> dict[str, Any]:
    chosen = _shards.chosen(root, ".tar", train, test)

    def find_out() -> dict[str, Any]:
        with ExitStack() as stack:
            return _samples.scan(_open(chosen, root, classes, stack, in_order=True))

    signature = [classes, [[split, _files.stamp(file)] for split, file in chosen]]
    return _files.remembered("webdataset", signature, find_out)


def _open(
    chosen: list[tuple[str, Path]], root: str, classes: list[str] | None, stack: ExitStack, *, in_order: bool
) -> _samples.Samples:
    """Read the labels of all shards; images are read when they are asked for."""
    split: list[str] = []
    label: list[int] = []
    sample: list[str] = []
    places: list[tuple[Callable[[str], bytes], str]] = []
    for part, path in chosen:
        shard = _sources.source(path, "root")
        listing = shard.listing()
        give = stack.enter_context(shard.opened(in_order=in_order))
        for name in listing.files:
            if _decode.is_image(name):
                key = str(PurePosixPath(name).with_suffix("")) if "/" in name else name.partition(".")[0]
                label.append(_label(listing, key, path, give))
                split.append(part)
                sample.append(f"{part}/{key}" if part else key)
                places.append((give, name))
    twice = next((sample_id for sample_id, n in _tally(sample).items() if n > 1), None)
    if twice is not None:
        raise ConfigError(f"root: two shards of '{root}' hold the sample '{twice}'; give each sample a key of its own")
    names = classes or [str(i) for i in range(max(label, default=0) + 1)]
    return _samples.Samples(root, split, label, sample, names, lambda i: places[i][0](places[i][1]))


def _tally(names: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _label(listing: _sources.Listing, key: str, path: Path, give: Callable[[str], bytes]) -> int:
    member = f"{key}.cls"
    if member not in listing.files:
        raise ConfigError(f"'{path}': the image '{key}' has no '{member}' beside it; write its label there as a number")
    text = give(member)[:40].decode("utf-8", "replace").strip()
    if not text.isdecimal():
        raise ConfigError(f"'{path}': '{member}' holds {text!r}, not the number of a class; write one from 0 on")
    return int(text)
