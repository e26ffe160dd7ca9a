"""Data sets that come out dark: files whose white is far below the largest value that they could hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _layout, _splits
from freqmaps.datasets._parts import Part

if TYPE_CHECKING:
    from pathlib import Path

DECIDES_NUMBERS = False

#: The brightest value of so many images, evenly chosen, tells; below such a share of white a data set is dark.
_LOOKED_AT = 64
_DARK = 0.26  # 14 bits in 16 are a quarter
_PNG = b"\x89PNG\r\n\x1a\n"
#: Where the header of a PNG says how many bits a channel has; Pillow reads colours of 16 bits as 8.
_DEPTH = 24


def of_folders(
    *, root: str | None = None, train: str | None = None, test: str | None = None, classes: list[str] | None = None,
    **_: object,
) -> str | None:  # fmt: skip
    """Return a sentence about class folders with images that are all dark, or that are not read; None without doubt.

    A few images are decoded once; the answer is remembered while no file changes.
    """
    parts = _splits.of_config(root, train, test, classes)
    signature: list[Any] = [part.stamp() for part in parts]
    known = _files.remembered("brightest", [signature, classes], lambda: _look(parts, classes))
    beside = _splits.unread(root=root, train=train, test=test, classes=classes)
    if known["value"] > _DARK * known["white"]:
        return beside
    share = f"{known['value']:g} of {known['white']}, in '{known['where']}'"
    if known["white"] == 255:
        remedy = f"if they hold 0 to {max(1, known['value']):g}, write them as .npz with kind 'arrays' and 'white'"
    else:
        kind = "'deep_image_folder'" if known["grey"] else "'arrays' (written as .npz)"
        remedy = f"if they hold fewer bits than their files, name kind {kind} and 'white', 4095 for 12 bits"
    return (
        f"the brightest value of {known['images']} images looked at is {share}, so that all of them are dark; {remedy}"
        + (f"; {beside}" if beside else "")
    )


def _look(parts: Sequence[Part], classes: Sequence[str] | None) -> dict[str, Any]:
    """Return the brightest value of some images, and where it lies; white is that of their files."""
    entries = _layout.entries(parts, classes)
    chosen = entries[:: max(1, len(entries) // _LOOKED_AT)][:_LOOKED_AT]
    best: dict[str, Any] = {"value": 0.0, "white": 255, "grey": False, "where": chosen[0].where}
    for source in {id(e.source): e.source for e in chosen}.values():
        order = {name: i for i, name in enumerate(source.listing().files)}
        with source.opened(in_order=True) as read:
            for entry in sorted((e for e in chosen if e.source is source), key=lambda e: order[e.member]):
                value, white, grey = _brightest(read(entry.member), entry.where)
                if value / white >= best["value"] / best["white"]:
                    best = {"value": value, "white": white, "grey": grey, "where": entry.where}
    return best | {"images": len(chosen)}


def _brightest(data: bytes, where: str) -> tuple[float, int, bool]:
    """Return an image's largest value, the file's white, and whether it is grey; of 16 bits in colour about."""
    import numpy as np

    image = _decode._open(data, where)
    _decode._load(image, where)
    if image.mode == "F":
        raise ConfigError(
            f"'{where}' holds floating-point pixels, of which bytes cannot be made; name kind 'deep_image_folder' and "
            "'white', 1 for floats in [0, 1]"
        )
    if image.mode == "CMYK":
        return 255.0, 255, False  # ink is no light
    if image.mode.startswith("I"):
        return float(np.asarray(image).max()), 65535, True
    brightest = float(np.asarray(image.convert("RGB")).max())
    if data.startswith(_PNG) and data[_DEPTH : _DEPTH + 1] == b"\x10":
        return brightest * 257, 65535, False
    return brightest, 255, False


def of_store(folder: Path) -> str | None:
    """Return a sentence about a finished data set whose first images are all dark; None if they are not."""
    from freqmaps.stores import DATASET, read_blocks

    images = next(read_blocks(folder / "store.zarr.zip", DATASET, 1 << 26))["image"].values
    if not images.size:
        return None
    brightest = float(images.max()) / (255 if images.dtype == "uint8" else 1)
    if brightest > _DARK:
        return None
    return (
        f"the brightest value of {len(images)} images is {100 * brightest:.1f} % of white; if the files hold fewer "
        "bits than they could, say so with 'white' (docs/bring-your-own.md)"
    )
