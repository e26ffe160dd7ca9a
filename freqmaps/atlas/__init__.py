"""The atlas: one page, without server or network, to browse images, spectra and maps.

Importing this package imports neither torch nor zarr: its functions are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqmaps.atlas._choose import Choice, choose, stratified
    from freqmaps.atlas._page import build_atlas, set_columns
    from freqmaps.atlas._predictions import Predictions, predictions_of
    from freqmaps.atlas._read import ImageSet, attacked_set, clean_set
    from freqmaps.atlas._templates import Templates

__all__ = [
    "Choice",
    "ImageSet",
    "Predictions",
    "Templates",
    "attacked_set",
    "build_atlas",
    "choose",
    "clean_set",
    "predictions_of",
    "set_columns",
    "stratified",
]
_MODULES = {"Predictions": "_predictions", "predictions_of": "_predictions", "Templates": "_templates"}
_MODULES |= dict.fromkeys(("Choice", "choose", "stratified"), "_choose")
_MODULES |= dict.fromkeys(("build_atlas", "set_columns"), "_page")
_MODULES |= dict.fromkeys(("ImageSet", "attacked_set", "clean_set"), "_read")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
