"""Arrays as text in a page: predicted from their neighbours, bytes sorted, deflated, base64."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Names that the page's script knows, by NumPy dtype.
_TYPES = {"uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "float32": "f4", "float64": "f8"}


@dataclass(frozen=True)
class Part:
    """An array in the page.

    Attributes
    ----------
    name, type, shape, predicted
        What the script needs to read it back: ``type`` is the NumPy dtype without byte order, which is little-endian.
    text
        Base64 of the deflated (zlib) bytes.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    predicted: bool
    text: str

    def describe(self) -> dict[str, Any]:
        """Return what the script needs, without the text."""
        return {"name": self.name, "type": self.type, "shape": list(self.shape), "predicted": self.predicted}


def pack(name: str, array: NDArray[Any], *, predicted: bool = False) -> Part:
    """Pack an array.

    Parameters
    ----------
    name
        Its name in the page.
    array
        Bool (sent as uint8), uint8, int16, uint16, int32, float32 or float64.
    predicted
        For uint8 pictures (n, c, h, w): see :func:`predict`.
    """
    array = np.ascontiguousarray(array.astype(np.uint8) if array.dtype == bool else array)
    kind = _TYPES[array.dtype.name]
    content = predict(array) if predicted else array
    # The bytes of one significance stand together: high ones vary little from entry to entry.
    little = np.ascontiguousarray(content, dtype=content.dtype.newbyteorder("<"))
    size = content.dtype.itemsize
    sorted_bytes = little.view(np.uint8).reshape(-1, size).T.tobytes() if little.size else b""
    text = base64.b64encode(_deflated(sorted_bytes)).decode("ascii")
    return Part(name, kind, array.shape, predicted, text)


def _deflated(content: bytes) -> bytes:
    """Compress differences: as small as level 9 with its usual strategy, in a twentieth of the time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    return packer.compress(content) + packer.flush()


def predict(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return differences (modulo 256) that deflate to fewer bytes than the pictures; the page undoes it exactly.

    Red and blue are replaced by their difference from green (three channels), then every pixel by its difference
    from its left neighbour, in the first column from the one above.

    Parameters
    ----------
    pictures
        (n, c, h, w) uint8.
    """
    values = pictures.copy()
    if values.shape[1] == 3:
        values[:, 0] -= pictures[:, 1]
        values[:, 2] -= pictures[:, 1]
    differences = values.copy()
    differences[..., 1:] -= values[..., :-1]
    differences[..., 1:, 0] -= values[..., :-1, 0]
    return differences
