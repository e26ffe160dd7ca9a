"""Image files to arrays: the header for a check, the pixels at the size and with the channels that are asked for."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Literal

from freqmaps.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

#: How an image becomes a square: see :func:`decode`.
Fit = Literal["crop", "stretch"]

EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".avif",
    ".png",
    ".bmp",
    ".webp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
)
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "AVIF")

#: How a whole file ends; looked for in its last bytes, since cameras append things.
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_TAIL = 64


def is_image(name: str) -> bool:
    """Tell by the name whether a file is an image that can be read."""
    return name.lower().endswith(EXTENSIONS)


def check(data: bytes, where: str) -> tuple[int, int]:
    """Check cheaply that an image is whole, and return its width and height in pixels.

    The header must be readable; a JPEG or PNG must end as such. Only an image that does not is decoded.

    Raises
    ------
    ConfigError
        It is not an image, not a whole one, or of more pixels than Pillow takes for honest (89 million).
    """
    image = _open(data, where)
    end = _ENDS.get(image.format or "")
    if end is None or end not in data[-_TAIL:]:
        _load(image, where)
    return image.size


def decode(data: bytes, where: str, *, channels: int, size: int, fit: Fit = "crop") -> NDArray[Any]:
    """Return an image's pixels.

    Parameters
    ----------
    data
        The file's bytes.
    where
        Its name, for messages.
    channels
        3 (RGB) or 1 (luma, ITU-R 601-2). Alpha is dropped.
    size
        Side in pixels. Another image is scaled so that its shorter side fits (bilinear with a filter that widens
        when it shrinks, as torchvision does with antialias) and cropped about its centre.
    fit
        ``stretch`` scales the whole image instead, without keeping its aspect.

    Returns
    -------
    ndarray
        (channels, size, size) uint8.

    Raises
    ------
    ConfigError
        It is not an image, or not a whole one.
    """
    import numpy as np

    image = _open(data, where)
    _load(image, where)
    image = _fit(_convert(image, where, "RGB" if channels == 3 else "L"), size, fit)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _open(data: bytes, where: str) -> Image.Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ConfigError(
            f"'{where}' has more than {Image.MAX_IMAGE_PIXELS} pixels, which is refused; scale it down or remove it"
        ) from error
    except Exception as error:  # a damaged header can make the parsers raise anything
        reason = "empty file" if not data else "no header of a known image format"
        raise ConfigError(f"'{where}' cannot be read as an image ({reason}); replace or remove it") from error


def _load(image: Image.Image, where: str) -> None:
    try:
        image.load()
    except Exception as error:  # as above
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"'{where}' cannot be read as an image ({reason}); replace or remove it") from error


def _convert(image: Image.Image, where: str, mode: str) -> Image.Image:
    """Convert to RGB or L. ASSUME: the colours under transparent pixels count; EXIF rotation does not."""
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise ConfigError(f"'{where}' holds floating-point pixels; save it with 8 bits, or use kind 'arrays'")
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion would clip at 255
        wide = np.asarray(image).astype(np.float64)
        if wide.size and not 0 <= wide.min() <= wide.max() <= 65535:
            raise ConfigError(f"'{where}' has pixels outside 0..65535; save it with 8 bits, or use kind 'arrays'")
        image = Image.fromarray(np.round(wide / 257).astype(np.uint8))
    if image.mode == "P":
        image = image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)


def _fit(image: Image.Image, size: int, fit: Fit = "crop") -> Image.Image:
    from PIL import Image

    width, height = image.size
    if (width, height) == (size, size):
        return image
    if fit == "stretch":
        return image.resize((size, size), Image.Resampling.BILINEAR)
    short = min(width, height)
    # One call scales and crops: `box` is the centred square of the original, in its own pixels.
    left, top = (width - short) / 2, (height - short) / 2
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + short, top + short))
