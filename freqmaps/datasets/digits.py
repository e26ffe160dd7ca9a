"""scikit-learn's handwritten digits: 1797 grey images of 8x8 pixels, which ship with that library."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from freqmaps.core.errors import ConfigError
from freqmaps.datasets._api import Block, Description, in_blocks

TINY = {"test_fraction": 0.5}
RANGES = {"test_fraction": "(0, 1)"}

_SIDE = 8
_GREYS = 16  # the largest value of a pixel


def describe(*, test_fraction: float = 0.5) -> Description:
    """Describe the digits.

    Parameters
    ----------
    test_fraction
        Share of the images, the last ones in their original order, for testing. ASSUME: the order is that of the
        source, in which the last ones were written by other people than the first.

    Raises
    ------
    ConfigError
        scikit-learn is not installed.
    """
    text = _text()
    n = len(text.splitlines())
    test = _test_count(n, test_fraction)
    return Description(
        identity={"name": "digits", "images": n, "sha256": hashlib.sha256(text).hexdigest()},
        splits={"train": n - test, "test": test},
        classes=tuple(str(digit) for digit in range(10)),
        channels=1,
        size=_SIDE,
        source="UCI Optical Recognition of Handwritten Digits, as in scikit-learn",
        licence="CC BY 4.0",
    )


def read(*, test_fraction: float = 0.5) -> Iterator[Block]:
    """Yield the images as float32 in [0, 1] (their 0..16 divided by 16); parameters as :func:`describe`."""
    import numpy as np

    table = np.loadtxt(_text().splitlines(), delimiter=",", dtype=np.float32)
    images = table[:, :-1].reshape(-1, 1, _SIDE, _SIDE) / np.float32(_GREYS)
    n = len(table)
    train = n - _test_count(n, test_fraction)
    split = ["train"] * train + ["test"] * (n - train)
    yield from in_blocks(images, table[:, -1].astype(int).tolist(), split, [f"{i:04d}" for i in range(n)], range(n))


def _test_count(n: int, fraction: float) -> int:
    return min(max(1, round(n * fraction)), n - 1)


def _text() -> bytes:
    """Return the table of pixels and labels; the library's folder is found without importing it."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ConfigError("scikit-learn, whose data file holds the digits, is not installed; install it")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise ConfigError(f"'{path}' cannot be read ({error}); install scikit-learn again") from error
