"""Corruptions: images per second of the slowest type, and making corrupted images again against reading them back.

Images of 32x32 pixels, three channels, all 19 types; what is stored is what a store would hold, bytes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

from freqmaps.core import components
from freqmaps.corruptions._api import corrupted
from freqmaps.stores import DATASET, read, write

IMAGES, SEVERITIES = 512, (1, 3, 5)


def run() -> dict[str, float]:
    from benchmarks.networks import trained_resnet20

    network, images, _ = trained_resnet20(n=IMAGES)
    names = components.names("corruption")
    seconds, stored, back = {}, 0, 0.0
    for name in names:
        corrupted(images[:8], name, 3, seed=0, positions=range(8))  # imports
        start = time.perf_counter()
        made = [corrupted(images, name, s, seed=0, positions=range(IMAGES)) for s in SEVERITIES]
        seconds[name] = (time.perf_counter() - start) / (IMAGES * len(SEVERITIES))
        for one in made:
            size, elapsed = _stored(one)
            stored, back = stored + size, back + elapsed
    count = IMAGES * len(SEVERITIES) * len(names)
    slowest = max(seconds, key=lambda name: seconds[name])
    print(f"  slowest: {slowest}", flush=True)
    return {
        "corruptions_slowest_images_per_second": 1 / seconds[slowest],
        "corruptions_mean_milliseconds_per_image": 1e3 * float(np.mean(list(seconds.values()))),
        "corruptions_read_back_milliseconds_per_image": 1e3 * back / count,
        "corruptions_stored_bytes_per_image": stored / count,
        "corruptions_prediction_milliseconds_per_image": 1e3 * _prediction(network, images),
    }


def _stored(images: np.ndarray) -> tuple[int, float]:
    """Return the bytes of a store of these images, and the seconds that reading it takes."""
    n = len(images)
    columns = {
        "image": (("sample", "channel", "y", "x"), np.rint(images * 255).astype(np.uint8)),
        "label": ("sample", np.zeros(n, np.int64)),
        "split": ("sample", np.array(["test"] * n, dtype=np.dtypes.StringDType())),
    }
    ids = np.array([f"{i:05d}" for i in range(n)], dtype=np.dtypes.StringDType())
    attributes = {"classes": ["a"], "source": "-", "licence": "-", "mean": [0.0] * 3, "std": [1.0] * 3}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.zarr.zip"
        write(path, xr.Dataset(columns, {"sample": ids}, attributes), DATASET)
        start = time.perf_counter()
        read(path, DATASET)["image"].values.astype(np.float32)
        return path.stat().st_size, time.perf_counter() - start


def _prediction(network, images: np.ndarray) -> float:
    import torch

    batch = torch.from_numpy(images)
    with torch.no_grad():
        network(batch)
        start = time.perf_counter()
        network(batch)
    return (time.perf_counter() - start) / len(images)
