"""Variables of a store as plain arrays: for short jobs, whose time would go into importing xarray."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import ZipStore

from freqmaps.core.errors import StoreError
from freqmaps.stores.contract import Contract, Variable

DECIDES_NUMBERS = False


def read_arrays(path: Path, contract: Contract, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read variables of a store, in dims order, checking kind, dims, dtype and every chunk's checksum.

    Parameters
    ----------
    path
        The store's file.
    contract
        What it must keep.
    names
        Variables that the contract has.

    Raises
    ------
    StoreError
        As for :func:`freqmaps.stores.read`.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such store; delete its folder and run the target that makes it again")
    try:
        group = zarr.open_group(ZipStore(path, mode="r"), mode="r", use_consolidated=False)
        if group.attrs.get("kind") != contract.kind:
            raise StoreError(f"{path}: expected a {contract.kind} store, found {group.attrs.get('kind')!r}")
        expected = contract.expected(group.attrs.asdict(), str(path))
        return {name: _array(group, name, expected[name], path) for name in names}
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, RuntimeError) as error:
        raise StoreError(
            f"{path}: corrupt or not whole ({error}); delete its folder and run the target that makes it again"
        ) from error


def _array(group: zarr.Group, name: str, variable: Variable, path: Path) -> NDArray[Any]:
    source = group[name]
    if not isinstance(source, zarr.Array):
        raise StoreError(f"{path}: '{name}' is no array")
    dims: Any = getattr(source.metadata, "dimension_names", None)
    if dims is None or tuple(dims) != variable.dims:
        raise StoreError(f"{path}: '{name}' has dims {dims}, expected {variable.dims}")
    values = np.asarray(source[...])
    dtype = "str" if values.dtype.kind in "OUT" else values.dtype.name
    if dtype not in variable.dtypes:
        raise StoreError(f"{path}: '{name}' has dtype {dtype}, expected {' or '.join(variable.dtypes)}")
    return values
