"""Images in class folders: what they are, and their pixels in store order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _order
from freqmaps.datasets._api import Block, rows_per_block
from freqmaps.datasets._decode import Fit
from freqmaps.datasets._layout import Entry, count, entries
from freqmaps.datasets._parts import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray


def summary(parts: Sequence[Part], classes: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what is known of all images, reading them once and remembering the answer while no file changes.

    Parameters
    ----------
    parts, classes
        As for :func:`entries`.

    Returns
    -------
    dict
        ``digest`` (names, sizes, contents; the same for a folder and an archive of it), ``bytes``, ``counts`` (by
        split and class folder), ``side`` (width and height of the first image), ``odd`` (the first image of another
        width or height, with both, or None) and ``first``.

    Raises
    ------
    ConfigError
        As :func:`entries`, and for the first image that cannot be read.
    """
    signature: list[Any] = [part.stamp() for part in parts]
    if classes is not None:
        signature.append(sorted(classes))
    return _files.remembered("class folders", signature, lambda: _scan(entries(parts, classes)))


def _scan(images: list[Entry]) -> dict[str, Any]:
    patience = _files.Patience("checking the images", len(images))
    digests: list[tuple[str, int, str]] = []
    sides: dict[str, tuple[int, int]] = {}
    by_source: dict[int, list[Entry]] = {}
    for entry in images:
        by_source.setdefault(id(entry.source), []).append(entry)
    for part in by_source.values():
        place = {name: i for i, name in enumerate(part[0].source.listing().files)}
        with part[0].source.opened(in_order=True) as read:
            for entry in sorted(part, key=lambda e: place[e.member]):
                data = read(entry.member)
                sides[entry.sample] = _decode.check(data, entry.where)
                digests.append((entry.sample, len(data), hashlib.sha256(data).hexdigest()))
                patience.step()
    first = sides[images[0].sample]
    odd = next(((e.where, *sides[e.sample]) for e in images if sides[e.sample] != first), None)
    return {
        "digest": _files.content_digest(digests),
        "bytes": sum(size for _, size, _ in digests),
        "counts": count(images),
        "first": images[0].where,
        "side": list(first),
        "odd": list(odd) if odd else None,
    }


def common_size(known: dict[str, Any]) -> int:
    """Return the side of images that are all square and of one size.

    Raises
    ------
    ConfigError
        They are not; names the first one.
    """
    width, height = known["side"]
    if width != height:
        raise ConfigError(f"'{known['first']}' is {width}x{height} pixels, not square; set 'size' to scale and crop")
    if known["odd"]:
        name, wide, high = known["odd"]
        raise ConfigError(
            f"'{name}' is {wide}x{high} pixels, others are {width}x{height}; set 'size' to scale and crop all of them"
        )
    return int(width)


def split_counts(known: dict[str, Any], test_fraction: float | None) -> dict[str, int]:
    """Return the number of samples in train and in test, as :func:`blocks` will split them.

    Raises
    ------
    ConfigError
        The split has to be made, and there is no ``test_fraction``, or a class of a single image.
    """
    counts = known["counts"]
    if "" not in counts:
        return {split: sum(counts[split].values()) for split in ("train", "test")}
    if test_fraction is None:
        raise ConfigError(f"'{known['first']}' lies in neither train/ nor val/; use the original archive")
    test = 0
    for folder, n in counts[""].items():
        if n < 2:
            raise ConfigError(
                f"class folder '{folder}' has one image, too few for train and test; add some or remove it"
            )
        test += _order.test_count(n, test_fraction)
    return {"train": sum(counts[""].values()) - test, "test": test}


def blocks(
    images: list[Entry],
    *,
    channels: int,
    size: int,
    test_fraction: float | None,
    classes: Sequence[str] | None = None,
    fit: Fit = "crop",
) -> Iterator[Block]:
    """Yield the images, decoded as they are asked for, dealt out class by class within each split.

    Parameters
    ----------
    images
        As :func:`entries` gives them.
    channels, size
        What the images become.
    test_fraction
        Share of each class for testing, where the split has to be made.
    classes
        Class folders in the order of the labels; None: by name.
    fit
        How an image becomes a square (:func:`freqmaps.datasets._decode.decode`).
    """
    folders = sorted({e.folder for e in images}) if classes is None else list(classes)
    labels = [folders.index(e.folder) for e in images]
    split = [e.split for e in images]
    if test_fraction is not None and "" in split:
        split = _order.made_split([e.sample for e in images], labels, test_fraction)
    order = _order.interleave(split, labels)
    rows = rows_per_block(channels * size * size)
    with ExitStack() as stack:
        readers = {
            id(s): stack.enter_context(s.opened(in_order=False))
            for s in {id(e.source): e.source for e in images}.values()
        }
        for start in range(0, len(order), rows):
            part = order[start : start + rows]
            data = [readers[id(images[i].source)](images[i].member) for i in part]
            yield Block(
                _decoded(data, [images[i].where for i in part], channels, size, fit),
                _int64([labels[i] for i in part]),
                [split[i] for i in part],
                [images[i].sample for i in part],
            )


def _decoded(data: list[bytes], where: list[str], channels: int, size: int, fit: Fit) -> NDArray[Any]:
    import numpy as np

    images = np.empty((len(data), channels, size, size), dtype=np.uint8)
    for i, (encoded, name) in enumerate(zip(data, where, strict=True)):
        images[i] = _decode.decode(encoded, name, channels=channels, size=size, fit=fit)
    return images


def _int64(values: list[int]) -> NDArray[Any]:
    import numpy as np

    return np.array(values, dtype=np.int64)
