"""Map stores: files, bytes, and how much of them a small slice reads.

The maps are made by the engine, not drawn at random: how well a store compresses depends on how sparse real maps are.
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import xarray as xr

from freqmaps.stores import MAPS, open_store, write, zarrfile

N, SHARD = 10_000, 1024


def run() -> dict[str, float]:
    maps = _maps()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for number, first in enumerate(range(0, N, SHARD)):
            part = np.resize(maps, (N, *maps.shape[1:]))[first : first + SHARD]
            target = Path(folder) / str(number)
            target.mkdir()
            write(target / "store.zarr.zip", _dataset(part, first), MAPS)
            (target / "manifest.json").write_text("{}")
        seconds = time.perf_counter() - start
        files = [p for p in Path(folder).rglob("*") if p.is_file()]
        stores = sorted(p for p in files if p.suffix == ".zip")
        total = sum(p.stat().st_size for p in stores)
        read, chunks = _slice(stores)
    return {
        "store_bytes_vs_raw": total / (N * maps[0].nbytes),
        "store_files_per_10000_maps": len(files),
        "store_write_seconds_per_10000_maps": seconds,
        "store_share_of_chunks_read_for_100_of_10000": read / chunks,
        "store_share_of_entries_not_zero": float((maps > 0).mean()),
    }


def _slice(stores: list[Path]) -> tuple[int, int]:
    """Count the chunks of `map` that a slice of 100 maps reads, and all there are."""
    seen: set[str] = set()
    original = zarrfile.ZipStore.get

    async def spy(self, key, *arguments, **keywords):
        seen.add(key)
        return await original(self, key, *arguments, **keywords)

    zarrfile.ZipStore.get = spy
    try:
        with open_store(stores[3], MAPS) as lazy:
            seen.clear()
            lazy["map"].isel(sample=slice(300, 400)).load()
    finally:
        zarrfile.ZipStore.get = original
    chunks = 0
    for path in stores:
        with zipfile.ZipFile(path) as archive:
            chunks += sum(n.startswith("map/c/") for n in archive.namelist())
    return sum(k.startswith("map/c/") for k in seen), chunks


def _maps() -> np.ndarray:
    from benchmarks.networks import trained_resnet20
    from freqmaps.maps import MapSettings, compute_maps

    network, images, labels = trained_resnet20(n=64)
    settings = MapSettings(min_steps=500, max_steps=600)
    made = compute_maps(network, images, labels, "cross_entropy", {"penalty": 0.5}, settings, device="cpu")
    return made.layout.to_store(made.map)


def _dataset(maps: np.ndarray, first: int) -> xr.Dataset:
    n, _, h, w = maps.shape
    rng = np.random.default_rng(first)
    columns = {
        "map": (("sample", "channel", "ky", "kx"), maps),
        "target": ("sample", rng.integers(0, 10, n)),
        "label": ("sample", rng.integers(0, 10, n)),
        "steps": ("sample", rng.integers(500, 5000, n)),
        "loss": ("sample", rng.random(n)),
        "converged": ("sample", rng.random(n) < 0.9),
        "keeps_prediction": ("sample", rng.random(n) < 0.9),
    }
    coords = {
        "sample": [f"test/{first + i:05d}" for i in range(n)],
        "ky": np.arange(h) - h // 2,
        "kx": np.arange(w) - w // 2,
    }
    return xr.Dataset(columns, coords, {"images": "essential", "objective": "cross_entropy", "parameters": "{}"})
