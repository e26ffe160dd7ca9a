"""Grey image files of more than 8 bits to floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, _order
from freqmaps.datasets._api import Block, rows_per_block
from freqmaps.datasets._layout import Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def blocks(
    found: Sequence[Entry], shape: tuple[int, int, int], *, white: float, test_fraction: float,
    classes: Sequence[str] | None,
) -> Iterator[Block]:  # fmt: skip
    """Yield the images of class folders in store order, float32 in [0, 1].

    Parameters
    ----------
    found
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

    folders = sorted({e.folder for e in found}) if classes is None else list(classes)
    labels, split = [folders.index(e.folder) for e in found], [e.split for e in found]
    if "" in split:
        split = _order.made_split([e.sample for e in found], labels, test_fraction)
    order, rows = _order.interleave(split, labels), rows_per_block(4 * int(np.prod(shape)))
    with ExitStack() as stack:
        sources = {id(e.source): e.source for e in found}.values()
        readers = {id(s): stack.enter_context(s.opened(in_order=False)) for s in sources}
        for start in range(0, len(order), rows):
            part = [found[i] for i in order[start : start + rows]]
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

    wide = _pixels(data, where)
    low, high = float(wide.min()), float(wide.max())
    if not 0 <= low <= high <= white:
        raise ConfigError(f"'{where}' spans [{low:g}, {high:g}], which does not lie in [0, {white:g}]; correct 'white'")
    fitted = np.asarray(_decode._fit(Image.fromarray(np.float32(wide / white)), shape[1]))
    clipped: NDArray[np.float32] = np.clip(np.broadcast_to(fitted, shape), 0, 1).astype(np.float32)
    return clipped


def _pixels(data: bytes, where: str) -> NDArray[np.float64]:
    """Return (h, w) pixels as the file holds them."""
    import numpy as np

    image = _decode._open(data, where)
    if image.mode != "F" and not image.mode.startswith("I"):
        raise ConfigError(
            f"'{where}' holds 8 bits, or colours, which are read with 8 bits (mode {image.mode}); use kind "
            "'image_folder', or write the images as .npz with kind 'arrays' and 'white'"
        )
    _decode._load(image, where)
    return np.asarray(image).astype(np.float64)
