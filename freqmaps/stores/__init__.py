"""Stores: the only code that knows zarr. Contracts are checked on write and on open."""

from freqmaps.stores.contract import Contract, Variable
from freqmaps.stores.contracts import ADVERSARIAL, DATASET, MAPS, MATRICES
from freqmaps.stores.zarrfile import open_store, read, write, write_blocks

__all__ = [
    "ADVERSARIAL",
    "DATASET",
    "MAPS",
    "MATRICES",
    "Contract",
    "Variable",
    "open_store",
    "read",
    "write",
    "write_blocks",
]
