"""Stores: the only code that knows zarr. Contracts are checked on write and on open.

Importing this package imports neither zarr nor xarray: its functions are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqmaps.stores.arrays import read_arrays
    from freqmaps.stores.contract import Contract, Variable
    from freqmaps.stores.contracts import ADVERSARIAL, ARRAYS, DATASET, GROUP_MAPS, MAPS, MATRICES
    from freqmaps.stores.zarrfile import open_store, read, read_blocks, write, write_blocks

DECIDES_NUMBERS = False

__all__ = [
    "ADVERSARIAL",
    "ARRAYS",
    "DATASET",
    "GROUP_MAPS",
    "MAPS",
    "MATRICES",
    "Contract",
    "Variable",
    "open_store",
    "read",
    "read_arrays",
    "read_blocks",
    "write",
    "write_blocks",
]
_MODULES = {"read_arrays": "arrays", "Contract": "contract", "Variable": "contract"}
_MODULES |= dict.fromkeys(("ADVERSARIAL", "ARRAYS", "DATASET", "GROUP_MAPS", "MAPS", "MATRICES"), "contracts")
_MODULES |= dict.fromkeys(("open_store", "read", "read_blocks", "write", "write_blocks"), "zarrfile")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
