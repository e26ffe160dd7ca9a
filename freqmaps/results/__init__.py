"""The results under a results root: finding, listing, reading and checking them.

Importing this package imports neither xarray nor pandas: the reader is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freqmaps.results.scan import KeyedFolder, scan

if TYPE_CHECKING:
    from freqmaps.results.reader import Inputs, Result, Results

DECIDES_NUMBERS = False

__all__ = ["Inputs", "KeyedFolder", "Result", "Results", "scan"]


def __getattr__(name: str) -> Any:
    if name not in ("Inputs", "Result", "Results"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from freqmaps.results import reader

    return getattr(reader, name)
