"""A store is one zip file that holds a zarr v3 hierarchy: it appears whole, by rename, or not at all.

A lab's file system counts files, a reader seeks: in a zip, every chunk is a member that is read on its own,
and ten thousand maps are one file. Chunks are compressed with zstd after a byte shuffle, and carry a CRC-32C.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec, ZstdCodec
from zarr.storage import LocalStore, ZipStore

from freqmaps.core import files
from freqmaps.core.errors import StoreError
from freqmaps.stores.contract import Contract

DECIDES_NUMBERS = False

#: Aim for chunks of about this many bytes before compression.
CHUNK_BYTES = 1 << 20
#: Read about this many bytes at a time where a store may be larger than the memory.
BLOCK_BYTES = 1 << 28
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(path: Path, dataset: xr.Dataset, contract: Contract) -> None:
    """Validate a dataset against its contract and write it as one file, whole or not at all.

    Parameters
    ----------
    path
        Where the store shall lie; its folder exists. An existing file is replaced in one step.
    dataset
        The content; ``attrs["kind"]`` is set from the contract.
    contract
        What it must satisfy.

    Raises
    ------
    StoreError
        The content breaks the contract, or the disk is full.
    """
    write_blocks(path, [dataset], contract)


def write_blocks(
    path: Path,
    blocks: Iterable[xr.Dataset],
    contract: Contract,
    attributes: Callable[[], Mapping[str, Any]] | None = None,
) -> None:
    """Write a store from blocks along ``sample``, each a dataset of the same variables; see :func:`write`.

    The blocks may have any lengths: they are gathered to whole chunks, so that memory stays bounded.
    ``attributes`` is called when the last block has been written: for what is known only then (mean, counts).
    """
    path = Path(path)
    try:
        with files.beside(path) as scratch:
            scratch.mkdir()  # zarr would also make the folders above, in place of a results root that is gone
            folder = scratch / "zarr"
            for block in _whole_chunks(blocks):
                _append(folder, block, contract)
            if attributes:
                zarr.open_group(folder, mode="r+").attrs.update(dict(attributes()))
            with _opened(LocalStore(folder, read_only=True), str(path)) as content:
                contract.validate(content, str(path))
            with files.whole(path) as target:
                _zip(folder, target)
    except OSError as error:
        raise StoreError(f"{path}: could not be written ({error.strerror or error}); nothing was kept") from error


def open_store(path: Path, contract: Contract, *, values: bool = False) -> xr.Dataset:
    """Open a store lazily and validate it.

    Parameters
    ----------
    path
        The store's file.
    contract
        The contract it must keep.
    values
        Also read and check every value.

    Returns
    -------
    xarray.Dataset
        Arrays are read on access. Use it as a context manager, or ``.close()`` it.

    Raises
    ------
    StoreError
        Missing, truncated or corrupt file, or a breach of the contract.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path}: no such store; delete its folder and run the target that makes it again")
    try:
        store = ZipStore(path, mode="r")
        dataset: xr.Dataset = xr.open_zarr(store, consolidated=False, chunks=None)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path}: not a whole store ({error}); delete its folder and run the target that makes it again"
        ) from error
    try:
        contract.validate(dataset, str(path), values=values)
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError) as error:
        dataset.close()
        raise StoreError(f"{path}: corrupt ({error}); delete its folder and run the target that makes it") from error
    except StoreError:
        dataset.close()
        raise
    return dataset


def read(path: Path, contract: Contract, samples: Sequence[int] | slice | None = None) -> xr.Dataset:
    """Read a store (or some rows of it, by position) into memory, checking every chunk's checksum.

    Raises
    ------
    StoreError
        As :func:`open_store`, and for a chunk whose checksum does not match.
    """
    with open_store(path, contract) as lazy:
        part = lazy if samples is None else lazy.isel(sample=samples)
        try:
            return part.load()
        except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, KeyError) as error:
            raise StoreError(
                f"{path}: corrupt chunk ({error}); delete its folder and run the target that makes it again"
            ) from error


def read_blocks(path: Path, contract: Contract, size: int | None = None) -> Iterator[xr.Dataset]:
    """Read a store in parts along ``sample``, each of about ``size`` bytes (256 MiB) but of at least one row.

    Yields
    ------
    xarray.Dataset
        In memory, in the store's order; of an empty store one part without rows.

    Raises
    ------
    StoreError
        As :func:`read`.
    """
    with open_store(path, contract) as lazy:
        n, total = lazy.sizes["sample"], lazy.nbytes
    rows = max(1, (size or BLOCK_BYTES) * n // max(1, total))
    for start in range(0, max(1, n), rows):
        yield read(path, contract, slice(start, start + rows))


@contextmanager
def _opened(store: Any, where: str) -> Iterator[xr.Dataset]:
    dataset = xr.open_zarr(store, consolidated=False, chunks=None)
    try:
        yield dataset
    finally:
        dataset.close()


def _rows(dataset: xr.Dataset) -> int:
    """Rows per chunk: a power of two, so that the largest variable's chunks have about ``CHUNK_BYTES``."""
    per_row = max(
        (v.dtype.itemsize * v.size // max(1, v.shape[0]) for v in dataset.variables.values() if "sample" in v.dims),
        default=1,
    )
    return max(1, 1 << int(np.log2(max(1, CHUNK_BYTES // max(1, per_row)))))


def _whole_chunks(blocks: Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    held: list[xr.Dataset] = []
    count, rows = 0, 0
    for block in blocks:
        if "sample" not in block.dims:
            yield block
            continue
        rows = rows or _rows(block) * 8
        held.append(block)
        count += block.sizes["sample"]
        while count >= rows:
            joined = _join(held)
            yield joined.isel(sample=slice(0, rows))
            held, count = [joined.isel(sample=slice(rows, None))], count - rows
    if held and (count or not rows or held[0].sizes.get("sample") == 0):
        yield _join(held)


def _join(parts: list[xr.Dataset]) -> xr.Dataset:
    if len(parts) == 1:
        return parts[0]
    return xr.concat(parts, dim="sample", data_vars="minimal", coords="minimal", compat="override", join="override")


def _append(folder: Path, block: xr.Dataset, contract: Contract) -> None:
    block = _texts_as_strings(block, contract)
    block.attrs["kind"] = contract.kind
    if folder.exists():
        if block.sizes.get("sample") == 0:
            return
        along = [n for n, v in block.variables.items() if "sample" in v.dims]
        block[along].to_zarr(folder, append_dim="sample", consolidated=False, zarr_format=3)
        return
    rows = _rows(block)
    block.to_zarr(
        folder, mode="w", consolidated=False, zarr_format=3,
        encoding={str(n): _encoding(v, rows) for n, v in block.variables.items()},
    )  # fmt: skip


def _encoding(variable: xr.Variable, rows: int) -> dict[str, Any]:
    if variable.dtype.kind in "OT":
        return {"compressors": [ZstdCodec(level=5), Crc32cCodec()]}
    size = variable.dtype.itemsize
    blosc = BloscCodec(typesize=size, cname="zstd", clevel=5, shuffle=BloscShuffle.shuffle)
    encoding: dict[str, Any] = {"compressors": [blosc, Crc32cCodec()]}
    if variable.ndim:
        big = variable.ndim > 1 and variable.dims[0] == "sample"
        encoding["chunks"] = tuple(
            (min(rows, max(1, n)) if big else max(n, rows * 8)) if d == "sample" else max(1, n)
            for d, n in zip(variable.dims, variable.shape, strict=True)
        )
    return encoding


def _texts_as_strings(block: xr.Dataset, contract: Contract) -> xr.Dataset:
    # An empty list of ids has no dtype of its own: take it for the text that the contract wants.
    wanted = {n for n, v in contract.variables.items() if v.dtypes == ("str",) and block.sizes.get("sample") == 0}
    texts = {
        n: v.astype(np.dtypes.StringDType()) for n, v in block.variables.items() if v.dtype.kind in "UOT" or n in wanted
    }
    for name in texts:
        missing = [v for v in block[name].values.flat if not isinstance(v, str)] if block[name].dtype == object else []
        if missing:
            raise StoreError(f"'{name}' holds {missing[0]!r} where text is expected; drop the rows without it")
    out = block.assign({n: v for n, v in texts.items() if n not in block.coords})
    out = out.assign_coords({n: v for n, v in texts.items() if n in block.coords})
    for variable in out.variables.values():
        variable.encoding = {}
    return out


def _zip(folder: Path, target: Path) -> None:
    """Pack a folder with fixed dates and order, so that equal content gives equal bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), date_time=_EPOCH)
            info.external_attr = 0o640 << 16
            with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
