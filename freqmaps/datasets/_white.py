"""Images of other integers than bytes, and floats beyond 1: scaled by the value that stands for white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freqmaps.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Images of a block are looked at together.
_ROWS = 4096


class Scaled:
    """Images divided by the value of white, as they are taken; stands in for an array (n, c, h, w).

    Integers whose white is 255 become bytes, which changes nothing; all others become float32 in [0, 1].

    Parameters
    ----------
    images
        (n, c, h, w) integers, booleans or floats.
    white
        Their value of white.
    where
        What messages call them.
    """

    def __init__(self, images: NDArray[Any], white: float, where: str) -> None:
        import numpy as np

        self.images, self.white, self.where = images, white, where
        self.bytes = images.dtype.kind in "iu" and white == 255
        self.shape, self.dtype = images.shape, np.dtype(np.uint8 if self.bytes else np.float32)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        import numpy as np

        part = self.images[rows]
        if part.size and not 0 <= part.min() <= part.max() <= self.white:
            raise ConfigError(
                f"{self.where} spans [{part.min():g}, {part.max():g}], which does not lie in [0, {self.white:g}]; "
                "set 'white' to the value of white"
            )
        scaled: NDArray[Any] = part if self.bytes else part / np.float64(self.white)
        return scaled.astype(self.dtype)


def white_of(images: NDArray[Any], path: str) -> float | None:
    """Return the value of white of integers that need one and hold it; None for bytes and floats.

    Booleans have white 1. Integers between 0 and 255 that reach beyond 1 are bytes in a wider type.

    Raises
    ------
    ConfigError
        Integers whose white cannot be told: 12 and 16 bits look alike.
    """
    if images.dtype == "uint8" or images.dtype.kind == "f":
        return None
    if images.dtype.kind == "b":
        return 1.0
    parts = [images[start : start + _ROWS] for start in range(0, len(images), _ROWS)]
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    if low >= 0 and 1 < high <= 255:
        return 255.0
    raise ConfigError(
        f"'{path}': 'images' is {images.dtype} and spans [{low}, {high}]; set 'white' to the value of white (1, 255, "
        "4095 for 12 bits, 65535 for 16 bits), or save it as uint8 in 0..255 or as floats in [0, 1]"
    )
