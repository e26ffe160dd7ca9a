"""MedMNIST: one of its ``.npz`` files, with ``train_images``, ``train_labels``, and those of ``val`` and ``test``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _files, _order
from freqmaps.datasets._api import Block, Description, in_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKEYED = ("path",)

_PARTS = ("train", "val", "test")


def describe(*, path: str, classes: list[str] | None = None, validation: bool = False) -> Description:
    """Describe the images after checking, once, the arrays.

    Parameters
    ----------
    path
        The file, such as ``pathmnist.npz`` or ``bloodmnist_64.npz``.
    classes
        Names of the classes in the order of the labels; None: their numbers, since the file has no names.
    validation
        Whether the validation images are among the training images; they are left out otherwise.

    Raises
    ------
    ConfigError
        Not such a file; volumes, or several labels per image; or a class that one split lacks.
    """
    known = _known(path, validation)
    if classes is not None and len(classes) != known["classes"]:
        raise ConfigError(f"classes: {len(classes)} names for the {known['classes']} classes of '{path}'; name each")
    names = tuple(classes) if classes is not None else tuple(str(i) for i in range(known["classes"]))
    return Description(
        {"images": sum(known["splits"].values()), "digest": known["digest"]}, known["splits"], names,
        known["channels"], known["size"], "MedMNIST, https://medmnist.com", "see https://medmnist.com",
    )  # fmt: skip


def read(*, path: str, classes: list[str] | None = None, validation: bool = False) -> Iterator[Block]:
    """Yield the images (uint8), dealt out class by class; parameters and errors as :func:`describe`."""
    for split, parts in _parts(validation).items():
        loaded = [(part, *_load(path, part)) for part in parts]
        for part, images, labels in loaded:
            samples = [f"{part}/{i:06d}" for i in range(len(labels))]
            order = _order.interleave([split] * len(labels), labels)
            yield from in_blocks(images, labels, [split] * len(labels), samples, order)


def _parts(validation: bool) -> dict[str, tuple[str, ...]]:
    return {"train": ("train", "val") if validation else ("train",), "test": ("test",)}


def _known(path: str, validation: bool) -> dict[str, Any]:
    signature = [_files.stamp(_files.expanded(path)), validation]
    return _files.remembered("medmnist", signature, lambda: _check(path, validation))


def _check(path: str, validation: bool) -> dict[str, Any]:
    digest = hashlib.sha256()
    counts: dict[str, dict[str, int]] = {}
    shapes = set()
    for split, parts in _parts(validation).items():
        for part in parts:
            images, labels = _load(path, part)
            shapes.add(images.shape[1:])
            of_split = counts.setdefault(split, {})
            for label in labels:
                of_split[str(label)] = of_split.get(str(label), 0) + 1
            digest.update(f"{part} {images.shape} {labels}".encode() + images.tobytes())
    if len(shapes) > 1:
        raise ConfigError(f"'{path}': images of the splits have different sizes; fetch it again")
    _order.check_classes(counts, f"correct the labels in '{path}'")
    channels, size, _ = shapes.pop()
    classes = max(int(label) for label in counts["train"]) + 1
    splits = {split: sum(of_split.values()) for split, of_split in counts.items()}
    return {"splits": splits, "classes": classes, "channels": channels, "size": size, "digest": digest.hexdigest()}


def _load(path: str, part: str) -> tuple[NDArray[Any], list[int]]:
    """Return the images (n, channel, y, x) uint8 of one part and their labels."""
    import numpy as np

    try:
        with _files.expanded(path).open("rb") as handle, np.load(handle, allow_pickle=False) as content:
            images, labels = (np.asarray(content[f"{part}_{what}"]) for what in ("images", "labels"))
    except KeyError as error:
        raise ConfigError(
            f"'{path}' has no '{part}_images' with '{part}_labels', as the files of MedMNIST have; use kind 'arrays' "
            "for other files"
        ) from error
    except Exception as error:  # a damaged file can make the reader raise anything
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"'{path}' is not a whole .npz file ({reason}); fetch it again") from error
    if images.ndim == 3:
        images = images[..., None]
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[3] not in (1, 3)
        or images.shape[1] != images.shape[2]
    ):
        raise ConfigError(
            f"'{path}': '{part}_images' is {images.dtype} {images.shape}; images (n, side, side) or (n, side, side, 3) "
            "of bytes are read, no volumes"
        )
    if labels.dtype.kind not in "iu" or labels.size != len(images):
        raise ConfigError(
            f"'{path}': '{part}_labels' is {labels.dtype} {labels.shape}, not one class for each of {len(images)} "
            "images; sets with several labels per image are not read"
        )
    return images.transpose(0, 3, 1, 2), [int(label) for label in labels.ravel()]
