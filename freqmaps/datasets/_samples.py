"""Labelled images that a container gives one by one: checked once, split, and decoded in the store's order.

The container (parquet files, tar shards, a dataset of torchvision) says how many there are, what is known of each,
and how to get one: as the bytes of an image file or as an opened image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _order
from freqmaps.datasets._api import Block, Description, rows_per_block

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

#: Modes of Pillow in which an image has one channel.
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")


@dataclass(frozen=True)
class Samples:
    """Images that are still to be read.

    Attributes
    ----------
    path
        Where they lie, for messages.
    split
        ``train`` or ``test``, one per image; all empty where the split has to be made.
    label
        Positions in ``classes``, one per image.
    sample
        Stable ids, one per image.
    classes
        Class names in label order.
    get
        From an image's position to the bytes of its file, or to an opened image.
    """

    path: str
    split: Sequence[str]
    label: Sequence[int]
    sample: Sequence[str]
    classes: Sequence[str]
    get: Callable[[int], bytes | Image.Image]

    def where(self, position: int) -> str:
        """Return what messages call an image."""
        return f"{self.path}: {self.sample[position]}"


def scan(samples: Samples) -> dict[str, Any]:
    """Read all images once, check them, and return what a description needs; JSON.

    Raises
    ------
    ConfigError
        No images, a label out of range, a class that one split lacks, or an image that cannot be read.
    """
    counts = _counts(samples)
    patience = _files.Patience("checking the images", len(samples.label))
    digest = hashlib.sha256()
    sides: list[tuple[int, int]] = []
    odd = None
    for i, label in enumerate(samples.label):
        content, side = _content(samples.get(i), samples.where(i))
        identity = f"{samples.sample[i]}\0{samples.split[i]}\0{samples.classes[label]}\0"
        digest.update(identity.encode("utf-8", "surrogatepass") + hashlib.sha256(content).digest())
        sides = sides or [side]
        if odd is None and side != sides[0]:
            odd = [samples.where(i), *side]
        patience.step()
    first = samples.get(0)
    grey = (_decode._open(first, samples.where(0)) if isinstance(first, bytes) else first).mode in _GREY
    return {
        "digest": digest.hexdigest(), "counts": counts, "classes": list(samples.classes), "channels": 1 if grey else 3,
        "first": samples.where(0), "side": list(sides[0]), "odd": odd,
    }  # fmt: skip


def _counts(samples: Samples) -> dict[str, dict[str, int]]:
    """Count images by split and class, checking both."""
    if not len(samples.label):
        raise ConfigError(f"'{samples.path}' holds no images; correct the path")
    if len(set(samples.classes)) != len(samples.classes):
        raise ConfigError(f"'{samples.path}': two classes have one name; give each its own")
    counts: dict[str, dict[str, int]] = {}
    for i, (split, label) in enumerate(zip(samples.split, samples.label, strict=True)):
        if not 0 <= label < len(samples.classes):
            raise ConfigError(
                f"'{samples.where(i)}' has label {label}, but there are {len(samples.classes)} classes, 0 to "
                f"{len(samples.classes) - 1}; take a split whose images are labelled"
            )
        of_split = counts.setdefault(split, {})
        of_split[samples.classes[label]] = of_split.get(samples.classes[label], 0) + 1
    if "" not in counts:
        _order.check_classes(counts, f"correct the splits of '{samples.path}'")
    elif len(counts[""]) < 2:
        raise ConfigError(f"'{samples.path}': all images are of one class; a classifier needs at least two")
    return counts


def _content(image: bytes | Image.Image, where: str) -> tuple[bytes, tuple[int, int]]:
    """Return what tells an image from others (its file, or its pixels in their own mode), and its width and height."""
    if isinstance(image, bytes):
        return image, _decode.check(image, where)
    plain = _decode._convert(image, where, "L" if image.mode in _GREY else "RGB")
    return plain.tobytes(), plain.size


def describe(
    known: dict[str, Any], *, size: int | None, channels: int | None, test_fraction: float | None, source: str
) -> Description:
    """Return the description of images that :func:`scan` has looked at.

    Parameters
    ----------
    known
        As :func:`scan` returned it.
    size
        Side in pixels to scale and crop to; None: that of the images, which must be square and of one size.
    channels
        3 for RGB, 1 for grey; None: as the first image has.
    test_fraction
        Share of each class for testing, where the split has to be made.
    source
        Where the data come from.

    Raises
    ------
    ConfigError
        The images differ in size and no ``size`` is given, or the split has to be made and no ``test_fraction`` is.
    """
    counts = known["counts"]
    if "" in counts:
        few = next((name for name, n in counts[""].items() if n < 2), None)
        if few is not None:
            raise ConfigError(f"class '{few}' has one image, too few for train and test; add some")
        if test_fraction is None:
            raise ConfigError("there is no split into train and test; set test_fraction, such as 0.2, to make one")
        n = sum(counts[""].values())
        test = sum(_order.test_count(of_class, test_fraction) for of_class in counts[""].values())
        splits = {"train": n - test, "test": test}
    else:
        if test_fraction is not None:
            raise ConfigError("the data have a split into train and test of their own; remove test_fraction")
        splits = {split: sum(counts[split].values()) for split in ("train", "test")}
    return Description(
        {"images": sum(splits.values()), "digest": known["digest"]}, splits, tuple(known["classes"]),
        channels or known["channels"], size or _common_side(known), source, "as given by their owner",
    )  # fmt: skip


def _common_side(known: dict[str, Any]) -> int:
    width, height = known["side"]
    if width != height:
        raise ConfigError(f"'{known['first']}' is {width}x{height} pixels, not square; set 'size' to scale and crop")
    if known["odd"]:
        name, wide, high = known["odd"]
        raise ConfigError(
            f"'{name}' is {wide}x{high} pixels, others are {width}x{height}; set 'size' to scale and crop all of them"
        )
    return int(width)


def blocks(samples: Samples, *, channels: int, size: int, test_fraction: float | None) -> Iterator[Block]:
    """Yield the images (uint8), dealt out class by class within each split.

    Parameters
    ----------
    samples
        The images.
    channels, size
        What they become.
    test_fraction
        As for :func:`describe`.
    """
    import numpy as np

    split = list(samples.split)
    if "" in split:
        split = _order.made_split(samples.sample, samples.label, test_fraction or 0.0)
    order = _order.interleave(split, samples.label)
    rows = rows_per_block(channels * size * size)
    for start in range(0, len(order), rows):
        part = order[start : start + rows]
        yield Block(
            np.stack([pixels(samples.get(i), samples.where(i), channels=channels, size=size) for i in part]),
            np.array([samples.label[i] for i in part], dtype=np.int64),
            [split[i] for i in part],
            [samples.sample[i] for i in part],
        )


def pixels(image: bytes | Image.Image, where: str, *, channels: int, size: int) -> NDArray[Any]:
    """Return the pixels (channels, size, size) uint8 of the bytes of an image file, or of an opened image."""
    import numpy as np

    if isinstance(image, bytes):
        return _decode.decode(image, where, channels=channels, size=size)
    fitted = _decode._fit(_decode._convert(image, where, "RGB" if channels == 3 else "L"), size)
    array = np.asarray(fitted, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))
