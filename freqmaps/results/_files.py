"""Tables and stores of finished results, read from their files."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.stores import Contract, open_store, read

CORRELATION_NAMES = ("dataset", "model", "training", "seed", "maps", "attack", "pairing", "metric")


def _firsts(ids: Sequence[str]) -> slice | list[int]:
    """Return where each id stands first; a slice, which copies nothing, where none stands twice."""
    firsts = {sample: row for row, sample in reversed(list(enumerate(ids)))}
    return slice(None) if len(firsts) == len(ids) else sorted(firsts.values())


def _csv(path: Path) -> pd.DataFrame:
    if path.name in ("per_sample.csv", "samples.csv") and path.is_file() and not path.stat().st_size:
        raise FreqmapsError(f"{path}: empty; this kind of metric or evaluation says nothing of single samples")
    try:
        texts = dict.fromkeys((*CORRELATION_NAMES, "sample", "error_method", "extra"), str)
        frame = pd.read_csv(path, dtype=texts)
        return frame.astype({"value": float}) if path.name == "per_sample.csv" else frame
    except (
        OSError,
        KeyError,
        ValueError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
    ) as error:
        raise StoreError(f"{path}: cannot be read ({error}); delete its folder and run the target again") from error


def _plain(store: xr.Dataset) -> xr.Dataset:
    """Return a store with texts as Python's: xarray cannot mask, align or reindex those of NumPy's own dtype."""
    plain = store.copy()
    for name, variable in store.variables.items():
        if variable.dtype.kind == "T":
            plain[name] = xr.Variable(variable.dims, variable.values.astype(object), variable.attrs)
    return plain


def _part(path: Path, contract: Contract, samples: Sequence[str] | None, variables: Sequence[str] | None) -> xr.Dataset:
    positions = None
    if samples is not None:
        with open_store(path, contract) as lazy:
            wanted = set(samples)
            positions = [i for i, s in enumerate(lazy["sample"].values.tolist()) if s in wanted]
    if variables is None:
        return read(path, contract, positions)
    with open_store(path, contract) as lazy:
        part = lazy[list(variables)]
        try:
            return (part if positions is None else part.isel(sample=positions)).load()
        except (zipfile.BadZipFile, ValueError, RuntimeError, OSError, KeyError) as error:
            raise StoreError(f"{path}: corrupt chunk ({error}); delete its folder and run the target again") from error
