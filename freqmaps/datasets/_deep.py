"""Grey image files of more than 8 bits to floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _files, _layout, _order
from freqmaps.datasets._api import Block, rows_per_block
from freqmaps.datasets._layout import Entry
from freqmaps.datasets._parts import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check(parts: Sequence[Part], classes: Sequence[str] | None, white: float) -> None:
    """Check the pixels of all images once; the answer is remembered while no file changes.

    Parameters
    ----------
    parts, classes
        As for :func:`freqmaps.datasets._layout.entries`.
    white
        The largest value that a pixel may have.

    Raises
    ------
    ConfigError
        As :func:`decode`.
    """
    signature = [[part.stamp() for part in parts], classes, white]
    _files.remembered("deep images", signature, lambda: _checked(_layout.entries(parts, classes), white))


def _checked(entries: Sequence[Entry], white: float) -> dict[str, Any]:
    patience = _files.Patience("checking the images", len(entries))
    for source in {id(e.source): e.source for e in entries}.values():
        order = {name: i for i, name in enumerate(source.listing().files)}
        with source.opened(in_order=True) as read:
            for entry in sorted((e for e in entries if e.source is source), key=lambda e: order[e.member]):
                _pixels(read(entry.member), entry.where, white)
                patience.step()
    return {"images": len(entries)}


def blocks(
    entries: Sequence[Entry], shape: tuple[int, int, int], *, white: float, test_fraction: float,
    classes: Sequence[str] | None,
) -> Iterator[Block]:  # fmt: skip
    """Yield the images of class folders in store order, float32 in [0, 1].

    Parameters
    ----------
    entries
        As :func:`freqmaps.datasets._layout.entries` gives them.
    shape
        What each image becomes: channels, height and width.
    white
        The value by which pixels are divided.
    test_fraction
        Share of each class for testing, where the split has to be made.
    classes
        Class folders in the order of the labels; None: by name.
    """
    import numpy as np

    folders = sorted({e.folder for e in entries}) if classes is None else list(classes)
    labels, split = [folders.index(e.folder) for e in entries], [e.split for e in entries]
    if "" in split:
        split = _order.made_split([e.sample for e in entries], labels, test_fraction)
    order, rows = _order.interleave(split, labels), rows_per_block(4 * int(np.prod(shape)))
    with ExitStack() as stack:
        sources = {id(e.source): e.source for e in entries}.values()
        readers = {id(s): stack.enter_context(s.opened(in_order=False)) for s in sources}
        for start in range(0, len(order), rows):
            part = [entries[i] for i in order[start : start + rows]]
            yield Block(
                np.stack([decode(readers[id(e.source)](e.member), e.where, shape, white) for e in part]),
                np.array([labels[i] for i in order[start : start + rows]], dtype=np.int64),
                [split[i] for i in order[start : start + rows]],
                [e.sample for e in part],
            )


def decode(data: bytes, where: str, shape: tuple[int, int, int], white: float) -> NDArray[Any]:
    """Return an image's pixels divided by white, scaled and cropped as :func:`freqmaps.datasets._decode.decode` does.

    Parameters
    ----------
    data, where
        The file's bytes, and its name for messages.
    shape
        Channels (1, or 3 that are equal), height and width, which are equal.
    white
        The value of white.

    Returns
    -------
    ndarray
        ``shape``, float32 in [0, 1].

    Raises
    ------
    ConfigError
        No such image, one of 8 bits or in colour, or one that holds NaN, or values outside [0, white].
    """
    import numpy as np
    from PIL import Image

    wide = _pixels(data, where, white)
    fitted = np.asarray(_decode._fit(Image.fromarray(np.float32(wide / white)), shape[1]))
    clipped: NDArray[np.float32] = np.clip(np.broadcast_to(fitted, shape), 0, 1).astype(np.float32)
    return clipped


def _pixels(data: bytes, where: str, white: float) -> NDArray[np.float64]:
    """Return (h, w) pixels as the file holds them, none beyond white."""
    import numpy as np

    image = _decode._open(data, where)
    if image.mode != "F" and not image.mode.startswith("I"):
        raise ConfigError(
            f"'{where}' holds 8 bits, or colours, which are read with 8 bits (mode {image.mode}); use kind "
            "'image_folder', or write the images as .npz with kind 'arrays' and 'white'"
        )
    _decode._load(image, where)
    wide = np.asarray(image).astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    if not 0 <= low <= high <= white:
        raise ConfigError(f"'{where}' spans [{low:g}, {high:g}], which does not lie in [0, {white:g}]; correct 'white'")
    return wide
